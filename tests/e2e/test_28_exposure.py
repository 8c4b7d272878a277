#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest seccomp
"""What each role really has, from the running processes: its filter as the kernel holds it, capabilities,
user, namespaces, root. `systemd-analyze security` gives each the mark of a service that is confined the
same way: under 2.5 for all but super. The table is in docs/INSTALL.md.
"""
import os
import re

import common  # noqa
import tap
from confined import Confined, exposure
from honeynet import ROOT, Honeynet, guest, need, sanitized

MOST = 2.5
# What nobody but super may ever do, by whatever arguments.
NEVER = ["execve", "execveat", "ptrace", "mount", "setns", "unshare", "bpf", "init_module", "kexec_load",
         "process_vm_writev", "pidfd_getfd", "open_by_handle_at", "userfaultfd", "keyctl", "mknod"]
# And what those that read hostile bytes may not.
BLIND = ["open", "openat", "openat2", "creat", "socket", "connect", "clone", "fork", "vfork", "unlinkat",
         "rename", "chmod", "kill"]


def listed():
    """The table in docs/INSTALL.md: role -> mark."""
    with open(os.path.join(ROOT, "docs/INSTALL.md"), encoding="utf-8") as f:
        return {m[1]: float(m[2]) for m in re.finditer(r"^\| `?(\w+)`? \| ([0-9.]+) \|", f.read(), re.M)}


def main(t):
    need("systemd-analyze", "nsenter")
    if sanitized():
        raise tap.Skip("the sanitizers' filters allow more")
    table = listed()
    hook = {"name": "hook", "kind": "webhook", "url": "http://127.0.0.1:9/", "insecure": True}
    with Honeynet([guest("web1", "tiny", 10), guest("bare", "none", 30)], destinations=[hook]) as net:
        net.up()
        rows = [(r["name"], r["pid"]) for r in net.status().get("roles", [])
                if not r["name"].startswith("lab")]
        rows.append(("qemu", net.qemu_pid("web1")))
        seen = set()
        for name, pid in rows:
            c = Confined(pid)
            mark, said = exposure(c.unit())
            role = re.split(r"[ -]", name)[0]
            seen.add(role)
            if role in ("super", "guardian"):  # the guardian stands in for super when that is killed
                t.check(mark > MOST, f"{role} is not of that kind: {mark} (the method sees a difference)", said)
                continue
            t.check(mark < MOST, f"{name}: exposure {mark}, {len(c.calls())} system calls", said)
            t.equal(table.get(role), mark, f"{name}: docs/INSTALL.md says so")
            if role == "courier":  # the one that has a network; it has no disk
                t.check(c.own("mnt") and c.own("ipc") and c.own("uts") and not c.own("net"),
                        f"{name}: namespaces of its own, but for the network")
                t.equal([x for x in NEVER if c.may(x)], [], f"{name}: none of what only super may")
                t.equal([x for x in ("creat", "unlinkat", "rename", "chmod", "kill", "listen", "accept4", "fork")
                         if c.may(x)], [], f"{name}: changes no file, serves nobody")
                t.check(not c.may("mmap", {2: 6}) and not c.may("mprotect", {2: 4}),
                        f"{name}: makes nothing executable")
                continue
            t.check(c.own("mnt") and c.own("ipc") and c.own("uts") and c.own("net") and
                    c.links() == ["lo"], f"{name}: namespaces of its own, the network empty")
            if role == "qemu":
                t.check(c.jailed(), f"{name}: a root of its own", os.listdir(f"/proc/{pid}/root"))
                t.equal([x for x in ("execve", "fork", "ptrace", "setns", "unshare") if c.may(x)], [],
                        f"{name}: starts nothing, goes nowhere")
                continue
            t.equal([x for x in NEVER + ["socket"] if c.may(x)], [], f"{name}: none of what only super may")
            t.check(not c.may("mmap", {2: 6}) and not c.may("mprotect", {2: 4}),
                    f"{name}: makes nothing executable")
            if role not in ("recorder", "ledger", "collector", "alerter"):  # those write files, in one folder
                t.equal([x for x in BLIND if c.may(x)], [], f"{name}: opens nothing, starts nothing")
        t.check({"wall", "recorder", "hub", "ledger", "sink", "collector", "alerter", "courier", "keeper", "qemu",
                 "super"} <= seen,
                "all of them were looked at", seen)


tap.run(main)
