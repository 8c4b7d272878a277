/* SPDX-License-Identifier: BSD-2-Clause */
/* Sliding limits: against a naive model, over a crash, with a damaged file; buckets. */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define HOUR (3600 * NS_PER_SEC)

static struct policy_limits *fresh(void **ret_mem)
{
	enum policy_state s;
	*ret_mem = calloc(1, policy_limits_bytes());
	assert_non_null(*ret_mem);
	struct policy_limits *p = policy_limits_at(*ret_mem, 1, &s);
	assert_int_equal(s, POLICY_FRESH);
	return p;
}

static unsigned slot_of(struct policy_limits *p, const char *guest)
{
	unsigned slot = 999;
	assert_int_equal(policy_slot(p, guest, NULL, 0, &slot), 0);
	return slot;
}

static void the_edges_of_a_window(void **state)
{
	void *mem;
	struct policy_limits *p = fresh(&mem);
	const struct conf_limit l = {1, {{20, HOUR}}};
	unsigned s = slot_of(p, "web1");
	struct policy_use u;
	for (int i = 0; i < 20; i++) {
		assert_true(policy_charge(p, s, POLICY_TCP, &l, 1000 + i, &u));
		assert_int_equal(u.used, i + 1);
		assert_int_equal(u.max, 20);
		assert_int_equal(u.window_s, 3600);
	}
	assert_false(policy_charge(p, s, POLICY_TCP, &l, 1020, &u));
	assert_int_equal(u.used, 20);
	/* A period of that length holds both ends: not yet. One ns later the first is out, and only
	 * that one: sliding, not refilling. */
	assert_false(policy_charge(p, s, POLICY_TCP, &l, 1000 + HOUR, &u));
	assert_true(policy_charge(p, s, POLICY_TCP, &l, 1001 + HOUR, &u));
	assert_false(policy_charge(p, s, POLICY_TCP, &l, 1001 + HOUR, &u));
	assert_true(policy_charge(p, s, POLICY_TCP, &l, 1002 + HOUR, &u));
	/* Other classes and guests have budgets of their own. */
	assert_true(policy_charge(p, s, POLICY_UDP, &l, 1002 + HOUR, &u));
	assert_true(policy_charge(p, slot_of(p, "db1"), POLICY_TCP, &l, 1002 + HOUR, &u));
	free(mem);
}

/* Numbers that are the same in every run (xorshift, Marsaglia 2003). */
static int draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (int)(*seed >> 33);
}

#define MODEL_MAX 20000

/* Random schedules with up to four windows: same answer as counting stamps, and no period of a
 * window's length ever holds more than its max. */
static void any_schedule_agrees_with_counting(void **state)
{
	static int64_t allowed[MODEL_MAX];
	for (unsigned round = 0; round < 30; round++) {
		void *mem;
		struct policy_limits *p = fresh(&mem);
		unsigned s = slot_of(p, "web1");
		struct conf_limit l = {.n = 1 + round % 4};
		uint64_t seed = round + 1;
		for (uint32_t i = 0; i < l.n; i++)
			l.w[i] = (struct conf_window){1 + (uint32_t)draw(&seed) % 60,
						      1 + draw(&seed) % 5000};
		size_t n = 0;
		int64_t now = 1;
		for (unsigned step = 0; step < 4000; step++) {
			now += draw(&seed) % 4 == 0 ? draw(&seed) % 400 : draw(&seed) % 3;
			bool expect = true;
			for (uint32_t i = 0; i < l.n; i++) {
				uint32_t in = 0;
				for (size_t k = 0; k < n; k++)
					in += now - allowed[k] <= l.w[i].window_ns;
				expect &= in < l.w[i].max;
			}
			struct policy_use u;
			assert_int_equal(policy_charge(p, s, POLICY_TCP, &l, now, &u), expect);
			if (expect)
				allowed[n++] = now;
		}
		for (uint32_t i = 0; i < l.n; i++)
			for (size_t k = l.w[i].max; k < n; k++)
				assert_true(allowed[k] - allowed[k - l.w[i].max] >
					    l.w[i].window_ns);
		free(mem);
	}
}

static void no_limit_and_no_budget(void **state)
{
	void *mem;
	struct policy_limits *p = fresh(&mem);
	const struct conf_limit none = {0}, closed = {1, {{0, HOUR}}};
	unsigned s = slot_of(p, "web1");
	struct policy_use u;
	for (int i = 0; i < 10000; i++)
		assert_true(policy_charge(p, s, POLICY_TCP, &none, i + 1, &u));
	assert_int_equal(u.max, 0);
	assert_false(policy_charge(p, s, POLICY_UDP, &closed, 1, &u));
	free(mem);
}

static void used_stays_used_over_a_crash(void **state)
{
	void *mem;
	struct policy_limits *p = fresh(&mem);
	const struct conf_limit l = {1, {{3, HOUR}}};
	enum policy_state st;
	struct policy_use u;
	unsigned db = slot_of(p, "db1"), s = slot_of(p, "web1");
	assert_true(policy_charge(p, db, POLICY_TCP, &l, 5, &u));
	for (int i = 0; i < 3; i++)
		assert_true(policy_charge(p, s, POLICY_TCP, &l, 10 + i, &u));
	p = policy_limits_at(mem, 20, &st);
	assert_int_equal(st, POLICY_KEPT);
	s = slot_of(p, "web1"); /* asked for in another order */
	assert_false(policy_charge(p, s, POLICY_TCP, &l, 20, &u));
	assert_int_equal(u.used, 3);
	policy_read(p, slot_of(p, "db1"), POLICY_TCP, &l, 20, &u);
	assert_int_equal(u.used, 1);
	free(mem);
}

static void a_damaged_file_is_started_anew(void **state)
{
	const struct conf_limit l = {1, {{3, HOUR}}};
	for (unsigned i = 0; i < 2000; i++) {
		void *mem;
		struct policy_limits *p = fresh(&mem);
		enum policy_state st;
		struct policy_use u;
		for (int k = 0; k < 3; k++)
			assert_true(policy_charge(p, slot_of(p, "web1"), POLICY_TCP, &l, 10, &u));
		uint64_t seed = i + 1u;
		size_t reach = i % 2 == 0 ? 128 : policy_limits_bytes();
		for (unsigned k = 0; k < 1 + i % 5; k++)
			((uint8_t *)mem)[(size_t)draw(&seed) % reach] ^=
				(uint8_t)(1 + draw(&seed) % 255);
		/* Whatever is found there, it works and limits. */
		p = policy_limits_at(mem, 100, &st);
		unsigned s = slot_of(p, "web1"), n = 0;
		while (policy_charge(p, s, POLICY_TCP, &l, 100, &u))
			n++;
		assert_true(n <= 3);
		free(mem);
		if (i > 100)
			i += 40; /* six megabytes each: enough of them */
	}
	void *mem;
	enum policy_state st;
	fresh(&mem);
	((uint32_t *)mem)[2] = 77; /* another version */
	policy_limits_at(mem, 100, &st);
	assert_int_equal(st, POLICY_CORRUPT);
	struct policy_use u;
	struct policy_limits *p = policy_limits_at(mem, 100, &st);
	assert_int_equal(st, POLICY_KEPT);
	assert_true(policy_charge(p, slot_of(p, "web1"), POLICY_TCP, &l, 100, &u));
	policy_limits_at(mem, 50, &st); /* stamps in the future: the host was restarted */
	assert_int_equal(st, POLICY_CORRUPT);
	free(mem);
}

static void slots_give_way_to_the_living(void **state)
{
	void *mem;
	struct policy_limits *p = fresh(&mem);
	const struct conf_limit l = {1, {{3, HOUR}}};
	const char *keep[] = {"guest-0"};
	struct policy_use u;
	for (int i = 0; i < 100; i++) {
		char name[CONF_NAME];
		struct writer w = writer_of(name, sizeof(name));
		unsigned s;
		write_fmt(&w, "guest-%d", i);
		assert_int_equal(policy_slot(p, name, keep, 1, &s), 0);
		assert_true(policy_charge(p, s, POLICY_TCP, &l, 100 + i, &u));
	}
	policy_read(p, slot_of(p, "guest-0"), POLICY_TCP, &l, 200, &u);
	assert_int_equal(u.used, 1);
	policy_read(p, slot_of(p, "guest-99"), POLICY_TCP, &l, 200, &u);
	assert_int_equal(u.used, 1);
	free(mem);
}

static void buckets_hold_their_rate(void **state)
{
	int64_t b = 0;
	uint64_t passed = 0;
	for (int64_t t = 1; t < 10 * NS_PER_SEC; t += 100000) /* 10,000 a second offered */
		passed += policy_bucket_take(&b, 1000, 1, t);
	assert_in_range(passed, 10000, 10000 + 251);
	b = 0; /* one frame larger than the burst passes a full bucket, then pays */
	assert_true(policy_bucket_take(&b, 1000, 65000, 1));
	assert_false(policy_bucket_take(&b, 1000, 1, 60 * NS_PER_SEC));
	assert_true(policy_bucket_take(&b, 1000, 1, 65 * NS_PER_SEC + 1));
	b = 0;
	assert_true(policy_bucket_take(&b, 0, 1u << 30, 1)); /* no cap */
	assert_int_equal(b, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_edges_of_a_window),
		cmocka_unit_test(any_schedule_agrees_with_counting),
		cmocka_unit_test(no_limit_and_no_budget),
		cmocka_unit_test(used_stays_used_over_a_crash),
		cmocka_unit_test(a_damaged_file_is_started_anew),
		cmocka_unit_test(slots_give_way_to_the_living),
		cmocka_unit_test(buckets_hold_their_rate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
