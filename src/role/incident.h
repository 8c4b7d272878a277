/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * incident: everything one intruder did to one guest until it is quiet, under one id. Pure logic of
 * hub: no I/O, no clock of its own, nothing allocated after incident_create.
 *
 * An inbound conversation that is let through opens the incident of (guest, peer). What the guest
 * then starts itself joins it; with several intruders on one guest it joins the one most recently
 * active that had a real session, and the join is marked ambiguous; unless the guest's monitor has told which process
 * began it: then it joins that process's visit. What the sink tells gets the flow
 * id of the redirected conversation it speaks of, and the port that was asked; what collector tells of a visit, that of
 * the conversation it came in by. When the table is full, or a
 * scan opens more than a bounded number a second, visits share one overflow incident per guest.
 */
#ifndef SKEP_INCIDENT_H
#define SKEP_INCIDENT_H

#include "event/event.h"

struct incident_conf {
	uint32_t max_open;   /* beyond it: the guest's overflow incident */
	uint32_t open_per_s; /* likewise */
	int64_t quiet_ns;    /* an incident ends after this silence */
	/* Gives the next event id. */
	uint64_t (*next_id)(void *ctx);
	/* Takes an incident event; e->id is set when it opens one (the incident's id is the id of the
	 * event that opened it), else 0. */
	void (*emit)(void *ctx, const struct event *e);
	void *ctx;
};

struct incidents;
/* Makes the tables, in memory from the arena (incident_bytes of it). */
MUST_USE int incident_create(struct arena *arena, const struct incident_conf *conf,
			     struct incidents **ret);
size_t incident_bytes(const struct incident_conf *conf);
/* An event has come: what conversation it speaks of (sets e->flow_id where the role could not know). */
void incident_arrived(struct incidents *t, struct event *e);
/* Is e a conversation that a guest began, of which its monitor is likely to say soon whose it is? Then it, and what
 * speaks of the same flow, should wait a second before incident_event sees it. */
bool incident_waits(struct incidents *t, int64_t now_ns, const struct event *e);
/* Looks at a valid event, opens or joins an incident, and sets e->incident. An event that opens one
 * is preceded by the emitted "open". now_ns: any clock that never goes back. */
void incident_event(struct incidents *t, int64_t now_ns, struct event *e);
/* Updates and quiet ends; about once a second. */
void incident_tick(struct incidents *t, int64_t now_ns);
/* Tells what has not been told, for a stop. Nothing is closed: a restart is not silence. */
void incident_finish(struct incidents *t, int64_t now_ns);
/* How many are open, and how many visits went to an overflow incident. */
uint32_t incident_open_count(const struct incidents *t);
uint64_t incident_overflowed(const struct incidents *t);

#endif
