#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The default rules: each hears the tool it is for, stops it inline, and none hears ordinary traffic."""
import importlib.machinery
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
import tap  # noqa: E402

SKEP = os.environ.get("SKEP", os.path.join(ROOT, "build/src/cmd/skep"))
RULES = os.path.join(ROOT, "rules")
CAPTURES = os.path.join(RULES, "test")
FILES = ["scan", "exploit", "flood", "spam", "miner", "worm"]
VARS = "HOME_NET=[10.99.0.0/24,2001:db8:113::/64]\nEXTERNAL_NET=!$HOME_NET\n"


def table():
    path = os.path.join(CAPTURES, "make-captures")
    loader = importlib.machinery.SourceFileLoader("make_captures", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("make_captures", loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module.TABLE


def inspect(capture, variables, out):
    done = subprocess.run([SKEP, "inspect", "--inline", "--midstream", "-r", capture, "-S", RULES, "-c", variables,
                           "-o", out, "--json"], capture_output=True, text=True)
    with open(os.path.join(out, "eve.json"), encoding="utf-8") as f:
        events = [json.loads(line) for line in f]
    return done, [e["alert"]["signature_id"] for e in events if e["event_type"] == "alert"]


def main(t):
    done = subprocess.run([SKEP, "rules", "check", RULES], capture_output=True, text=True)
    t.check(done.returncode == 0 and "warning" not in done.stdout + done.stderr, "all rules load, without a warning",
            done.stdout + done.stderr)
    sids = {}
    for name in FILES:
        with open(os.path.join(RULES, name + ".rules"), encoding="utf-8") as f:
            for line in f:
                m = re.search(r"^(\w+) .*sid:(\d+);", line)
                if m:
                    sids[int(m[2])] = m[1]
    heard = set()
    with tempfile.TemporaryDirectory() as tmp:
        variables = os.path.join(tmp, "vars")
        with open(variables, "w", encoding="utf-8") as f:
            f.write(VARS)
        for name, (want, _, _) in table().items():
            path = os.path.join(CAPTURES, name + ".pcap")
            done, got = inspect(path, variables, tmp)
            heard |= set(got)
            if not want:
                t.equal(got, [], f"{name}: passes without a word")
                continue
            good = t.check(set(want) <= set(got), f"{name}: {' '.join(map(str, want))} hears it",
                           f"heard {sorted(set(got))}\n{done.stderr}")
            if good and any(sids.get(s) == "drop" for s in want):
                t.check(json.loads(done.stdout)["dropped"] > 0 or got, f"{name}: and it is stopped")
    silent = sorted(set(sids) - heard)
    t.note(f"{len(sids)} rules, {len(heard & set(sids))} with a capture; without: {silent}")
    t.check(len(heard & set(sids)) >= len(sids) - 4, "hardly a rule has no capture", silent)


if __name__ == "__main__":
    tap.run(main)
