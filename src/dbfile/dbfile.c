/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The writer runs as a user who may not be able to walk the folder's parents: it stands in the folder
 * and opens a plain name. SQLite would turn names into absolute ones, so it is given a file layer that
 * is its own in all but that: names stay as they are.
 *
 * A reader must leave nothing behind that the writer can't use. With the write-ahead log there, the
 * file is opened read-only beside the writer (SQLite gives what root has to make the owner of the
 * database). Without it nobody writes: then the file is opened as immutable, and nothing is made.
 */
#include "dbfile/dbfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHECK_MAX_BYTES (64u << 20) /* larger files are not read through at start */
#define WRITER_WAITS_MS 1000
#define READER_WAITS_MS 2000

const struct syscall_row dbfile_syscalls[] = {
	{"open", -1, 0},       {"openat", -1, 0},     {"stat", -1, 0},      {"fstat", -1, 0},
	{"lstat", -1, 0},      {"newfstatat", -1, 0}, {"statx", -1, 0},     {"access", -1, 0},
	{"faccessat", -1, 0},  {"faccessat2", -1, 0}, {"pread64", -1, 0},   {"pwrite64", -1, 0},
	{"lseek", -1, 0},      {"fcntl", -1, 0},      {"fsync", -1, 0},     {"fdatasync", -1, 0},
	{"ftruncate", -1, 0},  {"fallocate", -1, 0},  {"unlink", -1, 0},    {"unlinkat", -1, 0},
	{"rename", -1, 0},     {"renameat", -1, 0},   {"renameat2", -1, 0}, {"fstatfs", -1, 0},
	{"geteuid", -1, 0},    {"getuid", -1, 0},     {"getcwd", -1, 0},    {"readlink", -1, 0},
	{"readlinkat", -1, 0}, {"fchmod", -1, 0},     {"fchown", -1, 0},    {"uname", -1, 0},
	{"sysinfo", -1, 0},    {"utimensat", -1, 0},  {NULL, -1, 0},
};

int dbfile_error(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return SKEP_EFORMAT;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_READONLY:
		return -EROFS;
	default:
		return -EIO;
	}
}

/* ---- the writer ------------------------------------------------------------------------------- */

static int keep_name(sqlite3_vfs *vfs, const char *name, int size, char *ret)
{
	(void)vfs;
	return text_copy(ret, (size_t)size, name) ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int register_vfs(struct dbfile *d)
{
	const sqlite3_vfs *own = sqlite3_vfs_find(NULL);
	if (own == NULL)
		return SKEP_EUNSUPPORTED;
	d->vfs = *own;
	d->vfs.pNext = NULL;
	snprintf(d->vfs_name, sizeof(d->vfs_name), "skep-%p", (void *)d);
	d->vfs.zName = d->vfs_name;
	d->vfs.xFullPathname = keep_name;
	return dbfile_error(sqlite3_vfs_register(&d->vfs, 0));
}

static int on_check(void *ctx, int n, char **values, char **names)
{
	(void)names;
	*(bool *)ctx = n == 1 && values[0] != NULL && strcmp(values[0], "ok") == 0;
	return 0;
}

static int check(struct dbfile *d, const char *path)
{
	struct stat st;
	bool ok = true;
	if (stat(path, &st) != 0 || st.st_size == 0 || st.st_size > CHECK_MAX_BYTES)
		return 0;
	int rc = sqlite3_exec(d->handle, "PRAGMA quick_check(1)", on_check, &ok, NULL);
	if (rc != SQLITE_OK)
		return dbfile_error(rc);
	return ok ? 0 : SKEP_EFORMAT;
}

int dbfile_open(struct dbfile *d, const char *path)
{
	memset(d, 0, sizeof(*d));
	int err = register_vfs(d);
	if (err != 0)
		return err;
	err = dbfile_error(sqlite3_open_v2(
		path, &d->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW,
		d->vfs_name));
	if (err == 0) {
		sqlite3_busy_timeout(d->handle, WRITER_WAITS_MS);
		err = check(d, path);
	}
	if (err != 0)
		dbfile_close(d);
	return err;
}

void dbfile_close(struct dbfile *d)
{
	sqlite3_close(d->handle);
	if (d->vfs.zName != NULL)
		sqlite3_vfs_unregister(&d->vfs);
	memset(d, 0, sizeof(*d));
}

int dbfile_set_aside(const char *path)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char from[DBFILE_PATH + 8], to[DBFILE_PATH + 24];
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		if (snprintf(from, sizeof(from), "%s%s", path, ends[i]) >= (int)sizeof(from))
			return -ENAMETOOLONG;
		snprintf(to, sizeof(to), "%s.damaged", from);
		if (rename(from, to) != 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

/* ---- readers ---------------------------------------------------------------------------------- */

/* Writes path as the path part of an SQLite URI. */
static void write_uri(struct writer *w, const char *path)
{
	for (const char *p = path; *p != '\0'; p++) {
		if (*p == '%' || *p == '?' || *p == '#')
			write_fmt(w, "%%%02x", (unsigned char)*p);
		else
			write_fmt(w, "%c", *p);
	}
}

int dbfile_read(const char *path, sqlite3 **ret)
{
	char wal[DBFILE_PATH + 8], uri[3 * DBFILE_PATH + 64];
	struct writer w = writer_of(uri, sizeof(uri));
	sqlite3 *handle = NULL;
	if (snprintf(wal, sizeof(wal), "%s-wal", path) >= (int)sizeof(wal))
		return -ENAMETOOLONG;
	if (access(path, F_OK) != 0)
		return -errno;
	write_str(&w, "file:");
	write_uri(&w, path);
	write_str(&w, access(wal, F_OK) == 0 ? "?mode=ro" : "?mode=ro&immutable=1");
	int rc = sqlite3_open_v2(uri, &handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
	if (rc != SQLITE_OK) {
		sqlite3_close(handle);
		return dbfile_error(rc);
	}
	sqlite3_busy_timeout(handle, READER_WAITS_MS);
	/* root reads what a role wrote that may have been taken over: its views and triggers run nothing. */
	sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	*ret = handle;
	return 0;
}

/* ---- columns ---------------------------------------------------------------------------------- */

void dbfile_text(sqlite3_stmt *s, int column, char *ret, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(s, column);
	text_copy(ret, size, text != NULL ? text : "");
}

void dbfile_addr(sqlite3_stmt *s, int column, struct addr *ret)
{
	const char *text = (const char *)sqlite3_column_text(s, column);
	memset(ret, 0, sizeof(*ret));
	if (text != NULL && addr_parse(text, ret) != 0)
		memset(ret, 0, sizeof(*ret));
}

void dbfile_bind_addr(sqlite3_stmt *s, int at, const struct addr *a)
{
	char buf[ADDR_TEXT];
	if (a->ver != 0)
		sqlite3_bind_text(s, at, addr_text(a, buf), -1, SQLITE_TRANSIENT);
}
