/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What rules remember between packets: bits and numbers of a flow, bits of hosts and pairs of hosts
 * (xbits, hostbits), and counts for thresholds. The last two live in one table of fixed size: sets of a
 * few entries, found by a keyed hash, the entry untouched for longest making room.
 */
#include "rule/match/adopt_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STATE_SETS 16384u
#define STATE_WAYS 4u
#define FLOW_INTS 64u
#define RULE_KEY 0x80000000u /* entries of thresholds: this | rule * 8 + which */
#define HOST_KEY 0x40000000u

struct state_key {
	uint32_t what;
	struct addr a, b;
	uint32_t pad;
};
struct state_entry {
	struct state_key key;
	bool used;
	uint32_t count, step;
	int64_t begin_ns, until_ns, touched_ns;
};
struct state {
	uint64_t secret[2];
	struct arena arena; /* mapped: only what is used is ever touched */
	struct state_entry *entries;
	bool any; /* there ever was one */
};

int state_create(const struct rule_set *set, struct state **ret)
{
	struct state *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	int rc = arena_create((size_t)STATE_SETS * STATE_WAYS * sizeof(*s->entries), &s->arena);
	if (rc < 0) {
		free(s);
		return rc;
	}
	s->entries = arena_alloc(&s->arena, (size_t)STATE_SETS * STATE_WAYS, sizeof(*s->entries));
	random_fill(s->secret, sizeof(s->secret));
	*ret = s;
	return 0;
}

void state_free(struct state **s)
{
	if (*s != NULL)
		arena_destroy(&(*s)->arena);
	free(*s);
	*s = NULL;
}

/* The entry of a key; NULL: none, and not to be made. */
static struct state_entry *entry(struct state *s, const struct state_key *k, int64_t now_ns,
				 bool make)
{
	uint64_t h = hash_keyed(s->secret, k, sizeof(*k));
	struct state_entry *set = &s->entries[(h % STATE_SETS) * STATE_WAYS], *old = set;
	for (unsigned i = 0; i < STATE_WAYS; i++) {
		struct state_entry *e = &set[i];
		if (e->used && memcmp(&e->key, k, sizeof(*k)) == 0) {
			e->touched_ns = now_ns;
			return e;
		}
		if (!e->used || (old->used && e->touched_ns < old->touched_ns))
			old = e;
	}
	if (!make)
		return NULL;
	*old = (struct state_entry){.key = *k, .used = true, .touched_ns = now_ns};
	s->any = true;
	return old;
}

/* ---- bits of flows ------------------------------------------------------------------------------------- */

static bool bit_in(const struct flow_rules *fr, uint16_t id)
{
	return fr != NULL && fr->bits != NULL && (fr->bits[id / 64] >> id % 64 & 1) != 0;
}

static void bit_put(struct rule_engine *e, struct flow_rules *fr, uint16_t id, uint8_t op)
{
	if (fr == NULL || id >= e->set->n_bits)
		return;
	if (fr->bits == NULL) {
		if (op == BITS_UNSET || op == BITS_RESET)
			return;
		fr->bits = slab_zalloc(e->slab, (e->set->n_bits / 64u + 1u) * sizeof(uint64_t));
		if (fr->bits == NULL)
			return;
	}
	uint64_t bit = UINT64_C(1) << id % 64;
	if (op == BITS_TOGGLE)
		fr->bits[id / 64] ^= bit;
	else if (op == BITS_UNSET || op == BITS_RESET)
		fr->bits[id / 64] &= ~bit;
	else
		fr->bits[id / 64] |= bit;
}

/* ---- bits of hosts ---------------------------------------------------------------------------------------- */

static struct state_key host_key(const struct view *v, uint8_t track, uint16_t id)
{
	struct state_key k = {.what = HOST_KEY | id};
	if (track == 'p') { /* either way round */
		bool turn = memcmp(v->src, v->dst, sizeof(*v->src)) > 0;
		k.a = turn ? *v->dst : *v->src;
		k.b = turn ? *v->src : *v->dst;
		k.what |= 0x10000;
	} else {
		k.a = track == 'd' ? *v->dst : *v->src;
	}
	return k;
}

static bool host_has(struct rule_engine *e, const struct view *v, const struct rule_bits *b,
		     uint16_t id)
{
	struct state_key k = host_key(v, b->track, id);
	const struct state_entry *x = entry(e->state, &k, e->now_ns, false);
	return x != NULL && x->count != 0 && (x->until_ns == 0 || x->until_ns > e->now_ns);
}

static void host_put(struct rule_engine *e, const struct view *v, const struct rule_bits *b,
		     uint16_t id)
{
	bool off = b->op == BITS_UNSET || b->op == BITS_RESET ||
		   (b->op == BITS_TOGGLE && host_has(e, v, b, id));
	struct state_key k = host_key(v, b->track, id);
	struct state_entry *x = entry(e->state, &k, e->now_ns, !off);
	if (x == NULL)
		return;
	x->count = off ? 0 : 1;
	x->until_ns = b->expire_s != 0 ? e->now_ns + b->expire_s * NS_PER_SEC : 0;
}

static bool bits_test(struct rule_engine *e, const struct view *v, const struct rule_test *t)
{
	const struct rule_bits *b = &t->u.bits;
	unsigned n = b->n < RULE_BITS ? b->n : RULE_BITS, set = 0;
	if (t->kind == TEST_FLOWBITS && v->flow == NULL)
		return false;
	for (unsigned i = 0; i < n; i++)
		set += (t->kind == TEST_FLOWBITS ? bit_in(v->fr, b->ids[i])
						 : host_has(e, v, b, b->ids[i]))
			       ? 1
			       : 0;
	switch (b->op) {
	case BITS_ISSET:
		return set == n;
	case BITS_ISSET_ANY:
		return set > 0;
	case BITS_ISNOTSET:
		return set == 0;
	case BITS_ISNOTSET_ANY:
		return set < n;
	default:
		return true;
	}
}

/* ---- numbers of flows ------------------------------------------------------------------------------------- */

static struct flow_int *int_of(const struct flow_rules *fr, uint16_t id)
{
	for (uint16_t i = 0; fr != NULL && i < fr->n_ints; i++)
		if (fr->ints[i].id == id)
			return &fr->ints[i];
	return NULL;
}

static bool int_value(const struct flow_rules *fr, const struct rule_flowint *f, uint32_t *ret)
{
	*ret = f->value;
	if (f->other == 0)
		return true;
	const struct flow_int *o = int_of(fr, (uint16_t)(f->other - 1));
	if (o != NULL)
		*ret = o->value;
	return o != NULL;
}

static bool int_test(const struct view *v, const struct rule_flowint *f)
{
	const struct flow_int *x = int_of(v->fr, f->id);
	uint32_t y;
	if (f->op == FLOWINT_NOTSET)
		return x == NULL;
	if (f->op == FLOWINT_ISSET || x == NULL)
		return x != NULL;
	if (!int_value(v->fr, f, &y))
		return false;
	switch (f->op) {
	case FLOWINT_LT:
		return x->value < y;
	case FLOWINT_LE:
		return x->value <= y;
	case FLOWINT_EQ:
		return x->value == y;
	case FLOWINT_NE:
		return x->value != y;
	case FLOWINT_GE:
		return x->value >= y;
	case FLOWINT_GT:
		return x->value > y;
	default:
		return true;
	}
}

static void int_put(struct rule_engine *e, struct flow_rules *fr, const struct rule_flowint *f)
{
	uint32_t y;
	if (fr == NULL || !int_value(fr, f, &y))
		return;
	struct flow_int *x = int_of(fr, f->id);
	if (x == NULL) {
		if (fr->ints == NULL)
			fr->ints = slab_zalloc(e->slab, FLOW_INTS * sizeof(*fr->ints));
		if (fr->ints == NULL || fr->n_ints == FLOW_INTS)
			return;
		x = &fr->ints[fr->n_ints++];
		*x = (struct flow_int){.id = f->id};
	}
	if (f->op == FLOWINT_ADD)
		x->value = x->value > UINT32_MAX - y ? UINT32_MAX : x->value + y;
	else if (f->op == FLOWINT_SUB)
		x->value = x->value < y ? 0 : x->value - y;
	else
		x->value = y;
}

bool state_test(struct rule_engine *e, const struct view *v, const struct rule_test *t)
{
	if (t->kind == TEST_FLOWINT)
		return int_test(v, &t->u.flowint);
	return bits_test(e, v, t);
}

void state_set(struct rule_engine *e, const struct view *v, const struct rule_test *t)
{
	if (t->kind == TEST_FLOWINT) {
		int_put(e, v->fr, &t->u.flowint);
		return;
	}
	if (t->kind != TEST_FLOWBITS && t->kind != TEST_XBITS && t->kind != TEST_HOSTBITS)
		return;
	const struct rule_bits *b = &t->u.bits;
	for (unsigned i = 0; i < b->n && i < RULE_BITS; i++)
		if (t->kind == TEST_FLOWBITS)
			bit_put(e, v->fr, b->ids[i], b->op);
		else
			host_put(e, v, b, b->ids[i]);
}

/* ---- thresholds ------------------------------------------------------------------------------------------- */

static struct state_entry *count_of(struct rule_engine *e, const struct view *v,
				    const struct rule *r, uint32_t which)
{
	const struct rule_threshold *t = &r->thresholds[which];
	struct state_key k = {.what = RULE_KEY | ((r->index * 8 + (which & 7)) & (RULE_KEY - 1))};
	if (t->track == 's' || t->track == 'b')
		k.a = *v->src;
	if (t->track == 'd')
		k.a = *v->dst;
	if (t->track == 'b')
		k.b = *v->dst;
	if (t->track == 'f' && v->flow != NULL)
		memcpy(k.a.b, &v->flow->id, sizeof(v->flow->id));
	return entry(e->state, &k, e->now_ns, true);
}

/* Counts this match; a new period begins when the old one is over. */
static uint32_t count_in_period(struct state_entry *x, const struct rule_threshold *t,
				int64_t now_ns)
{
	if (x->count == 0 || now_ns - x->begin_ns > (int64_t)t->seconds * NS_PER_SEC ||
	    now_ns < x->begin_ns) {
		x->begin_ns = now_ns;
		x->count = 0;
	}
	if (x->count < UINT32_MAX)
		x->count++;
	return x->count;
}

static bool suppressed(const struct view *v, const struct rule_threshold *t)
{
	bool any = t->track == 0 || (t->addrs.any && t->addrs.n_no == 0);
	bool s = any || addr_set_has(&t->addrs, v->src), d = any || addr_set_has(&t->addrs, v->dst);
	return t->track == 's' ? s : t->track == 'd' ? d : s || d;
}

static bool rate(struct rule_engine *e, struct state_entry *x, const struct rule_threshold *t,
		 uint8_t *action)
{
	if (x->until_ns > e->now_ns) {
		*action = t->new_action;
		return true;
	}
	if (count_in_period(x, t, e->now_ns) > t->count) {
		*action = t->new_action;
		x->until_ns = t->timeout_s != 0 ? e->now_ns + t->timeout_s * NS_PER_SEC : INT64_MAX;
	}
	return true;
}

/* Tells at count, then at count * multiplier, and so on. */
static bool backoff(struct state_entry *x, const struct rule_threshold *t)
{
	if (x->count < UINT32_MAX)
		x->count++;
	if (x->step == 0)
		x->step = t->count != 0 ? t->count : 1;
	if (x->count != x->step)
		return false;
	uint64_t next = (uint64_t)x->step * (t->multiplier > 1 ? t->multiplier : 1);
	x->step = next > UINT32_MAX ? UINT32_MAX : (uint32_t)next;
	if (t->multiplier <= 1)
		x->step = UINT32_MAX;
	return true;
}

static bool one(struct rule_engine *e, const struct view *v, const struct rule *r, uint32_t i,
		uint8_t *action)
{
	const struct rule_threshold *t = &r->thresholds[i];
	if (t->kind == THRESHOLD_NONE)
		return true;
	if (t->kind == THRESHOLD_SUPPRESS)
		return !suppressed(v, t);
	struct state_entry *x = count_of(e, v, r, i);
	if (t->kind == THRESHOLD_RATE)
		return rate(e, x, t, action);
	if (t->kind == THRESHOLD_BACKOFF)
		return backoff(x, t);
	uint32_t n = count_in_period(x, t, e->now_ns);
	/* Not yet full: this is no match at all, so nothing is dropped for it either. A match that is only not
	 * told again still acts. */
	if (n < t->count + (t->kind == THRESHOLD_DETECTION_FILTER) && t->kind != THRESHOLD_LIMIT)
		*action = ACTION_ALERT;
	switch ((enum threshold_kind)t->kind) {
	case THRESHOLD_LIMIT:
		return n <= t->count;
	case THRESHOLD_THRESHOLD:
		if (n < t->count)
			return false;
		x->count = 0;
		return true;
	case THRESHOLD_BOTH:
		return n == t->count;
	case THRESHOLD_DETECTION_FILTER:
		return n > t->count;
	case THRESHOLD_NONE:
	case THRESHOLD_BACKOFF:
	case THRESHOLD_RATE:
	case THRESHOLD_SUPPRESS:
		break;
	}
	return true;
}

bool state_threshold(struct rule_engine *e, const struct view *v, const struct rule *r,
		     uint8_t *action)
{
	bool say = true;
	for (uint32_t i = 0; i < r->n_thresholds && say; i++)
		say = one(e, v, r, i, action);
	return say;
}

/* ---- another set -------------------------------------------------------------------------------------- */

/* What the entry is about, in the new set's numbers; 0: nothing there. */
static uint32_t new_what(const struct adoption *a, uint32_t what)
{
	if ((what & RULE_KEY) == 0) {
		uint32_t id = what & 0xffff;
		uint32_t to = id < a->n_bits ? a->bits[id] : ADOPT_NONE;
		return to == ADOPT_NONE ? 0 : (what & ~UINT32_C(0xffff)) | to;
	}
	uint32_t index = (what & (RULE_KEY - 1)) / 8, which = what & 7;
	if (index >= a->from->set->n || a->rules[index] == ADOPT_NONE)
		return 0;
	const struct rule *old = rule_at(a->from, index), *r = rule_at(a->e, a->rules[index]);
	/* threshold.config may say something else of the same rule now */
	if (which >= old->n_thresholds || which >= r->n_thresholds ||
	    old->thresholds[which].kind != r->thresholds[which].kind ||
	    old->thresholds[which].track != r->thresholds[which].track)
		return 0;
	return RULE_KEY | ((r->index * 8 + which) & (RULE_KEY - 1));
}

void state_adopt(const struct adoption *a)
{
	const struct state_entry *x = a->from->state->entries;
	if (!a->from->state->any)
		return;
	for (size_t i = 0; i < (size_t)STATE_SETS * STATE_WAYS; i++, x++) {
		struct state_key k = x->key;
		k.what = x->used ? new_what(a, k.what) : 0;
		if (k.what == 0)
			continue;
		struct state_entry *to = entry(a->e->state, &k, x->touched_ns, true);
		*to = *x;
		to->key = k;
	}
}
