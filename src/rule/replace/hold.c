/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From where on bytes have to wait since they may begin what a rule will replace: an end of the stream or of a
 * body that is a beginning of a replaced content, a replaced content that what follows decides about, a head of
 * HTTP that is not complete.
 */
#include "rule/match/eval_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES 65536u /* of a head that waits */

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* ---- rules ------------------------------------------------------------------------------------------ */

/* Could later bytes decide about the k-th match of the list, which is found? */
static bool decided_later(const struct rule_list *l, uint32_t k)
{
	for (uint32_t i = 0; i < l->n; i++) {
		const struct match *m = &l->m[i];
		if (i == k || (m->kind == MATCH_CONTENT && m->u.content.negated))
			continue;
		if (i > k || (m->kind == MATCH_CONTENT && !m->u.content.has_distance &&
			      !m->u.content.has_within))
			return true;
	}
	return false;
}

unsigned replace_urgency(const struct rule_list *l, const struct match_content *c)
{
	if (!c->has_replace || c->replace_drops)
		return 0;
	return (app_buffer_row(l->buffer)->flags & BUFFER_GROWS) != 0 ? 1u << 26 : 1u << 25;
}

void plan_replaces(const struct rule *r, struct plan *p)
{
	if (r->action != ACTION_ALERT && r->action != ACTION_REWRITE && r->action != ACTION_LOG)
		return;
	for (uint32_t i = 0; i < r->n_lists; i++)
		for (uint32_t k = 0; k < r->lists[i].n; k++) {
			const struct match_content *m = &r->lists[i].m[k].u.content;
			if (r->lists[i].m[k].kind != MATCH_CONTENT || !m->has_replace)
				continue;
			p->replaces = true;
			p->replace_drops |= m->replace_drops;
			p->lists[i].n_replaces++;
			p->lists[i].later |= decided_later(&r->lists[i], k);
		}
	for (uint32_t i = 0; p->replace_drops && i < r->n_lists; i++)
		p->lists[i].n_replaces = 0; /* it drops: nothing to be found */
}

/* ---- beginnings ------------------------------------------------------------------------------------ */

static int add(struct holds *h, const struct rule *r, const struct match_content *c)
{
	if (h->n == h->cap) {
		uint32_t cap = h->cap == 0 ? 8 : 2 * h->cap;
		struct hold *at = realloc(h->at, cap * sizeof(*at));
		if (at == NULL)
			return -ENOMEM;
		h->at = at;
		h->cap = cap;
	}
	h->at[h->n++] = (struct hold){.c = c, .rule = r};
	h->max_len = c->len > h->max_len ? c->len : h->max_len;
	return 0;
}

int holds_add(struct holds *h, const struct rule *r, const struct rule_list *l)
{
	int rc = 0;
	for (uint32_t i = 0; i < l->n && rc == 0; i++)
		if (l->m[i].kind == MATCH_CONTENT && l->m[i].u.content.has_replace)
			rc = add(h, r, &l->m[i].u.content);
	return rc;
}

static int by_first(const void *a, const void *b)
{
	const struct hold *x = a, *y = b;
	return (int)lower(x->c->bytes[0]) - (int)lower(y->c->bytes[0]);
}

void holds_finish(struct holds *h)
{
	if (h->n > 1)
		qsort(h->at, h->n, sizeof(*h->at), by_first);
	memset(h->first, 0, sizeof(h->first));
	for (uint32_t i = 0; i < h->n; i++)
		h->first[lower(h->at[i].c->bytes[0]) + 1u]++;
	for (unsigned b = 0; b < 256; b++)
		h->first[b + 1] += h->first[b];
}

void holds_free(struct compiled *c)
{
	for (uint32_t i = 0; i < c->n_groups; i++) {
		free(c->groups[i].holds.at);
		free(c->groups[i].replaces.at);
	}
	for (unsigned d = 0; d < 2; d++) {
		free(c->replaced_head[d].at);
		free(c->replaced_body[d].at);
	}
}

static bool begins(const struct match_content *c, const uint8_t *p, uint32_t len)
{
	if (c->len <= len)
		return false;
	if (!c->nocase)
		return memcmp(c->bytes, p, len) == 0;
	for (uint32_t i = 0; i < len; i++)
		if (lower(c->bytes[i]) != lower(p[i]))
			return false;
	return true;
}

/* How many bytes at the end of data may be the beginning of what a rule for this view replaces. */
static uint32_t suffix(const struct rule_engine *e, const struct view *v, const struct holds *h,
		       const uint8_t *data, uint32_t len)
{
	uint32_t k = h->max_len > len ? len : h->max_len > 0 ? h->max_len - 1 : 0;
	for (; k > 0; k--) {
		const uint8_t *p = data + (len - k);
		uint8_t b = lower(*p);
		for (uint32_t i = h->first[b]; i < h->first[b + 1u]; i++)
			if (begins(h->at[i].c, p, k) && eval_header(e, h->at[i].rule, v) != NO)
				return k;
	}
	return 0;
}

#define ASKED 256u /* rules, at most */
static bool any_fits(const struct rule_engine *e, const struct view *v, const struct holds *h)
{
	for (uint32_t i = 0; i < h->n; i++)
		if (i == ASKED || eval_header(e, h->at[i].rule, v) != NO)
			return true;
	return false;
}

/* ---- what is undecided ------------------------------------------------------------------------------- */

/* The first place of one of a list's replaced contents in b that `old` does not know. */
typedef bool old_fn(const struct collect *k, uint64_t off, uint32_t len);

static uint64_t undecided(const struct collect *k, const struct rule_list *l, const struct bytes *b,
			  old_fn *old)
{
	uint64_t best = b->len;
	for (uint32_t i = 0; i < l->n; i++) {
		const struct match_content *c = &l->m[i].u.content;
		if (l->m[i].kind != MATCH_CONTENT || !c->has_replace)
			continue;
		for (uint64_t at = 0; at < best; at++) {
			const uint8_t *p =
				eval_find(b->data + at, b->len - at, c->bytes, c->len, c->nocase);
			at = p != NULL ? (uint64_t)(p - b->data) : best;
			if (at < best && !old(k, b->origin + at, c->len)) {
				best = at;
				break;
			}
		}
	}
	return best < b->len ? b->origin + best : UINT64_MAX;
}

static bool old_in_stream(const struct collect *k, uint64_t off, uint32_t len)
{
	return replace_known(k->v->fr, k->v->dir, k->rule->index, off, len);
}

static bool old_in_body(const struct collect *k, uint64_t off, uint32_t len)
{
	struct app_piece p[8];
	unsigned dir = k->dir ^ (k->v->app->reversed ? 1u : 0u);
	return app_wire(k->v->app, k->v->tx, (enum app_buffer)k->buffer, k->dir, k->index, off, len,
			p, ARRAY_LEN(p)) == 0 ||
	       p[0].off < k->v->fr->side[dir].gone ||
	       replace_known(k->v->fr, dir, k->rule->index, p[0].off, p[0].len);
}

uint64_t hold_body(struct rule_engine *e, const struct view *v, const struct rule *r, uint32_t list,
		   const struct bytes *b, unsigned dir, uint32_t index)
{
	const struct rule_list *l = &r->lists[list];
	const struct collect k = {
		.e = e, .v = v, .rule = r, .buffer = l->buffer, .index = index, .dir = dir};
	uint32_t skip = b->len > HOLD_BYTES ? b->len - HOLD_BYTES : 0;
	const struct bytes tail = {
		.data = b->data + skip, .len = b->len - skip, .origin = b->origin + skip};
	struct app_piece p[8];
	uint64_t off = undecided(&k, l, &tail, old_in_body);
	if (off == UINT64_MAX ||
	    app_wire(v->app, v->tx, (enum app_buffer)l->buffer, dir, index, off, 1, p, 8) == 0)
		return UINT64_MAX;
	return p[0].off;
}

void hold_stream(struct rule_engine *e, const struct view *v, const uint8_t *data, uint64_t from,
		 uint64_t end)
{
	struct side_rules *s = &v->fr->side[v->dir];
	uint64_t lo = end > HOLD_BYTES ? end - HOLD_BYTES : 0, best = UINT64_MAX;
	lo = lo < s->gone ? s->gone : lo;
	lo = lo < from ? from : lo;
	s->waits = 0;
	for (uint16_t i = 0; i < s->n && lo < end; i++) {
		const struct rule *r = rule_at(e, s->cands[i].rule);
		enum answer a = replaces(e, r) ? eval_header(e, r, v) : NO;
		if (a == NO)
			continue;
		const struct plan *pl = r->plan;
		const struct bytes b = {
			.data = data + (lo - from), .len = (uint32_t)(end - lo), .origin = lo};
		const struct collect k = {.e = e, .v = v, .rule = r};
		for (uint32_t j = 0; j < r->n_lists; j++) {
			if (r->lists[j].buffer != BUF_PAYLOAD || pl->lists[j].n_replaces == 0 ||
			    (!pl->lists[j].later && a != WAIT))
				continue;
			uint64_t at = undecided(&k, &r->lists[j], &b, old_in_stream);
			best = at < best ? at : best;
		}
	}
	s->waits = best != UINT64_MAX ? best + 1 : 0;
}

/* ---- a conversation ------------------------------------------------------------------------------------ */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t waiting(uint64_t waits, uint64_t end)
{
	return waits != 0 && end - (waits - 1) <= HOLD_BYTES ? waits - 1 : end;
}

static bool may_be_http(const struct app *a)
{
	return a == NULL ||
	       (!a->failed && !a->wants_none && (a->proto == APP_UNKNOWN || a->proto == APP_HTTP));
}

/* The end of the body that is going on. */
static uint64_t body_hold(const struct rule_engine *e, const struct view *v, unsigned talk,
			  uint64_t end)
{
	const struct holds *h = &e->c->replaced_body[talk];
	const struct app *a = v->app;
	enum app_buffer b = talk == TO_SERVER ? BUF_HTTP_REQUEST_BODY : BUF_HTTP_RESPONSE_BODY;
	for (const struct app_tx *tx = a->tx_first; tx != NULL; tx = tx->next) {
		struct span s;
		struct app_piece p[8];
		uint64_t base = 0;
		bool complete = true;
		if (tx->proto != APP_HTTP || tx->progress[talk] == 0 ||
		    tx->progress[talk] == APP_DONE ||
		    app_buffer(a, tx, b, talk, 0, &s, &base, &complete) != 0 || complete)
			continue;
		uint32_t k = suffix(e, v, h, s.data, s.len);
		if (k > 0 && app_wire(a, tx, b, talk, 0, base + s.len - k, k, p, ARRAY_LEN(p)) > 0)
			return p[0].off;
	}
	return end;
}

/* What rules that fit do to bodies. */
static enum rule_bodies bodies_of(const struct rule_engine *e, const struct view *v, unsigned talk)
{
	const struct holds *h = &e->c->replaced_body[talk];
	enum rule_bodies most = BODIES_PLAIN;
	for (uint32_t i = 0; i < h->n && most != BODIES_LENGTHS; i++) {
		const struct match_content *c = h->at[i].c;
		if (i < ASKED && eval_header(e, h->at[i].rule, v) == NO)
			continue;
		most = c->len != c->replace_len ? BODIES_LENGTHS : BODIES_CHANGED;
	}
	return most;
}

enum rule_bodies rule_bodies(const struct rule_engine *e, const struct stream_flow *f, unsigned dir)
{
	const struct flow_rules *fr = f->rules;
	const struct app *a = f->app;
	unsigned talk = dir ^ (a != NULL && a->reversed ? 1u : 0u);
	const struct group *g[2];
	struct view v;
	struct pkt p;
	if (!e->conf.inline_mode || (fr != NULL && fr->pass) || e->c->replaced_body[talk].n == 0)
		return BODIES_PLAIN;
	(void)engine_view(e, (struct stream_flow *)(uintptr_t)f, dir, &p, &v, g);
	return bodies_of(e, &v, talk);
}

const struct rule *hold_answers(const struct rule_engine *e, struct stream_flow *f,
				bool *ret_resizes)
{
	const struct rule *found = NULL;
	const struct holds *h = &e->c->replaced_body[TO_CLIENT];
	const struct app *a = f->app;
	const struct group *g[2];
	struct view v;
	struct pkt p;
	if (h->n == 0)
		return NULL;
	(void)engine_view(e, f, a != NULL && a->reversed ? TO_SERVER : TO_CLIENT, &p, &v, g);
	for (uint32_t i = 0; i < h->n && i < ASKED; i++)
		if (eval_header(e, h->at[i].rule, &v) != NO) {
			found = found == NULL ? h->at[i].rule : found;
			*ret_resizes |= h->at[i].c->len != h->at[i].c->replace_len;
		}
	return found;
}

/* Must a head be whole before it leaves? Headers of it may be changed: by rules, or because of what they do to
 * bodies, its own or (by asking for another encoding) that of the answer. */
static bool head_waits(const struct rule_engine *e, const struct view *v, unsigned talk)
{
	bool resizes = false;
	if (any_fits(e, v, &e->c->replaced_head[talk]) || bodies_of(e, v, talk) == BODIES_LENGTHS)
		return true;
	return talk == TO_SERVER && hold_answers(e, v->flow, &resizes) != NULL;
}

static uint64_t http_hold(const struct rule_engine *e, const struct view *v, unsigned dir,
			  uint64_t end)
{
	const struct app *a = v->app;
	const struct stream_side *s = &v->flow->side[dir];
	unsigned talk = dir ^ (a != NULL && a->reversed ? 1u : 0u);
	if (a == NULL || !may_be_http(a) || s->no_app)
		return end;
	bool body = e->c->replaced_body[talk].n > 0;
	if (a->proto == APP_UNKNOWN) { /* what it is can't be told yet */
		bool waits = !a->detected[dir] && end - s->app_done <= HOLD_BYTES &&
			     (head_waits(e, v, talk) || any_fits(e, v, &e->c->replaced_body[talk]));
		return waits ? s->app_done : end;
	}
	uint64_t from = app_head_begins(a, talk);
	if (from != UINT64_MAX && from <= end && end - from <= HEAD_BYTES && head_waits(e, v, talk))
		return from;
	return body ? body_hold(e, v, talk, end) : end;
}

/* From where on an end of the stream is compared with beginnings: over an edit nothing matches. */
static uint64_t behind_edits(const struct side_rules *s, uint64_t from)
{
	const struct side_edits *m = s->edits;
	uint64_t to = m != NULL && m->n > 0 ? m->at[m->n - 1].off + m->at[m->n - 1].len : 0;
	return to > from ? to : from;
}

uint64_t rule_hold(struct rule_engine *e, const struct stream_flow *f, unsigned dir)
{
	const struct flow_rules *fr = f->rules;
	const struct stream_side *side = &f->side[dir];
	uint64_t end = side->base + side->len, hold = end;
	if (!e->conf.inline_mode || fr == NULL || fr->pass || f->dead || !f->tcp)
		return end;
	const struct side_rules *s = &fr->side[dir];
	const struct group *g[2];
	struct view v;
	struct pkt p;
	unsigned n = engine_view(e, (struct stream_flow *)(uintptr_t)f, dir, &p, &v, g);
	uint64_t from = behind_edits(s, s->gone > side->base ? s->gone : side->base);
	for (unsigned i = 0; i < n && from < end; i++)
		if (g[i]->holds.n > 0)
			hold = least(hold, end - suffix(e, &v, &g[i]->holds,
							side->data + (from - side->base),
							(uint32_t)(end - from)));
	hold = least(hold, waiting(s->waits, end));
	hold = least(hold, waiting(s->tx_waits, end));
	hold = least(hold, http_hold(e, &v, dir, end));
	uint32_t at = side_edit_at(s->edits, hold);
	if (s->edits != NULL && at < s->edits->n && s->edits->at[at].off < hold)
		hold = s->edits->at[at].off + s->edits->at[at].len; /* it leaves as a whole */
	return hold < s->gone ? least(s->gone, end) : least(hold, end);
}

bool rule_rewrites(const struct rule_engine *e, const struct stream_flow *f, unsigned dir)
{
	const struct flow_rules *fr = f->rules;
	if (!e->conf.inline_mode || (fr != NULL && fr->pass))
		return false;
	const struct app *a = f->app;
	const struct group *g[2];
	struct view v;
	struct pkt p;
	unsigned n = engine_view(e, (struct stream_flow *)(uintptr_t)f, dir, &p, &v, g);
	for (unsigned i = 0; i < n; i++)
		for (uint32_t k = 0; k < g[i]->replaces.n; k++)
			if (k == ASKED ||
			    eval_header(e, rule_at(e, g[i]->replaces.at[k]), &v) != NO)
				return true;
	unsigned talk = dir ^ (a != NULL && a->reversed ? 1u : 0u);
	return f->tcp && may_be_http(a) &&
	       (head_waits(e, &v, talk) || any_fits(e, &v, &e->c->replaced_body[talk]));
}

void rule_gone(struct rule_engine *e, struct stream_flow *f, unsigned dir, uint64_t off)
{
	(void)e;
	struct flow_rules *fr = f->rules;
	if (fr != NULL && off > fr->side[dir].gone)
		fr->side[dir].gone = off;
}
