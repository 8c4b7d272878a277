#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces asan site
"""Done-when 4: `skep prove` holds in every form of the real wire, with all that it has to try there; nothing of it
leaves by the uplink, and it leaves nothing. It fails when the wall, or the fence at the uplink, is weakened."""
import json
import os
import signal
import subprocess

import common  # noqa
import carry
import honeynet
import sites
import tap
from honeynet import Honeynet, guest, wait_for

QUIET = {"recorder": {"enabled": False}}
MARKER = {"rules": {"files": [os.path.join(honeynet.ROOT, "rules/skep-prove.rules")]}}
NETWORK = {"inside": "203.0.113.16/28", "gateway": sites.ROUTER_B, "inside6": "2001:db8:114::/64",
           "gateway6": "fe80::1"}
NOT_TRIED = {"fence-list", "ignored", "roach-motel", "lockdown", "policy", "redirect", "reflect"}
PASSES = [f"allowed-{x}" for x in ("udp4", "udp6", "tcp4", "tcp6", "ping4", "ping6", "lateral")]
# What is left out, and the cases that must notice, in forms where the fence at the uplink stands behind the wall.
WEAK = {
    "spoof_addr": ["spoofed-address"],
    "off_limits": ["off-limits", "host"],
    "inbound": ["inbound"],
    "neigh": ["neighbour"],
    "limits": ["limit-tcp", "limit-udp6"],
}


def lan(name, v4, v6, n):
    return guest(name, "none", n, inside=v4, inside6=v6, public=v4, public6=v6)


def form(kind):
    """Guests and settings of a honeynet at such a site, and its uplink."""
    loghost = guest("loghost", "none", 20, kind="loghost")
    hidden = {"public": None, "public6": None}
    if kind == "alias":
        return [guest("alice", "none", 10), guest("bob", "none", 11), loghost], {"mode": "nat"}, "eth0"
    if kind == "shared":
        return ([guest("alice", "none", 30, shared=True, **hidden), guest("bob", "none", 31, **hidden), loghost],
                {"mode": "nat"}, "eth0")
    return ([lan("alice", "203.0.113.20", "2001:db8:114::20", 20), lan("bob", "203.0.113.21", "2001:db8:114::21", 21)],
            {"mode": "bridge", "uplink": {"interface": "eth1"}, "network": NETWORK}, "eth1")


class Wire(Honeynet):
    """A honeynet at a site, up and confirmed."""

    def __init__(self, site, kind, **more):
        guests, settings, self.uplink = form(kind)
        super().__init__(guests, home=site.path("server"), outside=site.path("intruder"), **QUIET, **settings, **more)
        self.site = site

    def start(self, t, weaken=""):
        self.skep("up", env={"SKEP_TEST_WEAKEN": weaken}, check=True)
        for i in range(len(self.guests)):
            self.dress(i)
        p = self.site.login(self.site.skep_line(self, "up", "--confirm"))
        if p.returncode != 0:
            t.note(p.stdout + p.stderr)

    def prove(self, *args):
        """Exit status, verdict by case, the whole answer."""
        p = self.skep("prove", "--json", *args, timeout=240)
        try:
            said = json.loads(p.stdout)
        except ValueError:
            return p.returncode, {}, {"error": p.stderr, "out": p.stdout, "cases": []}
        said["cases"] = said["cases"][1:]
        return p.returncode, {c["case"]: c["verdict"] for c in said["cases"]}, said

    def only(self, *cases):
        return self.prove(*[x for c in cases for x in ("--only", c)])

    def server(self, *argv):
        return subprocess.run(["nsenter", f"--net={self.home}", *argv], capture_output=True, text=True, timeout=20)

    def guarded(self):
        return "skep_guard" in self.server("tc", "filter", "show", "dev", self.uplink, "egress").stdout

    def nothing_left(self):
        return not os.path.exists(f"/run/netns/{self.name}-prove") and not self.guarded()


def row(said, case):
    return next((c for c in said["cases"] if c["case"] == case), {})


def whole(t, net, kind):
    code, cases, said = net.prove()
    bad = [c for c in said["cases"] if c["verdict"] not in ("held", "skipped")]
    t.equal((code, bad), (0, []), f"{kind}: the whole proof holds")
    no_loghost = {"loghost", "loghost-router"} if kind == "bridge" else set()
    t.equal({c for c, v in cases.items() if v == "skipped"}, NOT_TRIED | no_loghost,
            "... only what is not configured here is skipped")
    t.equal([row(said, c).get("arrived") for c in PASSES], [1] * 7, "... what is allowed passes the wall, v4 and v6")
    steer = row(said, "steer")
    ours = {"alias": 4, "shared": 2, "bridge": 4}[kind]
    t.equal((steer.get("arrived"), steer.get("sent", 0) > 30), (ours, True),
            "... the fence lets only guests' own addresses out")
    t.equal((said.get("escaped"), said.get("guard")), (0, True), "... nothing of it left by the uplink")
    t.check(said.get("guarded", 0) >= ours, "... since the guard stopped what passed the fence", said.get("guarded"))
    if kind == "shared":
        t.check(steer["sent"] > 60, "... kept ports and the host's own conversations are tried", steer)


def ends(t, net):
    t.check(wait_for(net.nothing_left, 5), "afterwards neither namespace nor guard is left")
    p = subprocess.Popen([*net.at_home(), honeynet.SKEP, "prove", "-c", net.conf], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    t.check(wait_for(net.guarded, 10), "one runs, and its guard stands")
    code, _, said = net.only("ttl")
    t.check(code == 2 and "another proof" in said.get("error", ""), "a second one is refused", said)
    p.send_signal(signal.SIGKILL)
    p.wait()
    t.check(wait_for(net.nothing_left, 10), "a killed proof leaves nothing")


def new_address(t, net):
    """What the host gets while the honeynet runs is off limits a moment later."""
    _, _, before = net.only("host")
    for a in ("198.51.100.211/32", "2001:db8:e::1/64"):
        net.server("ip", "addr", "add", a, "dev", "lo")
    held = wait_for(lambda: net.only("host")[0] == 0, 15, 0.5)
    _, _, after = net.only("host")
    t.check(held and row(after, "host")["sent"] >= row(before, "host")["sent"] + 6,
            "an address and a network that the host got a moment ago are tried and closed",
            (row(before, "host"), row(after, "host")))
    for a in ("198.51.100.211/32", "2001:db8:e::1/64"):
        net.server("ip", "addr", "del", a, "dev", "lo")


def names(t):
    """As `init` writes it: the host asks its own name server in the guests' place. That is no leak, within the budget."""
    with sites.Site("alias") as site, Wire(site, "alias", sink={"dns": {"upstream": honeynet.DNS}}) as net:
        net.start(t)
        code, cases, said = net.only("tunnel-dns")
        asked = sum("asked upstream" in str(e) for e in net.lines("skep"))
        net.down()
    t.equal((code, cases, said.get("escaped")), (0, {"tunnel-dns": "held"}, 0), "names that the sink asks for are no leak")
    t.check(0 < asked <= 120, "... and some were asked for", asked)


def without_fence(t, net, kind):
    """What if the fence at the uplink was not there? A classifier before it lets all of it out."""
    inner = next(x.split("@")[0].split(":")[1].strip() for x in net.server("ip", "-o", "link").stdout.splitlines()
                 if ": skep" in x)
    p = net.server("tc", "filter", "add", "dev", inner, "ingress", "protocol", "all", "pref", "1", "bpf",
                   "bytecode", "1,6 0 0 4294967295", "action", "mirred", "egress", "redirect", "dev", net.uplink)
    if p.returncode != 0:
        t.skip("a proof without the fence fails", "no redirection by hand here: " + p.stderr.strip()[:80])
        return
    code, _, said = net.only("steer", "allowed-udp4")
    if kind == "bridge":  # what leaves must have been let out by the fence, or it is stopped as the host's
        t.equal((code, said.get("escaped")), (2, 0), "without the fence nothing leaves, and it is no proof")
        return
    t.check(code == 1 and said.get("escaped", 0) > 0, "a proof without the fence fails: it is heard at the uplink",
            (code, said))


def weakened(t, kind, what, cases):
    with sites.Site(kind) as site, Wire(site, kind, **MARKER) as net:
        net.start(t, what)
        code, got, said = net.only("allowed-udp4", *cases)
        net.down()
    want = dict.fromkeys(cases, "LEAK")
    want["allowed-udp4"] = "held"
    t.equal((code, got), (1, want), f"{kind} without {what}: a leak")
    t.equal((said.get("escaped"), said.get("guard")), (0, True), "... of which nothing left by the uplink")
    if (code, got) != (1, want):
        t.note(json.dumps(said)[:3000])


def main(t):
    honeynet.need("nsenter", "tc", "ssh", "sshpass")
    for kind in ("alias", "shared", "bridge"):
        with sites.Site(kind) as site, Wire(site, kind) as net:
            net.start(t)
            whole(t, net, kind)
            ends(t, net)
            if kind != "bridge":
                new_address(t, net)
            without_fence(t, net, kind)
            net.down()
    names(t)
    weak = honeynet.SKEP + "-weak"
    if not os.access(weak, os.X_OK):
        t.check(False, f"{weak} is built (ninja src/cmd/skep-weak)")
        return
    honeynet.SKEP = sites.SKEP = weak
    for what, cases in WEAK.items():
        weakened(t, "alias", what, cases)
    for what in ("spoof_addr", "limits"):
        weakened(t, "bridge", what, WEAK[what])


tap.run(main)
