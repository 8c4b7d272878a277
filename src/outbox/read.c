/* SPDX-License-Identifier: BSD-2-Clause */
/* The outbox as others see it, while alerter writes: `skep alerts log`, `show`. */
#include "outbox/outbox_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQL_MAX 512

struct reading {
	sqlite3 *handle;
	sqlite3_stmt *stmt;
};

static void reading_close(struct reading *r)
{
	sqlite3_finalize(r->stmt);
	sqlite3_close(r->handle);
}

static int reading_open(struct reading *r, const char *dir, const char *sql, int64_t first)
{
	char path[DBFILE_PATH];
	if (snprintf(path, sizeof(path), "%s/outbox.db", dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	int err = dbfile_read(path, &r->handle);
	if (err != 0)
		return err;
	int rc = sqlite3_prepare_v2(r->handle, sql, -1, &r->stmt, NULL);
	if (rc == SQLITE_OK)
		sqlite3_bind_int64(r->stmt, 1, first);
	/* One whose tables are just being made has nothing to show yet. */
	return (rc & 0xff) == SQLITE_ERROR ? -ENOENT : dbfile_error(rc);
}

int outbox_items(const char *dir, int64_t from_ns,
		 bool (*fn)(void *ctx, const struct outbox_item *i), void *ctx)
{
	CLEANUP(reading_close) struct reading r = {0};
	char sql[SQL_MAX];
	struct writer w = writer_of(sql, sizeof(sql));
	struct outbox_item i;
	write_fmt(&w, "SELECT %s FROM items WHERE at_ns >= ?1 ORDER BY at_ns, number",
		  file_item_columns);
	int rc, err = reading_open(&r, dir, sql, from_ns);
	if (err != 0)
		return err;
	while ((rc = sqlite3_step(r.stmt)) == SQLITE_ROW) {
		file_item(r.stmt, &i);
		if (!fn(ctx, &i))
			return 0;
	}
	return dbfile_error(rc);
}

int outbox_logs(const char *dir, int64_t from_ns, bool (*fn)(void *ctx, const struct outbox_log *l),
		void *ctx)
{
	CLEANUP(reading_close) struct reading r = {0};
	struct outbox_log l;
	int rc, err = reading_open(&r, dir,
				   "SELECT at_ns, destination, class, why, rule, guest, source,"
				   " incident, n FROM log WHERE minute >= ?1 / 60000000000 AND"
				   " at_ns >= ?1 ORDER BY at_ns",
				   from_ns);
	if (err != 0)
		return err;
	while ((rc = sqlite3_step(r.stmt)) == SQLITE_ROW) {
		memset(&l, 0, sizeof(l));
		l.at_ns = sqlite3_column_int64(r.stmt, 0);
		dbfile_text(r.stmt, 1, l.destination, sizeof(l.destination));
		dbfile_text(r.stmt, 2, l.class, sizeof(l.class));
		dbfile_text(r.stmt, 3, l.why, sizeof(l.why));
		dbfile_text(r.stmt, 4, l.rule, sizeof(l.rule));
		dbfile_text(r.stmt, 5, l.guest, sizeof(l.guest));
		dbfile_addr(r.stmt, 6, &l.source);
		l.incident = (uint64_t)sqlite3_column_int64(r.stmt, 7);
		l.n = (uint32_t)sqlite3_column_int64(r.stmt, 8);
		if (!fn(ctx, &l))
			return 0;
	}
	return dbfile_error(rc);
}

int outbox_body(const char *dir, uint64_t number, struct outbox_item *ret, void **ret_body,
		size_t *ret_len)
{
	CLEANUP(reading_close) struct reading r = {0};
	char sql[SQL_MAX];
	struct writer w = writer_of(sql, sizeof(sql));
	write_fmt(&w, "SELECT %s, body FROM items WHERE number = ?1", file_item_columns);
	int err = reading_open(&r, dir, sql, (int64_t)number);
	if (err != 0)
		return err;
	int rc = sqlite3_step(r.stmt);
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? SKEP_ENOTFOUND : dbfile_error(rc);
	size_t len = (size_t)sqlite3_column_bytes(r.stmt, 17);
	void *copy = malloc(len > 0 ? len : 1);
	if (copy == NULL)
		return -ENOMEM;
	if (len > 0)
		memcpy(copy, sqlite3_column_blob(r.stmt, 17), len);
	file_item(r.stmt, ret);
	*ret_body = copy;
	*ret_len = len;
	return 0;
}
