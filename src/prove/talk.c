/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TCP conversation of which the proof plays both ends: no server is needed, and the guard keeps the lab's own
 * stack out of it.
 */
#include "prove/prove_priv.h"

void talk_say(struct prove *p, struct talk *k, uint8_t flags, const void *data, uint32_t len)
{
	k->t.flags = flags;
	frame_tcp(&p->pkt, &k->h, &k->t, data, len);
	wire_send_quietly(p);
}

/* SYN, the answer from outside, ACK. The guest's own numbers are seen outside: nothing is translated yet. */
bool talk_open(struct prove *p, struct talk *k)
{
	*k = (struct talk){.h = case_head(p, &p->target)};
	k->t = (struct tcp_head){.sport = p->next_port++, .dport = 80, .seq = TALK_FIRST - 1};
	p->stream.sport = k->t.sport;
	p->stream.first = TALK_FIRST;
	p->n_answers = 0;
	talk_say(p, k, TCP_SYN, NULL, 0);
	for (int i = 0; i < 50 && !p->stream.open; i++)
		wire_hear(p, 20);
	if (!p->stream.open)
		return false;
	struct head h = {.to_mac = p->conf->ports[0].mac,
			 .from_mac = p->conf->uplink_mac,
			 .from = p->target,
			 .to = p->own->public,
			 .ttl = 60};
	struct tcp_head t = {.sport = 80,
			     .dport = k->t.sport,
			     .seq = 9000,
			     .ack = TALK_FIRST,
			     .flags = TCP_SYN | TCP_ACK};
	frame_tcp(&p->pkt, &h, &t, NULL, 0);
	wire_send_outside(p);
	for (int i = 0; i < 50 && p->n_answers == 0; i++)
		wire_hear(p, 20);
	k->t.seq = TALK_FIRST;
	k->t.ack = 9001;
	talk_say(p, k, TCP_ACK, NULL, 0);
	return p->n_answers > 0;
}
