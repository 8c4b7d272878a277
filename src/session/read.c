/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reading side, for cmd: what is on disk is taken for hostile, too, for collector has read hostile bytes all its
 * life. One bounded line of each record is parsed; a day's rows are put in order by their ids, which grow with time.
 */
#include "session/session_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_MOST 16384u
#define ROWS_MOST 4000000u /* of one day */

/* ---- values --------------------------------------------------------------------------------------- */

static void get_text(const json_t *o, const char *key, char *ret, size_t size)
{
	const char *s = json_string_value(json_object_get(o, key));
	json_unescape(s != NULL ? s : "", ret, size);
}

static uint64_t get_number(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));
	return v > 0 ? (uint64_t)v : 0;
}

static uint32_t get_count(const json_t *o, const char *key)
{
	uint64_t v = get_number(o, key);
	return v < UINT32_MAX ? (uint32_t)v : UINT32_MAX;
}

/* What event_time_text writes; 0: not that. */
int64_t json_time_value(const struct json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	int64_t ns;
	return s != NULL && event_time_parse(s, &ns) == 0 ? ns : 0;
}

static uint16_t get_port(const json_t *o, const char *key)
{
	uint64_t v = get_number(o, key);
	return v <= UINT16_MAX ? (uint16_t)v : 0;
}

static bool row_of(const json_t *o, struct session_row *r)
{
	const char *id = json_string_value(json_object_get(o, "id"));
	const char *peer = json_string_value(json_object_get(o, "peer"));
	const json_t *c = json_object_get(o, "counts");
	memset(r, 0, sizeof(*r));
	if (id == NULL || session_id_parse(id, &r->id) != 0)
		return false;
	r->start_ns = json_time_value(o, "start");
	r->end_ns = json_time_value(o, "end");
	get_text(o, "guest", r->guest, sizeof(r->guest));
	get_text(o, "service", r->service, sizeof(r->service));
	get_text(o, "heard", r->heard, sizeof(r->heard));
	get_text(o, "user", r->user, sizeof(r->user));
	get_text(o, "secret", r->secret, sizeof(r->secret));
	if (peer == NULL || addr_parse(peer, &r->peer) != 0)
		r->peer = (struct addr){0};
	r->peer_port = get_port(o, "peer_port");
	r->server_port = get_port(o, "server_port");
	r->flow_id = get_number(o, "flow_id");
	r->logins_ok = get_count(c, "logins_ok");
	r->logins_failed = get_count(c, "logins_failed");
	r->commands = get_count(c, "lines");
	if (r->commands == 0)
		r->commands = get_count(c, "runs");
	r->files = get_count(c, "files");
	r->alerts = get_count(c, "alerts");
	r->input = get_number(c, "input");
	r->output = get_number(c, "output");
	r->has_cast = json_array_size(json_object_get(o, "casts")) > 0;
	return true;
}

/* ---- one record ------------------------------------------------------------------------------------- */

/* The first line without its comma, as an object of its own. */
static bool read_head(int dir, const char *name, struct session_row *ret)
{
	char buf[HEAD_MOST];
	CLEANUP(fd_close) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd >= 0 ? pread(fd, buf, sizeof(buf), 0) : -1;
	const char *nl = n > 1 ? memchr(buf, '\n', (size_t)n) : NULL;
	if (nl == NULL || nl == buf || nl[-1] != ',')
		return false;
	buf[nl - buf - 1] = '}';
	json_t *o = json_loadb(buf, (size_t)(nl - buf), 0, NULL);
	bool fine = json_is_object(o) && row_of(o, ret);
	json_decref(o);
	return fine;
}

/* ---- a day -------------------------------------------------------------------------------------------- */

struct place { /* where a row is: at >= 0: in the list; else a record of its own */
	uint64_t id;
	int64_t at;
};
struct places {
	struct place *all;
	size_t n, cap;
};

static int place_add(struct places *p, uint64_t id, int64_t at)
{
	if (p->n == ROWS_MOST)
		return SKEP_EFULL;
	if (p->n == p->cap) {
		size_t cap = p->cap > 0 ? p->cap * 2 : 256;
		struct place *more = realloc(p->all, cap * sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		p->all = more;
		p->cap = cap;
	}
	p->all[p->n++] = (struct place){id, at};
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* "ID.json" -> ID. */
static bool record_name(const char *name, uint64_t *ret)
{
	char stem[SESSION_ID_TEXT];
	const char *dot = strchr(name, '.');
	if (dot == NULL || strcmp(dot, ".json") != 0 || (size_t)(dot - name) >= sizeof(stem))
		return false;
	memcpy(stem, name, (size_t)(dot - name));
	stem[dot - name] = '\0';
	return session_id_parse(stem, ret) == 0;
}

static int places_of_list(FILE *list, struct places *p)
{
	static const char key[] = "{\"version\":1,\"id\":\"";
	char *line = NULL;
	size_t cap = 0;
	int err = 0;
	int64_t at = 0;
	for (ssize_t n; err == 0 && (n = getline(&line, &cap, list)) > 0; at += n) {
		char id[SESSION_ID_TEXT];
		uint64_t v;
		if (n < 48 || strncmp(line, key, sizeof(key) - 1) != 0)
			continue;
		memcpy(id, line + sizeof(key) - 1, ID_DIGITS);
		id[ID_DIGITS] = '\0';
		if (session_id_parse(id, &v) == 0)
			err = place_add(p, v, at);
	}
	free(line);
	return err;
}

static bool read_listed(FILE *list, int64_t at, struct session_row *ret)
{
	char *line = NULL;
	size_t cap = 0;
	bool fine = false;
	if (fseek(list, (long)at, SEEK_SET) == 0 && getline(&line, &cap, list) > 0) {
		json_t *o = json_loads(line, 0, NULL);
		fine = json_is_object(o) && row_of(o, ret);
		json_decref(o);
	}
	free(line);
	return fine;
}

static int places_of(int day, FILE *list, struct places *ret)
{
	int fd = openat(day, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	int err = 0;
	if (d == NULL) {
		fd_close(&fd);
		return -errno;
	}
	for (struct dirent *e; err == 0 && (e = readdir(d)) != NULL;) {
		uint64_t id;
		if (record_name(e->d_name, &id))
			err = place_add(ret, id, -1);
	}
	closedir(d);
	if (err == 0 && list != NULL)
		err = places_of_list(list, ret);
	if (ret->n > 0)
		qsort(ret->all, ret->n, sizeof(ret->all[0]), by_id);
	return err;
}

struct wanted {
	int64_t from_ns, to_ns;
	uint64_t first_id, last_id;
	session_row_fn *fn;
	void *ctx;
	bool enough;
};

static int list_day(int sessions, const char *name, struct wanted *w)
{
	struct places p = {0};
	CLEANUP(fd_close)
	int day = openat(sessions, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (day < 0)
		return errno == ENOENT ? 0 : -errno;
	int fd = openat(day, "list.jsonl", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	FILE *list = fd >= 0 ? fdopen(fd, "r") : NULL;
	int err = places_of(day, list, &p);
	for (size_t i = 0; err == 0 && i < p.n && !w->enough; i++) {
		struct session_row row;
		char id[SESSION_ID_TEXT], file[32];
		if (p.all[i].id < w->first_id || p.all[i].id > w->last_id)
			continue;
		snprintf(file, sizeof(file), "%s.json", session_id_text(p.all[i].id, id));
		bool fine = p.all[i].at < 0 ? read_head(day, file, &row)
					    : read_listed(list, p.all[i].at, &row);
		if (fine && row.start_ns >= w->from_ns && row.start_ns <= w->to_ns &&
		    !w->fn(w->ctx, &row))
			w->enough = true;
	}
	if (list != NULL)
		fclose(list);
	free(p.all);
	return err;
}

/* ---- all days -------------------------------------------------------------------------------------------- */

static int by_day(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static int open_sessions(const char *dir, int *ret)
{
	CLEANUP(fd_close) int top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return -errno;
	*ret = openat(top, "sessions", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return *ret < 0 ? -errno : 0;
}

static size_t days_of(int sessions, uint32_t *ret, size_t max)
{
	size_t n = 0;
	int fd = openat(sessions, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	if (d == NULL) {
		fd_close(&fd);
		return 0;
	}
	for (struct dirent *e; n < max && (e = readdir(d)) != NULL;) {
		uint32_t day = day_parse(e->d_name);
		if (day != 0)
			ret[n++] = day;
	}
	closedir(d);
	qsort(ret, n, sizeof(ret[0]), by_day);
	return n;
}

static int list_days(const char *dir, uint32_t first, uint32_t last, struct wanted *w)
{
	uint32_t days[DAYS];
	CLEANUP(fd_close) int sessions = -1;
	int err = open_sessions(dir, &sessions);
	if (err != 0)
		return err == -ENOENT ? 0 : err;
	size_t n = days_of(sessions, days, DAYS);
	for (size_t i = 0; i < n && err == 0 && !w->enough; i++) {
		char name[DAY_TEXT];
		if (days[i] >= first && days[i] <= last)
			err = list_day(sessions, day_text(days[i], name), w);
	}
	return err;
}

int session_list(const char *dir, int64_t from_ns, int64_t to_ns, session_row_fn *fn, void *ctx)
{
	struct wanted w = {
		.from_ns = from_ns, .to_ns = to_ns, .last_id = UINT64_MAX, .fn = fn, .ctx = ctx};
	return list_days(dir, day_of(from_ns > 0 ? from_ns : 0), day_of(to_ns), &w);
}

/* ---- one by its id ------------------------------------------------------------------------------------------ */

struct found {
	uint32_t n;
	struct session_row row;
};

static bool match(void *ctx, const struct session_row *r)
{
	struct found *f = ctx;
	f->row = *r;
	return ++f->n < 2;
}

/* The first or last id with such a beginning. */
static int bound(const char *prefix, char fill, uint64_t *ret)
{
	char id[SESSION_ID_TEXT];
	size_t n = strlen(prefix);
	if (n == 0 || n > ID_DIGITS)
		return SKEP_EFORMAT;
	memset(id, fill, ID_DIGITS);
	memcpy(id, prefix, n);
	id[ID_DIGITS] = '\0';
	return session_id_parse(id, ret);
}

static int64_t begin_of(uint64_t id)
{
	uint64_t ms = id >> 11;
	return ms < (uint64_t)(INT64_MAX / NS_PER_MS) - 2 * 86400000u ? (int64_t)ms * NS_PER_MS
								      : INT64_MAX / 2;
}

static void path_if(const char *dir, const char *day, const char *id, const char *ending, char *ret,
		    size_t size)
{
	if (ret == NULL)
		return;
	int n = snprintf(ret, size, "%s/sessions/%s/%s%s", dir, day, id, ending);
	if (n < 0 || (size_t)n >= size || access(ret, R_OK) != 0)
		ret[0] = '\0';
}

int session_find(const char *dir, const char *id, struct session_row *ret, char *cast, char *json,
		 size_t size)
{
	static const int64_t day_ns = 86400 * NS_PER_SEC;
	struct found f = {.n = 0};
	struct wanted w = {.to_ns = INT64_MAX, .fn = match, .ctx = &f};
	char day[DAY_TEXT], text[SESSION_ID_TEXT];
	if (bound(id, '0', &w.first_id) != 0 || bound(id, 'z', &w.last_id) != 0)
		return SKEP_ENOTFOUND;
	/* A clock that was set back makes ids run ahead of the days. */
	int64_t from = begin_of(w.first_id);
	int err = list_days(dir, day_of(from > day_ns ? from - day_ns : 0),
			    day_of(begin_of(w.last_id) + day_ns), &w);
	if (err != 0)
		return err;
	if (f.n != 1)
		return f.n == 0 ? SKEP_ENOTFOUND : -EEXIST;
	*ret = f.row;
	day_text(day_of(f.row.start_ns), day);
	session_id_text(f.row.id, text);
	path_if(dir, day, text, ".cast", cast, size);
	path_if(dir, day, text, ".json", json, size);
	return 0;
}
