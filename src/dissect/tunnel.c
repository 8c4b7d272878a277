/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets inside packets: GRE and ERSPAN over IP; VXLAN, GENEVE and Teredo over UDP. */
#include "dissect/dissect_priv.h"

#define GRE_CSUM 0x8000u
#define GRE_ROUTE 0x4000u
#define GRE_KEY 0x2000u
#define GRE_SEQ 0x1000u
#define GRE_SSR 0x0800u
#define GRE_RECUR 0x0700u
#define GRE_FLAGS0 0x00f8u
#define GRE_ACK 0x0080u
#define GRE_FLAGS1 0x0078u

bool tunnel_inner(struct walk *w, struct pkt *p, enum dissect_tunnel kind, decode_fn *decode,
		  const uint8_t *b, uint32_t len)
{
	const uint32_t layers = w->layers, index = w->n;
	struct pkt *q = NULL;
	if (p->depth < DISSECT_DEPTH && layers < LAYERS_MAX)
		q = pkt_begin(w, p);
	if (q == NULL) {
		set_event(p, EV_TOO_MANY_LAYERS);
		p->unread = true;
		return false;
	}
	q->depth++;
	q->tunnel = (uint8_t)kind;
	w->layers++;
	bool ok = decode(w, q, b, len);
	w->layers = layers;
	if (kind == TUNNEL_TEREDO && q->invalid) {
		w->n = index; /* a guess that was wrong */
		return false;
	}
	if (!ok) { /* no packet of its own, but what is odd about it must not be lost */
		for (unsigned i = 0; i < DISSECT_EVENT_WORDS; i++)
			p->events[i] |= q->events[i];
		p->unread |= q->unread;
		w->n = index;
	}
	return ok;
}

/* ---- GRE (RFC 1701, 2784, 2890; version 1: RFC 2637) ----------------------------------------------- */

static bool erspan_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < 8)
		return refuse(p, EV_ERSPAN_HEADER_TOO_SMALL);
	uint16_t word = be16(b);
	if (word >> 12 != 1) /* type II */
		return refuse(p, EV_ERSPAN_UNSUPPORTED_VERSION);
	if ((word & 0x0fff) != 0) {
		if (p->n_vlan == DISSECT_VLANS)
			return refuse(p, EV_ERSPAN_TOO_MANY_VLAN_LAYERS);
		p->vlan[p->n_vlan++] = word & 0x0fff;
	}
	return link_ethernet(w, p, b + 8, len - 8);
}

static void gre_payload(struct walk *w, struct pkt *p, uint16_t type, bool sequenced)
{
	const uint8_t *b = p->payload;
	uint32_t len = p->payload_len;
	decode_fn *decode;
	switch (type) {
	case TYPE_IPV4:
		decode = ip4_decode;
		break;
	case TYPE_IPV6:
		decode = ip6_decode;
		break;
	case TYPE_PPP:
		decode = ppp_decode;
		break;
	case TYPE_VLAN:
		decode = link_vlan;
		break;
	case TYPE_TEB:
		decode = link_ethernet;
		break;
	case TYPE_ARP:
		decode = arp_decode;
		break;
	case TYPE_ERSPAN: /* type I has no header, and is known by the missing number */
		decode = sequenced ? erspan_decode : link_ethernet;
		break;
	default:
		return;
	}
	if (len == 0) /* a mere acknowledgement */
		return;
	p->payload = NULL; /* is looked at inside */
	p->payload_len = 0;
	(void)tunnel_inner(w, p, type == TYPE_ERSPAN ? TUNNEL_ERSPAN : TUNNEL_GRE, decode, b, len);
}

/* The source routes behind a version 0 header; false: they don't fit. */
static bool gre_routes(const uint8_t *b, uint32_t len, uint32_t *hlen)
{
	for (;;) {
		if (len - *hlen < 4)
			return false;
		uint32_t sre = b[*hlen + 3];
		bool last = be16(b + *hlen) == 0 && sre == 0;
		if (4 + sre > len - *hlen)
			return false;
		*hlen += 4 + sre;
		if (last)
			return true;
	}
}

static bool gre_version0(struct pkt *p, const uint8_t *b, uint32_t len, uint32_t *hlen)
{
	uint16_t word = be16(b);
	if (word & GRE_RECUR)
		return refuse(p, EV_GRE_VERSION0_RECUR);
	if (word & GRE_FLAGS0)
		return refuse(p, EV_GRE_VERSION0_FLAGS);
	if (word & (GRE_CSUM | GRE_ROUTE))
		*hlen += 4;
	if (word & GRE_KEY)
		*hlen += 4;
	if (word & GRE_SEQ)
		*hlen += 4;
	if (*hlen > len)
		return refuse(p, EV_GRE_VERSION0_HDR_TOO_BIG);
	if ((word & GRE_ROUTE) != 0 && !gre_routes(b, len, hlen))
		return refuse(p, EV_GRE_VERSION0_MALFORMED_SRE_HDR);
	return true;
}

static bool gre_version1(struct pkt *p, const uint8_t *b, uint32_t len, uint32_t *hlen)
{
	uint16_t word = be16(b);
	if (word & GRE_CSUM)
		return refuse(p, EV_GRE_VERSION1_CHKSUM);
	if (word & GRE_ROUTE)
		return refuse(p, EV_GRE_VERSION1_ROUTE);
	if (word & GRE_SSR)
		return refuse(p, EV_GRE_VERSION1_SSR);
	if (word & GRE_RECUR)
		return refuse(p, EV_GRE_VERSION1_RECUR);
	if (word & GRE_FLAGS1)
		return refuse(p, EV_GRE_VERSION1_FLAGS);
	if (be16(b + 2) != TYPE_PPP)
		return refuse(p, EV_GRE_VERSION1_WRONG_PROTOCOL);
	if ((word & GRE_KEY) == 0)
		return refuse(p, EV_GRE_VERSION1_NO_KEY);
	*hlen += 4;
	if (word & GRE_SEQ)
		*hlen += 4;
	if (word & GRE_ACK)
		*hlen += 4;
	return *hlen <= len || refuse(p, EV_GRE_VERSION1_HDR_TOO_BIG);
}

void gre_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < 4) {
		(void)refuse(p, EV_GRE_PKT_TOO_SMALL);
		return;
	}
	uint32_t hlen = 4;
	bool ok;
	switch (b[1] & 7) {
	case 0:
		ok = gre_version0(p, b, len, &hlen);
		break;
	case 1:
		ok = gre_version1(p, b, len, &hlen);
		break;
	default:
		ok = refuse(p, EV_GRE_WRONG_VERSION);
	}
	if (!ok)
		return;
	p->l4 = b;
	p->l4_hlen = hlen;
	p->l4_len = len;
	p->payload = b + hlen;
	p->payload_len = len - hlen;
	gre_payload(w, p, be16(b + 2), (b[0] & (GRE_SEQ >> 8)) != 0);
}

/* ---- over UDP ----------------------------------------------------------------------------------- */

/* RFC 7348. A header that is not exactly one means that the port is used for something else. */
static void vxlan_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < 8 + ETH_HLEN || (b[0] & 0x08) == 0 || b[7] != 0)
		return;
	switch (be16(b + 8 + 12)) {
	case TYPE_IPV4:
	case TYPE_IPV6:
	case TYPE_ARP:
	case TYPE_VLAN:
	case 0x88a8:
	case 0x9100:
	case 0x8847:
	case 0x8848:
	case 0x8863:
	case 0x8864:
		(void)tunnel_inner(w, p, TUNNEL_VXLAN, link_ethernet, b + 8, len - 8);
		break;
	default:
		set_event(p, EV_VXLAN_UNKNOWN_PAYLOAD_TYPE);
	}
}

/* RFC 8926. */
static void geneve_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < 8 || b[0] >> 6 != 0 || (b[1] & 0x3f) != 0 || b[7] != 0)
		return;
	uint32_t hlen = 8 + (b[0] & 0x3fu) * 4;
	decode_fn *decode;
	if (hlen > len)
		return;
	switch (be16(b + 2)) {
	case TYPE_TEB:
		decode = link_ethernet;
		break;
	case TYPE_IPV4:
		decode = ip4_decode;
		break;
	case TYPE_IPV6:
		decode = ip6_decode;
		break;
	case TYPE_ARP:
		decode = arp_decode;
		break;
	case TYPE_VLAN:
		decode = link_vlan;
		break;
	default:
		set_event(p, EV_GENEVE_UNKNOWN_PAYLOAD_TYPE);
		return;
	}
	(void)tunnel_inner(w, p, TUNNEL_GENEVE, decode, b + hlen, len - hlen);
}

/* RFC 4380 5.1.1: perhaps an origin indication, then an IPv6 packet that fills the datagram to the
 * byte. Authentication marks the talk of a client with its server, before there is a tunnel. */
static void teredo_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (b[0] == 0) {
		if (b[1] != 0)
			return;
		b += 8;
		len -= 8;
	}
	if (len < IP6_HLEN || b[0] >> 4 != 6 || IP6_HLEN + be16(b + 4) != len)
		return;
	switch (b[6]) {
	case PROTO_TCP:
	case PROTO_UDP:
	case PROTO_ICMP6:
	case PROTO_NONE: /* bubbles */
	case PROTO_HOPOPTS:
	case PROTO_DSTOPTS:
	case PROTO_ROUTING:
	case PROTO_FRAGMENT:
	case PROTO_AH:
	case PROTO_ESP:
	case PROTO_SCTP:
	case PROTO_IPIP:
	case PROTO_IPV6:
	case PROTO_GRE:
		(void)tunnel_inner(w, p, TUNNEL_TEREDO, ip6_decode, b, len);
		break;
	default:
		break;
	}
}

void udp_tunnels(struct walk *w, struct pkt *p)
{
	const struct dissect_conf *c = &w->d->conf;
	const uint8_t *b = p->payload;
	uint32_t len = p->payload_len;
	if (len < 8)
		return;
	if (p->dport == c->vxlan_port)
		vxlan_decode(w, p, b, len);
	else if (p->dport == c->geneve_port)
		geneve_decode(w, p, b, len);
	else if (len >= IP6_HLEN && (b[0] >> 4 == 6 || b[0] == 0) &&
		 (c->teredo_any || p->dport == c->teredo_port || p->sport == c->teredo_port))
		teredo_decode(w, p, b, len);
}
