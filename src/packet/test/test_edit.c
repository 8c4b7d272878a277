/* SPDX-License-Identifier: BSD-2-Clause */
/* Edits: after each, every checksum is recomputed from nothing; a partial one is completed first,
 * as the kernel would. */
#include "frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 300

static const struct spec kinds[] = {
	{.ver = 4, .proto = 6},
	{.ver = 6, .proto = 6},
	{.ver = 4, .proto = 17},
	{.ver = 6, .proto = 17},
	{.ver = 4, .proto = 17, .no_udp_sum = true},
	{.ver = 4, .proto = 1},
	{.ver = 6, .proto = 1},
	{.ver = 4, .proto = 132},
	{.ver = 6, .proto = 132},
	{.ver = 4, .proto = 6, .tags = 1},
	{.ver = 6, .proto = 17, .tags = 2},
	{.ver = 4, .proto = 6, .options = true},
	{.ver = 4, .proto = 6, .partial = true},
	{.ver = 6, .proto = 6, .partial = true},
	{.ver = 4, .proto = 17, .partial = true},
	{.ver = 6, .proto = 17, .partial = true, .tags = 1},
};

static void assert_right(const struct frame *f, const struct layers *l)
{
	struct frame *done = frame_cut(f, f->len);
	assert_true(packet_checksums_ok(f, l));
	frame_complete(done);
	assert_true(frame_sums_right(done, l));
	frame_free(done);
}

/* What decode says of the bytes is what the edit wrote into *l. */
static void assert_stable(const struct frame *f, const struct layers *l)
{
	struct layers again;
	packet_decode(f, &again);
	assert_memory_equal(&again.src, &l->src, sizeof(l->src));
	assert_memory_equal(&again.dst, &l->dst, sizeof(l->dst));
	assert_int_equal(again.sport, l->sport);
	assert_int_equal(again.dport, l->dport);
	assert_int_equal(again.ttl, l->ttl);
	assert_int_equal(again.l4, l->l4);
	assert_int_equal(again.odd & ~(uint32_t)ODD_LAND, l->odd & ~(uint32_t)ODD_LAND);
}

static void test_every_edit(void **state)
{
	struct frame *f = frame_new(FRAME_MAX);
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		for (unsigned round = 0; round < ROUNDS; round++) {
			struct spec s = kinds[k];
			struct layers l;
			s.data_len = random_u32() % 90;
			frame_make(f, &s);
			packet_decode(f, &l);
			struct vnet before = f->vnet;
			for (int src = 0; src < 2; src++) {
				struct addr to = random_addr(s.ver);
				packet_set_addr(f, &l, src, &to);
				assert_right(f, &l);
				packet_set_port(f, &l, src, (uint16_t)random_u32());
				assert_right(f, &l);
			}
			assert_true(packet_lower_ttl(f, &l));
			assert_right(f, &l);
			assert_stable(f, &l);
			assert_memory_equal(&f->vnet, &before, sizeof(before));
			if (s.no_udp_sum)
				assert_int_equal(load_be16(f->data + l.l4 + 6), 0);
			else if (s.proto == 17 && !s.partial)
				assert_int_not_equal(load_be16(f->data + l.l4 + 6), 0);
		}
	frame_free(f);
}

static void test_there_and_back(void **state)
{
	struct frame *f = frame_new(FRAME_MAX);
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		for (unsigned round = 0; round < ROUNDS; round++) {
			struct spec s = kinds[k];
			struct layers l;
			s.data_len = random_u32() % 90;
			frame_make(f, &s);
			packet_decode(f, &l);
			struct frame *before = frame_cut(f, f->len);
			struct addr src = l.src, dst = l.dst, to = random_addr(s.ver);
			uint16_t sport = l.sport, dport = l.dport;
			packet_set_addr(f, &l, true, &to);
			packet_set_port(f, &l, true, 4444);
			packet_set_addr(f, &l, false, &to);
			packet_set_port(f, &l, false, 5555);
			packet_set_addr(f, &l, true, &src);
			packet_set_addr(f, &l, false, &dst);
			packet_set_port(f, &l, true, sport);
			packet_set_port(f, &l, false, dport);
			assert_memory_equal(f->data, before->data, f->len);
			frame_free(before);
		}
	frame_free(f);
}

/* The one's complement zero: UDP may not carry 0 for a checksum that was made. */
static void test_udp_zero(void **state)
{
	struct frame *f = frame_new(FRAME_MAX);
	for (int ver = 4; ver <= 6; ver += 2) {
		const struct spec s = {.ver = ver, .proto = 17, .data_len = 4};
		unsigned zeroes = 0;
		struct layers l;
		frame_make(f, &s);
		packet_decode(f, &l);
		for (uint32_t port = 0; port < 65536; port++) {
			packet_set_port(f, &l, true, (uint16_t)port);
			uint16_t sum = load_be16(f->data + l.l4 + 6);
			assert_int_not_equal(sum, 0);
			zeroes += sum == 0xffff;
		}
		assert_true(zeroes > 0);
		assert_true(frame_sums_right(f, &l));
	}
	frame_free(f);
}

static void test_ttl(void **state)
{
	struct frame *f = frame_new(FRAME_MAX);
	for (int ver = 4; ver <= 6; ver += 2) {
		const struct spec s = {.ver = ver, .proto = 6};
		struct layers l;
		frame_make(f, &s);
		packet_decode(f, &l);
		for (unsigned i = 0; i < 63; i++) {
			assert_true(packet_lower_ttl(f, &l));
			assert_true(frame_sums_right(f, &l));
		}
		struct frame *before = frame_cut(f, f->len);
		assert_int_equal(l.ttl, 1);
		assert_false(packet_lower_ttl(f, &l));
		assert_memory_equal(f->data, before->data, f->len);
		frame_free(before);
	}
	frame_free(f);
}

/* Versions that disagree, and packets without a transport header, are left alone. */
static void test_not_applicable(void **state)
{
	struct frame *f = frame_new(FRAME_MAX);
	const struct spec later = {.ver = 4, .proto = 17, .frag_offset = 5, .data_len = 30};
	struct layers l;
	frame_make(f, &later);
	packet_decode(f, &l);
	struct frame *before = frame_cut(f, f->len);
	struct addr six = random_addr(6), four = random_addr(4);
	packet_set_addr(f, &l, true, &six);
	packet_set_port(f, &l, true, 1);
	assert_memory_equal(f->data, before->data, f->len);
	packet_set_addr(f, &l, true, &four); /* a later fragment: the IP header only */
	assert_int_equal(slow_sum(f->data + 14, 20, 0), 0xffff);
	assert_memory_equal(f->data + 34, before->data + 34, f->len - 34);
	frame_free(before);

	f->len = 13;
	memset(f->data, 7, 13);
	packet_decode(f, &l);
	struct mac m = {{1, 2, 3, 4, 5, 6}};
	packet_set_macs(f, &m, &m);
	packet_set_addr(f, &l, true, &four);
	packet_set_port(f, &l, false, 9);
	assert_false(packet_lower_ttl(f, &l));
	for (unsigned i = 0; i < 13; i++)
		assert_int_equal(f->data[i], 7);
	f->len = 14;
	packet_set_macs(f, &m, &m);
	assert_memory_equal(f->data + 6, m.b, 6);
	frame_free(f);
}

static void test_first_fragment(void **state)
{
	/* The checksum covers the whole datagram: all that is known is how much it must change. */
	struct frame *f = frame_new(FRAME_MAX);
	const struct spec s = {.ver = 4, .proto = 17, .more_fragments = true, .data_len = 32};
	struct layers l;
	frame_make(f, &s); /* its sum is right for these bytes alone: as good as any */
	packet_decode(f, &l);
	struct addr to = random_addr(4);
	packet_set_addr(f, &l, true, &to);
	packet_set_port(f, &l, true, 53);
	assert_true(frame_sums_right(f, &l));
	frame_free(f);
}

/* An ICMP error that quotes a packet of kind k, cut to a random length. */
static bool make_error(struct frame *error, struct frame *f, const struct spec *s)
{
	struct layers l;
	frame_make(f, s);
	if (random_u32() % 2 == 0)
		frame_complete(f);
	packet_decode(f, &l);
	struct addr from = random_addr(s->ver);
	l.l3_end -= s->data_len > 0 ? random_u32() % s->data_len : 0;
	return packet_build_icmp_error(error, f, &l, &from, s->ver == 4 ? 3 : 1, 1) == 0;
}

static void test_quoted(void **state)
{
	struct frame *f = frame_new(FRAME_MAX), *error = frame_new(2048);
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		for (unsigned round = 0; round < ROUNDS; round++) {
			struct spec s = kinds[k];
			struct layers outer, q, again;
			s.data_len = random_u32() % 700;
			assert_true(make_error(error, f, &s));
			packet_decode(error, &outer);
			assert_true(frame_sums_right(error, &outer));
			assert_int_equal(packet_decode_quoted(error, &outer, &q), 0);
			assert_memory_equal(q.dst.b,
					    f->data + 14 + 4 * s.tags + (s.ver == 4 ? 16 : 24),
					    s.ver == 4 ? 4 : 16);
			struct frame *before = frame_cut(error, error->len);
			bool src = round % 2 == 0;
			struct addr to = random_addr(s.ver), was = src ? q.src : q.dst;
			uint16_t port = src ? q.sport : q.dport;
			packet_set_quoted(error, &outer, &q, src, &to, (uint16_t)random_u32());
			assert_true(frame_sums_right(error, &outer));
			assert_int_equal(packet_decode_quoted(error, &outer, &again), 0);
			assert_memory_equal(&again, &q, sizeof(q));
			assert_true(addr_eq(src ? &q.src : &q.dst, &to));
			if (s.ver == 4)
				assert_int_equal(slow_sum(error->data + q.l3, q.l4 - q.l3, 0),
						 0xffff);
			packet_set_quoted(error, &outer, &q, src, &was, port);
			assert_memory_equal(error->data, before->data, error->len);
			frame_free(before);
		}
	frame_free(f);
	frame_free(error);
}

/* Too little quoted, or not what it should be: told, and nothing read behind the end. */
static void test_quoted_short(void **state)
{
	struct frame *f = frame_new(FRAME_MAX), *error = frame_new(2048);
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct spec s = kinds[k];
		struct layers outer, q;
		s.data_len = 20;
		assert_true(make_error(error, f, &s));
		packet_decode(error, &outer);
		assert_int_equal(packet_decode_quoted(error, &outer, &q), 0);
		uint32_t need = q.l4 + 8;
		for (uint32_t len = outer.l4; len < error->len; len++) {
			struct frame *cut = frame_cut(error, len);
			struct layers o = outer;
			o.l3_end = len;
			int err = packet_decode_quoted(cut, &o, &q);
			assert_int_equal(err, len < need ? SKEP_EFORMAT : 0);
			if (err == 0) {
				struct addr to = random_addr(s.ver);
				packet_set_quoted(cut, &o, &q, true, &to, 7);
				packet_set_quoted(cut, &o, &q, false, &to, 7);
			}
			frame_free(cut);
		}
	}
	frame_free(f);
	frame_free(error);
}

static uint32_t sum_field(const struct layers *l)
{
	return l->l4 + (l->proto == 6 ? 16 : l->proto == 17 ? 6 : l->proto == 132 ? 8 : 2);
}

/* Bytes anywhere behind the IP header, at odd places too; never the checksum itself. */
static void test_bytes(void **state)
{
	struct frame *f = frame_new(FRAME_MAX);
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		for (unsigned round = 0; round < ROUNDS * 3; round++) {
			struct spec s = kinds[k];
			struct layers l;
			uint8_t bytes[40];
			s.data_len = random_u32() % 90;
			frame_make(f, &s);
			packet_decode(f, &l);
			for (size_t i = 0; i < sizeof(bytes); i++)
				bytes[i] = (uint8_t)(round % 5 == 0 ? 0 : random_u32());
			uint32_t off = l.payload + random_u32() % (s.data_len + 2);
			uint32_t len = random_u32() % sizeof(bytes);
			struct frame *before = frame_cut(f, f->len);
			bool fits = off + len <= l.l3_end;
			assert_int_equal(packet_set_bytes(f, &l, off, bytes, len), fits);
			if (fits) {
				assert_memory_equal(f->data + off, bytes, len);
				assert_memory_equal(f->data + l.payload, before->data + l.payload,
						    off - l.payload);
				assert_memory_equal(f->data + off + len, before->data + off + len,
						    f->len - off - len);
			} else {
				assert_memory_equal(f->data, before->data, f->len);
			}
			assert_right(f, &l);
			uint32_t sum = sum_field(&l);
			assert_false(packet_set_bytes(f, &l, sum - 1, bytes, 2));
			assert_false(packet_set_bytes(f, &l, sum + 1, bytes, 1));
			assert_false(packet_set_bytes(f, &l, l.l4 - 1, bytes, 1));
			assert_false(packet_set_bytes(f, &l, l.l4, bytes, UINT32_MAX));
			assert_right(f, &l);
			frame_free(before);
		}
	const struct spec later = {.ver = 4, .proto = 17, .frag_offset = 5, .data_len = 30};
	const struct spec first = {.ver = 6, .proto = 17, .more_fragments = true, .data_len = 32};
	struct layers l;
	frame_make(f, &later);
	packet_decode(f, &l);
	assert_false(packet_set_bytes(f, &l, l.payload, "x", 1));
	frame_make(f, &first);
	packet_decode(f, &l);
	assert_true(packet_set_bytes(f, &l, l.payload + 3, "first", 5));
	assert_true(frame_sums_right(f, &l));
	frame_free(f);
}

static void test_tcp_numbers(void **state)
{
	struct frame *f = frame_new(FRAME_MAX);
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		for (unsigned round = 0; round < ROUNDS; round++) {
			struct spec s = kinds[k];
			struct layers l, again;
			s.data_len = random_u32() % 90;
			s.tcp_flags = TCP_ACK | TCP_URG | TCP_PSH;
			frame_make(f, &s);
			packet_decode(f, &l);
			struct frame *before = frame_cut(f, f->len);
			uint32_t seq = random_u32(), ack = random_u32();
			packet_set_seq_ack(f, &l, seq, ack);
			assert_right(f, &l);
			packet_clear_urgent(f, &l);
			assert_right(f, &l);
			packet_decode(f, &again);
			assert_memory_equal(&again, &l, sizeof(l));
			if (s.proto != 6) {
				assert_memory_equal(f->data, before->data, f->len);
			} else {
				assert_int_equal(l.seq, seq);
				assert_int_equal(l.ack, ack);
				assert_int_equal(l.tcp_flags, TCP_ACK | TCP_PSH);
				assert_int_equal(load_be16(f->data + l.l4 + 18), 0);
			}
			frame_free(before);
		}
	frame_free(f);
}

static void test_finish_tcp(void **state)
{
	struct frame *f = frame_new(FRAME_MAX);
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		for (unsigned round = 0; round < 30; round++) {
			struct spec s = kinds[k];
			struct layers l, again;
			s.data_len = random_u32() % 90;
			frame_make(f, &s);
			packet_decode(f, &l);
			struct frame *before = frame_cut(f, f->len);
			uint32_t len = random_u32() % 4000;
			bool partial = random_u32() % 2;
			uint16_t gso = random_u32() % 2 == 0 ? 1000 : 0;
			packet_finish_tcp(f, &l, len, partial, gso);
			if (s.proto != 6) {
				assert_memory_equal(f->data, before->data, f->len);
				assert_int_equal(f->len, before->len);
			} else {
				assert_int_equal(f->len, l.payload + len);
				assert_right(f, &l);
				packet_decode(f, &again);
				assert_memory_equal(&again, &l, sizeof(l));
				assert_int_equal(f->vnet.flags, partial || gso ? 1 : 0);
				assert_int_equal(f->vnet.gso_size, gso);
				assert_int_equal(f->vnet.gso_type, !gso ? 0 : s.ver == 4 ? 1 : 4);
				assert_int_equal(f->vnet.hdr_len, partial || gso ? l.payload : 0);
			}
			frame_free(before);
		}
	frame_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_edit),     cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_udp_zero),       cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_not_applicable), cmocka_unit_test(test_first_fragment),
		cmocka_unit_test(test_quoted),         cmocka_unit_test(test_quoted_short),
		cmocka_unit_test(test_bytes),          cmocka_unit_test(test_tcp_numbers),
		cmocka_unit_test(test_finish_tcp),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
