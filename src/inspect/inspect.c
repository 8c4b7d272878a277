/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way of a frame: taken apart, put into its conversation, what became readable given to the
 * protocol's parser, and then judged by the rules. Order matters: a packet that acknowledges data
 * makes the other side's bytes readable, so that side goes first.
 */
#include "inspect/inspect_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_DEFAULT ((size_t)512 << 20)
#define SWEEP_NS (NS_PER_SEC / 4)
#define SWEEP_FLOWS 256u
#define DRAIN_ROUNDS 64u
#define TCP_SYN 0x02u

static void feed_side(struct inspect *i, struct stream_flow *f, unsigned dir, bool over)
{
	struct stream_side *s = &f->side[dir];
	struct app *a = f->app;
	uint64_t end = s->base + s->len;
	bool last = s->fin || s->truncated || over;
	uint32_t eof = INSPECT_EOF_TS << dir;
	if (a == NULL && s->len > 0 && !s->no_app)
		a = app_open(i->app, f);
	if (a == NULL || s->no_app) {
		s->no_app |= s->len > 0;
		s->app_done = end;
		return;
	}
	if (s->app_done < s->base) {
		uint64_t gap = s->base - s->app_done;
		app_feed(a, dir, NULL, gap < UINT32_MAX ? (uint32_t)gap : UINT32_MAX, APP_GAP,
			 i->now_ns);
		s->app_done = s->base;
	}
	/* A parser may stop where another takes over: it is asked again while it moves. */
	for (unsigned round = 0; round < DRAIN_ROUNDS; round++) {
		uint32_t len = (uint32_t)(end - s->app_done);
		if (len == 0 && (!last || (f->pseudo & eof) != 0))
			break;
		const uint8_t *at = len != 0 ? s->data + (s->app_done - s->base) : NULL;
		uint32_t took = app_feed(a, dir, at, len, last ? APP_EOF : 0, i->now_ns);
		s->app_done += took < len ? took : len;
		if (last) {
			f->pseudo |= eof;
			s->app_done = end;
		}
		if (took == 0 || last)
			break;
	}
	if (a->failed || a->wants_none) {
		for (unsigned d = 0; d < 2; d++) {
			f->side[d].no_app = true;
			f->side[d].app_done = f->side[d].base + f->side[d].len;
		}
	}
}

/* Gives the parser what this packet made readable. Returns whether there was anything. */
static bool feed(struct inspect *i, const struct pkt *p, const struct stream_result *r)
{
	struct stream_flow *f = r->flow;
	if (f->tcp) {
		unsigned other = r->dir ^ 1u;
		if (r->grown[other])
			feed_side(i, f, other, false);
		if (r->grown[r->dir])
			feed_side(i, f, r->dir, false);
		return r->grown[0] || r->grown[1];
	}
	if (p->proto != PROTO_UDP || p->payload_len == 0 || r->bad)
		return false;
	struct app *a = f->app != NULL ? f->app : app_open(i->app, f);
	if (a == NULL || a->failed || a->wants_none)
		return false;
	app_datagram(a, r->dir, p->payload, p->payload_len, i->now_ns);
	return true;
}

static const struct app_tx *tx_of(const struct stream_flow *f, const struct rule_hit *h)
{
	const struct app *a = f != NULL ? f->app : NULL;
	if (a != NULL && !h->has_tx)
		return app_last(a);
	const struct app_tx *tx = a != NULL ? a->tx_first : NULL;
	while (tx != NULL && tx->id != h->tx_id)
		tx = tx->next;
	return tx;
}

static bool stops(uint8_t action)
{
	return action == ACTION_DROP || action == ACTION_REJECT || action == ACTION_REJECT_DST ||
	       action == ACTION_REJECT_BOTH;
}

/* Tells the alerts; returns what is to become of the packet. */
static enum rule_action act(struct inspect *i, const struct pkt *p, struct stream_flow *f,
			    unsigned dir, const struct rule_hit *hits, uint32_t n)
{
	enum rule_action all = ACTION_ALERT;
	for (uint32_t k = 0; k < n; k++) {
		const struct rule_hit *h = &hits[k];
		if (h->alert) {
			struct inspect_alert a = {
				.pkt = p, .flow = f, .tx = tx_of(f, h), .hit = *h, .dir = dir};
			i->alerts++;
			if (f != NULL)
				f->pseudo |= INSPECT_ALERTED;
			if (i->conf.sink.alert != NULL)
				i->conf.sink.alert(i->conf.sink.ctx, &a);
		}
		if (!i->conf.engine.inline_mode ||
		    !(stops(h->action) || h->action == ACTION_REWRITE))
			continue;
		if (all == ACTION_ALERT || all == ACTION_REWRITE)
			all = (enum rule_action)h->action;
		/* What was seen in the conversation ends it; one packet's own matter only the packet. */
		if (f != NULL && stops(h->action) && h->where != WHERE_FRAME)
			f->dead = true;
	}
	return all;
}

/* In the midst of reading: a transaction holds more than it can keep. */
static void look_now(void *ctx, struct app *a)
{
	struct inspect *i = ctx;
	if (i->engine != NULL && i->reading != NULL && i->read->flow == a->flow)
		rule_part(i->engine, i->reading, i->read);
}

static void tell_seen(struct inspect *i, struct inspect_seen *s)
{
	struct slab_stats m;
	if (i->conf.hooks.seen == NULL)
		return;
	slab_read_stats(i->slab, &m);
	const struct app *a = s->r->flow != NULL ? s->r->flow->app : NULL;
	s->no_memory = m.refused != i->refused || (a != NULL && a->full);
	i->conf.hooks.seen(i->conf.hooks.ctx, s);
}

static bool is_syn(const struct pkt *p)
{
	return p->proto == PROTO_TCP && (p->tcp.flags & TCP_SYN) != 0;
}

static enum rule_action one_packet(struct inspect *i, struct pkt *p)
{
	struct stream_result r;
	struct inspect_seen seen = {.pkt = p, .r = &r, .hits = i->hits, .action = ACTION_ALERT};
	struct slab_stats m;
	if (i->conf.hooks.seen != NULL) {
		slab_read_stats(i->slab, &m);
		i->refused = m.refused;
	}
	if (i->conf.hooks.before != NULL)
		i->conf.hooks.before(i->conf.hooks.ctx, p);
	stream_packet(i->stream, p, &r);
	/* A conversation that began by ending another got its memory; bytes were not taken in. */
	if (i->conf.hooks.seen != NULL && !r.refuse && is_syn(p)) {
		slab_read_stats(i->slab, &m);
		i->refused = m.refused;
	}
	struct stream_flow *f = r.flow;
	i->packets++;
	if (f != NULL && r.first && i->engine == NULL)
		f->side[0].no_raw = f->side[1].no_raw = true;
	if (f != NULL && f->dead) {
		i->dropped++;
		seen.dead = true;
		seen.action = ACTION_DROP;
		tell_seen(i, &seen);
		stream_settle(i->stream, f);
		return ACTION_DROP;
	}
	/* What will not pass is looked at for itself: it must not end, or count in, a conversation that it is
	 * no part of. */
	static const struct stream_result stray = {.bad = true};
	const struct stream_result *of = r.refuse ? &stray : &r;
	i->reading = p;
	i->read = &r;
	bool fed = of->flow != NULL && !p->invalid && feed(i, p, &r);
	i->reading = NULL;
	inspect_tell_packet(i, p, &r);
	enum rule_action action = ACTION_ALERT;
	if (i->engine != NULL) {
		seen.n_hits = rule_packet(i->engine, p, of, i->hits);
		if (seen.n_hits > 0)
			action = act(i, p, of->flow, of->dir, i->hits, seen.n_hits);
	}
	seen.action = (uint8_t)action;
	tell_seen(i, &seen);
	if (f == NULL)
		return action;
	if (fed) {
		inspect_tell_txs(i, f, false);
		if (f->app != NULL)
			app_sweep(f->app, rule_tx_free, i->engine, false);
	}
	stream_settle(i->stream, f);
	return action;
}

enum rule_action inspect_frame(struct inspect *i, uint16_t link, const uint8_t *data, uint32_t len,
			       uint32_t wire_len, int64_t stamp_ns)
{
	enum rule_action action = ACTION_ALERT;
	/* A file may say any time. Before this one (2116) time-outs can be added without a thought. */
	if (stamp_ns > INT64_MAX / 2)
		stamp_ns = INT64_MAX / 2;
	i->frames++;
	i->bytes += wire_len;
	i->now_ns = stamp_ns;
	uint32_t n =
		dissect_frame(i->dissect, link, data, len, wire_len, stamp_ns, i->frames, i->pkts);
	for (uint32_t k = 0; k < n; k++) {
		/* Its receiver would have thrown it away: headers are matched, nothing else. */
		i->pkts[k].invalid |= i->pkts[k].bad_ip_csum || i->pkts[k].bad_l4_csum;
		enum rule_action one = one_packet(i, &i->pkts[k]);
		if (action == ACTION_ALERT)
			action = one;
	}
	if (stamp_ns - i->swept_ns >= SWEEP_NS || stamp_ns < i->swept_ns) {
		if (stream_sweep(i->stream, stamp_ns, SWEEP_FLOWS) < SWEEP_FLOWS)
			i->swept_ns = stamp_ns;
	}
	return action;
}

/* ---- the end of a conversation ------------------------------------------------------------------ */

/* Rules want a packet: one that says only between whom the conversation was. */
static void end_packet(const struct inspect *i, const struct stream_flow *f, unsigned dir,
		       struct pkt *ret)
{
	*ret = (struct pkt){
		.stamp_ns = i->now_ns,
		.number = i->frames,
		.ip_ver = f->ip_ver,
		.src = f->addr[dir],
		.dst = f->addr[dir ^ 1u],
		.proto = f->proto,
		.sport = f->port[dir],
		.dport = f->port[dir ^ 1u],
		.n_vlan = f->n_vlan,
	};
	memcpy(ret->vlan, f->vlan, sizeof(ret->vlan));
}

/* Both sides are heard out, then judged. */
static void hear_out(struct inspect *i, struct stream_flow *f, bool over)
{
	for (unsigned dir = 0; dir < 2; dir++)
		feed_side(i, f, dir, over);
	for (unsigned dir = 0; dir < 2 && i->engine != NULL; dir++) {
		struct pkt p;
		end_packet(i, f, dir, &p);
		uint32_t n = rule_flow_end(i->engine, &p, f, dir, i->end_hits);
		act(i, &p, f, dir, i->end_hits, n);
	}
}

static bool heard(const struct stream_flow *f)
{
	for (unsigned dir = 0; dir < 2; dir++) {
		const struct stream_side *s = &f->side[dir];
		uint64_t end = s->base + s->len;
		if ((!s->no_app && s->app_done < end) || (!s->no_raw && s->raw_done < end))
			return false;
	}
	return true;
}

static void ended(void *ctx, struct stream_flow *f, const char *reason)
{
	struct inspect *i = ctx;
	bool data = f->side[0].base + f->side[0].len + f->side[1].base + f->side[1].len > 0;
	if (f->tcp && data && !f->dead) {
		struct stream_result r = {.flow = f};
		if (!heard(f))
			hear_out(i, f, false);
		/* Behind a gap that nobody fills there may be more, and behind that. */
		for (unsigned n = 0; n < DRAIN_ROUNDS && stream_more(i->stream, f, &r); n++)
			hear_out(i, f, false);
		hear_out(i, f, true);
	}
	if (f->app != NULL) {
		const struct app *a = f->app;
		inspect_tell_txs(i, f, true);
		if (a->proto < APP_PROTOS)
			i->apps[a->proto]++;
	}
	if (i->conf.sink.flow_end != NULL)
		i->conf.sink.flow_end(i->conf.sink.ctx, f, reason);
	if (i->conf.hooks.gone != NULL)
		i->conf.hooks.gone(i->conf.hooks.ctx, f);
	if (f->app != NULL)
		app_close(f, rule_tx_free, i->engine);
	if (i->engine != NULL)
		rule_flow_free(i->engine, f);
}

/* ---- life --------------------------------------------------------------------------------------- */

int inspect_create(const struct inspect_conf *conf, struct inspect **ret)
{
	struct inspect *i = calloc(1, sizeof(*i));
	if (i == NULL)
		return -ENOMEM;
	i->conf = *conf;
	i->conf.stream.ended = ended;
	i->conf.stream.ctx = i;
	int err = slab_create(conf->memory_bytes != 0 ? conf->memory_bytes : MEMORY_DEFAULT,
			      &i->slab);
	if (err == 0)
		err = dissect_create(&i->conf.dissect, &i->dissect);
	if (err == 0)
		err = app_ctx_create(&i->conf.app, i->slab, &i->app);
	if (err == 0 && conf->rules != NULL)
		err = rule_engine_create(conf->rules, &i->conf.engine, i->slab, &i->engine);
	if (err == 0)
		err = stream_create(&i->conf.stream, i->slab, &i->stream);
	if (err != 0) {
		inspect_free(&i);
		return err;
	}
	app_ctx_set_stream(i->app, i->stream);
	app_ctx_set_full(i->app, look_now, i);
	*ret = i;
	return 0;
}

void inspect_listen(struct inspect *i, const struct inspect_sink *sink)
{
	i->conf.sink = *sink;
}

void inspect_end_flow(struct inspect *i, const struct pkt *p)
{
	unsigned dir;
	struct stream_flow *f = stream_find(i->stream, p, &dir);
	if (f == NULL)
		return;
	f->done = true;
	stream_settle(i->stream, f);
}

struct stream *inspect_stream(struct inspect *i)
{
	return i->stream;
}

struct app_ctx *inspect_app(struct inspect *i)
{
	return i->app;
}

struct slab *inspect_slab(struct inspect *i)
{
	return i->slab;
}

void inspect_finish(struct inspect *i)
{
	if (i->stream == NULL)
		return;
	stream_read_stats(i->stream, &i->ended);
	stream_free(&i->stream);
}

void inspect_free(struct inspect **i)
{
	struct inspect *x = *i;
	if (x == NULL)
		return;
	inspect_finish(x);
	rule_engine_free(&x->engine);
	app_ctx_free(&x->app);
	dissect_free(&x->dissect);
	slab_free_all(&x->slab);
	free(x);
	*i = NULL;
}
