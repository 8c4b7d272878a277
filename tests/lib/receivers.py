# SPDX-License-Identifier: BSD-2-Clause
"""Servers that messages are delivered to, in every mood: mail, web, tokens, syslog, names.

Each listens on a port of its own of the address it is given, keeps what it got in `got`, and lives in a
thread that ends with the program. Certificates are made once, by openssl.
"""
import base64
import http.server
import os
import socket
import ssl
import struct
import subprocess
import threading
import time

NAMES = "DNS:localhost,DNS:mail.example.test,IP:127.0.0.1,IP:::1,IP:192.0.2.1,IP:2001:db8::1"


class Certificates:
    """A CA of our own; good, expired and misnamed certificates of it; and one of nobody's."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = self.path("ca.pem")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-subj", "/CN=test CA", "-days", "3650", "-keyout", self.path("ca.key"), "-out", self.ca)
        for name, alt, days in (("good", NAMES, "30"), ("expired", NAMES, "-1"),
                                ("misnamed", "DNS:other.example.test", "30")):
            self._issue(name, alt, days)
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-subj", "/CN=localhost", "-addext", f"subjectAltName={NAMES}", "-keyout",
                      self.path("own.key"), "-out", self.path("own.pem"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def _openssl(self, *args):
        subprocess.run(["openssl", *args], check=True, capture_output=True)

    def _issue(self, name, alt, days):
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                      f"/CN={name}", "-keyout", self.path(name + ".key"), "-out", self.path(name + ".csr"))
        with open(self.path("ext"), "w", encoding="utf-8") as f:
            f.write(f"subjectAltName={alt}\n")
        self._openssl("x509", "-req", "-in", self.path(name + ".csr"), "-CA", self.ca, "-CAkey",
                      self.path("ca.key"), "-CAcreateserial", "-days", days, "-extfile", self.path("ext"),
                      "-out", self.path(name + ".pem"))

    def context(self, name="good"):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(self.path(name + ".pem"), self.path(name + ".key"))
        return c


def host(address):
    return f"[{address}]" if ":" in address else address


class Listener:
    """Accepts on a port; each connection is `serve(socket)` in a thread. tls: from the first byte."""

    def __init__(self, address="127.0.0.1", tls=None):
        self.got = []
        self.connections = 0
        self.tls = tls
        self.address = address
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.create_server((address, 0), family=family)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def at(self, scheme, path="", name=None):
        return f"{scheme}://{name or host(self.address)}:{self.port}{path}"

    def _accept(self):
        while True:
            try:
                s, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(s,), daemon=True).start()

    def _one(self, s):
        try:
            if self.tls:
                s = self.tls.wrap_socket(s, server_side=True)
            self.serve(s)
        except (OSError, EOFError):
            pass
        finally:
            s.close()

    def serve(self, s):
        raise NotImplementedError

    def close(self):
        self.socket.close()


class Silent(Listener):
    """Takes connections, and says nothing."""

    def serve(self, s):
        while s.recv(4096):
            pass


class Mail(Listener):
    """SMTP by the book, whose answers `mood` may replace: a function (self, verb, argument, n-th mail) -> text
    to answer instead, None: as usual, "" : close, False: say nothing any more."""

    def __init__(self, address="127.0.0.1", tls=None, starttls=None, users=None, mood=None, tokens=None):
        self.starttls, self.users, self.tokens = starttls, users, tokens
        self.mood = mood or (lambda *a: None)
        self.logins, self.said, self.hello = [], [], []
        super().__init__(address, tls)

    def serve(self, s):
        _Conversation(self, s).run()


class _Conversation:
    def __init__(self, server, s):
        self.v, self.s = server, s
        self.f = s.makefile("rb")
        self.encrypted = server.tls is not None
        self.user = None
        self.sender, self.rcpt = None, []

    def say(self, text):
        self.s.sendall(text.encode() + b"\r\n")

    def line(self):
        b = self.f.readline()
        if not b:
            raise EOFError
        return b.decode("latin-1").rstrip("\r\n")

    def answer(self, verb, argument, usual, before=None):
        text = self.v.mood(self.v, verb, argument, len(self.v.got))
        if text is False:
            while self.s.recv(4096):
                pass
            raise EOFError
        if text == "":
            raise EOFError
        text = text or usual
        if before and text[0] in "23":
            before()
        self.say(text)
        return text[0] in "23"

    def run(self):
        if not self.answer("greeting", "", "220 mail.example.test ESMTP"):
            return
        while True:
            line = self.line()
            self.v.said.append(line)
            verb, _, rest = line.partition(" ")
            verb = verb.upper()
            if verb in ("EHLO", "HELO"):
                self.ehlo(rest)
            elif verb == "STARTTLS":
                if self.answer(verb, rest, "220 go on"):
                    self.s = self.v.starttls.wrap_socket(self.s, server_side=True)
                    self.f = self.s.makefile("rb")
                    self.encrypted = True
            elif verb == "AUTH":
                self.auth(rest)
            elif verb == "MAIL":
                self.sender, self.rcpt = rest, []
                self.answer(verb, rest, "250 ok" if self.v.users is None or self.user else "530 5.7.0 log in first")
            elif verb == "RCPT":
                if self.answer(verb, rest, "250 ok"):
                    self.rcpt.append(rest.split("<")[1].split(">")[0])
            elif verb == "DATA":
                if self.answer(verb, rest, "354 go on"):
                    self.data()
            elif verb == "QUIT":
                self.answer(verb, rest, "221 bye")
                return
            else:
                self.answer(verb, rest, "250 ok")

    def ehlo(self, name):
        self.v.hello.append(name)
        lines = ["mail.example.test", "SIZE 1000000", "8BITMIME"]
        if self.v.starttls and not self.encrypted:
            lines.append("STARTTLS")
        if self.v.users is not None:
            lines.append("AUTH PLAIN LOGIN")
        if self.v.tokens is not None:
            lines.append("AUTH XOAUTH2")
        text = self.v.mood(self.v, "EHLO", name, len(self.v.got))
        if text:
            self.say(text)
            return
        for x in lines[:-1]:
            self.say("250-" + x)
        self.say("250 " + lines[-1])

    def auth(self, rest):
        how, _, first = rest.partition(" ")
        user = password = None
        if how == "PLAIN":
            if not first:
                self.say("334 ")
                first = self.line()
            _, user, password = base64.b64decode(first).decode().split("\0")
        elif how == "LOGIN":
            self.say("334 VXNlcm5hbWU6")
            user = base64.b64decode(self.line()).decode()
            self.say("334 UGFzc3dvcmQ6")
            password = base64.b64decode(self.line()).decode()
        elif how == "XOAUTH2":
            if not first:
                self.say("334 ")
                first = self.line()
            parts = base64.b64decode(first).decode().split("\1")
            user, password = parts[0].partition("=")[2], parts[1].partition("Bearer ")[2]
            good = password in self.v.tokens
            self.v.logins.append((how, user, password, self.encrypted))
            self.user = user if good else None
            self.say("235 2.7.0 welcome" if good else "535 5.7.3 no such token")
            return
        self.v.logins.append((how, user, password, self.encrypted))
        good = self.v.users and self.v.users.get(user) == password
        self.user = user if good else None
        self.answer("AUTH", rest, "235 2.7.0 welcome" if good else "535 5.7.8 wrong password")

    def data(self):
        lines = []
        while True:
            b = self.f.readline()
            if not b:
                raise EOFError
            if b == b".\r\n":
                break
            if self.v.mood(self.v, "line", b, len(self.v.got)) == "":
                raise EOFError
            lines.append(b[1:] if b.startswith(b".") else b)
        m = {"from": self.sender, "to": self.rcpt, "data": b"".join(lines), "encrypted": self.encrypted,
             "user": self.user}
        self.answer("message", "", "250 2.0.0 queued", lambda: self.v.got.append(m))


class Web(Listener):
    """HTTP: `answer(request) -> (code, headers, body)`, or None: closes. Requests: dicts in `got`."""

    def __init__(self, answer, address="127.0.0.1", tls=None):
        self.answer = answer
        super().__init__(address, tls)

    def serve(self, s):
        outer = self

        class One(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa
                n = int(self.headers.get("Content-Length", 0))
                r = {"path": self.path, "headers": dict(self.headers.items()), "body": self.rfile.read(n)}
                outer.got.append(r)
                a = outer.answer(r)
                if a is None:
                    return
                code, headers, body = a
                self.send_response(code)
                for k, v in headers.items():
                    self.send_header(k, v)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST  # noqa

            def log_message(self, *args):
                pass

        One(s, ("", 0), None)


class Lines(Listener):
    """Syslog over TCP, with tls over TLS: octet-counted messages in `got`. rude: resets the connection."""

    def __init__(self, address="127.0.0.1", tls=None, rude=False):
        self.rude = rude
        super().__init__(address, tls)

    def serve(self, s):
        if self.rude:
            s.recv(1)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        data = b""
        while True:
            b = s.recv(65536)
            if not b:
                break
            data += b
        while data:
            count, _, rest = data.partition(b" ")
            self.got.append(rest[:int(count)])
            data = rest[int(count):]


class Datagrams:
    """Syslog over UDP."""

    def __init__(self, address="127.0.0.1"):
        self.address = address
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.socket.settimeout(20)
        self.port = self.socket.getsockname()[1]

    def at(self, scheme="udp"):
        return f"{scheme}://{host(self.address)}:{self.port}"

    def one(self):
        return self.socket.recv(65536)


class Names:
    """A DNS server on port 53 that knows some names: {"mail.example.test": ["192.0.2.1"]}. silent.*: no answer."""

    def __init__(self, names, address="192.0.2.1"):
        self.names, self.asked = names, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            q, who = self.socket.recvfrom(4096)
            labels, at = [], 12
            while q[at]:
                labels.append(q[at + 1:at + 1 + q[at]].decode())
                at += 1 + q[at]
            end = at + 5
            kind = struct.unpack("!H", q[at + 1:at + 3])[0]
            name = ".".join(labels).lower()
            self.asked.append(name)
            if name.startswith("silent."):
                continue
            family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(kind)
            found = [a for a in self.names.get(name, []) if family and (":" in a) == (kind == 28)]
            code = 0x8180 if name in self.names else 0x8183
            r = struct.pack("!2sHHHHH", q[:2], code, 1, len(found), 0, 0) + q[12:end]
            for a in found:
                b = socket.inet_pton(family, a)
                r += struct.pack("!HHHIH", 0xc00c, kind, 1, 5, len(b)) + b
            self.socket.sendto(r, who)


def until(fact, timeout=20):
    """Waits until fact() is true; tells whether it became so."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if fact():
            return True
        time.sleep(0.02)
    return bool(fact())
