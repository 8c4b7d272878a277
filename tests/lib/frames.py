# SPDX-License-Identifier: BSD-2-Clause
"""Frames built and read by hand, so that the tests do not believe the code they test."""
import socket
import struct


def csum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def mac(text):
    return bytes(int(x, 16) for x in text.split(":"))


def ip(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def text(packed):
    return socket.inet_ntop(socket.AF_INET6 if len(packed) == 16 else socket.AF_INET, packed)


def eth(dst, src, kind, payload, vlan=None):
    tag = struct.pack("!HH", 0x8100, vlan) if vlan is not None else b""
    return (mac(dst) + mac(src) + tag + struct.pack("!H", kind) + payload).ljust(60, b"\0")


def ipv4(src, dst, proto, payload, ttl=64, ident=1, frag=0, options=b""):
    ihl = 5 + len(options) // 4
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | ihl, 0, ihl * 4 + len(payload), ident, frag, ttl,
                       proto, 0, ip(src), ip(dst)) + options
    return head[:10] + struct.pack("!H", csum(head)) + head[12:] + payload


def ipv6(src, dst, proto, payload, hops=64):
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), proto, hops, ip(src),
                       ip(dst)) + payload


def _pseudo(src, dst, proto, length):
    if ":" in src:
        return ip(src) + ip(dst) + struct.pack("!IHBB", length, 0, 0, proto)
    return ip(src) + ip(dst) + struct.pack("!BBH", 0, proto, length)


def udp(src, dst, sport, dport, data=b"x"):
    head = struct.pack("!HHHH", sport, dport, 8 + len(data), 0)
    c = csum(_pseudo(src, dst, 17, len(head) + len(data)) + head + data) or 0xFFFF
    return head[:6] + struct.pack("!H", c) + data


def tcp(src, dst, sport, dport, flags=2, seq=1000, ack=0, data=b""):
    head = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 64240, 0, 0)
    c = csum(_pseudo(src, dst, 6, len(head) + len(data)) + head + data)
    return head[:16] + struct.pack("!H", c) + head[18:] + data


def icmp(kind, code, ident, seq, data=b"skep"):
    head = struct.pack("!BBHHH", kind, code, 0, ident, seq)
    return head[:2] + struct.pack("!H", csum(head + data)) + head[4:] + data


def icmp6(src, dst, kind, code, rest):
    head = struct.pack("!BBH", kind, code, 0) + rest
    c = csum(_pseudo(src, dst, 58, len(head)) + head)
    return head[:2] + struct.pack("!H", c) + head[4:]


def arp(op, sha, spa, tha, tpa):
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, op) + mac(sha) + ip(spa) + mac(tha) + ip(tpa)


def packet(src, dst, proto, payload, **kw):
    """IPv4 or IPv6 by the look of src."""
    return (ipv6 if ":" in src else ipv4)(src, dst, proto, payload, **kw)


class Seen:
    """The parts of a frame that tests ask for; missing ones are None."""
    src = dst = proto = sport = dport = flags = ident = icmp_type = None

    def __init__(self, raw):
        self.raw = raw
        self.dmac, self.smac = raw[:6].hex(":"), raw[6:12].hex(":")
        self.kind = struct.unpack("!H", raw[12:14])[0]
        at = 14
        if self.kind == 0x8100:
            self.kind = struct.unpack("!H", raw[16:18])[0]
            at = 18
        try:
            if self.kind == 0x0800:
                self._ip4(raw[at:])
            elif self.kind == 0x86DD:
                self.src, self.dst, self.proto = text(raw[at + 8:at + 24]), text(
                    raw[at + 24:at + 40]), raw[at + 6]
                self._l4(raw[at + 40:])
        except (struct.error, IndexError, ValueError):
            pass

    def _ip4(self, p):
        self.src, self.dst, self.proto = text(p[12:16]), text(p[16:20]), p[9]
        if struct.unpack("!H", p[6:8])[0] & 0x1FFF == 0:
            self._l4(p[(p[0] & 15) * 4:])

    def _l4(self, p):
        if self.proto in (6, 17):
            self.sport, self.dport = struct.unpack("!HH", p[:4])
            if self.proto == 6:
                self.flags = p[13]
        elif self.proto in (1, 58):
            self.icmp_type = p[0]
            self.ident = struct.unpack("!H", p[4:6])[0]

    @property
    def is_syn(self):
        return self.proto == 6 and self.flags is not None and self.flags & 0x12 == 2

    def __repr__(self):
        return (f"<{self.smac}>{self.dmac} {self.kind:04x} {self.src}>{self.dst} p{self.proto} "
                f"{self.sport}>{self.dport} len {len(self.raw)}>")
