/* SPDX-License-Identifier: BSD-2-Clause */
/* Wire against monitor, and logins against their lines in syslog. */
#include "crosscheck/crosscheck_priv.h"

#define WAIT_NS (5 * NS_PER_SEC)
#define ENOUGH 4096u /* bytes to the guest that an agreement on keys and a few guesses don't need */
#define UNKNOWN 16384u /* ... and that not even a patient guesser sends who was not let in */
#define FORGET_NS (120 * NS_PER_SEC)

static struct wire *wire_get(struct guest *g, const struct crosscheck_wire *w)
{
	struct wire *oldest = &g->wires[0];

	for (unsigned i = 0; i < WIRES; i++) {
		struct wire *e = &g->wires[i];

		if (e->flow_id == w->flow_id)
			return e;
		if (!e->flow_id || (oldest->flow_id && e->last_ns < oldest->last_ns))
			oldest = e;
	}
	*oldest = (struct wire){
		.flow_id = w->flow_id, .peer = w->peer, .peer_port = w->peer_port, .port = w->port};
	return oldest;
}

void wire_tally(struct guest *g, const struct crosscheck_wire *w, int64_t now_ns)
{
	struct wire *e;

	if (!w->flow_id || w->bytes_in <= ENOUGH) /* guesses and scans take no room */
		return;
	e = wire_get(g, w);
	e->last_ns = now_ns;
	e->bytes_in = w->bytes_in;
	e->ends = w->ends;
	if (!e->due_ns && !e->judged)
		e->due_ns = now_ns + WAIT_NS;
}

static void judge_wire(struct crosscheck *c, struct guest *g, struct wire *e, int64_t now_ns)
{
	struct finding f = finding_of(RULE_WIRE_ONLY, "monitor", "missing");
	struct visit *v = visit_by_peer(g, &e->peer, e->peer_port);
	const struct life *l = &g->life;
	char peer[ADDR_TEXT];

	if (v && (v->acts || v->told_wire)) {
		e->judged = true;
		return;
	}
	if (v && !v->login && e->bytes_in < UNKNOWN) {
		e->due_ns = e->ends ? 0 : now_ns + WAIT_NS; /* not let in yet */
		return;
	}
	e->judged = true;
	/* Not there yet when it came, or told to be blind: its silence is told as such. */
	if (!l->began || l->missing || now_ns < l->blind_until_ns ||
	    e->due_ns - 2 * WAIT_NS < l->listen_ns)
		return;
	if (v)
		v->told_wire = true;
	f.kind = EVENT_MISMATCH;
	f.priority = 2;
	f.other = "wire";
	f.flow_id = e->flow_id;
	if (v)
		finding_visit(g, &f, v->visit, v->session);
	f.peer = e->peer;
	f.peer_port = e->peer_port;
	f.server_port = e->port;
	finding_say(&f,
		    v ? "the monitor saw nothing of what %s port %u does in the guest"
		      : "the monitor knows nothing of a visitor, %s port %u",
		    addr_text(&e->peer, peer), e->peer_port);
	tell_finding(c, g, &f, now_ns);
}

static void judge_login(struct crosscheck *c, struct guest *g, int64_t now_ns)
{
	struct finding f = finding_of(RULE_NO_LINE, "syslog", "missing");

	g->login_due_ns = 0;
	if (!g->login_lines || g->syslog_stopped)
		return;
	f.kind = EVENT_MISMATCH;
	f.priority = 1;
	f.other = "monitor";
	finding_visit(g, &f, g->login_visit, 0);
	finding_say(&f, "somebody was let in and syslog has no line of it");
	tell_finding(c, g, &f, now_ns);
}

void wire_tick(struct crosscheck *c, struct guest *g, int64_t now_ns)
{
	if (g->login_due_ns && now_ns >= g->login_due_ns)
		judge_login(c, g, now_ns);
	for (unsigned i = 0; i < WIRES; i++) {
		struct wire *e = &g->wires[i];

		if (!e->flow_id)
			continue;
		if (e->due_ns && !e->judged && now_ns >= e->due_ns)
			judge_wire(c, g, e, now_ns);
		if (now_ns - e->last_ns > FORGET_NS && e->ends)
			*e = (struct wire){0};
	}
}
