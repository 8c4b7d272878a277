/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules against transactions. Each direction of a transaction goes through its buffers as they become
 * available: each instance is scanned once (growing ones piece by piece, with overlap), and a rule whose
 * literal was found stays a candidate until all its lists matched, one of them can't any more, or the
 * direction is over. What must be remembered between packets lies in tx->rules[dir]; a transaction that
 * is complete at once needs no memory.
 */
#include "rule/match/adopt_priv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define INSTANCES 1024u
#define TX_CANDS 1024u
#define GROWTH_MOST \
	16384u /* growing buffers are looked at anew after so many bytes at the latest */

struct set_state {
	uint64_t off; /* of a growing instance: bytes scanned */
	uint32_t index;
};
struct tx_rules { /* in tx->rules[dir]; then sets, then candidates */
	uint16_t n_sets, n_cands;
	uint8_t progress;
	bool begun;
	uint64_t grown, look_at; /* bytes of growing buffers; when to look again */
};
/* Where the last header of a name was found: the next one stands behind it. */
struct header_cursor {
	const struct app_tx *tx;
	const char *name;
	unsigned dir;
	uint32_t index, at;
};
struct tx_work {
	struct header_cursor cursor;
	struct tx_rules head;
	struct set_state sets[TX_SETS];
	bool look, grew;
};

struct tx_work *tx_work_create(void)
{
	return calloc(1, sizeof(struct tx_work));
}

struct piece {
	struct bytes b;
	bool complete;
	uint32_t index, skip; /* of one header's value: which header, and where in it */
};

/* The index-th header field called name, its value. */
static int header_piece(struct rule_engine *e, const struct view *v, const struct rule_list *l,
			unsigned dir, uint32_t index, struct piece *ret)
{
	enum app_buffer b = dir == TO_SERVER ? BUF_HTTP_REQUEST_HEADER : BUF_HTTP_RESPONSE_HEADER;
	struct header_cursor *k = &e->work->cursor;
	size_t n = strlen(l->header);
	uint32_t i = 0, skip = index;
	if (k->tx == v->tx && k->name == l->header && k->dir == dir && k->index < index) {
		i = k->at + 1;
		skip = index - k->index - 1;
	}
	for (; i < INSTANCES; i++) {
		struct span s;
		if (app_buffer(v->app, v->tx, b, dir, i, &s, NULL, NULL) != 0)
			return 1;
		if (s.len < n + 1 || s.data[n] != ':' ||
		    strncasecmp((const char *)s.data, l->header, n) != 0 || skip-- > 0)
			continue;
		*k = (struct header_cursor){v->tx, l->header, dir, index, i};
		uint32_t at = (uint32_t)n + 1;
		while (at < s.len && (s.data[at] == ' ' || s.data[at] == '\t'))
			at++;
		*ret = (struct piece){.b = {.data = s.data + at, .len = s.len - at, .whole = true},
				      .complete = true,
				      .index = i,
				      .skip = at};
		return 0;
	}
	return 1;
}

/* Instances that are all made in the same place: what was transformed from there is another's. */
static bool made_in_place(const struct rule_list *l)
{
	return l->header != NULL || l->buffer == BUF_HTTP_REQUEST_HEADER ||
	       l->buffer == BUF_HTTP_RESPONSE_HEADER || l->buffer == BUF_HTTP_HEADER_ONE ||
	       l->buffer == BUF_DNS_RESPONSE_RRNAME;
}

static int piece_of(struct rule_engine *e, const struct view *v, const struct rule_list *l,
		    unsigned dir, uint32_t index, struct piece *ret)
{
	if (made_in_place(l))
		e->n_xforms = e->xform_used = 0;
	if (l->header != NULL)
		return header_piece(e, v, l, dir, index, ret);
	struct span s = {0};
	uint64_t base = 0;
	bool complete = true;
	int rc = app_buffer(v->app, v->tx, l->buffer, dir, index, &s, &base, &complete);
	if (rc != 0)
		return rc;
	bool grows = (app_buffer_row(l->buffer)->flags & BUFFER_GROWS) != 0;
	*ret = (struct piece){.complete = complete || !grows, .index = index};
	ret->b = (struct bytes){
		.data = s.data, .len = s.len, .origin = base, .whole = ret->complete};
	return 0;
}

static bool is_over(const struct view *v, unsigned dir)
{
	return v->final || v->tx->progress[dir] == APP_DONE;
}

static bool available(const struct view *v, uint16_t buffer, unsigned dir)
{
	return is_over(v, dir) || v->tx->progress[dir] >= app_buffer_row(buffer)->progress[dir];
}

/* ---- evaluation ------------------------------------------------------------------------------------- */

static bool child_fits(struct rule_engine *e, struct eval *x, const struct rule *r, uint32_t i)
{
	const struct plan *p = r->plan;
	for (uint32_t k = i + 1; k < r->n_lists && p->lists[k].child; k++) {
		struct bytes b = {.data = e->base64, .len = e->base64_len, .whole = true};
		if (!eval_list(x, &r->lists[k], &b))
			return false;
	}
	return true;
}

static bool list_fits(struct rule_engine *e, const struct view *v, const struct rule *r, uint32_t i,
		      struct bytes *b)
{
	const struct plan *p = r->plan;
	struct eval x = {.e = e, .v = v, .rule = r};
	if (!transform_bytes(e, &r->lists[i], p->lists[i].xform_id, b))
		return false;
	return eval_list(&x, &r->lists[i], b) && child_fits(e, &x, r, i);
}

static bool accepts_absence(const struct rule_list *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->m[i].kind == MATCH_ABSENT)
			return true;
	return false;
}

static enum answer tx_list(struct rule_engine *e, const struct view *v, const struct rule *r,
			   uint32_t i, bool fresh)
{
	const struct plan *p = r->plan;
	const struct rule_list *l = &r->lists[i];
	unsigned dir = p->lists[i].dir < 2 ? p->lists[i].dir : v->dir;
	uint8_t flags = app_buffer_row(l->buffer)->flags;
	bool over = is_over(v, dir), grows = (flags & BUFFER_GROWS) != 0;
	if (!grows && !available(v, l->buffer, dir))
		return WAIT;
	bool now = replaces(e, r) && p->lists[i].n_replaces > 0; /* before it leaves */
	if (grows && !over && !fresh && !now && !e->work->look)
		return WAIT;
	bool waiting = false;
	struct piece c;
	uint32_t n = 0;
	for (; n < INSTANCES && piece_of(e, v, l, dir, n, &c) == 0; n++) {
		bool complete = c.complete || over;
		waiting |= !complete;
		if (!complete && p->lists[i].whole && !now)
			continue;
		if (list_fits(e, v, r, i, &c.b))
			return YES;
		if ((flags & BUFFER_MANY) == 0 && l->header == NULL)
			return waiting || (grows && !over) ? WAIT : NO;
	}
	if (n == 0 && available(v, l->buffer, dir) && (!grows || over))
		return accepts_absence(l) ? YES : NO;
	if (waiting || n == 0)
		return WAIT;
	return (grows || (flags & BUFFER_MANY) != 0) && !over ? WAIT : NO;
}

static enum answer payload_list(struct rule_engine *e, const struct view *v, const struct rule *r,
				uint32_t i)
{
	const struct stream_flow *f = v->flow;
	struct bytes b = {.data = v->p->payload, .len = v->p->payload_len, .whole = true};
	if (f->tcp) {
		const struct stream_side *s = &f->side[v->dir];
		b = (struct bytes){.data = s->data, .len = s->len, .origin = s->base};
	}
	return list_fits(e, v, r, i, &b) ? YES : WAIT;
}

/* NO: never. WAIT: not yet. *mask: the lists that matched. */
static enum answer check(struct rule_engine *e, const struct view *v, const struct rule *r,
			 uint32_t *mask, bool fresh)
{
	const struct plan *p = r->plan;
	if (eval_header(e, r, v) != YES)
		return NO;
	enum answer all = eval_tests(e, r, v);
	for (uint32_t i = 0; all != NO && i < r->n_lists; i++) {
		if ((*mask >> i & 1) != 0 || p->lists[i].child)
			continue;
		uint16_t b = r->lists[i].buffer;
		enum answer a;
		if (b == BUF_PAYLOAD)
			a = payload_list(e, v, r, i);
		else
			a = tx_list(e, v, r, i, fresh);
		if (a == YES)
			*mask |= 1u << i;
		else if (a == NO)
			return NO;
		else
			all = WAIT;
	}
	return all;
}

/* ---- what is replaced -------------------------------------------------------------------------------- */

/* Notes what a rule that matches replaces; again: it has matched before, and only what grows is looked at.
 * false: nothing (new). */
static bool replace_all(struct rule_engine *e, const struct view *v, const struct rule *r,
			bool again)
{
	const struct plan *p = r->plan;
	bool any = false;
	for (uint32_t i = 0; i < r->n_lists; i++) {
		const struct rule_list *l = &r->lists[i];
		unsigned dir = p->lists[i].dir < 2 ? p->lists[i].dir : v->dir;
		bool grows = (app_buffer_row(l->buffer)->flags & BUFFER_GROWS) != 0;
		bool many = (app_buffer_row(l->buffer)->flags & BUFFER_MANY) != 0;
		struct piece c;
		if (p->lists[i].n_replaces == 0 || (again && !grows))
			continue;
		if (l->buffer == BUF_PAYLOAD) {
			any |= replace_stream(e, v, r);
			continue;
		}
		for (uint32_t n = 0; n < INSTANCES && piece_of(e, v, l, dir, n, &c) == 0; n++) {
			/* the value of one header is a part of "name: value" */
			c.b.origin += c.skip;
			replace_buffer(e, r, v, l, &c.b, dir, c.index, again, &any);
			if (!many && l->header == NULL)
				break;
		}
	}
	return any;
}

/* Something in a body that what follows decides about. */
static void note_waits(struct rule_engine *e, const struct view *v, const struct rule *r)
{
	const struct plan *p = r->plan;
	unsigned dir = v->dir, wire = dir ^ (v->app->reversed ? 1u : 0u);
	struct side_rules *s = &v->fr->side[wire];
	for (uint32_t i = 0; i < r->n_lists; i++) {
		const struct rule_list *l = &r->lists[i];
		struct piece c;
		if (p->lists[i].n_replaces == 0 || l->buffer == BUF_PAYLOAD ||
		    (p->lists[i].dir < 2 && p->lists[i].dir != dir) ||
		    (app_buffer_row(l->buffer)->flags & BUFFER_GROWS) == 0 ||
		    (!p->lists[i].later && r->n_lists == 1) || piece_of(e, v, l, dir, 0, &c) != 0 ||
		    c.complete)
			continue;
		uint64_t at = hold_body(e, v, r, i, &c.b, dir, c.index);
		if (at != UINT64_MAX && (s->tx_waits == 0 || at + 1 < s->tx_waits)) {
			s->tx_waits = at + 1;
			s->tx_id = v->tx->id;
		}
	}
}

static void fire(struct rule_engine *e, const struct view *v, const struct rule *r)
{
	if (replaces(e, r))
		(void)replace_all(e, v, r, false);
	engine_match(e, v, r);
}

/* ---- scanning ---------------------------------------------------------------------------------------- */

/* true: this instance is done. */
static bool scan_growing(struct rule_engine *e, const struct tx_set *t, const struct piece *c,
			 struct set_state *s, bool over)
{
	uint64_t end = c->b.origin + c->b.len;
	bool complete = c->complete || over;
	struct tx_work *w = e->work;
	if (t->xform_id != 0) {
		struct bytes b = c->b;
		if (complete && transform_bytes(e, t->list, t->xform_id, &b))
			mpm_scan(e, t->mpm, b.data, b.len);
		return complete;
	}
	if (end > s->off) {
		uint64_t back = t->mpm->max_len - 1;
		uint64_t from = s->off > back ? s->off - back : 0;
		if (from < c->b.origin)
			from = c->b.origin;
		mpm_scan(e, t->mpm, c->b.data + (from - c->b.origin), (uint32_t)(end - from));
		w->head.grown += end - (s->off > c->b.origin ? s->off : c->b.origin);
		w->grew = true;
		s->off = end;
	}
	return complete;
}

static void scan_set(struct rule_engine *e, const struct view *v, const struct tx_set *t,
		     struct set_state *s)
{
	uint8_t flags = app_buffer_row(t->buffer)->flags;
	bool over = is_over(v, v->dir),
	     many = (flags & BUFFER_MANY) != 0 || t->list->header != NULL;
	bool grows = (flags & BUFFER_GROWS) != 0 && t->list->header == NULL;
	if (!grows && !available(v, t->buffer, v->dir))
		return;
	struct piece c;
	while (s->index < (many ? INSTANCES : 1u) &&
	       piece_of(e, v, t->list, v->dir, s->index, &c) == 0) {
		if (grows) {
			if (!scan_growing(e, t, &c, s, over))
				return;
			s->off = 0;
		} else if (transform_bytes(e, t->list, t->xform_id, &c.b)) {
			mpm_scan(e, t->mpm, c.b.data, c.b.len);
		}
		s->index++;
	}
}

/* ---- one direction of one transaction ------------------------------------------------------------------ */

static void load(struct rule_engine *e, const struct app_plan *ap, const struct tx_rules *kept)
{
	struct tx_work *w = e->work;
	cand_begin(e);
	if (kept == NULL) {
		w->head = (struct tx_rules){.n_sets = ap->n_sets};
		memset(w->sets, 0, ap->n_sets * sizeof(*w->sets));
		return;
	}
	const uint8_t *at = (const uint8_t *)(kept + 1);
	w->head = *kept;
	memcpy(w->sets, at, kept->n_sets * sizeof(*w->sets));
	at += kept->n_sets * sizeof(*w->sets);
	memcpy(e->cands, at, kept->n_cands * sizeof(*e->cands));
	e->n_cands = kept->n_cands;
	for (uint32_t i = 0; i < e->n_cands; i++)
		e->mark[e->cands[i].rule] = e->gen;
}

static void save(struct rule_engine *e, struct app_tx *tx, unsigned dir)
{
	struct tx_work *w = e->work;
	uint32_t n = e->n_cands;
	if (n > TX_CANDS) {
		e->stats.candidates_lost += n - TX_CANDS;
		n = TX_CANDS;
	}
	w->head.n_cands = (uint16_t)n;
	size_t sets = w->head.n_sets * sizeof(*w->sets), cands = n * sizeof(*e->cands);
	uint8_t *at = tx->rules[dir];
	if (at == NULL || slab_size(at) < sizeof(w->head) + sets + cands) {
		slab_free(e->slab, at);
		at = slab_alloc(e->slab, sizeof(w->head) + sets + cands);
		tx->rules[dir] = at;
	}
	if (at == NULL) { /* out of memory: what can't be remembered is not looked at again */
		e->stats.candidates_lost += n;
		tx->inspected[dir] = true;
		return;
	}
	memcpy(at, &w->head, sizeof(w->head));
	memcpy(at + sizeof(w->head), w->sets, sets);
	memcpy(at + sizeof(w->head) + sets, e->cands, cands);
}

static void check_all(struct rule_engine *e, const struct view *v, uint32_t n_old)
{
	uint32_t n = 0;
	e->stats.candidates += e->n_cands - n_old;
	for (uint32_t i = 0; i < e->n_cands; i++) {
		struct candidate c = e->cands[i];
		enum answer a = WAIT;
		if ((c.mask & CAND_FIRED) == 0) {
			const struct rule *r = rule_at(e, c.rule);
			int64_t begin = engine_check(e, r);
			a = check(e, v, r, &c.mask, e->slot[c.rule] != e->gen);
			if (a == YES) {
				fire(e, v, r);
				c.mask |= CAND_FIRED;
			}
			engine_checked(e, r, begin);
		} else if (replaces(e, rule_at(e, c.rule)) && e->work->grew &&
			   replace_all(e, v, rule_at(e, c.rule), true)) {
			engine_match(e, v, rule_at(e, c.rule));
		}
		if (a != NO && replaces(e, rule_at(e, c.rule)) && !is_over(v, v->dir))
			note_waits(e, v, rule_at(e, c.rule));
		/* What ends early may yet go on: behind a gap, or with the end of the stream. */
		if (a != NO || (v->final && v->tx->progress[v->dir] != APP_DONE))
			e->cands[n++] = c;
	}
	e->n_cands = n;
}

static void inspect_dir(struct rule_engine *e, struct view *v, struct app_tx *tx)
{
	const struct app_plan *ap = &e->c->apps[v->tx->proto][v->dir];
	unsigned dir = v->dir;
	bool over = is_over(v, dir);
	struct tx_work *w = e->work;
	if (!ap->any) {
		tx->inspected[dir] = tx->progress[dir] == APP_DONE;
		return;
	}
	if (tx->progress[dir] == 0 && !over)
		return;
	load(e, ap, tx->rules[dir]);
	uint32_t n_old = e->n_cands;
	for (uint32_t i = 0; i < n_old; i++)
		e->slot[e->cands[i].rule] = e->gen; /* not new */
	w->grew = false;
	w->cursor.tx = NULL; /* a new one may lie where another did */
	e->n_xforms = e->xform_used = 0;
	for (uint16_t i = 0; i < ap->n_sets; i++)
		scan_set(e, v, &e->c->tx_sets[ap->sets[i]], &w->sets[i]);
	if (!w->head.begun)
		cand_refs(e, &ap->always);
	bool moved = !w->head.begun || w->head.progress != tx->progress[dir];
	if (!moved && !over && !w->grew && e->n_cands == n_old)
		return; /* nothing new */
	struct side_rules *side = &v->fr->side[dir ^ (v->app->reversed ? 1u : 0u)];
	if (side->tx_id == tx->id)
		side->tx_waits = 0;
	w->look = over || moved || w->head.grown >= w->head.look_at;
	if (w->look) {
		uint64_t step = w->head.grown / 8 < GROWTH_MOST ? w->head.grown / 8 : GROWTH_MOST;
		w->head.look_at = w->head.grown + step + 1;
	}
	w->head.begun = true;
	w->head.progress = tx->progress[dir];
	cand_sort(e);
	check_all(e, v, n_old);
	if (tx->progress[dir] != APP_DONE) {
		save(e, tx, dir);
		return;
	}
	tx->inspected[dir] = true;
	slab_free(e->slab, tx->rules[dir]);
	tx->rules[dir] = NULL;
}

/* ---- events --------------------------------------------------------------------------------------------- */

static void check_events(struct rule_engine *e, struct view *v, const struct rule_refs *refs,
			 unsigned first)
{
	for (uint32_t i = 0; i < refs->n; i++) {
		const struct rule *r = rule_at(e, refs->at[i]);
		uint32_t mask = 0;
		if (e->mark[r->index] == e->gen)
			continue; /* fired for the other direction */
		if (check(e, v, r, &mask, true) == YES) {
			e->mark[r->index] = e->gen;
			fire(e, v, r);
		}
	}
}

static void tx_events(struct rule_engine *e, struct view *v, struct app_tx *tx, unsigned first)
{
	bool any = false;
	for (unsigned i = 0; i < APP_EVENT_WORDS; i++)
		any |= (tx->events[i] & ~tx->events_told[i]) != 0;
	if (!any)
		return;
	cand_begin(e);
	for (unsigned k = 0; k < 2; k++) {
		view_turn(v, k == 0 ? first : 1 - first);
		check_events(e, v, &e->c->apps[v->tx->proto][v->dir].events, first);
	}
	for (unsigned i = 0; i < APP_EVENT_WORDS; i++)
		tx->events_told[i] |= tx->events[i];
}

static void flow_events(struct rule_engine *e, struct view *v, unsigned first)
{
	struct app *a = v->app;
	if (((a->events[0] & ~a->events_told[0]) | (a->events[1] & ~a->events_told[1])) == 0)
		return;
	cand_begin(e);
	v->tx = NULL;
	for (unsigned k = 0; k < 2; k++) {
		view_turn(v, k == 0 ? first : 1 - first);
		check_events(e, v, &e->c->flow_events, first);
	}
	a->events_told[0] |= a->events[0];
	a->events_told[1] |= a->events[1];
}

/* The other ends, in the same direction. */
static void view_swap(struct view *v)
{
	unsigned dir = v->dir;
	view_turn(v, 1 - dir);
	v->dir = (uint8_t)dir;
}

void tx_inspect(struct rule_engine *e, struct view *v, bool final)
{
	struct app *a = v->app;
	unsigned first = v->dir;
	v->where = WHERE_TX;
	v->final = final;
	if (a->reversed) /* who began the flow is the one who answers */
		view_swap(v);
	flow_events(e, v, first);
	for (struct app_tx *tx = a->tx_first; tx != NULL; tx = tx->next) {
		v->tx = tx;
		if (tx->proto >= APP_PROTOS)
			continue;
		if (e->conf.inline_mode)
			replace_ask(e, v, tx);
		for (unsigned d = 0; d < 2; d++) {
			if (tx->inspected[d])
				continue;
			view_turn(v, d);
			inspect_dir(e, v, tx);
		}
		tx_events(e, v, tx, first);
	}
	if (a->reversed)
		view_swap(v);
	v->tx = NULL;
	v->where = WHERE_PACKET;
}

/* ---- another set ------------------------------------------------------------------------------------- */

/* The buffers are scanned anew; the candidates stay, with what they have found and that they fired. */
void tx_adopt(const struct adoption *a, struct app_tx *tx, unsigned dir)
{
	struct slab *slab = a->e->slab;
	const struct tx_rules *kept = tx->rules[dir];
	size_t n_sets = tx->proto < APP_PROTOS ? a->e->c->apps[tx->proto][dir].n_sets : 0, n = 0;
	if (a->same && kept->n_sets == n_sets)
		return;
	const uint8_t *old = (const uint8_t *)(kept + 1) + kept->n_sets * sizeof(struct set_state);
	uint8_t *to =
		slab_zalloc(slab, sizeof(struct tx_rules) + n_sets * sizeof(struct set_state) +
					  kept->n_cands * sizeof(struct candidate));
	if (to == NULL) {
		a->e->stats.candidates_lost += kept->n_cands;
	} else {
		uint8_t *at = to + sizeof(struct tx_rules) + n_sets * sizeof(struct set_state);
		for (uint16_t i = 0; i < kept->n_cands; i++, old += sizeof(struct candidate)) {
			struct candidate c;
			memcpy(&c, old, sizeof(c));
			c.rule = c.rule < a->from->set->n ? a->rules[c.rule] : ADOPT_NONE;
			if (c.rule == ADOPT_NONE)
				continue;
			memcpy(at + n++ * sizeof(c), &c, sizeof(c));
		}
		const struct tx_rules head = {.n_sets = (uint16_t)n_sets, .n_cands = (uint16_t)n};
		memcpy(to, &head, sizeof(head));
	}
	slab_free(slab, tx->rules[dir]);
	tx->rules[dir] = to;
}
