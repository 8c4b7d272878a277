#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest seccomp
"""Design 4: each role, seen from /proc: own user, no capabilities, no new privileges, a system call
filter, an empty network namespace (but for courier, which speaks to servers); each QEMU the same, with an
empty root of its own."""
import os
import re
import subprocess

import common  # noqa
import tap
from honeynet import SKEP, Honeynet, guest, need, sanitized


def proc(pid):
    with open(f"/proc/{pid}/status") as h:
        s = dict(x.split(":", 1) for x in h.read().splitlines() if ":" in x)
    return {k: v.split() for k, v in s.items()}


def links_of(pid):
    p = subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-o", "link"],
                       capture_output=True, text=True)
    return [x.split(": ")[1] for x in p.stdout.splitlines()]


def confined(t, what, pid, uids, rows):
    s = proc(pid)
    uid = int(s["Uid"][0])
    t.check(uid >= 100000 and len(set(s["Uid"])) == 1, f"{what}: runs as uid {uid}", s["Uid"])
    t.check(uid not in uids, f"{what}: uid of its own", uids)
    uids.add(uid)
    t.equal([s[k][0].strip("0") for k in ("CapEff", "CapPrm", "CapInh", "CapAmb")], [""] * 4,
            f"{what}: no capabilities")
    t.equal(s["NoNewPrivs"][0], "1", f"{what}: no new privileges")
    if sanitized():
        t.skip(f"{what}: system call filter", "sanitizer build")
    else:
        t.equal(s["Seccomp"][0], "2", f"{what}: system call filter")
    t.equal(s.get("Groups", []), [] if not s.get("Groups") else [str(uid)],
            f"{what}: no other groups")
    ns = os.stat(f"/proc/{pid}/ns/net").st_ino
    if what == "courier":
        t.equal(ns, os.stat("/proc/self/ns/net").st_ino, f"{what}: in the host's network")
        return
    t.check(ns != os.stat("/proc/self/ns/net").st_ino, f"{what}: not in the host's network")
    t.equal(links_of(pid), ["lo"], f"{what}: its network namespace is empty")
    rows.append(ns)


def files(t, what, pid):
    """Open files that lead out of what it was given."""
    links = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            pass
    bad = [x for x in links if x.startswith(("/etc", "/home", "/root", "/proc", "/sys"))]
    t.equal(bad, [], f"{what}: holds no file of the host ({len(links)} descriptors)")


def qemu(t, net, g, uids, rows):
    pid = net.qemu_pid(g)
    what = f"QEMU of {g}"
    if not t.check(pid > 1, f"{what} runs"):
        return
    confined(t, what, pid, uids, rows)
    root = os.listdir(f"/proc/{pid}/root")
    t.check(not {"etc", "home", "var", "root"} & set(root) or
            not os.path.exists(f"/proc/{pid}/root/etc/passwd"), f"{what}: a root of its own", root)
    for path in ("etc/passwd", "etc/shadow", "home", "var/lib/skep", "run", f"{net.dir[1:]}/run",
                 f"{net.dir[1:]}/state/events", f"{net.dir[1:]}/state/captures"):
        t.check(not os.path.exists(f"/proc/{pid}/root/{path}"), f"{what}: does not see /{path}")
    t.check(not os.path.exists(f"/proc/{pid}/root{net.dir}/state/guests"),
            f"{what}: sees no guest's folder, its own neither")
    with open(f"/proc/{pid}/cmdline", "rb") as h:
        cmd = h.read().replace(b"\0", b" ").decode()
    t.check("-sandbox on" in cmd and "spawn=deny" in cmd, f"{what}: -sandbox on, spawn denied", cmd)
    t.check("fd=" in cmd and "ifname=" not in cmd, f"{what}: tap by descriptor", cmd)
    for word in ("virtfs", "9p", "spice", "vnc", "smb=", "-netdev user", "chardev socket,path"):
        t.check(word not in cmd, f"{what}: no {word}")


def main(t):
    need("nsenter")
    hook = {"name": "hook", "kind": "webhook", "url": "http://127.0.0.1:9/", "insecure": True}
    with Honeynet([guest("web1", "tiny", 10), guest("web2", "tiny", 11)], destinations=[hook]) as net:
        net.up()
        uids, rows = set(), []
        roles = net.status().get("roles", [])
        names = [r["name"] for r in roles]
        for want in ("wall", "recorder", "hub", "ledger", "keeper", "sink", "collector", "alerter",
                     "courier"):
            t.check(any(n.startswith(want) for n in names), f"{want} runs", names)
        for r in roles:
            if r["name"] == "super":
                continue
            if r["name"].startswith("lab"):
                continue  # the fake Internet: Debian's programs, looked at below
            confined(t, r["name"], r["pid"], uids, rows)
            files(t, r["name"], r["pid"])
        for g in ("web1", "web2"):
            qemu(t, net, g, uids, rows)
        for r in (x for x in roles if x["name"].startswith("lab")):
            s = proc(r["pid"])
            t.check(int(s["Uid"][0]) >= 100000 and not s["CapEff"][0].strip("0") and
                    s["NoNewPrivs"][0] == "1" and
                    not os.path.exists(f"/proc/{r['pid']}/root/etc/passwd"),
                    f"{r['name']}: a user of its own, no rights, a root of its own", s)
        t.equal(len(set(rows)), len(rows), "each has a namespace of its own")
        wall = net.role_pid("wall")
        with open(f"/proc/{wall}/maps") as h:
            maps = h.read()
        t.check(not re.search(r"^\S+ \S?w\S?x", maps, re.M) or " rwx" not in maps,
                "wall: no memory is both writable and executable")
        before = [x for x in maps.splitlines() if "[heap]" in x]
        net.run_lab("ping", "-c", "20", "-i", "0.05", "203.0.113.10")
        with open(f"/proc/{wall}/maps") as h:
            after = [x for x in h.read().splitlines() if "[heap]" in x]
        t.equal(after, before, "wall: its heap does not grow under traffic (sealed)")
        try:
            with open(f"/proc/{wall}/mem", "rb") as h:
                h.read(0)
        except OSError:
            pass
        p = subprocess.run(["setpriv", f"--reuid={proc(wall)['Uid'][0]}", "--clear-groups",
                            "cat", f"/proc/{wall}/environ"], capture_output=True)
        t.check(p.returncode != 0, "wall: not dumpable, even by its own user")
        for role in ("wall", "recorder", "hub", "ledger", "keeper", "sink", "collector", "alerter",
                     "courier"):
            p = subprocess.run([SKEP, "--role", role], capture_output=True, text=True, timeout=20,
                               stdin=subprocess.DEVNULL)
            t.check(0 < p.returncode < 100, f"skep --role {role} by hand ends with an error",
                    f"{p.returncode} {p.stderr}")


tap.run(main)
