/* SPDX-License-Identifier: BSD-2-Clause */
/* sys against the real kernel. The test runs itself again as the child it looks at. Needs root. */
#include "sys/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants the three above first */
#include <cmocka.h>

#define UID 61999
#define NETNS "skt-g-sys"
#define SKIPPED 77

static const char *const libraries[] = {"/lib",
					"/lib64",
					"/usr/lib",
					"/usr/lib64",
					"/etc/ld.so.cache",
					"/dev/null",
					"/etc/hostname\n/elsewhere/name",
					NULL};

/* ---- what the child says ------------------------------------------------------------------ */

static int child_report(void)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "Cap", 3) == 0 || strncmp(line, "NoNew", 5) == 0 ||
		    strncmp(line, "Uid", 3) == 0 || strncmp(line, "Groups", 6) == 0)
			fputs(line, stdout);
	if (f != NULL)
		fclose(f);
	printf("fds");
	for (int i = 0; i < 300; i++)
		if (fcntl(i, F_GETFD) >= 0)
			printf(" %d", i);
	printf("\nlinks");
	struct if_nameindex *all = if_nameindex();
	for (struct if_nameindex *i = all; i != NULL && i->if_index != 0; i++)
		printf(" %s", i->if_name);
	if_freenameindex(all);
	int sig = 0;
	prctl(PR_GET_PDEATHSIG, &sig);
	printf("\npdeathsig %d\n", sig);
	return 0;
}

static int child_root(void)
{
	DIR *d = opendir("/");
	struct dirent *e;
	struct stat st;
	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			printf("%s ", e->d_name);
	printf("write:%d", mkdir("/lib/skep-test", 0700) < 0 ? errno : 0);
	printf(" root:%d", mkdir("/new", 0700) < 0 ? errno : 0);
	printf(" null:%d\n", stat("/dev/null", &st) == 0 ? (int)st.st_uid : -1);
	return d == NULL;
}

static int child_forbidden(const char *what)
{
	static const struct syscall_row more[] = {{"socket", 0, AF_UNIX, 0},
						  {"socket", 0, AF_INET6, EAFNOSUPPORT},
						  {"getpriority", -1, 0, ENOSYS},
						  {NULL, -1, 0, 0}};
	const struct syscall_row *const tables[] = {syscalls_common, syscalls_heap, more};
	if (confine_early(0, false) != 0 || confine_final(tables, ARRAY_LEN(tables)) != 0)
		return 99;
	if (strcmp(what, "socket") == 0)
		return socket(AF_INET, SOCK_STREAM, 0) < 0 ? 98 : 97;
	if (strcmp(what, "fails") == 0 &&
	    (socket(AF_INET6, SOCK_STREAM, 0) >= 0 || errno != EAFNOSUPPORT ||
	     syscall(SYS_getpriority, 0, 0) != -1 || errno != ENOSYS))
		return 95;
	if (strcmp(what, "allowed") == 0 || strcmp(what, "fails") == 0)
		return socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? 98 : 0;
	if (strcmp(what, "exec-memory") == 0)
		return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0) == MAP_FAILED
			       ? 98
			       : 97;
	return write(2, "", 0) == 0 ? 0 : 96;
}

static int child_fenced(void)
{
	if (unshare(CLONE_NEWUSER) == 0 || errno != EPERM)
		return 99;
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 || errno != EPERM)
		return 98;
	return socket(AF_INET, SOCK_STREAM, 0) < 0 ? 97 : 0;
}

static int child_folder(void)
{
	char file[] = "inside";
	int err = confine_folder(3);
	if (err == SKEP_EUNSUPPORTED)
		return SKIPPED;
	if (err != 0)
		return 99;
	int in = openat(3, file, O_CREAT | O_RDWR, 0600);
	if (in < 0)
		return 98;
	if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES)
		return 97;
	return unlinkat(3, file, 0) == 0 ? 0 : 96;
}

/* Folders below it come and go, and files move between them; nothing above. */
static int child_tree(void)
{
	int err = confine_tree(3);
	if (err == SKEP_EUNSUPPORTED)
		return SKIPPED;
	if (err != 0)
		return 99;
	if (mkdirat(3, "a", 0700) != 0 || mkdirat(3, "b", 0700) != 0)
		return 98;
	int in = openat(3, "a/file", O_CREAT | O_RDWR, 0600);
	if (in < 0)
		return 97;
	if (landlock_abi() >= 2 && renameat(3, "a/file", 3, "b/file") != 0)
		return 96;
	if (mkdir("/tmp/skt-above", 0700) == 0 || errno != EACCES)
		return 95;
	if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES)
		return 94;
	if (symlinkat("/etc/passwd", 3, "link") == 0 || errno != EACCES)
		return 93;
	unlinkat(3, landlock_abi() >= 2 ? "b/file" : "a/file", 0);
	return unlinkat(3, "a", AT_REMOVEDIR) == 0 && unlinkat(3, "b", AT_REMOVEDIR) == 0 ? 0 : 92;
}

/* Reads below what is listed, and writes nowhere, not even there. */
static int child_read(void)
{
	static const char *const paths[] = {"/etc", "/skt-is-not-there", NULL};
	int err = confine_read(paths);
	if (err == SKEP_EUNSUPPORTED)
		return SKIPPED;
	if (err != 0)
		return 99;
	if (open("/etc/passwd", O_RDONLY) < 0)
		return 98;
	if (open("/usr/bin/env", O_RDONLY) >= 0 || errno != EACCES)
		return 97;
	if (open("/etc/passwd", O_RDWR) >= 0 || errno != EACCES)
		return 96;
	return open("/etc/skt-new", O_CREAT | O_RDWR, 0600) < 0 && errno == EACCES ? 0 : 95;
}

static int child(const char *what)
{
	if (strcmp(what, "report") == 0)
		return child_report();
	if (strcmp(what, "root") == 0)
		return child_root();
	if (strcmp(what, "folder") == 0)
		return child_folder();
	if (strcmp(what, "tree") == 0)
		return child_tree();
	if (strcmp(what, "read") == 0)
		return child_read();
	if (strcmp(what, "fenced") == 0)
		return child_fenced();
	if (strcmp(what, "sleep") == 0)
		return (int)sleep(60);
	return child_forbidden(what);
}

/* ---- running it --------------------------------------------------------------------------- */

static struct spawn spawn_of(char *const *argv)
{
	return (struct spawn){.argv = argv, .uid = UID, .netns = SPAWN_NETNS_EMPTY, .cgroup = -1};
}

/* Runs it to its end; the wait status, with its output in out. */
static int run_child(struct spawn *s, char *out, size_t size)
{
	int p[2], pidfd, status = -1;
	size_t len = 0;
	pid_t pid;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	if (s->n_fds < 3) {
		s->fds[0] = s->fds[2] = -1;
		s->n_fds = 3;
	}
	s->fds[1] = p[1];
	assert_int_equal(spawn_child(s, &pid, &pidfd), 0);
	close(p[1]);
	for (ssize_t n; len + 1 < size && (n = read(p[0], out + len, size - len - 1)) > 0;)
		len += (size_t)n;
	out[len] = '\0';
	close(p[0]);
	close(pidfd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_child_has_nothing(void **state)
{
	char *argv[] = {(char *)"test", (char *)"--child", (char *)"report", NULL};
	char out[4096];
	struct spawn s = spawn_of(argv);
	(void)state;
	s.die_with_parent = s.private_ipc = s.no_dump = true;
	s.fds[0] = s.fds[2] = s.fds[3] = s.fds[4] = -1;
	s.fds[5] = STDERR_FILENO;
	s.n_fds = 6;
	int stray = open("/dev/null", O_RDONLY); /* without close-on-exec, on purpose */
	assert_int_equal(run_child(&s, out, sizeof(out)), 0);
	close(stray);
	assert_non_null(strstr(out, "NoNewPrivs:\t1\n"));
	assert_non_null(strstr(out, "CapEff:\t0000000000000000\n"));
	assert_non_null(strstr(out, "CapPrm:\t0000000000000000\n"));
	assert_non_null(strstr(out, "CapBnd:\t0000000000000000\n"));
	assert_non_null(strstr(out, "CapInh:\t0000000000000000\n"));
	assert_non_null(strstr(out, "CapAmb:\t0000000000000000\n"));
	assert_non_null(strstr(out, "Uid:\t61999\t61999\t61999\t61999\n"));
	assert_non_null(strstr(out, "Groups:\t \n"));
	assert_non_null(strstr(out, "fds 0 1 2 5\n"));
	assert_non_null(strstr(out, "links lo\n"));
	assert_non_null(strstr(out, "pdeathsig 9\n"));
}

/* For sendmail: it may become what its file's mode says; everything else of its parent's is gone all the same. */
static void test_setid_child_may_become_another(void **state)
{
	char *argv[] = {(char *)"test", (char *)"--child", (char *)"report", NULL};
	char out[4096];
	struct spawn s = spawn_of(argv);
	(void)state;
	s.setid = true;
	assert_int_equal(run_child(&s, out, sizeof(out)), 0);
	assert_non_null(strstr(out, "NoNewPrivs:\t0\n"));
	assert_null(strstr(out, "CapBnd:\t0000000000000000\n"));
	assert_non_null(strstr(out, "CapEff:\t0000000000000000\n"));
	assert_non_null(strstr(out, "CapPrm:\t0000000000000000\n"));
	assert_non_null(strstr(out, "Uid:\t61999\t61999\t61999\t61999\n"));
	assert_non_null(strstr(out, "fds 0 1 2\n"));
	s.fenced = true;
	pid_t pid;
	int pidfd;
	assert_int_equal(spawn_child(&s, &pid, &pidfd), SKEP_ERANGE);
}

static void test_sealed(void **state)
{
	const char text[] = "a body\0with anything";
	char back[sizeof(text)];
	size_t size = 0;
	int fd = -1;
	(void)state;
	assert_int_equal(sealed_create("test", text, sizeof(text), &fd), 0);
	assert_int_equal(sealed_size(fd, &size), 0);
	assert_int_equal(size, sizeof(text));
	assert_int_equal(sealed_read(fd, back, sizeof(back)), 0);
	assert_memory_equal(back, text, sizeof(text));
	assert_int_equal(sealed_read(fd, back, sizeof(back) - 1), SKEP_EPEER);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 3), -1);
	assert_int_equal(lseek(fd, 0, SEEK_CUR),
			 0); /* who gets it as standard input reads all of it */
	close(fd);
	fd = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(fd >= 0);
	assert_int_equal(sealed_size(fd, &size), SKEP_EPEER);
	close(fd);
	fd = open("/dev/null", O_RDONLY);
	assert_int_equal(sealed_read(fd, back, 0), SKEP_EPEER);
	close(fd);
	assert_int_equal(sealed_create("empty", "", 0, &fd), 0);
	assert_int_equal(sealed_read(fd, back, 0), 0);
	close(fd);
}

static void test_jail(void **state)
{
	char *argv[] = {(char *)"test", (char *)"--child", (char *)"root", NULL};
	char out[4096];
	struct spawn s = spawn_of(argv);
	(void)state;
	s.jail = libraries;
	assert_int_equal(run_child(&s, out, sizeof(out)), 0);
	assert_null(strstr(out, "proc"));
	assert_null(strstr(out, "home"));
	assert_null(strstr(out, "tmp"));
	assert_non_null(strstr(out, "lib "));
	assert_non_null(strstr(out, "dev "));
	assert_true(strstr(out, "write:30") != NULL || strstr(out, "write:13") != NULL);
	assert_true(strstr(out, "root:30") != NULL || strstr(out, "root:13") != NULL);
	assert_non_null(strstr(out, "null:61999"));
	assert_non_null(strstr(out, "elsewhere "));
	assert_null(strstr(out, "etc/hostname"));
	assert_int_equal(access("/lib/skep-test", F_OK), -1);
}

static void test_spawn_reports_errors(void **state)
{
	char *argv[] = {(char *)"no", NULL};
	struct spawn s = spawn_of(argv);
	pid_t pid;
	int pidfd;
	(void)state;
	s.path = "/nonexistent/program";
	assert_int_equal(spawn_child(&s, &pid, &pidfd), -ENOENT);
	s.path = "/etc/passwd";
	assert_int_equal(spawn_child(&s, &pid, &pidfd), -EACCES);
}

static int end_of(const char *what)
{
	char *argv[] = {(char *)"test", (char *)"--child", (char *)(uintptr_t)what, NULL};
	char out[256];
	struct spawn s = spawn_of(argv);
	s.no_dump = true;
	return run_child(&s, out, sizeof(out));
}

static void test_filter_kills(void **state)
{
	(void)state;
	int status = end_of("nothing");
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	status = end_of("allowed");
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	status = end_of("fails");
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	status = end_of("socket");
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
#ifndef SKEP_SANITIZE
	status = end_of("exec-memory");
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
#endif
}

static void test_fence(void **state)
{
	char *argv[] = {(char *)"test", (char *)"--child", (char *)"fenced", NULL};
	char out[256];
	struct spawn s = spawn_of(argv);
	(void)state;
	s.fenced = true;
	assert_int_equal(run_child(&s, out, sizeof(out)), 0);
}

static void confined_in(const char *how)
{
	char *argv[] = {(char *)"test", (char *)"--child", (char *)(uintptr_t)how, NULL};
	char out[256], dir[] = "/tmp/skt-g-XXXXXX";
	struct spawn s = spawn_of(argv);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chown(dir, UID, UID), 0);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s.fds[0] = s.fds[2] = -1;
	s.fds[3] = fd;
	s.n_fds = 4;
	int status = run_child(&s, out, sizeof(out));
	close(fd);
	assert_int_equal(rmdir(dir), 0);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == SKIPPED)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_folder(void **state)
{
	(void)state;
	confined_in("folder");
}

static void test_tree(void **state)
{
	(void)state;
	confined_in("tree");
}

static void test_read(void **state)
{
	(void)state;
	confined_in("read");
}

static void test_dies_with_parent(void **state)
{
	char *argv[] = {(char *)"test", (char *)"--child", (char *)"sleep", NULL};
	int p[2];
	pid_t grandchild;
	uint64_t start;
	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid_t middle = fork();
	if (middle == 0) {
		struct spawn s = spawn_of(argv);
		int pidfd;
		s.die_with_parent = true;
		if (spawn_child(&s, &grandchild, &pidfd) != 0 ||
		    write(p[1], &grandchild, sizeof(grandchild)) < 0)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(p[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	assert_int_equal(proc_start_time(grandchild, &start), 0);
	kill(middle, SIGKILL);
	waitpid(middle, NULL, 0);
	int err = 0;
	for (int i = 0; i < 100 && err == 0; i++, usleep(20000)) {
		char path[64], stat[256] = "";
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)grandchild);
		int fd = open(path, O_RDONLY);
		if (fd < 0 || read(fd, stat, sizeof(stat) - 1) <= 0 || strstr(stat, ") Z ") != NULL)
			err = -ENOENT;
		if (fd >= 0)
			close(fd);
	}
	assert_int_equal(err, -ENOENT);
	close(p[0]);
	close(p[1]);
}

static void test_netns(void **state)
{
	struct stat before, st;
	char why[256] = "", name[] = NETNS;
	int fd = -1, again = -1;
	bool had = stat("/run/netns", &before) == 0;
	(void)state;
	assert_int_equal(netns_create(name, &fd), 0);
	assert_int_equal(netns_create(name, &again), -EEXIST);
	assert_int_equal(link_batch(fd,
				    "link add skta type veth peer name sktb\n"
				    "link set skta address 02:00:00:00:00:01 up\n",
				    why, sizeof(why)),
			 0);
	assert_int_equal(if_nametoindex("skta"), 0);
	assert_int_not_equal(link_batch(fd, "link set nosuch up\n", why, sizeof(why)), 0);
	assert_non_null(strstr(why, "nosuch"));
	assert_int_equal(netns_open(name, &again), 0);
	/* by its number: while it has a name, and by who lives in it */
	int found = -1;
	uint64_t number = netns_number(fd);
	assert_true(number != 0 && number != netns_number(-1));
	assert_int_equal(netns_find(number, &found), 0);
	assert_true(netns_number(found) == number);
	close(found);
	assert_int_equal(netns_find(netns_number(-1), &found), 0);
	close(found);
	assert_int_equal(netns_find(1, &found), -ENOENT);
	assert_int_equal(netns_remove(name), 0);
	assert_int_equal(netns_find(number, &found), -ENOENT);
	assert_int_equal(netns_remove(name), 0);
	assert_int_equal(stat("/run/netns", &st) == 0, had);
	assert_int_equal(netns_create("../x", &again), SKEP_ERANGE);
	close(fd);
	close(again);
}

static void test_prefixes(void **state)
{
	struct prefix all[256], want;
	size_t n = 0;
	bool found = false;
	(void)state;
	assert_int_equal(link_prefixes(all, ARRAY_LEN(all), &n), 0);
	assert_int_equal(prefix_parse("127.0.0.0/8", &want), 0);
	for (size_t i = 0; i < n; i++)
		found = found || (all[i].len == want.len && addr_eq(&all[i].addr, &want.addr));
	assert_true(found);
	assert_int_equal(link_prefixes(all, 1, &n), SKEP_EFULL);
}

static void test_run_program(void **state)
{
	const char *const cat[] = {"cat", NULL};
	const char *const slow[] = {"sleep", "20", NULL};
	const char *const none[] = {"skep-no-such-program", NULL};
	char out[16];
	(void)state;
	assert_int_equal(run_program(cat, "0123456789abcdefghij", out, sizeof(out), 5000), 0);
	assert_string_equal(out, "0123456789abcde");
	int64_t start = clock_boot_ns();
	assert_int_equal(run_program(slow, NULL, NULL, 0, 200), SKEP_ETIMEOUT);
	assert_true(clock_boot_ns() - start < 5 * NS_PER_SEC);
	assert_int_equal(run_program(none, NULL, out, sizeof(out), 5000), 127);
}

static void test_shm(void **state)
{
	int fd;
	char *a, *b;
	void *none;
	(void)state;
	assert_int_equal(shm_create("skt", 8192, &fd), 0);
	assert_int_equal(shm_map(fd, 8192, true, (void **)&a), 0);
	assert_int_equal(shm_map(fd, 8192, false, (void **)&b), 0);
	a[8191] = 'x';
	assert_int_equal(b[8191], 'x');
	assert_int_equal(shm_map(fd, 8193, false, &none), SKEP_ERANGE);
	assert_int_equal(ftruncate(fd, 4096), -1);
	munmap(a, 8192);
	munmap(b, 8192);
	close(fd);
}

static void test_cgroup(void **state)
{
	char *argv[] = {(char *)"test", (char *)"--child", (char *)"sleep", NULL};
	struct spawn s = spawn_of(argv);
	int dir, pidfd, status;
	pid_t pid;
	(void)state;
	int err = cgroup_create("skt-g-sys/one", &dir);
	if (err == -ENOENT)
		skip();
	assert_int_equal(err, 0);
	s.cgroup = dir;
	assert_int_equal(spawn_child(&s, &pid, &pidfd), 0);
	assert_int_equal(cgroup_remove("skt-g-sys/one"), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(cgroup_drop("skt-g-sys"), 0);
	assert_int_equal(cgroup_remove("skt-g-sys"), 0);
	close(dir);
	close(pidfd);
}

static void test_proc(void **state)
{
	uint64_t start, pss;
	(void)state;
	assert_int_equal(proc_start_time(getpid(), &start), 0);
	assert_int_equal(proc_kill(getpid(), start, 0), 0);
	assert_int_equal(proc_kill(getpid(), start + 1, SIGKILL), -ENOENT);
	assert_int_equal(proc_memory(getpid(), &pss), 0);
	assert_true(pss > 65536);
	assert_false(proc_ended(getpid()));
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_true(proc_ended(pid)); /* nobody has waited for it yet */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(proc_ended(pid));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_child_has_nothing),
		cmocka_unit_test(test_jail),
		cmocka_unit_test(test_spawn_reports_errors),
		cmocka_unit_test(test_filter_kills),
		cmocka_unit_test(test_fence),
		cmocka_unit_test(test_folder),
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_dies_with_parent),
		cmocka_unit_test(test_netns),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_run_program),
		cmocka_unit_test(test_shm),
		cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_setid_child_may_become_another),
		cmocka_unit_test(test_cgroup),
		cmocka_unit_test(test_proc),
	};
	if (argc == 3 && strcmp(argv[1], "--child") == 0) {
		int rc = child(argv[2]);
		fflush(stdout);
		_exit(rc); /* a leak check at exit needs the /proc that a jail doesn't have */
	}
	if (geteuid() != 0) {
		fprintf(stderr, "skipped: needs root\n");
		return SKIPPED;
	}
	return cmocka_run_group_tests_name("sys", tests, NULL, NULL);
}
