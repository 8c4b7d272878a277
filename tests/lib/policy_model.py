# SPDX-License-Identifier: BSD-2-Clause
"""What the wall must do, written from docs/POLICY.md alone: frames in, (port, bytes) or None out.

No line of it comes from the wall, so that both can't be wrong in the same way. Section names of the
page stand in the comments. Only whole frames without offloads.
"""
import collections

GW_MAC = bytes.fromhex("024c1f9a0001")
WALL_MAC, PEER_MAC, SINK_MAC = (bytes([2, 0, 0, 0, 0, n]) for n in (1, 2, 9))
SEC = 10 ** 9
UNITS = {"ms": 10 ** 6, "s": SEC, "m": 60 * SEC, "h": 3600 * SEC, "d": 86400 * SEC}
SIZES = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
OFF_LIMITS = """0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 224.0.0.0/4 240.0.0.0/4 ::/96 ::ffff:0:0/96 ::ffff:0:0:0/96
64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/32 2001:10::/28 2002::/16 5f00::/16 fc00::/7 fe80::/10 fec0::/10
ff00::/8""".split()
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
FIN, SYN, RST, ACK = 1, 2, 4, 16


def address(text):
    import socket
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def network(text):
    text, _, bits = text.partition("/")
    a = address(text)
    shift = len(a) * 8 - int(bits or len(a) * 8)
    return len(a), shift, int.from_bytes(a, "big") >> shift


PRIVATE = [network(t) for t in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]


def listed(nets, a):
    n, v = len(a), int.from_bytes(a, "big")
    for size, shift, want in nets:
        if size == n and v >> shift == want:
            return True
    return False


def duration(text):
    digits = text.rstrip("msdh")
    return int(digits) * UNITS[text[len(digits):]]


def size(text):
    text = str(text)
    return int(text[:-2]) * SIZES[text[-2:]] if text[-2:] in SIZES else int(text)


def windows(value):
    if value in (None, "none"):
        return []
    return [(size(w.split("/")[0]), duration(w.split("/")[1]))
            for w in (value if isinstance(value, list) else [value])]


class Rule:
    def __init__(self, r, n):
        def many(key):
            v = r.get(key, [])
            return v if isinstance(v, list) else [v]
        self.n, self.verdict, self.per = n, r["verdict"], r.get("per", "guest")
        self.guests = many("guests")
        self.proto = r.get("proto", "any")
        self.words = [w for w in many("to") if w.isalpha() and ":" not in w]
        self.nets = [network(w) for w in many("to") if w not in self.words]
        self.ports = [tuple(int(x) for x in (str(p).split("-") * 2)[:2]) for p in many("ports")]
        self.address = address(r["redirect_to"]) if r.get("redirect_to", "sink") != "sink" else None
        self.port, self.reflect = r.get("redirect_port", 0), r.get("reflect_to")
        self.windows = [windows(r.get(k)) for k in ("connections", "packets", "bytes")]
        self.counts = any(self.windows)

    def matches(self, guest, cls, proto, dst, dport, lateral, resolver):
        if self.guests and guest not in self.guests and cls not in self.guests:
            return False
        if self.proto not in ("any", proto):
            return False
        if self.words or self.nets:
            w = self.words
            if not ("any" in w or ("outside" in w and not lateral) or ("lateral" in w and lateral) or
                    ("resolver" in w and resolver) or listed(self.nets, dst)):
                return False
        return not self.ports or any(lo <= dport <= hi for lo, hi in self.ports)


class Window:
    """Counts of a rule in slices of a sixteenth: "What counts"."""

    def __init__(self, most, length):
        self.most, self.slice = most, length // 16
        self.held, self.sum = collections.deque(), 0

    def room(self, n, now):
        held, oldest = self.held, now // self.slice - 16
        while held and held[0][0] < oldest:
            self.sum -= held.popleft()[1]
        return self.sum + n <= self.most

    def add(self, n, now):
        k = now // self.slice
        if self.held and self.held[-1][0] == k:
            self.held[-1][1] += n
        else:
            self.held.append([k, n])
        self.sum += n
        return (k + 17) * self.slice


class Meter:
    def __init__(self, rule):
        self.until = 0
        self.windows = [[Window(*w) for w in ws] for ws in rule.windows]


class Flow:
    __slots__ = ("keys", "cls", "last", "start", "reason", "direction", "bounded", "relayed", "rule",
                 "guest", "log", "isn0", "isn1", "synack", "established", "fin", "rst", "replied",
                 "crossed", "caps", "orders", "dead", "tcp", "udp")


class Guest:
    def __init__(self, g, port):
        self.port, self.name, self.kind = port, g["name"], g.get("kind", "honeypot")
        self.cls = g.get("class", self.kind)
        self.mac = bytes.fromhex(g["mac"].replace(":", ""))
        self.roach = g.get("roach_motel", False)
        self.inside, self.public = {}, {}
        for key, where in (("inside", self.inside), ("inside6", self.inside),
                           ("public", self.public), ("public6", self.public)):
            if key in g:
                a = address(g[key])
                where[len(a)] = a
        self.limits = collections.defaultdict(list)
        self.meters = {}
        self.caps = [0, 0]


class Model:
    def __init__(self, conf, sink):
        wall, net = conf["wall"], conf["network"]
        self.guests = [None] + [Guest(g, n + 1) for n, g in enumerate(conf["guests"])]
        self.sink = len(self.guests) if sink else None
        self.by_name = {g.name: g for g in self.guests[1:]}
        self.by_inside = {a: g for g in self.guests[1:] for a in g.inside.values()}
        self.by_public = {a: g for g in self.guests[1:] for a in g.public.values()}
        self.macs = [WALL_MAC] + [g.mac for g in self.guests[1:]] + [SINK_MAC] * sink
        self.neighbours = {g.mac for g in self.guests[1:]}
        self.forwards = [(address(f["public"]), {"tcp": TCP, "udp": UDP}[f.get("proto", "tcp")],
                          f["port"], self.by_name[f["guest"]], f["guest_port"],
                          [network(s) for s in f.get("sources", [])]) for f in conf["forwards"]]
        self.forward_addrs = {f[0] for f in self.forwards}
        self.inside_net = network(net["inside"])
        self.gateways = {address(net["gateway"]), address(net["gateway6"])}
        self.resolvers = {address(net[k]) for k in ("resolver", "resolver6") if net.get(k, "none") != "none"}
        self.rules = [Rule(r, n) for n, r in enumerate(conf["policy"])]
        self.off = [network(t) for t in OFF_LIMITS + wall.get("off_limits", [])]
        self.allowed = [network(t) for t in wall.get("allowed", [])]
        self.fence = [network(t) for t in wall.get("fence", [])]
        self.ignore = [network(t) for t in wall.get("ignore", [])]
        self.limits = {k: windows(v) for k, v in wall["limits"].items()}
        caps = wall["caps"]
        self.caps = [0 if caps[k] == "none" else size(caps[k])
                     for k in ("flow_pps", "flow_bytes", "guest_pps", "guest_bytes")]
        half, udp = duration(wall["half_open"]), duration(wall["udp_idle"])
        patient = max(half, 75 * SEC)
        self.capacity = wall["flows"]
        self.timeouts = {"refused": patient, "half": half, "unanswered": patient, "loose": udp, "udp": udp,
                         "established": duration(wall["tcp_idle"]), "closing": 10 * SEC,
                         "icmp": duration(wall["icmp_idle"])}
        self.lockdown, self.fences, self.ignored, self.overrides, self.orders = 0, {}, {}, {}, 0
        self.reasons, self.begun = collections.Counter(), collections.Counter()
        self.forget()

    def forget(self):
        self.flows, self.fragments = {}, {}
        self.lists = {c: {} for c in self.timeouts}
        for g in self.guests[1:]:
            g.caps = [0, 0]

    # ---- Orders, time-outs ----------------------------------------------------------------------

    def is_fenced(self, a):
        return listed(self.fence, a) or any(listed([n], a) for n in self.fences)

    def end(self, f):
        f.dead = True
        for k in f.keys:
            if k is not None:
                del self.flows[k]
        del self.lists[f.cls][f]

    def touch(self, f, cls, now):
        del self.lists[f.cls][f]
        f.cls, f.last = cls, now
        self.lists[cls][f] = None

    def changed(self):
        self.orders += 1
        for f in [f for fs in self.lists.values() for f in fs]:
            g = self.guests[f.guest] if f.guest is not None else None
            if self.touches_fence(f) or (
                    g is not None and f.direction != "in" and f.cls != "refused" and not f.log and
                    self.overrides.get(g.name, ("",))[0] in ("drop", "reject")):
                self.end(f)

    def touches_fence(self, f):
        """Whom it asked for, where that ended outside, or who came; not the guest's own address."""
        if f.direction == "in":
            return self.is_fenced(f.keys[0][2])
        there = f.keys[1]
        return self.is_fenced(f.keys[0][3]) or there is not None and there[0] == 0 and self.is_fenced(there[2])

    def expire(self, now):
        n = 0
        for orders in (self.fences, self.ignored):
            for k in [k for k, until in orders.items() if until and now >= until]:
                del orders[k]
                n += 1
        for k in [k for k, (_, until) in self.overrides.items() if until and now >= until]:
            del self.overrides[k]
            n += 1
        return n

    def tick(self, now):
        if self.expire(now):
            self.changed()
        for cls, flows in self.lists.items():
            for f in list(flows):
                if now - f.last < self.timeouts[cls]:
                    break
                self.end(f)

    def order(self, words, now):
        self.expire(now)
        w = words.split()
        if w[0] == "lockdown":
            self.lockdown = int(w[1])
        elif w[0] in ("fence", "ignore"):
            nets = self.fences if w[0] == "fence" else self.ignored
            if w[1] == "add":
                nets[network(w[2])] = int(w[3])
            else:
                nets.pop(network(w[2]), None)
        elif w[0] == "override":
            self.overrides[w[1]] = (w[2], int(w[3]))
        else:
            self.overrides.pop(w[1], None)
        self.changed()

    def crash(self, now):
        self.forget()
        self.expire(now)

    # ---- Frames that never cross ----------------------------------------------------------------

    def frame(self, now, port, d):
        """(port it leaves by, its bytes with checksums zero), or None."""
        p = self.parse(port, d)
        if p.__class__ is str:
            self.reasons[p] += 1
            return None
        r = self.later_fragment(now, p) if p.offset else self.error(now, p) if p.is_error() else \
            self.in_flow(now, p)
        if r.__class__ is str:
            self.reasons[r] += 1
            return None
        self.reasons["crossed"] += 1
        return r

    def parse(self, port, d):
        n, kind, smac = len(d), d[12:14], d[6:12]
        if n < 14 or kind in (b"\x81\x00", b"\x88\xa8", b"\x91\x00"):
            return "tag"
        if port == 0:
            if smac == WALL_MAC or smac[0] & 1 or not any(smac):
                return "mac"
        elif smac != self.macs[port]:
            return "mac"
        p = Packet()
        bad = p.read4(d) if kind == b"\x08\x00" else p.read6(d) if kind == b"\x86\xdd" else "ethertype"
        if bad:
            return bad
        p.port = port
        bad = self.bad_source(p) or p.unsound()
        if bad:
            return bad
        dmac, dst = d[:6], p.dst
        if dmac[0] & 1 or (dst[0] >= 224 if len(dst) == 4 else dst[0] == 255):
            return "group"
        if port == 0:
            p.routed = True
            if dmac != WALL_MAC:
                return "not for us"
        else:
            p.routed = dmac == GW_MAC
            if not p.routed and dmac not in self.neighbours:
                return "not for us"
        p.dmac = dmac
        if p.routed and p.ttl <= (0 if port == 0 else 1):
            return "ttl"
        if self.lockdown == 2:
            return "lockdown"
        if p.proto in (ICMP, ICMP6) and not p.offset:
            if p.proto != (ICMP if len(p.src) == 4 else ICMP6):
                return "icmp type"
            if p.itype not in ((0, 3, 8, 11, 12) if p.proto == ICMP else (1, 2, 3, 4, 128, 129)):
                return "icmp type"
        return p

    def bad_source(self, p):
        src = p.src
        if p.proto == UDP and not p.offset:
            lo = 67 if len(src) == 4 else 546
            if p.sport in (lo, lo + 1) and p.dport in (lo, lo + 1):
                return "dhcp"
        if p.port == 0:
            if src in self.by_inside or src in self.by_public or src in self.forward_addrs:
                return "source"
            inside = listed(PRIVATE, src) and not listed(PRIVATE, p.dst) and not listed(self.allowed, src)
            if not p.is_error() and (inside or src[:2] == bytes((169, 254))):
                return "source"
            if len(src) == 4:
                nobodys = src[0] in (0, 127) or src[0] >= 224
                return "source" if nobodys or listed([self.inside_net], src) else None
            if src[0] == 255 or (not any(src[:15]) and src[15] <= 1) or (src[0] == 0xfe and src[1] & 0xc0 == 0x80):
                return "source"
            return None
        if p.port == self.sink:
            return None
        return None if src == self.guests[p.port].inside.get(len(src)) else "source"

    # ---- Conversations --------------------------------------------------------------------------

    def in_flow(self, now, p):
        proto = p.proto
        if proto == TCP or proto == UDP:
            key = (p.port, proto, p.src, p.dst, p.sport, p.dport)
        elif proto == ICMP or proto == ICMP6:
            key = (p.port, proto, p.src, p.dst, p.sport, 0)
        else:
            key = (p.port, proto, p.src, p.dst, 0, 0)
        f = self.flows.get(key)
        if f is not None:
            side = 0 if f.keys[0] == key else 1
            if f.cls == "refused":
                if f.orders != self.orders or (f.reason in ("limit", "table-full") and
                                               now - f.start >= 300 * SEC):
                    self.end(f)
                    f = None
                else:
                    self.touch(f, "refused", now)
                    return f.reason
            elif (proto == TCP and p.flags & (SYN | ACK | RST) == SYN and
                  not (side == 0 and p.seq == f.isn0) and
                  (p.port != 0 or f.cls in ("closing", "half"))):
                self.end(f)
                f = None
        if f is None:
            f = self.new_flow(now, p, key)
            if f.__class__ is str:
                return f
            side = 0
        return self.known(now, p, f, side)

    def may_cross(self, now, p, f, side):
        """Steps 1 to 3 of a frame with a flow."""
        if self.lockdown == 1 and f.direction == "out":
            return "lockdown"
        if p.routed and f.direction != "in" and p.ttl <= 1:
            return "ttl"
        out = f.keys[1 - side][0]
        if not p.routed:
            if f.relayed:
                if p.ttl <= 1:
                    return "ttl"
                p.routed = True
            elif out == 0 or p.dmac != self.macs[out]:
                return "not for us"
        if p.port == 0 or p.port == self.sink:
            return None
        g, n = self.guests[p.port], p.length
        buckets = [(f.caps, 0, self.caps[0], 1), (f.caps, 1, self.caps[1], n),
                   (g.caps, 0, self.caps[2], 1), (g.caps, 1, self.caps[3], n)]
        for b, i, rate, amount in buckets:
            if not self.fits(b[i], rate, amount, now):
                return "rate"
        counted = f.rule is not None and f.direction != "in" and p.port == f.guest
        if counted:
            r = self.meter(g, f.rule, f.keys[0], (0, 1, n), now, True)
            if r:
                return r
        for b, i, rate, amount in buckets:
            if rate:
                b[i] = max(b[i], now) + amount * SEC // rate
        return None

    @staticmethod
    def fits(t, rate, n, now):
        return not rate or t <= now or t - now + n * SEC // rate <= SEC // 4

    def known(self, now, p, f, side):
        bad = self.may_cross(now, p, f, side)
        if bad:
            return bad
        if p.more:
            bad = self.first_fragment(now, p, f, side)
            if bad:
                return bad
        if f.tcp:
            bad = self.tcp_state(p, f, side)
            if bad:
                if p.more:
                    self.fragments[p.port, p.src, p.dst, p.proto, p.id][1] = None
                return bad
        if side == 1:
            f.replied = True
        r = self.cross(p, f, side)
        self.touch(f, self.state(f), now)
        return r

    @staticmethod
    def tcp_state(p, f, side):
        fl = p.flags
        if not f.crossed:
            f.isn0 = p.seq
        if side == 1 and fl & SYN and fl & ACK:
            f.synack, f.isn1 = True, p.seq
        elif side == 0 and not f.synack and not fl & (SYN | RST):
            return "tcp state"
        if side == 0 and f.synack and fl & (ACK | SYN | RST) == ACK and p.ack == (f.isn1 + 1) & 0xffffffff:
            f.established = True
        if fl & FIN:
            f.fin |= 1 << side
        if fl & RST:
            f.rst = side
        elif f.rst == side:
            f.rst = None
        return None

    @staticmethod
    def state(f):
        if f.tcp:
            if f.rst is not None or f.fin == 3:
                return "closing" if f.established or f.bounded else "half"
            return "established" if f.established else "unanswered" if f.bounded else "half"
        if not f.bounded:
            return "loose" if f.replied else "half"
        return "udp" if f.udp else "icmp"

    def cross(self, p, f, side):
        to = f.keys[1 - side]
        out, b, l3 = to[0], bytearray(p.data), 14
        if p.routed:
            if out == 0:
                b[:12] = PEER_MAC + WALL_MAC
            else:
                b[:12] = self.macs[out] + GW_MAC
            if f.direction != "in":
                b[22 if len(p.src) == 4 else 21] -= 1
        if len(p.src) == 4:
            b[26:34] = to[3] + to[2]
            b[24:26] = b"\0\0"
        else:
            b[l3 + 8:l3 + 40] = to[3] + to[2]
        if not p.offset:
            at = p.l4
            if p.proto == TCP or p.proto == UDP:
                b[at:at + 4] = to[5].to_bytes(2, "big") + to[4].to_bytes(2, "big")
                c = at + (16 if p.proto == TCP else 6)
                b[c:c + 2] = b"\0\0"
            elif p.proto == ICMP or p.proto == ICMP6:
                b[at + 4:at + 6] = to[4].to_bytes(2, "big")
                b[at + 2:at + 4] = b"\0\0"
        f.crossed = True
        return out, bytes(b)

    def error(self, now, p):
        """ICMP errors: they go with the conversation of the packet they quote."""
        if p.more:
            return "fragment"
        v6, q = len(p.src) == 16, p.data[p.l4 + 8:p.end]
        head = 40 if v6 else 20
        if len(q) < head or (q[0] >> 4 != 6 if v6 else q[0] != 0x45):
            return "error"
        total = 40 + (q[4] << 8 | q[5]) if v6 else q[2] << 8 | q[3]
        if not v6 and (total < 20 or (q[6] & 0x1f) or q[7]):
            return "error"
        proto = q[6] if v6 else q[9]
        net = head
        steps = 0
        while v6 and proto in (44, 51, 60, 135, 139, 140) and steps < 8 and min(total, len(q)) - head >= 8:
            h, kind, steps = q[head:head + 8], proto, steps + 1
            if kind == 44 and (h[2] << 8 | h[3]) & 0xfff8:
                return "error"
            proto, head = h[0], head + {44: 8, 51: (h[1] + 2) * 4}.get(kind, (h[1] + 1) * 8)
        if min(total, len(q)) - head < 8 or proto in (0, 43, 44, 51, 59, 60):
            return "error"
        src, dst = (q[8:24], q[24:40]) if v6 else (q[12:16], q[16:20])
        sport = dport = 0
        if proto in (TCP, UDP):
            sport, dport = q[head] << 8 | q[head + 1], q[head + 2] << 8 | q[head + 3]
            key = (p.port, proto, dst, src, dport, sport)
        elif proto in (ICMP, ICMP6):
            if q[head] not in ((128, 129) if v6 else (0, 8)) or proto != (ICMP6 if v6 else ICMP):
                return "error"
            key = (p.port, proto, dst, src, q[head + 4] << 8 | q[head + 5], 0)
        else:
            key = (p.port, proto, dst, src, 0, 0)
        f = self.flows.get(key)
        if f is None or f.cls == "refused":
            return "error"
        side = 0 if f.keys[0] == key else 1
        bad = self.may_cross(now, p, f, side)
        if bad:
            return bad
        frm, to = f.keys[side], f.keys[1 - side]
        b, at = bytearray(self.cross(p, f, side)[1]), p.l4
        # A router speaks for itself; the peer wears the address that was asked.
        outer = p.src if p.src != frm[2] else to[3]
        if v6:
            b[22:54] = outer + to[2]
        else:
            b[26:34] = outer + to[2]
        b[at + 4:at + 6] = p.data[at + 4:at + 6]
        at += 8
        b[at + (8 if v6 else 12):at + net] = to[2] + to[3]
        if not v6:
            b[at + 10:at + 12] = b"\0\0"
        t = at + head
        if proto in (TCP, UDP):
            b[t:t + 4] = to[4].to_bytes(2, "big") + to[5].to_bytes(2, "big")
        elif proto in (ICMP, ICMP6):
            b[t + 4:t + 6] = to[4].to_bytes(2, "big")
        c = {TCP: 16, UDP: 6, ICMP: 2, ICMP6: 2}.get(proto)
        if c is not None and p.end >= t + c + 2:
            b[t + c:t + c + 2] = b"\0\0"
        self.reasons["error crossed"] += 1
        return to[0], bytes(b)

    # ---- Fragments ------------------------------------------------------------------------------

    def first_fragment(self, now, p, f, side):
        key = (p.port, p.src, p.dst, p.proto, p.id)
        e = self.fragments.get(key)
        if e is not None and now - e[0] < 61 * SEC and not e[4]:
            e[1] = None
            return "fragment"
        self.fragments[key] = [now, f, side, p.end - p.l4, False, p.ttl]
        return None

    def later_fragment(self, now, p):
        key = (p.port, p.src, p.dst, p.proto, p.id)
        e = self.fragments.get(key)
        if e is None or now - e[0] >= 61 * SEC or e[1] is None or e[4]:
            return "fragment"
        n = p.end - p.l4
        if p.ttl < e[5]:
            e[1] = None
            return "fragment"
        if e[1].dead or p.offset != e[3] or n == 0 or p.offset + n > 65535:
            e[1] = None
            return "fragment"
        f, side = e[1], e[2]
        e[3] += n
        e[0] = now
        e[4] = not p.more
        bad = self.may_cross(now, p, f, side)
        if bad:
            e[1], e[4] = None, False
        return bad or self.cross(p, f, side)

    # ---- A frame without a flow -----------------------------------------------------------------

    def new_flow(self, now, p, key):
        if p.port == 0 and (listed(self.ignore, p.src) or any(listed([n], p.src) for n in self.ignored)):
            return "ignored"
        if p.port == self.sink:
            return "no flow"
        if p.proto == TCP and p.flags & (SYN | ACK | RST | FIN) != SYN:
            return "no flow"
        if p.proto in (ICMP, ICMP6) and p.itype not in (8, 128):
            return "no flow"
        f = Flow()
        f.guest = f.rule = None
        f.relayed = f.bounded = f.log = False
        f.keys, f.direction = [key, None], "in"
        g = self.guests[p.port] if p.port else None
        cls = None # of wall.limits
        if g is None:
            reason = self.plan_inbound(p, f)
        else:
            reason, cls = self.plan_guest(p, f, g)
            if not reason and self.lockdown == 1 and f.direction == "out":
                reason = "lockdown"
            if not reason and not p.routed and not f.relayed and (
                    f.keys[1][0] == 0 or p.dmac != self.macs[f.keys[1][0]]):
                return "not for us"
            if not reason and not (self.fits(g.caps[0], self.caps[2], 1, now) and
                                   self.fits(g.caps[1], self.caps[3], p.length, now)):
                return "rate"
            if not reason:
                reason = self.charge(g, f, cls, p, now)
        return self.enter(now, p, f, reason, cls)

    def enter(self, now, p, f, reason, cls):
        if not reason:
            reason = self.find_room(f)
        if not self.make_room():
            return "no room"
        if reason:
            f.keys[1] = None
        else:
            out = f.keys[1][0]
            self.begun[f.direction if not f.relayed else "to the sink" if out == self.sink else
                       "to an address" if out == 0 else "reflected"] += 1
        f.reason, f.orders, f.start, f.last = reason, self.orders, now, now
        f.tcp, f.udp = p.proto == TCP, p.proto == UDP
        f.isn0 = f.isn1 = f.fin = 0
        f.rst = None
        f.synack = f.established = f.replied = f.crossed = f.dead = False
        f.caps = [0, 0]
        if f.rule is not None:
            f.bounded = bool(f.rule.windows[0])
        else:
            f.bounded = cls is not None and bool(self.limits[cls])
        f.cls = "refused" if reason else self.state(f)
        self.lists[f.cls][f] = None
        for k in f.keys:
            if k is not None:
                self.flows[k] = f
        return reason if reason else f

    def make_room(self):
        """A full table gives up who is silent the longest."""
        if sum(len(fs) for fs in self.lists.values()) < self.capacity:
            return True
        oldest = [next(iter(self.lists[c]), None) for c in ("half", "refused", "loose")]
        old = min((f for f in oldest[:2] if f is not None), key=lambda f: f.last, default=oldest[2])
        if old is None:
            return False
        self.reasons["given up"] += 1
        self.end(old)
        return True

    def find_room(self, f):
        k = f.keys[1]
        if k not in self.flows and k != f.keys[0]:
            return None
        proto = k[1]
        if f.relayed and proto in (TCP, UDP, ICMP, ICMP6):
            which = 5 if proto in (TCP, UDP) else 4
            p = k[which]
            for i in range(1, 9):
                k = k[:which] + (1024 + (p + 7919 * i) % 64512,) + k[which + 1:]
                if k not in self.flows and k != f.keys[0]:
                    f.keys[1] = k
                    self.begun["by another port"] += 1
                    return None
        return "closed"

    def plan_inbound(self, p, f):
        if self.is_fenced(p.src):
            return "fence"
        for addr, proto, port, g, gport, sources in self.forwards:
            if p.dst == addr and p.proto == proto and p.dport == port:
                f.guest = g.port
                if len(p.dst) not in g.inside:
                    return "closed"
                if sources and not listed(sources, p.src):
                    return "source not listed"
                f.keys[1] = (g.port, p.proto, g.inside[len(p.dst)], p.src, gport, p.sport)
                return None
        g = self.by_public.get(p.dst)
        if g is None:
            return "closed"
        f.guest = g.port
        if g.kind == "loghost" or len(p.dst) not in g.inside:
            return "closed"
        f.keys[1] = self.answer(p, g.port, g.inside[len(p.dst)], p.src)
        return None

    @staticmethod
    def answer(p, port, addr, peer, dport=None):
        if p.proto in (TCP, UDP):
            return (port, p.proto, addr, peer, p.dport if dport is None else dport, p.sport)
        return (port, p.proto, addr, peer, p.sport if p.proto in (ICMP, ICMP6) else 0, 0)

    def plan_guest(self, p, f, g):
        dst, ver = p.dst, len(p.dst)
        f.guest = g.port
        peer = self.by_inside.get(dst) or self.by_public.get(dst)
        resolver = p.proto in (TCP, UDP) and p.dport == 53 and dst in self.resolvers
        f.direction = "lat"
        if peer is g or (peer is None and not resolver and
                         (dst in self.gateways or (ver == 4 and listed([self.inside_net], dst)))):
            return "closed", None
        if peer is None:
            f.direction = "out"
            if dst in self.forward_addrs:
                return "closed", None
        if g.kind == "loghost":
            return "loghost", None
        log = peer is not None and peer.kind == "loghost"
        if log and not (p.proto in (TCP, UDP) and p.dport == 514):
            return "loghost", None
        if self.is_fenced(dst):
            return "fence", None
        if log:
            f.log = True
            return self.go_on(p, f, g, peer, resolver, False)
        if g.roach:
            return "roach motel", None
        if g.name in self.overrides:
            return self.act(self.overrides[g.name][0], None, p, f, g, peer, resolver)
        if not self.rules:
            smtp = p.proto == TCP and p.dport == 25 and peer is None
            dns = self.sink is not None and (
                resolver or (p.proto in (TCP, UDP) and p.dport == 53 and peer is None))
            if (smtp or dns) and not resolver and listed(self.off, dst) and not listed(self.allowed, dst):
                return "off limits", None
            if smtp and self.sink is None:
                return "smtp", None
            if (smtp or dns) and self.sink is not None:
                self.go_to_sink(p, f, dns)
                return None, "dns" if dns else "tcp"
            return self.act("limit", None, p, f, g, peer, resolver)
        name = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMP6: "icmp"}.get(p.proto, "other")
        dport = p.dport if p.proto in (TCP, UDP) else 0
        for r in self.rules:
            if r.matches(g.name, g.cls, name, dst, dport, peer is not None, resolver):
                reason, cls = self.act(r.verdict, r, p, f, g, peer, resolver)
                if not reason and r.counts:
                    f.rule = r
                return reason, cls
        return "policy", None

    def act(self, verdict, r, p, f, g, peer, resolver):
        if verdict in ("drop", "reject"):
            return "policy", None
        if verdict in ("forward", "limit", "rewrite"):
            return self.go_on(p, f, g, peer, resolver, verdict != "forward")
        if verdict == "reflect":
            to = self.by_name[r.reflect]
            if to is g:
                return "policy", None
            if len(p.dst) not in to.inside:
                return "closed", None
            f.relayed = True
            f.keys[1] = self.answer(p, to.port, to.inside[len(p.dst)], p.src)
            return None, "lateral"
        if r is None or r.address is None:
            return self.go_to_sink(p, f, resolver)
        a, public = r.address, g.public.get(len(p.dst))
        if len(a) != len(p.dst):
            return "policy", None
        if self.is_fenced(a):
            return "fence", None
        if public is None or a in self.by_public or a in self.forward_addrs:
            return "closed", None
        f.relayed = True
        f.keys[1] = self.answer(p, 0, a, public, r.port or None)
        return None, self.class_of(p)

    @staticmethod
    def class_of(p):
        return {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMP6: "icmp"}.get(p.proto, "other")

    def go_on(self, p, f, g, peer, resolver, limited):
        ver = len(p.dst)
        if peer is not None:
            if ver not in peer.inside:
                return "closed", None
            f.keys[1] = self.answer(p, peer.port, peer.inside[ver], p.src)
            return None, "lateral" if limited else None
        if not resolver and listed(self.off, p.dst) and not listed(self.allowed, p.dst):
            return "off limits", None
        if ver not in g.public:
            return "closed", None
        f.keys[1] = self.answer(p, 0, p.dst, g.public[ver])
        if not limited:
            return None, None
        return None, "dns" if resolver else self.class_of(p)

    def go_to_sink(self, p, f, resolver):
        if self.sink is None:
            return "policy", None
        port = None
        if p.dport == 53:
            port = 53
        elif p.proto == UDP:
            port = 123 if p.dport == 123 else 9
        else:
            port = {25: 25, 465: 25, 587: 25, 80: 80, 8000: 80, 8080: 80}.get(p.dport, 9)
        f.relayed = True
        f.keys[1] = self.answer(p, self.sink, p.dst, p.src, port)
        return None, "dns" if resolver else None

    # ---- What counts ----------------------------------------------------------------------------

    def charge(self, g, f, cls, p, now):
        if f.rule is not None:
            return self.meter(g, f.rule, f.keys[0], (0, 1, p.length), now, False) or \
                self.meter(g, f.rule, f.keys[0], (1, 0, 0), now, True)
        if cls is None:
            return None
        past = g.limits[cls]
        for most, length in self.limits[cls]:
            if most == 0 or (len(past) >= most and now - past[-most] <= length):
                return "limit"
        past.append(now)
        return None

    def meter(self, g, rule, key, amount, now, take):
        if not any(n and ws for n, ws in zip(amount, rule.windows)):
            return None
        k = (rule.n, self.class_name(key[1]) if rule.per == "proto" else
             key[3] if rule.per == "destination" else None)
        m = g.meters.get(k)
        if m is not None and m.until <= now:
            m = None
        if m is None:
            if len(g.meters) >= 128:
                for old in [o for o, x in g.meters.items() if x.until <= now]:
                    del g.meters[old]
                if len(g.meters) >= 128:
                    return "table-full"
            m = Meter(rule)
        for n, ws in zip(amount, m.windows):
            if n:
                for w in ws:
                    if not w.room(n, now):
                        return "limit"
        if take:
            g.meters[k] = m
            for n, ws in zip(amount, m.windows):
                if n:
                    for w in ws:
                        m.until = max(m.until, w.add(n, now))
        return None

    @staticmethod
    def class_name(proto):
        return {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMP6: "icmp"}.get(proto, "other")


class Packet:
    __slots__ = ("data", "length", "port", "proto", "src", "dst", "ttl", "offset", "more", "id", "l4", "end",
                 "sport", "dport", "flags", "seq", "ack", "itype", "routed", "dmac")

    def is_error(self):
        return (self.proto == ICMP and self.itype in (3, 11, 12)) or (self.proto == ICMP6 and 1 <= self.itype <= 4)

    def read4(self, d):
        if len(d) < 34 or d[14] != 0x45:
            return "malformed"
        total, frag = d[16] << 8 | d[17], d[20] << 8 | d[21]
        self.data, self.length, self.end, self.l4 = d, len(d), 14 + total, 34
        self.src, self.dst, self.ttl, self.proto = d[26:30], d[30:34], d[22], d[23]
        self.offset, self.more, self.id = (frag & 0x1fff) * 8, bool(frag & 0x2000), d[18] << 8 | d[19]
        if total < 20 or self.end > len(d) or self.offset + total - 20 > 65535:
            return "malformed"
        if int.from_bytes(d[14:34], "big") % 65535:
            return "checksum"
        return self.read_transport()

    def read6(self, d):
        if len(d) < 54 or d[14] >> 4 != 6:
            return "malformed"
        self.data, self.length, self.end, self.l4 = d, len(d), 54 + (d[18] << 8 | d[19]), 54
        self.src, self.dst, self.ttl, self.proto = d[22:38], d[38:54], d[21], d[20]
        self.offset, self.more, self.id = 0, False, 0
        if self.end > len(d) or not self.read_extensions(d):
            return "malformed"
        return self.read_transport()

    def read_extensions(self, d):
        """Steps over what lies before the transport header; false: malformed."""
        fragment = False
        for n in range(9):
            if self.proto not in (0, 43, 44, 51, 60, 135, 139, 140):
                return True
            left, kind, h = self.end - self.l4, self.proto, d[self.l4:self.l4 + 8]
            if n == 8 or kind in (0, 43) or left < 8 or (kind == 44 and fragment):
                return False
            size = {44: 8, 51: (h[1] + 2) * 4}.get(kind, (h[1] + 1) * 8)
            if size > left:
                return False
            self.proto, self.l4 = h[0], self.l4 + size
            if kind == 44:
                at, fragment = h[2] << 8 | h[3], True
                self.offset, self.more, self.id = at & 0xfff8, bool(at & 1), h[4:]
                if self.offset:
                    return self.offset + self.end - self.l4 <= 65535
        return False

    def read_transport(self):
        self.sport = self.dport = self.flags = self.itype = 0
        if self.offset:
            return None
        d, at, left = self.data, self.l4, self.end - self.l4
        if self.proto == TCP:
            if left < 20 or (d[at + 12] >> 4) < 5 or (d[at + 12] >> 4) * 4 > left:
                return "malformed"
            self.flags = d[at + 13] & 63
            self.seq = int.from_bytes(d[at + 4:at + 8], "big")
            self.ack = int.from_bytes(d[at + 8:at + 12], "big")
        elif self.proto == UDP:
            if left < 8:
                return "malformed"
            n = d[at + 4] << 8 | d[at + 5]
            if n < 8 or (n != left and not self.more):
                return "malformed"
        elif self.proto == (ICMP if len(self.src) == 4 else ICMP6):
            if left < 8:
                return "malformed"
            self.itype, self.sport = d[at], d[at + 4] << 8 | d[at + 5]
            return None
        else:
            return None
        self.sport, self.dport = d[at] << 8 | d[at + 1], d[at + 2] << 8 | d[at + 3]
        return None

    def unsound(self):
        src, dst = self.src, self.dst
        if src == dst:
            return "malformed"
        if len(src) == 4 and (dst[0] in (0, 127) or src[0] in (0, 127) or src[0] & 0xf0 == 0xe0):
            return "malformed"
        if len(src) == 16 and (dst == bytes(16) or dst == bytes(15) + b"\1" or dst[:12] == bytes(10) + b"\xff\xff"
                               or src[:12] == bytes(10) + b"\xff\xff"):
            return "malformed"
        if self.offset:
            return None
        if self.proto == TCP:
            fl = self.flags
            if (fl & SYN and fl & (FIN | RST)) or not fl & (SYN | RST | ACK):
                return "malformed"
        if self.more:
            return None
        if self.proto in (TCP, UDP) or self.proto == (ICMP if len(src) == 4 else ICMP6):
            part = self.data[self.l4:self.end]
            if self.proto == UDP and part[6:8] == b"\0\0":
                return "checksum" if len(src) == 16 else None
            v = int.from_bytes(part + b"\0" if len(part) & 1 else part, "big")
            if self.proto != ICMP:
                v += int.from_bytes(src + dst, "big") + len(part) + self.proto
            if v % 65535:
                return "checksum"
        return None
