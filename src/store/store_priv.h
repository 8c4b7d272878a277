/* SPDX-License-Identifier: BSD-2-Clause */
/* store, inside: what its files share. Included only in this folder. */
#ifndef SKEP_STORE_PRIV_H
#define SKEP_STORE_PRIV_H

#include "dbfile/dbfile.h"
#include "store/store.h"

#define STORE_PATH 256
#define STORE_DAYS 1024 /* most days looked at in one folder */

/* ---- day.c: names of days and files ------------------------------------------------------ */

/* 20261123 for a wall-clock time (UTC). */
uint32_t store_day_of(int64_t time_ns);
/* The day n days (may be negative) from it. */
uint32_t day_add(uint32_t day, int n);
/* The day in "eve-YYYYMMDD.json", "skep-YYYYMMDD.json", "events-YYYYMMDD.db" (or with something
 * after ".db"); 0: none of ours. */
uint32_t day_of_name(const char *name);
/* Days that have a database in the folder, oldest first. */
MUST_USE int day_list(const char *dir, uint32_t *ret, size_t max, size_t *ret_n);
/* Bytes used by all files of ours, and the oldest day (0: none). */
MUST_USE int day_usage(int dirfd, uint64_t *ret_bytes, uint32_t *ret_oldest);
/* Unlinks every file of that day. */
void day_unlink(int dirfd, uint32_t day);

/* ---- lines.c: the JSON files -------------------------------------------------------------- */

struct lines {
	int fd;
	const char *stem; /* "eve" or "skep" */
	char *buf;        /* lines of the batch; owned */
	size_t len, cap;
};

/* Opens STEM.json for appending; what is left of an earlier day moves to its own name, and a line
 * that was cut by a crash is removed. */
MUST_USE int lines_open(struct lines *l, int dirfd, const char *stem, uint32_t today);
/* Gives STEM.json the name of that day. The file must be reopened. */
MUST_USE int lines_rotate(struct lines *l, int dirfd, uint32_t day);
MUST_USE int store_lines_put(struct lines *l, const char *line);
/* Writes what was put: whole lines only, whatever happens. */
MUST_USE int store_lines_flush(struct lines *l);
void lines_close(struct lines *l);

/* ---- db.c: one day's database, as its only writer ----------------------------------------- */

struct db {
	struct dbfile file;
	sqlite3_stmt *add, *count;
};

/* Opens or makes it. SKEP_EFORMAT: damaged. */
MUST_USE int db_open(struct db *d, const char *dir, uint32_t day);
void db_close(struct db *d);
/* Moves a damaged one aside (.damaged). */
MUST_USE int db_set_aside(const char *dir, uint32_t day);
MUST_USE int db_begin(struct db *d);
MUST_USE int db_add(struct db *d, const struct event *e, const char *json);
/* Commits, or undoes everything since db_begin. */
MUST_USE int db_end(struct db *d, bool commit);

#endif
