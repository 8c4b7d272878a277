/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JSON files. A reader that follows one must never see half a line: each batch goes out with one
 * O_APPEND write, and what a full disk or a crash cut off is taken back to the last line's end.
 */
#include "store/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 65536

static int open_file(int dirfd, const char *name, int *ret)
{
	int fd = openat(dirfd, name, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	*ret = fd;
	return 0;
}

/* Cuts what follows the last newline. */
static int trim(int fd)
{
	struct stat st;
	char buf[4096];
	if (fstat(fd, &st) != 0)
		return -errno;
	off_t end = st.st_size;
	while (end > 0 && st.st_size - end < LINE_MAX_BYTES) {
		off_t at = end > (off_t)sizeof(buf) ? end - (off_t)sizeof(buf) : 0;
		ssize_t n = pread(fd, buf, (size_t)(end - at), at);
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		const char *nl = memrchr(buf, '\n', (size_t)n);
		if (nl != NULL) {
			end = at + (nl - buf) + 1;
			break;
		}
		end = at;
	}
	if (end < st.st_size && ftruncate(fd, end) != 0)
		return -errno;
	return 0;
}

static int append_all(int to, int from)
{
	char buf[16384];
	off_t at = 0;
	ssize_t n;
	while ((n = pread(from, buf, sizeof(buf), at)) > 0) {
		if (write(to, buf, (size_t)n) != n)
			return -EIO;
		at += n;
	}
	return n < 0 ? -errno : 0;
}

int lines_rotate(struct lines *l, int dirfd, uint32_t day)
{
	char from[STORE_PATH], to[STORE_PATH];
	snprintf(from, sizeof(from), "%s.json", l->stem);
	snprintf(to, sizeof(to), "%s-%08u.json", l->stem, day);
	if (faccessat(dirfd, to, F_OK, 0) != 0)
		return renameat(dirfd, from, dirfd, to) == 0 ? 0 : -errno;
	/* The clock was set back and forth: that day already has a file. */
	CLEANUP(fd_close) int out = -1;
	int err = open_file(dirfd, to, &out);
	if (err == 0)
		err = append_all(out, l->fd);
	if (err == 0 && unlinkat(dirfd, from, 0) != 0)
		err = -errno;
	return err;
}

int lines_open(struct lines *l, int dirfd, const char *stem, uint32_t today)
{
	char name[STORE_PATH];
	struct stat st;
	l->stem = stem;
	l->fd = -1;
	snprintf(name, sizeof(name), "%s.json", stem);
	int err = open_file(dirfd, name, &l->fd);
	if (err == 0)
		err = trim(l->fd);
	if (err == 0 && fstat(l->fd, &st) != 0)
		err = -errno;
	if (err != 0)
		return err;
	uint32_t written = store_day_of((int64_t)st.st_mtim.tv_sec * NS_PER_SEC);
	if (st.st_size == 0 || written >= today)
		return 0;
	err = lines_rotate(l, dirfd, written);
	if (err != 0)
		return err;
	fd_close(&l->fd);
	return open_file(dirfd, name, &l->fd);
}

int store_lines_put(struct lines *l, const char *line)
{
	size_t n = strlen(line);
	if (l->len + n + 1 > l->cap) {
		size_t cap = (l->len + n + 1) * 2;
		char *more = realloc(l->buf, cap);
		if (more == NULL)
			return -ENOMEM;
		l->buf = more;
		l->cap = cap;
	}
	memcpy(l->buf + l->len, line, n);
	l->buf[l->len + n] = '\n';
	l->len += n + 1;
	return 0;
}

int store_lines_flush(struct lines *l)
{
	struct stat st;
	size_t len = l->len;
	l->len = 0;
	if (len == 0)
		return 0;
	if (fstat(l->fd, &st) != 0)
		return -errno;
	ssize_t n = write(l->fd, l->buf, len);
	if (n == (ssize_t)len) {
		seal_wrote(l, l->buf, len);
		return 0;
	}
	int err = n < 0 ? -errno : -ENOSPC;
	if (n > 0) {
		const char *nl = memrchr(l->buf, '\n', (size_t)n);
		off_t whole = nl == NULL ? 0 : nl - l->buf + 1;
		if (ftruncate(l->fd, st.st_size + whole) != 0)
			err = -errno;
		seal_wrote(l, l->buf, (size_t)whole);
	}
	return err;
}

void lines_close(struct lines *l)
{
	seal_close(l);
	fd_close(&l->fd);
	free(l->buf);
	l->buf = NULL;
	l->len = l->cap = 0;
}
