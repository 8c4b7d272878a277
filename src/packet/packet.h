/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packet: bytes <-> layers. Finds Ethernet, VLAN, ARP, IPv4, IPv6, TCP, UDP, ICMP and ICMPv6 in a
 * frame, keeps checksums right when addresses, ports and hop limits are edited, and builds the few
 * small frames the wall itself says. Pure: no I/O, no allocation. Used by wall, recorder, cmd.
 *
 * Malformed traffic is not an error: decoding returns oddity bits.
 */
#ifndef SKEP_PACKET_H
#define SKEP_PACKET_H

#include "base/base.h"

/* Room for a GSO super-frame (64 KiB IP packet + Ethernet + one VLAN tag), rounded up. */
#define FRAME_MAX 65664u
#define ETH_HLEN 14u

/* The virtio-net header that travels in front of a frame (struct virtio_net_hdr of
 * linux/virtio_net.h, host byte order). */
struct vnet {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
};
#define VNET_NEEDS_CSUM 1u

/* One frame in a buffer of its port. The port owns data until the frame is finished. */
struct frame {
	uint8_t *data;     /* Ethernet header first; a VLAN tag, if any, is in the bytes */
	uint32_t len, cap; /* bytes used, bytes available */
	struct vnet vnet;  /* offsets count from data */
	int64_t stamp_ns;  /* kernel receive time (CLOCK_REALTIME) */
	uint16_t port;     /* index of the port it came in by */
};

enum oddity {
	ODD_TRUNC_ETH = 1 << 0,
	ODD_TRUNC_ARP = 1 << 1,
	ODD_TRUNC_IP = 1 << 2, /* header or total length past the frame's end */
	ODD_BAD_IP = 1 << 3,   /* version, header length or extension header chain impossible */
	ODD_BAD_IP_CSUM = 1 << 4,
	/* TCP data offset, UDP length, an offload request that does not fit the packet ... */
	ODD_TRUNC_L4 = 1 << 5,
	ODD_BAD_L4 = 1 << 6,
	ODD_IP_OPTIONS = 1 << 7,     /* IPv4 options, or an IPv6 routing or hop-by-hop header */
	ODD_FRAGMENT_SMALL = 1 << 8, /* first fragment without its whole L4 header */
	ODD_LAND = 1 << 9,           /* source equals destination, or either is impossible */
	ODD_TCP_FLAGS = 1 << 10,     /* SYN with FIN or RST, no flag at all ... */
	ODD_VLAN = 1 << 11,          /* carries a tag (not malformed in itself) */
	ODD_EXT_DEPTH = 1 << 12,     /* more than 8 extension headers or 2 tags */
};

enum tcp_flag { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16, TCP_URG = 32 };

/* Where things are. Offsets are bytes from frame->data; 0 means absent. Fragments after the first
 * have no l4; their payload is set. Redirects do not count as icmp_error. */
struct layers {
	uint16_t ethertype; /* innermost, after VLAN tags */
	uint16_t vlan_tci;  /* of the outer tag; valid with ODD_VLAN */
	uint32_t l3, l4, payload;
	uint32_t l3_end; /* end of the IP packet (frame padding lies after it) */
	uint8_t ip_ver;  /* 4, 6 or 0 */
	uint8_t proto;   /* transport protocol number after extension headers */
	uint8_t ttl;     /* or hop limit */
	uint8_t tcp_flags;
	bool fragment; /* any fragment */
	bool first_fragment;
	bool more_fragments; /* not the last one */
	uint32_t frag_id;
	uint16_t frag_offset; /* bytes */
	struct addr src, dst;
	uint16_t sport, dport; /* TCP, UDP, SCTP; ICMP echo: sport = id, dport = 0 */
	uint8_t icmp_type, icmp_code;
	bool icmp_echo_request, icmp_echo_reply, icmp_error; /* for both ICMP versions */
	uint32_t seq, ack;                                   /* TCP */
	uint32_t odd;                                        /* enum oddity bits */
};

/* Finds the layers of f. Always fills *ret; stops at the first thing it can't trust (odd tells). */
void packet_decode(const struct frame *f, struct layers *ret);

/* The packet quoted inside an ICMP error: fills *ret with src, dst, proto, ports and offsets
 * relative to the frame. SKEP_EFORMAT if too little is quoted to know the flow. */
MUST_USE int packet_decode_quoted(const struct frame *f, const struct layers *outer,
				  struct layers *ret);

/* Are the IPv4 header and L4 checksums right? A partial one (VNET_NEEDS_CSUM) counts as right.
 * Fragments count as right. */
bool packet_checksums_ok(const struct frame *f, const struct layers *l);

/* ---- edits: each keeps every checksum right, partial ones (VNET_NEEDS_CSUM) included ------- */

/* Sets both Ethernet addresses. */
void packet_set_macs(struct frame *f, const struct mac *dst, const struct mac *src);
/* Sets the source (src true) or destination address; versions must agree. Also updates *l. */
void packet_set_addr(struct frame *f, struct layers *l, bool src, const struct addr *to);
/* Sets the source or destination port (ICMP echo: src sets the id). Not for non-first fragments. */
void packet_set_port(struct frame *f, struct layers *l, bool src, uint16_t to);
/* The same two inside the packet quoted by an ICMP error, the outer ICMP checksum kept right. */
void packet_set_quoted(struct frame *f, const struct layers *outer, struct layers *quoted, bool src,
		       const struct addr *to, uint16_t port);
/* Lowers the TTL / hop limit by one; false (and unchanged) if it would reach zero. */
bool packet_lower_ttl(struct frame *f, struct layers *l);

/* Overwrites len bytes at offset off of the frame, behind the IP header and inside the packet, the
 * checksum's own field excepted. false, and nothing done: not there, or the checksum can't be kept
 * right (a later fragment, a fragment of SCTP, UDP-Lite and DCCP, whose sums cover a part only). */
bool packet_set_bytes(struct frame *f, const struct layers *l, uint32_t off, const void *bytes,
		      uint32_t len);
/* TCP, not a later fragment: both numbers; the urgent flag and pointer away. *l follows. */
void packet_set_seq_ack(struct frame *f, struct layers *l, uint32_t seq, uint32_t ack);
void packet_clear_urgent(struct frame *f, struct layers *l);
/* TCP, not a fragment: the packet ends payload_len bytes behind its TCP header (they are in the buffer).
 * Sets lengths and makes all checksums anew, TCP's partial if so wished, or if gso_size asks for
 * segments of this size (0: none). What lay behind the packet is cut off. */
void packet_finish_tcp(struct frame *f, struct layers *l, uint32_t payload_len, bool partial,
		       uint16_t gso_size);

/* ---- frames the wall says itself ---------------------------------------------------------- */

/* Each writes a whole frame with right checksums into out (data and cap set by the caller) and
 * sets len and vnet; SKEP_ETRUNC if it does not fit in cap, SKEP_EFORMAT if no such answer may be
 * given (a reset to a reset, an error about an error, a group ...). Answers carry f's tags. */
MUST_USE int packet_build_arp_reply(struct frame *out, const struct mac *own, const struct addr *ip,
				    const struct mac *to, const struct addr *to_ip);
/* Neighbour advertisement (RFC 4861 4.4) for target, solicited unless dst is ff02::1. */
MUST_USE int packet_build_na(struct frame *out, const struct mac *own, const struct addr *target,
			     const struct mac *to, const struct addr *to_ip, bool router);
/* TCP reset that answers the packet in f (RFC 9293 3.10.7.1), sent back to its sender. */
MUST_USE int packet_build_rst(struct frame *out, const struct frame *f, const struct layers *l);
/* ICMP or ICMPv6 error (host-order type and code) that quotes f, from address `from`. */
MUST_USE int packet_build_icmp_error(struct frame *out, const struct frame *f,
				     const struct layers *l, const struct addr *from, uint8_t type,
				     uint8_t code);

/* Neighbour messages. kind 0: the frame is none. */
enum neigh_kind {
	NEIGH_NONE,
	NEIGH_ARP_REQUEST,
	NEIGH_ARP_REPLY,
	NEIGH_NS,
	NEIGH_NA,
	NEIGH_RS,
	NEIGH_RA,
	NEIGH_REDIRECT,
	NEIGH_MLD
};
struct neigh {
	enum neigh_kind kind;
	struct mac sender_mac; /* ARP sender, or the source link-layer option (zero if absent) */
	struct addr sender, target;
};
/* Reads ARP, or an ICMPv6 neighbour or multicast-listener message. */
void packet_neigh(const struct frame *f, const struct layers *l, struct neigh *ret);

/* Community ID v1 (github.com/corelight/community-id-spec), seed 0, "1:" + base64, 31 bytes with
 * the terminator. ICMP: sport = type, dport = code. */
#define COMMUNITY_ID_TEXT 32
void packet_community_id(const struct addr *src, const struct addr *dst, uint8_t proto,
			 uint16_t sport, uint16_t dport, char ret[COMMUNITY_ID_TEXT]);

/* RFC 1071 sum over data, folded, not complemented; start with a previous sum or 0. */
uint16_t packet_sum(const void *data, size_t len, uint32_t start);

#endif
