/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skep down: stops the honeynet in good order, or removes what a killed one left behind. Either way
 * the host is afterwards as it was; events, captures and images stay.
 */
#include "cmd/cmd.h"
#include "role/role.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_NS (90 * NS_PER_SEC)
#define STEP_NS (100 * NS_PER_MS)

static int parse(int argc, char **argv, const char **ret_conf, bool *ret_now)
{
	static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
					      {"now", no_argument, NULL, 'n'},
					      {"help", no_argument, NULL, 'h'},
					      {NULL, 0, NULL, 0}};
	for (int ch; (ch = getopt_long(argc, argv, "c:nh", longs, NULL)) != -1;) {
		if (ch == 'c') {
			*ret_conf = optarg;
		} else if (ch == 'n') {
			*ret_now = true;
		} else if (ch == 'h') {
			printf("usage: skep down [-c FILE] [--now]\n\n"
			       "Stops the honeynet and leaves the host as it was. Events, captures "
			       "and images stay.\n"
			       "  --now  don't give the guests time to shut down\n");
			return -1;
		} else {
			return cmd_fail(2, "down: `skep down --help` lists the options");
		}
	}
	return optind < argc ? cmd_fail(2, "down: '%s' is too much", argv[optind]) : 0;
}

/* Until it is gone: true. */
static bool wait_gone(const struct conf *c, int64_t patience_ns)
{
	for (int64_t end = clock_boot_ns() + patience_ns; super_running(c) != 0;) {
		if (clock_boot_ns() > end)
			return false;
		nanosleep(&(struct timespec){0, STEP_NS}, NULL);
	}
	return true;
}

static int stop_running(const struct conf *c, pid_t pid, bool now)
{
	/* No answer is waited for: it may stand still, and its end is what counts. */
	CLEANUP(fd_close) int fd = -1;
	int err = cmd_request(c, now ? "{\"do\":\"down\",\"now\":true}" : "{\"do\":\"down\"}", &fd);
	if (err != 0 && pid > 1)
		kill(pid, SIGTERM); /* it is still starting: it stops as soon as it is up */
	if (wait_gone(c, PATIENCE_NS))
		return 0;
	fprintf(stderr,
		"skep: down: it does not end by itself; it is killed and cleaned up after\n");
	if (pid > 1)
		kill(pid, SIGKILL);
	return wait_gone(c, 5 * NS_PER_SEC) ? 0
					    : cmd_fail(1, "down: pid %d does not end", (int)pid);
}

static int stop(const struct conf *c, bool now)
{
	pid_t pid = super_running(c);
	bool dead = super_leftovers(c);
	if (pid == 0 && !dead) {
		printf("nothing to stop: the honeynet '%s' does not run\n", c->name);
		return 0;
	}
	int code = pid != 0 ? stop_running(c, pid, now) : 0;
	if (code != 0)
		return code;
	int err = super_heal(c);
	if (err != 0)
		return cmd_fail(1, "down: %s", err_text(err));
	printf(dead ? "the honeynet '%s' had died; what it left is removed\n"
		    : "the honeynet '%s' is stopped\n",
	       c->name);
	return 0;
}

int cmd_down(int argc, char **argv)
{
	const char *path = NULL;
	bool now = false;
	int code = parse(argc, argv, &path, &now);
	if (code != 0)
		return code < 0 ? 0 : code;
	struct conf *c = calloc(1, sizeof(*c));
	code = c == NULL ? cmd_fail(1, "down: no memory") : cmd_conf(path, c);
	if (code == 0)
		code = cmd_need_root("down");
	if (code == 0)
		code = stop(c, now);
	free(c);
	return code;
}
