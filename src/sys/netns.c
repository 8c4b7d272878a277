/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Named network namespaces, in the way `ip netns` names them: an empty file below /run/netns with
 * the namespace bind-mounted on it. `ip netns add` would also make /run/netns a shared mount, which
 * is a lasting change of the host; we do not. A folder that we made carries a mark (an extended
 * attribute) so that the last one to go removes it again, and a folder that was there stays.
 */
#include "sys/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define FOLDER "/run/netns"
#define MARK "trusted.skep"
#define OWN_NET "/proc/thread-self/ns/net"

static int name_path(const char *name, char *buf, size_t size)
{
	struct writer w = writer_of(buf, size);
	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL)
		return SKEP_ERANGE;
	write_fmt(&w, FOLDER "/%s", name);
	return w.full ? SKEP_ERANGE : 0;
}

static int open_own(int *ret_fd)
{
	int fd = open(OWN_NET, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/* Binds the calling thread's (new) namespace to path. */
static int bind_own(const char *path, int *ret_fd)
{
	CLEANUP(fd_close) int fd = -1;
	int err = open_own(&fd);
	if (err != 0)
		return err;
	if (mount(OWN_NET, path, NULL, MS_BIND, NULL) < 0)
		return -errno;
	*ret_fd = fd_take(&fd);
	return 0;
}

int netns_create(const char *name, int *ret_fd)
{
	char path[256];
	CLEANUP(fd_close) int before = -1;
	int err = name_path(name, path, sizeof(path));
	if (err == 0)
		err = open_own(&before);
	if (err != 0)
		return err;
	if (mkdir(FOLDER, 0755) == 0) {
		/* Without extended attributes the empty folder is simply left behind. */
		if (setxattr(FOLDER, MARK, "1", 1, 0) < 0 && errno != ENOTSUP && errno != EPERM)
			return -errno;
	} else if (errno != EEXIST) {
		return -errno;
	}
	CLEANUP(fd_close) int file = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
	if (file < 0)
		return -errno;
	if (unshare(CLONE_NEWNET) < 0)
		err = -errno;
	else
		err = bind_own(path, ret_fd);
	if (setns(before, CLONE_NEWNET) < 0 && err == 0) {
		fd_close(ret_fd);
		err = -errno;
	}
	if (err != 0 && netns_remove(name) != 0)
		return err;
	return err;
}

int netns_open(const char *name, int *ret_fd)
{
	char path[256];
	int err = name_path(name, path, sizeof(path));
	if (err != 0)
		return err;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int netns_remove(const char *name)
{
	char path[256], mark;
	int err = name_path(name, path, sizeof(path));
	if (err != 0)
		return err;
	/* Detach: somebody may still be looking at it; the namespace ends with its last process. */
	if (umount2(path, MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT)
		return -errno;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	if (getxattr(FOLDER, MARK, &mark, 1) == 1 && rmdir(FOLDER) < 0 && errno != ENOTEMPTY &&
	    errno != EEXIST && errno != EBUSY && errno != ENOENT)
		return -errno;
	return 0;
}

uint64_t netns_number(int fd)
{
	struct stat st;
	if (fd >= 0 ? fstat(fd, &st) < 0 : stat(OWN_NET, &st) < 0)
		return 0;
	return st.st_ino;
}

/* In a folder of names, or of processes (below is then what each has). */
static int find_in(const char *folder, const char *below, uint64_t number, int *ret_fd)
{
	char path[320];
	int err = -ENOENT;
	DIR *d = opendir(folder);
	for (struct dirent *e; d != NULL && err != 0 && (e = readdir(d)) != NULL;) {
		if (below[0] != '\0' ? e->d_name[0] < '1' || e->d_name[0] > '9'
				     : e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s%s", folder, e->d_name, below);
		CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0 || netns_number(fd) != number)
			continue;
		*ret_fd = fd_take(&fd);
		err = 0;
	}
	if (d != NULL)
		closedir(d);
	return err;
}

int netns_find(uint64_t number, int *ret_fd)
{
	if (number == 0)
		return -ENOENT;
	int err = find_in(FOLDER, "", number, ret_fd);
	return err == 0 ? 0 : find_in("/proc", "/ns/net", number, ret_fd);
}

int netns_enter(int fd)
{
	return setns(fd, CLONE_NEWNET) < 0 ? -errno : 0;
}

int sysctl_set(const char *path, const char *value)
{
	char full[256];
	struct writer w = writer_of(full, sizeof(full));
	write_fmt(&w, "/proc/sys/%s", path);
	if (w.full || strstr(path, "..") != NULL)
		return SKEP_ERANGE;
	CLEANUP(fd_close) int fd = open(full, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}
