#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest seccomp asan
"""From inside a guest to events: what its monitor tells is found by flow and incident, also with two visitors in the
guest; a collector or a machine that dies loses nothing that was said and is heard again."""
import os
import re
import signal

import common  # noqa
import tap
from honeynet import INTRUDER, Honeynet, guest, need, wait_for

SECOND = "198.51.100.67"


def heard(net):
    """Seconds since the monitor last told something, or -1."""
    got = net.status().get("guests", [{}])[0].get("heard") or {}
    return -1 if got.get("monitor") is None else got["monitor"]


def ssh_from(net, source, command):
    argv = net.ssh_argv("web1", command)
    at = argv.index("ssh") + 1
    return argv[:at] + ["-b", source] + argv[at:]


def commands(net, word):
    return [e for e in net.events("command") if word in e["command"]["line"]]


def opened_by(net, peer):
    got = net.events("incident", state="open", peer=peer)
    return got[-1]["incident"] if got else None


def ties(t, net):
    """A visit has the flow and the incident of the connection that it came in by."""
    net.ssh("web1", "wget -q -O /tmp/first http://192.0.2.80/")
    t.check(wait_for(lambda: commands(net, "wget -q -O /tmp/first"), 15), "a command came out as an event",
            net.events("command"))
    ssh = [e for e in net.connections(direction="INBOUND") if e["connection"]["src_ip"] == INTRUDER]
    for e in commands(net, "/tmp/first"):
        t.equal((e["flow_id"], e["incident"]), (ssh[-1]["flow_id"], ssh[-1]["incident"]),
                f"{e['command']['line'][:30]}: flow and incident of its connection")
    t.check(wait_for(lambda: net.events("session", state="end", service="ssh"), 15), "the visit ended")
    t.check(wait_for(lambda: net.events("file", what="written", path="/tmp/first"), 5), "a file was written")
    p = net.skep("status")
    t.check(re.search(r"heard by\s+web1\s+monitor \d+ s ago", p.stdout), "status says by whom it is heard", p.stdout)


def two_visitors(t, net):
    """The first one's connection is his, although the second is there and came later."""
    link = net.run_lab("ip", "-o", "addr", "show", "to", INTRUDER).stdout.split()[1]
    net.run_lab("ip", "addr", "add", SECOND + "/32", "dev", link, check=True)
    first = net.start_in(net.lab, *ssh_from(net, INTRUDER,
                         "echo in; while [ ! -e /tmp/go ]; do sleep 1; done; wget -q -O /dev/null http://192.0.2.80/a"))
    first.stdout.readline()
    second = net.start_in(net.lab, *ssh_from(net, SECOND, "echo in; touch /tmp/go; sleep 60"))
    second.stdout.readline()
    got = wait_for(lambda: [e for e in net.connections(direction="OUTBOUND")
                            if e["connection"]["dest_port"] == 80][1:], 20)
    t.check(opened_by(net, SECOND) not in (None, opened_by(net, INTRUDER)), "two visitors, two incidents")
    t.equal([e["incident"] for e in got], [opened_by(net, INTRUDER)], "what a visitor begins is in his incident")
    told = [e for e in net.events("process", what="connect") if e["incident"] == opened_by(net, INTRUDER)]
    t.check(len(told) >= 2, "as the process says", told)
    first.wait(30)
    return second


def collector_dies(t, net):
    before, pid = len(commands(net, "/tmp/first")), net.role_pid("collector")
    os.kill(pid, signal.SIGKILL)
    t.check(wait_for(lambda: net.role_pid("collector") not in (0, pid), 15), "a killed collector is started again")
    t.check(wait_for(lambda: 0 <= heard(net) < 5, 20), "... and hears the guest")
    net.ssh("web1", "echo again >/tmp/again")
    t.check(wait_for(lambda: commands(net, "/tmp/again"), 15), "... and tells of it")
    t.equal(len(commands(net, "/tmp/first")), before, "... nothing twice")


def machine_dies(t, net, second):
    os.kill(net.qemu_pid("web1"), signal.SIGKILL)
    t.check(wait_for(lambda: net.events("session", state="end", why="guest") or
                     net.events("session", state="end", why="stopped"), 15), "a visit ends with its machine")
    second.kill()
    second.wait(10)
    t.check(wait_for(lambda: 0 <= heard(net) < 4 and net.status()["guests"][0]["state"] == "running", 120),
            "the next machine is heard as well")


def main(t):
    need("sshpass")
    with Honeynet([guest("web1", "tiny", 10)]) as net:
        net.up()
        if not t.check(wait_for(lambda: heard(net) >= 0, 120), "the monitor is heard"):
            return
        ties(t, net)
        second = two_visitors(t, net)
        collector_dies(t, net)
        machine_dies(t, net, second)
        lost = [e["text"] for e in net.events("health") if e["health"]["role"] == "collector"
                and e["health"]["what"] in ("lost", "refused", "disk")]
        t.equal(lost, [], "nothing was lost on the way")


tap.run(main)
