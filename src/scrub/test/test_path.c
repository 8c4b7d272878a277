/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translation from end to end: two honest endpoints, a wire on each side of the box that loses, doubles and
 * reorders, and a box that edits and holds back both directions at random, by xlate and emit on whole frames.
 * The receiver must get exactly the edited stream (and never two different bytes for one place), the sender
 * must see all of it acknowledged. SKEP_SEED and SKEP_RUNS repeat or extend a run.
 */
#include "end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet/test/frames.h"
#include "scrub/emit_priv.h"

#ifdef SKEP_SANITIZE
#define RUNS 600
#else
#define RUNS 3000
#endif
#define STEPS 300000
#define WIRE 48
#define EDITS 200
#define SEGS 512

struct wire {
	struct frame *f[WIRE];
	uint32_t n;
};

struct change {
	uint32_t off, len, n;
	uint8_t bytes[64];
};

/* The box's half for one direction. */
struct way {
	uint8_t in[END_BYTES];
	bool have[END_BYTES];
	uint32_t end, fin; /* in order; the FIN's offset */
	uint32_t decided;  /* edits begin here or later */
	struct xlate *x;
	struct frame *head; /* for bytes that are released */
	struct layers head_l;
	struct change changes[EDITS];
	uint32_t n_changes;
};

struct world {
	struct dice dice;
	struct slab *slab;
	struct emit *emit;
	struct end ends[2];
	uint8_t out[2][END_BYTES];
	struct how how[2];       /* of the frames that end i sends */
	struct wire wires[2][2]; /* [i][0] from end i to the box, [i][1] on to the other */
	struct way ways[2];
	uint32_t loss, twice, edit, hold; /* percent */
	uint16_t mss;
	uint32_t window;                        /* a small one is shorter than some edits */
	uint32_t plain, made, probes, released; /* what the box did */
	struct seg seg, segs[SEGS];
};

static bool percent(struct world *w, uint32_t p)
{
	return dice_below(&w->dice, 100) < p;
}

/* ---- wires ---------------------------------------------------------------------------------------- */

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

/* ---- the box -------------------------------------------------------------------------------------- */

static void decide(struct world *w, struct way *y)
{
	uint32_t at = y->decided, emitted = (uint32_t)xlate_emitted(y->x);
	at = at > emitted ? at : emitted;
	while (y->n_changes < EDITS && percent(w, w->edit) && at <= y->end) {
		struct change *c = &y->changes[y->n_changes];
		uint32_t left = y->end - at, skip = dice_below(&w->dice, 4) == 0 ? 0 : left;
		c->off = at + (skip > 0 ? dice_below(&w->dice, skip + 1) : 0);
		left = y->end - c->off;
		c->len = dice_below(&w->dice, 3) == 0 ? 0 : dice_below(&w->dice, 30);
		c->len = c->len < left ? c->len : left;
		c->n = dice_below(&w->dice, 3) == 0 ? c->len : dice_below(&w->dice, 30);
		if (dice_below(&w->dice, 4) == 0)
			c->n = 0;
		for (uint32_t i = 0; i < c->n; i++)
			c->bytes[i] = (uint8_t)dice_roll(&w->dice);
		assert_int_equal(xlate_edit(y->x, c->off, c->len, c->bytes, c->n), 0);
		at = c->off + c->len;
		y->decided = at;
		y->n_changes += c->len + c->n > 0;
	}
	int64_t limit = XLATE_FREE_RUN;
	if (percent(w, w->hold))
		limit = emitted + dice_below(&w->dice, y->end - emitted + 2);
	xlate_set_limit(y->x, limit);
}

/* Takes the bytes of a frame; true if the stream in order has grown. */
static bool take(struct way *y, const struct frame *f, const struct layers *l, int64_t at)
{
	uint32_t before = y->end;
	for (uint32_t i = 0; i < l->l3_end - l->payload; i++) {
		int64_t off = at + i;
		assert_true(off < END_BYTES && off >= 0);
		y->have[off] = true;
		y->in[off] = f->data[l->payload + i];
	}
	if (l->tcp_flags & TCP_FIN)
		y->fin = (uint32_t)at + l->l3_end - l->payload;
	while (y->end < END_BYTES && y->have[y->end])
		y->end++;
	if (y->end == y->fin && before != y->fin + 1)
		y->end = y->fin; /* the FIN counts when it is emitted */
	return y->end > before;
}

static int64_t target(const struct way *y)
{
	int64_t to = y->end == y->fin ? y->fin + INT64_C(1) : y->end;
	return to < xlate_limit(y->x) ? to : xlate_limit(y->x);
}

static void send_made(struct world *w, unsigned dir)
{
	struct frame **list;
	uint32_t n = emit_frames(w->emit, &list);
	for (uint32_t i = 0; i < n; i++) {
		parse_segs(list[i], &w->how[dir], w->segs, SEGS);
		wire_push(w, &w->wires[dir][1], list[i]);
	}
	emit_clear(w->emit);
}

/* Bytes from .. to (in offsets, all emitted) behind this head. false: there are none that the receiver lacks. */
static bool make(struct world *w, unsigned dir, const struct frame *head, const struct layers *l,
		 int64_t from, int64_t to)
{
	struct way *y = &w->ways[dir];
	/* Only what the receiver lacks is kept, as in stream. */
	int64_t kept = xlate_in(y->x, xlate_out_acked(y->x)), done;
	kept = kept < 0 ? 0 : kept;
	struct emit_what what = {
		.x = y->x,
		.kept = {kept, y->in + kept, y->end > kept ? (uint32_t)(y->end - kept) : 0},
		.push = true,
		.mss = w->mss};
	xlate_span(y->x, from, to, &what.from, &what.to);
	if (what.from == what.to)
		return false;
	what.fin = to == (int64_t)y->fin + 1;
	assert_int_equal(emit_stream(w->emit, head, l, &what, &done), 0);
	assert_int_equal(done, what.to);
	w->made++;
	return true;
}

static void box_stream(struct world *w, unsigned dir, struct frame *f, struct layers *l,
		       int64_t from, int64_t to)
{
	struct way *y = &w->ways[dir];
	const struct xlate *peer = w->ways[!dir].x;
	int64_t old = xlate_emitted(y->x), now = xlate_emit(y->x, target(y));
	int64_t first = from < old ? from : old;
	int64_t last = now > old ? now : to < now ? to : now;
	bool plain = first == from && last == to && xlate_plain(y->x, from, to);
	emit_headers(f, l, y->x, peer);
	if (plain) {
		w->plain++;
		assert_int_equal(emit_add(w->emit, f), 0);
	} else if (first >= last || !make(w, dir, f, l, first, last)) {
		w->probes++;
		emit_probe(f, l, y->x);
		assert_int_equal(emit_add(w->emit, f), 0);
	}
}

static void box(struct world *w, unsigned dir)
{
	struct way *y = &w->ways[dir], *other = &w->ways[!dir];
	struct frame *in = wire_pop(w, &w->wires[dir][0]);
	struct layers l;
	if (in == NULL)
		return;
	struct frame *f = frame_new(FRAME_MAX);
	memcpy(f->data, in->data, in->len);
	f->len = in->len;
	f->vnet = in->vnet;
	packet_decode(f, &l);
	int64_t from = xlate_seq_off(y->x, l.seq);
	int64_t to = from + (l.l3_end - l.payload) + (l.tcp_flags & TCP_FIN ? 1 : 0);
	if (l.tcp_flags & TCP_ACK)
		xlate_acked(other->x, xlate_ack_off(other->x, l.ack));
	if (to == from) {
		emit_headers(f, &l, y->x, other->x);
		assert_int_equal(emit_add(w->emit, f), 0);
	} else {
		if (take(y, f, &l, from) || xlate_limit(y->x) == XLATE_FREE_RUN)
			decide(w, y);
		box_stream(w, dir, f, &l, from, to);
	}
	send_made(w, dir);
	memcpy(y->head->data, f->data, l.payload);
	y->head->vnet = f->vnet;
	y->head_l = l;
	frame_free(f);
	frame_free(in);
}

/* The time of what waits is over. */
static void release(struct world *w, unsigned dir)
{
	struct way *y = &w->ways[dir];
	int64_t old = xlate_emitted(y->x);
	xlate_set_limit(y->x, XLATE_FREE_RUN);
	int64_t now = xlate_emit(y->x, target(y));
	if (now == old || y->head_l.l4 == 0)
		return;
	w->released++;
	if (!make(w, dir, y->head, &y->head_l, old, now)) {
		struct frame *f = frame_cut(y->head, y->head_l.payload);
		struct layers l = y->head_l;
		emit_probe(f, &l, y->x);
		assert_int_equal(emit_add(w->emit, f), 0);
		send_made(w, dir);
		frame_free(f);
		return;
	}
	send_made(w, dir);
}

/* ---- the ends ------------------------------------------------------------------------------------- */

static void end_send(struct world *w, unsigned i)
{
	struct frame *f = frame_new(FRAME_MAX);
	build_seg(f, &w->how[i], &w->seg);
	wire_push(w, &w->wires[i][0], f);
	frame_free(f);
}

/* Delivers a frame of end `dir` to the other one, as the segments that the kernel makes of it. */
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
	} else if (what < 37) {
		deliver(w, dir);
	} else if (what == 37) {
		release(w, dir);
	} else if (what == 38 || quiet) { /* now and then without need */
		if ((quiet || percent(w, 20)) && end_again(&w->ends[dir], &w->seg))
			end_send(w, dir);
	} else if (percent(w, 10)) {
		end_keepalive(&w->ends[dir], &w->seg);
		end_send(w, dir);
	}
}

/* ---- a run ---------------------------------------------------------------------------------------- */

static void start_end(struct world *w, unsigned i)
{
	struct end *e = &w->ends[i];
	*e = (struct end){.dice = &w->dice, .fin = NO_FIN, .mss = w->mss, .window = w->window};
	e->out_len = dice_below(&w->dice, 10) == 0 ? dice_below(&w->dice, 20)
						   : dice_below(&w->dice, 1500);
	for (uint32_t k = 0; k < e->out_len; k++)
		w->out[i][k] = (uint8_t)dice_roll(&w->dice);
	e->out = w->out[i];
	e->iss = dice_roll(&w->dice);
	if (dice_below(&w->dice, 2) == 0)
		e->iss = 0u - dice_below(&w->dice, 1200); /* wraps in the middle */
	e->fixed = dice_below(&w->dice, 2);
	e->super = dice_below(&w->dice, 2);
}

static void start_way(struct world *w, unsigned i)
{
	struct way *y = &w->ways[i];
	memset(y, 0, sizeof(*y));
	y->fin = NO_FIN;
	y->head = frame_new(FRAME_MAX);
	assert_int_equal(xlate_create(w->slab, w->ends[i].iss + 1, 0, &y->x), 0);
}

static void start(struct world *w, uint64_t seed)
{
	w->dice.state = seed * 0x9e3779b97f4a7c15u + 1;
	for (int i = 0; i < 8; i++)
		dice_roll(&w->dice);
	w->loss = dice_below(&w->dice, 20);
	w->twice = dice_below(&w->dice, 15);
	w->edit = dice_below(&w->dice, 4) == 0 ? 0 : dice_below(&w->dice, 80);
	w->hold = dice_below(&w->dice, 60);
	w->mss = (uint16_t)(1 + dice_below(&w->dice, dice_below(&w->dice, 2) ? 40 : 400));
	if (w->mss < 20)
		w->mss += 20; /* so that a run ends some day */
	w->window = dice_below(&w->dice, 3) == 0 ? 25 + dice_below(&w->dice, 300) : 2000;
	w->plain = w->made = w->probes = w->released = 0;
	int ver = dice_below(&w->dice, 2) == 0 ? 4 : 6;
	struct addr a = random_addr(ver), b = random_addr(ver);
	for (unsigned i = 0; i < 2; i++) {
		w->how[i] = (struct how){.src = i ? b : a,
					 .dst = i ? a : b,
					 .sport = i ? 80 : 40000,
					 .dport = i ? 40000 : 80,
					 .tags = (int)dice_below(&w->dice, 3),
					 .extension = ver == 6 && dice_below(&w->dice, 3) == 0,
					 .stamps = dice_below(&w->dice, 2),
					 .partial = dice_below(&w->dice, 2),
					 .mss = w->mss};
		start_end(w, i);
		start_way(w, i);
	}
	w->ends[0].irs = w->ends[1].iss;
	w->ends[1].irs = w->ends[0].iss;
}

/* The edited stream, worked out from the list of changes alone. */
static uint32_t expected(const struct way *y, const uint8_t *in, uint32_t len, uint8_t *out)
{
	uint32_t n = 0;
	/* Made in rising order: decide() never goes back. */
	uint32_t at = 0;
	for (uint32_t i = 0; i < y->n_changes; i++) {
		const struct change *c = &y->changes[i];
		assert_true(c->off >= at && n + c->off - at + c->n <= END_BYTES);
		memcpy(out + n, in + at, c->off - at);
		n += c->off - at;
		memcpy(out + n, c->bytes, c->n);
		n += c->n;
		at = c->off + c->len;
	}
	memcpy(out + n, in + at, len - at);
	return n + len - at;
}

static void check(struct world *w, unsigned dir)
{
	static uint8_t want[END_BYTES];
	const struct end *to = &w->ends[!dir], *from = &w->ends[dir];
	struct way *y = &w->ways[dir];
	uint32_t n = expected(y, from->out, from->out_len, want);
	assert_int_equal(to->fin, n);
	assert_memory_equal(to->in, want, n);
	assert_int_equal(xlate_edited(y->x), y->n_changes > 0);
	if (y->n_changes == 0)
		assert_int_equal(from->out_len, n);
}

static void finish(struct world *w)
{
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned k = 0; k < 2; k++)
			while (w->wires[i][k].n > 0)
				frame_free(w->wires[i][k].f[--w->wires[i][k].n]);
		frame_free(w->ways[i].head);
		xlate_free(&w->ways[i].x);
		assert_null(w->ways[i].x);
	}
	struct slab_stats st;
	slab_read_stats(w->slab, &st);
	assert_int_equal(st.used, 0);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *v = getenv(name);
	return v != NULL ? strtoull(v, NULL, 10) : otherwise;
}

/* Where a run that doesn't end stands. */
static void tell(const struct world *w)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct end *e = &w->ends[i];
		const struct way *y = &w->ways[i];
		print_message(
			"# %u: len %u una %u nxt %u got %u fin %u; box end %u fin %u emitted %lld "
			"limit %lld acked %lld out %lld\n",
			i, e->out_len, e->una, e->nxt, e->got, e->fin, y->end, y->fin,
			(long long)xlate_emitted(y->x), (long long)xlate_limit(y->x),
			(long long)xlate_out_acked(y->x),
			(long long)xlate_out(y->x, xlate_emitted(y->x)));
	}
}

static void test_random_runs(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	uint64_t first = setting("SKEP_SEED", 1), runs = setting("SKEP_RUNS", RUNS);
	uint64_t plain = 0, made = 0, probes = 0, released = 0, changes = 0;
	assert_int_equal(slab_create(64 << 20, &w->slab), 0);
	assert_int_equal(emit_create(&w->emit), 0);
	for (uint64_t seed = first; seed < first + runs; seed++) {
		uint32_t steps = 0;
		start(w, seed);
		for (; steps < STEPS && !(end_done(&w->ends[0]) && end_done(&w->ends[1])); steps++)
			step(w);
		if (steps == STEPS)
			tell(w);
		if (steps == STEPS)
			fail_msg("seed %llu does not end", (unsigned long long)seed);
		check(w, 0);
		check(w, 1);
		plain += w->plain, made += w->made;
		probes += w->probes, released += w->released;
		changes += w->ways[0].n_changes + w->ways[1].n_changes;
		finish(w);
	}
	print_message("# plain %llu made %llu probes %llu released %llu edits %llu\n",
		      (unsigned long long)plain, (unsigned long long)made,
		      (unsigned long long)probes, (unsigned long long)released,
		      (unsigned long long)changes);
	assert_true(runs < 100 || (plain > 0 && made > 0 && probes > 0 && released > 0));
	emit_free(&w->emit);
	slab_free_all(&w->slab);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_runs)};
	return cmocka_run_group_tests_name("scrub_path", tests, NULL, NULL);
}
