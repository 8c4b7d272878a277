/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much a guest may ask, and what looks like a tunnel. A tunnel carries data in names: below one
 * registered domain come many different subdomains, long and without sense. What programs ask in
 * good faith is short, repeats itself, or (block lists, reverse names) is long or many but not both.
 */
#include "sink/sink_priv.h"

#include <string.h>

#define MINUTE_NS (60 * NS_PER_SEC)
#define WINDOW_NS (10 * MINUTE_NS)
#define LONG_LABEL 32u     /* a label this long, or a subdomain ... */
#define LONG_SUB 60u       /* ... this long is odd, if its bytes are mixed ... */
#define LONG_ENTROPY 3200u /* ... so much (thousandths of a bit a byte) */
#define CODE_LABEL 16u     /* and a shorter one that is digits and letters in one heap, ... */
#define CODE_ENTROPY 2800u
#define CODE_SHARE 6u /* ... at least a sixth of each */
#define ODD_MIN 15u   /* so many odd ones, all different ... */
#define VOLUME_DISTINCT 60u
#define VOLUME_BYTES \
	3000u /* ... or so many bytes in so many different names that are long on average */
#define VOLUME_LENGTH 28u
#define LONGEST_SUB 253u

bool guard_budget(struct guard *g, uint32_t max, int64_t now_ns)
{
	if (max == 0)
		return false;
	if (max > SINK_BUDGET)
		max = SINK_BUDGET;
	/* The ring's place that would be written holds the query of max ago. */
	int64_t *at = &g->asked_ns[g->at % max];
	if (*at != 0 && now_ns - *at <= MINUTE_NS)
		return false;
	*at = now_ns > 0 ? now_ns : 1;
	g->at = (g->at + 1) % max;
	return true;
}

/* log2(v) * 1000, v > 0: the whole part, then bit by bit by squaring. */
static uint32_t log2_milli(uint32_t v)
{
	uint32_t whole = 31u - (uint32_t)__builtin_clz(v), part = 0;
	uint64_t x = ((uint64_t)v << 31) >> whole; /* in [1, 2) with 31 bits behind the point */
	for (uint32_t bit = 1u << 15; bit != 0; bit >>= 1) {
		x = x * x >> 31;
		if (x >> 32 == 0)
			continue;
		x >>= 1;
		part |= bit;
	}
	return whole * 1000 + part * 1000 / 65536;
}

uint32_t guard_entropy(const uint8_t *data, size_t len)
{
	uint32_t count[256] = {0};
	uint64_t sum = 0;
	if (len == 0)
		return 0;
	for (size_t i = 0; i < len; i++)
		count[data[i]]++;
	for (size_t c = 0; c < 256; c++)
		if (count[c] > 0)
			sum += (uint64_t)count[c] * log2_milli(count[c]);
	return log2_milli((uint32_t)len) - (uint32_t)(sum / len);
}

/* ---- names ------------------------------------------------------------------------------------------ */

struct split {
	uint32_t labels, at[DNS_NAME / 2 + 1]; /* where each begins, on the wire */
};

static void split_name(const struct dns_query *q, struct split *ret)
{
	ret->labels = 0;
	for (uint32_t i = 0; i < q->name_len && q->name[i] != 0; i += 1u + q->name[i])
		ret->at[ret->labels++] = i;
}

/* How many labels at the end are somebody's own: two, or three below "co.uk" and the like. */
static uint32_t registered(const struct dns_query *q, const struct split *p)
{
	if (p->labels < 3)
		return p->labels;
	bool country = q->name[p->at[p->labels - 1]] == 2,
	     general = q->name[p->at[p->labels - 2]] <= 3;
	return country && general ? 3 : 2;
}

static bool is_reverse(const struct dns_query *q)
{
	size_t n = strlen(q->text);
	return n >= 5 && strcmp(q->text + n - 5, ".arpa") == 0;
}

/* The labels before at, joined, lower case. */
static uint32_t take_sub(const struct dns_query *q, uint32_t end, uint8_t ret[LONGEST_SUB])
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < end; i += 1u + q->name[i])
		for (uint8_t k = 1; k <= q->name[i] && n < LONGEST_SUB; k++) {
			uint8_t c = q->name[i + k];
			ret[n++] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
		}
	return n;
}

/* As an encoder writes it: no word, no hyphen, letters and digits mixed. */
static bool is_code(const uint8_t *label, uint32_t n)
{
	uint32_t digits = 0, letters = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint8_t c = label[i];
		digits += c >= '0' && c <= '9';
		letters += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
	}
	return n >= CODE_LABEL && digits + letters == n && digits * CODE_SHARE >= n &&
	       letters * CODE_SHARE >= n && guard_entropy(label, n) >= CODE_ENTROPY;
}

static bool is_odd(const struct dns_query *q, uint32_t end, const uint8_t *sub, uint32_t n)
{
	bool long_one = n >= LONG_SUB, code = false;
	for (uint32_t i = 0; i < end; i += 1u + q->name[i]) {
		long_one |= q->name[i] >= LONG_LABEL;
		code |= is_code(q->name + i + 1, q->name[i]);
	}
	return code || (long_one && guard_entropy(sub, n) >= LONG_ENTROPY);
}

static struct guard_domain *domain_of(struct guard *g, uint64_t hash, int64_t now_ns)
{
	struct guard_domain *oldest = &g->domains[0];
	for (size_t i = 0; i < GUARD_DOMAINS; i++) {
		struct guard_domain *d = &g->domains[i];
		if (d->hash == hash) {
			if (now_ns - d->since_ns > WINDOW_NS) {
				int64_t suspect = d->suspect_ns;
				memset(d, 0, sizeof(*d));
				d->hash = hash;
				d->since_ns = now_ns;
				d->suspect_ns = suspect;
			}
			return d;
		}
		/* What is suspect is not pushed out by other names, as long as it goes on. */
		if (d->last_ns + (d->suspect_ns != 0 ? WINDOW_NS : 0) <
		    oldest->last_ns + (oldest->suspect_ns != 0 ? WINDOW_NS : 0))
			oldest = d;
	}
	memset(oldest, 0, sizeof(*oldest));
	oldest->hash = hash;
	oldest->since_ns = now_ns;
	return oldest;
}

static bool looks_like_tunnel(const struct guard_domain *d)
{
	if (d->odd >= ODD_MIN && d->distinct >= ODD_MIN)
		return true;
	return d->distinct >= VOLUME_DISTINCT && d->bytes >= VOLUME_BYTES &&
	       d->bytes / d->queries >= VOLUME_LENGTH;
}

static void copy_domain(const struct dns_query *q, uint32_t from, char ret[DNS_NAME + 1])
{
	struct writer w = writer_of(ret, DNS_NAME + 1);
	for (uint32_t i = from; i < q->name_len && q->name[i] != 0; i += 1u + q->name[i]) {
		if (w.len > 0)
			write_str(&w, ".");
		write_escaped(&w, q->name + i + 1, q->name[i]);
	}
}

void guard_look(struct guard *g, const uint64_t key[2], const struct dns_query *q, int64_t now_ns,
		struct suspicion *ret)
{
	struct split p;
	uint8_t sub[LONGEST_SUB], domain[LONGEST_SUB];
	memset(ret, 0, sizeof(*ret));
	split_name(q, &p);
	uint32_t own = registered(q, &p);
	if (p.labels <= own || is_reverse(q))
		return;
	uint32_t from = p.at[p.labels - own], n = take_sub(q, from, sub);
	struct dns_query tail = {.name_len = q->name_len - from};
	memcpy(tail.name, q->name + from, tail.name_len);
	uint32_t len = take_sub(&tail, tail.name_len - 1, domain);
	struct guard_domain *d = domain_of(g, hash_keyed(key, domain, len) | 1, now_ns);
	uint64_t h = hash_keyed(key, sub, n) % GUARD_BITS;
	d->last_ns = now_ns;
	d->queries++;
	d->bytes += n;
	if ((d->seen[h / 8] >> h % 8 & 1) == 0) {
		d->seen[h / 8] |= (uint8_t)(1u << h % 8);
		d->distinct++;
		d->odd += is_odd(q, from, sub, n);
	}
	bool now = looks_like_tunnel(d);
	ret->fresh = now && (d->suspect_ns == 0 || now_ns - d->suspect_ns > WINDOW_NS);
	if (ret->fresh)
		d->suspect_ns = now_ns > 0 ? now_ns : 1;
	ret->suspect = now || d->suspect_ns != 0;
	ret->queries = d->queries;
	ret->distinct = d->distinct;
	ret->bytes = d->bytes;
	ret->length = (uint32_t)(d->bytes / d->queries);
	copy_domain(q, from, ret->domain);
}
