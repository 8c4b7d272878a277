/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DNS on the wire (RFC 1035): one question is read, an answer is written. Answers that are made up
 * are the same for the same name and day by day, and lie in the documentation's networks.
 */
#include "sink/sink_priv.h"

#include <stdio.h>
#include <string.h>

#define HEADER 12u
#define QR 0x8000u
#define RD 0x0100u
#define RA 0x0080u
#define OPCODE 0x7800u
#define CLASS_IN 1
#define TYPE_OPT 41
#define TTL 300u
#define LONGEST_LABEL 63u

static const struct {
	uint16_t type;
	const char *name;
} types[] = {
	{1, "A"},       {2, "NS"},    {5, "CNAME"},  {6, "SOA"},    {10, "NULL"},  {12, "PTR"},
	{15, "MX"},     {16, "TXT"},  {28, "AAAA"},  {33, "SRV"},   {35, "NAPTR"}, {43, "DS"},
	{48, "DNSKEY"}, {64, "SVCB"}, {65, "HTTPS"}, {252, "AXFR"}, {255, "ANY"},
};

const char *dns_type_text(uint16_t type, char buf[DNS_TYPE])
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].type == type)
			return types[i].name;
	snprintf(buf, DNS_TYPE, "TYPE%u", type);
	return buf;
}

/* ---- reading ------------------------------------------------------------------------------------- */

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* In a question there is nothing yet that a name could point back to: plain labels only. */
static int read_name(struct reader *r, struct dns_query *q)
{
	struct writer w = writer_of(q->text, sizeof(q->text));
	for (;;) {
		uint8_t n = read_u8(r);
		const uint8_t *label = n <= LONGEST_LABEL ? read_bytes(r, n) : NULL;
		if (label == NULL || r->bad || q->name_len + 1 + n > DNS_NAME)
			return -1;
		q->name[q->name_len++] = n;
		if (n == 0)
			break;
		memcpy(q->name + q->name_len, label, n);
		q->name_len += n;
		if (w.len > 0)
			write_str(&w, ".");
		for (uint8_t i = 0; i < n; i++) {
			uint8_t c = lower(label[i]);
			write_escaped(&w, &c, 1);
		}
	}
	if (w.len == 0)
		write_str(&w, ".");
	return 0;
}

/* An OPT record behind the question, if that is all there is. */
static void read_edns(struct reader *r, struct dns_query *q)
{
	uint8_t root = read_u8(r);
	uint16_t type = read_be16(r), size = read_be16(r);
	if (!r->bad && root == 0 && type == TYPE_OPT)
		q->udp_size = size < 512 ? 512 : size;
}

int dns_read(const uint8_t *data, size_t len, struct dns_query *ret)
{
	struct reader r = reader_of(data, len);
	memset(ret, 0, sizeof(*ret));
	ret->id = read_be16(&r);
	ret->flags = read_be16(&r);
	uint16_t questions = read_be16(&r), answers = read_be16(&r), authority = read_be16(&r);
	uint16_t additional = read_be16(&r);
	if (r.bad || (ret->flags & QR) != 0)
		return -1;
	if ((ret->flags & OPCODE) != 0)
		return 4;
	if (questions != 1 || read_name(&r, ret) != 0) {
		ret->name_len = 0;
		return 1;
	}
	ret->type = read_be16(&r);
	ret->class = read_be16(&r);
	if (r.bad) {
		ret->name_len = 0;
		return 1;
	}
	if (answers == 0 && authority == 0 && additional > 0)
		read_edns(&r, ret);
	return 0;
}

/* ---- writing: out always has room for 512 bytes ---------------------------------------------------- */

static size_t put_question(const struct dns_query *q, uint8_t *out)
{
	if (q->name_len == 0)
		return 0;
	memcpy(out, q->name, q->name_len);
	store_be16(out + q->name_len, q->type);
	store_be16(out + q->name_len + 2, q->class);
	return q->name_len + 4;
}

static size_t put_opt(const struct dns_query *q, uint8_t *out)
{
	static const uint8_t opt[11] = {0, 0, TYPE_OPT, SINK_ANSWER >> 8, SINK_ANSWER & 0xff};
	if (q->udp_size == 0)
		return 0;
	memcpy(out, opt, sizeof(opt));
	return sizeof(opt);
}

static void put_header(const struct dns_query *q, uint8_t *out, uint16_t flags, uint16_t answers)
{
	store_be16(out, q->id);
	store_be16(out + 2, flags);
	store_be16(out + 4, q->name_len > 0);
	store_be16(out + 6, answers);
	store_be16(out + 8, 0);
	store_be16(out + 10, q->udp_size > 0);
}

size_t dns_empty(const struct dns_query *q, unsigned rcode, uint8_t *out)
{
	put_header(q, out, (uint16_t)(QR | RA | (q->flags & (RD | OPCODE)) | rcode), 0);
	size_t at = HEADER + put_question(q, out + HEADER);
	return at + put_opt(q, out + at);
}

size_t dns_ask(const struct dns_query *q, uint16_t id, uint8_t *out)
{
	put_header(q, out, RD, 0);
	store_be16(out, id);
	size_t at = HEADER + put_question(q, out + HEADER);
	return at + put_opt(q, out + at);
}

bool dns_answers(const uint8_t *data, size_t len, const struct dns_query *q, uint16_t id)
{
	uint8_t question[DNS_NAME + 4];
	size_t n = put_question(q, question);
	return len >= HEADER + n && load_be16(data) == id && (load_be16(data + 2) & QR) != 0 &&
	       load_be16(data + 4) == 1 && memcmp(data + HEADER, question, n) == 0;
}

/* ---- made up ------------------------------------------------------------------------------------------ */

/* A record for the question's own name; returns where its data go. */
static uint8_t *put_record(uint8_t *at, uint16_t type, uint16_t len)
{
	store_be16(at, 0xc000 | HEADER);
	store_be16(at + 2, type);
	store_be16(at + 4, CLASS_IN);
	store_be32(at + 6, TTL);
	store_be16(at + 10, len);
	return at + 12;
}

static uint64_t hash_name(const uint64_t seed[2], const struct dns_query *q)
{
	uint8_t name[DNS_NAME];
	for (uint32_t i = 0; i < q->name_len; i++)
		name[i] = lower(q->name[i]);
	return hash_keyed(seed, name, q->name_len);
}

static size_t made_a(uint64_t h, uint8_t *at, struct writer *said)
{
	char text[ADDR_TEXT];
	uint8_t *a = put_record(at, 1, 4);
	memcpy(a, (h & 1) != 0 ? "\xc0\x00\x02" : "\xc6\x33\x64", 3);
	a[3] = (uint8_t)(1 + (h >> 8) % 254);
	struct addr addr = addr_from_v4(a);
	write_str(said, addr_text(&addr, text));
	return 16;
}

static size_t made_aaaa(uint64_t h, uint8_t *at, struct writer *said)
{
	char text[ADDR_TEXT];
	uint8_t *a = put_record(at, 28, 16);
	memcpy(a, "\x20\x01\x0d\xb8\x00\x00\x00\x00", 8);
	store_be32(a + 8, (uint32_t)(h >> 32));
	store_be32(a + 12, (uint32_t)h | 1);
	struct addr addr = addr_from_v6(a);
	write_str(said, addr_text(&addr, text));
	return 28;
}

static size_t made_mx(uint8_t *at, struct writer *said)
{
	uint8_t *a = put_record(at, 15, 9);
	store_be16(a, 10);
	memcpy(a + 2, "\x04mail", 5);
	store_be16(a + 7, 0xc000 | HEADER);
	write_str(said, "mail of the same name");
	return 21;
}

static size_t made_ptr(uint64_t h, uint8_t *at, struct writer *said)
{
	static const char tail[] = "\x07"
				   "example\x03"
				   "net"; /* with the root's zero */
	char host[16];
	int n = snprintf(host, sizeof(host), "host-%06x", (unsigned)(h & 0xffffff));
	uint16_t len = (uint16_t)(1 + n + (int)sizeof(tail));
	uint8_t *a = put_record(at, 12, len);
	a[0] = (uint8_t)n;
	memcpy(a + 1, host, (size_t)n);
	memcpy(a + 1 + n, tail, sizeof(tail));
	write_fmt(said, "%s.example.net", host);
	return 12u + len;
}

size_t dns_made(const uint64_t seed[2], const struct dns_query *q, uint8_t *out,
		struct writer *said)
{
	uint64_t h = hash_name(seed, q);
	uint16_t n = 0;
	if (q->class != CLASS_IN) { /* CH: version.bind and the like */
		write_str(said, "refused");
		return dns_empty(q, 5, out);
	}
	size_t at = HEADER + put_question(q, out + HEADER), before = at;
	if (q->type == 1 || q->type == 255)
		at += made_a(h, out + at, said), n++;
	if (q->type == 255)
		write_str(said, ", ");
	if (q->type == 28 || q->type == 255)
		at += made_aaaa(h, out + at, said), n++;
	if (q->type == 15)
		at += made_mx(out + at, said), n++;
	if (q->type == 12)
		at += made_ptr(h, out + at, said), n++;
	if (at == before)
		write_str(said, "nothing");
	put_header(q, out, (uint16_t)(QR | RA | (q->flags & RD)), n);
	return at + put_opt(q, out + at);
}
