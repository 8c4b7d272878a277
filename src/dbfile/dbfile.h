/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dbfile: an SQLite file that one confined process writes while others read it. What store (ledger)
 * and outbox (alerter) have in common: how it is opened, read beside its writer, moved aside when it
 * is damaged, and what SQLite's errors are among ours.
 */
#ifndef SKEP_DBFILE_H
#define SKEP_DBFILE_H

#include "base/base.h"
#include "sys/sys.h"

#include <sqlite3.h>

#define DBFILE_PATH 256
struct dbfile {
	sqlite3 *handle;
	sqlite3_vfs vfs; /* see dbfile.c; registered while it is open */
	char vfs_name[32];
};

/* Opens or makes it for its one writer; a relative path stays one. SKEP_EFORMAT: it is damaged.
 * Statements are the caller's, to be finalized before dbfile_close. */
MUST_USE int dbfile_open(struct dbfile *d, const char *path);
void dbfile_close(struct dbfile *d);
/* Moves the file and what belongs to it aside, as NAME.damaged. It must not be open. */
MUST_USE int dbfile_set_aside(const char *path);
/* Opens it to read, from any process that may; leaves nothing behind. Close with sqlite3_close.
 * -ENOENT: there is none. */
MUST_USE int dbfile_read(const char *path, sqlite3 **ret);

/* An SQLite result as one of our errors; 0 for rows and ends as well. */
int dbfile_error(int rc);
/* Columns and parameters: texts that may be NULL, addresses as text ("" or NULL: none). */
void dbfile_text(sqlite3_stmt *s, int column, char *ret, size_t size);
void dbfile_addr(sqlite3_stmt *s, int column, struct addr *ret);
void dbfile_bind_addr(sqlite3_stmt *s, int at, const struct addr *a);

/* What a writer needs after start, below its one folder (Landlock). */
extern const struct syscall_row dbfile_syscalls[];

#endif
