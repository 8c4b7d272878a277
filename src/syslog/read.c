/* SPDX-License-Identifier: BSD-2-Clause */
/* The store's reading side: day by day, the guests' lines of a day in the order in which they came. */
#include "syslog/syslog_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOURCES 64
#define DAYS 8192
#define SEEK_BYTES (256 << 10)
#define SEEK_NS (60 * NS_PER_SEC)
#define DAY_NS (86400 * NS_PER_SEC)

struct source { /* one guest's file of the day */
	char guest[STORE_NAME];
	FILE *file;
	char *line; /* getline's */
	size_t cap;
	char raw[SYSLOG_LINE];
	struct syslog_kept next;
};
struct scan {
	int dir;
	int64_t from_ns, to_ns;
	uint32_t n, n_guests, n_days;
	char guests[SOURCES][STORE_NAME];
	char (*days)[STORE_DAY]; /* DAYS of them, sorted */
	struct source *sources[SOURCES];
};

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static DIR *open_folder(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (d == NULL && fd >= 0)
		close(fd);
	return d;
}

/* A file of the day before may have a line or two of this one: the disk was full at midnight. */
static bool day_wanted(const struct scan *s, const char *day)
{
	char first[STORE_DAY], last[STORE_DAY];
	store_day_text(s->from_ns > INT64_MIN + DAY_NS ? s->from_ns - DAY_NS : s->from_ns, first);
	store_day_text(s->to_ns, last);
	return (s->from_ns == 0 || strcmp(day, first) >= 0) &&
	       (s->to_ns == 0 || strcmp(day, last) <= 0);
}

static void list_days(struct scan *s, const char *guest)
{
	struct dirent *e;
	DIR *d = open_folder(s->dir, guest);
	while (d != NULL && (e = readdir(d)) != NULL && s->n_days < DAYS) {
		if (!store_day_ok(e->d_name, ".log") || !day_wanted(s, e->d_name) ||
		    (s->n_days > 0 &&
		     bsearch(e->d_name, s->days, s->n_days, sizeof(s->days[0]), by_text) != NULL))
			continue;
		text_copy(s->days[s->n_days++], STORE_DAY, e->d_name);
		qsort(s->days, s->n_days, sizeof(s->days[0]), by_text);
	}
	if (d != NULL)
		closedir(d);
}

static int list(struct scan *s, const char *guest)
{
	struct dirent *e;
	DIR *d = open_folder(s->dir, ".");
	if (d == NULL)
		return -errno;
	while ((e = readdir(d)) != NULL && s->n_guests < SOURCES) {
		if (!store_name_ok(e->d_name) || (guest != NULL && strcmp(guest, e->d_name) != 0))
			continue;
		text_copy(s->guests[s->n_guests++], STORE_NAME, e->d_name);
		list_days(s, e->d_name);
	}
	closedir(d);
	qsort(s->guests, s->n_guests, sizeof(s->guests[0]), by_text);
	return 0;
}

/* The next line that is one; false: the file has no more. */
static bool advance(struct source *o)
{
	ssize_t n;
	while ((n = getline(&o->line, &o->cap, o->file)) > 0) {
		if (o->line[n - 1] != '\n')
			return false; /* being written just now */
		if (n <= STORE_LINE &&
		    store_line_read(o->line, (size_t)n - 1, o->raw, &o->next) == 0) {
			o->next.guest = o->guest;
			return true;
		}
	}
	return false;
}

static void source_free(struct source *o)
{
	if (o->file != NULL)
		fclose(o->file);
	free(o->line);
	free(o);
}

/* Lines lie in order of time, but for a clock that was set back: near the first that is wanted. */
static void seek_near(struct source *o, off_t size, int64_t from_ns)
{
	off_t low = 0, high = size;
	while (high - low > SEEK_BYTES) {
		off_t mid = low + (high - low) / 2;
		struct syslog_kept k;
		ssize_t n = -1;
		if (fseeko(o->file, mid, SEEK_SET) == 0 && getline(&o->line, &o->cap, o->file) > 0)
			n = getline(&o->line, &o->cap, o->file); /* the first was not whole */
		if (n > 0 && n <= STORE_LINE &&
		    store_line_read(o->line, (size_t)n - 1, o->raw, &k) == 0 && k.time_ns < from_ns)
			low = mid;
		else
			high = mid;
	}
	if (fseeko(o->file, low, SEEK_SET) == 0 && low > 0)
		(void)!getline(&o->line, &o->cap, o->file);
}

static int open_source(struct scan *s, const char *guest, const char *day)
{
	struct stat st;
	CLEANUP(fd_close)
	int dir = openat(s->dir, guest, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	CLEANUP(fd_close)
	int fd = dir < 0 ? -1 : openat(dir, day, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	struct source *o = calloc(1, sizeof(*o));
	if (o == NULL)
		return -ENOMEM;
	text_copy(o->guest, sizeof(o->guest), guest);
	o->file = fdopen(fd, "r");
	if (o->file != NULL && fstat(fd, &st) == 0 && s->from_ns > SEEK_NS)
		seek_near(o, st.st_size, s->from_ns - SEEK_NS);
	if (o->file != NULL)
		fd = -1; /* is the stream's now */
	if (o->file != NULL && advance(o))
		s->sources[s->n++] = o;
	else
		source_free(o);
	return 0;
}

/* Merges the day's files by time; false: fn has enough. */
static bool read_day(struct scan *s, syslog_read_fn *fn, void *ctx)
{
	bool go_on = true;
	while (s->n > 0 && go_on) {
		uint32_t first = 0;
		for (uint32_t i = 1; i < s->n; i++)
			if (s->sources[i]->next.time_ns < s->sources[first]->next.time_ns)
				first = i;
		struct source *o = s->sources[first];
		if ((s->from_ns == 0 || o->next.time_ns >= s->from_ns) &&
		    (s->to_ns == 0 || o->next.time_ns < s->to_ns))
			go_on = fn(ctx, &o->next);
		if (go_on && !advance(o)) {
			source_free(o);
			s->sources[first] = s->sources[--s->n];
		}
	}
	return go_on;
}

static int read_all(struct scan *s, syslog_read_fn *fn, void *ctx)
{
	int err = 0;
	bool go_on = true;
	for (uint32_t d = 0; d < s->n_days && err == 0 && go_on; d++) {
		for (uint32_t g = 0; g < s->n_guests && err == 0; g++)
			err = open_source(s, s->guests[g], s->days[d]);
		go_on = err == 0 && read_day(s, fn, ctx);
		while (s->n > 0)
			source_free(s->sources[--s->n]);
	}
	return err;
}

int syslog_store_read(const char *dir, const char *guest, int64_t from_ns, int64_t to_ns,
		      syslog_read_fn *fn, void *ctx)
{
	struct scan *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->from_ns = from_ns;
	s->to_ns = to_ns;
	s->days = calloc(DAYS, sizeof(s->days[0]));
	s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = s->days == NULL ? -ENOMEM : s->dir < 0 ? -errno : list(s, guest);
	if (err == 0)
		err = read_all(s, fn, ctx);
	fd_close(&s->dir);
	free(s->days);
	free(s);
	return err;
}
