/* SPDX-License-Identifier: BSD-2-Clause */
/* Matches that compute: byte_test, byte_jump, byte_extract, byte_math, base64_decode, BER, bsize,
 * entropy. Every read is checked against the buffer first; arithmetic wraps in 64 bits. */
#include "rule/match/eval_priv.h"

#include <math.h>
#include <string.h>

#define DIGITS_MAX 23

static bool read_text(const uint8_t *d, uint32_t n, unsigned base, uint64_t *ret)
{
	uint32_t i = 0;
	while (i < n && (d[i] == ' ' || d[i] == '\t' || d[i] == '\n' || d[i] == '\r'))
		i++;
	if (base == 16 && i + 1 < n && d[i] == '0' && (d[i + 1] | 0x20) == 'x')
		i += 2;
	uint64_t v = 0;
	bool any = false;
	for (; i < n; i++) {
		unsigned c = d[i] | 0x20u;
		unsigned digit = d[i] >= '0' && d[i] <= '9' ? (unsigned)d[i] - '0'
				 : c >= 'a' && c <= 'f'     ? c - 'a' + 10u
							    : 99u;
		if (digit >= base)
			break;
		v = v * base + digit;
		any = true;
	}
	*ret = v;
	return any;
}

static bool read_number(const struct eval *x, const struct match_byte *b, int64_t at, uint32_t n,
			uint64_t *ret)
{
	if (at < 0 || at > (int64_t)x->b.len || n > x->b.len - (uint64_t)at)
		return false;
	const uint8_t *d = x->b.data + at;
	uint64_t v = 0;
	if (b->base != BYTE_BINARY) {
		static const uint8_t bases[] = {[BYTE_HEX] = 16, [BYTE_DEC] = 10, [BYTE_OCT] = 8};
		if (n > DIGITS_MAX || b->base > BYTE_OCT || !read_text(d, n, bases[b->base], &v))
			return false;
	} else {
		if (n > 8)
			return false;
		bool little = b->little || b->dce;
		for (uint32_t i = 0; i < n; i++)
			v = v << 8 | d[little ? n - 1 - i : i];
	}
	if (b->has_bitmask && b->bitmask != 0)
		v = (v & b->bitmask) >> __builtin_ctzll(b->bitmask);
	*ret = v;
	return true;
}

static bool test(uint8_t op, uint64_t a, uint64_t b)
{
	switch ((enum byte_op)op) {
	case BYTE_EQ:
		return a == b;
	case BYTE_LT:
		return a < b;
	case BYTE_GT:
		return a > b;
	case BYTE_LE:
		return a <= b;
	case BYTE_GE:
		return a >= b;
	case BYTE_NE:
		return a != b;
	case BYTE_AND:
		return (a & b) != 0;
	case BYTE_OR:
		return (a ^ b) != 0;
	}
	return false;
}

static bool jump(const struct eval *x, const struct match_byte *b, int64_t at, uint32_t n,
		 int64_t *cursor)
{
	uint64_t v = 0;
	if (n > 0 && !read_number(x, b, at, n, &v))
		return false;
	if (at < 0 || at > (int64_t)x->b.len)
		return false;
	if (b->multiplier > 1)
		v *= b->multiplier;
	if (b->align && v % 4 != 0)
		v += 4 - v % 4;
	int64_t post = b->post_offset;
	if (b->has_post_offset_var)
		post = x->vars[(unsigned)b->post_offset % RULE_BYTE_VARS];
	if (v > UINT32_MAX && !b->from_beginning)
		return false; /* further than any buffer */
	int64_t to = (int64_t)(v & INT64_MAX);
	if (b->from_end)
		to += (int64_t)x->b.len;
	else if (!b->from_beginning)
		to += at + (int64_t)n;
	if (__builtin_add_overflow(to, post, &to) || to < 0 || to > (int64_t)x->b.len)
		return false;
	*cursor = to;
	return true;
}

static bool math(const struct eval *x, const struct match_byte *b, uint64_t a, int64_t *ret)
{
	uint64_t r = (uint64_t)eval_value(x, &b->value);
	switch (b->op) {
	case '+':
		a += r;
		break;
	case '-':
		a -= r;
		break;
	case '*':
		a *= r;
		break;
	case '/':
		if (r == 0)
			return false;
		a /= r;
		break;
	case '<':
		a = r > 63 ? 0 : a << r;
		break;
	case '>':
		a = r > 63 ? 0 : a >> r;
		break;
	default:
		return false;
	}
	*ret = (int64_t)a;
	return true;
}

bool eval_byte(struct eval *x, const struct match *m, int64_t *cursor)
{
	const struct match_byte *b = &m->u.byte;
	int64_t n = eval_value(x, &b->nbytes), at = eval_value(x, &b->offset);
	if (n < 0 || n > DIGITS_MAX)
		return false;
	if (b->relative && __builtin_add_overflow(at, *cursor, &at))
		return false;
	if (m->kind == MATCH_BYTE_JUMP)
		return jump(x, b, at, (uint32_t)n, cursor);
	uint64_t v;
	if (!read_number(x, b, at, (uint32_t)n, &v))
		return false;
	if (m->kind == MATCH_BYTE_TEST)
		return test(b->op, v, (uint64_t)eval_value(x, &b->value)) != b->negated;
	int64_t result = (int64_t)v;
	if (m->kind == MATCH_BYTE_MATH) {
		struct match_byte plain = *b;
		plain.has_bitmask = false;
		if (b->has_bitmask && !read_number(x, &plain, at, (uint32_t)n, &v))
			return false;
		if (!math(x, b, v, &result))
			return false;
		if (b->has_bitmask && b->bitmask != 0)
			result = (int64_t)(((uint64_t)result & b->bitmask) >>
					   __builtin_ctzll(b->bitmask));
	} else {
		if (b->multiplier > 1)
			result = (int64_t)((uint64_t)result * b->multiplier);
		uint32_t to = b->align_to;
		if (to != 0 && (uint64_t)result % to != 0)
			result = (int64_t)((uint64_t)result + to - (uint64_t)result % to);
	}
	x->vars[b->result % RULE_BYTE_VARS] = result;
	*cursor = at + n;
	return true;
}

bool eval_bsize(const struct eval *x, const struct match_bsize *b)
{
	int64_t n = (int64_t)x->b.len + (int64_t)x->b.origin;
	int64_t lo = eval_value(x, &b->lo);
	switch (b->op) {
	case '=':
		return n == lo;
	case '!':
		return n != lo;
	case '<':
		return n < lo;
	case '>':
		return n > lo;
	case 'l':
		return n <= lo;
	case 'g':
		return n >= lo;
	case 'r':
		return n > lo && n < eval_value(x, &b->hi);
	default:
		return false;
	}
}

int base64_digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool eval_base64(struct eval *x, const struct match_base64 *b, int64_t cursor)
{
	struct rule_engine *e = x->e;
	int64_t at = (b->relative ? cursor : 0) + (int64_t)b->offset;
	if (at < 0 || at >= (int64_t)x->b.len)
		return false;
	const uint8_t *d = x->b.data + at, *end = x->b.data + x->b.len;
	if (b->has_bytes && b->bytes < (uint64_t)(end - d))
		end = d + b->bytes;
	uint32_t bits = 0, n = 0, out = 0;
	for (; d < end && out + 1 < BASE64_BYTES; d++) {
		int v = base64_digit(*d);
		if (v < 0) {
			if (x->base64_skips)
				continue;
			break;
		}
		bits = bits << 6 | (uint32_t)v;
		if (++n % 4 != 1)
			e->base64[out++] = (uint8_t)(bits >> ((4 - n % 4) % 4 * 2));
	}
	e->base64_len = out;
	return out > 0;
}

/* Length octets of BER at *at; false: not there or longer than four octets. */
static bool ber_length(const struct eval *x, int64_t *at, uint64_t *ret)
{
	if (*at < 0 || *at >= (int64_t)x->b.len)
		return false;
	uint8_t first = x->b.data[(*at)++];
	if (first < 0x80) {
		*ret = first;
		return true;
	}
	unsigned n = first & 0x7fu;
	if (n == 0 || n > 4 || *at + n > (int64_t)x->b.len)
		return false;
	uint64_t v = 0;
	for (unsigned i = 0; i < n; i++)
		v = v << 8 | x->b.data[(*at)++];
	*ret = v;
	return true;
}

bool eval_ber(struct eval *x, const struct match *m, int64_t *cursor)
{
	int64_t at = *cursor;
	bool skip = m->u.ber.is_skip || m->kind == MATCH_BER_SKIP;
	if (at < 0 || at >= (int64_t)x->b.len)
		return skip && m->u.ber.optional;
	uint64_t len;
	if (x->b.data[at] != m->u.ber.type)
		return skip && m->u.ber.optional;
	at++;
	if (!ber_length(x, &at, &len))
		return false;
	if (skip) {
		if (len > x->b.len - (uint64_t)at)
			return false;
		at += (int64_t)len;
	}
	*cursor = at;
	return true;
}

bool eval_entropy(const struct eval *x, const struct match *m)
{
	if (x->b.len == 0)
		return false;
	uint32_t count[256] = {0};
	for (uint32_t i = 0; i < x->b.len; i++)
		count[x->b.data[i]]++;
	double h = 0;
	for (unsigned i = 0; i < 256; i++) {
		if (count[i] == 0)
			continue;
		double p = (double)count[i] / x->b.len;
		h -= p * log2(p);
	}
	double v = m->u.entropy.value;
	switch (m->u.entropy.op) {
	case '<':
		return h < v;
	case '>':
		return h > v;
	case 'l':
		return h <= v;
	case 'g':
		return h >= v;
	case '!':
		return fabs(h - v) > 1e-9;
	default:
		return fabs(h - v) <= 1e-9;
	}
}
