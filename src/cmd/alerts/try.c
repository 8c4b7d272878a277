/* SPDX-License-Identifier: BSD-2-Clause */
/* skep alerts test: a message that says it is none, through all that a real one goes through; and reload. */
#include "cmd/alerts/alerts.h"
#include "sys/sys.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_NS (250 * NS_PER_MS)
#define WAIT_S 90
#define WAIT_MOST_S 3600
#define READY_TRIES 60 /* quarters of a second */
#define NOT_READY 256  /* no exit code */

enum { OPT_WAIT = 256, OPT_JSON };

const char alerts_test_help[] =
	"usage: skep alerts test [DESTINATION] [OPTION ...]\n"
	"Has the running honeynet send a test message to one destination, or to all, and shows\n"
	"what each server said. Exit 0: all took it; 1: one did not.\n\n"
	"      --wait SECONDS     how long to wait for answers; 90\n"
	"      --json             a JSON object a line\n"
	"  -c, --config FILE      which honeynet\n";

struct view {
	const char *path, *name;
	char dir[ALERTS_DIR];
	bool json;
	uint64_t wait_s, before; /* number of the newest message before ours */
	const struct conf *c;
	bool all_well;
	struct outbox_item got[CONF_DESTINATIONS]; /* number 0: not yet */
};

static bool newest(void *ctx, const struct outbox_item *i)
{
	struct view *v = ctx;
	if (i->number > v->before)
		v->before = i->number;
	return true;
}

static bool ours(void *ctx, const struct outbox_item *i)
{
	struct view *v = ctx;
	bool tried = i->state != OUTBOX_WAITING || i->tries > 0;
	if (i->number <= v->before || strcmp(i->kind, alert_kind_text(ALERT_TEST)) != 0 || !tried)
		return true;
	for (uint32_t n = 0; n < v->c->alerts.n_to; n++)
		if (strcmp(v->c->alerts.to[n].name, i->destination) == 0)
			v->got[n] = *i;
	return true;
}

static bool asked(const struct view *v, uint32_t n)
{
	return v->name == NULL || strcmp(v->name, v->c->alerts.to[n].name) == 0;
}

static uint32_t missing(const struct view *v)
{
	uint32_t left = 0;
	for (uint32_t n = 0; n < v->c->alerts.n_to; n++)
		left += asked(v, n) && v->got[n].number == 0;
	return left;
}

/* One that waits after its first try may still be taken: greylisting. That is an answer, too. */
static int wait_for(struct view *v)
{
	const struct timespec pause = {0, POLL_NS};
	int64_t until = clock_boot_ns() + (int64_t)v->wait_s * NS_PER_SEC;
	int err = 0;
	while (err == 0 && missing(v) > 0 && clock_boot_ns() < until) {
		nanosleep(&pause, NULL);
		err = outbox_items(v->dir, 0, ours, v);
		if (err == -ENOENT || err == -EBUSY)
			err = 0;
	}
	return err;
}

static void print_answer(struct view *v, uint32_t n)
{
	const struct conf_destination *d = &v->c->alerts.to[n];
	const struct outbox_item *i = &v->got[n];
	static const char *const words[] = {"waits", "sent", "failed", "kept"};
	bool well = i->number != 0 && (i->state == OUTBOX_SENT || i->state == OUTBOX_KEPT);
	const char *word = i->number == 0                ? "no answer"
			   : i->state < ARRAY_LEN(words) ? words[i->state]
							 : "?";
	const char *cure = well ? "" : alerts_cure(d, i->number != 0 ? i->answer : "time");
	v->all_well = v->all_well && well;
	if (v->json) {
		json_t *o = json_pack("{s:s, s:s, s:b, s:I, s:o, s:s}", "destination", d->name,
				      "state", word, "ok", well, "number", (json_int_t)i->number,
				      "answer", alerts_foreign(i->answer), "cure", cure);
		char *text = json_dumps(o, JSON_COMPACT);
		puts(text != NULL ? text : "{}");
		free(text);
		json_decref(o);
		return;
	}
	printf("%-12s %-9s ", d->name, word);
	alerts_print(i->answer, 0);
	putchar('\n');
	if (!well)
		printf("             -> %s\n", cure);
}

/* 0, or an exit code after saying why not. patient: NOT_READY, and nothing is said, while alerter starts. */
static int ask(const struct conf *c, const char *verb, const char *request, const int *fds,
	       size_t n_fds, bool patient)
{
	char *text = NULL;
	const char *error = NULL;
	int err = cmd_ask_with(c, request, fds, n_fds, &text), code = 0;
	if (err == -ENOENT)
		return cmd_fail(1, "%s: no honeynet '%s' runs: run `sudo skep up` first", verb,
				c->name);
	if (err == -EACCES)
		return cmd_fail(1, "%s: only root may ask the honeynet: run `sudo skep %s`", verb,
				verb);
	if (err != 0)
		return cmd_fail(1, "%s: asking the honeynet: %s", verb, err_text(err));
	json_t *a = json_loads(text, 0, NULL);
	if (a == NULL)
		code = cmd_fail(1, "%s: the honeynet went away without an answer", verb);
	else if (json_unpack(a, "{s:s}", "error", &error) == 0 && patient &&
		 strstr(error, "not ready") != NULL)
		code = NOT_READY;
	else if (error != NULL)
		code = cmd_fail(1, "%s: %s", verb, error);
	json_decref(a);
	free(text);
	return code;
}

static int request_test(const struct view *v)
{
	const struct timespec pause = {0, POLL_NS};
	json_t *r = json_pack("{s:s, s:s*}", "do", "alert-test", "destination", v->name);
	char *text = json_dumps(r, JSON_COMPACT);
	int code = text != NULL ? NOT_READY : cmd_fail(1, "alerts test: no memory");
	/* A reload starts it anew: that takes a moment. */
	for (int i = 0; code == NOT_READY; i++) {
		code = ask(v->c, "alerts test", text, NULL, 0, i < READY_TRIES);
		if (code == NOT_READY)
			nanosleep(&pause, NULL);
	}
	free(text);
	json_decref(r);
	return code;
}

static int try(struct view *v)
{
	int err = outbox_items(v->dir, 0, newest, v);
	if (err != 0 && err != -ENOENT)
		return alerts_unreadable("alerts test", v->dir, err);
	int code = request_test(v);
	if (code != 0)
		return code;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "waiting for answers ...\r");
	err = wait_for(v);
	if (err != 0)
		return alerts_unreadable("alerts test", v->dir, err);
	v->all_well = true;
	for (uint32_t n = 0; n < v->c->alerts.n_to; n++)
		if (asked(v, n))
			print_answer(v, n);
	return v->all_well ? 0 : 1;
}

static const struct option options[] = {
	{"wait", required_argument, NULL, OPT_WAIT},
	{"json", no_argument, NULL, OPT_JSON},
	{"config", required_argument, NULL, 'c'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* 0: go on; 1: done; 2: bad usage. */
static int parse(int argc, char **argv, struct view *v)
{
	v->wait_s = WAIT_S;
	for (int o; (o = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
		if (o == 'h') {
			fputs(alerts_test_help, stdout);
			return 1;
		}
		if (o == '?') {
			fprintf(stderr, "`skep alerts test --help` lists the options\n");
			return 2;
		}
		if (o == OPT_WAIT && !alerts_number(optarg, WAIT_MOST_S, &v->wait_s))
			return cmd_fail(2, "alerts test: --wait takes 0 to %d seconds",
					WAIT_MOST_S);
		v->json |= o == OPT_JSON;
		v->path = o == 'c' ? optarg : v->path;
	}
	if (argc - optind > 1)
		return cmd_fail(2, "alerts test: name one destination, or none for all");
	v->name = optind < argc ? argv[optind] : NULL;
	return 0;
}

int alerts_try(int argc, char **argv)
{
	struct view *v = calloc(1, sizeof(*v));
	struct conf *c = calloc(1, sizeof(*c));
	int rc = v != NULL && c != NULL ? parse(argc, argv, v)
					: cmd_fail(2, "alerts test: no memory");
	bool done = rc == 1;
	if (rc == 0)
		rc = alerts_conf(v->path, c, v->dir);
	if (rc == 0 && v->name != NULL &&
	    alerts_destination(c, "alerts test", v->name) == c->alerts.n_to)
		rc = 2;
	if (rc == 0) {
		v->c = c;
		rc = try(v);
	}
	free(c);
	free(v);
	return done ? 0 : rc;
}

/* ---- reload -------------------------------------------------------------------------------------- */

const char alerts_reload_help[] =
	"usage: skep alerts reload [-c FILE]\n"
	"The running honeynet takes destinations, quiet rules and classes of the configuration\n"
	"anew. What waits in the outbox stays, and what was told is not told again.\n\n"
	"  -c, --config FILE      which honeynet\n";

static int reload(const struct conf *c)
{
	char why[320];
	CLEANUP(fd_close) int fd = -1;
	if (alerts_check(c, why, sizeof(why)) != 0)
		return cmd_fail(1, "alerts reload: %s", why);
	int err = sealed_create("alerts", &c->alerts, sizeof(c->alerts), &fd);
	if (err != 0)
		return cmd_fail(1, "alerts reload: %s", err_text(err));
	int code = ask(c, "alerts reload", "{\"do\":\"alerts\"}", &fd, 1, false);
	if (code == 0)
		printf("%u destination%s, %u quiet rule%s are in force\n", c->alerts.n_to,
		       c->alerts.n_to == 1 ? "" : "s", c->alerts.n_quiet,
		       c->alerts.n_quiet == 1 ? "" : "s");
	return code;
}

int alerts_reload(int argc, char **argv)
{
	const char *path = NULL;
	for (int o; (o = getopt_long(argc, argv, "c:h", options + 2, NULL)) != -1;) {
		if (o == 'h') {
			fputs(alerts_reload_help, stdout);
			return 0;
		}
		if (o == '?') {
			fprintf(stderr, "`skep alerts reload --help` lists the options\n");
			return 2;
		}
		path = optarg;
	}
	if (optind < argc)
		return cmd_fail(2, "alerts reload: '%s' is not expected", argv[optind]);
	struct conf *c = calloc(1, sizeof(*c));
	int rc = c == NULL ? cmd_fail(1, "alerts reload: no memory")
			   : cmd_need_root("alerts reload");
	if (rc == 0)
		rc = cmd_conf(path, c);
	if (rc == 0)
		rc = reload(c);
	free(c);
	return rc;
}
