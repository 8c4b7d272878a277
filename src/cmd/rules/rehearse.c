/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skep rules rehearse: what would these rules have done to that traffic? A capture goes through two
 * inspections in step, one with the rules of today and one with the new ones, both inline; where they
 * part is told conversation by conversation.
 */
#include "capture/capture.h"
#include "cmd/rules/rules.h"
#include "cmd/rules/ruleset.h"
#include "inspect/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN 200u /* conversations that are printed; the rest is counted */
#define PROGRESS_EVERY 65536u

static const char help[] =
	"usage: skep rules rehearse -r CAPTURE ... -S NEW ... [--old RULES ...] [OPTION ...]\n"
	"What would the rules NEW have done to the traffic of a capture, and what did the old ones "
	"do?\n"
	"Prints each conversation whose fate differs: stopped, changed, or let go.\n\n"
	"  -r, --read FILE ...    pcap or pcapng; \"-\": standard input. Of a honeynet's own "
	"captures\n"
	"                         take one port, where addresses are the guest's:\n"
	"                         skep pcap -i web1 -o - | skep rules rehearse -r - -S NEW\n"
	"  -S, --rules FILE ...   the new rules: files, or folders with *.rules and *.config in "
	"them\n"
	"      --old FILE ...     the rules to hold them against (default: none)\n"
	"  -c, --config FILE      variables, as for `skep inspect`\n"
	"      --json             for programs\n\n"
	"Exit code 0: nothing would have changed; 1: something would; 2: bad usage, or what was to "
	"be\n"
	"read could not be.\n";

struct fate { /* of one conversation under one set */
	bool stopped, changed;
	uint32_t rule;    /* that did it first */
	uint64_t packet;  /* number in the capture; 0: nothing was done */
	uint64_t packets; /* stopped or changed */
};

struct talk { /* one conversation; in a list of its own, found by its key */
	struct addr addr[2];
	uint16_t port[2];
	uint8_t proto, app;
	int64_t begin_ns;
	struct fate fate[2]; /* old, new */
	struct talk *next;
};

struct side { /* one of the two sets */
	struct ruleset_paths paths;
	struct ruleset loaded;
	struct inspect *inspect;
	struct rehearsal *all;
	const struct stream_flow *flow; /* of the frame in hand, from its last alert */
	uint32_t rule;
	bool acted;
};

#define BUCKETS 16384u
struct rehearsal {
	struct ruleset_paths captures;
	const char *conf;
	bool json;
	struct ruleset_vars vars;
	struct side side[2];
	struct talk *bucket[BUCKETS];
	uint64_t frames, packets[2], flows;
};

/* ---- conversations ---------------------------------------------------------------------------- */

static uint32_t bucket_of(const struct talk *k)
{
	uint32_t h = 2166136261u;
	for (unsigned d = 0; d < 2; d++) {
		uint32_t one = 2166136261u;
		for (size_t i = 0; i < sizeof(k->addr[d].b); i++)
			one = (one ^ k->addr[d].b[i]) * 16777619u;
		h += (one ^ k->port[d]) * 16777619u; /* the same both ways */
	}
	return (h ^ k->proto) % BUCKETS;
}

static bool same_ends(const struct talk *a, const struct talk *b)
{
	for (unsigned turn = 0; turn < 2; turn++)
		if (addr_eq(&a->addr[0], &b->addr[turn]) && addr_eq(&a->addr[1], &b->addr[!turn]) &&
		    a->port[0] == b->port[turn] && a->port[1] == b->port[!turn])
			return a->proto == b->proto;
	return false;
}

/* The conversation of a frame; made when it is new. NULL: no memory. */
static struct talk *talk_of(struct rehearsal *r, const struct talk *key)
{
	uint32_t h = bucket_of(key);
	for (struct talk *t = r->bucket[h]; t != NULL; t = t->next)
		if (same_ends(t, key))
			return t;
	struct talk *t = malloc(sizeof(*t));
	if (t == NULL)
		return NULL;
	*t = *key;
	t->next = r->bucket[h];
	r->bucket[h] = t;
	r->flows++;
	return t;
}

static void key_of(const struct pkt *p, struct talk *ret)
{
	*ret = (struct talk){.proto = p->proto, .begin_ns = p->stamp_ns};
	ret->addr[0] = p->src;
	ret->addr[1] = p->dst;
	ret->port[0] = p->sport;
	ret->port[1] = p->dport;
}

/* ---- the inspections -------------------------------------------------------------------------- */

static void on_alert(void *ctx, const struct inspect_alert *a)
{
	struct side *s = ctx;
	if (s->acted)
		return;
	s->acted = a->hit.action != ACTION_ALERT && a->hit.action != ACTION_PASS;
	s->rule = a->hit.rule;
	s->flow = a->flow;
}

static void note(struct side *s, struct talk *t, unsigned which, enum rule_action action)
{
	struct fate *f = &t->fate[which];
	if (action == ACTION_ALERT)
		return;
	if (f->packet == 0) {
		f->packet = s->all->frames;
		f->rule = s->acted ? s->rule : UINT32_MAX;
	}
	f->packets++;
	f->stopped |= action != ACTION_REWRITE;
	f->changed |= action == ACTION_REWRITE;
	s->all->packets[which]++;
}

/* Both sets see the frame; what either does is noted with its conversation. */
static int one_frame(struct rehearsal *r, struct dissect *d, const struct capture_frame *f)
{
	struct pkt p[DISSECT_PKTS];
	struct talk key;
	enum rule_action action[2] = {ACTION_ALERT, ACTION_ALERT};
	r->frames++;
	for (unsigned i = 0; i < 2; i++) {
		struct side *s = &r->side[i];
		s->acted = false;
		if (s->inspect != NULL)
			action[i] = inspect_frame(s->inspect, f->link, f->data, f->len, f->wire_len,
						  f->stamp_ns);
	}
	if (action[0] == ACTION_ALERT && action[1] == ACTION_ALERT)
		return 0;
	(void)dissect_frame(d, f->link, f->data, f->len, f->wire_len, f->stamp_ns, r->frames, p);
	key_of(&p[0], &key);
	struct talk *t = talk_of(r, &key);
	if (t == NULL)
		return -ENOMEM;
	note(&r->side[0], t, 0, action[0]);
	note(&r->side[1], t, 1, action[1]);
	return 0;
}

static int read_capture(struct rehearsal *r, struct dissect *d, const char *path)
{
	bool standard = strcmp(path, "-") == 0;
	struct capture_reader *reader = NULL;
	struct capture_frame f;
	CLEANUP(fd_close)
	int fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int err = fd < 0 ? -errno : capture_open_any(fd, &reader);
	while (err == 0 && (err = capture_next_any(reader, &f)) == 0) {
		err = one_frame(r, d, &f);
		if (r->frames % PROGRESS_EVERY == 0 && isatty(STDERR_FILENO))
			fprintf(stderr, "\rskep rules rehearse: %llu packets\033[K",
				(unsigned long long)r->frames);
	}
	capture_reader_free(&reader);
	if (r->frames >= PROGRESS_EVERY && isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	if (err == SKEP_ENOTFOUND)
		return 0;
	cmd_fail(2, "rules: %s: %s, after packet %llu", path, err_text(err),
		 (unsigned long long)r->frames);
	return err;
}

static int make_side(struct rehearsal *r, struct side *s)
{
	char cache[4096];
	s->all = r;
	if (s->paths.n == 0)
		return 0;
	bool cached = ruleset_cache_dir(cache, sizeof(cache));
	s->loaded.most = SHOWN;
	int code = ruleset_load(&s->loaded, "rules", &s->paths, &r->vars, cached ? cache : NULL);
	if (code != 0)
		return code;
	struct inspect_conf conf = {.dissect = {.inline_mode = true},
				    .stream = {.inline_mode = true, .depth = UINT64_MAX},
				    .engine = {.inline_mode = true},
				    .rules = s->loaded.set,
				    .sink = {.alert = on_alert, .ctx = s}};
	int err = inspect_create(&conf, &s->inspect);
	return err != 0 ? cmd_fail(2, "rules: %s", err_text(err)) : 0;
}

/* ---- the verdict ------------------------------------------------------------------------------- */

static const char *fate_text(const struct fate *f)
{
	return f->stopped ? "stopped" : f->changed ? "changed" : "let go";
}

static bool differs(const struct talk *t)
{
	const struct fate *a = &t->fate[0], *b = &t->fate[1];
	return a->stopped != b->stopped || a->changed != b->changed ||
	       (b->packet != 0 && a->packet != b->packet);
}

static int by_begin(const void *a, const void *b)
{
	const struct talk *const *x = a, *const *y = b;
	return (*x)->begin_ns < (*y)->begin_ns ? -1 : (*x)->begin_ns > (*y)->begin_ns;
}

/* Those whose fate differs, in order of time; the caller frees the array. */
static struct talk **collect(const struct rehearsal *r, size_t *ret_n)
{
	struct talk **all = calloc(r->flows + 1, sizeof(*all));
	size_t n = 0;
	for (uint32_t h = 0; all != NULL && h < BUCKETS; h++)
		for (struct talk *t = r->bucket[h]; t != NULL; t = t->next)
			if (differs(t))
				all[n++] = t;
	if (n > 1)
		qsort(all, n, sizeof(*all), by_begin);
	*ret_n = n;
	return all;
}

/* The rule that decided: of the new set, or, where that lets go, of the old one. */
static const struct fate *decider(const struct rehearsal *r, const struct talk *t,
				  struct rule_info *info)
{
	unsigned which = t->fate[1].packet != 0 ? 1 : 0;
	const struct fate *f = &t->fate[which];
	*info = (struct rule_info){.sid = 0};
	if (f->rule != UINT32_MAX && r->side[which].loaded.set != NULL)
		rule_set_info(r->side[which].loaded.set, f->rule, info);
	return f;
}

static void print_talk(const struct rehearsal *r, const struct talk *t)
{
	char a[ADDR_TEXT], b[ADDR_TEXT], proto[EVENT_PROTO], msg[256], begin[EVENT_TIME];
	struct rule_info info;
	const struct fate *f = decider(r, t, &info);
	struct writer w = writer_of(msg, sizeof(msg));
	if (info.msg != NULL)
		write_escaped(&w, info.msg, strlen(info.msg));
	printf("%s %s %s:%u -> %s:%u\n", event_time_text(t->begin_ns, begin),
	       event_proto_text(t->proto, proto), addr_text(&t->addr[0], a), t->port[0],
	       addr_text(&t->addr[1], b), t->port[1]);
	printf("    %s -> %s from packet %llu on, %llu packets", fate_text(&t->fate[0]),
	       fate_text(&t->fate[1]), (unsigned long long)f->packet,
	       (unsigned long long)f->packets);
	printf(info.sid != 0 ? ": %u %s\n" : "%.0u%s\n", info.sid, msg);
}

static json_t *talk_json(const struct rehearsal *r, const struct talk *t)
{
	char a[ADDR_TEXT], b[ADDR_TEXT], proto[EVENT_PROTO], msg[256], begin[EVENT_TIME];
	struct rule_info info;
	const struct fate *f = decider(r, t, &info);
	struct writer w = writer_of(msg, sizeof(msg));
	if (info.msg != NULL)
		write_escaped(&w, info.msg, strlen(info.msg));
	return json_pack("{s:s,s:s,s:s,s:i,s:s,s:i,s:s,s:s,s:I,s:I,s:I,s:s}", "timestamp",
			 event_time_text(t->begin_ns, begin), "proto",
			 event_proto_text(t->proto, proto), "src_ip", addr_text(&t->addr[0], a),
			 "src_port", t->port[0], "dest_ip", addr_text(&t->addr[1], b), "dest_port",
			 t->port[1], "old", fate_text(&t->fate[0]), "new", fate_text(&t->fate[1]),
			 "packet", (json_int_t)f->packet, "packets", (json_int_t)f->packets, "sid",
			 (json_int_t)info.sid, "msg", msg);
}

static int tell(const struct rehearsal *r)
{
	size_t n, stopped = 0, changed = 0, let_go = 0;
	struct talk **all = collect(r, &n);
	json_t *list = r->json ? json_array() : NULL;
	if (all == NULL)
		return cmd_fail(2, "rules: out of memory");
	for (size_t i = 0; i < n; i++) {
		const struct fate *f = &all[i]->fate[1];
		stopped += f->stopped;
		changed += !f->stopped && f->changed;
		let_go += !f->stopped && !f->changed;
		if (list != NULL)
			json_array_append_new(list, talk_json(r, all[i]));
		else if (i < SHOWN)
			print_talk(r, all[i]);
	}
	free(all);
	if (list != NULL) {
		json_t *o = json_pack(
			"{s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "packets", (json_int_t)r->frames,
			"packets_acted_on_old", (json_int_t)r->packets[0], "packets_acted_on_new",
			(json_int_t)r->packets[1], "stopped", (json_int_t)stopped, "changed",
			(json_int_t)changed, "let_go", (json_int_t)let_go, "conversations", list);
		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(o);
	} else {
		if (n > SHOWN)
			printf("... and %zu more\n", n - SHOWN);
		printf("%llu packets: the old rules act on %llu, the new ones on %llu. Of %zu "
		       "conversations with another fate %zu are stopped, %zu changed, %zu let go\n",
		       (unsigned long long)r->frames, (unsigned long long)r->packets[0],
		       (unsigned long long)r->packets[1], n, stopped, changed, let_go);
	}
	return n > 0 ? 1 : 0;
}

/* ---- usage ------------------------------------------------------------------------------------- */

static const struct option options[] = {
	{"read", required_argument, NULL, 'r'},
	{"rules", required_argument, NULL, 'S'},
	{"old", required_argument, NULL, 'o'},
	{"config", required_argument, NULL, 'c'},
	{"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int add(struct rehearsal *r, int list, const char *path)
{
	static const char *const rules[] = {".rules", ".config", NULL};
	static const char *const captures[] = {".pcap", ".pcapng", ".cap", NULL};
	int err;
	if (list == 'r')
		err = strcmp(path, "-") == 0 ? ruleset_add_file(&r->captures, path)
					     : ruleset_add(&r->captures, path, captures);
	else
		err = ruleset_add(&r->side[list == 'S'].paths, path, rules);
	if (err == SKEP_ENOTFOUND)
		return cmd_fail(2, "rules: %s: nothing of that kind in this folder", path);
	return err != 0 ? cmd_fail(2, "rules: %s: %s", path, err_text(err)) : 0;
}

/* -1: go on; else the exit code. Words without an option belong to the one before them. */
static int parse(struct rehearsal *r, int argc, char **argv)
{
	int option, list = 0, code = 0;
	optind = 1;
	while (code == 0 && (option = getopt_long(argc, argv, "-r:S:c:h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (option == '?' || (option == 1 && list == 0))
			return cmd_fail(2, "rules: `skep rules rehearse --help` lists the options");
		if (option == 'c') {
			r->conf = optarg;
		} else if (option == 'j') {
			r->json = true;
		} else {
			list = option == 1 ? list : option;
			code = add(r, list, optarg);
		}
	}
	if (code == 0 && (r->captures.n == 0 || r->side[1].paths.n == 0))
		return cmd_fail(2, "rules: rehearse wants a capture (-r) and new rules (-S)");
	return code != 0 ? code : -1;
}

static int run(struct rehearsal *r)
{
	struct dissect *d = NULL;
	int code = ruleset_vars_read("rules", r->conf, &r->vars);
	for (unsigned i = 0; code == 0 && i < 2; i++)
		code = make_side(r, &r->side[i]);
	if (code != 0)
		return code == 1 ? 2 : code;
	int err = dissect_create(&(struct dissect_conf){.inline_mode = true}, &d);
	for (size_t i = 0; err == 0 && i < r->captures.n; i++)
		err = read_capture(r, d, r->captures.path[i]);
	dissect_free(&d);
	return err != 0 ? 2 : tell(r);
}

int rules_rehearse(int argc, char **argv)
{
	struct rehearsal *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return cmd_fail(2, "rules: out of memory");
	int code = parse(r, argc, argv);
	if (code < 0)
		code = run(r);
	for (unsigned i = 0; i < 2; i++) {
		inspect_free(&r->side[i].inspect);
		ruleset_free(&r->side[i].loaded);
		ruleset_paths_free(&r->side[i].paths);
	}
	for (uint32_t h = 0; h < BUCKETS; h++)
		while (r->bucket[h] != NULL) {
			struct talk *t = r->bucket[h];
			r->bucket[h] = t->next;
			free(t);
		}
	ruleset_vars_free(&r->vars);
	ruleset_paths_free(&r->captures);
	free(r);
	return code;
}
