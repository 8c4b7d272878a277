#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""skep-watch, the second machine's script, on made lines and a clock of our own: what it says, and what not; then
as a process with a log that is rotated, and as receiver of webhooks."""
import hashlib
import hmac
import importlib.machinery
import importlib.util
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WATCH = os.path.join(ROOT, "dist/watch/skep-watch")
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
sys.dont_write_bytecode = True
from receivers import until  # noqa: E402
from tap import Tap  # noqa: E402

loader = importlib.machinery.SourceFileLoader("skep_watch", WATCH)
skep_watch = importlib.util.module_from_spec(importlib.util.spec_from_loader("skep_watch", loader))
loader.exec_module(skep_watch)

T0 = 1795867200.0  # 2026-11-28T12:00:00Z
SUM = ["%064x" % n for n in range(8)]


def stamp(at):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(at))


def beat(n, at, why="beat", seal=None, sensor="s1", every=60, since=0):
    params = "" if seal is None else "[seal1@32473 " + " ".join(f'{k}="{v}"' for k, v in seal.items()) + "]"
    return (f'<134>1 {stamp(at)} {sensor} skep - {why} [skep@32473 n="{n}" why="{why}" since="{stamp(T0 + since)}" '
            f'every="{every}" waiting="0" event="7"]{params} {why} {n}\n').encode()


def beat_json(n, at, why="beat", seals=()):
    return json.dumps({"schema": "skep-beat-1", "why": why, "n": n, "time": stamp(at), "every_s": 60, "sensor": "s1",
                       "seals": list(seals)}).encode() + b"\n"


def alert(number, text, cls="escape", kind="first", head="escape", sd=True):
    data = f'[skep@32473 number="{number}" kind="{kind}" class="{cls}" weight="9"]' if sd else "-"
    return f"<129>1 {stamp(T0)} s1 skep - {head} {data} {text}\n".encode()


def seal(n, size, digest=0, file="skep-20261128.json"):
    return {"file": file, "n": n, "bytes": size, "sha256": SUM[digest], "previous": ""}


class Clock:
    def __init__(self):
        self.at = T0

    def __call__(self):
        return self.at


def scripted(t, folder, what, steps, want, *argv):
    """steps: (seconds since T0, lines); then all that was told, by kind."""
    clock = Clock()
    base = os.path.join(folder, what.replace(" ", "-")[:40].replace("/", "-"))
    args = skep_watch.arguments(["--log", base + ".log", *argv])
    watch = skep_watch.Watch(args, clock)
    told = []
    watch.tell = lambda sensor, kind, text: told.append((kind, skep_watch.harmless(text)))
    for at, lines in steps:
        clock.at = T0 + at
        for line in lines:
            watch.line(line)
        watch.tick()
    t.equal([k for k, _ in told], want, what)
    return told, args


def beats(first, count, start, step=60):
    return [(start + i * step, [beat(first + i, T0 + start + i * step)]) for i in range(count)]


def rules(t, folder):
    scripted(t, folder, "beats that follow each other say nothing", beats(1, 20, 0), [])
    told, _ = scripted(t, folder, "silence is told once and so is its end",
                       beats(1, 3, 0) + [(s, []) for s in range(130, 900, 10)] + beats(4, 3, 900),
                       ["silence", "silence-over"])
    t.check("12:02:00" in told[0][1], "since when", told)
    scripted(t, folder, "a beat that is late is no silence", beats(1, 2, 0) + [(230, [beat(3, T0 + 230)])], [])
    told, _ = scripted(t, folder, "lost beats after silence are a part of its end",
                       beats(1, 2, 0) + [(600, []), (660, [beat(9, T0 + 660)])], ["silence", "silence-over"])
    t.check("6 did not" in told[1][1], "with their number", told)
    scripted(t, folder, "some beats give way to newer ones", beats(1, 2, 0) + [(120, [beat(9, T0 + 120)])], [])
    scripted(t, folder, "a jump", beats(1, 2, 0) + [(120, [beat(50, T0 + 120)])], ["number"])
    scripted(t, folder, "a number that goes back", beats(7, 2, 0) + [(120, [beat(3, T0 + 120)])], ["number"])
    scripted(t, folder, "the same beat twice is one", [(0, [beat(1, T0), beat(1, T0)])], [])
    scripted(t, folder, "a stop is told at once, then nothing until it is back",
             beats(1, 2, 0) + [(70, [beat(3, T0 + 70, "stop")]), (900, []), (9000, []),
                               (9010, [beat(5, T0 + 9010, since=9000)]), (9070, [beat(6, T0 + 9070, since=9000)])],
             ["stopped", "stopped-over"])
    scripted(t, folder, "a start without a stop", beats(1, 2, 0) + [(70, [beat(3, T0 + 70, since=65)])], ["restart"])
    scripted(t, folder, "alerter alone started anew", beats(1, 2, 0) + [(70, [beat(3, T0 + 70, "start")])], [])
    scripted(t, folder, "a start after silence is its end",
             beats(1, 1, 0) + [(500, []), (510, [beat(2, T0 + 510, "start", since=505)])], ["silence", "silence-over"])
    scripted(t, folder, "a clock ahead is told at once and once", [(60 * i, [beat(i, T0 + 60 * i + 600)]) for i in range(1, 5)] +
             [(300, [beat(5, T0 + 300)])], ["clock", "clock-over"])
    scripted(t, folder, "one late line is no clock, two are", [(60, [beat(1, T0 - 300)]), (120, [beat(2, T0 + 120)]),
             (180, [beat(3, T0 - 300)]), (240, [beat(4, T0 - 240)])], ["clock"])
    scripted(t, folder, "the beat says how often", [(0, [beat(1, T0, every=10)]), (31, [])], ["silence"])
    scripted(t, folder, "rarer beats are told, and are not so rare that nobody is missed",
             [(0, [beat(1, T0)]), (60, [beat(2, T0 + 60, every=10 ** 17)]), (3 * 86400 + 70, [])], ["every", "silence"])
    _, args = scripted(t, folder, "a thousand names are not all remembered",
                       [(0, [beat(1, T0, sensor=f"x{i}") for i in range(1000)])], [])
    with open(args.state, encoding="utf-8") as f:
        t.equal(len(json.load(f)["sensors"]), skep_watch.SENSORS, "only so many")
    scripted(t, folder, "a disk that takes nothing ends nobody",
             [(0, [beat(1, T0, seal=seal(1, 100))]), (60, [beat(2, T0 + 60, seal=seal(2, 200, 1))]), (500, [])],
             ["disk", "disk", "silence"], "--seals", folder, "--state", os.path.join(folder, "no", "state"))
    scripted(t, folder, "who was never heard is silent only if we wait for him", [(600, [])], [])
    scripted(t, folder, "never heard", [(170, []), (190, [])], ["silence"], "--sensor", "s1")
    scripted(t, folder, "each sensor has its own", beats(1, 9, 0) + [(500, [beat(1, T0 + 500, sensor="s2")]),
             (680, [beat(2, T0 + 680, sensor="s2")])], ["silence"])
    scripted(t, folder, "JSON beats", [(0, [beat_json(1, T0)]), (60, [beat_json(2, T0 + 60)]), (500, [])], ["silence"])


def messages(t, folder):
    told, _ = scripted(t, folder, "an escape is passed on at once, each once, harmless",
                       [(0, [alert(5, "QEMU of web1 \x1b[31mmade a call that it may not \u202e"), alert(5, "again"),
                             alert(6, "another")])], ["escape", "escape"])
    t.equal(told[0][1], "QEMU of web1 ?[31mmade a call that it may not ?", "with its text")
    scripted(t, folder, "other alerts are not ours to tell; a test is",
             [(0, [alert(1, "a login", "login"), alert(2, "over", "escape", "incident"), alert(3, "x", "health", "test")])],
             ["test"])
    text = '[skep@32473 class="escape" kind="first" number="9"] and [seal1@32473 ' + \
        " ".join(f'{k}="{v}"' for k, v in seal(1, 5).items()) + "]"
    _, args = scripted(t, folder, "what an intruder writes into a text is none",
                       [(0, [alert(1, text, "login"), alert(1, text, "login", sd=False, head="login"),
                             f"<129>1 {stamp(T0)} s1 skep - login [x@1 class=\"escape\"] x\n".encode(),
                             b'<129>1 - s1 skep - a [skep@32473 class="\\"] [x@32473 class=\\"escape"] x\n'])], [])
    t.check(not os.path.exists(args.seals), "and no seal")
    scripted(t, folder, "rubbish", [(0, [b"", b"\n", b"\xff\xfe\n", b"{\n", b"[" * 5000 + b"\n", b"{\"beat\":7}\n", b"{\"why\":[],\"n\":{}}\n",
             b"<1>1 a\n", b"x" * 70000 + b"\n", b'{"n":1e400,"why":"beat"}\n', b'{"seals":[7,null,{"file":3}]}\n'])], [])


def hostile(t, folder):
    """Who speaks to us wants us to end, to be busy, or to forget."""
    deep = [b'{"class":"escape","sensor":"s1","lead":"x","%s":%s1%s}\n' % (key, b"[" * n, b"]" * n)
            for n in range(700, 1000, 3) for key in (b"number", b"sensor", b"kind", b"timestamp")]
    deep += [b'{"beat":{"n":1,"why":%s1%s},"sensor":"s1"}\n' % (b"[" * n, b"]" * n) for n in range(700, 1000, 3)]
    clock = Clock()
    watch = skep_watch.Watch(skep_watch.arguments(["--log", os.path.join(folder, "deep.log"), "--run", "false"]), clock)
    for line in deep:
        watch.line(line)
    watch.tick()
    t.check(watch.saved is not None, "JSON that is nested deeply ends nobody")
    watch.state["waiting"] = []
    watch.tell("s1", "silence", "no beat")
    for n in range(skep_watch.QUEUE):
        watch.line(alert(n, "x", "health", "test"))
        watch.tell("s1", "seal", "x")
    t.equal([w["what"] for w in watch.state["waiting"]].count("silence"), 1, "a flood of one kind pushes nothing else out")
    again = alert(5, "another").replace(stamp(T0).encode(), stamp(T0 + 9).encode())
    scripted(t, folder, "set up anew, a honeynet counts from 1 again", [(0, [alert(5, "one"), again, again])], ["escape"] * 2)

    class Endless:
        backlog = False

        @staticmethod
        def lines():
            while True:
                yield alert(1, "x", "login")

    class Looked(Exception):
        pass

    def tick():
        raise Looked
    watch.state["waiting"], watch.tick = [], tick
    try:
        skep_watch.follow(watch, Endless)
    except Looked:
        pass
    t.check(True, "lines without end do not keep us from looking for what does not come")
    p = subprocess.run([sys.executable, WATCH, "--log", "x", "--every", "0"], capture_output=True, text=True, timeout=60)
    t.check(p.returncode == 2 and "--every" in p.stderr, "beats every 0 seconds are refused", p)


def crowd(t, family, host, port):
    """Strangers who only connect: those beyond the most are sent away."""
    strangers = [socket.socket(family) for _ in range(skep_watch.CONNECTIONS + 1)]
    for s in strangers:
        s.settimeout(20)
        s.connect((host.strip("[]"), port))
    try:
        gone = strangers[-1].recv(1) == b""
    except ConnectionError:
        gone = True
    except TimeoutError:
        gone = False
    for s in strangers:
        s.close()
    t.check(gone, f"{host}: no more connections than have room")


def sealing(t, folder):
    _, args = scripted(t, folder, "seals are kept", [(0, [beat(1, T0, "seal", seal(1, 100)), beat(2, T0, "beat", seal(1, 100)),
             beat(3, T0, "seal", seal(2, 200, 1)), beat_json(4, T0, "seal", [seal(1, 50, 2, "eve-20261128.json")])])], [])
    with open(args.seals, encoding="utf-8") as f:
        rows = [json.loads(x) for x in f]
    t.equal([(r["file"], r["n"], r["bytes"], r["sha256"], r["sensor"], r["time"]) for r in rows],
            [("skep-20261128.json", 1, 100, SUM[0], "s1", stamp(T0)), ("skep-20261128.json", 2, 200, SUM[1], "s1", stamp(T0)),
             ("eve-20261128.json", 1, 50, SUM[2], "s1", stamp(T0))], "each once, as `skep evidence verify` reads them")
    day = [(i * 600, [beat(i + 1, T0 + i * 600, seal=seal(1, 100), every=600)]) for i in range(170)]
    scripted(t, folder, "no new seal for a day", day + [(102000, [beat(171, T0 + 102000, "seal", seal(2, 200, 1), every=600)])],
             ["unsealed", "unsealed-over"])
    scripted(t, folder, "a file that became shorter, and one with two digests",
             [(0, [beat(1, T0, "seal", seal(1, 100)), beat(2, T0, "seal", seal(2, 90, 1)), beat(3, T0, "seal", seal(3, 90, 2))])],
             ["seal", "seal"])
    _, args = scripted(t, folder, "what is no seal is not kept",
                       [(0, [beat(1, T0, "seal", seal(1, 5, 0, "../../etc/passwd")), beat(2, T0, "seal", dict(seal(1, 5), sha256="x"))])], [])
    t.check(not os.path.exists(args.seals), "at all")


def lasting(t, folder):
    """State over restarts; a command that fails is run again."""
    clock, out = Clock(), os.path.join(folder, "out")
    argv = ["--log", os.path.join(folder, "lasting.log"), "--run", f"test -e {folder}/open && cat >>{out}"]
    watch = skep_watch.Watch(skep_watch.arguments(argv), clock)
    watch.line(beat(1, T0))
    clock.at += 400
    watch.tick()
    t.check(not os.path.exists(out), "the command fails")
    watch = skep_watch.Watch(skep_watch.arguments(argv), clock)
    open(folder + "/open", "w").close()
    clock.at += 61
    watch.tick()
    with open(out, encoding="utf-8") as f:
        text = f.read()
    t.check(text.startswith("skep s1: no beat since 12:00:00 UTC (400 s)") and text.count("no beat") == 1,
            "another run of skep-watch has its alert, and does not make another", text)
    watch = skep_watch.Watch(skep_watch.arguments(argv), clock)
    watch.line(beat(2, clock.at))
    watch.tick()
    with open(out, encoding="utf-8") as f:
        t.check("is back" in f.read(), "and knows that it was told")
    p = subprocess.run([sys.executable, WATCH, *argv[:2], "--status"], capture_output=True, text=True, timeout=60)
    t.check(p.returncode == 0 and p.stdout.startswith("s1: beat 2, ") and "all is well" in p.stdout, "--status", p)


def read(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def append(path, data):
    with open(path, "ab") as f:
        f.write(data)


class Running:
    def __init__(self, folder, name, *argv):
        self.base = os.path.join(folder, name)
        self.log, self.out = self.base + ".log", self.base + ".out"
        self.argv = [sys.executable, WATCH, "--log", self.log, "--run", f"cat >>{self.out}", "--step", "0.05", *argv]
        self.p = None

    def __enter__(self):
        self.p = subprocess.Popen(self.argv, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        self.p.send_signal(signal.SIGINT)
        self.p.wait(20)

    def told(self, text):
        return until(lambda: text in read(self.out), 30)


def rotation(t, folder):
    with Running(folder, "rotated") as r:
        append(r.log, alert(1, "first") + alert(2, "second")[:30])
        t.check(r.told("first"), "a line is told as soon as it is whole")
        append(r.log, alert(2, "second")[30:])
        t.check(r.told("second"), "so is the next")
        os.rename(r.log, r.log + ".1")
        append(r.log, alert(4, "fourth"))
        t.check(r.told("fourth"), "the log is rotated: the new one is read")
        append(r.log + ".1", alert(3, "third"))
        t.check(r.told("third"), "and what was still written to the old one")
    append(r.log, alert(5, "fifth"))
    os.rename(r.log, r.log + ".1")
    append(r.log, alert(6, "sixth"))
    with r:
        t.check(r.told("sixth") and r.told("fifth"), "what came while it did not run is told, from both files")
        text = read(r.out)
        t.equal([text.count(f"s1: {w}\n") for w in ("first", "second", "third", "fourth", "fifth", "sixth")], [1] * 6, "each once")


def post(url, context, body, key=None, signature=None):
    headers = {"Content-Type": "application/json"}
    if key is not None:
        mac = hmac.new(key, b"1795867200." + body, hashlib.sha256).hexdigest()
        headers["X-Skep-Signature"] = f"t=1795867200,v1={mac}"
    if signature is not None:
        headers["X-Skep-Signature"] = signature
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), context=context, timeout=20) as a:
            return a.status
    except urllib.error.HTTPError as e:
        return e.code


def webhooks(t, folder):
    if shutil.which("openssl") is None:
        return t.skip("webhooks", "openssl is not installed")
    cert, cert_key, key = (os.path.join(folder, n) for n in ("cert.pem", "cert.key", "hmac.key"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,IP:::1", "-days", "2", "-keyout", cert_key, "-out",
                    cert], check=True, capture_output=True)
    with open(key, "w", encoding="utf-8") as f:
        f.write("secret\n")
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "[::1]")):
        with socket.socket(family) as s:
            s.bind((host.strip("[]"), 0))
            port = s.getsockname()[1]
        context = ssl.create_default_context(cafile=cert)
        with Running(folder, f"hooks{family}", "--listen", f"{host}:{port}", "--cert", cert, "--cert-key", cert_key, "--key",
                     key) as r:
            def up():
                with socket.socket(family) as s:
                    return s.connect_ex((host.strip("[]"), port)) == 0
            until(up, 30)
            url = f"https://{host}:{port}/"
            body = json.dumps({"class": "escape", "kind": "first", "number": 3, "sensor": "s1", "lead": "by webhook"}).encode()
            t.equal([post(url, context, body), post(url, context, body, b"wrong"), post(url, context, b"{", b"secret"),
                     post(url, context, body, signature="t=1,v1=é".encode().decode("latin-1"))], [403] * 4,
                    f"{host}: unsigned, wrongly signed and broken ones are refused")
            t.equal(read(r.log), "", "and not kept")
            t.equal(post(url, context, body, b"secret"), 204, "a signed one is taken")
            t.check(r.told("skep s1: by webhook"), "and told")
            crowd(t, family, host, port)
    return None


def main():
    t = Tap()
    folder = tempfile.mkdtemp(prefix="skt-watch-")
    try:
        rules(t, folder)
        messages(t, folder)
        hostile(t, folder)
        sealing(t, folder)
        lasting(t, folder)
        rotation(t, folder)
        webhooks(t, folder)
    finally:
        shutil.rmtree(folder)
    sys.exit(t.done())


main()
