/* SPDX-License-Identifier: BSD-2-Clause */
/* Internet checksums (RFC 1071), the pseudo-header, and SCTP's CRC32c. */
#include "packet/packet_priv.h"

#include <string.h>

uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* The sum of native-order words is the byte-swapped sum of network-order words (RFC 1071 2B), so
 * the loop adds native 32-bit words into 64 bits and swaps once at the end. */
uint16_t packet_sum(const void *data, size_t len, uint32_t start)
{
	const uint8_t *p = data;
	uint64_t sum = 0;

	for (; len >= 32; len -= 32, p += 32) {
		uint32_t w[8];
		memcpy(w, p, sizeof(w));
		sum += (uint64_t)w[0] + w[1] + w[2] + w[3] + w[4] + w[5] + w[6] + w[7];
	}
	for (; len >= 4; len -= 4, p += 4) {
		uint32_t w;
		memcpy(&w, p, sizeof(w));
		sum += w;
	}
	uint8_t tail[4] = {0, 0, 0, 0};
	for (size_t i = 0; i < len; i++)
		tail[i] = p[i];
	uint32_t last;
	memcpy(&last, tail, sizeof(last));
	sum += last;

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	uint16_t folded = fold((uint32_t)sum);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	folded = __builtin_bswap16(folded);
#endif
	return fold((uint32_t)folded + fold(start));
}

uint16_t pseudo_sum(const struct addr *src, const struct addr *dst, uint8_t proto, uint32_t len)
{
	size_t n = src->ver == 4 ? 4 : 16;
	uint32_t sum = packet_sum(src->b, n, (len & 0xffff) + (len >> 16) + proto);
	return packet_sum(dst->b, n, sum);
}

uint32_t proto_csum_offset(uint8_t proto)
{
	switch (proto) {
	case PROTO_TCP:
		return 16;
	case PROTO_UDP:
	case PROTO_UDPLITE:
	case PROTO_DCCP:
		return 6;
	case PROTO_ICMP:
	case PROTO_ICMP6:
		return 2;
	default:
		return 0;
	}
}

bool proto_has_pseudo(uint8_t proto)
{
	return proto != PROTO_ICMP && proto_csum_offset(proto) != 0;
}

bool is_partial(const struct frame *f, const struct layers *l)
{
	return (f->vnet.flags & VNET_NEEDS_CSUM) != 0 && l->l4 != 0 &&
	       f->vnet.csum_start == l->l4 && f->vnet.csum_offset != 0 &&
	       f->vnet.csum_offset == proto_csum_offset(l->proto);
}

/* Nibble-wise table of the reflected polynomial 0x82f63b78. */
static const uint32_t crc_nibble[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
	0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t sctp_crc(const uint8_t *packet, uint32_t len)
{
	uint32_t crc = 0xffffffff;
	for (uint32_t i = 0; i < len; i++) {
		crc ^= i >= 8 && i < 12 ? 0 : packet[i];
		crc = (crc >> 4) ^ crc_nibble[crc & 15];
		crc = (crc >> 4) ^ crc_nibble[crc & 15];
	}
	/* RFC 9260 appendix A: the CRC goes out least significant byte first. */
	return __builtin_bswap32(~crc);
}

static bool l4_sum_ok(const struct frame *f, const struct layers *l)
{
	const uint8_t *p = f->data + l->l4;
	uint32_t len = l->l3_end - l->l4;
	switch (l->proto) {
	case PROTO_TCP:
		return len >= TCP_HLEN &&
		       packet_sum(p, len, pseudo_sum(&l->src, &l->dst, l->proto, len)) == 0xffff;
	case PROTO_UDP: {
		uint32_t udp_len = len >= UDP_HLEN ? load_be16(p + 4) : 0;
		if (udp_len < UDP_HLEN || udp_len > len)
			return false;
		if (load_be16(p + 6) == 0)
			return l->ip_ver == 4; /* none was made; IPv6 forbids that (RFC 8200 8.1) */
		uint16_t start = pseudo_sum(&l->src, &l->dst, l->proto, udp_len);
		return packet_sum(p, udp_len, start) == 0xffff;
	}
	case PROTO_ICMP:
		return l->ip_ver != 4 || (len >= 4 && packet_sum(p, len, 0) == 0xffff);
	case PROTO_ICMP6:
		return l->ip_ver != 6 ||
		       (len >= 4 &&
			packet_sum(p, len, pseudo_sum(&l->src, &l->dst, l->proto, len)) == 0xffff);
	case PROTO_SCTP:
		return len >= SCTP_HLEN && load_be32(p + 8) == sctp_crc(p, len);
	default:
		return true;
	}
}

bool packet_checksums_ok(const struct frame *f, const struct layers *l)
{
	if (l->l3 == 0 || l->ip_ver == 0)
		return true;
	if (l->ip_ver == 4) {
		uint32_t header = (f->data[l->l3] & 15u) * 4;
		if (l->l3 + header > f->len || packet_sum(f->data + l->l3, header, 0) != 0xffff)
			return false;
	}
	if (l->fragment || l->l4 == 0 || is_partial(f, l))
		return true;
	return l4_sum_ok(f, l);
}
