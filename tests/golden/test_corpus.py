#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Where the corpus of captures, rules and Suricata's verdicts is at hand ($SKEP_CORPUS, else
../shared/corpus beside the checkout), its scorers must be content: at least 98 % of the cases right by
sids and 90 % by counts, 97 % agreement on mixed traffic, and rule sets that load. Every line of what is
written meanwhile is by Suricata's schema."""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
import validate_events  # noqa
from tap import Skip, Tap  # noqa

SKEP = os.environ.get("SKEP", os.path.join(ROOT, "build/src/cmd/skep"))
CORPUS = os.environ.get("SKEP_CORPUS", os.path.join(ROOT, "../shared/corpus"))
TOOLS = os.path.join(CORPUS, "../tools")
LOADS = {"et-open-2023-05": 0.995, "snort2-community": 0.99, "snort3-community": 0.97}


def score(t, what, *args):
    p = subprocess.run([sys.executable, *args, os.path.abspath(SKEP)], capture_output=True, text=True,
                       timeout=800)
    t.check(p.returncode == 0, f"{what}: {(p.stdout.splitlines() or ['?'])[-1]}", p.stdout + p.stderr)


def rule_sets(t, folder):
    for name, share in LOADS.items():
        packed = f"{CORPUS}/rules/{name}.rules.zst"
        if not os.path.exists(packed):
            t.skip(f"{name} loads", "not in this corpus")
            continue
        subprocess.run(["zstd", "-qdf", packed, "-o", f"{folder}/{name}.rules"], check=True)
        p = subprocess.run([SKEP, "rules", "stats", "--json", f"{folder}/{name}.rules"],
                           capture_output=True, text=True)
        s = json.loads(p.stdout)
        t.check(s["loaded"] >= share * (s["loaded"] + s["failed"]),
                f"{name}: {s['loaded']} of {s['loaded'] + s['failed']} rules load", p.stderr[-2000:])


def schema(t, folder):
    eve = f"{CORPUS}/eve-schema.json"
    try:
        validator = validate_events.validators(eve)["eve"]
    except ImportError:
        t.skip("every line is by the schema", "python3-jsonschema is not installed")
        return
    lines = bad = 0
    for capture in sorted(glob.glob(f"{CORPUS}/cases/*/input.pcap"))[::4]:
        subprocess.run([SKEP, "inspect", "-r", capture, "-S", f"{os.path.dirname(capture)}/test.rules",
                        "-o", folder, "--anomalies", "--payload"], capture_output=True, timeout=60)
        n, wrong = validate_events.check_file(f"{folder}/eve.json", validator)
        lines, bad = lines + n, bad + wrong
    t.equal(bad, 0, f"each of {lines} lines is by the schema")


def main(t):
    if not os.path.isdir(f"{CORPUS}/cases"):
        raise Skip("no corpus here: set SKEP_CORPUS")
    if not shutil.which("zstd"):
        raise Skip("zstd is not installed")
    score(t, "cases", f"{TOOLS}/score_cases.py", f"{CORPUS}/cases", "0.98", "0.90")
    score(t, "mixed traffic", f"{TOOLS}/score_mix.py", CORPUS, "0.97")
    with tempfile.TemporaryDirectory(prefix="skt-k-") as folder:
        rule_sets(t, folder)
        schema(t, folder)


tap = Tap()
try:
    main(tap)
except Skip as why:
    tap.skip("the corpus", why)
sys.exit(tap.done())
