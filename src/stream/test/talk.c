/* SPDX-License-Identifier: BSD-2-Clause */
#include "stream/test/talk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MUST(x)                  \
	do {                     \
		if (!(x))        \
			abort(); \
	} while (0)

static void take(struct talk *t, struct stream_flow *f, unsigned dir)
{
	struct stream_side *side = &f->side[dir];
	uint64_t end = side->base + side->len, from = side->app_done;

	MUST(end >= from);
	if (from < side->base) {
		t->lost[dir] += (uint32_t)(side->base - from);
		from = side->base;
	}
	for (; from < end && t->len[dir] < TALK_MOST; from++)
		t->out[dir][t->len[dir]++] = side->data[from - side->base];
	side->app_done = side->raw_done = end;
}

void talk_consume(struct talk *t, struct stream_flow *f)
{
	struct stream_result more;

	if (!f->tcp || t->lazy)
		return;
	memset(&more, 0, sizeof(more));
	do {
		take(t, f, 0);
		take(t, f, 1);
	} while (stream_more(t->s, f, &more));
	for (unsigned i = 0; i < STREAM_EVENT_WORDS; i++)
		t->events[i] |= more.events[i];
}

static void on_end(void *ctx, struct stream_flow *f, const char *reason)
{
	struct talk *t = ctx;

	talk_consume(t, f);
	t->ended++;
	text_copy(t->reason, sizeof(t->reason), reason);
}

void talk_begin(struct talk *t, const struct stream_conf *conf, size_t slab_bytes)
{
	memset(t, 0, sizeof(*t));
	t->conf = *conf;
	t->conf.ended = on_end;
	t->conf.ctx = t;
	MUST(!slab_create(slab_bytes, &t->slab));
	MUST(!stream_create(&t->conf, t->slab, &t->s));
	t->client_port = 40000;
	t->isn[0] = UINT32_MAX - 20; /* so that numbers wrap in every test */
	t->isn[1] = 5000;
	t->now_ns = 1000 * NS_PER_SEC;
	t->p.tcp.win = 60000;
}

void talk_end(struct talk *t)
{
	struct slab_stats st;

	stream_free(&t->s);
	slab_read_stats(t->slab, &st);
	MUST(st.used == 0);
	slab_free_all(&t->slab);
}

void talk_tcp(struct talk *t, unsigned dir, uint32_t seq, uint32_t ack, uint8_t flags,
	      const char *data, uint32_t len)
{
	static const uint8_t client[4] = {10, 0, 0, 1}, server[4] = {10, 0, 0, 2};
	struct pkt *p = &t->p;

	p->stamp_ns = t->now_ns;
	p->ip_ver = 4;
	p->src = addr_from_v4(dir ? server : client);
	p->dst = addr_from_v4(dir ? client : server);
	p->proto = 6;
	p->sport = dir ? 80 : t->client_port;
	p->dport = dir ? t->client_port : 80;
	p->l4 = t->header;
	p->l4_hlen = 20;
	p->l4_len = 20 + len;
	p->payload = (const uint8_t *)data;
	p->payload_len = len;
	p->frame_wire = 54 + len;
	p->tcp.seq = t->isn[dir] + seq;
	p->tcp.ack = flags & ACK ? t->isn[!dir] + ack : 0;
	p->tcp.flags = flags;
	stream_packet(t->s, p, &t->r);
	for (unsigned i = 0; i < STREAM_EVENT_WORDS; i++)
		t->events[i] |= t->r.events[i];
	if (!t->r.flow)
		return;
	talk_consume(t, t->r.flow);
	stream_settle(t->s, t->r.flow);
}

void talk_text(struct talk *t, unsigned dir, uint32_t seq, uint32_t ack, const char *text)
{
	talk_tcp(t, dir, seq, ack, PSH | ACK, text, (uint32_t)strlen(text));
}

void talk_handshake(struct talk *t)
{
	talk_tcp(t, TO_SERVER, 0, 0, SYN, NULL, 0);
	talk_tcp(t, TO_CLIENT, 0, 1, SYN | ACK, NULL, 0);
	talk_tcp(t, TO_SERVER, 1, 1, ACK, NULL, 0);
}

bool talk_event(struct talk *t, const char *name)
{
	int e = stream_event_by_name(name);
	bool yes;

	MUST(e >= 0);
	yes = t->events[e / 64] >> (e % 64) & 1;
	memset(t->events, 0, sizeof(t->events));
	return yes;
}

bool talk_any_event(struct talk *t)
{
	bool yes = false;

	for (unsigned i = 0; i < STREAM_EVENT_WORDS; i++)
		yes |= t->events[i] != 0;
	memset(t->events, 0, sizeof(t->events));
	return yes;
}
