/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What can be asked of a packet before a rule is even a candidate: ports, length, TCP flags, ICMP type, and up
 * to eight bytes at a fixed place. Only what the rule certainly needs; the rest is for its evaluation.
 */
#include "rule/match/eval_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void one_range(const struct port_set *s, uint16_t *lo, uint16_t *hi, bool *ret)
{
	*lo = 0;
	*hi = UINT16_MAX;
	if (s->any || s->n_yes == 0)
		return;
	*lo = UINT16_MAX;
	*hi = 0;
	for (uint32_t i = 0; i < s->n_yes; i++) {
		*lo = s->yes[i].lo < *lo ? s->yes[i].lo : *lo;
		*hi = s->yes[i].hi > *hi ? s->yes[i].hi : *hi;
	}
	*ret = true;
}

static void ask_length(struct quick *q, const struct rule_number *n)
{
	uint64_t lo = 0, hi = UINT32_MAX;
	switch (n->op) {
	case '=':
		lo = hi = n->lo;
		break;
	case '<':
		hi = n->lo > 0 ? n->lo - 1 : 0;
		break;
	case 'l':
		hi = n->lo;
		break;
	case '>':
		lo = n->lo + 1;
		break;
	case 'g':
		lo = n->lo;
		break;
	case 'r':
	case 'R':
		lo = n->lo;
		hi = n->hi;
		break;
	default:
		return;
	}
	q->len_lo = lo > q->len_lo ? (uint32_t)(lo < UINT32_MAX ? lo : UINT32_MAX) : q->len_lo;
	q->len_hi = hi < q->len_hi ? (uint32_t)hi : q->len_hi;
}

/* The place a content must stand at, if there is but one. */
bool quick_fixed(const struct match_content *c, uint32_t *ret)
{
	if (c->negated || c->len == 0 || c->has_distance || c->has_within ||
	    (c->has_offset && (c->offset.is_var || c->offset.value < 0)))
		return false;
	int64_t at = c->has_offset ? c->offset.value : 0;
	bool one = c->starts ||
		   (c->has_depth && !c->depth.is_var && c->depth.value == (int64_t)c->len);
	if (!one || at > UINT16_MAX)
		return false;
	*ret = (uint32_t)at;
	return true;
}

static uint32_t ask_bytes(struct quick *q, const struct match_content *c, uint32_t at)
{
	uint8_t mask[8] = {0}, value[8] = {0};
	uint32_t n = c->len < 8 ? c->len : 8;
	for (uint32_t i = 0; i < n; i++) {
		uint8_t b = c->bytes[i], low = b | 0x20;
		mask[i] = c->nocase && low >= 'a' && low <= 'z' ? 0xdf : 0xff;
		value[i] = b & mask[i];
	}
	memcpy(&q->mask, mask, 8);
	memcpy(&q->value, value, 8);
	q->at = at;
	q->n_bytes = (uint8_t)n;
	return n;
}

void quick_of(const struct rule *r, struct quick *q)
{
	const struct plan *p = r->plan;
	*q = (struct quick){.len_lo = p->payload_len, .len_hi = UINT32_MAX};
	bool ports = false;
	one_range(&r->sport, &q->port_lo[0], &q->port_hi[0], &ports);
	one_range(&r->dport, &q->port_lo[1], &q->port_hi[1], &ports);
	if (ports && !r->both_ways)
		q->asks |= QUICK_PORTS;
	for (uint32_t i = 0; i < r->n_tests; i++) {
		const struct rule_test *t = &r->tests[i];
		if (t->negated)
			continue;
		if (t->kind == TEST_DSIZE)
			ask_length(q, &t->u.number);
		if (t->kind == TEST_STREAM_SIZE) {
			q->asks |= QUICK_SIZE;
			q->size = t;
		}
		if (t->kind == TEST_TCP_FLAGS) {
			q->asks |= QUICK_FLAGS;
			q->flags = t;
		}
		if (t->kind == TEST_ITYPE && t->u.number.op == '=' && t->u.number.lo <= UINT8_MAX) {
			q->asks |= QUICK_ITYPE;
			q->itype = (uint8_t)t->u.number.lo;
		}
	}
	uint32_t best = 0, at;
	for (uint32_t i = 0; i < r->n_lists; i++) {
		const struct rule_list *l = &r->lists[i];
		for (uint32_t k = 0; k < l->n && p->lists != NULL; k++) {
			if (l->buffer != BUF_PAYLOAD || l->n_transforms > 0 || l->base64_data ||
			    l->m[k].kind != MATCH_CONTENT || l->m[k].u.content.len <= best ||
			    !quick_fixed(&l->m[k].u.content, &at))
				continue;
			best = ask_bytes(q, &l->m[k].u.content, at);
		}
	}
}

static bool same_number(const struct rule_number *a, const struct rule_number *b)
{
	return a->op == b->op && a->lo == b->lo && a->hi == b->hi && a->list == b->list;
}

static bool same_flags(const struct rule_test *a, const struct rule_test *b)
{
	return a == b || (a != NULL && b != NULL && a->u.flags.set == b->u.flags.set &&
			  a->u.flags.mask == b->u.flags.mask && a->u.flags.mode == b->u.flags.mode);
}

static bool same_size(const struct rule_test *a, const struct rule_test *b)
{
	return a == b || (a != NULL && b != NULL && a->u.size.side == b->u.size.side &&
			  same_number(&a->u.size.n, &b->u.size.n));
}

bool quick_same(const struct quick *a, const struct quick *b)
{
	return a->asks == b->asks && a->mask == b->mask && a->value == b->value && a->at == b->at &&
	       a->n_bytes == b->n_bytes && a->len_lo == b->len_lo && a->len_hi == b->len_hi &&
	       a->itype == b->itype && memcmp(a->port_lo, b->port_lo, sizeof(a->port_lo)) == 0 &&
	       memcmp(a->port_hi, b->port_hi, sizeof(a->port_hi)) == 0 &&
	       same_flags(a->flags, b->flags) && same_size(a->size, b->size);
}

bool quick_bytes(const struct quick *q, const uint8_t *data, uint32_t len)
{
	if (q->n_bytes == 0)
		return true;
	if (len < q->at || len - q->at < q->n_bytes)
		return false;
	uint64_t x = 0;
	if (len - q->at >= 8)
		memcpy(&x, data + q->at, 8);
	else
		memcpy(&x, data + q->at, q->n_bytes);
	return (x & q->mask) == q->value;
}

bool quick_ports(const struct quick *q, const struct view *v)
{
	return (q->asks & QUICK_PORTS) == 0 ||
	       (v->sport >= q->port_lo[0] && v->sport <= q->port_hi[0] &&
		v->dport >= q->port_lo[1] && v->dport <= q->port_hi[1]);
}

bool quick_fits(const struct quick *q, const struct view *v)
{
	const struct pkt *p = v->p;
	if (p->payload_len < q->len_lo || p->payload_len > q->len_hi || !quick_ports(q, v))
		return false;
	if ((q->asks & QUICK_FLAGS) != 0 && !eval_tcp_flags(q->flags, p))
		return false;
	if ((q->asks & QUICK_ITYPE) != 0 && p->icmp_type != q->itype)
		return false;
	if ((q->asks & QUICK_SIZE) != 0 && !eval_stream_size(q->size, v->flow))
		return false;
	return quick_bytes(q, p->payload, p->payload_len);
}

/* ---- tables of what stands at a fixed place ------------------------------------------------------------- */

/* Adds the rule to those found by what stands at a fixed place, if that is the better way. */
int fixed_add(struct compiled *c, const struct rule *r, const struct literal *l, struct fixed *f,
	      bool *ret)
{
	const struct quick *q = &c->quick[r->index];
	uint32_t at = 0;
	*ret = false;
	bool own =
		quick_fixed(&r->lists[r->fast_list].m[r->fast_match].u.content, &at) && at == q->at;
	if (q->n_bytes < 2 || q->at >= FIXED_AT || (q->mask & 0xffff) != 0xffff ||
	    (!own && l->len > SHORT_LITERAL))
		return 0;
	uint32_t i = 0;
	while (i < f->n && f->classes[i].at != q->at)
		i++;
	if (i == FIXED_MAX)
		return 0;
	if (f->classes == NULL) {
		f->classes = calloc(FIXED_MAX, sizeof(*f->classes));
		if (f->classes == NULL)
			return -ENOMEM;
	}
	f->n = i < f->n ? f->n : i + 1;
	f->classes[i].at = q->at;
	*ret = true;
	return refs_add(&f->classes[i].rules, r->index);
}

static uint8_t hash_of(const struct compiled *c, uint32_t rule)
{
	uint8_t bytes[8];
	memcpy(bytes, &c->quick[rule].value, sizeof(bytes));
	return fixed_hash(bytes);
}

/* Sorts the rules of each class by their hash. */
int fixed_finish(struct compiled *c, struct fixed *f)
{
	for (uint32_t i = 0; i < f->n; i++) {
		struct fixed_class *k = &f->classes[i];
		uint32_t *sorted = malloc(k->rules.n * sizeof(*sorted)), next[256];
		if (sorted == NULL)
			return -ENOMEM;
		for (uint32_t j = 0; j < k->rules.n; j++)
			k->first[hash_of(c, k->rules.at[j]) + 1u]++;
		for (unsigned h = 0; h < 256; h++) {
			k->first[h + 1] += k->first[h];
			next[h] = k->first[h];
		}
		for (uint32_t j = 0; j < k->rules.n; j++)
			sorted[next[hash_of(c, k->rules.at[j])]++] = k->rules.at[j];
		free(k->rules.at);
		k->rules.at = sorted;
		k->rules.cap = k->rules.n;
	}
	return 0;
}
