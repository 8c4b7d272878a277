#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces guest asan
"""alerter and courier as super runs them: who has what, programs that take messages (the operator's and
sendmail), secrets, an escape, deaths, another configuration without a stop. What is decided and how it is
written is tested elsewhere."""
import glob
import json
import os
import signal
import subprocess
import tempfile
import time

import common  # noqa
import tap
from alarms import alone, nothing
from honeynet import Honeynet, guest, need, wait_for
from receivers import Web

GROUP = 61777

# One file for each message: its words, rights and environment, then what came on standard input.
TAKE = """#!/bin/sh
out=$(mktemp %(dir)s/take.XXXXXX) || exit 75
{ echo "args $*"; grep -E "^(Uid|Gid|Groups|CapEff|CapBnd|NoNewPrivs)" /proc/self/status; env | sed 's/^/env /'
  echo "net $(readlink /proc/self/ns/net)"; ls /proc/self/fd | sed 's/^/fd /'; echo; cat; } > $out
mv $out $out.done
"""
SENDMAIL = """
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int n, char **v)
{
	char name[256], buf[4096];
	size_t got;
	snprintf(name, sizeof(name), "%s/mail.%%d", (int)getpid());
	FILE *f = fopen(name, "w");
	if (f == NULL)
		return 75;
	fprintf(f, "egid %%d\\nargs", (int)getegid());
	for (int i = 1; i < n; i++)
		fprintf(f, " %%s", v[i]);
	fprintf(f, "\\n\\n");
	while ((got = fread(buf, 1, sizeof(buf), stdin)) > 0)
		fwrite(buf, 1, got, f);
	fclose(f);
	return rename(name, "%s/mail") == 0 ? 0 : 75;
}
"""


def own_sendmail(where):
    """/usr/sbin/sendmail of our own, setgid, seen by nobody but this test and what it starts. False: can't."""
    try:
        alone()
    except tap.Skip:
        return False
    for d in ("up", "work"):
        os.mkdir(f"{where}/{d}")
    os.chmod(f"{where}/up", 0o755)
    drop = f"{where}/drop"
    os.mkdir(drop)
    os.chown(drop, 0, GROUP)
    os.chmod(drop, 0o770)  # only who has become the group can write there
    with open(f"{where}/sendmail.c", "w") as f:
        f.write(SENDMAIL % (drop, drop))
    subprocess.run(["cc", "-o", f"{where}/up/sendmail", f"{where}/sendmail.c"], check=True)
    os.chown(f"{where}/up/sendmail", 0, GROUP)
    os.chmod(f"{where}/up/sendmail", 0o2755)
    options = f"lowerdir=/usr/sbin,upperdir={where}/up,workdir={where}/work"
    return subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, "/usr/sbin"]).returncode == 0


def script(path, text):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, 0o755)
    return path


def destinations(where, hook, sendmail):
    take = script(f"{where}/take", TAKE % {"dir": f"{where}/taken"})
    to_hook = {"kind": "webhook", "url": hook.at("http", "/hook-token-4711"), "insecure": True,
               "secret": f"{where}/key", "weight": 0}
    all_of = [
        {"name": "horn", "kind": "command", "command": [take, "--loud", "a b"], "weight": 0, "window": "1s"},
        {"name": "later", "kind": "command", "command": [script(f"{where}/later", "#!/bin/sh\nexit 75\n")],
         "classes": ["limit"]},
        {"name": "never", "kind": "command", "command": [script(f"{where}/never", "#!/bin/sh\nexit 65\n")],
         "classes": ["limit"]},
        {"name": "stuck", "kind": "command", "command": [
            script(f"{where}/stuck", "#!/bin/sh\nsleep 987 & sleep 986\n")], "classes": ["limit"]},
        {"name": "gone", "kind": "command", "command": [f"{where}/nothing-here"], "classes": ["limit"]},
        {"name": "hook", **to_hook},
    ]
    if sendmail:
        all_of.append({"name": "mail", "kind": "sendmail", "to": ["ann@example.org", "bob@example.org"],
                       "from": "skep@example.org"})
    return all_of


def taken(where, word="take.*.done"):
    out = []
    for path in sorted(glob.glob(f"{where}/taken/{word}"), key=os.path.getmtime):
        with open(path, errors="replace") as f:
            out.append(f.read())
    return out


def ask_test(net, name, wait=20):
    p = net.skep("alerts", "test", name, "--json", "--wait", str(wait))
    return json.loads(p.stdout.splitlines()[0]) if p.stdout else {"error": p.stderr}


def is_sent(t, net, name, what):
    said = ask_test(net, name)
    t.check(said.get("state") == "sent", what, said)


def in_memory(pid, word):
    """Does it stand anywhere in what this process may write?"""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            where, mode = line.split()[:2]
            first, last = (int(x, 16) for x in where.split("-"))
            if not mode.startswith("rw") or last - first > 256 << 20:  # a sanitizer's shadow is terabytes
                continue
            for at in range(first, last, 1 << 20):
                try:
                    mem.seek(at)
                    if word in mem.read(min(last - at, (1 << 20) + len(word))):
                        return True
                except (OSError, ValueError):
                    break
    return False


def rights(t, net):
    roles = {r["name"]: r for r in net.status()["roles"]}
    t.check("alerter" in roles and "courier" in roles, "alerter and courier run", list(roles))
    knows = {role: in_memory(roles[role]["pid"], b"hook-token-4711") for role in ("alerter", "courier")}
    t.equal(knows, {"alerter": False, "courier": True}, "a webhook's URL is a password: courier has it, alerter not")
    here = os.stat("/proc/self/ns/net").st_ino
    t.check(os.stat(f"/proc/{roles['alerter']['pid']}/ns/net").st_ino != here, "alerter: no network of the host's")
    t.equal(os.stat(f"/proc/{roles['courier']['pid']}/ns/net").st_ino, here, "courier: the host's network")
    with open(f"/proc/{roles['super']['pid']}/environ") as f:
        t.check("key-of-the-hook" not in f.read(), "no secret in super's environment")


def commands(t, net, where):
    is_sent(t, net, "horn", "a command takes a message")
    got = taken(where)
    head, _, body = got[-1].partition("\n\n")
    uid = str(net.uid_base + 24)
    t.check("args --loud a b\n" in head, "... with the configuration's words", head)
    t.check(f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in head and f"Gid:\t{uid}\t" in head, "... as a user of its own", head)
    t.check("CapEff:\t0000000000000000" in head and "CapBnd:\t0000000000000000" in head and
            "NoNewPrivs:\t1" in head, "... without rights", head)
    env = sorted(x.split("=")[0][4:] for x in head.splitlines() if x.startswith("env "))
    t.check(set(env) <= {"LANG", "PATH", "PWD", "OLDPWD", "SHLVL", "_"}, "... nothing in its environment", env)
    t.check("test" in body.lower() and net.name in body, "... the message on its standard input", body)
    said = ask_test(net, "later", 8)
    t.check(said.get("state") == "waits" and "75" in said.get("answer", ""), "exit 75: it waits", said)
    said = ask_test(net, "never", 8)
    t.check("65" in said.get("answer", ""), "exit 65: it was refused", said)
    said = ask_test(net, "gone", 8)
    t.check(said.get("state") == "waits" and "No such file" in said.get("answer", ""), "no such program: it waits", said)
    said = ask_test(net, "stuck", 2)
    t.equal(said.get("state"), "no answer", "one that hangs has no answer yet")
    is_sent(t, net, "horn", "... and hinders no other")


def sendmail(t, net, where):
    said = ask_test(net, "mail")
    t.equal(said.get("state"), "sent", "sendmail takes a mail")
    with open(f"{where}/drop/mail") as f:
        head, _, body = f.read().partition("\n\n")
    t.check(f"egid {GROUP}\n" in head + "\n", "... and may become the group of its mail drop", head)
    t.check("args -i -f skep@example.org -- ann@example.org bob@example.org" in head, "... for whom is said in words", head)
    t.check("\nTo: " in "\n" + body and "Message-ID:" in body, "... as a mail", body[:400])


def secrets(t, net, hook):
    is_sent(t, net, "hook", "courier delivers to a server of the host")
    t.check(any("signature" in k.lower() for k in hook.got[-1]["headers"]), "... signed with its key", hook.got[-1])
    told = [e for e in net.events("health") if e["health"]["what"] == "secret"]
    t.check(told and "others can read" in told[0]["text"], "that others can read the key is told", told)
    out = json.dumps(net.lines("skep")) + net.log()
    t.check("key-of-the-hook" not in out, "the key itself is nowhere")


def deaths(t, net, hook):
    for role in ("courier", "alerter", "hub"):
        pid = net.role_pid(role)
        os.kill(pid, signal.SIGKILL)
        t.check(wait_for(lambda: net.role_pid(role) not in (0, pid), 10), f"{role} is killed and comes back", net.log())
        n = len(hook.got)
        wait_for(lambda: all(r["state"] == "running" for r in net.status()["roles"]), 10)
        is_sent(t, net, "hook", "... and a test goes out")
        t.check(len(hook.got) > n, "... and arrives")


def escape(t, net, hook, where):
    n, pid = len(hook.got), net.qemu_pid("web1")
    t.check(pid > 1, "a QEMU runs", net.status()["guests"])
    now = time.monotonic()
    os.kill(pid, signal.SIGSYS)
    got = wait_for(lambda: [g for g in hook.got[n:] if b"escape" in g["body"].lower()], 15)
    took = time.monotonic() - now
    t.check(got and took < 10, f"a QEMU that its filter ends is told within 10 s ({took:.2f})", hook.got[n:])
    e = wait_for(lambda: net.events("escape"), 5)
    t.check(e and e[0]["escape"]["guest"] == "web1" and e[0]["escape"]["what"] == "filter" and
            e[0]["escape"]["signal"] == signal.SIGSYS and e[0]["escape"]["pid"] == pid and e[0]["priority"] == 2,
            "... and an event says whose", e)
    t.check(wait_for(lambda: [x for x in taken(where) if "web1" in x], 10), "... the command hears it too")
    t.check(net.events("notice", what="sent", destination="hook", **{"class": "escape"}),
            "... and an event says that it was sent", net.events("notice")[-3:])


def escape_of_a_role(t, net):
    """One of ours that does what its filter forbids is in somebody else's hands."""
    pid = net.role_pid("collector")
    os.kill(pid, signal.SIGSYS)
    e = wait_for(lambda: net.events("escape", what="role"), 10)
    t.check(e and "collector" in e[0]["escape"]["detail"] and e[0]["escape"]["guest"] == "",
            "a role that its filter ends is an escape, too", e)
    t.check(wait_for(lambda: net.role_pid("collector") not in (0, pid), 10), "... and it comes back")


def reload(t, net, hook, where):
    old = {r: net.role_pid(r) for r in ("alerter", "courier")}
    net.settings["destinations"] = [dict(d, name="other") if d["name"] == "hook" else d
                                    for d in net.settings["destinations"]]
    net.write_conf()
    p = net.skep("alerts", "reload")
    t.check(p.returncode == 0, "skep alerts reload", p.stderr)
    t.check(wait_for(lambda: all(net.role_pid(r) not in (0, old[r]) for r in old), 20), "... both begin anew", net.log())
    wait_for(lambda: all(r["state"] == "running" for r in net.status()["roles"]), 10)
    t.check("other" in net.status()["alerts"]["destinations"] and "hook" not in net.status()["alerts"]["destinations"],
            "... by the new configuration", net.status()["alerts"])
    is_sent(t, net, "other", "... which delivers")
    died = [e for e in net.events("health") if e["health"]["what"] == "died" and e["health"]["signal"] not in (9, 31)]
    t.equal([e["text"] for e in died], [], "... and nobody died of it")
    p = net.ask({"do": "alert-test", "destination": "hook"})
    t.check("error" in p, "the old name is none any more", p)


def main(t):
    need("cc", "mount")
    where = tempfile.mkdtemp(prefix="skt-alert.", dir="/tmp")
    os.chmod(where, 0o755)
    os.mkdir(f"{where}/taken")
    os.chmod(f"{where}/taken", 0o777)
    with open(f"{where}/key", "w") as f:
        f.write("key-of-the-hook\n")
    os.chmod(f"{where}/key", 0o644)
    mail, hook = own_sendmail(where), Web(nothing)
    try:
        with Honeynet([guest("web1", "tiny", 10)], destinations=destinations(where, hook, mail),
                      alerts={"digest": "none"}) as net:
            net.up(wait=False)
            rights(t, net)
            secrets(t, net, hook)
            commands(t, net, where)
            if mail:
                sendmail(t, net, where)
            else:
                t.skip("sendmail", "no overlay file system here")
            deaths(t, net, hook)
            escape(t, net, hook, where)
            escape_of_a_role(t, net)
            reload(t, net, hook, where)
            net.skep("down", "--now", timeout=60, check=True)
            wait_for(lambda: not net.processes(), 5)  # a process that was killed takes its moment
            t.equal(net.processes(), [], "down leaves no process, the hanging command neither")
    finally:
        subprocess.run(["umount", "/usr/sbin"], stderr=subprocess.DEVNULL)
        subprocess.run(["rm", "-rf", where])


tap.run(main)
