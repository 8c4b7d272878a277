/* SPDX-License-Identifier: BSD-2-Clause */
/* One direction's bytes as they lie in memory: those in order, and the pieces out of order. */
#ifndef SKEP_STREAM_HALF_H
#define SKEP_STREAM_HALF_H

#include "base/base.h"

#define SEGS_MAX 512u          /* pieces out of order, per direction */
#define INLINE_MOST (4u << 20) /* inline: bytes in order that are kept, per direction */
#define BOUNDS 16u             /* latest segments in order whose beginnings are remembered */

/* A piece out of order. before, after: how far the segment it came in reached to both sides, which
 * is what overlap policies look at. */
struct seg {
	uint64_t off;
	uint8_t *data;
	uint32_t len, before, after;
};

/* Where the latest segments in order began, for overlap policies. */
struct bounds {
	uint32_t at[BOUNDS]; /* low words of offsets */
	uint8_t n, next;
};

/* One direction's inner half. Bytes hi - have .. hi are in buf + start; side.data points to byte
 * side.base of them, of which side.len are released. Offline side.base is hi - have; inline what lies
 * before side.base waits for its acknowledgement. */
struct half {
	uint8_t *buf;
	struct seg *segs; /* sorted, never overlapping, all beyond hi */
	uint64_t hi;      /* offset of the next byte in order */
	uint64_t fin_off; /* where the FIN stands, UINT64_MAX: none yet */
	uint64_t shown;   /* end of what was released when the consumer last looked */
	uint32_t hi_seq;  /* its sequence number */
	uint32_t cap, start, have;
	uint32_t peak, usual; /* have at most, in this buffer; in those before */
	uint32_t n_segs, cap_segs, seg_bytes;
	uint32_t next_win; /* last_ack + window: up to here it may send */
	uint32_t last_ts;
	uint32_t fin_end; /* sequence number after its FIN */
	int64_t last_ts_ns;
	struct bounds *bounds; /* NULL: inline, where the first bytes stay whatever came how */
	bool has_ts, has_wscale, fin_sent, flush, depth_told;
};

/* The first byte in order that is still there. */
static inline uint64_t half_floor(const struct half *h)
{
	return h->hi - h->have;
}

static inline int64_t half_offset(const struct half *h, uint32_t seq)
{
	return (int64_t)h->hi + (int32_t)(seq - h->hi_seq);
}

/* The first piece out of order that ends behind off; n_segs: none. */
uint32_t side_search(const struct half *h, uint64_t off);

/* inline.c: are the bytes off .. end known, all of them? What was acknowledged and is kept no more counts
 * as known. */
bool inline_knows(const struct half *h, int64_t off, int64_t end);

#endif
