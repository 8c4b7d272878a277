/* SPDX-License-Identifier: BSD-2-Clause */
/* What was not sent, and why: who is told less than all must be able to see what he was spared. */
#include "notify/notify_priv.h"

#include <string.h>

#define BUILT_IN 129 /* number of the first quiet rule that skep comes with */

uint64_t held_sum(const struct alert_message *m)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < m->n_counts && i < ALERT_COUNTS; i++)
		sum += m->counts[i].n;
	return sum;
}

static void put_quiet(struct writer *w, const struct letter *l, uint8_t quiet)
{
	if (quiet >= BUILT_IN) {
		write_fmt(w, "quiet by the built-in rule %s", alert_quiet_text(quiet));
		return;
	}
	write_fmt(w, "quiet by rule %u", quiet);
	if (quiet == 0 || quiet > l->conf->n_quiet || quiet > CONF_QUIET)
		return;
	const struct conf_quiet *q = &l->conf->quiet[quiet - 1];
	if (q->comment[0] == '\0')
		return;
	write_str(w, " (");
	put_own(w, q->comment, sizeof(q->comment));
	write_str(w, ")");
}

static void put_why(struct writer *w, const struct letter *l, const struct alert_count *c)
{
	static const char *const texts[] = {
		[ALERT_SENT] = "sent",
		[ALERT_QUIET] = "quiet",
		[ALERT_WINDOW] = "one of the same had just been sent",
		[ALERT_HOUR] = "the budget of the hour was used up",
		[ALERT_DAY] = "the budget of the day was used up",
		[ALERT_TOTAL] = "the budget in total was used up",
		[ALERT_HOURS] = "it was outside the hours of this destination",
		[ALERT_MERGED] = "told in the digest of the incident",
		[ALERT_FULL] = "too many different ones at once to keep them apart",
	};
	_Static_assert(ARRAY_LEN(texts) == ALERT_WHYS, "a text for each reason");
	if (c->why == ALERT_QUIET)
		put_quiet(w, l, c->quiet);
	else
		write_str(w, c->why < ALERT_WHYS ? texts[c->why] : "for another reason");
}

static void put_held(struct writer *w, const struct letter *l, const struct alert_count *c)
{
	const char *class = c->class < ALERT_CLASSES ? conf_alert_class_text(c->class) : "other";
	write_fmt(w, "%u of %s: ", c->n, class);
	put_why(w, l, c);
	if (c->first_ns <= 0)
		return;
	write_str(w, "; first ");
	put_stamp(w, l->from, c->first_ns);
	if (c->last_ns > c->first_ns) {
		write_str(w, ", last ");
		text_duration(w, c->last_ns - c->first_ns);
		write_str(w, " later");
	}
}

static void put_budget(struct letter *l)
{
	struct writer w = writer_of(l->budget, sizeof(l->budget));
	const struct alert_message *m = l->m;
	if (m->budget != ALERT_HOUR && m->budget != ALERT_DAY && m->budget != ALERT_TOTAL)
		return;
	write_fmt(&w, "This is the last message that the budget %s allows. ",
		  m->budget == ALERT_HOUR  ? "of the hour"
		  : m->budget == ALERT_DAY ? "of the day"
					   : "in total");
	if (m->quiet_until_ns > 0) {
		write_str(&w, "More is counted, and told from ");
		put_stamp(&w, l->from, m->quiet_until_ns);
		write_str(&w, " on.");
	} else {
		write_str(&w, "More is counted, but nothing will be sent until you raise it.");
	}
}

void letter_held(struct letter *l)
{
	const struct alert_message *m = l->m;
	for (uint32_t i = 0; i < m->n_counts && i < ALERT_COUNTS; i++) {
		if (m->counts[i].n == 0)
			continue;
		struct writer w = writer_of(l->held[l->n_held], sizeof(l->held[0]));
		put_held(&w, l, &m->counts[i]);
		l->n_held++;
	}
	uint64_t n = held_sum(m);
	struct writer w = writer_of(l->held_title, sizeof(l->held_title));
	write_fmt(&w, "Held back: %llu event%s", (unsigned long long)n, n == 1 ? "" : "s");
	put_budget(l);
}
