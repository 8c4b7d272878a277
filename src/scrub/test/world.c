/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet/test/frames.h"

static bool percent(struct world *w, uint32_t p)
{
	return dice_below(&w->dice, 100) < p;
}

static void wire_push(struct world *w, struct wire *q, const struct frame *f)
{
	for (uint32_t copies = 1 + percent(w, w->twice); copies > 0; copies--) {
		if (percent(w, w->loss) || q->n == WORLD_WIRE)
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
	parse_segs(f, &w->how[dir], w->segs, WORLD_SEGS);
	wire_push(w, &w->wires[dir][1], f);
}

bool world_through(struct world *w, unsigned dir, const struct frame *in)
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
	struct frame *back = fine ? scrub_back(w->box.scrub) : NULL;
	if (back != NULL) {
		trace(w, !dir, "ans", back, &seen);
		leaves(w, !dir, back);
		w->answers++;
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
	(void)world_through(w, dir, in);
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
	uint32_t n = parse_segs(f, &w->how[dir], w->segs, WORLD_SEGS);
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

void world_step(struct world *w)
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
		/* Nothing is acknowledged for long: what was selectively, is so no more (RFC 2018 8). */
		if (quiet && percent(w, 20))
			memset(w->ends[dir].sacked, 0, sizeof(w->ends[dir].sacked));
		if ((quiet || percent(w, 20)) && end_again(&w->ends[dir], &w->seg))
			end_send(w, dir);
	} else if (percent(w, 10)) {
		end_keepalive(&w->ends[dir], &w->seg);
		end_send(w, dir);
	}
	int64_t next;
	if (quiet) /* nothing else moves the clock */
		w->now += 20 * NS_PER_MS;
	scrub_release(w->box.scrub, w->now, world_released, w, &next);
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
		assert_true(world_through(w, d, f));
		while (w->wires[d][1].n > 0)
			frame_free(w->wires[d][1].f[--w->wires[d][1].n]);
	}
	frame_free(f);
}

void world_start(struct world *w, uint64_t seed)
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
	bool sack_ok = dice_below(&w->dice, 3) > 0;
	for (unsigned i = 0; i < 2; i++) {
		w->how[i] = (struct how){.src = i ? b : a,
					 .dst = i ? a : b,
					 .sport = (uint16_t)(i ? 80 : 40000 + seed % 20000),
					 .dport = (uint16_t)(i ? 40000 + seed % 20000 : 80),
					 .tags = tags,
					 .sack_ok = sack_ok,
					 .extension = ver == 6 && dice_below(&w->dice, 3) == 0,
					 .stamps = dice_below(&w->dice, 2),
					 .partial = dice_below(&w->dice, 2),
					 .mss = w->mss};
		struct end *e = &w->ends[i];
		*e = (struct end){.dice = &w->dice, .fin = NO_FIN, .mss = w->mss, .window = 2000};
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

void world_finish(struct world *w)
{
	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < 2; k++)
			while (w->wires[i][k].n > 0)
				frame_free(w->wires[i][k].f[--w->wires[i][k].n]);
}

void world_released(void *ctx, uint16_t port, struct frame *f)
{
	struct world *w = ctx;
	const struct scrub_seen pass = {0};
	trace(w, !port, "rel", f, &pass);
	leaves(w, !port, f);
}
