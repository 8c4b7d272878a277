/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of the verb `scrub`. */
#ifndef SKEP_CMD_WALL_SCRUB_H
#define SKEP_CMD_WALL_SCRUB_H

#include "event/event.h"
#include "judge/judge.h"

#include <stdio.h>

/* One alert as a line for people. */
void scrub_print_alert(FILE *out, const struct event *e);
/* The counters, so many seconds after the start; last: as the closing summary. */
void scrub_print_counters(FILE *out, const struct wall_stats *s, int64_t seconds, bool ids);
/* Says what of an interface can't work, or disturbs. 0, or an exit code. */
int scrub_check_link(const char *ifname);

#endif
