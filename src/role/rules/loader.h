/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader: the wall's second thread. It reads rules and makes an engine of them while the first one goes on
 * with frames, and frees the old ones afterwards. Each of the two gives up what it does not need on its own:
 * this one may take memory, the other may touch the wire. They share nothing but orders and answers.
 */
#ifndef SKEP_ROLE_RULES_LOADER_H
#define SKEP_ROLE_RULES_LOADER_H

#include "rule/rule.h"

struct loader_counts {
	uint64_t rules, failed, warnings;
	int64_t load_ns;
};
/* Reads texts (compiler_pack) with the databases of snapshot, or without them where they can't be used.
 * Problems go to the log, at most a few lines. The descriptors stay the caller's. No machine code is made of expressions: nothing
 * in the wall's memory is both writable and executable. */
MUST_USE int loader_read(int texts, int snapshot, struct rule_set **ret,
			 struct loader_counts *ret_counts);

struct loader;
struct loader_conf {
	struct rule_engine_conf engine;
	struct slab *slab; /* engines are made for it, nothing is taken from it */
};
/* Starts the thread; it is confined when this returns. Before the caller's own confinement. */
MUST_USE int loader_create(const struct loader_conf *conf, struct loader **ret);
/* Readable when there is an answer. */
int loader_fd(const struct loader *l);
/* Orders a set and its engine, which will take over from one of set now; takes the descriptors. -EBUSY: it is still at the last one (the
 * descriptors are closed). Neither blocks nor allocates, as none below. */
MUST_USE int loader_order(struct loader *l, int texts, int snapshot, const struct rule_set *now);
struct loader_answer {
	int result; /* 0: set and engine are the caller's */
	struct rule_set *set;
	struct rule_engine *engine;
	struct loader_counts counts;
};
/* false: there is none yet. */
bool loader_take(struct loader *l, struct loader_answer *ret);
/* To be freed over there, when nobody uses them any more. Only after an answer was taken. */
void loader_discard(struct loader *l, struct rule_set *set, struct rule_engine *engine);
/* Waits for the thread to end. Only before the caller is confined, or at its very end. */
void loader_end(struct loader **l);

#endif
