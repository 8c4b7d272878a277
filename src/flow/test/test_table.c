/* SPDX-License-Identifier: BSD-2-Clause */
/* The flow table: both sides found, eviction spares what is established, time-outs, fragments. */
#include "flow/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#define CAPACITY 64u

struct ended {
	unsigned n[4];
	uint64_t last_id;
};

static void on_end(void *ctx, const struct flow *f, enum flow_end why, int64_t now_ns)
{
	struct ended *e = ctx;
	e->n[why]++;
	e->last_id = f->id;
}

static struct flow_key key_of(uint32_t n, uint16_t port)
{
	struct flow_key k;
	memset(&k, 0, sizeof(k));
	k.src.ver = k.dst.ver = 4;
	store_be32(k.src.b, n);
	store_be32(k.dst.b, 0xcb00710a);
	k.sport = (uint16_t)n;
	k.dport = 22;
	k.port = port;
	k.proto = 6;
	return k;
}

static struct flow_table *make(struct arena *a, struct ended *e, uint32_t capacity)
{
	struct flow_conf c = {.capacity = capacity, .ended = on_end, .ctx = e};
	struct flow_table *t = NULL;
	for (unsigned i = 0; i < FLOW_CLASSES; i++)
		c.timeout_ns[i] = (int64_t)(i + 1) * NS_PER_SEC;
	memset(e, 0, sizeof(*e));
	assert_int_equal(arena_create(flow_table_bytes(capacity), a), 0);
	assert_int_equal(flow_table_create(a, &c, &t), 0);
	return t;
}

static struct flow *add(struct flow_table *t, uint32_t n, enum flow_class class, int64_t now)
{
	struct flow_key k0 = key_of(n, 0), k1 = key_of(n, 1);
	struct flow *f = NULL;
	int err = flow_add(t, &k0, &k1, class, now, &f);
	if (err != 0)
		return NULL;
	f->id = n;
	return f;
}

static void both_sides_are_found(void **state)
{
	struct arena a;
	struct ended e;
	struct flow_table *t = make(&a, &e, CAPACITY);
	struct flow *f = add(t, 7, FLOW_HALF_OPEN, 1), *dup = NULL;
	struct flow_key k0 = key_of(7, 0), k1 = key_of(7, 1), k2 = key_of(7, 2);
	unsigned side = 9;
	assert_ptr_equal(flow_find(t, &k0, &side), f);
	assert_int_equal(side, 0);
	assert_ptr_equal(flow_find(t, &k1, &side), f);
	assert_int_equal(side, 1);
	assert_null(flow_find(t, &k2, &side));
	assert_int_equal(flow_add(t, &k2, &k1, FLOW_UDP, 1, &dup), -EEXIST);
	assert_int_equal(flow_add(t, &k0, NULL, FLOW_UDP, 1, &dup), -EEXIST);
	flow_remove(t, f, FLOW_END_FORCED, 2);
	assert_null(flow_find(t, &k0, &side));
	assert_null(flow_find(t, &k1, &side));
	assert_int_equal(e.n[FLOW_END_FORCED], 1);
	arena_destroy(&a);
}

static void full_table_spares_the_established(void **state)
{
	struct arena a;
	struct ended e;
	struct flow_table *t = make(&a, &e, CAPACITY);
	struct flow_counts c;
	for (uint32_t i = 0; i < CAPACITY / 2; i++)
		assert_non_null(add(t, i, FLOW_TCP, i));
	for (uint32_t i = 0; i < 10000; i++)
		assert_non_null(
			add(t, 1000 + i, i % 3 == 0 ? FLOW_REFUSED : FLOW_HALF_OPEN, 100 + i));
	unsigned side;
	for (uint32_t i = 0; i < CAPACITY / 2; i++) {
		struct flow_key k = key_of(i, 1);
		assert_non_null(flow_find(t, &k, &side));
	}
	flow_read_counts(t, &c);
	assert_int_equal(c.active, CAPACITY);
	assert_int_equal(c.evicted, 10000 - CAPACITY / 2);
	assert_int_equal(e.n[FLOW_END_EVICTED], 10000 - CAPACITY / 2);
	/* The oldest went first: the newest half is there. */
	for (uint32_t i = 10000 - CAPACITY / 2; i < 10000; i++) {
		struct flow_key k = key_of(1000 + i, 0);
		assert_non_null(flow_find(t, &k, &side));
	}
	/* Loose ones go last. */
	for (uint32_t i = 10000 - CAPACITY / 2; i < 10000; i++) {
		struct flow_key k = key_of(1000 + i, 0);
		flow_touch(t, flow_find(t, &k, &side), FLOW_LOOSE, 15000 + i);
	}
	assert_non_null(
		add(t, 50000, FLOW_HALF_OPEN, 30000)); /* in place of the oldest loose one */
	assert_non_null(add(t, 50001, FLOW_HALF_OPEN, 30001)); /* in place of the one just added */
	struct flow_key gone = key_of(50000, 0), there = key_of(1000 + 10000 - CAPACITY / 2 + 1, 0);
	assert_null(flow_find(t, &gone, &side));
	assert_non_null(flow_find(t, &there, &side));
	/* With nothing to evict there is no room. */
	gone = key_of(50001, 0);
	flow_touch(t, flow_find(t, &gone, &side), FLOW_TCP, 30002);
	for (uint32_t i = 10000 - CAPACITY / 2; i < 10000; i++) {
		struct flow_key k = key_of(1000 + i, 0);
		if (flow_find(t, &k, &side) != NULL)
			flow_touch(t, flow_find(t, &k, &side), FLOW_UDP, 30003);
	}
	struct flow_key k = key_of(77777, 0);
	struct flow *f;
	assert_int_equal(flow_add(t, &k, NULL, FLOW_HALF_OPEN, 30004, &f), SKEP_EFULL);
	arena_destroy(&a);
}

static void flows_time_out_by_class(void **state)
{
	struct arena a;
	struct ended e;
	struct flow_table *t = make(&a, &e, CAPACITY);
	for (uint32_t c = 0; c < FLOW_CLASSES; c++)
		assert_non_null(add(t, c + 1, c, NS_PER_SEC));
	unsigned side;
	struct flow_key k = key_of(1, 0);
	flow_touch(t, flow_find(t, &k, &side), 0, NS_PER_SEC + NS_PER_SEC / 2);
	assert_int_equal(flow_sweep(t, 2 * NS_PER_SEC, 100), 0); /* class 0 was used since */
	assert_int_equal(flow_sweep(t, 2 * NS_PER_SEC + NS_PER_SEC / 2, 100), 1);
	assert_int_equal(flow_sweep(t, 5 * NS_PER_SEC, 2), 2); /* bounded */
	assert_int_equal(flow_sweep(t, 5 * NS_PER_SEC, 100), 1);
	assert_int_equal(flow_sweep(t, 100 * NS_PER_SEC, 100), 4);
	struct flow_counts c;
	flow_read_counts(t, &c);
	assert_int_equal(c.active, 0);
	arena_destroy(&a);
}

static void flows_of_a_port_end_together(void **state)
{
	struct arena a;
	struct ended e;
	struct flow_table *t = make(&a, &e, CAPACITY);
	for (uint32_t i = 0; i < 10; i++) {
		struct flow_key k0 = key_of(i, 0), k1 = key_of(i, i % 2 ? 1 : 2);
		struct flow *f;
		assert_int_equal(flow_add(t, &k0, i == 8 ? NULL : &k1, FLOW_TCP, 1, &f), 0);
		f->id = i + 1;
		f->guest = i == 8 ? 1 : FLOW_NO_PORT;
		f->peer_guest = FLOW_NO_PORT;
	}
	flow_remove_port(t, 1, FLOW_END_FORCED, 2);
	assert_int_equal(e.n[FLOW_END_FORCED],
			 6); /* five by their port, one refused for its guest */
	flow_remove_port(t, FLOW_NO_PORT, FLOW_END_SHUTDOWN, 3);
	assert_int_equal(e.n[FLOW_END_SHUTDOWN], 4);
	arena_destroy(&a);
}

/* Random operations against a plain array. */
static void it_agrees_with_a_naive_model(void **state)
{
	struct arena a;
	struct ended e;
	struct flow_table *t = make(&a, &e, 4096);
	static uint8_t there[512];
	uint32_t seed = 12345;
	memset(there, 0, sizeof(there));
	for (unsigned i = 0; i < 200000; i++) {
		seed = seed * 1664525 + 1013904223;
		uint32_t n = seed >> 16 & 511, what = seed >> 28;
		struct flow_key k = key_of(n, what & 1);
		unsigned side = 9;
		struct flow *f = flow_find(t, &k, &side);
		assert_int_equal(f != NULL, there[n]);
		if (f == NULL) {
			assert_non_null(add(t, n, what % FLOW_CLASSES, i + 1));
			there[n] = 1;
		} else if (what < 8) {
			assert_int_equal(side, what & 1);
			flow_remove(t, f, FLOW_END_FORCED, i + 1);
			there[n] = 0;
		} else {
			flow_touch(t, f, what % FLOW_CLASSES, i + 1);
		}
	}
	arena_destroy(&a);
}

static void fragments_follow_in_order_only(void **state)
{
	struct arena a;
	struct ended e;
	struct flow_table *t = make(&a, &e, CAPACITY);
	struct flow *f = add(t, 7, FLOW_UDP, 1);
	struct fragment_key k = {.id = 99, .port = 0, .proto = 17};
	unsigned side = 9;
	assert_null(fragment_next(t, &k, 1480, 100, true, 1, &side)); /* before the first */
	assert_int_equal(fragment_begin(t, &k, f, 1, 8, 1480, 1), 0);
	assert_ptr_equal(fragment_next(t, &k, 1480, 1480, false, 2, &side), f);
	assert_int_equal(side, 1);
	assert_ptr_equal(fragment_next(t, &k, 2960, 10, true, 2, &side), f);
	assert_null(fragment_next(t, &k, 2970, 10, true, 2, &side)); /* it was the last */

	assert_int_equal(fragment_begin(t, &k, f, 0, 8, 1480, 2), 0);
	assert_ptr_equal(fragment_next(t, &k, 1480, 10, true, 2, &side), f);
	fragment_drop(t, &k,
		      2); /* the last one did not pass: nothing else may complete the first */
	assert_null(fragment_next(t, &k, 1480, 10, true, 2, &side));
	assert_int_equal(fragment_begin(t, &k, f, 0, 8, 1480, 2), SKEP_EFORMAT);

	k.id = 98;
	assert_int_equal(fragment_begin(t, &k, f, 0, 8, 1480, 3), 0);
	assert_null(fragment_next(t, &k, 8, 1480, false, 3, &side));    /* overlaps */
	assert_null(fragment_next(t, &k, 1480, 1480, false, 3, &side)); /* and so is dead */

	k.id = 100;
	assert_int_equal(fragment_begin(t, &k, f, 0, 8, 1480, 4), 0);
	assert_int_equal(fragment_begin(t, &k, f, 0, 8, 1480, 4), SKEP_EFORMAT); /* twice */
	assert_null(fragment_next(t, &k, 1480, 8, false, 4, &side));

	k.id = 97; /* a piece that does not come as far as the first */
	assert_int_equal(fragment_begin(t, &k, f, 0, 8, 1480, 4), 0);
	assert_true(fragment_reaches(t, &k, 20, 4)); /* the first one's */
	assert_true(fragment_reaches(t, &k, 20, 4));
	assert_false(fragment_reaches(t, &k, 19, 4));

	k.id = 101; /* past 64 KiB */
	assert_int_equal(fragment_begin(t, &k, f, 0, 8, 65528, 5), 0);
	assert_null(fragment_next(t, &k, 65528, 100, false, 5, &side));

	k.id = 102; /* the flow ended in between, and another took its place */
	assert_int_equal(fragment_begin(t, &k, f, 0, 8, 1480, 6), 0);
	flow_remove(t, f, FLOW_END_FORCED, 6);
	assert_non_null(add(t, 8, FLOW_UDP, 6));
	assert_null(fragment_next(t, &k, 1480, 8, false, 6, &side));
	arena_destroy(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_are_found),
		cmocka_unit_test(full_table_spares_the_established),
		cmocka_unit_test(flows_time_out_by_class),
		cmocka_unit_test(flows_of_a_port_end_together),
		cmocka_unit_test(it_agrees_with_a_naive_model),
		cmocka_unit_test(fragments_follow_in_order_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
