# SPDX-License-Identifier: BSD-2-Clause
"""A place where a honeynet could stand on the real wire, built of network namespaces.

    with Site("alias") as site:
        net = Honeynet([...], home=site.path("server"), outside=site.path("intruder"), mode="nat")

             intruder  operator  web  dns  other           hosts of the Internet, v4 and v6
                  \\       \\      |    /    /
                            core                           192.0.2.1
                             |  small MTU, if asked for
                           router                          203.0.113.1, fe80::1
                        ____|____________
                       |         |       :
                    server   neighbour   : second LAN      the VPS: its namespace is skep's home
                       |                 :......server's eth1, neighbour2
                   docker0 -- container

Three kinds:
- alias: the server has 203.0.113.2/28 and 2001:db8:113::2/64; the rest of both networks is on its link and free.
- shared: it has one address of each, as small rented servers do: v4 with a lifetime (DHCP), v6 a /128
  whose gateway is on the link.
- bridge: as alias, and a second network card on 203.0.113.16/28 and 2001:db8:114::/64.

On the server there are rules as ufw and firewalld write them (legacy tables and nftables), a container as
Docker runs it, and an sshd of its own for the operator. Everything is removed when the block ends.
"""
import atexit
import itertools
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import host  # noqa: E402
from honeynet import (DNS, INTRUDER, INTRUDER6, ROOT, SKEP, SSH_OPTIONS, WEB, WEB6, in_netns,  # noqa: E402
                      need, wait_for)
from tap import Skip  # noqa: E402

OPERATOR, OPERATOR6 = "198.51.100.7", "2001:db8:7::7"
OTHER, OTHER6 = "192.0.2.99", "2001:db8:99::99"
INTERNET = {"intruder": (INTRUDER, INTRUDER6), "operator": (OPERATOR, OPERATOR6), "web": (WEB, WEB6),
            "dns": (DNS, "2001:db8:53::53"), "other": (OTHER, OTHER6)}
CORE, CORE6, ROUTER, ROUTER6 = "192.0.2.1", "2001:db8:c::1", "203.0.113.1", "2001:db8:113::1"
SERVER, SERVER6 = "203.0.113.2", "2001:db8:113::2"
SERVER_NEW, SERVER6_NEW = "203.0.113.5", "2001:db8:113::5"
NEIGHBOUR, NEIGHBOUR6 = "203.0.113.3", "2001:db8:113::3"
ROUTER_B, NEIGHBOUR_B, NEIGHBOUR_B6 = "203.0.113.17", "203.0.113.19", "2001:db8:114::19"
PRIVATE, METADATA = "10.1.2.3", "169.254.169.254"  # both answer at the router
CONTAINER, PUBLISHED = "172.17.0.2", 8080

LEGACY = """*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:ufw-user-input - [0:0]
{docker_chain}
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -m conntrack --ctstate INVALID -j DROP
{icmp}
-A INPUT -j ufw-user-input
-A INPUT -p udp -m udp --dport {dhcp} -j ACCEPT
-A ufw-user-input -p tcp -m tcp --dport {ssh} -j ACCEPT
{docker}
COMMIT
"""
LEGACY_DOCKER = f"""-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A DOCKER -d {CONTAINER}/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT"""
LEGACY_NAT = f"""*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER ! -i docker0 -p tcp -m tcp --dport {PUBLISHED} -j DNAT --to-destination {CONTAINER}:80
COMMIT
"""
NFT = """table inet firewalld {
	chain filter_INPUT {
		type filter hook input priority filter + 10; policy drop;
		ct state { established, related } accept
		ct state invalid drop
		iifname "lo" accept
		meta l4proto { icmp, ipv6-icmp } accept
		udp dport { 68, 546 } accept
		tcp dport SSH accept
	}
	chain filter_FORWARD {
		type filter hook forward priority filter + 10; policy drop;
		ct state { established, related } accept
		ct status dnat accept
		iifname "docker0" accept
	}
}
"""


class Session:
    """An ssh login of the operator that stays: a shell, asked line by line."""

    def __init__(self, site, argv):
        self.n, self.text = 0, b""
        self.p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        site.processes.append(self.p)

    def run(self, command, timeout=60):
        """(exit code, output); code None: no answer in time, or the session is gone."""
        self.n += 1
        mark = f"__{os.getpid()}_{self.n}__"
        try:
            self.p.stdin.write(f"{{ {command}\n}} </dev/null 2>&1; echo {mark}$?\n".encode())
            self.p.stdin.flush()
        except OSError:
            return None, "the session has ended"
        end, out = time.monotonic() + timeout, self.text
        while not (m := re.search(mark.encode() + rb"(\d+)\n", out)):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.p.stdout], [], [], left)[0]:
                self.text = out
                return None, out.decode(errors="replace")
            got = os.read(self.p.stdout.fileno(), 65536)
            if not got:
                return None, out.decode(errors="replace")
            out += got
        self.text = out[m.end():]
        return int(m[1]), out[:m.start()].decode(errors="replace")

    def alive(self):
        code, out = self.run(f"echo here-$(({self.n}+1))", 10)
        return code == 0 and f"here-{self.n}" in out

    def close(self):
        try:
            self.p.stdin.close()
            self.p.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            self.p.kill()
            self.p.wait()


class Site:
    count = 0

    def __init__(self, kind="alias", hop_mtu=1500, rules=True, docker=True, ssh_port=22):
        need("ip", "nsenter", "nft", "sshd", "ssh", "ssh-keygen", "curl", "tc", "ss")
        if rules:
            need("iptables-legacy-restore", "ip6tables-legacy-restore", "iptables-legacy-save")
        Site.count += 1
        self.kind, self.hop_mtu, self.rules, self.docker = kind, hop_mtu, rules, docker
        self.ssh_port = ssh_port
        # Named so that other tests' comparisons of the machine know it for a test's.
        self.name = f"skt-w{os.getpid()}-{Site.count}"
        self.dir = tempfile.mkdtemp(prefix=self.name + ".", dir="/tmp")
        self.namespaces, self.processes, self.closed = [], [], False
        self.uplink = "eth1" if kind == "bridge" else "eth0"
        atexit.register(self.close)
        for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(s, lambda n, f: sys.exit(128 + n))

    def __enter__(self):
        try:
            self.build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *a):
        self.close()

    # ---- namespaces and links -------------------------------------------------------------------

    def ns(self, who):
        return f"{self.name}-{who}"

    def path(self, who):
        return f"/run/netns/{self.ns(who)}"

    def _namespace(self, who):
        subprocess.run(["ip", "netns", "add", self.ns(who)], check=True)
        self.namespaces.append(self.ns(who))
        self.run(who, "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0",
                 "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.default.accept_ra=0",
                 "net.ipv4.ping_group_range=0 2147483647", check=True)
        self.ip(who, "link set lo up")

    def ip(self, who, *lines):
        """Lines for `ip`, in order, in a namespace; with -6 in front for `ip -6`."""
        for six, group in itertools.groupby(lines, lambda x: x.startswith("-6 ")):
            text = "\n".join(x[3:] if six else x for x in group) + "\n"
            p = subprocess.run(["ip", *["-6"][:six], "-n", self.ns(who), "-b", "-"], text=True,
                               capture_output=True, input=text)
            if p.returncode != 0:
                raise AssertionError(f"ip in {who}: {p.stderr}\n{text}")

    def _pair(self, a, link_a, b, link_b, mtu=1500):
        subprocess.run(["ip", "link", "add", link_a, "mtu", str(mtu), "netns", self.ns(a), "type", "veth",
                        "peer", "name", link_b, "mtu", str(mtu), "netns", self.ns(b)], check=True)

    def _router(self, who):
        self._namespace(who)
        self.run(who, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                 "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
                 # Traceroutes are many and quick here.
                 "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0", check=True)

    def _internet(self):
        self._router("core")
        self.ip("core", f"addr add {CORE}/32 dev lo", f"addr add {CORE6}/128 dev lo nodad",
                "route add blackhole default", "-6 route add blackhole default")
        for i, (who, (v4, v6)) in enumerate(INTERNET.items()):
            self._namespace(who)
            self._pair("core", f"h{i}", who, "eth0")
            self.ip("core", f"link set h{i} addrgenmode none up", f"addr add fe80::1/64 dev h{i} nodad",
                    f"route add {v4}/32 dev h{i}", f"-6 route add {v6}/128 dev h{i}")
            self.ip(who, "link set eth0 up", f"addr add {v4}/32 dev eth0", f"addr add {v6}/128 dev eth0 nodad",
                    f"route add default via {CORE} dev eth0 onlink src {v4}",
                    f"-6 route add default via fe80::1 dev eth0 src {v6}")

    def _routers(self):
        self._router("router")
        self._pair("core", "hop", "router", "hop", self.hop_mtu)
        self.ip("core", "link set hop up", "addr add 198.51.100.253/30 dev hop",
                "addr add 2001:db8:ff::1/126 dev hop nodad", "route add 203.0.113.0/27 via 198.51.100.254",
                "-6 route add 2001:db8:113::/64 via 2001:db8:ff::2",
                "-6 route add 2001:db8:114::/64 via 2001:db8:ff::2")
        self.ip("router", "link set hop up", "addr add 198.51.100.254/30 dev hop",
                "addr add 2001:db8:ff::2/126 dev hop nodad", "route add default via 198.51.100.253",
                "-6 route add default via 2001:db8:ff::1",
                f"addr add {PRIVATE}/32 dev lo", f"addr add {METADATA}/32 dev lo")
        self._lan("lan", f"{ROUTER}/28", f"{ROUTER6}/64", "neighbour", f"{NEIGHBOUR}/28", f"{NEIGHBOUR6}/64")
        if self.kind == "bridge":
            self._lan("lan2", f"{ROUTER_B}/28", "2001:db8:114::1/64", "neighbour2", f"{NEIGHBOUR_B}/28",
                      f"{NEIGHBOUR_B6}/64")

    def _lan(self, lan, v4, v6, neighbour, n4, n6):
        """A network of the site: a switch (in the router), the router's address on it, one neighbour."""
        self.ip("router", f"link add {lan} type bridge forward_delay 0 mcast_snooping 0",
                f"link set {lan} addrgenmode none up", f"addr add {v4} dev {lan}", f"addr add {v6} dev {lan} nodad",
                f"addr add fe80::1/64 dev {lan} nodad")
        self._namespace(neighbour)
        self._pair("router", neighbour, neighbour, "eth0")
        self.ip("router", f"link set {neighbour} master {lan} up")
        self.ip(neighbour, "link set eth0 up", f"addr add {n4} dev eth0", f"addr add {n6} dev eth0 nodad",
                f"route add default via {v4.split('/')[0]}", "-6 route add default via fe80::1 dev eth0")

    def _server(self):
        self._namespace("server")
        self._pair("router", "server", "server", "eth0")
        self.ip("router", "link set server master lan up")
        if self.kind == "bridge":
            self._pair("router", "card2", "server", "eth1")
            self.ip("router", "link set card2 master lan2 up")
            # A link that never was up looks different from one that was.
            self.ip("server", "link set eth1 up", "link set eth1 down")
            self.run("server", "sysctl", "-qw", "net.ipv6.conf.eth1.disable_ipv6=1", check=True)
        self.configure()

    def configure(self, v4=SERVER, v6=SERVER6):
        """What the server's DHCP client, or its network configuration, does; also after a link was down."""
        if self.kind == "shared":
            six = [f"addr replace {v6}/128 dev eth0 nodad", "-6 route replace fe80::1 dev eth0"]
            life = " valid_lft 3600 preferred_lft 3600"
        else:
            six, life = [f"addr replace {v6}/64 dev eth0 nodad"], ""
        self.ip("server", "link set eth0 up", f"addr replace {v4}/28 dev eth0{life}", *six,
                f"route replace default via {ROUTER} src {v4}",
                f"-6 route replace default via fe80::1 dev eth0 src {v6}")

    def readdress(self, old, new, old6=None, new6=SERVER6):
        """DHCP gives another address."""
        if old6:
            self.ip("server", f"addr add {new6}/128 dev eth0 nodad", f"addr del {old6}/128 dev eth0")
        self.ip("server", f"addr add {new}/28 dev eth0 valid_lft 3600 preferred_lft 3600",
                f"addr del {old}/28 dev eth0")
        self.configure(new, new6)

    # ---- what is at work there --------------------------------------------------------------------

    def _rules(self):
        docker = LEGACY_DOCKER if self.docker else ""
        icmp = "\n".join(f"-A INPUT -p icmp -m icmp --icmp-type {x} -j ACCEPT" for x in (3, 8, 11, 12))
        self.feed("server", LEGACY.format(icmp=icmp, docker=docker, dhcp=68, ssh=self.ssh_port,
                                          docker_chain=":DOCKER - [0:0]" if docker else "")
                  + (LEGACY_NAT if docker else ""), "iptables-legacy-restore")
        self.feed("server", LEGACY.format(icmp="-A INPUT -p ipv6-icmp -j ACCEPT", docker="", docker_chain="", dhcp=546,
                                          ssh=self.ssh_port),
                  "ip6tables-legacy-restore")
        self.feed("server", NFT.replace("SSH", str(self.ssh_port)), "nft", "-f", "-")

    def _docker(self):
        self._namespace("container")
        self._pair("server", "veth1", "container", "eth0")
        self.run("server", "sysctl", "-qw", "net.ipv4.ip_forward=1", check=True)
        self.ip("server", "link add docker0 type bridge", "addr add 172.17.0.1/16 dev docker0",
                "link set docker0 up", "link set veth1 master docker0 up")
        self.ip("container", "link set eth0 up", f"addr add {CONTAINER}/16 dev eth0",
                "route add default via 172.17.0.1")
        # The kernel is slow to say so; comparisons would see it change.
        wait_for(lambda: "state UP" in self.run("server", "ip", "link", "show", "docker0").stdout, 5)
        self.serve("container", "http:80")
        # Docker holds a published port with a proxy as well.
        self.serve("server", f"open:{PUBLISHED}")

    def _sshd(self):
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        for key in ("host", "operator"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.dir}/{key}"], check=True)
        self.key = f"{self.dir}/operator"
        with open(f"{self.dir}/sshd_config", "w") as h:
            h.write(f"Port {self.ssh_port}\nHostKey {self.dir}/host\nAuthorizedKeysFile {self.dir}/operator.pub\n"
                    "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
                    f"PidFile {self.dir}/sshd.pid\nMaxStartups 100\nUseDNS no\nPrintMotd no\n")
        self.start_sshd()

    def start_sshd(self):
        sshd = shutil.which("sshd")
        self.start("server", sshd, "-D", "-e", "-f", f"{self.dir}/sshd_config",
                   stderr=open(f"{self.dir}/sshd.log", "a"))
        self.listens("server", self.ssh_port)

    def build(self):
        self._internet()
        self._routers()
        self._server()
        if self.docker:
            self._docker()
        if self.rules:
            self._rules()
        self._sshd()
        for who in ("web", "other", "router", "neighbour"):
            self.serve(who, "http:80", "echo:7")
        if self.kind == "bridge":
            self.serve("neighbour2", "http:80", "echo:7")
        self._names()

    def _names(self):
        dnsmasq = shutil.which("dnsmasq")
        if dnsmasq is None:
            raise Skip("dnsmasq is not installed")
        self.start("dns", dnsmasq, "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--user=root",
                   "--pid-file=", f"--address=/#/{WEB}", f"--address=/#/{WEB6}")
        self.listens("dns", 53)

    # ---- in the namespaces --------------------------------------------------------------------------

    def neighbours(self):
        return ["neighbour", "neighbour2"] if self.kind == "bridge" else ["neighbour"]

    def run(self, who, *argv, timeout=60, check=False, input=None):
        p = subprocess.run(["nsenter", f"--net={self.path(who)}", *argv], capture_output=True, text=True,
                           timeout=timeout, input=input, errors="replace",
                           stdin=subprocess.DEVNULL if input is None else None)
        if check and p.returncode != 0:
            raise AssertionError(f"{who}: {' '.join(argv)}: exit {p.returncode}\n{p.stdout}{p.stderr}")
        return p

    def feed(self, who, text, *argv):
        return self.run(who, *argv, input=text, check=True)

    def start(self, who, *argv, **kw):
        return self.start_at(self.path(who), *argv, **kw)

    def start_at(self, path, *argv, **kw):
        kw.setdefault("stdout", subprocess.DEVNULL)
        kw.setdefault("stderr", subprocess.DEVNULL)
        kw.setdefault("stdin", subprocess.DEVNULL)
        p = subprocess.Popen(["nsenter", f"--net={path}", *argv], **kw)
        self.processes.append(p)
        return p

    def serve(self, who, *what):
        return self.serve_at(self.path(who), *what)

    def serve_at(self, path, *what):
        """tests/lib/services.py in a namespace, returned when it listens."""
        p = self.start_at(path, sys.executable, f"{ROOT}/tests/lib/services.py", *what, stdout=subprocess.PIPE)
        if p.stdout.readline() != b"ready\n":
            raise AssertionError(f"services {what} at {path} did not start")
        return p

    def listens(self, who, port):
        if not wait_for(lambda: f":{port} " in self.run(who, "ss", "-H", "-n", "-l", "-t", "-u").stdout, 10):
            raise AssertionError(f"nobody listens at port {port} of {who}")

    def fetch(self, who, address, path="/", *options, port=80, timeout=8):
        """Body of a page, or None. options: of curl."""
        to = f"[{address}]" if ":" in address else address
        p = self.run(who, "curl", "-sS", "-g", "-m", str(timeout), *options, f"http://{to}:{port}{path}",
                     timeout=timeout + 10)
        return p.stdout if p.returncode == 0 else None

    def pings(self, who, address, count=3):
        p = self.run(who, "ping", "-6" if ":" in address else "-4", "-n", "-c", str(count), "-i", "0.2", "-W",
                     "2", address)
        return p.returncode == 0 and " 0% packet loss" in p.stdout

    def resolves(self, who, name="www.example.com"):
        """One question to the world's name server, by hand: namespaces share /etc/resolv.conf."""
        query = b"\x12\x34\x01\x00\x00\x01" + bytes(6) + b"".join(
            bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\x00\x00\x01\x00\x01"
        ask = ("import socket\ns=socket.socket(2,2);s.settimeout(4);s.sendto(bytes.fromhex('%s'),('%s',53))\n"
               "print(s.recv(512).hex())" % (query.hex(), DNS))
        p = self.run(who, sys.executable, "-c", ask)
        return p.stdout.strip().endswith("".join(f"{int(x):02x}" for x in WEB.split(".")))

    # ---- the operator -------------------------------------------------------------------------------

    def ssh_argv(self, address, *command, who="operator"):
        return ["nsenter", f"--net={self.path(who)}", "ssh", *SSH_OPTIONS, "-i", self.key, "-p",
                str(self.ssh_port), "-o", "BatchMode=yes",
                "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=8", f"root@{address}", *command]

    def session(self, address=SERVER):
        s = Session(self, self.ssh_argv(address, "sh"))
        if not s.alive():
            raise AssertionError(f"the operator can't log in at {address}:\n{s.text}")
        return s

    def login(self, command="echo in-$((40+2))", address=SERVER, timeout=60, who="operator"):
        """A new ssh login that runs one command."""
        return subprocess.run(self.ssh_argv(address, command, who=who), capture_output=True, text=True,
                              timeout=timeout, stdin=subprocess.DEVNULL, errors="replace")

    def can_login(self, address=SERVER):
        return "in-42" in self.login(address=address).stdout

    @staticmethod
    def skep_line(net, *args):
        """A command line for the server's shell that runs skep with a honeynet's configuration."""
        env = [f"SKEP_CONF={net.conf}", "NO_COLOR=1"]
        env += [f"{k}={os.environ[k]}" for k in ("ASAN_OPTIONS", "UBSAN_OPTIONS") if k in os.environ]
        return " ".join(["env", *env, SKEP, *args])

    # ---- before and after ---------------------------------------------------------------------------

    def flap(self):
        """The server's link goes down and comes back, as when a switch is started again."""
        self.ip("router", "link set server down")
        time.sleep(0.3)
        self.ip("router", "link set server up")

    def restart_network(self, v4=SERVER):
        """The server's own network configuration takes the link down and sets it up anew."""
        self.ip("server", "link set eth0 down")
        self.configure(v4)

    def new_router(self, mac="02:00:5e:00:01:77"):
        """Another router takes over: other link address, which it announces."""
        self.run("router", "sysctl", "-qw", "net.ipv4.conf.lan.arp_notify=1", "net.ipv6.conf.lan.ndisc_notify=1",
                 check=True)
        self.ip("router", f"link set lan address {mac}")

    def snapshot(self):
        links = ["eth0", "eth1"] if self.kind == "bridge" else ["eth0"]
        return in_netns(self.path("server"), lambda: host.home(links))

    def changed(self, before, seconds=8):
        """What differs from before, once things have had time to settle: lines, or []."""
        wait_for(lambda: not host.difference(before, self.snapshot()), seconds, 0.3)
        return host.difference(before, self.snapshot())

    def conntrack(self):
        """Entries in the server's connection tracking."""
        return int(self.run("server", "cat", "/proc/sys/net/netfilter/nf_conntrack_count", check=True).stdout)

    # ---- the end --------------------------------------------------------------------------------------

    def _sessions(self):
        """What sshd's sessions left running in the namespaces; only ours: nobody else enters them."""
        out = []
        for n in self.namespaces:
            p = subprocess.run(["ip", "netns", "pids", n], capture_output=True, text=True)
            out += [int(x) for x in p.stdout.split()]
        return [p for p in out if p != os.getpid()]

    def close(self):
        if self.closed:
            return
        self.closed = True
        for p in self.processes:
            if p.poll() is None:
                p.kill()
            p.wait()
            for f in (p.stdin, p.stdout):
                if f is not None:
                    f.close()
        for pid in self._sessions():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        for n in reversed(self.namespaces):
            subprocess.run(["ip", "netns", "del", n], capture_output=True)
        shutil.rmtree(self.dir, ignore_errors=True)
