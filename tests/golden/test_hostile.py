#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: asan
"""skep inspect against captures that want its memory or its time. Each comes in two sizes: both must
end, in memory that has a bound, and four times the traffic may not cost much more than four times the
time. With sanitizers only the small one is read: they have their own idea of both."""
import json
import os
import struct
import subprocess
import sys
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
from tap import Tap  # noqa

SKEP = os.environ.get("SKEP", os.path.join(ROOT, "build/src/cmd/skep"))
SANITIZED = b"__asan_" in open(SKEP, "rb").read()
MEMORY = 64 << 20     # for conversations: --memory
OTHER_MIB = 200       # what the program needs besides: code, rules, 65536 flows, fragments
RATIO = 8.0           # four times the input: four times the time is linear, sixteen square
SLACK_S = 0.15        # noise of short runs
GROWTH = 4

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ETH4 = bytes.fromhex("02000000000b02000000000a0800")
ETH6 = bytes.fromhex("02000000000b02000000000a86dd")


class Capture:
    """Packets by the hundred thousand: plain bytes, no checksums (nobody looks at them unless asked)."""

    def __init__(self):
        self.out = bytearray(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        self.us, self.port, self.packets = 1_700_000_000_000_000, 1024, 0

    def frame(self, data, step_us=10):
        self.out += struct.pack("<IIII", self.us // 1_000_000, self.us % 1_000_000, len(data), len(data))
        self.out += data
        self.us += step_us
        self.packets += 1

    def ip4(self, src, dst, proto, payload, ident=1, frag=0, step_us=10):
        self.frame(ETH4 + struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(payload), ident & 0xFFFF, frag, 64,
                                      proto, 0, src, dst) + payload, step_us)

    def ip6(self, src, dst, proto, payload, step_us=10):
        self.frame(ETH6 + struct.pack("!IHBB", 6 << 28, len(payload), proto, 64)
                   + src.to_bytes(16, "big") + dst.to_bytes(16, "big") + payload, step_us)

    def udp(self, data, sport=None, dport=53, src=0xC0000201, dst=0xC6336414, step_us=10):
        self.ip4(src, dst, 17, struct.pack("!HHHH", sport or self.next_port(), dport, 8 + len(data), 0)
                 + data, step_us=step_us)

    def tcp(self, src, dst, sport, dport, flags, seq, ack, data=b"", step_us=10):
        self.ip4(src, dst, 6, struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF,
                                          0x50, flags, 65535, 0, 0) + data, step_us=step_us)

    def next_port(self):
        self.port = self.port + 1 if self.port < 60000 else 1025
        return self.port

    def talk(self, *args, **kw):
        return Talk(self, *args, **kw)


class Talk:
    """One TCP conversation: c() and s() say something, in segments, acknowledged one by one."""

    def __init__(self, cap, dport=80, client=0xC0000201, server=0xC6336414, sport=None):
        self.cap, self.ends = cap, {"c": (client, server, sport or cap.next_port(), dport)}
        a, b, p, q = self.ends["c"]
        self.ends["s"] = (b, a, q, p)
        self.seq = {"c": 1, "s": 1}
        self.put("c", SYN, seq=0, ack=0)
        self.put("s", SYN | ACK, seq=0)
        self.put("c", ACK)

    def put(self, side, flags, data=b"", seq=None, ack=None):
        other = "s" if side == "c" else "c"
        self.cap.tcp(*self.ends[side], flags, self.seq[side] if seq is None else seq,
                     self.seq[other] if ack is None else ack, data)

    def say(self, side, data, mss=1400, acks=True):
        other = "s" if side == "c" else "c"
        for at in range(0, len(data), mss):
            piece = data[at:at + mss]
            self.put(side, ACK | PSH, piece)
            self.seq[side] += len(piece)
            if acks:
                self.put(other, ACK)
        return self

    def c(self, data, mss=1400, acks=True):
        return self.say("c", data, mss, acks)

    def s(self, data, mss=1400, acks=True):
        return self.say("s", data, mss, acks)


# ---- conversations by number ------------------------------------------------------------------------

def udp_flows(cap, n):
    for i in range(n * 50_000):
        cap.udp(b"0123", sport=i & 0xFFFF or 1, dport=9, src=0x0A000000 + i, step_us=1)


def syn_flood(cap, n):
    for i in range(n * 25_000):
        cap.tcp(0x0A000000 + i, 0xC6336414, 1024 + (i & 0x7FFF), 80, SYN, i, 0, step_us=1)


def greeted(cap, n):
    """Established, and then silent, with something said that nobody understands yet."""
    for i in range(n * 3_000):
        cap.talk(client=0x0A000000 + i).c(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")


def icmp_kinds(cap, n):
    for i in range(n * 10_000):
        cap.ip4(0x0A000000 + i, 0xC6336414, 1, struct.pack("!BBHHH", 8, 0, 0, i & 0xFFFF, 1), step_us=1)


def reopened(cap, n):
    """The same ports again and again."""
    for i in range(n * 4_000):
        t = cap.talk(sport=5000).c(b"hello")
        t.put("s", RST | ACK)


# ---- order ------------------------------------------------------------------------------------------

def holes(cap, n):
    """Every second byte only, for many conversations: nothing is ever in order."""
    for k in range(n * 40):
        t = cap.talk(dport=9)
        for i in range(300):
            t.put("c", ACK, b"x", seq=3 + 2 * i)


def backwards(cap, n):
    for k in range(n * 40):
        t = cap.talk(dport=9)
        for i in range(500, 0, -1):
            t.put("c", ACK, b"abcd", seq=1 + 4 * i)
        t.put("c", ACK, b"abcd", seq=1)


def overlaps(cap, n):
    """Long segments over many short ones, with other bytes each time."""
    for k in range(n * 6):
        t = cap.talk(dport=9)
        for i in range(500):
            t.put("c", ACK, b"a", seq=3 + 2 * i)
        for i in range(100):
            t.put("c", ACK, bytes([65 + i % 26]) * 1000, seq=3 + i % 7)


def one_byte_each(cap, n):
    t = cap.talk().c(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n")
    t.c(b"z" * n * 8_000, mss=1)


def unacknowledged(cap, n):
    for k in range(n * 4):
        cap.talk().c(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5_000, acks=False)


def echo(cap, n):
    """Two that speak in turn, one byte each, over a window full of what rules look for."""
    t = cap.talk(dport=9)
    t.c(b"needle " * 8_000)
    for i in range(n * 2_000):
        t.c(b"x").s(b"y")


ECHO_RULES = "\n".join(
    f'alert tcp any any -> any any (msg:"{i}"; content:"needle"; content:"x|{i:02x}|y"; distance:{i}; sid:{i};)\n'
    f'alert tcp any any -> any any (msg:"{i}"; content:"needle"; content:!"zz"; within:{i}; '
    f'content:"needlf"; sid:{i + 100};)' for i in range(2, 40))


# ---- fragments --------------------------------------------------------------------------------------

def fragments4(cap, n):
    """First pieces without an end; many of one packet; and pieces over pieces."""
    for i in range(n * 5_000):
        cap.ip4(0x0A000000 + i, 0xC6336414, 17, b"\0\1\0\2\x80\0\0\0" + b"x" * 56, i, 0x2000, 1)
    for i in range(n * 5_000):
        cap.ip4(0x0A000001, 0xC6336414, 17, b"y" * 8, 7, 0x2000 | (i * 2 & 0x1FFF), 1)
    for i in range(n * 2_000):
        cap.ip4(0x0A000002, 0xC6336414, 17, bytes([i & 255]) * 1400, 8, 0x2000 | (i * 7 % 8000), 1)


def fragments6(cap, n):
    head = 0x20010DB8 << 96

    def one(src, ident, off, more, data):
        cap.ip6(head + src, head + 1, 44, struct.pack("!BBHI", 17, 0, off << 3 | more, ident) + data, 1)
    for i in range(n * 5_000):
        one(i, i, 0, 1, b"\0\1\0\2\x80\0\0\0" + b"x" * 56)
    for i in range(n * 5_000):
        one(1, 7, i * 2 & 0x1FFF, 1, b"y" * 8)
    for i in range(n * 2_000):
        one(2, 8, i * 7 % 8000, 1, bytes([i & 255]) * 1400)


def tunnels(cap, n):
    """IP in IP in IP ... as deep as a frame is long, and extension headers without end."""
    def wrap(k):
        inner = b""
        for _ in range(k):
            inner = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(inner), 1, 0, 64, 4, 0, 1, 2) + inner
        return inner
    deep = wrap(70)
    exts = b"\x3c\0\1\4\0\0\0\0" * 180
    for i in range(n * 4_000):
        cap.ip4(0x0A000000 + i, 1, 4, deep, step_us=1)
        cap.ip6(i, 1, 60, exts, 1)


# ---- HTTP -------------------------------------------------------------------------------------------

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
HTTP_RULES = r"""
alert http any any -> any any (msg:"1"; http.header; content:"nothing"; content:"at all"; distance:0; sid:1;)
alert http any any -> any any (msg:"2"; http.request_header; to_lowercase; content:"nothing"; sid:2;)
alert http any any -> any any (msg:"3"; http.uri; content:"aaaa"; content:"aaaa"; distance:1; content:"b"; within:9; sid:3;)
alert http any any -> any any (msg:"4"; file.data; content:"aaaa"; content:"aaab"; distance:0; sid:4;)
alert http any any -> any any (msg:"5"; file.name; content:"nothing"; sid:5;)
alert http any any -> any any (msg:"6"; http.request_body; pcre:"/(a+)+$/"; sid:6;)
alert http any any -> any any (msg:"7"; http.response_body; content:"|00 00|"; content:"|00 01|"; distance:0; sid:7;)
"""


def headers(cap, n):
    for k in range(n * 4):
        cap.talk().c(GET + b"".join(b"H%d: nothing\r\n" % i for i in range(8_000)))


def header_same(cap, n):
    """Unknown names, then one name a thousand times."""
    names = b"".join(b"N%d: a\r\n" % i for i in range(70))
    for k in range(n * 8):
        cap.talk().c(GET + names + b"Zz: nothing\r\n" * 900 + b"\r\n").s(b"HTTP/1.1 200 OK\r\n\r\n")


def header_bytes(cap, n):
    for k in range(n):
        cap.talk().c(GET + b"A: b\r\n" * 1_000, mss=1)


def long_uri(cap, n):
    for k in range(n * 20):
        cap.talk().c(b"GET /" + b"a" * 17_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        cap.talk().c(b"GET /" + b"a" * 100_000)
        cap.talk().c(b"GET " + b"/a/../%2e/" * 1_700 + b" HTTP/1.1\r\nHost: a\r\n\r\n")


def chunks(cap, n):
    body = b"1\r\na\r\n" * 30_000
    for k in range(n * 2):
        cap.talk().c(GET + b"\r\n").s(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)


def bomb(cap, n, name, blocks):
    for k in range(n):
        t = cap.talk().c(GET + b"\r\n")
        t.s(b"HTTP/1.1 200 OK\r\nContent-Encoding: " + name + b"\r\n\r\n" + blocks)


def gzip_bomb(cap, n):
    """Ten thousand million zeroes from ten million bytes, if anybody went so far."""
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeroes = b"\0" * (1 << 20)
    z.compress(zeroes) + z.flush(zlib.Z_FULL_FLUSH)
    block = z.compress(zeroes) + z.flush(zlib.Z_FULL_FLUSH)
    bomb(cap, n, b"gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\3" + block * (600_000 // len(block)))


def gzip_twice(cap, n):
    z = zlib.compressobj(9, zlib.DEFLATED, 31)
    inner = zlib.compress(b"\0" * (16 << 20), 9)
    bomb(cap, n * 50, b"gzip, deflate", z.compress(inner) + z.flush())


def gzip_members(cap, n):
    bomb(cap, n, b"gzip", (bytes.fromhex("1f8b0800000000000003030000000000000000")) * 30_000)


def brotli_bomb(cap, n):
    """Each of these blocks is 16 MiB of zeroes."""
    block = bytes.fromhex("fcffff074002200e0b40f7fedf00")
    bomb(cap, n * 4, b"br", bytes.fromhex("cfffff7f002400e2b14072efff0d") + block * 2_000)


def pipelined(cap, n):
    """A thousand requests, no answer, and then a long wait in small packets."""
    for k in range(n * 3):
        t = cap.talk().c((GET + b"\r\n") * 1_000)
        t.c(b"GET / HTTP/1.1\r\nX: " + b"y" * 700, mss=1)


def answers_only(cap, n):
    for k in range(n * 3):
        cap.talk().c(GET + b"\r\n").s(b"HTTP/1.1 204 No\r\n\r\n" * 3_000)


def multipart(cap, n):
    part = b"--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f%d\"\r\n\r\naaaa\r\n"
    body = b"".join(part % i for i in range(10_000))
    for k in range(n):
        cap.talk().c(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=B\r\n"
                     b"Content-Length: %d\r\n\r\n" % len(body) + body)


def multipart_lines(cap, n):
    body = b"--B\r\n" + b"a\n" * 200_000
    for k in range(n):
        cap.talk().c(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=B\r\n"
                     b"Content-Length: %d\r\n\r\n" % len(body) + body)


def blank_lines(cap, n):
    for k in range(n):
        t = cap.talk().c(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1x\r\n\r\nz" + b"\n" * 300_000)
        t.s(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nz" + b"\n" * 300_000)


# ---- other protocols --------------------------------------------------------------------------------

PROTO_RULES = r"""
alert dns any any -> any any (msg:"1"; dns.query; content:"nothing"; sid:1;)
alert dns any any -> any any (msg:"2"; dns.response.rrname; to_lowercase; content:"nothing"; sid:2;)
alert smtp any any -> any any (msg:"3"; file.data; content:"nothing"; content:"else"; distance:0; sid:3;)
alert smtp any any -> any any (msg:"4"; email.received; content:"nothing"; sid:4;)
alert ftp any any -> any any (msg:"5"; ftp.command; content:"NOTHING"; sid:5;)
alert smb any any -> any any (msg:"6"; smb.share; content:"nothing"; sid:6;)
alert dcerpc any any -> any any (msg:"7"; dcerpc.stub_data; content:"nothing"; content:"else"; distance:0; sid:7;)
alert sip any any -> any any (msg:"8"; sip.via; content:"nothing"; sid:8;)
alert tls any any -> any any (msg:"9"; tls.sni; content:"nothing"; sid:9;)
alert tls any any -> any any (msg:"10"; tls.certs; content:"nothing"; sid:10;)
alert ssh any any -> any any (msg:"11"; ssh.software; content:"nothing"; sid:11;)
"""


def dns_loops(cap, n):
    """Names that point at each other, in as many records as fit."""
    head = struct.pack("!HHHHHH", 7, 0x8180, 1, 100, 0, 0) + b"\3abc\xc0\x0c\0\1\0\1"
    hops = b"".join(struct.pack("!H", 0xC000 | (12 + 2 * i)) for i in range(1, 250))
    chain = struct.pack("!HHHHHH", 7, 0x8180, 1, 120, 0, 0) + hops
    record = b"\xc1\xf0" + struct.pack("!HHIH", 5, 1, 60, 2) + b"\xc1\xf2"
    for i in range(n * 500):
        cap.udp(head + b"\xc0\x0c" * 600, sport=53, dport=2000 + i % 5000)
        cap.udp(chain + record * 60, sport=53, dport=8000 + i % 5000)


def dns_stream(cap, n):
    query = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"\1a\0\0\1\0\1"
    for k in range(n):
        cap.talk(dport=53).c((struct.pack("!H", len(query)) + query) * 12_000)
        cap.talk(dport=53).c((struct.pack("!H", len(query)) + query) * 200, mss=1)


def smtp(cap, first):
    t = cap.talk(dport=25).s(b"220 a ESMTP\r\n").c(b"EHLO a\r\n").s(b"250 a\r\n")
    return t.c(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n").s(
        b"250 ok\r\n250 ok\r\n354 go on\r\n").c(first)


def smtp_parts(cap, n):
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i)
                      for i in range(5_000))
    files = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"".join(
        b"--b\r\nContent-Disposition: attachment; filename=f%d\r\n\r\nx\r\n" % i for i in range(10_000))
    mails = b"Content-Type: message/rfc822\r\n\r\n" * 10_000
    for k in range(n):
        smtp(cap, nested)
        smtp(cap, files)
        smtp(cap, mails)


def smtp_headers(cap, n):
    for k in range(n):
        smtp(cap, b"".join(b"Received: nothing %d\r\n" % i for i in range(20_000)))
        smtp(cap, b"Subject: a\r\n" + b" folded\r\n" * 50_000)
        smtp(cap, b"Subject: " + b"a" * 300_000)


def smtp_commands(cap, n):
    for k in range(n):
        cap.talk(dport=25).s(b"220 a\r\n").c(b"RSET\r\nMAIL FROM:<a@b>\r\n" * 10_000)
        cap.talk(dport=25).s(b"220 a\r\n").c(b"NOOP\r\n").s(b"250-PIPELINING\r\n" * 20_000)


def ftp_ports(cap, n):
    t = cap.talk(dport=21).s(b"220 a\r\n")
    for i in range(n * 25):
        t.c(b"PORT 10,0,0,1,%d,1\r\nRETR x\r\n" % (i % 250) * 500).s(b"200 ok\r\n150 ok\r\n226 ok\r\n" * 500)


def ftp_silent(cap, n):
    for k in range(n):
        t = cap.talk(dport=21).s(b"220 a\r\n").c(b"PORT 10,0,0,1,4,1\r\n" * 20_000)
        t.c(b"x" * 2_000, mss=1)


def smb_lengths(cap, n):
    for k in range(n * 30):
        cap.talk(dport=445).c(b"\0\xff\xff\xff\xfeSMB" + b"\xff" * 60_000)
        cap.talk(dport=445).c(b"\0\0\0\x40\xfeSMB\x40" + b"\0" * 59 + b"\0\0\0\x40\xfeSMB" + b"\xff" * 60)
        cap.talk(dport=445).c((b"\0\0\0\x40\xfeSMB\x40\0\0\0\0\0\0\0\3\0" + b"\0" * 46) * 200)
        cap.talk(dport=445).c(b"\x85\0\0\0" * 10_000)


def dcerpc_pieces(cap, n):
    bind = bytes.fromhex("05000b03100000004800000001000000b810b810000000000100000000000100") + b"\1" * 40
    call = struct.pack("<BBBBIHHIIHH", 5, 0, 0, 0, 0x10, 25, 0, 2, 1, 0, 0) + b"a"
    for k in range(n):
        cap.talk(dport=135).c(bind + call * 20_000)
        cap.talk(dport=135).c(bind + call * 80, mss=1)
        other = b"".join(struct.pack("<BBBBIHHIIHH", 5, 0, 0, 1, 0x10, 24, 0, i, 1, 0, 0)
                         for i in range(10_000))
        cap.talk(dport=135).c(bind + other)


def sip_flood(cap, n):
    one = b"OPTIONS sip:a@b SIP/2.0\r\nVia: x\r\nCSeq: %d OPTIONS\r\n\r\n"
    for i in range(n * 6_000):
        cap.udp(one % i, sport=5060 + i % 1_000, dport=5060, src=0x0A000000 + i % 3_000)
    many = b"OPTIONS sip:a@b SIP/2.0\r\n" + b"v: x\r\n" * 9_000
    for i in range(n * 20):
        cap.udp(many, sport=5060, dport=5060, src=0x0B000000 + i)


def sip_slow(cap, n):
    """Headers of two bytes each, and then a body that comes byte by byte."""
    head = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 60000\r\n" + b"a\n" * 7_000 + b"\n"
    for k in range(n):
        cap.talk(dport=5060).c(head).c(b"z" * 3_000, mss=1)


def hello(n_ext):
    ext = b"".join(struct.pack("!HH", 0x1000 + i % 0x0A00, 0) for i in range(n_ext))
    body = b"\3\3" + b"R" * 32 + b"\0" + b"\0\4\x13\1\x13\2" + b"\1\0" + struct.pack("!H", len(ext)) + ext
    return b"\1" + struct.pack("!I", len(body))[1:] + body


def tls_bytes(cap, n):
    """A hello in records of one byte; messages of no bytes; a message that never ends."""
    record = b"".join(b"\x16\3\1\0\1" + bytes([c]) for c in hello(4_000))
    empty = b"\x16\3\1\x40\0" + b"\0\0\0\0" * 4096
    endless = b"\x16\3\1\0\4\x0b\1\xff\xff" + b"\x16\3\1\0\1x" * 30_000
    for k in range(n):
        cap.talk(dport=443).c(record)
        cap.talk(dport=443).c(empty * 20)
        cap.talk(dport=443).c(endless)
        cap.talk(dport=443).c(b"\x16\3\1\x40\0\1\0\x3f\0" + b"y" * 3_000, mss=1)


def ssh_lines(cap, n):
    for k in range(n):
        cap.talk(dport=22).s(b"SSH-2.0-x\r\n").c(b"SSH-" + b"y" * 4_000, mss=1)
        cap.talk(dport=22).c(b"SSH-2.0-x\r\n" + b"\0\0\0\x0c\x05\x02" + b"\0" * 10)
        cap.talk(dport=22).c(b"SSH-2.0-x\r\n" + b"\0\0\0\x0c\x05\x02" * 30_000)


def unknown(cap, n):
    """Nothing that any protocol begins with, and what might still become one, in single bytes."""
    for k in range(n):
        cap.talk(dport=8888).c(b"\x85\0\0\xff" * 500, mss=1)
        cap.talk(dport=8888).c(b"\xfe" * 500, mss=1).s(b"\xfe" * 500, mss=1)
        cap.talk(dport=8888).c(b"GET / HTTP/1.1\r\n", acks=False).s(b"\0\0\0" * 300, mss=1)


# ---- rules that try everything ----------------------------------------------------------------------

HARD_RULES = "\n".join((
    'alert udp any any -> any 7 (msg:"1"; ' + 'content:"a"; ' + 'content:"a"; distance:0; ' * 12 + 'content:"b"; distance:0; sid:1;)',
    'alert udp any any -> any 7 (msg:"2"; ' + 'content:"aa"; ' + 'content:"aa"; within:9; ' * 10 + 'content:"b"; within:9; sid:2;)',
    'alert udp any any -> any 7 (msg:"3"; content:"aaaa"; pcre:"/(a+)+$/"; sid:3;)',
    'alert udp any any -> any 7 (msg:"4"; content:"aaaa"; pcre:"/(a|aa)+b/R"; sid:4;)',
    'alert udp any any -> any 7 (msg:"5"; content:"a"; byte_jump:1,0,relative; '
    'content:"a"; distance:-5; content:"b"; distance:0; sid:5;)',
    'alert udp any any -> any 7 (msg:"6"; content:"aaaa"; content:"' + "a" * 100 + "ba" + '"; distance:0; sid:6;)',
    'alert udp any any -> any 7 (msg:"7"; content:"aa"; byte_extract:8,0,v,relative; content:"a"; distance:v; sid:7;)',
    'alert udp any any -> any 7 (msg:"8"; content:"aa"; byte_math:bytes 8,offset 0,oper *,rvalue 9,result w,relative; '
    'content:"a"; offset:w; depth:9; isdataat:w,relative; sid:8;)',
    'alert tcp any any -> any 7 (msg:"9"; ' + 'content:"a"; ' + 'content:"a"; distance:0; ' * 12 + 'content:"b"; distance:0; sid:9;)',
    'alert tcp any any -> any 7 (msg:"10"; content:"aaaa"; pcre:"/(a+)+$/R"; sid:10;)',
    'alert tcp any any -> any 7 (msg:"11"; content:"a"; content:!"b"; within:9; pcre:"/^(a+)+c/"; sid:11;)',
))


def backtrack(cap, n):
    for i in range(n * 250):
        cap.udp(b"a" * 1_400, dport=7)
    for k in range(n):
        t = cap.talk(dport=7).c(b"a" * 100_000)
        t.c(b"b" + b"a" * 100_000)


TABLE_RULES = r"""
alert udp any any -> any any (msg:"1"; content:"0123"; threshold:type limit, track by_src, count 1, seconds 60; sid:1;)
alert udp any any -> any any (msg:"2"; content:"0123"; xbits:set,seen,track ip_src,expire 3600; noalert; sid:2;)
alert udp any any -> any any (msg:"3"; content:"0123"; xbits:isset,other,track ip_dst; sid:3;)
alert udp any any -> any any (msg:"4"; content:"0123"; flowbits:set,a; flowbits:set,b; flowint:c,+,1; noalert; sid:4;)
alert udp any any -> any any (msg:"5"; content:"0123"; detection_filter:track by_dst, count 1000000, seconds 60; sid:5;)
alert udp any any -> any any (msg:"6"; content:"0123"; threshold:type both, track by_both, count 5, seconds 60; sid:6;)
"""


def tables(cap, n):
    for i in range(n * 20_000):
        cap.udp(b"0123", sport=i & 0xFFFF or 1, dport=9, src=0x0A000000 + i, step_us=1)


CASES = (
    # what, generator, rules, further options
    ("a flow for every datagram", udp_flows, None, ()),
    ("half-open connections, inline", syn_flood, None, ("--inline", "--midstream")),
    ("pings from everywhere", icmp_kinds, None, ()),
    ("open and silent", greeted, HTTP_RULES, ()),
    ("the same ports anew", reopened, None, ()),
    ("every second byte", holes, ECHO_RULES, ()),
    ("last segment first", backwards, ECHO_RULES, ()),
    ("segments over segments", overlaps, ECHO_RULES, ()),
    ("one byte a segment", one_byte_each, HTTP_RULES, ()),
    ("never acknowledged", unacknowledged, HTTP_RULES, ()),
    ("speaking in turn", echo, ECHO_RULES, ()),
    ("fragments, IPv4", fragments4, None, ()),
    ("fragments, IPv6", fragments6, None, ("--anomalies",)),
    ("packets in packets", tunnels, None, ()),
    ("HTTP: headers", headers, HTTP_RULES, ()),
    ("HTTP: one header a thousand times", header_same, HTTP_RULES, ()),
    ("HTTP: headers byte by byte", header_bytes, HTTP_RULES, ()),
    ("HTTP: long URIs", long_uri, HTTP_RULES, ()),
    ("HTTP: chunks of one byte", chunks, HTTP_RULES, ()),
    ("HTTP: a gzip bomb", gzip_bomb, HTTP_RULES, ()),
    ("HTTP: a gzip bomb, hashed", gzip_bomb, None, ("--hashes",)),
    ("HTTP: a bomb in a bomb", gzip_twice, HTTP_RULES, ()),
    ("HTTP: empty gzip members", gzip_members, HTTP_RULES, ()),
    ("HTTP: a brotli bomb", brotli_bomb, HTTP_RULES, ()),
    ("HTTP: no answers", pipelined, HTTP_RULES, ()),
    ("HTTP: answers only", answers_only, HTTP_RULES, ()),
    ("HTTP: 10,000 parts", multipart, HTTP_RULES, ()),
    ("HTTP: a part of short lines", multipart_lines, HTTP_RULES, ()),
    ("HTTP: blank lines behind a message", blank_lines, HTTP_RULES, ()),
    ("DNS: names that go round", dns_loops, PROTO_RULES, ()),
    ("DNS: small messages over TCP", dns_stream, PROTO_RULES, ()),
    ("SMTP: parts in parts, parts after parts", smtp_parts, PROTO_RULES, ()),
    ("SMTP: headers", smtp_headers, PROTO_RULES, ()),
    ("SMTP: commands", smtp_commands, PROTO_RULES, ()),
    ("FTP: ports", ftp_ports, PROTO_RULES, ()),
    ("FTP: ports, no answer", ftp_silent, PROTO_RULES, ()),
    ("SMB: lengths", smb_lengths, PROTO_RULES, ()),
    ("DCE/RPC: pieces", dcerpc_pieces, PROTO_RULES, ()),
    ("SIP: many", sip_flood, PROTO_RULES, ()),
    ("SIP: slow", sip_slow, PROTO_RULES, ()),
    ("TLS: records of one byte", tls_bytes, PROTO_RULES, ()),
    ("SSH: lines", ssh_lines, PROTO_RULES, ()),
    ("no protocol", unknown, PROTO_RULES, ()),
    ("rules that try everything", backtrack, HARD_RULES, ()),
    ("rules that count", tables, TABLE_RULES, ("--alerts-only",)),
)


class Bench:
    def __init__(self, folder):
        self.folder, self.bases = folder, {}
        self.nothing = self.write("nothing.pcap", Capture().out)

    def base(self, rules, options):
        """CPU seconds for no packets at all."""
        key = (rules, options)
        if key not in self.bases:
            self.bases[key] = self.inspect(self.nothing, rules, options)[2]
        return self.bases[key]

    def write(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as h:
            h.write(data)
        return path

    def inspect(self, capture, rules, options):
        """(exit code, stderr, CPU seconds, peak MiB)"""
        args = [SKEP, "inspect", "-r", capture, "-o", self.folder, "--memory", str(MEMORY), *options]
        if rules is not None:
            args += ["-S", rules]
        with open(f"{self.folder}/errors", "w+b") as err:
            p = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=err,
                                 env=dict(os.environ, XDG_CACHE_HOME=self.folder))
            _, status, used = os.wait4(p.pid, 0)
            p.returncode = os.waitstatus_to_exitcode(status)
            err.seek(0)
            return p.returncode, err.read(), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def one(t, b, what, make, rules, options):
    path = None if rules is None else b.write(f"{zlib.crc32(rules.encode())}.rules", rules.encode())
    seconds, packets = [], []
    for size in (1,) if SANITIZED else (1, GROWTH):
        cap = Capture()
        make(cap, size)
        code, err, cpu, mib = b.inspect(b.write("x.pcap", cap.out), path, options)
        if code != 0 or err:
            t.check(False, f"{what}: is read to the end", (code, err.decode(errors="replace")[-3000:]))
            return
        seconds.append(cpu)
        packets.append(cap.packets)
        if not SANITIZED and mib > MEMORY / (1 << 20) + OTHER_MIB:
            t.check(False, f"{what}: {mib:.0f} MiB")
            return
    if SANITIZED:
        t.check(True, what)
        return
    base = b.base(path, options)
    small, large = (max(s - base, 0) for s in seconds)
    told = f"{packets[1]} packets, {seconds[0]:.2f} s and {seconds[1]:.2f} s, {mib:.0f} MiB"
    t.check(large <= RATIO * small + SLACK_S, f"{what}: {told}", f"{base:.2f} s without packets")


# ---- sharp edges --------------------------------------------------------------------------------------

EDGE_RULES = r"""
alert udp any any -> any 7 (msg:"1"; content:"aa"; byte_extract:8,0,v,relative; content:"a"; distance:v; sid:1;)
alert udp any any -> any 7 (msg:"2"; content:"aa"; byte_extract:8,0,v,relative; content:"a"; distance:v; within:v; sid:2;)
alert udp any any -> any 7 (msg:"3"; content:"aa"; byte_extract:8,0,v,relative; content:"a"; offset:v; depth:v; sid:3;)
alert udp any any -> any 7 (msg:"4"; content:"aa"; byte_extract:8,0,v,relative,multiplier 3,align 4; isdataat:v,relative; sid:4;)
alert udp any any -> any 7 (msg:"5"; content:"aa"; byte_math:bytes 8,offset 0,oper *,rvalue 9,result v,relative; byte_jump:1,v; isdataat:!v; sid:5;)
alert http any any -> any any (msg:"6"; http.request_header; to_uppercase; content:"X-B: EVIL"; sid:6;)
alert udp any any -> any any (msg:"7"; dsize:>0; threshold:type limit, track by_src, count 1, seconds 4294967; sid:7;)
alert udp any any -> any any (msg:"8"; dsize:>0; xbits:set,seen,track ip_src,expire 4294967; sid:8;)
alert tcp any any -> any 9 (msg:"9"; content:"one"; content:"two"; distance:0; content:"three"; distance:-20; sid:9;)
alert http any any -> any any (msg:"10"; http.response_header; to_uppercase; content:"X-B: EVIL"; sid:10;)
"""


def edge_capture():
    cap = Capture()
    for v in (b"\x7f" + b"\xff" * 7, b"\x80" + b"\0" * 7, b"\xff" * 8, b"\0" * 8):
        cap.udp(b"baa" + v + b"aaaa", dport=7)
    cap.talk().c(GET + b"X-A: good\r\nX-B: evil\r\n\r\n").s(
        b"HTTP/1.1 200 OK\r\nX-A: good\r\nX-B: evil\r\nContent-Length: 0\r\n\r\n")
    cap.talk(dport=9).c(b"three one three one two two")
    t = smtp(cap, b"Subject: a")
    t.c(b"\r\n.")
    t.put("c", FIN | ACK)
    t.put("s", FIN | ACK)
    return cap


def at_the_end_of_time(packets):
    """pcapng whose clock counts whole seconds, all bits set."""
    def block(kind, body):
        body += b"\0" * (-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    out += block(1, struct.pack("<HHI", 1, 0, 0) + struct.pack("<HHB3x", 9, 1, 0))
    at, k = 24, 0
    while at < len(packets):
        n = struct.unpack_from("<I", packets, at + 8)[0]
        when = (0, 0xFFFFFFFF, 0x7FFFFFFF)[k % 3]
        out += block(6, struct.pack("<IIIII", 0, when, 0xFFFFFFFF, n, n) + packets[at + 16:at + 16 + n])
        at, k = at + 16 + n, k + 1
    return out


def edges(t, b):
    rules = b.write("edge.rules", EDGE_RULES.encode())
    cap = edge_capture()
    for options in ((), ("--inline",), ("--memory", "8M", "--midstream", "--anomalies", "--payload")):
        code, err, _, _ = b.inspect(b.write("x.pcap", cap.out), rules, options)
        t.equal((code, err), (0, b""), f"numbers at their limits: {' '.join(options)}")
        with open(f"{b.folder}/eve.json", "rb") as h:
            got = {e["alert"]["signature_id"] for e in map(json.loads, h) if e["event_type"] == "alert"}
        t.check({6, 10} <= got, "headers of the same length are told apart", got)
        t.check(9 in got, "a content that is missing behind one place may stand before it", got)
    ftp = Capture()
    ftp_ports(ftp, 1)
    for what, packets in (("numbers", cap.out), ("FTP", ftp.out)):
        code, err, _, _ = b.inspect(b.write("x.pcapng", at_the_end_of_time(packets)), rules, ())
        t.equal((code, err), (0, b""), f"the end of time: {what}")


HIDE_RULES = r"""
alert ftp any any -> any any (msg:"noise"; ftp.command; content:"USER"; sid:10;)
alert ftp any any -> any any (msg:"1"; ftp.command; content:"EVIL"; sid:1;)
alert dns any any -> any any (msg:"2"; dns.query; content:"evil"; sid:2;)
alert sip any any -> any any (msg:"3"; sip.method; content:"EVIL"; sid:3;)
alert http any any -> any any (msg:"4"; http.uri; content:"evil"; sid:4;)
alert smtp any any -> any any (msg:"5"; smtp.mail_from; content:"evil"; sid:5;)
alert smb any any -> any any (msg:"6"; smb.share; content:"evil"; sid:6;)
"""


def hide(t, b):
    """One evil word behind thousands of idle ones, all acknowledged at once."""
    def query(name):
        return struct.pack("!HHHHHHH", 18 + len(name), 7, 0x0100, 1, 0, 0, 0) + bytes(
            [len(name)]) + name + b"\0\0\1\0\1"

    def connect(name):
        name = name.encode("utf-16-le")
        body = b"\xfeSMB\x40\0\0\0\0\0\0\0\3\0" + b"\0" * 50 + struct.pack("<HHHH", 9, 0, 72, len(name)) + name
        return struct.pack("!I", len(body)) + body
    cap = Capture()
    for port, hello, idle, evil in (
            (21, b"220 a\r\n", b"USER a\r\n", b"EVIL x\r\n"), (53, b"", query(b"good"), query(b"evil")),
            (5060, b"", b"INVITE sip:a SIP/2.0\r\n\r\n", b"EVIL sip:a SIP/2.0\r\n\r\n"),
            (80, b"", GET + b"\r\n", b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"),
            (25, b"220 a\r\n", b"MAIL FROM:<a>\r\nRSET\r\n", b"MAIL FROM:<evil>\r\n"),
            (445, b"", connect("good"), connect("evil"))):
        talk = cap.talk(dport=port).s(hello)
        talk.c(idle * (60_000 // len(idle)) + evil, acks=False).put("s", ACK)
    for options in ((), ("--inline",)):
        code, err, _, _ = b.inspect(b.write("x.pcap", cap.out), b.write("x.rules", HIDE_RULES.encode()), options)
        with open(f"{b.folder}/eve.json", "rb") as h:
            got = {e["alert"]["signature_id"] for e in map(json.loads, h) if e["event_type"] == "alert"}
        t.equal((code, err, got), (0, b"", {1, 2, 3, 4, 5, 6, 10}), f"nothing hides in a crowd {' '.join(options)}")


def no_memory(t, b):
    """With the least memory there may be, conversations are lost, and nothing else."""
    for make in (greeted, holes, unacknowledged, pipelined, multipart, smtp_parts, ftp_silent, smb_lengths,
                 tls_bytes, gzip_twice, backtrack):
        cap = Capture()
        make(cap, 1)
        path = b.write("x.rules", (HTTP_RULES + PROTO_RULES.replace("sid:", "sid:2")).encode())
        code, err, _, _ = b.inspect(b.write("x.pcap", cap.out), path, ("--memory", "8M"))
        t.equal((code, err), (0, b""), f"8 MiB: {make.__name__}")


def main(t):
    want = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="skt-h-") as folder:
        b = Bench(folder)
        for what, *rest in CASES:
            if not want or any(w in what for w in want):
                one(t, b, what, *rest)
        if not want:
            edges(t, b)
            hide(t, b)
            no_memory(t, b)


tap = Tap()
main(tap)
sys.exit(tap.done())
