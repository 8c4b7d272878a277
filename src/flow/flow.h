/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow: the table of conversations, and the small table that leads later fragments to them. Fixed
 * capacity, one arena, no allocation after creation; keys are hashed with a secret, because an
 * intruder chooses them. Used by wall (through judge).
 *
 * Because of address translation the two sides of a conversation see different addresses. So each
 * flow has two keys, one per side: what a frame that arrives at that side's port looks like.
 * Side 0 is the initiator's. A frame that arrived at side s leaves at side !s with source
 * key[!s].dst and destination key[!s].src: translation needs no further state.
 */
#ifndef SKEP_FLOW_H
#define SKEP_FLOW_H

#include "base/base.h"

#define FLOW_NO_PORT 0xffffu
#define FLOW_NO_RULE 0xffu
#define FLOW_REFUSED_MIN_NS (75 * NS_PER_SEC) /* longer than the longest gap between two SYNs */

struct flow_key {
	struct addr src, dst;
	uint16_t sport, dport; /* ICMP echo: sport = id; protocols without ports: 0 */
	uint16_t port;         /* wall port it arrives at; FLOW_NO_PORT: this side does not exist */
	uint8_t proto, pad;    /* pad zero: keys compare and hash as bytes */
};

/* Each state class is a list, oldest first, with one time-out: its head is what ends next. */
enum flow_class {
	FLOW_HALF_OPEN, /* inbound, unanswered: may be evicted */
	FLOW_REFUSED,   /* verdict remembered: may be evicted */
	/* Answered, but by no handshake, and bound by no limit: a stranger can make any number of
	 * these, so they are evicted when nothing else can be. */
	FLOW_LOOSE,
	FLOW_UNANSWERED, /* begun by a guest, TCP, unanswered */
	FLOW_TCP,        /* established */
	FLOW_UDP,        /* begun by a guest */
	FLOW_ICMP,       /* the same for ICMP and other protocols */
	FLOW_CLOSING,    /* reset, or FIN from both sides */
	FLOW_CLASSES
};

/* Bytes that the wall has put into what one side of a TCP conversation says, or taken out. */
struct flow_shift {
	uint32_t pos;          /* sequence number of the last change, as its sender counts */
	int16_t before, after; /* what is added up to there, and behind it */
};

enum flow_end { FLOW_END_TIMEOUT, FLOW_END_EVICTED, FLOW_END_FORCED, FLOW_END_SHUTDOWN };

struct flow {
	struct flow_key key[2];
	/* ---- the table's own -------------------------------------------------------------- */
	uint32_t chain[2];     /* hash chains */
	uint32_t older, newer; /* class list */
	/* ---- the caller's ------------------------------------------------------------------ */
	uint64_t id;                      /* never 0 while in use */
	int64_t start_ns, last_ns;        /* boot clock; last_ns is kept by flow_touch */
	uint64_t pkts[2], bytes[2];       /* sent by side 0, side 1 */
	int64_t cap_pps_ns, cap_bytes_ns; /* buckets of policy.h */
	int64_t cap_told_ns;
	uint32_t cap_dropped;               /* since cap_told_ns */
	uint32_t isn[2];                    /* TCP: first sequence number of each side */
	uint8_t tcp_flags[2];               /* all that side has sent */
	uint8_t seen;                       /* enum flow_seen */
	uint8_t class;                      /* enum flow_class; the table's own */
	uint8_t direction, verdict, reason; /* enums of event.h */
	uint8_t icmp_type, icmp_code;
	bool bounded;            /* a limit bounds how many there are */
	bool cap_by_bytes;       /* which cap dropped last */
	bool relayed;            /* ends elsewhere than it was meant to: sink, reflection */
	uint8_t rule;            /* of the policy; FLOW_NO_RULE: none that counts packets */
	uint16_t meter;          /* where that counts */
	uint32_t generation;     /* of the orders in force when it was judged */
	uint16_t guest;          /* port of the guest concerned; FLOW_NO_PORT: none */
	uint16_t peer_guest;     /* lateral: port of the other one */
	struct mac hop;          /* begun outside: the link address that it last came from */
	struct flow_shift shift; /* of what the guest sends */
	uint8_t copy;            /* what collector gets of it (judge/copy.c); 0: nothing */
	uint16_t copied[2];      /* ... and got from each side */
	uint32_t tally_s;        /* when it last heard the totals */
};
_Static_assert(sizeof(struct flow) <= 320, "a million flows must fit a modest machine");

enum flow_seen {
	FLOW_SEEN_SYN_ACK = 1,
	FLOW_SEEN_ESTABLISHED = 2,
	FLOW_SEEN_REPLY = 4,
	FLOW_SEEN_FIN0 = 8,
	FLOW_SEEN_FIN1 = 16,
	FLOW_SEEN_RST = 32,
	FLOW_SEEN_RST_BY1 = 64,
};

struct flow_table;

/* Told of each flow just before it leaves the table. Must not change the table. */
typedef void flow_ended_fn(void *ctx, const struct flow *f, enum flow_end why, int64_t now_ns);

struct flow_conf {
	uint32_t capacity; /* flows; at least 16 */
	int64_t timeout_ns[FLOW_CLASSES];
	flow_ended_fn *ended; /* may be NULL */
	void *ctx;            /* for ended; kept by reference */
};

struct flow_counts {
	uint32_t active, capacity;
	uint64_t total, evicted, refused; /* refused: no room and nothing to evict */
};

/* Bytes of arena a table of that capacity needs, fragment table included. */
size_t flow_table_bytes(uint32_t capacity);
/* Makes a table inside the arena, which must outlive it. -ENOMEM if the arena is too small. */
MUST_USE int flow_table_create(struct arena *arena, const struct flow_conf *conf,
			       struct flow_table **ret);
/* The flow that a frame with this key belongs to and the side it arrived at, or NULL. */
struct flow *flow_find(struct flow_table *t, const struct flow_key *key, unsigned *ret_side);
/* Puts a new flow in the class, keys copied, the rest zero except start_ns and last_ns. A full
 * table first evicts the oldest half-open inbound or refused flow, else the oldest loose one, never
 * another. SKEP_EFULL: no room; -EEXIST: one of the keys is taken. key1 NULL: a flow with one side only. */
MUST_USE int flow_add(struct flow_table *t, const struct flow_key *key0,
		      const struct flow_key *key1, enum flow_class class, int64_t now_ns,
		      struct flow **ret);
/* f was used now and belongs to class. */
void flow_touch(struct flow_table *t, struct flow *f, enum flow_class class, int64_t now_ns);
/* Ends f; the pointer is dead afterwards. */
void flow_remove(struct flow_table *t, struct flow *f, enum flow_end why, int64_t now_ns);
/* Ends at most budget flows whose time is over. Returns how many ended. */
uint32_t flow_sweep(struct flow_table *t, int64_t now_ns, uint32_t budget);
/* Ends every flow that has a side, guest or peer at the port; FLOW_NO_PORT: every flow at all.
 * Walks the whole table. */
void flow_remove_port(struct flow_table *t, uint16_t port, enum flow_end why, int64_t now_ns);
/* Ends every flow that which says yes to. Walks the whole table. */
typedef bool flow_which_fn(void *ctx, const struct flow *f);
void flow_remove_which(struct flow_table *t, flow_which_fn *which, void *ctx, enum flow_end why,
		       int64_t now_ns);
void flow_read_counts(const struct flow_table *t, struct flow_counts *ret);

/* ---- fragments ------------------------------------------------------------------------------ */

struct fragment_key {
	struct addr src, dst;
	uint32_t id;
	uint16_t port;
	uint8_t proto, pad; /* pad zero */
};

/* A first fragment that was allowed: later ones follow flow f from this side. next: the offset at
 * which it ends; least: the first offset behind the transport header. SKEP_EFORMAT: the same packet
 * began before and did not come to an end (overlap trick): it is dead now. SKEP_EFULL: too many did not. */
MUST_USE int fragment_begin(struct flow_table *t, const struct fragment_key *key,
			    const struct flow *f, unsigned side, uint32_t least, uint32_t next,
			    int64_t now_ns);
/* What was begun is dead: no later fragment follows it, and it can't begin again, for as long as somebody may keep
 * the beginning. Also after its last piece, which did not pass. */
void fragment_drop(struct flow_table *t, const struct fragment_key *key, int64_t now_ns);
/* Can this piece come as far as the first one, which it was asked of before? One that dies on the way completes the
 * datagram for us, and not for its receiver. Asked before fragment_next; false: fragment_drop. */
bool fragment_reaches(struct flow_table *t, const struct fragment_key *key, uint8_t ttl,
		      int64_t now_ns);
/* A later fragment of len bytes at offset: its flow and side, or NULL if it must be dropped: no first
 * fragment before it, not in order, overlapping, too long, or its flow has ended. */
struct flow *fragment_next(struct flow_table *t, const struct fragment_key *key, uint32_t offset,
			   uint32_t len, bool last, int64_t now_ns, unsigned *ret_side);

#endif
