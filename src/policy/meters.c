/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Windows of rules: connections, packets and bytes. There may be millions of packets in a window, so
 * not moments are kept but counts: a window's length is cut into 16 slices, and what the current and
 * the 16 slices before it hold together may never be more than the window allows. Any period of that
 * length lies within 17 slices that follow each other, so none ever holds more; the price is that
 * up to one slice more than the period is looked at.
 *
 * Each guest has a fixed number of meters. One whose windows have all run out is free for another;
 * with none free, what a rule would have to count is refused.
 */
#include "policy/policy_priv.h"

#include <string.h>

#define SHORTEST_NS (NS_PER_SEC / (int64_t)POLICY_SLICES) /* slice of the shortest window */
#define LONGEST_NS (31 * 24 * 3600 * NS_PER_SEC)          /* windows hold at most 30 days */

void policy_meter_key_of(const struct conf_policy *p, unsigned rule, enum policy_class class,
			 const struct addr *dst, struct policy_meter_key *ret)
{
	/* Not secret: it only has to differ when the rule was changed. */
	static const uint64_t fixed[2] = {1, 2};
	memset(ret, 0, sizeof(*ret));
	ret->rule = hash_keyed(fixed, p, sizeof(*p)) ^ rule;
	ret->used = 1;
	if (p->per == PER_PROTO)
		ret->class = (uint8_t) class;
	if (p->per == PER_DESTINATION)
		ret->dst = *dst;
}

bool meter_sound(const struct meter *m, int64_t now_ns)
{
	if (m->until_ns == 0)
		return true; /* whatever is in it will be emptied */
	if (m->until_ns < 0 || m->until_ns - now_ns > LONGEST_NS * 2 || m->key.used != 1 ||
	    m->stamp_ns < 0 || m->stamp_ns > now_ns)
		return false;
	const struct meter_window *const all[] = {m->connections, m->packets, m->bytes};
	for (size_t k = 0; k < ARRAY_LEN(all); k++)
		for (unsigned i = 0; i < CONF_WINDOWS; i++)
			if (all[k][i].slice < 0 || all[k][i].slice > now_ns / SHORTEST_NS)
				return false;
	return true;
}

/* ---- one window ------------------------------------------------------------------------------- */

static int64_t slice_ns(const struct conf_window *w)
{
	return w->window_ns / (int64_t)POLICY_SLICES;
}

/* A clock that went back (it never does) must not lead to slices that are yet to come. */
static int64_t slice_at(const struct meter_window *m, const struct conf_window *w, int64_t now_ns)
{
	int64_t now = now_ns / slice_ns(w);
	return now > m->slice ? now : m->slice;
}

static uint64_t window_used(const struct meter_window *m, const struct conf_window *w,
			    int64_t now_ns)
{
	int64_t s = slice_at(m, w, now_ns) - (int64_t)POLICY_SLICES;
	uint64_t sum = 0;
	for (s = s > 0 ? s : 0; s <= m->slice; s++)
		sum += m->count[s % (int64_t)(POLICY_SLICES + 1)];
	return sum;
}

/* Returns the moment from which on it no longer counts. Room was asked for before. */
static int64_t window_add(struct meter_window *m, const struct conf_window *w, uint64_t n,
			  int64_t now_ns)
{
	int64_t now = slice_at(m, w, now_ns), from = m->slice + 1;
	if (now - from > (int64_t)POLICY_SLICES)
		from = now - (int64_t)POLICY_SLICES;
	for (int64_t s = from; s <= now; s++)
		m->count[s % (int64_t)(POLICY_SLICES + 1)] = 0;
	m->slice = now;
	m->count[now % (int64_t)(POLICY_SLICES + 1)] += (uint32_t)n;
	return (now + (int64_t)POLICY_SLICES + 1) * slice_ns(w);
}

/* ---- all windows of a rule -------------------------------------------------------------------- */

struct kind {
	const struct conf_limit *limit;
	struct meter_window *windows; /* NULL: no meter yet, so nothing is used */
	uint64_t n;
};
enum { KINDS = 3 };

static void kinds_of(const struct conf_policy *p, struct meter *m, const struct policy_amount *a,
		     struct kind ret[KINDS])
{
	ret[0] = (struct kind){&p->connections, m ? m->connections : NULL, a->connections};
	ret[1] = (struct kind){&p->packets, m ? m->packets : NULL, a->packets};
	ret[2] = (struct kind){&p->bytes, m ? m->bytes : NULL, a->bytes};
}

static struct policy_use use_of(const struct kind *k, uint32_t i, int64_t now_ns)
{
	const struct conf_window *w = &k->limit->w[i];
	uint64_t u = k->windows != NULL ? window_used(&k->windows[i], w, now_ns) : 0;
	return (struct policy_use){.used = u < UINT32_MAX ? (uint32_t)u : UINT32_MAX,
				   .max = w->max,
				   .window_s = (uint32_t)(w->window_ns / NS_PER_SEC)};
}

/* Is there room for k->n in every window? ret: the one that says no. */
static bool kind_has(const struct kind *k, int64_t now_ns, struct policy_use *ret)
{
	for (uint32_t i = 0; k->n > 0 && i < k->limit->n && i < CONF_WINDOWS; i++) {
		struct policy_use u = use_of(k, i, now_ns);
		if (u.used + k->n <= u.max)
			continue;
		*ret = u;
		return false;
	}
	return true;
}

static bool counts_any(const struct kind kinds[KINDS])
{
	for (unsigned k = 0; k < KINDS; k++)
		if (kinds[k].n > 0 && kinds[k].limit->n > 0)
			return true;
	return false;
}

static struct meter *find(struct slot *s, const struct policy_meter_key *key, int64_t now_ns,
			  uint16_t *hint, struct meter **ret_free)
{
	struct meter *m = *hint < POLICY_METERS ? &s->meters[*hint] : NULL;
	*ret_free = NULL;
	if (m != NULL && m->until_ns > now_ns && memcmp(&m->key, key, sizeof(*key)) == 0)
		return m;
	for (uint16_t i = 0; i < POLICY_METERS; i++) {
		m = &s->meters[i];
		if (m->until_ns <= now_ns) {
			*ret_free = *ret_free != NULL ? *ret_free : m;
		} else if (memcmp(&m->key, key, sizeof(*key)) == 0) {
			*hint = i;
			return m;
		}
	}
	return NULL;
}

enum policy_metered policy_meter_has(struct policy_limits *p, unsigned slot,
				     const struct conf_policy *rule,
				     const struct policy_meter_key *key,
				     const struct policy_amount *a, int64_t now_ns, uint16_t *hint,
				     struct policy_use *ret)
{
	struct kind kinds[KINDS];
	struct meter *free;
	kinds_of(rule, NULL, a, kinds);
	if (!counts_any(kinds))
		return POLICY_METER_ROOM;
	struct meter *m = find(&p->slot[slot], key, now_ns, hint, &free);
	if (m == NULL && free == NULL)
		return POLICY_METER_FULL;
	kinds_of(rule, m, a, kinds);
	for (unsigned k = 0; k < KINDS; k++)
		if (!kind_has(&kinds[k], now_ns, ret))
			return POLICY_METER_OVER;
	return POLICY_METER_ROOM;
}

enum policy_metered policy_meter_take(struct policy_limits *p, unsigned slot,
				      const struct conf_policy *rule,
				      const struct policy_meter_key *key,
				      const struct policy_amount *a, int64_t now_ns, uint16_t *hint,
				      struct policy_use *ret)
{
	struct kind kinds[KINDS];
	struct meter *free;
	enum policy_metered r = policy_meter_has(p, slot, rule, key, a, now_ns, hint, ret);
	kinds_of(rule, NULL, a, kinds);
	if (r != POLICY_METER_ROOM || !counts_any(kinds))
		return r;
	struct meter *m = find(&p->slot[slot], key, now_ns, hint, &free);
	if (m == NULL) {
		m = free;
		memset(m, 0, sizeof(*m));
		m->key = *key;
		*hint = (uint16_t)(m - p->slot[slot].meters);
	}
	kinds_of(rule, m, a, kinds);
	m->stamp_ns = now_ns;
	for (unsigned k = 0; k < KINDS; k++)
		for (uint32_t i = 0; kinds[k].n > 0 && i < kinds[k].limit->n && i < CONF_WINDOWS;
		     i++) {
			int64_t until = window_add(&kinds[k].windows[i], &kinds[k].limit->w[i],
						   kinds[k].n, now_ns);
			m->until_ns = until > m->until_ns ? until : m->until_ns;
		}
	return POLICY_METER_ROOM;
}

void policy_meter_read(struct policy_limits *p, unsigned slot, const struct conf_policy *rule,
		       const struct policy_meter_key *key, int64_t now_ns, struct policy_use *ret)
{
	static const struct policy_amount none = {0, 0, 0};
	struct kind kinds[KINDS];
	struct meter *free;
	uint16_t hint = POLICY_NO_METER;
	*ret = (struct policy_use){0};
	kinds_of(rule, find(&p->slot[slot], key, now_ns, &hint, &free), &none, kinds);
	for (uint32_t i = 0; i < rule->connections.n && i < CONF_WINDOWS; i++) {
		struct policy_use u = use_of(&kinds[0], i, now_ns);
		if (i == 0 || (int64_t)u.max - u.used < (int64_t)ret->max - ret->used)
			*ret = u;
	}
}
