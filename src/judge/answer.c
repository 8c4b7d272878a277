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

void answer_refused(struct way *w)
{
	const struct layers *l = &w->l;
	if (l->proto == PROTO_TCP) {
		answer_reset(w);
		return;
	}
	if (l->fragment && !l->first_fragment)
		return;
	/* As if the host itself, or the router before it, had said so. */
	const struct conf_network *net = &w->j->conf.network;
	bool v4 = l->ip_ver == 4, udp = l->proto == PROTO_UDP;
	const struct addr *from = udp ? &l->dst : v4 ? &net->gateway : &net->gateway6;
	uint8_t code = v4 ? (udp ? 3 : 13) : (udp ? 4 : 1);
	struct frame *out = slot_back(w);
	if (out != NULL && packet_build_icmp_error(out, w->f, l, from, v4 ? 3 : 1, code) != 0)
		w->ret->n_replies--;
}
