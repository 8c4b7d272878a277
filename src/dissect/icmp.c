/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP (RFC 792) and ICMPv6 (RFC 4443): which types and codes there are, and the packet quoted in
 * errors. */
#include "dissect/dissect_priv.h"

#define ICMP_HLEN 8u
#define CODE_ANY 255 /* no list of codes */
#define NOT_KNOWN (-1)

static void icmp_found(struct pkt *p, const uint8_t *b, uint32_t len)
{
	p->l4 = b;
	p->l4_hlen = ICMP_HLEN;
	p->l4_len = len;
	p->payload = b + ICMP_HLEN;
	p->payload_len = len - ICMP_HLEN;
	p->icmp_type = b[0];
	p->icmp_code = b[1];
}

static void icmp_id(struct pkt *p, const uint8_t *b)
{
	p->has_icmp_id = true;
	p->icmp_id = be16(b + 4);
	p->icmp_seq = be16(b + 6);
}

/* The highest code of a type. */
static int code_max4(uint8_t type)
{
	switch (type) {
	case 3: /* unreachable */
		return 15;
	case 5: /* redirect */
		return 3;
	case 9: /* router advertisement: 16 means mobile IP only */
		return 16;
	case 11: /* time exceeded */
		return 1;
	case 12: /* parameter problem */
		return 2;
	case 0: /* echo */
	case 8:
	case 4:  /* source quench */
	case 10: /* router solicitation */
	case 13: /* time stamp */
	case 14:
	case 15: /* information */
	case 16:
	case 17: /* address mask */
	case 18:
		return 0;
	default:
		return NOT_KNOWN;
	}
}

void icmp4_decode(struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < ICMP_HLEN) {
		(void)refuse(p, EV_ICMPV4_PKT_TOO_SMALL);
		return;
	}
	icmp_found(p, b, len);
	const uint8_t type = b[0], code = b[1];
	int max = code_max4(type);
	if (type == 0 || type == 8 || (type >= 13 && type <= 18))
		icmp_id(p, b);
	if (max == NOT_KNOWN) {
		set_event(p, EV_ICMPV4_UNKNOWN_TYPE);
		return;
	}
	if (code > max || (type == 9 && code != 0 && code != 16)) {
		set_event(p, EV_ICMPV4_UNKNOWN_CODE);
		return;
	}
	bool error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
	if (!error || len == ICMP_HLEN)
		return;
	if (len - ICMP_HLEN < IP4_HLEN)
		(void)refuse(p, EV_ICMPV4_IPV4_TRUNC_PKT);
	else if (b[ICMP_HLEN] >> 4 != 4)
		(void)refuse(p, EV_ICMPV4_IPV4_UNKNOWN_VER);
}

static int code_max6(uint8_t type)
{
	switch (type) {
	case 1: /* unreachable */
		return 6;
	case 3: /* time exceeded */
		return 1;
	case 4: /* parameter problem */
		return 2;
	case 138: /* router renumbering: 0, 1, and 255 */
		return CODE_ANY;
	case 139: /* node information */
	case 140:
		return 2;
	case 157: /* duplicate address, low-power networks: the code is a status */
	case 158:
	case 155: /* RPL: the code says which message */
	case 154: /* FMIPv6 */
		return CODE_ANY;
	case 2: /* packet too big */
		return 0;
	default:
		return (type >= 128 && type <= 156) ? 0 : NOT_KNOWN;
	}
}

/* Types that mean nothing: which of the three kinds of nothing (IANA's list). */
static unsigned nothing6(uint8_t type)
{
	if (type == 100 || type == 101 || type == 200 || type == 201)
		return EV_ICMPV6_EXPERIMENTATION_TYPE;
	if ((type >= 5 && type <= 126) || (type >= 159 && type <= 254))
		return EV_ICMPV6_UNASSIGNED_TYPE;
	return EV_ICMPV6_UNKNOWN_TYPE;
}

void icmp6_decode(struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < ICMP_HLEN) {
		(void)refuse(p, EV_ICMPV6_PKT_TOO_SMALL);
		return;
	}
	icmp_found(p, b, len);
	const uint8_t type = b[0], code = b[1];
	if (type == 128 || type == 129)
		icmp_id(p, b);
	if (type == 2) {
		p->has_icmp6_mtu = true;
		p->icmp6_mtu = be32(b + 4);
	}
	int max = code_max6(type);
	if (max == NOT_KNOWN) {
		set_event(p, nothing6(type));
		return;
	}
	if (code > max)
		set_event(p, EV_ICMPV6_UNKNOWN_CODE);
	bool mld = (type >= 130 && type <= 132) || type == 143;
	if (mld && p->ttl != 1) /* RFC 3810 5: from this link, and no farther */
		set_event(p, EV_ICMPV6_MLD_MESSAGE_WITH_INVALID_HL);
	if (type > 4 || code > max || len == ICMP_HLEN)
		return;
	if (len - ICMP_HLEN < IP6_HLEN)
		(void)refuse(p, EV_ICMPV6_IPV6_TRUNC_PKT);
	else if (b[ICMP_HLEN] >> 4 != 6)
		(void)refuse(p, EV_ICMPV6_IPV6_UNKNOWN_VERSION);
}
