/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ties: what ties the inside of a guest to the wall's conversations. A visit that collector tells of is found by the
 * conversation it came in by; a conversation that a guest begins, by the process that began it. A part of hub's
 * incidents: pure, fixed size, nothing believed beyond its place: who is pushed out of a table is joined by
 * addresses alone.
 */
#ifndef SKEP_ROLE_TIES_H
#define SKEP_ROLE_TIES_H

#include "event/event.h"

struct tie { /* an incident: its id, and where it is */
	uint64_t incident;
	uint32_t index;
};

struct ties;
size_t ties_bytes(void);
MUST_USE int ties_create(struct arena *arena, struct ties **ret);
/* A conversation that somebody has with a guest was let through. */
void ties_conversation(struct ties *t, const struct event *e);
/* The flow that a visit came in by; 0: not known. */
uint64_t ties_flow(const struct ties *t, const struct event_visit *v);
/* A session is of that flow and incident; later ones of its events need not find them again. */
void ties_session(struct ties *t, uint64_t session, uint64_t flow_id, const struct tie *to);
bool ties_of_session(const struct ties *t, uint64_t session, uint64_t *ret_flow, struct tie *ret);
/* A process of that incident begins a connection (an activity "connect"). to NULL: it is nobody's. */
void ties_begun(struct ties *t, const struct event *e, const struct tie *to, int64_t now_ns);
/* Who began the conversation that e (a connection) tells of; each is found once. */
bool ties_beginner(struct ties *t, const struct event *e, struct tie *ret, int64_t now_ns);
/* Would ties_beginner find one, be it nobody's? */
bool ties_has_begun(const struct ties *t, const struct event *e, int64_t now_ns);
/* Does the guest's monitor tell of connections? */
bool ties_tells(const struct ties *t, const char *guest, int64_t now_ns);

#endif
