/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules in the way of a frame. They are written for what the guest sees, and all of a conversation must look the
 * same to them: a frame that arrives at that side is looked at before its addresses are translated, any other
 * afterwards. Between two guests it is the asked one's side that counts.
 */
#include "judge/judge_priv.h"

#include <string.h>

static unsigned view_side(const struct flow *f)
{
	return f->direction == DIR_OUTBOUND ? 0 : 1;
}

static void translate(struct way *w, const struct flow *f, unsigned side, struct layers *quoted)
{
	if (quoted != NULL)
		nat_apply_error(w, quoted, f, side);
	else
		nat_apply(w, f, side);
}

/* Back to what its sender wrote, as far as an answer to him shows it. */
static void translate_back(struct way *w, const struct layers *was)
{
	if (!addr_eq(&w->l.src, &was->src))
		packet_set_addr(w->f, &w->l, true, &was->src);
	if (!addr_eq(&w->l.dst, &was->dst))
		packet_set_addr(w->f, &w->l, false, &was->dst);
	if (w->l.sport != was->sport)
		packet_set_port(w->f, &w->l, true, was->sport);
	if (w->l.dport != was->dport)
		packet_set_port(w->f, &w->l, false, was->dport);
}

static void tell_receiver(struct way *w, const struct flow *f, unsigned side, uint32_t next)
{
	const struct flow_key *k = &f->key[!side]; /* what the receiver sends */
	struct layers l = w->l;
	struct mac dst, src;
	l.src = k->dst, l.dst = k->src;
	l.sport = k->dport, l.dport = k->sport;
	if (!w->routed) {
		memcpy(dst.b, w->f->data, sizeof(dst.b));
		memcpy(src.b, w->f->data + 6, sizeof(src.b));
	} else if (!binding_link(w->j, f, w->f->port, k->port, &dst, &src)) {
		return;
	}
	answer_reset_receiver(w, &l, k->port, &dst, &src, next);
}

/* The frame was stopped. */
static enum reason stopped(struct way *w, struct flow *f, unsigned side, bool quoted,
			   const struct scrub_seen *seen)
{
	bool by_rule = seen->reason == REASON_RULE, reject = seen->act == SCRUB_REJECT;
	w->ret->verdict = reject ? VERDICT_REJECT : VERDICT_DROP;
	if (by_rule)
		alert_dropped(w, f, side, f->id);
	if (reject && !quoted) {
		if ((seen->tell & SCRUB_TELL_SENDER) != 0)
			answer_reject(w);
		if ((seen->tell & SCRUB_TELL_RECEIVER) != 0 && w->l.proto == PROTO_TCP)
			tell_receiver(w, f, side, seen->next);
	}
	if (seen->dead && !quoted) {
		f->verdict = w->ret->verdict;
		f->reason = REASON_RULE_FLOW;
		f->pkts[side]++;
		f->bytes[side] += w->f->len;
		flow_touch(w->j->table, f, FLOW_REFUSED, w->now_ns);
	}
	return (enum reason)seen->reason;
}

enum reason inline_look(struct way *w, struct flow *f, unsigned side, struct layers *quoted,
			struct scrub_seen *ret_seen)
{
	struct judge *j = w->j;
	if (j->conf.scrub == NULL || weak(j, WEAK_RULES)) {
		translate(w, f, side, quoted);
		return REASON_NONE;
	}
	bool after = side != view_side(f);
	const struct layers was = w->l;
	if (after)
		translate(w, f, side, quoted);
	j->way = w;
	j->look_flow = f;
	j->look_side = side;
	scrub_look(j->conf.scrub, w->f, &w->l, w->now_ns, ret_seen);
	j->way = NULL;
	j->look_flow = NULL;
	if (ret_seen->act == SCRUB_PASS) {
		if (!after)
			translate(w, f, side, quoted);
		return REASON_NONE;
	}
	if (after && quoted == NULL)
		translate_back(w, &was);
	return stopped(w, f, side, quoted != NULL, ret_seen);
}

void inline_emit(struct way *w, const struct scrub_seen *seen)
{
	struct judge_result *r = w->ret;
	if (w->j->conf.scrub == NULL || weak(w->j, WEAK_RULES))
		return;
	r->rewritten = seen->rewritten;
	if (w->l.proto != PROTO_TCP && !seen->rebuild)
		return;
	r->n_frames = scrub_emit(w->j->conf.scrub, seen, w->f, &w->l, r->out_port, &r->frames);
	r->changed = r->n_frames != 1 || r->frames[0] != w->f;
	struct frame *back = scrub_back(w->j->conf.scrub);
	if (back != NULL && r->n_replies < JUDGE_REPLIES) {
		r->replies[r->n_replies] = back;
		r->reply_port[r->n_replies++] = w->f->port;
	}
}

void inline_flow_ended(struct judge *j, const struct flow *f, int64_t now_ns)
{
	(void)now_ns;
	/* A TCP conversation that a rule ended stays known to scrub for as long as it has room, whatever
	 * becomes of the wall's own memory of it. Others have no beginning that could be told from the
	 * middle, and echoes are one conversation to a rule: they are forgotten together. */
	bool dead = f->reason == REASON_RULE_FLOW;
	if (j->conf.scrub == NULL || (f->reason != REASON_NONE && !dead) ||
	    (dead && f->key[0].proto == PROTO_TCP))
		return;
	unsigned view = view_side(f);
	const struct flow_key *k = &f->key[view];
	struct addr src = k->src, dst = k->dst; /* as the one who began writes them */
	uint16_t sport = k->sport, dport = k->dport;
	if (view == 1) {
		src = k->dst, dst = k->src;
		sport = k->dport, dport = k->sport;
	}
	bool icmp = k->proto == PROTO_ICMP || k->proto == PROTO_ICMP6;
	const struct flow *before = j->look_flow;
	unsigned side = j->look_side;
	j->look_flow = f;
	j->look_side = 0;
	scrub_end(j->conf.scrub, &src, &dst, k->proto, icmp ? f->icmp_type : sport,
		  icmp ? k->sport : dport);
	j->look_flow = before;
	j->look_side = side;
}
