/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading, from any process, while ledger writes. */
#include "store/store_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SQL_MAX 2048

struct reading {
	sqlite3 *handle;
	sqlite3_stmt *stmt;
};

static void reading_close(struct reading *r)
{
	sqlite3_finalize(r->stmt);
	sqlite3_close(r->handle);
	memset(r, 0, sizeof(*r));
}

static int reading_open(struct reading *r, const char *dir, uint32_t day, const char *sql)
{
	char path[DBFILE_PATH];
	memset(r, 0, sizeof(*r));
	if (snprintf(path, sizeof(path), "%s/events-%08u.db", dir, day) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	int err = dbfile_read(path, &r->handle);
	if (err != 0)
		return err;
	int rc = sqlite3_prepare_v2(r->handle, sql, -1, &r->stmt, NULL);
	/* A day whose tables are just being made has nothing to show yet. */
	bool empty = (rc & 0xff) == SQLITE_ERROR;
	if (rc != SQLITE_OK)
		reading_close(r);
	return empty ? SKEP_ENOTFOUND : dbfile_error(rc);
}

/* ---- the conditions of a query ----------------------------------------------------------------- */

/* Parameters have fixed numbers, so that the text holds only our own words. */
static void write_where(struct writer *w, const struct store_query *q)
{
	const struct {
		bool on;
		const char *sql;
	} rows[] = {
		{q->kind != NULL, " AND kind=?1"},
		{q->guest != NULL, " AND (guest=?2 OR peer_guest=?2)"},
		{q->direction != NULL, " AND direction=?3"},
		{q->verdict != NULL, " AND verdict=?4"},
		{q->proto != NULL, " AND proto=?5"},
		{q->addr.ver != 0, " AND (src=?6 OR dst=?6 OR in_src=?6 OR in_dst=?6)"},
		{q->net_port != 0, " AND (sport=?7 OR dport=?7 OR in_sport=?7 OR in_dport=?7)"
				   " AND proto_number IN (6,17,132)"},
		{q->flow_id != 0, " AND flow_id=?8"},
		{q->incident != 0, " AND incident=?9"},
		{q->after_id != 0, " AND id>?10"},
		{q->community_id != NULL, " AND (community_id=?11 OR inside_community_id=?11)"},
		{q->from_ns != 0, " AND time_ns>=?12"},
		{q->to_ns != 0, " AND time_ns<=?13"},
	};
	write_str(w, " WHERE 1");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].on)
			write_str(w, rows[i].sql);
}

static void bind_where(sqlite3_stmt *s, const struct store_query *q)
{
	char addr[ADDR_TEXT] = "";
	const char *const texts[] = {q->kind, q->guest, q->direction, q->verdict, q->proto};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		sqlite3_bind_text(s, (int)i + 1, texts[i], -1, SQLITE_TRANSIENT);
	if (q->addr.ver != 0)
		addr_text(&q->addr, addr);
	/* Binding a number that the text does not use is refused, and may be: it is not needed. */
	sqlite3_bind_text(s, 6, addr, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int(s, 7, q->net_port);
	sqlite3_bind_int64(s, 8, (sqlite3_int64)q->flow_id);
	sqlite3_bind_int64(s, 9, (sqlite3_int64)q->incident);
	sqlite3_bind_int64(s, 10, (sqlite3_int64)q->after_id);
	sqlite3_bind_text(s, 11, q->community_id, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(s, 12, q->from_ns);
	sqlite3_bind_int64(s, 13, q->to_ns);
}

/* Calls row for each row of sql in each day that can hold matches, in order. row returns false to
 * stop; the last to be told is in *ret_more. */
struct walk {
	const char *dir, *sql;
	const struct store_query *q;
	bool (*row)(void *ctx, sqlite3_stmt *s);
	void *ctx;
};

static int walk_once(const struct walk *w, uint32_t day, bool *ret_more)
{
	struct reading r;
	int rc, err = reading_open(&r, w->dir, day, w->sql);
	if (err != 0)
		return err == SKEP_ENOTFOUND ? 0 : err;
	bind_where(r.stmt, w->q);
	while ((rc = sqlite3_step(r.stmt)) == SQLITE_ROW)
		if (!w->row(w->ctx, r.stmt)) {
			*ret_more = false;
			break;
		}
	reading_close(&r);
	return dbfile_error(rc);
}

static int walk_days(const struct walk *w)
{
	uint32_t days[STORE_DAYS];
	size_t n = 0;
	bool more = true;
	int err = day_list(w->dir, days, STORE_DAYS, &n);
	/* What is late lies in the day after, never further. */
	uint32_t first = w->q->from_ns > 0 ? store_day_of(w->q->from_ns) : 0;
	uint32_t last = w->q->to_ns > 0 ? day_add(store_day_of(w->q->to_ns), 1) : UINT32_MAX;
	for (size_t i = 0; i < n && more && err == 0; i++) {
		uint32_t day = days[w->q->newest_first ? n - 1 - i : i];
		if (day >= first && day <= last)
			err = walk_once(w, day, &more);
	}
	return err;
}

/* ---- the three questions ----------------------------------------------------------------------- */

struct search {
	bool (*fn)(void *ctx, uint64_t id, int64_t time_ns, const char *json);
	void *ctx;
	uint32_t left; /* 0: no limit */
};

static bool on_event(void *ctx, sqlite3_stmt *s)
{
	struct search *search = ctx;
	const char *json = (const char *)sqlite3_column_text(s, 2);
	if (json != NULL && !search->fn(search->ctx, (uint64_t)sqlite3_column_int64(s, 0),
					sqlite3_column_int64(s, 1), json))
		return false;
	return search->left == 0 || --search->left > 0;
}

int store_search(const char *dir, const struct store_query *q,
		 bool (*fn)(void *ctx, uint64_t id, int64_t time_ns, const char *json), void *ctx)
{
	char sql[SQL_MAX];
	struct writer w = writer_of(sql, sizeof(sql));
	struct search search = {fn, ctx, q->limit};
	const struct walk walk = {dir, sql, q, on_event, &search};
	write_str(&w, "SELECT id, time_ns, json FROM events");
	write_where(&w, q);
	write_str(&w, q->newest_first ? " ORDER BY id DESC" : " ORDER BY id");
	return walk_days(&walk);
}

struct tuples {
	struct event_tuple *ret;
	size_t max, n;
	int64_t from_ns, to_ns;
};

static struct addr column_addr(sqlite3_stmt *s, int at, const struct addr *otherwise)
{
	struct addr a;
	const char *text = (const char *)sqlite3_column_text(s, at);
	if (text == NULL || addr_parse(text, &a) != 0)
		return *otherwise;
	return a;
}

static bool on_tuple(void *ctx, sqlite3_stmt *s)
{
	struct tuples *all = ctx;
	const struct addr none = {0};
	int64_t to = sqlite3_column_int64(s, 0);
	int64_t from = sqlite3_column_type(s, 1) == SQLITE_NULL ? to : sqlite3_column_int64(s, 1);
	struct event_tuple t = {0};
	t.src = column_addr(s, 2, &none);
	t.dst = column_addr(s, 3, &none);
	t.in_src = column_addr(s, 4, &t.src);
	t.in_dst = column_addr(s, 5, &t.dst);
	t.sport = (uint16_t)sqlite3_column_int(s, 6);
	t.dport = (uint16_t)sqlite3_column_int(s, 7);
	t.in_sport = (uint16_t)sqlite3_column_int(s, 8);
	t.in_dport = (uint16_t)sqlite3_column_int(s, 9);
	t.icmp_id = (uint16_t)sqlite3_column_int(s, 10);
	t.proto = (uint8_t)sqlite3_column_int(s, 11);
	dbfile_text(s, 12, t.guest, sizeof(t.guest));
	dbfile_text(s, 13, t.peer_guest, sizeof(t.peer_guest));
	dbfile_text(s, 14, t.community_id, sizeof(t.community_id));
	dbfile_text(s, 15, t.inside_community_id, sizeof(t.inside_community_id));
	if (t.inside_community_id[0] == '\0')
		memcpy(t.inside_community_id, t.community_id, sizeof(t.community_id));
	if (all->from_ns == 0 || from < all->from_ns)
		all->from_ns = from;
	if (to > all->to_ns)
		all->to_ns = to;
	/* A connection and its flow tell the same: */
	for (size_t i = 0; i < all->n; i++)
		if (memcmp(&all->ret[i], &t, sizeof(t)) == 0)
			return true;
	if (all->n < all->max)
		all->ret[all->n++] = t;
	return all->n < all->max;
}

int store_flow_tuples(const char *dir, const struct store_query *q, struct event_tuple *ret,
		      size_t max, size_t *ret_n, int64_t *ret_from_ns, int64_t *ret_to_ns)
{
	char sql[SQL_MAX];
	struct writer w = writer_of(sql, sizeof(sql));
	struct tuples all = {ret, max, 0, 0, 0};
	const struct walk walk = {dir, sql, q, on_tuple, &all};
	write_str(&w, "SELECT time_ns, start_ns, src, dst, in_src, in_dst, sport, dport, in_sport,"
		      " in_dport, icmp_id, proto_number, guest, peer_guest, community_id,"
		      " inside_community_id FROM events");
	write_where(&w, q);
	write_str(&w, " AND kind IN ('connection','flow') ORDER BY id");
	int err = max == 0 ? SKEP_ERANGE : walk_days(&walk);
	if (err != 0)
		return err;
	*ret_n = all.n;
	*ret_from_ns = all.from_ns;
	*ret_to_ns = all.to_ns;
	return 0;
}

struct counts {
	struct store_count *ret;
	size_t max, n;
};

static bool on_count(void *ctx, sqlite3_stmt *s)
{
	struct counts *all = ctx;
	struct store_count c = {0};
	dbfile_text(s, 0, c.kind, sizeof(c.kind));
	dbfile_text(s, 1, c.direction, sizeof(c.direction));
	dbfile_text(s, 2, c.verdict, sizeof(c.verdict));
	dbfile_text(s, 3, c.guest, sizeof(c.guest));
	c.n = (uint64_t)sqlite3_column_int64(s, 4);
	for (size_t i = 0; i < all->n; i++) {
		struct store_count *have = &all->ret[i];
		if (strcmp(have->kind, c.kind) != 0 || strcmp(have->direction, c.direction) != 0 ||
		    strcmp(have->verdict, c.verdict) != 0 || strcmp(have->guest, c.guest) != 0)
			continue;
		have->n += c.n;
		return true;
	}
	if (all->n < all->max)
		all->ret[all->n++] = c;
	return true;
}

int store_counts(const char *dir, int64_t from_ns, struct store_count *ret, size_t max,
		 size_t *ret_n)
{
	/* ?12 is where bind_where puts from_ns; a rollup row counts as a whole minute. */
	static const char sql[] = "SELECT kind, direction, verdict, guest, sum(n) FROM rollup"
				  " WHERE minute >= ?12 / 60000000000"
				  " GROUP BY kind, direction, verdict, guest";
	const struct store_query q = {.from_ns = from_ns};
	struct counts all = {ret, max, 0};
	const struct walk walk = {dir, sql, &q, on_count, &all};
	int err = walk_days(&walk);
	if (err != 0)
		return err;
	*ret_n = all.n;
	return 0;
}
