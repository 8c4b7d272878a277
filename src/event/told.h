/* SPDX-License-Identifier: BSD-2-Clause */
/* The bodies of events about the host's own watch: a trip, what was sent, what was sealed. A part of event.h. */
#ifndef SKEP_EVENT_TOLD_H
#define SKEP_EVENT_TOLD_H

#include "event/inside.h"

/* Somebody broke, or tried to break, out of a guest's machine. */
struct event_escape {
	char guest[EVENT_NAME];
	char what
		[EVENT_NAME]; /* "filter": its QEMU made a call that it may not; "role": one of ours */
	char detail[EVENT_PLACE]; /* foreign bytes */
	int32_t signal;
	uint32_t pid;
};

/* What alerter did: a message was sent or given up; how much was held back (once a minute at most). */
struct event_notice {
	char what[EVENT_NAME];        /* "sent", "held", "failed" */
	char destination[EVENT_NAME]; /* as configured */
	char class[EVENT_NAME];       /* "escape", "rule-high" ... */
	char guest[EVENT_NAME];
	char why[EVENT_NAME];     /* held: "window", "quiet" ...; failed: "refused", "given-up" */
	uint64_t number;          /* of the message; 0: none */
	uint64_t count;           /* held */
	char answer[EVENT_PLACE]; /* what the server said, foreign bytes */
};

/* Up to here an event file had this digest: who keeps seals elsewhere can tell later whether it was changed. */
struct event_seal {
	char file
		[EVENT_NAME]; /* "skep-20261128.json", or "eve-..."; today's has the plain name on the disk */
	uint64_t n;           /* of this file, from 1 */
	uint64_t bytes;            /* from its beginning */
	char sha256[EVENT_SHA256]; /* of these bytes */
	char previous
		[EVENT_SHA256]; /* of the whole file of the day before; empty: there was none */
	uint8_t pad[6];
};

#endif
