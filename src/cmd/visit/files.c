/* SPDX-License-Identifier: BSD-2-Clause */
/* skep files: what was fetched, uploaded and written, by its content. Nothing of it is ever made executable. */
#include "cmd/visit/visit.h"
#include "cmd/visit/zip.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_ROWS 50u
#define SHA256_TEXT 64

enum { OPT_JSON = 256, OPT_LIVE };

struct files {
	const char *verb, *sum, *conf, *out, *guest;
	bool json, live;
	size_t most, skip, n;
	struct session_file_row found;
	unsigned matches;
};

static const char help[] =
	"usage: skep files [list] [-g GUEST] [-n N] [--json]\n"
	"       skep files show SHA256\n"
	"       skep files get SHA256 -o FILE [--live]\n"
	"Files that were fetched, uploaded or written in guests, once by content, the newest last. "
	"`get`\nwrites a zip with the password \"infected\", which keeps filters and double clicks "
	"away.\nThe beginning of a SHA-256 is enough where it is unique.\n\n"
	"  -g, --guest NAME   first seen at that guest\n"
	"  -n N               the newest N (0: all); else 50\n"
	"      --json         one JSON object a line\n"
	"  -o, --output FILE  where to; - is the standard output\n"
	"      --live         the content as it is: it may be malware, and it is on you\n"
	"  -c, --config FILE  which honeynet\n";

static const struct option options[] = {
	{"guest", required_argument, NULL, 'g'},
	{"output", required_argument, NULL, 'o'},
	{"live", no_argument, NULL, OPT_LIVE},
	{"json", no_argument, NULL, OPT_JSON},
	{"config", required_argument, NULL, 'c'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static bool wanted(const struct files *f, const struct session_file_row *r)
{
	return f->guest == NULL || strcmp(f->guest, r->guest) == 0;
}

static bool count(void *ctx, const struct session_file_row *r)
{
	struct files *f = ctx;
	f->n += wanted(f, r);
	return true;
}

/* ---- list ---------------------------------------------------------------------------------------------------- */

static void put(json_t *o, const char *key, const char *text)
{
	char clean[1024];
	struct writer w = writer_of(clean, sizeof(clean));
	write_escaped(&w, text, strlen(text));
	json_object_set_new(o, key, json_string(clean));
}

static void print_json(const struct session_file_row *r)
{
	char buf[EVENT_TIME];
	json_t *o = json_object();
	put(o, "sha256", r->sha256);
	put(o, "type", r->type);
	put(o, "name", r->name);
	put(o, "how", r->how);
	put(o, "guest", r->guest);
	json_object_set_new(o, "size", json_integer((json_int_t)r->size));
	json_object_set_new(o, "first", json_string(event_time_text(r->first_ns, buf)));
	json_object_set_new(o, "session",
			    r->session != 0 ? json_string(session_id_text(r->session, buf))
					    : json_null());
	json_object_set_new(o, "times", json_integer(r->times));
	json_object_set_new(o, "kept", json_boolean(r->kept));
	char *text = json_dumps(o, JSON_COMPACT);
	if (text != NULL)
		puts(text);
	free(text);
	json_decref(o);
}

static bool print_row(void *ctx, const struct session_file_row *r)
{
	struct files *f = ctx;
	char when[EVENT_TIME], size[32];
	struct writer w = writer_of(size, sizeof(size));
	if (!wanted(f, r))
		return true;
	if (f->skip > 0) {
		f->skip--;
		return true;
	}
	if (f->json) {
		print_json(r);
		return ferror(stdout) == 0;
	}
	text_bytes(&w, r->size);
	printf("%.16s  %s  %-9s %-9s ", r->sha256, visit_time(r->first_ns, when), size, r->how);
	visit_print(r->guest, 8);
	printf(" %5u  ", r->times);
	visit_print(r->type, 12);
	printf(" ");
	visit_print(r->name, 0);
	printf("%s\n", r->kept ? "" : "  (not kept any more)");
	return ferror(stdout) == 0;
}

static int list(struct files *f, const char *dir)
{
	int err = session_files(dir, count, f);
	if (err == -ENOENT || (err == 0 && f->n == 0)) {
		if (!f->json)
			fprintf(stderr, "no file yet\n");
		return 0;
	}
	f->skip = f->most > 0 && f->n > f->most ? f->n - f->most : 0;
	if (err == 0 && !f->json)
		printf("%-16s  %-19s  %-9s %-9s %-8s %5s  %-12s %s\n", "SHA-256", "FIRST (UTC)",
		       "SIZE", "HOW", "GUEST", "TIMES", "TYPE", "NAME");
	if (err == 0)
		err = session_files(dir, print_row, f);
	return err == 0 ? 0 : visit_unreadable(dir, err);
}

/* ---- one ------------------------------------------------------------------------------------------------------- */

static bool match(void *ctx, const struct session_file_row *r)
{
	struct files *f = ctx;
	if (strncmp(r->sha256, f->sum, strlen(f->sum)) != 0)
		return true;
	f->found = *r;
	return ++f->matches < 2;
}

static int find(struct files *f, const char *dir)
{
	size_t len = strlen(f->sum);
	if (len < 4 || len > SHA256_TEXT || strspn(f->sum, "0123456789abcdef") != len)
		return cmd_fail(2, "files: '%s' is no SHA-256: at least its first four digits",
				f->sum);
	int err = session_files(dir, match, f);
	if (err != 0 && err != -ENOENT)
		return visit_unreadable(dir, err);
	if (f->matches == 0)
		return cmd_fail(1, "no file has a SHA-256 that begins with %s", f->sum);
	return f->matches == 1 ? 0 : cmd_fail(1, "several begin with %s: give more of it", f->sum);
}

static void show(const struct files *f)
{
	const struct session_file_row *r = &f->found;
	char buf[EVENT_TIME];
	if (f->json) {
		print_json(r);
		return;
	}
	printf("sha256   %s\nsize     %llu bytes\ntype     ", r->sha256,
	       (unsigned long long)r->size);
	visit_print(r->type, 0);
	printf("\nname     ");
	visit_print(r->name, 0);
	printf("\nfirst    %s UTC, %s at ", visit_time(r->first_ns, buf), r->how);
	visit_print(r->guest, 0);
	printf("\nseen     %u times\n", r->times);
	if (r->session != 0)
		printf("session  %s\n", session_id_text(r->session, buf));
	printf("content  %s\n", r->kept ? "kept: skep files get" : "not kept any more");
}

static int write_to(const struct files *f, int fd, const char *data, size_t len)
{
	char name[SHA256_TEXT + 8];
	snprintf(name, sizeof(name), "%s.bin", f->found.sha256);
	if (!f->live)
		return zip_write(fd, name, data, (uint32_t)len, f->found.first_ns);
	while (len > 0) {
		ssize_t n = write(fd, data, len);
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int get(const struct files *f, const char *dir)
{
	char path[VISIT_PATH], *data = NULL;
	size_t len;
	bool to_stdout = f->out != NULL && strcmp(f->out, "-") == 0;
	if (f->out == NULL)
		return cmd_fail(2, "files: where to? `skep files get SHA256 -o FILE.zip`");
	if (to_stdout && isatty(STDOUT_FILENO))
		return cmd_fail(2, "files: not to a terminal: -o FILE");
	snprintf(path, sizeof(path), "%s/files/%.2s/%s", dir, f->found.sha256, f->found.sha256);
	int err = visit_read(path, &data, &len);
	if (err == -ENOENT)
		return cmd_fail(1, "its content is not kept any more");
	if (err != 0)
		return visit_unreadable(path, err);
	int fd = to_stdout ? STDOUT_FILENO
			   : open(f->out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	err = fd < 0 ? -errno : write_to(f, fd, data, len);
	free(data);
	if (fd >= 0 && !to_stdout && close(fd) != 0 && err == 0)
		err = -errno;
	if (err == -EEXIST)
		return cmd_fail(1, "%s is there already: nothing is written over", f->out);
	if (err != 0)
		return cmd_fail(1, "%s can't be written: %s", f->out, err_text(err));
	if (!to_stdout && !f->live)
		printf("%s: a zip, its password is \"" ZIP_PASSWORD "\"\n", f->out);
	return 0;
}

/* ---- options ---------------------------------------------------------------------------------------------------- */

static bool set(struct files *f, int option, const char *value)
{
	char *end;
	switch (option) {
	case 'g':
		f->guest = value;
		return true;
	case 'o':
		f->out = value;
		return true;
	case 'n':
		f->most = strtoul(value, &end, 10);
		return value[0] >= '0' && value[0] <= '9' && *end == '\0';
	case OPT_JSON:
		return f->json = true;
	case OPT_LIVE:
		return f->live = true;
	default:
		f->conf = value;
		return true;
	}
}

/* 0: go on; 1: done; 2: bad usage. */
static int parse(int argc, char **argv, struct files *f)
{
	int o;
	while ((o = getopt_long(argc, argv, "g:n:o:c:h", options, NULL)) != -1) {
		if (o == '?') {
			fprintf(stderr, "`skep files --help` lists the options\n");
			return 2;
		}
		if (o == 'h') {
			fputs(help, stdout);
			return 1;
		}
		if (!set(f, o, optarg))
			return cmd_fail(2, "files: '%s' is no number", optarg);
	}
	f->verb = optind < argc ? argv[optind++] : "list";
	bool one = strcmp(f->verb, "show") == 0 || strcmp(f->verb, "get") == 0;
	if (!one && strcmp(f->verb, "list") != 0)
		return cmd_fail(2, "files: it knows list, show and get, not '%s'", f->verb);
	if (one && optind < argc)
		f->sum = argv[optind++];
	if ((one && f->sum == NULL) || optind < argc)
		return cmd_fail(2, "files: %s", one ? "one SHA-256 is expected" : "too many words");
	return 0;
}

int cmd_files(int argc, char **argv)
{
	struct files f = {.most = DEFAULT_ROWS};
	struct conf *conf = calloc(1, sizeof(*conf));
	char dir[VISIT_DIR];
	int rc = conf == NULL ? 2 : parse(argc, argv, &f);
	if (rc == 0)
		rc = visit_dir(f.conf, conf, dir);
	else if (rc == 1) {
		free(conf);
		return 0;
	}
	free(conf);
	if (rc != 0)
		return rc;
	signal(SIGPIPE, SIG_DFL);
	if (strcmp(f.verb, "list") == 0)
		return list(&f, dir);
	rc = find(&f, dir);
	if (rc != 0)
		return rc;
	if (strcmp(f.verb, "get") == 0)
		return get(&f, dir);
	show(&f);
	return 0;
}
