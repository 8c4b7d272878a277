/* SPDX-License-Identifier: BSD-2-Clause */
/* A scrub with rules of a test's own. */
#ifndef SKEP_TEST_BOX_H
#define SKEP_TEST_BOX_H

#include "build.h"
#include "scrub/scrub.h"

struct box {
	struct scrub *scrub;
	struct rule_set *rules;
	uint32_t alerts;
	uint32_t max_tx; /* from now on: transactions of a flow; 0: the usual */
	uint32_t body;   /* from now on: bytes of a body kept; 0: the usual */
};
void box_begin(struct box *b, const char *rules, int64_t hold_ns);
void box_end(struct box *b);

#endif
