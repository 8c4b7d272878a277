/* SPDX-License-Identifier: BSD-2-Clause */
/* A conversation inline: what one side sends, and what of it leaves after the rules' edits, as a scrubber makes
 * them. Everything that rule_edits and rule_hold promise is asserted on the way. */
#ifndef SKEP_RULE_TEST_RIVER_H
#define SKEP_RULE_TEST_RIVER_H

#include "rule/test/bed.h"

#define RIVER_EDITS 4096u

struct river_side {
	uint8_t *out; /* what has left */
	uint64_t n_out, gone;
	struct rule_edit edits[RIVER_EDITS]; /* made, and not left yet */
	uint32_t n_edits;
	uint32_t held; /* times that bytes waited */
};
struct river {
	struct bed bed; /* its flow, data and rules; its engine is inline */
	struct river_side side[2];
	bool dropped;
	uint32_t alerts;
};

void river_open(struct river *r, const char *rules, bool reframes);
void river_close(struct river *r);
/* A new conversation. */
void river_flow(struct river *r, bool tcp, uint16_t server_port);
/* The next bytes of a side, in order, as one packet. */
void river_say(struct river *r, unsigned dir, const void *data, uint32_t len);
/* What waits has waited long enough. */
void river_release(struct river *r, unsigned dir);
/* What left of a side is exactly this, and nothing waits. */
void river_left(const struct river *r, unsigned dir, const char *text, size_t len);

#endif
