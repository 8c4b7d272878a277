#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: asan
"""skep rules: every kind of mistake is told with file, line, column and reason, the rules around it load;
update takes sets from files, folders and archives, and keeps what worked."""
import http.server
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
from tap import Tap  # noqa

SKEP = os.environ.get("SKEP", os.path.join(ROOT, "build/src/cmd/skep"))
GOOD = 'alert tcp any any -> any 80 (msg:"good"; content:"good"; sid:%d; rev:1;)\n'

# What is wrong, and a word that the reason must hold (any of them).
MISTAKES = [
    ("an unknown action", 'alart tcp any any -> any any (sid:9;)', "alart"),
    ("an unknown protocol", 'alert tpc any any -> any any (sid:9;)', "tpc"),
    ("a missing direction", 'alert tcp any any any any (sid:9;)', "->|direction|header"),
    ("a wrong direction", 'alert tcp any any <- any any (sid:9;)', "<-|direction|->"),
    ("an unknown variable", 'alert tcp $NO_SUCH any -> any any (sid:9;)', "NO_SUCH"),
    ("a bad address", 'alert tcp 10.0.0.999 any -> any any (sid:9;)', "10.0.0.999|address"),
    ("a bad prefix", 'alert tcp 10.0.0.0/33 any -> any any (sid:9;)', "33|address|prefix"),
    ("a bad port", 'alert tcp any 99999 -> any any (sid:9;)', "99999|port"),
    ("an open bracket", 'alert tcp [10.0.0.1,10.0.0.2 any -> any any (sid:9;)', r"\[|\]|bracket|address|ends"),
    ("no options", 'alert tcp any any -> any any', r"\(|option"),
    ("an open parenthesis", 'alert tcp any any -> any any (msg:"x"; sid:9;', r"\)|end"),
    ("an unknown keyword", 'alert tcp any any -> any any (contant:"x"; sid:9;)', "contant"),
    ("an open quote", 'alert tcp any any -> any any (content:"x; sid:9;)', "quote|\"|end"),
    ("bad hex", 'alert tcp any any -> any any (content:"|0g|"; sid:9;)', "hex|0g|\\|"),
    ("an open hex block", 'alert tcp any any -> any any (content:"|00 01"; sid:9;)', "hex|\\|"),
    ("an empty content", 'alert tcp any any -> any any (content:""; sid:9;)', "empty|content"),
    ("no sid", 'alert tcp any any -> any any (msg:"x"; content:"x";)', "sid"),
    ("a bad sid", 'alert tcp any any -> any any (msg:"x"; sid:abc;)', "sid|abc|number"),
    ("a depth without a content", 'alert tcp any any -> any any (depth:5; sid:9;)', "depth|content"),
    ("a bad regular expression", 'alert tcp any any -> any any (pcre:"/(abc/"; sid:9;)', r"pcre|\)|regular"),
    ("an unknown flag of pcre", 'alert tcp any any -> any any (pcre:"/abc/Q9"; sid:9;)', "pcre|flag|9"),
    ("a bad byte_test", 'alert tcp any any -> any any (byte_test:99,>,1,0; sid:9;)', "byte_test|99|bytes"),
    ("a missing semicolon", 'alert tcp any any -> any any (content:"x" sid:9;)', ";|content|semicolon"),
    ("a within without a content before it", 'alert tcp any any -> any any (content:"x"; within:-1; sid:9;)',
     "within|-1"),
]


def run(*args, **kw):
    return subprocess.run([SKEP, "rules", *args], capture_output=True, text=True, timeout=120, **kw)


def write(folder, name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as h:
        h.write(text)
    return path


def mistakes(t, folder):
    for what, rule, word in MISTAKES:
        path = write(folder, "bad.rules", "# comment\n" + GOOD % 1 + rule + "\n" + GOOD % 2)
        p = run("check", path)
        told = re.search(r"bad\.rules:(\d+):(\d+): (.*)", p.stderr)
        t.check(p.returncode == 1 and told and told[1] in "34" and int(told[2]) >= 1
                and re.search(word, told[3], re.I), f"{what}: exit code 1, place and reason",
                (p.returncode, p.stdout, p.stderr))
        t.check("2 rules" in p.stdout, f"{what}: ... the rules around it load", p.stdout)
    path = write(folder, "all.rules", "".join(m[1] + "\n" for m in MISTAKES if "(" in m[1] and
                                              m[1].endswith(")")))
    n = sum(1 for _ in open(path, encoding="utf-8"))
    p = run("check", path, "--json")
    found = json.loads(p.stdout)
    t.equal((p.returncode, found["ok"], found["loaded"], found["failed"], p.stderr),
            (1, False, 0, n, ""), "--json lists them all")
    t.equal([x["line"] for x in found["problems"] if not x["warning"]], list(range(1, n + 1)),
            "... in order, each with its line")
    p = run("check", write(folder, "dup.rules", GOOD % 1 + GOOD % 1))
    t.check("dup.rules:2:" in p.stderr, "a sid that comes twice is told", (p.stdout, p.stderr))
    p = run("check", write(folder, "bin.rules", "\x00\x01\x02\n\x1b[31m(" + "(" * 5000 + "\n" + GOOD % 3))
    t.check(p.returncode == 1 and "\x1b" not in p.stderr and "1 rules" in p.stdout,
            "binary rubbish: told, and nothing of it reaches the terminal raw", p.stdout)
    p = run("check", write(folder, "long.rules", 'alert tcp any any -> any any (msg:"' + "x" * 2_000_000
                           + '"; sid:9;)\n' + GOOD % 3))
    t.check(p.returncode in (0, 1) and "rules" in p.stdout, "a line of 2 MB", p.stderr[:300])


def looking(t, folder):
    path = write(folder, "r/a.rules", GOOD % 5 + '# alert tcp any any -> any any (msg:"off"; sid:6;)\n'
                 + 'drop udp any any -> any 53 (msg:"second"; content:"a"; sid:7; rev:4;)\n')
    write(folder, "r/b.rules", "alert icmp any any -> any any (msg:\"third\"; sid:8;)\n")
    write(folder, "r/notes.txt", "no rules\n")
    p = run("check", path)
    t.equal((p.returncode, p.stderr), (0, ""), "good rules: exit code 0, nothing to say")
    p = run("check", f"{folder}/r")
    t.check("3 rules of 2 files" in p.stdout, "a folder: its *.rules", p.stdout)
    p = run("list", f"{folder}/r")
    lines = p.stdout.splitlines()
    t.check(p.returncode == 0 and len(lines) == 3 and any(x.startswith("1:7:4 drop second") for x in lines),
            "list: one line a rule", p.stdout)
    got = json.loads(run("list", "--json", f"{folder}/r").stdout)
    t.equal(sorted(r["sid"] for r in got), [5, 7, 8], "list --json")
    t.equal({r["sid"]: (r["line"], os.path.basename(r["file"])) for r in got},
            {5: (1, "a.rules"), 7: (3, "a.rules"), 8: (1, "b.rules")}, "... with file and line")
    p = run("stats", f"{folder}/r")
    t.check(p.returncode == 0 and "3 rules" in p.stdout and "1 drop" in p.stdout, "stats", p.stdout)
    t.equal(json.loads(run("stats", "--json", f"{folder}/r").stdout)["actions"], {"alert": 2, "drop": 1},
            "stats --json")
    for what, args, code in (("no verb", [], 2), ("an unknown verb", ["chek", path], 2),
                             ("no files", ["check"], 2), ("an unknown option", ["check", "--x", path], 2),
                             ("a missing file", ["check", f"{folder}/none"], 1),
                             ("a folder without rules", ["check", folder], 1),
                             ("update without a source", ["update"], 2)):
        p = run(*args)
        t.check(p.returncode == code and p.stderr, f"{what}: exit code {code}", (p.returncode, p.stderr))
    p = run("--help")
    t.check(p.returncode == 0 and "update" in p.stdout, "--help")


def updating(t, folder):
    out = f"{folder}/state/rules"
    source = write(folder, "new/one.rules", GOOD % 1 + GOOD % 2)
    p = run("update", source, "-o", out)
    t.check(p.returncode == 0 and "2 added, 0 removed, 0 changed" in p.stdout, "the first set",
            (p.stdout, p.stderr))
    write(folder, "new/one.rules", GOOD.replace("rev:1", "rev:2") % 2 + GOOD % 3)
    p = run("update", f"{folder}/new", "-o", out)
    t.check("1 added, 1 removed, 1 changed" in p.stdout and "+ 3" in p.stdout and "- 1" in p.stdout
            and "~ 2" in p.stdout, "what changed is shown", p.stdout)
    kept = open(f"{out}/skep.rules", encoding="utf-8").read()
    t.check("sid:3" in kept and "sid:1" in open(f"{out}/skep.rules.old", encoding="utf-8").read(),
            "the set before it stays beside")
    p = run("update", "--json", source, "-o", out)
    t.equal([json.loads(p.stdout)[k] for k in ("added", "removed", "changed")], [[], [], []],
            "--json; nothing changed")
    for what, text in (("empty", ""), ("rubbish", "rubbish\n" * 30), ("no rules", "# nothing\n"),
                       ("mostly broken", GOOD % 9 + "alart x\n" * 10)):
        p = run("update", write(folder, "bad.rules", text), "-o", out)
        t.check(p.returncode == 1 and "stays" in p.stderr
                and open(f"{out}/skep.rules", encoding="utf-8").read() == kept,
                f"{what}: refused, the good set stays", (p.returncode, p.stderr[-300:]))
    archive = f"{folder}/set.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, text in (("rules/x.rules", GOOD % 11), ("rules/y.rules", GOOD % 12),
                           ("rules/readme.txt", "no"), ("rules/deep/z.rules", GOOD % 13)):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    p = run("update", archive, "-o", out)
    t.check(p.returncode == 0 and "3 added" in p.stdout, "an archive", (p.stdout, p.stderr))
    evil = f"{folder}/evil.tar.gz"
    with tarfile.open(evil, "w:gz") as tar:
        info = tarfile.TarInfo("../../../evil.rules")
        info.size = len(GOOD % 14)
        tar.addfile(info, io.BytesIO((GOOD % 14).encode()))
    p = run("update", evil, "-o", out)
    t.check("skt-r-" in folder and not os.path.exists(f"{folder}/evil.rules"),
            "nothing of an archive is unpacked to disk", (p.stdout, p.stderr))
    for what, args, code, word in (
            ("a missing source", [f"{folder}/none"], 1, "No such file"),
            ("no archive", [write(folder, "x.tar.gz", "no gzip")], 1, "refused"),
            ("plain http", ["http://127.0.0.1:9/x.rules"], 2, "--insecure-http"),
            ("another scheme", ["ftp://127.0.0.1/x.rules"], 2, "https"),
            ("nobody there", ["https://127.0.0.1:9/x.rules"], 1, "not fetched")):
        p = run("update", *args, "-o", out)
        t.check(p.returncode == code and word in p.stderr, f"{what}: exit code {code}",
                (p.returncode, p.stderr))
    t.equal(sorted(os.listdir(out)), ["skep.rules", "skep.rules.new", "skep.rules.old"],
            "nothing else is left there")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=folder)

        def log_message(self, *args):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    p = run("update", url + "set.tar.gz", "-o", out, "--insecure-http")
    t.check(p.returncode == 0 and "3 rules" in p.stdout, "from a server", (p.stdout, p.stderr))
    p = run("update", url + "none", "-o", out, "--insecure-http")
    t.check(p.returncode == 1 and "404" in p.stderr, "from a server that has none", p.stderr)
    server.shutdown()
    if os.geteuid() != 0:
        os.chmod(out, 0o500)
        p = run("update", source, "-o", out)
        t.check(p.returncode == 1 and "Permission" in p.stderr, "a folder that can't be written", p.stderr)
        os.chmod(out, 0o700)


def main(t):
    for part in (mistakes, looking, updating):
        with tempfile.TemporaryDirectory(prefix="skt-r-") as folder:
            part(t, folder)


tap = Tap()
main(tap)
sys.exit(tap.done())
