/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of stream share: the flow as it lies in the pool, and the parts' entry points. */
#ifndef SKEP_STREAM_PRIV_H
#define SKEP_STREAM_PRIV_H

#include "stream/events.h"
#include "stream/half.h"
#include "stream/stream.h"

enum tcp_flag { FL_FIN = 1, FL_SYN = 2, FL_RST = 4, FL_PSH = 8, FL_ACK = 16, FL_URG = 32 };

#define NIL UINT32_MAX
#define SYN_QUEUE 10u /* SYNs that differ from the first */
#define SYNACK_QUEUE 5u
#define EXPECT_SETS 64u
#define EXPECT_WAYS 4u

struct queued {
	uint32_t seq, ack, ts;
	uint16_t win;
	uint8_t wscale;
	bool has_ts, has_wscale;
};

/* What a conversation of TCP has on top, from its first good packet on. In the slab. */
struct tcb {
	struct half half[2];
	struct queued *queue; /* SYNs or SYN/ACKs that may turn out to be the real one */
	uint8_t n_queue, at_queue;
	bool tfo, tfo_data, four, confirmed, rst_seen;
	uint8_t rst_dir;
	bool opened;  /* the handshake is over; the flow says so from the next packet on */
	bool pending; /* stream_more has something */
	struct bounds bounds[]; /* offline: of both halves */
};

/* In the order of eviction. */
enum list_class {
	LIST_CLOSED,
	LIST_TCP_NEW,
	LIST_OTHER,
	LIST_ICMP,
	LIST_UDP,
	LIST_TCP_EST,
	LIST_DEAD, /* inline: blocked, and to be remembered */
	LISTS
};

struct flow_key {
	uint64_t w[6];
};

struct slot {
	struct flow_key key;
	uint32_t prev, next; /* of its time-out list; next: of the free list too */
	uint8_t list;
	bool swapped; /* the client is the key's second end */
	bool in_use;
	int64_t listed_ns;
	struct stream_flow f;
};

_Static_assert(sizeof(struct slot) <= 448 && sizeof(struct tcb) <= 256,
	       "docs/PERFORMANCE.md says what a conversation takes");

struct expect {
	struct addr client, server;
	uint16_t client_port, server_port;
	uint32_t tag;
	uint64_t parent_id;
	int64_t until_ns;
	bool in_use;
};

struct link { /* of a bucket's chain; next: index + 1, 0 ends */
	uint32_t hash, next;
};

struct stream {
	struct stream_conf conf;
	struct slab *slab;
	struct arena arena;
	struct slot *slots;
	uint32_t *buckets;  /* index + 1 of the first, 0: empty */
	struct link *links; /* beside slots */
	uint32_t mask, free_head, fresh;
	uint64_t secret[4], next_id;
	struct {
		uint32_t head, tail;
		int64_t timeout_ns;
	} list[LISTS];
	int64_t now_ns;
	uint32_t n_expect, n_dead;
	struct expect *expect;
	struct stream_stats stats;
};

/* Everything about the packet in hand. */
struct step {
	struct stream *s;
	struct slot *slot;
	const struct pkt *p;
	struct stream_result *ret;
	unsigned dir;
	bool compared; /* the payload was held against all that is known of it */
};

static inline bool seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool seq_leq(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

static inline void event_set(struct stream_result *ret, unsigned ev)
{
	ret->events[ev / 64] |= UINT64_C(1) << (ev % 64);
}

static inline struct slot *slot_of(struct stream_flow *f)
{
	return (struct slot *)(void *)((uint8_t *)f - offsetof(struct slot, f));
}

/* NULL: no session (stream_flow.tcp says so). */
static inline struct tcb *tcb_of(const struct slot *sl)
{
	return sl->f.tcb;
}

/* table.c: memory is short: ends some flows that are over already. False: there are none. */
bool table_reclaim(struct stream *s, const struct slot *keep);
/* The same for a new conversation: if none is over, the oldest that is half-open gives way. */
bool table_make_way(struct stream *s, const struct slot *keep);

/* tcp.c: one packet of a flow with, or yet without, a session. */
void tcp_packet(struct step *st);
/* Would this SYN begin a conversation of its own on the flow's key? */
bool tcp_reuses(const struct slot *sl, const struct pkt *p, unsigned dir);
void tcp_free(struct stream *s, struct slot *sl);

/* shut.c: packets once a FIN was seen. */
void tcp_shut(struct step *st);
/* tcp.c, for shut.c */
bool tcp_ack_valid(const struct step *st);
void tcp_take_ack(struct step *st);
/* False (inline only): not all of it could be taken in. */
bool tcp_take_data(struct step *st);
bool tcp_is_keepalive(const struct step *st);
void tcp_refuse(struct step *st, unsigned ev);
/* No one waits for acknowledgements any more: both sides give out all they have. */
void tcp_flush(struct step *st);

/* open.c: until the handshake is over. */
void tcp_no_session(struct step *st);
void tcp_syn_sent(struct step *st);
void tcp_syn_recv(struct step *st);
/* tcp.c, for open.c */
void tcp_established(struct step *st);
void tcp_rst(struct step *st);

/* side.c: bytes in order. */
void side_begin(struct slot *sl, unsigned dir, uint32_t first_seq);
/* Takes payload in at sequence number seq. True: part of the stream. */
bool side_insert(struct step *st, unsigned dir, uint32_t seq, const uint8_t *data, uint32_t len);
/* The FIN of the direction stands at seq. */
void side_fin(struct slot *sl, unsigned dir, uint32_t seq);
/* Releases what may be. ret may be NULL. */
void side_release(struct stream *s, struct slot *sl, unsigned dir, struct stream_result *ret);
void side_settle(struct stream *s, struct slot *sl, unsigned dir);
void side_free(struct stream *s, struct slot *sl, unsigned dir);

/* inline.c: what is to become of the packet of a flow, after the state machine had it. */
void inline_verdict(struct step *st);

#endif
