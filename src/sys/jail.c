/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A root with nothing in it but what is listed. The host's paths are first taken as detached mount
 * trees (they may lie below the place where the new root is put), then the new root is built on a
 * tmpfs and becomes the root; the old one is let go. Everything is read-only and without set-uid;
 * a device is a fresh node that only this uid may open.
 */
#include "sys/sys_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define JAIL_PATHS 64
#define PLACE "/tmp"

struct item {
	const char *path;    /* inside */
	char link[PATH_MAX]; /* a symbolic link: where to; else "" */
	mode_t type;
	dev_t device;
	int tree; /* detached mount, or -1 */
};

static int take_item(const char *entry, struct item *ret)
{
	struct stat st;
	char path[PATH_MAX];
	const char *inside = strchr(entry, '\n');
	*ret = (struct item){.path = inside != NULL ? inside + 1 : entry, .tree = -1};
	if (!text_copy(path, sizeof(path), entry) || ret->path[0] != '/')
		return SKEP_ERANGE;
	path[strcspn(path, "\n")] = '\0';
	if (lstat(path, &st) < 0)
		return -errno;
	ret->type = st.st_mode & S_IFMT;
	ret->device = st.st_rdev;
	if (ret->type == S_IFLNK) {
		ssize_t n = readlink(path, ret->link, sizeof(ret->link) - 1);
		return n < 0 ? -errno : 0;
	}
	if (ret->type == S_IFCHR)
		return 0;
	ret->tree = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return ret->tree < 0 ? -errno : 0;
}

/* mkdir -p for everything above the last part of path (which starts with '/'). */
static int make_parents(int root, const char *path)
{
	char part[PATH_MAX];
	if (path[0] != '/' || !text_copy(part, sizeof(part), path + 1))
		return SKEP_ERANGE;
	for (char *s = strchr(part, '/'); s != NULL; s = strchr(s + 1, '/')) {
		*s = '\0';
		if (mkdirat(root, part, 0755) < 0 && errno != EEXIST)
			return -errno;
		*s = '/';
	}
	return 0;
}

static int place_tree(int root, const struct item *i)
{
	const char *at = i->path + 1;
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};
	if (i->type == S_IFDIR) {
		if (mkdirat(root, at, 0755) < 0 && errno != EEXIST)
			return -errno;
	} else {
		CLEANUP(fd_close) int f = openat(root, at, O_CREAT | O_RDONLY | O_CLOEXEC, 0444);
		if (f < 0)
			return -errno;
	}
	if (mount_setattr(i->tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0 ||
	    move_mount(i->tree, "", root, at, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

static int place_device(int root, const struct item *i, uid_t uid)
{
	const char *at = i->path + 1;
	if (mknodat(root, at, S_IFCHR | 0600, i->device) < 0 ||
	    fchownat(root, at, uid, uid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

static int place_item(int root, const struct item *i, uid_t uid)
{
	int err = make_parents(root, i->path);
	if (err != 0)
		return err;
	if (i->type == S_IFLNK)
		return symlinkat(i->link, root, i->path + 1) < 0 && errno != EEXIST ? -errno : 0;
	if (i->type == S_IFCHR)
		return place_device(root, i, uid);
	return place_tree(root, i);
}

static int build(const char *const *paths, uid_t uid)
{
	struct item items[JAIL_PATHS];
	size_t n = 0;
	int err = 0;
	for (; *paths != NULL && err == 0; paths++) {
		if (n == JAIL_PATHS)
			return SKEP_EFULL;
		err = take_item(*paths, &items[n]);
		if (err == -ENOENT)
			err = 0; /* not every system has every path */
		else
			n++;
	}
	if (err == 0 && mount("skep-jail", PLACE, "tmpfs", MS_NOSUID, "size=1m,mode=0755") < 0)
		err = -errno;
	CLEANUP(fd_close) int root = open(PLACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (err == 0 && root < 0)
		err = -errno;
	for (size_t i = 0; i < n && err == 0; i++)
		err = place_item(root, &items[i], uid);
	for (size_t i = 0; i < n; i++)
		fd_close(&items[i].tree);
	return err;
}

int jail_enter(const char *const *paths, uid_t uid)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	mode_t mask = umask(0);
	int err = build(paths, uid);
	umask(mask);
	if (err != 0)
		return err;
	if (chdir(PLACE) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ||
	    mount_setattr(AT_FDCWD, "/", 0, &attr, sizeof(attr)) < 0)
		return -errno;
	return 0;
}
