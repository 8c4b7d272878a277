/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keeper: one per guest. Speaks QMP to its QEMU, keeps the console's last output, tells what becomes
 * of the guest. QEMU itself is super's child: a keeper that dies takes nothing with it, and its
 * successor gets the same sockets. What QEMU and the console say is hostile: lines are bounded, and
 * events that a guest can cause at will have a budget.
 */
#include "guest/guest.h"
#include "role/role.h"
#include "sys/sys.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONSOLE_MAX (256u << 10) /* size of the log file at which it starts anew ... */
#define CONSOLE_KEEP (64u << 10) /* ... with this much of the latest output */
#define EVENTS_PER_MINUTE 20
#define OVERLAY_NODE "overlay-file" /* guest/command.c names it so */

struct keeper {
	struct start_keeper start;
	int events, console_log, qmp, console;
	uint64_t lost, next_id, status_id;
	bool kvm, stopping, skip_line;
	int64_t quit_at_ns; /* 0: no shutdown under way */
	int64_t minute_ns;
	uint32_t minute_events, unsaid;
	uint32_t restarts;
	size_t line_len, tail_len;
	off_t log_size;
	char line[QMP_LINE_MAX];
	char tail[CONSOLE_KEEP];
};

static void say(struct keeper *k, const char *state, uint8_t priority, const char *text)
{
	int64_t now = clock_boot_ns();
	struct event e = event_new(EVENT_GUEST);
	if (now - k->minute_ns > 60 * NS_PER_SEC) {
		k->minute_ns = now;
		k->minute_events = 0;
	}
	/* Urgent ones get more, not endless: a QEMU in an intruder's hands can say those too. */
	uint32_t most = priority < 2 ? EVENTS_PER_MINUTE : 2 * EVENTS_PER_MINUTE;
	if (k->minute_events++ >= most) {
		k->unsaid++;
		return;
	}
	e.priority = priority;
	text_copy(e.u.guest.guest, sizeof(e.u.guest.guest), k->start.guest);
	text_copy(e.u.guest.state, sizeof(e.u.guest.state), state);
	text_copy(e.u.guest.accel, sizeof(e.u.guest.accel), k->kvm ? "kvm" : "tcg");
	e.u.guest.restarts = k->restarts;
	if (k->unsaid > 0)
		event_say(&e, "%s (%u events before it were not reported)", text, k->unsaid);
	else
		event_say(&e, "%s", text);
	k->unsaid = 0;
	role_emit(k->events, &e, &k->lost);
}

static void tell_super(const char *state)
{
	struct msg_guest m = {0};
	text_copy(m.state, sizeof(m.state), state);
	/* A full queue means super is busy; the next change of state tells it all the same. */
	(void)!ipc_send(ROLE_SUPER_FD, MSG_GUEST, &m, sizeof(m), NULL, 0);
}

static uint64_t ask(struct keeper *k, const char *verb, const char *args)
{
	char buf[512];
	uint64_t id = ++k->next_id;
	if (k->qmp < 0 || qmp_command(buf, sizeof(buf), verb, args, id) != 0)
		return 0;
	size_t len = strlen(buf);
	return send(k->qmp, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len ? id : 0;
}

/* ---- what QEMU says ------------------------------------------------------------------------- */

static const struct {
	const char *event, *state, *text;
	uint8_t priority;
} qemu_events[] = {
	{"STOP", "paused", "the guest stands still", 1},
	{"RESUME", "running", "the guest goes on", 0},
	{"RESET", "reset", "the guest restarted itself", 1},
	{"POWERDOWN", "powerdown", "the guest was asked to shut down", 0},
	{"SHUTDOWN", "shutdown", "the guest shut down", 1},
	{"GUEST_PANICKED", "panicked", "the guest's kernel panicked", 2},
	{"WATCHDOG", "watchdog", "the guest's watchdog fired", 1},
	{"BLOCK_IO_ERROR", "io-error", "a disk of the guest failed", 2},
	{"BLOCK_WRITE_THRESHOLD", "disk-full",
	 "the guest filled its disk overlay and was paused (overlay_max)", 2},
};

static void handle_event(struct keeper *k, const struct qmp_message *m)
{
	for (size_t i = 0; i < ARRAY_LEN(qemu_events); i++) {
		if (strcmp(qemu_events[i].event, m->name) != 0)
			continue;
		char text[EVENT_TEXT];
		struct writer w = writer_of(text, sizeof(text));
		write_str(&w, qemu_events[i].text);
		if (m->text[0] != '\0')
			write_fmt(&w, " (%s)", m->text);
		say(k, qemu_events[i].state, qemu_events[i].priority, text);
		tell_super(qemu_events[i].state);
		if (strcmp(m->name, "BLOCK_WRITE_THRESHOLD") == 0)
			ask(k, "stop", NULL);
		return;
	}
}

static void handle_line(struct keeper *k, const char *line, size_t len)
{
	struct qmp_message m;
	if (qmp_parse(line, len, &m) != 0)
		return;
	if (m.kind == QMP_EVENT)
		handle_event(k, &m);
	else if (m.kind == QMP_RETURN && m.id != 0 && m.id == k->status_id && m.status[0] != '\0')
		tell_super(m.status);
}

static void read_qmp(struct keeper *k)
{
	ssize_t n =
		recv(k->qmp, k->line + k->line_len, sizeof(k->line) - k->line_len, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		fd_close(&k->qmp); /* super tells us when QEMU is back */
		return;
	}
	if (n < 0)
		return;
	k->line_len += (size_t)n;
	char *start = k->line, *end = k->line + k->line_len, *nl;
	while ((nl = memchr(start, '\n', (size_t)(end - start))) != NULL) {
		if (!k->skip_line)
			handle_line(k, start, (size_t)(nl - start));
		k->skip_line = false;
		start = nl + 1;
	}
	k->line_len = (size_t)(end - start);
	memmove(k->line, start, k->line_len);
	if (k->line_len == sizeof(k->line)) { /* longer than any honest line */
		k->line_len = 0;
		k->skip_line = true;
	}
}

/* ---- console --------------------------------------------------------------------------------- */

/* The last CONSOLE_KEEP bytes, for when the file starts anew. */
static void keep_tail(struct keeper *k, const char *buf, size_t n)
{
	if (k->tail_len + n > sizeof(k->tail)) {
		size_t drop = k->tail_len + n - sizeof(k->tail);
		memmove(k->tail, k->tail + drop, k->tail_len - drop);
		k->tail_len -= drop;
	}
	memcpy(k->tail + k->tail_len, buf, n);
	k->tail_len += n;
}

static void read_console(struct keeper *k)
{
	char buf[4096];
	ssize_t n = read(k->console, buf, sizeof(buf));
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		fd_close(&k->console);
		return;
	}
	if (n < 0)
		return;
	keep_tail(k, buf, (size_t)n);
	const char *data = buf;
	size_t len = (size_t)n;
	if (k->log_size + n > (off_t)CONSOLE_MAX && ftruncate(k->console_log, 0) == 0) {
		k->log_size = 0;
		data = k->tail;
		len = k->tail_len;
	}
	ssize_t done = pwrite(k->console_log, data, len, k->log_size);
	if (done > 0)
		k->log_size += done; /* a full disk loses console output, nothing else */
}

/* ---- what super says -------------------------------------------------------------------------- */

static void qemu_started(struct keeper *k, struct ipc_msg *m)
{
	char args[128];
	struct writer w = writer_of(args, sizeof(args));
	fd_close(&k->qmp);
	fd_close(&k->console);
	k->qmp = m->n_fds > 0 ? fd_take(&m->fds[0]) : -1;
	k->console = m->n_fds > 1 ? fd_take(&m->fds[1]) : -1;
	k->line_len = 0;
	k->skip_line = k->stopping = false;
	k->quit_at_ns = 0;
	/* Right after QEMU's start this answers its greeting; after a restart of ours it is refused,
	 * which does no harm. */
	ask(k, "qmp_capabilities", NULL);
	if (k->start.overlay_max_bytes > 0) {
		write_fmt(&w, "{\"node-name\":\"" OVERLAY_NODE "\",\"write-threshold\":%llu}",
			  (unsigned long long)k->start.overlay_max_bytes);
		ask(k, "block-set-write-threshold", args);
	}
	k->status_id = ask(k, "query-status", NULL);
}

static void handle_qemu(struct keeper *k, struct ipc_msg *m)
{
	const struct msg_qemu *q = m->payload;
	char text[128];
	struct writer w = writer_of(text, sizeof(text));
	k->kvm = q->kvm != 0;
	k->restarts = q->restarts;
	switch (q->state) {
	case QEMU_STARTED:
		qemu_started(k, m);
		break;
	case QEMU_DIED:
		fd_close(&k->qmp);
		if (k->stopping) /* any other death is super's to tell */
			say(k, "stopped", 0, "the guest was stopped");
		break;
	case QEMU_STOP:
		k->stopping = true;
		write_fmt(&w, "asked to shut down; it has %u ms", k->start.stop_grace_ms);
		say(k, "stopping", 0, text);
		if (k->start.stop_grace_ms > 0)
			ask(k, "system_powerdown", NULL);
		k->quit_at_ns = clock_boot_ns() + k->start.stop_grace_ms * NS_PER_MS;
		break;
	default:
		break;
	}
}

/* false: time to end. */
static bool read_super(struct keeper *k)
{
	struct msg_qemu payload;
	struct ipc_msg m;
	int err = ipc_recv(ROLE_SUPER_FD, &role_messages, ROLE_BIT(ROLE_SUPER),
			   ROLE_BIT(ROLE_KEEPER), &payload, sizeof(payload), &m);
	if (err == -EAGAIN)
		return true;
	if (err != 0)
		return false;
	bool go_on = m.type != MSG_STOP;
	if (m.type == MSG_QEMU)
		handle_qemu(k, &m);
	ipc_msg_done(&m);
	return go_on;
}

static void check_grace(struct keeper *k)
{
	if (k->quit_at_ns == 0 || clock_boot_ns() < k->quit_at_ns)
		return;
	k->quit_at_ns = 0;
	ask(k, "quit", NULL);
}

static int run(struct keeper *k)
{
	for (;;) {
		struct pollfd fds[3] = {{.fd = ROLE_SUPER_FD, .events = POLLIN},
					{.fd = k->qmp, .events = POLLIN},
					{.fd = k->console, .events = POLLIN}};
		int timeout = k->quit_at_ns != 0 ? 100 : -1;
		if (poll(fds, 3, timeout) < 0 && errno != EINTR)
			return 1;
		if (fds[1].revents != 0)
			read_qmp(k);
		if (k->console >= 0 && fds[2].revents != 0)
			read_console(k);
		if (fds[0].revents != 0 && !read_super(k))
			return 0;
		check_grace(k);
	}
}

/* jansson allocates while it parses, so the heap stays open; its size is bounded by the line. */
static const struct syscall_row keeper_syscalls[] = {
	{"recvfrom", -1, 0}, {"sendto", -1, 0},    {"recvmsg", -1, 0}, {"sendmsg", -1, 0},
	{"pwrite64", -1, 0}, {"ftruncate", -1, 0}, {NULL, -1, 0},
};

int role_keeper(void)
{
	static const struct syscall_row *const tables[] = {syscalls_common, syscalls_heap,
							   keeper_syscalls};
	/* One per process, too large for the stack. */
	struct arena arena;
	struct msg_ready ready = {.pid = (uint32_t)getpid()};
	int fds[2];
	size_t n_fds;
	log_setup("keeper", LOG_INFO);
	if (confine_early(0, false) != 0 || arena_create(sizeof(struct keeper) + 64, &arena) != 0)
		return 1;
	struct keeper *k = arena_alloc(&arena, 1, sizeof(*k));
	if (k == NULL)
		return 1;
	int err = role_wait_start(ROLE_KEEPER, MSG_START_KEEPER, &k->start, sizeof(k->start), fds,
				  2, &n_fds);
	if (err != 0 || n_fds != 2) {
		log_line(LOG_ERROR, "no start message: %s", err_text(err));
		return 1;
	}
	k->start.guest[sizeof(k->start.guest) - 1] = '\0';
	k->events = fds[0];
	k->console_log = fds[1];
	k->qmp = k->console = -1;
	k->log_size = lseek(k->console_log, 0, SEEK_END);
	json_object_seed(0); /* draws its seed from a file: later the filter would not let it */
	err = confine_final(tables, ARRAY_LEN(tables));
	if (err != 0) {
		log_line(LOG_ERROR, "no system-call filter: %s", err_text(err));
		return 1;
	}
	err = ipc_send(ROLE_SUPER_FD, MSG_READY, &ready, sizeof(ready), NULL, 0);
	int code = err == 0 ? run(k) : 1;
	(void)!ipc_send(ROLE_SUPER_FD, MSG_DONE, NULL, 0, NULL, 0);
	arena_destroy(&arena);
	return code;
}
