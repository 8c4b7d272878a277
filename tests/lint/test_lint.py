#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every rule over the tree, and every rule over planted examples that it must refuse or pass."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

import examples
import rules

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("SKEP_BUILD", os.path.join(ROOT, "build"))
count = {"n": 0, "failed": 0}


def report(good, what, problems=()):
    count["n"] += 1
    count["failed"] += not good
    print(f"{'ok' if good else 'not ok'} {count['n']} - {what}")
    for p in list(problems)[:60]:
        print(f"#   {p}")


def skip(what, why):
    count["n"] += 1
    print(f"ok {count['n']} - {what} # SKIP {why}")


def tracked():
    p = subprocess.run(["git", "-c", f"safe.directory={ROOT}", "ls-files"], cwd=ROOT, text=True,
                       capture_output=True)
    if p.returncode == 0 and p.stdout:
        names = p.stdout.split("\n")
    else:  # an unpacked archive
        names = []
        for folder, inner, files in os.walk(ROOT):
            inner[:] = [d for d in inner if not d.startswith(("build", ".git", "__pycache__"))]
            names += [os.path.relpath(os.path.join(folder, f), ROOT) for f in files]
    return [f for f in names if f and os.path.isfile(os.path.join(ROOT, f))]


def planted(rule, tree):
    with tempfile.TemporaryDirectory() as root:
        shutil.copy(os.path.join(ROOT, ".clang-format"), root)
        for path, text in tree.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as f:
                f.write(text)
        return rule(root, sorted(tree))


def check_rule(rule, files):
    name = rule.__name__
    try:
        problems = rule(ROOT, files)
        report(not problems, name, problems)
        bad = [t for t in examples.EXAMPLES[name]["bad"] if not planted(rule, t)]
        report(not bad, f"{name} refuses what it must", bad)
        wrong = [(t, p) for t in examples.EXAMPLES[name]["good"] for p in planted(rule, t)]
        report(not wrong, f"{name} lets good code pass", wrong)
    except rules.Missing as e:
        skip(name, e)


def check_mutable():
    archives = sorted(glob.glob(os.path.join(BUILD, "src/*/lib*.a")))
    try:
        if archives:
            problems = rules.mutable_objects(ROOT, archives)
            report(not problems, "mutable_objects", problems)
        else:
            skip("mutable_objects", "nothing is built")
        bad, bad_lib = rules.compile_archive({
            "a.c": "static int kept; int bump(void); int bump(void) { return kept++; }",
            "b.c": "int shared = 3;",
            "c.c": "static _Thread_local int t; int *tp(void); int *tp(void) { return &t; }",
            "d.c": "int *f(void); int *f(void) { static int inner; return &inner; }"})
        good, good_lib = rules.compile_archive({
            "a.c": "static const char *const words[] = {\"a\", \"b\"};"
                   "const char *w(int i); const char *w(int i) { return words[i]; }",
            "b.c": "const int fixed = 3;"})
        report(len(rules.mutable_objects(ROOT, [bad_lib])) == 4, "mutable_objects refuses what it must")
        report(rules.mutable_objects(ROOT, [good_lib]) == [], "mutable_objects lets good code pass")
        shutil.rmtree(bad)
        shutil.rmtree(good)
    except rules.Missing as e:
        skip("mutable_objects", e)


def main():
    files = tracked()
    for rule in rules.RULES:
        check_rule(rule, files)
    check_mutable()
    report(len(rules.WAIVERS) <= rules.WAIVERS_MAX and all(len(w) == 3 and w[2] for w in rules.WAIVERS),
           f"at most {rules.WAIVERS_MAX} waivers, each with a reason", rules.WAIVERS)
    print(f"1..{count['n']}")
    return 1 if count["failed"] else 0


sys.exit(main())
