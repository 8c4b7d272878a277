/* SPDX-License-Identifier: BSD-2-Clause */
/* skep sessions: who was here. Visits that only guessed passwords are told as counts. */
#include "cmd/visit/visit.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_ROWS 50
#define GUESSERS 4096u /* told apart; more are told together */
#define GUESSERS_SHOWN 10u

enum { OPT_SINCE = 256, OPT_JSON, OPT_ALL };

struct guesser {
	char guest[EVENT_NAME], service[16];
	struct addr peer;
	uint64_t visits, guesses;
};
struct list {
	const char *guest, *conf;
	int64_t from_ns;
	uint64_t most; /* newest; 0: all */
	bool json, all;
	struct session_row *rows; /* a ring of the newest `most`, or all */
	size_t n, cap, first;
	uint64_t skipped; /* older ones */
	struct guesser *guessers;
	size_t n_guessers;
	uint64_t other_visits;
	int err;
};

static const char help[] =
	"usage: skep sessions [OPTION ...]\n"
	"       skep sessions show [--json] [--all] ID\n"
	"       skep sessions export ID FOLDER|FILE.tar.gz\n"
	"Lists who was in the guests, the newest last. Visits that did nothing but guess passwords "
	"are\ncounted below the list. `show` tells all of one, `export` copies its recording and "
	"record,\n`skep replay` plays it. The beginning of an id is enough where it is unique.\n\n"
	"  -g, --guest NAME   of one guest\n"
	"      --since T      2026-11-23T20:01:02, 2026-11-23, or 10m, 2h, 3d ago\n"
	"      --all          also those that only guessed, one by one\n"
	"  -n N               the newest N (0: all); 50 unless --since is given\n"
	"      --json         one JSON object a line\n"
	"  -c, --config FILE  which honeynet\n";

static const struct option options[] = {
	{"guest", required_argument, NULL, 'g'},
	{"since", required_argument, NULL, OPT_SINCE},
	{"all", no_argument, NULL, OPT_ALL},
	{"json", no_argument, NULL, OPT_JSON},
	{"config", required_argument, NULL, 'c'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* ---- gathering ------------------------------------------------------------------------------------------- */

static bool did_nothing(const struct session_row *r)
{
	return !r->has_cast && r->commands == 0 && r->files == 0 && r->logins_ok == 0 &&
	       r->alerts == 0;
}

static void count_guesses(struct list *l, const struct session_row *r)
{
	struct guesser *g = NULL;
	for (size_t i = 0; i < l->n_guessers && g == NULL; i++)
		if (addr_eq(&l->guessers[i].peer, &r->peer) &&
		    strcmp(l->guessers[i].guest, r->guest) == 0 &&
		    strcmp(l->guessers[i].service, r->service) == 0)
			g = &l->guessers[i];
	if (g == NULL && l->n_guessers == GUESSERS) {
		l->other_visits++;
		return;
	}
	if (g == NULL) {
		g = &l->guessers[l->n_guessers++];
		text_copy(g->guest, sizeof(g->guest), r->guest);
		text_copy(g->service, sizeof(g->service), r->service);
		g->peer = r->peer;
	}
	g->visits++;
	g->guesses += r->logins_failed;
}

static bool keep(struct list *l, const struct session_row *r)
{
	if (l->most > 0 && l->n == l->most) {
		l->rows[l->first] = *r;
		l->first = (l->first + 1) % l->n;
		l->skipped++;
		return true;
	}
	if (l->n == l->cap) {
		size_t cap = l->cap > 0 ? l->cap * 2 : 64;
		struct session_row *more = realloc(l->rows, cap * sizeof(*more));
		if (more == NULL) {
			l->err = -ENOMEM;
			return false;
		}
		l->rows = more;
		l->cap = cap;
	}
	l->rows[l->n++] = *r;
	return true;
}

static bool on_row(void *ctx, const struct session_row *r)
{
	struct list *l = ctx;
	if (l->guest != NULL && strcmp(r->guest, l->guest) != 0)
		return true;
	if (!l->all && did_nothing(r)) {
		count_guesses(l, r);
		return true;
	}
	return keep(l, r);
}

/* ---- printing ---------------------------------------------------------------------------------------------- */

static void print_who(const struct session_row *r)
{
	char buf[600];
	struct writer w = writer_of(buf, sizeof(buf));
	write_escaped(&w, r->user, strlen(r->user));
	if (r->secret[0] != '\0') {
		write_str(&w, "/");
		write_escaped(&w, r->secret, strlen(r->secret));
	}
	printf("%-18s ", buf);
}

static void print_row(const struct session_row *r)
{
	char id[SESSION_ID_TEXT], when[EVENT_TIME], addr[ADDR_TEXT] = "-", buf[64];
	struct writer w = writer_of(buf, sizeof(buf));
	if (r->peer.ver != 0)
		addr_text(&r->peer, addr);
	printf("%s  %s  ", session_id_text(r->id, id), visit_time(r->start_ns, when));
	if (r->end_ns > r->start_ns)
		text_duration(&w, (r->end_ns - r->start_ns) / NS_PER_SEC * NS_PER_SEC);
	else
		write_str(&w, r->end_ns == 0 ? "open" : "0 s");
	printf("%-13s ", buf);
	visit_print(r->guest, 8);
	printf(" ");
	visit_print(r->service, 7);
	printf(" %-15s ", addr);
	print_who(r);
	w = writer_of(buf, sizeof(buf));
	text_bytes(&w, r->output);
	printf("%4u %4u  %-9s ", r->commands, r->files, buf);
	visit_print(r->heard, 0);
	if (r->alerts > 0)
		printf("  %u alerts", r->alerts);
	printf("%s\n", r->has_cast ? "" : "  (nothing to replay)");
}

static int by_visits(const void *a, const void *b)
{
	const struct guesser *x = a, *y = b;
	return x->visits != y->visits ? (x->visits < y->visits ? 1 : -1) : 0;
}

static void print_guessers(struct list *l)
{
	uint64_t visits = l->other_visits, guesses = 0;
	for (size_t i = 0; i < l->n_guessers; i++) {
		visits += l->guessers[i].visits;
		guesses += l->guessers[i].guesses;
	}
	if (visits == 0)
		return;
	qsort(l->guessers, l->n_guessers, sizeof(l->guessers[0]), by_visits);
	printf("\n%llu visits from %zu%s places did nothing, or only guessed (%llu passwords); "
	       "--all "
	       "lists them:\n",
	       (unsigned long long)visits, l->n_guessers, l->other_visits > 0 ? " and more" : "",
	       (unsigned long long)guesses);
	for (size_t i = 0; i < l->n_guessers && i < GUESSERS_SHOWN; i++) {
		const struct guesser *g = &l->guessers[i];
		char addr[ADDR_TEXT] = "-";
		if (g->peer.ver != 0)
			addr_text(&g->peer, addr);
		printf("  %-15s  ", addr);
		visit_print(g->guest, 8);
		printf(" ");
		visit_print(g->service, 7);
		printf(" %6llu visits %6llu passwords\n", (unsigned long long)g->visits,
		       (unsigned long long)g->guesses);
	}
}

static void put_text(json_t *o, const char *key, const char *text)
{
	char clean[1024];
	struct writer w = writer_of(clean, sizeof(clean));
	write_escaped(&w, text, strlen(text));
	if (text[0] != '\0')
		json_object_set_new(o, key, json_string(clean));
}

static void print_json(const struct session_row *r)
{
	char buf[EVENT_TIME], addr[ADDR_TEXT];
	json_t *o = json_object();
	json_object_set_new(o, "id", json_string(session_id_text(r->id, buf)));
	put_text(o, "guest", r->guest);
	put_text(o, "service", r->service);
	put_text(o, "heard", r->heard);
	json_object_set_new(o, "start", json_string(event_time_text(r->start_ns, buf)));
	json_object_set_new(o, "end",
			    r->end_ns == 0 ? json_null()
					   : json_string(event_time_text(r->end_ns, buf)));
	if (r->peer.ver != 0)
		put_text(o, "client_ip", addr_text(&r->peer, addr));
	json_object_set_new(o, "client_port", json_integer(r->peer_port));
	json_object_set_new(o, "server_port", json_integer(r->server_port));
	put_text(o, "user", r->user);
	put_text(o, "secret", r->secret);
	json_object_set_new(o, "logins_ok", json_integer(r->logins_ok));
	json_object_set_new(o, "logins_failed", json_integer(r->logins_failed));
	json_object_set_new(o, "commands", json_integer(r->commands));
	json_object_set_new(o, "files", json_integer(r->files));
	json_object_set_new(o, "alerts", json_integer(r->alerts));
	json_object_set_new(o, "input", json_integer((json_int_t)r->input));
	json_object_set_new(o, "output", json_integer((json_int_t)r->output));
	json_object_set_new(o, "flow_id",
			    r->flow_id != 0 ? json_integer((json_int_t)r->flow_id) : json_null());
	json_object_set_new(o, "recorded", json_boolean(r->has_cast));
	char *text = json_dumps(o, JSON_COMPACT);
	if (text != NULL)
		puts(text);
	free(text);
	json_decref(o);
}

static void print_all(struct list *l)
{
	if (!l->json && l->n > 0)
		printf("%-11s  %-19s  %-13s %-8s %-7s %-15s %-18s %4s %4s  %-9s %s\n", "ID",
		       "BEGAN (UTC)", "LASTED", "GUEST", "SERVICE", "FROM", "USER/SECRET", "CMDS",
		       "FILES", "SHOWN", "HEARD BY");
	for (size_t i = 0; i < l->n; i++) {
		const struct session_row *r = &l->rows[(l->first + i) % l->n];
		if (l->json)
			print_json(r);
		else
			print_row(r);
	}
	if (l->json)
		return;
	if (l->skipped > 0)
		printf("\n%llu older ones: -n 0 lists all, --since some\n",
		       (unsigned long long)l->skipped);
	print_guessers(l);
	if (l->n == 0 && l->n_guessers == 0)
		fprintf(stderr, "no session %s\n",
			l->from_ns != 0 || l->guest != NULL ? "matches" : "yet");
}

/* ---- options --------------------------------------------------------------------------------------------------- */

static bool set(struct list *l, int option, const char *value, bool *counted)
{
	char *end;
	switch (option) {
	case 'g':
		l->guest = value;
		return true;
	case OPT_SINCE:
		return cmd_parse_time(value, &l->from_ns) == 0;
	case OPT_ALL:
		return l->all = true;
	case OPT_JSON:
		return l->json = true;
	case 'n':
		*counted = true;
		l->most = strtoul(value, &end, 10);
		return value[0] >= '0' && value[0] <= '9' && *end == '\0' && l->most <= 1000000;
	default:
		l->conf = value;
		return true;
	}
}

static int parse(int argc, char **argv, struct list *l)
{
	bool counted = false;
	int o;
	while ((o = getopt_long(argc, argv, "g:n:c:h", options, NULL)) != -1) {
		if (o == '?') {
			fprintf(stderr, "`skep sessions --help` lists the options\n");
			return 2;
		}
		if (o == 'h') {
			fputs(help, stdout);
			return 1;
		}
		if (!set(l, o, optarg, &counted))
			return cmd_fail(2,
					"sessions: '%s' is no such value; see `skep sessions "
					"--help`",
					optarg);
	}
	if (optind < argc)
		return cmd_fail(2, "sessions: '%s' is not expected; it knows show and export",
				argv[optind]);
	if (!counted && l->from_ns == 0)
		l->most = DEFAULT_ROWS;
	return 0;
}

int visit_list(int argc, char **argv)
{
	struct list l = {0};
	struct conf *conf = calloc(1, sizeof(*conf));
	char dir[VISIT_DIR];
	int rc = conf == NULL ? 2 : parse(argc, argv, &l);
	if (rc == 0)
		rc = visit_dir(l.conf, conf, dir);
	else if (rc == 1) {
		free(conf);
		return 0;
	}
	free(conf);
	if (rc != 0)
		return rc;
	signal(SIGPIPE, SIG_DFL);
	l.guessers = calloc(GUESSERS, sizeof(*l.guessers));
	int err =
		l.guessers == NULL ? -ENOMEM : session_list(dir, l.from_ns, INT64_MAX, on_row, &l);
	if (err == 0)
		err = l.err;
	if (err == 0)
		print_all(&l);
	free(l.rows);
	free(l.guessers);
	if (err == -ENOENT)
		return cmd_fail(1, "there are no sessions yet in %s: run `sudo skep up` first",
				dir);
	return err == 0 ? 0 : visit_unreadable(dir, err);
}

int cmd_sessions(int argc, char **argv)
{
	bool asks = argc == 3 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0);
	if (asks && (strcmp(argv[1], "show") == 0 || strcmp(argv[1], "export") == 0))
		return visit_list(2, argv + 1); /* one help for all of them */
	if (argc > 1 && strcmp(argv[1], "show") == 0)
		return visit_show(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "export") == 0)
		return visit_export(argc - 1, argv + 1);
	return visit_list(argc, argv);
}
