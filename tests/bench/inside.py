#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the monitor and the changed shell cost inside a guest: the same work with and without them.

    inside.py [BUILD_DIR] [--cache DIR] [--rounds N] [--wall N]     (or $SKEP_BUILD)

The guest's processor is counted, not timed: QEMU's -icount makes one instruction one nanosecond of the guest's
clock, so a figure says the same on an idle machine and a busy one, and twice the same. What the monitor does
after the work is done counts as well. The shell is measured if the cache has its package (the Debian image was
built); Debian's own comes from its archive. The work descends from an accepted connection, so all of it is heard.
--wall also measures by the machine's clock, with the spread. Exits 1 if a row that has an aim misses it, 77 if
this machine can't measure.
"""
import argparse
import glob
import gzip
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import tap  # noqa: E402
from honeynet import SKEP, Honeynet, guest  # noqa: E402

AIM = 5.0
# Name, amount, what it is, whether it has an aim.
WORK = [("exec", 300, "fork, exec and exit of 300 /bin/true", True),
        ("pty", 500000, "500 kB of short lines through a terminal", True),
        ("tcp", 30000000, "30 MB over a TCP connection", True),
        ("pipe", 30000000, "30 MB through a pipe", True),
        ("file", 300, "300 files of 1000 bytes, written and deleted", False)]
SHELL = [(who + how, 300) for how in ("-loop", "-lines") for who in ("plain", "tells")]
INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
for m in /lib/modules/*.ko; do insmod "$m"; done
ifconfig lo 127.0.0.1 up
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
echo '10.0.2.2 loghost' >/etc/hosts
read line </proc/cmdline
case "$line" in *with=1*)
	/usr/sbin/monitor 2>/dev/console &
	pid=$!
	sleep 10;;
*)	pid=0
	sleep 10;;
esac
%s
echo done
poweroff -f
"""


def pack(tree):
    names = subprocess.run(["find", "."], cwd=tree, capture_output=True, check=True).stdout
    more = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], cwd=tree, input=names,
                          capture_output=True, check=True).stdout
    return gzip.compress(more, 1)


def add_shells(tree, folder, cache):
    """Both shells and their library into the tree; False: there are none."""
    ours = sorted(glob.glob(os.path.join(cache, "packages/**/bash_*.deb"), recursive=True), key=os.path.getmtime)
    get = subprocess.run(["apt-get", "-q", "download", "bash"], cwd=folder, capture_output=True)
    plain = glob.glob(os.path.join(folder, "bash_*.deb"))
    if not ours or get.returncode or not plain:
        return False
    os.makedirs(os.path.join(tree, "shell"))
    for name, deb in (("plain", plain[0]), ("tells", ours[-1])):
        to = os.path.join(folder, name)
        subprocess.run(["dpkg-deb", "-x", deb, to], check=True)
        found = [x for x in (to + "/bin/bash", to + "/usr/bin/bash") if os.path.exists(x)]
        shutil.copy(found[0], os.path.join(tree, "shell", name))
    shutil.copy("/bin/true", os.path.join(tree, "shell/true"))  # not busybox's: what Debian's shell finds
    lib = os.path.join(tree, "lib/x86_64-linux-gnu")
    os.makedirs(lib)
    shutil.copy("/lib/x86_64-linux-gnu/libtinfo.so.6", lib)
    return True


def initrd(folder, image, build, cache, rounds, only):
    """The archive, and whether the shells are in it."""
    tree = os.path.join(folder, "tree")
    os.makedirs(os.path.join(tree, "usr/sbin"))
    shutil.copy(os.path.join(build, "inside/monitor/monitor"), os.path.join(tree, "usr/sbin/monitor"))
    shutil.copy(os.path.join(build, "tests/bench/inside_load"), os.path.join(tree, "usr/sbin/load"))
    shells = add_shells(tree, folder, cache)
    work = [x for x in [x[:2] for x in WORK] + (SHELL if shells else []) if not only or x[0] in only]
    lines = [f"/usr/sbin/load {name} {amount} $pid" for name, amount in work] * rounds
    with open(os.path.join(tree, "init"), "w", encoding="utf-8") as f:
        f.write(INIT % "\n".join(lines))
    os.chmod(os.path.join(tree, "init"), 0o755)
    path = os.path.join(folder, "initrd")
    with open(path, "wb") as out, open(os.path.join(image, "initrd"), "rb") as base:
        out.write(base.read() + pack(tree))
    return path, shells


def run(image, archive, with_monitor, counted):
    """{work: [nanoseconds of the guest, one for each round]}"""
    count = ["-icount", "shift=0,align=off,sleep=off"] if counted else []
    p = subprocess.run(
        ["qemu-system-x86_64", "-accel", "tcg", *count, "-m", "256", "-nodefaults", "-no-user-config",
         "-display", "none", "-no-reboot", "-kernel", os.path.join(image, "vmlinuz"), "-initrd", archive,
         "-append", f"console=ttyS0 quiet panic=-1 with={int(with_monitor)}", "-serial", "stdio",
         "-netdev", "user,id=n,restrict=on", "-device", "virtio-net-pci,netdev=n",
         "-device", "virtio-serial-pci", "-chardev", "file,id=m,path=/dev/null",
         "-device", "virtserialport,chardev=m,name=monitor.0"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=900)
    out = {}
    for name, took, late in re.findall(rb"load ([\w-]+) \d+ (\d+) (\d+)", p.stdout):
        out.setdefault(name.decode(), []).append(int(took) + int(late))
    if b"\ndone" not in p.stdout or len({len(x) for x in out.values()}) != 1:
        raise RuntimeError(p.stdout[-2000:].decode("latin-1") + p.stderr[-2000:].decode("latin-1"))
    return out


def cost(without, with_):
    return 100.0 * (statistics.median(with_) / statistics.median(without) - 1)


def rows(off, on):
    """(what, without, with, has an aim) for each line of the table."""
    for name, _, what, aimed in WORK:
        if name in off:
            yield what, off[name], on[name], aimed
    for how, what in (("-loop", "a shell's loop runs 300 true"), ("-lines", "300 lines, each runs true")):
        plain, tells = "plain" + how, "tells" + how
        if tells in off:
            yield what + ": the change alone", off[plain], off[tells], True
            yield "... the monitor alone", off[plain], on[plain], True
            yield "... both", off[plain], on[tells], False


def counted(image, archive):
    off, on = (run(image, archive, w, True) for w in (False, True))
    bad = 0
    print("%-46s %12s %12s %8s %s" % ("in the guest's instructions (millions)", "without", "with", "more", "spread"))
    for what, without, with_, aimed in rows(off, on):
        more = cost(without, with_)
        spread = max(100.0 * (max(x) / min(x) - 1) for x in (without, with_))
        miss = aimed and more >= AIM
        bad += miss
        print("%-46s %12.1f %12.1f %7.2f%% %.2f%%%s" % (
            what, statistics.median(without) / 1e6, statistics.median(with_) / 1e6, more, spread,
            "   over %g %%" % AIM if miss else ""), flush=True)
    return bad


def wall(image, archive, times):
    off, on = {}, {}
    for _ in range(times):
        for w, to in ((False, off), (True, on)):
            for name, took in run(image, archive, w, False).items():
                to.setdefault(name, []).extend(took)
    print("%-46s %12s %12s %8s %s" % ("by the clock (ms)", "without", "with", "more", "spread of each"))
    for what, without, with_, _ in rows(off, on):
        spread = ["%.0f-%.0f" % (min(x) / 1e6, max(x) / 1e6) for x in (without, with_)]
        print("%-46s %12.0f %12.0f %7.1f%% %s" % (
            what, statistics.median(without) / 1e6, statistics.median(with_) / 1e6,
            cost(without, with_), ", ".join(spread)), flush=True)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("build", nargs="?", default=os.environ.get("SKEP_BUILD"))
    a.add_argument("--cache", help="folder with images/tiny, and maybe packages")
    a.add_argument("--only", nargs="*", help="some of %s" % ", ".join([x[0] for x in WORK + SHELL]))
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--wall", type=int, default=2)
    args = a.parse_args()
    build = os.path.abspath(args.build or os.path.join(os.path.dirname(SKEP), "../.."))
    if not shutil.which("qemu-system-x86_64") or not os.path.exists(
            os.path.join(build, "inside/monitor/monitor")) or os.geteuid() != 0:
        print("needs root, QEMU and a build with the monitor")
        return 77
    folder = tempfile.mkdtemp(prefix="skt-inside-")
    try:
        cache = args.cache
        if not cache:
            with Honeynet([guest("t", "tiny", 10)]) as net:
                net.build_images()
                cache = net.settings["cache_dir"]
        image = os.path.join(cache, "images/tiny")
        archive, shells = initrd(folder, image, build, cache, args.rounds, args.only)
        if not shells:
            print("no changed shell in the cache: not measured")
        bad = counted(image, archive)
        if args.wall:
            wall(image, archive, args.wall)
        return 1 if bad else 0
    except tap.Skip as why:
        print(why)
        return 77
    finally:
        shutil.rmtree(folder)


sys.exit(main())
