/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skep alerts preview: the store's events through the engine that alerter runs, with this configuration. The ids
 * of events are the clock, so what comes out is what was, or would have been, sent.
 */
#include "cmd/alerts/alerts.h"
#include "store/store.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_NS (86400 * NS_PER_SEC)
#define US_NS 1000
#define HELD_ROWS 512
#define SLACK_BYTES (1u << 20)

enum { OPT_SINCE = 256, OPT_UNTIL, OPT_JSON, OPT_HELD };

const char alerts_preview_help[] =
	"usage: skep alerts preview [OPTION ...]\n"
	"Shows what this configuration would have sent of past events, and what it would have\n"
	"held back and why. Nothing is sent. With the configuration that was in force, it is\n"
	"what was sent (but for what a restart or a full disk delayed).\n\n"
	"      --since T          2026-11-23T20:01:02, 2026-11-23, or 10m, 2h, 3d ago; else 1d\n"
	"      --until T          likewise; else now\n"
	"      --destination NAME only this one's\n"
	"      --held             also each minute's sums of what would have been held back\n"
	"      --json             a JSON object a line, as `skep alerts log --json` has them\n"
	"  -c, --config FILE      which configuration, and whose events\n";

struct sum { /* what was held back by one reason */
	uint8_t destination, class, why, quiet;
	uint64_t n;
};
struct view {
	const char *conf_path, *only;
	char dir[CONF_PATH + 16];
	bool json, held;
	int64_t since_ns, until_ns;
	const struct conf *conf;
	struct notify_from from;
	struct facts *facts;
	struct alert *alert;
	uint64_t events, sent, newest, sent_to[CONF_DESTINATIONS];
	struct sum sums[HELD_ROWS];
	size_t n_sums;
};

/* ---- what the engine says ------------------------------------------------------------------------ */

static bool wanted(const struct view *v, uint8_t destination, int64_t at_ns)
{
	const char *name = v->conf->alerts.to[destination].name;
	return at_ns >= v->since_ns && (v->only == NULL || strcmp(v->only, name) == 0);
}

static void on_send(void *ctx, const struct alert_message *m)
{
	struct view *v = ctx;
	struct facts_of facts = {.hops = 255};
	char summary[NOTIFY_SHORT];
	if (!wanted(v, m->destination, m->at_ns))
		return;
	if (m->what.source.ver != 0)
		facts_of(v->facts, &m->what.source, &m->what.syn, &facts);
	notify_short(&v->from, &v->conf->alerts, m, &facts, summary);
	v->sent++;
	v->sent_to[m->destination]++;
	struct alerts_line l = {
		.number = m->number,
		.incident = m->incident,
		.at_ns = m->at_ns,
		.destination = v->conf->alerts.to[m->destination].name,
		.class = conf_alert_class_text((enum conf_alert_class)m->class),
		.kind = alert_kind_text((enum alert_kind)m->kind),
		.guest = m->what.guest,
		.summary = summary,
		.state = "would",
		.source = m->what.source,
		.weight = m->weight,
		.bypass = m->bypass != 0,
	};
	(v->json ? alerts_json_line : alerts_print_line)(&l);
}

static void rule_text(const struct view *v, uint8_t quiet, char ret[CONF_MAIL + 16])
{
	const struct conf_alerts *a = &v->conf->alerts;
	ret[0] = '\0';
	if (quiet == 0)
		return;
	if (quiet <= a->n_quiet && a->quiet[quiet - 1].comment[0] != '\0')
		snprintf(ret, CONF_MAIL + 16, "%u %s", quiet, a->quiet[quiet - 1].comment);
	else if (quiet <= a->n_quiet)
		snprintf(ret, CONF_MAIL + 16, "%u", quiet);
	else
		text_copy(ret, CONF_MAIL + 16, alert_quiet_text(quiet));
}

static void count(struct view *v, const struct alert_held *h)
{
	size_t i = 0;
	while (i < v->n_sums &&
	       (v->sums[i].destination != h->destination || v->sums[i].class != h->class ||
		v->sums[i].why != h->why || v->sums[i].quiet != h->quiet))
		i++;
	if (i == HELD_ROWS)
		i--; /* more than there are kinds of reasons for 8 destinations: can't be */
	if (i == v->n_sums)
		v->sums[v->n_sums++] = (struct sum){h->destination, h->class, h->why, h->quiet, 0};
	v->sums[i].n += h->n;
}

static void on_held(void *ctx, const struct alert_held *h)
{
	struct view *v = ctx;
	char rule[CONF_MAIL + 16];
	if (!wanted(v, h->destination, h->at_ns))
		return;
	count(v, h);
	if (!v->held)
		return;
	rule_text(v, h->quiet, rule);
	struct alerts_held l = {
		.at_ns = h->at_ns,
		.destination = v->conf->alerts.to[h->destination].name,
		.class = conf_alert_class_text((enum conf_alert_class)h->class),
		.why = alert_why_text((enum alert_why)h->why),
		.rule = rule,
		.guest = h->guest,
		.source = h->source,
		.incident = h->incident,
		.n = h->n,
	};
	(v->json ? alerts_json_held : alerts_print_held)(&l);
}

static void on_place(void *ctx, const struct addr *a, uint32_t *ret_as, char ret_country[4])
{
	struct view *v = ctx;
	struct facts_of f;
	facts_of(v->facts, a, NULL, &f);
	*ret_as = f.as;
	memcpy(ret_country, f.country, 4);
}

/* ---- the replay ---------------------------------------------------------------------------------- */

static bool on_line(void *ctx, uint64_t id, int64_t time_ns, const char *json)
{
	struct view *v = ctx;
	struct alert_input in;
	(void)time_ns;
	if ((int64_t)id > v->until_ns / US_NS)
		return false;
	v->newest = id;
	if (alert_input_json(id, json, &in) != 0)
		return true; /* of no interest, or not a line of ours */
	v->events++;
	alert_event(v->alert, &in);
	return ferror(stdout) == 0;
}

/* The engine's state is of no use here. */
static void on_slot(void *ctx, uint64_t slot, const void *data, size_t size)
{
	(void)ctx;
	(void)slot;
	(void)data;
	(void)size;
}

/* What the engine knows by the time that is asked for: at least a day, and as far back as a source may be known. */
static int64_t warm_up(const struct conf *c)
{
	return c->alerts.new_source_ns > DAY_NS ? c->alerts.new_source_ns : DAY_NS;
}

static int replay(struct view *v)
{
	struct store_query q = {.from_ns = v->since_ns - warm_up(v->conf)};
	const struct alert_out out = {.send = on_send,
				      .held = on_held,
				      .place = on_place,
				      .local = alerts_local,
				      .ctx = v};
	CLEANUP(arena_destroy) struct arena arena = {0};
	int err = arena_create(alert_bytes() + SLACK_BYTES, &arena);
	if (err == 0)
		err = alert_create(&arena, &v->conf->alerts, &out, &v->alert);
	if (err == 0)
		err = store_search(v->dir, &q, on_line, v);
	if (err == 0) {
		alert_tick(v->alert, v->until_ns);
		alert_save(v->alert, on_slot, v); /* it tells what is still held back first */
	}
	return err;
}

static int open_facts(struct view *v)
{
	int fds[3] = {-1, -1, -1};
	char why[256] = "";
	facts_find(v->conf->alerts.location, v->conf->alerts.names, fds);
	int err = facts_open(fds[0], fds[1], fds[2], why, sizeof(why), &v->facts);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (why[0] != '\0')
		fprintf(stderr, "skep: alerts preview: %s\n", why);
	return err;
}

static int by_destination(const void *a, const void *b)
{
	const struct sum *x = a, *y = b;
	if (x->destination != y->destination)
		return x->destination < y->destination ? -1 : 1;
	return x->n > y->n ? -1 : x->n < y->n;
}

static void print_sums(struct view *v)
{
	char when[EVENT_TIME], rule[CONF_MAIL + 16];
	printf("%s%llu events since %s: %llu messages", v->sent > 0 ? "\n" : "",
	       (unsigned long long)v->events, alerts_time(v->since_ns - warm_up(v->conf), when),
	       (unsigned long long)v->sent);
	printf(" since %s\n", alerts_time(v->since_ns, when));
	for (uint32_t i = 0; i < v->conf->alerts.n_to; i++)
		if (v->only == NULL || strcmp(v->only, v->conf->alerts.to[i].name) == 0)
			printf("  %-12s %llu\n", v->conf->alerts.to[i].name,
			       (unsigned long long)v->sent_to[i]);
	printf(v->n_sums > 0 ? "held back:\n" : "nothing was held back\n");
	qsort(v->sums, v->n_sums, sizeof(v->sums[0]), by_destination);
	for (size_t i = 0; i < v->n_sums; i++) {
		const struct sum *s = &v->sums[i];
		rule_text(v, s->quiet, rule);
		printf("  %-12s %-11s %8llu  %s", v->conf->alerts.to[s->destination].name,
		       conf_alert_class_text((enum conf_alert_class)s->class),
		       (unsigned long long)s->n, alert_why_text((enum alert_why)s->why));
		if (rule[0] != '\0')
			printf(" ");
		alerts_print(rule, 0);
		putchar('\n');
	}
}

static int preview(struct view *v)
{
	v->from = (struct notify_from){.sensor = v->conf->sensor,
				       .name = v->conf->name,
				       .domain = v->conf->sensor,
				       .local = alerts_local};
	snprintf(v->dir, sizeof(v->dir), "%s/events", v->conf->state_dir);
	int err = open_facts(v);
	if (err == 0)
		err = replay(v);
	facts_close(&v->facts);
	if (err == -ENOENT)
		return cmd_fail(1,
				"alerts preview: there are no events yet in %s: run `sudo skep "
				"up` first",
				v->dir);
	if (err == -EACCES)
		return cmd_fail(1, "%s may be read by root only: run `sudo skep alerts preview`",
				v->dir);
	if (err != 0)
		return cmd_fail(1, "alerts preview: the events in %s can't be read: %s", v->dir,
				err_text(err));
	if (!v->json)
		print_sums(v);
	return 0;
}

/* ---- options ------------------------------------------------------------------------------------- */

static const struct option options[] = {
	{"since", required_argument, NULL, OPT_SINCE},
	{"until", required_argument, NULL, OPT_UNTIL},
	{"destination", required_argument, NULL, 'd'},
	{"held", no_argument, NULL, OPT_HELD},
	{"json", no_argument, NULL, OPT_JSON},
	{"config", required_argument, NULL, 'c'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static bool set_option(struct view *v, int option, const char *value)
{
	switch (option) {
	case OPT_HELD:
		v->held = true;
		return true;
	case OPT_JSON:
		v->json = true;
		return true;
	case 'c':
		v->conf_path = value;
		return true;
	case 'd':
		v->only = value;
		return true;
	case OPT_SINCE:
		return cmd_parse_time(value, &v->since_ns) == 0;
	default:
		return cmd_parse_time(value, &v->until_ns) == 0;
	}
}

/* 0: go on; 1: done; 2: bad usage. */
static int parse(int argc, char **argv, struct view *v)
{
	for (int o; (o = getopt_long(argc, argv, "d:c:h", options, NULL)) != -1;) {
		if (o == 'h') {
			fputs(alerts_preview_help, stdout);
			return 1;
		}
		if (o == '?') {
			fprintf(stderr, "`skep alerts preview --help` lists the options\n");
			return 2;
		}
		if (!set_option(v, o, optarg))
			return cmd_fail(2,
					"alerts preview: '%s' is no such value; `--help` says more",
					optarg);
	}
	if (optind < argc)
		return cmd_fail(2, "alerts preview: '%s' is not expected", argv[optind]);
	if (v->until_ns == 0)
		v->until_ns = clock_wall_ns();
	if (v->since_ns == 0)
		v->since_ns = v->until_ns - DAY_NS;
	return 0;
}

int alerts_preview(int argc, char **argv)
{
	struct view *v = calloc(1, sizeof(*v));
	struct conf *c = calloc(1, sizeof(*c));
	int rc = v != NULL && c != NULL ? parse(argc, argv, v)
					: cmd_fail(2, "alerts preview: no memory");
	bool done = rc == 1;
	if (rc == 0)
		rc = cmd_conf(v->conf_path, c);
	if (rc == 0 && v->only != NULL &&
	    alerts_destination(c, "alerts preview", v->only) == c->alerts.n_to)
		rc = 2;
	signal(SIGPIPE, SIG_DFL); /* `| head` ends us, quietly */
	if (rc == 0) {
		v->conf = c;
		rc = preview(v);
	}
	free(c);
	free(v);
	return done ? 0 : rc;
}
