/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rule engine alone: how long a rule set takes to load, cold and from a snapshot, how much memory it
 * holds, and packets per CPU-second for payloads made here, beside a bare Hyperscan scan of the same
 * bytes with as many literals. bench_rule [RULES]; without: rules made here.
 */
#include "rule/rule.h"

#include <hs/hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PACKETS 2000u
#define ROUNDS 50u
#define PAYLOAD 300u
#define MADE_RULES 4000u
#define MADE_BYTES (1u << 20)

static int64_t cpu_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

static uint64_t resident_kib(void)
{
	unsigned long long size = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	char line[128] = "";
	if (f == NULL)
		return 0;
	if (fgets(line, sizeof(line), f) != NULL) {
		char *end = NULL;
		size = strtoull(line, &end, 10);
		pages = strtoull(end, NULL, 10);
	}
	(void)fclose(f);
	return size > 0 ? pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024 : 0;
}

static uint32_t step(uint32_t *x)
{
	*x = *x * 1664525u + 1013904223u;
	return *x >> 8;
}

static char *make_rules(size_t *ret_len)
{
	char *text = malloc(MADE_BYTES);
	if (text == NULL)
		return NULL;
	struct writer w = writer_of(text, MADE_BYTES);
	uint32_t x = 7;
	for (unsigned i = 0; i < MADE_RULES; i++)
		write_fmt(&w,
			  "alert udp any any -> any any (msg:\"m%u\"; content:\"%c%c%06x\"; "
			  "content:\"|00 01|\"; distance:0; sid:%u;)\n",
			  i, (char)('a' + step(&x) % 26), (char)('a' + step(&x) % 26),
			  step(&x) & 0xffffff, i + 1);
	*ret_len = w.len;
	return text;
}

static char *read_file(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return NULL;
	char *text = NULL;
	if (fseek(f, 0, SEEK_END) == 0) {
		long n = ftell(f);
		rewind(f);
		text = n > 0 ? malloc((size_t)n) : NULL;
		*ret_len = text != NULL ? fread(text, 1, (size_t)n, f) : 0;
	}
	(void)fclose(f);
	return text;
}

static void problem(void *ctx, const struct rule_problem *p)
{
	if (!p->warning && getenv("SHOW") != NULL)
		(void)printf("%s:%u: %s\n", p->file, p->line, p->text);
}

static struct rule_set *load(const char *text, size_t len, int snapshot, const char *what)
{
	struct rule_vars *vars = NULL;
	struct rule_set *set = NULL;
	if (rule_vars_create(&vars) < 0)
		return NULL;
	struct rule_set_conf conf = {.vars = vars, .snapshot = snapshot, .problem = problem};
	int64_t begin = cpu_ns();
	int rc = rule_set_create(&conf, &set);
	if (rc == 0)
		rc = rule_set_read(set, "bench", text, len);
	int64_t parsed = cpu_ns();
	if (rc == 0)
		rc = rule_set_finish(set);
	int64_t end = cpu_ns();
	rule_vars_free(&vars);
	if (rc < 0) {
		(void)printf("%s: %s\n", what, err_text(rc));
		return NULL;
	}
	struct rule_set_stats s;
	rule_set_read_stats(set, &s);
	(void)printf(
		"%-7s parse %6.3f s, finish %6.3f s, %llu rules (%llu failed), %llu groups, %llu "
		"databases (%llu cached), %llu patterns, %llu without, %llu KiB resident\n",
		what, (double)(parsed - begin) / 1e9, (double)(end - parsed) / 1e9,
		(unsigned long long)s.rules, (unsigned long long)s.failed,
		(unsigned long long)s.groups, (unsigned long long)s.databases,
		(unsigned long long)s.databases_cached, (unsigned long long)s.patterns,
		(unsigned long long)s.without_prefilter, (unsigned long long)resident_kib());
	return set;
}

static uint8_t payloads[PACKETS][PAYLOAD];

static void run(const struct rule_set *set)
{
	struct slab *slab = NULL;
	struct rule_engine *e = NULL;
	struct rule_engine_conf conf = {0};
	if (slab_create(64u << 20, &slab) < 0 || rule_engine_create(set, &conf, slab, &e) < 0)
		return;
	struct pkt p = {.ip_ver = 4, .proto = 17, .l4_hlen = 8, .sport = 40000, .dport = 5353};
	p.src = addr_from_v4("\x0a\x00\x00\x01");
	p.dst = addr_from_v4("\x0a\x00\x00\x02");
	struct stream_result r = {0};
	struct rule_hit hits[RULE_HITS];
	int64_t begin = cpu_ns();
	for (unsigned k = 0; k < ROUNDS; k++)
		for (unsigned i = 0; i < PACKETS; i++) {
			p.payload = payloads[i];
			p.payload_len = PAYLOAD;
			(void)rule_packet(e, &p, &r, hits);
		}
	double s = (double)(cpu_ns() - begin) / 1e9;
	struct rule_engine_stats st;
	rule_engine_read_stats(e, &st);
	(void)printf(
		"engine  %.0f kpps, %llu scans, %llu candidates, %llu evaluations, %llu alerts\n",
		PACKETS * ROUNDS / s / 1e3, (unsigned long long)st.scans,
		(unsigned long long)st.candidates, (unsigned long long)st.evaluations,
		(unsigned long long)st.alerts);
	rule_engine_free(&e);
	slab_free_all(&slab);
}

static int none(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
		void *ctx)
{
	return 0;
}

static void bare(void)
{
	static char text[MADE_RULES][9];
	static const char *lits[MADE_RULES];
	static unsigned flags[MADE_RULES], ids[MADE_RULES];
	static size_t lens[MADE_RULES];
	uint32_t x = 7;
	for (unsigned i = 0; i < MADE_RULES; i++) {
		(void)snprintf(text[i], 9, "%c%c%06x", (char)('a' + step(&x) % 26),
			       (char)('a' + step(&x) % 26), step(&x) & 0xffffff);
		lits[i] = text[i];
		lens[i] = 8;
		ids[i] = i;
		flags[i] = HS_FLAG_SINGLEMATCH;
	}
	hs_database_t *db = NULL;
	hs_scratch_t *scratch = NULL;
	hs_compile_error_t *err = NULL;
	if (hs_compile_lit_multi(lits, flags, ids, lens, MADE_RULES, HS_MODE_BLOCK, NULL, &db,
				 &err) != HS_SUCCESS ||
	    hs_alloc_scratch(db, &scratch) != HS_SUCCESS)
		return;
	int64_t begin = cpu_ns();
	for (unsigned k = 0; k < ROUNDS; k++)
		for (unsigned i = 0; i < PACKETS; i++)
			(void)hs_scan(db, (const char *)payloads[i], PAYLOAD, 0, scratch, none,
				      NULL);
	double s = (double)(cpu_ns() - begin) / 1e9;
	(void)printf("bare    %.0f kpps: hs_scan of the same bytes, %u literals\n",
		     PACKETS * ROUNDS / s / 1e3, MADE_RULES);
	hs_free_scratch(scratch);
	hs_free_database(db);
}

int main(int argc, char **argv)
{
	size_t len = 0;
	char *text = argc > 1 ? read_file(argv[1], &len) : make_rules(&len);
	int snapshot = memfd_create("snapshot", MFD_CLOEXEC);
	if (text == NULL || snapshot <= 0)
		return 1;
	uint32_t x = 99;
	for (unsigned i = 0; i < PACKETS; i++)
		for (unsigned k = 0; k < PAYLOAD; k++)
			payloads[i][k] =
				(uint8_t)(step(&x) % 8 == 0 ? step(&x) : 'a' + step(&x) % 26);
	struct rule_set *set = load(text, len, 0, "cold");
	if (set == NULL || rule_set_write_snapshot(set, snapshot) < 0)
		return 1;
	rule_set_free(&set);
	set = load(text, len, snapshot, "cached");
	if (set != NULL) {
		run(set);
		bare();
	}
	rule_set_free(&set);
	(void)close(snapshot);
	free(text);
	return 0;
}
