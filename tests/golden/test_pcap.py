#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: asan
"""skep pcap on files: captures made here by a writer of our own, in both byte orders, go in; what
comes out is read by capinfos and tshark, which know nothing of us."""
import os
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
import frames as f  # noqa
from tap import Skip, Tap  # noqa

SKEP = os.environ.get("SKEP", os.path.join(ROOT, "build/src/cmd/skep"))
T0 = 1_700_000_000_123_456_789
GUEST, PUBLIC, WEB = "10.99.0.10", "203.0.113.10", "192.0.2.80"
MAC = ("02:00:00:00:00:01", "02:00:00:00:00:02")


def block(e, kind, body):
    body += b"\0" * (-len(body) % 4)
    n = struct.pack(e + "I", len(body) + 12)
    return struct.pack(e + "I", kind) + n + body + n


def option(e, code, value):
    return struct.pack(e + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def section(e):
    return block(e, 0x0A0D0D0A, struct.pack(e + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(e, name, resolution=9):
    return block(e, 1, struct.pack(e + "HHI", 1, 0, 0) + option(e, 2, name.encode())
                 + option(e, 9, bytes([resolution])) + option(e, 0, b""))


def packet(e, i, stamp, data, comment=None, out=False, drops=0):
    opts = option(e, 1, comment.encode()) if comment else b""
    opts += option(e, 2, struct.pack(e + "I", 2 if out else 1))
    opts += option(e, 4, struct.pack(e + "Q", drops)) if drops else b""
    return block(e, 6, struct.pack(e + "IIIII", i, stamp >> 32, stamp & 0xFFFFFFFF, len(data),
                                   len(data)) + data + b"\0" * (-len(data) % 4)
                 + opts + option(e, 0, b""))


def tcp(src, sport, dst, dport, data=b""):
    return f.eth(*MAC, 0x0800, f.ipv4(src, dst, 6, f.tcp(src, dst, sport, dport, 0x18, data=data)))


def udp(src, sport, dst, dport, data):
    return f.eth(*MAC, 0x0800, f.ipv4(src, dst, 17, f.udp(src, dst, sport, dport, data)))


def make(folder):
    """Two captures that overlap in time: one little endian, one big endian in microseconds."""
    one, two = section("<") + interface("<", "outside") + interface("<", "web1"), \
        section(">") + interface(">", "outside", 6)
    for n in range(20):
        one += packet("<", 1, T0 + n * 2_000_000, tcp(GUEST, 40000 + n % 2, WEB, 80, b"in%d" % n),
                      "OUTBOUND forward new flow=9" if n == 0 else None)
        one += packet("<", 0, T0 + n * 2_000_000 + 500, tcp(PUBLIC, 40000 + n % 2, WEB, 80,
                                                            b"in%d" % n), out=True)
        two += packet(">", 0, (T0 + n * 2_000_000 + 1_000_000) // 1000,
                      udp(WEB, 53, PUBLIC, 5000 + n, b"out%d" % n), drops=3 if n == 4 else 0)
    one += block("<", 5, struct.pack("<III", 0, 0, 0))
    paths = [os.path.join(folder, n) for n in ("one.pcapng", "two.pcapng")]
    for path, data in zip(paths, (one, two)):
        with open(path, "wb") as h:
            h.write(data)
    return paths


def skep(*args, **kw):
    return subprocess.run([SKEP, "pcap", *args], capture_output=True, timeout=60,
                          stdin=subprocess.DEVNULL, **kw)


def count(*args):
    p = skep("--count", *args)
    return int(p.stdout or -1), p.returncode


def fields(path, *names):
    args = [x for n in names for x in ("-e", n)]
    p = subprocess.run(["tshark", "-n", "-r", path, "-T", "fields", *args], capture_output=True,
                       text=True, timeout=60, env=dict(os.environ, HOME="/tmp"))
    return p.returncode, [line.split("\t") for line in p.stdout.splitlines()], p.stderr


def selecting(t, files):
    for args, want in (((), 60), (("--port", "80"), 40), (("--port", "40001"), 20),
                       (("--addr", GUEST), 20), (("--addr", WEB), 60), (("--proto", "udp"), 20),
                       (("--proto", "17"), 20), (("--proto", "icmp"), 0),
                       (("--interface", "web1"), 20),
                       (("--interface", "web1", "--port", "40000"), 10),
                       (("--since", "2023-11-14T22:13:20.143"), 30),
                       (("--until", "2023-11-14T22:13:20.143"), 30),
                       (("--since", "2023-11-15"), 0),
                       (("--community-id", "1:wrong"), 0)):
        t.equal(count(*args, *files), (want, 0 if want else 1), f"{' '.join(args) or 'all'}")


def merging(t, files, folder):
    out = os.path.join(folder, "out.pcapng")
    p = skep("-o", out, *files)
    t.check(p.returncode == 0 and b"60 of 60 packets" in p.stderr, "both are merged", p.stderr)
    t.equal(os.stat(out).st_mode & 0o077, 0, "... into a file for its owner only")
    p = subprocess.run(["capinfos", "-M", out], capture_output=True, text=True)
    t.check(p.returncode == 0 and "nanosecond" in p.stdout and
            any(line.split() == ["Number", "of", "packets:", "60"]
                for line in p.stdout.splitlines()),
            "capinfos reads it: 60 packets, ns", p.stdout + p.stderr)
    rc, rows, err = fields(out, "frame.time_epoch", "frame.interface_name", "frame.comment",
                           "frame.packet_flags_direction", "frame.drop_count", "udp.dstport")
    t.check(rc == 0 and len(rows) == 60, "tshark reads it", err)
    stamps = [r[0] for r in rows]
    t.equal(stamps, sorted(stamps), "in order of time over both files")
    t.equal(stamps[0], "1700000000.123456789", "stamps keep their nanoseconds")
    t.equal(stamps[2], "1700000000.124456000", "microseconds become nanoseconds")
    t.equal([r[1] for r in rows[:3]], ["web1", "outside", "outside"], "interfaces keep their names")
    t.equal(rows[0][2], "OUTBOUND forward new flow=9", "comments come along")
    t.equal({r[2] for r in rows[1:]}, {""}, "... and only where they were")
    flags = {(r[1], bool(r[5])): r[3] for r in rows}
    t.check(len({flags[("outside", False)], flags[("web1", False)]}) == 2, "directions differ",
            flags)
    t.equal([r[5] for r in rows if r[4]], ["5004"], "the drop count stays with its packet")
    p = skep(*files)
    t.equal((p.returncode, p.stdout == open(out, "rb").read()), (0, True),
            "the same to standard output")


def community(t, files, folder):
    p = subprocess.run(["tshark", "-n", "-r", files[0], "--enable-protocol",
                        "communityid", "-T", "fields", "-e", "communityid",
                        "-e", "tcp.srcport"], capture_output=True, text=True, timeout=60,
                       env=dict(os.environ, HOME="/tmp"))
    ids = {line.split("\t")[0] for line in p.stdout.splitlines() if line.startswith("1:")}
    t.check(len(ids) == 4, "tshark names four community ids", p.stdout + p.stderr)
    for x in sorted(ids):
        t.equal(count("--community-id", x, *files), (10, 0), f"{x} selects its ten packets")


def damage(t, files, folder):
    cut = os.path.join(folder, "cut.pcapng")
    data = open(files[0], "rb").read()
    with open(cut, "wb") as h:
        h.write(data[:len(data) // 2])
    p = skep("--count", cut)
    t.check(p.returncode == 1 and 10 < int(p.stdout) < 30 and b"cut.pcapng" in p.stderr,
            "a cut file gives what is whole, and says so", (p.stdout, p.stderr))
    part = os.path.join(folder, "skep-20231114T221320-1.pcapng.part")
    os.rename(cut, part)
    p = skep("--count", part)
    t.check(p.returncode == 0 and int(p.stdout) > 10 and p.stderr == b"",
            "... an open one is expected to end anywhere", (p.stdout, p.stderr))
    for what, args, rc, cure in (
            ("no pcapng file", [os.path.join(ROOT, "LICENSE")], 1, b"editcap"),
            ("no file", [os.path.join(folder, "none.pcapng")], 1, b"No such file"),
            ("an input as output", ["-o", files[0], files[0]], 2, b"another name"),
            ("a bad address", ["--addr", "1.2.3", files[0]], 2, b"--help"),
            ("a bad port", ["--port", "70000", files[0]], 2, b"--help"),
            ("a bad time", ["--since", "yesterday", files[0]], 2, b"--help"),
            ("since after until", ["--since", "1h", "--until", "2h", files[0]], 2, b"swap"),
            ("an unknown option", ["--fow", "3"], 2, b"--help")):
        p = skep(*args)
        t.check(p.returncode == rc and cure in p.stderr, f"{what}: exit {rc}, with the cure",
                (p.returncode, p.stderr))
    t.equal(open(files[0], "rb").read(), data, "the input is untouched")


def main(t):
    for tool in ("tshark", "capinfos"):
        if not shutil.which(tool):
            raise Skip(f"{tool} is not installed")
    with tempfile.TemporaryDirectory(prefix="skt-c-") as folder:
        files = make(folder)
        selecting(t, files)
        merging(t, files, folder)
        community(t, files, folder)
        damage(t, files, folder)


tap = Tap()
try:
    main(tap)
except Skip as why:
    tap.skip("the rest", why)
sys.exit(tap.done())
