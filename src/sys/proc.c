/* SPDX-License-Identifier: BSD-2-Clause */
/* What /proc says about a process: enough to recognise it again and to know what it costs. */
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int read_proc(pid_t pid, const char *what, char *buf, size_t size)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

int proc_start_time(pid_t pid, uint64_t *ret_ticks)
{
	char buf[1024];
	int err = read_proc(pid, "stat", buf, sizeof(buf));
	if (err != 0)
		return err == -ESRCH ? -ENOENT : err;
	/* The name in parentheses may hold anything: count from its last closing one. */
	const char *at = strrchr(buf, ')');
	for (int field = 2; field < 22 && at != NULL; field++)
		at = strchr(at + 1, ' ');
	if (at == NULL)
		return SKEP_EFORMAT;
	*ret_ticks = strtoull(at + 1, NULL, 10);
	return 0;
}

bool proc_ended(pid_t pid)
{
	char buf[1024];
	int err = read_proc(pid, "stat", buf, sizeof(buf));
	const char *at = err == 0 ? strrchr(buf, ')') : NULL;
	if (at == NULL)
		return err == -ESRCH || err == -ENOENT;
	return at[1] != '\0' && (at[2] == 'Z' || at[2] == 'X');
}

int proc_kill(pid_t pid, uint64_t start_ticks, int sig)
{
	uint64_t now;
	/* The descriptor pins the process, so that the check and the signal mean the same one. */
	CLEANUP(fd_close) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return errno == ESRCH ? -ENOENT : -errno;
	int err = proc_start_time(pid, &now);
	if (err != 0)
		return err;
	if (now != start_ticks)
		return -ENOENT;
	if (syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0)
		return errno == ESRCH ? -ENOENT : -errno;
	return 0;
}

int proc_memory(pid_t pid, uint64_t *ret_pss_bytes)
{
	char buf[2048];
	int err = read_proc(pid, "smaps_rollup", buf, sizeof(buf));
	if (err != 0)
		return err;
	const char *at = strstr(buf, "\nPss:");
	if (at == NULL)
		return SKEP_EFORMAT;
	*ret_pss_bytes = strtoull(at + 5, NULL, 10) * 1024;
	return 0;
}
