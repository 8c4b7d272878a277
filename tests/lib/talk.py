# SPDX-License-Identifier: BSD-2-Clause
"""Conversations as captures: what two ends say to each other, turned into TCP packets that may be cut,
shuffled, repeated and acknowledged in any way, and written as a classic pcap file.

    talk = Talk()
    talk.tcp([("c", b"GET / HTTP/1.1\\r\\n\\r\\n"), ("s", b"HTTP/1.1 200 OK\\r\\n\\r\\n")], dport=80)
    talk.udp([("c", query), ("s", answer)], dport=53)
    talk.write(path)
"""
import random
import struct

import frames as f

CLIENT, SERVER = "192.0.2.10", "198.51.100.20"
MAC_C, MAC_S = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


class Talk:
    def __init__(self, start_ns=1_700_000_000_000_000_000):
        self.now, self.packets, self.next_port = start_ns, [], 40000

    def frame(self, data, step_ns=1_000_000):
        self.packets.append((self.now, data))
        self.now += step_ns


    def tcp(self, turns, sport=None, dport=80, cut=None, seed=None, shuffle=0, repeat=0.0, close=True,
            mss=1400, isn=(1000, 900000), client=CLIENT, server=SERVER, ack_each=True):
        """turns: ("c" or "s", bytes) in order. cut: longest piece (random up to it if seed is given);
        shuffle: how many pieces may change places; repeat: share of pieces that come twice."""
        rng = random.Random(seed)
        sport = sport or self._port()
        ends = {"c": (client, server, sport, dport), "s": (server, client, dport, sport)}
        macs = {"c": (MAC_S, MAC_C), "s": (MAC_C, MAC_S)}
        seq = {"c": isn[0], "s": isn[1]}

        def put(side, flags, data=b"", at=None):
            src, dst, sp, dp = ends[side]
            other = "s" if side == "c" else "c"
            ack = seq[other] & 0xFFFFFFFF if flags & ACK else 0
            segment = f.tcp(src, dst, sp, dp, flags, (seq[side] if at is None else at) & 0xFFFFFFFF,
                            ack, data)
            kind, packet = (0x86DD, f.ipv6(src, dst, 6, segment)) if ":" in src else (
                0x0800, f.ipv4(src, dst, 6, segment))
            self.frame(f.eth(*macs[side], kind, packet))

        put("c", SYN)
        seq["c"] += 1
        put("s", SYN | ACK)
        seq["s"] += 1
        put("c", ACK)
        for side, data in turns:
            other = "s" if side == "c" else "c"
            pieces, at = [], 0
            while at < len(data):
                most = cut or mss
                n = rng.randint(1, most) if seed is not None and cut else most
                pieces.append((at, data[at:at + n]))
                at += n
            pieces = self._disorder(pieces, rng, shuffle, repeat)
            for at, piece in pieces:
                put(side, ACK | PSH, piece, seq[side] + at)
            seq[side] += len(data)
            if ack_each:
                put(other, ACK)
        if close:
            for side in "cs":
                put(side, FIN | ACK)
                seq[side] += 1
            put("c", ACK)
        return sport

    @staticmethod
    def _disorder(pieces, rng, shuffle, repeat):
        out = list(pieces)
        for _ in range(shuffle if len(out) > 1 else 0):
            i = rng.randrange(len(out) - 1)
            out[i], out[i + 1] = out[i + 1], out[i]
        twice = [p for p in out if rng.random() < repeat]
        for p in twice:
            out.insert(rng.randint(out.index(p), len(out)), p)
        return out

    def udp(self, turns, sport=None, dport=53, client=CLIENT, server=SERVER):
        sport = sport or self._port()
        for side, data in turns:
            src, dst, sp, dp = ((client, server, sport, dport) if side == "c" else
                                (server, client, dport, sport))
            macs = (MAC_S, MAC_C) if side == "c" else (MAC_C, MAC_S)
            datagram = f.udp(src, dst, sp, dp, data)
            kind, packet = (0x86DD, f.ipv6(src, dst, 17, datagram)) if ":" in src else (
                0x0800, f.ipv4(src, dst, 17, datagram))
            self.frame(f.eth(*macs, kind, packet))
        return sport

    def _port(self):
        self.next_port += 1
        return self.next_port

    def write(self, path, nanoseconds=False, link=1):
        with open(path, "wb") as h:
            h.write(struct.pack("<IHHiIII", 0xA1B23C4D if nanoseconds else 0xA1B2C3D4, 2, 4, 0, 0,
                                262144, link))
            for ns, data in self.packets:
                sub = ns % 1_000_000_000 // (1 if nanoseconds else 1000)
                h.write(struct.pack("<IIII", ns // 1_000_000_000, sub, len(data), len(data)) + data)
