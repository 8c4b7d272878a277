/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules in the way of a frame (inline.c), and what they tell (alert.c), inside judge only. A part of judge_priv.h, which
 * includes it. */
#ifndef SKEP_JUDGE_INLINE_PRIV_H
#define SKEP_JUDGE_INLINE_PRIV_H

#include "judge/judge_priv.h"

/* Looks at the frame and translates it (quoted: an ICMP error's): rules see what the guest sees. Not
 * REASON_NONE: it ends here, and maybe its conversation; the sender is told. */
enum reason inline_look(struct way *w, struct flow *f, unsigned side, struct layers *quoted,
			struct scrub_seen *ret_seen);
/* Fills in what leaves instead of the frame, which is as it would leave. */
void inline_emit(struct way *w, const struct scrub_seen *seen);
/* The flow leaves the table. */
void inline_flow_ended(struct judge *j, const struct flow *f, int64_t now_ns);

/* ---- alert.c ------------------------------------------------------------------------------------------ */

void alert_listen(struct judge *j);
/* A rule stopped the frame in hand (of f, or NULL). */
void alert_dropped(struct way *w, const struct flow *f, unsigned side, uint64_t flow_id);

#endif
