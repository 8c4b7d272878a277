/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A rule hit at the wall -> the session that it is of: by the conversation that a visitor came in by; by one that a
 * process of his began; else, if he is the only one there, by that.
 */
#include "session/session_priv.h"

#include <string.h>

#define CONNECT_NS (300 * NS_PER_SEC)

void alert_connected(struct session_book *b, const struct session *s, const struct addr *to,
		     uint16_t port, int64_t ns)
{
	struct guest_book *g = &b->guests[s->guest];
	struct connected *c = &g->connected[g->n_connected++ % CONNECTED];
	*c = (struct connected){.to = *to, .port = port, .session = s->id, .ns = ns};
}

static struct session *by_connection(struct session_book *b, uint32_t guest, const struct addr *to,
				     uint16_t port, int64_t ns)
{
	struct guest_book *g = &b->guests[guest];
	struct connected *last = NULL;
	for (uint32_t i = 0; i < CONNECTED; i++) {
		struct connected *c = &g->connected[i];
		if (c->session != 0 && c->port == port && addr_eq(&c->to, to) &&
		    ns - c->ns < CONNECT_NS && (last == NULL || c->ns > last->ns))
			last = c;
	}
	return last != NULL ? book_find(b, last->session) : NULL;
}

/* Of several nobody knows which. */
static struct session *only_one(struct session_book *b, uint32_t guest)
{
	struct session *found = NULL;
	for (uint32_t at = b->guests[guest].newest; at != 0; at = b->slots[at - 1].older) {
		struct session *s = &b->slots[at - 1];
		if (!s->kept)
			continue;
		if (found != NULL)
			return NULL;
		found = s;
	}
	return found;
}

static struct session *of_alert(struct session_book *b, uint32_t guest, const struct event *e)
{
	const struct event_tuple *t = &e->u.alert.tuple;
	struct session *s = book_tuple(b, guest, &t->in_src, t->in_sport, t->in_dport);
	if (s == NULL)
		s = book_tuple(b, guest, &t->in_dst, t->in_dport, t->in_sport);
	if (s != NULL && s->flow_id == 0)
		s->flow_id = e->flow_id;
	if (s == NULL)
		s = by_connection(b, guest, &t->in_dst, t->in_dport, e->time_ns);
	if (s == NULL)
		s = by_connection(b, guest, &t->in_src, t->in_sport, e->time_ns);
	return s != NULL ? s : only_one(b, guest);
}

uint64_t session_alert(struct session_book *b, uint32_t guest, const struct event *e)
{
	char text[EVENT_TEXT + 48];
	struct writer w = writer_of(text, sizeof(text));
	if (guest >= b->conf.n_guests || e->kind != EVENT_ALERT)
		return 0;
	const struct event_alert *a = &e->u.alert;
	struct session *s = of_alert(b, guest, e);
	if (s == NULL)
		return 0;
	write_fmt(&w, "alert: %s [%u:%u:%u]", e->text, a->gid, a->sid, a->rev);
	struct entry head = {.kind = ENTRY_ACTIVITY,
			     .layer = LAYER_WIRE,
			     .time_ns = e->time_ns,
			     .tty = -1,
			     .ok = -1,
			     .flags = a->tuple.proto,
			     .addr = a->tuple.in_dst,
			     .port = a->tuple.in_dport};
	struct bytes texts[3] = {bytes_of("alert"), {text + 7, w.len - 7}, bytes_of("")};
	entry_add(b, s, &head, texts, 3, NULL);
	session_mark(b, s->id, text, e->time_ns);
	return s->id;
}
