/* SPDX-License-Identifier: BSD-2-Clause */
/* skep alerts log: what was sent, held back and given up, and by which rule. */
#include "cmd/alerts/alerts.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_ROWS 50
#define MOST_ROWS 1000000
#define DAY_NS (86400 * NS_PER_SEC)

enum { OPT_SINCE = 256, OPT_SENT, OPT_HELD, OPT_FAILED, OPT_JSON };

const char alerts_log_help[] =
	"usage: skep alerts log [OPTION ...]\n"
	"Shows what became of alerts: the last 50, oldest first, or those that match. What was\n"
	"held back is summed up by the minute, with the rule that did it.\n\n"
	"      --since T          2026-11-23T20:01:02, 2026-11-23, or 10m, 2h, 3d ago\n"
	"      --destination NAME only this one's\n"
	"      --sent             only what was sent or kept\n"
	"      --held             only what was held back\n"
	"      --failed           only what was given up, or waits after a failure\n"
	"  -n N                   at most the newest N (0: all); 50 unless a time is given\n"
	"      --json             a JSON object a line\n"
	"  -c, --config FILE      which honeynet\n";

struct row { /* one of both */
	int64_t at_ns;
	uint64_t order; /* among those of the same time */
	struct outbox_item *item;
	struct outbox_log *held;
};
struct view {
	const char *conf, *destination;
	int64_t since_ns;
	bool sent, held, failed, json;
	uint64_t limit;
	struct row *rows;
	size_t n, cap;
	bool no_memory;
};

static bool wanted(const struct view *v, const char *destination)
{
	return v->destination == NULL || strcmp(destination, v->destination) == 0;
}

static struct row *add(struct view *v, int64_t at_ns)
{
	if (v->n == v->cap) {
		size_t cap = v->cap > 0 ? v->cap * 2 : 256;
		struct row *more =
			cap <= MOST_ROWS * 2 ? realloc(v->rows, cap * sizeof(*more)) : NULL;
		v->no_memory = more == NULL;
		if (more == NULL)
			return NULL;
		v->rows = more;
		v->cap = cap;
	}
	v->rows[v->n] = (struct row){.at_ns = at_ns, .order = v->n};
	return &v->rows[v->n++];
}

static bool take_item(void *ctx, const struct outbox_item *i)
{
	struct view *v = ctx;
	bool done = i->state == OUTBOX_SENT || i->state == OUTBOX_KEPT;
	bool failed = i->state == OUTBOX_FAILED || (i->state == OUTBOX_WAITING && i->tries > 0);
	bool all = !v->sent && !v->held && !v->failed;
	if (!wanted(v, i->destination) || !(all || (v->sent && done) || (v->failed && failed)))
		return true;
	struct row *r = add(v, i->at_ns);
	if (r == NULL)
		return false;
	r->item = malloc(sizeof(*i));
	if (r->item == NULL) {
		v->no_memory = true;
		return false;
	}
	*r->item = *i;
	return true;
}

static bool take_held(void *ctx, const struct outbox_log *l)
{
	struct view *v = ctx;
	bool all = !v->sent && !v->held && !v->failed;
	if (!wanted(v, l->destination) || !(all || v->held))
		return true;
	struct row *r = add(v, l->at_ns);
	if (r == NULL)
		return false;
	r->held = malloc(sizeof(*l));
	if (r->held == NULL) {
		v->no_memory = true;
		return false;
	}
	*r->held = *l;
	return true;
}

static int by_time(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void print_row(const struct view *v, const struct row *r)
{
	static const char *const states[] = {"waits", "sent", "gave up", "kept"};
	if (r->item != NULL) {
		const struct outbox_item *i = r->item;
		struct alerts_line l = {.number = i->number,
					.incident = i->incident,
					.at_ns = i->at_ns,
					.destination = i->destination,
					.class = i->class,
					.kind = i->kind,
					.guest = i->guest,
					.summary = i->summary,
					.state = i->state < ARRAY_LEN(states) ? states[i->state]
									      : "?",
					.answer = i->answer,
					.source = i->source,
					.weight = i->weight,
					.bypass = i->bypass};
		bool well = i->state == OUTBOX_SENT || i->state == OUTBOX_KEPT;
		if (well && !v->json)
			l.answer = NULL;
		(v->json ? alerts_json_line : alerts_print_line)(&l);
		return;
	}
	const struct outbox_log *h = r->held;
	struct alerts_held l = {.at_ns = h->at_ns,
				.destination = h->destination,
				.class = h->class,
				.why = h->why,
				.rule = h->rule,
				.guest = h->guest,
				.source = h->source,
				.incident = h->incident,
				.n = h->n};
	(v->json ? alerts_json_held : alerts_print_held)(&l);
}

static int show(struct view *v, const char *dir)
{
	int err = outbox_items(dir, v->since_ns, take_item, v);
	if (err == 0)
		err = outbox_logs(dir, v->since_ns, take_held, v);
	if (err == 0 && v->no_memory)
		err = -ENOMEM;
	if (err == 0) {
		if (v->n > 0)
			qsort(v->rows, v->n, sizeof(*v->rows), by_time);
		size_t first = v->limit > 0 && v->n > v->limit ? v->n - v->limit : 0;
		for (size_t i = first; i < v->n && ferror(stdout) == 0; i++)
			print_row(v, &v->rows[i]);
	}
	bool any = v->n > 0;
	for (size_t i = 0; i < v->n; i++) {
		free(v->rows[i].item);
		free(v->rows[i].held);
	}
	free(v->rows);
	if (err != 0)
		return alerts_unreadable("alerts log", dir, err);
	if (!any && !v->json)
		fprintf(stderr, "no alert matches\n");
	return 0;
}

static const struct option options[] = {
	{"since", required_argument, NULL, OPT_SINCE},
	{"destination", required_argument, NULL, 'd'},
	{"sent", no_argument, NULL, OPT_SENT},
	{"held", no_argument, NULL, OPT_HELD},
	{"failed", no_argument, NULL, OPT_FAILED},
	{"json", no_argument, NULL, OPT_JSON},
	{"config", required_argument, NULL, 'c'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static bool set_option(struct view *v, int option, const char *value)
{
	switch (option) {
	case OPT_SENT:
		v->sent = true;
		return true;
	case OPT_HELD:
		v->held = true;
		return true;
	case OPT_FAILED:
		v->failed = true;
		return true;
	case OPT_JSON:
		v->json = true;
		return true;
	case 'c':
		v->conf = value;
		return true;
	case 'd':
		v->destination = value;
		return true;
	case OPT_SINCE:
		return cmd_parse_time(value, &v->since_ns) == 0;
	default: /* 'n' */
		return alerts_number(value, MOST_ROWS, &v->limit);
	}
}

/* 0: go on; 1: done; 2: bad usage. */
static int parse(int argc, char **argv, struct view *v)
{
	bool counted = false;
	for (int o; (o = getopt_long(argc, argv, "n:d:c:h", options, NULL)) != -1;) {
		counted |= o == 'n';
		if (o == 'h') {
			fputs(alerts_log_help, stdout);
			return 1;
		}
		if (o == '?') {
			fprintf(stderr, "`skep alerts log --help` lists the options\n");
			return 2;
		}
		if (!set_option(v, o, optarg))
			return cmd_fail(2, "alerts log: '%s' is no such value; `--help` says more",
					optarg);
	}
	if (optind < argc)
		return cmd_fail(2, "alerts log: '%s' is not expected", argv[optind]);
	if (!counted && v->since_ns == 0)
		v->limit = DEFAULT_ROWS;
	return 0;
}

int alerts_log(int argc, char **argv)
{
	struct view v = {0};
	char dir[ALERTS_DIR];
	int rc = parse(argc, argv, &v);
	if (rc != 0)
		return rc == 1 ? 0 : rc;
	struct conf *c = calloc(1, sizeof(*c));
	rc = c != NULL ? alerts_conf(v.conf, c, dir) : cmd_fail(1, "alerts log: no memory");
	free(c);
	signal(SIGPIPE, SIG_DFL); /* `| head` ends us, quietly */
	return rc == 0 ? show(&v, dir) : rc;
}
