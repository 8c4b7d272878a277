/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guests' monitors send. A guest gets its turn, a bounded one, and a budget of bytes a second: beyond it
 * its socket is not read, QEMU stops taking bytes from the guest, and the monitor in it drops and counts.
 */
#include "role/collector/collector_priv.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define TURN_BYTES (128u << 10)
#define TURN_RECORDS 2048u
#define BYTES_MOST (16.0 * (1 << 20))
#define BYTES_PER_S (4.0 * (1 << 20))
#define ANEW_BYTES (256.0 * 1024) /* a monitor's new life is as much work as so many bytes */

static void take(struct collector *c, uint32_t guest, const struct sensor_record *r, int64_t now_ns)
{
	int64_t wall = clock_wall_ns();
	if (r->type == SENSOR_HELLO) {
		/* Another life of the monitor, or of the guest: visits count anew. */
		session_monitor_anew(c->book, guest, wall);
		c->guests[guest].read.left -= ANEW_BYTES;
	}
	uint64_t session = session_record(c->book, guest, r, wall);
	crosscheck_record(c->check, guest, r, session, wall);
	c->guests[guest].monitor_ns = now_ns;
}

/* Records that are whole, as far as the turn goes. True: there may be more. */
static bool take_records(struct collector *c, uint32_t guest, uint32_t *n, int64_t now_ns)
{
	struct sensor_record r;
	while (*n < TURN_RECORDS) {
		if (!sensor_next(&c->guests[guest].parser, &r))
			return false;
		take(c, guest, &r, now_ns);
		(*n)++;
	}
	return true;
}

bool serial_ready(struct feed *f, int64_t now_ns)
{
	return f->fd >= 0 && budget_take(&f->read, 0, now_ns) && f->read.left >= 1;
}

bool serial_read(struct collector *c, uint32_t guest, int64_t now_ns)
{
	struct feed *f = &c->guests[guest];
	size_t room, got = 0;
	uint32_t records = 0;
	bool more = take_records(c, guest, &records, now_ns);
	while (!more && got < TURN_BYTES) {
		void *to = sensor_room(&f->parser, &room);
		ssize_t n = room == 0 ? 0 : read(f->fd, to, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 || (n < 0 && errno != EAGAIN))
			fd_close(&f->fd); /* QEMU is gone; super says so too */
		if (n <= 0)
			break;
		got += (size_t)n;
		f->read.left -= (double)n; /* may go below nothing, once */
		sensor_filled(&f->parser, (size_t)n);
		more = take_records(c, guest, &records, now_ns);
	}
	crosscheck_stream(c->check, guest, &f->parser, clock_wall_ns());
	return (more || got >= TURN_BYTES) && serial_ready(f, now_ns);
}

void serial_change(struct collector *c, uint32_t guest, bool runs, int fd, int64_t now_ns)
{
	struct feed *f = &c->guests[guest];
	/* What is in the pipe was said before its end. */
	while (f->fd >= 0 && serial_read(c, guest, now_ns))
		;
	fd_close(&f->fd);
	if (f->runs)
		session_guest_gone(c->book, guest, clock_wall_ns());
	memset(&f->parser, 0, sizeof(f->parser));
	f->junk_told = f->gaps_told = 0;
	f->monitor_ns = f->shell_ns = f->syslog_ns = 0; /* of this machine nothing was heard */
	f->runs = runs;
	f->fd = fd;
	budget_set(&f->read, BYTES_MOST, BYTES_PER_S, now_ns);
	crosscheck_guest(c->check, guest, runs, clock_wall_ns());
}
