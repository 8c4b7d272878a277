/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Containment: what becomes of a conversation that a guest wants to begin. First what nobody can
 * overrule (fences, roach motel), then the operator's order for this guest, then the first rule of the
 * policy that matches, or the built-in policy. docs/POLICY.md says all of it in words; an independent
 * model made from that page is what the tests hold this to.
 */
#include "judge/judge_priv.h"

#include <string.h>

#define SMTP_PORT 25
#define DNS_PORT 53

static bool is_icmp(uint8_t proto)
{
	return proto == PROTO_ICMP || proto == PROTO_ICMP6;
}

static unsigned class_of(uint8_t proto)
{
	if (proto == PROTO_TCP)
		return POLICY_TCP;
	if (proto == PROTO_UDP)
		return POLICY_UDP;
	return is_icmp(proto) ? POLICY_ICMP : POLICY_OTHER;
}

static bool has_ports(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP;
}

static void refuse(struct plan *p, enum reason reason, enum verdict verdict)
{
	p->reason = (uint8_t)reason;
	p->verdict = (uint8_t)verdict;
}

/* ---- where it goes ------------------------------------------------------------------------------ */

static void go_lateral(const struct way *w, struct plan *p)
{
	const struct judge_port *g = &w->j->ports[p->peer_guest].p;
	const struct flow_key *k = &p->key[0];
	const struct addr *inside = k->dst.ver == 4 ? &g->inside : &g->inside6;
	if (inside->ver == 0)
		p->reason = REASON_CLOSED;
	else if (!g->up)
		p->reason = REASON_PORT_DOWN;
	else
		open_reply_key(p, p->peer_guest, inside, k->dport, &k->src, k->sport);
	p->class = POLICY_LATERAL;
}

static void go_outside(const struct way *w, struct plan *p)
{
	const struct judge *j = w->j;
	const struct flow_key *k = &p->key[0];
	const struct addr *public = binding_public_of(w->in, k->src.ver);
	if (!p->resolver && policy_is_off_limits(&j->off_limits, &k->dst) &&
	    !weak(j, WEAK_OFF_LIMITS))
		p->reason = REASON_OFF_LIMITS;
	else if (public->ver == 0)
		p->reason = REASON_CLOSED;
	else if (!j->ports[0].p.up)
		p->reason = REASON_PORT_DOWN;
	else if (binding_router(j, k->dst.ver) == NULL)
		p->reason = REASON_NO_NEXT_HOP;
	else
		open_reply_key(p, 0, &k->dst, k->dport, public, k->sport);
	p->class = p->resolver ? POLICY_DNS : (uint8_t)class_of(k->proto);
}

/* To where it was meant to go. */
static void go_on(const struct way *w, struct plan *p, enum verdict verdict, bool limited)
{
	p->verdict = (uint8_t)verdict;
	p->limited = limited;
	if (p->direction == DIR_LATERAL)
		go_lateral(w, p);
	else
		go_outside(w, p);
}

/* What can be told apart by a port or an id may get another one there. */
static void go_elsewhere(struct plan *p)
{
	p->relayed = true;
	p->any_sport = has_ports(p->key[0].proto) || is_icmp(p->key[0].proto);
}

static uint16_t sink_port(uint8_t proto, uint16_t dport)
{
	enum { HTTP = 80, DNS = DNS_PORT, NTP = 123, REST = 9 };
	if (!has_ports(proto))
		return dport;
	if (dport == DNS)
		return DNS;
	if (proto == PROTO_UDP)
		return dport == NTP ? NTP : REST;
	if (dport == SMTP_PORT || dport == 465 || dport == 587)
		return SMTP_PORT;
	return dport == HTTP || dport == 8000 || dport == 8080 ? HTTP : REST;
}

static void go_to_sink(const struct way *w, struct plan *p)
{
	const struct flow_key *k = &p->key[0];
	uint16_t to = binding_sink(w->j);
	p->verdict = VERDICT_REDIRECT;
	p->limited = p->resolver;
	p->class = POLICY_DNS;
	if (weak(w->j, WEAK_SINK)) {
		go_on(w, p, VERDICT_FORWARD, true);
		return;
	}
	if (to == FLOW_NO_PORT) {
		refuse(p, REASON_POLICY, VERDICT_DROP);
		return;
	}
	go_elsewhere(p);
	open_reply_key(p, to, &k->dst, sink_port(k->proto, k->dport), &k->src, k->sport);
}

static void go_to_address(const struct way *w, struct plan *p, const struct conf_policy *rule)
{
	const struct flow_key *k = &p->key[0];
	const struct addr *public = binding_public_of(w->in, k->src.ver), *to = &rule->redirect_to;
	bool other_port = has_ports(k->proto) && rule->redirect_port != 0;
	p->verdict = VERDICT_REDIRECT;
	p->limited = true;
	p->class = (uint8_t)class_of(k->proto);
	if (to->ver != k->dst.ver)
		refuse(p, REASON_POLICY, VERDICT_DROP);
	else if (contain_is_fenced(w->j, to))
		p->reason = REASON_FENCE;
	else if (public->ver == 0 || binding_answers_outside(w->j, to))
		p->reason = REASON_CLOSED;
	else if (!w->j->ports[0].p.up)
		p->reason = REASON_PORT_DOWN;
	else if (binding_router(w->j, to->ver) == NULL)
		p->reason = REASON_NO_NEXT_HOP;
	if (p->reason != REASON_NONE)
		return;
	go_elsewhere(p);
	open_reply_key(p, 0, to, other_port ? rule->redirect_port : k->dport, public, k->sport);
}

static void go_to_guest(const struct way *w, struct plan *p, const struct conf_policy *rule)
{
	const struct flow_key *k = &p->key[0];
	uint16_t to = binding_name(w->j, rule->reflect_to);
	p->verdict = VERDICT_REFLECT;
	p->limited = true;
	p->class = POLICY_LATERAL;
	if (to == FLOW_NO_PORT || to == p->guest || w->j->ports[to].p.kind != JUDGE_HONEYPOT) {
		refuse(p, REASON_POLICY, VERDICT_DROP);
		return;
	}
	const struct judge_port *g = &w->j->ports[to].p;
	const struct addr *inside = k->dst.ver == 4 ? &g->inside : &g->inside6;
	p->peer_guest = to;
	if (inside->ver == 0)
		p->reason = REASON_CLOSED;
	else if (!g->up)
		p->reason = REASON_PORT_DOWN;
	if (p->reason != REASON_NONE)
		return;
	go_elsewhere(p);
	open_reply_key(p, to, inside, k->dport, &k->src, k->sport);
}

/* ---- which verdict ------------------------------------------------------------------------------ */

/* rule NULL: an order, which says no more than the verdict. */
static void act(const struct way *w, struct plan *p, uint8_t what, const struct conf_policy *rule)
{
	bool led = rule != NULL && (what == ACT_REFLECT || rule->redirect_to.ver != 0);
	if (weak(w->j, WEAK_POLICY) && (what == ACT_DROP || what == ACT_REJECT || led))
		what = ACT_FORWARD;
	switch ((enum conf_act)what) {
	case ACT_FORWARD:
		go_on(w, p, VERDICT_FORWARD, false);
		return;
	case ACT_LIMIT:
		go_on(w, p, VERDICT_FORWARD, true);
		return;
	case ACT_REWRITE:
		go_on(w, p, VERDICT_REWRITE, true);
		return;
	case ACT_REDIRECT:
		if (rule != NULL && rule->redirect_to.ver != 0)
			go_to_address(w, p, rule);
		else
			go_to_sink(w, p);
		return;
	case ACT_REFLECT:
		if (rule != NULL) {
			go_to_guest(w, p, rule);
			return;
		}
		break;
	case ACT_REJECT:
		refuse(p, REASON_POLICY, VERDICT_REJECT);
		return;
	case ACT_DROP:
	case ACTS:
		break;
	}
	refuse(p, REASON_POLICY, VERDICT_DROP);
}

/* Names are asked of the sink, whomever the guest asks: there is a budget, a log and an eye for tunnels. */
static void built_in(const struct way *w, struct plan *p)
{
	const struct flow_key *k = &p->key[0];
	bool outbound = p->direction == DIR_OUTBOUND, sink = binding_sink(w->j) != FLOW_NO_PORT;
	bool smtp = k->proto == PROTO_TCP && k->dport == SMTP_PORT && outbound &&
		    !weak(w->j, WEAK_SMTP);
	bool dns =
		sink && (p->resolver || (has_ports(k->proto) && k->dport == DNS_PORT && outbound));
	if (!dns && !smtp) {
		go_on(w, p, VERDICT_FORWARD, true);
		return;
	}
	if (!p->resolver && policy_is_off_limits(&w->j->off_limits, &k->dst)) {
		p->reason = REASON_OFF_LIMITS;
	} else if (!sink) {
		p->reason = REASON_SMTP;
	} else {
		go_to_sink(w, p);
		p->limited = true;
		p->class = dns ? POLICY_DNS : POLICY_TCP;
	}
}

static void by_rules(const struct way *w, struct plan *p)
{
	const struct conf_wall *c = &w->j->conf.wall;
	const struct flow_key *k = &p->key[0];
	const struct policy_ask ask = {.guest = w->in->p.name,
				       .guest_class = w->in->p.class,
				       .class = (uint8_t)class_of(k->proto),
				       .lateral = p->direction == DIR_LATERAL,
				       .resolver = p->resolver,
				       .dport = k->dport,
				       .dst = k->dst};
	if (c->n_policy == 0) {
		built_in(w, p);
		return;
	}
	const struct conf_policy *rule = policy_match(c->policy, c->n_policy, &ask);
	act(w, p, rule != NULL ? rule->act : ACT_DROP, rule);
	if (rule != NULL && p->reason == REASON_NONE && policy_counts(rule))
		p->rule = (uint8_t)(rule - c->policy);
}

/* Data that a client outside has asked for is a part of its conversation and counts in no class. What the policy
 * refuses, leads elsewhere or counts by windows of a rule stays so: whoever can fake a client would choose what that
 * is worth. */
static void relate(const struct way *w, struct plan *p)
{
	bool goes_on = p->verdict == VERDICT_FORWARD || p->verdict == VERDICT_REWRITE;
	if (p->reason != REASON_NONE || p->direction != DIR_OUTBOUND || !goes_on ||
	    p->rule != FLOW_NO_RULE || !ftp_expected(w->j, p->guest, &p->key[0], w->now_ns, false))
		return;
	p->related = true;
	p->limited = false;
}

void contain_plan(const struct way *w, struct plan *p)
{
	const struct policy_override *o;
	bool log =
		p->direction == DIR_LATERAL && w->j->ports[p->peer_guest].p.kind == JUDGE_LOGHOST;
	if (contain_is_fenced(w->j, &p->key[0].dst)) {
		p->reason = REASON_FENCE;
	} else if (log) { /* the record must not run dry */
		go_on(w, p, VERDICT_FORWARD, false);
	} else if (w->in->p.roach_motel && !weak(w->j, WEAK_ROACH_MOTEL)) {
		p->reason = REASON_ROACH_MOTEL;
	} else if ((o = policy_override_of(&w->j->now, w->in->p.name)) != NULL) {
		act(w, p, o->act, NULL);
	} else {
		by_rules(w, p);
		relate(w, p);
	}
}

/* ---- counting ------------------------------------------------------------------------------------ */

const struct conf_limit *contain_limit(const struct judge *j, unsigned class)
{
	const struct conf_limits *l = &j->conf.wall.limits;
	const struct conf_limit *const of[] = {&l->tcp,   &l->udp, &l->icmp,
					       &l->other, &l->dns, &l->lateral};
	_Static_assert(ARRAY_LEN(of) == POLICY_CLASSES, "a limit for each class");
	return of[class];
}

static void key_of(const struct judge *j, uint8_t rule, const struct flow_key *k,
		   struct policy_meter_key *ret)
{
	policy_meter_key_of(&j->conf.wall.policy[rule], rule, class_of(k->proto), &k->dst, ret);
}

static void charge_rule(struct way *w, struct plan *p)
{
	const struct conf_policy *rule = &w->j->conf.wall.policy[p->rule];
	const struct policy_amount one = {1, 0, 0}, first = {0, caps_packets(w), w->f->len};
	struct policy_limits *l = w->in->limits;
	struct policy_meter_key key;
	key_of(w->j, p->rule, &p->key[0], &key);
	/* Its first packet must find room too, else it would count and not pass. */
	enum policy_metered r =
		policy_meter_has(l, w->in->slot, rule, &key, &first, w->now_ns, &p->meter, &p->use);
	p->seen_limit = r == POLICY_METER_OVER;
	if (r == POLICY_METER_ROOM) {
		r = policy_meter_take(l, w->in->slot, rule, &key, &one, w->now_ns, &p->meter,
				      &p->use);
		p->seen_limit = rule->connections.n > 0;
		if (r == POLICY_METER_ROOM)
			policy_meter_read(l, w->in->slot, rule, &key, w->now_ns, &p->use);
	}
	if (r != POLICY_METER_ROOM)
		p->reason = r == POLICY_METER_OVER ? REASON_LIMIT : REASON_TABLE_FULL;
	if (p->seen_limit && r != POLICY_METER_FULL)
		report_limit_reached(w, p);
}

void contain_charge(struct way *w, struct plan *p)
{
	if (p->rule != FLOW_NO_RULE) {
		charge_rule(w, p);
		return;
	}
	if (!p->limited || weak(w->j, p->class == POLICY_LATERAL ? WEAK_LATERAL : WEAK_LIMITS))
		return;
	const struct conf_limit *l = contain_limit(w->j, p->class);
	p->seen_limit = l->n > 0;
	if (!policy_charge(w->in->limits, w->in->slot, p->class, l, w->now_ns, &p->use))
		p->reason = REASON_LIMIT;
	if (p->seen_limit)
		report_limit_reached(w, p);
}

static bool is_counted(const struct way *w, const struct flow *f)
{
	return f->rule != FLOW_NO_RULE && f->direction != DIR_INBOUND && w->f->port == f->guest;
}

bool contain_has(struct way *w, struct flow *f)
{
	const struct policy_amount a = {0, caps_packets(w), w->f->len};
	struct policy_use use = {0, 0, 0};
	struct policy_meter_key key;
	if (!is_counted(w, f))
		return true;
	key_of(w->j, f->rule, &f->key[0], &key);
	if (policy_meter_has(w->in->limits, w->in->slot, &w->j->conf.wall.policy[f->rule], &key, &a,
			     w->now_ns, &f->meter, &use) == POLICY_METER_ROOM)
		return true;
	f->cap_dropped++;
	report_flow_limit(w->j, f, &use, w->now_ns);
	return false;
}

void contain_take(struct way *w, struct flow *f)
{
	const struct policy_amount a = {0, caps_packets(w), w->f->len};
	struct policy_use use;
	struct policy_meter_key key;
	if (!is_counted(w, f))
		return;
	key_of(w->j, f->rule, &f->key[0], &key);
	(void)policy_meter_take(w->in->limits, w->in->slot, &w->j->conf.wall.policy[f->rule], &key,
				&a, w->now_ns, &f->meter, &use); /* contain_has has seen to it */
}
