#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Others judge our forms: Python's mail parser, JSON Schemas of the services, tshark.

Usage: test_forms.py SAMPLES-PROGRAM SOURCE-ROOT. Exit code 0, 1, or 77 where a judge is missing.
"""
import email
import email.policy
import glob
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    print("python3-jsonschema is missing")
    sys.exit(77)

PROGRAM, ROOT = sys.argv[1:3]
bad = []
# What no form may hold of an outsider's: a link that a program knows, somebody's name to call, markup as such.
LIVE = re.compile(r"https?://(?!adaptivecards\.io/schemas/)|ftp://|www\.[a-z]|\bmailto:|javascript:|@everyone|@here|"
                  r"<!channel>|<@|evil\.example|victim@", re.I)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
ASCII = re.compile(r"^[ -~\n]*$")


def must(fact, what):
    if not fact:
        bad.append(what)


def harmless(name, text):
    """Text as a person sees it."""
    text = text.replace("\r\n", "\n")
    found = LIVE.search(text)
    must(not found, f"{name}: alive: {text[max(0, found.start() - 30):found.end() + 30]!r}" if found else "")
    found = CONTROL.search(text)
    must(not found, f"{name}: unseen {found[0]!r}" if found else "")
    # The one thing with other letters is the operator's own comment.
    must(ASCII.match(text.replace("Prüfer, bis März", "")), f"{name}: foreign letters: {text!r}")


def mail(name, data, newline, short):
    must(data.endswith(newline), f"{name}: no line end at its end")
    lines = data.split(newline)
    must(not any(b"\r" in x or b"\n" in x for x in lines), f"{name}: mixed line ends")
    must(max(map(len, lines)) <= 998 and not any(x == b"." or x.startswith(b"From ") for x in lines),
         f"{name}: a line that mail must not have")
    m = email.message_from_bytes(data, policy=email.policy.default)
    # A link's "://" may stand in no header either, nor one more header than ours.
    known = {"From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted", "List-Id",
             "Importance", "X-Priority", "X-Skep-Class", "X-Skep-Kind", "X-Skep-Sensor", "X-Skep-Guest",
             "X-Skep-Incident", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"}
    must(set(m.keys()) <= known and len(m.keys()) == len(set(m.keys())), f"{name}: headers {m.keys()}")
    must(not m.defects, f"{name}: {m.defects}")
    must([a.addr_spec for a in m["To"].addresses] == ["ops@example.org", "night@example.org"], f"{name}: {m['To']}")
    must(str(m["From"].addresses[0]) == "skep hive <skep@sensor.example>", f"{name}: {m['From']}")
    must(m["Auto-Submitted"] == "auto-generated", f"{name}: Auto-Submitted")
    if None in (m["Date"], m["Subject"], m["Message-ID"]):
        must(False, f"{name}: a header is missing: {m.keys()}")
        return
    must(m["Date"].datetime.utcoffset().seconds == 3600, f"{name}: {m['Date']}")
    must(re.fullmatch(r"<\d+\.skep@sensor\.example>", m["Message-ID"]), f"{name}: {m['Message-ID']}")
    harmless(f"{name} subject", m["Subject"])
    if "In-Reply-To" in m:
        must(m["In-Reply-To"] == m["References"] == "<3.skep@sensor.example>", f"{name}: thread")
    if short:
        must(m.get_content_type() == "text/plain" and len(m["Subject"]) <= 160, f"{name}: not short")
        must(m.get_content().strip() == m["Subject"], f"{name}: subject and body differ")
        return
    must(m.get_content_type() == "multipart/alternative", f"{name}: {m.get_content_type()}")
    parts = list(m.iter_parts())
    must([p.get_content_type() for p in parts] == ["text/plain", "text/html"], f"{name}: parts")
    plain, html = (p.get_content() for p in parts)
    must(max(map(len, plain.splitlines())) <= 78, f"{name}: lines of over 78 columns")
    harmless(name, plain)
    harmless(name + " html", html)
    must(not re.search(r"<(a|img|script|link|iframe|object|form|base|input|svg|style)\b", html, re.I),
         f"{name}: an element that has no place there")
    contrast(name, html)
    must("\nSubject" not in plain and plain.count("To look further") <= 1, f"{name}: forged parts")


def contrast(name, html):
    """Mail programs turn a page dark by themselves: colours must be read on white as on black."""
    def linear(c):
        return c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
    for c in set(re.findall(r"color:#([0-9a-f]{6})", html)):
        r, g, b = (linear(int(c[i:i + 2], 16) / 255) for i in (0, 2, 4))
        light = 0.2126 * r + 0.7152 * g + 0.0722 * b
        must(1.05 / (light + 0.05) >= 4.5 and (light + 0.05) / 0.05 >= 4.5, f"{name}: #{c} is hard to read")
    must("color:#" in html, f"{name}: no colour at all")


def strings(o):
    if isinstance(o, dict):
        for v in o.values():
            yield from strings(v)
    elif isinstance(o, list):
        for v in o:
            yield from strings(v)
    elif isinstance(o, str):
        yield o


def services(folder):
    with open(os.path.join(ROOT, "src/notify/test/chats.schema.json"), encoding="utf-8") as f:
        chats = json.load(f)
    with open(os.path.join(ROOT, "docs/alert-schema.json"), encoding="utf-8") as f:
        ours = json.load(f)
    jsonschema.Draft202012Validator.check_schema(ours)
    for kind in ("slack", "discord", "teams", "ntfy", "webhook", "template"):
        schema = ours if kind == "webhook" else dict(chats, **{"$ref": f"#/$defs/{kind}"})
        judge = jsonschema.Draft202012Validator({} if kind == "template" else schema)
        paths = glob.glob(f"{folder}/*.{kind}") + glob.glob(f"{folder}/*.short-{kind}")
        must(len(paths) > 30, f"{kind}: few samples")
        for path in paths:
            name = os.path.basename(path)
            with open(path, encoding="utf-8") as f:
                text = f.read()
            o = json.loads(text)
            for e in list(judge.iter_errors(o))[:3]:
                bad.append(f"{name}: {e.message[:200]}")
            for s in strings(o):
                # Discord's backslashes are not seen.
                harmless(name, re.sub(r"\\([^\w\s])", r"\1", s) if kind == "discord" else s)
            if kind == "teams":
                must(len(text.encode()) < 28 << 10, f"{name}: {len(text)} bytes")
            if kind == "discord":
                must(sum(map(len, strings(o.get("embeds", [])))) <= 6000, f"{name}: over 6000 characters")
                must(not re.search(r"(?<!\\)(\\\\)*[*_~`|\[<]", "".join(strings(o))), f"{name}: markup")
            if kind == "slack":
                must(not re.search(r"[<>]|&(?!amp;|lt;|gt;)", "".join(strings(o))), f"{name}: markup")


def syslog(folder):
    tshark = shutil.which("tshark")
    paths = sorted(glob.glob(f"{folder}/*.syslog") + glob.glob(f"{folder}/*.short-syslog"))
    frames = []
    for path in paths:
        with open(path, "rb") as f:
            data = f.read()
        harmless(os.path.basename(path), data.decode("ascii"))
        must(b"\n" not in data and len(data) <= 2048, f"{path}: {len(data)} bytes")
        udp = struct.pack("!HHHH", 514, 514, 8 + len(data), 0) + data
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
        frame = b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + ip + udp
        frames.append(struct.pack("<IIII", 1, 0, len(frame), len(frame)) + frame)
    if tshark is None:
        print("tshark is missing: the lines of syslog were not judged")
        return
    pcap = os.path.join(folder, "syslog.pcap")
    with open(pcap, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1) + b"".join(frames))
    fields = ["facility", "version", "hostname", "appname", "procid", "msgid", "timestamp", "msg"]
    argv = [tshark, "-r", pcap, "-T", "fields", "-E", "separator=/t"]
    for f in fields:
        argv += ["-e", f"syslog.{f}"]
    out = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True).stdout.splitlines()
    must(len(out) == len(paths), f"tshark saw {len(out)} of {len(paths)}")
    for path, line in zip(paths, out):
        got = dict(zip(fields, line.split("\t")))
        must(got.get("facility") == "16" and got.get("version") == "1" and got.get("hostname") == "hive" and
             got.get("appname") == "skep" and re.match("[a-z-]+ \\[skep@32473 ", got.get("msgid", "")) and got.get("timestamp"),
             f"{os.path.basename(path)}: tshark sees {got}")
    # The structured data by the grammar of RFC 5424, since tshark leaves them in the text.
    grammar = re.compile(r'^<\d+>1 \S+ hive skep - \S+ '
                         r'(\[[!-<>-Z^-~]+( [!-<>-Z^-~]+="(?:[^"\\\]]|\\["\\\]])*")*\])+ [ -~]+$')
    for path in paths:
        with open(path, encoding="ascii") as f:
            must(grammar.match(f.read()), f"{os.path.basename(path)}: structured data")


def main():
    with tempfile.TemporaryDirectory() as folder:
        p = subprocess.run([PROGRAM, folder], capture_output=True, text=True, timeout=120)
        must(p.returncode == 0, p.stderr)
        for kind, newline in (("smtp", b"\r\n"), ("sendmail", b"\n")):
            for short in (False, True):
                paths = glob.glob(f"{folder}/*.{'short-' if short else ''}{kind}")
                must(len(paths) > 30, f"{kind}: few samples")
                for path in paths:
                    with open(path, "rb") as f:
                        mail(os.path.basename(path), f.read(), newline, short)
        for kind in ("keep", "command"):
            for path in glob.glob(f"{folder}/*.{kind}") + glob.glob(f"{folder}/*.short-{kind}"):
                with open(path, encoding="utf-8") as f:
                    text = f.read()
                harmless(os.path.basename(path), text)
                must(".short-" not in path or len(text) <= 161 and text.count("\n") == 1, f"{path}: not short")
        services(folder)
        syslog(folder)
    for line in bad[:60]:
        print(line)
    print(f"{len(bad)} problems")
    return 1 if bad else 0


sys.exit(main())
