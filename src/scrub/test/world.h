/* SPDX-License-Identifier: BSD-2-Clause */
/* Two honest endpoints, wires that lose, double and reorder, and a scrub with rules in between. */
#ifndef SKEP_TEST_WORLD_H
#define SKEP_TEST_WORLD_H

#include "box.h"
#include "end.h"

#define WORLD_WIRE 48
#define WORLD_SEGS 512

struct wire {
	struct frame *f[WORLD_WIRE];
	uint32_t n;
};

/* how, out and the dice are for the test to read. */
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
	uint64_t stopped, answers;
	struct seg seg, segs[WORLD_SEGS];
};

/* A connection from the seed, open; what its ends say is written by the caller: out, then ends' out_len. */
void world_start(struct world *w, uint64_t seed);
/* One thing happens: somebody says something, or a frame goes on. */
void world_step(struct world *w);
/* For scrub_release; ctx: the world. */
void world_released(void *ctx, uint16_t port, struct frame *f);
/* One frame through the box, from end dir; false: it was stopped. */
bool world_through(struct world *w, unsigned dir, const struct frame *in);
/* What is under way is lost. */
void world_finish(struct world *w);

#endif
