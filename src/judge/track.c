/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP's state, as far as containment needs it: is the conversation answered, is it over, and does a
 * SYN begin another one? Sequence numbers are looked at where a lie would pay: a blind stranger must
 * not make his half-open flow established (those are never evicted), and a guest must not get a
 * second connection out of the addresses and ports of the first.
 */
#include "judge/judge_priv.h"

static bool plain_syn(const struct layers *l)
{
	return l->proto == PROTO_TCP && (l->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
}

bool track_restarts(const struct way *w, const struct flow *f, unsigned side)
{
	if (!plain_syn(&w->l) || f->class == FLOW_REFUSED)
		return false;
	if (side == 0 && w->l.seq == f->isn[0])
		return false; /* sent again */
	/* From outside only over what is closed or unanswered: anybody may fake a SYN, and the guest
	 * will tell the real peer. A guest's is a new attempt, whatever there was before. */
	return is_guest(w) || f->class == FLOW_CLOSING || f->class == FLOW_HALF_OPEN;
}

static enum reason track_tcp(const struct way *w, struct flow *f, unsigned side)
{
	const struct layers *l = &w->l;
	uint8_t flags = l->tcp_flags;
	if (f->pkts[0] + f->pkts[1] == 0)
		f->isn[0] = l->seq;
	if (side == 1 && (flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK)) {
		f->seen |= FLOW_SEEN_SYN_ACK;
		f->isn[1] = l->seq;
	} else if (side == 0 && (f->seen & FLOW_SEEN_SYN_ACK) == 0 &&
		   (flags & (TCP_SYN | TCP_RST)) == 0 && !weak(w->j, WEAK_TCP_STATE)) {
		return REASON_NO_FLOW; /* data before any answer */
	}
	if (side == 0 && (f->seen & FLOW_SEEN_SYN_ACK) != 0 &&
	    (flags & (TCP_ACK | TCP_SYN | TCP_RST)) == TCP_ACK && l->ack == f->isn[1] + 1)
		f->seen |= FLOW_SEEN_ESTABLISHED;
	if ((flags & TCP_FIN) != 0)
		f->seen |= side == 0 ? FLOW_SEEN_FIN0 : FLOW_SEEN_FIN1;
	if ((flags & TCP_RST) != 0) {
		f->seen |= FLOW_SEEN_RST;
		if (side == 1)
			f->seen |= FLOW_SEEN_RST_BY1;
		else
			f->seen &= (uint8_t)~FLOW_SEEN_RST_BY1;
	} else if ((f->seen & FLOW_SEEN_RST) != 0 &&
		   side == ((f->seen & FLOW_SEEN_RST_BY1) != 0 ? 1u : 0u)) {
		/* Whoever reset it goes on talking: somebody else made that reset up. */
		f->seen &= (uint8_t) ~(FLOW_SEEN_RST | FLOW_SEEN_RST_BY1);
	}
	f->tcp_flags[side] |= flags;
	return REASON_NONE;
}

enum reason track_frame(struct way *w, struct flow *f, unsigned side)
{
	if (w->l.proto == PROTO_TCP && !(w->l.fragment && !w->l.first_fragment)) {
		enum reason r = track_tcp(w, f, side);
		if (r != REASON_NONE)
			return r;
	}
	if (side == 1)
		f->seen |= FLOW_SEEN_REPLY;
	return REASON_NONE;
}

enum flow_class track_class(const struct flow *f)
{
	if (f->key[0].proto == PROTO_TCP) {
		if ((f->seen & FLOW_SEEN_RST) != 0 ||
		    (f->seen & (FLOW_SEEN_FIN0 | FLOW_SEEN_FIN1)) ==
			    (FLOW_SEEN_FIN0 | FLOW_SEEN_FIN1))
			return (f->seen & FLOW_SEEN_ESTABLISHED) == 0 && !f->bounded
				       ? FLOW_HALF_OPEN
				       : FLOW_CLOSING;
		if ((f->seen & FLOW_SEEN_ESTABLISHED) != 0)
			return FLOW_TCP;
		return f->bounded ? FLOW_UNANSWERED : FLOW_HALF_OPEN;
	}
	if (!f->bounded)
		return (f->seen & FLOW_SEEN_REPLY) != 0 ? FLOW_LOOSE : FLOW_HALF_OPEN;
	return f->key[0].proto == PROTO_UDP ? FLOW_UDP : FLOW_ICMP;
}
