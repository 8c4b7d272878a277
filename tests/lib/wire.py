# SPDX-License-Identifier: BSD-2-Clause
"""A wire with `skep scrub` in the middle, and real endpoints at both ends, each in a namespace of its own.

    with Wire(RULES) as wire:
        wire.at("c", "curl", "-s", "http://192.0.2.2/")      # c: the client's end, s: the server's

        c (192.0.2.1, 2001:db8:2::1) --- A [skep scrub] B --- [lossy path] --- s (192.0.2.2, 2001:db8:2::2)

Everything is taken down when the block ends. Links carry super-frames and partial checksums unless
offloads=False. loss=(drop, swap, double) puts a user-space path that loses, reorders and doubles between the
wall and the server.
"""
import array
import atexit
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from honeynet import SKEP, in_netns  # noqa: E402

C4, S4, C6, S6 = "192.0.2.1", "192.0.2.2", "2001:db8:2::1", "2001:db8:2::2"
MAC = {"c": "02:00:00:00:02:01", "s": "02:00:00:00:02:02"}
SIOCETHTOOL = 0x8946
OFFLOADS = {"tx-checksum": 0x17, "sg": 0x19, "tso": 0x1f, "gso": 0x24, "gro": 0x2c}  # ETHTOOL_S...
LOSSY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lossy.py")


def run(*argv):
    return subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def offloads_off(path, ifname):
    """As `ethtool -K ifname tx off sg off tso off gso off gro off`, in the namespace."""
    def off():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for cmd in OFFLOADS.values():
                value = array.array("B", struct.pack("II", cmd, 0))
                request = struct.pack("16sP", ifname.encode(), value.buffer_info()[0]) + bytes(16)
                try:
                    fcntl.ioctl(s, SIOCETHTOOL, request)
                except OSError:
                    pass                # not every kernel can switch each of them
    in_netns(path, off)


class Server:
    """Whatever listens at the far end: body(conn) is called in a thread for each connection."""

    def __init__(self, path, address, port, body, datagram=False):
        self.got, self.body = [], body
        family = socket.AF_INET6 if ":" in address else socket.AF_INET

        def make():
            s = socket.socket(family, socket.SOCK_DGRAM if datagram else socket.SOCK_STREAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((address, port))
            if not datagram:
                s.listen(64)
            return s
        self.sock = in_netns(path, make)
        self.stopped = False
        threading.Thread(target=self._datagrams if datagram else self._accept, daemon=True).start()

    def _accept(self):
        while not self.stopped:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        try:
            with conn:
                conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.body(self, conn)
        except OSError:
            pass

    def _datagrams(self):
        while not self.stopped:
            try:
                data, peer = self.sock.recvfrom(65536)
                if peer is None:
                    return
                self.got.append(data)
                answer = self.body(self, data)
                if answer is not None:
                    self.sock.sendto(answer, peer)
            except OSError:
                if self.stopped:
                    return

    def close(self):
        self.stopped = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


class Wire:
    count = 0

    def __init__(self, rules="", args=(), offloads=True, loss=None, seed=1, bare=False):
        Wire.count += 1
        self.name = f"skt{os.getpid()}w{Wire.count}"     # a name that other tests take for a test's
        self.rules, self.args, self.offloads, self.loss, self.seed, self.bare = rules, args, offloads, loss, seed, bare
        self.made, self.things, self.wall = [], [], None
        self.dir = tempfile.mkdtemp(prefix="skep-wire-")

    # ---- building -----------------------------------------------------------------------------
    def ns(self, end):
        return f"{self.name}{end}"

    def path(self, end):
        return f"/run/netns/{self.ns(end)}"

    def _link(self, a, a_if, b, b_if):
        run("ip", "link", "add", a_if, "mtu", "1500", "netns", self.ns(a), "type", "veth", "peer", "name", b_if,
            "mtu", "1500", "netns", self.ns(b))
        for end, ifname in ((a, a_if), (b, b_if)):
            if not self.offloads or (self.loss and "l" in (a, b)):
                offloads_off(self.path(end), ifname)
            run("ip", "-n", self.ns(end), "link", "set", ifname, "up")

    def _ends(self):
        for end, v4, v6, other in (("c", C4, C6, "s"), ("s", S4, S6, "c")):
            ip = ["ip", "-n", self.ns(end)]
            run(*ip, "link", "set", "lo", "up")
            run(*ip, "link", "set", "eth0", "address", MAC[end])
            run(*ip, "addr", "add", v4 + "/24", "dev", "eth0")
            run(*ip, "addr", "add", v6 + "/64", "dev", "eth0", "nodad")

    def __enter__(self):
        atexit.register(self.close)
        try:
            for end in "cws" + ("l" if self.loss else ""):
                run("ip", "netns", "add", self.ns(end))
                self.made.append(self.ns(end))
                for knob in ("all", "default"):
                    if end in "wl":
                        in_netns(self.path(end), lambda k=knob: self._no_ipv6(k))
            self._link("c", "eth0", "w", "A")
            if self.loss:
                self._link("w", "B", "l", "near")
                self._link("l", "far", "s", "eth0")
                if not self.offloads or self.loss:
                    offloads_off(self.path("c"), "eth0")
                    offloads_off(self.path("s"), "eth0")
            else:
                self._link("w", "B", "s", "eth0")
            self._ends()
            if self.loss:
                drop, swap, double = self.loss
                self._start([sys.executable, LOSSY, "near", "far", str(drop), str(swap), str(double), str(self.seed)],
                            "l", "ready")
            if not self.bare:
                self.start_wall()
        except BaseException:
            self.close()
            raise
        return self

    @staticmethod
    def _no_ipv6(knob):
        try:
            with open(f"/proc/sys/net/ipv6/conf/{knob}/disable_ipv6", "w", encoding="ascii") as f:
                f.write("1")
        except OSError:
            pass

    def _start(self, argv, end, word):
        p = subprocess.Popen(["ip", "netns", "exec", self.ns(end), *argv], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
        self.things.append(p)
        lines = []
        while True:
            line = p.stdout.readline()
            lines.append(line)
            if word in line:
                break
            if not line:
                raise AssertionError(f"{argv[0]} did not start: {''.join(lines)}")
        p.lines = lines
        p.reader = threading.Thread(target=self._drain, args=(p,), daemon=True)
        p.reader.start()
        return p

    @staticmethod
    def _drain(p):
        for line in p.stdout:
            p.lines.append(line)

    def start_wall(self):
        path = os.path.join(self.dir, "rules.rules")
        with open(path, "w", encoding="utf-8") as f:
            f.write(self.rules or "# none\n")
        self.wall = self._start([SKEP, "scrub", "-i", "A:B", "-S", path, "-o", self.dir, *self.args], "w", "ready")

    # ---- using --------------------------------------------------------------------------------
    def at(self, end, *argv, timeout=30, data=None):
        return subprocess.run(["ip", "netns", "exec", self.ns(end), *argv], capture_output=True, timeout=timeout,
                              input=data)

    def serve(self, address, port, body, datagram=False, end="s"):
        s = Server(self.path(end), address, port, body, datagram)
        self.things.append(s)
        return s

    def socket(self, end, *args):
        return in_netns(self.path(end), lambda: socket.socket(*args))

    def connect(self, address, port, end="c", timeout=10):
        s = self.socket(end, socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        s.settimeout(timeout)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.connect((address, port))
        return s

    def events(self, kind=None):
        path = os.path.join(self.dir, "eve.json")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as f:
            all_events = [json.loads(line) for line in f if line.endswith("\n")]
        return [e for e in all_events if kind in (None, e["event_type"])]

    def sids(self):
        return [e["alert"]["signature_id"] for e in self.events("alert")]

    def stop_wall(self, how=signal.SIGTERM):
        if self.wall is None:
            return None
        wall, self.wall = self.wall, None
        self.things.remove(wall)
        wall.send_signal(how)
        try:
            wall.wait(15)
        except subprocess.TimeoutExpired:
            wall.kill()
            wall.wait()
        wall.reader.join(5)
        return wall

    def close(self):
        for thing in reversed(self.things):
            if isinstance(thing, Server):
                thing.close()
            elif thing.poll() is None:
                thing.terminate()
                try:
                    thing.wait(10)
                except subprocess.TimeoutExpired:
                    thing.kill()
                    thing.wait()
        self.things = []
        for ns in self.made:
            subprocess.run(["ip", "netns", "del", ns], check=False, stderr=subprocess.DEVNULL)
        self.made = []
        shutil.rmtree(self.dir, ignore_errors=True)

    def __exit__(self, *_):
        self.close()


def wait_for(what, seconds=5.0):
    end = time.monotonic() + seconds
    while True:
        got = what()
        if got or time.monotonic() > end:
            return got
        time.sleep(0.02)
