/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON for programs: the built-in form (docs/alert-schema.json). Texts in it are as harmless as anywhere else. */
#include "notify/notify_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int put_json(json_t *o, struct writer *w)
{
	if (o == NULL)
		return -ENOMEM;
	char *text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (text == NULL)
		return -ENOMEM;
	write_str(w, text);
	free(text);
	return w->full ? SKEP_ETRUNC : 0;
}

static json_t *foreign(const char *s, size_t size)
{
	char text[4 * EVENT_TEXT];
	struct writer w = writer_of(text, sizeof(text));
	put_foreign(&w, s, size);
	return w.len > 0 ? json_string(text) : json_null();
}

static json_t *utc(int64_t ns)
{
	char text[48];
	struct writer w = writer_of(text, sizeof(text));
	put_utc(&w, ns);
	return ns > 0 ? json_string(text) : json_null();
}

/* JSON readers keep integers exact up to 2^53; 0: there is none. */
static json_t *id(uint64_t v)
{
	return v == 0 ? json_null() : json_integer((json_int_t)(v & ((UINT64_C(1) << 53) - 1)));
}

static json_t *source(const struct letter *l)
{
	const struct alert_message *m = l->m;
	const struct facts_of *f = l->facts;
	char addr[ADDR_TEXT];
	if (m->what.source.ver == 0)
		return json_null();
	return json_pack("{s:s,s:o,s:o,s:o,s:o,s:b,s:b,s:o,s:o,s:o,s:o,s:o,s:I}", "address",
			 addr_text(&m->what.source, addr), "name",
			 foreign(f->name, sizeof(f->name)), "country",
			 foreign(f->country, sizeof(f->country)), "as", id(f->as), "as_name",
			 foreign(f->as_name, sizeof(f->as_name)), "anonymous", f->anonymous != 0,
			 "hosting", f->hosting != 0, "place_data", utc(f->place_ns), "system",
			 foreign(f->os, sizeof(f->os)), "system_data", utc(f->os_ns), "hops",
			 f->hops == 255 ? json_null() : json_integer(f->hops), "first_seen",
			 utc(m->seen_ns), "seen_times", (json_int_t)m->seen_times);
}

static json_t *held(const struct letter *l)
{
	json_t *a = json_array();
	for (uint32_t i = 0; i < l->m->n_counts && i < ALERT_COUNTS; i++) {
		const struct alert_count *c = &l->m->counts[i];
		json_array_append_new(
			a, json_pack("{s:s,s:s,s:o,s:I,s:o,s:o}", "class",
				     c->class < ALERT_CLASSES ? conf_alert_class_text(c->class)
							      : "other",
				     "why", c->why < ALERT_WHYS ? alert_why_text(c->why) : "other",
				     "quiet_rule", id(c->quiet), "count", (json_int_t)c->n, "first",
				     utc(c->first_ns), "last", utc(c->last_ns)));
	}
	return a;
}

static json_t *commands(const struct letter *l)
{
	json_t *a = json_array();
	for (uint32_t i = 0; i < l->n_commands; i++)
		json_array_append_new(a, json_string(l->commands[i]));
	return a;
}

static json_t *fact(const struct letter *l)
{
	const struct alert_input *in = &l->m->what;
	char session[EVENT_SESSION_TEXT], proto[EVENT_PROTO];
	bool flow = in->direction != DIR_NONE;
	return json_pack(
		"{s:o,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "id", id(in->id), "kind",
		event_kind_text((enum event_kind)in->kind), "time", utc(in->time_ns), "flow_id",
		id(in->flow_id), "session",
		in->session != 0 ? json_string(event_session_text(in->session, session))
				 : json_null(),
		"port", id(in->port), "proto",
		in->proto != 0 ? json_string(event_proto_text(in->proto, proto)) : json_null(),
		"direction",
		flow ? json_string(direction_text((enum event_direction)in->direction))
		     : json_null(),
		"verdict",
		flow ? json_string(verdict_text((enum verdict)in->verdict)) : json_null(), "sid",
		id(in->sid), "severity", in->sid != 0 ? json_integer(in->severity) : json_null(),
		"what", foreign(in->what, sizeof(in->what)), "text",
		foreign(in->text, sizeof(in->text)));
}

int hook_form(const struct letter *l, struct writer *w)
{
	const struct alert_message *m = l->m;
	char line[NOTIFY_SHORT], sensor[4 * CONF_NAME], name[4 * CONF_NAME];
	struct writer s = writer_of(sensor, sizeof(sensor)), n = writer_of(name, sizeof(name));
	short_line(l, line);
	put_plain(&s, l->from->sensor, CONF_NAME);
	put_plain(&n, l->from->name, CONF_NAME);
	json_t *o = json_pack(
		"{s:s,s:o,s:o,s:o,s:s,s:s,s:o,s:s,s:s,s:i,s:b,s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,"
		"s:o,s:I,s:o,s:o}",
		"schema", "skep-alert-1", "number", id(m->number), "thread", id(m->thread), "time",
		utc(m->at_ns), "sensor", sensor, "honeynet", name, "destination",
		l->to != NULL ? foreign(l->to->name, sizeof(l->to->name)) : json_null(), "kind",
		alert_kind_text(m->kind), "class",
		m->class < ALERT_CLASSES ? conf_alert_class_text(m->class) : "other", "weight",
		(int)m->weight, "bypass", m->bypass != 0, "short", line, "title", l->subject,
		"lead", l->lead, "guest", foreign(m->what.guest, sizeof(m->what.guest)), "incident",
		id(m->incident), "since", utc(m->since_ns), "source", source(l), "event", fact(l),
		"commands", commands(l), "held", held(l), "sent", (json_int_t)m->sent,
		"last_of_budget",
		m->budget != 0 && m->budget < ALERT_WHYS ? json_string(alert_why_text(m->budget))
							 : json_null(),
		"budget_until", utc(m->quiet_until_ns));
	return put_json(o, w);
}
