/* SPDX-License-Identifier: BSD-2-Clause */
/* Files and folders of images and guests, below folders that only root writes to. */
#include "guest/guest_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

int path_join(char *ret, size_t size, const char *dir, const char *name)
{
	struct writer w = writer_of(ret, size);
	write_fmt(&w, "%s/%s", dir, name);
	return w.full ? SKEP_ERANGE : 0;
}

int file_read(const char *path, size_t max, char **ret, size_t *ret_len)
{
	struct stat st;
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < 0 || (size_t)st.st_size > max)
		return SKEP_ERANGE;
	size_t size = (size_t)st.st_size, len = 0;
	char *buf = malloc(size + 1);
	if (buf == NULL)
		return -ENOMEM;
	while (len < size) {
		ssize_t n = read(fd, buf + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	buf[len] = '\0';
	*ret = buf;
	*ret_len = len;
	return 0;
}

int file_write(const char *path, const void *data, size_t len, mode_t mode, uid_t uid, gid_t gid)
{
	char part[GUEST_PATH + 8];
	snprintf(part, sizeof(part), "%s.part", path);
	(void)unlink(part);
	CLEANUP(fd_close) int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int err = fd_write(fd, data, len);
	if (err == 0 && (fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0))
		err = -errno;
	if (err == 0 && rename(part, path) < 0)
		err = -errno;
	if (err != 0)
		(void)unlink(part);
	return err;
}

/* Copies what lies between from and to. */
static int copy_range(int in, int out, off_t from, off_t to)
{
	static const size_t piece = 1 << 20;
	char *buf = malloc(piece);
	int err = buf == NULL ? -ENOMEM : 0;
	if (err == 0 && lseek(out, from, SEEK_SET) < 0)
		err = -errno;
	while (err == 0 && from < to) {
		size_t want = to - from < (off_t)piece ? (size_t)(to - from) : piece;
		ssize_t n = pread(in, buf, want, from);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			err = n < 0 ? -errno : -EIO;
		else
			err = fd_write(out, buf, (size_t)n);
		from += n > 0 ? n : 0;
	}
	free(buf);
	return err;
}

static int copy_data(int in, int out, off_t size)
{
	if (ioctl(out, FICLONE, in) == 0)
		return 0;
	if (ftruncate(out, size) < 0)
		return -errno;
	for (off_t at = 0; at < size;) {
		off_t data = lseek(in, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			return 0;
		off_t hole = data < 0 ? -1 : lseek(in, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		int err = copy_range(in, out, data, hole);
		if (err != 0)
			return err;
		at = hole;
	}
	return 0;
}

int file_copy(const char *from, const char *to, mode_t mode, gid_t gid)
{
	char part[GUEST_PATH + 8];
	struct stat st;
	snprintf(part, sizeof(part), "%s.part", to);
	(void)unlink(part);
	CLEANUP(fd_close) int in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0 || fstat(in, &st) < 0)
		return -errno;
	CLEANUP(fd_close) int out = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	int err = copy_data(in, out, st.st_size);
	if (err == 0 && (fchown(out, 0, gid) < 0 || fchmod(out, mode) < 0))
		err = -errno;
	if (err == 0 && rename(part, to) < 0)
		err = -errno;
	if (err != 0)
		(void)unlink(part);
	return err;
}

int folder_make(const char *path, mode_t mode)
{
	char part[GUEST_PATH];
	if (!text_copy(part, sizeof(part), path))
		return SKEP_ERANGE;
	for (char *s = strchr(part + 1, '/'); s != NULL; s = strchr(s + 1, '/')) {
		*s = '\0';
		if (mkdir(part, 0711) < 0 && errno != EEXIST)
			return -errno;
		*s = '/';
	}
	if (mkdir(path, mode) == 0)
		return chmod(path, mode) < 0 ? -errno : 0; /* whatever the umask was */
	return errno == EEXIST ? 0 : -errno;
}
