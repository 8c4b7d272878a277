/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scrub: the rule engine in the way of frames. Looks at each frame before it crosses, says what becomes of it,
 * and makes what leaves instead where bytes are replaced: same length in place; in a TCP stream any length,
 * sequence numbers, acknowledgements and SACK translated both ways until the conversation ends. Sees to it that
 * the receiver can't get other bytes than the engine saw. Pure: no I/O, no clock, no heap after creation.
 * Used by judge.
 *
 * Files: scrub.c a frame's way; talk.c a conversation that rules may change; xlate.c one direction's translation;
 * emit.c frames made of a stream; bodies.c bodies framed anew; back.c answers in the receiver's name; swap.c.
 *
 * Two steps, because addresses are translated between them: scrub_look at the frame as the guest sees it,
 * scrub_emit with the same frame as it will leave.
 */
#ifndef SKEP_SCRUB_H
#define SKEP_SCRUB_H

#include "event/event.h"
#include "inspect/inspect.h"
#include "packet/packet.h"

#define SCRUB_HOLD_NS (200 * NS_PER_MS) /* the longest that a possible beginning waits */
#define SCRUB_FRAMES 8                  /* that one frame can become */

struct scrub_conf {
	struct inspect_conf inspect; /* scrub sets what inline mode needs */
	bool ids;                    /* watch only: nothing is dropped, changed or held */
	int64_t hold_ns;             /* 0: SCRUB_HOLD_NS */
};

enum scrub_act { SCRUB_PASS, SCRUB_DROP, SCRUB_REJECT };
enum scrub_tell { SCRUB_TELL_SENDER = 1, SCRUB_TELL_RECEIVER = 2 };

struct scrub_seen {
	uint8_t act;      /* enum scrub_act */
	uint8_t reason;   /* enum reason; REASON_NONE with SCRUB_PASS */
	uint8_t tell;     /* SCRUB_REJECT: enum scrub_tell bits */
	bool rebuild;     /* SCRUB_PASS: not as it is: scrub_emit */
	bool rewritten;   /* a rule replaces something in it */
	bool dead;        /* nothing of its conversation passes any more */
	uint32_t next;    /* SCRUB_REJECT of TCP: sequence number that its receiver waits for */
	uint64_t flow_id; /* scrub's own number of the conversation; 0: none */
	/* ---- scrub's own, until scrub_emit ---- */
	struct stream_flow *flow;
	unsigned dir;
};

struct scrub;
/* Makes the engine (heap and mappings are used here and never again). The caller frees it. */
MUST_USE int scrub_create(const struct scrub_conf *conf, struct scrub **ret);
void scrub_free(struct scrub **s);
/* Who is told of alerts and the like, during scrub_look and scrub_finish. */
void scrub_listen(struct scrub *s, const struct inspect_sink *sink);
/* Looks at a frame (l: packet_decode's layers of it). Edits nothing. */
void scrub_look(struct scrub *s, const struct frame *f, const struct layers *l, int64_t now_ns,
		struct scrub_seen *ret);
/* What leaves by out_port instead of f (which was looked at, and has been translated since): at most
 * SCRUB_FRAMES frames, the first of them maybe f itself; valid until the next call. To be called for every
 * frame of a TCP conversation that passes, rebuild or not: its headers are kept for bytes that wait. */
uint32_t scrub_emit(struct scrub *s, const struct scrub_seen *seen, struct frame *f,
		    struct layers *l, uint16_t out_port, struct frame ***ret);
/* After scrub_emit: what goes back to the frame's sender, by the port that it came from; NULL: nothing. Valid until
 * the next call. */
struct frame *scrub_back(struct scrub *s);
/* Bytes that have waited long enough: calls send for each frame. *ret_next: when to call again at the latest
 * (INT64_MAX: nothing waits). */
bool scrub_waits(const struct scrub *s); /* does anything wait? */
typedef void scrub_send_fn(void *ctx, uint16_t port, struct frame *f);
void scrub_release(struct scrub *s, int64_t now_ns, scrub_send_fn *send, void *ctx,
		   int64_t *ret_next);
/* A conversation between these ends, as seen by scrub_look, has left the wall's table (ICMP: sport is the type
 * of its first message, dport its id): its state is given back, and what comes with these ends is another one. */
void scrub_end(struct scrub *s, const struct addr *src, const struct addr *dst, uint8_t proto,
	       uint16_t sport, uint16_t dport);
/* False: it only watches (ids). */
bool scrub_acts(const struct scrub *s);
/* The rules in force; NULL: none. */
const struct rule_set *scrub_rules(const struct scrub *s);
/* Goes over to other rules: flows keep their state. engine was made for the set beforehand (it may take its
 * time, in another thread); returns the old one, which nobody uses any more (NULL: there was none). */
struct rule_engine *scrub_swap(struct scrub *s, struct rule_engine *engine);
/* The slab that engines for this scrub must be made with. */
struct slab *scrub_slab(struct scrub *s);
/* Every flow ends. */
void scrub_finish(struct scrub *s);

struct scrub_stats {
	struct inspect_stats inspect;
	uint64_t dropped, rejected, rewritten; /* frames */
	uint64_t edits, late;                  /* replacements made; that came too late: dropped */
	uint64_t held, held_timeout; /* times that bytes waited; that they left unmatched */
	uint64_t normalised;         /* frames whose bytes or flags were set right */
	uint64_t cut;                /* times that not all that could leave fitted */
};
/* Counters so far. */
void scrub_read_stats(const struct scrub *s, struct scrub_stats *ret);

#endif
