# SPDX-License-Identifier: BSD-2-Clause
"""What root in a guest does against being heard, and what must be told of it."""
import time

from honeynet import wait_for

FILL = "fallocate -l $(($(stat -f -c %f /)*$(stat -f -c %S /)-4000000)) /fill; sleep 8; rm /fill"
# (what it is, command, any of these must be told: (kind, layer, what)...)
TRICKS = [
    ("history off", "unset HISTFILE", [("silence", "shell", "history")]),
    ("syslog's daemon held", "pkill -STOP -x rsyslogd; sleep 1; pkill -CONT -x rsyslogd",
     [("silence", "syslog", "stopped")]),
    ("syslog's daemon killed", "pkill -KILL -x rsyslogd", [("silence", "syslog", "killed")]),
    ("syslog's service stopped", "systemctl stop syslog.socket rsyslog; sleep 8; systemctl start rsyslog",
     [("silence", "syslog", "stopped")]),
    ("another clock", "date -s '+1 hour'", [("silence", "monitor", "clock")]),
    ("a full disk", FILL, [("silence", "syslog", "disk")]),
    ("another bash", "cp /tmp/busybox /usr/bin/bash.new; cp -p /usr/bin/bash /tmp/bash.old; mv /usr/bin/bash.new "
     "/usr/bin/bash; sleep 8; /tmp/busybox mv /tmp/bash.old /usr/bin/bash", [("silence", "shell", "replaced")]),
    ("no network", "nohup sh -c 'ip link set eth0 down; sleep 9; ip link set eth0 up; ifdown eth0; ifup eth0' "
     "> /dev/null 2>&1 &", [("silence", "syslog", "network")]),
    ("another hosts file", "cp /etc/hosts /tmp/h; echo 127.0.0.1 loghost > /etc/hosts; sleep 8; cat /tmp/h > /etc/hosts",
     [("silence", "syslog", "replaced")]),
    ("functions not traced", "sysctl -w kernel.ftrace_enabled=0; sleep 12; sysctl -w kernel.ftrace_enabled=1",
     [("silence", "monitor", "unhooked")]),
    ("the monitor held", "pkill -STOP -x monitor; sleep 10; pkill -CONT -x monitor",
     [("silence", "monitor", "stopped"), ("silence", "monitor", "missing")]),
    ("the monitor killed", "pkill -KILL -x monitor",
     [("silence", "monitor", "killed"), ("silence", "monitor", "restarted")]),
    ("its programs unloaded", "systemctl stop monitor; find /sys/fs/bpf -type f -delete; sleep 10; "
     "systemctl start monitor", [("silence", "monitor", "missing")]),
    ("junk into its port", "systemctl stop monitor; head -c 100000 /dev/urandom > /dev/virtio-ports/monitor.0; "
     "systemctl start monitor", [("silence", "monitor", "gap")]),
]
WITHIN = 10


def count(net, wanted):
    return sum(len([e for e in net.events(k, layer=layer, what=what)]) for k, layer, what in wanted)


def play(t, net, who, kept):
    slow = []
    for name, command, wanted in TRICKS:
        before, told = count(net, wanted), kept.shell()
        begin = time.monotonic()
        p = who.start(command, lane=2)
        got = wait_for(lambda: count(net, wanted) > before, 45, 0.2)
        took = time.monotonic() - begin
        t.check(got, f"{name}: told after {took:.1f} s as {'/'.join(wanted[0][1:])}",
                [e["text"] for k in ("silence", "mismatch") for e in net.events(k)][-8:])
        if got and took > WITHIN:
            slow.append(name)
        try:
            p.communicate(timeout=60)
        except Exception:  # noqa: its connection may be gone
            p.kill()
            p.communicate()
        t.check(kept.shell().startswith(told), f"{name}: what was heard before is still there")
        wait_for(lambda: who.run("true", lane=2, timeout=30).returncode == 0, 30, 1)
    t.check(not slow, f"each within {WITHIN} s", slow)
