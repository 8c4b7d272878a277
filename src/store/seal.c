/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running digest of a JSON file. It is of what was written, not of what is in the file: if somebody changes
 * the file meanwhile, the next seal disagrees with it. Only what was there at a start has to be read back.
 */
#include "store/store_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 65536

/* Opens the newest file of that stem of a day before; -1: there is none. */
static int open_before(int dirfd, const char *stem, uint32_t day)
{
	char name[STORE_PATH];
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint32_t newest = 0;
	if (d == NULL) {
		fd_close(&fd);
		return -1;
	}
	while ((entry = readdir(d)) != NULL) {
		uint32_t other = day_of_name(entry->d_name);
		if (entry->d_name[0] == stem[0] && strstr(entry->d_name, ".json") != NULL &&
		    other < day && other > newest)
			newest = other;
	}
	closedir(d);
	if (newest == 0)
		return -1;
	snprintf(name, sizeof(name), "%s-%08u.json", stem, newest);
	return openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

void seal_begin(struct lines *l, int dirfd, uint32_t day, const char *previous)
{
	char name[STORE_PATH];
	struct stat st;
	struct seal_run *r = &l->seal;
	memset(r, 0, sizeof(*r));
	r->day = day;
	sha256_begin(&r->sha);
	sha256_begin(&r->before_sha);
	r->size = fstat(l->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	r->news = r->size; /* what a run before did not come to seal */
	snprintf(name, sizeof(name), "%s-%08u.json", l->stem, day);
	r->off = faccessat(dirfd, name, F_OK, 0) == 0;
	text_copy(r->previous, sizeof(r->previous), previous);
	r->before = previous[0] != '\0' ? -1 : open_before(dirfd, l->stem, day);
}

void seal_wrote(struct lines *l, const char *data, size_t len)
{
	struct seal_run *r = &l->seal;
	if (r->done == r->size) {
		sha256_add(&r->sha, data, len);
		r->done += len;
	}
	r->size += len;
}

/* Adds what fd has from *done on. True: there is no more, up to end. */
static bool add_file(int fd, struct sha256 *sha, uint64_t *done, uint64_t end, uint64_t *budget)
{
	char buf[PIECE];
	while (*done<end && * budget> 0) {
		uint64_t want = end - *done < sizeof(buf) ? end - *done : sizeof(buf);
		ssize_t n = pread(fd, buf, want, (off_t)*done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return true;
		sha256_add(sha, buf, (size_t)n);
		*done += (uint64_t)n;
		*budget -= (uint64_t)n < *budget ? (uint64_t)n : *budget;
	}
	return *done >= end;
}

static void end_text(const struct sha256 *sha, char ret[EVENT_SHA256])
{
	struct sha256 copy = *sha;
	uint8_t sum[32];
	sha256_end(&copy, sum);
	digest_hex(sum, sizeof(sum), ret);
}

bool seal_catch_up(struct lines *l, uint64_t *budget)
{
	struct seal_run *r = &l->seal;
	if (r->before >= 0) {
		if (!add_file(r->before, &r->before_sha, &r->before_done, UINT64_MAX, budget))
			return false;
		end_text(&r->before_sha, r->previous);
		fd_close(&r->before);
	}
	if (r->done < r->size && add_file(l->fd, &r->sha, &r->done, r->size, budget))
		r->size = r->done; /* it may have become shorter under our hands */
	return r->done == r->size;
}

void seal_make(struct lines *l, struct event_seal *ret)
{
	struct seal_run *r = &l->seal;
	memset(ret, 0, sizeof(*ret));
	snprintf(ret->file, sizeof(ret->file), "%s-%08u.json", l->stem, r->day);
	ret->n = ++r->n;
	ret->bytes = r->bytes = r->done;
	end_text(&r->sha, ret->sha256);
	text_copy(ret->previous, sizeof(ret->previous), r->previous);
	r->news = 0;
}

bool seal_day_over(struct lines *l, struct event_seal *ret, char whole[EVENT_SHA256])
{
	struct seal_run *r = &l->seal;
	whole[0] = '\0';
	if (l->fd < 0 || r->off || r->before >= 0 || r->done != r->size)
		return false;
	end_text(&r->sha, whole);
	if (r->done == r->bytes)
		return false;
	seal_make(l, ret);
	return true;
}

void seal_close(struct lines *l)
{
	fd_close(&l->seal.before);
}
