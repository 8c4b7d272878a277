/* SPDX-License-Identifier: BSD-2-Clause */
/* A rule hit is found the session that it is of. */
#include "session/test/look.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t hit(struct rig *r, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	struct event e = event_new(EVENT_ALERT);
	struct event_tuple *t = &e.u.alert.tuple;
	e.time_ns = r->now;
	e.flow_id = 77;
	e.u.alert.gid = 1;
	e.u.alert.sid = 2001;
	event_say(&e, "a tool comes in");
	assert_int_equal(addr_parse(src, &t->in_src), 0);
	assert_int_equal(addr_parse(dst, &t->in_dst), 0);
	t->in_sport = sport;
	t->in_dport = dport;
	t->proto = 6;
	return session_alert(r->book, 0, &e);
}

static void test_alert(void **state)
{
	struct rig *r = *state;
	rig_visit(r, 7, "198.51.100.7", 40001, 22);
	rig_login(r, 7, "root", "hunter2", true);
	rig_data(r, 7, 0, SENSOR_OUT, true, "root@web:~# ", 12);
	rig_wait(r, NS_PER_SEC);
	uint64_t first = rows_of(r).all[0].id;
	/* By the conversation that he came in by, both ways; as the only one there is. */
	assert_true(hit(r, "198.51.100.7", 40001, "10.0.0.2", 22) == first);
	assert_true(hit(r, "10.0.0.2", 22, "198.51.100.7", 40001) == first);
	assert_true(hit(r, "192.0.2.80", 80, "10.0.0.2", 50000) == first);
	/* With two nobody knows, unless a process of one began it. */
	rig_visit(r, 8, "198.51.100.8", 40002, 22);
	rig_login(r, 8, "root", "hunter2", true);
	assert_true(hit(r, "192.0.2.80", 80, "10.0.0.2", 50001) == 0);
	rig_connect(r, 8, 70, "192.0.2.80", 80);
	uint64_t second = hit(r, "192.0.2.80", 80, "10.0.0.2", 50001);
	assert_true(second != 0 && second != first);
	assert_true(hit(r, "192.0.2.81", 80, "10.0.0.2", 50001) == 0);
	rig_wait(r, 5 * NS_PER_SEC);
	struct rows rows = rows_of(r);
	assert_int_equal(rows.n, 2);
	assert_int_equal(rows.all[0].alerts, 3);
	assert_int_equal(rows.all[1].alerts, 1);
	assert_true(rows.all[0].flow_id == 77);
	char id[SESSION_ID_TEXT], name[32];
	snprintf(name, sizeof(name), "%s.cast", session_id_text(first, id));
	char *cast = rig_read(r, rig_day(r, name));
	assert_non_null(strstr(cast, "\"m\",\"alert: a tool comes in [1:2001:0]\""));
	free(cast);
}

int main(void)
{
	struct rig r = {0};
	void *state = &r;
	rig_open(&r, 2);
	const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(test_alert, state)};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	rig_remove(&r);
	return failed;
}
