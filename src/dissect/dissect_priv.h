/* SPDX-License-Identifier: BSD-2-Clause */
/* What the layers of dissect share. Only for src/dissect. */
#ifndef SKEP_DISSECT_PRIV_H
#define SKEP_DISSECT_PRIV_H

#include "dissect/dissect.h"
#include "dissect/events_priv.h"

#include <string.h>

#define LAYERS_MAX 16u /* headers inside headers, before we give up: bounds all recursion */
#define REBUILT_MAX (40u + 65535u)
#define REBUILT_BUFFERS (DISSECT_PKTS - 1)

#define TYPE_IPV4 0x0800u
#define TYPE_ARP 0x0806u
#define TYPE_TEB 0x6558u /* transparent Ethernet bridging, inside tunnels */
#define TYPE_VLAN 0x8100u
#define TYPE_IPV6 0x86ddu
#define TYPE_PPP 0x880bu
#define TYPE_ERSPAN 0x88beu

#define PROTO_HOPOPTS 0u
#define PROTO_ICMP 1u
#define PROTO_IPIP 4u
#define PROTO_TCP 6u
#define PROTO_UDP 17u
#define PROTO_IPV6 41u
#define PROTO_ROUTING 43u
#define PROTO_FRAGMENT 44u
#define PROTO_GRE 47u
#define PROTO_ESP 50u
#define PROTO_AH 51u
#define PROTO_ICMP6 58u
#define PROTO_NONE 59u
#define PROTO_DSTOPTS 60u
#define PROTO_SCTP 132u
#define PROTO_MH 135u
#define PROTO_HIP 139u
#define PROTO_SHIM6 140u

#define ETH_HLEN 14u
#define IP4_HLEN 20u
#define IP6_HLEN 40u

struct defrag;

struct dissect {
	struct dissect_conf conf;
	struct defrag *defrag;
	uint8_t *rebuilt; /* REBUILT_BUFFERS of REBUILT_MAX bytes, touched on use */
	uint32_t rebuilt_used;
	struct arena arena;
};

/* One frame being taken apart. */
struct walk {
	struct dissect *d;
	struct pkt *pkts;
	uint32_t n;      /* packets begun */
	uint32_t layers; /* headers above the one in hand */
};

/* A fragment on its way into the table. */
struct fragment {
	const uint8_t
		*head; /* what goes in front of the data: header and, IPv6, what may not be cut */
	uint32_t head_len;
	uint32_t nh_at; /* IPv6: where in head the next header stands that announced the fragment */
	uint8_t nh;     /* IPv6: what takes its place */
	const uint8_t *data;
	uint32_t len, off; /* bytes */
	bool more;
};

/* load_be16 and load_be32 without a call: fields are most of what is done here. */
static inline uint16_t be16(const uint8_t *b)
{
	uint16_t v;
	memcpy(&v, b, sizeof(v));
	return __builtin_bswap16(v);
}

static inline uint32_t be32(const uint8_t *b)
{
	uint32_t v;
	memcpy(&v, b, sizeof(v));
	return __builtin_bswap32(v);
}

static inline void set_event(struct pkt *p, unsigned e)
{
	p->events[e / 64] |= UINT64_C(1) << (e % 64);
}

/* An event after which the packet is fit for nothing; false, for the caller to return. */
static inline bool refuse(struct pkt *p, unsigned e)
{
	set_event(p, e);
	p->invalid = true;
	return false;
}

/* Counts one more header. */
static inline bool deeper(struct walk *w, struct pkt *p)
{
	p->unread |= ++w->layers > LAYERS_MAX;
	return w->layers <= LAYERS_MAX || refuse(p, EV_TOO_MANY_LAYERS);
}

/* A further packet of the frame that from came in; NULL: no room. */
struct pkt *pkt_begin(struct walk *w, const struct pkt *from);

/* Each takes the bytes of its layer and all above it. false: broken, or nothing we know. */
void link_decode(struct walk *w, struct pkt *p, uint16_t link, const uint8_t *b, uint32_t len);
bool link_ethernet(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len);
bool link_network(struct walk *w, struct pkt *p, uint16_t type, const uint8_t *b, uint32_t len);
bool link_vlan(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len);
bool ppp_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len);
bool pppoe_session(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len);
bool pppoe_discovery(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len);
bool mpls_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len);
bool nsh_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len);
bool arp_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len);
bool raw_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len);
bool ip4_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len);
void ip4_options(struct pkt *p, const uint8_t *b, uint32_t len);
bool ip6_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len);
void l4_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len);
void tcp_decode(struct pkt *p, const uint8_t *b, uint32_t len);
void icmp4_decode(struct pkt *p, const uint8_t *b, uint32_t len);
void icmp6_decode(struct pkt *p, const uint8_t *b, uint32_t len);

/* A packet inside p, read by decode; it vanishes if that fails. */
typedef bool decode_fn(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len);
bool tunnel_inner(struct walk *w, struct pkt *p, enum dissect_tunnel kind, decode_fn *decode,
		  const uint8_t *b, uint32_t len);
void gre_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len);
void udp_tunnels(struct walk *w, struct pkt *p);

/* The Internet checksum's sum over len bytes, not complemented: 0xffff is right. */
uint16_t sum_of(const uint8_t *b, uint32_t len, uint32_t start);
/* Looks at the transport checksum of a whole packet. */
void sum_check_l4(struct pkt *p, uint32_t len);

size_t defrag_size(const struct dissect_conf *conf);
struct defrag *defrag_create(const struct dissect_conf *conf, struct arena *arena);
/* Keeps a fragment of p; the datagram's bytes in to (of REBUILT_MAX) if that made it whole, and their
 * length, else 0. to NULL: there is no room for a whole one. */
uint32_t defrag_add(struct defrag *t, struct pkt *p, const struct fragment *f, uint8_t *to);
/* The same, and goes on with the datagram as a packet of its own. */
void defrag_step(struct walk *w, struct pkt *p, const struct fragment *f);

#endif
