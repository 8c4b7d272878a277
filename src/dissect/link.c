/* SPDX-License-Identifier: BSD-2-Clause */
/* Link layers, their tags, and what an ethertype says comes next. */
#include "dissect/dissect_priv.h"

#define VLAN_HLEN 4u
#define AH_HLEN 18u /* 802.1ah: tag, two addresses, type */
#define VNTAG_HLEN 6u
#define DCE_SKIP 2u

bool raw_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < IP4_HLEN)
		return refuse(p, EV_IPV4_PKT_TOO_SMALL);
	switch (b[0] >> 4) {
	case 4:
		return ip4_decode(w, p, b, len);
	case 6:
		return ip6_decode(w, p, b, len);
	default:
		set_event(p, EV_IPRAW_INVALID_IP_VERSION);
		return false;
	}
}

bool link_ethernet(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < ETH_HLEN)
		return refuse(p, EV_ETHERNET_PKT_TOO_SMALL);
	if (p->depth == 0)
		p->eth = b;
	(void)link_network(w, p, be16(b + 12), b + ETH_HLEN, len - ETH_HLEN);
	return true;
}

bool link_vlan(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < VLAN_HLEN)
		return refuse(p, EV_VLAN_HEADER_TOO_SMALL);
	p->unread |= p->n_vlan == DISSECT_VLANS;
	if (p->unread)
		return refuse(p, EV_VLAN_TOO_MANY_LAYERS);
	p->vlan[p->n_vlan++] = be16(b) & 0x0fff;
	if (!link_network(w, p, be16(b + 2), b + VLAN_HLEN, len - VLAN_HLEN))
		return refuse(p, EV_VLAN_UNKNOWN_TYPE);
	return true;
}

static bool link_8021ah(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < AH_HLEN)
		return refuse(p, EV_IEEE8021AH_HEADER_TOO_SMALL);
	(void)link_network(w, p, be16(b + 16), b + AH_HLEN, len - AH_HLEN);
	return true;
}

static bool link_vntag(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < VNTAG_HLEN)
		return refuse(p, EV_VNTAG_HEADER_TOO_SMALL);
	if (!link_network(w, p, be16(b + 4), b + VNTAG_HLEN, len - VNTAG_HLEN))
		return refuse(p, EV_VNTAG_UNKNOWN_TYPE);
	return true;
}

static bool link_dce(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < DCE_SKIP + ETH_HLEN)
		return refuse(p, EV_DCE_PKT_TOO_SMALL);
	return link_ethernet(w, p, b + DCE_SKIP, len - DCE_SKIP);
}

bool arp_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	(void)w;
	if (len < 8)
		return refuse(p, EV_ARP_PKT_TOO_SMALL);
	if (be16(b) != 1)
		return refuse(p, EV_ARP_UNSUPPORTED_HARDWARE);
	if (be16(b + 2) != TYPE_IPV4)
		return refuse(p, EV_ARP_UNSUPPORTED_PROTOCOL);
	if (len < 28)
		return refuse(p, EV_ARP_INVALID_PKT);
	if (b[4] != 6)
		return refuse(p, EV_ARP_INVALID_HARDWARE_SIZE);
	if (b[5] != 4)
		return refuse(p, EV_ARP_INVALID_PROTOCOL_SIZE);
	uint16_t op = be16(b + 6);
	if (op == 0 || (op > 4 && op < 8) || op > 10)
		return refuse(p, EV_ARP_UNSUPPORTED_OPCODE);
	return true;
}

/* false: a type we don't know; what is broken within a known one is told by its own events. */
bool link_network(struct walk *w, struct pkt *p, uint16_t type, const uint8_t *b, uint32_t len)
{
	p->ethertype = type;
	if (type == TYPE_IPV4) { /* by far the most */
		(void)ip4_decode(w, p, b, len);
		return true;
	}
	if (type == TYPE_IPV6) {
		(void)ip6_decode(w, p, b, len);
		return true;
	}
	if (!deeper(w, p))
		return true;
	switch (type) {
	case TYPE_ARP:
		(void)arp_decode(w, p, b, len);
		return true;
	case TYPE_VLAN:
	case 0x88a8:
	case 0x9100:
		(void)link_vlan(w, p, b, len);
		return true;
	case 0x88e7:
		(void)link_8021ah(w, p, b, len);
		return true;
	case 0x8863:
		(void)pppoe_discovery(w, p, b, len);
		return true;
	case 0x8864:
		(void)pppoe_session(w, p, b, len);
		return true;
	case 0x8847:
	case 0x8848:
		(void)mpls_decode(w, p, b, len);
		return true;
	case 0x8903:
		(void)link_dce(w, p, b, len);
		return true;
	case 0x8926:
		(void)link_vntag(w, p, b, len);
		return true;
	case 0x894f:
		(void)nsh_decode(w, p, b, len);
		return true;
	default:
		set_event(p, EV_ETHERNET_UNKNOWN_ETHERTYPE);
		return false;
	}
}

/* BSD loopback: an address family in the byte order of the machine that captured it. */
static void link_null(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < 4) {
		(void)refuse(p, EV_LTNULL_PKT_TOO_SMALL);
		return;
	}
	uint32_t family = be32(b);
	if (family > 0xffff)
		family = __builtin_bswap32(family);
	switch (family) {
	case 2:
		(void)ip4_decode(w, p, b + 4, len - 4);
		break;
	case 10: /* each system has its own number for IPv6 */
	case 24:
	case 28:
	case 30:
		(void)ip6_decode(w, p, b + 4, len - 4);
		break;
	default:
		set_event(p, EV_LTNULL_UNSUPPORTED_TYPE);
	}
}

static void link_typed(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len, uint32_t hlen,
		       uint32_t type_at, unsigned too_small)
{
	if (len < hlen)
		(void)refuse(p, too_small);
	else
		(void)link_network(w, p, be16(b + type_at), b + hlen, len - hlen);
}

void link_decode(struct walk *w, struct pkt *p, uint16_t link, const uint8_t *b, uint32_t len)
{
	switch (link) {
	case LINK_ETHERNET:
		(void)link_ethernet(w, p, b, len);
		break;
	case LINK_NULL:
	case LINK_LOOP:
		link_null(w, p, b, len);
		break;
	case LINK_PPP:
		(void)ppp_decode(w, p, b, len);
		break;
	case LINK_CHDLC:
		link_typed(w, p, b, len, 4, 2, EV_CHDLC_PKT_TOO_SMALL);
		break;
	case LINK_SLL:
		link_typed(w, p, b, len, 16, 14, EV_SLL_PKT_TOO_SMALL);
		break;
	case LINK_SLL2:
		link_typed(w, p, b, len, 20, 0, EV_SLL2_PKT_TOO_SMALL);
		break;
	case LINK_RAW:
	case LINK_RAW_BSD:
	case LINK_RAW_OPENBSD:
	case LINK_IPV4:
	case LINK_IPV6:
		(void)raw_decode(w, p, b, len);
		break;
	default: /* nothing we know, and no event has a name for it */
		p->invalid = true;
	}
}
