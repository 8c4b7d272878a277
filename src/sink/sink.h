/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sink: where contained traffic ends. Servers that take whatever a guest says, tell it as events and
 * do nothing else: SMTP, HTTP, DNS, NTP, and any TCP or UDP. State machines over bytes without
 * sockets or clock; all memory is fixed at creation. Used by the role of that name.
 *
 * Whom a guest meant is the address it asked: the wall leaves addresses alone and maps the port to
 * that of the service. Every byte that comes in here is an intruder's.
 */
#ifndef SKEP_SINK_H
#define SKEP_SINK_H

#include "conf/conf.h"
#include "event/event.h"

enum sink_service {
	SINK_SMTP,
	SINK_HTTP,
	SINK_DNS_TCP,
	SINK_ANY_TCP,
	SINK_DNS,
	SINK_NTP,
	SINK_ANY,
	SINK_SOCKETS /* the first four are TCP's */
};
#define SINK_TCP SINK_DNS
/* The port that the wall maps to; below it lies the service. */
uint16_t sink_port(enum sink_service v);

struct sink_guest {
	char name[EVENT_NAME];
	struct addr inside, inside6; /* how it is known here */
};
struct sink_conf {
	uint32_t n_guests;
	struct sink_guest guests[CONF_GUESTS];
	uint32_t connections; /* TCP, at most; a guest has at most a quarter of them */
	uint64_t bytes;       /* read of one connection */
	int64_t idle_ns;
	uint32_t dns_budget; /* queries of a guest in any minute; at most SINK_BUDGET */
	bool dns_upstream;   /* there is a resolver to ask */
	uint64_t seed[2];    /* what answers are made up from: the same after a restart */
};
#define SINK_BUDGET 1000u

struct sink_ends { /* server: whom the client meant */
	struct addr client, server;
	uint16_t cport;
};

#define SINK_ANSWER 4096u /* longest DNS message that comes or goes */

struct sink;
struct sink_session; /* one TCP connection */

/* What the sink needs done; no call comes back into the sink. */
struct sink_io {
	void (*emit)(void *ctx, const struct event *e);
	/* A datagram to the upstream resolver. */
	void (*ask)(void *ctx, const uint8_t *data, size_t len);
	/* A late answer to a datagram. */
	void (*reply)(void *ctx, enum sink_service v, const struct sink_ends *e,
		      const uint8_t *data, size_t len);
	/* The session has something to send, or is over. */
	void (*ready)(void *ctx, struct sink_session *t);
	void *ctx;
};

/* Bytes of arena that sink_create needs. */
size_t sink_arena_bytes(const struct sink_conf *conf);
MUST_USE int sink_create(struct arena *arena, const struct sink_conf *conf,
			 const struct sink_io *io, int64_t now_ns, struct sink **ret);

/* A connection of TCP service v. SKEP_EFULL: no room for it, or for this guest. now_ns here and
 * below: any clock that never goes back. */
MUST_USE int sink_open(struct sink *s, enum sink_service v, const struct sink_ends *e,
		       int64_t now_ns, struct sink_session **ret);
/* Which one of 0 .. conf.connections - 1 it is. */
uint32_t sink_index(const struct sink *s, const struct sink_session *t);
/* Takes bytes and returns how many: it stops when its answers have no room. */
size_t sink_feed(struct sink *s, struct sink_session *t, const uint8_t *data, size_t len,
		 int64_t now_ns);
/* What is to be sent; borrowed until the next call. sink_sent: that much is gone. */
size_t sink_out(const struct sink_session *t, const uint8_t **ret);
void sink_sent(struct sink_session *t, size_t n);
/* Nothing more is wanted of the client: close once all is sent. */
bool sink_over(const struct sink_session *t);
/* The connection ended, either way: tells what is left to tell. t is no more. */
void sink_close(struct sink *s, struct sink_session *t, int64_t now_ns);

/* A datagram of UDP service v: length of the answer in out (SINK_ANSWER bytes); 0: none, or later. */
size_t sink_datagram(struct sink *s, enum sink_service v, const struct sink_ends *e,
		     const uint8_t *data, size_t len, int64_t now_ns, uint8_t *out);
/* What the upstream resolver said. */
void sink_answered(struct sink *s, const uint8_t *data, size_t len, int64_t now_ns);
/* Time-outs and sums; a few times a second. */
void sink_tick(struct sink *s, int64_t now_ns);

#endif
