/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 (RFC 8200) and its extension headers. */
#include "dissect/dissect_priv.h"

/* The place in the chain of headers. */
struct chain {
	const uint8_t *b; /* the header in hand */
	uint32_t len;     /* from there to the end of the packet */
	uint8_t nh;       /* what it is */
	uint32_t nh_at;   /* offset from the IPv6 header of the byte that says so */
	unsigned dst_seen;
};

static void chain_step(struct pkt *p, struct chain *c, uint32_t by)
{
	c->nh_at = (uint32_t)(c->b - p->ip);
	c->nh = c->b[0];
	c->b += by;
	c->len -= by;
	p->ip_hlen += by;
}

/* Length of data an option must have; 0: any. */
static uint32_t option_min(uint8_t type)
{
	switch (type) {
	case 0x05: /* router alert */
		return 2;
	case 0xc2: /* jumbo payload */
		return 4;
	case 0xc9: /* home address */
		return 16;
	default:
		return 0;
	}
}

/* The options of a hop-by-hop or destination header, len bytes at o. */
static void options_check(struct pkt *p, const uint8_t *o, uint32_t len, bool hop)
{
	unsigned pads = 0, others = 0;
	for (uint32_t at = 0; at < len;) {
		if (o[at] == 0) {
			pads++;
			at++;
			continue;
		}
		if (at + 1 >= len || at + 2u + o[at + 1] > len) {
			(void)refuse(p, EV_IPV6_EXTHDR_INVALID_OPTLEN);
			break;
		}
		uint32_t data = o[at + 1], min = option_min(o[at]);
		if (data < min) {
			(void)refuse(p, EV_IPV6_EXTHDR_INVALID_OPTLEN);
			break;
		}
		if (o[at] == 1) {
			pads++;
			if (data == 0)
				set_event(p, EV_IPV6_ZERO_LEN_PADN);
		} else {
			others++;
			if (min == 0)
				set_event(p, hop ? EV_IPV6_HOPOPTS_UNKNOWN_OPT
						 : EV_IPV6_DSTOPTS_UNKNOWN_OPT);
		}
		at += 2 + data;
	}
	if (pads > 0 && others == 0)
		set_event(p, hop ? EV_IPV6_HOPOPTS_ONLY_PADDING : EV_IPV6_DSTOPTS_ONLY_PADDING);
}

static bool options_header(struct pkt *p, struct chain *c)
{
	const uint32_t hlen = (c->b[1] + 1u) * 8;
	const bool hop = c->nh == PROTO_HOPOPTS;
	if (hlen > c->len)
		return refuse(p, EV_IPV6_TRUNC_EXTHDR);
	if (hop && (p->exthdrs & EXTHDR_HOP) != 0) {
		set_event(p, EV_IPV6_EXTHDR_DUPL_HH);
	} else if (!hop && c->dst_seen == 2) { /* one before a routing header, one at the end */
		set_event(p, EV_IPV6_EXTHDR_DUPL_DH);
	} else {
		p->exthdrs |= hop ? EXTHDR_HOP : EXTHDR_DST;
		c->dst_seen += !hop;
		options_check(p, c->b + 2, hlen - 2, hop);
	}
	chain_step(p, c, hlen);
	return true;
}

static bool routing_header(struct pkt *p, struct chain *c)
{
	const uint32_t hlen = (c->b[1] + 1u) * 8;
	if (hlen > c->len)
		return refuse(p, EV_IPV6_TRUNC_EXTHDR);
	if (p->exthdrs & EXTHDR_ROUTING)
		set_event(p, EV_IPV6_EXTHDR_DUPL_RH);
	else if (c->b[2] == 0)
		set_event(p, EV_IPV6_RH_TYPE_0);
	p->exthdrs |= EXTHDR_ROUTING;
	chain_step(p, c, hlen);
	return true;
}

static bool auth_header(struct pkt *p, struct chain *c)
{
	if (c->len < 12)
		return refuse(p, EV_IPV6_TRUNC_EXTHDR);
	uint32_t hlen = 12 + (c->b[1] > 0 ? (c->b[1] - 1u) * 4 : 0);
	if (hlen > c->len)
		return refuse(p, EV_IPV6_TRUNC_EXTHDR);
	if (be16(c->b + 2) != 0)
		set_event(p, EV_IPV6_EXTHDR_AH_RES_NOT_NULL);
	if (p->exthdrs & EXTHDR_AUTH)
		set_event(p, EV_IPV6_EXTHDR_DUPL_AH);
	p->exthdrs |= EXTHDR_AUTH;
	chain_step(p, c, hlen);
	return true;
}

/* Mobility, host identity, shim6: skipped. */
static bool other_header(struct pkt *p, struct chain *c)
{
	const uint32_t hlen = (c->b[1] + 1u) * 8;
	if (hlen > c->len)
		return refuse(p, EV_IPV6_TRUNC_EXTHDR);
	if (c->nh == PROTO_MH)
		p->exthdrs |= EXTHDR_MOBILITY;
	chain_step(p, c, hlen);
	return true;
}

/* true: the chain goes on behind it. */
static bool fragment_header(struct walk *w, struct pkt *p, struct chain *c)
{
	if (c->len < 8)
		return refuse(p, EV_IPV6_TRUNC_EXTHDR);
	if (c->b[1] != 0)
		set_event(p, EV_IPV6_FH_NON_ZERO_RESERVED_FIELD);
	if (p->exthdrs & EXTHDR_FRAGMENT) {
		set_event(p, EV_IPV6_EXTHDR_DUPL_FH);
		chain_step(p, c, 8);
		return true;
	}
	uint16_t word = be16(c->b + 2);
	p->exthdrs |= EXTHDR_FRAGMENT;
	p->frag_off = word & 0xfff8;
	p->more_frags = (word & 1) != 0;
	p->frag_id = be32(c->b + 4);
	if (p->frag_off == 0 && !p->more_frags) {
		set_event(p, EV_IPV6_EXTHDR_USELESS_FH);
		chain_step(p, c, 8);
		return true;
	}
	p->fragment = true;
	p->proto = PROTO_FRAGMENT;
	const struct fragment f = {.head = p->ip,
				   .head_len = p->ip_hlen,
				   .nh_at = c->nh_at,
				   .nh = c->b[0],
				   .data = c->b + 8,
				   .len = c->len - 8,
				   .off = p->frag_off,
				   .more = p->more_frags};
	p->ip_hlen += 8;
	if (f.more && f.len % 8 != 0)
		set_event(p, EV_IPV6_FRAG_INVALID_LENGTH); /* RFC 8200 4.5: discarded */
	else
		defrag_step(w, p, &f);
	return false;
}

static void ip6_tunnel(struct walk *w, struct pkt *p, const struct chain *c)
{
	const bool four = c->nh == PROTO_IPIP;
	if (c->len < (four ? IP4_HLEN : IP6_HLEN))
		(void)refuse(p, four ? EV_IPV6_IPV4_IN_IPV6_TOO_SMALL
				     : EV_IPV6_IPV6_IN_IPV6_TOO_SMALL);
	else if (c->b[0] >> 4 != (four ? 4 : 6))
		set_event(p, four ? EV_IPV6_IPV4_IN_IPV6_WRONG_VERSION
				  : EV_IPV6_IPV6_IN_IPV6_WRONG_VERSION);
	else if (four)
		(void)tunnel_inner(w, p, TUNNEL_IPIP, ip4_decode, c->b, c->len);
	else
		(void)tunnel_inner(w, p, TUNNEL_6IN4, ip6_decode, c->b, c->len);
}

static void ip6_last(struct walk *w, struct pkt *p, const struct chain *c)
{
	p->proto = c->nh;
	switch (c->nh) {
	case PROTO_NONE:
		if (c->len > 0)
			set_event(p, EV_IPV6_DATA_AFTER_NONE_HEADER);
		return;
	case PROTO_ICMP:
		set_event(p, EV_IPV6_ICMPV4);
		return;
	case PROTO_IPIP:
	case PROTO_IPV6:
		ip6_tunnel(w, p, c);
		return;
	case PROTO_ESP:
		p->exthdrs |= EXTHDR_ESP;
		break;
	case PROTO_TCP:
	case PROTO_UDP:
	case PROTO_ICMP6:
	case PROTO_SCTP:
	case PROTO_GRE:
		break;
	default:
		set_event(p, EV_IPV6_UNKNOWN_NEXT_HEADER);
	}
	l4_decode(w, p, c->b, c->len);
}

static bool is_extension(uint8_t nh)
{
	return nh == PROTO_HOPOPTS || nh == PROTO_DSTOPTS || nh == PROTO_ROUTING ||
	       nh == PROTO_FRAGMENT || nh == PROTO_AH || nh == PROTO_MH || nh == PROTO_HIP ||
	       nh == PROTO_SHIM6;
}

/* Each header takes 8 bytes at least, so that the loop ends with the packet. */
static void ip6_chain(struct walk *w, struct pkt *p, struct chain *c)
{
	bool ext = false;
	for (;;) {
		p->proto = c->nh;
		if (!is_extension(c->nh) && (!ext || c->nh == PROTO_NONE))
			break;
		if (c->len < 2) { /* also of a transport header, once there was an extension */
			(void)refuse(p, EV_IPV6_TRUNC_EXTHDR);
			return;
		}
		if (!is_extension(c->nh))
			break;
		bool on;
		switch (c->nh) {
		case PROTO_HOPOPTS:
		case PROTO_DSTOPTS:
			on = options_header(p, c);
			break;
		case PROTO_ROUTING:
			on = routing_header(p, c);
			break;
		case PROTO_FRAGMENT:
			on = fragment_header(w, p, c);
			break;
		case PROTO_AH:
			on = auth_header(p, c);
			break;
		default:
			on = other_header(p, c);
		}
		if (!on)
			return;
		ext = true;
	}
	ip6_last(w, p, c);
}

bool ip6_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (!deeper(w, p))
		return false;
	if (len < IP6_HLEN)
		return refuse(p, EV_IPV6_PKT_TOO_SMALL);
	if (b[0] >> 4 != 6)
		return refuse(p, EV_IPV6_WRONG_IP_VERSION);
	uint32_t plen = be16(b + 4);
	if (len < IP6_HLEN + plen)
		return refuse(p, EV_IPV6_TRUNC_PKT);
	p->ip_ver = 6;
	p->ip = b;
	p->ip_hlen = IP6_HLEN;
	p->ip_len = IP6_HLEN + plen;
	memcpy(p->src.b, b + 8, 16);
	memcpy(p->dst.b, b + 24, 16);
	p->src.ver = p->dst.ver = 6;
	p->tos = (uint8_t)(be16(b) >> 4);
	p->ttl = b[7];
	struct chain c = {.b = b + IP6_HLEN, .len = plen, .nh = b[6], .nh_at = 6};
	ip6_chain(w, p, &c);
	return true;
}
