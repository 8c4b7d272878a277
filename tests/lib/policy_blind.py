#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A second model of the containment policy, by somebody who read docs/POLICY.md and CONFIG.md and neither
the wall's code nor the first model (policy_model.py) before this one ran. Where it then differed from the
wall the page was unclear (and says it now), the reading wrong, or the wall.

Model(conf, sink).frame(now, port, frame): (port where it leaves, frame with checksums zero), or None.
"""
import bisect
import collections
import ipaddress

SEC = 10**9
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
FIN, SYN, RST, ACK = 1, 2, 4, 16


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


WALL_MAC, PEER_MAC, SINK_MAC = mac("02:00:00:00:00:01"), mac("02:00:00:00:00:02"), mac("02:00:00:00:00:09")
GW_MAC = mac("02:4c:1f:9a:00:01")


def address(text):
    return ipaddress.ip_address(text).packed


class Nets:
    """A list of networks; in: whether an address (bytes) lies in one."""

    def __init__(self, texts):
        self.nets = [self.parse(t) for t in texts]
        self.known = {}

    @staticmethod
    def parse(text):
        n = ipaddress.ip_network(text)
        bits = n.max_prefixlen
        return bits // 8, bits - n.prefixlen, int(n.network_address) >> (bits - n.prefixlen)

    def __contains__(self, a):
        hit = self.known.get(a)
        if hit is None:
            v = int.from_bytes(a, "big")
            hit = self.known[a] = any(size == len(a) and v >> shift == net for size, shift, net in self.nets)
        return hit


OFF_LIMITS = ("0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 "
              "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 224.0.0.0/4 240.0.0.0/4 ::/96 ::ffff:0:0/96 "
              "::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/32 2001:10::/28 2002::/16 "
              "5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8").split()
GROUPS = Nets(["224.0.0.0/3", "ff00::/8"])
MAPPED = Nets(["::ffff:0:0/96"])
NOBODY = Nets(["0.0.0.0/8", "127.0.0.0/8", "::/127", "::ffff:0:0/96"])
EXTENSIONS = 0, 43, 44, 51, 60, 135, 139, 140
LINK4 = Nets(["169.254.0.0/16"])
PRIVATE = Nets("10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7".split())
NO_SOURCE = Nets(["224.0.0.0/3", "0.0.0.0/8", "127.0.0.0/8", "::/128", "::1/128", "fe80::/10",
                  "ff00::/8"])


# ---- values of the configuration -----------------------------------------------------------------
def duration(text):
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[text[-1]] * SEC


def size(text):
    text = str(text)
    for n, unit in enumerate(("KB", "MB", "GB"), 1):
        if text.endswith(unit):
            return int(text[:-2]) << 10 * n
    return int(text[:-1] if text.endswith("B") else text)


def windows(value):
    """[(N, length)] of "20/1h", a list of them or none."""
    if value in (None, "none"):
        return []
    found = []
    for text in value if isinstance(value, list) else [value]:
        n, length = text.split("/")
        found.append((size(n), duration(length)))
    return found


def rate(value):
    return None if value == "none" or size(value) == 0 else size(value)


# ---- what a frame is -----------------------------------------------------------------------------
class Packet:
    __slots__ = ("v6", "src", "dst", "proto", "l4", "end", "ttl", "off", "more", "ident", "flags", "seq", "ack",
                 "ports", "error", "begins", "kind")


def proto_at(v6, proto):
    """Where the checksum is in the transport header; 0: there is none."""
    return {TCP: 16, UDP: 6, ICMP: 0 if v6 else 2, ICMP6: 2 if v6 else 0}.get(proto, 0)


def dissect(f):
    """The packet in a frame, or None if it is malformed (or nothing that ever crosses)."""
    p = Packet()
    ether, n = f[12:14], len(f)
    p.off, p.more, p.ident, p.flags, p.error, p.begins, p.ports = 0, False, None, 0, False, False, (0, 0)
    if ether == b"\x08\x00":
        if n < 34 or f[14] != 0x45:
            return None
        total = f[16] << 8 | f[17]
        if total < 20 or total > n - 14 or int.from_bytes(f[14:34], "big") % 65535:
            return None
        p.v6, p.src, p.dst, p.proto, p.ttl, p.l4 = False, f[26:30], f[30:34], f[23], f[22], 34
        p.end = 14 + total
        p.off, p.more, p.ident = (f[20] << 8 | f[21] & 0xff) & 0x1fff, f[20] & 0x20 != 0, f[18:20]
        p.off *= 8
    elif ether == b"\x86\xdd":
        if n < 54 or f[14] >> 4 != 6:
            return None
        p.v6, p.src, p.dst, p.proto, p.ttl, p.l4 = True, f[22:38], f[38:54], f[20], f[21], 54
        p.end = 54 + (f[18] << 8 | f[19])
        if p.end > n or not step_over(p, f):
            return None
    else:
        return None
    if p.src == p.dst or p.src in MAPPED or p.dst in NOBODY or p.off + p.end - p.l4 > 65535:
        return None
    if p.proto == (ICMP if p.v6 else ICMP6):
        return None
    return p if p.off != 0 else transport(p, f)


def step_over(p, f):
    """Finds the transport header behind IPv6's extension headers; False: malformed."""
    cut, seen = False, 0
    while p.proto in EXTENSIONS:
        kind, left = p.proto, p.end - p.l4
        seen += 1
        if seen > 8 or left < 8 or kind in (0, 43) or kind == 44 and cut:
            return False
        n = 8 if kind == 44 else (f[p.l4 + 1] + 2) * 4 if kind == 51 else (f[p.l4 + 1] + 1) * 8
        if n > left:
            return False
        p.proto = f[p.l4]
        if kind == 44:
            cut, p.more, p.ident = True, f[p.l4 + 3] & 1 != 0, f[p.l4 + 4:p.l4 + 8]
            p.off = (f[p.l4 + 2] << 8 | f[p.l4 + 3]) & 0xfff8
        p.l4 += n
        if p.off:
            break
    return True


def transport(p, f):
    at, n, whole = p.l4, p.end - p.l4, not p.more
    if p.proto == TCP:
        if n < 20 or f[at + 12] >> 4 < 5 or (f[at + 12] >> 4) * 4 > n:
            return None
        p.flags, p.seq, p.ack = f[at + 13], int.from_bytes(f[at + 4:at + 8], "big"), int.from_bytes(
            f[at + 8:at + 12], "big")
        if p.flags & SYN and p.flags & (FIN | RST) or not p.flags & (SYN | RST | ACK):
            return None
        p.begins = p.flags & SYN and not p.flags & (ACK | RST | FIN)
    elif p.proto == UDP:
        if n < 8 or (f[at + 4] << 8 | f[at + 5]) < 8 or whole and (f[at + 4] << 8 | f[at + 5]) != n:
            return None
        p.begins = True
    elif p.proto == (ICMP6 if p.v6 else ICMP):
        if n < 8:
            return None
        p.kind = f[at]
        if p.kind not in ((1, 2, 3, 4, 128, 129) if p.v6 else (0, 3, 8, 11, 12)):
            return None
        p.error = p.kind in ((1, 2, 3, 4) if p.v6 else (3, 11, 12))
        p.begins = p.kind == (128 if p.v6 else 8)
        if not p.error:
            p.ports = (f[at + 4] << 8 | f[at + 5],) * 2
    elif p.proto == 132 and n < 12:
        return None
    else:
        p.begins = True
    if p.proto in (TCP, UDP):
        p.ports = f[at] << 8 | f[at + 1], f[at + 2] << 8 | f[at + 3]
        if p.proto == UDP and set(p.ports) <= ({546, 547} if p.v6 else {67, 68}):
            return None
    if whole and not right(p, f):
        return None
    return p


def right(p, f):
    if not proto_at(p.v6, p.proto):
        return True
    body = f[p.l4:p.end]
    if p.proto == UDP and body[6:8] == b"\0\0":
        return not p.v6
    if len(body) & 1:
        body += b"\0"
    pseudo = 0 if p.proto == ICMP else int.from_bytes(p.src + p.dst, "big") + p.proto + p.end - p.l4
    return (int.from_bytes(body, "big") + pseudo) % 65535 == 0


# ---- what is remembered --------------------------------------------------------------------------
class Guest:
    def __init__(self, port, c):
        self.port, self.name, self.kind = port, c.get("name", "outside"), c.get("kind", "honeypot")
        self.mac = mac(c["mac"]) if "mac" in c else WALL_MAC
        self.cls = c.get("class", "loghost" if self.kind == "loghost" else "honeypot")
        self.motel = c.get("roach_motel", False)
        self.inside = {n: address(c[k]) for n, k in ((4, "inside"), (16, "inside6")) if k in c}
        self.public = {n: address(c[k]) for n, k in ((4, "public"), (16, "public6")) if k in c}
        self.limits = collections.defaultdict(list)   # class: times of what was counted
        self.meters = {}
        self.full = [0, 0]                            # when its buckets are full again


class Rule:
    def __init__(self, n, c):
        self.n, self.verdict = n, c["verdict"]
        self.guests, self.proto = c.get("guests", []), c.get("proto", "any")
        to = c.get("to", [])
        self.words = {t for t in to if t in ("any", "outside", "lateral", "resolver")}
        self.nets = Nets([t for t in to if t not in self.words])
        self.everywhere = not to or "any" in self.words
        self.ports = []
        for text in c.get("ports", []):
            low, _, high = str(text).partition("-")
            self.ports.append((int(low), int(high or low)))
        where = c.get("redirect_to", "sink")
        self.to, self.to_port = None if where == "sink" else address(where), c.get("redirect_port", 0)
        self.reflect, self.per = c.get("reflect_to"), c.get("per", "guest")
        self.windows = {k: windows(c.get(k)) for k in ("connections", "packets", "bytes")}
        self.metered = any(self.windows.values())


class Meter:
    def __init__(self):
        self.until, self.counts = 0, collections.defaultdict(int)

    def free(self, now):
        return self.until <= now

    def room(self, now, what, n, window):
        many, length = window
        k = now // (length // 16)
        return sum(self.counts.get((what, window, i), 0) for i in range(k - 16, k + 1)) + n <= many

    def count(self, now, what, n, window):
        self.counts[what, window, now // (window[1] // 16)] += n
        part = window[1] // 16
        self.until = max(self.until, (now // part + 17) * part)


class Flow:
    def __init__(self, key, now, proto):
        self.keys, self.last, self.proto, self.refused = [key], now, proto, None
        self.born, self.generation, self.seq, self.crossed = now, 0, 0, False
        self.bounded = self.outbound = self.elsewhere = self.syslog = self.over = False
        self.synack, self.established, self.answered = None, False, False
        self.fin, self.rst = [False, False], None      # rst: the side of the last one
        self.rule = self.meter = self.guest = None
        self.listed = "refused"
        self.full = [now, now]

    def closing(self):
        return all(self.fin) or self.rst is not None

    def state(self):
        if self.refused:
            return "refused"
        if self.proto != TCP:
            if not self.bounded:
                return "loose" if self.answered else "half open"
            return "udp" if self.proto == UDP else "icmp"
        if self.closing() and (self.established or self.bounded):
            return "closing"
        if self.established:
            return "established"
        return "unanswered" if self.bounded else "half open"


class Datagram:
    def __init__(self, now, flow, side, after):
        self.until, self.flow, self.side, self.next = now + 61 * SEC, flow, side, after
        self.dead = self.complete = False
        self.ttl = 0


class Orders:
    def __init__(self):
        self.lockdown, self.nets, self.overrides = 0, {"fence": {}, "ignore": {}}, {}

    def copy(self):
        o = Orders()
        o.lockdown, o.overrides = self.lockdown, dict(self.overrides)
        o.nets = {k: dict(v) for k, v in self.nets.items()}
        return o

    def expire(self, now):
        """Whether one has ended."""
        gone = False
        for d in (*self.nets.values(), self.overrides):
            for k in [k for k, v in d.items() if 0 < (v[1] if isinstance(v, tuple) else v) <= now]:
                del d[k]
                gone = True
        return gone


# ---- the wall ------------------------------------------------------------------------------------
class Model:
    def __init__(self, conf, sink):
        self.reasons, self.begun = collections.Counter(), collections.Counter()
        self.guests = [Guest(0, {})] + [Guest(n, c) for n, c in enumerate(conf["guests"], 1)]
        self.sink = len(self.guests) if sink else None
        self.macs = [g.mac for g in self.guests] + ([SINK_MAC] if sink else [])
        self.by_name = {g.name: g for g in self.guests[1:]}
        self.by_mac = {g.mac: g for g in self.guests[1:]}
        self.by_inside = {a: g for g in self.guests[1:] for a in g.inside.values()}
        self.by_public = {a: g for g in self.guests[1:] for a in g.public.values()}
        n, w = conf["network"], conf["wall"]
        self.inside = Nets([n["inside"]])
        self.gateways = {address(n["gateway"]), address(n["gateway6"])}
        self.resolvers = {address(n[k]) for k in ("resolver", "resolver6") if n.get(k, "none") != "none"}
        self.forwards = {(address(f["public"]), TCP if f.get("proto", "tcp") == "tcp" else UDP, f.get("port", 24)):
                         (self.by_name[f["guest"]], f.get("guest_port", 22), f.get("sources") and
                          Nets(f["sources"])) for f in conf.get("forwards", [])}
        self.forwarded = {k[0] for k in self.forwards}
        self.rules = [Rule(i, c) for i, c in enumerate(conf.get("policy", []))]
        self.off, self.allowed = Nets(OFF_LIMITS + w.get("off_limits", [])), Nets(w.get("allowed", []))
        self.limits = {k: windows(v) for k, v in w["limits"].items()}
        caps = w["caps"]
        self.flow_rates = rate(caps["flow_pps"]), rate(caps["flow_bytes"])
        self.guest_rates = rate(caps["guest_pps"]), rate(caps["guest_bytes"])
        self.idle = {k: duration(w[k]) for k in ("tcp_idle", "udp_idle", "icmp_idle", "half_open")}
        patient = max(self.idle["half_open"], 75 * SEC)
        self.times = {"refused": patient, "half open": self.idle["half_open"], "unanswered": patient,
                      "established": self.idle["tcp_idle"], "closing": 10 * SEC, "loose": self.idle["udp_idle"],
                      "udp": self.idle["udp_idle"], "icmp": self.idle["icmp_idle"]}
        self.capacity = w["flows"]
        self.conf_fence, self.conf_ignore = w.get("fence", []), w.get("ignore", [])
        self.given = Orders()       # as the operator gave them
        self.crash(0)

    def crash(self, now):
        """A new wall: it has forgotten flows, datagrams and rates, not what was counted."""
        self.flows, self.datagrams = {}, {}
        self.lists = {state: {} for state in self.times}    # flows, the longest silent first
        self.generation = 0
        for g in self.guests:
            g.full = [0, 0]
        self.adopt(self.given.copy())
        self.tick(now)

    def adopt(self, orders):
        self.orders = orders
        self.generation += 1
        self.fenced = Nets(self.conf_fence + list(orders.nets["fence"]))
        self.ignored = Nets(self.conf_ignore + list(orders.nets["ignore"]))
        for flow in self.every():
            if self.touches_fence(flow):
                self.end(flow)

    @property
    def lockdown(self):
        return self.orders.lockdown

    def order(self, words, now):
        w = words.split(" ")
        o = self.given
        o.expire(now)
        if w[0] == "lockdown":
            o.lockdown = int(w[1])
        elif w[0] in ("fence", "ignore"):
            net = str(ipaddress.ip_network(w[2]))
            if w[1] == "add":
                o.nets[w[0]][net] = int(w[3])
            else:
                o.nets[w[0]].pop(net, None)
        elif w[0] == "override":
            o.overrides[w[1]] = w[2], int(w[3])
        else:
            o.overrides.pop(w[1], None)
        self.adopt(o.copy())
        if w[0] == "override" and w[2] in ("drop", "reject"):
            for flow in self.every():
                if flow.guest is self.by_name[w[1]] and not flow.syslog and not flow.refused:
                    self.end(flow)

    def touches_fence(self, flow):
        if flow.guest is None:
            return flow.keys[0][2] in self.fenced
        return flow.keys[0][3] in self.fenced or flow.keys[-1][0] == 0 and flow.keys[-1][2] in self.fenced

    def every(self):
        return [f for flows in self.lists.values() for f in flows]

    def touch(self, flow, now):
        flow.last = now
        self.lists[flow.listed].pop(flow, None)
        flow.listed = flow.state()
        self.lists[flow.listed][flow] = None

    def enter(self, flow, now):
        """Into the table; False: there is no room."""
        if sum(map(len, self.lists.values())) >= self.capacity:
            half, refused, loose = (next(iter(self.lists[s]), None) for s in ("half open", "refused", "loose"))
            old = min((f for f in (half, refused) if f), key=lambda f: f.last, default=loose)
            if old is None:
                return False
            self.reasons["given up"] += 1
            self.end(old)
        for side, k in enumerate(flow.keys):
            self.flows[k] = flow, side
        self.touch(flow, now)
        return True

    def end(self, flow):
        flow.over = True
        del self.lists[flow.listed][flow]
        for k in flow.keys:
            del self.flows[k]

    def tick(self, now):
        if self.orders.expire(now):
            self.adopt(self.orders)
        for state, flows in self.lists.items():
            for flow in list(flows):
                if now - flow.last < self.times[state]:
                    break
                self.end(flow)

    # ---- a frame
    def frame(self, now, port, f):
        p = self.crossable(port, f)
        if p is None:
            return self.drop("never")
        direct = port not in (0, self.sink) and f[:6] != GW_MAC
        if not direct and p.ttl <= (port != 0):
            return self.drop("ttl")
        if self.lockdown == 2:
            return self.drop("lockdown")
        if p.off != 0:
            return self.later(now, port, p, f, direct)
        if p.error:
            return self.error(now, port, p, f, direct)
        key = port, p.proto, p.src, p.dst, *p.ports
        flow, side = self.flows.get(key, (None, 0))
        if flow is not None and self.anew(now, port, flow, side, p):
            self.end(flow)
            flow = None
        if flow is None:
            return self.unknown(now, port, key, p, f, direct)
        if flow.refused:
            self.touch(flow, now)
            return self.drop(flow.refused)
        if not self.steps(now, port, flow, side, p, f, direct):
            return None
        return self.cross(now, port, flow, side, p, f, direct)

    def drop(self, why):
        self.reasons[why] += 1

    def crossable(self, port, f):
        if len(f) < 14 or f[0] & 1:
            return None
        smac, dmac = f[6:12], f[:6]
        if port == 0 and (smac == WALL_MAC or smac[0] & 1 or smac == bytes(6) or dmac != WALL_MAC):
            return None
        if port != 0 and (smac != self.macs[port] or dmac != GW_MAC and dmac not in self.by_mac):
            return None
        p = dissect(f)
        if p is None or p.dst in GROUPS:
            return None
        if port == 0:
            if p.src in self.by_inside or p.src in self.by_public or p.src in self.forwarded or \
                    p.src in NO_SOURCE or p.src in self.inside:
                return None
            if not p.error and (p.src in LINK4 or p.src in PRIVATE and p.dst not in PRIVATE and
                                p.src not in self.allowed):
                return None
        elif port != self.sink and self.guests[port].inside.get(len(p.src)) != p.src:
            return None
        return p

    def anew(self, now, port, flow, side, p):
        """Whether the frame ends its flow, to be judged as if there were none."""
        if flow.refused:
            return flow.generation != self.generation or \
                flow.refused in ("limit", "table-full") and now - flow.born >= 300 * SEC
        if not p.flags & SYN or p.flags & (ACK | RST):
            return False
        if side == 0 and p.seq == flow.seq:
            return False
        return port != 0 or flow.state() in ("closing", "half open")

    def steps(self, now, port, flow, side, p, f, direct):
        """Steps 1 to 3; False: dropped."""
        if self.lockdown and flow.outbound:
            self.drop("lockdown")
            return False
        if not direct and flow.guest is not None and p.ttl <= 1:
            self.drop("ttl")
            return False
        if direct and flow.elsewhere and p.ttl <= 1:
            self.drop("ttl")
            return False
        if direct and not flow.elsewhere and f[:6] != self.macs[flow.keys[1 - side][0]]:
            self.drop("mac")
            return False
        if port in (0, self.sink):
            return True
        guest = self.guests[port]
        takes = self.takes(flow.full, self.flow_rates, len(f)) + self.takes(guest.full, self.guest_rates, len(f))
        if not self.fits(now, takes):
            self.drop("rate")
            return False
        if side == 0 and flow.meter and not self.metered(now, guest, flow, {"packets": 1, "bytes": len(f)}):
            self.drop("limit")
            return False
        self.take(now, takes)
        return True

    @staticmethod
    def takes(full, rates, n):
        return [(full, i, many * SEC // r) for i, (r, many) in enumerate(zip(rates, (1, n))) if r is not None]

    @staticmethod
    def fits(now, takes):
        return all(full[i] <= now or full[i] - now + n <= SEC // 4 for full, i, n in takes)

    @staticmethod
    def take(now, takes):
        for full, i, n in takes:
            full[i] = max(full[i], now) + n

    @staticmethod
    def metered(now, guest, flow, what, later=()):
        """Counts in the windows of the flow's rule, but not yet what is meant to be counted later. False: no
        room; None: no meter."""
        todo = [(k, n, w) for k, n in what.items() for w in set(flow.rule.windows[k])]
        if not todo:
            return True
        m = guest.meters.get(flow.meter)
        if m is None or m.free(now):
            guest.meters.pop(flow.meter, None)
            if len(guest.meters) >= 128:
                guest.meters = {k: v for k, v in guest.meters.items() if not v.free(now)}
                if len(guest.meters) >= 128:
                    return None
            m = Meter()
        if not all(m.room(now, *t) for t in todo):
            return False
        for t in todo:
            if t[0] not in later:
                m.count(now, *t)
        guest.meters[flow.meter] = m
        return True

    # ---- fragments
    def remember(self, now, port, flow, side, p):
        """A first fragment; False: there is one already."""
        key = port, p.src, p.dst, p.proto, p.ident
        d = self.datagrams.get(key)
        if d is not None and now < d.until and not d.complete:
            d.dead = True
            return False
        self.datagrams[key] = d = Datagram(now, flow, side, p.end - p.l4)
        d.ttl = p.ttl
        return True

    def later(self, now, port, p, f, direct):
        key = port, p.src, p.dst, p.proto, p.ident
        d = self.datagrams.get(key)
        if d is None or now >= d.until or d.dead or d.complete:
            return self.drop("fragment")
        n = p.end - p.l4
        if p.ttl < d.ttl or p.off != d.next or n == 0 or p.off + n > 65535 or d.flow.over:
            d.dead = True
            return self.drop("fragment")
        d.until = now + 61 * SEC
        if not self.steps(now, port, d.flow, d.side, p, f, direct):
            d.dead = True
            return None
        d.next += n
        d.complete = not p.more
        self.reasons["crossed"] += 1
        return self.translated(d.flow, d.side, p, f, direct)

    # ---- crossing
    def cross(self, now, port, flow, side, p, f, direct):
        """Steps 4 to 6."""
        if p.more and not self.remember(now, port, flow, side, p):
            return self.drop("fragment")
        if not flow.crossed:
            flow.seq = p.seq if p.proto == TCP else 0
        if p.proto == TCP and side == 0 and not p.flags & (SYN | RST) and flow.synack is None:
            if p.more:
                self.datagrams[port, p.src, p.dst, p.proto, p.ident].dead = True
            return self.drop("tcp state")
        if side == 1:
            flow.answered = True
        if p.proto == TCP:
            self.follow(flow, side, p)
        self.touch(flow, now)
        self.reasons["crossed"] += 1
        return self.translated(flow, side, p, f, direct)

    @staticmethod
    def follow(flow, side, p):
        flow.crossed = True
        if p.flags & FIN:
            flow.fin[side] = True
        if p.flags & RST:
            flow.rst = side
        elif flow.rst == side:
            flow.rst = None
        if side == 1 and p.flags & SYN and p.flags & ACK:
            flow.synack = p.seq
        elif side == 0 and p.flags & ACK and not p.flags & (SYN | RST) and flow.synack is not None and \
                p.ack == (flow.synack + 1) & 0xffffffff:
            flow.established = True

    def out(self, flow, side, p, f, direct):
        """The frame that leaves, with its new head: (port, bytearray)."""
        port, _, src, dst, _, _ = flow.keys[1 - side]
        b = bytearray(f)
        if not direct or flow.elsewhere:
            b[0:6] = PEER_MAC if port == 0 else self.macs[port]
            b[6:12] = WALL_MAC if port == 0 else GW_MAC
            b[21 if p.v6 else 22] -= flow.guest is not None
        if p.v6:
            b[22:38], b[38:54] = dst, src
        else:
            b[26:30], b[30:34], b[24:26] = dst, src, b"\0\0"
        return port, b

    def translated(self, flow, side, p, f, direct):
        port, b = self.out(flow, side, p, f, direct)
        if p.off == 0:
            _, _, _, _, sport, dport = flow.keys[1 - side]
            put_ports(b, p.l4, p.proto, dport, sport)
            at = proto_at(p.v6, p.proto)
            if at:
                b[p.l4 + at:p.l4 + at + 2] = b"\0\0"
        return port, bytes(b)

    # ---- a new conversation
    def unknown(self, now, port, key, p, f, direct):
        if port == 0 and p.src in self.ignored:
            return self.drop("ignored")
        if port == self.sink or not p.begins:
            return self.drop("closed")
        flow = Flow(key, now, p.proto)
        flow.generation = self.generation
        count = None
        if port == 0:
            why = self.from_outside(flow, p)
        else:
            flow.guest = self.guests[port]
            why, count = self.from_guest(flow, flow.guest, p)
        if why is None and self.lockdown and flow.outbound:
            why = "lockdown"
        if why is not None:
            return self.refuse(flow, why, now)
        if port != 0:
            if direct and not flow.elsewhere and f[:6] != self.macs[flow.keys[1][0]]:
                return self.drop("mac")
            if not self.fits(now, self.takes(flow.guest.full, self.guest_rates, len(f))):
                return self.drop("rate")
            why = self.count(now, flow, count, len(f))
        why = why or self.place(flow)
        if why is not None:
            return self.refuse(flow, why, now)
        if not self.enter(flow, now):
            return self.drop("no room")
        self.tell(flow)
        if not self.steps(now, port, flow, 0, p, f, direct):
            return None
        return self.cross(now, port, flow, 0, p, f, direct)

    def refuse(self, flow, why, now):
        flow.refused, flow.keys = why, flow.keys[:1]
        return self.drop(why if self.enter(flow, now) else "no room")

    def tell(self, flow):
        self.begun["in" if flow.guest is None else "to the sink" if flow.keys[1][0] == self.sink else
                   flow.elsewhere or ("out" if flow.outbound else "lat")] += 1

    def place(self, flow):
        """Finds a key 1 that nobody has."""
        if flow.keys[1] not in self.flows:
            return None
        if not flow.elsewhere or flow.proto not in (TCP, UDP, ICMP, ICMP6):
            return "closed"
        port, proto, src, dst, sport, p = flow.keys[1]
        for i in range(1, 9):
            other = 1024 + (p + 7919 * i) % 64512
            key = port, proto, src, dst, other if proto in (ICMP, ICMP6) else sport, other
            if key not in self.flows:
                flow.keys[1] = key
                self.begun["by another port"] += 1
                return None
        return "closed"

    def lead(self, flow, p, port, addr, to_port):
        """Key 1: somebody at a port of the wall answers the source as it is."""
        flow.keys.append((port, p.proto, addr, p.src, to_port, p.ports[0]))

    def from_outside(self, flow, p):
        if p.src in self.fenced:
            return "fence"
        known = self.forwards.get((p.dst, p.proto, p.ports[1]))
        if known is not None:
            guest, port, sources = known
            if sources and p.src not in sources:
                return "closed"
        else:
            guest, port = self.by_public.get(p.dst), p.ports[1]
            if guest is None or guest.kind == "loghost":
                return "closed"
        self.lead(flow, p, guest.port, guest.inside[len(p.dst)], port)
        return None

    def from_guest(self, flow, g, p):
        """(why it is refused, what it counts in)"""
        d, named = p.dst, p.proto in (TCP, UDP) and p.ports[1] == 53
        to = self.by_inside.get(d) or self.by_public.get(d)
        asked = named and d in self.resolvers
        if to is g or d in self.gateways:
            return "off limits", None
        if to is None and d in self.inside and d not in self.resolvers:
            return "off limits", None
        if to is None and d in self.forwarded:
            return "off limits", None
        flow.outbound = to is None
        if g.kind == "loghost":
            return "loghost", None
        syslog = to is not None and to.kind == "loghost"
        if syslog and (p.proto not in (TCP, UDP) or p.ports[1] != 514):
            return "loghost", None
        if d in self.fenced:
            return "fence", None
        if syslog:
            flow.syslog = True
            return self.onward(flow, g, to, p, asked), None
        if g.motel:
            return "roach motel", None
        cls = "dns" if asked else "lateral" if to is not None else self.kind(p)
        over = self.orders.overrides.get(g.name)
        if over is not None:
            return self.act(flow, g, to, p, over[0], None, asked, cls)
        if not self.rules:
            return self.built_in(flow, g, to, p, named, asked, cls)
        for rule in self.rules:
            if self.matches(rule, g, to, p, asked):
                return self.act(flow, g, to, p, rule.verdict, rule, asked, cls)
        return "policy", None

    @staticmethod
    def kind(p):
        return {TCP: "tcp", UDP: "udp", ICMP6 if p.v6 else ICMP: "icmp"}.get(p.proto, "other")

    def matches(self, rule, g, to, p, asked):
        if rule.guests and g.name not in rule.guests and g.cls not in rule.guests:
            return False
        if rule.proto not in ("any", self.kind(p)):
            return False
        if rule.ports and not any(low <= p.ports[1] <= high for low, high in rule.ports):
            return False
        return rule.everywhere or "outside" in rule.words and to is None or \
            "lateral" in rule.words and to is not None or "resolver" in rule.words and asked or \
            p.dst in rule.nets

    def built_in(self, flow, g, to, p, named, asked, cls):
        off = self.off_limits(p.dst)
        if to is None and p.proto == TCP and p.ports[1] == 25:
            if off or self.sink is None:
                return "smtp", None
            return self.to_sink(flow, p), "tcp"
        if self.sink is not None and named and (asked or to is None):
            if off and not asked:
                return "off limits", None
            return self.to_sink(flow, p), "dns"
        return self.act(flow, g, to, p, "limit", None, asked, cls)

    def off_limits(self, a):
        return a in self.off and a not in self.allowed

    def act(self, flow, g, to, p, verdict, rule, asked, cls):
        if rule is not None and rule.metered:
            flow.rule = rule
            part = {"guest": None, "proto": self.kind(p), "destination": p.dst}[rule.per]
            flow.meter = rule.n, part
        if verdict in ("drop", "reject"):
            return "policy", None
        if verdict == "redirect":
            if rule is None or rule.to is None:
                return self.to_sink(flow, p), "dns" if asked else None
            return self.to_address(flow, g, p, rule), self.kind(p)
        if verdict == "reflect":
            other = self.by_name[rule.reflect]
            if other is g or len(p.dst) not in other.inside:
                return "policy", None
            flow.elsewhere = "reflected"
            self.lead(flow, p, other.port, other.inside[len(p.dst)], p.ports[1])
            return None, "lateral"
        return self.onward(flow, g, to, p, asked), None if verdict == "forward" else cls

    def onward(self, flow, g, to, p, asked):
        if to is not None:
            if len(p.dst) not in to.inside:
                return "closed"
            self.lead(flow, p, to.port, to.inside[len(p.dst)], p.ports[1])
            return None
        if self.off_limits(p.dst) and not asked or len(p.dst) not in g.public:
            return "off limits"
        flow.keys.append((0, p.proto, p.dst, g.public[len(p.dst)], p.ports[1], p.ports[0]))
        return None

    def to_address(self, flow, g, p, rule):
        a = rule.to
        ours = a in self.by_inside or a in self.by_public or a in self.forwarded or a in self.gateways or \
            a in self.inside
        if len(a) != len(p.dst) or a in self.fenced or ours or len(a) not in g.public:
            return "off limits"
        flow.elsewhere = "to an address"
        port = rule.to_port if rule.to_port and p.proto in (TCP, UDP) else p.ports[1]
        flow.keys.append((0, p.proto, a, g.public[len(a)], port, p.ports[0]))
        return None

    def to_sink(self, flow, p):
        if self.sink is None:
            return "policy"
        flow.elsewhere, port = "to the sink", p.ports[1]
        if p.proto == UDP and port not in (53, 123):
            port = 9
        elif p.proto == TCP and port != 53:
            port = {25: 25, 465: 25, 587: 25, 80: 80, 8000: 80, 8080: 80}.get(port, 9)
        self.lead(flow, p, self.sink, p.dst, port)
        return None

    # ---- counting
    def count(self, now, flow, cls, n):
        """Counts a new conversation; says why not."""
        if flow.meter:
            first = {"connections": 1, "packets": 1, "bytes": n}
            got = self.metered(now, flow.guest, flow, first, later=("packets", "bytes"))
            flow.bounded = bool(flow.rule.windows["connections"])
            return None if got else "table-full" if got is None else "limit"
        if cls is None:
            return None
        times = flow.guest.limits[cls]
        for many, length in self.limits[cls]:
            if len(times) - bisect.bisect_left(times, now - length) >= many:
                return "limit"
        times.append(now)
        flow.bounded = bool(self.limits[cls])
        return None

    # ---- ICMP errors
    def error(self, now, port, p, f, direct):
        if p.more:
            return self.drop("error")
        q = quoted(p, f)
        if q is None:
            return self.drop("error")
        proto, src, dst, sport, dport, l4 = q
        flow, side = self.flows.get((port, proto, dst, src, dport, sport), (None, 0))
        if flow is None or flow.refused:
            return self.drop("error")
        if not self.steps(now, port, flow, side, p, f, direct):
            return None
        here, there = flow.keys[side], flow.keys[1 - side]
        out, b = self.out(flow, side, p, f, direct)
        at, size_ = (22, 16) if p.v6 else (26, 4)
        if p.src != here[2]:
            b[at:at + size_] = p.src    # a router on the way
        inner = p.l4 + 8 + (8 if p.v6 else 12)
        b[inner:inner + size_], b[inner + size_:inner + 2 * size_] = there[2], there[3]
        put_ports(b, l4, proto, there[4], there[5])
        b[p.l4 + 2:p.l4 + 4] = b"\0\0"
        clear_quoted(b, p, l4, proto)
        self.reasons["error crossed"] += 1
        return out, bytes(b)


def put_ports(b, at, proto, sport, dport):
    if proto in (TCP, UDP):
        b[at:at + 4] = sport.to_bytes(2, "big") + dport.to_bytes(2, "big")
    elif proto in (ICMP, ICMP6):
        b[at + 4:at + 6] = sport.to_bytes(2, "big")


def quoted(p, f):
    """(protocol, source, destination, ports, where the transport header is) of the packet an error is about."""
    at, end = p.l4 + 8, p.end
    if p.v6:
        if end - at < 48 or f[at] >> 4 != 6:
            return None
        end = min(end, at + 40 + (f[at + 4] << 8 | f[at + 5]))
        proto, src, dst, l4 = f[at + 6], f[at + 8:at + 24], f[at + 24:at + 40], at + 40
        q = Packet()
        q.proto, q.l4, q.end, q.off = proto, l4, end, 0
        if not step_over(q, f) or q.off:
            return None
        proto, l4 = q.proto, q.l4
    else:
        if end - at < 28 or f[at] != 0x45 or f[at + 6] & 0x1f or f[at + 7]:
            return None
        end = min(end, at + (f[at + 2] << 8 | f[at + 3]))
        proto, src, dst, l4 = f[at + 9], f[at + 12:at + 16], f[at + 16:at + 20], at + 20
    if end - l4 < 8:
        return None
    sport = dport = 0
    if proto in (TCP, UDP):
        sport, dport = f[l4] << 8 | f[l4 + 1], f[l4 + 2] << 8 | f[l4 + 3]
    elif proto == (ICMP6 if p.v6 else ICMP):
        if f[l4] not in ((128, 129) if p.v6 else (0, 8)):
            return None
        sport = dport = f[l4 + 4] << 8 | f[l4 + 5]
    return proto, src, dst, sport, dport, l4


def clear_quoted(b, p, l4, proto):
    """Nobody looks at checksums inside what is quoted."""
    if not p.v6:
        b[p.l4 + 18:p.l4 + 20] = b"\0\0"
    at = {TCP: 16, UDP: 6, ICMP: 2, ICMP6: 2}.get(proto, 0)
    if at and p.end >= l4 + at + 2:
        b[l4 + at:l4 + at + 2] = b"\0\0"
