# SPDX-License-Identifier: BSD-2-Clause
"""One operator's day at a server with one address, whose only way in is ssh."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import carry  # noqa: E402
import sites  # noqa: E402
from honeynet import INTRUDER, SKEP, Honeynet, guest, merge, wait_for  # noqa: E402

NETWORK = {"inside6": "fd00:99::/64"}
CONFIRM_S = 10


class Day:
    """`with Day(t) as day`: a site of the kind `shared`, its operator's session, a honeynet not yet started."""

    def __init__(self, t, **settings):
        self.t = t
        self.site = sites.Site("shared")
        self.settings = merge({"network": NETWORK, "uplink": {"confirm": f"{CONFIRM_S}s"}}, settings)

    def __enter__(self):
        self.site.__enter__()
        try:
            guests = [guest("bare", "none", 10, public=None, public6=None, shared=True, inside6="fd00:99::10")]
            self.net = Honeynet(guests, mode="nat", home=self.site.path("server"),
                                outside=self.site.path("intruder"), **self.settings)
            self.before = self.site.snapshot()
            self.operator = self.site.session()
        except BaseException:
            self.site.close()
            raise
        return self

    def __exit__(self, *why):
        try:
            self.net.__exit__(*why)
        finally:
            self.site.close()

    def skep(self, *args, timeout=120):
        """Typed in the session that stays."""
        return self.operator.run(self.site.skep_line(self.net, *args), timeout)

    def well(self, when):
        good = self.operator.alive()
        new = [a for a in (sites.SERVER, sites.SERVER6) if self.site.can_login(a)]
        self.t.check(good and len(new) == 2, f"the operator's session is open and new logins work {when}",
                     f"session {good}, logins at {new}")

    def answers(self):
        return self.site.fetch("intruder", sites.SERVER, timeout=2) == f"you are {INTRUDER}\n"

    def dressed(self):
        self.net.dress_all()
        carry.dressed(self.site, self.net, "bare")
        self.t.check(wait_for(self.answers, 10, 0.3), "the honeypot answers at the host's address", self.net.log())

    def up(self):
        code, out = self.skep("up")
        self.t.check(code == 0, "skep up, typed in the operator's session", f"{code}\n{out}\n{self.net.log()}")
        self.dressed()
        return out

    def confirm(self):
        carry.confirmed(self.t, self.site, self.net)

    def gone(self, what, seconds=10):
        """Nothing of the honeynet is left, and the host is as it was."""
        left = wait_for(lambda: not self.net.processes(), seconds, 0.2)
        self.t.check(left, f"no process is left after {what}", self.net.processes())
        self.t.equal(self.site.changed(self.before, seconds), [], f"the host is as before after {what}")

    def service(self):
        """As a service manager starts it; the process."""
        env = dict(os.environ, SKEP_CONF=self.net.conf, NO_COLOR="1")
        p = self.site.start("server", SKEP, "up", "--foreground", env=env,
                            stderr=open(f"{self.net.dir}/service.log", "ab"))
        self.t.check(wait_for(lambda: self.net.status().get("roles"), 40, 0.3), "skep up --foreground, as a service",
                     self.service_log())
        return p

    def service_log(self):
        with open(f"{self.net.dir}/service.log", errors="replace") as h:
            return h.read()[-4000:]
