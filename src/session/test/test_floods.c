/* SPDX-License-Identifier: BSD-2-Clause */
/* Floods and lies of one guest, and a full disk: what they may cost, and whom. */
#include "session/test/look.h"

#include "session/session_priv.h"

#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

/* Root in the guest says that the monitor began anew, and makes up visits: what the wire hears goes on. */
static void test_wire_goes_on(void **state)
{
	struct rig *r = *state;
	struct session_open o = telnet(r);
	uint64_t id = session_begin(r->book, &o);
	session_command(r->book, id, "id", 2, r->now);
	assert_true(rig_visit(r, 3, "198.51.100.7", 40001, 23) == id);
	rig_visit_end(r, 3);
	rig_wait(r, 5 * NS_PER_SEC);
	assert_non_null(book_find(r->book, id));
	assert_true(rig_visit(r, 3, "198.51.100.7", 40001, 23) == id);
	uint64_t other = rig_visit(r, 4, "198.51.100.7", 40002, 22);
	session_monitor_anew(r->book, 0, r->now);
	assert_null(book_find(r->book, other));
	assert_non_null(book_find(r->book, id));
	/* Its visit's number is somebody else's now. */
	assert_true(rig_visit(r, 3, "198.51.100.8", 1, 22) != id);
	for (uint64_t v = 10; v < 10 + 2 * SLOTS; v++)
		rig_visit(r, v, "198.51.100.9", (uint16_t)v, 22);
	session_output(r->book, id, "still here", 10, r->now);
	session_end(r->book, id, "closed", r->now);
	rig_wait(r, 5 * NS_PER_SEC);
	assert_null(book_find(r->book, id));
	struct session_row row = {.id = id};
	assert_int_equal(lines_with(r, cast_of_row(&row), "still here"), 1);
}

/* Lines that one guest makes up, of processes that nobody knows, take no other's places. */
static void test_parked_shares(void **state)
{
	struct rig *r = *state;
	char text[128];
	rig_visit(r, 7, "198.51.100.7", 40001, 22); /* there is a monitor */
	for (unsigned i = 0; i < 3 * PARKED; i++) {
		snprintf(text, sizeof(text),
			 "pid=%u ppid=1 uid=0 user=root tty=- seq=1 cwd=/ line=x", 1000 + i);
		rig_shell(r, text);
	}
	uint32_t used = 0;
	for (uint32_t i = 0; i < PARKED; i++)
		used += r->book->parked[i].used;
	assert_int_equal(used, PARKED / 2);
}

/* A line may wait in a place that another left: it is told behind those that came before it. */
static void test_parked_order(void **state)
{
	static const char *const sh[] = {"bash", NULL};
	struct rig *r = *state;
	rig_visit(r, 7, "198.51.100.7", 40001, 22);
	rig_shell(r, "pid=60 ppid=1 uid=0 user=root tty=- seq=1 cwd=/ line=other");
	rig_shell(r, "pid=50 ppid=1 uid=0 user=root tty=- seq=1 cwd=/ line=first");
	rig_exec(r, 7, 60, 1, 0, sh);
	rig_wait(r, 250 * NS_PER_MS);
	assert_false(r->book->parked[0].used);
	rig_shell(r, "pid=50 ppid=1 uid=0 user=root tty=- seq=2 cwd=/ line=second");
	assert_true(r->book->parked[0].used);
	rig_exec(r, 7, 50, 1, 0, sh);
	rig_wait(r, 600 * NS_PER_MS);
	const struct event_command *c = &r->last[EVENT_COMMAND].u.command;
	assert_int_equal(c->line_len, 6);
	assert_memory_equal(c->line, "second", 6);
}

/* Refused in a flood, kept when there is room again. */
static void test_refused_once(void **state)
{
	struct rig *r = *state;
	uint64_t first = rig_visit(r, 1, "198.51.100.7", 1, 22);
	r->book->guests[0].budgets[BUDGET_KEEP] = (struct budget){.last_ns = r->now};
	rig_data(r, 1, 0, SENSOR_OUT, true, "a", 1);
	assert_false(book_find(r->book, first)->kept);
	rig_wait(r, 2 * NS_PER_SEC);
	rig_data(r, 1, 0, SENSOR_OUT, true, "b", 1);
	assert_true(book_find(r->book, first)->kept);
}

/* Sizes are foreign numbers: one that is too big for readers of JSON must not hide the record or the file. */
static void test_huge_size(void **state)
{
	struct rig *r = *state;
	uint64_t id = rig_visit(r, 7, "198.51.100.7", 40001, 22);
	struct session_file_open o = {
		.session = id, .how = "uploaded", .name = "x", .source = "", .size = UINT64_MAX};
	uint64_t f = session_file_begin(r->book, &o, r->now);
	char name[32], text[SESSION_ID_TEXT];
	session_file_data(r->book, f, "abc", 3);
	session_file_end(r->book, f, true, r->now);
	rig_wait(r, 2 * NS_PER_SEC);
	snprintf(name, sizeof(name), "%s.json", session_id_text(id, text));
	char *record = rig_read(r, rig_day(r, name)), *index = rig_read(r, "files/index.jsonl");
	json_t *a = json_loads(record, 0, NULL), *b = json_loads(index, 0, NULL);
	assert_non_null(a);
	assert_non_null(b);
	json_decref(a);
	json_decref(b);
	free(record);
	free(index);
}

static void test_budget(void **state)
{
	struct rig *r = *state;
	char noise[4000];
	rig_close(r);
	r->conf.conf.disk_bytes = 4u << 20;
	rig_again(r);
	memset(noise, 'n', sizeof(noise));
	for (uint64_t v = 1; v <= 5; v++) { /* 2 MB a day, of which a guest's share is 1 */
		rig_visit(r, v, "198.51.100.7", (uint16_t)v, 22);
		for (int i = 0; i < 500; i++)
			rig_data(r, v, 0, SENSOR_OUT, true, noise, sizeof(noise));
		rig_visit_end(r, v);
		rig_wait(r, 5 * NS_PER_SEC);
		r->now += 86400 * NS_PER_SEC;
	}
	rig_wait(r, NS_PER_SEC);
	assert_true(rig_bytes(r) <= 4u << 20);
	assert_int_equal(rows_of(r).n, 3);
	/* Today is too much: the recording stops, its beginning stays, and so do the days before. */
	rig_visit(r, 9, "198.51.100.7", 9, 22);
	for (int i = 0; i < 4000; i++) {
		rig_data(r, 9, 0, SENSOR_OUT, true, noise, sizeof(noise));
		if (i % 100 == 0)
			rig_wait(r, 250 * NS_PER_MS);
	}
	rig_wait(r, NS_PER_SEC);
	assert_true(rig_bytes(r) < 5u << 20);
	struct rows rows = rows_of(r);
	assert_true(rows.n >= 3);
	const char *name = cast_of_row(&rows.all[rows.n - 1]);
	assert_int_equal(lines_with(r, name, "share of the disk"), 1);
	/* Another guest's visit is recorded all the same. */
	struct session_open o = telnet(r);
	o.guest = 1;
	uint64_t id = session_begin(r->book, &o);
	session_output(r->book, id, "hello", 5, r->now);
	session_command(r->book, id, "id", 2, r->now);
	session_end(r->book, id, "closed", r->now);
	rig_wait(r, NS_PER_SEC);
	rows = rows_of(r);
	assert_int_equal(lines_with(r, cast_of_row(&rows.all[rows.n - 1]), "hello"), 1);
}

static void test_full(void **state)
{
	struct rig *r = *state;
	struct rlimit old, now;
	char noise[4000];
	memset(noise, 'n', sizeof(noise));
	rig_visit(r, 7, "198.51.100.7", 40001, 22);
	rig_data(r, 7, 0, SENSOR_OUT, true, "root@web:~# ", 12);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	now = old;
	now.rlim_cur = 6000;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
	for (int i = 0; i < 4; i++)
		rig_data(r, 7, 0, SENSOR_OUT, true, noise, sizeof(noise));
	uint32_t days;
	r->now += 250 * NS_PER_MS;
	int err = session_book_tick(r->book, r->now, &days);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_true(err < 0);
	rig_data(r, 7, 0, SENSOR_OUT, true, "after", 5);
	assert_int_equal(rig_wait(r, 2 * NS_PER_SEC), 0);
	struct rows rows = rows_of(r);
	char *cast = rig_read(r, rig_day(r, cast_of_row(&rows.all[0])));
	uint32_t n = 0;
	char *save = NULL;
	for (char *l = strtok_r(cast, "\n", &save); l != NULL;
	     l = strtok_r(NULL, "\n", &save), n++) {
		json_t *o = json_loads(l, 0, NULL);
		assert_non_null(o);
		json_decref(o);
	}
	free(cast);
	assert_true(n > 3);
	assert_int_equal(
		lines_with(r, cast_of_row(&rows.all[0]), "bytes of this recording are lost"), 1);
	assert_int_equal(lines_with(r, cast_of_row(&rows.all[0]), "\"after\""), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_wire_goes_on, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_parked_shares, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_parked_order, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_refused_once, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_huge_size, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_budget, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_full, look_set_up, look_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
