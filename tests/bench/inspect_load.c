/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inspect_load SECONDS CAPTURE [RULES ...]: CPU time of one packet, layer by layer, in one run: reading
 * alone; and dissecting; the whole pipeline without rules; and writing the events; and with the rules; and,
 * as the other floor, a bare Hyperscan scan of each payload for the fast patterns of those rules. Each is
 * repeated for SECONDS of CPU time; $SKEP_BENCH_ONLY names the one that a profiler is to see. Prints JSON;
 * tests/bench/inspect.py makes a table of it.
 */
#include "capture/capture.h"
#include "inspect/eve.h"
#include "inspect/inspect.h"
#include "rule/rule_priv.h"

#include <fcntl.h>
#include <hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum layer { READ, DISSECT, PIPELINE, EVENTS, RULES, SCAN, LAYERS };
#define LITERALS 4000u /* compiling many in one database takes minutes */
#define LITERAL_MIN 4u
#define LITERAL_MAX 64u

struct bed {
	const char *capture;
	struct rule_set *rules;
	double least_s;
	uint64_t packets, bytes, alerts;
	hs_database_t *bare; /* all fast patterns in one */
	hs_scratch_t *scratch;
};

static double cpu_s(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "inspect_load: %s\n", what);
	exit(1);
}

/* ---- a bare scan ------------------------------------------------------------------------------- */

struct literal {
	const char *at;
	size_t len;
	unsigned flags;
};

static int by_bytes(const void *a, const void *b)
{
	const struct literal *x = a, *y = b;
	int d = memcmp(x->at, y->at, x->len < y->len ? x->len : y->len);
	if (d == 0)
		d = (x->len > y->len) - (x->len < y->len);
	return d != 0 ? d : (x->flags > y->flags) - (x->flags < y->flags);
}

/* Each fast pattern once, and of very many every so-manieth. */
static unsigned literals_of(const struct rule_set *s, struct literal *l)
{
	unsigned n = 0, once = 0;
	for (uint32_t i = 0; i < s->n; i++) {
		const struct rule *r = s->rules[i];
		if (r->fast_list < 0)
			continue;
		const struct match_content *c = &r->lists[r->fast_list].m[r->fast_match].u.content;
		if (c->len < LITERAL_MIN || c->bytes[0] == 0) /* the latter it refuses */
			continue;
		l[n++] = (struct literal){.at = (const char *)c->bytes,
					  .len = c->len < LITERAL_MAX ? c->len : LITERAL_MAX,
					  .flags = HS_FLAG_SINGLEMATCH |
						   (c->nocase ? HS_FLAG_CASELESS : 0u)};
	}
	qsort(l, n, sizeof(*l), by_bytes);
	for (unsigned i = 0; i < n; i++)
		if (once == 0 || by_bytes(&l[once - 1], &l[i]) != 0)
			l[once++] = l[i];
	unsigned step = once / LITERALS + 1;
	for (n = 0; n * step < once; n++)
		l[n] = l[n * step];
	return n;
}

static void make_bare(struct bed *b)
{
	uint32_t most = b->rules->n + 1;
	struct literal *l = calloc(most, sizeof(*l));
	const char **texts = calloc(most, sizeof(*texts));
	unsigned *flags = calloc(most, sizeof(*flags));
	size_t *lens = calloc(most, sizeof(*lens));
	hs_compile_error_t *err = NULL;
	must(l != NULL && texts != NULL && flags != NULL && lens != NULL, "memory");
	unsigned n = literals_of(b->rules, l);
	for (unsigned i = 0; i < n; i++) {
		texts[i] = l[i].at;
		flags[i] = l[i].flags;
		lens[i] = l[i].len;
	}
	must(hs_compile_lit_multi(texts, flags, NULL, lens, n, HS_MODE_BLOCK, NULL, &b->bare,
				  &err) == HS_SUCCESS,
	     "hs_compile_lit_multi");
	must(hs_alloc_scratch(b->bare, &b->scratch) == HS_SUCCESS, "hs_alloc_scratch");
	free(l);
	free(texts);
	free(lens);
	free(flags);
}

static int found(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
		 void *ctx)
{
	++*(uint64_t *)ctx;
	return 0;
}

static void bare_scan(struct bed *b, const struct pkt *pkts, uint32_t n)
{
	uint64_t hits = 0;
	for (uint32_t i = 0; i < n; i++)
		if (pkts[i].payload_len > 0)
			(void)hs_scan(b->bare, (const char *)pkts[i].payload, pkts[i].payload_len,
				      0, b->scratch, found, &hits);
}

/* ---- layers ------------------------------------------------------------------------------------ */

/* One pass over the capture. */
static void pass(struct bed *b, enum layer layer)
{
	static struct pkt pkts[DISSECT_PKTS];
	struct capture_reader *r = NULL;
	struct dissect *d = NULL;
	struct inspect *i = NULL;
	struct eve *e = NULL;
	struct capture_frame f;
	int fd = open(b->capture, O_RDONLY | O_CLOEXEC);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	must(fd >= 0 && capture_open_any(fd, &r) == 0, "no capture");
	if (layer == DISSECT || layer == SCAN) {
		struct dissect_conf conf = {.frag_packets = 0};
		must(dissect_create(&conf, &d) == 0, "dissect");
	}
	if (layer >= PIPELINE && layer != SCAN) {
		struct inspect_conf conf = {.rules = layer == RULES ? b->rules : NULL};
		if (layer >= EVENTS) {
			struct eve_conf ec = {.fd = null, .rules = conf.rules};
			must(eve_create(&ec, &e) == 0, "eve");
			conf.sink = eve_sink(e);
		}
		must(inspect_create(&conf, &i) == 0, "inspect");
	}
	b->packets = b->bytes = 0;
	while (capture_next_any(r, &f) == 0) {
		b->packets++;
		b->bytes += f.wire_len;
		uint32_t n = d == NULL ? 0
				       : dissect_frame(d, f.link, f.data, f.len, f.wire_len,
						       f.stamp_ns, b->packets, pkts);
		if (layer == SCAN)
			bare_scan(b, pkts, n);
		else if (i != NULL)
			inspect_frame(i, f.link, f.data, f.len, f.wire_len, f.stamp_ns);
	}
	if (i != NULL) {
		struct inspect_stats s;
		inspect_finish(i);
		inspect_read_stats(i, &s);
		b->alerts = s.alerts;
	}
	inspect_free(&i);
	must(eve_close(&e) == 0, "eve");
	dissect_free(&d);
	capture_reader_free(&r);
	close(fd);
	close(null);
}

/* CPU seconds of one pass: the best of those that fit. */
static double measure(struct bed *b, enum layer layer)
{
	double best = 1e9, begin = cpu_s();
	for (unsigned n = 0; n < 3 || cpu_s() - begin < b->least_s; n++) {
		double t = cpu_s();
		pass(b, layer);
		t = cpu_s() - t;
		best = t < best ? t : best;
	}
	return best;
}

static void load(struct bed *b, int n, char **paths)
{
	struct rule_vars *vars = NULL;
	/* A snapshot of the databases, made if it is not there. */
	const char *path = getenv("SKEP_BENCH_CACHE");
	int snapshot = path != NULL ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	struct stat kept = {.st_size = 0};
	bool there = snapshot > 0 && fstat(snapshot, &kept) == 0 && kept.st_size > 0;
	struct rule_set_conf conf = {.snapshot = there ? snapshot : 0};
	must(rule_vars_create(&vars) == 0, "variables");
	conf.vars = vars;
	must(rule_set_create(&conf, &b->rules) == 0, "rules");
	for (int i = 0; i < n; i++) {
		struct stat st;
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		must(fd >= 0 && fstat(fd, &st) == 0, "no such rules");
		char *text = malloc((size_t)st.st_size + 1);
		must(text != NULL && read(fd, text, (size_t)st.st_size) == st.st_size,
		     "reading rules");
		must(rule_set_read(b->rules, paths[i], text, (size_t)st.st_size) == 0, "rules");
		free(text);
		close(fd);
	}
	must(rule_set_finish(b->rules) == 0, "compiling the rules");
	if (snapshot > 0 && !there)
		must(rule_set_write_snapshot(b->rules, snapshot) == 0, "writing the snapshot");
	if (snapshot > 0)
		close(snapshot);
	rule_vars_free(&vars);
}

int main(int argc, char **argv)
{
	static const char *const names[LAYERS] = {"read",   "dissect", "pipeline",
						  "events", "rules",   "scan"};
	const char *only = getenv("SKEP_BENCH_ONLY");
	struct rusage usage;
	must(argc >= 3, "SECONDS CAPTURE [RULES ...]");
	struct bed b = {.capture = argv[2], .least_s = strtod(argv[1], NULL)};
	double begin = cpu_s();
	if (argc > 3)
		load(&b, argc - 3, argv + 3);
	printf("{\"load\": %.3f", cpu_s() - begin);
	for (unsigned layer = 0; layer < LAYERS; layer++) {
		if ((layer >= RULES && b.rules == NULL) ||
		    (only != NULL && strcmp(only, names[layer]) != 0))
			continue;
		if (layer == SCAN) {
			getrusage(RUSAGE_SELF,
				  &usage); /* before a database that only the bench needs */
			make_bare(&b);
		}
		printf(", \"%s\": %.6f", names[layer], measure(&b, (enum layer)layer));
	}
	if (b.bare == NULL)
		getrusage(RUSAGE_SELF, &usage);
	printf(", \"packets\": %llu, \"bytes\": %llu, \"alerts\": %llu, \"rss\": %ld, \"loaded\": "
	       "%u}\n",
	       (unsigned long long)b.packets, (unsigned long long)b.bytes,
	       (unsigned long long)b.alerts, usage.ru_maxrss,
	       b.rules != NULL ? rule_set_count(b.rules) : 0);
	hs_free_scratch(b.scratch);
	hs_free_database(b.bare);
	rule_set_free(&b.rules);
	return 0;
}
