#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces site
"""The shell that tells (inside/shell), without any guest: forms of commands against what it says of them to a
log host in a namespace, and against the ordinary bash, from which it must differ in nothing else."""
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
import tap  # noqa: E402

BUILD = os.path.join(ROOT, "inside/shell/build")
SKEP = os.path.abspath(os.environ.get("SKEP", os.path.join(ROOT, "build/src/cmd/skep")))
CACHE = os.path.join(os.environ.get("SKEP_TEST_CACHE", "/var/cache/skep"), "packages")
HEAD = r"<182>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (\S+) sh\[(\d+)\]: pid=(\d+)"
BEGIN = re.compile(HEAD + r" ppid=(\d+) uid=(\d+) user=(\S+) tty=(\S+) seq=(\d+) cwd=(\S+)( cut=1)? line=([ -~]+)\Z")
MORE = re.compile(HEAD + r" seq=(\d+) more=(\d+) text=([!-~]+)\Z")
END = re.compile(HEAD + r" seq=(\d+) status=(\d+)\Z")
E = 256  # of an exit status in a wait status
SO_RCVBUFFORCE = 33
NONE = -1  # no end is told: the shell became the command, or died

SHELL, SH = "/bin/bash", "/bin/sh"
# (what, arguments, standard input, [(line, status) in the order of their beginnings])
FORMS = [
    ("one builtin", [SHELL, "-c", "echo hi"], None, [("echo hi", 0)]),
    ("a list", [SHELL, "-c", "true; false || (exit 3)"], None, [("true; false || (exit 3)", 3 * E)]),
    ("exit", [SHELL, "-c", "exit 5"], None, [("exit 5", 5 * E)]),
    ("the shell becomes the command", [SHELL, "-c", "/bin/false"], None, [("/bin/false", NONE)]),
    ("a session's only command", ["setsid", "-w", SHELL, "-c", "/bin/false"], None, [("/bin/false", E)]),
    ("a session's last command", ["setsid", "-w", SHELL, "-c", "cd /tmp && /bin/ls -d ."], None,
     [("cd /tmp && /bin/ls -d .", 0)]),
    ("a session's pipeline", ["setsid", "-w", SHELL, "-c", "/bin/echo a | tr a b"], None,
     [("/bin/echo a | tr a b", 0)]),
    ("exec", [SHELL, "-c", "exec /bin/echo gone"], None, [("exec /bin/echo gone", NONE)]),
    ("exec -a", [SHELL, "-c", "exec -a other sh -c 'echo $0'"], None,
     [("exec -a other sh -c 'echo $0'", NONE), ("echo $0", 0)]),
    ("lines of -c", [SHELL, "-c", "echo a\necho b # c\n\n# remark\n"], None, [("echo a", 0), ("echo b # c", 0)]),
    ("sh", [SH, "-c", "echo $0"], None, [("echo $0", 0)]),
    ("dash", ["/bin/dash", "-c", "echo x"], None, [("echo x", 0)]),
    ("standard input", [SHELL], "echo a\n\n# x\nfalse\nexit 4\n",
     [("echo a", 0), ("false", E), ("exit 4", 4 * E)]),
    ("standard input of sh -s", [SH, "-s", "x"], "echo $1\n", [("echo $1", 0)]),
    ("no newline at the end", [SHELL], "echo a", [("echo a", 0)]),
    ("a here-document", [SHELL], "cat <<X\na $((1 + 1))\n\tb\nX\necho c\n",
     [("cat <<X%0Aa $((1 + 1))%0A%09b%0AX", 0), ("echo c", 0)]),
    ("a here-document for a shell", [SHELL], "sh <<'X'\necho in\nX\n",
     [("sh <<'X'%0Aecho in%0AX", 0), ("echo in", 0)]),
    ("a here-string", [SHELL, "-c", "sh <<<'echo in'; :"], None, [("sh <<<'echo in'; :", 0), ("echo in", 0)]),
    ("a loop of several lines", [SHELL], "for i in 1 2; do\n echo $i\ndone\n",
     [("for i in 1 2; do%0A echo $i%0Adone", 0)]),
    ("a continued line", [SHELL], "echo a \\\n  b\n", [("echo a \\%0A  b", 0)]),
    ("a subshell", [SHELL], "(echo a; cd /; exit 7)\n", [("(echo a; cd /; exit 7)", 7 * E)]),
    ("a group, a case, a test", [SHELL], "{ echo a; }\ncase x in x) echo b;; esac\n[[ a < b ]]\n",
     [("{ echo a; }", 0), ("case x in x) echo b;; esac", 0), ("[[ a < b ]]", 0)]),
    ("in the background", [SHELL], "true & wait\n", [("true & wait", 0)]),
    ("a function", [SHELL], "f() { echo in; return 2; }\nf\n", [("f() { echo in; return 2; }", 0), ("f", 2 * E)]),
    ("substitutions", [SHELL, "-c", "echo $(echo a; echo b) `echo c`; cat <(echo d)"], None,
     [("echo $(echo a; echo b) `echo c`; cat <(echo d)", NONE)]),
    ("eval of what stands there", [SHELL, "-c", "eval 'echo a'; eval echo b"], None,
     [("eval 'echo a'; eval echo b", 0)]),
    ("eval of what doesn't", [SHELL, "-c", 'x=$(printf "ec\\150o a"); eval "$x"; eval "$x"'], None,
     [('x=$(printf "ec\\150o a"); eval "$x"; eval "$x"', 0), ("echo a", 0)]),
    ("base64 into a shell", [SHELL, "-c", "echo aWQgLXUK | base64 -d | sh"], None,
     [("echo aWQgLXUK | base64 -d | sh", 0), ("id -u", 0)]),
    ("traps", [SHELL], "trap 'echo bye' EXIT\ntrap 'echo got' USR1\nkill -USR1 $$\nexit 3\n",
     [("trap 'echo bye' EXIT", 0), ("trap 'echo got' USR1", 0), ("kill -USR1 $$", 0), ("exit 3", 3 * E)]),
    ("a hidden trap", [SHELL], 'x=$(printf "ec\\150o bye")\ntrap "$x" EXIT\n',
     [('x=$(printf "ec\\150o bye")', 0), ('trap "$x" EXIT', 0), ("echo bye", 0)]),
    ("set -e", [SHELL], "set -e\nfalse\necho never\n", [("set -e", 0), ("false", E)]),
    ("set -n", [SHELL], "echo a\nset -n\necho never\n", [("echo a", 0), ("set -n", 0)]),
    ("wrong syntax", [SHELL, "-c", "echo ( a"], None, [("echo ( a", 2 * E)]),
    ("wrong syntax in a script", [SHELL], "echo a\nfi\necho never\n", [("echo a", 0), ("fi", 2 * E)]),
    ("not found", [SHELL, "-c", "nothing-of-that-name; :"], None, [("nothing-of-that-name; :", 0)]),
    ("killed", [SHELL, "-c", "sh -c 'kill -9 $$'; echo $?"], None,
     [("sh -c 'kill -9 $$'; echo $?", 0), ("kill -9 $$", NONE)]),
    ("killed, the last", [SHELL], "sh -c 'kill -9 $$'\n", [("sh -c 'kill -9 $$'", 9), ("kill -9 $$", NONE)]),
    ("not for the history", [SHELL, "-c", "set +o history; unset HISTFILE; HISTCONTROL=ignoreboth;  echo a"], None,
     [("set +o history; unset HISTFILE; HISTCONTROL=ignoreboth;  echo a", 0)]),
    ("escaped", [SHELL, "-c", "echo 'ä\x01%\t'"], None, [("echo '%C3%A4%01%25%09'", 0)]),
    ("an empty environment", ["env", "-i", SHELL, "-c", "echo a"], None, [("echo a", 0)]),
    ("names of the environment", ["env", "BASH_ENV=DIR/env.sh", SHELL, "-c", "echo b"], None,
     [("echo from env", 0), ("echo b", 0)]),
    ("exported functions", ["env", "BASH_FUNC_f%%=() { echo f\n}", SHELL, "-c", "f"], None, [("f", 0)]),
    ("a script", [SHELL, "DIR/s.sh", "arg"], None, [("echo one $1", 0), ("( echo two )", 0)]),
    ("a script by its name", ["DIR/s.sh", "arg"], None, [("echo one $1", 0), ("( echo two )", 0)]),
    ("a script without #!", [SHELL, "-c", "DIR/n.sh x; :"], None, [("DIR/n.sh x; :", 0), ("echo three $1", 0)]),
    ("source", [SHELL, "-c", ". DIR/n.sh; echo four"], None, [(". DIR/n.sh; echo four", 0), ("echo three $1", 0)]),
    ("source of a pipe", [SHELL, "-c", ". /dev/stdin; :"], "echo five\n", [(". /dev/stdin; :", 0), ("echo five", 0)]),
    ("xargs", [SHELL, "-c", "echo a | xargs -I{} sh -c 'echo {}'"], None,
     [("echo a | xargs -I{} sh -c 'echo {}'", 0), ("echo a", 0)]),
    ("python", [SHELL, "-c", "/usr/bin/python3 -c 'import os; os.system(\"echo py; :\")'; :"], None,
     [("/usr/bin/python3 -c 'import os; os.system(\"echo py; :\")'; :", 0), ("echo py; :", 0)]),
    ("mapfile's calls", [SHELL, "-c", "printf '1\\n' >DIR/m; mapfile -C 'echo cb' -c 1 A <DIR/m"], None,
     [("printf '1\\n' >DIR/m; mapfile -C 'echo cb' -c 1 A <DIR/m", 0)]),
    ("no descriptor to spare", [SHELL, "-c", "ulimit -n 3; echo a"], None, [("ulimit -n 3; echo a", NONE)]),
    ("a folder that is gone", [SHELL, "-c", "mkdir DIR/g; cd DIR/g; rmdir DIR/g\necho a"], None,
     [("mkdir DIR/g; cd DIR/g; rmdir DIR/g", 0), ("echo a", 0)]),
    # Not a word in these: nothing was to be run.
    ("nothing", [SHELL, "-c", ""], None, []),
    ("only asked", [SHELL, "--version"], None, []),
    ("only checked", [SHELL, "-n", "DIR/s.sh"], None, []),
]
# What an intruder might compare: the same from both shells, byte by byte.
ALIKE = [
    "env | sort", "compgen -v | sort", "compgen -A builtin", "compgen -A function", "set -o; shopt", "help",
    "ls -l /proc/self/fd | sed 's/.* \\([0-9]* ->\\)/\\1/; s/[0-9]\\{4,\\}/N/g' | wc -l",
    "exec 0<&-; ls /proc/self/fd | wc -l", "exec 1>&2 2>/dev/null 3>DIR/f; echo x; cat DIR/f", "echo $SHLVL $- $0 $#",
    "cat /proc/$$/limits", "trap -p; jobs; times | wc -l", "echo $BASH_VERSION ${BASH_VERSINFO[@]}",
    "(sleep 0 & wait $!; echo $?)", "f() { caller; echo ${FUNCNAME[@]} $LINENO; }; f", "! true; echo $? ${PIPESTATUS[@]}",
    "x=1; trap 'echo $BASH_COMMAND' DEBUG; true; echo $_", "set -x; echo a; (echo b)", "set -v\necho a\n", "echo $((1/0)); echo no",
    "printf '%s\\n' {1..3} | while read a; do echo $a; done", "read -r a <<<x; echo $a", "type echo cat [ if", "kill -TERM $$",
    "ulimit -a", "umask; pwd; dirs", "cat <<< $(</etc/hostname)", "coproc cat; echo a >&${COPROC[1]}; read x <&${COPROC[0]}; echo $x",
    "declare -f; declare -p BASHOPTS SHELLOPTS", "select a in x; do echo $a; break; done <<<1", "exec 9>&1; echo y >&9",
]


class Host:
    """A log host on this namespace's loopback."""
    def __init__(self, family, address):
        self.s = socket.socket(family, socket.SOCK_DGRAM)
        self.s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 23)
        self.s.bind((address, 514))

    def take(self):
        """What has come. Loopback delivers before the sender goes on: when that has ended, all is here."""
        got = []
        while select.select([self.s], [], [], 0)[0]:
            got.append(self.s.recv(65536).decode())
        return got


def read(lines):
    """[(line, status)], in the order of beginnings, and what is wrong with them."""
    order, last, wrong = [], {}, []
    for text in lines:
        begin, more, end = BEGIN.match(text), MORE.match(text), END.match(text)
        if begin:
            # A shell that became another one begins to count again.
            last[begin[3], begin[8]] = len(order)
            order.append([begin[11], NONE])
            if begin[2] != begin[3] or begin[1] != socket.gethostname():
                wrong.append(f"head of {text}")
        elif more:
            line = order[last[more[3], more[4]]]
            if len(re.sub("%..", "x", line[0])) != int(more[5]):
                wrong.append(f"a piece that does not follow: {text}")
            line[0] += more[6].replace("%20", " ")
        elif end:
            n = last.pop((end[3], end[4]), None)
            if n is None:
                wrong.append(f"an end without a beginning, or a second one: {text}")
            else:
                order[n][1] = int(end[5])
        else:
            wrong.append(f"not a line: {text}")
    return [tuple(o) for o in order], wrong


def use(program):
    """Makes it this namespace's bash, and what other shells lead to; None: Debian's own."""
    for path in ("/usr/bin/bash", "/usr/bin/dash"):
        while subprocess.run(["umount", path], capture_output=True).returncode == 0:
            pass
        if program:
            subprocess.run(["mount", "--bind", program, path], check=True)


def hosts(tmp, text):
    with open(os.path.join(tmp, "hosts"), "w", encoding="utf-8") as f:
        f.write("127.0.0.1 localhost\n" + text)


def run(args, tmp, text=None):
    p = subprocess.run([a.replace("DIR", tmp) for a in args], input=text and text.encode(), cwd=tmp, timeout=60,
                       stdin=subprocess.DEVNULL if text is None else None, capture_output=True)
    return p.returncode, p.stdout, re.sub(rb"\d{3,}", b"N", p.stderr)  # process ids


def check_forms(t, tmp, new, host):
    for what, args, text, want in FORMS:
        use(None)
        stock = run(args, tmp, text)
        use(new)
        host.take()
        ours = run(args, tmp, text)
        got, wrong = read(host.take())
        want = [(line.replace("DIR", tmp), status) for line, status in want]
        t.check(got == want and not wrong, f"{what}: told once, in order, with its status",
                f"got  {got}\nwant {want}\n{wrong}")
        # Stock sh is dash here: its words differ, not what it does.
        if args[0] in (SH, "/bin/dash"):
            stock, ours = stock[:2], ours[:2]
        t.equal(ours, stock, f"{what}: nothing else differs")


def check_alike(t, tmp, new, host):
    bad = []
    for text in ALIKE:
        both = []
        for program in (None, new):
            use(program)
            both.append(run([SHELL, "-c", text], tmp) + run([SHELL], tmp, text + "\n"))
        if both[0] != both[1]:
            bad.append(f"{text}\nordinary {both[0]}\nours     {both[1]}")
    host.take()
    t.check(not bad, f"{len(ALIKE)} ways to look at it show an ordinary bash", "\n".join(bad))


def typed(keys, tmp, args=(SHELL, "--norc", "-i")):
    """Types lines at a terminal, each after a prompt; returns what was shown and the terminal's name."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(PS1="> ", HOME=tmp, TERM="xterm", HISTFILE=os.path.join(tmp, "hist"))
        os.chdir(tmp)
        os.execv(args[0], list(args))
    shown, name = b"", None
    waiting = list(keys)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if not select.select([fd], [], [], 5)[0]:
            break
        try:
            got = os.read(fd, 65536)
        except OSError:
            break
        shown += got
        if shown.endswith((b"> ", b"# ")) and waiting:
            os.write(fd, waiting.pop(0).encode())
    os.close(fd)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    return shown, os.waitpid(pid, 0)[1]


def check_typed(t, tmp, new, host):
    keys = ["echo one\n", " echo blank\n", "!!\n", "echo x\x01echo y; \n", "\x1b[A\n", "# remark\n", "history -c\n",
            "unset HISTFILE; set +o history\n", "echo a \\\n", "b\n", "echo '\n", "'\n", "nothing at all\x15echo z\n",
            "ech\ttab\n", "exit 6\n"]
    both = []
    for program in (None, new):
        use(program)
        host.take()
        both.append(typed(keys, tmp))
    text = host.take()
    got, wrong = read(text)
    want = [("echo one", 0), ("echo blank", 0), ("echo blank", 0), ("echo y; echo x", 0), ("echo y; echo x", 0), ("# remark", 0),
            ("history -c", 0), ("unset HISTFILE; set +o history", 0), ("echo a \\%0Ab", 0), ("echo '%0A'", 0), ("echo z", 0),
            ("echo tab", 0), ("exit 6", 6 * E)]
    t.check(got == want and not wrong, "typed at a terminal: after history and editing, whatever the history's settings",
            f"got  {got}\nwant {want}\n{wrong}\n{both[1][0]!r}")
    t.check(text and all(" tty=pts/" in x for x in text if "line=" in x), "the terminal is named", text[:2])
    # A prompt counts what the history holds: nothing of it may have changed.
    t.equal(both[1], both[0], "the terminal shows what it shows with an ordinary bash")


def check_startup(t, tmp, new, host):
    use(new)
    shutil.copy("/etc/skel/.bashrc", os.path.join(tmp, ".bashrc"))
    host.take()
    typed(["echo a\n", "exit\n"], tmp, (SHELL, "-i"))
    got = [x[0] for x in read(host.take())[0]]
    ours = [x for x in got if x in ("echo a", "exit")]
    usual = [x for x in got if "HISTCONTROL=ignoreboth" in x]
    t.check(ours == ["echo a", "exit"] and not usual, "a start file that each account gets is not told", got[:9])
    with open(os.path.join(tmp, ".bashrc"), "a", encoding="utf-8") as f:
        f.write("echo planted >/dev/null\n")
    typed(["exit\n"], tmp, (SHELL, "-i"))
    got = [x[0] for x in read(host.take())[0]]
    t.check("echo planted >/dev/null" in got, "one that was changed is", got[:9])
    os.unlink(os.path.join(tmp, ".bashrc"))


def check_systems(t, tmp, new, host):
    use(new)
    with open("/proc/uptime", encoding="ascii") as f:
        up = int(float(f.read().split()[0]))
    machine = ["unshare", "--time", "--boottime", str(-up), "--fork"]
    if subprocess.run(machine + ["true"], capture_output=True).returncode:
        t.skip("a script of the system's own is one line", "no time namespaces")
    else:
        host.take()
        run(machine + [SHELL, "/usr/bin/which", "cat"], tmp)
        t.equal(read(host.take()), ([("/usr/bin/which cat", 0)], []), "a script of the system's own is one line")
    subprocess.run(["mount", "-t", "tmpfs", "none", "/usr/games"], check=True)
    shutil.copy(os.path.join(tmp, "s.sh"), "/usr/games/s.sh")
    host.take()
    run(machine[:0] + ["/usr/games/s.sh", "x"], tmp)
    t.equal(read(host.take())[0], [("echo one $1", 0), ("( echo two )", 0)], "one put there since the machine started is told by line")
    subprocess.run(["umount", "/usr/games"], check=True)


def check_hosts(t, tmp, new, host, host6):
    use(new)
    for what, text, four, six in (
            ("IPv6", "::1 loghost\n", 0, 2), ("a second name, a remark", "127.0.0.1 log loghost # yes\n", 2, 0),
            ("the first cannot be reached", "203.0.113.9 loghost\n::1 loghost\n", 0, 2), ("both can", "127.0.0.1 loghost\n::1 loghost\n", 2, 0),
            ("none", "", 0, 0), ("a remark", "# 127.0.0.1 loghost\n", 0, 0), ("another name", "127.0.0.1 loghosts xloghost\n", 0, 0),
            ("no address", "bad loghost\nloghost\n", 0, 0), ("no file to speak of", "\0\n" * 50000, 0, 0)):
        hosts(tmp, text)
        host.take(), host6.take()
        done = run([SHELL, "-c", "echo a"], tmp)
        got = (done, len(host.take()), len(host6.take()))
        t.equal(got, ((0, b"a\n", b""), four, six), f"/etc/hosts with {what}")
    # Nobody there who would answer: nothing waits.
    subprocess.run("ip link add d0 type veth peer name d1 && ip link set d1 up && ip addr add 192.0.2.1/24 dev d0 && ip link set d0 up", shell=True, check=True)
    hosts(tmp, "192.0.2.99 loghost\n")
    done = run([SHELL], tmp, "echo a\n" * 2000)
    t.equal(done, (0, b"a\n" * 2000, b""), "2000 commands with a log host that isn't there")
    hosts(tmp, "127.0.0.1 loghost\n")


def check_limits(t, tmp, new, host):
    use(new)
    host.take()
    done = run([SHELL], tmp, "echo " + "x" * 5000 + " | wc -c\necho " + "\x01" * 3000 + " | wc -c\n" + "echo a\n")
    text = host.take()
    got, wrong = read(text)
    want = [("echo " + "x" * 4091, 0), ("echo " + "%01" * 3000 + " | wc -c", 0), ("echo a", 0)]
    t.check(done[1] == b"5001\n3001\na\n" and got == want and not wrong, "long lines come in pieces, at most 4096 bytes of them",
            [wrong, [len(x[0]) for x in got]])
    t.check(max(map(len, text)) <= 1200 and [" cut=1 " in x for x in text if " line=" in x] == [True, True, False],
            "each small enough for any link, and the first says that more follows", [len(x) for x in text])
    run([SHELL], tmp, "cat >/dev/null <<X\n" + "line\n" * 5000 + "X\necho b\n")
    got = read(host.take())
    t.check([x[1] for x in got[0]] == [0, 0] and got[0][1][0] == "echo b" and not got[1] and
            len(got[0][0][0]) == 4096 + 2 * got[0][0][0].count("%0A"), "a long here-document, too", [len(x[0]) for x in got[0]])
    run([SHELL], tmp, "eval 'eval \"eval ec\"ho\\ x'\n" + "f() { [ $1 = 0 ] || eval \"f $(($1 - 1))\"; }\nf 60\n")
    got = read(host.take())
    t.check(got[0][-1][0] == "f 0" and ("f 60", 0) in got[0] and not got[1], "evaluated 60 deep", got)
    done = subprocess.run([SHELL, "-c", "cd /\nid -un\n"], capture_output=True, user=65534, group=65534, extra_groups=[], cwd=tmp)
    got = [BEGIN.match(x) for x in host.take() if " line=" in x]
    t.check(done.stdout == b"nobody\n" and [m[6] for m in got] == ["nobody"] * 2 and [m[5] for m in got] == ["65534"] * 2 and
            [m[9] for m in got] == [tmp, "/"] and int(got[0][4]) == os.getpid(), "who, where, by whom", [m and m[0] for m in got])


def check_package(t, tmp, deb):
    tree = os.path.join(tmp, "deb")
    subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
    sums = subprocess.run(["md5sum", "--quiet", "-c", "DEBIAN/md5sums"], cwd=tree, capture_output=True, text=True)
    t.check(sums.returncode == 0, "the package's sums are its files'", sums.stdout)
    field = lambda f: subprocess.run(["dpkg-deb", "-f", deb, f], capture_output=True, text=True).stdout.strip()  # noqa: E731
    stock = subprocess.run("apt-cache show --no-all-versions bash | sed -n 's/^Version: //p' | head -n 1", shell=True,
                           capture_output=True, text=True).stdout.strip()
    newer = subprocess.run(["dpkg", "--compare-versions", field("Version"), "gt", stock + "~"]).returncode
    t.check(newer == 0 and re.fullmatch(r"[0-9.]+-\d+\+deb12u\d+", field("Version")) and field("Essential") == "yes",
            "its version is above Debian's and looks like one", field("Version"))
    with open(os.path.join(tree, "bin/bash"), "rb") as f:
        words = f.read().lower()
    t.check(b"skep" not in words and b"honey" not in words and b"loghost" in words, "nothing in it says whose it is")
    return os.path.join(tree, "bin/bash")


def check_monitor(t, tmp):
    """Its package, where this build has a monitor: whole, and nothing in it says whose it is."""
    program = os.path.normpath(os.path.join(os.path.dirname(SKEP), "../../inside/monitor/monitor"))
    if not os.path.exists(program):
        t.skip("the monitor's package", "this build has no monitor")
        return
    made = subprocess.run([os.path.join(ROOT, "inside/package"), program, tmp], capture_output=True, text=True)
    tree = os.path.join(tmp, "monitor")
    subprocess.run(["dpkg-deb", "-R", made.stdout.strip(), tree], check=True)
    sums = subprocess.run(["md5sum", "--quiet", "-c", "DEBIAN/md5sums"], cwd=tree, capture_output=True, text=True)
    place = re.search(r"^ExecStart=(\S+)$", open(tree + "/lib/systemd/system/monitor.service", encoding="utf-8").read(), re.M)
    t.check(made.returncode == 0 and sums.returncode == 0 and os.access(tree + place[1], os.X_OK), "the monitor's package is whole",
            made.stderr + sums.stdout)
    words = subprocess.run(["grep", "-r", "-i", "-l", "-e", "skep", "-e", "honey", tree], capture_output=True, text=True)
    t.equal(words.stdout, "", "nothing in it says whose it is, or what for")


def inner(t, deb, tmp):
    for name, text in (("s.sh", "#!/bin/bash\necho one $1\n# remark\n( echo two )\n"), ("n.sh", "echo three $1\n"),
                       ("env.sh", "echo from env\n")):
        with open(os.path.join(tmp, name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(os.path.join(tmp, name), 0o755)
    os.chmod(tmp, 0o755)
    new = check_package(t, tmp, deb)
    check_monitor(t, tmp)
    hosts(tmp, "127.0.0.1 loghost\n")
    subprocess.run(["mount", "--bind", os.path.join(tmp, "hosts"), "/etc/hosts"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    host, host6 = Host(socket.AF_INET, "127.0.0.1"), Host(socket.AF_INET6, "::1")
    check_forms(t, tmp, new, host)
    check_alike(t, tmp, new, host)
    check_typed(t, tmp, new, host)
    check_startup(t, tmp, new, host)
    check_systems(t, tmp, new, host)
    check_limits(t, tmp, new, host)
    check_hosts(t, tmp, new, host, host6)
    use(None)


def main(t):
    if len(sys.argv) == 3:
        inner(t, *sys.argv[1:])
        return
    if os.geteuid() != 0 or subprocess.run(["unshare", "-n", "-m", "true"], capture_output=True).returncode:
        raise tap.Skip("no namespaces: not root, or not allowed")
    built = subprocess.run([BUILD, CACHE], capture_output=True, text=True)
    if built.returncode == 3:
        raise tap.Skip("no source of bash, or no compiler: " + built.stderr.strip().splitlines()[-1])
    if not t.check(built.returncode == 0, "the changed bash is built, or was", built.stderr):
        return
    with tempfile.TemporaryDirectory(prefix="skt-shell-") as tmp:
        done = subprocess.run(["unshare", "-n", "-m", sys.executable, __file__, built.stdout.strip(), tmp], capture_output=True, text=True)
    for line in done.stdout.splitlines():
        m = re.match(r"(not )?ok \d+ - (.*?)(?: \[[\d.]+ s\])?$", line)
        if m and " # SKIP " in m[2]:
            t.skip(*m[2].split(" # SKIP ", 1))
        elif m:
            t.check(not m[1], m[2])
        elif line.startswith("#"):
            print(line, flush=True)
    t.check(done.returncode == 0, "all of it ran", done.stderr)


tap.run(main)
