/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger: the one writer of the event store. Takes events from hub in batches; what it has to say
 * itself (damage, a full disk, days that were dropped) goes back to hub over the same pair and
 * returns to it as an event with an id.
 */
#include "dbfile/dbfile.h"
#include "role/role.h"
#include "store/seal.h"
#include "sys/sys.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 500u
#define BATCH_NS (200 * NS_PER_MS)
#define HOUSEKEEP_NS (10 * NS_PER_SEC)
#define COMPLAIN_NS (60 * NS_PER_SEC)
#define SEAL_NS (60 * NS_PER_SEC)
#define TOLD 8u
#define SEAL_SOON_NS \
	NS_PER_SEC /* while the honeynet stops: the last seals should still leave the host */

/* What the event files need beside what SQLite does. */
static const struct syscall_row syscalls[] = {
	{"getdents64", -1, 0},
	{NULL, -1, 0},
};

struct ledger {
	int hub;
	struct store *store;
	struct event *batch;
	size_t n;
	int64_t first_ns, housekept_ns, complained_ns;
	struct event_seal told[TOLD]; /* to hub, and not back yet */
	uint32_t n_told;
	bool stopping; /* super has said that the honeynet stops */
	uint64_t last_id;
	uint64_t failed; /* batches since the last complaint */
	int last_error;
	uint64_t lost;
};

static void say(struct ledger *l, const char *what, uint64_t count, const char *text)
{
	struct event e = event_new(EVENT_HEALTH);
	e.priority = 2;
	text_copy(e.u.health.role, EVENT_NAME, "ledger");
	text_copy(e.u.health.what, EVENT_NAME, what);
	e.u.health.count = count;
	e.u.health.exit_code = e.u.health.signal = -1;
	event_say(&e, "%s", text);
	role_emit(l->hub, &e, &l->lost);
}

static void complain(struct ledger *l, int64_t now_ns)
{
	char text[EVENT_TEXT];
	if (l->failed == 0 || (l->complained_ns != 0 && now_ns - l->complained_ns < COMPLAIN_NS))
		return;
	const char *what = l->last_error == -ENOSPC        ? "full"
			   : l->last_error == SKEP_EFORMAT ? "damaged"
							   : "disk";
	snprintf(text, sizeof(text), "%llu batches of events were not wholly stored: %s",
		 (unsigned long long)l->failed, err_text(l->last_error));
	log_line(LOG_WARN, "%s", text);
	say(l, what, l->failed, text);
	l->failed = 0;
	l->complained_ns = now_ns;
}

static struct event seal_event(const struct event_seal *seal)
{
	struct event e = event_new(EVENT_SEAL);
	e.priority = 1;
	e.u.seal = *seal;
	event_say(&e, "%s is sealed up to byte %llu: SHA-256 %.16s...", seal->file,
		  (unsigned long long)seal->bytes, seal->sha256);
	return e;
}

static void seal(struct ledger *l, int64_t now_ns)
{
	struct event_seal seals[STORE_SEALS];
	size_t n = store_seals(l->store, now_ns, l->stopping ? SEAL_SOON_NS : SEAL_NS, seals);
	for (size_t i = 0; i < n; i++) {
		const struct event e = seal_event(&seals[i]);
		role_emit(l->hub, &e, &l->lost);
		if (l->n_told == TOLD)
			memmove(l->told, l->told + 1, --l->n_told * sizeof(l->told[0]));
		l->told[l->n_told++] = seals[i];
	}
}

/* Hub gave it back, with an id: it will be stored. */
static void seal_back(struct ledger *l, const struct event_seal *seal)
{
	for (uint32_t i = 0; i < l->n_told; i++)
		if (l->told[i].n == seal->n && strcmp(l->told[i].file, seal->file) == 0) {
			l->told[i] = l->told[--l->n_told];
			return;
		}
}

/* Hub has ended, so these go to the files only; the next start's first seals cover them elsewhere. */
static void seal_last(struct ledger *l)
{
	struct event_seal seals[TOLD + STORE_SEALS];
	struct event e[TOLD + STORE_SEALS];
	memcpy(seals, l->told, l->n_told * sizeof(seals[0]));
	size_t n = l->n_told + store_seals(l->store, clock_boot_ns(), 0, seals + l->n_told);
	for (size_t i = 0; i < n; i++) {
		uint64_t now = (uint64_t)clock_wall_ns() / 1000;
		e[i] = seal_event(&seals[i]);
		e[i].id = l->last_id = now > l->last_id ? now : l->last_id + 1;
	}
	int err = n > 0 ? store_add(l->store, e, n) : 0;
	if (err != 0)
		log_line(LOG_WARN, "the last seals were not stored: %s", err_text(err));
}

static void flush(struct ledger *l)
{
	if (l->n == 0)
		return;
	for (size_t i = 0; i < l->n; i++) {
		const struct event *e = &l->batch[i];
		l->last_id = e->id > l->last_id ? e->id : l->last_id;
		if (e->kind == EVENT_SEAL)
			seal_back(l, &e->u.seal);
		l->stopping |= e->kind == EVENT_HEALTH && strcmp(e->u.health.role, "super") == 0 &&
			       strcmp(e->u.health.what, "stopped") == 0;
	}
	int err = store_add(l->store, l->batch, l->n);
	l->n = 0;
	if (err != 0) {
		l->failed++;
		l->last_error = err;
	}
}

static void housekeep(struct ledger *l, int64_t now_ns)
{
	uint32_t days = 0;
	char text[EVENT_TEXT];
	if (now_ns - l->housekept_ns < HOUSEKEEP_NS)
		return;
	l->housekept_ns = now_ns;
	int err = store_housekeep(l->store, clock_wall_ns(), &days);
	if (err != 0) {
		l->failed++;
		l->last_error = err;
	}
	if (days > 0) {
		snprintf(text, sizeof(text),
			 "the events of %u old days were removed to keep "
			 "within the time and disk budget",
			 days);
		say(l, "dropped", days, text);
	}
	complain(l, now_ns);
}

/* Takes what is there, up to a full batch. False: hub's channel is unusable. */
static bool take(struct ledger *l)
{
	_Alignas(8) char buf[sizeof(struct event) + 64];
	struct ipc_msg m;
	while (l->n < BATCH) {
		int err = ipc_recv(l->hub, &role_messages, ROLE_BIT(ROLE_HUB),
				   ROLE_BIT(ROLE_LEDGER), buf, sizeof(buf), &m);
		if (err == SKEP_EPEER)
			continue;
		if (err != 0)
			return err == -EAGAIN;
		if (m.type == MSG_EVENT && m.size == sizeof(struct event)) {
			memcpy(&l->batch[l->n], m.payload, sizeof(struct event));
			if (event_valid(&l->batch[l->n]) && l->n++ == 0)
				l->first_ns = clock_boot_ns();
		}
		ipc_msg_done(&m);
	}
	return true;
}

/* True when super says stop, or is gone. */
static bool stop_asked(void)
{
	char buf[64];
	struct ipc_msg m;
	int err;
	while ((err = ipc_recv(ROLE_SUPER_FD, &role_messages, ROLE_BIT(ROLE_SUPER),
			       ROLE_BIT(ROLE_LEDGER), buf, sizeof(buf), &m)) == 0) {
		bool stop = m.type == MSG_STOP;
		ipc_msg_done(&m);
		if (stop)
			return true;
	}
	return err != -EAGAIN && err != SKEP_EPEER;
}

static void run(struct ledger *l)
{
	for (;;) {
		struct pollfd fds[2] = {{.fd = l->hub, .events = POLLIN},
					{.fd = ROLE_SUPER_FD, .events = POLLIN}};
		int64_t now = clock_boot_ns();
		int64_t wait_ns = l->n > 0 ? l->first_ns + BATCH_NS - now : NS_PER_SEC;
		int wait_ms = wait_ns > 0 ? (int)(wait_ns / NS_PER_MS) + 1 : 0;
		if (poll(fds, 2, wait_ms) < 0 && errno != EINTR)
			return;
		if (fds[0].revents != 0 && !take(l))
			return;
		now = clock_boot_ns();
		if (l->n == BATCH || (l->n > 0 && now - l->first_ns >= BATCH_NS))
			flush(l);
		housekeep(l, now);
		seal(l, now);
		if (fds[1].revents != 0 && stop_asked())
			return;
	}
}

static void drain(struct ledger *l)
{
	do {
		flush(l);
	} while (take(l) && l->n > 0);
}

static int prepare(struct ledger *l, const struct start_ledger *start, const int *fds, size_t n_fds)
{
	char sensor[CONF_NAME];
	if (n_fds != 2)
		return SKEP_EPEER;
	l->hub = fds[0];
	memcpy(sensor, start->sensor, sizeof(sensor));
	sensor[CONF_NAME - 1] = '\0';
	if (fchdir(fds[1]) < 0)
		return -errno;
	int err = confine_folder(fds[1]);
	if (err == SKEP_EUNSUPPORTED)
		log_line(LOG_WARN, "this kernel has no Landlock: the filter alone confines ledger");
	else if (err != 0)
		return err;
	l->batch = calloc(BATCH, sizeof(*l->batch));
	if (l->batch == NULL)
		return -ENOMEM;
	err = store_open(".", sensor, start->conf.keep_days, start->conf.disk_bytes, &l->store);
	if (err == STORE_DAMAGED) {
		say(l, "damaged", 1,
		    "today's event database was damaged: it was moved aside "
		    "and a new one begun");
		return 0;
	}
	return err;
}

static void finish(struct ledger *l)
{
	store_close(&l->store);
	free(l->batch);
}

int role_ledger(void)
{
	struct start_ledger start;
	struct ledger l = {.hub = -1};
	int fds[2];
	size_t n_fds = 0;
	log_setup("ledger", LOG_INFO);
	int err = confine_early(0, false);
	if (err == 0)
		err = role_wait_start(ROLE_LEDGER, MSG_START_LEDGER, &start, sizeof(start), fds,
				      ARRAY_LEN(fds), &n_fds);
	if (err == 0)
		err = prepare(&l, &start, fds, n_fds);
	if (err == 0) {
		const struct syscall_row *const tables[] = {syscalls_common, syscalls_heap,
							    dbfile_syscalls, syscalls};
		err = confine_final(tables, ARRAY_LEN(tables));
	}
	const struct msg_ready ready = {(uint32_t)getpid()};
	if (err == 0)
		err = ipc_send(ROLE_SUPER_FD, MSG_READY, &ready, sizeof(ready), NULL, 0);
	if (err != 0) {
		log_line(LOG_ERROR, "ledger can't start: %s", err_text(err));
		finish(&l);
		return 1;
	}
	run(&l);
	drain(&l);
	seal_last(&l);
	finish(&l);
	err = ipc_send(ROLE_SUPER_FD, MSG_DONE, NULL, 0, NULL, 0);
	return err == 0 || err == -EPIPE ? 0 : 1;
}
