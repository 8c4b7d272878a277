#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest slow
"""The floods of test_37 in full: 10^4 programs, a hundred seconds of noise, 10^5 files. Bounded memory and disk on the
host, and a way in that stays usable. (10^6 made-up records: src/sensor/test, src/crosscheck/test.)"""
import common  # noqa
import tap
import test_37_heard as heard
from honeynet import LOGHOST_FORWARDS, Honeynet, guest, need
from inside import Kept, let_root_in


def main(t):
    need("ssh", "sshpass", "debugfs", "openssl")
    net = Honeynet([guest("web1", "debian", 10), guest("loghost", "loghost", 20, kind="loghost")],
                   forwards=LOGHOST_FORWARDS)
    with net:
        let_root_in(net, "web1", heard.PASSWORD)
        net.up(timeout=600)
        who, kept = heard.Visitor(net), Kept(net)
        t.check(who.open(1) and who.open(2), "a way in")
        heard.floods(t, net, who, kept, n=100)
        who.close()


tap.run(main)
