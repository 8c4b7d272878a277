/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 (RFC 791) and its options. */
#include "dissect/dissect_priv.h"

static void ip4_fragment(struct walk *w, struct pkt *p, uint16_t word)
{
	const uint32_t hlen = p->ip_hlen;
	p->fragment = true;
	const struct fragment f = {.head = p->ip,
				   .head_len = hlen,
				   .data = p->ip + hlen,
				   .len = p->ip_len - hlen,
				   .off = (word & 0x1fffu) * 8,
				   .more = p->more_frags};
	defrag_step(w, p, &f);
}

static void ip4_payload(struct walk *w, struct pkt *p)
{
	const uint8_t *b = p->ip + p->ip_hlen;
	uint32_t len = p->ip_len - p->ip_hlen;
	switch (p->proto) {
	case PROTO_IPIP:
		(void)tunnel_inner(w, p, TUNNEL_IPIP, ip4_decode, b, len);
		break;
	case PROTO_IPV6:
		(void)tunnel_inner(w, p, TUNNEL_6IN4, ip6_decode, b, len);
		break;
	case PROTO_ICMP6:
		(void)refuse(p, EV_IPV4_ICMPV6);
		break;
	default:
		l4_decode(w, p, b, len);
	}
}

bool ip4_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (!deeper(w, p))
		return false;
	if (len < IP4_HLEN)
		return refuse(p, EV_IPV4_PKT_TOO_SMALL);
	if (b[0] >> 4 != 4)
		return refuse(p, EV_IPV4_WRONG_IP_VERSION);
	uint32_t hlen = (b[0] & 15u) * 4, total = be16(b + 2);
	if (hlen < IP4_HLEN)
		return refuse(p, EV_IPV4_HLEN_TOO_SMALL);
	if (total < hlen)
		return refuse(p, EV_IPV4_IPLEN_SMALLER_THAN_HLEN);
	if (len < total)
		return refuse(p, EV_IPV4_TRUNC_PKT);
	p->ip_ver = 4;
	p->ip = b;
	p->ip_hlen = hlen;
	p->ip_len = total;
	memcpy(p->src.b, b + 12, 4);
	memcpy(p->dst.b, b + 16, 4);
	p->src.ver = p->dst.ver = 4;
	p->tos = b[1];
	p->ttl = b[8];
	p->proto = b[9];
	p->ip_id_lo = be16(b + 4);
	p->frag_id = p->ip_id_lo;
	uint16_t word = be16(b + 6);
	p->dont_frag = (word & 0x4000) != 0;
	p->more_frags = (word & 0x2000) != 0;
	p->frag_off = (uint16_t)((word & 0x1fffu) * 8);
	if (hlen > IP4_HLEN)
		ip4_options(p, b + IP4_HLEN, hlen - IP4_HLEN);
	if (w->d->conf.checksums)
		p->bad_ip_csum = sum_of(b, hlen, 0) != 0xffff;
	if ((word & 0x3fff) != 0)
		ip4_fragment(w, p, word);
	else
		ip4_payload(w, p);
	return true;
}

/* ---- options ------------------------------------------------------------------------------------ */

/* Record route and the source routes: a pointer that steps through addresses, from 4. */
static bool route_fits(struct pkt *p, const uint8_t *o, uint32_t len)
{
	if (len < 3)
		return refuse(p, EV_IPV4_OPT_INVALID_LEN);
	if (o[2] < 4 || o[2] % 4 != 0 || o[2] > len + 1)
		return refuse(p, EV_IPV4_OPT_MALFORMED);
	return true;
}

static bool stamp_fits(struct pkt *p, const uint8_t *o, uint32_t len)
{
	if (len < 5)
		return refuse(p, EV_IPV4_OPT_INVALID_LEN);
	uint32_t record = (o[3] & 15) == 0 ? 4 : 8; /* with or without addresses */
	if (o[2] < 5 || (o[2] - 5u) % record != 0 || o[2] > len + 1)
		return refuse(p, EV_IPV4_OPT_MALFORMED);
	return true;
}

/* Commercial security: a domain, then tags that fill the rest. */
static bool cipso_fits(struct pkt *p, const uint8_t *o, uint32_t len)
{
	if (len < 10)
		return refuse(p, EV_IPV4_OPT_INVALID_LEN);
	if (be32(o + 2) == 0)
		return refuse(p, EV_IPV4_OPT_MALFORMED);
	for (uint32_t at = 6; at < len;) {
		if (len - at < 2 || o[at + 1] < 4 || o[at + 1] > len - at)
			return refuse(p, EV_IPV4_OPT_MALFORMED);
		uint8_t tag = o[at];
		if (tag != 1 && tag != 2 && tag != 5 && tag != 6 && tag != 7)
			return refuse(p, EV_IPV4_OPT_MALFORMED);
		at += o[at + 1];
	}
	return true;
}

static bool exact_fits(struct pkt *p, bool fits)
{
	return fits || refuse(p, EV_IPV4_OPT_INVALID_LEN);
}

/* Which option is it, and is it sound? 0: none we know. */
static uint32_t option_bit(uint8_t type)
{
	switch (type) {
	case 0x07:
		return IPOPT_RR;
	case 0x44:
		return IPOPT_TS;
	case 0x82:
		return IPOPT_SEC;
	case 0x85:
		return IPOPT_ESEC;
	case 0x83:
		return IPOPT_LSRR;
	case 0x89:
		return IPOPT_SSRR;
	case 0x88:
		return IPOPT_SATID;
	case 0x86:
		return IPOPT_CIPSO;
	case 0x94:
		return IPOPT_RTRALT;
	default:
		return 0;
	}
}

static bool option_fits(struct pkt *p, uint32_t bit, const uint8_t *o, uint32_t len)
{
	switch (bit) {
	case IPOPT_RR:
	case IPOPT_LSRR:
	case IPOPT_SSRR:
		return route_fits(p, o, len);
	case IPOPT_TS:
		return stamp_fits(p, o, len);
	case IPOPT_CIPSO:
		return cipso_fits(p, o, len);
	case IPOPT_SEC:
		return exact_fits(p, len == 11);
	case IPOPT_ESEC:
		return exact_fits(p, len >= 3);
	default: /* stream identifier, router alert */
		return exact_fits(p, len == 4);
	}
}

/* One option of more than a byte; its length, or 0 to stop. */
static uint32_t ip4_option(struct pkt *p, const uint8_t *o, uint32_t left, bool *quick_start)
{
	if (left < 2) {
		set_event(p, EV_IPV4_OPT_EOL_REQUIRED);
		return 0;
	}
	uint32_t len = o[1], bit = option_bit(o[0]);
	if (len < 2 || len > left) {
		(void)refuse(p, EV_IPV4_OPT_INVALID_LEN);
		return 0;
	}
	if (o[0] == 0x19) { /* quick-start: rules have no name for it, but it has a form */
		if (*quick_start)
			set_event(p, EV_IPV4_OPT_DUPLICATE);
		else if (!exact_fits(p, len == 8))
			return 0;
		*quick_start = true;
		return len;
	}
	if (bit == 0) {
		set_event(p, EV_IPV4_OPT_INVALID);
		return len;
	}
	if (p->ip_opts & bit) {
		set_event(p, EV_IPV4_OPT_DUPLICATE);
		return len;
	}
	if (!option_fits(p, bit, o, len))
		return 0;
	p->ip_opts |= bit;
	return len;
}

void ip4_options(struct pkt *p, const uint8_t *b, uint32_t len)
{
	bool quick_start = false;
	p->ip_opts |= IPOPT_ANY;
	if (len % 8 != 0)
		set_event(p, EV_IPV4_OPT_PAD_REQUIRED);
	while (len > 0) {
		uint32_t step = 1;
		if (b[0] == 0) {
			p->ip_opts |= IPOPT_EOL;
			return;
		}
		if (b[0] == 1)
			p->ip_opts |= IPOPT_NOP;
		else
			step = ip4_option(p, b, len, &quick_start);
		if (step == 0)
			return;
		b += step;
		len -= step;
	}
}
