/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * collector: what happens inside guests. Hears their monitors (serial ports), their syslog and their talk (the
 * wall's copies); keeps it below its folder, compares what the layers say, and tells it as events. It can send
 * no packet and opens nothing but files below that folder; everything that it reads is hostile.
 *
 * Nobody waits for it: copies are overwritten, a monitor that is not read drops and counts.
 */
#include "role/collector/collector_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TURN_MS 25 /* rings wake nobody: they are looked at so often */
#define TICK_NS (100 * NS_PER_MS)
#define STORE_NS NS_PER_SEC
#define HEARD_NS NS_PER_SEC
#define LINES_MOST 200
#define LINES_PER_S 20
#define FACTS_MOST 2000
#define FACTS_PER_S 100

static const struct syscall_row syscalls[] = {
	{"openat", -1, 0},    {"open", -1, 0},       {"newfstatat", -1, 0}, {"fstat", -1, 0},
	{"lstat", -1, 0},     {"stat", -1, 0},       {"statx", -1, 0},      {"lseek", -1, 0},
	{"pread64", -1, 0},   {"pwrite64", -1, 0},   {"getdents64", -1, 0}, {"unlink", -1, 0},
	{"unlinkat", -1, 0},  {"rmdir", -1, 0},      {"rename", -1, 0},     {"renameat", -1, 0},
	{"renameat2", -1, 0}, {"mkdir", -1, 0},      {"mkdirat", -1, 0},    {"ftruncate", -1, 0},
	{"fcntl", -1, 0},     {"fsync", -1, 0},      {"fdatasync", -1, 0},  {"fchmod", -1, 0},
	{"faccessat", -1, 0}, {"faccessat2", -1, 0}, {"access", -1, 0},     {"fstatfs", -1, 0},
	{"dup", -1, 0},       {"fadvise64", -1, 0},  {"sysinfo", -1, 0},    {NULL, -1, 0},
};

/* ---- super's word -------------------------------------------------------------------------------- */

static void control(struct collector *c)
{
	struct msg_monitor said;
	struct ipc_msg m;
	int err;
	while ((err = ipc_recv(ROLE_SUPER_FD, &role_messages, ROLE_BIT(ROLE_SUPER),
			       ROLE_BIT(ROLE_COLLECTOR), &said, sizeof(said), &m)) == 0) {
		if (m.type == MSG_STOP)
			c->stop = true;
		else if (m.type == MSG_MONITOR && said.guest < c->n_guests)
			serial_change(c, said.guest, said.runs != 0,
				      m.n_fds > 0 ? fd_take(&m.fds[0]) : -1, clock_boot_ns());
		ipc_msg_done(&m);
		if (c->stop)
			return;
	}
	if (err != -EAGAIN && err != SKEP_EPEER) /* super is gone: end in good order */
		c->stop = c->orphan = true;
}

static void say_heard(struct collector *c, int64_t now_ns)
{
	struct msg_heard m = {0};
	if (now_ns - c->heard_ns < HEARD_NS)
		return;
	c->heard_ns = now_ns;
	for (uint32_t i = 0; i < c->n_guests; i++) {
		m.guests[i].monitor_ns = c->guests[i].monitor_ns;
		m.guests[i].shell_ns = c->guests[i].shell_ns;
		m.guests[i].syslog_ns = c->guests[i].syslog_ns;
	}
	memcpy(m.cursors, c->cursors, sizeof(m.cursors));
	int err = ipc_send(ROLE_SUPER_FD, MSG_HEARD, &m, sizeof(m), NULL, 0);
	if (err != 0 && err != -EAGAIN)
		log_line(LOG_DEBUG, "super does not hear: %s", err_text(err));
}

/* ---- the loop ------------------------------------------------------------------------------------- */

static void tick(struct collector *c, int64_t now_ns, bool all)
{
	uint32_t days = 0;
	if (!all && now_ns - c->ticked_ns < TICK_NS)
		return;
	c->ticked_ns = now_ns;
	int64_t wall = clock_wall_ns();
	talk_tick(c->talk, wall);
	int err = session_book_tick(c->book, wall, &days);
	if (err != 0)
		c->store_error = err;
	c->days += days;
	crosscheck_tick(c->check, wall);
	if (all || now_ns - c->stored_ns >= STORE_NS) {
		c->stored_ns = now_ns;
		days = 0;
		err = syslog_store_tick(c->store, wall, &days);
		if (err != 0)
			c->store_error = err;
		c->days += days;
	}
	say_heard(c, now_ns);
	tell_losses(c, now_ns, all);
}

static bool take_all(struct collector *c, const struct pollfd *fds)
{
	bool more = copies_read(c);
	int64_t now = clock_boot_ns();
	for (uint32_t i = 0; i < c->n_guests; i++)
		if (c->guests[i].fd >= 0 && (fds == NULL || fds[i].revents != 0) &&
		    serial_ready(&c->guests[i], now) && serial_read(c, i, now))
			more = true;
	return more;
}

static void run(struct collector *c)
{
	struct pollfd fds[CONF_GUESTS + 1];
	bool more = false;
	while (!c->stop) {
		int64_t now = clock_boot_ns();
		for (uint32_t i = 0; i < c->n_guests; i++)
			fds[i] = (struct pollfd){
				.fd = serial_ready(&c->guests[i], now) ? c->guests[i].fd : -1,
				.events = POLLIN};
		fds[c->n_guests] = (struct pollfd){.fd = ROLE_SUPER_FD, .events = POLLIN};
		if (poll(fds, c->n_guests + 1, more ? 0 : TURN_MS) < 0 && errno != EINTR)
			return;
		/* What is left in a parser has nobody who would wake us. */
		more = take_all(c, more ? NULL : fds);
		tick(c, clock_boot_ns(), false);
		if (fds[c->n_guests].revents != 0)
			control(c);
	}
}

/* What has been said by now is kept; bounded, a guest may go on talking. */
static void drain(struct collector *c)
{
	for (unsigned i = 0; i < 64 && take_all(c, NULL); i++)
		;
	for (uint32_t i = 0; i < c->n_guests; i++)
		session_guest_gone(c->book, i, clock_wall_ns());
	tick(c, clock_boot_ns(), true);
	talk_free(&c->talk);
	crosscheck_free(&c->check);
	session_book_close(&c->book);
	syslog_store_close(&c->store);
	tell_losses(c, clock_boot_ns(), true);
}

/* ---- start ---------------------------------------------------------------------------------------- */

static int prepare_guests(struct collector *c, const struct start_collector *start)
{
	int64_t now = clock_boot_ns();
	c->n_guests = start->n_guests;
	c->guests = calloc(c->n_guests + 1, sizeof(*c->guests));
	if (c->guests == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->n_guests; i++) {
		struct feed *f = &c->guests[i];
		text_copy(f->name, sizeof(f->name), start->guests[i].name);
		f->inside = start->guests[i].inside;
		f->inside6 = start->guests[i].inside6;
		f->honeypot = start->guests[i].kind == GUEST_HONEYPOT;
		f->fd = -1;
		budget_set(&f->lines, LINES_MOST, LINES_PER_S, now);
		budget_set(&f->facts, FACTS_MOST, FACTS_PER_S, now);
	}
	return 0;
}

static int open_book(struct collector *c, const struct start_collector *start)
{
	struct session_book_conf *conf = calloc(1, sizeof(*conf));
	if (conf == NULL)
		return -ENOMEM;
	conf->conf = start->conf;
	conf->conf.disk_bytes -= start->conf.disk_bytes / 4; /* the rest is for syslog lines */
	memcpy(conf->sensor, start->sensor, sizeof(conf->sensor));
	conf->dir = c->folder;
	conf->n_guests = c->n_guests;
	for (uint32_t i = 0; i < c->n_guests; i++) {
		memcpy(conf->guests[i].name, c->guests[i].name, sizeof(conf->guests[i].name));
		conf->guests[i].inside = start->guests[i].inside;
		conf->guests[i].inside6 = start->guests[i].inside6;
	}
	conf->emit = tell_event;
	conf->ctx = c;
	int err = session_book_open(conf, &c->book);
	free(conf);
	return err;
}

static int open_store(struct collector *c, const struct start_collector *start)
{
	if (mkdirat(c->folder, "log", 0750) < 0 && errno != EEXIST)
		return -errno;
	c->log_folder = openat(c->folder, "log", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->log_folder < 0)
		return -errno;
	return syslog_store_open(c->log_folder, start->conf.disk_bytes / 4, start->conf.keep_days,
				 &c->store);
}

static int open_check(struct collector *c, const struct start_collector *start)
{
	struct crosscheck_conf conf = {.n_guests = c->n_guests, .emit = tell_event, .ctx = c};
	for (uint32_t i = 0; i < c->n_guests; i++) {
		memcpy(conf.guests[i].name, c->guests[i].name, sizeof(conf.guests[i].name));
		conf.guests[i].sensor = start->guests[i].monitor;
		conf.guests[i].shell = start->guests[i].shell;
		conf.guests[i].syslog = start->guests[i].syslog && !start->tls;
	}
	return crosscheck_create(&conf, &c->check);
}

static int open_rings(struct collector *c, const int *fds)
{
	for (size_t i = 0; i < ARRAY_LEN(c->rings); i++) {
		void *mem;
		int err = shm_map(fds[i], copy_ring_bytes(), false, &mem);
		if (err != 0)
			return err;
		c->rings[i] = copy_ring_at(mem);
	}
	c->frame = malloc(COPY_FRAME);
	return c->frame != NULL ? 0 : -ENOMEM;
}

static int prepare(struct collector *c, struct start_collector *start, const int *fds, size_t n_fds)
{
	if (n_fds != 4 || start->n_guests > CONF_GUESTS)
		return SKEP_EPEER;
	for (uint32_t i = 0; i < start->n_guests; i++)
		start->guests[i].name[EVENT_NAME - 1] = '\0';
	start->sensor[CONF_NAME - 1] = '\0';
	c->events = fds[0];
	c->folder = fds[3];
	memcpy(c->cursors, start->cursors, sizeof(c->cursors));
	int err = open_rings(c, fds + 1);
	if (err == 0)
		err = prepare_guests(c, start);
	if (err == 0 && fchdir(c->folder) < 0)
		err = -errno;
	if (err == 0)
		err = confine_tree(c->folder);
	if (err == SKEP_EUNSUPPORTED) {
		log_line(LOG_WARN,
			 "this kernel has no Landlock: the filter alone confines collector");
		err = 0;
	}
	if (err == 0)
		err = open_store(c, start);
	if (err == 0)
		err = open_book(c, start);
	if (err == 0)
		err = open_check(c, start);
	const struct talk_conf talk = {
		.book = c->book, .sessions = start->conf.wire, .syslog = copies_syslog, .ctx = c};
	return err != 0 ? err : talk_create(&talk, &c->talk);
}

int role_collector(void)
{
	static const struct syscall_row *const tables[] = {syscalls_common, syscalls_heap,
							   syscalls};
	struct collector *c = calloc(1, sizeof(*c));
	struct start_collector *start = calloc(1, sizeof(*start));
	int fds[4];
	size_t n_fds = 0;
	log_setup("collector", LOG_INFO);
	umask(0027);
	int err = c != NULL && start != NULL ? confine_early(0, false) : -ENOMEM;
	if (err == 0)
		err = role_wait_start(ROLE_COLLECTOR, MSG_START_COLLECTOR, start, sizeof(*start),
				      fds, ARRAY_LEN(fds), &n_fds);
	if (err == 0)
		err = prepare(c, start, fds, n_fds);
	if (err == 0)
		err = confine_final(tables, ARRAY_LEN(tables));
	const struct msg_ready ready = {(uint32_t)getpid()};
	if (err == 0)
		err = ipc_send(ROLE_SUPER_FD, MSG_READY, &ready, sizeof(ready), NULL, 0);
	if (err != 0) {
		log_line(LOG_ERROR, "collector can't start: %s", err_text(err));
		return 1;
	}
	run(c);
	drain(c);
	if (!c->orphan)
		err = ipc_send(ROLE_SUPER_FD, MSG_DONE, NULL, 0, NULL, 0);
	free(c->guests);
	free(c->frame);
	free(start);
	free(c);
	return err == 0 || err == -EPIPE ? 0 : 1;
}
