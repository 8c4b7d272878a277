/* SPDX-License-Identifier: BSD-2-Clause */
/* eve: what inspect tells, as lines of Suricata's EVE (closed schema of version 8), buffered. Offline
 * only: it writes, and builds protocols' objects on the heap. */
#ifndef SKEP_INSPECT_EVE_H
#define SKEP_INSPECT_EVE_H

#include "inspect/inspect.h"

struct eve;
struct eve_conf {
	int fd;                       /* borrowed, written to in large pieces */
	const struct rule_set *rules; /* NULL: none; kept by reference */
	uint64_t *hits;   /* alerts by index of the rule are counted here; NULL: nowhere */
	bool payload;     /* alerts carry the packet's payload */
	bool anomalies;   /* decode and stream anomalies too, not only applayer */
	bool alerts_only; /* no other events */
	bool inline_mode; /* drop means blocked */
};
/* Makes a writer. The caller closes it. */
MUST_USE int eve_create(const struct eve_conf *conf, struct eve **ret);
/* The callbacks to give to inspect. Borrowed from e. */
struct inspect_sink eve_sink(struct eve *e);
/* The closing event of a run. now: packet time; seconds: of traffic. */
void eve_write_stats(struct eve *e, const struct inspect_stats *s, int64_t now_ns,
		     uint64_t seconds);
/* First error of writing so far (0: none); later events are not written. */
int eve_error(const struct eve *e);
/* Writes out what is left and frees. Returns eve_error. */
MUST_USE int eve_close(struct eve **e);

struct eve_counts {
	uint64_t events, alerts, transactions, files, flows, anomalies, bytes;
	uint64_t lost; /* events longer than a line may be */
};
/* What was written. */
void eve_read_counts(const struct eve *e, struct eve_counts *ret);

#endif
