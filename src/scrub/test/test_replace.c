/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replaced streams from end to end: two honest endpoints, wires that lose, double and reorder, and a scrub with
 * rules in between, for both directions at once. Each end gets exactly what the rules make of what the other one
 * said, and sees all that it said acknowledged. SKEP_SEED and SKEP_RUNS repeat or extend a run.
 */
#include "box.h"
#include "end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet/test/frames.h"

#define RUNS 1000
#define STEPS 300000
#define WIRE 48
#define SEGS 512
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

struct wire {
	struct frame *f[WIRE];
	uint32_t n;
};

struct world {
	struct box box;
	struct dice dice;
	struct end ends[2];
	uint8_t out[2][END_BYTES];
	struct how how[2];
	struct wire wires[2][2]; /* [i][0] from end i to the box, [i][1] on to the other */
	uint32_t loss, twice;
	uint16_t mss;
	int64_t now;
	uint64_t stopped;
	struct seg seg, segs[SEGS];
};

static bool percent(struct world *w, uint32_t p)
{
	return dice_below(&w->dice, 100) < p;
}

static void wire_push(struct world *w, struct wire *q, const struct frame *f)
{
	for (uint32_t copies = 1 + percent(w, w->twice); copies > 0; copies--) {
		if (percent(w, w->loss) || q->n == WIRE)
			continue;
		struct frame *copy = frame_new(f->len);
		memcpy(copy->data, f->data, f->len);
		copy->len = f->len;
		copy->vnet = f->vnet;
		q->f[q->n++] = copy;
	}
}

static struct frame *wire_pop(struct world *w, struct wire *q)
{
	if (q->n == 0)
		return NULL;
	uint32_t i = percent(w, 60) ? 0 : dice_below(&w->dice, q->n < 5 ? q->n : 5);
	struct frame *f = q->f[i];
	memmove(&q->f[i], &q->f[i + 1], (q->n - i - 1) * sizeof(f));
	q->n--;
	return f;
}

static void trace(const struct world *w, unsigned dir, const char *what, const struct frame *f,
		  const struct scrub_seen *seen)
{
	struct layers l;
	if (getenv("SKEP_TRACE") == NULL)
		return;
	packet_decode(f, &l);
	uint32_t len = l.l3_end - l.payload;
	fprintf(stderr, "%u %s flags %02x seq %d+%u ack %d '%.*s' %s\n", dir, what, l.tcp_flags,
		(int)(l.seq - w->ends[dir].iss - 1), len, (int)(l.ack - w->ends[!dir].iss - 1),
		(int)len, (const char *)f->data + l.payload,
		seen->act != SCRUB_PASS ? reason_text(seen->reason) : "");
}

/* What leaves the box for end dir's other one. */
static void leaves(struct world *w, unsigned dir, const struct frame *f)
{
	parse_segs(f, &w->how[dir], w->segs, SEGS);
	wire_push(w, &w->wires[dir][1], f);
}

static bool through(struct world *w, unsigned dir, const struct frame *in)
{
	struct frame *f = frame_new(FRAME_MAX), **out;
	struct layers l;
	struct scrub_seen seen;
	memcpy(f->data, in->data, in->len);
	f->len = in->len;
	f->vnet = in->vnet;
	packet_decode(f, &l);
	w->now += NS_PER_MS;
	scrub_look(w->box.scrub, f, &l, w->now, &seen);
	bool fine = seen.act == SCRUB_PASS;
	trace(w, dir, "in ", in, &seen);
	uint32_t n = fine ? scrub_emit(w->box.scrub, &seen, f, &l, (uint16_t)!dir, &out) : 0;
	for (uint32_t i = 0; i < n; i++) {
		trace(w, dir, "out", out[i], &seen);
		leaves(w, dir, out[i]);
	}
	w->stopped += !fine;
	frame_free(f);
	return fine;
}

static void box(struct world *w, unsigned dir)
{
	struct frame *in = wire_pop(w, &w->wires[dir][0]);
	if (in == NULL)
		return;
	(void)through(w, dir, in);
	frame_free(in);
}

static void end_send(struct world *w, unsigned i)
{
	struct frame *f = frame_new(FRAME_MAX);
	build_seg(f, &w->how[i], &w->seg);
	wire_push(w, &w->wires[i][0], f);
	frame_free(f);
}

static void deliver(struct world *w, unsigned dir)
{
	struct frame *f = wire_pop(w, &w->wires[dir][1]);
	if (f == NULL)
		return;
	uint32_t n = parse_segs(f, &w->how[dir], w->segs, SEGS);
	for (uint32_t i = 0; i < n; i++)
		if ((n == 1 || !percent(w, w->loss)) &&
		    end_take(&w->ends[!dir], &w->segs[i], &w->seg))
			end_send(w, !dir);
	frame_free(f);
}

static bool idle(const struct world *w)
{
	return w->wires[0][0].n + w->wires[0][1].n + w->wires[1][0].n + w->wires[1][1].n == 0;
}

static void step(struct world *w)
{
	unsigned dir = dice_below(&w->dice, 2);
	uint32_t what = dice_below(&w->dice, 40);
	bool quiet = idle(w);
	if (what < 8) {
		if (end_next(&w->ends[dir], &w->seg))
			end_send(w, dir);
	} else if (what < 22) {
		box(w, dir);
	} else if (what < 38) {
		deliver(w, dir);
	} else if (what == 38 || quiet) {
		if ((quiet || percent(w, 20)) && end_again(&w->ends[dir], &w->seg))
			end_send(w, dir);
	} else if (percent(w, 10)) {
		end_keepalive(&w->ends[dir], &w->seg);
		end_send(w, dir);
	}
}

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

static void hand_shake(struct world *w)
{
	struct frame *f = frame_new(FRAME_MAX);
	for (unsigned k = 0; k < 3; k++) {
		unsigned d = k % 2;
		w->seg = (struct seg){
			.seq = w->ends[d].iss + (k == 2),
			.ack = k > 0 ? w->ends[!d].iss + 1 : 0,
			.flags = (uint8_t)((k < 2 ? TCP_SYN : 0) | (k > 0 ? TCP_ACK : 0))};
		build_seg(f, &w->how[d], &w->seg);
		assert_true(through(w, d, f));
		while (w->wires[d][1].n > 0)
			frame_free(w->wires[d][1].f[--w->wires[d][1].n]);
	}
	frame_free(f);
}

static void start(struct world *w, uint64_t seed)
{
	w->dice.state = seed * 0x9e3779b97f4a7c15u + 1;
	for (int i = 0; i < 8; i++)
		dice_roll(&w->dice);
	w->loss = dice_below(&w->dice, 20);
	w->twice = dice_below(&w->dice, 15);
	w->mss = (uint16_t)(1 + dice_below(&w->dice, dice_below(&w->dice, 2) ? 40 : 400));
	if (w->mss < 20)
		w->mss += 20; /* so that a run ends some day */
	int ver = dice_below(&w->dice, 2) == 0 ? 4 : 6;
	struct addr a = random_addr(ver), b = random_addr(ver);
	int tags = (int)dice_below(&w->dice, 3);
	for (unsigned i = 0; i < 2; i++) {
		w->how[i] = (struct how){.src = i ? b : a,
					 .dst = i ? a : b,
					 .sport = (uint16_t)(i ? 80 : 40000 + seed % 20000),
					 .dport = (uint16_t)(i ? 40000 + seed % 20000 : 80),
					 .tags = tags,
					 .extension = ver == 6 && dice_below(&w->dice, 3) == 0,
					 .stamps = dice_below(&w->dice, 2),
					 .partial = dice_below(&w->dice, 2),
					 .mss = w->mss};
		struct end *e = &w->ends[i];
		*e = (struct end){.dice = &w->dice, .fin = NO_FIN, .mss = w->mss, .window = 2000};
		e->out_len = write_text(w, w->out[i]);
		e->out = w->out[i];
		e->iss = dice_below(&w->dice, 2) == 0 ? 0u - dice_below(&w->dice, 1200)
						      : dice_roll(&w->dice);
		/* Who sends only the first hole again waits for the hold's end if the next one is lost as
		 * well: then a rule is late, as it should be. */
		e->fixed = false;
		e->super = dice_below(&w->dice, 2);
	}
	w->ends[0].irs = w->ends[1].iss;
	w->ends[1].irs = w->ends[0].iss;
	hand_shake(w);
}

static void finish(struct world *w)
{
	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < 2; k++)
			while (w->wires[i][k].n > 0)
				frame_free(w->wires[i][k].f[--w->wires[i][k].n]);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *v = getenv(name);
	return v != NULL ? strtoull(v, NULL, 10) : otherwise;
}

static void send_released(void *ctx, uint16_t port, struct frame *f)
{
	struct world *w = ctx;
	const struct scrub_seen pass = {0};
	trace(w, !port, "rel", f, &pass);
	leaves(w, !port, f);
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
			step(w);
			if (dice_below(&w->dice, 20) == 0) {
				w->now += dice_below(&w->dice, 15) * NS_PER_MS;
				scrub_release(w->box.scrub, w->now, send_released, w, &next);
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
		finish(w);
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
			step(w);
		if (steps == STEPS)
			fail_msg("seed %llu does not end; %llu stopped", (unsigned long long)seed,
				 (unsigned long long)w->stopped);
		for (unsigned d = 0; d < 2; d++) {
			uint32_t n = expected(w->out[d], w->ends[d].out_len, want);
			if (w->ends[!d].fin != n || memcmp(w->ends[!d].in, want, n) != 0)
				fail_msg("seed %llu: not what it should be",
					 (unsigned long long)seed);
		}
		finish(w);
	}
	scrub_read_stats(w->box.scrub, &st);
	print_message("# edits %llu held %llu late %llu cut %llu\n", (unsigned long long)st.edits,
		      (unsigned long long)st.held, (unsigned long long)st.late,
		      (unsigned long long)st.cut);
	assert_true(st.edits > runs && st.held > runs && st.late == 0);
	box_end(&w->box);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exactly_the_rewritten_stream),
		cmocka_unit_test(what_waits_too_long),
	};
	return cmocka_run_group_tests_name("scrub_replace", tests, NULL, NULL);
}
