/* SPDX-License-Identifier: BSD-2-Clause */
/* skep doctor: this installation: programs, configuration, users, what runs. */
#include "cmd/doctor/doctor.h"
#include "role/role.h"

#include <stdio.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define UID_SPAN 128
#define BUILD_TIME 1767225600 /* 2026-01-01: a clock before it is wrong */

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

void check_conf(struct report *r, int code)
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

/* Set once is not enough: clocks drift by seconds a day. */
static void check_clock(struct report *r)
{
	struct timex t = {0};
	bool plausible = time(NULL) > BUILD_TIME, kept = adjtimex(&t) != TIME_ERROR;
	if (!plausible)
		say_fix(r, LEVEL_WARN, "clock", "timedatectl set-ntp true",
			"stands before this program was written: evidence needs true times");
	else if (!kept)
		say_fix(r, LEVEL_WARN, "clock", "timedatectl set-ntp true",
			"plausible, but nothing keeps it right: evidence needs true times");
	else
		say(r, LEVEL_OK, "clock", NULL, "plausible, and kept right");
}

void check_installation(struct report *r)
{
	check_programs(r, false);
	check_programs(r, true);
	check_uids(r);
	check_run(r);
	check_clock(r);
}
