/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest/guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *line, struct qmp_message *m)
{
	return qmp_parse(line, strlen(line), m);
}

static void test_the_usual(void **state)
{
	struct qmp_message m;
	(void)state;
	assert_int_equal(parse("{\"QMP\": {\"version\": {}, \"capabilities\": []}}", &m), 0);
	assert_int_equal(m.kind, QMP_GREETING);
	assert_int_equal(parse("{\"return\": {}, \"id\": 7}", &m), 0);
	assert_int_equal(m.kind, QMP_RETURN);
	assert_int_equal(m.id, 7);
	assert_int_equal(parse("{\"return\": {\"status\": \"running\", \"running\": true}}", &m),
			 0);
	assert_string_equal(m.status, "running");
	assert_int_equal(parse("{\"id\": 9, \"error\": {\"class\": \"GenericError\", "
			       "\"desc\": \"no\"}}",
			       &m),
			 0);
	assert_int_equal(m.kind, QMP_ERROR);
	assert_string_equal(m.name, "GenericError");
	assert_string_equal(m.text, "no");
	assert_int_equal(parse("{\"timestamp\": {\"seconds\": 1}, \"event\": \"SHUTDOWN\", "
			       "\"data\": {\"guest\": true, \"reason\": \"guest-shutdown\"}}",
			       &m),
			 0);
	assert_int_equal(m.kind, QMP_EVENT);
	assert_string_equal(m.name, "SHUTDOWN");
	assert_string_equal(m.text, "reason=guest-shutdown");
}

static void test_hostile_lines(void **state)
{
	static const char *const bad[] = {"",    "x", "[]", "{", "\"QMP\"", "{\"event\": \"A\"",
					  "null"};
	static const char *const odd[] = {"{}", "{\"event\": 5}", "{\"greeting\": 1}"};
	struct qmp_message m;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(parse(bad[i], &m), SKEP_EFORMAT);
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		assert_int_equal(parse(odd[i], &m), 0);
		assert_int_equal(m.kind, QMP_OTHER);
	}
	assert_int_equal(parse("{\"return\": {}, \"id\": -4}", &m), 0);
	assert_int_equal(m.id, 0);
}

static void test_long_and_deep(void **state)
{
	struct qmp_message m;
	size_t n = QMP_LINE_MAX + 1;
	char *line = malloc(n);
	(void)state;
	assert_non_null(line);
	memset(line, '[', n);
	assert_int_equal(qmp_parse(line, n, &m), SKEP_ETRUNC);
	assert_int_equal(qmp_parse(line, n - 1, &m), SKEP_EFORMAT);
	free(line);
}

static void test_long_names_are_cut(void **state)
{
	char line[400];
	struct qmp_message m;
	(void)state;
	struct writer w = writer_of(line, sizeof(line));
	write_str(&w, "{\"event\": \"");
	for (int i = 0; i < 300; i++)
		write_str(&w, "A");
	write_str(&w, "\"}");
	assert_int_equal(parse(line, &m), 0);
	assert_int_equal(strlen(m.name), sizeof(m.name) - 1);
}

static void test_commands(void **state)
{
	char buf[128];
	(void)state;
	assert_int_equal(qmp_command(buf, sizeof(buf), "cont", NULL, 3), 0);
	assert_string_equal(buf, "{\"execute\":\"cont\",\"id\":3}\n");
	assert_int_equal(qmp_command(buf, sizeof(buf), "x", "{\"a\":1}", 4), 0);
	assert_string_equal(buf, "{\"execute\":\"x\",\"arguments\":{\"a\":1},\"id\":4}\n");
	assert_int_equal(qmp_command(buf, 10, "cont", NULL, 3), SKEP_ETRUNC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_usual),     cmocka_unit_test(test_hostile_lines),
		cmocka_unit_test(test_long_and_deep), cmocka_unit_test(test_long_names_are_cut),
		cmocka_unit_test(test_commands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
