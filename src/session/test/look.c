/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/test/look.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int look_set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	rig_open(r, 2);
	*state = r;
	return 0;
}

int look_tear_down(void **state)
{
	struct rig *r = *state;
	assert_int_equal(r->invalid, 0);
	rig_remove(r);
	free(r);
	return 0;
}

bool take_row(void *ctx, const struct session_row *row)
{
	struct rows *r = ctx;
	if (r->n < 64)
		r->all[r->n] = *row;
	r->n++;
	return true;
}

struct rows rows_of(struct rig *r)
{
	struct rows rows = {.n = 0};
	assert_int_equal(session_list(r->dir, 0, INT64_MAX / 2, take_row, &rows), 0);
	return rows;
}

json_t *record_of(struct rig *r, uint64_t id)
{
	char name[32], text[SESSION_ID_TEXT];
	snprintf(name, sizeof(name), "%s.json", session_id_text(id, text));
	char *s = rig_read(r, rig_day(r, name));
	json_t *o = json_loads(s, 0, NULL);
	free(s);
	return o;
}

uint32_t lines_with(struct rig *r, const char *name, const char *word)
{
	uint32_t n = 0;
	char *text = rig_read(r, rig_day(r, name));
	char *save = NULL;
	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		n += strstr(line, word) != NULL;
	free(text);
	return n;
}

const char *cast_of_row(const struct session_row *row)
{
	static char name[32];
	char id[SESSION_ID_TEXT];
	snprintf(name, sizeof(name), "%s.cast", session_id_text(row->id, id));
	return name;
}

uint64_t count_of(const json_t *record, const char *key)
{
	return (uint64_t)json_integer_value(
		json_object_get(json_object_get(record, "counts"), key));
}

void one_visit(struct rig *r)
{
	rig_visit(r, 7, "198.51.100.7", 40001, 22);
	rig_login(r, 7, "root", "wrong", false);
	rig_login(r, 7, "root", "hunter2", true);
	rig_size(r, 7, 0, 100, 30);
	rig_exec(r, 7, 50, 1007, 0, ARGS("-bash"));
	rig_data(r, 7, 0, SENSOR_OUT, true, "root@web:~# ", 12);
	rig_wait(r, NS_PER_SEC);
	rig_data(r, 7, 0, SENSOR_IN, true, "ls\r", 3);
	assert_true(rig_shell(r, "pid=50 ppid=1007 uid=0 user=root tty=pts/0 seq=1 cwd=/root "
				 "line=ls -l 'a b'") != 0);
	rig_exec(r, 7, 60, 50, 0, ARGS("ls", "-l", "a b"));
	rig_data(r, 7, 0, SENSOR_OUT, true, "a b\r\n", 5);
	rig_exit(r, 7, 60, 256);
	rig_shell(r, "pid=50 seq=1 status=256");
	rig_wait(r, NS_PER_SEC);
}

struct session_open telnet(struct rig *r)
{
	struct session_open o = {.service = "telnet",
				 .flow_id = 42,
				 .client_port = 40001,
				 .server_port = 23,
				 .direction = DIR_INBOUND,
				 .start_ns = r->now};
	assert_int_equal(addr_parse("198.51.100.7", &o.client), 0);
	assert_int_equal(addr_parse("10.0.0.2", &o.server), 0);
	return o;
}
