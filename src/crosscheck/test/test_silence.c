/* SPDX-License-Identifier: BSD-2-Clause */
/* Layers that go silent: each trick has its finding, and what happens every day has none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "crosscheck/test/world.h"

static void test_idle(void **state)
{
	struct world *w = *state;

	world_run(w, 600);
	world_quiet(w);
	crosscheck_guest(w->c, 0, false, w->now_ns); /* what is switched off is not missed */
	w->beats = false;
	world_run(w, 600);
	world_quiet(w);
}

static void test_missing(void **state)
{
	struct world *w = *state;

	w->beats = false;
	world_run(w, 3.5);
	world_quiet(w);
	world_run(w, 4);
	assert_int_equal(world_one(w, EVENT_SILENCE, "monitor", "missing").priority, 2);
	world_run(w, 300); /* once */
	world_quiet(w);
	w->beats = true;
	world_run(w, 2.5);
	world_one(w, EVENT_SILENCE, "monitor", "back");
}

static void test_never_began(void **state)
{
	struct world *w = *state;

	w->beats = false;
	crosscheck_guest(w->c, 0, false, w->now_ns);
	crosscheck_guest(w->c, 0, true, w->now_ns);
	world_run(w, 119);
	world_quiet(w);
	world_run(w, 2);
	world_one(w, EVENT_SILENCE, "monitor", "missing");
}

/* We did not run ourselves for a while: nobody is silent for that. */
static void test_asleep(void **state)
{
	struct world *w = *state;

	w->now_ns += 60 * NS_PER_SEC;
	crosscheck_tick(w->c, w->now_ns);
	world_run(w, 60);
	world_quiet(w);
	w->now_ns -= 3600 * NS_PER_SEC; /* our own clock was set back */
	w->booted_ns -= 3600 * NS_PER_SEC;
	w->set_ns += 3600 * NS_PER_SEC;
	w->beat_ns = w->now_ns;
	crosscheck_tick(w->c, w->now_ns);
	world_run(w, 60);
	world_quiet(w);
}

static void test_restarted(void **state)
{
	struct world *w = *state;

	world_hello(w, false, 1);
	world_one(w, EVENT_SILENCE, "monitor", "restarted");
	world_hello(w, true, 1); /* a lie: that boot was heard of */
	world_one(w, EVENT_SILENCE, "monitor", "restarted");
	world_run(w, 1000);
	world_hello(w, true, 2); /* a lie: it was up for long */
	world_one(w, EVENT_SILENCE, "monitor", "restarted");
	w->booted_ns = w->now_ns;
	world_run(w, 20);
	w->n = 0; /* the clock of a guest that starts anew without a hello is told */
	world_exit(w, 300, "rsyslogd", 9);
	world_quiet(w);
	world_hello(w, true, 3); /* it did start anew, or lies: what waited is told, and that */
	assert_int_equal(world_found(w, "syslog", "stopped"), 1);
	assert_int_equal(world_found(w, "monitor", "restarted"), 1);
	w->n = 0;
	world_run(w, 60);
	world_quiet(w);
}

static void test_stream(void **state)
{
	struct world *w = *state;

	crosscheck_stream(w->c, 0, w->stream, w->now_ns);
	world_quiet(w);
	w->stream->junk_bytes = 10;
	w->stream->gaps = 2;
	crosscheck_stream(w->c, 0, w->stream, w->now_ns);
	assert_int_equal(world_one(w, EVENT_SILENCE, "monitor", "gap").u.silence.count, 12);
	crosscheck_stream(w->c, 0, w->stream, w->now_ns); /* nothing new */
	memset(w->stream, 0, sizeof(*w->stream));         /* began anew */
	crosscheck_stream(w->c, 0, w->stream, w->now_ns);
	world_quiet(w);
	w->stream->malformed = 1;
	crosscheck_stream(w->c, 0, w->stream, w->now_ns);
	world_one(w, EVENT_SILENCE, "monitor", "gap");
}

/* Damage again and again: few events, and every bit of it is counted in them. */
static void test_budget(void **state)
{
	struct world *w = *state;
	uint64_t sum = 0;

	for (unsigned i = 0; i < 10000; i++) {
		w->stream->junk_bytes += 3;
		crosscheck_stream(w->c, 0, w->stream, w->now_ns);
		if (i % 10 == 0)
			world_run(w, 0.25);
	}
	assert_true(w->n > 6 && w->n < 20);
	world_run(w, 60);
	for (uint32_t i = 0; i < w->n; i++)
		sum += w->found[i].u.silence.count;
	assert_int_equal(sum, 30000);
	w->n = 0;
	world_run(w, 60);
	world_quiet(w);
}

static void test_lost(void **state)
{
	struct world *w = *state;
	struct sensor_record r = {.type = SENSOR_LOST};

	world_say(w, &r); /* nothing was */
	world_quiet(w);
	r.u.lost.by_type[SENSOR_EXEC] = 40;
	r.u.lost.by_type[SENSOR_EXIT] = 2;
	world_say(w, &r);
	assert_int_equal(world_one(w, EVENT_SILENCE, "monitor", "gap").u.silence.count, 42);
	memset(&r.u.lost, 0xff,
	       sizeof(r.u.lost)); /* impossible numbers add up to nothing impossible */
	world_say(w, &r);
	world_one(w, EVENT_SILENCE, "monitor", "gap");
}

static void test_unhooked(void **state)
{
	struct world *w = *state;
	struct event e;

	world_state(w, SENSOR_UNHOOKED, 1 << HOOK_EXEC | 1 << HOOK_TTY, "");
	e = world_one(w, EVENT_SILENCE, "monitor", "unhooked");
	assert_string_equal(e.u.silence.detail, "exec tty");
	w->hooks &= ~(1ull << HOOK_EXEC | 1ull << HOOK_TTY);
	world_run(w, 20); /* told already */
	world_quiet(w);
	w->hooks &= ~(1ull << HOOK_FILE); /* by the beat alone */
	world_run(w, 3);
	e = world_one(w, EVENT_SILENCE, "monitor", "unhooked");
	assert_string_equal(e.u.silence.detail, "file");
}

static void test_signals(void **state)
{
	static const struct {
		const char *to, *layer, *what;
		uint32_t sig;
	} tricks[] = {
		{"monitor", "monitor", "killed", SIGKILL},
		{"monitor", "monitor", "stopped", SIGSTOP},
		{"rsyslogd", "syslog", "stopped", SIGSTOP},
		{"rsyslogd", "syslog", "killed", SIGTERM},
		{"sshd", "wire", "killed", SIGKILL},
	};
	struct world *w = *state;

	world_visit(w, 1);
	for (unsigned i = 0; i < ARRAY_LEN(tricks); i++) {
		struct event e;

		world_signal(w, 900, tricks[i].to, tricks[i].sig);
		e = world_one(w, EVENT_SILENCE, tricks[i].layer, tricks[i].what);
		assert_int_equal(e.u.silence.visit.session, 7);
		assert_int_equal(e.u.silence.visit.peer.ver, 4);
		assert_int_equal(e.u.silence.visit.peer_port, VISITOR_PORT + 1);
	}
	world_run(w, 31);
	world_signal(w, 900, "rsyslogd", SIGHUP); /* logs were rotated */
	world_signal(w, 900, "sleep", SIGKILL);
	world_signal(w, 900, "monitor", SIGCONT);
	world_run(w, 10);
	world_quiet(w);
}

static void test_syslog_stops(void **state)
{
	struct world *w = *state;

	world_exec(w, 0, 300, 1, "/usr/sbin/rsyslogd", "/usr/sbin/rsyslogd -n");
	world_run(w, 20);
	world_exit(w, 300, "rsyslogd", 0);
	world_run(w, 3);
	world_quiet(w);
	world_run(w, 3);
	world_one(w, EVENT_SILENCE, "syslog", "stopped");
	world_exec(w, 0, 301, 1, "/usr/sbin/rsyslogd", "/usr/sbin/rsyslogd -n");
	world_one(w, EVENT_SILENCE, "syslog", "back");
	world_run(w, 20);
	world_exit(w, 301, "rsyslogd", 0); /* an upgrade: it is there again at once */
	world_run(w, 2);
	world_exec(w, 0, 302, 1, "/usr/sbin/rsyslogd", "/usr/sbin/rsyslogd -n");
	world_run(w, 20);
	world_exit(w, 299, "rsyslogd", 0); /* somebody else's */
	world_run(w, 20);
	world_quiet(w);
}

static void test_daemon_leaves_it_to_its_child(void **state)
{
	struct world *w = *state;

	world_exec(w, 0, 300, 1, "/usr/sbin/rsyslogd", "rsyslogd");
	world_run(w, 1);
	world_exit(w, 300, "rsyslogd", 0);
	world_run(w, 20);
	world_quiet(w);
}

/* ... which is not how one ends that was told to. */
static void test_daemon_is_told_to_end(void **state)
{
	struct world *w = *state;

	world_exec(w, 0, 300, 1, "/usr/sbin/rsyslogd", "rsyslogd -n");
	world_run(w, 1);
	world_signal(w, 1, "rsyslogd", SIGTERM);
	world_exit(w, 300, "rsyslogd", 0);
	world_run(w, 6);
	assert_int_equal(world_found(w, "syslog", "stopped"), 1);
	assert_int_equal(world_found(w, "syslog", "killed"), 1);
}

static void test_shutdown(void **state)
{
	struct world *w = *state;

	world_exec(w, 0, 300, 1, "/usr/sbin/rsyslogd", "/usr/sbin/rsyslogd -n");
	world_run(w, 20);
	world_exec(w, 1, 900, 800, "/usr/bin/systemctl", "reboot");
	world_signal(w, 1, "rsyslogd", SIGTERM);
	world_exit(w, 300, "rsyslogd", 0);
	world_state(w, SENSOR_LINK_DOWN, 0, "eth0");
	world_signal(w, 1, "monitor", SIGTERM);
	w->beats = false;
	world_run(w, 30);
	world_quiet(w);
	w->booted_ns = w->now_ns;
	world_run(w, 8);
	world_hello(w, true, 2);
	w->beats = true;
	world_run(w, 100);
	world_quiet(w);
}

/* Who says that he shuts down and doesn't is told after a minute. */
static void test_false_shutdown(void **state)
{
	struct world *w = *state;

	world_exec(w, 0, 300, 1, "/usr/sbin/rsyslogd", "/usr/sbin/rsyslogd -n");
	world_run(w, 20);
	world_exec(w, 1, 900, 800, "/tmp/reboot", "reboot"); /* his own program is none */
	world_exit(w, 300, "rsyslogd", 0);
	world_run(w, 6);
	world_one(w, EVENT_SILENCE, "syslog", "stopped");
	world_exec(w, 1, 900, 800, "/usr/bin/systemctl", "poweroff");
	w->beats = false;
	world_run(w, 61);
	world_one(w, EVENT_SILENCE, "monitor", "missing");
}

static void test_states(void **state)
{
	struct world *w = *state;

	world_state(w, SENSOR_LINK_DOWN, 0, "lo");
	world_state(w, SENSOR_LINK_DOWN, 0, "eth0");
	world_run(w, 1);
	world_state(w, SENSOR_LINK_UP, 0, "eth0"); /* a moment */
	world_run(w, 20);
	world_quiet(w);
	world_state(w, SENSOR_LINK_DOWN, 0, "eth0");
	world_run(w, 4);
	world_one(w, EVENT_SILENCE, "syslog", "network");
	world_state(w, SENSOR_LINK_UP, 0, "eth0");
	world_one(w, EVENT_SILENCE, "syslog", "back");
	world_state(w, SENSOR_DISK_FREE, 0, "");
	world_quiet(w);
	world_state(w, SENSOR_DISK_FULL, 0, "");
	world_state(w, SENSOR_DISK_FULL, 0, "");
	world_one(w, EVENT_SILENCE, "syslog", "disk");
	world_state(w, SENSOR_DISK_FREE, 0, "");
	world_one(w, EVENT_SILENCE, "syslog", "back");
	world_state(w, SENSOR_WATCHED, 0, "/usr/bin/bash");
	world_one(w, EVENT_SILENCE, "shell", "replaced");
	world_state(w, SENSOR_WATCHED, 0, "/etc/rsyslog.d/50-default.conf");
	world_one(w, EVENT_SILENCE, "syslog", "replaced");
	world_state(w, SENSOR_WATCHED, 0, "/usr/sbin/monitor\033[2J");
	assert_null(strchr(world_one(w, EVENT_SILENCE, "monitor", "replaced").text, '\033'));
}

static void test_clock(void **state)
{
	struct world *w = *state;

	w->set_ns = 3 * NS_PER_SEC; /* a small step, as time servers make them */
	world_state(w, SENSOR_CLOCK, 3 * NS_PER_SEC, "");
	world_run(w, 30);
	world_quiet(w);
	w->set_ns = -3600 * NS_PER_SEC;
	world_run(w, 3);
	world_one(w, EVENT_SILENCE, "monitor", "clock");
	w->set_ns -= 3600 * NS_PER_SEC; /* told at once: not once more by the beat */
	world_state(w, SENSOR_CLOCK, -3600 * NS_PER_SEC, "");
	world_run(w, 60);
	world_one(w, EVENT_SILENCE, "monitor", "clock");
	for (unsigned i = 0; i < 4; i++) { /* little by little */
		w->set_ns += 2 * NS_PER_SEC;
		world_run(w, 4);
	}
	world_one(w, EVENT_SILENCE, "monitor", "clock");
}

/* The guest's time stands still, or goes slowly, with everything that is measured by it. */
static void test_clock_slow(void **state)
{
	struct world *w = *state;

	world_run(w, 60);
	for (unsigned i = 0; i < 240; i++) {
		world_run(w, 0.25);
		w->booted_ns += 30 * NS_PER_MS;
		w->set_ns -= 30 * NS_PER_MS;
	}
	world_run(w, 20);
	assert_true(world_found(w, "monitor", "clock") >= 1);
	assert_int_equal(w->n, world_found(w, "monitor", "clock"));
}

/* Beats that come late, several at once, as from a machine with too much to do. */
static void test_clock_late(void **state)
{
	struct world *w = *state;

	w->beats = false;
	for (unsigned i = 0; i < 60; i++) {
		for (int late_s = 11; late_s >= 0; late_s--) {
			struct sensor_record r = {.type = SENSOR_BEAT};

			r.boot_ns = (uint64_t)(w->now_ns - w->booted_ns - late_s * NS_PER_SEC / 2);
			r.u.beat.wall_ns = w->now_ns - late_s * NS_PER_SEC / 2;
			r.u.beat.hooks = w->hooks;
			world_say(w, &r);
		}
		world_run(w, 5.5);
	}
	world_quiet(w);
}

static void test_history(void **state)
{
	struct world *w = *state;

	world_visit(w, 1);
	world_exec(w, 1, 900, 800, "/usr/bin/bash", "-bash");
	world_line(w, 900, 800, "unset HISTFILE");
	assert_int_equal(world_one(w, EVENT_SILENCE, "shell", "history").u.silence.visit.peer_port,
			 VISITOR_PORT + 1);
	world_run(w, 5);
	world_line(w, 900, 800, "ln -sf /dev/null ~/.bash_history");
	world_exec(w, 1, 901, 900, "/usr/bin/ln",
		   "ln -sf /dev/null /srv/.bash_history"); /* as below */
	world_one(w, EVENT_SILENCE, "shell", "history");
	world_line(w, 900, 800, "cat ~/.bash_history");
	world_run(w, 20);
	world_quiet(w);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(test_idle),
		T(test_missing),
		T(test_never_began),
		T(test_asleep),
		T(test_restarted),
		T(test_stream),
		T(test_budget),
		T(test_lost),
		T(test_unhooked),
		T(test_signals),
		T(test_syslog_stops),
		T(test_daemon_leaves_it_to_its_child),
		T(test_daemon_is_told_to_end),
		T(test_shutdown),
		T(test_false_shutdown),
		T(test_states),
		T(test_clock),
		T(test_clock_slow),
		T(test_clock_late),
		T(test_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
