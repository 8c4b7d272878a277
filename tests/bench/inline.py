#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What `skep scrub` costs, beside the kernel's bridge and the least that two packet sockets cost, between the
same kind of namespaces.

    inline.py [--rounds N] [--seconds N] [--only NAME,...] [--json FILE]     (needs $SKEP_BUILD)

Everything is measured in one run and in turns, so that a busy machine hurts all rows alike. The figure to keep
is the share of the bridge in the same round (median of the rounds), not the absolute one. With offloads,
frames are super-frames of up to 64 KB as TCP makes them; without, they are what a network card would bring.
Rules come from $SKEP_CORPUS (else ../shared/corpus), as packed there, or from $SKEP_BENCH_RULES=NAME=FILE,...
Nothing here fails because something is slow."""
import argparse
import glob
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
import wire as wires  # noqa: E402

BUILD = os.environ.get("SKEP_BUILD", os.path.join(ROOT, "build-bench"))
CORPUS = os.environ.get("SKEP_CORPUS", os.path.join(ROOT, "../shared/corpus"))
LOAD, PAIR = (os.path.join(BUILD, "tests/bench", x) for x in ("udp_load", "wall_pair"))
SETS = {"community": "snort2-community", "et": "et-open-*"}
NAMES = {"bridge": "kernel bridge", "bare": "two sockets, nothing else", "none": "skep scrub, no rules",
         "community": "skep scrub, Snort 2 community", "et": "skep scrub, ET Open"}
COLUMNS = (("tcp", "TCP Gbit/s"), ("http", "HTTP Gbit/s"), ("udp", "UDP kpps"), ("p50", "p50 us"), ("p99", "p99 us"))
CPU = (("tcp_cpu", "TCP us/MB"), ("http_cpu", "HTTP us/MB"), ("udp_cpu", "UDP us/frame"))
FILE_BYTES, FILE_TIMES = 64 << 20, 8
PINGS = 3000


def rule_files(folder):
    """Name -> file, of the sets that are here."""
    got = {}
    for name, packed in SETS.items():
        for path in glob.glob(os.path.join(CORPUS, "rules", packed + ".rules.zst"))[:1]:
            got[name] = os.path.join(folder, name + ".rules")
            subprocess.run(["zstd", "-qdf", path, "-o", got[name]], check=True)
    for pair in filter(None, os.environ.get("SKEP_BENCH_RULES", "").split(",")):
        name, _, path = pair.partition("=")
        got[name] = path
    return got


class Middle(wires.Wire):
    """Two hosts, and something of this kind between them."""

    def __init__(self, kind, rules, offloads):
        self.kind, self.page, self.pid = kind, None, 0
        super().__init__(args=("-S", rules) if rules else (), offloads=offloads, bare=kind in ("bridge", "bare"))

    def __enter__(self):
        super().__enter__()
        try:
            if self.kind == "bridge":
                ip = ["ip", "-n", self.ns("w"), "link"]
                wires.run(*ip, "add", "br0", "type", "bridge")
                wires.run(*ip, "set", "br0", "up")
                for ifname in "AB":
                    wires.run(*ip, "set", ifname, "master", "br0")
            elif self.kind == "bare":
                # A session of its own, as the wall has: the scheduler shares the processor among sessions.
                self.pid = self._start(["setsid", PAIR, "forward", "A", "B"], "w", "ready").pid
            else:
                with open(f"/proc/{self.wall.pid}/task/{self.wall.pid}/children", encoding="ascii") as f:
                    self.pid = int(f.read().split()[0])
            self.at("c", "ping", "-c", "1", "-W", "5", wires.S4)
        except BaseException:
            self.close()
            raise
        return self

    def background(self, end, *argv):
        return subprocess.Popen(["ip", "netns", "exec", self.ns(end), *argv], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def received(self):
        text = self.at("s", "cat", "/proc/self/net/dev").stdout.decode()
        return next(int(x.split(":")[1].split()[1]) for x in text.splitlines() if x.strip().startswith("eth0:"))

    def cpu(self):
        """Seconds on a processor of the process between the hosts; nobody's time is the bridge's."""
        if not self.pid:
            return 0
        with open(f"/proc/{self.pid}/schedstat", encoding="ascii") as f:
            return int(f.read().split()[0]) / 1e9

    def tcp(self, seconds):
        """Gbit/s of one stream from c to s."""
        server, before = self.background("s", "iperf3", "-s", "-1", "-p", "5201"), self.cpu()
        result = {"error": "no answer"}
        try:
            for _ in range(20):
                time.sleep(0.1)  # until it listens
                done = self.at("c", "iperf3", "-J", "-c", wires.S4, "-p", "5201", "-t", str(seconds),
                               timeout=seconds + 60)
                result = json.loads(done.stdout)
                if "error" not in result:
                    got = result["end"]["sum_received"]
                    return {"tcp": got["bits_per_second"] / 1e9,
                            "tcp_cpu": (self.cpu() - before) * 1e6 / (got["bytes"] / 1e6)}
        finally:
            server.terminate()
            server.wait()
        raise RuntimeError(f"{self.kind}: iperf3: {result['error']}")

    @staticmethod
    def _page(server, conn):
        conn.recv(65536)
        conn.sendall(b"HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: application/octet-stream\r\n"
                     b"Connection: close\r\nContent-Length: %d\r\n\r\n" % server.size)
        with open(server.file, "rb") as f:
            for _ in range(FILE_TIMES):
                conn.sendfile(f, 0)

    def http(self, path):
        """Gbit/s of one download. Binary bytes that no rule is about."""
        if self.page is None:
            self.page = self.serve(wires.S4, 80, self._page)
        self.page.file, self.page.size = path, os.path.getsize(path) * FILE_TIMES
        before = self.cpu()
        done = self.at("c", "curl", "-s", "-o", "/dev/null", "-w", "%{speed_download} %{size_download}",
                       f"http://{wires.S4}/file", timeout=300)
        speed, size = done.stdout.split()
        if int(size) != self.page.size:
            raise RuntimeError(f"{self.kind}: {int(size)} of {self.page.size} bytes arrived")
        return {"http": float(speed) * 8 / 1e9, "http_cpu": (self.cpu() - before) * 1e6 / (int(size) / 1e6)}

    def udp(self, seconds):
        """Thousands of 60-byte frames a second that arrive."""
        sink = self.background("s", LOAD, "sink", "9")
        try:
            sink.stdout.readline()
            before, cpu = self.received(), self.cpu()
            _, took = self.at("c", LOAD, "blast", wires.S4, "9", str(seconds), timeout=seconds + 60).stdout.split()
            time.sleep(0.2)
            got = self.received() - before
            return {"udp": got / float(took) / 1e3, "udp_cpu": (self.cpu() - cpu) * 1e6 / got if got else 0.0}
        finally:
            sink.stdin.close()
            sink.wait()

    def latency(self):
        """p50 and p99 of a small datagram there and back."""
        echo = self.background("s", LOAD, "echo", "7")
        try:
            echo.stdout.readline()
            p50, p99, _ = self.at("c", LOAD, "ping", wires.S4, "7", str(PINGS), timeout=120).stdout.split()
            return {"p50": float(p50), "p99": float(p99)}
        finally:
            echo.stdin.close()
            echo.wait()


def measure(middles, rounds, seconds, page):
    rows = {m.kind: {name: [] for name, _ in COLUMNS + CPU} for m in middles}
    tests = (lambda m: m.tcp(seconds), lambda m: m.http(page), lambda m: m.udp(seconds), lambda m: m.latency())
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        for test in tests:
            for m in middles:
                for name, value in test(m).items():
                    rows[m.kind][name].append(value)
    return rows


def share(rows, kind, name, of="bridge"):
    """Of the bridge, or another, in the same round."""
    pairs = zip(rows[kind][name], rows[of][name])
    return statistics.median(a / b if b else 0.0 for a, b in pairs)


def show(what, rows):
    print(f"{what:30}" + "".join(f"{title:>18}" for _, title in COLUMNS) +
          "".join(f"{title:>14}" for _, title in CPU))
    for kind, row in rows.items():
        cells = (f"{statistics.median(row[n]):11.2f} ({share(rows, kind, n):5.2f})" for n, _ in COLUMNS)
        cpu = (f"{statistics.median(row[n]):14.2f}" for n, _ in CPU)
        print(f"  {NAMES.get(kind, kind):28}" + "".join(f"{c:>18}" for c in cells) + "".join(cpu), flush=True)


def show_latency(rows):
    walls = [k for k in rows if k not in ("bridge", "bare")]
    if "bare" in rows and walls:
        print("  p50 of the two sockets' in the same round: " +
              ", ".join(f"{k} {share(rows, k, 'p50', 'bare'):.2f}" for k in walls), flush=True)


def run(offloads, kinds, sets, args, page):
    middles, rows = [], {}
    try:
        for kind in kinds:
            middles.append(Middle(kind, sets.get(kind), offloads).__enter__())
        rows = measure(middles, args.rounds, args.seconds, page)
    finally:
        for m in middles:
            m.close()
    show("offloads on" if offloads else "offloads off", rows)
    show_latency(rows)
    return {kind: {n: {"median": statistics.median(row[n]), "of_bridge": share(rows, kind, n), "all": row[n]}
                   for n, _ in COLUMNS + CPU} for kind, row in rows.items()}


def make_page(path):
    block = bytes((i * 167 + (i >> 8) * 59) & 0xff for i in range(1 << 20))
    with open(path, "wb") as f:
        for _ in range(FILE_BYTES >> 20):
            f.write(block)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--only", default="", help="bridge,bare,none,community,et")
    parser.add_argument("--json", help="all figures as JSON into this file")
    parser.add_argument("--offloads", choices=("on", "off", "both"), default="both")
    args = parser.parse_args()
    if os.geteuid() != 0:
        print("SKIP: needs root for network namespaces")
        return 77
    for tool in ("iperf3", "curl", "ping", "zstd"):
        if shutil.which(tool) is None:
            print(f"SKIP: {tool} is not installed")
            return 77
    if not os.path.exists(LOAD) or not os.path.exists(PAIR):
        print(f"SKIP: {BUILD} has no benchmarks")
        return 77
    with tempfile.TemporaryDirectory(prefix="skb-w-") as folder:
        sets = rule_files(folder)
        page = os.path.join(folder, "page")
        make_page(page)
        kinds = [k for k in ("bridge", "bare", "none", *sets)]
        if args.only:
            kinds = [k for k in kinds if k == "bridge" or k in args.only.split(",")]
        report = {}
        for on in (True, False):
            if args.offloads in ("both", "on" if on else "off"):
                report["offloads_on" if on else "offloads_off"] = run(on, kinds, sets, args, page)
        print("in brackets: share of the bridge in the same round; medians of the rounds. Small datagrams: "
              "60-byte frames of 64 flows; latency: a small datagram there and back; behind it, the processor's time of "
              "the process between the hosts")
        if args.json:
            with open(args.json, "w", encoding="utf-8") as f:
                json.dump(report, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
