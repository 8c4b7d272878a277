#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: asan
"""skep evidence verify on event files that were made for it: what it says of each thing that can be done to them."""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKEP = os.path.abspath(os.environ.get("SKEP", os.path.join(ROOT, "build/src/cmd/skep")))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
from tap import Tap  # noqa: E402

DAYS = ["20261126", "20261127", "20261128"]
REMARK = "Who was root here can have changed the files and their own seals: --seals FILE takes those that a second " \
         "machine kept.\n"


def seal_event(seal, clock):
    return {"timestamp": f"2026-11-28T{clock}.000000+0000", "event_type": "seal", "id": 7, "sensor": "s1", "text": "",
            "seal": seal}


class Files:
    """Three days as ledger writes them, and the seals that left the host meanwhile."""

    def __init__(self, state):
        self.dir = os.path.join(state, "events")
        self.state, self.kept = state, []
        os.makedirs(self.dir)
        previous = ""
        for d, day in enumerate(DAYS):
            data = b""
            for n in range(1, 4):
                for i in range(5):
                    data += json.dumps({"event_type": "health", "id": i, "text": f"{day} {n} {i} [seal@32473 x]"},
                                       separators=(",", ":")).encode() + b"\n"
                seal = {"file": f"skep-{day}.json", "n": n, "bytes": len(data),
                        "sha256": hashlib.sha256(data).hexdigest(), "previous": previous}
                event = seal_event(seal, f"12:0{d}:0{n}")
                self.kept.append(event)
                data += json.dumps(event, separators=(",", ":")).encode() + b"\n"
            name = "skep.json" if day == DAYS[-1] else f"skep-{day}.json"
            self.write(name, data)
            previous = hashlib.sha256(data).hexdigest()

    def path(self, name):
        return os.path.join(self.dir, name)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)

    def change(self, name, at):
        data = bytearray(self.read(name))
        data[at] ^= 1
        self.write(name, bytes(data))

    def seals(self, form):
        """What the second machine kept, in one of its forms."""
        path = os.path.join(self.state, "kept." + form)
        with open(path, "w", encoding="utf-8") as f:
            f.write("a line of somebody else\n" + "x" * 100000 + json.dumps(self.kept[0]) + "\n")
            for e in self.kept:
                s = e["seal"]
                flat = {"time": e["timestamp"], "sensor": "s1", **s}
                params = " ".join(f'{k}="{v}"' for k, v in s.items() if v != "")
                f.write({"flat": json.dumps(flat), "beat": json.dumps({"time": e["timestamp"], "sensor": "s1",
                                                                       "why": "seal", "n": 4, "seals": [s]}),
                         "syslog": f"<134>1 {e['timestamp']} s1 skep - seal [skep@32473 n=\"5\" why=\"seal\"]"
                                   f"[seal1@32473 {params}] seal 5"}[form] + "\n")
        return path


def skep(*argv, uid=None):
    env = {k: v for k, v in os.environ.items() if k != "SKEP_CONF"}
    p = subprocess.run([SKEP, "evidence", *argv], capture_output=True, text=True, timeout=60, env=env, user=uid)
    return p.returncode, p.stdout, p.stderr


def spoil(t, what, change, rc, text, form="flat"):
    """Does one thing to fresh files, and compares what is said."""
    with tempfile.TemporaryDirectory() as state:
        f = Files(os.path.join(state, "s"))
        kept = f.seals(form)
        change(f)
        got = skep("verify", "--state", f.state, "--seals", kept)
        t.check(got[0] == rc and text in got[1].splitlines()[0], what, got)
        return got


def untouched(t, state):
    f = Files(os.path.join(state, "untouched"))
    total = sum(len(f.read(n)) for n in os.listdir(f.dir))
    rc, out, err = skep("verify", "--state", f.state)
    t.check(rc == 0 and out.startswith("3 files, ") and out.endswith(REMARK) and "nothing was changed" in out and
            "9 seals of their own and 0 kept elsewhere" in out, "untouched files agree with their own seals", (rc, out, err))
    for form in ("flat", "beat", "syslog"):
        rc, out, err = skep("verify", "--state", f.state, "--seals", f.seals(form))
        t.check(rc == 0 and "9 seals of their own and 9 kept elsewhere: nothing was changed" in out and
                REMARK not in out, f"and with those that were kept as {form}", (rc, out, err))
    rc, out, err = skep("verify", "--state", f.state, "--json", "--seals", f.seals("flat"))
    rows = [json.loads(x) for x in out.splitlines()]
    t.equal((rc, rows[-1]["finding"], rows[-1]["kept_seals"], rows[-1]["bytes"], rows[-1]["faults"]),
            (0, "summary", 9, total, 0), "--json has the same")
    t.equal(skep("verify", "--state", f.state, "--seals", f.seals("flat"), "--sensor", "s2")[0], 2,
            "seals of another sensor are none")
    if os.geteuid() == 0:
        os.chmod(f.dir, 0o700)
        os.chmod(state, 0o755)
        rc, out, err = skep("verify", "--state", f.state, uid=65534)
        t.check(rc == 2 and "sudo skep evidence verify" in err, "without root: what to do", (rc, out, err))


def spoiled(t):
    first, second, last = f"skep-{DAYS[0]}.json", f"skep-{DAYS[1]}.json", f"skep-{DAYS[2]}.json"
    for form in ("flat", "beat", "syslog"):
        rc, out, _ = spoil(t, f"a changed byte of yesterday's file is named ({form})", lambda f: f.change(second, 30), 1,
                           f"{second}: bytes 0..", form)
    t.check("are not what was sealed at 2026-11-28 12:01:01" in out and "ALTERED" in out, "with the time of the seal", out)
    with tempfile.TemporaryDirectory() as state:
        f = Files(os.path.join(state, "s"))
        one, two = f.kept[6]["seal"]["bytes"], f.kept[7]["seal"]["bytes"]
    spoil(t, "today's file is found by its day, and what was right before is left out",
          lambda f: f.change("skep.json", two - 5), 1,
          f"{last}: bytes {one}..{two} are not what was sealed at 2026-11-28 12:02:02")
    spoil(t, "a file that is missing", lambda f: os.unlink(f.path(second)), 1, f"{second}: is missing: ")
    spoil(t, "a file that was cut", lambda f: os.truncate(f.path(second), 100), 1, f"{second}: has only 100 bytes: ")

    def swap(f):
        a, b = f.read(first), f.read(second)
        f.write(first, b)
        f.write(second, a)
    spoil(t, "files that were exchanged", swap, 1, f"{first}: holds what was sealed as {second}")

    def forge(f):
        """All lines of seals are made anew to agree with the forged text."""
        g = Files(os.path.join(f.state, "forged"))
        for name in os.listdir(g.dir):
            f.write(name, g.read(name).replace(b"health", b"heal7h"))
        data, out = f.read(first), b""
        for line in data.splitlines(True):
            o = json.loads(line)
            if o["event_type"] == "seal":
                o["seal"].update(bytes=len(out), sha256=hashlib.sha256(out).hexdigest())
                line = json.dumps(o).encode() + b"\n"
            out += line
        f.write(first, out)
    spoil(t, "files that were forged with their own seals", forge, 1, f"{first}: bytes 0..")

    def tail(f):
        f.write(second, f.read(second) + b"{}\n")
    spoil(t, "lines behind the last seal of a day that is over are found by the next day's seals", tail, 1,
          f"{second}: is not the whole file that the seals of {last} name as the day before")

    def drop(f):
        os.unlink(f.path(first))
        line = b'{"event_type":"health","health":{"role":"ledger","what":"dropped","count":1}}\n'
        f.write("skep.json", f.read("skep.json") + line)
    spoil(t, "who removed a day can say so in a line that was sealed by nobody", drop, 1, f"{first}: is missing: ")
    with tempfile.TemporaryDirectory() as state:
        f = Files(os.path.join(state, "s"))
        drop(f)
        rc, out, err = skep("verify", "--state", f.state)
        t.check(rc == 0, "... where nothing was kept elsewhere nobody can tell",
                (rc, out, err))
        data = f.read("skep.json")
        f.kept.append(seal_event({"file": last, "n": 4, "bytes": len(data), "previous": "",
                                  "sha256": hashlib.sha256(data).hexdigest()}, "12:03:00"))
        rc, out, err = skep("verify", "--state", f.state, "--seals", f.seals("flat"))
        t.check(rc == 0 and f"{first}: is not kept any more" in out, "a day that housekeeping removed is no fault: the "
                "line of it was sealed", (rc, out, err))


def usage(t, state):
    os.makedirs(os.path.join(state, "empty/events"))
    rc, out, err = skep("verify", "--state", os.path.join(state, "empty"))
    t.check(rc == 2 and "no seals yet" in err, "no seals: it can't be told", (rc, out, err))
    rc, out, err = skep("verify", "--state", os.path.join(state, "none"))
    t.check(rc == 2 and "no events" in err, "no files", (rc, out, err))
    f = Files(os.path.join(state, "s"))
    rc, out, err = skep("verify", "--state", f.state, "--seals", os.path.join(f.dir, "none"))
    t.check(rc == 2 and "none: " in err, "a file of seals that is not there", (rc, out, err))
    rc, out, err = skep("verify", "--state", f.state, "--seals", "/dev/null")
    t.check(rc == 2 and "none of the 0 lines" in err, "or has none", (rc, out, err))
    for argv in ((), ("verify", "x"), ("verify", "--nonsense"), ("seal",)):
        t.equal(skep(*argv)[0], 2, f"evidence {' '.join(argv)}: bad usage")
    t.equal(skep("--help")[0], 0, "--help")


def main():
    t = Tap()
    state = tempfile.mkdtemp(prefix="skt-evidence-")
    try:
        untouched(t, state)
        spoiled(t)
        usage(t, state)
    finally:
        shutil.rmtree(state)
    sys.exit(t.done())


main()
