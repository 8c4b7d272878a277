#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces
"""Every action of a rule, on a wire with real endpoints: TCP, UDP and ICMP, both versions, both directions.
What arrives is compared byte by byte."""
import os
import random
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import frames  # noqa: E402
import tap  # noqa: E402
from honeynet import Port, Sniffer  # noqa: E402
from wire import C4, C6, MAC, S4, S6, Wire, wait_for  # noqa: E402

EVIL = b"attack-at-dawn"
RULES = r"""
alert tcp any any -> any 7001 (msg:"alert"; content:"attack-at-dawn"; sid:1;)
pass tcp any any -> any 7002 (msg:"pass"; content:"letmepass"; sid:2;)
drop tcp any any -> any 7002 (msg:"drop but for pass"; content:"attack-at-dawn"; sid:3;)
drop tcp any any <> any 7003 (msg:"drop"; content:"attack-at-dawn"; sid:4;)
block tcp any any <> any 7004 (msg:"block"; content:"attack-at-dawn"; sid:5;)
reject tcp any any <> any 7005 (msg:"reject"; content:"attack-at-dawn"; sid:6;)
rewrite tcp any any <> any 7006 (msg:"equal"; content:"attack-at-dawn"; replace:"potato-at-noon"; sid:7;)
rewrite tcp any any <> any 7007 (msg:"shorter"; content:"attack-at-dawn"; replace:"tea"; sid:8;)
rewrite tcp any any <> any 7008 (msg:"longer"; content:"attack-at-dawn"; replace:"breakfast in the afternoon"; sid:9;)
rewrite tcp any any <> any 7009 (msg:"gone"; content:"attack-at-dawn"; replace:""; sid:10;)
alert udp any any <> any 8001 (msg:"alert"; content:"attack-at-dawn"; sid:21;)
drop udp any any <> any 8003 (msg:"drop"; content:"attack-at-dawn"; sid:24;)
reject udp any any <> any 8005 (msg:"reject"; content:"attack-at-dawn"; sid:26;)
rewrite udp any any <> any 8006 (msg:"equal"; content:"attack-at-dawn"; replace:"potato-at-noon"; sid:27;)
alert icmp any any -> any any (msg:"alert"; itype:8; content:"aaaaaaaa"; sid:31;)
drop icmp any any -> any any (msg:"drop"; content:"dddddddd"; sid:34;)
reject icmp any any -> any any (msg:"reject"; content:"rrrrrrrr"; sid:36;)
rewrite icmp any any -> any any (msg:"equal"; content:"wwwwwwww"; replace:"harmless"; sid:37;)
drop tcp any any <> any 7010 (msg:"cut"; content:"attack-at-dawn"; sid:41;)
rewrite tcp any any <> any 7011 (msg:"cut"; content:"attack-at-dawn"; replace:"tea"; sid:42;)
"""
SAID = {7006: b"potato-at-noon", 7007: b"tea", 7008: b"breakfast in the afternoon", 7009: b""}


def keep(server, conn):
    """Keeps what it hears, and says it back."""
    conn.settimeout(20)
    at = len(server.got)
    server.got.append(b"")
    while True:
        data = conn.recv(65536)
        if not data:
            return
        server.got[at] += data
        conn.sendall(data)


def speak(server, conn):
    """Says the bad word itself, when asked."""
    conn.settimeout(20)
    while True:
        data = conn.recv(65536)
        if not data:
            return
        conn.sendall(b"well: " + EVIL + b", he said")


def heard(conn, seconds=1.0):
    conn.settimeout(seconds)
    got = b""
    try:
        while True:
            data = conn.recv(65536)
            if not data:
                return got, "end"
            got += data
    except (socket.timeout, TimeoutError):
        return got, "silence"
    except OSError as e:
        return got, e.__class__.__name__


def of_flow(sniffer, mark, port):
    return [f for f in sniffer.since(mark, out=False) if port in (f.sport, f.dport)]


def tcp_actions(t, wire, v6):
    at, tag = (S6, "IPv6") if v6 else (S4, "IPv4")
    servers = {p: wire.serve(at, p, keep) for p in range(7001, 7010)}
    far = Sniffer(wire.path("s"), "eth0")
    near = Sniffer(wire.path("c"), "eth0")

    def say(port, *parts):
        conn = wire.connect(at, port)
        for part in parts:
            conn.sendall(part)
            time.sleep(0.05)
        return conn

    with say(7001, b"an " + EVIL + b"!") as c:
        t.equal(heard(c, 0.5)[0], b"an " + EVIL + b"!", f"{tag} tcp alert: passes unchanged")
    with say(7002, b"letmepass ", b"an " + EVIL) as c:
        t.equal(heard(c, 0.5)[0], b"letmepass an " + EVIL, f"{tag} tcp pass: wins over drop")
    with say(7002, b"an " + EVIL) as c:
        t.equal(heard(c, 0.5)[0], b"", f"{tag} tcp drop: without the pass")
    for port, name in ((7003, "drop"), (7004, "block")):
        c = say(port, b"good day ", b"an " + EVIL, b" and more")
        time.sleep(0.3)
        mark, back = far.mark(), near.mark()
        t.equal(servers[port].got[-1], b"good day ", f"{tag} tcp {name}: what came before has arrived, no more")
        wire.dead.append((c, far, mark, near, back, port, f"{tag} tcp {name}"))
    mark = far.mark()
    with say(7005, b"good day ", b"an " + EVIL) as c:
        got, end = heard(c, 2)
        t.check(end == "ConnectionResetError" and EVIL not in got, f"{tag} tcp reject: the sender is told", (got, end))
        t.check(wait_for(lambda: any(f.flags & 4 for f in of_flow(far, mark, 7005) if f.flags is not None), 2),
                f"{tag} tcp reject: the receiver is told")
    for port, said in SAID.items():
        with say(port, b"1 " + EVIL + b" 2", EVIL, b"3 " + EVIL[:5], EVIL[5:] + b" 4") as c:
            want = b"1 " + said + b" 2" + said + b"3 " + said + b" 4"
            got = heard(c, 0.6)[0]
            t.equal((servers[port].got[-1], got), (want, want), f"{tag} tcp rewrite to {said!r}: arrives changed, "
                    "and so does the echo")
    # the other direction: the server says it
    for port in (7003, 7006, 7008):
        servers[port].close()
        with wire.serve(at, port, speak) if False else _Serving(wire, at, port):
            c = wire.connect(at, port)
            c.sendall(b"?")
            got, _ = heard(c, 0.6)
            want = b"" if port == 7003 else b"well: " + SAID[port] + b", he said"
            t.equal(got, want, f"{tag} tcp: from the server, port {port}")
            c.close()


class _Serving:
    def __init__(self, wire, at, port):
        self.server = wire.serve(at, port, speak)

    def __enter__(self):
        return self.server

    def __exit__(self, *_):
        self.server.close()


def udp_actions(t, wire, v6):
    at, tag, family = (S6, "IPv6", socket.AF_INET6) if v6 else (S4, "IPv4", socket.AF_INET)
    servers = {p: wire.serve(at, p, lambda s, d: d, datagram=True) for p in (8001, 8003, 8005, 8006)}

    def ask(port, *datagrams):
        s = wire.socket("c", family, socket.SOCK_DGRAM)
        s.connect((at, port))
        s.settimeout(0.6)
        got = []
        for d in datagrams:
            try:
                s.send(d)
                got.append(s.recv(65536))
            except (socket.timeout, TimeoutError):
                got.append(None)
            except OSError as e:
                got.append(e.__class__.__name__)
        s.close()
        return got

    t.equal(ask(8001, EVIL), [EVIL], f"{tag} udp alert: passes unchanged")
    t.equal(ask(8003, b"hello", EVIL, b"hello"), [b"hello", None, None], f"{tag} udp drop: and the rest of the flow")
    t.equal(ask(8005, b"hello", EVIL)[1], "ConnectionRefusedError", f"{tag} udp reject: the sender is told")
    big = bytes(range(256)) * 2
    t.equal(ask(8006, big + EVIL + big), [big + b"potato-at-noon" + big], f"{tag} udp rewrite: in place, both ways")
    t.check(EVIL not in b"".join(b"".join(s.got) for p, s in servers.items() if p != 8001),
            f"{tag} udp: the server never saw it")


def icmp_actions(t, wire, v6):
    at, tag = (S6, "IPv6") if v6 else (S4, "IPv4")

    def ping(letter, size=56):
        return wire.at("c", "ping", "-c", "1", "-W", "1", "-s", str(size), "-p", letter.encode().hex(), at)
    far = Sniffer(wire.path("s"), "eth0")
    t.equal(ping("a").returncode, 0, f"{tag} icmp alert: passes")
    t.equal(ping("d").returncode, 1, f"{tag} icmp drop")
    done = ping("r")
    t.check(done.returncode == 1 and (b"rohibited" in done.stdout or b"filtered" in done.stdout), f"{tag} icmp reject: the sender is told",
            done.stdout + done.stderr)
    t.check(wait_for(lambda: True, 0.2) and not any(b"d" * 8 in f.raw or b"r" * 8 in f.raw for f in far.since(out=False)),
            f"{tag} icmp: none of these arrived")
    mark = far.mark()
    done = ping("w")
    t.check(wait_for(lambda: any(b"harmless" in f.raw for f in far.since(mark, out=False)), 2),
            f"{tag} icmp rewrite: changed on the way", done.stdout)
    t.check(not any(b"wwwwwwww" in f.raw for f in far.since(mark, out=False)), f"{tag} icmp rewrite: every one of them")
    t.equal(ping("z").returncode, 0, f"{tag} icmp: others pass")


def nothing_comes_back(t, wire):
    """Ten seconds of retransmissions of the conversations that were dropped."""
    time.sleep(max(0.0, 10 - (time.monotonic() - wire.dropped)))
    for c, far, mark, near, back, port, name in wire.dead:
        ours = c.getsockname()[1]
        late = [f for f in far.since(mark, out=False) if ours in (f.sport, f.dport)]
        tried = [f for f in near.since(back, out=True) if f.sport == ours and f.dport == port]
        t.check(len(tried) >= 3 and not late, f"{name}: {len(tried)} retransmissions in 10 s, none arrived", late)
        c.close()


# ---- a pattern cut anywhere ------------------------------------------------------------------------

class RawTcp:
    """A client without a kernel, that sends what it likes in the order that it likes."""
    ADDR = "192.0.2.9"

    def __init__(self, wire):
        self.port = Port(wire.path("c"), "eth0")
        self.sniffer = Sniffer(wire.path("c"), "eth0")
        self.next = 20000
        subprocess.run(["ip", "-n", wire.ns("s"), "neigh", "replace", self.ADDR, "lladdr", MAC["c"], "dev", "eth0"],
                       check=True)

    def send(self, sport, dport, flags, seq, ack, data=b""):
        segment = frames.tcp(self.ADDR, S4, sport, dport, flags, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, data)
        self.port.send(frames.eth(MAC["s"], MAC["c"], 0x0800, frames.ipv4(self.ADDR, S4, 6, segment)))

    def open(self, dport):
        self.next += 1
        sport, isn, mark = self.next, 1000 + self.next * 7919, self.sniffer.mark()
        self.send(sport, dport, 2, isn, 0)

        def answer():
            for f in self.sniffer.since(mark, out=False):
                if f.dport == sport and f.flags == 0x12:
                    return f
            return None
        f = wait_for(answer, 3)
        if f is None:
            raise AssertionError("no SYN/ACK")
        theirs = int.from_bytes(f.raw[14 + 20 + 4:14 + 20 + 8], "big")
        self.send(sport, dport, 16, isn + 1, theirs + 1)
        return sport, isn + 1, theirs + 1


def schedule(draw, i):
    """A stream with the pattern in it, cut at every place in turn, and the order in which pieces are sent."""
    before = bytes(draw.choice(b"abcdefgh ") for _ in range(draw.randrange(0, 30)))
    stream = before + EVIL + b" tail"
    cuts = {len(before) + 1 + i % (len(EVIL) - 1)}
    for _ in range(draw.randrange(0, 3)):
        cuts.add(draw.randrange(1, len(stream)))
    edges = [0] + sorted(cuts) + [len(stream)]
    pieces = [(a, stream[a:b]) for a, b in zip(edges, edges[1:]) if b > a]
    extra = []
    for _ in range(draw.randrange(0, 4)):
        a = draw.randrange(0, len(stream))
        b = draw.randrange(a + 1, len(stream) + 1)
        other = stream[a:b] if draw.random() < 0.5 else bytes(draw.choice(b"xyz") for _ in range(b - a))
        extra.append((a, other))
    draw.shuffle(pieces)
    for one in extra:
        pieces.insert(draw.randrange(0, len(pieces) + 1), one)
    # whatever was lost or refused is sent again, in order, as a stack would
    return stream, pieces + [(a, stream[a:b]) for a, b in zip(edges, edges[1:])]


def cut_anywhere(t, wire, rounds):
    servers = {p: wire.serve(S4, p, keep) for p in (7010, 7011)}
    raw = RawTcp(wire)
    draw = random.Random(20261128)
    leaked, rewritten = [], 0
    for port in servers:
        for i in range(rounds):
            sport, seq, ack = raw.open(port)
            if not wait_for(lambda s=servers[port], n=i: len(s.got) > n, 2):
                raise AssertionError(f"connection {i} was not accepted")
            stream, pieces = schedule(draw, i)
            for at, data in pieces:
                raw.send(sport, port, 24, seq + at, ack, data)
            raw.send(sport, port, 20, seq + len(stream), ack)      # reset: the next one, please
        time.sleep(1.0)
        for got in servers[port].got:
            leaked += [got] if EVIL in got else []
            rewritten += b"tea" in got
    t.check(not leaked, f"cut anywhere, in any order, doubled and overlapping: {2 * rounds} schedules, never whole",
            leaked[:5])
    t.check(rewritten > 0, f"... and {rewritten} of {rounds} rewritten ones arrived so")


def main(t):
    for program in ("ip", "ping", "ncat"):
        if shutil.which(program) is None:
            raise tap.Skip(f"{program} is not installed")
    with Wire(RULES) as wire:
        wire.dead, wire.dropped = [], time.monotonic()
        for v6 in (False, True):
            tcp_actions(t, wire, v6)
        for v6 in (False, True):
            udp_actions(t, wire, v6)
            icmp_actions(t, wire, v6)
        cut_anywhere(t, wire, 150)
        nothing_comes_back(t, wire)
        wire.stop_wall()
        sids = set(wire.sids())
        t.check({1, 3, 4, 5, 6, 7, 8, 9, 10, 21, 24, 26, 27, 31, 34, 36, 37, 41, 42} <= sids, "every rule has told",
                sorted(sids))
        t.check(any(e["event_type"] == "drop" for e in wire.events()), "drops are events")


if __name__ == "__main__":
    tap.run(main)
