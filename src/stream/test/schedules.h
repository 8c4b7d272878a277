/* SPDX-License-Identifier: BSD-2-Clause */
/* Seeded schedules of one sender, one receiver and the engine inline between them. */
#ifndef SKEP_STREAM_SCHEDULES_H
#define SKEP_STREAM_SCHEDULES_H

#include <stdint.h>

/* Plays n schedules; fails the test at the first byte that the receiver has and nobody has seen. At the
 * end of each an honest sender must come through. How many packets were refused, and set right. */
void schedules_run(uint64_t first, uint32_t n, uint32_t *ret_refused, uint32_t *ret_changed);
/* The same with a slab that others eat up. How often there was no memory. */
void schedules_run_poor(uint64_t first, uint32_t n, uint64_t *ret_denied);

#endif
