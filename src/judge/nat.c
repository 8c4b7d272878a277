/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translation. A flow's two keys hold all there is to know (flow.h): the frame takes on what the
 * other side expects to see. ICMP errors are matched by the packet they quote, and both are edited.
 */
#include "judge/judge_priv.h"

#include <string.h>

static bool is_icmp(uint8_t proto)
{
	return proto == PROTO_ICMP || proto == PROTO_ICMP6;
}

void nat_key(const struct way *w, struct flow_key *ret)
{
	const struct layers *l = &w->l;
	memset(ret, 0, sizeof(*ret));
	ret->src = l->src;
	ret->dst = l->dst;
	ret->port = w->f->port;
	ret->proto = l->proto;
	if (l->proto == PROTO_TCP || l->proto == PROTO_UDP) {
		ret->sport = l->sport;
		ret->dport = l->dport;
	} else if (is_icmp(l->proto)) {
		ret->sport = l->sport; /* echo: the id */
	}
}

void nat_apply(struct way *w, const struct flow *f, unsigned side)
{
	const struct flow_key *from = &f->key[side], *to = &f->key[!side];
	if (!addr_eq(&from->src, &to->dst))
		packet_set_addr(w->f, &w->l, true, &to->dst);
	if (!addr_eq(&from->dst, &to->src))
		packet_set_addr(w->f, &w->l, false, &to->src);
	if (w->l.fragment && !w->l.first_fragment)
		return;
	if (is_icmp(from->proto)) {
		if (from->sport != to->sport)
			packet_set_port(w->f, &w->l, true, to->sport);
		return;
	}
	if (from->sport != to->dport)
		packet_set_port(w->f, &w->l, true, to->dport);
	if (from->dport != to->sport)
		packet_set_port(w->f, &w->l, false, to->sport);
}

struct flow *nat_quoted_flow(const struct way *w, struct layers *ret_quoted, unsigned *ret_side)
{
	struct flow_key key;
	if (packet_decode_quoted(w->f, &w->l, ret_quoted) != 0)
		return NULL;
	/* What is quoted left by the port at which the error arrived: an answer to it would bear
	 * the reverse. */
	const struct layers *q = ret_quoted;
	memset(&key, 0, sizeof(key));
	key.src = q->dst;
	key.dst = q->src;
	key.port = w->f->port;
	key.proto = q->proto;
	if (q->proto == PROTO_TCP || q->proto == PROTO_UDP) {
		key.sport = q->dport;
		key.dport = q->sport;
	} else if (is_icmp(q->proto)) {
		if (!q->icmp_echo_request && !q->icmp_echo_reply)
			return NULL;
		key.sport = q->sport;
	}
	struct flow *f = flow_find(w->j->table, &key, ret_side);
	return f != NULL && f->class != FLOW_REFUSED ? f : NULL;
}

void nat_apply_error(struct way *w, struct layers *quoted, const struct flow *f, unsigned side)
{
	const struct flow_key *from = &f->key[side], *to = &f->key[!side];
	bool echo = is_icmp(from->proto);
	packet_set_quoted(w->f, &w->l, quoted, true, &to->src, to->sport);
	packet_set_quoted(w->f, &w->l, quoted, false, &to->dst, echo ? 0 : to->dport);
	/* A router on the way speaks for itself; the peer wears its translated address. */
	if (addr_eq(&w->l.src, &from->src) && !addr_eq(&from->src, &to->dst))
		packet_set_addr(w->f, &w->l, true, &to->dst);
	if (!addr_eq(&w->l.dst, &to->src))
		packet_set_addr(w->f, &w->l, false, &to->src);
}
