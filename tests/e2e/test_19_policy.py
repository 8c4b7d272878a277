#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces asan
"""The containment policy and orders at run time, on a running honeynet with bare guests: verdicts of
rules on real sockets, fences, lockdown, overrides and ignored networks; each an event; a new wall acts
by them too; what has a time ends by itself."""
import os
import signal
import sys

import common  # noqa
import tap
from honeynet import INTRUDER, WEB, WEB6, Honeynet, guest, need, wait_for

SERVE = """import socket,sys
s=socket.create_server(('0.0.0.0',int(sys.argv[1])))
print('ready',flush=True)
while True:
    c,peer=s.accept(); c.recv(100); c.sendall(f'{sys.argv[2]} {peer[0]}'.encode()); c.close()
"""
ASK = """import socket,sys
try:
    c=socket.create_connection((sys.argv[1],int(sys.argv[2])),float(sys.argv[3])); c.settimeout(5)
    c.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')
    print('from',c.getpeername()[0],c.recv(100).decode() or 'open')
except OSError as e: print(type(e).__name__)
"""
UDP = """import socket,sys
s=socket.socket(); s.close()
s=socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET,socket.SOCK_DGRAM); s.settimeout(5)
s.connect((sys.argv[1],int(sys.argv[2]))); s.send(b'x')
try: print(s.recv(100))
except OSError as e: print(type(e).__name__)
"""
POLICY = [
    {"verdict": "reflect", "guests": ["a"], "to": ["10.0.0.0/8"], "reflect_to": "b"},
    {"verdict": "redirect", "proto": "tcp", "ports": ["8000-8099"], "redirect_to": WEB, "redirect_port": 80},
    {"verdict": "redirect", "proto": "tcp", "ports": [6667, 8888]},
    {"verdict": "reject", "proto": "tcp", "ports": [23]},
    {"verdict": "reject", "proto": "udp", "to": "outside", "ports": [7777]},
    {"verdict": "limit", "proto": "tcp", "to": "outside", "ports": [80], "per": "destination",
     "connections": ["2/1h"]},
    {"verdict": "forward", "to": "outside", "proto": "tcp", "ports": [81]},
]


def ask(net, name, to, port, patience=4):
    return net.run_in(net.guest_ns(name), sys.executable, "-c", ASK, to, str(port), str(patience)).stdout.strip()


def rules(t, net):
    got = ask(net, "a", "203.0.113.77", 8042)
    t.check(got.startswith("from 203.0.113.77"), "redirect: another port of the operator's server answers as asked",
            got)
    got = ask(net, "a", "203.0.113.78", 6667, 2)
    t.check(got.startswith("from 203.0.113.78") or got == "TimeoutError", "redirect: the sink takes it and is silent", got)
    t.check(wait_for(lambda: net.events("sink", guest="a", server_ip="203.0.113.78", server_port=6667), 10),
            "the sink tells whom it was meant for", net.events("sink"))
    t.equal(ask(net, "a", WEB, 23), "ConnectionRefusedError", "reject: a TCP reset")
    p = net.run_in(net.guest_ns("a"), sys.executable, "-c", UDP, WEB, "7777")
    t.equal(p.stdout.strip(), "ConnectionRefusedError", "reject: port unreachable for UDP")
    p = net.run_in(net.guest_ns("a"), sys.executable, "-c", UDP, WEB6, "7777")
    t.equal(p.stdout.strip(), "ConnectionRefusedError", "... and over IPv6")
    got = [ask(net, "a", WEB, 80, 2)[:4] for _ in range(3)]
    t.equal(got, ["from", "from", "Time"], "limit: two connections to one destination, not three")
    t.equal(ask(net, "a", WEB, 9999, 2)[:4], "Time", "what no rule matches is dropped")
    got = {e["connection"]["inside"]["dest_port"]: e["verdict"] for e in wait_for(
        lambda: net.connections(guest="a") if len(net.connections(guest="a")) >= 8 else None, 10) or []}
    t.equal({k: got.get(k) for k in (8042, 23, 7777, 80, 9999)},
            {8042: "redirect", 23: "reject", 7777: "reject", 80: "limit", 9999: "drop"}, "events say the verdict")


def reflect(t, net):
    server = net.start_in(net.guest_ns("b"), sys.executable, "-c", SERVE, "445", "b says to")
    try:
        server.stdout.readline()
        got = ask(net, "a", "10.44.5.6", 445)
    finally:
        server.kill()
        server.wait()
    t.equal(got, "from 10.44.5.6 b says to 10.99.0.30", "reflect: another honeypot answers as the target")
    e = wait_for(lambda: net.connections(guest="a", verdict="reflect"), 5)
    t.check(e and e[0]["connection"]["peer_guest"] == "b" and e[0]["connection"]["dest_ip"] == "10.44.5.6",
            "its event names the target and the honeypot", e)


def fence(t, net):
    t.equal(ask(net, "b", WEB, 81), "ConnectionRefusedError", "before the fence: b reaches the web server")
    p = net.skep("fence", "add", WEB, "--for", "4s")
    t.check(p.returncode == 0 and WEB in p.stdout, "skep fence add", p.stdout + p.stderr)
    t.check(ask(net, "b", WEB, 81, 1).startswith("Time"), "fenced: nothing")
    t.check(WEB in net.skep("status").stdout, "status shows the fence")
    got = wait_for(lambda: ask(net, "b", WEB, 81, 1) == "ConnectionRefusedError", 12)
    t.check(got, "its time is over: b reaches it again")
    want = [("on", WEB + "/32"), ("expired", WEB + "/32")]
    got = wait_for(lambda: [(e["containment"]["state"], e["containment"].get("prefix")) for e in
                            net.events("containment", what="fence")] == want, 10)
    t.check(got, "both are events", net.events("containment"))
    t.check("none" in net.skep("fence", "list").stdout, "skep fence list is empty again")
    t.check(net.skep("fence", "add", "1.2.3.4/8").returncode == 1, "a network with host bits is refused")
    t.check(net.skep("fence", "del", "192.0.2.99").returncode == 1, "taking off what is not on is an error")


def inbound(net):
    return net.run_lab(sys.executable, "-c", ASK, "203.0.113.30", "4444", "1").stdout.strip()


def lockdown(t, net):
    t.equal(inbound(net), "ConnectionRefusedError", "inbound: the guest's reset crosses")
    p = net.skep("lockdown", "on")
    t.check(p.returncode == 0 and "all" in p.stdout, "skep lockdown on", p.stdout + p.stderr)
    t.check(inbound(net).startswith("Time"), "lockdown: nothing crosses inbound")
    t.check(ask(net, "b", WEB, 81, 1).startswith("Time"), "... nor outbound")
    os.kill(net.role_pid("wall"), signal.SIGKILL)
    wait_for(lambda: net.status().get("orders", {}).get("in_force"), 10)
    t.check(inbound(net).startswith("Time"), "a new wall is locked down from its start")
    t.check("nothing crosses" in net.skep("status").stdout, "status shows it")
    net.skep("lockdown", "off", check=True)
    t.equal(inbound(net), "ConnectionRefusedError", "lockdown off: it crosses again")
    net.skep("lockdown", "on", "--outbound", check=True)
    t.equal(inbound(net), "ConnectionRefusedError", "lockdown --outbound: inbound conversations go on")
    t.check(ask(net, "b", WEB, 81, 1).startswith("Time"), "... outbound ones do not")
    net.skep("lockdown", "off", check=True)
    t.equal(ask(net, "b", WEB, 81, 3), "ConnectionRefusedError", "over: outbound as well")


def overrides(t, net):
    net.skep("policy", "set", "b", "reject", "--for", "1h", check=True)
    t.equal(ask(net, "b", WEB, 81, 3), "ConnectionRefusedError", "override: reject")
    shown = net.skep("policy", "show").stdout
    t.check("override b: reject" in shown and "verdict: reflect" in shown, "policy show: rules and orders", shown)
    net.skep("policy", "reset", "b", check=True)
    t.check(net.skep("policy", "set", "nobody", "drop").returncode == 1, "no such guest")
    t.check(net.skep("policy", "set", "b", "reflect").returncode == 1, "reflect needs a rule")
    net.skep("policy", "ignore", "add", f"{INTRUDER}/32", check=True)
    before = len(net.connections(direction="INBOUND"))
    t.check(inbound(net).startswith("Time"), "ignored: dropped silently")
    shown = net.skep("policy", "ignore", "list").stdout
    t.check(f"{INTRUDER}/32" in shown and " 0 dropped" not in shown, "and counted", shown)
    t.equal(len(net.connections(direction="INBOUND")), before, "without an event")
    net.skep("policy", "ignore", "del", f"{INTRUDER}/32", check=True)
    t.equal(inbound(net), "ConnectionRefusedError", "no longer ignored")


def main(t):
    need("ip", "nsenter")
    guests = [guest("a", "none", 30), guest("b", "none", 31)]
    with Honeynet(guests, policy=POLICY) as net:
        net.up()
        rules(t, net)
        reflect(t, net)
        fence(t, net)
        lockdown(t, net)
        overrides(t, net)


tap.run(main)
