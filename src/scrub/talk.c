/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TCP conversation that rules may change. Nothing of such a direction passes out of order: bytes leave when all
 * before them are there and no rule may still want them, out of what stream keeps, with the changes that rules
 * asked for. The sender's own segments only say when. Bytes that wait too long leave as they are; a rule that
 * wants them afterwards comes too late, and what completes its match is dropped.
 */
#include "scrub/scrub_priv.h"

#include <string.h>

#define MSS_LEAST 536u
#define HOLDS_MOST 10 /* times hold_ns: so long may bytes wait while others come */
#define AGAIN_NS (250 * NS_PER_MS)
#define AGAIN_MOST 12u /* times that owed bytes are sent */

static struct stream *stream_of(const struct scrub *s)
{
	return inspect_stream(s->inspect);
}

static struct rule_engine *engine_of(const struct scrub *s)
{
	return inspect_engine(s->inspect);
}

void talk_before(struct scrub *s, struct pkt *p)
{
	unsigned dir;
	s->of = NULL;
	s->ack = p->tcp.ack;
	if ((s->n_talks == 0 && !s->may_rewrite) || p->proto != PROTO_TCP || p->depth > 0)
		return;
	s->of = stream_find(stream_of(s), p, &dir);
	if (s->of == NULL)
		return;
	s->end = (int64_t)stream_end(s->of, dir);
	s->sent = stream_offset(s->of, dir, s->of->side[dir].next_seq);
	const struct talk *t = s->of->user;
	if (t != NULL && t->x[!dir] != NULL && (p->tcp.flags & TCP_ACK) != 0)
		p->tcp.ack = xlate_ack(t->x[!dir], p->tcp.ack);
}

/* ---- beginning and end ---------------------------------------------------------------------------- */

struct talk *talk_of(struct scrub *s, struct stream_flow *f)
{
	struct talk *t = f->user;
	if (t != NULL)
		return t;
	t = slab_zalloc(inspect_slab(s->inspect), sizeof(*t));
	if (t == NULL)
		return NULL;
	t->flow = f;
	for (unsigned d = 0; d < 2; d++)
		t->wait[d].talk = t->owed[d].talk = t;
	f->user = t;
	s->n_talks++;
	return t;
}

static void wait_end(struct waits *q, struct wait *w)
{
	if (w->since_ns == 0)
		return;
	*(w->older != NULL ? &w->older->newer : &q->oldest) = w->newer;
	*(w->newer != NULL ? &w->newer->older : &q->newest) = w->older;
	w->since_ns = 0;
	w->older = w->newer = NULL;
}

/* From now on; where it waits at that place already, bytes that have come since give it more time, to a limit. */
static void wait_begin(const struct scrub *s, struct waits *q, struct wait *w, int64_t at,
		       int64_t end)
{
	bool same = w->since_ns != 0 && w->at == at;
	if (same && (w->end == end || s->now_ns - w->first_ns >= HOLDS_MOST * s->conf.hold_ns))
		return;
	wait_end(q, w);
	w->since_ns = s->now_ns;
	if (!same) {
		w->first_ns = s->now_ns;
		w->tries = 0;
	}
	w->at = at;
	w->end = end;
	w->older = q->newest;
	*(q->newest != NULL ? &q->newest->newer : &q->oldest) = w;
	q->newest = w;
}

/* What the wall has acknowledged and sent on, and the receiver not: it is sent again until he does. */
static void owe(struct scrub *s, struct talk *t, unsigned dir)
{
	const struct xlate *x = t->x[dir];
	int64_t had = xlate_in(x, xlate_out_acked(x)), kept = (int64_t)t->flow->side[dir].kept;
	had = had > kept ? had : kept;
	if (t->promised[dir] > had && xlate_emitted(x) > had)
		wait_begin(s, &s->owed, &t->owed[dir], had, 0);
	else
		wait_end(&s->owed, &t->owed[dir]);
}

void talk_forget(struct scrub *s, struct stream_flow *f)
{
	struct talk *t = f->user;
	if (t == NULL)
		return;
	for (unsigned d = 0; d < 2; d++) {
		wait_end(&s->holds, &t->wait[d]);
		wait_end(&s->owed, &t->owed[d]);
		xlate_free(&t->x[d]);
		slab_free(inspect_slab(s->inspect), t->head[d]);
	}
	bodies_free(s, t);
	slab_free(inspect_slab(s->inspect), t);
	f->user = NULL;
	s->n_talks--;
}

/* From this packet on the direction is translated. */
static bool begin(struct scrub *s, struct stream_flow *f, unsigned dir)
{
	struct talk *t = talk_of(s, f);
	int64_t end = (int64_t)stream_end(f, dir), sent = end;
	if (t == NULL)
		return false;
	if (s->of == f) {
		end = s->end;
		sent = s->sent > end ? s->sent : end;
	}
	if (xlate_create(inspect_slab(s->inspect), stream_seq(f, dir, 0), end, &t->x[dir]) != 0)
		return false;
	/* What had passed beyond a gap before can't be changed any more. */
	rule_gone(engine_of(s), f, dir, (uint64_t)sent);
	return true;
}

/* ---- what rules want ------------------------------------------------------------------------------ */

static bool take_edit(struct scrub *s, const struct inspect_seen *x, const struct rule_edit *e)
{
	struct talk *t = x->r->flow->user;
	int64_t off = (int64_t)e->off;
	if (e->where == WHERE_PACKET)
		off += (int64_t)x->r->off;
	if (t == NULL || t->x[e->dir] == NULL)
		return false;
	/* A second copy of what has been changed already. */
	if (e->where == WHERE_PACKET && off + e->len <= xlate_emitted(t->x[e->dir]))
		return !xlate_plain(t->x[e->dir], off, off + e->len);
	int err = xlate_edit(t->x[e->dir], off, e->len, e->bytes, e->n);
	s->stats.edits += err == 0;
	return err == 0;
}

bool talk_seen(struct scrub *s, const struct inspect_seen *x)
{
	const struct stream_result *r = x->r;
	struct stream_flow *f = r->flow;
	struct rule_engine *e = engine_of(s);
	unsigned dir = r->dir;
	const struct rule_edit *edits;
	s->seen->flow = f;
	s->seen->dir = dir;
	s->r = *r;
	if (e != NULL && (x->pkt->tcp.flags & (TCP_SYN | TCP_RST)) == 0) {
		const struct talk *t = f->user;
		bool mine = t != NULL && t->x[dir] != NULL;
		if (!mine && rule_rewrites(e, f, dir) && !begin(s, f, dir))
			return false;
	} else if (e != NULL && (x->pkt->tcp.flags & TCP_SYN) != 0 &&
		   (rule_rewrites(e, f, 0) || rule_rewrites(e, f, 1))) {
		s->may_rewrite = true;
		/* For the headers of the handshake; without memory there are none. Not before it is answered: of a
		 * flood of SYNs nothing more is remembered than that they were there. */
		if (f->state >= STREAM_SYN_RECV)
			(void)talk_of(s, f);
	}
	const struct talk *t = f->user;
	if (t != NULL && t->x[!dir] != NULL && !r->bad && (x->pkt->tcp.flags & TCP_ACK) != 0) {
		xlate_acked(t->x[!dir], xlate_ack_off(t->x[!dir], s->ack));
		owe(s, f->user, !dir);
	}
	uint32_t n = e != NULL ? rule_edits(e, &edits) : 0;
	for (uint32_t i = 0; i < n; i++)
		if (!take_edit(s, x, &edits[i])) {
			s->stats.late++;
			return false;
		}
	s->seen->rewritten |= n > 0;
	if (t == NULL || t->x[dir] == NULL)
		return true;
	int64_t end = (int64_t)stream_end(f, dir), limit = end;
	if (f->side[dir].fin)
		limit = end + 1;
	else if (e != NULL && (x->pkt->tcp.flags & TCP_RST) == 0)
		limit = (int64_t)rule_hold(e, f, dir);
	limit = limit < end ? limit : f->side[dir].fin ? end + 1 : end;
	if (!bodies_leave(s, f->user, dir, &limit))
		return false;
	xlate_set_limit(t->x[dir], limit);
	return true;
}

/* ---- what leaves ---------------------------------------------------------------------------------- */

static struct xlate_kept kept_of(const struct stream_flow *f, unsigned dir)
{
	struct xlate_kept k = {.off = (int64_t)f->side[dir].kept};
	k.data = stream_kept(f, dir, f->side[dir].kept, &k.len);
	return k;
}

/* The place for a head of so many bytes; NULL: what there was stays. */
static struct talk_head *head_room(struct scrub *s, struct talk *t, unsigned dir, uint32_t len)
{
	struct talk_head *h = t->head[dir];
	if (len > HEAD_BYTES || (h != NULL && len <= h->room))
		return len > HEAD_BYTES ? NULL : h;
	h = slab_grow(inspect_slab(s->inspect), h, sizeof(*h) + len);
	if (h == NULL)
		return NULL;
	h->room = (uint16_t)(slab_size(h) - sizeof(*h));
	t->head[dir] = h;
	return h;
}

static void keep_head(struct scrub *s, struct talk *t, unsigned dir, const struct frame *f,
		      const struct layers *l, uint16_t out_port)
{
	uint32_t len = l->l3_end > l->payload ? l->l3_end - l->payload : 0;
	uint32_t one = f->vnet.gso_type != 0 && f->vnet.gso_size < len ? f->vnet.gso_size : len;
	uint32_t most = l->payload - l->l3 + one;
	bool syn = (l->tcp_flags & TCP_SYN) != 0;
	struct talk_head *h = l->l4 != 0 ? head_room(s, t, dir, l->payload) : NULL;
	if (h == NULL)
		return;
	memcpy(h->bytes, f->data, l->payload);
	/* Of a SYN only answers are made (back.c), before anything else was said; its window is not scaled yet. */
	if (syn)
		store_be16(h->bytes + l->l4 + 14, (uint16_t)(load_be16(f->data + l->l4 + 14) >>
							     t->flow->side[dir].wscale));
	h->l = *l;
	h->vnet = f->vnet;
	h->in_port = f->port;
	h->out_port = out_port;
	t->most[dir] = most > t->most[dir] && most <= UINT16_MAX ? most : t->most[dir];
}

static void add(struct scrub *s, struct frame *f)
{
	if (emit_add(s->emit, f) != 0)
		s->stats.cut++;
}

/* In offsets from .. to leave behind these headers. */
static void emit_span(struct scrub *s, struct talk *t, unsigned dir, const struct frame *head,
		      const struct layers *l, int64_t from, int64_t to)
{
	struct xlate *x = t->x[dir];
	struct emit_what w = {.x = x, .push = true};
	int64_t done;
	xlate_span(x, from, to, &w.from, &w.to);
	if (w.from == w.to)
		return;
	w.kept = kept_of(t->flow, dir);
	w.fin = t->flow->side[dir].fin && to == (int64_t)stream_end(t->flow, dir) + 1;
	/* Behind these headers: they may be longer than those of the longest (SACK). */
	uint32_t header = l->payload - l->l3, most = t->most[dir];
	w.mss = most >= header + MSS_LEAST ? (uint16_t)(most - header) : MSS_LEAST;
	/* What does not fit is as good as lost: its sender sends it again. */
	if (emit_stream(s->emit, head, l, &w, &done) != 0)
		s->stats.cut++;
}

/* Behind what has just left. */
static void settle(struct scrub *s, struct talk *t, unsigned dir)
{
	int64_t gone = xlate_emitted(t->x[dir]), end = (int64_t)stream_end(t->flow, dir);
	if (engine_of(s) != NULL)
		rule_gone(engine_of(s), t->flow, dir, (uint64_t)(gone < end ? gone : end));
	s->stats.held += gone < end && t->wait[dir].since_ns == 0;
	if (gone < end)
		wait_begin(s, &s->holds, &t->wait[dir], gone, end);
	else
		wait_end(&s->holds, &t->wait[dir]);
	owe(s, t, dir);
}

/* A segment with bytes (or a FIN) of a translated direction. */
static void leave_bytes(struct scrub *s, struct talk *t, unsigned dir, struct frame *f,
			struct layers *l, uint32_t seq)
{
	struct xlate *x = t->x[dir];
	const struct stream_result *r = &s->r;
	uint32_t len = l->l3_end - l->payload;
	bool fin = (l->tcp_flags & TCP_FIN) != 0;
	int64_t from = (int64_t)r->off, to = from + len + fin, gone = xlate_emitted(x);
	int64_t limit = xlate_limit(x), first = from < gone ? from : gone;
	int64_t last = limit > gone ? limit : to < gone ? to : gone;
	if (r->early && limit <= gone) {
		back_say(s, t, dir, (uint64_t)from);
		return;
	}
	last = xlate_emit(x, last) < last ? xlate_emitted(x) : last;
	if (!r->differs && r->stale == 0 && first == from && last == to &&
	    xlate_plain(x, from, to)) {
		add(s, f);
		return;
	}
	if (first < last)
		emit_span(s, t, dir, f, l, first, last);
	struct frame **frames;
	if (emit_frames(s->emit, &frames) > 0)
		return;
	/* Who hears nothing of what is held would send nothing more: not past his window, or, small as it is, not
	 * at all (Nagle). So the wall says that it has it. */
	if (to > xlate_emitted(x) && !fin && from <= (int64_t)stream_end(t->flow, dir)) {
		t->promised[dir] = (int64_t)stream_end(t->flow, dir);
		back_promise(s, t, dir, stream_end(t->flow, dir));
	} else if (to > xlate_emitted(x)) {
		emit_bare(f, l, xlate_seq(x, seq, true));
		add(s, f);
	} else {
		back_say(s, t, dir, (uint64_t)from);
	}
}

void talk_leave(struct scrub *s, const struct scrub_seen *seen, struct frame *f, struct layers *l,
		uint16_t out_port)
{
	struct stream_flow *fl = seen->flow;
	struct talk *t = fl->user;
	unsigned dir = seen->dir;
	bool syn = (l->tcp_flags & TCP_SYN) != 0, rst = (l->tcp_flags & TCP_RST) != 0;
	struct xlate *own = syn ? NULL : t->x[dir];
	uint32_t seq = l->seq;
	if (l->l3_end > l->payload && (syn || rst))
		emit_cut(f, l, 0, l->l3_end - l->payload);
	packet_clear_urgent(f, l);
	emit_headers(f, l, own, t->x[!dir]);
	if (!rst)
		keep_head(s, t, dir, f, l, out_port);
	if (own == NULL || rst) {
		add(s, f);
		if (rst && t->x[dir] != NULL)
			wait_end(&s->holds, &t->wait[dir]);
		for (unsigned d = 0; rst && d < 2; d++) { /* nobody waits for it any more */
			t->promised[d] = 0;
			wait_end(&s->owed, &t->owed[d]);
		}
		return;
	}
	if (l->l3_end > l->payload || (l->tcp_flags & TCP_FIN) != 0) {
		leave_bytes(s, t, dir, f, l, seq);
	} else {
		int64_t gone = xlate_emitted(own), limit = xlate_limit(own);
		add(s, f);
		if (limit != XLATE_FREE_RUN && limit > gone && xlate_emit(own, limit) > gone)
			emit_span(s, t, dir, f, l, gone, xlate_emitted(own));
	}
	settle(s, t, dir);
}

void talk_quoted(struct scrub *s, const struct inspect_seen *x)
{
	const struct talk *t = x->r->flow->user;
	/* The error goes the other way than what it is about. */
	unsigned dir = x->r->dir ^ 1u;
	if (t == NULL || t->x[dir] == NULL || x->pkt->depth > 0)
		return;
	s->seen->flow = x->r->flow;
	s->seen->dir = dir;
	s->seen->rebuild = true;
}

void talk_quote(const struct scrub_seen *seen, struct frame *f, const struct layers *l)
{
	const struct talk *t = seen->flow->user;
	struct layers q;
	uint8_t seq[4];
	if (t == NULL || packet_decode_quoted(f, l, &q) != 0 || q.proto != PROTO_TCP || q.l4 == 0 ||
	    q.l4 + 8 > l->l3_end)
		return;
	store_be32(seq, xlate_ack(t->x[seen->dir], load_be32(f->data + q.l4 + 4)));
	(void)packet_set_bytes(f, l, q.l4 + 4, seq, sizeof(seq));
}

uint32_t talk_next(const struct stream_flow *f, unsigned dir, uint32_t seq)
{
	const struct talk *t = f->user;
	if (t != NULL && t->x[dir] != NULL) {
		const struct xlate *x = t->x[dir];
		return xlate_number(x, xlate_out(x, xlate_emitted(x)));
	}
	uint32_t acked = f->side[dir].last_ack;
	return (int32_t)(acked - seq) > 0 ? acked : seq;
}

/* ---- time ----------------------------------------------------------------------------------------- */

static struct frame head_frame(const struct scrub *s, struct talk_head *h)
{
	return (struct frame){.data = h->bytes,
			      .len = h->l.payload,
			      .cap = h->room,
			      .vnet = h->vnet,
			      .stamp_ns = s->now_ns,
			      .port = h->in_port};
}

static void send_all(struct scrub *s, const struct talk_head *h, scrub_send_fn *send, void *ctx)
{
	struct frame **frames;
	uint32_t n = emit_frames(s->emit, &frames);
	for (uint32_t i = 0; i < n; i++)
		send(ctx, h->out_port, frames[i]);
}

static void release(struct scrub *s, struct wait *w, scrub_send_fn *send, void *ctx)
{
	struct talk *t = w->talk;
	unsigned dir = w == &t->wait[1];
	struct talk_head *h = t->head[dir];
	int64_t gone = xlate_emitted(t->x[dir]), end = (int64_t)stream_end(t->flow, dir);
	emit_clear(s->emit);
	s->stats.held_timeout++;
	wait_end(&s->holds, w);
	if (h == NULL || t->flow->dead || !bodies_leave(s, t, dir, &end))
		return;
	struct frame head = head_frame(s, h);
	xlate_set_limit(t->x[dir], end);
	(void)xlate_emit(t->x[dir], end);
	emit_span(s, t, dir, &head, &h->l, gone, xlate_emitted(t->x[dir]));
	settle(s, t, dir);
	send_all(s, h, send, ctx);
}

/* Nobody else will bring it. */
static void again(struct scrub *s, struct wait *w, scrub_send_fn *send, void *ctx)
{
	struct talk *t = w->talk;
	unsigned dir = w == &t->owed[1];
	struct talk_head *h = t->head[dir];
	uint32_t tries = w->tries + 1;
	int64_t from = w->at;
	wait_end(&s->owed, w);
	if (h == NULL || t->flow->dead || tries > AGAIN_MOST)
		return;
	struct frame head = head_frame(s, h);
	emit_clear(s->emit);
	emit_span(s, t, dir, &head, &h->l, from, xlate_emitted(t->x[dir]));
	wait_begin(s, &s->owed, w, from, 0);
	w->tries = tries;
	send_all(s, h, send, ctx);
}

bool scrub_waits(const struct scrub *s)
{
	return s->holds.oldest != NULL || s->owed.oldest != NULL;
}

void scrub_release(struct scrub *s, int64_t now_ns, scrub_send_fn *send, void *ctx,
		   int64_t *ret_next)
{
	s->now_ns = now_ns;
	while (s->holds.oldest != NULL && now_ns - s->holds.oldest->since_ns >= s->conf.hold_ns)
		release(s, s->holds.oldest, send, ctx);
	while (s->owed.oldest != NULL && now_ns - s->owed.oldest->since_ns >= AGAIN_NS)
		again(s, s->owed.oldest, send, ctx);
	int64_t hold =
		s->holds.oldest != NULL ? s->holds.oldest->since_ns + s->conf.hold_ns : INT64_MAX;
	int64_t owed = s->owed.oldest != NULL ? s->owed.oldest->since_ns + AGAIN_NS : INT64_MAX;
	*ret_next = hold < owed ? hold : owed;
}
