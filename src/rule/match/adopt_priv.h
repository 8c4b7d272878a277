/* SPDX-License-Identifier: BSD-2-Clause */
/* One engine taking over from another. Only for src/rule. */
#ifndef SKEP_RULE_MATCH_ADOPT_PRIV_H
#define SKEP_RULE_MATCH_ADOPT_PRIV_H

#include "rule/match/eval_priv.h"

#define ADOPT_NONE UINT32_MAX

struct adoption {
	struct rule_engine *e, *from;
	uint32_t *rules, *bits; /* by number in from's set: number in e's, or ADOPT_NONE */
	uint32_t n_bits;
	bool same;      /* every rule has its old number, and there is no other */
	bool same_bits; /* the same for bits */
	bool any_new;   /* e's set has rules that from's has not */
};
/* Everything but the flows. */
void adopt_begin(struct adoption *a, struct rule_engine *e, struct rule_engine *from);
void adopt_flow(const struct adoption *a, struct stream_flow *f);
/* state.c: thresholds and bits of hosts. */
void state_adopt(const struct adoption *a);
/* tx.c: tx->rules[dir], which is not NULL. */
void tx_adopt(const struct adoption *a, struct app_tx *tx, unsigned dir);

#endif
