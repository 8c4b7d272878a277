/* SPDX-License-Identifier: BSD-2-Clause */
/* Every row: its default is taken and comes back; its limits are taken, one past each is refused. */
#include "conf/conf_priv.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const struct row *rows;
	const size_t *n;
} tables[] = {{conf_rows, &conf_rows_n},
	      {conf_guest_rows, &conf_guest_rows_n},
	      {conf_forward_rows, &conf_forward_rows_n},
	      {conf_policy_rows, &conf_policy_rows_n},
	      {conf_destination_rows, &conf_destination_rows_n},
	      {conf_quiet_rows, &conf_quiet_rows_n},
	      {conf_class_rows, &conf_class_rows_n}};

static union {
	struct conf c;
	struct conf_guest g;
	struct conf_forward f;
	struct conf_policy p;
	struct conf_destination d;
	struct conf_quiet q;
	struct conf_alert_class_row k;
} scratch;

static void each_row(void (*visit)(const struct row *row))
{
	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (size_t i = 0; i < *tables[t].n; i++)
			visit(&tables[t].rows[i]);
}

static void is_stable(const struct row *row, const char *text)
{
	char once[8192], twice[8192];
	struct writer w = writer_of(once, sizeof(once)), v = writer_of(twice, sizeof(twice));
	if (row_set(row, &scratch, text) != 0)
		fail_msg("%s refuses %s", row->path, text);
	row_write(&w, row, &scratch);
	row_clear(row, &scratch);
	if (row_set(row, &scratch, once) != 0)
		fail_msg("%s refuses %s, which it wrote", row->path, once);
	row_write(&v, row, &scratch);
	assert_string_equal(once, twice);
}

static void visit_default(const struct row *row)
{
	assert_non_null(row->help);
	assert_true(row->size > 0);
	if (row->text[0] != '\0')
		is_stable(row, row->text);
	if (row->text_other != NULL)
		is_stable(row, row->text_other);
	if (row->empty != NULL)
		is_stable(row, row->empty);
	if (row->word != NULL)
		is_stable(row, row->word);
}

static void test_defaults_are_taken(void **state)
{
	(void)state;
	each_row(visit_default);
}

static bool is_number(const struct row *row)
{
	return row->type == ROW_UINT || row->type == ROW_BYTES || row->type == ROW_DURATION;
}

static int set_number(const struct row *row, uint64_t v)
{
	char text[64];
	/* Durations have no unit below 1 ms in the language; their limits are whole seconds. */
	if (row->type == ROW_DURATION)
		snprintf(text, sizeof(text), "%" PRIu64 "ms", v / (uint64_t)NS_PER_MS);
	else
		snprintf(text, sizeof(text), "%" PRIu64, v);
	return row_set(row, &scratch, text);
}

static void visit_number(const struct row *row)
{
	uint64_t step = row->type == ROW_DURATION ? (uint64_t)NS_PER_MS : 1;
	if (!is_number(row))
		return;
	assert_true(row->max > row->min);
	assert_int_equal(set_number(row, row->min), 0);
	assert_int_equal(set_number(row, row->max), 0);
	assert_int_equal(set_number(row, row->max + step), SKEP_ERANGE);
	if (row->min > 0)
		assert_int_equal(set_number(row, row->min - step), SKEP_ERANGE);
	/* The field can hold what the row allows. */
	if (row->word != NULL)
		assert_true(row->word_value > row->max);
	if (row->size < 8)
		assert_true(row->max < UINT64_C(1) << (8 * row->size));
	assert_int_equal(row_set(row, &scratch, "99999999999999999999"), SKEP_ERANGE);
	assert_int_equal(row_set(row, &scratch, "-1"), SKEP_EFORMAT);
	assert_int_equal(row_set(row, &scratch, ""), SKEP_EFORMAT);
	assert_int_equal(row_set(row, &scratch, "1 "), SKEP_EFORMAT);
}

static void test_number_limits(void **state)
{
	(void)state;
	each_row(visit_number);
}

static void visit_text(const struct row *row)
{
	char text[CONF_PATH + 8];
	if (row->type != ROW_NAME && row->type != ROW_PATH && row->type != ROW_LINK)
		return;
	memset(text, 'a', sizeof(text));
	text[0] = row->type == ROW_PATH ? '/' : 'a';
	assert_true(row->max < row->size);
	text[row->max + 1] = '\0';
	assert_int_equal(row_set(row, &scratch, text), SKEP_ERANGE);
	text[row->max] = '\0';
	assert_int_equal(row_set(row, &scratch, text), 0);
	text[row->min] = '\0';
	assert_int_equal(row_set(row, &scratch, text), 0);
	text[row->min - 1] = '\0';
	assert_true(row_set(row, &scratch, text) < 0);
	assert_int_equal(row_set(row, &scratch,
				 row->type == ROW_PATH   ? "/a b"
				 : row->type == ROW_LINK ? "a/b"
							 : "A"),
			 SKEP_EFORMAT);
	if (row->type == ROW_LINK) {
		is_stable(row, "enP1s0.7:a-B_");
		assert_int_equal(row_set(row, &scratch, ".."), SKEP_EFORMAT);
	}
}

static void test_text_limits(void **state)
{
	(void)state;
	each_row(visit_text);
}

static void visit_other(const struct row *row)
{
	static const char *const wrong[ROW_TYPES] = {
		[ROW_BOOL] = "2",
		[ROW_ENUM] = "nothing",
		[ROW_UINT] = "1x",
		[ROW_BYTES] = "1TB",
		[ROW_DURATION] = "1y",
		[ROW_NAME] = "-a",
		[ROW_PATH] = "a",
		[ROW_LINK] = "eth 0",
		[ROW_ADDR] = "1.2.3",
		[ROW_PREFIX] = "10.0.0.1/24",
		[ROW_MAC] = "01:00:00:00:00:01",
		[ROW_LIMIT] = "1000000001/1h",
		[ROW_PREFIXES] = "10.0.0.1/8",
		[ROW_NAMES] = "a,-b",
		[ROW_PORTS] = "80-79",
		[ROW_BYTE_LIMIT] = "1TB/1h",
		[ROW_TEXTS] = "quo\"te",
		[ROW_TEXT] = "\x1b[1m",
	};
	assert_true(row_set(row, &scratch, wrong[row->type]) < 0);
	if (row->type == ROW_ADDR && row->min == 4)
		assert_true(row_set(row, &scratch, "2001:db8::1") < 0);
	if (row->type == ROW_ADDR && row->min == 6)
		assert_true(row_set(row, &scratch, "192.0.2.1") < 0);
	if (row->type == ROW_MAC)
		assert_true(row_set(row, &scratch, "00:00:00:00:00:00") < 0);
	if (row->type == ROW_ENUM)
		for (const struct row_choice *c = row->choices; c->name != NULL; c++)
			is_stable(row, c->name);
}

static void test_wrong_values_are_refused(void **state)
{
	(void)state;
	each_row(visit_other);
}

static void visit_limit(const struct row *row)
{
	if (row->type != ROW_LIMIT || row->max != 4096)
		return;
	is_stable(row, "0/1s");
	is_stable(row, "4096/30d");
	is_stable(row, "1/1s, 2/1m, 3/1h, 4/1d");
	assert_int_equal(row_set(row, &scratch, "4097/1h"), SKEP_ERANGE);
	assert_int_equal(row_set(row, &scratch, "1/999ms"), SKEP_ERANGE);
	assert_int_equal(row_set(row, &scratch, "1/31d"), SKEP_ERANGE);
	assert_int_equal(row_set(row, &scratch, "1/1s,2/1m,3/1h,4/1d,5/2d"), SKEP_EFULL);
	/* Nothing written must never come out as "no limit". */
	assert_int_equal(row_set(row, &scratch, ""), SKEP_EFORMAT);
}

static void test_limits(void **state)
{
	(void)state;
	each_row(visit_limit);
}

/* The lists that only rules of the policy have. */
static void test_policy_lists(void **state)
{
	static const struct {
		const char *key, *good, *bad;
	} cases[] = {
		{"guests", "web1, db1", "web1, Db1"},
		{"ports", "80, 0-65535", "65536"},
		{"ports", "1, 2, 3", "2-x"},
		{"to", "outside, 10.0.0.0/8, resolver", "outsid"},
		{"to", "any, 2001:db8::/32", "10.0.0.1/8"},
		{"bytes", "10MB/1h, 1000/1s", "4GB/1h"},
		{"packets", "1000000000/30d", "1KB/1h"},
		{"connections", "1/1s, 2/1m", "1/s"},
	};
	(void)state;
	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		for (size_t i = 0; i < conf_policy_rows_n; i++) {
			const struct row *row = &conf_policy_rows[i];
			if (strcmp(row->path, cases[c].key) != 0)
				continue;
			is_stable(row, cases[c].good);
			assert_true(row_set(row, &scratch, cases[c].bad) < 0);
		}
	}
}

static void visit_prefixes(const struct row *row)
{
	if (row->type != ROW_PREFIXES)
		return;
	size_t most = row->size / sizeof(struct prefix);
	uint32_t n;
	row_clear(row, &scratch);
	for (size_t i = 0; i < most; i++)
		assert_int_equal(row_append(row, &scratch, "10.0.0.0/8"), 0);
	assert_int_equal(row_append(row, &scratch, "10.0.0.0/8"), SKEP_EFULL);
	memcpy(&n, (char *)&scratch + row->count_offset, sizeof(n));
	assert_int_equal(n, most);
	row_clear(row, &scratch);
	memcpy(&n, (char *)&scratch + row->count_offset, sizeof(n));
	assert_int_equal(n, 0);
}

static const char *sample(const struct row *row)
{
	return row->form == &form_mail      ? "a@b"
	       : row->form == &form_number  ? "4294967295"
	       : row->form == &form_country ? "NO"
					    : "/a,b [c]";
}

static void visit_texts(const struct row *row)
{
	char text[CONF_RULE_VAR + 8];
	uint32_t n;
	if (row->type != ROW_TEXTS)
		return;
	row_clear(row, &scratch);
	const char *good = sample(row);
	for (size_t i = 0; i < row->size / row->item; i++)
		assert_int_equal(row_append(row, &scratch, good), 0);
	assert_int_equal(row_append(row, &scratch, good), SKEP_EFULL);
	memcpy(&n, (char *)&scratch + row->count_offset, sizeof(n));
	assert_int_equal(n, row->size / row->item);
	row_clear(row, &scratch);
	assert_true(row->max < row->item);
	if (row->form != NULL) {
		assert_int_equal(row_append(row, &scratch, "a,b [c]"), SKEP_EFORMAT);
		return;
	}
	memset(text, 'a', sizeof(text));
	text[row->max + 1] = '\0';
	assert_int_equal(row_append(row, &scratch, text), SKEP_ERANGE);
	text[row->max] = '\0';
	assert_int_equal(row_append(row, &scratch, text), 0);
	assert_int_equal(row_append(row, &scratch, "a\nb"), SKEP_EFORMAT);
	assert_int_equal(row_append(row, &scratch, "a\\b"), SKEP_EFORMAT);
	memcpy(&n, (char *)&scratch + row->count_offset, sizeof(n));
	assert_int_equal(n, 1);
	row_clear(row, &scratch);
}

static void test_text_lists(void **state)
{
	(void)state;
	each_row(visit_texts);
}

static void visit_line(const struct row *row)
{
	char text[CONF_TEMPLATE + 8];
	if (row->type != ROW_TEXT)
		return;
	assert_true(row->max < row->size && row->max + 2 < sizeof(text));
	assert_int_equal(row_set(row, &scratch, "\x7f"), SKEP_EFORMAT);
	assert_int_equal(row_set(row, &scratch, "a\rb"), SKEP_EFORMAT);
	if (row->form != NULL) {
		assert_int_equal(row_set(row, &scratch, "a b"), SKEP_EFORMAT);
		return;
	}
	memset(text, 'a', sizeof(text));
	text[row->max + 1] = '\0';
	assert_int_equal(row_set(row, &scratch, text), SKEP_ERANGE);
	text[row->max] = '\0';
	is_stable(row, text);
	is_stable(row, "a \"b\\c\" #: - [x]");
	assert_int_equal(row_set(row, &scratch, "a\nb"), row->lines ? 0 : SKEP_EFORMAT);
}

static void test_lines(void **state)
{
	(void)state;
	each_row(visit_line);
}

static const struct {
	const struct row_form_of *form;
	const char *good[6], *bad[12];
} forms[] = {
	{&form_mail,
	 {"a@b", "ann.lee+x@mail.example.org", "o'neill@x"},
	 {"a", "a@", "@b", "a@b@c", "-a@b", "a b@c", "a..b@c", "a@b..c", "a\r\nBcc: x@y", "a@-b",
	  "<a@b>", "a@b,c@d"}},
	{&form_url,
	 {"smtp://mail.example.org:587", "smtps://[2001:db8::1]:465",
	  "https://hooks.example.org/T0/B0/x?y=1&z", "udp://127.0.0.1:514", "https://a"},
	 {"example.org", "://a", "https://", "https:///x", "https://u:p@a/", "https://a:0/",
	  "https://a:65536/", "https://[::1", "https://[1.2.3.4]/", "https://a b/", "https://a#b",
	  "HTTPS://a"}},
	{&form_hours,
	 {"07:00-23:00", "22:00-06:00", "00:00-24:00"},
	 {"7:00-23:00", "07:00", "07:00-07:00", "24:00-07:00", "07:60-08:00", "07:00-23:00 "}},
	{&form_until,
	 {"2026-12-31", "2028-02-29", "2026-12-31 18:00"},
	 {"2026-02-29", "2026-13-01", "2026-00-01", "2026-1-1", "2026-12-31T18:00", "1969-12-31",
	  "2026-12-31 24:00", "2026-12-32"}},
	{&form_clock, {"00:00", "23:59"}, {"24:00", "7:00", "07:00:00", "0700"}},
	{&form_number, {"1", "4294967295"}, {"0", "01", "4294967296", "AS1", "-1", ""}},
	{&form_country, {"DE", "NO"}, {"de", "DEU", "D1"}},
	{&form_location, {"auto", "/x/y.mmdb"}, {"x.mmdb", "/a/../b", ""}},
};

static void test_forms(void **state)
{
	(void)state;
	for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
		for (size_t i = 0; i < ARRAY_LEN(forms[f].good) && forms[f].good[i] != NULL; i++)
			if (!forms[f].form->is(forms[f].good[i]))
				fail_msg("'%s' is refused", forms[f].good[i]);
		for (size_t i = 0; i < ARRAY_LEN(forms[f].bad) && forms[f].bad[i] != NULL; i++)
			if (forms[f].form->is(forms[f].bad[i]))
				fail_msg("'%s' is taken", forms[f].bad[i]);
	}
}

static void test_times(void **state)
{
	uint16_t from, to;
	int64_t ns;
	(void)state;
	assert_int_equal(conf_hours_parse("22:15-06:00", &from, &to), 0);
	assert_int_equal(from, 22 * 60 + 15);
	assert_int_equal(to, 6 * 60);
	assert_int_equal(conf_until_parse("1970-01-02 00:01", &ns), 0);
	assert_int_equal(ns, 86460 * NS_PER_SEC);
	/* A day alone is over at its end; 2028 is a leap year. */
	assert_int_equal(conf_until_parse("2028-02-29", &ns), 0);
	assert_int_equal(ns, INT64_C(1835481600) * NS_PER_SEC);
	assert_true(form_is_near("smtp://localhost:25"));
	assert_true(form_is_near("tcp://127.3.2.1:25"));
	assert_true(form_is_near("http://[::1]/x"));
	assert_false(form_is_near("http://localhost.example.org/"));
	assert_false(form_is_near("http://[::2]/x"));
}

static void test_words_of_alerts(void **state)
{
	struct conf c;
	(void)state;
	for (int i = 0; i < ALERT_CLASSES; i++)
		assert_int_equal(
			conf_alert_class_of(conf_alert_class_text((enum conf_alert_class)i)), i);
	assert_string_equal(conf_alert_class_text(ALERT_RULE_HIGH), "rule-high");
	assert_string_equal(conf_alert_class_text(ALERT_CLASSES), "");
	for (int i = 0; i < DEST_KINDS; i++)
		assert_true(conf_destination_kind_text((enum conf_destination_kind)i)[0] != '\0');
	conf_defaults(&c);
	assert_int_equal(c.alerts.n_to, 1);
	assert_string_equal(c.alerts.to[0].name, "local");
	assert_int_equal(c.alerts.to[0].kind, DEST_KEEP);
	assert_int_equal(c.alerts.to[0].throttle.window_ns, 900 * NS_PER_SEC);
	assert_int_equal(c.alerts.heartbeat_ns, 60 * NS_PER_SEC);
	assert_string_equal(c.alerts.digest, "07:00");
}

static void test_prefix_lists(void **state)
{
	(void)state;
	each_row(visit_prefixes);
}

static void test_the_limits_of_the_issue(void **state)
{
	struct conf c;
	(void)state;
	conf_defaults(&c);
	assert_int_equal(c.wall.limits.tcp.n, 1);
	assert_int_equal(c.wall.limits.tcp.w[0].max, 20);
	assert_int_equal(c.wall.limits.tcp.w[0].window_ns, 3600 * NS_PER_SEC);
	assert_int_equal(c.wall.limits.udp.w[0].max, 20);
	assert_int_equal(c.wall.limits.icmp.w[0].max, 50);
	assert_int_equal(c.wall.limits.other.w[0].max, 10);
	assert_int_equal(c.n_guests, 2);
	assert_int_equal(c.guests[0].memory_bytes, 384 << 20);
	assert_int_equal(c.guests[1].kind, GUEST_LOGHOST);
	assert_int_equal(c.guests[1].memory_bytes, 96 << 20);
	assert_int_equal(c.guests[1].tb_size_mb, 32);
	assert_int_equal(c.guests[1].public.ver, 0);
	assert_int_equal(c.n_forwards, 2);
	assert_int_equal(c.forwards[0].public_port, 24);
	assert_int_equal(c.forwards[0].guest_port, 22);
	assert_int_equal(c.forwards[0].n_sources, 1);
	assert_non_null(conf_guest(&c, c.forwards[1].guest));
	assert_null(conf_guest(&c, "nobody"));
}

static void test_rows_do_not_overlap(void **state)
{
	(void)state;
	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (size_t i = 0; i < *tables[t].n; i++)
			for (size_t j = 0; j < i; j++) {
				const struct row *a = &tables[t].rows[i], *b = &tables[t].rows[j];
				assert_string_not_equal(a->path, b->path);
				assert_true(a->offset >= b->offset + b->size ||
					    b->offset >= a->offset + a->size);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_taken),
		cmocka_unit_test(test_number_limits),
		cmocka_unit_test(test_text_limits),
		cmocka_unit_test(test_wrong_values_are_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_prefix_lists),
		cmocka_unit_test(test_policy_lists),
		cmocka_unit_test(test_text_lists),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_words_of_alerts),
		cmocka_unit_test(test_the_limits_of_the_issue),
		cmocka_unit_test(test_rows_do_not_overlap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
