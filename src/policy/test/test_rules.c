/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules: which one matches; windows against counting by hand; orders and their time. */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_NS (3600 * NS_PER_SEC)
#define EVENTS 20000

static struct prefix net(const char *text)
{
	struct prefix p;
	memset(&p, 0, sizeof(p));
	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static struct policy_ask ask_to(const char *dst, uint8_t class, uint16_t dport)
{
	struct policy_ask a = {
		.guest = "web1", .guest_class = "farm", .class = class, .dport = dport};
	assert_int_equal(addr_parse(dst, &a.dst), 0);
	return a;
}

static void first_match_wins(void **state)
{
	static struct conf_policy r[4];
	struct policy_ask a = ask_to("192.0.2.1", POLICY_TCP, 80);
	(void)state;
	memset(r, 0, sizeof(r));
	assert_null(policy_match(r, 0, &a));
	text_copy(r[0].guests[0], CONF_NAME, "db1");
	r[0].n_guests = 1;
	r[1].proto = 6;
	r[1].n_ports = 2;
	r[1].ports[0] = (struct conf_ports){22, 25};
	r[1].ports[1] = (struct conf_ports){80, 80};
	r[2].n_to = 2;
	r[2].to[0] = net("198.51.100.0/24");
	r[2].to[1].len = TO_LATERAL;
	r[3].proto = CONF_OTHER;
	assert_ptr_equal(policy_match(r, 4, &a), &r[1]);
	a.dport = 26;
	assert_null(policy_match(r, 4, &a));
	a.class = POLICY_UDP;
	a.dport = 80;
	assert_null(policy_match(r, 4, &a));
	a.lateral = true;
	assert_ptr_equal(policy_match(r, 4, &a), &r[2]);
	a = ask_to("198.51.100.9", POLICY_ICMP, 0);
	assert_ptr_equal(policy_match(r, 4, &a), &r[2]);
	a = ask_to("2001:db8::1", POLICY_OTHER, 0);
	assert_ptr_equal(policy_match(r, 4, &a), &r[3]);
	/* By name or by class. */
	a.guest = "db1";
	assert_ptr_equal(policy_match(r, 4, &a), &r[0]);
	text_copy(r[0].guests[0], CONF_NAME, "farm");
	a.guest = "web1";
	assert_ptr_equal(policy_match(r, 4, &a), &r[0]);
}

static void each_word_has_its_meaning(void **state)
{
	static struct conf_policy r;
	struct policy_ask a = ask_to("192.0.2.53", POLICY_UDP, 53);
	(void)state;
	memset(&r, 0, sizeof(r));
	r.n_to = 1;
	for (unsigned lateral = 0; lateral < 2; lateral++)
		for (unsigned resolver = 0; resolver < 2; resolver++) {
			a.lateral = lateral;
			a.resolver = resolver;
			const bool want[] = {[TO_ANY] = true,
					     [TO_OUTSIDE] = !lateral,
					     [TO_LATERAL] = lateral,
					     [TO_RESOLVER] = resolver};
			for (uint8_t w = TO_ANY; w <= TO_RESOLVER; w++) {
				r.to[0].len = w;
				assert_int_equal(policy_match(&r, 1, &a) != NULL, want[w]);
			}
		}
}

/* ---- meters -------------------------------------------------------------------------------------- */

static struct policy_limits *fresh(unsigned *slot)
{
	enum policy_state st;
	struct policy_limits *l = policy_limits_at(calloc(1, policy_limits_bytes()), 1, &st);
	assert_int_equal(policy_slot(l, "web1", NULL, 0, slot), 0);
	return l;
}

/* No period of a window's length holds more than it allows, and a window that holds less than it
 * allows over 17/16 of its length is open. */
static void no_period_holds_more(void **state)
{
	static int64_t at[EVENTS];
	static uint32_t bytes[EVENTS];
	struct conf_policy p;
	struct policy_meter_key key;
	struct policy_use use;
	unsigned slot, n = 0, seed = 7, refused = 0;
	struct policy_limits *l = fresh(&slot);
	int64_t now = 1000 * NS_PER_SEC, window = 8 * NS_PER_SEC;
	uint16_t hint = POLICY_NO_METER;
	(void)state;
	memset(&p, 0, sizeof(p));
	p.bytes = (struct conf_limit){1, {{50000, window}}};
	struct addr dst = {.ver = 0};
	policy_meter_key_of(&p, 0, POLICY_TCP, &dst, &key);
	for (unsigned i = 0; i < EVENTS; i++) {
		seed = seed * 1103515245 + 12345;
		now += (int64_t)(seed >> 8) % (20 * NS_PER_MS);
		uint32_t len = 60 + (seed >> 16) % 1400;
		const struct policy_amount a = {0, 0, len};
		uint64_t in = 0, near = 0;
		for (unsigned k = n; k-- > 0 && now - at[k] <= window + window / 16;) {
			near += bytes[k];
			in += now - at[k] <= window ? bytes[k] : 0;
		}
		enum policy_metered r = policy_meter_take(l, slot, &p, &key, &a, now, &hint, &use);
		if (r == POLICY_METER_ROOM) {
			assert_in_range(in + len, 0, 50000);
			at[n] = now;
			bytes[n++] = len;
		} else {
			assert_in_range(near + len, 50001, UINT32_MAX);
			refused++;
		}
	}
	assert_in_range(refused, 100, EVENTS - 100);
	free(l);
}

static void meters_end_and_come_back(void **state)
{
	struct conf_policy p;
	struct policy_use use;
	unsigned slot;
	struct policy_limits *l = fresh(&slot);
	int64_t now = 1000 * NS_PER_SEC;
	const struct policy_amount one = {1, 0, 0}, packet = {0, 1, 100};
	(void)state;
	memset(&p, 0, sizeof(p));
	p.per = PER_DESTINATION;
	p.connections = (struct conf_limit){2, {{1, NS_PER_SEC}, {3, HOUR_NS}}};
	for (unsigned i = 0; i <= POLICY_METERS; i++) {
		struct addr dst = {.b = {192, 0, 2, (uint8_t)i}, .ver = 4};
		struct policy_meter_key key;
		uint16_t hint = POLICY_NO_METER;
		policy_meter_key_of(&p, 3, POLICY_TCP, &dst, &key);
		assert_int_equal(policy_meter_take(l, slot, &p, &key, &one, now, &hint, &use),
				 i < POLICY_METERS ? POLICY_METER_ROOM : POLICY_METER_FULL);
		/* What the rule does not count needs no meter. */
		assert_int_equal(policy_meter_take(l, slot, &p, &key, &packet, now, &hint, &use),
				 POLICY_METER_ROOM);
	}
	/* Over a restart all is as before; a slot later too; then they are free. */
	enum policy_state st;
	l = policy_limits_at(l, now, &st);
	assert_int_equal(st, POLICY_KEPT);
	struct addr dst = {.b = {198, 51, 100, 1}, .ver = 4}, old = {.b = {192, 0, 2, 1}, .ver = 4};
	struct policy_meter_key key, old_key;
	uint16_t hint = POLICY_NO_METER, old_hint = 1;
	policy_meter_key_of(&p, 3, POLICY_TCP, &dst, &key);
	policy_meter_key_of(&p, 3, POLICY_TCP, &old, &old_key);
	assert_int_equal(policy_meter_has(l, slot, &p, &old_key, &one, now, &old_hint, &use),
			 POLICY_METER_OVER);
	assert_int_equal(use.max, 1);
	assert_int_equal(policy_meter_has(l, slot, &p, &key, &one, now + HOUR_NS, &hint, &use),
			 POLICY_METER_FULL);
	now += HOUR_NS + HOUR_NS / 16;
	assert_int_equal(policy_meter_take(l, slot, &p, &key, &one, now, &hint, &use),
			 POLICY_METER_ROOM);
	policy_meter_read(l, slot, &p, &key, now, &use);
	assert_int_equal(use.used, 1);
	/* Another rule with the same windows has meters of its own. */
	policy_meter_key_of(&p, 4, POLICY_TCP, &dst, &key);
	assert_int_equal(policy_meter_has(l, slot, &p, &key, &one, now, &hint, &use),
			 POLICY_METER_ROOM);
	free(l);
}

static void a_damaged_meter_is_not_taken(void **state)
{
	struct conf_policy p;
	struct policy_meter_key key;
	struct policy_use use;
	struct addr none = {.ver = 0};
	unsigned slot;
	struct policy_limits *l = fresh(&slot);
	uint16_t hint = POLICY_NO_METER;
	const struct policy_amount one = {1, 0, 0};
	enum policy_state st;
	(void)state;
	memset(&p, 0, sizeof(p));
	p.connections = (struct conf_limit){1, {{5, HOUR_NS}}};
	policy_meter_key_of(&p, 0, POLICY_TCP, &none, &key);
	int64_t now = 90000 * NS_PER_SEC;
	assert_int_equal(policy_meter_take(l, slot, &p, &key, &one, now, &hint, &use), 0);
	(void)policy_limits_at(l, now, &st);
	assert_int_equal(st, POLICY_KEPT);
	(void)policy_limits_at(l, now - 89000 * NS_PER_SEC, &st); /* the host was started again */
	assert_int_equal(st, POLICY_CORRUPT);
	free(l);
}

/* ---- orders ---------------------------------------------------------------------------------------- */

static void orders_have_their_time(void **state)
{
	static struct policy_now p;
	struct prefix a = net("192.0.2.0/24"), b = net("2001:db8::/32");
	struct policy_net over;
	struct policy_override o;
	(void)state;
	memset(&p, 0, sizeof(p));
	assert_int_equal(policy_net_add(p.fences, &p.n_fences, &a, 100), 0);
	assert_int_equal(policy_net_add(p.fences, &p.n_fences, &b, 0), 0);
	assert_int_equal(policy_net_add(p.fences, &p.n_fences, &a, 200), 0);
	assert_int_equal(p.n_fences, 2);
	assert_int_equal(policy_override_set(&p, "web1", ACT_DROP, 150), 0);
	assert_int_equal(policy_override_set(&p, "web1", ACT_LIMIT, 250), 0);
	assert_int_equal(p.n_overrides, 1);
	assert_true(policy_now_sound(&p));
	assert_int_equal(policy_now_expire(&p, 199, &over, &o), POLICY_OVER_NONE);
	assert_int_equal(policy_now_expire(&p, 200, &over, &o), POLICY_OVER_FENCE);
	assert_true(addr_eq(&over.net.addr, &a.addr));
	assert_int_equal(policy_now_expire(&p, 250, &over, &o), POLICY_OVER_OVERRIDE);
	assert_string_equal(o.guest, "web1");
	assert_null(policy_override_of(&p, "web1"));
	assert_int_equal(policy_now_expire(&p, INT64_MAX, &over, &o), POLICY_OVER_NONE);
	assert_int_equal(policy_net_remove(p.fences, &p.n_fences, &a), SKEP_ENOTFOUND);
	assert_int_equal(policy_net_remove(p.fences, &p.n_fences, &b), 0);
	assert_int_equal(p.n_fences, 0);
}

static void senseless_orders_are_refused(void **state)
{
	static struct policy_now p;
	struct prefix a = net("192.0.2.0/24");
	(void)state;
	memset(&p, 0, sizeof(p));
	for (unsigned i = 0; i < POLICY_NETS; i++) {
		a.addr.b[2] = (uint8_t)i;
		assert_int_equal(policy_net_add(p.ignored, &p.n_ignored, &a, 0), 0);
	}
	a.addr.b[1] = 1;
	assert_int_equal(policy_net_add(p.ignored, &p.n_ignored, &a, 0), SKEP_EFULL);
	assert_true(policy_now_sound(&p));
	p.lockdown = LOCKDOWN_ALL + 1;
	assert_false(policy_now_sound(&p));
	p.lockdown = 0;
	p.n_fences = POLICY_NETS + 1;
	assert_false(policy_now_sound(&p));
	p.n_fences = 1; /* an empty one */
	assert_false(policy_now_sound(&p));
	p.n_fences = 0;
	assert_int_equal(policy_override_set(&p, "web1", ACT_REFLECT, 0), 0);
	assert_false(policy_now_sound(&p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_match_wins),
		cmocka_unit_test(each_word_has_its_meaning),
		cmocka_unit_test(no_period_holds_more),
		cmocka_unit_test(meters_end_and_come_back),
		cmocka_unit_test(a_damaged_meter_is_not_taken),
		cmocka_unit_test(orders_have_their_time),
		cmocka_unit_test(senseless_orders_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
