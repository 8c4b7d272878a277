/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store's writing side: DIR/GUEST/YYYY-MM-DD.log, one writer. Lines wait in memory for a second at most and
 * go out whole; what a full disk would not take waits, and when there is no more room to wait the caller hears
 * of each line. A flood fills its own guest's share of the budget and no more: what came before it stays.
 */
#include "sys/sys.h"
#include "syslog/syslog_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GUESTS 32
#define BUFFER (256u << 10)
#define SHARE 4 /* of the budget a guest may fill one part of so many in a day */
#define NOTE_NS (10 * NS_PER_SEC)
#define LOOK_BYTES (1u << 20)
#define LOOK_NS (600 * NS_PER_SEC)

const struct syscall_row *syslog_syscalls(void)
{
	static const struct syscall_row rows[] = {
		{"openat", -1, 0},     {"mkdirat", -1, 0},  {"fstat", -1, 0},
		{"newfstatat", -1, 0}, {"pread64", -1, 0},  {"pwrite64", -1, 0},
		{"ftruncate", -1, 0},  {"unlinkat", -1, 0}, {"fsync", -1, 0},
		{"getdents64", -1, 0}, {"lseek", -1, 0},    {"fcntl", -1, 0},
		{"close", -1, 0},      {NULL, -1, 0},
	};
	return rows;
}

struct book { /* of one guest: today's file */
	char name[STORE_NAME], day[STORE_DAY];
	int fd;
	uint64_t size; /* of the file, without what waits */
	char *buf;     /* owned */
	size_t len;
	uint64_t lost; /* not noted yet */
	int64_t noted_ns;
};
struct syslog_store {
	int dir;
	uint64_t budget, on_disk, unseen; /* unseen: written since the folder was looked through */
	uint32_t keep_days, n;
	int64_t looked_ns;
	struct book books[GUESTS];
};

int syslog_store_open(int dir_fd, uint64_t disk_bytes, uint32_t keep_days,
		      struct syslog_store **ret)
{
	struct syslog_store *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->dir = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0) {
		int err = -errno;
		free(s);
		return err;
	}
	s->budget = disk_bytes;
	s->keep_days = keep_days;
	*ret = s;
	return 0;
}

/* Writes what waits as far as the disk takes it. */
static int flush(struct syslog_store *s, struct book *b)
{
	size_t done = 0;
	int err = 0;
	while (done < b->len && err == 0) {
		ssize_t n = pwrite(b->fd, b->buf + done, b->len - done, (off_t)b->size);
		if (n < 0 && errno == EINTR)
			continue;
		err = n < 0 ? -errno : n == 0 ? -ENOSPC : 0;
		done += n > 0 ? (size_t)n : 0;
		b->size += n > 0 ? (uint64_t)n : 0;
	}
	memmove(b->buf, b->buf + done, b->len - done);
	b->len -= done;
	s->unseen += done;
	return err;
}

/* What a crash left behind the last newline is no line. */
static int trim(int fd, uint64_t *ret_size)
{
	struct stat st;
	char buf[4096];
	if (fstat(fd, &st) < 0)
		return -errno;
	off_t end = st.st_size;
	while (end > 0) {
		off_t at = end > (off_t)sizeof(buf) ? end - (off_t)sizeof(buf) : 0;
		ssize_t n = pread(fd, buf, (size_t)(end - at), at);
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		const char *nl = memrchr(buf, '\n', (size_t)n);
		end = nl != NULL ? at + (nl - buf) + 1 : at;
		if (nl != NULL || st.st_size - end > 2 * STORE_LINE)
			break;
	}
	if (end < st.st_size && ftruncate(fd, end) < 0)
		return -errno;
	*ret_size = (uint64_t)end;
	return 0;
}

/* dir/day for appending. */
static int open_day(int dir_fd, const char *guest, const char *day, int *ret_fd, uint64_t *ret_size)
{
	if (mkdirat(dir_fd, guest, 0750) < 0 && errno != EEXIST)
		return -errno;
	CLEANUP(fd_close)
	int dir = openat(dir_fd, guest, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	CLEANUP(fd_close)
	int fd = openat(dir, day, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	int err = trim(fd, ret_size);
	if (err == 0)
		*ret_fd = fd_take(&fd);
	return err;
}

static struct book *book_of(struct syslog_store *s, const char *guest)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (strcmp(s->books[i].name, guest) == 0)
			return &s->books[i];
	if (s->n == GUESTS)
		return NULL;
	struct book *b = &s->books[s->n];
	b->buf = malloc(BUFFER);
	if (b->buf == NULL)
		return NULL;
	text_copy(b->name, sizeof(b->name), guest);
	b->fd = -1;
	s->n++;
	return b;
}

/* Goes over to another day when all of the one before is written. */
static int turn_to(struct syslog_store *s, struct book *b, const char *day)
{
	if (b->fd >= 0 && strcmp(b->day, day) == 0)
		return 0;
	int fd = -1;
	uint64_t size = 0;
	int err = b->fd >= 0 ? flush(s, b) : 0;
	if (err == 0)
		err = open_day(s->dir, b->name, day, &fd, &size);
	if (err != 0)
		return err;
	fd_close(&b->fd);
	b->fd = fd;
	b->size = size;
	text_copy(b->day, sizeof(b->day), day);
	return 0;
}

/* "# TIME lost N", when there is a file and room for it. */
static void note_lost(struct book *b, int64_t now_ns)
{
	char when[STORE_TIME];
	int64_t since = now_ns - b->noted_ns;
	if (b->lost == 0 || b->fd < 0 || BUFFER - b->len < STORE_LINE ||
	    (since >= 0 && since < NOTE_NS))
		return;
	struct writer w = writer_of(b->buf + b->len, STORE_LINE);
	store_time_text(now_ns, when);
	write_fmt(&w, "# %s lost %llu\n", when, (unsigned long long)b->lost);
	b->len += w.len;
	b->lost = 0;
	b->noted_ns = now_ns;
}

void syslog_store_lost(struct syslog_store *s, const char *guest, uint64_t n)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (guest == NULL || strcmp(s->books[i].name, guest) == 0)
			s->books[i].lost += n;
}

static int put(struct syslog_store *s, struct book *b, const struct syslog_kept *k)
{
	char day[STORE_DAY];
	store_day_text(k->time_ns, day);
	int err = turn_to(s, b, day);
	if (b->fd < 0)
		return err;
	if (s->budget != 0 && b->size + b->len >= s->budget / SHARE)
		return -EDQUOT;
	if (BUFFER - b->len < STORE_LINE)
		err = flush(s, b);
	if (BUFFER - b->len < STORE_LINE)
		return err != 0 ? err : -ENOSPC;
	b->len += store_line_write(b->buf + b->len, BUFFER - b->len, k);
	return 0;
}

int syslog_store_add(struct syslog_store *s, const char *guest, int64_t now_wall_ns,
		     uint64_t flow_id, const char *data, size_t len, bool cut)
{
	const struct syslog_kept k = {.time_ns = now_wall_ns,
				      .flow_id = flow_id,
				      .raw = data,
				      .len = (uint32_t)(len < SYSLOG_LINE ? len : SYSLOG_LINE),
				      .cut = cut || len > SYSLOG_LINE};
	if (!store_name_ok(guest))
		return -EINVAL;
	struct book *b = book_of(s, guest);
	if (b == NULL)
		return SKEP_EFULL;
	int err = put(s, b, &k);
	b->lost += err != 0;
	return err;
}

/* ---- the budget ------------------------------------------------------------------------------- */

static DIR *open_folder(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (d == NULL && fd >= 0)
		close(fd);
	return d;
}

struct look {
	uint64_t bytes;
	char oldest[STORE_DAY]; /* "" : none */
};

/* One guest's folder; with drop: removes that day of it. */
static void look_guest(int dir, const char *guest, const char *drop, struct look *l)
{
	struct dirent *e;
	struct stat st;
	DIR *d = open_folder(dir, guest);
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (!store_day_ok(e->d_name, ".log") ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (drop != NULL && strcmp(drop, e->d_name) == 0 &&
		    unlinkat(dirfd(d), e->d_name, 0) == 0)
			continue;
		l->bytes += (uint64_t)st.st_blocks * 512;
		if (l->oldest[0] == '\0' || strcmp(e->d_name, l->oldest) < 0)
			text_copy(l->oldest, sizeof(l->oldest), e->d_name);
	}
	if (d != NULL)
		closedir(d);
}

static struct look look(int dir, const char *drop)
{
	struct look l = {0};
	struct dirent *e;
	DIR *d = open_folder(dir, ".");
	while (d != NULL && (e = readdir(d)) != NULL)
		if (store_name_ok(e->d_name))
			look_guest(dir, e->d_name, drop, &l);
	if (d != NULL)
		closedir(d);
	return l;
}

/* Oldest days first; today's stays. */
static uint32_t clean(struct syslog_store *s, int64_t now_ns)
{
	char today[STORE_DAY], first[STORE_DAY];
	uint32_t days = 0;
	store_day_text(now_ns, today);
	store_day_text(now_ns - (int64_t)s->keep_days * 86400 * NS_PER_SEC, first);
	struct look l = look(s->dir, NULL);
	while (l.oldest[0] != '\0' && strcmp(l.oldest, today) < 0 &&
	       ((s->budget != 0 && l.bytes > s->budget) ||
		(s->keep_days != 0 && strcmp(l.oldest, first) < 0))) {
		char drop[STORE_DAY];
		text_copy(drop, sizeof(drop), l.oldest);
		l = look(s->dir, drop);
		if (strcmp(l.oldest, drop) == 0)
			break; /* it will not go */
		days++;
	}
	s->on_disk = l.bytes;
	s->unseen = 0;
	s->looked_ns = now_ns;
	return days;
}

int syslog_store_tick(struct syslog_store *s, int64_t now_wall_ns, uint32_t *ret_days)
{
	int err = 0;
	int64_t since = now_wall_ns - s->looked_ns;
	for (uint32_t i = 0; i < s->n; i++) {
		struct book *b = &s->books[i];
		note_lost(b, now_wall_ns);
		int e = b->fd >= 0 && b->len > 0 ? flush(s, b) : 0;
		err = err == 0 ? e : err;
	}
	*ret_days = 0;
	if (s->looked_ns == 0 || since > LOOK_NS || since < 0 || s->unseen > LOOK_BYTES)
		*ret_days = clean(s, now_wall_ns);
	return err;
}

void syslog_store_close(struct syslog_store **s)
{
	struct syslog_store *o = *s;
	*s = NULL;
	for (uint32_t i = 0; o != NULL && i < o->n; i++) {
		struct book *b = &o->books[i];
		if (b->fd >= 0 && flush(o, b) == 0)
			(void)fsync(b->fd);
		fd_close(&b->fd);
		free(b->buf);
	}
	if (o != NULL)
		fd_close(&o->dir);
	free(o);
}
