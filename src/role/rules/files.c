/* SPDX-License-Identifier: BSD-2-Clause */
/* Rule files, as people name them. */
#include "role/rules/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MOST ((size_t)256 << 20)

int ruleset_add_file(struct ruleset_paths *p, const char *path)
{
	if (p->n == p->cap) {
		size_t cap = p->cap > 0 ? p->cap * 2 : 16;
		char **more = realloc(p->path, cap * sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		p->path = more;
		p->cap = cap;
	}
	p->path[p->n] = strdup(path);
	if (p->path[p->n] == NULL)
		return -ENOMEM;
	p->n++;
	return 0;
}

static bool ends_in(const char *name, const char *const *endings)
{
	size_t len = strlen(name);
	for (; *endings != NULL; endings++) {
		size_t n = strlen(*endings);
		if (len > n && name[0] != '.' && strcmp(name + len - n, *endings) == 0)
			return true;
	}
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int ruleset_add(struct ruleset_paths *p, const char *path, const char *const *endings)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return ruleset_add_file(p, path);
	DIR *d = opendir(path);
	if (d == NULL)
		return -errno;
	size_t first = p->n;
	const struct dirent *e;
	int err = 0;
	while (err == 0 && (e = readdir(d)) != NULL) {
		char full[PATH_MAX];
		if (!ends_in(e->d_name, endings))
			continue;
		if (snprintf(full, sizeof(full), "%s/%s", path, e->d_name) >= (int)sizeof(full))
			err = -ENAMETOOLONG;
		else
			err = ruleset_add_file(p, full);
	}
	closedir(d);
	if (err != 0)
		return err;
	if (p->n == first)
		return SKEP_ENOTFOUND;
	qsort(p->path + first, p->n - first, sizeof(*p->path), by_name);
	return 0;
}

void ruleset_paths_free(struct ruleset_paths *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->path[i]);
	free(p->path);
	*p = (struct ruleset_paths){.path = NULL};
}

int ruleset_read_file(const char *path, char **ret, size_t *ret_len)
{
	size_t len = 0, cap = 1u << 16;
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size < FILE_MOST)
		cap = (size_t)st.st_size + 2;
	char *buf = malloc(cap);
	int err = buf == NULL ? -ENOMEM : 0;
	while (err == 0) {
		ssize_t n = read(fd, buf + len, cap - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err = n < 0 ? -errno : 0;
			break;
		}
		len += (size_t)n;
		if (len + 1 < cap)
			continue;
		char *more = cap < FILE_MOST ? realloc(buf, cap * 2) : NULL;
		err = more != NULL ? 0 : cap < FILE_MOST ? -ENOMEM : SKEP_ERANGE;
		buf = more != NULL ? more : buf;
		cap *= 2;
	}
	if (err != 0) {
		free(buf);
		return err;
	}
	buf[len] = '\0';
	*ret = buf;
	*ret_len = len;
	return 0;
}

bool ruleset_is_config(const char *path)
{
	size_t len = strlen(path);
	return len > 7 && strcmp(path + len - 7, ".config") == 0;
}

bool ruleset_is_ports(const char *name)
{
	size_t len = strlen(name);
	return len >= 5 &&
	       (strcmp(name + len - 5, "PORTS") == 0 || strcmp(name + len - 5, "_PORT") == 0);
}
