#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces site
"""What a start on the real wire refuses: a word from the host itself, a link that another honeynet has, a link that
the host needs. A refusal touches nothing, least of all what another honeynet has there."""
import common  # noqa
import carry
import sites
import tap
from honeynet import INTRUDER, Honeynet, guest, need, wait_for

BARE = "203.0.113.11"


def skep(site, net, *args):
    p = site.run("server", "sh", "-c", site.skep_line(net, *args), timeout=60)
    return p.returncode, p.stdout + p.stderr


def words_that_prove_nothing(t, site, net, operator):
    p = site.login(site.skep_line(net, "up", "--confirm"), who="server")
    t.check(p.returncode == 1 and "host itself" in p.stderr, "a connection from the host itself is no proof",
            p.stdout + p.stderr)
    code, out = operator.run(site.skep_line(net, "up", "--confirm"))
    t.check(code == 1 and "before the start" in out, "one that was open before is none", f"{code}\n{out}")
    t.equal(net.status()["confirm"]["confirmed"], False, "... it still waits for one")
    carry.confirmed(t, site, net)
    t.equal(net.status()["confirm"]["confirmed"], True, "a new one from outside is one")


def two_on_one_wire(t, site, net, answers):
    with Honeynet([guest("bare", "none", 12)], mode="nat", home=site.path("server"),
                  outside=site.path("intruder")) as other:
        code, out = skep(site, other, "up", "--no-wait")
        t.check(code == 1 and "skep is at work" in out, "a second honeynet on the same link is refused", out)
        t.check(other.status().get("roles") is None, "... and does not run")
    t.check(answers(), "the first one goes on")
    t.equal(net.status()["uplink"]["steered"], True, "... with its programs in place")
    t.check(not [e for e in net.events("health", role="uplink") if e["health"]["what"] == "lost"],
            "... which were not taken off for a moment", net.events("health", role="uplink"))


def links_that_the_host_needs(t, site):
    before = site.snapshot()
    link = site.run("server", "sh", "-c", "ip route show default | sed 's/.* dev \\([^ ]*\\).*/\\1/'").stdout.strip()
    network = {"inside": "198.18.7.0/24", "gateway": "198.18.7.1", "resolver": "none"}
    with Honeynet([guest("bare", "none", 10, public=None, public6=None, inside="198.18.7.10", inside6=None)],
                  mode="bridge", network=network, uplink={"interface": link}, home=site.path("server"),
                  outside=site.path("intruder")) as net:
        code, out = skep(site, net, "up")
        t.check(code == 1 and "--take-my-link" in out, f"mode bridge does not take {link} from the host", out)
        code, out = skep(site, net, "up", "--take-my-link")
        t.check(code == 1 and "--yes" in out, "... nor if told once, with nobody to ask", out)
        code, out = skep(site, net, "up", "--foreground")
        t.check(code == 1, "... nor as a service", out)
        t.check(net.status().get("roles") is None, "... nothing runs")
    t.equal(site.changed(before), [], "... and nothing was touched")


def main(t):
    need("ssh")
    with sites.Site("alias") as site:
        operator = site.session()
        links_that_the_host_needs(t, site)
        with Honeynet([guest("bare", "none", 11)], mode="nat", home=site.path("server"),
                      outside=site.path("intruder")) as net:
            net.up()
            net.dress_all()
            carry.dressed(site, net, "bare")

            def answers():
                return site.fetch("intruder", BARE, timeout=2) == f"you are {INTRUDER}\n"
            t.check(wait_for(answers, 10, 0.3), "a honeypot answers at its own address", net.log())
            words_that_prove_nothing(t, site, net, operator)
            two_on_one_wire(t, site, net, answers)
            t.equal(net.down().returncode, 0, "down")


tap.run(main)
