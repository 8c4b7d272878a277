/* SPDX-License-Identifier: BSD-2-Clause */
/* A small honest TCP endpoint: cuts its data into segments, acknowledges (cumulatively and selectively), takes
 * data in any order, sends again what is missing, closes. For scrub's tests. */
#ifndef SKEP_TEST_END_H
#define SKEP_TEST_END_H

#include "build.h"

#define END_BYTES 8192 /* most that a stream has, edits included */
#define NO_FIN UINT32_MAX

struct end {
	struct dice *dice;
	uint32_t iss, irs, mss;
	uint32_t window;   /* of both ends, in bytes */
	bool fixed, super; /* segments always full; several at once */
	/* sent: offsets count from 0, the FIN is byte out_len */
	const uint8_t *out;
	uint32_t out_len, una, nxt;
	uint32_t kept; /* so much of the end (the FIN included) is not said yet */
	bool sacked[END_BYTES + 1];
	/* received */
	uint8_t in[END_BYTES];
	bool have[END_BYTES];
	uint32_t got, fin; /* got: in order, the FIN included */
	uint32_t dup[2];   /* the last duplicate, for a D-SACK */
};

/* All that was sent (FIN included) was acknowledged, and all came. */
bool end_done(const struct end *e);
/* The next new segment; false: there is none (or the window is full). */
bool end_next(struct end *e, struct seg *ret);
/* Something sent again; false: nothing is missing. */
bool end_again(struct end *e, struct seg *ret);
/* Takes a segment; true: *ret_ack is to be sent. */
bool end_take(struct end *e, const struct seg *s, struct seg *ret_ack);
/* A keep-alive probe. */
void end_keepalive(struct end *e, struct seg *ret);

#endif
