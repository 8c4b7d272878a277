# SPDX-License-Identifier: BSD-2-Clause
"""What a guest's monitor says, for tests: decode(bytes) -> records, and a small guest that runs one.

A record is a dict: "type", "seq", "ns", the fields of its struct in src/sensor/format.h (those of struct
sensor_proc among them), and "texts", a list of bytes.
"""
import gzip
import os
import re
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time

MAGIC = 0x314e4f4d
HEAD = struct.Struct("<IHHQQ")
PROC = "Qvisit Ipid Ippid Isid Iuid Ieuid itty 16scomm "
KINDS = [None,
         ("hello", "Hversion Bmode Bfirst Ihello_pid Qhooks qwall_ns 16sboot_id"),
         ("beat", "Qhooks qwall_ns Qtold Qlost Idisk_permille Iload"),
         ("visit", "Qvisit Qparent Ipid Bver Bproto Hpeer_port Hlocal_port 16speer 16slocal 16scomm"),
         ("visit_end", "Qvisit istatus"),
         ("exec", PROC + "Iargc Iflags"),
         ("exit", PROC + "istatus"),
         ("data", PROC + "Bstream Becho Hpad Iskipped"),
         ("size", PROC + "Hcols Hrows"),
         ("login", PROC + "Bok 3spad"),
         ("connect", PROC + "Bver Bproto Hport 16saddr"),
         ("file", PROC + "Bop 3spad Imode Qsize Qinode"),
         ("content", "Qvisit Qfile Qoffset Qsize Ipid Iflags"),
         ("cred", PROC + "Inew_uid Inew_euid Inew_gid Ipad Qcaps"),
         ("kernel", PROC + "Bwhat 3spad Ikind"),
         ("signal", PROC + "Ito Isig 16sto_comm"),
         ("state", "Iwhat Ipad qvalue"),
         ("lost", "144sby_type Qbytes")]
HOOKS = ("exec exit fork accept tty pipe unix connect file unlink rename cred module bpf signal").split()
STATES = [None, "link_up", "link_down", "disk_full", "disk_free", "clock", "watched", "unhooked"]


def fields(layout):
    parts = [re.match(r"(\d*[a-zA-Z])(\w+)", x) for x in layout.split()]
    return struct.Struct("<" + "".join(m[1] for m in parts)), [m[2] for m in parts]


FORMS = [None] + [(k[0],) + fields(k[1]) for k in KINDS[1:]]


def one(kind, seq, ns, payload):
    name, form, names = FORMS[kind]
    r = {"type": name, "seq": seq, "ns": ns, "texts": []}
    for key, value in zip(names, form.unpack_from(payload)):
        r[key] = value.rstrip(b"\0").decode("latin-1") if key.endswith("comm") else value
    at = form.size
    while at + 2 <= len(payload):
        n = struct.unpack_from("<H", payload, at)[0]
        r["texts"].append(payload[at + 2:at + 2 + n])
        at += 2 + n
    if at != len(payload):
        raise ValueError(f"{name}: {len(payload) - at} bytes too many")
    return r


def decode(data):
    """The records in data, and what is left of it. ValueError if it is none of the monitor's."""
    out, at = [], 0
    while len(data) - at >= HEAD.size:
        magic, kind, length, seq, ns = HEAD.unpack_from(data, at)
        if magic != MAGIC or not 0 < kind < len(KINDS):
            raise ValueError(f"no record at {at}: {bytes(data[at:at + 32])!r}")
        if len(data) - at < HEAD.size + length:
            break
        out.append(one(kind, seq, ns, data[at + HEAD.size:at + HEAD.size + length]))
        at += HEAD.size + length
    return out, data[at:]


def argv(record):
    """The words of an exec record."""
    return [x.decode("latin-1") for x in record["texts"][2].rstrip(b"\0").split(b"\0")]


def hooks(bits):
    return {name for i, name in enumerate(HOOKS) if bits >> i & 1}


PASSWORD = "secret"
INITTAB = """::sysinit:/etc/init.d/rcS
ttyS0::respawn:/bin/sh
::respawn:/usr/sbin/monitor
::respawn:/usr/sbin/dropbear -F -R
"""
RCS = """#!/bin/sh
hostname tiny
mkdir -p /etc/dropbear
ifconfig lo up
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
ip -6 addr add fec0::15/64 dev eth0
"""


class Guest:
    """The tiny image with a monitor in it: a console to type at, a serial port to hear, ssh at .port."""

    def __init__(self, image, monitor, memory=256, qemu=("-accel", "tcg")):
        self.image, self.monitor, self.memory, self.qemu = image, monitor, memory, qemu
        self.records, self.rest, self.raw_bytes, self.typed = [], b"", 0, 0
        self.console_text = b""
        self.dir = tempfile.mkdtemp(prefix="skt-monitor-")
        self.proc = self.console = self.serial = None

    def lay(self, tree):
        """What comes over the image's own files."""
        for d in ("usr/sbin", "etc/init.d"):
            os.makedirs(os.path.join(tree, d))
        shutil.copy(self.monitor, os.path.join(tree, "usr/sbin/monitor"))
        word = subprocess.run(["openssl", "passwd", "-6", "-salt", "abcdefgh", PASSWORD], check=True,
                              capture_output=True, text=True).stdout.strip()
        for path, text in (("etc/inittab", INITTAB), ("etc/init.d/rcS", RCS),
                           ("etc/passwd", "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n"),
                           ("etc/shadow", "".join(f"{x}:{word}:19000::::::\n" for x in ("root", "user"))),
                           ("etc/shells", "/bin/sh\n")):
            with open(os.path.join(tree, path), "w", encoding="utf-8") as f:
                f.write(text)
            os.chmod(os.path.join(tree, path), 0o755)

    def initrd(self):
        tree = os.path.join(self.dir, "tree")
        os.mkdir(tree)
        self.lay(tree)
        names = subprocess.run(["find", "."], cwd=tree, capture_output=True, check=True).stdout
        more = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], cwd=tree, input=names,
                              capture_output=True, check=True).stdout
        path = os.path.join(self.dir, "initrd")
        with open(path, "wb") as out, open(os.path.join(self.image, "initrd"), "rb") as base:
            out.write(base.read() + gzip.compress(more, 1))
        return path

    def __enter__(self):
        ends = {}
        for name in ("console", "serial"):
            ends[name] = socket.socketpair()
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        inner = [ends[x][1].fileno() for x in ("console", "serial")]
        self.proc = subprocess.Popen(
            ["qemu-system-x86_64", *self.qemu, "-m", str(self.memory), "-nodefaults", "-no-user-config",
             "-display", "none", "-no-reboot", "-kernel", os.path.join(self.image, "vmlinuz"),
             "-initrd", self.initrd(), "-append", "console=ttyS0 quiet panic=10 net.ifnames=0",
             "-netdev", f"user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22",
             "-device", "virtio-net-pci,netdev=n",
             "-chardev", f"socket,id=c,fd={inner[0]}", "-serial", "chardev:c",
             "-device", "virtio-serial-pci", "-chardev", f"socket,id=m,fd={inner[1]}",
             "-device", "virtserialport,chardev=m,name=monitor.0"],
            pass_fds=inner, stdin=subprocess.DEVNULL)
        for a, b in ends.values():
            b.close()
        self.console, self.serial = ends["console"][0], ends["serial"][0]
        return self

    def __exit__(self, *ignored):
        self.proc.kill()
        self.proc.wait()
        shutil.rmtree(self.dir)

    def pump(self, seconds):
        """Hears both ends until something came, at most so long."""
        for s in select.select([self.console, self.serial], [], [], seconds)[0]:
            data = s.recv(65536)
            if not data:
                raise EOFError("the guest has gone")
            if s is self.console:
                self.console_text += data
                continue
            self.raw_bytes += len(data)
            new, self.rest = decode(self.rest + data)
            self.records += new

    def wait(self, want, seconds=60, since=0):
        """The first record from number since on that want says yes to; None: there was none in time."""
        at, end = since, time.monotonic() + seconds
        while True:
            for i in range(at, len(self.records)):
                if want(self.records[i]):
                    return self.records[i]
            at = len(self.records)
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.pump(left)

    def type(self, text):
        self.console.sendall(text.encode())

    def sh(self, command, seconds=60):
        """Runs it at the console; what it wrote."""
        self.typed += 1
        mark, at = f"done-{self.typed}-", len(self.console_text)
        self.type(f"{command}; echo 'do''ne'-{self.typed}-$?\n")
        end = time.monotonic() + seconds
        while (m := re.search(re.escape(mark).encode() + rb"(\d+)", self.console_text[at:])) is None:
            if time.monotonic() > end:
                raise TimeoutError(f"{command}: {self.console_text[at:]!r}")
            self.pump(1)
        return self.console_text[at:at + m.start()].decode("latin-1")

    def ssh(self, *command, user="root", seconds=60, text="", options=()):
        """Runs it over ssh, with text as input; hears the monitor meanwhile. What it wrote, its exit status."""
        argv = ["sshpass", "-p", PASSWORD, "ssh", "-o", "StrictHostKeyChecking=no", "-o",
                "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-p", str(self.port),
                *options, f"{user}@127.0.0.1", *command]
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as given:
            given.write(text.encode())
            given.seek(0)
            p = subprocess.Popen(argv, stdin=given, stdout=out, stderr=subprocess.STDOUT)
            end = time.monotonic() + seconds
            while p.poll() is None:
                if time.monotonic() > end:
                    p.kill()
                self.pump(0.1)
            out.seek(0)
            return out.read().decode("latin-1"), p.returncode
