/* SPDX-License-Identifier: BSD-2-Clause */
/* Which form a destination gets. */
#include "notify/notify_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int as_line(const struct letter *l, struct writer *w)
{
	write_fmt(w, "%s\n", l->subject);
	return 0;
}

static int as_text(const struct letter *l, struct writer *w)
{
	write_fmt(w, "%s\n\n", l->subject);
	text_form(l, w);
	return 0;
}

static int form(const struct letter *l, struct writer *w)
{
	enum conf_destination_kind kind =
		l->to != NULL ? (enum conf_destination_kind)l->to->kind : DEST_KEEP;
	switch (kind) {
	case DEST_SMTP:
		return mail_form(l, "\r\n", w);
	case DEST_SENDMAIL:
		return mail_form(l, "\n", w);
	case DEST_SLACK:
		return slack_form(l, w);
	case DEST_DISCORD:
		return discord_form(l, w);
	case DEST_TEAMS:
		return teams_form(l, w);
	case DEST_NTFY:
		return ntfy_form(l, w);
	case DEST_WEBHOOK:
		return l->to->template[0] != '\0' ? template_form(l, w) : hook_form(l, w);
	case DEST_SYSLOG:
		syslog_form(l, w);
		return 0;
	case DEST_KEEP:
	case DEST_COMMAND:
	case DEST_KINDS:
	default:
		return l->brief ? as_line(l, w) : as_text(l, w);
	}
}

/* The letter is too large for some stacks. */
static int with_letter(const struct notify_from *from, const struct conf_alerts *c,
		       const struct alert_message *m, const struct facts_of *facts,
		       int (*make)(const struct letter *l, struct writer *w), struct writer *w)
{
	struct letter *l = malloc(sizeof(*l));
	if (l == NULL)
		return -ENOMEM;
	letter_build(from, c, m, facts, l);
	int r = make(l, w);
	free(l);
	return r != 0 ? r : w->full ? SKEP_ETRUNC : 0;
}

int notify_body(const struct notify_from *from, const struct conf_alerts *c,
		const struct alert_message *m, const struct facts_of *facts, struct writer *w)
{
	return with_letter(from, c, m, facts, form, w);
}

int notify_text(const struct notify_from *from, const struct conf_alerts *c,
		const struct alert_message *m, const struct facts_of *facts, struct writer *w)
{
	return with_letter(from, c, m, facts, as_text, w);
}

static int make_short(const struct letter *l, struct writer *w)
{
	short_line(l, w->buf);
	return 0;
}

void notify_short(const struct notify_from *from, const struct conf_alerts *c,
		  const struct alert_message *m, const struct facts_of *facts,
		  char ret[NOTIFY_SHORT])
{
	struct writer w = writer_of(ret, NOTIFY_SHORT);
	if (with_letter(from, c, m, facts, make_short, &w) != 0)
		text_copy(ret, NOTIFY_SHORT, "an alert; there was no memory to say more");
}
