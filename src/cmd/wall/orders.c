/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skep fence, lockdown, policy: orders to a wall that runs. Each is in force when the command
 * returns with 0: it waits for the wall to say so.
 */
#include "cmd/cmd.h"
#include "role/role.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_NS (5 * NS_PER_SEC)
#define STEP_NS (5 * NS_PER_MS)
#define WORDS 4

static const char help_fence[] =
	"usage: skep fence add|del PREFIX [--for TIME] | list   [-c FILE] [--json]\n\n"
	"Networks nothing is exchanged with, whatever the policy says; at once, also in\n"
	"conversations that are open. --for 2h: it ends by itself. wall.fence holds those for "
	"good.\n";
static const char help_lockdown[] =
	"usage: skep lockdown on [--outbound] | off | status   [-c FILE] [--json]\n\n"
	"At once nothing crosses the wall any more; with --outbound nothing of what guests began\n"
	"outwards. Conversations are kept in mind and go on when it is over, if they still can.\n";
static const char help_policy[] =
	"usage: skep policy show | set GUEST VERDICT [--for TIME] | reset GUEST |\n"
	"                   ignore add|del PREFIX [--for TIME] | ignore list   [-c FILE] "
	"[--json]\n\n"
	"show     the rules, and what was ordered\n"
	"set      whatever this guest begins gets that verdict: forward, limit, drop, reject,\n"
	"         redirect (to the sink) or rewrite; drop and reject end what it has open\n"
	"ignore   inbound conversations from there are dropped silently, and counted\n";

struct options {
	const char *conf, *verb, *help;
	int64_t for_ns;
	bool json, outbound;
	int n;
	char *words[WORDS];
};

/* ---- asking ---------------------------------------------------------------------------------- */

static json_t *ask(const struct conf *c, const char *verb, json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT), *answer = NULL;
	int err = text == NULL ? -ENOMEM : cmd_ask(c, text, &answer);
	json_t *a = err == 0 ? json_loads(answer, 0, NULL) : NULL;
	const char *why = json_string_value(json_object_get(a, "error"));
	if (err == -ENOENT)
		cmd_fail(1, "%s: the honeynet '%s' does not run", verb, c->name);
	else if (err != 0)
		cmd_fail(1, "%s: %s", verb, err_text(err));
	else if (why != NULL || !json_is_object(a))
		cmd_fail(1, "%s: %s", verb, why != NULL ? why : "the answer makes no sense");
	free(text);
	free(answer);
	if (err == 0 && why == NULL && json_is_object(a))
		return a;
	json_decref(a);
	return NULL;
}

static json_t *orders_now(const struct conf *c, const char *verb)
{
	json_t *r = json_pack("{s:s}", "do", "orders");
	json_t *a = ask(c, verb, r);
	json_decref(r);
	return a;
}

/* Sends an order and waits until the wall acts by it. */
static json_t *order(const struct conf *c, const char *verb, json_t *request)
{
	json_t *a = ask(c, verb, request);
	int64_t end = clock_boot_ns() + PATIENCE_NS;
	json_decref(request);
	while (a != NULL && !json_is_true(json_object_get(a, "in_force"))) {
		json_decref(a);
		if (clock_boot_ns() > end) {
			cmd_fail(1, "%s: the wall does not run; the order waits for it", verb);
			return NULL;
		}
		nanosleep(&(struct timespec){0, STEP_NS}, NULL);
		a = orders_now(c, verb);
	}
	return a;
}

/* ---- showing --------------------------------------------------------------------------------- */

static void say_until(const json_t *o)
{
	char when[40];
	json_int_t until = json_integer_value(json_object_get(o, "until"));
	time_t t = (time_t)(until / NS_PER_SEC);
	struct tm tm;
	if (json_is_true(json_object_get(o, "configured"))) {
		printf("  (configured)");
	} else if (until > 0 && localtime_r(&t, &tm) != NULL) {
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
		printf("  until %s", when);
	}
}

static void show_nets(const json_t *nets, const char *what)
{
	size_t i;
	json_t *o;
	if (json_array_size(nets) == 0)
		printf("%s: none\n", what);
	json_array_foreach((json_t *)(uintptr_t)nets, i, o)
	{
		const json_t *count = json_object_get(o, "count");
		printf("%s %s", what, json_string_value(json_object_get(o, "prefix")));
		say_until(o);
		if (count != NULL)
			printf("  %lld dropped", (long long)json_integer_value(count));
		printf("\n");
	}
}

static void show_lockdown(const json_t *a)
{
	printf("lockdown: %s\n", json_string_value(json_object_get(a, "lockdown")));
}

static void show_all(const struct conf *c, const json_t *a)
{
	size_t i;
	json_t *o;
	char *buf = malloc(1 << 16);
	if (buf != NULL) {
		struct writer w = writer_of(buf, 1 << 16);
		conf_write_policy(&w, c);
		printf("%s", buf);
	}
	free(buf);
	show_lockdown(a);
	json_array_foreach(json_object_get(a, "overrides"), i, o)
	{
		printf("override %s: %s", json_string_value(json_object_get(o, "guest")),
		       json_string_value(json_object_get(o, "verdict")));
		say_until(o);
		printf("\n");
	}
	show_nets(json_object_get(a, "fences"), "fence");
	show_nets(json_object_get(a, "ignored"), "ignored");
}

/* ---- the verbs ------------------------------------------------------------------------------- */

static int usage(const struct options *o)
{
	return cmd_fail(2, "%s: `skep %s --help` says how", o->verb, o->verb);
}

static bool is_word(const struct options *o, int i, const char *word)
{
	return i < o->n && strcmp(o->words[i], word) == 0;
}

/* "add PREFIX", "del PREFIX" behind the first `from` words; NULL: neither. */
static json_t *net_request(const struct options *o, int from, const char *what)
{
	if (o->n != from + 2 || (!is_word(o, from, "add") && !is_word(o, from, "del")))
		return NULL;
	return json_pack("{s:s, s:s, s:s, s:I}", "do", what, "op", o->words[from], "prefix",
			 o->words[from + 1], "for_ns", (json_int_t)o->for_ns);
}

static json_t *request_of(const struct options *o)
{
	bool fence = strcmp(o->verb, "fence") == 0, lockdown = strcmp(o->verb, "lockdown") == 0;
	if (fence)
		return net_request(o, 0, "fence");
	if (lockdown)
		return o->n == 1 && (is_word(o, 0, "on") || is_word(o, 0, "off"))
			       ? json_pack("{s:s, s:s, s:b}", "do", "lockdown", "op", o->words[0],
					   "outbound", o->outbound)
			       : NULL;
	if (is_word(o, 0, "set") && o->n == 3)
		return json_pack("{s:s, s:s, s:s, s:s, s:I}", "do", "override", "op", "set",
				 "guest", o->words[1], "verdict", o->words[2], "for_ns",
				 (json_int_t)o->for_ns);
	if (is_word(o, 0, "reset") && o->n == 2)
		return json_pack("{s:s, s:s, s:s}", "do", "override", "op", "reset", "guest",
				 o->words[1]);
	return is_word(o, 0, "ignore") ? net_request(o, 1, "ignore") : NULL;
}

static bool only_looks(const struct options *o)
{
	return (o->n == 1 &&
		(is_word(o, 0, "list") || is_word(o, 0, "status") || is_word(o, 0, "show"))) ||
	       (o->n == 2 && is_word(o, 0, "ignore") && is_word(o, 1, "list"));
}

static int run(const struct options *o, const struct conf *c)
{
	bool look = only_looks(o);
	json_t *request = look ? NULL : request_of(o), *a;
	if (!look && request == NULL)
		return usage(o);
	a = look ? orders_now(c, o->verb) : order(c, o->verb, request);
	if (a == NULL)
		return 1;
	if (o->json) {
		char *text = json_dumps(a, JSON_INDENT(1));
		printf("%s\n", text != NULL ? text : "{}");
		free(text);
	} else if (strcmp(o->verb, "fence") == 0) {
		show_nets(json_object_get(a, "fences"), "fence");
	} else if (strcmp(o->verb, "lockdown") == 0) {
		show_lockdown(a);
	} else if (is_word(o, 0, "ignore")) {
		show_nets(json_object_get(a, "ignored"), "ignored");
	} else {
		show_all(c, a);
	}
	json_decref(a);
	return 0;
}

static int take_for(struct options *o, const char *text)
{
	int64_t ago;
	/* "2h" is read as "2h ago". */
	if (strpbrk(text, "-:") != NULL || cmd_parse_time(text, &ago) != 0)
		return cmd_fail(2, "%s: --for takes a time such as 90s, 30m, 2h or 7d", o->verb);
	o->for_ns = (clock_wall_ns() - ago + NS_PER_MS / 2) / NS_PER_MS * NS_PER_MS;
	return o->for_ns > 0 ? 0 : cmd_fail(2, "%s: --for takes more than nothing", o->verb);
}

static int parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'}, {"for", required_argument, NULL, 'f'},
		{"json", no_argument, NULL, 'j'},         {"outbound", no_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
	for (int ch; (ch = getopt_long(argc, argv, "c:jh", longs, NULL)) != -1;) {
		if (ch == 'c') {
			o->conf = optarg;
		} else if (ch == 'j') {
			o->json = true;
		} else if (ch == 'o') {
			o->outbound = true;
		} else if (ch == 'f') {
			int code = take_for(o, optarg);
			if (code != 0)
				return code;
		} else if (ch == 'h') {
			printf("%s", o->help);
			return -1;
		} else {
			return usage(o);
		}
	}
	for (; optind < argc && o->n < WORDS; optind++)
		o->words[o->n++] = argv[optind];
	return optind < argc || o->n == 0 ? usage(o) : 0;
}

static int give(int argc, char **argv, const char *verb, const char *help)
{
	struct options o = {.verb = verb, .help = help};
	int code = parse(&o, argc, argv);
	if (code != 0)
		return code < 0 ? 0 : code;
	struct conf *c = calloc(1, sizeof(*c));
	code = c == NULL ? cmd_fail(1, "%s: no memory", verb) : cmd_conf(o.conf, c);
	if (code == 0)
		code = cmd_need_root(verb);
	if (code == 0)
		code = run(&o, c);
	free(c);
	return code;
}

int cmd_fence(int argc, char **argv)
{
	return give(argc, argv, "fence", help_fence);
}

int cmd_lockdown(int argc, char **argv)
{
	return give(argc, argv, "lockdown", help_lockdown);
}

int cmd_policy(int argc, char **argv)
{
	return give(argc, argv, "policy", help_policy);
}
