/* SPDX-License-Identifier: BSD-2-Clause */
/* skep log: syslog lines as guests sent them, from the host's own copy. */
#include "cmd/log/log.h"
#include "event/event.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_ROWS 50
#define MOST_ROWS 1000000
#define POLL_NS (500 * NS_PER_MS)
#define GUESTS 64
#define LINE_TEXT (SYSLOG_LINE * 4 + 256)

enum { OPT_SINCE = 256, OPT_UNTIL, OPT_JSON, OPT_GREP };

struct last { /* how far a guest's lines were shown: they come in order, several at one time perhaps */
	char guest[64];
	int64_t time_ns;
	uint64_t at_time, skip;
};
struct view {
	char dir[CONF_PATH + 32];
	const char *conf, *guest, *pattern;
	int64_t from_ns, to_ns;
	bool json, follow, any, following;
	regex_t regex;
	uint64_t limit; /* 0: all */
	char **rows;    /* the newest, a ring of limit */
	uint64_t n_rows;
	uint32_t n_last;
	struct last last[GUESTS];
	char line[LINE_TEXT];
};

static const char help[] =
	"usage: skep log [OPTION ...]\n"
	"Shows syslog lines that guests sent, from the host's own copy: the last 50 of today,\n"
	"oldest first, or those that match. The time is the host's.\n\n"
	"  -g, --guest NAME       of this guest\n"
	"      --since T          2026-11-23T20:01:02, 2026-11-23, or 10m, 2h, 3d ago\n"
	"      --until T          likewise\n"
	"      --grep RE          lines in which this extended regular expression matches\n"
	"  -n N                   at most the newest N (0: all); 50 unless a time is given\n"
	"  -f, --follow           go on showing what comes\n"
	"      --json             one JSON object a line, with all that the line claims\n"
	"  -c, --config FILE      which honeynet\n";

void log_dir(const struct conf *c, char *ret, size_t size)
{
	snprintf(ret, size, "%s/inside/log", c->state_dir);
}

/* ---- a line ------------------------------------------------------------------------------------ */

static json_t *escaped(struct view *v, const char *data, size_t len)
{
	struct writer w = writer_of(v->line, sizeof(v->line));
	write_escaped(&w, data, len);
	return json_string(v->line);
}

static void write_json(struct view *v, const struct syslog_kept *k, const struct syslog_line *l)
{
	char when[EVENT_TIME];
	json_t *o = json_object();
	json_object_set_new(o, "timestamp", json_string(event_time_text(k->time_ns, when)));
	json_object_set_new(o, "guest", json_string(k->guest));
	json_object_set_new(o, "flow_id", json_integer((json_int_t)k->flow_id));
	json_object_set_new(o, "facility", json_string(syslog_facility_text(k->facility)));
	json_object_set_new(o, "severity", json_string(syslog_severity_text(k->severity)));
	if (l->has_time)
		json_object_set_new(o, "time", json_string(event_time_text(l->time_ns, when)));
	json_object_set_new(o, "host", escaped(v, l->host, strlen(l->host)));
	json_object_set_new(o, "app", escaped(v, l->app, strlen(l->app)));
	json_object_set_new(o, "pid", escaped(v, l->pid, strlen(l->pid)));
	json_object_set_new(o, "msgid", escaped(v, l->msgid, strlen(l->msgid)));
	json_object_set_new(o, "text", escaped(v, l->text, l->len));
	json_object_set_new(o, "cut", json_boolean(k->cut));
	char *text = json_dumps(o, JSON_COMPACT);
	struct writer w = writer_of(v->line, sizeof(v->line));
	write_str(&w, text != NULL ? text : "");
	free(text);
	json_decref(o);
}

static void write_text(struct view *v, const struct syslog_kept *k, const struct syslog_line *l)
{
	char when[EVENT_TIME];
	struct writer w = writer_of(v->line, sizeof(v->line));
	event_time_text(k->time_ns, when);
	when[23] = '\0'; /* milliseconds are enough for people */
	write_fmt(&w, "%s %-10s %s.%s ", when, k->guest, syslog_facility_text(k->facility),
		  syslog_severity_text(k->severity));
	write_escaped(&w, l->app, strlen(l->app));
	if (l->pid[0] != '\0') {
		write_str(&w, "[");
		write_escaped(&w, l->pid, strlen(l->pid));
		write_str(&w, "]");
	}
	write_str(&w, l->app[0] != '\0' ? ": " : "");
	write_escaped(&w, l->text, l->len);
	write_str(&w, k->cut ? " (cut)" : "");
}

/* Was it shown before (while following)? */
static bool known(struct view *v, const struct syslog_kept *k)
{
	uint32_t i = 0;
	while (i < v->n_last && strcmp(v->last[i].guest, k->guest) != 0)
		i++;
	if (i == GUESTS)
		return false;
	struct last *o = &v->last[i];
	if (i == v->n_last) {
		*o = (struct last){.time_ns = INT64_MIN};
		text_copy(o->guest, sizeof(o->guest), k->guest);
		v->n_last++;
	}
	if (v->following && k->time_ns < o->time_ns)
		return true;
	if (v->following && k->time_ns == o->time_ns && o->skip > 0) {
		o->skip--;
		return true;
	}
	o->at_time = k->time_ns == o->time_ns ? o->at_time + 1 : 1;
	o->skip = 0;
	o->time_ns = k->time_ns;
	return false;
}

static void keep_row(struct view *v)
{
	char **row = &v->rows[v->n_rows++ % v->limit];
	free(*row);
	*row = strdup(v->line);
}

static bool take(void *ctx, const struct syslog_kept *k)
{
	struct view *v = ctx;
	struct syslog_line l;
	if (known(v, k))
		return true;
	if (k->lost > 0) {
		struct writer w = writer_of(v->line, sizeof(v->line));
		write_fmt(&w, "{\"guest\":\"%s\",\"lost\":%llu}", k->guest,
			  (unsigned long long)k->lost);
		if (!v->json) {
			w = writer_of(v->line, sizeof(v->line));
			write_fmt(&w, "(%s: %llu lines are missing here)", k->guest,
				  (unsigned long long)k->lost);
		}
	} else {
		syslog_parse(k->raw, k->len, k->time_ns, &l);
		write_text(v, k, &l);
		if (v->pattern != NULL && regexec(&v->regex, v->line, 0, NULL, 0) != 0)
			return true;
		if (v->json)
			write_json(v, k, &l);
	}
	v->any = true;
	if (v->rows != NULL)
		keep_row(v);
	else
		puts(v->line);
	return ferror(stdout) == 0;
}

/* ---- the past, and what comes ------------------------------------------------------------------- */

static int show_past(struct view *v)
{
	v->rows = v->limit > 0 ? calloc(v->limit, sizeof(*v->rows)) : NULL;
	if (v->limit > 0 && v->rows == NULL)
		return -ENOMEM;
	int err = syslog_store_read(v->dir, v->guest, v->from_ns, v->to_ns, take, v);
	uint64_t n = v->n_rows < v->limit ? v->n_rows : v->limit;
	for (uint64_t i = v->n_rows - n; i < v->n_rows && err == 0; i++)
		if (v->rows[i % v->limit] != NULL)
			puts(v->rows[i % v->limit]);
	for (uint64_t i = 0; i < n; i++)
		free(v->rows[i]);
	free(v->rows);
	v->rows = NULL;
	return err;
}

static int follow(struct view *v)
{
	const struct timespec pause = {0, POLL_NS};
	int64_t start_ns = clock_wall_ns();
	v->following = true;
	for (;;) {
		if (fflush(stdout) != 0)
			return 0;
		nanosleep(&pause, NULL);
		/* From the guest that is furthest behind: lines of one may be written before another's. */
		v->from_ns = start_ns;
		for (uint32_t i = 0; i < v->n_last; i++) {
			struct last *o = &v->last[i];
			o->skip = o->at_time;
			if (o->time_ns < v->from_ns)
				v->from_ns = o->time_ns;
		}
		int64_t reach = clock_wall_ns() - 60 * NS_PER_SEC;
		if (v->from_ns < reach)
			v->from_ns = reach;
		int err = syslog_store_read(v->dir, v->guest, v->from_ns, 0, take, v);
		if (err != 0 && err != -ENOENT)
			return err;
	}
}

/* ---- options -------------------------------------------------------------------------------------- */

static const struct option options[] = {
	{"guest", required_argument, NULL, 'g'},
	{"since", required_argument, NULL, OPT_SINCE},
	{"until", required_argument, NULL, OPT_UNTIL},
	{"grep", required_argument, NULL, OPT_GREP},
	{"follow", no_argument, NULL, 'f'},
	{"json", no_argument, NULL, OPT_JSON},
	{"config", required_argument, NULL, 'c'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static bool set_option(struct view *v, int option, const char *value)
{
	char *end;
	switch (option) {
	case 'f':
		v->follow = true;
		return true;
	case OPT_JSON:
		v->json = true;
		return true;
	case 'g':
		v->guest = value;
		return true;
	case 'c':
		v->conf = value;
		return true;
	case OPT_GREP:
		v->pattern = value;
		return regcomp(&v->regex, value, REG_EXTENDED | REG_NOSUB) == 0;
	case OPT_SINCE:
		return cmd_parse_time(value, &v->from_ns) == 0;
	case OPT_UNTIL:
		return cmd_parse_time(value, &v->to_ns) == 0;
	default: /* 'n' */
		errno = 0;
		v->limit = strtoull(value, &end, 10);
		return value[0] >= '0' && value[0] <= '9' && *end == '\0' && errno == 0 &&
		       v->limit <= MOST_ROWS;
	}
}

/* 0: go on; 1: done; 2: bad usage. */
static int parse(int argc, char **argv, struct view *v)
{
	bool counted = false;
	int o;
	while ((o = getopt_long(argc, argv, "fg:n:c:h", options, NULL)) != -1) {
		counted |= o == 'n';
		if (o == 'h') {
			printf("%s\n%s", help, log_diff_help);
			return 1;
		}
		if (o == '?') {
			fprintf(stderr, "`skep log --help` lists the options\n");
			return 2;
		}
		if (!set_option(v, o, optarg))
			return cmd_fail(2,
					"log: '%s' is no such value; `skep log --help` says more",
					optarg);
	}
	if (optind < argc)
		return cmd_fail(2, "log: '%s' is not expected; `skep log --help` lists the options",
				argv[optind]);
	bool timed = v->from_ns != 0 || v->to_ns != 0;
	if (!counted && !timed)
		v->limit = v->follow ? 10 : DEFAULT_ROWS;
	if (!timed)
		v->from_ns = clock_wall_ns() / (86400 * NS_PER_SEC) * (86400 * NS_PER_SEC);
	return 0;
}

static int show(struct view *v)
{
	signal(SIGPIPE, SIG_DFL); /* `| head` ends us, quietly */
	int err = show_past(v);
	if (v->follow && (err == 0 || err == -ENOENT))
		err = follow(v);
	if (err == -EACCES)
		return cmd_fail(1, "%s may be read by root only: run `sudo skep log`", v->dir);
	if (err == -ENOENT)
		return cmd_fail(1,
				"no guest has sent a syslog line yet (%s); `sudo skep up` starts "
				"the honeynet",
				v->dir);
	if (err != 0)
		return cmd_fail(1, "the lines in %s can't be read: %s", v->dir, err_text(err));
	if (!v->any && !v->json)
		fprintf(stderr, "no line matches\n");
	return 0;
}

int cmd_log(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "diff") == 0)
		return log_diff(argc - 1, argv + 1);
	struct view *v = calloc(1, sizeof(*v));
	struct conf *c = calloc(1, sizeof(*c));
	int rc = v == NULL || c == NULL ? cmd_fail(1, "log: no memory") : parse(argc, argv, v);
	bool done = rc == 1;
	if (rc == 0)
		rc = cmd_conf(v->conf, c);
	if (rc == 0 && v->guest != NULL && conf_guest(c, v->guest) == NULL)
		rc = cmd_fail(2, "log: there is no guest '%s'", v->guest);
	if (rc == 0 && c->loghost.tls)
		fprintf(stderr, "skep: honeypots encrypt their syslog (loghost.tls): only what is "
				"sent in clear text is here\n");
	if (rc == 0) {
		log_dir(c, v->dir, sizeof(v->dir));
		rc = show(v);
	}
	if (v != NULL && v->pattern != NULL)
		regfree(&v->regex);
	free(c);
	free(v);
	return done ? 0 : rc;
}
