#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: asan
"""Rules are read in a process without rights: what it may, what becomes of the cache when it is killed, when
several skep share it, and when files in it are damaged, from elsewhere or writable for others."""
import glob
import hashlib
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
from tap import Tap  # noqa

SKEP = os.environ.get("SKEP", os.path.join(ROOT, "build/src/cmd/skep"))
RULES = "".join(f'alert udp any any -> any {9990 + i} (msg:"rule {i}"; content:"hello"; sid:{i + 1};)\n'
                for i in range(20))


class Place:
    def __init__(self, folder):
        self.folder = folder
        self.env = dict(os.environ, XDG_CACHE_HOME=f"{folder}/cache", HOME=folder)
        self.rules = self.write("some.rules", RULES)
        frame = bytes(12) + b"\x08\0" + b"\x45\0" + struct.pack("!H", 33) + bytes(4) + b"\x40\x11\0\0" \
            + bytes([10, 0, 0, 1, 10, 0, 0, 2]) + struct.pack("!HHHH", 1000, 9999, 13, 0) + b"hello"
        self.capture = f"{folder}/one.pcap"
        with open(self.capture, "wb") as h:
            h.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            h.write(struct.pack("<IIII", 1, 0, len(frame), len(frame)) + frame)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as h:
            h.write(text)
        return path

    def args(self, *more, out="out", rules=None):
        return [SKEP, "inspect", "-r", self.capture, "-S", rules or self.rules,
                "-o", os.path.join(self.folder, out), "--json", *more]

    def inspect(self, *more, **kw):
        return subprocess.run(self.args(*more, **kw), capture_output=True, text=True, timeout=120,
                              env=self.env)

    def start(self, args):
        return subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=self.env)

    def cached(self):
        return sorted(glob.glob(f"{self.folder}/cache/skep/*"))

    def state(self):
        """Names and contents of the cache."""
        found = {}
        for path in self.cached():
            with open(path, "rb") as h:
                found[path] = hashlib.sha256(h.read()).hexdigest()
        return found


def alerts(p):
    try:
        return json.loads(p.stdout)["alerts"]
    except ValueError:
        return None


def slow_rules(place):
    """Every port its own database: long enough to be looked at."""
    return place.write("slow.rules", "".join(
        f'alert tcp any any -> any {i + 1} (content:"word{i * 7919}"; content:"x{i}"; sid:{i + 1};)\n'
        for i in range(12000)))


def child_of(pid, seconds=20):
    """The confined child of pid, once its filter is on."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as h:
                for child in h.read().split():
                    with open(f"/proc/{child}/status", encoding="ascii", errors="replace") as s:
                        status = s.read()
                    if "Seccomp:\t2" in status:
                        return int(child), status
        except OSError:
            pass
        time.sleep(0.002)
    return None, ""


def confinement(t, place):
    for verb in (place.args("--no-cache", rules=slow_rules(place)),
                 [SKEP, "rules", "check", slow_rules(place)]):
        p = place.start(verb)
        child, status = child_of(p.pid)
        what = " ".join(verb[1:3])
        t.check(child is not None, f"{what}: a child with a system-call filter")
        for line in ("NoNewPrivs:\t1", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"
                     if os.geteuid() == 0 else "CapPrm:\t0000000000000000"):
            t.check(line in status, f"... {line!r}", status)
        if os.geteuid() == 0:
            t.check("Uid:\t65534\t" in status, "... of nobody's", status)
        p.kill()
        p.wait()
        until = time.monotonic() + 10
        while child and os.path.exists(f"/proc/{child}") and time.monotonic() < until:
            time.sleep(0.01)
        t.check(not (child and os.path.exists(f"/proc/{child}")), "... that dies with its parent")
    t.equal(place.cached(), [], "neither left anything in the cache")


def cache(t, place):
    p = place.inspect()
    t.equal((p.returncode, alerts(p), p.stderr), (0, 1, ""), "the first time")
    t.equal(len(place.cached()), 1, "one file in the cache")
    path = place.cached()[0]
    t.equal(os.stat(path).st_mode & 0o7777, 0o600, "... for us alone")
    before, stamp = place.state(), os.stat(path).st_mtime_ns
    p = place.inspect()
    t.equal((p.returncode, alerts(p), os.stat(path).st_mtime_ns), (0, 1, stamp), "the second time it is used")
    p = place.inspect("--no-cache")
    t.equal((p.returncode, alerts(p), place.state()), (0, 1, before), "--no-cache leaves it alone")
    place.write("vars", "HOME_NET=10.0.0.0/8\n")
    p = place.inspect("-c", f"{place.folder}/vars")
    t.equal((p.returncode, len(place.cached())), (0, 2), "other variables, another file")
    p = place.inspect(rules=place.write("few.rules", RULES + "this is no rule\n"))
    t.check(p.returncode == 1 and p.stderr.count("few.rules:21:") == 1, "bad rules are told once", p.stderr)
    p = place.inspect(rules=f"{place.folder}/few.rules")
    t.check(p.returncode == 1 and p.stderr.count("few.rules:21:") == 1, "... from the cache as well", p.stderr)
    for other in place.cached():
        if other != path:
            os.unlink(other)
    return path


def damage(t, place, path):
    good = place.state()

    def spoil(at, size=None):
        with open(path, "r+b") as h:
            if size is not None:
                h.truncate(size)
                return
            h.seek(at)
            byte = h.read(1)
            h.seek(at)
            h.write(bytes([byte[0] ^ 1]))

    whole = os.path.getsize(path)
    for what, at, size in (("another version", 8, None), ("another CPU or library", 24, None),
                           ("a wrong sum", 56, None), ("a database changed", 400, None),
                           ("its end cut off", 0, whole - 1), ("empty", 0, 0)):
        spoil(at, size)
        t.check(place.state() != good, f"{what}: differs")
        p = place.inspect()
        t.equal((p.returncode, alerts(p), p.stderr), (0, 1, ""), f"{what}: not used, and no error")
        t.equal(place.state(), good, f"{what}: made anew")


def strangers(t, place, path):
    cases = [("group may write", lambda: os.chmod(path, 0o660), "written by others"),
             ("all may write", lambda: os.chmod(path, 0o602), "written by others")]
    if os.geteuid() == 0:
        cases.append(("somebody else's", lambda: os.chown(path, 12345, 12345), "somebody else"))

    def link():
        os.rename(path, f"{place.folder}/elsewhere")
        os.symlink(f"{place.folder}/elsewhere", path)
    cases.append(("a link", link, "link"))
    for what, change, word in cases:
        change()
        p = place.inspect()
        t.check((p.returncode, alerts(p)) == (0, 1) and word in p.stderr and path in p.stderr,
                f"{what}: not used, with a word", (p.stdout, p.stderr))
        st = os.lstat(path)
        t.equal((st.st_uid, st.st_mode), (os.geteuid(), 0o100600), f"{what}: ours takes its place")
        p = place.inspect()
        t.equal((p.returncode, alerts(p), p.stderr), (0, 1, ""), f"{what}: ... and is used")
    os.chmod(os.path.dirname(path), 0o777)
    before = place.state()
    p = place.inspect()
    t.equal((p.returncode, alerts(p), place.state()), (0, 1, before), "a folder where all may write: no cache")
    os.chmod(os.path.dirname(path), 0o700)


def killed(t, place):
    before = place.state()
    for sig in (signal.SIGKILL, signal.SIGTERM):
        p = place.start(place.args(rules=slow_rules(place), out="killed"))
        child, _ = child_of(p.pid)
        if child:
            os.kill(child, sig)
        out, err = p.communicate(timeout=60)
        t.check(f"died of signal {int(sig)}" in err, f"a compiler killed by {sig.name}: told", (out, err))
        t.equal(p.returncode, 1, "... exit code 1")
        t.check(not os.path.exists(f"{place.folder}/killed/eve.json"), "... and no events")
        t.equal(place.state(), before, "... the cache as it was")


def together(t, place):
    for path in place.cached():
        os.unlink(path)
    some = [place.start(place.args(out=f"out{i}")) for i in range(6)]
    for p in some:
        out, err = p.communicate(timeout=120)
        t.check((p.returncode, json.loads(out or "{}").get("alerts"), err) == (0, 1, ""),
                "several at once on an empty cache", (out, err))
    t.equal(len(place.cached()), 1, "... one file, nothing half written")
    p = place.inspect()
    t.equal((p.returncode, alerts(p)), (0, 1), "... that is good")


tap = Tap()
with tempfile.TemporaryDirectory(prefix="skt-c-") as top:
    os.chmod(top, 0o755)
    here = Place(top)
    confinement(tap, here)
    kept = cache(tap, here)
    damage(tap, here, kept)
    strangers(tap, here, kept)
    killed(tap, here)
    together(tap, here)
sys.exit(tap.done())
