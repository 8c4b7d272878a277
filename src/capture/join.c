/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Joins the wall's marks with the frames they are about. Wall and recorder listen on the same
 * interface, and the kernel stamps a frame once, before it hands it to the listeners: so port and
 * stamp find the mark, and length and hash make sure. (test_ring holds the kernel to that.)
 *
 * Open addressing over a fixed table; a place is looked for in a short run of slots, of which the
 * oldest mark gives way: marks whose frame the kernel dropped from the recorder's ring are never
 * taken, and need no other clean-up.
 */
#include "capture/capture.h"

#include <string.h>

#define SLOTS 32768u /* twice the ring of marks */
#define RUN 8u
#define FILL_AT_ONCE MARK_RING_ENTRIES

struct mark_table {
	struct mark slots[SLOTS]; /* stamp_ns 0: free */
};

int mark_table_create(struct arena *arena, struct mark_table **ret)
{
	*ret = arena_alloc(arena, 1, sizeof(**ret));
	return *ret != NULL ? 0 : SKEP_EFULL;
}

static uint32_t slot_of(uint16_t port, int64_t stamp_ns)
{
	uint64_t h = ((uint64_t)stamp_ns ^ (uint64_t)port << 52) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(h >> 49);
}

static void table_put(struct mark_table *t, const struct mark *m)
{
	uint32_t first = slot_of(m->port, m->stamp_ns);
	struct mark *into = NULL;
	for (uint32_t i = 0; i < RUN; i++) {
		struct mark *s = &t->slots[(first + i) % SLOTS];
		if (into == NULL || s->stamp_ns < into->stamp_ns)
			into = s;
	}
	*into = *m;
}

void mark_table_fill(struct mark_table *t, const struct mark_ring *ring, uint64_t *cursor,
		     uint64_t *lost)
{
	struct mark m;
	for (uint32_t n = 0; n < FILL_AT_ONCE && mark_get(ring, cursor, &m, lost); n++)
		if (m.stamp_ns > 0 && m.verdict < VERDICTS && m.reason < REASONS &&
		    m.direction <= DIR_LATERAL)
			table_put(t, &m);
}

bool mark_table_take(struct mark_table *t, uint16_t port, int64_t stamp_ns, const void *data,
		     uint32_t len, struct mark *ret)
{
	uint32_t first = slot_of(port, stamp_ns);
	for (uint32_t i = 0; i < RUN; i++) {
		struct mark *s = &t->slots[(first + i) % SLOTS];
		if (s->stamp_ns != stamp_ns || s->port != port || s->len != len ||
		    s->hash != capture_hash(data, len))
			continue;
		*ret = *s;
		s->stamp_ns = 0;
		return true;
	}
	return false;
}

void mark_text(const struct mark *m, char ret[MARK_TEXT])
{
	struct writer w = writer_of(ret, MARK_TEXT);
	if (m->direction != DIR_NONE)
		write_fmt(&w, "%s ", direction_text(m->direction));
	write_str(&w, verdict_text(m->verdict));
	if (m->reason != REASON_NONE &&
	    strcmp(reason_text(m->reason), verdict_text(m->verdict)) != 0)
		write_fmt(&w, " %s", reason_text(m->reason));
	if (m->first)
		write_str(&w, " new");
	if (m->flow_id != 0)
		write_fmt(&w, " flow=%llu", (unsigned long long)m->flow_id);
}
