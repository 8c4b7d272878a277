#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: package alone
"""Done-when 6: the package in a bare Debian 12: install, start, upgrade while it runs, crash, remove, purge.

What is built stays in build-deb/, so that only the first run compiles. With SKEP_SOAK the package is
built a second time elsewhere and must be the same, byte for byte. Needs packages from a mirror; skips
without one, unless SKEP_MUST says `package`.
"""
import json
import os
import re
import shutil
import stat
import subprocess
import tempfile

import common  # noqa
import host
import tap
from honeynet import ROOT, need, wait_for, yaml
from machine import Machine

OUT = os.path.join(ROOT, "build-deb")
GUESTS = [{"name": "bare", "image": "none", "inside": "10.99.0.30", "public": "203.0.113.30",
           "inside6": "2001:db8:113::30", "public6": "2001:db8:113::30"}]


def make(suffix=""):
    p = subprocess.run([os.path.join(ROOT, "tools/make-deb"), OUT, *([suffix] if suffix else [])],
                       capture_output=True, text=True, timeout=800, stdin=subprocess.DEVNULL)
    if p.returncode != 0:
        raise AssertionError(p.stdout + p.stderr)
    return next(x for x in p.stdout.splitlines() if "/skep_" in x)


def packages(t, folder):
    """The present one and one that is newer, in folder."""
    newer = shutil.copy(make("+t1"), folder)
    now = shutil.copy(make(), folder)
    t.check(newer.endswith("+t1_amd64.deb") and now != newer, "two versions are built", [now, newer])
    if shutil.which("lintian"):
        changes = [f"{OUT}/{f}" for f in os.listdir(OUT) if f.endswith(".changes")]
        p = subprocess.run(["lintian", "--allow-root", "--pedantic", "--fail-on", "error,warning",
                            *changes], capture_output=True, text=True, timeout=300)
        t.check(p.returncode == 0 and not p.stdout.strip(), "lintian has nothing to say",
                p.stdout + p.stderr)
    else:
        t.skip("lintian has nothing to say", "lintian is not installed")
    if os.environ.get("SKEP_SOAK"):
        other = f"{folder}/elsewhere/for/once"
        subprocess.run([os.path.join(ROOT, "tools/make-deb"), other], check=True, timeout=800,
                       capture_output=True)
        with open(now, "rb") as a, open(f"{other}/{os.path.basename(now)}", "rb") as b:
            t.check(a.read() == b.read(), "built elsewhere it is the same, byte for byte")
    return now, newer


# What a newcomer looks for, and no program of ours does.
PAGES = ["skep", "skep-alerts", "skep-events", "skep-evidence", "skep-files", "skep-inspect", "skep-log", "skep-pcap",
         "skep-prove", "skep-replay", "skep-rules", "skep-scrub", "skep-sessions", "skep-up"]
WATCH = {"skep-watch": 0o755, "alert": 0o755, "skep-watch.service": 0o644, "rsyslog-skep.conf": 0o644,
         "logrotate-skep": 0o644}


class Box:
    """The machine with the package: what the tests ask it."""

    def __init__(self, t, machine):
        self.t, self.m = t, machine

    def skep(self, *args, **kw):
        return self.m.run("skep", *args, **kw)

    def configure(self, path="/etc/skep/skep.yaml", **more):
        settings = {"mode": "lab", "accel": "tcg", "guests": GUESTS, "forwards": [],
                    "recorder": {"disk": "256MB", "file": "16MB"}, **more}
        with open(self.m.root + path, "w", encoding="utf-8") as f:
            f.write(yaml(settings))

    def roles(self, *args):
        p = self.skep("status", "--json", *args)
        try:
            return {r["name"]: r["pid"] for r in json.loads(p.stdout)["roles"]}
        except (ValueError, KeyError):
            return {}

    def super(self):
        return int(self.m.run("cat", "/run/skep/super.pid").stdout or 0)

    def exe(self, pid):
        return self.m.run("readlink", f"/proc/{pid}/exe").stdout.strip()

    def start(self, what):
        """As a service, where there is one."""
        if self.m.booted:
            p = self.m.run("systemctl", "start", "skep")
            wait_for(lambda: "wall" in self.roles(), 30, 0.2)
        else:
            p = self.skep("up", timeout=120)
        self.t.check(p.returncode == 0 and self.super() > 1 and "wall" in self.roles(), what,
                     p.stdout + p.stderr)

    def state(self, unit="skep"):
        return self.m.run("systemctl", "is-active", unit).stdout.strip()

    def dress(self):
        """Gives the namespace behind the bare guest's port an address."""
        for link in (["set", "lo", "up"], ["set", "eth0", "up"]):
            self.m.run("ip", "-n", "skep-g0", "link", *link)
        self.m.run("ip", "-n", "skep-g0", "addr", "replace", "10.99.0.30/24", "dev", "eth0")
        self.m.run("ip", "-n", "skep-g0", "route", "replace", "default", "via", "10.99.0.1")

    def passes(self):
        """Does a ping go from the lab through the wall to the bare guest?"""
        self.dress()
        return wait_for(lambda: self.m.run(
            "ip", "netns", "exec", "skep-lab", "busybox", "ping", "-c", "1", "-W", "1",
            "203.0.113.30").returncode == 0, 20, 0.2)

    def dpkg(self, *args, **kw):
        return self.m.run("dpkg", *args, timeout=120, **kw)

    def version(self):
        return self.m.run("dpkg-query", "-W", "-f", "${Version}", "skep").stdout

    def traces(self):
        """Everything of a running honeynet that is there."""
        m = self.m
        links = [x.split(": ")[1] for x in m.run("ip", "-o", "link").stdout.splitlines()]
        mounts = [x for x in m.run("cat", "/proc/self/mounts").stdout.splitlines() if "netns" in x]
        run = m.run("sh", "-c", "ls -A /run/skep /run/netns 2>/dev/null").stdout.split()
        run = [x for x in run if not x.endswith(":")]
        skep = [x for x in m.processes() if "skep" in x and "journal" not in x]
        return {"links": links, "mounts": mounts, "run": run, "processes": skep}


def to_read(t, deb):
    """Manual pages, documents, and what docs/WATCH.md has one copy to the second machine."""
    listed = subprocess.run(["dpkg-deb", "-c", deb], capture_output=True, text=True, check=True).stdout
    modes = {x.split()[5]: x.split()[0] for x in listed.splitlines()}
    pages = [f"./usr/share/man/man8/{x}.8.gz" for x in PAGES] + ["./usr/share/man/man5/skep.yaml.5.gz"]
    t.equal([x for x in pages if x not in modes], [], "a manual page for every verb that has one")
    docs = [f"./usr/share/doc/skep/{x}" for x in ("ALERTS.md", "WATCH.md", "EVENTS.md", "alert-schema.json",
                                                  "skep-schema.json", "pictures/alert-phone.png")]
    t.equal([x for x in docs if x not in modes], [], "the documents")
    found = {x: modes.get(f"./usr/share/doc/skep/examples/watch/{x}") for x in WATCH}
    t.equal(found, {x: stat.filemode(stat.S_IFREG | m) for x, m in WATCH.items()},
            "what the second machine needs, as files to be copied")


QUIET = {"links": ["lo"], "mounts": [], "run": [], "processes": []}


def install(t, b, deb):
    m = b.m
    p = m.run("apt-get", "install", "-y", "--no-install-recommends", f"/srv/{os.path.basename(deb)}",
              host_net=True, timeout=400)
    if not t.check(p.returncode == 0 and "skep init" in p.stdout, "it installs with what it needs, and "
                   "says what to do", p.stdout[-3000:] + p.stderr[-3000:]):
        raise AssertionError("nothing to go on with")
    left = [x for x in b.traces()["processes"] if "apt" not in x]
    t.equal(left, [], "nothing was started")
    wants = m.run("find", "/etc/systemd/system", "-name", "*skep*").stdout
    t.equal(wants, "", "no unit is enabled")
    t.check("/etc/skep/skep.example.yaml" in m.run("dpkg-query", "-W", "-f", "${Conffiles}", "skep").stdout,
            "the example is a conffile")
    t.equal(m.run("ls", "/etc/skep").stdout.split(), ["skep.example.yaml"], "there is no configuration")
    p = b.skep("check", "/etc/skep/skep.example.yaml")
    t.equal(p.returncode, 0, "skep check takes the example")
    p = b.skep("image", "list")
    t.check("debian" in p.stdout and "tiny" in p.stdout, "the recipes are found", p.stdout + p.stderr)
    text = m.run("sh", "-c", "grep -c . /usr/sbin/skep >/dev/null; grep -aoE '%s|%s' /usr/sbin/skep"
                 % (ROOT, OUT)).stdout
    t.equal(text, "", "the program does not know where it was built")
    p = m.run("setpriv", "--reuid=65534", "--clear-groups", "skep", "rules", "update",
              "/usr/share/skep/rules/worm.rules", "-o", "/tmp/rules")
    t.check(p.returncode == 0 and "rules in /tmp/rules" in p.stdout,
            "rules update works as the nobody that skep-rules.service runs it as", p.stdout + p.stderr)
    m.run("rm", "-rf", "/tmp/rules")


def service(t, b):
    """skep.service and skep-rules.service, by systemd itself."""
    m = b.m
    if not m.booted:
        return t.skip("the service", "no cgroups of version 2: systemd can't run in the machine")
    m.run("systemctl", "start", "skep")
    t.equal((b.state(), b.traces()), ("inactive", QUIET), "without a configuration the service does nothing")
    b.configure()
    m.run("mkdir", "-p", "/etc/systemd/system/skep.service.d")
    with open(f"{m.root}/etc/systemd/system/skep.service.d/test.conf", "w", encoding="utf-8") as f:
        f.write("[Service]\nRestartSec=1\n")  # 10 s of nothing are not for a test
    m.run("systemctl", "daemon-reload")
    b.start("the service starts")
    t.check(b.passes(), "a ping passes the wall: the host sees its namespaces")
    roles = b.roles()
    p = m.run("systemctl", "reload", "skep")
    t.equal((p.returncode, b.roles()), (0, roles), "reload reads rules, and restarts nobody")
    before = b.super()
    m.run("kill", "-9", str(before))
    t.check(wait_for(lambda: b.super() not in (0, before) and "wall" in b.roles(), 40, 0.2),
            "super is killed: the service starts it again", m.run("journalctl", "-u", "skep").stdout[-2000:])
    p = m.run("journalctl", "-u", "skep", "--no-pager")
    t.check("what it left is removed" in p.stdout, "after what it had left was removed", p.stdout[-2000:])
    m.run("systemctl", "stop", "skep")
    t.equal((b.state(), b.traces()), ("inactive", QUIET), "stop leaves nothing")
    with open(f"{m.root}/etc/default/skep-rules", "w", encoding="utf-8") as f:
        f.write("SKEP_RULES_SOURCE=/usr/share/skep/rules\n")
    if m.run("unshare", "--user", "true").returncode != 0:
        # Where this root is itself in a chroot nobody can make user namespaces: all but that then.
        t.note("no user namespaces here: skep-rules.service without PrivateUsers")
        m.run("mkdir", "-p", "/etc/systemd/system/skep-rules.service.d")
        with open(f"{m.root}/etc/systemd/system/skep-rules.service.d/test.conf", "w", encoding="utf-8") as f:
            f.write("[Service]\nPrivateUsers=no\n")
        m.run("systemctl", "daemon-reload")
    p = m.run("systemctl", "start", "skep-rules")
    said = m.run("journalctl", "-u", "skep-rules", "--no-pager").stdout
    t.check(p.returncode == 0 and os.path.getsize(f"{m.root}/var/lib/private/skep-rules/skep.rules") > 1000,
            "skep-rules.service brings rules, confined as it is", said[-2000:])
    m.run("rm", "-rf", "/etc/systemd/system/skep-rules.service.d")
    m.run("systemctl", "daemon-reload")
    b.configure(rules={"files": ["/var/lib/skep-rules/skep.rules"]})
    p = b.skep("check")
    t.equal(p.returncode, 0, "which the configuration can name")
    p = m.run("systemctl", "enable", "skep", "skep-rules.timer")
    t.equal(p.returncode, 0, "both can be enabled")
    b.start("and started")
    m.reboot()
    t.check(wait_for(lambda: "wall" in b.roles(), 40, 0.2) and b.passes(),
            "the power goes and comes: the honeynet is there again", m.run("journalctl", "-u", "skep").stdout[-2000:])
    m.run("systemctl", "stop", "skep")
    return t.equal(b.traces(), QUIET, "and leaves nothing when it is stopped")


def on_the_wire(t, b):
    """The same unit with a network card and a router: what it forbids itself, the real wire does not need."""
    m = b.m
    if not m.booted:
        return
    m.run("systemd-run", "--unit=router", "-p", "PrivateNetwork=yes", "sleep", "600", check=True)
    router = m.run("systemctl", "show", "-p", "MainPID", "--value", "router").stdout.strip()
    there = ["nsenter", "-t", router, "-n"]
    for command in (["ip", "link", "add", "up0", "type", "veth", "peer", "name", "isp0", "netns", router],
                    ["ip", "addr", "add", "198.51.100.2/24", "dev", "up0"], ["ip", "link", "set", "up0", "up"],
                    [*there, "ip", "addr", "add", "198.51.100.1/24", "dev", "isp0"],
                    [*there, "ip", "link", "set", "isp0", "up"],
                    ["ip", "route", "add", "default", "via", "198.51.100.1"]):
        m.run(*command, check=True)
    quiet = b.traces()
    b.configure(mode="nat", guests=[{"name": "bare", "image": "none", "inside": "10.99.0.30",
                                     "public": "198.51.100.80"}], uplink={"interface": "up0", "confirm": "10s"})
    b.start("mode nat: the service starts on the real wire")
    b.dress()
    ping = [*there, "busybox", "ping", "-c", "1", "-W", "1"]
    t.check(wait_for(lambda: m.run(*ping, "198.51.100.80").returncode == 0, 8, 0.2),
            "a ping reaches the honeypot's address from the wire", m.run("journalctl", "-u", "skep").stdout[-2000:])
    t.equal(m.run(*ping, "198.51.100.2").returncode, 0, "and the host at its own")
    t.check(wait_for(lambda: b.state() == "inactive", 30, 0.2), "nobody confirms it: the service ends, and is "
            "not started again", m.run("systemctl", "status", "skep").stdout)
    t.equal(b.traces(), quiet, "and leaves nothing")
    m.run("ip", "link", "del", "up0")
    m.run("systemctl", "stop", "router")


def upgrade(t, b, newer):
    before, main_pid, version = b.roles(), b.super(), b.version()
    p = b.dpkg("-i", f"/srv/{os.path.basename(newer)}")
    t.check(p.returncode == 0 and b.version() == version + "+t1", "it upgrades from itself", p.stdout + p.stderr)
    t.check("goes on as it is" in p.stdout, "and says that what runs goes on", p.stdout)
    t.equal((b.super(), b.roles()), (main_pid, before), "no process was restarted")
    t.check(b.exe(main_pid).endswith("/skep (deleted)"), "what runs is the old program", b.exe(main_pid))
    t.check(b.passes(), "a ping passes the old wall")
    b.m.run("kill", "-9", str(before["wall"]))
    t.check(wait_for(lambda: b.roles().get("wall", 0) not in (0, before["wall"]), 20, 0.2),
            "a wall that is killed is started again", b.roles())
    t.equal(b.exe(b.roles().get("wall", 0)), b.exe(main_pid), "from the program that super is")
    t.check(b.passes(), "a ping passes the new wall")
    p = b.skep("rules", "reload")
    t.equal(p.returncode, 0, "the new program asks the old super: rules reload")
    p = b.skep("down")
    t.check(p.returncode == 0, "and down", p.stdout + p.stderr)
    if b.m.booted:
        t.check(wait_for(lambda: b.state() == "inactive", 30), "the service takes it for its end", b.state())
    t.equal(b.traces(), QUIET, "nothing is left of it")
    b.start("the new version starts")
    t.equal(b.exe(b.super()), "/usr/sbin/skep", "it is the new program that runs")


def removal(t, b, newer):
    p = b.dpkg("--remove", "skep")
    t.equal((p.returncode, b.traces()), (0, QUIET), "remove stops what runs, and leaves nothing of it")
    kept = b.m.run("sh", "-c", "ls -d /etc/skep/skep.yaml /var/lib/skep/events /usr/sbin/skep 2>/dev/null")
    t.equal(kept.stdout.split(), ["/etc/skep/skep.yaml", "/var/lib/skep/events"],
            "configuration and events stay")

    # Once more, with a second honeynet of which /etc/skep knows nothing.
    b.dpkg("-i", f"/srv/{os.path.basename(newer)}", check=True)
    b.configure("/root/other.yaml", name="other", state_dir="/var/other", run_dir="/run/other", uid_base=70000)
    p = b.skep("up", "-c", "/root/other.yaml", timeout=120)
    t.equal(p.returncode, 0, "a second honeynet starts")
    p = b.dpkg("--remove", "skep")
    t.check(p.returncode != 0 and "skep down -c FILE" in p.stderr and b.roles("-c", "/root/other.yaml"),
            "remove refuses while that runs, and says what to do", p.stdout + p.stderr)
    b.skep("down", "-c", "/root/other.yaml")

    # A crash, then purge: the leftovers go as well.
    b.start("the first one starts again")
    if b.m.booted:  # nobody but the removal shall clean up
        b.m.run("sh", "-c", "printf '[Service]\\nExecStopPost=\\nRestart=no\\n' "
                ">/etc/systemd/system/skep.service.d/test.conf; systemctl daemon-reload")
    b.m.run("kill", "-9", str(b.super()))
    wait_for(lambda: not b.traces()["processes"], 20, 0.2)
    p = b.dpkg("--purge", "skep")
    t.equal((p.returncode, b.traces()), (0, QUIET), "purge after a crash leaves nothing")
    t.check(re.search(r"deleting /var/lib/skep \(\d", p.stdout), "and says what it deletes", p.stdout)
    b.m.run("rm", "-rf", "/var/other", "/root/other.yaml", "/etc/systemd/system/skep.service.d")
    left = b.m.run("find", "/", "-xdev", "-iname", "*skep*", "-not", "-path", "/srv/*").stdout.split()
    t.equal(left, [], "no file of its name is left")
    t.equal(b.m.run("sh", "-c", "ls -d /etc/skep /etc/default/skep* 2>/dev/null").stdout, "", "nor a folder")


def main(t):
    need("dpkg-buildpackage", "dh", "nsenter", "ip")
    before = host.snapshot("skt-none", 52700, ["skt-machine"])
    with tempfile.TemporaryDirectory(prefix="skt-deb.") as folder:
        now, newer = packages(t, folder)
        to_read(t, now)
        with Machine() as m:
            for deb in (now, newer):
                shutil.copy(deb, f"{m.root}/srv/")
            b = Box(t, m)
            install(t, b, now)
            service(t, b)
            on_the_wire(t, b)
            b.configure()
            p = b.skep("up", timeout=120)
            t.equal(p.returncode, 0, "skep up runs a honeynet with a bare guest")
            b.skep("down")
            b.start("and so it is started for what follows")
            upgrade(t, b, newer)
            removal(t, b, newer)
    # Its mounts and namespaces were never the host's; other tests' come and go there.
    changed = [x for x in host.difference(before, host.snapshot("skt-none", 52700, ["skt-machine"]))
               if "skt-machine" in x or x.split(":")[0][2:] not in ("mounts", "namespaces")]
    t.equal(changed, [], "the machine around it is as it was")


tap.run(main)
