/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skep prove: gets the throw-away port from super, lets src/prove do the proof, and prints the table. The
 * port lives as long as the connection to super.
 */
#include "prove/prove.h"
#include "cmd/cmd.h"
#include "judge/judge.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX 32768u
#define ONLY_MAX 96u
#define PATIENCE_S 30
#define EXIT_LEAK 1
#define EXIT_NOT_RUN 2

struct options {
	const char *conf, *dir, *only[ONLY_MAX];
	size_t n_only;
	bool list, json, rules, roach_motel;
	const char *class;
	struct addr sink, sink6;
};

static void help(void)
{
	printf("usage: skep prove [-c FILE] [-o DIR] [--only NAME]... [--json] [--sink ADDR] "
	       "[--rules]\n"
	       "       skep prove --list\n\n"
	       "Proves on the running honeynet that containment holds: sends what must not pass "
	       "from "
	       "a throw-away\nguest port, listens outside and at the other guests, and prints "
	       "promise "
	       "by promise what was sent,\nwhat arrived and what may. A guard on the uplink stops "
	       "all "
	       "of it, leak or not.\n\n"
	       "  -o DIR       captures of both sides (pcapng) go to DIR\n"
	       "  --only NAME  this case alone (again for more)\n"
	       "  --list       the cases\n"
	       "  --json       the table for programs\n"
	       "  --sink ADDR  target of what is allowed, instead of a documentation address (v4, "
	       "v6)\n"
	       "  --rules      the marker rule is loaded: what passes it is a leak, not a skip\n"
	       "  --class NAME the guest is of this class, or is treated as the guest of this "
	       "name\n"
	       "  --roach-motel  ... and a roach motel: nothing at all may begin\n\n"
	       "Exit status: 0 all held, 1 a leak, 2 it could not be run or what is allowed did "
	       "not "
	       "pass.\n");
}

static int take_sink(struct options *o, const char *text)
{
	struct addr a;
	if (addr_parse(text, &a) != 0)
		return cmd_fail(EXIT_NOT_RUN, "prove: --sink %s is not an address", text);
	*(a.ver == 6 ? &o->sink6 : &o->sink) = a;
	return 0;
}

static int take_only(struct options *o, const char *name)
{
	const char *promise, *known;
	for (size_t i = 0; (known = prove_case(i, &promise)) != NULL; i++)
		if (strcmp(known, name) == 0 && o->n_only < ONLY_MAX) {
			o->only[o->n_only++] = known;
			return 0;
		}
	return cmd_fail(EXIT_NOT_RUN, "prove: no case is called '%s'; `skep prove --list` has them",
			name);
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
					      {"output", required_argument, NULL, 'o'},
					      {"only", required_argument, NULL, 'y'},
					      {"list", no_argument, NULL, 'l'},
					      {"json", no_argument, NULL, 'j'},
					      {"sink", required_argument, NULL, 's'},
					      {"rules", no_argument, NULL, 'r'},
					      {"class", required_argument, NULL, 'k'},
					      {"roach-motel", no_argument, NULL, 'm'},
					      {"help", no_argument, NULL, 'h'},
					      {NULL, 0, NULL, 0}};
	int code = 0;
	for (int ch; code == 0 && (ch = getopt_long(argc, argv, "c:o:h", longs, NULL)) != -1;) {
		if (ch == 'c') {
			o->conf = optarg;
		} else if (ch == 'o') {
			o->dir = optarg;
		} else if (ch == 'y') {
			code = take_only(o, optarg);
		} else if (ch == 's') {
			code = take_sink(o, optarg);
		} else if (ch == 'l') {
			o->list = true;
		} else if (ch == 'j') {
			o->json = true;
		} else if (ch == 'r') {
			o->rules = true;
		} else if (ch == 'k') {
			o->class = optarg;
		} else if (ch == 'm') {
			o->roach_motel = true;
		} else if (ch == 'h') {
			help();
			return -1;
		} else {
			code = cmd_fail(EXIT_NOT_RUN,
					"prove: `skep prove --help` lists the options");
		}
	}
	if (code == 0 && optind < argc)
		code = cmd_fail(EXIT_NOT_RUN, "prove: '%s' is too much", argv[optind]);
	return code;
}

/* ---- super's answer ---------------------------------------------------------------------------- */

static int read_json(int fd, json_t **ret)
{
	char *buf = malloc(ANSWER_MAX);
	struct timeval patience = {PATIENCE_S, 0};
	size_t len = 0;
	*ret = NULL;
	if (buf == NULL ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0) {
		free(buf);
		return -ENOMEM;
	}
	/* super leaves the connection open: the answer is whole when it can be read */
	for (ssize_t n; *ret == NULL && len < ANSWER_MAX &&
			(n = recv(fd, buf + len, ANSWER_MAX - len, 0)) > 0;) {
		len += (size_t)n;
		*ret = json_loadb(buf, len, 0, NULL);
	}
	free(buf);
	return *ret != NULL ? 0 : SKEP_EPEER;
}

static struct addr addr_of(const json_t *o, const char *key)
{
	struct addr a = {0};
	const char *text = json_string_value(json_object_get(o, key));
	if (text == NULL || text[0] == '\0' || addr_parse(text, &a) != 0)
		a = (struct addr){0};
	return a;
}

static int take_port(const json_t *o, struct prove_port *ret)
{
	const char *name, *mac, *link;
	int kind, up;
	if (json_unpack((json_t *)(uintptr_t)o, "{s:s, s:s, s:s, s:i, s:b}", "name", &name, "mac",
			&mac, "link", &link, "kind", &kind, "up", &up) != 0 ||
	    mac_parse(mac, &ret->mac) != 0 || !text_copy(ret->name, sizeof(ret->name), name) ||
	    !text_copy(ret->link, sizeof(ret->link), link))
		return SKEP_EPEER;
	ret->loghost = kind == JUDGE_LOGHOST;
	ret->sink = kind == JUDGE_SINK;
	ret->up = up != 0;
	ret->inside = addr_of(o, "inside");
	ret->inside6 = addr_of(o, "inside6");
	ret->public = addr_of(o, "public");
	ret->public6 = addr_of(o, "public6");
	return 0;
}

static void take_nets(const json_t *all, struct prefix *nets, uint32_t *n)
{
	for (size_t i = 0; i < json_array_size(all) && *n < PROVE_NETS; i++) {
		const json_t *at = json_object_get(json_array_get(all, i), "prefix");
		if (json_is_string(at) && prefix_parse(json_string_value(at), &nets[*n]) == 0)
			++*n;
	}
}

static void take_orders(const json_t *o, struct prove_conf *pc)
{
	const char *lockdown = json_string_value(json_object_get(o, "lockdown"));
	pc->lockdown = lockdown != NULL && strcmp(lockdown, "off") != 0;
	pc->lockdown_all = lockdown != NULL && strcmp(lockdown, "all") == 0;
	take_nets(json_object_get(o, "fences"), pc->fences, &pc->n_fences);
	take_nets(json_object_get(o, "ignored"), pc->ignored, &pc->n_ignored);
}

static int take_far(const json_t *o, struct prove_far *ret)
{
	const char *netns, *link, *uplink, *peer;
	const json_t *kept = json_object_get(o, "kept");
	json_int_t mark = json_integer_value(json_object_get(o, "mark"));
	if (json_unpack((json_t *)(uintptr_t)o, "{s:s, s:s, s:s, s:s}", "namespace", &netns, "link",
			&link, "uplink", &uplink, "peer", &peer) != 0 ||
	    !text_copy(ret->netns, sizeof(ret->netns), netns) ||
	    !text_copy(ret->link, sizeof(ret->link), link) ||
	    !text_copy(ret->uplink, sizeof(ret->uplink), uplink) ||
	    mac_parse(peer, &ret->peer) != 0)
		return SKEP_EPEER;
	ret->mark = (uint32_t)mark;
	ret->gateway = addr_of(o, "gateway");
	ret->gateway6 = addr_of(o, "gateway6");
	for (size_t i = 0; i < json_array_size(kept) && ret->n_kept < PROVE_KEPT; i++) {
		const char *text = json_string_value(json_array_get(kept, i));
		if (text != NULL && conf_keep_parse(text, &ret->kept[ret->n_kept].proto,
						    &ret->kept[ret->n_kept].port) == 0)
			ret->n_kept++;
	}
	return 0;
}

static int take_answer(const json_t *a, struct prove_conf *pc)
{
	const char *problem = json_string_value(json_object_get(a, "error"));
	const json_t *ports = json_object_get(a, "ports");
	if (problem != NULL)
		return cmd_fail(EXIT_NOT_RUN, "prove: %s", problem);
	if (take_far(json_object_get(a, "far"), &pc->far) != 0 ||
	    (pc->far.uplink[0] == '\0') != (pc->c->mode == MODE_LAB) ||
	    json_array_size(ports) > PROVE_PORTS)
		return cmd_fail(EXIT_NOT_RUN, "prove: the answer of super makes no sense");
	for (size_t i = 0; i < json_array_size(ports); i++)
		if (take_port(json_array_get(ports, i), &pc->ports[pc->n_ports++]) != 0)
			return cmd_fail(EXIT_NOT_RUN, "prove: the answer of super makes no sense");
	take_orders(json_object_get(a, "containment"), pc);
	return 0;
}

static char *request_of(const struct options *o)
{
	json_t *r = json_pack("{s:s, s:b, s:s}", "do", "prove-begin", "roach_motel",
			      (int)o->roach_motel, "class", o->class != NULL ? o->class : "");
	char *text = r != NULL ? json_dumps(r, JSON_COMPACT) : NULL;
	json_decref(r);
	return text;
}

/* The port is ours until *ret_fd is closed. */
static int get_port(const struct conf *c, const struct options *o, struct prove_conf *pc,
		    int *ret_fd)
{
	json_t *a = NULL;
	char *request = request_of(o);
	int err = request != NULL ? cmd_request(c, request, ret_fd) : -ENOMEM;
	free(request);
	if (err == -ENOENT)
		return cmd_fail(EXIT_NOT_RUN,
				"prove: the honeynet '%s' does not run; `skep up` starts it",
				c->name);
	if (err == 0)
		err = read_json(*ret_fd, &a);
	if (err != 0)
		return cmd_fail(EXIT_NOT_RUN, "prove: asking super: %s", err_text(err));
	int code = take_answer(a, pc);
	json_decref(a);
	return code;
}

/* ---- the table -------------------------------------------------------------------------------------- */

static const char *paint(enum prove_verdict v, bool colour)
{
	static const char *const codes[] = {"\033[32m", "\033[1;31m", "\033[33m", "\033[31m"};
	return colour ? codes[v] : "";
}

static void tell(void *ctx, const struct prove_row *r, bool done)
{
	if (!done)
		fprintf(stderr, "\r\033[K%s ...", r->name);
	else
		fprintf(stderr, "\r\033[K");
	(void)ctx;
}

static void print_row(const struct prove_row *r, bool colour)
{
	char allowed[32];
	if (r->most == UINT32_MAX)
		snprintf(allowed, sizeof(allowed), "%u..", r->least);
	else if (r->least == r->most)
		snprintf(allowed, sizeof(allowed), "%u", r->most);
	else
		snprintf(allowed, sizeof(allowed), "%u..%u", r->least, r->most);
	printf("%-17s %-62s %6u %8u %9s %6u  %s%s%s\n", r->name, r->promise, r->sent, r->arrived,
	       allowed, r->sunk, paint(r->verdict, colour), prove_verdict_text(r->verdict),
	       colour ? "\033[0m" : "");
	if (r->note[0] != '\0')
		printf("%-17s   %s\n", "", r->note);
}

static void print_guard(const struct prove_result *r, bool real)
{
	unsigned long long outside = r->outside, guarded = r->guarded, escaped = r->escaped;
	if (!r->guard)
		printf("no guard stood on the uplink (the lab has no way out)\n");
	else if (!real)
		printf("%llu marked frames got outside, the guard stopped %llu there\n", outside,
		       guarded);
	else
		printf("%llu marked frames came to the fence at the uplink, the guard behind it "
		       "stopped %llu, %llu left\n",
		       outside, guarded, escaped);
}

static void print_table(const struct prove_result *r, const struct options *o, bool real)
{
	bool colour = cmd_colour();
	size_t n[4] = {0};
	printf("%-17s %-62s %6s %8s %9s %6s  %s\n", "case", "promise", "sent", "arrived", "allowed",
	       "sink", "verdict");
	for (size_t i = 0; i < r->n; i++) {
		print_row(&r->rows[i], colour);
		n[r->rows[i].verdict]++;
	}
	printf("\n%zu held, %zu leaked, %zu skipped, %zu broken; ", n[PROVE_HELD], n[PROVE_LEAK],
	       n[PROVE_SKIPPED], n[PROVE_BROKEN]);
	print_guard(r, real);
	if (o->dir != NULL)
		printf("captures of both sides: %s\n", o->dir);
}

static void print_json(const struct prove_result *r, enum prove_verdict all)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < r->n; i++) {
		const struct prove_row *w = &r->rows[i];
		json_array_append_new(
			rows,
			json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s}", "case", w->name,
				  "promise", w->promise, "verdict", prove_verdict_text(w->verdict),
				  "sent", (json_int_t)w->sent, "arrived", (json_int_t)w->arrived,
				  "least", (json_int_t)w->least, "most", (json_int_t)w->most,
				  "sink", (json_int_t)w->sunk, "note", w->note));
	}
	json_t *o =
		json_pack("{s:s, s:o, s:I, s:b, s:I, s:I}", "verdict", prove_verdict_text(all),
			  "cases", rows, "outside", (json_int_t)r->outside, "guard", (int)r->guard,
			  "guarded", (json_int_t)r->guarded, "escaped", (json_int_t)r->escaped);
	if (o != NULL)
		json_dumpf(o, stdout, JSON_INDENT(1));
	printf("\n");
	json_decref(o);
}

static int open_dir(const char *path, int *ret)
{
	if (path == NULL)
		return 0;
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return cmd_fail(EXIT_NOT_RUN, "prove: %s: %s", path, err_text(-errno));
	*ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret >= 0 ? 0 : cmd_fail(EXIT_NOT_RUN, "prove: %s: %s", path, err_text(-errno));
}

/* Gives the port back and sees it gone, so that nothing is left when we end. */
static void give_back(const struct conf *c, int *port)
{
	char name[CONF_NAME + 8];
	int err = 0;
	if (*port < 0)
		return;
	fd_close(port);
	snprintf(name, sizeof(name), "%s-prove", c->name);
	for (int64_t end = clock_boot_ns() + PATIENCE_S * NS_PER_SEC;
	     err == 0 && clock_boot_ns() < end;) {
		CLEANUP(fd_close) int fd = -1;
		err = netns_open(name, &fd);
		if (err == 0)
			nanosleep(&(struct timespec){0, 10 * NS_PER_MS}, NULL);
	}
}

static int prove(const struct conf *c, const struct options *o)
{
	CLEANUP(fd_close) int dir = -1;
	CLEANUP(fd_close) int port = -1;
	struct prove_conf *pc = calloc(1, sizeof(*pc));
	struct prove_result r = {0};
	int code = pc == NULL ? cmd_fail(EXIT_NOT_RUN, "prove: no memory") : open_dir(o->dir, &dir);
	if (code == 0) {
		*pc = (struct prove_conf){.c = c,
					  .sink = o->sink,
					  .sink6 = o->sink6,
					  .rules = o->rules,
					  .roach_motel = o->roach_motel,
					  .dir = dir,
					  .only = o->only,
					  .n_only = o->n_only};
		if (o->class != NULL && !text_copy(pc->class, sizeof(pc->class), o->class))
			code = cmd_fail(EXIT_NOT_RUN, "prove: --class is too long");
		if (isatty(STDERR_FILENO))
			pc->tell = tell;
	}
	if (code == 0) {
		code = get_port(c, o, pc, &port);
	}
	if (code == 0) {
		int err = prove_run(pc, &r);
		give_back(c, &port);
		if (err != 0)
			code = cmd_fail(EXIT_NOT_RUN, "prove: %s",
					r.why[0] != '\0' ? r.why : err_text(err));
	}
	if (code == 0) {
		enum prove_verdict all = prove_judge(&r);
		if (o->json)
			print_json(&r, all);
		else
			print_table(&r, o, pc->far.uplink[0] != '\0');
		code = all == PROVE_HELD ? 0 : all == PROVE_LEAK ? EXIT_LEAK : EXIT_NOT_RUN;
	}
	free(r.rows);
	free(pc);
	return code;
}

static int list(void)
{
	const char *name, *promise;
	for (size_t i = 0; (name = prove_case(i, &promise)) != NULL; i++)
		printf("%-17s %s\n", name, promise);
	return 0;
}

int cmd_prove(int argc, char **argv)
{
	struct options o = {0};
	int code = parse(argc, argv, &o);
	if (code != 0)
		return code < 0 ? 0 : code;
	if (o.list)
		return list();
	struct conf *c = calloc(1, sizeof(*c));
	code = c == NULL ? cmd_fail(EXIT_NOT_RUN, "prove: no memory") : cmd_conf(o.conf, c);
	if (code == 0 && cmd_need_root("prove") != 0)
		code = EXIT_NOT_RUN;
	if (code == 0)
		code = prove(c, &o);
	free(c);
	return code;
}
