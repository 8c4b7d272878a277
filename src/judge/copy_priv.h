/* SPDX-License-Identifier: BSD-2-Clause */
/* What collector gets copies of (copy.c), inside judge only. A part of judge_priv.h, which includes it. */
#ifndef SKEP_JUDGE_COPY_PRIV_H
#define SKEP_JUDGE_COPY_PRIV_H

#include "judge/judge_priv.h"

/* A conversation that may go on has opened: is it one? */
void copy_opened(const struct judge *j, struct flow *f);
/* Is it said that it opened? It was said: then its end is told as well. */
bool copy_is_told(struct judge *j, struct flow *f, int64_t now_ns);
bool copy_was_told(const struct flow *f);
/* Its frame leaves (only if f->copy is not 0). */
void copy_frame(struct way *w, struct flow *f, unsigned side);
/* A frame that had waited leaves by port. */
void copy_released(struct judge *j, uint16_t port, const struct frame *f);
/* The flow leaves the table. */
void copy_ended(const struct judge *j, const struct flow *f);

#endif
