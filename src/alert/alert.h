/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alert: what of all events deserves somebody's attention, who gets to know it, when, and what is
 * held back instead. Used by alerter, by `skep alerts preview`, and by hub to know what is of interest.
 *
 * Pure: no I/O, no clock of its own, no heap. Events come in the order of their ids, which hub gives
 * as microseconds since the epoch: they are the clock. Timers (windows that end, digests) fire at
 * their own time, in alert_tick or before a later event, so that the same events and configuration
 * give the same messages, live or replayed (`preview`).
 */
#ifndef SKEP_ALERT_H
#define SKEP_ALERT_H

#include "conf/conf.h"
#include "event/event.h"

#define ALERT_COMMANDS 5
#define ALERT_COMMAND 160
#define ALERT_WHAT 96

/* What one event is to us. Plain data; texts may hold foreign bytes. */
struct alert_input {
	uint64_t id;     /* hub's: order and clock, microseconds since the epoch */
	int64_t time_ns; /* of what happened */
	uint64_t incident, flow_id, session;
	uint8_t kind; /* enum event_kind */
	uint8_t class
		; /* enum conf_alert_class; ALERT_CLASSES: no alert, but context (commands, seals, incidents) */
	uint8_t direction, verdict, proto, severity;
	uint16_t port; /* destination's */
	uint32_t sid, gid;
	struct addr
		source; /* the other side: the intruder, or whom the guest talks to; ver 0: none */
	struct event_syn syn; /* inbound TCP: how the source greets; ttl 0: not known */
	char guest[EVENT_NAME];
	char state[EVENT_NAME]; /* incident: "open", "quiet"; health: what; file of a seal */
	char what[ALERT_WHAT];  /* signature, limit, role, user of a login */
	char text[EVENT_TEXT];  /* the event's sentence; a command line, cut */
};

/* False: of no interest. Cheap enough for every event. */
bool alert_wants(const struct event *e);
/* The same, and what it is to us. Times are cut to microseconds, as in the store. */
bool alert_input_of(const struct event *e, struct alert_input *ret);
/* The same from a line of the event store; equal to what alert_input_of gave for that event.
 * SKEP_ENOTFOUND: of no interest; SKEP_EFORMAT: not one of our lines. Allocates. */
MUST_USE int alert_input_json(uint64_t id, const char *json, struct alert_input *ret);

/* Why something was not sent by itself. */
/* clang-format off */
enum alert_why { ALERT_SENT, ALERT_QUIET, ALERT_WINDOW, ALERT_HOUR, ALERT_DAY, ALERT_TOTAL, ALERT_HOURS,
		 ALERT_MERGED, /* told in the digest of its incident */
		 ALERT_FULL,   /* a table of ours is full */
		 ALERT_WHYS };
enum alert_kind { ALERT_FIRST, ALERT_MORE, ALERT_INCIDENT_END, ALERT_DAY_END, ALERT_BUDGET, ALERT_TEST, ALERT_KINDS };
/* clang-format on */
const char *alert_why_text(enum alert_why w);   /* "window" */
const char *alert_kind_text(enum alert_kind k); /* "first" */

/* What was held back, by reason. */
struct alert_count {
	uint8_t class, why,
		quiet; /* quiet: number of the rule from 1, in the order of the file; built-in ones from 129 */
	uint8_t pad;
	uint32_t n;
	int64_t first_ns, last_ns;
};
#define ALERT_COUNTS 12
struct alert_message {
	uint64_t number; /* of this installation, growing; its Message-ID */
	uint64_t
		thread; /* number of the first message of its incident to this destination; 0: it is that */
	int64_t at_ns;               /* on the engine's clock */
	uint8_t destination;         /* index in conf_alerts.to */
	uint8_t kind, class, weight; /* enum alert_kind, enum conf_alert_class */
	uint8_t bypass, pad[3];
	uint64_t incident;
	int64_t since_ns;        /* digest: begin of what it covers; incident: when it began */
	struct alert_input what; /* the fact; digests: the heaviest of it */
	uint32_t sent;           /* digests: messages that were sent */
	uint32_t n_counts;
	struct alert_count counts[ALERT_COUNTS]; /* held back since the last message of this key */
	uint32_t n_commands;                     /* the last ones of the incident, oldest first */
	char commands[ALERT_COMMANDS][ALERT_COMMAND];
	int64_t seen_ns; /* the source was seen before, first then; 0: never */
	uint32_t seen_times;
	uint8_t budget; /* ALERT_HOUR, ALERT_DAY, ALERT_TOTAL: this message is the last that it allows */
	uint8_t pad2[3];
	int64_t quiet_until_ns; /* ... and when it is open again; 0: never */
};

/* How a class is treated, by default or as the operator wants it. */
struct alert_class {
	uint8_t weight, bypass; /* bypass: never throttled, never quiet by hours */
	struct conf_throttle throttle;
};
struct alert_class alert_class_of(const struct conf_alerts *c, enum conf_alert_class class);
/* Does this destination take that class? By its own filter, and by the class's. */
bool alert_takes(const struct conf_alerts *c, const struct conf_destination *to,
		 enum conf_alert_class class);
/* Name of a built-in quiet rule ("own-dns") by its number in alert_count; "" for others. */
const char *alert_quiet_text(uint8_t quiet);

/* Held-back events of one key, told once a minute and at the end of its window: for the log. */
struct alert_held {
	int64_t at_ns;
	uint8_t destination, class, why, quiet;
	uint32_t n;
	uint64_t incident;
	char guest[EVENT_NAME];
	struct addr source;
};

struct alert_out {
	void (*send)(void *ctx, const struct alert_message *m);
	void (*held)(void *ctx, const struct alert_held *h);
	/* The address's AS (0: not known) and country ("" likewise), for quiet rules. */
	void (*place)(void *ctx, const struct addr *a, uint32_t *ret_as, char ret_country[4]);
	/* Seconds that local time is ahead of UTC then. */
	int32_t (*local)(void *ctx, int64_t wall_ns);
	void *ctx;
};

struct alert; /* lives in an arena; fixed size, whatever comes */
/* Enough for an arena of its own. */
size_t alert_bytes(void);
/* c and out must live as long. Numbers of messages are the time in microseconds, or one more than the last: so
 * that they are never used twice, even if all state is lost. SKEP_EFULL: the arena is too small. */
MUST_USE int alert_create(struct arena *arena, const struct conf_alerts *c,
			  const struct alert_out *out, struct alert **ret);
void alert_event(struct alert *a, const struct alert_input *in);
/* Nothing with a time before now will come any more. */
void alert_tick(struct alert *a, int64_t now_ns);
/* When alert_tick has something to do next; INT64_MAX: nothing. */
int64_t alert_next_ns(const struct alert *a);

/* ---- state over restarts: slots, each under a number that stays ------------------------------- */

/* Calls fn for every slot that changed since the last call; size 0: it is empty now. What is to be told of
 * as held back is told first. */
void alert_save(struct alert *a,
		void (*fn)(void *ctx, uint64_t slot, const void *data, size_t size), void *ctx);
/* Puts one back, before the first event. SKEP_EFORMAT: of another version; it is left out. */
MUST_USE int alert_load(struct alert *a, uint64_t slot, const void *data, size_t size);

#endif
