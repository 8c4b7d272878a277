# SPDX-License-Identifier: BSD-2-Clause
"""What a running process may do, read from the kernel, and said as the unit of systemd that would do the same.

The filter of system calls is read through ptrace as the kernel holds it, and followed for every call:
a call counts as allowed if any arguments make it so. `systemd-analyze security` then gives the unit the
mark it would give a service, with its own weights.
"""
import ctypes
import os
import re
import struct
import subprocess
import tempfile

SEIZE, INTERRUPT, DETACH, GET_FILTER = 0x4206, 0x4207, 17, 0x420c
WALL = 0x40000000
X86_64, I386 = 0xC000003E, 0x40000003
ALLOW, LOG = 0x7fff0000, 0x7ffc0000
NAMESPACES = {"cgroup": 0x02000000, "ipc": 0x08000000, "net": 0x40000000, "mnt": 0x00020000,
              "pid": 0x20000000, "user": 0x10000000, "uts": 0x04000000}
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16, "AF_PACKET": 17}
OPENERS = ("open", "openat", "openat2", "creat", "open_by_handle_at", "execve", "execveat", "mount",
           "chroot", "mknod", "mknodat", "unlink", "unlinkat", "rename", "renameat2", "mkdir", "mkdirat")

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
seccomp = ctypes.CDLL("libseccomp.so.2")


def _ptrace(request, pid, addr=None, data=None):
    n = libc.ptrace(request, pid, addr, data)
    if n < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x} {pid}")
    return n


def filters(pid):
    """The process's filters: lists of (code, jump if true, jump if false, k)."""
    out = []
    _ptrace(SEIZE, pid)
    try:
        _ptrace(INTERRUPT, pid)
        os.waitpid(pid, WALL)
        while True:
            try:
                n = _ptrace(GET_FILTER, pid, len(out))
            except OSError:
                break
            room = ctypes.create_string_buffer(n * 8)
            _ptrace(GET_FILTER, pid, len(out), ctypes.addressof(room))
            out.append(list(struct.iter_unpack("<HBBI", room.raw)))
    finally:
        _ptrace(DETACH, pid)
    return out


def number(name):
    n = seccomp.seccomp_syscall_resolve_name(name.encode())
    return n if n >= 0 else None


def _word(offset, nr, arch, args):
    """One word of struct seccomp_data; None: anything."""
    if offset in (0, 4):
        return nr if offset == 0 else arch
    if offset < 16 or (offset - 16) // 8 not in args:
        return None
    value = args[(offset - 16) // 8]
    return value >> (offset % 8 * 8) & 0xffffffff


def _decide(op, a, k):
    """Which ways a jump may go."""
    if a is None:
        return (True, False)
    return ({0x10: a == k, 0x20: a > k, 0x30: a >= k, 0x40: bool(a & k)}[op],)


def results(program, nr, arch=X86_64, args=None):
    """Every action the filter may end with for this call; args: those that are known."""
    found, seen, todo = set(), set(), [(0, 0, ())]
    while todo:
        pc, a, memory = todo.pop()
        if (pc, a, memory) in seen:
            continue
        seen.add((pc, a, memory))
        code, jt, jf, k = program[pc]
        kind = code & 7
        if kind == 6:
            found.add(k & 0xffff0000)
        elif kind == 0 and code & 0xe0 == 0x60:   # from memory
            todo.append((pc + 1, dict(memory).get(k), memory))
        elif kind == 0:
            todo.append((pc + 1, k if code & 0xe0 == 0 else _word(k, nr, arch, args or {}), memory))
        elif kind == 2:
            todo.append((pc + 1, a, tuple(sorted({**dict(memory), k: a}.items(), key=str))))
        elif kind == 4:
            op = code & 0xf0
            value = None if a is None else {0x50: a & k, 0x40: a | k}.get(op)
            todo.append((pc + 1, value, memory))
        elif kind == 5 and code & 0xf0 == 0:
            todo.append((pc + 1 + k, a, memory))
        elif kind == 5:
            todo += [(pc + 1 + (jt if way else jf), a, memory) for way in _decide(code & 0xf0, a, k)]
        else:
            raise ValueError(f"an instruction nobody expected: {code:#x}")
    return found


class Confined:
    """One process."""

    def __init__(self, pid):
        self.pid = pid
        with open(f"/proc/{pid}/status", encoding="utf-8") as h:
            pairs = [x.split(":", 1) for x in h.read().splitlines() if ":" in x]
        self.status = {k: v.split() for k, v in pairs}
        self.filters = filters(pid) if self.status["Seccomp"][0] == "2" else []

    def may(self, name, args=None):
        nr = number(name)
        return nr is not None and all(results(f, nr, X86_64, args) & {ALLOW, LOG} for f in self.filters)

    def calls(self):
        """Names of all system calls that are allowed with some arguments."""
        out = []
        seccomp.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p
        for nr in range(500):
            if all(results(f, nr) & {ALLOW, LOG} for f in self.filters):
                name = seccomp.seccomp_syscall_resolve_num_arch(X86_64, nr)
                if name:
                    out.append(ctypes.string_at(name).decode())
        return out

    def own(self, space):
        """Is its namespace of that kind another one than ours?"""
        return os.stat(f"/proc/{self.pid}/ns/{space}").st_ino != os.stat(f"/proc/self/ns/{space}").st_ino

    def links(self):
        p = subprocess.run(["nsenter", f"--net=/proc/{self.pid}/ns/net", "ip", "-o", "link"],
                           capture_output=True, text=True)
        return [x.split(": ")[1] for x in p.stdout.splitlines()]

    def jailed(self):
        """A root of its own without anything of the host's in it."""
        root = f"/proc/{self.pid}/root"
        return self.own("mnt") and not any(
            os.path.exists(f"{root}/{x}") for x in ("etc/passwd", "home", "root", "var", "sys", "tmp", "run"))

    def unit(self):
        """[Service] lines that are true of it."""
        s = self.status
        bounding = int(s["CapBnd"][0], 16) if s["NoNewPrivs"][0] != "1" else int(s["CapPrm"][0], 16)
        lines = ["ExecStart=/bin/true", "KeyringMode=private", "NotifyAccess=none",
                 "UMask=" + s["Umask"][0]]
        if bounding == 0:
            lines.append("CapabilityBoundingSet=")
        if s["NoNewPrivs"][0] == "1":
            lines.append("NoNewPrivileges=yes")
        if s["Uid"][0] != "0":
            lines += ["User=" + s["Uid"][0], "RemoveIPC=yes"]
        if self.own("net") and self.links() == ["lo"]:
            lines += ["PrivateNetwork=yes", "IPAddressDeny=any"]
        return lines + self.calls_lines() + self.files_lines()

    def calls_lines(self):
        lines = ["SystemCallFilter=" + " ".join(self.calls())] if self.filters else []
        families = [f for f, n in FAMILIES.items() if self.may("socket", {0: n})]
        other = any(self.may("socket", {0: n}) for n in range(64) if n not in FAMILIES.values())
        if not other:
            lines.append("RestrictAddressFamilies=" + (" ".join(families) or "none"))
        spaces = [n for n, flag in NAMESPACES.items()
                  if self.may("unshare") or self.may("setns") or self.may("clone3") or
                  self.may("clone", {0: flag})]
        lines.append("RestrictNamespaces=" + (" ".join(spaces) or "yes"))
        if not any(results(f, nr, I386) & {ALLOW, LOG} for f in self.filters for nr in (1, 5, 102, 120)):
            lines.append("SystemCallArchitectures=native")
        exec_map = [self.may("mmap", {2: 6}), self.may("mmap", {2: 4}), self.may("mprotect", {2: 4}),
                    self.may("pkey_mprotect"), self.may("shmat")]
        rules = {"MemoryDenyWriteExecute=yes": not any(exec_map),
                 "LockPersonality=yes": not self.may("personality"),
                 "RestrictRealtime=yes": not self.may("sched_setscheduler") and not self.may("sched_setattr"),
                 "ProtectClock=yes": not self.may("settimeofday") and not self.may("clock_settime"),
                 "ProtectHostname=yes": not self.may("sethostname"),
                 "ProtectKernelModules=yes": not self.may("init_module") and not self.may("finit_module"),
                 "ProtectKernelLogs=yes": not self.may("syslog"),
                 "RestrictSUIDSGID=yes": not any(self.may(c) for c in ("chmod", "fchmod", "fchmodat")),
                 "ProtectControlGroups=yes": not self.may("mount") and self.status["Uid"][0] != "0",
                 "ProtectKernelTunables=yes": not self.may("mount") and self.status["Uid"][0] != "0"}
        return lines + [line for line, good in rules.items() if good and self.filters]

    def files_lines(self):
        """Nothing of the host's files: none in its root, or no call that takes a path."""
        blind = bool(self.filters) and not any(self.may(c) for c in OPENERS)
        if not self.jailed() and not blind:
            return []
        return ["ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes",
                "DevicePolicy=closed", "ProtectProc=invisible", "ProcSubset=pid", "PrivateMounts=yes"]


def exposure(lines):
    """The mark systemd gives a service of these lines: (number, what it says)."""
    with tempfile.TemporaryDirectory() as d:
        with open(f"{d}/role.service", "w", encoding="utf-8") as f:
            f.write("[Service]\n" + "\n".join(lines) + "\n")
        p = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                            f"{d}/role.service"], capture_output=True, text=True)
    m = re.search(r"exposure level for \S+: ([0-9.]+)", p.stdout)
    return (float(m[1]) if m else 10.0), p.stdout + p.stderr
