#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces asan
"""Done-when 8: doctor, `check` with ten different broken configurations, and running without root each
give a clear answer with the cure; so do unknown verbs and --help of every verb."""
import json
import os
import re
import subprocess

import common  # noqa
import tap
from honeynet import SKEP, Honeynet, guest
from talk import Talk

# (what, text or change of a good file, line it must name (0: any), word the answer must hold)
BROKEN = [
    ("an unknown key", "mode: lab\nnaem: x\n", 2, "name"),
    ("an unknown key deep down", "wall:\n  limits:\n    tpc: 20/1h\n", 3, "tcp"),
    ("a word that is no choice", "mode: labb\n", 1, "lab"),
    ("a mode of a later release", "mode: nat\n", 1, "lab"),
    ("a number out of range", "wall:\n  flows: 12\n", 2, "1024"),
    ("a number that is none", "wall:\n  flows: many\n", 2, "flows"),
    ("bad YAML", "mode: lab\nwall: [1,\n  2\n: }\n", 0, ""),
    ("a tab for indentation", "wall:\n\tflows: 4096\n", 2, "tab"),
    ("a bad address", "lab:\n  web: 192.0.2.800\n", 2, "192.0.2.800"),
    ("host bits in a prefix", "network:\n  inside: 10.99.0.5/24\n", 2, "host bits"),
    ("the same key twice", "mode: lab\nname: a\nname: b\n", 3, "name"),
    ("two guests of one name", "guests:\n  - name: a\n    inside: 10.99.0.10\n  - name: a\n"
     "    inside: 10.99.0.11\n", 4, "a"),
    ("two guests of one address", "guests:\n  - name: a\n    inside: 10.99.0.10\n  - name: b\n"
     "    inside: 10.99.0.10\n", 5, "same inside address"),
    ("a guest outside the inside network", "guests:\n  - name: a\n    inside: 10.98.0.10\n", 3,
     "10.99.0.0/24"),
    ("a forward to a guest that is not there", "forwards:\n  - public: 203.0.113.10\n"
     "    guest: nobody\n", 3, "nobody"),
    ("a limit nobody can read", "wall:\n  limits:\n    tcp: twenty\n", 3, "twenty"),
    ("a list where a value belongs", "mode:\n  - lab\n", 0, "mode"),
]


def checks(t, net):
    for what, text, line, word in BROKEN:
        path = f"{net.dir}/broken.yaml"
        with open(path, "w") as h:
            h.write(text)
        p = net.skep("check", path)
        said = p.stdout + p.stderr
        place = re.search(r"broken\.yaml:(\d+):(\d+)", said)
        good = (p.returncode != 0 and place and (line == 0 or int(place[1]) == line) and
                word in said and re.search(r"cure|did you mean", said))
        t.check(good, f"check names place, problem and cure: {what}", f"exit {p.returncode}\n{said}")
    p = net.skep("check", net.conf)
    t.equal(p.returncode, 0, "check says yes to a good one")
    p = net.skep("check", f"{net.dir}/nowhere.yaml")
    t.check(p.returncode != 0 and "nowhere.yaml" in p.stdout + p.stderr, "check of a missing file",
            p.stdout + p.stderr)
    example = net.skep("config", "example").stdout
    with open(f"{net.dir}/example.yaml", "w") as h:
        h.write(example)
    p = net.skep("check", f"{net.dir}/example.yaml")
    t.check(p.returncode == 0 and len(example) > 500, "the example file passes", p.stderr)
    p = net.skep("config", "schema")
    t.check(json.loads(p.stdout).get("properties"), "the JSON Schema for editors is JSON")


def verbs(t, net):
    p = net.skep("--help")
    names = re.findall(r"^  ([a-z]+)  ", p.stdout, re.M)
    t.check(p.returncode == 0 and len(names) >= 10, f"--help lists {len(names)} verbs", p.stdout)
    for v in names:
        p = net.skep(v, "--help", timeout=20)
        t.check(p.returncode == 0 and "usage" in p.stdout.lower() and v in p.stdout,
                f"{v} --help", f"exit {p.returncode}\n{p.stdout}{p.stderr}")
        p = net.skep(v, "--no-such-option-ever", timeout=20)
        t.check(p.returncode == 2 and p.stderr, f"{v} refuses an unknown option",
                f"exit {p.returncode}\n{p.stdout}{p.stderr}")
    p = net.skep("stauts")
    t.check(p.returncode == 2 and "status" in p.stderr, "an unknown verb: did you mean", p.stderr)
    p = net.skep("--version")
    t.check(p.returncode == 0 and re.match(r"skep \d", p.stdout), "--version", p.stdout)
    return names


def without_root(t, net, names):
    """As nobody: each verb answers, none crashes, those that need root say so; those that need none work."""
    os.chmod(net.dir, 0o755)
    talk = Talk()
    talk.tcp([("c", b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")])
    talk.write(f"{net.dir}/in.pcap")
    with open(f"{net.dir}/x.rules", "w", encoding="utf-8") as h:
        h.write('alert http any any -> any any (msg:"m"; http.host; content:"example"; sid:1;)\n')
    os.mkdir(f"{net.dir}/found")
    os.chmod(f"{net.dir}/found", 0o777)
    works = {"inspect": ["-r", f"{net.dir}/in.pcap", "-S", f"{net.dir}/x.rules", "-o", f"{net.dir}/found"],
             "rules": ["check", f"{net.dir}/x.rules"]}
    for v in names:
        if v in ("config", "check"):
            continue
        extra = {"image": ["list"], "guest": ["list"], "pcap": ["-o", "/dev/null"],
                 "scrub": ["-i", "a:b"], "policy": ["show"], "fence": ["list"], "lockdown": ["status"],
                 "init": ["--yes", "-o", "/etc/skt-never.yaml"], "replay": ["0"], "evidence": ["verify"], **works}.get(v, [])
        p = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", SKEP, v,
                            *extra], capture_output=True, text=True, timeout=60, cwd="/",
                           env=dict(os.environ, SKEP_CONF=net.conf, HOME="/nonexistent"), stdin=subprocess.DEVNULL)
        said = p.stdout + p.stderr
        fine = (0,) if v in works else (0, 1, 2)
        t.check(p.returncode in fine and said.strip() and
                (p.returncode == 0 or re.search(r"root|sudo|running|skep up|no session", said)),
                f"{v} without root: exit {p.returncode}, {said.strip().splitlines()[0][:90]!r}"
                if said.strip() else f"{v} without root", said)


def not_running(t, net):
    for v in ("status", "demo"):
        p = net.skep(v, timeout=30)
        t.check(p.returncode == 1 and "up" in p.stdout + p.stderr,
                f"{v} when nothing runs says how to start", f"{p.returncode} {p.stdout}{p.stderr}")


def doctor(t, net):
    p = net.skep("doctor", timeout=60)
    t.check(p.returncode in (0, 1) and re.search(r"\bok\b", p.stdout), "doctor answers", p.stdout +
            p.stderr)
    for word in ("KVM", "seccomp", "memory", "disk"):
        t.check(word.lower() in p.stdout.lower(), f"doctor speaks of {word}", p.stdout)
    # A machine without QEMU: its file is hidden in a mount namespace of this one command.
    p = subprocess.run(["unshare", "-m", "sh", "-c", "mount --bind /dev/null "
                        "$(command -v qemu-system-x86_64 || echo /usr/bin/env) && exec $0 doctor",
                        SKEP], capture_output=True, text=True, timeout=60,
                       env=dict(os.environ, SKEP_CONF=net.conf))
    t.check(p.returncode == 1 and "qemu-system-x86" in p.stdout and "apt" in p.stdout,
            "doctor names the package when QEMU is missing", p.stdout + p.stderr)


def running(t, net):
    net.up()
    s = json.loads(net.skep("status", "--json").stdout or "{}")
    t.check({"name", "mode", "roles", "guests", "wall"} <= set(s), "status --json", s)
    p = net.skep("status")
    t.check(p.returncode == 0 and "alice" in p.stdout and "wall" in p.stdout, "status for people",
            p.stdout)
    t.check("\x1b[" not in p.stdout, "no colour codes into a pipe")
    t.note(p.stdout)


def as_nobody(net, *args):
    return subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", SKEP, *args],
                          capture_output=True, text=True, timeout=60, cwd="/", stdin=subprocess.DEVNULL,
                          env=dict(os.environ, SKEP_CONF=net.conf, HOME="/nonexistent"))


ALERT_WORDS = {"log": [], "show": ["1"], "test": ["--wait", "0"], "preview": [], "reload": []}


def alerts_usage(t, net):
    """The words after `skep alerts`, before anything ran."""
    for word, args in ALERT_WORDS.items():
        p = net.skep("alerts", word, "--help")
        t.check(p.returncode == 0 and f"skep alerts {word}" in p.stdout, f"alerts {word} --help", p.stdout + p.stderr)
        p = net.skep("alerts", word, "--no-such-option-ever")
        t.check(p.returncode == 2 and p.stderr, f"alerts {word} refuses an unknown option", p.stderr)
        p = net.skep("alerts", word, *args)
        t.check(p.returncode == 1 and "skep up" in p.stderr, f"alerts {word} when nothing ever ran says how to start",
                f"{p.returncode} {p.stdout}{p.stderr}")
    for wrong in (["nothing"], ["show"], ["show", "x"], ["show", "1", "2"], ["log", "-n", "x"], ["log", "more"],
                  ["log", "--since", "soon"], ["preview", "--until", "late"], ["preview", "--destination", "lokal"],
                  ["test", "lokal"], ["test", "a", "b"], ["test", "--wait", "1h"]):
        p = net.skep("alerts", *wrong)
        t.check(p.returncode == 2 and p.stderr, f"alerts {' '.join(wrong)} is bad usage", f"{p.returncode} {p.stderr}")
    p = net.skep("alerts", "test", "lokal")
    t.check("'local'" in p.stderr, "an unknown destination: did you mean", p.stderr)


def alerts_running(t, net):
    for word, args in {"": [], **ALERT_WORDS}.items():
        p = as_nobody(net, "alerts", *([word] if word else []), *args)
        t.check(p.returncode == 1 and "sudo" in p.stderr, f"alerts {word} of a running honeynet needs root, and says so",
                f"{p.returncode} {p.stdout}{p.stderr}")
    p = net.skep("alerts", "test")
    t.check(p.returncode == 0 and re.search(r"^local +kept", p.stdout, re.M), "alerts test: the built-in destination",
            p.stdout + p.stderr)
    sent = [json.loads(x) for x in net.skep("alerts", "log", "--sent", "--json").stdout.splitlines()]
    t.check(sent and sent[-1]["kind"] == "test" and sent[-1]["destination"] == "local", "alerts log has it", sent)
    number = sent[-1]["number"] if sent else 0
    p = net.skep("alerts", "show", f"#{number}")
    t.check(p.returncode == 0 and "test" in p.stdout.lower() and f"#{number}" in p.stdout, "alerts show prints it",
            p.stdout + p.stderr)
    p = net.skep("alerts", "show", "7")
    t.check(p.returncode == 1 and "no message" in p.stderr, "alerts show of no such message", p.stderr)
    for word in ("log", "preview"):
        p = net.skep("alerts", word, "--since", "1h")
        t.check(p.returncode == 0, f"alerts {word}", p.stdout + p.stderr)
    rows = json.loads(net.skep("alerts", "--json").stdout or "{}")
    t.check(rows.get("enabled") and rows["destinations"][0]["last"], "alerts --json", rows)
    p = net.skep("alerts")
    t.check(re.search(r"^local +keep +well$", p.stdout, re.M) and "0 this hour" in p.stdout,
            "alerts for people: a test costs no budget", p.stdout)


def alerts_checked(t, net):
    """What a configuration needs beyond its file: templates, secrets, servers, programs."""
    path, secret = f"{net.dir}/told.yaml", f"{net.dir}/mail.secret"

    def told(*rows):
        with open(path, "w", encoding="utf-8") as h:
            h.write("destinations:\n" + "".join(f"  - {json.dumps(r)}\n" for r in rows))

    def lines(name):
        p = net.skep("doctor", "-c", path, "--json", timeout=90)
        return [c for c in json.loads(p.stdout)["checks"] if c["check"] == f"alerts {name}"]

    told({"name": "hook", "kind": "webhook", "url": "https://192.0.2.1/", "template": '{"a": {{nothing}}}'})
    p = net.skep("check", path)
    t.check(p.returncode == 1 and "{{nothing}}" in p.stdout and "cure" in p.stdout, "check tries templates", p.stdout)
    t.equal(json.loads(net.skep("check", path, "--json").stdout)["ok"], False, "also for programs")
    p = net.skep("up", "-c", path)
    t.check(p.returncode != 0 and "{{nothing}}" in p.stderr, "up refuses it, too", p.stderr)
    told({"name": "mail", "kind": "smtp", "url": "smtp://127.0.0.1:9", "from": "a@b.example", "to": ["c@d.example"],
          "user": "a", "secret": secret},
         {"name": "horn", "kind": "command", "command": ["/nowhere/horn"]},
         {"name": "siem", "kind": "syslog", "url": "tcp://[::1]:9"})
    got = lines("mail")
    t.check(got and got[0]["result"] == "fail" and "missing" in got[0]["what"], "doctor: a secret is missing", got)
    with open(secret, "w", encoding="utf-8") as h:
        h.write("sesame\n")
    os.chmod(secret, 0o644)
    got = lines("mail")
    t.check(len(got) == 2 and got[0]["cure"] == f"chmod 600 {secret}", "doctor: others can read the secret", got)
    t.check(len(got) == 2 and got[1]["result"] == "warn" and "127.0.0.1:9" in got[1]["what"] and got[1]["cure"],
            "doctor: no server listens", got)
    t.check("sesame" not in json.dumps(got), "the secret is not shown")
    os.chmod(secret, 0o600)
    t.equal(len(lines("mail")), 1, "doctor: nobody else can read it")
    got = lines("horn")
    t.check(got and got[0]["result"] == "fail" and "/nowhere/horn" in got[0]["what"], "doctor: a program is missing", got)
    got = lines("siem")
    t.check(got and got[0]["result"] == "warn" and "[::1]:9" in got[0]["what"], "doctor: over IPv6", got)


def main(t):
    with Honeynet([guest("alice", "none", 30)]) as net:
        checks(t, net)
        names = verbs(t, net)
        not_running(t, net)
        alerts_usage(t, net)
        alerts_checked(t, net)
        without_root(t, net, names)
        doctor(t, net)
        running(t, net)
        alerts_running(t, net)


tap.run(main)
