#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest asan
"""Issue, "sudo make up / down": down leaves links, addresses, routes, namespaces, nftables rules,
sysctls, mounts, cgroups, users and processes exactly as they were, also after kill -9 of any role;
a second up takes seconds; after kill -9 of anything `skep up` heals."""
import os
import signal
import subprocess
import time

import common  # noqa
import host
import honeynet
import tap
from honeynet import Honeynet, guest, wait_for


def snap(net):
    return host.snapshot(net.name, net.uid_base, [net.dir])


def same(t, net, before, what):
    """Give the kernel a moment: namespaces and cgroups of killed processes go in the background."""
    diff = wait_for(lambda: [] == host.difference(before, snap(net)), 8, 0.3)
    t.check(diff, what, "\n".join(host.difference(before, snap(net))))


def timed(call):
    begin = time.monotonic()
    got = call()
    return got, time.monotonic() - begin


def healthy(net):
    s = net.status()
    return (len(s.get("roles", [])) >= 4 and all(r.get("pid") for r in s["roles"]) and
            all(g["state"] in ("running", "port") for g in s.get("guests", [])))


def begin(t, net):
    """Everything runs, the honeypot has not come up yet: for what is looked at here that makes no difference."""
    net.up(wait=False)
    t.check(wait_for(lambda: healthy(net), 20), "every role and guest runs", net.status())


def kill_role(t, net, before, role):
    pid = net.super_pid() if role == "super" else (
        net.qemu_pid("web1") if role == "qemu" else net.role_pid(role))
    if not t.check(pid > 1, f"{role} has a pid", net.status()):
        return
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    p = net.down()
    t.equal(p.returncode, 0, f"down after kill -9 of {role} succeeds")
    same(t, net, before, f"host as before after kill -9 of {role} and down")


def test_plain(t, net, before):
    p, seconds = timed(net.up)
    t.note(f"first up {seconds:.1f} s\n{p.stdout}")
    t.check("ssh" in p.stdout, "up says how to attack it", p.stdout)
    t.check(healthy(net), "every role and guest runs", net.status())
    p, seconds = timed(lambda: net.skep("up"))
    t.check(p.returncode == 0 and seconds < 5, f"second up is quick ({seconds:.1f} s)",
            p.stdout + p.stderr)
    inside = snap(net)
    t.equal([x for x in host.difference(before, inside) if x[2:].split(":")[0] in
             ("links", "addresses", "routes", "nftables", "sysctls", "users", "groups")], [],
            "while it runs, nothing of the host's own network is changed")
    p, seconds = timed(net.down)
    t.check(p.returncode == 0 and seconds < 15, f"down ends in good order ({seconds:.1f} s)",
            p.stdout + p.stderr)
    same(t, net, before, "host as before")
    p = net.down()
    t.equal(p.returncode, 0, "a second down is no error")


def test_heal(t, net, before):
    begin(t, net)
    os.kill(net.super_pid(), signal.SIGKILL)
    left = wait_for(lambda: not [x for x in net.processes() if "qemu" in x or "wall" in x], 5)
    t.check(left, "wall and QEMU end with super", "\n".join(net.processes()))
    p = net.skep("up", timeout=120)
    t.equal(p.returncode, 0, "up heals what kill -9 of super left")
    t.check(healthy(net), "... and everything runs again", f"{net.status()}\n{net.log()}")
    net.down()
    same(t, net, before, "host as before after healing and down")


def test_interrupted(t, net, before):
    """Ctrl-C in the middle of up."""
    for delay in (0.15, 0.8):
        p = subprocess.Popen([honeynet.SKEP, "up"], env=dict(os.environ, SKEP_CONF=net.conf),
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        p.kill()
        p.wait()
        net.down()
        same(t, net, before, f"host as before after kill -9 of `up` {delay} s after its start")


def main(t):
    with Honeynet([guest("web1", "tiny", 10), guest("bare", "none", 30)]) as net:
        before = snap(net)
        net.build_images()
        test_plain(t, net, before)
        net.up()    # a guest that is still booting would let `down` wait for it, now that its keeper is not there
        kill_role(t, net, before, "keeper")
        for role in ("qemu", "super"):
            begin(t, net)
            kill_role(t, net, before, role)
        test_heal(t, net, before)
        test_interrupted(t, net, before)
    with Honeynet([guest("bare", "none", 30)]) as net:  # no guest to boot each time
        before = snap(net)
        for role in ("wall", "recorder", "hub", "ledger", "sink"):
            net.up()
            kill_role(t, net, before, role)


tap.run(main)
