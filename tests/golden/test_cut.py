#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: asan
"""What `skep inspect` finds does not depend on how TCP data are cut into segments, on the order in which
they come, or on duplicates: the same conversations, cut in many seeded ways, give the same alerts and
the same transactions."""
import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
from tap import Tap  # noqa
from talk import Talk  # noqa

SKEP = os.environ.get("SKEP", os.path.join(ROOT, "build/src/cmd/skep"))
SEEDS = 24


def chunked(data, n):
    out = b""
    for i in range(0, len(data), n):
        out += b"%x\r\n%s\r\n" % (len(data[i:i + n]), data[i:i + n])
    return out + b"0\r\n\r\n"


PAGE = b"<html><body>" + b"padding " * 300 + b"needle-in-the-body" + b" tail" * 100 + b"</body></html>"
ZIPPED = gzip.compress(PAGE, mtime=0)
HTTP = [
    ("c", b"GET /a/../index.html?q=%41%42 HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: probe/1.0\r\n"
          b"Cookie: k=v\r\n\r\n"),
    ("s", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: "
          b"%d\r\n\r\n%s" % (len(ZIPPED), ZIPPED)),
    ("c", b"POST /login HTTP/1.1\r\nHost: www.example.org\r\nContent-Length: 31\r\n\r\n"
          b"user=admin&password=opensesame1"),
    ("s", b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\nServer: ancient/0.1\r\n\r\n"
          + chunked(PAGE, 97)),
]
RAW = [
    ("c", b"HELLO first-marker " + b"x" * 3000 + b" second-marker end\n"),
    ("s", b"\x01\x02\x03\x04" + b"y" * 700 + b"\xde\xad\xbe\xef\x00\x10" + b"z" * 16 + b"after-jump"),
    ("c", b"bye third-marker\n"),
]
MAIL = [
    ("s", b"220 mail.example.org ESMTP\r\n"), ("c", b"EHLO me.example.org\r\n"),
    ("s", b"250 mail.example.org\r\n"), ("c", b"MAIL FROM:<a@example.org>\r\n"), ("s", b"250 ok\r\n"),
    ("c", b"RCPT TO:<b@example.org>\r\n"), ("s", b"250 ok\r\n"), ("c", b"DATA\r\n"),
    ("s", b"354 go on\r\n"),
    ("c", b"From: a@example.org\r\nTo: b@example.org\r\nSubject: offer\r\n\r\nbuy our pills\r\n.\r\n"),
    ("s", b"250 queued\r\n"), ("c", b"QUIT\r\n"), ("s", b"221 bye\r\n"),
]
FTP = [
    ("s", b"220 ready\r\n"), ("c", b"USER anonymous\r\n"), ("s", b"331 name ok\r\n"),
    ("c", b"PASS me@example.org\r\n"), ("s", b"230 in\r\n"), ("c", b"CWD /pub/secret\r\n"),
    ("s", b"250 done\r\n"), ("c", b"QUIT\r\n"), ("s", b"221 bye\r\n"),
]
SSH = [("s", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), ("c", b"SSH-2.0-libssh_0.9.6\r\n")]

RULES = r"""
alert http any any -> any any (msg:"uri"; http.uri; content:"/index.html"; startswith; sid:1;)
alert http any any -> any any (msg:"raw uri"; http.uri.raw; content:"/a/../"; sid:2;)
alert http any any -> any any (msg:"body"; file.data; content:"needle-in-the-body"; sid:3;)
alert http any any -> any any (msg:"agent"; http.user_agent; content:"probe/1.0"; bsize:9; sid:4;)
alert http any any -> any any (msg:"post"; http.method; content:"POST"; http.request_body; content:"password="; pcre:"/^opensesame\d$/R"; sid:5;)
alert http any any -> any any (msg:"status"; http.stat_code; content:"404"; http.server; content:"ancient"; sid:6;)
alert http any any -> any any (msg:"two buffers"; http.host; content:"www.example.org"; http.cookie; content:"k=v"; sid:7;)
alert tcp any any -> any 7000 (msg:"spans"; flow:to_server; content:"first-marker"; content:"second-marker"; distance:3000; sid:8;)
alert tcp any 7000 -> any any (msg:"jump"; flow:to_client; content:"|de ad be ef|"; byte_jump:2,0,relative; content:"after-jump"; distance:0; within:10; sid:9;)
alert tcp any any -> any 7000 (msg:"later"; flow:to_server,established; content:"third-marker"; sid:10;)
alert tcp any any -> any 7000 (msg:"never"; flow:to_server; content:"first-marker"; content:"second-marker"; within:100; sid:11;)
alert tcp any any -> any 7000 (msg:"in turn"; content:"first-marker"; flowbits:set,seen; noalert; sid:12;)
alert tcp any any -> any 7000 (msg:"after"; content:"third-marker"; flowbits:isset,seen; sid:13;)
alert smtp any any -> any any (msg:"mail"; content:"buy our pills"; sid:14;)
alert smtp any any -> any any (msg:"rcpt"; smtp.rcpt_to; content:"b@example.org"; sid:15;)
alert ftp any any -> any any (msg:"cwd"; ftp.command; content:"CWD"; ftp.command_data; content:"/pub/secret"; sid:16;)
alert ssh any any -> any any (msg:"ssh"; ssh.software; content:"libssh"; sid:17;)
alert http any any -> any any (msg:"no match"; http.uri; content:"/absent"; sid:18;)
"""
WANT = {1: 1, 2: 1, 3: 2, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1, 9: 1, 10: 1, 13: 1, 14: 1, 15: 1, 16: 1, 17: 1}


def conversations(talk, **how):
    for turns, port in ((HTTP, 80), (RAW, 7000), (MAIL, 25), (FTP, 21), (SSH, 22), (HTTP, 8888)):
        talk.tcp(turns, dport=port, **how)


def inspect(folder, talk, *options):
    talk.write(f"{folder}/in.pcap")
    p = subprocess.run([SKEP, "inspect", "-r", f"{folder}/in.pcap", "-S", f"{folder}/x.rules", "-o",
                        folder, *options], capture_output=True, text=True, timeout=120)
    alerts, kinds = Counter(), Counter()
    with open(f"{folder}/eve.json", encoding="utf-8") as h:
        for line in h:
            e = json.loads(line)
            kinds[e["event_type"]] += 1
            if e["event_type"] == "alert":
                alerts[e["alert"]["signature_id"]] += 1
    kinds = {k: v for k, v in kinds.items() if k in ("http", "smtp", "ftp", "ssh", "fileinfo")}
    return p, dict(alerts), kinds


def main(t):
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/x.rules", "w", encoding="utf-8") as h:
            h.write(RULES)
        for options in ([], ["--inline"]):
            name = " ".join(options) or "ids"
            talk = Talk()
            conversations(talk)
            p, first, kinds = inspect(folder, talk, *options)
            t.equal(p.returncode, 0, f"{name}: whole segments: exit code 0")
            want = {k: v * (2 if k <= 7 else 1) for k, v in WANT.items()}
            t.equal(first, want, f"{name}: whole segments: alerts")
            odd = []
            for seed in range(SEEDS):
                talk = Talk()
                conversations(talk, cut=(1, 2, 3, 7, 40, 700)[seed % 6], seed=seed,
                              shuffle=seed % 4 * 5, repeat=0.15 * (seed % 3))
                _, got, got_kinds = inspect(folder, talk, *options)
                if got != first or got_kinds != kinds:
                    odd.append((seed, {k: (first.get(k), got.get(k)) for k in set(first) | set(got)
                                       if first.get(k) != got.get(k)}, got_kinds))
            t.equal(odd, [], f"{name}: {SEEDS} ways to cut, shuffle and repeat: the same alerts and "
                    f"transactions {kinds}")


tap = Tap()
main(tap)
sys.exit(tap.done())
