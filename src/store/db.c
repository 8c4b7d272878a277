/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One day's database, from the writer's side. WAL, so that readers never wait for the writer; a
 * transaction per batch.
 */
#include "store/store_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char ddl[] =
	"PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA temp_store=MEMORY;"
	"PRAGMA cache_size=-4000;PRAGMA journal_size_limit=4194304;PRAGMA user_version=1;"
	"CREATE TABLE IF NOT EXISTS events(id INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL,"
	" kind TEXT NOT NULL, direction TEXT NOT NULL, verdict TEXT,"
	" reason TEXT, guest TEXT, peer_guest TEXT, src TEXT, dst TEXT, in_src TEXT,"
	" in_dst TEXT, sport INTEGER, dport INTEGER, in_sport INTEGER, in_dport INTEGER,"
	" icmp_id INTEGER, proto TEXT COLLATE NOCASE, proto_number INTEGER, flow_id INTEGER,"
	" start_ns INTEGER, community_id TEXT, inside_community_id TEXT, incident INTEGER,"
	" json TEXT NOT NULL);"
	"CREATE INDEX IF NOT EXISTS by_time ON events(time_ns);"
	"CREATE INDEX IF NOT EXISTS by_flow ON events(flow_id) WHERE flow_id IS NOT NULL;"
	"CREATE INDEX IF NOT EXISTS by_incident ON events(incident) WHERE incident IS NOT NULL;"
	"CREATE INDEX IF NOT EXISTS by_community ON events(community_id)"
	" WHERE community_id IS NOT NULL;"
	"CREATE INDEX IF NOT EXISTS by_inside_community ON events(inside_community_id)"
	" WHERE inside_community_id IS NOT NULL;"
	"CREATE INDEX IF NOT EXISTS by_src ON events(src) WHERE src IS NOT NULL;"
	"CREATE INDEX IF NOT EXISTS by_dst ON events(dst) WHERE dst IS NOT NULL;"
	"CREATE INDEX IF NOT EXISTS by_in_src ON events(in_src) WHERE in_src IS NOT NULL;"
	"CREATE INDEX IF NOT EXISTS by_in_dst ON events(in_dst) WHERE in_dst IS NOT NULL;"
	"CREATE TABLE IF NOT EXISTS rollup(minute INTEGER, kind TEXT, direction TEXT,"
	" verdict TEXT, guest TEXT, n INTEGER NOT NULL,"
	" PRIMARY KEY(minute, kind, direction, verdict, guest)) WITHOUT ROWID;";

static const char add_sql[] =
	"INSERT OR IGNORE INTO events VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,"
	"?16,?17,?18,?19,?20,?21,?22,?23,?24,?25)";
static const char count_sql[] = "INSERT INTO rollup VALUES(?1,?2,?3,?4,?5,1)"
				" ON CONFLICT DO UPDATE SET n = n + 1";

static const char seals_sql[] =
	"SELECT json FROM events WHERE kind='seal' ORDER BY id DESC LIMIT 16";

static int path_of(const char *dir, uint32_t day, char ret[DBFILE_PATH])
{
	return snprintf(ret, DBFILE_PATH, "%s/events-%08u.db", dir, day) >= DBFILE_PATH
		       ? -ENAMETOOLONG
		       : 0;
}

static int prepare(struct db *d)
{
	int rc = sqlite3_exec(d->file.handle, ddl, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v3(d->file.handle, add_sql, -1, SQLITE_PREPARE_PERSISTENT,
					&d->add, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v3(d->file.handle, count_sql, -1, SQLITE_PREPARE_PERSISTENT,
					&d->count, NULL);
	/* A database of another shape is as useless as a damaged one. */
	return (rc & 0xff) == SQLITE_ERROR ? SKEP_EFORMAT : dbfile_error(rc);
}

int db_open(struct db *d, const char *dir, uint32_t day)
{
	char path[DBFILE_PATH];
	memset(d, 0, sizeof(*d));
	int err = path_of(dir, day, path);
	if (err == 0)
		err = dbfile_open(&d->file, path);
	if (err == 0)
		err = prepare(d);
	if (err != 0)
		db_close(d);
	return err;
}

void db_close(struct db *d)
{
	sqlite3_finalize(d->add);
	sqlite3_finalize(d->count);
	d->add = d->count = NULL;
	dbfile_close(&d->file);
}

int db_set_aside(const char *dir, uint32_t day)
{
	char path[DBFILE_PATH];
	int err = path_of(dir, day, path);
	return err == 0 ? dbfile_set_aside(path) : err;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void bind_text(sqlite3_stmt *s, int at, const char *text)
{
	if (text[0] != '\0')
		sqlite3_bind_text(s, at, text, -1, SQLITE_TRANSIENT);
}

static void bind_int(sqlite3_stmt *s, int at, uint64_t v)
{
	if (v != 0)
		sqlite3_bind_int64(s, at, (sqlite3_int64)v);
}

static void bind_tuple(sqlite3_stmt *s, const struct event_tuple *t)
{
	char proto[EVENT_PROTO];
	bind_text(s, 8, t->peer_guest);
	dbfile_bind_addr(s, 9, &t->src);
	dbfile_bind_addr(s, 10, &t->dst);
	/* The inside view is kept where it differs: without translation it would only cost indexes. */
	if (!addr_eq(&t->src, &t->in_src))
		dbfile_bind_addr(s, 11, &t->in_src);
	if (!addr_eq(&t->dst, &t->in_dst))
		dbfile_bind_addr(s, 12, &t->in_dst);
	sqlite3_bind_int(s, 13, t->sport);
	sqlite3_bind_int(s, 14, t->dport);
	sqlite3_bind_int(s, 15, t->in_sport);
	sqlite3_bind_int(s, 16, t->in_dport);
	sqlite3_bind_int(s, 17, t->icmp_id);
	sqlite3_bind_text(s, 18, event_proto_text(t->proto, proto), -1, SQLITE_TRANSIENT);
	sqlite3_bind_int(s, 19, t->proto);
	bind_text(s, 22, t->community_id);
	if (strcmp(t->community_id, t->inside_community_id) != 0)
		bind_text(s, 23, t->inside_community_id);
}

/* Found by either end, like the conversation it tells of. */
static void bind_sink(sqlite3_stmt *s, const struct event_sink *e)
{
	char proto[EVENT_PROTO];
	dbfile_bind_addr(s, 9, &e->client);
	dbfile_bind_addr(s, 10, &e->server);
	sqlite3_bind_int(s, 13, e->cport);
	sqlite3_bind_int(s, 14, e->sport);
	sqlite3_bind_text(s, 18, event_proto_text(e->proto, proto), -1, SQLITE_TRANSIENT);
	sqlite3_bind_int(s, 19, e->proto);
}

/* Likewise by the ends of the visit. */
static void bind_visit(sqlite3_stmt *s, const struct event_visit *v)
{
	char proto[EVENT_PROTO];
	if (v->peer.ver == 0)
		return;
	dbfile_bind_addr(s, 9, &v->peer);
	dbfile_bind_addr(s, 10, &v->server);
	sqlite3_bind_int(s, 13, v->peer_port);
	sqlite3_bind_int(s, 14, v->server_port);
	sqlite3_bind_text(s, 18, event_proto_text(v->proto, proto), -1, SQLITE_TRANSIENT);
	sqlite3_bind_int(s, 19, v->proto);
}

static int step(sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);
	sqlite3_reset(s);
	return dbfile_error(rc);
}

/* "" for kinds that nobody judged: as in the JSON. */
static const char *verdict_of(const struct event *e)
{
	bool judged = e->kind == EVENT_CONNECTION || e->kind == EVENT_LIMIT;
	return judged ? verdict_text((enum verdict)e->verdict) : "";
}

static int add_count(struct db *d, const struct event *e)
{
	sqlite3_clear_bindings(d->count);
	sqlite3_bind_int64(d->count, 1, e->time_ns / (60 * NS_PER_SEC));
	sqlite3_bind_text(d->count, 2, event_kind_text((enum event_kind)e->kind), -1,
			  SQLITE_STATIC);
	sqlite3_bind_text(d->count, 3, direction_text((enum event_direction)e->direction), -1,
			  SQLITE_STATIC);
	sqlite3_bind_text(d->count, 4, verdict_of(e), -1, SQLITE_STATIC);
	sqlite3_bind_text(d->count, 5, event_guest_of(e), -1, SQLITE_TRANSIENT);
	return step(d->count);
}

int db_add(struct db *d, const struct event *e, const char *json)
{
	struct event copy = *e;
	const struct event_tuple *t = event_tuple_of(&copy);
	sqlite3_clear_bindings(d->add);
	bind_int(d->add, 1, e->id);
	sqlite3_bind_int64(d->add, 2, e->time_ns);
	bind_text(d->add, 3, event_kind_text((enum event_kind)e->kind));
	bind_text(d->add, 4, direction_text((enum event_direction)e->direction));
	bind_text(d->add, 5, verdict_of(e));
	if (verdict_of(e)[0] != '\0')
		bind_text(d->add, 6, reason_text((enum reason)e->reason));
	bind_text(d->add, 7, event_guest_of(e));
	if (t != NULL)
		bind_tuple(d->add, t);
	if (e->kind == EVENT_SINK)
		bind_sink(d->add, &e->u.sink);
	if (event_visit_of(e) != NULL)
		bind_visit(d->add, event_visit_of(e));
	bind_int(d->add, 20, e->flow_id);
	if (e->kind == EVENT_FLOW)
		bind_int(d->add, 21, (uint64_t)e->u.flow.start_ns);
	bind_int(d->add, 24, e->incident);
	sqlite3_bind_text(d->add, 25, json, -1, SQLITE_TRANSIENT);
	int err = step(d->add);
	return err != 0 ? err : add_count(d, e);
}

int db_begin(struct db *d)
{
	return dbfile_error(sqlite3_exec(d->file.handle, "BEGIN IMMEDIATE", NULL, NULL, NULL));
}

int db_end(struct db *d, bool commit)
{
	int rc = sqlite3_exec(d->file.handle, commit ? "COMMIT" : "ROLLBACK", NULL, NULL, NULL);
	if (commit && rc != SQLITE_OK)
		sqlite3_exec(d->file.handle, "ROLLBACK", NULL, NULL, NULL);
	return dbfile_error(rc);
}

void db_seals(struct db *d, void (*fn)(void *ctx, const char *json, size_t len), void *ctx)
{
	sqlite3_stmt *q = NULL;
	if (d->file.handle == NULL ||
	    sqlite3_prepare_v2(d->file.handle, seals_sql, -1, &q, NULL) != SQLITE_OK)
		return;
	while (sqlite3_step(q) == SQLITE_ROW) {
		const unsigned char *json = sqlite3_column_text(q, 0);
		if (json != NULL)
			fn(ctx, (const char *)json, (size_t)sqlite3_column_bytes(q, 0));
	}
	sqlite3_finalize(q);
}
