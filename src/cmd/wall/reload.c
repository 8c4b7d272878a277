/* SPDX-License-Identifier: BSD-2-Clause */
/* skep rules reload: the configuration's rules, read anew, into the running wall. */
#include "cmd/rules/rules.h"
#include "role/rules/book.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct reload {
	bool progress, told;
};

static void show(const struct reload *r, const char *text)
{
	if (r->progress)
		fprintf(stderr, "\r%s\033[K", text);
}

static void on_problem(void *ctx, const char *text)
{
	struct reload *r = ctx;
	show(r, "");
	r->told = true;
	fprintf(stderr, "skep: rules: %s\n", text);
}

static int print(json_t *a, const struct book *b, bool json)
{
	json_int_t rules = 0, failed = 0, warnings = 0, load = 0, swap = 0;
	const char *error = NULL;
	if (json_unpack(a, "{s:s}", "error", &error) == 0)
		return cmd_fail(1, "rules: not reloaded: %s", error);
	if (json_unpack(a, "{s:I,s:I,s:I,s:I,s:I}", "rules", &rules, "failed", &failed, "warnings",
			&warnings, "load_us", &load, "swap_us", &swap) != 0)
		return cmd_fail(1, "rules: an answer that makes no sense");
	if (json) {
		json_dumpf(a, stdout, JSON_INDENT(2));
		putchar('\n');
		return failed > 0 || b->unreadable > 0 ? 1 : 0;
	}
	printf("%lld rules of %llu file%s are in force", (long long)rules,
	       (unsigned long long)b->files, b->files == 1 ? "" : "s");
	if (failed > 0)
		printf(", %lld did not load (`skep rules check` lists them)", (long long)failed);
	printf("; read in %.2f s, frames waited %.1f ms\n", (double)load / 1e6, (double)swap / 1e3);
	return failed > 0 || b->unreadable > 0 ? 1 : 0;
}

static int hand_over(const struct conf *c, const struct book *b, bool json)
{
	const int fds[] = {b->texts, b->snapshot};
	char *text = NULL;
	json_error_t where;
	int err = cmd_ask_with(c, "{\"do\":\"rules\"}", fds, 2, &text);
	if (err == -ENOENT)
		return cmd_fail(1, "rules: no honeynet '%s' runs; `skep up` takes the rules",
				c->name);
	if (err != 0)
		return cmd_fail(1, "rules: asking the honeynet: %s", err_text(err));
	json_t *a = json_loads(text, 0, &where);
	int code = a != NULL ? print(a, b, json)
			     : cmd_fail(1, "rules: the honeynet went away without an answer");
	json_decref(a);
	free(text);
	return code;
}

int rules_reload(const char *conf, bool json)
{
	struct conf *c = calloc(1, sizeof(*c));
	struct reload r = {.progress = isatty(STDERR_FILENO) != 0};
	struct book b;
	char why[700] = "";
	int code = c == NULL ? cmd_fail(1, "rules: out of memory") : cmd_need_root("rules reload");
	if (code == 0)
		code = cmd_conf(conf, c);
	if (code != 0) {
		free(c);
		return code;
	}
	show(&r, "reading the rules");
	int err = book_of_conf(c, on_problem, &r, &b, why, sizeof(why));
	if (err != 0) {
		show(&r, "");
		code = cmd_fail(1, "rules: not reloaded, the old ones stay: %s",
				why[0] != '\0' ? why : err_text(err));
	} else {
		show(&r, "waiting for the wall");
		code = hand_over(c, &b, json);
	}
	show(&r, "");
	book_close(&b);
	free(c);
	return code;
}
