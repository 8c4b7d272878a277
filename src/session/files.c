/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Content of files, kept once: files/XX/SHA256, mode 0400, never executable. index.jsonl has a line for the first
 * sight of each and a short one for every further sight; beyond a sixteenth of the budget it becomes
 * index-old.jsonl, and what the one before that listed is deleted with it. Budget exceeded: the oldest content goes, by
 * the order of the index; its line stays.
 */
#include "session/session_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX "index.jsonl"
#define INDEX_OLD "index-old.jsonl"
#define FIRST_KEY "{\"sha256\":\""
#define HASH_TEXT 64u

/* ---- what was seen before --------------------------------------------------------------------------- */

static bool seen(struct file_store *f, const uint8_t sha[32])
{
	uint64_t v;
	memcpy(&v, sha, sizeof(v));
	v |= v == 0;
	uint32_t set = (uint32_t)(v % (FILES_KNOWN / FILE_WAYS));
	for (uint32_t i = 0; i < FILE_WAYS; i++)
		if (f->known[set * FILE_WAYS + i] == v)
			return true;
	f->known[set * FILE_WAYS + f->known_next[set]++ % FILE_WAYS] = v;
	return false;
}

static bool unhex(const char *s, uint8_t ret[32])
{
	for (int i = 0; i < 32; i++) {
		int a = text_hex(s[2 * i]), b = a < 0 ? -1 : text_hex(s[2 * i + 1]);
		if (b < 0)
			return false;
		ret[i] = (uint8_t)(a << 4 | b);
	}
	return true;
}

static void path_of(const char *sha, char ret[72])
{
	snprintf(ret, 72, "%.2s/%.64s", sha, sha);
}

/* Calls fn with the hash of every line until it says false. */
static void each_line(int dir, const char *name, bool (*fn)(void *ctx, const char *sha), void *ctx)
{
	char buf[16384], sha[HASH_TEXT + 1];
	size_t have = 0;
	bool at_start = true;
	ssize_t n;
	CLEANUP(fd_close) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	static const size_t key = sizeof(FIRST_KEY) - 1;
	while (fd >= 0 && (n = read(fd, buf + have, sizeof(buf) - have)) > 0) {
		size_t at = 0;
		have += (size_t)n;
		while (at < have) {
			const char *nl = memchr(buf + at, '\n', have - at);
			if (at_start && have - at < key + HASH_TEXT && nl == NULL)
				break; /* more is needed */
			if (at_start && have - at >= key + HASH_TEXT &&
			    memcmp(buf + at, FIRST_KEY, key) == 0) {
				memcpy(sha, buf + at + key, HASH_TEXT);
				sha[HASH_TEXT] = '\0';
				if (!fn(ctx, sha))
					return;
			}
			at_start = nl != NULL;
			at = nl != NULL ? (size_t)(nl - buf) + 1 : have;
		}
		memmove(buf, buf + at, have - at);
		have -= at;
	}
}

static bool learn(void *ctx, const char *sha)
{
	uint8_t bin[32];
	if (unhex(sha, bin))
		(void)seen(ctx, bin);
	return true;
}

/* ---- budget ---------------------------------------------------------------------------------------------- */

static void remove_content(struct file_store *f, const char *sha)
{
	struct stat st;
	uint8_t bin[32];
	char path[72];
	if (!unhex(sha, bin))
		return;
	path_of(sha, path);
	if (fstatat(f->dir, path, &st, AT_SYMLINK_NOFOLLOW) != 0 || unlinkat(f->dir, path, 0) != 0)
		return;
	uint64_t n = on_disk((uint64_t)st.st_size);
	f->used -= n < f->used ? n : f->used;
	f->removed++;
}

static bool drop_oldest(void *ctx, const char *sha)
{
	struct file_store *f = ctx;
	if (f->used <= f->budget_bytes / 8 * 7)
		return false;
	remove_content(f, sha);
	return true;
}

static void keep_budget(struct file_store *f)
{
	if (f->used <= f->budget_bytes)
		return;
	each_line(f->dir, INDEX_OLD, drop_oldest, f);
	each_line(f->dir, INDEX, drop_oldest, f);
}

static bool drop_any(void *ctx, const char *sha)
{
	remove_content(ctx, sha);
	return true;
}

static void index_line(struct file_store *f, const char *line, size_t len)
{
	uint64_t written = 0;
	if (f->index_bytes + len > f->index_most) {
		each_line(f->dir, INDEX_OLD, drop_any, f);
		(void)renameat(f->dir, INDEX, f->dir, INDEX_OLD);
		f->index_bytes = 0;
	}
	int err = append_lines(f->dir, INDEX, line, len, &written);
	f->index_bytes += written;
	if (err != 0 && f->err == 0)
		f->err = err;
}

/* ---- life --------------------------------------------------------------------------------------------------- */

static void measure(struct file_store *f)
{
	for (unsigned i = 0; i < 256; i++) {
		char name[4];
		snprintf(name, sizeof(name), "%02x", i);
		int fd = openat(f->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
		if (d == NULL) {
			fd_close(&fd);
			continue;
		}
		for (struct dirent *e; (e = readdir(d)) != NULL;) {
			struct stat st;
			if (strncmp(e->d_name, ".tmp", 4) == 0)
				(void)unlinkat(dirfd(d), e->d_name, 0);
			else if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
				 S_ISREG(st.st_mode))
				f->used += on_disk((uint64_t)st.st_size);
		}
		closedir(d);
	}
}

static void remove_tmp(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	if (d == NULL) {
		fd_close(&fd);
		return;
	}
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		if (strncmp(e->d_name, ".tmp", 4) == 0)
			(void)unlinkat(dir, e->d_name, 0);
	closedir(d);
}

int files_open(struct file_store *f, int top, uint64_t budget_bytes, uint64_t file_bytes,
	       struct arena *arena)
{
	struct stat st;
	f->dir = -1;
	for (uint32_t i = 0; i < FILES_OPEN; i++) {
		f->open[i].fd = -1;
		f->open[i].memory = arena_alloc(arena, 1, FILE_MEMORY);
		if (f->open[i].memory == NULL)
			return -ENOMEM;
	}
	if (mkdirat(top, "files", 0750) != 0 && errno != EEXIST)
		return -errno;
	f->dir = openat(top, "files", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (f->dir < 0)
		return -errno;
	f->budget_bytes = budget_bytes;
	f->file_bytes = file_bytes;
	f->index_most = budget_bytes / 16 > 65536 ? budget_bytes / 16 : 65536;
	remove_tmp(f->dir);
	lines_mend(f->dir, INDEX);
	measure(f);
	each_line(f->dir, INDEX_OLD, learn, f);
	each_line(f->dir, INDEX, learn, f);
	f->index_bytes = fstatat(f->dir, INDEX, &st, 0) == 0 ? (uint64_t)st.st_size : 0;
	return 0;
}

void files_close(struct file_store *f)
{
	for (uint32_t i = 0; i < FILES_OPEN; i++)
		if (f->open[i].id != 0)
			files_drop(f, &f->open[i]);
	fd_close(&f->dir);
}

/* ---- open files ------------------------------------------------------------------------------------------------ */

static uint32_t open_of(const struct file_store *f, uint32_t guest)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < FILES_OPEN; i++)
		n += f->open[i].id != 0 && f->open[i].guest == guest;
	return n;
}

struct open_file *files_oldest(struct file_store *f)
{
	struct open_file *o = NULL;
	uint32_t most = 0;
	for (uint32_t i = 0; i < FILES_OPEN; i++) {
		struct open_file *x = &f->open[i];
		if (x->id == 0)
			return NULL;
		uint32_t n = open_of(f, x->guest);
		if (o == NULL || n > most || (n == most && x->last_ns < o->last_ns)) {
			o = x;
			most = n;
		}
	}
	return o;
}

struct open_file *files_begin(struct file_store *f, int64_t ns)
{
	for (uint32_t i = 0; i < FILES_OPEN; i++) {
		struct open_file *o = &f->open[i];
		uint8_t *memory = o->memory;
		if (o->id != 0)
			continue;
		memset(o, 0, sizeof(*o));
		o->memory = memory;
		o->fd = -1;
		o->id = ++f->last_id;
		o->start_ns = o->last_ns = ns;
		sha256_begin(&o->sha);
		return o;
	}
	return NULL;
}

struct open_file *files_find(struct file_store *f, uint64_t id)
{
	for (uint32_t i = 0; id != 0 && i < FILES_OPEN; i++)
		if (f->open[i].id == id)
			return &f->open[i];
	return NULL;
}

struct open_file *files_number(struct file_store *f, uint32_t guest, uint64_t number)
{
	for (uint32_t i = 0; i < FILES_OPEN; i++)
		if (f->open[i].id != 0 && f->open[i].pid != 0 && f->open[i].guest == guest &&
		    f->open[i].number == number)
			return &f->open[i];
	return NULL;
}

void files_drop(struct file_store *f, struct open_file *o)
{
	if (o->fd >= 0)
		(void)unlinkat(f->dir, o->tmp, 0);
	fd_close(&o->fd);
	o->id = 0;
}

/* Too long for memory: what is there goes to a file of its own, and so will the rest. */
static int spill(struct file_store *f, struct open_file *o)
{
	snprintf(o->tmp, sizeof(o->tmp), ".tmp-%llu", (unsigned long long)o->id);
	o->fd = openat(f->dir, o->tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	return o->fd < 0 ? -errno : fd_write(o->fd, o->memory, o->len);
}

static int add(struct file_store *f, struct open_file *o, const uint8_t *p, size_t len)
{
	if (o->fd < 0 && o->len + len <= FILE_MEMORY) {
		memcpy(o->memory + o->len, p, len);
		return 0;
	}
	int err = o->fd < 0 ? spill(f, o) : 0;
	return err == 0 ? fd_write(o->fd, p, len) : err;
}

/* What lies on the disk of the guest's open files, which the budget does not know yet. */
static uint64_t open_bytes(const struct file_store *f, uint32_t guest)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < FILES_OPEN; i++)
		if (f->open[i].id != 0 && f->open[i].fd >= 0 && f->open[i].guest == guest)
			sum += f->open[i].len;
	return sum;
}

void files_data(struct file_store *f, struct open_file *o, const void *data, size_t len)
{
	if (o->full || len == 0)
		return;
	if (o->len + len > FILE_MEMORY &&
	    open_bytes(f, o->guest) + len > f->budget_bytes / DAY_SHARE) {
		o->cut = o->full =
			true; /* many long ones at once: of this one the beginning is kept */
		return;
	}
	if (o->len + len > f->file_bytes) {
		len = (size_t)(f->file_bytes - o->len);
		o->cut = o->full = true;
	}
	int err = add(f, o, data, len);
	if (err != 0) { /* a full disk: nothing of it can be kept, and nothing half-written stays */
		f->err = f->err != 0 ? f->err : err;
		(void)unlinkat(f->dir, o->tmp, 0);
		fd_close(&o->fd);
		o->cut = o->full = true;
		o->len = 0;
		sha256_begin(&o->sha);
		return;
	}
	sha256_add(&o->sha, data, len);
	o->len += len;
}

/* ---- kept --------------------------------------------------------------------------------------------------------- */

static int copy_all(int to, int from)
{
	char buf[32768];
	off_t at = 0;
	ssize_t n;
	while ((n = pread(from, buf, sizeof(buf), at)) > 0) {
		int err = fd_write(to, buf, (size_t)n);
		if (err != 0)
			return err;
		at += n;
	}
	return n < 0 ? -errno : 0;
}

/* Into files/XX under a name of its own, then renamed: a reader sees all of it or nothing. A long one is there as a
 * file: it is moved, or copied where Landlock allows no move between folders (before Linux 5.19). */
static int put_content(struct file_store *f, struct open_file *o, const char *sha)
{
	char xx[4], tmp[40], to[72];
	snprintf(xx, sizeof(xx), "%.2s", sha);
	snprintf(tmp, sizeof(tmp), "%s/.tmp-%llu", xx, (unsigned long long)o->id);
	path_of(sha, to);
	if (mkdirat(f->dir, xx, 0750) != 0 && errno != EEXIST)
		return -errno;
	if (o->fd >= 0 && fchmod(o->fd, 0400) != 0)
		return -errno;
	if (o->fd >= 0 && renameat(f->dir, o->tmp, f->dir, to) == 0)
		return 0;
	CLEANUP(fd_close)
	int fd = openat(f->dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
	if (fd < 0)
		return -errno;
	int err = o->fd >= 0 ? copy_all(fd, o->fd) : fd_write(fd, o->memory, o->len);
	if (err == 0 && renameat(f->dir, tmp, f->dir, to) != 0)
		err = -errno;
	if (err != 0)
		(void)unlinkat(f->dir, tmp, 0);
	return err;
}

static void tell_index(struct file_store *f, const struct open_file *o, const char *guest,
		       const char *session, int64_t ns, const struct file_done *d)
{
	struct writer w = writer_of(f->line, sizeof(f->line));
	write_fmt(&w, FIRST_KEY "%s\"", d->sha256);
	json_time(&w, "time", ns);
	write_fmt(&w, ",\"guest\":\"%s\",\"session\":\"%s\"", guest, session);
	if (d->known)
		write_str(&w, ",\"again\":true");
	json_count(&w, "size", d->size);
	write_fmt(&w, ",\"how\":\"%s\"", o->how);
	json_member(&w, "type", d->type, strlen(d->type), JSON_BYTES);
	json_member(&w, "name", o->name, strlen(o->name), JSON_BYTES);
	if (o->source[0] != '\0')
		json_member(&w, "source", o->source, strlen(o->source), JSON_BYTES);
	write_fmt(&w, ",\"complete\":%s}\n", d->complete ? "true" : "false");
	if (!w.full)
		index_line(f, w.buf, w.len);
}

int files_end(struct file_store *f, struct open_file *o, const char *guest, const char *session,
	      int64_t ns, struct file_done *ret)
{
	uint8_t sha[32], head[FILE_HEAD];
	char path[72], type[48];
	size_t n = o->len < FILE_HEAD ? (size_t)o->len : FILE_HEAD;
	memset(ret, 0, sizeof(*ret));
	sha256_end(&o->sha, sha);
	ret->size = o->size > o->len ? o->size : o->len;
	ret->complete = !o->cut;
	if (o->fd >= 0 && pread(o->fd, head, n, 0) != (ssize_t)n)
		n = 0;
	else if (o->fd < 0)
		memcpy(head, o->memory, n);
	text_copy(ret->type, sizeof(ret->type), file_type(head, n, type, sizeof(type)));
	if (o->len == 0) { /* nothing to keep, and an empty file's hash says nothing */
		files_drop(f, o);
		return 0;
	}
	digest_hex(sha, 32, ret->sha256);
	path_of(ret->sha256, path);
	bool there = faccessat(f->dir, path, F_OK, 0) == 0;
	ret->known = seen(f, sha) || there;
	int err = there ? 0 : put_content(f, o, ret->sha256);
	ret->kept = err == 0;
	if (err == 0 && !there)
		f->used += on_disk(o->len);
	if (err == 0)
		tell_index(f, o, guest, session, ns, ret);
	files_drop(f, o);
	keep_budget(f);
	return err;
}
