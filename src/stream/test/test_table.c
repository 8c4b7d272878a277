/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "stream/test/talk.h"

static struct talk t;

static void begin(struct stream_conf conf)
{
	talk_begin(&t, &conf, 1 << 20);
}

static struct addr ip(uint32_t v)
{
	uint8_t b[4];

	store_be32(b, v);
	return addr_from_v4(b);
}

static void send(uint8_t proto, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport)
{
	struct pkt p = {.stamp_ns = t.now_ns, .ip_ver = 4, .proto = proto, .frame_wire = 60};

	p.src = ip(src);
	p.dst = ip(dst);
	p.sport = sport;
	p.dport = dport;
	p.vlan[0] = t.p.vlan[0];
	p.n_vlan = t.p.n_vlan;
	if (proto == 1) {
		p.sport = p.dport = 0;
		p.icmp_type = (uint8_t)sport;
		p.icmp_code = (uint8_t)dport;
	}
	stream_packet(t.s, &p, &t.r);
}

static void test_both_ways(void **state)
{
	uint64_t id;

	(void)state;
	begin((struct stream_conf){0});
	send(17, 1, 2, 5000, 53);
	assert_true(t.r.first);
	id = t.r.flow->id;
	assert_false(t.r.flow->established);
	send(17, 2, 1, 53, 5000);
	assert_int_equal(t.r.flow->id, id);
	assert_int_equal(t.r.dir, TO_CLIENT);
	assert_true(t.r.flow->established);
	assert_int_equal(t.r.flow->port[1], 53);
	assert_int_equal(t.r.flow->pkts[1], 1);
	assert_int_equal(t.r.flow->bytes[0], 60);
	send(17, 9, 2, 5000, 53);
	assert_int_not_equal(t.r.flow->id, id);
	send(6, 1, 2, 5000, 53);
	assert_int_not_equal(t.r.flow->id, id);
	t.p.n_vlan = 1;
	t.p.vlan[0] = 7;
	send(17, 1, 2, 5000, 53);
	assert_int_not_equal(t.r.flow->id, id);
	assert_true(t.r.first);
	t.p.n_vlan = 0;
	send(17, 0xffffffff, 3, 9, 9); /* the greater address began */
	assert_int_equal(t.r.dir, TO_SERVER);
	send(17, 3, 0xffffffff, 9, 9);
	assert_int_equal(t.r.dir, TO_CLIENT);
	send(17, 3, 3, 9, 9); /* to itself */
	assert_int_equal(t.r.dir, TO_SERVER);
	send(47, 1, 2, 0, 0);
	assert_null(t.r.flow);
	talk_end(&t);
	assert_int_equal(t.ended, 6);
}

static void test_icmp(void **state)
{
	uint8_t bytes[60] = {3, 1};
	struct pkt p = {.ip_ver = 4, .proto = 1, .icmp_type = 3, .frame_wire = 70};
	uint64_t id;
	unsigned dir = 9;

	(void)state;
	begin((struct stream_conf){0});
	send(1, 1, 2, 8, 0);
	id = t.r.flow->id;
	assert_int_equal(t.r.flow->port[0], 8);
	send(1, 2, 1, 0, 0);
	assert_int_equal(t.r.flow->id, id);
	assert_int_equal(t.r.dir, TO_CLIENT);
	send(17, 1, 2, 5000, 53);
	id = t.r.flow->id;
	p.l4 = bytes;
	p.l4_len = sizeof(bytes);
	p.l4_hlen = 8;
	bytes[8] = 0x45;
	bytes[8 + 9] = 17;
	memcpy(bytes + 8 + 12, ip(1).b, 4);
	memcpy(bytes + 8 + 16, ip(2).b, 4);
	store_be16(bytes + 28, 5000);
	store_be16(bytes + 30, 53);
	p.src = ip(77);
	p.dst = ip(1);
	p.stamp_ns = t.now_ns;
	stream_packet(t.s, &p, &t.r);
	assert_non_null(t.r.flow);
	assert_int_equal(t.r.flow->id, id);
	assert_int_equal(t.r.dir, TO_CLIENT);
	assert_ptr_equal(stream_find(t.s, &p, &dir), t.r.flow);
	assert_int_equal(dir, TO_CLIENT);
	p.l4_len = 35; /* quotes too little */
	stream_packet(t.s, &p, &t.r);
	assert_null(t.r.flow);
	p.l4_len = 36;
	bytes[8] = 0x4f; /* its header would be longer */
	stream_packet(t.s, &p, &t.r);
	assert_null(t.r.flow);
	talk_end(&t);
}

static void test_unfit(void **state)
{
	struct pkt p = {.ip_ver = 4, .proto = 17, .fragment = true};

	(void)state;
	begin((struct stream_conf){0});
	stream_packet(t.s, &p, &t.r);
	assert_null(t.r.flow);
	p.fragment = false;
	p.invalid = true;
	stream_packet(t.s, &p, &t.r);
	assert_null(t.r.flow);
	p.invalid = false;
	p.ip_ver = 0;
	stream_packet(t.s, &p, &t.r);
	assert_null(t.r.flow);
	talk_end(&t);
}

static void test_time_outs(void **state)
{
	uint64_t id;

	(void)state;
	begin((struct stream_conf){.udp_ns = 30 * NS_PER_SEC, .icmp_ns = 5 * NS_PER_SEC});
	send(17, 1, 2, 1, 2);
	id = t.r.flow->id;
	send(1, 1, 2, 8, 0);
	t.now_ns += 29 * NS_PER_SEC;
	assert_int_equal(stream_sweep(t.s, t.now_ns, 100), 1);
	send(17, 2, 1, 2, 1);
	assert_int_equal(t.r.flow->id, id);
	t.now_ns += 29 * NS_PER_SEC;
	assert_int_equal(stream_sweep(t.s, t.now_ns, 100), 0);
	t.now_ns += NS_PER_SEC;
	send(17, 1, 2, 1, 2); /* over, though nobody swept */
	assert_int_not_equal(t.r.flow->id, id);
	for (uint16_t i = 0; i < 50; i++)
		send(17, 5, 6, i, 1);
	t.now_ns += 40 * NS_PER_SEC;
	assert_int_equal(stream_sweep(t.s, t.now_ns, 20), 20);
	assert_int_equal(stream_sweep(t.s, t.now_ns, 100), 31);
	talk_end(&t);
}

/* A flood of UDP or of SYNs fills the table; the connection stays. */
static void test_full(void **state)
{
	struct stream_stats st;
	struct stream_flow *f;

	(void)state;
	begin((struct stream_conf){.flows = 1000});
	talk_handshake(&t);
	f = t.r.flow;
	for (uint32_t i = 0; i < 1000000; i++)
		send(i % 2 ? 17 : 6, i, 2, 1, 2);
	stream_read_stats(t.s, &st);
	assert_int_equal(st.active, 1000);
	assert_int_equal(st.flows, 1000001);
	assert_int_equal(st.evicted, 999001);
	talk_text(&t, TO_SERVER, 1, 1, "still here");
	assert_ptr_equal(t.r.flow, f);
	assert_false(t.r.first);
	talk_tcp(&t, TO_CLIENT, 1, 11, ACK, NULL, 0);
	assert_int_equal(t.len[0], 10);
	talk_end(&t);
	assert_int_equal(t.ended, 1000001);
}

static void test_done(void **state)
{
	(void)state;
	begin((struct stream_conf){0});
	send(17, 1, 2, 1, 2);
	t.r.flow->done = true;
	stream_settle(t.s, t.r.flow);
	assert_int_equal(t.ended, 1);
	assert_string_equal(t.reason, "ended");
	send(17, 1, 2, 1, 2);
	assert_true(t.r.first);
	talk_end(&t);
}

/* What was blocked holds no bytes. */
static void test_dead(void **state)
{
	struct slab_stats st, bare;

	(void)state;
	begin((struct stream_conf){0});
	talk_handshake(&t);
	slab_read_stats(t.slab, &bare);
	t.lazy = true;
	talk_text(&t, TO_SERVER, 1, 1, "evil");
	t.r.flow->dead = true;
	talk_text(&t, TO_SERVER, 5, 1, "more");
	assert_false(t.r.added);
	slab_read_stats(t.slab, &st);
	assert_int_equal(st.used, bare.used);
	talk_end(&t);
}

static uint64_t memory_used(void)
{
	struct slab_stats st;

	slab_read_stats(t.slab, &st);
	return st.used;
}

static void syn(void)
{
	t.client_port++;
	talk_tcp(&t, TO_SERVER, 0, 0, SYN, NULL, 0);
}

/* A flood of first packets, inline: of each no more is remembered than this. Without memory the oldest that is
 * half-open gives way; while there is none the packet does not pass. */
static void test_first_packets(void **state)
{
	static void *hog[100000];
	uint32_t n = 0;

	(void)state;
	begin((struct stream_conf){.inline_mode = true});
	send(17, 1, 2, 5000, 53);
	assert_int_equal(memory_used(), 0);
	syn();
	assert_in_range(memory_used(), 1, 256);
	talk_tcp(&t, TO_CLIENT, 0, 1, SYN | ACK, NULL, 0);
	talk_tcp(&t, TO_SERVER, 1, 1, ACK, NULL, 0);
	while (n < ARRAY_LEN(hog) && (hog[n] = slab_alloc(t.slab, 256)))
		n++;
	syn();
	assert_true(t.r.refuse && !t.r.flow->tcp);
	slab_free(t.slab, hog[--n]);
	for (int i = 0; i < 3; i++) {
		syn();
		assert_false(t.r.refuse);
		assert_int_equal(t.ended, i ? i + 1 : 0); /* at first also the refused one */
	}
	while (n)
		slab_free(t.slab, hog[--n]);
	t.client_port++;
	talk_handshake(&t);
	talk_text(&t, TO_SERVER, 1, 1, "hello");
	assert_true(t.r.added);
	talk_end(&t);
}

static void test_expectations(void **state)
{
	struct addr a = ip(1), b = ip(2);
	uint64_t parent = 0;
	uint32_t tag = 0;

	(void)state;
	begin((struct stream_conf){0});
	assert_int_equal(stream_expect(t.s, &a, &b, 0, 2020, 7, 42, t.now_ns), 0);
	send(6, 1, 2, 999, 2021);
	assert_false(stream_expected(t.s, t.r.flow, &parent, &tag));
	send(6, 3, 2, 999, 2020);
	assert_false(stream_expected(t.s, t.r.flow, &parent, &tag));
	send(6, 1, 2, 999, 2020);
	assert_true(stream_expected(t.s, t.r.flow, &parent, &tag));
	assert_int_equal(parent, 7);
	assert_int_equal(tag, 42);
	assert_false(stream_expected(t.s, t.r.flow, &parent, &tag)); /* once */
	assert_int_equal(stream_expect(t.s, &a, &b, 20, 3030, 8, 1, t.now_ns), 0);
	send(6, 1, 2, 21, 3030);
	assert_false(stream_expected(t.s, t.r.flow, &parent, &tag));
	t.now_ns += 301 * NS_PER_SEC;
	send(6, 1, 2, 20, 3030);
	assert_false(stream_expected(t.s, t.r.flow, &parent, &tag));
	for (uint16_t i = 1; i < 5000; i++)
		assert_int_equal(stream_expect(t.s, &a, &b, 0, i, i, i, t.now_ns), 0);
	send(6, 1, 2, 21, 4999);
	assert_true(stream_expected(t.s, t.r.flow, &parent, &tag));
	assert_int_equal(parent, 4999);
	assert_true(stream_expect(t.s, &a, &b, 0, 0, 1, 1, t.now_ns) < 0);
	talk_end(&t);
}

static void test_settings(void **state)
{
	struct stream_conf conf = {.flows = UINT32_MAX};
	struct stream *s = NULL;

	(void)state;
	assert_int_equal(stream_create(&conf, NULL, &s), SKEP_ERANGE);
	conf.flows = 1;
	conf.policy = 99;
	assert_int_equal(stream_create(&conf, NULL, &s), SKEP_ERANGE);
	assert_null(s);
	stream_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways), cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_unfit),     cmocka_unit_test(test_time_outs),
		cmocka_unit_test(test_full),      cmocka_unit_test(test_done),
		cmocka_unit_test(test_dead),      cmocka_unit_test(test_expectations),
		cmocka_unit_test(test_settings),  cmocka_unit_test(test_first_packets)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
