/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds the layers of a hostile frame. Each step checks its length first, sets an oddity bit and
 * stops when it can't go on; nothing here loops more than 8 times or reads past frame->len.
 *
 * A frame's virtio-net header is hostile too: a guest could ask for its "checksum" to be written
 * over the source address that we have just checked. decode accepts only a partial checksum that
 * lies where the transport protocol has its own (ODD_BAD_L4 otherwise).
 */
#include "packet/packet_priv.h"

#include <string.h>

#define TAGS_MAX 2
#define EXT_MAX 8

#define GSO_KIND(t) ((uint8_t)((t) & ~GSO_ECN))

static bool impossible_v4(const struct addr *src, const struct addr *dst)
{
	static const uint8_t everyone[4] = {255, 255, 255, 255};
	static const uint8_t nobody[4] = {0, 0, 0, 0};
	/* A source of 0.0.0.0 is a DHCP client: it can be, though nobody will let it pass. */
	return (src->b[0] == 0 && memcmp(src->b, nobody, 4) != 0) || src->b[0] == 127 ||
	       (src->b[0] & 0xf0) == 0xe0 || memcmp(src->b, everyone, 4) == 0 || dst->b[0] == 0 ||
	       dst->b[0] == 127;
}

static bool impossible_v6(const struct addr *src, const struct addr *dst)
{
	static const uint8_t zero[16], one[16] = {[15] = 1};
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	/* A source of :: is duplicate address detection. */
	return src->b[0] == 0xff || memcmp(src->b, one, 16) == 0 || memcmp(dst->b, one, 16) == 0 ||
	       memcmp(dst->b, zero, 16) == 0 || memcmp(src->b, mapped, 12) == 0 ||
	       memcmp(dst->b, mapped, 12) == 0;
}

/* Reads the fixed IPv4 header at l->l3 and sets the end of the packet. false: go no further. */
static bool decode_v4(const uint8_t *p, uint32_t left, bool quoted, struct layers *l)
{
	if (left < IP4_HLEN) {
		l->odd |= ODD_TRUNC_IP;
		return false;
	}
	if (p[0] >> 4 != 4) {
		l->odd |= ODD_BAD_IP;
		return false;
	}
	l->ip_ver = 4;
	l->src = addr_from_v4(p + 12);
	l->dst = addr_from_v4(p + 16);
	l->ttl = p[8];
	l->proto = p[9];
	uint32_t header = (p[0] & 15u) * 4, total = load_be16(p + 2);
	uint16_t frag = load_be16(p + 6);
	l->frag_id = load_be16(p + 4);
	l->frag_offset = (uint16_t)((frag & 0x1fff) * 8);
	l->more_fragments = (frag & 0x2000) != 0;
	l->fragment = l->more_fragments || l->frag_offset != 0;
	l->first_fragment = l->fragment && l->frag_offset == 0;
	if (header < IP4_HLEN || total < header)
		l->odd |= ODD_BAD_IP;
	else if (header > left || (total > left && !quoted))
		l->odd |= ODD_TRUNC_IP;
	if (l->odd & (ODD_BAD_IP | ODD_TRUNC_IP))
		return false;
	l->l3_end = l->l3 + (total < left ? total : left);
	if (header > IP4_HLEN)
		l->odd |= ODD_IP_OPTIONS;
	if (packet_sum(p, header, 0) != 0xffff)
		l->odd |= ODD_BAD_IP_CSUM;
	if (l->frag_offset + total - header > 65535)
		l->odd |= ODD_BAD_IP; /* would reassemble to more than an IP packet can hold */
	if (impossible_v4(&l->src, &l->dst) || addr_eq(&l->src, &l->dst))
		l->odd |= ODD_LAND;
	l->payload = l->l3 + header;
	if (!l->fragment || l->first_fragment)
		l->l4 = l->l3 + header;
	return true;
}

static bool is_extension(uint8_t next)
{
	return next == PROTO_HOPOPT || next == PROTO_ROUTING || next == PROTO_FRAGMENT ||
	       next == PROTO_AH || next == PROTO_DSTOPTS || next == PROTO_MOBILITY ||
	       next == PROTO_HIP || next == PROTO_SHIM6;
}

static void cut_chain(struct layers *l)
{
	l->odd |= l->first_fragment ? ODD_FRAGMENT_SMALL : ODD_TRUNC_IP;
}

/* One extension header at *at; steps over it. false: go no further. */
static bool decode_extension(const uint8_t *data, uint32_t *at, unsigned nth, bool *fragmented,
			     struct layers *l)
{
	uint32_t left = l->l3_end - *at;
	if (left < 8) {
		cut_chain(l);
		return false;
	}
	const uint8_t *p = data + *at;
	uint8_t kind = l->proto;
	uint32_t len = kind == PROTO_FRAGMENT ? 8
		       : kind == PROTO_AH     ? (p[1] + 2u) * 4
					      : (p[1] + 1u) * 8;
	if ((kind == PROTO_HOPOPT && nth > 0) || (kind == PROTO_FRAGMENT && *fragmented)) {
		l->odd |= ODD_BAD_IP;
		return false;
	}
	if (len > left) {
		cut_chain(l);
		return false;
	}
	if (kind == PROTO_HOPOPT || kind == PROTO_ROUTING)
		l->odd |= ODD_IP_OPTIONS;
	l->proto = p[0];
	*at += len;
	if (kind != PROTO_FRAGMENT)
		return true;
	*fragmented = true;
	l->more_fragments = (p[3] & 1) != 0;
	l->frag_offset = load_be16(p + 2) & 0xfff8;
	l->fragment = l->more_fragments || l->frag_offset != 0; /* else whole: RFC 6946 */
	l->first_fragment = l->fragment && l->frag_offset == 0;
	l->frag_id = load_be32(p + 4);
	if (l->frag_offset + (l->l3_end - *at) > 65535)
		l->odd |= ODD_BAD_IP;
	return l->frag_offset == 0;
}

static bool decode_v6(const uint8_t *data, uint32_t left, bool quoted, struct layers *l)
{
	const uint8_t *p = data + l->l3;
	if (left < IP6_HLEN) {
		l->odd |= ODD_TRUNC_IP;
		return false;
	}
	if (p[0] >> 4 != 6) {
		l->odd |= ODD_BAD_IP;
		return false;
	}
	l->ip_ver = 6;
	l->src = addr_from_v6(p + 8);
	l->dst = addr_from_v6(p + 24);
	l->ttl = p[7];
	l->proto = p[6];
	uint32_t total = IP6_HLEN + load_be16(p + 4);
	if (total > left && !quoted) {
		l->odd |= ODD_TRUNC_IP;
		return false;
	}
	l->l3_end = l->l3 + (total < left ? total : left);
	if (impossible_v6(&l->src, &l->dst) || addr_eq(&l->src, &l->dst))
		l->odd |= ODD_LAND;

	uint32_t at = l->l3 + IP6_HLEN;
	bool fragmented = false;
	for (unsigned i = 0; is_extension(l->proto); i++) {
		if (i == EXT_MAX) {
			l->odd |= ODD_EXT_DEPTH;
			return false;
		}
		bool more = decode_extension(data, &at, i, &fragmented, l);
		l->payload = at;
		if (!more)
			return !(l->odd & (ODD_BAD_IP | ODD_TRUNC_IP | ODD_FRAGMENT_SMALL));
	}
	l->payload = at;
	if (l->proto != PROTO_NONE)
		l->l4 = at;
	return true;
}

static void decode_tcp(const uint8_t *p, uint32_t len, struct layers *l)
{
	uint32_t header = (p[12] >> 4) * 4u;
	l->sport = load_be16(p);
	l->dport = load_be16(p + 2);
	l->seq = load_be32(p + 4);
	l->ack = load_be32(p + 8);
	l->tcp_flags = p[13] & 0x3f;
	if (header < TCP_HLEN) {
		l->odd |= ODD_BAD_L4;
		header = TCP_HLEN;
	} else if (header > len) {
		l->odd |= l->fragment ? ODD_FRAGMENT_SMALL : ODD_TRUNC_L4;
		header = len;
	}
	l->payload = l->l4 + header;
	uint8_t fl = l->tcp_flags;
	bool syn = fl & TCP_SYN, fin = fl & TCP_FIN, rst = fl & TCP_RST, ack = fl & TCP_ACK;
	if ((syn && (fin || rst)) || (!syn && !rst && !ack))
		l->odd |= ODD_TCP_FLAGS;
}

static void decode_udp(const uint8_t *p, uint32_t len, struct layers *l)
{
	uint32_t udp_len = load_be16(p + 4);
	l->sport = load_be16(p);
	l->dport = load_be16(p + 2);
	l->payload = l->l4 + UDP_HLEN;
	/* Bytes behind the datagram are for nobody, or for somebody who reads it differently. A
	 * first fragment names the length of the whole. */
	if (udp_len < UDP_HLEN || (udp_len != len && !l->fragment))
		l->odd |= ODD_BAD_L4;
}

static void decode_icmp(const uint8_t *p, struct layers *l)
{
	bool v6 = l->ip_ver == 6;
	l->icmp_type = p[0];
	l->icmp_code = p[1];
	l->payload = l->l4 + ICMP_HLEN;
	l->icmp_echo_request = p[0] == (v6 ? ICMP6_ECHO : ICMP_ECHO);
	l->icmp_echo_reply = p[0] == (v6 ? ICMP6_ECHO_REPLY : ICMP_ECHO_REPLY);
	/* Redirects (type 5) quote a packet as well, but they command the receiver; whoever asks
	 * for errors of a known conversation must not get those. */
	l->icmp_error =
		v6 ? p[0] >= 1 && p[0] <= 4 : p[0] == 3 || p[0] == 4 || p[0] == 11 || p[0] == 12;
	if (l->icmp_echo_request || l->icmp_echo_reply)
		l->sport = load_be16(p + 4);
}

static bool is_icmp(const struct layers *l)
{
	return l->proto == (l->ip_ver == 6 ? PROTO_ICMP6 : PROTO_ICMP);
}

static uint32_t l4_header(const struct layers *l)
{
	switch (l->proto) {
	case PROTO_TCP:
		return TCP_HLEN;
	case PROTO_UDP:
		return UDP_HLEN;
	case PROTO_SCTP:
		return SCTP_HLEN;
	default:
		return is_icmp(l) ? ICMP_HLEN : 0;
	}
}

static void decode_l4(const uint8_t *data, struct layers *l)
{
	uint32_t len = l->l3_end - l->l4;
	const uint8_t *p = data + l->l4;
	if (len < l4_header(l)) {
		l->odd |= l->fragment ? ODD_FRAGMENT_SMALL : ODD_TRUNC_L4;
		l->payload = l->l4;
		l->l4 = 0;
		return;
	}
	l->payload = l->l4;
	if (l->proto == PROTO_TCP) {
		decode_tcp(p, len, l);
	} else if (l->proto == PROTO_UDP) {
		decode_udp(p, len, l);
	} else if (l->proto == PROTO_SCTP) {
		l->sport = load_be16(p);
		l->dport = load_be16(p + 2);
		l->payload = l->l4 + SCTP_HLEN;
	} else if (is_icmp(l)) {
		decode_icmp(p, l);
	}
}

/* May the kernel be told to finish this frame's checksum and to cut it into segments? */
static bool offloads_ok(const struct frame *f, const struct layers *l)
{
	bool needs = f->vnet.flags & VNET_NEEDS_CSUM;
	if (needs && (!is_partial(f, l) || l->fragment ||
		      l->l4 + proto_csum_offset(l->proto) + 2 > l->l3_end))
		return false;
	switch (GSO_KIND(f->vnet.gso_type)) {
	case GSO_NONE:
		return true;
	case GSO_TCPV4:
		return needs && l->ip_ver == 4 && l->proto == PROTO_TCP;
	case GSO_TCPV6:
		return needs && l->ip_ver == 6 && l->proto == PROTO_TCP;
	case GSO_UDP:
	case GSO_UDP_L4:
		return needs && l->proto == PROTO_UDP;
	default:
		return false;
	}
}

/* Steps over Ethernet and tags; 0: can't be trusted. */
static uint32_t decode_link(const struct frame *f, struct layers *l)
{
	uint32_t at = ETH_HLEN;
	if (f->len < ETH_HLEN) {
		l->odd |= ODD_TRUNC_ETH;
		return 0;
	}
	uint16_t type = load_be16(f->data + 12);
	for (unsigned tags = 0; type == TYPE_VLAN || type == TYPE_QINQ || type == TYPE_QINQ_OLD;
	     tags++) {
		l->odd |= ODD_VLAN;
		if (tags == TAGS_MAX)
			l->odd |= ODD_EXT_DEPTH;
		else if (f->len - at < VLAN_HLEN)
			l->odd |= ODD_TRUNC_ETH;
		if (l->odd & (ODD_EXT_DEPTH | ODD_TRUNC_ETH))
			return 0;
		if (tags == 0)
			l->vlan_tci = load_be16(f->data + at);
		type = load_be16(f->data + at + 2);
		at += VLAN_HLEN;
	}
	l->ethertype = type;
	return at;
}

void packet_decode(const struct frame *f, struct layers *ret)
{
	struct layers *l = ret;
	memset(l, 0, sizeof(*l));
	uint32_t at = decode_link(f, l);
	if (at == 0)
		return;
	bool ip = false;
	if (l->ethertype == TYPE_ARP) {
		if (f->len - at < ARP_LEN) {
			l->odd |= ODD_TRUNC_ARP;
		} else {
			l->l3 = at;
			l->l3_end = at + ARP_LEN;
		}
	} else if (l->ethertype == TYPE_IPV4) {
		l->l3 = at;
		ip = decode_v4(f->data + at, f->len - at, false, l);
	} else if (l->ethertype == TYPE_IPV6) {
		l->l3 = at;
		ip = decode_v6(f->data, f->len - at, false, l);
	}
	if (ip && l->l4 != 0)
		decode_l4(f->data, l);
	if (l->ip_ver == 0)
		l->l3 = l->ethertype == TYPE_ARP ? l->l3 : 0;
	else if (l->l3_end == 0)
		l->l3_end = f->len; /* what there is of it: the lengths can't be believed */
	if ((f->vnet.flags & VNET_NEEDS_CSUM || f->vnet.gso_type != 0) && !offloads_ok(f, l))
		l->odd |= ODD_BAD_L4;
}

int packet_decode_quoted(const struct frame *f, const struct layers *outer, struct layers *ret)
{
	if (!outer->icmp_error || outer->l4 == 0 || outer->l3_end < outer->l4 + ICMP_HLEN)
		return SKEP_EFORMAT;
	struct layers l;
	memset(&l, 0, sizeof(l));
	l.ethertype = outer->ethertype;
	l.l3 = outer->l4 + ICMP_HLEN;
	uint32_t left = outer->l3_end - l.l3;
	bool ok = outer->ip_ver == 4 ? decode_v4(f->data + l.l3, left, true, &l)
				     : decode_v6(f->data, left, true, &l);
	/* 8 bytes of the transport header hold the ports of every protocol that has some. */
	if (!ok || l.l4 == 0 || l.l3_end - l.l4 < 8)
		return SKEP_EFORMAT;
	const uint8_t *p = f->data + l.l4;
	l.payload = l.l4 + 8;
	if (is_icmp(&l)) {
		decode_icmp(p, &l);
	} else if (l4_header(&l) != 0) {
		l.sport = load_be16(p);
		l.dport = load_be16(p + 2);
		l.seq = l.proto == PROTO_TCP ? load_be32(p + 4) : 0;
	}
	*ret = l;
	return 0;
}
