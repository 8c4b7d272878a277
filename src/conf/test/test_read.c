/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading whole files. The words of each error are golden tests: tests/golden/conf. */
#include "conf/conf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int read_text(const char *text, struct conf *c, struct conf_error *e)
{
	return conf_read("x.yaml", text, strlen(text), c, e, NULL, NULL);
}

static void count(void *ctx, const struct conf_error *e)
{
	assert_true(e->what[0] != '\0');
	++*(unsigned *)ctx;
}

static void test_empty_file_is_the_lab(void **state)
{
	struct conf c, d;
	struct conf_error e;
	(void)state;
	conf_defaults(&d);
	memset(&c, 0xaa, sizeof(c));
	assert_int_equal(read_text("", &c, &e), 0);
	assert_memory_equal(&c, &d, sizeof(c));
	assert_int_equal(read_text("# nothing\nwall:\n#  flows: 1\n", &c, &e), 0);
	assert_memory_equal(&c, &d, sizeof(c));
}

static void test_example_is_the_defaults(void **state)
{
	size_t size = 1 << 17;
	char *buf = malloc(size);
	struct writer w = writer_of(buf, size);
	struct conf c, d;
	struct conf_error e;
	(void)state;
	conf_defaults(&d);
	conf_write_example(&w);
	assert_false(w.full);
	assert_int_equal(read_text(buf, &c, &e), 0);
	assert_memory_equal(&c, &d, sizeof(c));
	free(buf);
}

static const char good[] =
	"name: attic\n"
	"wall:\n  limits:\n    tcp: [5/1m, 20/1h]\n    dns: none\n"
	"  off_limits: [100.64.0.0/10, 2001:db8:dead::/48]\n"
	"guests:\n  - {name: shop, inside: 10.99.0.30, image: tiny}\n"
	"alerts: {digest: none, location: /x.mmdb}\n"
	"destinations:\n"
	"  - {name: pager, kind: smtp, short: true, url: smtps://m.example.org,\n"
	"     to: [a@b.example], from: skep@b.example, user: \"u \\\"x\\\\\",\n"
	"     secret: /etc/skep/pager.secret, day: none}\n"
	"  - name: hook\n    kind: webhook\n    url: https://[2001:db8::1]/x\n"
	"    template: |\n      {\"a\": \"{{text}}\\n\",\n        \"b\": 1}\n"
	"quiet:\n  - {direction: inbound, ports: [22, 80-90], countries: [NO],\n"
	"     sids: [2001219], until: 2026-12-31, comment: \"a: #b\"}\n"
	"alert_classes:\n  - {class: login, window: 1h, bypass: true, to: [pager]}\n";

static void test_values_arrive(void **state)
{
	struct conf c;
	struct conf_error e;
	(void)state;
	assert_int_equal(read_text(good, &c, &e), 0);
	assert_string_equal(c.name, "attic");
	assert_string_equal(c.sensor, "skep");
	assert_int_equal(c.wall.limits.tcp.n, 2);
	assert_int_equal(c.wall.limits.tcp.w[0].max, 5);
	assert_int_equal(c.wall.limits.tcp.w[1].window_ns, 3600 * NS_PER_SEC);
	assert_int_equal(c.wall.limits.dns.n, 0);
	assert_int_equal(c.wall.n_off_limits, 2);
	assert_int_equal(c.wall.off_limits[1].len, 48);
	assert_int_equal(c.n_guests, 1);
	assert_string_equal(c.guests[0].image, "tiny");
	/* The built-in forwards lead to a guest that this file doesn't have. */
	assert_int_equal(c.n_forwards, 0);
	assert_string_equal(c.guests[1].name, "");
}

static void test_alerts_arrive(void **state)
{
	struct conf c;
	struct conf_error e;
	(void)state;
	if (read_text(good, &c, &e) != 0)
		fail_msg("%u: %s", e.line, e.what);
	const struct conf_alerts *a = &c.alerts;
	assert_int_equal(a->n_to, 2);
	assert_string_equal(a->digest, "");
	/* A short form has other defaults, unless they are given. */
	assert_int_equal(a->to[0].weight, 6);
	assert_int_equal(a->to[0].throttle.hour, 6);
	assert_int_equal(a->to[0].throttle.day, 0);
	assert_string_equal(a->to[0].user, "u \"x\\");
	assert_int_equal(a->to[1].weight, 0);
	assert_int_equal(a->to[1].throttle.hour, 0);
	assert_string_equal(a->to[1].template, "{\"a\": \"{{text}}\\n\",\n  \"b\": 1}\n");
	assert_int_equal(a->n_quiet, 1);
	assert_int_equal(a->quiet[0].ports[1].hi, 90);
	assert_string_equal(a->quiet[0].countries[0], "NO");
	assert_int_equal(a->n_classes, 1);
	assert_int_equal(a->classes[0].class, ALERT_LOGIN);
	assert_int_equal(a->classes[0].weight, UINT8_MAX);
	assert_int_equal(a->classes[0].bypass, 1);
	assert_int_equal(a->classes[0].throttle.window_ns, 3600 * NS_PER_SEC);
	assert_int_equal(a->classes[0].throttle.total, UINT32_MAX);
	assert_string_equal(a->classes[0].to[0], "pager");
}

static void test_written_values_read_back(void **state)
{
	char *buf = malloc(1 << 17);
	struct writer w = writer_of(buf, 1 << 17);
	struct conf c, d;
	struct conf_error e;
	(void)state;
	assert_int_equal(read_text(good, &c, &e), 0);
	conf_write_values(&w, &c);
	assert_false(w.full);
	assert_int_equal(read_text(buf, &d, &e), 0);
	assert_memory_equal(&c, &d, sizeof(c));
	free(buf);
}

static void test_errors_leave_the_snapshot_alone(void **state)
{
	struct conf c, before;
	struct conf_error e;
	unsigned n = 0;
	const char *text = "name: other\nwall:\n  flows: 1\nmoed: lab\n";
	(void)state;
	memset(&c, 0x5a, sizeof(c));
	before = c;
	assert_int_equal(conf_read("f.yaml", text, strlen(text), &c, &e, count, &n), SKEP_EFORMAT);
	assert_memory_equal(&c, &before, sizeof(c));
	assert_int_equal(n, 2);
	assert_string_equal(e.file, "f.yaml");
	assert_int_equal(e.line, 3);
	assert_int_equal(e.column, 10);
	assert_string_equal(e.cure, "use 1024 to 4194304");
}

static void test_at_most_fifty_errors(void **state)
{
	char text[8192];
	struct writer w = writer_of(text, sizeof(text));
	struct conf c;
	struct conf_error e;
	unsigned n = 0;
	(void)state;
	for (int i = 0; i < 200; i++)
		write_fmt(&w, "key%d: 1\n", i);
	assert_true(conf_read("f", text, w.len, &c, &e, count, &n) < 0);
	assert_int_equal(n, 50);
}

static void test_size_is_bounded(void **state)
{
	size_t len = (1 << 20) + 1;
	char *text = malloc(len);
	struct conf c;
	struct conf_error e;
	(void)state;
	memset(text, '\n', len);
	assert_int_equal(conf_read("f", text, len - 1, &c, &e, NULL, NULL), 0);
	assert_int_equal(conf_read("f", text, len, &c, &e, NULL, NULL), SKEP_EFORMAT);
	/* Many values: refused, not slow. */
	for (size_t i = 0; i + 1 < len; i += 2)
		memcpy(text + i, i == 0 ? "[ " : "1,", 2);
	assert_int_equal(conf_read("f", text, len - 1, &c, &e, NULL, NULL), SKEP_EFORMAT);
	memset(text, '[', len);
	assert_int_equal(conf_read("f", text, len - 1, &c, &e, NULL, NULL), SKEP_EFORMAT);
	free(text);
}

static void test_missing_file(void **state)
{
	struct conf c;
	struct conf_error e;
	(void)state;
	assert_int_equal(conf_read_file("/nonexistent/skep.yaml", &c, &e, NULL, NULL), -ENOENT);
	assert_string_equal(e.file, "/nonexistent/skep.yaml");
	assert_int_equal(e.line, 0);
	assert_true(strstr(e.cure, "config example") != NULL);
}

static void test_words_of_an_error(void **state)
{
	struct conf_error e = {
		.file = "a.yaml", .line = 3, .column = 7, .what = "bad", .cure = "mend"};
	char buf[256];
	struct writer w = writer_of(buf, sizeof(buf));
	(void)state;
	conf_error_text(&w, &e);
	assert_string_equal(buf, "a.yaml:3:7: bad\n  cure: mend");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_file_is_the_lab),
		cmocka_unit_test(test_example_is_the_defaults),
		cmocka_unit_test(test_values_arrive),
		cmocka_unit_test(test_alerts_arrive),
		cmocka_unit_test(test_written_values_read_back),
		cmocka_unit_test(test_errors_leave_the_snapshot_alone),
		cmocka_unit_test(test_at_most_fifty_errors),
		cmocka_unit_test(test_size_is_bounded),
		cmocka_unit_test(test_missing_file),
		cmocka_unit_test(test_words_of_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
