/* SPDX-License-Identifier: BSD-2-Clause */
/* As much of X.509 (RFC 5280) as rules and events ask for: a bounded walk over DER, no memory taken. */
#include "proto/tls/tls.h"

#include <string.h>

enum tag {
	TAG_INTEGER = 0x02,
	TAG_OCTETS = 0x04,
	TAG_OID = 0x06,
	TAG_UTCTIME = 0x17,
	TAG_TIME = 0x18,
	TAG_SEQUENCE = 0x30,
	TAG_SET = 0x31,
	TAG_VERSION = 0xa0,
	TAG_EXTENSIONS = 0xa3,
	ALT_MAIL = 0x81,
	ALT_DNS = 0x82,
	ALT_URI = 0x86,
	ALT_ADDRESS = 0x87
};

#define ALT_MOST 256u /* names looked at: each is found by walking the list */

struct tlv {
	uint8_t tag;
	struct span body;
};

/* The next element of in; in moves behind it. False: none, or broken. */
static bool next(struct span *in, struct tlv *ret)
{
	if (in->len < 2)
		return false;
	const uint8_t *d = in->data;
	uint32_t head = 2, len = d[1];
	if ((d[0] & 0x1f) == 0x1f)
		return false; /* tags of several bytes are not used here */
	if (len >= 0x80) {
		uint32_t n = len & 0x7f;
		if (n == 0 || n > 4 || in->len < 2 + n)
			return false;
		len = 0;
		for (uint32_t i = 0; i < n; i++)
			len = len << 8 | d[2 + i];
		head += n;
	}
	if (len > in->len - head)
		return false;
	*ret = (struct tlv){d[0], {d + head, len}};
	in->data += head + len;
	in->len -= head + len;
	return true;
}

static bool next_is(struct span *in, uint8_t tag, struct span *ret)
{
	struct tlv t;
	if (!next(in, &t) || t.tag != tag)
		return false;
	*ret = t.body;
	return true;
}

static int64_t days(int64_t y, unsigned m, unsigned d)
{
	static const uint16_t before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
	int64_t p = y - 1;
	return y * 365 + p / 4 - p / 100 + p / 400 + before[m - 1] + (leap && m > 2) + d - 719528;
}

static bool digits(const uint8_t *d, unsigned n, unsigned *ret)
{
	*ret = 0;
	for (unsigned i = 0; i < n; i++) {
		if (d[i] < '0' || d[i] > '9')
			return false;
		*ret = *ret * 10 + (d[i] - '0');
	}
	return true;
}

static bool time_of(const struct tlv *t, int64_t *ret)
{
	const uint8_t *d = t->body.data;
	unsigned n = t->tag == TAG_TIME ? 4 : 2, f[6];
	if ((t->tag != TAG_UTCTIME && t->tag != TAG_TIME) || t->body.len < n + 8)
		return false;
	if (!digits(d, n, &f[0]))
		return false;
	d += n;
	for (unsigned i = 1; i < 5; i++)
		if (!digits(d + (size_t)2 * (i - 1), 2, &f[i]))
			return false;
	if (t->body.len < n + 10 || !digits(d + 8, 2, &f[5]))
		f[5] = 0;
	if (n == 2)
		f[0] += f[0] < 50 ? 2000 : 1900;
	if (f[1] < 1 || f[1] > 12 || f[2] < 1 || f[2] > 31 || f[3] > 24 || f[4] > 59 || f[5] > 60 ||
	    f[0] < 1)
		return false;
	*ret = days(f[0], f[1], f[2]) * 86400 + f[3] * 3600 + f[4] * 60 + f[5];
	return true;
}

/* Among the extensions, the alternative names (2.5.29.17). */
static bool find_san(struct span exts, struct span *ret)
{
	struct span list, e, oid, body;
	if (!next_is(&exts, TAG_SEQUENCE, &list))
		return false;
	while (list.len != 0) {
		struct tlv t;
		if (!next_is(&list, TAG_SEQUENCE, &e) || !next_is(&e, TAG_OID, &oid) ||
		    !next(&e, &t))
			return false;
		if (t.tag == 0x01 && !next(&e, &t))
			return false;
		if (t.tag == TAG_OCTETS && oid.len == 3 &&
		    memcmp(oid.data, "\x55\x1d\x11", 3) == 0 &&
		    next_is(&t.body, TAG_SEQUENCE, &body))
			*ret = body;
	}
	return true;
}

static int validity(struct span v, struct x509 *ret)
{
	struct tlv t;
	if (!next(&v, &t) || !time_of(&t, &ret->not_before))
		return TLS_CERT_DATE;
	if (!next(&v, &t) || !time_of(&t, &ret->not_after))
		return TLS_CERT_DATE;
	return -1;
}

int x509_parse(const uint8_t *der, uint32_t len, struct x509 *ret)
{
	struct span in = {der, len}, cert, tbs, part;
	struct tlv t;
	memset(ret, 0, sizeof(*ret));
	if (!next_is(&in, TAG_SEQUENCE, &cert) || !next_is(&cert, TAG_SEQUENCE, &tbs))
		return TLS_CERT_DER;
	if (!next(&tbs, &t))
		return TLS_CERT_DER;
	if (t.tag == TAG_VERSION && (t.body.len != 3 || t.body.data[2] > 2))
		return TLS_CERT_VERSION;
	if (t.tag == TAG_VERSION && !next(&tbs, &t))
		return TLS_CERT_SERIAL;
	if (t.tag != TAG_INTEGER || t.body.len == 0)
		return TLS_CERT_SERIAL;
	ret->serial = t.body;
	if (!next_is(&tbs, TAG_SEQUENCE, &part))
		return TLS_CERT_ALGORITHM;
	if (!next_is(&tbs, TAG_SEQUENCE, &ret->issuer))
		return TLS_CERT_ISSUER;
	if (!next_is(&tbs, TAG_SEQUENCE, &part))
		return TLS_CERT_VALIDITY;
	int bad = validity(part, ret);
	if (bad >= 0)
		return bad;
	if (!next_is(&tbs, TAG_SEQUENCE, &ret->subject))
		return TLS_CERT_SUBJECT;
	if (!next_is(&tbs, TAG_SEQUENCE, &part))
		return TLS_CERT_DER;
	while (tbs.len != 0) {
		if (!next(&tbs, &t))
			return TLS_CERT_EXTENSIONS;
		if (t.tag == TAG_EXTENSIONS && !find_san(t.body, &ret->san))
			return TLS_CERT_EXTENSIONS;
	}
	return -1;
}

/* ---- names ------------------------------------------------------------------------------------------------ */

static void put_oid(struct span oid, struct writer *w)
{
	static const struct {
		const char *der;
		uint8_t len;
		const char *text;
	} known[] = {{"\x55\x04\x03", 3, "CN"},
		     {"\x55\x04\x04", 3, "SN"},
		     {"\x55\x04\x05", 3, "serialNumber"},
		     {"\x55\x04\x06", 3, "C"},
		     {"\x55\x04\x07", 3, "L"},
		     {"\x55\x04\x08", 3, "ST"},
		     {"\x55\x04\x09", 3, "street"},
		     {"\x55\x04\x0a", 3, "O"},
		     {"\x55\x04\x0b", 3, "OU"},
		     {"\x55\x04\x0c", 3, "title"},
		     {"\x55\x04\x0d", 3, "description"},
		     {"\x55\x04\x0f", 3, "businessCategory"},
		     {"\x55\x04\x11", 3, "postalCode"},
		     {"\x55\x04\x29", 3, "name"},
		     {"\x55\x04\x2a", 3, "GN"},
		     {"\x55\x04\x2b", 3, "initials"},
		     {"\x55\x04\x2e", 3, "dnQualifier"},
		     {"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", 9, "emailAddress"},
		     {"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", 10, "DC"},
		     {"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", 10, "UID"},
		     {"\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x01", 11, "jurisdictionL"},
		     {"\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x02", 11, "jurisdictionST"},
		     {"\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x03", 11, "jurisdictionC"}};
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (known[i].len == oid.len && memcmp(known[i].der, oid.data, oid.len) == 0) {
			write_str(w, known[i].text);
			return;
		}
	}
	uint64_t v = 0;
	for (uint32_t i = 0; i < oid.len && i < 32; i++) {
		if (i == 0) {
			write_fmt(w, "%u.%u", oid.data[0] / 40u < 2 ? oid.data[0] / 40u : 2u,
				  oid.data[0] < 80 ? oid.data[0] % 40u : oid.data[0] - 80u);
			continue;
		}
		v = v << 7 | (oid.data[i] & 0x7f);
		if ((oid.data[i] & 0x80) != 0)
			continue;
		write_fmt(w, ".%llu", (unsigned long long)v);
		v = 0;
	}
}

static void put_bytes(struct span s, struct writer *w)
{
	size_t room = w->size - 1 - w->len, n = s.len < room ? s.len : room;
	if (n != 0)
		memcpy(w->buf + w->len, s.data, n);
	w->len += n;
	w->buf[w->len] = '\0';
	w->full = w->full || n < s.len;
}

/* Text of UTF-16 and Latin-1 kinds as it is meant. */
static void put_value(const struct tlv *v, struct writer *w)
{
	if (v->tag != 0x1e) { /* BMPString */
		put_bytes(v->body, w);
		return;
	}
	for (uint32_t i = 0; i + 2 <= v->body.len; i += 2) {
		uint16_t c = load_be16(v->body.data + i);
		uint8_t out[3] = {(uint8_t)c};
		uint32_t n = 1;
		if (c >= 0x800) {
			out[0] = (uint8_t)(0xe0 | c >> 12);
			out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
			out[2] = (uint8_t)(0x80 | (c & 0x3f));
			n = 3;
		} else if (c >= 0x80) {
			out[0] = (uint8_t)(0xc0 | c >> 6);
			out[1] = (uint8_t)(0x80 | (c & 0x3f));
			n = 2;
		}
		put_bytes((struct span){out, n}, w);
	}
}

void x509_name(struct span name, struct writer *w)
{
	struct span rdn, pair, oid;
	struct tlv value;
	while (next_is(&name, TAG_SET, &rdn)) {
		const char *between = w->len != 0 ? ", " : "";
		while (next_is(&rdn, TAG_SEQUENCE, &pair)) {
			if (!next_is(&pair, TAG_OID, &oid) || !next(&pair, &value))
				return;
			write_str(w, between);
			put_oid(oid, w);
			write_str(w, "=");
			put_value(&value, w);
			between = " + ";
		}
	}
}

int x509_alt(struct span san, uint32_t index, struct span *ret)
{
	struct tlv t;
	while (index < ALT_MOST && next(&san, &t)) {
		if (t.tag != ALT_DNS && t.tag != ALT_MAIL && t.tag != ALT_URI &&
		    t.tag != ALT_ADDRESS)
			continue;
		if (index-- == 0) {
			*ret = t.body;
			return 0;
		}
	}
	return 1;
}

void x509_time(int64_t s, char ret[24])
{
	int64_t d = s / 86400, rest = s % 86400;
	if (rest < 0) {
		rest += 86400;
		d--;
	}
	int64_t y = 1970 + d / 366; /* not above the year; at most some more steps */
	y = y < 1 ? 1 : y;
	if (d < 0)
		y = 1970 + d / 365 - 1 < 1 ? 1 : 1970 + d / 365 - 1;
	while (days(y + 1, 1, 1) <= d)
		y++;
	unsigned m = 1;
	while (m < 12 && days(y, m + 1, 1) <= d)
		m++;
	struct writer w = writer_of(ret, 24);
	write_fmt(&w, "%04d-%02u-%02dT%02d:%02d:%02d", (int)y, m, (int)(d - days(y, m, 1) + 1),
		  (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
}
