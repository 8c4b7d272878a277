# SPDX-License-Identifier: BSD-2-Clause
"""Somebody to tell: a destination of each kind in front of a receiver of ours, for whole honeynets."""
import ctypes
import email
import email.policy
import hashlib
import hmac
import json
import os
import shutil
import socket
import subprocess
import threading

from honeynet import wait_for
from receivers import Certificates, Lines, Mail, Web
from tap import Skip

SBIN = "/usr/sbin"
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 1 << 18
PASSWORD, KEY = "correct horse", "staple"
# Runs as a user without rights: keeps what it was given, and by which words.
KEEPER = """#!/bin/sh
f=$(mktemp %s/got.XXXXXX) || exit 75
{ echo "$@"; cat; } >"$f" && mv "$f" "$f.done"
"""


def fine(_):
    return 200, {}, b"{}"


def nothing(_):
    return 204, {}, b""


def alone():
    """From here on nobody else sees what this program mounts. Before anything is started."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0 or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        raise Skip("no mount namespace")


class Receivers:
    """One of each; `destinations` is their configuration. What came is in .mail.got, .web["slack"].got ..."""

    def __init__(self, net):
        self.dir = f"{net.dir}/receivers"
        os.mkdir(self.dir, 0o711)
        self.certs = Certificates(self.dir)
        self.mail = Mail(starttls=self.certs.context(), users={"skep": PASSWORD})
        self.web = {k: Web(nothing if k == "discord" else fine)
                    for k in ("discord", "teams", "ntfy", "webhook")}
        self.web["slack"] = Web(fine, address="::1")
        self.lines = Lines(tls=self.certs.context())
        self.secret("password", PASSWORD)
        self.secret("key", KEY)
        self.programs = {k: self.program(k) for k in ("command", "sendmail")}

    def secret(self, name, text):
        with open(f"{self.dir}/{name}", "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(text + "\n")

    def program(self, name):
        os.mkdir(f"{self.dir}/{name}.d")
        os.chmod(f"{self.dir}/{name}.d", 0o1777)
        path = f"{self.dir}/{name}"
        with open(path, "w", opener=lambda p, f: os.open(p, f, 0o755)) as f:
            f.write(KEEPER % f"{self.dir}/{name}.d")
        os.chmod(path, 0o755)
        return path

    def have_sendmail(self):
        """Ours in place of any, whose path is fixed: seen by this program only (see alone), and what it starts."""
        for d in ("up", "work"):
            os.mkdir(f"{self.dir}/{d}", 0o755)
        shutil.copy(self.programs["sendmail"], f"{self.dir}/up/sendmail")
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={SBIN},upperdir={self.dir}/up,"
                        f"workdir={self.dir}/work", SBIN], check=True)

    # ---- configuration ------------------------------------------------------------------------

    def destination(self, kind, name=None, **more):
        to = {"name": name or kind, "kind": kind}
        if kind == "smtp":
            to.update(url=self.mail.at("smtp", name="localhost"), user="skep", ca=self.certs.ca,
                      secret=f"{self.dir}/password")
        if kind in ("smtp", "sendmail"):
            to.update({"to": ["ann@example.org"], "from": "skep@example.org"})
        if kind in self.web:
            to["url"] = self.web[kind].at("http", f"/{kind}")
        if kind == "webhook":
            to["secret"] = f"{self.dir}/key"
        if kind == "syslog":
            to.update(url=self.lines.at("tls", name="localhost"), ca=self.certs.ca)
        if kind == "command":
            to["command"] = [self.programs["command"], "--from", "skep"]
        to.update(more)
        return to

    # ---- what came -----------------------------------------------------------------------------

    def mails(self):
        """Of the mail server, as Python's parser reads them."""
        return [email.message_from_bytes(m["data"], policy=email.policy.default) for m in self.mail.got]

    def bodies(self, kind):
        return [r["body"].decode() for r in self.web[kind].got]

    def signed(self, request):
        """Has somebody who knows the key signed it, time and all?"""
        given = {k.lower(): v for k, v in request["headers"].items()}.get("x-skep-signature", "")
        parts = dict(p.partition("=")[::2] for p in given.split(","))
        what = parts.get("t", "").encode() + b"." + request["body"]
        return hmac.compare_digest(hmac.new(KEY.encode(), what, hashlib.sha256).hexdigest(), parts.get("v1", ""))

    def taken(self, name):
        """What the program got: [(its words, the rest)]"""
        out = []
        for f in sorted(os.listdir(f"{self.dir}/{name}.d")):
            if f.endswith(".done"):
                with open(f"{self.dir}/{name}.d/{f}", errors="replace") as h:
                    words, _, rest = h.read().partition("\n")
                out.append((words, rest))
        return out


def stop(server):
    """Nobody listens there any more."""
    server.socket.shutdown(socket.SHUT_RDWR)
    server.socket.close()


def start(server):
    """... and again, at the same port."""
    server.socket = socket.create_server((server.address, server.port))
    threading.Thread(target=server._accept, daemon=True).start()


class Log:
    """`skep alerts log --json`, and what may be asked of it."""

    def __init__(self, net):
        self.net = net

    def rows(self, *args):
        p = self.net.skep("alerts", "log", "--json", "-n", "0", *args)
        return [json.loads(line) for line in p.stdout.splitlines()]

    def sent(self, **want):
        return [r for r in self.rows() if r["state"] in ("sent", "kept") and has(r, want)]

    def held(self, **want):
        return [r for r in self.rows("--held") if has(r, want)]

    def settled(self, seconds=60):
        """Until nothing waits any more."""
        return wait_for(lambda: not [r for r in self.rows() if r["state"] == "waits"], seconds, 0.3)


def has(row, want):
    return all(row.get(k) == v for k, v in want.items())


def facts(rows):
    """What of a row must be the same in a replay."""
    keys = ("at", "destination", "class", "kind", "guest", "source", "incident", "number", "summary")
    return sorted(json.dumps([r.get(k) for k in keys]) for r in rows if r.get("kind") != "test" and r["state"] != "held")


def sums(rows):
    out = {}
    for r in rows:
        if r["state"] == "held":
            key = "/".join(str(r.get(k)) for k in ("destination", "class", "why", "rule", "guest", "source"))
            out[key] = out.get(key, 0) + r["n"]
    return out


def preview(net, conf=None):
    """What the configuration (net's own, or another) would have done in the last day."""
    p = net.skep("alerts", "preview", "--json", "--held", "--since", "1d", *(["-c", conf] if conf else []))
    if p.returncode != 0:
        raise AssertionError(p.stdout + p.stderr)
    return [r for r in map(json.loads, p.stdout.splitlines()) if "destination" in r]
