/* SPDX-License-Identifier: BSD-2-Clause */
/* A small tree of files in memory, and its two ways out: a cpio archive behind an initramfs, or an
 * ext4 file system that is not mounted. */
#include "guest/guest_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HOST_FILE_MAX (256u << 10)
#define DEBUGFS_MS 60000

int tree_create(size_t size, struct tree **ret)
{
	struct tree *t = calloc(1, sizeof(*t));
	if (t != NULL)
		t->data = malloc(size);
	if (t == NULL || t->data == NULL) {
		free(t);
		return -ENOMEM;
	}
	t->size = size;
	*ret = t;
	return 0;
}

void tree_free(struct tree **t)
{
	if (*t != NULL)
		free((*t)->data);
	free(*t);
	*t = NULL;
}

void tree_add(struct tree *t, const char *path, mode_t mode, uid_t uid, const void *data,
	      size_t len)
{
	if (t->err != 0)
		return;
	if (t->n == TREE_FILES || len > t->size - t->used) {
		t->err = SKEP_EFULL;
		return;
	}
	struct tree_file *f = &t->files[t->n];
	*f = (struct tree_file){
		.mode = mode, .uid = uid, .gid = uid, .offset = t->used, .len = len};
	if (!text_copy(f->path, sizeof(f->path), path)) {
		t->err = SKEP_ERANGE;
		return;
	}
	if (len > 0)
		memcpy(t->data + t->used, data, len);
	t->used += len;
	t->n++;
}

void tree_text(struct tree *t, const char *path, mode_t mode, uid_t uid, const char *fmt, ...)
{
	char text[8192];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		t->err = t->err != 0 ? t->err : SKEP_ERANGE;
	else
		tree_add(t, path, S_IFREG | mode, uid, text, (size_t)n);
}

void tree_folder(struct tree *t, const char *path, mode_t mode, uid_t uid)
{
	tree_add(t, path, S_IFDIR | mode, uid, NULL, 0);
}

void tree_from(struct tree *t, const char *path, mode_t mode, uid_t uid, const char *host)
{
	char *data = NULL;
	size_t len = 0;
	int err = file_read(host, HOST_FILE_MAX, &data, &len);
	if (err == 0)
		tree_add(t, path, S_IFREG | mode, uid, data, len);
	else if (t->err == 0)
		t->err = err;
	free(data);
}

/* ---- cpio ----------------------------------------------------------------------------------- */

static int put(int fd, const void *data, size_t len, size_t *at)
{
	static const char zeroes[4];
	size_t pad = (4 - (*at + len) % 4) % 4;
	if (write(fd, data, len) != (ssize_t)len || write(fd, zeroes, pad) != (ssize_t)pad)
		return -EIO;
	*at += len + pad;
	return 0;
}

static int put_entry(int fd, const struct tree_file *f, const char *data, unsigned ino, size_t *at)
{
	char head[110 + sizeof(f->path)];
	int n = snprintf(head, sizeof(head),
			 "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s", ino,
			 (unsigned)f->mode, (unsigned)f->uid, (unsigned)f->gid, 1u,
			 (unsigned)time(NULL), (unsigned)f->len, 0u, 0u, 0u, 0u,
			 (unsigned)strlen(f->path) + 1, 0u, f->path);
	int err = put(fd, head, (size_t)n + 1, at);
	return err == 0 && f->len > 0 ? put(fd, data, f->len, at) : err;
}

int cpio_append(const struct tree *t, int fd)
{
	static const struct tree_file end = {.path = "TRAILER!!!"};
	off_t size = lseek(fd, 0, SEEK_END);
	size_t at = (size_t)size;
	if (t->err != 0)
		return t->err;
	int err = size < 0 ? -errno : put(fd, NULL, 0, &at);
	for (size_t i = 0; i < t->n && err == 0; i++)
		err = put_entry(fd, &t->files[i], t->data + t->files[i].offset, (unsigned)i + 1,
				&at);
	return err == 0 ? put_entry(fd, &end, NULL, 0, &at) : err;
}

/* ---- ext4 ----------------------------------------------------------------------------------- */

/* debugfs' commands for one file. Paths are our own (names of drawn users, fixed names). */
static void ext4_commands(struct writer *w, const struct tree_file *f, const char *work, size_t i)
{
	const char *slash = strrchr(f->path, '/');
	const char *name = slash != NULL ? slash + 1 : f->path;
	/* Relative names: "mkdir /x" would make it in the current folder of debugfs. */
	write_fmt(w, "cd /%.*s\n", slash != NULL ? (int)(slash - f->path) : 0, f->path);
	if (S_ISDIR(f->mode))
		write_fmt(w, "mkdir %s\n", name);
	else
		write_fmt(w, "rm %s\nwrite %s/%zu %s\n", name, work, i, name);
	write_fmt(w, "sif /%s mode 0%o\nsif /%s uid %u\nsif /%s gid %u\n", f->path,
		  (unsigned)f->mode, f->path, (unsigned)f->uid, f->path, (unsigned)f->gid);
}

/* Reads the modes back: debugfs goes on after an error and always exits with 0. */
static int ext4_check(const struct tree *t, const char *disk, char *why, size_t why_size)
{
	char out[65536], cmd[TREE_FILES * 112];
	struct writer w = writer_of(cmd, sizeof(cmd)), say = writer_of(why, why_size);
	for (size_t i = 0; i < t->n; i++)
		write_fmt(&w, "testi /%s\n", t->files[i].path);
	const char *argv[] = {"debugfs", "-f", "-", disk, NULL};
	int code = run_program(argv, cmd, out, sizeof(out), DEBUGFS_MS);
	size_t found = 0;
	for (const char *s = out; (s = strstr(s, " is marked in use")) != NULL; s++)
		found++;
	if (code == 0 && found == t->n)
		return 0;
	write_fmt(&say, "only %zu of %zu files could be written to %s (%.100s)", found, t->n, disk,
		  code == 0 ? "debugfs" : out);
	return code < 0 ? code : -EIO;
}

int ext4_write(const struct tree *t, const char *disk, const char *work, char *why, size_t why_size)
{
	char out[4096], path[GUEST_PATH];
	size_t size = t->n * 512 + 1;
	if (t->err != 0)
		return t->err;
	char *cmd = malloc(size);
	if (cmd == NULL)
		return -ENOMEM;
	struct writer w = writer_of(cmd, size), say = writer_of(why, why_size);
	int err = 0;
	for (size_t i = 0; i < t->n && err == 0; i++) {
		const struct tree_file *f = &t->files[i];
		snprintf(path, sizeof(path), "%s/%zu", work, i);
		if (S_ISREG(f->mode))
			err = file_write(path, t->data + f->offset, f->len, 0600, 0, 0);
		ext4_commands(&w, f, work, i);
	}
	if (err == 0 && w.full)
		err = SKEP_EFULL;
	const char *argv[] = {"debugfs", "-w", "-f", "-", disk, NULL};
	int code = err == 0 ? run_program(argv, cmd, out, sizeof(out), DEBUGFS_MS) : 0;
	free(cmd);
	for (size_t i = 0; i < t->n; i++) {
		snprintf(path, sizeof(path), "%s/%zu", work, i);
		(void)unlink(path);
	}
	if (err == 0 && code != 0) {
		write_fmt(&say, "debugfs: %.200s", out);
		err = code < 0 ? code : -EIO;
	}
	return err == 0 ? ext4_check(t, disk, why, why_size) : err;
}
