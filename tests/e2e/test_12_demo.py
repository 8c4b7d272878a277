#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest asan
"""`skep demo` plays a break-in with real tools and ends with a readable account, each line with the
command that shows its events or packets; each of these commands works."""
import re
import shlex

import common  # noqa
import tap
from honeynet import LOGHOST_FORWARDS, Honeynet, guest, need


def main(t):
    need("ssh", "sshpass", "nmap", "curl")
    guests = [guest("web1", "tiny", 10), guest("loghost", "loghost", 20, kind="loghost")]
    with Honeynet(guests, forwards=LOGHOST_FORWARDS) as net:
        net.up()
        p = net.skep("demo", timeout=240)
        t.note(p.stdout + p.stderr)
        t.equal(p.returncode, 0, "skep demo runs to its end")
        t.check("20" in p.stdout and "limit" in p.stdout, "the limit stopped the attack")
        shown = re.findall(r"(skep (?:events|pcap|status|sessions|replay)[^\n`]*)", p.stdout)
        t.check(len(shown) >= 4, f"{len(shown)} commands are shown", p.stdout)
        t.check(re.search(r"skep sessions show \w{11}", p.stdout), "its own visit was recorded", p.stdout[-1500:])
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
        p = net.skep("demo", "--no-replay", timeout=240)
        t.check("as it looked" not in p.stdout, "--no-replay leaves it out")
        t.equal(p.returncode, 0, "a second demo within the hour also ends well")
        t.check("used" in p.stdout or "hour" in p.stdout, "... and says that the budget is used",
                p.stdout[-1500:])


tap.run(main)
