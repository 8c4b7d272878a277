#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest asan
"""Done-when 3: of 26 outbound TCP connections from inside the honeypot within a minute 20 go and 6
are limited, each with its event, and exactly 20 arrive outside. The same for UDP, ICMP (50) and
IPv6; an allowed flow that floods is capped; a conversation begun inside the limit goes on."""
import subprocess
import sys
import time

import common  # noqa
import tap
from honeynet import DNS, WEB, WEB6, Honeynet, guest, need, wait_for

# One shell loop for busybox and bash alike; each nc is one connection to a port of its own.
TCP_LOOP = ("i=0; while [ $i -lt 26 ]; do nc -w 3 %s $((7000+i)) </dev/null >/dev/null 2>&1 & "
            "i=$((i+1)); done; wait; echo done")

UDP = """import socket,time
for i in range(26):
    s=socket.socket(socket.%s,socket.SOCK_DGRAM)
    for again in range(3): s.sendto(b'x'*40,('%s',6000+i))
"""
TCP = """import socket,time
socks=[]
for i in range(26):
    s=socket.socket(socket.%s,socket.SOCK_STREAM); s.setblocking(False)
    s.connect_ex(('%s',5000+i)); socks.append(s)
time.sleep(2.5)
"""
PING = """import socket,struct,time
def c(d):
    s=sum(struct.unpack('!%%dH'%%(len(d)//2),d))
    while s>>16: s=(s&0xffff)+(s>>16)
    return ~s&0xffff
for i in range(56):
    s=socket.socket(socket.%(family)s,socket.SOCK_RAW,socket.%(proto)s)
    for seq in range(2):
        h=struct.pack('!BBHHH',%(kind)d,0,0,1000+i,seq)+b'skep'*8
        h=h[:2]+struct.pack('!H',c(h))+h[4:]
        s.sendto(h,('%(to)s',0))
"""


def judge_counts(t, net, what, total, allowed, **want):
    """The events of one experiment: total OUTBOUND, allowed of them forwarded, the rest limited."""
    def got():
        return net.connections(direction="OUTBOUND", **want)
    wait_for(lambda: len(got()) >= total, 10)
    time.sleep(0.3)
    verdicts = [e["verdict"] for e in got()]
    t.equal((len(verdicts), verdicts.count("forward"), verdicts.count("limit")),
            (total, allowed, total - allowed), f"{what}: {total} OUTBOUND events, {allowed} "
            f"forward, {total - allowed} limit")
    limits = net.events("limit", guest=want.get("guest"))
    t.check(limits, f"{what}: a limit event", limits)


def tcp_from_guest(t, net):
    outside = net.sniff_outside()
    tcpdump = subprocess.Popen(
        ["nsenter", f"--net={net.lab}", "tcpdump", "-i", "uplink0", "-n", "-l", "-U", "--immediate",
         f"tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn and dst host {WEB} and portrange 7000-7025"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    session = subprocess.Popen(["nsenter", f"--net={net.lab}", *net.ssh_argv("web1", "cat")],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    session.stdin.write("before\n")
    session.stdin.flush()
    t.equal(session.stdout.readline(), "before\n", "a session is open")
    long_lived(t, net, True)
    p = net.ssh("web1", TCP_LOOP % WEB, timeout=90)
    t.check("done" in p.stdout, "26 connections were tried from inside", p.stdout + p.stderr)
    time.sleep(1)
    ports = {f.dport for f in outside.since(out=False)
             if f.is_syn and f.dst == WEB and 7000 <= f.dport < 7026}
    # One more outbound connection was used up by the long-lived one.
    t.equal(len(ports), 19, "TCP: exactly 20 arrive outside (19 and the one begun before)")
    tcpdump.terminate()
    lines = tcpdump.communicate()[0].splitlines()
    t.equal(len({x.split(" > ")[1].split(":")[0] for x in lines if " > " in x}), 19,
            "tcpdump outside says the same")
    wait_for(lambda: len(net.connections(direction="OUTBOUND", guest="web1", proto="TCP")) >= 27, 8)
    time.sleep(0.3)
    events = net.connections(direction="OUTBOUND", guest="web1", proto="TCP")
    verdicts = [e["verdict"] for e in events]
    t.equal((len(verdicts), verdicts.count("forward"), verdicts.count("limit")), (27, 20, 7),
            "TCP: 1 + 26 OUTBOUND events, 20 forward and 7 limit")
    t.check(net.events("limit", guest="web1", what="tcp"), "TCP: a limit event names it",
            net.events("limit"))
    session.stdin.write("after\n")
    session.stdin.flush()
    t.equal(session.stdout.readline(), "after\n", "the intruder's session goes on past the limit")
    session.stdin.close()
    session.wait(10)
    long_lived(t, net, False)


def long_lived(t, net, start):
    """A conversation from inside to outside, begun inside the limit."""
    if start:
        server = ("import socket,sys\ns=socket.socket();"
                  "s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1);"
                  f"s.bind(('{WEB}',6999));s.listen();c,_=s.accept();f=c.makefile('rw')\n"
                  "for l in sys.stdin:\n f.write(l);f.flush();print(f.readline(),end='',flush=True)")
        net.server = net.start_in(net.lab, sys.executable, "-c", server, text=True,
                                  stdin=subprocess.PIPE)
        time.sleep(0.6)
        net.inner = subprocess.Popen(
            ["nsenter", f"--net={net.lab}",
             *net.ssh_argv("web1", f"mkfifo /tmp/p; cat /tmp/p | nc {WEB} 6999 > /tmp/p")],
            stdin=subprocess.DEVNULL)
        time.sleep(2.5 if not net.slow else 8)
    net.server.stdin.write("go on\n")
    net.server.stdin.flush()
    got = wait_line(net.server.stdout, 10)
    t.equal(got, "go on\n", "an outbound conversation " + ("is open" if start else
            "that began inside the limit goes on"))
    if not start:
        net.server.stdin.close()
        net.server.wait(5)
        net.inner.terminate()
        net.inner.wait()


def wait_line(stream, seconds):
    import select
    return stream.readline() if select.select([stream], [], [], seconds)[0] else "(nothing)"


def from_bare(t, net):
    ns, outside = net.guest_ns("bare"), net.sniff_outside()

    def run(code):
        p = net.run_in(ns, sys.executable, "-c", code, timeout=60)
        t.check(p.returncode == 0, "sender ran", p.stderr)
        time.sleep(1)

    def arrived(key, **want):
        return len({key(f) for f in outside.since(out=False)
                    if all(getattr(f, k) == v for k, v in want.items()) and
                    (f.proto != 6 or f.is_syn)})
    run(UDP % ("AF_INET", WEB))
    t.equal(arrived(lambda f: f.dport, proto=17, dst=WEB), 20, "UDP: 20 arrive outside")
    judge_counts(t, net, "UDP", 26, 20, guest="bare", proto="UDP")
    run(PING % {"family": "AF_INET", "proto": "IPPROTO_ICMP", "kind": 8, "to": WEB})
    t.equal(arrived(lambda f: f.ident, proto=1, dst=WEB), 50, "ICMP: 50 of 56 arrive outside")
    judge_counts(t, net, "ICMP", 56, 50, guest="bare", proto="ICMP")
    run(TCP % ("AF_INET6", WEB6))
    t.equal(arrived(lambda f: f.dport, proto=6, dst=WEB6), 20, "IPv6 TCP: 20 arrive outside")
    judge_counts(t, net, "IPv6 TCP", 26, 20, guest="bare", proto="TCP")
    before = outside.mark()
    run(TCP % ("AF_INET", WEB))
    t.equal([f for f in outside.since(before, out=False) if f.is_syn], [],
            "one budget for both families: IPv4 TCP has none left")


def from_bare6(t, net):
    """A second bare guest has budgets of its own."""
    ns, outside = net.guest_ns("bare6"), net.sniff_outside()
    p = net.run_in(ns, sys.executable, "-c", UDP % ("AF_INET6", WEB6), timeout=60)
    time.sleep(1)
    got = {f.dport for f in outside.since(out=False) if f.proto == 17 and f.dst == WEB6}
    t.equal(len(got), 20, "IPv6 UDP from another guest: 20 arrive outside")
    judge_counts(t, net, "IPv6 UDP", 26, 20, guest="bare6", proto="UDP")
    # The resolver has a budget of its own.
    q = ("import socket\n"
         "for i in range(30):\n s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
         f" s.sendto(b'\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\3www\\7example\\3com\\0\\0\\1\\0\\1',('{DNS}',53))\n")
    sink, before = net.sniff(net.ns, "sink"), outside.mark()
    net.run_in(ns, sys.executable, "-c", q, timeout=30)
    time.sleep(1)
    got = [f for f in sink.since(out=True) if f.proto == 17 and f.dst == DNS]
    t.equal(len(got), 30, "30 queries to the resolver pass: DNS has a budget of its own")
    got = [f for f in outside.since(before, out=False) if f.proto == 17 and f.dst == DNS]
    t.equal(got, [], "... but to the sink, not outside")
    t.check(p.returncode == 0, "sender ran", p.stderr)


def replies_do_not_count(t, net):
    """40 inbound connections to closed ports of the bare guest: its resets use no budget."""
    code = ("import socket\n"
            "for i in range(40):\n s=socket.socket(); s.settimeout(2)\n"
            " try: s.connect(('203.0.113.32',9000+i))\n"
            " except ConnectionRefusedError: print('refused')\n except OSError as e: print(e)\n")
    p = net.run_lab(sys.executable, "-c", code, timeout=100)
    t.equal(p.stdout.split().count("refused"), 40, "40 inbound connections are answered")
    p = net.run_in(net.guest_ns("flood"), sys.executable, "-c",
                   f"import socket;socket.create_connection(('{WEB}',80),5);print('open')")
    t.check("open" in p.stdout, "... and the guest still has its outbound budget",
            p.stdout + p.stderr)


def flood_is_capped(t, net):
    """One allowed UDP flow at full speed for 4 s: what leaves stays under the caps of the conf."""
    outside = net.sniff_outside()
    code = ("import socket,time\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
            f"s.connect(('{WEB}',4000)); end=time.time()+4; n=0\n"
            "while time.time()<end:\n for i in range(50):\n  try: s.send(b'f'*200); n+=1\n"
            "  except OSError: pass\nprint(n)")
    p = net.run_in(net.guest_ns("flood"), sys.executable, "-c", code, timeout=30)
    sent = int(p.stdout or 0)
    time.sleep(1)
    got = [f for f in outside.since(out=False) if f.proto == 17 and f.dport == 4000]
    t.check(sent > 4 * 2000, f"the guest sent {sent} packets in 4 s")
    # flow_pps 500 and one second's worth of burst at most.
    t.check(0 < len(got) <= 500 * 5 + 500, f"{len(got)} of them left: capped at 500 a second")
    e = wait_for(lambda: [e for e in net.events("limit", guest="flood")
                          if "pps" in e["limit"]["what"] or "bytes" in e["limit"]["what"]], 8)
    t.check(e and len(e) < 20, "a few limit events tell it", e)
    s = net.status()
    t.check(len(net.lines("skep")) < 600, "no event per packet", len(net.lines("skep")))
    t.check(s.get("wall"), "wall answers", s)


def main(t):
    need("ssh", "sshpass", "tcpdump")
    guests = [guest("web1", "tiny", 10), guest("bare", "none", 30), guest("bare6", "none", 31),
              guest("flood", "none", 32)]
    with Honeynet(guests, wall={"caps": {"flow_pps": 500}}) as net:
        from honeynet import sanitized
        net.slow = sanitized()
        net.up()
        from_bare(t, net)
        from_bare6(t, net)
        replies_do_not_count(t, net)
        flood_is_capped(t, net)
        tcp_from_guest(t, net)


tap.run(main)
