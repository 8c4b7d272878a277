#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest
"""Nothing passes uninspected: the wall is killed, stopped, restarted, its rules are reloaded every second and its
memory runs out, while a mixed load runs in which every second message is one that a rule stops. Outside nobody
ever sees one of these. A long-lived ssh session survives the reloads."""
import os
import signal
import socket
import sys
import threading
import time

import common  # noqa
import tap
from honeynet import WEB, WEB6, Honeynet, guest, in_netns, need, wait_for

EVIL, GOOD = b"evil-in-the-middle", b"good-in-the-middle"
RULES = """
drop udp any any -> any 4200 (msg:"evil datagram"; content:"evil-in-the-middle"; sid:1; rev:%d;)
drop tcp any any -> any 4201 (msg:"evil stream"; content:"evil-in-the-middle"; sid:2; rev:%d;)
drop icmp any any -> any any (msg:"evil ping"; content:"evil-in-the-middle"; sid:3; rev:%d;)
rewrite tcp any any -> any 4202 (msg:"evil made harmless"; content:"evil-in-the-middle"; replace:"was-evil"; sid:4; rev:%d;)
"""
# From the bare guest: datagrams, pings and connections without end, good and evil in turn.
LOAD = r"""
import itertools, os, random, socket, struct, sys, threading, time
WEB, WEB6, EVIL, GOOD = sys.argv[1], sys.argv[2], b"evil-in-the-middle", b"good-in-the-middle"
end = time.time() + float(sys.argv[3])
def datagrams(to, family):
    for n in itertools.count():
        if time.time() > end: return
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            try:
                s.sendto(b"%08d " % n + (EVIL if n % 2 else GOOD) + b" x" * (n % 300), (to, 4200))
            except OSError: pass
        time.sleep(0.002)
def connections(to, family, port):
    draw = random.Random(port)
    for n in itertools.count():
        if time.time() > end: return
        word = EVIL if n % 2 else GOOD
        s = socket.socket(family, socket.SOCK_STREAM); s.settimeout(0.5)
        try:
            s.connect((to, port)); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            cut = draw.randrange(1, len(word))
            s.sendall(b"hello " + word[:cut]); time.sleep(0.002); s.sendall(word[cut:] + b" bye")
            s.recv(100)
        except OSError: pass
        s.close()
def pings():
    ident = os.getpid() & 0xffff
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    for n in itertools.count():
        if time.time() > end: return
        try: s.sendto(struct.pack("!BBHHH", 8, 0, 0, ident, n & 0xffff) + (EVIL if n % 2 else GOOD), (WEB, 0))
        except OSError: pass
        time.sleep(0.005)
jobs = [threading.Thread(target=datagrams, args=(WEB, socket.AF_INET)),
        threading.Thread(target=datagrams, args=(WEB6, socket.AF_INET6)), threading.Thread(target=pings)]
for port in (4201, 4202):
    jobs.append(threading.Thread(target=connections, args=(WEB, socket.AF_INET, port)))
    jobs.append(threading.Thread(target=connections, args=(WEB6, socket.AF_INET6, port)))
[j.start() for j in jobs]; [j.join() for j in jobs]
"""
UNLIMITED = {"limits": {k: "none" for k in ("tcp", "udp", "icmp", "other", "dns", "lateral")},
             "caps": {"guest_pps": "none", "guest_bytes": "none", "flow_pps": "none", "flow_bytes": "none"}}


class Listener:
    """The far end of the streams: what each connection said, whole."""

    def __init__(self, net, port):
        self.got, self.socks = [], []
        for family, address in ((socket.AF_INET, WEB), (socket.AF_INET6, WEB6)):
            def make(family=family, address=address):
                s = socket.socket(family, socket.SOCK_STREAM)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind((address, port))
                s.listen(64)
                return s
            s = in_netns(net.lab, make)
            self.socks.append(s)
            threading.Thread(target=self.run, args=(s,), daemon=True).start()

    def run(self, sock):
        while True:
            try:
                conn, _ = sock.accept()
            except OSError:
                return
            threading.Thread(target=self.hear, args=(conn,), daemon=True).start()

    def hear(self, conn):
        data = b""
        conn.settimeout(3)
        try:
            while True:
                more = conn.recv(4096)
                if not more:
                    break
                data += more
                conn.sendall(b"ok")
        except OSError:
            pass
        self.got.append(data)
        conn.close()

    def close(self):
        for s in self.socks:
            s.shutdown(socket.SHUT_RDWR)    # wakes who waits in accept
            s.close()


def write_rules(net, rev):
    path = f"{net.dir}/test.rules"
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(RULES % (rev, rev, rev, rev))
    os.rename(path + ".new", path)
    return path


def load_while(net, seconds, what):
    """Runs the load, calls what() meanwhile; returns what arrived outside and what the listeners heard."""
    listeners = [Listener(net, 4201), Listener(net, 4202)]
    outside = net.sniff_outside()
    mark = outside.mark()
    job = net.start_in(net.guest_ns("bare"), sys.executable, "-c", LOAD, WEB, WEB6, str(seconds))
    what(time.monotonic() + seconds)
    out = job.communicate(timeout=seconds + 60)[0]
    time.sleep(1)
    raw = [f.raw for f in outside.since(mark, out=False)]
    outside.stop()
    for one in listeners:
        one.close()
    assert job.returncode == 0, out
    return raw, listeners


def verdict(t, name, raw, listeners):
    whole = [r for r in raw if EVIL in r]
    good = [r for r in raw if GOOD in r]
    t.check(len(good) > 50 and not whole, f"{name}: {len(raw)} frames outside, {len(good)} good ones, no evil one",
            (len(good), whole[:3]))
    evil = [g for one in listeners for g in one.got if EVIL in g]
    t.check(not evil, f"{name}: {sum(len(one.got) for one in listeners)} conversations heard, none evil", evil[:3])


def reloads(t, net):
    ssh = net.start_in(net.lab, *net.ssh_argv("web1", "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo tick $i; sleep 1; "
                                              "done; echo end"))
    done = []

    def every_second(end):
        rev = 2
        while time.monotonic() < end:
            write_rules(net, rev)
            p = net.skep("rules", "reload")
            done.append(p.returncode)
            rev += 1
            time.sleep(max(0.0, 1 - 0.3))
    raw, listeners = load_while(net, 12, every_second)
    verdict(t, "a reload every second", raw, listeners)
    t.check(len(done) >= 8 and not any(done), f"{len(done)} reloads went well", done)
    out = ssh.communicate(timeout=30)[0].decode()
    t.check(ssh.returncode == 0 and out.count("tick") == 12 and "end" in out, "a long-lived ssh session survives them", out)
    harmless = [g for g in listeners[1].got if b"was-evil" in g]
    t.check(harmless, f"{len(harmless)} evil streams arrived harmless", listeners[1].got[:3])


def from_alert_to_packets(t, net):
    """skep events -k alert names each; skep pcap --alert gives its conversation."""
    lines = [x for x in net.skep("events", "-k", "alert", "-n", "0").stdout.splitlines() if "evil datagram" in x]
    t.check(lines and "[1:1:" in lines[-1] and "#" in lines[-1], "alerts are listed with sid and id", lines[-2:])
    out = f"{net.dir}/alert.pcapng"
    p = net.skep("pcap", "--alert", lines[-1].split("#")[-1], "-o", out)
    with open(out, "rb") as f:
        t.check(p.returncode == 0 and EVIL in f.read(), "from an alert to its packets", p.stderr)
    p = net.skep("pcap", "--alert", "12345", "--count")
    t.check(p.returncode == 1 and "skep events" in p.stderr, "... and an alert that is none", p.stderr)


def killed(t, net):
    pids = []

    def kill(end):
        while time.monotonic() < end - 2:
            pid = wait_for(lambda: net.role_pid("wall"), 5)
            if pid and pid not in pids:
                pids.append(pid)
                time.sleep(1.0)
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.2)
    raw, listeners = load_while(net, 12, kill)
    verdict(t, f"killed {len(pids)} times", raw, listeners)
    t.check(len(pids) >= 3, "it was")
    wait_for(lambda: net.role_pid("wall") not in pids, 20)


def held(t, net):
    def hold(end):
        while time.monotonic() < end - 2:
            pid = net.role_pid("wall")
            if pid:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.5)
                os.kill(pid, signal.SIGCONT)
            time.sleep(0.5)
    raw, listeners = load_while(net, 8, hold)
    verdict(t, "stopped and continued", raw, listeners)


HOLD = r"""
import socket, sys, time
socks = []
for i in range(3000):
    s = socket.socket(); s.setblocking(False)
    s.connect_ex((sys.argv[1], 4203)); socks.append(s)
    if i % 50 == 0: time.sleep(0.02)
time.sleep(1)
chunk = b"GET /" + b"a" * 4000
end = time.time() + float(sys.argv[2])
while time.time() < end:
    for s in socks:
        try: s.send(chunk)
        except OSError: pass
    time.sleep(0.05)
"""


def short_of_memory(t, net):
    """Thousands of half-finished requests: the inspection has 16 MB for all of it."""
    sink = Listener(net, 4203)

    def hold(end):
        job = net.start_in(net.guest_ns("bare"), sys.executable, "-c", HOLD, WEB, "8")
        job.communicate(timeout=90)
        assert time.monotonic() < end + 60
    raw, listeners = load_while(net, 14, hold)
    sink.close()
    verdict(t, "memory used up", raw, listeners)
    drops = net.status()
    t.check(net.role_pid("wall"), "the wall lives", drops)


def main(t):
    need("ip", "ssh", "sshpass")
    guests = [guest("web1", "tiny", 10), guest("bare", "none", 30)]
    with Honeynet(guests, wall=UNLIMITED, rules={"files": ["RULES"]}) as net:
        net.settings["rules"]["files"] = [write_rules(net, 1)]
        net.write_conf()
        net.up(wait=False)
        # While its guest boots:
        with Honeynet([guest("bare", "none", 30)], wall=UNLIMITED, rules={"files": ["RULES"], "memory": "16MB"}) as small:
            small.settings["rules"]["files"] = [write_rules(small, 1)]
            small.write_conf()
            small.up()
            short_of_memory(t, small)
        t.check(wait_for(lambda: net.ssh("web1", "true").returncode == 0, 120), "the guest lets us in", net.log())
        reloads(t, net)
        from_alert_to_packets(t, net)
        killed(t, net)
        held(t, net)


if __name__ == "__main__":
    tap.run(main)
