/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an event is to us. hub asks alert_wants of every event; alerter and `preview` both come through
 * alert_input_of (json.c makes an event of a stored line first), so that they can't disagree.
 */
#include "alert/alert.h"

#include <string.h>

#define SYSLOG_PORT 514
#define SYSLOG_TLS_PORT 6514

/* What skep says of itself and nobody need get up for, or what another event has told already. */
static bool is_routine(const char *what)
{
	static const char *const words[] = {"started", "restarted",  "stopped", "confirmed",
					    "prove",   "suppressed", "steered", "unsteered",
					    "well",    "running",    "told",    "back"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(what, words[i]) == 0)
			return true;
	return false;
}

static bool health_class(const struct event *e)
{
	const struct event_health *h = &e->u.health;
	/* Rules that did not load are said with priority 1, a set that is not in force at all with 2. */
	if (strcmp(h->what, "rules") == 0)
		return e->priority >= 2;
	return e->priority >= 1 && !is_routine(h->what);
}

/* Between its two words an orderly stop silences the guests: that is nobody's doing. */
static bool is_house(const struct event_health *h)
{
	return strcmp(h->role, "super") == 0 &&
	       (strcmp(h->what, "stopped") == 0 || strcmp(h->what, "started") == 0);
}

/* Was the conversation let out, or stopped by the containment policy? Both say that somebody in the guest
 * wants out. What is refused for its form (multicast, spoofed ...) is no conversation with anybody. */
static bool wants_out(const struct event *e)
{
	switch ((int)e->reason) {
	case REASON_NONE:
	case REASON_OFF_LIMITS:
	case REASON_LIMIT:
	case REASON_SMTP:
	case REASON_FENCE:
	case REASON_POLICY:
	case REASON_ROACH_MOTEL:
	case REASON_LOCKDOWN:
		return true;
	default:
		return e->verdict == VERDICT_FORWARD || e->verdict == VERDICT_REDIRECT ||
		       e->verdict == VERDICT_REFLECT || e->verdict == VERDICT_REWRITE;
	}
}

static bool has_ports(uint8_t proto)
{
	return proto == 6 || proto == 17 || proto == 132;
}

static uint8_t connection_class(const struct event *e)
{
	const struct event_tuple *t = &e->u.connection.tuple;
	if (e->direction == DIR_INBOUND)
		return ALERT_INBOUND;
	if (e->direction == DIR_OUTBOUND)
		return wants_out(e) ? ALERT_OUTBOUND : ALERT_CLASSES;
	/* Guest to guest is a way out of it, too; but all speak with the loghost. */
	bool to_loghost =
		has_ports(t->proto) && (t->dport == SYSLOG_PORT || t->dport == SYSLOG_TLS_PORT);
	return e->direction == DIR_LATERAL && !to_loghost && wants_out(e) ? ALERT_OUTBOUND
									  : ALERT_CLASSES;
}

static uint8_t rule_class(uint32_t severity)
{
	return severity == 1 ? ALERT_RULE_HIGH : severity == 2 ? ALERT_RULE_MEDIUM : ALERT_RULE_LOW;
}

/* The class; *ret_wanted: of interest even without one. */
static uint8_t class_of(const struct event *e, bool *ret_wanted)
{
	const char *state;
	*ret_wanted = false;
	switch ((int)e->kind) {
	case EVENT_ESCAPE:
		return ALERT_ESCAPE;
	case EVENT_SILENCE:
	case EVENT_MISMATCH:
		return strcmp(e->u.silence.what, "back") != 0 ? ALERT_SILENCE : ALERT_CLASSES;
	case EVENT_CONNECTION:
		return connection_class(e);
	case EVENT_LOGIN:
		return e->u.login.ok == 1 ? ALERT_LOGIN : ALERT_CLASSES;
	case EVENT_LIMIT:
		return e->u.limit.dropped == 0 ? ALERT_LIMIT : ALERT_CLASSES;
	case EVENT_ALERT:
		return rule_class(e->u.alert.severity);
	case EVENT_HEALTH:
		*ret_wanted = is_house(&e->u.health);
		return health_class(e) ? ALERT_HEALTH : ALERT_CLASSES;
	case EVENT_GUEST:
		state = e->u.guest.state;
		return strcmp(state, "died") == 0 || strcmp(state, "failed") == 0 ? ALERT_HEALTH
										  : ALERT_CLASSES;
	case EVENT_INCIDENT:
		*ret_wanted = strcmp(e->u.incident.state, "update") != 0;
		return ALERT_CLASSES;
	case EVENT_COMMAND:
		*ret_wanted = e->u.command.line_len > 0;
		return ALERT_CLASSES;
	case EVENT_SEAL:
		*ret_wanted = true;
		return ALERT_CLASSES;
	default:
		return ALERT_CLASSES;
	}
}

bool alert_wants(const struct event *e)
{
	bool wanted;
	return class_of(e, &wanted) < ALERT_CLASSES || wanted;
}

/* toclient: the tuple is of a packet that the one sent who did not begin. */
static void of_tuple(struct alert_input *in, const struct event_tuple *t, bool toclient)
{
	const struct addr *client = toclient ? &t->dst : &t->src;
	const struct addr *server = toclient ? &t->src : &t->dst;
	bool from_guest = in->direction == DIR_OUTBOUND || in->direction == DIR_LATERAL;
	in->source = from_guest ? *server : *client;
	in->proto = t->src.ver == 0 && t->dst.ver == 0 ? 0 : t->proto;
	if (has_ports(in->proto))
		in->port = toclient ? t->sport : t->dport;
	text_copy(in->guest, sizeof(in->guest), t->guest);
}

static void of_visit(struct alert_input *in, const struct event_visit *v)
{
	text_copy(in->guest, sizeof(in->guest), v->guest);
	in->session = v->session;
	if (v->peer.ver == 0)
		return;
	in->source = v->peer;
	in->proto = v->proto;
	in->port = v->server_port;
	if (in->direction == DIR_NONE)
		in->direction = DIR_INBOUND;
}

static void two_words(char ret[ALERT_WHAT], const char *a, const char *b)
{
	struct writer w = writer_of(ret, ALERT_WHAT);
	write_fmt(&w, "%s%s%s", a, a[0] != '\0' && b[0] != '\0' ? " " : "", b);
}

/* A line as a text: a zero byte stood between the words of what was run. */
static void of_command(struct alert_input *in, const struct event_command *c)
{
	size_t len = c->line_len < EVENT_EXCERPT ? c->line_len : EVENT_EXCERPT;
	of_visit(in, &c->visit);
	text_copy(in->what, sizeof(in->what), c->layer);
	if (len > sizeof(in->text) - 1)
		len = sizeof(in->text) - 1;
	memset(in->text, 0, sizeof(in->text));
	for (size_t i = 0; i < len; i++)
		in->text[i] = c->line[i] != '\0' ? c->line[i] : ' ';
}

static void of_alert(struct alert_input *in, const struct event *e)
{
	const struct event_alert *a = &e->u.alert;
	of_tuple(in, &a->tuple, a->toclient != 0);
	in->sid = a->sid;
	in->gid = a->gid;
	in->severity = (uint8_t)(a->severity < 255 ? a->severity : 255);
	text_copy(in->what, sizeof(in->what), e->text);
}

static void of_host(struct alert_input *in, const struct event *e)
{
	const struct event_incident *i = &e->u.incident;
	if (e->kind == EVENT_HEALTH) {
		two_words(in->what, e->u.health.role, e->u.health.what);
		text_copy(in->state, sizeof(in->state), e->u.health.what);
	} else if (e->kind == EVENT_GUEST) {
		text_copy(in->guest, sizeof(in->guest), e->u.guest.guest);
		text_copy(in->state, sizeof(in->state), e->u.guest.state);
		two_words(in->what, "guest", e->u.guest.state);
	} else if (e->kind == EVENT_INCIDENT) {
		text_copy(in->guest, sizeof(in->guest), i->guest);
		text_copy(in->state, sizeof(in->state), i->state);
		in->source = i->peer;
	} else if (e->kind == EVENT_SEAL) {
		text_copy(in->state, sizeof(in->state), e->u.seal.file);
	} else if (e->kind == EVENT_LIMIT) {
		text_copy(in->guest, sizeof(in->guest), e->u.limit.guest);
		text_copy(in->what, sizeof(in->what), e->u.limit.what);
	} else {
		text_copy(in->guest, sizeof(in->guest), e->u.escape.guest);
		text_copy(in->what, sizeof(in->what), e->u.escape.what);
	}
}

static void of_connection(struct alert_input *in, const struct event *e)
{
	of_tuple(in, &e->u.connection.tuple, false);
	const struct event_syn *s = &e->u.connection.syn;
	if (s->ttl == 0)
		return;
	in->syn = *s;
	for (size_t i = s->n_options; i < EVENT_SYN_OPTIONS; i++)
		in->syn.options[i] = 0;
}

bool alert_input_of(const struct event *e, struct alert_input *ret)
{
	bool wanted, judged = e->kind == EVENT_CONNECTION || e->kind == EVENT_LIMIT ||
			      e->kind == EVENT_ALERT;
	uint8_t class = class_of(e, &wanted);
	if (class == ALERT_CLASSES && !wanted)
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->id = e->id;
	ret->time_ns = e->time_ns - e->time_ns % 1000;
	ret->incident = e->incident;
	ret->flow_id = e->flow_id;
	ret->kind = (uint8_t)e->kind;
	ret->class = class;
	ret->direction = e->direction;
	ret->verdict = judged ? e->verdict : VERDICT_FORWARD;
	text_copy(ret->text, sizeof(ret->text), e->text);
	if (e->kind == EVENT_CONNECTION) {
		of_connection(ret, e);
	} else if (e->kind == EVENT_ALERT) {
		of_alert(ret, e);
	} else if (e->kind == EVENT_COMMAND) {
		of_command(ret, &e->u.command);
	} else if (e->kind == EVENT_LOGIN) {
		of_visit(ret, &e->u.login.visit);
		text_copy(ret->what, sizeof(ret->what), e->u.login.user);
	} else if (e->kind == EVENT_SILENCE || e->kind == EVENT_MISMATCH) {
		of_visit(ret, &e->u.silence.visit);
		two_words(ret->what, e->u.silence.layer, e->u.silence.what);
	} else {
		of_host(ret, e);
	}
	return true;
}
