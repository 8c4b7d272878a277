/* SPDX-License-Identifier: BSD-2-Clause */
/* alerter, inside: what its files share. Included only in this folder. */
#ifndef SKEP_ALERTER_PRIV_H
#define SKEP_ALERTER_PRIV_H

#include "alert/alert.h"
#include "facts/facts.h"
#include "notify/notify.h"
#include "outbox/outbox.h"
#include "role/role.h"

#define ALERTER_BEAT (UINT64_C(1) << 63) /* numbers of beats, which nobody keeps */
#define ALERTER_TEST \
	(UINT64_C(1) \
	 << 52) /* of test messages and such that stand for others; the engine's are below */

/* A destination, and what is under way to it: one at a time. */
struct route {
	uint64_t number;         /* 0: nothing is */
	int64_t handed_ns;       /* boot clock, as all here */
	struct outbox_item item; /* unless it is a beat */
	int64_t not_before_ns;   /* it failed: until then it is left alone */
	uint32_t fails;          /* in a row */
	int64_t failing_ns;      /* since then */
	bool told;               /* of this outage */
	uint32_t failed;         /* messages that were given up, not told yet */
	int64_t told_failed_ns;
	bool beat;          /* the newest beat is to go there ... */
	int64_t beat_at_ns; /* ... not before */
	uint32_t beat_tries;
};

/* Held-back events of one kind, until hub is told of them. */
#define ALERTER_HELD 128u
struct held_line {
	uint8_t destination, class, why;
	uint32_t n;
	char guest[EVENT_NAME];
};

struct alerter {
	struct start_alerter start;
	int events, hub, courier;
	struct outbox *box;
	struct arena arena;
	struct alert *engine;
	struct facts *facts;
	struct alert_out out;
	struct notify_from from;
	char domain[128];
	char *body; /* NOTIFY_BODY bytes */
	uint64_t lost;

	/* intake.c */
	bool asked, in_order; /* hub was told what is dealt with; it answered */
	uint64_t newest;      /* id of the last event that the engine saw */
	uint64_t seen;        /* up to where hub knows that it is on the disk */
	uint64_t on_disk;
	uint32_t fresh; /* events since the last commit */
	bool urgent;    /* a message is among what they brought about */
	bool caught_up;
	int64_t first_ns, last_event_ns, committed_ns, ticked_ns, pruned_ns;

	/* tell.c */
	struct held_line held[ALERTER_HELD];
	uint32_t n_held;
	int64_t told_held_ns;
	uint64_t failed_commits, dropped; /* since the last complaint */
	int failed_error;                 /* why the last of them did */
	int last_error;                   /* of the last commit; 0: it succeeded */
	int64_t complained_ns;

	/* send.c */
	struct route routes[CONF_DESTINATIONS];
	int64_t wait_first_ns;

	/* beat.c */
	struct notify_beat beat;
	int64_t beat_ns;
	bool seals_changed;
	bool stopping;
};

/* ---- intake.c: events to messages ----------------------------------------------------------------- */

/* Engine and its state from the outbox. */
MUST_USE int intake_prepare(struct alerter *a);
/* Tells hub where to go on, if it has not heard it yet. */
void intake_ask(struct alerter *a);
/* Takes what hub has, up to a burst. False: the channel is unusable. */
bool intake_take(struct alerter *a);
/* Lets the engine's clock go on, once a second. */
void intake_tick(struct alerter *a);
/* Writes what is due to be written, and tells hub. now: all of it. */
void intake_commit(struct alerter *a, bool now);
/* When intake_commit has something to do; INT64_MAX: not without an event. */
int64_t intake_next_ns(const struct alerter *a);
/* A test message to one destination, or (255) to all. */
void intake_test(struct alerter *a, uint8_t destination);
/* That a message was refused, without what an intruder typed: for that may be why (a filter of spam, of viruses). */
void intake_plain(struct alerter *a, uint8_t destination, const struct outbox_item *refused);
/* Old entries go, now and then. */
void intake_prune(struct alerter *a);

/* ---- send.c: messages to courier and super -------------------------------------------------------- */

/* Hands on what is due; returns when there is more to do (boot clock). */
int64_t send_due(struct alerter *a);
/* Reads results. False: super is gone or wants an end. */
void send_results(struct alerter *a, int fd, enum role from);
void send_result(struct alerter *a, const struct deliver_result *r);
/* A new courier: what the last one had may not have gone. */
void send_again(struct alerter *a);
bool send_idle(const struct alerter *a);

/* ---- beat.c: a second machine's watch ------------------------------------------------------------- */

void beat_load(struct alerter *a, uint64_t slot, const void *data, size_t size);
/* Does the slot belong to us, and not to the engine? */
bool beat_slot(uint64_t slot);
void beat_seal(struct alerter *a, const struct event_seal *s);
/* A new beat, in place of one that has not gone yet. */
void beat_now(struct alerter *a, const char *why);
void beat_tick(struct alerter *a);

/* ---- tell.c: what hub is told --------------------------------------------------------------------- */

void tell_notice(struct alerter *a, const char *what, const struct outbox_item *i, const char *why);
void tell_health(struct alerter *a, uint8_t priority, const char *what, uint64_t count,
		 const char *text);
void tell_held(struct alerter *a, const struct alert_held *h);
/* Counts of what was held back, once a minute; trouble with the disk, likewise. */
void tell_sums(struct alerter *a, bool all);

#endif
