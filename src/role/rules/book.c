/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules: from the operator's files to what a wall is given. */
#include "role/rules/book.h"
#include "guest/guest.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE 1400u

struct work {
	const struct book_conf *conf;
	struct book *book;
	struct compiler_file *files; /* owned, and their texts */
	size_t n;
};

static void say(const struct book_conf *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(const struct book_conf *c, const char *fmt, ...)
{
	char line[LINE];
	va_list ap;
	if (c->say == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	c->say(c->ctx, line);
}

/* ---- texts ----------------------------------------------------------------------------------------- */

static int take_file(struct work *w, const char *path, bool config)
{
	char *text;
	size_t len;
	int err = ruleset_read_file(path, &text, &len);
	if (err != 0) {
		w->book->unreadable++;
		say(w->conf, "%s: %s", path,
		    err == SKEP_ERANGE ? "too long: rule files have at most 256 MiB"
				       : err_text(err));
		return err == -ENOMEM ? err : 0;
	}
	w->files[w->n++] =
		(struct compiler_file){.name = path, .text = text, .len = len, .config = config};
	return 0;
}

/* Classifications and the like first: rules refer to them. */
static int take_files(struct work *w)
{
	const struct ruleset_paths *p = w->conf->paths;
	w->files = calloc(p->n + 1, sizeof(*w->files));
	int err = w->files != NULL ? 0 : -ENOMEM;
	for (unsigned round = 0; round < 2; round++)
		for (size_t i = 0; i < p->n && err == 0; i++)
			if (ruleset_is_config(p->path[i]) == (round == 0))
				err = take_file(w, p->path[i], round == 0);
	w->book->files = w->n;
	return err;
}

static void drop_files(struct work *w)
{
	for (size_t i = 0; i < w->n; i++)
		free((char *)(uintptr_t)w->files[i].text);
	free(w->files);
}

/* ---- compiling --------------------------------------------------------------------------------------- */

static void tell(const struct book_conf *c, const struct compiler_report *r)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < r->n_problems && n < BOOK_PROBLEMS; i++) {
		const struct rule_problem *p = &r->problems[i];
		char text[LINE];
		struct writer w = writer_of(text, sizeof(text));
		if (p->warning)
			continue;
		write_escaped(&w, p->text, strlen(p->text));
		say(c, "%s:%u:%u: %s", p->file, p->line, p->column, text);
		n++;
	}
	if (r->errors > n)
		say(c, "... and %llu more rules that don't load; `skep rules check` lists them",
		    (unsigned long long)(r->errors - n));
}

static int compile(struct work *w, const struct compiler_job *job, const uint8_t *key, char *why,
		   size_t why_size)
{
	struct compiler_report report;
	struct book *b = w->book;
	int err = compiler_run(job, &b->snapshot, &report, why, why_size);
	if (err != 0)
		return err;
	b->rules = report.stats.rules;
	b->errors = report.errors;
	b->warnings = report.warnings;
	tell(w->conf, &report);
	compiler_report_free(&report);
	if (b->rules == 0 && b->errors > 0) {
		snprintf(why, why_size, "none of the %llu rules can be used",
			 (unsigned long long)b->errors);
		return SKEP_EFORMAT;
	}
	/* Without, the next start only takes longer. */
	if (key != NULL)
		(void)compiler_cache_keep(w->conf->cache, key, b->snapshot);
	return 0;
}

static int make(struct work *w, char *why, size_t why_size)
{
	const struct book_conf *c = w->conf;
	struct book *b = w->book;
	uint8_t key[COMPILER_KEY];
	char said[LINE];
	struct writer out = writer_of(why, why_size);
	struct compiler_job job = {
		.files = w->files, .n_files = w->n, .vars = c->vars, .n_vars = c->n_vars};
	bool keyed = c->cache != NULL && compiler_key(&job, key) == 0;
	int err = compiler_pack(&job, &b->texts);
	if (err != 0) {
		write_fmt(&out, "the texts of the rules: %s", err_text(err));
		return err;
	}
	if (keyed) {
		err = compiler_cache_open(c->cache, key, &b->snapshot, said, sizeof(said));
		if (err == -EPERM)
			say(c, "%s", said);
		b->cached = err == 0;
	}
	return b->cached ? 0 : compile(w, &job, keyed ? key : NULL, why, why_size);
}

int book_make(const struct book_conf *conf, struct book *ret, char *why, size_t why_size)
{
	struct work w = {.conf = conf, .book = ret};
	struct writer out = writer_of(why, why_size);
	*ret = (struct book){.texts = -1, .snapshot = -1};
	int err = take_files(&w);
	if (err != 0)
		write_fmt(&out, "reading rules: %s", err_text(err));
	else if (w.n == 0 && ret->unreadable > 0) {
		write_fmt(&out, "none of the %llu rule files can be read",
			  (unsigned long long)ret->unreadable);
		err = -ENOENT;
	}
	if (err == 0)
		err = make(&w, why, why_size);
	drop_files(&w);
	return err;
}

void book_close(struct book *b)
{
	fd_close(&b->texts);
	fd_close(&b->snapshot);
}

/* ---- of a configuration ------------------------------------------------------------------------------ */

static const char *const endings[] = {".rules", ".config", NULL};

/* rules/ beside images/, in the source tree as where it is installed. */
static int add_builtin(struct ruleset_paths *p)
{
	char dir[512];
	struct stat st;
	if (snprintf(dir, sizeof(dir), "%s/../rules", guest_recipe_dir()) >= (int)sizeof(dir))
		return -ENAMETOOLONG;
	if (stat(dir, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	int err = ruleset_add(p, dir, endings);
	return err == SKEP_ENOTFOUND ? 0 : err;
}

static int add_pattern(struct ruleset_paths *p, const char *pattern)
{
	glob_t g;
	int err = 0;
	switch (glob(pattern, 0, NULL, &g)) {
	case 0:
		for (size_t i = 0; i < g.gl_pathc && err == 0; i++)
			err = ruleset_add_file(p, g.gl_pathv[i]);
		globfree(&g);
		return err;
	case GLOB_NOMATCH:
		return SKEP_ENOTFOUND;
	case GLOB_NOSPACE:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static int add_path(struct ruleset_paths *p, const char *path)
{
	if (strcmp(path, "builtin") == 0)
		return add_builtin(p);
	return strpbrk(path, "*?[") != NULL ? add_pattern(p, path) : ruleset_add(p, path, endings);
}

struct vars {
	struct compiler_var list[CONF_RULE_VARS + 1];
	char name[CONF_RULE_VARS][CONF_RULE_VAR], home[PREFIX_TEXT * 2 + 8];
	size_t n;
};

static void collect_vars(const struct conf *c, struct vars *v)
{
	char four[PREFIX_TEXT], six[PREFIX_TEXT];
	snprintf(v->home, sizeof(v->home), "[%s,%s]", prefix_text(&c->network.inside, four),
		 prefix_text(&c->network.inside6, six));
	v->list[v->n++] = (struct compiler_var){"HOME_NET", v->home, false};
	for (uint32_t i = 0; i < c->rules.n_vars; i++) {
		(void)text_copy(v->name[i], sizeof(v->name[i]), c->rules.vars[i]);
		char *equals = strchr(v->name[i], '=');
		if (equals == NULL)
			continue;
		*equals = '\0';
		struct compiler_var one = {v->name[i], equals + 1, ruleset_is_ports(v->name[i])};
		if (strcmp(one.name, "HOME_NET") == 0)
			v->list[0] = one;
		else
			v->list[v->n++] = one;
	}
}

/* Else the compiler would only say that something does not fit. */
static int check_vars(const struct vars *v, char *why, size_t why_size)
{
	struct rule_vars *vars = NULL;
	int err = rule_vars_create(&vars);
	for (size_t i = 0; i < v->n && err == 0; i++) {
		err = rule_vars_set(vars, v->list[i].ports, v->list[i].name, v->list[i].value);
		if (err != 0)
			snprintf(why, why_size, "rules.vars: %s: '%s' is no %s", v->list[i].name,
				 v->list[i].value,
				 v->list[i].ports
					 ? "port or list of ports, like [80,8080:8090,!8085]"
					 : "address or list of addresses, like [10.0.0.0/8]");
	}
	rule_vars_free(&vars);
	return err;
}

int book_of_conf(const struct conf *c, book_say_fn *fn, void *ctx, struct book *ret, char *why,
		 size_t why_size)
{
	struct ruleset_paths paths = {.n = 0};
	struct vars *v = calloc(1, sizeof(*v));
	struct book_conf conf = {.paths = &paths, .cache = NULL, .say = fn, .ctx = ctx};
	char cache[CONF_PATH + 8];
	uint64_t missing = 0;
	int err = v == NULL ? -ENOMEM : 0;
	*ret = (struct book){.texts = -1, .snapshot = -1};
	if (err == 0) {
		collect_vars(c, v);
		err = check_vars(v, why, why_size);
		conf.vars = v->list;
		conf.n_vars = v->n;
	}
	for (uint32_t i = 0; i < c->rules.n_files && err == 0; i++) {
		err = add_path(&paths, c->rules.files[i]);
		if (err == 0 || err == -ENOMEM)
			continue;
		say(&conf, "rules.files: %s: %s", c->rules.files[i],
		    err == SKEP_ENOTFOUND ? "no rules there" : err_text(err));
		missing++;
		err = 0;
	}
	snprintf(cache, sizeof(cache), "%s/rules", c->cache_dir);
	if ((mkdir(c->cache_dir, 0755) == 0 || errno == EEXIST) &&
	    (mkdir(cache, 0700) == 0 || errno == EEXIST))
		conf.cache = cache;
	if (err == 0 && paths.n == 0 && missing > 0) {
		snprintf(why, why_size, "rules.files names no file that is there");
		err = -ENOENT;
	}
	if (err == 0)
		err = book_make(&conf, ret, why, why_size);
	ret->unreadable += missing;
	ruleset_paths_free(&paths);
	free(v);
	return err;
}
