# SPDX-License-Identifier: BSD-2-Clause
"""A bare Debian 12 in a folder, with processes, mounts and a network of its own, and packages to put in.

    with Machine() as m:
        m.run("apt-get", "install", "-y", "/srv/skep.deb", host_net=True)
        m.run("skep", "up")

With systemd as its first process where the host has cgroups of version 2 to give (m.booted). Everything of
it ends with the block: the first process of its namespace is killed, and the kernel does the rest.
Packages come from the host's own APT sources; without any, Skip.
"""
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from honeynet import wait_for
from tap import Skip

DEVICES = ["null", "zero", "full", "random", "urandom", "tty", "net/tun"]
SETUP = r"""
set -e
[ -z "$2" ] || echo $$ >"$2/cgroup.procs"
exec unshare --mount --net --pid --ipc --uts $3 --fork --kill-child sh -ec '
mount --make-rprivate / 2>/dev/null || true
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount -t sysfs -o ro sysfs "$1/sys"
[ -z "$2" ] || mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$1/run"
mount -t tmpfs -o mode=755 tmpfs "$1/dev"
mkdir "$1/dev/pts" "$1/dev/shm" "$1/dev/net"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$1/dev/pts"
ln -s pts/ptmx "$1/dev/ptmx"
ln -s /proc/self/fd "$1/dev/fd"
for d in %s; do : >"$1/dev/$d"; mount --bind "/dev/$d" "$1/dev/$d"; done
ip link set lo up
cd "$1"
# In a chroot that is no mount of its own there is nothing to pivot away from.
top=.
if pivot_root . mnt 2>/dev/null; then umount -l /mnt; top=/; fi
echo ready
[ -n "$2" ] || exec chroot $top sleep infinity
exec chroot $top setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio env -i container=skt \
	PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd >/dev/null 2>&1
' sh "$1" "$2"
""" % " ".join(DEVICES)


def cgroup_root():
    """Where the hierarchy of version 2 is, or None."""
    with open("/proc/self/mounts", encoding="utf-8") as f:
        return next((x.split()[1] for x in f if x.split()[2] == "cgroup2"), None)


def sources():
    """The host's Debian sources, one line each, as the recipes of images find them."""
    p = subprocess.run(["apt-get", "indextargets", "--format",
                        "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
                        "Created-By: Packages", "Origin: Debian"], capture_output=True, text=True)
    lines = sorted({x for x in p.stdout.splitlines() if " bookworm" in x})
    if not lines:
        raise Skip("APT knows no Debian 12 source")
    return "\n".join(lines) + "\n"


def proxies():
    p = subprocess.run(["apt-config", "dump"], capture_output=True, text=True)
    return "".join(x + "\n" for x in p.stdout.splitlines()
                   if x.startswith(("Acquire::http::Proxy", "Acquire::https::Proxy",
                                    "Acquire::http::proxy", "Acquire::https::proxy")))


class Machine:
    def __init__(self):
        for tool in ("mmdebstrap", "apt-get", "unshare", "nsenter", "chroot"):
            if shutil.which(tool) is None:
                raise Skip(f"{tool} is not installed")
        self.dir = tempfile.mkdtemp(prefix="skt-machine-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.root = f"{self.dir}/root"
        self.init = None
        for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # the end of the block, also then
            signal.signal(s, lambda n, f: sys.exit(128 + n))
        top = cgroup_root()
        self.group = f"{top}/{os.path.basename(self.dir)}" if top and os.access(top, os.W_OK) else ""
        self.booted = bool(self.group)
        try:
            self.install()
            self.start()
        except BaseException:
            self.close()
            raise

    def install(self):
        with open(f"{self.dir}/sources.list", "w", encoding="utf-8") as f:
            f.write(sources())
        with open(f"{self.dir}/proxy", "w", encoding="utf-8") as f:
            f.write(proxies() + 'Acquire::Retries "3";\nAPT::Install-Recommends "false";\n')
        p = subprocess.run(["mmdebstrap", "--quiet", "--mode=root", "--variant=apt", "--skip=cleanup/apt",
                            f"--aptopt={self.dir}/proxy", "--dpkgopt=force-unsafe-io",
                            "--include=iproute2,procps" + (",systemd,systemd-sysv" if self.booted else ""),
                            "bookworm",
                            self.root, f"{self.dir}/sources.list"], capture_output=True, text=True,
                           timeout=400, env=dict(os.environ, TMPDIR=self.dir))
        if p.returncode != 0:
            said = [x for x in p.stderr.splitlines() if x.startswith("E:")] or ["no reason"]
            raise Skip(f"no bare Debian 12 could be made: {said[0][:120]}")
        for path in ("/etc/resolv.conf", "/etc/hosts"):
            shutil.copy(path, self.root + path)
        os.makedirs(f"{self.root}/usr/share/keyrings", exist_ok=True)
        for path in glob.glob("/usr/share/keyrings/*"):
            if not os.path.exists(self.root + path):
                shutil.copy(path, self.root + path)

        # These two would reach beyond the namespaces.
        for unit in ("systemd-sysctl", "systemd-binfmt"):
            os.symlink("/dev/null", f"{self.root}/etc/systemd/system/{unit}.service")

    def start(self):
        if self.booted:
            os.mkdir(self.group)
        self.init = subprocess.Popen(
            ["sh", "-c", SETUP, "sh", self.root, self.group, "--cgroup" if self.booted else ""],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = self.init.stdout.readline()
        if said.strip() != "ready":
            raise Skip(f"namespaces: {said.strip()} {self.init.stdout.read()[:200]}")
        with open(f"/proc/{self.init.pid}/task/{self.init.pid}/children", encoding="utf-8") as f:
            self.pid = int(f.read().split()[0])
        if self.booted:
            wait_for(lambda: self.run("systemctl", "is-system-running").stdout.strip() in
                     ("running", "degraded"), 60, 0.2)

    def run(self, *argv, host_net=False, timeout=120, check=False):
        """A program in it; host_net: in the network of the host, where packages come from."""
        spaces = ["-m", "-p", "-i", "-u"] + ([] if host_net else ["-n"])
        spaces += ["-C"] if self.booted else []
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
               "DEBIAN_FRONTEND": "noninteractive"}
        env.update({k: v for k, v in os.environ.items() if k.lower().endswith("_proxy")})
        p = subprocess.run(["nsenter", "-t", str(self.pid), "-r", "-w", *spaces, *argv],
                           capture_output=True, text=True, errors="replace", timeout=timeout,
                           stdin=subprocess.DEVNULL, env=env)
        if check and p.returncode != 0:
            raise AssertionError(f"{' '.join(argv)}: exit {p.returncode}\n{p.stdout}{p.stderr}")
        return p

    def processes(self):
        """Command lines of what runs in it, but for its first process and who asks."""
        out = self.run("sh", "-c", "for p in /proc/[0-9]*; do [ $p = /proc/1 ] || [ $p = /proc/$$ ] || "
                       "tr '\\0' ' ' <$p/cmdline && echo; done 2>/dev/null").stdout.splitlines()
        return [x.strip() for x in out if x.strip() and not x.startswith("sh -c for p in /proc")]

    def halt(self):
        """As if the power went."""
        if self.init is not None:
            self.init.kill()
            self.init.wait()
            self.init.stdout.close()
            self.init = None
        if self.group and os.path.isdir(self.group):
            self.remove_groups()

    def reboot(self):
        self.halt()
        self.start()

    def close(self):
        self.halt()
        subprocess.run(["rm", "-rf", "--one-file-system", self.dir], check=False)

    def remove_groups(self):
        """As soon as the last process is gone."""
        def empty():
            for folder, _, _ in os.walk(self.group, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    pass
            return not os.path.isdir(self.group)
        if not wait_for(empty, 20, 0.1):
            print(f"#   left behind: {self.group}", flush=True)

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.close()
