/* SPDX-License-Identifier: BSD-2-Clause */
/* Decoding: fields, tags, extension headers, fragments, lies in every length, every truncation. */
#include "frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct spec plain[] = {
	{.ver = 4, .proto = 6, .data_len = 33},
	{.ver = 6, .proto = 6, .data_len = 32},
	{.ver = 4, .proto = 17, .data_len = 7},
	{.ver = 6, .proto = 17, .data_len = 8},
	{.ver = 4, .proto = 1, .data_len = 5},
	{.ver = 6, .proto = 1, .data_len = 6},
	{.ver = 4, .proto = 132, .data_len = 20},
	{.ver = 6, .proto = 132, .data_len = 20},
	{.ver = 4, .proto = 6, .data_len = 3, .tags = 1},
	{.ver = 6, .proto = 17, .data_len = 3, .tags = 2},
	{.ver = 4, .proto = 6, .data_len = 9, .options = true},
	{.ver = 6, .proto = 6, .data_len = 9, .options = true},
	{.ver = 4, .proto = 17, .data_len = 16, .more_fragments = true},
	{.ver = 6, .proto = 17, .data_len = 16, .more_fragments = true},
	{.ver = 4, .proto = 17, .data_len = 16, .frag_offset = 3},
	{.ver = 6, .proto = 6, .data_len = 16, .frag_offset = 3, .options = true},
	{.ver = 4, .proto = 6, .data_len = 99, .partial = true},
	{.ver = 6, .proto = 17, .data_len = 99, .partial = true, .tags = 1},
};

static void assert_in_frame(const struct frame *f, const struct layers *l)
{
	assert_true(l->l3 <= f->len && l->l4 <= f->len && l->payload <= f->len);
	assert_true(l->l3_end <= f->len);
	if (l->l4 != 0)
		assert_true(l->l3 != 0 && l->l3 < l->l4 && l->l4 <= l->l3_end);
	if (l->l4 != 0 && l->payload != 0)
		assert_true(l->l4 <= l->payload && l->payload <= l->l3_end);
	if (l->ip_ver != 0)
		assert_true(l->l3 >= ETH_HLEN && l->l3 < l->l3_end);
}

static void test_fields(void **state)
{
	struct frame *f = frame_new(FRAME_MAX);
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		const struct spec *s = &plain[i];
		struct layers l;
		frame_make(f, s);
		packet_decode(f, &l);
		assert_in_frame(f, &l);
		uint32_t expect = 0;
		if (s->tags > 0)
			expect |= ODD_VLAN;
		if (s->options)
			expect |= ODD_IP_OPTIONS;
		assert_int_equal(l.odd, expect);
		assert_int_equal(l.ip_ver, s->ver);
		assert_int_equal(l.l3, 14 + 4 * s->tags);
		assert_int_equal(l.proto, s->proto == 1 && s->ver == 6 ? 58 : s->proto);
		assert_int_equal(l.ttl, 64);
		assert_int_equal(l.l3_end, f->len);
		assert_int_equal(l.l3_end - l.payload, s->data_len);
		assert_int_equal(l.fragment, s->more_fragments || s->frag_offset != 0);
		assert_int_equal(l.more_fragments, s->more_fragments);
		assert_int_equal(l.first_fragment, l.fragment && s->frag_offset == 0);
		assert_int_equal(l.frag_offset, s->frag_offset * 8);
		assert_int_equal(l.vlan_tci, s->tags > 0 ? 100 : 0);
		assert_int_equal(l.ethertype, s->ver == 4 ? 0x0800 : 0x86dd);
		if (s->frag_offset != 0) {
			assert_int_equal(l.l4, 0);
			continue;
		}
		assert_int_not_equal(l.l4, 0);
		const uint8_t *p = f->data + l.l4;
		if (s->proto == 1) {
			assert_true(l.icmp_echo_request && !l.icmp_echo_reply && !l.icmp_error);
			assert_int_equal(l.sport, load_be16(p + 4));
			assert_int_equal(l.dport, 0);
		} else {
			assert_int_equal(l.sport, load_be16(p));
			assert_int_equal(l.dport, load_be16(p + 2));
		}
		if (s->proto == 6) {
			assert_int_equal(l.seq, load_be32(p + 4));
			assert_int_equal(l.ack, load_be32(p + 8));
			assert_int_equal(l.tcp_flags, TCP_ACK);
		}
		assert_true(packet_checksums_ok(f, &l));
	}
	frame_free(f);
}

/* Every prefix of every kind of frame: nothing is read behind the end (the sanitizer build sees
 * it), offsets stay inside, and a cut packet is never taken for a whole one. */
static void test_truncated(void **state)
{
	struct frame *f = frame_new(FRAME_MAX);
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		frame_make(f, &plain[i]);
		for (uint32_t len = 0; len < f->len; len++) {
			struct frame *cut = frame_cut(f, len);
			struct layers l, quoted;
			struct neigh n;
			packet_decode(cut, &l);
			assert_in_frame(cut, &l);
			assert_true((l.odd & (ODD_TRUNC_ETH | ODD_TRUNC_IP | ODD_TRUNC_L4)) != 0);
			(void)packet_checksums_ok(cut, &l);
			packet_neigh(cut, &l, &n);
			assert_int_not_equal(packet_decode_quoted(cut, &l, &quoted), 0);
			frame_free(cut);
		}
	}
	frame_free(f);
}

static uint32_t odd_of(struct frame *f)
{
	struct layers l;
	packet_decode(f, &l);
	assert_in_frame(f, &l);
	return l.odd;
}

static void fix_ip4(struct frame *f)
{
	store_be16(f->data + 24, 0);
	store_be16(f->data + 24, (uint16_t)~slow_sum(f->data + 14, (f->data[14] & 15u) * 4, 0));
}

static void test_lies(void **state)
{
	struct frame *f = frame_new(FRAME_MAX);
	const struct spec tcp4 = {.ver = 4, .proto = 6, .data_len = 10};
	const struct spec udp6 = {.ver = 6, .proto = 17, .data_len = 10};
	const struct {
		uint32_t at;
		uint8_t value;
		uint32_t odd;
	} lies4[] = {
		{14, 0x65, ODD_BAD_IP},  {14, 0x44, ODD_BAD_IP},   {14, 0x4f, ODD_BAD_IP},
		{17, 10, ODD_BAD_IP},    {16, 0xff, ODD_TRUNC_IP}, {18, 0, 0},
		{21, 0xff, 0},           {46, 0x40, ODD_BAD_L4},   {46, 0xf0, ODD_TRUNC_L4},
		{47, 0, ODD_TCP_FLAGS},  {47, 3, ODD_TCP_FLAGS},   {47, 6, ODD_TCP_FLAGS},
		{47, 41, ODD_TCP_FLAGS}, {26, 127, ODD_LAND},      {26, 224, ODD_LAND},
		{30, 0, ODD_LAND},       {30, 127, ODD_LAND},
	};
	for (size_t i = 0; i < ARRAY_LEN(lies4); i++) {
		frame_make(f, &tcp4);
		f->data[lies4[i].at] = lies4[i].value;
		fix_ip4(f);
		assert_int_equal(odd_of(f) & ~(uint32_t)ODD_BAD_IP_CSUM, lies4[i].odd);
	}
	frame_make(f, &tcp4);
	f->data[24] ^= 1;
	assert_int_equal(odd_of(f), ODD_BAD_IP_CSUM);
	frame_make(f, &tcp4);
	memcpy(f->data + 30, f->data + 26, 4);
	fix_ip4(f);
	assert_int_equal(odd_of(f), ODD_LAND);
	frame_make(f, &tcp4);
	store_be16(f->data + 20, 0x1fff); /* a fragment that ends past 64 KiB */
	fix_ip4(f);
	assert_int_equal(odd_of(f), ODD_BAD_IP);

	const struct {
		uint32_t at;
		uint8_t value;
		uint32_t odd;
	} lies6[] = {
		{14, 0x40, ODD_BAD_IP}, {18, 1, ODD_TRUNC_IP},
		{19, 4, ODD_TRUNC_L4},  {59, 7, ODD_BAD_L4},
		{59, 19, ODD_BAD_L4},   {59, 17, ODD_BAD_L4},
		{22, 0xff, ODD_LAND},   {20, 0, ODD_TRUNC_IP | ODD_IP_OPTIONS},
	};
	for (size_t i = 0; i < ARRAY_LEN(lies6); i++) {
		frame_make(f, &udp6);
		f->data[lies6[i].at] = lies6[i].value;
		if (lies6[i].at == 20) /* what was UDP is a chain of hop-by-hop headers now */
			assert_int_not_equal(odd_of(f), 0);
		else
			assert_int_equal(odd_of(f), lies6[i].odd);
	}
	frame_free(f);
}

static void test_tags(void **state)
{
	struct frame *f = frame_new(FRAME_MAX);
	const struct spec two = {.ver = 4, .proto = 6, .tags = 2};
	frame_make(f, &two);
	assert_int_equal(odd_of(f), ODD_VLAN);
	const struct spec three = {.ver = 4, .proto = 6, .tags = 3};
	struct layers l;
	frame_make(f, &three);
	packet_decode(f, &l);
	assert_int_equal(l.odd, ODD_VLAN | ODD_EXT_DEPTH);
	assert_int_equal(l.l3, 0);
	frame_free(f);
}

/* n destination-options headers, then UDP. */
static void make_chain(struct frame *f, unsigned n, uint8_t kind)
{
	const struct spec udp = {.ver = 6, .proto = 17, .data_len = 4};
	frame_make(f, &udp);
	uint32_t tail = f->len - 54;
	memmove(f->data + 54 + 8 * n, f->data + 54, tail);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *p = f->data + 54 + 8 * i;
		memset(p, 0, 8);
		p[0] = i + 1 < n ? kind : 17;
		if (kind == 60)
			memcpy(p + 2, (uint8_t[]){1, 4}, 2);
	}
	if (n > 0)
		f->data[20] = kind;
	f->len += 8 * n;
	store_be16(f->data + 18, (uint16_t)(f->len - 54));
}

static void test_extensions(void **state)
{
	struct frame *f = frame_new(FRAME_MAX);
	struct layers l;
	for (unsigned n = 0; n <= 8; n++) {
		make_chain(f, n, 60);
		packet_decode(f, &l);
		assert_int_equal(l.odd, 0);
		assert_int_equal(l.proto, 17);
		assert_int_equal(l.l4, 54 + 8 * n);
		assert_true(packet_checksums_ok(f, &l));
	}
	make_chain(f, 9, 60);
	packet_decode(f, &l);
	assert_int_equal(l.odd, ODD_EXT_DEPTH);
	assert_int_equal(l.l4, 0);
	make_chain(f, 2, 44); /* two fragment headers */
	assert_int_equal(odd_of(f), ODD_BAD_IP);
	make_chain(f, 1, 44); /* an atomic fragment is a whole packet */
	packet_decode(f, &l);
	assert_int_equal(l.odd, 0);
	assert_false(l.fragment);
	assert_int_equal(l.l4, 62);
	make_chain(f, 2, 0); /* hop-by-hop comes first or not at all */
	assert_true(odd_of(f) & ODD_BAD_IP);
	make_chain(f, 1, 43);
	assert_int_equal(odd_of(f), ODD_IP_OPTIONS);
	make_chain(f, 1, 60);
	f->data[55] = 200; /* longer than the packet */
	assert_int_equal(odd_of(f), ODD_TRUNC_IP);
	make_chain(f, 1, 51);
	f->data[55] = 0; /* AH counts in 4 bytes, less two */
	assert_int_equal(odd_of(f), 0);
	frame_free(f);
}

static void test_small_fragment(void **state)
{
	struct frame *f = frame_new(FRAME_MAX);
	struct layers l;
	const struct spec s = {.ver = 4, .proto = 6, .more_fragments = true, .data_len = 12};
	frame_make(f, &s);
	store_be16(f->data + 16, 20 + 16); /* 16 bytes of TCP: no flags in the second fragment! */
	fix_ip4(f);
	packet_decode(f, &l);
	assert_int_equal(l.odd, ODD_FRAGMENT_SMALL);
	assert_int_equal(l.l4, 0);
	frame_free(f);
}

static void test_padding(void **state)
{
	struct frame *f = frame_new(FRAME_MAX);
	struct layers l;
	const struct spec s = {.ver = 4, .proto = 17, .data_len = 1};
	frame_make(f, &s);
	uint32_t end = f->len;
	f->len = 60;
	memset(f->data + end, 0xee, 60 - end);
	packet_decode(f, &l);
	assert_int_equal(l.odd, 0);
	assert_int_equal(l.l3_end, end);
	assert_true(packet_checksums_ok(f, &l));
	frame_free(f);
}

/* A guest that asks for its checksum to be written over the source address we have checked. */
static void test_hostile_offload(void **state)
{
	struct frame *f = frame_new(FRAME_MAX);
	const struct spec s = {.ver = 4, .proto = 6, .data_len = 100, .partial = true};
	frame_make(f, &s);
	assert_int_equal(odd_of(f), 0);
	struct vnet good = f->vnet;
	f->vnet.csum_start = 14;
	f->vnet.csum_offset = 12;
	assert_int_equal(odd_of(f), ODD_BAD_L4);
	f->vnet = good;
	f->vnet.csum_offset = 18;
	assert_int_equal(odd_of(f), ODD_BAD_L4);
	f->vnet = good;
	f->vnet.csum_start = 0xffff;
	assert_int_equal(odd_of(f), ODD_BAD_L4);
	for (unsigned gso = 1; gso < 256; gso++) {
		f->vnet = good;
		f->vnet.gso_type = (uint8_t)gso;
		f->vnet.gso_size = 50;
		bool fine = gso == 1 || gso == 0x81 || gso == 0x80;
		assert_int_equal(odd_of(f), fine ? 0 : ODD_BAD_L4);
	}
	f->vnet = (struct vnet){.gso_type = 1, .gso_size = 50}; /* segments without a checksum */
	assert_int_equal(odd_of(f), ODD_BAD_L4);
	const struct spec frag = {
		.ver = 4, .proto = 17, .data_len = 8, .more_fragments = true, .partial = true};
	frame_make(f, &frag);
	assert_int_equal(odd_of(f), ODD_BAD_L4);
	f->len = 10;
	assert_int_equal(odd_of(f), ODD_TRUNC_ETH);
	frame_free(f);
}

static void test_super_frame(void **state)
{
	struct frame *f = frame_new(FRAME_MAX);
	struct layers l;
	for (int ver = 4; ver <= 6; ver += 2) {
		struct spec s = {.ver = ver, .proto = 6, .partial = true, .tags = 1};
		s.data_len = 65535 - 20 - (ver == 4 ? 20 : 0);
		frame_make(f, &s);
		f->vnet.gso_type = ver == 4 ? 1 : 4;
		f->vnet.gso_size = 1448;
		packet_decode(f, &l);
		assert_int_equal(l.odd, ODD_VLAN);
		assert_int_equal(l.l3_end, f->len);
		assert_true(f->len <= FRAME_MAX);
		assert_true(packet_checksums_ok(f, &l));
	}
	frame_free(f);
}

static void test_bad_sums_seen(void **state)
{
	struct frame *f = frame_new(FRAME_MAX);
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		struct layers l;
		frame_make(f, &plain[i]);
		packet_decode(f, &l);
		if (l.fragment || plain[i].partial)
			continue;
		for (uint32_t at = l.l4; at < l.l3_end; at++) {
			f->data[at] ^= 0x10;
			/* Where UDP's length is the lie, decode has told already. */
			assert_false(packet_checksums_ok(f, &l));
			f->data[at] ^= 0x10;
		}
	}
	frame_free(f);
}

static void test_random_bytes(void **state)
{
	for (unsigned i = 0; i < 20000; i++) {
		struct frame *f = frame_new(random_u32() % 120);
		struct layers l, q;
		struct neigh n;
		f->len = f->cap;
		for (uint32_t b = 0; b < f->len; b++)
			f->data[b] = (uint8_t)random_u32();
		if (f->len > 20) {
			static const uint16_t types[] = {0x0800, 0x86dd, 0x0806, 0x8100};
			store_be16(f->data + 12, types[i % 4]);
			f->data[14] = i % 4 == 0 ? 0x45 : i % 4 == 1 ? 0x60 : f->data[14];
		}
		packet_decode(f, &l);
		assert_in_frame(f, &l);
		packet_neigh(f, &l, &n);
		(void)packet_checksums_ok(f, &l);
		(void)!packet_decode_quoted(f, &l, &q);
		frame_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),       cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_lies),         cmocka_unit_test(test_tags),
		cmocka_unit_test(test_extensions),   cmocka_unit_test(test_small_fragment),
		cmocka_unit_test(test_padding),      cmocka_unit_test(test_hostile_offload),
		cmocka_unit_test(test_super_frame),  cmocka_unit_test(test_bad_sums_seen),
		cmocka_unit_test(test_random_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
