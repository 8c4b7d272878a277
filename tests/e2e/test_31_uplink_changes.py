#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest site
"""What happens to an uplink in the course of a year, mode nat with the host's only address shared: the link flaps,
another router takes over, DHCP gives other addresses. The honeynet follows within seconds and the
operator always gets in. A virtual machine has the host's address as well as a bare port has."""
import os
import signal
import time

import common  # noqa
import carry
import frames
import sites
import tap
from honeynet import INTRUDER, Honeynet, need, wait_for

SSH = 2222  # the operator moved his own, so that 22 is the honeypot's
NETWORK = {"inside6": "fd00:99::/64"}
LATER = "203.0.113.6"


def follows(t, site, net, operator):
    """What happens to an uplink in the course of a year."""
    def back(address=sites.SERVER, six=sites.SERVER6, seconds=15):
        begin = time.monotonic()
        good = wait_for(lambda: site.fetch("intruder", address, timeout=2) == f"you are {INTRUDER}\n", seconds, 0.2)
        good6 = wait_for(lambda: site.fetch("intruder", six, timeout=2), seconds, 0.2)
        return good and good6, time.monotonic() - begin
    for what, change in (("the link flapped", site.flap),
                         ("the host set its link up anew", site.restart_network),
                         ("another router took over", site.new_router)):
        change()
        good, seconds = back()
        t.check(good, f"reachable again after {what} ({seconds:.1f} s)", net.log())
        carry.operator_is_well(t, site, operator, f"after {what}")
    t.check(wait_for(lambda: net.run_in(net.guest_ns("bare"), "curl", "-sS", "-m", "3", f"http://{sites.WEB}/",
                                        timeout=20).stdout == f"you are {sites.SERVER}\n", 20, 1),
            "what the guest begins goes by the new router")
    site.readdress(sites.SERVER, sites.SERVER_NEW)
    good, seconds = back(sites.SERVER_NEW)
    t.check(good, f"the honeypot has the host's new address ({seconds:.1f} s)", net.log())
    t.check(site.can_login(sites.SERVER_NEW), "... and the operator logs in there")
    carry.host_works(t, site, sites.SERVER_NEW, when=" by its new address")
    t.check(site.fetch("intruder", sites.SERVER, timeout=2) is None, "nobody answers at the old one")
    site.readdress(sites.SERVER_NEW, LATER, sites.SERVER6, sites.SERVER6_NEW)
    good, seconds = back(LATER, sites.SERVER6_NEW)
    t.check(good, f"... and both new ones, the next time ({seconds:.1f} s)", net.log())
    t.check(site.can_login(LATER) and site.can_login(sites.SERVER6_NEW), "... the operator logs in there")


def advertisements(t, site, net):
    """A router's advertisement is the host's to hear."""
    site.run("server", "sysctl", "-qw", "net.ipv6.conf.eth0.accept_ra=2", check=True)
    mac = net.link_mac(site.path("router"), "lan")
    ra = frames.icmp6("fe80::77", "ff02::1", 134, 0, bytes([64, 0, 0, 60]) + bytes(8))
    net.port(site.path("router"), "lan").send(
        frames.eth("33:33:00:00:00:01", mac, 0x86DD, frames.ipv6("fe80::77", "ff02::1", 58, ra, hops=255)))
    got = wait_for(lambda: "proto ra" in site.run("server", "ip", "-6", "route").stdout, 4, 0.2)
    t.check(got, "a router's advertisement is the host's", site.run("server", "ip", "-6", "route").stdout)


def bare(t, site):
    with Honeynet([carry.shared("bare", "none")], mode="nat", network=NETWORK, home=site.path("server"),
                  outside=site.path("intruder")) as net:
        operator = site.session()
        net.up()
        carry.confirmed(t, site, net)
        carry.dressed(site, net, "bare")
        follows(t, site, net, operator)
        advertisements(t, site, net)
        t.equal(net.down().returncode, 0, "down")


def machine(t, site):
    with Honeynet([carry.shared("web1", "tiny")], mode="nat", network=NETWORK, home=site.path("server"),
                  outside=site.path("intruder")) as net:
        operator = site.session()
        net.up()
        carry.confirmed(t, site, net)
        carry.real_guest(t, site, net, "web1", sites.SERVER, sites.SERVER6)
        for what, pid in (("keeper", lambda: net.role_pid("keeper")), ("the machine", lambda: net.qemu_pid("web1"))):
            before = pid()
            if t.check(before > 1, f"{what} runs", net.status()):
                os.kill(before, signal.SIGKILL)
                t.check(wait_for(lambda: pid() not in (0, before), 15, 0.2), f"{what} is back after kill -9", net.log())
        carry.operator_is_well(t, site, operator, "beside a virtual machine that was killed")
        t.check(wait_for(lambda: "in-42" in net.ssh("web1", "echo in-$((40+2))", address=sites.SERVER, timeout=40).stdout,
                         60, 1), "... which answers again", net.log())


def main(t):
    need("ssh", "sshpass", "curl", "ping")
    with sites.Site("shared", hop_mtu=1400, ssh_port=SSH) as site:
        machine(t, site)
        bare(t, site)


tap.run(main)
