#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: asan
"""skep check and skep config: broken files give exactly the errors written down beside them.

tests/golden/conf/NAME.yaml has its expected output in NAME.expect. After a wanted change of words:
SKEP=build/src/cmd/skep tests/golden/test_conf.py --rewrite, then read the difference.
"""
import glob
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SKEP = os.environ.get("SKEP", os.path.join(ROOT, "build/src/cmd/skep"))
results = []


def report(good, what, detail=""):
    results.append(good)
    print(f"{'ok' if good else 'not ok'} {len(results)} - {what}")
    for line in [] if good else str(detail).splitlines():
        print(f"#   {line}")


def skip(what, why):
    results.append(True)
    print(f"ok {len(results)} - {what} # SKIP {why}")


def skep(*args, data=None, **env):
    e = {k: v for k, v in os.environ.items() if k != "SKEP_CONF"}
    e.update(env)
    return subprocess.run([SKEP, *args], input=data, capture_output=True, text=True, env=e,
                          cwd=os.path.join(HERE, "conf"))


def golden(rewrite):
    for path in sorted(glob.glob(os.path.join(HERE, "conf", "*.yaml"))):
        name = os.path.basename(path)
        expect = path[:-len(".yaml")] + ".expect"
        p = skep("check", name)
        got = f"{p.stdout}{p.stderr}exit {p.returncode}\n"
        if rewrite:
            with open(expect, "w", encoding="utf-8") as f:
                f.write(got)
        want = open(expect, encoding="utf-8").read() if os.path.exists(expect) else "(no .expect)"
        report(got == want, f"check {name}", f"--- got\n{got}--- want\n{want}")
        good = name.startswith("good")
        report((p.returncode == 0) == good, f"check {name} exits with {0 if good else 1}", got)
        if good:
            continue
        lines = p.stdout.splitlines()
        heads = [x for x in lines if not x.startswith("  cure: ")]
        cures = [x for x in lines if x.startswith("  cure: ") and len(x) > 14]
        report(len(heads) == len(cures) > 0 and all(x.startswith(name) for x in heads),
               f"{name}: every error names the file and a cure", got)
        j = json.loads(skep("check", "--json", name).stdout)
        report(not j["ok"] and len(j["errors"]) == len(heads), f"{name}: --json says the same", j)


def example(tmp):
    text = skep("config", "example").stdout
    path = os.path.join(tmp, "example.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    builtin, read = skep("config", "show").stdout, skep("config", "show", "-c", path).stdout
    report(len(builtin) > 500 and builtin == read, "reading the example gives the defaults", read)
    report(skep("check", SKEP_CONF=path).returncode == 0, "check takes $SKEP_CONF")
    report(skep("check", "-c", path).returncode == 0, "check takes -c FILE")
    p = skep("check", "--nonsense")
    report(p.returncode == 2, "check refuses unknown options with 2", p.stderr)
    p = skep("check", "no-such-file.yaml")
    report(p.returncode == 1 and "cure:" in p.stdout, "check of no file tells the cure", p.stdout)
    p = skep("config", "nonsense")
    report(p.returncode == 2 and "example" in p.stderr, "config says what it can print", p.stderr)
    page = os.path.join(ROOT, "docs", "CONFIG.md")
    report(open(page, encoding="utf-8").read() == skep("config", "reference").stdout,
           "docs/CONFIG.md is what the rows say: else run skep config reference > docs/CONFIG.md")
    return text


def pages(tmp):
    """What docs show as a configuration is one: blocks of ```yaml are whole files."""
    import re
    for path in (os.path.join(ROOT, "docs", x) for x in ("ALERTS.md", "WATCH.md")):
        for n, block in enumerate(re.findall(r"^```yaml\n(.*?)^```", open(path, encoding="utf-8").read(),
                                             re.M | re.S), 1):
            file = os.path.join(tmp, "block.yaml")
            with open(file, "w", encoding="utf-8") as f:
                f.write(block)
            p = skep("check", file)
            report(p.returncode == 0, f"{os.path.basename(path)}, configuration {n}", p.stdout + p.stderr)


def schema(text):
    try:
        import jsonschema
        import yaml
    except ImportError as e:
        skip("the JSON Schema fits the example", str(e))
        return
    s = json.loads(skep("config", "schema").stdout)
    checker = getattr(jsonschema, "Draft202012Validator", jsonschema.Draft7Validator)
    checker.check_schema(s)
    v = checker(s)
    errors = [e.message for e in v.iter_errors(yaml.safe_load(text))]
    report(errors == [], "the JSON Schema fits the example", errors)
    for path in sorted(glob.glob(os.path.join(HERE, "conf", "good*.yaml"))):
        errors = [e.message for e in v.iter_errors(yaml.safe_load(open(path, encoding="utf-8")))]
        report(errors == [], f"the JSON Schema fits {os.path.basename(path)}", errors)
    for bad in ("nodes: 1", "mode: labb", "wall: {flows: many}", "wall: {limits: {tcp: 20/h}}",
                "guests: [{kind: honeypot}]", "network: {gateway_mac: 1}", "wall: {limits: {tcp: []}}",
                "destinations: [{name: a}]", "destinations: [{name: a, kind: smtp, to: [nobody]}]",
                "quiet: [{hours: 7-9}]", "alert_classes: [{class: login, weight: 10}]"):
        report(not v.is_valid(yaml.safe_load(bad)), f"the JSON Schema refuses {bad}")


def main():
    import tempfile
    golden("--rewrite" in sys.argv)
    with tempfile.TemporaryDirectory() as tmp:
        schema(example(tmp))
        pages(tmp)
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


sys.exit(main())
