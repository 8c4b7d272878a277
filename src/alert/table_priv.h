/* SPDX-License-Identifier: BSD-2-Clause */
/* alert, inside: tables that never grow, and what stands in them. Included only in this folder. */
#ifndef SKEP_ALERT_TABLE_PRIV_H
#define SKEP_ALERT_TABLE_PRIV_H

#include "alert/alert.h"

#define WINDOWS 4096u
#define INCIDENTS 4096u
#define SOURCES 65536u
#define STATES 16u  /* destinations whose budgets are remembered, those that are no more included */
#define TALLIES 24u /* kinds of what was held back, of an incident or a day */
#define NONE UINT32_MAX

/* ---- tables: found by a keyed hash; the one that was not used for longest gives way ---------------- */

/* Begins each entry; the key stands behind it. stamp 0: free. */
struct head {
	uint32_t version, pad;
	uint64_t stamp; /* order of use: by it the order is found again after a restart */
};

struct links {
	uint32_t next, older, newer;
	bool dirty;
};

struct table {
	uint32_t max, n, n_buckets, oldest, newest, free, touched,
		n_dirty; /* touched: places used so far */
	uint32_t entry_bytes, key_bytes;
	bool unsettled; /* loaded, and not in order yet */
	uint64_t stamp, hash_key[2];
	uint8_t *entries;
	uint32_t *buckets, *dirty;
	struct links *links;
};

size_t table_bytes(uint32_t max, size_t entry_bytes);
MUST_USE int table_create(struct arena *arena, uint32_t max, size_t entry_bytes, size_t key_bytes,
			  struct table *ret);
/* NULL: there is none. */
void *table_find(struct table *t, const void *key);
/* Found, or a new one, zero but for its key. It is the last used then, and will be saved. */
void *table_get(struct table *t, const void *key, bool *ret_new);
/* The one that was not used for longest; NULL: the table is empty. */
void *table_oldest(struct table *t);
/* It will be saved. */
void table_changed(struct table *t, const void *entry);
void table_drop(struct table *t, void *entry);
/* As saved, at its place. SKEP_EFORMAT: the place or the key is taken. */
MUST_USE int table_put(struct table *t, uint32_t index, const void *entry);
void *table_at(const struct table *t, uint32_t index);

/* ---- what stands in them ------------------------------------------------------------------------------ */

/* How much of what was held back from a destination, why. */
struct tally {
	uint64_t to; /* name_hash of the destination */
	uint8_t class, why, quiet, pad;
	uint32_t n;
	int64_t first_ns, last_ns;
};
struct tallies {
	uint32_t n, pad;
	struct tally all[TALLIES];
};

struct source {
	struct head head;
	struct addr addr;
	uint32_t times; /* visits: an hour of silence is between two */
	int64_t first_ns, last_ns;
	int64_t news_ns; /* when it was last news */
};

/* One message in a time of what is alike. */
struct window_key {
	uint64_t to, incident;
	uint64_t what; /* health: which; outbound: let out or not */
	char guest[EVENT_NAME];
	struct addr source; /* only without an incident */
	uint8_t class, pad[3];
};
struct window {
	struct head head;
	struct window_key key;
	int64_t until_ns;
	int64_t first_ns, last_ns; /* of what was held back in it */
	uint32_t n, pad;
};

struct thread {
	uint64_t to, first; /* number of its first message; 0: none */
	uint32_t sent;
	uint8_t out; /* outbound was told: 1 a conversation that was stopped, 2 one let out */
	uint8_t pad[3];
};
struct incident {
	struct head head;
	uint64_t id;
	int64_t start_ns, last_ns, seen_ns; /* last_ns: on our clock */
	uint32_t seen_times;
	uint8_t any, weight, n_commands; /* any: what is set */
	uint8_t fresh, pad[8];           /* its visitor was news */
	struct thread threads[CONF_DESTINATIONS];
	struct tallies tallies;
	char commands[ALERT_COMMANDS][ALERT_COMMAND];
	struct alert_input what; /* the heaviest */
};

/* Messages of a period, by slices of it: what is in any part of it counts. */
#define SLICES 12u
struct meter {
	int64_t newest; /* number of the slice since the epoch */
	uint32_t n[SLICES + 1], pad;
};
struct budget {
	struct meter hour, day;
	uint32_t total, pad;
};
/* What budgets and hours held back since the last message of a class. */
struct lapse {
	uint32_t n[ALERT_WHYS];
	uint32_t pad;
	int64_t first_ns, last_ns;
};
/* A destination, under its name: whatever its place in the configuration. */
struct state {
	struct head head;
	uint64_t to;
	struct budget all, of[ALERT_CLASSES];
	struct budget untold; /* digests of incidents of which it had heard nothing */
	struct lapse lapses[ALERT_CLASSES];
	int64_t since_ns; /* begin of its day */
	uint32_t sent;
	uint8_t any, weight, pad[2];
	struct tallies tallies;
	struct alert_input what;
};

#endif
