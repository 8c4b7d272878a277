/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside packet only: protocol numbers, header sizes, and helpers that several files share. */
#ifndef SKEP_PACKET_PRIV_H
#define SKEP_PACKET_PRIV_H

#include "packet/packet.h"

#define TYPE_IPV4 0x0800u
#define TYPE_ARP 0x0806u
#define TYPE_VLAN 0x8100u
#define TYPE_QINQ 0x88a8u
#define TYPE_QINQ_OLD 0x9100u
#define TYPE_IPV6 0x86ddu

#define VLAN_HLEN 4u
#define ARP_LEN 28u
#define IP4_HLEN 20u
#define IP6_HLEN 40u
#define TCP_HLEN 20u
#define UDP_HLEN 8u
#define ICMP_HLEN 8u
#define SCTP_HLEN 12u

enum ip_proto {
	PROTO_HOPOPT = 0,
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_DCCP = 33,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_AH = 51,
	PROTO_ICMP6 = 58,
	PROTO_NONE = 59,
	PROTO_DSTOPTS = 60,
	PROTO_SCTP = 132,
	PROTO_MOBILITY = 135,
	PROTO_UDPLITE = 136,
	PROTO_HIP = 139,
	PROTO_SHIM6 = 140,
};

enum gso_kind {
	GSO_NONE = 0,
	GSO_TCPV4 = 1,
	GSO_UDP = 3,
	GSO_TCPV6 = 4,
	GSO_UDP_L4 = 5,
	GSO_ECN = 0x80 /* a bit of its own */
};
#define TCP_CWR 0x80u /* congestion window reduced; in no struct layers */

enum icmp_type { ICMP_ECHO_REPLY = 0, ICMP_ECHO = 8 };
enum icmp6_type {
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129,
	ICMP6_MLD_FIRST = 130,
	ICMP6_MLD_LAST = 132,
	ICMP6_RS = 133,
	ICMP6_RA = 134,
	ICMP6_NS = 135,
	ICMP6_NA = 136,
	ICMP6_REDIRECT = 137,
	ICMP6_MLD2 = 143,
};

/* Offset of the L4 checksum from the L4 header; 0: the protocol has none that addresses or ports
 * enter (SCTP has its CRC, which is treated apart). */
uint32_t proto_csum_offset(uint8_t proto);
/* Do the addresses enter the L4 checksum? */
bool proto_has_pseudo(uint8_t proto);
/* Does the L4 checksum field hold only the pseudo-header sum, to be completed by the kernel? */
bool is_partial(const struct frame *f, const struct layers *l);

/* Sum of the pseudo-header, folded, not complemented. */
uint16_t pseudo_sum(const struct addr *src, const struct addr *dst, uint8_t proto, uint32_t len);
uint16_t fold(uint32_t sum);
/* CRC32c of an SCTP packet, its checksum field taken as zero; the value as it is stored. */
uint32_t sctp_crc(const uint8_t *packet, uint32_t len);

#endif
