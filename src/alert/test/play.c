/* SPDX-License-Identifier: BSD-2-Clause */
#include "play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TCP 6

static void on_send(void *ctx, const struct alert_message *m)
{
	struct play *p = ctx;
	if (p->send != NULL)
		p->send(p, m);
}

static void on_held(void *ctx, const struct alert_held *h)
{
	struct play *p = ctx;
	if (p->held != NULL)
		p->held(p, h);
}

static void on_place(void *ctx, const struct addr *a, uint32_t *ret_as, char ret_country[4])
{
	(void)ctx;
	bool test_net = a->ver == 4 && a->b[0] == 192 && a->b[1] == 0 && a->b[2] == 2;
	*ret_as = test_net ? 64500 : 0;
	memcpy(ret_country, test_net ? "ZZ\0" : "\0\0\0", 4);
}

static int32_t on_local(void *ctx, int64_t wall_ns)
{
	(void)ctx;
	(void)wall_ns;
	return AHEAD_S;
}

static const struct alert_out out = {
	.send = on_send, .held = on_held, .place = on_place, .local = on_local};

void play_conf(struct conf_alerts *c)
{
	memset(c, 0, sizeof(*c));
	c->on = c->incidents = c->quiet_own = 1;
	c->resolvers[0] = addr_from_v4((const uint8_t[]){203, 0, 113, 53});
	text_copy(c->digest, sizeof(c->digest), "07:00");
	c->new_source_ns = 30 * DAY;
	c->n_to = 2;
	text_copy(c->to[0].name, CONF_NAME, "mail");
	c->to[0].digest = 1;
	text_copy(c->to[1].name, CONF_NAME, "pager");
	c->to[1].short_form = 1;
	c->to[1].weight = 6;
	c->to[1].throttle = (struct conf_throttle){15 * MINUTE, 6, 20, 0};
}

static void make(struct play *p)
{
	struct alert_out o = out;
	o.ctx = p;
	if (arena_create(alert_bytes(), &p->arena) != 0 ||
	    alert_create(&p->arena, &p->conf, &o, &p->alert) != 0)
		abort();
}

void play_open(struct play *p)
{
	/* 2026-11-02 08:00 here: a Monday. */
	p->now_ns = (event_days(2026, 11, 2) * 86400 + 7 * 3600) * NS_PER_SEC;
	p->next_flow = 1;
	make(p);
}

/* Slots, as the outbox keeps them. */
struct kept {
	struct kept *next;
	uint64_t slot;
	size_t size;
	_Alignas(8) uint8_t data[];
};
#define BUCKETS 65536u
struct disk {
	struct kept *buckets[BUCKETS];
};

static void keep(void *ctx, uint64_t slot, const void *data, size_t size)
{
	struct disk *d = ctx;
	struct kept **at = &d->buckets[(slot ^ slot >> 28) % BUCKETS];
	while (*at != NULL && (*at)->slot != slot)
		at = &(*at)->next;
	if (*at != NULL) {
		struct kept *old = *at;
		*at = old->next;
		free(old);
	}
	if (size == 0)
		return;
	struct kept *k = malloc(sizeof(*k) + size);
	if (k == NULL)
		abort();
	*k = (struct kept){*at, slot, size};
	memcpy(k->data, data, size);
	*at = k;
}

void play_save(struct play *p)
{
	if (p->disk == NULL && (p->disk = calloc(1, sizeof(*p->disk))) == NULL)
		abort();
	alert_save(p->alert, keep, p->disk);
}

void play_restart(struct play *p)
{
	play_save(p);
	arena_destroy(&p->arena);
	make(p);
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct kept *k = p->disk->buckets[i]; k != NULL; k = k->next)
			if (alert_load(p->alert, k->slot, k->data, k->size) != 0)
				abort();
}

void play_close(struct play *p)
{
	for (size_t i = 0; p->disk != NULL && i < BUCKETS; i++)
		while (p->disk->buckets[i] != NULL) {
			struct kept *k = p->disk->buckets[i];
			p->disk->buckets[i] = k->next;
			free(k);
		}
	free(p->disk);
	p->disk = NULL;
	arena_destroy(&p->arena);
}

/* ---- events --------------------------------------------------------------------------------------------- */

void play_wait(struct play *p, int64_t ns)
{
	p->now_ns += ns;
}

static void through_store(struct play *p, const struct event *e)
{
	struct alert_input in;
	char *json = event_json(e, "sensor");
	if (json != NULL && alert_input_json(e->id, json, &in) == 0)
		alert_event(p->alert, &in);
	free(json);
}

void play_event(struct play *p, const struct event *event)
{
	struct event e = *event;
	struct alert_input in;
	if (p->each != NULL)
		p->each(p);
	p->now_ns += 1000; /* no two have the same id */
	e.id = (uint64_t)(p->now_ns / 1000);
	e.time_ns = p->now_ns;
	if (!event_valid(&e))
		abort();
	if (p->stored)
		through_store(p, &e);
	else if (alert_wants(&e) && alert_input_of(&e, &in))
		alert_event(p->alert, &in);
}

static struct addr addr_of(const char *s)
{
	struct addr a = {0};
	if (s[0] != '\0' && addr_parse(s, &a) != 0)
		abort();
	return a;
}

struct event play_connection(struct play *p, enum event_direction d, const char *guest,
			     const char *other, uint8_t proto, uint16_t port)
{
	struct event e = event_new(EVENT_CONNECTION);
	struct event_tuple *t = &e.u.connection.tuple;
	struct addr a = addr_of(other),
		    own = addr_of(a.ver == 6 ? "2001:db8:1::10" : "203.0.113.10");
	e.direction = (uint8_t)d;
	e.incident = p->incident;
	e.flow_id = p->next_flow++;
	t->src = d == DIR_INBOUND ? a : own;
	t->dst = d == DIR_INBOUND ? own : a;
	t->proto = proto;
	t->sport = 40000;
	t->dport = port;
	text_copy(t->guest, sizeof(t->guest), guest);
	return e;
}

void play_inbound(struct play *p, const char *guest, const char *source, uint16_t port, bool open)
{
	struct event e = play_connection(p, DIR_INBOUND, guest, source, TCP, port);
	if (!open) {
		e.verdict = VERDICT_DROP;
		e.reason = REASON_CLOSED;
	}
	play_event(p, &e);
}

void play_outbound(struct play *p, const char *guest, const char *to, uint8_t proto, uint16_t port)
{
	struct event e = play_connection(p, DIR_OUTBOUND, guest, to, proto, port);
	play_event(p, &e);
}

void play_lateral(struct play *p, const char *guest, const char *to, uint16_t port)
{
	struct event e = play_connection(p, DIR_LATERAL, guest, to, TCP, port);
	play_event(p, &e);
}

static void incident(struct play *p, const char *guest, const char *source, const char *state)
{
	struct event e = event_new(EVENT_INCIDENT);
	e.incident = p->incident;
	e.direction = source[0] != '\0' ? DIR_INBOUND : DIR_OUTBOUND;
	text_copy(e.u.incident.guest, EVENT_NAME, guest);
	text_copy(e.u.incident.state, EVENT_NAME, state);
	e.u.incident.peer = addr_of(source);
	play_event(p, &e);
}

void play_open_incident(struct play *p, const char *guest, const char *source)
{
	p->incident = (uint64_t)(p->now_ns / 1000) + 1;
	incident(p, guest, source, "open");
}

void play_quiet_incident(struct play *p, const char *guest, const char *source)
{
	incident(p, guest, source, "quiet");
	p->incident = 0;
}

void play_login(struct play *p, const char *guest, const char *source, const char *user)
{
	struct event e = event_new(EVENT_LOGIN);
	e.incident = p->incident;
	e.priority = 2;
	text_copy(e.u.login.visit.guest, EVENT_NAME, guest);
	e.u.login.visit.peer = addr_of(source);
	e.u.login.visit.server_port = 22;
	e.u.login.visit.proto = TCP;
	text_copy(e.u.login.user, EVENT_USER, user);
	e.u.login.ok = 1;
	event_say(&e, "login to %s as %s by password: let in", guest, user);
	play_event(p, &e);
}

void play_command(struct play *p, const char *guest, const char *line)
{
	struct event e = event_new(EVENT_COMMAND);
	e.incident = p->incident;
	text_copy(e.u.command.visit.guest, EVENT_NAME, guest);
	e.u.command.line_len = (uint16_t)strlen(line);
	memcpy(e.u.command.line, line, strlen(line));
	play_event(p, &e);
}

void play_rule(struct play *p, const char *guest, const char *source, uint32_t severity,
	       uint32_t sid)
{
	struct event e = event_new(EVENT_ALERT);
	struct event c = play_connection(p, DIR_INBOUND, guest, source, TCP, 22);
	e.incident = p->incident;
	e.direction = DIR_INBOUND;
	e.u.alert.tuple = c.u.connection.tuple;
	e.u.alert.severity = severity;
	e.u.alert.sid = sid;
	event_say(&e, "a rule");
	play_event(p, &e);
}

void play_limit(struct play *p, const char *guest)
{
	struct event e = event_new(EVENT_LIMIT);
	e.incident = p->incident;
	e.direction = DIR_OUTBOUND;
	text_copy(e.u.limit.guest, EVENT_NAME, guest);
	text_copy(e.u.limit.what, EVENT_NAME, "tcp");
	play_event(p, &e);
}

void play_escape(struct play *p, const char *guest)
{
	struct event e = event_new(EVENT_ESCAPE);
	e.incident = p->incident;
	e.priority = 2;
	text_copy(e.u.escape.guest, EVENT_NAME, guest);
	text_copy(e.u.escape.what, EVENT_NAME, "filter");
	play_event(p, &e);
}

void play_health(struct play *p, const char *role, const char *what)
{
	struct event e = event_new(EVENT_HEALTH);
	e.priority = 1;
	text_copy(e.u.health.role, EVENT_NAME, role);
	text_copy(e.u.health.what, EVENT_NAME, what);
	play_event(p, &e);
}

void play_silence(struct play *p, const char *guest)
{
	struct event e = event_new(EVENT_SILENCE);
	e.priority = 2;
	text_copy(e.u.silence.visit.guest, EVENT_NAME, guest);
	text_copy(e.u.silence.layer, EVENT_NAME, "syslog");
	text_copy(e.u.silence.what, EVENT_NAME, "killed");
	play_event(p, &e);
}
