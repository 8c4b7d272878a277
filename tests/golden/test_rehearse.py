#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: asan
"""skep rules rehearse: what new rules would have done to a capture, against the old ones."""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
import tap  # noqa: E402
from talk import Talk  # noqa: E402

SKEP = os.environ.get("SKEP", os.path.join(ROOT, "build/src/cmd/skep"))
STOP = 'drop tcp any any -> any 7000 (msg:"stop"; content:"attack"; sid:1;)\n'
OTHER = 'drop tcp any any -> any 7001 (msg:"other"; content:"knock"; sid:2;)\n'
HEAR = 'alert tcp any any -> any 7001 (msg:"hear"; content:"knock"; sid:3;)\n'


def rehearse(*args):
    return subprocess.run([SKEP, "rules", "rehearse", *args], capture_output=True, text=True)


def main(t):
    with tempfile.TemporaryDirectory() as tmp:
        def put(name, text):
            path = os.path.join(tmp, name)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            return path
        capture = os.path.join(tmp, "x.pcap")
        talk = Talk()
        talk.tcp([("c", b"an attack"), ("s", b"ok"), ("c", b"more"), ("s", b"ok")], dport=7000)
        talk.tcp([("c", b"knock"), ("s", b"who"), ("c", b"me")], dport=7001)
        talk.tcp([("c", b"harmless")], dport=7002)
        talk.write(capture)
        none, stop, both, hear = (put("none.rules", HEAR), put("stop.rules", STOP), put("both.rules", STOP + OTHER),
                                  put("hear.rules", HEAR))
        done = rehearse("-r", capture, "-S", hear)
        t.check(done.returncode == 0 and "0 conversations" in done.stdout, "alerts change nothing", done.stdout)
        done = rehearse("-r", capture, "-S", stop, "--json")
        got = json.loads(done.stdout)
        t.equal((done.returncode, got["stopped"], got["changed"], got["let_go"]), (1, 1, 0, 0), "one would be stopped")
        one = got["conversations"][0]
        t.check((one["sid"], one["old"], one["new"]) == (1, "let go", "stopped") and 7000 in (one["src_port"],
                one["dest_port"]) and one["packets"] >= 2, "which, by which rule, from which packet on", one)
        done = rehearse("-r", capture, "-S", both, "--old", stop)
        t.check(done.returncode == 1 and done.stdout.count("->") == 2 and "2 other" in done.stdout,
                "against the old set only the difference is told", done.stdout)
        done = rehearse("-r", capture, "-S", none, "--old", both, "--json")
        t.equal(json.loads(done.stdout)["let_go"], 2, "what the new set lets go")
        done = rehearse("-r", capture, "-S", both, "--old", both)
        t.equal(done.returncode, 0, "the same set changes nothing")
        for args, code in ((["-S", stop], 2), (["-r", capture], 2), (["-r", tmp + "/no.pcap", "-S", stop], 2),
                           (["-r", stop, "-S", stop], 2), (["--help"], 0), (["--nonsense"], 2)):
            done = rehearse(*args)
            t.check(done.returncode == code and (done.stderr + done.stdout).strip(), f"{' '.join(args)[-40:]}: exit {code}",
                    (done.returncode, done.stderr))


if __name__ == "__main__":
    tap.run(main)
