/* SPDX-License-Identifier: BSD-2-Clause */
/* What the programs in the kernel and the process that loads them share: one page, mapped by both. */
#ifndef MONITOR_SHARED_H
#define MONITOR_SHARED_H

#include "sensor/format.h"

#define MONITOR_RING (1u << 20)

struct monitor_shared {
	uint32_t self;               /* pid of the monitor: what it does itself is not told */
	uint32_t asleep;             /* it waits: the next record shall wake it */
	uint64_t lost[SENSOR_TYPES]; /* records for which the ring had no room */
	uint64_t lost_bytes;
	uint64_t told[SENSOR_TYPES],
		told_bytes;  /* of these; the process writes it down for its next life */
	uint64_t ran[HOOKS]; /* calls of each hook, to see that it is alive */
};

#endif
