/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * asn1: elements of BER from some place on, into what is constructed, without recursion. Tested are a bit
 * string that counts more unused bits than it has, a REAL in text longer than 256 bytes, and an element
 * longer than a given length. What does not decode ends the walk.
 */
#include "rule/match/eval_priv.h"

#define ELEMENTS_MAX 256u
#define TAG_BYTES_MAX 5u

struct element {
	uint8_t id; /* class, constructed, number */
	bool indefinite;
	uint32_t head; /* bytes of tag and length */
	uint64_t len;
};

/* The head of the element at d; false: none. */
static bool head(const uint8_t *d, uint32_t left, struct element *ret)
{
	struct reader r = reader_of(d, left);
	const uint8_t *id = read_bytes(&r, 1), *p = id;
	if (id == NULL)
		return false;
	for (unsigned i = 0; (id[0] & 0x1f) == 0x1f; i++) { /* a long tag */
		p = read_bytes(&r, 1);
		if (p == NULL || i == TAG_BYTES_MAX)
			return false;
		if ((p[0] & 0x80) == 0)
			break;
	}
	p = read_bytes(&r, 1);
	if (p == NULL)
		return false;
	*ret = (struct element){.id = id[0], .len = p[0]};
	if (p[0] == 0x80) {
		ret->indefinite = true;
		ret->len = 0;
	} else if ((p[0] & 0x80) != 0) {
		unsigned n = p[0] & 0x7f;
		p = n <= 8 ? read_bytes(&r, n) : NULL;
		if (p == NULL)
			return false;
		ret->len = 0;
		for (unsigned i = 0; i < n; i++)
			ret->len = ret->len << 8 | p[i];
	}
	ret->head = left - (uint32_t)reader_left(&r);
	return true;
}

static bool is_bad(const struct match *m, const struct element *e, const uint8_t *d, uint32_t left)
{
	uint32_t flags = m->u.asn1.flags;
	if ((flags & ASN1_OVERSIZE) != 0 && e->len > m->u.asn1.oversize)
		return true;
	if (left == 0 || e->len == 0)
		return false;
	if ((flags & ASN1_BITSTRING) != 0 && e->id == 3 && e->len - 1 <= UINT32_MAX &&
	    (e->len - 1) * 8 < d[0])
		return true;
	return (flags & ASN1_DOUBLE) != 0 && e->id == 9 && (d[0] & 0xc0) == 0 && e->len > 256;
}

bool eval_asn1(const struct eval *x, const struct match *m, int64_t cursor)
{
	int64_t at = m->u.asn1.offset;
	if ((m->u.asn1.flags & ASN1_RELATIVE) != 0)
		at += cursor;
	if (at < 0 || at >= (int64_t)x->b.len)
		return false;
	const uint8_t *d = x->b.data + at;
	uint32_t left = x->b.len - (uint32_t)at;
	for (unsigned i = 0; i < ELEMENTS_MAX && left > 0; i++) {
		struct element e;
		if (!head(d, left, &e))
			return false;
		d += e.head;
		left -= e.head;
		if (is_bad(m, &e, d, left))
			return true;
		if ((e.id & 0x20) != 0 || e.indefinite)
			continue; /* what is in it comes next */
		if (e.len > left)
			return false;
		d += e.len;
		left -= (uint32_t)e.len;
	}
	return false;
}
