/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Edits that keep every checksum right. A full checksum is changed incrementally (RFC 1624
 * equation 3: HC' = ~(~HC + ~m + m')). A partial one (VNET_NEEDS_CSUM) is the plain sum of the
 * pseudo-header, so a new address changes it without complements and a new port not at all.
 */
#include "packet/packet_priv.h"

#include <string.h>

/* What must be added to a plain sum when the n bytes (even) at old become those at new. */
static uint16_t sum_change(const uint8_t *old, const uint8_t *new, size_t n)
{
	return fold((uint32_t)(uint16_t)~packet_sum(old, n, 0) + packet_sum(new, n, 0));
}

static uint16_t full_changed(uint16_t field, uint16_t change)
{
	return (uint16_t)~fold((uint32_t)(uint16_t)~field + change);
}

/* Where the L4 checksum lies in the frame, or 0: none, or not there. */
static uint32_t csum_field(const struct layers *l)
{
	uint32_t offset = proto_csum_offset(l->proto);
	if (l->l4 == 0 || offset == 0 || l->l4 + offset + 2 > l->l3_end)
		return 0;
	return l->l4 + offset;
}

/* New value of a full L4 checksum; UDP's 0 means none was made and stays, a computed 0 is 0xffff. */
static uint16_t l4_changed(uint8_t proto, uint16_t field, uint16_t change)
{
	if (proto != PROTO_UDP)
		return full_changed(field, change);
	if (field == 0)
		return 0;
	uint16_t now = full_changed(field, change);
	return now == 0 ? 0xffff : now;
}

void packet_set_macs(struct frame *f, const struct mac *dst, const struct mac *src)
{
	if (f->len < ETH_HLEN)
		return;
	memcpy(f->data, dst->b, 6);
	memcpy(f->data + 6, src->b, 6);
}

static uint32_t addr_field(const struct layers *l, bool src)
{
	if (l->ip_ver == 4)
		return l->l3 + (src ? 12 : 16);
	return l->l3 + (src ? 8 : 24);
}

void packet_set_addr(struct frame *f, struct layers *l, bool src, const struct addr *to)
{
	if (l->l3 == 0 || l->ip_ver == 0 || to->ver != l->ip_ver)
		return;
	size_t n = l->ip_ver == 4 ? 4 : 16;
	uint8_t *at = f->data + addr_field(l, src);
	uint16_t change = sum_change(at, to->b, n);
	if (l->ip_ver == 4) {
		uint8_t *sum = f->data + l->l3 + 10;
		store_be16(sum, full_changed(load_be16(sum), change));
	}
	uint32_t field = proto_has_pseudo(l->proto) ? csum_field(l) : 0;
	if (field != 0) {
		uint16_t old = load_be16(f->data + field);
		store_be16(f->data + field, is_partial(f, l) ? fold((uint32_t)old + change)
							     : l4_changed(l->proto, old, change));
	}
	memcpy(at, to->b, n);
	*(src ? &l->src : &l->dst) = *to;
}

/* Where the port (or echo id) lies, or 0 when the packet has none to set. */
static uint32_t port_field(const struct layers *l, bool src)
{
	if (l->l4 == 0)
		return 0;
	if (l->proto == PROTO_TCP || l->proto == PROTO_UDP || l->proto == PROTO_SCTP)
		return l->l4 + (src ? 0 : 2);
	if (src && (l->icmp_echo_request || l->icmp_echo_reply))
		return l->l4 + 4;
	return 0;
}

void packet_set_port(struct frame *f, struct layers *l, bool src, uint16_t to)
{
	uint32_t at = port_field(l, src), field = csum_field(l);
	if (at == 0)
		return;
	uint8_t bytes[2];
	store_be16(bytes, to);
	uint16_t change = sum_change(f->data + at, bytes, 2);
	memcpy(f->data + at, bytes, 2);
	*(src ? &l->sport : &l->dport) = to;
	if (l->proto == PROTO_SCTP && !l->fragment) {
		uint32_t len = l->l3_end - l->l4;
		store_be32(f->data + l->l4 + 8, sctp_crc(f->data + l->l4, len));
	} else if (field != 0 && !is_partial(f, l)) {
		uint16_t old = load_be16(f->data + field);
		store_be16(f->data + field, l4_changed(l->proto, old, change));
	}
}

/* Writes n bytes (even, at an even distance from the ICMP header) inside an ICMP error and keeps
 * the error's own checksum right. */
static void put_quoted(struct frame *f, const struct layers *outer, uint32_t at,
		       const uint8_t *bytes, size_t n)
{
	if (!is_partial(f, outer)) {
		uint8_t *sum = f->data + outer->l4 + 2;
		uint16_t change = sum_change(f->data + at, bytes, n);
		store_be16(sum, full_changed(load_be16(sum), change));
	}
	memcpy(f->data + at, bytes, n);
}

static void put_quoted16(struct frame *f, const struct layers *outer, uint32_t at, uint16_t v)
{
	uint8_t bytes[2];
	store_be16(bytes, v);
	put_quoted(f, outer, at, bytes, 2);
}

void packet_set_quoted(struct frame *f, const struct layers *outer, struct layers *quoted, bool src,
		       const struct addr *to, uint16_t port)
{
	struct layers *q = quoted;
	uint32_t field = csum_field(q), at = port_field(q, src);
	uint16_t l4_change = 0;
	if (to->ver == q->ip_ver && q->l3 != 0) {
		size_t n = q->ip_ver == 4 ? 4 : 16;
		uint32_t where = addr_field(q, src);
		uint16_t change = sum_change(f->data + where, to->b, n);
		put_quoted(f, outer, where, to->b, n);
		if (q->ip_ver == 4) {
			uint16_t sum = load_be16(f->data + q->l3 + 10);
			put_quoted16(f, outer, q->l3 + 10, full_changed(sum, change));
		}
		if (proto_has_pseudo(q->proto))
			l4_change = change;
		*(src ? &q->src : &q->dst) = *to;
	}
	if (at != 0) {
		uint8_t bytes[2];
		store_be16(bytes, port);
		l4_change = fold((uint32_t)l4_change + sum_change(f->data + at, bytes, 2));
		put_quoted(f, outer, at, bytes, 2);
		*(src ? &q->sport : &q->dport) = port;
	}
	if (field != 0) {
		uint16_t old = load_be16(f->data + field);
		put_quoted16(f, outer, field, l4_changed(q->proto, old, l4_change));
	}
}

bool packet_lower_ttl(struct frame *f, struct layers *l)
{
	if (l->l3 == 0 || l->ip_ver == 0 || l->ttl <= 1)
		return false;
	l->ttl--;
	if (l->ip_ver == 6) {
		f->data[l->l3 + 7] = l->ttl;
		return true;
	}
	uint8_t *at = f->data + l->l3 + 8, *sum = f->data + l->l3 + 10;
	uint8_t now[2] = {l->ttl, at[1]};
	store_be16(sum, full_changed(load_be16(sum), sum_change(at, now, 2)));
	at[0] = l->ttl;
	return true;
}

/* Sum of the bytes where they stand: at an odd distance from the checksum's beginning they are the
 * other halves of its words (RFC 1071 2B). */
static uint16_t sum_at(const void *bytes, uint32_t len, uint32_t distance)
{
	uint16_t sum = packet_sum(bytes, len, 0);
	return distance % 2 == 0 ? sum : (uint16_t)(sum << 8 | sum >> 8);
}

bool packet_set_bytes(struct frame *f, const struct layers *l, uint32_t off, const void *bytes,
		      uint32_t len)
{
	bool sctp = l->proto == PROTO_SCTP;
	uint32_t field = csum_field(l), own = sctp ? l->l4 + 8 : field, own_len = sctp ? 4 : 2;
	if (l->l4 == 0 || off < l->l4 || off > l->l3_end || len > l->l3_end - off ||
	    l->proto == PROTO_UDPLITE || l->proto == PROTO_DCCP || (sctp && l->fragment) ||
	    (own != 0 && off < own + own_len && off + len > own))
		return false;
	if (field != 0 && !is_partial(f, l)) {
		uint16_t old = sum_at(f->data + off, len, off - l->l4);
		uint16_t now = sum_at(bytes, len, off - l->l4);
		uint16_t change = fold((uint32_t)(uint16_t)~old + now);
		uint16_t sum = load_be16(f->data + field);
		store_be16(f->data + field, l4_changed(l->proto, sum, change));
	}
	memcpy(f->data + off, bytes, len);
	if (sctp)
		store_be32(f->data + own, sctp_crc(f->data + l->l4, l->l3_end - l->l4));
	return true;
}

void packet_set_seq_ack(struct frame *f, struct layers *l, uint32_t seq, uint32_t ack)
{
	uint8_t numbers[8];
	if (l->proto != PROTO_TCP || l->l4 == 0)
		return;
	store_be32(numbers, seq);
	store_be32(numbers + 4, ack);
	if (packet_set_bytes(f, l, l->l4 + 4, numbers, 8)) {
		l->seq = seq;
		l->ack = ack;
	}
}

void packet_clear_urgent(struct frame *f, struct layers *l)
{
	static const uint8_t no_pointer[2] = {0, 0};
	if (l->proto != PROTO_TCP || l->l4 == 0)
		return;
	const uint8_t *p = f->data + l->l4;
	uint8_t flags = p[13] & (uint8_t)~TCP_URG;
	if (packet_set_bytes(f, l, l->l4 + 13, &flags, 1) &&
	    packet_set_bytes(f, l, l->l4 + 18, no_pointer, 2))
		l->tcp_flags &= (uint8_t)~TCP_URG;
}

void packet_finish_tcp(struct frame *f, struct layers *l, uint32_t payload_len, bool partial,
		       uint16_t gso_size)
{
	uint8_t *ip = f->data + l->l3, *tcp = f->data + l->l4;
	uint32_t len = l->payload - l->l4 + payload_len;
	if (l->proto != PROTO_TCP || l->l4 == 0 || l->fragment)
		return;
	l->l3_end = f->len = l->payload + payload_len;
	if (l->ip_ver == 4) {
		uint32_t header = l->l4 - l->l3;
		store_be16(ip + 2, (uint16_t)(l->l3_end - l->l3));
		store_be16(ip + 10, 0);
		store_be16(ip + 10, (uint16_t)~packet_sum(ip, header, 0));
	} else {
		store_be16(ip + 4, (uint16_t)(l->l3_end - l->l3 - IP6_HLEN));
	}
	l->seq = load_be32(tcp + 4);
	l->ack = load_be32(tcp + 8);
	l->tcp_flags = tcp[13] & 0x3f;
	memset(&f->vnet, 0, sizeof(f->vnet));
	uint16_t pseudo = pseudo_sum(&l->src, &l->dst, PROTO_TCP, len);
	if (!partial && gso_size == 0) {
		store_be16(tcp + 16, 0);
		store_be16(tcp + 16, (uint16_t)~packet_sum(tcp, len, pseudo));
		return;
	}
	store_be16(tcp + 16, pseudo);
	f->vnet.flags = VNET_NEEDS_CSUM;
	f->vnet.csum_start = (uint16_t)l->l4;
	f->vnet.csum_offset = 16;
	f->vnet.hdr_len = (uint16_t)l->payload;
	if (gso_size == 0)
		return;
	f->vnet.gso_size = gso_size;
	f->vnet.gso_type = l->ip_ver == 4 ? GSO_TCPV4 : GSO_TCPV6;
	if (tcp[13] & TCP_CWR)
		f->vnet.gso_type |= GSO_ECN; /* only the first segment may say it */
}
