#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces asan site
"""Done-when 1 and 2: never locked out. On a server with one address the operator starts, confirms, lets roll
back, reloads, kills and stops the honeynet from his ssh session. At each step that session is open,
a new login works over IPv4 and IPv6, and what is gone has left the host as it was."""
import os
import re
import signal
import time

import common  # noqa
import carry
import sites
import tap
from day import CONFIRM_S, Day
from honeynet import need, wait_for



def rolls_back(t, day):
    out = day.up()
    t.check("--confirm" in out, "up says how to confirm", out)
    day.well("after up")
    code, out = day.skep("status")
    t.check(code == 0 and "confirm" in out, "status says that it waits for it", out)
    code, out = day.skep("up", "--confirm")
    t.check(code not in (0, None), "confirming from the session that ran up is refused", f"{code} {out}")
    t.check("new" in out or "another" in out, "... and it says why", out)
    begin = time.monotonic()
    ended = wait_for(lambda: not day.net.processes(), CONFIRM_S + 15, 0.3)
    t.check(ended, f"without it all is rolled back ({time.monotonic() - begin:.0f} s later)", day.net.log())
    day.gone("the roll-back")
    day.well("after the roll-back")
    code, out = day.skep("status")
    t.check(re.search("roll|confirm", out), "status tells of it", out)


def goes_on(t, day):
    day.up()
    day.confirm()
    day.well("after --confirm")
    time.sleep(CONFIRM_S + 2)
    t.check(day.answers(), "confirmed, it stays")
    code, out = day.skep("rules", "reload")
    t.check(code == 0, "rules reload", out)
    day.well("after a reload")
    t.check(day.answers(), "... and the honeypot answers")


def roles_die(t, day):
    for role in ("wall", "recorder", "hub", "ledger", "sink"):
        pid = day.net.role_pid(role)
        if not t.check(pid > 1, f"{role} runs", day.net.status()):
            continue
        os.kill(pid, signal.SIGKILL)
        day.well(f"after kill -9 of {role}")
        t.check(wait_for(lambda: day.net.role_pid(role) not in (0, pid), 8, 0.1), f"... {role} is back", day.net.log())
        t.check(wait_for(day.answers, 10, 0.3), "... and the honeypot answers", day.net.log())
    guardian = day.net.guardian_pid()
    if t.check(guardian > 1, "a guardian runs", day.net.status()):
        os.kill(guardian, signal.SIGKILL)
        t.check(wait_for(lambda: day.net.guardian_pid() not in (0, guardian), 8, 0.1),
                "... another is there after kill -9 of it", day.net.log())
        day.well("after kill -9 of the guardian")


def super_dies(t, day):
    os.kill(day.net.super_pid(), signal.SIGKILL)
    day.well("after kill -9 of super")
    day.gone("kill -9 of super")
    t.check(day.operator.alive(), "... the session is open")
    carry.host_works(t, day.site, container=False, when=" after it")


def both_die(t, day):
    """super and its guardian: nobody is left to clean up, and still the host has its ports back."""
    day.up()
    day.confirm()
    guardian, boss = day.net.guardian_pid(), day.net.super_pid()
    for pid in (boss, guardian):  # stopped first: one must not see the other die
        os.kill(pid, signal.SIGSTOP)
    for pid in (guardian, boss):
        os.kill(pid, signal.SIGKILL)
    day.well("after kill -9 of super and its guardian")
    site = day.site
    late = site.serve("server", "http:80")  # not kept: it was not there at up
    site.run("server", "nft", "insert", "rule", "inet", "firewalld", "filter_INPUT", "tcp", "dport", "80", "accept", check=True)
    site.run("server", "iptables-legacy", "-I", "INPUT", "-p", "tcp", "--dport", "80", "-j", "ACCEPT", check=True)
    t.check(wait_for(lambda: site.fetch("intruder", sites.SERVER, timeout=2), 12, 0.5),
            "without a heartbeat all ports are the host's within seconds")
    late.kill()
    late.wait()
    handle = re.search(r"dport 80 accept # handle (\d+)", site.run(
        "server", "nft", "-a", "list", "chain", "inet", "firewalld", "filter_INPUT").stdout)[1]
    site.run("server", "nft", "delete", "rule", "inet", "firewalld", "filter_INPUT", "handle", handle, check=True)
    site.run("server", "iptables-legacy", "-D", "INPUT", "-p", "tcp", "--dport", "80", "-j", "ACCEPT", check=True)
    carry.host_works(t, site, when=" then")
    code, out = day.skep("down")
    t.equal(code, 0, "down clears what is left")
    day.gone("that")


def restarts(t, day):
    """As at a boot: nothing runs, a service manager starts it; what was confirmed asks nobody again."""
    service = day.service()
    day.dressed()
    day.well("after a restart as a service")
    time.sleep(CONFIRM_S + 3)
    t.check(service.poll() is None and day.answers(), "it was confirmed once and stays")
    service.terminate()
    day.well("while the service stops")
    t.check(wait_for(lambda: service.poll() is not None, 30), "the service ends when told to")
    day.gone("that")
    t.equal(service.poll(), 0, "... with exit code 0")


def ends(t, day):
    day.up()
    code, out = day.skep("down")
    t.check(code == 0, "down before anybody confirmed", out)
    day.well("after down")
    day.gone("down")


def main(t):
    need("ssh", "curl", "ping")
    with Day(t) as day:
        rolls_back(t, day)
        goes_on(t, day)
        roles_die(t, day)
        super_dies(t, day)
        both_die(t, day)
        restarts(t, day)
        ends(t, day)


tap.run(main)
