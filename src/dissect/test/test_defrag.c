/* SPDX-License-Identifier: BSD-2-Clause */
/* Fragments: every order, overlaps by policy, limits, time-outs. */
#include "frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PIECES 5u
#define SEC NS_PER_SEC

struct bed {
	struct dissect *d;
	struct frame_buf f;
	struct pkt p[DISSECT_PKTS];
	uint8_t data[65535];
	int ver;
	int64_t now;
};

static struct bed *bed_of(struct dissect_conf conf, int ver)
{
	static struct bed bed;
	memset(&bed, 0, sizeof(bed));
	assert_int_equal(dissect_create(&conf, &bed.d), 0);
	bed.ver = ver;
	for (uint32_t i = 0; i < sizeof(bed.data); i++)
		bed.data[i] = (uint8_t)(i * 7 + i / 251);
	return &bed;
}

/* UDP of len bytes in all, at the start of the data. */
static void make_udp(struct bed *b, uint16_t len)
{
	store_be16(b->data, 0x1111);
	store_be16(b->data + 2, 0x2222);
	store_be16(b->data + 4, len);
	store_be16(b->data + 6, 0);
}

static uint32_t send(struct bed *b, uint32_t id, uint32_t off, uint32_t len, bool more)
{
	if (b->ver == 4)
		frame_frag4(&b->f, (uint16_t)id, off, more, b->data + off, len);
	else
		frame_frag6(&b->f, id, off, more, b->data + off, len);
	uint32_t n =
		dissect_frame(b->d, LINK_ETHERNET, b->f.b, b->f.len, b->f.len, b->now, 1, b->p);
	assert_true(b->p[0].fragment);
	assert_null(b->p[0].l4);
	assert_int_equal(b->p[0].frag_off, off);
	assert_int_equal(b->p[0].more_frags, more);
	assert_int_equal(b->p[0].frag_id, id);
	return n;
}

static bool has(const struct bed *b, const char *name)
{
	return dissect_event_in(&b->p[0], (unsigned)dissect_event_by_name(name));
}

static void assert_whole(const struct bed *b, uint32_t len)
{
	const struct pkt *p = &b->p[1];
	assert_true(p->rebuilt && !p->fragment);
	assert_int_equal(p->depth, 0);
	assert_int_equal(p->ip_ver, b->ver);
	assert_int_equal(p->proto, 17);
	assert_int_equal(p->dport, 0x2222);
	assert_false(p->bad_ip_csum);
	assert_int_equal(p->l4_len, len);
	assert_memory_equal(p->l4, b->data, len);
	for (unsigned e = 0; e < DISSECT_EVENT_WORDS; e++)
		assert_int_equal(p->events[e], 0);
}

/* The pieces of a datagram in the order that a number between 0 and 119 stands for. */
static void order_of(unsigned number, unsigned order[PIECES])
{
	unsigned left[PIECES] = {0, 1, 2, 3, 4};
	for (unsigned n = PIECES; n > 0; n--) {
		unsigned pick = number % n;
		number /= n;
		order[PIECES - n] = left[pick];
		memmove(left + pick, left + pick + 1, (n - pick - 1) * sizeof(*left));
	}
}

static void test_every_order(void **state)
{
	(void)state;
	static const uint32_t cut[PIECES + 1] = {0, 8, 1480, 1488, 2960, 3333};
	for (int ver = 4; ver <= 6; ver += 2) {
		struct bed *b = bed_of((struct dissect_conf){.checksums = true}, ver);
		make_udp(b, 3333);
		if (ver == 6) /* IPv6 asks for a sum; the tests are not about it */
			store_be16(b->data + 6, 1);
		for (unsigned number = 0; number < 120; number++) {
			unsigned order[PIECES];
			order_of(number, order);
			for (unsigned i = 0; i < PIECES; i++) {
				unsigned k = order[i];
				uint32_t n = send(b, number + 1, cut[k], cut[k + 1] - cut[k],
						  k + 1 < PIECES);
				assert_int_equal(n, i + 1 < PIECES ? 1 : 2);
			}
			assert_whole(b, 3333);
			assert_false(has(b, ver == 4 ? "ipv4.frag_overlap" : "ipv6.frag_overlap"));
		}
		dissect_free(&b->d);
	}
}

static void test_largest(void **state)
{
	(void)state;
	for (int ver = 4; ver <= 6; ver += 2) {
		struct bed *b = bed_of((struct dissect_conf){0}, ver);
		uint32_t len = ver == 4 ? 65515 : 65535;
		make_udp(b, (uint16_t)len);
		for (uint32_t off = 0; off + 1000 < len; off += 1000)
			assert_int_equal(send(b, 1, off, 1000, true), 1);
		uint32_t last = len / 1000 * 1000;
		assert_int_equal(send(b, 1, last, len - last, false), 2);
		assert_whole(b, len);
		/* One byte more is one too many. */
		last = 65528;
		assert_int_equal(send(b, 2, last, ver == 4 ? 1 : 7, false), 1);
		assert_int_equal(has(b, "ipv4.frag_pkt_too_large"), ver == 4);
		dissect_free(&b->d);
	}
}

static void test_duplicates(void **state)
{
	(void)state;
	struct bed *b = bed_of((struct dissect_conf){0}, 6);
	make_udp(b, 100);
	assert_int_equal(send(b, 1, 0, 64, true), 1);
	assert_false(has(b, "ipv6.frag_overlap"));
	assert_int_equal(send(b, 1, 0, 64, true), 1);
	assert_true(has(b, "ipv6.frag_overlap"));
	assert_int_equal(send(b, 1, 64, 36, false), 2);
	assert_whole(b, 100);
	/* It is over: the same again begins anew. */
	assert_int_equal(send(b, 1, 64, 36, false), 1);
	assert_int_equal(send(b, 1, 0, 64, true), 2);
	dissect_free(&b->d);
}

/* Three fragments: 8..24 of 'B' first, then 16..32 of 'C' (later start) and 0..16 of 'A' (earlier
 * start, so that BSD lets it win over 'B'), then the end. */
static void overlapping(bool inline_mode, const char *want)
{
	struct bed *b = bed_of((struct dissect_conf){.inline_mode = inline_mode}, 4);
	make_udp(b, 40);
	memset(b->data + 8, 'B', 16);
	assert_int_equal(send(b, 9, 8, 16, true), 1);
	memset(b->data + 16, 'C', 16);
	assert_int_equal(send(b, 9, 16, 16, true), 1);
	assert_true(has(b, "ipv4.frag_overlap"));
	memset(b->data + 8, 'A', 8);
	assert_int_equal(send(b, 9, 0, 16, true), 1);
	assert_true(has(b, "ipv4.frag_overlap"));
	memset(b->data + 32, 'D', 8);
	assert_int_equal(send(b, 9, 32, 8, false), 2);
	assert_memory_equal(b->p[1].payload, want, 32);
	dissect_free(&b->d);
}

static void test_overlaps(void **state)
{
	(void)state;
	overlapping(false, "AAAAAAAABBBBBBBBCCCCCCCCDDDDDDDD");
	overlapping(true, "BBBBBBBBBBBBBBBBCCCCCCCCDDDDDDDD");
}

static void test_behind_the_last(void **state)
{
	(void)state;
	struct bed *b = bed_of((struct dissect_conf){0}, 4);
	make_udp(b, 48);
	assert_int_equal(send(b, 1, 32, 16, false), 1);
	assert_int_equal(send(b, 1, 40, 16, true), 1); /* past the end */
	assert_true(has(b, "ipv4.frag_overlap"));
	assert_int_equal(send(b, 1, 24, 16, false), 1); /* another end */
	assert_true(has(b, "ipv4.frag_overlap"));
	assert_int_equal(send(b, 1, 0, 32, true), 2);
	assert_whole(b, 48);
	dissect_free(&b->d);
}

static void test_keys(void **state)
{
	(void)state;
	struct bed *b = bed_of((struct dissect_conf){0}, 4);
	make_udp(b, 16);
	assert_int_equal(send(b, 1, 0, 8, true), 1);
	assert_int_equal(send(b, 2, 8, 8, false), 1); /* another datagram */
	frame_frag4(&b->f, 1, 8, false, b->data + 8, 8);
	b->f.b[14 + 9] = 6; /* another protocol */
	assert_int_equal(dissect_frame(b->d, 1, b->f.b, b->f.len, b->f.len, 0, 1, b->p), 1);
	assert_int_equal(send(b, 1, 8, 8, false), 2);
	dissect_free(&b->d);
}

static void test_timeout(void **state)
{
	(void)state;
	struct bed *b = bed_of((struct dissect_conf){.frag_timeout_ns = 10 * SEC}, 6);
	make_udp(b, 16);
	assert_int_equal(send(b, 1, 0, 8, true), 1);
	b->now = 10 * SEC;
	assert_int_equal(send(b, 1, 8, 8, false), 2);
	assert_int_equal(send(b, 1, 0, 8, true), 1);
	b->now = 20 * SEC + 1;
	assert_int_equal(send(b, 1, 8, 8, false), 1);
	/* The widest leap of time there is, and back. */
	b->now = INT64_MIN;
	assert_int_equal(send(b, 2, 0, 8, true), 1);
	b->now = INT64_MAX;
	assert_int_equal(send(b, 2, 8, 8, false), 1);
	b->now = INT64_MIN;
	assert_int_equal(send(b, 2, 0, 8, true), 2);
	dissect_free(&b->d);
}

static void test_limits(void **state)
{
	(void)state;
	struct bed *b = bed_of((struct dissect_conf){.frag_packets = 4, .frag_bytes = 16384}, 6);
	make_udp(b, 16);
	for (uint32_t id = 1; id <= 5; id++)
		assert_int_equal(send(b, id, 0, 8, true), 1);
	assert_int_equal(send(b, 1, 8, 8, false), 1); /* the oldest made room ... */
	assert_int_equal(send(b, 5, 8, 8, false), 2); /* ... the newest did not */
	/* One that needs more than all: refused, and nothing is broken afterwards. */
	bool ignored = false;
	for (uint32_t off = 0; off < 32768; off += 1024) {
		assert_int_equal(send(b, 9, off, 1024, true), 1);
		ignored |= has(b, "ipv6.frag_ignored");
	}
	assert_true(ignored);
	assert_int_equal(send(b, 10, 0, 8, true), 1);
	assert_int_equal(send(b, 10, 8, 8, false), 2);
	assert_whole(b, 16);
	dissect_free(&b->d);
}

static void test_tunnel_in_fragments(void **state)
{
	(void)state;
	struct bed *b = bed_of((struct dissect_conf){0}, 4);
	/* An IPv4 packet of UDP inside, in two fragments of protocol 4. */
	frame_ip4(&b->f, 17, "1111 2222 000c 0000 41424344");
	uint8_t inner[32];
	memcpy(inner, b->f.b + 14, 32);
	frame_frag4(&b->f, 5, 16, false, inner + 16, 16);
	b->f.b[14 + 9] = 4;
	assert_int_equal(dissect_frame(b->d, 1, b->f.b, b->f.len, b->f.len, 0, 1, b->p), 1);
	frame_frag4(&b->f, 5, 0, true, inner, 16);
	b->f.b[14 + 9] = 4;
	assert_int_equal(dissect_frame(b->d, 1, b->f.b, b->f.len, b->f.len, 0, 1, b->p), 3);
	assert_true(b->p[0].fragment);
	assert_true(b->p[1].rebuilt);
	assert_int_equal(b->p[1].depth, 0);
	assert_int_equal(b->p[2].depth, 1);
	assert_int_equal(b->p[2].tunnel, TUNNEL_IPIP);
	assert_int_equal(b->p[2].dport, 0x2222);
	assert_memory_equal(b->p[2].payload, "ABCD", 4);
	dissect_free(&b->d);
}

static void test_ip6_headers_stay(void **state)
{
	(void)state;
	struct bed *b = bed_of((struct dissect_conf){0}, 6);
	/* A hop-by-hop header in front of the fragment header stays in front of the rest. */
	frame_ip6(&b->f, 0, "2c00 05020000 0000 1100 0001 00000007 1111 2222 0010 0000");
	assert_int_equal(dissect_frame(b->d, 1, b->f.b, b->f.len, b->f.len, 0, 1, b->p), 1);
	frame_ip6(&b->f, 44, "1100 0008 00000007 41*7");
	assert_int_equal(dissect_frame(b->d, 1, b->f.b, b->f.len, b->f.len, 0, 1, b->p), 2);
	assert_int_equal(b->p[1].exthdrs, EXTHDR_HOP);
	assert_int_equal(b->p[1].ip_hlen, 48);
	assert_int_equal(b->p[1].payload_len, 8);
	assert_memory_equal(b->p[1].payload, "AAAAAAAA", 8);
	dissect_free(&b->d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_order),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_behind_the_last),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_tunnel_in_fragments),
		cmocka_unit_test(test_ip6_headers_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
