#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest asan
"""Done-when 4, second half: kill -9 of wall while a flood runs: no frame outside until it is back,
within 2 s; limits already used stay used; an event tells it. The same for every other role: what
must go on goes on. If super dies, the wall ends."""
import os
import signal
import sys
import time

import common  # noqa
import tap
from honeynet import WEB, Honeynet, guest, need, sanitized, wait_for

CONNECTS = """import socket,time
socks=[]
for i in range(%d):
    s=socket.socket(); s.setblocking(False); s.connect_ex(('""" + WEB + """',%d+i)); socks.append(s)
time.sleep(1.5)
"""
# A flow inside its caps: 200 packets a second, numbered.
STREAM = """import socket,time
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.connect(('""" + WEB + """',4100))
end=time.time()+%d; n=0
while time.time()<end:
    try: s.send(b'n%%08d'%%n); n+=1
    except OSError: pass
    time.sleep(0.005)
"""


def outside_syns(sniffer, low, mark=0):
    return {f.dport for f in sniffer.since(mark, out=False)
            if f.is_syn and f.dst == WEB and low <= f.dport < low + 100}


def wall_dies(t, net, outside):
    ns = net.guest_ns("bare")
    net.run_in(ns, sys.executable, "-c", CONNECTS % (12, 7000), timeout=30)
    t.equal(len(outside_syns(outside, 7000)), 12, "12 connections go out before")
    stream = net.start_in(ns, sys.executable, "-c", STREAM % 8)
    wait_for(lambda: [f for f in outside.since(out=False) if f.dport == 4100], 5)
    pid = net.role_pid("wall")
    os.kill(pid, signal.SIGKILL)
    died = time.time_ns()
    back = wait_for(lambda: net.role_pid("wall") not in (0, pid), 5, 0.02)
    t.check(back, "super starts a new wall", net.log())

    def next_frame():
        return [s for s, o, d, _ in list(outside.frames)
                if not o and s > died + 20_000_000 and d[12:14] in (b"\x08\x00", b"\x86\xdd")]
    first = wait_for(next_frame, 6, 0.02)
    gap = (first[0] - died) / 1e9 if first else 99
    bound = 2 if not sanitized() else 5
    t.check(0.02 < gap < bound, f"no frame outside until it is back, {gap * 1000:.0f} ms later")
    stream.wait(20)
    new = net.role_pid("wall")
    t.check(new and new != pid, "... under another pid")
    mark = outside.mark()
    net.run_in(ns, sys.executable, "-c", CONNECTS % (14, 7100), timeout=30)
    t.equal(len(outside_syns(outside, 7100, mark)), 8,
            "limits already used stay used: 8 of 14 more go out")
    e = wait_for(lambda: [e for e in net.events("health", role="wall")
                          if e["health"]["what"] == "died"], 5)
    t.check(e and e[0]["health"]["signal"] == 9, "an event tells that it died of signal 9",
            net.events("health"))
    t.check(wait_for(lambda: [e for e in net.events("health", role="wall")
                              if e["health"]["what"] == "restarted"], 5), "... and was restarted",
            net.events("health"))


def nothing_without_a_wall(t, net, outside):
    """super is held for a moment, so that the gap is long enough to look into."""
    stream = net.start_in(net.guest_ns("other"), sys.executable, "-c", STREAM % 4)
    start = outside.mark()
    wait_for(lambda: [f for f in outside.since(start, out=False) if f.dport == 4100], 5)
    boss, wall = net.super_pid(), net.role_pid("wall")
    os.kill(boss, signal.SIGSTOP)
    try:
        os.kill(wall, signal.SIGKILL)
        time.sleep(0.1)
        mark = outside.mark()
        time.sleep(0.8)
        got = outside.since(mark, out=False)
    finally:
        os.kill(boss, signal.SIGCONT)
    t.equal([repr(f) for f in got], [], "0.8 s without a wall: not one frame outside")
    mark = outside.mark()
    t.check(wait_for(lambda: [f for f in outside.since(mark, out=False) if f.dport == 4100], 3),
            "... and it flows again when it is back")
    stream.wait(20)


def midstream_is_not_picked_up(t, net):
    """A TCP conversation older than the wall: reset or dropped, never passed unseen."""
    server = net.start_in(net.lab, sys.executable, "-c", "import socket,time\n"
                          "s=socket.socket();s.setsockopt(1,2,1);s.bind(('%s',4200));s.listen()\n"
                          "c,_=s.accept();c.settimeout(6)\n"
                          "try: print('got',c.recv(10),flush=True)\n"
                          "except OSError as e: print(type(e).__name__,flush=True)" % WEB)
    time.sleep(0.7)
    client = net.start_in(net.guest_ns("other"), sys.executable, "-c",
                          f"import socket,sys\nc=socket.create_connection(('{WEB}',4200),5)\n"
                          "print('open',flush=True);sys.stdin.readline()\n"
                          "try:\n c.sendall(b'unseen');c.settimeout(5);print(c.recv(1))\n"
                          "except OSError as e: print(type(e).__name__)", stdin=-1)
    t.equal(client.stdout.readline(), b"open\n", "a conversation is open")
    pid = net.role_pid("wall")
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: net.role_pid("wall") not in (0, pid), 6, 0.05)
    time.sleep(0.3)
    client.stdin.write(b"\n")
    client.stdin.flush()
    client.wait(20)
    said, heard = client.stdout.read().decode(), None
    server.kill()
    heard = server.stdout.read().decode()
    t.check("got b'unseen'" not in heard, "... which the new wall does not pick up unseen", heard)
    t.check("ConnectionReset" in said or "imeout" in said, f"... the guest sees: {said.strip()}")


def role_dies(t, net, outside, role):
    pid = net.role_pid(role)
    if not t.check(pid > 1, f"{role} runs", net.status()):
        return
    stream = net.start_in(net.guest_ns("other"), sys.executable, "-c", STREAM % 3)
    time.sleep(0.7)
    mark = outside.mark()
    os.kill(pid, signal.SIGKILL)
    back = wait_for(lambda: net.role_pid(role) not in (0, pid), 5, 0.05)
    stream.wait(20)
    got = [x for x in outside.since(mark, out=False) if x.dport == 4100]
    t.check(back, f"{role} comes back after kill -9", f"{net.status()}\n{net.log()}")
    t.check(len(got) > 200, f"... and traffic went on meanwhile ({len(got)} packets)")
    t.check(wait_for(lambda: [e for e in net.events("health", role=role)
                              if e["health"]["what"] == "died"] or
                     [e for e in net.events("health")
                      if e["health"]["what"] == "died" and role in json_text(e)], 8),
            "... and an event tells it", net.events("health"))


def json_text(e):
    import json
    return json.dumps(e)


def recorder_still_records(t, net):
    net.run_lab("ping", "-c", "1", "-W", "2", "203.0.113.30")
    time.sleep(1.5)
    p = net.skep("pcap", "--guest", "bare", "--since", "30s", "-o", f"{net.dir}/after.pcapng")
    t.check(p.returncode == 0 and os.path.getsize(f"{net.dir}/after.pcapng") > 200,
            "the new recorder records", p.stdout + p.stderr)


def qemu_dies(t, net):
    pid = net.qemu_pid("web1")
    os.kill(pid, signal.SIGKILL)
    back = wait_for(lambda: net.qemu_pid("web1") not in (0, pid), 15, 0.1)
    t.check(back, "a killed guest is started again", net.log())
    p = wait_for(lambda: [p for p in [net.ssh("web1", "echo again")] if "again" in p.stdout], 60, 1)
    t.check(p, "... and answers ssh with the same password")
    states = [e["guest"]["state"] for e in net.events("guest", guest="web1")]
    t.check("died" in states and states.count("running") >= 2, "... events tell it", states)


def ended(pid):
    """Has the process ended? (A zombie has: it is init's to collect, in its own time.)"""
    try:
        with open(f"/proc/{pid}/stat") as h:
            return h.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


def super_dies(t, net, outside):
    stream = net.start_in(net.guest_ns("other"), sys.executable, "-c", STREAM % 3)
    time.sleep(0.5)
    wall = net.role_pid("wall")
    os.kill(net.super_pid(), signal.SIGKILL)
    t.check(wait_for(lambda: ended(wall), 2 if not sanitized() else 5, 0.02),
            "the wall ends with super", net.processes())
    time.sleep(0.2)
    mark = outside.mark()
    stream.wait(20)
    left = [x for x in outside.since(mark, out=False) if x.dport == 4100]
    t.equal(len(left), 0, "... and nothing leaves any more")
    t.check(wait_for(lambda: not net.processes(), 5, 0.1), "no process of ours is left",
            net.processes())
    p = net.skep("up", timeout=120)
    t.equal(p.returncode, 0, "skep up heals")
    net.dress(net.guest_index("bare"))
    mark = outside_again = net.sniff_outside()
    net.run_in(net.guest_ns("bare"), sys.executable, "-c", CONNECTS % (10, 7300), timeout=30)
    t.equal(len(outside_syns(outside_again, 7300)), 0,
            "limits used before super died are still used after it")


def main(t):
    need("ssh", "sshpass")
    with Honeynet([guest("web1", "tiny", 10), guest("bare", "none", 30),
                   guest("other", "none", 31)]) as net:
        net.up()
        outside = net.sniff_outside()
        wall_dies(t, net, outside)
        nothing_without_a_wall(t, net, outside)
        midstream_is_not_picked_up(t, net)
        for role in ("recorder", "hub", "ledger", "keeper"):
            role_dies(t, net, outside, role)
        recorder_still_records(t, net)
        qemu_dies(t, net)
        super_dies(t, net, outside)


tap.run(main)
