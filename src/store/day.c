/* SPDX-License-Identifier: BSD-2-Clause */
/* Days and the files that belong to them: a day is deleted by unlinking. */
#include "store/store_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

uint32_t store_day_of(int64_t time_ns)
{
	char buf[EVENT_TIME];
	unsigned y = 0, m = 0, d = 0;
	event_time_text(time_ns, buf);
	if (sscanf(buf, "%4u-%2u-%2u", &y, &m, &d) != 3)
		return 0;
	return y * 10000 + m * 100 + d;
}

uint32_t day_add(uint32_t day, int n)
{
	struct tm tm = {.tm_year = (int)(day / 10000) - 1900,
			.tm_mon = (int)(day / 100 % 100) - 1,
			.tm_mday = (int)(day % 100) + n,
			.tm_hour = 12};
	return store_day_of((int64_t)timegm(&tm) * NS_PER_SEC);
}

uint32_t day_of_name(const char *name)
{
	static const char *const stems[] = {"eve-", "skep-", "events-"};
	for (size_t i = 0; i < ARRAY_LEN(stems); i++) {
		size_t len = strlen(stems[i]);
		if (strncmp(name, stems[i], len) != 0)
			continue;
		const char *digits = name + len;
		if (strspn(digits, "0123456789") != 8)
			return 0;
		const char *rest = digits + 8;
		if (i < 2 ? strcmp(rest, ".json") != 0 : strncmp(rest, ".db", 3) != 0)
			return 0;
		return (uint32_t)strtoul(digits, NULL, 10);
	}
	return 0;
}

static int by_day(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

int day_list(const char *dir, uint32_t *ret, size_t max, size_t *ret_n)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	size_t n = 0;
	if (d == NULL)
		return -errno;
	while ((entry = readdir(d)) != NULL && n < max) {
		uint32_t day = day_of_name(entry->d_name);
		size_t len = strlen(entry->d_name);
		if (day != 0 && len > 3 && strcmp(entry->d_name + len - 3, ".db") == 0)
			ret[n++] = day;
	}
	closedir(d);
	qsort(ret, n, sizeof(*ret), by_day);
	*ret_n = n;
	return 0;
}

static DIR *open_dir(int dirfd)
{
	/* A fresh description: readdir must not share its offset with anybody. */
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (d == NULL && fd >= 0)
		close(fd);
	return d;
}

int day_usage(int dirfd, uint64_t *ret_bytes, uint32_t *ret_oldest)
{
	DIR *d = open_dir(dirfd);
	struct dirent *entry;
	struct stat st;
	uint64_t bytes = 0;
	uint32_t oldest = 0;
	if (d == NULL)
		return -errno;
	while ((entry = readdir(d)) != NULL) {
		uint32_t day = day_of_name(entry->d_name);
		bool today = strcmp(entry->d_name, "eve.json") == 0 ||
			     strcmp(entry->d_name, "skep.json") == 0;
		if ((day == 0 && !today) ||
		    fstatat(dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		bytes += (uint64_t)st.st_blocks * 512;
		if (day != 0 && (oldest == 0 || day < oldest))
			oldest = day;
	}
	closedir(d);
	*ret_bytes = bytes;
	*ret_oldest = oldest;
	return 0;
}

void day_unlink(int dirfd, uint32_t day)
{
	DIR *d = open_dir(dirfd);
	struct dirent *entry;
	if (d == NULL)
		return;
	while ((entry = readdir(d)) != NULL)
		if (day_of_name(entry->d_name) == day)
			unlinkat(dirfd, entry->d_name, 0);
	closedir(d);
}
