/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP segments as frames and back, for scrub's tests. Shares no code with what is tested. */
#ifndef SKEP_TEST_BUILD_H
#define SKEP_TEST_BUILD_H

#include "packet/packet.h"

#define SEG_MAX 8192
#define SACK_MAX 3

struct seg {
	uint32_t seq, ack;
	uint8_t flags;
	uint32_t len, n_sack;
	uint32_t sack[SACK_MAX][2];
	uint8_t data[SEG_MAX];
};

/* How a host makes its frames. */
struct how {
	struct addr src, dst;
	uint16_t sport, dport;
	int tags;
	bool extension, stamps; /* an IPv6 destination-options header; timestamps */
	bool partial;
	bool sack_ok; /* its SYN says so */
	uint16_t mss; /* longer segments become super-frames */
};

/* Numbers from a seed. */
struct dice {
	uint64_t state;
};
uint32_t dice_roll(struct dice *d);
/* 0 .. n - 1 */
uint32_t dice_below(struct dice *d, uint32_t n);

/* Writes f (room for all). urgent: with URG and a pointer. */
void build_seg(struct frame *f, const struct how *how, const struct seg *s);
/* Checks every checksum and length of f, and cuts it as the kernel would: returns the number of segments, at
 * most max. The same headers as how's (addresses, tags, timestamps) are demanded. */
uint32_t parse_segs(const struct frame *f, const struct how *how, struct seg *ret, uint32_t max);

#endif
