/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * outlet: what one consumer of hub's events (ledger, alerter) is still to get. Fixed memory; never waits; events go
 * out in the order of their ids. A full lane drops what is new in it, and counts it. Used by hub only.
 *
 * A consumer that acknowledges gets again, if it dies and comes back, what it had not dealt with: such an
 * event keeps its place until then.
 */
#ifndef SKEP_OUTLET_H
#define SKEP_OUTLET_H

#include "event/event.h"

/* Each holds its own: what floods one pushes nothing out of another. */
enum outlet_lane {
	OUTLET_ROUTINE, /* priority 0 */
	OUTLET_NOTABLE, /* 1 and 2; the last OUTLET_URGENT places are for 2 alone */
	OUTLET_ESCAPE,  /* EVENT_ESCAPE, whatever its priority */
	OUTLET_LANES
};
#define OUTLET_URGENT 256u
#define OUTLET_ESCAPES 64u /* places of OUTLET_ESCAPE */

struct outlet {
	int fd;
	bool acks;
	bool says_again; /* "from here on it is all" is due, before anything else */
	uint64_t lost;   /* since it was last set to 0: the caller tells */
	struct {
		struct event *slots;
		uint32_t size, head, n;
		uint32_t sent; /* of n, from the head: sent, not acknowledged */
	} lanes[OUTLET_LANES];
};

/* The id after last, which was given passed_us ago: the time, if that is greater. When the clock was set back ids still
 * go on at a clock's pace, a little slower until it has caught up: whoever takes them for the time sees it pass. */
uint64_t outlet_id(uint64_t last, uint64_t wall_us, uint64_t passed_us);
/* How far they go in that time. */
uint64_t outlet_pace(uint64_t passed);

/* Bytes of arena that one needs. */
size_t outlet_bytes(uint32_t routine, uint32_t notable);
/* fd stays the caller's. notable must be over OUTLET_URGENT. SKEP_EFULL: the arena is too small. */
MUST_USE int outlet_create(struct arena *arena, int fd, bool acks, uint32_t routine,
			   uint32_t notable, struct outlet *ret);
/* Takes an event with an id, each greater than the one before in its lane. */
void outlet_push(struct outlet *o, const struct event *e);
/* Sends as much as the channel takes. */
void outlet_send(struct outlet *o);
/* Up to id all is dealt with; again: what is newer goes out once more, behind a message that says so. Any numbers
 * do no harm. */
void outlet_seen(struct outlet *o, uint64_t id, bool again);
/* Is there anything that was not sent? */
bool outlet_waiting(const struct outlet *o);
/* How full the lane of notable events is, in percent. */
uint32_t outlet_load(const struct outlet *o);

#endif
