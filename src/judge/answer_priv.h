/* SPDX-License-Identifier: BSD-2-Clause */
/* What the wall says itself (answer.c), inside judge only. A part of judge_priv.h, which includes it. */
#ifndef SKEP_JUDGE_ANSWER_PRIV_H
#define SKEP_JUDGE_ANSWER_PRIV_H

#include "judge/judge_priv.h"

/* A free reply buffer that will leave by port, or NULL. */
struct frame *answer_slot(struct way *w, uint16_t port);
void answer_reset(struct way *w);
void answer_time_exceeded(struct way *w);
/* What a rule rejects: to the sender a reset, or that it can't be reached; as from whom it spoke to. */
void answer_reject(struct way *w);
/* A reset to the receiver, as from the sender: l has the addresses as it knows them, next is the sequence number
 * it waits for. */
void answer_reset_receiver(struct way *w, const struct layers *l, uint16_t port,
			   const struct mac *dst, const struct mac *src, uint32_t next);

#endif
