#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest
"""`skep demo` plays a break-in with real tools and ends with a readable account, each line with the
command that shows its events or packets; each of these commands works."""
import json
import re
import shlex

import common  # noqa
import tap
from alarms import Log, facts, preview
from honeynet import LOGHOST_FORWARDS, Honeynet, guest, need, wait_for


SHELL = r"""
import socket, time
for _ in range(40):
    try:
        s = socket.create_connection((ADDR, 4444), timeout=20)
        break
    except OSError:
        time.sleep(0.25)
s.sendall(b"id\n")
got = b""
while b"uid=" not in got:
    got += s.recv(4096)
s.sendall(b"echo from-the-wire\nexit\n")
while s.recv(4096):
    pass
"""


def clear_text(t, net):
    """What is said on the wire needs nothing in the guest: a bound shell, and the file of the demo."""
    net.ssh("web1", "(nc -l -p 4444 -e /bin/sh >/dev/null 2>&1 </dev/null &) ; sleep 0.2")
    p = net.run_lab("/usr/bin/python3", "-c", "ADDR = '203.0.113.10'\n" + SHELL, timeout=60)
    t.equal(p.returncode, 0, "somebody types at a shell on port 4444")

    def heard():
        rows = [json.loads(x) for x in net.skep("sessions", "--json").stdout.splitlines()]
        # The guest's monitor calls it by the program that took the conversation.
        return [r for r in rows if r["service"] in ("shell", "sh", "nc") and "wire" in r["heard"]
                and r["commands"] >= 3 and r["end"]]
    rows = wait_for(heard, 20)
    t.check(rows, "... which is a session, told by the wire", net.skep("sessions").stdout)
    if rows:
        p = net.skep("replay", "--speed", "0", rows[0]["id"])
        t.check("echo from-the-wire" in p.stdout and p.stdout.count("from-the-wire") >= 2,
                "... and plays with what was typed and what came back", p.stdout)
    files = [json.loads(x) for x in net.skep("files", "--json").stdout.splitlines()]
    t.check(any(f["how"] == "fetched" and f["size"] == 50 for f in files), "the file of the demo is kept", files)

    def told():  # a recording is on the disk before the events have gone through hub and ledger
        p = net.skep("events", "--kind", "command", "--json", "-n", "0")
        mine = [json.loads(x) for x in p.stdout.splitlines() if "from-the-wire" in x]
        return [e for e in mine if e["command"]["layer"] == "wire" and e["incident"] and e["flow_id"]]
    t.check(wait_for(told, 20), "its commands are events of the incident",
            net.skep("events", "--kind", "command", "-n", "0").stdout)


def told(t, net):
    """Nobody is named to be told: the messages are kept, a handful of a break-in with a hundred conversations."""
    log = Log(net)
    rows = wait_for(lambda: [r for r in log.sent() if r["class"] == "limit"] and log.sent(), 20)
    by = {k: [r for r in rows or [] if r["class"] == k and r["kind"] == "first"]
          for k in ("inbound", "outbound", "limit")}
    t.equal({k: len(v) for k, v in by.items()}, {"inbound": 1, "outbound": 1, "limit": 1},
            "the source, the first conversation outwards and the limit are alerts, each once; our own knocks are none")
    t.equal({r["incident"] for v in by.values() for r in v}, {net.events("limit")[0]["incident"]}, "... of one incident")
    shown = [net.skep("alerts", "show", str(v[0]["number"])).stdout for v in by.values() if v]
    t.check(any("uname -a" in x for x in shown), "... with the last commands", "\n".join(shown))
    t.check(all(re.search(r"System +Linux", x) for x in shown[:1]), "... and the intruder's system, guessed", shown[:1])
    held = wait_for(lambda: sum(r["n"] for r in log.held(destination="local", guest="web1")) > 15, 70, 1)
    t.check(held, "... and the rest is held back", log.held())
    same = facts(log.rows()) == facts(preview(net))
    t.check(same, "... as `skep alerts preview` says", (facts(log.rows()), facts(preview(net))))


def main(t):
    need("ssh", "sshpass", "nmap", "curl")
    guests = [guest("web1", "tiny", 10), guest("loghost", "loghost", 20, kind="loghost")]
    with Honeynet(guests, forwards=LOGHOST_FORWARDS) as net:
        net.up()
        p = net.skep("demo", timeout=240)
        t.note(p.stdout + p.stderr)
        t.equal(p.returncode, 0, "skep demo runs to its end")
        t.check("20" in p.stdout and "limit" in p.stdout, "the limit stopped the attack")
        shown = re.findall(r"(skep (?:events|pcap|status|sessions|replay|alerts)[^\n`]*)", p.stdout)
        t.check(len(shown) >= 4, f"{len(shown)} commands are shown", p.stdout)
        t.check(re.search(r"skep sessions show \w{11}", p.stdout), "its own visit was recorded", p.stdout[-1500:])
        visit = net.skep("sessions", "show", re.search(r"sessions show (\w{11})", p.stdout + "sessions show 00000000000")[1])
        t.check(re.search(r"Incident \d+.*INBOUND +forward TCP .* port 22", visit.stdout, re.S),
                "... with the conversations of its incident", visit.stdout + visit.stderr)
        played = p.stdout.split("as it looked")[-1]
        t.check("uname -a" in played and "Linux" in played and "uid=" in played,
                "... and is played: the commands, and what they showed", played)
        t.check(not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f]", played), "... without stray controls", played)
        for command in dict.fromkeys(c.strip() for c in shown):
            args = shlex.split(command)[1:]
            args = [a if not a.endswith(".pcapng") else f"{net.dir}/{a}" for a in args]
            q = net.skep(*args, timeout=60)
            t.check(q.returncode == 0 and (q.stdout.strip() or ".pcapng" in command),
                    f"`{command}` works", f"exit {q.returncode} {q.stdout[:300]}{q.stderr}")
        told(t, net)
        clear_text(t, net)
        p = net.skep("demo", "--no-replay", timeout=240)
        t.check("as it looked" not in p.stdout, "--no-replay leaves it out")
        t.equal(p.returncode, 0, "a second demo within the hour also ends well")
        t.check("used" in p.stdout or "hour" in p.stdout, "... and says that the budget is used",
                p.stdout[-1500:])


tap.run(main)
