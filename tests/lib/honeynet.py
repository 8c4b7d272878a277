# SPDX-License-Identifier: BSD-2-Clause
"""A whole honeynet for a test: its own name, folders and users, so that several can run at once.

    with Honeynet([guest("web1", "tiny", 10), guest("bare", "none", 30)]) as net:
        net.up()
        net.ssh("web1", "uname -a")

The binary is $SKEP, else build/src/cmd/skep of this source tree. Everything is taken down when the
block ends, also after a failed assertion or a signal.
"""
import atexit
import ctypes
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import frames  # noqa: E402
import host  # noqa: E402
from tap import Skip  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKEP = os.path.abspath(os.environ.get("SKEP", os.path.join(ROOT, "build/src/cmd/skep")))
CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA, PACKET_STATISTICS = 263, 8, 6
INTRUDER, INTRUDER6 = "198.51.100.66", "2001:db8:66::66"
WEB, WEB6, DNS = "192.0.2.80", "2001:db8:80::80", "192.0.2.53"
GATEWAY, GATEWAY6, GATEWAY_MAC = "10.99.0.1", "fe80::1", "02:4c:1f:9a:00:01"
SSH_OPTIONS = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
               "-o", "LogLevel=ERROR", "-o", "NumberOfPasswordPrompts=1", "-F", "/dev/null"]

libc = ctypes.CDLL(None, use_errno=True)


def need(*programs):
    for p in programs:
        if shutil.which(p) is None:
            raise Skip(f"{p} is not installed")


def sanitized():
    """Is the binary under test a sanitizer build? (Slower; its filters allow more.)"""
    out = subprocess.run(["ldd", SKEP], capture_output=True, text=True).stdout
    return "libasan" in out


def flood_program():
    """tests/lib/flood.c, from the build or built now."""
    path = os.path.normpath(os.path.join(os.path.dirname(SKEP), "../../tests/lib/flood"))
    if os.access(path, os.X_OK):
        return path
    out = "/tmp/skt-flood-%d" % os.getpid()
    need("cc")
    atexit.register(lambda: os.path.exists(out) and os.unlink(out))
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", out, f"{ROOT}/tests/lib/flood.c"], check=True)
    return out


def wait_for(what, seconds=10, step=0.05):
    """Calls what() until it returns something true, which is returned; else the last answer."""
    end = time.monotonic() + seconds
    while True:
        got = what()
        if got or time.monotonic() > end:
            return got
        time.sleep(step)


def guest(name, image, n, kind="honeypot", **more):
    """One guest entry; n makes its addresses. public=None: none."""
    g = {"name": name, "kind": kind, "image": image, "inside": f"10.99.0.{n}",
         "inside6": f"2001:db8:113::{n}", "mac": f"52:54:00:99:00:{n:02x}"}
    if kind == "honeypot":
        g.update(public=f"203.0.113.{n}", public6=f"2001:db8:113::{n}")
    if image == "tiny":
        g["memory"] = "128MB"
        g["tb_size"] = 32
    g.update(more)
    return {k: v for k, v in g.items() if v is not None}


LOGHOST_FORWARDS = [
    {"public": "203.0.113.10", "port": 24, "proto": "tcp", "guest": "loghost", "guest_port": 22,
     "sources": ["198.51.100.0/24"]},
    {"public": "2001:db8:113::10", "port": 24, "proto": "tcp", "guest": "loghost",
     "guest_port": 22, "sources": ["2001:db8:66::/64"]},
]


def yaml(value, indent=0):
    """Enough YAML for our settings: mappings, lists, plain scalars."""
    pad = "  " * indent
    out = ""
    if isinstance(value, dict):
        for k, v in value.items():
            if isinstance(v, (dict, list)) and v:
                out += f"{pad}{k}:\n{yaml(v, indent + 1)}"
            else:
                out += f"{pad}{k}: {scalar(v)}\n"
    else:
        for v in value:
            if isinstance(v, dict):
                body = yaml(v, indent + 1)
                out += f"{pad}- {body.lstrip()}"
            else:
                out += f"{pad}- {scalar(v)}\n"
    return out


def scalar(v):
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, (list, dict)):
        return "[]" if isinstance(v, list) else "{}"
    return f'"{v}"' if isinstance(v, str) and (":" in v or v == "") else str(v)


def merge(a, b):
    for k, v in b.items():
        if isinstance(v, dict) and isinstance(a.get(k), dict):
            merge(a[k], v)
        else:
            a[k] = v
    return a


def in_netns(path, call):
    """Runs call() in a thread that has entered the namespace; what it opens stays there."""
    box = {}

    def body():
        try:
            fd = os.open(path, os.O_RDONLY)
            try:
                if libc.setns(fd, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns " + path)
            finally:
                os.close(fd)
            box["got"] = call()
        except BaseException as e:  # noqa: handed to the caller
            box["error"] = e

    t = threading.Thread(target=body)
    t.start()
    t.join()
    if "error" in box:
        raise box["error"]
    return box["got"]


class Sniffer:
    """Every frame of one link, both ways, until stop(). frames: (time_ns, out, bytes, partial checksum)."""

    def __init__(self, netns, link):
        self.link, self.frames, self.lost = link, [], 0
        self.open = True
        self.sock = in_netns(netns, lambda: self._socket(link))
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    @staticmethod
    def _socket(link):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        try:
            s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        except OSError:
            pass
        s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        s.bind((link, ETH_P_ALL))
        s.settimeout(0.1)
        return s

    def _read(self):
        while self.open:
            try:
                data, anc, _, addr = self.sock.recvmsg(70000, 64)
            except socket.timeout:
                continue
            except OSError:
                return
            partial = False
            for level, kind, aux in anc:
                if level == SOL_PACKET and kind == PACKET_AUXDATA:
                    partial = bool(aux[0] & 0x08)
                # struct tpacket_auxdata: the kernel keeps a VLAN tag beside the frame.
                if level == SOL_PACKET and kind == PACKET_AUXDATA and aux[0] & 0x10:
                    data = data[:12] + b"\x81\x00" + aux[17:15:-1] + data[12:]
            self.frames.append((time.time_ns(), addr[2] == 4, data, partial))

    def mark(self):
        """Position for since()."""
        return len(self.frames)

    def since(self, mark=0, out=None):
        """Frames as frames.Seen after mark; out: True only sent by this link, False received."""
        return [frames.Seen(d) for _, o, d, _ in self.frames[mark:] if out is None or o == out]

    def stop(self):
        if self.open:
            time.sleep(0.15)
            self.open = False
            self.thread.join()
            self.sock.close()


class Port:
    """Raw frames into and out of one link, as the machine behind it could send them."""

    def __init__(self, netns, link):
        self.sock = in_netns(netns, lambda: self._socket(link))

    @staticmethod
    def _socket(link):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        s.bind((link, 0))
        return s

    def send(self, frame):
        self.sock.send(frame)

    def close(self):
        self.sock.close()


class Honeynet:
    count = 0

    def __init__(self, guests, forwards=None, home=None, outside=None, **settings):
        """home: path of the network namespace that is the host's, where skep is run; else our own.
        outside: path of the one in which an intruder sits; else the lab."""
        if not os.access(SKEP, os.X_OK):
            raise Skip(f"{SKEP} is not built")
        need("ip", "nsenter")
        if any(g["image"] != "none" for g in guests):
            need("qemu-system-x86_64")
        Honeynet.count += 1
        self.name = f"skt-{os.getpid()}" + (f"-{Honeynet.count}" if Honeynet.count > 1 else "")
        self.dir = tempfile.mkdtemp(prefix=self.name + ".", dir="/tmp")
        os.chmod(self.dir, 0o711)
        self.uid_base = 100000 + (os.getpid() * 8 + Honeynet.count) % 1000000 * 256
        self.guests = guests
        self.settings = merge({
            "mode": "lab", "name": self.name, "state_dir": f"{self.dir}/state",
            "run_dir": f"{self.dir}/run", "uid_base": self.uid_base,
            "recorder": {"disk": "256MB", "file": "16MB"},
            # The same everywhere, and without a probe for KVM each time. test_11 takes "auto".
            "accel": "tcg",
            "cache_dir": os.environ.get("SKEP_TEST_CACHE", "/var/cache/skep"),
            "guests": guests, "forwards": forwards or [],
        }, settings)
        self.conf = f"{self.dir}/skep.yaml"
        self.write_conf()
        self.home = home
        self.ns, self.lab = f"/run/netns/{self.name}", outside or f"/run/netns/{self.name}-lab"
        self.sniffers, self.ports = [], []
        self.logs = {}  # open files: super.log goes with `down`, what it said at the end must not
        self.closed = False
        atexit.register(self.close)
        for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(s, lambda n, f: sys.exit(128 + n))

    def write_conf(self):
        with open(self.conf, "w") as h:
            h.write(yaml(self.settings))

    def __enter__(self):
        return self

    def __exit__(self, kind, *a):
        self.close()
        said = self.sanitizer()
        if said and kind is None:
            raise AssertionError(f"the sanitizer complains:\n{said}")
        if said:
            print(f"#   the sanitizer complains:\n# {said}", flush=True)

    def hold_log(self):
        try:
            log = open(f"{self.dir}/run/super.log", errors="replace")
            self.logs.setdefault(os.fstat(log.fileno()).st_ino, log)
        except OSError:
            pass

    def sanitizer(self):
        """What address, leak or undefined sanitizer said in any process, or an empty text."""
        for log in self.logs.values():
            log.seek(0)
            text = log.read()
            at = re.search(r"ERROR: \w+Sanitizer|runtime error:|Sanitizer:DEADLYSIGNAL", text)
            if at:
                return text[max(0, at.start() - 300):at.start() + 3000]
        return ""

    # ---- the program under test ------------------------------------------------------------

    def skep(self, *args, timeout=120, env=None, check=False):
        e = dict(os.environ, SKEP_CONF=self.conf, NO_COLOR="1", **(env or {}))
        try:
            self.hold_log()
            p = subprocess.run([*self.at_home(), SKEP, *args], capture_output=True, text=True,
                               timeout=timeout, env=e, stdin=subprocess.DEVNULL, errors="replace")
            self.hold_log()
        except subprocess.TimeoutExpired as t:
            raise AssertionError(f"skep {' '.join(args)} took over {timeout} s: {t.stdout!r} "
                                 f"{t.stderr!r}") from None
        if check and p.returncode != 0:
            raise AssertionError(f"skep {' '.join(args)}: exit {p.returncode}\n{p.stdout}{p.stderr}"
                                 f"\n{self.log()}")
        return p

    def at_home(self):
        return ["nsenter", f"--net={self.home}"] if self.home else []

    def build_images(self):
        for image in sorted({g["image"] for g in self.guests} - {"none"}):
            self.skep("image", "build", image, timeout=900, check=True)

    def up(self, timeout=180, wait=True):
        """wait=False: everything runs, but honeypots may not have come up yet."""
        self.build_images()
        p = self.skep("up", *([] if wait else ["--no-wait"]), timeout=timeout, check=True)
        self.dress_all()
        return p

    def dress_all(self):
        for i, g in enumerate(self.guests):
            if g["image"] == "none":
                self.dress(i)

    def dress(self, i):
        """Gives the bare namespace behind guest i the guest's addresses and routes."""
        g, n = self.guests[i], self.settings.get("network", {})
        bits = n.get("inside", "/24").split("/")[1]
        ns = f"/run/netns/{self.name}-g{i}"
        self.run_in(ns, "ip", "link", "set", "lo", "up", check=True)
        self.run_in(ns, "sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0",
                    "net.ipv6.conf.eth0.disable_ipv6=0", "net.ipv6.conf.eth0.accept_ra=0",
                    "net.ipv4.ping_group_range=0 2147483647")
        self.run_in(ns, "ip", "link", "set", "eth0", "up", check=True)
        self.run_in(ns, "ip", "addr", "replace", f"{g['inside']}/{bits}", "dev", "eth0", check=True)
        self.run_in(ns, "ip", "addr", "replace", g["inside6"] + "/64", "dev", "eth0", "nodad",
                    check=True)
        self.run_in(ns, "ip", "route", "replace", "default", "via", n.get("gateway", GATEWAY), check=True)
        self.run_in(ns, "ip", "-6", "route", "replace", "default", "via", GATEWAY6, "dev", "eth0",
                    check=True)

    def down(self):
        return self.skep("down", timeout=60)

    def ask(self, request):
        """One request to super's control socket; {} if nobody answers."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            try:
                s.connect(f"{self.dir}/run/control.sock")
                s.sendall(json.dumps(request).encode())
                s.shutdown(socket.SHUT_WR)
                text = b"".join(iter(lambda: s.recv(65536), b""))
                return json.loads(text)
            except (OSError, ValueError):
                return {}

    def status(self):
        return self.ask({"do": "status"})

    def role_pid(self, role):
        """Pid of a role by its name in status ("wall", "keeper web1"...), or 0."""
        for r in self.status().get("roles", []):
            if r["name"] == role or r["name"].replace("-", " ").split()[0] == role:
                return r.get("pid") or 0
        return 0

    def super_pid(self):
        try:
            with open(f"{self.dir}/run/super.pid") as h:
                return int(h.read())
        except (OSError, ValueError):
            return 0

    def guardian_pid(self):
        """Pid of the child of super that cleans up after it, or 0."""
        boss = self.super_pid()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat") as h:
                    name, _, rest = h.read().partition(" (")[2].rpartition(")")
            except OSError:
                continue
            if name == "skep-guardian" and rest.split()[0] not in "ZX" and int(rest.split()[1]) == boss:
                return int(pid)
        return 0

    def qemu_pid(self, name):
        for g in self.status().get("guests", []):
            if g["name"] == name:
                return g.get("pid") or 0
        return 0

    def processes(self):
        return host.processes(self.uid_base, [self.dir])

    def log(self):
        try:
            with open(f"{self.dir}/run/super.log", errors="replace") as h:
                return h.read()[-6000:]
        except OSError:
            return "(no super.log)"

    # ---- events -----------------------------------------------------------------------------

    def lines(self, stream):
        """All events of "skep" or "eve" so far, straight from the files."""
        out = []
        for path in sorted(glob.glob(f"{self.dir}/state/events/**/{stream}*.json*",
                                     recursive=True)):
            with open(path, errors="replace") as h:
                for line in h:
                    try:
                        out.append(json.loads(line))
                    except ValueError:
                        pass  # the last line may be half written
        return out

    def events(self, kind, **want):
        """Events of one kind of skep.json; want: keys of the body or the top that must equal."""
        out = []
        for e in self.lines("skep"):
            if e.get("event_type") != kind:
                continue
            body = e.get("activity" if kind == "incident" else kind) or {}
            if all((body[k] if k in body else e.get(k)) == v for k, v in want.items()):
                out.append(e)
        return out

    def connections(self, **want):
        return self.events("connection", **want)

    # ---- in the namespaces ------------------------------------------------------------------

    def guest_index(self, name):
        return [g["name"] for g in self.guests].index(name)

    def guest_ns(self, name):
        return f"/run/netns/{self.name}-g{self.guest_index(name)}"

    def run_in(self, ns, *argv, timeout=60, check=False, input=None):
        p = subprocess.run(["nsenter", f"--net={ns}", *argv], capture_output=True, text=True,
                           timeout=timeout, input=input, errors="replace",
                           stdin=subprocess.DEVNULL if input is None else None)
        if check and p.returncode != 0:
            raise AssertionError(f"{' '.join(argv)}: exit {p.returncode}\n{p.stdout}{p.stderr}")
        return p

    def run_lab(self, *argv, **kw):
        return self.run_in(self.lab, *argv, **kw)

    def link_mac(self, ns, link):
        return json.loads(self.run_in(ns, "ip", "-j", "link", "show", link,
                                      check=True).stdout)[0]["address"]

    def gate_mac(self, address="203.0.113.30"):
        """Link address under which the wall answers outside for a public address."""
        self.run_lab("ping", "-c", "1", "-W", "1", address)
        got = [w for w in self.run_lab("ip", "neigh", "show", address).stdout.split()
               if w.count(":") == 5]
        return got[0] if got else ""

    def start_in(self, ns, *argv, **kw):
        kw.setdefault("stdout", subprocess.PIPE)
        kw.setdefault("stderr", subprocess.STDOUT)
        return subprocess.Popen(["nsenter", f"--net={ns}", *argv], **kw)

    def sniff(self, ns, link):
        s = Sniffer(ns, link)
        self.sniffers.append(s)
        return s

    def sniff_outside(self):
        return self.sniff(self.lab, "uplink0")

    def port(self, ns, link):
        p = Port(ns, link)
        self.ports.append(p)
        return p

    def port_of(self, name):
        """Raw frames as the bare guest of that name."""
        return self.port(self.guest_ns(name), "eth0")

    # ---- into the guests ----------------------------------------------------------------------

    def creds(self, name):
        """{"accounts": [{"user", "password"}...], "ssh_key": path, "hostname"...}"""
        p = self.skep("guest", "creds", name, "--json", check=True)
        got = json.loads(p.stdout)
        if isinstance(got, dict) and "guests" in got:
            got = got["guests"]
        if isinstance(got, list):
            got = [x for x in got if x.get("name", x.get("guest")) == name][0]
        if name in got:
            got = got[name]
        return got

    def ssh_argv(self, name, *command, user=None, password=None, v6=False, address=None, port=22):
        g = self.guests[self.guest_index(name)]
        if password is None:
            account = self.creds(name)["accounts"][0]
            user, password = user or account["user"], account["password"]
        to = address or (g["public6"] if v6 else g["public"])
        return ["sshpass", "-p", password, "ssh", *SSH_OPTIONS, "-p", str(port), "-o",
                "PreferredAuthentications=password", "-o", "PubkeyAuthentication=no", "-o",
                "ConnectTimeout=15", f"{user}@{to}", *command]

    def ssh(self, name, *command, timeout=60, **kw):
        return self.run_lab(*self.ssh_argv(name, *command, **kw), timeout=timeout)

    def ssh_loghost(self, *command, v6=False, key=None, address=None, port=24, timeout=60,
                    ns=None, bind=None, options=()):
        key = key or self.creds("loghost")["ssh_key"]
        to = address or ("2001:db8:113::10" if v6 else "203.0.113.10")
        source = ["-b", bind] if bind else []
        user = (self.creds("loghost").get("accounts") or [{"user": "root"}])[0]["user"]
        return self.run_in(ns or self.lab, "ssh", *SSH_OPTIONS, *source, "-i", key, "-p",
                           str(port), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", *options,
                           "-o", "ConnectTimeout=8", f"{user}@{to}", *command, timeout=timeout)

    # ---- the end ------------------------------------------------------------------------------

    def close(self):
        if self.closed:
            return
        self.closed = True
        for s in self.sniffers:
            s.stop()
        for p in self.ports:
            p.close()
        try:
            self.skep("down", timeout=60)
        except (AssertionError, OSError) as e:
            print(f"#   down: {e}", flush=True)
        for line in self.processes():
            print(f"#   left behind, killed now: {line}", flush=True)
            try:
                os.kill(int(line.split()[0]), signal.SIGKILL)
            except OSError:
                pass
        for suffix in ["", "-lab"] + [f"-g{i}" for i in range(len(self.guests))]:
            if os.path.exists(f"/run/netns/{self.name}{suffix}"):
                print(f"#   left behind, removed now: {self.name}{suffix}", flush=True)
                subprocess.run(["ip", "netns", "del", self.name + suffix], capture_output=True)
        if os.environ.get("SKEP_TEST_KEEP"):
            print(f"#   kept: {self.dir}", flush=True)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)
