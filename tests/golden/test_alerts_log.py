#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: asan
"""skep alerts log, show and the overview on an outbox that a taken-over alerter wrote: nothing of it gets at the
terminal, and every line of --json is JSON."""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKEP = os.path.abspath(os.environ.get("SKEP", os.path.join(ROOT, "build/src/cmd/skep")))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
from tap import Tap  # noqa: E402

EVIL = "\x1b]0;x\x07\x1b[31m\r\n\x9b\u202e\x7f"


def fill(folder):
    db = sqlite3.connect(os.path.join(folder, "outbox.db"))
    db.executescript("""
    CREATE TABLE items(number INTEGER PRIMARY KEY, destination TEXT, class TEXT, kind TEXT, guest TEXT, source TEXT,
        incident INTEGER, weight INTEGER, bypass INTEGER, state INTEGER, at_ns INTEGER, next_ns INTEGER, done_ns INTEGER,
        tries INTEGER, refused INTEGER, summary TEXT, answer TEXT, body BLOB);
    CREATE TABLE log(minute INTEGER, destination TEXT, class TEXT, why TEXT, rule TEXT, guest TEXT, source TEXT,
        incident INTEGER, at_ns INTEGER, n INTEGER);""")
    at = 1795867200 * 10 ** 9
    for state in (0, 1, 2, 3, 200):
        db.execute("INSERT INTO items VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                   (state + 1, EVIL, EVIL, EVIL, EVIL, EVIL, 7, 9, 1, state, at, 0, at, 3, 1, EVIL, EVIL, EVIL.encode()))
    db.execute("INSERT INTO log VALUES(?,?,?,?,?,?,?,?,?,?)",
               (at // 60 // 10 ** 9, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, 7, at, 5))
    db.commit()
    db.close()


def main():
    t = Tap()
    folder = tempfile.mkdtemp(prefix="skep-log-")
    try:
        os.makedirs(os.path.join(folder, "alerts"))
        conf = os.path.join(folder, "skep.yaml")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(f"mode: lab\nstate_dir: {folder}\n")
        fill(os.path.join(folder, "alerts"))
        for words in (["log"], ["log", "--json"], ["show", "2"], ["show", "201"], [], ["--json"]):
            p = subprocess.run([SKEP, "alerts", *words, "-c", conf], capture_output=True, check=False, timeout=60)
            what = " ".join(["skep alerts", *words])
            t.equal((p.returncode, p.stderr), (0, b""), f"{what} reads it")
            bad = [b for b in p.stdout if (b < 0x20 and b != 0x0a) or b >= 0x7f]
            t.equal(bad, [], f"{what}: no byte of it is more than text")
            if "--json" in words and "log" in words:
                t.equal([json.loads(line)["class"][:4] for line in p.stdout.splitlines()], ["\\x1b"] * 6, "each line is JSON")
    finally:
        shutil.rmtree(folder)
    return t.done()


if __name__ == "__main__":
    sys.exit(main())
