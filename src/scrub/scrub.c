/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A frame's way. inspect takes it apart and calls back for each packet in it; the worst that is said of one of
 * them is what becomes of the frame. What a rule stopped stays stopped: stream keeps the conversation as dead.
 *
 * Whoever can't be looked at as its receiver would see it does not pass: a packet that dissect could not read,
 * one that is no part of its TCP stream, one for which memory was out.
 */
#include "scrub/scrub_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW (4u << 20) /* bytes that came early, of a direction: what a stack has in flight */
/* How long a silent conversation is remembered, if the caller does not say: longer than keep-alive probes wait.
 * What is forgotten is refused when it goes on (TCP), or its ends may be taken for each other (UDP). */
#define TCP_IDLE_NS (86400 * NS_PER_SEC)
#define UDP_IDLE_NS (180 * NS_PER_SEC)

static bool is_ip(uint16_t ethertype)
{
	return ethertype == 0x0800 || ethertype == 0x86dd;
}

/* ---- verdicts ----------------------------------------------------------------------------------- */

static bool stops(uint8_t action)
{
	return action == ACTION_DROP || action == ACTION_REJECT || action == ACTION_REJECT_DST ||
	       action == ACTION_REJECT_BOTH;
}

static uint8_t tell_of(uint8_t action, uint8_t proto)
{
	if (action == ACTION_REJECT_DST)
		return SCRUB_TELL_RECEIVER;
	if (action == ACTION_REJECT_BOTH || proto == PROTO_TCP)
		return SCRUB_TELL_SENDER | SCRUB_TELL_RECEIVER;
	return SCRUB_TELL_SENDER;
}

static bool is_error(const struct pkt *p)
{
	return p->proto == PROTO_ICMP ? !p->has_icmp_id
				      : p->proto == PROTO_ICMP6 && p->icmp_type < 128;
}

/* The worst stands: a reject is a drop that is told. */
static void stop(struct scrub *s, uint8_t act, enum reason reason)
{
	if (s->seen->act >= act)
		return;
	s->seen->act = act;
	s->seen->reason = (uint8_t)reason;
}

static void stop_by_rule(struct scrub *s, const struct inspect_seen *x)
{
	struct scrub_seen *seen = s->seen;
	const struct pkt *p = x->pkt;
	bool reject = stops(x->action) && x->action != ACTION_DROP, error = is_error(p);
	stop(s, reject ? SCRUB_REJECT : SCRUB_DROP, REASON_RULE);
	if (reject)
		seen->tell |= tell_of(x->action, p->depth == 0 ? p->proto : 0);
	if (reject && p->proto == PROTO_TCP && p->depth == 0 && x->r->flow != NULL)
		seen->next = talk_next(x->r->flow, x->r->dir, p->tcp.seq);
	/* One without a flow of its own (a protocol that stream does not know) is its conversation. */
	if (p->depth == 0 && !p->fragment && !error)
		seen->dead = true;
	if (x->r->flow != NULL)
		x->r->flow->dead = true;
}

/* ---- what the caller can't have checked ------------------------------------------------------------ */

/* The transport's checksum of a packet that is no frame: put together from fragments, or out of a tunnel.
 * Its receiver throws it away if it is wrong, so it must not become part of a stream. */
static bool sum_fits(const struct pkt *p)
{
	uint32_t n = p->ip_ver == 4 ? 4 : 16, len = p->l4_len, start = 0;
	if (p->proto != PROTO_TCP && p->proto != PROTO_UDP && p->proto != PROTO_ICMP &&
	    p->proto != PROTO_ICMP6)
		return true;
	if (p->proto == PROTO_UDP && len >= 8 && load_be16(p->l4 + 6) == 0)
		return p->ip_ver == 4;
	if (p->proto != PROTO_ICMP)
		start = (uint32_t)packet_sum(p->src.b, n, packet_sum(p->dst.b, n, 0)) + p->proto +
			(len >> 16) + (len & 0xffff);
	return packet_sum(p->l4, len, start) == 0xffff;
}

static void on_before(void *ctx, struct pkt *p)
{
	struct scrub *s = ctx;
	talk_before(s, p);
	if ((p->rebuilt || p->depth > 0) && p->l4 != NULL && p->l4_hlen > 0 && !p->invalid &&
	    !sum_fits(p))
		p->invalid = p->bad_l4_csum = true;
}

/* ---- streams -------------------------------------------------------------------------------------- */

static enum reason stream_reason(const struct inspect_seen *x)
{
	return x->no_memory ? REASON_NO_MEMORY : REASON_STREAM;
}

/* Bytes at this place of the frame leave instead of its own: those of p's payload, to be changed. */
static uint8_t *patch(struct scrub *s, const struct pkt *p)
{
	if (s->patch_len == 0) {
		s->patch_at = (uint32_t)(p->payload - s->f->data);
		s->patch_len = p->payload_len;
		memcpy(s->patch, p->payload, p->payload_len);
	}
	s->seen->rebuild = true;
	return s->patch;
}

/* Can the packet be set right where it stands? What has left in pieces, or lies in a tunnel, can't. */
static bool in_place(const struct scrub *s, const struct pkt *p)
{
	return !p->rebuilt && p->depth == 0 && p->payload_len <= sizeof(s->patch);
}

/* A TCP packet that its stream has taken: what of it may leave as it is. */
static void look_at_tcp(struct scrub *s, const struct inspect_seen *x)
{
	const struct pkt *p = x->pkt;
	const struct stream_result *r = x->r;
	bool cut = (p->tcp.flags & (TCP_SYN | TCP_RST)) != 0 && p->payload_len > 0;
	bool odd = (p->tcp.flags & TCP_URG) != 0 || p->tcp.urg != 0 || r->differs || r->stale > 0 ||
		   cut;
	const struct rule_edit *edits;
	uint32_t n = inspect_engine(s->inspect) != NULL
			     ? rule_edits(inspect_engine(s->inspect), &edits)
			     : 0;
	if (!in_place(s, p)) {
		/* Pieces can't be numbered anew; in a tunnel nothing is: there a match drops. */
		bool rewrites = p->depth == 0 && inspect_engine(s->inspect) != NULL &&
				rule_rewrites(inspect_engine(s->inspect), r->flow, r->dir);
		if (n > 0) {
			stop_by_rule(s, x);
		} else if (odd || rewrites) {
			stop(s, SCRUB_DROP, p->rebuilt ? REASON_FRAGMENT : REASON_STREAM);
		}
		return;
	}
	if (!talk_seen(s, x)) {
		stop_by_rule(s, x);
		return;
	}
	if (odd) {
		s->stats.normalised++;
		s->seen->rebuild = true;
	}
	const struct talk *t = r->flow->user;
	if (r->differs && (t == NULL || t->x[r->dir] == NULL))
		stream_normalise(r->flow, r->dir, r->off, patch(s, p), p->payload_len);
}

/* Datagrams and the like: same length, in place. */
static void look_at_packet(struct scrub *s, const struct inspect_seen *x)
{
	const struct pkt *p = x->pkt;
	const struct rule_edit *edits;
	uint32_t n = inspect_engine(s->inspect) != NULL
			     ? rule_edits(inspect_engine(s->inspect), &edits)
			     : 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct rule_edit *e = &edits[i];
		if (!in_place(s, p) || e->where != WHERE_PACKET || e->n != e->len ||
		    e->off > p->payload_len || e->len > p->payload_len - e->off) {
			stop_by_rule(s, x);
			return;
		}
		memcpy(patch(s, p) + e->off, e->bytes, e->n);
		s->seen->rewritten = true;
		s->stats.edits++;
	}
}

/* An error that another conversation's packet gave rise to. What it quotes is translated on its own, so a rule
 * can't change it. */
static void look_at_error(struct scrub *s, const struct inspect_seen *x)
{
	const struct rule_edit *edits;
	if (inspect_engine(s->inspect) != NULL &&
	    rule_edits(inspect_engine(s->inspect), &edits) > 0)
		stop(s, SCRUB_DROP, REASON_RULE);
	else if (x->r->flow->tcp)
		talk_quoted(s, x);
}

static void on_seen(void *ctx, const struct inspect_seen *x)
{
	struct scrub *s = ctx;
	const struct pkt *p = x->pkt;
	const struct stream_result *r = x->r;
	if (s->seen == NULL)
		return;
	if (p->depth == 0 && r->flow != NULL) {
		s->seen->flow_id = r->flow->id;
		s->seen->dead |= r->flow->dead;
	}
	s->whole |= p->depth == 0 && !p->fragment;
	if (s->conf.ids)
		return;
	if (x->dead) {
		stop(s, SCRUB_DROP, REASON_RULE_FLOW);
		return;
	}
	if (stops(x->action) && !r->refuse) {
		stop_by_rule(s, x);
		return;
	}
	if (p->unread) {
		stop(s, SCRUB_DROP, REASON_MALFORMED);
		return;
	}
	/* Nobody sees to it that pieces in a tunnel come in order, and only once. */
	if (p->fragment && p->depth > 0) {
		stop(s, SCRUB_DROP, REASON_FRAGMENT);
		return;
	}
	if (p->invalid) {
		if (p->ip_ver != 0 || is_ip(p->ethertype))
			stop(s, SCRUB_DROP, p->bad_l4_csum ? REASON_BAD_CSUM : REASON_MALFORMED);
		return;
	}
	if (r->refuse || x->no_memory) {
		stop(s, SCRUB_DROP, stream_reason(x));
		/* Bytes that were taken in but not looked at would pass as a retransmission. */
		if (x->no_memory && !r->refuse && r->flow != NULL) {
			r->flow->dead = true;
			s->seen->dead |= p->depth == 0;
		}
		return;
	}
	if (p->proto == PROTO_TCP && r->flow != NULL && !p->fragment)
		look_at_tcp(s, x);
	else if (r->flow != NULL && is_error(p))
		look_at_error(s, x);
	else
		look_at_packet(s, x);
}

static void on_gone(void *ctx, struct stream_flow *f)
{
	struct scrub *s = ctx;
	talk_forget(s, f);
	if (s->seen != NULL && s->seen->flow == f)
		s->seen->flow = NULL;
}

void scrub_look(struct scrub *s, const struct frame *f, const struct layers *l, int64_t now_ns,
		struct scrub_seen *ret)
{
	memset(ret, 0, sizeof(*ret));
	s->f = f;
	s->l = l;
	s->seen = ret;
	s->now_ns = now_ns;
	s->whole = false;
	s->patch_len = 0;
	ret->next = l->seq;
	(void)inspect_frame(s->inspect, LINK_ETHERNET, f->data, f->len, f->len, now_ns);
	s->seen = NULL;
	if (s->conf.ids) {
		*ret = (struct scrub_seen){.flow_id = ret->flow_id};
		return;
	}
	/* The last piece of a datagram that nobody could put together. */
	if (ret->act == SCRUB_PASS && l->fragment && !l->more_fragments && !s->whole) {
		ret->act = SCRUB_DROP;
		ret->reason = REASON_FRAGMENT;
	}
	s->stats.dropped += ret->act == SCRUB_DROP;
	s->stats.rewritten += ret->act == SCRUB_PASS && ret->rewritten;
	s->stats.rejected += ret->act == SCRUB_REJECT;
}

/* A frame of a conversation that is not translated. False: it can't be set right. */
static bool set_right(struct scrub *s, const struct scrub_seen *seen, struct frame *f,
		      struct layers *l)
{
	if (s->patch_len > 0 && !packet_set_bytes(f, l, s->patch_at, s->patch, s->patch_len))
		return false;
	if (l->proto != PROTO_TCP || seen->flow == NULL)
		return true;
	uint32_t len = l->l3_end - l->payload, stale = s->r.stale < len ? s->r.stale : len;
	packet_clear_urgent(f, l);
	if ((l->tcp_flags & (TCP_SYN | TCP_RST)) != 0)
		emit_cut(f, l, 0, len);
	else if (stale > 0 && stale == len && (l->tcp_flags & TCP_FIN) == 0)
		emit_bare(f, l, l->seq); /* old: its receiver answers with what it has */
	else
		emit_cut(f, l, stale, 0);
	return true;
}

uint32_t scrub_emit(struct scrub *s, const struct scrub_seen *seen, struct frame *f,
		    struct layers *l, uint16_t out_port, struct frame ***ret)
{
	s->out[0] = f;
	s->has_back = false;
	*ret = s->out;
	if (l->icmp_error && seen->flow != NULL) {
		talk_quote(seen, f, l);
		return 1;
	}
	if (seen->flow != NULL && seen->flow->user != NULL) {
		emit_clear(s->emit);
		talk_leave(s, seen, f, l, out_port);
		return emit_frames(s->emit, ret);
	}
	if (!seen->rebuild)
		return 1;
	return set_right(s, seen, f, l) ? 1 : 0;
}

/* ---- ends ------------------------------------------------------------------------------------------- */

void scrub_end(struct scrub *s, const struct addr *src, const struct addr *dst, uint8_t proto,
	       uint16_t sport, uint16_t dport)
{
	bool icmp = proto == PROTO_ICMP || proto == PROTO_ICMP6;
	const struct pkt p = {.ip_ver = src->ver,
			      .src = *src,
			      .dst = *dst,
			      .proto = proto,
			      .sport = icmp ? 0 : sport,
			      .dport = icmp ? 0 : dport,
			      .icmp_type = icmp ? (uint8_t)sport : 0,
			      .icmp_id = icmp ? dport : 0,
			      .has_icmp_id = icmp};
	inspect_end_flow(s->inspect, &p);
}

/* ---- life ------------------------------------------------------------------------------------------- */

int scrub_create(const struct scrub_conf *conf, struct scrub **ret)
{
	struct scrub *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->conf = *conf;
	if (s->conf.hold_ns == 0)
		s->conf.hold_ns = SCRUB_HOLD_NS;
	struct inspect_conf c = conf->inspect;
	c.dissect.checksums = false; /* whoever calls has seen to them */
	c.dissect.inline_mode = c.stream.inline_mode = c.engine.inline_mode = !conf->ids;
	c.engine.reframes = !conf->ids; /* bodies.c */
	c.stream.checksums = false;
	c.stream.midstream = c.engine.midstream = conf->ids;
	if (!conf->ids)
		c.stream.depth = UINT64_MAX;
	if (!conf->ids && c.stream.window == 0)
		c.stream.window = WINDOW;
	if (c.stream.tcp_est_ns == 0)
		c.stream.tcp_est_ns = TCP_IDLE_NS;
	if (c.stream.udp_ns == 0)
		c.stream.udp_ns = UDP_IDLE_NS;
	c.hooks = (struct inspect_hooks){
		.before = on_before, .seen = on_seen, .gone = on_gone, .ctx = s};
	int err = inspect_create(&c, &s->inspect);
	if (err == 0)
		app_ctx_set_framing(inspect_app(s->inspect), bodies_frame, s);
	if (err == 0)
		err = emit_create(&s->emit);
	if (err != 0) {
		scrub_free(&s);
		return err;
	}
	*ret = s;
	return 0;
}

void scrub_free(struct scrub **s)
{
	if (*s == NULL)
		return;
	inspect_free(&(*s)->inspect);
	emit_free(&(*s)->emit);
	free(*s);
	*s = NULL;
}

void scrub_listen(struct scrub *s, const struct inspect_sink *sink)
{
	inspect_listen(s->inspect, sink);
}

struct slab *scrub_slab(struct scrub *s)
{
	return inspect_slab(s->inspect);
}

const struct rule_set *scrub_rules(const struct scrub *s)
{
	const struct rule_engine *e = inspect_engine(s->inspect);
	return e != NULL ? rule_engine_set(e) : NULL;
}

bool scrub_acts(const struct scrub *s)
{
	return !s->conf.ids;
}

void scrub_finish(struct scrub *s)
{
	inspect_finish(s->inspect);
}

void scrub_read_stats(const struct scrub *s, struct scrub_stats *ret)
{
	*ret = s->stats;
	inspect_read_stats(s->inspect, &ret->inspect);
	ret->late += ret->inspect.engine.replaced_late;
}
