/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside syslog only: the lines of the store's files, and their days. */
#ifndef SKEP_SYSLOG_PRIV_H
#define SKEP_SYSLOG_PRIV_H

#include "syslog/syslog.h"

#define STORE_NAME 64                      /* of a guest, with its end */
#define STORE_DAY 16                       /* "2026-11-28.log" */
#define STORE_TIME 32                      /* "2026-11-28T10:34:25.123456Z" */
#define STORE_LINE (SYSLOG_LINE * 4 + 128) /* longest line of a file, with its newline */

/* Is it a name that a guest may have in a configuration, and so a folder of ours? */
bool store_name_ok(const char *name);
/* "2026-11-28": exactly that and what follows (".log"). */
bool store_day_ok(const char *name, const char *rest);
void store_day_text(int64_t time_ns, char ret[STORE_DAY]);
void store_time_text(int64_t time_ns, char ret[STORE_TIME]);
MUST_USE int store_time_parse(const char *s, size_t len, int64_t *ret_ns);

/* A line as it lies in a file, with its newline, into buf; returns its length. Facility and severity are read
 * from the message. */
size_t store_line_write(char *buf, size_t size, const struct syslog_kept *k);
/* A line without its newline. raw: room for the message, which ret borrows. SKEP_EFORMAT: none of ours. */
MUST_USE int store_line_read(const char *line, size_t len, char raw[SYSLOG_LINE],
			     struct syslog_kept *ret);

#endif
