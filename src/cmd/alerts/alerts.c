/* SPDX-License-Identifier: BSD-2-Clause */
/* skep alerts: who is told, how it goes; and the words after it. */
#include "cmd/alerts/alerts.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_NS (86400 * NS_PER_SEC)
#define HOUR_NS (3600 * NS_PER_SEC)

static const char help[] =
	"usage: skep alerts [-c FILE] [--json]\n"
	"       skep alerts log | show NUMBER | test [DESTINATION] | preview | reload\n\n"
	"Who is told of what happens, how much of each budget is used, what waits and what\n"
	"became of the last message of each destination.\n\n"
	"  log        what was sent, held back (and by which rule) and given up\n"
	"  show N     one message, as it was written\n"
	"  test       send a test to one destination or all, and see what the servers say\n"
	"  preview    what the configuration would have sent and held back of past events\n"
	"  reload     the running honeynet takes the configuration's alerts anew\n\n"
	"`skep alerts WORD --help` says more. docs/ALERTS.md tells what is sent when.\n\n"
	"      --json             for programs\n"
	"  -c, --config FILE      which honeynet\n";

struct to { /* what is known of one destination */
	uint32_t hour, day, total, waiting, failed;
	struct outbox_item last, last_failed; /* number 0: there is none */
};
struct overview {
	const struct conf *c;
	int64_t now_ns;
	uint64_t others; /* messages to destinations that are gone */
	struct to to[CONF_DESTINATIONS];
};

int alerts_conf(const char *path, struct conf *ret, char dir[ALERTS_DIR])
{
	int rc = cmd_conf(path, ret);
	if (rc == 0)
		snprintf(dir, ALERTS_DIR, "%s/alerts", ret->state_dir);
	return rc;
}

int alerts_unreadable(const char *verb, const char *dir, int err)
{
	if (err == -ENOENT)
		return cmd_fail(1, "%s: no alert was decided on yet (%s): run `sudo skep up` first",
				verb, dir);
	if (err == -EACCES || err == -EPERM)
		return cmd_fail(1, "%s may be read by root only: run `sudo skep %s`", dir, verb);
	return cmd_fail(1, "%s: %s can't be read: %s", verb, dir, err_text(err));
}

uint32_t alerts_destination(const struct conf *c, const char *verb, const char *name)
{
	const char *best = "";
	unsigned least = 4;
	for (uint32_t i = 0; i < c->alerts.n_to; i++) {
		unsigned d = text_distance(c->alerts.to[i].name, name);
		if (d == 0)
			return i;
		if (d < least) {
			least = d;
			best = c->alerts.to[i].name;
		}
	}
	if (best[0] != '\0')
		cmd_fail(2, "%s: there is no such destination; did you mean '%s'?", verb, best);
	else
		cmd_fail(2, "%s: there is no such destination; `skep alerts` lists them", verb);
	return c->alerts.n_to;
}

bool alerts_number(const char *text, uint64_t most, uint64_t *ret)
{
	char *end;
	errno = 0;
	unsigned long long v = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || v > most)
		return false;
	*ret = v;
	return true;
}

static bool add(void *ctx, const struct outbox_item *i)
{
	struct overview *o = ctx;
	uint32_t n = 0;
	while (n < o->c->alerts.n_to && strcmp(o->c->alerts.to[n].name, i->destination) != 0)
		n++;
	if (n == o->c->alerts.n_to) {
		o->others++;
		return true;
	}
	struct to *t = &o->to[n];
	bool counts =
		strcmp(i->kind, alert_kind_text(ALERT_TEST)) != 0; /* a test costs no budget */
	t->total += counts;
	t->day += counts && i->at_ns > o->now_ns - DAY_NS;
	t->hour += counts && i->at_ns > o->now_ns - HOUR_NS;
	t->waiting += i->state == OUTBOX_WAITING;
	t->failed += i->state == OUTBOX_FAILED;
	bool done = i->state == OUTBOX_SENT || i->state == OUTBOX_KEPT;
	if (done && i->done_ns >= t->last.done_ns)
		t->last = *i;
	bool bad = i->state == OUTBOX_FAILED || (i->state == OUTBOX_WAITING && i->tries > 0);
	if (bad && i->at_ns >= t->last_failed.at_ns)
		t->last_failed = *i;
	return true;
}

static void print_budget(const char *word, uint32_t used, uint32_t most)
{
	if (most > 0)
		printf("  %u of %u %s", used, most, word);
	else
		printf("  %u %s", used, word);
}

static void print_to(const struct conf_destination *d, const struct to *t)
{
	char when[EVENT_TIME];
	bool stuck = t->waiting > 0 && t->last_failed.state == OUTBOX_WAITING &&
		     t->last_failed.number != 0;
	printf("%-12s %-9s%s%s  ", d->name,
	       conf_destination_kind_text((enum conf_destination_kind)d->kind),
	       d->short_form ? " short" : "", d->watch ? " watch" : "");
	const char *word = t->total == 0 && t->last.number == 0 ? "nothing yet" : "well";
	printf("%s\n            ", stuck ? "does not take messages now" : word);
	print_budget("this hour", t->hour, d->throttle.hour);
	print_budget("in 24 h", t->day, d->throttle.day);
	if (d->throttle.total > 0)
		print_budget("in all", t->total, d->throttle.total);
	printf("  %u waiting", t->waiting);
	if (t->failed > 0)
		printf("  %u given up", t->failed);
	putchar('\n');
	if (t->last.number != 0) {
		printf("             last  %s  ", alerts_time(t->last.done_ns, when));
		alerts_print(t->last.summary, 0);
		putchar('\n');
	}
	if (t->last_failed.number != 0) {
		printf("             %s  #%llu after %u tries: ",
		       t->last_failed.state == OUTBOX_FAILED ? "gave up" : "waits",
		       (unsigned long long)t->last_failed.number, t->last_failed.tries);
		alerts_print(t->last_failed.answer, 0);
		putchar('\n');
	}
}

static json_t *item_json(const struct outbox_item *i)
{
	char when[EVENT_TIME];
	if (i->number == 0)
		return json_null();
	return json_pack("{s:I, s:s, s:i, s:o, s:o}", "number", (json_int_t)i->number, "at",
			 event_time_text(i->at_ns, when), "tries", (int)i->tries, "summary",
			 alerts_foreign(i->summary), "answer", alerts_foreign(i->answer));
}

static void print_json(const struct overview *o)
{
	json_t *all = json_array();
	for (uint32_t i = 0; i < o->c->alerts.n_to; i++) {
		const struct conf_destination *d = &o->c->alerts.to[i];
		const struct to *t = &o->to[i];
		json_array_append_new(
			all,
			json_pack("{s:s, s:s, s:b, s:b, s:i, s:i, s:i, s:i, s:i, s:o, s:o}", "name",
				  d->name, "kind",
				  conf_destination_kind_text((enum conf_destination_kind)d->kind),
				  "short", d->short_form, "watch", d->watch, "hour", (int)t->hour,
				  "day", (int)t->day, "total", (int)t->total, "waiting",
				  (int)t->waiting, "failed", (int)t->failed, "last",
				  item_json(&t->last), "trouble", item_json(&t->last_failed)));
	}
	json_t *o2 = json_pack("{s:b, s:o}", "enabled", o->c->alerts.on, "destinations", all);
	char *text = json_dumps(o2, JSON_INDENT(1));
	puts(text != NULL ? text : "{}");
	free(text);
	json_decref(o2);
}

static int show(const struct conf *c, const char *dir, bool json)
{
	struct overview *o = calloc(1, sizeof(*o));
	if (o == NULL)
		return cmd_fail(1, "alerts: no memory");
	o->c = c;
	o->now_ns = clock_wall_ns();
	int err = outbox_items(dir, 0, add, o);
	if (err != 0 && err != -ENOENT) {
		free(o);
		return alerts_unreadable("alerts", dir, err);
	}
	if (json) {
		print_json(o);
	} else {
		if (!c->alerts.on)
			printf("alerts are off (alerts.enabled)\n");
		for (uint32_t i = 0; i < c->alerts.n_to; i++)
			print_to(&c->alerts.to[i], &o->to[i]);
		if (c->alerts.n_to == 0)
			printf("there is no destination: nobody is told (docs/ALERTS.md)\n");
		if (o->others > 0)
			printf("%llu messages to destinations that are gone\n",
			       (unsigned long long)o->others);
	}
	free(o);
	return 0;
}

static int overview(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'},
						{"config", required_argument, NULL, 'c'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	const char *path = NULL;
	char dir[ALERTS_DIR];
	bool json = false;
	for (int o; (o = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
		if (o == 'h') {
			printf("%s\n%s\n%s\n%s\n%s\n%s", help, alerts_log_help, alerts_show_help,
			       alerts_test_help, alerts_preview_help, alerts_reload_help);
			return 0;
		}
		if (o == '?') {
			fprintf(stderr, "`skep alerts --help` lists the options\n");
			return 2;
		}
		json |= o == 'j';
		path = o == 'c' ? optarg : path;
	}
	if (optind < argc)
		return cmd_fail(2, "alerts: '%s' is none of log, show, test, preview, reload",
				argv[optind]);
	struct conf *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return cmd_fail(1, "alerts: no memory");
	int rc = alerts_conf(path, c, dir);
	if (rc == 0)
		rc = show(c, dir, json);
	free(c);
	return rc;
}

int cmd_alerts(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} words[] = {{"log", alerts_log},
		     {"show", alerts_show},
		     {"test", alerts_try},
		     {"preview", alerts_preview},
		     {"reload", alerts_reload}};
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(words); i++)
		if (strcmp(argv[1], words[i].name) == 0)
			return words[i].run(argc - 1, argv + 1);
	return overview(argc, argv);
}
