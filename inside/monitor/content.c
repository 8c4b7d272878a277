/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files that visits bring: opened as soon as they are told, so that deleting them comes too late, and sent
 * piece by piece while nothing else waits. Each state of a file once; a queue of a fixed length, and what
 * finds no place in it is counted.
 */
#include "monitor/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUEUE 128
#define SEEN 1024
#define PATH 1024
#define LONGEST (32u << 20) /* bytes that are sent of a file */
#define PIECE 7000u
#define WAITING (16u << 10) /* more than that in the ship: everything else first */
#define PER_MS 640u         /* bytes: less than ship.c takes of this kind */
#define BURST (256u << 10)

struct content_file {
	int fd;
	uint32_t pid;
	uint64_t visit, file, offset, size;
	char path[PATH];
};
struct monitor_content {
	struct content_file queue[QUEUE]; /* a ring */
	uint32_t first, n;
	uint64_t seen[SEEN]; /* hashes of states of files, a ring */
	uint32_t seen_at;
	uint64_t files, then_ns, budget;
};

/* Logs that every visit makes longer; what they say comes by other ways. */
static bool boring(const char *path)
{
	static const char *const begin[] = {"/var/log/", "/run/", "/var/run/",
					    "/proc/",    "/sys/", "/dev/pts/"};

	for (size_t i = 0; i < ARRAY_LEN(begin); i++)
		if (strncmp(path, begin[i], strlen(begin[i])) == 0)
			return true;
	return false;
}

static uint64_t state_of(const struct stat *s)
{
	const uint64_t words[] = {s->st_dev, s->st_ino, (uint64_t)s->st_mtim.tv_sec,
				  (uint64_t)s->st_mtim.tv_nsec, (uint64_t)s->st_size};
	uint64_t h = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		for (unsigned bit = 0; bit < 64; bit += 8)
			h = (h ^ (words[i] >> bit & 255)) * 0x100000001b3ull;
	return h ? h : 1;
}

static bool seen(struct monitor_content *c, uint64_t state)
{
	for (uint32_t i = 0; i < SEEN; i++)
		if (c->seen[i] == state)
			return true;
	c->seen[c->seen_at] = state;
	c->seen_at = (c->seen_at + 1) % SEEN;
	return false;
}

static struct monitor_content *content_of(struct monitor *m)
{
	if (!m->content)
		m->content = calloc(1, sizeof(*m->content));
	return m->content;
}

/* Takes fd; inode 0: whatever it is. */
static void enqueue(struct monitor *m, const struct sensor_proc *p, int fd, uint64_t inode,
		    const char *path)
{
	struct monitor_content *c = content_of(m);
	struct stat s;

	if (!c || fstat(fd, &s) || !S_ISREG(s.st_mode) || s.st_size == 0 ||
	    (inode && s.st_ino != inode) || seen(c, state_of(&s))) {
		close(fd);
		return;
	}
	if (c->n == QUEUE) {
		ship_lost(&m->ship, SENSOR_CONTENT, 1, (uint64_t)s.st_size);
		close(fd);
		return;
	}
	struct content_file *f = &c->queue[(c->first + c->n++) % QUEUE];

	*f = (struct content_file){.fd = fd,
				   .pid = p->pid,
				   .visit = p->visit,
				   .file = ++c->files,
				   .size = (uint64_t)s.st_size};
	snprintf(f->path, sizeof(f->path), "%s", path);
}

/* A text of a payload as a string; false: there is none, or it has a zero in it. */
static bool text_at(const uint8_t *at, const uint8_t *end, char ret[PATH],
		    const uint8_t **ret_behind)
{
	uint16_t n;

	if (end - at < 2)
		return false;
	memcpy(&n, at, sizeof(n));
	if (n == 0 || n >= PATH || n > end - at - 2 || memchr(at + 2, 0, n))
		return false;
	memcpy(ret, at + 2, n);
	ret[n] = 0;
	*ret_behind = at + 2 + n;
	return true;
}

/* What sshd does to itself at each login. */
static bool everyday(const struct sensor_file *f, const uint8_t *at, const uint8_t *end)
{
	char path[PATH];

	return f->op == SENSOR_WRITTEN && memcmp(f->p.comm, "sshd", 4) == 0 &&
	       text_at(at, end, path, &at) && strncmp(path, "/proc/", 6) == 0;
}

void file_take(struct monitor *m, const struct sensor_head *h, uint8_t *payload, size_t len)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOATIME;
	const uint8_t *at = payload + sizeof(struct sensor_file), *end = payload + len;
	struct sensor_file f;
	char path[PATH];

	if (len < sizeof(f))
		return;
	memcpy(&f, payload, sizeof(f));
	if (everyday(&f, at, end))
		return;
	(void)ship_put(&m->ship, h->type, h->boot_ns, payload, len);
	if ((f.op != SENSOR_WRITTEN && f.op != SENSOR_RENAMED) || !text_at(at, end, path, &at))
		return;
	/* Written and at once renamed: it is there now. */
	if (f.op == SENSOR_RENAMED && !text_at(at, end, path, &at))
		return;
	if (path[0] != '/' || boring(path))
		return;
	int fd = open(path, flags);

	if (fd >= 0)
		enqueue(m, &f.p, fd, f.inode, path);
}

/* A program without a file, or whose file is gone already, can still be had from its process. */
void content_exec(struct monitor *m, const struct sensor_exec *e)
{
	char path[64];

	if (!(e->flags & SENSOR_EXEC_MEMFD) || e->p.visit == 0)
		return;
	snprintf(path, sizeof(path), "/proc/%u/exe", e->p.pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		enqueue(m, &e->p, fd, 0, path);
}

/* One piece; false: the file is through. */
static bool send_piece(struct monitor *m, struct content_file *f)
{
	struct {
		struct sensor_content c;
		uint8_t texts[2 + PATH + 2 + PIECE];
	} r = {.c = {.visit = f->visit,
		     .file = f->file,
		     .offset = f->offset,
		     .size = f->size,
		     .pid = f->pid}};
	uint8_t bytes[PIECE];
	uint64_t most = f->size < LONGEST ? f->size : LONGEST, want = most - f->offset;
	ssize_t n = pread(f->fd, bytes, want < PIECE ? want : PIECE, (off_t)f->offset);

	if (n < 0)
		n = 0;
	bool last = n == 0 || f->offset + (uint64_t)n == most;

	if (last)
		r.c.flags = SENSOR_CONTENT_LAST | (f->size > LONGEST ? SENSOR_CONTENT_CUT : 0);
	const uint8_t *end = r.texts + sizeof(r.texts);
	uint8_t *at = ship_text(r.texts, end, f->path, f->offset ? 0 : strlen(f->path));

	at = ship_text(at, end, bytes, (size_t)n);
	(void)ship_put(&m->ship, SENSOR_CONTENT, 0, &r, (size_t)(at - (uint8_t *)&r));
	f->offset += (uint64_t)n;
	m->content->budget -= (uint64_t)n < m->content->budget ? (uint64_t)n : m->content->budget;
	return !last;
}

bool content_tick(struct monitor *m, uint64_t now_ns)
{
	struct monitor_content *c = m->content;

	if (!c || c->n == 0)
		return false;
	uint64_t ms = (now_ns - c->then_ns) / NS_PER_MS;

	if (ms > 0) {
		c->budget = ms > BURST ? BURST : c->budget + ms * PER_MS;
		c->budget = c->budget < BURST ? c->budget : BURST;
		c->then_ns = now_ns;
	}
	while (c->n > 0 && c->budget >= PIECE && ship_waiting(&m->ship) < WAITING) {
		struct content_file *f = &c->queue[c->first];

		if (send_piece(m, f))
			continue;
		close(f->fd);
		c->first = (c->first + 1) % QUEUE;
		c->n--;
	}
	return c->n > 0;
}
