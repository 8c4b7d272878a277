/* SPDX-License-Identifier: BSD-2-Clause */
/* super's part of `skep prove`: a port that is held as long as the proof's connection is open. */
#ifndef SKEP_SUPER_PROVE_H
#define SKEP_SUPER_PROVE_H

#include "judge/judge.h"

#include <jansson.h>

struct super;

#define PROVE_IFNAME "prove0" /* the wall's end of the proof's port */

/* The throw-away guest port of `skep prove`: always there (the wall's ports are fixed at its start), the last
 * of all, and down but while a proof holds it. */
struct prove_run {
	int hold; /* the proof's control connection: what it holds ends with it; -1: none */
	int64_t until_ns;
	struct judge_port port; /* up: one runs */
};

/* The port, at start, with nobody behind it. */
MUST_USE int prove_prepare(struct super *s, char *why, size_t why_size);
/* Opens it, as request says, for whoever is at the other end of fd (taken over if 0); ret: the answer, the caller's
 * to free. */
void prove_begin(struct super *s, const json_t *request, int *fd, char **ret);
/* Takes it down, if nobody holds it any more; in any case. */
void prove_check(struct super *s);
void prove_end(struct super *s);

#endif
