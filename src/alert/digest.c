/* SPDX-License-Identifier: BSD-2-Clause */
/* What closes an incident and a day: what was sent, what was held back, and why. */
#include "alert/alert_priv.h"

#include <string.h>

#define LEAST \
	10 /* further conversations of a visitor who did nothing else are not worth a digest below this */

static void tally_grow(struct tally *t, int64_t ns)
{
	t->n += t->n < UINT32_MAX;
	t->last_ns = ns;
}

void tally_add(struct tallies *t, uint64_t to, uint8_t class, enum alert_why why, uint8_t quiet,
	       int64_t ns)
{
	struct tally *alike = NULL;
	for (uint32_t i = 0; i < t->n; i++) {
		struct tally *x = &t->all[i];
		if (x->to != to || x->class != class)
			continue;
		if (x->why == why && x->quiet == quiet) {
			tally_grow(x, ns);
			return;
		}
		if (alike == NULL || x->why == why)
			alike = x;
	}
	if (t->n < TALLIES)
		t->all[t->n++] = (struct tally){to, class, (uint8_t)why, quiet, 0, 1, ns, ns};
	else if (alike != NULL)
		tally_grow(alike, ns);
	else /* better under another name than not at all */
		tally_grow(&t->all[TALLIES - 1], ns);
}

static void add_count(struct alert_message *m, const struct tally *t)
{
	struct alert_count c = {.class = t->class,
				.why = t->why,
				.quiet = t->quiet,
				.n = t->n,
				.first_ns = t->first_ns,
				.last_ns = t->last_ns};
	if (m->n_counts < ALERT_COUNTS) {
		m->counts[m->n_counts++] = c;
		return;
	}
	struct alert_count *last = &m->counts[ALERT_COUNTS - 1];
	last->n = last->n < UINT32_MAX - c.n ? last->n + c.n : UINT32_MAX;
	last->last_ns = c.last_ns > last->last_ns ? c.last_ns : last->last_ns;
}

/* The heaviest classes first. */
void tally_list(const struct tallies *t, uint64_t to, struct alert_message *m)
{
	for (int class = 0; class <= ALERT_CLASSES; class ++)
		for (uint32_t i = 0; i < t->n; i++)
			if (t->all[i].to == to && t->all[i].class == class)
				add_count(m, &t->all[i]);
}

/* A visitor who only knocked is told of if he is news and did so often. */
static bool worth(const struct incident *in, uint64_t to)
{
	uint64_t knocks = 0;
	for (uint32_t i = 0; i < in->tallies.n; i++) {
		const struct tally *t = &in->tallies.all[i];
		if (t->to != to || t->why == ALERT_QUIET)
			continue;
		if (t->class != ALERT_INBOUND)
			return true;
		knocks += t->n;
	}
	return in->fresh != 0 && knocks >= LEAST;
}

static const struct thread *thread_find(const struct incident *in, uint64_t to)
{
	for (uint32_t i = 0; i < CONF_DESTINATIONS; i++)
		if (in->threads[i].to == to)
			return &in->threads[i];
	return NULL;
}

static void begin(struct alert *a, enum alert_kind kind, const struct alert_input *what,
		  uint8_t weight, int64_t ns)
{
	struct alert_message *m = &a->m;
	memset(m, 0, sizeof(*m));
	m->at_ns = ns;
	m->kind = (uint8_t)kind;
	m->what = *what;
	m->class = what->class;
	m->weight = weight;
}

void digest_incident(struct alert *a, struct incident *in, int64_t ns)
{
	for (uint32_t i = 0; a->c->incidents != 0 && in->any != 0 && i < a->c->n_to; i++) {
		struct target *t = &a->targets[i];
		const struct thread *th = thread_find(in, t->to);
		uint32_t sent = th != NULL ? th->sent : 0;
		if (t->c->digest == 0 || !worth(in, t->to))
			continue;
		begin(a, ALERT_INCIDENT_END, &in->what, in->weight, ns);
		a->m.incident = in->id;
		a->m.since_ns = in->start_ns;
		a->m.sent = sent;
		a->m.seen_ns = in->seen_ns;
		a->m.seen_times = in->seen_times;
		tally_list(&in->tallies, t->to, &a->m);
		if (throttle_incident(a, t, ns, sent))
			send_message(a, t, in);
	}
}

void digest_day(struct alert *a, int64_t ns)
{
	for (uint32_t i = 0; i < a->c->n_to; i++) {
		struct target *t = &a->targets[i];
		struct state *s = t->state;
		begin(a, ALERT_DAY_END, &s->what, s->weight, ns);
		if (s->any == 0)
			a->m.class = a->m.what.class = ALERT_CLASSES;
		a->m.since_ns = s->since_ns;
		a->m.sent = s->sent;
		tally_list(&s->tallies, t->to, &a->m);
		memset(&s->tallies, 0, sizeof(s->tallies));
		memset(&s->what, 0, sizeof(s->what));
		s->any = s->weight = 0;
		s->sent = 0;
		s->since_ns = ns;
		table_changed(&a->states, s);
		if (t->c->digest != 0 && throttle_digest(a, t, ns)) {
			send_message(a, t, NULL);
			s->sent = 0;
		}
	}
}
