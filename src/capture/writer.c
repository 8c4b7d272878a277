/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ring of pcapng files inside a disk budget. Blocks are gathered in a buffer of 1 MiB; nothing is
 * allocated after creation.
 *
 * A full disk never damages a file: what write(2) did not take stays in the buffer and goes first
 * once there is room again; when the buffer is full, packets are dropped and counted; and a file
 * that must be closed with its tail unwritten is cut at the last whole block. The budget is kept by
 * reserving the whole of a new file before it is opened.
 */
#include "capture/capture_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES (1u << 20)
#define STATISTICS_BYTES 96u  /* of one interface, at most */
#define PACKET_OVERHEAD 96u   /* block head and tail, flags, drop count, end, padding */
#define CACHE_KEEP (8u << 20) /* of the file being written, what may stay in the page cache */
#define REMOVE_AT_ONCE 8
#define STUCK_NS (200 * NS_PER_MS) /* after a failed write, no new try for so long */

struct capture_writer {
	int dir_fd, fd;
	char name[32], part[FILE_NAME_MAX];
	struct capture_interface ports[CAPTURE_PORTS];
	size_t n_ports;
	uint64_t file_bytes, disk_bytes;
	int64_t file_age_ns;

	int64_t opened_ns, stuck_until_ns;
	uint32_t number; /* of the file, in its name */
	uint64_t offset; /* in the file: where the buffer's first byte goes */
	uint64_t file_packets, file_drops;
	uint64_t received[CAPTURE_PORTS], dropped[CAPTURE_PORTS]; /* of this file */
	uint64_t pending[CAPTURE_PORTS]; /* drops to be told with the next packet */
	struct capture_totals totals;

	size_t len, done; /* bytes in the buffer, bytes of them already in the file */
	uint8_t buf[BUFFER_BYTES];
	struct file_scan scan;
};

size_t capture_writer_bytes(void)
{
	return sizeof(struct capture_writer) + 64;
}

/* ---- the file --------------------------------------------------------------------------- */

/* "YYYYmmddTHHMMSS" in UTC. Not gmtime_r, which may allocate. */
static void stamp_text(int64_t ns, char ret[32])
{
	static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	int64_t s = ns / NS_PER_SEC, days = s / 86400;
	unsigned rest = (unsigned)(s % 86400), year = 1970, month = 11, leap;
	for (;; year++) {
		leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
		if (days < 365 + (int64_t)leap)
			break;
		days -= 365 + leap;
	}
	while (month > 0 && days < before[month] + (month > 1 ? leap : 0))
		month--;
	unsigned day = (unsigned)days - before[month] - (month > 1 ? leap : 0);
	snprintf(ret, 32, "%04u%02u%02uT%02u%02u%02u", year % 10000, month + 1, day + 1,
		 rest / 3600, rest / 60 % 60, rest % 60);
}

static int remove_one(struct capture_writer *w)
{
	int err = files_remove_oldest(&w->scan);
	if (err == 0)
		w->totals.removed++;
	return err;
}

/* Makes room in the budget for one more file. */
static int reserve_file(struct capture_writer *w)
{
	for (;;) {
		uint64_t total;
		int err = files_total(&w->scan, &total);
		if (err != 0)
			return err;
		if (total + w->file_bytes <= w->disk_bytes)
			return 0;
		if (remove_one(w) != 0)
			return -ENOSPC;
	}
}

static int create_part(struct capture_writer *w)
{
	char stamp[32];
	int fd = -1;
	stamp_text(w->opened_ns, stamp);
	for (unsigned tries = 0; tries < 1000; tries++) {
		char final[FILE_NAME_MAX - 8];
		struct stat st;
		w->number = w->number % 999999999 + 1;
		snprintf(final, sizeof(final), "%s-%s-%u.pcapng", w->name, stamp, w->number);
		snprintf(w->part, sizeof(w->part), "%s.part", final);
		if (fstatat(w->dir_fd, final, &st, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		fd = openat(w->dir_fd, w->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
		if (fd >= 0 || (errno != EEXIST && errno != ENOSPC))
			break;
		if (errno == ENOSPC && remove_one(w) != 0)
			return -ENOSPC;
	}
	return fd >= 0 ? fd : -errno;
}

static int open_file(struct capture_writer *w)
{
	int err = reserve_file(w);
	if (err != 0)
		return err;
	w->opened_ns = clock_wall_ns();
	int fd = create_part(w);
	if (fd < 0)
		return fd;
	w->fd = fd;
	w->offset = w->len = w->done = 0;
	w->file_packets = w->file_drops = 0;
	memset(w->received, 0, sizeof(w->received));
	w->len = capture_encode_section(w->buf, BUFFER_BYTES);
	for (size_t i = 0; i < w->n_ports; i++)
		w->len += capture_encode_interface(w->buf + w->len, BUFFER_BYTES - w->len,
						   &w->ports[i]);
	w->totals.files++;
	return 0;
}

/* Captures are written once and read rarely: they should not push anything else out of memory. */
static void release_cache(struct capture_writer *w, size_t n)
{
	sync_file_range(w->fd, (off_t)w->offset, (off_t)n, SYNC_FILE_RANGE_WRITE);
	if (w->offset > CACHE_KEEP)
		posix_fadvise(w->fd, 0, (off_t)(w->offset - CACHE_KEEP), POSIX_FADV_DONTNEED);
}

static int write_buffer(struct capture_writer *w)
{
	unsigned removed = 0;
	while (w->done < w->len) {
		ssize_t n = write(w->fd, w->buf + w->done, w->len - w->done);
		if (n > 0) {
			w->done += (size_t)n;
			continue;
		}
		int err = n < 0 ? errno : EIO;
		if (err == EINTR)
			continue;
		if ((err == ENOSPC || err == EDQUOT) && removed++ < REMOVE_AT_ONCE &&
		    remove_one(w) == 0)
			continue;
		w->stuck_until_ns = clock_boot_ns() + STUCK_NS;
		return err == EDQUOT ? -ENOSPC : -err;
	}
	release_cache(w, w->len);
	w->totals.bytes += w->len;
	w->offset += w->len;
	w->len = w->done = 0;
	return 0;
}

static bool stuck(const struct capture_writer *w)
{
	return w->stuck_until_ns != 0 && clock_boot_ns() < w->stuck_until_ns;
}

/* The tail of the buffer cannot be written: ends the file after its last whole block. */
static int cut_tail(struct capture_writer *w)
{
	size_t whole = 0;
	for (size_t at = 0; at < w->len;) {
		uint32_t head[2];
		memcpy(head, w->buf + at, sizeof(head));
		at += head[1];
		if (at <= w->done) {
			whole = at;
		} else if (head[0] == BLOCK_PACKET) {
			uint32_t interface;
			memcpy(&interface, w->buf + at - head[1] + 8, sizeof(interface));
			capture_note_drops(w, interface, 1);
			w->totals.dropped++;
			w->totals.packets--;
			w->file_packets--;
		}
	}
	w->len = w->done = 0;
	w->totals.bytes += whole;
	return ftruncate(w->fd, (off_t)(w->offset + whole)) < 0 ? -errno : 0;
}

static void put_statistics(struct capture_writer *w, int64_t now_ns)
{
	for (size_t i = 0; i < w->n_ports; i++)
		w->len += capture_encode_statistics(w->buf + w->len, BUFFER_BYTES - w->len,
						    (uint32_t)i, w->opened_ns, now_ns,
						    w->received[i], w->dropped[i]);
}

static int close_file(struct capture_writer *w, int64_t now_ns)
{
	int err = 0, failed;
	bool drops = w->file_drops > 0;
	if (w->len + w->n_ports * STATISTICS_BYTES > BUFFER_BYTES)
		err = write_buffer(w);
	if (err == 0) {
		put_statistics(w, now_ns);
		err = write_buffer(w);
	}
	/* What is lost from here on is for the next file to tell. */
	memset(w->dropped, 0, sizeof(w->dropped));
	if (err != 0 && (failed = cut_tail(w)) != 0)
		err = failed;
	fd_close(&w->fd);
	if (w->file_packets == 0 && !drops)
		failed = unlinkat(w->dir_fd, w->part, 0) < 0 ? -errno : 0;
	else
		failed = files_finish(w->dir_fd, w->part);
	return err != 0 ? err : failed;
}

/* ---- operations ------------------------------------------------------------------------- */

int capture_writer_create(struct arena *arena, int dir_fd, const char *name,
			  const struct capture_interface *ports, size_t n_ports,
			  uint64_t file_bytes, int64_t file_age_ns, uint64_t disk_bytes,
			  struct capture_writer **ret)
{
	if (n_ports > CAPTURE_PORTS || file_age_ns <= 0 || disk_bytes == 0)
		return SKEP_ERANGE;
	struct capture_writer *w = arena_alloc(arena, 1, sizeof(*w));
	if (w == NULL)
		return -ENOMEM;
	w->fd = -1;
	w->dir_fd = dir_fd;
	text_copy(w->name, sizeof(w->name), name);
	memcpy(w->ports, ports, n_ports * sizeof(ports[0]));
	w->n_ports = n_ports;
	/* At least three finished files beside the open one, or the past would go all at once. */
	w->file_bytes = file_bytes < disk_bytes / 4 ? file_bytes : disk_bytes / 4;
	w->file_age_ns = file_age_ns;
	w->disk_bytes = disk_bytes;
	w->scan.dir_fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->scan.dir_fd < 0)
		return -errno;
	int adopted = files_adopt(&w->scan, w->buf, BUFFER_BYTES);
	w->totals.adopted = adopted > 0 ? (uint64_t)adopted : 0;
	int err = open_file(w);
	/* A full disk may get room again; a folder that cannot be written is for the operator. */
	if (err != 0 && err != -ENOSPC) {
		fd_close(&w->scan.dir_fd);
		return err;
	}
	*ret = w;
	return 0;
}

/* An open file with need bytes left in it, and in the buffer. */
static int make_room(struct capture_writer *w, size_t need)
{
	int err = 0;
	if (w->fd >= 0 && w->file_packets > 0 &&
	    w->offset + w->len + need + w->n_ports * STATISTICS_BYTES > w->file_bytes) {
		if (stuck(w))
			return -ENOSPC;
		/* Trouble in closing costs this file's tail (counted); the next one may fare
		 * better. */
		int64_t now = clock_wall_ns();
		if (close_file(w, now) != 0)
			w->stuck_until_ns = clock_boot_ns() + STUCK_NS;
	}
	if (w->fd < 0) {
		if (stuck(w))
			return -ENOSPC;
		err = open_file(w);
		if (err != 0)
			w->stuck_until_ns = clock_boot_ns() + STUCK_NS;
	}
	if (err == 0 && w->len + need > BUFFER_BYTES)
		err = stuck(w) ? -ENOSPC : write_buffer(w);
	return err;
}

int capture_write(struct capture_writer *w, const struct capture_packet *p)
{
	if (p->interface >= w->n_ports || p->len > CAPTURE_SNAP)
		return SKEP_ERANGE;
	struct capture_packet out = *p;
	size_t need = p->len + PACKET_OVERHEAD + (p->comment != NULL ? strlen(p->comment) : 0);
	int err = need > BUFFER_BYTES / 2 ? SKEP_ERANGE : make_room(w, need);
	capture_note_drops(w, p->interface, p->drops + (err != 0));
	if (err != 0) {
		w->totals.dropped++;
		return err;
	}
	out.drops = w->pending[p->interface];
	w->len += capture_encode_packet(w->buf + w->len, BUFFER_BYTES - w->len, &out);
	w->pending[p->interface] = 0;
	w->received[p->interface]++;
	w->file_packets++;
	w->totals.packets++;
	return 0;
}

void capture_note_drops(struct capture_writer *w, uint32_t interface, uint64_t n)
{
	if (interface >= w->n_ports || n == 0)
		return;
	w->pending[interface] += n;
	w->dropped[interface] += n;
	w->file_drops += n;
}

int capture_flush(struct capture_writer *w, int64_t now_ns)
{
	if (w->fd < 0)
		return 0;
	if (now_ns < w->opened_ns)
		w->opened_ns = now_ns; /* the clock was set back */
	if (w->file_packets > 0 && now_ns - w->opened_ns >= w->file_age_ns && !stuck(w)) {
		int err = close_file(w, now_ns);
		return err != 0 ? err : open_file(w);
	}
	return stuck(w) ? -ENOSPC : write_buffer(w);
}

int capture_close(struct capture_writer *w)
{
	int err = w->fd >= 0 ? close_file(w, clock_wall_ns()) : 0;
	fd_close(&w->scan.dir_fd);
	return err;
}

void capture_read_totals(const struct capture_writer *w, struct capture_totals *ret)
{
	*ret = w->totals;
}
