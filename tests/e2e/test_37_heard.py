#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest site
"""What an intruder types is heard: every form of tests/lib/forms.py over real ssh in a real guest, by at least one
layer, and on the host while it still runs; a full-screen program looks in the recording as it did; floods cost bounded
memory and disk; and what root in the guest does against it is told, and takes nothing back.

--table writes docs/HEARD.md: which layer heard which."""
import operator
import os
import re
import subprocess
import sys
import time

import common  # noqa
import forms
import tap
import tricks
from honeynet import LOGHOST_FORWARDS, ROOT, SSH_OPTIONS, Honeynet, guest, need, wait_for
from inside import Kept, Terminal, let_root_in, resident

TABLE = f"{ROOT}/docs/HEARD.md"
LAYERS = ("shell", "program", "data", "file")
LANES = 4
PASSWORD = "toor"
MEMORY = """import os, sys
with open(sys.argv[1], "rb") as f:
    program = f.read()
fd = os.memfd_create("x", 0)
os.write(fd, program)
os.execve(fd, [os.path.basename(sys.argv[1])] + sys.argv[2:], os.environ)
"""


class Visitor:
    """Root's way in, over one connection per lane; each command is a session of its own in it."""

    def __init__(self, net):
        self.net = net
        self.account = {"user": "root", "password": PASSWORD}
        self.masters = []

    def argv(self, lane, *command, v6=False):
        a = self.net.ssh_argv("web1", *command, user=self.account["user"], password=self.account["password"],
                              v6=v6)
        at = a.index("ssh") + 1
        return a[:at] + ["-o", f"ControlPath={self.net.dir}/ssh-{lane}"] + a[at:]

    def open(self, lane):
        argv = self.argv(lane, v6=lane % 2 == 1)
        p = self.net.start_in(self.net.lab, *argv[:-1], "-M", "-N", argv[-1], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL)
        self.masters.append(p)
        return wait_for(lambda: os.path.exists(f"{self.net.dir}/ssh-{lane}"), 60)

    def run(self, *command, lane=0, stdin="", timeout=60):
        return self.net.run_lab(*self.argv(lane, *command, v6=lane % 2 == 1), input=stdin, timeout=timeout)

    def start(self, *command, lane=0, **kw):
        return self.net.start_in(self.net.lab, *self.argv(lane, *command, v6=lane % 2 == 1), **kw)

    def terminal(self, **kw):
        return Terminal(self.net, "web1", self.account["user"], self.account["password"], **kw)

    def close(self):
        for p in self.masters:
            p.terminate()
        for p in self.masters:
            p.wait(10)


def bring(t, who):
    """What an intruder brings along: a static busybox, a copy of bash, a way to run programs from memory."""
    with open("/bin/busybox", "rb") as h:
        blob = h.read()
    p = subprocess.run(["nsenter", f"--net={who.net.lab}", *who.argv(0, "cat > /tmp/busybox; chmod +x /tmp/busybox")],
                       input=blob, capture_output=True, timeout=120)
    t.check(p.returncode == 0, "a static shell is copied in", p.stderr)
    p = who.run("cp /bin/bash /tmp/own; (echo '#!/usr/bin/python3'; cat) > /tmp/mem; chmod +x /tmp/mem",
                stdin=MEMORY)
    t.check(p.returncode == 0, "and other things", p.stderr)


def copy(who, text, lane):
    tool, source, target = text.split()[0], text.split()[-2], text.split()[-1]
    to = who.argv(lane)[-1]
    control = ["-o", f"ControlPath={who.net.dir}/ssh-{lane}", *SSH_OPTIONS]
    if tool == "scp":
        return who.net.run_lab("scp", *control, source, to + ":" + target.split(":")[1], timeout=60)
    return who.net.run_lab("sftp", *control, "-b", "-", to, input=f"put {source} {target}\n", timeout=60)


def run_forms(who, wanted):
    """Everything but what is typed; some lanes at once."""
    todo = [(i % LANES, *f) for i, f in enumerate(wanted)]
    running = {}
    for lane, how, text, token in todo:
        if lane in running:
            running.pop(lane).communicate(timeout=90)
        if how == "copy":
            copy(who, text, lane)
        elif how == "stdin":
            who.run(lane=lane, stdin=text, timeout=60)
        else:
            running[lane] = who.start(text, lane=lane, stdin=subprocess.DEVNULL)
    for p in running.values():
        p.communicate(timeout=90)


def type_forms(t, who, wanted):
    with_terminal = who.terminal()
    t.check(with_terminal.settle(90), "a shell at a terminal", bytes(with_terminal.shown[-300:]))
    for _, text, token in wanted:
        for line in text.split("\n"):
            with_terminal.send(line + ("" if line == "\x04" else "\r"))
            if "\n" in text:
                with_terminal.quiet(0.4, 10)
        if not with_terminal.settle(30):
            t.note(f"no prompt after {text!r}: {bytes(with_terminal.shown[-300:])!r}")
            with_terminal.close()
            with_terminal = who.terminal()
            with_terminal.settle(90)
    with_terminal.close()


def heard_by(kept, wanted):
    """{token: layers}"""
    shell, records, casts = kept.shell(), kept.records(), kept.casts()
    ran = "\n".join(str(c) for r in records for c in r.get("commands", []) if c.get("layer") == "monitor")
    files = "\n".join(str(f) for r in records for f in r.get("files", []) + r.get("activity", []))
    data = "\n".join(c["o"] + "\n" + c["i"] for c in casts.values())
    return {token: [layer for layer, text in zip(LAYERS, (shell, ran, data, files)) if token in text]
            for _, _, token in wanted}


def table(wanted, heard):
    out = ["# What is heard of a command", "",
           "Written by `tests/e2e/test_37_heard.py --table` in a guest of image `debian`; the same test asks that no",
           "form goes unheard. `shell`: its line came by syslog from the modified shell. `program`: the monitor",
           "told of a program with it among its arguments. `data`: it was in what was typed or shown, at a terminal or",
           "through a pipe of sshd. `file`: in the name of a file that was written. How: `cmd` is `ssh guest '...'`,",
           "`stdin` fed to a shell without a terminal, `type` typed at one, `later` left for cron or at.",
           "`/tmp/busybox` is a static busybox that the intruder brought, `/tmp/own` a copy of the guest's shell, `/tmp/mem`",
           "runs a program from memory.", "", "| how | command | shell | program | data | file |",
           "|---|---|---|---|---|---|"]
    for how, text, token in wanted:
        shown = text.replace(token, "T").encode("unicode_escape").decode().replace("|", "\\|")
        shown = shown if len(shown) < 90 else shown[:87] + "..."
        marks = " | ".join("x" if layer in heard[token] else " " for layer in LAYERS)
        out.append(f"| {how} | `` {shown} `` | {marks} |")
    counts = ", ".join(f"{layer} {sum(layer in heard[x[2]] for x in wanted)}" for layer in LAYERS)
    out += ["", f"Of {len(wanted)}: {counts}.", ""]
    return "\n".join(out)


def rows(text):
    """{how and form: marks} of a table."""
    cut = [line.rsplit(" | ", 4) for line in text.splitlines() if line.startswith("| ") and "``" in line]
    return {c[0]: "".join(c[1:]) for c in cut}


def all_heard(t, net, who, kept):
    wanted = forms.all_forms()
    later = [f for f in wanted if f[0] == "later"]
    begin = time.monotonic()
    run_forms(who, later + [f for f in wanted if f[0] in ("cmd", "stdin", "copy")])
    t.note(f"without a terminal: {time.monotonic() - begin:.0f} s")
    type_forms(t, who, [f for f in wanted if f[0] == "type"])
    t.note(f"typed as well: {time.monotonic() - begin:.0f} s")
    wait_for(lambda: all(heard_by(kept, wanted).values()), 20, 1)
    heard = heard_by(kept, wanted)
    missed = [f"{how}: {text!r}" for how, text, token in wanted if not heard[token]]
    t.check(len(wanted) >= 200 and not missed, f"{len(wanted)} ways to run a command: all are heard", "\n".join(missed))
    for layer, least in (("shell", 150), ("program", 100), ("data", 100)):
        n = sum(layer in h for h in heard.values())
        t.check(n >= least, f"{layer} alone hears {n}",
                "\n".join(text for _, text, token in wanted if layer not in heard[token]))
    if "--table" in sys.argv:
        with open(TABLE, "w") as h:
            h.write(table(wanted, heard))
    with open(TABLE) as h:
        said = rows(h.read())
    t.check(list(said) == list(rows(table(wanted, heard))), "docs/HEARD.md lists these forms")
    unheard = [text for text, marks in rows(table(wanted, heard)).items() if "x" in said.get(text, "") and
               "x" not in marks]
    t.check(not unheard, "and what it says is heard is", unheard)
    false = [e["text"] for kind in ("silence", "mismatch") for e in net.events(kind)]
    t.note("\n".join(false))
    t.check(any("no shell of ours" in x for x in false), "a shell that was brought along is told", false)
    t.check(not net.events("silence", layer="monitor") and not net.events("mismatch", layer="monitor"),
            "of the monitor nothing is missed")


def at_once(t, who, kept):
    """Each is on the host's disk before it is over; it lasts a second in the guest."""
    late, took = [], []
    for i in range(10):
        token = f"now{i:03d}q"
        p = who.start(f"echo {token}; exec sleep 1", lane=i % LANES, stdin=subprocess.DEVNULL)
        p.stdout.readline()
        begin = time.monotonic()
        while token not in kept.shell() and p.poll() is None:
            time.sleep(0.02)
        took.append(time.monotonic() - begin)
        if token not in kept.shell():
            late.append(token)
        p.communicate(timeout=60)
    t.check(len(late) <= 2, "a command is on the host before a second of the guest is over", late)
    t.note("after its output: " + " ".join(f"{x:.2f}" for x in took) + " s")


def same_screen(t, who, kept):
    try:
        import pyte
    except ImportError:
        t.skip("replay looks as it did", "python3-pyte is not installed")
        return
    for cols, rows, v6 in ((80, 24, False), (101, 37, True)):
        term = who.terminal(cols=cols, rows=rows, v6=v6)
        t.check(term.settle(60), f"a terminal of {cols} x {rows}")
        term.send(f"echo mark{cols}; vim.tiny -n /etc/services\r")
        t.check(term.wait("tcpmux"), "an editor fills it")
        term.send("10jA changed\x1b:set nu\r\x06")
        term.quiet(1, 10)

        def both():
            got = [c["o"] for c in kept.casts().values() if f"mark{cols}" in c["o"]]
            return [screen(pyte, cols, rows, x) for x in (bytes(term.shown).decode("utf-8", "replace"),
                                                          got[-1] if got else "")]
        wait_for(lambda: operator.eq(*both()), 20, 0.5)
        live, again = both()
        t.equal(again, live, f"{cols} x {rows}: the recording shows what the visitor sees, cell by cell")
        term.send(":!top -bn1 | head -20\r")
        t.check(term.wait("Press ENTER"), "a program within it")
        wait_for(lambda: operator.eq(*both()), 20, 0.5)
        live, again = both()
        t.equal(again, live, f"{cols} x {rows}: and when it has changed")
        term.close()


def screen(pyte, cols, rows, text):
    s = pyte.Screen(cols, rows)
    # What asks a terminal about its keys is no colour, and more than pyte can read.
    pyte.Stream(s).feed(re.sub(r"\x1b\[[?>][0-9;]*[mc]", "", text))
    return [[(c.data, c.fg, c.bg, c.bold, c.reverse) for c in (s.buffer[y][x] for x in range(cols))]
            for y in range(rows)]


FLOODS = (
    ("programs", "for i in $(seq {n}00); do /bin/true flood$i; done"),
    ("noise at a terminal", "timeout {n} cat /dev/urandom"),
    ("files", "mkdir -p /tmp/many; for i in $(seq {n}000); do echo $i > /tmp/many/f$i; done"),
)


def counted(t, term, kept, n):
    """All programs, and all bytes: kept, or counted as not kept."""
    def said():
        for r in kept.records():
            if sum("/bin/true flood" in c["line"] for c in r.get("commands", [])) > n:
                return r["counts"]
        return {}
    wait_for(lambda: said().get("output", 0) >= len(term.shown) * 0.99, 20, 0.5)
    c = said()
    t.check(c.get("runs", 0) >= 100 * n, f"of {100 * n} programs each is told", c)
    got = c.get("output", 0)  # with what was skipped
    t.check(0.99 <= got / len(term.shown) <= 1.01, f"{len(term.shown)} bytes were shown: {got} are counted, of which "
            f"{c.get('skipped')} are not kept", c)


def floods(t, net, who, kept, n=3):
    """n: hundreds of programs, seconds of noise, thousands of files."""
    pid = net.role_pid("collector")
    before, disk = resident(pid), kept.bytes()
    term = who.terminal()
    term.settle(60)
    for name, command in FLOODS:
        term.send(command.format(n=n) + "\r")
        alive = who.run(f"echo still-{name[:4]}", lane=1, timeout=120)
        t.check("still-" in alive.stdout, f"{name}: ssh stays usable", alive.stderr)
        # Noise may have told the terminal anything; a reset makes it one again.
        t.check(term.settle(60 + 20 * n), f"{name}: it ends")
    counted(t, term, kept, n)
    term.close()
    t.check(net.role_pid("collector") == pid, "collector is the same process")
    grown = resident(pid) - before
    t.check(grown < 32 << 20, f"its memory grew by {grown >> 10} kB", grown)
    t.check(kept.bytes() - disk < 64 << 20, f"disk: {(kept.bytes() - disk) >> 10} kB")


def main(t):
    need("ssh", "sshpass", "scp", "sftp", "debugfs", "openssl")
    net = Honeynet([guest("web1", "debian", 10), guest("loghost", "loghost", 20, kind="loghost")],
                   forwards=LOGHOST_FORWARDS)
    with net:
        let_root_in(net, "web1", PASSWORD)
        net.up(timeout=400)
        who, kept = Visitor(net), Kept(net)
        for lane in range(LANES):
            t.check(who.open(lane), f"lane {lane} by IPv{6 if lane % 2 else 4}")
        wait_for(lambda: "uid=" in who.run("id").stdout, 60, 1)
        bring(t, who)
        at_once(t, who, kept)
        all_heard(t, net, who, kept)
        same_screen(t, who, kept)
        floods(t, net, who, kept)
        tricks.play(t, net, who, kept)
        who.close()


if __name__ == "__main__":
    tap.run(main)
