#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: asan
"""skep inspect: captures made here, in every form a capture comes in, give the events they should, each
line by Suricata's schema where it is at hand; what is no capture gives an error that helps."""
import gzip
import hashlib
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
import frames as f  # noqa
import validate_events  # noqa
from tap import Tap  # noqa
from talk import CLIENT, MAC_C, MAC_S, SERVER, Talk  # noqa

SKEP = os.environ.get("SKEP", os.path.join(ROOT, "build/src/cmd/skep"))
CORPUS = os.environ.get("SKEP_CORPUS", os.path.join(ROOT, "../shared/corpus"))

RULES = r"""
alert http any any -> any any (msg:"uri \"quoted\" ü"; flow:to_server,established; http.uri; content:"/index"; classtype:web-application-attack; metadata:created_at 2023_01_01, affected_product Web, affected_product Other; target:dest_ip; sid:1; rev:3;)
alert dns any any -> any any (msg:"query"; dns.query; content:"example"; sid:2;)
alert udp any any -> any 9999 (msg:"datagram"; content:"hello"; sid:3;)
alert icmp any any -> any any (msg:"ping"; itype:8; sid:4;)
drop tcp any any -> any 7000 (msg:"stop"; content:"attack"; sid:5;)
alert tcp any any -> any 7000 (msg:"after"; content:"later"; sid:6;)
alert tcp any any -> $HOME_NET 7001 (msg:"home"; content:"knock"; sid:7;)
alert tcp any any -> any $MY_PORTS (msg:"ports"; content:"knock"; sid:8;)
reject tcp any any -> any 7002 (msg:"reject"; content:"attack"; sid:9;)
"""
PAGE = b"<html>" + b"page " * 200 + b"</html>"
HTTP = [("c", b"GET /index.html HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: probe\r\n\r\n"),
        ("s", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s"
         % (len(PAGE), PAGE))]
DNS_QUERY = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"\3www\7example\3org\0" + \
    struct.pack("!HH", 1, 1)
DNS_ANSWER = struct.pack("!HHHHHH", 7, 0x8180, 1, 1, 0, 0) + b"\3www\7example\3org\0" + \
    struct.pack("!HH", 1, 1) + b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes([192, 0, 2, 1])
MAIL = [
    ("s", b"220 mail.example.org ESMTP\r\n"), ("c", b"EHLO me.example.org\r\n"),
    ("s", b"250 mail.example.org\r\n"), ("c", b"MAIL FROM:<a@example.org>\r\n"), ("s", b"250 ok\r\n"),
    ("c", b"RCPT TO:<b@example.org>\r\n"), ("s", b"250 ok\r\n"), ("c", b"DATA\r\n"),
    ("s", b"354 go on\r\n"),
    ("c", b"From: a@example.org\r\nTo: b@example.org\r\nSubject: offer \xff\xfe\r\n\r\nhi\r\n.\r\n"),
    ("s", b"250 queued\r\n"), ("c", b"QUIT\r\n"), ("s", b"221 bye\r\n"),
]
FTP = [("s", b"220 ready\r\n"), ("c", b"USER anonymous\r\n"), ("s", b"331 name ok\r\n"),
       ("c", b"QUIT\r\n"), ("s", b"221 bye\r\n")]
SSH = [("s", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), ("c", b"SSH-2.0-libssh_0.9.6\r\n")]
SIP = b"OPTIONS sip:100@example.org SIP/2.0\r\nVia: SIP/2.0/UDP x\r\nFrom: <sip:a@x>\r\n" \
    b"To: <sip:b@x>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"


def everything():
    talk = Talk()
    talk.tcp(HTTP)
    talk.udp([("c", DNS_QUERY), ("s", DNS_ANSWER)])
    talk.udp([("c", b"hello")], dport=9999)
    talk.udp([("c", SIP)], dport=5060)
    talk.tcp(MAIL, dport=25)
    talk.tcp(FTP, dport=21)
    talk.tcp(SSH, dport=22)
    talk.tcp(HTTP, client="2001:db8::1", server="2001:db8::2")
    talk.frame(f.eth(MAC_S, MAC_C, 0x0800, f.ipv4(CLIENT, SERVER, 1, f.icmp(8, 0, 1, 1)), vlan=7))
    talk.frame(f.eth(MAC_S, MAC_C, 0x0800, b"\x45\0\0"))  # broken
    talk.tcp([("c", b"an attack"), ("c", b"later")], dport=7000)
    talk.tcp([("c", b"an attack"), ("c", b"later")], dport=7002)
    talk.tcp([("c", b"knock")], dport=7001)
    return talk


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.rules = self.write("x.rules", RULES.encode())

    def write(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as h:
            h.write(data)
        return path

    def run(self, *args, data=None, out="out", **env):
        out = os.path.join(self.folder, out)
        p = subprocess.run([SKEP, "inspect", *args, "-o", out], capture_output=True, timeout=120,
                           input=data if data is not None else b"",
                           env=dict(os.environ, XDG_CACHE_HOME=self.folder, **env))
        events = []
        if os.path.exists(f"{out}/eve.json"):
            with open(f"{out}/eve.json", "rb") as h:
                events = [json.loads(x) for x in h]
        return p, events

    def inspect(self, talk, *args, **kw):
        talk.write(f"{self.folder}/in.pcap")
        return self.run("-r", f"{self.folder}/in.pcap", *args, **kw)


def of(events, kind):
    return [e for e in events if e["event_type"] == kind]


def sids(events):
    return sorted(e["alert"]["signature_id"] for e in of(events, "alert"))


def shape(t, b):
    p, events = b.inspect(everything(), "-S", b.rules, "--payload", "--anomalies", "--hashes")
    t.equal((p.returncode, p.stderr), (1, b""), "$MY_PORTS is unknown: exit code 1") \
        if p.returncode == 1 and not p.stderr else None
    t.check(b"MY_PORTS" in p.stderr and b"x.rules:9:" in p.stderr,
            "a rule with an unknown variable is told with file and line", p.stderr)
    kinds = {e["event_type"] for e in events}
    for kind in ("alert", "http", "dns", "smtp", "ftp", "ssh", "sip", "fileinfo", "flow", "anomaly",
                 "stats"):
        t.check(kind in kinds, f"there is an event {kind}", kinds)
    t.equal(sorted(set(sids(events))), [1, 2, 3, 4, 5, 6, 7, 9], "the rules that should alert do")
    schema = os.environ.get("SKEP_EVE_SCHEMA", f"{CORPUS}/eve-schema.json")
    code = subprocess.run([sys.executable, f"{ROOT}/tests/lib/validate_events.py", schema,
                           f"{b.folder}/out/eve.json"], capture_output=True, text=True)
    if not os.path.exists(schema) or code.returncode == 77:
        t.skip("each line is by the schema", "no schema or no python3-jsonschema here")
    else:
        t.equal(code.returncode, 0, "each line is by the schema") or t.note(code.stdout + code.stderr)
    a = next(e for e in of(events, "alert") if e["alert"]["signature_id"] == 1)
    t.equal({k: a["alert"].get(k) for k in ("action", "gid", "rev", "signature")},
            {"action": "allowed", "gid": 1, "rev": 3, "signature": 'uri "quoted" ü'},
            "what the rule says is in the alert")
    t.equal(a["alert"].get("metadata"), {"created_at": ["2023_01_01"],
                                         "affected_product": ["Web", "Other"]}, "... its metadata too")
    t.equal(a["alert"].get("target", {}).get("ip"), SERVER, "... and who is the target")
    t.equal(a.get("http", {}).get("url"), "/index.html", "the transaction is in the alert")
    t.equal((a["app_proto"], a["direction"], a.get("tx_id")), ("http", "to_server", 0),
            "protocol, direction and number of the transaction")
    t.check(a["community_id"].startswith("1:") and a["flow"]["pkts_toserver"] > 0, "flow so far")
    ping = next(e for e in of(events, "alert") if e["alert"]["signature_id"] == 4)
    t.equal((ping["proto"], ping["icmp_type"], ping["vlan"], "src_port" in ping),
            ("ICMP", 8, [7], False), "a ping has no ports, but a type and its tag")
    flow = next(e for e in of(events, "flow") if e.get("dest_port") == 80)
    t.equal((flow["flow"]["state"], flow["app_proto"], flow["tcp"]["syn"], flow["flow"]["alerted"]),
            ("closed", "http", True, True), "the flow is told at its end")
    mail = of(events, "smtp")[0]
    t.equal((mail["smtp"].get("mail_from"), mail.get("email", {}).get("from"),
             mail.get("email", {}).get("to"), mail.get("email", {}).get("status")),
            ("<a@example.org>", "a@example.org", ["b@example.org"], "PARSE_DONE"),
            "the mail stands beside its envelope")
    t.equal(len([e for e in of(events, "http")]), 2, "one event per transaction")
    page = next(e for e in of(events, "fileinfo"))["fileinfo"]
    t.equal((page["size"], page["state"], page["gaps"]), (len(PAGE), "CLOSED", False), "the page is a file")
    t.equal(page.get("sha256"), hashlib.sha256(PAGE).hexdigest(), "... with its hash")
    dns = of(events, "dns")
    t.equal(len(dns), 2, "a question and an answer")
    t.equal([e["event_type"] for e in events[-1:]], ["stats"], "stats come last")


def acting(t, b):
    _, events = b.inspect(everything(), "-S", b.rules)
    got = {e["alert"]["signature_id"]: e["alert"]["action"] for e in of(events, "alert")}
    t.equal((got.get(5), got.get(9)), ("allowed", "blocked"), "offline drop alerts, reject blocks")
    p, events = b.inspect(everything(), "-S", b.rules, "--inline")
    got = {e["alert"]["signature_id"]: e["alert"]["action"] for e in of(events, "alert")}
    t.equal((got.get(5), got.get(9)), ("blocked", "blocked"), "inline drop blocks")
    t.check(6 not in got, "what is dropped takes its conversation with it", got)
    t.check(b"stopped" in p.stdout, "the summary says so", p.stdout)
    flow = next(e for e in of(events, "flow") if e.get("dest_port") == 7000)
    t.equal(flow["flow"].get("action"), "drop", "and the flow's event")
    talk = everything()
    talk.packets = [p for p in talk.packets if p[1][67 if p[1][12] == 0x86 else 47] not in (2, 0x12)]
    _, events = b.inspect(talk, "-S", b.rules)
    t.check(1 not in sids(events), "without its beginning TCP is not followed", sids(events))
    _, events = b.inspect(talk, "-S", b.rules, "--midstream")
    t.check(1 in sids(events), "... but with --midstream it is", sids(events))
    talk = Talk()
    talk.udp([("c", b"hello")], dport=9999)
    bad = bytearray(talk.packets[0][1])
    bad[40] ^= 0xFF
    talk.packets = [(talk.now, bytes(bad))]
    _, events = b.inspect(talk, "-S", b.rules)
    t.equal(sids(events), [3], "checksums are not looked at")
    _, events = b.inspect(talk, "-S", b.rules, "--checksums")
    t.equal(sids(events), [], "... unless asked")


def variables(t, b):
    plain = b.write("vars", b"# mine\nHOME_NET=[10.0.0.0/8]\nMY_PORTS = [7001,!80]\n")
    p, events = b.inspect(everything(), "-S", b.rules, "-c", plain)
    t.equal(p.returncode, 0, "all variables known: exit code 0") or t.note(p.stderr)
    t.check(8 in sids(events) and 7 not in sids(events), "NAME=value lines set variables",
            sids(events))
    suricata = b.write("suricata.yaml", b"%YAML 1.1\n---\nvars:\n  address-groups:\n    HOME_NET: "
                       b"\"[198.51.100.0/24]\"\n  port-groups:\n    MY_PORTS: \"7001\"\nother: 1\n")
    p, events = b.inspect(everything(), "-S", b.rules, "-c", suricata)
    t.check(p.returncode == 0 and {7, 8} <= set(sids(events)), "suricata.yaml's vars too",
            (p.stderr, sids(events)))
    for what, text, word in (("no address", b"HOME_NET=[10.0.0.0/99]\n", b":1: HOME_NET"),
                             ("no port", b"\nMY_PORTS=99999\n", b":2: MY_PORTS"),
                             ("no assignment", b"A=any\nHOME_NET 10.0.0.0/8\n", b":2: write NAME"),
                             ("no variables", b"---\nguests: []\n", b"sets no variable"),
                             ("no YAML", b"vars: {a: [\n", b"vars:"),
                             ("a list", b"vars:\n  address-groups:\n    A: [1.1.1.1]\n", b":3: ")):
        p, _ = b.inspect(everything(), "-c", b.write("v", text))
        t.check(p.returncode == 2 and word in p.stderr or (what == "no YAML" and p.returncode == 2),
                f"{what}: exit code 2, with its line", (p.returncode, p.stderr))


def forms(t, b):
    """The same packets in every form of capture."""
    talk = everything()
    talk.write(f"{b.folder}/a.pcap")
    _, first = b.run("-r", f"{b.folder}/a.pcap", "-S", b.rules)
    want = sids(first)
    stamp = first[0]["timestamp"]
    data = open(f"{b.folder}/a.pcap", "rb").read()
    talk.write(f"{b.folder}/ns.pcap", nanoseconds=True)

    def classic(e, magic=0xA1B2C3D4, unit=1000, link=1, strip=0):
        out = struct.pack(e + "IHHiIII", magic, 2, 4, 0, 0, 262144, link)
        for ns, p in talk.packets:
            p = p[strip:]
            out += struct.pack(e + "IIII", ns // 10**9, ns % 10**9 // unit, len(p), len(p)) + p
        return out

    def block(e, kind, body):
        body += b"\0" * (-len(body) % 4)
        n = struct.pack(e + "I", len(body) + 12)
        return struct.pack(e + "I", kind) + n + body + n

    def ng(e, simple=False):
        out = block(e, 0x0A0D0D0A, struct.pack(e + "IHHq", 0x1A2B3C4D, 1, 0, -1))
        out += block(e, 1, struct.pack(e + "HHI", 101, 0, 0))  # an interface nobody uses
        out += block(e, 1, struct.pack(e + "HHI", 1, 0, 0) + struct.pack(e + "HHB3x", 9, 1, 9))
        for ns, p in talk.packets:
            out += block(e, 6, struct.pack(e + "IIIII", 1, ns >> 32, ns & 0xFFFFFFFF, len(p), len(p))
                         + p)
            out += block(e, 0x1234, b"unknown")
        return out
    for what, content in (("classic, ns", open(f"{b.folder}/ns.pcap", "rb").read()),
                          ("classic, big endian", classic(">")),
                          ("classic, big endian, ns", classic(">", 0xA1B23C4D, 1)),
                          ("pcapng, little endian", ng("<")), ("pcapng, big endian", ng(">"))):
        p, events = b.run("-r", b.write("form", content), "-S", b.rules)
        t.equal((sids(events), events[0]["timestamp"]), (want, stamp), f"{what}: the same")
    p, events = b.run("-r", "-", "-S", b.rules, data=data)
    t.equal(sids(events), want, "from standard input: the same")
    plain = Talk()
    plain.tcp(HTTP)
    for what, link, strip in (("raw IP", 101, 14), ("raw IP, BSD's number", 12, 14)):
        talk.packets = plain.packets
        p, events = b.run("-r", b.write("form", classic("<", link=link, strip=strip)), "-S", b.rules)
        t.equal(sids(events), [1], f"{what}: the same")
    os.mkdir(f"{b.folder}/many")
    for name in ("b.pcap", "a.pcapng", "c.txt"):
        plain.write(f"{b.folder}/many/{name}")
    p, events = b.run("-r", f"{b.folder}/many", "-S", b.rules)
    t.check(b"of 2 captures" in p.stdout, "a folder: its captures", p.stdout)
    p, events = b.run("-r", f"{b.folder}/many/b.pcap", f"{b.folder}/many/a.pcapng", "-S", b.rules)
    t.check(b"of 2 captures" in p.stdout, "several after one -r", p.stdout)


def damage(t, b):
    plain = Talk()
    plain.tcp(HTTP)
    plain.write(f"{b.folder}/good.pcap")
    good = open(f"{b.folder}/good.pcap", "rb").read()
    huge = good[:24] + struct.pack("<IIII", 1, 0, 0x7FFFFFFF, 0x7FFFFFFF)
    section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    interface = struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20)
    os.makedirs(f"{b.folder}/void")
    for what, path, word in (
            ("missing", f"{b.folder}/none.pcap", b"No such file"),
            ("empty", b.write("empty", b""), b"is empty"),
            ("one byte", b.write("one", b"\xd4"), b"ends within its first header"),
            ("half a header", b.write("head", good[:20]), b"ends within its first header"),
            ("no capture", b.write("text", b"hello, this is no capture\n" * 20), b"is no capture"),
            ("compressed", b.write("gz", gzip.compress(good)), b"zcat"),
            ("truncated", b.write("cut", good[:-5]), b"ends within packet"),
            ("a packet of 2 GB", b.write("huge", huge), b"damaged at byte"),
            ("a folder without captures", f"{b.folder}/void", b"in this folder"),
            ("pcapng with a broken block", b.write(
                "ng", struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
                + struct.pack("<II", 6, 13) + b"\0" * 40), b"damaged at byte"),
            ("a device", "/dev/zero", b"is no capture"),
            ("pcapng, a block of 4 GB", b.write("ng4", section + struct.pack("<II", 6, 0xFFFFFFFC)),
             b"damaged at byte"),
            ("pcapng, more in a packet than in its block", b.write(
                "ng5", section + interface + struct.pack("<IIIIIIII", 6, 32, 0, 0, 0, 1000, 1000, 32)),
             b"damaged at byte"),
            ("pcapng, a packet of no interface", b.write(
                "ng6", section + struct.pack("<IIIIIIII", 6, 32, 0, 0, 0, 0, 0, 32)), b"damaged at byte"),
            ("pcapng, interfaces without end", b.write("ng7", section + interface * 10_000), b"ng7")):
        p, events = b.run("-r", path, f"{b.folder}/good.pcap", "-S", b.rules)
        t.check(p.returncode == 1 and word in p.stderr and os.path.basename(path).encode() in p.stderr,
                f"{what}: exit code 1, and why", (p.returncode, p.stderr))
        t.check(1 in sids(events), f"{what}: ... the other capture is read", sids(events))
    p, events = b.run("-r", b.write("nothing", good[:24]), "-S", b.rules)
    t.equal([e["event_type"] for e in events], ["stats"], "a capture without packets is fine")
    for what, content in (
            ("a link nobody knows", good[:20] + struct.pack("<I", 9999) + good[24:]),
            ("packets longer than they were", good[:24] + struct.pack("<IIII", 1, 0, 60, 0) + b"\xff" * 60),
            ("a packet of no bytes", good[:24] + struct.pack("<IIII", 1, 0, 0, 4_000_000_000))):
        p, events = b.run("-r", b.write("odd", content), "-S", b.rules, "--anomalies", "--payload")
        t.check(p.returncode == 1 and b"odd" not in p.stderr and events[-1]["event_type"] == "stats",
                f"{what}: read", (p.returncode, p.stderr))
    p, _ = b.run("-r", f"{b.folder}/none.pcap")
    t.equal(p.returncode, 1, "nothing to read at all: exit code 1")


def bad_rules(t, b):
    plain = Talk()
    plain.tcp(HTTP)
    plain.write(f"{b.folder}/good.pcap")
    os.makedirs(f"{b.folder}/void")
    program = open(SKEP, "rb").read(100_000)
    rule = b'alert http any any -> any any (msg:"a"; sid:1;)\n'
    for what, path, word in (
            ("missing", f"{b.folder}/none.rules", b"No such file"),
            ("a folder without rules", f"{b.folder}/void", b"no *.rules"),
            ("a program", b.write("program.rules", program), b"program.rules:1:1: unknown action"),
            ("a program as configuration", b.write("program.config", program), b"program.config:1:1: "),
            ("NUL bytes", b.write("nul.rules", b"\0\0\0\n" + rule[:-4].replace(b"a", b"\0", 1)), b"nul.rules:1:1: "),
            ("two bytes a letter", b.write("wide.rules", rule.decode().encode("utf-16")), b"wide.rules:1:1: "),
            ("brackets", b.write("deep.rules", rule.replace(b"any", b"[" * 50_000 + b"any" + b"]" * 50_000)),
             b"deep.rules:1:"),
            ("options without end", b.write("long.rules", rule.replace(b"sid", b'content:"a"; ' * 50_000 + b"sid")),
             b"long.rules:1:"),
            ("cut", b.write("cut.rules", rule[:-9]), b"cut.rules:1:"),
            ("a device without end", "/dev/zero", b"too long")):
        p, events = b.run("-r", f"{b.folder}/good.pcap", "-S", path, b.write("good.rules", rule))
        t.check(p.returncode == 1 and word in p.stderr, f"rules: {what}: exit code 1, and why",
                (p.returncode, p.stderr[:2000]))
        t.check(all(c < 0x80 and (c >= 32 or c == 10) for c in p.stderr), f"rules: {what}: ... in plain text",
                p.stderr[:2000])
        t.check(1 in sids(events), f"rules: {what}: ... the others are used", sids(events))
    for what, path in (("a folder", f"{b.folder}/void"), ("missing", f"{b.folder}/none"),
                       ("a program", f"{b.folder}/program.rules"), ("NUL bytes", f"{b.folder}/nul.rules")):
        p, _ = b.run("-r", f"{b.folder}/good.pcap", "-c", path)
        t.check(p.returncode == 2 and os.path.basename(path).encode() in p.stderr,
                f"-c: {what}: exit code 2, and why", (p.returncode, p.stderr[:2000]))
    for text in ("", "0", "64", "7M", "M", "-1", "1e9", "9999999G", "99999999999999999999999", "64MB"):
        p, _ = b.run("-r", f"{b.folder}/good.pcap", "--memory", text)
        t.check(p.returncode == 2 and b"--memory" in p.stderr, f"--memory {text!r}: exit code 2",
                (p.returncode, p.stderr))
    for text in ("8M", "8192k", "8388608", "1G"):
        p, _ = b.run("-r", f"{b.folder}/good.pcap", "--memory", text)
        t.equal((p.returncode, p.stderr), (0, b""), f"--memory {text} is fine")


def usage(t, b):
    plain = Talk()
    plain.tcp(HTTP)
    plain.write(f"{b.folder}/good.pcap")
    good = f"{b.folder}/good.pcap"
    for what, args in (("no capture named", ["-S", b.rules]), ("an unknown option", ["-r", good, "--fast"]),
                       ("a word too many", ["what", "-r", good]), ("-r without a name", ["-r"])):
        p = subprocess.run([SKEP, "inspect", *args], capture_output=True, cwd=b.folder)
        t.check(p.returncode == 2 and b"skep" in p.stderr, f"{what}: exit code 2",
                (p.returncode, p.stderr))
    p = subprocess.run([SKEP, "inspect", "--help"], capture_output=True)
    t.check(p.returncode == 0 and b"--midstream" in p.stdout and p.stderr == b"", "--help")
    t.check(all(len(x) <= 100 for x in p.stdout.splitlines()), "... in lines that fit")
    p = subprocess.run([SKEP, "inspect", "-r", good], capture_output=True, cwd=b.folder)
    t.check(p.returncode == 0 and os.path.exists(f"{b.folder}/eve.json"), "no -o: here", p.stderr)
    p, _ = b.run("-r", good, out="empty/x")
    t.check(p.returncode == 1 and p.stderr, "no folder possible: exit code 1, and why", p.stderr)
    if os.path.exists("/dev/full"):
        os.makedirs(f"{b.folder}/full", exist_ok=True)
        os.symlink("/dev/full", f"{b.folder}/full/eve.json")
        p = subprocess.run([SKEP, "inspect", "-r", good, "-o", f"{b.folder}/full"],
                           capture_output=True)
        t.check(p.returncode == 1 and b"No space left" in p.stderr, "a full disk is told", p.stderr)
    p, events = b.run("-r", good, "-S", b.rules, "--alerts-only", "--json")
    summary = json.loads(p.stdout)
    t.equal((summary["packets"], summary["alerts"], {e["event_type"] for e in events}),
            (len(plain.packets), 1, {"alert"}), "--json, --alerts-only")
    p, _ = b.run("-r", good, "-S", b.rules, "--profile")
    t.check(b"checks" in p.stdout and b"uri" in p.stdout, "--profile prints what rules cost", p.stdout)
    p = subprocess.Popen([SKEP, "inspect", "-r", *[good] * 20000, "-o", f"{b.folder}/long"],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=b.folder)
    while not os.path.exists(f"{b.folder}/long/eve.json") and p.poll() is None:
        time.sleep(0.01)
    time.sleep(0.05)
    p.send_signal(signal.SIGINT)
    err = p.communicate()[1]
    with open(f"{b.folder}/long/eve.json", "rb") as h:
        whole = [json.loads(x)["event_type"] for x in h]
    t.check((p.returncode, b"interrupted" in err, whole[-1]) in ((1, True, "stats"), (0, False, "stats")),
            "an interrupt: what was found is written", (p.returncode, err))
    p, events = b.run("-r", good, "-S", f"{b.folder}/none.rules", b.rules)
    t.check(p.returncode == 1 and b"No such file" in p.stderr and sids(events) == [1],
            "a missing rule file is told, the others are used", p.stderr)


def main(t):
    for part in (shape, acting, variables, forms, damage, bad_rules, usage):
        with tempfile.TemporaryDirectory(prefix="skt-i-") as folder:
            part(t, Bench(folder))


tap = Tap()
main(tap)
sys.exit(tap.done())
