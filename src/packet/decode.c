/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where things are in a frame. Nothing is read before its length was checked against the frame, and
 * the walk over tags and extension headers is bounded; what can't be trusted sets an oddity bit and
 * ends the walk.
 */
#include "packet/packet_priv.h"

#include <string.h>

#define MAX_TAGS 2
#define MAX_EXT 8

static bool is_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static void check_addresses(struct layers *l)
{
	size_t n = l->ip_ver == 4 ? 4 : 16;
	bool dad = l->ip_ver == 6 && is_zero(l->src.b, 16); /* duplicate address detection */
	if (memcmp(l->src.b, l->dst.b, n) == 0 || is_zero(l->dst.b, n))
		l->odd |= ODD_LAND;
	if (l->ip_ver == 4 && (l->src.b[0] == 127 || l->dst.b[0] == 127 || l->src.b[0] >= 224))
		l->odd |= ODD_LAND;
	if (l->ip_ver == 6 && !dad && l->src.b[0] == 0xff)
		l->odd |= ODD_LAND;
}

static void decode_tcp(const uint8_t *p, struct layers *l)
{
	uint32_t room = l->l3_end - l->l4;
	if (room < 20) {
		l->odd |= ODD_TRUNC_L4;
		return;
	}
	uint32_t head = (uint32_t)(p[12] >> 4) * 4;
	l->sport = load_be16(p);
	l->dport = load_be16(p + 2);
	l->seq = load_be32(p + 4);
	l->ack = load_be32(p + 8);
	l->tcp_flags = p[13] & 0x3f;
	if (head < 20 || head > room) {
		l->odd |= ODD_BAD_L4;
		return;
	}
	l->payload = l->l4 + head;
	uint8_t f = l->tcp_flags;
	if ((f & TCP_SYN && f & (TCP_FIN | TCP_RST)) ||
	    (f & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == 0)
		l->odd |= ODD_TCP_FLAGS;
}

static void decode_udp(const uint8_t *p, struct layers *l)
{
	uint32_t room = l->l3_end - l->l4;
	if (room < 8) {
		l->odd |= ODD_TRUNC_L4;
		return;
	}
	uint32_t len = load_be16(p + 4);
	l->sport = load_be16(p);
	l->dport = load_be16(p + 2);
	l->payload = l->l4 + 8;
	/* A first fragment names the length of the whole datagram. */
	if (len < 8 || (!l->fragment && len != room))
		l->odd |= ODD_BAD_L4;
}

static void decode_icmp(const uint8_t *p, struct layers *l, bool v6)
{
	uint32_t room = l->l3_end - l->l4;
	if (room < 8) {
		l->odd |= ODD_TRUNC_L4;
		return;
	}
	l->icmp_type = p[0];
	l->icmp_code = p[1];
	l->icmp_echo_request = p[0] == (v6 ? 128 : 8);
	l->icmp_echo_reply = p[0] == (v6 ? 129 : 0);
	l->icmp_error =
		v6 ? p[0] >= 1 && p[0] <= 4 : p[0] == 3 || p[0] == 4 || p[0] == 11 || p[0] == 12;
	if (l->icmp_echo_request || l->icmp_echo_reply)
		l->sport = load_be16(p + 4);
	l->payload = l->l4 + 8;
}

void packet_decode_transport(const struct frame *f, struct layers *l)
{
	const uint8_t *p = f->data + l->l4;
	if (l->fragment && !l->first_fragment)
		return; /* its bytes are somewhere in the middle: no header here */
	switch (l->proto) {
	case IP_TCP:
		decode_tcp(p, l);
		break;
	case IP_UDP:
		decode_udp(p, l);
		break;
	case IP_ICMP:
		if (l->ip_ver == 4)
			decode_icmp(p, l, false);
		break;
	case IP_ICMP6:
		if (l->ip_ver == 6)
			decode_icmp(p, l, true);
		break;
	case IP_SCTP:
		if (l->l3_end - l->l4 < 12) {
			l->odd |= ODD_TRUNC_L4;
			break;
		}
		l->sport = load_be16(p);
		l->dport = load_be16(p + 2);
		l->payload = l->l4 + 12;
		break;
	default:
		l->payload = l->l4;
		break;
	}
	if (l->fragment && l->odd & ODD_TRUNC_L4)
		l->odd |= ODD_FRAGMENT_SMALL;
}

void packet_decode_ip4(const struct frame *f, struct layers *l, bool quoted)
{
	const uint8_t *p = f->data + l->l3;
	uint32_t room = f->len - l->l3;
	if (room < 20) {
		l->odd |= ODD_TRUNC_IP;
		return;
	}
	uint32_t head = (uint32_t)(p[0] & 15) * 4, total = load_be16(p + 2);
	if (p[0] >> 4 != 4 || head < 20) {
		l->odd |= ODD_BAD_IP;
		return;
	}
	if (head > room || total < head || (total > room && !quoted)) {
		l->odd |= ODD_TRUNC_IP;
		return;
	}
	l->ip_ver = 4;
	l->l3_end = l->l3 + (total < room ? total : room);
	l->ttl = p[8];
	l->proto = p[9];
	l->src = addr_from_v4(p + 12);
	l->dst = addr_from_v4(p + 16);
	uint16_t frag = load_be16(p + 6);
	l->frag_offset = (uint16_t)((frag & 0x1fff) * 8);
	l->more_fragments = (frag & 0x2000) != 0;
	l->fragment = l->more_fragments || l->frag_offset != 0;
	l->first_fragment = l->fragment && l->frag_offset == 0;
	l->frag_id = load_be16(p + 4);
	l->l4 = l->l3 + head;
	if (head > 20)
		l->odd |= ODD_IP_OPTIONS;
	if (!quoted && packet_sum(p, head, 0) != 0xffff)
		l->odd |= ODD_BAD_IP_CSUM;
	if (l->frag_offset + (l->l3_end - l->l4) > 65535)
		l->odd |= ODD_BAD_IP; /* "ping of death" */
	if (!quoted)
		check_addresses(l);
}

static bool is_extension(uint8_t next)
{
	return next == 0 || next == 43 || next == 44 || next == 51 || next == 60 || next == 135 ||
	       next == 139 || next == 140;
}

/* Reads the fragment header at p. */
static void read_fragment_header(const uint8_t *p, struct layers *l)
{
	uint16_t frag = load_be16(p + 2);
	l->frag_offset = frag & 0xfff8;
	l->more_fragments = (frag & 1) != 0;
	l->fragment = l->more_fragments || l->frag_offset != 0; /* else atomic: RFC 6946 */
	l->first_fragment = l->fragment && l->frag_offset == 0;
	l->frag_id = load_be32(p + 4);
}

/* Walks the extension headers from offset at; false if the chain can't be followed. */
static bool walk_extensions(const struct frame *f, struct layers *l, uint8_t next, uint32_t at)
{
	for (unsigned n = 0; is_extension(next); n++) {
		const uint8_t *p = f->data + at;
		if (n == MAX_EXT) {
			l->odd |= ODD_EXT_DEPTH;
			return false;
		}
		if (l->l3_end - at < 8) {
			l->odd |= ODD_TRUNC_IP;
			return false;
		}
		uint32_t len = next == 44   ? 8
			       : next == 51 ? (uint32_t)(p[1] + 2) * 4
					    : (uint32_t)(p[1] + 1) * 8;
		if (len > l->l3_end - at) {
			l->odd |= ODD_TRUNC_IP;
			return false;
		}
		if (next == 0 || next == 43)
			l->odd |= ODD_IP_OPTIONS;
		if (next == 44) {
			if (l->frag_id != 0 || l->fragment)
				l->odd |= ODD_BAD_IP; /* two fragment headers */
			read_fragment_header(p, l);
		}
		next = p[0];
		at += len;
		if (l->fragment && !l->first_fragment)
			break; /* what follows is the middle of something */
	}
	l->proto = next;
	l->l4 = at;
	return true;
}

void packet_decode_ip6(const struct frame *f, struct layers *l, bool quoted)
{
	const uint8_t *p = f->data + l->l3;
	uint32_t room = f->len - l->l3;
	if (room < 40) {
		l->odd |= ODD_TRUNC_IP;
		return;
	}
	uint32_t total = 40u + load_be16(p + 4);
	if (p[0] >> 4 != 6) {
		l->odd |= ODD_BAD_IP;
		return;
	}
	if (total > room && !quoted) {
		l->odd |= ODD_TRUNC_IP;
		return;
	}
	l->ip_ver = 6;
	l->l3_end = l->l3 + (total < room ? total : room);
	l->ttl = p[7];
	l->src = addr_from_v6(p + 8);
	l->dst = addr_from_v6(p + 24);
	if (!quoted)
		check_addresses(l);
	if (!walk_extensions(f, l, p[6], l->l3 + 40)) {
		l->l4 = 0;
		return;
	}
	if (l->frag_offset + (l->l3_end - l->l4) > 65535)
		l->odd |= ODD_BAD_IP;
}

void packet_decode(const struct frame *f, struct layers *ret)
{
	struct layers *l = ret;
	*l = (struct layers){0};
	uint32_t at = ETH_HLEN;
	if (f->len < ETH_HLEN) {
		l->odd |= ODD_TRUNC_ETH;
		return;
	}
	l->ethertype = load_be16(f->data + 12);
	for (unsigned n = 0; l->ethertype == ETH_VLAN || l->ethertype == ETH_QINQ; n++) {
		if (n == MAX_TAGS) {
			l->odd |= ODD_EXT_DEPTH;
			return;
		}
		if (f->len - at < 4) {
			l->odd |= ODD_TRUNC_ETH;
			return;
		}
		if (n == 0)
			l->vlan_tci = load_be16(f->data + at);
		l->odd |= ODD_VLAN;
		l->ethertype = load_be16(f->data + at + 2);
		at += 4;
	}
	l->l3 = at;
	if (l->ethertype == ETH_IP4)
		packet_decode_ip4(f, l, false);
	else if (l->ethertype == ETH_IP6)
		packet_decode_ip6(f, l, false);
	else if (l->ethertype == ETH_ARP && f->len - at < 28)
		l->odd |= ODD_TRUNC_ARP;
	if (l->l4 != 0)
		packet_decode_transport(f, l);
}

int packet_decode_quoted(const struct frame *f, const struct layers *outer, struct layers *ret)
{
	struct layers l = {.l3 = outer->payload, .ethertype = outer->ethertype};
	if (!outer->icmp_error || outer->payload == 0 || outer->payload >= outer->l3_end)
		return SKEP_EFORMAT;
	/* The quoted packet ends where the outer one does: hide padding behind it. */
	struct frame inner = *f;
	inner.len = outer->l3_end;
	if (outer->ip_ver == 4)
		packet_decode_ip4(&inner, &l, true);
	else
		packet_decode_ip6(&inner, &l, true);
	if (l.l4 == 0 || l.odd & (ODD_TRUNC_IP | ODD_BAD_IP) || (l.fragment && !l.first_fragment))
		return SKEP_EFORMAT;
	const uint8_t *p = f->data + l.l4;
	bool icmp = l.proto == (l.ip_ver == 4 ? IP_ICMP : IP_ICMP6);
	bool ports = l.proto == IP_TCP || l.proto == IP_UDP || l.proto == IP_SCTP;
	if ((ports || icmp) && l.l3_end - l.l4 < 8)
		return SKEP_EFORMAT;
	if (ports) {
		l.sport = load_be16(p);
		l.dport = load_be16(p + 2);
	} else if (icmp) {
		decode_icmp(p, &l, l.ip_ver == 6);
	}
	l.odd = 0;
	*ret = l;
	return 0;
}
