# SPDX-License-Identifier: BSD-2-Clause
"""What root in a guest does against being heard, and what must be told of it."""
import time

from honeynet import wait_for

FILL = "fallocate -l $(($(stat -f -c %f /)*$(stat -f -c %S /)-4000000)) /fill"
PORT = "/dev/virtio-ports/monitor.0"
# What it is, the command, what must be told (layer, what: any of these), how it is undone, what goes before.
TRICKS = [
    ("history off", "unset HISTFILE", [("shell", "history")], "", ""),
    ("syslog's daemon held", "pkill -STOP -x rsyslogd", [("syslog", "stopped")], "pkill -CONT -x rsyslogd", ""),
    ("syslog's daemon killed", "pkill -KILL -x rsyslogd", [("syslog", "killed")], "", ""),
    ("syslog's service stopped", "systemctl stop syslog.socket rsyslog", [("syslog", "stopped"), ("syslog", "killed")],
     "systemctl start rsyslog", ""),
    ("another clock", "date -s '+1 hour'", [("monitor", "clock")], "", ""),
    ("a full disk", FILL, [("syslog", "disk")], "rm /fill", ""),
    ("another bash", "mv /tmp/bash.new /usr/bin/bash", [("shell", "replaced")],
     "/tmp/busybox cp -p /tmp/bash.old /usr/bin/bash.x; /tmp/busybox mv /usr/bin/bash.x /usr/bin/bash",
     "cp -p /usr/bin/bash /tmp/bash.old; cp -p /usr/bin/bash /tmp/bash.new; echo >> /tmp/bash.new"),
    # From here on nothing comes in that way until it is up again, so it does that by itself.
    ("no network", "setsid nohup sh -c 'ip link set eth0 down; sleep 9; ip link set eth0 up; ifdown eth0; ifup eth0' "
     "> /dev/null 2>&1 &", [("syslog", "network"), ("wire", "network")],
     "sleep 12", ""),  # else the next one would be timed from before it got through
    ("another hosts file", "echo 127.0.0.1 loghost > /etc/hosts", [("syslog", "replaced")],
     "cat /tmp/hosts.old > /etc/hosts", "cp /etc/hosts /tmp/hosts.old"),
    ("functions not traced", "sysctl -w kernel.ftrace_enabled=0", [("monitor", "unhooked")],
     "sysctl -w kernel.ftrace_enabled=1", ""),
    ("the monitor held", "pkill -STOP -x monitor", [("monitor", "stopped"), ("monitor", "missing")],
     "pkill -CONT -x monitor", ""),
    ("the monitor killed", "pkill -KILL -x monitor", [("monitor", "killed"), ("monitor", "restarted")], "", ""),
    ("its programs unloaded", "systemctl stop monitor; find /sys/fs/bpf -type f -delete",
     [("monitor", "missing"), ("monitor", "killed")], "systemctl start monitor", ""),
    ("junk into its port", f"head -c 100000 /dev/urandom > {PORT}", [("monitor", "gap")], "systemctl start monitor",
     "systemctl stop monitor"),
]
WITHIN = 10


def count(net, wanted):
    return sum(len(net.events("silence", layer=layer, what=what)) for layer, what in wanted)


def back(who, command):
    """Comes in again, however long that takes: the trick may have taken the network."""
    return wait_for(lambda: who.run(command or "true", lane=2, timeout=60).returncode == 0, 60, 1)


def play(t, net, who, kept):
    slow, times = [], []
    for name, command, wanted, undo, prepare in TRICKS:
        if prepare:
            who.run(prepare, lane=2)
        wait_for(lambda: False, 1)  # what the last one made told is told
        before, kept_before = count(net, wanted), kept.shell()
        begin = time.monotonic()
        p = who.start(command, lane=2)
        got = wait_for(lambda: count(net, wanted) > before, 45, 0.2)
        took = time.monotonic() - begin
        t.check(got, f"{name}: told after {took:.1f} s as {' '.join(wanted[0])}",
                [e["text"] for k in ("silence", "mismatch") for e in net.events(k)][-8:])
        times.append(took)
        if got and took > WITHIN:
            slow.append(name)
        try:
            p.communicate(timeout=30)
        except Exception:  # noqa: its connection may be gone
            p.kill()
            p.communicate()
        back(who, undo)
        t.check(kept.shell().startswith(kept_before), f"{name}: what was heard before is still there")
    # Each was told; what an emulated guest takes on a busy machine is no promise, what the most take is.
    t.check(sorted(times)[len(times) * 3 // 4] < WITHIN, f"most within {WITHIN} s", times)
    t.note(f"longer than {WITHIN} s: " + (", ".join(slow) or "none"))
