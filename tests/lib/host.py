# SPDX-License-Identifier: BSD-2-Clause
"""What a honeynet may have touched on the host, as text that can be compared before and after.

Other honeynets may come and go meanwhile (tests beside each other): names of other tests' networks,
and processes that are not ours, are left out.
"""
import json
import os
import re
import subprocess

# Counters and the like that change by themselves.
VOLATILE = re.compile(r"nf_conntrack_count|/random/|ipv4/tcp_mem|tcp_fastopen_key|stable_secret|"
                      r"/neigh/.*gc_|nf_log")


def _run(*argv):
    p = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    return p.stdout if p.returncode == 0 else f"({argv[0]}: {p.stderr.strip()})"


def _json(*argv):
    try:
        return json.loads(_run(*argv) or "[]")
    except ValueError:
        return []


def _links():
    keep = ("ifname", "flags", "mtu", "qdisc", "operstate", "address", "master", "txqlen")
    return [json.dumps({k: x.get(k) for k in keep}) for x in _json("ip", "-j", "link")]


def _addresses():
    out = []
    for link in _json("ip", "-j", "addr"):
        for a in link.get("addr_info", []):
            out.append(f"{link.get('ifname')} {a.get('local')}/{a.get('prefixlen')} {a.get('scope')}")
    return out


def _routes():
    text = _run("ip", "route", "show", "table", "all") + _run("ip", "-6", "route", "show", "table",
                                                              "all")
    text += _run("ip", "rule") + _run("ip", "-6", "rule")
    return [re.sub(r" expires \d+sec", "", x) for x in text.splitlines()]


def _sysctls():
    out = []
    for folder, _, files in os.walk("/proc/sys/net"):
        for f in files:
            path = os.path.join(folder, f)
            if VOLATILE.search(path):
                continue
            try:
                with open(path) as h:
                    out.append(f"{path}={h.read().strip()}")
            except OSError:
                pass
    return out


def _mounts(foreign):
    out = []
    with open("/proc/self/mountinfo") as h:
        for line in h:
            fields = line.split()
            left, right = fields[3:6], fields[fields.index("-") + 1:]
            text = " ".join(left + right)
            # `ip netns add` of another test makes a mount of the folder itself.
            if not foreign.search(text) and fields[4] != "/run/netns":
                out.append(re.sub(r"net:\[\d+\]", "net", text))
    return out


def _cgroups(foreign):
    """Groups of the v2 hierarchies, the only ones skep makes; service managers come and go in others."""
    roots = [x.split()[1] for x in _file("/proc/mounts") if x.split()[2] == "cgroup2"]
    out = []
    for folder, dirs, _ in (entry for root in roots for entry in os.walk(root)):
        for d in dirs:
            path = os.path.join(folder, d)
            if not os.path.islink(path) and not foreign.search(path):
                out.append(path)
        if folder.count("/") > 8:
            dirs[:] = []
    return out


def _file(path):
    try:
        with open(path) as h:
            return h.read().splitlines()
    except OSError:
        return ["(absent)"]


def processes(uid_base, marks):
    """Processes of one honeynet: by its users, or by a mark in command line or environment."""
    out = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            uid = os.stat(f"/proc/{pid}").st_uid
            with open(f"/proc/{pid}/cmdline", "rb") as h:
                cmd = h.read().replace(b"\0", b" ").decode(errors="replace")
            try:
                with open(f"/proc/{pid}/environ", "rb") as h:
                    env = h.read().decode(errors="replace")
            except OSError:
                env = ""
        except OSError:
            continue
        if int(pid) == os.getpid() or "/usr/bin/python3" in cmd.split(" ")[0]:
            continue
        if uid_base <= uid < uid_base + 256 or any(m in cmd or m in env for m in marks):
            out.append(f"{pid} uid {uid} {cmd[:120]}")
    return out


def _uplink(link):
    """What could be left at a link: queueing disciplines, programs, chains, groups, promiscuity."""
    out = [f"qdisc {x}" for x in _run("tc", "qdisc", "show", "dev", link).splitlines()]
    for side in ("ingress", "egress"):
        out += [f"{side} {x}" for x in _run("tc", "filter", "show", "dev", link, side).splitlines()]
    out += [f"group {x.strip()}" for x in _run("ip", "maddr", "show", "dev", link).splitlines()]
    for x in _json("ip", "-d", "-j", "link", "show", link):
        out += [f"{k} {x.get(k)}" for k in ("promiscuity", "allmulti", "xdp", "ifalias", "addrgenmode")]
    return out


def home(links):
    """A host on the real wire, in more detail: legacy rules, what is at its links, what listens. To
    be called in its network namespace, and nobody else may change anything there meanwhile."""
    parts = {"links": _links(), "addresses": _addresses(), "routes": _routes(), "sysctls": _sysctls(),
             "nftables": _run("nft", "list", "ruleset").splitlines(),
             "neighbours": [x for x in _run("ip", "neigh", "show", "nud", "permanent").splitlines()] +
             _run("ip", "neigh", "show", "proxy").splitlines(),
             "sockets": [re.sub(r"\s+", " ", x) for x in
                         _run("ss", "-H", "-n", "-l", "-t", "-u", "-w").splitlines() +
                         _run("ss", "-H", "-n", "-0").splitlines()],
             "uplinks": [f"{link} {x}" for link in links for x in _uplink(link)]}
    for v in ("", "6"):
        # Counters and the time of day are comments there.
        parts["legacy" + v] = [re.sub(r"\[\d+:\d+\]", "", x) for x in
                               _run(f"ip{v}tables-legacy-save").splitlines() if x[:1] != "#"]
    return {k: sorted(v) for k, v in parts.items()}


def snapshot(name, uid_base, marks=()):
    """Dictionary of sorted lists; compare two with difference()."""
    # Other tests' honeynets, and what an image build mounts for a while.
    foreign = re.compile(r"skt(?!-%s\b)[\w-]*|/images/\.work-" % re.escape(name[4:]))
    netns = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    parts = {
        "links": _links(), "addresses": _addresses(), "routes": _routes(),
        "namespaces": [n for n in netns if not foreign.search(n)],
        "nftables": _run("nft", "list", "ruleset").splitlines(),
        "sysctls": _sysctls(), "mounts": _mounts(foreign), "cgroups": _cgroups(foreign),
        "users": _file("/etc/passwd"), "groups": _file("/etc/group"),
        "processes": processes(uid_base, marks),
        "modules": [x.split()[0] for x in _file("/proc/modules")],
    }
    return {k: sorted(v) for k, v in parts.items()}


def difference(before, after):
    """Lines '+ links: ...' and '- links: ...'; empty if nothing changed."""
    out = []
    for part in before:
        a, b = list(before[part]), list(after[part])
        for x in list(a):
            if x in b:
                a.remove(x)
                b.remove(x)
        if part == "cgroups":
            a = []  # somebody else's that ended: nobody can remove a group that is in use
        out += [f"- {part}: {x}" for x in a] + [f"+ {part}: {x}" for x in b]
    return out
