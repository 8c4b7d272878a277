/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd: one file per verb of `skep`. Verbs run as the operator (mostly root), print for people by
 * default and JSON with --json, exit 0 on success, 1 when the answer is no, 2 on bad usage.
 */
#ifndef SKEP_CMD_H
#define SKEP_CMD_H

#include "conf/conf.h"

struct cmd_verb {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the verb */
	const char *help;                  /* one line */
};
extern const struct cmd_verb cmd_verbs[]; /* terminated by name NULL */

#define CMD_CONF_FILE "/etc/skep/skep.yaml"
/* Loads the configuration: path, else $SKEP_CONF, else /etc/skep/skep.yaml if it exists, else the
 * built-in lab. Prints the error and returns 2 if it is bad, else 0. */
MUST_USE int cmd_conf(const char *path, struct conf *ret);
/* Prints "skep VERB: text" to stderr; returns code, for `return cmd_fail(1, ...)`. */
int cmd_fail(int code, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* 0 if root, else prints what to do and returns 1. */
MUST_USE int cmd_need_root(const char *verb);
/* Is stdout a terminal that wants colour? (NO_COLOR, TERM=dumb respected) */
bool cmd_colour(void);
/* Sends one request (JSON text) to the running super's control socket and reads the whole answer
 * (caller frees). -ENOENT: not running. */
MUST_USE int cmd_ask(const struct conf *c, const char *request, char **ret_answer);
/* The same with descriptors for super, which stay the caller's. */
MUST_USE int cmd_ask_with(const struct conf *c, const char *request, const int *fds, size_t n_fds,
			  char **ret_answer);
/* The same, without reading: the answer comes on *ret_fd, the caller's. */
MUST_USE int cmd_request(const struct conf *c, const char *request, int *ret_fd);
/* "2026-11-23T20:01:02.123456+0000" or "10m", "2h", "3d" ago -> wall-clock ns. */
MUST_USE int cmd_parse_time(const char *s, int64_t *ret_ns);

/* The verbs; each is cmd_verbs[].run and returns the process's exit code. */
int cmd_up(int argc, char **argv);
int cmd_down(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_init(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_evidence(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_alerts(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_sessions(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_files(int argc, char **argv);
int cmd_prove(int argc, char **argv);
int cmd_pcap(int argc, char **argv);
int cmd_guest(int argc, char **argv);
int cmd_image(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_fence(int argc, char **argv);
int cmd_lockdown(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_rules(int argc, char **argv);
int cmd_scrub(int argc, char **argv);

#endif
