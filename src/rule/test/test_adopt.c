/* SPDX-License-Identifier: BSD-2-Clause */
/* Another set of rules in the middle of conversations: nothing is missed, nothing is said twice. */
#include "bed.h"
#include "rule/match/adopt_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define FILLER "alert tcp any any -> any any (msg:\"new in front\"; content:\"zzzz\"; sid:40;)\n"

static void reload(struct bed *b, const char *rules)
{
	struct bed other;
	struct rule_set *old_set = b->set;
	struct rule_engine *old = b->engine;
	struct rule_engine_conf ec = {.profile = false};
	struct slab_stats before, after;
	struct adoption a;
	bed_open(&other, rules, NULL, 0); /* for its set only */
	slab_read_stats(b->slab, &before);
	assert_int_equal(rule_engine_create(other.set, &ec, b->slab, &b->engine), 0);
	slab_read_stats(b->slab, &after);
	assert_int_equal(before.used, after.used); /* it is another thread's slab */
	/* With and without its help. */
	if ((b->frames & 1) != 0)
		assert_int_equal(rule_engine_expect(b->engine, old_set), 0);
	adopt_begin(&a, b->engine, old);
	adopt_flow(&a, &b->flow);
	engine_leave_slab(old);
	b->set = other.set;
	slab_read_stats(b->slab, &before);
	rule_engine_free(&old);
	slab_read_stats(b->slab, &after);
	assert_int_equal(before.used, after.used);
	rule_set_free(&old_set);
	other.set = NULL;
	bed_close(&other);
}

static void say(struct bed *b, const char *text)
{
	bed_say(b, TO_SERVER, text, (uint32_t)strlen(text));
}

static void test_a_match_over_a_reload(void **state)
{
	static const char rule[] =
		"alert tcp any any -> any any (content:\"one\"; content:\"two\"; sid:1;)\n";
	struct bed b;
	(void)state;
	bed_open(&b, rule, NULL, 0);
	say(&b, "xx one t");
	assert_int_equal(bed_fired(&b, 1), 0);
	reload(&b, rule);
	say(&b, "wo yy");
	assert_int_equal(bed_fired(&b, 1), 1);
	/* Other numbers for the same rule. */
	say(&b, "one t");
	reload(&b, "drop tcp any any -> any any (content:\"yyyy\"; sid:2;)\n"
		   "alert tcp any any -> any any (content:\"one\"; content:\"two\"; sid:1;)\n");
	say(&b, "wo");
	assert_int_equal(bed_fired(&b, 1), 2);
	bed_close(&b);
}

static void test_nothing_fires_twice(void **state)
{
	static const char rule[] =
		"alert tcp any any -> any any (content:\"one\"; sid:1;)\n"
		"alert ip any any -> any any (sid:3;)\n"
		"alert http any any -> any any (http.uri; content:\"/evil\"; sid:2;)\n";
	struct bed b;
	(void)state;
	bed_open(&b, rule, NULL, 0);
	bed_app(&b);
	say(&b, "GET /evil?one HTTP/1.1\r\nHost: a\r\n");
	uint32_t once = bed_fired(&b, 3);
	assert_int_equal(bed_fired(&b, 1), 1);
	assert_int_equal(bed_fired(&b, 2), 1);
	reload(&b, rule);
	say(&b, "X: y\r\n");
	reload(&b, "drop tcp any any -> any any (content:\"yyyy\"; sid:4;)\n"
		   "alert http any any -> any any (http.uri; content:\"/other\"; sid:5;)\n"
		   "alert ip any any -> any any (sid:3;)\n"
		   "alert http any any -> any any (http.uri; content:\"/evil\"; sid:2;)\n"
		   "alert tcp any any -> any any (content:\"one\"; sid:1;)\n");
	say(&b, "Y: y\r\n\r\n");
	bed_end(&b);
	assert_int_equal(bed_fired(&b, 1), 1);
	assert_int_equal(bed_fired(&b, 2), 1);
	assert_int_equal(bed_fired(&b, 3), once);
	assert_int_equal(bed_fired(&b, 5), 0);
	bed_close(&b);
}

static void test_new_rules_see_what_is_held(void **state)
{
	struct bed b;
	(void)state;
	bed_open(&b, "alert tcp any any -> any any (content:\"nothing\"; sid:1;)\n", NULL, 0);
	say(&b, "xx needle xx");
	reload(&b, "alert tcp any any -> any any (content:\"needle\"; sid:2;)\n"
		   "alert tcp any any -> any any (content:\"needle\"; content:\"end\"; sid:3;)\n"
		   "alert ip any any -> any any (sid:4;)\n");
	say(&b, "end");
	assert_int_equal(bed_fired(&b, 2), 1);
	assert_int_equal(bed_fired(&b, 3), 1);
	assert_int_equal(bed_fired(&b, 4), 1); /* once for this side of the flow */
	say(&b, "more");
	assert_int_equal(bed_fired(&b, 2), 1);
	assert_int_equal(bed_fired(&b, 3), 1);
	bed_close(&b);
}

static void test_rules_that_go_take_their_state(void **state)
{
	struct bed b;
	(void)state;
	bed_open(&b,
		 "alert tcp any any -> any any (content:\"one\"; content:\"two\"; sid:1;)\n" FILLER,
		 NULL, 0);
	say(&b, "one t");
	reload(&b, FILLER);
	say(&b, "wo zzzz");
	assert_int_equal(bed_fired(&b, 1), 0);
	assert_int_equal(bed_fired(&b, 40), 1);
	/* The same number and another text is another rule. */
	reload(&b, "alert tcp any any -> any any (msg:\"new in front\"; content:\"wo z\"; "
		   "sid:40;)\n");
	say(&b, " ");
	assert_int_equal(bed_fired(&b, 40), 2);
	bed_close(&b);
}

static void test_flowbits(void **state)
{
	static const char before[] =
		"alert tcp any any -> any any (content:\"login\"; flowbits:set,in; noalert; "
		"sid:1;)\n"
		"alert tcp any any -> any any (content:\"n\"; flowint:count,+,1; noalert; "
		"sid:4;)\n";
	static const char after[] =
		"alert tcp any any -> any any (content:\"never\"; flowbits:set,another; noalert; "
		"sid:3;)\n"
		"alert tcp any any -> any any (content:\"cmd\"; flowbits:isset,in; sid:2;)\n"
		"alert tcp any any -> any any (content:\"cmd\"; flowint:count,>,0; sid:5;)\n"
		"alert tcp any any -> any any (content:\"cmd\"; flowbits:isset,another; sid:6;)\n";
	struct bed b;
	(void)state;
	bed_open(&b, before, NULL, 0);
	say(&b, "login");
	reload(&b, after);
	say(&b, "cmd");
	assert_int_equal(bed_fired(&b, 2), 1);
	assert_int_equal(bed_fired(&b, 5), 1);
	assert_int_equal(bed_fired(&b, 6), 0);
	bed_close(&b);
}

static void test_thresholds_and_host_bits(void **state)
{
	static const char counts[] =
		"alert udp any any -> any any (content:\"x\"; threshold:type threshold, track "
		"by_src, count 3, seconds 60; sid:1;)\n"
		"alert udp any any -> any any (content:\"mark\"; xbits:set,seen,track ip_src; "
		"noalert; sid:2;)\n";
	static const char more[] =
		"drop udp any any -> any any (content:\"y\"; sid:7;)\n"
		"alert udp any any -> any any (content:\"q\"; xbits:isset,other,track ip_src; "
		"sid:4;)\n"
		"alert udp any any -> any any (content:\"q\"; xbits:isset,seen,track ip_src; "
		"sid:3;)\n"
		"alert udp any any -> any any (content:\"x\"; threshold:type threshold, track "
		"by_src, count 3, seconds 60; sid:1;)\n";
	struct bed b;
	(void)state;
	bed_open(&b, counts, NULL, 0);
	bed_udp(&b, "x", 1);
	bed_udp(&b, "x", 1);
	bed_udp(&b, "mark", 4);
	assert_int_equal(bed_fired(&b, 1), 0);
	reload(&b, more);
	bed_udp(&b, "x", 1);
	assert_int_equal(bed_fired(&b, 1), 1);
	bed_udp(&b, "q", 1);
	assert_int_equal(bed_fired(&b, 3), 1);
	assert_int_equal(bed_fired(&b, 4), 0);
	bed_close(&b);
}

static void test_many_reloads(void **state)
{
	char text[256];
	struct bed b;
	(void)state;
	bed_open(&b, FILLER, NULL, 0);
	for (unsigned i = 0; i < 50; i++) {
		snprintf(text, sizeof(text),
			 "alert tcp any any -> any any (content:\"needle\"; content:\"end%u\"; "
			 "pcre:\"/n(e+)dle/\"; sid:%u;)\n" FILLER,
			 i, 1 + i % 2);
		say(&b, "needle ");
		reload(&b, text);
		snprintf(text, sizeof(text), "end%u", i);
		say(&b, text);
	}
	assert_int_equal(bed_fired(&b, 1), 25);
	assert_int_equal(bed_fired(&b, 2), 25);
	bed_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_match_over_a_reload),
		cmocka_unit_test(test_nothing_fires_twice),
		cmocka_unit_test(test_new_rules_see_what_is_held),
		cmocka_unit_test(test_rules_that_go_take_their_state),
		cmocka_unit_test(test_flowbits),
		cmocka_unit_test(test_thresholds_and_host_bits),
		cmocka_unit_test(test_many_reloads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
