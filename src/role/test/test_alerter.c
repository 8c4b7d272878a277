/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hub and alerter as they really run, each a process of its own with its filter, over the real channels; this
 * test plays super, the roles that tell, ledger, and a courier that remembers what it delivered. Every
 * event carries a marker, and each marker must arrive at each destination once.
 */
#include "outbox/outbox.h"
#include "role/role.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ALERTER_UID 61236
#define HUB_UID 61237
#define MARKERS 65536u
#define KNOWN 4096u
#define BODY (64u << 10)

enum { WALL, COLLECTOR, SUPER, ALERTER, SOURCES };

struct known {
	uint64_t number;
	uint32_t handed;
};

struct rig {
	char dir[32];
	bool mounted;
	int hub_super[2], alerter_super[2], hub_ledger[2], hub_alerter[2], courier[2];
	int sources[SOURCES][2];
	pid_t hub, alerter;
	struct start_alerter start;

	/* the courier */
	enum deliver_outcome outcome;
	bool silent;              /* takes, and answers nothing */
	uint8_t sent[2][MARKERS]; /* by destination: how often it went out */
	int64_t sent_ns[MARKERS]; /* the first time */
	struct known known[KNOWN];
	uint32_t n_known, handed, tests, again;
	struct msg_deliver last;
	uint64_t beats, beats_bad, last_beat;
	char beat_why[16];

	/* what hub told ledger */
	uint32_t notices_sent, notices_failed, undelivered, full;
	uint64_t lost;
	char body[BODY + 1];
};

/* ---- processes ---------------------------------------------------------------------------------- */

static pid_t start_role(int super_fd, int (*run)(void), uid_t uid)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	int fd = dup(super_fd);
	dup2(fd, ROLE_SUPER_FD);
	for (int i = ROLE_SUPER_FD + 1; i < 64; i++)
		close(i);
	if (geteuid() == 0 && (setgid(uid) != 0 || setuid(uid) != 0))
		_exit(99);
	_exit(run());
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
	ipc_msg_done(&m);
}

static void start_hub(struct rig *r)
{
	static const uint8_t roles[SOURCES] = {ROLE_WALL, ROLE_COLLECTOR, ROLE_SUPER, ROLE_ALERTER};
	struct start_hub start = {.n_sources = SOURCES, .with_alerter = 1};
	int fds[2 + SOURCES] = {r->hub_ledger[0], r->hub_alerter[0]};
	start.conf.incident_quiet_ns = 600 * NS_PER_SEC;
	for (int i = 0; i < SOURCES; i++) {
		start.sources[i].role = roles[i];
		text_copy(start.sources[i].name, EVENT_NAME, role_text((enum role)roles[i]));
		fds[i + 2] = r->sources[i][0];
	}
	r->hub = start_role(r->hub_super[1], role_hub, HUB_UID);
	assert_int_equal(
		ipc_send(r->hub_super[0], MSG_START_HUB, &start, sizeof(start), fds, 2 + SOURCES),
		0);
	expect(r->hub_super[0], ROLE_HUB, MSG_READY);
}

/* A life has a control channel of its own. */
static void spawn_alerter(struct rig *r)
{
	CLEANUP(fd_close) int dir = open(r->dir, O_RDONLY | O_DIRECTORY);
	assert_true(dir >= 0);
	fd_close(&r->alerter_super[0]);
	fd_close(&r->alerter_super[1]);
	assert_int_equal(ipc_pair(1 << 20, r->alerter_super), 0);
	const int fds[] = {r->sources[ALERTER][1], r->hub_alerter[1], r->courier[0], dir};
	r->alerter = start_role(r->alerter_super[1], role_alerter, ALERTER_UID);
	assert_int_equal(ipc_send(r->alerter_super[0], MSG_START_ALERTER, &r->start,
				  sizeof(r->start), fds, 4),
			 0);
}

static void start_alerter(struct rig *r)
{
	spawn_alerter(r);
	expect(r->alerter_super[0], ROLE_ALERTER, MSG_READY);
}

static void kill_role(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	*pid = 0;
}

static void configure(struct rig *r)
{
	struct conf_alerts *c = &r->start.conf;
	static const char *const names[] = {"hook", "pager"};
	c->on = 1;
	c->give_up_ns = 86400 * NS_PER_SEC;
	c->heartbeat_ns = 3600 * NS_PER_SEC;
	c->new_source_ns = 86400 * NS_PER_SEC;
	c->n_to = 2;
	for (uint32_t i = 0; i < c->n_to; i++) {
		text_copy(c->to[i].name, sizeof(c->to[i].name), names[i]);
		c->to[i].kind = DEST_WEBHOOK;
	}
	c->to[0].watch = 1;
	c->to[1].weight = 6;
	/* Each login is told: what is tested here is who gets it. */
	c->n_classes = 1;
	c->classes[0] =
		(struct conf_alert_class_row){.class = ALERT_LOGIN, .weight = 255, .bypass = 255};
	text_copy(r->start.sensor, sizeof(r->start.sensor), "test");
	text_copy(r->start.name, sizeof(r->start.name), "lab");
	r->start.retry_ms = 20;
}

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	text_copy(r->dir, sizeof(r->dir), "/tmp/skep-test-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	if (geteuid() == 0)
		assert_int_equal(chown(r->dir, ALERTER_UID, ALERTER_UID), 0);
	r->alerter_super[0] = r->alerter_super[1] = -1;
	assert_int_equal(ipc_pair(1 << 20, r->hub_super), 0);
	assert_int_equal(ipc_pair(4 << 20, r->hub_ledger), 0);
	assert_int_equal(ipc_pair(4 << 20, r->hub_alerter), 0);
	assert_int_equal(ipc_pair(1 << 20, r->courier), 0);
	for (int i = 0; i < SOURCES; i++)
		assert_int_equal(ipc_pair(4 << 20, r->sources[i]), 0);
	configure(r);
	*state = r;
	return 0;
}

static void close_pair(int fds[2])
{
	fd_close(&fds[0]);
	fd_close(&fds[1]);
}

static int tear_down(void **state)
{
	struct rig *r = *state;
	char command[64];
	kill_role(&r->hub);
	kill_role(&r->alerter);
	if (r->mounted)
		umount2(r->dir, MNT_DETACH);
	snprintf(command, sizeof(command), "rm -rf %s", r->dir);
	assert_int_equal(system(command), 0);
	for (int i = 0; i < SOURCES; i++)
		close_pair(r->sources[i]);
	close_pair(r->hub_super);
	close_pair(r->alerter_super);
	close_pair(r->hub_ledger);
	close_pair(r->hub_alerter);
	close_pair(r->courier);
	free(r);
	return 0;
}

/* ---- the courier -------------------------------------------------------------------------------- */

static void answer(struct rig *r, const struct msg_deliver *m, enum deliver_outcome outcome)
{
	struct deliver_result res = {
		.number = m->number, .destination = m->destination, .outcome = (uint8_t)outcome};
	text_copy(res.text, sizeof(res.text), outcome == DELIVER_OK ? "200" : "503 not now");
	if (!r->silent)
		assert_int_equal(ipc_send(r->courier[1], MSG_DELIVERED, &res, sizeof(res), NULL, 0),
				 0);
}

/* UINT32_MAX: it has none. */
static uint32_t marker_of(const char *body)
{
	const char *at = strstr(body, "marker ");
	return at == NULL ? UINT32_MAX : (uint32_t)strtoul(at + 7, NULL, 10);
}

static bool deliver(struct rig *r, const struct msg_deliver *m, int fd)
{
	assert_true(m->destination < 2 && m->size > 0 && m->size <= BODY);
	assert_int_equal(pread(fd, r->body, BODY, 0), m->size);
	r->body[m->size] = '\0';
	r->handed++;
	r->last = *m;
	if ((m->number >> 63) != 0) {
		uint64_t n = m->number >> 16 & 0x7fffffffffff;
		r->beats++;
		r->beats_bad += n < r->last_beat;
		r->last_beat = n;
		return true;
	}
	for (uint32_t i = 0; i < r->n_known; i++)
		if (r->known[i].number == m->number) {
			r->again++;
			return true;
		}
	if (r->outcome != DELIVER_OK || r->silent)
		return false;
	assert_true(r->n_known < KNOWN);
	r->known[r->n_known++] = (struct known){m->number, 1};
	if (strstr(r->body, "This is a test") != NULL)
		r->tests++;
	uint32_t n = marker_of(r->body);
	if (n < MARKERS && r->sent[m->destination][n]++ == 0 && r->sent_ns[n] == 0)
		r->sent_ns[n] = clock_boot_ns();
	return true;
}

static void run_courier(struct rig *r)
{
	_Alignas(8) char buf[256];
	struct ipc_msg m;
	struct msg_deliver d;
	while (ipc_recv(r->courier[1], &role_messages, ROLE_BIT(ROLE_ALERTER),
			ROLE_BIT(ROLE_COURIER), buf, sizeof(buf), &m) == 0) {
		memcpy(&d, m.payload, sizeof(d));
		enum deliver_outcome o = deliver(r, &d, m.fds[0]) ? DELIVER_OK : r->outcome;
		ipc_msg_done(&m);
		answer(r, &d, o);
	}
}

static void run_ledger(struct rig *r)
{
	_Alignas(8) char buf[sizeof(struct event) + 64];
	struct ipc_msg m;
	struct event e;
	while (ipc_recv(r->hub_ledger[1], &role_messages, ROLE_BIT(ROLE_HUB), ROLE_BIT(ROLE_LEDGER),
			buf, sizeof(buf), &m) == 0) {
		memcpy(&e, m.payload, sizeof(e));
		ipc_msg_done(&m);
		assert_true(event_valid(&e));
		if (e.kind == EVENT_NOTICE) {
			r->notices_sent += strcmp(e.u.notice.what, "sent") == 0;
			r->notices_failed += strcmp(e.u.notice.what, "failed") == 0;
		}
		if (e.kind == EVENT_HEALTH) {
			r->undelivered += strcmp(e.u.health.what, "undelivered") == 0;
			r->full += strcmp(e.u.health.what, "full") == 0;
			r->lost += strcmp(e.u.health.what, "lost") == 0 ? e.u.health.count : 0;
		}
	}
}

/* Plays everybody else for so long. */
static void play(struct rig *r, int ms)
{
	int64_t end = clock_boot_ns() + ms * NS_PER_MS;
	do {
		struct pollfd fds[2] = {{.fd = r->courier[1], .events = POLLIN},
					{.fd = r->hub_ledger[1], .events = POLLIN}};
		int64_t left = (end - clock_boot_ns()) / NS_PER_MS;
		poll(fds, 2, left > 0 ? (int)left : 0);
		run_courier(r);
		run_ledger(r);
	} while (clock_boot_ns() < end);
}

/* ---- events ------------------------------------------------------------------------------------- */

static void send_event(struct rig *r, int source, const struct event *e)
{
	int err;
	while ((err = ipc_send(r->sources[source][1], MSG_EVENT, e, sizeof(*e), NULL, 0)) ==
	       -EAGAIN)
		play(r, 1);
	assert_int_equal(err, 0);
}

static void escape(struct rig *r, uint32_t n)
{
	struct event e = event_new(EVENT_ESCAPE);
	e.priority = 2;
	text_copy(e.u.escape.guest, EVENT_NAME, "web1");
	text_copy(e.u.escape.what, EVENT_NAME, "filter");
	event_say(&e, "marker %u", n);
	send_event(r, SUPER, &e);
}

static void login(struct rig *r, uint32_t n)
{
	struct event e = event_new(EVENT_LOGIN);
	const uint8_t source[4] = {198, 51, 100, (uint8_t)n};
	e.priority = 2;
	e.u.login.ok = 1;
	text_copy(e.u.login.visit.guest, EVENT_NAME, "web1");
	text_copy(e.u.login.user, EVENT_USER, "root");
	e.u.login.visit.peer = addr_from_v4(source);
	e.u.login.visit.server = addr_from_v4("\xcb\x00\x71\x0a");
	e.u.login.visit.proto = 6;
	event_say(&e, "marker %u", n);
	send_event(r, COLLECTOR, &e);
}

static void some_event(struct rig *r, uint32_t n)
{
	if (n % 3 == 0)
		escape(r, n);
	else
		login(r, n);
}

/* How many of the first n did not arrive everywhere yet. */
static uint32_t missing(const struct rig *r, uint32_t n)
{
	uint32_t left = 0;
	for (uint32_t i = 0; i < n; i++)
		left += r->sent[0][i] == 0 || r->sent[1][i] == 0;
	return left;
}

static void wait_all(struct rig *r, uint32_t n)
{
	for (int i = 0; i < 600 && missing(r, n) > 0; i++)
		play(r, 50);
	assert_int_equal(missing(r, n), 0);
}

static uint32_t repeated(const struct rig *r, uint32_t n)
{
	uint32_t more = 0;
	for (uint32_t i = 0; i < n; i++)
		more += (r->sent[0][i] > 1) + (r->sent[1][i] > 1);
	return more;
}

static void stop_alerter(struct rig *r)
{
	int status = -1;
	assert_int_equal(ipc_send(r->alerter_super[0], MSG_STOP, NULL, 0, NULL, 0), 0);
	struct pollfd pfd = {.fd = r->alerter_super[0], .events = POLLIN};
	for (int i = 0; i < 200 && poll(&pfd, 1, 0) == 0; i++)
		play(r, 50);
	expect(r->alerter_super[0], ROLE_ALERTER, MSG_DONE);
	assert_int_equal(waitpid(r->alerter, &status, 0), r->alerter);
	r->alerter = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

struct found {
	uint32_t n, states[4], tries;
	char answer[OUTBOX_TEXT];
};

static bool on_item(void *ctx, const struct outbox_item *i)
{
	struct found *f = ctx;
	f->n++;
	f->states[i->state]++;
	f->tries += i->tries;
	text_copy(f->answer, sizeof(f->answer), i->answer);
	return true;
}

static struct found outbox(struct rig *r)
{
	struct found f = {0};
	assert_int_equal(outbox_items(r->dir, 0, on_item, &f), 0);
	return f;
}

/* ---- tests -------------------------------------------------------------------------------------- */

static void an_event_becomes_a_message_and_a_notice(void **state)
{
	struct rig *r = *state;
	const struct msg_alert_test test = {.destination = 255};
	start_hub(r);
	start_alerter(r);
	escape(r, 0);
	login(r, 1);
	wait_all(r, 2);
	assert_true(r->beats >= 1); /* it has started */
	assert_int_equal(
		ipc_send(r->alerter_super[0], MSG_ALERT_TEST, &test, sizeof(test), NULL, 0), 0);
	for (int i = 0; i < 200 && (r->tests < 2 || r->notices_sent < 6); i++)
		play(r, 50);
	assert_int_equal(r->tests, 2);
	assert_int_equal(r->notices_sent, 6);
	uint64_t beats = r->beats;
	stop_alerter(r);
	assert_true(r->beats > beats); /* and it has stopped */
	assert_int_equal(r->beats_bad, 0);
	assert_int_equal(repeated(r, 2), 0);
	struct found f = outbox(r);
	assert_int_equal(f.n, 6);
	assert_int_equal(f.states[OUTBOX_SENT], 6);
}

static void kills_at_any_moment_lose_and_repeat_nothing(void **state)
{
	struct rig *r = *state;
	uint32_t kills = getenv("SKEP_SOAK") != NULL ? 1000 : 60, n = 0;
	unsigned seed = 7;
	start_hub(r);
	for (uint32_t k = 0; k < kills; k++) {
		spawn_alerter(r);
		int64_t end = clock_boot_ns() + rand_r(&seed) % 100000 * INT64_C(1000);
		while (clock_boot_ns() < end) {
			/* hub keeps 64 escapes for an alerter that is away. */
			if (n < 2 * kills && missing(r, n) < 40)
				some_event(r, n++);
			play(r, 3);
		}
		kill_role(&r->alerter);
	}
	start_alerter(r);
	wait_all(r, n);
	play(r, 1200);
	assert_int_equal(repeated(r, n), 0);
	assert_int_equal(r->lost, 0);
	print_message("%u kills, %u events, %u handed on, %u of them again\n", kills, n, r->handed,
		      r->again);
	assert_true(n > kills / 2);
	stop_alerter(r);
	struct found f = outbox(r);
	assert_int_equal(f.states[OUTBOX_WAITING] + f.states[OUTBOX_FAILED], 0);
}

static void a_new_courier_gets_what_the_last_one_had(void **state)
{
	struct rig *r = *state;
	start_hub(r);
	start_alerter(r);
	wait_all(r, 0);
	r->silent = true;
	escape(r, 0);
	for (int i = 0; i < 200 && (r->last.number == 0 || r->last.number >> 63 != 0); i++)
		play(r, 20);
	uint64_t number = r->last.number;
	assert_true(number != 0 && number >> 63 == 0);
	play(r, 200);
	r->silent = false;
	r->last.number = 0;
	assert_int_equal(ipc_send(r->alerter_super[0], MSG_COURIER, NULL, 0, NULL, 0), 0);
	wait_all(r, 1);
	assert_int_equal(repeated(r, 1), 0);
}

static void a_server_that_is_down_is_asked_seldom_and_then_gets_all_once(void **state)
{
	struct rig *r = *state;
	start_hub(r);
	start_alerter(r);
	r->outcome = DELIVER_LATER;
	for (uint32_t n = 0; n < 30; n++)
		some_event(r, n);
	play(r, 3000);
	/* 20 ms, doubled up to 1.2 s: at most nine tries of each destination in this time, beats beside. */
	assert_true(r->handed - r->beats >= 4);
	assert_true(r->handed - r->beats <= 24);
	assert_int_equal(r->undelivered > 0, 1); /* others were told */
	kill_role(&r->alerter);
	start_alerter(r);
	play(r, 300);
	r->outcome = DELIVER_OK;
	wait_all(r, 30);
	play(r, 1500);
	assert_int_equal(repeated(r, 30), 0);
	assert_int_equal(r->lost, 0);
	stop_alerter(r);
	struct found f = outbox(r);
	assert_int_equal(f.states[OUTBOX_SENT], f.n);
}

static void what_is_refused_for_good_is_given_up_and_told(void **state)
{
	struct rig *r = *state;
	start_hub(r);
	r->start.retry_ms = 2;
	r->start.conf.to[1].weight =
		9; /* this one takes escapes only: it hears of the other's trouble not */
	start_alerter(r);
	r->outcome = DELIVER_NEVER;
	escape(r, 0);
	for (int i = 0; i < 200 && r->notices_failed < 2; i++)
		play(r, 50);
	assert_true(r->notices_failed >= 2);
	assert_true(r->undelivered >= 1);
	kill_role(&r->alerter);
	struct found f = outbox(r);
	assert_true(f.states[OUTBOX_FAILED] >= 2);
	assert_true(f.tries >= 6);
	assert_string_equal(f.answer, "503 not now");
}

static uint64_t resident(pid_t pid)
{
	char path[64];
	unsigned long size = 0, pages = 0;
	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &size, &pages), 2);
	fclose(f);
	return (uint64_t)pages * 4096;
}

static void scan(struct rig *r, uint32_t n)
{
	struct event e = event_new(EVENT_CONNECTION);
	struct event_tuple *t = &e.u.connection.tuple;
	const uint8_t source[4] = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
	e.flow_id = n + 1;
	e.direction = DIR_INBOUND;
	e.verdict = VERDICT_FORWARD;
	t->proto = 6;
	t->sport = t->in_sport = 40000;
	t->dport = t->in_dport = (uint16_t)n;
	t->src = t->in_src = addr_from_v4(source);
	t->dst = addr_from_v4("\xcb\x00\x71\x0a");
	t->in_dst = addr_from_v4("\x0a\x63\x00\x0a");
	text_copy(t->guest, EVENT_NAME, "web1");
	send_event(r, WALL, &e);
}

/* As fast as a million a minute, from ever new sources, with escapes in between. */
static void a_flood_delays_no_escape_and_grows_no_memory(void **state)
{
	struct rig *r = *state;
	int seconds = getenv("SKEP_SOAK") != NULL ? 60 : 10;
	uint32_t escapes = 0, sent = 0;
	int64_t told[256], most = 0;
	uint64_t hub = 0, alerter = 0;
	start_hub(r);
	start_alerter(r);
	int64_t begin = clock_boot_ns(), end = begin + seconds * NS_PER_SEC, now;
	while ((now = clock_boot_ns()) < end) {
		uint32_t due = (uint32_t)((now - begin) / NS_PER_MS * 1000000 / 60000);
		while (sent < due)
			scan(r, sent++);
		if (now - begin > escapes * NS_PER_SEC / 3) {
			told[escapes] = clock_boot_ns();
			escape(r, escapes++);
		}
		if (alerter == 0 && now - begin > seconds * NS_PER_SEC / 2) {
			hub = resident(r->hub);
			alerter = resident(r->alerter);
		}
		play(r, 1);
	}
	uint64_t hub_end = resident(r->hub), alerter_end = resident(r->alerter);
	wait_all(r, escapes);
	for (uint32_t i = 0; i < escapes; i++)
		if (r->sent_ns[i] - told[i] > most)
			most = r->sent_ns[i] - told[i];
	print_message(
		"%u events in %d s; the slowest of %u escapes took %lld ms; hub %llu -> %llu KiB, "
		"alerter %llu -> %llu KiB\n",
		sent, seconds, escapes, (long long)(most / NS_PER_MS),
		(unsigned long long)hub >> 10, (unsigned long long)hub_end >> 10,
		(unsigned long long)alerter >> 10, (unsigned long long)alerter_end >> 10);
	assert_int_equal(repeated(r, escapes), 0);
	assert_true(most < NS_PER_SEC);
	/* Tables of fixed size are still being filled; 64 bytes an event would be 5 MiB. */
	assert_true(hub_end < hub + (4u << 20));
	assert_true(alerter_end < alerter + (2u << 20));
	stop_alerter(r);
}

static void fill(struct rig *r)
{
	char path[64], block[4096];
	snprintf(path, sizeof(path), "%s/filler", r->dir);
	CLEANUP(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_true(fd >= 0);
	memset(block, 'x', sizeof(block));
	while (write(fd, block, sizeof(block)) > 0)
		;
}

static void a_full_disk_silences_nobody(void **state)
{
	struct rig *r = *state;
	char path[64];
	if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", r->dir, "tmpfs", 0, "size=1m,uid=61236,gid=61236") != 0)
		skip();
	r->mounted = true;
	start_hub(r);
	start_alerter(r);
	uint32_t n = 0;
	for (; n < 5; n++)
		some_event(r, n);
	wait_all(r, n);
	fill(r);
	for (; n < 40; n++) { /* until nothing fits any more, and further */
		some_event(r, n);
		play(r, 20);
	}
	wait_all(r, n);
	for (int i = 0; i < 200 && r->full == 0; i++)
		play(r, 50);
	assert_true(r->full > 0);
	/* It dies, and its successor begins on a full disk: the same is decided again, courier knows it. */
	kill_role(&r->alerter);
	start_alerter(r);
	for (; n < 60; n++)
		some_event(r, n);
	wait_all(r, n);
	snprintf(path, sizeof(path), "%s/filler", r->dir);
	assert_int_equal(unlink(path), 0);
	for (; n < 65; n++)
		some_event(r, n);
	wait_all(r, n);
	play(r, 1500);
	assert_int_equal(repeated(r, n), 0);
	stop_alerter(r);
	struct found f = outbox(r);
	assert_true(f.states[OUTBOX_SENT] >= 2 * n);
	assert_int_equal(f.states[OUTBOX_WAITING], 0);
}

#define RIGGED(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIGGED(an_event_becomes_a_message_and_a_notice),
		RIGGED(kills_at_any_moment_lose_and_repeat_nothing),
		RIGGED(a_new_courier_gets_what_the_last_one_had),
		RIGGED(a_server_that_is_down_is_asked_seldom_and_then_gets_all_once),
		RIGGED(what_is_refused_for_good_is_given_up_and_told),
		RIGGED(a_flood_delays_no_escape_and_grows_no_memory),
		RIGGED(a_full_disk_silences_nobody),
	};
	cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
