#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest site
"""Done-when 1, 2 and 4, mode nat with alias addresses: a server with free addresses beside its own. Everything
is carried to the honeypots with real source addresses, the host keeps what is its own, nothing of a guest
reaches it or its neighbours, and after `down` it is as before."""
import common  # noqa
import carry
import sites
import tap
from honeynet import Honeynet, guest, need

BARE, BARE6 = "203.0.113.11", "2001:db8:113::11"
WEB1, WEB16 = "203.0.113.10", "2001:db8:113::10"
QUICK = {"caps": {k: "none" for k in ("guest_bytes", "flow_bytes", "guest_pps", "flow_pps")}}  # this is not about rates


def main(t):
    need("ssh", "sshpass", "curl", "ping", "traceroute")
    with sites.Site("alias", hop_mtu=1400) as site:
        before = site.snapshot()
        with Honeynet([guest("web1", "tiny", 10), guest("bare", "none", 11)], mode="nat", wall=QUICK,
                      home=site.path("server"), outside=site.path("intruder")) as net:
            operator = site.session()
            p = net.up()
            t.check("--confirm" in p.stdout + p.stderr, "up says how to confirm", p.stdout + p.stderr)
            carry.confirmed(t, site, net)
            carry.only_added(t, site, before)
            carry.everything(t, site, net, "bare", BARE, BARE6)
            carry.in_events(t, net, "bare", public=BARE)
            carry.host_works(t, site)
            t.check(operator.alive() and site.can_login() and site.can_login(sites.SERVER6),
                    "the operator's session is open, and new logins work")
            carry.proved(t, net)
            carry.kept_away(t, site, net, "bare", [sites.ROUTER])
            carry.kept_from_host(t, site, net, "bare", [sites.SERVER, sites.SERVER6, "172.17.0.1"])
            carry.answers_nobody_else(t, site, net, BARE, BARE6, [sites.SERVER, sites.SERVER6])
            p = site.run("server", "ping", "-c", "1", "-W", "1", "10.99.0.11")
            t.check(p.returncode != 0, "the host has no way to inside addresses", p.stdout)
            # Not so over IPv6: the guest takes the whole /64 for its own link, and there nobody but guests answers.
            t.check("you are" in (site.fetch("neighbour", BARE) or ""), "a neighbour on the same link reaches the honeypot")
            carry.real_guest(t, site, net, "web1", WEB1, WEB16)
            p = net.down()
            t.equal(p.returncode, 0, "down")
            t.equal(site.changed(before), [], "the host is as before")
            t.check(operator.alive(), "the operator's session is still open")
            t.check(site.fetch("intruder", BARE, timeout=3) is None, "nobody answers at the honeypot's address")
            carry.host_works(t, site, when=" after it")


tap.run(main)
