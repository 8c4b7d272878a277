/* SPDX-License-Identifier: BSD-2-Clause */
/* What is known of a frame once parse.h has looked at it, and what that makes it. */
#ifndef SKEP_STEER_SEEN_H
#define SKEP_STEER_SEEN_H

#include "steer/kernel.h"

enum { PROTO_ICMP = 1, PROTO_IGMP = 2, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMP6 = 58 };

enum seen_what {
	SEEN_OTHER,  /* no IP, no ARP, or tagged */
	SEEN_BROKEN, /* IP or ARP in name only */
	SEEN_ARP,
	SEEN_IP,
};

enum seen_part { PART_WHOLE, PART_FIRST, PART_LATER };

struct seen {
	struct steer_addr src, dst; /* of ARP: sender and target */
	__u8 mac_src[6], arp_mac[6];
	__u32 l4; /* offset */
	__u32 id; /* of fragments */
	__u16 sport, dport;
	__u16 echo_id;
	__u16 arp_op;
	__u8 what, part;
	__u8 proto; /* behind extension headers */
	__u8 type;  /* of ICMP and ICMPv6 */
	__u8 no_l4; /* SEEN_IP, whose addresses are known and the rest is not */
};

/* As the wall's decoder has it: what one of them takes for TCP, the other must. */
static inline int seen_is_extension(__u8 proto)
{
	switch (proto) {
	case 0:   /* hop-by-hop options */
	case 43:  /* routing */
	case 44:  /* fragment */
	case 51:  /* authentication */
	case 60:  /* destination options */
	case 135: /* mobility */
	case 139: /* host identity */
	case 140: /* shim6 */
		return 1;
	default:
		return 0;
	}
}

static inline __u32 seen_extension_len(__u8 proto, __u8 said)
{
	if (proto == 44)
		return 8;
	return proto == 51 ? ((__u32)said + 2) * 4 : ((__u32)said + 1) * 8;
}

static inline int seen_is_error(const struct seen *s)
{
	if (s->no_l4 || s->part == PART_LATER)
		return 0;
	if (s->proto == PROTO_ICMP && s->src.ver == 4)
		return s->type == 3 || s->type == 4 || s->type == 5 || s->type == 11 ||
		       s->type == 12;
	return s->proto == PROTO_ICMP6 && s->src.ver == 6 && s->type < 128;
}

/* What of ICMP and its kin a host needs in order to live on its link: routers, neighbours, groups. */
static inline int seen_is_link(const struct seen *s)
{
	if (s->proto == PROTO_IGMP)
		return s->src.ver == 4;
	if (s->no_l4 || s->part == PART_LATER)
		return 0;
	if (s->proto == PROTO_ICMP && s->src.ver == 4)
		return s->type == 9 || s->type == 10;
	return s->proto == PROTO_ICMP6 && s->src.ver == 6 &&
	       ((s->type >= 130 && s->type <= 137) || s->type == 143);
}

/* A tunnel that a host's stack ends by itself: it listens at no port, and its peer may be the first to speak. */
static inline int seen_is_tunnel(__u8 proto)
{
	switch (proto) {
	case 4:   /* IPv4 in IP */
	case 41:  /* IPv6 in IP */
	case 47:  /* GRE */
	case 50:  /* ESP */
	case 51:  /* AH */
	case 97:  /* EtherIP */
	case 115: /* L2TP */
		return 1;
	default:
		return 0;
	}
}

/* Of DHCP or DHCPv6, in whichever direction. */
static inline int seen_is_dhcp(const struct seen *s)
{
	__u16 low = s->src.ver == 4 ? 67 : 546;
	if (s->proto != PROTO_UDP || s->no_l4 || s->part == PART_LATER)
		return 0;
	return s->sport == low || s->sport == low + 1 || s->dport == low || s->dport == low + 1;
}

static inline int seen_is_echo_request(const struct seen *s)
{
	return (s->proto == PROTO_ICMP && s->src.ver == 4 && s->type == 8) ||
	       (s->proto == PROTO_ICMP6 && s->src.ver == 6 && s->type == 128);
}

static inline int seen_is_echo_reply(const struct seen *s)
{
	return (s->proto == PROTO_ICMP && s->src.ver == 4 && s->type == 0) ||
	       (s->proto == PROTO_ICMP6 && s->src.ver == 6 && s->type == 129);
}

#endif
