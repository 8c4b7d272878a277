#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""skep inspect: packets and bits per CPU-second, for mixed traffic, HTTP in bulk and small UDP; without
rules and with each rule set at hand; rule load time fresh and from the cache; resident memory. The floors in
the same run are reading and dissecting the same packets, and a bare Hyperscan scan of their payloads for (up
to 4,000 of) the fast patterns of the same rules. The corpus ($SKEP_CORPUS, else ../shared/corpus)
gives mixed traffic and rules where it is present; else traffic is made here, and $SKEP_BENCH_RULES names
rules."""
import glob
import json
import os
import random
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
from talk import Talk  # noqa

CORPUS = os.environ.get("SKEP_CORPUS", os.path.join(ROOT, "../shared/corpus"))
LOAD = os.path.join(os.environ.get("SKEP_BUILD", os.path.join(ROOT, "build-bench")),
                    "tests/bench/inspect_load")
SECONDS = os.environ.get("SKEP_BENCH_SECONDS", "1")


def http_bulk(path):
    rng, talk = random.Random(1), Talk()
    for n in range(120):
        page = rng.randbytes(200) * 150 + b"end"
        talk.tcp([("c", b"GET /file/%d?x=%d HTTP/1.1\r\nHost: www%d.example.org\r\nUser-Agent: load\r\n"
                   b"Accept: */*\r\n\r\n" % (n, n * 7, n % 9)),
                  ("s", b"HTTP/1.1 200 OK\r\nServer: bulk\r\nContent-Type: application/octet-stream\r\n"
                   b"Content-Length: %d\r\n\r\n%s" % (len(page), page))] * 5)
    talk.write(path)


def small_udp(path):
    rng, talk = random.Random(2), Talk()
    for _ in range(60000):
        talk.udp([("c", rng.randbytes(18))], sport=rng.randint(1024, 60000), dport=rng.randint(1, 65535),
                 client=f"192.0.2.{rng.randint(1, 250)}")
    talk.write(path)


def mixed(path):
    packed = os.path.join(CORPUS, "captures/mix.pcap.zst")
    if os.path.exists(packed):
        subprocess.run(["zstd", "-qdf", packed, "-o", path], check=True)
        return
    rng, talk = random.Random(3), Talk()
    for n in range(4000):
        if n % 3 == 0:
            talk.tcp([("c", b"GET /%d HTTP/1.1\r\nHost: a.example\r\n\r\n" % n),
                      ("s", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + rng.randbytes(900))])
        elif n % 3 == 1:
            talk.tcp([("c", rng.randbytes(300)), ("s", rng.randbytes(600))], dport=rng.randint(1, 65535))
        else:
            talk.udp([("c", rng.randbytes(60)), ("s", rng.randbytes(200))], dport=rng.randint(1, 65535))
    talk.write(path)


def rule_sets(folder):
    for path in sorted(glob.glob(os.path.join(CORPUS, "rules/*.rules.zst"))):
        name = os.path.basename(path)[:-len(".rules.zst")]
        subprocess.run(["zstd", "-qdf", path, "-o", f"{folder}/{name}.rules"], check=True)
        yield name, [f"{folder}/{name}.rules"]
    if os.environ.get("SKEP_BENCH_RULES"):
        yield "given", os.environ["SKEP_BENCH_RULES"].split(":")


def load(capture, rules=(), cache=""):
    env = dict(os.environ)
    if cache:
        env["SKEP_BENCH_CACHE"] = cache
    p = subprocess.run([LOAD, SECONDS, capture, *rules], capture_output=True, text=True, env=env)
    if p.returncode:
        raise SystemExit(p.stderr.strip() or f"inspect_load: {p.returncode}")
    return json.loads(p.stdout)


def row(what, r, layer):
    s = r[layer]
    print(f"{what:34} {r['packets'] / s / 1000:8.0f} kpps {r['bytes'] * 8 / s / 1e9:7.2f} Gbit/s "
          f"{s / r['packets'] * 1e9:7.0f} ns/packet", flush=True)


def main():
    if not os.path.exists(LOAD):
        print(f"{LOAD} is not built")
        return 77
    with tempfile.TemporaryDirectory(prefix="skb-i-") as folder:
        captures = []
        for name, make in (("mixed", mixed), ("HTTP bulk", http_bulk), ("small UDP", small_udp)):
            path = f"{folder}/{name.replace(' ', '-')}.pcap"
            make(path)
            captures.append((name, path))
        for name, path in captures:
            r = load(path)
            print(f"{name}: {r['packets']} packets of {r['bytes'] / r['packets']:.0f} bytes")
            for layer, what in (("read", "read"), ("dissect", "read, dissect (the floor)"),
                                ("pipeline", "all layers, no rules"), ("events", "... and events")):
                row(f"  {what}", r, layer)
        for rules, files in rule_sets(folder):
            cache = f"{folder}/cache-{rules}"
            for n, (name, path) in enumerate(captures):
                r = load(path, files, cache)
                if n == 0:
                    print(f"{rules}: {r['loaded']} rules loaded in {r['load']:.2f} s of CPU", end="")
                    r = load(path, files, cache)
                    print(f", {r['load']:.2f} s from the cache; {r['rss'] / 1024:.0f} MB resident")
                row(f"  {name}", r, "rules")
                row("    bare Hyperscan, <= 4,000 literals", r, "scan")
    return 0


sys.exit(main())
