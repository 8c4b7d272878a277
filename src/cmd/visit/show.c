/* SPDX-License-Identifier: BSD-2-Clause */
/* skep sessions show: one visit for people: who, how he got in, what he did by which layer, what else belongs to it. */
#include "cmd/visit/visit.h"
#include "store/store.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define LINES_SHOWN 200u
#define FLOWS_SHOWN 30u
/* A conversation begins before its visit is known of, and is told of within a little while. */
#define INCIDENT_BEFORE_NS (600 * NS_PER_SEC)
#define INCIDENT_AFTER_NS (60 * NS_PER_SEC)

struct show {
	const char *id, *conf;
	bool json, all;
	char dir[VISIT_DIR], events[VISIT_DIR];
	struct session_row row;
	uint64_t incident;
	unsigned flows, alerts, others;
};

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s != NULL ? s : "";
}

/* The record's texts are escaped already (\xNN); what is left that a terminal must not see is escaped here. */
static void print_text(const char *s)
{
	char buf[4096];
	struct writer w = writer_of(buf, sizeof(buf));
	for (const char *at = s; *at != '\0'; at++) {
		if (*at == '\\' || (*at >= 0x20 && *at < 0x7f))
			write_fmt(&w, "%c", *at);
		else
			write_escaped(&w, at, 1);
	}
	fputs(buf, stdout);
}

static void print_member(const json_t *o, const char *key, const char *before, const char *after)
{
	const char *s = text_of(o, key);
	if (s[0] == '\0')
		return;
	fputs(before, stdout);
	print_text(s);
	fputs(after, stdout);
}

/* Of "2026-11-23T20:01:02.123456+0000" the time of day. */
static void print_clock(const json_t *o)
{
	char buf[16] = "--:--:--.---";
	const char *s = text_of(o, "time");
	if (strlen(s) > 23)
		snprintf(buf, sizeof(buf), "%.12s", s + 11);
	printf("  ");
	print_text(buf);
	printf("  ");
}

/* ---- what the record says ------------------------------------------------------------------------------- */

static void print_head(const struct show *s, const json_t *o)
{
	const struct session_row *r = &s->row;
	char id[SESSION_ID_TEXT], when[EVENT_TIME], addr[ADDR_TEXT], buf[64];
	printf("Session %s: ", session_id_text(r->id, id));
	visit_print(r->service, 0);
	printf(" at ");
	visit_print(r->guest, 0);
	if (r->peer.ver != 0)
		printf(", from %s port %u to port %u", addr_text(&r->peer, addr), r->peer_port,
		       r->server_port);
	printf("\n  began    %s UTC\n", visit_time(r->start_ns, when));
	if (r->end_ns == 0) {
		printf("  ended    not yet\n");
	} else {
		struct writer w = writer_of(buf, sizeof(buf));
		text_duration(&w, r->end_ns - r->start_ns);
		printf("  ended    %s UTC, after %s", visit_time(r->end_ns, when), buf);
		print_member(o, "why", " (", ")");
		printf("\n");
	}
	print_member(o, "heard", "  heard by ", "\n");
	print_member(o, "user", "  user     ", "\n");
	print_member(o, "secret", "  with     ", "\n");
	print_member(o, "client", "  client   ", "\n");
	print_member(o, "parent", "  within   ", "\n");
	struct writer w = writer_of(buf, sizeof(buf));
	text_bytes(&w, r->output);
	printf("  shown    %s", buf);
	w = writer_of(buf, sizeof(buf));
	text_bytes(&w, r->input);
	printf(", typed %s%s\n", buf, r->has_cast ? "" : "; nothing was recorded");
	if (r->has_cast)
		printf("           skep replay %s\n", id);
}

static void print_logins(const struct show *s, const json_t *all)
{
	size_t n = json_array_size(all), shown = 0;
	if (n > 0)
		printf("\nLogins\n");
	for (size_t i = 0; i < n; i++) {
		const json_t *o = json_array_get(all, i), *ok = json_object_get(o, "ok");
		if (!s->all && shown == 20 && !json_is_true(ok))
			continue;
		shown++;
		print_clock(o);
		print_member(o, "user", "", "");
		print_member(o, "secret", " / ", "");
		print_member(o, "method", " (", ")");
		printf("%s\n", !json_is_boolean(ok) ? ""
			       : json_is_true(ok)   ? "  accepted"
						    : "  refused");
	}
	if (shown < n)
		printf("  ... and %zu more (--all)\n", n - shown);
}

static void print_status(const json_t *o)
{
	const json_t *v = json_object_get(o, "status");
	int status = (int)json_integer_value(v);
	if (v == NULL || status == 0)
		return;
	if (WIFEXITED(status))
		printf("  -> %d", WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		printf("  -> signal %d", WTERMSIG(status));
}

/* Typed lines; what a line started stands below it, if it is not just the same words. */
static void print_commands(const struct show *s, const json_t *all)
{
	size_t n = json_array_size(all), shown = 0;
	if (n > 0)
		printf("\nCommands\n");
	for (size_t i = 0; i < n; i++) {
		const json_t *o = json_array_get(all, i);
		bool typed = json_is_true(json_object_get(o, "typed"));
		bool child = json_integer_value(json_object_get(o, "of")) > 0;
		bool own = json_is_true(json_object_get(o, "own"));
		if (!s->all && (child || own || shown == LINES_SHOWN))
			continue;
		shown++;
		print_clock(o);
		visit_print(text_of(o, "layer"), 8);
		print_member(o, "user", "", " ");
		print_member(o, "cwd", "", " ");
		printf("%s ", typed ? "$" : child ? "   +" : "!");
		print_member(o, "line", "", "");
		print_status(o);
		printf("%s\n", json_is_true(json_object_get(o, "cut")) ? " ..." : "");
	}
	if (shown < n)
		printf("  ... and %zu more, mostly programs that these started (--all)\n",
		       n - shown);
}

static void print_files(const json_t *all)
{
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *o = json_array_get(all, i);
		char size[32];
		struct writer w = writer_of(size, sizeof(size));
		json_int_t bytes = json_integer_value(json_object_get(o, "size"));
		text_bytes(&w, bytes > 0 ? (uint64_t)bytes : 0);
		if (i == 0)
			printf("\nFiles\n");
		print_clock(o);
		print_member(o, "what", "", " ");
		print_member(o, "path", "", "");
		print_member(o, "to", " > ", "");
		print_member(o, "source", " from ", "");
		printf(", %s\n", size);
		print_member(o, "sha256", "                skep files get ", "\n");
	}
}

static void print_others(const struct show *s, const json_t *hidden, const json_t *activity)
{
	for (size_t i = 0; i < json_array_size(hidden); i++) {
		const json_t *o = json_array_get(hidden, i);
		if (i == 0)
			printf("\nTyped without an echo (passwords?)\n");
		print_clock(o);
		print_member(o, "text", "", "\n");
	}
	size_t n = json_array_size(activity), most = s->all ? n : LINES_SHOWN;
	for (size_t i = 0; i < n && i < most; i++) {
		const json_t *o = json_array_get(activity, i);
		if (i == 0)
			printf("\nWhat else its processes did\n");
		print_clock(o);
		print_member(o, "what", "", " ");
		print_member(o, "comm", "by ", " ");
		print_member(o, "detail", "", " ");
		print_member(o, "addr", "to ", "");
		if (text_of(o, "addr")[0] != '\0')
			printf(" port %d", (int)json_integer_value(json_object_get(o, "port")));
		printf("\n");
	}
	if (n > most)
		printf("  ... and %zu more (--all)\n", n - most);
}

/* ---- what belongs to it -------------------------------------------------------------------------------------- */

static bool note_incident(void *ctx, uint64_t id, int64_t time_ns, const char *text)
{
	struct show *s = ctx;
	json_t *o = json_loads(text, 0, NULL);
	json_int_t v = json_integer_value(json_object_get(o, "incident"));
	(void)id;
	(void)time_ns;
	if (v > 0)
		s->incident = (uint64_t)v;
	json_decref(o);
	return s->incident == 0;
}

static void print_end(const json_t *o, const char *ip, const char *port)
{
	print_text(text_of(o, ip));
	const json_t *p = json_object_get(o, port);
	if (p != NULL)
		printf(" port %d", (int)json_integer_value(p));
}

static bool print_event(void *ctx, uint64_t id, int64_t time_ns, const char *text)
{
	struct show *s = ctx;
	json_t *o = json_loads(text, 0, NULL);
	const char *kind = text_of(o, "event_type");
	const json_t *c = json_object_get(o, "connection"), *a = json_object_get(o, "alert");
	char when[EVENT_TIME];
	(void)id;
	visit_time(time_ns, when);
	if (c != NULL && s->flows++ < FLOWS_SHOWN) {
		printf("  %s  %-8s %-7s ", when + 11, text_of(o, "direction"),
		       text_of(o, "verdict"));
		print_text(text_of(c, "proto"));
		printf(" ");
		print_end(c, "src_ip", "src_port");
		printf(" > ");
		print_end(c, "dest_ip", "dest_port");
		printf("  flow %lld\n",
		       (long long)json_integer_value(json_object_get(o, "flow_id")));
	} else if (a != NULL && s->alerts++ < FLOWS_SHOWN) {
		printf("  %s  alert    ", when + 11);
		print_text(text_of(a, "signature"));
		printf(" [%lld]\n",
		       (long long)json_integer_value(json_object_get(a, "signature_id")));
	} else if (strcmp(kind, "silence") == 0 || strcmp(kind, "mismatch") == 0) {
		printf("  %s  %-8s ", when + 11, kind);
		print_text(text_of(o, "text"));
		printf("\n");
	} else {
		s->others++;
	}
	json_decref(o);
	return true;
}

/* By its conversation, or by the ends of it where only the guest's own layers told of the visit. */
static bool find_incident(struct show *s)
{
	struct store_query q = {.flow_id = s->row.flow_id, .limit = 64};
	if (q.flow_id == 0) {
		if (s->row.peer.ver == 0 || s->row.peer_port == 0)
			return false;
		q.addr = s->row.peer;
		q.net_port = s->row.peer_port;
		q.from_ns = s->row.start_ns - INCIDENT_BEFORE_NS;
		q.to_ns = s->row.start_ns + INCIDENT_AFTER_NS;
		q.newest_first = true;
	}
	return store_search(s->events, &q, note_incident, s) == 0 && s->incident != 0;
}

static void print_incident(struct show *s)
{
	struct store_query q = {.flow_id = 0};
	if (!find_incident(s))
		return;
	printf("\nIncident %llu: its conversations, and what rules said\n",
	       (unsigned long long)s->incident);
	q = (struct store_query){.incident = s->incident};
	if (store_search(s->events, &q, print_event, s) != 0)
		return;
	if (s->flows > FLOWS_SHOWN)
		printf("  ... %u conversations in all\n", s->flows);
	printf("  skep events --incident %llu has all of it; skep pcap --incident %llu the "
	       "packets\n",
	       (unsigned long long)s->incident, (unsigned long long)s->incident);
}

static int print_session(struct show *s, const char *json_path)
{
	char *text = NULL;
	size_t len = 0;
	json_t *o = NULL;
	if (json_path[0] != '\0') {
		int err = visit_read(json_path, &text, &len);
		if (err != 0)
			return visit_unreadable(json_path, err);
		if (s->json) {
			fwrite(text, 1, len, stdout);
			free(text);
			return 0;
		}
		o = json_loadb(text, len, 0, NULL);
		free(text);
		if (o == NULL)
			return cmd_fail(1, "%s is damaged", json_path);
	}
	print_head(s, o);
	print_logins(s, json_object_get(o, "logins"));
	print_commands(s, json_object_get(o, "commands"));
	print_files(json_object_get(o, "files"));
	print_others(s, json_object_get(o, "hidden"), json_object_get(o, "activity"));
	print_incident(s);
	json_decref(o);
	return 0;
}

static const struct option options[] = {
	{"json", no_argument, NULL, 'j'},
	{"all", no_argument, NULL, 'a'},
	{"config", required_argument, NULL, 'c'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

int visit_show(int argc, char **argv)
{
	struct show *s = calloc(1, sizeof(*s));
	struct conf *conf = calloc(1, sizeof(*conf));
	struct visit_files files;
	int o, rc = s == NULL || conf == NULL ? 2 : 0;
	while (rc == 0 && (o = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (o == 'h' || o == '?')
			rc = cmd_fail(2, "usage: skep sessions show [--json] [--all] [-c FILE] ID");
		else if (o == 'c')
			s->conf = optarg;
		else if (o == 'j')
			s->json = true;
		else
			s->all = true;
	}
	if (rc == 0 && optind + 1 != argc)
		rc = cmd_fail(2, "sessions: one id is expected: `skep sessions show ID`");
	if (rc == 0)
		rc = visit_dir(s->conf, conf, s->dir);
	if (rc == 0) {
		snprintf(s->events, sizeof(s->events), "%s/events", conf->state_dir);
		rc = visit_look_up(s->dir, argv[optind], &s->row, &files);
	}
	if (rc == 0)
		rc = print_session(s, files.json);
	free(conf);
	free(s);
	return rc;
}
