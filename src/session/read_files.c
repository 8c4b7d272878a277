/* SPDX-License-Identifier: BSD-2-Clause */
/* The reading side of kept files: one row for each content, from the index. */
#include "session/session_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS_MOST 4000000u

struct rows {
	struct session_file_row *all;
	size_t n, cap;
};

static void get(const json_t *o, const char *key, char *ret, size_t size)
{
	const char *s = json_string_value(json_object_get(o, key));
	json_unescape(s != NULL ? s : "", ret, size);
}

static int add(struct rows *r, const json_t *o)
{
	if (r->n == r->cap) {
		size_t cap = r->cap > 0 ? r->cap * 2 : 64;
		struct session_file_row *more =
			r->n < ROWS_MOST ? realloc(r->all, cap * sizeof(*more)) : NULL;
		if (more == NULL)
			return -ENOMEM;
		r->all = more;
		r->cap = cap;
	}
	struct session_file_row *f = &r->all[r->n];
	const char *session = json_string_value(json_object_get(o, "session"));
	json_int_t size = json_integer_value(json_object_get(o, "size"));
	memset(f, 0, sizeof(*f));
	get(o, "sha256", f->sha256, sizeof(f->sha256));
	if (strlen(f->sha256) != 64 || strspn(f->sha256, "0123456789abcdef") != 64)
		return 0;
	get(o, "type", f->type, sizeof(f->type));
	get(o, "name", f->name, sizeof(f->name));
	get(o, "how", f->how, sizeof(f->how));
	get(o, "guest", f->guest, sizeof(f->guest));
	if (session == NULL || session_id_parse(session, &f->session) != 0)
		f->session = 0;
	f->size = size > 0 ? (uint64_t)size : 0;
	f->first_ns = json_time_value(o, "time");
	f->times = (uint32_t)r->n; /* for now: its place */
	r->n++;
	return 0;
}

static int read_index(int files, const char *name, struct rows *r)
{
	char *line = NULL;
	size_t cap = 0;
	int err = 0, fd = openat(files, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (f == NULL) {
		err = errno == ENOENT ? 0 : -errno;
		fd_close(&fd);
		return err;
	}
	while (err == 0 && getline(&line, &cap, f) > 0) {
		json_t *o = json_loads(line, 0, NULL);
		if (json_is_object(o))
			err = add(r, o);
		json_decref(o);
	}
	free(line);
	fclose(f);
	return err;
}

static int by_hash(const void *a, const void *b)
{
	const struct session_file_row *x = a, *y = b;
	int c = strcmp(x->sha256, y->sha256);
	return c != 0 ? c : x->times < y->times ? -1 : x->times > y->times;
}

static int by_time(const void *a, const void *b)
{
	const struct session_file_row *x = a, *y = b;
	if (x->first_ns != y->first_ns)
		return x->first_ns < y->first_ns ? -1 : 1;
	return strcmp(x->sha256, y->sha256);
}

/* One row for each hash, the first; counts the others. */
static void fold(int files, struct rows *r)
{
	size_t n = 0;
	if (r->n == 0)
		return;
	qsort(r->all, r->n, sizeof(r->all[0]), by_hash);
	for (size_t i = 0, k; i < r->n; i = k) {
		char path[72];
		for (k = i + 1; k < r->n && strcmp(r->all[k].sha256, r->all[i].sha256) == 0;)
			k++;
		r->all[n] = r->all[i];
		r->all[n].times = (uint32_t)(k - i);
		snprintf(path, sizeof(path), "%.2s/%s", r->all[n].sha256, r->all[n].sha256);
		r->all[n].kept = faccessat(files, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
		n++;
	}
	r->n = n;
	qsort(r->all, r->n, sizeof(r->all[0]), by_time);
}

int session_files(const char *dir, session_file_fn *fn, void *ctx)
{
	struct rows r = {0};
	CLEANUP(fd_close) int top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), files = -1;
	if (top >= 0)
		files = openat(top, "files", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (files < 0)
		return errno == ENOENT ? 0 : -errno;
	int err = read_index(files, "index-old.jsonl", &r);
	if (err == 0)
		err = read_index(files, "index.jsonl", &r);
	if (err == 0)
		fold(files, &r);
	for (size_t i = 0; err == 0 && i < r.n; i++)
		if (!fn(ctx, &r.all[i]))
			break;
	free(r.all);
	return err;
}
