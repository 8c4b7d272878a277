/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Event files against their seals. Each file is read once, and its digest compared at each sealed length: the
 * first that disagrees bounds what was changed. Only seals that were kept elsewhere prove anything against who
 * can write the files; the files' own find what a disk or a mistake did.
 */
#include "store/store_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_SEALS (1u << 21)
#define MOST_FILES (2 * STORE_DAYS)
#define PIECE (1u << 20)
#define DROPPED "\"what\":\"dropped\""
#define MOST_DROPS 256

struct whole {                 /* a file that is there */
	char name[EVENT_NAME]; /* with its day, whatever it is called on the disk */
	char sum[EVENT_SHA256];
};
struct drop {                  /* where a line says that old days were removed */
	char file[EVENT_NAME]; /* on the disk */
	uint64_t end;
};
struct seal_check {
	struct seal_known *seals;
	size_t n, cap;
	struct drop drops[MOST_DROPS];
	size_t n_drops;
	bool dropped; /* one of them counts: see drops_count */
	char on_disk[MOST_FILES][EVENT_NAME];
	size_t n_disk;
	struct whole wholes[MOST_FILES];
	size_t n_wholes;
	char bad[MOST_FILES][EVENT_NAME]; /* files that were told of */
	size_t n_bad;
	void (*tell)(void *ctx, const struct seal_report *r);
	void *ctx;
	struct seal_summary sum;
	char piece[PIECE];
};

int seal_check_create(struct seal_check **ret)
{
	struct seal_check *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	*ret = c;
	return 0;
}

void seal_check_free(struct seal_check **c)
{
	if (*c == NULL)
		return;
	free((*c)->seals);
	free(*c);
	*c = NULL;
}

int seal_check_add(struct seal_check *c, const struct seal_known *k)
{
	if (c->n == MOST_SEALS)
		return -E2BIG;
	if (c->n == c->cap) {
		size_t cap = c->cap > 0 ? 2 * c->cap : 256;
		struct seal_known *more = realloc(c->seals, cap * sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		c->seals = more;
		c->cap = cap;
	}
	c->seals[c->n++] = *k;
	return 0;
}

/* ---- the files and their own seals ---------------------------------------------------------------- */

/* -ENOENT as well if it is no plain file: whoever put a FIFO or a folder there must not end or hold us. */
static int open_plain(int dirfd, const char *name)
{
	struct stat st;
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ELOOP || errno == ENXIO ? -ENOENT : -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	fd_close(&fd);
	return -ENOENT;
}

static bool is_event_file(const char *name)
{
	size_t len = strlen(name);
	return len < EVENT_NAME &&
	       (strncmp(name, "eve-", 4) == 0 || strncmp(name, "skep-", 5) == 0) &&
	       day_of_name(name) != 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int list_files(struct seal_check *c, int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	if (d == NULL) {
		int err = -errno;
		fd_close(&fd);
		return err;
	}
	c->n_disk = 0;
	while ((entry = readdir(d)) != NULL && c->n_disk < MOST_FILES)
		if (is_event_file(entry->d_name))
			text_copy(c->on_disk[c->n_disk++], EVENT_NAME, entry->d_name);
	closedir(d);
	qsort(c->on_disk, c->n_disk, EVENT_NAME, by_name);
	return 0;
}

static int take_line(struct seal_check *c, const char *name, uint64_t end, const char *line,
		     size_t len)
{
	struct seal_known k[SEAL_LINE_SEALS];
	int err = 0;
	if (memmem(line, len, DROPPED, sizeof(DROPPED) - 1) != NULL && c->n_drops < MOST_DROPS) {
		struct drop *d = &c->drops[c->n_drops++];
		text_copy(d->file, sizeof(d->file), name);
		d->end = end;
	}
	if (memmem(line, len, "\"seal\"", 6) == NULL)
		return 0;
	size_t n = seal_parse(line, len, k);
	for (size_t i = 0; i < n && err == 0; i++)
		err = seal_check_add(c, &k[i]);
	return err;
}

static int read_own(struct seal_check *c, int dirfd, const char *name)
{
	CLEANUP(fd_close) int fd = open_plain(dirfd, name);
	size_t have = 0;
	uint64_t done = 0; /* of the file, in front of the piece */
	int err = fd < 0 && fd != -ENOENT ? fd : 0;
	while (fd >= 0 && err == 0) {
		ssize_t n = read(fd, c->piece + have, sizeof(c->piece) - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		have += (size_t)n;
		char *at = c->piece, *nl;
		while (err == 0 &&
		       (nl = memchr(at, '\n', have - (size_t)(at - c->piece))) != NULL) {
			err = take_line(c, name, done + (uint64_t)(nl + 1 - c->piece), at,
					(size_t)(nl - at));
			at = nl + 1;
		}
		have -= (size_t)(at - c->piece);
		done += (uint64_t)(at - c->piece);
		memmove(c->piece, at, have);
		if (have == sizeof(c->piece)) { /* no line of ours is so long */
			done += have;
			have = 0;
		}
	}
	return err;
}

int seal_check_own(struct seal_check *c, int dirfd)
{
	int err = list_files(c, dirfd);
	for (size_t i = 0; i < c->n_disk && err == 0; i++)
		if (c->on_disk[i][0] == 's')
			err = read_own(c, dirfd, c->on_disk[i]);
	return err != 0 ? err : read_own(c, dirfd, "skep.json");
}

/* ---- one file -------------------------------------------------------------------------------------- */

static void tell(struct seal_check *c, struct seal_report r)
{
	if (r.what != SEAL_DROPPED && r.what != SEAL_UNSEALED) {
		c->sum.faults++;
		if (c->n_bad < MOST_FILES)
			text_copy(c->bad[c->n_bad++], EVENT_NAME, r.file);
	}
	c->tell(c->ctx, &r);
}

static bool on_disk(const struct seal_check *c, const char *name)
{
	return bsearch(name, c->on_disk, c->n_disk, EVENT_NAME, by_name) != NULL;
}

/* Is it the file that today's lines go to? Then it has no day in its name. */
static const char *plain_name(const struct seal_check *c, const char *file)
{
	const char *plain = file[0] == 's' ? "skep.json" : "eve.json";
	for (size_t i = 0; i < c->n; i++)
		if (c->seals[i].seal.file[0] == file[0] &&
		    day_of_name(c->seals[i].seal.file) > day_of_name(file))
			return NULL;
	return on_disk(c, file) ? NULL : plain;
}

static int open_sealed(const struct seal_check *c, int dirfd, const char *file)
{
	const char *plain = plain_name(c, file);
	return open_plain(dirfd, plain != NULL ? plain : file);
}

/* Whoever removed old days himself can write such a line. Where seals were kept elsewhere, one counts only if it
 * stands below such a seal: the digest there is checked, and was made in time. */
static void drops_count(struct seal_check *c)
{
	bool outside = false;
	for (size_t i = 0; i < c->n; i++)
		outside |= c->seals[i].outside;
	c->dropped = !outside && c->n_drops > 0;
	for (size_t i = 0; outside && i < c->n; i++) {
		const struct seal_known *k = &c->seals[i];
		const char *plain = plain_name(c, k->seal.file);
		for (size_t d = 0; d < c->n_drops && k->outside; d++)
			c->dropped |= strcmp(c->drops[d].file,
					     plain != NULL ? plain : k->seal.file) == 0 &&
				      c->drops[d].end <= k->seal.bytes;
	}
}

struct reading {
	int fd;
	struct sha256 sha;
	uint64_t at;
	bool over; /* the file is */
	int err;
};

/* Reads on up to that byte, and gives the digest of all until there. */
static void digest_to(struct seal_check *c, struct reading *r, uint64_t to, char ret[EVENT_SHA256])
{
	uint8_t sum[32];
	while (r->at < to && !r->over) {
		size_t want =
			to - r->at < sizeof(c->piece) ? (size_t)(to - r->at) : sizeof(c->piece);
		ssize_t n = pread(r->fd, c->piece, want, (off_t)r->at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r->err = -errno;
		r->over = n <= 0;
		if (r->over)
			break;
		sha256_add(&r->sha, c->piece, (size_t)n);
		r->at += (uint64_t)n;
		c->sum.bytes += (uint64_t)n;
	}
	struct sha256 copy = r->sha;
	sha256_end(&copy, sum);
	digest_hex(sum, sizeof(sum), ret);
}

/* What was it sealed as, if this is another file's content? NULL: nothing of ours. */
static const char *sealed_as(struct seal_check *c, int fd, const char *file)
{
	struct reading r = {.fd = fd};
	char sum[EVENT_SHA256];
	const struct seal_known *last = NULL;
	uint64_t read = c->sum.bytes;
	for (size_t i = 0; i < c->n; i++) { /* sorted by file and length */
		const struct seal_known *k = &c->seals[i];
		if (k->seal.bytes == 0 || strcmp(k->seal.file, file) == 0)
			continue;
		if (last == NULL || strcmp(last->seal.file, k->seal.file) != 0) {
			r.at = 0;
			r.over = false;
			sha256_begin(&r.sha);
		}
		last = k;
		digest_to(c, &r, k->seal.bytes, sum);
		c->sum.bytes = read;
		if (!r.over && strcmp(sum, k->seal.sha256) == 0)
			return k->seal.file;
	}
	return NULL;
}

/* The seals of one file, sorted by length. */
struct group {
	const struct seal_known *seals;
	size_t n;
};

static void check_seals(struct seal_check *c, struct reading *r, const struct group *g)
{
	char sum[EVENT_SHA256];
	uint64_t good = 0;
	const char *file = g->seals[0].seal.file;
	for (size_t i = 0; i < g->n; i++) {
		const struct seal_known *k = &g->seals[i];
		digest_to(c, r, k->seal.bytes, sum);
		if (r->err != 0)
			return;
		*(k->outside ? &c->sum.outside : &c->sum.own) += 1;
		if (!r->over && strcmp(sum, k->seal.sha256) == 0) {
			good = k->seal.bytes;
			continue;
		}
		const char *other = good == 0 ? sealed_as(c, r->fd, file) : NULL;
		tell(c, (struct seal_report){.what = other != NULL ? SEAL_SWAPPED
						     : r->over     ? SEAL_TRUNCATED
								   : SEAL_ALTERED,
					     .file = file,
					     .from = r->over ? r->at : good,
					     .to = k->seal.bytes,
					     .seal = k,
					     .other = other});
		return; /* what comes after it can't agree either */
	}
	digest_to(c, r, UINT64_MAX, sum);
	if (r->at > good)
		tell(c, (struct seal_report){.what = SEAL_UNSEALED,
					     .file = file,
					     .from = good,
					     .to = r->at,
					     .seal = &g->seals[g->n - 1]});
}

static void keep_whole(struct seal_check *c, struct reading *r, const char *file)
{
	struct whole *w = &c->wholes[c->n_wholes];
	if (c->n_wholes == MOST_FILES)
		return;
	digest_to(c, r, UINT64_MAX, w->sum);
	text_copy(w->name, sizeof(w->name), file);
	c->n_wholes++;
}

/* An old day may be gone in good order: then an event of a later one says so. */
static bool was_dropped(const struct seal_check *c, const char *file)
{
	uint32_t oldest = UINT32_MAX;
	for (size_t i = 0; i < c->n_disk; i++)
		if (day_of_name(c->on_disk[i]) < oldest)
			oldest = day_of_name(c->on_disk[i]);
	return c->dropped && day_of_name(file) < oldest;
}

static int check_group(struct seal_check *c, int dirfd, const struct group *g)
{
	const char *file = g->seals[0].seal.file;
	CLEANUP(fd_close) int fd = open_sealed(c, dirfd, file);
	if (fd < 0 && fd != -ENOENT)
		return fd;
	if (fd < 0) {
		tell(c, (struct seal_report){.what = was_dropped(c, file) ? SEAL_DROPPED
									  : SEAL_MISSING,
					     .file = file,
					     .to = g->seals[g->n - 1].seal.bytes,
					     .seal = &g->seals[g->n - 1]});
		return 0;
	}
	struct reading r = {.fd = fd};
	sha256_begin(&r.sha);
	c->sum.files++;
	check_seals(c, &r, g);
	if (r.err == 0)
		keep_whole(c, &r, file);
	return r.err;
}

/* ---- the chain of days ----------------------------------------------------------------------------- */

/* The newest file of the same stem that is there of a day before; NULL: none. */
static const char *file_before(const struct seal_check *c, const char *file)
{
	const char *best = NULL;
	for (size_t i = 0; i < c->n_disk; i++)
		if (c->on_disk[i][0] == file[0] && strcmp(c->on_disk[i], file) < 0)
			best = c->on_disk[i];
	return best;
}

static const struct whole *whole_of(struct seal_check *c, int dirfd, const char *file)
{
	for (size_t i = 0; i < c->n_wholes; i++)
		if (strcmp(c->wholes[i].name, file) == 0)
			return &c->wholes[i];
	CLEANUP(fd_close) int fd = open_plain(dirfd, file);
	struct reading r = {.fd = fd};
	if (fd < 0 || c->n_wholes == MOST_FILES)
		return NULL;
	sha256_begin(&r.sha);
	c->sum.files++;
	keep_whole(c, &r, file);
	return &c->wholes[c->n_wholes - 1];
}

/* Was a fault told of a file between these two? Then the chain says nothing new. */
static bool told_between(const struct seal_check *c, const char *before, const char *file)
{
	for (size_t i = 0; i < c->n_bad; i++)
		if (c->bad[i][0] == file[0] && strcmp(c->bad[i], file) < 0 &&
		    (before == NULL || strcmp(c->bad[i], before) >= 0))
			return true;
	return false;
}

static void check_chain(struct seal_check *c, int dirfd, const struct group *g)
{
	const struct seal_known *k = NULL;
	for (size_t i = 0; i < g->n; i++) { /* what was kept elsewhere counts more */
		bool chained = g->seals[i].seal.previous[0] != '\0';
		if (chained && (k == NULL || (g->seals[i].outside && !k->outside)))
			k = &g->seals[i];
	}
	if (k == NULL)
		return;
	const char *before = file_before(c, k->seal.file);
	if ((before == NULL && c->dropped) || told_between(c, before, k->seal.file))
		return;
	const struct whole *w = before != NULL ? whole_of(c, dirfd, before) : NULL;
	if (w == NULL || strcmp(w->sum, k->seal.previous) != 0)
		tell(c, (struct seal_report){.what = SEAL_CHAIN,
					     .file = before != NULL ? before : k->seal.file,
					     .seal = k});
}

/* ---- all ------------------------------------------------------------------------------------------------ */

/* By day, then file, then length; the same seals beside each other, what was kept elsewhere first. */
static int by_place(const void *a, const void *b)
{
	const struct seal_known *x = a, *y = b;
	uint32_t dx = day_of_name(x->seal.file), dy = day_of_name(y->seal.file);
	if (dx != dy)
		return dx < dy ? -1 : 1;
	int order = strcmp(x->seal.file, y->seal.file);
	if (order == 0)
		order = x->seal.bytes != y->seal.bytes ? (x->seal.bytes < y->seal.bytes ? -1 : 1)
						       : 0;
	if (order == 0)
		order = y->outside - x->outside;
	return order != 0 ? order : strcmp(x->seal.sha256, y->seal.sha256);
}

int seal_check_run(struct seal_check *c, int dirfd,
		   void (*tell_fn)(void *ctx, const struct seal_report *r), void *ctx,
		   struct seal_summary *ret)
{
	c->tell = tell_fn;
	c->ctx = ctx;
	c->sum = (struct seal_summary){0};
	c->n_wholes = c->n_bad = 0;
	int err = list_files(c, dirfd);
	drops_count(c);
	if (c->n > 0)
		qsort(c->seals, c->n, sizeof(*c->seals), by_place);
	for (size_t i = 0, end; i < c->n && err == 0; i = end) {
		for (end = i;
		     end < c->n && strcmp(c->seals[end].seal.file, c->seals[i].seal.file) == 0;)
			end++;
		const struct group g = {&c->seals[i], end - i};
		err = check_group(c, dirfd, &g);
		if (err == 0)
			check_chain(c, dirfd, &g);
	}
	if (err == 0)
		*ret = c->sum;
	return err;
}
