#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces
"""Rewritten streams over a bad path: a 10 MB download and a chat, replacements shorter, equal and longer, while
frames are lost, swapped and doubled. And the example of Hogwash: the attack fails, the conversation goes on."""
import hashlib
import http.server
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import tap  # noqa: E402
from honeynet import in_netns  # noqa: E402
from wire import S4, S6, Wire, wait_for  # noqa: E402

WORD = b"attack-at-dawn"
SAID = {"equal": b"potato-at-noon", "shorter": b"tea", "longer": b"breakfast in the afternoon"}
PORTS = {"equal": 9001, "shorter": 9002, "longer": 9003}
RULES = "".join(f'rewrite tcp any any <> any {PORTS[k]} (msg:"{k}"; content:"{WORD.decode()}"; '
                f'replace:"{SAID[k].decode()}"; sid:{PORTS[k]};)\n' for k in SAID)
RULES += "".join(f'rewrite http any any -> any any (msg:"body {k}"; flow:to_client,established; file.data; '
                 f'content:"{k}-{WORD.decode()}"; replace:"{k}-{SAID[k].decode()}"; sid:{PORTS[k] + 100};)\n'
                 for k in SAID)


def text(seed, size, words):
    """Bytes with the words in them about every 40,000, at places that fall on every kind of edge."""
    draw = random.Random(seed)
    out, length = [], 0
    while length < size:
        out.append(draw.randbytes(draw.randrange(1000, 80000)).replace(b"attack", b"------"))
        out.append(draw.choice(words))
        length += len(out[-2])
    return b"".join(out)


def expected(data):
    for k, said in SAID.items():
        data = data.replace(k.encode() + b"-" + WORD, k.encode() + b"-" + said)
    return data


class Web:
    """A server that a person could have written twenty years ago: it decodes once more than is good for it."""

    def __init__(self, path, address, pages):
        web = self
        self.exploited, self.paths = [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                web.paths.append(self.path)
                name = urllib.parse.unquote_to_bytes(self.path)
                name = name.replace(b"\xc0\xaf", b"/").replace(b"\xc1\x9c", b"\\").replace(b"%5c", b"\\")
                if b".." in name.replace(b"\\", b"/").split(b"/"):     # up and away
                    web.exploited.append(self.path)
                body = pages.get(self.path.split("?")[0], b"nothing here\n")
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        def make():
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            cls = type("S", (http.server.ThreadingHTTPServer,), {"address_family": family, "daemon_threads": True})
            return cls((address, 80), Handler)
        self.server = in_netns(path, make)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16], len(data)


def chat(t, wire, at, kind):
    """Both say lines, some with the word in them, some of them in two halves; both hear what they should. Without
    Nagle, as programs for people do it: he would not send the second half before the first is acknowledged."""
    got = []

    def partner(server, conn):
        conn.settimeout(60)
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = b""
        while not data.endswith(b"bye\n"):
            more = conn.recv(65536)
            if not more:
                break
            data += more
            conn.sendall(b"you said so: " + WORD[:6])
            time.sleep(0.01)
            conn.sendall(WORD[6:] + b"\n")
        got.append(data)
        conn.sendall(b"bye\n")
    server = wire.serve(at, PORTS[kind], partner)
    conn = wire.connect(at, PORTS[kind])
    conn.settimeout(60)
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    said = heard = b""
    for i in range(12):
        line = b"line %d " % i + (WORD if i % 3 else b"quiet") + b" end\n"
        cut = i % len(line)
        conn.sendall(line[:cut])
        time.sleep(0.01)
        conn.sendall(line[cut:])
        said += line
        while heard.count(b"\n") < i + 1:
            heard += conn.recv(65536)
    conn.sendall(b"bye\n")
    said += b"bye\n"
    while not heard.endswith(b"bye\n"):
        more = conn.recv(65536)
        if not more:
            break
        heard += more
    conn.close()
    wait_for(lambda: got, 5)
    server.close()
    t.equal(got[0] if got else None, said.replace(WORD, SAID[kind]), f"chat, {kind}, {at}: the server's ear")
    t.check(WORD not in heard and heard.count(SAID[kind]) >= 12, f"chat, {kind}, {at}: the client's ear", heard[-200:])


def transfer(t, wire, at, kind, size):
    data = text(kind, size, [WORD])
    want = data.replace(WORD, SAID[kind])

    def send(server, conn):
        conn.settimeout(120)
        job = threading.Thread(target=conn.sendall, args=(data,), daemon=True)
        job.start()
        got = b""
        while len(got) < len(want):
            more = conn.recv(1 << 20)
            if not more:
                break
            got += more
        job.join()
        server.got.append(got)
    server = wire.serve(at, PORTS[kind], send)
    conn = wire.connect(at, PORTS[kind])
    conn.settimeout(120)
    threading.Thread(target=conn.sendall, args=(data,), daemon=True).start()
    pieces, have = [], 0
    while have < len(want):
        more = conn.recv(1 << 20)
        if not more:
            break
        pieces.append(more)
        have += len(more)
    wait_for(lambda: server.got, 60)
    conn.close()
    server.close()
    t.equal(digest(b"".join(pieces)), digest(want), f"{size // 1000} kB by TCP, {kind}, {at}: downwards")
    t.equal(digest(server.got[0] if server.got else b""), digest(want), f"{size // 1000} kB by TCP, {kind}, {at}: upwards")


def bad_checksums(path):
    out = subprocess.run(["tcpdump", "-nvvr", path, "tcp"], capture_output=True, text=True, errors="replace").stdout
    return out.count("incorrect"), out.count(" > ")


def bad_path(t):
    words = [k.encode() + b"-" + WORD for k in SAID]
    page = text("page", 10_000_000, words)
    with Wire(RULES, loss=(0.005, 0.01, 0.005), seed=7) as wire:
        dump = os.path.join(wire.dir, "far.pcap")
        tcpdump = subprocess.Popen(["ip", "netns", "exec", wire.ns("s"), "tcpdump", "-Z", "root", "-s", "0", "-U", "-w",
                                    dump, "-i", "eth0", "-Q", "in", "tcp"], stderr=subprocess.DEVNULL)
        wire.things.append(tcpdump)
        time.sleep(0.5)
        for at in (S4, S6):
            web = Web(wire.path("s"), at, {"/page": page})
            url = f"http://{'[' + at + ']' if ':' in at else at}/page"
            done = wire.at("c", "curl", "-s", "-m", "120", url, timeout=130)
            t.equal(digest(done.stdout), digest(expected(page)), f"10 MB by HTTP over a bad path, {at}")
            web.close()
            for kind in SAID:
                chat(t, wire, at, kind)
        for kind in SAID:
            transfer(t, wire, S4, kind, 2_000_000)
        tcpdump.terminate()
        tcpdump.wait()
        bad, all_of_them = bad_checksums(dump)
        t.check(bad == 0 and all_of_them > 1000, "every checksum that arrived is right, says tcpdump", (bad, all_of_them))
        wall = wire.stop_wall()
        t.equal(wall.returncode, 0, "the wall ends in good order")


ATTACKS = ["/scripts/..%c0%af../winnt/system32/cmd.exe?/c+dir", "/scripts/..%c1%9c../winnt/system32/cmd.exe?/c+dir",
           "/scripts/..%255c../winnt/system32/cmd.exe?/c+dir", "/scripts/..%25c0%25af../winnt/system32/cmd.exe"]


def hogwash(t):
    tool = random.Random(5).randbytes(1_000_000)
    with open(os.path.join(ROOT, "rules/exploit.rules"), encoding="utf-8") as f:
        rules = f.read()
    with Wire(rules) as wire:
        web = Web(wire.path("s"), S4, {"/tool.bin": tool})
        for path in ATTACKS:
            done = wire.at("c", "curl", "-s", "-m", "10", "--path-as-is", "-o", "/dev/null", "-w",
                           "%{http_code} %{num_connects}\n", f"http://{S4}{path}")
            t.check(done.returncode == 0 and done.stdout.startswith(b"200") and not web.exploited,
                    f"{path[9:23]}: arrives harmless", (done, web.exploited, web.paths[-1:]))
        t.check(len(web.paths) == len(ATTACKS) and all("_scrub_" in p for p in web.paths), "as something else", web.paths)
        # by hand, one byte a segment, on a connection that goes on
        conn = wire.connect(S4, 80)
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in f"GET {ATTACKS[0]} HTTP/1.1\r\nHost: x\r\n\r\n".encode():
            conn.sendall(bytes([byte]))
            time.sleep(0.002)
        conn.settimeout(10)
        heard = b""
        while b"nothing here\n" not in heard:
            heard += conn.recv(65536)
        t.check(not web.exploited, "split over segments, byte by byte: harmless too", web.paths[-1:])
        conn.sendall(b"GET /tool.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = b""
        while True:
            more = conn.recv(1 << 20)
            if not more:
                break
            got += more
        t.equal(digest(got.split(b"\r\n\r\n", 1)[-1]), digest(tool), "the same connection fetches its tool")
        web.close()
        wire.stop_wall()
        t.check({9000200, 9000201, 9000202, 9000203} <= set(wire.sids()), "and each attack was told", wire.sids())


def main(t):
    for program in ("ip", "curl", "tcpdump"):
        if shutil.which(program) is None:
            raise tap.Skip(f"{program} is not installed")
    hogwash(t)
    bad_path(t)


if __name__ == "__main__":
    tap.run(main)
