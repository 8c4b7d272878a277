/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The folder on disk: sessions/YYYY-MM-DD/, appended to by whole lines, with its bytes counted. What a full
 * disk cuts off is taken back to the last line's end; the failure is told at the next tick.
 */
#include "session/lines_priv.h"

#include "event/event.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK_BLOCK 4096u

/* ---- days ------------------------------------------------------------------------------------- */

uint32_t day_of(int64_t ns)
{
	char t[EVENT_TIME];
	event_time_text(ns, t);
	return day_parse((t[10] = '\0', t));
}

const char *day_text(uint32_t day, char buf[DAY_TEXT])
{
	snprintf(buf, DAY_TEXT, "%04u-%02u-%02u", day / 10000 % 10000, day / 100 % 100, day % 100);
	return buf;
}

uint32_t day_parse(const char *name)
{
	uint32_t v = 0;
	if (strlen(name) != 10 || name[4] != '-' || name[7] != '-')
		return 0;
	for (int i = 0; i < 10; i++) {
		if (i == 4 || i == 7)
			continue;
		if (name[i] < '0' || name[i] > '9')
			return 0;
		v = v * 10 + (uint32_t)(name[i] - '0');
	}
	return v;
}

uint32_t day_before(uint32_t day, uint32_t n)
{
	/* Days since the epoch of a civil date: the inverse of event_time_text's, by search. */
	int64_t low = 0, high = 106000; /* 64-bit nanoseconds end in 2262 */
	while (low < high) {
		int64_t mid = (low + high + 1) / 2;
		if (day_of(mid * 86400 * NS_PER_SEC) <= day)
			low = mid;
		else
			high = mid - 1;
	}
	return day_of((low > n ? low - n : 0) * 86400 * NS_PER_SEC);
}

/* ---- bytes -------------------------------------------------------------------------------------- */

uint64_t on_disk(uint64_t bytes)
{
	return (bytes + DISK_BLOCK - 1) / DISK_BLOCK * DISK_BLOCK;
}

static uint32_t day_index(const struct folder *f, uint32_t day)
{
	uint32_t i = 0;
	while (i < f->n_days && f->days[i].day < day)
		i++;
	return i;
}

void folder_used(struct folder *f, uint32_t day, int64_t bytes)
{
	uint32_t i = day_index(f, day);
	if (i == f->n_days || f->days[i].day != day) {
		if (f->n_days == DAYS)
			return;
		memmove(f->days + i + 1, f->days + i, (f->n_days - i) * sizeof(f->days[0]));
		f->days[i] = (struct day_use){.day = day};
		f->n_days++;
	}
	uint64_t *sum = &f->days[i].bytes;
	*sum = bytes < 0 && (uint64_t)-bytes > *sum ? 0 : *sum + (uint64_t)bytes;
	if (day > f->today)
		f->today = day;
}

uint64_t folder_bytes(const struct folder *f)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < f->n_days; i++)
		sum += f->days[i].bytes;
	return sum;
}

static DIR *list_of(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	if (d == NULL)
		fd_close(&fd);
	return d;
}

static void measure_day(struct folder *f, const char *name, uint32_t day)
{
	DIR *d = list_of(f->sessions, name);
	if (d == NULL)
		return;
	folder_used(f, day, 0);
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		struct stat st;
		if (e->d_name[0] == '.' && strstr(e->d_name, ".tmp") != NULL)
			(void)unlinkat(dirfd(d), e->d_name, 0); /* a crash left it */
		else if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			 S_ISREG(st.st_mode))
			folder_used(f, day, (int64_t)st.st_blocks * 512);
	}
	closedir(d);
}

/* ---- open and close ------------------------------------------------------------------------------- */

static int make_dir(int at, const char *name, int *ret)
{
	if (mkdirat(at, name, 0750) != 0 && errno != EEXIST)
		return -errno;
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	*ret = fd;
	return 0;
}

int folder_open(struct folder *f, int top)
{
	f->top = top;
	f->sessions = -1;
	for (uint32_t i = 0; i < DAY_FDS; i++)
		f->open[i].fd = -1;
	text_copy(f->list.name, sizeof(f->list.name), "list.jsonl");
	text_copy(f->cowrie.name, sizeof(f->cowrie.name), "cowrie.json");
	int err = make_dir(top, "sessions", &f->sessions);
	if (err != 0)
		return err;
	DIR *d = list_of(top, "sessions");
	if (d == NULL)
		return -errno;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		uint32_t day = day_parse(e->d_name);
		if (day != 0)
			measure_day(f, e->d_name, day);
	}
	closedir(d);
	if (f->n_days > 0) {
		int day = folder_day(f, f->today);
		if (day >= 0) {
			lines_mend(day, f->list.name);
			lines_mend(day, f->cowrie.name);
		}
	}
	return 0;
}

void folder_close(struct folder *f)
{
	for (uint32_t i = 0; i < DAY_FDS; i++)
		fd_close(&f->open[i].fd);
	fd_close(&f->sessions);
}

int folder_day(struct folder *f, uint32_t day)
{
	char name[DAY_TEXT];
	for (uint32_t i = 0; i < DAY_FDS; i++)
		if (f->open[i].fd >= 0 && f->open[i].day == day)
			return f->open[i].fd;
	int fd = -1, err = make_dir(f->sessions, day_text(day, name), &fd);
	if (err != 0)
		return err;
	uint32_t i = f->next_open++ % DAY_FDS;
	fd_close(&f->open[i].fd);
	f->open[i].day = day;
	f->open[i].fd = fd;
	folder_used(f, day, 0);
	return fd;
}

/* ---- lines ------------------------------------------------------------------------------------------ */

int append_lines(int dir, const char *name, const char *data, size_t len, uint64_t *ret_written)
{
	struct stat st;
	*ret_written = 0;
	CLEANUP(fd_close)
	int fd = openat(dir, name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0 || fstat(fd, &st) != 0)
		return -errno;
	ssize_t n = write(fd, data, len);
	if (n == (ssize_t)len) {
		*ret_written = len;
		return 0;
	}
	int err = n < 0 ? -errno : -ENOSPC;
	if (n > 0) {
		const char *nl = memrchr(data, '\n', (size_t)n);
		size_t whole = nl == NULL ? 0 : (size_t)(nl - data) + 1;
		if (ftruncate(fd, st.st_size + (off_t)whole) != 0)
			err = -errno;
		*ret_written = whole;
	}
	return err;
}

void lines_mend(int dir, const char *name)
{
	struct stat st;
	char buf[4096];
	CLEANUP(fd_close) int fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) != 0)
		return;
	off_t end = st.st_size;
	while (end > 0) {
		off_t at = end > (off_t)sizeof(buf) ? end - (off_t)sizeof(buf) : 0;
		ssize_t n = pread(fd, buf, (size_t)(end - at), at);
		if (n <= 0)
			return;
		const char *nl = memrchr(buf, '\n', (size_t)n);
		if (nl != NULL) {
			end = at + (nl - buf) + 1;
			break;
		}
		end = at;
	}
	if (end < st.st_size)
		(void)!ftruncate(fd, end);
}

void lines_flush(struct folder *f, struct lines *l)
{
	uint64_t written = 0;
	if (l->len == 0)
		return;
	int dir = folder_day(f, l->day);
	int err = dir < 0 ? dir : append_lines(dir, l->name, l->buf, l->len, &written);
	if (err != 0 && f->err == 0)
		f->err = err;
	f->lost_bytes += l->len - written;
	folder_used(f, l->day, (int64_t)written);
	l->len = 0;
}

void lines_put(struct folder *f, struct lines *l, uint32_t day, const char *line, size_t len)
{
	if (f->no_room || len + 1 > sizeof(l->buf)) {
		f->lost_bytes += len;
		return;
	}
	if (l->len > 0 && (l->day != day || l->len + len + 1 > sizeof(l->buf)))
		lines_flush(f, l);
	l->day = day;
	memcpy(l->buf + l->len, line, len);
	l->buf[l->len + len] = '\n';
	l->len += (uint32_t)len + 1;
}

/* ---- budgets ------------------------------------------------------------------------------------------ */

static int remove_day(struct folder *f, uint32_t day)
{
	char name[DAY_TEXT];
	for (uint32_t i = 0; i < DAY_FDS; i++)
		if (f->open[i].fd >= 0 && f->open[i].day == day)
			fd_close(&f->open[i].fd);
	DIR *d = list_of(f->sessions, day_text(day, name));
	if (d != NULL) {
		for (struct dirent *e; (e = readdir(d)) != NULL;)
			if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
				(void)unlinkat(dirfd(d), e->d_name, 0);
		closedir(d);
	}
	return unlinkat(f->sessions, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

uint32_t folder_keep(struct folder *f, void (*gone)(void *ctx, uint32_t day), void *ctx)
{
	uint32_t removed = 0, first = day_before(f->today, f->keep_days);
	uint64_t bytes = folder_bytes(f);
	while (f->n_days > 1 &&
	       (bytes > f->budget_bytes || f->days[0].day <= first || f->n_days + 2 > DAYS)) {
		int err = remove_day(f, f->days[0].day);
		if (err != 0 && f->err == 0)
			f->err = err;
		gone(ctx, f->days[0].day);
		bytes -= f->days[0].bytes;
		f->n_days--;
		memmove(f->days, f->days + 1, f->n_days * sizeof(f->days[0]));
		removed++;
	}
	f->no_room = bytes > f->budget_bytes;
	return removed;
}
