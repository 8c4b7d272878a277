/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TCP conversation of which the proof plays both ends: no server is needed, and the guard keeps the lab's own
 * stack out of it.
 */
#include "prove/prove_priv.h"

#include <string.h>

#define TRIES 50
#define TRY_MS 20

void talk_say(struct prove *p, struct talk *k, uint8_t flags, const void *data, uint32_t len)
{
	k->t.flags = flags;
	frame_tcp(&p->pkt, &k->h, &k->t, data, len);
	wire_send_quietly(p);
}

void talk_hear(struct prove *p, struct talk *k, uint8_t flags, const void *data, uint32_t len)
{
	k->far_t.flags = flags;
	frame_tcp(&p->pkt, &k->far_h, &k->far_t, data, len);
	wire_send_outside(p);
}

static void begin(struct prove *p, struct talk *k, const struct addr *far, uint16_t far_port)
{
	const struct prove_port *own = p->own;
	*k = (struct talk){.h = case_head(p, far)};
	k->far_h = (struct head){
		.to_mac = case_inward(p, far->ver == 6 ? &own->public6 : &own->public),
		.from_mac = p->peer,
		.from = *far,
		.to = far->ver == 6 ? own->public6 : own->public,
		.ttl = 60};
	k->t = (struct tcp_head){.sport = p->next_port++, .dport = far_port, .seq = TALK_FIRST - 1};
	k->far_t = (struct tcp_head){
		.sport = far_port, .dport = k->t.sport, .seq = TALK_BACK - 1, .ack = TALK_FIRST};
	memset(&p->stream, 0, sizeof(p->stream));
	memset(&p->back, 0, sizeof(p->back));
	p->talk_port = k->t.sport;
	p->stream.first = TALK_FIRST;
	p->back.first = TALK_BACK;
}

static bool came(struct prove *p, const struct heard_stream *s, uint32_t frames)
{
	for (int i = 0; i < TRIES && s->frames < frames; i++)
		wire_hear(p, TRY_MS);
	return s->frames >= frames;
}

static void agreed(struct talk *k)
{
	k->t.seq = TALK_FIRST;
	k->t.ack = TALK_BACK;
	k->far_t.seq = TALK_BACK;
	k->far_t.ack = TALK_FIRST;
}

/* SYN, the answer from outside, ACK. The guest's own numbers are seen outside: nothing is translated yet. */
bool talk_open(struct prove *p, struct talk *k)
{
	begin(p, k, &p->target, 80);
	if (k->h.from.ver == 0)
		return false;
	talk_say(p, k, TCP_SYN, NULL, 0);
	if (!came(p, &p->stream, 1))
		return false;
	talk_hear(p, k, TCP_SYN | TCP_ACK, NULL, 0);
	bool answered = came(p, &p->back, 1);
	agreed(k);
	talk_say(p, k, TCP_ACK, NULL, 0);
	return answered && came(p, &p->stream, 2);
}

bool talk_be_called(struct prove *p, bool v6, struct talk *k)
{
	begin(p, k, v6 ? &p->caller6 : &p->caller, p->next_port++);
	if (k->h.from.ver == 0 || k->far_h.to.ver == 0)
		return false;
	talk_hear(p, k, TCP_SYN, NULL, 0);
	if (!came(p, &p->back, 1))
		return false;
	k->t.ack = TALK_BACK;
	talk_say(p, k, TCP_SYN | TCP_ACK, NULL, 0);
	bool answered = came(p, &p->stream, 1);
	agreed(k);
	talk_hear(p, k, TCP_ACK, NULL, 0);
	return answered && came(p, &p->back, 2);
}
