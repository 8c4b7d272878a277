/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to src/steer: the places where a program hangs, and what the uplink listens for. */
#ifndef SKEP_STEER_PRIV_H
#define SKEP_STEER_PRIV_H

#include "steer/steer.h"

#include <bpf/libbpf.h>

struct tc_link {
	int index;
	bool made; /* the clsact queueing discipline on it is ours */
};

struct tc_place { /* a program at one side of a link */
	struct tc_link *link;
	enum bpf_tc_attach_point point;
	int prog; /* descriptor */
	bool there;
};

/* ---- tc.c ------------------------------------------------------------------------------------------- */

/* Adds clsact if the link has none. -EBUSY: it has an ingress queueing discipline of the older kind. */
MUST_USE int tc_prepare(struct tc_link *l);
/* -EEXIST: a program of a skep is there; -EBUSY: somebody else's is, in our very place. */
MUST_USE int tc_put(struct tc_place *p);
/* -ENOENT if it is not this very program that hangs there. */
MUST_USE int tc_check(const struct tc_place *p);
void tc_drop(struct tc_place *p);
/* Takes clsact off again, if it was ours and nobody has put anything on it. */
void tc_leave(struct tc_link *l);
/* All programs of any skep on a link, and clsact as above. */
MUST_USE int tc_clean(int link);
/* A proof's guard. */
void tc_unguard(int link);

/* ---- groups.c: all of it ends with the descriptors ------------------------------------------------- */

struct groups {
	int packet;  /* memberships of the link */
	int reports; /* memberships of the host's stack, which reports them to switches; or -1 */
	int link;
};

MUST_USE int groups_open(int link, bool promiscuous, struct groups *ret);
/* Joins the solicited-node groups of what is new in now, leaves those that are only in before. */
MUST_USE int groups_change(const struct groups *g, const struct steer_plan *before,
			   const struct steer_plan *now);
void groups_close(struct groups *g);

/* ---- made at build time from steer.bpf.c ----------------------------------------------------------- */

const void *steer_programs(size_t *ret_size);

#endif
