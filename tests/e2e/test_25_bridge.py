#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest site
"""Done-when 1, 2 and 4, mode bridge: a server with a second network card that is the honeynet's alone, guests with
real addresses of that network. Everything is carried, the host's own card is none of our business, the
card that carries the operator's session is refused, and after `down` all is as before."""
import common  # noqa
import carry
import sites
import tap
from honeynet import Honeynet, guest, need

NETWORK = {"inside": "203.0.113.16/28", "gateway": sites.ROUTER_B, "inside6": "2001:db8:114::/64",
           "gateway6": "fe80::1"}
BARE, BARE6 = "203.0.113.21", "2001:db8:114::21"
WEB1, WEB16 = "203.0.113.20", "2001:db8:114::20"


def lan_guest(name, image, v4, v6, n):
    return guest(name, image, n, inside=v4, inside6=v6, public=v4, public6=v6)


def refused(t, site, before):
    """The card by which the operator is logged in."""
    guests = [lan_guest("bare", "none", "203.0.113.11", "2001:db8:113::11", 11)]
    with Honeynet(guests, mode="bridge", uplink={"interface": "eth0"}, home=site.path("server"),
                  outside=site.path("intruder"),
                  network={"inside": "203.0.113.0/28", "gateway": sites.ROUTER, "inside6": "2001:db8:113::/64",
                           "gateway6": "fe80::1"}) as net:
        operator = site.session()
        code, out = operator.run(site.skep_line(net, "up"), 60)
        t.check(code not in (0, None) and "eth0" in out, "the card of the operator's session is refused",
                f"{code} {out}")
        t.check(operator.alive() and site.can_login(), "... and the operator is still there")
    t.equal(site.changed(before), [], "... nothing has changed")


def main(t):
    need("ssh", "sshpass", "curl", "ping", "traceroute")
    with sites.Site("bridge", hop_mtu=1400) as site:
        before = site.snapshot()
        refused(t, site, before)
        with Honeynet([lan_guest("web1", "tiny", WEB1, WEB16, 20), lan_guest("bare", "none", BARE, BARE6, 21)],
                      mode="bridge", uplink={"interface": "eth1"}, network=NETWORK, home=site.path("server"),
                      outside=site.path("intruder")) as net:
            operator = site.session()
            p = net.up()
            t.check("link addresses" in p.stdout + p.stderr, "up says that providers filter by MAC", p.stdout + p.stderr)
            carry.confirmed(t, site, net)
            carry.only_added(t, site, before)
            carry.everything(t, site, net, "bare", BARE, BARE6)
            carry.in_events(t, net, "bare")
            carry.host_works(t, site)
            t.check(operator.alive() and site.can_login() and site.can_login(sites.SERVER6),
                    "the operator's session is open, and new logins work")
            carry.proved(t, net)
            carry.kept_away(t, site, net, "bare", [sites.NEIGHBOUR_B, sites.NEIGHBOUR_B6])
            carry.kept_from_host(t, site, net, "bare", [sites.SERVER, sites.SERVER6])
            carry.answers_nobody_else(t, site, net, BARE, BARE6, [sites.SERVER, sites.SERVER6], "lan2",
                                      net.link_mac(net.guest_ns("bare"), "eth0"))
            t.check("you are" in (site.fetch("neighbour2", BARE) or ""), "a neighbour on the LAN reaches the honeypot")
            t.check("you are" in (site.fetch("neighbour2", BARE6) or ""), "... over IPv6")
            carry.real_guest(t, site, net, "web1", WEB1, WEB16)
            p = net.down()
            t.equal(p.returncode, 0, "down")
            t.equal(site.changed(before), [], "the host is as before")
            t.check(operator.alive(), "the operator's session is still open")
            t.check(site.fetch("intruder", BARE, timeout=3) is None, "nobody answers at the honeypot's address")


tap.run(main)
