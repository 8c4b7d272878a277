/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * outbox: messages that wait to be delivered, what became of each, what was held back, and the state of
 * the engine that decided it, in one SQLite file: all that one batch of events brought about is one
 * transaction, so that a crash at any point neither forgets nor repeats. alerter is the only writer;
 * cmd reads.
 */
#ifndef SKEP_OUTBOX_H
#define SKEP_OUTBOX_H

#include "base/base.h"

#define OUTBOX_NAME 32
#define OUTBOX_TEXT 256

enum outbox_state { OUTBOX_WAITING, OUTBOX_SENT, OUTBOX_FAILED, OUTBOX_KEPT };
struct outbox_item {
	uint64_t number; /* alert_message.number: unique */
	char destination[OUTBOX_NAME], class[OUTBOX_NAME], kind[OUTBOX_NAME], guest[OUTBOX_NAME];
	struct addr source;
	uint64_t incident;
	uint8_t weight, bypass;
	uint8_t state;   /* enum outbox_state */
	int64_t at_ns;   /* decided; wall clock */
	int64_t next_ns; /* try not before this; wall clock */
	int64_t done_ns;
	uint32_t tries;
	uint32_t refused;          /* of these, how often the server said that it never will */
	char summary[OUTBOX_TEXT]; /* the short form */
	char answer[OUTBOX_TEXT];  /* what the server last said, foreign bytes */
};
struct outbox_log { /* one line of what was held back; same key and minute add up */
	int64_t at_ns;
	char destination[OUTBOX_NAME], class[OUTBOX_NAME], why[OUTBOX_NAME], rule[OUTBOX_TEXT],
		guest[OUTBOX_NAME];
	struct addr source;
	uint64_t incident;
	uint32_t n;
};

struct outbox;
#define OUTBOX_DAMAGED 1
#define OUTBOX_NO_DISK 2
/* dir: "." works. 0, an error, or OUTBOX_DAMAGED: opened, but the file was damaged and moved aside;
 * OUTBOX_NO_DISK: it can't be opened now (a full disk, one that is read-only), and what is in it is not known; all
 * stays in memory until a commit succeeds. */
MUST_USE int outbox_open(const char *dir, struct outbox **ret);
void outbox_close(struct outbox **o);
/* All changes since the last commit are one: they are in memory until then. After an error of commit
 * (-ENOSPC ...) nothing of them is on the disk; they stay in memory until a later commit succeeds (at most
 * OUTBOX_MEMORY items, the lightest go first), and are delivered meanwhile. SKEP_EFORMAT: the file was damaged
 * and has been moved aside. */
#define OUTBOX_MEMORY 256
MUST_USE int outbox_commit(struct outbox *o);
/* Changes that wait for a commit: who makes many does not let them pile up. */
uint32_t outbox_pending(const struct outbox *o);

/* i and body are copied. SKEP_EFULL: it was kept, or was the lightest, but one was lost for want of memory. */
MUST_USE int outbox_add(struct outbox *o, const struct outbox_item *i, const void *body,
			size_t len);
/* The next that is due for a destination: bypass and weight first, then age. *ret_body is malloc'ed, the
 * caller's. SKEP_ENOTFOUND: none; *ret_next_ns then says when there may be one. */
MUST_USE int outbox_due(struct outbox *o, const char *destination, int64_t now_ns,
			struct outbox_item *ret, void **ret_body, size_t *ret_len,
			int64_t *ret_next_ns);
/* What became of a try, which it counts. SKEP_EFULL: there are more changes than fit between two commits; this
 * one is not noted. */
MUST_USE int outbox_done(struct outbox *o, uint64_t number, enum outbox_state state, int64_t now_ns,
			 const char *answer);
MUST_USE int outbox_later(struct outbox *o, uint64_t number, int64_t next_ns, bool refused,
			  const char *answer);
/* What waits for a destination that is none of these names fails. SKEP_EFULL: some of it; again after a commit. */
MUST_USE int outbox_forsake(struct outbox *o, const char *const *names, uint32_t n, int64_t now_ns,
			    uint32_t *ret_n);
MUST_USE int outbox_held(struct outbox *o, const struct outbox_log *l);
MUST_USE int outbox_waiting(struct outbox *o, uint32_t *ret_n);
/* Old entries go: those that are done, and log lines (ten times as many), over the age or the number; some at
 * a time. */
MUST_USE int outbox_housekeep(struct outbox *o, int64_t before_ns, uint32_t most);

/* The engine's slots (size 0: empty now) and numbers that must survive ("event", "beat"). */
MUST_USE int outbox_slot(struct outbox *o, uint64_t slot, const void *data, size_t size);
MUST_USE int outbox_slots(struct outbox *o,
			  void (*fn)(void *ctx, uint64_t slot, const void *data, size_t size),
			  void *ctx);
MUST_USE int outbox_set(struct outbox *o, const char *name, uint64_t value);
MUST_USE int outbox_get(struct outbox *o, const char *name, uint64_t *ret); /* SKEP_ENOTFOUND */

/* ---- reading by anybody who may (opens read-only, while alerter writes). -ENOENT: there is none yet - */

/* Oldest first; fn returns false to stop. */
MUST_USE int outbox_items(const char *dir, int64_t from_ns,
			  bool (*fn)(void *ctx, const struct outbox_item *i), void *ctx);
MUST_USE int outbox_logs(const char *dir, int64_t from_ns,
			 bool (*fn)(void *ctx, const struct outbox_log *l), void *ctx);
/* *ret_body is malloc'ed, the caller's. SKEP_ENOTFOUND: there is no such message. */
MUST_USE int outbox_body(const char *dir, uint64_t number, struct outbox_item *ret, void **ret_body,
			 size_t *ret_len);

#endif
