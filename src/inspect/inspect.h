/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inspect: one frame after the other through dissect, stream, proto and rule, in the order in which
 * the guest would see them; what was found goes out by callbacks. The same code runs offline
 * (`skep inspect`) and inline. No I/O, no heap after creation.
 */
#ifndef SKEP_INSPECT_H
#define SKEP_INSPECT_H

#include "rule/rule.h"

struct inspect_alert {
	const struct pkt *pkt;
	const struct stream_flow *flow; /* NULL: the packet has none */
	const struct app_tx *tx;        /* NULL: not about a transaction */
	struct rule_hit hit;
	unsigned dir;
};
struct inspect_sink { /* what is borrowed is so for the call; members may be NULL */
	void (*alert)(void *ctx, const struct inspect_alert *a);
	/* A transaction direction is complete: events "http", "dns" ... */
	void (*tx)(void *ctx, const struct stream_flow *f, const struct app_tx *tx, unsigned dir,
		   int64_t now_ns);
	void (*file)(void *ctx, const struct stream_flow *f, const struct app_tx *tx,
		     const struct app_file *file, int64_t now_ns);
	void (*flow_end)(void *ctx, const struct stream_flow *f, const char *reason);
	void (*anomaly)(void *ctx, const struct pkt *p, const struct stream_flow *f,
			const char *layer, const char *event);
	void *ctx;
};
/* For whoever stands in the way of the frames: called for each packet of a frame (there are several with
 * tunnels and rebuilt fragments), in their order. Members may be NULL. */
struct inspect_seen {
	const struct pkt *pkt;
	const struct stream_result *r;
	const struct rule_hit *hits; /* n_hits; rule_edits and rule_hold speak of the same packet */
	uint32_t n_hits;
	uint8_t action; /* enum rule_action: ACTION_ALERT, or an acting one */
	bool dead;      /* the flow had been stopped before: nobody looked at the packet */
	bool no_memory; /* something could not be kept, so that not all was looked at */
};
struct inspect_hooks {
	void (*before)(void *ctx, struct pkt *p); /* may set right what stream is to see */
	void (*seen)(void *ctx, const struct inspect_seen *s); /* before stream lets go of data */
	void (*gone)(void *ctx, struct stream_flow *f);        /* frees flow->user */
	void *ctx;
};
struct inspect_conf {
	struct dissect_conf dissect;
	struct stream_conf stream; /* ended and ctx are inspect's own */
	struct app_conf app;
	struct rule_engine_conf engine;
	const struct rule_set *rules; /* NULL: none; kept by reference */
	size_t memory_bytes;          /* limit of the slab; 0: 512 MiB */
	struct inspect_sink sink;
	struct inspect_hooks hooks;
};
struct inspect;
MUST_USE int inspect_create(const struct inspect_conf *conf, struct inspect **ret);
/* One frame; what becomes of it (inline): ACTION_ALERT (let go) or an acting one. */
enum rule_action inspect_frame(struct inspect *i, uint16_t link, const uint8_t *data, uint32_t len,
			       uint32_t wire_len, int64_t stamp_ns);
/* Another sink from now on. */
void inspect_listen(struct inspect *i, const struct inspect_sink *sink);
/* Goes over to other rules: every flow's state is taken over (rule_engine_adopt). Returns the old engine (NULL:
 * there was none), which the caller frees. */
struct rule_engine *inspect_swap(struct inspect *i, struct rule_engine *engine);
/* The flow between these ends is over, as if it had timed out (p: only addresses, ports, protocol). */
void inspect_end_flow(struct inspect *i, const struct pkt *p);
/* Parts that hooks need. */
struct stream *inspect_stream(struct inspect *i);
struct slab *inspect_slab(struct inspect *i);
struct app_ctx *inspect_app(struct inspect *i);
/* The traffic is over: every flow ends. */
void inspect_finish(struct inspect *i);
void inspect_free(struct inspect **i);

struct inspect_stats {
	uint64_t frames, bytes, packets, decode_errors, alerts, dropped, apps[APP_PROTOS];
	struct stream_stats stream;
	struct rule_engine_stats engine;
	struct slab_stats memory;
};
/* Counters so far; also after inspect_finish. */
void inspect_read_stats(const struct inspect *i, struct inspect_stats *ret);
/* NULL: there are no rules. */
struct rule_engine *inspect_engine(const struct inspect *i);

#endif
