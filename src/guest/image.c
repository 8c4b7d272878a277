/* SPDX-License-Identifier: BSD-2-Clause */
/* Built images: where their recipes are, whether one is there and still what its recipe says. */
#include "guest/guest_priv.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECIPE_FILES 256
#define RECIPE_FILE_MAX (1u << 20)
#define MANIFEST_MAX (1u << 20)

/* Does what runs stand where it is installed to? */
static bool installed(void)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n <= 0)
		return false;
	exe[n] = '\0';
	size_t len = strlen(SKEP_PREFIX);
	return strncmp(exe, SKEP_PREFIX, len) == 0 && exe[len] == '/';
}

const char *guest_recipe_dir(void)
{
	return installed() ? SKEP_IMAGES_INSTALLED : SKEP_IMAGES_SOURCE;
}

const char *inside_dir(void)
{
	return installed() ? SKEP_INSIDE_INSTALLED : SKEP_INSIDE_BUILT;
}

/* ---- hash of a recipe --------------------------------------------------------------------------- */

struct recipe {
	size_t n;
	char *paths[RECIPE_FILES]; /* owned */
};

static int collect(struct recipe *r, const char *dir, int depth)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int err = 0;
	if (d == NULL)
		return errno == ENOENT ? SKEP_ENOTFOUND : -errno;
	while (err == 0 && (e = readdir(d)) != NULL) {
		char path[PATH_MAX];
		struct stat st;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		int len = snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (len < 0 || (size_t)len >= sizeof(path))
			err = -ENAMETOOLONG;
		else if (lstat(path, &st) < 0)
			err = -errno;
		else if (S_ISDIR(st.st_mode))
			err = depth < 8 ? collect(r, path, depth + 1) : SKEP_ERANGE;
		else if (r->n == RECIPE_FILES)
			err = SKEP_EFULL;
		else if ((r->paths[r->n++] = strdup(path)) == NULL)
			err = -ENOMEM;
	}
	closedir(d);
	return err;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int hash_file(EVP_MD_CTX *md, const char *path, const char *name)
{
	char *text = NULL;
	size_t n = 0;
	int err = file_read(path, RECIPE_FILE_MAX, &text, &n);
	if (err == 0) {
		EVP_DigestUpdate(md, name, strlen(name) + 1);
		EVP_DigestUpdate(md, &n, sizeof(n));
		EVP_DigestUpdate(md, text, n);
	}
	free(text);
	return err;
}

/* What goes into guests counts by a hash of its sources: it is the same in each build of them. */
static int hash_inside(EVP_MD_CTX *md)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/version", inside_dir());
	int err = hash_file(md, path, "inside");
	return err == -ENOENT ? 0 : err; /* nothing was built for them */
}

static int hash_recipe(const struct recipe *r, size_t skip, bool inside, char *ret, size_t size)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	int err = md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1 ? -ENOMEM : 0;
	for (size_t i = 0; i < r->n && err == 0; i++)
		err = hash_file(md, r->paths[i], r->paths[i] + skip);
	if (err == 0 && inside)
		err = hash_inside(md);
	if (err == 0 && EVP_DigestFinal_ex(md, sum, &len) != 1)
		err = -EIO;
	EVP_MD_CTX_free(md);
	struct writer w = writer_of(ret, size);
	for (unsigned i = 0; i < len / 2 && err == 0; i++)
		write_fmt(&w, "%02x", sum[i]);
	return err;
}

int guest_recipe_version(const char *name, char *ret, size_t size)
{
	struct recipe r = {0};
	char dir[PATH_MAX];
	const char *top = guest_recipe_dir();
	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL ||
	    strlen(name) >= CONF_NAME)
		return SKEP_ENOTFOUND;
	snprintf(dir, sizeof(dir), "%s/%s", top, name);
	int err = collect(&r, dir, 0);
	snprintf(dir, sizeof(dir), "%s/common", top);
	if (err == 0)
		err = collect(&r, dir, 0);
	if (err == 0) {
		qsort(r.paths, r.n, sizeof(r.paths[0]), by_name);
		err = hash_recipe(&r, strlen(top), strcmp(name, "common") != 0, ret, size);
	}
	for (size_t i = 0; i < r.n; i++)
		free(r.paths[i]);
	return err;
}

/* ---- what was built ------------------------------------------------------------------------------ */

static int read_manifest(const json_t *m, struct guest_image *ret)
{
	const char *append = json_string_value(json_object_get(m, "append"));
	const char *version = json_string_value(json_object_get(m, "version"));
	json_int_t memory = json_integer_value(json_object_get(m, "memory_min"));
	if (append == NULL || version == NULL || memory <= 0 ||
	    !text_copy(ret->append, sizeof(ret->append), append) ||
	    !text_copy(ret->version, sizeof(ret->version), version))
		return SKEP_EFORMAT;
	ret->memory_min_bytes = (uint64_t)memory;
	ret->sshd = json_is_true(json_object_get(m, "sshd"));
	ret->syslogd = json_is_true(json_object_get(m, "syslogd"));
	ret->monitor = json_is_true(json_object_get(m, "monitor"));
	ret->shell = json_is_true(json_object_get(m, "shell"));
	return 0;
}

/* Fills what is there, whatever version it is. */
static int load(const char *dir, struct guest_image *ret)
{
	struct guest_image img = {0};
	char path[sizeof(img.disk)];
	char *text = NULL;
	size_t len = 0;
	snprintf(path, sizeof(path), "%s/manifest.json", dir);
	int err = file_read(path, MANIFEST_MAX, &text, &len);
	if (err != 0)
		return err == -ENOENT ? SKEP_ENOTFOUND : err;
	json_t *m = json_loadb(text, len, 0, NULL);
	free(text);
	err = m == NULL ? SKEP_EFORMAT : read_manifest(m, &img);
	json_decref(m);
	if (err != 0)
		return err;
	text_copy(img.dir, sizeof(img.dir), dir);
	snprintf(img.kernel, sizeof(img.kernel), "%s/vmlinuz", dir);
	snprintf(img.initrd, sizeof(img.initrd), "%s/initrd", dir);
	snprintf(img.disk, sizeof(img.disk), "%s/disk.raw", dir);
	if (access(img.disk, F_OK) < 0)
		img.disk[0] = '\0';
	if (access(img.kernel, F_OK) < 0 || access(img.initrd, F_OK) < 0)
		return SKEP_ENOTFOUND;
	*ret = img;
	return 0;
}

int guest_image_find(const struct conf *c, const char *name, struct guest_image *ret)
{
	char version[64], dir[sizeof(ret->dir)];
	struct guest_image img;
	int err = guest_recipe_version(name, version, sizeof(version));
	if (err != 0)
		return err;
	snprintf(dir, sizeof(dir), "%s/images/%s", c->cache_dir, name);
	err = load(dir, &img);
	if (err != 0)
		return err;
	if (strcmp(img.version, version) != 0)
		return SKEP_ENOTFOUND;
	*ret = img;
	return 0;
}
