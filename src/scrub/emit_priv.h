/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emit: the TCP frames that leave where a conversation is translated: a frame with other numbers, a frame's
 * beginning with other bytes behind it, an empty or a resetting one. Inside scrub only. Every checksum is
 * right afterwards, or partial (VNET_NEEDS_CSUM) where it was, or where the kernel cuts segments for us.
 */
#ifndef SKEP_EMIT_PRIV_H
#define SKEP_EMIT_PRIV_H

#include "packet/packet.h"
#include "scrub/scrub.h"
#include "scrub/xlate_priv.h"

/* Buffers for SCRUB_FRAMES frames. */
struct emit;

/* Makes them (heap, here only). The caller frees. */
MUST_USE int emit_create(struct emit **ret);
void emit_free(struct emit **e);
/* Forgets the frames made so far. */
void emit_clear(struct emit *e);
/* The frames made since, in the order in which they leave; valid until emit_clear. */
uint32_t emit_frames(struct emit *e, struct frame ***ret);
/* Puts a frame of the caller's in between (f itself, edited in place). SKEP_EFULL: no room. */
MUST_USE int emit_add(struct emit *e, struct frame *f);

/* ---- a frame in place: TCP, not a fragment, l its layers (they follow) ---------------------------- */

/* Sequence number (own: the frame's direction), acknowledgement and SACK (peer: the other one). NULL: not
 * translated. Does not move bytes: for frames without payload, or whose payload xlate_plain is true of. */
void emit_headers(struct frame *f, struct layers *l, const struct xlate *own,
		  const struct xlate *peer);
/* Cuts front bytes off the beginning of the payload (the sequence number goes along) and back bytes off its end
 * (then without FIN and PSH: there is more to come). */
void emit_cut(struct frame *f, struct layers *l, uint32_t front, uint32_t back);
/* Becomes an empty acknowledgement numbered seq. */
void emit_bare(struct frame *f, struct layers *l, uint32_t seq);
/* The same, numbered so that the receiver answers (Linux: twice a second at most): instead of a segment of
 * which nothing may pass, or nothing is left, so that the sender hears how far the receiver is. x: of the
 * frame's direction, not NULL. */
void emit_probe(struct frame *f, struct layers *l, const struct xlate *x);
/* Becomes a reset numbered seq; the receiver takes it if that is just what it waits for. */
void emit_reset(struct frame *f, struct layers *l, uint32_t seq);

/* ---- frames of a stream's bytes ------------------------------------------------------------------- */

struct emit_what {
	const struct xlate *x; /* of this direction, not NULL */
	struct xlate_kept kept;
	int64_t from, to; /* out offsets, as of xlate_span; the FIN included if there is one */
	bool fin;         /* the last of them is the FIN */
	bool push;        /* PSH in the last segment */
	uint16_t
		mss; /* longest segment; 0: what head's payload or segmentation tells, at least 536 */
};
/* Makes frames of these bytes behind the headers of head (Ethernet to TCP, options included, already as they
 * are to leave; l: its layers; only head's bytes up to l->payload are read). What is longer than a segment
 * leaves as a super-frame for the kernel to cut. Without URG. SKEP_EFULL: not all fitted, *ret_done says how
 * far (an out offset) it went; SKEP_ENOTFOUND: kept lacks bytes; SKEP_EFORMAT: head can't be one. */
MUST_USE int emit_stream(struct emit *e, const struct frame *head, const struct layers *l,
			 const struct emit_what *what, int64_t *ret_done);

#endif
