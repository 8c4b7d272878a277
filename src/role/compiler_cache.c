/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots that were compiled before, one file for each set of rules. A file is used only if it is
 * ours alone; what it holds is checked by its reader. Several processes may use a folder at once:
 * files appear by rename and never change.
 */
#include "role/compiler_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define KEPT 8u
#define STALE_S 3600 /* a copy that nobody is writing any more */
#define PATH_ROOM 4096
#define NAME_LEN 41u /* rules-, 32 digits, .hs */

static int path_of(const char *dir, const uint8_t key[COMPILER_KEY], char ret[PATH_ROOM])
{
	struct writer w = writer_of(ret, PATH_ROOM);
	write_fmt(&w, "%s/rules-", dir);
	for (unsigned i = 0; i < 16; i++)
		write_fmt(&w, "%02x", key[i]);
	write_str(&w, ".hs");
	return w.full ? -ENAMETOOLONG : 0;
}

int compiler_cache_open(const char *dir, const uint8_t key[COMPILER_KEY], int *ret_fd, char *why,
			size_t why_size)
{
	char path[PATH_ROOM];
	struct stat st;
	int err = path_of(dir, key, path);
	if (err != 0)
		return err;
	/* Non-blocking: somebody may have put a pipe there. */
	CLEANUP(fd_close)
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	const char *what = NULL;
	if (fd < 0)
		what = errno == ELOOP ? "is a link" : "can't be opened";
	else if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		what = "is no plain file";
	else if (st.st_uid != geteuid())
		what = "belongs to somebody else";
	else if ((st.st_mode & 022) != 0)
		what = "may be written by others";
	if (what != NULL) {
		struct writer w = writer_of(why, why_size);
		write_fmt(&w, "%s %s: it is not used", path, what);
		return -EPERM;
	}
	*ret_fd = fd_take(&fd);
	return 0;
}

static int copy(int from, int to)
{
	size_t room = 1u << 18;
	off_t at = 0;
	int err = 0;
	char *buf = malloc(room);
	if (buf == NULL)
		return -ENOMEM;
	for (;;) {
		ssize_t n = pread(from, buf, room, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
		ssize_t out = write(to, buf, (size_t)n);
		if (out < 0 && errno == EINTR)
			continue;
		if (out <= 0) {
			err = out < 0 ? -errno : -EIO;
			break;
		}
		at += out; /* the rest of a short write is read again */
	}
	free(buf);
	return err;
}

/* ---- forgetting --------------------------------------------------------------------------------- */

struct kept {
	char name[NAME_LEN + 1];
	int64_t stamp_ns;
};

static bool is_ours(const char *name, bool *ret_temporary)
{
	size_t len = strlen(name);
	*ret_temporary = len == NAME_LEN + 7 && name[NAME_LEN] == '.';
	return (len == NAME_LEN || *ret_temporary) && strncmp(name, "rules-", 6) == 0 &&
	       strspn(name + 6, "0123456789abcdef") == 32 && strncmp(name + 38, ".hs", 3) == 0;
}

/* Keeps the KEPT newest; a file that falls out is removed, another process that has it open keeps it. */
static void consider(int dir, struct kept *k, unsigned *n, const struct kept *one)
{
	if (*n < KEPT) {
		k[(*n)++] = *one;
		return;
	}
	unsigned oldest = 0;
	for (unsigned i = 1; i < *n; i++)
		if (k[i].stamp_ns < k[oldest].stamp_ns)
			oldest = i;
	bool older = one->stamp_ns <= k[oldest].stamp_ns;
	(void)unlinkat(dir, older ? one->name : k[oldest].name, 0);
	if (!older)
		k[oldest] = *one;
}

static void forget(const char *path)
{
	struct kept k[KEPT];
	unsigned n = 0;
	DIR *d = opendir(path);
	const struct dirent *e;
	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		struct stat st;
		struct kept one;
		bool temporary = false;
		if (!is_ours(e->d_name, &temporary) ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (temporary) {
			if (st.st_mtime + STALE_S < time(NULL))
				(void)unlinkat(dirfd(d), e->d_name, 0);
			continue;
		}
		(void)text_copy(one.name, sizeof(one.name), e->d_name);
		one.stamp_ns = (int64_t)st.st_mtim.tv_sec * NS_PER_SEC + st.st_mtim.tv_nsec;
		consider(dirfd(d), k, &n, &one);
	}
	closedir(d);
}

int compiler_cache_keep(const char *dir, const uint8_t key[COMPILER_KEY], int snapshot)
{
	char path[PATH_ROOM], tmp[PATH_ROOM + 8];
	int err = path_of(dir, key, path);
	if (err != 0)
		return err;
	struct writer w = writer_of(tmp, sizeof(tmp));
	write_fmt(&w, "%s.XXXXXX", path);
	CLEANUP(fd_close) int fd = mkostemp(tmp, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return -errno;
	err = copy(snapshot, fd);
	if (err == 0 && rename(tmp, path) < 0)
		err = -errno;
	if (err != 0)
		(void)unlink(tmp);
	else
		forget(dir);
	return err;
}
