/* SPDX-License-Identifier: BSD-2-Clause */
/* super's part of alerts: super_alerts.c what alerter and courier are given; super_command.c programs that take messages. */
#ifndef SKEP_SUPER_ALERTS_H
#define SKEP_SUPER_ALERTS_H

#include "conf/conf.h"
#include "deliver/deliver.h"
#include "ipc/ipc.h"

#include <jansson.h>
#include <sys/types.h>

struct super;
struct child;

#define COMMANDS_KNOWN 64u

/* A program that takes a message by its standard input: the operator's, or sendmail. */
struct command_run {
	pid_t pid;
	int pidfd; /* -1: none runs */
	uint64_t number;
	int64_t until_ns;
	bool late;  /* it took too long, and was killed */
	bool whole; /* what it leaves behind goes with it */
};

/* Alerts off: conf.on is 0, and all of it unused. */
struct alerts_run {
	struct conf_alerts conf; /* as in force: of the start, or of the last reload */
	int dir;                 /* STATE/alerts */
	int hub[2];              /* [0] hub's end */
	int courier[2];          /* [0] alerter's end */
	bool setid;              /* a sendmail may become who it is by its file's mode */
	struct command_run commands[CONF_DESTINATIONS];
	uint64_t done
		[COMMANDS_KNOWN]; /* numbers of messages that were taken: a new alerter may not know */
	uint32_t n_done;
};

/* super_alerts.c */
void alerts_init(struct super *s);
/* Channels, kept over the lives of both roles. */
MUST_USE int alerts_channels(struct super *s);
/* Is there a destination that courier delivers to? */
bool alerts_need_courier(const struct conf_alerts *c);
bool alerts_need_setid(const struct conf_alerts *c);
MUST_USE int alerts_start_alerter(struct super *s, const struct child *ch);
/* Reads the secrets anew; what is missing is told, and its destination goes without. */
MUST_USE int alerts_start_courier(struct super *s, const struct child *ch);
/* A new courier is ready. */
void alerts_courier_ready(struct super *s);
/* Answers to "alert-test" and "alerts"; the latter goes over to what is in the sealed file fd. */
json_t *alerts_test_answer(struct super *s, const json_t *request);
json_t *alerts_reload_answer(struct super *s, int fd);
json_t *alerts_json(const struct super *s);

/* super_command.c */
/* A message for a program; what came of it is told to alerter, now or later. */
void command_deliver(struct super *s, struct ipc_msg *m);
/* One ended. */
void command_ended(struct super *s, size_t index);
void command_tick(struct super *s, int64_t now);
/* None lives any more. */
void command_close(struct super *s);

#endif
