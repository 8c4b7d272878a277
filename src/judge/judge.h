/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * judge: one frame in, exactly one outcome: forward by which port (edited in place), or drop with a
 * reason; plus at most two small frames that the wall says itself (ARP and ND answers, resets).
 * Pure: no I/O, no clock of its own, no allocation after judge_create. Used by wall.
 *
 * Files: judge.c the way of a frame; binding.c which address lives at which port; spoof.c who may
 * speak; neigh.c ARP and ND; open.c new conversations; track.c TCP's state; caps.c rates; nat.c
 * translation; answer.c what the wall says itself; report.c events; inline.c rules in the way; alert.c
 * what they tell; copy.c what collector hears; bridge.c two ends of a wire; ftp.c FTP behind translated addresses;
 * lan.c bridged guests.
 */
#ifndef SKEP_JUDGE_H
#define SKEP_JUDGE_H

#include "conf/conf.h"
#include "event/event.h"
#include "packet/packet.h"
#include "policy/policy.h"
#include "scrub/scrub.h"

#define JUDGE_PORTS 24 /* outside + guests + spare */
#define JUDGE_REPLIES 2

enum judge_port_kind { JUDGE_OUTSIDE, JUDGE_HONEYPOT, JUDGE_LOGHOST, JUDGE_SINK };

struct judge_port {
	char name[EVENT_NAME];
	uint8_t kind; /* enum judge_port_kind */
	uint8_t up;
	struct mac mac; /* guest's; outside: the wall's own on that side */
	/* Outside: next hops for what a guest begins; all zero: not known (yet), nothing begins. Conversations
	 * begun outside are answered to the link address that they last came from. */
	struct mac peer_mac, peer_mac6;
	/* Guest's bindings; ver 0: none. Outside: public and public6 are the uplink's own addresses, where a guest
	 * shares them: forwards without an address of their own mean these. */
	struct addr inside, public, inside6, public6;
	char class[CONF_NAME]; /* guest's, for the policy */
	uint8_t roach_motel;   /* in, but never out */
};

struct judge_copies {   /* what collector is there for; all zero: nothing */
	uint8_t syslog; /* what is sent to the loghost */
	uint8_t inside; /* totals of what guests are told from outside */
	uint8_t talk;   /* ... and what is said in clear text */
};

struct judge_conf {
	uint32_t n_ports; /* port 0 is outside */
	struct judge_port ports[JUDGE_PORTS];
	uint32_t n_forwards;
	struct conf_forward forwards[CONF_FORWARDS];
	struct conf_network network;
	struct conf_wall wall;
	/* Addresses and networks of the host: off limits. As it has them: its own address, and the length. */
	uint32_t n_host;
	struct prefix host[CONF_PREFIXES];
	struct judge_copies copies;
	struct policy_now now; /* what operators have ordered so far */
	struct scrub *
		scrub; /* rules inline; NULL: none. Used by judge alone from then on; the caller's */
	bool syslog_tls; /* guests may reach TCP port 6514 of a loghost, too */
	bool bridge; /* `skep scrub`: ports 0 and 1 are two ends of a wire; no address, no policy */
	/* Mode bridge: guests have their real addresses (inside equals public) on the network that the outside port
	 * is on; nothing is translated, MACs and TTLs stay. network.gateway is a real router, whose link address
	 * is learned from what it says to guests (and no other's): guests may ask for it by ARP and neighbour
	 * discovery, and send outside by it alone. */
	bool bridged;
	uint64_t boot_id; /* wall start, ms since the epoch: flow ids begin at this * 4096,
					so that they are unique across restarts */
};

struct wall_rules { /* as struct scrub_stats has them */
	uint64_t in_force, swaps, alerts, dropped, rejected, rewritten, edits, late, held,
		held_timeout, normalised, flows, given_up, memory, memory_limit, memory_refused;
};

/* One page of counters in shared memory, written by wall, read by super and `skep status`. Each is
 * a total since the wall started; readers see each value whole. */
struct wall_stats {
	uint64_t version;                      /* sizeof(struct wall_stats) */
	int64_t started_boot_ns, beat_boot_ns; /* beat: at least once a second */
	uint64_t frames, bytes, forwarded, replies;
	uint64_t reasons[64]; /* frames by enum reason */
	uint64_t ipv4, ipv6, tcp, udp, icmp, icmp6, arp, other;
	uint64_t flows_total, flows_active, flows_capacity, flows_evicted, flows_refused;
	uint64_t inbound, outbound, lateral; /* new conversations */
	uint64_t limited;                    /* ... refused by a limit */
	uint64_t events, events_lost, events_suppressed;
	uint64_t kernel_drops, send_failed;
	/* What the wall acts by: the last orders it took, what it still has of them. */
	uint64_t orders, lockdown;
	uint64_t ignored[CONF_PREFIXES +
			 POLICY_NETS]; /* conversations: of the configuration, of orders */
	struct wall_rules rules;       /* all zero: none */
	struct {
		char name[EVENT_NAME];
		uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes, kernel_drops, send_failed;
		/* used and max of the tightest outbound window: tcp, udp, icmp, other */
		uint32_t used[4], max[4];
	} ports[JUDGE_PORTS];
};

enum judge_copy_to { JUDGE_COPY_SYSLOG, JUDGE_COPY_TALK };
/* A frame that collector is to have, as struct copy_head (capture/copies.h) says. */
struct judge_copy {
	uint64_t flow_id;
	uint8_t to, direction; /* enums judge_copy_to, event_direction */
	bool from_guest, begun_by_guest;
	uint16_t guest, peer_guest; /* ports; 0xffff: none */
	bool translated;            /* the guest wrote other addresses than left: these */
	struct addr src, dst;
	uint16_t sport, dport;
};

struct judge_tally { /* payload of a conversation that a guest was asked for, so far; about */
	uint64_t flow_id, to_guest, from_guest;
	uint16_t guest, peer_guest;
	uint8_t direction;
	bool ended;
	struct addr peer, inside; /* as the guest sees them */
	uint16_t peer_port, port;
};
/* Who wants to hear what does not come with a frame that is judged. */
struct judge_listener {
	/* Once a second at most for each conversation, and at its end. */
	void (*tally)(void *ctx, const struct judge_tally *t);
	/* judge_release is about to send f, which is to be copied. */
	void (*released)(void *ctx, const struct judge_copy *c, const struct frame *f);
	void *ctx;
};

struct judge_result {
	uint8_t verdict, reason, direction; /* enums of event.h */
	bool first;                         /* opened a conversation */
	uint16_t out_port;                  /* valid with VERDICT_FORWARD */
	uint64_t flow_id;
	bool rewritten; /* VERDICT_FORWARD: a rule replaced something in it */
	/* With VERDICT_FORWARD and changed: send what these are instead of the frame (none: it waits, or
	 * goes on in another one). All by out_port; valid until the next judge_frame. */
	bool changed;
	uint32_t n_frames;
	struct frame **frames;
	uint32_t n_replies;
	struct frame
		*replies[JUDGE_REPLIES]; /* judge's own buffers, valid until the next judge_frame */
	uint16_t reply_port[JUDGE_REPLIES];
	/* What leaves is to be copied; NULL: it is not. Valid until the next judge_frame. */
	const struct judge_copy *copy;
};

struct judge;
typedef void judge_emit_fn(void *ctx, const struct event *e);

/* Size of the shared limit state (held by super in a file, so a restart buys nobody a fresh
 * budget). It is checked on creation and started anew, with a health event, if it is not ours. */
size_t judge_limits_bytes(void);
/* Bytes of arena that judge_create needs. */
size_t judge_arena_bytes(const struct judge_conf *conf);
MUST_USE int judge_create(struct arena *arena, const struct judge_conf *conf, void *limits,
			  struct wall_stats *stats, judge_emit_fn *emit, void *emit_ctx,
			  int64_t now_boot_ns, struct judge **ret);
/* Decides about f and edits it in place. now_boot_ns never goes back. */
void judge_frame(struct judge *j, int64_t now_boot_ns, struct frame *f, struct judge_result *ret);
/* Without one nobody hears totals, nor what is released. */
void judge_listen(struct judge *j, const struct judge_listener *l);
/* Puts the addresses and ports that the guest sees into a copy of what left. */
void judge_copy_view(const struct judge_copy *c, struct frame *f);
/* Bytes that waited long enough leave: calls send for each frame. About every 10 ms while there are any. */
typedef void judge_send_fn(void *ctx, uint16_t port, struct frame *f);
void judge_release(struct judge *j, int64_t now_boot_ns, judge_send_fn *send, void *ctx);
/* Time-outs, flow events, summaries; call about ten times a second. Bounded work per call. */
void judge_tick(struct judge *j, int64_t now_boot_ns);
/* Ends every flow with an event (shutdown). */
void judge_finish(struct judge *j, int64_t now_boot_ns);
/* New orders of the operator, all of them. SKEP_ERANGE: they make no sense, the old ones stay. */
MUST_USE int judge_orders(struct judge *j, const struct policy_now *now, int64_t now_boot_ns);
/* Addresses and networks of the host have changed (at most CONF_PREFIXES): off limits from now on, for
 * conversations that are open as well. */
void judge_host(struct judge *j, const struct prefix *host, uint32_t n, int64_t now_boot_ns);
/* A guest's port came up or went down, or its bindings changed: its old flows end. Of the outside port only
 * MACs and addresses change: conversations go on. */
MUST_USE int judge_port_set(struct judge *j, uint16_t index, const struct judge_port *port,
			    int64_t now_boot_ns);

#endif
