/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small honeynet in memory for the judge's tests: two honeypots and a loghost, a clock that moves
 * when told, frames made from a line of text's worth of facts, events kept for looking at.
 */
#ifndef SKEP_JUDGE_TEST_WORLD_H
#define SKEP_JUDGE_TEST_WORLD_H

#include "judge/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { OUTSIDE, WEB1, LOGHOST, DB1 }; /* ports */

#define WORLD_EVENTS 4096u
#define WORLD_FRAME 66000u

struct world {
	struct arena arena;
	struct judge_conf conf;
	struct judge *j;
	struct wall_stats stats;
	void *limits;
	int64_t now;
	struct frame f; /* the last frame, as the judge left it */
	struct judge_result r;
	struct layers l; /* of f, decoded again afterwards */
	uint32_t n_events, counts[EVENT_KINDS];
	struct event events[WORLD_EVENTS]; /* the first ones */
	struct rule_set *rules;
	bool wire;    /* a bridge: frames leave as they came */
	bool any_hop; /* the test itself sees to whom outside they are sent */
	uint8_t data[WORLD_FRAME];
};

/* What a frame is made from. Zero means: the usual. */
struct spec {
	uint16_t port;
	const char *src, *dst; /* addresses */
	uint8_t proto;         /* usual: TCP */
	uint16_t sport, dport; /* ICMP: id, sequence */
	uint8_t flags;         /* TCP */
	uint32_t seq, ack;
	uint8_t type, code; /* ICMP; usual: echo request */
	uint8_t ttl;        /* usual: 64 */
	uint32_t payload;   /* bytes */
	const struct mac *smac,
		*dmac; /* usual: the guest's own, the gateway's; outside: peer, wall */
	bool partial;  /* VNET_NEEDS_CSUM */
	bool bad_csum;
	uint16_t gso_size;    /* makes it a super-frame */
	const void *body;     /* payload's bytes */
	uint16_t frag_id;     /* with frag_more or frag_offset: a fragment */
	uint16_t frag_offset; /* bytes; then there is no transport header */
	bool frag_more;
};

extern const struct mac mac_wall, mac_peer, mac_gateway, mac_web1, mac_loghost, mac_db1;

struct world *world_new(void);
/* Begins anew with these rules inline (NULL: none, but everything is looked at). */
void world_rules(struct world *w, const char *rules, bool ids);
/* The same limit state and configuration, everything else new: the wall was killed. */
void world_crash(struct world *w);
/* (Re)creates the judge from w->conf, which a test may have changed. */
void world_restart(struct world *w);
void world_free(struct world *w);

/* Makes the frame in w->f. */
void world_make(struct world *w, const struct spec *s);
/* Makes it, judges it, decodes what came of it; returns the reason. Forwarded frames are checked:
 * right checksums, MACs, TTL. */
enum reason world_send(struct world *w, const struct spec *s);
/* Judges whatever is in w->f. */
enum reason world_judge(struct world *w);
void world_wait(struct world *w, int64_t ns); /* with a tick every 100 ms of at most 100 s */
struct addr world_addr(const char *text);
bool world_has(const struct addr *a, const char *text);
/* Last kept event of the kind, or NULL. */
const struct event *world_event(const struct world *w, enum event_kind kind);
void world_forget_events(struct world *w);
/* Three packets: SYN, SYN-ACK, ACK. From outside (port 0) or a guest. The far addresses are those
 * that the answering side sees. */
void world_handshake(struct world *w, const struct spec *syn, uint16_t far_port,
		     const char *far_src, uint16_t far_sport, const char *far_dst);

#endif
