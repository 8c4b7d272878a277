/* SPDX-License-Identifier: BSD-2-Clause */
/* judge: what its files share. */
#ifndef SKEP_JUDGE_PRIV_H
#define SKEP_JUDGE_PRIV_H

#include "flow/flow.h"
#include "judge/judge.h"

#include <string.h>

enum { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMP6 = 58 };
enum { ETHERTYPE_V4 = 0x0800, ETHERTYPE_ARP = 0x0806, ETHERTYPE_V6 = 0x86dd };

#define REPLY_BYTES 2048u

/* Anomalies: one row per oddity bit, then those that the judge itself finds. */
enum anomaly {
	ANOMALY_SPOOFED_MAC = 13,
	ANOMALY_SPOOFED_ADDR,
	ANOMALY_FRAGMENT,
	ANOMALY_CSUM,
	ANOMALIES
};

#define ALERT_SLOTS 256u
#define FTP_EXPECTS 64u
#define LAN_NEIGHBOURS 64u

/* Bridged: who on the link has spoken to a guest (lan.c). */
struct lan_neighbour {
	struct addr addr;
	struct mac mac;
	int64_t seen_ns;
};

/* A client waits there for data of a transfer (ftp.c). */
struct ftp_expect {
	struct addr client;
	uint16_t port, guest;
	int64_t until_ns; /* 0: unused */
};

struct anomaly_count {
	uint64_t count; /* since told_ns */
	int64_t told_ns;
};

struct port_state {
	struct judge_port p;
	struct policy_limits *limits; /* NULL: outside */
	unsigned slot;
	int64_t cap_pps_ns, cap_bytes_ns; /* buckets: what leaves this guest */
	uint64_t cap_dropped;
	bool cap_by_bytes; /* which cap dropped last */
	int64_t cap_told_ns;
	int64_t own_events_ns; /* bucket: events when those of all guests together are too many */
	int64_t neigh_ns, answer_ns; /* buckets: neighbour messages, resets and ICMP errors */
	int64_t asked_ns[2];         /* bridged: when it last asked for its router, by version */
	int64_t ftp_ns;              /* bucket: transfers that a client announces */
	int64_t syslog_told_ns;      /* when a datagram to the loghost was last told */
	bool limit_told[POLICY_CLASSES];
	uint32_t rules_told; /* the same for rules with windows of their own, as bits */
	struct anomaly_count anomalies[ANOMALIES];
};

struct judge {
	struct judge_conf conf;
	struct port_state ports[JUDGE_PORTS];
	uint16_t forward_port[CONF_FORWARDS]; /* FLOW_NO_PORT: its guest is not here */
	struct flow_table *table;
	struct policy_limits *limits;
	struct policy_off_limits off_limits;
	struct policy_now now;
	struct wall_stats *stats;
	judge_emit_fn *emit;
	void *emit_ctx;
	uint64_t next_id;
	const struct way *way;        /* the frame in hand, for alerts */
	const struct flow *look_flow; /* whose packets are looked at; NULL: nobody's */
	unsigned look_side;
	int64_t alert_ns[ALERT_SLOTS], alerts_ns; /* buckets: a rule and a guest; all */
	struct ftp_expect expect[FTP_EXPECTS];
	struct mac gate[2]; /* bridged: the router's link addresses, IPv4 and IPv6 */
	struct lan_neighbour neighbours[LAN_NEIGHBOURS];
	struct flow *wire; /* bridge: what fragments hang on */
	struct judge_listener listener;
	struct judge_copy copy;                        /* of the frame in hand */
	int64_t summed_ns, events_ns, guest_events_ns; /* the latter are buckets */
	uint64_t suppressed, full;                     /* since they were last told */
	struct frame replies[JUDGE_REPLIES];
#ifdef SKEP_WEAKEN
	uint32_t weakened; /* bits of enum weak */
#endif
};

/* One frame on its way. */
struct way {
	struct judge *j;
	int64_t now_ns;
	struct frame *f;
	struct port_state *in;
	struct judge_result *ret;
	struct flow *flow; /* whose frame it is, if it is known */
	struct layers l;
	bool routed; /* sent to the gateway or from outside: MACs rewritten, TTL lowered */
	bool gate;   /* bridged: sent to the real router; MACs stay */
	bool passed; /* bridged: a neighbour message, which goes on as it is now */
};

/* What is to become of a new conversation. */
struct plan {
	uint8_t direction, reason;
	uint8_t verdict; /* enum verdict; of a refused one only with REASON_POLICY */
	bool resolver;   /* asks the name server */
	bool relayed, any_sport;
	bool related; /* a part of another one: a transfer that a client asked for */
	uint8_t rule; /* with windows of its own; FLOW_NO_RULE: none */
	uint16_t meter;
	bool limited;               /* class and limit apply */
	bool seen_limit;            /* use is filled */
	uint8_t class;              /* enum policy_class */
	uint16_t guest, peer_guest; /* ports; FLOW_NO_PORT: none */
	struct flow_key key[2];     /* key[1] only valid with REASON_NONE */
	struct policy_use use;
};

static inline bool is_guest(const struct way *w)
{
	return w->in->p.kind != JUDGE_OUTSIDE;
}

/* Is it on the network outside itself? */
static inline bool is_bridged(const struct way *w)
{
	return w->j->conf.bridged && w->in->p.kind != JUDGE_SINK;
}

static inline bool is_sink(const struct way *w)
{
	return w->in->p.kind == JUDGE_SINK;
}

/* ---- spoof.c: REASON_NONE lets the frame go on ---------------------------------------------- */

enum reason spoof_mac(struct way *w);
enum reason spoof_addr(struct way *w);

/* ---- neigh.c ----------------------------------------------------------------------------------- */

/* REASON_NONE: not a neighbour message. */
enum reason neigh_way(struct way *w);

/* ---- open.c: new conversations ------------------------------------------------------------------- */

/* Decides about the first packet of a conversation; on REASON_NONE *ret_flow is its flow. */
enum reason open_flow(struct way *w, const struct flow_key *key, struct flow **ret_flow);

/* Does it ask the name server? */
bool open_to_resolver(const struct judge *j, const struct flow_key *k);

/* The other side's key: what an answer from addr:port to peer looks like at that port. */
void open_reply_key(struct plan *p, uint16_t port, const struct addr *addr, uint16_t sport,
		    const struct addr *peer, uint16_t dport);

/* ---- track.c: TCP's state, lightly ------------------------------------------------------------- */

/* The frame begins a new conversation over an old one with the same addresses and ports. */
bool track_restarts(const struct way *w, const struct flow *f, unsigned side);
/* Notes the frame; REASON_NO_FLOW: it does not belong to the conversation. */
enum reason track_frame(struct way *w, struct flow *f, unsigned side);
/* The class that f belongs to now. */
enum flow_class track_class(const struct flow *f);

/* ---- nat.c ------------------------------------------------------------------------------------------ */

/* The key of the frame as it arrived. */
void nat_key(const struct way *w, struct flow_key *ret);
/* Rewrites addresses and ports for the other side. */
void nat_apply(struct way *w, const struct flow *f, unsigned side);
/* An ICMP error: the flow that it quotes and the side it arrived at, or NULL. */
struct flow *nat_quoted_flow(const struct way *w, struct layers *ret_quoted, unsigned *ret_side);
void nat_apply_error(struct way *w, struct layers *quoted, const struct flow *f, unsigned side);

/* ---- caps.c ----------------------------------------------------------------------------------------- */

/* Packets the frame is on the wire: a super-frame counts as its segments. */
uint32_t caps_packets(const struct way *w);
/* Guest cap alone, nothing taken; a drop is noted. */
bool caps_guest_has(struct way *w);
/* Both caps of what leaves a guest. */
enum reason caps_take(struct way *w, struct flow *f);

/* ---- bridge.c --------------------------------------------------------------------------------------- */

MUST_USE int bridge_setup(struct judge *j, int64_t now_ns);
enum reason bridge_way(struct way *w);

#include "judge/answer_priv.h"
#include "judge/binding_priv.h"
#include "judge/contain_priv.h"
#include "judge/copy_priv.h"
#include "judge/ftp_priv.h"
#include "judge/inline_priv.h"
#include "judge/lan_priv.h"
#include "judge/report_priv.h"
#include "judge/weaken_priv.h"

#endif
