/* SPDX-License-Identifier: BSD-2-Clause */
/* alert, inside: the engine. Included only in this folder. */
#ifndef SKEP_ALERT_PRIV_H
#define SKEP_ALERT_PRIV_H

#include "alert/table_priv.h"

#define MINUTE_NS (60 * NS_PER_SEC)
#define HOUR_NS (3600 * NS_PER_SEC)
#define DAY_NS (86400 * NS_PER_SEC)
#define DAY_S 86400
#define PENDING 256u

/* ---- the configuration, made ready ------------------------------------------------------------------- */

/* Minutes of the day; from < 0: always. */
struct hours {
	int16_t from, to;
};
struct quiet {
	const struct conf_quiet *c;
	uint8_t to;       /* bits: only these destinations are spared; 0: all */
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
	uint8_t quiet;   /* number of the rule that holds it back from everybody; 0: none */
	uint8_t quiet_to[CONF_DESTINATIONS]; /* ... from one destination */
	bool merged;                         /* no news: only told in the digest */
	uint64_t what;                       /* of window_key */
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
		int64_t stop_ns;           /* since when the honeynet stops; 0: it does not */
		uint64_t number;           /* the last */
		int32_t digest_minute, pad;
	} clock;
	bool clock_dirty, ready;
	int64_t timer_ns; /* the next digest is not before that */
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
void quiet_match(struct alert *a, const struct alert_input *in, struct now *now);

void tally_add(struct tallies *t, uint64_t to, uint8_t class, enum alert_why why, uint8_t quiet,
	       int64_t ns);
/* The destination's part of them. */
void tally_list(const struct tallies *t, uint64_t to, struct alert_message *m);

/* Sends it to this destination, or holds it back. */
void throttle_one(struct alert *a, struct target *t, const struct alert_input *in,
		  const struct now *now);
/* A digest of a day: budgets of the destination only. False: held back. */
bool throttle_digest(struct alert *a, struct target *t, int64_t ns);
/* One of an incident, of which it was told so many times: by its hours as well, and if it was never, by a budget. */
bool throttle_incident(struct alert *a, struct target *t, int64_t ns, uint32_t sent);
/* For the log. */
void held_note(struct alert *a, struct target *t, const struct alert_input *in, enum alert_why why,
	       uint8_t quiet, int64_t ns);
void held_flush(struct alert *a);
/* Gives it its number and hands it out. */
void send_message(struct alert *a, struct target *t, struct incident *in);

void digest_incident(struct alert *a, struct incident *in, int64_t ns);
void digest_day(struct alert *a, int64_t ns);

#endif
