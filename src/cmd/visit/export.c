/* SPDX-License-Identifier: BSD-2-Clause */
/* skep sessions export: one visit's recordings and record, into a folder or one .tar.gz; and which files it brought. */
#include "cmd/visit/visit.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define TERMINALS 9
#define TAR_BLOCK 512

struct out {
	int dir;   /* a folder; -1: */
	gzFile gz; /* an archive */
	char id[SESSION_ID_TEXT];
	int64_t time_ns;
	int err;
};

/* ---- an archive (POSIX ustar) ------------------------------------------------------------------------- */

/* size - 1 digits and a zero byte. */
static void octal(char *at, size_t size, uint64_t v)
{
	at[size - 1] = '\0';
	for (size_t i = size - 1; i > 0; i--, v >>= 3)
		at[i - 1] = (char)('0' + (v & 7));
}

static bool gz_put(struct out *o, const void *data, size_t len)
{
	if (len > 0 && gzwrite(o->gz, data, (unsigned)len) != (int)len)
		o->err = -EIO;
	return o->err == 0;
}

static void tar_file(struct out *o, const char *name, const char *data, size_t len)
{
	static const char zero[TAR_BLOCK];
	char h[TAR_BLOCK] = "";
	unsigned sum = 0;
	snprintf(h, 100, "skep-%s/%s", o->id, name);
	octal(h + 100, 8, 0644);
	octal(h + 108, 8, 0);
	octal(h + 116, 8, 0);
	octal(h + 124, 12, len);
	octal(h + 136, 12, (uint64_t)(o->time_ns / NS_PER_SEC));
	memset(h + 148, ' ', 8);
	h[156] = '0';
	memcpy(h + 257, "ustar\00000", 8);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += (uint8_t)h[i];
	octal(h + 148, 7, sum);
	if (gz_put(o, h, TAR_BLOCK) && gz_put(o, data, len))
		(void)gz_put(o, zero, (TAR_BLOCK - len % TAR_BLOCK) % TAR_BLOCK);
}

/* ---- a folder ---------------------------------------------------------------------------------------------- */

static void plain_file(struct out *o, const char *name, const char *data, size_t len)
{
	int fd = openat(o->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0) {
		o->err = -errno;
		return;
	}
	o->err = fd_write(fd, data, len);
	if (close(fd) != 0 && o->err == 0)
		o->err = -errno;
}

static void put_file(struct out *o, const char *name, const char *data, size_t len)
{
	if (o->err != 0)
		return;
	if (o->gz != NULL)
		tar_file(o, name, data, len);
	else
		plain_file(o, name, data, len);
}

/* ---- what goes in --------------------------------------------------------------------------------------------- */

static void put_copy(struct out *o, const char *name, const char *path)
{
	char *text = NULL;
	size_t len;
	if (o->err != 0 || path[0] == '\0')
		return;
	o->err = visit_read(path, &text, &len);
	if (o->err == 0)
		put_file(o, name, text, len);
	free(text);
}

static void put_casts(struct out *o, const char *first)
{
	char path[VISIT_PATH], name[64];
	size_t len = strlen(first);
	if (len < 5)
		return;
	snprintf(name, sizeof(name), "%s.cast", o->id);
	put_copy(o, name, first);
	for (unsigned n = 2; n <= TERMINALS; n++) {
		snprintf(path, sizeof(path), "%.*s-%u.cast", (int)(len - 5), first, n);
		snprintf(name, sizeof(name), "%s-%u.cast", o->id, n);
		if (access(path, R_OK) == 0)
			put_copy(o, name, path);
	}
}

/* A name may hold anything, a new line as well: that must not make a row of its own. */
static void put_row(FILE *f, const char *sum, const char *path)
{
	char clean[4096];
	struct writer w = writer_of(clean, sizeof(clean));
	write_escaped(&w, path, strlen(path));
	fprintf(f, "%.64s  %s\n", sum, clean);
}

/* In the form that sha256sum writes. The content stays where it is: `skep files get`. */
static void put_list(struct out *o, const char *json_path)
{
	char *text = NULL, *list = NULL;
	size_t len = 0, size = 0;
	if (o->err != 0 || json_path[0] == '\0' || visit_read(json_path, &text, &len) != 0)
		return;
	json_t *r = json_loadb(text, len, 0, NULL);
	const json_t *files = json_object_get(r, "files");
	FILE *f = open_memstream(&list, &size);
	for (size_t i = 0; f != NULL && i < json_array_size(files); i++) {
		const json_t *e = json_array_get(files, i);
		const char *sum = json_string_value(json_object_get(e, "sha256"));
		const char *path = json_string_value(json_object_get(e, "path"));
		if (sum != NULL)
			put_row(f, sum, path != NULL ? path : "-");
	}
	if (f != NULL && fclose(f) == 0 && size > 0)
		put_file(o, "files.sha256", list, size);
	free(list);
	free(text);
	json_decref(r);
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n > m && strcmp(s + n - m, end) == 0;
}

static int open_out(struct out *o, const char *to)
{
	if (ends_with(to, ".tar.gz") || ends_with(to, ".tgz")) {
		int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (fd < 0)
			return -errno;
		o->gz = gzdopen(fd, "wb");
		if (o->gz == NULL)
			fd_close(&fd);
		return o->gz != NULL ? 0 : -ENOMEM;
	}
	if (mkdir(to, 0755) != 0 && errno != EEXIST)
		return -errno;
	o->dir = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return o->dir >= 0 ? 0 : -errno;
}

static int export_to(const struct session_row *r, const struct visit_files *files, const char *to)
{
	static const char end[2 * TAR_BLOCK];
	struct out o = {.dir = -1, .time_ns = r->start_ns};
	char name[64];
	session_id_text(r->id, o.id);
	o.err = open_out(&o, to);
	if (o.err == 0) {
		snprintf(name, sizeof(name), "%s.json", o.id);
		put_copy(&o, name, files->json);
		put_casts(&o, files->cast);
		put_list(&o, files->json);
	}
	if (o.gz != NULL) {
		(void)gz_put(&o, end, sizeof(end));
		if (gzclose(o.gz) != Z_OK && o.err == 0)
			o.err = -EIO;
	}
	fd_close(&o.dir);
	if (o.err == -EEXIST)
		return cmd_fail(1, "%s is there already: nothing is written over", to);
	if (o.err != 0)
		return cmd_fail(1, "%s can't be written: %s", to, err_text(o.err));
	return 0;
}

int visit_export(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	static const char usage[] = "usage: skep sessions export [-c FILE] ID FOLDER|FILE.tar.gz";
	struct conf *conf = calloc(1, sizeof(*conf));
	const char *path = NULL;
	struct session_row row;
	struct visit_files files;
	char dir[VISIT_DIR];
	int o, rc = conf == NULL ? 2 : 0;
	while (rc == 0 && (o = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (o == 'c')
			path = optarg;
		else
			rc = cmd_fail(2, "%s", usage);
	}
	if (rc == 0 && optind + 2 != argc)
		rc = cmd_fail(2, "%s", usage);
	if (rc == 0)
		rc = visit_dir(path, conf, dir);
	if (rc == 0)
		rc = visit_look_up(dir, argv[optind], &row, &files);
	if (rc == 0 && files.json[0] == '\0')
		rc = cmd_fail(1,
			      "that visit has no record of its own: `skep sessions --all --json` "
			      "has all that is known of it");
	if (rc == 0)
		rc = export_to(&row, &files, argv[optind + 1]);
	free(conf);
	return rc;
}
