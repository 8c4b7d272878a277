/* SPDX-License-Identifier: BSD-2-Clause */
/* The TCP state machine: what all states share, and the established one. */
#include <string.h>

#include "stream/stream_priv.h"

#define PAWS_NS (24 * 86400 * NS_PER_SEC) /* a clock of 1 kHz may have wrapped by then */

void tcp_free(struct stream *s, struct slot *sl)
{
	if (!sl->f.tcp)
		return;
	side_free(s, sl, 0);
	side_free(s, sl, 1);
	slab_free(s->slab, tcb_of(sl)->queue);
	slab_free(s->slab, sl->f.tcb);
	sl->f.tcb = NULL;
	sl->f.tcp = false;
}

bool tcp_reuses(const struct slot *sl, const struct pkt *p, unsigned dir)
{
	const struct stream_flow *f = &sl->f;

	if ((p->tcp.flags & (FL_SYN | FL_ACK | FL_RST)) != FL_SYN)
		return false;
	if (!f->tcp)
		return dir == TO_CLIENT;
	if (p->tcp.flags & FL_FIN)
		return false;
	return f->state >= STREAM_LAST_ACK && (dir == TO_CLIENT || p->tcp.seq != f->side[0].isn);
}

/* No part of the conversation; ev: EV_COUNT for none. */
void tcp_refuse(struct step *st, unsigned ev)
{
	if (ev < EV_COUNT)
		event_set(st->ret, ev);
	st->ret->bad = true;
}

void tcp_flush(struct step *st)
{
	tcb_of(st->slot)->half[0].flush = tcb_of(st->slot)->half[1].flush = true;
}

/* ---- checks ---------------------------------------------------------------------------- */

/* Does the acknowledgement fit what the other side has sent, or may have sent unseen? */
bool tcp_ack_valid(const struct step *st)
{
	const struct stream_side *rcv = &st->slot->f.side[!st->dir];
	uint32_t ack = st->p->tcp.ack;

	if (!(st->p->tcp.flags & FL_ACK) || ack == rcv->last_ack)
		return true;
	if (seq_lt(ack, rcv->last_ack))
		return !rcv->window || !seq_lt(ack, rcv->last_ack - rcv->window);
	if (st->slot->f.midstream)
		return true;
	return seq_leq(ack, tcb_of(st->slot)->half[!st->dir].next_win) ||
	       seq_leq(ack, rcv->next_seq);
}

/* Does the packet show the sender's clock? Inline only one at the place where the receiver stands (RFC
 * 7323, 4.3): with another, or a guessed one, a stranger could make strays of all that follow. */
static bool shows_clock(const struct step *st)
{
	uint32_t last_ack = st->slot->f.side[st->dir].last_ack, seq = st->p->tcp.seq;

	if (!st->s->conf.inline_mode)
		return seq_leq(seq, tcb_of(st->slot)->half[st->dir].hi_seq);
	return seq_leq(seq, last_ack) && seq_leq(last_ack, seq + st->p->payload_len);
}

/* RFC 7323: a packet older than what the sender's clock showed in order is a stray. */
static bool timestamp_valid(struct step *st)
{
	struct half *h = &tcb_of(st->slot)->half[st->dir];
	const struct pkt *p = st->p;

	if (!h->has_ts || !p->tcp.has_ts || (p->tcp.flags & (FL_RST | FL_SYN)))
		return true;
	if (seq_lt(p->tcp.ts_val, h->last_ts) && h->last_ts && p->tcp.ts_val &&
	    p->stamp_ns - h->last_ts_ns < PAWS_NS)
		return false;
	if (p->tcp.ts_val && shows_clock(st)) {
		h->last_ts = p->tcp.ts_val;
		h->last_ts_ns = p->stamp_ns;
	}
	return true;
}

bool tcp_is_keepalive(const struct step *st)
{
	return st->p->payload_len <= 1 &&
	       st->p->tcp.seq == st->slot->f.side[st->dir].next_seq - 1 &&
	       !(st->p->tcp.flags & (FL_SYN | FL_FIN | FL_RST));
}

/* A window made smaller by a packet that is ahead of all that was seen both ways: a guess of somebody
 * who sees nothing. */
static bool bad_window_update(const struct step *st)
{
	const struct stream_side *rcv = &st->slot->f.side[!st->dir];
	const struct pkt_tcp *t = &st->p->tcp;
	uint32_t win = (uint32_t)t->win << rcv->wscale;

	return win < rcv->window && rcv->window - win > st->p->payload_len &&
	       seq_lt(rcv->next_seq, t->ack) && seq_lt(st->slot->f.side[st->dir].next_seq, t->seq);
}

/* ---- taking ---------------------------------------------------------------------------- */

void tcp_take_ack(struct step *st)
{
	struct stream_side *rcv = &st->slot->f.side[!st->dir];
	struct half *h = &tcb_of(st->slot)->half[!st->dir];
	const struct pkt_tcp *t = &st->p->tcp;

	if (!(t->flags & FL_ACK) || seq_lt(t->ack, rcv->last_ack))
		return;
	/* Inline the receiver can't have what was not taken in. */
	if (st->s->conf.inline_mode && seq_lt(h->hi_seq + (h->fin_off == h->hi), t->ack)) {
		event_set(st->ret, EV_REASSEMBLY_SEQ_GAP);
		return;
	}
	rcv->last_ack = t->ack;
	rcv->window = (uint32_t)t->win << rcv->wscale;
	if (seq_lt(rcv->next_seq, t->ack))
		rcv->next_seq = t->ack;
	if (seq_lt(h->next_win, t->ack + rcv->window))
		h->next_win = t->ack + rcv->window;
}

bool tcp_take_data(struct step *st)
{
	struct stream_side *snd = &st->slot->f.side[st->dir];
	const struct half *h = &tcb_of(st->slot)->half[st->dir];
	const struct pkt *p = st->p;
	uint32_t end = p->tcp.seq + p->payload_len;
	bool known;
	int64_t off;

	if (!p->payload_len)
		return true;
	if (side_insert(st, st->dir, p->tcp.seq, p->payload, p->payload_len))
		st->ret->added = true;
	off = half_offset(h, p->tcp.seq);
	known = !st->s->conf.inline_mode || inline_knows(h, off, off + p->payload_len);
	if (known && seq_lt(snd->next_seq, end))
		snd->next_seq = end;
	return known;
}

/* ---- resets ---------------------------------------------------------------------------- */

static bool rst_seq_valid(const struct step *st)
{
	const struct stream_flow *f = &st->slot->f;
	const struct stream_side *snd = &f->side[st->dir];
	uint32_t seq = st->p->tcp.seq;

	if (f->state == STREAM_SYN_SENT) {
		if (st->dir == TO_SERVER)
			return seq == snd->next_seq || seq == snd->isn + 1 || seq == snd->isn;
		return (st->p->tcp.flags & FL_ACK) != 0;
	}
	/* Where the receiver stands is not known to a byte; what it doesn't heed ends nothing but here. */
	if (st->s->conf.inline_mode)
		return seq_leq(snd->last_ack, seq) && seq_leq(seq, snd->next_seq);
	if (f->midstream || st->s->conf.policy == POLICY_LINUX ||
	    st->s->conf.policy == POLICY_OLD_LINUX || st->s->conf.policy == POLICY_SOLARIS)
		return seq_leq(snd->last_ack, seq) &&
		       seq_leq(seq, snd->next_seq + (snd->window ? snd->window : 1));
	/* Some stacks don't count their FIN then. */
	return seq == snd->next_seq ||
	       (tcb_of(st->slot)->half[st->dir].fin_sent && seq + 1 == snd->next_seq);
}

static bool rst_ack_valid(const struct step *st)
{
	const struct stream_side *rcv = &st->slot->f.side[!st->dir];
	uint32_t ack = st->p->tcp.ack;

	if (st->slot->f.state != STREAM_SYN_SENT || !(st->p->tcp.flags & FL_ACK))
		return tcp_ack_valid(st);
	if (st->dir == TO_SERVER)
		return true;
	return ack == rcv->isn + 1 || ack == rcv->next_seq;
}

void tcp_rst(struct step *st)
{
	struct stream_flow *f = &st->slot->f;
	struct tcb *tcb = tcb_of(st->slot);

	if (!rst_ack_valid(st)) {
		tcp_refuse(st, EV_RST_INVALID_ACK);
		return;
	}
	if (!rst_seq_valid(st)) {
		tcp_refuse(st, EV_COUNT);
		return;
	}
	if (st->p->payload_len)
		event_set(st->ret, EV_RST_WITH_DATA);
	if (f->state >= STREAM_SYN_RECV)
		tcp_take_ack(st);
	f->side[st->dir].gone_rst = true;
	tcb->rst_seen = true;
	tcb->rst_dir = (uint8_t)st->dir;
	f->state = STREAM_CLOSED;
	tcp_flush(st);
}

/* ---- established ------------------------------------------------------------------------ */

static void est_synack(struct step *st)
{
	const struct stream_flow *f = &st->slot->f;

	if (st->dir == TO_SERVER && !tcb_of(st->slot)->four)
		tcp_refuse(st, EV_EST_SYNACK_TOSERVER);
	else if (st->p->tcp.ack != f->side[!st->dir].isn + 1 &&
		 st->p->tcp.ack != f->side[!st->dir].last_ack)
		tcp_refuse(st, EV_EST_SYNACK_RESEND_WITH_DIFFERENT_ACK);
	else if (st->p->tcp.seq != f->side[st->dir].isn)
		tcp_refuse(st, EV_EST_SYNACK_RESEND_WITH_DIFF_SEQ);
	else
		tcp_refuse(st, EV_EST_SYNACK_RESEND);
}

static void est_syn(struct step *st)
{
	if (st->dir == TO_CLIENT)
		tcp_refuse(st, EV_EST_SYN_TOCLIENT);
	else if (st->p->tcp.seq != st->slot->f.side[0].isn)
		tcp_refuse(st, EV_EST_SYN_RESEND_DIFF_SEQ);
	else
		tcp_refuse(st, EV_EST_SYN_RESEND);
}

static void est_fin(struct step *st)
{
	struct stream_side *snd = &st->slot->f.side[st->dir];
	struct half *h = &tcb_of(st->slot)->half[st->dir];
	const struct pkt *p = st->p;
	uint32_t end = p->tcp.seq + p->payload_len;

	if (seq_lt(end, snd->last_ack) ||
	    (!st->slot->f.midstream && seq_lt(h->next_win, p->tcp.seq) &&
	     p->tcp.seq != snd->next_seq)) {
		tcp_refuse(st, EV_FIN_OUT_OF_WINDOW);
		return;
	}
	if (!tcp_ack_valid(st)) {
		tcp_refuse(st, EV_FIN_INVALID_ACK);
		return;
	}
	tcp_take_ack(st);
	if (!tcp_take_data(st))
		return;
	side_fin(st->slot, st->dir, end);
	h->fin_sent = true;
	h->fin_end = end + 1;
	if (seq_lt(snd->next_seq, end + 1))
		snd->next_seq = end + 1;
	st->slot->f.state = st->dir == TO_SERVER ? STREAM_CLOSE_WAIT : STREAM_FIN_WAIT1;
}

static void est_ack(struct step *st)
{
	const struct stream_flow *f = &st->slot->f;
	const struct stream_side *snd = &f->side[st->dir];
	const struct half *h = &tcb_of(st->slot)->half[st->dir];
	const struct pkt *p = st->p;
	uint32_t end = p->tcp.seq + p->payload_len;

	if (tcp_is_keepalive(st)) {
		if (tcp_ack_valid(st))
			tcp_take_ack(st);
		return;
	}
	if (p->payload_len && seq_leq(end, snd->last_ack))
		event_set(st->ret, EV_PKT_SPURIOUS_RETRANSMISSION);
	if (seq_lt(end, snd->last_ack)) {
		tcp_refuse(st, EV_EST_PKT_BEFORE_LAST_ACK);
		return;
	}
	if (seq_lt(h->next_win, end) && !f->midstream &&
	    !(p->payload_len <= 1 && p->tcp.seq == h->next_win)) { /* a zero window is probed so */
		tcp_refuse(st, EV_EST_PACKET_OUT_OF_WINDOW);
		return;
	}
	if (!tcp_ack_valid(st)) {
		event_set(st->ret, EV_PKT_INVALID_ACK);
		tcp_refuse(st, EV_EST_INVALID_ACK);
		return;
	}
	if (bad_window_update(st)) {
		tcp_refuse(st, EV_PKT_BAD_WINDOW_UPDATE);
		return;
	}
	tcp_take_ack(st);
	tcp_take_data(st);
}

void tcp_established(struct step *st)
{
	uint8_t flags = st->p->tcp.flags;

	if (flags & FL_RST)
		tcp_rst(st);
	else if (flags & FL_FIN)
		est_fin(st);
	else if ((flags & (FL_SYN | FL_ACK)) == (FL_SYN | FL_ACK))
		est_synack(st);
	else if (flags & FL_SYN)
		est_syn(st);
	else if (flags & FL_ACK)
		est_ack(st);
}

static void closed(struct step *st)
{
	const struct tcb *tcb = tcb_of(st->slot);

	/* Who was sent a reset goes on as if it had not come: it was not the other side's. */
	if (!(st->p->tcp.flags & (FL_RST | FL_SYN)) && tcb->rst_seen && st->dir != tcb->rst_dir &&
	    st->p->payload_len && tcp_ack_valid(st))
		event_set(st->ret, EV_SUSPECTED_RST_INJECT);
}

static void packet_step(struct step *st)
{
	struct stream_flow *f = &st->slot->f;
	const struct pkt *p = st->p;

	if (!p->l4 || !p->l4_hlen || f->dead)
		return;
	/* The packet that completes the handshake is not yet one of an established connection. */
	f->established = f->tcp && tcb_of(st->slot)->opened;
	if (st->s->conf.checksums && p->bad_l4_csum) {
		st->ret->bad = true;
		return;
	}
	if (!(p->tcp.flags & FL_ACK) && p->tcp.ack)
		event_set(st->ret, EV_PKT_BROKEN_ACK);
	if (!f->tcp) {
		tcp_no_session(st);
		if (!f->tcp)
			return;
	} else if (!timestamp_valid(st)) {
		tcp_refuse(st, EV_PKT_INVALID_TIMESTAMP);
	} else if (f->state == STREAM_ESTABLISHED) {
		tcp_established(st);
	} else if (f->state == STREAM_SYN_SENT) {
		tcp_syn_sent(st);
	} else if (f->state == STREAM_SYN_RECV) {
		tcp_syn_recv(st);
	} else if (f->state == STREAM_CLOSED) {
		closed(st);
	} else {
		tcp_shut(st);
	}
	if (st->ret->bad)
		return;
	f->side[st->dir].flags_seen |= p->tcp.flags;
	tcb_of(st->slot)->pending = false;
	side_release(st->s, st->slot, st->dir, st->ret);
	side_release(st->s, st->slot, !st->dir, st->ret);
}

void tcp_packet(struct step *st)
{
	packet_step(st);
	if (st->s->conf.inline_mode)
		inline_verdict(st);
}
