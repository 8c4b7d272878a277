/* SPDX-License-Identifier: BSD-2-Clause */
/* judge: what is told (report.c). Part of judge_priv.h. */
#ifndef SKEP_JUDGE_REPORT_PRIV_H
#define SKEP_JUDGE_REPORT_PRIV_H

#include "judge/judge_priv.h"

/* greet.c: what the first packet of w shows of its sender; ttl 0: nothing. */
void greet_read(const struct way *w, struct event_syn *ret);
void report_connection(struct way *w, const struct plan *p, uint64_t flow_id, enum verdict verdict);
void report_limit_reached(struct way *w, const struct plan *p);
void report_flow(void *judge, const struct flow *f, enum flow_end why, int64_t now_ns);
void report_flow_cap(struct judge *j, struct flow *f, int64_t now_ns);
void report_flow_limit(struct judge *j, struct flow *f, const struct policy_use *u, int64_t now_ns);
void report_expired(struct judge *j, enum policy_over kind, const struct policy_net *net,
		    const struct policy_override *o);
void report_guest_cap(struct judge *j, struct port_state *s, int64_t now_ns);
void report_anomaly(struct way *w, unsigned kind);
/* Sends it; or counts one that there was no room for. */
void report_event(struct judge *j, const struct event *e);
void report_suppressed(struct judge *j);
int64_t report_price_ns(const struct judge *j);
/* The tuple of a flow's packet that arrived at side: its sender is the source. */
void report_tuple(const struct judge *j, const struct flow *f, unsigned side,
		  struct event_tuple *ret);
void report_limits_state(struct judge *j, enum policy_state state);
/* What was summed up: caps, anomalies, suppressed events, a full table. */
void report_sums(struct judge *j, int64_t now_ns);

#endif
