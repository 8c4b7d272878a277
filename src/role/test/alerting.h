/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A world for alerter: hub and alerter as they really run, each a process of its own with its filter, over the
 * real channels. The test plays super, the roles that tell, and ledger; it is the courier, one that remembers what it
 * delivered, or a web server that the real one delivers to. Every event carries a marker.
 */
#ifndef SKEP_ALERTING_H
#define SKEP_ALERTING_H

#include "outbox/outbox.h"
#include "role/role.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MARKERS 65536u
#define KNOWN 16384u
#define BODY (64u << 10)

/* whose ends of the event channels the test holds */
enum { WALL, COLLECTOR, SUPER, ALERTER, SOURCES };

/* A web server that is polled. */
#define WEB_CONNS 8
struct web {
	int listener; /* -1: the test is the courier itself */
	struct {
		int fd;
		size_t len;
		char buf[BODY + 8192];
	} conns[WEB_CONNS];
};

struct rig {
	char dir[32];
	bool mounted;
	int hub_super[2], alerter_super[2], hub_ledger[2], hub_alerter[2], courier[2];
	int sources[SOURCES][2];
	int courier_super[2];
	pid_t hub, alerter, real; /* real: the real courier */
	struct start_alerter start;
	struct web web;

	/* the courier, or the server */
	enum deliver_outcome outcome;
	bool silent;              /* takes, and answers nothing */
	bool picky;               /* refuses for good what has a marker in it */
	uint8_t sent[2][MARKERS]; /* by destination: how often it went out */
	int64_t sent_ns[MARKERS]; /* the first time */
	uint64_t known[KNOWN];
	uint32_t n_known, handed, tests, again, plain;
	struct msg_deliver last;
	uint64_t beats, beats_bad, last_beat;
	bool sealed;

	/* what hub told ledger */
	uint32_t notices_sent, notices_failed, undelivered, full;
	uint64_t lost;
	char body[BODY + 1];
};

int rig_set_up(void **state);
int rig_tear_down(void **state);
void start_hub(struct rig *r);
/* Without waiting until it works. */
void spawn_alerter(struct rig *r);
void start_alerter(struct rig *r);
/* In good order, and with code 0. */
void stop_alerter(struct rig *r);
/* The real courier, with a web server of ours to deliver to; again after kill_role(&r->real). */
void start_courier(struct rig *r);
void kill_role(pid_t *pid);
/* Plays everybody else for so long. */
void play(struct rig *r, int ms);

void send_event(struct rig *r, int source, const struct event *e);
void escape(struct rig *r, uint32_t n);
/* From one of 256 sources. */
void login(struct rig *r, uint32_t n);
void some_event(struct rig *r, uint32_t n);

/* How many of the first n did not arrive everywhere yet; how many arrived twice somewhere. */
uint32_t missing(const struct rig *r, uint32_t n);
uint32_t repeated(const struct rig *r, uint32_t n);
void wait_all(struct rig *r, uint32_t n);

struct found {
	uint32_t n, states[4], tries;
	char answer[OUTBOX_TEXT];
};
struct found outbox(struct rig *r);

#endif
