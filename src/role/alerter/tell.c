/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What hub is told: sent, held back, given up, and what is wrong here. Notices never come back to us; what
 * is wrong does, as an event like any other, and so reaches the destinations that still work.
 */
#include "role/alerter/alerter_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HELD_NS (60 * NS_PER_SEC)
#define COMPLAIN_NS (60 * NS_PER_SEC)

void tell_health(struct alerter *a, uint8_t priority, const char *what, uint64_t count,
		 const char *text)
{
	struct event e = event_new(EVENT_HEALTH);
	e.priority = priority;
	text_copy(e.u.health.role, EVENT_NAME, "alerter");
	text_copy(e.u.health.what, EVENT_NAME, what);
	e.u.health.count = count;
	e.u.health.exit_code = e.u.health.signal = -1;
	event_say(&e, "%s", text);
	role_emit(a->events, &e, &a->lost);
}

void tell_notice(struct alerter *a, const char *what, const struct outbox_item *i, const char *why)
{
	struct event e = event_new(EVENT_NOTICE);
	struct event_notice *n = &e.u.notice;
	bool failed = why[0] != '\0';
	e.priority = failed ? 2 : 1;
	e.incident = i->incident;
	text_copy(n->what, sizeof(n->what), what);
	text_copy(n->destination, sizeof(n->destination), i->destination);
	text_copy(n->class, sizeof(n->class), i->class);
	text_copy(n->guest, sizeof(n->guest), i->guest);
	text_copy(n->why, sizeof(n->why), why);
	n->number = i->number;
	text_copy(n->answer, sizeof(n->answer), i->answer);
	event_say(&e, "%s to %s%s%s: %s", failed ? "an alert was given up" : "an alert was sent",
		  i->destination, failed ? ", " : "", why, i->summary);
	role_emit(a->events, &e, &a->lost);
}

/* ---- held back ---------------------------------------------------------------------------------- */

void tell_held(struct alerter *a, const struct alert_held *h)
{
	uint32_t at = 0;
	/* More guests than lines: the last line of all is for "several". */
	while (at < a->n_held &&
	       (a->held[at].destination != h->destination || a->held[at].class != h->class ||
		a->held[at].why != h->why || strcmp(a->held[at].guest, h->guest) != 0))
		at++;
	if (at == ALERTER_HELD) {
		at = ALERTER_HELD - 1;
		a->held[at].guest[0] = '\0';
	}
	if (at == a->n_held) {
		a->held[at] = (struct held_line){h->destination, h->class, h->why, 0, ""};
		text_copy(a->held[at].guest, EVENT_NAME, h->guest);
		a->n_held++;
	}
	a->held[at].n += h->n;
}

static void tell_held_line(struct alerter *a, const struct held_line *l)
{
	const struct conf_alerts *c = &a->start.conf;
	struct event e = event_new(EVENT_NOTICE);
	struct event_notice *n = &e.u.notice;
	text_copy(n->what, sizeof(n->what), "held");
	if (l->destination < c->n_to)
		text_copy(n->destination, sizeof(n->destination), c->to[l->destination].name);
	text_copy(n->class, sizeof(n->class),
		  conf_alert_class_text((enum conf_alert_class)l->class));
	text_copy(n->guest, sizeof(n->guest), l->guest);
	text_copy(n->why, sizeof(n->why), alert_why_text((enum alert_why)l->why));
	n->count = l->n;
	event_say(&e, "%u events (%s) were held back from %s: %s", l->n, n->class,
		  n->destination[0] != '\0' ? n->destination : "all", n->why);
	role_emit(a->events, &e, &a->lost);
}

/* ---- trouble ------------------------------------------------------------------------------------ */

static void complain(struct alerter *a)
{
	char text[EVENT_TEXT];
	const char *what = a->failed_error == -ENOSPC        ? "full"
			   : a->failed_error == SKEP_EFORMAT ? "damaged"
							     : "disk";
	if (a->dropped > 0) {
		snprintf(text, sizeof(text),
			 "%llu alerts were lost: they could neither be written nor kept in memory",
			 (unsigned long long)a->dropped);
		log_line(LOG_ERROR, "%s", text);
		tell_health(a, 2, "lost", a->dropped, text);
	}
	if (a->failed_commits > 0) {
		snprintf(text, sizeof(text),
			 "alerts are kept in memory and delivered from there: the outbox can't be "
			 "written: %s",
			 err_text(a->failed_error));
		log_line(LOG_WARN, "%s", text);
		tell_health(a, 2, what, a->failed_commits, text);
	}
	a->dropped = a->failed_commits = 0;
}

void tell_sums(struct alerter *a, bool all)
{
	int64_t now = clock_boot_ns();
	if ((a->dropped > 0 || a->failed_commits > 0) &&
	    (all || a->complained_ns == 0 || now - a->complained_ns >= COMPLAIN_NS)) {
		complain(a);
		a->complained_ns = now;
	}
	if (a->n_held == 0 || (!all && now - a->told_held_ns < HELD_NS))
		return;
	for (uint32_t i = 0; i < a->n_held; i++)
		tell_held_line(a, &a->held[i]);
	a->n_held = 0;
	a->told_held_ns = now;
}
