/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store as its one writer sees it: today's two JSON files and database, and what is too old or
 * too much.
 *
 * The budget is kept by unlinking the oldest day. When today alone is over it, an intruder's flood
 * must not erase what it began with: routine events are refused first, then all but urgent ones.
 */
#include "store/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CATCH_UP (64u << 20) /* bytes read in one go after a start */

struct store {
	int dirfd;
	char dir[STORE_PATH];
	char sensor[EVENT_NAME];
	uint32_t keep_days, day;
	uint64_t disk_bytes, used_bytes;
	struct lines eve, skep;
	struct event_seal over[2]; /* of files whose day is over, not fetched yet */
	uint32_t n_over;
	struct db db; /* handle NULL: could not be opened; tried again by housekeeping */
};

static int open_db(struct store *s, bool *ret_damaged)
{
	int err = db_open(&s->db, s->dir, s->day);
	if (err != SKEP_EFORMAT)
		return err;
	err = db_set_aside(s->dir, s->day);
	if (err != 0)
		return err;
	*ret_damaged = true;
	return db_open(&s->db, s->dir, s->day);
}

/* The number of the last seal of a file goes on after a start. */
static void take_number(void *ctx, const char *json, size_t len)
{
	struct store *s = ctx;
	struct lines *const files[] = {&s->eve, &s->skep};
	struct seal_known k[SEAL_LINE_SEALS];
	size_t n = seal_parse(json, len, k);
	for (size_t i = 0; i < n * ARRAY_LEN(files); i++) {
		struct lines *l = files[i % ARRAY_LEN(files)];
		const struct event_seal *seal = &k[i / ARRAY_LEN(files)].seal;
		if (day_of_name(seal->file) == s->day && seal->file[0] == l->stem[0] &&
		    seal->n > l->seal.n)
			l->seal.n = seal->n;
	}
}

int store_open(const char *dir, const char *sensor, uint32_t keep_days, uint64_t disk_bytes,
	       struct store **ret)
{
	bool damaged = false;
	struct store *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->eve.fd = s->skep.fd = s->eve.seal.before = s->skep.seal.before = -1;
	s->keep_days = keep_days;
	s->disk_bytes = disk_bytes;
	s->day = store_day_of(clock_wall_ns());
	text_copy(s->sensor, sizeof(s->sensor), sensor);
	s->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = s->dirfd < 0 ? -errno : 0;
	if (err == 0 && !text_copy(s->dir, sizeof(s->dir), dir))
		err = -ENAMETOOLONG;
	if (err == 0)
		err = lines_open(&s->eve, s->dirfd, "eve", s->day);
	if (err == 0)
		err = lines_open(&s->skep, s->dirfd, "skep", s->day);
	if (err == 0)
		err = open_db(s, &damaged);
	if (err == 0) {
		seal_begin(&s->eve, s->dirfd, s->day, "");
		seal_begin(&s->skep, s->dirfd, s->day, "");
		db_seals(&s->db, take_number, s);
	}
	if (err == 0) {
		uint32_t oldest;
		err = day_usage(s->dirfd, &s->used_bytes, &oldest);
	}
	if (err != 0) {
		store_close(&s);
		return err;
	}
	*ret = s;
	return damaged ? STORE_DAMAGED : 0;
}

static int keep_first(int err, int next)
{
	return err != 0 ? err : next;
}

static int rotate(struct store *s, uint32_t day)
{
	struct lines *const files[] = {&s->eve, &s->skep};
	char whole[EVENT_SHA256];
	bool damaged = false;
	int err = 0;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const char *stem = files[i]->stem;
		err = keep_first(err, lines_rotate(files[i], s->dirfd, s->day));
		if (s->n_over == ARRAY_LEN(s->over))
			s->n_over = 0; /* nobody asks for seals */
		if (seal_day_over(files[i], &s->over[s->n_over], whole))
			s->n_over++;
		lines_close(files[i]);
		err = keep_first(err, lines_open(files[i], s->dirfd, stem, day));
		if (files[i]->fd >= 0)
			seal_begin(files[i], s->dirfd, day, whole);
	}
	db_close(&s->db);
	s->day = day;
	return keep_first(err, open_db(s, &damaged));
}

/* Is there room for an event of that priority? */
static bool has_room(const struct store *s, uint8_t priority)
{
	uint64_t budget = s->disk_bytes;
	if (budget == 0 || s->used_bytes < budget || priority == 2)
		return true;
	return priority == 1 && s->used_bytes < budget + budget / 8;
}

static int add_to_db(struct store *s, const struct event *events, char *const *json, size_t n)
{
	if (s->db.file.handle == NULL)
		return -EIO;
	int err = db_begin(&s->db);
	if (err != 0)
		return err;
	for (size_t i = 0; i < n && err == 0; i++)
		if (json[i] != NULL)
			err = db_add(&s->db, &events[i], json[i]);
	return keep_first(err, db_end(&s->db, err == 0));
}

static int add_lines(struct store *s, const struct event *events, char **ret_json, size_t n)
{
	int err = 0;
	for (size_t i = 0; i < n; i++) {
		enum event_kind kind = (enum event_kind)events[i].kind;
		if (!has_room(s, events[i].priority)) {
			err = keep_first(err, -ENOSPC);
			continue;
		}
		ret_json[i] = event_json(&events[i], s->sensor);
		if (ret_json[i] == NULL) {
			err = keep_first(err, -ENOMEM);
			continue;
		}
		/* In the file, in the database and, about, in its indexes. */
		s->used_bytes += 2 * strlen(ret_json[i]) + 400;
		struct lines *l = event_is_eve(kind) ? &s->eve : &s->skep;
		err = keep_first(err, store_lines_put(l, ret_json[i]));
		/* Else each seal of skep.json would make the next one due. */
		if (kind != EVENT_SEAL && kind != EVENT_NOTICE)
			l->seal.news += strlen(ret_json[i]);
	}
	err = keep_first(err, store_lines_flush(&s->eve));
	return keep_first(err, store_lines_flush(&s->skep));
}

int store_add(struct store *s, const struct event *events, size_t n)
{
	int err = 0;
	uint32_t day = s->day;
	for (size_t i = 0; i < n; i++) {
		uint32_t own = store_day_of(events[i].time_ns);
		if (own > day)
			day = own;
	}
	if (day != s->day)
		err = rotate(s, day);
	char **json = calloc(n > 0 ? n : 1, sizeof(*json));
	if (json == NULL)
		return -ENOMEM;
	err = keep_first(err, add_lines(s, events, json, n));
	int db_err = add_to_db(s, events, json, n);
	for (size_t i = 0; i < n; i++)
		free(json[i]);
	free(json);
	if (db_err == SKEP_EFORMAT) {
		bool damaged = false;
		db_close(&s->db);
		if (db_set_aside(s->dir, s->day) == 0 && open_db(s, &damaged) != 0)
			db_err = SKEP_EFORMAT;
	}
	return keep_first(err, db_err);
}

int store_housekeep(struct store *s, int64_t now_ns, uint32_t *ret_dropped_days)
{
	uint32_t today = store_day_of(now_ns), oldest = 0, dropped = 0;
	bool damaged = false;
	int err = today > s->day ? rotate(s, today) : 0;
	if (s->db.file.handle == NULL)
		err = keep_first(err, open_db(s, &damaged));
	for (int i = 0; i < STORE_DAYS; i++) {
		int e = day_usage(s->dirfd, &s->used_bytes, &oldest);
		if (e != 0)
			return keep_first(err, e);
		bool old = s->keep_days > 0 && oldest <= day_add(s->day, -(int)s->keep_days);
		bool much = s->disk_bytes > 0 && s->used_bytes > s->disk_bytes;
		if (oldest == 0 || oldest >= s->day || (!old && !much))
			break;
		day_unlink(s->dirfd, oldest);
		dropped++;
	}
	*ret_dropped_days = dropped;
	return err;
}

size_t store_seals(struct store *s, int64_t now_ns, int64_t every_ns,
		   struct event_seal ret[STORE_SEALS])
{
	struct lines *const files[] = {&s->eve, &s->skep};
	uint64_t budget = CATCH_UP;
	size_t n = s->n_over;
	memcpy(ret, s->over, n * sizeof(*ret));
	s->n_over = 0;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct seal_run *r = &files[i]->seal;
		if (files[i]->fd < 0 || !seal_catch_up(files[i], &budget) || r->off ||
		    r->done == r->bytes)
			continue;
		bool due = r->told_ns == 0 || now_ns - r->told_ns >= every_ns;
		if (every_ns > 0 && (!due || r->news == 0))
			continue;
		seal_make(files[i], &ret[n++]);
		r->told_ns = now_ns;
	}
	return n;
}

void store_close(struct store **s)
{
	if (*s == NULL)
		return;
	lines_close(&(*s)->eve);
	lines_close(&(*s)->skep);
	db_close(&(*s)->db);
	fd_close(&(*s)->dirfd);
	free(*s);
	*s = NULL;
}
