/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guardian: a child of super that does nothing but wait for super's end. If that came without cleaning up (a kill, a
 * crash), it ends what super left and removes what super made, within seconds and without anybody's help. If both
 * are killed, the programs at the uplink notice that nobody beats any more, and the next `skep up` or
 * `skep down` removes the rest.
 */
#include "role/super/super_priv.h"

#include <errno.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOWEST_FD 3
#define PAUSE_NS (2 * NS_PER_SEC)

static _Noreturn void wait_for_end(const struct conf *c, int boss)
{
	struct pollfd p = {.fd = LOWEST_FD, .events = POLLIN};
	sigset_t all;
	sigfillset(&all); /* what ends super must not end us */
	if (sigprocmask(SIG_SETMASK, &all, NULL) < 0 || setsid() < 0 || dup2(boss, LOWEST_FD) < 0 ||
	    close_range(LOWEST_FD + 1, ~0u, 0) < 0 || chdir("/") < 0)
		_exit(1);
	prctl(PR_SET_NAME, "skep-guardian");
	log_setup("guardian", LOG_INFO);
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	int err = state_bury(c);
	if (err != 0 && err != -EALREADY)
		log_line(LOG_ERROR, "cleaning up after super: %s", err_text(err));
	_exit(err == 0 || err == -EALREADY ? 0 : 1);
}

int guardian_start(struct super *s)
{
	s->guardian_ns = clock_boot_ns();
	CLEANUP(fd_close) int boss = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (boss < 0)
		return -errno;
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		wait_for_end(s->c, boss);
	s->guardian = pid;
	s->guardian_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (s->guardian_fd >= 0)
		return 0;
	int err = -errno, code, sig; /* nobody would notice its end */
	kill(pid, SIGKILL);
	super_reap(&s->guardian, &s->guardian_fd, &code, &sig);
	return err;
}

void guardian_died(struct super *s)
{
	int code, sig;
	super_reap(&s->guardian, &s->guardian_fd, &code, &sig);
	if (s->stopping)
		return;
	super_health(s, "guardian", "died", 1, code, sig, 2,
		     "the guardian died; another one takes its place");
	guardian_tick(s, clock_boot_ns());
}

/* Never in a race: one that dies at once would keep us from all else. */
void guardian_tick(struct super *s, int64_t now)
{
	if (s->c->mode == MODE_LAB || s->guardian_fd >= 0 || now - s->guardian_ns < PAUSE_NS)
		return;
	int err = guardian_start(s);
	if (err != 0)
		log_line(LOG_ERROR, "no guardian: %s", err_text(err));
}

void guardian_end(struct super *s)
{
	int code, sig;
	if (s->guardian_fd < 0)
		return;
	kill(s->guardian, SIGKILL);
	super_reap(&s->guardian, &s->guardian_fd, &code, &sig);
}
