/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skep doctor: what this machine can do for a honeynet, and the cure where it can't. Works without
 * root and then says what it could not look at. Changes nothing; the KVM probe, if an image is there,
 * is the only thing it runs.
 */
#include "cmd/cmd.h"
#include "guest/guest.h"
#include "role/role.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <mntent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define MB (UINT64_C(1) << 20)
#define OVERHEAD_BYTES (96 * MB) /* roles, and what QEMU needs beside guest memory and its cache */
#define DISK_STATE_BYTES (3000 * MB)
#define DISK_CACHE_BYTES (2000 * MB)
#define UID_SPAN 128
#define BUILD_TIME 1767225600 /* 2026-01-01: a clock before it is wrong */

enum level { LEVEL_OK, LEVEL_WARN, LEVEL_FAIL };

struct report {
	json_t *checks;
	bool print, colour;
	unsigned n[3];
	const struct conf *c;
	bool conf_ok, root;
};

static void say(struct report *r, enum level level, const char *name, const char *cure,
		const char *fmt, ...) PRINTF_LIKE(5, 6);

static void say(struct report *r, enum level level, const char *name, const char *cure,
		const char *fmt, ...)
{
	static const char *const words[] = {"ok", "warn", "fail"};
	static const char *const paint[] = {"\x1b[32m", "\x1b[33m", "\x1b[31m"};
	char what[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (level == LEVEL_OK)
		cure = NULL;
	r->n[level]++;
	json_array_append_new(r->checks, json_pack("{s:s, s:s, s:s, s:s?}", "check", name, "result",
						   words[level], "what", what, "cure", cure));
	if (!r->print)
		return;
	printf("%s%-5s%s %-14s %s\n", r->colour ? paint[level] : "", words[level],
	       r->colour ? "\x1b[0m" : "", name, what);
	if (cure != NULL)
		printf("%21s-> %s\n", "", cure);
}

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

/* ---- programs ------------------------------------------------------------------------------------ */

static const struct program {
	const char *name, *package;
	bool demo;
} programs[] = {
	{"qemu-system-x86_64", "qemu-system-x86", false},
	{"qemu-img", "qemu-utils", false},
	{"mmdebstrap", "mmdebstrap", false},
	{"busybox", "busybox-static", false},
	{"debugfs", "e2fsprogs", false},
	{"mke2fs", "e2fsprogs", false},
	{"ip", "iproute2", false},
	{"dnsmasq", "dnsmasq-base", false},
	{"ssh-keygen", "openssh-client", false},
	{"ssh", "openssh-client", true},
	{"nmap", "nmap", true},
	{"curl", "curl", true},
	{"sshpass", "sshpass", true},
};

static bool have_program(const char *name)
{
	static const char *const dirs[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					   "/usr/bin",        "/sbin",          "/bin"};
	char path[128];
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[i], name);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static void check_programs(struct report *r, bool demo)
{
	char missing[256], cure[512];
	struct writer m = writer_of(missing, sizeof(missing)), c = writer_of(cure, sizeof(cure));
	write_str(&c, "apt-get install");
	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		if (programs[i].demo != demo || have_program(programs[i].name))
			continue;
		write_fmt(&m, " %s", programs[i].name);
		if (strstr(cure, programs[i].package) == NULL)
			write_fmt(&c, " %s", programs[i].package);
	}
	say(r,
	    m.len == 0 ? LEVEL_OK
	    : demo     ? LEVEL_WARN
		       : LEVEL_FAIL,
	    demo ? "demo programs" : "programs", cure, m.len == 0 ? "all there%s" : "missing:%s",
	    missing);
}

/* ---- this installation --------------------------------------------------------------------------- */

static void check_conf(struct report *r, int code)
{
	if (code == 0)
		say(r, LEVEL_OK, "configuration", NULL, "valid: honeynet '%s', %u guests",
		    r->c->name, r->c->n_guests);
	else
		say(r, LEVEL_FAIL, "configuration", "skep check", "has errors (above)");
}

/* Numeric users that somebody else has would share their files and processes with a role. */
static void check_uids(struct report *r)
{
	char line[1024], name[128];
	if (!r->conf_ok)
		return;
	FILE *f = fopen("/etc/passwd", "re");
	unsigned first = r->c->uid_base, uid, taken = 0;
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		unsigned id;
		if (sscanf(line, "%127[^:]:%*[^:]:%u:", name, &id) == 2 && id >= first &&
		    id < first + UID_SPAN && taken++ == 0)
			uid = id;
	}
	if (f != NULL)
		fclose(f);
	if (taken == 0)
		say(r, LEVEL_OK, "users", NULL, "%u to %u belong to nobody", first,
		    first + UID_SPAN - 1);
	else
		say(r, LEVEL_FAIL, "users", "set another uid_base in the configuration",
		    "uid %u is in use (%u in all between %u and %u)", uid, taken, first,
		    first + UID_SPAN - 1);
}

static void check_run(struct report *r)
{
	if (!r->conf_ok)
		return;
	if (super_running(r->c) != 0)
		say(r, LEVEL_OK, "honeynet", NULL, "runs");
	else if (super_leftovers(r->c))
		say(r, LEVEL_WARN, "honeynet", "sudo skep down (or up: it cleans up first)",
		    "an earlier run died and left things behind");
	else
		say(r, LEVEL_OK, "honeynet", NULL, "does not run, nothing is left of earlier runs");
}

static void check_clock(struct report *r)
{
	time_t now = time(NULL);
	say(r, now > BUILD_TIME ? LEVEL_OK : LEVEL_WARN, "clock",
	    "set it (timedatectl set-ntp true): evidence needs true times",
	    now > BUILD_TIME ? "plausible" : "stands before this program was written");
}

static int parse(int argc, char **argv, const char **ret_path, bool *ret_json)
{
	static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
					      {"json", no_argument, NULL, 'j'},
					      {"help", no_argument, NULL, 'h'},
					      {NULL, 0, NULL, 0}};
	for (int ch; (ch = getopt_long(argc, argv, "c:jh", longs, NULL)) != -1;) {
		if (ch == 'c') {
			*ret_path = optarg;
		} else if (ch == 'j') {
			*ret_json = true;
		} else if (ch == 'h') {
			printf("usage: skep doctor [-c FILE] [--json]\n\n"
			       "What this machine can do for a honeynet, and the cure where it "
			       "can't.\nExit 1 if anything fails.\n");
			return -1;
		} else {
			return cmd_fail(2, "doctor: `skep doctor --help` lists the options");
		}
	}
	return optind < argc ? cmd_fail(2, "doctor: '%s' is too much", argv[optind]) : 0;
}

static void run_checks(struct report *r, int conf_code)
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
	check_conf(r, conf_code);
	check_memory(r);
	check_disks(r);
	check_programs(r, false);
	check_programs(r, true);
	check_uids(r);
	check_run(r);
	check_clock(r);
}

int cmd_doctor(int argc, char **argv)
{
	const char *path = NULL;
	bool json = false;
	int code = parse(argc, argv, &path, &json);
	if (code != 0)
		return code < 0 ? 0 : code;
	struct conf *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return cmd_fail(1, "doctor: no memory");
	int conf_code = cmd_conf(path, c);
	struct report r = {.checks = json_array(),
			   .print = !json,
			   .colour = cmd_colour(),
			   .c = c,
			   .conf_ok = conf_code == 0,
			   .root = geteuid() == 0};
	run_checks(&r, conf_code);
	if (json) {
		json_t *all =
			json_pack("{s:b, s:O}", "ok", r.n[LEVEL_FAIL] == 0, "checks", r.checks);
		char *text = json_dumps(all, JSON_INDENT(1));
		printf("%s\n", text != NULL ? text : "{}");
		free(text);
		json_decref(all);
	} else {
		printf("\n%u ok, %u warnings, %u failures\n", r.n[LEVEL_OK], r.n[LEVEL_WARN],
		       r.n[LEVEL_FAIL]);
	}
	code = r.n[LEVEL_FAIL] > 0 ? 1 : 0;
	json_decref(r.checks);
	free(c);
	return code;
}
