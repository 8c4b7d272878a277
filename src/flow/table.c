/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table: an array of flows, hash chains through their two keys, one list per state class.
 *
 * Flows are numbered from 1; a link in a chain is number << 1 | side, so that one flow can stand in
 * two chains. Every operation but flow_remove_port touches a bounded number of entries, given that
 * chains are short, which the keyed hash sees to.
 */
#include "flow/flow_priv.h"

#include <errno.h>
#include <string.h>

_Static_assert(sizeof(struct flow_key) == 48, "no padding: keys are hashed as bytes");
_Static_assert(sizeof(struct fragment_key) == 48, "no padding: keys are hashed as bytes");

#define CAPACITY_MIN 16u
#define CAPACITY_MAX (1u << 28)

static uint32_t bucket_count(uint32_t capacity)
{
	uint32_t n = 64;
	while (n < capacity * 2 && n < (1u << 29))
		n *= 2;
	return n;
}

size_t flow_table_bytes(uint32_t capacity)
{
	return sizeof(struct flow_table) + (size_t)capacity * sizeof(struct flow) +
	       (size_t)bucket_count(capacity) * sizeof(uint32_t) +
	       (size_t)FRAGMENT_SETS * FRAGMENT_WAYS * sizeof(struct fragment) + 5 * 64;
}

int flow_table_create(struct arena *arena, const struct flow_conf *conf, struct flow_table **ret)
{
	if (conf->capacity < CAPACITY_MIN || conf->capacity > CAPACITY_MAX)
		return SKEP_ERANGE;
	struct flow_table *t = arena_alloc(arena, 1, sizeof(*t));
	if (t == NULL)
		return -ENOMEM;
	uint32_t buckets = bucket_count(conf->capacity);
	t->conf = *conf;
	t->mask = buckets - 1;
	t->counts.capacity = conf->capacity;
	t->flows = arena_alloc(arena, conf->capacity, sizeof(*t->flows));
	t->buckets = arena_alloc(arena, buckets, sizeof(*t->buckets));
	t->fragments =
		arena_alloc(arena, (size_t)FRAGMENT_SETS * FRAGMENT_WAYS, sizeof(*t->fragments));
	if (t->flows == NULL || t->buckets == NULL || t->fragments == NULL)
		return -ENOMEM;
	random_fill(t->secret, sizeof(t->secret));
	*ret = t;
	return 0;
}

static struct flow *flow_at(struct flow_table *t, uint32_t number)
{
	return &t->flows[number - 1];
}

static uint32_t number_of(const struct flow_table *t, const struct flow *f)
{
	return (uint32_t)(f - t->flows) + 1;
}

static uint32_t *bucket_of(struct flow_table *t, const struct flow_key *key)
{
	return &t->buckets[hash_keyed(t->secret, key, sizeof(*key)) & t->mask];
}

static bool keys_equal(const struct flow_key *a, const struct flow_key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

struct flow *flow_find(struct flow_table *t, const struct flow_key *key, unsigned *ret_side)
{
	uint32_t link = *bucket_of(t, key);
	while (link != 0) {
		struct flow *f = flow_at(t, link >> 1);
		unsigned side = link & 1;
		if (keys_equal(&f->key[side], key)) {
			*ret_side = side;
			return f;
		}
		link = f->chain[side];
	}
	return NULL;
}

/* ---- class lists ------------------------------------------------------------------------- */

static void list_append(struct flow_table *t, struct flow *f, enum flow_class class)
{
	struct class_list *l = &t->lists[class];
	uint32_t n = number_of(t, f);
	f->class = (uint8_t) class;
	f->older = l->newest;
	f->newer = 0;
	if (l->newest != 0)
		flow_at(t, l->newest)->newer = n;
	else
		l->oldest = n;
	l->newest = n;
}

static void list_remove(struct flow_table *t, struct flow *f)
{
	struct class_list *l = &t->lists[f->class];
	if (f->older != 0)
		flow_at(t, f->older)->newer = f->newer;
	else
		l->oldest = f->newer;
	if (f->newer != 0)
		flow_at(t, f->newer)->older = f->older;
	else
		l->newest = f->older;
}

void flow_touch(struct flow_table *t, struct flow *f, enum flow_class class, int64_t now_ns)
{
	f->last_ns = now_ns;
	if (f->class == class && f->newer == 0)
		return;
	list_remove(t, f);
	list_append(t, f, class);
}

/* ---- coming and going ---------------------------------------------------------------------- */

static void chain_add(struct flow_table *t, struct flow *f, unsigned side)
{
	uint32_t *b = bucket_of(t, &f->key[side]);
	f->chain[side] = *b;
	*b = number_of(t, f) << 1 | side;
}

static void chain_remove(struct flow_table *t, struct flow *f, unsigned side)
{
	uint32_t link = number_of(t, f) << 1 | side;
	uint32_t *at = bucket_of(t, &f->key[side]);
	while (*at != 0 && *at != link)
		at = &flow_at(t, *at >> 1)->chain[*at & 1];
	if (*at == link)
		*at = f->chain[side];
}

void flow_remove(struct flow_table *t, struct flow *f, enum flow_end why, int64_t now_ns)
{
	if (t->conf.ended != NULL)
		t->conf.ended(t->conf.ctx, f, why, now_ns);
	for (unsigned side = 0; side < 2; side++)
		if (f->key[side].port != FLOW_NO_PORT)
			chain_remove(t, f, side);
	list_remove(t, f);
	memset(f, 0, sizeof(*f));
	f->chain[0] = t->free;
	t->free = number_of(t, f);
	t->counts.active--;
}

/* The oldest flow that may give way, or NULL. */
static struct flow *evictable(struct flow_table *t)
{
	uint32_t a = t->lists[FLOW_HALF_OPEN].oldest, b = t->lists[FLOW_REFUSED].oldest;
	struct flow *fa = a != 0 ? flow_at(t, a) : NULL;
	struct flow *fb = b != 0 ? flow_at(t, b) : NULL;
	uint32_t loose = t->lists[FLOW_LOOSE].oldest;
	if (fa == NULL && fb == NULL)
		return loose != 0 ? flow_at(t, loose) : NULL;
	if (fa == NULL || fb == NULL)
		return fa != NULL ? fa : fb;
	return fa->last_ns <= fb->last_ns ? fa : fb;
}

static struct flow *take_free(struct flow_table *t, int64_t now_ns)
{
	if (t->free == 0 && t->high_water == t->counts.capacity) {
		struct flow *old = evictable(t);
		if (old == NULL)
			return NULL;
		t->counts.evicted++;
		flow_remove(t, old, FLOW_END_EVICTED, now_ns);
	}
	if (t->free == 0)
		return flow_at(t, ++t->high_water);
	struct flow *f = flow_at(t, t->free);
	t->free = f->chain[0];
	f->chain[0] = 0;
	return f;
}

int flow_add(struct flow_table *t, const struct flow_key *key0, const struct flow_key *key1,
	     enum flow_class class, int64_t now_ns, struct flow **ret)
{
	unsigned side;
	if (flow_find(t, key0, &side) != NULL)
		return -EEXIST;
	if (key1 != NULL && (keys_equal(key0, key1) || flow_find(t, key1, &side) != NULL))
		return -EEXIST;
	struct flow *f = take_free(t, now_ns);
	if (f == NULL) {
		t->counts.refused++;
		return SKEP_EFULL;
	}
	f->key[0] = *key0;
	if (key1 != NULL)
		f->key[1] = *key1;
	else
		f->key[1].port = FLOW_NO_PORT;
	f->start_ns = f->last_ns = now_ns;
	chain_add(t, f, 0);
	if (key1 != NULL)
		chain_add(t, f, 1);
	list_append(t, f, class);
	t->counts.active++;
	t->counts.total++;
	*ret = f;
	return 0;
}

uint32_t flow_sweep(struct flow_table *t, int64_t now_ns, uint32_t budget)
{
	uint32_t ended = 0;
	for (unsigned c = 0; c < FLOW_CLASSES; c++) {
		while (ended < budget && t->lists[c].oldest != 0) {
			struct flow *f = flow_at(t, t->lists[c].oldest);
			if (now_ns - f->last_ns < t->conf.timeout_ns[c])
				break;
			flow_remove(t, f, FLOW_END_TIMEOUT, now_ns);
			ended++;
		}
	}
	return ended;
}

void flow_remove_which(struct flow_table *t, flow_which_fn *which, void *ctx, enum flow_end why,
		       int64_t now_ns)
{
	for (uint32_t n = 1; n <= t->high_water; n++) {
		struct flow *f = flow_at(t, n);
		if ((f->start_ns != 0 || f->id != 0) && which(ctx, f))
			flow_remove(t, f, why, now_ns);
	}
}

static bool has_port(void *ctx, const struct flow *f)
{
	uint16_t port = *(const uint16_t *)ctx;
	return port == FLOW_NO_PORT || f->key[0].port == port || f->key[1].port == port ||
	       f->guest == port || f->peer_guest == port;
}

void flow_remove_port(struct flow_table *t, uint16_t port, enum flow_end why, int64_t now_ns)
{
	flow_remove_which(t, has_port, &port, why, now_ns);
}

void flow_read_counts(const struct flow_table *t, struct flow_counts *ret)
{
	*ret = t->counts;
}
