/* SPDX-License-Identifier: BSD-2-Clause */
/* Transforms of buffers. Each instance of a buffer is made once for a packet, in scratch of fixed size; a
 * buffer that does not fit is cut, and the results of one rule_packet are kept until its end. */
#include "base/digest.h"
#include "rule/match/eval_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define UNPACK_DEFAULT 1024u /* bytes, as in Suricata, if the rule says nothing */

struct out {
	uint8_t *d;
	uint32_t n, max;
};

static void put(struct out *o, const uint8_t *d, uint32_t len)
{
	uint32_t n = len < o->max - o->n ? len : o->max - o->n;
	memmove(o->d + o->n, d, n);
	o->n += n;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void url_decode(struct out *o, const uint8_t *d, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		uint8_t c = d[i];
		if (c == '+') {
			c = ' ';
		} else if (c == '%' && i + 2 < len && hex_digit(d[i + 1]) >= 0 &&
			   hex_digit(d[i + 2]) >= 0) {
			c = (uint8_t)(hex_digit(d[i + 1]) << 4 | hex_digit(d[i + 2]));
			i += 2;
		}
		put(o, &c, 1);
	}
}

static bool hash(struct out *o, enum transform kind, const uint8_t *d, uint32_t len)
{
	uint8_t sum[32];
	if (kind == TRANSFORM_TO_MD5)
		digest_md5(d, len, sum);
	else if (kind == TRANSFORM_TO_SHA1)
		digest_sha1(d, len, sum);
	else
		digest_sha256(d, len, sum);
	put(o, sum, kind == TRANSFORM_TO_MD5 ? 16 : kind == TRANSFORM_TO_SHA1 ? 20 : 32);
	return true;
}

static void per_byte(struct out *o, const struct rule_transform *t, const uint8_t *d, uint32_t len)
{
	bool was_space = false, in_name = true;
	for (uint32_t i = 0; i < len; i++) {
		uint8_t c = d[i];
		bool space = is_space(c);
		if (t->kind == TRANSFORM_STRIP_WS && space)
			continue;
		if (t->kind == TRANSFORM_COMPRESS_WS) {
			if (space && was_space)
				continue;
			was_space = space;
		}
		bool low = t->kind == TRANSFORM_TO_LOWER ||
			   (t->kind == TRANSFORM_HEADER_LOWER && in_name);
		if (c == ':')
			in_name = false;
		else if (c == '\n')
			in_name = true;
		if (low && c >= 'A' && c <= 'Z')
			c |= 0x20;
		if (t->kind == TRANSFORM_TO_UPPER && c >= 'a' && c <= 'z')
			c &= (uint8_t)~0x20u;
		if (t->kind == TRANSFORM_XOR && t->arg_len > 0)
			c ^= t->arg[i % t->arg_len];
		put(o, &c, 1);
	}
}

static void strip_pseudo(struct out *o, const uint8_t *d, uint32_t len)
{
	for (uint32_t i = 0; i < len;) {
		const uint8_t *nl = memchr(d + i, '\n', len - i);
		uint32_t end = nl != NULL ? (uint32_t)(nl - d) + 1 : len;
		if (d[i] != ':')
			put(o, d + i, end - i);
		i = end;
	}
}

static bool regex(struct rule_engine *e, struct out *o, const struct rule_transform *t,
		  const uint8_t *d, uint32_t len)
{
	int groups =
		t->code == NULL ? -1 : pcre2_match(t->code, d, len, 0, 0, e->pcre_md, e->pcre_mc);
	if (groups < 0)
		return false;
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(e->pcre_md);
	unsigned k = groups != 1 && v[2] != PCRE2_UNSET ? 1 : 0;
	if (v[2 * k] > len || v[2 * k + 1] > len || v[2 * k] > v[2 * k + 1])
		return false;
	put(o, d + v[2 * k], (uint32_t)(v[2 * k + 1] - v[2 * k]));
	return true;
}

/* Only digits, filled up to a multiple of four. */
static bool strict_base64(const uint8_t *d, uint32_t len)
{
	uint32_t n = 0;
	for (; n < len && base64_digit(d[n]) >= 0; n++)
		;
	uint32_t pad = len - n;
	return pad <= 2 && len % 4 == 0 && (pad == 0 || d[len - 1] == '=') &&
	       (pad < 2 || d[len - 2] == '=');
}

static bool from_base64(struct rule_engine *e, struct out *o, const struct rule_transform *t,
			const uint8_t *d, uint32_t len)
{
	uint32_t off = t->b > 0 ? (uint32_t)t->b : 0;
	if (off >= len)
		return false;
	struct eval x = {.e = e, .b = {.data = d, .len = len}};
	struct match_base64 b = {
		.offset = off, .bytes = (uint32_t)(t->a > 0 ? t->a : 0), .has_bytes = t->a > 0};
	x.base64_skips = t->mode == 1;
	if (!eval_base64(&x, &b, 0) || (t->mode == 2 && !strict_base64(d + off, len - off)))
		return false;
	put(o, e->base64, e->base64_len);
	return true;
}

/* The last two labels of a name (domain), or what follows the last dot (tld). */
static void domain(struct out *o, unsigned dots, const uint8_t *d, uint32_t len)
{
	uint32_t at = len;
	while (at > 0) {
		if (d[at - 1] == '.' && at != len && dots-- == 1)
			break;
		at--;
	}
	put(o, d + at, len - at);
}

static void subslice(struct out *o, const struct rule_transform *t, const uint8_t *d, uint32_t len)
{
	int64_t from = t->a < 0 ? (int64_t)len + t->a : t->a;
	if (from < 0)
		from = 0;
	if (from > (int64_t)len)
		from = len;
	int64_t n = (int64_t)len - from;
	if (t->b > 0 && t->b < n)
		n = t->b;
	else if (t->b < 0)
		n = n + t->b > 0 ? n + t->b : 0;
	put(o, d + from, (uint32_t)n);
}

/* ---- packed data ---------------------------------------------------------------------------------------- */

struct inflate_state {
	z_stream z;
};

int inflate_create(struct inflate_state **ret)
{
	struct inflate_state *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	if (inflateInit2(&s->z, MAX_WBITS) != Z_OK) {
		free(s);
		return -ENOMEM;
	}
	/* The library takes its window with the first byte that it unpacks: now, not on the way. */
	static const uint8_t one_byte[] = {0x78, 1, 0, 1, 0, 0xfe, 0xff, 'a'};
	uint8_t byte;
	s->z.next_in = (z_const Bytef *)(uintptr_t)one_byte;
	s->z.avail_in = sizeof(one_byte);
	s->z.next_out = &byte;
	s->z.avail_out = 1;
	(void)inflate(&s->z, Z_SYNC_FLUSH);
	*ret = s;
	return 0;
}

void inflate_free(struct inflate_state **s)
{
	if (*s != NULL)
		(void)inflateEnd(&(*s)->z);
	free(*s);
	*s = NULL;
}

/* What was unpacked up to an error or the limit counts. */
static bool unpack(struct inflate_state *s, struct out *o, const struct rule_transform *t,
		   const uint8_t *d, uint32_t len)
{
	uint32_t most = t->a > 0 ? (uint32_t)t->a : UNPACK_DEFAULT;
	bool gzip = t->kind == TRANSFORM_GUNZIP;
	if (inflateReset2(&s->z, gzip ? MAX_WBITS + 16 : MAX_WBITS) != Z_OK)
		return false;
	s->z.next_in = (z_const Bytef *)(uintptr_t)d;
	s->z.avail_in = len;
	s->z.next_out = o->d + o->n;
	s->z.avail_out = most < o->max - o->n ? most : o->max - o->n;
	uint32_t room = s->z.avail_out;
	(void)inflate(&s->z, Z_SYNC_FLUSH);
	o->n += room - s->z.avail_out;
	return s->z.avail_out != room;
}

static bool one(struct rule_engine *e, struct out *o, const struct rule_transform *t,
		const uint8_t *d, uint32_t len)
{
	switch ((enum transform)t->kind) {
	case TRANSFORM_NONE:
		put(o, d, len);
		return true;
	case TRANSFORM_DOTPREFIX:
		put(o, (const uint8_t *)".", 1);
		put(o, d, len);
		return true;
	case TRANSFORM_STRIP_WS:
	case TRANSFORM_COMPRESS_WS:
	case TRANSFORM_TO_LOWER:
	case TRANSFORM_TO_UPPER:
	case TRANSFORM_HEADER_LOWER:
	case TRANSFORM_XOR:
		per_byte(o, t, d, len);
		return true;
	case TRANSFORM_TO_MD5:
	case TRANSFORM_TO_SHA1:
	case TRANSFORM_TO_SHA256:
		return hash(o, (enum transform)t->kind, d, len);
	case TRANSFORM_URL_DECODE:
		url_decode(o, d, len);
		return true;
	case TRANSFORM_PCREXFORM:
		return regex(e, o, t, d, len);
	case TRANSFORM_STRIP_PSEUDO:
		strip_pseudo(o, d, len);
		return true;
	case TRANSFORM_FROM_BASE64:
		return from_base64(e, o, t, d, len);
	case TRANSFORM_DOMAIN:
		domain(o, 2, d, len);
		return true;
	case TRANSFORM_TLD:
		domain(o, 1, d, len);
		return true;
	case TRANSFORM_SUBSLICE:
		subslice(o, t, d, len);
		return true;
	case TRANSFORM_GUNZIP:
	case TRANSFORM_ZLIB_DEFLATE:
		return unpack(e->inflate, o, t, d, len);
	case TRANSFORM_LUA_UNSUPPORTED: /* the reader refuses it */
		break;
	}
	return false;
}

static bool chain(struct rule_engine *e, const struct rule_list *l, struct bytes *b)
{
	uint8_t n = l->n_transforms < RULE_TRANSFORMS ? l->n_transforms : RULE_TRANSFORMS;
	for (uint8_t i = 0; i < n; i++) {
		uint32_t room = XFORM_BYTES - e->xform_used;
		struct out o = {.d = e->xform_bytes + e->xform_used, .max = room};
		if (!one(e, &o, &l->transforms[i], b->data, b->len))
			return false;
		b->data = o.d;
		b->len = o.n;
		b->origin = 0;
		e->xform_used += o.n;
	}
	return true;
}

bool transform_bytes(struct rule_engine *e, const struct rule_list *l, uint8_t xform_id,
		     struct bytes *b)
{
	static const uint8_t nothing[1];
	if (xform_id == 0)
		return true;
	if (b->data == NULL)
		b->data = nothing;
	for (uint32_t i = 0; i < e->n_xforms; i++) {
		const struct xform_slot *s = &e->xforms[i];
		if (s->src == b->data && s->src_len == b->len && s->xform_id == xform_id) {
			b->data = s->data;
			b->len = s->len;
			b->origin = 0;
			return s->ok;
		}
	}
	struct xform_slot s = {.src = b->data, .src_len = b->len, .xform_id = xform_id};
	if (e->n_xforms == XFORM_SLOTS || e->xform_used > XFORM_BYTES / 2) {
		e->n_xforms = 0; /* full: begin anew; nobody holds results across buffers */
		e->xform_used = 0;
	}
	s.ok = chain(e, l, b);
	s.data = b->data;
	s.len = b->len;
	e->xforms[e->n_xforms++] = s;
	return s.ok;
}
