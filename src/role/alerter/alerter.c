/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alerter: decides which events become messages, to whom, and in which form, and keeps them until they are
 * delivered. It reads what intruders say, and therefore has no network, no password and no file but its
 * outbox; who has those sees finished messages only.
 */
#include "dbfile/dbfile.h"
#include "role/alerter/alerter_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define FACTS_WHY 256
#define GRACE_NS (3 * NS_PER_SEC) /* at the end, for what is under way */
#define WAIT_FIRST_NS (15 * NS_PER_SEC)

/* The outbox, and bodies in memory. */
static const struct syscall_row syscalls[] = {
	{"memfd_create", -1, 0},
	{NULL, -1, 0},
};

/* Super's word. False: it says stop, or is gone. */
static bool super_said(struct alerter *a)
{
	_Alignas(8) char buf[sizeof(struct deliver_result) + 64];
	struct deliver_result r;
	struct msg_alert_test test;
	struct ipc_msg m;
	int err;
	while ((err = ipc_recv(ROLE_SUPER_FD, &role_messages, ROLE_BIT(ROLE_SUPER),
			       ROLE_BIT(ROLE_ALERTER), buf, sizeof(buf), &m)) == 0) {
		uint16_t type = m.type;
		if (type == MSG_DELIVERED) {
			memcpy(&r, m.payload, sizeof(r));
			send_result(a, &r);
		}
		if (type == MSG_COURIER)
			send_again(a);
		if (type == MSG_ALERT_TEST) {
			memcpy(&test, m.payload, sizeof(test));
			intake_test(a, test.destination);
		}
		ipc_msg_done(&m);
		if (type == MSG_STOP)
			return false;
	}
	return err == -EAGAIN || err == SKEP_EPEER;
}

static int wait_ms(int64_t next_ns)
{
	int64_t wait = next_ns - clock_boot_ns();
	if (wait <= 0)
		return 0;
	return wait < NS_PER_SEC ? (int)(wait / NS_PER_MS) + 1 : 1000;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* One turn: what is there, what is due. False: super says stop. */
static bool turn(struct alerter *a)
{
	enum { HUB, SUPER, COURIER, FDS };
	struct pollfd fds[FDS] = {[HUB] = {.fd = a->hub, .events = POLLIN},
				  [SUPER] = {.fd = ROLE_SUPER_FD, .events = POLLIN},
				  [COURIER] = {.fd = a->courier, .events = POLLIN}};
	intake_ask(a);
	intake_commit(a, false);
	int64_t next = send_due(a);
	if (poll(fds, FDS, wait_ms(earlier(next, intake_next_ns(a)))) < 0 && errno != EINTR)
		return false;
	if (fds[HUB].revents != 0 && !intake_take(a))
		fd_close(&a->hub);
	if (fds[COURIER].revents != 0)
		send_results(a, a->courier, ROLE_COURIER);
	if (!a->stopping) {
		intake_tick(a);
		beat_tick(a);
		intake_prune(a);
	}
	tell_sums(a, false);
	return fds[SUPER].revents == 0 || super_said(a);
}

/* What hub has is still taken; what is under way gets a moment to arrive, and so does the last beat. */
static void drain(struct alerter *a)
{
	int64_t end = clock_boot_ns() + GRACE_NS;
	a->stopping = true;
	for (int i = 0; i < 64 && a->hub >= 0 && intake_take(a) && !a->caught_up; i++)
		intake_commit(a, false);
	intake_commit(a, true);
	beat_now(a, "stop");
	while (clock_boot_ns() < end) {
		struct pollfd fds[2] = {{.fd = a->courier, .events = POLLIN},
					{.fd = ROLE_SUPER_FD, .events = POLLIN}};
		send_due(a);
		if (send_idle(a))
			break;
		if (poll(fds, 2, 50) < 0 && errno != EINTR)
			break;
		send_results(a, a->courier, ROLE_COURIER);
		/* A super that is gone is always readable. */
		if (fds[1].revents != 0 && !super_said(a) && (fds[1].revents & POLLHUP) != 0)
			break;
	}
	tell_sums(a, true);
	intake_commit(a, true);
}

/* ---- begin ---------------------------------------------------------------------------------------- */

static int open_facts(struct alerter *a, const int *fds, size_t n)
{
	static const uint8_t bits[] = {ALERTER_LOCATION, ALERTER_NAMES, ALERTER_SIGNATURES};
	int of[ARRAY_LEN(bits)] = {-1, -1, -1};
	size_t at = 0;
	char why[FACTS_WHY] = "";
	for (size_t i = 0; i < ARRAY_LEN(bits); i++)
		if ((a->start.has & bits[i]) != 0 && at < n)
			of[i] = fds[at++];
	int err =
		at == n ? facts_open(of[0], of[1], of[2], why, sizeof(why), &a->facts) : SKEP_EPEER;
	if (why[0] != '\0')
		log_line(LOG_WARN, "%s", why);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	return err;
}

static int open_box(struct alerter *a, int folder)
{
	if (fchdir(folder) < 0)
		return -errno;
	int err = confine_folder(folder);
	if (err == SKEP_EUNSUPPORTED)
		log_line(LOG_WARN,
			 "this kernel has no Landlock: the filter alone confines alerter");
	else if (err != 0)
		return err;
	err = outbox_open(".", &a->box);
	if (err > 0) /* how many beats there were is not known: more than any number before */
		a->beat.n = (uint64_t)(clock_wall_ns() / NS_PER_SEC);
	if (err == OUTBOX_DAMAGED) {
		static const char text[] = "the outbox was damaged: it was moved aside and a new "
					   "one begun; alerts that waited are in the damaged one";
		log_line(LOG_ERROR, "%s", text);
		tell_health(a, 2, "damaged", 1, text);
		return 0;
	}
	if (err == OUTBOX_NO_DISK) {
		a->urgent = true; /* a commit tells what is wrong */
		return 0;
	}
	return err;
}

static void terminate(char *text, size_t size)
{
	text[size - 1] = '\0';
}

static int prepare(struct alerter *a, const int *fds, size_t n)
{
	if (n < 4 || a->start.conf.n_to > CONF_DESTINATIONS || a->start.conf.n_quiet > CONF_QUIET)
		return SKEP_EPEER;
	a->events = fds[0];
	a->hub = fds[1];
	a->courier = fds[2];
	terminate(a->start.sensor, sizeof(a->start.sensor));
	terminate(a->start.name, sizeof(a->start.name));
	a->wait_first_ns = a->start.retry_ms > 0 ? a->start.retry_ms * NS_PER_MS : WAIT_FIRST_NS;
	a->body = malloc(NOTIFY_BODY);
	if (a->body == NULL)
		return -ENOMEM;
	struct utsname host;
	if (uname(&host) == 0)
		text_copy(a->domain, sizeof(a->domain), host.nodename);
	tzset();             /* while there are files */
	json_object_seed(0); /* from a file: later no path can be opened but the outbox's */
	int err = open_facts(a, fds + 4, n - 4);
	if (err == 0)
		err = open_box(a, fds[3]);
	if (err == 0)
		err = intake_prepare(a);
	return err;
}

static void finish(struct alerter *a)
{
	outbox_close(&a->box);
	facts_close(&a->facts);
	arena_destroy(&a->arena);
	free(a->body);
	free(a);
}

int role_alerter(void)
{
	struct alerter *a = calloc(1, sizeof(*a));
	int fds[7];
	size_t n_fds = 0;
	log_setup("alerter", LOG_INFO);
	int err = a == NULL ? -ENOMEM : confine_early(0, false);
	if (err == 0)
		err = role_wait_start(ROLE_ALERTER, MSG_START_ALERTER, &a->start, sizeof(a->start),
				      fds, ARRAY_LEN(fds), &n_fds);
	if (err == 0)
		err = prepare(a, fds, n_fds);
	if (err == 0) {
		const struct syscall_row *const tables[] = {syscalls_common, syscalls_heap,
							    dbfile_syscalls, syscalls};
		err = confine_final(tables, ARRAY_LEN(tables));
	}
	const struct msg_ready ready = {(uint32_t)getpid()};
	if (err == 0)
		err = ipc_send(ROLE_SUPER_FD, MSG_READY, &ready, sizeof(ready), NULL, 0);
	if (err != 0) {
		log_line(LOG_ERROR, "alerter can't start: %s", err_text(err));
		if (a != NULL)
			finish(a);
		return 1;
	}
	beat_now(a, "start");
	while (turn(a))
		;
	drain(a);
	finish(a);
	err = ipc_send(ROLE_SUPER_FD, MSG_DONE, NULL, 0, NULL, 0);
	return err == 0 || err == -EPIPE ? 0 : 1;
}
