/* SPDX-License-Identifier: BSD-2-Clause */
/* Control groups, version 2 only: to know and to end everything that a guest's QEMU became. */
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EMPTY_TRIES 100
#define EMPTY_STEP_NS (20 * NS_PER_MS)

static int root_path(char *buf, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *m;
	int err = -ENOENT;
	if (mounts == NULL)
		return -errno;
	while (err != 0 && (m = getmntent(mounts)) != NULL)
		if (strcmp(m->mnt_type, "cgroup2") == 0 && text_copy(buf, size, m->mnt_dir))
			err = 0;
	endmntent(mounts);
	return err;
}

static int full_path(const char *path, char *buf, size_t size)
{
	if (path[0] == '\0' || path[0] == '/' || strstr(path, "..") != NULL)
		return SKEP_ERANGE;
	int err = root_path(buf, size);
	if (err != 0)
		return err;
	struct writer w = writer_of(buf + strlen(buf), size - strlen(buf));
	write_fmt(&w, "/%s", path);
	return w.full ? SKEP_ERANGE : 0;
}

int cgroup_create(const char *path, int *ret_dir)
{
	char full[512];
	int err = full_path(path, full, sizeof(full));
	if (err != 0)
		return err;
	for (char *slash = full + strlen(full) - strlen(path); slash != NULL;) {
		slash = strchr(slash, '/');
		if (slash != NULL)
			*slash = '\0';
		if (mkdir(full, 0755) < 0 && errno != EEXIST)
			return errno == EROFS || errno == EACCES ? -ENOENT : -errno;
		if (slash != NULL)
			*slash++ = '/';
	}
	int fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_dir = fd;
	return 0;
}

static bool kill_all(const char *dir)
{
	char file[600];
	struct writer w = writer_of(file, sizeof(file));
	write_fmt(&w, "%s/cgroup.kill", dir);
	CLEANUP(fd_close) int fd = open(file, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, "1", 1) == 1;
}

int cgroup_remove(const char *path)
{
	char full[512];
	int err = full_path(path, full, sizeof(full));
	if (err == -ENOENT)
		return 0;
	if (err != 0)
		return err;
	if (access(full, F_OK) < 0)
		return 0;
	if (!kill_all(full))
		return errno == ENOENT ? SKEP_EUNSUPPORTED : -errno;
	for (int i = 0; i < EMPTY_TRIES; i++) {
		if (rmdir(full) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			return -errno;
		nanosleep(&(struct timespec){0, EMPTY_STEP_NS}, NULL);
	}
	return -EBUSY;
}

int cgroup_drop(const char *path)
{
	char full[512];
	int err = full_path(path, full, sizeof(full));
	if (err == -ENOENT)
		return 0;
	if (err != 0)
		return err;
	return rmdir(full) < 0 && errno != ENOENT && errno != EBUSY ? -errno : 0;
}
