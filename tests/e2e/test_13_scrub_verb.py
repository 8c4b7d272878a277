#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces asan
"""`skep scrub` between two namespaces: frames pass, rules act, --ids only watches, USR1 prints counters, HUP
takes new rules while a transfer runs, the wall's death and the end let nothing through."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import common  # noqa
import tap
from honeynet import SKEP, in_netns, need, sanitized, wait_for

A, B, B2 = "198.18.0.1", "198.18.0.2", "198.18.0.3"
A6, B6, B26 = "2001:db8:18::1", "2001:db8:18::2", "2001:db8:18::3"
NAME = f"sks{os.getpid()}"
DROP = 'drop tcp any any -> any any (msg:"evil"; content:"evil-word"; sid:1; rev:3;)\n'
PING = 'drop icmp any any -> any any (msg:"ping"; dsize:500; sid:2;)\n'
UDP = 'reject udp any any -> any 9000 (msg:"udp"; content:"bad"; sid:3;)\n'


def run(*argv, check=True, timeout=60, **kw):
    p = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, **kw)
    if check and p.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: {p.stdout}{p.stderr}")
    return p


class Wire:
    """Namespaces left, middle, right; the middle has the two ends that skep scrub takes."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix=NAME + ".", dir="/tmp")
        os.chmod(self.dir, 0o711)
        self.names = {k: f"{NAME}-{k}" for k in "abm"}
        self.proc = None

    def __enter__(self):
        for name in self.names.values():
            run("ip", "netns", "add", name)
        m = self.names["m"]
        for k, addr, addr6 in (("a", A, A6), ("b", B, B6)):
            ns = self.names[k]
            run("ip", "-n", m, "link", "add", "p" + k, "type", "veth", "peer", "name", "eth0", "netns", ns)
            run("ip", "netns", "exec", m, "sysctl", "-qw", f"net.ipv6.conf.p{k}.disable_ipv6=1")
            run("ip", "-n", m, "link", "set", "p" + k, "up")
            run("ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0",
                "net.ipv6.conf.eth0.accept_dad=0", "net.ipv4.ping_group_range=0 2147483647")
            run("ip", "-n", ns, "link", "set", "lo", "up")
            run("ip", "-n", ns, "link", "set", "eth0", "up")
            run("ip", "-n", ns, "addr", "add", addr + "/24", "dev", "eth0")
            run("ip", "-n", ns, "addr", "add", addr6 + "/64", "dev", "eth0", "nodad")
        run("ip", "-n", self.names["b"], "addr", "add", B2 + "/24", "dev", "eth0")
        run("ip", "-n", self.names["b"], "addr", "add", B26 + "/64", "dev", "eth0", "nodad")
        return self

    def __exit__(self, *a):
        self.end(signal.SIGKILL)
        for name in self.names.values():
            run("ip", "netns", "del", name, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, k):
        return f"/run/netns/{self.names[k]}"

    def inside(self, k, *argv, **kw):
        return run("nsenter", f"--net={self.path(k)}", *argv, check=False, **kw)

    def rules(self, text):
        with open(f"{self.dir}/one.rules", "w") as h:
            h.write(text)

    def argv(self, *args):
        return ["nsenter", f"--net={self.path('m')}", SKEP, "scrub", "-i", "pa:pb", *args]

    def start(self, *args):
        self.lines = []
        env = dict(os.environ, XDG_CACHE_HOME=self.dir)
        self.proc = subprocess.Popen(self.argv(*args), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     text=True, stdin=subprocess.DEVNULL, env=env)
        self.reader = threading.Thread(target=lambda: self.lines.extend(iter_lines(self.proc, self.lines)))
        self.reader.start()
        wait_for(lambda: self.said("ready") or self.proc.poll() is not None, 60)
        if not self.said("ready"):
            raise AssertionError("not ready: " + "".join(self.lines))

    def said(self, what, times=1):
        return sum(what in x for x in self.lines) >= times

    def kick(self, number):
        os.kill(self.child(), number)

    def child(self):
        """nsenter execs: the process is skep itself."""
        return self.proc.pid

    def wall(self):
        out = run("pgrep", "-P", str(self.child()), check=False).stdout.split()
        return int(out[0]) if out else 0

    def end(self, number=signal.SIGTERM):
        if self.proc is None:
            return None
        self.proc.send_signal(number)
        code = self.proc.wait(20)
        self.reader.join()
        self.proc = None
        return code


def iter_lines(proc, lines):
    for line in proc.stdout:
        lines.append(line)
    return []


def server(w, port, family=socket.AF_INET):
    address = B if family == socket.AF_INET else B6
    s = in_netns(w.path("b"), lambda: socket.create_server((address, port), family=family))

    def echo(c):
        with c:
            while True:
                try:
                    data = c.recv(65536)
                    if not data:
                        return
                    c.sendall(data)
                except OSError:
                    return

    def serve():
        while True:
            try:
                c, _ = s.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(c,), daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    return s


def connect(w, port, family=socket.AF_INET, timeout=5):
    def go():
        s = socket.socket(family)
        s.settimeout(timeout)
        s.connect((B if family == socket.AF_INET else B6, port))
        return s
    return in_netns(w.path("a"), go)


def echo(s, data):
    try:
        s.sendall(data)
        got = b""
        while len(got) < len(data):
            more = s.recv(65536)
            if not more:
                return None
            got += more
        return got
    except OSError:
        return None


def pings(w, to, size):
    return w.inside("a", "ping", "-c", "2", "-i", "0.2", "-W", "1", "-s", str(size), to).returncode == 0


def test_pass(t, w):
    t.check(pings(w, B, 56) and pings(w, B6, 56), "ping passes, v4 and v6")
    for family, what in ((socket.AF_INET, "v4"), (socket.AF_INET6, "v6")):
        s = connect(w, 7000 if family == socket.AF_INET else 7006, family)
        data = os.urandom(3 << 20)
        thread = threading.Thread(target=s.sendall, args=(data,))
        thread.start()
        got = b""
        while len(got) < len(data):
            more = s.recv(1 << 20)
            if not more:
                break
            got += more
        thread.join()
        t.check(got == data, f"3 MB there and back unchanged, {what}", len(got))
        s.close()


def test_tools(t, w):
    """Real tools: a web server and curl, ncat."""
    if not shutil.which("curl"):
        t.skip("a download with curl", "curl is not installed")
        return
    data = os.urandom(4 << 20)
    os.mkdir(f"{w.dir}/www")
    with open(f"{w.dir}/www/tool", "wb") as h:
        h.write(data)
    with open(f"{w.dir}/www/bad", "wb") as h:
        h.write(data[:100000] + b"evil-word" + data)
    web = subprocess.Popen(["nsenter", f"--net={w.path('b')}", "/usr/bin/python3", "-m", "http.server", "-b", B,
                            "-d", f"{w.dir}/www", "8080"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: w.inside("a", "curl", "-s", "-m", "2", f"http://{B}:8080/").returncode == 0, 10)
        p = w.inside("a", "curl", "-s", "-m", "20", "-o", f"{w.dir}/got", f"http://{B}:8080/tool")
        with open(f"{w.dir}/got", "rb") as h:
            t.check(p.returncode == 0 and h.read() == data, "a download with curl arrives as it is", p)
        p = w.inside("a", "curl", "-s", "-m", "3", "-o", f"{w.dir}/got", f"http://{B}:8080/bad")
        with open(f"{w.dir}/got", "rb") as h:
            got = h.read()
        t.check(p.returncode != 0 and len(got) < len(data) and b"evil-word" not in got,
                "one that a rule is against ends before the match", (p.returncode, len(got)))
    finally:
        web.kill()
        web.wait()


def test_drop(t, w):
    s = connect(w, 7000)
    t.equal(echo(s, b"evil-"), b"evil-", "half of the word passes")
    s.settimeout(1.5)
    t.equal(echo(s, b"word"), None, "the other half does not")
    t.equal(echo(s, b"hello"), None, "nor anything else of that conversation")
    s.close()
    s = connect(w, 7006, socket.AF_INET6, 1.5)
    t.equal(echo(s, b"an evil-word"), None, "v6 alike")
    s.close()
    t.check(not pings(w, B2, 500) and not pings(w, B26, 500), "ICMP and ICMPv6 that a rule drops")
    t.check(pings(w, B, 56), "others still pass")
    r = in_netns(w.path("b"), lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    r.bind((B, 9000))
    r.settimeout(1.5)
    u = in_netns(w.path("a"), lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    u.settimeout(1.5)
    u.connect((B, 9000))
    u.send(b"good")
    t.equal(r.recv(100), b"good", "UDP passes")
    u.send(b"bad")
    try:
        u.recv(100)
        refused = False
    except ConnectionRefusedError:
        refused = True
    except OSError:
        refused = False
    t.check(refused, "a rejected datagram is answered as refused")
    u.close()
    r.close()


class Datagrams:
    """One each millisecond, numbered; what does not arrive is lost: nobody sends it again."""

    def __init__(self, w):
        self.far = in_netns(w.path("b"), lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.far.bind((B, 9001))
        self.far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.far.settimeout(1)
        self.near = in_netns(w.path("a"), lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.near.connect((B, 9001))
        self.stop, self.sent, self.got = threading.Event(), 0, set()
        self.threads = [threading.Thread(target=f) for f in (self.send, self.receive)]
        for x in self.threads:
            x.start()

    def send(self):
        while not self.stop.is_set():
            self.near.send(b"%d" % self.sent)
            self.sent += 1
            time.sleep(0.001)

    def receive(self):
        while True:
            try:
                self.got.add(int(self.far.recv(100)))
            except OSError:
                return

    def end(self):
        self.stop.set()
        for x in self.threads:
            x.join()
        self.near.close()
        self.far.close()
        return self.sent, sorted(set(range(self.sent)) - self.got)


def test_reload(t, w):
    """New rules while a transfer runs: it goes on, and they hold for it."""
    s = connect(w, 7000, timeout=10)
    stop, done, bad = threading.Event(), [0], []

    def chat():
        while not stop.is_set():
            data = os.urandom(30000)
            if echo(s, data) != data:
                bad.append(done[0])
                return
            done[0] += 1
    thread = threading.Thread(target=chat)
    thread.start()
    datagrams = Datagrams(w)
    n = 3 if sanitized() else 8
    before = sum("rules in force" in x for x in w.lines)
    for i in range(n):
        w.rules(DROP + PING + UDP + "".join(
            f'alert tcp any any -> any any (content:"never-{i}-{k}"; sid:{100 + k};)\n' for k in range(i)))
        w.kick(signal.SIGHUP)
        if not wait_for(lambda: sum("rules in force" in x for x in w.lines) > before + i, 30):
            bad.append(f"reload {i} was not told")
            break
    stop.set()
    thread.join()
    sent, missing = datagrams.end()
    t.check(sent > 100 and not missing, f"of {sent} datagrams meanwhile none is lost", missing[:20])
    t.check(not bad and done[0] > 0, f"{n} reloads while a connection talks ({done[0]} times 30 kB)", bad)
    w.rules("alert tcp any any -> any any (content:\"evil\"; sid:9;)\n")
    w.kick(signal.SIGHUP)
    wait_for(lambda: w.said("1 rules in force"), 30)
    t.equal(echo(s, b"evil-word"), b"evil-word", "without the rule the word passes, in the same connection")
    w.rules(DROP + PING + UDP)
    w.kick(signal.SIGHUP)
    wait_for(lambda: sum("3 rules in force" in x for x in w.lines) >= 3, 30)
    s.settimeout(1.5)
    t.equal(echo(s, b"evil-word"), None, "with it again, it does not")
    s.close()
    w.rules("this is no rule\n")
    w.kick(signal.SIGHUP)
    t.check(wait_for(lambda: w.said("the old rules stay"), 30), "rules of which none can be used change nothing")
    w.rules(DROP + PING + UDP)


def hears(s, n):
    got = b""
    while len(got) < n:
        more = s.recv(n - len(got))
        if not more:
            break
        got += more
    return got


def test_replace(t, w):
    """What is replaced stays so over a reload, and lengths may differ."""
    listener = in_netns(w.path("b"), lambda: socket.create_server((B, 7100)))
    a = connect(w, 7100)
    b, _ = listener.accept()
    for s in (a, b):
        s.settimeout(5)
        # With Nagle the second half would wait for what the wall holds, which waits for the second half.
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    before = sum("rules in force" in x for x in w.lines)
    for i, word in enumerate([b"longer-than-before", b"short", b"public"]):
        w.rules(DROP + PING + UDP + f'alert tcp any any -> any 7100 (msg:"replace"; content:"secret"; '
                f'replace:"{word.decode()}"; sid:{20 + i};)\n')
        w.kick(signal.SIGHUP)
        if not wait_for(lambda: sum("rules in force" in x for x in w.lines) > before + i, 30):
            t.check(False, "a reload was told", w.lines[-3:])
            return
        want = b"the " + word + b" is " + word + b"."
        for cut in (0, 6, 9):
            text = b"the secret is secret."
            a.sendall(text[:cut])
            time.sleep(0.05)
            a.sendall(text[cut:])
            t.equal(hears(b, len(want)), want, f"replaced by {word.decode()}, cut at {cut}")
        b.sendall(b"back")
        t.equal(hears(a, 4), b"back", "and the other direction goes on")
    for s in (a, b, listener):
        s.close()


def test_wall_dies(t, w):
    pid = w.wall()
    t.check(pid > 0, "there is a wall of its own")
    ready = sum(x == "ready\n" for x in w.lines)
    os.kill(pid, signal.SIGSTOP)
    t.check(not pings(w, B, 56), "while the wall is stopped nothing crosses")
    os.kill(pid, signal.SIGKILL)
    t.check(wait_for(lambda: sum(x == "ready\n" for x in w.lines) > ready, 60), "a wall that dies comes back")
    t.check(pings(w, B, 56), "and forwards")
    s = connect(w, 7000, timeout=1.5)
    t.equal(echo(s, b"evil-word"), None, "with its rules")
    s.close()


def test_usage(t, w):
    w.rules(DROP)
    for args, code, words in ((("-S", "/nowhere"), 1, "/nowhere"),
                              (("-i", "pa"), 2, "two interfaces"), (("-i", "pa:pa"), 2, "different"),
                              (("-i", "pa:nothere", "-S", f"{w.dir}/one.rules"), 1, "nothere"),
                              (("-x",), 2, "--help")):
        p = run(*w.argv(*args), check=False)
        t.check(p.returncode == code and words in p.stderr, f"skep scrub {' '.join(args)}: exit {code}",
                f"{p.returncode} {p.stderr}")
    w.rules("this is no rule\n")
    p = run(*w.argv("-S", f"{w.dir}/one.rules"), check=False, env=dict(os.environ, XDG_CACHE_HOME=w.dir))
    t.check(p.returncode == 1 and "none of the 1 rules" in p.stderr, "it does not start without a rule that "
            "can be used", p.stderr)
    run("ip", "-n", w.names["m"], "link", "set", "pb", "down")
    w.rules(DROP)
    p = run(*w.argv("-S", f"{w.dir}/one.rules"), check=False)
    t.check(p.returncode == 1 and "ip link set pb up" in p.stderr, "nor with a link that is down", p.stderr)
    run("ip", "-n", w.names["m"], "link", "set", "pb", "up")


def threads(pid):
    out = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as h:
            lines = dict(x.rstrip("\n").split(":\t", 1) for x in h if ":\t" in x)
        out.append({k: lines[k].strip() for k in ("Seccomp", "CapEff", "NoNewPrivs")})
    return out


def eve(w, kind):
    with open(f"{w.dir}/out/eve.json") as h:
        return [e for e in map(json.loads, h) if e["event_type"] == kind]


def main(t):
    need("ip", "nsenter", "ping", "pgrep")
    with Wire() as w:
        test_usage(t, w)
        w.rules(DROP + PING + UDP)
        t.check(not pings(w, B, 56), "without skep scrub nothing crosses")
        w.start("-S", f"{w.dir}/one.rules", "-o", f"{w.dir}/out")
        listeners = [server(w, 7000), server(w, 7006, socket.AF_INET6)]
        test_pass(t, w)
        test_tools(t, w)
        test_drop(t, w)
        test_reload(t, w)
        test_replace(t, w)
        test_wall_dies(t, w)
        time.sleep(1.1)  # counters are copied once a second
        w.kick(signal.SIGUSR1)
        t.check(wait_for(lambda: w.said("rules, ") and w.said("pa: "), 5), "USR1 prints counters", w.lines[-9:])
        t.equal(w.end(), 0, "TERM: exit 0")
        t.check(w.said("alerts in") and w.said("conversations"), "with a summary", w.lines[-9:])
        t.check(not pings(w, B, 56), "after the end nothing crosses")
        alerts = [e["alert"] for e in eve(w, "alert")]
        t.check({1, 2, 3} <= {a["signature_id"] for a in alerts}, "eve.json has the alerts",
                sorted({a["signature_id"] for a in alerts}))
        t.check(all(a["action"] == "blocked" for a in alerts if a["signature_id"] < 9), "as blocked")

        w.start("-S", f"{w.dir}/one.rules", "--ids")
        s = connect(w, 7000)
        t.equal(echo(s, b"evil-word"), b"evil-word", "--ids: everything passes")
        s.close()
        t.check(wait_for(lambda: w.said('alert 1:1:3 "evil" TCP'), 5), "and the alert is printed",
                w.lines[-5:])
        t.equal(w.end(signal.SIGINT), 0, "INT: exit 0")

        w.start("-S", f"{w.dir}/one.rules")
        wall = w.wall()
        tasks = threads(wall)
        t.check(len(tasks) == 2 and all(x["Seccomp"] == "2" and int(x["CapEff"], 16) == 0 and
                                        x["NoNewPrivs"] == "1" for x in tasks),
                "both threads of the wall are confined", tasks)
        w.end(signal.SIGKILL)
        t.check(wait_for(lambda: not os.path.exists(f"/proc/{wall}"), 5), "without its parent the wall ends")
        t.check(not pings(w, B, 56), "and nothing crosses")
        for s in listeners:
            s.close()


tap.run(main)
