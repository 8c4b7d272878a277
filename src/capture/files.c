/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The folder of capture files: finding, counting, removing, adopting. Works by the names alone
 * (NAME-YYYYmmddTHHMMSS-N.pcapng), so that it needs no state that could get lost, and without
 * allocation, as it runs on the sealed heap too. Files of other names are never touched.
 */
#include "capture/capture_priv.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SUFFIX ".pcapng"
#define PART ".part"
#define STAMP_LEN 15 /* YYYYmmddTHHMMSS */

struct dirent64_head { /* linux_dirent64: the kernel's own form */
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

static bool ends_with(const char *s, size_t len, const char *tail)
{
	size_t n = strlen(tail);
	return len >= n && memcmp(s + len - n, tail, n) == 0;
}

/* Finds time and number in the name; false: not one of ours. */
static bool parse_name(const char *file, const char **ret_stamp, uint32_t *ret_n, bool *ret_part)
{
	size_t len = strlen(file), digits = 0;
	*ret_part = ends_with(file, len, SUFFIX PART);
	if (len >= FILE_NAME_MAX || (!*ret_part && !ends_with(file, len, SUFFIX)))
		return false;
	const char *at = file + len - strlen(SUFFIX) - (*ret_part ? strlen(PART) : 0);
	while (at > file && isdigit((unsigned char)at[-1]) && digits < 10) {
		at--;
		digits++;
	}
	if (digits == 0 || digits > 9 || at - file < STAMP_LEN + 3 || at[-1] != '-')
		return false;
	const char *stamp = at - 1 - STAMP_LEN;
	if (stamp[-1] != '-')
		return false;
	for (size_t i = 0; i < STAMP_LEN; i++)
		if (i == 8 ? stamp[i] != 'T' : !isdigit((unsigned char)stamp[i]))
			return false;
	*ret_stamp = stamp;
	*ret_n = (uint32_t)strtoul(at, NULL, 10);
	return true;
}

bool capture_file_name(const char *file, bool *ret_part)
{
	const char *stamp;
	uint32_t n;
	return parse_name(file, &stamp, &n, ret_part);
}

int files_each(struct file_scan *s, void (*fn)(void *ctx, const char *name, bool part), void *ctx)
{
	if (lseek(s->dir_fd, 0, SEEK_SET) < 0)
		return -errno;
	for (;;) {
		long n = syscall(SYS_getdents64, s->dir_fd, s->buf, sizeof(s->buf));
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		for (long at = 0; at < n;) {
			const struct dirent64_head *d = (const void *)(s->buf + at);
			bool part;
			at += d->reclen;
			if (capture_file_name(d->name, &part))
				fn(ctx, d->name, part);
		}
	}
}

struct sum {
	int dir_fd;
	uint64_t bytes;
};

static void add_size(void *ctx, const char *name, bool part)
{
	struct sum *sum = ctx;
	struct stat st;
	(void)part;
	if (fstatat(sum->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
		sum->bytes += (uint64_t)st.st_size;
}

int files_total(struct file_scan *s, uint64_t *ret_bytes)
{
	struct sum sum = {.dir_fd = s->dir_fd};
	int err = files_each(s, add_size, &sum);
	if (err == 0)
		*ret_bytes = sum.bytes;
	return err;
}

struct oldest {
	char name[FILE_NAME_MAX];
};

static void keep_older(void *ctx, const char *name, bool part)
{
	struct oldest *o = ctx;
	const char *stamp, *best;
	uint32_t n, best_n;
	bool p;
	if (part || !parse_name(name, &stamp, &n, &p))
		return;
	if (o->name[0] != '\0' && parse_name(o->name, &best, &best_n, &p)) {
		int order = memcmp(stamp, best, STAMP_LEN);
		if (order > 0 || (order == 0 && n >= best_n))
			return;
	}
	text_copy(o->name, sizeof(o->name), name);
}

int files_remove_oldest(struct file_scan *s)
{
	struct oldest o = {.name = ""};
	int err = files_each(s, keep_older, &o);
	if (err != 0)
		return err;
	if (o.name[0] == '\0')
		return SKEP_ENOTFOUND;
	return unlinkat(s->dir_fd, o.name, 0) < 0 ? -errno : 0;
}

int files_finish(int dir_fd, const char *part_name)
{
	char final[FILE_NAME_MAX];
	size_t len = strlen(part_name);
	if (!ends_with(part_name, len, PART) || len >= sizeof(final))
		return SKEP_EFORMAT;
	memcpy(final, part_name, len - strlen(PART));
	final[len - strlen(PART)] = '\0';
	/* Never over a finished file: evidence stays. */
	return renameat2(dir_fd, part_name, dir_fd, final, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

/* ---- adopting ------------------------------------------------------------------------------- */

struct walk {
	int fd;
	uint8_t *buf;
	size_t cap, len; /* bytes of the window */
	uint64_t from;   /* its place in the file */
};

/* n bytes at an offset of the file, through a window; NULL: not there. */
static const uint8_t *walk_at(struct walk *w, uint64_t offset, size_t n)
{
	if (offset < w->from || offset + n > w->from + w->len) {
		ssize_t got = pread(w->fd, w->buf, w->cap, (off_t)offset);
		w->from = offset;
		w->len = got > 0 ? (size_t)got : 0;
	}
	return n <= w->len ? w->buf + (offset - w->from) : NULL;
}

/* Length of the whole block at offset, or 0. */
static uint32_t walk_block(struct walk *w, uint64_t offset, uint32_t *ret_type)
{
	uint32_t head[2], tail;
	const uint8_t *p = walk_at(w, offset, sizeof(head));
	if (p == NULL)
		return 0;
	memcpy(head, p, sizeof(head));
	if (head[1] < PCAPNG_BLOCK_MIN || head[1] % 4 != 0 || head[1] > PCAPNG_BLOCK_MAX)
		return 0;
	p = walk_at(w, offset + head[1] - sizeof(tail), sizeof(tail));
	if (p == NULL)
		return 0;
	memcpy(&tail, p, sizeof(tail));
	if (tail != head[1])
		return 0;
	*ret_type = head[0];
	return head[1];
}

struct adoption {
	struct file_scan *scan;
	struct walk walk;
	int adopted, error;
};

/* Cuts the file at the end of its last whole block. *ret_packets: how many are in it. */
static int cut_file(struct walk *w, uint64_t *ret_packets)
{
	uint64_t whole = 0, packets = 0;
	uint32_t len, type = 0;
	w->len = 0;
	while ((len = walk_block(w, whole, &type)) > 0) {
		if (whole == 0 && type != BLOCK_SECTION)
			break;
		whole += len;
		packets += type == BLOCK_PACKET;
	}
	*ret_packets = packets;
	return ftruncate(w->fd, (off_t)whole) < 0 ? -errno : 0;
}

static void adopt_one(void *ctx, const char *name, bool part)
{
	struct adoption *a = ctx;
	uint64_t packets = 0;
	struct stat st;
	if (!part)
		return;
	CLEANUP(fd_close)
	int fd = openat(a->scan->dir_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	a->walk.fd = fd;
	int err = cut_file(&a->walk, &packets);
	if (err == 0 && packets == 0) /* nothing was recorded: nothing to keep */
		err = unlinkat(a->scan->dir_fd, name, 0) < 0 ? -errno : 0;
	else if (err == 0)
		err = files_finish(a->scan->dir_fd, name);
	if (err != 0)
		a->error = err;
	else
		a->adopted += packets > 0;
}

int files_adopt(struct file_scan *s, uint8_t *scratch, size_t scratch_size)
{
	struct adoption a = {.scan = s, .walk = {.buf = scratch, .cap = scratch_size}};
	int err = files_each(s, adopt_one, &a);
	if (err == 0)
		err = a.error;
	return err != 0 ? err : a.adopted;
}
