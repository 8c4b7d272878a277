/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP until the handshake is over: three packets, four (both sides began), fast open, or picked up in
 * the middle. */
#include <string.h>

#include "stream/stream_priv.h"

#define MAKE_WAY_MOST 16u  /* not each that ends has memory of the right kind */
#define WSCALE_UNKNOWN 14u /* picked up: the most there is, so that nothing good is refused */

/* False: no memory, so it is no conversation. */
static bool session_begin(struct step *st, unsigned state)
{
	struct stream_flow *f = &st->slot->f;
	bool bounds = !st->s->conf.inline_mode;
	size_t size = sizeof(struct tcb) + (bounds ? 2 * sizeof(struct bounds) : 0);
	struct tcb *tcb = slab_zalloc(st->s->slab, size);

	for (unsigned i = 0; !tcb && i < MAKE_WAY_MOST && table_make_way(st->s, st->slot); i++)
		tcb = slab_zalloc(st->s->slab, size);
	if (!tcb) {
		st->s->stats.memory_refused++;
		return false;
	}
	for (unsigned d = 0; bounds && d < 2; d++)
		tcb->half[d].bounds = &tcb->bounds[d];
	f->tcb = tcb;
	memset(f->side, 0, sizeof(f->side));
	f->tcp = true;
	f->state = (uint8_t)state;
	st->s->stats.tcp_sessions++;
	return true;
}

static struct queued queued_of(const struct pkt *p)
{
	return (struct queued){.seq = p->tcp.seq,
			       .ack = p->tcp.ack,
			       .ts = p->tcp.ts_val,
			       .win = p->tcp.win,
			       .wscale = p->tcp.wscale > 14 ? 14 : p->tcp.wscale,
			       .has_ts = p->tcp.has_ts,
			       .has_wscale = p->tcp.has_wscale};
}

/* What a SYN, or the SYN half of a SYN/ACK, says of its sender's direction. */
static void take_syn(struct step *st, unsigned dir, const struct queued *q)
{
	struct stream_side *snd = &st->slot->f.side[dir], *rcv = &st->slot->f.side[!dir];
	struct half *h = &tcb_of(st->slot)->half[dir];

	snd->isn = q->seq;
	side_begin(st->slot, dir, q->seq + 1);
	rcv->window = q->win;
	rcv->wscale = q->wscale; /* good once both sides have it */
	h->has_wscale = q->has_wscale;
	h->has_ts = q->has_ts;
	h->last_ts = q->ts;
	h->last_ts_ns = st->p->stamp_ns;
}

/* Both SYNs are known: options count if both sides have them. */
static void agree(struct step *st)
{
	struct tcb *tcb = tcb_of(st->slot);
	struct stream_side *side = st->slot->f.side;

	if (!tcb->half[0].has_wscale || !tcb->half[1].has_wscale)
		side[0].wscale = side[1].wscale = 0;
	if (!tcb->half[0].has_ts || !tcb->half[1].has_ts)
		tcb->half[0].has_ts = tcb->half[1].has_ts = false;
	for (unsigned d = 0; d < 2; d++)
		tcb->half[d].next_win = side[d].last_ack + side[d].window;
}

static void queue_drop(struct step *st)
{
	struct tcb *tcb = tcb_of(st->slot);

	slab_free(st->s->slab, tcb->queue);
	tcb->queue = NULL;
	tcb->n_queue = tcb->at_queue = 0;
}

/* Keeps a SYN or SYN/ACK that differs. False: there were too many (the oldest goes). */
static bool queue_add(struct step *st, uint8_t most)
{
	struct tcb *tcb = tcb_of(st->slot);
	bool room = tcb->n_queue < most;

	if (!tcb->queue)
		tcb->queue = slab_alloc(st->s->slab, SYN_QUEUE * sizeof(*tcb->queue));
	if (!tcb->queue) {
		st->s->stats.memory_refused++;
		return true;
	}
	for (unsigned i = 0; room && i < tcb->n_queue; i++)
		if (tcb->queue[i].seq == st->p->tcp.seq && tcb->queue[i].ack == st->p->tcp.ack)
			return true;
	tcb->queue[tcb->at_queue] = queued_of(st->p);
	tcb->at_queue = (uint8_t)((tcb->at_queue + 1) % most);
	tcb->n_queue = (uint8_t)(tcb->n_queue + room);
	return room;
}

/* ---- nothing known yet ------------------------------------------------------------------ */

static void first_syn(struct step *st)
{
	struct queued q = queued_of(st->p);
	struct tcb *tcb;

	if (!session_begin(st, STREAM_SYN_SENT))
		return;
	tcb = tcb_of(st->slot);
	if (st->p->tcp.flags & FL_FIN)
		event_set(st->ret, EV_FIN_SYN);
	take_syn(st, st->dir, &q);
	side_begin(st->slot, !st->dir, 0);
	tcb->tfo = st->p->tcp.has_tfo;
	/* Inline no data pass before the server has answered: they come again. */
	if (!tcb->tfo || !st->p->payload_len || st->s->conf.inline_mode)
		return;
	tcb->tfo_data = true;
	st->slot->f.side[st->dir].next_seq += st->p->payload_len;
	if (side_insert(st, st->dir, q.seq + 1, st->p->payload, st->p->payload_len))
		st->ret->added = true;
}

static void pick_up_synack(struct step *st)
{
	struct queued q = queued_of(st->p), syn = {.seq = st->p->tcp.ack - 1, .win = UINT16_MAX};

	if (!session_begin(st, STREAM_SYN_RECV))
		return;
	st->slot->f.midstream = true;
	syn.has_wscale = q.has_wscale;
	syn.wscale = q.has_wscale ? WSCALE_UNKNOWN : 0;
	syn.has_ts = q.has_ts;
	take_syn(st, !st->dir, &syn);
	take_syn(st, st->dir, &q);
	agree(st);
	st->s->stats.midstream_pickups++;
}

static void pick_up(struct step *st)
{
	const struct pkt_tcp *t = &st->p->tcp;
	struct stream_flow *f = &st->slot->f;
	struct queued mine = {.seq = t->seq - 1, .win = t->win, .wscale = WSCALE_UNKNOWN},
		      other = {.seq = t->ack - 1, .win = UINT16_MAX, .wscale = WSCALE_UNKNOWN};

	if (!session_begin(st, STREAM_ESTABLISHED))
		return;
	f->midstream = true;
	tcb_of(st->slot)->opened = true;
	mine.has_ts = other.has_ts = t->has_ts;
	mine.ts = t->ts_val;
	other.ts = 0;
	mine.has_wscale = other.has_wscale = true;
	take_syn(st, st->dir, &mine);
	take_syn(st, !st->dir, &other);
	agree(st);
	st->s->stats.midstream_pickups++;
	tcp_established(st);
}

void tcp_no_session(struct step *st)
{
	uint8_t flags = st->p->tcp.flags;

	if (flags & FL_RST)
		event_set(st->ret, EV_RST_BUT_NO_SESSION);
	else if ((flags & (FL_SYN | FL_ACK)) == FL_SYN)
		first_syn(st);
	else if (st->s->conf.midstream && (flags & FL_SYN))
		pick_up_synack(st);
	else if (st->s->conf.midstream && (flags & FL_ACK))
		pick_up(st);
	else if (flags & FL_FIN)
		event_set(st->ret, EV_FIN_BUT_NO_SESSION);
}

/* ---- SYN seen --------------------------------------------------------------------------- */

static void answer_accept(struct step *st)
{
	struct queued q = queued_of(st->p);
	struct stream_flow *f = &st->slot->f;
	struct tcb *tcb = tcb_of(st->slot);
	struct stream_side *client = &f->side[!st->dir];

	if (tcb->tfo_data && st->p->tcp.ack == client->isn + 1) {
		event_set(st->ret, EV_3WHS_SYNACK_TFO_DATA_IGNORED);
		if (!client->len) /* will be sent again, perhaps other bytes */
			side_begin(st->slot, !st->dir, client->isn + 1);
		tcb->tfo_data = false;
		client->next_seq = client->isn + 1;
	}
	if (!tcb->four)
		take_syn(st, st->dir, &q);
	client->last_ack = st->p->tcp.ack;
	agree(st);
	queue_drop(st);
	f->state = STREAM_SYN_RECV;
	if (tcb->tfo && st->p->payload_len && !st->s->conf.inline_mode) {
		f->side[st->dir].next_seq += st->p->payload_len;
		if (side_insert(st, st->dir, q.seq + 1, st->p->payload, st->p->payload_len))
			st->ret->added = true;
	}
}

static void sent_synack(struct step *st)
{
	struct stream_flow *f = &st->slot->f;
	struct tcb *tcb = tcb_of(st->slot);
	const struct stream_side *client = &f->side[!st->dir];
	uint32_t ack = st->p->tcp.ack;

	if (tcb->four) {
		if (ack != client->isn + 1)
			tcp_refuse(st, EV_4WHS_SYNACK_WITH_WRONG_ACK);
		else if (st->p->tcp.seq != f->side[st->dir].isn)
			tcp_refuse(st, EV_4WHS_SYNACK_WITH_WRONG_SYN);
		else
			answer_accept(st);
		return;
	}
	if (st->dir == TO_SERVER) {
		tcp_refuse(st, EV_3WHS_SYNACK_IN_WRONG_DIRECTION);
		return;
	}
	if (ack == client->isn + 1 || ack == client->next_seq) {
		answer_accept(st);
		return;
	}
	for (unsigned i = 0; i < tcb->n_queue; i++) {
		struct queued q = tcb->queue[i];

		if (q.seq + 1 != ack)
			continue;
		side_free(st->s, st->slot, TO_SERVER);
		tcb->tfo_data = false;
		take_syn(st, TO_SERVER, &q);
		answer_accept(st);
		return;
	}
	tcp_refuse(st, EV_3WHS_SYNACK_WITH_WRONG_ACK);
}

void tcp_syn_sent(struct step *st)
{
	struct stream_flow *f = &st->slot->f;
	uint8_t flags = st->p->tcp.flags;
	struct queued q;

	if (flags & FL_RST) {
		tcp_rst(st);
	} else if ((flags & (FL_SYN | FL_ACK)) == (FL_SYN | FL_ACK)) {
		sent_synack(st);
	} else if ((flags & FL_SYN) && st->dir == TO_CLIENT) {
		if (tcb_of(st->slot)->four)
			return;
		q = queued_of(st->p);
		tcb_of(st->slot)->four = true;
		take_syn(st, st->dir, &q);
	} else if (flags & FL_SYN) {
		/* When all places are taken even the known SYN counts: it is a flood by then. */
		if (st->p->tcp.seq != f->side[0].isn && !queue_add(st, SYN_QUEUE))
			event_set(st->ret, EV_3WHS_SYN_FLOOD);
	}
}

/* ---- SYN/ACK seen ----------------------------------------------------------------------- */

static void recv_synack(struct step *st)
{
	const struct stream_flow *f = &st->slot->f;
	const struct stream_side *rcv = &f->side[!st->dir];

	if (st->dir == TO_SERVER && !tcb_of(st->slot)->four) {
		tcp_refuse(st, EV_3WHS_SYNACK_TOSERVER_ON_SYN_RECV);
	} else if (st->p->tcp.ack != rcv->isn + 1 && st->p->tcp.ack != rcv->last_ack) {
		tcp_refuse(st, EV_3WHS_SYNACK_RESEND_WITH_DIFFERENT_ACK);
	} else if (st->p->tcp.seq != f->side[st->dir].isn) {
		event_set(st->ret, EV_3WHS_SYNACK_RESEND_WITH_DIFF_SEQ);
		if (!queue_add(st, SYNACK_QUEUE))
			tcp_refuse(st, EV_3WHS_SYNACK_FLOOD);
	}
}

/* The client answers one of several SYN/ACKs: that was the real one. */
static bool recv_pick(struct step *st)
{
	struct tcb *tcb = tcb_of(st->slot);
	uint32_t ack = st->p->tcp.ack;

	for (unsigned i = 0; i < tcb->n_queue; i++) {
		struct queued q = tcb->queue[i];

		if (q.seq + 1 != ack)
			continue;
		side_free(st->s, st->slot, TO_CLIENT);
		take_syn(st, TO_CLIENT, &q);
		agree(st);
		return true;
	}
	return false;
}

static void establish(struct step *st)
{
	st->slot->f.state = STREAM_ESTABLISHED;
	tcb_of(st->slot)->opened = true;
	queue_drop(st);
	tcp_established(st);
}

static void recv_ack_to_server(struct step *st)
{
	const struct stream_flow *f = &st->slot->f;
	const struct stream_side *client = &f->side[TO_SERVER], *server = &f->side[TO_CLIENT];
	const struct pkt_tcp *t = &st->p->tcp;
	bool ack_ok = t->ack == server->next_seq || t->ack == server->isn + 1 || recv_pick(st);
	/* The third packet may have been lost, and this be a later one. */
	bool seq_ok = seq_leq(client->last_ack, t->seq) &&
		      seq_leq(t->seq, tcb_of(st->slot)->half[TO_SERVER].next_win);

	if (tcp_is_keepalive(st))
		return;
	if (f->midstream && seq_ok)
		ack_ok = true;
	if (seq_ok && ack_ok)
		establish(st);
	else if (seq_ok)
		tcp_refuse(st, tcb_of(st->slot)->four ? EV_4WHS_INVALID_ACK
						      : EV_3WHS_RIGHT_SEQ_WRONG_ACK_EVASION);
	else
		tcp_refuse(st, tcb_of(st->slot)->four ? EV_4WHS_WRONG_SEQ
						      : EV_3WHS_WRONG_SEQ_WRONG_ACK);
}

static void recv_ack_to_client(struct step *st)
{
	const struct stream_flow *f = &st->slot->f;
	const struct stream_side *server = &f->side[TO_CLIENT], *client = &f->side[TO_SERVER];
	const struct pkt_tcp *t = &st->p->tcp;
	const struct tcb *tcb = tcb_of(st->slot);

	if (tcb->four) {
		if (t->seq != server->next_seq)
			tcp_refuse(st, EV_4WHS_WRONG_SEQ);
		else if (t->ack != client->next_seq && t->ack != client->last_ack)
			tcp_refuse(st, EV_4WHS_INVALID_ACK);
		else
			establish(st);
		return;
	}
	if (tcb->tfo && t->seq == server->next_seq) {
		establish(st);
	} else if (t->seq != server->next_seq || !st->p->payload_len) {
		tcp_refuse(st, EV_3WHS_ACK_IN_WRONG_DIR);
	} else if (st->s->conf.inline_mode && !f->midstream) {
		/* A server has nothing to say before it knows that the client is there. */
		tcp_refuse(st, EV_3WHS_ACK_DATA_INJECT);
	} else {
		establish(st);
	}
}

void tcp_syn_recv(struct step *st)
{
	const struct stream_flow *f = &st->slot->f;
	uint8_t flags = st->p->tcp.flags;

	if (flags & FL_RST) {
		tcp_rst(st);
	} else if ((flags & (FL_SYN | FL_ACK)) == (FL_SYN | FL_ACK)) {
		recv_synack(st);
	} else if (flags & FL_SYN) {
		if (st->dir == TO_CLIENT)
			tcp_refuse(st, EV_3WHS_SYN_TOCLIENT_ON_SYN_RECV);
		else if (st->p->tcp.seq != f->side[TO_SERVER].isn)
			tcp_refuse(st, EV_3WHS_SYN_RESEND_DIFF_SEQ_ON_SYN_RECV);
	} else if ((flags & FL_ACK) && st->dir == TO_SERVER) {
		recv_ack_to_server(st);
	} else if (flags & FL_ACK) {
		recv_ack_to_client(st);
	}
}
