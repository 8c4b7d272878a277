/* SPDX-License-Identifier: BSD-2-Clause */
/* One direction's bytes put in order. What comes in order is copied once, behind what is there; what
 * comes early waits as pieces in a sorted array, of bounded length, until the gap before it closes. */
#include <string.h>

#include "stream/stream_priv.h"

#define NEVER UINT64_MAX
#define MOVE_CAP (1u << 20)
#define SEG_MOST (64u << 10)

static void bounds_clear(struct half *h)
{
	if (h->bounds)
		h->bounds->n = 0;
}

void side_begin(struct slot *sl, unsigned dir, uint32_t first_seq)
{
	struct half *h = &tcb_of(sl)->half[dir];
	struct stream_side *side = &sl->f.side[dir];

	/* Another SYN was the real one: what was given out can't be taken back, the rest can. */
	h->hi = h->shown;
	h->hi_seq = first_seq;
	h->have = h->start = 0;
	h->fin_off = NEVER;
	bounds_clear(h);
	side->base = side->kept = h->hi;
	side->len = 0;
	side->last_ack = first_seq;
	side->next_seq = first_seq;
}

static bool unwanted(const struct stream_side *side)
{
	return side->truncated || (side->no_app && side->no_raw);
}

static void drop_segs(struct stream *s, struct half *h)
{
	for (uint32_t i = 0; i < h->n_segs; i++)
		slab_free(s->slab, h->segs[i].data);
	slab_free(s->slab, h->segs);
	h->segs = NULL;
	h->n_segs = h->cap_segs = h->seg_bytes = 0;
}

static void drop_buf(struct stream *s, struct half *h, struct stream_side *side)
{
	slab_free(s->slab, h->buf);
	h->buf = NULL;
	h->cap = h->start = h->have = 0;
	h->usual -= h->usual / 4;
	h->usual = h->peak > h->usual ? h->peak : h->usual;
	h->peak = 0;
	side->data = NULL;
	side->len = 0;
	side->base = side->kept = h->hi;
}

void side_free(struct stream *s, struct slot *sl, unsigned dir)
{
	drop_segs(s, &tcb_of(sl)->half[dir]);
	drop_buf(s, &tcb_of(sl)->half[dir], &sl->f.side[dir]);
}

/* No memory. From here on nothing of this direction is kept; inline the packet is refused instead, and
 * what is there stays, because it may have been passed on. */
static void truncate_side(struct step *st, unsigned dir)
{
	event_set(st->ret, EV_REASSEMBLY_INSERT_MEMCAP);
	st->s->stats.memory_refused++;
	if (st->s->conf.inline_mode)
		return;
	drop_segs(st->s, &tcb_of(st->slot)->half[dir]);
	st->slot->f.side[dir].truncated = true;
}

/* ---- bytes in order -------------------------------------------------------------------- */

/* Inline there is always something before the free end: a small buffer rather grows than that its
 * contents move each time that it is half through. */
static bool worth_moving(const struct stream *s, const struct half *h)
{
	if (s->conf.inline_mode && h->cap < MOVE_CAP)
		return h->start >= h->cap / 4 * 3;
	return h->start >= h->cap / 2;
}

/* Enough memory that more than is needed may be asked for. */
static bool ample(const struct stream *s)
{
	struct slab_stats m;

	slab_read_stats(s->slab, &m);
	return m.used < m.reserved / 4;
}

/* Inline a buffer lives from one moment when all is acknowledged to the next, so a fast flow takes a new
 * one all the time: as large as it was needed lately, lest it be copied at each doubling. */
static uint64_t first_cap(const struct stream *s, const struct half *h, uint32_t len)
{
	uint64_t least = (uint64_t)len * 4, usual = (uint64_t)h->usual + h->usual / 2;

	return usual > least && ample(s) ? usual : least;
}

static bool make_room(struct stream *s, struct half *h, uint32_t len)
{
	uint64_t want = (uint64_t)h->have + len, cap = (uint64_t)h->cap * 2;
	uint8_t *buf;

	if (h->start && want <= h->cap && worth_moving(s, h)) {
		memmove(h->buf, h->buf + h->start, h->have);
		h->start = 0;
		return true;
	}
	if (s->conf.inline_mode && !h->cap) /* more comes before the first is acknowledged */
		cap = first_cap(s, h, len);
	cap = cap < want ? want : cap;
	cap = cap > SLAB_MAX ? SLAB_MAX : cap;
	if (want > cap)
		return false;
	buf = slab_alloc(s->slab, cap);
	if (!buf && s->conf.inline_mode && want <= h->cap) {
		memmove(h->buf, h->buf + h->start, h->have);
		h->start = 0;
		return true;
	}
	if (!buf)
		return false;
	if (h->have)
		memcpy(buf, h->buf + h->start, h->have);
	slab_free(s->slab, h->buf);
	h->buf = buf;
	h->cap = (uint32_t)slab_size(buf);
	h->start = 0;
	return true;
}

static bool append(struct stream *s, struct slot *sl, unsigned dir, const uint8_t *data,
		   uint32_t len)
{
	struct half *h = &tcb_of(sl)->half[dir];
	struct stream_side *side = &sl->f.side[dir];

	if (s->conf.inline_mode && (uint64_t)h->have + len > INLINE_MOST)
		return false;
	if ((uint64_t)h->start + h->have + len > h->cap && !make_room(s, h, len) &&
	    !(s->conf.inline_mode && table_reclaim(s, sl) && make_room(s, h, len)))
		return false;
	memcpy(h->buf + h->start + h->have, data, len);
	side->data = h->buf + h->start + (side->base - half_floor(h));
	if (h->bounds) {
		h->bounds->at[h->bounds->next++ % BOUNDS] = (uint32_t)h->hi;
		h->bounds->n += h->bounds->n < BOUNDS;
	}
	h->have += len;
	h->peak = h->have > h->peak ? h->have : h->peak;
	h->hi += len;
	h->hi_seq += len;
	return true;
}

/* Takes over the pieces that have become contiguous. Inline one that finds no room waits on. */
static bool drain_segs(struct stream *s, struct slot *sl, unsigned dir, bool *ret_filled)
{
	struct half *h = &tcb_of(sl)->half[dir];
	uint32_t n = 0;
	bool ok = true;

	while (ok && n < h->n_segs && h->segs[n].off == h->hi) {
		ok = append(s, sl, dir, h->segs[n].data, h->segs[n].len);
		if (!ok && s->conf.inline_mode)
			break;
		slab_free(s->slab, h->segs[n].data);
		h->seg_bytes -= h->segs[n].len;
		n++;
	}
	if (!n)
		return ok;
	*ret_filled = true;
	h->n_segs -= n;
	memmove(h->segs, h->segs + n, h->n_segs * sizeof(*h->segs));
	if (!h->n_segs)
		drop_segs(s, h);
	return ok;
}

/* ---- overlaps -------------------------------------------------------------------------- */

struct range {
	uint64_t off, end;
};

/* Whose bytes stay where two segments overlap, after Novak and Sturges, "Target-Based TCP Stream
 * Reassembly" (2007). */
static bool new_wins(const struct stream_conf *c, struct range old, struct range new)
{
	if (c->inline_mode) /* the first has been passed on already */
		return false;
	switch ((enum stream_policy)c->policy) {
	case POLICY_FIRST:
		return false;
	case POLICY_LAST:
		return true;
	case POLICY_BSD:
		return new.off < old.off;
	case POLICY_BSD_RIGHT:
		return new.off >= old.off;
	case POLICY_LINUX:
		return new.off < old.off || (new.off == old.off &&new.end > old.end);
	case POLICY_OLD_LINUX:
		return new.off < old.off || (new.off == old.off &&new.end >= old.end);
	case POLICY_SOLARIS:
		return new.end > old.end || (new.off < old.off &&new.end >= old.end);
	case POLICY_WINDOWS:
		return new.off<old.off &&new.end> old.end;
	}
	return false;
}

static void overlap(struct step *st, uint8_t *old, const uint8_t *new, uint64_t len, bool wins)
{
	if (!memcmp(old, new, len))
		return;
	event_set(st->ret, EV_REASSEMBLY_OVERLAP_DIFFERENT_DATA);
	st->ret->differs = true;
	st->s->stats.overlaps++;
	if (wins)
		memcpy(old, new, len);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The new segment against what stands in order. Released bytes stay; of the others the beginnings of
 * the latest segments are known, older ones count as one. */
static void overlap_order(struct step *st, unsigned dir, struct range new, const uint8_t *data)
{
	struct half *h = &tcb_of(st->slot)->half[dir];
	struct stream_side *side = &st->slot->f.side[dir];
	uint64_t released = side->base + side->len, end = min_u64(new.end, h->hi), top = h->hi;
	uint64_t floor = half_floor(h);
	uint8_t *at = h->buf + h->start;
	unsigned n = h->bounds ? h->bounds->n : 0;

	if (new.off < released && end > floor) {
		uint64_t from = max_u64(new.off, floor), to = min_u64(end, released);

		if (from < to)
			overlap(st, at + (from - floor), data + (from - new.off), to - from, false);
	}
	for (unsigned i = 0; i <= n && top > released && top > new.off; i++) {
		struct range old = {released, top};
		uint64_t from, to;

		if (i < n)
			old.off = h->hi -
				  (uint32_t)((uint32_t)h->hi -
					     h->bounds->at[(uint8_t)(h->bounds->next - 1 - i) %
							   BOUNDS]);
		from = max_u64(max_u64(old.off, new.off), released);
		to = min_u64(top, end);
		if (from < to)
			overlap(st, at + (from - floor), data + (from - new.off), to - from,
				new_wins(&st->s->conf, old, new));
		top = min_u64(top, old.off);
	}
}

uint32_t side_search(const struct half *h, uint64_t off)
{
	uint32_t lo = 0, hi = h->n_segs;

	if (hi && h->segs[hi - 1].off + h->segs[hi - 1].len <= off)
		return hi;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (h->segs[mid].off + h->segs[mid].len <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Adds a piece before place i. 0, or an event to be set. */
static int seg_add(struct stream *s, struct half *h, uint32_t i, struct range piece,
		   struct range whole, const uint8_t *data)
{
	uint32_t len = (uint32_t)(piece.end - piece.off);
	struct seg *g;

	if (h->n_segs == SEGS_MAX || h->seg_bytes + (uint64_t)len > s->conf.window)
		return EV_REASSEMBLY_INSERT_LIMIT;
	if (h->n_segs == h->cap_segs) {
		g = slab_grow(s->slab, h->segs, (h->cap_segs ? h->cap_segs * 2 : 4) * sizeof(*g));
		if (!g)
			return EV_REASSEMBLY_INSERT_MEMCAP;
		h->segs = g;
		h->cap_segs = (uint32_t)(slab_size(g) / sizeof(*g));
	}
	g = &h->segs[i];
	memmove(g + 1, g, (h->n_segs - i) * sizeof(*g));
	*g = (struct seg){.off = piece.off,
			  .len = len,
			  .before = (uint32_t)(piece.off - whole.off),
			  .after = (uint32_t)(whole.end - piece.end),
			  .data = slab_alloc(s->slab, len)};
	if (!g->data) {
		memmove(g, g + 1, (h->n_segs - i) * sizeof(*g));
		return EV_REASSEMBLY_INSERT_MEMCAP;
	}
	memcpy(g->data, data, len);
	h->n_segs++;
	h->seg_bytes += len;
	return 0;
}

/* Inline, where no policy asks how bytes were cut, the piece before takes them up: one loss in a fast
 * flow leaves hundreds of segments waiting. */
static bool seg_extend(struct stream *s, struct half *h, uint32_t i, struct range piece,
		       const uint8_t *data)
{
	struct seg *g = i ? &h->segs[i - 1] : NULL;
	uint64_t len = piece.end - piece.off;
	uint8_t *moved;

	if (!s->conf.inline_mode || !g || g->off + g->len != piece.off || g->len + len > SEG_MOST ||
	    h->seg_bytes + len > s->conf.window)
		return false;
	if (slab_size(g->data) < g->len + len) {
		moved = slab_grow(s->slab, g->data, (g->len + len) * 2);
		if (!moved)
			return false;
		g->data = moved;
	}
	memcpy(g->data + g->len, data, len);
	g->len += (uint32_t)len;
	h->seg_bytes += (uint32_t)len;
	return true;
}

static void overlap_seg(struct step *st, struct seg *g, struct range part, struct range new,
			const uint8_t *data)
{
	struct range old = {g->off - g->before, g->off + g->len + g->after};
	bool wins = new_wins(&st->s->conf, old, new);

	overlap(st, g->data + (part.off - g->off), data + (part.off - new.off), part.end - part.off,
		wins);
	if (wins && part.end - part.off == g->len) {
		g->before = (uint32_t)(g->off - new.off);
		g->after = (uint32_t)(new.end - (g->off + g->len));
	}
}

/* The new segment's part beyond hi: fills what is empty, fights for what is not. */
static int insert_beyond(struct step *st, unsigned dir, struct range new, const uint8_t *data)
{
	struct half *h = &tcb_of(st->slot)->half[dir];
	uint64_t cur = max_u64(new.off, h->hi);
	uint32_t i = h->n_segs ? side_search(h, cur) : 0;
	int ev = 0;

	while (cur < new.end && !ev) {
		uint64_t next = i < h->n_segs ? h->segs[i].off : NEVER;
		struct range part = {cur, min_u64(new.end, next)};

		/* A segment may close many gaps, but there is only room for so many pieces. */
		if (st->s->conf.inline_mode && next > cur && cur > h->hi && h->n_segs &&
		    h->segs[0].off == h->hi) {
			drain_segs(st->s, st->slot, dir, &st->ret->filled);
			i = h->n_segs ? side_search(h, cur) : 0;
		}
		if (next <= cur) {
			part.end = min_u64(new.end, next + h->segs[i].len);
			overlap_seg(st, &h->segs[i++], part, new, data);
		} else if (cur == h->hi) {
			if (!append(st->s, st->slot, dir, data + (cur - new.off),
				    (uint32_t)(part.end - cur)))
				ev = EV_REASSEMBLY_INSERT_MEMCAP;
		} else if (!seg_extend(st->s, h, i, part, data + (cur - new.off))) {
			ev = seg_add(st->s, h, i++, part, new, data + (cur - new.off));
		}
		cur = part.end;
	}
	if (!ev && h->n_segs && !drain_segs(st->s, st->slot, dir, &st->ret->filled))
		ev = EV_REASSEMBLY_INSERT_MEMCAP;
	return ev;
}

/* ---- taking in ------------------------------------------------------------------------- */

/* Bytes that nobody keeps. Past depth or memory they are no part of the stream: their packets are
 * looked at one by one. */
static bool skip(struct slot *sl, unsigned dir, uint32_t seq, uint32_t len)
{
	struct half *h = &tcb_of(sl)->half[dir];
	int32_t ahead = (int32_t)(seq + len - h->hi_seq);

	if (ahead > 0 && !sl->f.side[dir].truncated) {
		h->hi += (uint32_t)ahead;
		h->hi_seq += (uint32_t)ahead;
		sl->f.side[dir].base = h->shown = h->hi;
	}
	return !sl->f.side[dir].truncated;
}

bool side_insert(struct step *st, unsigned dir, uint32_t seq, const uint8_t *data, uint32_t len)
{
	struct half *h = &tcb_of(st->slot)->half[dir];
	struct stream_side *side = &st->slot->f.side[dir];
	int64_t off = half_offset(h, seq);
	uint64_t limit = min_u64(h->fin_off, st->s->conf.depth);
	bool in_line = st->s->conf.inline_mode;
	struct range new;
	int ev;

	if (unwanted(side) && !in_line)
		return skip(st->slot, dir, seq, len);
	if (off < 0) {
		if (off + len <= 0) {
			event_set(st->ret, EV_REASSEMBLY_SEGMENT_BEFORE_BASE_SEQ);
			return false;
		}
		data += -off;
		len -= (uint32_t)-off;
		off = 0;
	}
	new = (struct range){(uint64_t)off, (uint64_t)off + len};
	if (new.end > limit) {
		if (new.end > st->s->conf.depth && !h->depth_told) {
			h->depth_told = true;
			event_set(st->ret, EV_REASSEMBLY_DEPTH_REACHED);
		}
		if (h->hi >= st->s->conf.depth && !in_line) {
			drop_segs(st->s, h);
			side->truncated = true;
		}
		new.end = limit;
		if (new.end <= new.off)
			return false;
	}
	if (new.off == h->hi && !h->n_segs) {
		uint32_t n = (uint32_t)(new.end - new.off);

		if (append(st->s, st->slot, dir, data, n) ||
		    (table_reclaim(st->s, st->slot) && append(st->s, st->slot, dir, data, n))) {
			st->compared = true;
			return true;
		}
		truncate_side(st, dir);
		return false;
	}
	if (new.end <= half_floor(h)) {
		event_set(st->ret, EV_REASSEMBLY_SEGMENT_BEFORE_BASE_SEQ);
		return false;
	}
	if (new.off > h->hi &&new.end - h->hi > st->s->conf.window) {
		event_set(st->ret, EV_REASSEMBLY_INSERT_LIMIT);
		return false;
	}
	if (new.off < h->hi && h->have)
		overlap_order(st, dir, new, data);
	ev = new.end > h->hi ? insert_beyond(st, dir, new, data) : 0;
	if (ev == EV_REASSEMBLY_INSERT_MEMCAP)
		truncate_side(st, dir);
	else if (ev)
		event_set(st->ret, (unsigned)ev);
	st->compared = !ev;
	return !ev;
}

void side_fin(struct slot *sl, unsigned dir, uint32_t seq)
{
	struct half *h = &tcb_of(sl)->half[dir];
	int64_t off = half_offset(h, seq);

	if (h->fin_off == NEVER && off >= (int64_t)h->hi)
		h->fin_off = (uint64_t)off;
}

/* ---- giving out ------------------------------------------------------------------------ */

/* Nothing will come for what lies between hi and to. */
static void give_up_gap(struct stream *s, struct slot *sl, unsigned dir, uint64_t to)
{
	struct half *h = &tcb_of(sl)->half[dir];
	struct stream_side *side = &sl->f.side[dir];

	h->hi_seq += (uint32_t)(to - h->hi);
	h->hi = to;
	bounds_clear(h);
	drop_buf(s, h, side);
	side->gap_end = to;
	h->shown = to;
	s->stats.gaps++;
}

static uint64_t acked_offset(const struct half *h, const struct stream_side *side)
{
	int64_t acked = half_offset(h, side->last_ack);

	return acked < 0 ? 0 : (uint64_t)acked;
}

static uint64_t release_limit(const struct half *h, const struct stream_side *side)
{
	return h->flush ? NEVER : min_u64(acked_offset(h, side), h->fin_off);
}

/* Inline every byte in order is given out at once, and no gap is given up while the flow lives: what
 * nobody has seen must not have been passed on. */
static void release_inline(struct stream *s, struct slot *sl, unsigned dir,
			   struct stream_result *ret)
{
	struct half *h = &tcb_of(sl)->half[dir];
	struct stream_side *side = &sl->f.side[dir];
	bool filled = false, grown = false;

	if (h->n_segs && h->segs[0].off == h->hi) /* there was no memory then */
		drain_segs(s, sl, dir, &filled);
	if (filled && ret && ret->dir == dir)
		ret->filled = true;
	if (h->hi > side->base + side->len) {
		side->len = (uint32_t)(h->hi - side->base);
		grown = true;
	}
	h->shown = h->hi;
	if (!side->fin && h->shown == h->fin_off)
		side->fin = grown = true;
	if (ret && grown)
		ret->grown[dir] = true;
}

void side_release(struct stream *s, struct slot *sl, unsigned dir, struct stream_result *ret)
{
	struct half *h = &tcb_of(sl)->half[dir];
	struct stream_side *side = &sl->f.side[dir];
	uint64_t limit = release_limit(h, side), upto;
	bool grown = false, filled;

	if (s->conf.inline_mode && !sl->f.done) {
		release_inline(s, sl, dir, ret);
		return;
	}
	if (unwanted(side) && !h->have)
		return;
	/* All before the gap was seen, something lies behind it, and the other side had what we miss
	 * (or the end has come). */
	if (h->n_segs && h->shown == h->hi && limit > h->hi) {
		give_up_gap(s, sl, dir, min_u64(limit, h->segs[0].off));
		if (ret && !h->flush)
			event_set(ret, EV_REASSEMBLY_SEQ_GAP);
		if (!drain_segs(s, sl, dir, &filled)) {
			drop_segs(s, h);
			side->truncated = true;
			s->stats.memory_refused++;
		}
		grown = true;
	}
	upto = s->conf.inline_mode ? h->hi : min_u64(limit, h->hi);
	if (upto > side->base + side->len) {
		side->len = (uint32_t)(upto - side->base);
		grown = true;
	}
	h->shown = side->base + side->len;
	if (!side->fin && h->shown == h->fin_off) {
		side->fin = true;
		grown = true;
	}
	if (h->n_segs && h->shown == h->hi && limit > h->hi)
		tcb_of(sl)->pending = true;
	if (ret && grown)
		ret->grown[dir] = true;
}

/* What both consumers are done with stays until it is acknowledged. */
static void settle_inline(struct stream *s, struct slot *sl, unsigned dir)
{
	struct half *h = &tcb_of(sl)->half[dir];
	struct stream_side *side = &sl->f.side[dir];
	uint64_t done, floor = half_floor(h);
	uint32_t n;

	if (sl->f.dead) {
		side_free(s, sl, dir);
		return;
	}
	done = min_u64(side->no_app ? NEVER : side->app_done,
		       side->no_raw ? NEVER : side->raw_done);
	done = min_u64(done, side->base + side->len);
	if (done > side->base) {
		side->len -= (uint32_t)(done - side->base);
		side->base = done;
	}
	done = min_u64(side->base, acked_offset(h, side));
	if (done > floor) {
		n = (uint32_t)(done - floor);
		h->start += n;
		h->have -= n;
	}
	if (!h->have) {
		if (h->buf)
			drop_buf(s, h, side);
		side->kept = h->hi;
		return;
	}
	side->kept = half_floor(h);
	side->data = h->buf + h->start + (side->base - side->kept);
}

void side_settle(struct stream *s, struct slot *sl, unsigned dir)
{
	struct half *h = &tcb_of(sl)->half[dir];
	struct stream_side *side = &sl->f.side[dir];
	uint64_t done;
	uint32_t n;

	if (s->conf.inline_mode) {
		settle_inline(s, sl, dir);
		return;
	}
	if (side->no_app && side->no_raw) {
		if (h->buf || h->segs)
			side_free(s, sl, dir);
		h->shown = side->base;
		return;
	}
	if (!side->len)
		return;
	done = min_u64(side->no_app ? NEVER : side->app_done,
		       side->no_raw ? NEVER : side->raw_done);
	done = min_u64(done, side->base + side->len);
	if (done <= side->base)
		return;
	n = (uint32_t)(done - side->base);
	if (n == h->have) {
		drop_buf(s, h, side);
		return;
	}
	side->base = done;
	side->len -= n;
	h->start += n;
	h->have -= n;
	side->data = h->buf + h->start;
}
