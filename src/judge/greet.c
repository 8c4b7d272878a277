/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a stranger greets: the parts of a first TCP packet that operating systems fill in differently.
 * Read from the frame as it came, before translation and hop limit; what is malformed is a mark of its own.
 */
#include "judge/judge_priv.h"

#include <string.h>

enum { OPT_END, OPT_NOP, OPT_MSS, OPT_WSCALE, OPT_SACK_OK, OPT_SACK, OPT_TS = 8 };
#define IP_RESERVED 0x8000u
#define IP_DF 0x4000u
#define TCP_ECE_CWR 0xc0u
#define TCP_NONCE 0x01u
#define NO_WSCALE 255u
#define WSCALE_MOST 14u

static void greet_ip(const struct way *w, struct event_syn *ret)
{
	const struct layers *l = &w->l;
	const uint8_t *ip = w->f->data + l->l3;
	uint32_t header = l->ip_ver == 4 ? 20 : 40;

	ret->ttl = l->ttl;
	if (l->l4 - l->l3 > header)
		ret->quirks |= SYN_IP_OPTIONS;
	if (l->ip_ver == 4) {
		uint16_t bits = load_be16(ip + 6);

		ret->df = (bits & IP_DF) != 0;
		if ((load_be16(ip + 4) != 0) == (ret->df != 0))
			ret->quirks |= SYN_ID;
		ret->quirks |= (ip[1] & 3u ? SYN_ECN : 0u) | (bits & IP_RESERVED ? SYN_ZERO : 0u);
	} else {
		uint32_t first = load_be32(ip);

		ret->quirks |=
			((first >> 20) & 3u ? SYN_ECN : 0u) | (first & 0xfffffu ? SYN_FLOW : 0u);
	}
}

static void greet_tcp(const struct way *w, struct event_syn *ret)
{
	const struct layers *l = &w->l;
	const uint8_t *tcp = w->f->data + l->l4;
	bool pointer = load_be16(tcp + 18) != 0;

	ret->window = load_be16(tcp + 14);
	ret->quirks |= (tcp[13] & TCP_ECE_CWR || tcp[12] & TCP_NONCE ? SYN_ECN : 0u) |
		       (l->seq == 0 ? SYN_SEQ0 : 0u) | (l->ack != 0 ? SYN_ACK : 0u) |
		       (tcp[13] & TCP_PSH ? SYN_PUSH : 0u) |
		       (l->l3_end > l->payload ? SYN_DATA : 0u);
	if (tcp[13] & TCP_URG)
		ret->quirks |= SYN_URG;
	else if (pointer)
		ret->quirks |= SYN_URGENT;
}

static void put(struct event_syn *s, size_t kind)
{
	if (s->n_options < EVENT_SYN_OPTIONS)
		s->options[s->n_options++] = (uint8_t)kind;
	else
		s->quirks |= SYN_MANY;
}

/* One option behind its two bytes; false: its length is not what it should be. */
static bool greet_option(struct event_syn *ret, uint8_t kind, const uint8_t *p, size_t len)
{
	switch (kind) {
	case OPT_MSS:
		if (len == 2)
			ret->mss = load_be16(p);
		return len == 2;
	case OPT_WSCALE:
		if (len == 1)
			ret->wscale = p[0];
		if (len == 1 && p[0] > WSCALE_MOST)
			ret->quirks |= SYN_WSCALE;
		return len == 1;
	case OPT_SACK_OK:
		return len == 0;
	case OPT_SACK:
		return len >= 8 && len <= 32;
	case OPT_TS:
		if (len != 8)
			return false;
		ret->quirks |=
			(load_be32(p) == 0 ? SYN_TS0 : 0u) | (load_be32(p + 4) != 0 ? SYN_TS2 : 0u);
		return true;
	default:
		return true;
	}
}

static void greet_options(struct reader *r, struct event_syn *ret)
{
	while (reader_left(r) > 0) {
		uint8_t kind = read_u8(r);

		put(ret, kind);
		if (kind == OPT_END)
			break;
		if (kind == OPT_NOP)
			continue;
		size_t len = read_u8(r);
		const uint8_t *p = len >= 2 ? read_bytes(r, len - 2) : NULL;

		if (p == NULL || r->bad || !greet_option(ret, kind, p, len - 2)) {
			ret->quirks |= SYN_BAD;
			return;
		}
	}
	if (ret->n_options == 0 || ret->options[ret->n_options - 1] != OPT_END)
		return;
	put(ret, reader_left(r));
	while (reader_left(r) > 0)
		if (read_u8(r) != 0)
			ret->quirks |= SYN_EOL;
}

void greet_read(const struct way *w, struct event_syn *ret)
{
	const struct layers *l = &w->l;
	const uint32_t options = l->l4 + 20;

	memset(ret, 0, sizeof(*ret));
	ret->wscale = NO_WSCALE;
	if (l->proto != PROTO_TCP || l->l4 == 0 || l->payload < options || l->fragment)
		return;
	greet_ip(w, ret);
	greet_tcp(w, ret);
	struct reader r = reader_of(w->f->data + options, l->payload - options);

	greet_options(&r, ret);
}
