/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The outbox on the disk. WAL, so that readers never wait; synchronous=FULL, because a message of which hub was
 * told that it is safe must survive a power cut.
 */
#include "outbox/outbox_priv.h"

#include <string.h>

#define PRUNE_AT_ONCE 500

static const char ddl[] =
	"PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA temp_store=MEMORY;"
	"PRAGMA cache_size=-2000;PRAGMA journal_size_limit=4194304;PRAGMA user_version=1;"
	"CREATE TABLE IF NOT EXISTS items(number INTEGER PRIMARY KEY, destination TEXT NOT NULL,"
	" class TEXT NOT NULL, kind TEXT NOT NULL, guest TEXT, source TEXT, incident INTEGER,"
	" weight INTEGER NOT NULL, bypass INTEGER NOT NULL, state INTEGER NOT NULL,"
	" at_ns INTEGER NOT NULL, next_ns INTEGER NOT NULL, done_ns INTEGER NOT NULL,"
	" tries INTEGER NOT NULL, refused INTEGER NOT NULL, summary TEXT, answer TEXT, body BLOB);"
	"CREATE INDEX IF NOT EXISTS due ON items(destination, bypass DESC, weight DESC, at_ns, "
	"number,"
	" next_ns) WHERE state = 0;"
	"CREATE INDEX IF NOT EXISTS by_time ON items(at_ns, state);"
	"CREATE TABLE IF NOT EXISTS log(minute INTEGER, destination TEXT, class TEXT, why TEXT,"
	" rule TEXT, guest TEXT, source TEXT, incident INTEGER, at_ns INTEGER NOT NULL,"
	" n INTEGER NOT NULL,"
	" PRIMARY KEY(minute, destination, class, why, rule, guest, source, incident))"
	" WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS slots(slot INTEGER PRIMARY KEY, data BLOB NOT NULL);"
	"CREATE TABLE IF NOT EXISTS numbers(name TEXT PRIMARY KEY, value INTEGER NOT NULL)"
	" WITHOUT ROWID;";

#define COLUMNS                                                                             \
	"number, destination, class, kind, guest, source, incident, weight, bypass, state," \
	" at_ns, next_ns, done_ns, tries, refused, summary, answer"
const char file_item_columns[] = COLUMNS;

static const char *const sql[FILE_STMTS] = {
	[FILE_ADD] = "INSERT OR IGNORE INTO items(" COLUMNS ", body)"
		     " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)",
	[FILE_MARK] = "UPDATE items SET state=?2, next_ns=?3, done_ns=?4, tries=tries+?5,"
		      " refused=refused+?6, answer=?7 WHERE number=?1",
	[FILE_LOG] = "INSERT INTO log VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)"
		     " ON CONFLICT DO UPDATE SET n = n + excluded.n",
	[FILE_SLOT] = "INSERT OR REPLACE INTO slots VALUES(?1,?2)",
	[FILE_SLOT_GONE] = "DELETE FROM slots WHERE slot=?1",
	[FILE_SET] = "INSERT OR REPLACE INTO numbers VALUES(?1,?2)",
	[FILE_GET] = "SELECT value FROM numbers WHERE name=?1",
	[FILE_DUE] = "SELECT number, next_ns FROM items WHERE state=0 AND destination=?1"
		     " ORDER BY bypass DESC, weight DESC, at_ns, number",
	[FILE_ONE] = "SELECT " COLUMNS ", body FROM items WHERE number=?1",
	[FILE_WAITING] = "SELECT number, destination FROM items WHERE state=0",
	[FILE_SLOTS] = "SELECT slot, data FROM slots ORDER BY slot",
};

int file_open(struct file *f, const char *path)
{
	memset(f, 0, sizeof(*f));
	int err = dbfile_open(&f->db, path);
	if (err != 0)
		return err;
	int on = 1, rc = sqlite3_exec(f->db.handle, ddl, NULL, NULL, NULL);
	for (size_t i = 0; i < FILE_STMTS && rc == SQLITE_OK; i++)
		rc = sqlite3_prepare_v3(f->db.handle, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
					&f->stmts[i], NULL);
	/* The log stays when we end: on a full disk there might be no room for a new one. */
	if (rc == SQLITE_OK)
		rc = sqlite3_file_control(f->db.handle, NULL, SQLITE_FCNTL_PERSIST_WAL, &on);
	if (rc != SQLITE_OK)
		file_close(f);
	/* A database of another shape is as useless as a damaged one. */
	return (rc & 0xff) == SQLITE_ERROR ? SKEP_EFORMAT : dbfile_error(rc);
}

void file_close(struct file *f)
{
	for (size_t i = 0; i < FILE_STMTS; i++)
		sqlite3_finalize(f->stmts[i]);
	if (f->db.handle != NULL)
		dbfile_close(&f->db);
	memset(f, 0, sizeof(*f));
}

/* ---- writing ---------------------------------------------------------------------------------- */

static int step(sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return dbfile_error(rc);
}

static void bind_text(sqlite3_stmt *s, int at, const char *text)
{
	sqlite3_bind_text(s, at, text, -1, SQLITE_TRANSIENT);
}

static int write_item(struct file *f, const struct memory_item *m)
{
	sqlite3_stmt *s = f->stmts[FILE_ADD];
	const struct outbox_item *i = &m->item;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)i->number);
	bind_text(s, 2, i->destination);
	bind_text(s, 3, i->class);
	bind_text(s, 4, i->kind);
	bind_text(s, 5, i->guest);
	dbfile_bind_addr(s, 6, &i->source);
	sqlite3_bind_int64(s, 7, (sqlite3_int64)i->incident);
	sqlite3_bind_int(s, 8, i->weight);
	sqlite3_bind_int(s, 9, i->bypass);
	sqlite3_bind_int(s, 10, i->state);
	sqlite3_bind_int64(s, 11, i->at_ns);
	sqlite3_bind_int64(s, 12, i->next_ns);
	sqlite3_bind_int64(s, 13, i->done_ns);
	sqlite3_bind_int64(s, 14, i->tries);
	sqlite3_bind_int64(s, 15, i->refused);
	bind_text(s, 16, i->summary);
	bind_text(s, 17, i->answer);
	sqlite3_bind_blob64(s, 18, m->body, m->len, SQLITE_STATIC);
	return step(s);
}

static int write_mark(struct file *f, const struct memory_mark *m)
{
	sqlite3_stmt *s = f->stmts[FILE_MARK];
	sqlite3_bind_int64(s, 1, (sqlite3_int64)m->number);
	sqlite3_bind_int(s, 2, m->state);
	sqlite3_bind_int64(s, 3, m->next_ns);
	sqlite3_bind_int64(s, 4, m->done_ns);
	sqlite3_bind_int64(s, 5, m->tries);
	sqlite3_bind_int64(s, 6, m->refused);
	bind_text(s, 7, m->answer);
	return step(s);
}

static int write_log(struct file *f, const struct outbox_log *l)
{
	sqlite3_stmt *s = f->stmts[FILE_LOG];
	sqlite3_bind_int64(s, 1, l->at_ns / (60 * NS_PER_SEC));
	bind_text(s, 2, l->destination);
	bind_text(s, 3, l->class);
	bind_text(s, 4, l->why);
	bind_text(s, 5, l->rule);
	bind_text(s, 6, l->guest);
	bind_text(s, 7, ""); /* no NULL: a key must be equal to itself */
	dbfile_bind_addr(s, 7, &l->source);
	sqlite3_bind_int64(s, 8, (sqlite3_int64)l->incident);
	sqlite3_bind_int64(s, 9, l->at_ns);
	sqlite3_bind_int64(s, 10, l->n);
	return step(s);
}

static int write_slot(struct file *f, const struct memory_slot *m)
{
	sqlite3_stmt *s = f->stmts[m->data == NULL ? FILE_SLOT_GONE : FILE_SLOT];
	sqlite3_bind_int64(s, 1, (sqlite3_int64)m->slot);
	if (m->data != NULL)
		sqlite3_bind_blob64(s, 2, m->data, m->size, SQLITE_STATIC);
	return step(s);
}

static int write_value(struct file *f, const struct memory_value *m)
{
	sqlite3_stmt *s = f->stmts[FILE_SET];
	bind_text(s, 1, m->name);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)m->value);
	return step(s);
}

static int write_all(struct file *f, const struct memory *m)
{
	int err = 0;
	for (uint32_t i = 0; i < m->n_items && err == 0; i++)
		err = write_item(f, &m->items[i]);
	for (uint32_t i = 0; i < m->n_marks && err == 0; i++)
		err = write_mark(f, &m->marks[i]);
	for (uint32_t i = 0; i < m->n_logs && err == 0; i++)
		err = write_log(f, &m->logs[i]);
	for (uint32_t i = 0; i < m->n_slots && err == 0; i++)
		err = write_slot(f, &m->slots[i]);
	for (uint32_t i = 0; i < m->n_values && err == 0; i++)
		err = write_value(f, &m->values[i]);
	return err;
}

static int end(struct file *f, int err)
{
	if (err == 0)
		err = dbfile_error(sqlite3_exec(f->db.handle, "COMMIT", NULL, NULL, NULL));
	/* Some errors have undone everything already. */
	if (err != 0 && sqlite3_get_autocommit(f->db.handle) == 0)
		sqlite3_exec(f->db.handle, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

int file_save(struct file *f, const struct memory *m)
{
	int err = dbfile_error(sqlite3_exec(f->db.handle, "BEGIN IMMEDIATE", NULL, NULL, NULL));
	return err != 0 ? err : end(f, write_all(f, m));
}

/* ---- old entries ------------------------------------------------------------------------------ */

static int prune(struct file *f, const char *text, int64_t a, int64_t b)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(f->db.handle, text, -1, &s, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(s, 1, a);
		sqlite3_bind_int64(s, 2, b);
		rc = sqlite3_step(s);
	}
	sqlite3_finalize(s);
	return dbfile_error(rc);
}

int file_prune(struct file *f, int64_t before_ns, uint32_t most)
{
	int err = dbfile_error(sqlite3_exec(f->db.handle, "BEGIN IMMEDIATE", NULL, NULL, NULL));
	if (err != 0)
		return err;
	err = prune(f,
		    "DELETE FROM items WHERE number IN (SELECT number FROM items"
		    " WHERE at_ns < ?1 AND state <> 0 LIMIT ?2)",
		    before_ns, PRUNE_AT_ONCE);
	if (err == 0)
		err = prune(f,
			    "DELETE FROM items WHERE number IN (SELECT number FROM items"
			    " WHERE state <> 0 ORDER BY at_ns LIMIT"
			    " min(?2, max(0, (SELECT count(*) FROM items) - ?1)))",
			    most, PRUNE_AT_ONCE);
	if (err == 0)
		err = prune(f, "DELETE FROM log WHERE minute < ?1 / ?2", before_ns,
			    60 * NS_PER_SEC);
	/* A minute is removed whole. */
	if (err == 0)
		err = prune(f,
			    "DELETE FROM log WHERE (SELECT count(*) FROM log) > ?1 AND minute <="
			    " (SELECT minute FROM log ORDER BY minute LIMIT 1 OFFSET ?2)",
			    (int64_t)most * 10, PRUNE_AT_ONCE);
	return end(f, err);
}

/* ---- columns ---------------------------------------------------------------------------------- */

void file_item(sqlite3_stmt *s, struct outbox_item *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->number = (uint64_t)sqlite3_column_int64(s, 0);
	dbfile_text(s, 1, ret->destination, sizeof(ret->destination));
	dbfile_text(s, 2, ret->class, sizeof(ret->class));
	dbfile_text(s, 3, ret->kind, sizeof(ret->kind));
	dbfile_text(s, 4, ret->guest, sizeof(ret->guest));
	dbfile_addr(s, 5, &ret->source);
	ret->incident = (uint64_t)sqlite3_column_int64(s, 6);
	ret->weight = (uint8_t)sqlite3_column_int(s, 7);
	ret->bypass = (uint8_t)sqlite3_column_int(s, 8);
	ret->state = (uint8_t)sqlite3_column_int(s, 9);
	ret->at_ns = sqlite3_column_int64(s, 10);
	ret->next_ns = sqlite3_column_int64(s, 11);
	ret->done_ns = sqlite3_column_int64(s, 12);
	ret->tries = (uint32_t)sqlite3_column_int64(s, 13);
	ret->refused = (uint32_t)sqlite3_column_int64(s, 14);
	dbfile_text(s, 15, ret->summary, sizeof(ret->summary));
	dbfile_text(s, 16, ret->answer, sizeof(ret->answer));
}
