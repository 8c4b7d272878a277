#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: asan
"""Keywords of mail, files, FTP, SIP, SMB, DCE/RPC and Snort's HTTP buffers: for each a rule that must
match conversations made here, one that must not, and both sides of its boundary (a byte or a number more
or less). All rules stand in one file; what `skep inspect` alerts on must be exactly those marked `+`."""
import base64
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
from talk import CLIENT, SERVER, Talk  # noqa
from tap import Tap  # noqa

SKEP = os.environ.get("SKEP", os.path.join(ROOT, "build/src/cmd/skep"))

KEYWORDS = """email.from email.to email.cc email.subject email.date email.message_id email.x_mailer email.url
email.received email.body_md5 file.name filename file.ext fileext filesize filestore ftp.mode
ftp.dynamic_port ftpdata_command ftpdata.command sip.response_line sip.stat_code sip.stat_msg sip_body
sip_stat_code smb.share smb.named_pipe smb.ntlmssp_user smb.ntlmssp_domain smb.version dcerpc.iface dce_iface
dcerpc.opnum dce_opnum dcerpc.stub_data dce_stub_data http_version http_raw_request http_raw_status js_data
replace""".split()

# ---- mail -------------------------------------------------------------------------------------------

BODY = b"only this line"
INVOICE = b"MZ" + bytes(range(200))  # 202 bytes


def mail(message, sender=b"alice@example.org"):
    return [
        ("s", b"220 mail.example.net ESMTP\r\n"), ("c", b"EHLO a.example.org\r\n"),
        ("s", b"250 mail.example.net\r\n"), ("c", b"MAIL FROM:<" + sender + b">\r\n"), ("s", b"250 ok\r\n"),
        ("c", b"RCPT TO:<bob@example.net>\r\n"), ("s", b"250 ok\r\n"), ("c", b"DATA\r\n"),
        ("s", b"354 go on\r\n"), ("c", message + b"\r\n.\r\n"), ("s", b"250 queued\r\n"),
        ("c", b"QUIT\r\n"), ("s", b"221 bye\r\n")]


LETTER = (
    b"Received: from one.example.org by two.example.org; Mon, 2 Jan 2023 03:04:06 +0000\r\n"
    b"Received: from zero.example.org by one.example.org; Mon, 2 Jan 2023 03:04:05 +0000\r\n"
    b"From: Alice <alice@example.org>\r\nTo: bob@example.net\r\nCc: carol@example.com\r\n"
    b"Subject: offer of today\r\nDate: Mon, 2 Jan 2023 03:04:05 +0000\r\n"
    b"Message-ID: <one@example.org>\r\nX-Mailer: Quill 1.2\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=\"frontier\"\r\n\r\n"
    b"--frontier\r\nContent-Type: text/plain\r\n\r\n"
    b"Look at http://www.example.com/drop/kit.exe now.\r\n"
    b"--frontier\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
    b"Content-Disposition: attachment; filename=\"invoice.exe\"\r\n\r\n"
    + base64.encodebytes(INVOICE).replace(b"\n", b"\r\n") + b"--frontier--")
NOTE = b"From: dave@example.org\r\nSubject: note\r\n\r\n" + BODY

MAIL = r"""
+ smtp email.from; content:"alice@example.org"
- smtp email.from; content:"bob@example.net"
+ smtp email.from; content:"Alice <alice@example.org>"; bsize:25
- smtp email.from; content:"alice@example.org"; bsize:24
+ smtp email.to; content:"bob@"; startswith
- smtp email.to; content:"alice"
+ smtp email.to; content:"bob@example.net"; bsize:15
- smtp email.to; content:"bob@example.net"; bsize:16
+ smtp email.to; content:"net"; endswith
- smtp email.to; content:"ne"; endswith
+ smtp email.cc; content:"carol@example.com"
- smtp email.cc; content:"bob@example.net"
+ smtp email.cc; content:"example"; offset:6
- smtp email.cc; content:"example"; offset:7
+ smtp email.subject; content:"OFFER"; nocase; startswith
- smtp email.subject; content:"OFFER"
+ smtp email.subject; content:"offer of today"; bsize:14
- smtp email.subject; content:"offer of today"; bsize:>14
+ smtp email.subject; content:"of"; depth:2; offset:6
- smtp email.subject; content:"today"; depth:13
+ smtp email.subject; content:"today"; depth:14
+ smtp email.date; content:"2 Jan 2023"
- smtp email.date; content:"3 Jan 2023"
+ smtp email.date; content:"Mon, 2 Jan 2023 03:04:05 +0000"; bsize:30
- smtp email.date; content:"Mon, 2 Jan 2023 03:04:05 +0000"; bsize:>30
- smtp email.date; content:"on,"; startswith
+ smtp email.message_id; content:"one@example.org"
- smtp email.message_id; content:"two@example.org"
+ smtp email.message_id; content:"<one@example.org>"; bsize:17
- smtp email.message_id; content:"one@example.org"; bsize:<17
- smtp email.message_id; content:"one@"; startswith
+ smtp email.x_mailer; content:"Quill"
- smtp email.x_mailer; content:"Pencil"
+ smtp email.x_mailer; content:"Quill 1.2"; startswith; endswith
- smtp email.x_mailer; content:"Quill 1."; endswith
+ smtp email.url; content:"www.example.com/drop/kit.exe"
- smtp email.url; content:"www.example.com/drop/kit.dll"
+ smtp email.url; content:".exe"; endswith
- smtp email.url; content:"now"
+ smtp email.url; content:"www.example.com/drop/kit.exe"; bsize:28
- smtp email.url; content:"www.example.com/drop/kit.exe"; bsize:>28
+ smtp email.received; content:"from one.example.org"; startswith
+ smtp email.received; content:"from zero.example.org"; startswith
- smtp email.received; content:"from three.example.org"
- smtp email.received; content:"zero"; content:"two"
+ smtp email.received; content:"zero"; offset:5; depth:4
- smtp email.received; content:"zero"; offset:6
+ smtp email.body_md5; content:"@MD5@"; bsize:32
- smtp email.body_md5; content:"@MD5@"; bsize:>32
- smtp email.body_md5; content:"@NOT@"
- smtp email.body_md5; content:"@MD5@"; offset:1
+ smtp file.name; content:"invoice.exe"; bsize:11
- smtp file.name; content:"invoice.exe"; bsize:12
+ smtp filename:"invoice.exe"
- smtp filename:"invoice.exes"
+ smtp fileext:"exe"; filesize:202
- smtp fileext:"exe"; filesize:201
"""

# ---- HTTP and its files -----------------------------------------------------------------------------

TOOL = b"MZ" + b"\0" * 497 + b"E"  # 500 bytes
SCRIPT = b"<html><script>var payload = unescape('%u9090');</script></html>"
HTTP = [
    ("c", b"GET /dl/tool.exe HTTP/1.1\r\nHost: www.example.org\r\n\r\n"),
    ("s", b"HTTP/1.1 200 Fine\r\nContent-Type: application/octet-stream\r\nContent-Length: 500\r\n\r\n" + TOOL),
    ("c", b"GET /page.html HTTP/1.1\r\nHost: www.example.org\r\n\r\n"),
    ("s", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(SCRIPT), SCRIPT)),
]
OLD_HTTP = [("c", b"GET /old HTTP/1.0\r\nHost: old.example.org\r\n\r\n"),
            ("s", b"HTTP/1.0 404 Gone Away\r\nContent-Length: 0\r\n\r\n")]

FILES = r"""
+ http http_version; content:"HTTP/1.1"
- http http_version; content:"HTTP/1.2"
+ http http_version; content:"1.0"; offset:5
- http http_version; content:"1.0"; offset:6
+ http http_version; content:"HTTP/1.0",depth 8; http_uri; content:"/old"
- http http_version; content:"HTTP/1.1",depth 8; http_uri; content:"/old"
+ http http_raw_request; content:"GET /dl/tool.exe HTTP/1.1"; bsize:25
- http http_raw_request; content:"GET /dl/tool.exe HTTP/1.1"; bsize:>25
- http http_raw_request; content:"POST"
+ http http_raw_request; content:"/dl/tool",offset 4,depth 8
- http http_raw_request; content:"/dl/tool",offset 5
+ http http_raw_status; content:"HTTP/1.1 200 Fine"; bsize:17
- http http_raw_status; content:"HTTP/1.1 200 Fine"; bsize:>17
- http http_raw_status; content:"500"
+ http http_raw_status; content:"404",offset 9,depth 3
- http http_raw_status; content:"404",offset 10
+ http js_data; content:"var payload"
- http js_data; content:"var absent"
+ http js_data; content:"unescape"; content:"%u9090",distance 2,within 6
- http js_data; content:"unescape"; content:"%u9090",distance 3
+ http file.name; content:"tool.exe"; endswith
- http file.name; content:"tool.ex"; endswith
- http file.name; content:"tool.dll"
+ http filename:"tool.exe"
+ http filename:"TOOL"
- http filename:"ttool.exe"
+ http filename:!"tool"; fileext:"html"
- http filename:!"page"; fileext:"html"
+ http file.ext; content:"exe"; bsize:3
- http file.ext; content:"exe"; bsize:4
- http file.ext; content:"dll"
- http file.ext; content:"."
+ http fileext:"exe"
+ http fileext:"EXE"
- http fileext:"xe"
- http fileext:"exee"
- http fileext:"dll"
+ http fileext:"exe"; filesize:500
- http fileext:"exe"; filesize:499
- http fileext:"exe"; filesize:501
+ http fileext:"exe"; filesize:>499
- http fileext:"exe"; filesize:>500
+ http fileext:"exe"; filesize:<501
- http fileext:"exe"; filesize:<500
+ http fileext:"exe"; filesize:499<>501
- http fileext:"exe"; filesize:500<>600
- http fileext:"exe"; filesize:400<>500
+ http fileext:"exe"; filesize:>=500
- http fileext:"exe"; filesize:>=501
+ http fileext:"exe"; filesize:<=500
- http fileext:"exe"; filesize:<=499
+ http fileext:"exe"; filestore
- http fileext:"dll"; filestore
+ http fileext:"exe"; filesize:500; filestore:to_client,file
- http fileext:"exe"; filesize:501; filestore:to_client,file
"""

# ---- FTP --------------------------------------------------------------------------------------------


def ftp(talk, port, verb, name, data, active=False, **how):
    """One session and its data connection, which the session's end outlives."""
    where = (CLIENT if active else SERVER).replace(".", ",").encode() + b",%d,%d" % (port >> 8, port & 255)
    talk.tcp([
        ("s", b"220 ready\r\n"), ("c", b"USER anonymous\r\n"), ("s", b"331 name ok\r\n"),
        ("c", b"PASS me@example.org\r\n"), ("s", b"230 in\r\n"),
        ("c", b"PORT " + where + b"\r\n" if active else b"PASV\r\n"),
        ("s", b"200 ok\r\n" if active else b"227 Entering Passive Mode (" + where + b")\r\n"),
        ("c", verb + b" " + name + b"\r\n"), ("s", b"150 here it comes\r\n")], dport=21, close=False,
        **how)
    if active:
        talk.tcp([("s" if verb == b"STOR" else "c", data)], sport=20, dport=port, client=SERVER, server=CLIENT,
                 **how)
    else:
        talk.tcp([("c" if verb == b"STOR" else "s", data)], dport=port, **how)


FTP = r"""
+ ftp ftp.mode:passive
+ ftp ftp.mode:active
+ ftp ftp.mode:active; ftp.dynamic_port:50002
- ftp ftp.mode:active; ftp.dynamic_port:50000
- ftp ftp.mode:passive; ftp.dynamic_port:50002
+ ftp ftp.dynamic_port:50000
- ftp ftp.dynamic_port:49999
- ftp ftp.dynamic_port:50003
+ ftp ftp.dynamic_port:>50001
- ftp ftp.dynamic_port:>50002
+ ftp ftp.dynamic_port:<50001
- ftp ftp.dynamic_port:<50000
+ ftp ftp.dynamic_port:50000-50002
- ftp ftp.dynamic_port:50002-50009
- ftp ftp.dynamic_port:40000-50000
+ ftp-data ftpdata_command:retr
+ ftp-data ftpdata_command:stor
+ ftp-data ftpdata_command:retr; filename:"report.txt"
- ftp-data ftpdata_command:stor; filename:"report.txt"
+ ftp-data ftpdata.command:stor; file.data; content:"upload-marker"
- ftp-data ftpdata.command:retr; file.data; content:"upload-marker"
+ ftp-data ftpdata.command:stor; file.data; content:"marker"; offset:7
- ftp-data ftpdata.command:stor; file.data; content:"marker"; offset:8
+ ftp-data ftpdata_command:retr; file.data; content:"active-marker"; startswith
+ ftp-data file.name; content:"report.txt"; bsize:10
- ftp-data file.name; content:"report.txt"; bsize:11
+ ftp-data filename:"report.txt"; filesize:17
- ftp-data filename:"report.txt"; filesize:18
- ftp-data filename:"report.txt"; filesize:>17
+ ftp-data fileext:"bin"; filestore
- ftp-data fileext:"in"; filestore
"""

# ---- SIP --------------------------------------------------------------------------------------------

SDP = b"v=0\r\no=alice 1 1 IN IP4 192.0.2.10\r\n"


def sip_head(line, number, more=b""):
    return (line + b"\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK%d\r\nFrom: <sip:alice@example.org>;tag=1\r\n"
            b"To: <sip:bob@example.net>\r\nCall-ID: %d@192.0.2.10\r\nCSeq: 1 INVITE\r\n%s\r\n"
            % (number, number, more))


INVITE = (sip_head(b"INVITE sip:bob@example.net SIP/2.0", 1,
                   b"Content-Type: application/sdp\r\nContent-Length: %d\r\n" % len(SDP)) + SDP)
BUSY = sip_head(b"SIP/2.0 486 Busy Here", 1, b"Content-Length: 0\r\n")

SIP = r"""
+ sip sip.response_line; content:"SIP/2.0 486 Busy Here"; bsize:21
- sip sip.response_line; content:"SIP/2.0 486 Busy Here"; bsize:22
- sip sip.response_line; content:"SIP/2.0 200 OK"
- sip sip.response_line; content:"INVITE"
+ sip sip.response_line; content:"486"; offset:8; depth:3
- sip sip.response_line; content:"486"; offset:9
+ sip sip.stat_code; content:"486"; bsize:3
- sip sip.stat_code; content:"486"; bsize:4
- sip sip.stat_code; content:"487"
- sip sip.stat_code; content:"86"; startswith
+ sip sip.stat_msg; content:"Busy Here"; bsize:9
- sip sip.stat_msg; content:"Busy Here"; bsize:10
- sip sip.stat_msg; content:"OK"
- sip sip.stat_msg; content:"Busy Her"; endswith
+ sip sip_body; content:"o=alice"
- sip sip_body; content:"o=mallory"
+ sip sip_body; content:"o=alice",offset 5,depth 7
- sip sip_body; content:"o=alice",offset 6
+ sip sip_body; content:"v=0"; bsize:@SDP@
- sip sip_body; content:"v=0"; bsize:>@SDP@
+ sip sip_stat_code:486
- sip sip_stat_code:485
- sip sip_stat_code:487
+ sip sip_stat_code:4
- sip sip_stat_code:3
- sip sip_stat_code:5
+ sip sip_stat_code:2,486
- sip sip_stat_code:200,5
"""

# ---- SMB2 and DCE/RPC -------------------------------------------------------------------------------

CALLED = "12345778-1234-abcd-ef00-0123456789ab"
OTHER = "12345778-1234-abcd-ef00-0123456789ac"
IFACE = bytes.fromhex("78573412" "3412" "cdab" "ef00" "0123456789ab") + struct.pack("<HH", 3, 0)
NDR = bytes.fromhex("045d888aeb1cc9119fe808002b104860") + struct.pack("<I", 2)


def rpc(kind, body, call, flags=3):
    return bytes((5, 0, kind, flags, 0x10, 0, 0, 0)) + struct.pack("<HHI", 16 + len(body), 0, call) + body


BIND = rpc(11, struct.pack("<HHIIHH", 4280, 4280, 0, 1, 7, 1) + IFACE + NDR, 1)
ACK = rpc(12, struct.pack("<HHI", 4280, 4280, 9) + struct.pack("<H", 4) + b"135\0" + b"\0\0"
          + struct.pack("<IHH", 1, 0, 0) + NDR, 1)


def request(stub, opnum, call=2, context=7, flags=3):
    return rpc(0, struct.pack("<IHH", len(stub), context, opnum) + stub, call, flags)


def response(stub, call=2):
    return rpc(2, struct.pack("<IHH", len(stub), 7, 0) + stub, call)


class Smb:
    """Turns of one session; every request is answered."""
    FID = b"0123456789abcdef"

    def __init__(self):
        self.turns, self.id = [], 0

    def both(self, command, ask, answer, tree=0, status=0):
        for side, body in (("c", ask), ("s", answer)):
            head = b"\xfeSMB" + struct.pack("<HHIHHIIQIIQ", 64, 0, status if side == "s" else 0, command, 1,
                                            side == "s", 0, self.id, 0, tree, 99) + b"\0" * 16
            self.turns.append((side, struct.pack(">I", len(head + body)) + head + body))
        self.id += 1

    def negotiate(self):
        self.both(0, struct.pack("<HH", 36, 2) + b"\0" * 32 + struct.pack("<HH", 0x202, 0x311),
                  struct.pack("<HHH", 65, 1, 0x311) + b"\0" * 58)

    def session(self, domain, user, host):
        texts = [s.encode("utf-16-le") for s in (domain, user, host)]
        at, fields = 72, b""
        for s in texts:
            fields += struct.pack("<HHI", len(s), len(s), at)
            at += len(s)
        blob = (b"NTLMSSP\0" + struct.pack("<I", 3) + b"\0" * 16 + fields + b"\0" * 8
                + struct.pack("<IBBHI", 0x02000001, 10, 0, 19041, 0) + b"".join(texts))
        self.both(1, struct.pack("<H", 25) + b"\0" * 10 + struct.pack("<HHQ", 88, len(blob), 0) + blob,
                  struct.pack("<HHHH", 9, 0, 0, 0))

    def tree(self, tree, share, kind):
        name = share.encode("utf-16-le")
        self.both(3, struct.pack("<HHHH", 9, 0, 72, len(name)) + name,
                  struct.pack("<HB", 16, kind) + b"\0" * 13, tree)

    def create(self, tree, name):
        name = name.encode("utf-16-le")
        self.both(5, struct.pack("<H", 57) + b"\0" * 22 + struct.pack("<IQII", 0x10000, 0, 1, 0)
                  + struct.pack("<HHQ", 120, len(name), 0) + name,
                  struct.pack("<H", 89) + b"\0" * 46 + struct.pack("<QQ", 5, 0) + self.FID + b"\0" * 8, tree)

    def write(self, tree, data):
        self.both(9, struct.pack("<HHIQ", 49, 112, len(data), 0) + self.FID + b"\0" * 16 + data,
                  struct.pack("<HHIIHH", 17, 0, len(data), 0, 0, 0), tree)

    def read(self, tree, data):
        self.both(8, struct.pack("<HHIQ", 49, 0, 1000, 0) + self.FID + b"\0" * 17,
                  struct.pack("<HBBIQ", 17, 80, 0, len(data), 0) + data, tree)

    def ioctl(self, tree, data, answer):
        self.both(11, struct.pack("<HHI", 57, 0, 0x11C017) + self.FID
                  + struct.pack("<IIIIIIII", 120, len(data), 0, 0, 0, 1024, 1, 0) + data,
                  struct.pack("<HHI", 49, 0, 0x11C017) + self.FID
                  + struct.pack("<IIIIII", 112, 0, 112, len(answer), 0, 0) + answer, tree)

    def close(self, tree):
        self.both(6, struct.pack("<HHI", 24, 0, 0) + self.FID, struct.pack("<H", 60) + b"\0" * 58, tree)


def smb2():
    s = Smb()
    s.negotiate()
    s.session("CORP", "trudy", "PC")
    s.tree(1, "\\\\fileserver\\data", 1)
    s.create(1, "dir\\payload.dll")
    s.write(1, b"MZ-smb-content")
    s.close(1)
    s.tree(2, "\\\\fileserver\\IPC$", 2)
    s.create(2, "samr")
    s.write(2, BIND)
    s.read(2, ACK)
    s.write(2, request(b"pipe-stub-1", 15))
    s.read(2, response(b"pipe-answer"))
    s.ioctl(2, request(b"ioctl-stub", 33, 3), response(b"ioctl-answer", 3))
    s.close(2)
    return s.turns


def smb1():
    """A negotiation and a tree, in ASCII."""
    def message(side, command, words, data):
        body = (b"\xffSMB" + struct.pack("<BIBH", command, 0, 0x80 if side == "s" else 0, 0x4000) + b"\0" * 12
                + struct.pack("<HHHHB", 5, 1, 6, 1, len(words) // 2) + words + struct.pack("<H", len(data)) + data)
        return side, struct.pack(">I", len(body)) + body

    return [message("c", 0x72, b"", b"\2NT LM 0.12\0"), message("s", 0x72, struct.pack("<H", 0), b""),
            message("c", 0x75, struct.pack("<BBHHH", 255, 0, 0, 0, 1), b"\0\\\\oldserver\\c\0?????\0"),
            message("s", 0x75, struct.pack("<BBHH", 255, 0, 0, 0), b"A:\0")]


# A rule of dcerpc is also for RPC in the pipes of SMB.
# Three interfaces are asked for, the last is refused; calls go to the second, in two fragments, and to the last.
IDLE, BUSY_IFACE, DENIED = (f"0a0b0c0d-0102-0304-0506-07080900000{n}" for n in (1, 2, 3))


def wire(uuid):
    a, b, c, rest = uuid.split("-", 3)
    return (struct.pack("<IHH", int(a, 16), int(b, 16), int(c, 16)) + bytes.fromhex(rest.replace("-", ""))
            + struct.pack("<HH", 1, 0))


RPC3 = [
    ("c", rpc(11, struct.pack("<HHII", 4280, 4280, 0, 3) + b"".join(
        struct.pack("<HH", i, 1) + wire(u) + NDR for i, u in enumerate((IDLE, BUSY_IFACE, DENIED))), 1)),
    ("s", rpc(12, struct.pack("<HHIH", 4280, 4280, 9, 4) + b"135\0" + b"\0\0" + struct.pack("<I", 3) + b"".join(
        struct.pack("<HH", r, r) + NDR for r in (0, 0, 2)), 1)),
    ("c", request(b"first-half|", 20, 2, 1, 1) + request(b"second-half", 20, 2, 1, 2)), ("s", response(b"ok")),
    ("c", request(b"to the refused", 21, 3, 2)), ("s", response(b"no", 3))]

RPC = [("c", BIND), ("s", ACK), ("c", request(b"tcp-stub|\x01\x02\x03\x04", 9)), ("s", response(b"tcp-answer"))]

SMB = r"""
+ smb smb.share; content:"fileserver"
- smb smb.share; content:"IPC$"
+ smb smb.share; content:"\\\\fileserver\\data"; bsize:17
- smb smb.share; content:"\\\\fileserver\\data"; bsize:18
+ smb smb.share; content:"data"; endswith
- smb smb.share; content:"dat"; endswith
+ smb smb.named_pipe; content:"IPC$"; endswith
- smb smb.named_pipe; content:"data"
+ smb smb.named_pipe; content:"fileserver"; offset:2
- smb smb.named_pipe; content:"fileserver"; offset:3
+ smb smb.named_pipe; content:"IPC|24|"; bsize:17
- smb smb.named_pipe; content:"IPC|24|"; bsize:>17
+ smb smb.ntlmssp_user; content:"trudy"; bsize:5
- smb smb.ntlmssp_user; content:"trudy"; bsize:6
- smb smb.ntlmssp_user; content:"CORP"
- smb smb.ntlmssp_user; content:"trud"; endswith
+ smb smb.ntlmssp_domain; content:"CORP"; bsize:4
- smb smb.ntlmssp_domain; content:"CORP"; bsize:5
- smb smb.ntlmssp_domain; content:"trudy"
- smb smb.ntlmssp_domain; content:"ORP"; startswith
+ smb smb.version:2
+ smb smb.version:1
+ smb smb.version:1; smb.share; content:"oldserver"
- smb smb.version:2; smb.share; content:"oldserver"
+ smb smb.version:2; smb.share; content:"data"; endswith
- smb smb.version:1; smb.share; content:"data"; endswith
+ smb filename:"payload.dll"
- smb filename:"payload.dlls"
+ smb fileext:"dll"; filesize:14
- smb fileext:"dll"; filesize:13
+ smb file.data; content:"MZ-smb-content"; bsize:14
+ smb dcerpc.iface:@UUID@
- smb dcerpc.iface:@OTHER@
+ smb dcerpc.iface:@UUID@; dcerpc.opnum:15
- smb dcerpc.iface:@OTHER@; dcerpc.opnum:15
+ smb dcerpc.opnum:33
- smb dcerpc.opnum:9
- smb dcerpc.opnum:14
- smb dcerpc.opnum:16
- smb dcerpc.opnum:34
+ smb dcerpc.stub_data; content:"pipe-stub-1"; bsize:11
- smb dcerpc.stub_data; content:"pipe-stub-1"; bsize:12
+ smb dcerpc.opnum:33; dcerpc.stub_data; content:"ioctl-stub"; startswith
- smb dcerpc.opnum:15; dcerpc.stub_data; content:"ioctl-stub"
+ smb dce_iface:@UUID@; dce_opnum:15; dce_stub_data; content:"stub"; offset:5; depth:4
- smb dce_iface:@UUID@; dce_opnum:15; dce_stub_data; content:"stub"; offset:6
- smb dce_stub_data; content:"tcp-stub"
+ dcerpc dcerpc.iface:@UUID@
- dcerpc dcerpc.iface:@OTHER@
- dcerpc dcerpc.iface:@IDLE@
+ dcerpc dcerpc.iface:@BUSY@
- dcerpc dce_iface:@DENIED@
+ dcerpc dce_iface:@BUSY@; dce_opnum:20; dce_stub_data; content:"half|7c|second"
- dcerpc dce_iface:@BUSY@; dce_opnum:21
+ dcerpc dcerpc.opnum:21
+ dcerpc dcerpc.iface:@UUID@,=3
- dcerpc dcerpc.iface:@UUID@,=2
- dcerpc dcerpc.iface:@UUID@,=4
+ dcerpc dcerpc.iface:@UUID@,<4
- dcerpc dcerpc.iface:@UUID@,<3
+ dcerpc dcerpc.iface:@UUID@,>2
- dcerpc dcerpc.iface:@UUID@,>3
+ dcerpc dcerpc.iface:@UUID@,!2
- dcerpc dcerpc.iface:@UUID@,!3
+ dcerpc dcerpc.iface:@UUID@,any_frag
+ dcerpc dcerpc.iface:@UUID@,=3,any_frag
- dcerpc dcerpc.iface:@OTHER@,any_frag
+ dcerpc dce_iface:@UUID@
- dcerpc dce_iface:@OTHER@
+ dcerpc dce_iface:uuid @UUID@
- dcerpc dce_iface:uuid @OTHER@
+ dcerpc dce_iface:@UUID@,<4
- dcerpc dce_iface:@UUID@,>3
+ dcerpc dcerpc.opnum:9
- dcerpc dcerpc.opnum:8
- dcerpc dcerpc.opnum:10
+ dcerpc dcerpc.opnum:15
- dcerpc dcerpc.opnum:16
+ dcerpc dcerpc.opnum:7-9
+ dcerpc dcerpc.opnum:9-12
- dcerpc dcerpc.opnum:7-8
- dcerpc dcerpc.opnum:10-12
+ dcerpc dce_opnum:9
- dcerpc dce_opnum:8
+ dcerpc dce_opnum:1,3-9,40
- dcerpc dce_opnum:1,3-8,10
+ dcerpc dcerpc.stub_data; content:"tcp-stub|7c 01 02 03 04|"; bsize:13
- dcerpc dcerpc.stub_data; content:"tcp-stub"; bsize:14
+ dcerpc dcerpc.stub_data; content:"pipe-stub"
- dcerpc dcerpc.stub_data; content:"absent-stub"
+ dcerpc flow:to_client; dcerpc.stub_data; content:"tcp-answer"; bsize:10
+ dcerpc dcerpc.opnum:9; dce_stub_data; content:"stub"; offset:4; depth:4
- dcerpc dcerpc.opnum:9; dce_stub_data; content:"stub"; offset:5
+ dcerpc dce_stub_data; content:"tcp-stub|7c|"; byte_test:4,=,0x04030201,0,relative,dce
- dcerpc dce_stub_data; content:"tcp-stub|7c|"; byte_test:4,=,0x01020304,0,relative,dce
+ dcerpc dcerpc.iface:@UUID@; dcerpc.opnum:9; dcerpc.stub_data; content:"|04|"; endswith
- dcerpc dcerpc.iface:@UUID@; dcerpc.opnum:8; dcerpc.stub_data; content:"|04|"; endswith
"""

# ---- payload ----------------------------------------------------------------------------------------

REPLACE = r"""
+ tcp content:"swap-marker"; replace:"other-words"; depth:16
- tcp content:"swap-absent"; replace:"other-words"
+ tcp content:"swap-marker"; replace:"other-words"; offset:5
- tcp content:"swap-marker"; replace:"other-words"; offset:6
- tcp content:"swap-marker"; replace:"other-words"; depth:15
"""

# What the documentation says is not read: words that the reason must hold.
REFUSED = [
    ('tcp content:"abc"; replace:"ab"; replace:"abc"', "replace is given twice"),
    ('tcp content:"abc"; replace:!"abc"', "replace takes one quoted value"),
    ("sip sip_stat_msg; content:\"OK\"", "unknown keyword 'sip_stat_msg'"),
    ("sip sip_stat_code:48", "no status code"),
    ("smb smb.version:0", "1 or 2"), ("smb smb.version:3", "1 or 2"),
    ("ftp ftp.mode:off", "unknown word"), ("ftp ftp.dynamic_port:65536", "65535"),
    ("ftp-data ftpdata_command:list", "unknown word"),
    ("dcerpc dcerpc.opnum:65536", "65535"), ("dcerpc dcerpc.opnum:9-8", "no range"),
    ("dcerpc dcerpc.iface:12345778-1234-abcd-ef00-0123456789a", "no UUID"),
    ("dcerpc dce_iface:" + CALLED + ",=65536", "65535"),
    ('http filemagic:"PE32"', "types of files"),
    ('http file.magic; content:"PE32"', "types of files"),
    ('smtp email.from; content:"alice"; bsize:4', "its size is at most 4"),
]
WARNED = [("filestore", "filestore")]

# Rules that behave otherwise than they should, with the reason; told as a note until they are mended.
KNOWN_FAULTS = {
}


def rules():
    """(sid, wanted, options) of each rule, in the order of the file."""
    put = {"@MD5@": hashlib.md5(BODY + b"\r\n").hexdigest(), "@NOT@": hashlib.md5(BODY).hexdigest(),
           "@SDP@": str(len(SDP)), "@UUID@": CALLED, "@OTHER@": OTHER,
           "@IDLE@": IDLE, "@BUSY@": BUSY_IFACE, "@DENIED@": DENIED}
    out = []
    for line in (MAIL + FILES + FTP + SIP + SMB + REPLACE).strip().split("\n"):
        for name, value in put.items():
            line = line.replace(name, value)
        if line:
            out.append((1000 + len(out), line[0] == "+", line[2:]))
    return out


def rule(sid, text):
    proto, options = text.split(" ", 1)
    return f'alert {proto} any any -> any any (msg:"{sid}"; {options}; sid:{sid};)\n'


def conversations(**how):
    talk = Talk()
    talk.tcp(mail(LETTER), dport=25, **how)
    talk.tcp(mail(NOTE, b"dave@example.org"), dport=25, **how)
    talk.tcp(HTTP, dport=80, **how)
    talk.tcp(OLD_HTTP, dport=80, **how)
    ftp(talk, 50000, b"RETR", b"report.txt", b"report-marker end", **how)
    ftp(talk, 50001, b"STOR", b"upload.bin", b"upload-marker", **how)
    ftp(talk, 50002, b"RETR", b"active.log", b"active-marker", active=True, **how)
    talk.udp([("c", INVITE), ("s", BUSY)], sport=5060, dport=5060)
    talk.tcp(smb2(), dport=445, **how)
    talk.tcp(smb1(), dport=445, **how)
    talk.tcp(RPC, dport=135, **how)
    talk.tcp(RPC3, dport=135, **how)
    talk.tcp([("c", b"lead-swap-marker tail\n"), ("s", b"fine\n")], dport=7000)  # replace: in one packet
    return talk


def inspect(folder, text):
    with open(f"{folder}/x.rules", "w", encoding="utf-8") as h:
        h.write(text)
    p = subprocess.run([SKEP, "inspect", "-r", f"{folder}/in.pcap", "-S", f"{folder}/x.rules", "-o", folder],
                       capture_output=True, text=True, timeout=120)
    alerts = Counter()
    with open(f"{folder}/eve.json", encoding="utf-8") as h:
        for line in h:
            e = json.loads(line)
            if e["event_type"] == "alert":
                alerts[e["alert"]["signature_id"]] += 1
    return p, alerts


def check_matches(t, folder):
    all_rules = rules()
    p, alerts = inspect(folder, "".join(rule(sid, text) for sid, _, text in all_rules))
    lines = p.stderr.splitlines()
    t.equal([x for x in lines if "warning:" not in x], [], f"{len(all_rules)} rules load")
    t.equal(p.returncode, 0, "exit code 0")
    conversations(cut=7, seed=1).write(f"{folder}/in.pcap")
    _, cut = inspect(folder, "".join(rule(sid, text) for sid, _, text in all_rules))
    t.equal([text for sid, _, text in all_rules if (sid in cut) != (sid in alerts)], [],
            "in pieces of up to 7 bytes: the same rules match")
    for keyword, word in WARNED:
        with_it = sum(keyword in text for _, _, text in all_rules)
        t.equal(sum("warning: " + word in x for x in lines), with_it, f"{keyword} is warned of each time")
    for what, wanted in (("matches what it should", True), ("leaves alone what it should", False)):
        mine = [(sid, text) for sid, want, text in all_rules if want == wanted]
        odd = [text for sid, text in mine if (sid in alerts) != wanted]
        t.equal([x for x in odd if x not in KNOWN_FAULTS], [], f"{len(mine)} rules: each {what}")
        for text in odd:
            if text in KNOWN_FAULTS:
                t.note(f"KNOWN FAULT: {text}: {KNOWN_FAULTS[text]}")
    mended = [x for x in KNOWN_FAULTS if x not in [text for _, _, text in all_rules]
              or x in [text for sid, want, text in all_rules if (sid in alerts) == want]]
    t.equal(mended, [], f"{len(KNOWN_FAULTS)} known faults: each still there")
    used = {want: " ".join(text for _, w, text in all_rules if w == want) for want in (True, False)}
    for want, sign in ((True, "match"), (False, "don't")):
        lacking = [k for k in KEYWORDS if not re.search(r"(?<![\w.])" + re.escape(k) + r"(?![\w.])", used[want])]
        t.equal(lacking, [], f"{len(KEYWORDS)} keywords: each is in rules that {sign}")


def check_refused(t, folder):
    p, _ = inspect(folder, "".join(rule(i + 1, text) for i, (text, _) in enumerate(REFUSED)))
    odd = []
    for i, (text, word) in enumerate(REFUSED):
        told = [x for x in p.stderr.splitlines() if f"x.rules:{i + 1}:" in x and "warning:" not in x]
        if len(told) != 1 or word not in told[0]:
            odd.append((text, told))
    t.equal(odd, [], f"{len(REFUSED)} rules are refused, each with its reason")


def main(t):
    with tempfile.TemporaryDirectory() as folder:
        conversations().write(f"{folder}/in.pcap")
        check_matches(t, folder)
        check_refused(t, folder)


tap = Tap()
main(tap)
sys.exit(tap.done())
