/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One list of matches against one buffer, with full backtracking: when a later match that is relative
 * to an earlier one fails, the earlier one is looked for again further on. Work is counted in steps (one
 * per try, and one per KiB looked through); past the budget the list does not match.
 */
#include "rule/match/eval_priv.h"

#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#define BYTES_PER_STEP 1024u
#define PCRE_TRIES 64u
#define FAR (INT64_C(1) << 48)

enum step { STEP_NO, STEP_YES, STEP_NEVER }; /* NEVER: no earlier choice could help */

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool same(const uint8_t *a, const uint8_t *b, size_t len, bool nocase)
{
	if (!nocase)
		return memcmp(a, b, len) == 0;
	for (size_t i = 0; i < len; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

#ifdef __SSE2__
/* What the first and the last byte of a literal are compared with, and the bits that don't count. */
struct ends {
	uint8_t first, last, first_or, last_or;
};

static struct ends ends_of(const uint8_t *needle, size_t len, bool nocase)
{
	struct ends e = {.first = needle[0], .last = needle[len - 1]};
	if (!nocase)
		return e;
	e.first = lower(e.first);
	e.last = lower(e.last);
	e.first_or = e.first >= 'a' && e.first <= 'z' ? 0x20 : 0;
	e.last_or = e.last >= 'a' && e.last <= 'z' ? 0x20 : 0;
	return e;
}

static const uint8_t *first_same(const uint8_t *at, uint64_t bits, const uint8_t *needle,
				 size_t len, bool nocase)
{
	for (; bits != 0; bits &= bits - 1)
		if (same(at + __builtin_ctzll(bits), needle, len, nocase))
			return at + __builtin_ctzll(bits);
	return NULL;
}

/* Sixteen places at a time; *i: how far it came. */
static const uint8_t *find16(const uint8_t *hay, size_t places, size_t *i, const uint8_t *needle,
			     size_t len, bool nocase)
{
	const struct ends e = ends_of(needle, len, nocase);
	const __m128i first = _mm_set1_epi8((char)e.first), last = _mm_set1_epi8((char)e.last);
	const __m128i fo = _mm_set1_epi8((char)e.first_or), lo = _mm_set1_epi8((char)e.last_or);
	const uint8_t *found = NULL;
	for (; found == NULL && *i + 16 <= places; *i += 16) {
		const uint8_t *at = hay + *i;
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
		__m128i y = _mm_loadu_si128((const __m128i *)(const void *)(at + len - 1));
		x = _mm_cmpeq_epi8(_mm_or_si128(x, fo), first);
		y = _mm_cmpeq_epi8(_mm_or_si128(y, lo), last);
		unsigned bits = (unsigned)_mm_movemask_epi8(_mm_and_si128(x, y));
		found = bits != 0 ? first_same(at, bits, needle, len, nocase) : NULL;
	}
	return found;
}

/* The same, 64 places at a time, where the processor can. */
__attribute__((target("avx2"))) static const uint8_t *find64(const uint8_t *hay, size_t places,
							     size_t *i, const uint8_t *needle,
							     size_t len, bool nocase)
{
	const struct ends e = ends_of(needle, len, nocase);
	const __m256i first = _mm256_set1_epi8((char)e.first);
	const __m256i last = _mm256_set1_epi8((char)e.last);
	const __m256i fo = _mm256_set1_epi8((char)e.first_or);
	const __m256i lo = _mm256_set1_epi8((char)e.last_or);
	const uint8_t *found = NULL;
	for (; found == NULL && *i + 64 <= places; *i += 64) {
		const uint8_t *at = hay + *i;
		__m256i m[2];
		for (unsigned k = 0; k < 2; k++) {
			const uint8_t *p = at + 32 * (size_t)k;
			__m256i x = _mm256_loadu_si256((const __m256i *)(const void *)p);
			__m256i y =
				_mm256_loadu_si256((const __m256i *)(const void *)(p + len - 1));
			x = _mm256_cmpeq_epi8(_mm256_or_si256(x, fo), first);
			y = _mm256_cmpeq_epi8(_mm256_or_si256(y, lo), last);
			m[k] = _mm256_and_si256(x, y);
		}
		if (_mm256_testz_si256(_mm256_or_si256(m[0], m[1]), _mm256_set1_epi8(-1)))
			continue;
		uint64_t low = (uint32_t)_mm256_movemask_epi8(m[0]);
		uint64_t high = (uint32_t)_mm256_movemask_epi8(m[1]);
		found = first_same(at, low | high << 32, needle, len, nocase);
	}
	return found;
}
#endif

/* First and last byte are compared many places at a time; what is left is compared in full. */
const uint8_t *eval_find(const uint8_t *hay, size_t hay_len, const uint8_t *needle, size_t len,
			 bool nocase)
{
	if (len == 0)
		return hay;
	if (hay_len < len)
		return NULL;
	size_t places = hay_len - len + 1, i = 0;
	if (len == 1 && (!nocase || lower(needle[0]) < 'a' || lower(needle[0]) > 'z'))
		return memchr(hay, needle[0], hay_len);
#ifdef __SSE2__
	const uint8_t *found = NULL;
	if (places >= 64 && __builtin_cpu_supports("avx2"))
		found = find64(hay, places, &i, needle, len, nocase);
	if (found == NULL)
		found = find16(hay, places, &i, needle, len, nocase);
	if (found != NULL)
		return found;
#endif
	for (; i < places; i++)
		if (lower(hay[i]) == lower(needle[0]) && same(hay + i, needle, len, nocase))
			return hay + i;
	return NULL;
}

int64_t eval_value(const struct eval *x, const struct rule_value *v)
{
	return v->is_var ? x->vars[v->var % RULE_BYTE_VARS] : v->value;
}

/* A value as a distance: beyond any buffer is beyond any buffer, and sums of a few don't overflow. */
static int64_t far(const struct eval *x, const struct rule_value *v)
{
	int64_t n = eval_value(x, v);
	return n > FAR ? FAR : n < -FAR ? -FAR : n;
}

static bool spend(struct eval *x, uint64_t bytes)
{
	x->budget -= 1 + (int64_t)(bytes / BYTES_PER_STEP);
	if (x->budget < 0)
		x->spent = true;
	return !x->spent;
}

static bool is_relative(const struct match *m)
{
	switch ((enum match_kind)m->kind) {
	case MATCH_CONTENT:
		return m->u.content.has_distance || m->u.content.has_within;
	case MATCH_PCRE:
		return m->u.pcre.relative;
	case MATCH_BYTE_TEST:
	case MATCH_BYTE_JUMP:
	case MATCH_BYTE_EXTRACT:
	case MATCH_BYTE_MATH:
		return m->u.byte.relative;
	case MATCH_ISDATAAT:
		return m->u.isdataat.relative;
	case MATCH_BASE64_DECODE:
		return m->u.base64.relative;
	case MATCH_BER_DATA:
	case MATCH_BER_SKIP:
		return true;
	case MATCH_ASN1:
		return (m->u.asn1.flags & ASN1_RELATIVE) != 0;
	case MATCH_BSIZE:
	case MATCH_ABSENT:
	case MATCH_ENTROPY:
		break;
	}
	return false;
}

static bool uses_vars(const struct match *m)
{
	if (m->kind == MATCH_CONTENT) {
		const struct match_content *c = &m->u.content;
		return c->offset.is_var || c->depth.is_var || c->distance.is_var ||
		       c->within.is_var;
	}
	return m->kind != MATCH_PCRE; /* numbers: may, and are cheap */
}

/* Would another place of match i change anything for those after it? */
static bool worth_more(const struct eval *x, uint32_t i)
{
	const struct rule_list *l = x->list;
	return (i + 1 < l->n && is_relative(&l->m[i + 1])) ||
	       (x->collect != NULL && l->m[i].kind == MATCH_CONTENT &&
		l->m[i].u.content.has_replace);
}

/* A place of the only content that is replaced, and it was before. */
static bool is_old(const struct eval *x, const struct match_content *c, int64_t place)
{
	return c->has_replace && x->collect->n_list == 1 &&
	       collect_known(x->collect, (uint32_t)place, c->len);
}

static enum step step(struct eval *x, uint32_t i, int64_t last);

/* Range of places (within data) where content c may stand: first place, end of last. */
static void content_range(const struct eval *x, const struct match_content *c, int64_t last,
			  int64_t *ret_lo, int64_t *ret_hi)
{
	int64_t len = x->b.len, lo = 0, hi = len, origin = (int64_t)x->b.origin;
	if (c->has_distance || c->has_within) {
		int64_t d = c->has_distance ? far(x, &c->distance) : 0;
		lo = last + d;
		if (c->has_within) {
			int64_t w = last + d + far(x, &c->within);
			hi = w < hi ? w : hi;
		}
	}
	if (c->has_offset || c->has_depth || c->starts) {
		int64_t o = c->has_offset ? far(x, &c->offset) : 0;
		int64_t a = o - origin;
		lo = a > lo ? a : lo;
		int64_t d = c->starts ? (int64_t)c->len : len + origin;
		if (c->has_depth)
			d = far(x, &c->depth);
		if ((c->has_depth || c->starts) && a + d < hi)
			hi = a + d;
	}
	if (c->ends && (int64_t)c->len <= len && len - (int64_t)c->len > lo)
		lo = len - (int64_t)c->len;
	*ret_lo = lo < 0 ? 0 : lo;
	*ret_hi = hi;
}

/* Does a later start of the search only make its range shorter? */
static bool shrinks(const struct match *m, uint32_t i)
{
	return i < EVAL_MISSED && m->u.content.has_distance && !m->u.content.has_within &&
	       !m->u.content.negated && !uses_vars(m);
}

static void note_missed(struct eval *x, uint32_t i, int64_t last)
{
	x->missed_from[i] = last;
	x->missed |= UINT64_C(1) << i;
}

static bool is_missed(const struct eval *x, uint32_t i, int64_t last)
{
	return (x->missed >> i & 1) != 0 && last >= x->missed_from[i];
}

/* A list of nothing but one content: what is new stands behind what was found. */
static int64_t collect_from(const struct eval *x, int64_t lo)
{
	const struct collect *k = x->collect;
	if (x->list->n > 1 || k->n == 0)
		return lo;
	int64_t end = (int64_t)k->at[k->n - 1].at + k->at[k->n - 1].c->len;
	return end > lo ? end : lo;
}

static enum step step_content(struct eval *x, uint32_t i, int64_t last)
{
	const struct match *m = &x->list->m[i];
	const struct match_content *c = &m->u.content;
	bool alone = !is_relative(m) && !uses_vars(m);
	bool found = false, memory = shrinks(m, i);
	int64_t lo, hi;
	if (memory && is_missed(x, i, last))
		return STEP_NO;
	content_range(x, c, last, &lo, &hi);
	if (x->collect != NULL)
		lo = collect_from(x, lo);
	while (lo + (int64_t)c->len <= hi) {
		const uint8_t *at =
			eval_find(x->b.data + lo, (size_t)(hi - lo), c->bytes, c->len, c->nocase);
		if (!spend(x, at != NULL ? (uint64_t)(at - x->b.data - lo) : (uint64_t)(hi - lo)))
			return STEP_NEVER;
		if (at == NULL)
			break;
		int64_t place = at - x->b.data, end = place + (int64_t)c->len;
		if (c->ends && end != (int64_t)x->b.len) {
			lo = place + 1;
			continue;
		}
		if (c->negated)
			return alone ? STEP_NEVER : STEP_NO;
		found = true;
		if (x->collect != NULL && is_old(x, c, place)) {
			lo = place + 1;
			continue;
		}
		if (c->has_replace)
			x->place[c->replace_no % RULE_REPLACES] = place;
		enum step s = step(x, i + 1, end);
		if (s != STEP_NO || x->spent)
			return s;
		if (!worth_more(x, i))
			return STEP_NO;
		lo = place + 1;
	}
	if (c->negated)
		return step(x, i + 1, last);
	if (memory && !found)
		note_missed(x, i, last);
	return alone && !found ? STEP_NEVER : STEP_NO;
}

/* One run of the expression from offset on; ends in *ret_start, *ret_end. */
static bool pcre_run(struct eval *x, const struct match_pcre *p, int64_t base, int64_t from,
		     int64_t *ret_start, int64_t *ret_end)
{
	struct rule_engine *e = x->e;
	size_t len = (size_t)((int64_t)x->b.len - base);
	uint32_t options = x->b.origin != 0 && base == 0 ? PCRE2_NOTBOL : 0;
	int rc = pcre2_match(p->code, x->b.data + base, len, (size_t)(from - base), options,
			     e->pcre_md, e->pcre_mc);
	if (rc < 0) {
		if (rc != PCRE2_ERROR_NOMATCH)
			e->stats.pcre_limit++;
		return false;
	}
	const PCRE2_SIZE *o = pcre2_get_ovector_pointer(e->pcre_md);
	if (o[0] > len || o[1] > len)
		return false;
	*ret_start = base + (int64_t)o[0];
	*ret_end = base + (int64_t)o[1];
	return true;
}

static enum step step_pcre(struct eval *x, uint32_t i, int64_t last)
{
	const struct match_pcre *p = &x->list->m[i].u.pcre;
	if (p->code == NULL)
		return STEP_NEVER;
	int64_t base = p->relative ? last : 0, from = base;
	if (base < 0 || base > (int64_t)x->b.len)
		return STEP_NO;
	for (unsigned tries = 0; tries < PCRE_TRIES; tries++) {
		int64_t start = 0, end = 0;
		if (!spend(x, 4 * (uint64_t)((int64_t)x->b.len - from)))
			return STEP_NEVER;
		bool hit = pcre_run(x, p, base, from, &start, &end);
		if (p->negated)
			return !hit ? step(x, i + 1, last) : p->relative ? STEP_NO : STEP_NEVER;
		if (!hit)
			return !p->relative && tries == 0 ? STEP_NEVER : STEP_NO;
		enum step s = step(x, i + 1, end);
		if (s != STEP_NO || !worth_more(x, i) || start >= (int64_t)x->b.len)
			return s;
		from = start + 1;
	}
	return STEP_NO;
}

static bool isdataat(const struct eval *x, const struct match_isdataat *d, int64_t last)
{
	int64_t at = far(x, &d->at);
	bool there = d->relative ? last + at <= (int64_t)x->b.len
				 : at < (int64_t)x->b.len + (int64_t)x->b.origin;
	if (d->relative && last + at < 0)
		there = true;
	return there != d->negated;
}

static enum step step(struct eval *x, uint32_t i, int64_t last)
{
	if (x->spent)
		return STEP_NEVER;
	if (i >= x->list->n)
		return x->collect == NULL || collect_new(x) ? STEP_YES : STEP_NO;
	const struct match *m = &x->list->m[i];
	bool ok = true;
	switch ((enum match_kind)m->kind) {
	case MATCH_CONTENT:
		return step_content(x, i, last);
	case MATCH_PCRE:
		return step_pcre(x, i, last);
	case MATCH_BYTE_TEST:
	case MATCH_BYTE_JUMP:
	case MATCH_BYTE_EXTRACT:
	case MATCH_BYTE_MATH:
		ok = eval_byte(x, m, &last);
		break;
	case MATCH_ISDATAAT:
		ok = isdataat(x, &m->u.isdataat, last);
		break;
	case MATCH_BASE64_DECODE:
		ok = eval_base64(x, &m->u.base64, last);
		break;
	case MATCH_BSIZE:
		ok = eval_bsize(x, &m->u.bsize);
		break;
	case MATCH_ABSENT: /* the buffer is there: only "or else" goes on */
		ok = m->u.absent.or_else;
		break;
	case MATCH_BER_DATA:
	case MATCH_BER_SKIP:
		ok = eval_ber(x, m, &last);
		break;
	case MATCH_ENTROPY:
		ok = eval_entropy(x, m);
		break;
	case MATCH_ASN1:
		ok = eval_asn1(x, m, last);
		break;
	}
	if (!ok || !spend(x, 0))
		return STEP_NO;
	return step(x, i + 1, last);
}

bool eval_list(struct eval *x, const struct rule_list *l, const struct bytes *b)
{
	static const uint8_t nothing[1];
	x->list = l;
	x->b = *b;
	if (x->b.data == NULL) {
		x->b.data = nothing;
		x->b.len = 0;
	}
	x->budget = x->e->budget;
	x->spent = false;
	x->missed = 0;
	bool yes = step(x, 0, 0) == STEP_YES;
	if (x->spent) {
		x->e->stats.budget_exceeded++;
		if (x->e->profile != NULL)
			x->e->profile[x->rule->index].budget_exceeded++;
		return false;
	}
	return yes;
}

static struct bytes of_packet(const uint8_t *data, uint32_t len)
{
	return (struct bytes){.data = data, .len = data != NULL ? len : 0, .whole = true};
}

static bool packet_buffer(const struct pkt *p, uint16_t buffer, struct bytes *ret)
{
	bool icmp6 = p->ip_ver == 6;
	*ret = of_packet(p->l4, p->l4_hlen);
	switch (buffer) {
	case BUF_IPV4_HDR:
		*ret = of_packet(p->ip, p->ip_hlen);
		return p->ip_ver == 4 && p->ip != NULL;
	case BUF_IPV6_HDR:
		*ret = of_packet(p->ip, p->ip_hlen);
		return p->ip_ver == 6 && p->ip != NULL;
	case BUF_TCP_HDR:
		return p->proto == 6 && p->l4 != NULL;
	case BUF_UDP_HDR:
		return p->proto == 17 && p->l4 != NULL;
	case BUF_ICMPV4_HDR:
		return p->proto == 1 && p->l4 != NULL && !icmp6;
	case BUF_ICMPV6_HDR:
		return p->proto == 58 && p->l4 != NULL && icmp6;
	default:
		return false;
	}
}

bool eval_payload(struct rule_engine *e, const struct rule *r, const struct view *v,
		  const struct bytes *payload, struct collect *k)
{
	const struct plan *pl = r->plan;
	struct eval x = {.e = e, .v = v, .rule = r};
	for (uint32_t i = 0; i < r->n_lists; i++) {
		const struct rule_list *l = &r->lists[i];
		struct bytes b = *payload;
		if (pl->lists[i].child)
			b = (struct bytes){.data = e->base64, .len = e->base64_len, .whole = true};
		else if (l->buffer != BUF_PAYLOAD && !packet_buffer(v->p, l->buffer, &b))
			return l->n == 1 && l->m[0].kind == MATCH_ABSENT;
		if (!transform_bytes(e, l, pl->lists[i].xform_id, &b))
			return false;
		bool yes = k != NULL && pl->lists[i].n_replaces > 0
				   ? collect_list(&x, l, &b, pl->lists[i].n_replaces, k)
				   : eval_list(&x, l, &b);
		if (!yes)
			return false;
	}
	return true;
}
