/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store: where events stay. eve.json and skep.json, a file a day each, and one SQLite database a
 * day with rollups per minute. ledger is the only writer; cmd reads. Deletion is by unlinking a day.
 *
 * Layout below the folder: eve.json, skep.json (today), eve-YYYYMMDD.json ..., events-YYYYMMDD.db.
 */
#ifndef SKEP_STORE_H
#define SKEP_STORE_H

#include "event/event.h"

struct store;
#define STORE_DAMAGED 1
/* Opens or makes the store in folder dir ("." works for a user who can't reach it by its path).
 * Returns 0, an error, or STORE_DAMAGED: opened, but today's database was damaged; it was moved
 * aside as events-YYYYMMDD.db.damaged and a new one begun. disk_bytes 0: no budget. */
MUST_USE int store_open(const char *dir, const char *sensor, uint32_t keep_days,
			uint64_t disk_bytes, struct store **ret);
/* Adds a batch in one transaction. Files are written even if the database fails (the error is
 * returned afterwards). -ENOSPC: the disk is full, or today alone is over the budget: then events
 * of priority 0 are refused, and over 9/8 of it those of priority 1. Late events (of a day before)
 * count for the current day. SKEP_EFORMAT: the database was damaged and has been moved aside. */
MUST_USE int store_add(struct store *s, const struct event *events, size_t n);
/* Day change and budget; bounded work; now is wall-clock ns. *ret_dropped_days: days removed. */
MUST_USE int store_housekeep(struct store *s, int64_t now_ns, uint32_t *ret_dropped_days);
void store_close(struct store **s);

/* ---- queries (read-only, any process that may read the files) ---------------------------- */

struct store_query {
	const char *kind, *guest, *direction, *verdict,
		*proto;                       /* NULL: any; texts as in the JSON */
	struct addr addr;                     /* either end, outside or inside; ver 0: any */
	uint16_t net_port;                    /* either end; 0: any */
	uint64_t flow_id, incident, after_id; /* 0: any */
	const char *community_id;
	int64_t from_ns, to_ns; /* 0: open */
	uint32_t limit;         /* 0: no limit */
	bool newest_first;
};

/* Calls fn for each match with its JSON text; fn returns false to stop. */
MUST_USE int store_search(const char *dir, const struct store_query *q,
			  bool (*fn)(void *ctx, uint64_t id, int64_t time_ns, const char *json),
			  void *ctx);
/* Reads back the event_flow or event_connection tuples of a flow or community id, for `skep pcap`:
 * at most max; times widen [from, to]. */
MUST_USE int store_flow_tuples(const char *dir, const struct store_query *q,
			       struct event_tuple *ret, size_t max, size_t *ret_n,
			       int64_t *ret_from_ns, int64_t *ret_to_ns);
/* Totals per kind/direction/verdict since from_ns out of the rollups. */
struct store_count {
	char kind[16], direction[16], verdict[16], guest[EVENT_NAME];
	uint64_t n;
};
MUST_USE int store_counts(const char *dir, int64_t from_ns, struct store_count *ret, size_t max,
			  size_t *ret_n);

#endif
