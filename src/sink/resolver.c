/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The name server that guests see: a budget, a log of what is asked, and an answer from the upstream
 * resolver or made up. What is suspected to be a tunnel is not passed on any more.
 */
#include "sink/sink_priv.h"

#include <string.h>

#define BUDGET_TOLD_NS (60 * NS_PER_SEC)
#define TCP_QUERIES 100u
enum { FORMERR = 1, SERVFAIL = 2, NOTIMP = 4, REFUSED = 5 };

static void tell_query(struct sink *s, enum sink_service v, const struct sink_ends *e,
		       const struct dns_query *q, size_t len, const char *answer)
{
	char type[DNS_TYPE];
	const struct telling query = {.what = "query", .bytes = len, .count = 1};
	sink_tell(s, v, e, &query, "%s %.150s: %s", dns_type_text(q->type, type), q->text, answer);
}

static void tell_bad(struct sink *s, enum sink_service v, const struct sink_ends *e,
		     const uint8_t *data, size_t len)
{
	char dump[EVENT_EXCERPT];
	struct telling odd = {.what = "bytes", .bytes = len, .count = 1, .excerpt = dump};
	odd.len = tell_dump(data, len, dump);
	sink_tell(s, v, e, &odd, "%zu bytes that are no DNS question", len);
}

static void tell_suspicion(struct sink *s, enum sink_service v, const struct sink_ends *e,
			   const struct suspicion *p)
{
	const struct telling told = {
		.what = "suspicion", .priority = 2, .bytes = p->bytes, .count = p->distinct};
	sink_tell(
		s, v, e, &told,
		"a tunnel through DNS? %u different names below %.100s, %u bytes long on average, "
		"in at most ten minutes; from now on their answers are made up",
		p->distinct, p->domain, p->length);
}

static void over_budget(struct sink *s, enum sink_service v, const struct sink_ends *e,
			struct guard *g, int64_t now_ns)
{
	g->refused++;
	if (g->budget_told_ns != 0 && now_ns - g->budget_told_ns < BUDGET_TOLD_NS)
		return;
	const struct telling told = {.what = "budget", .priority = 1, .count = g->refused};
	sink_tell(s, v, e, &told,
		  "more than %u DNS queries in a minute (sink.dns.budget): %llu refused",
		  s->conf.dns_budget, (unsigned long long)g->refused);
	g->budget_told_ns = now_ns;
	g->refused = 0;
}

size_t dns_query(struct sink *s, enum sink_service v, const struct sink_ends *e,
		 struct sink_session *t, const uint8_t *data, size_t len, int64_t now_ns,
		 uint8_t *out)
{
	struct dns_query q;
	struct suspicion p;
	char said[128];
	struct writer w = writer_of(said, sizeof(said));
	struct guard *g = &s->guards[sink_guest_of(s, &e->client)];
	int bad = dns_read(data, len, &q);
	bool fine = guard_budget(g, s->conf.dns_budget, now_ns);
	if (!fine)
		over_budget(s, v, e, g, now_ns);
	else if (bad != 0)
		tell_bad(s, v, e, data, len);
	if (bad < 0)
		return 0;
	if (bad != 0 || !fine)
		return dns_empty(&q, fine ? (unsigned)bad : REFUSED, out);
	guard_look(g, s->hash_key, &q, now_ns, &p);
	if (p.fresh)
		tell_suspicion(s, v, e, &p);
	if (s->conf.dns_upstream && !p.suspect && q.class == 1) {
		bool asked = upstream_ask(s, v, e, t, &q, now_ns) == 0;
		tell_query(s, v, e, &q, len, asked ? "asked upstream" : "too many wait");
		return asked ? 0 : dns_empty(&q, SERVFAIL, out);
	}
	size_t n = dns_made(s->conf.seed, &q, out, &w);
	write_str(&w, " (made up)");
	tell_query(s, v, e, &q, len, said);
	return n;
}

/* ---- over TCP: each message behind its length -------------------------------------------------------- */

static void tcp_answer(struct sink_session *t, const uint8_t *data, size_t len)
{
	uint8_t head[2];
	store_be16(head, (uint16_t)len);
	out_bytes(t, head, sizeof(head));
	out_bytes(t, data, len);
}

static void tcp_message(struct sink *s, struct sink_session *t)
{
	struct dns_tcp *d = &t->u.dns;
	uint32_t busy = sink_index(s, t), life = t->life;
	size_t len = load_be16(d->data);
	size_t n = dns_query(s, t->v, &t->ends, t, d->data + 2, len, s->now_ns, s->made);
	d->len = 0;
	d->queries++;
	if (n > 0)
		tcp_answer(t, s->made, n);
	/* One question at a time: the next is read when this one has its answer. */
	for (size_t i = 0; n == 0 && i < PENDING; i++)
		d->waits |= s->pending[i].used && s->pending[i].v == SINK_DNS_TCP &&
			    s->pending[i].session == busy && s->pending[i].life == life;
	if (d->queries >= TCP_QUERIES || (n == 0 && !d->waits))
		t->over = true;
}

size_t dns_tcp_feed(struct sink *s, struct sink_session *t, const uint8_t *data, size_t len)
{
	struct dns_tcp *d = &t->u.dns;
	size_t at = 0;
	while (at < len && !t->over && !d->waits && out_room(t) >= OUT_ROOM) {
		size_t need = d->len < 2 ? 2 : 2u + load_be16(d->data);
		if (need > sizeof(d->data)) {
			tell_bad(s, t->v, &t->ends, d->data, d->len);
			d->queries++;
			t->over = true;
			break;
		}
		size_t n = need - d->len < len - at ? need - d->len : len - at;
		memcpy(d->data + d->len, data + at, n);
		d->len += (uint32_t)n;
		at += n;
		if (d->len >= 2 && d->len == 2u + load_be16(d->data))
			tcp_message(s, t);
	}
	return t->over ? len : at;
}

void dns_tcp_end(struct sink *s, struct sink_session *t)
{
	const struct telling connect = {.what = "connect", .bytes = t->bytes, .count = 1};
	if (t->u.dns.queries == 0)
		sink_tell(s, t->v, &t->ends, &connect, "connected and asked for nothing");
}

/* ---- upstream ------------------------------------------------------------------------------------------ */

#define PATIENCE_NS (4 * NS_PER_SEC)

int upstream_ask(struct sink *s, enum sink_service v, const struct sink_ends *e,
		 const struct sink_session *t, const struct dns_query *q, int64_t now_ns)
{
	uint8_t ask[512];
	struct pending *p = NULL;
	for (size_t i = 0; i < PENDING && p == NULL; i++)
		if (!s->pending[i].used)
			p = &s->pending[i];
	if (p == NULL)
		return SKEP_EFULL;
	*p = (struct pending){.used = true, .v = v, .until_ns = now_ns + PATIENCE_NS, .ends = *e};
	random_fill(&p->id, sizeof(p->id));
	p->q = *q;
	if (t != NULL) {
		p->session = sink_index(s, t);
		p->life = t->life;
	}
	size_t n = dns_ask(q, p->id, ask);
	s->io.ask(s->io.ctx, ask, n);
	return 0;
}

static void give(struct sink *s, struct pending *p, const uint8_t *data, size_t len)
{
	p->used = false;
	if (p->v == SINK_DNS) {
		s->io.reply(s->io.ctx, p->v, &p->ends, data, len);
		return;
	}
	struct sink_session *t = &s->sessions[p->session];
	if (!t->used || t->life != p->life)
		return; /* it did not wait */
	t->u.dns.waits = false;
	tcp_answer(t, data, len);
	s->io.ready(s->io.ctx, t);
}

void sink_answered(struct sink *s, const uint8_t *data, size_t len, int64_t now_ns)
{
	s->now_ns = now_ns;
	if (len > SINK_ANSWER)
		return;
	for (size_t i = 0; i < PENDING; i++) {
		struct pending *p = &s->pending[i];
		if (!p->used || !dns_answers(data, len, &p->q, p->id))
			continue;
		size_t most = p->v == SINK_DNS_TCP   ? SINK_ANSWER
			      : p->q.udp_size == 0   ? 512
			      : p->q.udp_size > 1232 ? 1232 /* no fragments */
						     : p->q.udp_size;
		memcpy(s->made, data, len);
		store_be16(s->made, p->q.id);
		if (len > most) { /* come again by TCP */
			len = dns_empty(&p->q, 0, s->made);
			s->made[2] |= 0x02;
		}
		give(s, p, s->made, len);
		return;
	}
}

void upstream_tick(struct sink *s, int64_t now_ns)
{
	for (size_t i = 0; i < PENDING; i++) {
		struct pending *p = &s->pending[i];
		if (p->used && now_ns >= p->until_ns)
			give(s, p, s->made, dns_empty(&p->q, SERVFAIL, s->made));
	}
}
