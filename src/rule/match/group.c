/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups: which rules a packet of some transport, direction and port meets. Rules for any port or for
 * many stand in one group per transport and direction; rules for few ports in one more group for each
 * different set of them. So a packet meets two groups at most, and no rule's literals are compiled for
 * every port. Rules about transactions are grouped by buffer instead.
 */
#include "rule/match/plan_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NARROW_PORTS 1024u
#define GROUPS_MAX 60000u

int refs_add(struct rule_refs *r, uint32_t rule)
{
	if (r->n > 0 && r->at[r->n - 1] == rule)
		return 0;
	if (r->n == r->cap) {
		uint32_t cap = r->cap == 0 ? 8 : 2 * r->cap;
		uint32_t *at = realloc(r->at, cap * sizeof(*at));
		if (at == NULL)
			return -ENOMEM;
		r->at = at;
		r->cap = cap;
	}
	r->at[r->n++] = rule;
	return 0;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* The rule's fast pattern, cut to what the prefilter takes. */
static int literal_of(struct compiled *c, const struct rule *r, struct literal *ret)
{
	const struct match_content *m = &r->lists[r->fast_list].m[r->fast_match].u.content;
	uint32_t off = 0, len = m->len;
	if (m->chop_len != 0 && (uint32_t)m->chop_offset + m->chop_len <= m->len) {
		off = m->chop_offset;
		len = m->chop_len;
	}
	if (len > LITERAL_MAX)
		len = LITERAL_MAX;
	uint8_t *bytes = m->bytes + off;
	if (m->nocase) {
		bytes = rule_pool_alloc(c->pool, len);
		if (bytes == NULL)
			return -ENOMEM;
		for (uint32_t i = 0; i < len; i++)
			bytes[i] = lower(m->bytes[off + i]);
	}
	*ret = (struct literal){
		.bytes = bytes, .len = (uint16_t)len, .nocase = m->nocase, .rule = r->index};
	return 0;
}

/* ---- packets and streams ----------------------------------------------------------------------------- */

static int new_group(struct compiled *c, uint32_t *ret)
{
	if (c->n_groups == c->cap_groups) {
		uint32_t cap = c->cap_groups == 0 ? 64 : 2 * c->cap_groups;
		struct group *g = realloc(c->groups, cap * sizeof(*g));
		if (g == NULL)
			return -ENOMEM;
		c->groups = g;
		c->cap_groups = cap;
	}
	memset(&c->groups[c->n_groups], 0, sizeof(*c->groups));
	*ret = c->n_groups++;
	return 0;
}

/* Rules for several transports look at the stream where there is one, else at packets. */
static uint16_t need_in(const struct rule *r, enum transport t)
{
	const struct plan *p = r->plan;
	uint16_t both = NEED_PACKET | NEED_STREAM;
	if ((r->need & both) != both || p->transports == 1u << T_TCP)
		return r->need;
	if (t != T_TCP)
		return NEED_PACKET;
	return NEED_STREAM;
}

#define FEW 16u

/* One rule for each different thing that rules ask of a packet. */
static int few_add(struct compiled *c, struct rule_refs *few, uint32_t rule)
{
	for (uint32_t i = 0; i < few->n; i++)
		if (quick_same(&c->quick[few->at[i]], &c->quick[rule]))
			return 0;
	return few->n <= FEW ? refs_add(few, rule) : 0;
}

/* Of those that want a length or a small stream, what they want together. false: the rule asks neither. */
static bool gate_add(struct compiled *c, struct gate *g, uint32_t rule, int *ret)
{
	const struct quick *q = &c->quick[rule];
	*ret = 0;
	if ((q->asks & QUICK_SIZE) != 0 && g->sized.n <= FEW) {
		*ret = few_add(c, &g->sized, rule);
		return true;
	}
	if (q->len_hi >= GATE_LENGTHS)
		return false;
	for (uint32_t i = q->len_lo; i <= q->len_hi; i++)
		g->lengths[i / 64] |= UINT64_C(1) << i % 64;
	return true;
}

/* What one group is made of while it is built. */
struct filling {
	struct rule_set *s;
	struct compiled *c;
	struct group *g;
	struct literal *packet, *gated, *stream;
	uint32_t n_packet, n_gated, n_stream;
};
struct wide { /* the stream's literals of rules for any port, to go into groups of ports as well */
	struct literal *at;
	uint32_t n;
};
/* Joined if both are large: small sets are looked for in a faster way. */
#define JOIN_WIDE 96u
#define JOIN_NARROW 64u

static int fill_packet(struct filling *f, const struct rule *r, const struct literal *l)
{
	const struct quick *q = &f->c->quick[r->index];
	struct group *g = f->g;
	bool found = false;
	if (r->fast_list < 0 || (l->len < SHORT_LITERAL && q->n_bytes > 0 && q->n_bytes <= l->len))
		return refs_add(&g->always_packet, r->index);
	int rc = fixed_add(f->c, r, l, &g->fixed_packet, &found);
	if (rc < 0 || found)
		return rc;
	if (gate_add(f->c, &g->gate, r->index, &rc)) {
		f->gated[f->n_gated++] = *l;
		return rc;
	}
	f->packet[f->n_packet++] = *l;
	return few_add(f->c, &g->few, r->index);
}

/* What it replaces in payload. */
static int fill_replaces(struct group *g, const struct rule *r)
{
	const struct plan *p = r->plan;
	int rc = p->replaces ? refs_add(&g->replaces, r->index) : 0;
	for (uint32_t i = 0; i < r->n_lists; i++)
		if (r->lists[i].buffer == BUF_PAYLOAD && p->lists[i].n_replaces > 0 && rc == 0)
			rc = holds_add(&g->holds, r, &r->lists[i]);
	return rc;
}

/* A rule about transactions. */
static int add_tx_replaces(struct compiled *c, const struct rule *r, unsigned dir)
{
	const struct plan *p = r->plan;
	int rc = 0;
	for (uint32_t i = 0; i < r->n_lists && rc == 0; i++) {
		unsigned d = p->lists[i].dir < 2 ? p->lists[i].dir : dir;
		if (p->lists[i].n_replaces == 0)
			continue;
		bool grows = (app_buffer_row(r->lists[i].buffer)->flags & BUFFER_GROWS) != 0;
		rc = holds_add(grows ? &c->replaced_body[d] : &c->replaced_head[d], r,
			       &r->lists[i]);
	}
	return rc;
}

static int fill_rule(struct filling *f, const struct rule *r, enum transport t)
{
	struct literal l = {0};
	uint16_t need = need_in(r, t);
	bool found = false;
	int rc = r->fast_list >= 0 ? literal_of(f->c, r, &l) : 0;
	if (rc == 0 && (need & NEED_HEADER) != 0)
		rc = refs_add(&f->g->header, r->index);
	if (rc == 0 && (need & NEED_PACKET) != 0)
		rc = fill_packet(f, r, &l);
	if (rc == 0)
		rc = fill_replaces(f->g, r);
	if (rc < 0 || (need & NEED_STREAM) == 0)
		return rc;
	f->g->streams = true;
	if (r->fast_list < 0)
		return refs_add(&f->g->always_stream, r->index);
	rc = fixed_add(f->c, r, &l, &f->g->fixed_stream, &found);
	if (rc == 0 && !found)
		f->stream[f->n_stream++] = l;
	return rc;
}

/* One search instead of two: the group's literals, and those for any port. */
static int join_wide(struct filling *f, const struct wide *wide)
{
	if (wide->n < JOIN_WIDE || f->n_stream < JOIN_NARROW)
		return mpm_add(f->c, f->stream, f->n_stream, &f->g->stream);
	memcpy(f->stream + f->n_stream, wide->at, wide->n * sizeof(*wide->at));
	f->g->joined = wide->n > 0;
	return mpm_add(f->c, f->stream, f->n_stream + wide->n, &f->g->stream);
}

/* narrow: wide's literals may be taken in; else they are made. */
static int fill_group(struct rule_set *s, struct compiled *c, enum transport t, struct group *g,
		      const struct rule_refs *rules, bool narrow, struct wide *wide)
{
	struct literal *all = calloc(3u * rules->n + wide->n + 1, sizeof(*all));
	struct filling f = {.s = s, .c = c, .g = g, .packet = all};
	int rc = all != NULL ? 0 : -ENOMEM;
	if (rc == 0) {
		f.gated = all + rules->n;
		f.stream = f.gated + rules->n;
	}
	for (uint32_t i = 0; rc == 0 && i < rules->n; i++)
		rc = fill_rule(&f, s->rules[rules->at[i]], t);
	if (g->few.n > FEW)
		g->few.n = 0;
	if (rc == 0)
		rc = fixed_finish(c, &g->fixed_packet);
	if (rc == 0)
		rc = fixed_finish(c, &g->fixed_stream);
	holds_finish(&g->holds);
	if (rc == 0)
		rc = mpm_add(c, f.packet, f.n_packet, &g->packet);
	if (rc == 0)
		rc = mpm_add(c, f.gated, f.n_gated, &g->gated);
	if (rc == 0 && !narrow && f.n_stream > 0) {
		wide->at = calloc(f.n_stream, sizeof(*wide->at));
		if (wide->at == NULL) {
			free(all);
			return -ENOMEM;
		}
		memcpy(wide->at, f.stream, f.n_stream * sizeof(*wide->at));
		wide->n = f.n_stream;
	}
	if (rc == 0)
		rc = narrow ? join_wide(&f, wide) : mpm_add(c, f.stream, f.n_stream, &g->stream);
	free(all);
	return rc;
}

static bool is_narrow(const struct rule *r, const struct port_set *p)
{
	if (p->any || r->both_ways || p->n_yes == 0)
		return false;
	uint32_t n = 0;
	for (uint32_t i = 0; i < p->n_yes; i++)
		n += (uint32_t)(p->yes[i].hi - p->yes[i].lo) + 1;
	return n <= NARROW_PORTS;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

static void add_ports(uint64_t *sums, const struct port_set *p, uint32_t rule)
{
	for (uint32_t i = 0; i < p->n_yes; i++)
		for (uint32_t port = p->yes[i].lo; port <= p->yes[i].hi; port++)
			if (port_set_has(p, (uint16_t)port))
				sums[port] ^= mix(rule + 1u);
}

struct by_sum {
	uint64_t sum;
	uint32_t port;
};

static int by_sum_order(const void *a, const void *b)
{
	const struct by_sum *x = a, *y = b;
	if (x->sum != y->sum)
		return x->sum < y->sum ? -1 : 1;
	return x->port < y->port ? -1 : x->port > y->port;
}

static const struct port_set *key_ports(const struct rule *r, unsigned dir)
{
	return dir == TO_SERVER ? &r->dport : &r->sport;
}

/* One group for each different set of narrow rules that some port has. */
static int narrow_groups(struct rule_set *s, struct compiled *c, const struct rule_refs *narrow,
			 enum transport t, unsigned dir, uint16_t *by_port, const uint64_t *sums,
			 struct wide *wide)
{
	struct by_sum *o = calloc(65536, sizeof(*o));
	if (o == NULL)
		return -ENOMEM;
	uint32_t n = 0;
	int rc = 0;
	for (uint32_t p = 0; p < 65536; p++)
		if (sums[p] != 0)
			o[n++] = (struct by_sum){.sum = sums[p], .port = p};
	qsort(o, n, sizeof(*o), by_sum_order);
	uint32_t id = 0;
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		if (i == 0 || o[i].sum != o[i - 1].sum) {
			struct rule_refs in = {0};
			for (uint32_t k = 0; rc == 0 && k < narrow->n; k++)
				if (port_set_has(key_ports(s->rules[narrow->at[k]], dir),
						 (uint16_t)o[i].port))
					rc = refs_add(&in, narrow->at[k]);
			if (rc == 0 && c->n_groups >= GROUPS_MAX)
				rc = SKEP_EFULL;
			if (rc == 0)
				rc = new_group(c, &id);
			if (rc == 0)
				rc = fill_group(s, c, t, &c->groups[id], &in, true, wide);
			free(in.at);
		}
		by_port[o[i].port] = (uint16_t)id;
	}
	free(o);
	return rc;
}

static int build_side(struct rule_set *s, struct compiled *c, enum transport t, unsigned dir)
{
	struct rule_refs wide = {0}, narrow = {0};
	struct wide literals = {0};
	uint64_t *sums = calloc(65536, sizeof(*sums));
	int rc = sums != NULL ? 0 : -ENOMEM;
	bool ports = t == T_TCP || t == T_UDP || t == T_SCTP;
	for (uint32_t i = 0; rc == 0 && i < s->n; i++) {
		const struct rule *r = s->rules[i];
		const struct plan *p = r->plan;
		if ((r->need & (NEED_PACKET | NEED_STREAM | NEED_HEADER)) == 0 ||
		    (p->transports >> t & 1) == 0 || (p->dirs >> dir & 1) == 0)
			continue;
		if (ports && is_narrow(r, key_ports(r, dir))) {
			add_ports(sums, key_ports(r, dir), i);
			rc = refs_add(&narrow, i);
		} else {
			rc = refs_add(&wide, i);
		}
	}
	if (rc == 0)
		rc = new_group(c, &c->any[t][dir]);
	if (rc == 0)
		rc = fill_group(s, c, t, &c->groups[c->any[t][dir]], &wide, false, &literals);
	if (rc == 0 && narrow.n > 0) {
		c->by_port[t][dir] = calloc(65536, sizeof(uint16_t));
		rc = c->by_port[t][dir] == NULL
			     ? -ENOMEM
			     : narrow_groups(s, c, &narrow, t, dir, c->by_port[t][dir], sums,
					     &literals);
	}
	free(literals.at);
	free(sums);
	free(wide.at);
	free(narrow.at);
	return rc;
}

/* ---- transactions ------------------------------------------------------------------------------------- */

static bool same_header(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static int set_of(struct compiled *c, const struct rule_list *l, uint8_t dir, uint8_t xform_id,
		  struct tx_set **ret)
{
	for (uint32_t i = 0; i < c->n_tx_sets; i++) {
		struct tx_set *t = &c->tx_sets[i];
		if (t->buffer == l->buffer && t->dir == dir && t->xform_id == xform_id &&
		    same_header(t->list->header, l->header)) {
			*ret = t;
			return 0;
		}
	}
	if (c->n_tx_sets == TX_SETS)
		return SKEP_EFULL;
	struct tx_set *t = &c->tx_sets[c->n_tx_sets++];
	*t = (struct tx_set){.buffer = l->buffer, .dir = dir, .xform_id = xform_id, .list = l};
	*ret = t;
	return 0;
}

static int set_add(struct tx_set *t, const struct literal *l)
{
	if (t->n == t->cap) {
		uint32_t cap = t->cap == 0 ? 16 : 2 * t->cap;
		struct literal *n = realloc(t->literals, cap * sizeof(*n));
		if (n == NULL)
			return -ENOMEM;
		t->literals = n;
		t->cap = cap;
	}
	t->literals[t->n++] = *l;
	return 0;
}

static bool proto_in(const uint8_t *protos, unsigned app)
{
	if (protos == NULL)
		return app > APP_FAILED;
	for (; *protos != 0; protos++)
		if (*protos == app)
			return true;
	return false;
}

/* Could the rule be about a transaction of this protocol? */
static bool about(const struct rule *r, unsigned app)
{
	if (app <= APP_FAILED)
		return false;
	if (r->proto == PROTO_APP && r->app != APP_UNKNOWN && r->app != app &&
	    !(r->app == APP_DCERPC && app == APP_SMB))
		return false;
	for (uint32_t i = 0; i < r->n_lists; i++) {
		uint16_t b = r->lists[i].buffer;
		if (b == BUF_PAYLOAD || b == BUF_BASE64 || r->lists[i].base64_data)
			continue;
		if (!proto_in(app_buffer_row(b)->protos, app))
			return false;
	}
	for (uint32_t i = 0; i < r->n_tests; i++)
		if (r->tests[i].kind == TEST_APP_EVENT && r->tests[i].u.event.proto != app &&
		    r->tests[i].u.event.proto != APP_UNKNOWN)
			return false;
	return true;
}

static int always_add(struct compiled *c, const struct rule *r, unsigned dir, bool event)
{
	int rc = 0;
	for (unsigned a = 0; rc == 0 && a < APP_PROTOS; a++)
		if (about(r, a))
			rc = refs_add(event ? &c->apps[a][dir].events : &c->apps[a][dir].always,
				      r->index);
	return rc;
}

static int add_tx_rule(struct compiled *c, const struct rule *r)
{
	const struct plan *p = r->plan;
	int rc = 0;
	for (unsigned dir = 0; rc == 0 && dir < 2; dir++) {
		if ((p->dirs >> dir & 1) == 0)
			continue;
		rc = add_tx_replaces(c, r, dir);
		if (rc < 0)
			break;
		struct tx_set *t;
		struct literal l = {0};
		if (r->fast_list >= 0)
			rc = set_of(c, &r->lists[r->fast_list], (uint8_t)dir,
				    p->lists[r->fast_list].xform_id, &t);
		if (rc == SKEP_EFULL || r->fast_list < 0) {
			rc = always_add(c, r, dir, false);
			continue;
		}
		if (rc == 0)
			rc = literal_of(c, r, &l);
		if (rc == 0)
			rc = set_add(t, &l);
	}
	return rc;
}

static int add_event_rule(struct compiled *c, const struct rule *r)
{
	const struct plan *p = r->plan;
	int rc = 0;
	for (uint32_t i = 0; i < r->n_tests; i++)
		if (r->tests[i].kind == TEST_APP_EVENT && r->tests[i].u.event.proto == APP_UNKNOWN)
			return refs_add(&c->flow_events, r->index);
	for (unsigned dir = 0; rc == 0 && dir < 2; dir++)
		if ((p->dirs >> dir & 1) != 0)
			rc = always_add(c, r, dir, true);
	return rc;
}

static int finish_sets(struct compiled *c)
{
	for (unsigned d = 0; d < 2; d++) {
		holds_finish(&c->replaced_head[d]);
		holds_finish(&c->replaced_body[d]);
	}
	for (uint32_t i = 0; i < c->n_tx_sets; i++) {
		struct tx_set *t = &c->tx_sets[i];
		int rc = mpm_add(c, t->literals, t->n, &t->mpm);
		if (rc < 0)
			return rc;
		free(t->literals);
		t->literals = NULL;
		const uint8_t *protos = app_buffer_row(t->buffer)->protos;
		for (unsigned a = 0; a < APP_PROTOS; a++) {
			struct app_plan *ap = &c->apps[a][t->dir];
			if (!proto_in(protos, a))
				continue;
			uint16_t *sets = realloc(ap->sets, (ap->n_sets + 1u) * sizeof(*sets));
			if (sets == NULL)
				return -ENOMEM;
			ap->sets = sets;
			ap->sets[ap->n_sets++] = (uint16_t)i;
		}
	}
	for (unsigned a = 0; a < APP_PROTOS; a++)
		for (unsigned d = 0; d < 2; d++)
			c->apps[a][d].any = c->apps[a][d].n_sets > 0 ||
					    c->apps[a][d].always.n > 0 ||
					    c->apps[a][d].events.n > 0;
	return 0;
}

int group_build(struct rule_set *s, struct compiled *c)
{
	c->tx_sets = calloc(TX_SETS, sizeof(*c->tx_sets));
	if (c->tx_sets == NULL)
		return -ENOMEM;
	uint32_t none;
	int rc = new_group(c, &none); /* number 0 stands for no group */
	for (unsigned t = 0; rc == 0 && t < TRANSPORTS; t++)
		for (unsigned d = 0; rc == 0 && d < 2; d++)
			rc = build_side(s, c, (enum transport)t, d);
	for (uint32_t i = 0; rc == 0 && i < s->n; i++) {
		const struct rule *r = s->rules[i];
		if ((r->need & NEED_TX) != 0)
			rc = add_tx_rule(c, r);
		if (rc == 0 && (r->need & NEED_APP_EVENT) != 0)
			rc = add_event_rule(c, r);
		if (rc == 0 && (r->need & NEED_FLOW_ONCE) != 0)
			rc = refs_add(&c->flow_once, i);
		if (rc == 0 && (r->need & NEED_APP_ONCE) != 0)
			rc = refs_add(&c->app_once, i);
		if (rc == 0 && (r->need & NEED_DECODE) != 0)
			rc = refs_add(&c->decode, i);
		if (rc == 0 && (r->need & NEED_STREAMEV) != 0)
			rc = refs_add(&c->stream_events, i);
	}
	if (rc == 0)
		rc = finish_sets(c);
	for (unsigned t = 0; t < TRANSPORTS; t++)
		for (unsigned d = 0; d < 2; d++)
			c->bytes += c->by_port[t][d] != NULL ? 131072 : 0;
	return rc;
}
