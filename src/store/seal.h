/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Seals: digests of event files from their beginning, made while they are written. ledger tells them as events;
 * who keeps them on another machine can tell later whether root on this one changed what was written.
 */
#ifndef SKEP_STORE_SEAL_H
#define SKEP_STORE_SEAL_H

#include "store/store.h"

/* ---- making them (ledger) ------------------------------------------------------------------ */

#define STORE_SEALS 4 /* most at once: two files, and the two of a day that is over */
/* Seals that are due: of a day that is over; of a file that grew by more than seals and notices, when its last
 * is every_ns old or this run made none yet; with every_ns 0 of all that is not sealed. now is time since boot.
 * After a start, what was there already is read first, a bounded part with each call: until then there are no
 * seals of that file. Returns how many. */
size_t store_seals(struct store *s, int64_t now_ns, int64_t every_ns,
		   struct event_seal ret[STORE_SEALS]);

/* ---- checking files against them ------------------------------------------------------------ */

struct seal_known {
	struct event_seal seal;
	char time[EVENT_TIME];   /* of the seal, as its line has it; harmless; "": none */
	char sensor[EVENT_NAME]; /* likewise */
	bool outside;            /* kept elsewhere; else the event files' own */
};
#define SEAL_LINE_MAX 65536
#define SEAL_LINE_SEALS 8
/* The seals in a line: an event of skep.json, what the second machine keeps, a beat as JSON or as RFC 5424. Foreign
 * bytes: what is malformed counts as none. Returns how many. Allocates and frees. */
size_t seal_parse(const char *line, size_t len, struct seal_known ret[SEAL_LINE_SEALS]);

enum seal_finding {
	SEAL_ALTERED,   /* bytes are not what was sealed */
	SEAL_TRUNCATED, /* fewer bytes than were sealed */
	SEAL_MISSING,   /* the file is gone */
	SEAL_SWAPPED,   /* it holds what was sealed under another name */
	SEAL_CHAIN,     /* another whole file than its successor's seals name as the day before */
	SEAL_DROPPED,   /* gone, as old days are by the time and disk budget: no fault */
	SEAL_UNSEALED,  /* bytes after the last seal: no fault */
};
struct seal_report {
	enum seal_finding what;
	const char *file;              /* as in the seal */
	uint64_t from, to;             /* bytes */
	const struct seal_known *seal; /* that disagrees; NULL: none */
	const char *other;             /* SEAL_SWAPPED: what it was sealed as */
};
struct seal_summary {
	uint64_t files, bytes; /* read */
	uint64_t own, outside; /* seals that were held against them */
	uint64_t faults;
};

struct seal_check;
MUST_USE int seal_check_create(struct seal_check **ret);
void seal_check_free(struct seal_check **c);
/* -E2BIG: there are too many. */
MUST_USE int seal_check_add(struct seal_check *c, const struct seal_known *k);
/* Adds those that the event files in folder dirfd hold themselves. */
MUST_USE int seal_check_own(struct seal_check *c, int dirfd);
/* Reads the files and tells what it finds, by day. Blocks, allocates. */
MUST_USE int seal_check_run(struct seal_check *c, int dirfd,
			    void (*tell)(void *ctx, const struct seal_report *r), void *ctx,
			    struct seal_summary *ret);

#endif
