/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine: an event at a time. What an event is was said by classify.c; here it is found out whether it is
 * news, and of what incident; quiet.c and throttle.c say whether somebody is told.
 */
#include "alert/alert_priv.h"

#include <string.h>

#define VISIT_NS HOUR_NS /* of silence is between two visits of a source */
#define SILENT_NS (12 * HOUR_NS)
#define DIGESTS 8 /* days without us that still get their digest afterwards */

uint64_t name_hash(const char *name)
{
	static const uint64_t any_key[2] = {0x616c657274, 0};
	uint64_t h = hash_keyed(any_key, name, strnlen(name, CONF_NAME));
	return h != 0 ? h : 1;
}

/* ---- making ------------------------------------------------------------------------------------------ */

size_t alert_bytes(void)
{
	return sizeof(struct alert) + 64 + table_bytes(WINDOWS, sizeof(struct window)) +
	       table_bytes(INCIDENTS, sizeof(struct incident)) +
	       table_bytes(SOURCES, sizeof(struct source)) +
	       table_bytes(STATES, sizeof(struct state));
}

static uint32_t classes_of(const struct conf_alerts *c, const struct conf_destination *to)
{
	uint32_t mask = 0;
	for (int k = 0; k < ALERT_CLASSES; k++)
		if (alert_takes(c, to, (enum conf_alert_class)k))
			mask |= UINT32_C(1) << k;
	return mask;
}

int alert_create(struct arena *arena, const struct conf_alerts *c, const struct alert_out *out,
		 struct alert **ret)
{
	struct alert *a = arena_alloc(arena, 1, sizeof(*a));
	if (a == NULL || c->n_to > CONF_DESTINATIONS)
		return SKEP_EFULL;
	a->c = c;
	a->out = *out;
	a->offset_at = -1;
	a->clock.digest_ns = a->timer_ns = INT64_MAX;
	int err = table_create(arena, WINDOWS, sizeof(struct window), sizeof(struct window_key),
			       &a->windows);
	if (err == 0)
		err = table_create(arena, INCIDENTS, sizeof(struct incident), sizeof(uint64_t),
				   &a->incidents);
	if (err == 0)
		err = table_create(arena, SOURCES, sizeof(struct source), sizeof(struct addr),
				   &a->sources);
	if (err == 0)
		err = table_create(arena, STATES, sizeof(struct state), sizeof(uint64_t),
				   &a->states);
	if (err != 0)
		return err;
	for (int k = 0; k < ALERT_CLASSES; k++)
		a->classes[k] = alert_class_of(c, (enum conf_alert_class)k);
	for (uint32_t i = 0; i < c->n_to; i++) {
		a->targets[i] = (struct target){.c = &c->to[i],
						.to = name_hash(c->to[i].name),
						.classes = classes_of(c, &c->to[i])};
		(void)hours_parse(c->to[i].hours, &a->targets[i].hours); /* not read: always */
	}
	quiet_prepare(a);
	*ret = a;
	return 0;
}

/* ---- the clock ----------------------------------------------------------------------------------------- */

/* Once, with the first time that is known; the state is loaded by then. */
static void begin(struct alert *a, int64_t ns)
{
	bool fresh;
	int32_t minute = minute_parse(a->c->digest);
	a->ready = true;
	for (uint32_t i = 0; i < a->c->n_to; i++) {
		struct state *s = table_get(&a->states, &a->targets[i].to, &fresh);
		if (fresh)
			s->since_ns = ns;
		a->targets[i].state = s;
	}
	if (a->clock.now_ns == 0)
		a->clock.now_ns = ns;
	a->minute = a->clock.now_ns / MINUTE_NS;
	if (minute < 0)
		a->clock.digest_ns = INT64_MAX;
	else if (minute != a->clock.digest_minute || a->clock.digest_ns == INT64_MAX)
		a->clock.digest_ns = next_minute(a, a->clock.now_ns, minute);
	a->clock.digest_minute = minute;
	a->clock_dirty = true;
}

/* The clock was wrong and is right again: better some repetition than silence until then. Windows, budgets and
 * sources that lie in the future are taken for what they are where they are looked at. */
static void step_back(struct alert *a, int64_t ns)
{
	a->clock.now_ns = ns;
	a->clock_dirty = true;
	a->minute = ns / MINUTE_NS;
	if (a->clock.digest_minute >= 0)
		a->clock.digest_ns = next_minute(a, ns, a->clock.digest_minute);
}

/* When the incident that was silent for longest is taken for over: hub, when it was started anew, does not say so. */
static int64_t silent_ns(struct alert *a)
{
	const struct incident *x = table_oldest(&a->incidents);
	return x != NULL ? x->last_ns + SILENT_NS : INT64_MAX;
}

static void close_incident(struct alert *a, struct incident *x, int64_t ns)
{
	digest_incident(a, x, ns);
	table_drop(&a->incidents, x);
}

/* What is due up to then happens at its own time. */
static void advance(struct alert *a, int64_t ns)
{
	if (!a->ready)
		begin(a, ns);
	if (ns < a->clock.now_ns - DAY_NS)
		step_back(a, ns);
	int64_t late = ns - DIGESTS * DAY_NS, silent;
	while ((silent = silent_ns(a)) <= ns || a->clock.digest_ns <= ns) {
		int64_t at = a->clock.digest_ns;
		if (silent <= at) {
			close_incident(a, table_oldest(&a->incidents), silent);
			continue;
		}
		digest_day(a, at);
		a->clock.digest_ns = next_minute(a, at > late ? at : late, a->clock.digest_minute);
		a->clock_dirty = true;
	}
	if (ns <= a->clock.now_ns)
		return;
	a->clock.now_ns = ns;
	a->clock_dirty = true;
	if (ns / MINUTE_NS == a->minute)
		return;
	a->minute = ns / MINUTE_NS;
	held_flush(a);
}

static void set_timer(struct alert *a)
{
	int64_t silent = silent_ns(a);
	a->timer_ns = silent < a->clock.digest_ns ? silent : a->clock.digest_ns;
}

void alert_tick(struct alert *a, int64_t now_ns)
{
	advance(a, now_ns);
	set_timer(a);
}

int64_t alert_next_ns(const struct alert *a)
{
	int64_t log = a->n_pending > 0 ? (a->minute + 1) * MINUTE_NS : INT64_MAX;
	return log < a->timer_ns ? log : a->timer_ns;
}

/* ---- incidents ------------------------------------------------------------------------------------------ */

/* How it was known before this visit. */
static void recall(const struct source *s, int64_t ns, int64_t *ret_ns, uint32_t *ret_times)
{
	uint32_t times = s->times - (ns - s->last_ns < VISIT_NS && s->times > 0 ? 1 : 0);
	*ret_ns = times > 0 ? s->first_ns : 0;
	*ret_times = times;
}

static struct incident *incident_of(struct alert *a, const struct alert_input *in)
{
	bool fresh;
	if (in->incident == 0)
		return NULL;
	struct incident *x = table_get(&a->incidents, &in->incident, &fresh);
	x->last_ns = a->clock.now_ns;
	if (!fresh)
		return x;
	x->start_ns = in->time_ns;
	/* Who comes: as he was known before. For what a guest began this is nobody. */
	bool visit = in->kind == EVENT_INCIDENT || in->direction == DIR_INBOUND;
	const struct source *s =
		visit && in->source.ver != 0 ? table_find(&a->sources, &in->source) : NULL;
	if (s != NULL)
		recall(s, a->clock.now_ns, &x->seen_ns, &x->seen_times);
	x->fresh = visit && (s == NULL || a->clock.now_ns - s->news_ns < VISIT_NS);
	return x;
}

static void incident_state(struct alert *a, const struct alert_input *in)
{
	if (in->incident == 0)
		return;
	if (strcmp(in->state, "open") == 0) {
		(void)incident_of(a, in);
		return;
	}
	struct incident *x = table_find(&a->incidents, &in->incident);
	if (x == NULL)
		return;
	close_incident(a, x, a->clock.now_ns);
}

static void house(struct alert *a, const struct alert_input *in)
{
	a->clock.stop_ns = strcmp(in->state, "stopped") == 0 ? a->clock.now_ns : 0;
	a->clock_dirty = true;
}

/* The last ones, oldest first. Two layers may hear the same line: then it is one. */
static void command(struct alert *a, const struct alert_input *in)
{
	char line[ALERT_COMMAND];
	struct incident *x = incident_of(a, in);
	if (x == NULL)
		return;
	memset(line, 0, sizeof(line));
	text_copy(line, sizeof(line), in->text);
	for (uint32_t i = 0; i < x->n_commands; i++)
		if (strcmp(x->commands[i], line) == 0)
			return;
	if (x->n_commands == ALERT_COMMANDS)
		memmove(x->commands[0], x->commands[1], sizeof(line) * (ALERT_COMMANDS - 1));
	else
		x->n_commands++;
	memcpy(x->commands[x->n_commands - 1], line, sizeof(line));
}

static void note_heaviest(struct alert *a, struct incident *x, const struct alert_input *in)
{
	uint8_t weight = a->classes[in->class].weight;
	if (x->any != 0 && weight <= x->weight)
		return;
	x->any = 1;
	x->weight = weight;
	x->what = *in;
}

/* ---- is it news? ------------------------------------------------------------------------------------------ */

/* A source: seen when, how often; true: not for long, or never. */
static bool meet(struct alert *a, const struct alert_input *in, struct now *now)
{
	bool fresh;
	if (in->source.ver == 0)
		return false;
	struct source *s = table_find(&a->sources, &in->source);
	if (s != NULL)
		recall(s, now->ns, &now->seen_ns, &now->seen_times);
	if (s != NULL && now->ns - s->last_ns < MINUTE_NS && s->last_ns - now->ns < DAY_NS)
		return false; /* nothing that is worth saving */
	s = table_get(&a->sources, &in->source, &fresh);
	int64_t away = now->ns - s->last_ns;
	bool news = fresh || away >= a->c->new_source_ns;
	if (fresh)
		s->first_ns = now->ns;
	if (fresh || away >= VISIT_NS)
		s->times += s->times < UINT32_MAX;
	if (news)
		s->news_ns = now->ns;
	s->last_ns = now->ns;
	return news;
}

/* 2: it is let out; 1: it was stopped. */
static uint64_t out_rank(const struct alert_input *in)
{
	bool out = in->verdict == VERDICT_FORWARD || in->verdict == VERDICT_REDIRECT ||
		   in->verdict == VERDICT_REFLECT || in->verdict == VERDICT_REWRITE;
	return out ? 2 : 1;
}

static struct now now_of(struct alert *a, const struct alert_input *in)
{
	struct now now = {.ns = a->clock.now_ns};
	now.local_s = now.ns / NS_PER_SEC + local_offset(a, now.ns);
	now.minute = (int32_t)(now.local_s % DAY_S / 60);
	quiet_match(a, in, &now);
	return now;
}

static void judge(struct alert *a, const struct alert_input *in)
{
	struct now now = now_of(a, in);
	bool known = in->class == ALERT_INBOUND && in->kind == EVENT_CONNECTION;
	now.incident = incident_of(a, in);
	if (known)
		now.merged = !meet(a, in, &now);
	if (now.incident != NULL) {
		now.seen_ns = now.incident->seen_ns;
		now.seen_times = now.incident->seen_times;
	}
	if (in->class == ALERT_OUTBOUND)
		now.what = out_rank(in);
	else if (in->class == ALERT_HEALTH)
		now.what = name_hash(in->what);
	if (now.incident != NULL && now.quiet == 0)
		note_heaviest(a, now.incident, in);
	for (uint32_t i = 0; i < a->c->n_to; i++)
		throttle_one(a, &a->targets[i], in, &now);
}

void alert_event(struct alert *a, const struct alert_input *in)
{
	int64_t ns = in->id < (uint64_t)(INT64_MAX / 1000) ? (int64_t)in->id * 1000 : 0;
	advance(a, ns);
	if (in->class < ALERT_CLASSES)
		judge(a, in);
	else if (in->kind == EVENT_INCIDENT)
		incident_state(a, in);
	else if (in->kind == EVENT_COMMAND)
		command(a, in);
	else if (in->kind == EVENT_HEALTH)
		house(a, in);
	set_timer(a);
}
