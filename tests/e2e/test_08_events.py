#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces asan
"""Done-when 5, events: every line of eve.json and skep.json follows its schema; `skep events` finds by
kind, guest, direction, incident and time, and follows."""
import glob
import json
import os
import subprocess
import sys
import time

import common  # noqa
import tap
from honeynet import (INTRUDER, ROOT, SKEP, WEB, WEB6, Honeynet, guest, wait_for)


def traffic(net):
    out = ("import socket,time\n"
           f"for fam,ip in ((socket.AF_INET,'{WEB}'),(socket.AF_INET6,'{WEB6}')):\n"
           " u=socket.socket(fam,socket.SOCK_DGRAM);u.sendto(b'a',(ip,4000))\n"
           " for i in range(12):\n"
           "  s=socket.socket(fam);s.setblocking(False);s.connect_ex((ip,5000+i))\n"
           "time.sleep(0.5)")
    net.run_lab("ping", "-c", "1", "-W", "1", "203.0.113.30")
    net.run_lab(sys.executable, "-c", "import socket\n"
                "for fam,ip in ((socket.AF_INET,'203.0.113.30'),(socket.AF_INET6,"
                "'2001:db8:113::30')):\n s=socket.socket(fam);s.settimeout(2)\n"
                " try: s.connect((ip,22))\n except OSError: pass\n")
    net.run_in(net.guest_ns("alice"), sys.executable, "-c", out)
    net.run_in(net.guest_ns("alice"), "ping", "-c", "1", "-W", "1", "10.99.0.31")
    net.run_in(net.guest_ns("alice"), "ping", "-c", "1", "-W", "1", "192.168.1.1")
    bad = ("import socket\ns=socket.socket(socket.AF_PACKET,socket.SOCK_RAW);s.bind(('eth0',0))\n"
           "m=open('/sys/class/net/eth0/address').read().strip().replace(':','')\n"
           "for i in range(20): s.send(bytes.fromhex('024c1f9a0001'+m+'0800')+b'\\x45\\0\\xff')\n")
    net.run_in(net.guest_ns("alice"), sys.executable, "-c", bad)


def show(net, *args):
    p = net.skep("events", "--json", *args)
    rows = []
    for line in p.stdout.splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            pass
    return p, rows


def filters(t, net):
    p, rows = show(net, "--kind", "connection")
    t.check(p.returncode == 0 and rows and all(r["event_type"] == "connection" for r in rows),
            f"events --kind connection ({len(rows)})", p.stderr)
    every = len(rows)
    p, rows = show(net, "--kind", "connection", "--direction", "outbound")
    t.check(rows and len(rows) < every and all(r["direction"] == "OUTBOUND" for r in rows),
            "events --direction outbound", p.stderr)
    p, rows = show(net, "--guest", "bob", "--kind", "connection")
    t.check(rows and all(r["connection"]["guest"] == "bob" or
                         r["connection"].get("peer_guest") == "bob" for r in rows),
            "events --guest bob", p.stderr + str(rows[:2]))
    p, rows = show(net, "--verdict", "limit")
    t.check(rows and all(r["verdict"] == "limit" for r in rows), "events --verdict limit", p.stderr)
    p, rows = show(net, "--since", "1h")
    t.check(rows, "events --since 1h", p.stderr)
    p, rows = show(net, "--until", "2020-01-01")
    t.check(p.returncode in (0, 1) and not rows, "events --until 2020-01-01: none", rows)
    p = net.skep("events", "--no-such-option")
    t.check(p.returncode == 2 and p.stderr, "an unknown option is refused", p.stderr)


def incidents(t, net):
    got = wait_for(lambda: net.events("incident"), 8)
    t.check(got, "an incident is opened", got)
    first = net.connections(direction="INBOUND", src_ip=INTRUDER)
    ids = {e.get("incident") for e in first} - {None}
    t.check(ids, "inbound connections carry its id", first[:2])
    for i in list(ids)[:1]:
        p, rows = show(net, "--incident", str(i))
        t.check(rows and p.returncode == 0, f"events --incident {i} ({len(rows)})", p.stderr)


def follow(t, net):
    p = subprocess.Popen([SKEP, "events", "--json", "-f"], stdout=subprocess.PIPE,
                         env=dict(os.environ, SKEP_CONF=net.conf))
    time.sleep(1)
    os.set_blocking(p.stdout.fileno(), False)
    net.run_lab("ping", "-c", "1", "-W", "1", "203.0.113.31")
    text = b""
    end = time.monotonic() + 6
    while time.monotonic() < end and b"203.0.113.31" not in text:
        text += p.stdout.read() or b""
        time.sleep(0.1)
    p.terminate()
    p.wait(5)
    t.check(b"203.0.113.31" in text, "events -f shows what happens now", text[-400:])


def schemas(t, net):
    validator = f"{ROOT}/tests/lib/validate_events.py"
    if not os.path.exists(validator):
        t.skip("every line follows its schema", "tests/lib/validate_events.py is not there")
        return
    beside = os.path.join(os.path.dirname(ROOT), "shared/corpus/eve-schema.json")
    if os.path.exists(beside):  # Suricata's schema is not ours to ship
        os.environ.setdefault("SKEP_EVE_SCHEMA", beside)
    for stream in ("skep", "eve"):
        files = glob.glob(f"{net.dir}/state/events/**/{stream}*.json*", recursive=True)
        t.check(files, f"{stream}.json is written", os.listdir(f"{net.dir}/state/events"))
        for path in files:
            p = subprocess.run([sys.executable, validator, path], capture_output=True, text=True)
            if p.returncode == 77:
                t.skip(f"every line of {os.path.basename(path)} follows its schema",
                       p.stdout.strip().splitlines()[-1] if p.stdout.strip() else "no schema here")
                continue
            t.check(p.returncode == 0, f"every line of {os.path.basename(path)} follows its schema",
                    p.stdout + p.stderr)
    kinds = {e.get("event_type") for e in net.lines("eve")}
    t.check({"flow", "stats"} <= kinds, f"eve.json has {sorted(kinds)}")
    t.check("anomaly" in kinds, "malformed traffic is an anomaly")


def main(t):
    with Honeynet([guest("alice", "none", 30), guest("bob", "none", 31)],
                  wall={"udp_idle": "2s", "icmp_idle": "2s", "half_open": "3s"}) as net:
        net.up()
        traffic(net)
        wait_for(lambda: len(net.connections(direction="OUTBOUND")) >= 26, 8)
        t.check(wait_for(lambda: [e for e in net.lines("eve") if e["event_type"] == "flow"], 15),
                "flow events come when conversations end")
        t.check(wait_for(lambda: net.connections(direction="LATERAL"), 5), "LATERAL is flagged")
        ids = [e["id"] for e in net.lines("skep")]
        t.check(len(ids) == len(set(ids)) and ids == sorted(ids), "ids are unique and grow")
        filters(t, net)
        incidents(t, net)
        follow(t, net)
        net.down()
        schemas(t, net)
        p, rows = show(net, "--kind", "connection")
        t.check(rows, "events can be asked after down", p.stderr)


tap.run(main)
