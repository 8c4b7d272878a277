#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces site
"""The real wire on bad days that somebody or something arranges: our programs are taken off one by one while the
wall speaks to the host's stack, super is killed after the uplink moved or got another name, a start is
confirmed by what only looks like a new connection, sshd moves, the host is given the honeypot's address."""
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import common  # noqa
import carry
import frames
import sites
import tap
from honeynet import SKEP, WEB, Honeynet, guest, need, wait_for

NETWORK = {"inside6": "fd00:99::/64"}
HEAR = """import socket,sys
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.bind(('',9999));s.settimeout(float(sys.argv[1]))
print('ready',flush=True)
try: print('heard',s.recv(99).decode(),flush=True)
except OSError: print('nothing',flush=True)
"""


def honeynet(site, *guests, **settings):
    return Honeynet(list(guests), mode="nat", network=NETWORK, home=site.path("server"), outside=site.path("intruder"),
                    **settings)


def alias(address="203.0.113.11"):
    return guest("bare", "none", 11, public=address, public6=None, inside6="fd00:99::11")


def killed(t, site, net, what):
    """While somebody looks whether it runs (`skep status`, a waiting `skep up`): that must not keep the guardian away."""
    guardian = net.guardian_pid()
    with open(f"{net.dir}/run/super.pid") as lock:
        os.kill(guardian, signal.SIGSTOP)  # so that we are the first
        os.kill(net.super_pid(), signal.SIGKILL)
        wait_for(lambda: looks(lock), 10, 0.02)
        os.kill(guardian, signal.SIGCONT)
        time.sleep(1)
    t.check(wait_for(lambda: not net.processes(), 15, 0.2), f"{what}: no process is left after kill -9 of super",
            net.processes())


def looks(lock):
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def left_at(site, link):
    """Classifiers and our queueing discipline at a link of the server."""
    run = [site.run("server", "tc", "filter", "show", "dev", link, side).stdout for side in ("ingress", "egress")]
    return "".join(run) + "".join(x for x in site.run("server", "tc", "qdisc", "show", "dev", link).stdout.splitlines()
                                  if "clsact" in x)


def wall_speaks_to_host(t, site, net):
    """Without our programs the wall's link ends at the host's stack, which must not listen there."""
    inner = re.search(r"\d+: (skep\d+)[@:]", site.run("server", "ip", "-o", "link").stdout)[1]
    mac = net.link_mac(site.path("server"), inner)
    outside = net.port(net.ns, "outside")

    def heard(seconds):
        p = site.start("server", sys.executable, "-c", HEAR, str(seconds), stdout=subprocess.PIPE)
        p.stdout.readline()
        for to in (mac, "ff:ff:ff:ff:ff:ff"):
            for src in (sites.OTHER, "203.0.113.11"):
                for dst in (sites.SERVER, "172.17.0.1", "255.255.255.255"):
                    outside.send(frames.eth(to, "02:00:00:00:00:77", 0x0800, frames.ipv4(
                        src, dst, 17, frames.udp(src, dst, 1234, 9999, b"from the wall"))))
        return p.communicate(timeout=10)[0].decode().strip()

    boss = net.super_pid()
    t.equal(heard(1), "nothing", "the fence stops what the wall says to the host")
    os.kill(boss, signal.SIGSTOP)  # so that it isn't mended meanwhile
    try:
        site.run("server", "tc", "qdisc", "del", "dev", inner, "clsact", check=True)
        t.equal(heard(1), "nothing", "... and if somebody took it away, the host's stack hears nothing either")
    finally:
        os.kill(boss, signal.SIGCONT)
    t.check(wait_for(lambda: "skep_wall" in left_at(site, inner), 10, 0.2), "... it is mended", net.log())


def renamed(t, site, net):
    site.ip("server", "link set eth0 down", "link set eth0 name wan0", "link set wan0 up")
    t.check("skep_in" in left_at(site, "wan0"), "the uplink has another name, our programs are on it")
    killed(t, site, net, "with another name of the uplink")
    t.check(wait_for(lambda: left_at(site, "wan0") == "", 10, 0.2), "... nothing of ours is left on it",
            left_at(site, "wan0"))


def one_alias(t):
    with sites.Site("alias", rules=False, docker=False) as site, honeynet(site, alias()) as net:
        site.ip("server", "link add docker9 type bridge", "addr add 172.17.0.1/16 dev docker9", "link set docker9 up")
        net.up()
        carry.confirmed(t, site, net)
        yields(t, site, net)
        wall_speaks_to_host(t, site, net)
        renamed(t, site, net)


def moved(t):
    """The default route leads by another card now."""
    with sites.Site("bridge", rules=False, docker=False) as site, honeynet(site, alias()) as net:
        site.ip("server", "link set eth1 up", "addr add 203.0.113.18/28 dev eth1")
        before = site.snapshot()
        net.up()
        carry.confirmed(t, site, net)
        site.ip("server", f"route replace default via {sites.ROUTER_B}")
        t.check(wait_for(lambda: net.status().get("uplink", {}).get("link") == "eth1", 10, 0.2),
                "the honeynet follows the default route", net.log())
        t.check(wait_for(lambda: "skep_in" in left_at(site, "eth1"), 10, 0.2), "... its programs are there", net.log())
        killed(t, site, net, "after it moved")
        site.ip("server", f"route replace default via {sites.ROUTER} src {sites.SERVER}")
        t.equal(site.changed(before), [], "... and the host is as before")


def half_steered(t, site, net):
    """The program that remembers what the host begins is taken off, again and again."""
    for n in (1, 2):
        site.run("server", "tc", "filter", "del", "dev", "eth0", "egress", check=True)
        t.check(wait_for(lambda: site.fetch("server", WEB, timeout=2), 8, 0.3),
                f"the host goes on when half of our programs is gone ({n})", net.log())
        time.sleep(2.5)
        t.check(site.fetch("server", WEB, timeout=2), f"... and stays well ({n})", net.log())


def sshd_moves(t, site, net):
    """The operator gives his sshd another port, as guides advise, and logs in there before he leaves."""
    sshd = site.start("server", shutil.which("sshd"), "-D", "-e", "-f", f"{site.dir}/sshd_config", "-p", "2222",
                      "-o", f"PidFile={site.dir}/moved.pid")
    site.listens("server", 2222)
    site.ssh_port = 2222
    t.check(wait_for(site.can_login, 8, 0.3) and site.can_login(sites.SERVER6), "a login at the new port is the host's",
            net.log())
    t.check("tcp 22 2222" in net.status()["uplink"]["kept"], "... status tells of it", net.status()["uplink"])
    late = site.serve("server", "http:80")
    time.sleep(3)
    t.check(site.fetch("intruder", sites.SERVER, timeout=2) is None, "what else begins to listen is not")
    for p in (late, sshd):
        p.kill()
        p.wait()
    site.ssh_port = 22


def yields(t, site, net):
    """The host is given the honeypot's address: by DHCP, or by somebody who forgot about it."""
    http = site.serve("server", "http:80")
    t.check(site.fetch("intruder", "203.0.113.11", timeout=2) is None, "an alias is the honeypot's")
    site.ip("server", "addr add 203.0.113.11/32 dev eth0")
    t.check(wait_for(lambda: site.fetch("intruder", "203.0.113.11", timeout=2), 8, 0.3),
            "... and the host's own once the host has it", net.log())
    site.ip("server", "addr del 203.0.113.11/32 dev eth0")
    t.check(wait_for(lambda: net.status()["uplink"]["alias"] == ["203.0.113.11"], 8, 0.2), "... afterwards it goes back",
            net.status()["uplink"])
    http.kill()
    http.wait()


def looks_new(t, site, net, program, env):
    """`skep up --confirm` in a process that was there before; call to let it go on and to get what it said."""
    script = f"read x; exec 2>&1; SKEP_CONF={net.conf} {SKEP} up --confirm; echo code $?"
    p = site.start("server", "env", "-u", "SSH_CONNECTION", *env, program, "-c", script, stdin=subprocess.PIPE,
                   stdout=subprocess.PIPE)
    return lambda: p.communicate(b"\n", timeout=30)[0].decode()


def confirms(t):
    with sites.Site("shared", rules=False, docker=False) as site, honeynet(site, carry.shared("bare", "none")) as net:
        shutil.copy(os.path.realpath("/bin/sh"), f"{site.dir}/screen")
        stale = [f"SSH_CONNECTION={sites.OPERATOR} 4711 {sites.SERVER} 22"]
        mosh = looks_new(t, site, net, "sh", stale)
        screen = looks_new(t, site, net, f"{site.dir}/screen", [])
        net.up()
        out = mosh()
        t.check("before the start" in out and "code 1" in out, "a shell of a connection that ended before proves nothing", out)
        out = screen()
        t.check("screen or tmux" in out and "code 1" in out, "nor does a screen that anybody may look at", out)
        t.check(not net.status()["confirm"]["confirmed"], "... it is not confirmed", net.status()["confirm"])
        out = looks_new(t, site, net, "sh", stale)()
        t.check("code 0" in out, "a shell that came after the start does, though its connection ended (mosh)", out)
        sshd_moves(t, site, net)
        half_steered(t, site, net)
        t.equal(net.down().returncode, 0, "down")


def main(t):
    need("ssh", "curl", "tc")
    one_alias(t)
    moved(t)
    confirms(t)


tap.run(main)
