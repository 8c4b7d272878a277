#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest site
"""The monitor in a small guest of its own: what it says of visits, processes, rights, connections, signals and
states; that it survives being killed and slow hosts, counts what it drops, and says next to nothing when idle."""
import os
import socket
import time

import common  # noqa
import monitor
import tap
from honeynet import SKEP, Honeynet, guest

MONITOR = os.path.join(os.path.dirname(SKEP), "../../inside/monitor/monitor")
EVERY = {"exec", "exit", "fork", "accept", "connect", "cred", "module", "bpf", "signal"}


def image():
    """Where the tiny image is, built if need be."""
    with Honeynet([guest("t", "tiny", 10)]) as net:
        net.build_images()
        return os.path.join(net.settings["cache_dir"], "images/tiny")


def execs(records):
    return [monitor.argv(r) for r in records if r["type"] == "exec"]


def begins(t, g):
    hello = g.wait(lambda r: r["type"] == "hello")
    if not t.check(hello, "the monitor says hello", g.console_text[-2000:]):
        raise RuntimeError("no monitor")
    t.equal((hello["version"], hello["mode"], hello["first"]), (1, 1, 1), "by programs, the first of this boot")
    missing = EVERY - monitor.hooks(hello["hooks"])
    t.check(not missing, "all its hooks are attached", missing)
    t.check(hello["texts"][0].startswith(b"6."), "it names the kernel", hello["texts"])
    beat = g.wait(lambda r: r["type"] == "beat")
    t.equal(beat and beat["hooks"], hello["hooks"], "its first beat has seen them alive")


def visit(t, g):
    at = len(g.records)
    said, status = g.ssh("id -u; exit 3")
    t.equal((said, status), ("0\n", 3), "a visit by ssh works")
    end = g.wait(lambda r: r["type"] == "visit_end", 10, at)
    new = g.records[at:]
    begin = next((r for r in new if r["type"] == "visit"), None)
    t.check(begin and begin["ver"] == 4 and begin["peer"][:4] == socket.inet_aton("10.0.2.2") and
            begin["local"][:4] == socket.inet_aton("10.0.2.15") and begin["local_port"] == 22 and
            begin["comm"] == "dropbear" and begin["parent"] == 0, "it begins with both ends", begin)
    run = next((r for r in new if r["type"] == "exec" and monitor.argv(r)[:2] == ["sh", "-c"]), None)
    t.check(run and run["visit"] == begin["visit"] and monitor.argv(run)[2] == "id -u; exit 3" and
            run["texts"][:2] == [b"/bin/busybox", b"/root"] and run["argc"] == 3 and run["flags"] == 0,
            "the command belongs to it, with file, folder and words", run)
    gone = next((r for r in new if run and r["type"] == "exit" and r["pid"] == run["pid"]), None)
    t.check(gone and gone["status"] == 3 << 8, "and its status", gone)
    t.check(end and end["visit"] == begin["visit"], "the visit ends", end)


def odd_programs(t, g):
    g.sh("cp /bin/busybox /tmp/odd; chmod 4755 /tmp/odd; ln -s /tmp/odd /tmp/su")
    at = len(g.records)
    g.ssh("/tmp/su -c 'echo now root'; exec 3</bin/busybox; cp /bin/busybox /tmp/x; exec 4</tmp/x; rm /tmp/x;"
          "/proc/self/fd/4 sh; nc -w 1 10.0.2.2 7; nc -w 1 fec0::2 7; nslookup a.b 10.0.2.3 & sleep 1",
          user="user")
    g.wait(lambda r: r["type"] == "connect" and r["proto"] == 17, 15, at)
    new = g.records[at:]
    cred = next((r for r in new if r["type"] == "cred"), None)
    t.check(cred and cred["euid"] == 1000 and cred["new_euid"] == 0 and cred["visit"], "root by setuid", cred)
    t.check(not [r for r in new if r["type"] == "cred" and r["euid"] == 0], "what root does with its rights is not")
    gone = [r for r in new if r["type"] == "exec" and r["flags"] & 2]
    t.check(gone and gone[0]["texts"][0] == b"/tmp/x", "a program whose file was deleted", gone)
    to = {(r["ver"], r["proto"], r["port"], r["addr"]) for r in new if r["type"] == "connect"}
    v4, v6 = socket.inet_aton("10.0.2.2"), socket.inet_pton(socket.AF_INET6, "fec0::2")
    t.check((4, 6, 7, v4.ljust(16, b"\0")) in to, "a connection by IPv4", to)
    t.check((6, 6, 7, v6) in to, "and by IPv6", to)
    t.check((4, 17, 53, socket.inet_aton("10.0.2.3").ljust(16, b"\0")) in to, "and datagrams", to)


def heard(g, at, stream, tty):
    return b"".join(r["texts"][0] for r in g.records[at:]
                    if r["type"] == "data" and r["stream"] == stream and (r["tty"] >= 0) == tty)


def streams(t, g):
    at = len(g.records)
    g.ssh("wc -c; seq 1 30000; echo over >&2", text="typed\n" * 2000)
    g.wait(lambda r: r["type"] == "visit_end", 10, at)
    numbers = "".join(f"{i}\n" for i in range(1, 30001)).encode()
    t.equal(heard(g, at, 2, False), b"typed\n" * 2000, "all that goes into a command without a terminal")
    t.equal(len(heard(g, at, 1, False)), len(b"12000\n" + numbers), "all that comes out of it, by size")
    t.check(heard(g, at, 1, False) == b"12000\n" + numbers, "and byte for byte")
    t.check(heard(g, at, 3, False) == b"over\n", "its errors")
    at = len(g.records)
    g.ssh("stty size; read a; echo got $a; seq 1 3000", text="said\n", options=["-tt"])
    g.wait(lambda r: r["type"] == "visit_end", 10, at)
    out = heard(g, at, 1, True)
    t.check(b"got said\r\n" in out and out.endswith(b"2999\r\n3000\r\n") and len(out) > 16000,
            "what a terminal shows", (len(out), out[:80], out[-80:]))
    t.check(heard(g, at, 2, True).startswith(b"said\n"), "and what is typed at it", heard(g, at, 2, True))


def not_called(t, g):
    at = len(g.records)
    g.sh('echo 0 >/proc/sys/kernel/ftrace_enabled')
    r = g.wait(lambda r: r['type'] == 'state' and r['what'] == 7, 15, at)
    t.check(r and 'cred' in monitor.hooks(r['value']), 'hooks that the kernel does not call are missed', r)
    g.wait(lambda r: False, 5)
    beats = [r for r in g.records[g.records.index(r):] if r['type'] == 'beat']
    t.check(beats and all(not b['hooks'] & r['value'] for b in beats), 'and stay so')
    t.check(not [x for x in g.records[at:] if x['type'] == 'hello'], 'without a new life, which would not help')
    g.sh('echo 1 >/proc/sys/kernel/ftrace_enabled')
    t.check(g.wait(lambda x: x['type'] == 'beat' and x['hooks'] & r['value'] == r['value'], 15, len(g.records)),
            'until they are called again')


def by_audit(t, g):
    said = g.sh("/usr/sbin/monitor --audit --print >/tmp/audit 2>&1 & sleep 3; sh -c 'exit 9'; sleep 1; kill $!;"
                "grep 'exit 9' /tmp/audit")
    t.check('exec visit=0' in said and 'sh\\x00-c\\x00exit 9' in said, "without programs, audit tells of one", said)


def long_words(t, g):
    at = len(g.records)
    g.sh("cd /tmp; mkdir -p a/bb/ccc; cd a/bb/ccc; sh -c true $(seq 1 2000); cd /")
    r = g.wait(lambda r: r["type"] == "exec" and monitor.argv(r)[0] == "sh", 10, at)
    t.check(r and r["texts"][1] == b"/tmp/a/bb/ccc", "a working directory", r and r["texts"][1])
    t.check(r and r["flags"] & 1 and r["argc"] == 2003 and len(r["texts"][2]) > 4000,
            "too many words are cut, and that is said", r)


def into_the_kernel(t, g):
    at = len(g.records)
    g.sh("rmmod evdev; insmod /lib/modules/*evdev.ko; kill -STOP $(pidof dropbear); kill -CONT $(pidof dropbear)")
    r = g.wait(lambda r: r["type"] == "kernel", 10, at)
    t.check(r and r["what"] == 1 and r["texts"] == [b"evdev"] and r["comm"] == "insmod", "a module", r)
    r = g.wait(lambda r: r["type"] == "signal", 10, at)
    t.check(r and r["sig"] == 19 and r["to_comm"] == "dropbear" and r["comm"] == "sh", "a signal to sshd", r)


def states(t, g):
    at = len(g.records)
    g.sh("touch /etc/passwd; echo x >/etc/ld.so.preload; rm /etc/ld.so.preload; cp /bin/busybox /tmp/y; mount --bind /tmp/y /bin/busybox;"
         "date -s '2027-01-01 00:00:00'; ip link set eth0 down")

    def state(what, text=None):
        want = monitor.STATES.index(what)
        return g.wait(lambda r: r["type"] == "state" and r["what"] == want and
                      (text is None or r["texts"] == [text.encode()]), 10, at)
    t.check(state("watched", "/etc/passwd"), "a watched file was changed")
    t.check(state("watched", "/bin/busybox"), "another one was covered by a mount")
    clock = state("clock")
    t.check(clock and abs(clock["value"]) > 10 ** 9, "somebody set the clock", clock)
    t.check(state("link_down", "eth0"), "a link went down")
    g.sh("umount /bin/busybox; ip link set eth0 up; ip addr add fec0::15/64 dev eth0")
    t.check(state("link_up", "eth0"), "and came up")


def killed(t, g):
    g.wait(lambda r: False, 2.5)
    at = len(g.records)
    g.sh("kill -9 $(pidof monitor); (exec -a under sh -c 'exit 5'); sh -c 'exit 6'")
    hello = g.wait(lambda r: r["type"] == "hello", 20, at)
    t.check(hello and hello["first"] == 0 and hello["seq"] == 0, "killed, it comes again", hello)
    r = g.wait(lambda r: r["type"] == "signal" and r["to_comm"] == "monitor", 10, at)
    t.check(r and r["sig"] == 9 and r["comm"] == "sh", "the next life tells who did it", r)
    r = g.wait(lambda r: r["type"] == "exec" and monitor.argv(r) == ["sh", "-c", "exit 6"], 10, at)
    t.check(r, "and what was run while there was none", g.records[at:])
    at = len(g.records)
    g.sh("kill $(pidof monitor)")
    r = g.wait(lambda r: r["type"] == "signal" and r["sig"] == 15, 10, at)
    t.check(r, "asked to end, it tells that before it does", g.records[at:])
    t.check(g.wait(lambda r: r["type"] == "hello", 20, at), "and comes again")
    at = len(g.records)
    g.sh("rm -r /sys/fs/bpf/monitor/*/link-life_exec; kill -9 $(pidof monitor)")
    hello = g.wait(lambda r: r["type"] == "hello", 20, at)
    t.check(hello and not EVERY - monitor.hooks(hello["hooks"]), "with part of its programs taken away, it hangs up all")
    g.sh("sh -c 'exit 7'")
    t.check(g.wait(lambda r: r["type"] == "exec" and monitor.argv(r)[-1] == "exit 7", 10, at), "and hears again")


def flood(t, g, n):
    """n programs while nobody reads at the host."""
    at = len(g.records)
    g.sh("sleep 1")
    first = g.records[-1]["seq"]
    g.type(f"i=0; w=$(seq 1 400 | tr '\\n' ' '); while [ $i -lt {n} ]; do i=$((i+1)); sh -c : $i $w; done; echo flood''ed\n")
    end = time.monotonic() + 100
    text = b""
    while b"flooded" not in text and time.monotonic() < end:
        text += g.console.recv(65536)
    t.check(b"flooded" in text, f"{n} programs end, though nobody hears the monitor")
    g.wait(lambda r: False, 5)
    new = [r for r in g.records[at:] if r["seq"] > first]
    t.check(new == sorted(new, key=lambda r: r["seq"]) and
            [r["seq"] for r in new] == list(range(first + 1, first + 1 + len(new))), "no number is missing")
    heard = sum(1 for r in new if r["type"] == "exec" and r["texts"][2].startswith(b"sh\0-c\0:\0"))
    lost = sum(int.from_bytes(r["by_type"][40:48], "little") for r in new if r["type"] == "lost")
    t.equal(heard + lost, n, f"each was told or counted as lost ({heard}, {lost})")
    t.check(lost > 0, "some were lost: the host was slow")
    rss = int(g.sh("grep VmRSS /proc/$(pidof monitor)/status").split("VmRSS:")[1].split()[0])
    t.check(rss < 6000, "its memory stays small", f"{rss} kB")


def idle(t, g):
    g.wait(lambda r: False, 3)
    before, at = g.raw_bytes, len(g.records)
    g.wait(lambda r: False, 8)
    rate = (g.raw_bytes - before) / 8
    beats = [r for r in g.records[at:] if r["type"] == "beat"]
    t.check(len(beats) >= 3 and rate < 200, "an idle guest says little but beats", f"{rate} bytes/s")
    t.equal(beats and beats[-1]["hooks"], g.records[at]["hooks"], "all hooks live to the end")


def main(t):
    with monitor.Guest(image(), MONITOR) as g:
        begins(t, g)
        visit(t, g)
        streams(t, g)
        odd_programs(t, g)
        long_words(t, g)
        into_the_kernel(t, g)
        states(t, g)
        killed(t, g)
        not_called(t, g)
        by_audit(t, g)
        idle(t, g)
        flood(t, g, 800)


if __name__ == "__main__":
    tap.run(main)
