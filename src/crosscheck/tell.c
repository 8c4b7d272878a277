/* SPDX-License-Identifier: BSD-2-Clause */
/* Findings become events. Each rule has a budget per guest; what is beyond it is told as a count. */
#include "crosscheck/crosscheck_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BURST 6u                             /* told one by one */
#define PERIOD_NS (INT64_C(30) * NS_PER_SEC) /* ... in that time; then together */

uint64_t count_add(uint64_t a, uint64_t b)
{
	a = a < COUNT_MAX ? a : COUNT_MAX;
	return b < COUNT_MAX - a ? a + b : COUNT_MAX;
}

struct finding finding_of(enum rule rule, const char *layer, const char *what)
{
	struct finding f;

	memset(&f, 0, sizeof(f));
	f.rule = (uint8_t)rule;
	f.kind = EVENT_SILENCE;
	f.priority = 2;
	f.count = 1;
	f.layer = layer;
	f.what = what;
	f.other = "";
	return f;
}

void finding_say(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

void finding_detail(struct finding *f, const void *data, size_t len)
{
	struct writer w = writer_of(f->detail, sizeof(f->detail));

	write_escaped(&w, data, len);
}

static struct addr addr_of(uint8_t ver, const uint8_t b[16])
{
	return ver == 6 ? addr_from_v6(b) : ver == 4 ? addr_from_v4(b) : (struct addr){0};
}

/* A visit within a visit (somebody came in, and connected to the guest from within) is told as what it is: the
 * number of its session, if nobody gave one that of the visit it belongs to. */
void finding_visit(struct guest *g, struct finding *f, uint64_t visit, uint64_t session)
{
	const struct visit *v = visit_known(g, visit);

	f->session = session;
	if (!v)
		return;
	if (!f->session)
		f->session = v->session;
	f->peer = addr_of(v->ver, v->peer);
	f->server = addr_of(v->ver, v->local);
	f->peer_port = v->peer_port;
	f->server_port = v->local_port;
}

static void emit(struct crosscheck *c, const struct guest *g, const struct finding *f,
		 uint64_t count, int64_t now_ns)
{
	struct event e = event_new((enum event_kind)f->kind);
	struct event_silence *s = &e.u.silence;

	e.time_ns = now_ns;
	e.flow_id = f->flow_id;
	e.priority = f->priority;
	text_copy(s->visit.guest, sizeof(s->visit.guest), g->name);
	s->visit.session = f->session;
	s->visit.peer = f->peer;
	s->visit.server = f->server;
	s->visit.peer_port = f->peer_port;
	s->visit.server_port = f->server_port;
	s->visit.proto = f->peer.ver ? 6 : 0;
	text_copy(s->layer, sizeof(s->layer), f->layer);
	text_copy(s->what, sizeof(s->what), f->what);
	text_copy(s->other, sizeof(s->other), f->other);
	text_copy(s->detail, sizeof(s->detail), f->detail);
	s->count = count;
	if (count > f->count)
		event_say(&e, "%s: %s (%llu times)", g->name, f->text, (unsigned long long)count);
	else
		event_say(&e, "%s: %s", g->name, f->text);
	c->emit(c->ctx, &e);
}

void tell_finding(struct crosscheck *c, struct guest *g, const struct finding *f, int64_t now_ns)
{
	struct allowance *a = &g->allowances[f->rule];

	if (now_ns - a->since_ns >= PERIOD_NS || now_ns < a->since_ns) {
		a->since_ns = now_ns;
		a->spent = 0;
	}
	if (a->spent < BURST && !a->held) {
		a->spent++;
		emit(c, g, f, f->count, now_ns);
		return;
	}
	a->held = count_add(a->held, f->count);
	a->last = *f;
}

static void tell_held(struct crosscheck *c, struct guest *g, struct allowance *a, int64_t now_ns)
{
	uint64_t count = a->held;

	a->held = 0;
	a->since_ns = now_ns;
	a->spent =
		BURST; /* a flood goes on as one event each time, until it has been over for one */
	a->last.count = 1;
	emit(c, g, &a->last, count, now_ns);
}

void tell_later(struct crosscheck *c, struct guest *g, const struct finding *f, int64_t wait_ns,
		int64_t now_ns)
{
	int64_t due = now_ns + wait_ns;

	if (due < g->shutdown_until_ns)
		due = g->shutdown_until_ns;
	for (unsigned i = 0; i < HELD; i++) {
		if (!g->held[i].used) {
			g->held[i] = (struct held){true, due, *f};
			return;
		}
	}
	tell_finding(c, g, f, now_ns);
}

bool tell_cancel(struct guest *g, enum rule rule)
{
	bool was = false;

	for (unsigned i = 0; i < HELD; i++) {
		if (g->held[i].used && g->held[i].f.rule == rule) {
			g->held[i].used = false;
			was = true;
		}
	}
	return was;
}

void tell_tick(struct crosscheck *c, struct guest *g, int64_t now_ns)
{
	for (unsigned i = 0; i < HELD; i++) {
		if (g->held[i].used && now_ns >= g->held[i].due_ns) {
			g->held[i].used = false;
			tell_finding(c, g, &g->held[i].f, now_ns);
		}
	}
	for (unsigned i = 0; i < RULES; i++) {
		struct allowance *a = &g->allowances[i];

		if (a->held && now_ns - a->since_ns >= PERIOD_NS)
			tell_held(c, g, a, now_ns);
	}
}
