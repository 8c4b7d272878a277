#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest asan
"""Done-when 2 and "Data control": real clients reach the honeypot over IPv4 and IPv6; the loghost is
reached by ssh through port 24 only, by key only, from listed sources only, and starts nothing; a
honeypot reaches the loghost for syslog and nothing else."""
import time

import common  # noqa
import tap
from honeynet import (DNS, INTRUDER, INTRUDER6, LOGHOST_FORWARDS, WEB, WEB6, Honeynet, guest,
                      need, wait_for)


def test_inbound(t, net):
    p = net.ssh("web1", "echo in-$((40+2)); uname -s")
    t.check(p.returncode == 0 and "in-42" in p.stdout and "Linux" in p.stdout,
            "ssh into the honeypot over IPv4", p.stdout + p.stderr)
    p = net.ssh("web1", "echo in-$((40+2))", v6=True)
    t.check("in-42" in p.stdout, "ssh into the honeypot over IPv6", p.stdout + p.stderr)
    p = net.ssh("web1", "true", user="root", password="certainly-wrong")
    t.check(p.returncode != 0 and "denied" in p.stderr, "a wrong password is refused", f"{p.returncode} {p.stderr}")
    for host in ("203.0.113.10", "[2001:db8:113::10]"):
        p = net.run_lab("curl", "-sS", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}",
                        f"http://{host}/")
        t.check(p.stdout in ("200", "403"), f"web page of http://{host}/", p.stdout + p.stderr)
    p = net.run_lab("ping", "-c", "3", "-i", "0.2", "-W", "2", "203.0.113.10")
    t.check(" 0% packet loss" in p.stdout, "ping", p.stdout)
    p = net.run_lab("ping", "-6", "-c", "3", "-i", "0.2", "-W", "2", "2001:db8:113::10")
    t.check(" 0% packet loss" in p.stdout, "ping over IPv6", p.stdout)
    data = "A" * 3_000_000
    p = net.run_lab(*net.ssh_argv("web1", "wc -c"), input=data, timeout=60)
    t.equal(p.stdout.strip(), "3000000", "3 MB arrive whole")
    p = net.ssh("web1", "head -c 3000000 /dev/zero | tr '\\0' B", timeout=60)
    t.check(p.stdout == "B" * 3_000_000, "3 MB come back whole", len(p.stdout))
    got = wait_for(lambda: net.connections(direction="INBOUND", dest_port=22), 5)
    t.check(any(e["connection"]["src_ip"] == INTRUDER and e["verdict"] == "forward"
                for e in got or []), "INBOUND events tell it", got)
    t.check(any(e["connection"]["src_ip"] == INTRUDER6 for e in got or []),
            "... over IPv6 as well", got)


def test_outbound(t, net):
    p = net.ssh("web1", f"nslookup www.example.com {DNS} || nslookup www.example.com")
    t.check("192.0.2." in p.stdout, "the guest resolves a name at the lab's name server",
            p.stdout + p.stderr)
    p = net.ssh("web1", f"wget -q -O - http://{WEB}/ | head -c 300")
    t.check(len(p.stdout) > 10, "the guest fetches a page from the lab's Internet",
            p.stdout + p.stderr)
    p = net.ssh("web1", f"wget -q -O - 'http://[{WEB6}]/' | head -c 300")
    t.check(len(p.stdout) > 10, "... over IPv6", p.stdout + p.stderr)
    got = wait_for(lambda: net.connections(direction="OUTBOUND", dest_ip=WEB), 5)
    t.check(got and got[0]["connection"]["guest"] == "web1" and
            got[0]["connection"]["src_ip"] == "203.0.113.10",
            "OUTBOUND event with the public address", got)


def test_loghost_inbound(t, net):
    p = net.ssh_loghost("echo log-$((40+2))")
    t.check("log-42" in p.stdout, "ssh to the loghost through port 24", p.stdout + p.stderr)
    p = net.ssh_loghost("echo log-$((40+2))", v6=True)
    t.check("log-42" in p.stdout, "... over IPv6", p.stdout + p.stderr)
    p = net.run_lab("sshpass", "-p", "x", "ssh", "-p", "24", "-o", "StrictHostKeyChecking=no",
                    "-o", "UserKnownHostsFile=/dev/null", "-o", "PubkeyAuthentication=no",
                    "-o", "PreferredAuthentications=password,keyboard-interactive",
                    "-o", "ConnectTimeout=8", "root@203.0.113.10", "true", timeout=30)
    t.check(p.returncode != 0 and "ermission denied" in p.stderr and
            "password" not in p.stderr.split("ermission denied")[-1],
            "the loghost takes keys only", p.stderr)
    net.run_lab("ip", "addr", "add", "192.0.2.200/32", "dev", "lo")
    net.run_lab("ip", "route", "replace", "203.0.113.10/32", "dev", "uplink0", "src", "192.0.2.200")
    p = net.ssh_loghost("true", bind="192.0.2.200", timeout=30)
    net.run_lab("ip", "route", "del", "203.0.113.10/32")
    t.check(p.returncode == 255 and "denied" not in p.stderr,
            "port 24 is closed to a source that is not listed", p.stderr)
    t.check(wait_for(lambda: [e for e in net.connections(src_ip="192.0.2.200")
                              if e["verdict"] != "forward"], 5),
            "... with an event", net.connections(src_ip="192.0.2.200"))
    net.run_lab("ip", "route", "add", "10.99.0.0/24", "dev", "uplink0")
    for where in ("10.99.0.20", "2001:db8:113::20"):
        p = net.ssh_loghost("true", address=where, port=22, timeout=30)
        t.check(p.returncode == 255 and "log-" not in p.stdout and "denied" not in p.stderr,
                f"no way to the loghost's own address {where}", p.stderr)


def test_loghost_outbound(t, net):
    outside, side = net.sniff_outside(), net.sniff(net.guest_ns("bare"), "eth0")
    here = f"{WEB} 80", f"{INTRUDER} 22", "10.99.0.10 22", "10.99.0.30 22"
    for to in here:
        p = net.ssh_loghost(f"busybox nc -w 2 {to} </dev/null; echo rc=$?; "
                            f"busybox ping -c 1 -W 1 {to.split()[0]}", timeout=40)
        t.check("rc=0" not in p.stdout and "1 packets received" not in p.stdout,
                f"the loghost cannot reach {to}", p.stdout + p.stderr)
    p = net.ssh_loghost(f"busybox nslookup www.example.com {DNS}", timeout=40)
    t.check("Address 1: 192.0.2.8" not in p.stdout, "... nor ask for a name", p.stdout)
    own = [f for f in outside.since(out=False)
           if (f.is_syn or f.proto in (1, 17)) and f.src in ("10.99.0.20", "203.0.113.10")]
    t.equal([repr(f) for f in own], [], "nothing begun by the loghost was seen outside")
    t.equal([repr(f) for f in side.since(out=False) if f.src == "10.99.0.20"], [],
            "... nor at another guest")
    t.check(wait_for(lambda: [e for e in net.connections(guest="loghost")
                              if e["verdict"] != "forward"], 5), "events tell the attempts")


def test_syslog(t, net):
    """From the bare honeypot: what it may send to the loghost."""
    ns = net.guest_ns("bare")
    stamp = f"skeptest{int(time.time())}"
    send = ("import socket,sys\n"
            "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
            f"s.sendto(b'<13>Nov 23 20:00:00 bare probe: {stamp}u',('10.99.0.20',514))\n"
            "c=socket.create_connection(('10.99.0.20',514),5)\n"
            f"c.sendall(b'<13>Nov 23 20:00:00 bare probe: {stamp}t\\n')\n"
            "c.close()\n")
    p = net.run_in(ns, "python3", "-c", send, timeout=30)
    t.equal(p.returncode, 0, "syslog to the loghost over UDP and TCP is taken")

    def arrived():
        p = net.ssh_loghost(f"grep -rhs {stamp} /var/log", timeout=30)
        return f"{stamp}u" in p.stdout and f"{stamp}t" in p.stdout
    t.check(wait_for(arrived, 20, 1), "... and is found there",
            net.ssh_loghost(f"grep -rs {stamp} /var/log; ls -la /var/log").stdout)
    for port in (22, 80, 513, 515, 6514):
        try_it = ("import socket\ntry:\n socket.create_connection(('10.99.0.20',%d),1.5)\n"
                  " print('open')\nexcept ConnectionRefusedError: print('refused')\n"
                  "except OSError as e: print('no')" % port)
        p = net.run_in(ns, "python3", "-c", try_it, timeout=20)
        t.check(p.stdout.strip() == "no" or (p.stdout.strip() == "refused"
                                             and wait_for(lambda: [
                                                 e for e in net.connections(guest="bare",
                                                                            dest_port=port)
                                                 if e["verdict"] != "forward"], 3)),
                f"tcp port {port} of the loghost is closed to a honeypot", p.stdout + p.stderr)
    p = net.run_in(ns, "ping", "-c", "1", "-W", "1", "10.99.0.20")
    t.check(p.returncode != 0, "... and ping", p.stdout)


def main(t):
    need("ssh", "sshpass", "curl", "ping")
    guests = [guest("web1", "tiny", 10), guest("loghost", "loghost", 20, kind="loghost"),
              guest("bare", "none", 30)]
    with Honeynet(guests, forwards=LOGHOST_FORWARDS) as net:
        net.up()
        test_inbound(t, net)
        test_outbound(t, net)
        test_loghost_inbound(t, net)
        test_syslog(t, net)
        test_loghost_outbound(t, net)


tap.run(main)
