#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces site
"""Done-when 1, 2 and 4 on odd days, on a server with one address: a start that is cut short, a service that nobody
ever confirmed, a super that stands still, strangers who take our programs off or have their own, an sshd that is
started again, a guest that speaks in the name of the host's conversations. Never locked out; nothing is left."""
import os
import re
import signal
import subprocess
import sys
import time

import common  # noqa
import sites
import tap
from day import CONFIRM_S, Day
from honeynet import SKEP, need, wait_for

# One conversation of the host that lasts: prints its local port, then what comes.
TALK = """import socket,sys
s=socket.create_connection((sys.argv[1],7),5);print(s.getsockname()[1],flush=True)
for line in sys.stdin:
    s.sendall(line.encode());print(s.recv(99).decode(),end='',flush=True)
"""
THEIRS = ["tc", "filter", "add", "dev", "eth0", "ingress", "protocol", "ip", "prio", "500", "u32", "match", "ip", "dst",
          "9.9.9.9/32", "flowid", "1:1"]
# A guest that begins a conversation from a port of its choice.
FROM_PORT = """import socket,sys
s=socket.socket();s.setsockopt(1,2,1);s.settimeout(2);s.bind(('',int(sys.argv[1])))
try: s.connect((sys.argv[2],int(sys.argv[3])));print('open')
except OSError as e: print('no',e)
"""


def strangers(day):
    """Somebody's own filter is at the uplink already."""
    day.site.run("server", "tc", "qdisc", "add", "dev", "eth0", "clsact", check=True)
    day.site.run("server", *THEIRS, check=True)
    day.before = day.site.snapshot()


def cut_short(t, day):
    """kill -9 of everything that `skep up` has started, at several moments."""
    env = dict(os.environ, SKEP_CONF=day.net.conf, NO_COLOR="1")
    for delay in (0.1, 0.3, 0.7):
        p = day.site.start("server", SKEP, "up", env=env)
        time.sleep(delay)
        p.kill()
        p.wait()
        boss = day.net.super_pid()
        if boss > 1:
            os.kill(boss, signal.SIGKILL)
        t.check(day.operator.alive(), f"the operator's session is open after kill -9 {delay} s into `up`")
        time.sleep(0.5)
        code, out = day.skep("down")
        t.equal(code, 0, "... down succeeds")
        day.gone("that")


def stands_still(t, day):
    """Suspended, or starved: without a heartbeat the host has everything; afterwards it goes on."""
    boss = day.net.super_pid()
    os.kill(boss, signal.SIGSTOP)
    try:
        t.check(wait_for(lambda: not day.answers(), 12, 0.5), "super stands still: the honeypot is gone within seconds")
        day.well("meanwhile")
    finally:
        os.kill(boss, signal.SIGCONT)
    t.check(wait_for(day.answers, 10, 0.3), "... and is back when super goes on", day.net.log())


def taken_off(t, day):
    """Somebody clears the uplink's disciplines; programs are put in place again."""
    day.site.run("server", "tc", "qdisc", "del", "dev", "eth0", "clsact", check=True)
    day.well("when somebody took the programs off")
    t.check(wait_for(day.answers, 15, 0.3), "... they are put back", day.net.log())
    t.check(wait_for(lambda: day.net.events("health", role="uplink"), 5), "... an event tells it",
            day.net.events("health"))
    day.site.run("server", *THEIRS, check=True)


def sshd_again(t, day):
    site = day.site
    listener = int(open(f"{site.dir}/sshd.pid").read())
    os.kill(listener, signal.SIGTERM)
    wait_for(lambda: not os.path.exists(f"{site.dir}/sshd.pid"), 5)
    site.start_sshd()
    day.well("after sshd was started again")


def in_the_hosts_name(t, day):
    """The guest has the host's address, but not its ports and conversations."""
    site, ns = day.site, day.net.guest_ns("bare")
    talk = site.start("server", sys.executable, "-c", TALK, sites.OTHER, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    port = int(talk.stdout.readline())
    watch = day.net.sniff(site.path("other"), "eth0")
    for what, number, to in (("a kept port", 22, 80), ("a port of a conversation of the host", port, 7)):
        mark = watch.mark()
        p = day.net.run_in(ns, sys.executable, "-c", FROM_PORT, str(number), sites.OTHER, str(to), timeout=20)
        t.check(p.stdout.startswith("no"), f"a guest that speaks from {what} is not heard", p.stdout + p.stderr)
        seen = [f for f in watch.since(mark, out=False) if f.sport == number and f.is_syn]
        t.equal([repr(f) for f in seen], [], "... nothing of it arrives")
    p = day.net.run_in(ns, sys.executable, "-c", FROM_PORT, "4321", sites.OTHER, "80", timeout=20)
    t.check(p.stdout.startswith("open"), "... from any other port it is", p.stdout + p.stderr)
    talk.stdin.write(b"still here\n")
    talk.stdin.flush()
    t.equal(talk.stdout.readline(), b"still here\n", "the host's conversation was not disturbed")
    watch.stop()
    talk.kill()


def nobody_confirmed(t, day):
    """A service whose configuration changed since somebody confirmed it."""
    day.net.settings["uplink"]["keep"] = ["tcp/2222"]
    day.net.write_conf()
    service = day.service()
    day.dressed()
    taken_off(t, day)  # in another run than the link that was deleted: this is mended once a minute
    t.check(wait_for(lambda: service.poll() is not None, CONFIRM_S + 15, 0.3),
            "a service with another configuration than was confirmed rolls back", day.service_log())
    day.gone("that")
    code, out = day.skep("status")
    t.check(re.search("confirm", out), "status tells of it", out)


def twice(t, day):
    code, out = day.skep("up")
    t.check(code == 0, "a second up is no error", out)
    t.check(day.answers(), "... and changes nothing")


def link_gone(t, day):
    """Somebody deletes our link: the operator is not locked out, and another one is made."""
    links = re.findall(r"\d+: (skep\d+)[@:]", day.site.run("server", "ip", "-o", "link").stdout)
    if t.check(len(links) == 1, "our link is there", links):
        day.site.run("server", "ip", "link", "del", links[0], check=True)
        day.well("after our link was deleted")
        t.check(wait_for(day.answers, 20, 0.5), "... another one is made, and the honeypot answers", day.net.log())
        day.well("then")
        t.check([e for e in day.net.events("health", role="uplink") if e["health"]["what"] == "lost"],
                "... events tell it", day.net.events("health"))


def main(t):
    need("ssh", "curl", "ping")
    with Day(t) as day:
        strangers(day)
        cut_short(t, day)
        day.up()
        day.confirm()
        twice(t, day)
        in_the_hosts_name(t, day)
        sshd_again(t, day)
        stands_still(t, day)
        link_gone(t, day)
        code, out = day.skep("down")
        t.check(code == 0, "down", out)
        day.gone("down")
        nobody_confirmed(t, day)


tap.run(main)
