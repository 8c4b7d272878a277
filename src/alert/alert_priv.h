/* SPDX-License-Identifier: BSD-2-Clause */
/* alert, inside: tables that never grow, and what stands in them. Included only in this folder. */
#ifndef SKEP_ALERT_PRIV_H
#define SKEP_ALERT_PRIV_H

#include "alert/alert.h"

#define MINUTE_NS (60 * NS_PER_SEC)
#define HOUR_NS (3600 * NS_PER_SEC)
#define DAY_NS (86400 * NS_PER_SEC)
#define DAY_S 86400
#define WINDOWS 4096u
#define INCIDENTS 4096u
#define SOURCES 65536u
#define STATES 16u  /* destinations whose budgets are remembered, those that are no more included */
#define TALLIES 24u /* kinds of what was held back, of an incident or a day */
#define PENDING 256u
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
	uint32_t max, n, n_buckets, oldest, newest, free, n_dirty;
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
/* It will be saved. */
void table_changed(struct table *t, const void *entry);
void table_drop(struct table *t, void *entry);
/* As saved, at its place. SKEP_EFORMAT: the place or the key is taken. */
MUST_USE int table_put(struct table *t, uint32_t index, const void *entry);
void *table_at(const struct table *t, uint32_t index);

/* ---- entries ---------------------------------------------------------------------------------------- */

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
	uint32_t sent, pad;
};
struct incident {
	struct head head;
	uint64_t id;
	int64_t start_ns, seen_ns;
	uint32_t seen_times;
	uint8_t out; /* outbound was told: 1 a conversation that was stopped, 2 one let out */
	uint8_t any, weight, n_commands; /* any: what is set */
	uint8_t fresh, pad[7];           /* its visitor was news */
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
	struct lapse lapses[ALERT_CLASSES];
	int64_t since_ns; /* begin of its day */
	uint32_t sent;
	uint8_t any, weight, pad[2];
	struct tallies tallies;
	struct alert_input what;
};

/* ---- the configuration, made ready ------------------------------------------------------------------- */

/* Minutes of the day; from < 0: always. */
struct hours {
	int16_t from, to;
};
struct quiet {
	const struct conf_quiet *c;
	bool on;          /* false: something of it can't be read, and it quiets nothing */
	int64_t until_ns; /* on a clock that shows local time */
	struct hours hours;
	uint32_t classes, n_as, n_sids;
	uint32_t as[8], sids[16];
};
struct target {
	const struct conf_destination *c;
	uint64_t to;
	uint32_t classes; /* that it takes */
	struct hours hours;
	struct state *state;
};
struct pending {
	struct alert_held held;
	uint64_t hash;
};

/* What is known of the event at hand. */
struct now {
	int64_t ns;
	int32_t minute;  /* local */
	int64_t local_s; /* seconds since the epoch, local time */
	uint8_t quiet;   /* number of the rule that holds it back; 0: none */
	bool merged;     /* no news: only told in the digest */
	uint64_t what;   /* of window_key */
	int64_t seen_ns;
	uint32_t seen_times;
	struct incident *incident;
};

struct alert {
	const struct conf_alerts *c;
	struct alert_out out;
	struct alert_class classes[ALERT_CLASSES];
	struct target targets[CONF_DESTINATIONS];
	struct quiet quiet[CONF_QUIET];
	bool quiet_places; /* some rule asks for AS or country */
	struct clock {
		struct head head;
		int64_t now_ns, digest_ns; /* digest_ns INT64_MAX: none */
		uint64_t number;           /* the last */
		int32_t digest_minute, pad;
	} clock;
	bool clock_dirty, ready;
	int64_t offset_at;
	int32_t offset;
	struct table windows, incidents, sources, states;
	struct pending pending[PENDING];
	uint16_t slots[2 * PENDING];
	uint32_t n_pending, told;
	int64_t minute, told_minute;
	struct alert_message m;
};

/* ---- between files ------------------------------------------------------------------------------------ */

uint64_t name_hash(const char *name);
bool hours_parse(const char *text, struct hours *ret);
bool hours_has(const struct hours *h, int32_t minute);
/* "07:00"; -1: none. */
int32_t minute_parse(const char *text);
int32_t local_offset(struct alert *a, int64_t ns);
/* The next time after ns that clocks here show this minute of the day. */
int64_t next_minute(struct alert *a, int64_t ns, int32_t minute);

void quiet_prepare(struct alert *a);
/* Number of the first rule that matches, 0: none. */
uint8_t quiet_match(struct alert *a, const struct alert_input *in, const struct now *now);

void tally_add(struct tallies *t, uint64_t to, uint8_t class, enum alert_why why, uint8_t quiet,
	       int64_t ns);
/* The destination's part of them. */
void tally_list(const struct tallies *t, uint64_t to, struct alert_message *m);

/* Sends it to this destination, or holds it back. */
void throttle_one(struct alert *a, struct target *t, const struct alert_input *in,
		  const struct now *now);
/* A digest: budgets of the destination only. False: held back. */
bool throttle_digest(struct alert *a, struct target *t, int64_t ns, bool by_hours);
/* For the log. */
void held_note(struct alert *a, struct target *t, const struct alert_input *in, enum alert_why why,
	       uint8_t quiet, int64_t ns);
void held_flush(struct alert *a);
/* Gives it its number and hands it out. */
void send_message(struct alert *a, struct target *t, struct incident *in);

void digest_incident(struct alert *a, struct incident *in, int64_t ns);
void digest_day(struct alert *a, int64_t ns);

#endif
