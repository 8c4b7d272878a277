/* SPDX-License-Identifier: BSD-2-Clause */
/* skep doctor: the machine: its kernel, its fences, its resources. */
#include "cmd/doctor/doctor.h"
#include "guest/guest.h"
#include "role/role.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#define MB (UINT64_C(1) << 20)
#define OVERHEAD_BYTES (96 * MB) /* roles, and what QEMU needs beside guest memory and its cache */
#define DISK_STATE_BYTES (3000 * MB)
#define DISK_CACHE_BYTES (2000 * MB)

/* ---- the system ------------------------------------------------------------------------------- */

static void check_root(struct report *r)
{
	if (r->root)
		say(r, LEVEL_OK, "root", NULL, "yes");
	else
		say(r, LEVEL_WARN, "root", "sudo skep doctor",
		    "no: could not look at KVM, tap devices, namespaces; `skep up` needs root");
}

static void check_kernel(struct report *r)
{
	struct utsname u;
	unsigned major = 0, minor = 0;
	uname(&u);
	sscanf(u.release, "%u.%u", &major, &minor);
	bool good = major > 5 || (major == 5 && minor >= 14);
	say(r, good ? LEVEL_OK : LEVEL_FAIL, "kernel", "use Debian 12's kernel (6.1) or newer",
	    "Linux %s%s", u.release, good ? "" : ": older than 5.14");
}

static void check_packet(struct report *r)
{
	if (!r->root)
		return;
	CLEANUP(fd_close) int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	say(r, fd >= 0 ? LEVEL_OK : LEVEL_FAIL, "packet sockets",
	    "the kernel needs CONFIG_PACKET; in a container: CAP_NET_RAW",
	    fd >= 0 ? "AF_PACKET opens" : "AF_PACKET: %s", strerror(errno));
}

static void check_tun(struct report *r)
{
	if (access("/dev/net/tun", F_OK) < 0) {
		say(r, LEVEL_FAIL, "tap devices", "modprobe tun", "/dev/net/tun is missing");
		return;
	}
	if (!r->root)
		return;
	CLEANUP(fd_close) int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	say(r, fd >= 0 ? LEVEL_OK : LEVEL_FAIL, "tap devices", "modprobe tun",
	    fd >= 0 ? "/dev/net/tun opens" : "/dev/net/tun: %s", strerror(errno));
}

static void check_namespaces(struct report *r)
{
	bool there =
		access("/proc/self/ns/net", F_OK) == 0 && access("/proc/self/ns/mnt", F_OK) == 0;
	if (!r->root || !there) {
		say(r, there ? LEVEL_OK : LEVEL_FAIL, "namespaces",
		    "the kernel needs CONFIG_NET_NS", there ? "known to the kernel" : "missing");
		return;
	}
	/* in a helper process, so that nothing of ours moves */
	const char *const argv[] = {"unshare", "-n", "-m", "true", NULL};
	int code = run_program(argv, NULL, NULL, 0, 5000);
	say(r, code == 0 ? LEVEL_OK : LEVEL_FAIL, "namespaces",
	    "in a container: it needs CAP_SYS_ADMIN",
	    code == 0 ? "network and mount namespaces can be made"
		      : "network and mount namespaces cannot be made (%d)",
	    code);
}

static void check_fences(struct report *r)
{
	bool seccomp = prctl(PR_GET_SECCOMP) >= 0;
	CLEANUP(fd_close) int mem = memfd_create("doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	say(r, seccomp ? LEVEL_OK : LEVEL_FAIL, "seccomp", "the kernel needs CONFIG_SECCOMP_FILTER",
	    seccomp ? "there" : "missing: roles could not be confined");
	if (mem < 0)
		say(r, LEVEL_FAIL, "memfd", "the kernel needs CONFIG_MEMFD_CREATE", "missing");
	int abi = landlock_abi();
	if (abi > 0)
		say(r, LEVEL_OK, "landlock", NULL, "version %d", abi);
	else
		say(r, LEVEL_WARN, "landlock", "boot with lsm=landlock,... (optional)",
		    "not offered: recorder and ledger have one fence less");
}

static void check_cgroup(struct report *r)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent *m;
	char where[256] = "";
	while (f != NULL && where[0] == '\0' && (m = getmntent(f)) != NULL)
		if (strcmp(m->mnt_type, "cgroup2") == 0)
			text_copy(where, sizeof(where), m->mnt_dir);
	if (f != NULL)
		endmntent(f);
	if (where[0] != '\0')
		say(r, LEVEL_OK, "cgroups", NULL, "version 2 at %s", where);
	else
		say(r, LEVEL_WARN, "cgroups", "mount -t cgroup2 none /sys/fs/cgroup (optional)",
		    "no version 2 hierarchy: a guest's processes are found by pid only");
}

static void check_kvm(struct report *r)
{
	bool ok = false;
	char why[256] = "";
	if (access("/dev/kvm", F_OK) < 0) {
		say(r, LEVEL_WARN, "kvm", "turn virtualisation on (firmware, or the host above)",
		    "no /dev/kvm: guests are emulated, slower but the same");
		return;
	}
	if (!r->root || !r->conf_ok)
		return;
	CLEANUP(fd_close) int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		say(r, LEVEL_WARN, "kvm", "see dmesg", "/dev/kvm: %s; guests are emulated",
		    strerror(errno));
		return;
	}
	int err = guest_probe_kvm(r->c, &ok, why, sizeof(why));
	if (err != 0 || strstr(why, "not probed") != NULL)
		say(r, LEVEL_OK, "kvm", NULL,
		    "/dev/kvm opens; not probed yet: that needs an image");
	else if (ok)
		say(r, LEVEL_OK, "kvm", NULL, "a probe guest reached user space");
	else
		say(r, LEVEL_WARN, "kvm", "none needed: guests are emulated, slower but the same",
		    "opens, but does not run a guest: %s", why);
}

/* ---- resources ---------------------------------------------------------------------------------- */

static void check_cpu(struct report *r)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	say(r, n >= 2 ? LEVEL_OK : LEVEL_WARN, "processors", "two are better: one for the wall",
	    "%ld", n);
}

static uint64_t memory_available(void)
{
	char line[128];
	unsigned long long kb = 0;
	FILE *f = fopen("/proc/meminfo", "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "MemAvailable: %llu kB", &kb) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return kb * 1024;
}

static void check_memory(struct report *r)
{
	uint64_t want = OVERHEAD_BYTES, have = memory_available();
	char a[32], b[32];
	struct writer wa = writer_of(a, sizeof(a)), wb = writer_of(b, sizeof(b));
	if (!r->conf_ok)
		return;
	for (uint32_t i = 0; i < r->c->n_guests; i++)
		if (strcmp(r->c->guests[i].image, "none") != 0)
			want += r->c->guests[i].memory_bytes + 24 * MB +
				r->c->guests[i].tb_size_mb * MB;
	text_bytes(&wa, have);
	text_bytes(&wb, want);
	if (super_running(r->c) != 0)
		say(r, LEVEL_OK, "memory", NULL, "%s free while the honeynet runs", a);
	else
		say(r, have >= want ? LEVEL_OK : LEVEL_FAIL, "memory",
		    "fewer guests, or `memory:` and `tb_size:` of a guest smaller",
		    "%s free, the configured guests may use %s", a, b);
}

static void check_disk(struct report *r, const char *name, const char *path, uint64_t want)
{
	char at[CONF_PATH], a[32], b[32];
	struct statvfs v;
	struct writer wa = writer_of(a, sizeof(a)), wb = writer_of(b, sizeof(b));
	text_copy(at, sizeof(at), path);
	while (statvfs(at, &v) < 0) { /* the nearest folder that is there */
		char *slash = strrchr(at, '/');
		if (slash == NULL || slash == at) {
			text_copy(at, sizeof(at), "/");
			if (statvfs(at, &v) < 0)
				return;
			break;
		}
		*slash = '\0';
	}
	uint64_t have = (uint64_t)v.f_bavail * v.f_frsize;
	text_bytes(&wa, have);
	text_bytes(&wb, want);
	say(r, have >= want ? LEVEL_OK : LEVEL_WARN, name,
	    "make room, choose another folder, or lower recorder.disk and store.disk",
	    "%s free at %s%s%s", a, path, have >= want ? "" : ", may need ", have >= want ? "" : b);
}

static void check_disks(struct report *r)
{
	if (!r->conf_ok)
		return;
	check_disk(r, "disk: state", r->c->state_dir,
		   DISK_STATE_BYTES + r->c->recorder.disk_bytes + r->c->store.disk_bytes);
	check_disk(r, "disk: images", r->c->cache_dir, DISK_CACHE_BYTES);
}

void check_host(struct report *r)
{
	check_root(r);
	check_kernel(r);
	check_packet(r);
	check_tun(r);
	check_namespaces(r);
	check_fences(r);
	check_cgroup(r);
	check_kvm(r);
	check_cpu(r);
}

void check_resources(struct report *r)
{
	check_memory(r);
	check_disks(r);
}
