/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP once a FIN was seen. The states' names are the first closer's if that is the server (FIN_WAIT1,
 * FIN_WAIT2, CLOSING, TIME_WAIT), the other's if it is the client (CLOSE_WAIT, LAST_ACK). */
#include "stream/stream_priv.h"

struct state_events {
	uint8_t ack_seq, fin_seq, ack;
};

static const struct state_events state_events[STREAM_CLOSED + 1] = {
	[STREAM_FIN_WAIT1] = {EV_FIN1_ACK_WRONG_SEQ, EV_FIN1_FIN_WRONG_SEQ, EV_FIN1_INVALID_ACK},
	[STREAM_FIN_WAIT2] = {EV_FIN2_ACK_WRONG_SEQ, EV_FIN2_FIN_WRONG_SEQ, EV_FIN2_INVALID_ACK},
	[STREAM_CLOSING] = {EV_CLOSING_ACK_WRONG_SEQ, EV_CLOSING_ACK_WRONG_SEQ,
			    EV_CLOSING_INVALID_ACK},
	[STREAM_CLOSE_WAIT] = {EV_CLOSEWAIT_ACK_OUT_OF_WINDOW, EV_CLOSEWAIT_FIN_OUT_OF_WINDOW,
			       EV_CLOSEWAIT_INVALID_ACK},
	[STREAM_LAST_ACK] = {EV_LASTACK_ACK_WRONG_SEQ, EV_LASTACK_ACK_WRONG_SEQ,
			     EV_LASTACK_INVALID_ACK},
	[STREAM_TIME_WAIT] = {EV_TIMEWAIT_ACK_WRONG_SEQ, EV_TIMEWAIT_ACK_WRONG_SEQ,
			      EV_TIMEWAIT_INVALID_ACK},
};

static bool fin_acked(const struct slot *sl, unsigned dir)
{
	return tcb_of(sl)->half[dir].fin_sent &&
	       seq_leq(tcb_of(sl)->half[dir].fin_end, sl->f.side[dir].last_ack);
}

static void next_state(struct step *st)
{
	struct slot *sl = st->slot;
	bool server_first = sl->f.state == STREAM_FIN_WAIT1 || sl->f.state == STREAM_FIN_WAIT2 ||
			    sl->f.state == STREAM_CLOSING || sl->f.state == STREAM_TIME_WAIT;
	bool both = tcb_of(sl)->half[0].fin_sent && tcb_of(sl)->half[1].fin_sent;
	bool server_acked = fin_acked(sl, TO_CLIENT), client_acked = fin_acked(sl, TO_SERVER);

	if (both && server_acked && client_acked) {
		sl->f.state = STREAM_CLOSED;
		tcp_flush(st);
	} else if (both && server_first) {
		sl->f.state = server_acked ? STREAM_TIME_WAIT : STREAM_CLOSING;
	} else if (both) {
		sl->f.state = STREAM_LAST_ACK;
	} else if (server_first && server_acked) {
		sl->f.state = STREAM_FIN_WAIT2;
	}
}

static void shut_fin(struct step *st)
{
	struct stream_side *snd = &st->slot->f.side[st->dir];
	struct half *h = &tcb_of(st->slot)->half[st->dir];
	const struct state_events *ev = &state_events[st->slot->f.state];
	uint32_t end = st->p->tcp.seq + st->p->payload_len;

	if (!tcp_ack_valid(st)) {
		tcp_refuse(st, ev->ack);
		return;
	}
	if (h->fin_sent && end + 1 == h->fin_end) {
		event_set(st->ret, EV_PKT_RETRANSMISSION);
		tcp_take_ack(st);
		if (st->s->conf.inline_mode) /* it may bring what was lost before the FIN */
			tcp_take_data(st);
		return;
	}
	if (h->fin_sent || seq_lt(end, snd->next_seq) ||
	    (seq_lt(h->next_win, st->p->tcp.seq) && !st->slot->f.midstream &&
	     st->p->tcp.seq != snd->next_seq)) {
		tcp_refuse(st, ev->fin_seq);
		return;
	}
	tcp_take_ack(st);
	if (!tcp_take_data(st))
		return;
	side_fin(st->slot, st->dir, end);
	h->fin_sent = true;
	h->fin_end = end + 1;
	snd->next_seq = end + 1;
}

static void shut_ack(struct step *st)
{
	const struct stream_side *snd = &st->slot->f.side[st->dir];
	const struct half *h = &tcb_of(st->slot)->half[st->dir];
	const struct state_events *ev = &state_events[st->slot->f.state];
	const struct pkt *p = st->p;
	uint32_t end = p->tcp.seq + p->payload_len;

	if (!tcp_ack_valid(st)) {
		tcp_refuse(st, ev->ack);
		return;
	}
	if (tcp_is_keepalive(st)) {
		tcp_take_ack(st);
		return;
	}
	if (p->payload_len && seq_leq(end, snd->last_ack)) {
		event_set(st->ret, EV_PKT_RETRANSMISSION);
		if (st->slot->f.state == STREAM_CLOSE_WAIT && seq_lt(end, snd->last_ack))
			tcp_refuse(st, EV_CLOSEWAIT_PKT_BEFORE_LAST_ACK);
		return;
	}
	if (seq_lt(end, snd->last_ack) ||
	    (seq_lt(h->next_win, end) && !st->slot->f.midstream && end != snd->next_seq)) {
		tcp_refuse(st, ev->ack_seq);
		return;
	}
	tcp_take_ack(st);
	tcp_take_data(st);
}

void tcp_shut(struct step *st)
{
	uint8_t flags = st->p->tcp.flags;

	if (flags & FL_RST)
		tcp_rst(st);
	else if (flags & FL_SYN)
		tcp_refuse(st, EV_SHUTDOWN_SYN_RESEND);
	else if (flags & FL_FIN)
		shut_fin(st);
	else if (flags & FL_ACK)
		shut_ack(st);
	if (!st->ret->bad && !(flags & (FL_RST | FL_SYN)))
		next_state(st);
}
