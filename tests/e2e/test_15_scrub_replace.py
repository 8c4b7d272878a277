#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces
"""Replaced streams between real TCP stacks: a forwarder in user space behind `skep scrub` loses, doubles and
reorders frames in both directions, and each end gets exactly what the rules make of what the other one sent."""
import ctypes
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import common  # noqa
import tap
from honeynet import SKEP, in_netns, need

A, B = "198.18.5.1", "198.18.5.2"
NAME = f"skr{os.getpid()}"
RULES = "".join(
    f'rewrite tcp any any -> any any (msg:"{what}"; content:"{what}"; replace:"{by}"; noalert; sid:{i};)\n'
    for i, (what, by) in enumerate([("EVIL", ""), ("VIRUS", "a much longer word"), ("HURT", "heal")], 1))
MIB = 1 << 20


def run(*argv, check=True):
    p = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    if check and p.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: {p.stdout}{p.stderr}")
    return p


def text(seed, size):
    r = random.Random(seed)
    words = [b"plain text that means nothing ", b"x" * 200, b"EVIL", b"VIRUS", b"HURT", b"EVI", b"VIRU", b"HUR"]
    out = b"".join(r.choices(words, weights=[60, 60, 1, 1, 1, 1, 1, 1], k=size // 100))
    return out[:size]


def rewritten(data):
    return data.replace(b"EVIL", b"").replace(b"VIRUS", b"a much longer word").replace(b"HURT", b"heal")


class Forwarder(threading.Thread):
    """Between two interfaces of its namespace. rates: of frames lost, doubled, held back behind later ones."""

    def __init__(self, path, lost, doubled, late, seed):
        super().__init__(daemon=True)
        self.socks = in_netns(path, lambda: [self.raw(n) for n in ("fl", "fr")])
        self.lost, self.doubled, self.late = lost, doubled, late
        self.dice = random.Random(seed)
        self.counts = {"lost": 0, "doubled": 0, "late": 0, "passed": 0}
        self.stop = False

    @staticmethod
    def raw(name):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        s.bind((name, 3))
        s.setsockopt(263, 23, 1)  # SOL_PACKET, PACKET_IGNORE_OUTGOING
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * MIB)
        return s

    def send(self, s, frame):
        try:
            s.send(frame)
        except OSError:
            self.counts["lost"] += 1

    def run(self):
        waiting = {s: [] for s in self.socks}
        while not self.stop:
            ready, _, _ = select.select(self.socks, [], [], 0.02)
            for s in self.socks if not ready else ready:
                to = self.socks[1 - self.socks.index(s)]
                frame = s.recv(65536) if s in ready else None
                roll = self.dice.random()
                if frame is None:
                    for f in waiting[s]:
                        self.send(to, f)
                    waiting[s] = []
                elif roll < self.lost:
                    self.counts["lost"] += 1
                elif roll < self.lost + self.late:
                    self.counts["late"] += 1
                    waiting[s].append(frame)
                else:
                    self.counts["passed"] += 1
                    self.send(to, frame)
                    if roll > 1 - self.doubled:
                        self.counts["doubled"] += 1
                        self.send(to, frame)
                    if waiting[s] and self.dice.random() < 0.4:
                        self.send(to, waiting[s].pop(0))


class Path:
    """a -- pa [skep scrub] pb -- fl [forwarder] fr -- b"""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix=NAME + ".", dir="/tmp")
        os.chmod(self.dir, 0o711)
        self.names = {k: f"{NAME}-{k}" for k in "amfb"}
        for name in self.names.values():
            run("ip", "netns", "add", name)
        for (k, dev), (l, peer) in ((("m", "pa"), ("a", "eth0")), (("m", "pb"), ("f", "fl")),
                                    (("b", "eth0"), ("f", "fr"))):
            run("ip", "-n", self.names[k], "link", "add", dev, "type", "veth", "peer", "name", peer, "netns",
                self.names[l])
            for ns, d in ((k, dev), (l, peer)):
                run("ip", "netns", "exec", self.names[ns], "sysctl", "-qw", f"net.ipv6.conf.{d}.disable_ipv6=1")
                run("ip", "-n", self.names[ns], "link", "set", d, "up")
        # The forwarder sees frames as they are on a wire.
        for ns, d in (("m", "pb"), ("b", "eth0")):
            run("ip", "netns", "exec", self.names[ns], "ethtool", "-K", d, "tx", "off", "tso", "off", "gso", "off",
                "gro", "off")
        run("ip", "-n", self.names["a"], "addr", "add", A + "/24", "dev", "eth0")
        run("ip", "-n", self.names["b"], "addr", "add", B + "/24", "dev", "eth0")
        with open(f"{self.dir}/r.rules", "w", encoding="utf-8") as h:
            h.write(RULES)
        self.proc = None
        return self

    def path(self, k):
        return f"/run/netns/{self.names[k]}"

    def start(self):
        self.lines = []
        self.proc = subprocess.Popen(
            ["nsenter", f"--net={self.path('m')}", SKEP, "scrub", "-i", "pa:pb", "-S", f"{self.dir}/r.rules"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL,
            env=dict(os.environ, XDG_CACHE_HOME=self.dir))
        threading.Thread(target=self.read, daemon=True).start()
        time_is_up = time.monotonic() + 60
        while not any("ready" in x for x in self.lines) and time.monotonic() < time_is_up:
            if self.proc.poll() is not None:
                break
            time.sleep(0.05)
        assert any("ready" in x for x in self.lines), "".join(self.lines)

    def read(self):
        for line in self.proc.stdout:
            self.lines.append(line)

    def __exit__(self, *a):
        if self.proc is not None:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(20)
            except subprocess.TimeoutExpired:
                self.proc.kill()
        for name in self.names.values():
            run("ip", "netns", "del", name, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


def talk(conn, out, ret):
    """Sends out and closes that side; meanwhile takes what comes."""
    def give():
        try:
            conn.sendall(out)
            conn.shutdown(socket.SHUT_WR)
        except OSError as e:
            ret.append(e)
    t = threading.Thread(target=give)
    t.start()
    got = bytearray()
    try:
        while True:
            data = conn.recv(65536)
            if not data:
                break
            got += data
    except OSError as e:
        ret.append(e)
    t.join()
    ret.append(bytes(got))


def exchange(p, port, out_a, out_b):
    listener = in_netns(p.path("b"), lambda: socket.create_server((B, port)))
    client = in_netns(p.path("a"), lambda: socket.socket())
    client.settimeout(20)
    client.connect((B, port))
    server, _ = listener.accept()
    server.settimeout(20)
    got_a, got_b = [], []
    threads = [threading.Thread(target=talk, args=(client, out_a, got_a)),
               threading.Thread(target=talk, args=(server, out_b, got_b))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for s in (client, server, listener):
        s.close()
    return got_a[-1], got_b[-1], got_a[:-1] + got_b[:-1]


def chat(p, port):
    """Line by line, byte by byte: nobody types at once, and what may begin a word waits only so long."""
    listener = in_netns(p.path("b"), lambda: socket.create_server((B, port)))
    client = in_netns(p.path("a"), lambda: socket.create_connection((B, port)))
    server, _ = listener.accept()
    said = []
    for end in (client, server):
        end.settimeout(30)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for line, want in ((b"hello VIRUS\n", b"hello a much longer word\n"), (b"no EVIL\n", b"no \n"),
                       (b"EVI and VIRU\n", b"EVI and VIRU\n")):
        for frm, to in ((client, server), (server, client)):
            for i in range(len(line)):
                frm.send(line[i:i + 1])
            got = b""
            while not got.endswith(b"\n"):
                got += to.recv(100)
            said.append(got == want)
    # The tail that waits leaves by itself.
    client.send(b"wait: VIR")
    got = b""
    while len(got) < 9:
        got += server.recv(100)
    said.append(got == b"wait: VIR")
    for s in (client, server, listener):
        s.close()
    return said


def main(t):
    need("ip", "ethtool", "nsenter")
    with Path() as p:
        f = Forwarder(p.path("f"), 0, 0, 0, 1)
        f.start()
        p.start()
        big, small = text(1, 10 * MIB), text(2, MIB)
        got_a, got_b, errors = exchange(p, 9001, small, big)
        t.check(got_a == rewritten(big) and got_b == rewritten(small),
               f"10 MB one way and 1 MB the other arrive as rewritten {errors}")
        said = chat(p, 9002)
        t.check(all(said), f"so does a chat, typed byte by byte {said}")
        f.lost, f.doubled, f.late = 0.002, 0.005, 0.02
        before = dict(f.counts)
        start = time.monotonic()
        one, two = text(3, 2 * MIB), text(4, 2 * MIB)
        got_a, got_b, errors = exchange(p, 9003, one, two)
        if errors:
            p.proc.send_signal(signal.SIGUSR1)
            time.sleep(0.5)
            t.note("".join(x for x in p.lines if not x.startswith("{")))
        t.check(got_a == rewritten(two) and got_b == rewritten(one),
               f"and with frames lost, doubled and reordered {errors}")
        t.check(all(f.counts[k] > before[k] for k in f.counts), f"which they were: {f.counts}")
        t.note(f"{time.monotonic() - start:.1f} s")
        f.stop = True
        f.join()


tap.run(main)
