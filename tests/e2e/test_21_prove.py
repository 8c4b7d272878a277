#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces asan
"""Done-when 5: `skep prove` holds on the lab, and with any single protection left out (the test build
skep-weak) it fails, in the case that is meant for it. The port that it uses leaves nothing, however it ends."""
import glob
import json
import os
import signal
import subprocess

import common  # noqa
import honeynet
import tap
from honeynet import Honeynet, guest, wait_for

# One protection at a time: the built-in rules would stop floods and scans as well, and the rule engine what is no
# part of a stream.
MARKER = {"rules": {"files": [os.path.join(honeynet.ROOT, "rules/skep-prove.rules")]}}
NO_RULES = {"rules": {"mode": "off"}}
FENCES = {"wall": {"fence": ["192.0.2.128/25", "2001:db8:ff::/48"], "ignore": ["198.51.100.192/28"]}}
POLICY = {"policy": [
    {"verdict": "drop", "to": "outside", "proto": "tcp", "ports": [23]},
    {"verdict": "reject", "proto": "udp", "ports": [123]},
    {"verdict": "drop", "guests": ["webserver"], "proto": "tcp", "ports": [443]},
    {"verdict": "redirect", "proto": "tcp", "ports": [25, 587, 8080]},
    {"verdict": "redirect", "to": "resolver"},
    {"verdict": "redirect", "proto": "tcp", "ports": [81], "redirect_to": "192.0.2.77", "redirect_port": 8181},
    {"verdict": "redirect", "to": "2001:db8:7::/48", "redirect_to": "2001:db8:77::77"},
    {"verdict": "reflect", "to": ["10.1.0.0/16", "192.0.2.96/28"], "reflect_to": "bob"},
    {"verdict": "limit"},
]}
RULES = ["rule-packet", "rule-fragment", "rule-stream", "rule-split", "rule-reversed", "rule-overlap", "rule-again",
         "rule-ttl", "rule-checksum", "rule-pieces", "rule-urgent", "rule-reset", "rule-mixed", "rule-back"]
# What is left out: the cases that must notice, each alone enough; settings.
WEAK = {
    "spoof_mac": (["spoofed-mac", "mac-flood"], MARKER),
    "spoof_addr": (["spoofed-address"], MARKER),
    "off_limits": (["off-limits"], MARKER),
    "limits": (["limit-tcp", "limit-udp6", "limit-icmp", "tunnel-gre", "limit-other", "tunnel-dns"], MARKER),
    "fragments": (["fragment"], MARKER),
    "checksum": (["checksum"], MARKER),
    "vlan": (["vlan"], MARKER),
    "ethertype": (["ethertype"], MARKER),
    "multicast": (["multicast", "storm"], MARKER),
    "not_for_us": (["unknown-mac"], MARKER),
    "lateral": (["limit-lateral"], MARKER),
    "loghost": (["loghost"], MARKER),
    "caps": (["packet-rate", "byte-rate", "ping-rate", "super-frame"], MARKER),
    "tcp_state": (["tcp-state"], NO_RULES),
    "ttl": (["ttl"], MARKER),
    "icmp_type": (["icmp-type"], MARKER),
    "neigh": (["neighbour"], MARKER),
    "malformed": (["malformed"], MARKER),
    "smtp": (["mail", "sink"], MARKER),
    "sink": (["mail", "sink", "tunnel-dns"], MARKER),
    "inbound": (["inbound"], MARKER),
    "fence": (["fence-list"], FENCES),
    "ignore": (["ignored"], FENCES),
    "policy": (["policy", "redirect", "reflect"], POLICY),
    "rules": (RULES, {}),
}
GUESTS = [guest("alice", "none", 30, **{"class": "webserver"}), guest("bob", "none", 31),
          guest("loghost", "none", 20, kind="loghost")]
QUIET = {"lab": {"services": False}, "recorder": {"enabled": False}}


def prove(net, *args):
    """Exit status, verdict by case, the whole answer."""
    p = net.skep("prove", "--json", *args, timeout=120)
    try:
        said = json.loads(p.stdout)
    except ValueError:
        return p.returncode, {}, {"error": p.stderr, "out": p.stdout}
    said["fence"], said["cases"] = said["cases"][0], said["cases"][1:]
    return p.returncode, {c["case"]: c["verdict"] for c in said["cases"]}, said


def nothing_left(net):
    ruleset = subprocess.run(["nsenter", f"--net={net.lab}", "nft", "list", "ruleset"],
                             capture_output=True, text=True).stdout
    return not os.path.exists(f"/run/netns/{net.name}-prove") and "skep-prove" not in ruleset


def whole(t, net):
    folder = f"{net.dir}/proof"
    code, cases, said = prove(net, "-o", folder)
    bad = [c for c in said.get("cases", []) if c["verdict"] not in ("held", "skipped")]
    t.equal((code, bad), (0, []), "the whole proof holds in the lab")
    held = [c for c, v in cases.items() if v == "held"]
    t.check(len(held) >= 60, "it tried at least 60 promises", (len(held), said))
    skipped = {c for c, v in cases.items() if v == "skipped"}
    t.equal(skipped, {"fence-list", "ignored", "roach-motel", "lockdown", "policy", "redirect", "reflect", "steer"},
            "only what is not configured here is skipped")
    t.check(all(c["note"] for c in said.get("cases", []) if c["verdict"] == "skipped"),
            "... each with its reason")
    arrived = {c["case"]: c["arrived"] for c in said.get("cases", [])}
    t.equal([arrived.get(f"allowed-{x}") for x in ("udp4", "udp6", "tcp4", "tcp6", "ping4", "ping6", "lateral")],
            [1] * 7, "what is allowed arrived")
    sunk = {c["case"]: (c["arrived"], c["sink"]) for c in said.get("cases", [])}
    t.equal([sunk.get(c) for c in ("mail", "sink")], [(0, 2), (0, 4)], "mail and questions end in the sink")
    t.check(sunk.get("tunnel-dns", (1, 0))[0] == 0 and sunk["tunnel-dns"][1] >= 100,
            "... and so does a tunnel through DNS", sunk.get("tunnel-dns"))
    t.check(said.get("outside", 0) >= 100, "... and more within the limits")
    guarded(t, said, "the guard stopped all that got out")
    captures(t, folder)
    t.check(wait_for(lambda: nothing_left(net), 5), "afterwards neither namespace nor guard is left")


def guarded(t, said, what):
    """Whatever got out was stopped there: a failed proof harms nobody."""
    t.check(said.get("guard") and said["guarded"] >= said["outside"], what,
            (said.get("guarded"), said.get("outside")))


def captures(t, folder):
    files = glob.glob(f"{folder}/*.pcapng")
    t.check(files, "captures are written", os.listdir(folder) if os.path.isdir(folder) else None)
    blob = b"".join(open(f, "rb").read() for f in files)
    t.check(b"outside: what got there" in blob and b"the proof's port: what was sent" in blob,
            "... of both sides")
    t.check(blob.count(b"limit-tcp") >= 5, "... with the case's name at what arrived")


def ends(t, net):
    """A second proof has a fresh budget; two at once are refused; a killed one leaves nothing."""
    for _ in range(2):
        code, cases, said = prove(net, "--only", "allowed-tcp4", "--only", "limit-tcp")
        t.equal((code, cases), (0, {"allowed-tcp4": "held", "limit-tcp": "held"}),
                "once more: the budget is a fresh one")
        t.equal([c["arrived"] for c in said["cases"]], [1, 19], "... and exactly the limit arrives")
    t.check(nothing_left(net), "when it ends nothing is left")
    p = subprocess.Popen([honeynet.SKEP, "prove", "-c", net.conf], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    t.check(wait_for(lambda: os.path.exists(f"/run/netns/{net.name}-prove"), 10), "one runs")
    code, _, said = prove(net, "--only", "ttl")
    t.check(code == 2 and "another proof" in said.get("error", ""), "a second one is refused", said)
    p.send_signal(signal.SIGKILL)
    p.wait()
    t.check(wait_for(lambda: nothing_left(net), 10), "a killed proof leaves nothing")
    code, _, said = prove(net, "--only", "ttl")
    t.check(code == 0, "and the next one runs", said)


def usage(t, net):
    p = net.skep("prove", "--list")
    t.check(p.returncode == 0 and len(p.stdout.splitlines()) > 50, "the cases are listed")
    with open(os.path.join(honeynet.ROOT, "docs/PROVE.md")) as h:
        page = h.read()
    missing = [x for x in p.stdout.splitlines() if f"| `{x.split()[0]}` |" not in page]
    t.equal(missing, [], "docs/PROVE.md has each of them")
    t.equal(net.skep("prove", "--only", "nonsense").returncode, 2, "an unknown case is bad usage")
    table = net.skep("prove", "--only", "allowed-udp4", "--only", "vlan").stdout
    t.check("verdict" in table and "3 held, 0 leaked" in table and "\033" not in table,
            "a table for people, without colours in a file", table)


def deaf(t):
    """Where nothing is allowed silence proves nothing, and the proof says so; but an answer will do."""
    none = {"wall": {"limits": {"udp": "0/1h", "icmp": "0/1h"}}}
    with Honeynet(GUESTS[:2], **QUIET, **none) as net:
        net.up()
        code, cases, said = prove(net, "--only", "vlan", "--only", "packet-rate")
        t.equal((code, cases), (0, {"vlan": "held", "packet-rate": "skipped"}),
                "where nothing may begin, answers to the outside will do")
        net.skep("lockdown", "on", check=True)
        code, cases, said = prove(net, "--only", "vlan")
        t.equal((code, cases, said["fence"]["verdict"]), (2, {"vlan": "held"}, "BROKEN"),
                "where nothing may pass at all it is no proof")
        net.down()
    ping = {"wall": {"limits": {"udp": "0/1h"}}}
    with Honeynet(GUESTS[:2], **QUIET, **ping) as net:
        net.up()
        code, cases, said = prove(net, "--only", "vlan", "--only", "packet-rate")
        t.equal((code, cases), (0, {"vlan": "held", "packet-rate": "skipped"}),
                "where only pings may pass, they will do")
        net.down()


def row(said, case):
    return [c for c in said["cases"] if c["case"] == case][0]


def ordered(t):
    """What the operator ordered: fences and lockdown at run time, a policy, classes."""
    with Honeynet(GUESTS, **QUIET, **MARKER, **POLICY, **FENCES) as net:
        net.up()
        asked = [x for c in ("allowed-udp4", "allowed-tcp6", "mail", "sink", "policy", "redirect", "reflect", "off-limits",
                             "fence-list", "ignored",
                             "limit-udp", "limit-lateral", "tunnel-dns") for x in ("--only", c)]
        code, cases, said = prove(net, *asked)
        t.equal((code, set(cases.values())), (0, {"held"}), "a policy, fences and ignored networks hold")
        before, policy = row(said, "fence-list")["sent"], row(said, "policy")["sent"]
        t.check(row(said, "sink")["sink"] == row(said, "sink")["sent"] >= 7, "what it redirects is in the sink",
                row(said, "sink"))
        net.skep("fence", "add", "203.0.113.128/25", check=True)
        code, cases, said = prove(net, "--only", "fence-list", "--only", "policy", "--class", "webserver")
        t.equal((code, set(cases.values())), (0, {"held"}), "... and a fence of run time")
        t.check(row(said, "fence-list")["sent"] > before, "... which was tried",
                (before, row(said, "fence-list")))
        t.check(row(said, "policy")["sent"] > policy, "... and what holds for one class of guests",
                (policy, row(said, "policy")))
        code, cases, said = prove(net, "--roach-motel", "--only", "roach-motel", "--only", "allowed-udp4")
        t.equal((code, cases), (0, {"allowed-udp4": "skipped", "roach-motel": "held"}), "a roach motel holds")
        net.skep("lockdown", "on", "--outbound", check=True)
        code, cases, said = prove(net, "--only", "lockdown", "--only", "allowed-lateral")
        t.equal((code, cases), (0, {"lockdown": "held", "allowed-lateral": "held"}), "a lockdown holds")
        net.down()


def weakened_orders(t):
    """The same without the protection: in one honeynet, since these are asked for."""
    with Honeynet(GUESTS, **QUIET, **MARKER) as net:
        net.skep("up", env={"SKEP_TEST_WEAKEN": "lockdown,roach_motel"}, check=True)
        code, cases, _ = prove(net, "--roach-motel", "--only", "roach-motel")
        t.equal((code, cases), (1, {"roach-motel": "LEAK"}), "without roach_motel: a leak")
        net.skep("lockdown", "on", "--outbound", check=True)
        code, cases, _ = prove(net, "--only", "lockdown")
        t.equal((code, cases), (1, {"lockdown": "LEAK"}), "without lockdown: a leak")
        net.down()


def weakened(t, what, cases, settings):
    args = [x for c in ["allowed-udp4"] + cases for x in ("--only", c)]
    env = {"SKEP_TEST_WEAKEN": what}
    with Honeynet(GUESTS, **QUIET, **settings) as net:
        net.skep("up", env=env, check=True)
        for i in range(len(GUESTS)):
            net.dress(i)
        code, got, said = prove(net, "--rules", *args)
        net.down()
    want = dict.fromkeys(cases, "LEAK" if what else "held")
    want["allowed-udp4"] = "held"
    t.equal((code, got), (1 if what else 0, want),
            f"without {what or 'nothing'}: {'a leak' if what else 'all held'}")
    guarded(t, said, "... and the guard stopped all of it")
    t.check(all(c["note"] for c in said.get("cases", [])
                if c["verdict"] == "LEAK" and not c["case"].startswith("rule-")),
            "... the table says where it came out")
    if (code, got) != (1 if what else 0, want):
        t.note(json.dumps(said)[:3000])


def main(t):
    honeynet.need("nft", "nsenter")
    with Honeynet(GUESTS, **QUIET) as net:
        net.up()
        whole(t, net)
        ends(t, net)
        usage(t, net)
        net.down()
    code = subprocess.run([honeynet.SKEP, "prove"], env=dict(os.environ, SKEP_CONF=net.conf),
                          capture_output=True).returncode if os.path.exists(net.conf) else 2
    t.equal(code, 2, "without a honeynet it can't be run")
    deaf(t)
    ordered(t)
    weak = honeynet.SKEP + "-weak"
    if not os.access(weak, os.X_OK):
        t.check(False, f"{weak} is built (ninja src/cmd/skep-weak)")
        return
    honeynet.SKEP = weak
    for what, (cases, settings) in WEAK.items():
        weakened(t, what, cases, settings)
    weakened_orders(t)
    everything = sorted({c for cases, _ in WEAK.values() for c in cases} - set(WEAK["policy"][0]))
    weakened(t, "", everything, {**MARKER, **FENCES})


tap.run(main)
