/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first packet of a conversation: which way does it go, may it, and what will it look like on the
 * other side. Whatever is refused is remembered as a flow of its own, so that its retransmissions
 * neither count nor are told again.
 */
#include "judge/judge_priv.h"

#include <errno.h>
#include <string.h>

#define DNS_PORT 53
#define SYSLOG_PORT 514
#define SYSLOG_TLS_PORT 6514
#define SPORT_FIRST 1024
#define SPORT_STEP 7919 /* a prime: other ports than those next to it */
#define SPORT_TRIES 8

static bool may_begin(const struct way *w)
{
	const struct layers *l = &w->l;
	if (weak(w->j, l->proto == PROTO_TCP ? WEAK_TCP_STATE : WEAK_ICMP_TYPE))
		return true;
	if (l->fragment && !l->first_fragment && weak(w->j, WEAK_FRAGMENTS))
		return true;
	if (l->proto == PROTO_TCP)
		return (l->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
	if (l->proto == PROTO_ICMP || l->proto == PROTO_ICMP6)
		return l->icmp_echo_request;
	return true;
}

void open_reply_key(struct plan *p, uint16_t port, const struct addr *addr, uint16_t sport,
		    const struct addr *peer, uint16_t dport)
{
	struct flow_key *k = &p->key[1];
	memset(k, 0, sizeof(*k));
	k->src = *addr;
	k->dst = *peer;
	k->sport = sport;
	k->dport = dport;
	k->port = port;
	k->proto = p->key[0].proto;
	if (k->proto == PROTO_ICMP || k->proto == PROTO_ICMP6) {
		k->sport = p->key[0].sport; /* the id is the same both ways */
		k->dport = 0;
	}
}

/* ---- inbound ------------------------------------------------------------------------------------ */

static bool source_listed(const struct conf_forward *fw, const struct addr *src)
{
	if (fw->n_sources == 0)
		return true;
	for (uint32_t i = 0; i < fw->n_sources && i < CONF_SOURCES; i++)
		if (prefix_has(&fw->sources[i], src))
			return true;
	return false;
}

static bool plan_forward(const struct way *w, struct plan *p)
{
	const struct judge *j = w->j;
	const struct flow_key *k = &p->key[0];
	const struct conf_forward *fw = binding_forward(j, k, &p->guest);
	if (fw == NULL)
		return false;
	const struct judge_port *g = &j->ports[p->guest].p;
	const struct addr *to = k->dst.ver == 4 ? &g->inside : &g->inside6;
	if (to->ver == 0)
		p->reason = REASON_CLOSED;
	else if (!source_listed(fw, &k->src))
		p->reason = REASON_SOURCE_NOT_LISTED;
	else
		open_reply_key(p, p->guest, to, fw->guest_port, &k->src, k->sport);
	return true;
}

static void plan_inbound(const struct way *w, struct plan *p)
{
	const struct flow_key *k = &p->key[0];
	p->direction = DIR_INBOUND;
	if (contain_is_fenced(w->j, &k->src)) {
		p->reason = REASON_FENCE;
		return;
	}
	if (!plan_forward(w, p)) {
		p->guest = binding_public(w->j, &k->dst);
		if (p->guest == FLOW_NO_PORT) {
			p->reason = REASON_CLOSED;
			return;
		}
		const struct judge_port *g = &w->j->ports[p->guest].p;
		const struct addr *to = k->dst.ver == 4 ? &g->inside : &g->inside6;
		if (g->kind == JUDGE_LOGHOST)
			p->reason = REASON_LOGHOST;
		else if (to->ver == 0)
			p->reason = REASON_CLOSED;
		else
			open_reply_key(p, p->guest, to, k->dport, &k->src, k->sport);
	}
	if (p->reason == REASON_NONE && !w->j->ports[p->guest].p.up)
		p->reason = REASON_PORT_DOWN;
}

/* ---- from a guest --------------------------------------------------------------------------------- */

static void plan_lateral(const struct way *w, struct plan *p, uint16_t to)
{
	const struct judge_port *g = &w->j->ports[to].p;
	const struct flow_key *k = &p->key[0];
	bool syslog =
		((k->proto == PROTO_TCP || k->proto == PROTO_UDP) && k->dport == SYSLOG_PORT) ||
		(w->j->conf.syslog_tls && k->proto == PROTO_TCP && k->dport == SYSLOG_TLS_PORT) ||
		weak(w->j, WEAK_LOGHOST);
	p->direction = DIR_LATERAL;
	p->peer_guest = to;
	if (w->in->p.kind == JUDGE_LOGHOST || (g->kind == JUDGE_LOGHOST && !syslog))
		p->reason = REASON_LOGHOST;
	else
		contain_plan(w, p);
}

bool open_to_resolver(const struct judge *j, const struct flow_key *k)
{
	const struct conf_network *n = &j->conf.network;
	return (k->proto == PROTO_UDP || k->proto == PROTO_TCP) && k->dport == DNS_PORT &&
	       addr_eq(&k->dst, k->dst.ver == 4 ? &n->resolver : &n->resolver6);
}

static void plan_outbound(const struct way *w, struct plan *p)
{
	p->direction = DIR_OUTBOUND;
	if (w->in->p.kind == JUDGE_LOGHOST)
		p->reason = REASON_LOGHOST;
	else
		contain_plan(w, p);
}

static bool of_the_honeynet(const struct judge *j, const struct addr *dst)
{
	const struct conf_network *n = &j->conf.network;
	if (addr_eq(dst, dst->ver == 4 ? &n->gateway : &n->gateway6))
		return true;
	/* With IPv6 the inside network may be the public one, outer router included: only what is
	 * private is surely ours. Bridged, it is full of neighbours. */
	return (dst->ver == 4 || j->conf.bridged) &&
	       prefix_has(dst->ver == 4 ? &n->inside : &n->inside6, dst);
}

static void plan_from_guest(const struct way *w, struct plan *p)
{
	const struct judge *j = w->j;
	const struct addr *dst = &p->key[0].dst;
	uint16_t to = binding_inside(j, dst);
	if (to == FLOW_NO_PORT)
		to = binding_public(j, dst);
	p->guest = w->f->port;
	p->resolver = open_to_resolver(j, &p->key[0]);
	if (to == w->f->port || (to == FLOW_NO_PORT && of_the_honeynet(j, dst) && !p->resolver)) {
		p->direction = DIR_LATERAL;
		p->reason = w->in->p.kind == JUDGE_LOGHOST ? REASON_LOGHOST : REASON_CLOSED;
	} else if (to != FLOW_NO_PORT) {
		plan_lateral(w, p, to);
	} else if (binding_answers_outside(j, dst)) { /* a forward: for the outside only */
		p->direction = DIR_OUTBOUND;
		p->reason = REASON_CLOSED;
	} else {
		plan_outbound(w, p);
	}
}

/* ---- opening ------------------------------------------------------------------------------------------ */

/* Does a limit bound how many of these there can be? */
static bool is_bounded(const struct way *w, const struct plan *p)
{
	if (p->rule != FLOW_NO_RULE)
		return w->j->conf.wall.policy[p->rule].connections.n > 0;
	return p->limited && contain_limit(w->j, p->class)->n > 0;
}

static enum flow_class first_class(const struct way *w, const struct plan *p)
{
	if (p->reason != REASON_NONE)
		return FLOW_REFUSED;
	if (!is_bounded(w, p))
		return FLOW_HALF_OPEN;
	if (p->key[0].proto == PROTO_TCP)
		return FLOW_UNANSWERED;
	return p->key[0].proto == PROTO_UDP ? FLOW_UDP : FLOW_ICMP;
}

static void count_new(struct way *w, const struct plan *p)
{
	struct wall_stats *s = w->j->stats;
	if (p->direction == DIR_INBOUND)
		s->inbound++;
	else if (p->direction == DIR_OUTBOUND)
		s->outbound++;
	else
		s->lateral++;
	if (p->reason == REASON_LIMIT)
		s->limited++;
}

/* Room in the table; in the sink any source port will do. */
static int find_room(struct way *w, struct plan *p, struct flow **ret)
{
	bool open = p->reason == REASON_NONE;
	/* Of an echo it is the id. */
	bool tcp_udp = p->key[0].proto == PROTO_TCP || p->key[0].proto == PROTO_UDP;
	uint16_t *change = tcp_udp ? &p->key[1].dport : &p->key[1].sport, port = *change;
	int err = flow_add(w->j->table, &p->key[0], open ? &p->key[1] : NULL, first_class(w, p),
			   w->now_ns, ret);
	for (uint32_t i = 1; err == -EEXIST && open && p->any_sport && i <= SPORT_TRIES; i++) {
		*change = (uint16_t)(SPORT_FIRST + (port + i * SPORT_STEP) % (65536 - SPORT_FIRST));
		err = flow_add(w->j->table, &p->key[0], &p->key[1], first_class(w, p), w->now_ns,
			       ret);
	}
	return err;
}

static uint8_t verdict_of(const struct plan *p)
{
	if (p->reason == REASON_NONE || p->reason == REASON_POLICY)
		return p->verdict;
	return p->reason == REASON_LIMIT ? VERDICT_LIMIT : VERDICT_DROP;
}

/* Puts the flow in the table. A refused one that finds no room is refused all the same. */
static struct flow *enter(struct way *w, struct plan *p)
{
	struct flow *f = NULL;
	bool open = p->reason == REASON_NONE;
	int err = find_room(w, p, &f);
	if (err == -EEXIST && open) {
		/* Another conversation looks the same on the far side. */
		p->reason = REASON_CLOSED;
		err = flow_add(w->j->table, &p->key[0], NULL, FLOW_REFUSED, w->now_ns, &f);
	}
	if (err == 0) {
		f->id = w->j->next_id++;
	} else {
		p->reason = REASON_TABLE_FULL;
		w->j->full++;
		return NULL;
	}
	f->direction = p->direction;
	f->reason = p->reason;
	f->verdict = verdict_of(p);
	f->bounded = is_bounded(w, p);
	f->relayed = p->relayed;
	f->rule = p->rule;
	f->meter = p->meter;
	f->generation = (uint32_t)w->j->now.generation;
	f->guest = p->guest;
	f->peer_guest = p->peer_guest;
	f->icmp_type = w->l.icmp_type;
	f->icmp_code = w->l.icmp_code;
	return f;
}

static bool is_refused_silently(struct way *w, const struct flow_key *key)
{
	return !is_guest(w) && contain_ignores(w->j, &key->src);
}

static void make_plan(struct way *w, struct plan *p)
{
	if (is_guest(w))
		plan_from_guest(w, p);
	else
		plan_inbound(w, p);
	w->ret->direction = p->direction;
	if (p->reason == REASON_NONE && is_guest(w) && w->j->now.lockdown == LOCKDOWN_OUTBOUND &&
	    p->direction == DIR_OUTBOUND && !weak(w->j, WEAK_LOCKDOWN))
		p->reason = REASON_LOCKDOWN;
}

enum reason open_flow(struct way *w, const struct flow_key *key, struct flow **ret_flow)
{
	struct plan p = {.guest = FLOW_NO_PORT,
			 .peer_guest = FLOW_NO_PORT,
			 .rule = FLOW_NO_RULE,
			 .meter = POLICY_NO_METER};
	p.key[0] = *key;
	if (is_refused_silently(w, key))
		return REASON_IGNORED;
	if (is_sink(w)) /* it may begin nothing */
		return REASON_NO_FLOW;
	if (!may_begin(w)) {
		/* Towards addresses that are nobody's the wall stays silent. */
		if (is_guest(w) || binding_answers_outside(w->j, &key->dst))
			answer_reset(w);
		return REASON_NO_FLOW;
	}
	make_plan(w, &p);
	if (p.reason == REASON_NONE && !w->routed && !p.relayed) {
		/* Sent to a neighbour's MAC: then it must be that neighbour's address. */
		uint16_t to = p.key[1].port;
		if (to == 0 ? !w->gate : memcmp(w->j->ports[to].p.mac.b, w->f->data, 6) != 0)
			return REASON_NOT_FOR_US;
	}
	if (p.reason == REASON_NONE && is_guest(w) && !caps_guest_has(w))
		return REASON_CAP_GUEST;
	if (p.reason == REASON_NONE)
		contain_charge(w, &p);
	struct flow *f = enter(w, &p);
	if (f == NULL)
		return p.reason;
	if (p.related && p.reason == REASON_NONE)
		(void)ftp_expected(w->j, p.guest, &p.key[0], w->now_ns, true);
	w->ret->first = true;
	w->ret->flow_id = f->id;
	w->ret->verdict = f->verdict;
	count_new(w, &p);
	if (p.reason == REASON_NONE)
		copy_opened(w->j, f);
	if (copy_is_told(w->j, f, w->now_ns))
		report_connection(w, &p, f->id, f->verdict);
	if (p.reason != REASON_NONE) {
		f->pkts[0] = 1;
		f->bytes[0] = w->f->len;
		if (f->verdict == VERDICT_REJECT)
			answer_reject(w);
	}
	*ret_flow = f;
	return p.reason;
}
