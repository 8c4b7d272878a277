/* SPDX-License-Identifier: BSD-2-Clause */
/* Internet checksums (RFC 1071), whole and partial. */
#include "packet/packet_priv.h"

#include <string.h>

uint16_t packet_sum(const void *data, size_t len, uint32_t start)
{
	const uint8_t *p = data;
	uint64_t sum = 0;
	/* Sum native words: the ones' complement sum doesn't care about byte order (RFC 1071, 2B). */
	for (; len >= 8; len -= 8, p += 8) {
		uint64_t w;
		memcpy(&w, p, 8);
		sum += (w & 0xffffffff) + (w >> 32);
	}
	for (; len >= 2; len -= 2, p += 2) {
		uint16_t w;
		memcpy(&w, p, 2);
		sum += w;
	}
	if (len > 0) {
		uint16_t w = 0;
		memcpy(&w, p, 1);
		sum += w;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	uint32_t folded = __builtin_bswap16((uint16_t)sum) + start;
	while (folded >> 16)
		folded = (folded & 0xffff) + (folded >> 16);
	return (uint16_t)folded;
}

uint16_t packet_pseudo_sum(const struct layers *l, uint8_t proto, uint32_t len)
{
	size_t n = l->ip_ver == 4 ? 4 : 16;
	uint32_t sum = packet_sum(l->src.b, n, 0);
	sum = packet_sum(l->dst.b, n, sum);
	sum += proto + (len >> 16) + (len & 0xffff);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

bool packet_checksums_ok(const struct frame *f, const struct layers *l)
{
	if (l->odd & ODD_BAD_IP_CSUM)
		return false;
	if (l->l4 == 0 || l->payload == 0 || l->fragment || f->vnet.flags & VNET_NEEDS_CSUM)
		return true;
	const uint8_t *p = f->data + l->l4;
	uint32_t len = l->l3_end - l->l4;
	switch (l->proto) {
	case IP_TCP:
		return packet_sum(p, len, packet_pseudo_sum(l, l->proto, len)) == 0xffff;
	case IP_UDP:
		if (load_be16(p + 6) == 0)
			return l->ip_ver == 4; /* RFC 8200 8.1: not allowed over IPv6 */
		return packet_sum(p, len, packet_pseudo_sum(l, l->proto, len)) == 0xffff;
	case IP_ICMP:
		return packet_sum(p, len, 0) == 0xffff;
	case IP_ICMP6:
		return packet_sum(p, len, packet_pseudo_sum(l, l->proto, len)) == 0xffff;
	default:
		return true;
	}
}
