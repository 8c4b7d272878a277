/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skep rules update: a set of rules from elsewhere becomes ours if it can be used. The new set is
 * written beside the old one and takes its place by rename: whoever reads sees one or the other, whole.
 */
#include "cmd/cmd.h"
#include "cmd/rules/rules.h"
#include "cmd/rules/ruleset.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIR_DEFAULT "/var/lib/skep/rules"
#define SOURCE_MOST ((size_t)256 << 20)
#define SHOWN 20u
#define FAILED_SHARE 10u /* a set of which more than one in so many is refused is none */

extern char **environ;

struct text {
	char *data; /* owned */
	size_t len, cap;
};

struct update {
	const char *source, *dir;
	bool insecure, json;
	char new[PATH_MAX], now[PATH_MAX], old[PATH_MAX], fetched[PATH_MAX];
	struct text text;
	struct ruleset_vars vars;
	struct ruleset incoming, present;
};

static int text_add(struct text *t, const char *data, size_t len)
{
	if (t->len + len > SOURCE_MOST)
		return SKEP_ERANGE;
	if (t->len + len + 1 > t->cap) {
		size_t cap = t->cap > 0 ? t->cap : 1u << 20;
		while (cap < t->len + len + 1)
			cap *= 2;
		char *more = realloc(t->data, cap);
		if (more == NULL)
			return -ENOMEM;
		t->data = more;
		t->cap = cap;
	}
	memcpy(t->data + t->len, data, len);
	t->len += len;
	return 0;
}

/* ---- getting it --------------------------------------------------------------------------------- */

/* Runs a program found in PATH; out (NULL: not wanted) takes what it prints. Its exit code, or an
 * error. */
static int run_program(const char *const argv[], struct text *out)
{
	posix_spawn_file_actions_t actions;
	int pipe_fds[2] = {-1, -1}, status = 0, err = 0;
	pid_t pid;
	if (out != NULL && pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	if (out != NULL)
		posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
	err = -posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	fd_close(&pipe_fds[1]);
	static const size_t room = 65536;
	char *buf = err == 0 && out != NULL ? malloc(room) : NULL;
	while (err == 0 && out != NULL) {
		ssize_t n = buf != NULL ? read(pipe_fds[0], buf, room) : -1;
		if (n < 0 && buf != NULL && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		err = text_add(out, buf, (size_t)n);
	}
	free(buf);
	bool spawned = err == 0 || err == SKEP_ERANGE || err == -ENOMEM;
	fd_close(&pipe_fds[0]);
	while (spawned && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (err != 0)
		return err;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int fetch(struct update *u)
{
	bool secure = strncmp(u->source, "https://", 8) == 0;
	if (!secure && (strncmp(u->source, "http://", 7) != 0 || !u->insecure))
		return cmd_fail(2,
				"rules: %s: only https is trusted; --insecure-http allows http://",
				u->source);
	const char *proto = secure ? "=https" : "=http,https";
	const char *const argv[] = {"curl",       "--fail",
				    "--silent",   "--show-error",
				    "--location", "--proto",
				    proto,        "--proto-redir",
				    proto,        "--max-redirs",
				    "5",          "--connect-timeout",
				    "30",         "--max-time",
				    "600",        "--max-filesize",
				    "268435456",  "--output",
				    u->fetched,   "--",
				    u->source,    NULL};
	int err = run_program(argv, NULL);
	if (err == -ENOENT)
		return cmd_fail(1, "rules: curl is not installed: `apt install curl`");
	if (err < 0)
		return cmd_fail(1, "rules: curl: %s", err_text(err));
	return err == 0 ? 0 : cmd_fail(1, "rules: %s was not fetched; nothing changes", u->source);
}

/* The rules in an archive, one after the other; nothing of it is unpacked to disk. */
static int untar(struct update *u, const char *path)
{
	const char *const argv[] = {"tar",           "-xzOf",   path, "--wildcards",
				    "--no-anchored", "*.rules", NULL};
	int err = run_program(argv, &u->text);
	if (err == SKEP_ERANGE)
		return cmd_fail(1, "rules: %s: more than 256 MiB of rules", u->source);
	if (err != 0 || u->text.len == 0)
		return cmd_fail(1, "rules: %s: no archive (.tar.gz) with *.rules in it", u->source);
	return 0;
}

static int take_file(struct update *u, const char *path)
{
	char *data;
	size_t len;
	int err = ruleset_read_file(path, &data, &len);
	if (err != 0)
		return cmd_fail(1, "rules: %s: %s", path, err_text(err));
	if (len > 2 && (uint8_t)data[0] == 0x1f && (uint8_t)data[1] == 0x8b) {
		free(data);
		return untar(u, path);
	}
	err = text_add(&u->text, data, len);
	if (err == 0 && len > 0 && data[len - 1] != '\n')
		err = text_add(&u->text, "\n", 1);
	free(data);
	return err != 0 ? cmd_fail(1, "rules: %s: %s", path, err_text(err)) : 0;
}

static int collect(struct update *u)
{
	static const char *const endings[] = {".rules", NULL};
	struct ruleset_paths paths = {.path = NULL};
	const char *from = u->source;
	int code = 0;
	if (strstr(u->source, "://") != NULL) {
		code = fetch(u);
		from = u->fetched;
	}
	int err = code == 0 ? ruleset_add(&paths, from, endings) : 0;
	if (err == SKEP_ENOTFOUND)
		code = cmd_fail(1, "rules: %s: no *.rules in this folder", from);
	else if (err != 0)
		code = cmd_fail(1, "rules: %s: %s", from, err_text(err));
	for (size_t i = 0; i < paths.n && code == 0; i++)
		code = take_file(u, paths.path[i]);
	ruleset_paths_free(&paths);
	if (u->fetched[0] != '\0')
		unlink(u->fetched);
	return code;
}

/* ---- what changed ------------------------------------------------------------------------------- */

static int by_sid(const void *a, const void *b)
{
	const struct compiler_rule *x = a, *y = b;
	if (x->gid != y->gid)
		return x->gid < y->gid ? -1 : 1;
	if (x->sid != y->sid)
		return x->sid < y->sid ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

static void sort(struct compiler_report *r)
{
	if (r->n_rules > 1)
		qsort(r->rules, r->n_rules, sizeof(*r->rules), by_sid);
}

struct change {
	uint64_t added, removed, changed;
	json_t *lists[3]; /* added, removed, changed: sids; NULL: text is wanted */
};

static void note(struct change *c, unsigned kind, const struct compiler_rule *e)
{
	static const char *const signs[] = {"+", "-", "~"};
	uint64_t *counts[] = {&c->added, &c->removed, &c->changed};
	char msg[512];
	(*counts[kind])++;
	if (c->lists[kind] != NULL) {
		json_array_append_new(c->lists[kind], json_integer(e->sid));
		return;
	}
	if (*counts[kind] == SHOWN + 1)
		printf("%s ... and more\n", signs[kind]);
	if (*counts[kind] > SHOWN)
		return;
	struct writer w = writer_of(msg, sizeof(msg));
	write_escaped(&w, e->msg, strlen(e->msg));
	printf("%s %u (rev %u) %s\n", signs[kind], e->sid, e->rev, msg);
}

static void compare(struct update *u, struct change *c)
{
	struct compiler_report *new = &u->incoming.report, *old = &u->present.report;
	uint32_t i = 0, k = 0;
	sort(new);
	sort(old);
	while (i < new->n_rules || k < old->n_rules) {
		/* One behind the last is there, and not looked at. */
		const struct compiler_rule *a = &new->rules[i];
		const struct compiler_rule *b = old->n_rules > 0 ? &old->rules[k] : a;
		bool only_new = k >= old->n_rules, only_old = i >= new->n_rules;
		if (!only_new && !only_old && (a->gid != b->gid || a->sid != b->sid)) {
			only_new = a->gid != b->gid ? a->gid < b->gid : a->sid < b->sid;
			only_old = !only_new;
		}
		if (only_new)
			note(c, 0, a);
		else if (only_old)
			note(c, 1, b);
		else if (a->rev != b->rev ||
			 memcmp(a->text_sum, b->text_sum, sizeof(a->text_sum)) != 0)
			note(c, 2, a);
		i += !only_old;
		k += !only_new;
	}
}

/* ---- putting it in its place -------------------------------------------------------------------- */

static int write_new(struct update *u)
{
	CLEANUP(fd_close)
	int fd = open(u->new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < u->text.len;) {
		ssize_t n = write(fd, u->text.data + done, u->text.len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int take_place(const struct update *u)
{
	if (unlink(u->old) < 0 && errno != ENOENT)
		return -errno;
	if (link(u->now, u->old) < 0 && errno != ENOENT)
		return -errno;
	if (rename(u->new, u->now) < 0)
		return -errno;
	CLEANUP(fd_close) int fd = open(u->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int load(struct update *u, struct ruleset *r, const char *path)
{
	struct ruleset_paths paths = {.path = NULL};
	if (ruleset_add_file(&paths, path) != 0)
		return cmd_fail(1, "rules: out of memory");
	int code = ruleset_read(r, "rules", &paths, &u->vars, true);
	ruleset_paths_free(&paths);
	return code;
}

static int make_dir(struct update *u)
{
	char parent[PATH_MAX];
	snprintf(parent, sizeof(parent), "%s", u->dir);
	for (char *p = parent + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(parent, 0755);
		*p = '/';
	}
	if (mkdir(u->dir, 0755) < 0 && errno != EEXIST)
		return cmd_fail(1, "rules: %s: %s", u->dir, strerror(errno));
	if (access(u->dir, W_OK) < 0)
		return cmd_fail(1, "rules: %s: %s; choose another folder with -o", u->dir,
				strerror(errno));
	return 0;
}

static void print_result(const struct update *u, const struct change *c)
{
	uint32_t n = u->incoming.report.n_rules;
	if (u->json) {
		json_t *o =
			json_pack("{s:s,s:I,s:I,s:O,s:O,s:O}", "file", u->now, "loaded",
				  (json_int_t)n, "failed", (json_int_t)u->incoming.errors, "added",
				  c->lists[0], "removed", c->lists[1], "changed", c->lists[2]);
		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(o);
		return;
	}
	printf("%llu added, %llu removed, %llu changed: %u rules in %s",
	       (unsigned long long)c->added, (unsigned long long)c->removed,
	       (unsigned long long)c->changed, n, u->now);
	if (u->incoming.errors > 0)
		printf(", %llu of it don't load (see above)",
		       (unsigned long long)u->incoming.errors);
	printf("\n");
}

static int update(struct update *u)
{
	struct change c = {.added = 0};
	int code = make_dir(u);
	if (code == 0)
		code = collect(u);
	if (code != 0)
		return code;
	int err = write_new(u);
	if (err != 0)
		return cmd_fail(1, "rules: %s: %s", u->new, err_text(err));
	u->incoming.most = SHOWN;
	u->present.most = 0;
	u->present.list = json_array(); /* what was wrong with the old set is old news */
	code = load(u, &u->incoming, u->new);
	if (code == 0 && access(u->now, F_OK) == 0)
		code = load(u, &u->present, u->now);
	if (code != 0)
		return code;
	uint64_t n = u->incoming.report.n_rules;
	if (n == 0 || u->incoming.errors * FAILED_SHARE > n + u->incoming.errors)
		return cmd_fail(
			1,
			"rules: %s: %llu rules load and %llu don't: refused, the present set "
			"stays; what came is in %s",
			u->source, (unsigned long long)n, (unsigned long long)u->incoming.errors,
			u->new);
	for (unsigned i = 0; i < 3 && u->json; i++)
		c.lists[i] = json_array();
	compare(u, &c);
	err = take_place(u);
	if (err == 0)
		print_result(u, &c);
	for (unsigned i = 0; i < 3; i++)
		json_decref(c.lists[i]);
	return err != 0 ? cmd_fail(1, "rules: %s: %s", u->now, err_text(err)) : 0;
}

int rules_update(const char *source, const char *dir, const char *conf, bool insecure, bool json)
{
	struct update *u = calloc(1, sizeof(*u));
	if (u == NULL)
		return cmd_fail(1, "rules: out of memory");
	u->source = source;
	u->dir = dir != NULL ? dir : DIR_DEFAULT;
	u->insecure = insecure;
	u->json = json;
	int code = 0;
	if (snprintf(u->new, sizeof(u->new), "%s/skep.rules.new", u->dir) >= (int)sizeof(u->new))
		code = cmd_fail(2, "rules: %s: name too long", u->dir);
	snprintf(u->now, sizeof(u->now), "%s/skep.rules", u->dir);
	snprintf(u->old, sizeof(u->old), "%s/skep.rules.old", u->dir);
	if (strstr(source, "://") != NULL)
		snprintf(u->fetched, sizeof(u->fetched), "%s/skep.rules.fetched", u->dir);
	if (code == 0)
		code = ruleset_vars_read("rules", conf, &u->vars);
	if (code == 0)
		code = update(u);
	ruleset_free(&u->incoming);
	ruleset_free(&u->present);
	ruleset_vars_free(&u->vars);
	free(u->text.data);
	free(u);
	return code;
}
