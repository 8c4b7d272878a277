/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The compiler and whoever starts it. This program is also the compiler: the real one, and a number of
 * bad ones that hang, die, or leave something else than a report.
 */
#include "role/compiler_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static const char good[] =
	"alert udp any any -> any any (msg:\"one\"; content:\"needle\"; "
	"classtype:trojan-activity; sid:1; rev:2;)\n"
	"drop tcp any any -> $HOME_NET 80 (msg:\"two\"; content:\"thread\"; sid:2;)\n"
	"alert tcp any any -> any any (pcre:\"/a.c/\"; sid:3;)\n";
static const char bad[] = "alert udp any any -> any any (sid:9; content:\"x\"; nonsense:1;)\n"
			  "this is no rule\n";
static const struct compiler_var vars[] = {{"HOME_NET", "[10.0.0.0/8]", false},
					   {"HTTP_PORTS", "[80,8080]", true}};

/* ---- bad compilers ------------------------------------------------------------------------------ */

/* The real one's work, to be spoilt by the caller. */
static void work(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(role_compiler());
	int status = 0;
	if (waitpid(pid, &status, 0) != pid || status != 0)
		_exit(99);
}

static void put(int fd, off_t at, const void *data, size_t len)
{
	if (pwrite(fd, data, len, at) != (ssize_t)len)
		_exit(98);
}

static void grow(int fd, off_t size)
{
	if (ftruncate(fd, size) < 0)
		_exit(98);
}

static void spoil(const char *how)
{
	struct compiler_head h;
	struct stat st;
	uint8_t byte;
	work();
	if (fstat(COMPILER_REPORT_FD, &st) < 0 ||
	    pread(COMPILER_REPORT_FD, &h, sizeof(h), 0) != (ssize_t)sizeof(h))
		_exit(97);
	if (strcmp(how, "cut") == 0)
		grow(COMPILER_REPORT_FD, st.st_size - 1);
	if (strcmp(how, "longer") == 0)
		grow(COMPILER_REPORT_FD, st.st_size + 1);
	if (strcmp(how, "huge") == 0)
		grow(COMPILER_REPORT_FD, (off_t)1 << 40);
	if (strcmp(how, "big-snapshot") == 0)
		grow(COMPILER_SNAPSHOT_FD, (off_t)1 << 40);
	if (strcmp(how, "no-snapshot") == 0)
		grow(COMPILER_SNAPSHOT_FD, 0);
	if (strcmp(how, "many") == 0) {
		h.n_rules = UINT32_MAX;
		put(COMPILER_REPORT_FD, 0, &h, sizeof(h));
	}
	if (strcmp(how, "told") == 0) {
		h.n_problems = UINT32_MAX;
		h.errors = UINT64_MAX / 2;
		put(COMPILER_REPORT_FD, 0, &h, sizeof(h));
	}
	if (strncmp(how, "flip-", 5) == 0) {
		off_t at = strtol(how + 5, NULL, 10) % st.st_size;
		if (pread(COMPILER_REPORT_FD, &byte, 1, at) != 1)
			_exit(97);
		byte ^= 0xff;
		put(COMPILER_REPORT_FD, at, &byte, 1);
	}
}

static int confined(const char *how)
{
	struct compiler_input head;
	struct reader in;
	if (compiler_confine(&in, &head) != 0)
		return COMPILER_UNCONFINED;
	if (strcmp(how, "socket") == 0)
		return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 1;
	if (strcmp(how, "kill") == 0)
		return kill(getppid(), 0);
	if (strcmp(how, "fork") == 0)
		return fork() >= 0 ? 0 : 1;
	if (strcmp(how, "exec") == 0)
		return execl("/bin/true", "true", (char *)NULL);
	if (strcmp(how, "write") == 0) { /* over the end of what it may fill */
		static const char zeros[1 << 16];
		(void)lseek(COMPILER_SNAPSHOT_FD, (off_t)COMPILER_SNAPSHOT_MOST - (1 << 20),
			    SEEK_SET);
		while (write(COMPILER_SNAPSHOT_FD, zeros, sizeof(zeros)) > 0)
			;
	}
	for (volatile unsigned n = 0;; n++) /* "spin" */
		;
}

static int act(const char *role)
{
	static const char garbage[] =
		"garbage, garbage, garbage, garbage, garbage, garbage, garbage";
	if (strcmp(role, "compiler") == 0)
		return role_compiler();
	if (strncmp(role, "confined-", 9) == 0)
		return confined(role + 9);
	if (strcmp(role, "hang") == 0)
		for (;;)
			pause();
	if (strcmp(role, "die") == 0)
		return raise(SIGKILL);
	if (strcmp(role, "fail") == 0)
		return 7;
	if (strcmp(role, "silent") == 0)
		return 0;
	if (strcmp(role, "garbage") == 0) {
		for (unsigned i = 0; i < 64; i++) {
			put(COMPILER_REPORT_FD, i * 61, garbage, 61);
			put(COMPILER_SNAPSHOT_FD, i * 61, garbage, 61);
		}
		return 0;
	}
	spoil(role);
	return 0;
}

/* ---- jobs --------------------------------------------------------------------------------------- */

struct result {
	struct compiler_report report;
	int snapshot;
	char why[256];
};

static int run(const struct compiler_job *j, struct result *r)
{
	*r = (struct result){.snapshot = -1};
	int err = compiler_run(j, &r->snapshot, &r->report, r->why, sizeof(r->why));
	if (err != 0) {
		assert_true(strlen(r->why) > 10);
		assert_int_equal(r->snapshot, -1);
		assert_null(r->report.memory);
	}
	errno = 0; /* nobody is left behind */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	return err;
}

static void done(struct result *r)
{
	compiler_report_free(&r->report);
	fd_close(&r->snapshot);
}

static const struct compiler_file one_file[] = {{"good.rules", good, sizeof(good) - 1, false}};
static struct compiler_job usual(const char *role)
{
	return (struct compiler_job){.files = one_file,
				     .n_files = 1,
				     .vars = vars,
				     .n_vars = ARRAY_LEN(vars),
				     .list = true,
				     .role = role};
}

/* Many rules, all different. */
static char *many(unsigned n, size_t *ret_len)
{
	size_t size = (size_t)n * 128 + 1, len = 0;
	char *text = malloc(size);
	assert_non_null(text);
	for (unsigned i = 0; i < n; i++)
		len += (size_t)snprintf(
			text + len, size - len,
			"alert tcp any any -> any %u (content:\"word%ux\"; content:\"%u"
			"other\"; sid:%u;)\n",
			1 + i % 40, i * 2654435761u, i, i + 1);
	*ret_len = len;
	return text;
}

/* What it made fits the rules. */
static int load(const struct result *r)
{
	struct rule_vars *v = NULL;
	struct rule_set *set = NULL;
	assert_int_equal(rule_vars_create(&v), 0);
	assert_int_equal(rule_vars_set(v, false, "HOME_NET", "[10.0.0.0/8]"), 0);
	const struct rule_set_conf conf = {.vars = v, .snapshot = r->snapshot};
	assert_int_equal(rule_set_create(&conf, &set), 0);
	assert_int_equal(rule_set_read(set, "good.rules", good, sizeof(good) - 1), 0);
	int err = rule_set_finish(set);
	rule_set_free(&set);
	rule_vars_free(&v);
	return err;
}

static void works(void **state)
{
	struct compiler_job j = usual(NULL);
	struct result r;
	assert_int_equal(run(&j, &r), 0);
	assert_int_equal(r.report.errors + r.report.warnings, 0);
	assert_int_equal(r.report.stats.rules, 3);
	assert_int_equal(r.report.n_rules, 3);
	for (unsigned i = 0; i < 3; i++) {
		const struct compiler_rule *k = &r.report.rules[i];
		assert_string_equal(k->file, "good.rules");
		assert_int_equal(k->line, k->sid);
		if (k->sid == 1) {
			assert_string_equal(k->msg, "one");
			assert_string_equal(k->classtype, "trojan-activity");
			assert_int_equal(k->rev, 2);
		}
		assert_int_equal(k->action, k->sid == 2 ? ACTION_DROP : ACTION_ALERT);
	}
	assert_int_equal(fcntl(r.snapshot, F_GET_SEALS),
			 F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	assert_int_equal(load(&r), 0);
	done(&r);
}

static void tells_problems(void **state)
{
	const struct compiler_file files[] = {
		{"some.config", "nonsense\n", 9, true},
		{"good.rules", good, sizeof(good) - 1, false},
		{"bad.rules", bad, sizeof(bad) - 1, false},
	};
	struct compiler_job j = usual(NULL);
	struct result r;
	j.files = files;
	j.n_files = ARRAY_LEN(files);
	j.parse_only = true;
	assert_int_equal(run(&j, &r), 0);
	assert_int_equal(r.snapshot, -1);
	assert_int_equal(r.report.errors, 3);
	assert_int_equal(r.report.n_problems, 3);
	assert_string_equal(r.report.problems[0].file, "some.config");
	assert_string_equal(r.report.problems[1].file, "bad.rules");
	assert_int_equal(r.report.problems[1].line, 1);
	assert_non_null(strstr(r.report.problems[1].text, "nonsense"));
	assert_int_equal(r.report.problems[2].line, 2);
	assert_int_equal(r.report.n_rules, 3);
	done(&r);
}

static void counts_what_it_can_not_tell(void **state)
{
	size_t n = COMPILER_PROBLEMS + 10, len = 2 * n;
	char *text = malloc(len);
	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		memcpy(text + 2 * i, "x\n", 2);
	const struct compiler_file file = {"x.rules", text, len, false};
	struct compiler_job j = usual(NULL);
	struct result r;
	j.files = &file;
	j.parse_only = true;
	assert_int_equal(run(&j, &r), 0);
	assert_int_equal(r.report.errors, n);
	assert_int_equal(r.report.n_problems, COMPILER_PROBLEMS);
	done(&r);
	free(text);
}

static void nothing_to_read(void **state)
{
	struct compiler_job j = {.n_files = 0};
	struct result r;
	assert_int_equal(run(&j, &r), 0);
	assert_int_equal(r.report.stats.rules, 0);
	done(&r);
}

/* ---- bad ends ----------------------------------------------------------------------------------- */

static void ends_badly(void **state)
{
	static const struct {
		const char *role;
		int err;
		const char *why;
	} rows[] = {
		{"hang", SKEP_ETIMEOUT, "not done"},
		{"die", SKEP_EPEER, "died of signal 9"},
		{"fail", SKEP_EPEER, "code 7"},
		{"silent", SKEP_EFORMAT, "no sense"},
		{"garbage", SKEP_EFORMAT, "no sense"},
		{"cut", SKEP_EFORMAT, "no sense"},
		{"longer", SKEP_EFORMAT, "no sense"},
		{"huge", SKEP_EFORMAT, "no sense"},
		{"big-snapshot", SKEP_EFORMAT, "no sense"},
		{"many", SKEP_EFORMAT, "no sense"},
		{"told", SKEP_EFORMAT, "no sense"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct compiler_job j = usual(rows[i].role);
		struct result r;
		if (strcmp(rows[i].role, "hang") == 0)
			j.wait_ms = 300;
		assert_int_equal(run(&j, &r), rows[i].err);
		if (strstr(r.why, rows[i].why) == NULL)
			fail_msg("%s: %s", rows[i].role, r.why);
	}
}

/* Whatever byte is another: refused, or read without harm. */
static void flipped(void **state)
{
	const size_t head = sizeof(struct compiler_head);
	for (size_t at = 0; at < head + 250; at += at < 24 || at > head ? 3 : 29) {
		char role[32];
		struct writer w = writer_of(role, sizeof(role));
		write_fmt(&w, "flip-%zu", at);
		struct compiler_job j = usual(role);
		struct result r;
		if (run(&j, &r) != 0)
			continue;
		assert_true(at >= 16);
		assert_true(r.report.n_rules <= 3);
		done(&r);
	}
}

static void snapshot_missing(void **state)
{
	struct compiler_job j = usual("no-snapshot");
	struct result r;
	assert_int_equal(run(&j, &r), 0);
	assert_int_equal(load(&r), SKEP_ETRUNC);
	done(&r);
}

/* ---- rights and limits -------------------------------------------------------------------------- */

static void forbidden(void **state)
{
	static const char *const calls[] = {"socket", "kill", "fork", "exec"};
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		char role[32];
		struct writer w = writer_of(role, sizeof(role));
		write_fmt(&w, "confined-%s", calls[i]);
		struct compiler_job j = usual(role);
		struct result r;
		int err = run(&j, &r);
#ifdef SKEP_SANITIZE /* allows some of them */
		if (strcmp(calls[i], "kill") == 0 || strcmp(calls[i], "fork") == 0) {
			if (err == 0)
				done(&r);
			continue;
		}
#endif
		assert_int_equal(err, SKEP_EPEER);
		assert_non_null(strstr(r.why, "system-call filter"));
	}
}

static void out_of_time(void **state)
{
	size_t len;
	char *text = many(200000, &len);
	const struct compiler_file file = {"many.rules", text, len, false};
	for (unsigned real = 0; real < 2; real++) {
		struct compiler_job j = usual(real ? NULL : "confined-spin");
		struct result r;
		if (real)
			j.files = &file;
		j.cpu_s = 1;
		assert_int_equal(run(&j, &r), SKEP_EPEER);
		assert_string_equal(r.why, "the rule compiler used up its 1 s of CPU");
	}
	free(text);
}

static void out_of_room(void **state)
{
	struct compiler_job j = usual("confined-write");
	struct result r;
	assert_int_equal(run(&j, &r), SKEP_EPEER);
	assert_string_equal(r.why, "the rule compiler wrote more than it may");
}

static void out_of_memory(void **state)
{
#ifdef SKEP_SANITIZE
	skip(); /* no limit of addresses there */
#endif
	size_t len;
	char *text = many(5000, &len);
	const struct compiler_file file = {"many.rules", text, len, false};
	unsigned refused = 0, told = 0;
	bool worked = false;
	for (uint64_t mb = 24; mb <= 1024 && !worked; mb += mb < 256 ? 6 : 256) {
		struct compiler_job j = usual(NULL);
		struct result r;
		j.files = &file;
		j.memory_bytes = mb << 20;
		int err = run(&j, &r);
		refused += err != 0;
		told += strstr(r.why, "more memory than their compiler gets") != NULL;
		worked = err == 0;
		if (worked)
			done(&r);
	}
	assert_true(worked);
	assert_true(refused > 2);
	assert_true(told + 1 >= refused); /* it may want it for its filter, too */
	free(text);
}

static bool line_in(const char *path, const char *want)
{
	char line[256];
	bool found = false;
	FILE *f = fopen(path, "re");
	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
		found = strncmp(line, want, strlen(want)) == 0;
	if (f != NULL)
		(void)fclose(f);
	return found;
}

static pid_t child_of(pid_t pid)
{
	char path[64];
	long child = 0;
	struct writer w = writer_of(path, sizeof(path));
	write_fmt(&w, "/proc/%d/task/%d/children", (int)pid, (int)pid);
	FILE *f = fopen(path, "re");
	char line[32];
	if (f != NULL && fgets(line, sizeof(line), f) != NULL)
		child = strtol(line, NULL, 10);
	if (f != NULL)
		(void)fclose(f);
	return (pid_t)child;
}

/* As the kernel sees it from outside. */
static void confined_indeed(void **state)
{
	pid_t parent = fork();
	if (parent == 0) {
		struct compiler_job j = usual("confined-spin");
		struct result r = {.snapshot = -1};
		j.wait_ms = 60000;
		_exit(compiler_run(&j, &r.snapshot, &r.report, r.why, sizeof(r.why)) != 0);
	}
	char status[64], limits[64];
	pid_t pid = 0;
	bool filtered = false;
	for (unsigned i = 0; i < 1000 && !filtered; i++) {
		pid = child_of(parent);
		struct writer w = writer_of(status, sizeof(status));
		write_fmt(&w, "/proc/%d/status", (int)pid);
		filtered = pid > 0 && line_in(status, "Seccomp:\t2");
		if (!filtered)
			(void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	assert_true(filtered);
	assert_true(line_in(status, "NoNewPrivs:\t1"));
	assert_true(line_in(status, "CapEff:\t0000000000000000"));
	assert_true(line_in(status, "CapPrm:\t0000000000000000"));
	if (geteuid() == 0)
		assert_true(line_in(status, "Uid:\t65534\t65534\t65534\t65534"));
	struct writer w = writer_of(limits, sizeof(limits));
	write_fmt(&w, "/proc/%d/limits", (int)pid);
	assert_true(line_in(limits, "Max cpu time              120"));
	assert_true(line_in(limits, "Max file size             1073741824"));
	assert_true(line_in(limits, "Max core file size        0"));
#ifndef SKEP_SANITIZE
	assert_true(line_in(limits, "Max open files            0"));
	assert_true(line_in(limits, "Max address space         2147483648"));
#endif
	/* It goes with whoever started it. */
	assert_int_equal(kill(parent, SIGKILL), 0);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	for (unsigned i = 0; i < 500 && line_in(status, "Seccomp:\t2"); i++)
		(void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	assert_false(line_in(status, "Seccomp:\t2"));
}

/* ---- the cache ---------------------------------------------------------------------------------- */

struct place {
	char dir[64], file[200], why[400];
	uint8_t key[COMPILER_KEY];
	struct result r;
};

static unsigned files_in(const char *dir)
{
	unsigned n = 0;
	DIR *d = opendir(dir);
	assert_non_null(d);
	for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d))
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

static void open_place(struct place *p)
{
	struct compiler_job j = usual(NULL);
	(void)text_copy(p->dir, sizeof(p->dir), "/tmp/compiler_cache.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	assert_int_equal(compiler_key(&j, p->key), 0);
	assert_int_equal(run(&j, &p->r), 0);
	struct writer w = writer_of(p->file, sizeof(p->file));
	write_fmt(&w, "%s/rules-", p->dir);
	for (unsigned i = 0; i < 16; i++)
		write_fmt(&w, "%02x", p->key[i]);
	write_str(&w, ".hs");
}

static void close_place(struct place *p)
{
	DIR *d = opendir(p->dir);
	for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d))
		if (e->d_name[0] != '.')
			(void)unlinkat(dirfd(d), e->d_name, 0);
	(void)closedir(d);
	assert_int_equal(rmdir(p->dir), 0);
	done(&p->r);
}

static int look(struct place *p)
{
	int fd = -1;
	p->why[0] = '\0';
	int err = compiler_cache_open(p->dir, p->key, &fd, p->why, sizeof(p->why));
	fd_close(&fd);
	return err;
}

static void kept(void **state)
{
	struct place p;
	struct stat st;
	open_place(&p);
	assert_int_equal(look(&p), -ENOENT);
	assert_int_equal(compiler_cache_keep(p.dir, p.key, p.r.snapshot), 0);
	assert_int_equal(files_in(p.dir), 1);
	assert_int_equal(stat(p.file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	struct result from = {.snapshot = -1};
	assert_int_equal(compiler_cache_open(p.dir, p.key, &from.snapshot, p.why, sizeof(p.why)),
			 0);
	assert_int_equal(load(&from), 0);
	done(&from);
	close_place(&p);
}

static void foreign(void **state)
{
	struct place p;
	open_place(&p);
	for (unsigned how = 0; how < 6; how++) {
		assert_int_equal(compiler_cache_keep(p.dir, p.key, p.r.snapshot), 0);
		assert_int_equal(look(&p), 0);
		const char *want = "may be written by others";
		if (how < 2) {
			assert_int_equal(chmod(p.file, how == 0 ? 0620 : 0602), 0);
		} else if (how == 2) {
			if (geteuid() != 0)
				continue;
			assert_int_equal(chown(p.file, 12345, 12345), 0);
			want = "belongs to somebody else";
		} else {
			assert_int_equal(unlink(p.file), 0);
			assert_int_equal(how == 3   ? symlink("/etc/passwd", p.file)
					 : how == 4 ? mkfifo(p.file, 0600)
						    : mkdir(p.file, 0700),
					 0);
			want = how == 3 ? "is a link" : "is no plain file";
		}
		assert_int_equal(look(&p), -EPERM);
		assert_non_null(strstr(p.why, want));
		assert_non_null(strstr(p.why, p.file));
	}
	/* A folder is in the way: kept nowhere, nothing left over. */
	assert_true(compiler_cache_keep(p.dir, p.key, p.r.snapshot) < 0);
	assert_int_equal(files_in(p.dir), 1);
	assert_int_equal(rmdir(p.file), 0);
	close_place(&p);
}

static void forgets(void **state)
{
	struct place p;
	open_place(&p);
	char other[220];
	struct writer w = writer_of(other, sizeof(other));
	write_fmt(&w, "%s/precious.hs", p.dir);
	fd_close(&(int){creat(other, 0600)});
	w = writer_of(other, sizeof(other));
	write_fmt(&w, "%s.abcdef", p.file);
	fd_close(&(int){creat(other, 0600)}); /* somebody died while writing it, long ago */
	const struct timespec old[2] = {{1000000, 0}, {1000000, 0}};
	assert_int_equal(utimensat(AT_FDCWD, other, old, 0), 0);
	for (unsigned i = 0; i < 20; i++) {
		p.key[15] = (uint8_t)i;
		assert_int_equal(compiler_cache_keep(p.dir, p.key, p.r.snapshot), 0);
		assert_int_equal(look(&p), 0);
	}
	assert_int_equal(files_in(p.dir), 8 + 1);
	p.key[15] = 0;
	assert_int_equal(look(&p), -ENOENT);
	close_place(&p);
}

static void keys_differ(void **state)
{
	struct compiler_file file = {"good.rules", good, sizeof(good) - 1, false};
	struct compiler_var var = {"HOME_NET", "any", false};
	struct compiler_job j = {.files = &file, .n_files = 1, .vars = &var, .n_vars = 1};
	uint8_t first[COMPILER_KEY], key[COMPILER_KEY];
	assert_int_equal(compiler_key(&j, first), 0);
	j.cpu_s = 5; /* not what comes out */
	assert_int_equal(compiler_key(&j, key), 0);
	assert_memory_equal(first, key, sizeof(key));
	file.len--;
	assert_int_equal(compiler_key(&j, key), 0);
	assert_memory_not_equal(first, key, sizeof(key));
	file.len++;
	file.config = true;
	assert_int_equal(compiler_key(&j, key), 0);
	assert_memory_not_equal(first, key, sizeof(key));
	file.config = false;
	var.value = "10.0.0.1";
	assert_int_equal(compiler_key(&j, key), 0);
	assert_memory_not_equal(first, key, sizeof(key));
	assert_int_equal(compiler_cache_keep("/proc/self/nowhere", key, 0) < 0, 1);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--role") == 0)
		return act(argv[2]);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(works),
		cmocka_unit_test(tells_problems),
		cmocka_unit_test(counts_what_it_can_not_tell),
		cmocka_unit_test(nothing_to_read),
		cmocka_unit_test(ends_badly),
		cmocka_unit_test(flipped),
		cmocka_unit_test(snapshot_missing),
		cmocka_unit_test(forbidden),
		cmocka_unit_test(out_of_time),
		cmocka_unit_test(out_of_room),
		cmocka_unit_test(out_of_memory),
		cmocka_unit_test(confined_indeed),
		cmocka_unit_test(kept),
		cmocka_unit_test(foreign),
		cmocka_unit_test(forgets),
		cmocka_unit_test(keys_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
