#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces asan site
"""Who is told, and how often: a honeynet with bare guests tells real receivers of every kind. The original's own
cases (a scan is throttled, the guest's DNS and ident are nothing, the first outbound conversation is at the pager at
once, the last message of a budget says so); what log, show and preview say of it; servers that are down, roles that
are killed meanwhile, and a restart: nothing is lost, nothing comes twice, no budget begins anew."""
import json
import os
import re
import signal
import sys
import time

import common  # noqa
import tap
import mmdb
from alarms import Log, Receivers, alone, facts, preview, start, stop, sums
from honeynet import DNS, INTRUDER, INTRUDER6, WEB, WEB6, Honeynet, guest, need, wait_for, yaml

SCAN = """import socket, sys
for p in range(1, 41):
    s = socket.socket(socket.AF_INET6 if ':' in sys.argv[2] else socket.AF_INET)
    s.settimeout(0.2)
    s.bind((sys.argv[1], 0))
    s.connect_ex((sys.argv[2], p + (p >= 22)))
    s.close()
"""
KNOCK = """import socket, sys
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
s.settimeout(1)
if len(sys.argv) > 3: s.bind((sys.argv[3], 0))
s.connect_ex((sys.argv[1], int(sys.argv[2])))
"""
SECOND, THIRD = "198.51.100.77", "198.51.100.78"


class Scene:
    def __init__(self, t, net, r):
        self.t, self.net, self.r, self.log = t, net, r, Log(net)

    def pages(self):
        return [b["message"] for b in map(json.loads, self.r.bodies("ntfy")) if "Test:" not in b["message"]]

    def mails(self, word=""):
        return [m for m in self.r.mails() if word in m["Subject"] and "Test" not in m["Subject"]]

    def from_lab(self, to, port, source=INTRUDER):
        self.net.run_lab(sys.executable, "-c", KNOCK, to, str(port), source)

    def from_guest(self, name, to, port):
        self.net.run_in(self.net.guest_ns(name), sys.executable, "-c", KNOCK, to, str(port))

    def quiet(self, what):
        """Nothing new within two seconds, in which what goes at once would have come."""
        before = len(self.log.sent())
        time.sleep(2)
        self.t.equal(len(self.log.sent()) - before, 0, what)


def destinations(r):
    """Eight, as many as may be; the pager has a budget."""
    return [r.destination("smtp", "mail"), r.destination("ntfy", "pager", short=True, total=2, digest=False),
            r.destination("slack"), r.destination("webhook"),
            r.destination("syslog", "watch", watch=True, classes=["escape", "outbound"], digest=False),
            r.destination("command"), r.destination("sendmail", weight=7, digest=False), {"name": "kept", "kind": "keep"}]


def tests(s):
    t, r = s.t, s.r
    p = s.net.skep("alerts", "test", "--json", "--wait", "40")
    got = {a["destination"]: a for a in map(json.loads, p.stdout.splitlines())}
    t.check(p.returncode == 0 and len(got) == 8 and all(a["ok"] for a in got.values()),
            "`skep alerts test`: each of eight servers takes it", p.stdout + p.stderr)
    t.equal((len(r.mail.got), [len(r.bodies(k)) for k in ("slack", "ntfy", "webhook")], len(r.taken("command")),
             len(r.taken("sendmail"))), (1, [1, 1, 1], 1, 1), "... and got it once")
    m = r.mail.got[0]
    t.check(m["encrypted"] and m["user"] == "skep" and m["to"] == ["ann@example.org"],
            "the mail came encrypted, from somebody who had logged in", m)
    t.check(r.signed(r.web["webhook"].got[0]), "the webhook's was signed", r.web["webhook"].got)
    t.equal(r.taken("command")[0][0], "--from skep", "the command got its words")
    t.equal(r.taken("sendmail")[0][0], "-i -f skep@example.org -- ann@example.org", "sendmail got its")
    t.check(wait_for(lambda: [x for x in r.lines.got if b'why="start"' in x], 20), "the watch has heard of the start",
            r.lines.got)


def first_outbound(s):
    """From the packet to the server; the way back of TCP is not waited for."""
    t, r = s.t, s.r
    begin = time.monotonic()
    s.from_guest("bare", WEB, 80)
    came = wait_for(s.pages, 10, 0.01)
    took = time.monotonic() - begin
    t.check(came, f"the first outbound conversation of a guest is at the pager at once ({took:.2f} s)", s.log.rows())
    t.check(came and took < 10 and len(came[0]) <= 160 and "bare" in came[0] and WEB in came[0], "... in a line", came)
    t.check(wait_for(lambda: s.mails("outbound") and len(r.taken("sendmail")) == 2, 10), "... and in the mails")
    t.check(wait_for(lambda: [x for x in r.lines.got if b'class="outbound"' in x], 10), "... and at the watch")
    s.from_guest("bare", WEB6, 80)
    s.quiet("the second one of the same incident is not told by itself")


def scan(s):
    t = s.t
    for source, to in ((INTRUDER, "203.0.113.31"), (INTRUDER6, "2001:db8:113::31")):
        before, pages = len(s.mails("ource")), len(s.pages())
        s.net.run_lab(sys.executable, "-c", SCAN, source, to, timeout=60, check=True)
        t.check(wait_for(lambda: len(s.mails("ource")) > before, 10), f"a scan by {source}: the first is told")
        s.quiet("... the other 39 are not")
        t.equal((len(s.mails("ource")) - before, len(s.pages()) - pages), (1, 0), "... nor is the pager of any")
    text = s.mails("ource")[0].get_body(("plain",)).get_content()
    t.check(re.search(r"System +Linux", text), "its system is guessed", text)
    t.check("scanner[.]example" in text, "the operator's name of it stands there", text)
    t.check("NZ" in text and "64500" in text and "Kiwi Net" in text, "... and where it is", text)
    t.check(re.search(r"signatures of \d{4}-", text) and "2023-11-14" in text, "... and how old the data are", text)


def nothing(s):
    """Each would be a first one."""
    net = s.net
    net.run_in(net.guest_ns("other"), "dig", "+short", "+time=2", "+tries=1", f"@{DNS}", "www.example.com")
    s.t.check(wait_for(lambda: net.connections(guest="other", dest_port=53), 10), "a guest asks for a name")
    s.quiet("... of which nobody is told")
    s.from_lab("203.0.113.32", 113, SECOND)
    s.t.check(wait_for(lambda: net.connections(dest_port=113, direction="INBOUND"), 10), "a stranger asks for ident")
    s.quiet("... of which nobody is told")
    s.from_guest("third", INTRUDER, 113)
    s.t.check(wait_for(lambda: net.connections(dest_port=113, direction="OUTBOUND"), 10), "a guest does")
    s.quiet("... of which nobody is told either")


def budget(s):
    t = s.t
    before = len(s.mails("outbound"))
    s.from_guest("other", WEB, 80)
    got = wait_for(lambda: len(s.pages()) == 2 and s.pages(), 10)
    t.check(got and "LAST ONE" in got[1], "the last message of the pager's budget says that it is", s.pages())
    s.from_guest("third", WEB, 80)
    t.check(wait_for(lambda: len(s.mails("outbound")) == before + 2, 10), "after it the mail goes on")
    t.equal(len(s.pages()), 2, "... and the pager is silent")


def log_and_show(s):
    t, net = s.t, s.net
    rows = s.log.sent(destination="mail", **{"class": "outbound"})
    t.check(rows, "`skep alerts log` has what was sent")
    p = net.skep("alerts", "show", str(rows[0]["number"]))
    t.check(p.returncode == 0 and "outbound" in p.stdout and not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", p.stdout),
            "`skep alerts show` has the message", p.stdout + p.stderr)
    t.check(wait_for(lambda: s.log.held(destination="mail", why="quiet", rule="ident"), 70, 0.5),
            "... and what was held back, with the rule", s.log.held())
    t.equal(sum(r["n"] for r in s.log.held(destination="pager", why="total")), 1, "... the budget too")
    p = net.skep("alerts")
    t.check("2 of 2 in all" in p.stdout, "`skep alerts` shows the budget", p.stdout)


def replay(s):
    """Acceptance: what preview says of the past is what was sent."""
    t = s.t
    sent, would = facts(s.log.rows()), facts(preview(s.net))
    t.check(sent == would and len(sent) > 20, f"preview equals what was sent, {len(sent)} messages",
            "\n".join(["sent only:", *sorted(set(sent) - set(would)), "preview only:", *sorted(set(would) - set(sent))]))
    got = wait_for(lambda: sums(s.log.rows()) == sums(preview(s.net)), 70, 1)
    a, b = sums(s.log.rows()), sums(preview(s.net))
    t.check(got, f"... and what was held back, {sum(a.values())} times",
            "\n".join(f"{k}: held {a.get(k)}, preview {b.get(k)}" for k in sorted({*a, *b}) if a.get(k) != b.get(k)))
    other = f"{s.net.dir}/other.yaml"
    settings = dict(s.net.settings, quiet=[{"countries": ["NZ"], "classes": ["inbound"], "comment": "friends"}])
    settings["destinations"] = [dict(d, total="none") if d["name"] == "pager" else d for d in settings["destinations"]]
    with open(other, "w") as f:
        f.write(yaml(settings))
    rows = preview(s.net, other)
    sent = [r for r in rows if r["state"] != "held"]
    t.check(not [r for r in sent if "." in r.get("source", "") and r["class"] == "inbound"] and
            [r for r in rows if r["state"] == "held" and "friends" in r.get("rule", "")] and
            [r for r in sent if r["class"] == "inbound"],
            "another configuration: what comes from a country of friends would have been quiet", sent)
    t.equal(len([r for r in sent if r["destination"] == "pager"]), 3, "... and the pager gone on without its budget")


def server_down(s):
    """Two servers go, a stranger comes, alerter and courier are killed, the servers come again."""
    t, net, r = s.t, s.net, s.r

    def counts():
        return (len(s.mails(THIRD)), *(len([b for b in r.bodies(k) if THIRD in b.replace("[.]", ".")])
                                       for k in ("webhook", "slack")))

    stop(r.mail)
    stop(r.web["webhook"])
    s.from_lab("203.0.113.30", 80, THIRD)
    t.check(wait_for(lambda: counts() == (0, 0, 1), 10), "two servers are down: the others don't wait")
    waiting = wait_for(lambda: [x for x in s.log.rows() if x["state"] == "waits" and x.get("source") == THIRD], 10)
    t.equal(sorted(x["destination"] for x in waiting), ["mail", "webhook"], "... what is for them waits")
    for role in ("alerter", "courier", "alerter"):
        pid = net.role_pid(role)
        os.kill(pid, signal.SIGKILL)
        t.check(wait_for(lambda: net.role_pid(role) not in (0, pid), 20), f"{role} is killed, and is back", net.log())
    start(r.mail)
    start(r.web["webhook"])
    got = wait_for(lambda: counts() == (1, 1, 1), 60, 0.2)
    t.check(got, "the servers are back: it arrives", s.log.rows()[-6:])
    s.log.settled()
    t.equal(counts(), (1, 1, 1), "... once")


def threads(s):
    """The messages of one incident hang together."""
    by = {}
    for m in s.mails():
        by.setdefault(m["X-Skep-Incident"], []).append(m)
    many = [v for k, v in by.items() if k and len(v) > 1]
    s.t.check(many and all(m["In-Reply-To"] == v[0]["Message-ID"] for v in many for m in v[1:]),
              "the mails of one incident are a thread", [(m["Message-ID"], m["In-Reply-To"]) for v in many for m in v])


def reload(s):
    """Two other kinds, live; where the watch was, that hears of the end of an alerter, is somebody else."""
    t, net, r = s.t, s.net, s.r
    old = [d for d in net.settings["destinations"] if d["name"] not in ("slack", "command")]
    at = [d["name"] for d in net.settings["destinations"]].index("watch")
    net.settings["destinations"] = [*old[:at - 1], r.destination("teams"), r.destination("discord"), *old[at - 1:]]
    t.equal(net.settings["destinations"][at]["name"], "discord", "other destinations, in another order")
    net.write_conf()
    p = net.skep("alerts", "reload")
    t.check(p.returncode == 0, "`skep alerts reload`", p.stdout + p.stderr)
    p = net.skep("alerts", "test", "--json", "--wait", "40")
    got = {a["destination"]: a["ok"] for a in map(json.loads, p.stdout.splitlines())}
    t.check(got.get("discord") and got.get("teams") and "slack" not in got, "other destinations take a test", p.stdout + p.stderr)
    t.equal((len(r.bodies("discord")), len(r.bodies("teams"))), (1, 1), "... once, and nothing that was for others")


def restart(s):
    t, net, r = s.t, s.net, s.r
    slack, pages = len(r.bodies("slack")), len(s.pages())
    mails = len(r.mail.got)
    t.check(net.down().returncode == 0, "down")
    t.check(wait_for(lambda: [x for x in r.lines.got if b'why="stop"' in x], 5), "the watch has heard of it",
            r.lines.got[-2:])
    net.up()
    t.equal(len(r.mail.got) - mails, 0, "up again: nothing is told twice")
    before = len(s.mails("outbound"))
    s.from_guest("bare", "192.0.2.81", 80)
    t.check(wait_for(lambda: len(s.mails("outbound")) == before + 1, 10), "a guest goes out: an incident of its own")
    t.equal(len(s.pages()) - pages, 0, "... of which the pager hears nothing: its budget stays used up")
    t.equal(len(r.bodies("slack")), slack, "who is no destination any more gets nothing")


def clean(s):
    """Nothing of what was sent names a password, and the roles that read and that send have what they need only."""
    text = "".join(s.r.bodies("webhook") + s.r.bodies("slack")) + str(s.log.rows())
    s.t.check("correct horse" not in text and "staple" not in text, "no secret is in a message or in the log")
    for role, held in (("alerter", False), ("courier", True)):
        pid = s.net.role_pid(role)
        home = os.readlink("/proc/self/ns/net")
        s.t.equal(os.readlink(f"/proc/{pid}/ns/net") == home, held,
                  f"{role} is {'in the network' if held else 'in no network'} of this host")
        with open(f"/proc/{pid}/status") as f:
            status = f.read()
        s.t.check("Seccomp:\t2" in status and "CapEff:\t0000000000000000" in status,
                  "... behind a filter, with no capability", status)


def main(t):
    need("dig", "openssl", "mount")
    alone()
    net = Honeynet([guest("bare", "none", 30), guest("other", "none", 31), guest("third", "none", 32)],
                   store={"incident_quiet": "10m"})
    with net:
        stage(t, net, Receivers(net))


def stage(t, net, r):
    with open(f"{net.dir}/names", "w") as f:
        f.write(f"{INTRUDER} scanner.example\n{INTRUDER6} scanner.example\n")
    # Of root alone: alerter gets it open, and may open nothing.
    mmdb.write(f"{net.dir}/places.mmdb", {"198.51.100.64/28": {
        "country": {"iso_code": "NZ"}, "autonomous_system_number": 64500, "autonomous_system_organization": "Kiwi Net"}})
    os.chmod(f"{net.dir}/places.mmdb", 0o600)
    net.settings["alerts"] = {"names": f"{net.dir}/names", "location": f"{net.dir}/places.mmdb"}
    net.settings["destinations"] = destinations(r)
    r.have_sendmail()
    net.write_conf()
    net.up()
    net.run_lab("ip", "addr", "add", SECOND + "/24", "dev", "uplink0")
    net.run_lab("ip", "addr", "add", THIRD + "/24", "dev", "uplink0")
    s = Scene(t, net, r)
    for act in (tests, first_outbound, scan, nothing, budget, server_down, threads, log_and_show, replay, clean, reload,
                restart):
        act(s)


tap.run(main)
