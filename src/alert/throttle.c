/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much of it: one message in a window of what is alike; so many in any hour, in any day and in all, of a
 * class and of a destination. A window is remembered only for what was sent, so that a flood that
 * budgets hold back can't push anything out.
 */
#include "alert/alert_priv.h"

#include <string.h>

#define HEAVY 6 /* by itself: a login, a conversation outwards, a silence */

/* ---- budgets ----------------------------------------------------------------------------------------- */

static int64_t slice_ns(int64_t period_ns)
{
	return period_ns / SLICES;
}

static void meter_turn(struct meter *m, int64_t period_ns, int64_t ns)
{
	int64_t slice = ns / slice_ns(period_ns);
	if (m->newest - slice > SLICES) /* the clock was wrong */
		memset(m, 0, sizeof(*m));
	if (slice <= m->newest)
		return;
	if (slice - m->newest > SLICES)
		memset(m->n, 0, sizeof(m->n));
	for (int64_t i = m->newest + 1; i <= slice && slice - m->newest <= SLICES; i++)
		m->n[i % (SLICES + 1)] = 0;
	m->newest = slice;
}

static uint32_t meter_sum(const struct meter *m)
{
	uint32_t sum = 0;
	for (uint32_t i = 0; i <= SLICES; i++)
		sum += m->n[i];
	return sum;
}

/* When there is room for one more. */
static int64_t meter_opens(const struct meter *m, int64_t period_ns, uint32_t max)
{
	uint32_t left = meter_sum(m);
	int64_t slice = m->newest - SLICES;
	for (; slice < m->newest; slice++) {
		left -= slice >= 0 ? m->n[slice % (SLICES + 1)] : 0;
		if (left < max)
			break;
	}
	return (slice + SLICES + 1) * slice_ns(period_ns);
}

static void budget_turn(struct budget *b, int64_t ns)
{
	meter_turn(&b->hour, HOUR_NS, ns);
	meter_turn(&b->day, DAY_NS, ns);
}

/* ALERT_SENT: there is room. */
static enum alert_why budget_full(const struct budget *b, const struct conf_throttle *t)
{
	if (t->total > 0 && b->total >= t->total)
		return ALERT_TOTAL;
	if (t->day > 0 && meter_sum(&b->day) >= t->day)
		return ALERT_DAY;
	return t->hour > 0 && meter_sum(&b->hour) >= t->hour ? ALERT_HOUR : ALERT_SENT;
}

static void budget_take(struct budget *b)
{
	b->hour.n[b->hour.newest % (SLICES + 1)]++;
	b->day.n[b->day.newest % (SLICES + 1)]++;
	b->total += b->total < UINT32_MAX;
}

/* The one that stays shut for longer. */
static enum alert_why longer(unsigned a, unsigned b)
{
	static const uint8_t rank[ALERT_WHYS] = {
		[ALERT_HOUR] = 1, [ALERT_DAY] = 2, [ALERT_TOTAL] = 3};
	return (enum alert_why)(rank[a] >= rank[b] ? a : b);
}

static int64_t opens_again(const struct budget *b, const struct conf_throttle *t,
			   enum alert_why why)
{
	if (why == ALERT_HOUR)
		return meter_opens(&b->hour, HOUR_NS, t->hour);
	return why == ALERT_DAY ? meter_opens(&b->day, DAY_NS, t->day) : 0;
}

/* One message more; says in m if it is the last for now. */
static void charge(struct alert *a, struct target *t, uint8_t class, bool of_class, int64_t ns)
{
	struct budget *const both[] = {&t->state->all, of_class ? &t->state->of[class] : NULL};
	const struct conf_throttle *const most[] = {&t->c->throttle,
						    of_class ? &a->classes[class].throttle : NULL};
	for (size_t i = 0; i < ARRAY_LEN(both) && both[i] != NULL; i++) {
		budget_turn(both[i], ns);
		budget_take(both[i]);
		enum alert_why full = budget_full(both[i], most[i]);
		if (full == ALERT_SENT || longer(full, a->m.budget) == a->m.budget)
			continue;
		a->m.budget = (uint8_t)full;
		a->m.quiet_until_ns = opens_again(both[i], most[i], full);
		if (full == ALERT_TOTAL && i == 0)
			a->m.kind = ALERT_BUDGET;
	}
	table_changed(&a->states, t->state);
}

/* ---- windows ----------------------------------------------------------------------------------------- */

static struct window_key key_of(const struct target *t, const struct alert_input *in,
				const struct now *now)
{
	struct window_key k;
	memset(&k, 0, sizeof(k));
	k.to = t->to;
	k.class = in->class;
	k.what = now->what;
	text_copy(k.guest, sizeof(k.guest), in->guest);
	if (in->incident != 0 && in->class != ALERT_HEALTH)
		k.incident = in->incident;
	else if (in->class != ALERT_OUTBOUND)
		k.source = in->source;
	return k;
}

static int64_t window_ns(const struct alert *a, const struct target *t, uint8_t class)
{
	int64_t of_class = a->classes[class].throttle.window_ns, least = t->c->throttle.window_ns;
	return of_class > least ? of_class : least;
}

/* ---- one event, one destination ------------------------------------------------------------------------ */

static void put_count(struct alert_message *m, enum alert_why why, uint32_t n, int64_t first,
		      int64_t last)
{
	if (n == 0 || m->n_counts == ALERT_COUNTS)
		return;
	m->counts[m->n_counts++] = (struct alert_count){
		.class = m->class, .why = (uint8_t)why, .n = n, .first_ns = first, .last_ns = last};
}

/* What was held back since the last one: of its key by its window, of its class by budgets and hours. */
static void take_counts(struct alert *a, struct state *s, struct window *w)
{
	struct lapse *l = &s->lapses[a->m.class];
	put_count(&a->m, ALERT_WINDOW, w->n, w->first_ns, w->last_ns);
	for (int why = ALERT_HOUR; why < ALERT_WHYS; why++)
		put_count(&a->m, (enum alert_why)why, l->n[why], l->first_ns, l->last_ns);
	memset(l, 0, sizeof(*l));
	w->n = 0;
	w->first_ns = w->last_ns = 0;
}

/* A budget that the visitors of one guest have used up does not hide that another was broken into: what is heavy, and
 * was not told of this guest for a day, goes out all the same. There are not many guests. */
static struct window_key first_key(const struct target *t, const struct alert_input *in)
{
	struct window_key k;
	memset(&k, 0, sizeof(k));
	k.to = t->to;
	k.class = in->class;
	k.what = UINT64_MAX;
	text_copy(k.guest, sizeof(k.guest), in->guest);
	return k;
}

static bool is_heavy(const struct alert *a, const struct alert_input *in)
{
	return a->classes[in->class].weight >= HEAVY && in->guest[0] != '\0';
}

static bool first_of_guest(struct alert *a, const struct target *t, const struct alert_input *in,
			   int64_t ns)
{
	struct window_key key = first_key(t, in);
	const struct window *w = is_heavy(a, in) ? table_find(&a->windows, &key) : NULL;
	return is_heavy(a, in) && (w == NULL || ns >= w->until_ns || w->until_ns - ns > DAY_NS);
}

static void note_first(struct alert *a, const struct target *t, const struct alert_input *in,
		       int64_t ns)
{
	bool fresh;
	struct window_key key = first_key(t, in);
	struct window *w = is_heavy(a, in) ? table_get(&a->windows, &key, &fresh) : NULL;
	if (w != NULL)
		w->until_ns = ns + DAY_NS;
}

static struct thread *thread_of(struct incident *in, uint64_t to)
{
	for (uint32_t i = 0; i < CONF_DESTINATIONS; i++) {
		if (in->threads[i].to == to)
			return &in->threads[i];
		if (in->threads[i].to == 0) {
			in->threads[i].to = to;
			return &in->threads[i];
		}
	}
	/* All were of destinations that are no more. */
	memset(in->threads, 0, sizeof(in->threads));
	in->threads[0].to = to;
	return &in->threads[0];
}

/* The first conversation of a guest in an incident is news, and the first that is let out after others were stopped. */
static bool is_old(struct target *t, const struct alert_input *in, const struct now *now)
{
	if (in->class != ALERT_OUTBOUND || now->incident == NULL)
		return now->merged;
	return thread_of(now->incident, t->to)->out >= now->what;
}

/* Only what was sent makes the next ones old: what a budget or the hours held back is told once they allow it. */
static void note_out(struct target *t, const struct alert_input *in, const struct now *now)
{
	if (in->class == ALERT_OUTBOUND && now->incident != NULL)
		thread_of(now->incident, t->to)->out = (uint8_t)now->what;
}

static void send_one(struct alert *a, struct target *t, const struct alert_input *in,
		     const struct now *now, const struct window_key *key)
{
	struct alert_message *m = &a->m;
	bool fresh, bypass = a->classes[in->class].bypass != 0;
	struct window *w = table_get(&a->windows, key, &fresh);
	memset(m, 0, sizeof(*m));
	m->at_ns = now->ns;
	m->kind = fresh ? ALERT_FIRST : ALERT_MORE;
	m->class = in->class;
	m->weight = a->classes[in->class].weight;
	m->bypass = bypass;
	m->incident = in->incident;
	m->since_ns = now->incident != NULL ? now->incident->start_ns : in->time_ns;
	m->what = *in;
	m->seen_ns = now->seen_ns;
	m->seen_times = now->seen_times;
	take_counts(a, t->state, w);
	w->until_ns = now->ns + window_ns(a, t, in->class);
	note_first(a, t, in, now->ns);
	note_out(t, in, now);
	if (!bypass)
		charge(a, t, in->class, true, now->ns);
	send_message(a, t, now->incident);
}

/* Number of the rule that holds it back from this destination. */
static uint8_t quiet_for(const struct alert *a, const struct target *t, const struct now *now)
{
	uint8_t own = now->quiet_to[t - a->targets]; /* stands before that for all */
	return own != 0 ? own : now->quiet;
}

/* ALERT_SENT: nothing is against it. */
static enum alert_why against(struct alert *a, struct target *t, const struct alert_input *in,
			      const struct now *now, const struct window_key *key,
			      struct window **ret)
{
	struct state *s = t->state;
	*ret = NULL;
	if (quiet_for(a, t, now) != 0)
		return ALERT_QUIET;
	if (is_old(t, in, now))
		return ALERT_MERGED;
	if (a->classes[in->class].bypass != 0)
		return ALERT_SENT;
	struct window *w = table_find(&a->windows, key);
	if (w != NULL && now->ns < w->until_ns &&
	    w->until_ns - now->ns <= window_ns(a, t, in->class)) {
		*ret = w;
		return ALERT_WINDOW;
	}
	if (!hours_has(&t->hours, now->minute))
		return ALERT_HOURS;
	budget_turn(&s->all, now->ns);
	budget_turn(&s->of[in->class], now->ns);
	enum alert_why all = budget_full(&s->all, &t->c->throttle);
	enum alert_why of = budget_full(&s->of[in->class], &a->classes[in->class].throttle);
	if (of != ALERT_TOTAL && first_of_guest(a, t, in, now->ns))
		of = ALERT_SENT;
	return longer(all, of);
}

static void grow(uint32_t *n, int64_t *first_ns, int64_t *last_ns, int64_t ns)
{
	*first_ns = *n == 0 ? ns : *first_ns;
	*last_ns = ns;
	*n += *n < UINT32_MAX;
}

static void hold_one(struct alert *a, struct target *t, const struct alert_input *in,
		     const struct now *now, enum alert_why why, struct window *w)
{
	struct state *s = t->state;
	uint8_t quiet = quiet_for(a, t, now);
	if (w != NULL) {
		grow(&w->n, &w->first_ns, &w->last_ns, now->ns);
		table_changed(&a->windows, w);
	} else if (why != ALERT_QUIET && why != ALERT_MERGED) {
		struct lapse *l = &s->lapses[in->class];
		int64_t first = l->first_ns;
		grow(&l->n[why], &l->first_ns, &l->last_ns, now->ns);
		l->first_ns = first != 0 ? first : now->ns;
	}
	tally_add(&s->tallies, t->to, in->class, why, quiet, now->ns);
	table_changed(&a->states, s);
	if (now->incident != NULL) {
		tally_add(&now->incident->tallies, t->to, in->class, why, quiet, now->ns);
		table_changed(&a->incidents, now->incident);
	}
	held_note(a, t, in, why, quiet, now->ns);
}

static bool is_for(const struct target *t, const struct alert_input *in)
{
	const struct conf_destination *c = t->c;
	if ((t->classes >> in->class & 1) == 0)
		return false;
	for (uint32_t i = 0; i < c->n_guests && i < CONF_POLICY_GUESTS; i++)
		if (strncmp(c->guests[i], in->guest, CONF_NAME) == 0)
			return true;
	return c->n_guests == 0 || (c->watch != 0 && in->class == ALERT_ESCAPE);
}

static void note_heaviest(struct alert *a, struct state *s, const struct alert_input *in)
{
	uint8_t weight = a->classes[in->class].weight;
	if (s->any != 0 && weight <= s->weight)
		return;
	s->any = 1;
	s->weight = weight;
	s->what = *in;
	table_changed(&a->states, s);
}

void throttle_one(struct alert *a, struct target *t, const struct alert_input *in,
		  const struct now *now)
{
	struct window *w;
	if (!is_for(t, in))
		return;
	struct window_key key = key_of(t, in, now);
	enum alert_why why = against(a, t, in, now, &key, &w);
	if (why != ALERT_QUIET)
		note_heaviest(a, t->state, in);
	if (why == ALERT_SENT)
		send_one(a, t, in, now, &key);
	else
		hold_one(a, t, in, now, why, w);
}

static bool digest(struct alert *a, struct target *t, int64_t ns, enum alert_why why)
{
	budget_turn(&t->state->all, ns);
	if (why == ALERT_SENT)
		why = budget_full(&t->state->all, &t->c->throttle);
	if (why != ALERT_SENT) {
		held_note(a, t, &a->m.what, why, 0, ns);
		return false;
	}
	charge(a, t, a->m.class, false, ns);
	return true;
}

bool throttle_digest(struct alert *a, struct target *t, int64_t ns)
{
	return digest(a, t, ns, ALERT_SENT);
}

bool throttle_incident(struct alert *a, struct target *t, int64_t ns, uint32_t sent)
{
	/* What was told is bounded by the budgets of classes; what they held back may be a thousand incidents an hour. */
	static const struct conf_throttle most = {.hour = 4, .day = 20};
	int64_t local_s = ns / NS_PER_SEC + local_offset(a, ns);
	struct budget *b = &t->state->untold;
	enum alert_why why = ALERT_SENT;
	budget_turn(b, ns);
	if (!hours_has(&t->hours, (int32_t)(local_s % DAY_S / 60)))
		why = ALERT_HOURS;
	else if (sent == 0)
		why = budget_full(b, &most);
	if (!digest(a, t, ns, why))
		return false;
	if (sent == 0)
		budget_take(b);
	return true;
}

/* ---- out ------------------------------------------------------------------------------------------------- */

void send_message(struct alert *a, struct target *t, struct incident *in)
{
	struct alert_message *m = &a->m;
	uint64_t us = (uint64_t)(m->at_ns / 1000);
	m->number = us > a->clock.number ? us : a->clock.number + 1;
	a->clock.number = m->number;
	a->clock_dirty = true;
	m->destination = (uint8_t)(t - a->targets);
	if (in != NULL) {
		struct thread *th = thread_of(in, t->to);
		m->thread = th->first;
		th->first = th->first != 0 ? th->first : m->number;
		th->sent++;
		m->n_commands = in->n_commands;
		memcpy(m->commands, in->commands, sizeof(m->commands));
		table_changed(&a->incidents, in);
	}
	t->state->sent++;
	table_changed(&a->states, t->state);
	a->out.send(a->out.ctx, m);
}

/* ---- what was held back, for the log ------------------------------------------------------------------- */

void held_flush(struct alert *a)
{
	for (uint32_t i = 0; i < a->n_pending; i++)
		if (a->out.held != NULL)
			a->out.held(a->out.ctx, &a->pending[i].held);
	a->told += a->n_pending;
	a->n_pending = 0;
	memset(a->slots, 0, sizeof(a->slots));
}

void held_note(struct alert *a, struct target *t, const struct alert_input *in, enum alert_why why,
	       uint8_t quiet, int64_t ns)
{
	static const uint64_t any_key[2] = {1, 2};
	struct alert_held h;
	int64_t minute = ns / MINUTE_NS;
	if (a->told_minute != minute)
		a->told = 0;
	a->told_minute = minute;
	memset(&h, 0, sizeof(h));
	h.destination = (uint8_t)(t - a->targets);
	h.class = in->class;
	h.why = (uint8_t)why;
	h.quiet = quiet;
	/* A flood from many sources is one line, once there were enough of them in this minute. */
	if (a->told + a->n_pending < PENDING / 2) {
		h.incident = in->incident;
		text_copy(h.guest, sizeof(h.guest), in->guest);
		h.source = in->source;
	}
	uint64_t hash = hash_keyed(any_key, &h, sizeof(h));
	uint32_t at = (uint32_t)hash % (2 * PENDING);
	for (; a->slots[at] != 0; at = (at + 1) % (2 * PENDING)) {
		struct pending *p = &a->pending[a->slots[at] - 1];
		if (p->hash != hash)
			continue;
		p->held.n++;
		p->held.at_ns = ns;
		return;
	}
	if (a->n_pending == PENDING) {
		held_flush(a);
		at = (uint32_t)hash % (2 * PENDING);
	}
	h.n = 1;
	h.at_ns = ns;
	a->pending[a->n_pending++] = (struct pending){h, hash};
	a->slots[at] = (uint16_t)a->n_pending;
}
