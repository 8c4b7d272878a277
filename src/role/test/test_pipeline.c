/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hub and ledger as they really run, each a process of its own with its filter, fed over the real
 * channels; this test plays super, wall, keeper and alerter, and reads the store as `skep events` does.
 */
#include "role/role.h"
#include "store/store.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LEDGER_UID 61234
#define FLOOD 10000u /* more than hub holds for one consumer */

enum { WALL, KEEPER, SUPER, ALERTER, SOURCES };

struct rig {
	char dir[32];
	int hub_super[2], ledger_super[2], hub_ledger[2], hub_alerter[2], sources[SOURCES][2];
	pid_t hub, ledger;
};

static pid_t start_role(int super_fd, int (*run)(void), uid_t uid)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	int fd = dup(super_fd);
	/* Only descriptor 3, as super would have it. */
	dup2(fd, ROLE_SUPER_FD);
	for (int i = ROLE_SUPER_FD + 1; i < 64; i++)
		close(i);
	if (uid != 0 && geteuid() == 0 && (setgid(uid) != 0 || setuid(uid) != 0))
		_exit(99);
	exit(run());
}

static void expect(int fd, enum role from, uint16_t type)
{
	char buf[64];
	struct ipc_msg m;
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&pfd, 1, 20000), 1);
	assert_int_equal(ipc_recv(fd, &role_messages, ROLE_BIT(from), ROLE_BIT(ROLE_SUPER), buf,
				  sizeof(buf), &m),
			 0);
	assert_int_equal(m.type, type);
}

static void start_ledger(struct rig *r)
{
	struct start_ledger start = {0};
	CLEANUP(fd_close) int dirfd = open(r->dir, O_RDONLY | O_DIRECTORY);
	assert_true(dirfd >= 0);
	start.conf.keep_days = 30;
	start.conf.disk_bytes = 1u << 30;
	text_copy(start.sensor, sizeof(start.sensor), "test");
	const int fds[] = {r->hub_ledger[1], dirfd};
	r->ledger = start_role(r->ledger_super[1], role_ledger, LEDGER_UID);
	assert_int_equal(
		ipc_send(r->ledger_super[0], MSG_START_LEDGER, &start, sizeof(start), fds, 2), 0);
	expect(r->ledger_super[0], ROLE_LEDGER, MSG_READY);
}

static void start_hub(struct rig *r)
{
	struct start_hub start = {0};
	start.conf.incident_quiet_ns = 600 * NS_PER_SEC;
	start.n_sources = SOURCES;
	start.sources[WALL].role = ROLE_WALL;
	text_copy(start.sources[WALL].name, EVENT_NAME, "wall");
	start.sources[KEEPER].role = ROLE_KEEPER;
	text_copy(start.sources[KEEPER].name, EVENT_NAME, "web1");
	start.sources[SUPER].role = ROLE_SUPER;
	text_copy(start.sources[SUPER].name, EVENT_NAME, "super");
	start.sources[ALERTER].role = ROLE_ALERTER;
	text_copy(start.sources[ALERTER].name, EVENT_NAME, "alerter");
	start.with_alerter = 1;
	int fds[2 + SOURCES] = {r->hub_ledger[0], r->hub_alerter[0]};
	for (int i = 0; i < SOURCES; i++)
		fds[i + 2] = r->sources[i][0];
	r->hub = start_role(r->hub_super[1], role_hub, LEDGER_UID + 1);
	assert_int_equal(
		ipc_send(r->hub_super[0], MSG_START_HUB, &start, sizeof(start), fds, 2 + SOURCES),
		0);
	expect(r->hub_super[0], ROLE_HUB, MSG_READY);
}

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	text_copy(r->dir, sizeof(r->dir), "/tmp/skep-test-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	if (geteuid() == 0)
		assert_int_equal(chown(r->dir, LEDGER_UID, LEDGER_UID), 0);
	assert_int_equal(ipc_pair(1 << 20, r->hub_super), 0);
	assert_int_equal(ipc_pair(1 << 20, r->ledger_super), 0);
	assert_int_equal(ipc_pair(1 << 20, r->hub_ledger), 0);
	assert_int_equal(ipc_pair(1 << 20, r->hub_alerter), 0);
	for (int i = 0; i < SOURCES; i++)
		assert_int_equal(ipc_pair(4 << 20, r->sources[i]), 0);
	*state = r;
	return 0;
}

static void kill_role(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	*pid = 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;
	char command[64];
	kill_role(&r->hub);
	kill_role(&r->ledger);
	snprintf(command, sizeof(command), "rm -rf %s", r->dir);
	assert_int_equal(system(command), 0);
	for (int i = 0; i < SOURCES; i++) {
		fd_close(&r->sources[i][0]);
		fd_close(&r->sources[i][1]);
	}
	for (int i = 0; i < 2; i++) {
		fd_close(&r->hub_super[i]);
		fd_close(&r->ledger_super[i]);
		fd_close(&r->hub_ledger[i]);
		fd_close(&r->hub_alerter[i]);
	}
	free(r);
	return 0;
}

static void stop(int super_fd, pid_t *pid, enum role role)
{
	int status = -1;
	assert_int_equal(ipc_send(super_fd, MSG_STOP, NULL, 0, NULL, 0), 0);
	expect(super_fd, role, MSG_DONE);
	assert_int_equal(waitpid(*pid, &status, 0), *pid);
	*pid = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void send_event(struct rig *r, int source, const struct event *e)
{
	assert_int_equal(ipc_send(r->sources[source][1], MSG_EVENT, e, sizeof(*e), NULL, 0), 0);
}

static struct event connection(uint64_t flow_id, enum event_direction d, enum verdict v)
{
	struct event e = event_new(EVENT_CONNECTION);
	struct event_tuple *t = &e.u.connection.tuple;
	e.flow_id = flow_id;
	e.direction = (uint8_t)d;
	e.verdict = (uint8_t)v;
	t->proto = 6;
	t->sport = t->in_sport = 40000;
	t->dport = t->in_dport = 22;
	t->src = t->in_src = addr_from_v4("\xc6\x33\x64\x42");
	t->dst = addr_from_v4("\xcb\x00\x71\x0a");
	t->in_dst = addr_from_v4("\x0a\x63\x00\x0a");
	text_copy(t->guest, EVENT_NAME, "web1");
	return e;
}

struct seen {
	uint64_t last_id;
	unsigned n, unordered;
	char last[4096];
};

static bool on_row(void *ctx, uint64_t id, int64_t time_ns, const char *json)
{
	struct seen *s = ctx;
	(void)time_ns;
	s->unordered += id <= s->last_id;
	s->last_id = id;
	s->n++;
	text_copy(s->last, sizeof(s->last), json);
	return true;
}

static struct seen search(struct rig *r, const char *kind)
{
	struct store_query q = {.kind = kind};
	struct seen s = {0};
	assert_int_equal(store_search(r->dir, &q, on_row, &s), 0);
	return s;
}

static struct seen wait_rows(struct rig *r, const char *kind, unsigned n)
{
	struct seen s = {0};
	for (int i = 0; i < 400; i++) {
		s = search(r, kind);
		if (s.n >= n)
			break;
		usleep(50000);
	}
	return s;
}

static void events_arrive_with_id_incident_and_community_id(void **state)
{
	struct rig *r = *state;
	start_ledger(r);
	start_hub(r);
	struct event in = connection(11, DIR_INBOUND, VERDICT_FORWARD);
	send_event(r, WALL, &in);
	struct seen s = wait_rows(r, "connection", 1);
	assert_int_equal(s.n, 1);
	assert_non_null(strstr(s.last, "\"community_id\":\"1:"));
	assert_non_null(strstr(s.last, "\"verdict\":\"forward\""));
	assert_null(strstr(s.last, "\"incident\":null"));
	s = search(r, "incident");
	assert_int_equal(s.n, 1);
	assert_non_null(strstr(s.last, "\"peer\":\"198.51.100.66\""));
	struct event out = connection(12, DIR_OUTBOUND, VERDICT_LIMIT);
	send_event(r, WALL, &out);
	stop(r->hub_super[0], &r->hub, ROLE_HUB);
	stop(r->ledger_super[0], &r->ledger, ROLE_LEDGER);
	s = search(r, NULL);
	assert_int_equal(s.unordered, 0);
	s = search(
		r,
		"seal"); /* what hub gave back, and what ledger wrote itself when hub had ended */
	assert_true(s.n >= 2);
	assert_non_null(strstr(s.last, "\"bytes\":"));
	s = search(r, "incident");
	assert_int_equal(s.n, 2); /* the stop told the flows */
	assert_non_null(strstr(s.last, "\"flow_ids\":[11,12]"));
}

static void what_a_role_may_not_say_is_refused_and_told(void **state)
{
	struct rig *r = *state;
	start_ledger(r);
	start_hub(r);
	struct event e = event_new(EVENT_GUEST);
	text_copy(e.u.guest.state, EVENT_NAME, "stopped");
	text_copy(e.u.guest.guest, EVENT_NAME, "web2");
	send_event(r, WALL, &e);   /* not the wall's to say */
	send_event(r, KEEPER, &e); /* another keeper's guest */
	text_copy(e.u.guest.guest, EVENT_NAME, "web1");
	send_event(r, KEEPER, &e);
	e = connection(5, DIR_INBOUND, VERDICT_FORWARD);
	send_event(r, KEEPER, &e);
	memset(e.text, 'x', sizeof(e.text));
	send_event(r, WALL, &e); /* not terminated */
	assert_true(send(r->sources[WALL][1], "rubbish", 7, MSG_NOSIGNAL) == 7);
	e = event_new(EVENT_HEALTH);
	text_copy(e.u.health.role, EVENT_NAME, "super"); /* in super's name */
	text_copy(e.u.health.what, EVENT_NAME, "restarted");
	send_event(r, WALL, &e);
	assert_int_equal(wait_rows(r, "guest", 1).n, 1);
	struct seen s = wait_rows(r, "health", 3);
	assert_int_equal(s.n, 3); /* the wall's own, and two complaints */
	assert_int_equal(search(r, "guest").n, 1);
	assert_int_equal(search(r, "connection").n, 0);
	/* The hub's complaints may come before or after it: each limit shows one row more. */
	struct store_query q = {.kind = "health"};
	bool own = false;
	for (q.limit = 1; q.limit <= 3; q.limit++) {
		s = (struct seen){0};
		assert_int_equal(store_search(r->dir, &q, on_row, &s), 0);
		own |= strstr(s.last, "\"role\":\"wall\"") != NULL;
	}
	assert_true(own);
	stop(r->hub_super[0], &r->hub, ROLE_HUB);
	stop(r->ledger_super[0], &r->ledger, ROLE_LEDGER);
}

static void killed_roles_come_back_and_nothing_queued_is_lost(void **state)
{
	struct rig *r = *state;
	start_ledger(r);
	start_hub(r);
	struct event e = connection(1, DIR_INBOUND, VERDICT_FORWARD);
	send_event(r, WALL, &e);
	assert_int_equal(wait_rows(r, "connection", 1).n, 1);
	kill_role(&r->ledger);
	for (uint64_t i = 2; i <= 300; i++) {
		e = connection(i, DIR_INBOUND, VERDICT_DROP);
		send_event(r, WALL, &e);
	}
	usleep(300000);
	start_ledger(r);
	assert_int_equal(wait_rows(r, "connection", 300).n, 300);
	kill_role(&r->hub);
	e = connection(301, DIR_INBOUND, VERDICT_FORWARD);
	send_event(r, WALL, &e);
	start_hub(r);
	struct seen s = wait_rows(r, "connection", 301);
	assert_int_equal(s.n, 301);
	assert_int_equal(s.unordered, 0);
	stop(r->hub_super[0], &r->hub, ROLE_HUB);
	stop(r->ledger_super[0], &r->ledger, ROLE_LEDGER);
}

static void a_stalled_ledger_costs_routine_events_first(void **state)
{
	struct rig *r = *state;
	start_ledger(r);
	start_hub(r);
	kill(r->ledger, SIGSTOP);
	struct event e = connection(1, DIR_INBOUND, VERDICT_DROP), urgent = e;
	urgent.priority = 2;
	for (uint64_t i = 0; i < 12000; i++) {
		/* hub must take all of it, whatever ledger does: the wall's queue stays short */
		while (ipc_send(r->sources[WALL][1], MSG_EVENT, &e, sizeof(e), NULL, 0) != 0)
			usleep(1000);
	}
	urgent.flow_id = 4711;
	send_event(r, WALL, &urgent);
	usleep(200000);
	kill(r->ledger, SIGCONT);
	struct seen s = {0};
	struct store_query q = {.flow_id = 4711};
	for (int i = 0; i < 200 && s.n == 0; i++) {
		usleep(50000);
		assert_int_equal(store_search(r->dir, &q, on_row, &s), 0);
	}
	assert_int_equal(s.n, 1);
	s = wait_rows(r, "health", 1);
	assert_true(s.n >= 1);
	assert_non_null(strstr(s.last, "\"what\":\"lost\""));
	stop(r->hub_super[0], &r->hub, ROLE_HUB);
	stop(r->ledger_super[0], &r->ledger, ROLE_LEDGER);
	s = search(r, "connection");
	assert_true(s.n > 6000 && s.n < 12001);
	assert_int_equal(s.unordered, 0);
}

static void the_end_of_super_ends_both_in_good_order(void **state)
{
	struct rig *r = *state;
	int status = -1;
	start_ledger(r);
	start_hub(r);
	struct event e = connection(9, DIR_INBOUND, VERDICT_FORWARD);
	send_event(r, WALL, &e);
	usleep(100000);
	fd_close(&r->hub_super[0]);
	fd_close(&r->hub_super[1]);
	assert_int_equal(waitpid(r->hub, &status, 0), r->hub);
	r->hub = 0;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	fd_close(&r->ledger_super[0]);
	fd_close(&r->ledger_super[1]);
	assert_int_equal(waitpid(r->ledger, &status, 0), r->ledger);
	r->ledger = 0;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(search(r, "connection").n, 1);
}

/* ---- alerter's side ------------------------------------------------------------------------------ */

struct taken {
	uint64_t first, last;
	unsigned n, again, escapes, connections;
};

/* Takes what comes until n events came since the word that it is all, or two seconds passed in silence. */
static struct taken take_events(struct rig *r, unsigned n)
{
	_Alignas(8) char buf[sizeof(struct event) + 64];
	struct taken s = {0};
	struct pollfd pfd = {.fd = r->hub_alerter[1], .events = POLLIN};
	while (s.n < n && poll(&pfd, 1, 2000) == 1) {
		struct ipc_msg m;
		struct event e;
		assert_int_equal(ipc_recv(r->hub_alerter[1], &role_messages, ROLE_BIT(ROLE_HUB),
					  ROLE_BIT(ROLE_ALERTER), buf, sizeof(buf), &m),
				 0);
		ipc_msg_done(&m);
		if (m.type == MSG_SEEN) {
			s = (struct taken){.again = s.again + 1};
			continue;
		}
		memcpy(&e, m.payload, sizeof(e));
		assert_true(event_valid(&e));
		assert_true(e.id > s.last); /* in order */
		s.first = s.n++ == 0 ? e.id : s.first;
		s.last = e.id;
		s.escapes += e.kind == EVENT_ESCAPE;
		s.connections += e.kind == EVENT_CONNECTION;
		assert_int_not_equal(e.kind, EVENT_NOTICE);
	}
	return s;
}

static void say_seen(struct rig *r, uint64_t id, bool again)
{
	const struct msg_seen m = {.id = id, .again = again};
	assert_int_equal(ipc_send(r->hub_alerter[1], MSG_SEEN, &m, sizeof(m), NULL, 0), 0);
}

static void alerter_gets_again_what_it_did_not_live_to_do(void **state)
{
	struct rig *r = *state;
	start_ledger(r);
	start_hub(r);
	for (uint64_t i = 1; i <= 40; i++) {
		struct event e = connection(i, DIR_INBOUND, VERDICT_FORWARD);
		send_event(r, WALL, &e);
	}
	struct taken s = take_events(r, 41); /* and the incident */
	assert_int_equal(s.n, 41);
	assert_int_equal(s.again, 1);
	say_seen(r, s.first + 9, false);
	/* It dies with the rest undone, and comes back knowing a little more than it said. */
	say_seen(r, s.first + 9, true);
	struct taken once_more = take_events(r, UINT32_MAX);
	assert_int_equal(once_more.again, 1);
	assert_true(once_more.first > s.first + 9 && once_more.first < s.last);
	assert_true(once_more.last >= s.last);
	say_seen(r, once_more.last, true);
	once_more = take_events(r, UINT32_MAX);
	assert_int_equal(once_more.again, 1);
	assert_int_equal(once_more.n, 0);
	stop(r->hub_super[0], &r->hub, ROLE_HUB);
	stop(r->ledger_super[0], &r->ledger, ROLE_LEDGER);
	assert_int_equal(search(r, "connection").n, 40);
}

static void what_alerter_says_of_messages_is_kept_and_never_comes_back(void **state)
{
	struct rig *r = *state;
	start_ledger(r);
	start_hub(r);
	struct event e = event_new(EVENT_NOTICE);
	text_copy(e.u.notice.what, EVENT_NAME, "sent");
	text_copy(e.u.notice.destination, EVENT_NAME, "pager");
	e.u.notice.number = 7;
	send_event(r, ALERTER, &e);
	send_event(r, WALL, &e); /* not the wall's to say */
	e = event_new(EVENT_ESCAPE);
	e.priority = 2;
	text_copy(e.u.escape.guest, EVENT_NAME, "web1");
	send_event(r, KEEPER, &e); /* super alone sees how a QEMU ends */
	send_event(r, SUPER, &e);
	struct taken s = take_events(r, 3); /* the escape, two complaints */
	assert_int_equal(s.escapes, 1);
	stop(r->hub_super[0], &r->hub, ROLE_HUB);
	stop(r->ledger_super[0], &r->ledger, ROLE_LEDGER);
	assert_int_equal(search(r, "escape").n, 1);
	struct seen seen = search(r, "notice");
	assert_int_equal(seen.n, 1);
	assert_non_null(strstr(seen.last, "\"destination\":\"pager\""));
}

/* A dead alerter costs ledger nothing, and an escape waits for its successor whatever came in between. */
static void a_dead_alerter_hinders_nobody(void **state)
{
	struct rig *r = *state;
	start_ledger(r);
	start_hub(r);
	struct event e = connection(1, DIR_INBOUND, VERDICT_DROP), escape = event_new(EVENT_ESCAPE);
	escape.priority = 2;
	for (unsigned i = 0; i < FLOOD; i++) {
		while (ipc_send(r->sources[WALL][1], MSG_EVENT, &e, sizeof(e), NULL, 0) != 0)
			usleep(1000);
		if ((i + 1) % 2000 == 0) /* ledger is alive, and must not fall behind */
			assert_int_equal(wait_rows(r, "connection", i + 1).n, i + 1);
	}
	send_event(r, SUPER, &escape);
	assert_int_equal(wait_rows(r, "escape", 1).n, 1);
	assert_int_equal(search(r, "connection").n, FLOOD);
	say_seen(r, 0, true);
	struct taken s = take_events(r, UINT32_MAX);
	assert_int_equal(s.escapes, 1);
	assert_true(s.connections > 1000 && s.connections < FLOOD);
	stop(r->hub_super[0], &r->hub, ROLE_HUB);
	stop(r->ledger_super[0], &r->ledger, ROLE_LEDGER);
	struct seen seen = search(r, "health");
	assert_true(seen.n >= 1);
	assert_non_null(strstr(seen.last, "alerter is behind"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(events_arrive_with_id_incident_and_community_id,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_a_role_may_not_say_is_refused_and_told, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(killed_roles_come_back_and_nothing_queued_is_lost,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_stalled_ledger_costs_routine_events_first, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(alerter_gets_again_what_it_did_not_live_to_do,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_alerter_says_of_messages_is_kept_and_never_comes_back, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(a_dead_alerter_hinders_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_end_of_super_ends_both_in_good_order, set_up,
						tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
