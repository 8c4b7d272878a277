/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's files below STATE/guests/NAME: identity.json and keys (kept for ever), its own copy of
 * kernel, initramfs and disk (the image with the identity in it), and the overlay it writes to. A
 * running guest never touches anything but the overlay.
 */
#include "guest/guest_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TREE_BYTES (1u << 20)
#define QEMU_IMG_MS 30000
#define GUEST_UID 32 /* uid_base + this + index of the guest */

struct job {
	const struct conf *c;
	const struct conf_guest *g;
	const struct guest_image *img;
	struct identity id;
	gid_t gid; /* of its QEMU */
	char *why;
	size_t why_size;
};

static int failed(const struct job *j, int err, const char *what)
{
	if (err == 0 || j->why_size == 0 || j->why[0] != '\0')
		return err; /* what is known better stays; a writer would begin with nothing */
	struct writer w = writer_of(j->why, j->why_size);
	write_fmt(&w, "%s: %s", what, err_text(err));
	return err;
}

static int find_or_draw(struct job *j)
{
	static const struct mac none;
	char dir[CONF_PATH + 64], network[sizeof(j->id.network)];
	identity_dir(j->c, j->g->name, dir);
	identity_network(j->c, j->g, network, sizeof(network));
	int err = identity_load(dir, &j->id);
	if (err == 0) { /* what the configuration says holds */
		if (memcmp(&j->g->mac, &none, sizeof(none)) != 0)
			j->id.pub.mac = j->g->mac;
		return 0;
	}
	if (err != SKEP_ENOTFOUND)
		return failed(j, err, "its identity.json");
	err = folder_make(dir, 0700);
	if (err == 0)
		err = identity_draw(j->g, &j->id);
	text_copy(j->id.pub.dir, sizeof(j->id.pub.dir), dir);
	text_copy(j->id.network, sizeof(j->id.network), network);
	if (err == 0)
		err = identity_keys(&j->id, j->g, j->img->disk[0] == '\0', j->why, j->why_size);
	if (err == 0)
		err = identity_save(&j->id);
	return failed(j, err, "drawing its identity");
}

static int copy_boot_files(struct job *j)
{
	char to[GUEST_PATH];
	/* Without a disk the identity is in the initramfs, with a loghost what it must know today, so it is made
	 * for this very start; and kernel and initramfs belong together. */
	bool anew = j->img->disk[0] == '\0' || j->g->kind == GUEST_LOGHOST;
	int err = path_join(to, sizeof(to), j->id.pub.dir, "vmlinuz");
	if (err == 0 && (anew || access(to, F_OK) < 0))
		err = file_copy(j->img->kernel, to, 0444, 0);
	if (err == 0)
		err = path_join(to, sizeof(to), j->id.pub.dir, "initrd");
	if (err == 0 && (anew || access(to, F_OK) < 0))
		err = file_copy(j->img->initrd, to, 0440, j->gid);
	if (err == 0 && chown(to, 0, j->gid) < 0)
		err = -errno;
	return failed(j, err, "copying kernel and initramfs");
}

static int fill_tree(struct job *j, struct tree *t)
{
	char base[sizeof(j->img->dir) + 16];
	snprintf(base, sizeof(base), "%s/base", j->img->dir);
	return failed(j, identity_tree(j->c, j->g, &j->id, base, t), "its files");
}

/* A second archive behind the initramfs. */
static int write_initrd(struct job *j)
{
	CLEANUP(tree_free) struct tree *t = NULL;
	char path[GUEST_PATH];
	int err = tree_create(TREE_BYTES, &t);
	if (err == 0 && j->img->disk[0] == '\0')
		err = fill_tree(j, t);
	else if (err == 0)
		err = failed(j, loghost_tree(j->c, j->g, &j->id, t), "what its guests are called");
	if (err == 0)
		err = path_join(path, sizeof(path), j->id.pub.dir, "initrd");
	if (err != 0)
		return err;
	CLEANUP(fd_close) int fd = open(path, O_RDWR | O_CLOEXEC);
	return failed(j, fd < 0 ? -errno : cpio_append(t, fd), "writing its initramfs");
}

static int make_overlay(struct job *j, const char *disk, const char *overlay)
{
	char out[512] = "";
	const char *argv[] = {"qemu-img", "create", "-q", "-f",    "qcow2", "-F",
			      "raw",      "-b",     disk, overlay, NULL};
	struct writer w = writer_of(j->why, j->why_size);
	int code = run_program(argv, NULL, out, sizeof(out), QEMU_IMG_MS);
	if (code == 0)
		return chmod(overlay, 0600) < 0 ? -errno : 0;
	write_fmt(&w, "qemu-img (package qemu-utils): %.200s", code < 0 ? err_text(code) : out);
	return code < 0 ? code : -EIO;
}

/* The disk takes its name only when it is complete; then the overlay follows. */
static int make_disk(struct job *j)
{
	char part[GUEST_PATH], disk[GUEST_PATH];
	CLEANUP(tree_free) struct tree *t = NULL;
	int err = path_join(disk, sizeof(disk), j->id.pub.dir, "disk.raw");
	if (err == 0)
		err = path_join(part, sizeof(part), j->id.pub.dir, "disk.new");
	if (err == 0)
		err = tree_create(TREE_BYTES, &t);
	if (err == 0)
		err = fill_tree(j, t);
	if (err == 0)
		err = failed(j, file_copy(j->img->disk, part, 0600, 0), "copying the image's disk");
	if (err == 0)
		err = ext4_write(t, part, j->id.pub.dir, j->why, j->why_size);
	if (err == 0 && rename(part, disk) < 0)
		err = -errno;
	return failed(j, err, "making its disk");
}

static int prepare_disk(struct job *j)
{
	char disk[GUEST_PATH], overlay[GUEST_PATH], network[sizeof(j->id.network)];
	struct writer w = writer_of(j->why, j->why_size);
	int err = path_join(disk, sizeof(disk), j->id.pub.dir, "disk.raw");
	if (err == 0)
		err = path_join(overlay, sizeof(overlay), j->id.pub.dir, "overlay.qcow2");
	if (err != 0)
		return err;
	identity_network(j->c, j->g, network, sizeof(network));
	if (access(disk, F_OK) < 0) {
		(void)unlink(overlay); /* belongs to another disk */
		text_copy(j->id.network, sizeof(j->id.network), network);
		err = make_disk(j);
		if (err == 0)
			err = failed(j, identity_save(&j->id), "its identity.json");
	} else if (strcmp(j->id.network, network) != 0) {
		write_fmt(&w,
			  "its disk was made for another network; to start anew, losing what is on "
			  "it: "
			  "skep guest reset %s (it was: %.80s)",
			  j->g->name, j->id.network);
		err = SKEP_EUNSUPPORTED;
	}
	if (err == 0 && access(overlay, F_OK) < 0)
		err = make_overlay(j, disk, overlay);
	return failed(j, err, "its disk");
}

int guest_prepare(const struct conf *c, const struct conf_guest *g, const struct guest_image *img,
		  struct guest_identity *ret, char *why, size_t why_size)
{
	struct job j = {.c = c, .g = g, .img = img, .why = why, .why_size = why_size};
	j.gid = c->uid_base + GUEST_UID + (gid_t)(g - c->guests);
	if (why_size > 0)
		why[0] = '\0';
	if (g->memory_bytes < img->memory_min_bytes) {
		struct writer w = writer_of(why, why_size);
		write_fmt(&w, "image %s needs at least %llu MB of memory", g->image,
			  (unsigned long long)(img->memory_min_bytes >> 20));
		return SKEP_ERANGE;
	}
	int err = find_or_draw(&j);
	if (err == 0)
		err = copy_boot_files(&j);
	if (err == 0)
		err = img->disk[0] == '\0' ? write_initrd(&j) : prepare_disk(&j);
	if (err == 0 && img->disk[0] != '\0' && g->kind == GUEST_LOGHOST)
		err = write_initrd(&j);
	if (err == 0)
		*ret = j.id.pub;
	return err;
}

int guest_open_files(const struct conf *c, const struct conf_guest *g,
		     const struct guest_image *img, struct guest_fds *ret)
{
	char dir[CONF_PATH + 64], path[GUEST_PATH];
	CLEANUP(fd_close) int disk = -1;
	CLEANUP(fd_close) int overlay = -1;
	identity_dir(c, g->name, dir);
	if (img->disk[0] != '\0') {
		snprintf(path, sizeof(path), "%s/disk.raw", dir);
		disk = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		snprintf(path, sizeof(path), "%s/overlay.qcow2", dir);
		overlay = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (disk < 0 || overlay < 0)
			return -errno;
	}
	ret->kernel = ret->initrd = -1;
	ret->disk = fd_take(&disk);
	ret->overlay = fd_take(&overlay);
	return 0;
}

int guest_reset(const struct conf *c, const char *name)
{
	static const char *const files[] = {"overlay.qcow2", "disk.raw", "initrd", "vmlinuz",
					    "console.log"};
	char dir[CONF_PATH + 64], path[GUEST_PATH];
	identity_dir(c, name, dir);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		int err = path_join(path, sizeof(path), dir, files[i]);
		if (err != 0)
			return err;
		if (unlink(path) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}
