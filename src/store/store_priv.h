/* SPDX-License-Identifier: BSD-2-Clause */
/* store, inside: what its files share. Included only in this folder. */
#ifndef SKEP_STORE_PRIV_H
#define SKEP_STORE_PRIV_H

#include "base/digest.h"
#include "dbfile/dbfile.h"
#include "store/seal.h"

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

/* ---- seal.c: the running digest of a JSON file --------------------------------------------- */

struct seal_run {
	uint32_t day;
	struct sha256 sha; /* of the first done bytes */
	uint64_t done;
	uint64_t size;     /* of the file: done is less while what was there at the start is read */
	uint64_t news;     /* bytes since the last seal, but for seals and notices */
	uint64_t n, bytes; /* of the last seal; 0: this run made none yet */
	int64_t told_ns;   /* when */
	bool off;          /* its day has another file already: the clock was set back */
	int before;        /* the file of the day before, while it is read; else -1 */
	struct sha256 before_sha;
	uint64_t before_done;
	char previous[EVENT_SHA256];
};

struct lines;
/* Of a file that was just opened, for that day: begins to read what it has, and the file of the day before,
 * unless its digest is known ("": it is not). */
void seal_begin(struct lines *l, int dirfd, uint32_t day, const char *previous);
/* These bytes were just written at its end. */
void seal_wrote(struct lines *l, const char *data, size_t len);
/* Reads on, at most *budget bytes, which is lessened. True: all is digested. */
bool seal_catch_up(struct lines *l, uint64_t *budget);
/* Makes the seal of the file as it is; it must be digested. */
void seal_make(struct lines *l, struct event_seal *ret);
/* The file has its day's name now, l is about to be closed. Its digest into whole ("": not known); true: a last
 * seal into *ret. */
bool seal_day_over(struct lines *l, struct event_seal *ret, char whole[EVENT_SHA256]);
void seal_close(struct lines *l);

/* ---- lines.c: the JSON files -------------------------------------------------------------- */

struct lines {
	int fd;
	const char *stem; /* "eve" or "skep" */
	char *buf;        /* lines of the batch; owned */
	size_t len, cap;
	struct seal_run seal;
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
/* The newest seals in it, newest first: their JSON. */
void db_seals(struct db *d, void (*fn)(void *ctx, const char *json, size_t len), void *ctx);

#endif
