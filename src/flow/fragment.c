/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fragments. Only the first one carries ports, so it decides; the others follow it in order, each
 * beginning exactly where the one before ended. That is stricter than the protocol (reordered
 * fragments are lost, which end systems survive) and leaves no room for overlaps: what the guest
 * puts together is what passed here. No payload is held back or copied.
 *
 * Whoever got a beginning keeps it for up to a minute, and fills it up with what comes later. So a packet that
 * began and did not pass whole is remembered longer than that, and nothing of it passes; one that would have to
 * be forgotten for another one makes that one wait.
 */
#include "flow/flow_priv.h"

#include <string.h>

/* Longer than dissect keeps pieces, and than systems do (30 or 60 s). */
#define FRAGMENT_LIFE_NS (61 * NS_PER_SEC)
#define FRAGMENT_END_MAX 65535u

static struct fragment *set_of(struct flow_table *t, const struct fragment_key *key)
{
	uint64_t h = hash_keyed(t->secret, key, sizeof(*key));
	return &t->fragments[(h % FRAGMENT_SETS) * FRAGMENT_WAYS];
}

static bool lives(const struct fragment *e, int64_t now_ns)
{
	return e->stamp_ns != 0 && now_ns - e->stamp_ns < FRAGMENT_LIFE_NS;
}

static struct fragment *lookup(struct flow_table *t, const struct fragment_key *key, int64_t now_ns)
{
	struct fragment *set = set_of(t, key);
	for (unsigned i = 0; i < FRAGMENT_WAYS; i++)
		if (lives(&set[i], now_ns) && memcmp(&set[i].key, key, sizeof(*key)) == 0)
			return &set[i];
	return NULL;
}

int fragment_begin(struct flow_table *t, const struct fragment_key *key, const struct flow *f,
		   unsigned side, uint32_t least, uint32_t next, int64_t now_ns)
{
	struct fragment *e = lookup(t, key, now_ns);
	if (e != NULL && !e->whole) {
		e->flow_id = 0;
		return SKEP_EFORMAT;
	}
	if (next < least || next > FRAGMENT_END_MAX)
		return SKEP_EFORMAT;
	struct fragment *set = set_of(t, key);
	for (unsigned i = 0; e == NULL && i < FRAGMENT_WAYS; i++)
		if (set[i].whole || !lives(&set[i], now_ns))
			e = &set[i];
	if (e == NULL)
		return SKEP_EFULL;
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
	e->whole = false;
}

bool fragment_reaches(struct flow_table *t, const struct fragment_key *key, uint8_t ttl,
		      int64_t now_ns)
{
	struct fragment *e = lookup(t, key, now_ns);
	if (e == NULL || e->whole)
		return true; /* fragment_next has its say */
	if (e->ttl == 0)
		e->ttl = ttl;
	return ttl >= e->ttl;
}

struct flow *fragment_next(struct flow_table *t, const struct fragment_key *key, uint32_t offset,
			   uint32_t len, bool last, int64_t now_ns, unsigned *ret_side)
{
	struct fragment *e = lookup(t, key, now_ns);
	if (e == NULL || e->flow_id == 0 || e->whole)
		return NULL;
	struct flow *f = &t->flows[e->flow];
	if (f->id != e->flow_id || offset != e->next || len == 0 ||
	    offset + len > FRAGMENT_END_MAX) {
		e->flow_id = 0;
		return NULL;
	}
	*ret_side = e->side;
	e->next = offset + len;
	e->stamp_ns = now_ns;
	e->whole = last;
	return f;
}
