/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/test/look.h"

#include "session/session_priv.h"

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

/* ---- ids ------------------------------------------------------------------------------------------ */

static void test_ids(void **state)
{
	char a[SESSION_ID_TEXT], b[SESSION_ID_TEXT];
	uint64_t last = 0, v;
	for (int i = 0; i < 10000; i++) {
		uint64_t id = id_next(last, RIG_START + i / 5000 * NS_PER_MS);
		assert_true(id > last && id < UINT64_C(1) << 53);
		session_id_text(last, a);
		session_id_text(id, b);
		assert_true(strcmp(a, b) < 0);
		assert_int_equal(session_id_parse(b, &v), 0);
		assert_true(v == id);
		last = id;
	}
	assert_true(session_id_parse("", &v) != 0 && session_id_parse("1kd3f8000000", &v) != 0);
	assert_true(session_id_parse("../../../..", &v) != 0);
	assert_true(id_next(5, -1) == 6);
}

/* ---- one visit, whole ----------------------------------------------------------------------------- */

static void test_visit(void **state)
{
	struct rig *r = *state;
	one_visit(r);
	struct rows rows = rows_of(r);
	assert_int_equal(rows.n, 1);
	assert_true(rows.all[0].end_ns == 0); /* it goes on, and is there already */
	assert_int_equal(r->by_kind[EVENT_SESSION], 1);
	assert_string_equal(r->last[EVENT_SESSION].u.session.state, "begin");
	rig_visit_end(r, 7);
	rig_wait(r, 5 * NS_PER_SEC);
	rows = rows_of(r);
	assert_int_equal(rows.n, 1);
	const struct session_row *row = &rows.all[0];
	char peer[ADDR_TEXT];
	assert_string_equal(row->guest, "web");
	assert_string_equal(row->service, "ssh");
	assert_string_equal(row->heard, "monitor shell");
	assert_string_equal(row->user, "root");
	assert_string_equal(row->secret, "hunter2");
	assert_string_equal(addr_text(&row->peer, peer), "198.51.100.7");
	assert_int_equal(row->peer_port, 40001);
	assert_int_equal(row->server_port, 22);
	assert_int_equal(row->logins_ok, 1);
	assert_int_equal(row->logins_failed, 1);
	assert_int_equal(row->commands, 1);
	assert_int_equal(row->input, 3);
	assert_int_equal(row->output, 17);
	assert_true(row->has_cast && row->end_ns > row->start_ns);
	assert_true(row->start_ns == RIG_START);
	assert_string_equal(r->last[EVENT_SESSION].u.session.state, "end");
	assert_string_equal(r->last[EVENT_SESSION].u.session.why, "closed");
	/* The typed line is a marker, the program that it ran is none; that of the login shell is the first. */
	assert_int_equal(lines_with(r, cast_of_row(row), ",\"m\","), 2);
	assert_int_equal(lines_with(r, cast_of_row(row), "\"m\",\"ls -l 'a b'\""), 1);
	assert_int_equal(lines_with(r, cast_of_row(row), "\"width\":100,\"height\":30"), 1);
	assert_int_equal(lines_with(r, cast_of_row(row), ",\"i\",\"ls\\r\""), 1);
	json_t *rec = record_of(r, row->id);
	const json_t *commands = json_object_get(rec, "commands");
	assert_int_equal(json_array_size(commands), 3);
	const json_t *typed = json_array_get(commands, 1), *ran = json_array_get(commands, 2);
	assert_string_equal(json_string_value(json_object_get(typed, "layer")), "shell");
	assert_string_equal(json_string_value(json_object_get(typed, "line")), "ls -l 'a b'");
	assert_int_equal(json_integer_value(json_object_get(typed, "status")), 256);
	assert_string_equal(json_string_value(json_object_get(ran, "layer")), "monitor");
	assert_string_equal(json_string_value(json_object_get(ran, "line")), "ls -l 'a b'");
	assert_int_equal(json_integer_value(json_object_get(ran, "status")), 256);
	assert_int_equal(json_integer_value(json_object_get(ran, "of")),
			 json_integer_value(json_object_get(typed, "n")));
	assert_int_equal(json_array_size(json_object_get(rec, "logins")), 2);
	json_decref(rec);
}

static void test_find(void **state)
{
	struct rig *r = *state;
	struct session_row row;
	char cast[256], json[256], id[SESSION_ID_TEXT], some[SESSION_ID_TEXT];
	one_visit(r);
	rig_visit(r, 8, "2001:db8::7", 5, 22);
	rig_data(r, 8, 1, SENSOR_OUT, true, "x", 1);
	rig_wait(r, NS_PER_SEC);
	struct rows rows = rows_of(r);
	assert_int_equal(rows.n, 2);
	session_id_text(rows.all[1].id, id);
	assert_int_equal(session_find(r->dir, id, &row, cast, json, sizeof(cast)), 0);
	assert_true(row.id == rows.all[1].id && row.peer.ver == 6);
	assert_int_equal(access(cast, R_OK), 0);
	assert_int_equal(access(json, R_OK), 0);
	assert_int_equal(session_find(r->dir, id, &row, NULL, NULL, 0), 0);
	memcpy(some, id, 3);
	some[3] = '\0';
	assert_int_equal(session_find(r->dir, some, &row, cast, json, sizeof(cast)), -EEXIST);
	id[10] = id[10] == 'z' ? 'y' : 'z';
	assert_int_equal(session_find(r->dir, id, &row, cast, json, sizeof(cast)), SKEP_ENOTFOUND);
	static const char *const wrong[] = {"", "zzzzzzzzzzz", "../../etc/x", "!", "0000000000000"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(session_find(r->dir, wrong[i], &row, cast, json, sizeof(cast)),
				 SKEP_ENOTFOUND);
	assert_int_equal(session_list("/nowhere", 0, 1, take_row, &rows), 0);
}

/* What sshd does by itself is none of the visitor's: a scan stays a line, and the message of the day no command. */
static void test_service(void **state)
{
	struct rig *r = *state;
	static const char motd[] =
		"/usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "
		"run-parts --lsbsysinit /etc/update-motd.d > /run/motd.dynamic.new";
	for (uint64_t v = 1; v <= 2; v++) {
		uint32_t p = (uint32_t)(1000 + v);
		rig_visit(r, v, "198.51.100.7", (uint16_t)(40000 + v), 22);
		rig_run(r, v, p, 9, -1, "/usr/sbin/sshd", ARGS("/usr/sbin/sshd", "-D", "-R"));
		rig_login(r, v, "root", v == 1 ? "guess" : "right", v == 2);
	}
	rig_visit_end(r, 1);
	rig_run(r, 2, 60, 1002, -1, "/usr/bin/bash", ARGS("sh", "-c", motd));
	rig_run(r, 2, 61, 60, -1, "/usr/bin/run-parts", ARGS("run-parts"));
	assert_true(
		rig_shell(r,
			  "pid=61 ppid=60 uid=0 user=root tty=- seq=1 cwd=/ line=uname -snrvm") !=
		0);
	rig_run(r, 2, 70, 1002, -1, "/usr/bin/bash", ARGS("bash", "-c", "id; w"));
	rig_shell(r, "pid=70 ppid=1002 uid=0 user=root tty=- seq=1 cwd=/root line=id; w");
	rig_run(r, 2, 71, 70, -1, "/usr/bin/id", ARGS("id"));
	rig_data(r, 2, -1, SENSOR_OUT, true, "uid=0", 5);
	/* A program of that name later on is the visitor's own. */
	rig_run(r, 2, 72, 70, -1, "/tmp/sshd", ARGS("/tmp/sshd"));
	rig_visit_end(r, 2);
	rig_wait(r, 5 * NS_PER_SEC);
	struct rows rows = rows_of(r);
	assert_int_equal(rows.n, 2);
	assert_int_equal(lines_with(r, "list.jsonl", "guess"), 1);
	json_t *rec = record_of(r, rows.all[1].id);
	assert_int_equal(count_of(rec, "lines"), 1);
	assert_int_equal(count_of(rec, "runs"), 3);
	assert_int_equal(json_array_size(json_object_get(rec, "commands")), 8);
	json_decref(rec);
	assert_int_equal(lines_with(r, cast_of_row(&rows.all[1]), ",\"m\","), 1);
	assert_int_equal(lines_with(r, cast_of_row(&rows.all[1]), "\"m\",\"id; w\""), 1);
	assert_int_equal(lines_with(r, "cowrie.json", "cowrie.command.input"), 1);
}

/* `exec`: the shell itself becomes another program. */
static void test_exec(void **state)
{
	struct rig *r = *state;
	rig_visit(r, 1, "198.51.100.7", 1, 22);
	rig_exec(r, 1, 50, 1, 0, ARGS("bash"));
	rig_shell(r, "pid=50 ppid=1 uid=0 user=root tty=pts/0 seq=1 cwd=/ line=exec top");
	rig_exec(r, 1, 50, 1, 0, ARGS("top"));
	rig_wait(r, NS_PER_SEC);
	json_t *rec = record_of(r, rows_of(r).all[0].id);
	const json_t *top = json_array_get(json_object_get(rec, "commands"), 2);
	assert_string_equal(json_string_value(json_object_get(top, "line")), "top");
	assert_int_equal(json_integer_value(json_object_get(top, "of")), 2);
	json_decref(rec);
}

/* A pid that lives again in another visit has no past. */
static void test_pid_again(void **state)
{
	struct rig *r = *state;
	rig_visit(r, 1, "198.51.100.7", 1, 22);
	rig_visit(r, 2, "198.51.100.7", 2, 22);
	rig_exec(r, 1, 50, 1, 0, ARGS("first"));
	rig_data(r, 2, 1, SENSOR_OUT, true, "x", 1);
	rig_exit(r, 2, 50, 9);
	rig_wait(r, NS_PER_SEC);
	struct rows rows = rows_of(r);
	json_t *rec = record_of(r, rows.all[0].id);
	assert_null(json_object_get(json_array_get(json_object_get(rec, "commands"), 0), "status"));
	json_decref(rec);
}

/* ---- hostile bytes -------------------------------------------------------------------------------------- */

static void test_hostile(void **state)
{
	struct rig *r = *state;
	uint8_t all[512];
	char line[400] = "";
	for (int i = 0; i < 512; i++)
		all[i] = (uint8_t)(i < 256 ? i : 511 - i);
	for (int i = 0; i < 100; i++)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), "%%%02X",
			 i < 33 ? i : i + 96);
	char shell[1024];
	snprintf(shell, sizeof(shell),
		 "pid=50 ppid=1 uid=0 user=%%1B[2J tty=pts/0 seq=1 cwd=%%C2%%9B31m line=%s", line);
	rig_visit(r, 7, "198.51.100.7", 40001, 22);
	rig_login(r, 7, "\x1b]0;x\x07\xc2\x9b", "\xff\xfe\"\\\x7f", true);
	rig_exec(r, 7, 50, 1, 0, ARGS("\x1b[31m", "\xed\xa0\x80", "\xc2\x85"));
	rig_shell(r, shell);
	rig_data(r, 7, 0, SENSOR_OUT, true, all, sizeof(all));
	rig_data(r, 7, 0, SENSOR_IN, false, all, sizeof(all));
	rig_content(r, 7, 50, 3, "/tmp/\x1b[2J\xff", all, sizeof(all));
	rig_visit_end(r, 7);
	rig_wait(r, 5 * NS_PER_SEC);
	assert_int_equal(rig_dirty(r), 0);
	struct rows rows = rows_of(r);
	assert_int_equal(rows.n, 1);
	assert_string_equal(rows.all[0].user, "\x1b]0;x\x07\xc2\x9b"); /* comes back as it was */
	assert_string_equal(rows.all[0].secret, "\xff\xfe\"\\\x7f");
	json_t *rec = record_of(r, rows.all[0].id);
	assert_non_null(rec);
	assert_true(json_array_size(json_object_get(rec, "hidden")) > 0);
	json_decref(rec);
	char *text = rig_read(r, rig_day(r, "cowrie.json"));
	char *save = NULL;
	for (char *l = strtok_r(text, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save)) {
		json_t *o = json_loads(l, 0, NULL);
		assert_non_null(o);
		json_decref(o);
	}
	free(text);
}

/* ---- the shell's lines ------------------------------------------------------------------------------------ */

static bool parses(const char *text, struct session_shell *sh)
{
	struct syslog_line l = {.facility = 22, .text = text, .len = (uint32_t)strlen(text)};
	memcpy(l.app, "sh", 3);
	return session_shell_parse(&l, sh);
}

static void test_shell_parse(void **state)
{
	static struct session_shell sh;
	assert_true(parses(
		"pid=4 ppid=3 uid=1000 user=joe%25 tty=- seq=9 cwd=/a%20b cut=1 line=a=b %0a c%",
		&sh));
	assert_int_equal(sh.pid, 4);
	assert_int_equal(sh.ppid, 3);
	assert_int_equal(sh.uid, 1000);
	assert_int_equal(sh.seq, 9);
	assert_true(sh.cut && !sh.end);
	assert_string_equal(sh.user, "joe%");
	assert_string_equal(sh.cwd, "/a b");
	assert_int_equal(sh.line_len, 8);
	assert_memory_equal(sh.line, "a=b \n c%", 8);
	assert_false(parses("pid=4 seq=9 status=-1", &sh));
	assert_true(parses("pid=4 seq=9 status=139", &sh) && sh.end && sh.status == 139);
	assert_true(parses("pid=4 seq=1 line=", &sh) && sh.line_len == 0);
	static const char *const bad[] = {"",
					  "hello",
					  "line=x",
					  "pid=4 line=x",
					  "pid=x seq=1 line=x",
					  "pid=99999999999 seq=1 line=x",
					  "pid=4294967296 seq=1 line=x",
					  "pid=4 seq=1",
					  "pid=4 seq= line=x",
					  "pid 4 seq=1 line=x"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(parses(bad[i], &sh));
	struct syslog_line l = {
		.facility = 21, .app = "sh", .text = "pid=4 seq=1 line=x", .len = 18};
	assert_false(session_shell_parse(&l, &sh));
	l.facility = 22;
	assert_true(session_shell_parse(&l, &sh));
	memcpy(l.app, "su", 3);
	assert_false(session_shell_parse(&l, &sh));
	static const char rest[] = "pid=4 seq=1 more=1000 text=line=ls%20status=0";
	l = (struct syslog_line){
		.facility = 22, .app = "sh", .text = rest, .len = sizeof(rest) - 1};
	assert_true(session_shell_rest(&l) && !session_shell_parse(&l, &sh));
	l.len = 12;
	assert_false(session_shell_rest(&l));
}

#define TYPED(pid, ppid, seq, line) \
	"pid=" #pid " ppid=" #ppid " uid=0 user=root tty=pts/3 seq=" #seq " cwd=/ line=" line

/* It comes before the monitor's word of its process: it waits, and keeps its order. */
static void test_shell_early(void **state)
{
	struct rig *r = *state;
	rig_visit(r, 7, "198.51.100.7", 40001, 22);
	assert_true(rig_shell(r, TYPED(50, 40, 1, "first")) == 0);
	assert_true(rig_shell(r, TYPED(50, 40, 2, "second")) == 0);
	assert_int_equal(r->by_kind[EVENT_COMMAND], 0);
	rig_exec(r, 7, 50, 40, 3, ARGS("bash"));
	rig_wait(r, 250 * NS_PER_MS);
	assert_int_equal(r->by_kind[EVENT_COMMAND], 3);
	assert_true(rig_shell(r, TYPED(50, 40, 3, "third")) != 0);
	struct rows rows;
	rig_wait(r, NS_PER_SEC);
	rows = rows_of(r);
	assert_int_equal(rows.n, 1);
	json_t *rec = record_of(r, rows.all[0].id);
	static const char *const want[] = {"bash", "first", "second", "third"};
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(
			json_string_value(json_object_get(
				json_array_get(json_object_get(rec, "commands"), i), "line")),
			want[i]);
	json_decref(rec);
}

/* No monitor in the guest: one session per terminal. */
static void test_shell_alone(void **state)
{
	struct rig *r = *state;
	uint64_t a = rig_shell(r, TYPED(50, 40, 1, "id"));
	assert_true(a != 0 && rig_shell(r, TYPED(51, 50, 1, "w")) == a);
	uint64_t b = rig_shell(r, "pid=60 ppid=9 uid=0 user=root tty=- seq=1 cwd=/ line=x");
	assert_true(b != 0 && b != a);
	rig_wait(r, NS_PER_SEC);
	struct rows rows = rows_of(r);
	assert_int_equal(rows.n, 2);
	assert_string_equal(rows.all[0].heard, "shell");
	assert_int_equal(rows.all[0].commands, 2);
	session_guest_gone(r->book, 0, r->now);
	assert_string_equal(r->last[EVENT_SESSION].u.session.why, "guest");
}

static uint64_t sshd_says(struct rig *r, const char *text)
{
	struct syslog_line l = {.facility = 10, .text = text, .len = (uint32_t)strlen(text)};
	memcpy(l.app, "sshd", 5);
	memcpy(l.pid, "40", 3);
	return session_syslog(r->book, 0, &l, NULL, r->now);
}

/* No monitor: sshd's own lines tell who was tried, and from where. */
static void test_sshd(void **state)
{
	struct rig *r = *state;
	uint64_t id = sshd_says(r, "Failed password for invalid user x from 192.0.2.1 port 5 ssh2 "
				   "from 198.51.100.7 port "
				   "4001 ssh2");
	assert_true(id != 0);
	assert_string_equal(r->last[EVENT_LOGIN].u.login.user, "x from 192.0.2.1 port 5 ssh2");
	assert_true(sshd_says(r, "Accepted publickey for root from 198.51.100.7 port 4001 ssh2: "
				 "RSA SHA256:abc") == id);
	assert_true(sshd_says(r, "Failed password for root from 2001:db8::7 port 4001 ssh2") != id);
	assert_true(rig_shell(r, TYPED(50, 40, 1, "id")) == id);
	static const char *const none[] = {"",
					   "Failed ",
					   "Failed password",
					   "Accepted password for root from here port 1",
					   "Accepted password for root from 1.2.3.4 port 99999",
					   "Accepted password for from 1.2.3.4 port 9",
					   "Failed none for a port 3",
					   "Disconnected from user root 198.51.100.7 port 9",
					   "Server listening on ::"};
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_true(sshd_says(r, none[i]) == 0);
	assert_true(sshd_says(r, "Disconnected from user root 198.51.100.7 port 4001") == id);
	rig_wait(r, 5 * NS_PER_SEC);
	struct rows rows = rows_of(r);
	assert_int_equal(rows.n, 1);
	assert_string_equal(rows.all[0].heard, "shell syslog");
	assert_string_equal(rows.all[0].user, "root");
	assert_true(rows.all[0].end_ns != 0 && rows.all[0].logins_ok == 1 &&
		    rows.all[0].logins_failed == 1);
	/* Where there is a monitor, that tells it, with the password. */
	rig_visit(r, 1, "198.51.100.8", 1, 22);
	assert_true(sshd_says(r, "Failed password for root from 198.51.100.8 port 1 ssh2") == 0);
}

/* Cron: of no visit. An event, no session. */
static void test_no_visit(void **state)
{
	struct rig *r = *state;
	rig_exec(r, 0, 50, 1, -1, ARGS("cron"));
	assert_true(rig_shell(r, TYPED(50, 1, 1, "backup")) == 0);
	assert_int_equal(r->by_kind[EVENT_COMMAND], 2);
	assert_true(r->last[EVENT_COMMAND].u.command.visit.session == 0);
	assert_int_equal(r->last[EVENT_COMMAND].priority, 0);
	rig_wait(r, NS_PER_SEC);
	assert_int_equal(rows_of(r).n, 0);
}

/* ---- the wire ---------------------------------------------------------------------------------------------- */

static void test_wire(void **state)
{
	struct rig *r = *state;
	struct session_open o = telnet(r);
	uint64_t id = session_begin(r->book, &o);
	assert_true(id != 0);
	session_output(r->book, id, "login: ", 7, r->now);
	session_login(r->book, id, "admin", 5, "admin", 5, 1, r->now);
	session_size(r->book, id, 132, 43, r->now);
	session_client(r->book, id, "xterm", 5, r->now);
	session_command(r->book, id, "id", 2, r->now);
	session_input(r->book, id, "id\r\n", 4, r->now);
	session_mark(r->book, id, "ALERT x", r->now);
	/* The guest's monitor tells of the same conversation: one session. */
	assert_true(rig_visit(r, 3, "198.51.100.7", 40001, 23) == id);
	rig_exec(r, 3, 50, 1, 0, ARGS("id"));
	session_end(r->book, id, "closed", r->now);
	rig_wait(r, 5 * NS_PER_SEC);
	assert_non_null(book_find(r->book, id)); /* its last process still runs */
	rig_visit_end(r, 3);
	rig_wait(r, 5 * NS_PER_SEC);
	assert_null(book_find(r->book, id));
	struct rows rows = rows_of(r);
	assert_int_equal(rows.n, 1);
	assert_string_equal(rows.all[0].heard, "monitor wire");
	assert_true(rows.all[0].flow_id == 42 && rows.all[0].alerts == 1);
	assert_int_equal(lines_with(r, cast_of_row(&rows.all[0]), "\"m\",\"ALERT x\""), 1);
	assert_int_equal(lines_with(r, "cowrie.json", "cowrie.client.version"), 1);
	assert_true(session_begin(r->book, &o) != id);
	/* An id that is no session's does nothing. */
	session_output(r->book, 999, "x", 1, r->now);
	session_end(r->book, id, "closed", r->now);
}

/* A banner is a scan; guesses on a telnet line are guesses; question and answer are a talk. */
static void test_wire_kept(void **state)
{
	struct rig *r = *state;
	struct session_open o = telnet(r);
	for (int i = 0; i < 3; i++) {
		o.client_port++;
		uint64_t id = session_begin(r->book, &o);
		session_output(r->book, id, "220 hello\r\n", 11, r->now);
		if (i > 0)
			session_input(r->book, id, "HELP\r\n", 6, r->now);
		if (i == 1)
			session_login(r->book, id, "a", 1, "b", 1, 0, r->now);
		session_end(r->book, id, "closed", r->now);
	}
	rig_wait(r, NS_PER_SEC);
	struct rows rows = rows_of(r);
	assert_int_equal(rows.n, 3);
	assert_int_equal(lines_with(r, "list.jsonl", "telnet"), 2);
	assert_int_equal(lines_with(r, cast_of_row(&rows.all[2]), "220 hello"), 1);
	assert_true(!rows.all[0].has_cast && !rows.all[1].has_cast && rows.all[2].has_cast);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_shell_parse),
		cmocka_unit_test_setup_teardown(test_visit, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_find, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_service, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_exec, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_pid_again, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_hostile, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_shell_early, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_shell_alone, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_sshd, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_no_visit, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_wire, look_set_up, look_tear_down),
		cmocka_unit_test_setup_teardown(test_wire_kept, look_set_up, look_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
