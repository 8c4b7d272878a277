# SPDX-License-Identifier: BSD-2-Clause
"""What the host keeps of the inside of guests, as a test looks at it; and a visitor at a terminal."""
import fcntl
import glob
import json
import os
import pty
import re
import struct
import subprocess
import termios
import threading
import time


def text_of(path):
    try:
        with open(path, "rb") as h:
            return h.read().decode("utf-8", "replace")
    except OSError:
        return ""


class Kept:
    """The folder of a honeynet's collector."""

    def __init__(self, net):
        self.net = net
        self.dir = f"{net.dir}/state/inside"

    def log(self, guest="web1"):
        return "".join(text_of(p) for p in sorted(glob.glob(f"{self.dir}/log/{guest}/*.log")))

    def shell(self, guest="web1"):
        """Lines of the modified shell."""
        return "\n".join(x for x in self.log(guest).splitlines() if " line=" in x)

    def records(self):
        out = []
        for p in sorted(glob.glob(f"{self.dir}/sessions/*/*.json")):
            if not p.endswith("cowrie.json"):
                try:
                    out.append(json.loads(text_of(p)))
                except ValueError:
                    pass  # being written
        return out

    def casts(self):
        """{path: {"o": what was shown, "i": what was typed}}"""
        out = {}
        for p in sorted(glob.glob(f"{self.dir}/sessions/*/*.cast")):
            kinds = {"o": [], "i": []}
            for line in text_of(p).splitlines()[1:]:
                try:
                    _, kind, data = json.loads(line)
                except ValueError:
                    continue
                if kind in kinds:
                    kinds[kind].append(data)
            out[p] = {k: "".join(v) for k, v in kinds.items()}
        return out

    def bytes(self):
        """Files together: what a budget is about."""
        return sum(os.lstat(os.path.join(d, f)).st_size for d, _, names in os.walk(self.dir) for f in names
                   if os.path.exists(os.path.join(d, f)))


def resident(pid):
    m = re.search(r"^VmRSS:\s+(\d+)", text_of(f"/proc/{pid}/status"), re.M)
    return int(m[1]) * 1024 if m else 0


class Terminal:
    """ssh with a terminal of known size; what it shows is read all the time."""

    def __init__(self, net, name, user, password, cols=80, rows=24, v6=False):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        argv = net.ssh_argv(name, user=user, password=password, v6=v6)
        at = argv.index("ssh")
        self.cols, self.rows = cols, rows
        self.child = subprocess.Popen(["nsenter", f"--net={net.lab}", *argv[:at + 1], "-tt", *argv[at + 1:]],
                                      stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                      env=dict(os.environ, TERM="xterm"))
        os.close(slave)
        self.fd, self.shown, self.last = master, bytearray(), time.monotonic()
        self.count = 0
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while True:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return
            if not data:
                return
            self.shown += data
            self.last = time.monotonic()

    def send(self, text):
        os.write(self.fd, text.encode())

    def wait(self, what, seconds=60, start=0):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if what.encode() in self.shown[start:]:
                return True
            time.sleep(0.02)
        return False

    def quiet(self, seconds=0.5, most=20):
        """Until nothing has been shown for that long."""
        end, begin = time.monotonic() + most, time.monotonic()
        while time.monotonic() < end:
            if time.monotonic() - max(self.last, begin) > seconds:
                return True
            time.sleep(0.02)
        return False

    def settle(self, seconds=60):
        """Until the shell has answered; the answer is not in what is typed."""
        self.count += 1
        start = len(self.shown)
        self.send(f"echo end-$((4200+{self.count}))\r")
        return self.wait(f"end-{4200 + self.count}", seconds, start)

    def close(self):
        if self.child.poll() is None:
            self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.thread.join(2)
        os.close(self.fd)


def let_root_in(net, name, password):
    """Before the first boot of a guest with a disk: root may come in by ssh. Nobody draws such an account, but an
    intruder who became root is what tests need."""
    net.build_images()
    net.skep("up", "--no-wait", timeout=300, check=True)
    net.down()
    folder = f"{net.dir}/state/guests/{name}"
    os.unlink(f"{folder}/overlay.qcow2")  # of the disk as it was; nothing has run on it yet
    shadow = subprocess.run(["debugfs", "-R", "cat /etc/shadow", f"{folder}/disk.raw"], capture_output=True, text=True,
                            check=True).stdout
    coded = subprocess.run(["openssl", "passwd", "-6", password], capture_output=True, text=True,
                           check=True).stdout.strip()
    files = {"/etc/shadow": (re.sub(r"^root:[^:]*:", lambda m: f"root:{coded}:", shadow, flags=re.M), "0100640"),
             "/etc/ssh/sshd_config.d/00-root.conf": ("PermitRootLogin yes\nMaxSessions 30\n", "0100644")}
    commands = []
    for i, (path, (text, mode)) in enumerate(files.items()):
        with open(f"{net.dir}/put{i}", "w") as h:
            h.write(text)
        commands += [f"rm {path}", f"write {net.dir}/put{i} {path}", f"sif {path} mode {mode}", f"sif {path} gid "
                     + ("42" if path.endswith("shadow") else "0"), f"sif {path} uid 0"]
    subprocess.run(["debugfs", "-w", "-f", "-", f"{folder}/disk.raw"], input="\n".join(commands) + "\n",
                   capture_output=True, text=True, check=True)
