/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notify: a message of alert in the form that its destination wants: a mail (plain and HTML), a line
 * for a pager, JSON of Slack, Discord, Teams, ntfy or one's own template, a line of syslog (RFC 5424).
 * Pure; used by alerter, and by cmd for previews and to check templates.
 *
 * Everything that an intruder had a hand in is made harmless here: no control bytes, no line ends in
 * headers, no markup, no mention of anybody, links defanged, letters that look like others named.
 */
#ifndef SKEP_NOTIFY_H
#define SKEP_NOTIFY_H

#include "alert/alert.h"
#include "facts/facts.h"

#define NOTIFY_BODY (64u << 10)
#define NOTIFY_SHORT 161 /* 160 characters, ASCII, and the terminator */

struct notify_from {               /* who tells */
	const char *sensor, *name; /* of the configuration */
	const char *domain;        /* right side of Message-IDs */
	int32_t (*local)(void *ctx, int64_t wall_ns);
	void *ctx;
};

/* The form of the destination's kind, into w. SKEP_ETRUNC: it did not fit, or -ENOMEM: w is not to be used. */
MUST_USE int notify_body(const struct notify_from *from, const struct conf_alerts *c,
			 const struct alert_message *m, const struct facts_of *facts,
			 struct writer *w);
/* One line of at most 160 ASCII characters. */
void notify_short(const struct notify_from *from, const struct conf_alerts *c,
		  const struct alert_message *m, const struct facts_of *facts,
		  char ret[NOTIFY_SHORT]);
/* Plain text, as in the mail, all of it even for a short destination: for what is only kept (`skep alerts show`). */
MUST_USE int notify_text(const struct notify_from *from, const struct conf_alerts *c,
			 const struct alert_message *m, const struct facts_of *facts,
			 struct writer *w);

/* What a second machine is told. seal: newest of each file; size 0: none yet. */
struct notify_beat {
	uint64_t n;                        /* counts up by one each time, over restarts */
	int64_t at_ns, every_ns, since_ns; /* since: the honeynet's start */
	uint32_t waiting;                  /* messages that wait to be delivered */
	uint64_t last_event;               /* id of the newest event that alerter saw */
	struct event_seal seals[2];
	char why[EVENT_NAME]; /* "beat", "seal", "start", "stop" */
};
MUST_USE int notify_beat(const struct notify_from *from, const struct conf_destination *to,
			 const struct notify_beat *b, struct writer *w);
/* Is this template valid: known places, JSON when they are filled? Else says why. */
MUST_USE int notify_template_check(const char *template, char *why, size_t why_size);

#endif
