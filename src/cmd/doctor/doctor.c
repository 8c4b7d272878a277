/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skep doctor: what this machine can do for a honeynet, and the cure where it can't. Works without
 * root and then says what it could not look at. Changes nothing but with --fix, and then only what was agreed
 * to, command by command; the KVM probe, if an image is there, is the only thing it runs.
 */
#include "cmd/doctor/doctor.h"
#include "sys/sys.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIX_WORDS 16
#define FIX_TIMEOUT_MS 60000

static void say_all(struct report *r, enum level level, const char *name, const char *cure,
		    const char *fmt, va_list ap)
{
	static const char *const words[] = {"ok", "warn", "fail"};
	static const char *const paint[] = {"\x1b[32m", "\x1b[33m", "\x1b[31m"};
	char what[512];
	vsnprintf(what, sizeof(what), fmt, ap);
	if (level == LEVEL_OK)
		cure = NULL;
	r->n[level]++;
	json_array_append_new(r->checks, json_pack("{s:s, s:s, s:s, s:s?}", "check", name, "result",
						   words[level], "what", what, "cure", cure));
	if (!r->print)
		return;
	printf("%s%-5s%s %-14s %s\n", r->colour ? paint[level] : "", words[level],
	       r->colour ? "\x1b[0m" : "", name, what);
	if (cure != NULL)
		printf("%21s-> %s\n", "", cure);
}

void say(struct report *r, enum level level, const char *name, const char *cure, const char *fmt,
	 ...)
{
	va_list ap;
	va_start(ap, fmt);
	say_all(r, level, name, cure, fmt, ap);
	va_end(ap);
}

void say_fix(struct report *r, enum level level, const char *name, const char *command,
	     const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say_all(r, level, name, command, fmt, ap);
	va_end(ap);
	if (level != LEVEL_OK && r->n_fixes < FIXES &&
	    text_copy(r->fixes[r->n_fixes], FIX_TEXT, command))
		r->n_fixes++;
}

/* ---- with consent ---------------------------------------------------------------------------- */

static int run_fix(const char *command)
{
	char words[FIX_TEXT], out[1024] = "", *rest = NULL;
	const char *argv[FIX_WORDS] = {NULL};
	size_t n = 0;
	text_copy(words, sizeof(words), command);
	for (char *w = strtok_r(words, " ", &rest); w != NULL && n < FIX_WORDS - 1;
	     w = strtok_r(NULL, " ", &rest))
		argv[n++] = w;
	int code = run_program(argv, NULL, out, sizeof(out), FIX_TIMEOUT_MS);
	if (code != 0)
		printf("  it failed (%d): %s\n", code, out);
	return code;
}

/* Asks for each by itself. */
static void mend(const struct report *r)
{
	char line[64];
	unsigned left = 0;
	if (r->n_fixes == 0)
		printf("nothing that one command would mend\n");
	for (unsigned i = 0; i < r->n_fixes; i++) {
		printf("\nrun `%s`? [no] ", r->fixes[i]);
		fflush(stdout);
		bool yes = fgets(line, sizeof(line), stdin) != NULL &&
			   (line[0] == 'y' || line[0] == 'Y');
		if (!yes || run_fix(r->fixes[i]) != 0)
			left++;
	}
	if (r->n_fixes > 0)
		printf("\n%u of %u done; `skep doctor` looks again\n", r->n_fixes - left,
		       r->n_fixes);
}

/* ---- all of it --------------------------------------------------------------------------------- */

struct options {
	const char *path;
	bool json, fix;
};

static void usage(void)
{
	printf("usage: skep doctor [-c FILE] [--json | --fix]\n\n"
	       "What this machine can do for a honeynet, and the cure where it can't: kernel,\n"
	       "resources, programs, and in modes nat and bridge the real wire: uplink, router,\n"
	       "addresses, what is in the way of the honeynet's frames, which ports and sessions\n"
	       "stay the host's, whose firewall is at work and why it does not matter; and "
	       "whether\n"
	       "the servers that alerts go to would take one (nothing is sent).\n\n"
	       "  --json  for programs\n"
	       "  --fix   asks, for each cure that is one command, whether to run it\n\n"
	       "Changes nothing else. Exit 1 if anything fails.\n");
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
					      {"json", no_argument, NULL, 'j'},
					      {"fix", no_argument, NULL, 'f'},
					      {"help", no_argument, NULL, 'h'},
					      {NULL, 0, NULL, 0}};
	for (int ch; (ch = getopt_long(argc, argv, "c:jh", longs, NULL)) != -1;) {
		if (ch == 'c') {
			o->path = optarg;
		} else if (ch == 'j') {
			o->json = true;
		} else if (ch == 'f') {
			o->fix = true;
		} else if (ch == 'h') {
			usage();
			return -1;
		} else {
			return cmd_fail(2, "doctor: `skep doctor --help` lists the options");
		}
	}
	if (o->json && o->fix)
		return cmd_fail(2, "doctor: --fix asks, --json does not");
	return optind < argc ? cmd_fail(2, "doctor: '%s' is too much", argv[optind]) : 0;
}

static void print_json(const struct report *r)
{
	json_t *all = json_pack("{s:b, s:O}", "ok", r->n[LEVEL_FAIL] == 0, "checks", r->checks);
	char *text = json_dumps(all, JSON_INDENT(1));
	printf("%s\n", text != NULL ? text : "{}");
	free(text);
	json_decref(all);
}

static int examine(const struct options *o, struct report *r, int conf_code)
{
	check_host(r);
	check_conf(r, conf_code);
	check_resources(r);
	check_installation(r);
	if (r->conf_ok)
		check_wire(r);
	if (r->conf_ok)
		check_alerts_out(r);
	if (o->json)
		print_json(r);
	else
		printf("\n%u ok, %u warnings, %u failures\n", r->n[LEVEL_OK], r->n[LEVEL_WARN],
		       r->n[LEVEL_FAIL]);
	if (o->fix)
		mend(r);
	return r->n[LEVEL_FAIL] > 0 ? 1 : 0;
}

int cmd_doctor(int argc, char **argv)
{
	struct options o = {0};
	int code = parse(argc, argv, &o);
	if (code != 0)
		return code < 0 ? 0 : code;
	if (o.fix && cmd_need_root("doctor --fix") != 0)
		return 1;
	struct conf *c = calloc(1, sizeof(*c));
	struct report *r = calloc(1, sizeof(*r));
	if (c != NULL && r != NULL) {
		int conf_code = cmd_conf(o.path, c);
		*r = (struct report){.checks = json_array(),
				     .print = !o.json,
				     .colour = cmd_colour(),
				     .c = c,
				     .conf_ok = conf_code == 0,
				     .root = geteuid() == 0};
		code = examine(&o, r, conf_code);
		json_decref(r->checks);
	} else {
		code = cmd_fail(1, "doctor: no memory");
	}
	free(r);
	free(c);
	return code;
}
