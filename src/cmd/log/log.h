/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside cmd: `skep log` and its `diff`. */
#ifndef SKEP_CMD_LOG_H
#define SKEP_CMD_LOG_H

#include "cmd/cmd.h"
#include "guest/guest.h"
#include "syslog/compare.h"
#include "syslog/syslog.h"

#define LOG_DAY 16 /* "2026-11-28" */

extern const char log_diff_help[];
/* argv[0] is "diff". 0: both sides agree, 1: they don't, 2: it can't be told. */
int log_diff(int argc, char **argv);

/* STATE/inside/log */
void log_dir(const struct conf *c, char *ret, size_t size);
/* "2026-11-28" of a time; the other way (SKEP_EFORMAT). */
void log_day_text(int64_t ns, char ret[LOG_DAY]);
MUST_USE int log_day_parse(const char *s, int64_t *ret_ns);

/* What the loghost has of a guest's day, and some minutes around it: each line to fn (foreign bytes). Over ssh by the
 * forwarded port, or (from != NULL) from a folder that somebody fetched. SKEP_ENOTFOUND: no way there; why says
 * which. notes: lines with "# removed " before them, which say what the loghost itself deleted. */
typedef int log_line_fn(void *ctx, const char *line, size_t len);
MUST_USE int log_fetch(const struct conf *c, const struct conf_guest *loghost, const char *guest,
		       int64_t day_ns, const char *from, log_line_fn *fn, void *ctx, char *why,
		       size_t why_size);

#endif
