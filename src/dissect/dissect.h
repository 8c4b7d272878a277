/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dissect: a captured frame as an intrusion detection system sees it: link layers, VLAN tags,
 * tunnels, IP fragments put together, and every oddity as a named decode event. Unlike packet (which
 * trusts little and edits), it goes on as far as bytes allow and hands out one struct pkt for each IP
 * packet inside the frame, outermost first. Pure but for its fragment table; no allocation after
 * creation. Used by inspect.
 */
#ifndef SKEP_DISSECT_H
#define SKEP_DISSECT_H

#include "base/base.h"

#define DISSECT_PKTS 6  /* at most so many packets out of one frame */
#define DISSECT_DEPTH 4 /* tunnels in tunnels */
#define DISSECT_VLANS 3
#define DISSECT_EVENT_WORDS 4

/* Link types of capture files (LINKTYPE_ values of the tcpdump group). */
enum dissect_link {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_PPP = 9,
	LINK_RAW = 101,
	LINK_CHDLC = 104,
	LINK_LOOP = 108,
	LINK_SLL = 113,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_SLL2 = 276,
	LINK_RAW_BSD = 12,
	LINK_RAW_OPENBSD = 14
};

/* TCP options that matter, and where the header's fields are. Valid if proto is TCP and l4_hlen > 0. */
struct pkt_tcp {
	uint32_t seq, ack;
	uint16_t win, urg;
	uint8_t flags; /* all eight: FIN SYN RST PSH ACK URG ECE CWR from bit 0 */
	uint8_t wscale;
	uint16_t mss;
	bool has_wscale, has_mss, has_ts, has_sack_ok, has_sack, has_tfo, has_md5;
	uint32_t ts_val, ts_ecr;
	const uint8_t *sack; /* sack_len bytes of edges (pairs of 32 bits), or NULL */
	uint8_t sack_len, tfo_len;
};

/* One packet. Pointers borrow from the frame, or from the dissector (rebuilt packets) until the next
 * dissect call. Absent: NULL and 0. */
struct pkt {
	int64_t stamp_ns;
	uint64_t number;                /* of the frame in its capture, from 1 */
	const uint8_t *frame;           /* the whole frame */
	uint32_t frame_len, frame_wire; /* captured, on the wire */
	uint16_t link;                  /* enum dissect_link */
	const uint8_t *eth;             /* Ethernet header, outermost packet only */
	uint16_t ethertype;             /* innermost */
	uint8_t n_vlan;
	uint16_t vlan[DISSECT_VLANS]; /* ids, outermost first */
	uint8_t depth;                /* 0: outermost; n: inside n tunnels */
	uint8_t tunnel;               /* what it was taken out of: enum dissect_tunnel */

	uint8_t ip_ver;           /* 4, 6, or 0: no IP (ARP, unknown ethertype, broken) */
	const uint8_t *ip;        /* header */
	uint32_t ip_hlen, ip_len; /* with options or extension headers; whole packet, captured */
	struct addr src, dst;
	uint8_t proto, ttl, tos;
	uint16_t ip_id_lo; /* IPv4 identification */
	uint32_t frag_id;
	uint16_t frag_off;         /* bytes */
	bool fragment, more_frags; /* fragment: no l4 is given */
	bool rebuilt;              /* put together from fragments */
	bool dont_frag;
	uint32_t ip_opts; /* IPv4 options seen: bits of enum dissect_ipopt */
	uint8_t exthdrs;  /* IPv6 extension headers seen: bits of enum dissect_exthdr */

	const uint8_t *l4;        /* transport header */
	uint32_t l4_hlen, l4_len; /* header; header and payload */
	const uint8_t *payload;   /* of the transport, or of IP where proto is none we know */
	uint32_t payload_len;
	uint16_t sport, dport;        /* TCP, UDP, SCTP */
	uint8_t icmp_type, icmp_code; /* ICMP, ICMPv6 */
	uint16_t icmp_id, icmp_seq;   /* echo, timestamp and their like; has_icmp_id */
	bool has_icmp_id;
	uint32_t icmp6_mtu; /* of packet too big; has_icmp6_mtu */
	bool has_icmp6_mtu;
	struct pkt_tcp tcp;
	bool bad_ip_csum, bad_l4_csum; /* only found when asked for */
	bool unread;                   /* there are more layers in it than are taken apart */
	bool invalid; /* an event that makes the packet unfit for flows: match headers only */
	uint64_t events[DISSECT_EVENT_WORDS];
};

enum dissect_tunnel {
	TUNNEL_NONE,
	TUNNEL_IPIP,
	TUNNEL_6IN4,
	TUNNEL_GRE,
	TUNNEL_VXLAN,
	TUNNEL_TEREDO,
	TUNNEL_GENEVE,
	TUNNEL_ERSPAN
};
enum dissect_ipopt {
	IPOPT_RR = 1,
	IPOPT_EOL = 2,
	IPOPT_NOP = 4,
	IPOPT_TS = 8,
	IPOPT_SEC = 16,
	IPOPT_ESEC = 32,
	IPOPT_LSRR = 64,
	IPOPT_SSRR = 128,
	IPOPT_SATID = 256,
	IPOPT_CIPSO = 512,
	IPOPT_RTRALT = 1024,
	IPOPT_ANY = 2048
};
enum dissect_exthdr {
	EXTHDR_HOP = 1,
	EXTHDR_DST = 2,
	EXTHDR_ROUTING = 4,
	EXTHDR_FRAGMENT = 8,
	EXTHDR_AUTH = 16,
	EXTHDR_ESP = 32,
	EXTHDR_MOBILITY = 64
};

struct dissect_conf {
	bool checksums;          /* verify IP and transport checksums */
	bool inline_mode;        /* fragments: first data wins */
	uint32_t frag_packets;   /* IP packets being put together, at most (0: a default) */
	uint64_t frag_bytes;     /* bytes held for them, at most (0: a default) */
	int64_t frag_timeout_ns; /* 0: 60 s */
	uint16_t vxlan_port, geneve_port, teredo_port; /* 0: 4789, 6081, 3544 */
	bool teredo_any;                               /* look for Teredo on every port */
};

struct dissect;

/* Makes a dissector; all memory is taken here (mapped, touched on use). The caller frees it. */
MUST_USE int dissect_create(const struct dissect_conf *conf, struct dissect **ret);
void dissect_free(struct dissect **d);
/* Takes a frame apart: writes 1..DISSECT_PKTS packets to ret (never 0: a frame that is nothing we know
 * gives one with ip_ver 0 and its events) and returns how many. len: captured bytes, wire_len: on the
 * wire; number: of the frame, from 1. */
uint32_t dissect_frame(struct dissect *d, uint16_t link, const uint8_t *frame, uint32_t len,
		       uint32_t wire_len, int64_t stamp_ns, uint64_t number,
		       struct pkt ret[DISSECT_PKTS]);

/* Decode events by Suricata's names ("ipv4.trunc_pkt", as after decode-event:). The number of an
 * event, or -1; and back (NULL: no such event). */
int dissect_event_by_name(const char *name);
const char *dissect_event_name(unsigned event);
/* Is the event set in this packet? */
bool dissect_event_in(const struct pkt *p, unsigned event);

#endif
