#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest
"""Done-when 1 to 4, mode nat with the host's only address shared: every port is the honeypot's but the operator's own.
Everything is carried, the host's and its containers' own business goes on, and a flood of a million flows
costs the operator no login and the host's connection tracking nothing."""
import subprocess
import sys
import time

import common  # noqa
import carry
import sites
import tap
from honeynet import INTRUDER, Honeynet, flood_program, guest, need, sanitized, wait_for

SSH = 2222  # the operator moved his own, so that 22 is the honeypot's
NETWORK = {"inside6": "fd00:99::/64"}
FLOWS = 1_000_000
FORWARD = [{"port": 24, "proto": "tcp", "guest": "logs", "guest_port": 22, "sources": ["198.51.100.0/24"]}]
QUICK = {"caps": {k: "none" for k in ("guest_bytes", "flow_bytes", "guest_pps", "flow_pps")}}  # this is not about rates


def logs():
    return guest("logs", "none", 20, kind="loghost", inside6="fd00:99::20")


def forward(t, site, net):
    site.serve_at(net.guest_ns("logs"), "http:22")
    t.equal(site.fetch("intruder", sites.SERVER, port=24), f"you are {INTRUDER}\n",
            "port 24 leads to the loghost")
    t.check(site.fetch("other", sites.SERVER, port=24, timeout=3) is None, "... from listed sources only")


LEASE = """import socket,sys
s=socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET,socket.SOCK_DGRAM);s.bind(('',int(sys.argv[2])))
"""


def leases(t, site):
    """A lease that is offered is the host's to take, though nobody listened at `up`."""
    for client, server, a, b in ((sites.SERVER, sites.ROUTER, 68, 67), (sites.SERVER6, sites.ROUTER6, 546, 547)):
        p = site.start("server", sys.executable, "-c", LEASE + "s.settimeout(8);print('listens',flush=True);"
                       "print(s.recv(99))", client, str(a), stdout=subprocess.PIPE)
        p.stdout.readline()
        site.run("router", sys.executable, "-c", LEASE + f"s.sendto(b'offer',('{client}',{a}))", server, str(b))
        t.equal(p.stdout.readline(), b"b'offer'\n", f"what comes to port {a} is the host's")


def flood(t, site, net, operator):
    """A million conversations from as many sources, while a new login is made."""
    mac = {who: net.link_mac(site.path(w), link) for who, w, link in
           (("router", "router", "lan"), ("server", "server", "eth0"))}
    count, rate = (FLOWS, 60000) if not sanitized() else (FLOWS // 10, 10000)
    p = site.start("router", flood_program(), "lan", mac["router"], mac["server"], sites.SERVER, str(count), str(rate),
                   stdout=subprocess.PIPE)
    time.sleep(1)
    logins, highest, begin = 0, 0, time.monotonic()
    while p.poll() is None and time.monotonic() - begin < 120:
        logins += site.can_login() if logins < 5 else 0
        highest = max(highest, site.conntrack())
        if logins == 1:
            t.equal(site.fetch("server", sites.WEB, timeout=20), f"you are {sites.SERVER}\n",
                    "during the flood the host's own connections work")
            t.check(operator.alive(), "... and the operator's session")
            t.check(p.poll() is None, "... (it still runs)")
            logins += 1
        time.sleep(0.2)
    sent = p.stdout.read().decode()
    t.check(str(count) in sent, f"{count} flows sent in {time.monotonic() - begin + 1:.0f} s", sent)
    t.check(logins > 2, "new logins of the operator worked meanwhile")
    t.check(highest < 1000, f"the host's connection tracking saw nothing of it (at most {highest})")
    t.check(wait_for(lambda: site.fetch("intruder", sites.SERVER), 30, 1), "the honeypot answers after it")


def bare(t, site):
    before = site.snapshot()
    with Honeynet([carry.shared("bare", "none"), logs()], mode="nat", network=NETWORK, wall=QUICK, forwards=FORWARD,
                  home=site.path("server"), outside=site.path("intruder")) as net:
        operator = site.session()
        net.up()
        carry.confirmed(t, site, net)
        address = sites.SERVER, sites.SERVER6
        carry.everything(t, site, net, "bare", *address)
        carry.in_events(t, net, "bare", public=sites.SERVER)
        forward(t, site, net)
        leases(t, site)
        carry.host_works(t, site)
        carry.operator_is_well(t, site, operator, "beside the honeypot")
        carry.proved(t, net)
        carry.kept_away(t, site, net, "bare")
        carry.kept_from_host(t, site, net, "bare", [*address, "172.17.0.1"], SSH)
        flood(t, site, net, operator)
        carry.operator_is_well(t, site, operator, "after the flood")
        t.equal(net.down().returncode, 0, "down")
        t.equal(site.changed(before), [], "the host is as before")
        t.check(site.fetch("intruder", sites.SERVER, timeout=3) is None, "nobody answers at port 80 any more")


def main(t):
    need("ssh", "curl", "ping", "traceroute")
    with sites.Site("shared", hop_mtu=1400, ssh_port=SSH) as site:
        bare(t, site)


tap.run(main)
