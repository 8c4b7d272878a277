/* SPDX-License-Identifier: BSD-2-Clause */
/* What one layer saw and another didn't; and how it looks when nothing is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "crosscheck/crosscheck_priv.h"
#include "crosscheck/test/world.h"

#define SSHD 800u
#define BASH 900u

static void come_in(struct world *w, uint64_t visit)
{
	world_visit(w, visit);
	world_exec(w, visit, BASH, SSHD, "/usr/bin/bash", "-bash");
	world_exec(w, visit, BASH + 1, BASH, "/usr/bin/id", "id -u"); /* its start-up files */
	world_data(w, visit, BASH, SENSOR_OUT, "# ");
	world_run(w, 6);
}

static void test_all_is_well(void **state)
{
	struct world *w = *state;

	come_in(w, 1);
	world_data(w, 1, SSHD, SENSOR_IN, "ls\r");
	world_line(w, BASH, SSHD, "ls");
	world_exec(w, 1, 910, BASH, "/usr/bin/ls", "ls");
	world_line(w, 911, BASH, "(cd /; pwd)"); /* a subshell runs nothing else */
	world_exec(w, 1, 912, SSHD, "/usr/bin/bash", "bash -c id");
	world_line(w, 912, SSHD, "id");
	world_exec(w, 1, 912, SSHD, "/usr/bin/id", "id");
	world_exec(w, 1, 913, BASH, "/usr/bin/dash", "sh -c #^nothing");
	world_exec(w, 1, 914, BASH, "/usr/bin/bash",
		   "bash /tmp/script one"); /* its lines are its own */
	world_exec(w, 1, 915, 914, "/usr/bin/id", "id");
	world_exec(w, 0, 920, 1, "/usr/bin/dash", "/bin/sh -c run-parts"); /* the system's */
	world_exec(w, 1, 921, BASH, "/usr/bin/python3.11", "python3 x.py");
	world_exec(w, 1, 922, 921, "/usr/bin/uname", "uname");
	world_exec(w, 1, 923, 921, "/usr/bin/uname", "uname");
	world_exec(w, 1, 924, BASH, "/usr/bin/bash", "bash --version");
	world_data(w, 1, 921, SENSOR_OUT, "Linux\r\n");
	world_data(w, 1, SSHD, SENSOR_IN, "a line for cat\r");
	world_run(w, 60);
	world_quiet(w);
}

/* The line is there before the monitor's record of its shell, or some seconds after. */
static void test_orders(void **state)
{
	struct world *w = *state;

	world_visit(w, 1);
	world_line(w, 950, SSHD, "id");
	world_run(w, 4);
	world_exec(w, 1, 950, SSHD, "/usr/bin/bash", "bash -c id");
	world_run(w, 10);
	world_exec(w, 1, 951, SSHD, "/usr/bin/bash", "bash -c id");
	world_run(w, 4);
	world_line(w, 951, SSHD, "id");
	world_run(w, 10);
	world_quiet(w);
}

static void test_monitor_missed(void **state)
{
	struct world *w = *state;
	struct event e;

	world_line(w, 4000, 3999, "cat /etc/shadow\033[2J");
	world_run(w, 4);
	world_quiet(w);
	world_run(w, 2);
	e = world_one(w, EVENT_MISMATCH, "monitor", "missing");
	assert_string_equal(e.u.silence.other, "shell");
	assert_non_null(strstr(e.u.silence.detail, "cat /etc/shadow"));
	assert_null(strchr(e.text, '\033'));
}

/* What cron does each minute the monitor tells only a few times. */
static void test_habits(void **state)
{
	struct world *w = *state;

	world_line(w, 4000, 3999, "run-parts /etc/cron.hourly");
	world_run(w, 1);
	world_exec(w, 0, 4000, 3999, "/usr/bin/dash", "/bin/sh -c run-parts^/etc/cron.hourly");
	world_run(w, 60);
	world_line(w, 4100, 3998, "run-parts /etc/cron.hourly");
	world_run(w, 60);
	world_quiet(w);
	come_in(w, 1); /* a visitor's line makes no habit */
	world_line(w, BASH, SSHD, "id");
	world_run(w, 10);
	world_line(w, 4200, 4199, "id");
	world_run(w, 10);
	world_one(w, EVENT_MISMATCH, "monitor", "missing");
}

/* While it is known that the monitor tells nothing, or not all, that alone is said. */
static void test_monitor_is_known_to_miss(void **state)
{
	struct world *w = *state;
	struct sensor_record r = {.type = SENSOR_LOST};

	r.u.lost.by_type[SENSOR_EXEC] = 1;
	world_say(w, &r);
	world_one(w, EVENT_SILENCE, "monitor", "gap");
	world_line(w, 4000, 3999, "id");
	world_run(w, 7);
	world_quiet(w);
	w->beats = false;
	world_run(w, 7);
	world_one(w, EVENT_SILENCE, "monitor", "missing");
	world_line(w, 4001, 3999, "id");
	world_run(w, 7);
	world_quiet(w);
}

/* A guest that is short of time: its shell has not come to its command yet. */
static void test_slow_shell(void **state)
{
	struct world *w = *state;

	come_in(w, 1);
	world_exec(w, 1, 950, SSHD, "/usr/bin/bash", "bash -c id");
	world_run(w, 20);
	world_line(w, 950, SSHD, "id");
	world_exec(w, 1, 950, SSHD, "/usr/bin/id", "id");
	world_run(w, 20);
	world_exec(w, 1, 951, SSHD, "/usr/bin/bash", "bash -c id");
	world_run(w, 20);
	world_exit(w, 951, "bash", 0); /* it did, and told nothing */
	world_run(w, 4);
	world_quiet(w);
	world_run(w, 2);
	world_one(w, EVENT_MISMATCH, "shell", "missing");
}

static void test_shell_missed(void **state)
{
	struct world *w = *state;
	struct event e;

	come_in(w, 1);
	world_exec(w, 1, 950, SSHD, "/usr/bin/bash", "bash -c wget^-q^http://x/");
	world_exec(w, 1, 950, SSHD, "/usr/bin/wget", "wget -q http://x/");
	world_run(w, 6);
	e = world_one(w, EVENT_MISMATCH, "shell", "missing");
	assert_string_equal(e.u.silence.other, "monitor");
	assert_non_null(strstr(e.u.silence.detail, "bash -c wget -q"));
	assert_int_equal(e.u.silence.visit.session, 7);
	assert_int_equal(e.u.silence.visit.peer_port, VISITOR_PORT + 1);
	world_data(w, 1, SSHD, SENSOR_IN,
		   "id\r"); /* the one at the terminal tells nothing either */
	world_exec(w, 1, 951, BASH, "/usr/bin/id", "id");
	world_run(w, 6);
	world_one(w, EVENT_MISMATCH, "shell", "missing");
	world_exec(w, 1, 952, BASH, "/usr/bin/id", "id"); /* told */
	world_run(w, 20);
	world_quiet(w);
}

/* Without a network no line can come, which is told as such. */
static void test_no_network(void **state)
{
	struct world *w = *state;

	come_in(w, 1);
	world_run(w, 30);
	world_state(w, SENSOR_LINK_DOWN, 0, "eth0");
	world_run(w, 4);
	world_one(w, EVENT_SILENCE, "syslog", "network");
	world_exec(w, 1, 950, SSHD, "/usr/bin/dash", "sh -c id");
	world_exit(w, 950, "sh", 0);
	world_run(w, 7);
	world_quiet(w);
	world_state(w, SENSOR_LINK_UP, 0, "eth0");
	world_one(w, EVENT_SILENCE, "syslog", "back");
	world_exec(w, 1, 951, SSHD, "/usr/bin/dash", "sh -c id");
	world_exit(w, 951, "sh", 0);
	world_run(w, 20);
	world_quiet(w);
	world_exec(w, 1, 952, SSHD, "/usr/bin/dash", "sh -c id");
	world_exit(w, 952, "sh", 0);
	world_run(w, 6);
	world_one(w, EVENT_MISMATCH, "shell", "missing");
}

static void test_foreign_shells(void **state)
{
	static const struct {
		const char *path, *argv;
	} shells[] = {
		{"/tmp/busybox", "busybox sh"},
		{"/usr/bin/busybox", "busybox ash -c id"},
		{"/tmp/x", "sh"},
		{"/dev/shm/dash", "kworker/0:1"},
		{"/usr/bin/zsh", "zsh -c id"},
	};
	struct world *w = *state;

	for (unsigned i = 0; i < ARRAY_LEN(shells); i++) {
		come_in(w, 1 + i);
		world_exec(w, 1 + i, 970 + i, BASH, shells[i].path, shells[i].argv);
		world_data(w, 1 + i, 970 + i, SENSOR_OUT, "uid=0\n");
		world_run(w, 6);
		world_one(w, EVENT_MISMATCH, "shell", "missing");
		world_exec(w, 1 + i, 980 + i, BASH, "/tmp/busybox",
			   "busybox sh"); /* once per visit */
		world_run(w, 40);
		if (i != 4)
			world_quiet(w);
		w->n = 0;
	}
}

static void test_brought_program(void **state)
{
	struct world *w = *state;

	come_in(w, 1);
	world_exec(w, 1, 960, BASH, "/tmp/.x/agent", "[kworker]");
	world_run(w, 10);
	world_exec(w, 1, 961, 960, "/usr/bin/uname", "uname -a");
	world_run(w, 10);
	world_quiet(w); /* one program is not much of a shell */
	world_exec(w, 1, 962, 960, "/usr/bin/id", "id");
	world_run(w, 6);
	world_one(w, EVENT_MISMATCH, "shell", "missing");
	world_exec(w, 1, 963, BASH, "/tmp/build/helper",
		   "helper"); /* runs shells of ours, that tell */
	world_exec(w, 1, 964, 963, "/usr/bin/dash", "sh -c id");
	world_line(w, 964, 963, "id");
	world_run(w, 10);
	world_quiet(w);
}

static void test_flood(void **state)
{
	struct world *w = *state;

	come_in(w, 1);
	for (uint32_t i = 0; i < 10000; i++) {
		world_exec(w, 1, 2000 + i, BASH, "/usr/bin/bash", "bash -c id");
		world_line(w, 60000 + i, 2, "made up");
		if (i % 100 == 0)
			world_run(w, 0.25);
	}
	world_run(w, 60);
	assert_true(w->n >= 2 && w->n < 40);
}

/* A million processes in as many visits: tables of fixed size, and still few events. */
static void test_million(void **state)
{
	struct world *w = *state;

	for (uint32_t i = 1; i <= 500000; i++) {
		world_visit(w, i);
		world_exec(w, i, i % 4000000, i / 2, i % 3 ? "/tmp/x" : "/usr/bin/bash",
			   "bash -c id");
		if (i % 2000 == 0)
			world_run(w, 0.25);
	}
	world_run(w, 60);
	assert_true(w->n < 20);
	w->n = 0;
	come_in(w, 3); /* and what is found afterwards is found */
	world_exec(w, 3, 950, SSHD, "/usr/bin/bash", "bash -c id");
	world_exit(w, 950, "bash", 0);
	world_run(w, 40);
	assert_int_equal(world_found(w, "shell", "missing"), 1);
}

static void test_wire(void **state)
{
	struct world *w = *state;
	struct event e;

	world_wire(w, 1, 4000); /* a guess at a password */
	world_run(w, 20);
	world_quiet(w);
	world_wire(w, 1, 5000);
	world_run(w, 4);
	world_quiet(w);
	world_run(w, 2);
	e = world_one(w, EVENT_MISMATCH, "monitor", "missing");
	assert_string_equal(e.u.silence.other, "wire");
	assert_int_equal(e.flow_id, 1);
	assert_int_equal(e.u.silence.visit.peer.b[3], 1);
	assert_int_equal(e.u.silence.visit.peer_port, VISITOR_PORT + 1);
	world_wire(w, 1, 500000);
	world_run(w, 20);
	world_quiet(w);         /* once */
	world_wire(w, 2, 5000); /* IPv6 */
	world_run(w, 6);
	e = world_one(w, EVENT_MISMATCH, "monitor", "missing");
	assert_int_equal(e.u.silence.visit.peer.ver, 6);
}

static void test_wire_agrees(void **state)
{
	struct world *w = *state;

	for (uint64_t v = 1; v <= 2; v++) {
		world_wire(w, v, 5000); /* the wire is faster */
		world_run(w, 1);
		come_in(w, v);
		world_wire(w, v, 50000);
		world_run(w, 20);
		world_wire(w, v, 5000000);
		world_run(w, 20);
	}
	world_visit(w, 3); /* guesses many passwords, and is never let in */
	world_wire(w, 3, 12000);
	world_run(w, 20);
	world_quiet(w);
}

static void test_wire_sees_more(void **state)
{
	struct world *w = *state;
	struct sensor_record r = {.type = SENSOR_LOGIN};

	world_visit(w, 3);
	r.u.login.p.visit = 3;
	r.u.login.ok = 1;
	world_say(w, &r);
	world_wire(w, 3, 6000);
	world_run(w, 6);
	assert_int_equal(world_one(w, EVENT_MISMATCH, "monitor", "missing").u.silence.visit.session,
			 7);
}

static void login(struct world *w)
{
	struct sensor_record r = {.type = SENSOR_LOGIN};

	r.u.login.ok = 1;
	world_say(w, &r);
}

static void test_login_lines(void **state)
{
	struct world *w = *state;

	login(w); /* an image whose sshd logs nothing */
	world_run(w, 20);
	world_quiet(w);
	login(w);
	world_run(w, 1);
	crosscheck_syslog(w->c, 0, "sshd", w->now_ns);
	world_run(w, 20);
	crosscheck_syslog(w->c, 0, "sshd", w->now_ns);
	login(w);
	world_run(w, 20);
	world_quiet(w);
	login(w);
	crosscheck_syslog(w->c, 0, "cron", w->now_ns);
	world_run(w, 6);
	assert_string_equal(world_one(w, EVENT_MISMATCH, "syslog", "missing").u.silence.other,
			    "monitor");
}

static void test_history_words(void **state)
{
	static const char *const yes[] = {
		"unset HISTFILE",
		"export HISTFILE=/dev/null",
		"HISTFILE= bash",
		"HISTSIZE=0",
		"history -c",
		"id; history -cw",
		"ln -sf /dev/null ~/.bash_history",
		"rm -f /srv/.bash_history",
		"true && set +o history",
		"> ~/.bash_history",
		"echo>.bash_history",
		"cat /dev/null >| .bash_history",
		"sudo rm .bash_history",
		"export HISTSIZE=0 HISTFILESIZE=0",
		"unset  'HISTFILE'",
		"if true; then unset HISTFILE; fi",
		"(history -c)",
		"shred -u .sh_history",
		"history -d 5",
		"env HISTFILE=/dev/null bash",
	};
	static const char *const no[] = {
		"",
		"history",
		"history 20",
		"cat .bash_history",
		"echo unset HISTFILE",
		"echo 'x; history -c'",
		"echo $HISTFILE",
		"HISTSIZE=5000",
		"grep history -c file",
		"# history -c",
		"set -o history",
		"ln -s /dev/null x",
		"rm history",
		"export HISTFILE=~/.h",
		"man history",
		"git log > git_history",
		"unset FOO",
		"cp .bash_history /tmp",
	};
	static const char argv[] = "rm\0-f\0/srv/.bash_history",
			  other[] = "rm\0-f\0/root/x; history -c";

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(yes); i++) {
		if (!history_line(yes[i], strlen(yes[i])))
			fail_msg("not found: %s", yes[i]);
	}
	for (unsigned i = 0; i < ARRAY_LEN(no); i++) {
		if (history_line(no[i], strlen(no[i])))
			fail_msg("found: %s", no[i]);
	}
	assert_true(history_argv(argv, sizeof(argv)));
	assert_false(history_argv(other, sizeof(other)));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(test_all_is_well),
		T(test_orders),
		T(test_monitor_missed),
		T(test_monitor_is_known_to_miss),
		T(test_slow_shell),
		T(test_habits),
		T(test_no_network),
		T(test_shell_missed),
		T(test_foreign_shells),
		T(test_brought_program),
		T(test_flood),
		T(test_million),
		T(test_wire),
		T(test_wire_agrees),
		T(test_wire_sees_more),
		T(test_login_lines),
		cmocka_unit_test(test_history_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
