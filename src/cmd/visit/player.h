/* SPDX-License-Identifier: BSD-2-Clause */
/* Playing a recording: to a terminal with keys, or to anything else as plain bytes. */
#ifndef SKEP_CMD_VISIT_PLAYER_H
#define SKEP_CMD_VISIT_PLAYER_H

#include "cmd/visit/cast.h"

struct player_options {
	double speed;        /* 0: all at once (no terminal) */
	int64_t max_idle_us; /* 0: pauses as they were */
	int64_t from_us;
	const char *search; /* begin where this was shown; NULL: no */
	bool raw;           /* everything, also what may harm the terminal */
	bool input;         /* show what was typed: nothing came back as an echo */
	bool keys;          /* stdin and stdout are terminals */
	const char *name;   /* in the line at the bottom */
};
/* 0; 1: what was searched for is nowhere in it; negative: an error. */
MUST_USE int player_run(const struct cast *c, const struct player_options *o);

#endif
