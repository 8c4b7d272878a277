/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Matches that change what is sent. While a rule is held against bytes, the places of its replaced contents
 * are collected, one choice after the other until none brings a new one; they are noted as edits of the packet
 * or the stream, and stand if the match comes to act. What a direction had edited is remembered, since the
 * stream keeps the original bytes. What can't be changed any more makes the rule drop.
 */
#include "rule/match/eval_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EDITS 1024u /* of one packet */
#define EDITS_FIRST 32u
#define BUDGETS 16 /* of steps, for all places in one buffer */
#define PIECES 32u /* that one content stands in on the wire */

struct noted {
	struct rule_edit edit;
	bool live; /* a match that acts wants it */
	bool also; /* no match, but what goes before one */
};
struct replacing {
	struct noted noted[EDITS];
	struct rule_edit edits[EDITS]; /* the answer */
	uint32_t n_noted, n_edits;
	struct collect collect;
	struct found found[COLLECT];
};

int replace_create(struct rule_engine *e)
{
	e->replacing = calloc(1, sizeof(*e->replacing));
	if (e->replacing == NULL)
		return -ENOMEM;
	e->replacing->collect.at = e->replacing->found;
	return 0;
}

static bool overlaps(uint64_t a, uint32_t a_len, uint64_t b, uint32_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

/* ---- places -------------------------------------------------------------------------------------- */

/* The first found place that ends behind at: they are ordered, and apart from each other. */
static uint32_t found_at(const struct collect *k, uint32_t at)
{
	uint32_t lo = 0, hi = k->n;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (k->at[mid].at + k->at[mid].c->len > at)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

bool collect_known(const struct collect *k, uint32_t at, uint32_t len)
{
	uint32_t i = found_at(k, at);
	if (i < k->n && k->at[i].at < at + len)
		return true;
	return k->known != NULL && k->known(k, at, len);
}

static bool placed(const struct match *m)
{
	return m->kind == MATCH_CONTENT && m->u.content.has_replace;
}

bool collect_new(const struct eval *x)
{
	for (uint32_t i = 0; i < x->list->n; i++) {
		const struct match_content *c = &x->list->m[i].u.content;
		if (placed(&x->list->m[i]) &&
		    !collect_known(x->collect, (uint32_t)x->place[c->replace_no], c->len))
			return true;
	}
	return false;
}

/* false: no room for all. */
static bool add_places(const struct eval *x, struct collect *k)
{
	for (uint32_t i = 0; i < x->list->n; i++) {
		const struct match_content *c = &x->list->m[i].u.content;
		if (!placed(&x->list->m[i]))
			continue;
		uint32_t at = (uint32_t)x->place[c->replace_no];
		if (collect_known(k, at, c->len))
			continue;
		if (k->n == COLLECT)
			return false;
		uint32_t to = found_at(k, at);
		memmove(k->at + to + 1, k->at + to, (k->n - to) * sizeof(k->at[0]));
		k->at[to] = (struct found){.at = at, .c = c};
		k->n++;
	}
	return true;
}

bool collect_list(struct eval *x, const struct rule_list *l, const struct bytes *b, uint32_t n_list,
		  struct collect *k)
{
	int64_t left = (int64_t)x->e->budget * BUDGETS;
	k->n = 0;
	k->n_list = n_list;
	x->collect = k;
	while (!k->more && eval_list(x, l, b)) {
		left -= x->e->budget - x->budget;
		k->more = !add_places(x, k) || left < 0;
	}
	k->more |= x->spent && k->n > 0; /* there may be more, and nobody has looked */
	x->collect = NULL;
	return k->n > 0;
}

/* ---- what was replaced before ---------------------------------------------------------------------- */

uint32_t side_edit_at(const struct side_edits *m, uint64_t off)
{
	uint32_t lo = 0, hi = m != NULL ? m->n : 0;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (m->at[mid].off + m->at[mid].len > off)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

bool replace_known(const struct flow_rules *fr, unsigned dir, uint32_t rule, uint64_t off,
		   uint32_t len)
{
	const struct side_edits *m = fr != NULL ? fr->side[dir].edits : NULL;
	if (fr != NULL && off < fr->side[dir].floor)
		return true;
	if (m == NULL)
		return false;
	for (uint32_t i = side_edit_at(m, off); i < m->n && m->at[i].off < off + len; i++)
		if (m->at[i].rule == rule)
			return true;
	return off < m->evicted;
}

/* Room for one more edit; those that have left make room in the end. */
static bool edit_room(struct rule_engine *e, struct side_rules *s)
{
	struct side_edits *m = s->edits;
	uint32_t cap = m == NULL ? EDITS_FIRST : m->cap * 4, half = SIDE_EDITS / 2;
	if (m != NULL && m->n < m->cap)
		return true;
	if (m == NULL || m->cap < SIDE_EDITS) {
		cap = cap < SIDE_EDITS ? cap : SIDE_EDITS;
		m = slab_grow(e->slab, s->edits, sizeof(*m) + cap * sizeof(m->at[0]));
		if (m == NULL)
			return false;
		if (s->edits == NULL)
			m->n = 0, m->evicted = 0;
		m->cap = cap;
		s->edits = m;
		return true;
	}
	uint64_t end = m->at[half - 1].off + m->at[half - 1].len;
	if (end > s->gone)
		return false;
	memmove(m->at, m->at + half, (m->n - half) * sizeof(m->at[0]));
	m->n -= half;
	m->evicted = end;
	return true;
}

/* false: it can't be remembered. */
static bool remember(struct rule_engine *e, struct flow_rules *fr, const struct rule_edit *x)
{
	struct side_rules *s = fr != NULL ? &fr->side[x->dir] : NULL;
	if (s == NULL || !edit_room(e, s))
		return false;
	struct side_edits *m = s->edits;
	uint32_t k = m->n;
	for (; k > 0 && m->at[k - 1].off > x->off; k--)
		;
	if ((k > 0 && m->at[k - 1].off + m->at[k - 1].len > x->off) ||
	    (k < m->n && m->at[k].off < x->off + x->len))
		return false;
	memmove(m->at + k + 1, m->at + k, (m->n - k) * sizeof(m->at[0]));
	m->at[k] = (struct side_edit){.off = x->off, .len = x->len, .rule = x->rule};
	m->n++;
	return true;
}

void replace_adopt(struct side_rules *s, const uint32_t *to, uint32_t n)
{
	for (uint32_t i = 0; s->edits != NULL && i < s->edits->n; i++) {
		uint32_t rule = s->edits->at[i].rule;
		s->edits->at[i].rule = rule < n ? to[rule] : UINT32_MAX;
	}
	s->floor = s->gone;
}

void replace_flow_free(struct rule_engine *e, struct flow_rules *fr)
{
	for (unsigned d = 0; d < 2; d++)
		slab_free(e->slab, fr->side[d].edits);
}

/* ---- edits ----------------------------------------------------------------------------------------- */

static void note(struct rule_engine *e, const struct rule_edit *x)
{
	struct replacing *p = e->replacing;
	for (uint32_t i = 0; i < p->n_noted; i++) { /* of another transaction's match, say */
		const struct rule_edit *o = &p->noted[i].edit;
		if (o->rule == x->rule && o->where == x->where && o->dir == x->dir &&
		    o->off == x->off && o->len == x->len)
			return;
	}
	if (p->n_noted == EDITS) {
		e->spoiled = true;
		return;
	}
	p->noted[p->n_noted++] = (struct noted){.edit = *x};
}

static struct rule_edit edit_of(const struct collect *k, const struct found *f, uint8_t where,
				unsigned dir, uint64_t off)
{
	return (struct rule_edit){.rule = k->rule->index,
				  .where = where,
				  .dir = (uint8_t)dir,
				  .off = off,
				  .len = f->c->len,
				  .n = f->c->replace_len,
				  .bytes = f->c->replace};
}

static bool stream_known(const struct collect *k, uint32_t at, uint32_t len)
{
	return replace_known(k->v->fr, k->v->dir, k->rule->index, k->base + at, len);
}

/* In a stream at k->base; once: seen as a packet, maybe a copy of bytes that have left. */
static void note_stream(struct rule_engine *e, const struct collect *k, bool copy)
{
	const struct flow_rules *fr = k->v->fr;
	uint64_t gone = fr->side[k->v->dir].gone;
	for (uint32_t i = 0; i < k->n; i++) {
		const struct found *f = &k->at[i];
		struct rule_edit x = edit_of(k, f, WHERE_STREAM, k->v->dir, k->base + f->at);
		if (copy && (x.off + x.len <= gone || stream_known(k, f->at, f->c->len)))
			continue;
		if (x.off < gone)
			e->spoiled = true;
		else
			note(e, &x);
	}
}

static void note_packet(struct rule_engine *e, const struct collect *k)
{
	for (uint32_t i = 0; i < k->n; i++) {
		struct rule_edit x = edit_of(k, &k->at[i], WHERE_PACKET, k->v->dir, k->at[i].at);
		if (x.len != x.n)
			e->spoiled = true;
		else
			note(e, &x);
	}
}

bool replace_payload(struct rule_engine *e, const struct rule *r, const struct view *v,
		     const struct bytes *payload, uint64_t at)
{
	struct collect *k = &e->replacing->collect;
	bool copy = v->where != WHERE_STREAM; /* of a packet nothing is new or old */
	bool stream = v->fr != NULL && (!copy || engine_in_stream(e, v));
	k->e = e;
	k->v = v;
	k->rule = r;
	k->known = copy ? NULL : stream_known;
	k->base = at;
	k->more = false;
	k->n = 0;
	if (!eval_payload(e, r, v, payload, k))
		return false;
	e->spoiled |= k->more;
	if (stream)
		note_stream(e, k, copy);
	else
		note_packet(e, k);
	return true;
}

/* The body is counted by its framing, and would be another length. */
static bool breaks_framing(const struct collect *k, const struct found *f)
{
	bool body = (app_buffer_row(k->buffer)->flags & BUFFER_GROWS) != 0;
	return body && f->c->len != f->c->replace_len && !k->v->tx->unframed &&
	       app_is_framed(k->v->app, k->v->tx, k->dir);
}

/* The replacement over several pieces: only byte for byte. */
static void note_pieces(struct rule_engine *e, struct rule_edit *x, const struct app_piece *p,
			uint32_t n)
{
	const uint8_t *bytes = x->bytes;
	uint64_t sum = 0;
	for (uint32_t i = 0; i < n; i++)
		sum += p[i].len;
	if (n > 1 && (x->len != x->n || sum != x->n)) {
		e->spoiled = true;
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		x->off = p[i].off;
		x->len = p[i].len;
		if (n > 1) {
			x->n = p[i].len;
			x->bytes = bytes;
			bytes += p[i].len;
		}
		note(e, x);
	}
}

bool replace_single(const struct rule *r)
{
	return r->n_lists == 1 && r->lists[0].n == 1;
}

uint64_t replace_end(const struct rule_engine *e)
{
	const struct collect *k = &e->replacing->collect;
	const struct found *last = &k->at[k->n - 1];
	return k->base + last->at + last->c->len;
}

/* One list, of the payload: the others are of the transaction. */
bool replace_stream(struct rule_engine *e, const struct view *v, const struct rule *r)
{
	const struct plan *pl = r->plan;
	struct collect *k = &e->replacing->collect;
	const struct stream_side *s = &v->flow->side[v->dir];
	struct bytes b = {.data = v->p->payload, .len = v->p->payload_len, .whole = true};
	struct eval x = {.e = e, .v = v, .rule = r};
	if (v->flow->tcp)
		b = (struct bytes){.data = s->data, .len = s->len, .origin = s->base};
	*k = (struct collect){.e = e, .v = v, .rule = r, .base = b.origin, .at = k->at};
	k->known = v->flow->tcp ? stream_known : NULL;
	for (uint32_t i = 0; i < r->n_lists; i++)
		if (r->lists[i].buffer == BUF_PAYLOAD && pl->lists[i].n_replaces > 0 &&
		    collect_list(&x, &r->lists[i], &b, pl->lists[i].n_replaces, k)) {
			e->spoiled |= k->more;
			if (v->flow->tcp)
				note_stream(e, k, false);
			else
				note_packet(e, k);
			return true;
		}
	return false;
}

/* Bytes of the stream that have not left: a body has as many at the most. */
static uint64_t bytes_kept(const struct collect *k)
{
	unsigned dir = k->dir ^ (k->v->app->reversed ? 1u : 0u);
	const struct stream_side *s = &k->v->flow->side[dir];
	return s->base + s->len - k->v->fr->side[dir].gone;
}

/* Bytes of a body of which all have left: where they stood may be forgotten. */
static bool all_gone(const struct collect *k, uint64_t end)
{
	return end + bytes_kept(k) <= k->end;
}

static bool body_known(const struct collect *k, uint32_t at, uint32_t len)
{
	struct app_piece p[PIECES];
	unsigned dir = k->dir ^ (k->v->app->reversed ? 1u : 0u);
	if (app_wire(k->v->app, k->v->tx, (enum app_buffer)k->buffer, k->dir, k->index,
		     k->base + at, len, p, PIECES) == 0)
		return k->again && all_gone(k, k->base + at + len);
	return replace_known(k->v->fr, dir, k->rule->index, p[0].off, p[0].len);
}

static void note_buffer(struct rule_engine *e, const struct collect *k)
{
	const struct view *v = k->v;
	unsigned dir = k->dir ^ (v->app->reversed ? 1u : 0u);
	uint64_t gone = v->fr->side[dir].gone;
	for (uint32_t i = 0; i < k->n; i++) {
		struct app_piece p[PIECES];
		const struct found *f = &k->at[i];
		uint32_t n = v->flow->tcp
				     ? app_wire(v->app, v->tx, (enum app_buffer)k->buffer, k->dir,
						k->index, k->base + f->at, f->c->len, p, PIECES)
				     : 0;
		struct rule_edit x = edit_of(k, f, WHERE_STREAM, dir, 0);
		if (n > 0 && p[0].off < v->fr->side[dir].floor)
			continue;
		if (n == 0 || p[0].off < gone || breaks_framing(k, f))
			e->spoiled = true;
		else
			note_pieces(e, &x, p, n);
	}
}

void replace_buffer(struct rule_engine *e, const struct rule *r, const struct view *v,
		    const struct rule_list *l, const struct bytes *b, unsigned dir, uint32_t index,
		    bool again, bool *ret_any)
{
	struct collect *k = &e->replacing->collect;
	struct eval x = {.e = e, .v = v, .rule = r};
	const struct plan *pl = r->plan;
	bool grows = (app_buffer_row(l->buffer)->flags & BUFFER_GROWS) != 0;
	k->e = e;
	k->v = v;
	k->rule = r;
	k->known = grows && l->header == NULL ? body_known : NULL;
	struct bytes part = *b;
	k->end = b->origin + b->len;
	k->dir = dir;
	if (again && l->n == 1) { /* before that, all was seen */
		uint64_t keep = bytes_kept(k) + l->m[0].u.content.len;
		uint32_t skip = keep < part.len ? part.len - (uint32_t)keep : 0;
		part = (struct bytes){
			.data = b->data + skip, .len = b->len - skip, .origin = b->origin + skip};
	}
	k->base = part.origin;
	k->buffer = l->header != NULL ? (uint16_t)BUF_HTTP_HEADER_ONE : l->buffer;
	k->index = index;
	k->more = false;
	k->again = again;
	if (!collect_list(&x, l, &part, pl->lists[l - r->lists].n_replaces, k))
		return;
	*ret_any = true;
	e->spoiled |= k->more;
	note_buffer(e, k);
}

/* ---- what becomes of them -------------------------------------------------------------------------- */

/* Another rule changes the same bytes, or has. */
static bool clashes(const struct rule_engine *e, const struct flow_rules *fr, uint32_t at)
{
	const struct replacing *p = e->replacing;
	const struct rule_edit *x = &p->noted[at].edit;
	for (uint32_t i = 0; i < p->n_noted; i++) {
		const struct rule_edit *o = &p->noted[i].edit;
		if (p->noted[i].live && o->rule != x->rule && o->where == x->where &&
		    o->dir == x->dir && overlaps(o->off, o->len, x->off, x->len))
			return true;
	}
	const struct side_edits *s =
		fr != NULL && x->where == WHERE_STREAM ? fr->side[x->dir].edits : NULL;
	for (uint32_t i = side_edit_at(s, x->off); s != NULL && i < s->n; i++)
		if (s->at[i].off < x->off + x->len && s->at[i].rule != x->rule)
			return true;
	return false;
}

bool replace_also(struct rule_engine *e, const struct view *v, const struct rule_edit *x, bool now)
{
	struct replacing *p = e->replacing;
	if (p->n_noted == EDITS)
		return false;
	struct noted *at = &p->noted[p->n_noted];
	*at = (struct noted){.edit = *x, .also = true};
	if (now)
		at->live = !clashes(e, v->fr, p->n_noted) && remember(e, v->fr, x);
	p->n_noted += !now || at->live;
	return !now || at->live;
}

/* Makes the edits of a rule count; false: one of them can't. */
static bool enliven(struct rule_engine *e, struct flow_rules *fr, uint32_t rule, bool *ret_any)
{
	struct replacing *p = e->replacing;
	*ret_any = false;
	for (uint32_t i = 0; i < p->n_noted; i++) {
		struct noted *x = &p->noted[i];
		if (x->edit.rule != rule || x->also)
			continue;
		*ret_any = true;
		if (x->live)
			continue;
		if (clashes(e, fr, i) ||
		    (x->edit.where == WHERE_STREAM && !remember(e, fr, &x->edit)))
			return false;
		x->live = true;
	}
	return true;
}

uint8_t replace_settle(struct rule_engine *e, const struct view *v, const struct queued *q,
		       uint8_t action)
{
	const struct plan *pl = rule_at(e, q->rule)->plan;
	bool any = false,
	     open = action == ACTION_ALERT || action == ACTION_REWRITE || action == ACTION_LOG;
	if (!open)
		return action;
	if (!pl->replaces)
		return action == ACTION_REWRITE ? ACTION_ALERT : action;
	if (q->spoiled || !enliven(e, v->fr, q->rule, &any)) {
		e->stats.replaced_late++;
		return ACTION_DROP;
	}
	return any ? ACTION_REWRITE : action == ACTION_REWRITE ? ACTION_ALERT : action;
}

static bool before(const struct rule_edit *a, const struct rule_edit *b)
{
	if (a->where != b->where || a->dir != b->dir)
		return a->where != b->where ? a->where < b->where : a->dir < b->dir;
	return a->off < b->off;
}

void replace_finish(struct rule_engine *e, const struct view *v, bool passed)
{
	struct replacing *p = e->replacing;
	p->n_edits = 0;
	if (v == NULL)
		p->n_noted = 0;
	for (uint32_t i = 0; i < p->n_noted; i++) {
		const struct rule_edit *x = &p->noted[i].edit;
		if (p->noted[i].also && !p->noted[i].live && !clashes(e, v->fr, i))
			p->noted[i].live = remember(e, v->fr, x);
		if (p->noted[i].also && !p->noted[i].live)
			continue;
		if (!p->noted[i].live) { /* let go: it does not come late next time */
			if (passed && x->where == WHERE_STREAM)
				(void)remember(e, v->fr, x);
			continue;
		}
		uint32_t k = p->n_edits++;
		for (; k > 0 && before(x, &p->edits[k - 1]); k--)
			p->edits[k] = p->edits[k - 1];
		p->edits[k] = *x;
	}
	p->n_noted = 0;
	e->stats.replaced += p->n_edits;
}

uint32_t rule_edits(const struct rule_engine *e, const struct rule_edit **ret)
{
	if (e->replacing == NULL)
		return 0;
	*ret = e->replacing->edits;
	return e->replacing->n_edits;
}
