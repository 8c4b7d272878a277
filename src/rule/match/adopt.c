/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Another set of rules in full flight: a new engine takes over what the old one remembers. Rules are the
 * same if gid, sid and rev are; bits if their names are. What can be translated is, in place where it
 * fits; a transaction of which the rules have changed begins anew, but what fired in it does not fire
 * again. Runs between two packets, so it takes no heap: where it has to note something, it writes into
 * the old engine's scratch.
 */
#include "rule/match/adopt_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- finding a rule and a name ------------------------------------------------------------------- */

static int compare_rules(const struct rule *a, const struct rule *b)
{
	if (a->gid != b->gid)
		return a->gid < b->gid ? -1 : 1;
	if (a->sid != b->sid)
		return a->sid < b->sid ? -1 : 1;
	return a->rev == b->rev ? 0 : a->rev < b->rev ? -1 : 1;
}

static int by_number(const void *a, const void *b, void *set)
{
	const struct rule_set *s = set;
	const uint32_t *x = a, *y = b;
	int c = compare_rules(s->rules[*x], s->rules[*y]);
	return c != 0 ? c : *x < *y ? -1 : 1;
}

static int by_name(const void *a, const void *b, void *set)
{
	const struct rule_set *s = set;
	return strcmp(s->bit_names[*(const uint32_t *)a], s->bit_names[*(const uint32_t *)b]);
}

int adopt_create(const struct rule_set *set, struct adopt_index *ret)
{
	ret->rules = calloc((size_t)set->n + 1, sizeof(*ret->rules));
	ret->bits = calloc((size_t)set->n_bits + 1, sizeof(*ret->bits));
	ret->born = calloc((size_t)set->n + 1, sizeof(*ret->born));
	if (ret->rules == NULL || ret->bits == NULL || ret->born == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < set->n; i++)
		ret->rules[i] = i;
	for (uint32_t i = 0; i < set->n_bits; i++)
		ret->bits[i] = i;
	qsort_r(ret->rules, set->n, sizeof(*ret->rules), by_number, (void *)(uintptr_t)set);
	qsort_r(ret->bits, set->n_bits, sizeof(*ret->bits), by_name, (void *)(uintptr_t)set);
	return 0;
}

void adopt_free(struct adopt_index *x)
{
	free(x->rules);
	free(x->bits);
	free(x->born);
	free(x->old_rules);
	free(x->old_bits);
	*x = (struct adopt_index){.generation = 0};
}

static uint32_t find_rule(const struct rule_engine *e, const struct rule *r)
{
	uint32_t lo = 0, hi = e->set->n;
	while (lo < hi) { /* the first of equal ones */
		uint32_t mid = lo + (hi - lo) / 2;
		if (compare_rules(e->set->rules[e->index.rules[mid]], r) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == e->set->n)
		return ADOPT_NONE;
	const struct rule *found = e->set->rules[e->index.rules[lo]];
	/* Who edits a rule of their own forgets the rev easily. */
	bool same = compare_rules(found, r) == 0 && strcmp(found->text, r->text) == 0;
	return same ? found->index : ADOPT_NONE;
}

static uint32_t find_bit(const struct rule_engine *e, const char *name)
{
	uint32_t lo = 0, hi = e->set->n_bits;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int c = strcmp(e->set->bit_names[e->index.bits[mid]], name);
		if (c == 0)
			return e->index.bits[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return ADOPT_NONE;
}

int rule_engine_expect(struct rule_engine *e, const struct rule_set *from)
{
	struct adopt_index *x = &e->index;
	uint32_t *rules = calloc((size_t)from->n + 1, sizeof(*rules));
	uint32_t *bits = calloc((size_t)from->n_bits + 1, sizeof(*bits));
	if (rules == NULL || bits == NULL) {
		free(rules);
		free(bits);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < from->n; i++)
		rules[i] = find_rule(e, from->rules[i]);
	for (uint32_t i = 0; i < from->n_bits; i++)
		bits[i] = find_bit(e, from->bit_names[i]);
	free(x->old_rules);
	free(x->old_bits);
	x->old_rules = rules;
	x->old_bits = bits;
	x->expected = from;
	return 0;
}

/* From the old engine's numbers to the new one's. */
static void translate(struct adoption *a)
{
	struct rule_engine *e = a->e, *from = a->from;
	struct adopt_index *x = &e->index;
	uint32_t n = from->set->n, n_bits = from->set->n_bits, known = 0;
	bool expected = x->expected == from->set;
	a->same = n == e->set->n;
	a->rules = from->slot; /* one number for each of its rules */
	a->bits = (uint32_t *)(void *)from->xform_bytes;
	a->n_bits = n_bits < XFORM_BYTES / sizeof(*a->bits)
			    ? n_bits
			    : (uint32_t)(XFORM_BYTES / sizeof(*a->bits));
	x->generation = from->index.generation + 1;
	for (uint32_t i = 0; i < e->set->n; i++)
		x->born[i] = x->generation;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = expected ? x->old_rules[i] : find_rule(e, from->set->rules[i]);
		a->rules[i] = at;
		a->same &= at == i;
		if (at == ADOPT_NONE)
			continue;
		x->born[at] = from->index.born[i];
		known++;
	}
	a->any_new = known < e->set->n;
	a->same_bits = n_bits == e->set->n_bits;
	for (uint32_t i = 0; i < a->n_bits; i++) {
		a->bits[i] = expected ? x->old_bits[i] : find_bit(e, from->set->bit_names[i]);
		a->same_bits &= a->bits[i] == i;
	}
	x->expected = NULL; /* may be freed from here on */
}

/* ---- flows ----------------------------------------------------------------------------------------- */

static void adopt_bits(const struct adoption *a, struct flow_rules *fr)
{
	if (fr->bits == NULL || a->same_bits)
		return;
	struct slab *slab = a->e->slab;
	uint64_t *bits = slab_zalloc(slab, (a->e->set->n_bits / 64u + 1u) * sizeof(*bits));
	for (uint32_t i = 0; bits != NULL && i < a->n_bits; i++)
		if ((fr->bits[i / 64] >> i % 64 & 1) != 0 && a->bits[i] != ADOPT_NONE)
			bits[a->bits[i] / 64] |= UINT64_C(1) << a->bits[i] % 64;
	slab_free(slab, fr->bits);
	fr->bits = bits;
}

static void adopt_ints(const struct adoption *a, struct flow_rules *fr)
{
	uint16_t n = 0;
	for (uint16_t i = 0; i < fr->n_ints; i++) {
		struct flow_int x = fr->ints[i];
		uint32_t to = x.id < a->n_bits ? a->bits[x.id] : ADOPT_NONE;
		if (to == ADOPT_NONE)
			continue;
		x.id = (uint16_t)to;
		fr->ints[n++] = x;
	}
	fr->n_ints = n;
}

/* New rules want to see what the window still holds: all of it is scanned again. The old ones know how
 * far they are by themselves. */
static void adopt_side(const struct adoption *a, struct side_rules *s)
{
	uint16_t n = 0;
	for (uint16_t i = 0; i < s->n; i++) {
		struct stream_cand c = s->cands[i];
		c.rule = c.rule < a->from->set->n ? a->rules[c.rule] : ADOPT_NONE;
		if (c.rule == ADOPT_NONE)
			continue;
		c.gate = NULL; /* pointed into the old set */
		c.pending = true;
		s->cands[n++] = c;
	}
	s->n = n;
	replace_adopt(s, a->rules, a->from->set->n);
	if (a->any_new)
		s->scanned = 0;
}

void adopt_flow(const struct adoption *a, struct stream_flow *f)
{
	struct flow_rules *fr = f->rules;
	const struct app *app = f->app;
	if (fr != NULL) {
		/* Where nothing could be changed nobody kept count of what has left: all has. */
		for (unsigned dir = 0; dir < 2; dir++)
			if (f->tcp && !rule_rewrites(a->from, f, dir))
				rule_gone(a->from, f, dir, f->side[dir].base + f->side[dir].len);
		adopt_bits(a, fr);
		adopt_ints(a, fr);
		adopt_side(a, &fr->side[0]);
		adopt_side(a, &fr->side[1]);
	}
	for (struct app_tx *tx = app != NULL ? app->tx_first : NULL; tx != NULL; tx = tx->next)
		for (unsigned dir = 0; dir < 2; dir++)
			if (tx->rules[dir] != NULL)
				tx_adopt(a, tx, dir);
}

static void each_flow(void *ctx, struct stream_flow *f)
{
	const struct adoption *a = ctx;
	adopt_flow(a, f);
}

/* ---- all ------------------------------------------------------------------------------------------- */

static void add_stats(struct rule_engine_stats *to, const struct rule_engine_stats *from)
{
	to->packets += from->packets;
	to->scans += from->scans;
	to->scan_bytes += from->scan_bytes;
	to->candidates += from->candidates;
	to->evaluations += from->evaluations;
	to->matches += from->matches;
	to->alerts += from->alerts;
	to->budget_exceeded += from->budget_exceeded;
	to->pcre_limit += from->pcre_limit;
	to->candidates_lost += from->candidates_lost;
	to->alerts_lost += from->alerts_lost;
}

void adopt_begin(struct adoption *a, struct rule_engine *e, struct rule_engine *from)
{
	*a = (struct adoption){.e = e, .from = from};
	translate(a);
	state_adopt(a);
	add_stats(&e->stats, &from->stats);
	e->now_ns = from->now_ns;
}

void rule_engine_adopt(struct rule_engine *e, struct rule_engine *from, struct stream *s)
{
	struct adoption a;
	adopt_begin(&a, e, from);
	stream_each(s, each_flow, &a);
	engine_leave_slab(from);
}
