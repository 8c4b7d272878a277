/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Joins the wall's marks with the frames they are about. Wall and recorder listen on the same
 * interface, and the kernel stamps a frame once, before it hands it to the listeners: so port and
 * stamp find the mark, and length and hash make sure. (test_ring holds the kernel to that.)
 *
 * One kind of frame is stamped by each listener for itself, microseconds apart: TCP segments that
 * a local stack (the lab's own hosts) put on a veth, as they still carry the time they were to be
 * sent at. The ring tells them (own_stamp); for those, port, length and hash find the mark and the
 * nearest stamp decides.
 *
 * Open addressing over fixed tables; a place is looked for in a short run of slots, of which the
 * oldest mark gives way: marks whose frame the kernel dropped from the recorder's ring are never
 * taken, and need no other clean-up.
 */
#include "capture/capture.h"

#include <string.h>

#define SLOTS 32768u /* twice the ring of marks */
#define RUN 8u
#define NEAR_NS (5 * NS_PER_MS)

struct mark_table { /* stamp_ns 0: free */
	struct mark by_stamp[SLOTS], by_look[SLOTS];
};

size_t mark_table_bytes(void)
{
	return sizeof(struct mark_table) + 64;
}

int mark_table_create(struct arena *arena, struct mark_table **ret)
{
	struct mark_table *t = arena_alloc(arena, 1, sizeof(*t));
	if (t == NULL)
		return SKEP_EFULL;
	*ret = t;
	return 0;
}

static uint32_t slot_of(uint64_t key, uint16_t port)
{
	return (uint32_t)((key ^ (uint64_t)port << 52) * UINT64_C(0x9e3779b97f4a7c15) >> 49);
}

static uint32_t stamp_slot(uint16_t port, int64_t stamp_ns)
{
	return slot_of((uint64_t)stamp_ns, port);
}

static uint32_t look_slot(uint16_t port, uint32_t len, uint32_t hash)
{
	return slot_of((uint64_t)len << 32 ^ hash, port);
}

static void put(struct mark slots[SLOTS], uint32_t first, const struct mark *m)
{
	struct mark *into = NULL;
	for (uint32_t i = 0; i < RUN; i++) {
		struct mark *s = &slots[(first + i) % SLOTS];
		if (into == NULL || s->stamp_ns < into->stamp_ns)
			into = s;
	}
	*into = *m;
}

void mark_table_fill(struct mark_table *t, const struct mark_ring *ring, uint64_t *cursor,
		     uint64_t *lost)
{
	struct mark m;
	for (uint32_t n = 0; n < MARK_RING_ENTRIES && mark_get(ring, cursor, &m, lost); n++) {
		if (m.stamp_ns <= 0 || m.verdict >= VERDICTS || m.reason >= REASONS ||
		    m.direction > DIR_LATERAL)
			continue;
		put(t->by_stamp, stamp_slot(m.port, m.stamp_ns), &m);
		put(t->by_look, look_slot(m.port, m.len, m.hash), &m);
	}
}

static bool take_exact(struct mark_table *t, uint16_t port, const struct capture_packet *p,
		       struct mark *ret)
{
	uint32_t first = stamp_slot(port, p->stamp_ns);
	for (uint32_t i = 0; i < RUN; i++) {
		struct mark *s = &t->by_stamp[(first + i) % SLOTS];
		if (s->stamp_ns != p->stamp_ns || s->port != port || s->len != p->len ||
		    s->hash != capture_hash(p->data, p->len))
			continue;
		*ret = *s;
		s->stamp_ns = 0;
		return true;
	}
	return false;
}

static bool take_nearest(struct mark_table *t, uint16_t port, const struct capture_packet *p,
			 struct mark *ret)
{
	uint32_t hash = capture_hash(p->data, p->len), first = look_slot(port, p->len, hash);
	struct mark *best = NULL;
	int64_t best_off = NEAR_NS + 1;
	for (uint32_t i = 0; i < RUN; i++) {
		struct mark *s = &t->by_look[(first + i) % SLOTS];
		int64_t off = s->stamp_ns > p->stamp_ns ? s->stamp_ns - p->stamp_ns
							: p->stamp_ns - s->stamp_ns;
		if (s->stamp_ns == 0 || s->port != port || s->len != p->len || s->hash != hash ||
		    off >= best_off)
			continue;
		best = s;
		best_off = off;
	}
	if (best == NULL)
		return false;
	*ret = *best;
	best->stamp_ns = 0;
	return true;
}

bool mark_table_take(struct mark_table *t, uint16_t port, const struct capture_packet *p,
		     struct mark *ret)
{
	return p->own_stamp ? take_nearest(t, port, p, ret) : take_exact(t, port, p, ret);
}

void mark_text(const struct mark *m, char ret[MARK_TEXT])
{
	struct writer w = writer_of(ret, MARK_TEXT);
	if (m->direction != DIR_NONE)
		write_fmt(&w, "%s ", direction_text(m->direction));
	const char *verdict = verdict_text(m->verdict), *reason = reason_text(m->reason);
	if (m->reason == REASON_REPLIED)
		verdict = reason; /* not stopped: the wall answered it itself */
	write_str(&w, verdict);
	if (m->reason != REASON_NONE && strcmp(reason, verdict) != 0)
		write_fmt(&w, " %s", reason);
	if (m->first)
		write_str(&w, " new");
	if (m->flow_id != 0)
		write_fmt(&w, " flow=%llu", (unsigned long long)m->flow_id);
}
