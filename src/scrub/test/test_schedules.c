/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Somebody who tries to get a pattern past a rule: cut at every boundary, sent in any order, twice, overlapping,
 * with other bytes in the copies. However the receiver puts together what arrives (the first copy stands, the last
 * one, or it takes nothing out of order), the pattern is never whole in what it has. SKEP_SEED, SKEP_RUNS.
 */
#include "box.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet/test/frames.h"

#define RUNS 3000
#define STREAM 64u
#define PATTERN "evilword"

enum model { FIRST_STANDS, LAST_STANDS, IN_ORDER, MODELS };

struct world {
	struct box box;
	struct dice dice;
	struct how how[2];
	enum model model;
	uint32_t iss[2];
	uint8_t sent[STREAM], got[STREAM];
	bool have[STREAM];
	uint32_t end;  /* in order */
	bool consumed; /* what is in order is gone: a later copy changes nothing */
	int64_t now;
	struct seg seg, segs[4];
	uint32_t passed, dropped;
	bool whole;
};

static bool holds_pattern(const uint8_t *p, uint32_t n)
{
	return memmem(p, n, PATTERN, strlen(PATTERN)) != NULL;
}

static void receive(struct world *w, const struct seg *s)
{
	for (uint32_t i = 0; i < s->len; i++) {
		int32_t at = (int32_t)(s->seq + i - w->iss[0] - 1);
		if (at < 0 || at >= (int32_t)STREAM || at < (int32_t)w->end)
			continue;
		if (w->model == IN_ORDER && at != (int32_t)w->end)
			continue;
		if (!w->have[at] || w->model == LAST_STANDS)
			w->got[at] = s->data[i];
		w->have[at] = true;
		while (w->model == IN_ORDER && w->end < STREAM && w->have[w->end])
			w->end++;
	}
	while (w->end < STREAM && w->have[w->end])
		w->end++;
	w->whole |= holds_pattern(w->got, w->end);
}

static bool pass(struct world *w, unsigned dir)
{
	struct frame *f = frame_new(FRAME_MAX), **out;
	struct layers l;
	struct scrub_seen seen;
	build_seg(f, &w->how[dir], &w->seg);
	packet_decode(f, &l);
	w->now += NS_PER_MS;
	scrub_look(w->box.scrub, f, &l, w->now, &seen);
	bool fine = seen.act == SCRUB_PASS;
	uint32_t n = fine ? scrub_emit(w->box.scrub, &seen, f, &l, 1, &out) : 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = parse_segs(out[i], &w->how[dir], w->segs, ARRAY_LEN(w->segs));
		for (uint32_t j = 0; dir == 0 && j < k; j++)
			receive(w, &w->segs[j]);
	}
	w->passed += fine;
	w->dropped += !fine;
	frame_free(f);
	return fine;
}

static void say(struct world *w, unsigned dir, uint32_t at, uint8_t flags, const uint8_t *p,
		uint32_t n)
{
	w->seg = (struct seg){.seq = w->iss[dir] + at, .flags = flags, .len = n};
	w->seg.ack = w->iss[!dir] + 1 + (dir == 1 ? w->end : 0);
	if (n > 0)
		memcpy(w->seg.data, p, n);
	pass(w, dir);
}

static void begin_one(struct world *w, uint32_t run)
{
	struct addr a = random_addr(run % 2 ? 4 : 6), b = random_addr(run % 2 ? 4 : 6);
	for (unsigned i = 0; i < 2; i++)
		w->how[i] = (struct how){.src = i ? b : a,
					 .dst = i ? a : b,
					 .sport = (uint16_t)(i ? 80 : 1024 + run % 60000),
					 .dport = (uint16_t)(i ? 1024 + run % 60000 : 80),
					 .partial = run % 3 == 0,
					 .mss = 1400};
	w->iss[0] = dice_below(&w->dice, 4) == 0 ? 0u - dice_below(&w->dice, STREAM)
						 : dice_roll(&w->dice);
	w->iss[1] = dice_roll(&w->dice);
	memset(w->have, 0, sizeof(w->have));
	w->end = 0;
	w->whole = false;
	say(w, 0, 0, TCP_SYN, NULL, 0);
}

static void open_one(struct world *w, uint32_t run)
{
	begin_one(w, run);
	say(w, 1, 0, TCP_SYN | TCP_ACK, NULL, 0);
	say(w, 0, 1, TCP_ACK, NULL, 0);
}

static void piece(struct world *w, uint32_t from, uint32_t to, bool other)
{
	uint8_t bytes[STREAM];
	memcpy(bytes, w->sent + from, to - from);
	for (uint32_t i = 0; other && i < to - from; i++)
		if (dice_below(&w->dice, 2) == 0)
			bytes[i] = (uint8_t)('A' + dice_below(&w->dice, 26));
	say(w, 0, from + 1, TCP_ACK, bytes, to - from);
}

static void any_order(struct world *w, uint32_t run)
{
	static const uint8_t letters[] = "evilword";
	uint32_t at = dice_below(&w->dice, STREAM - 8);
	open_one(w, run);
	for (uint32_t i = 0; i < STREAM; i++)
		w->sent[i] = letters[dice_below(&w->dice, 8)];
	memcpy(w->sent + at, PATTERN, 8);
	uint32_t size = 1 + dice_below(&w->dice, 20), lies = dice_below(&w->dice, 60);
	for (unsigned step = 0; step < 60; step++) {
		uint32_t from = dice_below(&w->dice, STREAM);
		/* Mostly where it hurts. */
		if (dice_below(&w->dice, 2) == 0)
			from = at + dice_below(&w->dice, 8);
		if (dice_below(&w->dice, 3) == 0)
			from = w->end < STREAM ? w->end : 0;
		uint32_t to = from + 1 + dice_below(&w->dice, size);
		piece(w, from, to < STREAM ? to : STREAM, dice_below(&w->dice, 100) < lies);
		if (dice_below(&w->dice, 4) == 0)
			say(w, 1, 1, TCP_ACK, NULL, 0);
		if (w->whole)
			fail_msg("run %u, model %u: it arrived", run, w->model);
	}
}

static uint32_t setting(const char *name, uint32_t otherwise)
{
	const char *v = getenv(name);
	return v != NULL ? (uint32_t)strtoul(v, NULL, 10) : otherwise;
}

static void run_all(const char *rules)
{
	struct world *w = calloc(1, sizeof(*w));
	uint32_t first = setting("SKEP_SEED", 1), runs = setting("SKEP_RUNS", RUNS);
	box_begin(&w->box, rules, 3600 * NS_PER_SEC);
	for (uint32_t run = first; run < first + runs; run++) {
		w->dice.state = run * 0x9e3779b97f4a7c15u + 1;
		w->model = run % MODELS;
		any_order(w, run);
	}
	struct scrub_stats st;
	scrub_read_stats(w->box.scrub, &st);
	print_message(
		"# passed %u stopped %u alerts %u edits %llu held %llu late %llu normalised %llu\n",
		w->passed, w->dropped, w->box.alerts, (unsigned long long)st.edits,
		(unsigned long long)st.held, (unsigned long long)st.late,
		(unsigned long long)st.normalised);
	assert_true(w->passed > 10 * runs && w->dropped + st.edits > runs / 4);
	assert_true(w->box.alerts > runs / 4);
	box_end(&w->box);
	free(w);
}

static void dropped(void **state)
{
	run_all("drop tcp any any -> any any (msg:\"x\"; content:\"" PATTERN "\"; sid:1;)");
}

static void replaced(void **state)
{
	run_all("rewrite tcp any any -> any any (msg:\"x\"; content:\"" PATTERN
		"\"; replace:\"GOODWORD\"; sid:1;)");
}

static void replaced_by_less(void **state)
{
	run_all("rewrite tcp any any -> any any (msg:\"x\"; content:\"" PATTERN
		"\"; replace:\"-\"; sid:1;)");
}

/* Every boundary, both orders, each twice. */
static void every_boundary(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	static const char text[] = "some words before evilword and some after it";
	const uint32_t n = sizeof(text) - 1;
	box_begin(&w->box,
		  "drop tcp any any -> any any (msg:\"x\"; content:\"" PATTERN "\"; sid:1;)", 0);
	w->dice.state = 4711;
	for (uint32_t model = 0; model < MODELS; model++)
		for (uint32_t a = 1; a < n; a++)
			for (uint32_t b = a; b < n; b += 3)
				for (unsigned order = 0; order < 6; order++) {
					static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1},
									     {1, 0, 2}, {1, 2, 0},
									     {2, 0, 1}, {2, 1, 0}};
					const uint32_t cut[4] = {0, a, b, n};
					w->model = model;
					open_one(w, a * 1000 + b * 10 + order);
					memcpy(w->sent, text, n);
					for (unsigned k = 0; k < 6; k++) {
						unsigned p = orders[order][k % 3];
						if (cut[p] < cut[p + 1])
							piece(w, cut[p], cut[p + 1], false);
					}
					assert_false(w->whole);
				}
	assert_true(w->dropped > 0);
	box_end(&w->box);
	free(w);
}

/* What comes before the first byte: nobody knows yet that it is HTTP, and rules for HTTP want it all the same. */
static void the_end_before_the_beginning(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	static const char text[] = "GET /a/" PATTERN "/b HTTP/1.1\r\nHost: x\r\n\r\n";
	const uint32_t n = sizeof(text) - 1;
	box_begin(&w->box,
		  "rewrite http any any -> any any (msg:\"x\"; http.uri; content:\"" PATTERN
		  "\"; replace:\"GOODWORD\"; sid:1;)",
		  3600 * NS_PER_SEC);
	w->dice.state = 4711;
	for (uint32_t model = 0; model < MODELS; model++)
		for (uint32_t cut = 1; cut < n; cut++) {
			w->model = model;
			open_one(w, cut);
			memcpy(w->sent, text, n);
			for (unsigned k = 0; k < 2; k++) {
				piece(w, cut, n, false);
				piece(w, 0, cut, false);
			}
			assert_false(w->whole);
			assert_int_equal(w->end, n);
		}
	assert_int_equal(w->dropped, 0);
	box_end(&w->box);
	free(w);
}

static uint64_t memory(const struct world *w)
{
	struct slab_stats m;
	slab_read_stats(scrub_slab(w->box.scrub), &m);
	return m.used;
}

/* A SYN that nobody answers costs the same whether rules may change its conversation or not. */
static void nothing_for_who_gets_no_answer(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	uint64_t used[2], answered;
	for (unsigned k = 0; k < 2; k++) {
		box_begin(&w->box,
			  k == 0 ? "drop tcp any any -> any any (msg:\"x\"; content:\"" PATTERN
				   "\"; sid:1;)"
				 : "rewrite tcp any any -> any any (msg:\"x\"; content:\"" PATTERN
				   "\"; replace:\"GOODWORD\"; sid:1;)",
			  3600 * NS_PER_SEC);
		w->dice.state = 4711;
		for (uint32_t run = 0; run < 100; run++)
			begin_one(w, run);
		used[k] = memory(w);
		say(w, 1, 0, TCP_SYN | TCP_ACK, NULL, 0);
		answered = memory(w) - used[k];
		assert_true(k == 0 ? answered == 0 : answered > 0 && answered <= 600);
		box_end(&w->box);
	}
	assert_int_equal(used[0], used[1]);
	assert_in_range(used[0], 1, 100 * 512);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_boundary),
		cmocka_unit_test(the_end_before_the_beginning),
		cmocka_unit_test(dropped),
		cmocka_unit_test(replaced),
		cmocka_unit_test(replaced_by_less),
		cmocka_unit_test(nothing_for_who_gets_no_answer),
	};
	return cmocka_run_group_tests_name("scrub_schedules", tests, NULL, NULL);
}
