/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recorder: everything that crosses a port, as it was delivered, into pcapng files; with what the
 * wall made of it as a comment. It can't send a packet, and nobody waits for it.
 *
 * Frames are taken HOLD_NS after their stamp: by then the kernel has handed over every block that
 * may hold an older one, and the wall's marks have arrived. So the rings can be merged into one
 * file in order of time. When a ring is more than half full, frames are taken before that, until
 * it is not: then a mark may come too late, and frames of different ports stand out of order.
 */
#include "role/role.h"
#include "sys/sys.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOLD_NS ((CAPTURE_RETIRE_MS + 40) * NS_PER_MS)
#define STOP_WAIT_MS (CAPTURE_RETIRE_MS + 15)
#define STOP_MAX_NS (2 * NS_PER_SEC)
#define FLUSH_NS (200 * NS_PER_MS)
#define LOST_EVENT_NS NS_PER_SEC
#define DISK_EVENT_NS (30 * NS_PER_SEC)
#define FRAMES_AT_ONCE 4096u /* then control messages get their turn */
#define FILE_PREFIX "skep"

struct source { /* one port */
	struct capture_ring ring;
	struct capture_packet head; /* its oldest frame, if has_head */
	bool has_head;
	uint8_t *scratch;
};

struct recorder {
	int events, folder;
	uint32_t n_ports;
	uint64_t ring_bytes;
	char names[CAPTURE_PORTS][32];
	struct source sources[CAPTURE_PORTS];
	const struct mark_ring *marks;
	struct mark_table *table;
	uint64_t cursor, marks_lost;
	struct capture_writer *writer;
	struct arena arena;
	uint64_t lost_frames; /* not yet told */
	uint64_t events_lost;
	int64_t flushed_ns, lost_told_ns, disk_told_ns; /* boot clock */
	int disk_error;
	bool stop, orphan;
};

static const struct syscall_row syscalls[] = {
	{"uname", -1, 0}, /* each file names the system it was made on */
	{"openat", -1, 0},
	{"newfstatat", -1, 0},
	{"fstat", -1, 0},
	{"lseek", -1, 0},
	{"getdents64", -1, 0},
	{"unlinkat", -1, 0},
	{"renameat2", -1, 0},
	{"ftruncate", -1, 0},
	{"sync_file_range", -1, 0},
	{"fadvise64", -1, 0},
	{"getsockopt", 1, SOL_PACKET},
	{"getsockopt", 1, SOL_SOCKET},
	{"mmap", 2, PROT_READ | PROT_WRITE}, /* the ring of a port that was made again */
	{NULL, -1, 0},
};

/* ---- telling ---------------------------------------------------------------------------- */

static void say(struct recorder *r, const char *what, uint64_t count, const char *text)
{
	struct event e = event_new(EVENT_HEALTH);
	e.priority = 1;
	text_copy(e.u.health.role, sizeof(e.u.health.role), "recorder");
	text_copy(e.u.health.what, sizeof(e.u.health.what), what);
	e.u.health.count = count;
	e.u.health.exit_code = e.u.health.signal = -1;
	event_say(&e, "%s", text);
	role_emit(r->events, &e, &r->events_lost);
}

static void tell_losses(struct recorder *r, int64_t now)
{
	char text[EVENT_TEXT];
	struct writer w = writer_of(text, sizeof(text));
	if (r->lost_frames > 0 &&
	    (r->lost_told_ns == 0 || now - r->lost_told_ns >= LOST_EVENT_NS)) {
		write_fmt(&w, "%llu frames are missing in the captures",
			  (unsigned long long)r->lost_frames);
		say(r, "lost", r->lost_frames, text);
		r->lost_frames = 0;
		r->lost_told_ns = now;
	}
	if (r->disk_error != 0 &&
	    (r->disk_told_ns == 0 || now - r->disk_told_ns >= DISK_EVENT_NS)) {
		w = writer_of(text, sizeof(text));
		write_fmt(&w, "captures can't be written: %s; make room on the disk",
			  err_text(r->disk_error));
		say(r, "disk", 1, text);
		r->disk_told_ns = now;
		r->disk_error = 0;
	}
}

/* ---- frames ----------------------------------------------------------------------------- */

static void record(struct recorder *r, uint32_t port)
{
	struct source *s = &r->sources[port];
	struct capture_packet *p = &s->head;
	char comment[MARK_TEXT];
	struct mark m;

	p->interface = port;
	if (!p->outbound && mark_table_take(r->table, (uint16_t)port, p, &m)) {
		mark_text(&m, comment);
		p->comment = comment;
	}
	int err = capture_write(r->writer, p);
	if (err != 0) {
		r->lost_frames++;
		r->disk_error = err;
	}
	s->has_head = false;
	capture_ring_pop(&s->ring);
}

/* The port with the oldest frame, or -1. */
static int oldest(struct recorder *r)
{
	int best = -1;
	for (uint32_t i = 0; i < r->n_ports; i++) {
		struct source *s = &r->sources[i];
		if (!s->has_head)
			s->has_head = capture_ring_peek(&s->ring, s->scratch, &s->head);
		if (s->has_head && (best < 0 || s->head.stamp_ns < r->sources[best].head.stamp_ns))
			best = (int)i;
	}
	return best;
}

/* Does a ring have that much to be taken? */
static bool pressed(const struct recorder *r, unsigned quarters)
{
	for (uint32_t i = 0; i < r->n_ports; i++)
		if (capture_ring_pressed(&r->sources[i].ring, quarters))
			return true;
	return false;
}

/* Records what is older than the hold time. Returns the ms until the next frame is due (0: now, -1:
 * there is none). */
static int take_frames(struct recorder *r, int64_t hold_ns)
{
	int64_t until = clock_wall_ns() - hold_ns;
	mark_table_fill(r->table, r->marks, &r->cursor, &r->marks_lost);
	for (unsigned n = 0; n < FRAMES_AT_ONCE; n++) {
		int port = oldest(r);
		if (port < 0)
			return -1;
		if (r->sources[port].head.stamp_ns > until && !pressed(r, 2))
			return pressed(r, 1) ? 1 : 5; /* rings fill meanwhile */
		record(r, (uint32_t)port);
	}
	return 0;
}

static void collect_drops(struct recorder *r)
{
	for (uint32_t i = 0; i < r->n_ports; i++) {
		uint64_t n = capture_ring_drops(&r->sources[i].ring);
		capture_note_drops(r->writer, i, n);
		r->lost_frames += n;
	}
}

static void housekeep(struct recorder *r, int64_t now)
{
	if (now - r->flushed_ns < FLUSH_NS)
		return;
	r->flushed_ns = now;
	collect_drops(r);
	int err = capture_flush(r->writer, clock_wall_ns());
	if (err != 0)
		r->disk_error = err;
	tell_losses(r, now);
}

/* ---- control ---------------------------------------------------------------------------- */

/* A port got a new descriptor: what the old ring holds is recorded first. */
static void change_port(struct recorder *r, uint32_t port, int fd)
{
	struct source *s = &r->sources[port];
	int old = s->ring.fd;
	if (old >= 0) {
		while (s->has_head || capture_ring_peek(&s->ring, s->scratch, &s->head))
			record(r, port);
		uint64_t n = capture_ring_drops(&s->ring);
		capture_note_drops(r->writer, port, n);
		r->lost_frames += n;
		capture_ring_detach(&s->ring);
		fd_close(&old);
	}
	if (fd < 0)
		return;
	int err = capture_ring_attach(&s->ring, fd, r->ring_bytes);
	if (err != 0) {
		char text[EVENT_TEXT];
		struct writer w = writer_of(text, sizeof(text));
		write_fmt(&w, "port %s is not recorded: %s", r->names[port], err_text(err));
		say(r, "lost", 0, text);
		fd_close(&fd);
	}
}

static void control(struct recorder *r)
{
	struct msg_port port;
	struct ipc_msg m;
	int err = ipc_recv(ROLE_SUPER_FD, &role_messages, ROLE_BIT(ROLE_SUPER),
			   ROLE_BIT(ROLE_RECORDER), &port, sizeof(port), &m);
	if (err == -EAGAIN)
		return;
	if (err != 0) { /* super is gone, or has gone mad: end in good order */
		r->stop = r->orphan = true;
		return;
	}
	if (m.type == MSG_STOP)
		r->stop = true;
	else if (m.type == MSG_PORT && port.index < r->n_ports)
		change_port(r, port.index, m.n_fds > 0 ? fd_take(&m.fds[0]) : -1);
	ipc_msg_done(&m);
}

/* Waits for control messages; for frames too, if none is at hand (a ring with frames in it would
 * wake us at once, over and over). */
static void wait_for_work(struct recorder *r, int due_ms)
{
	struct pollfd pfds[1 + CAPTURE_PORTS] = {{.fd = ROLE_SUPER_FD, .events = POLLIN}};
	nfds_t n = 1;
	for (uint32_t i = 0; due_ms < 0 && i < r->n_ports; i++)
		pfds[n++] = (struct pollfd){.fd = r->sources[i].ring.fd, .events = POLLIN};
	if (poll(pfds, n, due_ms >= 0 ? due_ms : (int)(FLUSH_NS / NS_PER_MS)) <= 0)
		return;
	for (nfds_t i = 1; i < n; i++) {
		int gone;
		socklen_t len = sizeof(gone);
		/* The interface went away or down: reading the error ends the alarm. */
		if ((pfds[i].revents & POLLERR) != 0 &&
		    getsockopt(pfds[i].fd, SOL_SOCKET, SO_ERROR, &gone, &len) < 0)
			continue;
	}
	if (pfds[0].revents != 0)
		control(r);
}

static void run(struct recorder *r)
{
	while (!r->stop) {
		int due_ms = take_frames(r, HOLD_NS);
		housekeep(r, clock_boot_ns());
		wait_for_work(r, due_ms);
	}
	/* The kernel hands over its last blocks; what arrives after that is nobody's any more. */
	poll(NULL, 0, STOP_WAIT_MS);
	int64_t end_ns = clock_boot_ns() + STOP_MAX_NS;
	while (take_frames(r, 0) == 0 && clock_boot_ns() < end_ns)
		;
	collect_drops(r);
	int err = capture_close(r->writer);
	if (err != 0)
		r->disk_error = err;
	r->lost_told_ns = r->disk_told_ns = 0;
	tell_losses(r, clock_boot_ns());
}

/* ---- start ------------------------------------------------------------------------------ */

static int prepare_sources(struct recorder *r, const struct start_recorder *start, int *fds)
{
	r->n_ports = start->n_ports;
	r->ring_bytes = start->conf.ring_bytes;
	for (uint32_t i = 0; i < CAPTURE_PORTS; i++)
		r->sources[i].ring.fd = -1;
	for (uint32_t i = 0; i < r->n_ports; i++) {
		struct source *s = &r->sources[i];
		text_copy(r->names[i], sizeof(r->names[i]), start->ports[i].name);
		s->scratch = arena_alloc(&r->arena, 1, CAPTURE_SNAP);
		if (s->scratch == NULL)
			return -ENOMEM;
		int err = capture_ring_attach(&s->ring, fds[i], r->ring_bytes);
		if (err != 0)
			return err;
	}
	return 0;
}

static int prepare(struct recorder *r, const struct start_recorder *start, int *fds, size_t n_fds)
{
	void *shared;
	struct capture_totals totals;
	if (start->n_ports > CAPTURE_PORTS || n_fds != 3 + start->n_ports)
		return SKEP_EPEER;
	r->events = fds[0];
	r->folder = fds[2];
	int err = shm_map(fds[1], mark_ring_bytes(), false, &shared);
	if (err != 0)
		return err;
	r->marks = mark_ring_at(shared);
	if ((err = mark_table_create(&r->arena, &r->table)) != 0 ||
	    (err = prepare_sources(r, start, fds + 3)) != 0)
		return err;
	err = confine_folder(r->folder);
	if (err == SKEP_EUNSUPPORTED)
		log_line(LOG_WARN,
			 "this kernel has no Landlock: the filter alone confines recorder");
	else if (err != 0)
		return err;
	err = capture_writer_create(&r->arena, r->folder, FILE_PREFIX, start->ports, r->n_ports,
				    start->conf.file_bytes, start->conf.file_age_ns,
				    start->conf.disk_bytes, &r->writer);
	if (err != 0)
		return err;
	capture_read_totals(r->writer, &totals);
	if (totals.adopted > 0)
		log_line(LOG_INFO, "captures that an earlier recorder left open: %llu, closed",
			 (unsigned long long)totals.adopted);
	return 0;
}

int role_recorder(void)
{
	static const struct syscall_row *const tables[] = {syscalls_common, syscalls};
	struct recorder *r = calloc(1, sizeof(*r));
	struct start_recorder *start = calloc(1, sizeof(*start));
	int fds[3 + CAPTURE_PORTS];
	size_t n_fds = 0;

	log_setup("recorder", LOG_INFO);
	int err = r != NULL && start != NULL ? confine_early(0, false) : -ENOMEM;
	if (err == 0)
		err = arena_create(mark_table_bytes() + CAPTURE_PORTS * (size_t)CAPTURE_SNAP +
					   capture_writer_bytes() + 65536,
				   &r->arena);
	if (err == 0)
		err = role_wait_start(ROLE_RECORDER, MSG_START_RECORDER, start, sizeof(*start), fds,
				      ARRAY_LEN(fds), &n_fds);
	if (err == 0)
		err = prepare(r, start, fds, n_fds);
	if (err == 0)
		err = confine_final(tables, ARRAY_LEN(tables));
	const struct msg_ready ready = {(uint32_t)getpid()};
	if (err == 0) {
		heap_seal();
		err = ipc_send(ROLE_SUPER_FD, MSG_READY, &ready, sizeof(ready), NULL, 0);
	}
	if (err != 0) {
		log_line(LOG_ERROR, "recorder can't start: %s", err_text(err));
		return 1;
	}
	run(r);
	if (!r->orphan)
		err = ipc_send(ROLE_SUPER_FD, MSG_DONE, NULL, 0, NULL, 0);
	free(start);
	free(r);
	return err == 0 || err == -EPIPE ? 0 : 1;
}
