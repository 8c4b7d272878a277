# SPDX-License-Identifier: BSD-2-Clause
"""What any honeynet on the real wire must carry, and what it must keep from guests. Each function makes
checks (t) about a bare guest of a honeynet (net) at a site (tests/lib/sites.py)."""
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import frames  # noqa: E402
import sites  # noqa: E402
from honeynet import INTRUDER, INTRUDER6, WEB, WEB6, guest, wait_for  # noqa: E402

BIG = 3_000_000
SERVICES = ("http:80", "ftp:21", "echo:7777")


def dressed(site, net, name):
    """Servers in the bare guest; returns where it lives."""
    ns = net.guest_ns(name)
    site.serve_at(ns, *SERVICES)
    return ns


def shared(name, image):
    """A honeypot that has the host's addresses."""
    return guest(name, image, 10, public=None, public6=None, shared=True, inside6="fd00:99::10")


def operator_is_well(t, site, operator, when, address=sites.SERVER):
    t.check(operator.alive(), f"the operator's session is open {when}")
    t.check(site.can_login(address) and site.can_login(sites.SERVER6), f"... and new logins work {when}",
            site.login(address=address).stderr)


def both(v4, v6):
    return [(a, i, w) for a, i, w in ((v4, INTRUDER, ""), (v6, INTRUDER6, " over IPv6")) if a]


def web(t, site, v4, v6):
    for address, intruder, how in both(v4, v6):
        got = wait_for(lambda: site.fetch("intruder", address), 10, 0.5)
        t.equal(got, f"you are {intruder}\n", f"http reaches the guest{how}, which sees who asks")
        p = site.run("intruder", "curl", "-sS", "-g", "-m", "20", "-o", "/dev/null", "-w", "%{size_upload}",
                     "-H", "Expect:", "-T",
                     f"{sites.ROOT}/docs/CONFIG.md", f"http://{bracket(address)}/up")
        t.check(p.returncode == 0 and int(p.stdout or 0) > 1000, f"... takes an upload{how}", p.stderr)


def bracket(address):
    return f"[{address}]" if ":" in address else address


def ftp(t, site, v4, v6):
    ways = [("passive", []), ("active", ["-P", "-"])]
    if v4:
        # The older commands carry the guest's address: curl must believe what 227 says.
        ways += [("passive by PASV", ["--disable-epsv", "--no-ftp-skip-pasv-ip"]),
                 ("active by PORT", ["--disable-eprt", "-P", "-"])]
    for address, intruder, how in both(v4, v6):
        for way, options in ways:
            if "by" in way and ":" in address:
                continue
            p = site.run("intruder", "curl", "-sS", "-v", "-g", "-m", "25", "--connect-timeout", "8", "-o", "/dev/null",
                         "-w", "%{size_download}", *options, f"ftp://a:b@{bracket(address)}/big", timeout=40)
            t.check(p.returncode == 0 and p.stdout == str(BIG), f"ftp, {way}{how}",
                    f"{p.returncode} {p.stdout}\n{p.stderr}")
            t.check(f"230 you are {intruder}" in p.stderr, "... the guest sees who comes",
                    [x for x in p.stderr.splitlines() if x[:1] == "<"])


def pings(t, site, v4, v6):
    for address, _, how in both(v4, v6):
        t.check(site.pings("intruder", address), f"ping{how}")
        large = ["ping", "-n", "-c", "2", "-i", "0.2", "-W", "2", "-s", "3000", address]
        site.run("intruder", *large)  # learns of the hop
        p = site.run("intruder", *large)
        t.check(" 0% packet loss" in p.stdout, f"... in fragments{how}", p.stdout)


ECHO = """import socket,sys
s=socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET,socket.SOCK_DGRAM);s.settimeout(3)
s.sendto(b'x'*int(sys.argv[3]),(sys.argv[1],int(sys.argv[2])));print(len(s.recv(65536)))
"""


def datagrams(t, site, v4, v6, who="intruder", port=7777):
    for address, _, how in both(v4, v6):
        for size in ("100", "3000"):
            ask = [sys.executable, "-c", ECHO, address, str(port), size]
            # The first large one may only teach one end the path's MTU, the second the other.
            for _ in range(3):
                p = site.run(who, *ask)
                if p.returncode == 0:
                    break
            t.equal(p.stdout.strip(), size, f"a datagram of {size} bytes comes back to the {who}{how}")


def traces(t, site, v4, v6, hops=(sites.CORE, "198.51.100.254"), hops6=(sites.CORE6, "2001:db8:ff::2")):
    """The guest is right behind the router: the host is no hop."""
    for address, _, how in both(v4, v6):
        want = [*(hops6 if ":" in address else hops), address]
        for way, option in (("UDP", []), ("ICMP", ["-I"]), ("TCP", ["-T", "-p", "80"])):
            p = site.run("intruder", "traceroute", "-6" if ":" in address else "-4", "-n", "-q", "2", "-w", "1", "-m",
                         "6", *option, address, timeout=60)
            got = [re.sub(r"^\s*\d+\s+(\S+).*", r"\1", x) for x in p.stdout.splitlines()[1:]]
            t.equal(got, want, f"traceroute by {way}{how}")


def small_hop(t, site, net, name, v4, v6):
    """A large answer through a hop of small MTU: the router's error must arrive at the guest. To be
    called first: once the intruder knows the hop, it asks for small segments by itself."""
    side = net.sniff(net.guest_ns(name), "eth0")
    for address, _, how in both(v4, v6):
        mark = side.mark()
        # A try may hang on a busy machine; the frames of the last one are shown then.
        got = wait_for(lambda: site.fetch("intruder", address, "/big", timeout=20), 50, 0.5)
        if not got:
            t.note("\n".join(repr(f) for f in side.since(mark)[-60:]))
        t.equal(len(got or ""), BIG, f"a large transfer through a hop of {site.hop_mtu} bytes{how}")
        told = [f for f in side.since(mark, out=False) if
                (f.proto == 58 and f.raw[54:56] == b"\x02\x00") or (f.proto == 1 and f.raw[34:36] == b"\x03\x04")]
        t.check(told, f"... after the router told the guest so{how}",
                [repr(f) for f in side.since(mark, out=False) if f.proto in (1, 58)])
    side.stop()


def outbound(t, site, net, name, v4, v6):
    """What a guest begins by itself arrives from its public address."""
    ns = net.guest_ns(name)
    for to, public, how in ((WEB, v4, ""), (WEB6, v6, " over IPv6")):
        if public:
            p = net.run_in(ns, "curl", "-sS", "-g", "-m", "10", f"http://{bracket(to)}/", timeout=20)
            t.equal(p.stdout, f"you are {public}\n", f"the guest fetches a page as its public address{how}")


def kept_away(t, site, net, name, more=()):
    """From a guest nothing reaches the host's neighbours, private ranges, the metadata address, a container. more:
    further addresses. Each must answer the host itself, or not to be reached would mean nothing."""
    ns = net.guest_ns(name)
    targets = [sites.NEIGHBOUR, sites.NEIGHBOUR6, sites.PRIVATE, sites.METADATA, *more]
    targets += [sites.CONTAINER] if site.docker else []
    for address in targets:
        t.check("you are" in (site.fetch("server", address) or ""), f"{address} answers the host")
    time.sleep(0.5)
    watches = [net.sniff(site.path(who), "eth0") for who in site.neighbours()]
    asked = {}
    for address in targets:
        ask = f"curl -sS -g -m 2 http://{bracket(address)}/; ping -n -c 1 -W 1 {address}"
        asked[address] = net.start_in(ns, "sh", "-c", ask)
    for address, p in asked.items():
        out = p.communicate(timeout=30)[0].decode(errors="replace")
        t.check("you are" not in out and " 0% packet loss" not in out, f"{address} is out of the guest's reach", out)
    g = net.guests[net.guest_index(name)]
    ours = {g.get(k) for k in ("inside", "inside6", "public", "public6")} - {None}
    ours |= {sites.SERVER, sites.SERVER6} if g.get("shared") else set()
    for watch in watches:
        t.equal([repr(f) for f in watch.since(out=False) if f.src in ours and f.dst in asked], [],
                "nothing of it arrives at a neighbour")
        watch.stop()


def answers_nobody_else(t, site, net, v4, v6, own, link="lan", to=None):
    """Whoever fakes a source address has a guest answer to it: not to the host (own), private ranges, metadata.
    link: the router's to it; to: the guest's link address outside, if it is not the uplink's."""
    router = site.path("router")
    watch, port, mac = net.sniff(router, link), net.port(router, link), net.link_mac(router, link)
    uplink = to or net.link_mac(site.path("server"), "eth0")
    made_up = [sites.PRIVATE, sites.METADATA, *own]
    for src in (*made_up, INTRUDER, INTRUDER6):
        if ":" in src:
            port.send(frames.eth(uplink, mac, 0x86DD, frames.packet(
                src, v6, 58, frames.icmp6(src, v6, 128, 0, b"\x77\x01\0\1faked"))))
        else:
            port.send(frames.eth(uplink, mac, 0x0800, frames.packet(src, v4, 1, frames.icmp(8, 0, 0x7701, 1, b"faked"))))

    def answered(src):
        return [repr(f) for f in watch.since(out=False) if f.dst == src and b"faked" in f.raw]
    for src in (INTRUDER, INTRUDER6):
        t.check(wait_for(lambda s=src: answered(s), 5, 0.1), f"a question in the name of {src} is answered")
    for src in made_up:
        t.equal(answered(src), [], f"... in the name of {src} not")
    watch.stop()


def kept_from_host(t, site, net, name, addresses, port=22):
    """The host's own addresses and services are out of a guest's reach."""
    ns = net.guest_ns(name)
    ask = ("import socket\ntry:\n s=socket.create_connection(('%s',%d),2);print('open',s.recv(9))\n"
           "except OSError as e: print('no',e)")
    asked = {a: net.start_in(ns, sys.executable, "-c", ask % (a, port)) for a in addresses}
    for address, p in asked.items():
        out = p.communicate(timeout=30)[0].decode(errors="replace")
        t.check(out.startswith("no"), f"the guest cannot reach {address} port {port} of the host", out)


def host_works(t, site, address=sites.SERVER, container=True, when=""):
    """The host's own business goes on: everything it did before, beside the honeynet."""
    for to, want in ((WEB, address), (WEB6, sites.SERVER6)):
        t.equal(site.fetch("server", to), f"you are {want}\n", f"the host fetches a page of {to}{when}")
    t.equal(len(site.fetch("server", WEB, "/big") or ""), BIG, f"... a large one{when}")
    # Large segments outwards: where there is a small hop, the router's errors must find the host.
    for to in (WEB, WEB6):
        p = site.run("server", "curl", "-sS", "-g", "-m", "10", "-H", "Expect:", "-T", f"{sites.ROOT}/docs/CONFIG.md",
                     f"http://{bracket(to)}/up")
        t.check("you are" in p.stdout, f"... sends a large one to {to}{when}", p.stderr)
    datagrams(t, site, sites.OTHER, sites.OTHER6, "server", 7)
    for to in (address, sites.SERVER6):
        p = site.login("head -c 1000000 /dev/zero", to)
        t.equal(len(p.stdout), 1000000, f"... gives the operator a large file{when}")
    p = site.run("server", "traceroute", "-n", "-q", "1", "-w", "1", "-m", "5", WEB)
    t.check([x.split()[1] for x in p.stdout.splitlines()[1:]] == [sites.ROUTER, "198.51.100.253", WEB],
            f"... traces a route{when}", p.stdout)
    t.check(site.pings("server", WEB, 1) and site.pings("server", WEB6, 1), f"... pings{when}")
    t.check(site.resolves("server"), f"... resolves names{when}")
    if container and site.docker:
        t.equal(site.fetch("container", WEB), f"you are {address}\n", f"a container goes out through it{when}")
        t.check(site.pings("container", WEB, 1) and site.resolves("container"),
                f"... by ping and to the name server{when}")
        t.equal(site.fetch("intruder", address, port=sites.PUBLISHED), f"you are {INTRUDER}\n",
                f"... and its published port is the host's{when}")


def in_events(t, net, name, **want):
    """Events name the real source, the public and the inside address."""
    g = net.guests[net.guest_index(name)]
    got = wait_for(lambda: [e for e in net.connections(direction="INBOUND", dest_port=80)
                            if e["connection"]["src_ip"] == INTRUDER], 8)
    t.check(got, "an event names the intruder", net.connections()[:3])
    text = str(got)
    for key, value in {"inside": g["inside"], **want}.items():
        t.check(value in text, f"... and the {key} address {value}", got[:2] if got else None)


def real_guest(t, site, net, name, v4, v6):
    """A virtual machine: ssh over both, and what it says of who is there."""
    for address, intruder, how in both(v4, v6):
        # dropbear says it in the environment.
        p = wait_for(lambda: [p for p in [net.ssh(name, "echo in-$((40+2)) $SSH_CONNECTION; netstat -tn", address=address,
                                                  timeout=40)] if "in-42" in p.stdout], 90, 1)
        t.check(p, f"ssh into the virtual machine{how}", net.log())
        t.check(p and intruder in p[0].stdout, "... which sees the intruder's real address", p and p[0].stdout)
    p = net.run_lab(*net.ssh_argv(name, "head -c 3000000 /dev/zero", address=v4), timeout=60)
    t.equal(len(p.stdout), BIG, "3 MB come out of it")
    t.check("200" in net.run_lab("curl", "-sS", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}",
                                 f"http://{v4}/").stdout, "its web page")


def everything(t, site, net, name, v4, v6):
    """All of the above that concerns an intruder and the bare guest."""
    dressed(site, net, name)
    small_hop(t, site, net, name, v4, v6)
    web(t, site, v4, v6)
    ftp(t, site, v4, v6)
    pings(t, site, v4, v6)
    datagrams(t, site, v4, v6)
    traces(t, site, v4, v6)
    outbound(t, site, net, name, v4, v6)


def proved(t, net):
    """`skep prove`: the wall holds, in this mode as well."""
    p = net.skep("prove", timeout=240)
    t.equal(p.returncode, 0, "skep prove passes")
    for line in (p.stdout + p.stderr).splitlines() if p.returncode != 0 else []:
        t.note(line)


def only_added(t, site, before):
    """While it runs: a link of ours, our programs at the uplink; nothing of the host's is another than before."""
    changed = sites.host.difference(before, site.snapshot())
    # The socket hears nothing: it holds the link's groups.
    ours = re.compile(rf"\+ (uplinks: {site.uplink} |.*\bskep\d+\b|sockets: p_raw 0 0 \[0\]:)")
    if site.kind == "bridge":  # the card itself is ours, and set up
        ours = re.compile(ours.pattern + rf"|[-+] (links|uplinks|routes|sysctls): .*\b{site.uplink}\b")
    t.equal([x for x in changed if not ours.match(x)], [], "while it runs nothing of the host's own is changed")
    t.check(changed, "... and what is ours is seen")


def confirmed(t, site, net):
    """`skep up --confirm` by a new login of the operator."""
    begin = time.monotonic()
    p = site.login(site.skep_line(net, "up", "--confirm"))
    t.check(p.returncode == 0, f"confirmed from a new login ({time.monotonic() - begin:.1f} s)", p.stdout + p.stderr)
