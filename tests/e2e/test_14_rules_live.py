#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces asan
"""Rules in the running honeynet: they are in force before the first frame, `skep rules reload` changes them
without losing a packet or a conversation, what can't be loaded changes nothing, and a wall that died
comes back with the newest."""
import os
import signal
import socket
import threading
import time

import common  # noqa
import tap
from honeynet import WEB, Honeynet, guest, in_netns, need, sanitized, wait_for

HOST = "203.0.113.30"
WORD = b"evil-word"


class Echo:
    """A TCP server in the guest's namespace that says back what it hears."""

    def __init__(self, ns, port):
        self.sock = in_netns(ns, lambda: socket.create_server(("0.0.0.0", port)))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    @staticmethod
    def one(c):
        while True:
            try:
                data = c.recv(65536)
                if not data:
                    return
                c.sendall(data)
            except OSError:
                return


def talk(net, port, timeout=3):
    def connect():
        s = socket.socket()
        s.settimeout(timeout)
        s.connect((HOST, port))
        return s
    return in_netns(net.lab, connect)


def says(s, data):
    """Sends, and what comes back; None: nothing in time, or the connection is dead."""
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


def write_rules(net, text):
    with open(f"{net.dir}/one.rules", "w") as h:
        h.write(text)


DROP = 'drop tcp any any -> any any (msg:"evil"; content:"evil-word"; sid:1;)\n'
OTHER = 'alert tcp any any -> any any (msg:"other"; content:"never-said-%d"; sid:%d;)\n'


def test_start(t, net):
    s = talk(net, 7000)
    t.equal(says(s, b"hello"), b"hello", "a conversation that no rule is against goes on")
    s.settimeout(1.5)
    t.equal(says(s, b"x" + WORD), None, "what a drop rule matches does not come back")
    t.equal(says(s, b"hello"), None, "nor anything else of that conversation")
    s.close()


def test_reload(t, net):
    s = talk(net, 7000)
    t.equal(says(s, b"evil-"), b"evil-", "half of the word passes")
    write_rules(net, OTHER % (1, 7) + DROP)
    p = net.skep("rules", "reload")
    t.equal(p.returncode, 0, "rules reload")
    t.check("2 rules of 1 file are in force" in p.stdout, "it says what is in force", p.stdout + p.stderr)
    s.settimeout(1.5)
    t.equal(says(s, b"word"), None, "the other half after the reload is stopped")
    s.close()
    write_rules(net, OTHER % (1, 7))
    t.equal(net.skep("rules", "reload").returncode, 0, "a reload without the rule")
    s = talk(net, 7000)
    t.equal(says(s, WORD), WORD, "then the word passes")
    s.close()


def test_bad(t, net):
    write_rules(net, DROP)
    t.equal(net.skep("rules", "reload").returncode, 0, "the rule is back")
    write_rules(net, "this is no rule\n")
    p = net.skep("rules", "reload")
    t.equal(p.returncode, 1, "a reload of nothing that can be used fails")
    t.check("the old ones stay" in p.stderr, "and says that the old ones stay", p.stderr)
    s = talk(net, 7000, 1.5)
    t.equal(says(s, WORD), None, "they do")
    s.close()
    write_rules(net, "this is no rule\n" + DROP)
    p = net.skep("rules", "reload")
    t.check(p.returncode == 1 and "1 rules" in p.stdout and "1 did not load" in p.stdout,
            "one bad rule among others is told and left out", p.stdout + p.stderr)
    os.rename(f"{net.dir}/one.rules", f"{net.dir}/gone")
    p = net.skep("rules", "reload")
    t.check(p.returncode == 1 and "one.rules" in p.stderr, "a file that is not there is told", p.stderr)


def test_long(t, net):
    """A connection that talks all the time survives reloads; not one byte is lost."""
    s = talk(net, 7000, 10)
    stop, trouble, done = threading.Event(), [], [0]

    def chat():
        while not stop.is_set():
            data = os.urandom(40000)
            if says(s, data) != data:
                trouble.append(done[0])
                return
            done[0] += 1
    thread = threading.Thread(target=chat)
    thread.start()
    reloads = 4 if sanitized() else 12
    bad = []
    for i in range(reloads):
        write_rules(net, DROP + "".join(OTHER % (i, 10 + k) for k in range(i % 3 + 1)))
        p = net.skep("rules", "reload")
        if p.returncode != 0:
            bad.append(p.stderr)
        time.sleep(0.5)
    stop.set()
    thread.join()
    t.equal(bad, [], f"{reloads} reloads while a connection talks")
    t.check(not trouble and done[0] > reloads, f"it went on all the time ({done[0]} times 40 kB)", trouble)
    s.settimeout(1.5)
    t.equal(says(s, WORD), None, "and the rule still holds for it")
    s.close()
    lost = net.status()["wall"]["kernel_drops"]
    t.equal(lost, 0, "no frame was lost at a port")
    rules = [e for e in net.events("health") if e["health"].get("what") == "rules"]
    t.check(len(rules) > reloads, "each is an event", len(rules))


def test_restart(t, net):
    """What the wall was given last is what its next life begins with."""
    write_rules(net, OTHER % (5, 9))
    net.skep("rules", "reload", check=True)
    write_rules(net, OTHER % (5, 9) + DROP)
    net.skep("rules", "reload", check=True)
    pid = net.role_pid("wall")
    os.kill(pid, signal.SIGKILL)
    t.check(wait_for(lambda: net.role_pid("wall") not in (0, pid), 30), "the wall comes back")
    s = wait_for(lambda: try_talk(net), 20)
    t.equal(says(s, b"hello"), b"hello", "it forwards")
    s.settimeout(1.5)
    t.equal(says(s, WORD), None, "with the newest rules")
    s.close()


class Storm:
    """Datagrams outwards, each a conversation of its own; every other one is what a rule is against."""

    def __init__(self, net):
        self.ns, self.stop, self.sent = net.guest_ns("bare"), threading.Event(), [0, 0]
        self.thread = threading.Thread(target=lambda: in_netns(self.ns, self.run))
        self.thread.start()

    def run(self):
        while not self.stop.is_set():
            for i, what in enumerate((b"good-word", WORD)):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                    s.sendto(b"%s %d" % (what, self.sent[i]), (WEB, 9))
                self.sent[i] += 1
            time.sleep(0.004)

    def end(self):
        self.stop.set()
        self.thread.join()


def test_storm(t, net):
    """Reloads and walls that die or stand still, under load: not one packet passes uninspected."""
    rule = DROP + DROP.replace("tcp", "udp").replace("sid:1", "sid:2")
    write_rules(net, rule)
    net.skep("rules", "reload", check=True)
    outside = net.sniff_outside()
    storm = Storm(net)
    for i in range(3):
        for k in range(2):
            write_rules(net, rule + OTHER % (i, 30 + k))
            net.skep("rules", "reload")
            time.sleep(0.5)
        pid = net.role_pid("wall")
        if i == 1:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.5)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: net.role_pid("wall") not in (0, pid), 30)
        net.skep("rules", "reload")  # while it starts: refused or done
    wait_for(lambda: try_talk(net), 20)
    time.sleep(0.5)
    storm.end()
    outside.stop()
    arrived = [d for _, out, d, _ in outside.frames if not out]
    good = sum(b"good-word" in d for d in arrived)
    evil = sum(WORD in d for d in arrived)
    t.check(good > 100, f"of {storm.sent[0]} good packets {good} arrive outside")
    t.equal(evil, 0, f"of {storm.sent[1]} others none")


def try_talk(net):
    try:
        return talk(net, 7000, 2)
    except OSError:
        return None


def main(t):
    need("ip", "nsenter")
    with Honeynet([guest("bare", "none", 30)]) as net:
        net.settings["rules"] = {"files": [f"{net.dir}/one.rules"], "vars": ["HOME_NET=[10.99.0.0/24]"]}
        net.settings["wall"] = {"limits": {"udp": "none"}, "caps": {"guest_pps": 100000}}
        net.settings["cache_dir"] = f"{net.dir}/cache"
        net.write_conf()
        write_rules(net, DROP)
        net.up()
        echo = Echo(net.guest_ns("bare"), 7000)
        test_start(t, net)
        test_reload(t, net)
        test_bad(t, net)
        test_long(t, net)
        test_restart(t, net)
        test_storm(t, net)
        echo.sock.close()
        write_rules(net, "this is no rule\n")
        net.down()
        p = net.skep("up")
        t.check(p.returncode != 0 and "none of the 1 rules can be used" in p.stdout + p.stderr,
                "no honeynet starts when none of its rules can be used", p.stdout + p.stderr)


tap.run(main)
