/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replaced streams from end to end: two honest endpoints, wires that lose, double and reorder, and a scrub with
 * rules in between, for both directions at once. Each end gets exactly what the rules make of what the other one
 * said, and sees all that it said acknowledged. SKEP_SEED and SKEP_RUNS repeat or extend a run.
 */
#include "short.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RUNS 1000
#define STEPS 300000
#define HOLD (3600 * NS_PER_SEC)

static const struct {
	const char *what, *by;
} changes[] = {{"EVIL", "good"}, {"HURT", ""}, {"BOTNT", "ok"}, {"VIRUS", "a much longer word"}};

static const char rules[] =
	"rewrite tcp any any -> any any (msg:\"1\"; content:\"EVIL\"; replace:\"good\"; sid:1;)\n"
	"rewrite tcp any any -> any any (msg:\"2\"; content:\"HURT\"; replace:\"\"; sid:2;)\n"
	"rewrite tcp any any -> any any (msg:\"3\"; content:\"BOTNT\"; replace:\"ok\"; sid:3;)\n"
	"rewrite tcp any any -> any any (msg:\"4\"; content:\"VIRUS\"; replace:\"a much longer "
	"word\"; "
	"sid:4;)\n";

static const char dropping[] = "drop tcp any any -> any any (msg:\"1\"; content:\"EVIL\"; sid:1;)\n"
			       "drop tcp any any -> any any (msg:\"2\"; content:\"HURT\"; sid:2;)\n"
			       "drop tcp any any -> any any (msg:\"3\"; pcre:\"/BOTNT/\"; sid:3;)\n"
			       "drop tcp any any -> any any (msg:\"4\"; content:\"VIR\"; "
			       "content:\"US\"; distance:0; within:2; "
			       "sid:4;)\n";

/* Words that begin as others do, so that much has to wait. */
static uint32_t write_text(struct world *w, uint8_t *to)
{
	static const char *const words[] = {"EVIL",  "HURT",
					    "BOTNT", "VIRUS",
					    "EVI",   "BOT",
					    "V",     "E",
					    "HUR",   "plain words and more, and more, ",
					    "VIRU",  "nothing at all that matters here. ",
					    "BOTN",  "VIR"};
	uint32_t n = 0, most = dice_below(&w->dice, 1500);
	while (n < most) {
		const char *word = words[dice_below(&w->dice, ARRAY_LEN(words))];
		memcpy(to + n, word, strlen(word));
		n += (uint32_t)strlen(word);
	}
	return n;
}

static void start(struct world *w, uint64_t seed)
{
	world_start(w, seed);
	for (unsigned i = 0; i < 2; i++)
		w->ends[i].out_len = write_text(w, w->out[i]);
}

static uint32_t expected(const uint8_t *in, uint32_t len, uint8_t *out)
{
	uint32_t n = 0;
	for (uint32_t at = 0; at < len;) {
		size_t k = 0;
		while (k < ARRAY_LEN(changes) &&
		       (strlen(changes[k].what) > len - at ||
			memcmp(in + at, changes[k].what, strlen(changes[k].what)) != 0))
			k++;
		if (k == ARRAY_LEN(changes)) {
			out[n++] = in[at++];
			continue;
		}
		memcpy(out + n, changes[k].by, strlen(changes[k].by));
		n += (uint32_t)strlen(changes[k].by);
		at += (uint32_t)strlen(changes[k].what);
	}
	return n;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *v = getenv(name);
	return v != NULL ? strtoull(v, NULL, 10) : otherwise;
}

static bool has_a_pattern(const struct end *e)
{
	for (size_t k = 0; k < ARRAY_LEN(changes); k++)
		if (memmem(e->in, e->got, changes[k].what, strlen(changes[k].what)) != NULL)
			return true;
	return false;
}

/* What waited too long leaves, and what it was the beginning of never arrives. */
static void what_waits_too_long(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	static uint8_t want[4 * END_BYTES];
	uint64_t first = setting("SKEP_SEED", 1), runs = setting("SKEP_RUNS", RUNS), whole = 0;
	struct scrub_stats st;
	int64_t next;
	box_begin(&w->box, rules, 20 * NS_PER_MS);
	for (uint64_t seed = first; seed < first + runs; seed++) {
		bool done = false;
		w->stopped = 0;
		start(w, seed);
		for (uint32_t steps = 0; steps < STEPS && !done && w->stopped < 50; steps++) {
			world_step(w);
			if (dice_below(&w->dice, 20) == 0) {
				w->now += dice_below(&w->dice, 15) * NS_PER_MS;
				scrub_release(w->box.scrub, w->now, world_released, w, &next);
				assert_true(next > w->now);
			}
			done = end_done(&w->ends[0]) && end_done(&w->ends[1]);
		}
		assert_true(done || w->stopped > 0);
		for (unsigned d = 0; d < 2; d++) {
			uint32_t n = expected(w->out[d], w->ends[d].out_len, want);
			assert_false(has_a_pattern(&w->ends[!d]));
			if (done)
				assert_true(w->ends[!d].fin == n &&
					    memcmp(w->ends[!d].in, want, n) == 0);
		}
		whole += done;
		world_finish(w);
	}
	scrub_read_stats(w->box.scrub, &st);
	print_message("# whole %llu edits %llu held %llu timeouts %llu late %llu\n",
		      (unsigned long long)whole, (unsigned long long)st.edits,
		      (unsigned long long)st.held, (unsigned long long)st.held_timeout,
		      (unsigned long long)st.late);
	assert_true(whole > runs / 10 && whole < runs && st.held_timeout > 0);
	box_end(&w->box);
	free(w);
}

/* Each request for memory refused, alone and with all behind it; rules that replace, and one that drops. */
static void whenever_memory_is_short(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	uint64_t whole = 0, broken = 0;
	for (unsigned kind = 0; kind < 24; kind++) {
		uint64_t asked = 0;
		for (uint64_t n = 0; n <= asked; n++) {
			bool done = false;
			box_begin(&w->box, kind % 3 == 0 ? dropping : rules, HOLD);
			start(w, kind);
			short_at(n, kind % 2);
			for (uint32_t steps = 0; steps < 2500 && !done; steps++) {
				world_step(w);
				done = end_done(&w->ends[0]) && end_done(&w->ends[1]);
			}
			asked = n == 0 ? short_asked() : asked;
			short_at(0, false);
			for (unsigned d = 0; d < 2; d++)
				if (has_a_pattern(&w->ends[d]))
					fail_msg("kind %u: request %llu refused, and it came", kind,
						 (unsigned long long)n);
			whole += done;
			broken += !done;
			world_finish(w);
			box_end(&w->box);
		}
	}
	print_message("# whole %llu broken %llu\n", (unsigned long long)whole,
		      (unsigned long long)broken);
	assert_true(broken > 100);
	free(w);
}

static void exactly_the_rewritten_stream(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	static uint8_t want[4 * END_BYTES];
	uint64_t first = setting("SKEP_SEED", 1), runs = setting("SKEP_RUNS", RUNS);
	struct scrub_stats st;
	box_begin(&w->box, rules, HOLD);
	for (uint64_t seed = first; seed < first + runs; seed++) {
		uint32_t steps = 0;
		w->stopped = 0;
		start(w, seed);
		for (; steps < STEPS && !(end_done(&w->ends[0]) && end_done(&w->ends[1])); steps++)
			world_step(w);
		if (steps == STEPS)
			fail_msg("seed %llu does not end; %llu stopped", (unsigned long long)seed,
				 (unsigned long long)w->stopped);
		for (unsigned d = 0; d < 2; d++) {
			uint32_t n = expected(w->out[d], w->ends[d].out_len, want);
			if (w->ends[!d].fin != n || memcmp(w->ends[!d].in, want, n) != 0)
				fail_msg("seed %llu: not what it should be",
					 (unsigned long long)seed);
		}
		world_finish(w);
	}
	scrub_read_stats(w->box.scrub, &st);
	print_message("# edits %llu held %llu late %llu cut %llu\n", (unsigned long long)st.edits,
		      (unsigned long long)st.held, (unsigned long long)st.late,
		      (unsigned long long)st.cut);
	assert_true(st.edits > runs && st.held > runs && st.late == 0 && w->answers > runs);
	box_end(&w->box);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exactly_the_rewritten_stream),
		cmocka_unit_test(what_waits_too_long),
		cmocka_unit_test(whenever_memory_is_short),
	};
	return cmocka_run_group_tests_name("scrub_replace", tests, NULL, NULL);
}
