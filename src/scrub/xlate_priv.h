/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xlate: one direction of a TCP conversation whose bytes are changed on the way. "In" offsets are the
 * sender's stream, as src/stream counts them; "out" offsets are the receiver's. Inside scrub only.
 *
 * The FIN counts as one byte of the stream, at the offset behind the last one.
 *
 * NULL stands for a direction that nobody has touched: every translation gives back what it was given.
 */
#ifndef SKEP_XLATE_PRIV_H
#define SKEP_XLATE_PRIV_H

#include "base/slab.h"

#define XLATE_EDITS 4096u        /* not yet acknowledged, of one direction */
#define XLATE_BYTES (1u << 20)   /* that they hold */
#define XLATE_FREE_RUN INT64_MAX /* as limit: nothing is held back */

struct xlate;

/* Bytes of the sender's stream that can be read: data[0] stands at off. Borrowed. */
struct xlate_kept {
	int64_t off;
	const uint8_t *data;
	uint32_t len;
};

/* Makes the state of a direction. seq0: sequence number of offset 0, the same on both sides. emitted: in
 * offset up to which bytes have left so far, unchanged. Memory comes from slab (kept by reference): -ENOMEM
 * when it has none. The caller frees it. */
MUST_USE int xlate_create(struct slab *slab, uint32_t seq0, int64_t emitted, struct xlate **ret);
void xlate_free(struct xlate **x);

/* in_len bytes at in_off become the n at bytes (copied). in_len 0 inserts, n 0 deletes; insertions at one
 * place leave in the order in which they were made. An insertion beyond `emitted` leaves together with the
 * byte before it, one at `emitted` together with the byte (or FIN) behind it. SKEP_ERANGE: before
 * `emitted`, or overlaps another edit. SKEP_EFULL: too many edits or bytes; -ENOMEM: slab. */
MUST_USE int xlate_edit(struct xlate *x, int64_t in_off, uint32_t in_len, const void *bytes,
			uint32_t n);
/* Was anything ever changed? (If not, and nothing is held, the state may be freed.) */
bool xlate_edited(const struct xlate *x);

/* How far bytes may leave, for the caller to remember: nothing here looks at it. */
void xlate_set_limit(struct xlate *x, int64_t in_off);
int64_t xlate_limit(const struct xlate *x); /* XLATE_FREE_RUN at first */

/* Bytes up to in_to leave now. From inside an edit it goes back to where the edit begins; never falls.
 * Returns what `emitted` is then. */
int64_t xlate_emit(struct xlate *x, int64_t in_to);
int64_t xlate_emitted(const struct xlate *x); /* NULL: INT64_MAX */

/* Where the byte at in_off begins, for the receiver. Inside an edit: where the edit begins. Never falls as
 * in_off grows. Below what was pruned: something old, at most what has been acknowledged. */
int64_t xlate_out(const struct xlate *x, int64_t in_off);
/* The greatest in offset all of whose output somebody has who acknowledged out_off; never beyond
 * `emitted`; a part of an edit counts as nothing of it. */
int64_t xlate_in(const struct xlate *x, int64_t out_off);
/* The receiver acknowledged out_off (what was never sent is ignored): edits before it are forgotten. */
void xlate_acked(struct xlate *x, int64_t out_off);
int64_t xlate_out_acked(const struct xlate *x); /* 0 at first, and of NULL */

/* Do the bytes in_from .. in_to leave just as they came, but for the sequence number? False where they touch
 * an edit, or what the receiver has acknowledged. */
bool xlate_plain(const struct xlate *x, int64_t in_from, int64_t in_to);
/* What stands for the bytes in_from .. in_to, edits that they touch taken whole, without what the receiver
 * has: out offsets. Nothing: *ret_from == *ret_to. Only for in_to <= emitted. */
void xlate_span(const struct xlate *x, int64_t in_from, int64_t in_to, int64_t *ret_from,
		int64_t *ret_to);
/* Writes n bytes of what the receiver gets, from out_off on, to dst. SKEP_ENOTFOUND: kept does not hold
 * all that this needs (dst has been written to). */
MUST_USE int xlate_read(const struct xlate *x, const struct xlate_kept *kept, int64_t out_off,
			uint8_t *dst, uint32_t n);

/* ---- numbers of 32 bits, as packets carry them ---------------------------------------------------- */

/* Offset of a sequence number of the sender's; of an acknowledgement of the receiver's. */
int64_t xlate_seq_off(const struct xlate *x, uint32_t seq);
int64_t xlate_ack_off(const struct xlate *x, uint32_t ack);
/* Sequence number of an offset, in or out. */
uint32_t xlate_number(const struct xlate *x, int64_t off);
/* The last number that the receiver surely has: a segment without payload there is answered. */
uint32_t xlate_old(const struct xlate *x);
/* A sequence number of the sender's for the receiver. bare: of a segment without payload, SYN or FIN, which
 * must not tell of bytes that wait. What was old (a keep-alive probe) stays old. */
uint32_t xlate_seq(const struct xlate *x, uint32_t seq, bool bare);
/* An acknowledgement of the receiver's for the sender. */
uint32_t xlate_ack(const struct xlate *x, uint32_t ack);
/* A block that the receiver selectively acknowledged, for the sender: shrunk to what the receiver has all
 * output of. False: nothing is left of it; or it begins before what was acknowledged (D-SACK), where a changed
 * stream can't be translated exactly any more. */
bool xlate_sack(const struct xlate *x, uint32_t *left, uint32_t *right);

#endif
