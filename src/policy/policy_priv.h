/* SPDX-License-Identifier: BSD-2-Clause */
/* policy: the layout of the shared file, which limits.c and meters.c share. */
#ifndef SKEP_POLICY_PRIV_H
#define SKEP_POLICY_PRIV_H

#include "policy/policy.h"

struct ring {
	uint64_t count;                /* ever charged; the newest is at count - 1 */
	int64_t stamp_ns[POLICY_RING]; /* boot clock */
};

/* One window: counts of its last slices. All zero: nothing counted yet. */
struct meter_window {
	int64_t slice; /* number of the newest */
	uint32_t count[POLICY_SLICES + 1];
	uint32_t pad;
};

/* What one rule counts together, in all of its windows. */
struct meter {
	struct policy_meter_key key;
	int64_t stamp_ns; /* last counted */
	int64_t until_ns; /* from then on nothing of it counts any more; 0: free */
	struct meter_window connections[CONF_WINDOWS], packets[CONF_WINDOWS], bytes[CONF_WINDOWS];
};

struct slot {
	char guest[CONF_NAME]; /* empty: free */
	struct ring rings[POLICY_CLASSES];
	struct meter meters[POLICY_METERS];
};

struct policy_limits {
	uint64_t magic;
	uint32_t version, slots, classes, ring;
	uint64_t bytes;
	struct slot slot[POLICY_SLOTS];
};

/* Could that be what we wrote? */
bool meter_sound(const struct meter *m, int64_t now_ns);

#endif
