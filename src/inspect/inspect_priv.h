/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of an inspection. Only for src/inspect. */
#ifndef SKEP_INSPECT_PRIV_H
#define SKEP_INSPECT_PRIV_H

#include "inspect/inspect.h"

#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_ICMP6 58
#define PROTO_SCTP 132

/* Bits of stream_flow.pseudo. */
#define INSPECT_EOF_TS 1u /* << dir: the parser knows that this direction is over */
#define INSPECT_ALERTED 4u

/* Bits of app_tx.told: by direction; both: told, and free to go. */
#define TOLD_ALL 3u

struct inspect {
	struct inspect_conf conf;
	struct slab *slab;
	struct dissect *dissect;
	struct stream *stream;
	struct app_ctx *app;
	struct rule_engine *engine; /* NULL: no rules */
	uint64_t frames, bytes, packets, decode_errors, alerts, dropped, apps[APP_PROTOS];
	struct stream_stats ended; /* what the table said before it went */
	int64_t now_ns, swept_ns;
	uint64_t refused; /* requests that the slab refused before this packet */
	/* The packet that is being read, for who must look at once; NULL: none. */
	const struct pkt *reading;
	const struct stream_result *read;
	struct pkt pkts[DISSECT_PKTS];
	struct rule_hit hits[RULE_HITS], end_hits[RULE_HITS]; /* a packet may evict a flow */
};

/* ---- telling (tell.c) ---------------------------------------------------------------------------- */

/* Oddities of a packet and of its place in the stream. */
void inspect_tell_packet(struct inspect *i, const struct pkt *p, const struct stream_result *r);
/* Transactions and files of a flow that are complete and not told yet; over: all that are left. */
void inspect_tell_txs(struct inspect *i, struct stream_flow *f, bool over);

#endif
