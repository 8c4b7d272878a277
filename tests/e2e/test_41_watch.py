#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces site
"""The second pair of eyes: beats, seals and escapes leave at once by TLS for a real rsyslog, and as signed webhooks;
skep-watch there alerts on silence, on a stop and on an escape; what somebody changes in the event files is named by the
seals that it kept."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import common  # noqa
import tap
from honeynet import ROOT, Honeynet, guest, need, wait_for

WATCH = os.path.join(ROOT, "dist/watch")
BEAT = 5  # s, the shortest that there is
LINE = re.compile(r"<\d+>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00) (\S+) skep - (\S+) (\[skep@32473 .*)")


def free_port(family, host):
    with socket.socket(family) as s:
        s.bind((host, 0))
        return s.getsockname()[1]


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except FileNotFoundError:
        return ""


class Second:
    """The second machine: rsyslog with our configuration, on other ports and in another folder; and skep-watch."""

    def __init__(self, folder):
        self.folder, self.children = folder, []
        self.log, self.log6 = f"{folder}/watch.log", f"{folder}/watch6.log"
        self.seals, self.out, self.cert = f"{folder}/seals", f"{folder}/out", f"{folder}/cert.pem"
        self.hook_port, self.hook_log = free_port(socket.AF_INET, "127.0.0.1"), f"{folder}/hook.log"
        self.port, self.port6 = free_port(socket.AF_INET, "127.0.0.1"), free_port(socket.AF_INET6, "::1")
        os.makedirs(folder)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=watch", "-addext", "subjectAltName=IP:127.0.0.1,IP:::1", "-keyout",
                        f"{folder}/key.pem", "-out", self.cert], check=True, capture_output=True)

    def __enter__(self):
        with open(f"{WATCH}/rsyslog-skep.conf", encoding="utf-8") as f:
            conf = f.read()
        ours = conf.replace("/etc/skep-watch", self.folder).replace("/var/log/skep-watch.log", self.log) \
            .replace('port="6514"', f'port="{self.port}" address="127.0.0.1"')
        ours += f'ruleset(name="six") {{ action(type="omfile" file="{self.log6}" ' \
                'template="RSYSLOG_SyslogProtocol23Format") }\n' \
                f'input(type="imtcp" port="{self.port6}" address="::1" ruleset="six")\n'
        with open(f"{self.folder}/rsyslog.conf", "w", encoding="utf-8") as f:
            f.write(ours)
        self.run("rsyslogd", "-n", "-f", f"{self.folder}/rsyslog.conf", "-i", f"{self.folder}/rsyslogd.pid")
        self.run(sys.executable, f"{WATCH}/skep-watch", "--log", self.log, "--seals", self.seals, "--state",
                 f"{self.folder}/state", "--run", f"echo \"$SKEP_WHAT\" >>{self.out}; cat >>{self.out}", "--step", "0.1",
                 "--missed", "2.5")
        with open(f"{self.folder}/hmac.key", "w", encoding="utf-8") as f:
            f.write("a secret of both\n")
        os.chmod(f"{self.folder}/hmac.key", 0o600)
        self.run(sys.executable, f"{WATCH}/skep-watch", "--log", self.hook_log, "--listen", f"127.0.0.1:{self.hook_port}",
                 "--cert", self.cert, "--cert-key", f"{self.folder}/key.pem", "--key", f"{self.folder}/hmac.key", "--step",
                 "0.1", "--run", f"cat >>{self.folder}/hook.out")
        return self

    def run(self, *argv):
        with open(f"{self.folder}/said", "ab") as said:
            self.children.append(subprocess.Popen(argv, stdout=said, stderr=said, stdin=subprocess.DEVNULL))

    def __exit__(self, *_):
        for p in self.children:
            p.terminate()
        for p in self.children:
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()

    def told(self, what, seconds=30):
        return wait_for(lambda: re.search(rf"^{what}$", read(self.out), re.M), seconds)

    def said(self):
        return read(f"{self.folder}/said")[-2000:] + read(self.out) + read(self.log)[-3000:]


def destination(name, url, second, **more):
    return {"name": name, "kind": "syslog", "url": url, "ca": second.cert, "watch": True, "weight": 9, **more}


def verify(net, second):
    return net.skep("evidence", "verify", "--seals", second.seals)


def beats_arrive(t, net, second):
    if not t.check(wait_for(lambda: "why=\"beat\"" in read(second.log), 30), "a heartbeat arrives by TLS",
                   second.said() + net.log()):
        raise AssertionError("nothing arrives, so nothing else can be looked at")
    lines = read(second.log).splitlines()
    bad = [x for x in lines if LINE.match(x) is None]
    t.check(lines and not bad, "rsyslog keeps every line as RFC 5424 says", bad)
    t.check(all(net.sensor in x for x in lines), "with the sensor as host")
    t.check(wait_for(lambda: "why=\"beat\"" in read(second.log6), 20), "and by IPv6", net.log())
    t.check(wait_for(lambda: '"skep-beat-1"' in read(second.hook_log), 20), "and as a signed webhook",
            net.skep("alerts", "log").stdout + net.log())
    dissected(t, second, lines)
    p = subprocess.run([sys.executable, f"{WATCH}/skep-watch", "--log", second.log, "--state", f"{second.folder}/state",
                        "--status"], capture_output=True, text=True, timeout=60)
    t.check(p.returncode == 0 and "all is well" in p.stdout, "skep-watch is content", p.stdout + second.said())


def dissected(t, second, lines):
    """What another reader makes of the lines."""
    if shutil.which("tshark") is None or shutil.which("text2pcap") is None:
        t.skip("tshark reads them", "it is not installed")
        return
    dump = "".join("000000 " + " ".join(f"{b:02x}" for b in x.encode()) + "\n" for x in lines)
    pcap = f"{second.folder}/lines.pcap"
    subprocess.run(["text2pcap", "-q", "-u", "514,514", "-", pcap], input=dump, text=True, check=True, capture_output=True)
    p = subprocess.run(["tshark", "-r", pcap, "-T", "fields", "-e", "syslog.version", "-e", "syslog.appname", "-e",
                        "syslog.msgid", "-e", "syslog.level"], capture_output=True, text=True, timeout=60)
    # Some versions count structured data to the MSGID.
    rows = {tuple(x.split(" ")[0] for x in line.split("\t")) for line in p.stdout.splitlines()}
    t.check(("1", "skep", "beat", "6") in rows and all(r[:2] == ("1", "skep") for r in rows), "tshark reads them", p.stdout)


def a_test(t, net, second):
    p = net.skep("alerts", "test", "watch")
    t.check(second.told("test"), "`skep alerts test` comes through to skep-watch", p.stdout + p.stderr + second.said())


def seals_arrive(t, net, second):
    t.check(wait_for(lambda: "skep-" in read(second.seals), 30), "seals arrive", second.said())
    p = verify(net, second)
    t.check(p.returncode == 0 and "nothing was changed" in p.stdout and "and 0 kept" not in p.stdout,
            "and agree with the files", p.stdout + p.stderr)


def escape(t, net, second):
    began = time.monotonic()
    os.kill(net.role_pid("recorder"), signal.SIGSYS)  # as the kernel does for a call that is forbidden
    t.check(second.told("escape"), "an escape is told there", second.said() + net.log())
    t.note(f"{time.monotonic() - began:.2f} s after it happened")
    t.check(wait_for(lambda: "skep " + net.sensor in read(f"{second.folder}/hook.out"), 20), "and to the other",
            read(second.hook_log)[-2000:])
    t.check(wait_for(lambda: net.role_pid("recorder") > 0, 20), "the role is back")


def change(path, at):
    fd = os.open(path, os.O_RDWR)
    byte = os.pread(fd, 1, at)
    os.pwrite(fd, bytes([byte[0] ^ 1]), at)
    os.close(fd)


def altered(t, net, second):
    path = f"{net.dir}/state/events/skep.json"
    change(path, 100)
    p = verify(net, second)
    t.check(p.returncode == 1 and re.match(r"skep-\d{8}\.json: bytes 0\.\.\d+ are not what was sealed at ", p.stdout),
            "one byte that root changes is named", p.stdout + p.stderr)
    change(path, 100)
    t.equal(verify(net, second).returncode, 0, "and put back")


def silence(t, net, second):
    pid = net.role_pid("alerter")
    os.kill(pid, signal.SIGSTOP)
    try:
        t.check(second.told("silence"), "no more beats: that is told", second.said())
    finally:
        os.kill(pid, signal.SIGCONT)
    t.check(second.told("silence-over"), "and that they are back", second.said())


def stopping(t, net, second):
    before = read(second.seals).count("\n")
    net.down()
    t.check(second.told("stopped"), "a stop is told", second.said())
    p = verify(net, second)
    left = re.search(r"The last (\d+) B are not sealed yet", p.stdout)
    t.check(p.returncode == 0 and left and int(left[1]) < 1000, "at the end all but the last seals themselves is sealed",
            p.stdout + p.stderr)
    net.up()
    t.check(second.told("stopped-over"), "and a start", second.said())
    t.check(wait_for(lambda: read(second.seals).count("\n") > before, 30), "seals go on", second.said())
    p = verify(net, second)
    t.check(p.returncode == 0, "and agree over the restart", p.stdout + p.stderr)


def killed(t, net, second):
    told = read(second.out)
    os.kill(net.super_pid(), signal.SIGKILL)
    t.check(wait_for(lambda: re.search(r"^(silence|stopped)$", read(second.out)[len(told):], re.M), 40),
            "who kills all of it does not do so unnoticed", second.said())


def main(t):
    need("rsyslogd", "openssl")
    with Honeynet([guest("bare", "none", 30)]) as net:
        second = Second(f"{net.dir}/second")
        net.sensor = f"sensor-{os.getpid()}"
        net.settings.update(sensor=net.sensor, alerts={"heartbeat": f"{BEAT}s"}, destinations=[
            destination("watch", f"tls://127.0.0.1:{second.port}", second),
            destination("watch6", f"tls://[::1]:{second.port6}", second),
            destination("hook", f"https://127.0.0.1:{second.hook_port}/", second, kind="webhook",
                        secret=f"{second.folder}/hmac.key")])
        net.write_conf()
        with second:
            net.up()
            beats_arrive(t, net, second)
            a_test(t, net, second)
            seals_arrive(t, net, second)
            escape(t, net, second)
            altered(t, net, second)
            silence(t, net, second)
            stopping(t, net, second)
            killed(t, net, second)
            said = [x for x in re.findall(r"^[a-z-]+$", read(second.out), re.M)]
            t.equal([x for x in said if x in ("number", "clock", "seal")], [], "nothing else is said")


tap.run(main)
