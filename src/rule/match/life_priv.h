/* SPDX-License-Identifier: BSD-2-Clause */
/* How an engine comes and goes: where its libraries' memory is from, what lets another take over. Only for
 * src/rule. */
#ifndef SKEP_RULE_MATCH_LIFE_PRIV_H
#define SKEP_RULE_MATCH_LIFE_PRIV_H

#include "rule/rule_priv.h"

/* What the library for expressions was given (memory.c): made, from the heap, while the engine was made;
 * live, from the slab, for a match. */
struct pcre_memory {
	struct slab *slab;
	bool made_all;
	void *made[8], *live[4];
};
/* What another engine needs to take over, or to be taken over from (adopt.c). */
struct adopt_index {
	uint32_t *rules, *bits; /* by gid, sid, rev; by name */
	uint32_t *born;         /* generation that brought the rule */
	uint32_t generation;
	const struct rule_set *expected; /* the two below are its numbers here; NULL: of none */
	uint32_t *old_rules, *old_bits;
};
MUST_USE int adopt_create(const struct rule_set *set, struct adopt_index *ret);
void adopt_free(struct adopt_index *x);

MUST_USE int engine_make_pcre(struct rule_engine *e);
/* Gives back what the engine has of the slab: after it, the engine can be freed by another thread. */
void engine_leave_slab(struct rule_engine *e);

#endif
