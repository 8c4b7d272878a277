/* SPDX-License-Identifier: BSD-2-Clause */
/* What is replaced, by its beginnings: what may become one of them waits. Only for src/rule. */
#ifndef SKEP_RULE_REPLACE_HOLD_PRIV_H
#define SKEP_RULE_REPLACE_HOLD_PRIV_H

#include "rule/rule_priv.h"

struct hold {
	const struct match_content *c;
	const struct rule *rule;
};
struct holds {
	struct hold *at; /* ordered by their first byte in lower case */
	uint32_t n, cap, max_len;
	uint32_t first[257]; /* at[first[b]] .. at[first[b + 1]] begin with b */
};
/* Adds the contents of a list that are replaced. */
MUST_USE int holds_add(struct holds *h, const struct rule *r, const struct rule_list *l);
void holds_finish(struct holds *h);
struct compiled;
void holds_free(struct compiled *c);
struct plan;
/* What is replaced must be known as soon as it is there: how much more it is worth as a fast pattern. */
unsigned replace_urgency(const struct rule_list *l, const struct match_content *c);
/* What a rule replaces, and whether later bytes decide about it. */
void plan_replaces(const struct rule *r, struct plan *p);

#endif
