/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream: conversations as the rule engine sees them: the table of flows for packets of struct pkt,
 * the TCP state machine, and the bytes of each direction put in order, with one overlap policy. No
 * heap after creation: everything comes from one slab (base) and has limits. Used by inspect, proto
 * and rule.
 *
 * (flow is the wall's table: translation, verdicts, 1 KB per conversation at most. Here a
 * conversation carries its data.)
 */
#ifndef SKEP_STREAM_H
#define SKEP_STREAM_H

#include "base/slab.h"
#include "dissect/dissect.h"

#define TO_SERVER 0u /* sent by the one who began */
#define TO_CLIENT 1u
#define STREAM_EVENT_WORDS 2

enum stream_state { /* of TCP; others: NEW until answered, then ESTABLISHED */
		    STREAM_NEW,
		    STREAM_SYN_SENT,
		    STREAM_SYN_RECV,
		    STREAM_ESTABLISHED,
		    STREAM_FIN_WAIT1,
		    STREAM_FIN_WAIT2,
		    STREAM_CLOSING,
		    STREAM_CLOSE_WAIT,
		    STREAM_LAST_ACK,
		    STREAM_TIME_WAIT,
		    STREAM_CLOSED
};

/* One direction's data. Offsets count bytes from the first after the SYN (or from where it was picked
 * up). data[0] is byte base; bytes base .. base+len are in order, and released: acknowledged by the
 * other side, or (inline, or at the end of a flow) not waited for. A gap that will never be filled is
 * skipped: then base jumps to gap_end and what lies before it is lost. */
struct stream_side {
	const uint8_t *data; /* borrowed from the slab until the next packet of this flow */
	uint32_t len;
	uint64_t base;
	uint64_t app_done;   /* the consumer's: first byte that the protocol parser has not had */
	uint64_t raw_done;   /* the consumer's: first byte that raw inspection is through with */
	uint64_t gap_end;    /* end of the last gap that was given up; 0: none */
	bool no_app, no_raw; /* the consumer's: wants no more of this side */
	bool fin;            /* its FIN is in order: nothing comes after base + len */
	bool truncated;      /* depth or memory limit reached: later bytes are not kept */
	bool gone_rst;
	/* Inline only: bytes kept .. stream_end() can be read by stream_kept: those that the receiver has not
	 * acknowledged yet, so that a second copy can be held against the first. kept <= base. */
	uint64_t kept;
	uint32_t isn, next_seq, last_ack, window;
	bool sack_ok;               /* inline: its SYN permits selective acknowledgements */
	uint8_t wscale, flags_seen; /* flags_seen: all TCP flags this side has sent */
};

struct stream_flow {
	struct addr addr[2]; /* [0] the one who began (client), [1] the server */
	uint16_t port[2];    /* ICMP: type and code of the first packet */
	uint8_t proto, ip_ver;
	uint16_t vlan[DISSECT_VLANS];
	uint8_t n_vlan;
	uint64_t id; /* unique, never 0 */
	int64_t start_ns, last_ns;
	uint64_t pkts[2], bytes[2]; /* by direction; bytes: whole frames */
	uint16_t icmp_id;
	uint8_t state; /* enum stream_state */
	bool midstream,
		established; /* UDP ...: seen both ways; TCP: the 3whs was done before this packet */
	bool tcp;            /* side[] is in use */
	bool done;           /* ended: will be removed after this packet */
	bool dead;           /* the consumer's: blocked, drop all */
	struct stream_side side[2];
	/* The consumer's hooks: never looked at here but set to zero at birth. flow_ended frees them. */
	void *app;       /* proto's state: struct app */
	void *rules;     /* rule's state: flowbits, candidates ... */
	void *user;      /* inspect's own */
	void *tcb;       /* stream's own */
	uint32_t pseudo; /* inspect's own flags */
};

/* What one packet did. */
struct stream_result {
	struct stream_flow *flow; /* NULL: no flow (not IP, fragment, table full, invalid) */
	unsigned dir;             /* TO_SERVER or TO_CLIENT */
	bool first;               /* it opened the flow */
	bool added;               /* its payload became part of the stream */
	bool grown[2];            /* side[i] has more released data, a new gap, or its end */
	bool bad; /* refused by the TCP state machine: no part of the conversation */
	/* ---- inline mode only ---- */
	bool refuse; /* must not pass: no conversation, or a dead one, or what it carries was not taken in
			(state machine, limits, memory), so that nobody would have looked at it. Without
			payload and FIN a packet of a conversation passes, bad or not: the ends need
			them to find together again */
	bool differs; /* overlaps bytes that were taken in before, with other ones: stream_normalise */
	bool early;  /* carries bytes, or a FIN, beyond a gap: they wait out of order */
	bool filled; /* closed a gap: bytes that came early are in order now */
	uint64_t
		off; /* TCP: offset of its first byte; negative as int64_t: before the stream begins */
	uint32_t
		stale; /* bytes at its beginning that lie before kept: acknowledged, nobody needs them; what
			  remains stands at off + stale. SYN and RST: all of the payload, none of it was
			  taken in: it must be cut, their sequence number stays */
	uint64_t events[STREAM_EVENT_WORDS];
};

enum stream_policy {
	POLICY_FIRST,
	POLICY_LAST,
	POLICY_BSD,
	POLICY_BSD_RIGHT,
	POLICY_LINUX,
	POLICY_OLD_LINUX,
	POLICY_SOLARIS,
	POLICY_WINDOWS
};

struct stream_conf {
	uint32_t flows;  /* capacity; 0: 65536 */
	uint64_t depth;  /* bytes of a direction that are put in order; 0: 1 MiB; UINT64_MAX: all */
	uint64_t window; /* bytes out of order held per direction, at most; 0: 256 KiB */
	bool midstream;  /* pick up TCP whose beginning was not seen */
	bool inline_mode; /* release data at once; first data wins */
	bool checksums;   /* packets with a bad transport checksum are no part of a stream */
	uint8_t policy;   /* enum stream_policy; offline default POLICY_BSD */
	int64_t tcp_new_ns, tcp_est_ns, tcp_closed_ns, udp_ns, icmp_ns, other_ns; /* 0: defaults */
	/* Told just before a flow is removed (time-out, end, eviction, finish). Data still unreleased has
	 * been released then. Must free flow->app, ->rules, ->user. */
	void (*ended)(void *ctx, struct stream_flow *f, const char *reason);
	void *ctx;
};

struct stream_stats {
	uint64_t flows, active, evicted, refused, tcp_sessions, midstream_pickups, gaps, overlaps,
		memory_refused;
};

struct stream;

/* Makes the table; memory for flows and segments comes from slab (kept by reference). */
MUST_USE int stream_create(const struct stream_conf *conf, struct slab *slab, struct stream **ret);
/* Ends every flow (ended is called for each) and frees. */
void stream_free(struct stream **s);
/* Puts one packet where it belongs. Time moves with pkt->stamp_ns. */
void stream_packet(struct stream *s, const struct pkt *p, struct stream_result *ret);
/* After the consumer looked at a result: where a gap was given up behind the data it saw, the data
 * after the gap come now (base jumps). True: ret->grown says which sides; call until false, then
 * settle. Inside ended, too. Who doesn't call it sees the rest with the flow's next packet. */
bool stream_more(struct stream *s, struct stream_flow *f, struct stream_result *ret);
/* After the consumer looked at a result: gives back data both consumers are done with (below
 * min(app_done, raw_done)), and removes the flow if it is done. flow may be invalid afterwards. */
void stream_settle(struct stream *s, struct stream_flow *f);
/* Ends flows whose time is over, at most budget; now: packet time. Returns how many. */
uint32_t stream_sweep(struct stream *s, int64_t now_ns, uint32_t budget);
/* The flow of a packet's key without touching it, or NULL. */
struct stream_flow *stream_find(struct stream *s, const struct pkt *p, unsigned *ret_dir);
/* Expects a flow to this server from this client (FTP data), for five minutes: stream_expected finds
 * it by the flow's ends. client_port 0: any. The oldest expectation makes room. */
MUST_USE int stream_expect(struct stream *s, const struct addr *client, const struct addr *server,
			   uint16_t client_port, uint16_t server_port, uint64_t parent_id,
			   uint32_t tag, int64_t now_ns);
/* Takes the expectation that f fulfils, if any: parent id and tag. */
bool stream_expected(struct stream *s, const struct stream_flow *f, uint64_t *ret_parent_id,
		     uint32_t *ret_tag);
void stream_read_stats(const struct stream *s, struct stream_stats *ret);

/* ---- inline: one view of the stream --------------------------------------------------------------- */

/* End of what is in order and was taken in. */
uint64_t stream_end(const struct stream_flow *f, unsigned dir);
/* Offset of a sequence number near the end of that direction; negative: before its first byte. */
int64_t stream_offset(const struct stream_flow *f, unsigned dir, uint32_t seq);
/* Sequence number of an offset. */
uint32_t stream_seq(const struct stream_flow *f, unsigned dir, uint64_t off);
/* The bytes that were taken in, from off on, in order; *ret_len: how many (0: none are kept). Borrowed until
 * the next call with this flow. */
const uint8_t *stream_kept(const struct stream_flow *f, unsigned dir, uint64_t off,
			   uint32_t *ret_len);
/* The i-th (0, 1 ...) stretch that came early, beyond a gap: [*ret_off, *ret_end). False: there are not so many. */
bool stream_early(const struct stream_flow *f, unsigned dir, uint32_t i, uint64_t *ret_off,
		  uint64_t *ret_end);
/* Overwrites payload, which stands at off, with the first copy wherever one is kept, in order or out of it. */
void stream_normalise(const struct stream_flow *f, unsigned dir, uint64_t off, uint8_t *payload,
		      uint32_t len);
/* Calls fn for every flow (a reload of rules looks them all up). fn must not end flows. */
void stream_each(struct stream *s, void (*fn)(void *ctx, struct stream_flow *f), void *ctx);

/* Stream events by Suricata's names ("3whs_ack_in_wrong_dir", as after stream-event:). */
int stream_event_by_name(const char *name);
const char *stream_event_name(unsigned event);

#endif
