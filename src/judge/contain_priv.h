/* SPDX-License-Identifier: BSD-2-Clause */
/* Containment, inside judge only. A part of judge_priv.h, which includes it. */
#ifndef SKEP_JUDGE_CONTAIN_PRIV_H
#define SKEP_JUDGE_CONTAIN_PRIV_H

#include "judge/judge_priv.h"

/* ---- contain.c: what a guest may begin ------------------------------------------------------------ */

/* Applies orders and policy to a conversation whose direction is known. */
void contain_plan(const struct way *w, struct plan *p);
/* The limit of that class. */
const struct conf_limit *contain_limit(const struct judge *j, unsigned class);
/* Counts it where the plan says, or refuses it. */
void contain_charge(struct way *w, struct plan *p);
/* Packets and bytes of a conversation that a rule counts. */
bool contain_has(struct way *w, struct flow *f);
void contain_take(struct way *w, struct flow *f);
/* Nothing is exchanged with that address. */
bool contain_is_fenced(const struct judge *j, const struct addr *a);
/* Inbound conversations from there are dropped silently: counted. */
bool contain_ignores(struct judge *j, const struct addr *src);
/* orders.c: orders whose time is over. */
void contain_expire(struct judge *j, int64_t now_ns);

#endif
