/* SPDX-License-Identifier: BSD-2-Clause */
/* Hello messages of TLS and the fingerprints made of them: JA3, JA3S (both MD5), JA4 (SHA-256). */
#include "base/digest.h"
#include "proto/tls/tls.h"

#include <stdlib.h>
#include <string.h>

enum extension {
	EXT_SNI = 0,
	EXT_GROUPS = 10,
	EXT_FORMATS = 11,
	EXT_SIGALGS = 13,
	EXT_ALPN = 16,
	EXT_VERSIONS = 43
};

#define ALPN_MOST 64u /* names looked at: each is found by walking the list */

/* Values that clients invent to keep servers tolerant (RFC 8701): 0x0a0a, 0x1a1a ... */
static bool grease(uint16_t v)
{
	return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

/* A part with a length in front, of width bytes. */
static struct part counted(const struct tls_hello *h, struct reader *r, unsigned width)
{
	uint32_t n = width == 1 ? read_u8(r) : read_be16(r);
	const uint8_t *p = read_bytes(r, n);
	return p != NULL ? (struct part){(uint32_t)(p - h->raw), n} : (struct part){0, 0};
}

static struct reader reader_in(const struct tls_hello *h, struct part p)
{
	return reader_of(h->raw + p.at, p.len);
}

static void read_sni(struct tls_hello *h, struct part p)
{
	if (h->has_sni) {
		h->multiple_sni = true;
		return;
	}
	h->has_sni = true;
	struct reader r = reader_in(h, p);
	read_be16(&r); /* of the whole list */
	if (read_u8(&r) != 0 && !r.bad) {
		h->bad_sni_type = true;
		return;
	}
	struct part name = counted(h, &r, 2);
	if (r.bad) {
		h->bad_sni_len = p.len != 0 && !h->server;
		return;
	}
	h->sni = name;
}

static void read_versions(struct tls_hello *h, struct part p)
{
	struct reader r = reader_in(h, p);
	if (h->server) {
		uint16_t v = read_be16(&r);
		h->real = r.bad ? h->real : v;
		return;
	}
	struct part list = counted(h, &r, 1);
	uint16_t best = 0;
	for (uint32_t i = 0; i + 2 <= list.len; i += 2) {
		uint16_t v = load_be16(h->raw + list.at + i);
		if (!grease(v) && v > best)
			best = v;
	}
	h->real = best != 0 ? best : h->real;
}

static void read_extension(struct tls_hello *h, uint16_t type, struct part p)
{
	struct reader r = reader_in(h, p);
	switch (type) {
	case EXT_SNI:
		read_sni(h, p);
		break;
	case EXT_GROUPS:
		h->groups = counted(h, &r, 2);
		break;
	case EXT_FORMATS:
		h->formats = counted(h, &r, 1);
		break;
	case EXT_SIGALGS:
		h->sigalgs = counted(h, &r, 2);
		break;
	case EXT_ALPN:
		h->alpn = counted(h, &r, 2);
		break;
	case EXT_VERSIONS:
		read_versions(h, p);
		break;
	default:
		break;
	}
}

/* Until draft 22 a server's hello of TLS 1.3 had neither session nor compression, and its own version. */
static bool early_draft(const struct tls_hello *h)
{
	return h->server && h->version >= 0x7f00 && h->version < 0x7f16;
}

bool tls_hello_parse(struct tls_hello *h)
{
	struct reader r = reader_of(h->raw, h->len);
	h->version = h->real = read_be16(&r);
	h->random = (struct part){2, 32};
	read_bytes(&r, 32);
	if (!early_draft(h))
		h->session = counted(h, &r, 1);
	if (h->server) {
		const uint8_t *one = read_bytes(&r, 2);
		if (one != NULL)
			h->ciphers = (struct part){(uint32_t)(one - h->raw), 2};
		if (!early_draft(h))
			read_u8(&r);
	} else {
		h->ciphers = counted(h, &r, 2);
		counted(h, &r, 1);
	}
	if (r.bad)
		return false;
	if (reader_left(&r) == 0)
		return true;
	h->ext = counted(h, &r, 2);
	if (r.bad)
		return false;
	h->has_ext = true;
	for (struct reader e = reader_in(h, h->ext); reader_left(&e) != 0;) {
		uint16_t type = read_be16(&e);
		struct part p = counted(h, &e, 2);
		if (e.bad)
			return false;
		read_extension(h, type, p);
	}
	return true;
}

int tls_alpn(const struct tls_hello *h, uint32_t index, struct span *ret)
{
	struct reader r = reader_in(h, h->alpn);
	while (index < ALPN_MOST && reader_left(&r) != 0) {
		struct part p = counted(h, &r, 1);
		if (r.bad)
			return 1;
		if (index-- == 0) {
			*ret = (struct span){h->raw + p.at, p.len};
			return 0;
		}
	}
	return 1;
}

/* ---- JA3 ------------------------------------------------------------------------------------------------ */

static void put_number(struct writer *w, unsigned v)
{
	char text[6];
	unsigned n = 0;
	do
		text[n++] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	if (w->len + n + 2 > w->size) {
		w->full = true;
		return;
	}
	while (n != 0)
		w->buf[w->len++] = text[--n];
}

static void put_char(struct writer *w, char c)
{
	if (w->len + 2 > w->size)
		w->full = true;
	else
		w->buf[w->len++] = c;
}

/* Numbers of width bytes joined with dashes, GREASE left out. */
static void put_list(struct writer *w, const struct tls_hello *h, struct part p, unsigned width)
{
	bool first = true;
	for (uint32_t i = 0; i + width <= p.len; i += width) {
		const uint8_t *at = h->raw + p.at + i;
		uint16_t v = width == 1 ? at[0] : load_be16(at);
		if (width == 2 && grease(v))
			continue;
		if (!first)
			put_char(w, '-');
		put_number(w, v);
		first = false;
	}
}

static void put_extensions(struct writer *w, const struct tls_hello *h)
{
	bool first = true;
	struct reader r = reader_in(h, h->ext);
	while (reader_left(&r) != 0 && !r.bad) {
		uint16_t type = read_be16(&r);
		read_bytes(&r, read_be16(&r));
		if (r.bad || grease(type))
			continue;
		if (!first)
			put_char(w, '-');
		put_number(w, type);
		first = false;
	}
}

bool tls_ja3(struct app_ctx *c, struct tls_hello *h)
{
	if (h->ja3 != NULL)
		return true;
	if (h->raw == NULL)
		return false;
	struct writer w = writer_of((char *)c->scratch, APP_SCRATCH);
	put_number(&w, h->version);
	put_char(&w, ',');
	put_list(&w, h, h->ciphers, 2);
	put_char(&w, ',');
	put_extensions(&w, h);
	if (!h->server) {
		put_char(&w, ',');
		put_list(&w, h, h->groups, 2);
		put_char(&w, ',');
		put_list(&w, h, h->formats, 1);
	}
	h->ja3 = slab_alloc(c->slab, w.len + 1);
	if (h->ja3 == NULL)
		return false;
	memcpy(h->ja3, w.buf, w.len);
	h->ja3[w.len] = '\0';
	h->ja3_len = (uint32_t)w.len;
	uint8_t md5[16];
	digest_md5(h->ja3, h->ja3_len, md5);
	digest_hex(md5, 16, h->ja3_hash);
	return true;
}

/* ---- JA4 ------------------------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
	uint16_t x, y;
	memcpy(&x, a, 2);
	memcpy(&y, b, 2);
	return x < y ? -1 : x > y;
}

static void put_hex(struct writer *w, uint16_t v, bool first)
{
	static const char digits[] = "0123456789abcdef";
	if (!first)
		put_char(w, ',');
	for (int i = 12; i >= 0; i -= 4)
		put_char(w, digits[v >> i & 15]);
}

/* First twelve digits of the SHA-256, or zeroes for nothing. */
static void put_short_hash(struct writer *w, const char *text, size_t len)
{
	uint8_t sha[32];
	char hex[13] = "000000000000";
	if (len != 0) {
		digest_sha256(text, len, sha);
		digest_hex(sha, 6, hex);
	}
	write_str(w, hex);
}

static void put_alpn(struct writer *w, const struct tls_hello *h)
{
	struct span s;
	if (tls_alpn(h, 0, &s) != 0 || s.len == 0) {
		write_str(w, "00");
		return;
	}
	static const char digits[] = "0123456789abcdef";
	uint8_t a = s.data[0], b = s.data[s.len - 1];
	bool plain = true;
	for (unsigned i = 0; i < 2; i++) {
		uint8_t c = i == 0 ? a : b;
		plain = plain &&
			((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'));
	}
	put_char(w, plain ? (char)a : digits[a >> 4]);
	put_char(w, plain ? (char)b : digits[b & 15]);
}

static const char *ja4_version(uint16_t v)
{
	switch (v) {
	case 0x0304:
		return "13";
	case 0x0303:
		return "12";
	case 0x0302:
		return "11";
	case 0x0301:
		return "10";
	case 0x0300:
		return "s3";
	case 0x0002:
		return "s2";
	default:
		return "00";
	}
}

#define JA4_VALUES \
	1024u /* ciphers or extensions; more are left out of the hash, not of the count */

struct values {
	uint16_t v[JA4_VALUES];
	uint32_t n, all;
};

static void collect(struct values *l, uint16_t v, bool hashed)
{
	if (grease(v))
		return;
	l->all++;
	if (hashed && l->n < JA4_VALUES)
		l->v[l->n++] = v;
}

static void put_sorted(struct writer *w, struct values *l)
{
	qsort(l->v, l->n, sizeof(l->v[0]), by_value);
	for (uint32_t i = 0; i < l->n; i++)
		put_hex(w, l->v[i], i == 0);
}

void tls_ja4(struct app_ctx *c, struct tls_hello *h)
{
	if (h->ja4[0] != '\0' || h->raw == NULL || h->server)
		return;
	struct values ciphers, exts;
	ciphers.n = ciphers.all = exts.n = exts.all = 0;
	for (uint32_t i = 0; i + 2 <= h->ciphers.len; i += 2)
		collect(&ciphers, load_be16(h->raw + h->ciphers.at + i), true);
	struct reader r = reader_in(h, h->ext);
	while (reader_left(&r) != 0 && !r.bad) {
		uint16_t type = read_be16(&r);
		read_bytes(&r, read_be16(&r));
		if (!r.bad)
			collect(&exts, type, type != EXT_SNI && type != EXT_ALPN);
	}
	struct writer w = writer_of(h->ja4, sizeof(h->ja4));
	write_fmt(&w, "t%s%c%02u%02u", ja4_version(h->real), h->has_sni ? 'd' : 'i',
		  ciphers.all < 99 ? ciphers.all : 99, exts.all < 99 ? exts.all : 99);
	put_alpn(&w, h);
	struct writer text = writer_of((char *)c->scratch, APP_SCRATCH);
	put_sorted(&text, &ciphers);
	put_char(&w, '_');
	put_short_hash(&w, text.buf, text.len);
	text = writer_of((char *)c->scratch, APP_SCRATCH);
	put_sorted(&text, &exts);
	for (uint32_t i = 0; i + 2 <= h->sigalgs.len; i += 2) {
		uint16_t v = load_be16(h->raw + h->sigalgs.at + i);
		if (i == 0)
			put_char(&text, '_');
		put_hex(&text, v, i == 0);
	}
	put_char(&w, '_');
	put_short_hash(&w, text.buf, exts.n != 0 ? text.len : 0);
	h->ja4[w.len] = '\0';
}
