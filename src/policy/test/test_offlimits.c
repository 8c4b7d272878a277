/* SPDX-License-Identifier: BSD-2-Clause */
/* Off limits: first and last address of each range, their neighbours, exceptions. */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static struct prefix pfx(const char *text)
{
	struct prefix p;
	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static bool off(const struct policy_off_limits *o, const char *text)
{
	struct addr a;
	assert_int_equal(addr_parse(text, &a), 0);
	return policy_is_off_limits(o, &a);
}

static void every_built_in_range(void **state)
{
	static const struct {
		const char *before, *first, *last, *after; /* NULL: is another range's */
	} rows[] = {
		{NULL, "0.0.0.0", "0.255.255.255", "1.0.0.0"},
		{"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
		{"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
		{"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
		{"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
		{"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
		{"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
		{"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
		{"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
		{"223.255.255.255", "224.0.0.0", "255.255.255.255", NULL},
		{NULL, "::", "::ffff:ffff", "::1:0:0:0"},
		{NULL, "::ffff:0.0.0.0", "::ffff:255.255.255.255", NULL},
		{NULL, "64:ff9b::", "64:ff9b::ffff:ffff", "64:ff9b::1:0:0"},
		{"2000:ffff::1", "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "2001:1::"},
		{"2001:ffff::", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"},
		{"fbff::", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::"},
		{"fe7f::", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
		{NULL, "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
	};
	static const char *const single[] = {"169.254.169.254", "fd00:ec2::254", "::1",
					     "::ffff:8.8.8.8",  "192.88.99.1",   "fec0::1"};
	/* The lab's Internet, and the real one. */
	static const char *const fine[] = {"192.0.2.80",  "198.51.100.66", "203.0.113.1",
					   "2001:db8::1", "8.8.8.8",       "2606:4700::1111"};
	struct policy_off_limits o;
	struct conf_wall w = {0};
	policy_off_limits_make(&w, NULL, 0, &o);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(off(&o, rows[i].first));
		assert_true(off(&o, rows[i].last));
		if (rows[i].before != NULL)
			assert_false(off(&o, rows[i].before));
		if (rows[i].after != NULL)
			assert_false(off(&o, rows[i].after));
	}
	for (size_t i = 0; i < ARRAY_LEN(single); i++)
		assert_true(off(&o, single[i]));
	for (size_t i = 0; i < ARRAY_LEN(fine); i++)
		assert_false(off(&o, fine[i]));
	struct addr none = {0};
	assert_true(policy_is_off_limits(&o, &none));
}

static void own_ranges_host_and_exceptions(void **state)
{
	struct policy_off_limits o;
	static struct conf_wall w;
	w.n_off_limits = 2;
	w.off_limits[0] = pfx("203.0.113.64/28");
	w.off_limits[1] = pfx("2001:db8:5::/48");
	w.n_allowed = 2;
	w.allowed[0] = pfx("192.168.7.0/24");
	w.allowed[1] = pfx("203.0.113.70/32");
	const struct prefix host[] = {pfx("198.51.100.8/32"), pfx("2001:db8:8::8/128"),
				      pfx("10.1.2.0/24")};
	policy_off_limits_make(&w, host, ARRAY_LEN(host), &o);
	assert_true(off(&o, "203.0.113.64"));
	assert_true(off(&o, "203.0.113.79"));
	assert_false(off(&o, "203.0.113.80"));
	assert_false(off(&o, "203.0.113.70")); /* the exception wins */
	assert_true(off(&o, "2001:db8:5::1"));
	assert_true(off(&o, "198.51.100.8"));
	assert_false(off(&o, "198.51.100.9"));
	assert_true(off(&o, "2001:db8:8::8"));
	assert_false(off(&o, "192.168.7.255"));
	assert_true(off(&o, "192.168.8.0"));
	assert_true(off(&o, "10.255.0.0")); /* a range inside a range doesn't end it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_built_in_range),
		cmocka_unit_test(own_ranges_host_and_exceptions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
