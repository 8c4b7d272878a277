/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of every class and kind, honest and hostile ones, and a destination of every kind. */
#ifndef SKEP_NOTIFY_WORLD_H
#define SKEP_NOTIFY_WORLD_H

#include "notify/notify.h"

#define WORLD_NOW_NS (INT64_C(1795878245) * NS_PER_SEC + 123456000) /* 2026-11-28 14:04:05 UTC */

struct sample {
	char name[32];
	struct alert_message m;
	struct facts_of facts;
};
size_t world_samples(void);
void world_sample(size_t i, struct sample *ret);
/* One destination of each kind under its number; the same, short, behind them (CONF_DESTINATIONS bounds a
 * configuration, so there are two). */
void world_conf(bool brief, size_t kind, struct conf_alerts *ret);
struct notify_from world_from(void);
void world_beat(struct notify_beat *ret);

#endif
