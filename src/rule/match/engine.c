/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One thread's matching: what a packet meets, in which order, and what comes of the matches. No heap
 * after creation.
 */
#include "rule/match/eval_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TH_SYN 0x02u
#define TH_RST 0x04u

/* ---- candidates ---------------------------------------------------------------------------------------- */

void cand_begin(struct rule_engine *e)
{
	e->n_cands = 0;
	if (++e->gen == 0) {
		memset(e->mark, 0, (e->set->n + 1) * sizeof(*e->mark));
		e->gen = 1;
	}
}

void cand_add(struct rule_engine *e, uint32_t rule, uint32_t mask)
{
	if (e->mark[rule] == e->gen ||
	    (e->asked != NULL && !quick_fits(&e->c->quick[rule], e->asked)))
		return;
	if (e->n_cands == CANDIDATES) {
		e->stats.candidates_lost++;
		return;
	}
	e->mark[rule] = e->gen;
	e->cands[e->n_cands++] = (struct candidate){.rule = rule, .mask = mask};
}

void cand_refs(struct rule_engine *e, const struct rule_refs *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		cand_add(e, r->at[i], 0);
}

void cand_fixed(struct rule_engine *e, const struct fixed *f, const uint8_t *data, uint32_t from,
		uint32_t len)
{
	for (uint32_t i = 0; i < f->n; i++) {
		const struct fixed_class *k = &f->classes[i];
		if (len < k->at + 2 || from >= k->at + 2)
			continue;
		uint8_t h = fixed_hash(data + k->at);
		for (uint32_t j = k->first[h]; j < k->first[h + 1]; j++) {
			const struct quick *q = &e->c->quick[k->rules.at[j]];
			if (len < q->at + q->n_bytes || quick_bytes(q, data, len))
				cand_add(e, k->rules.at[j], 0);
		}
	}
}

/* Shell sort: qsort may take memory. */
void cand_sort(struct rule_engine *e)
{
	static const uint32_t gaps[] = {1750, 701, 301, 132, 57, 23, 10, 4, 1};
	struct candidate *c = e->cands;
	for (size_t g = 0; g < ARRAY_LEN(gaps); g++)
		for (uint32_t i = gaps[g]; i < e->n_cands; i++) {
			struct candidate x = c[i];
			uint32_t k = i;
			for (; k >= gaps[g] && c[k - gaps[g]].rule > x.rule; k -= gaps[g])
				c[k] = c[k - gaps[g]];
			c[k] = x;
		}
}

/* ---- creation ----------------------------------------------------------------------------------------- */

static int make(struct rule_engine *e)
{
	size_t n = e->set->n + 1;
	e->mark = calloc(n, sizeof(*e->mark));
	e->slot = calloc(n, sizeof(*e->slot));
	e->cands = calloc(CANDIDATES, sizeof(*e->cands));
	e->xform_bytes = malloc(XFORM_BYTES);
	e->base64 = malloc(BASE64_BYTES);
	e->work = tx_work_create();
	if (e->conf.profile)
		e->profile = calloc(n, sizeof(*e->profile));
	if (e->mark == NULL || e->slot == NULL || e->cands == NULL || e->xform_bytes == NULL ||
	    e->base64 == NULL || e->work == NULL || (e->conf.profile && e->profile == NULL))
		return -ENOMEM;
	for (uint32_t i = 0; i < e->c->n_databases; i++)
		if (hs_alloc_scratch(e->c->databases[i].hs, &e->scratch) != HS_SUCCESS)
			return -ENOMEM;
	int rc = e->conf.inline_mode ? replace_create(e) : 0;
	if (rc == 0)
		rc = engine_make_pcre(e);
	if (rc == 0)
		rc = inflate_create(&e->inflate);
	if (rc == 0)
		rc = adopt_create(e->set, &e->index);
	return rc < 0 ? rc : state_create(e->set, &e->state);
}

int rule_engine_create(const struct rule_set *set, const struct rule_engine_conf *conf,
		       struct slab *slab, struct rule_engine **ret)
{
	if (set->compiled == NULL || set->conf.parse_only)
		return -EINVAL;
	struct rule_engine *e = calloc(1, sizeof(*e));
	if (e == NULL)
		return -ENOMEM;
	e->set = set;
	e->c = set->compiled;
	e->conf = *conf;
	e->slab = slab;
	e->budget = set->conf.budget != 0 ? set->conf.budget : BUDGET;
	int rc = make(e);
	if (rc < 0)
		rule_engine_free(&e);
	else
		*ret = e;
	return rc;
}

void rule_engine_free(struct rule_engine **e)
{
	struct rule_engine *x = *e;
	if (x == NULL)
		return;
	free(x->mark);
	free(x->slot);
	free(x->cands);
	free(x->xform_bytes);
	free(x->base64);
	free(x->work);
	free(x->profile);
	free(x->replacing);
	hs_free_scratch(x->scratch);
	pcre2_match_data_free(x->pcre_md);
	pcre2_match_context_free(x->pcre_mc);
	pcre2_jit_stack_free(x->pcre_js);
	pcre2_general_context_free(x->pcre_gc);
	inflate_free(&x->inflate);
	adopt_free(&x->index);
	state_free(&x->state);
	free(x);
	*e = NULL;
}

const struct rule_set *rule_engine_set(const struct rule_engine *e)
{
	return e->set;
}

void rule_engine_read_stats(const struct rule_engine *e, struct rule_engine_stats *ret)
{
	*ret = e->stats;
}

void rule_engine_profile(const struct rule_engine *e, uint32_t index, struct rule_profile *ret)
{
	*ret = (struct rule_profile){0};
	if (e->profile != NULL && index < e->set->n)
		*ret = e->profile[index];
}

int64_t engine_check(struct rule_engine *e, const struct rule *r)
{
	e->stats.evaluations++;
	if (e->profile == NULL)
		return 0;
	e->profile[r->index].checks++;
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

void engine_checked(struct rule_engine *e, const struct rule *r, int64_t begin)
{
	if (e->profile == NULL)
		return;
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	e->profile[r->index].ns += (int64_t)t.tv_sec * NS_PER_SEC + t.tv_nsec - begin;
}

/* ---- matches ----------------------------------------------------------------------------------------- */

/* The queue is full: a rule that is not in it takes the place of one that is there more than once, lest
 * what is said often hide what is said once. NULL: none is. */
static struct queued *place_of_another(struct rule_engine *e, uint32_t rule)
{
	uint32_t last = QUEUE;
	for (uint32_t i = 0; i < QUEUE; i++)
		if (e->queue[i].rule == rule)
			return NULL;
	for (uint32_t i = QUEUE; i-- > 1 && last == QUEUE;)
		for (uint32_t k = 0; k < i && last == QUEUE; k++)
			if (e->queue[k].rule == e->queue[i].rule)
				last = i;
	return last < QUEUE ? &e->queue[last] : NULL;
}

void engine_match(struct rule_engine *e, const struct view *v, const struct rule *r)
{
	e->stats.matches++;
	if (e->profile != NULL)
		e->profile[r->index].matches++;
	for (uint32_t i = 0; i < r->n_sets; i++)
		state_set(e, v, &r->sets[i]);
	e->bits_changed |= r->n_sets > 0;
	uint64_t id = v->tx != NULL ? v->tx->id : 0;
	bool spoiled = e->spoiled || ((const struct plan *)r->plan)->replace_drops;
	e->spoiled = false;
	for (uint32_t i = 0; i < e->n_queued; i++) {
		struct queued *q = &e->queue[i];
		if (q->rule == r->index && q->has_tx == (v->tx != NULL) && q->tx_id == id) {
			q->spoiled |= spoiled;
			return;
		}
	}
	struct queued *to = e->n_queued < QUEUE ? &e->queue[e->n_queued++] : NULL;
	if (to == NULL) {
		e->stats.alerts_lost++;
		to = place_of_another(e, r->index);
	}
	if (to != NULL)
		*to = (struct queued){.rule = r->index,
				      .where = v->where,
				      .dir = v->dir,
				      .has_tx = v->tx != NULL,
				      .spoiled = spoiled,
				      .tx_id = id};
}

void view_turn(struct view *v, unsigned dir)
{
	if (v->dir == dir)
		return;
	const struct addr *a = v->src;
	uint16_t port = v->sport;
	v->src = v->dst;
	v->dst = a;
	v->sport = v->dport;
	v->dport = port;
	v->dir = (uint8_t)dir;
}

static void sort_queue(struct rule_engine *e)
{
	for (uint32_t i = 1; i < e->n_queued; i++) {
		struct queued x = e->queue[i];
		uint32_t k = i;
		for (;
		     k > 0 && (e->queue[k - 1].rule > x.rule ||
			       (e->queue[k - 1].rule == x.rule && e->queue[k - 1].tx_id > x.tx_id));
		     k--)
			e->queue[k] = e->queue[k - 1];
		e->queue[k] = x;
	}
}

static bool acts(uint8_t action)
{
	return action == ACTION_DROP || action == ACTION_REJECT || action == ACTION_REJECT_DST ||
	       action == ACTION_REJECT_BOTH || action == ACTION_REWRITE;
}

static struct rule_hit hit_of(const struct queued *q, uint8_t action, bool alert)
{
	return (struct rule_hit){.rule = q->rule,
				 .action = action,
				 .where = q->where,
				 .dir = q->dir,
				 .tx_id = q->tx_id,
				 .alert = alert,
				 .has_tx = q->has_tx};
}

/* Of the sorted queue: the first match of its rule. */
static bool is_first(const struct rule_engine *e, uint32_t i)
{
	return i == 0 || e->queue[i - 1].rule != e->queue[i].rule;
}

/* From what matched to what is said and done. A rule that matched often leaves room for each other. */
static uint32_t finish(struct rule_engine *e, struct view *v, struct rule_hit ret[RULE_HITS])
{
	uint32_t n = 0, rules = 0; /* rules: that are still to come */
	bool passed = false;
	if (e->n_queued > 1)
		sort_queue(e);
	for (uint32_t i = 0; i < e->n_queued; i++)
		rules += is_first(e, i);
	for (uint32_t i = 0; i < e->n_queued; i++) {
		const struct queued *q = &e->queue[i];
		const struct rule *r = rule_at(e, q->rule);
		const struct plan *pl = r->plan;
		uint8_t action = r->action;
		bool first = is_first(e, i);
		rules -= first;
		bool flow_wide = pl->passes_flow &&
				 (q->where != WHERE_PACKET || (r->need & NEED_STREAM) == 0);
		if (action == ACTION_PASS) {
			if (flow_wide && v->fr != NULL)
				v->fr->pass = true;
			if (r->say)
				ret[n++] = hit_of(q, action, true);
			passed = true;
			break;
		}
		view_turn(v, q->dir);
		bool alert = state_threshold(e, v, r, &action) && !r->noalert;
		if (e->conf.inline_mode)
			action = replace_settle(e, v, q, action);
		if (e->conf.inline_mode && acts(action) && action != ACTION_REWRITE &&
		    v->flow != NULL)
			v->flow->dead = true;
		if (!alert && !acts(action))
			continue;
		if (n == RULE_HITS || (!first && RULE_HITS - n <= rules)) {
			e->stats.alerts_lost++;
			continue;
		}
		e->stats.alerts += alert ? 1 : 0;
		ret[n++] = hit_of(q, action, alert);
	}
	if (e->conf.inline_mode)
		replace_finish(e, v, passed);
	return n;
}

/* ---- packets ------------------------------------------------------------------------------------------ */

bool engine_in_stream(const struct rule_engine *e, const struct view *v)
{
	const struct stream_result *r = v->r;
	/* Bad and not refused: sent again, after it was acknowledged. */
	bool copy = e->conf.inline_mode && !r->refuse && (v->p->tcp.flags & (TH_SYN | TH_RST)) == 0;
	return v->flow != NULL && v->flow->tcp && (r->added || copy);
}

static void check_packet(struct rule_engine *e, const struct view *v, const struct rule *r)
{
	const struct plan *pl = r->plan;
	const struct pkt *p = v->p;
	if (p->payload_len < pl->payload_len)
		return;
	if (v->flow != NULL && (pl->dirs >> v->dir & 1) == 0)
		return;
	int64_t begin = engine_check(e, r);
	struct bytes b = {.data = p->payload, .len = p->payload_len, .whole = true};
	if (eval_header(e, r, v) == YES && eval_tests(e, r, v) == YES &&
	    (r->n_lists == 0 || (replaces(e, r) ? replace_payload(e, r, v, &b, v->r->off)
						: eval_payload(e, r, v, &b, NULL))))
		engine_match(e, v, r);
	engine_checked(e, r, begin);
}

static bool is_queued(const struct rule_engine *e, uint32_t rule)
{
	for (uint32_t i = 0; i < e->n_queued; i++)
		if (e->queue[i].rule == rule)
			return true;
	return false;
}

static void check_refs(struct rule_engine *e, const struct view *v, const struct rule_refs *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		check_packet(e, v, rule_at(e, r->at[i]));
}

static enum transport transport_of(const struct pkt *p)
{
	if (p->ip_ver == 0)
		return T_OTHER;
	switch (p->proto) {
	case 6:
		return T_TCP;
	case 17:
		return T_UDP;
	case 1:
	case 58:
		return T_ICMP;
	case 132:
		return T_SCTP;
	default:
		return T_OTHER;
	}
}

/* The groups of this view: [0] always, [1] perhaps. */
static unsigned groups_of(const struct rule_engine *e, const struct view *v,
			  const struct group *ret[2])
{
	const struct compiled *c = e->c;
	ret[0] = &c->groups[c->any[v->transport][v->dir]];
	const uint16_t *ports = c->by_port[v->transport][v->dir];
	if (ports == NULL)
		return 1;
	uint16_t id = ports[v->dir == TO_SERVER ? v->dport : v->sport];
	if (id == 0)
		return 1;
	ret[1] = &c->groups[id];
	return 2;
}

static bool one_fits(const struct rule_engine *e, const struct rule_refs *r, const struct view *v)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (quick_fits(&e->c->quick[r->at[i]], v))
			return true;
	return false;
}

/* Looks for the literals of a group, if it is worth it. */
static void packet_scan(struct rule_engine *e, const struct group *g, const struct view *v)
{
	const struct pkt *p = v->p;
	uint32_t len = p->payload_len;
	cand_fixed(e, &g->fixed_packet, p->payload, 0, len);
	if (g->packet != NULL && (g->few.n == 0 || one_fits(e, &g->few, v)))
		mpm_scan(e, g->packet, p->payload, len);
	if (g->gated != NULL &&
	    ((len < GATE_LENGTHS && (g->gate.lengths[len / 64] >> len % 64 & 1) != 0) ||
	     one_fits(e, &g->gate.sized, v)))
		mpm_scan(e, g->gated, p->payload, len);
}

/* Rules about bits that a later rule, of the stream or a transaction, has set in this very packet. */
static void ask_again(struct rule_engine *e, struct view *v)
{
	const struct group *g[2];
	unsigned n = groups_of(e, v, g);
	cand_begin(e);
	e->asked = v;
	for (unsigned i = 0; i < n; i++) {
		cand_refs(e, &g[i]->header);
		cand_refs(e, &g[i]->always_packet);
		packet_scan(e, g[i], v);
	}
	e->asked = NULL;
	cand_sort(e);
	for (uint32_t i = 0; i < e->n_cands; i++) {
		const struct rule *r = rule_at(e, e->cands[i].rule);
		if (((const struct plan *)r->plan)->bits && !is_queued(e, r->index))
			check_packet(e, v, r);
	}
}

/* alone: the payload is no part of a stream, so the stream's rules look at it here. */
static void packet_groups(struct rule_engine *e, const struct view *v, bool alone)
{
	const struct group *g[2];
	unsigned n = groups_of(e, v, g);
	const struct pkt *p = v->p;
	cand_begin(e);
	e->asked = v;
	for (unsigned i = 0; i < n; i++) {
		cand_refs(e, &g[i]->header);
		cand_refs(e, &g[i]->always_packet);
		if (p->payload_len == 0)
			continue;
		packet_scan(e, g[i], v);
		if (!alone)
			continue;
		cand_refs(e, &g[i]->always_stream);
		cand_fixed(e, &g[i]->fixed_stream, p->payload, 0, p->payload_len);
		mpm_scan(e, g[i]->stream, p->payload, p->payload_len);
	}
	e->asked = NULL;
	if (e->n_cands == 0)
		return;
	e->stats.candidates += e->n_cands;
	cand_sort(e);
	for (uint32_t i = 0; i < e->n_cands; i++)
		check_packet(e, v, rule_at(e, e->cands[i].rule));
}

static bool any_bits(const uint64_t *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (w[i] != 0)
			return true;
	return false;
}

/* Rules that came with a reload, since this side was asked. */
static void check_new(struct rule_engine *e, const struct view *v, const struct rule_refs *r)
{
	uint32_t asked = v->fr->asked[v->dir];
	if (asked == e->index.generation)
		return;
	for (uint32_t i = 0; i < r->n; i++)
		if (e->index.born[r->at[i]] > asked)
			check_packet(e, v, rule_at(e, r->at[i]));
}

static void flow_once(struct rule_engine *e, struct view *v)
{
	if (v->fr == NULL) {
		check_refs(e, v, &e->c->flow_once);
		return;
	}
	bool first = !v->fr->once[v->dir];
	v->fr->once[v->dir] = true;
	if (first)
		check_refs(e, v, &e->c->flow_once);
	else
		check_new(e, v, &e->c->flow_once);
	const struct app *a = v->app;
	unsigned dir = a != NULL && a->reversed ? 1 - v->dir : v->dir;
	bool seen = a != NULL && a->detected[dir] && a->proto_dir[dir] != APP_UNKNOWN;
	uint8_t known = a == NULL   ? APP_UNKNOWN
			: a->failed ? APP_FAILED
			: seen      ? a->proto
				    : APP_UNKNOWN;
	if (e->c->app_once.n > 0 && known != v->fr->app_once[v->dir]) {
		v->fr->app_once[v->dir] = known;
		check_refs(e, v, &e->c->app_once);
	} else if (!first) {
		check_new(e, v, &e->c->app_once);
	}
	v->fr->asked[v->dir] = e->index.generation;
}

/* The stream keeps no more, and this packet is behind what it kept. */
static bool beyond(const struct view *v)
{
	const struct stream_side *s = v->flow != NULL ? &v->flow->side[v->dir] : NULL;
	return s != NULL && s->truncated && side_end_of(s, v->p) > s->base + s->len;
}

static void look_at_packet(struct rule_engine *e, struct view *v)
{
	const struct compiled *c = e->c;
	const struct pkt *p = v->p;
	if (c->decode.n > 0 && any_bits(p->events, DISSECT_EVENT_WORDS))
		check_refs(e, v, &c->decode);
	if (p->invalid)
		return;
	if (c->flow_once.n > 0 || c->app_once.n > 0)
		flow_once(e, v);
	if (c->stream_events.n > 0 && any_bits(v->r->events, STREAM_EVENT_WORDS))
		check_refs(e, v, &c->stream_events);
	bool alone = v->transport == T_TCP && (!engine_in_stream(e, v) || beyond(v));
	packet_groups(e, v, alone);
}

static struct view view_of(const struct pkt *p, const struct stream_result *r,
			   struct stream_flow *f, unsigned dir)
{
	struct view v = {.p = p,
			 .flow = f,
			 .r = r,
			 .src = &p->src,
			 .dst = &p->dst,
			 .sport = p->sport,
			 .dport = p->dport,
			 .dir = f != NULL ? (uint8_t)dir : TO_SERVER,
			 .where = WHERE_PACKET,
			 .transport = (uint8_t)transport_of(p)};
	if (f != NULL) {
		v.fr = f->rules;
		v.app = f->app;
	}
	return v;
}

/* The same from the flow's own knowledge: for streams and transactions. */
static void view_flow(struct view *v)
{
	const struct stream_flow *f = v->flow;
	v->src = &f->addr[v->dir];
	v->dst = &f->addr[1 - v->dir];
	if (f->proto == 6 || f->proto == 17 || f->proto == 132) {
		v->sport = f->port[v->dir];
		v->dport = f->port[1 - v->dir];
	}
}

unsigned engine_view(const struct rule_engine *e, struct stream_flow *f, unsigned dir,
		     struct pkt *p, struct view *ret_view, const struct group *ret[2])
{
	*p = (struct pkt){.ip_ver = f->ip_ver, .proto = f->proto};
	*ret_view = view_of(p, NULL, f, dir);
	view_flow(ret_view);
	return groups_of(e, ret_view, ret);
}

static void pass_all(struct stream_flow *f)
{
	for (unsigned d = 0; d < 2; d++)
		f->side[d].raw_done = f->side[d].base + f->side[d].len;
	struct app *a = f->app;
	if (a == NULL)
		return;
	for (struct app_tx *tx = a->tx_first; tx != NULL; tx = tx->next)
		tx->inspected[0] = tx->inspected[1] = true;
}

static void look_at_flow(struct rule_engine *e, struct view *v, bool final)
{
	struct stream_flow *f = v->flow;
	static const struct stream_result none;
	const struct stream_result *r = v->r != NULL ? v->r : &none;
	unsigned dir = v->dir;
	v->final = final;
	view_flow(v);
	for (unsigned d = 0; f->tcp && d < 2; d++) {
		bool settle = final || r->grown[1 - d] || f->side[d].fin;
		view_turn(v, d);
		if (r->grown[d] || settle) {
			const struct group *g[2];
			unsigned n = groups_of(e, v, g);
			side_inspect(e, v, g, n, r->grown[1 - d], settle);
		}
	}
	view_turn(v, dir);
	if (v->app != NULL && (!f->tcp || final || r->grown[0] || r->grown[1]))
		tx_inspect(e, v, final);
	view_turn(v, dir);
	v->tx = NULL;
}

/* A packet, or a part of what it brings, is looked at from here on. */
static struct view begin(struct rule_engine *e, const struct pkt *p, const struct stream_result *r)
{
	struct stream_flow *f = r->flow;
	e->now_ns = p->stamp_ns;
	e->n_xforms = e->xform_used = 0;
	if (!e->parts) {
		e->n_queued = 0;
		e->spoiled = false;
		if (e->conf.inline_mode)
			replace_finish(e, NULL, false); /* what was found before is over */
	}
	if (f != NULL && f->rules == NULL && e->set->n > 0)
		f->rules = slab_zalloc(e->slab, sizeof(struct flow_rules));
	return view_of(p, r, f, r->dir);
}

void rule_part(struct rule_engine *e, const struct pkt *p, const struct stream_result *r)
{
	if (r->flow == NULL || r->flow->app == NULL)
		return;
	struct view v = begin(e, p, r);
	e->parts = true;
	if (v.fr == NULL || v.fr->pass)
		return;
	view_flow(&v);
	tx_inspect(e, &v, false);
}

uint32_t rule_packet(struct rule_engine *e, const struct pkt *p, const struct stream_result *r,
		     struct rule_hit ret[RULE_HITS])
{
	struct stream_flow *f = r->flow;
	e->stats.packets++;
	struct view v = begin(e, p, r);
	e->parts = false;
	if (v.fr != NULL && v.fr->pass) {
		pass_all(f);
		return 0;
	}
	look_at_packet(e, &v);
	e->bits_changed = false;
	if (f != NULL && f->rules != NULL) {
		struct view back = v;
		look_at_flow(e, &v, false);
		if (e->bits_changed && !p->invalid)
			ask_again(e, &back);
	} else if (f != NULL) {
		pass_all(f); /* no rules, or no memory to remember anything */
	}
	if (v.fr != NULL)
		v.fr->established = f->established;
	if (e->n_queued > 0)
		return finish(e, &v, ret);
	if (e->conf.inline_mode)
		replace_finish(e, &v, false);
	return 0;
}

uint32_t rule_flow_end(struct rule_engine *e, const struct pkt *p, struct stream_flow *f,
		       unsigned dir, struct rule_hit ret[RULE_HITS])
{
	struct flow_rules *fr = f->rules;
	e->n_queued = 0;
	e->spoiled = e->parts = false;
	e->n_xforms = e->xform_used = 0;
	if (e->conf.inline_mode)
		replace_finish(e, NULL, false); /* what was found before is over */
	if (fr == NULL || fr->pass) {
		pass_all(f);
		return 0;
	}
	struct view v = view_of(p, NULL, f, dir & 1);
	v.transport = f->proto == 6 ? T_TCP : v.transport;
	look_at_flow(e, &v, true);
	return e->n_queued > 0 ? finish(e, &v, ret) : 0;
}

void rule_flow_free(struct rule_engine *e, struct stream_flow *f)
{
	struct flow_rules *fr = f->rules;
	if (fr == NULL)
		return;
	for (unsigned d = 0; d < 2; d++)
		slab_free(e->slab, fr->side[d].cands);
	replace_flow_free(e, fr);
	slab_free(e->slab, fr->bits);
	slab_free(e->slab, fr->ints);
	slab_free(e->slab, fr);
	f->rules = NULL;
}

void rule_tx_free(void *engine, void *rules)
{
	struct rule_engine *e = engine;
	slab_free(e->slab, rules);
}
