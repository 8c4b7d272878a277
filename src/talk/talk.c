/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A frame's way: taken apart, its conversation found, the bytes of both sides in order handed to the protocol
 * that they were found to be. Syslog by UDP has no conversation.
 */
#include "talk/talk_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_BYTES ((size_t)64 << 20)
#define FLOWS 16384u
#define DRAIN_ROUNDS 64u
#define SWEEP_FLOWS 256u
#define SYSLOG_PORT 514
#define PROTO_TCP 6
#define PROTO_UDP 17
#define WAIT_MOST 16384u /* bytes of a side, until its protocol is known */
#define TLS_HANDSHAKE 0x16
#define NO_GUEST 0xffff
#define LONGEST_NS (INT64_MAX / 2)

/* ---- bytes in order to the protocol ---------------------------------------------------------------- */

static enum talk_side side_of(const struct talk_conv *c, unsigned dir)
{
	return (dir ^ (c->swap ? 1u : 0u)) == TO_SERVER ? BY_CLIENT : BY_SERVER;
}

static void stop_listening(struct stream_flow *f)
{
	for (unsigned d = 0; d < 2; d++) {
		f->side[d].no_app = true;
		f->side[d].app_done = f->side[d].base + f->side[d].len;
	}
}

static void give(struct talk_conv *c, unsigned dir)
{
	struct stream_side *s = &c->flow->side[dir];
	uint64_t end = s->base + s->len;
	enum talk_side by = side_of(c, dir);
	if (s->app_done < s->base) {
		s->app_done = s->base;
		conv_mark(c, "gap");
		if (c->proto->gap != NULL)
			c->proto->gap(c, by);
	}
	if (s->app_done >= end)
		return;
	const uint8_t *at = s->data + (s->app_done - s->base);
	uint32_t len = (uint32_t)(end - s->app_done);
	s->app_done = end;
	if (c->crypt[by] && at[0] == TLS_HANDSHAKE) /* no line begins so */
		conv_let_go(c, "encrypted from here");
	if (!c->done)
		c->proto->data(c, by, at, len);
}

static bool begin(struct talk_conv *c, const struct talk_proto *p)
{
	if (p->state_bytes > 0) {
		c->state = slab_zalloc(c->t->slab, p->state_bytes);
		if (c->state == NULL) {
			c->t->stats.refused++;
			return false;
		}
	}
	c->proto = p;
	return p->late || conv_session(c) != 0;
}

/* What it is may become clear only when both sides have spoken: till then their bytes wait in stream. */
static void find(struct talk_conv *c, bool over)
{
	struct talk_view v[2];
	const struct talk_proto *p = NULL;
	for (unsigned d = 0; d < 2; d++) {
		struct stream_side *s = &c->flow->side[d];
		if (s->app_done < s->base)
			s->app_done = s->base;
		v[side_of(c, d)] = (struct talk_view){
			.data = s->len > 0 ? s->data + (s->app_done - s->base) : NULL,
			.len = (uint32_t)(s->base + s->len - s->app_done),
			.over = s->fin || s->truncated || over,
		};
	}
	if (ftp_claims(c))
		p = &talk_ftp_data;
	else
		switch (talk_detect(c, v, &p)) {
		case TALK_WAIT: /* not for long, it takes memory */
			c->done = v[0].len > WAIT_MOST || v[1].len > WAIT_MOST;
			return;
		case TALK_KNOWN:
			break;
		case TALK_FOREIGN:
			c->done = true;
			return;
		}
	c->done = !begin(c, p);
}

/* dir: who has just spoken; who spoke first is heard first. */
static void feed(struct talk_conv *c, unsigned dir, bool over)
{
	struct stream_flow *f = c->flow;
	for (unsigned d = 0; d < 2 && !c->spoke; d++)
		if (f->side[d].len > 0) {
			c->spoke = true;
			c->first = d != 0;
		}
	if (!c->spoke || c->done) {
		if (c->done)
			stop_listening(f);
		return;
	}
	unsigned first = dir;
	if (c->proto == NULL) {
		first = c->first ? 1 : 0;
		find(c, over);
	}
	for (unsigned k = 0; k < 2 && c->proto != NULL && !c->done; k++)
		give(c, first ^ k);
	if (c->done)
		stop_listening(f);
}

/* ---- conversations --------------------------------------------------------------------------------- */

static struct talk_conv *meet(struct talk *t, struct stream_flow *f, unsigned dir)
{
	const struct copy_head *h = t->head;
	struct talk_conv *c = slab_zalloc(t->slab, sizeof(*c));
	f->side[0].no_raw = f->side[1].no_raw = true;
	if (c == NULL) {
		t->stats.refused++;
		stop_listening(f);
		return NULL;
	}
	bool by_client = (h->from_guest != 0) == (h->begun_by_guest != 0);
	c->t = t;
	c->flow = f;
	c->flow_id = h->flow_id;
	c->guest = t->head_guest;
	c->peer_guest =
		h->peer_guest != NO_GUEST && h->peer_guest != 0 ? h->peer_guest - 1u : c->guest;
	c->direction = h->direction <= DIR_LATERAL ? h->direction : DIR_NONE;
	c->swap = (dir == TO_SERVER) != by_client;
	c->guest_is[BY_CLIENT] = h->begun_by_guest != 0;
	c->guest_is[BY_SERVER] = h->begun_by_guest == 0;
	f->user = c;
	t->stats.flows++;
	return c;
}

static void conv_free(struct talk_conv *c)
{
	if (c->proto != NULL && c->proto->end != NULL)
		c->proto->end(c);
	if (c->session != 0)
		session_end(c->t->conf.book, c->session, c->t->stopping ? "stopped" : "closed",
			    c->t->now_ns);
	slab_free(c->t->slab, c->state);
	slab_free(c->t->slab, c);
}

static void on_ended(void *ctx, struct stream_flow *f, const char *reason)
{
	struct talk *t = ctx;
	struct talk_conv *c = f->user;
	struct stream_result r = {.flow = f};
	(void)reason;
	if (c == NULL)
		return;
	if (f->tcp && !c->done) {
		feed(c, TO_SERVER, false);
		for (unsigned n = 0; n < DRAIN_ROUNDS && stream_more(t->stream, f, &r); n++)
			feed(c, TO_SERVER, false);
		feed(c, TO_SERVER, true);
	}
	f->user = NULL;
	conv_free(c);
}

/* Both have said all, or it was broken off: that is the end of the visit, though stream keeps the flow a while. */
static bool is_over(const struct stream_flow *f)
{
	return f->state == STREAM_CLOSED || (f->side[0].fin && f->side[1].fin);
}

static void take_tcp(struct talk *t, const struct pkt *p)
{
	struct stream_result r;
	stream_packet(t->stream, p, &r);
	struct stream_flow *f = r.flow;
	if (f == NULL)
		return;
	struct talk_conv *c = f->user;
	if (c == NULL && !f->side[0].no_app)
		c = meet(t, f, r.dir);
	if (c != NULL && !r.bad) {
		bool more = r.grown[0] || r.grown[1];
		for (unsigned n = 0; more && n < DRAIN_ROUNDS; n++) {
			feed(c, r.dir, false);
			more = stream_more(t->stream, f, &r);
		}
		if (is_over(f)) {
			feed(c, TO_SERVER, true);
			f->user = NULL;
			stop_listening(f);
			conv_free(c);
		}
	}
	stream_settle(t->stream, f);
}

/* ---- syslog by UDP ----------------------------------------------------------------------------------- */

static void take_datagram(struct talk *t, const struct pkt *p)
{
	const struct copy_head *h = t->head;
	uint32_t guest = h->from_guest != 0 ? h->guest : h->peer_guest;
	if (p->dport != SYSLOG_PORT || guest == 0 || guest == NO_GUEST || p->payload_len == 0)
		return;
	uint32_t len = p->payload_len;
	bool cut = len > SYSLOG_LINE;
	t->stats.syslog++;
	t->conf.syslog(t->conf.ctx, guest - 1, h->flow_id, (const char *)p->payload,
		       cut ? SYSLOG_LINE : len, cut);
}

static void take_packet(struct talk *t, const struct pkt *p)
{
	if (p->depth > 0 || p->fragment || p->invalid || p->l4_hlen == 0)
		return;
	if (p->proto == PROTO_UDP)
		take_datagram(t, p);
	else if (p->proto == PROTO_TCP &&
		 (t->conf.sessions || p->dport == SYSLOG_PORT || p->sport == SYSLOG_PORT))
		take_tcp(t, p);
}

/* ---- the public part ----------------------------------------------------------------------------------- */

static void forward(struct talk *t, int64_t now_ns)
{
	now_ns = now_ns < LONGEST_NS ? now_ns : LONGEST_NS;
	if (now_ns > t->now_ns)
		t->now_ns = now_ns;
}

void talk_frame(struct talk *t, const struct copy_head *h, const void *frame)
{
	if (h->kind != COPY_FRAME_WHOLE || h->guest == 0 || h->guest == NO_GUEST ||
	    h->len > COPY_FRAME)
		return;
	t->stats.frames++;
	t->head = h;
	t->head_guest = h->guest - 1u;
	forward(t, h->stamp_ns);
	uint32_t n = dissect_frame(t->dissect, LINK_ETHERNET, frame, h->len, h->len, t->now_ns,
				   ++t->number, t->pkts);
	for (uint32_t i = 0; i < n; i++)
		take_packet(t, &t->pkts[i]);
	t->head = NULL;
}

void talk_tick(struct talk *t, int64_t now_wall_ns)
{
	/* Copies come a little late: what they carry must not look older than what a tick said. */
	forward(t, now_wall_ns - NS_PER_SEC);
	(void)stream_sweep(t->stream, t->now_ns, SWEEP_FLOWS);
}

int talk_create(const struct talk_conf *conf, struct talk **ret)
{
	struct talk *t = calloc(1, sizeof(*t));
	if (t == NULL)
		return -ENOMEM;
	t->conf = *conf;
	size_t memory = conf->memory_bytes != 0 ? conf->memory_bytes : MEMORY_BYTES;
	const struct dissect_conf d = {.frag_packets = 256, .frag_bytes = 4u << 20};
	const struct stream_conf s = {
		.flows = FLOWS,
		.depth = UINT64_MAX,
		.midstream = true,
		.policy = POLICY_LINUX,
		.ended = on_ended,
		.ctx = t,
	};
	int err = slab_create(memory, &t->slab);
	if (err == 0)
		err = dissect_create(&d, &t->dissect);
	if (err == 0)
		err = stream_create(&s, t->slab, &t->stream);
	if (err != 0) {
		talk_free(&t);
		return err;
	}
	*ret = t;
	return 0;
}

void talk_free(struct talk **t)
{
	if (*t == NULL)
		return;
	(*t)->stopping = true;
	if ((*t)->stream != NULL)
		stream_free(&(*t)->stream);
	dissect_free(&(*t)->dissect);
	slab_free_all(&(*t)->slab);
	free(*t);
	*t = NULL;
}

void talk_read_stats(const struct talk *t, struct talk_stats *ret)
{
	*ret = t->stats;
}
