/* SPDX-License-Identifier: BSD-2-Clause */
/* skep log diff: the host's copy of syslog, taken off the wire, against what the loghost's files say. */
#include "cmd/log/log.h"
#include "event/event.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY (1u << 30)
#define AROUND_NS (600 * NS_PER_SEC)
#define IN_FLIGHT_NS (5 * NS_PER_SEC) /* collector writes every second; rsyslog when it has time */
#define DAY_NS (86400 * NS_PER_SEC)
#define TEXT 9000
#define REMOVED "# removed "

enum { OPT_DAY = 256, OPT_FROM, OPT_JSON };

struct diff {
	struct conf conf;
	const char *path, *guest, *from;
	int64_t day_ns, now_ns;
	bool json;
	/* of the guest whose turn it is */
	const char *name;
	struct syslog_compare *c;
	int err;
	uint64_t removed;
	char line[4 * TEXT];
};

const char log_diff_help[] =
	"usage: skep log diff [OPTION ...]\n"
	"Holds the host's own copy of the syslog that guests sent against the loghost's files, "
	"and\n"
	"names the lines that are on one side only, were altered, or moved in time. Exit code 0:\n"
	"both agree, 1: they don't, 2: it can't be told.\n\n"
	"  -g, --guest NAME       of this guest; else of all\n"
	"      --day D            2026-11-28; today unless given (days are UTC)\n"
	"      --from DIR         a copy of the loghost's /var/log/remote, instead of asking it by "
	"ssh\n"
	"      --json             one JSON object a line: differences, and a summary of each "
	"guest\n"
	"  -c, --config FILE      which honeynet\n";

/* ---- both sides --------------------------------------------------------------------------------- */

static bool take_host(void *ctx, const struct syslog_kept *k)
{
	struct diff *d = ctx;
	d->err = syslog_compare_host(d->c, k);
	return d->err == 0;
}

static int take_loghost(void *ctx, const char *line, size_t len)
{
	struct diff *d = ctx;
	if (len >= sizeof(REMOVED) - 1 && memcmp(line, REMOVED, sizeof(REMOVED) - 1) == 0) {
		d->removed++;
		return 0;
	}
	return syslog_compare_loghost(d->c, line, len);
}

/* ---- telling -------------------------------------------------------------------------------------- */

static const char *escaped(struct diff *d, const char *text, uint32_t len)
{
	struct writer w = writer_of(d->line, sizeof(d->line));
	write_escaped(&w, text, len);
	return d->line;
}

static const char *time_of(int64_t ns, char buf[EVENT_TIME])
{
	event_time_text(ns, buf);
	buf[23] = '\0';
	return buf;
}

static void tell_json(struct diff *d, const struct syslog_difference *f)
{
	static const char *const kinds[] = {"only-host", "only-loghost", "altered", "moved"};
	char when[EVENT_TIME];
	json_t *o = json_object();
	json_object_set_new(o, "difference", json_string(kinds[f->kind]));
	json_object_set_new(o, "guest", json_string(d->name));
	if (f->host != NULL) {
		json_object_set_new(o, "host_time", json_string(event_time_text(f->host_ns, when)));
		json_object_set_new(o, "host", json_string(escaped(d, f->host, f->host_len)));
	}
	if (f->loghost != NULL) {
		json_object_set_new(o, "loghost_time",
				    json_string(event_time_text(f->loghost_ns, when)));
		json_object_set_new(o, "loghost",
				    json_string(escaped(d, f->loghost, f->loghost_len)));
	}
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

static void tell(void *ctx, const struct syslog_difference *f)
{
	struct diff *d = ctx;
	char a[EVENT_TIME], b[EVENT_TIME];
	time_of(f->host_ns, a);
	time_of(f->loghost_ns, b);
	if (d->json) {
		tell_json(d, f);
		return;
	}
	switch (f->kind) {
	case SYSLOG_ONLY_HOST:
		printf("only on the host: %s %s %s\n", a, d->name,
		       escaped(d, f->host, f->host_len));
		break;
	case SYSLOG_ONLY_LOGHOST:
		printf("only on the loghost: %s %s %s\n", b, d->name,
		       escaped(d, f->loghost, f->loghost_len));
		break;
	case SYSLOG_ALTERED:
		printf("altered: %s %s\n  on the host:    %s\n", a, d->name,
		       escaped(d, f->host, f->host_len));
		printf("  on the loghost: %s\n", escaped(d, f->loghost, f->loghost_len));
		break;
	case SYSLOG_MOVED:
		printf("moved: %s %s, on the loghost at %s: %s\n", a, d->name, b,
		       escaped(d, f->host, f->host_len));
		break;
	}
}

static void sum_up_json(const struct diff *d, const struct syslog_compare_result *r)
{
	json_t *o = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "guest",
			      d->name, "host", (json_int_t)r->host, "loghost",
			      (json_int_t)r->loghost, "same", (json_int_t)r->same, "differences",
			      (json_int_t)r->differences, "in_flight", (json_int_t)r->in_flight,
			      "lost", (json_int_t)r->lost, "bad", (json_int_t)r->bad, "removed",
			      (json_int_t)d->removed, "clock_seconds", (double)r->clock_ns / 1e9);
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

static void sum_up(const struct diff *d, const struct syslog_compare_result *r)
{
	if (d->json) {
		sum_up_json(d, r);
		return;
	}
	printf("%s: %llu lines on the host, %llu on the loghost, %llu the same, %llu differences\n",
	       d->name, (unsigned long long)r->host, (unsigned long long)r->loghost,
	       (unsigned long long)r->same, (unsigned long long)r->differences);
	if (r->in_flight > 0)
		printf("  %llu lines of the last %d s are on one side only so far\n",
		       (unsigned long long)r->in_flight, (int)(IN_FLIGHT_NS / NS_PER_SEC));
	if (r->lost > 0)
		printf("  the host's copy says that it lacks %llu lines or frames\n",
		       (unsigned long long)r->lost);
	if (r->bad > 0)
		printf("  %llu lines on the loghost are of a form that its rsyslog never writes\n",
		       (unsigned long long)r->bad);
	if (d->removed > 0)
		printf("  the loghost says that it made room %llu times: "
		       "/var/log/remote/%s/removed\n",
		       (unsigned long long)d->removed, d->name);
	int64_t off = r->clock_ns < 0 ? -r->clock_ns : r->clock_ns;
	if (off > 2 * NS_PER_SEC)
		printf("  the loghost's clock is %lld s %s\n", (long long)(off / NS_PER_SEC),
		       r->clock_ns < 0 ? "behind" : "ahead");
}

/* ---- one guest after the other ---------------------------------------------------------------------- */

/* 0, 1, 2: as the exit code. */
static int compare(struct diff *d, const struct conf_guest *loghost)
{
	char dir[CONF_PATH + 32], why[1024];
	struct syslog_compare_result r;
	int64_t end_ns = d->day_ns + DAY_NS;
	log_dir(&d->conf, dir, sizeof(dir));
	d->removed = 0;
	d->err = 0;
	if (syslog_compare_create(MEMORY, &d->c) != 0)
		return cmd_fail(2, "log diff: no memory");
	/* The loghost first: what comes meanwhile is then surely on the host as well. */
	int err = log_fetch(&d->conf, loghost, d->name, d->day_ns, d->from, take_loghost, d, why,
			    sizeof(why));
	if (err != 0)
		return cmd_fail(2, "log diff: %s", why);
	err = syslog_store_read(dir, d->name, d->day_ns - AROUND_NS, end_ns + AROUND_NS, take_host,
				d);
	err = err == -ENOENT ? 0 : err != 0 ? err : d->err;
	if (err != 0)
		return cmd_fail(2, "log diff: the host's copy in %s: %s", dir, err_text(err));
	err = syslog_compare_run(d->c, d->day_ns, end_ns, d->now_ns - IN_FLIGHT_NS, tell, d, &r);
	if (err != 0)
		return cmd_fail(2, "log diff: %s", err_text(err));
	sum_up(d, &r);
	return r.differences > 0 || r.bad > 0;
}

static int each_guest(struct diff *d)
{
	const struct conf *c = &d->conf;
	const struct conf_guest *loghost = NULL;
	int rc = 0;
	for (uint32_t i = 0; i < c->n_guests; i++)
		if (loghost == NULL && c->guests[i].kind == GUEST_LOGHOST)
			loghost = &c->guests[i];
	if (loghost == NULL)
		return cmd_fail(2, "log diff: this honeynet has no loghost");
	if (c->loghost.tls)
		return cmd_fail(2, "log diff: honeypots encrypt their syslog (loghost.tls): the "
				   "host has no copy of its own");
	if (!c->sessions.on)
		return cmd_fail(2, "log diff: the host keeps no copy (sessions.enabled is false)");
	d->now_ns = clock_wall_ns();
	for (uint32_t i = 0; i < c->n_guests && rc < 2; i++) {
		const struct conf_guest *g = &c->guests[i];
		if (g->kind == GUEST_LOGHOST ||
		    (d->guest != NULL && strcmp(d->guest, g->name) != 0))
			continue;
		d->name = g->name;
		int one = compare(d, loghost);
		syslog_compare_free(&d->c);
		rc = one > rc ? one : rc;
	}
	return rc;
}

/* ---- options ------------------------------------------------------------------------------------------ */

static const struct option options[] = {
	{"guest", required_argument, NULL, 'g'},
	{"day", required_argument, NULL, OPT_DAY},
	{"from", required_argument, NULL, OPT_FROM},
	{"json", no_argument, NULL, OPT_JSON},
	{"config", required_argument, NULL, 'c'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* 0: go on; 1: done; 2: bad usage. */
static int parse(int argc, char **argv, struct diff *d)
{
	int o;
	while ((o = getopt_long(argc, argv, "g:c:h", options, NULL)) != -1) {
		if (o == 'h') {
			fputs(log_diff_help, stdout);
			return 1;
		}
		if (o == '?') {
			fprintf(stderr, "`skep log diff --help` lists the options\n");
			return 2;
		}
		if (o == 'g')
			d->guest = optarg;
		else if (o == 'c')
			d->path = optarg;
		else if (o == OPT_FROM)
			d->from = optarg;
		else if (o == OPT_JSON)
			d->json = true;
		else if (log_day_parse(optarg, &d->day_ns) != 0)
			return cmd_fail(2, "log diff: '%s' is no day; 2026-11-28 is one", optarg);
	}
	if (optind < argc)
		return cmd_fail(2,
				"log diff: '%s' is not expected; `skep log diff --help` says more",
				argv[optind]);
	return 0;
}

int log_diff(int argc, char **argv)
{
	struct diff *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return cmd_fail(2, "log diff: no memory");
	d->day_ns = clock_wall_ns() / DAY_NS * DAY_NS;
	int rc = parse(argc, argv, d);
	bool done = rc == 1;
	if (rc == 0)
		rc = cmd_conf(d->path, &d->conf);
	if (rc == 0 && d->guest != NULL && conf_guest(&d->conf, d->guest) == NULL)
		rc = cmd_fail(2, "log diff: there is no guest '%s'", d->guest);
	if (rc == 0 && cmd_need_root("log diff") != 0)
		rc = 2;
	if (rc == 0)
		rc = each_guest(d);
	free(d);
	return done ? 0 : rc;
}
