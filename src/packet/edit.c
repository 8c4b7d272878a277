/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Edits that keep every checksum right. A whole checksum is updated incrementally (RFC 1624 eqn. 3);
 * a partial one (VNET_NEEDS_CSUM) holds the plain pseudo-header sum, so only addresses touch it,
 * and without the complement.
 */
#include "packet/packet_priv.h"

#include <string.h>

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Plain sum with old taken out and new put in. */
static uint16_t sum_replace(uint16_t sum, uint16_t old, uint16_t new)
{
	return fold((uint32_t)sum + (uint16_t)~old + new);
}

/* The checksum field at p: bytes whose plain sum was old now sum to new. */
static void adjust(uint8_t *p, uint16_t old, uint16_t new, bool partial)
{
	uint16_t field = load_be16(p);
	if (partial)
		store_be16(p, sum_replace(field, old, new));
	else
		store_be16(p, (uint16_t)~sum_replace((uint16_t)~field, old, new));
}

/* Where the L4 checksum lies, relative to L4; 0: the protocol has none that covers addresses or
 * ports of ours. */
static uint32_t checksum_offset(const struct layers *l)
{
	switch (l->proto) {
	case IP_TCP:
		return 16;
	case IP_UDP:
		return 6;
	case IP_ICMP:
	case IP_ICMP6:
		return 2;
	default:
		return 0;
	}
}

/* The L4 checksum after an edit. pseudo: the edited bytes belong to the pseudo header. */
static void adjust_l4(struct frame *f, const struct layers *l, uint16_t old, uint16_t new,
		      bool pseudo)
{
	uint32_t at = checksum_offset(l);
	bool partial = (f->vnet.flags & VNET_NEEDS_CSUM) != 0;
	if (at == 0 || l->payload == 0 || (l->fragment && !l->first_fragment))
		return;
	if (pseudo ? l->proto == IP_ICMP : partial)
		return;
	uint8_t *p = f->data + l->l4 + at;
	if (l->proto == IP_UDP && !partial && load_be16(p) == 0)
		return; /* sent without */
	adjust(p, old, new, partial);
	if (l->proto == IP_UDP && !partial && load_be16(p) == 0)
		store_be16(p, 0xffff);
}

void packet_set_macs(struct frame *f, const struct mac *dst, const struct mac *src)
{
	memcpy(f->data, dst->b, 6);
	memcpy(f->data + 6, src->b, 6);
}

void packet_set_addr(struct frame *f, struct layers *l, bool src, const struct addr *to)
{
	bool v4 = l->ip_ver == 4;
	size_t n = v4 ? 4 : 16;
	uint8_t *p = f->data + l->l3 + (v4 ? (src ? 12u : 16u) : (src ? 8u : 24u));
	if (to->ver != l->ip_ver)
		return;
	uint16_t old = packet_sum(p, n, 0), new = packet_sum(to->b, n, 0);
	memcpy(p, to->b, n);
	if (v4)
		adjust(f->data + l->l3 + 10, old, new, false);
	adjust_l4(f, l, old, new, true);
	if (src)
		l->src = *to;
	else
		l->dst = *to;
}

void packet_set_port(struct frame *f, struct layers *l, bool src, uint16_t to)
{
	bool icmp = l->proto == IP_ICMP || l->proto == IP_ICMP6;
	if (l->payload == 0 || (l->fragment && !l->first_fragment))
		return;
	if (icmp && (!src || !(l->icmp_echo_request || l->icmp_echo_reply)))
		return;
	if (!icmp && l->proto != IP_TCP && l->proto != IP_UDP)
		return;
	uint8_t *p = f->data + l->l4 + (icmp ? 4 : src ? 0 : 2);
	uint16_t old = load_be16(p);
	store_be16(p, to);
	adjust_l4(f, l, old, to, false);
	if (src)
		l->sport = to;
	else
		l->dport = to;
}

/* Takes len bytes at p out of or into the plain sum of the ICMP message that starts at base. A
 * field at an odd distance counts with its bytes swapped. */
static uint16_t span_sum(const uint8_t *base, const uint8_t *p, size_t len)
{
	uint16_t sum = packet_sum(p, len, 0);
	return (p - base) % 2 != 0 ? __builtin_bswap16(sum) : sum;
}

void packet_set_quoted(struct frame *f, const struct layers *outer, struct layers *quoted, bool src,
		       const struct addr *to, uint16_t port)
{
	bool v4 = quoted->ip_ver == 4;
	size_t n = v4 ? 4 : 16;
	uint8_t *base = f->data + outer->l4;
	/* Everything that may change lies between the quoted header and 8 bytes of its payload. */
	uint32_t span = quoted->l4 + 8 - quoted->l3;
	if (to->ver != quoted->ip_ver)
		return;
	if (quoted->l4 + 8 > quoted->l3_end)
		span = quoted->l3_end - quoted->l3;
	uint8_t *start = f->data + quoted->l3;
	uint16_t old = span_sum(base, start, span);
	uint8_t *p = start + (v4 ? (src ? 12 : 16) : (src ? 8 : 24));
	uint16_t old_addr = packet_sum(p, n, 0), new_addr = packet_sum(to->b, n, 0);
	memcpy(p, to->b, n);
	if (v4)
		adjust(start + 10, old_addr, new_addr, false);
	bool ports = quoted->proto == IP_TCP || quoted->proto == IP_UDP || quoted->proto == IP_SCTP;
	bool echo = quoted->icmp_echo_request || quoted->icmp_echo_reply;
	uint32_t at = quoted->l4 + (echo ? 4 : src ? 0 : 2);
	if (at + 2 <= quoted->l3_end && (ports || (echo && src)))
		store_be16(f->data + at, port);
	/* The quoted L4 checksum stays as it is: receivers can't check it, half of the data is gone. */
	if (!(f->vnet.flags & VNET_NEEDS_CSUM))
		adjust(base + 2, old, span_sum(base, start, span), false);
	if (src) {
		quoted->src = *to;
		quoted->sport = port;
	} else {
		quoted->dst = *to;
		quoted->dport = port;
	}
}

bool packet_lower_ttl(struct frame *f, struct layers *l)
{
	uint8_t *p = f->data + l->l3 + (l->ip_ver == 4 ? 8 : 7);
	if (l->ttl <= 1)
		return false;
	if (l->ip_ver == 4) {
		uint16_t old = load_be16(p);
		(*p)--;
		adjust(f->data + l->l3 + 10, old, load_be16(p), false);
	} else {
		(*p)--;
	}
	l->ttl--;
	return true;
}
