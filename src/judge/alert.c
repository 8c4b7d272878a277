/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What rules tell. A rule that a guest (or the outside) sets off again and again is told at a bounded rate of
 * its own, so that it can't hide another; what is beyond is summed up with the other events.
 */
#include "judge/judge_priv.h"

#include <string.h>

#define SLOT_PRICE_NS (NS_PER_SEC / 20)

static bool room(struct judge *j, uint32_t sid, uint16_t port, int64_t now_ns)
{
	uint32_t at = (sid * 2654435761u ^ port * 40503u) >> 8 & (ALERT_SLOTS - 1);
	if (policy_rate_take(&j->alert_ns[at], SLOT_PRICE_NS, NS_PER_SEC, now_ns) &&
	    policy_rate_take(&j->alerts_ns, report_price_ns(j), NS_PER_SEC, now_ns))
		return true;
	report_suppressed(j);
	return false;
}

static bool is_icmp(uint8_t proto)
{
	return proto == PROTO_ICMP || proto == PROTO_ICMP6;
}

/* What was seen inside a tunnel, on a bridge, or of a flow that the wall's table does not know. */
static void tuple_of_packet(const struct judge *j, const struct pkt *p, bool turned,
			    struct event_tuple *ret)
{
	bool icmp = is_icmp(p->proto);
	ret->proto = p->proto;
	ret->src = ret->in_src = turned ? p->dst : p->src;
	ret->dst = ret->in_dst = turned ? p->src : p->dst;
	ret->sport = ret->in_sport = icmp ? p->icmp_type : turned ? p->dport : p->sport;
	ret->dport = ret->in_dport = icmp ? p->icmp_code : turned ? p->sport : p->dport;
	ret->icmp_id = icmp ? p->icmp_id : 0;
	if (j->way != NULL)
		text_copy(ret->in_port, sizeof(ret->in_port), j->way->in->p.name);
}

static uint8_t priority_of(uint8_t direction)
{
	return direction == DIR_OUTBOUND ? 2 : 1;
}

static bool blocks(uint8_t action)
{
	return action == ACTION_DROP || action == ACTION_REJECT || action == ACTION_REJECT_DST ||
	       action == ACTION_REJECT_BOTH || action == ACTION_REWRITE;
}

static void on_alert(void *ctx, const struct inspect_alert *a)
{
	struct judge *j = ctx;
	const struct flow *f = j->look_flow;
	struct rule_info r;
	int64_t now_ns = j->way != NULL ? j->way->now_ns : a->pkt->stamp_ns;
	uint16_t port = j->way != NULL ? j->way->f->port : 0;
	/* Looking at one frame may end another conversation: that is not the frame's. */
	if (a->pkt->frame == NULL && j->way != NULL)
		f = NULL;
	rule_set_info(scrub_rules(j->conf.scrub), a->hit.rule, &r);
	if (!room(j, r.sid, f != NULL ? f->guest : port, now_ns))
		return;
	struct event e = event_new(EVENT_ALERT);
	struct event_alert *x = &e.u.alert;
	bool turned = a->flow != NULL && a->hit.dir != a->dir;
	bool ours = f != NULL && a->pkt->depth == 0;
	/* Without a frame (the conversation is over) its first direction is that of the wall's flow. */
	unsigned side = a->pkt->frame != NULL ? j->look_side : a->dir;
	if (ours)
		report_tuple(j, f, turned ? !side : side, &x->tuple);
	else
		tuple_of_packet(j, a->pkt, turned, &x->tuple);
	e.flow_id = f != NULL ? f->id : j->conf.bridge && a->flow != NULL ? a->flow->id : 0;
	e.direction = f != NULL ? f->direction : DIR_NONE;
	e.priority = priority_of(e.direction);
	x->blocked = blocks(a->hit.action) && scrub_acts(j->conf.scrub);
	e.verdict = x->blocked ? VERDICT_DROP : VERDICT_FORWARD;
	if (a->hit.action == ACTION_REWRITE && x->blocked)
		e.verdict = VERDICT_REWRITE;
	e.reason = x->blocked ? REASON_RULE : REASON_NONE;
	x->gid = r.gid;
	x->sid = r.sid;
	x->rev = r.rev;
	x->severity = r.severity;
	x->toclient = a->hit.dir == TO_CLIENT;
	text_copy(x->class, sizeof(x->class), r.category);
	const struct app *app = a->flow != NULL ? a->flow->app : NULL;
	if (app != NULL && app->proto != APP_UNKNOWN)
		text_copy(x->app_proto, sizeof(x->app_proto),
			  app_proto_text((enum app_proto)app->proto));
	event_say(&e, "%s", r.msg);
	report_event(j, &e);
}

void alert_listen(struct judge *j)
{
	const struct inspect_sink sink = {.alert = on_alert, .ctx = j};
	if (j->conf.scrub != NULL)
		scrub_listen(j->conf.scrub, &sink);
}

void alert_dropped(struct way *w, const struct flow *f, unsigned side, uint64_t flow_id)
{
	struct judge *j = w->j;
	const struct layers *l = &w->l;
	if (!room(j, 0, f != NULL ? f->guest : w->f->port, w->now_ns))
		return;
	struct event e = event_new(EVENT_DROP);
	struct event_tuple *t = &e.u.drop.tuple;
	if (f != NULL) {
		report_tuple(j, f, side, t);
	} else {
		t->proto = l->proto;
		t->src = t->in_src = l->src;
		t->dst = t->in_dst = l->dst;
		t->sport = t->in_sport = is_icmp(l->proto) ? l->icmp_type : l->sport;
		t->dport = t->in_dport = is_icmp(l->proto) ? l->icmp_code : l->dport;
		text_copy(t->in_port, sizeof(t->in_port), w->in->p.name);
	}
	e.flow_id = flow_id;
	e.direction = f != NULL ? f->direction : DIR_NONE;
	e.verdict = w->ret->verdict;
	e.reason = REASON_RULE;
	e.priority = priority_of(e.direction);
	e.u.drop.len = l->l3_end > l->l3 ? l->l3_end - l->l3 : 0;
	e.u.drop.toclient = f != NULL && side == 1;
	event_say(&e, "a rule stopped a %u byte packet", e.u.drop.len);
	report_event(j, &e);
}
