/* SPDX-License-Identifier: BSD-2-Clause */
/* Rule files and variables, as people name them: files, folders, Suricata's own configuration. */
#include "cmd/rules/ruleset.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#define VARS_MOST ((size_t)1 << 20)
#define WHY 256u

/* ---- loading ------------------------------------------------------------------------------------ */

static void on_problem(void *ctx, const struct rule_problem *p)
{
	struct ruleset *r = ctx;
	r->warnings += p->warning;
	r->errors += !p->warning;
	if (r->quiet)
		return;
	if (r->list != NULL) {
		json_t *o = json_object();
		json_object_set_new(o, "file", json_string(p->file));
		json_object_set_new(o, "line", json_integer(p->line));
		json_object_set_new(o, "column", json_integer(p->column));
		json_object_set_new(o, "warning", json_boolean(p->warning));
		json_object_set_new(o, "sid", p->sid != 0 ? json_integer(p->sid) : json_null());
		char text[1024];
		struct writer w = writer_of(text, sizeof(text));
		write_escaped(&w, p->text, strlen(p->text));
		json_object_set_new(o, "text", json_string(text));
		json_array_append_new(r->list, o);
		return;
	}
	if (r->errors + r->warnings > r->most)
		return;
	/* Rules come from strangers too: nothing of them reaches a terminal raw. */
	char text[1024];
	struct writer w = writer_of(text, sizeof(text));
	write_fmt(&w, "%s:%u:%u: %s", p->file, p->line, p->column, p->warning ? "warning: " : "");
	write_escaped(&w, p->text, strlen(p->text));
	if (p->sid != 0)
		write_fmt(&w, " (sid %u)", p->sid);
	fprintf(stderr, "%s\n", text);
}

static int take_file(struct ruleset *r, const char *path, bool config)
{
	char *text, *name = strdup(path);
	size_t len;
	int err = name != NULL ? ruleset_read_file(path, &text, &len) : -ENOMEM;
	if (err != 0) {
		free(name);
		r->unreadable++;
		cmd_fail(1, "%s: %s", path,
			 err == SKEP_ERANGE ? "too long: rule files have at most 256 MiB"
					    : err_text(err));
		return err == -ENOMEM ? err : 0;
	}
	r->files[r->n_files++] =
		(struct compiler_file){.name = name, .text = text, .len = len, .config = config};
	return 0;
}

static int take_files(struct ruleset *r, const struct ruleset_paths *p)
{
	r->files = calloc(p->n + 1, sizeof(*r->files));
	int err = r->files != NULL ? 0 : -ENOMEM;
	for (unsigned round = 0; round < 2; round++)
		for (size_t i = 0; i < p->n && err == 0; i++)
			if (ruleset_is_config(p->path[i]) == (round == 0))
				err = take_file(r, p->path[i], round == 0);
	return err;
}

static void say_more(const struct ruleset *r)
{
	if (r->list == NULL && r->errors + r->warnings > r->most)
		fprintf(stderr, "... and %llu more; `skep rules check` lists them all\n",
			(unsigned long long)(r->errors + r->warnings - r->most));
}

static struct compiler_job job_of(const struct ruleset *r, const struct ruleset_vars *v)
{
	return (struct compiler_job){
		.files = r->files, .n_files = r->n_files, .vars = v->list, .n_vars = v->n};
}

int ruleset_read(struct ruleset *r, const char *verb, const struct ruleset_paths *p,
		 const struct ruleset_vars *v, bool list)
{
	char why[WHY];
	int snapshot = -1, err = take_files(r, p);
	if (err != 0)
		return cmd_fail(1, "%s: %s", verb, err_text(err));
	struct compiler_job job = job_of(r, v);
	job.parse_only = true;
	job.list = list;
	if (compiler_run(&job, &snapshot, &r->report, why, sizeof(why)) != 0)
		return cmd_fail(1, "%s: %s", verb, why);
	for (uint32_t i = 0; i < r->report.n_problems; i++)
		on_problem(r, &r->report.problems[i]);
	r->errors = r->report.errors; /* those it had no room for as well */
	r->warnings = r->report.warnings;
	say_more(r);
	return 0;
}

/* With the databases of snapshot. -ENOMEM, or what is wrong with the snapshot. */
static int read_here(struct ruleset *r, const struct ruleset_vars *v, int snapshot)
{
	const struct rule_set_conf conf = {
		.vars = v->vars, .snapshot = snapshot, .problem = on_problem, .ctx = r};
	r->errors = r->warnings = 0;
	int err = rule_set_create(&conf, &r->set);
	for (size_t i = 0; i < r->n_files && err == 0; i++) {
		const struct compiler_file *f = &r->files[i];
		err = f->config ? rule_set_read_config(r->set, f->name, f->text, f->len)
				: rule_set_read(r->set, f->name, f->text, f->len);
	}
	if (err == 0)
		err = rule_set_finish(r->set);
	if (err != 0)
		rule_set_free(&r->set);
	return err;
}

/* false: there is none that can be used. */
static bool load_cached(struct ruleset *r, const struct ruleset_vars *v, const char *cache,
			const uint8_t key[COMPILER_KEY])
{
	char why[PATH_MAX + WHY];
	CLEANUP(fd_close) int fd = -1;
	int err = compiler_cache_open(cache, key, &fd, why, sizeof(why));
	if (err == -EPERM)
		fprintf(stderr, "skep: %s\n", why);
	if (err == 0 && read_here(r, v, fd) == 0)
		return true;
	r->quiet = err == 0; /* what is wrong with the rules was told */
	return false;
}

int ruleset_load(struct ruleset *r, const char *verb, const struct ruleset_paths *p,
		 const struct ruleset_vars *v, const char *cache)
{
	char why[WHY];
	uint8_t key[COMPILER_KEY];
	CLEANUP(fd_close) int snapshot = -1;
	int err = take_files(r, p);
	if (err != 0)
		return cmd_fail(1, "%s: %s", verb, err_text(err));
	struct compiler_job job = job_of(r, v);
	if (cache != NULL && compiler_key(&job, key) != 0)
		cache = NULL;
	if (cache == NULL || !load_cached(r, v, cache, key)) {
		if (compiler_run(&job, &snapshot, &r->report, why, sizeof(why)) != 0)
			return cmd_fail(1, "%s: %s", verb, why);
		err = read_here(r, v, snapshot);
		if (err != 0)
			return cmd_fail(1, "%s: what the rule compiler made can't be used: %s",
					verb, err_text(err));
		/* Only what was good goes to disk; without, the next start takes longer. */
		if (cache != NULL)
			(void)compiler_cache_keep(cache, key, snapshot);
	}
	say_more(r);
	return 0;
}

void ruleset_free(struct ruleset *r)
{
	rule_set_free(&r->set);
	compiler_report_free(&r->report);
	for (size_t i = 0; i < r->n_files; i++) {
		free((char *)(uintptr_t)r->files[i].name);
		free((char *)(uintptr_t)r->files[i].text);
	}
	free(r->files);
	r->files = NULL;
	r->n_files = 0;
	json_decref(r->list);
	r->list = NULL;
}

bool ruleset_cache_dir(char *ret, size_t size)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char parent[PATH_MAX];
	if (base != NULL && base[0] == '/')
		snprintf(parent, sizeof(parent), "%s", base);
	else if (home != NULL && home[0] == '/')
		snprintf(parent, sizeof(parent), "%s/.cache", home);
	else
		return false;
	if (snprintf(ret, size, "%s/skep", parent) >= (int)size)
		return false;
	mkdir(parent, 0700);
	mkdir(ret, 0700);
	struct stat st;
	/* A folder where others may write is no place for what we will believe. */
	return stat(ret, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       (st.st_mode & 022) == 0;
}

/* ---- variables ---------------------------------------------------------------------------------- */

struct vars_file {
	const char *verb, *path;
	struct ruleset_vars *to;
	uint64_t set;
};

static int keep_var(struct ruleset_vars *v, bool ports, const char *name, const char *value)
{
	if (v->n == v->cap) {
		size_t cap = v->cap > 0 ? v->cap * 2 : 16;
		struct compiler_var *more = realloc(v->list, cap * sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		v->list = more;
		v->cap = cap;
	}
	struct compiler_var one = {strdup(name), strdup(value), ports};
	v->list[v->n++] = one;
	return one.name != NULL && one.value != NULL ? 0 : -ENOMEM;
}

void ruleset_vars_free(struct ruleset_vars *v)
{
	for (size_t i = 0; i < v->n; i++) {
		free((char *)(uintptr_t)v->list[i].name);
		free((char *)(uintptr_t)v->list[i].value);
	}
	free(v->list);
	rule_vars_free(&v->vars);
	*v = (struct ruleset_vars){.vars = NULL};
}

static int set_var(struct vars_file *v, size_t line, bool ports, const char *name,
		   const char *value)
{
	int err = rule_vars_set(v->to->vars, ports, name, value);
	if (err == 0)
		err = keep_var(v->to, ports, name, value);
	v->set++;
	if (err == 0)
		return 0;
	if (err != SKEP_EFORMAT)
		return cmd_fail(2, "%s: %s:%zu: %s: %s", v->verb, v->path, line, name,
				err_text(err));
	return cmd_fail(2, "%s: %s:%zu: %s: '%s' is no %s", v->verb, v->path, line, name, value,
			ports ? "port or list of ports, like [80,8080:8090,!8085]"
			      : "address or list of addresses, like [10.0.0.0/8,!10.1.0.0/16]");
}

static int plain_line(struct vars_file *v, size_t number, char *line)
{
	line += strspn(line, " \t");
	size_t len = strlen(line);
	while (len > 0 && isspace((unsigned char)line[len - 1]))
		line[--len] = '\0';
	if (len == 0 || line[0] == '#')
		return 0;
	char *equals = strchr(line, '=');
	size_t name = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789_");
	if (equals == NULL || name == 0 || line + name + strspn(line + name, " \t") != equals)
		return cmd_fail(2, "%s: %s:%zu: write NAME=value, like HOME_NET=[10.0.0.0/8]",
				v->verb, v->path, number);
	line[name] = '\0';
	char *value = equals + 1 + strspn(equals + 1, " \t");
	return set_var(v, number, ruleset_is_ports(line), line, value);
}

static int plain_vars(struct vars_file *v, char *text)
{
	size_t number = 1;
	int code = 0;
	for (char *line = text; line != NULL && code == 0; number++) {
		char *end = strchr(line, '\n');
		if (end != NULL)
			*end++ = '\0';
		code = plain_line(v, number, line);
		line = end;
	}
	return code;
}

static const char *scalar(const yaml_node_t *n)
{
	return n != NULL && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

static yaml_node_t *member(yaml_document_t *d, const yaml_node_t *map, const char *key)
{
	if (map == NULL || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (const yaml_node_pair_t *p = map->data.mapping.pairs.start;
	     p < map->data.mapping.pairs.top; p++) {
		const char *name = scalar(yaml_document_get_node(d, p->key));
		if (name != NULL && strcmp(name, key) == 0)
			return yaml_document_get_node(d, p->value);
	}
	return NULL;
}

static int yaml_group(struct vars_file *v, yaml_document_t *d, const yaml_node_t *group, bool ports)
{
	int code = 0;
	if (group == NULL || group->type != YAML_MAPPING_NODE)
		return 0;
	for (const yaml_node_pair_t *p = group->data.mapping.pairs.start;
	     p < group->data.mapping.pairs.top && code == 0; p++) {
		const yaml_node_t *key = yaml_document_get_node(d, p->key);
		const char *name = scalar(key);
		const char *value = scalar(yaml_document_get_node(d, p->value));
		size_t line = key != NULL ? key->start_mark.line + 1 : 0;
		if (name == NULL || value == NULL)
			code = cmd_fail(2,
					"%s: %s:%zu: a group is written NAME: \"value\", with the "
					"value in quotes",
					v->verb, v->path, line);
		else
			code = set_var(v, line, ports, name, value);
	}
	return code;
}

static int yaml_vars(struct vars_file *v, const char *text, size_t len)
{
	yaml_parser_t parser;
	yaml_document_t d;
	if (!yaml_parser_initialize(&parser))
		return cmd_fail(2, "%s: out of memory", v->verb);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	int code;
	if (!yaml_parser_load(&parser, &d)) {
		code = cmd_fail(2, "%s: %s:%zu:%zu: %s", v->verb, v->path,
				parser.problem_mark.line + 1, parser.problem_mark.column + 1,
				parser.problem != NULL ? parser.problem : "no YAML");
		yaml_parser_delete(&parser);
		return code;
	}
	const yaml_node_t *vars = member(&d, yaml_document_get_root_node(&d), "vars");
	code = yaml_group(v, &d, member(&d, vars, "address-groups"), false);
	if (code == 0)
		code = yaml_group(v, &d, member(&d, vars, "port-groups"), true);
	if (code == 0 && v->set == 0)
		code = cmd_fail(2,
				"%s: %s sets no variable: it wants lines NAME=value, or YAML with "
				"vars: address-groups and port-groups as in suricata.yaml",
				v->verb, v->path);
	yaml_document_delete(&d);
	yaml_parser_delete(&parser);
	return code;
}

/* NAME=value lines, if that is what the first line that says something looks like. */
static bool is_plain(const char *text)
{
	for (;;) {
		text += strspn(text, " \t\r\n");
		if (*text != '#')
			break;
		text += strcspn(text, "\n");
	}
	size_t word = strcspn(text, "=:\n");
	return text[word] == '=';
}

int ruleset_vars_read(const char *verb, const char *path, struct ruleset_vars *ret)
{
	struct vars_file v = {.verb = verb, .path = path, .to = ret};
	char *text;
	size_t len;
	if (rule_vars_create(&ret->vars) != 0)
		return cmd_fail(1, "%s: out of memory", verb);
	if (path == NULL)
		return 0;
	int err = ruleset_read_file(path, &text, &len);
	if (err != 0)
		return cmd_fail(2, "%s: %s: %s", verb, path, err_text(err));
	int code = 0;
	if (len > VARS_MOST)
		code = cmd_fail(2, "%s: %s: too long for a configuration", verb, path);
	else
		code = is_plain(text) ? plain_vars(&v, text) : yaml_vars(&v, text, len);
	free(text);
	return code;
}
