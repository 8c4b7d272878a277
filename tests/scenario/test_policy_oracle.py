#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: alone
"""A million packets under random policies: what leaves the wall is what two models say, packet by packet,
byte by byte: tests/lib/policy_model.py, and policy_blind.py, which was written from docs/POLICY.md alone
by somebody who had seen neither the wall's code nor the other model.

$ORACLE_PACKETS: how many (1,000,000); $ORACLE_SEED: the first seed; $ORACLE_KEEP: folder for the files of
a run that differs.
"""
import collections
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
import policy_blind  # noqa: E402
import tap  # noqa: E402
from policy_model import (ACK, FIN, GW_MAC, ICMP, ICMP6, PEER_MAC, RST, SEC, SINK_MAC, SYN, TCP, UDP,  # noqa: E402
                          WALL_MAC, Model, address)

BUILD = os.environ.get("SKEP_BUILD", os.path.join(os.path.dirname(os.path.dirname(HERE)), "build"))
DRIVE = os.path.join(BUILD, "tests/lib/policy_drive")
EACH = 12500
TICK, ORDER, CRASH = 0xfff0, 0xfff1, 0xfff2
OUTSIDE4 = [address(f"198.51.100.{n}") for n in (1, 2, 3, 17, 66)] + \
    [address(f"192.0.2.{n}") for n in (10, 53, 80, 129, 200)] + [address("8.8.4.4")]
OUTSIDE6 = [address(f"2001:db8:66::{n}") for n in (1, 2, 66)] + [address("2001:db8:80::80")] + \
    [address("2001:db8:53::53"), address("2001:db8:80:1::5")]
FORBIDDEN4 = [address(a) for a in ("10.1.2.3", "10.99.0.77", "10.99.0.1", "192.168.1.1", "169.254.169.254",
                                   "224.0.0.5", "127.0.0.1", "203.0.113.200", "203.0.113.99")]
FORBIDDEN6 = [address(a) for a in ("fe80::1", "fd00::1", "2002::1", "ff02::1", "::ffff:1.2.3.4",
                                   "2001:db8:113::77")]
NETS = ["198.51.100.0/28", "192.0.2.128/25", "192.0.2.80", "2001:db8:66::/64", "10.0.0.0/8",
        "2001:db8:80::/48", "198.51.100.66", "fd00::/8", "8.0.0.0/7"]
PORTS = [22, 25, 53, 80, 123, 443, 445, 465, 514, 587, 8000, 8080, 6667, 31337]


# ---- policies -----------------------------------------------------------------------------------
def some(r, items, most):
    return r.sample(items, r.randint(1, min(most, len(items))))


def window(r, scale=1, unit=""):
    length = r.choice(["1s", "2s", "7s", "10s", "33s", "1m", "5m", "1h"])
    return f"{r.choice([1, 2, 3, 5, 8, 13, 20, 40]) * scale}{unit}/{length}"


def windows(r, scale=1, unit=""):
    return [window(r, scale, unit) for _ in range(r.choice([1, 1, 2, 3, 4]))]


def rule(r, names):
    v = {"verdict": r.choice(["forward", "limit", "limit", "limit", "limit", "drop", "reject", "redirect",
                              "redirect", "redirect", "reflect", "reflect", "reflect", "rewrite"])}
    if r.random() < .3:
        v["guests"] = some(r, names + ["honeypot", "odd"], 2)
    if r.random() < .7:
        v["proto"] = r.choice(["tcp", "udp", "icmp", "other", "any"])
    if r.random() < .8 or "proto" not in v:
        v["to"] = some(r, NETS + ["outside", "lateral", "resolver"] * 2, 3)
    if v.get("proto") in ("tcp", "udp") and r.random() < .5:
        v["ports"] = some(r, [str(p) for p in PORTS] + ["1-1023", "1024-65535"], 4)
    if v["verdict"] == "redirect" and r.random() < .6:
        v["redirect_to"] = r.choice(["192.0.2.99", "198.51.100.1", "2001:db8:99::9", "192.168.7.7"])
        if r.random() < .5:
            v["redirect_port"] = r.choice([25, 8025])
    if v["verdict"] == "reflect":
        v["reflect_to"] = r.choice(names[:2])
    if v["verdict"] in ("limit", "redirect", "reflect", "rewrite") and r.random() < .7:
        v["per"] = r.choice(["guest", "proto", "destination"])
        for key, scale, unit in (("connections", 1, ""), ("packets", 4, ""), ("bytes", 500, ""), ):
            if r.random() < .5:
                v[key] = windows(r, scale, unit)
    return v


def policy(r, names, wide):
    rules = [rule(r, names) for _ in range(r.choice([0, 1, 3, 6, 12, 30]))]
    if wide and r.random() < .5:  # scans use up the meters
        rules.insert(0, {"verdict": "limit", "to": ["outside"], "proto": "tcp", "per": "destination",
                         "connections": [window(r), "3/1h"], "packets": ["10/5m"]})
    return rules


def configuration(r, wide):
    names = ["web1", "db1", "old1"]
    guests = [{"name": n, "inside": f"10.99.0.{10 + i}", "public": f"203.0.113.{10 + i}",
               "inside6": f"2001:db8:113::{10 + i}", "public6": f"2001:db8:113::{i}:{10 + i}",
               "mac": f"02:00:00:00:01:0{i}", "class": ["honeypot", "odd"][i % 2],
               "roach_motel": r.random() < .1} for i, n in enumerate(names)]
    if r.random() < .5:
        del guests[2]["inside6"], guests[2]["public6"]
    guests.append({"name": "loghost", "kind": "loghost", "inside": "10.99.0.20",
                   "inside6": "2001:db8:113::20", "mac": "02:00:00:00:01:0f"})
    flood = r.random() < .15                         # the table gets full
    flow_pps, flow_bytes = r.choice([20, 100, 1000]), r.choice([2, 20, 2000])
    return {
        "guests": guests, "policy": policy(r, names, wide),
        "forwards": [{"public": "203.0.113.10", "port": 24, "guest": "loghost", "guest_port": 22,
                      "sources": ["198.51.100.0/28"]},
                     {"public": "203.0.113.99", "proto": "udp", "port": 53, "guest": "db1",
                      "guest_port": 5353}],
        "network": {"inside": "10.99.0.0/24", "inside6": "2001:db8:113::/64", "gateway": "10.99.0.1",
                    "gateway6": "fe80::1", "resolver": "192.0.2.53", "resolver6": "2001:db8:53::53",
                    "gateway_mac": "02:4c:1f:9a:00:01"},
        "wall": {"limits": {k: "none" if r.random() < .1 else windows(r) for k in
                            ("tcp", "udp", "icmp", "other", "dns", "lateral")},
                 "caps": {"flow_pps": flow_pps, "guest_pps": flow_pps * r.choice([1, 2, 10]),
                          "flow_bytes": f"{flow_bytes}KB", "guest_bytes": f"{flow_bytes * 4}KB"},
                 "tcp_idle": "5m", "udp_idle": r.choice(["5s", "1m"]), "icmp_idle": r.choice(["3s", "30s"]),
                 "half_open": "10m" if flood else r.choice(["2s", "20s", "2m"]),
                 "flows": 1024 if flood else 65536, "event_rate": 100,
                 "off_limits": some(r, ["203.0.113.200/32", "192.0.2.200/32"], 2),
                 "allowed": some(r, NETS, 2) if r.random() < .3 else [],
                 "fence": some(r, NETS, 2) if r.random() < .3 else [],
                 "ignore": some(r, NETS[:5], 2) if r.random() < .3 else []},
    }


# ---- frames -------------------------------------------------------------------------------------
def checksum(data, start=0):
    v = (int.from_bytes(data + b"\0" if len(data) & 1 else data, "big") + start) % 65535
    return (65535 - v).to_bytes(2, "big")


def ip(src, dst, proto, body, ttl=64, frag=None):
    """An IP packet; frag: (offset, more, id)."""
    if len(src) == 4:
        off, more, ident = frag or (0, False, 7)
        h = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), ident, off // 8 | (0x2000 if more else 0), ttl,
                        proto, 0) + src + dst
        return b"\x08\x00" + h[:10] + checksum(h) + h[12:] + body
    head = b""
    if frag:
        head = struct.pack("!BBHI", proto, 0, frag[0] | frag[1], frag[2])
        proto = 44
    return b"\x86\xdd" + struct.pack("!IHBB", 0x60000000, len(head) + len(body), proto, ttl) + src + dst + \
        head + body


def transport(src, dst, proto, sport, dport, flags=SYN, seq=0, ack=0, data=b"", kind=None):
    if proto == TCP:
        h, at = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, 0x50, flags,
                            8192, 0, 0), 16
    elif proto == UDP:
        h, at = struct.pack("!HHHH", sport, dport, 8 + len(data), 0), 6
    elif proto in (ICMP, ICMP6):
        h, at = struct.pack("!BBHHH", kind, 0, 0, sport, 1), 2
    else:
        return data
    b = h + data
    pseudo = 0 if proto == ICMP else int.from_bytes(src + dst, "big") + len(b) + proto
    return b[:at] + checksum(b, pseudo) + b[at + 2:]


class Traffic:
    """Draws frames: new conversations, answers to what left, the same again, and whatever is forbidden."""

    def __init__(self, r, model, wide, flood):
        self.r, self.m = r, model
        self.wide, self.flood = wide, flood           # scans, destinations without end; a full table
        self.recent = collections.deque(maxlen=200)   # (port, frame) as sent
        self.ready = collections.deque(maxlen=300)    # (port, frame) that could be answers
        self.fragments = []                           # rest of datagrams: (port, frame)
        self.guests = [g for g in model.guests[1:]]
        self.ident = 0

    def draw(self):
        r = self.r
        if self.flood and r.random() < .5:
            return self.inbound()
        x = r.random()
        if x < .30 and self.ready:
            return self.ready.popleft()
        if x < .42 and self.recent:
            return r.choice(self.recent)
        if x < .47 and self.fragments:
            n = r.randrange(len(self.fragments)) if r.random() < .2 else 0
            return self.fragments.pop(n)
        if x < .57:
            return self.inbound()
        port, f = self.from_guest()
        if r.random() < .04:
            return port, self.odd(f)
        return (port, self.spoil(f)) if r.random() < .06 else (port, f)

    def address_of(self, guest, v6, public):
        where = guest.public if public else guest.inside
        return where.get(16 if v6 else 4)

    def target(self, g, v6):
        r, x = self.r, self.r.random()
        if x < .65 and self.wide and r.random() < .7:
            return (OUTSIDE6 if v6 else OUTSIDE4)[0][:-1] + bytes([r.randrange(1, 255)])
        if x < .65:
            return r.choice(OUTSIDE6 if v6 else OUTSIDE4)
        if x < .9:
            to = self.address_of(r.choice(self.guests), v6, r.random() < .3)
            if to is not None:
                return to
        return r.choice(FORBIDDEN6 if v6 else FORBIDDEN4)

    def from_guest(self):
        r = self.r
        g = r.choice(self.guests[:3] * 6 + self.guests[3:])
        v6 = r.random() < .35 and 16 in g.inside
        src = g.inside[16 if v6 else 4]
        dst = self.target(g, v6)
        dmac = GW_MAC
        to = self.m.by_inside.get(dst)
        if to is not None and r.random() < .7 or r.random() < .02:
            dmac = to.mac if to is not None else r.choice(self.guests).mac
        return g.port, self.begin(g.mac, dmac, src, dst, v6)

    def begin(self, smac, dmac, src, dst, v6):
        r, x = self.r, self.r.random()
        sport = r.choice([1024, 1025, 1026, 4000, 4001]) if r.random() < .5 else r.randrange(1024, 65536)
        dport, ttl = r.choice(PORTS), 64 if r.random() < .97 else r.choice([0, 1, 2])
        data = bytes(r.randrange(0, 60)) if r.random() < .8 else r.randbytes(r.randrange(200, 1400))
        if x < .45:
            proto, flags = TCP, SYN if r.random() < .85 else r.choice([ACK, SYN | ACK, RST, FIN | ACK, 0, SYN | FIN,
                                                                       ACK | 8])
            body = transport(src, dst, TCP, sport, dport, flags, r.getrandbits(32) if r.random() < .3 else 77,
                             r.getrandbits(32), data if flags != SYN else b"")
        elif x < .75:
            proto = UDP
            body = transport(src, dst, UDP, sport, dport, data=data)
        elif x < .92:
            proto = ICMP6 if v6 else ICMP
            kind = (128 if v6 else 8) if r.random() < .9 else r.choice([129, 1, 4] if v6 else [0, 3, 5, 11, 13])
            body = transport(src, dst, proto, r.randrange(1, 40), 0, data=data, kind=kind)
        else:
            proto, body = r.choice([47, 50, 99, 41 if not v6 else 4]), data
        link = dmac + smac
        if r.random() < .03 and len(body) > 40:
            return self.cut(link, src, dst, proto, body, ttl)
        return link + ip(src, dst, proto, body, ttl)

    def cut(self, link, src, dst, proto, body, ttl):
        r = self.r
        self.ident += 1
        ident = self.ident if r.random() < .8 else max(1, self.ident - r.randrange(3))
        at = 0
        cuts = sorted(r.sample(range(8, len(body), 8), min(r.randint(1, 3), (len(body) - 1) // 8)))
        if r.random() < .9:
            cuts = [c for c in cuts if c >= 24] or [24]
        parts = []
        for end in cuts + [len(body)]:
            parts.append(link + ip(src, dst, proto, body[at:end], ttl, (at, end != len(body), ident)))
            at = end
        port = next((g.port for g in self.guests if g.mac == link[6:]), 0)
        if r.random() < .1:
            parts[1:] = parts[:0:-1]
        self.fragments += [(port, p) for p in parts[1:]]
        return parts[0]

    def inbound(self):
        r = self.r
        v6 = r.random() < .3
        src = r.choice(OUTSIDE6 if v6 else OUTSIDE4)
        to = self.address_of(r.choice(self.guests), v6, r.random() < .95)
        if to is None or r.random() < .1:
            to = r.choice(FORBIDDEN6 if v6 else FORBIDDEN4)
        if r.random() < .03:
            src = r.choice([to, r.choice(self.guests).inside[4], address("127.0.0.1")]) if not v6 else to
        if len(src) != len(to):
            src = r.choice(OUTSIDE4 if len(to) == 4 else OUTSIDE6)
        f = self.begin(PEER_MAC, WALL_MAC, src, to, len(to) == 16)
        return 0, self.to_forward(f) if r.random() < .05 and len(to) == 4 else f

    def to_forward(self, f):
        src = self.r.choice(OUTSIDE4)
        if self.r.random() < .5:
            return f[:12] + ip(src, address("203.0.113.10"), TCP,
                               transport(src, address("203.0.113.10"), TCP, 5555, 24))
        return f[:12] + ip(src, address("203.0.113.99"), UDP,
                           transport(src, address("203.0.113.99"), UDP, 5555, 53, data=b"q"))

    def spoil(self, f):
        r, b = self.r, bytearray(f)
        n = r.randrange(8)
        if n == 0:
            b[6:12] = r.choice([GW_MAC, r.choice(self.guests).mac, PEER_MAC])  # a MAC that is not its own
        elif n == 1 and f[12] == 8:
            b[26:30] = r.choice(OUTSIDE4 + [g.inside[4] for g in self.guests])   # ... or address
            b[24:26] = b"\0\0"
            b[24:26] = checksum(bytes(b[14:34]))
        elif n == 2:
            b[-1] ^= 0x55                            # a wrong checksum, most often
        elif n == 3:
            b = b[:12] + b"\x81\x00\x00\x05" + b[12:]  # a tag
        elif n == 4:
            b[0:6] = b"\xff" * 6
        elif n == 5:
            b[12:14] = r.choice([b"\x88\xcc", b"\x86\xdd", b"\x08\x00", b"\x90\x00"])
        elif n == 6:
            b = b[:r.randrange(10, len(b))]
        else:
            b += bytes(r.randrange(1, 20))           # padding: of no matter
        return bytes(b)

    def odd(self, f):
        """What hardly anybody sends: right checksums, but a head that must not cross, or just may."""
        r, v6 = self.r, f[12] == 0x86
        src, dst = (f[22:38], f[38:54]) if v6 else (f[26:30], f[30:34])
        sport, data, n = r.randrange(1024, 65536), bytes(r.randrange(0, 40)), r.randrange(12)
        if n == 0 and r.random() < .5:
            ends = ([546, 547], [546, 9], [67, 68]) if v6 else ([67, 68], [68, 68], [67, 9], [546, 547])
            return f[:12] + ip(src, dst, UDP, transport(src, dst, UDP, *r.choice(ends), data=data))
        if n <= 1:                                   # lengths that lie
            body = bytearray(transport(src, dst, UDP, sport, 53, data=data))
            body[4:6] = r.choice([0, 7, 8, len(body) + 1, len(body) - 1]).to_bytes(2, "big")
            body[6:8] = b"\0\0"
            body[6:8] = checksum(bytes(body), int.from_bytes(src + dst, "big") + len(body) + UDP)
            return f[:12] + ip(src, dst, UDP, bytes(body))
        if n == 2:                                   # no checksum
            body = transport(src, dst, UDP, sport, 53, data=data)
            return f[:12] + ip(src, dst, UDP, body[:6] + b"\0\0" + body[8:])
        if n == 3:
            body = bytearray(transport(src, dst, TCP, sport, 80))
            body[12], body[16:18] = r.choice([0x40, 0x60, 0xf0, 0x50]), b"\0\0"
            body[16:18] = checksum(bytes(body), int.from_bytes(src + dst, "big") + len(body) + TCP)
            return f[:12] + ip(src, dst, TCP, bytes(body))
        if n == 4:                                   # each kind of ICMP, also in the other version
            proto = r.choice([ICMP, ICMP6, ICMP6]) if v6 else r.choice([ICMP, ICMP, ICMP6])
            kind = r.choice([0, 3, 4, 5, 8, 11, 12, 13, 17, 143, 1, 2, *range(128, 138)])
            return f[:12] + ip(src, dst, proto, transport(src, dst, proto, 7, 0, data=data, kind=kind))
        if n == 5:
            where = ["::", "::1", "ff05::2", "64:ff9b::1", "::5", "5f00::1", "fec0::1", "2001:10::1", "100::1",
                     "::ffff:0:1.2.3.4", "2001::1"] if v6 else \
                ["0.0.0.0", "0.1.2.3", "240.0.0.1", "255.255.255.255", "100.64.0.1", "172.31.255.255", "172.32.0.1",
                 "192.0.0.8", "192.88.99.1", "198.19.0.1", "198.20.0.1", "239.1.2.3", "10.99.0.255", "100.128.0.1"]
            dst = address(r.choice(where))
            return f[:12] + ip(src, dst, UDP, transport(src, dst, UDP, sport, r.choice(PORTS), data=data))
        return f[:12] + (self.odd_v6 if v6 else self.odd_v4)(src, dst, sport, data)

    def odd_v4(self, src, dst, sport, data):
        r = self.r
        whole = ip(src, dst, UDP, transport(src, dst, UDP, sport, r.choice(PORTS), data=data),
                   frag=r.choice([None, None, (65528, False, 5), (8, True, 5), (0, True, 6)]))
        b = bytearray(whole[2:])
        n = r.randrange(5)
        if n == 0:                                   # options
            b[0], b[20:20] = 0x46, b"\1\1\1\0"
            b[2:4] = len(b).to_bytes(2, "big")
        elif n == 1:
            b[2:4] = max(0, len(b) + r.randrange(-3, 4)).to_bytes(2, "big")
        elif n == 2:
            b[6] |= r.choice([0x40, 0x80])           # don't fragment, the evil bit
        elif n == 3:
            b[0] = r.choice([0x44, 0x55, 0x65])
        b[10:12] = b"\0\0"
        b[10:12] = checksum(bytes(b[:(b[0] & 15) * 4]))
        return b"\x08\0" + bytes(b)

    def odd_v6(self, src, dst, sport, data):
        """Extension headers, one or more."""
        r = self.r
        body, proto = transport(src, dst, UDP, sport, r.choice(PORTS), data=data), UDP
        for _ in range(r.choice([1, 1, 2, 8, 9])):
            kind = r.choice([60] * 12 + [0, 43, 44])
            if kind == 44:                           # whole all the same
                body = struct.pack("!BBHI", proto, 0, r.choice([0, 0, 1]), 9) + body
            else:
                n = r.choice([0, 0, 1])
                body = bytes([proto, n]) + b"\1" + bytes([3 + 8 * n]) + bytes(4 + 8 * n) + body
            proto = kind
            if kind == 44:
                break
        return ip(src, dst, proto, body)

    def crossed(self, port, frame, out, left):
        """What crossed may be answered, and may be sent again."""
        r = self.r
        if r.random() < .5:
            self.recent.append((port, frame))
        if r.random() < .8:
            a = self.reply(out, left)
            if a is not None:
                self.ready.append((out, a))
        if r.random() < .05:
            self.ready.append((out, self.error(out, left)))
        if r.random() < .25:
            a = self.more(frame)
            if a is not None:
                self.ready.append((port, a))

    def parts(self, f):
        v6 = f[12] == 0x86
        src, dst = (f[22:38], f[38:54]) if v6 else (f[26:30], f[30:34])
        proto, at = (f[20], 54) if v6 else (f[23], 34)
        if proto == 44 or (not v6 and (f[20] & 0x3f or f[21])):
            return None
        return src, dst, proto, f[at:at + 20]

    def link_back(self, out, f, src):
        """MACs of an answer at that port to f, whose sender was src."""
        if out == 0:
            return WALL_MAC + PEER_MAC
        if out == self.m.sink:
            return GW_MAC + SINK_MAC
        to = self.m.by_inside.get(src)
        near = to.mac if to is not None and self.r.random() < .8 else f[6:12]
        return (near if self.r.random() < .9 else GW_MAC) + self.m.macs[out]

    def error(self, out, f):
        """An ICMP error about f, from who got it or from a router; sometimes too short to tell."""
        r, v6 = self.r, f[12] == 0x86
        src, dst = (f[22:38], f[38:54]) if v6 else (f[26:30], f[30:34])
        sender = dst if out != 0 or r.random() < .5 else r.choice(OUTSIDE6 if v6 else OUTSIDE4)
        quoted = f[14:] if r.random() < .4 else f[14:14 + (40 if v6 else 20) + 8] if r.random() < .8 else f[14:50]
        proto, kind = (ICMP6, r.choice([1, 2, 3, 4])) if v6 else (ICMP, r.choice([3, 3, 11, 12, 4, 5]))
        body = transport(sender, src, proto, 0, 0, data=quoted[:1200], kind=kind)
        return self.link_back(out, f, src) + ip(sender, src, proto, body)

    def reply(self, out, f):
        p = self.parts(f)
        if p is None:
            return None
        src, dst, proto, h = p
        r = self.r
        link = self.link_back(out, f, src)
        sport, dport = int.from_bytes(h[2:4], "big"), int.from_bytes(h[0:2], "big")
        data = bytes(r.randrange(0, 80))
        if proto == TCP:
            fl, seq = h[13], int.from_bytes(h[4:8], "big")
            if fl & SYN and not fl & ACK:
                fl, ack = r.choice([SYN | ACK] * 6 + [RST | ACK, ACK]), seq + 1
            elif fl & SYN:
                fl, ack = ACK, seq + 1
            else:
                fl, ack = r.choice([ACK] * 6 + [ACK | 8, FIN | ACK, FIN | ACK, RST, RST | ACK]), seq + 1
            return link + ip(dst, src, TCP, transport(dst, src, TCP, sport, dport, fl, r.getrandbits(32), ack,
                                                      data if not fl & SYN else b""))
        if proto == UDP:
            return link + ip(dst, src, UDP, transport(dst, src, UDP, sport, dport, data=data))
        if proto in (ICMP, ICMP6):
            kind = 0 if proto == ICMP else 129
            return link + ip(dst, src, proto, transport(dst, src, proto, int.from_bytes(h[4:6], "big"), 0,
                                                        data=data, kind=kind))
        return link + ip(dst, src, proto, data)

    def more(self, f):
        """Another frame of the same sender in the same conversation."""
        p = self.parts(f)
        if p is None:
            return None
        src, dst, proto, h = p
        r = self.r
        data = r.randbytes(r.choice([10, 100, 900]))
        sport, dport = int.from_bytes(h[0:2], "big"), int.from_bytes(h[2:4], "big")
        if proto == TCP:
            fl = r.choice([ACK, ACK | 8, ACK | FIN, SYN])
            body = transport(src, dst, TCP, sport, dport, fl, r.getrandbits(32), 1, data if fl != SYN else b"")
        elif proto == UDP:
            body = transport(src, dst, UDP, sport, dport, data=data)
        elif proto in (ICMP, ICMP6):
            body = transport(src, dst, proto, int.from_bytes(h[4:6], "big"), 0, data=data,
                             kind=8 if proto == ICMP else 128)
        else:
            body = data
        return f[:12] + ip(src, dst, proto, body)


def an_order(r, now):
    until = 0 if r.random() < .3 else now + r.randrange(1, 60 * SEC)
    x = r.random()
    if x < .3:
        return f"fence {r.choice(['add', 'del', 'del'])} {r.choice(NETS)} {until}"
    if x < .5:
        return f"ignore {r.choice(['add', 'del', 'del'])} {r.choice(NETS[:5])} {until}"
    if x < .75:
        v = r.choice(["forward", "limit", "drop", "reject", "redirect", "rewrite"])
        return f"override {r.choice(['web1', 'db1', 'old1'])} {v} {until}"
    return f"reset {r.choice(['web1', 'db1', 'old1'])}" if x < .9 else f"lockdown {r.choice([0, 0, 1, 2])}"


# ---- runs ---------------------------------------------------------------------------------------
def script(seed, packets):
    """(configuration, sink?, script's bytes, expected output, model, frames)"""
    r = random.Random(seed)
    wide = r.random() < .3
    conf, sink = configuration(r, wide), r.random() < .6
    m = Model(conf, sink)
    t, out, want, frames = Traffic(r, m, wide, conf["wall"]["flows"] == 1024), [], [], []
    now, next_tick = 1000 * SEC, 1000 * SEC
    pack = struct.Struct("<QHH").pack
    # Whole hundredths of a second meet the very edges of windows and buckets.
    grain = SEC // 100 if r.random() < .5 else 1
    # Slow ones see refusals that are old enough to be judged anew.
    pace = 1 if conf["wall"]["flows"] == 1024 else r.choice([1, 1, 1, 1, 300])
    for _ in range(packets):
        x = r.random()
        now += r.randrange(3000000) * pace if x < .97 else r.randrange(300000000) if x < .998 else \
            r.randrange(90 * SEC) if x < .9998 else r.randrange(700 * SEC)
        if grain > 1:
            now = now // grain * grain + (grain if r.random() < .15 else 0)
        if now >= next_tick:
            out.append(pack(now, TICK, 0))
            m.tick(now)
            next_tick = now + SEC // 10
        if r.random() < .0008:
            words = an_order(r, now)
            out.append(pack(now, ORDER, len(words)) + words.encode())
            m.order(words, now)
        elif m.lockdown and r.random() < .01:
            out.append(pack(now, ORDER, 10) + b"lockdown 0")
            m.order("lockdown 0", now)
        elif r.random() < .00005:
            out.append(pack(now, CRASH, 0))
            m.crash(now)
        port, f = t.draw()
        out.append(pack(now, port, len(f)) + f)
        got = m.frame(now, port, f)
        frames.append((now, port, f))
        if got is None:
            want.append(b"\xff\xff\0\0")
            if r.random() < .1:
                t.recent.append((port, f))
        else:
            want.append(struct.pack("<HH", got[0], len(got[1])) + got[1])
            t.crossed(port, f, *got)
    return conf, sink, b"".join(out), want, m, frames


def second_opinion(conf, sink, data):
    """What the other model says to the same script."""
    m, want, at = policy_blind.Model(conf, sink), [], 0
    while at < len(data):
        now, kind, n = struct.unpack_from("<QHH", data, at)
        at += 12 + n
        f = data[at - n:at]
        if kind == TICK:
            m.tick(now)
        elif kind == ORDER:
            m.order(f.decode(), now)
        elif kind == CRASH:
            m.crash(now)
        else:
            got = m.frame(now, kind, f)
            want.append(b"\xff\xff\0\0" if got is None else struct.pack("<HH", got[0], len(got[1])) + got[1])
    return want, m


def drive(folder, conf, sink, data, *spoil):
    paths = [os.path.join(folder, n) for n in ("conf.yaml", "script", "out")]
    with open(paths[0], "w", encoding="utf-8") as f:
        json.dump(conf, f, indent=1)
    with open(paths[1], "wb") as f:
        f.write(data)
    p = subprocess.run([DRIVE, *paths, *(["sink"] if sink else []), *spoil], capture_output=True, text=True)
    if p.returncode != 0:
        return None, p.stderr + p.stdout
    with open(paths[2], "rb") as f:
        return f.read(), p.stdout


def first_difference(got, want, frames):
    at = 0
    for n, w in enumerate(want):
        if got[at:at + len(w)] != w:
            now, port, f = frames[n]
            length = struct.unpack_from("<H", got, at + 2)[0] if len(got) >= at + 4 else 0
            return (f"packet {n} at {now} ns by port {port}: {f[:100].hex()}\nmodel {w[:4].hex()} "
                    f"{w[4:104].hex()}\nwall  {got[at:at + 4].hex()} {got[at + 4:at + 4 + min(length, 100)].hex()}")
        at += len(w)
    return "the output is longer"


def main(t):
    if not os.path.exists(DRIVE):
        raise tap.Skip(f"{DRIVE} is not built")
    total, seed = int(os.environ.get("ORACLE_PACKETS", "1000000")), int(os.environ.get("ORACLE_SEED", "1"))
    sums, begun, done, runs, keep = collections.Counter(), collections.Counter(), 0, 0, None
    with tempfile.TemporaryDirectory() as folder:
        while done < total:
            conf, sink, data, want, m, frames = script(seed + runs, min(EACH, total - done))
            got, said = drive(folder, conf, sink, data)
            blind, m2 = second_opinion(conf, sink, data)
            for name, says in ("first", want), ("blind", blind):
                if got != b"".join(says):
                    why = said if got is None else first_difference(got, says, frames)
                    t.check(False, f"seed {seed + runs}: the wall and the {name} model agree", why)
                    if "ORACLE_KEEP" in os.environ:
                        shutil.copytree(folder, os.environ["ORACLE_KEEP"], dirs_exist_ok=True)
                    return
            if m2.begun != m.begun:
                t.check(False, f"seed {seed + runs}: the models count the same conversations",
                        f"{m.begun} {m2.begun}")
                return
            sums.update(m.reasons)
            begun.update(m.begun)
            done += len(want)
            runs += 1
            if keep is None and 200 < m.reasons["crossed"] < len(want) - 200:
                keep = (conf, sink, data), (b"".join(want), b"".join(blind))
        t.check(True, f"{done} packets under {runs} policies: {sums['crossed']} left, each where and as both "
                      "models say")
        t.note(", ".join(f"{k} {n}" for k, n in sums.most_common()))
        t.note("conversations: " + ", ".join(f"{k} {n}" for k, n in begun.most_common()))
        for what in ("in", "out", "lat", "to the sink", "to an address", "reflected", "by another port"):
            t.check(begun[what] > 0, f"{begun[what]} conversations of kind '{what}'")
        for what in ("crossed", "limit", "rate", "policy", "fence", "off limits", "roach motel", "lockdown", "closed",
                     "fragment", "ignored", "error", "error crossed", "tcp state",
                     "table-full", "given up"):
            t.check(sums[what] > 0, f"among them {sums[what]} of kind '{what}'")
        for spoil in ("drop=100", "leak=100", "flip=100"):
            got, _ = drive(folder, *keep[0], spoil)
            for name, says in zip(("first", "blind"), keep[1]):
                t.check(got is not None and got != says,
                        f"one wrong decision in the wall ({spoil}) is noticed by the {name} model")


tap.run(main)
