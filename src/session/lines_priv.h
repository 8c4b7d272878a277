/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session, inside: its folder on disk: days, whole lines, and how many bytes there are. A path of it stays below
 * the folder that was handed in, so Landlock may allow that alone. Included only in this folder.
 */
#ifndef SKEP_SESSION_LINES_PRIV_H
#define SKEP_SESSION_LINES_PRIV_H

#include "base/base.h"

#define DAYS 1024u
#define DAY_TEXT 16
#define LINES_BUF 65536u
#define DAY_FDS 4u

struct day_use {
	uint32_t day; /* 20261123 */
	uint64_t bytes;
};
struct lines { /* what is to be appended to a day's file */
	char name[16];
	uint32_t day;
	uint32_t len;
	char buf[LINES_BUF];
};
struct folder {
	int top, sessions; /* top borrowed */
	uint64_t budget_bytes;
	uint32_t keep_days;
	uint32_t today; /* the newest day seen */
	uint32_t n_days;
	struct day_use days[DAYS]; /* oldest first */
	struct {
		uint32_t day;
		int fd;
	} open[DAY_FDS];
	uint32_t next_open;
	struct lines list, cowrie;
	bool no_room; /* today alone is more than the budget */
	int err;      /* first failure since the last tick */
	uint64_t lost_bytes;
};

/* So much a file of that size takes: many small ones are not small. */
uint64_t on_disk(uint64_t bytes);
uint32_t day_of(int64_t ns);
const char *day_text(uint32_t day, char buf[DAY_TEXT]);
/* 0: no name of a day. */
uint32_t day_parse(const char *name);
uint32_t day_before(uint32_t day, uint32_t n);
MUST_USE int folder_open(struct folder *f, int top);
void folder_close(struct folder *f);
/* A day's folder, made if need be; borrowed. Negative: error. */
int folder_day(struct folder *f, uint32_t day);
void folder_used(struct folder *f, uint32_t day, int64_t bytes);
uint64_t folder_bytes(const struct folder *f);
/* Appends whole lines: all of them, or (disk full) as many as fit; -errno if not all. */
MUST_USE int append_lines(int dir, const char *name, const char *data, size_t len,
			  uint64_t *ret_written);
/* A line, its newline added, for a day's file; written when there are many, or at the next flush. */
void lines_put(struct folder *f, struct lines *l, uint32_t day, const char *line, size_t len);
void lines_flush(struct folder *f, struct lines *l);
/* Deletes days beyond the budgets, never the newest. Calls gone for each. */
uint32_t folder_keep(struct folder *f, void (*gone)(void *ctx, uint32_t day), void *ctx);
/* Takes back what a crash left half-written at the end of a file of lines. */
void lines_mend(int dir, const char *name);

#endif
