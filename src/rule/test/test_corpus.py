#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_corpus.py ROUNDTRIP ROOT: the rule sets people have, where the corpus lies beside the tree: enough
of them load, print and read again to the same text; and every rule that a case needs loads."""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
roundtrip, root = sys.argv[1:3]
corpus = os.environ.get("SKEP_CORPUS", os.path.join(os.path.dirname(root), "shared/corpus"))
if not os.path.isdir(corpus) or shutil.which("zstd") is None:
    print("no corpus here, or no zstd")
    sys.exit(SKIPPED)


def read(path):
    words = subprocess.run([roundtrip, path], check=True, capture_output=True, text=True).stdout.split()
    return int(words[0]), int(words[1]), words[2] == "0", set(words[3:])


wrong = []
for name, least in (("et-open-2023-05", 99.9), ("snort2-community", 99.5), ("snort3-community", 99.5)):
    with tempfile.NamedTemporaryFile(suffix=".rules") as f:
        subprocess.run(["zstd", "-qdc", f"{corpus}/rules/{name}.rules.zst"], check=True, stdout=f)
        loaded, failed, stable, _ = read(f.name)
    share = 100 * loaded / (loaded + failed)
    print(f"{name}: {loaded} load, {failed} don't: {share:.2f} %, printing {'stable' if stable else 'NOT stable'}")
    if share < least or not stable:
        wrong.append(name)
for folder in sorted(glob.glob(f"{corpus}/cases/*/")):
    with open(folder + "case.json", encoding="utf-8") as f:
        needed = set(json.load(f)["alerts"])
    _, _, stable, sids = read(folder + "test.rules")
    if not stable or needed - sids:
        print(f"{folder}: {'not stable' if not stable else 'missing ' + ' '.join(sorted(needed - sids))}")
        wrong.append(folder)
sys.exit(1 if wrong else 0)
