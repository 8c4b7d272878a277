#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Small servers for one network namespace, on every address of it, IPv4 and IPv6, until killed.

    services.py http:80 ftp:21 echo:7 open:8080

http tells who asks (`you are ADDRESS`); GET /big gives BIG bytes. ftp takes any user, knows PASV, EPSV,
PORT and EPRT, gives BIG bytes as any file and keeps nothing. echo gives back what comes, over TCP
and UDP. open only listens. "ready" is printed when all listen.
"""
import socket
import sys
import threading

BIG = 3_000_000
CHUNK = b"0123456789abcdef" * 4096


def plain(address):
    """An IPv4 address that came through an IPv6 socket, as people write it."""
    return address[7:] if address.startswith("::ffff:") else address


def listener(port, kind=socket.SOCK_STREAM, at="::"):
    s = socket.socket(socket.AF_INET6, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind((at, port))
    if kind == socket.SOCK_STREAM:
        s.listen(64)
    return s


def send_big(to):
    left = BIG
    while left > 0:
        to.sendall(CHUNK[:left])
        left -= min(left, len(CHUNK))


def take_all(s):
    n = 0
    while data := s.recv(65536):
        n += len(data)
    return n


def http(s, peer):
    head = b""
    while b"\r\n\r\n" not in head and len(head) < 8192:
        got = s.recv(4096)
        if not got:
            return
        head += got
    head, _, taken = head.partition(b"\r\n\r\n")
    length = [x.split(b":")[1] for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")]
    left = int(length[0]) - len(taken) if length else 0
    while left > 0 and (got := s.recv(65536)):
        left -= len(got)
    big = head.split(b" ")[1:2] == [b"/big"]
    body = b"" if big else f"you are {plain(peer[0])}\n".encode()
    size = BIG if big else len(body)
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
              b"Connection: close\r\n\r\n" % size + body)
    if big:
        send_big(s)


def echo(s, peer):
    while data := s.recv(65536):
        s.sendall(data)


class Ftp:
    """One control conversation."""

    def __init__(self, s, peer):
        self.s, self.peer, self.data, self.active = s, peer, None, None
        self.v4 = "." in plain(s.getsockname()[0])

    def say(self, text):
        self.s.sendall(text.encode() + b"\r\n")

    def run(self):
        self.say("220 files")
        for line in self.s.makefile("r", newline="\r\n", errors="replace"):
            word, _, rest = line.strip().partition(" ")
            do = getattr(self, "do_" + word.lower(), None)
            if do is None:
                self.say("502 no")
            elif do(rest):
                return

    def do_user(self, rest):
        self.say("331 password")

    def do_pass(self, rest):
        self.say(f"230 you are {plain(self.peer[0])}")

    def do_type(self, rest):
        self.say("200 fine")

    def do_pwd(self, rest):
        self.say('257 "/"')

    def do_quit(self, rest):
        self.say("221 bye")
        return True

    def _passive(self):
        self.data, self.active = listener(0), None
        self.data.settimeout(10)
        return self.data.getsockname()[1]

    def do_pasv(self, rest):
        port = self._passive()
        here = plain(self.s.getsockname()[0]).split(".")
        self.say("227 Entering Passive Mode (%s,%d,%d)." % (",".join(here), port >> 8, port & 255))

    def do_epsv(self, rest):
        self.say(f"229 Entering Extended Passive Mode (|||{self._passive()}|)")

    def do_port(self, rest):
        n = rest.split(",")
        self.data, self.active = None, (".".join(n[:4]), int(n[4]) * 256 + int(n[5]))
        self.say("200 fine")

    def do_eprt(self, rest):
        n = rest.split(rest[0])
        self.data, self.active = None, (n[2], int(n[3]))
        self.say("200 fine")

    def open(self):
        if self.data is not None:
            return self.data.accept()[0]
        family = socket.AF_INET if "." in self.active[0] else socket.AF_INET6
        d = socket.socket(family)
        d.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        d.settimeout(10)
        try:
            d.bind((plain(self.s.getsockname()[0]), 20))  # as RFC 959 has it
            d.connect(self.active)
        except OSError:
            d.close()
            raise
        return d

    def transfer(self, call):
        self.say("150 here it comes")
        try:
            d = self.open()
        except OSError as e:
            return self.say(f"425 {e}")
        with d:
            call(d)
        self.say("226 done")

    def do_retr(self, rest):
        self.transfer(send_big)

    def do_stor(self, rest):
        self.transfer(take_all)

    def do_list(self, rest):
        self.transfer(lambda d: d.sendall(b"-rw-r--r-- 1 a a 3000000 Jan 1 00:00 big\r\n"))

    do_nlst = do_list


def ftp(s, peer):
    Ftp(s, peer).run()


def serve(port, call):
    def one(s, peer):
        try:
            with s:
                call(s, peer)
        except (OSError, ValueError, IndexError):
            pass  # clients go away as they like

    def body(sock):
        while True:
            s, peer = sock.accept()
            threading.Thread(target=one, args=(s, peer), daemon=True).start()
    threading.Thread(target=body, args=(listener(port),), daemon=True).start()


def serve_udp(port):
    def body(s):
        while True:
            data, peer = s.recvfrom(65536)
            s.sendto(data, peer)
    threading.Thread(target=body, args=(listener(port, socket.SOCK_DGRAM),), daemon=True).start()


def main():
    held = []
    for word in sys.argv[1:]:
        kind, _, port = word.partition(":")
        if kind == "open":
            held.append(listener(int(port)))
        else:
            serve(int(port), {"http": http, "ftp": ftp, "echo": echo}[kind])
        if kind == "echo":
            serve_udp(int(port))
    print("ready", flush=True)
    threading.Event().wait()


main()
