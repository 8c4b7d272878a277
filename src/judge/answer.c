/* SPDX-License-Identifier: BSD-2-Clause */
/* What the wall says itself: at most JUDGE_REPLIES small frames per frame, bounded per port. */
#include "judge/judge_priv.h"

#define ANSWER_PRICE_NS (NS_PER_SEC / 100)

struct frame *answer_slot(struct way *w, uint16_t port)
{
	struct judge_result *r = w->ret;
	if (r->n_replies == JUDGE_REPLIES)
		return NULL;
	struct frame *out = &w->j->replies[r->n_replies];
	out->len = 0;
	out->cap = REPLY_BYTES;
	out->vnet = (struct vnet){0};
	out->port = w->f->port;
	out->stamp_ns = w->f->stamp_ns;
	r->replies[r->n_replies] = out;
	r->reply_port[r->n_replies++] = port;
	return out;
}

/* A slot back to the sender, inside the bound of its port. */
static struct frame *slot_back(struct way *w)
{
	if (!policy_rate_take(&w->in->answer_ns, ANSWER_PRICE_NS, NS_PER_SEC, w->now_ns))
		return NULL;
	return answer_slot(w, w->f->port);
}

void answer_reset(struct way *w)
{
	if (w->l.proto != PROTO_TCP || (w->l.tcp_flags & TCP_RST) != 0 || w->l.fragment)
		return;
	struct frame *out = slot_back(w);
	if (out != NULL && packet_build_rst(out, w->f, &w->l) != 0)
		w->ret->n_replies--;
}

static void answer_unreachable(struct way *w)
{
	bool v4 = w->l.ip_ver == 4, udp = w->l.proto == PROTO_UDP;
	if (w->l.icmp_error || (w->l.fragment && !w->l.first_fragment))
		return;
	struct frame *out = slot_back(w);
	uint8_t code = v4 ? (udp ? 3 : 13) : (udp ? 4 : 1);
	if (out != NULL &&
	    packet_build_icmp_error(out, w->f, &w->l, &w->l.dst, v4 ? 3 : 1, code) != 0)
		w->ret->n_replies--;
}

void answer_reject(struct way *w)
{
	if (w->l.proto == PROTO_TCP)
		answer_reset(w);
	else
		answer_unreachable(w);
}

void answer_reset_receiver(struct way *w, const struct layers *l, uint16_t port,
			   const struct mac *dst, const struct mac *src, uint32_t next)
{
	if ((w->l.tcp_flags & TCP_RST) != 0 || w->l.fragment ||
	    !policy_rate_take(&w->in->answer_ns, ANSWER_PRICE_NS, NS_PER_SEC, w->now_ns))
		return;
	/* The answer to what the receiver would have said. */
	struct layers said = *l;
	said.src = l->dst, said.dst = l->src;
	said.sport = l->dport, said.dport = l->sport;
	said.tcp_flags = TCP_ACK;
	said.ack = next;
	struct frame *out = answer_slot(w, port);
	if (out == NULL)
		return;
	if (packet_build_rst(out, w->f, &said) != 0)
		w->ret->n_replies--;
	else
		packet_set_macs(out, dst, src);
}

void answer_time_exceeded(struct way *w)
{
	const struct conf_network *net = &w->j->conf.network;
	bool v4 = w->l.ip_ver == 4;
	if (w->l.icmp_error || (w->l.fragment && !w->l.first_fragment))
		return;
	/* Towards the outside the wall has no address but those it answers for. */
	const struct addr *from = v4 ? &net->gateway : &net->gateway6;
	if (!is_guest(w)) {
		if (!binding_answers_outside(w->j, &w->l.dst))
			return;
		from = &w->l.dst;
	}
	struct frame *out = slot_back(w);
	if (out != NULL && packet_build_icmp_error(out, w->f, &w->l, from, v4 ? 11 : 3, 0) != 0)
		w->ret->n_replies--;
}
