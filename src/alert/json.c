/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stored line back to the event that it was, as far as alerts look at it; then alert_input_of says what it is
 * to us. So a replay of the store can't judge otherwise than the live engine did.
 */
#include "alert/alert.h"

#include <jansson.h>
#include <string.h>

/* ---- values ------------------------------------------------------------------------------------ */

static const char *word(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s != NULL ? s : "";
}

static uint64_t number(const json_t *o, const char *key, uint64_t most)
{
	json_int_t v = json_integer_value(json_object_get(o, key));
	if (v < 0)
		return 0;
	return (uint64_t)v < most ? (uint64_t)v : most;
}

/* Undoes event_utf8: \xNN is a byte, \\ a backslash. At most size bytes; returns how many. */
static size_t unescape(const char *s, char *ret, size_t size)
{
	size_t n = 0;
	while (*s != '\0' && n < size) {
		if (s[0] == '\\' && s[1] == 'x' && text_hex(s[2]) >= 0 && text_hex(s[3]) >= 0) {
			ret[n++] = (char)(text_hex(s[2]) << 4 | text_hex(s[3]));
			s += 4;
		} else {
			s += s[0] == '\\' && s[1] == '\\' ? 1 : 0;
			ret[n++] = *s++;
		}
	}
	return n;
}

static void text(const json_t *o, const char *key, char *ret, size_t size)
{
	size_t n = unescape(word(o, key), ret, size - 1);
	ret[n] = '\0';
}

static void address(const json_t *o, const char *key, struct addr *ret)
{
	struct addr a;
	if (addr_parse(word(o, key), &a) == 0)
		*ret = a;
}

static uint8_t protocol(const json_t *o, const char *key)
{
	uint8_t proto;
	return event_proto_parse(word(o, key), &proto) == 0 ? proto : 0;
}

static uint8_t direction(const char *s)
{
	for (int d = DIR_INBOUND; d <= DIR_LATERAL; d++)
		if (strcmp(s, direction_text((enum event_direction)d)) == 0)
			return (uint8_t)d;
	return DIR_NONE;
}

static uint8_t verdict(const char *s)
{
	for (int v = 0; v < VERDICTS; v++)
		if (strcmp(s, verdict_text((enum verdict)v)) == 0)
			return (uint8_t)v;
	return VERDICT_FORWARD;
}

static uint8_t reason(const char *s)
{
	for (int r = 0; r < REASONS; r++)
		if (strcmp(s, reason_text((enum reason)r)) == 0)
			return (uint8_t)r;
	return REASON_NONE;
}

/* ---- bodies ------------------------------------------------------------------------------------ */

static void read_tuple(const json_t *o, struct event_tuple *t)
{
	text(o, "guest", t->guest, sizeof(t->guest));
	t->proto = protocol(o, "proto");
	address(o, "src_ip", &t->src);
	address(o, "dest_ip", &t->dst);
	t->sport = (uint16_t)number(o, "src_port", UINT16_MAX);
	t->dport = (uint16_t)number(o, "dest_port", UINT16_MAX);
}

static void read_syn(const json_t *o, struct event_syn *s)
{
	const json_t *options = json_object_get(o, "options");
	if (o == NULL)
		return;
	s->ttl = (uint8_t)number(o, "ttl", UINT8_MAX);
	s->df = (uint8_t)number(o, "df", UINT8_MAX);
	s->window = (uint16_t)number(o, "window", UINT16_MAX);
	s->mss = (uint16_t)number(o, "mss", UINT16_MAX);
	s->wscale = UINT8_MAX;
	if (json_is_integer(json_object_get(o, "wscale")))
		s->wscale = (uint8_t)number(o, "wscale", UINT8_MAX);
	s->quirks = (uint32_t)number(o, "quirks", UINT32_MAX);
	for (size_t i = 0; i < json_array_size(options) && i < EVENT_SYN_OPTIONS; i++) {
		json_int_t v = json_integer_value(json_array_get(options, i));
		s->options[s->n_options++] = (uint8_t)(v >= 0 && v <= UINT8_MAX ? v : 0);
	}
}

static void read_visit(const json_t *o, struct event_visit *v)
{
	const char *id = word(o, "session");
	text(o, "guest", v->guest, sizeof(v->guest));
	if (id[0] != '\0' && event_session_parse(id, &v->session) != 0)
		v->session = 0;
	address(o, "client_ip", &v->peer);
	v->proto = protocol(o, "proto");
	v->server_port = (uint16_t)number(o, "server_port", UINT16_MAX);
}

static void read_command(const json_t *o, struct event_command *c)
{
	read_visit(o, &c->visit);
	text(o, "layer", c->layer, sizeof(c->layer));
	c->line_len = (uint16_t)unescape(word(o, "line"), c->line, sizeof(c->line));
}

static void read_login(const json_t *o, struct event_login *l)
{
	const json_t *ok = json_object_get(o, "ok");
	read_visit(o, &l->visit);
	text(o, "user", l->user, sizeof(l->user));
	l->ok = json_is_boolean(ok) ? json_is_true(ok) : -1;
}

static void read_body(const json_t *o, struct event *e)
{
	switch ((int)e->kind) {
	case EVENT_CONNECTION:
		read_tuple(o, &e->u.connection.tuple);
		read_syn(json_object_get(o, "syn"), &e->u.connection.syn);
		break;
	case EVENT_LIMIT:
		text(o, "guest", e->u.limit.guest, EVENT_NAME);
		text(o, "what", e->u.limit.what, EVENT_NAME);
		e->u.limit.dropped = number(o, "dropped", UINT64_MAX);
		break;
	case EVENT_GUEST:
		text(o, "guest", e->u.guest.guest, EVENT_NAME);
		text(o, "state", e->u.guest.state, EVENT_NAME);
		break;
	case EVENT_HEALTH:
		text(o, "role", e->u.health.role, EVENT_NAME);
		text(o, "what", e->u.health.what, EVENT_NAME);
		break;
	case EVENT_INCIDENT:
		text(o, "guest", e->u.incident.guest, EVENT_NAME);
		text(o, "state", e->u.incident.state, EVENT_NAME);
		address(o, "peer", &e->u.incident.peer);
		break;
	case EVENT_COMMAND:
		read_command(o, &e->u.command);
		break;
	case EVENT_LOGIN:
		read_login(o, &e->u.login);
		break;
	case EVENT_SILENCE:
	case EVENT_MISMATCH:
		read_visit(o, &e->u.silence.visit);
		text(o, "layer", e->u.silence.layer, EVENT_NAME);
		text(o, "what", e->u.silence.what, EVENT_NAME);
		break;
	case EVENT_ESCAPE:
		text(o, "guest", e->u.escape.guest, EVENT_NAME);
		text(o, "what", e->u.escape.what, EVENT_NAME);
		break;
	case EVENT_SEAL:
		text(o, "file", e->u.seal.file, EVENT_NAME);
		break;
	default:
		break;
	}
}

/* EVE has other keys; what is ours of it lies in its metadata. */
static void read_alert(const json_t *o, struct event *e)
{
	const json_t *alert = json_object_get(o, "alert"), *meta = json_object_get(o, "metadata");
	const json_t *vars = json_object_get(meta, "flowvars");
	struct event_alert *a = &e->u.alert;
	read_tuple(o, &a->tuple);
	e->incident = number(json_object_get(meta, "flowints"), "skep.incident", UINT64_MAX);
	for (size_t i = 0; i < json_array_size(vars); i++) {
		const json_t *v = json_array_get(vars, i);
		const char *key = word(v, "key");
		if (strcmp(key, "skep.guest") == 0)
			text(v, "value", a->tuple.guest, EVENT_NAME);
		else if (strcmp(key, "skep.direction") == 0)
			e->direction = direction(word(v, "value"));
		else if (strcmp(key, "skep.verdict") == 0)
			e->verdict = verdict(word(v, "value"));
	}
	a->toclient = strcmp(word(o, "direction"), "to_client") == 0;
	a->gid = (uint32_t)number(alert, "gid", UINT32_MAX);
	a->sid = (uint32_t)number(alert, "signature_id", UINT32_MAX);
	a->severity = (uint32_t)number(alert, "severity", UINT32_MAX);
	text(alert, "signature", e->text, sizeof(e->text));
}

static uint16_t kind_of(const char *type)
{
	for (int k = EVENT_CONNECTION; k < EVENT_KINDS; k++)
		if (strcmp(type, event_kind_text((enum event_kind)k)) == 0)
			return (uint16_t)k;
	return 0;
}

static int read_line(const json_t *o, struct event *e)
{
	const char *type = word(o, "event_type");
	e->kind = kind_of(type);
	if (e->kind == 0 || event_time_parse(word(o, "timestamp"), &e->time_ns) != 0)
		return SKEP_EFORMAT;
	e->flow_id = number(o, "flow_id", UINT64_MAX);
	if (e->kind == EVENT_ALERT) {
		read_alert(o, e);
		return 0;
	}
	if (event_is_eve((enum event_kind)e->kind))
		return SKEP_ENOTFOUND;
	e->incident = number(o, "incident", UINT64_MAX);
	e->direction = direction(word(o, "direction"));
	e->verdict = verdict(word(o, "verdict"));
	e->reason = reason(word(o, "reason"));
	e->priority = (uint8_t)number(o, "priority", 2);
	text(o, "text", e->text, sizeof(e->text));
	const json_t *body = json_object_get(o, e->kind == EVENT_INCIDENT ? "activity" : type);
	if (!json_is_object(body))
		return SKEP_EFORMAT;
	read_body(body, e);
	return 0;
}

/* Most lines are conversations that ended: not worth to be parsed. The key comes before any foreign text, and within a
 * text its quotes would be escaped. */
static bool may_matter(const char *json)
{
	static const char key[] = "\"event_type\":\"";
	static const char *const never[] = {"flow\"",   "stats\"", "anomaly\"", "drop\"",
					    "syslog\"", "file\"",  "process\"", "session\"",
					    "sink\"",   "notice\""};
	const char *at = strstr(json, key);
	for (size_t i = 0; at != NULL && i < ARRAY_LEN(never); i++)
		if (strncmp(at + sizeof(key) - 1, never[i], strlen(never[i])) == 0)
			return false;
	return true;
}

int alert_input_json(uint64_t id, const char *json, struct alert_input *ret)
{
	struct event e;
	if (!may_matter(json))
		return SKEP_ENOTFOUND;
	json_t *o = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	memset(&e, 0, sizeof(e));
	int err = json_is_object(o) ? read_line(o, &e) : SKEP_EFORMAT;
	json_decref(o);
	e.id = id;
	if (err == 0 && !event_valid(&e))
		err = SKEP_EFORMAT;
	if (err == 0 && !alert_input_of(&e, ret))
		err = SKEP_ENOTFOUND;
	return err;
}
