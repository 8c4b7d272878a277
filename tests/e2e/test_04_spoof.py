#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces asan
"""Done-when 4, first half: a frame with a foreign source MAC, IPv4 or IPv6 address, and one to any
off-limits destination, leaves no port. Every frame is sent as a guest could send it; all ports are
watched; the wall's counters must name the reason."""
import struct
import time

import common  # noqa
import frames as f
import tap
from honeynet import (GATEWAY, GATEWAY_MAC, INTRUDER, WEB, WEB6, Honeynet, guest, wait_for)

A, B = guest("alice", "none", 30), guest("bob", "none", 31)
AMAC, A4, A6 = A["mac"], A["inside"], A["inside6"]
BMAC, B4, B6 = B["mac"], B["inside"], B["inside6"]
BROAD, FOREIGN = "ff:ff:ff:ff:ff:ff", "02:66:66:66:66:66"
LL = "fe80::5054:ff:fe99:001e"


def udp_to(dst, src=None, smac=AMAC, dmac=GATEWAY_MAC, **kw):
    src = src or (A6 if ":" in dst else A4)
    return f.eth(dmac, smac, 0x86DD if ":" in dst else 0x0800,
                 f.packet(src, dst, 17, f.udp(src, dst, 4444, 9, b"leak"), **kw))


def syn_to(dst, dport=80, src=None, smac=AMAC, dmac=GATEWAY_MAC):
    src = src or (A6 if ":" in dst else A4)
    return f.eth(dmac, smac, 0x86DD if ":" in dst else 0x0800,
                 f.packet(src, dst, 6, f.tcp(src, dst, 4445, dport)))


def spoofed():
    """(what, frame): speaking with somebody else's addresses."""
    yield "source MAC of nobody", udp_to(WEB, smac=FOREIGN)
    yield "source MAC of another guest", udp_to(WEB, smac=BMAC)
    yield "source MAC of the gateway", udp_to(WEB, smac=GATEWAY_MAC)
    yield "source MAC multicast", udp_to(WEB, smac="01:00:5e:00:00:01")
    for src in (B4, "10.99.0.99", "8.8.8.8", INTRUDER, "203.0.113.30", "127.0.0.1", "0.0.0.0",
                "255.255.255.255", "224.0.0.1", GATEWAY):
        yield f"source {src}", udp_to(WEB, src=src)
        yield f"source {src} with TCP", syn_to(WEB, src=src)
    yield "another guest's address to a guest", udp_to(A4, src=B4, dmac=BMAC)
    for src in (B6, "2001:db8:113::99", "2001:db8:66::66", "::", "::1", "ff02::1", "fe80::1",
                "fe80::dead", "::ffff:8.8.8.8"):
        yield f"source {src}", udp_to(WEB6, src=src)
    yield "own link-local address to the Internet", udp_to(WEB6, src=LL)


def neighbour():
    yield "ARP claiming the gateway", f.eth(BROAD, AMAC, 0x0806, f.arp(
        2, AMAC, GATEWAY, BROAD, GATEWAY))
    yield "ARP claiming another guest", f.eth(BMAC, AMAC, 0x0806, f.arp(2, AMAC, B4, BMAC, GATEWAY))
    yield "ARP request with a foreign sender", f.eth(BROAD, AMAC, 0x0806, f.arp(
        1, FOREIGN, A4, "00:00:00:00:00:00", B4))
    yield "ARP request for another guest", f.eth(BROAD, AMAC, 0x0806, f.arp(
        1, AMAC, A4, "00:00:00:00:00:00", B4))
    na = struct.pack("!I", 0x60000000) + f.ip(B6) + b"\x02\x01" + f.mac(AMAC)
    yield "NA claiming another guest", f.eth("33:33:00:00:00:01", AMAC, 0x86DD, f.ipv6(
        A6, "ff02::1", 58, f.icmp6(A6, "ff02::1", 136, 0, na), hops=255))
    yield "NA with a foreign source", f.eth(BMAC, AMAC, 0x86DD, f.ipv6(
        B6, A6, 58, f.icmp6(B6, A6, 136, 0, na), hops=255))
    ns = struct.pack("!I", 0) + f.ip(B6) + b"\x01\x01" + f.mac(AMAC)
    yield "NS for another guest", f.eth("33:33:ff:00:00:31", AMAC, 0x86DD, f.ipv6(
        A6, "ff02::1:ff00:31", 58, f.icmp6(A6, "ff02::1:ff00:31", 135, 0, ns), hops=255))
    ra = struct.pack("!BBHII", 64, 0xC0, 1800, 0, 0) + b"\x01\x01" + f.mac(AMAC)
    for src in (LL, "fe80::1"):
        yield f"router advertisement from {src}", f.eth("33:33:00:00:00:01", AMAC, 0x86DD, f.ipv6(
            src, "ff02::1", 58, f.icmp6(src, "ff02::1", 134, 0, ra), hops=255))
    yield "router solicitation", f.eth("33:33:00:00:00:02", AMAC, 0x86DD, f.ipv6(
        LL, "ff02::2", 58, f.icmp6(LL, "ff02::2", 133, 0, struct.pack("!I", 0)), hops=255))
    redirect = struct.pack("!I", 0) + f.ip("fe80::dead") + f.ip(WEB6)
    yield "ICMPv6 redirect", f.eth(BMAC, AMAC, 0x86DD, f.ipv6(
        "fe80::1", B6, 58, f.icmp6("fe80::1", B6, 137, 0, redirect), hops=255))
    yield "ICMP redirect", f.eth(BMAC, AMAC, 0x0800, f.ipv4(
        A4, B4, 1, f.icmp(5, 1, 0, 0, f.ipv4(B4, WEB, 17, b"\0" * 8))))
    boot = b"\x01\x01\x06\0" + b"\0" * 24 + f.mac(AMAC) + b"\0" * 202 + b"\x63\x82\x53\x63\x35\x01\x01\xff"
    yield "DHCP discover", f.eth(BROAD, AMAC, 0x0800, f.ipv4(
        "0.0.0.0", "255.255.255.255", 17, f.udp("0.0.0.0", "255.255.255.255", 68, 67, boot)))
    yield "DHCP offer", f.eth(BROAD, AMAC, 0x0800, f.ipv4(
        A4, "255.255.255.255", 17, f.udp(A4, "255.255.255.255", 67, 68, b"\x02" + boot[1:])))
    yield "DHCPv6 solicit", f.eth("33:33:00:01:00:02", AMAC, 0x86DD, f.ipv6(
        LL, "ff02::1:2", 17, f.udp(LL, "ff02::1:2", 546, 547, b"\x01abc")))


def off_limits():
    v4 = ("10.0.0.1", "10.99.1.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1",
          "169.254.169.254", "127.0.0.1", "0.0.0.1", "224.0.0.251", "239.1.1.1", "240.0.0.1",
          "255.255.255.255", "10.99.0.255", "10.99.0.77", GATEWAY, "198.18.0.1", "192.0.0.1")
    v6 = ("::1", "::", "fc00::1", "fd12::1", "fe80::99", "ff02::1", "ff0e::1", "::ffff:10.0.0.1",
          "64:ff9b::a00:1", "fec0::1", "fd00:ec2::254")
    for dst in v4 + v6:
        yield f"UDP to {dst}", udp_to(dst)
        yield f"TCP to {dst}", syn_to(dst)
        if ":" not in dst:
            yield f"ping {dst}", f.eth(GATEWAY_MAC, AMAC, 0x0800, f.ipv4(A4, dst, 1,
                                                                         f.icmp(8, 0, 7, 1)))


def mail():
    yield "mail (tcp/25)", syn_to(WEB, dport=25)
    yield "mail over IPv6", syn_to(WEB6, dport=25)


def odd():
    inner = f.ipv4(A4, WEB, 17, f.udp(A4, WEB, 4444, 9))
    yield "VLAN-tagged", f.eth(GATEWAY_MAC, AMAC, 0x0800, inner, vlan=7)
    yield "double-tagged", f.eth(GATEWAY_MAC, AMAC, 0x8100, struct.pack("!HH", 5, 0x0800) + inner,
                                 vlan=7)
    for kind in (0x88CC, 0x888E, 0x8863, 0x8864, 0x8847, 0x88A8, 0x9000, 0x0842, 0x22F0):
        yield f"ethertype {kind:04x}", f.eth(BMAC, AMAC, kind, b"\x01" * 60)
    yield "802.3 spanning tree", f.eth("01:80:c2:00:00:00", AMAC, 38, b"\x42\x42\x03" + b"\0" * 35)
    yield "broadcast IPv4", udp_to("10.99.0.255", dmac=BROAD)
    yield "multicast DNS", udp_to("224.0.0.251", dmac="01:00:5e:00:00:fb")
    yield "unknown unicast MAC", udp_to(WEB, dmac=FOREIGN)
    yield "unicast to a broadcast MAC", udp_to(B4, dmac=BROAD)
    yield "TTL of 1", udp_to(WEB, ttl=1)
    yield "hop limit of 1", udp_to(WEB6, hops=1)
    yield "TCP ACK of no conversation", f.eth(GATEWAY_MAC, AMAC, 0x0800, f.ipv4(
        A4, WEB, 6, f.tcp(A4, WEB, 4446, 80, flags=0x10, ack=5)))
    yield "TCP RST of no conversation", f.eth(GATEWAY_MAC, AMAC, 0x0800, f.ipv4(
        A4, WEB, 6, f.tcp(A4, WEB, 4446, 80, flags=4)))
    yield "TCP SYN+FIN", f.eth(GATEWAY_MAC, AMAC, 0x0800, f.ipv4(
        A4, WEB, 6, f.tcp(A4, WEB, 4447, 80, flags=3)))
    yield "ICMP error about nothing known", f.eth(GATEWAY_MAC, AMAC, 0x0800, f.ipv4(
        A4, WEB, 1, f.icmp(3, 1, 0, 0, f.ipv4(WEB, A4, 17, b"\0" * 8))))
    yield "echo reply nobody asked for", f.eth(GATEWAY_MAC, AMAC, 0x0800, f.ipv4(
        A4, WEB, 1, f.icmp(0, 0, 9, 9)))
    yield "lone middle fragment", f.eth(GATEWAY_MAC, AMAC, 0x0800, f.ipv4(
        A4, WEB, 17, b"z" * 64, frag=0x2000 | 10))
    yield "fragment that cuts the TCP header", f.eth(GATEWAY_MAC, AMAC, 0x0800, f.ipv4(
        A4, WEB, 6, f.tcp(A4, WEB, 4448, 80)[:8], frag=0x2000))
    yield "IPv6 lone fragment", f.eth(GATEWAY_MAC, AMAC, 0x86DD, f.ipv6(
        A6, WEB6, 44, struct.pack("!BBHI", 17, 0, (20 << 3) | 1, 77) + b"z" * 32))
    yield "IPv4 source route option", f.eth(GATEWAY_MAC, AMAC, 0x0800, f.ipv4(
        A4, WEB, 17, f.udp(A4, WEB, 4444, 9), options=b"\x83\x07\x04" + f.ip("10.0.0.1") + b"\0"))
    yield "IPv6 routing header", f.eth(GATEWAY_MAC, AMAC, 0x86DD, f.ipv6(
        A6, WEB6, 43, struct.pack("!BBBBI", 17, 2, 0, 1, 0) + f.ip(B6) + f.udp(A6, B6, 4444, 9)))
    yield "IPv4 in IPv4 to off limits", f.eth(GATEWAY_MAC, AMAC, 0x0800, f.ipv4(
        A4, "10.0.0.1", 4, inner))
    yield "IPv4 header says more than there is", f.eth(GATEWAY_MAC, AMAC, 0x0800,
                                                       inner[:2] + b"\x05\xdc" + inner[4:])
    yield "IPv4 bad header length", f.eth(GATEWAY_MAC, AMAC, 0x0800, b"\x41" + inner[1:])
    yield "IPv4 bad checksum", f.eth(GATEWAY_MAC, AMAC, 0x0800, inner[:10] + b"\xde\xad" + inner[12:])
    yield "version 5", f.eth(GATEWAY_MAC, AMAC, 0x0800, b"\x55" + inner[1:])


# "IPv4 source route" and "IPv6 routing header" may pass if they are judged by their true
# destination; these are the only frames above for which silence is not demanded.
GROUPS = (("spoofed source", spoofed, {"spoofed-mac", "spoofed-addr", "multicast", "malformed"}),
          ("neighbour tricks", neighbour, {"neigh-refused", "replied", "dhcp", "neigh-budget",
                                           "multicast", "spoofed-addr", "icmp-type"}),
          ("off limits", off_limits, {"off-limits", "multicast", "not-for-us", "closed",
                                       "malformed"}),
          # the sink takes it, which is no other guest and not outside
          ("mail", mail, {"none"}),
          ("odd frames", odd, {"vlan", "ethertype", "not-for-us", "ttl", "no-flow", "fragment",
                               "malformed", "multicast", "off-limits", "icmp-type", "bad-csum"}))


def reasons(net):
    return net.status().get("wall", {}).get("reasons", {})


def group(t, net, what, make, allowed, alice, watch):
    """Sends a group frame by frame; each must leave no port but as the wall's own answer."""
    before, count = reasons(net), 0
    for name, frame in make():
        marks = [(s, s.mark()) for s in watch]
        alice.send(frame)
        count += 1
        time.sleep(0.03)
        leaks = [x for s, m in marks for x in s.since(m, out=False)
                 if x.smac != GATEWAY_MAC or x.kind in (0x0800, 0x86DD) and x.proto != 58]
        if leaks:
            t.check(False, f"{what}: {name}: nothing leaves any other port", leaks)
    time.sleep(0.2)
    after = wait_for(lambda: reasons(net), 3)
    grown = {k: after.get(k, 0) - before.get(k, 0) for k in after
             if after.get(k, 0) != before.get(k, 0)}
    t.check(count > 0, f"{what}: {count} frames sent one by one, none left another port")
    t.check(sum(v for k, v in grown.items() if k in allowed) >= count * 0.8 and
            (grown.get("none", 0) == 0 or "none" in allowed) and grown.get("forward", 0) == 0,
            f"{what}: counted by reason", grown)
    t.note(f"{what}: {grown}")


def outside_in(t, net, watch, alice):
    """The other way: what the outside may not send to a guest."""
    out = net.port(net.lab, "uplink0")
    mac, wall_mac = net.link_mac(net.lab, "uplink0"), net.gate_mac()
    if not t.check(wall_mac, "the wall answers ARP for a public address outside"):
        return
    side = net.sniff(net.guest_ns("alice"), "eth0")
    cases = [
        ("inside address as destination", "10.99.0.30", INTRUDER, wall_mac),
        ("address of no guest", "203.0.113.77", INTRUDER, wall_mac),
        ("a guest's public address as source", "203.0.113.30", "203.0.113.31", wall_mac),
        ("an inside address as source", "203.0.113.30", "10.99.0.31", wall_mac),
        ("the gateway as source", "203.0.113.30", GATEWAY, wall_mac),
        ("broadcast", "255.255.255.255", INTRUDER, BROAD),
        ("loopback as source", "203.0.113.30", "127.0.0.1", wall_mac),
        ("multicast as source", "203.0.113.30", "224.0.0.1", wall_mac),
        ("frame for another MAC", "203.0.113.30", INTRUDER, FOREIGN),
    ]
    for name, dst, src, dmac in cases:
        mark = side.mark()
        out.send(f.eth(dmac, mac, 0x0800, f.ipv4(src, dst, 17, f.udp(src, dst, 5, 6))))
        time.sleep(0.05)
        t.equal([repr(x) for x in side.since(mark, out=False) if x.kind == 0x0800], [],
                f"from outside: {name}: reaches no guest")


def control(t, net, alice, watch):
    """The same sender is heard when it speaks properly: else silence would prove nothing."""
    for dst, want in ((WEB, watch[0]), (WEB6, watch[0]), (B4, watch[1]), (B6, watch[1])):
        mark = want.mark()
        dmac = GATEWAY_MAC if dst in (WEB, WEB6) else BMAC
        alice.send(udp_to(dst, dmac=dmac))
        got = wait_for(lambda: [x for x in want.since(mark, out=False) if x.dst == dst], 3)
        t.check(got, f"a proper packet to {dst} arrives")
        if got and dst == WEB:
            t.equal((got[0].src, got[0].raw[22]), ("203.0.113.30", 63),
                    "... from the public address with its TTL lowered")
        if got and dst == B4:
            t.equal((got[0].src, got[0].smac, got[0].raw[22]), (A4, AMAC, 64),
                    "... from a neighbour with MAC and TTL as sent")


def main(t):
    with Honeynet([A, B, guest("loghost", "none", 20, kind="loghost")],
                  wall={"limits": {"udp": "4000/1h", "tcp": "4000/1h", "icmp": "4000/1h",
                                   "other": "4000/1h", "neigh": "4000/1m"}}) as net:
        net.up()
        for g in ("alice", "bob", "loghost"):
            net.run_in(net.guest_ns(g), "sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1")
        time.sleep(1)
        alice = net.port_of("alice")
        watch = [net.sniff_outside(), net.sniff(net.guest_ns("bob"), "eth0"),
                 net.sniff(net.guest_ns("loghost"), "eth0")]
        control(t, net, alice, watch)
        for what, make, allowed in GROUPS:
            group(t, net, what, make, allowed, alice, watch)
        outside_in(t, net, watch, alice)


tap.run(main)
