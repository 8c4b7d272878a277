/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The roles: who starts with what. One table of children; each life of a child gets a fresh control
 * channel (nothing said to a dead one may reach the next), while event channels, ports and shared
 * memory are kept, so that nobody else notices a restart.
 */
#include "role/super/super_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SINK_FILES 64u /* that are no connections */
#define CONTROL_BYTES (256u << 10)
#define EVENTS_BYTES (1u << 20)
#define WALL_EVENTS_BYTES (4u << 20)
#define BACKOFF_FIRST_NS (200 * NS_PER_MS)
#define BACKOFF_MOST_NS (10 * NS_PER_SEC)
#define SETTLED_NS (10 * NS_PER_SEC) /* one that lived so long starts again at once */

/* ---- the table -------------------------------------------------------------------------------- */

static int add_child(struct super *s, enum role role, const char *name, size_t events_bytes)
{
	struct child *ch = &s->children[s->n_children];
	*ch = (struct child){.role = role, .pidfd = -1, .control = -1, .events = {-1, -1}};
	text_copy(ch->name, sizeof(ch->name), name);
	if (events_bytes > 0) {
		int err = ipc_pair(events_bytes, ch->events);
		if (err != 0)
			return err;
	}
	s->n_children++;
	return 0;
}

int spawn_table(struct super *s)
{
	int err = ipc_pair(WALL_EVENTS_BYTES, s->hub_ledger);
	if (err == 0)
		err = ipc_pair(EVENTS_BYTES, s->own_events);
	if (err == 0)
		err = add_child(s, ROLE_LEDGER, "ledger", 0);
	if (err == 0)
		err = add_child(s, ROLE_HUB, "hub", 0);
	if (err == 0 && s->c->recorder.on)
		err = add_child(s, ROLE_RECORDER, "recorder", EVENTS_BYTES);
	if (err == 0)
		err = add_child(s, ROLE_WALL, "wall", WALL_EVENTS_BYTES);
	if (err == 0 && s->c->sink.on)
		err = add_child(s, ROLE_SINK, "sink", EVENTS_BYTES);
	if (err == 0 && s->c->sessions.on)
		err = add_child(s, ROLE_COLLECTOR, "collector", WALL_EVENTS_BYTES);
	if (err == 0 && s->alerts.conf.on) {
		err = alerts_channels(s);
		if (err == 0)
			err = add_child(s, ROLE_COURIER, "courier", 0);
		if (err == 0)
			err = add_child(s, ROLE_ALERTER, "alerter", EVENTS_BYTES);
	}
	for (uint32_t i = 0; i < s->c->n_guests && err == 0; i++) {
		if (s->guests[i].state == RUN_NONE)
			continue;
		err = add_child(s, ROLE_KEEPER, s->c->guests[i].name, EVENTS_BYTES);
		if (err != 0)
			break;
		s->children[s->n_children - 1].guest = i;
		s->guests[i].keeper = &s->children[s->n_children - 1];
	}
	return err;
}

struct child *child_of(struct super *s, enum role role)
{
	for (size_t i = 0; i < s->n_children; i++)
		if (s->children[i].role == role)
			return &s->children[i];
	return NULL;
}

/* ---- ports ------------------------------------------------------------------------------------ */

uint32_t port_count(const struct super *s)
{
	return s->c->n_guests + 2 + (s->c->sink.on ? 1 : 0);
}

uint32_t port_recorded(const struct super *s)
{
	return port_count(s) - 1;
}

void port_describe(const struct super *s, uint32_t index, struct judge_port *ret)
{
	*ret = (struct judge_port){.up = 1};
	if (index == 0) {
		text_copy(ret->name, sizeof(ret->name), "outside");
		ret->kind = JUDGE_OUTSIDE;
		ret->mac = s->outside_mac;
		if (s->c->mode == MODE_LAB) {
			ret->peer_mac = s->uplink_mac;
			return;
		}
		ret->peer_mac = s->uplink.peer;
		ret->peer_mac6 = s->uplink.peer6;
		ret->public = s->uplink.plan.own;
		ret->public6 = s->uplink.plan.own6;
		return;
	}
	if (index == port_count(s) - 1) {
		*ret = s->prove.port;
		return;
	}
	if (index > s->c->n_guests) {
		text_copy(ret->name, sizeof(ret->name), "sink");
		ret->kind = JUDGE_SINK;
		ret->mac = s->sink_mac;
		return;
	}
	const struct guest_run *g = &s->guests[index - 1];
	text_copy(ret->name, sizeof(ret->name), g->conf->name);
	ret->kind = g->conf->kind == GUEST_LOGHOST ? JUDGE_LOGHOST : JUDGE_HONEYPOT;
	ret->up = g->state != RUN_DOWN;
	ret->mac = g->mac;
	ret->inside = g->conf->inside;
	ret->public = g->conf->public;
	ret->inside6 = g->conf->inside6;
	ret->public6 = g->conf->public6;
	if (g->conf->shared) {
		ret->public = s->uplink.plan.own;
		ret->public6 = s->uplink.plan.own6;
	}
	if (s->c->mode == MODE_BRIDGE) { /* what it has is what everybody sees */
		ret->public = ret->inside;
		ret->public6 = ret->inside6;
	}
	memcpy(ret->class, g->conf->class, sizeof(ret->class));
	ret->roach_motel = g->conf->roach_motel;
}

void port_tell(struct super *s, uint32_t index)
{
	struct msg_port m = {.index = (uint16_t)index};
	const struct child *wall = child_of(s, ROLE_WALL);
	port_describe(s, index, &m.port);
	if (wall == NULL || wall->control < 0)
		return; /* its start message will say it */
	int err = ipc_send(wall->control, MSG_PORT, &m, sizeof(m), NULL, 0);
	if (err != 0)
		log_line(LOG_WARN, "telling the wall about %s: %s", m.port.name, err_text(err));
}

/* ---- start messages ---------------------------------------------------------------------------- */

static int start_wall(struct super *s, const struct child *ch)
{
	struct start_wall *m = calloc(1, sizeof(*m));
	int fds[IPC_FDS] = {ch->events[1], s->limits, s->stats_fd, s->marks};
	size_t n = 4;
	if (m == NULL)
		return -ENOMEM;
	m->judge.n_ports = port_count(s);
	m->rules_mode = s->c->rules.mode;
	m->rules_memory = s->c->rules.memory_bytes;
	m->rules_hold_ns = s->c->rules.hold_ns;
	if (s->c->sessions.on) {
		m->copies = 1;
		m->judge.copies = (struct judge_copies){
			.syslog = 1, .inside = 1, .talk = s->c->sessions.wire};
		fds[n++] = s->copies[JUDGE_COPY_SYSLOG];
		fds[n++] = s->copies[JUDGE_COPY_TALK];
	}
	if (m->rules_mode != RULES_OFF) {
		fds[n++] = s->book.texts;
		fds[n++] = s->book.snapshot;
	}
	for (uint32_t i = 0; i < m->judge.n_ports; i++) {
		port_describe(s, i, &m->judge.ports[i]);
		fds[n++] = s->port_fds[i];
	}
	m->judge.n_forwards = s->c->n_forwards;
	memcpy(m->judge.forwards, s->c->forwards, sizeof(m->judge.forwards));
	m->judge.network = s->c->network;
	m->judge.wall = s->c->wall;
	m->judge.now = s->orders;
	m->judge.bridged = s->c->mode == MODE_BRIDGE;
	m->judge.syslog_tls = s->c->loghost.tls;
	m->judge.n_host = s->n_host;
	memcpy(m->judge.host, s->host, sizeof(m->judge.host));
	m->judge.boot_id = (uint64_t)(clock_wall_ns() / NS_PER_MS);
	int err = ipc_send(ch->control, MSG_START_WALL, m, sizeof(*m), fds, n);
	free(m);
	return err;
}

static int start_recorder(struct super *s, const struct child *ch)
{
	struct start_recorder *m = calloc(1, sizeof(*m));
	int fds[IPC_FDS] = {ch->events[1], s->marks_ro, s->capture_dir};
	size_t n = 0;
	int err = m == NULL ? -ENOMEM : net_rings(s, fds + 3, &n);
	if (err == 0) {
		m->conf = s->c->recorder;
		m->n_ports = port_recorded(s);
		for (uint32_t i = 0; i < m->n_ports; i++) {
			struct judge_port p;
			port_describe(s, i, &p);
			text_copy(m->ports[i].name, sizeof(m->ports[i].name), p.name);
			text_copy(m->ports[i].description, sizeof(m->ports[i].description),
				  p.kind == JUDGE_OUTSIDE   ? "outside"
				  : p.kind == JUDGE_LOGHOST ? "loghost"
				  : p.kind == JUDGE_SINK    ? "sink"
							    : "honeypot");
		}
		err = ipc_send(ch->control, MSG_START_RECORDER, m, sizeof(*m), fds, 3 + n);
	}
	for (size_t i = 0; i < n; i++)
		fd_close(&fds[3 + i]);
	free(m);
	return err;
}

/* Opened anew for each keeper; at most what the keeper itself allows is ever in it. */
static int console_log(const struct super *s, const struct conf_guest *g, uid_t uid, int *ret)
{
	char path[CONF_PATH + 96];
	snprintf(path, sizeof(path), "%s/guests/%s", s->c->state_dir, g->name);
	CLEANUP(fd_close) int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	int fd = openat(dir, "console.log", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0 || fchown(fd, uid, uid) < 0)
		return -errno;
	*ret = fd;
	return 0;
}

static int start_keeper(struct super *s, const struct child *ch)
{
	struct guest_run *g = &s->guests[ch->guest];
	struct start_keeper m = {.sshd = g->image.sshd, .stop_grace_ms = STOP_GRACE_MS};
	m.overlay_max_bytes = g->image.disk[0] != '\0' ? g->conf->overlay_max_bytes : 0;
	CLEANUP(fd_close) int log = -1;
	text_copy(m.guest, sizeof(m.guest), g->conf->name);
	int err = console_log(s, g->conf, s->c->uid_base + UID_KEEPER + ch->guest, &log);
	if (err != 0)
		return err;
	int fds[2] = {ch->events[1], log};
	err = ipc_send(ch->control, MSG_START_KEEPER, &m, sizeof(m), fds, 2);
	if (err == 0 && g->state == RUN_UP && g->qmp >= 0)
		guest_tell_keeper(g, QEMU_STARTED, -1, -1);
	return err;
}

static void add_source(struct start_hub *m, int *fds, enum role role, const char *name, int fd)
{
	m->sources[m->n_sources].role = (uint8_t)role;
	text_copy(m->sources[m->n_sources].name, sizeof(m->sources[0].name), name);
	fds[1 + m->with_alerter + m->n_sources++] = fd;
}

static int start_hub(struct super *s, const struct child *ch)
{
	struct start_hub m = {.conf = s->c->store};
	int fds[IPC_FDS] = {s->hub_ledger[0]};
	m.boot_id = (uint64_t)(clock_wall_ns() / NS_PER_MS);
	m.with_alerter = s->alerts.conf.on != 0;
	if (m.with_alerter)
		fds[1] = s->alerts.hub[0];
	add_source(&m, fds, ROLE_SUPER, "super", s->own_events[0]);
	for (size_t i = 0; i < s->n_children; i++)
		if (s->children[i].events[0] >= 0)
			add_source(&m, fds, s->children[i].role, s->children[i].name,
				   s->children[i].events[0]);
	return ipc_send(ch->control, MSG_START_HUB, &m, sizeof(m), fds,
			1 + m.with_alerter + m.n_sources);
}

static int start_ledger(struct super *s, const struct child *ch)
{
	struct start_ledger m = {.conf = s->c->store};
	int fds[2] = {s->hub_ledger[1], s->store_dir};
	memcpy(m.sensor, s->c->sensor, sizeof(m.sensor));
	return ipc_send(ch->control, MSG_START_LEDGER, &m, sizeof(m), fds, 2);
}

static int start_sink(struct super *s, const struct child *ch)
{
	struct start_sink m;
	int fds[2 + SINK_SOCKETS] = {ch->events[1]};
	sink_start_message(s, &m);
	memcpy(fds + 1, s->sink_fds, sizeof(s->sink_fds));
	return ipc_send(ch->control, MSG_START_SINK, &m, sizeof(m), fds,
			1 + SINK_SOCKETS + (m.conf.dns_upstream ? 1 : 0));
}

bool super_has_loghost(const struct super *s)
{
	for (uint32_t i = 0; i < s->c->n_guests; i++)
		if (s->c->guests[i].kind == GUEST_LOGHOST)
			return true;
	return false;
}

static int start_collector(struct super *s, const struct child *ch)
{
	struct start_collector *m = calloc(1, sizeof(*m));
	const int fds[] = {ch->events[1], s->copies_ro[JUDGE_COPY_SYSLOG],
			   s->copies_ro[JUDGE_COPY_TALK], s->inside_dir};
	if (m == NULL)
		return -ENOMEM;
	m->conf = s->c->sessions;
	memcpy(m->sensor, s->c->sensor, sizeof(m->sensor));
	m->tls = s->c->loghost.tls;
	memcpy(m->cursors, s->heard.cursors, sizeof(m->cursors));
	m->n_guests = s->c->n_guests;
	for (uint32_t i = 0; i < m->n_guests; i++) {
		const struct guest_run *g = &s->guests[i];
		text_copy(m->guests[i].name, sizeof(m->guests[i].name), g->conf->name);
		m->guests[i].kind = g->conf->kind;
		m->guests[i].monitor = g->conf->monitor && g->image.monitor;
		m->guests[i].shell = g->image.shell && super_has_loghost(s);
		/* An image with our shell sends its syslog too; of others nobody knows. */
		m->guests[i].syslog = m->guests[i].shell;
		m->guests[i].inside = g->conf->inside;
		m->guests[i].inside6 = g->conf->inside6;
	}
	int err = ipc_send(ch->control, MSG_START_COLLECTOR, m, sizeof(*m), fds, ARRAY_LEN(fds));
	for (uint32_t i = 0; i < s->c->n_guests && err == 0; i++)
		if (s->guests[i].state == RUN_UP)
			guest_tell_collector(s, &s->guests[i]);
	free(m);
	return err;
}

static int send_start(struct super *s, const struct child *ch)
{
	switch (ch->role) {
	case ROLE_WALL:
		return start_wall(s, ch);
	case ROLE_RECORDER:
		return start_recorder(s, ch);
	case ROLE_KEEPER:
		return start_keeper(s, ch);
	case ROLE_HUB:
		return start_hub(s, ch);
	case ROLE_LEDGER:
		return start_ledger(s, ch);
	case ROLE_SINK:
		return start_sink(s, ch);
	case ROLE_COLLECTOR:
		return start_collector(s, ch);
	case ROLE_ALERTER:
		return alerts_start_alerter(s, ch);
	case ROLE_COURIER:
		return alerts_start_courier(s, ch);
	case ROLE_SUPER:
	case ROLES:
		break;
	}
	return -EINVAL;
}

/* "wall", "keeper web1". */
const char *child_text(const struct child *ch, char buf[CHILD_TEXT])
{
	snprintf(buf, CHILD_TEXT, "%s%s%s", role_text(ch->role), ch->role == ROLE_KEEPER ? " " : "",
		 ch->role == ROLE_KEEPER ? ch->name : "");
	return buf;
}

/* ---- a life ------------------------------------------------------------------------------------ */

/* A sanitizer's options reach the roles; nothing else of super's environment does. */
static char **environment(char **room)
{
#ifdef SKEP_SANITIZE
	static const char *const names[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "PATH"
#ifdef SKEP_WEAKEN
					    ,
					    "SKEP_TEST_WEAKEN"
#endif
	};
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		for (char **e = environ; *e != NULL; e++)
			if (strncmp(*e, names[i], strlen(names[i])) == 0 &&
			    (*e)[strlen(names[i])] == '=')
				room[n++] = *e;
	room[n] = NULL;
	return room;
#elif defined(SKEP_WEAKEN)
	static const char name[] = "SKEP_TEST_WEAKEN=";
	size_t n = 0;
	for (char **e = environ; *e != NULL; e++)
		if (strncmp(*e, name, strlen(name)) == 0)
			room[n++] = *e;
	room[n] = NULL;
	return room;
#else
	(void)room;
	return NULL;
#endif
}

static uid_t child_uid(const struct super *s, const struct child *ch)
{
	if (ch->role == ROLE_KEEPER)
		return s->c->uid_base + UID_KEEPER + ch->guest;
	return s->c->uid_base + ch->role;
}

int role_spawn(enum role role, uid_t uid, uint32_t files, pid_t *ret_pid, int *ret_pidfd,
	       int *ret_control)
{
	char *room[8];
	char *argv[] = {(char *)"skep", (char *)"--role", (char *)(uintptr_t)role_text(role), NULL};
	int pair[2], err = ipc_pair(CONTROL_BYTES, pair);
	if (err != 0)
		return err;
	CLEANUP(fd_close) int theirs = pair[1];
	CLEANUP(fd_close) int ours = pair[0];
	struct spawn sp = {.argv = argv,
			   .envp = environment(room),
			   .uid = uid,
			   /* the one that speaks to servers, and has nothing else */
			   .netns = role == ROLE_COURIER ? -1 : SPAWN_NETNS_EMPTY,
			   .cgroup = -1,
			   .private_ipc = true,
			   .die_with_parent = role == ROLE_WALL,
			   .no_dump = true,
			   .max_files = files,
			   .fds = {-1, -1, -1, theirs},
			   .n_fds = 4};
	err = spawn_child(&sp, ret_pid, ret_pidfd);
	if (err == 0)
		*ret_control = fd_take(&ours);
	return err;
}

int child_start(struct super *s, struct child *ch)
{
	uint32_t files = ch->role == ROLE_SINK ? s->c->sink.connections + SINK_FILES : 0;
	int err = role_spawn(ch->role, child_uid(s, ch), files, &ch->pid, &ch->pidfd, &ch->control);
	if (err != 0)
		return err;
	ch->state = CHILD_STARTING;
	ch->started_ns = clock_boot_ns();
	err = state_note_pid(s, ch->pid, ch->name);
	if (err == 0)
		err = send_start(s, ch);
	if (err != 0)
		kill(ch->pid, SIGKILL);
	return err;
}

void super_health(struct super *s, const char *role, const char *what, uint64_t count,
		  int exit_code, int sig, uint8_t priority, const char *text)
{
	struct event e = event_new(EVENT_HEALTH);
	e.priority = priority;
	text_copy(e.u.health.role, sizeof(e.u.health.role), role);
	text_copy(e.u.health.what, sizeof(e.u.health.what), what);
	e.u.health.count = count;
	e.u.health.exit_code = exit_code;
	e.u.health.signal = sig;
	event_say(&e, "%s", text);
	role_emit(s->own_events[1], &e, &s->own_lost);
}

void super_escape(struct super *s, const char *guest, const char *what, const char *detail, int sig,
		  pid_t pid)
{
	struct event e = event_new(EVENT_ESCAPE);
	e.priority = 2;
	text_copy(e.u.escape.guest, sizeof(e.u.escape.guest), guest);
	text_copy(e.u.escape.what, sizeof(e.u.escape.what), what);
	text_copy(e.u.escape.detail, sizeof(e.u.escape.detail), detail);
	e.u.escape.signal = sig;
	e.u.escape.pid = pid > 0 ? (uint32_t)pid : 0;
	event_say(&e, "%s: somebody may have broken out", detail);
	log_line(LOG_ERROR, "escape: %s", detail);
	role_emit(s->own_events[1], &e, &s->own_lost);
}

/* A role does what its filter forbids only in somebody else's hands; or it is a fault of ours, which is as urgent. */
static void check_filter(struct super *s, const struct child *ch, int sig, pid_t pid)
{
	char text[EVENT_PLACE], who[CHILD_TEXT];
	if (sig != SIGSYS)
		return;
	snprintf(text, sizeof(text), "%s was ended for a system call that it may not make",
		 child_text(ch, who));
	super_escape(s, ch->role == ROLE_KEEPER ? ch->name : "", "role", text, sig, pid);
}

/* It ended to begin anew. */
static bool renewed(struct super *s, struct child *ch)
{
	if (!ch->renew || s->stopping)
		return false;
	ch->renew = false;
	ch->state = CHILD_DOWN;
	ch->start_at_ns = 0;
	return true;
}

void child_died(struct super *s, struct child *ch)
{
	char text[EVENT_TEXT], who[CHILD_TEXT];
	int code, sig;
	int64_t now = clock_boot_ns();
	pid_t pid = ch->pid;
	super_reap(&ch->pid, &ch->pidfd, &code, &sig);
	fd_close(&ch->control);
	if (ch->role == ROLE_WALL)
		super_rules_wall_died(s);
	if (ch->role == ROLE_COLLECTOR) /* who hears now? */
		memset(s->heard.guests, 0, sizeof(s->heard.guests));
	check_filter(s, ch, sig, pid);
	if (ch->state == CHILD_STOPPING && renewed(s, ch))
		return;
	if (ch->state == CHILD_STOPPING || s->stopping) {
		ch->state = CHILD_ENDED;
		if (code != 0)
			log_line(LOG_WARN, "%s ended badly: exit %d, signal %d",
				 child_text(ch, who), code, sig);
		return;
	}
	if (ch->state == CHILD_READY)
		ch->died_ns = now; /* a start that fails is part of the same outage */
	ch->state = CHILD_DOWN;
	ch->restarts++;
	if (now - ch->started_ns > SETTLED_NS)
		ch->backoff_ns = 0;
	ch->start_at_ns = now + ch->backoff_ns;
	if (sig >= 0)
		snprintf(text, sizeof(text), "%s died of signal %d; it starts again in %.1f s",
			 child_text(ch, who), sig, (double)ch->backoff_ns / 1e9);
	else
		snprintf(text, sizeof(text), "%s ended with code %d; it starts again in %.1f s",
			 child_text(ch, who), code, (double)ch->backoff_ns / 1e9);
	log_line(LOG_WARN, "%s", text);
	super_health(s, role_text(ch->role), "died", ch->restarts, code, sig, 2, text);
	ch->backoff_ns = ch->backoff_ns == 0 ? BACKOFF_FIRST_NS : ch->backoff_ns * 2;
	if (ch->backoff_ns > BACKOFF_MOST_NS)
		ch->backoff_ns = BACKOFF_MOST_NS;
}

void child_stop(struct child *ch)
{
	if (ch->state == CHILD_DOWN)
		ch->state = CHILD_ENDED;
	if (ch->state != CHILD_STARTING && ch->state != CHILD_READY)
		return;
	ch->state = CHILD_STOPPING;
	if (ipc_send(ch->control, MSG_STOP, NULL, 0, NULL, 0) != 0)
		kill(ch->pid, SIGTERM);
}

static void child_ready(struct super *s, struct child *ch)
{
	char text[EVENT_TEXT], who[CHILD_TEXT];
	int64_t down_ms = (clock_boot_ns() - ch->died_ns) / NS_PER_MS;
	if (ch->state != CHILD_STARTING)
		return;
	ch->state = CHILD_READY;
	if (ch->role == ROLE_COURIER)
		alerts_courier_ready(s);
	if (ch->died_ns == 0) {
		snprintf(text, sizeof(text), "%s runs", child_text(ch, who));
		super_health(s, role_text(ch->role), "started", 1, -1, -1, 0, text);
		return;
	}
	snprintf(text, sizeof(text), "%s runs again after %lld ms", child_text(ch, who),
		 (long long)down_ms);
	log_line(LOG_INFO, "%s", text);
	super_health(s, role_text(ch->role), "restarted", (uint64_t)down_ms, -1, -1, 2, text);
	ch->died_ns = 0;
}

void child_read(struct super *s, struct child *ch)
{
	char buf[sizeof(struct msg_heard) + 256] __attribute__((aligned(8))), who[CHILD_TEXT];
	struct ipc_msg m;
	for (int i = 0; i < 64; i++) {
		int err = ipc_recv(ch->control, &role_messages, ROLE_BIT(ch->role),
				   ROLE_BIT(ROLE_SUPER), buf, sizeof(buf), &m);
		if (err == -EAGAIN)
			return;
		if (err != 0) {
			if (err == SKEP_EPEER) {
				log_line(LOG_ERROR, "%s broke the protocol: killed",
					 child_text(ch, who));
				kill(ch->pid, SIGKILL);
			}
			fd_close(&ch->control); /* gone; the pidfd tells the rest */
			return;
		}
		if (m.type == MSG_READY)
			child_ready(s, ch);
		if (m.type == MSG_RULES_DONE) {
			struct msg_rules_done d;
			memcpy(&d, m.payload, sizeof(d));
			super_rules_done(s, &d);
		}
		if (m.type == MSG_DELIVER)
			command_deliver(s, &m);
		if (m.type == MSG_HEARD)
			memcpy(&s->heard, m.payload, sizeof(s->heard));
		if (m.type == MSG_GUEST && ch->role == ROLE_KEEPER) {
			struct msg_guest said;
			memcpy(&said, m.payload, sizeof(said));
			said.state[sizeof(said.state) - 1] = '\0';
			guest_said(s, &s->guests[ch->guest], said.state);
		}
		ipc_msg_done(&m);
	}
}
