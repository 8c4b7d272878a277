/* SPDX-License-Identifier: BSD-2-Clause */
#include "build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "packet/test/frames.h"

#define STAMP 0x01020304u

uint32_t dice_roll(struct dice *d)
{
	d->state ^= d->state << 13;
	d->state ^= d->state >> 7;
	d->state ^= d->state << 17;
	return (uint32_t)(d->state >> 16);
}

uint32_t dice_below(struct dice *d, uint32_t n)
{
	return dice_roll(d) % n;
}

static void put16(struct frame *f, uint32_t v)
{
	store_be16(f->data + f->len, (uint16_t)v);
	f->len += 2;
}

static void put32(struct frame *f, uint32_t v)
{
	store_be32(f->data + f->len, v);
	f->len += 4;
}

static void put(struct frame *f, const void *p, size_t n)
{
	memcpy(f->data + f->len, p, n);
	f->len += (uint32_t)n;
}

static void put_ip(struct frame *f, const struct how *how, uint32_t l4_len)
{
	if (how->src.ver == 4) {
		uint32_t l3 = f->len;
		put16(f, 0x4500);
		put16(f, 20 + l4_len);
		put16(f, 0x1234);
		put16(f, 0x4000);
		put16(f, 0x4006);
		put16(f, 0);
		put(f, how->src.b, 4);
		put(f, how->dst.b, 4);
		store_be16(f->data + l3 + 10, (uint16_t)~slow_sum(f->data + l3, 20, 0));
		return;
	}
	put32(f, 0x60000000);
	put16(f, l4_len + (how->extension ? 8 : 0));
	put16(f, how->extension ? 0x3c40 : 0x0640);
	put(f, how->src.b, 16);
	put(f, how->dst.b, 16);
	if (how->extension) {
		put32(f, 0x06000104);
		put32(f, 0);
	}
}

static uint32_t put_options(uint8_t *p, const struct how *how, const struct seg *s)
{
	uint32_t n = 0;
	if (how->stamps) {
		store_be32(p, 0x0101080a);
		store_be32(p + 4, STAMP);
		store_be32(p + 8, 0);
		n = 12;
	}
	if (how->sack_ok && (s->flags & TCP_SYN) != 0) {
		store_be32(p + n, 0x01010402);
		n += 4;
	}
	if (s->n_sack > 0) {
		store_be32(p + n, 0x01010500 | (2 + 8 * s->n_sack));
		n += 4;
	}
	for (uint32_t i = 0; i < s->n_sack; i++, n += 8) {
		store_be32(p + n, s->sack[i][0]);
		store_be32(p + n + 4, s->sack[i][1]);
	}
	return n;
}

void build_seg(struct frame *f, const struct how *how, const struct seg *s)
{
	uint8_t opts[40];
	uint32_t n_opts = put_options(opts, how, s), l4_len = 20 + n_opts + s->len;
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	f->len = 0;
	memset(&f->vnet, 0, sizeof(f->vnet));
	put(f, macs, 12);
	for (int i = 0; i < how->tags; i++)
		put32(f, 0x81000064);
	put16(f, how->src.ver == 4 ? 0x0800 : 0x86dd);
	put_ip(f, how, l4_len);
	uint32_t l4 = f->len;
	put16(f, how->sport);
	put16(f, how->dport);
	put32(f, s->seq);
	put32(f, s->ack);
	put16(f, (5 + n_opts / 4) << 12 | s->flags);
	put16(f, 0xffff);
	put16(f, 0);
	put16(f, s->flags & TCP_URG ? 7 : 0);
	put(f, opts, n_opts);
	uint32_t hdr_len = f->len;
	put(f, s->data, s->len);

	uint8_t pseudo[40] = {0};
	size_t n = how->src.ver == 4 ? 4 : 16;
	memcpy(pseudo, how->src.b, n);
	memcpy(pseudo + n, how->dst.b, n);
	store_be32(pseudo + 2 * n, l4_len);
	pseudo[2 * n + 7] = 6;
	uint16_t sum = slow_sum(pseudo, 2 * n + 8, 0);
	bool gso = s->len > how->mss;
	if (!how->partial && !gso) {
		sum = (uint16_t)~slow_sum(f->data + l4, l4_len, sum);
	} else {
		f->vnet = (struct vnet){.flags = VNET_NEEDS_CSUM,
					.gso_type = !gso                ? 0
						    : how->src.ver == 4 ? 1
									: 4,
					.hdr_len = (uint16_t)hdr_len,
					.gso_size = gso ? how->mss : 0,
					.csum_start = (uint16_t)l4,
					.csum_offset = 16};
	}
	store_be16(f->data + l4 + 16, sum);
}

static void parse_options(const uint8_t *p, uint32_t n, const struct how *how, struct seg *ret)
{
	bool stamps = false;
	ret->n_sack = 0;
	for (uint32_t i = 0; i < n && p[i] != 0;) {
		if (p[i] == 1) {
			i++;
			continue;
		}
		assert_true(i + 1 < n && p[i + 1] >= 2 && i + p[i + 1] <= n);
		if (p[i] == 8) {
			assert_int_equal(load_be32(p + i + 2), STAMP);
			stamps = true;
		} else if (p[i] == 5) {
			assert_int_equal((p[i + 1] - 2) % 8, 0);
			for (uint32_t at = 2; at < p[i + 1]; at += 8) {
				ret->sack[ret->n_sack][0] = load_be32(p + i + at);
				ret->sack[ret->n_sack++][1] = load_be32(p + i + at + 4);
			}
		}
		i += p[i + 1];
	}
	assert_true(stamps == how->stamps || ret->flags & TCP_RST);
}

uint32_t parse_segs(const struct frame *f, const struct how *how, struct seg *ret, uint32_t max)
{
	struct layers l;
	packet_decode(f, &l);
	assert_int_equal(l.odd & ~(uint32_t)(ODD_VLAN | ODD_IP_OPTIONS), 0);
	assert_int_equal(l.proto, 6);
	assert_int_equal(l.l3_end, f->len);
	assert_int_equal(l.l3, 14 + 4 * how->tags);
	assert_int_equal(l.l4 - l.l3, l.ip_ver == 4 ? 20 : how->extension ? 48 : 40);
	assert_true(addr_eq(&l.src, &how->src) && addr_eq(&l.dst, &how->dst));
	assert_int_equal(l.sport, how->sport);
	assert_int_equal(l.dport, how->dport);
	assert_true(packet_checksums_ok(f, &l));
	struct frame *done = frame_cut(f, f->len);
	frame_complete(done);
	assert_true(frame_sums_right(done, &l));
	frame_free(done);

	uint32_t len = f->len - l.payload, step = f->vnet.gso_type != 0 ? f->vnet.gso_size : len;
	uint32_t n = 0, at = 0;
	assert_true(f->vnet.gso_type == 0 || step > 0);
	do {
		assert_true(n < max);
		struct seg *s = &ret[n++];
		s->seq = l.seq + at;
		s->ack = l.ack;
		s->flags = l.tcp_flags;
		parse_options(f->data + l.l4 + 20, l.payload - l.l4 - 20, how, s);
		s->len = len - at < step ? len - at : step;
		assert_true(s->len <= SEG_MAX);
		memcpy(s->data, f->data + l.payload + at, s->len);
		at += s->len;
		if (at < len)
			s->flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	} while (at < len);
	return n;
}
