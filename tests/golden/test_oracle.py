#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What skep inspect reads out of the corpus capture, held against tshark, which shares no code with it:
DNS names, JA3, JA3S, HASSH, HTTP's requests and the content of its downloads, the bytes of TCP streams.
Skipped where the corpus is not at hand."""
import glob
import gzip
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
from tap import Skip, Tap  # noqa
from talk import Talk  # noqa

SKEP = os.environ.get("SKEP", os.path.join(ROOT, "build/src/cmd/skep"))
CASES = os.path.join(ROOT, "../shared/corpus/cases")
STREAM_STEP = 8  # every so many-th case
MISSING = b" bytes missing in capture file]".hex()
CAPTURE = os.path.join(ROOT, "../shared/corpus/captures/mix.pcap.zst")


def tshark(path, select, *fields, options=()):
    argv = ["tshark", "-n", "-r", path, "-Y", select, "-T", "fields", "-E", "aggregator=\x01"]
    for f in fields:
        argv += ["-e", f]
    out = subprocess.run(argv + list(options), capture_output=True, text=True, errors="replace").stdout
    return [line.split("\t") for line in out.split("\n") if line]


def inspect(folder, path):
    subprocess.run([SKEP, "inspect", "--midstream", "--hashes", "-r", path, "-o", folder], check=True, capture_output=True)
    with open(f"{folder}/eve.json", encoding="utf-8") as h:
        return [json.loads(line) for line in h]


def agree(t, what, ours, theirs, least, cover):
    """Both map a conversation (or a query in it) to the set of values seen there. Where both saw some,
    at least the share `least` must be equal; and of what tshark saw we must have seen `cover`. (It
    follows TLS into protocols that we do not upgrade from, and reads packets of no conversation.)"""
    common = [k for k in theirs if k in ours]
    odd = [(k, sorted(ours[k])[:3], sorted(theirs[k])[:3]) for k in common if ours[k] != theirs[k]]
    equal = len(common) - len(odd)
    t.check(theirs and equal >= least * len(common) and len(common) >= cover * len(theirs),
            f"{what}: {equal} of {len(common)} the same, of {len(theirs)} that tshark saw",
            f"not the same: {odd[:12]}\nnot seen: {[k for k in theirs if k not in ours][:20]}")


def by_flow(events, kind, value):
    """(client, port, server, port) -> values of the events of a kind."""
    out = {}
    for e in events:
        v = value(e[kind]) if e["event_type"] == kind else None
        if v:
            out.setdefault((e["src_ip"], e["src_port"], e["dest_ip"], e["dest_port"]), set()).add(v)
    return out


def tshark_by_flow(path, *fields, back=False, proto="tcp"):
    """For each field: conversation -> values."""
    out = [{} for _ in fields]
    for row in tshark(path, f"{proto} && {fields[0]} && !icmp && !icmpv6", "ip.src", "ipv6.src",
                      f"{proto}.srcport", "ip.dst", "ipv6.dst", f"{proto}.dstport", *fields,
                      options=("-o", "tcp.reassemble_out_of_order:TRUE")):
        src, src6, sport, dst, dst6, dport = [x.split("\x01")[-1] for x in row[:6]]
        key = (dst or dst6, int(dport), src or src6, int(sport)) if back else (
            src or src6, int(sport), dst or dst6, int(dport))
        for found, values in zip(out, row[6:]):
            if values:
                found.setdefault(key, set()).update(v.strip() for v in values.split("\x01") if v)
    return out


def dns(t, events, path):
    def names(d):
        return tuple(sorted(q["rrname"].lower() for q in d.get("queries", []) if q["rrname"]))
    ours = {(k, v) for k, s in by_flow(events, "dns", names).items() for v in s}
    theirs = {}
    for row in tshark(path, "udp.port == 53 && dns && !icmp && !icmpv6 && !_ws.malformed && dns.flags.response == 0",
                      "dns.qry.name", "udp.srcport"):
        theirs.setdefault(tuple(sorted(n.lower() for n in row[0].split("\x01")
                                       if n and n != "<Root>")), set()).add("")
    theirs.pop((), None)
    seen = {v: {""} for _, v in ours}
    agree(t, "names asked for by DNS over UDP", seen, theirs, 1, 0.99)


def fingerprints(t, events, path):
    agree(t, "JA3", by_flow(events, "tls", lambda x: x.get("ja3", {}).get("hash")),
          tshark_by_flow(path, "tls.handshake.ja3")[0], 0.99, 0.9)
    agree(t, "JA3S", by_flow(events, "tls", lambda x: x.get("ja3s", {}).get("hash")),
          tshark_by_flow(path, "tls.handshake.ja3s", back=True)[0], 0.99, 0.85)
    agree(t, "HASSH",
          by_flow(events, "ssh", lambda x: x.get("client", {}).get("hassh", {}).get("hash")),
          tshark_by_flow(path, "ssh.kex.hassh")[0], 1, 0.7)


def requests(t, events, path):
    """What requests say (hosts without their port, as events tell them), and codes of the answers: of
    these we may lack some, behind the stream's depth, and tell what came after "100 Continue"."""
    theirs = dict(zip(("http_method", "url", "hostname", "http_user_agent"), tshark_by_flow(
        path, "http.request.method", "http.request.uri", "http.host", "http.user_agent")))
    theirs["hostname"] = {k: {v.split(":")[0] if v.count(":") == 1 else v for v in s}
                          for k, s in theirs["hostname"].items()}
    for key, found in theirs.items():
        agree(t, f"HTTP: {key}", by_flow(events, "http", lambda x: x.get(key)), found, 0.99, 0.9)
    codes = tshark_by_flow(path, "http.response.code", back=True)[0]
    ours = by_flow(events, "http", lambda x: str(x.get("status") or ""))
    both = [k for k in codes if k in ours]
    odd = [(k, ours[k], codes[k]) for k in both if not ours[k] <= codes[k]]
    t.check(len(both) >= 0.85 * len(codes) and len(odd) <= 0.01 * len(both),
            f"HTTP: codes of {len(both) - len(odd)} conversations of {len(both)} are tshark's", odd[:12])


def downloads(folder):
    """A capture of our own with downloads in every framing, random and compressible contents in turn;
    segments come in disorder and twice."""
    talk, rng = Talk(), random.Random(11)
    for n in range(40):
        body = rng.randbytes(rng.randint(1, 30000)) if n % 2 else b"line %d\n" % n * rng.randint(1, 2000)
        head, wire = b"", body
        if n % 4 >= 2:
            head, wire = b"Content-Encoding: gzip\r\n", gzip.compress(body, mtime=0)
        if n % 3 == 0:
            size = rng.randint(1, 3000)
            wire = b"".join(b"%x\r\n%s\r\n" % (len(wire[i:i + size]), wire[i:i + size])
                            for i in range(0, len(wire), size)) + b"0\r\n\r\n"
            head += b"Transfer-Encoding: chunked\r\n"
        else:
            head += b"Content-Length: %d\r\n" % len(wire)
        talk.tcp([("c", b"GET /file%d HTTP/1.1\r\nHost: example.org\r\n\r\n" % n),
                  ("s", b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n%s\r\n%s"
                   % (head, wire))], cut=1400, seed=n, shuffle=n % 5 * 2, repeat=n % 4 * 0.05)
    talk.write(f"{folder}/downloads.pcap")
    return f"{folder}/downloads.pcap"


def bodies(t, folder):
    path = downloads(folder)
    ours = Counter(e["fileinfo"]["sha256"] for e in inspect(folder, path)
                   if e["event_type"] == "fileinfo")
    subprocess.run(["tshark", "-n", "-q", "-r", path, "-o",
                    "tcp.reassemble_out_of_order:TRUE", "--export-objects", f"http,{folder}/objects"],
                   capture_output=True)
    theirs = Counter()
    for name in glob.glob(f"{folder}/objects/*"):
        with open(name, "rb") as h:
            theirs[hashlib.sha256(h.read()).hexdigest()] += 1
    t.equal((sum(theirs.values()), ours - theirs, theirs - ours), (40, Counter(), Counter()),
            "HTTP bodies, plain, chunked and gzip, segments in disorder: the same 40 as tshark's")


def followed(path, n):
    """Both directions of tshark's n-th TCP stream, or None where it says that bytes are missing."""
    p = subprocess.run(["tshark", "-n", "-q", "-r", path, "-o", "tcp.reassemble_out_of_order:TRUE",
                        "-z", f"follow,tcp,raw,{n}"], capture_output=True, text=True, errors="replace")
    if MISSING in p.stdout:
        return None
    out, ends = {"c": "", "s": ""}, re.findall(r"Node \d: (.*):(\d+)", p.stdout)
    for line in p.stdout.split("\n"):
        if re.fullmatch(r"\t?[0-9a-f]+", line):
            out["s" if line.startswith("\t") else "c"] += line.strip()
    return (ends, out["c"], out["s"]) if len(ends) == 2 else None


def payloads(t):
    """Small captures of the corpus with whole TCP conversations: byte for byte what tshark follows."""
    dump = os.path.join(os.path.dirname(SKEP), "../../tests/lib/stream_dump")
    if not os.access(dump, os.X_OK):
        raise Skip("stream_dump is not built")
    same, odd, left_out = 0, [], 0
    for path in sorted(glob.glob(os.path.join(CASES, "*/input.pcap")))[::STREAM_STEP]:
        if os.path.getsize(path) > 300_000:
            continue
        ours = {}
        for line in subprocess.run([dump, path], capture_output=True, text=True).stdout.split("\n"):
            if line:
                a, p, b, q, side, gaps, data = line.split(" ")
                ours.setdefault((a, p, b, q), {})[int(side)] = (data, int(gaps))
        theirs = followed(path, 0)
        if theirs is None or not (theirs[1] or theirs[2]):
            left_out += 1
            continue
        (c, s), ts, tc = theirs
        mine = ours.get((*c, *s)) or {}
        if (mine.get(0, ("", 0))[0], mine.get(1, ("", 0))[0]) == (ts, tc):
            same += 1
        else:
            odd.append((os.path.basename(os.path.dirname(path)), len(ts) // 2, len(tc) // 2,
                        {d: (len(x[0]) // 2, x[1]) for d, x in mine.items()}))
    t.check(same >= 0.9 * (same + len(odd)), f"TCP payloads: {same} of {same + len(odd)} captures byte for "
            f"byte as tshark follows them; it has nothing to say of {left_out}", odd)
    t.note(f"not the same: {odd}")


def main(t):
    for tool in ("tshark", "zstd"):
        if not shutil.which(tool):
            raise Skip(f"{tool} is not installed")
    with tempfile.TemporaryDirectory(prefix="skt-o-") as folder:
        bodies(t, folder)
        if not os.path.exists(CAPTURE):
            raise Skip("the corpus is not at hand")
        path = f"{folder}/mix.pcap"
        subprocess.run(["zstd", "-qd", CAPTURE, "-o", path], check=True)
        events = inspect(folder, path)
        dns(t, events, path)
        fingerprints(t, events, path)
        payloads(t)
        requests(t, events, path)


tap = Tap()
try:
    main(tap)
except Skip as why:
    tap.skip("the rest", why)
sys.exit(tap.done())
