/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "stream/test/talk.h"

#define BYTES 30000u
#define PIECES 4000u

static struct talk t;
static char data[BYTES];
static uint64_t bare; /* what a conversation without bytes takes */

struct rng {
	uint64_t x;
};

static uint32_t rnd(struct rng *r, uint32_t below)
{
	r->x = r->x * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((r->x >> 33) % below);
}

static uint64_t used(void)
{
	struct slab_stats st;

	slab_read_stats(t.slab, &st);
	return st.used;
}

static void begin(struct stream_conf conf, size_t bytes)
{
	conf.flows = 64;
	talk_begin(&t, &conf, bytes);
	talk_handshake(&t);
	assert_int_equal(t.r.flow->state, STREAM_ESTABLISHED);
	bare = used();
}

/* ---- overlaps -------------------------------------------------------------------------- */

/* The classical table: who keeps the bytes that both have. Rows: the new segment begins before, with,
 * after the old one; in each it ends before, with, after it. */
static const char *const classic[] = {
	[POLICY_FIRST] = "ooo"
			 "ooo"
			 "ooo",
	[POLICY_LAST] = "nnn"
			"nnn"
			"nnn",
	[POLICY_BSD] = "nnn"
		       "ooo"
		       "ooo",
	[POLICY_BSD_RIGHT] = "ooo"
			     "nnn"
			     "nnn",
	[POLICY_LINUX] = "nnn"
			 "oon"
			 "ooo",
	[POLICY_OLD_LINUX] = "nnn"
			     "onn"
			     "ooo",
	[POLICY_SOLARIS] = "onn"
			   "oon"
			   "oon",
	[POLICY_WINDOWS] = "oon"
			   "ooo"
			   "ooo",
};

static void fight(uint8_t policy, unsigned how, bool early, bool inline_mode)
{
	static const uint32_t from[3] = {16, 21, 24}, to[3] = {27, 31, 35};
	uint32_t a = from[how / 3], b = to[how % 3];
	char want = inline_mode ? 'o' : classic[policy][how], o[64], n[64];
	uint32_t lo = a > 21 ? a : 21, hi = b < 31 ? b : 31;

	memset(o, 'o', sizeof(o));
	memset(n, 'n', sizeof(n));
	begin((struct stream_conf){.policy = policy, .inline_mode = inline_mode}, 1 << 18);
	t.lazy = true;
	if (early) { /* both wait behind a gap */
		talk_tcp(&t, TO_SERVER, 21, 1, ACK, o, 10);
		talk_tcp(&t, TO_SERVER, a, 1, ACK, n, b - a);
		talk_tcp(&t, TO_SERVER, 1, 1, ACK, o, 15);
		talk_tcp(&t, TO_SERVER, 16, 1, ACK, o, 5);
	} else {
		talk_tcp(&t, TO_SERVER, 1, 1, ACK, o, 15);
		talk_tcp(&t, TO_SERVER, 16, 1, ACK, o, 5);
		talk_tcp(&t, TO_SERVER, 21, 1, ACK, o, 10);
		talk_tcp(&t, TO_SERVER, a, 1, ACK, n, b - a);
	}
	assert_true(talk_event(&t, "reassembly_overlap_different_data"));
	t.lazy = false;
	talk_tcp(&t, TO_CLIENT, 1, b > 31 ? b : 31, ACK, NULL, 0);
	assert_int_equal(t.len[0], (b > 31 ? b : 31) - 1);
	for (uint32_t i = lo; i < hi; i++)
		if (t.out[0][i - 1] != (uint8_t)want)
			fail_msg("policy %u, case %u, %s: byte %u is %c", policy, how,
				 early ? "early" : "in order", i, t.out[0][i - 1]);
	if (b > 31)
		assert_int_equal(t.out[0][31], 'n');
	talk_end(&t);
}

static void test_policies(void **state)
{
	(void)state;
	for (uint8_t p = POLICY_FIRST; p <= POLICY_WINDOWS; p++) {
		for (unsigned how = 0; how < 9; how++) {
			fight(p, how, true, false);
			fight(p, how, false, false);
			fight(p, how, false, true);
		}
	}
}

static void test_released_bytes_stay(void **state)
{
	(void)state;
	begin((struct stream_conf){.policy = POLICY_LAST}, 1 << 18);
	t.lazy = true;
	talk_text(&t, TO_SERVER, 1, 1, "GOOD");
	talk_tcp(&t, TO_CLIENT, 1, 3, ACK, NULL, 0);
	talk_text(&t, TO_SERVER, 1, 1, "EVIL");
	assert_true(talk_event(&t, "reassembly_overlap_different_data"));
	t.lazy = false;
	talk_tcp(&t, TO_CLIENT, 1, 5, ACK, NULL, 0);
	assert_memory_equal(t.out[0], "GOIL", 4);
	talk_end(&t);
}

/* ---- the bytes don't depend on how they come --------------------------------------------- */

struct piece {
	uint32_t from, to;
};

static uint32_t cut(struct rng *r, struct piece *p, uint32_t most_len)
{
	uint32_t n = 0, at = 0;

	while (at < BYTES && n < PIECES / 2) {
		uint32_t back = rnd(r, 4) ? 0 : rnd(r, at + 1 < 50 ? at + 1 : 50);
		uint32_t len = 1 + rnd(r, most_len);

		p[n].from = at - back;
		p[n].to = at + len < BYTES ? at + len : BYTES;
		at = p[n++].to;
		if (!rnd(r, 8)) { /* twice */
			p[n] = p[n - 1];
			n++;
		}
	}
	assert_int_equal(at, BYTES);
	for (uint32_t i = 0; i < n; i++) { /* out of order, but not without limit */
		uint32_t far = n - i < 40 ? n - i : 40, k = i + rnd(r, far);
		struct piece tmp = p[i];

		if (rnd(r, 3))
			continue;
		p[i] = p[k];
		p[k] = tmp;
	}
	return n;
}

static void one_way(uint64_t seed, struct stream_conf conf)
{
	static struct piece p[PIECES];
	static bool have[BYTES + 1];
	struct rng r = {seed};
	uint32_t n = cut(&r, p, seed % 3 ? 100 : 1400), front = 0;

	memset(have, 0, sizeof(have));
	begin(conf, 1 << 22);
	t.lazy = false;
	t.p.tcp.win = 65535;
	for (uint32_t i = 0; i < n; i++) {
		talk_tcp(&t, TO_SERVER, 1 + p[i].from, 1, ACK, data + p[i].from,
			 p[i].to - p[i].from);
		memset(have + p[i].from, 1, p[i].to - p[i].from);
		while (have[front])
			front++;
		if (!rnd(&r, 5))
			talk_tcp(&t, TO_CLIENT, 1, 1 + front, ACK, NULL, 0);
		t.lazy = !rnd(&r, 3);
	}
	assert_int_equal(front, BYTES);
	t.lazy = false;
	talk_tcp(&t, TO_SERVER, 1 + BYTES, 1, FIN | ACK, NULL, 0);
	talk_tcp(&t, TO_CLIENT, 1, 2 + BYTES, ACK, NULL, 0);
	assert_true(t.r.flow->side[0].fin);
	assert_int_equal(t.len[0], BYTES);
	assert_memory_equal(t.out[0], data, BYTES);
	assert_int_equal(t.lost[0], 0);
	assert_false(talk_event(&t, "reassembly_overlap_different_data"));
	talk_end(&t);
}

static void test_any_order(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++)
		one_way(seed * 7919, (struct stream_conf){.policy = (uint8_t)(seed % 8),
							  .inline_mode = seed % 5 == 0});
}

/* ---- gaps, ends, limits ------------------------------------------------------------------ */

static void test_gap(void **state)
{
	struct stream_result more;

	(void)state;
	begin((struct stream_conf){0}, 1 << 18);
	t.lazy = true;
	talk_text(&t, TO_SERVER, 1, 1, "VERY");
	talk_text(&t, TO_SERVER, 9, 1, "DATA");
	assert_false(t.r.grown[0]);
	talk_tcp(&t, TO_CLIENT, 1, 13, ACK, NULL, 0);
	assert_true(t.r.grown[0]);
	assert_int_equal(t.r.flow->side[0].len, 4);
	memset(&more, 0, sizeof(more));
	assert_true(stream_more(t.s, t.r.flow, &more));
	assert_true(more.grown[0]);
	assert_int_equal(t.r.flow->side[0].base, 8);
	assert_int_equal(t.r.flow->side[0].gap_end, 8);
	assert_int_equal(t.r.flow->side[0].len, 4);
	assert_memory_equal(t.r.flow->side[0].data, "DATA", 4);
	t.events[0] = more.events[0], t.events[1] = more.events[1];
	assert_true(talk_event(&t, "reassembly_seq_gap"));
	assert_false(stream_more(t.s, t.r.flow, &more));
	t.lazy = false;
	talk_text(&t, TO_SERVER, 13, 1, "!");
	talk_tcp(&t, TO_CLIENT, 1, 14, ACK, NULL, 0);
	assert_int_equal(t.lost[0], 8);
	assert_memory_equal(t.out[0], "DATA!", 5);
	talk_end(&t);
}

static void test_end_releases(void **state)
{
	(void)state;
	begin((struct stream_conf){0}, 1 << 18);
	talk_text(&t, TO_SERVER, 1, 1, "one");
	talk_text(&t, TO_SERVER, 6, 1, "two");
	stream_sweep(t.s, t.now_ns + 10000 * NS_PER_SEC, 100);
	assert_string_equal(t.reason, "timeout");
	assert_int_equal(t.len[0], 6);
	assert_memory_equal(t.out[0], "onetwo", 6);
	assert_int_equal(t.lost[0], 2);
	assert_int_equal(used(), 0);
	talk_end(&t);
}

static void test_depth(void **state)
{
	(void)state;
	begin((struct stream_conf){.depth = 1000}, 1 << 18);
	talk_tcp(&t, TO_SERVER, 1, 1, ACK, data, 990);
	assert_false(talk_any_event(&t));
	talk_tcp(&t, TO_SERVER, 991, 1, ACK, data + 990, 100);
	assert_true(talk_event(&t, "reassembly_depth_reached"));
	talk_tcp(&t, TO_CLIENT, 1, 1091, ACK, NULL, 0);
	talk_tcp(&t, TO_SERVER, 1091, 1, ACK, data + 1090, 100);
	assert_true(t.r.flow->side[0].truncated);
	assert_false(talk_any_event(&t));
	assert_int_equal(t.len[0], 1000);
	assert_memory_equal(t.out[0], data, 1000);
	assert_int_equal(used(), bare);
	talk_end(&t);
}

static void test_no_memory(void **state)
{
	bool told = false;

	(void)state;
	for (int early = 0; early < 2; early++) {
		begin((struct stream_conf){.depth = UINT64_MAX, .window = 1 << 20}, 1 << 17);
		t.p.tcp.win = 65535;
		t.lazy = true;
		for (uint32_t i = 0; i < 3000; i++) {
			talk_tcp(&t, TO_SERVER, 1 + (uint32_t)early + i * 1000, 1, ACK, data, 1000);
			told |= talk_event(&t, "reassembly_insert_memcap");
			if (!early)
				talk_tcp(&t, TO_CLIENT, 1, 1 + i * 1000, ACK, NULL, 0);
			else if (i == 50)
				break;
		}
		assert_true(told || early);
		talk_end(&t);
	}
}

/* Who is closed makes room for who is not. */
static void test_closed_make_room(void **state)
{
	(void)state;
	begin((struct stream_conf){0}, 3 << 15);
	t.lazy = true;
	talk_tcp(&t, TO_SERVER, 1, 1, ACK, data, 30000);
	talk_tcp(&t, TO_SERVER, 30001, 1, RST, NULL, 0);
	t.client_port++;
	talk_handshake(&t);
	talk_tcp(&t, TO_SERVER, 1, 1, ACK, data, 30000);
	assert_int_equal(t.ended, 0);
	talk_tcp(&t, TO_SERVER, 30001, 1, ACK, data, 10000);
	assert_int_equal(t.ended, 1);
	assert_true(t.r.added || t.r.flow->side[0].truncated);
	talk_end(&t);
}

/* A peer that only sends what can't be put in order costs no more than the limits say. */
static void test_out_of_order_flood(void **state)
{
	struct rng r = {4711};
	uint64_t most = 0;

	(void)state;
	begin((struct stream_conf){.window = 20000}, 1 << 22);
	t.p.tcp.win = 65535;
	talk_tcp(&t, TO_CLIENT, 1, 1, ACK, NULL, 0);
	for (uint32_t i = 0; i < 60000; i++) {
		uint32_t len = i % 2 ? 1 : 1 + rnd(&r, 1400);

		talk_tcp(&t, TO_SERVER, 2 + rnd(&r, 60000), 1, ACK, data + rnd(&r, 20000), len);
		most = most > used() ? most : used();
	}
	assert_true(talk_event(&t, "reassembly_insert_limit"));
	assert_true(most > 0 && most < (20000 + 512 * 48) * 5 / 4);
	assert_int_equal(t.len[0], 0);
	talk_end(&t);
}

static void test_unwanted(void **state)
{
	(void)state;
	begin((struct stream_conf){0}, 1 << 18);
	t.lazy = true;
	talk_text(&t, TO_SERVER, 1, 1, "one");
	talk_text(&t, TO_SERVER, 9, 1, "two");
	t.r.flow->side[0].no_app = t.r.flow->side[0].no_raw = true;
	talk_text(&t, TO_SERVER, 12, 1, "three");
	assert_int_equal(used(), bare);
	talk_text(&t, TO_SERVER, 17, 1, "four");
	assert_int_equal(used(), bare);
	assert_int_equal(t.r.flow->side[0].len, 0);
	talk_end(&t);
}

/* Two consumers at different places: nothing that one of them needs goes away. */
static void test_two_consumers(void **state)
{
	struct stream_side *side;

	(void)state;
	begin((struct stream_conf){.inline_mode = true}, 1 << 18);
	t.lazy = true;
	for (uint32_t i = 0; i < 200; i++) {
		talk_tcp(&t, TO_SERVER, 1 + i * 100, 1, ACK, data + i * 100, 100);
		side = &t.r.flow->side[0];
		assert_int_equal(side->base + side->len, (i + 1) * 100);
		assert_true(side->base <= side->raw_done);
		assert_memory_equal(side->data, data + side->base, side->len);
		side->app_done = side->base + side->len;
		side->raw_done = side->app_done < 777 ? 0 : side->app_done - 777;
		stream_settle(t.s, t.r.flow);
		assert_int_equal(side->base, side->raw_done);
		talk_tcp(&t, TO_CLIENT, 1, 1 + (i + 1) * 100, ACK, NULL, 0);
		assert_true(used() < 5000);
	}
	talk_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies),         cmocka_unit_test(test_released_bytes_stay),
		cmocka_unit_test(test_any_order),        cmocka_unit_test(test_gap),
		cmocka_unit_test(test_end_releases),     cmocka_unit_test(test_depth),
		cmocka_unit_test(test_no_memory),        cmocka_unit_test(test_out_of_order_flood),
		cmocka_unit_test(test_closed_make_room), cmocka_unit_test(test_unwanted),
		cmocka_unit_test(test_two_consumers)};
	struct rng r = {99};

	for (uint32_t i = 0; i < BYTES; i++)
		data[i] = (char)rnd(&r, 256);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
