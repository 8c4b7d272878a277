/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state over restarts. A slot is an entry of a table as it lies in memory, under the number of its place; what
 * does not look like one of ours is left out: then somebody hears of something twice, which is no harm.
 */
#include "alert/alert_priv.h"

#include <string.h>

#define VERSION 2u
enum slot { SLOT_CLOCK = 1, SLOT_STATE, SLOT_WINDOW, SLOT_INCIDENT, SLOT_SOURCE };

static uint64_t slot_of(enum slot kind, uint32_t index)
{
	return (uint64_t)kind << 32 | index;
}

static void save_table(struct table *t, enum slot kind,
		       void (*fn)(void *ctx, uint64_t slot, const void *data, size_t size),
		       void *ctx)
{
	for (uint32_t i = 0; i < t->n_dirty; i++) {
		uint32_t at = t->dirty[i];
		struct head *h = table_at(t, at);
		t->links[at].dirty = false;
		if (h != NULL)
			h->version = VERSION;
		fn(ctx, slot_of(kind, at), h, h != NULL ? t->entry_bytes : 0);
	}
	t->n_dirty = 0;
}

void alert_save(struct alert *a,
		void (*fn)(void *ctx, uint64_t slot, const void *data, size_t size), void *ctx)
{
	held_flush(a);
	if (a->clock_dirty) {
		a->clock.head = (struct head){VERSION, 0, 1};
		fn(ctx, slot_of(SLOT_CLOCK, 0), &a->clock, sizeof(a->clock));
		a->clock_dirty = false;
	}
	save_table(&a->states, SLOT_STATE, fn, ctx);
	save_table(&a->windows, SLOT_WINDOW, fn, ctx);
	save_table(&a->incidents, SLOT_INCIDENT, fn, ctx);
	save_table(&a->sources, SLOT_SOURCE, fn, ctx);
}

/* ---- is it ours? --------------------------------------------------------------------------------------- */

static bool ended(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

static bool addr_sound(const struct addr *a)
{
	static const uint8_t zero[16];
	if (memcmp(a->pad, zero, sizeof(a->pad)) != 0)
		return false;
	return a->ver == 6 || (a->ver == 4 && memcmp(a->b + 4, zero, 12) == 0) ||
	       (a->ver == 0 && memcmp(a->b, zero, 16) == 0);
}

static bool input_sound(const struct alert_input *in)
{
	return in->class <= ALERT_CLASSES && in->kind < EVENT_KINDS &&
	       in->direction <= DIR_LATERAL && in->verdict < VERDICTS && addr_sound(&in->source) &&
	       in->syn.n_options <= EVENT_SYN_OPTIONS && ended(in->guest, sizeof(in->guest)) &&
	       ended(in->state, sizeof(in->state)) && ended(in->what, sizeof(in->what)) &&
	       ended(in->text, sizeof(in->text)) && in->time_ns >= 0;
}

static bool tallies_sound(const struct tallies *t)
{
	if (t->n > TALLIES)
		return false;
	for (uint32_t i = 0; i < t->n; i++)
		if (t->all[i].class > ALERT_CLASSES || t->all[i].why >= ALERT_WHYS)
			return false;
	return true;
}

/* Room for another lifetime: nothing that is added to it overflows. */
static bool time_sound(int64_t ns)
{
	return ns >= 0 && ns < INT64_MAX / 2;
}

static bool clock_sound(const void *data)
{
	const struct clock *c = data;
	return time_sound(c->now_ns) && time_sound(c->stop_ns) &&
	       (time_sound(c->digest_ns) || c->digest_ns == INT64_MAX) &&
	       c->number < UINT64_MAX / 2 && c->digest_minute >= -1 && c->digest_minute <= 24 * 60;
}

static bool budget_sound(const struct budget *b)
{
	return time_sound(b->hour.newest) && time_sound(b->day.newest);
}

static bool state_sound(const void *data)
{
	const struct state *s = data;
	for (int k = 0; k < ALERT_CLASSES; k++)
		if (!budget_sound(&s->of[k]))
			return false;
	if (!budget_sound(&s->all) || !budget_sound(&s->untold))
		return false;
	return input_sound(&s->what) && tallies_sound(&s->tallies) && s->weight <= 9 &&
	       time_sound(s->since_ns);
}

static bool window_sound(const void *data)
{
	const struct window *w = data;
	return ended(w->key.guest, sizeof(w->key.guest)) && addr_sound(&w->key.source) &&
	       w->key.class < ALERT_CLASSES;
}

static bool incident_sound(const void *data)
{
	const struct incident *x = data;
	for (uint32_t i = 0; i < ALERT_COMMANDS; i++)
		if (!ended(x->commands[i], ALERT_COMMAND))
			return false;
	return input_sound(&x->what) && tallies_sound(&x->tallies) &&
	       x->n_commands <= ALERT_COMMANDS && time_sound(x->last_ns) && x->weight <= 9;
}

static bool source_sound(const void *data)
{
	const struct source *s = data;
	return addr_sound(&s->addr) && s->addr.ver != 0 && time_sound(s->first_ns) &&
	       time_sound(s->last_ns) && time_sound(s->news_ns);
}

int alert_load(struct alert *a, uint64_t slot, const void *data, size_t size)
{
	const struct {
		enum slot kind;
		struct table *table;
		bool (*sound)(const void *data);
	} rows[] = {{SLOT_STATE, &a->states, state_sound},
		    {SLOT_WINDOW, &a->windows, window_sound},
		    {SLOT_INCIDENT, &a->incidents, incident_sound},
		    {SLOT_SOURCE, &a->sources, source_sound}};
	struct head head;
	if (size < sizeof(head))
		return SKEP_EFORMAT;
	memcpy(&head, data, sizeof(head));
	if (head.version != VERSION)
		return SKEP_EFORMAT;
	if (slot == slot_of(SLOT_CLOCK, 0) && size == sizeof(a->clock)) {
		struct clock c;
		memcpy(&c, data, sizeof(c));
		if (!clock_sound(&c))
			return SKEP_EFORMAT;
		a->clock = c;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct table *t = rows[i].table;
		if (slot >> 32 != rows[i].kind || size != t->entry_bytes)
			continue;
		/* The caller's memory may lie anywhere. */
		_Alignas(16) uint8_t copy[sizeof(struct incident) + sizeof(struct state)];
		memcpy(copy, data, size);
		if (rows[i].sound(copy))
			return table_put(rows[i].table, (uint32_t)slot, copy);
	}
	return SKEP_EFORMAT;
}
