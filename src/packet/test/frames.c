/* SPDX-License-Identifier: BSD-2-Clause */
#include "frames.h"

#include <stdlib.h>
#include <string.h>

uint32_t random_u32(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15; /* the same frames in every run */
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

struct addr random_addr(int ver)
{
	uint8_t b[16];
	for (int i = 0; i < 16; i++)
		b[i] = (uint8_t)random_u32();
	if (ver == 6) {
		b[0] = 0x20;
		return addr_from_v6(b);
	}
	b[0] = (uint8_t)(1 + b[0] % 100);
	return addr_from_v4(b);
}

struct frame *frame_new(uint32_t cap)
{
	struct frame *f = calloc(1, sizeof(*f));
	f->data = calloc(1, cap > 0 ? cap : 1);
	f->cap = cap;
	return f;
}

void frame_free(struct frame *f)
{
	free(f->data);
	free(f);
}

struct frame *frame_cut(const struct frame *f, uint32_t len)
{
	struct frame *cut = frame_new(len);
	memcpy(cut->data, f->data, len);
	cut->len = len;
	cut->vnet = f->vnet;
	return cut;
}

uint16_t slow_sum(const uint8_t *p, size_t len, uint32_t start)
{
	uint64_t sum = start;
	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint16_t slow_pseudo(const struct addr *src, const struct addr *dst, uint8_t proto,
			    uint32_t len)
{
	uint8_t buf[40] = {0};
	size_t n = src->ver == 4 ? 4 : 16;
	memcpy(buf, src->b, n);
	memcpy(buf + n, dst->b, n);
	store_be32(buf + 2 * n, len);
	buf[2 * n + 7] = proto;
	return slow_sum(buf, 2 * n + 8, 0);
}

static uint32_t slow_crc32c(const uint8_t *p, uint32_t len)
{
	uint32_t crc = ~UINT32_C(0);
	for (uint32_t i = 0; i < len; i++) {
		crc ^= i >= 8 && i < 12 ? 0 : p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? (crc >> 1) ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

static uint32_t sum_offset(uint8_t proto)
{
	return proto == 6 ? 16 : proto == 17 ? 6 : 2;
}

static void put_random(struct frame *f, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		f->data[f->len++] = (uint8_t)random_u32();
}

static void put_link(struct frame *f, const struct spec *s)
{
	f->len = 0;
	put_random(f, 12);
	f->data[0] &= 0xfe;
	f->data[6] &= 0xfe;
	for (int i = 0; i < s->tags; i++) {
		store_be16(f->data + f->len, i + 1 < s->tags ? 0x88a8 : 0x8100);
		store_be16(f->data + f->len + 2, (uint16_t)(100 + i));
		f->len += 4;
	}
	store_be16(f->data + f->len, s->ver == 4 ? 0x0800 : 0x86dd);
	f->len += 2;
}

/* Header with room for its lengths; returns the protocol number on the wire. */
static uint8_t put_ip(struct frame *f, const struct spec *s, const struct addr *src,
		      const struct addr *dst)
{
	uint8_t *p = f->data + f->len, proto = s->proto;
	if (s->ver == 4) {
		uint32_t header = s->options ? 28 : 20;
		memset(p, 0, header);
		p[0] = (uint8_t)(0x40 | header / 4);
		store_be16(p + 4, (uint16_t)random_u32());
		store_be16(p + 6, (uint16_t)(s->frag_offset | (s->more_fragments ? 0x2000 : 0)));
		p[8] = 64;
		p[9] = proto;
		memcpy(p + 12, src->b, 4);
		memcpy(p + 16, dst->b, 4);
		if (s->options)
			memset(p + 20, 1, 8);
		f->len += header;
		return proto;
	}
	proto = proto == 1 ? 58 : proto;
	bool frag = s->frag_header || s->more_fragments || s->frag_offset != 0;
	memset(p, 0, 40);
	p[0] = 0x60;
	p[6] = s->options ? 0 : frag ? 44 : proto;
	p[7] = 64;
	memcpy(p + 8, src->b, 16);
	memcpy(p + 24, dst->b, 16);
	f->len += 40;
	if (s->options) {
		memcpy(f->data + f->len, (uint8_t[]){0, 0, 1, 4, 0, 0, 0, 0}, 8);
		f->data[f->len] = frag ? 44 : proto;
		f->len += 8;
	}
	if (frag) {
		memset(f->data + f->len, 0, 8);
		f->data[f->len] = proto;
		store_be16(f->data + f->len + 2,
			   (uint16_t)(s->frag_offset << 3 | (s->more_fragments ? 1 : 0)));
		store_be32(f->data + f->len + 4, random_u32());
		f->len += 8;
	}
	return proto;
}

static void put_l4(struct frame *f, const struct spec *s)
{
	uint32_t at = f->len;
	put_random(f, (s->proto == 6 ? 20 : s->proto == 132 ? 12 : 8) + s->data_len);
	uint8_t *p = f->data + at;
	if (s->proto == 6) {
		p[12] = 0x50;
		p[13] = s->tcp_flags != 0 ? s->tcp_flags : TCP_ACK;
		store_be16(p + 16, 0);
	} else if (s->proto == 17) {
		store_be16(p + 4, (uint16_t)(8 + s->data_len));
		store_be16(p + 6, 0);
	} else if (s->proto == 132) {
		store_be32(p + 8, 0);
	} else {
		p[0] = s->icmp_type != 0 ? s->icmp_type : s->ver == 4 ? 8 : 128;
		p[1] = 0;
		store_be16(p + 2, 0);
	}
}

static void finish_l4(struct frame *f, const struct spec *s, uint32_t l4, uint8_t proto,
		      const struct addr *src, const struct addr *dst)
{
	uint8_t *p = f->data + l4;
	uint32_t len = f->len - l4;
	if (s->proto == 132) {
		store_be32(p + 8, __builtin_bswap32(slow_crc32c(p, len)));
		return;
	}
	uint8_t *field = p + sum_offset(proto);
	uint16_t pseudo = proto == 1 ? 0 : slow_pseudo(src, dst, proto, len);
	memset(&f->vnet, 0, sizeof(f->vnet));
	if (s->partial) {
		f->vnet.flags = VNET_NEEDS_CSUM;
		f->vnet.csum_start = (uint16_t)l4;
		f->vnet.csum_offset = (uint16_t)sum_offset(proto);
		store_be16(field, pseudo);
		return;
	}
	uint16_t sum = (uint16_t)~slow_sum(p, len, pseudo);
	if (proto == 17 && sum == 0)
		sum = 0xffff;
	store_be16(field, s->no_udp_sum ? 0 : sum);
}

void frame_make(struct frame *f, const struct spec *s)
{
	struct addr src = random_addr(s->ver), dst = random_addr(s->ver);
	put_link(f, s);
	memset(&f->vnet, 0, sizeof(f->vnet));
	uint32_t l3 = f->len;
	uint8_t proto = put_ip(f, s, &src, &dst);
	uint32_t l4 = f->len;
	if (s->frag_offset == 0) {
		put_l4(f, s);
		finish_l4(f, s, l4, proto, &src, &dst);
	} else {
		put_random(f, s->data_len);
	}
	uint8_t *ip = f->data + l3;
	if (s->ver == 4) {
		store_be16(ip + 2, (uint16_t)(f->len - l3));
		store_be16(ip + 10, (uint16_t)~slow_sum(ip, (ip[0] & 15u) * 4, 0));
	} else {
		store_be16(ip + 4, (uint16_t)(f->len - l3 - 40));
	}
}

void frame_complete(struct frame *f)
{
	if ((f->vnet.flags & VNET_NEEDS_CSUM) == 0)
		return;
	uint32_t start = f->vnet.csum_start, at = start + f->vnet.csum_offset;
	uint16_t sum = (uint16_t)~slow_sum(f->data + start, f->len - start, 0);
	if (sum == 0 && f->vnet.csum_offset == 6)
		sum = 0xffff;
	store_be16(f->data + at, sum);
	memset(&f->vnet, 0, sizeof(f->vnet));
}

bool frame_sums_right(const struct frame *f, const struct layers *l)
{
	const uint8_t *ip = f->data + l->l3, *p = f->data + l->l4;
	uint32_t len = l->l3_end - l->l4;
	struct addr src, dst;
	if (l->ip_ver == 4) {
		src = addr_from_v4(ip + 12);
		dst = addr_from_v4(ip + 16);
		if (slow_sum(ip, (ip[0] & 15u) * 4, 0) != 0xffff)
			return false;
	} else {
		src = addr_from_v6(ip + 8);
		dst = addr_from_v6(ip + 24);
	}
	if (l->l4 == 0)
		return true;
	if (l->proto == 132)
		return load_be32(p + 8) == __builtin_bswap32(slow_crc32c(p, len));
	if (l->proto == 17 && load_be16(p + 6) == 0)
		return l->ip_ver == 4;
	uint16_t pseudo = l->proto == 1 ? 0 : slow_pseudo(&src, &dst, l->proto, len);
	return slow_sum(p, len, pseudo) == 0xffff;
}
