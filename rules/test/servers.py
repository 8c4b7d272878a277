#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the tools of make-captures talk to: just enough of each service that they go on to the attack."""
import selectors
import socket
import subprocess
import sys

BANNER = {21: b"220 ready\r\n", 22: b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", 23: b"login: ",
          587: b"220 mail.example.org ESMTP\r\n", 2525: b"220 mail.example.org ESMTP\r\n"}
PORTS = [21, 22, 23, 80, 445, 587, 2525, 3333, 4444, 5555, 6379, 6667, 9999]
REAL_SSH = "/usr/sbin/sshd"


def ftp_or_mail(line, port):
    word = line[:4].upper()
    if port == 21:
        return {b"USER": b"331 name ok\r\n", b"PASS": b"530 no\r\n", b"QUIT": b"221 bye\r\n"}.get(word, b"500 what\r\n")
    if word in (b"EHLO", b"HELO"):
        return b"250-mail.example.org\r\n250 AUTH LOGIN PLAIN\r\n"
    return {b"AUTH": b"334 VXNlcm5hbWU6\r\n", b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n",
            b"MAIL": b"250 ok\r\n", b"RCPT": b"250 ok\r\n", b"RSET": b"250 ok\r\n", b".\r\n": b"250 queued\r\n"
            }.get(word, b"535 no\r\n" if line.strip() and b" " not in line and b"." not in line else
                  b"250 queued\r\n" if line.strip() == b"." else b"")


def web(data):
    if b"\r\n\r\n" not in data:
        return None
    if b" /private" in data.split(b"\r\n")[0]:
        return (b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n"
                b"Connection: close\r\n\r\n")
    body = b"<html><title>Hive</title>" + b"x" * 400 + b"</html>"
    return b"HTTP/1.1 200 OK\r\nServer: Hive\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)


def answer(port, data):
    """What to say, and whether to close then; None: wait for more."""
    if port == 80:
        said = web(data)
        return None if said is None else (said, True)
    if port in (21, 587, 2525):
        lines = data.split(b"\n")[:-1]
        said = b"".join(ftp_or_mail(line + b"\n", port) for line in lines)
        return (said, any(line[:4].upper() == b"QUIT" for line in lines)) if lines else None
    if port == 6379:
        return b"+OK\r\n", False
    if port == 23:
        return b"Password: ", False
    return b"", False


def main():
    sel = selectors.DefaultSelector()
    real = subprocess.run([REAL_SSH, "-t"], capture_output=True).returncode == 0
    if real:
        subprocess.run([REAL_SSH], check=False)
    for port in PORTS:
        if port == 22 and real:
            continue
        s = socket.socket(socket.AF_INET6)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind(("::", port))
        s.listen(64)
        sel.register(s, selectors.EVENT_READ, (None, port))
    held = {}
    while True:
        for key, _ in sel.select():
            conn, port = key.data
            if conn is None:
                conn = key.fileobj.accept()[0]
                sel.register(conn, selectors.EVENT_READ, (conn, port))
                held[conn] = b""
                try:
                    conn.sendall(BANNER.get(port, b""))
                except OSError:
                    pass                # a scanner: gone already, and reading tells
                continue
            try:
                data = conn.recv(65536)
                held[conn] += data
                said = answer(port, held[conn]) if data else (b"", True)
                if said is None:
                    continue
                held[conn] = b""
                conn.sendall(said[0])
                if not said[1]:
                    continue
            except OSError:
                pass
            sel.unregister(conn)
            held.pop(conn)
            conn.close()


if __name__ == "__main__":
    sys.exit(main())
