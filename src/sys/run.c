/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs a helper program (ip, qemu-img ...) to its end, with a time limit. Never through a shell. */
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOOL_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define EXIT_NO_PROGRAM 127

struct run {
	pid_t pid;
	int in, out;       /* our ends; -1: closed */
	const char *input; /* what is left to write */
	char *buf;
	size_t size, len;
	int64_t deadline_ns;
};

static void close_run(struct run *r)
{
	fd_close(&r->in);
	fd_close(&r->out);
}

static void child_exec(int netns, const char *const *argv, int in, int out)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (netns >= 0 && setns(netns, CLONE_NEWNET) < 0)
		_exit(EXIT_NO_PROGRAM);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || close_range(3, ~0u, 0) < 0)
		_exit(EXIT_NO_PROGRAM);
	setenv("PATH", TOOL_PATH, 1);
	setenv("LC_ALL", "C", 1);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(EXIT_NO_PROGRAM);
}

static int start(struct run *r, int netns, const char *const *argv)
{
	CLEANUP(fd_close) int child_in = -1;
	CLEANUP(fd_close) int child_out = -1;
	int p[2];
	if (r->input != NULL) {
		if (pipe2(p, O_CLOEXEC) < 0)
			return -errno;
		child_in = p[0];
		r->in = p[1];
		fcntl(r->in, F_SETFL, O_NONBLOCK);
	} else {
		child_in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	if (r->buf != NULL) {
		if (pipe2(p, O_CLOEXEC) < 0)
			return -errno;
		r->out = p[0];
		child_out = p[1];
		fcntl(r->out, F_SETFL, O_NONBLOCK);
	} else {
		child_out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	}
	if (child_in < 0 || child_out < 0)
		return -errno;
	r->pid = fork();
	if (r->pid < 0)
		return -errno;
	if (r->pid == 0)
		child_exec(netns, argv, child_in, child_out);
	return 0;
}

static void feed(struct run *r)
{
	ssize_t n = write(r->in, r->input, strlen(r->input));
	if (n > 0)
		r->input += n;
	if ((n < 0 && errno != EAGAIN && errno != EINTR) || *r->input == '\0')
		fd_close(&r->in);
}

static void drain(struct run *r)
{
	char over[4096];
	bool room = r->len + 1 < r->size;
	ssize_t n = read(r->out, room ? r->buf + r->len : over,
			 room ? r->size - r->len - 1 : sizeof(over));
	if (n > 0 && room)
		r->len += (size_t)n;
	else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		fd_close(&r->out);
}

/* Moves data until the child is gone (its pidfd is readable) or time is up. */
static int talk(struct run *r, int pidfd)
{
	for (;;) {
		struct pollfd p[3] = {{.fd = pidfd, .events = POLLIN},
				      {.fd = r->in, .events = POLLOUT},
				      {.fd = r->out, .events = POLLIN}};
		int64_t left = (r->deadline_ns - clock_boot_ns()) / NS_PER_MS;
		if (left <= 0)
			return SKEP_ETIMEOUT;
		int n = poll(p, 3, left > 60000 ? 60000 : (int)left);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n <= 0)
			continue;
		if (p[1].revents != 0)
			feed(r);
		if (p[2].revents != 0)
			drain(r);
		/* What it wrote before it ended is in the pipe already; what a child of its own may
		 * still write is nobody's concern. */
		if (p[0].revents != 0 && (r->out < 0 || (p[2].revents & POLLIN) == 0))
			return 0;
	}
}

int run_program_in(int netns, const char *const *argv, const char *input, char *out,
		   size_t out_size, int timeout_ms)
{
	CLEANUP(close_run) struct run r = {.in = -1, .out = -1, .input = input, .size = out_size};
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	r.buf = out_size > 0 ? out : NULL;
	r.deadline_ns = clock_boot_ns() + timeout_ms * NS_PER_MS;
	sigaction(SIGPIPE, &ignore, &before);
	int status, err = start(&r, netns, argv);
	if (err == 0) {
		CLEANUP(fd_close) int pidfd = (int)syscall(SYS_pidfd_open, r.pid, 0);
		err = pidfd < 0 ? -errno : talk(&r, pidfd);
		if (err != 0) {
			kill(-r.pid, SIGKILL); /* it leads a group of its own */
			kill(r.pid, SIGKILL);
		}
		while (waitpid(r.pid, &status, 0) < 0 && errno == EINTR)
			;
		if (err == 0)
			err = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	sigaction(SIGPIPE, &before, NULL);
	if (r.buf != NULL)
		r.buf[r.len] = '\0';
	return err;
}

int run_program(const char *const *argv, const char *input, char *out, size_t out_size,
		int timeout_ms)
{
	return run_program_in(-1, argv, input, out, out_size, timeout_ms);
}
