/* SPDX-License-Identifier: BSD-2-Clause */
/* skep check: is this configuration good? Every problem with its place and its cure. */
#include "cmd/alerts/alerts.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void help(FILE *out)
{
	fprintf(out,
		"usage: skep check [-c FILE | FILE] [--json]\n\n"
		"Validates a configuration: FILE, else $SKEP_CONF, else " CMD_CONF_FILE ".\n"
		"Prints one line when it is good (exit 0), else every problem with file, line,\n"
		"column and cure (exit 1). --json prints {\"ok\", \"file\", \"errors\"}.\n");
}

static void print_problem(void *ctx, const struct conf_error *e)
{
	char buf[1024];
	struct writer w = writer_of(buf, sizeof(buf));
	(void)ctx;
	conf_error_text(&w, e);
	printf("%s\n", buf);
}

static void add_problem(void *ctx, const struct conf_error *e)
{
	json_t *errors = ctx;
	json_array_append_new(errors,
			      json_pack("{s:s#, s:i, s:i, s:s#, s:s}", "file", e->file,
					(int)strnlen(e->file, sizeof(e->file)), "line",
					(int)e->line, "column", (int)e->column, "what", e->what,
					(int)strnlen(e->what, sizeof(e->what)), "cure", e->cure));
}

/* conf_read_file, and what conf itself can't know. */
static int read_file(const char *path, struct conf *c,
		     void (*more)(void *ctx, const struct conf_error *e), void *ctx)
{
	struct conf_error err = {0};
	int r = conf_read_file(path, c, &err, more, ctx);
	if (r < 0)
		return r;
	err = (struct conf_error){.cure = "docs/ALERTS.md lists the places of a template"};
	text_copy(err.file, sizeof(err.file), path);
	if (alerts_check(c, err.what, sizeof(err.what)) == 0)
		return 0;
	more(ctx, &err);
	return SKEP_EFORMAT;
}

static int report_json(const char *path)
{
	struct conf c;
	json_t *errors = json_array();
	int r = path != NULL ? read_file(path, &c, add_problem, errors) : 0;
	json_t *all = json_pack("{s:b, s:s?, s:o}", "ok", r == 0, "file", path, "errors", errors);
	char *text = all != NULL ? json_dumps(all, JSON_INDENT(2)) : NULL;
	if (text != NULL)
		printf("%s\n", text);
	free(text);
	json_decref(all);
	return r == 0 ? 0 : 1;
}

static int report(const char *path)
{
	struct conf c;
	if (path == NULL)
		conf_defaults(&c);
	else if (read_file(path, &c, print_problem, NULL) < 0)
		return 1;
	printf("%s: ok, %u guest%s, %u forward%s\n", path != NULL ? path : "built-in lab",
	       c.n_guests, c.n_guests == 1 ? "" : "s", c.n_forwards, c.n_forwards == 1 ? "" : "s");
	return 0;
}

int cmd_check(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	const char *path = NULL;
	bool json = false;
	int o;
	while ((o = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (o == 'h') {
			help(stdout);
			return 0;
		}
		if (o == 'c')
			path = optarg;
		else if (o == 'j')
			json = true;
		else
			return cmd_fail(2, "`skep check --help` shows the options");
	}
	if (optind < argc && path == NULL)
		path = argv[optind++];
	if (optind < argc)
		return cmd_fail(2, "one file at a time, please");
	if (path == NULL)
		path = getenv("SKEP_CONF");
	if (path == NULL && access(CMD_CONF_FILE, F_OK) == 0)
		path = CMD_CONF_FILE;
	return json ? report_json(path) : report(path);
}
