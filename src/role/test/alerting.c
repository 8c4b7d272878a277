/* SPDX-License-Identifier: BSD-2-Clause */
#include "alerting.h"

#include "sys/sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALERTER_UID 61236
#define HUB_UID 61237
#define COURIER_UID 61238

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

void start_hub(struct rig *r)
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
void spawn_alerter(struct rig *r)
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

void start_alerter(struct rig *r)
{
	spawn_alerter(r);
	expect(r->alerter_super[0], ROLE_ALERTER, MSG_READY);
}

void kill_role(pid_t *pid)
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

int rig_set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	text_copy(r->dir, sizeof(r->dir), "/tmp/skep-test-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	if (geteuid() == 0)
		assert_int_equal(chown(r->dir, ALERTER_UID, ALERTER_UID), 0);
	r->alerter_super[0] = r->alerter_super[1] = r->courier_super[0] = r->courier_super[1] = -1;
	r->web.listener = -1;
	for (int i = 0; i < WEB_CONNS; i++)
		r->web.conns[i].fd = -1;
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

int rig_tear_down(void **state)
{
	struct rig *r = *state;
	char command[64];
	kill_role(&r->hub);
	kill_role(&r->alerter);
	kill_role(&r->real);
	fd_close(&r->web.listener);
	for (int i = 0; i < WEB_CONNS; i++)
		fd_close(&r->web.conns[i].fd);
	if (r->mounted)
		umount2(r->dir, MNT_DETACH);
	snprintf(command, sizeof(command), "rm -rf %s", r->dir);
	assert_int_equal(system(command), 0);
	for (int i = 0; i < SOURCES; i++)
		close_pair(r->sources[i]);
	close_pair(r->hub_super);
	close_pair(r->alerter_super);
	close_pair(r->courier_super);
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

static void note_arrival(struct rig *r, uint8_t destination, const char *body)
{
	uint32_t n = marker_of(body);
	if (strstr(body, "This is a test") != NULL)
		r->tests++;
	r->plain += strstr(body, "was refused here") != NULL;
	if (n < MARKERS && r->sent[destination][n]++ == 0 && r->sent_ns[n] == 0)
		r->sent_ns[n] = clock_boot_ns();
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
		r->sealed |= strstr(r->body, "skep-20260101.json") != NULL;
		return true;
	}
	for (uint32_t i = 0; i < r->n_known; i++)
		if (r->known[i] == m->number) {
			r->again++;
			return true;
		}
	if (r->outcome != DELIVER_OK || r->silent || (r->picky && marker_of(r->body) != UINT32_MAX))
		return false;
	assert_true(r->n_known < KNOWN);
	r->known[r->n_known++] = m->number;
	note_arrival(r, m->destination, r->body);
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
		enum deliver_outcome o = deliver(r, &d, m.fds[0]) ? DELIVER_OK
					 : r->picky               ? DELIVER_NEVER
								  : r->outcome;
		ipc_msg_done(&m);
		answer(r, &d, o);
	}
}

/* ---- the real courier, and its server -------------------------------------------------------------- */

static void listen_web(struct rig *r)
{
	struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	socklen_t len = sizeof(at);
	r->web.listener = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(r->web.listener >= 0);
	assert_int_equal(bind(r->web.listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(r->web.listener, 8), 0);
	assert_int_equal(getsockname(r->web.listener, (struct sockaddr *)&at, &len), 0);
	for (uint32_t i = 0; i < r->start.conf.n_to; i++)
		snprintf(r->start.conf.to[i].url, sizeof(r->start.conf.to[i].url),
			 "http://[::1]:%u/%u", ntohs(at.sin6_port), i);
}

void start_courier(struct rig *r)
{
	CLEANUP(fd_close) int secrets = -1;
	struct start_courier *start = calloc(1, sizeof(*start));
	struct deliver_secrets *none = calloc(1, sizeof(*none));
	assert_true(start != NULL && none != NULL);
	if (r->web.listener < 0)
		listen_web(r);
	start->conf = r->start.conf;
	fd_close(&r->courier_super[0]);
	fd_close(&r->courier_super[1]);
	assert_int_equal(ipc_pair(1 << 20, r->courier_super), 0);
	assert_int_equal(sealed_create("secrets", none, sizeof(*none), &secrets), 0);
	r->real = start_role(r->courier_super[1], role_courier, COURIER_UID);
	const int fds[] = {r->courier[1], secrets};
	assert_int_equal(
		ipc_send(r->courier_super[0], MSG_START_COURIER, start, sizeof(*start), fds, 2), 0);
	free(none);
	free(start);
	expect(r->courier_super[0], ROLE_COURIER, MSG_READY);
	/* Only a super whose alerter is just being started anew can't tell it. */
	if (r->alerter > 0)
		assert_int_equal(ipc_send(r->alerter_super[0], MSG_COURIER, NULL, 0, NULL, 0), 0);
}

/* "POST /1 HTTP/1.1": of whole requests in the buffer the first; false: there is none. */
static bool serve(struct rig *r, int at)
{
	static const char *const answers[] = {"200 OK", "503 Busy", "400 No"};
	char *buf = r->web.conns[at].buf, reply[64];
	buf[r->web.conns[at].len] = '\0';
	char *end = strstr(buf, "\r\n\r\n"), *length = strcasestr(buf, "\r\nContent-Length:");
	if (end == NULL || length == NULL)
		return false;
	size_t head = (size_t)(end + 4 - buf), size = strtoul(length + 17, NULL, 10);
	if (r->web.conns[at].len < head + size)
		return false;
	assert_true(strncmp(buf, "POST /", 6) == 0 && buf[6] >= '0' && buf[6] < '2');
	r->handed++;
	char after = buf[head + size];
	buf[head + size] = '\0';
	if (r->outcome == DELIVER_OK)
		note_arrival(r, (uint8_t)(buf[6] - '0'), buf + head);
	buf[head + size] = after;
	r->web.conns[at].len -= head + size;
	memmove(buf, buf + head + size, r->web.conns[at].len);
	snprintf(reply, sizeof(reply), "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n",
		 answers[r->outcome]);
	(void)!send(r->web.conns[at].fd, reply, strlen(reply), MSG_NOSIGNAL);
	return true;
}

static void run_web(struct rig *r)
{
	struct web *w = &r->web;
	int fd = w->listener < 0 ? -1
				 : accept4(w->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	for (int i = 0; i < WEB_CONNS; i++) {
		if (w->conns[i].fd < 0 && fd >= 0) {
			w->conns[i].fd = fd_take(&fd);
			w->conns[i].len = 0;
		}
		if (w->conns[i].fd < 0)
			continue;
		ssize_t n = recv(w->conns[i].fd, w->conns[i].buf + w->conns[i].len,
				 sizeof(w->conns[i].buf) - 1 - w->conns[i].len, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			fd_close(&w->conns[i].fd);
		if (n > 0)
			w->conns[i].len += (size_t)n;
		while (n > 0 && serve(r, i))
			;
	}
	fd_close(&fd);
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

void play(struct rig *r, int ms)
{
	int64_t end = clock_boot_ns() + ms * NS_PER_MS;
	do {
		struct pollfd fds[3 + WEB_CONNS] = {{.fd = r->hub_ledger[1], .events = POLLIN},
						    {.fd = r->web.listener, .events = POLLIN}};
		fds[2] = (struct pollfd){.fd = r->web.listener < 0 ? r->courier[1] : -1,
					 .events = POLLIN};
		for (int i = 0; i < WEB_CONNS; i++)
			fds[3 + i] = (struct pollfd){.fd = r->web.conns[i].fd, .events = POLLIN};
		int64_t left = (end - clock_boot_ns()) / NS_PER_MS;
		poll(fds, ARRAY_LEN(fds), left > 0 ? (int)left : 0);
		if (r->web.listener < 0)
			run_courier(r);
		else
			run_web(r);
		run_ledger(r);
	} while (clock_boot_ns() < end);
}

/* ---- events ------------------------------------------------------------------------------------- */

void send_event(struct rig *r, int source, const struct event *e)
{
	int err;
	while ((err = ipc_send(r->sources[source][1], MSG_EVENT, e, sizeof(*e), NULL, 0)) ==
	       -EAGAIN)
		play(r, 1);
	assert_int_equal(err, 0);
}

void escape(struct rig *r, uint32_t n)
{
	struct event e = event_new(EVENT_ESCAPE);
	e.priority = 2;
	text_copy(e.u.escape.guest, EVENT_NAME, "web1");
	text_copy(e.u.escape.what, EVENT_NAME, "filter");
	event_say(&e, "marker %u", n);
	send_event(r, SUPER, &e);
}

void login(struct rig *r, uint32_t n)
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

void some_event(struct rig *r, uint32_t n)
{
	if (n % 3 == 0)
		escape(r, n);
	else
		login(r, n);
}

uint32_t missing(const struct rig *r, uint32_t n)
{
	uint32_t left = 0;
	for (uint32_t i = 0; i < n; i++)
		left += r->sent[0][i] == 0 || r->sent[1][i] == 0;
	return left;
}

static bool on_item(void *ctx, const struct outbox_item *i)
{
	struct found *f = ctx;
	f->n++;
	f->states[i->state]++;
	f->tries += i->tries;
	if (i->answer[0] != '\0')
		text_copy(f->answer, sizeof(f->answer), i->answer);
	return true;
}

struct found outbox(struct rig *r)
{
	struct found f = {0};
	assert_int_equal(outbox_items(r->dir, 0, on_item, &f), 0);
	return f;
}

void wait_all(struct rig *r, uint32_t n)
{
	for (int i = 0; i < 600 && missing(r, n) > 0; i++)
		play(r, 50);
	if (missing(r, n) > 0)
		print_message("the last answer: %s\n", outbox(r).answer);
	assert_int_equal(missing(r, n), 0);
}

uint32_t repeated(const struct rig *r, uint32_t n)
{
	uint32_t more = 0;
	for (uint32_t i = 0; i < n; i++)
		more += (r->sent[0][i] > 1) + (r->sent[1][i] > 1);
	return more;
}

void stop_alerter(struct rig *r)
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
