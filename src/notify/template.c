/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operator's own JSON: {{places}} are filled in. A place of text belongs into a string, since its value is
 * escaped as one but brings no quotes; a number may stand anywhere. notify_template_check tries it with values that
 * break whatever is not so; what passes gives JSON with every value.
 */
#include "notify/notify_priv.h"

#include <stdlib.h>
#include <string.h>

#define PLACE 24
#define FILLED (NOTIFY_BODY - 1)

struct values {
	const struct letter *l; /* NULL: to try it */
	bool big;               /* try: numbers are great */
};

static void put_text(const struct letter *l, struct writer *w)
{
	char *text = malloc(NOTIFY_BODY);
	if (text == NULL)
		return;
	struct writer t = writer_of(text, NOTIFY_BODY);
	text_form(l, &t);
	put_json_string(w, text);
	free(text);
}

static void put_lines(struct writer *w, const char lines[][4 * ALERT_COMMAND], uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		write_str(w, i > 0 ? "\\n" : "");
		put_json_string(w, lines[i]);
	}
}

static void as_text(const struct letter *l, struct writer *w)
{
	put_text(l, w);
}

static void as_short(const struct letter *l, struct writer *w)
{
	char line[NOTIFY_SHORT];
	short_line(l, line);
	put_json_string(w, line);
}

static void as_title(const struct letter *l, struct writer *w)
{
	put_json_string(w, l->subject);
}

static void as_lead(const struct letter *l, struct writer *w)
{
	put_json_string(w, l->lead);
}

static void as_commands(const struct letter *l, struct writer *w)
{
	put_lines(w, l->commands, l->n_commands);
}

static void put_value(struct writer *w, const char *s, size_t size, bool own)
{
	char text[4 * EVENT_TEXT];
	struct writer t = writer_of(text, sizeof(text));
	(own ? put_plain : put_foreign)(&t, s, size);
	put_json_string(w, text);
}

static void as_guest(const struct letter *l, struct writer *w)
{
	put_value(w, l->m->what.guest, sizeof(l->m->what.guest), false);
}

static void as_what(const struct letter *l, struct writer *w)
{
	put_value(w, l->m->what.what, sizeof(l->m->what.what), false);
}

static void as_event(const struct letter *l, struct writer *w)
{
	put_value(w, l->m->what.text, sizeof(l->m->what.text), false);
}

static void as_sensor(const struct letter *l, struct writer *w)
{
	put_value(w, l->from->sensor, CONF_NAME, true);
}

static void as_honeynet(const struct letter *l, struct writer *w)
{
	put_value(w, l->from->name, CONF_NAME, true);
}

static void as_country(const struct letter *l, struct writer *w)
{
	put_value(w, l->facts->country, sizeof(l->facts->country), false);
}

static void as_as_name(const struct letter *l, struct writer *w)
{
	put_value(w, l->facts->as_name, sizeof(l->facts->as_name), false);
}

static void as_class(const struct letter *l, struct writer *w)
{
	write_str(w, l->m->class < ALERT_CLASSES ? conf_alert_class_text(l->m->class) : "other");
}

static void as_kind(const struct letter *l, struct writer *w)
{
	write_str(w, alert_kind_text(l->m->kind));
}

static void as_verdict(const struct letter *l, struct writer *w)
{
	write_str(w, l->m->what.direction != DIR_NONE ? verdict_text(l->m->what.verdict) : "");
}

static void as_source(const struct letter *l, struct writer *w)
{
	char buf[ADDR_TEXT];
	write_str(w, l->m->what.source.ver != 0 ? addr_text(&l->m->what.source, buf) : "");
}

static void as_proto(const struct letter *l, struct writer *w)
{
	char buf[EVENT_PROTO];
	write_str(w, l->m->what.proto != 0 ? event_proto_text(l->m->what.proto, buf) : "");
}

static void as_time(const struct letter *l, struct writer *w)
{
	put_utc(w, l->m->at_ns);
}

static void as_session(const struct letter *l, struct writer *w)
{
	char buf[EVENT_SESSION_TEXT];
	write_str(w, l->m->what.session != 0 ? event_session_text(l->m->what.session, buf) : "");
}

static uint64_t n_number(const struct letter *l)
{
	return l->m->number;
}

static uint64_t n_thread(const struct letter *l)
{
	return l->m->thread;
}

static uint64_t n_weight(const struct letter *l)
{
	return l->m->weight;
}

static uint64_t n_incident(const struct letter *l)
{
	return l->m->incident;
}

static uint64_t n_port(const struct letter *l)
{
	return l->m->what.port;
}

static uint64_t n_held(const struct letter *l)
{
	return held_sum(l->m);
}

static uint64_t n_sid(const struct letter *l)
{
	return l->m->what.sid;
}

static uint64_t n_as(const struct letter *l)
{
	return l->facts->as;
}

static uint64_t n_unix(const struct letter *l)
{
	return l->m->at_ns > 0 ? (uint64_t)(l->m->at_ns / NS_PER_SEC) : 0;
}

static const struct place {
	const char *name;
	void (*text)(const struct letter *l, struct writer *w);
	uint64_t (*number)(const struct letter *l);
} places[] = {
	{"text", as_text, NULL},
	{"short", as_short, NULL},
	{"title", as_title, NULL},
	{"lead", as_lead, NULL},
	{"commands", as_commands, NULL},
	{"guest", as_guest, NULL},
	{"what", as_what, NULL},
	{"event", as_event, NULL},
	{"sensor", as_sensor, NULL},
	{"honeynet", as_honeynet, NULL},
	{"country", as_country, NULL},
	{"as_name", as_as_name, NULL},
	{"class", as_class, NULL},
	{"kind", as_kind, NULL},
	{"verdict", as_verdict, NULL},
	{"source", as_source, NULL},
	{"proto", as_proto, NULL},
	{"time", as_time, NULL},
	{"session", as_session, NULL},
	{"number", NULL, n_number},
	{"thread", NULL, n_thread},
	{"weight", NULL, n_weight},
	{"incident", NULL, n_incident},
	{"port", NULL, n_port},
	{"held", NULL, n_held},
	{"sid", NULL, n_sid},
	{"as", NULL, n_as},
	{"unix", NULL, n_unix},
};

static const struct place *place_of(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (strlen(places[i].name) == len && memcmp(places[i].name, name, len) == 0)
			return &places[i];
	return NULL;
}

static void put_place(struct writer *w, const struct place *p, const struct values *v)
{
	if (v->l == NULL)
		write_str(w, p->number == NULL ? "x\\\"y" : v->big ? "9007199254740991" : "0");
	else if (p->number == NULL)
		p->text(v->l, w);
	else
		write_fmt(w, "%llu",
			  (unsigned long long)(p->number(v->l) & ((UINT64_C(1) << 53) - 1)));
}

/* SKEP_EFORMAT: *ret_bad is a place that there is not, of *ret_len bytes. */
static int fill(const char *s, const struct values *v, struct writer *w, const char **ret_bad,
		size_t *ret_len)
{
	while (*s != '\0') {
		size_t n = strcspn(s, "{");
		if (n > 0 || s[1] != '{') {
			n = n > 0 ? n : 1;
			write_fmt(w, "%.*s", (int)n, s);
			s += n;
			continue;
		}
		const char *name = s + 2;
		n = strcspn(name, "}");
		const struct place *p =
			name[n] == '}' && name[n + 1] == '}' ? place_of(name, n) : NULL;
		if (p == NULL) {
			*ret_bad = name;
			*ret_len = n < PLACE ? n : PLACE;
			return SKEP_EFORMAT;
		}
		put_place(w, p, v);
		s = name + n + 2;
	}
	return w->full ? SKEP_ETRUNC : 0;
}

int template_form(const struct letter *l, struct writer *w)
{
	const char *bad;
	size_t len;
	struct values v = {.l = l};
	return fill(l->to->template, &v, w, &bad, &len);
}

static int try_it(const char *template, bool big, char *buf, struct writer *why)
{
	struct writer w = writer_of(buf, FILLED);
	struct values v = {.big = big};
	const char *bad = "";
	size_t len = 0;
	json_error_t e;
	int r = fill(template, &v, &w, &bad, &len);
	if (r == SKEP_EFORMAT) {
		write_str(why, "there is no place {{");
		write_escaped(why, bad, len);
		write_str(why, "}}; there are:");
		for (size_t i = 0; i < ARRAY_LEN(places); i++)
			write_fmt(why, " %s", places[i].name);
		return r;
	}
	if (r != 0) {
		write_str(why, "it is too long once it is filled in");
		return r;
	}
	json_t *o = json_loads(buf, JSON_REJECT_DUPLICATES, &e);
	if (o == NULL) {
		write_str(why, "it is no JSON object once it is filled in (places of text belong "
			       "into quotes): ");
		write_escaped(why, e.text, strlen(e.text));
		return SKEP_EFORMAT;
	}
	json_decref(o);
	return 0;
}

int notify_template_check(const char *template, char *why, size_t why_size)
{
	struct writer w = writer_of(why, why_size);
	char *buf = malloc(FILLED);
	if (buf == NULL)
		return SKEP_ETRUNC;
	int r = try_it(template, false, buf, &w);
	if (r == 0)
		r = try_it(template, true, buf, &w);
	free(buf);
	return r;
}

void put_json_string(struct writer *w, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			write_fmt(w, "\\%c", *s);
		else if ((uint8_t)*s < ' ')
			write_fmt(w, "\\u%04x", (unsigned)(uint8_t)*s);
		else
			write_fmt(w, "%c", *s);
	}
}
