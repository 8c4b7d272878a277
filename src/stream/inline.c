/* SPDX-License-Identifier: BSD-2-Clause */
/* Inline: what becomes of a packet of TCP, and what others may ask about the bytes that were taken in.
 * The verdict looks at what is known afterwards, not at the way the state machine went: a payload
 * passes if every byte of it was taken in, now or before. */
#include <string.h>

#include "stream/stream_priv.h"

static int64_t max_i64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t min_i64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

bool inline_knows(const struct half *h, int64_t off, int64_t end)
{
	int64_t at = max_i64(off, (int64_t)h->hi);

	if (end <= at)
		return true;
	for (uint32_t i = side_search(h, (uint64_t)at); i < h->n_segs && at < end; i++) {
		if ((int64_t)h->segs[i].off > at)
			return false;
		at = (int64_t)(h->segs[i].off + h->segs[i].len);
	}
	return at >= end;
}

/* Calls fn for each stretch of off .. off + len whose bytes are kept. */
typedef void stretch_fn(void *ctx, uint32_t at, const uint8_t *kept, uint32_t len);

static void each_stretch(const struct half *h, int64_t off, uint32_t len, stretch_fn *fn, void *ctx)
{
	int64_t end = off + len, floor = (int64_t)half_floor(h), hi = (int64_t)h->hi;
	int64_t from = max_i64(off, floor), to = min_i64(end, hi);

	if (from < to)
		fn(ctx, (uint32_t)(from - off), h->buf + h->start + (from - floor),
		   (uint32_t)(to - from));
	if (end <= hi || !h->n_segs)
		return;
	from = max_i64(off, hi);
	for (uint32_t i = side_search(h, (uint64_t)from); i < h->n_segs; i++) {
		const struct seg *g = &h->segs[i];
		int64_t lo = max_i64((int64_t)g->off, from);

		to = min_i64((int64_t)(g->off + g->len), end);
		if (lo >= to)
			break;
		fn(ctx, (uint32_t)(lo - off), g->data + (lo - (int64_t)g->off),
		   (uint32_t)(to - lo));
	}
}

struct comparison {
	const uint8_t *payload;
	bool differs;
};

static void compare(void *ctx, uint32_t at, const uint8_t *kept, uint32_t len)
{
	struct comparison *c = ctx;

	c->differs |= memcmp(c->payload + at, kept, len) != 0;
}

static void overwrite(void *ctx, uint32_t at, const uint8_t *kept, uint32_t len)
{
	memcpy((uint8_t *)ctx + at, kept, len);
}

/* ---- the verdict ------------------------------------------------------------------------ */

static bool broken(const struct step *st)
{
	const struct pkt *p = st->p;

	if (!p->l4 || !p->l4_hlen || (st->s->conf.checksums && p->bad_l4_csum))
		return true;
	/* Nobody sends these to be understood. */
	return (p->tcp.flags & FL_SYN) && (p->tcp.flags & (FL_FIN | FL_RST));
}

void inline_verdict(struct step *st)
{
	struct stream_result *ret = st->ret;
	const struct half *h;
	const struct pkt *p = st->p;
	uint8_t flags = p->tcp.flags;
	int64_t off, end, floor;

	if (ret->refuse)
		return;
	if (!st->slot->f.tcp || broken(st)) {
		ret->refuse = true;
		return;
	}
	h = &tcb_of(st->slot)->half[st->dir];
	floor = (int64_t)half_floor(h);
	off = half_offset(h, p->tcp.seq + (flags & FL_SYN ? 1 : 0));
	end = off + p->payload_len;
	ret->off = (uint64_t)off;
	if (flags & FL_SYN)
		st->slot->f.side[st->dir].sack_ok = p->tcp.has_sack_ok;
	if (flags & (FL_SYN | FL_RST)) { /* they may pass, their payload is never taken in */
		ret->stale = p->payload_len;
		return;
	}
	if (p->payload_len) {
		ret->stale = (uint32_t)max_i64(min_i64(floor - off, p->payload_len), 0);
		/* While known bytes wait for memory nobody has seen them: then the receiver, who may have
		 * them already, must not get what comes before. */
		ret->refuse = !inline_knows(h, off, end) || (h->n_segs && h->segs[0].off == h->hi);
		if (!ret->refuse && !st->compared) {
			struct comparison c = {p->payload, false};

			each_stretch(h, off, p->payload_len, compare, &c);
			ret->differs |= c.differs;
		}
	}
	/* An end that was not taken in as one, or stands where bytes are: the receiver might believe it. */
	if ((flags & FL_FIN) && (uint64_t)end != h->fin_off)
		ret->refuse = true;
	ret->early = !ret->refuse && (p->payload_len || (flags & FL_FIN)) && end > (int64_t)h->hi;
}

/* ---- questions -------------------------------------------------------------------------- */

static const struct half *half_of(const struct stream_flow *f, unsigned dir)
{
	return f->tcp ? &((const struct tcb *)f->tcb)->half[dir] : NULL;
}

uint64_t stream_end(const struct stream_flow *f, unsigned dir)
{
	const struct half *h = half_of(f, dir);

	return h ? h->hi : 0;
}

int64_t stream_offset(const struct stream_flow *f, unsigned dir, uint32_t seq)
{
	const struct half *h = half_of(f, dir);

	return h ? half_offset(h, seq) : 0;
}

uint32_t stream_seq(const struct stream_flow *f, unsigned dir, uint64_t off)
{
	const struct half *h = half_of(f, dir);

	return h ? h->hi_seq - (uint32_t)(h->hi - off) : 0;
}

const uint8_t *stream_kept(const struct stream_flow *f, unsigned dir, uint64_t off,
			   uint32_t *ret_len)
{
	const struct half *h = half_of(f, dir);

	*ret_len = 0;
	if (!h || off < half_floor(h) || off >= h->hi)
		return NULL;
	*ret_len = (uint32_t)(h->hi - off);
	return h->buf + h->start + (off - half_floor(h));
}

/* Pieces that touch are one stretch, where the gap before them has not just been closed. */
bool stream_early(const struct stream_flow *f, unsigned dir, uint32_t i, uint64_t *ret_off,
		  uint64_t *ret_end)
{
	const struct half *h = half_of(f, dir);
	uint32_t k = 0;

	while (h && k < h->n_segs) {
		*ret_off = h->segs[k].off;
		do {
			*ret_end = h->segs[k].off + h->segs[k].len;
			k++;
		} while (k < h->n_segs && h->segs[k].off == *ret_end);
		if (i-- == 0)
			return true;
	}
	return false;
}

void stream_normalise(const struct stream_flow *f, unsigned dir, uint64_t off, uint8_t *payload,
		      uint32_t len)
{
	const struct half *h = half_of(f, dir);

	if (h)
		each_stretch(h, (int64_t)off, len, overwrite, payload);
}
