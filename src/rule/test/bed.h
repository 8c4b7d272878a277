/* SPDX-License-Identifier: BSD-2-Clause */
/* A rule set with an engine, and conversations made by hand: for the tests of matching. */
#ifndef SKEP_RULE_TEST_BED_H
#define SKEP_RULE_TEST_BED_H

#include "rule/rule.h"

#define BED_STREAM 262144u

struct bed {
	struct slab *slab;
	struct rule_set *set;
	struct rule_engine *engine;
	struct app_ctx *apps;
	struct stream_flow flow;
	uint8_t *data[2]; /* what each side has said so far */
	struct rule_hit hits[RULE_HITS];
	uint32_t n_hits;
	uint64_t frames;
	int64_t now_ns;
	uint32_t fired[64]; /* by sid, over all packets */
};

/* Rules from text, one a line; all must load. snapshot: descriptor or NULL; budget 0: the default. */
void bed_open(struct bed *b, const char *rules, const int *snapshot, uint32_t budget);
void bed_close(struct bed *b);
/* A new conversation (the old one ends first): tcp or udp, established. */
void bed_flow(struct bed *b, bool tcp, uint16_t client_port, uint16_t server_port);
/* One packet without a flow. */
void bed_packet(struct bed *b, const struct pkt *p);
void bed_udp(struct bed *b, const void *data, uint32_t len);
/* A piece of a TCP side, in order; parsed too once bed_app was called. */
void bed_say(struct bed *b, unsigned dir, const void *data, uint32_t len);
void bed_app(struct bed *b);
/* The conversation is over. */
void bed_end(struct bed *b);
/* How often the rule fired since bed_open; sid < 64. */
uint32_t bed_fired(const struct bed *b, uint32_t sid);
void bed_forget(struct bed *b);

#endif
