/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One way to make a child: fork, give up everything step by step, exec. Whatever fails before exec
 * comes back through a pipe, so the caller knows at once and nothing half-confined ever runs.
 */
#include "sys/sys_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_FILES 256
#define OUT_OF_THE_WAY 100 /* child descriptors are collected above this, then moved down */

static void default_signals(void)
{
	sigset_t none;
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	for (int s = 1; s < NSIG; s++)
		sigaction(s, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int join_cgroup(int dir)
{
	if (dir < 0)
		return 0;
	CLEANUP(fd_close) int fd = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, "0", 1) == 1 ? 0 : -errno;
}

static int enter_namespaces(const struct spawn *s)
{
	int flags = s->netns == SPAWN_NETNS_EMPTY ? CLONE_NEWNET : 0;
	if (s->private_ipc)
		flags |= CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS;
	if (s->jail != NULL)
		flags |= CLONE_NEWNS;
	if (s->netns >= 0 && setns(s->netns, CLONE_NEWNET) < 0)
		return -errno;
	if (flags != 0 && unshare(flags) < 0)
		return -errno;
	/* The host's unmounts still arrive, ours never leave. */
	if ((flags & CLONE_NEWNS) != 0 && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return -errno;
	if ((flags & CLONE_NEWUTS) != 0 && sethostname("localhost", 9) < 0)
		return -errno;
	return s->jail != NULL ? jail_enter(s->jail, s->uid) : 0;
}

static int set_limits(const struct spawn *s)
{
	rlim_t files = s->max_files > 0 ? s->max_files : MAX_FILES;
	struct rlimit nofile = {files, files}, core = {0, 0};
	if (setrlimit(RLIMIT_NOFILE, &nofile) < 0 ||
	    (s->no_dump && setrlimit(RLIMIT_CORE, &core) < 0))
		return -errno;
	return 0;
}

/* Puts each descriptor at its number; close-on-exec takes care of everything else. src holds copies
 * above OUT_OF_THE_WAY, made before the jail hid /dev/null. */
static int copy_fds(const struct spawn *s, int *src, size_t *ret_n)
{
	CLEANUP(fd_close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	size_t n = s->n_fds < 3 ? 3 : s->n_fds;
	if (null < 0)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		int fd = i < s->n_fds ? s->fds[i] : -1;
		src[i] = -1;
		if (fd < 0 && i >= 3)
			continue;
		if (fd < 0)
			fd = i == 2 ? 2 : null;
		src[i] = fcntl(fd, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
		if (src[i] < 0 && i == 2)
			src[i] = fcntl(null, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
		if (src[i] < 0)
			return -errno;
	}
	*ret_n = n;
	return 0;
}

static int place_fds(const int *src, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (src[i] < 0)
			close((int)i);
		else if (dup2(src[i], (int)i) < 0)
			return -errno;
	return close_range((unsigned)n, ~0u, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
}

static int become(const struct spawn *s, pid_t parent)
{
	if (!s->setid && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (s->uid != 0) {
		/* The bounding set goes while we still may; the change of uid empties the rest. */
		int err = caps_drop(UINT64_C(1) << CAP_SETGID | UINT64_C(1) << CAP_SETUID,
				    s->setid ? ~UINT64_C(0) : 0);
		if (err != 0)
			return err;
		if (setgroups(0, NULL) < 0 || setresgid(s->uid, s->uid, s->uid) < 0 ||
		    setresuid(s->uid, s->uid, s->uid) < 0)
			return -errno;
		err = caps_drop(0, 0);
		if (err != 0)
			return err;
	}
	/* A change of uid clears it, so it comes last; the parent may have died before. */
	if (s->die_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	if (s->die_with_parent && getppid() != parent)
		return -ESRCH;
	return s->fenced ? fence_enter() : 0;
}

static int child_setup(const struct spawn *s, pid_t parent, int *ret_exe)
{
	int src[SPAWN_FDS], moved;
	size_t n = 0;
	default_signals();
	setsid();
	umask(027);
	if (s->by_path && s->path == NULL)
		return -EINVAL;
	*ret_exe = open(s->path != NULL ? s->path : "/proc/self/exe", O_PATH | O_CLOEXEC);
	if (*ret_exe < 0)
		return -errno;
	int err = copy_fds(s, src, &n);
	if (err == 0)
		err = join_cgroup(s->cgroup);
	if (err == 0)
		err = enter_namespaces(s);
	if (err != 0)
		return err;
	moved = fcntl(*ret_exe, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
	if (moved < 0)
		return -errno;
	*ret_exe = moved;
	err = place_fds(src, n);
	if (err == 0)
		err = set_limits(s);
	return err == 0 ? become(s, parent) : err;
}

static _Noreturn void child_main(const struct spawn *s, pid_t parent, int report)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LANG=C.UTF-8";
	static char *const env[] = {path, lang, NULL};
	int exe = -1, err = 0;
	report = fcntl(report, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
	err = report < 0 ? -errno : child_setup(s, parent, &exe);
	if (err == 0) {
		char *const *with = s->envp != NULL ? s->envp : env;
		if (s->by_path)
			execve(s->path, s->argv, with);
		else
			execveat(exe, "", s->argv, with, AT_EMPTY_PATH);
		err = -errno;
	}
	if (report < 0 || write(report, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

int spawn_child(const struct spawn *s, pid_t *ret_pid, int *ret_pidfd)
{
	pid_t parent = getpid();
	int p[2], err = 0;
	if (s->n_fds > SPAWN_FDS || (s->setid && s->fenced))
		return SKEP_ERANGE;
	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	CLEANUP(fd_close) int result = p[0];
	CLEANUP(fd_close) int report = p[1];
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child_main(s, parent, report);
	fd_close(&report);
	ssize_t n;
	while ((n = read(result, &err, sizeof(err))) < 0 && errno == EINTR)
		;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (n == 0 && pidfd >= 0) {
		*ret_pid = pid;
		*ret_pidfd = pidfd;
		return 0;
	}
	if (n == 0)
		err = -errno;
	else if (n != (ssize_t)sizeof(err))
		err = -EIO;
	fd_close(&pidfd);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return err;
}
