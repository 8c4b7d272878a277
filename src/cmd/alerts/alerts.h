/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skep alerts, its parts: alerts.c is the overview and finds the words after it, log.c lists what was sent, held
 * back and given up, show.c prints one message, try.c sends a test and reloads, preview.c replays the store, line.c
 * has the lines that log and preview share, check.c is for other verbs: what a configuration needs beyond its file.
 */
#ifndef SKEP_CMD_ALERTS_H
#define SKEP_CMD_ALERTS_H

#include "alert/alert.h"
#include "cmd/cmd.h"
#include "notify/notify.h"
#include "outbox/outbox.h"

#include <jansson.h>

#define ALERTS_DIR (CONF_PATH + 16)

/* Reads the configuration (path NULL: as cmd_conf) and names the folder of its outbox. 0, or an exit code. */
MUST_USE int alerts_conf(const char *path, struct conf *ret, char dir[ALERTS_DIR]);
/* Says that the outbox, or something in it, can't be read; returns the exit code. verb: "alerts log". */
int alerts_unreadable(const char *verb, const char *dir, int err);
/* Index of a destination; its number when there is none of that name, after saying so. */
uint32_t alerts_destination(const struct conf *c, const char *verb, const char *name);
/* A number as a word of the command line. */
bool alerts_number(const char *text, uint64_t most, uint64_t *ret);

/* ---- line.c --------------------------------------------------------------------------------------- */

struct alerts_line { /* a message, as log and preview show it: equal where they mean the same */
	uint64_t number, incident;
	int64_t at_ns;
	const char *destination, *class, *kind, *guest, *summary, *state,
		*answer; /* answer may be NULL */
	struct addr source;
	uint8_t weight;
	bool bypass;
};
struct alerts_held { /* what was held back */
	int64_t at_ns;
	const char *destination, *class, *why, *rule, *guest;
	struct addr source;
	uint64_t incident, n;
};
/* "2026-11-28 14:01:02", local time. */
const char *alerts_time(int64_t ns, char buf[EVENT_TIME]);
/* Seconds that local time is ahead of UTC then: of the engine and the forms. ctx is not used. */
int32_t alerts_local(void *ctx, int64_t wall_ns);
void alerts_print_line(const struct alerts_line *l);
void alerts_print_held(const struct alerts_held *h);
/* The same as JSON, a line. */
void alerts_json_line(const struct alerts_line *l);
void alerts_json_held(const struct alerts_held *h);
/* Foreign text, in at least so many columns. */
void alerts_print(const char *text, int columns);
/* Text of ours with foreign parts, line by line; what could do something to a terminal is escaped. */
void alerts_print_text(const char *text, size_t len);
json_t *alerts_foreign(const char *text);

/* ---- check.c -------------------------------------------------------------------------------------- */

/* What conf can't know: is each template one? 0, or 1 after writing which is not and why. */
MUST_USE int alerts_check(const struct conf *c, char *why, size_t why_size);
/* What to do about a server's answer, or about none. */
const char *alerts_cure(const struct conf_destination *d, const char *answer);

/* ---- the words after `skep alerts` ---------------------------------------------------------------- */

extern const char alerts_log_help[], alerts_show_help[], alerts_test_help[], alerts_preview_help[],
	alerts_reload_help[];
int alerts_log(int argc, char **argv);
int alerts_show(int argc, char **argv);
int alerts_try(int argc, char **argv);
int alerts_preview(int argc, char **argv);
int alerts_reload(int argc, char **argv);

#endif
