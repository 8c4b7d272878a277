/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line of syslog (RFC 5424), without framing: that is the transport's. 32473 is the number that RFC 5612 keeps for
 * examples: the project has none of its own yet, and a foreign one would be a lie.
 */
#include "notify/notify_priv.h"

#include <string.h>

#define FACILITY 16 /* local0 */
#define MESSAGE 601

static unsigned severity(uint8_t weight)
{
	return weight >= 9   ? 1
	       : weight == 8 ? 2
	       : weight == 7 ? 3
	       : weight >= 5 ? 4
	       : weight >= 3 ? 5
			     : 6;
}

void syslog_head(struct writer *w, const struct notify_from *from, int64_t at_ns, uint8_t weight,
		 const char *msgid)
{
	write_fmt(w, "<%u>1 ", FACILITY * 8 + severity(weight));
	put_utc(w, at_ns);
	write_str(w, " ");
	put_atom(w, from->sensor, CONF_NAME);
	write_fmt(w, " skep - %s ", msgid);
}

void syslog_param(struct writer *w, const char *name, const char *value)
{
	write_fmt(w, " %s=\"", name);
	for (; *value != '\0'; value++)
		write_fmt(w, *value == '"' || *value == '\\' || *value == ']' ? "\\%c" : "%c",
			  *value);
	write_str(w, "\"");
}

static void number(struct writer *w, const char *name, uint64_t v)
{
	if (v != 0)
		write_fmt(w, " %s=\"%llu\"", name, (unsigned long long)v);
}

static void foreign(struct writer *w, const char *name, const char *s, size_t size)
{
	char text[4 * EVENT_TEXT];
	struct writer t = writer_of(text, sizeof(text));
	put_foreign(&t, s, size);
	if (t.len > 0)
		syslog_param(w, name, text);
}

void syslog_form(const struct letter *l, struct writer *w)
{
	const struct alert_message *m = l->m;
	const struct alert_input *in = &m->what;
	const char *class = m->class < ALERT_CLASSES ? conf_alert_class_text(m->class) : "other";
	char addr[ADDR_TEXT], proto[EVENT_PROTO], text[MESSAGE];
	struct writer t = writer_of(text, sizeof(text));
	syslog_head(w, l->from, m->at_ns, m->weight, class);
	write_str(w, "[skep@32473");
	number(w, "number", m->number);
	syslog_param(w, "kind", alert_kind_text(m->kind));
	syslog_param(w, "class", class);
	write_fmt(w, " weight=\"%u\"", m->weight);
	foreign(w, "honeynet", l->from->name, CONF_NAME);
	foreign(w, "guest", in->guest, sizeof(in->guest));
	if (in->source.ver != 0)
		syslog_param(w, "source", addr_text(&in->source, addr));
	number(w, "port", in->port);
	if (in->proto != 0)
		syslog_param(w, "proto", event_proto_text(in->proto, proto));
	if (in->direction != DIR_NONE)
		syslog_param(w, "verdict", verdict_text((enum verdict)in->verdict));
	number(w, "incident", m->incident);
	number(w, "event", in->id);
	number(w, "sid", in->sid);
	number(w, "held", held_sum(m));
	write_str(w, "] ");
	put_cut(&t, l->brief ? l->subject : l->lead, NULL);
	write_str(w, text);
	if (!l->brief && l->budget[0] != '\0')
		write_fmt(w, " %s", l->budget);
}
