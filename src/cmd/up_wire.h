/* SPDX-License-Identifier: BSD-2-Clause */
/* skep up on the real wire: what it will touch, the word that it may stay, and waiting without a lab. */
#ifndef SKEP_UP_WIRE_H
#define SKEP_UP_WIRE_H

#include "conf/conf.h"

struct up_wire {
	unsigned take_link; /* how often --take-my-link was said */
	bool yes, service;
};

/* Prints what will be taken and what stays, before anything is touched. 0, or the exit code of a refusal. */
int up_wire_show(const struct conf *c, const struct up_wire *o, bool *ret_take_link);
/* After the start: how to say that it may stay, if that is still to be said. */
void up_wire_explain(const struct conf *c);
/* Until every guest's machine runs. */
int up_wire_wait(const struct conf *c, long timeout_s);
/* skep up --confirm */
int up_wire_confirm(const struct conf *c);

#endif
