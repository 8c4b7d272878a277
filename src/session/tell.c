/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events about sessions. Each guest has a budget for each kind of them, so that a flood in one costs nobody
 * else's; what is over it is counted, and the count is an event.
 */
#include "session/session_priv.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *what;
	double burst, per_second;
} budgets[BUDGETS] = {
	[BUDGET_SESSION] = {"sessions", 400, 50},
	[BUDGET_COMMAND] = {"commands", 2000, 200},
	[BUDGET_LOGIN] = {"logins", 400, 50},
	[BUDGET_FILE] = {"files", 400, 20},
	[BUDGET_ACTIVITY] = {"activities", 400, 20},
	[BUDGET_LIST] = {"ended visits", 20000, 200},
	[BUDGET_CONTENT] = {"kept files", 2000, 20},
	[BUDGET_COWRIE] = {"lines of cowrie.json", 50000, 500},
	[BUDGET_KEEP] = {"recorded visits", 2000, 20},
};

bool book_may(struct session_book *b, uint32_t guest, enum budget_kind what, int64_t ns)
{
	struct budget *g = &b->guests[guest].budgets[what];
	if (g->last_ns == 0) {
		g->left = budgets[what].burst;
	} else if (ns > g->last_ns) {
		g->left +=
			(double)(ns - g->last_ns) / (double)NS_PER_SEC * budgets[what].per_second;
		if (g->left > budgets[what].burst)
			g->left = budgets[what].burst;
	}
	if (g->last_ns == 0 || ns > g->last_ns)
		g->last_ns = ns;
	if (g->left < 1) {
		b->guests[guest].suppressed[what]++;
		return false;
	}
	g->left -= 1;
	return true;
}

struct bytes bytes_of(const char *s)
{
	return (struct bytes){s, s != NULL ? strlen(s) : 0};
}

/* Cut, terminated; a zero byte inside would hide the rest. */
void text_of(char *dst, size_t size, struct bytes t)
{
	size_t n = t.len < size - 1 ? t.len : size - 1;
	memset(dst, 0, size);
	for (size_t i = 0; i < n; i++)
		dst[i] = t.data[i] != '\0' ? t.data[i] : '?';
}

const char *heard_text(uint8_t heard, char buf[48])
{
	static const char *const names[LAYERS] = {"monitor", "shell", "wire", "syslog"};
	struct writer w = writer_of(buf, 48);
	for (unsigned i = 0; i < LAYERS; i++)
		if ((heard >> i & 1) != 0)
			write_fmt(&w, "%s%s", w.len > 0 ? " " : "", names[i]);
	return buf;
}

void tell_visit(const struct session_book *b, const struct session *s, uint32_t guest,
		struct event_visit *ret)
{
	text_copy(ret->guest, sizeof(ret->guest), b->conf.guests[guest].name);
	if (s == NULL)
		return;
	ret->session = s->id;
	ret->peer = s->peer;
	ret->server = s->server;
	ret->peer_port = s->peer_port;
	ret->server_port = s->server_port;
	ret->proto = s->proto;
}

void tell(struct session_book *b, uint32_t guest, enum budget_kind kind, struct event *e)
{
	if (b->conf.emit != NULL && book_may(b, guest, kind, b->now_ns))
		b->conf.emit(b->conf.ctx, e);
}

static void say_session(struct event *e, const struct session *s, const char *guest, int64_t ns)
{
	const struct event_session *v = &e->u.session;
	char peer[ADDR_TEXT] = "somewhere", took[64];
	struct writer t = writer_of(took, sizeof(took));
	if (s->peer.ver != 0)
		addr_text(&s->peer, peer);
	text_duration(&t, ns - s->start_ns);
	if (strcmp(v->state, "end") != 0)
		event_say(e, "visit of %s by %s from %s%s%s", guest, s->service, peer,
			  v->user[0] != '\0' ? " as " : "", v->user);
	else
		event_say(e,
			  "visit of %s by %s from %s ended after %s: %u commands, %u files, "
			  "%u logins refused",
			  guest, s->service, peer, took, v->commands, v->files, v->logins_failed);
}

void tell_session(struct session_book *b, struct session *s, const char *state, const char *why,
		  int64_t ns)
{
	struct event e = event_new(EVENT_SESSION);
	struct event_session *v = &e.u.session;
	e.time_ns = ns;
	e.flow_id = s->flow_id;
	e.direction = s->direction;
	e.priority = s->logins_ok > 0 || s->lines + s->runs > 0 ? 1 : 0;
	tell_visit(b, s, s->guest, &v->visit);
	text_copy(v->state, sizeof(v->state), state);
	text_copy(v->service, sizeof(v->service), s->service);
	heard_text(s->heard, v->heard);
	text_copy(v->user, sizeof(v->user), s->user);
	v->start_ns = s->start_ns;
	v->input = s->input;
	v->output = s->output;
	v->commands = s->lines > 0 ? s->lines : s->runs;
	v->files = s->files;
	v->logins_ok = s->logins_ok;
	v->logins_failed = s->logins_failed;
	text_copy(v->why, sizeof(v->why), why);
	say_session(&e, s, b->conf.guests[s->guest].name, ns);
	s->told_ns = ns;
	tell(b, s->guest, BUDGET_SESSION, &e);
}

void tell_suppressed(struct session_book *b, uint32_t guest, int64_t ns)
{
	struct guest_book *g = &b->guests[guest];
	if (ns - g->told_ns < 10 * NS_PER_SEC || b->conf.emit == NULL)
		return;
	for (unsigned i = 0; i < BUDGETS; i++) {
		if (g->suppressed[i] == 0)
			continue;
		struct event e = event_new(EVENT_HEALTH);
		e.time_ns = ns;
		e.priority = 1;
		text_copy(e.u.health.role, sizeof(e.u.health.role), "collector");
		text_copy(e.u.health.what, sizeof(e.u.health.what), "suppressed");
		e.u.health.count = g->suppressed[i];
		e.u.health.exit_code = e.u.health.signal = -1;
		event_say(&e, "too many %s of %s: %u were not told", budgets[i].what,
			  b->conf.guests[guest].name, g->suppressed[i]);
		g->suppressed[i] = 0;
		g->told_ns = ns;
		b->conf.emit(b->conf.ctx, &e);
	}
}
