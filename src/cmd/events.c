/* SPDX-License-Identifier: BSD-2-Clause */
/* skep events: search and follow what the store holds. */
#include "cmd/events.h"
#include "cmd/cmd.h"
#include "store/store.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_ROWS 50
#define POLL_NS (250 * NS_PER_MS)
#define LINE_TEXT 2048

enum { OPT_SINCE = 256, OPT_UNTIL, OPT_JSON, OPT_SCHEMA, OPT_FLOW, OPT_INCIDENT, OPT_COMMUNITY };

struct view {
	struct store_query q;
	char dir[CONF_PATH + 16];
	char direction[16], proto[EVENT_PROTO];
	bool json, follow, colour, any_rows;
};

struct row {
	char *json;
	uint64_t id;
	int64_t time_ns;
};
struct rows {
	struct row *all; /* the newest, newest first */
	size_t n, cap;
	uint64_t last_id;
};

static const char help[] =
	"usage: skep events [OPTION ...]\n"
	"Shows the last 50 events of today, oldest first, or those that match.\n\n"
	"  -f, --follow           go on showing what happens\n"
	"  -k, --kind K           connection, limit, guest, health, incident, sink, containment, "
	"flow, anomaly,\n"
	"                         stats, alert, drop, session, command, login, syslog, file, "
	"process,\n"
	"                         silence, mismatch, escape, notice, seal\n"
	"  -D, --direction D      inbound, outbound or lateral\n"
	"  -V, --verdict V        forward, limit, drop, reject ...\n"
	"  -g, --guest NAME       the guest concerned\n"
	"  -a, --addr ADDRESS     either end, as seen outside or inside\n"
	"  -p, --port N           either end\n"
	"  -P, --proto P          tcp, udp, icmp, icmp6 ...\n"
	"      --flow ID          one conversation\n"
	"      --incident ID      everything of one incident\n"
	"      --community-id X   one conversation, by its Community ID\n"
	"      --since T          2026-11-23T20:01:02, 2026-11-23, or 10m, 2h, 3d ago\n"
	"      --until T          likewise\n"
	"  -n N                   at most the newest N (0: all); 50 unless a time is given\n"
	"      --json             the events as stored, one a line\n"
	"      --schema           the JSON Schema of skep.json\n"
	"  -c, --config FILE      which honeynet\n";

/* ---- a line for people --------------------------------------------------------------------------- */

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s != NULL ? s : "";
}

void events_end(struct writer *w, const json_t *o, const char *ip, const char *port)
{
	const char *addr = text_of(o, ip);
	const json_t *p = json_object_get(o, port);
	bool v6 = strchr(addr, ':') != NULL && p != NULL;
	if (v6)
		write_str(w, "[");
	write_escaped(w, addr, strlen(addr));
	if (v6)
		write_str(w, "]");
	if (p != NULL)
		write_fmt(w, ":%lld", (long long)json_integer_value(p));
}

/* " TCP 198.51.100.66:40000 > 203.0.113.10:22" */
static void write_tuple(struct writer *w, const json_t *o)
{
	const char *proto = text_of(o, "proto");
	if (text_of(o, "src_ip")[0] == '\0')
		return;
	write_fmt(w, " ");
	write_escaped(w, proto, strlen(proto));
	write_str(w, " ");
	events_end(w, o, "src_ip", "src_port");
	write_str(w, " > ");
	events_end(w, o, "dest_ip", "dest_port");
}

static long long count_of(const json_t *o, const char *group, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(o, group), key));
}

/* EVE lines have no sentence of their own. */
static void write_eve(struct writer *w, const json_t *o, const char *kind)
{
	const json_t *body = json_object_get(o, kind);
	if (strcmp(kind, "flow") == 0) {
		write_fmt(w, "%s, %lld packets ", text_of(body, "state"),
			  count_of(o, kind, "pkts_toserver") + count_of(o, kind, "pkts_toclient"));
		text_bytes(w, (uint64_t)(count_of(o, kind, "bytes_toserver") +
					 count_of(o, kind, "bytes_toclient")));
		write_fmt(w, " in %lld s", count_of(o, kind, "age"));
	} else if (strcmp(kind, "anomaly") == 0) {
		const char *name = text_of(body, "event");
		write_escaped(w, name, strlen(name));
	} else if (strcmp(kind, "alert") == 0) {
		const char *name = text_of(body, "signature"), *action = text_of(body, "action");
		write_escaped(w, name, strlen(name));
		write_fmt(w, " [%lld:%lld:%lld] ", count_of(o, kind, "gid"),
			  count_of(o, kind, "signature_id"), count_of(o, kind, "rev"));
		write_escaped(w, action, strlen(action));
	} else if (strcmp(kind, "drop") == 0) {
		write_fmt(w, "%lld bytes", count_of(o, kind, "len"));
	} else if (strcmp(kind, "stats") == 0) {
		write_fmt(w, "%lld packets seen, %lld let through, %lld stopped; %lld flows open",
			  count_of(body, "decoder", "pkts"), count_of(body, "ips", "accepted"),
			  count_of(body, "ips", "blocked"), count_of(body, "flow", "active"));
	}
}

static const char *colour_of(const char *verdict)
{
	if (strcmp(verdict, "forward") == 0)
		return "\033[32m";
	if (strcmp(verdict, "limit") == 0)
		return "\033[33m";
	return verdict[0] != '\0' ? "\033[31m" : "";
}

static void print_line(const struct view *v, uint64_t id, int64_t time_ns, const json_t *o)
{
	char buf[LINE_TEXT], when[EVENT_TIME];
	struct writer w = writer_of(buf, sizeof(buf));
	const char *kind = text_of(o, "event_type"), *verdict = text_of(o, "verdict");
	const char *direction = text_of(o, "direction"), *text = text_of(o, "text");
	bool incident = strcmp(kind, "incident") == 0;
	const json_t *body = json_object_get(o, incident ? "activity" : kind);
	const char *guest = text_of(body, "guest");
	event_time_text(time_ns, when);
	when[23] = '\0'; /* milliseconds are enough for people */
	const char *on = v->colour ? colour_of(verdict) : "", *off = on[0] != '\0' ? "\033[0m" : "";
	write_escaped(&w, guest, strlen(guest));
	printf("%s %-10s %-8s %s%-7s%s %-10s", when, kind, direction, on, verdict, off, buf);
	w = writer_of(buf, sizeof(buf));
	/* The sentence of a connection names its ends; nothing else need be said twice. */
	if (text[0] == '\0' || strcmp(kind, "connection") != 0)
		write_tuple(&w, strcmp(kind, "connection") == 0 ? body : o);
	write_str(&w, " ");
	if (strcmp(kind, "sink") == 0) {
		const char *service = text_of(body, "service"), *what = text_of(body, "what");
		write_escaped(&w, service, strlen(service));
		write_str(&w, " ");
		write_escaped(&w, what, strlen(what));
		write_str(&w, ": ");
	}
	if (!events_inside(&w, body, kind, text))
		write_escaped(&w, text, strlen(text));
	if (json_object_get(o, "text") == NULL)
		write_eve(&w, o, kind);
	if (strcmp(kind, "alert") == 0) /* for `skep pcap --alert` */
		write_fmt(&w, " #%llu", (unsigned long long)id);
	printf("%s\n", buf);
}

static void show(struct view *v, uint64_t id, int64_t time_ns, const char *json)
{
	v->any_rows = true;
	if (v->json) {
		puts(json);
		return;
	}
	json_t *o = json_loads(json, 0, NULL);
	if (o != NULL)
		print_line(v, id, time_ns, o);
	json_decref(o);
}

/* ---- searching ------------------------------------------------------------------------------------ */

static bool keep_row(void *ctx, uint64_t id, int64_t time_ns, const char *json)
{
	struct rows *r = ctx;
	if (id > r->last_id)
		r->last_id = id;
	if (r->n == r->cap) {
		size_t cap = r->cap > 0 ? r->cap * 2 : 64;
		struct row *more = realloc(r->all, cap * sizeof(*more));
		if (more == NULL)
			return false;
		r->all = more;
		r->cap = cap;
	}
	r->all[r->n].json = strdup(json);
	r->all[r->n].time_ns = time_ns;
	r->all[r->n].id = id;
	if (r->all[r->n].json == NULL)
		return false;
	r->n++;
	return true;
}

struct stream {
	struct view *view;
	uint64_t last_id;
};

static bool show_row(void *ctx, uint64_t id, int64_t time_ns, const char *json)
{
	struct stream *s = ctx;
	if (id > s->last_id)
		s->last_id = id;
	show(s->view, id, time_ns, json);
	return ferror(stdout) == 0;
}

/* The newest rows, shown oldest first; all of them go straight out. */
static int show_past(struct view *v, uint64_t *last_id)
{
	struct rows rows = {0};
	struct stream stream = {v, 0};
	v->q.newest_first = v->q.limit > 0;
	int err = v->q.newest_first ? store_search(v->dir, &v->q, keep_row, &rows)
				    : store_search(v->dir, &v->q, show_row, &stream);
	for (size_t i = rows.n; i > 0; i--) {
		if (err == 0)
			show(v, rows.all[i - 1].id, rows.all[i - 1].time_ns, rows.all[i - 1].json);
		free(rows.all[i - 1].json);
	}
	free(rows.all);
	*last_id = rows.last_id > stream.last_id ? rows.last_id : stream.last_id;
	return err;
}

static int follow(struct view *v, uint64_t last_id)
{
	const struct timespec pause = {0, POLL_NS};
	struct stream stream = {v, last_id};
	/* The id grows with time in microseconds, so "from now on" needs no event to start from. */
	if (last_id == 0)
		stream.last_id = (uint64_t)clock_wall_ns() / 1000;
	v->q.newest_first = false;
	v->q.limit = 0;
	for (;;) {
		/* Days before this cannot hold what is new. */
		v->q.from_ns = clock_wall_ns() - 86400 * NS_PER_SEC;
		v->q.after_id = stream.last_id;
		int err = store_search(v->dir, &v->q, show_row, &stream);
		/* The day is just changing, or ledger just restarts: look again. */
		if (err != 0 && err != -EBUSY && err != -ENOENT && err != -EACCES)
			return err;
		if (fflush(stdout) != 0)
			return 0;
		nanosleep(&pause, NULL);
	}
}

/* ---- options -------------------------------------------------------------------------------------- */

static bool parse_number(const char *s, uint64_t most, uint64_t *ret)
{
	char *end;
	errno = 0;
	unsigned long long v = strtoull(s, &end, 10);
	if (s[0] < '0' || s[0] > '9' || *end != '\0' || errno != 0 || v > most)
		return false;
	*ret = v;
	return true;
}

static bool known_kind(const char *s)
{
	for (int k = EVENT_CONNECTION; k < EVENT_KINDS; k++)
		if (strcmp(event_kind_text((enum event_kind)k), s) == 0)
			return true;
	return false;
}

static bool known_verdict(const char *s)
{
	for (int i = 0; i < VERDICTS; i++)
		if (strcmp(verdict_text((enum verdict)i), s) == 0)
			return true;
	return false;
}

static bool set_direction(struct view *v, const char *s)
{
	for (int d = DIR_INBOUND; d <= DIR_LATERAL; d++) {
		const char *word = direction_text((enum event_direction)d);
		if (strcasecmp(word, s) != 0)
			continue;
		text_copy(v->direction, sizeof(v->direction), word);
		v->q.direction = v->direction;
		return true;
	}
	return false;
}

static bool set_proto(struct view *v, const char *s)
{
	if (strcasecmp(s, "icmp6") == 0 || strcasecmp(s, "icmpv6") == 0)
		s = "IPv6-ICMP";
	v->q.proto = v->proto;
	return text_copy(v->proto, sizeof(v->proto), s);
}

static bool set_number(int option, uint64_t n, struct view *v)
{
	switch (option) {
	case 'p':
		v->q.net_port = (uint16_t)n;
		return n > 0 && n < 65536;
	case OPT_FLOW:
		v->q.flow_id = n;
		return n > 0;
	case OPT_INCIDENT:
		v->q.incident = n;
		return n > 0;
	default: /* 'n' */
		v->q.limit = (uint32_t)n;
		return n <= UINT32_MAX;
	}
}

/* false: the value is no good. */
static bool set_option(int option, const char *value, struct view *v, const char **conf)
{
	uint64_t n;
	switch (option) {
	case 'k':
		v->q.kind = value;
		return known_kind(value);
	case 'D':
		return set_direction(v, value);
	case 'V':
		v->q.verdict = value;
		return known_verdict(value);
	case 'g':
		v->q.guest = value;
		return true;
	case 'a':
		return addr_parse(value, &v->q.addr) == 0;
	case 'P':
		return set_proto(v, value);
	case OPT_COMMUNITY:
		v->q.community_id = value;
		return strncmp(value, "1:", 2) == 0;
	case OPT_SINCE:
		return cmd_parse_time(value, &v->q.from_ns) == 0;
	case OPT_UNTIL:
		return cmd_parse_time(value, &v->q.to_ns) == 0;
	case 'c':
		*conf = value;
		return true;
	default:
		return parse_number(value, UINT64_C(1) << 53, &n) && set_number(option, n, v);
	}
}

static const struct option options[] = {
	{"follow", no_argument, NULL, 'f'},
	{"kind", required_argument, NULL, 'k'},
	{"direction", required_argument, NULL, 'D'},
	{"verdict", required_argument, NULL, 'V'},
	{"guest", required_argument, NULL, 'g'},
	{"addr", required_argument, NULL, 'a'},
	{"port", required_argument, NULL, 'p'},
	{"proto", required_argument, NULL, 'P'},
	{"flow", required_argument, NULL, OPT_FLOW},
	{"incident", required_argument, NULL, OPT_INCIDENT},
	{"community-id", required_argument, NULL, OPT_COMMUNITY},
	{"since", required_argument, NULL, OPT_SINCE},
	{"until", required_argument, NULL, OPT_UNTIL},
	{"json", no_argument, NULL, OPT_JSON},
	{"schema", no_argument, NULL, OPT_SCHEMA},
	{"config", required_argument, NULL, 'c'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* 0: go on; 1: done; 2: bad usage. */
static int parse(int argc, char **argv, struct view *v, const char **conf)
{
	bool counted = false;
	int o;
	while ((o = getopt_long(argc, argv, "fk:D:V:g:a:p:P:n:c:h", options, NULL)) != -1) {
		if (o == '?') {
			fprintf(stderr, "`skep events --help` lists the options\n");
			return 2;
		}
		counted |= o == 'n';
		if (o == 'h' || o == OPT_SCHEMA) {
			fputs(o == 'h' ? help : event_schema(), stdout);
			return 1;
		}
		if (o == 'f')
			v->follow = true;
		else if (o == OPT_JSON)
			v->json = true;
		else if (!set_option(o, optarg, v, conf))
			return cmd_fail(2,
					"events: '%s' is no such value; `skep events --help` "
					"says what can be asked",
					optarg);
	}
	if (optind < argc)
		return cmd_fail(2,
				"events: '%s' is not expected; `skep events --help` lists the "
				"options",
				argv[optind]);
	bool timed = v->q.from_ns != 0 || v->q.to_ns != 0;
	if (!counted && !timed)
		v->q.limit = v->follow ? 10 : DEFAULT_ROWS;
	if (!timed && v->q.flow_id == 0 && v->q.incident == 0 && v->q.community_id == NULL)
		v->q.from_ns = clock_wall_ns() / (86400 * NS_PER_SEC) * (86400 * NS_PER_SEC);
	return 0;
}

static int fail(const struct view *v, int err)
{
	if (err == -ENOENT)
		return cmd_fail(1, "there are no events yet in %s: run `sudo skep up` first",
				v->dir);
	if (err == -EACCES)
		return cmd_fail(1, "%s may be read by root only: run `sudo skep events`", v->dir);
	return cmd_fail(1, "the events in %s can't be read: %s", v->dir, err_text(err));
}

int cmd_events(int argc, char **argv)
{
	struct view v = {0};
	struct conf *conf = calloc(1, sizeof(*conf));
	const char *path = NULL;
	uint64_t last_id = 0;
	int rc = conf == NULL ? 2 : parse(argc, argv, &v, &path);
	if (rc == 0)
		rc = cmd_conf(path, conf);
	else if (rc == 1) {
		free(conf);
		return 0;
	}
	if (rc == 0)
		snprintf(v.dir, sizeof(v.dir), "%s/events", conf->state_dir);
	free(conf);
	if (rc != 0)
		return rc;
	signal(SIGPIPE, SIG_DFL); /* `| head` ends us, quietly */
	v.colour = cmd_colour();
	int err = show_past(&v, &last_id);
	if (err == 0 && v.follow)
		err = follow(&v, last_id);
	if (err != 0)
		return fail(&v, err);
	if (!v.any_rows && !v.json)
		fprintf(stderr, "no event matches\n");
	return 0;
}
