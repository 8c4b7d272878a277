/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a second machine is told, so that it notices when this one is made silent: a beat now and then, and
 * at once when a seal was made, when the honeynet starts and stops. Beats never queue up: a newer one takes
 * the place of one that has not gone.
 */
#include "role/alerter/alerter_priv.h"

#include <string.h>

/* Ours among the engine's slots, which count from 0. */
#define SLOT_SEALS (UINT64_MAX - 1)

bool beat_slot(uint64_t slot)
{
	return slot == SLOT_SEALS;
}

void beat_load(struct alerter *a, uint64_t slot, const void *data, size_t size)
{
	if (slot == SLOT_SEALS && size == sizeof(a->beat.seals))
		memcpy(a->beat.seals, data, size);
}

void beat_seal(struct alerter *a, const struct event_seal *s)
{
	/* One of each kind of file. */
	a->beat.seals[strncmp(s->file, "eve", 3) == 0 ? 1 : 0] = *s;
	a->seals_changed = true;
}

void beat_now(struct alerter *a, const char *why)
{
	bool watched = false;
	for (uint32_t i = 0; i < a->start.conf.n_to; i++)
		watched |= a->start.conf.to[i].watch != 0;
	if (!watched)
		return;
	a->beat_ns = clock_boot_ns();
	a->beat.n++;
	a->beat.at_ns = clock_wall_ns();
	a->beat.every_ns = a->start.conf.heartbeat_ns;
	a->beat.since_ns = a->start.since_ns;
	a->beat.last_event = a->newest;
	if (outbox_waiting(a->box, &a->beat.waiting) != 0)
		log_line(LOG_DEBUG, "how many messages wait can't be read now");
	text_copy(a->beat.why, sizeof(a->beat.why), why);
	/* The count goes up over restarts; on a disk that takes nothing it goes on in memory. */
	if (outbox_set(a->box, "beat", a->beat.n) != 0 ||
	    (a->seals_changed &&
	     outbox_slot(a->box, SLOT_SEALS, a->beat.seals, sizeof(a->beat.seals)) != 0))
		a->dropped++;
	a->seals_changed = false;
	a->urgent = true;
	for (uint32_t i = 0; i < a->start.conf.n_to; i++) {
		struct route *r = &a->routes[i];
		if (!a->start.conf.to[i].watch)
			continue;
		r->beat = true;
		r->beat_at_ns = 0;
		r->beat_tries = 0;
	}
}

void beat_tick(struct alerter *a)
{
	int64_t every = a->start.conf.heartbeat_ns;
	if (a->seals_changed)
		beat_now(a, "seal");
	else if (every > 0 && clock_boot_ns() - a->beat_ns >= every)
		beat_now(a, "beat");
}
