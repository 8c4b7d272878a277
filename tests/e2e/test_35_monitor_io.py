#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest site
"""What the monitor hears of a real sshd's visitors: who tries to log in with what, terminals byte for byte, shells
without one, the files they bring. Debian's disk with sshd and nothing else, so that it is up soon."""
import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import termios
import time

import common  # noqa
import monitor
import tap
from honeynet import SKEP, Honeynet, guest, need

MONITOR = os.path.join(os.path.dirname(SKEP), "../../inside/monitor/monitor")
INIT = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t devtmpfs dev /dev
for m in /lib/modules/*.ko; do $b insmod "$m"; done
while [ ! -b /dev/vda ]; do $b usleep 50000; done
$b mount -t ext4 -o rw /dev/vda /root
$b mkdir -p /root/x
$b cp /x/* /root/x/
$b mount -o move /dev /root/dev
$b mount -o move /proc /root/proc
$b ifconfig lo 127.0.0.1 up
$b ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
exec $b switch_root /root /x/run
"""
RUN = """#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t sysfs sysfs /sys
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620 devpts /dev/pts
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mkdir -p /run/sshd
rm -f /usr/sbin/monitor
modprobe -q virtio_console
(while :; do /x/monitor; sleep 1; done) &
rm -f /etc/update-motd.d/*
useradd -m -s /bin/bash user
printf 'root:%(word)s\\nuser:%(word)s\\n' | chpasswd
[ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
cat >/x/sshd_config <<END
HostKey /etc/ssh/ssh_host_ed25519_key
UsePAM yes
PermitRootLogin yes
PasswordAuthentication yes
KbdInteractiveAuthentication yes
AuthorizedKeysFile /x/key.pub
StrictModes no
UseDNS no
Subsystem sftp /usr/lib/openssh/sftp-server
END
chown root:root /x/*
chmod 600 /x/key
/usr/sbin/sshd -f /x/sshd_config
while :; do setsid /bin/sh -c 'PS1="# " exec /bin/sh -i' </dev/ttyS0 >/dev/ttyS0 2>&1; done
"""
SSH = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
       "-o", "NumberOfPasswordPrompts=1", "-F", "/dev/null"]


class Server(monitor.Guest):
    def lay(self, tree):
        for d in ("x", "root", "proc", "dev"):
            os.mkdir(os.path.join(tree, d))
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.dir}/key"], check=True)
        for f in (self.monitor, f"{self.dir}/key", f"{self.dir}/key.pub"):
            shutil.copy(f, os.path.join(tree, "x"))
        for path, text in (("init", INIT), ("x/run", RUN % {"word": monitor.PASSWORD})):
            with open(os.path.join(tree, path), "w", encoding="utf-8") as f:
                f.write(text)
            os.chmod(os.path.join(tree, path), 0o755)

    def client(self, program, *args, method="publickey", password=None, port="-p"):
        word = ["sshpass", "-p", password] if password else []
        more = [] if password else ["-i", f"{self.dir}/key", "-o", "BatchMode=yes"]
        return [*word, program, *SSH, *more, "-o", f"PreferredAuthentications={method}", port, str(self.port), *args]

    def run(self, argv, seconds=90, stdin=b""):
        """Runs it, hears the monitor meanwhile; standard output, standard error."""
        with open(f"{self.dir}/in", "w+b") as i, open(f"{self.dir}/out", "w+b") as o, \
                open(f"{self.dir}/err", "w+b") as e:
            i.write(stdin)
            i.seek(0)
            p = subprocess.Popen(argv, stdin=i, stdout=o, stderr=e)
            end = time.monotonic() + seconds
            while p.poll() is None:
                if time.monotonic() > end:
                    p.kill()
                self.pump(0.1)
            o.seek(0)
            e.seek(0)
            return o.read(), e.read()

    def settle(self, at):
        """Hears the end of the visit that is under way."""
        self.wait(lambda r: r["type"] == "visit_end", 30, at)
        self.wait(lambda r: False, 0.3)
        return self.records[at:]


def image():
    with Honeynet([guest("d", "debian", 10)]) as net:
        net.build_images()
        return os.path.join(net.settings["cache_dir"], "images/debian")


def of(records, kind, **want):
    return [r for r in records if r["type"] == kind and all(r[k] == v for k, v in want.items())]


def heard(records, stream, tty=None):
    return b"".join(r["texts"][0] for r in records
                    if r["type"] == "data" and r["stream"] == stream and (tty is None or r["tty"] == tty))


def logins(t, g):
    for user, method, password, ok in (("root", "password", "wrong%word \xe4", 0), ("nobody-here", "password", "guess", 0),
                                       ("user", "keyboard-interactive", monitor.PASSWORD, 1),
                                       ("user", "keyboard-interactive", "bad", 0),
                                       ("root", "password", monitor.PASSWORD, 1)):
        at = len(g.records)
        g.run(g.client("ssh", f"{user}@127.0.0.1", "true", method=method, password=password))
        r = g.wait(lambda r: r["type"] == "login", 10, at)
        t.check(r and r["texts"] == [user.encode(), password.encode(), method.encode()] and r["ok"] == ok and
                r["visit"], f"{user} by {method}: {'let in' if ok else 'refused'}", r)
    at = len(g.records)
    out, _ = g.run(g.client("ssh", "root@127.0.0.1", "echo by-key"))
    r = g.wait(lambda r: r["type"] == "login" and r["ok"], 10, at)
    print_ = subprocess.run(["ssh-keygen", "-lf", f"{g.dir}/key.pub"], capture_output=True, text=True).stdout.split()[1]
    t.check(out == b"by-key\n" and r and r["texts"] == [b"root", print_.encode(), b"publickey"],
            "a key is named by its fingerprint", r)
    g.settle(at)


def no_terminal(t, g):
    at = len(g.records)
    script = b"echo one\necho two >&2\n" + b"# a line of a script\n" * 300 + b"head -c 5 /dev/zero | wc -c\n"
    out, err = g.run(g.client("ssh", "user@127.0.0.1", "bash", "-s", method="password", password=monitor.PASSWORD),
                     stdin=script)
    new = g.settle(at)
    t.equal((out, err), (b"one\n5\n", b"two\n"), "a script by standard input works")
    t.check(heard(new, 2) == script, "all of it is heard", heard(new, 2)[-200:])
    t.equal((heard(new, 1), heard(new, 3)), (out, err), "and what it answers, errors apart")
    shell = of(new, "exec", comm="bash")
    pids = {r["pid"] for r in of(new, "data")}
    t.check(shell and pids == {shell[0]["pid"]} and {r["tty"] for r in of(new, "data")} == {-1},
            "as of that shell, without a terminal", (pids, shell))
    at = len(g.records)
    out = g.sh("ssh -6 -i /x/key -o StrictHostKeyChecking=no root@::1 'echo six; exit 3'", 90)
    new = g.settle(at)
    visits = of(new, "visit")
    t.check("six" in out and heard(new, 1, -1) == b"six\n" and visits and visits[0]["ver"] == 6 and
            of(new, "data", tty=-1)[0]["visit"] == visits[0]["visit"], "the same by IPv6", out)


def much(t, g):
    size = 3000000
    at = len(g.records)
    out, _ = g.run(g.client("ssh", "root@127.0.0.1", f"head -c {size} /dev/zero; sleep 2; echo end; head -c {size} /dev/zero"), 120)
    new = g.settle(at)
    data = of(new, "data", stream=1)
    told, skipped = sum(len(r["texts"][0]) for r in data), sum(r["skipped"] for r in data)
    lost = sum(r["bytes"] for r in of(new, "lost"))
    t.equal(len(out), 2 * size + 4, "much is transferred")
    t.equal(told + skipped + lost, 2 * size + 4, f"each byte is told or counted ({told} told)")
    t.check(told < size and b"end\n" in heard(new, 1), "and most is only counted", told)


class Terminal:
    """A person at a terminal of 100 x 30, with ssh in it."""

    def __init__(self, g, argv):
        self.g, self.got, self.seen = g, b"", 0
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            self.size(0, 30, 100)
            os.execvp(argv[0], argv)
        self.size(self.fd, 30, 100)

    @staticmethod
    def size(fd, rows, cols):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def until(self, what, seconds=60):
        """Hears terminal and monitor until the former has shown it, or its end."""
        end, at = time.monotonic() + seconds, self.seen
        while what is None or what not in self.got[at:]:
            if time.monotonic() > end:
                raise TimeoutError(f"no {what} in {self.got[at:]!r}")
            ready = select.select([self.fd, self.g.console, self.g.serial], [], [], 1)[0]
            if self.fd in ready:
                try:
                    self.got += os.read(self.fd, 65536)
                except OSError:
                    break
            if self.g.console in ready or self.g.serial in ready:
                self.g.pump(0)
        self.seen = len(self.got)
        self.g.wait(lambda r: False, 0.2)

    def type(self, text, until, seconds=60):
        os.write(self.fd, text)
        self.until(until, seconds)


def terminal(t, g):
    at = len(g.records)
    p = Terminal(g, g.client("ssh", "-tt", "root@127.0.0.1",
                             "exec env -i TERM=xterm HOME=/root PS1='prompt-$ ' bash --norc -i"))
    p.until(b"prompt-$ ")
    p.type(b"stty size; echo do\\ne\r", b"done")
    p.type(b"read -s word; echo got-${#word}\r", b"read -s word; echo got-${#word}\r\n")
    p.type(b"geheim\r", b"got-6")
    Terminal.size(p.fd, 40, 120)
    g.wait(lambda r: r["type"] == "size" and r["cols"] == 120, 10, at)
    p.type(b"stty size; echo mo\\re\r", b"more")
    p.type(b"vi /tmp/note\r", b"New")
    p.type(b"ihello\x1b:wq\r", b"written")
    p.type(b"seq 1 3000; echo la\\st\r", b"last")
    p.type(b"exit 4\r", None)
    status = os.waitpid(p.pid, 0)[1]
    new = g.settle(at)
    shown = p.got.replace(b"Connection to 127.0.0.1 closed.\r\n", b"")
    tty = of(new, "size")[0]["tty"] if of(new, "size") else None
    t.equal(os.waitstatus_to_exitcode(status), 4, "a session at a terminal works")
    t.check(heard(new, 1, tty) == shown, "what was shown is heard, byte for byte",
            f"{len(heard(new, 1, tty))} of {len(shown)}: {heard(new, 1, tty)[-200:]!r} {shown[-200:]!r}")
    typed = of(new, "data", stream=2, tty=tty)
    t.check(b"".join(r["texts"][0] for r in typed) ==
            b"stty size; echo do\\ne\rread -s word; echo got-${#word}\rgeheim\rstty size; echo mo\\re\r"
            b"vi /tmp/note\rihello\x1b:wq\rseq 1 3000; echo la\\st\rexit 4\r", "and what was typed",
            [r["texts"][0] for r in typed])
    t.equal([r["texts"][0] for r in typed if not r["echo"]], [b"geheim\r"], "a word typed blindly is known as such")
    t.equal([(r["cols"], r["rows"]) for r in of(new, "size", tty=tty)], [(100, 30), (120, 40)], "its sizes")
    t.equal(sum(r["skipped"] for r in of(new, "data")), 0, "nothing was left out")
    visits = {r["visit"] for r in typed}
    t.equal(visits, {of(new, "visit")[0]["visit"]}, "all of one visit")
    note = of(new, "content")
    t.check(any(r["texts"][:2] == [b"/tmp/note", b"hello\n"] for r in note), "the file it wrote comes, too", note)


def files(t, g):
    body = os.urandom(50000)
    with open(f"{g.dir}/up", "wb") as f:
        f.write(body)
    at = len(g.records)
    g.run(g.client("scp", f"{g.dir}/up", "root@127.0.0.1:/root/brought", port="-P"))
    g.wait(lambda r: r["type"] == "content" and r["flags"] & 1, 20, at)
    new = g.settle(at)
    parts = of(new, "content")
    t.check(b"".join(r["texts"][1] for r in parts) == body and parts[0]["texts"][0] == b"/root/brought" and
            parts[0]["size"] == 50000 and [r["flags"] for r in parts][-1] == 1, "a file brought by scp comes",
            [(r["offset"], r["size"], r["flags"], r["texts"][0]) for r in parts])
    t.check(len(heard(new, 2)) < 1000, "not a second time as typed", len(heard(new, 2)))
    at = len(g.records)
    g.run(g.client("ssh", "root@127.0.0.1", "cd /tmp; echo 'echo hi' >a; mv a b; chmod +x b; ./b; sleep 1; rm b; echo x >>/root/brought"))
    g.wait(lambda r: r["type"] == "content" and r["texts"][0] == b"/root/brought", 20, at)
    new = g.settle(at)
    did = [(r["op"], *r["texts"]) for r in of(new, "file") if r["texts"][0].startswith((b"/tmp/", b"/root/"))]
    t.equal(did, [(1, b"/tmp/a", b""), (3, b"/tmp/a", b"/tmp/b"), (4, b"/tmp/b", b""), (2, b"/tmp/b", b""),
                  (1, b"/root/brought", b"")], "written, renamed, made executable, deleted, appended to")
    t.equal(of(new, "file", op=4)[0]["mode"] & 0o111, 0o111, "with its new mode")
    first = of(new, "content")[0]
    t.check(first["texts"][0] in (b"/tmp/a", b"/tmp/b") and first["texts"][1] == b"echo hi\n",
            "the small program comes under one of its names", first)
    at = len(g.records)
    g.sh("echo by-nobody >/root/brought; rm /root/brought")
    g.wait(lambda r: False, 1)
    t.equal(of(g.records[at:], "file"), [], "what no visit does to files is not told")


def many(t, g, n):
    """n files as fast as they come: each is told or counted, the session works on."""
    at = len(g.records)
    out, _ = g.run(g.client("ssh", "root@127.0.0.1",
                            f"cd /tmp; i=0; while [ $i -lt {n} ]; do echo $i >f$i; i=$((i+1)); done; echo all"), 120)
    t.equal(out, b"all\n", "many files are written")
    new = g.settle(at)
    g.wait(lambda r: r["type"] == "beat", 5, len(g.records))
    g.wait(lambda r: r["type"] == "beat", 5, len(g.records))
    new = g.records[at:]
    told = len([r for r in of(new, "file", op=1) if r["texts"][0].startswith(b"/tmp/f")])
    counted = [sum(int.from_bytes(r["by_type"][8 * k:8 * k + 8], "little") for r in of(new, "lost")) for k in (11, 12)]
    t.equal(told + counted[0], n, f"each is told or counted ({told}, {counted[0]})")
    contents = len([r for r in of(new, "content") if r["texts"][0].startswith(b"/tmp/f")])
    t.check(100 < contents <= n - counted[1], f"contents come or are counted ({contents}, {counted[1]})")


def main(t):
    need("qemu-system-x86_64", "sshpass", "ssh", "scp", "ssh-keygen")
    folder = image()
    disk = ["-drive", f"file={folder}/disk.raw,if=none,id=d,format=raw,snapshot=on", "-device",
            "virtio-blk-pci,drive=d"]
    with Server(folder, MONITOR, 384, ("-accel", "tcg,tb-size=128", "-cpu", "max,-svm,-la57", *disk)) as g:
        hello = g.wait(lambda r: r["type"] == "hello", 240)
        if not t.check(hello, "the monitor says hello", g.console_text[-2000:]):
            return
        missing = {"tty", "pipe", "unix", "file", "unlink", "rename"} - monitor.hooks(hello["hooks"])
        t.check(not missing, "its hooks are attached", missing)
        g.sh("while ! pidof sshd; do sleep 0.5; done", 90)
        for part in (logins, no_terminal, terminal, files, much):
            part(t, g)
        many(t, g, 3000)


if __name__ == "__main__":
    tap.run(main)
