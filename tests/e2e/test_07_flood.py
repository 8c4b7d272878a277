#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest asan
"""Done-when 6: a million-flow flood with spoofed sources from outside: memory stays at its configured
bound, existing ssh sessions stay up, drops are counted and reported; no log line per packet."""
import os
import re
import subprocess
import time

import common  # noqa
import tap
from honeynet import Honeynet, flood_program, guest, need, sanitized, wait_for

FLOWS = 1_000_000
CAPACITY = 65536
# What the wall remembers at most of a conversation of one packet, of whatever kind, and what it touches that does not
# grow with their number: docs/PERFORMANCE.md, "Memory". Together with what it had before that is the bound, however
# many of each kind fit into the time.
PER_FLOW, TABLES = 1280, 8 << 20


def memory(pid):
    with open(f"/proc/{pid}/status") as h:
        text = h.read()
    return {k: int(re.search(rf"{k}:\s+(\d+)", text)[1]) * 1024 for k in ("VmSize", "VmRSS")}


def main(t):
    need("ssh", "sshpass")
    with Honeynet([guest("web1", "tiny", 10), guest("bare", "none", 30)],
                  wall={"flows": CAPACITY}) as net:
        net.up()
        session = subprocess.Popen(
            ["nsenter", f"--net={net.lab}", *net.ssh_argv("web1", "cat")], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        session.stdin.write("before\n")
        session.stdin.flush()
        t.equal(session.stdout.readline(), "before\n", "an ssh session is open")
        wall = net.role_pid("wall")
        before = memory(wall)
        uplink, gate = net.link_mac(net.lab, "uplink0"), net.gate_mac()
        count = FLOWS if not sanitized() else FLOWS // 10
        begin = time.monotonic()
        p = net.run_lab(flood_program(), "uplink0", uplink, gate, "203.0.113.30", str(count),
                        "60000", timeout=200)
        seconds = time.monotonic() - begin
        t.check(p.returncode == 0, f"{count} flows from as many sources in {seconds:.1f} s",
                p.stdout + p.stderr)
        after = memory(wall)
        t.note(f"wall before {before} after {after}")
        t.equal(net.role_pid("wall"), wall, "the wall is the same process")
        t.equal(after["VmSize"], before["VmSize"], "its address space did not grow")
        more, bound = after["VmRSS"] - before["VmRSS"], CAPACITY * PER_FLOW + TABLES
        if not sanitized():
            t.check(more < bound, f"resident {after['VmRSS'] >> 20} MB, {more / (1 << 20):.1f} MB more than before, "
                    f"bound {bound >> 20} MB more with {CAPACITY} flows")
        session.stdin.write("after\n")
        session.stdin.flush()
        t.equal(session.stdout.readline(), "after\n", "the ssh session stays up")
        session.stdin.close()
        session.wait(15)
        p = net.ssh("web1", "echo new-$((1+1))", timeout=60)
        t.check("new-2" in p.stdout, "a new session is possible after the flood", p.stderr)
        s = net.status().get("wall", {})
        t.note({k: v for k, v in s.items() if isinstance(v, (int, dict))})
        gone = (s.get("flows_evicted", 0) + s.get("flows_refused", 0) + s.get("kernel_drops", 0) +
                s.get("reasons", {}).get("table-full", 0))
        t.check(s.get("flows_total", 0) > 0 and gone > 0,
                f"what did not fit is counted ({gone})", s)
        t.check(s.get("flows_active", 0) <= CAPACITY, "flow table within its capacity")
        told = wait_for(lambda: [e for e in net.events("health")
                                 if e["health"]["what"] in ("full", "suppressed", "lost")], 10)
        t.check(told, "and reported", net.events("health"))
        lines = len(net.lines("skep")) + len(net.lines("eve"))
        allowed = 2 * 500 * (seconds + 15) + 2000
        t.check(lines < allowed, f"{lines} event lines, at most {allowed:.0f} by wall.event_rate")
        size = os.path.getsize(f"{net.dir}/run/super.log")
        t.check(size < 64 << 10, f"the log is {size} bytes")


tap.run(main)
