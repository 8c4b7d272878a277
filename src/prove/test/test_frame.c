/* SPDX-License-Identifier: BSD-2-Clause */
/* The frames made by hand are what the decoder finds in them: else the proof would only send rubbish. */
#include "prove/prove_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct head head(const char *from, const char *to)
{
	struct head h = {
		.to_mac = {{2, 1, 1, 1, 1, 1}}, .from_mac = {{2, 2, 2, 2, 2, 2}}, .ttl = 64};
	assert_int_equal(addr_parse(from, &h.from), 0);
	assert_int_equal(addr_parse(to, &h.to), 0);
	return h;
}

static struct layers decode(struct pkt *p, bool *ret_sums)
{
	struct layers l;
	struct frame f = {.data = p->b, .len = p->len, .cap = sizeof(p->b)};
	packet_decode(&f, &l);
	*ret_sums = packet_checksums_ok(&f, &l) && (l.odd & ODD_BAD_IP_CSUM) == 0;
	return l;
}

static const char *const ends[2][2] = {{"10.99.0.254", "192.0.2.80"},
				       {"2001:db8::fe", "2001:db8:80::80"}};

static void whole_packets_are_sound(void **state)
{
	static struct pkt p;
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct head h = head(ends[v][0], ends[v][1]);
		struct tcp_head t = {.sport = 5, .dport = 80, .seq = 77, .flags = TCP_SYN};
		bool sums;
		frame_udp(&p, &h, 4000, 9, "some odd data", 13);
		struct layers l = decode(&p, &sums);
		assert_int_equal(l.odd, 0);
		assert_true(sums && l.proto == 17 && l.sport == 4000 && l.dport == 9);
		assert_true(addr_eq(&l.src, &h.from) && addr_eq(&l.dst, &h.to));
		frame_tcp(&p, &h, &t, NULL, 0);
		l = decode(&p, &sums);
		assert_int_equal(l.odd, 0);
		assert_true(sums && l.seq == 77 && l.tcp_flags == TCP_SYN);
		frame_icmp(&p, &h, v == 0 ? 8 : 128, 0, 0x12340001, "x", 1);
		l = decode(&p, &sums);
		assert_int_equal(l.odd, 0);
		assert_true(sums && l.icmp_echo_request && l.sport == 0x1234);
		assert_true(p.len >= 60);
	}
}

static void what_is_to_be_wrong_is_wrong(void **state)
{
	static struct pkt p;
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct head h = head(ends[v][0], ends[v][1]);
		bool sums;
		h.bad_l4_sum = true;
		frame_udp(&p, &h, 4000, 9, "data", 4);
		decode(&p, &sums);
		assert_false(sums);
		frame_icmp(&p, &h, v == 0 ? 8 : 128, 0, 1, "data", 4);
		decode(&p, &sums);
		assert_false(sums);
	}
	struct head h = head(ends[0][0], ends[0][1]);
	bool sums;
	h.bad_ip_sum = true;
	frame_udp(&p, &h, 4000, 9, "data", 4);
	decode(&p, &sums);
	assert_false(sums);
}

static void tags_and_fragments(void **state)
{
	static struct pkt p;
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct head h = head(ends[v][0], ends[v][1]);
		bool sums;
		h.n_tags = 2;
		h.tag_kind = 0x88a8;
		h.tags[0] = 7;
		frame_udp(&p, &h, 4000, 9, "data", 4);
		struct layers l = decode(&p, &sums);
		assert_true((l.odd & ODD_VLAN) != 0 && l.proto == 17 && l.vlan_tci == 7);
		h.n_tags = 0;
		h.proto = 17;
		h.frag = 0x2000 | 4;
		frame_ip(&p, &h, "12345678", 8);
		l = decode(&p, &sums);
		assert_true(l.fragment && !l.first_fragment && l.more_fragments &&
			    l.frag_offset == 32);
	}
}

/* What does not fit is cut, never written past the end. */
static void too_long_is_cut(void **state)
{
	static struct pkt p;
	static uint8_t data[PROVE_FRAME];
	struct head h = head(ends[0][0], ends[0][1]);
	(void)state;
	frame_raw(&p, &h, 0x1234, data, sizeof(data));
	assert_int_equal(p.len, PROVE_FRAME);
}

static void the_worst_verdict_counts(void **state)
{
	struct prove_row rows[3] = {
		{.verdict = PROVE_HELD}, {.verdict = PROVE_SKIPPED}, {.verdict = PROVE_HELD}};
	struct prove_result r = {.n = 3, .rows = rows};
	(void)state;
	assert_int_equal(prove_judge(&r), PROVE_HELD);
	rows[0].verdict = PROVE_BROKEN;
	assert_int_equal(prove_judge(&r), PROVE_BROKEN);
	rows[2].verdict = PROVE_LEAK;
	assert_int_equal(prove_judge(&r), PROVE_LEAK);
	rows[0].verdict = PROVE_HELD; /* the fences alone prove nothing */
	rows[1].verdict = rows[2].verdict = PROVE_SKIPPED;
	assert_int_equal(prove_judge(&r), PROVE_BROKEN); /* nothing tried is nothing proven */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_packets_are_sound),
		cmocka_unit_test(what_is_to_be_wrong_is_wrong),
		cmocka_unit_test(tags_and_fragments),
		cmocka_unit_test(too_long_is_cut),
		cmocka_unit_test(the_worst_verdict_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
