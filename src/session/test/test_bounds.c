/* SPDX-License-Identifier: BSD-2-Clause */
/* Floods, budgets, full disks, deaths: bounded, counted, and nothing half-written. */
#include "session/test/look.h"

#include "session/session_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_guesses(void **state)
{
	struct rig *r = *state;
	for (uint64_t v = 1; v <= 6000; v++) {
		rig_visit(r, v, "203.0.113.9", (uint16_t)(v + 1000), 22);
		rig_login(r, v, "root", "123456", false);
		rig_login(r, v, "admin", "admin", false);
		rig_visit_end(r, v);
		if (v % 100 == 0)
			rig_wait(r, NS_PER_SEC);
	}
	rig_wait(r, 10 * NS_PER_SEC);
	struct rows rows = rows_of(r);
	assert_int_equal(rows.n, 6000);
	for (int i = 1; i < 64; i++)
		assert_true(rows.all[i - 1].id < rows.all[i].id);
	assert_string_equal(rows.all[0].user, "admin");
	assert_int_equal(rows.all[0].logins_failed, 2);
	assert_true(rows.all[0].end_ns != 0 && !rows.all[0].has_cast);
	/* Two files, whatever the number. */
	assert_true(rig_bytes(r) < UINT64_C(6000) * 2500);
	assert_int_equal(lines_with(r, "list.jsonl", "\"secret\":\"123456\""), 6000);
	assert_true(r->by_kind[EVENT_LOGIN] < 5000 && r->by_kind[EVENT_HEALTH] > 0);
}

static void test_made_up(void **state)
{
	struct rig *r = *state;
	char word[2000];
	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	/* Forty thousand visits, each with a command, as fast as they can be told. */
	for (uint64_t v = 1; v <= 40000; v++) {
		rig_visit(r, v, "203.0.113.9", (uint16_t)v, 22);
		rig_exec(r, v, (uint32_t)v, 1, 0, ARGS("sh", "-c", word));
		if (v % 10000 == 0)
			rig_wait(r, 250 * NS_PER_MS);
	}
	uint64_t bytes = rig_bytes(r);
	assert_true(bytes < UINT64_C(150) << 20);
	/* The other guest's sessions are not touched by it. */
	assert_true(r->by_kind[EVENT_COMMAND] < 3000);
	rig_wait(r, 11 * NS_PER_SEC);
	assert_true(r->by_kind[EVENT_HEALTH] > 0);
	assert_string_equal(r->last[EVENT_HEALTH].u.health.what, "suppressed");
}

static void test_many_commands(void **state)
{
	struct rig *r = *state;
	rig_visit(r, 1, "203.0.113.9", 1, 22);
	rig_data(r, 1, 0, SENSOR_OUT, true, "$ ", 2);
	for (uint32_t i = 0; i < 10000; i++)
		rig_exec(r, 1, 100 + i, 99, 0, ARGS("true", "and", "what", "else"));
	rig_visit_end(r, 1);
	rig_wait(r, 5 * NS_PER_SEC);
	struct rows rows = rows_of(r);
	assert_int_equal(rows.n, 1);
	assert_int_equal(rows.all[0].commands, 10000);
	json_t *rec = record_of(r, rows.all[0].id);
	size_t listed = json_array_size(json_object_get(rec, "commands"));
	assert_true(listed > 500);
	assert_int_equal(listed + count_of(rec, "unlisted"), 10000);
	json_decref(rec);
}

static void test_shares(void **state)
{
	struct rig *r = *state;
	struct session_open o = {
		.guest = 1, .service = "telnet", .client_port = 7, .server_port = 23};
	assert_int_equal(addr_parse("198.51.100.9", &o.client), 0);
	o.start_ns = r->now;
	uint64_t other = session_begin(r->book, &o);
	assert_true(other != 0);
	for (uint64_t v = 1; v <= 10000; v++)
		rig_visit(r, v, "203.0.113.9", (uint16_t)v, 22);
	assert_non_null(book_find(r->book, other));
	assert_int_equal(r->book->guests[0].open, SLOTS / 2);
	assert_string_equal(r->last[EVENT_SESSION].u.session.why, "limit");
}

static void test_died(void **state)
{
	struct rig *r = *state;
	rig_close(r);
	pid_t pid = fork();
	if (pid == 0) {
		rig_again(r);
		one_visit(r);
		_exit(0); /* without a word */
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	char path[256];
	r->now += 2 * NS_PER_SEC;
	snprintf(path, sizeof(path), "%s/%s", r->dir, rig_day(r, "cowrie.json"));
	FILE *f = fopen(path, "a");
	fputs("{\"half", f);
	fclose(f);
	struct rows rows = rows_of(r);
	assert_int_equal(rows.n, 1);
	assert_true(rows.all[0].end_ns == 0);
	rig_again(r);
	rows = rows_of(r);
	assert_int_equal(rows.n, 1);
	assert_true(rows.all[0].end_ns != 0);
	json_t *rec = record_of(r, rows.all[0].id);
	assert_string_equal(json_string_value(json_object_get(rec, "why")), "lost");
	assert_int_equal(json_array_size(json_object_get(rec, "commands")), 3);
	json_decref(rec);
	assert_int_equal(lines_with(r, "cowrie.json", "half"), 0);
}

/* With nothing but the folder (Landlock), all of it works: days are made and deleted, long files arrive. */
static void test_confined(void **state)
{
	struct rig *r = *state;
	uint32_t days;
	if (landlock_abi() == 0)
		skip();
	rig_close(r);
	r->conf.conf.keep_days = 1;
	pid_t pid = fork();
	if (pid == 0) {
		size_t len = 200000;
		uint8_t *data = calloc(1, len);
		if (data == NULL || confine_early(0, false) != 0 || confine_tree(r->fd) != 0)
			_exit(10);
		rig_again(r);
		one_visit(r);
		rig_content(r, 7, 50, 1, "/tmp/long", data, len);
		rig_content(r, 7, 50, 2, "/tmp/short", "abc", 3);
		r->now += 3 * 86400 * NS_PER_SEC;
		rig_visit(r, 8, "198.51.100.7", 8, 22);
		rig_data(r, 8, 0, SENSOR_OUT, true, "x", 1);
		int err = session_book_tick(r->book, r->now, &days);
		rig_close(r);
		free(data);
		_exit(err != 0 ? 11 : days != 1 ? 12 : 0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	rig_again(r);
	struct rows rows = rows_of(r);
	assert_int_equal(rows.n, 1); /* the first one's day is gone */
	char *index = rig_read(r, "files/index.jsonl");
	assert_non_null(strstr(index, "/tmp/long"));
	assert_non_null(strstr(index, "/tmp/short"));
	free(index);
	char *gone = rig_read(r, "files/.tmp-1");
	assert_string_equal(gone, "");
	free(gone);
}

static void test_days(void **state)
{
	struct rig *r = *state;
	uint32_t days = 0, removed = 0;
	rig_close(r);
	r->conf.conf.keep_days = 3;
	rig_again(r);
	for (uint64_t v = 1; v <= 10; v++) {
		rig_visit(r, v, "198.51.100.7", (uint16_t)v, 22);
		rig_data(r, v, 0, SENSOR_OUT, true, "x", 1);
		rig_visit_end(r, v);
		rig_wait(r, 5 * NS_PER_SEC);
		r->now += 86400 * NS_PER_SEC;
		assert_int_equal(session_book_tick(r->book, r->now, &days), 0);
		removed += days;
	}
	assert_int_equal(removed, 8);
	assert_int_equal(rows_of(r).n, 2); /* and today, on which nothing was yet */
	/* Only the rest is measured after a new start. */
	rig_close(r);
	rig_again(r);
	assert_int_equal(r->book->folder.n_days, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_guesses, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_made_up, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_many_commands, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_shares, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_died, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_confined, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_days, look_set_up, look_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
