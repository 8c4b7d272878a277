#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces asan site
"""skep init and skep doctor on the three kinds of site, and where there is none: what is found, each answer and
each wrong one, files that `skep check` takes, cures that are done only with consent. Neither changes anything."""
import json
import os
import re
import subprocess
import tempfile

import common  # noqa
import sites
import tap
from honeynet import SKEP

FREE, FREE6 = "203.0.113.7", "2001:db8:113::7"


class Host:
    """skep on the server of a site."""

    def __init__(self, t, site, who="server", session=None):
        self.t, self.site, self.who, self.n = t, site, who, 0
        self.env = {"HOME": "/root", "NO_COLOR": "1", "PATH": os.environ["PATH"]}
        for k in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if k in os.environ:
                self.env[k] = os.environ[k]
        if session:
            self.env["SSH_CONNECTION"] = session
        self.file = None

    def skep(self, *args, answers=""):
        p = self.site.run(self.who, "env", "-i", *(f"{k}={v}" for k, v in self.env.items()), SKEP, *args,
                          input=answers, timeout=120)
        self.out = p.stdout + p.stderr
        return p

    def init(self, *args, answers="", code=0, what=None):
        """One init into a new file; its configuration as a dict of words, or None."""
        self.n += 1
        self.file = f"{self.site.dir}/skep{self.n}.yaml"
        p = self.skep("init", "-o", self.file, *args, answers=answers)
        there = os.path.exists(self.file)
        what = what or f"init {' '.join(args)}"
        good = p.returncode == code and there == (code == 0) and "Sanitizer" not in self.out
        if good and code == 0:
            self.skep("check", self.file)
            good = ": ok" in self.out
            self.out = p.stdout + p.stderr + self.out
        self.t.check(good, f"{what}: exit {p.returncode}" + (", and check is content" if code == 0 else
                                                            ", nothing written"), self.out)
        return open(self.file, encoding="utf-8").read() if there else ""

    def has(self, text, *wanted, what):
        missing = [x for x in wanted if not re.search(x, text, re.M)]
        self.t.check(not missing, what, f"missing: {missing}\n{text}")

    def lines(self, *args, answers=""):
        """doctor's lines: name -> [(result, what, cure)]."""
        p = self.skep("doctor", "-c", self.file, "--json", *args, answers=answers)
        out = {}
        for c in json.loads(p.stdout)["checks"]:
            out.setdefault(c["check"], []).append((c["result"], c["what"], c.get("cure") or ""))
        return out

    def says(self, check, result, pattern, what=None):
        got = self.lines().get(check, [])
        self.t.check(any(r == result and re.search(pattern, w + " " + c) for r, w, c in got),
                     what or f"doctor: {check} is {result}: {pattern}", got)


def shared(t, site):
    """One address, v4 by DHCP, v6 a /128; ufw-like and Docker-like rules; typed in an ssh session."""
    before = site.snapshot()
    h = Host(t, site)
    s = site.session()
    code, out = s.run(f"env -u SSH_CONNECTION sh -c '{SKEP} init --yes -o {site.dir}/first.yaml; true'")
    h.has(out, rf"by ssh from {sites.OPERATOR}, port 22", r"ufw, Docker, firewalld", r"tcp/22 .*sshd.*your session",
          rf"tcp/{sites.PUBLISHED}", rf"{sites.SERVER}/28 \(may change\)", f"{sites.SERVER6}/128", "Never touched",
          "skep up .*--confirm", r"provider .*/128", "Mind: port 22 stays this host's",
          what="init in an ssh session finds it all, though sudo hides the session")
    text = open(f"{site.dir}/first.yaml", encoding="utf-8").read()
    h.has(text, r"^mode: nat", r"interface: auto", r"^ +shared: true", r"- tcp/22$", rf"- tcp/{sites.PUBLISHED}$",
          rf"sources: \[{sites.OPERATOR}/32\]", what="the proposal: this address, but for the host's ports")
    t.check("public" not in text, "no address is written down that may change", text)
    h.file = f"{site.dir}/first.yaml"
    h.says("uplink", "ok", "eth0.*followed")
    h.says("kept ports", "ok", r"tcp/22 sshd(?!.*tcp/22 sshd)")
    h.says("firewalls", "ok", r"ufw, Docker, firewalld.*nothing to open")
    h.says("in the way", "ok", "nothing")
    h.says("steering", "ok", "")
    h.says("router", "ok", re.escape(sites.ROUTER))
    code, out = s.run(f"{SKEP} doctor -c {h.file} --json")
    t.check(f"from {sites.OPERATOR} to {sites.SERVER} port 22 stays" in out, "doctor knows the operator's session", out)
    s.close()

    text = h.init(answers="shared\ntcp/2222, udp/51820\ny\n")
    h.has(text, "- tcp/2222$", "- udp/51820$", "- tcp/22$", what="ports that are asked for stay as well")
    h.init(answers="3\ntcp/0\ntcp/99999\n203.0.113.9\nx\ntcp/2222\n\n")
    for word in ("'tcp/0' is neither", "'tcp/99999' is neither", "takes the host's own address", "'x' is neither"):
        t.check(word in h.out, f"a wrong answer is asked again: {word}", h.out)
    h.init(answers="\n\n\n", what="three times return")
    h.init("--mode", "shared", "--keep", "tcp/2222", "--keep", "tcp/2223", "--yes")
    h.init("--mode", "alias", "--yes", code=1, what="alias without an address, where none can be proposed")
    h.init("--mode", "bridge", "--yes", code=1, what="bridge, without a card")
    t.check("no network card is free" in h.out, "it says that there is none", h.out)
    h.init("--mode", "alias", "--address", sites.SERVER, "--yes", code=1, what="the host's own address as alias")
    t.check("ip addr del" in h.out, "with the cure", h.out)
    t.equal(site.changed(before), [], "init and doctor changed nothing")
    walk(t, site, h)


def alias(t, site):
    before = site.snapshot()
    h = Host(t, site, session=f"{sites.OPERATOR6} 4711 {sites.SERVER6} 22")
    site.pings("server", sites.NEIGHBOUR, 1)
    wrong = [("router", sites.ROUTER, "is the router"), ("own", sites.SERVER, "this host's own"),
             ("network", "203.0.113.0", "first or last"), ("broadcast", "203.0.113.15", "first or last"),
             ("neighbour", sites.NEIGHBOUR, "in use already"), ("loopback", "127.0.0.1", "can't be a honeypot's"),
             ("link-local", "fe80::5", "can't be a honeypot's"), ("group", "ff02::1", "can't be a honeypot's"),
             ("twice", f"{FREE} {FREE}", "named twice"), ("none", "300.1.1.1", "neither an address nor a link"),
             ("two /64", f"{FREE6}, 2001:db8:114::7", "of one /64"), ("anycast", "2001:db8:113::", "first")]
    for what, answer, word in wrong:
        h.init("--mode", "alias", "--address", answer, "--yes", code=1, what=f"a wrong address ({what})")
        t.check(word in h.out, f"it says why: {word}", h.out)
    text = h.init(answers=f"2\n{sites.SERVER}\n\x1b[31m\n{FREE}, {FREE6}\nyes\n")
    t.check("\x1b" not in h.out.replace("\x1b[31m\n", ""), "what was typed comes back harmless", repr(h.out))
    h.has(text, "^mode: nat", f"public: {FREE}$", f'public6: "{FREE6}"', f'inside6: "{FREE6}"', "inside: 10.99.0.10",
          rf"public: {FREE}\n +sources|guest: loghost", what="alias addresses, v4 and v6")
    h.has(h.out, rf"web1 +{FREE}, {FREE6}", "all of its own addresses", "two programs of traffic control",
          what="the plan says what goes where")
    h.says("address", "ok", f"{FREE} of 'web1'")
    h.says("address", "ok", f"{FREE6} of 'web1'")
    text = h.init(answers="alias\n\n\n", what="alias, the proposed address")
    h.has(text, r'public6: "2001:db8:113::', what="a free address of the /64 is proposed")
    text = h.init("--mode", "alias", "--address", f"{FREE},203.0.113.8", "--address", FREE6, "--yes")
    h.has(text, "name: web2", "public: 203.0.113.8", what="two addresses: two honeypots")
    h.init("--mode", "alias", "--address", "198.18.7.7", "--yes")
    t.check("Mind: 198.18.7.7 is in no network of eth0" in h.out, "an address of elsewhere is taken, with a word", h.out)
    site.ip("server", "link add far type veth peer name far2", "addr add 10.99.0.7/16 dev far")
    text = h.init("--mode", "alias", "--address", FREE, "--yes")
    h.has(text, r"inside: 10\.98\.0\.0/24", "gateway: 10.98.0.1", what="the guests' network is none of the host's")
    site.ip("server", "link del far")
    h.init("--mode", "nat", "--address", FREE, "--yes", what="the file's word, with an address")
    h.init("--mode", "nat", "--yes", what="and without")
    t.check("shared: true" in open(h.file, encoding="utf-8").read(), "which is the host's own")
    refusals(t, h)
    told(t, h)
    t.equal(site.changed(before), [], "init and doctor changed nothing")
    cures(t, site, h)
    t.equal(site.changed(before), [], "what was mended is as it was")
    walk(t, site, h, "--mode", "alias", "--address", f"{FREE},{FREE6}")


def told(t, h):
    """Who is told of alerts: in the third answer, or by options."""
    text = h.init("--mode", "alias", answers=f"{FREE}\nann@@x\nhttps://u:p@example.org/\nann@example.org\n",
                  what="a mail address instead of yes")
    h.has(text, "kind: smtp", r'to: \["ann@example.org"\]', "url: smtp://localhost:25", "name: local",
          what="alerts go there, by this host's mail server")
    t.check(h.out.count("neither a mail address nor") == 2 and "skep alerts test" in h.out,
            "what is no address is asked again; the next step is a test", h.out)
    for url, kind in (("https://hooks.slack.com/services/T/B/x", "slack"), ("https://ntfy.sh/topic", "ntfy"),
                      ("https://discord.com/api/webhooks/1/x", "discord"), ("https://example.org/hook", "webhook"),
                      ("https://a.westeurope.logic.azure.com/workflows/x", "teams")):
        text = h.init("--mode", "lab", "--webhook", url, "--yes")
        h.has(text, f"kind: {kind}$", what=f"whose webhook it is: {kind}")
    t.equal(os.stat(h.file).st_mode & 0o777, 0o600, "a file with the URL of a webhook is for root only")
    text = h.init("--mode", "lab", "--mail", "ann@example.org", "--webhook", "http://example.org/h", "--yes")
    h.has(text, "ann@example.org", "insecure: true +# no TLS: what", what="both, and what is told in clear says so")
    h.init("--mode", "lab", "--mail", "ann", "--yes", code=2)
    h.init("--mode", "lab", "--webhook", "ann@example.org", "--yes", code=2)
    h.init("--mode", "lab", "--mail", "a@b\nkind: x", "--yes", code=2, what="no line of one's own")


def refusals(t, h):
    """Answers and options that write nothing."""
    h.init(answers="", code=1, what="nobody answers")
    h.init(answers="alias\n", code=1, what="nobody answers the second")
    h.init(answers=f"alias\n{FREE}\n", code=1, what="nobody answers the third")
    h.init(answers=f"alias\n{FREE}\nno\n", code=1, what="no")
    h.init(answers="5\nlabb\n" * 4, code=1, what="never a place")
    h.init(answers="x" * 5000 + "\n" + f"alias\n{FREE}\n\n", what="a very long answer, then good ones")
    h.init("--mode", "nowhere", code=2, what="a place that is none")
    h.init("--mode", "lab", "--address", FREE, code=2, what="an address for the lab")
    h.init("--mode", "alias", "--keep", "tcp/1", code=2, what="ports for alias")
    h.init("--interface", "eth9", code=2, what="a link that is none")
    h.init("more", code=2, what="a word too much")
    text = h.init("--mode", "alias", "--address", FREE, "--yes")
    file = h.file
    p = h.skep("init", "-o", file, "--mode", "lab", "--yes")
    t.check(p.returncode == 1 and "exists" in h.out and open(file, encoding="utf-8").read() == text,
            "a file that is there stays", h.out)
    p = h.skep("init", "-o", file, "--mode", "lab", "--yes", "--force")
    t.check(p.returncode == 0 and "mode: lab" in open(file, encoding="utf-8").read(), "but for --force", h.out)
    t.equal(sorted(x for x in os.listdir(h.site.dir) if re.search(r"yaml\..", x)), [], "no scraps are left beside it")
    t.equal(oct(os.stat(file).st_mode & 0o777), "0o644", "everybody may read it")
    p = h.skep("init", "-o", "-", "--mode", "lab", "--yes")
    t.check(p.returncode == 0 and p.stdout.rstrip().endswith("mode: lab"), "to standard output", h.out)


def cures(t, site, h):
    h.init("--mode", "alias", "--address", FREE, "--yes")
    site.run("server", "tc", "qdisc", "add", "dev", "eth0", "ingress", check=True)
    site.ip("server", f"addr add {FREE}/32 dev eth0")
    h.says("in the way", "warn", "tc qdisc del dev eth0 ingress")
    h.says("address", "fail", f"ip addr del {FREE}/32 dev eth0")
    p = h.skep("doctor", "-c", h.file)
    t.check(p.returncode == 1 and "run `" not in p.stdout, "doctor alone asks nothing and runs nothing", h.out)
    questions = [x for x in re.findall(r"-> (.*)", p.stdout) if x.startswith(("tc ", "ip ", "ping ", "timedatectl "))]
    h.skep("doctor", "-c", h.file, "--fix", answers="n\n" * len(questions))
    there = site.run("server", "tc", "qdisc", "show", "dev", "eth0").stdout
    t.check("run `tc qdisc del" in h.out and "ingress" in there, "--fix asks; no means no", h.out + there)
    h.skep("doctor", "-c", h.file, "--fix", answers="".join(
        "y\n" if q.startswith(("tc ", "ip ")) else "n\n" for q in questions))
    there = site.run("server", "tc", "qdisc", "show", "dev", "eth0").stdout
    addresses = site.run("server", "ip", "addr", "show", "dev", "eth0").stdout
    t.check("ingress" not in there and FREE not in addresses, "yes means yes", h.out + there + addresses)
    h.says("in the way", "ok", "nothing")
    p = h.skep("doctor", "-c", h.file, "--fix", "--json")
    t.equal(p.returncode, 2, "--fix and --json exclude each other")
    # Filters of others: behind ours they don't matter, in our place they do.
    site.run("server", "tc", "qdisc", "add", "dev", "eth0", "clsact", check=True)
    for pref, result in ((7, "program"), (1, "in the way")):
        site.run("server", "tc", "filter", "add", "dev", "eth0", "egress", "pref", str(pref), "bpf", "bytecode",
                 "1,6 0 0 0,", check=True)
        h.says(result, "ok" if pref == 7 else "warn", f"pref {pref}")
    site.run("server", "tc", "qdisc", "del", "dev", "eth0", "clsact", check=True)
    site.ip("server", f"neigh replace {FREE} lladdr 02:00:00:00:00:77 dev eth0 nud reachable")
    h.says("address", "fail", "answers for it already, 02:00:00:00:00:77")
    site.ip("server", f"neigh del {FREE} dev eth0")
    site.ip("server", "link set eth0 down")
    h.says("uplink", "fail", "default route|down")
    site.configure()
    site.run("server", "ip", "neigh", "flush", "dev", "eth0")
    site.pings("server", sites.ROUTER, 1)


def bridge(t, site):
    # A card that was never up has a queueing discipline that it never gets back.
    site.ip("server", "link set eth1 up", "link set eth1 down")
    before = site.snapshot()
    h = Host(t, site, session=f"{sites.OPERATOR} 4711 {sites.SERVER} 22")
    card, card6 = "203.0.113.20/28", "2001:db8:114::20/64"
    for what, answer, word in (
            ("the host's own link", f"eth0 {card} via {sites.ROUTER_B}", "your way in"),
            ("no router", f"eth1 {card}", "Add `via"), ("no length", "eth1 203.0.113.20 via 203.0.113.17", "length"),
            ("a router of elsewhere", f"eth1 {card} via 203.0.113.1", "is no host of|is the router"),
            ("no address", "eth1", "at least one address"), ("via nothing", f"eth1 {card} via", "wants the address"),
            ("a link of Docker's", f"docker0 {card} via {sites.ROUTER_B}", "addresses of this host|no host")):
        h.init(answers=f"bridge\n{answer}\n", code=1, what=f"bridge, {what}")
        t.check(re.search(word, h.out), f"it says why: {word}", h.out)
    text = h.init(answers=f"4\neth1 {card} via {sites.ROUTER_B}, {card6} via fe80::1\n\n")
    h.has(text, "^mode: bridge", "interface: eth1", "inside: 203.0.113.16/28", "gateway: 203.0.113.17",
          'inside6: "2001:db8:114::/64"', 'gateway6: "fe80::1"', "inside: 203.0.113.20$",
          'inside6: "2001:db8:114::20"', what="a card of its own, v4 and v6")
    h.says("card", "ok", "eth1 has no address")
    h.says("uplink", "ok", "eth1.*down: .skep up. sets it up")
    site.ip("router", "link set card2 down")
    site.ip("server", "link set eth1 up")
    h.says("uplink", "fail", "eth1 has no carrier.*cable")
    site.ip("server", "link set eth1 down")
    site.ip("router", "link set card2 up")
    h.says("router", "ok", "203.0.113.17: learned")
    h.says("your session", "ok", "stays the host's")
    text = h.init("--mode", "bridge", "--interface", "eth1", "--address", f"{card6} via 2001:db8:114::1", "--yes")
    t.check("gateway: " not in text, "IPv6 alone", text)
    h.init("--mode", "bridge", "--address", f"{card} via {sites.ROUTER_B}", "--yes", what="bridge finds the free card")
    t.check("interface: eth1" in open(h.file, encoding="utf-8").read(), "which is eth1")
    t.equal(site.changed(before), [], "init and doctor changed nothing")
    walk(t, site, h, "--mode", "bridge", "--address", f"eth1 {card} via {sites.ROUTER_B}, {card6} via fe80::1")
    site.ip("server", "addr add 203.0.113.21/28 dev eth1")
    h.says("card", "fail", "ip addr flush dev eth1")
    site.ip("server", "addr flush dev eth1")
    with open(h.file, encoding="utf-8") as f:
        text = f.read().replace("interface: eth1", "interface: eth0")
    with open(h.file, "w", encoding="utf-8") as f:
        f.write(text)
    h.says("card", "fail", "default route goes by eth0")
    h.says("your session", "fail", "comes by eth0")


def walk(t, site, h, *args):
    """A newcomer's way with what init writes, but for the machines: guests are bare ports, in folders of ours."""
    before = site.snapshot()
    text = h.init(*args, "--yes", what=f"the walk on a site of kind {site.kind}")
    own = f"name: {site.name}\nstate_dir: {site.dir}/state\nrun_dir: {site.dir}/run\naccel: tcg\n" \
          f"uid_base: {100000 + os.getpid() * 8 % 1000000 * 256}\nrecorder: {{disk: 256MB, file: 16MB}}\n"
    text = own + re.sub(r"(?m)^(  - name: .*)$", r"\1\n    image: none", text)
    with open(h.file, "w", encoding="utf-8") as f:
        f.write(text)
    skep = f"env NO_COLOR=1 {SKEP}"
    session = site.session()
    try:
        code, out = session.run(f"{skep} up -c {h.file} --no-wait", 120)
        t.check(code == 0, "skep up, in an ssh session", out)
        p = site.login(f"{skep} up -c {h.file} --confirm")
        t.check(p.returncode == 0, "skep up --confirm, in a new one", p.stdout + p.stderr)
        p = site.login(f"{skep} doctor -c {h.file}")
        t.check("honeynet       runs" in p.stdout and "in the way     nothing" in p.stdout,
                "doctor, while it runs: our own programs are in nobody's way", p.stdout + p.stderr)
        t.check(session.alive(), "the first session is still there")
        with open(f"{site.dir}/lab.yaml", "w", encoding="utf-8") as f:
            f.write(own)
        p = site.login(f"{skep} up -c {site.dir}/lab.yaml")
        t.check(p.returncode == 1 and "runs already, in mode" in p.stderr and "skep down" in p.stderr,
                "skep up with another mode does not call it the same honeynet", p.stdout + p.stderr)
    finally:
        code, out = session.run(f"{skep} down -c {h.file}", 120)
        session.close()
    t.check(code == 0, "skep down", out)
    t.equal(site.changed(before), [], "and all is as it was")


class Nowhere:
    """A host without a network, in the little of a Site that Host needs."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="skt-init.", dir="/tmp")
        self.name = f"skt-i{os.getpid()}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)

    def run(self, who, *argv, input=None, timeout=60, check=False):
        return subprocess.run(["ip", "netns", "exec", self.name, *argv], capture_output=True, text=True, input=input or "",
                              timeout=timeout, check=check)

    def close(self):
        subprocess.run(["ip", "netns", "del", self.name], check=False)
        subprocess.run(["rm", "-r", self.dir], check=False)


def nowhere(t, site):
    h = Host(t, site)
    text = h.init("--yes", what="init where there is no network")
    t.check(re.search("^mode: lab$", text, re.M), "it proposes the lab", text)
    h.init(answers="shared\nlab\n\n", what="another place is refused there")
    t.check("not here: this host has no default route" in h.out, "it says why", h.out)
    site.run("x", "sh", "-c", "ip link set lo up; ip tuntap add venet0 mode tun; ip link set venet0 up;"
             "ip addr add 198.18.0.2/32 dev venet0; ip route add default dev venet0", check=True)
    h.init("--mode", "shared", "--yes", code=1, what="an uplink that is no Ethernet")
    t.check("venet0 is no Ethernet" in h.out and "virtual machine" in h.out, "with the cure", h.out)
    with open(h.file, "w", encoding="utf-8") as f:
        f.write("mode: nat\nguests: [{name: a, shared: true, inside: 10.99.0.10}]\n")
    h.says("uplink", "fail", "no Ethernet")
    p = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", SKEP, "init", "--yes"],
                       capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, cwd="/",
                       stdin=subprocess.DEVNULL)
    t.check(p.returncode == 1 and re.search("root|exists", p.stderr), "without root it says so", p.stderr)


def main(t):
    site = Nowhere()
    try:
        nowhere(t, site)
    finally:
        site.close()
    for kind, test in (("shared", shared), ("alias", alias), ("bridge", bridge)):
        with sites.Site(kind) as site:
            test(t, site)


tap.run(main)
