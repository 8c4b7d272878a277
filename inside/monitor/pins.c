/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs and maps outlive the process: they have names in the kernel's own file system for that, below
 * /sys/fs/bpf/monitor. So whoever kills the monitor is still seen doing it, and the next one tells.
 */
#include "monitor/monitor.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FS "/sys/fs/bpf"
#define TOP FS "/monitor"
#define FS_MAGIC 0xcafe4a11u

static bool mounted(void)
{
	struct statfs s;

	return statfs(FS, &s) == 0 && (uint32_t)s.f_type == FS_MAGIC;
}

/* Takes away what lies in a folder, one level of it, but not the entry named but. */
static void empty(const char *dir, const char *but)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[HOOKS_PATH + 300];

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    (but && strcmp(e->d_name, but) == 0))
			continue;
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= sizeof(path))
			continue;
		if (unlink(path) && rmdir(path) && errno != ENOTEMPTY)
			fprintf(stderr, "monitor: can't remove %s: %s\n", path, strerror(errno));
	}
	if (d)
		closedir(d);
}

void pins_remove(const char *but)
{
	DIR *d = opendir(TOP);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[HOOKS_PATH + 300];

		if (e->d_name[0] == '.' || (but && strcmp(e->d_name, but) == 0))
			continue;
		snprintf(path, sizeof(path), TOP "/%s", e->d_name);
		empty(path, NULL);
	}
	if (d)
		closedir(d);
	empty(TOP, but);
}

void pins_open(struct hooks *h, const void *programs, size_t size)
{
	const uint8_t *p = programs;
	uint64_t hash = 0xcbf29ce484222325ull;
	char name[24];

	h->pins[0] = 0;
	if (!mounted() && mount("bpf", FS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700"))
		return;
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ p[i]) * 0x100000001b3ull;
	snprintf(name, sizeof(name), "%016llx", (unsigned long long)hash);
	if (mkdir(TOP, 0700) && errno != EEXIST)
		return;
	pins_remove(name); /* of another version */
	snprintf(h->pins, sizeof(h->pins), TOP "/%s", name);
	if (mkdir(h->pins, 0700) && errno != EEXIST)
		h->pins[0] = 0;
}

int pins_map(const struct hooks *h, const char *name)
{
	char path[HOOKS_PATH + 80];

	snprintf(path, sizeof(path), "%s/map-%s", h->pins, name);
	return bpf_obj_get(path);
}

void pins_maps(struct hooks *h)
{
	struct bpf_map *m;

	bpf_object__for_each_map(m, h->object)
	{
		char path[HOOKS_PATH + 80];

		snprintf(path, sizeof(path), "%s/map-%s", h->pins, bpf_map__name(m));
		if (h->pins[0] && !bpf_map__is_internal(m) && bpf_map__set_pin_path(m, path))
			fprintf(stderr, "monitor: can't pin %s\n", path);
	}
}

static void link_path(const struct hooks *h, const char *program, char *ret, size_t size)
{
	snprintf(ret, size, "%s/link-%s", h->pins, program);
}

/* A folder named by the number of links: it is there if all of them are. */
static void mark_path(const struct hooks *h, uint32_t n, char *ret, size_t size)
{
	snprintf(ret, size, "%s/whole-%u", h->pins, n);
}

struct bpf_link *pins_link(const struct hooks *h, const char *program)
{
	char path[HOOKS_PATH + 80];

	link_path(h, program, path, sizeof(path));
	return access(path, F_OK) == 0 ? bpf_link__open(path) : NULL;
}

bool pins_whole(const struct hooks *h, uint32_t n)
{
	char path[HOOKS_PATH + 80];

	mark_path(h, n, path, sizeof(path));
	return n > 0 && access(path, F_OK) == 0;
}

void pins_links(struct hooks *h)
{
	char path[HOOKS_PATH + 80];

	if (!h->pins[0])
		return;
	for (uint32_t i = 0; i < h->n_links; i++) {
		link_path(h, h->links[i].program, path, sizeof(path));
		unlink(path);
		/* Links of kprobes can't be, before 5.15: the next life hangs all anew then. */
		if (bpf_link__pin(h->links[i].link, path))
			return;
	}
	mark_path(h, h->n_links, path, sizeof(path));
	(void)mkdir(path, 0700);
}
