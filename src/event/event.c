/* SPDX-License-Identifier: BSD-2-Clause */
/* The record itself: its words, and what makes one acceptable from another process. */
#include "event/event.h"
#include "event/event_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *reason_text(enum reason r)
{
	static const char *const names[] = {
		[REASON_NONE] = "none",
		[REASON_REPLIED] = "replied",
		[REASON_MALFORMED] = "malformed",
		[REASON_VLAN] = "vlan",
		[REASON_ETHERTYPE] = "ethertype",
		[REASON_NOT_FOR_US] = "not-for-us",
		[REASON_SPOOFED_MAC] = "spoofed-mac",
		[REASON_SPOOFED_ADDR] = "spoofed-addr",
		[REASON_NEIGH_BUDGET] = "neigh-budget",
		[REASON_NEIGH_REFUSED] = "neigh-refused",
		[REASON_DHCP] = "dhcp",
		[REASON_MULTICAST] = "multicast",
		[REASON_TTL] = "ttl",
		[REASON_FRAGMENT] = "fragment",
		[REASON_BAD_CSUM] = "bad-csum",
		[REASON_OFF_LIMITS] = "off-limits",
		[REASON_CLOSED] = "closed",
		[REASON_SOURCE_NOT_LISTED] = "source-not-listed",
		[REASON_LOGHOST] = "loghost",
		[REASON_NO_FLOW] = "no-flow",
		[REASON_LIMIT] = "limit",
		[REASON_CAP_GUEST] = "cap-guest",
		[REASON_CAP_FLOW] = "cap-flow",
		[REASON_TABLE_FULL] = "table-full",
		[REASON_PORT_DOWN] = "port-down",
		[REASON_SEND_FAILED] = "send-failed",
		[REASON_SMTP] = "smtp",
		[REASON_ICMP_TYPE] = "icmp-type",
		[REASON_RULE] = "rule",
		[REASON_RULE_FLOW] = "rule-flow",
		[REASON_STREAM] = "stream",
		[REASON_NO_MEMORY] = "no-memory",
		[REASON_HELD] = "held",
		[REASON_FENCE] = "fence",
		[REASON_POLICY] = "policy",
		[REASON_ROACH_MOTEL] = "roach-motel",
		[REASON_LOCKDOWN] = "lockdown",
		[REASON_IGNORED] = "ignored",
		[REASON_NO_NEXT_HOP] = "no-next-hop",
	};
	_Static_assert(ARRAY_LEN(names) == REASONS, "a text for each reason");
	return r < REASONS && names[r] != NULL ? names[r] : "?";
}

const char *verdict_text(enum verdict v)
{
	static const char *const names[] = {
		[VERDICT_FORWARD] = "forward",   [VERDICT_LIMIT] = "limit",
		[VERDICT_DROP] = "drop",         [VERDICT_REJECT] = "reject",
		[VERDICT_REDIRECT] = "redirect", [VERDICT_REFLECT] = "reflect",
		[VERDICT_REWRITE] = "rewrite",
	};
	_Static_assert(ARRAY_LEN(names) == VERDICTS, "a text for each verdict");
	return v < VERDICTS && names[v] != NULL ? names[v] : "?";
}

const char *direction_text(enum event_direction d)
{
	static const char *const names[] = {
		[DIR_NONE] = "NONE",
		[DIR_INBOUND] = "INBOUND",
		[DIR_OUTBOUND] = "OUTBOUND",
		[DIR_LATERAL] = "LATERAL",
	};
	_Static_assert(ARRAY_LEN(names) == DIR_LATERAL + 1, "a text for each direction");
	return d <= DIR_LATERAL ? names[d] : "?";
}

const char *event_kind_text(enum event_kind kind)
{
	static const char *const names[] = {
		[0] = "?",
		[EVENT_CONNECTION] = "connection",
		[EVENT_LIMIT] = "limit",
		[EVENT_GUEST] = "guest",
		[EVENT_HEALTH] = "health",
		[EVENT_INCIDENT] = "incident",
		[EVENT_SINK] = "sink",
		[EVENT_FLOW] = "flow",
		[EVENT_ANOMALY] = "anomaly",
		[EVENT_STATS] = "stats",
		[EVENT_CONTAINMENT] = "containment",
		[EVENT_ALERT] = "alert",
		[EVENT_DROP] = "drop",
		[EVENT_SESSION] = "session",
		[EVENT_COMMAND] = "command",
		[EVENT_LOGIN] = "login",
		[EVENT_SYSLOG] = "syslog",
		[EVENT_FILE] = "file",
		[EVENT_ACTIVITY] = "process",
		[EVENT_SILENCE] = "silence",
		[EVENT_MISMATCH] = "mismatch",
		[EVENT_ESCAPE] = "escape",
		[EVENT_NOTICE] = "notice",
		[EVENT_SEAL] = "seal",
	};
	_Static_assert(ARRAY_LEN(names) == EVENT_KINDS, "a text for each kind");
	return kind < EVENT_KINDS && names[kind] != NULL ? names[kind] : "?";
}

bool event_is_eve(enum event_kind kind)
{
	return kind == EVENT_FLOW || kind == EVENT_ANOMALY || kind == EVENT_STATS ||
	       kind == EVENT_ALERT || kind == EVENT_DROP;
}

struct event event_new(enum event_kind kind)
{
	struct event e;
	memset(&e, 0, sizeof(e));
	e.kind = (uint16_t)kind;
	e.time_ns = clock_wall_ns();
	return e;
}

void event_say(struct event *e, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
}

struct event_tuple *event_tuple_of(struct event *e)
{
	if (e->kind == EVENT_CONNECTION)
		return &e->u.connection.tuple;
	if (e->kind == EVENT_FLOW)
		return &e->u.flow.tuple;
	if (e->kind == EVENT_ANOMALY)
		return &e->u.anomaly.tuple;
	if (e->kind == EVENT_ALERT)
		return &e->u.alert.tuple;
	if (e->kind == EVENT_DROP)
		return &e->u.drop.tuple;
	return NULL;
}

const struct event_visit *event_visit_of(const struct event *e)
{
	switch (e->kind) {
	case EVENT_SESSION:
		return &e->u.session.visit;
	case EVENT_COMMAND:
		return &e->u.command.visit;
	case EVENT_LOGIN:
		return &e->u.login.visit;
	case EVENT_FILE:
		return &e->u.file.visit;
	case EVENT_ACTIVITY:
		return &e->u.activity.visit;
	case EVENT_SILENCE:
	case EVENT_MISMATCH:
		return &e->u.silence.visit;
	default:
		return NULL;
	}
}

const char *event_guest_of(const struct event *e)
{
	switch ((enum event_kind)e->kind) {
	case EVENT_CONNECTION:
		return e->u.connection.tuple.guest;
	case EVENT_FLOW:
		return e->u.flow.tuple.guest;
	case EVENT_ANOMALY:
		return e->u.anomaly.tuple.guest;
	case EVENT_ALERT:
		return e->u.alert.tuple.guest;
	case EVENT_DROP:
		return e->u.drop.tuple.guest;
	case EVENT_LIMIT:
		return e->u.limit.guest;
	case EVENT_GUEST:
		return e->u.guest.guest;
	case EVENT_INCIDENT:
		return e->u.incident.guest;
	case EVENT_CONTAINMENT:
		return e->u.containment.guest;
	case EVENT_SINK:
		return e->u.sink.guest;
	case EVENT_SYSLOG:
		return e->u.syslog.guest;
	case EVENT_ESCAPE:
		return e->u.escape.guest;
	case EVENT_NOTICE:
		return e->u.notice.guest;
	case EVENT_SESSION:
	case EVENT_COMMAND:
	case EVENT_LOGIN:
	case EVENT_FILE:
	case EVENT_ACTIVITY:
	case EVENT_SILENCE:
	case EVENT_MISMATCH:
		return event_visit_of(e)->guest;
	case EVENT_HEALTH:
	case EVENT_STATS:
	case EVENT_SEAL:
	case EVENT_KINDS:
		break;
	}
	return "";
}

/* Crockford's base 32: no i, l, o, u. */
static const char session_digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

const char *event_session_text(uint64_t id, char buf[EVENT_SESSION_TEXT])
{
	buf[11] = '\0';
	for (int i = 10; i >= 0; i--, id >>= 5)
		buf[i] = session_digits[id & 31];
	return buf;
}

int event_session_parse(const char *text, uint64_t *ret)
{
	uint64_t id = 0;
	if (strlen(text) != 11)
		return SKEP_EFORMAT;
	for (int i = 0; i < 11; i++) {
		const char *at = strchr(session_digits, text[i]);
		if (at == NULL)
			return SKEP_EFORMAT;
		id = id << 5 | (uint64_t)(at - session_digits);
	}
	*ret = id;
	return 0;
}

static bool digits(const char *s, int n, int *ret)
{
	*ret = 0;
	for (int i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		*ret = *ret * 10 + s[i] - '0';
	}
	return true;
}

static const struct {
	uint8_t proto;
	const char *name;
} protos[] = {
	{1, "ICMP"}, {2, "IGMP"}, {6, "TCP"},        {17, "UDP"},   {41, "IPv6"},
	{47, "GRE"}, {50, "ESP"}, {58, "IPv6-ICMP"}, {132, "SCTP"},
};

const char *event_proto_text(uint8_t proto, char buf[EVENT_PROTO])
{
	for (size_t i = 0; i < ARRAY_LEN(protos); i++) {
		if (protos[i].proto != proto)
			continue;
		text_copy(buf, EVENT_PROTO, protos[i].name);
		return buf;
	}
	snprintf(buf, EVENT_PROTO, "%03u", proto);
	return buf;
}

int event_proto_parse(const char *text, uint8_t *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(protos); i++) {
		if (strcmp(protos[i].name, text) != 0)
			continue;
		*ret = protos[i].proto;
		return 0;
	}
	int n;
	if (strlen(text) != 3 || !digits(text, 3, &n) || n > UINT8_MAX)
		return SKEP_ENOTFOUND;
	*ret = (uint8_t)n;
	return 0;
}

/* Days since 1970-01-01 to a civil date (proleptic Gregorian), without the C library's time zone
 * machinery, which opens files and allocates. */
void event_civil(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
	int64_t z = days + 719468; /* count from 0000-03-01: leap days come last in a year */
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	*ret_day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*ret_month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*ret_year = (int)(yoe + era * 400 + (*ret_month <= 2 ? 1 : 0));
}

const char *event_time_text(int64_t time_ns, char buf[EVENT_TIME])
{
	int year, month, day;
	int64_t s = time_ns / NS_PER_SEC, frac = time_ns % NS_PER_SEC;
	if (frac < 0) {
		s--;
		frac += NS_PER_SEC;
	}
	int64_t days = s / 86400, rest = s % 86400;
	if (rest < 0) {
		days--;
		rest += 86400;
	}
	event_civil(days, &year, &month, &day);
	snprintf(buf, EVENT_TIME, "%04d-%02d-%02dT%02d:%02d:%02d.%06d+0000", year, month, day,
		 (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60), (int)(frac / 1000));
	return buf;
}

int64_t event_days(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

int event_time_parse(const char *s, int64_t *ret_ns)
{
	int y, mo, d, h, mi, sec, us;
	if (strlen(s) != 31 || !digits(s, 4, &y) || !digits(s + 5, 2, &mo) ||
	    !digits(s + 8, 2, &d) || !digits(s + 11, 2, &h) || !digits(s + 14, 2, &mi) ||
	    !digits(s + 17, 2, &sec) || !digits(s + 20, 6, &us))
		return SKEP_EFORMAT;
	if (y < 1970 || y > 2262 || mo < 1 || mo > 12 || d < 1 || d > 31)
		return SKEP_EFORMAT;
	int64_t ns;
	if (__builtin_mul_overflow((event_days(y, mo, d) * 24 + h) * 3600 + mi * 60 + sec,
				   NS_PER_SEC, &ns) ||
	    __builtin_add_overflow(ns, us * INT64_C(1000), &ns))
		return SKEP_EFORMAT;
	*ret_ns = ns;
	return 0;
}

/* ---- validity ------------------------------------------------------------------------------ */

static bool terminated(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}
#define TERMINATED(a) terminated(a, sizeof(a))

static bool addr_valid(const struct addr *a)
{
	static const uint8_t zero[16];
	if (memcmp(a->pad, zero, sizeof(a->pad)) != 0)
		return false;
	if (a->ver == 6)
		return true;
	if (a->ver == 4)
		return memcmp(a->b + 4, zero, 12) == 0;
	return a->ver == 0 && memcmp(a->b, zero, 16) == 0;
}

/* Empty, or "1:" and the base64 of a SHA-1. */
static bool community_valid(const char id[EVENT_NAME])
{
	static const char base64[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	if (id[0] == '\0')
		return true;
	return terminated(id, EVENT_NAME) && strncmp(id, "1:", 2) == 0 &&
	       strspn(id + 2, base64) == 27 && strcmp(id + 29, "=") == 0;
}

static bool tuple_valid(const struct event_tuple *t)
{
	return addr_valid(&t->src) && addr_valid(&t->dst) && addr_valid(&t->in_src) &&
	       addr_valid(&t->in_dst) && TERMINATED(t->guest) && TERMINATED(t->peer_guest) &&
	       TERMINATED(t->in_port) && community_valid(t->community_id) &&
	       community_valid(t->inside_community_id);
}

static bool incident_valid(const struct event_incident *i)
{
	if (!TERMINATED(i->guest) || !TERMINATED(i->state) || !addr_valid(&i->peer))
		return false;
	if (strcmp(i->state, "open") != 0 && strcmp(i->state, "update") != 0 &&
	    strcmp(i->state, "quiet") != 0)
		return false;
	if (i->n_flows > INCIDENT_FLOWS || i->ambiguous > 1 || i->start_ns < 0 || i->last_ns < 0)
		return false;
	for (uint32_t n = 0; n < i->n_flows; n++)
		if (i->flow_ids[n] == 0 || i->flow_ids[n] > EVENT_INT_MAX)
			return false;
	return true;
}

static bool containment_valid(const struct event_containment *c)
{
	return TERMINATED(c->what) && TERMINATED(c->state) && TERMINATED(c->guest) &&
	       TERMINATED(c->order) && addr_valid(&c->net.addr) &&
	       c->net.len <= (c->net.addr.ver == 4 ? 32 : 128) && c->until_ns >= 0;
}

static bool sink_valid(const struct event_sink *s)
{
	return TERMINATED(s->guest) && TERMINATED(s->service) && TERMINATED(s->what) &&
	       addr_valid(&s->client) && addr_valid(&s->server) && s->excerpt_len <= EVENT_EXCERPT;
}

static bool visit_valid(const struct event_visit *v)
{
	return TERMINATED(v->guest) && v->session <= EVENT_INT_MAX && addr_valid(&v->peer) &&
	       addr_valid(&v->server);
}

/* Bodies of event/inside.h, but for their visits. */
static bool inside_valid(const struct event *e)
{
	const struct event_session *s = &e->u.session;
	const struct event_command *c = &e->u.command;
	const struct event_login *l = &e->u.login;
	const struct event_syslog *y = &e->u.syslog;
	const struct event_file *f = &e->u.file;
	const struct event_activity *a = &e->u.activity;
	const struct event_silence *i = &e->u.silence;
	switch (e->kind) {
	case EVENT_SESSION:
		return TERMINATED(s->state) && TERMINATED(s->service) && TERMINATED(s->heard) &&
		       TERMINATED(s->user) && TERMINATED(s->why) && s->start_ns >= 0;
	case EVENT_COMMAND:
		return TERMINATED(c->layer) && TERMINATED(c->user) && TERMINATED(c->tty) &&
		       TERMINATED(c->cwd) && TERMINATED(c->exe) && c->cut <= 1 &&
		       c->line_len <= EVENT_EXCERPT;
	case EVENT_LOGIN:
		return TERMINATED(l->service) && TERMINATED(l->method) && TERMINATED(l->user) &&
		       TERMINATED(l->secret) && l->ok >= -1 && l->ok <= 1;
	case EVENT_SYSLOG:
		return TERMINATED(y->guest) && TERMINATED(y->app) && TERMINATED(y->host) &&
		       y->cut <= 1 && y->facility < 24 && y->severity < 8 &&
		       y->line_len <= EVENT_EXCERPT;
	case EVENT_FILE:
		return TERMINATED(f->what) && TERMINATED(f->path) && TERMINATED(f->to) &&
		       TERMINATED(f->type) && TERMINATED(f->sha256) && f->known <= 1;
	case EVENT_ACTIVITY:
		return TERMINATED(a->what) && TERMINATED(a->detail) && TERMINATED(a->comm) &&
		       addr_valid(&a->addr);
	case EVENT_SILENCE:
	case EVENT_MISMATCH:
		return TERMINATED(i->layer) && TERMINATED(i->what) && TERMINATED(i->other) &&
		       TERMINATED(i->detail);
	default:
		return false;
	}
}

/* Bodies of event/told.h. */
static bool told_valid(const struct event *e)
{
	const struct event_escape *x = &e->u.escape;
	const struct event_notice *n = &e->u.notice;
	const struct event_seal *s = &e->u.seal;
	if (e->kind == EVENT_ESCAPE)
		return TERMINATED(x->guest) && TERMINATED(x->what) && TERMINATED(x->detail);
	if (e->kind == EVENT_NOTICE)
		return TERMINATED(n->what) && TERMINATED(n->destination) && TERMINATED(n->class) &&
		       TERMINATED(n->guest) && TERMINATED(n->why) && TERMINATED(n->answer);
	return TERMINATED(s->file) && TERMINATED(s->sha256) && TERMINATED(s->previous);
}

static bool body_valid(const struct event *e)
{
	switch ((enum event_kind)e->kind) {
	case EVENT_CONNECTION:
		return tuple_valid(&e->u.connection.tuple) &&
		       e->u.connection.syn.n_options <= EVENT_SYN_OPTIONS;
	case EVENT_LIMIT:
		return TERMINATED(e->u.limit.guest) && TERMINATED(e->u.limit.what) &&
		       e->u.limit.flow_id <= EVENT_INT_MAX;
	case EVENT_GUEST:
		return TERMINATED(e->u.guest.guest) && TERMINATED(e->u.guest.state) &&
		       TERMINATED(e->u.guest.accel);
	case EVENT_HEALTH:
		return TERMINATED(e->u.health.role) && TERMINATED(e->u.health.what);
	case EVENT_INCIDENT:
		return incident_valid(&e->u.incident);
	case EVENT_SINK:
		return sink_valid(&e->u.sink);
	case EVENT_FLOW:
		return tuple_valid(&e->u.flow.tuple) && TERMINATED(e->u.flow.state) &&
		       TERMINATED(e->u.flow.end_reason) && e->u.flow.start_ns >= 0 &&
		       e->u.flow.end_ns >= 0;
	case EVENT_ANOMALY:
		return tuple_valid(&e->u.anomaly.tuple) && TERMINATED(e->u.anomaly.name);
	case EVENT_STATS:
		return e->u.stats.uptime_s >= 0;
	case EVENT_CONTAINMENT:
		return containment_valid(&e->u.containment);
	case EVENT_ALERT:
		return tuple_valid(&e->u.alert.tuple) && TERMINATED(e->u.alert.class) &&
		       TERMINATED(e->u.alert.app_proto) && e->u.alert.blocked <= 1 &&
		       e->u.alert.toclient <= 1;
	case EVENT_DROP:
		return tuple_valid(&e->u.drop.tuple) && e->u.drop.toclient <= 1;
	case EVENT_SYSLOG:
		return inside_valid(e);
	case EVENT_ESCAPE:
	case EVENT_NOTICE:
	case EVENT_SEAL:
		return told_valid(e);
	case EVENT_SESSION:
	case EVENT_COMMAND:
	case EVENT_LOGIN:
	case EVENT_FILE:
	case EVENT_ACTIVITY:
	case EVENT_SILENCE:
	case EVENT_MISMATCH:
		return visit_valid(event_visit_of(e)) && inside_valid(e);
	case EVENT_KINDS:
		break;
	}
	return false;
}

bool event_valid(const struct event *e)
{
	if (e->kind < EVENT_CONNECTION || e->kind >= EVENT_KINDS || e->direction > DIR_LATERAL ||
	    e->verdict >= VERDICTS || e->reason >= REASONS || e->priority > 2)
		return false;
	if (e->id > EVENT_INT_MAX || e->flow_id > EVENT_INT_MAX || e->incident > EVENT_INT_MAX ||
	    e->time_ns < 0 || !TERMINATED(e->text))
		return false;
	return body_valid(e);
}
