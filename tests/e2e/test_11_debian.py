#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest
"""The honeynet a newcomer gets: a real Debian 12 server and the loghost. It boots, takes a drawn weak
password, runs commands, serves web and FTP, logs to the loghost; both guests and all roles stay under
1 GB (proportional set size); tiny + loghost + roles are measured against the aim of 256 MB."""
import os
import re
import time

import common  # noqa
import tap
from honeynet import LOGHOST_FORWARDS, Honeynet, guest, need, sanitized, wait_for


def pss(net):
    """Bytes of all processes of this honeynet, shared pages split among their users."""
    total, rows = 0, []
    for line in net.processes():
        pid = int(line.split()[0])
        try:
            with open(f"/proc/{pid}/smaps_rollup") as h:
                kb = int(re.search(r"^Pss:\s+(\d+)", h.read(), re.M)[1])
        except (OSError, TypeError):
            continue
        total += kb * 1024
        rows.append(f"{kb >> 10} MB {line}")
    return total, rows


def identity(t, net):
    creds = net.creds("web1")
    accounts = creds["accounts"]
    t.check(len(accounts) >= 2 and all(a["password"] for a in accounts),
            "ordinary users with weak passwords were drawn", creds)
    t.check(creds.get("hostname"), "and a host name", creds)
    return creds


def look(t, net, creds):
    p = net.ssh("web1", "id; cat /etc/debian_version; hostname; uptime; ps ax | wc -l", timeout=90)
    t.check("uid=" in p.stdout and re.search(r"^12\.", p.stdout, re.M) and
            creds["hostname"] in p.stdout, "ssh: a Debian 12 server", p.stdout + p.stderr)
    for url, want in (("http://203.0.113.10/", "<"), ("http://[2001:db8:113::10]/", "<"),
                      ("ftp://203.0.113.10/", "")):
        user = ["-u", f"{creds['accounts'][0]['user']}:{creds['accounts'][0]['password']}"] \
            if url.startswith("ftp") else []
        p = net.run_lab("curl", "-sS", "-m", "30", *user, url, timeout=60)
        t.check(p.returncode == 0 and want in p.stdout, f"{url} answers", p.stdout + p.stderr)
    p = net.ssh("web1", "logger -t skepprobe hello-loghost; sleep 1; ls /var/log", timeout=90)
    t.check(p.returncode == 0, "commands run", p.stderr)
    got = wait_for(lambda: "hello-loghost" in net.ssh_loghost(
        "grep -rhs skepprobe /var/log", timeout=40).stdout, 30, 2)
    t.check(got, "its log lines reach the loghost", net.ssh_loghost("ls -laR /var/log").stdout)


def told(t, net):
    """The shell that tells: installed so that the package manager has nothing to say, heard by the loghost."""
    p = net.ssh("web1", "readlink -f /bin/sh /bin/dash /bin/rbash /usr/bin/bash; dpkg -V | grep -v -e '^missing' -e ' c /'; dpkg --audit; "
                "systemctl --failed --no-legend --plain; dpkg -s bash | grep ^Version", timeout=120)
    lines = p.stdout.splitlines()
    t.check(lines[:4] == ["/usr/bin/bash"] * 4, "every shell leads to bash", p.stdout + p.stderr)
    t.check(len(lines) == 5 and "deb12u" in lines[4], "no package has a changed file, no service failed", p.stdout)
    net.ssh("web1", "echo tok$((6 * 7))en; exit 3", timeout=90)
    asked = "grep -rhs -A 1 'line=echo tok' /var/log"
    got = wait_for(lambda: " status=768" in net.ssh_loghost(asked, timeout=40).stdout, 30, 2)
    said = net.ssh_loghost(asked).stdout
    t.check(got and re.search(r" sh\[\d+\]: pid=\d+ ppid=\d+ uid=\d+ user=\w+ tty=- seq=1 cwd=/\w+/\w+ "
                              r"line=echo tok\$\(\(6 \* 7\)\)en; exit 3$", said, re.M),
            "the loghost has the command line and its status", said)
    p = net.ssh("web1", "grep -rs 'tok$((6' /var/log /run/log | head; ls -d /var/log/auth.log", timeout=90)
    t.equal(p.stdout.strip(), "/var/log/auth.log", "the guest's own files don't")


def main(t):
    need("ssh", "sshpass", "curl")
    if not os.path.isdir("/var/cache/skep/images/debian"):
        t.note("the Debian image is built first; this takes minutes")
    guests = [guest("web1", "debian", 10), guest("loghost", "loghost", 20, kind="loghost")]
    with Honeynet(guests, forwards=LOGHOST_FORWARDS, accel="auto") as net:
        net.build_images()
        begin = time.monotonic()
        net.up(timeout=300)
        t.note(f"up until it answers ssh: {time.monotonic() - begin:.1f} s")
        creds = identity(t, net)
        look(t, net, creds)
        told(t, net)
        time.sleep(3)
        total, rows = pss(net)
        t.note("\n".join(rows))
        if not sanitized():  # shadow memory is no part of the promise
            t.check(total < 1 << 30, f"debian + loghost + roles: {total >> 20} MB, under 1 GB", rows)
        net.down()
        keys = net.creds("web1")
        t.equal(keys["accounts"], creds["accounts"], "what was drawn is kept")
    guests = [guest("web1", "tiny", 10), guest("loghost", "loghost", 20, kind="loghost")]
    with Honeynet(guests, forwards=LOGHOST_FORWARDS) as net:
        net.up(timeout=120)
        net.ssh("web1", "true")
        time.sleep(2)
        total, rows = pss(net)
        t.note("\n".join(rows))
        t.check(total > 32 << 20, f"tiny + loghost + roles: {total >> 20} MB (the aim is 256 MB, "
                f"{'met' if total < 256 << 20 else 'not met'})", rows)


tap.run(main)
