/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules against one direction of a TCP stream. New bytes are scanned together with as many old ones as
 * the longest literal needs; a rule whose literal was found stays a candidate over a window of the
 * stream, however the rest of it is cut into segments. Rules that later bytes could contradict (negated
 * contents, ends) wait until the window is settled: the other side speaks, the window slides, the
 * stream ends.
 *
 * Work is bounded: a candidate that failed for want of a content waits for that content in new bytes.
 * Each try costs the bytes it looks at, out of a credit that grows with the stream; who sends one byte a
 * time can't have the whole window looked at for each. When the credit is used up the candidate waits,
 * at the latest until the window slides or the stream ends: what is found then is late, not lost.
 */
#include "rule/match/eval_priv.h"

#include <string.h>

/* A match spans so much of a stream at most (as in Snort, whose max_pdu it is); so much is held. Windows lie at
 * fixed places, half over the one before, so that nothing depends on how data are cut: what spans no more
 * than half is always found. */
#define WINDOW 16384u
#define WINDOW_KEEP 8192u
#define CREDIT_FIRST (16u * WINDOW)
#define CREDIT_MAX (64u * WINDOW)
#define CREDIT_BYTE 64u /* for each new byte */

struct window {
	const uint8_t *data;
	uint64_t from, end, fresh; /* absolute; fresh: first byte not seen before */
	bool last;                 /* it slides after this, or the stream ends */
};

static uint32_t overlap(const struct mpm *m)
{
	return m->max_len - 1;
}

static void scan(struct rule_engine *e, const struct mpm *m, const struct window *w)
{
	if (m == NULL || w->fresh >= w->end)
		return;
	uint64_t back = overlap(m), from = w->fresh - w->from > back ? w->fresh - back : w->from;
	mpm_scan(e, m, w->data + (from - w->from), (uint32_t)(w->end - from));
}

/* What stands where the message begins. */
static void scan_beginning(struct rule_engine *e, const struct fixed *f, const struct window *w,
			   uint64_t message)
{
	if (f->n == 0 || message < w->from ||
	    (w->fresh > message && w->fresh - message > FIXED_AT + 2))
		return;
	uint64_t from = w->fresh > message ? w->fresh - message : 0;
	if (w->end > message)
		cand_fixed(e, f, w->data + (message - w->from), (uint32_t)from,
			   (uint32_t)(w->end - message));
}

static const struct match_content *fast_of(const struct rule *r)
{
	return r->fast_list < 0 ? NULL : &r->lists[r->fast_list].m[r->fast_match].u.content;
}

static bool there(const struct window *w, uint64_t from, const struct match_content *c)
{
	if (from < w->from)
		from = w->from;
	return from < w->end && eval_find(w->data + (from - w->from), w->end - from, c->bytes,
					  c->len, c->nocase) != NULL;
}

/* A content without which the rule can't match and that is nowhere in the window; NULL: none. */
static const struct match_content *missing(const struct rule *r, const struct window *w,
					   uint64_t from)
{
	for (uint32_t i = 0; i < r->n_lists; i++) {
		if (r->lists[i].buffer != BUF_PAYLOAD || r->lists[i].base64_data ||
		    r->lists[i].n_transforms > 0)
			continue;
		for (uint32_t k = 0; k < r->lists[i].n; k++) {
			const struct match *m = &r->lists[i].m[k];
			if (m->kind == MATCH_CONTENT && !m->u.content.negated &&
			    m->u.content.len > 0 && !there(w, from, &m->u.content))
				return &m->u.content;
		}
	}
	return NULL;
}

/* Does what stands at a fixed place of the message fit, as far as it is there? */
static bool beginning_fits(const struct quick *q, const struct window *w, uint64_t message)
{
	if (q->n_bytes == 0)
		return true;
	if (message < w->from)
		return message + q->at >= w->from;
	return message + q->at + q->n_bytes > w->end ||
	       quick_bytes(q, w->data + (message - w->from), (uint32_t)(w->end - message));
}

/* WAIT: no match yet. */
static enum answer check(struct rule_engine *e, struct view *v, const struct rule *r,
			 const struct window *w, uint64_t from)
{
	uint64_t anchor = 0; /* what offsets count from: the last message's beginning */
	if (((const struct plan *)r->plan)->starts) {
		anchor = v->fr->side[v->dir].message;
		from = from > anchor ? from : anchor;
	}
	enum answer a = WAIT;
	if (from < w->from)
		from = w->from;
	if (from >= w->end)
		return WAIT;
	int64_t begin = engine_check(e, r);
	struct bytes b = {.data = w->data + (from - w->from),
			  .len = (uint32_t)(w->end - from),
			  .origin = from - anchor};
	if (eval_tests(e, r, v) == YES && (replaces(e, r) ? replace_payload(e, r, v, &b, from)
							  : eval_payload(e, r, v, &b, NULL))) {
		engine_match(e, v, r);
		a = YES;
	}
	engine_checked(e, r, begin);
	return a;
}

static uint64_t cost_of(const struct stream_cand *c, const struct window *w)
{
	return w->end - (c->from > w->from ? c->from : w->from);
}

/* What replaces must know before the bytes have left: it judges by what there is. */
static bool waits_for_whole(const struct rule_engine *e, const struct rule *r)
{
	return ((const struct plan *)r->plan)->whole && !replaces(e, r);
}

/* Is it this candidate's turn? */
static bool due(const struct rule_engine *e, struct stream_cand *c, const struct rule *r,
		const struct window *w, bool settle)
{
	if (waits_for_whole(e, r))
		return settle;
	if (w->fresh < w->end) {
		uint64_t credit = c->credit + (w->end - w->fresh) * CREDIT_BYTE;
		c->credit = credit < CREDIT_MAX ? (uint32_t)credit : CREDIT_MAX;
		uint64_t back = c->gate != NULL ? c->gate->len - 1 : 0;
		uint64_t from = w->fresh > back ? w->fresh - back : 0;
		c->pending |= c->gate == NULL || there(w, from > c->from ? from : c->from, c->gate);
	}
	return c->pending && (w->last || replaces(e, r) || cost_of(c, w) <= c->credit);
}

/* false: it is no candidate any more. */
static bool try_one(struct rule_engine *e, struct view *v, struct side_rules *s,
		    struct stream_cand *c, const struct window *w, bool settle)
{
	const struct rule *r = rule_at(e, c->rule);
	bool whole = waits_for_whole(e, r);
	if (!due(e, c, r, w, settle))
		return true;
	enum answer a = eval_header(e, r, v);
	if (a != YES)
		return a != NO; /* the protocol, say, is not known yet */
	uint64_t from = c->from, cost = cost_of(c, w);
	if (whole && s->settled > from)
		from = s->settled; /* settled before */
	c->credit -= cost < c->credit ? (uint32_t)cost : c->credit;
	c->pending = false;
	if (check(e, v, r, w, from) == YES) {
		if (!replaces(e, r))
			c->from = w->end;
		else if (replace_single(r)) /* else what was replaced tells what is new */
			c->from = replace_end(e);
		c->gate = NULL;
		return true;
	}
	if (whole)
		return c->from > w->from;
	c->gate = missing(r, w, c->from);
	return true;
}

static bool room(struct rule_engine *e, struct side_rules *s)
{
	if (s->n < s->cap)
		return true;
	if (s->cap >= STREAM_CANDS)
		return false;
	uint16_t cap = s->cap == 0 ? 8 : (uint16_t)(s->cap * 2);
	struct stream_cand *c = slab_grow(e->slab, s->cands, cap * sizeof(*c));
	if (c == NULL)
		return false;
	s->cands = c;
	s->cap = cap;
	return true;
}

uint64_t side_end_of(const struct stream_side *side, const struct pkt *p)
{
	uint64_t end = (uint32_t)(p->tcp.seq + p->payload_len - side->isn - 1);
	return end | (side->base & ~(uint64_t)UINT32_MAX);
}

static void try_all(struct rule_engine *e, struct view *v, struct side_rules *s,
		    const struct window *w, bool settle)
{
	cand_sort(e);
	e->stats.candidates += e->n_cands;
	for (uint32_t i = 0; i < e->n_cands; i++) {
		uint32_t at = e->cands[i].mask; /* place + 1 among those kept; 0: new */
		const struct quick *q = &e->c->quick[e->cands[i].rule];
		if (at == 0) {
			if (!quick_ports(q, v) || !beginning_fits(q, w, s->message))
				continue;
			struct stream_cand fresh = {
				.rule = e->cands[i].rule, .credit = CREDIT_FIRST, .pending = true};
			if (!room(e, s)) {
				e->stats.candidates_lost++;
				fresh.from = e->conf.inline_mode
						     ? 0
						     : w->fresh; /* rather twice than never */
				(void)try_one(e, v, s, &fresh, w, settle);
				continue;
			}
			s->cands[s->n++] = fresh;
			at = s->n;
		}
		struct stream_cand *c = &s->cands[at - 1];
		if (!try_one(e, v, s, c, w, settle))
			c->rule = UINT32_MAX;
	}
}

/* Throws out those that are dead or that the window has passed by. */
static void compact(struct rule_engine *e, struct side_rules *s, const struct window *w, bool slid)
{
	uint16_t n = 0;
	for (uint16_t i = 0; i < s->n; i++) {
		struct stream_cand *c = &s->cands[i];
		if (c->rule == UINT32_MAX)
			continue;
		const struct match_content *fast = fast_of(rule_at(e, c->rule));
		if (slid && c->from <= w->from && fast != NULL && !there(w, w->from, fast))
			continue;
		s->cands[n++] = *c;
	}
	s->n = n;
}

/* Up to the window's end. */
static void inspect_window(struct rule_engine *e, struct view *v, const struct group *const g[2],
			   unsigned n, struct window *w, bool settle)
{
	struct side_rules *s = &v->fr->side[v->dir];
	w->fresh = s->scanned > w->from ? s->scanned : w->from;
	if (w->fresh < w->end || (s->n > 0 && settle)) {
		cand_begin(e);
		for (uint16_t i = 0; i < s->n; i++)
			cand_add(e, s->cands[i].rule, i + 1u);
		for (unsigned i = 0; i < n; i++) {
			if (i + 1 == n || !g[1]->joined)
				scan(e, g[i]->stream, w);
			scan_beginning(e, &g[i]->fixed_stream, w, s->message);
			if (w->fresh < w->end)
				cand_refs(e, &g[i]->always_stream);
		}
		if (e->n_cands > 0)
			try_all(e, v, s, w, settle);
	}
	s->scanned = w->end > s->scanned ? w->end : s->scanned;
	if (settle)
		s->settled = w->end;
}

/* Those that count from where a message begins begin anew with the next. */
static void forget_message(struct rule_engine *e, struct side_rules *s)
{
	uint16_t n = 0;
	for (uint16_t i = 0; i < s->n; i++)
		if (!((const struct plan *)rule_at(e, s->cands[i].rule)->plan)->starts)
			s->cands[n++] = s->cands[i];
	s->n = n;
}

/* In a TLS conversation no match reaches over a turn: what one side sends until the other speaks is one
 * flight of records, ciphertext of which has nothing to do with the flight before. (Contiguous bytes could not
 * span records anyway: a record's header stands between.) */
static bool flight_ends(const struct view *v)
{
	const struct app *a = v->app;
	return a != NULL && a->proto == APP_TLS && !a->failed;
}

void side_inspect(struct rule_engine *e, struct view *v, const struct group *const g[2], unsigned n,
		  bool turn, bool settle)
{
	struct stream_side *side = &v->flow->side[v->dir];
	struct side_rules *s = &v->fr->side[v->dir];
	uint64_t end = side->base + side->len;
	bool any = g[0]->streams || (n > 1 && g[1]->streams) || e->c->payload_in_tx;
	if (!any || side->no_raw) {
		side->raw_done = end;
		return;
	}
	static const uint8_t nothing[1];
	v->where = WHERE_STREAM;
	struct window w = {.from = side->raw_done > side->base ? side->raw_done : side->base};
	if (w.from > end)
		w.from = end;
	for (;;) {
		bool full = end - w.from > WINDOW;
		w.last = full || v->final;
		w.end = full ? w.from + WINDOW : end;
		w.data = w.from < end ? side->data + (w.from - side->base) : nothing;
		inspect_window(e, v, g, n, &w, full || settle);
		if (!full)
			break;
		w.from += WINDOW - WINDOW_KEEP;
		w.data += WINDOW - WINDOW_KEEP;
		compact(e, s, &w, true);
	}
	side->raw_done = w.from;
	if (s->n > 0)
		compact(e, s, &w, false);
	if (e->conf.inline_mode)
		hold_stream(e, v, w.data, w.from, end);
	if (turn && s->message != end) {
		s->message = s->settled = end;
		forget_message(e, s);
		if (flight_ends(v)) {
			side->raw_done = end;
			s->n = 0;
		}
	}
	if (v->final) {
		side->raw_done = end;
		s->n = 0;
	}
	v->where = WHERE_PACKET;
}
