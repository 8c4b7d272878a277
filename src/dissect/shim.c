/* SPDX-License-Identifier: BSD-2-Clause */
/* What lies between a link layer and IP: PPP, PPPoE, MPLS labels, network service headers. */
#include "dissect/dissect_priv.h"

#define PPP_IPV4 0x0021u
#define PPP_VJ_UNCOMPRESSED 0x002fu
#define PPP_IPV6 0x0057u
#define PPP_MPLS_UNICAST 0x0281u
#define PPP_MPLS_MULTICAST 0x0283u

/* Known protocols of PPP that carry nothing for us. */
static bool ppp_unsupported(uint16_t proto)
{
	static const uint16_t known[] = {
		0x0023, 0x0025, 0x0027, 0x0029, 0x002b, 0x002d, 0x0031, 0x0033, 0x0035,
		0x0201, 0x0231, 0x0233, 0x8021, 0x8023, 0x8025, 0x8027, 0x8029, 0x802b,
		0x8031, 0x8033, 0x8035, 0x8057, 0x8281, 0xc021, 0xc023, 0xc025, 0xc223,
	};
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i] == proto)
			return true;
	return false;
}

static bool ppp_payload(struct walk *w, struct pkt *p, uint16_t proto, const uint8_t *b,
			uint32_t len)
{
	switch (proto) {
	case PPP_IPV4:
		if (len < IP4_HLEN)
			return refuse(p, EV_PPP_IP4_PKT_TOO_SMALL);
		return ip4_decode(w, p, b, len);
	case PPP_VJ_UNCOMPRESSED:
		/* The protocol field of its IP header holds a slot number: only headers are read. */
		if (len < IP4_HLEN)
			return refuse(p, EV_PPP_VJU_PKT_TOO_SMALL);
		return b[0] >> 4 == 4 && ip4_decode(w, p, b, len);
	case PPP_IPV6:
		if (len < IP6_HLEN)
			return refuse(p, EV_PPP_IP6_PKT_TOO_SMALL);
		return ip6_decode(w, p, b, len);
	case PPP_MPLS_UNICAST:
	case PPP_MPLS_MULTICAST:
		return mpls_decode(w, p, b, len);
	default:
		if (ppp_unsupported(proto)) {
			set_event(p, EV_PPP_UNSUP_PROTO);
			return true;
		}
		return refuse(p, EV_PPP_WRONG_TYPE);
	}
}

bool ppp_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (!deeper(w, p))
		return false;
	if (len < 2)
		return refuse(p, EV_PPP_PKT_TOO_SMALL);
	uint32_t at = 0;
	if (b[0] == 0xff && b[1] == 0x03) /* address and control, unless compressed away */
		at = 2;
	if (len < at + 2)
		return refuse(p, EV_PPP_PKT_TOO_SMALL);
	if (b[at] & 1) /* a protocol number below 256, in one byte */
		return ppp_payload(w, p, b[at], b + at + 1, len - at - 1);
	return ppp_payload(w, p, be16(b + at), b + at + 2, len - at - 2);
}

bool pppoe_session(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < 8)
		return refuse(p, EV_PPPOE_PKT_TOO_SMALL);
	if (b[6] & 1)
		return ppp_payload(w, p, b[6], b + 7, len - 7);
	return ppp_payload(w, p, be16(b + 6), b + 8, len - 8);
}

bool pppoe_discovery(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	(void)w;
	if (len < 6)
		return refuse(p, EV_PPPOE_PKT_TOO_SMALL);
	switch (b[1]) {
	case 0x07: /* offer */
	case 0x09: /* initiation */
	case 0x19: /* request */
	case 0x65: /* confirmation */
	case 0xa7: /* termination */
		break;
	default:
		return refuse(p, EV_PPPOE_WRONG_CODE);
	}
	uint32_t left = be16(b + 4);
	if (left > len - 6)
		return refuse(p, EV_PPPOE_MALFORMED_TAGS);
	for (const uint8_t *at = b + 6; left >= 4;) {
		uint32_t tag = 4u + be16(at + 2);
		if (tag > left)
			return refuse(p, EV_PPPOE_MALFORMED_TAGS);
		at += tag;
		left -= tag;
	}
	return true;
}

/* Below the last label only the first half-byte tells what is carried. */
static bool mpls_payload(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < 4)
		return refuse(p, EV_MPLS_PKT_TOO_SMALL);
	switch (b[0] >> 4) {
	case 0: /* a control word, then Ethernet */
		return link_ethernet(w, p, b + 4, len - 4);
	case 4:
		return ip4_decode(w, p, b, len);
	case 6:
		return ip6_decode(w, p, b, len);
	default:
		set_event(p, EV_MPLS_UNKNOWN_PAYLOAD_TYPE);
		return true;
	}
}

bool mpls_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	uint32_t shim;
	if (!deeper(w, p))
		return false;
	do {
		if (len < 4)
			return refuse(p, EV_MPLS_HEADER_TOO_SMALL);
		shim = be32(b);
		b += 4;
		len -= 4;
	} while ((shim & 0x100) == 0);
	switch (shim >> 12) {
	case 0:
		return ip4_decode(w, p, b, len);
	case 1:
		/* Only as a label above others (RFC 3032 2.1); what is below is still there. */
		set_event(p, EV_MPLS_BAD_LABEL_ROUTER_ALERT);
		return mpls_payload(w, p, b, len);
	case 2:
		return ip6_decode(w, p, b, len);
	case 3:
		set_event(p, EV_MPLS_BAD_LABEL_IMPLICIT_NULL);
		return mpls_payload(w, p, b, len);
	default:
		if (shim >> 12 < 16)
			set_event(p, EV_MPLS_BAD_LABEL_RESERVED);
		return mpls_payload(w, p, b, len);
	}
}

bool nsh_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < 8)
		return refuse(p, EV_NSH_HEADER_TOO_SMALL);
	uint16_t word = be16(b);
	uint32_t hlen = (word & 0x3fu) * 4;
	if (word >> 14 != 0)
		return refuse(p, EV_NSH_UNSUPPORTED_VERSION);
	if (hlen < 8 || hlen >= len)
		return refuse(p, EV_NSH_BAD_HEADER_LENGTH);
	switch (b[2] & 15) { /* how metadata is laid out */
	case 0:
	case 15:
		return refuse(p, EV_NSH_RESERVED_TYPE);
	case 1:
		if (hlen != 24)
			return refuse(p, EV_NSH_BAD_HEADER_LENGTH);
		break;
	case 2:
		break;
	default:
		return refuse(p, EV_NSH_UNSUPPORTED_TYPE);
	}
	switch (b[3]) {
	case 1:
		return ip4_decode(w, p, b + hlen, len - hlen);
	case 2:
		return ip6_decode(w, p, b + hlen, len - hlen);
	case 3:
		return link_ethernet(w, p, b + hlen, len - hlen);
	case 5:
		return refuse(p, EV_NSH_UNSUPPORTED_TYPE);
	default:
		set_event(p, EV_NSH_UNKNOWN_PAYLOAD);
		return true;
	}
}
