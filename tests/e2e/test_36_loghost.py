#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest site
"""Done-when 2 of the syslog server: lines lie by guest and day under the guests' names, whatever they claim and
however they are sent; it looks no name up and begins no conversation, not even with root on it; only syslog and
the forwarded ssh reach it; the host has a copy of its own, and `skep log diff` names what somebody altered."""
import json
import os
import socket
import ssl
import subprocess
import time

import common  # noqa
import tap
from honeynet import LOGHOST_FORWARDS, SKEP, Honeynet, guest, in_netns, wait_for

LOG, LOG6 = "10.99.0.20", "2001:db8:113::20"
DAY = time.strftime("%Y-%m-%d", time.gmtime())
STAMP = time.strftime("%b %e %H:%M:%S", time.gmtime())
LINES = [  # as they come in the wild, and as they don't
    f"<38>{STAMP} web1 sshd[311]: Accepted password for root from 198.51.100.66".encode(),
    f"<13>{STAMP} otherhost su: I claim to be another".encode(),
    b"<165>1 2026-11-28T10:00:00Z h app 7 ID47 [a@1 b=\"]\\\"\"] \xef\xbb\xbfstructured",
    b"<13>no time at all",
    b"no priority either",
    b"<13>escape \x1b]0;title\x07 \x1b[2J tab\there \xc3\xa4 \xff\xfe \xc2\x9b31m nul\0mid",
    b"<13>two\nlines in one",
    b"<13>backslash \\ hash #033 percent %41",
    b"<13>" + b"long " * 1500,
]


def sender(net, call):
    return in_netns(net.guest_ns("bare"), call)


def send_udp(to, lines):
    with socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM) as s:
        for line in lines:
            s.sendto(line, (to, 514))
            time.sleep(0.002)


def send_tcp(to, data, port=514):
    with socket.create_connection((to, port), timeout=8) as s:
        s.settimeout(90)
        s.sendall(data)


def send_all(net):
    sender(net, lambda: send_udp(LOG, [b"<14>udp4 " + x[4:] if x[:1] == b"<" else x for x in LINES] + LINES))
    sender(net, lambda: send_udp(LOG6, [b"<14>udp6 of six"]))
    sender(net, lambda: send_tcp(LOG, b"<14>tcp4 by newline\n<14>second\n<14>zero ends\0"))
    sender(net, lambda: send_tcp(LOG6, b"20 <14>tcp6 counted one23 <14>tcp6 counted\nthird\n"))
    sender(net, lambda: send_tcp(LOG, b"<14>the end\n"))


def up(net):
    """`skep up` waits for honeypots; until the loghost is there, and has made sure of its IPv6 address, datagrams
    go nowhere."""
    net.up()
    there = wait_for(lambda: "rsyslogd" in net.ssh_loghost("ps; ls /var/log/remote").stdout, 60, 0.5)
    sender(net, lambda: send_tcp(LOG6, b""))
    return there


def remote(net, path):
    return net.ssh_loghost(f"cat /var/log/remote/{path}").stdout


def test_kept_by_name(t, net):
    send_all(net)
    got = wait_for(lambda: "the end" in remote(net, f"bare/{DAY}.log") and remote(net, f"bare/{DAY}.log"), 20)
    t.check(got, "lines lie in a folder by the guest's name, one file a day",
            net.ssh_loghost("find /var/log/remote /var/log/messages; cat /var/log/messages /etc/hosts").stdout)
    for what in ("udp4", "udp6 of six", "tcp4 by newline", "second", "zero ends", "tcp6 counted one",
                 "tcp6 counted#012third", "Accepted password", "otherhost su: I claim", "no priority either",
                 "#033]0;title#007", "#377#376 #302#23331m nul#000mid", "two#012lines", "structured"):
        t.check(what in (got or ""), f"... {what}", got)
    t.check(all(c >= " " for c in (got or "").replace("\n", "")), "no control byte in the file")
    t.equal(net.ssh_loghost("ls /var/log/remote").stdout.split(), ["bare"],
            "one folder: what a line claims to be from is not believed")


def log(net, *args, code=0):
    p = net.skep("log", *args)
    return p.stdout + (p.stderr if p.returncode != code else "")


def test_the_hosts_copy(t, net):
    got = wait_for(lambda: "the end" in log(net, "-n", "0") and log(net, "-n", "0"), 10)
    for what in ("udp4", "udp6 of six", "tcp4 by newline", "zero ends", "tcp6 counted\\x0athird", "sshd[311]: Accepted",
                 "auth.info", "\\x1b]0;title\\x07", "two\\x0alines"):
        t.check(what in (got or ""), f"the host has a copy of its own: {what}", got)
    t.check(all(" " <= c < "\x7f" for c in (got or "").replace("\n", "")), "... with nothing that moves a terminal")
    rows = [json.loads(x) for x in log(net, "--json", "--grep", "auth.info sshd\\[311\\]: A").splitlines()]
    t.check(len(rows) == 1 and rows[0]["guest"] == "bare" and rows[0]["host"] == "web1" and rows[0]["pid"] == "311" and
            rows[0]["flow_id"] > 0, "--grep and --json: what it claims, and who it was", rows)
    t.equal(log(net, "-g", "loghost", "-n", "5"), "", "another guest has none")
    p = net.skep("log", "diff")
    t.check(p.returncode == 0 and " 0 differences" in p.stdout, "log diff: both sides agree", p.stdout + p.stderr)
    t.check(f"{len(got.splitlines())} the same" in p.stdout, "... about every line", p.stdout)


def as_root_on_its_disk(net, script):
    """What an intruder with root on the loghost would do to its files: on its disk, while it is down."""
    disk = f"{net.dir}/state/guests/loghost/overlay.qcow2"
    raw = f"{net.dir}/loghost.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", disk, raw], check=True)
    path = f"/var/log/remote/bare/{DAY}.log"
    file = f"{net.dir}/loghost.log"
    subprocess.run(["e2fsck", "-fy", raw], capture_output=True)
    subprocess.run(["debugfs", "-R", f"dump {path} {file}", raw], check=True, capture_output=True)
    with open(file, "rb") as h:
        lines = script(h.read().split(b"\n")[:-1])
    with open(file, "wb") as h:
        h.write(b"\n".join(lines) + b"\n")
    subprocess.run(["debugfs", "-w", "-R", f"rm {path}", raw], check=True, capture_output=True)
    subprocess.run(["debugfs", "-w", "-R", f"write {file} {path}", raw], check=True, capture_output=True)
    subprocess.run(["debugfs", "-w", "-R", f"sif {path} mode 0100644", raw], check=True, capture_output=True)
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, disk], check=True)
    os.unlink(raw)


def tamper(lines):
    out = []
    for x in lines:
        if b"Accepted password" in x:
            x = x.replace(b"198.51.100.66", b"192.0.2.1")
        if b"otherhost su" in x and b"udp4" not in x:
            continue
        out.append(x)
        if b"tcp4 by newline" in x:
            out.append(x[:x.index(b" ")] + b" 10.99.0.30 <14>nobody ever sent this line of lies")
    return out


def test_a_tampered_loghost(t, net):
    p = net.skep("log", "diff", "--json")
    said = [json.loads(x) for x in p.stdout.splitlines()]
    kinds = {x["difference"]: x for x in said if "difference" in x}
    t.equal(p.returncode, 1, "log diff tells by its exit code that somebody was at the loghost's files")
    t.check("198.51.100.66" in kinds.get("altered", {}).get("host", "") and
            "192.0.2.1" in kinds["altered"]["loghost"], "... names the altered line, both ways", p.stdout)
    t.check("otherhost su" in kinds.get("only-host", {}).get("host", ""), "... the one that is gone", p.stdout)
    t.check("line of lies" in kinds.get("only-loghost", {}).get("loghost", ""), "... the one that was put in", p.stdout)
    text = net.skep("log", "diff", "-g", "bare").stdout
    t.check("only on the host: " in text and "only on the loghost: " in text and "altered: " in text,
            "... in words as well", text)


def test_begins_nothing(t, net):
    """As its one user, and what root could do: the wall is what holds. A look-up would be seen as well."""
    seen = net.sniff(net.guest_ns("bare"), "eth0")
    out = net.sniff_outside()
    mark, mark_out = seen.mark(), out.mark()
    net.ssh_loghost("for to in 10.99.0.30 192.0.2.80 10.99.0.1 192.0.2.53; do"
                    " for p in 22 80 514; do nc -w 1 $to $p </dev/null & done; ping -c 1 -W 1 $to &"
                    " echo x | nc -u -w 1 $to 53 & done >/dev/null 2>&1; sleep 3", timeout=60)
    got = [f for f in seen.since(mark, out=False) if getattr(f, "src", "") in (LOG, LOG6)]
    t.equal(len(got), 0, "the loghost reaches no honeypot")
    got = [f for f in out.since(mark_out, out=False) if getattr(f, "dport", 0) in (53, 80, 514) or
           getattr(f, "proto", 0) == 1]
    t.equal(len(got), 0, "... and nothing outside")
    refused = wait_for(lambda: [e for e in net.lines("skep") if e.get("event_type") == "connection" and
                                e["connection"].get("guest") == "loghost" and e.get("verdict") != "forward" and
                                e.get("direction") == "OUTBOUND"], 8)
    t.check(refused, "... the wall tells of it", refused)
    asked = [e for e in refused or [] if e["connection"].get("dest_port") == 53 and
             e["connection"].get("dest_ip") not in ("192.0.2.53", "192.0.2.80", "10.99.0.1", "10.99.0.30")]
    t.equal(len(asked), 0, "rsyslog and sshd looked no name up")


def test_takes_only_syslog(t, net):
    for port in (22, 24, 23, 25, 53, 80, 6514, 8080):
        for to in (LOG, LOG6):
            def knock():
                try:
                    with socket.create_connection((to, port), timeout=0.7):
                        return "open"
                except OSError as e:
                    return type(e).__name__
            got = sender(net, knock)
            if got == "open":
                t.check(False, f"a honeypot reaches port {port} of the loghost", to)
    t.check(True, "a honeypot reaches nothing but syslog there: eight ports, both families")
    p = net.ssh_loghost("netstat -lntu | tail -n +3 | awk '{print $1, $4}'")
    ports = {w.rsplit(":", 1)[1] for w in p.stdout.split() if ":" in w}
    t.equal(ports, {"22", "514"}, "syslog and ssh are all that listens")


def test_current_names(t, net):
    """A guest that is added later has its name at the loghost's next start; its lines go on by name."""
    net.down()
    as_root_on_its_disk(net, tamper)
    net.guests.append(guest("newcomer", "none", 31))
    net.write_conf()
    up(net)
    hosts = net.ssh_loghost("cat /etc/hosts").stdout.split("\n")
    t.check("10.99.0.31\tnewcomer" in hosts and "10.99.0.30\tbare" in hosts,
            "a guest that was added is in the loghost's hosts file at its next start", hosts)
    seen = f"{net.dir}/follow"
    with open(seen, "wb") as h:
        follow = subprocess.Popen([SKEP, "log", "-f", "-n", "1", "-c", net.conf], stdout=h)
    in_netns(net.guest_ns("newcomer"), lambda: send_udp(LOG, [b"<14>hello from the new one"]))
    t.check(wait_for(lambda: "new one" in remote(net, f"newcomer/{DAY}.log"), 10), "... and has its own folder",
            net.ssh_loghost("ls -lR /var/log/remote").stdout)
    sender(net, lambda: send_udp(LOG, [b"<14>and another"]))

    def followed():
        with open(seen, errors="replace") as h:
            return [x for x in h.read().split("\n") if "new one" in x or "and another" in x]
    got = wait_for(lambda: len(followed()) >= 2 and followed(), 8)
    follow.kill()
    follow.wait()
    t.check(got and "new one" in got[0] and "and another" in got[1] and len(got) == 2,
            "log -f shows each once, in order", got)
    t.check("the end" in remote(net, f"bare/{DAY}.log"), "what was there is still there")


def test_tls(t, net):
    net.down()
    net.settings["loghost"] = {"tls": True}
    net.write_conf()
    up(net)
    ca = f"{net.dir}/state/guests/loghost/tls/ca.pem"

    def say(name):
        ctx = ssl.create_default_context(cafile=ca)
        with socket.create_connection((LOG, 6514), timeout=8) as s:
            with ctx.wrap_socket(s, server_hostname=name) as w:
                w.sendall(b"<14>this came by TLS\n")
                return w.version()
    got = sender(net, lambda: say("loghost"))
    t.check(got in ("TLSv1.2", "TLSv1.3"), "syslog over TLS, with a certificate of the drawn CA", got)
    t.check(wait_for(lambda: "this came by TLS" in remote(net, f"bare/{DAY}.log"), 10), "... is kept like any other",
            net.ssh_loghost("cat /var/log/messages").stdout)
    sender(net, lambda: send_udp(LOG, [b"<14>and this in clear"]))
    got = wait_for(lambda: "and this in clear" in net.skep("log", "-n", "0").stdout, 10)
    t.check(got, "what is sent in clear, as the shell does, is kept on the host all the same", net.skep("log").stdout)
    t.check("came by TLS" not in net.skep("log", "-n", "0").stdout, "... and nothing else")
    p = net.skep("log", "diff")
    t.check(p.returncode == 2 and "tls" in p.stderr, "log diff can't tell then, and says why", p.stderr)
    t.check("encrypted" in net.skep("status").stdout, "... and so does status")


def test_a_flood_fills_nothing(t, net):
    """Of its overlay lines may take 32 MB; 45 MB come at once. It goes on, and the beginning is still there. With
    SKEP_TEST_LONG they come four times: more than the overlay may ever hold."""
    def flood():
        send_tcp(LOG, b"<14>the beginning\n")
        for _ in range(4 if os.environ.get("SKEP_TEST_LONG") else 1):
            send_tcp(LOG, b"".join(b"<14>flood %06d %s\n" % (i, os.urandom(1500).hex().encode()) for i in range(15000)))
    sender(net, flood)

    def goes_on():  # not at once: what comes with the flood may go with it
        sender(net, lambda: send_udp(LOG, [b"<14>after the flood"]))
        return "after the flood" in net.ssh_loghost(f"tail -n 5 /var/log/remote/bare/{DAY}.log").stdout
    t.check(wait_for(goes_on, 90, 2), "after a flood of 45 MB lines are kept as before")
    kept = wait_for(lambda: 0 < int(("0" + net.ssh_loghost("du -sk /var/log/remote").stdout).split()[0]) <= 34000, 30, 1)
    state = [g["state"] for g in net.status()["guests"] if g["name"] == "loghost"]
    t.check(kept and state == ["running"], "the loghost made room and runs", net.ssh_loghost(
        "du -sk /var/log/remote; ls -l /var/log/remote/bare; cat /var/log/remote/bare/removed").stdout + str(state))
    said = net.ssh_loghost(f"head -n 100 /var/log/remote/bare/{DAY}.1.log | cut -c 1-200; "
                           "cat /var/log/remote/bare/removed").stdout
    t.check("the beginning" in said and "Accepted password" in said, "... what came first is still there", said[:2000])
    t.check(" kB" in said, "... and it says what went", said[:2000])


def main(t):
    guests = [guest("bare", "none", 30), guest("loghost", "loghost", 20, kind="loghost", overlay_max="96MB")]
    forwards = [dict(f, public=f["public"].replace("113.10", "113.30").replace("113::10", "113::30"))
                for f in LOGHOST_FORWARDS]
    with Honeynet(guests, forwards=forwards) as net:
        ssh = net.ssh_loghost
        net.ssh_loghost = lambda *a, **kw: ssh(*a, address="203.0.113.30", **kw)
        t.check(up(net), "the loghost comes up")
        test_kept_by_name(t, net)
        test_the_hosts_copy(t, net)
        test_begins_nothing(t, net)
        test_takes_only_syslog(t, net)
        test_current_names(t, net)
        test_a_tampered_loghost(t, net)
        test_tls(t, net)
        test_a_flood_fills_nothing(t, net)


tap.run(main)
