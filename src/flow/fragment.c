/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fragments. Only the first one carries ports, so it decides; the others follow it in order, each
 * beginning exactly where the one before ended. That is stricter than the protocol (reordered
 * fragments are lost, which end systems survive) and leaves no room for overlaps: what the guest
 * puts together is what passed here. No payload is held back or copied.
 */
#include "flow/flow_priv.h"

#include <string.h>

#define FRAGMENT_LIFE_NS (30 * NS_PER_SEC)
#define FRAGMENT_END_MAX 65535u

static struct fragment *set_of(struct flow_table *t, const struct fragment_key *key)
{
	uint64_t h = hash_keyed(t->secret, key, sizeof(*key));
	return &t->fragments[(h % FRAGMENT_SETS) * FRAGMENT_WAYS];
}

static struct fragment *lookup(struct flow_table *t, const struct fragment_key *key, int64_t now_ns)
{
	struct fragment *set = set_of(t, key);
	for (unsigned i = 0; i < FRAGMENT_WAYS; i++)
		if (set[i].stamp_ns != 0 && now_ns - set[i].stamp_ns < FRAGMENT_LIFE_NS &&
		    memcmp(&set[i].key, key, sizeof(*key)) == 0)
			return &set[i];
	return NULL;
}

static int64_t age_of(const struct fragment *e)
{
	return e->complete ? 0 : e->stamp_ns;
}

static struct fragment *place_for(struct fragment *set)
{
	struct fragment *e = &set[0];
	for (unsigned i = 1; i < FRAGMENT_WAYS; i++)
		if (age_of(&set[i]) < age_of(e))
			e = &set[i];
	return e;
}

int fragment_begin(struct flow_table *t, const struct fragment_key *key, const struct flow *f,
		   unsigned side, uint32_t least, uint32_t next, int64_t now_ns)
{
	struct fragment *e = lookup(t, key, now_ns);
	if (e != NULL && !e->complete) {
		e->flow_id = 0;
		return SKEP_EFORMAT;
	}
	if (next < least || next > FRAGMENT_END_MAX)
		return SKEP_EFORMAT;
	if (e == NULL)
		e = place_for(set_of(t, key));
	*e = (struct fragment){.key = *key,
			       .flow_id = f->id,
			       .flow = (uint32_t)(f - t->flows),
			       .next = next,
			       .stamp_ns = now_ns,
			       .side = (uint8_t)side};
	return 0;
}

void fragment_drop(struct flow_table *t, const struct fragment_key *key, int64_t now_ns)
{
	struct fragment *e = lookup(t, key, now_ns);
	if (e == NULL)
		return;
	e->flow_id = 0;
	e->complete = false; /* dead: another first one must not stand in for what is missing */
}

struct flow *fragment_next(struct flow_table *t, const struct fragment_key *key, uint32_t offset,
			   uint32_t len, bool last, int64_t now_ns, unsigned *ret_side)
{
	struct fragment *e = lookup(t, key, now_ns);
	if (e == NULL || e->flow_id == 0 || e->complete)
		return NULL;
	struct flow *f = &t->flows[e->flow];
	if (f->id != e->flow_id || offset != e->next || len == 0 ||
	    offset + len > FRAGMENT_END_MAX) {
		e->flow_id = 0;
		return NULL;
	}
	*ret_side = e->side;
	e->next = offset + len;
	e->complete = last;
	return f;
}
