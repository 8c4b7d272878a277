/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events. What a stranger can cause without bound (inbound conversations, ends of flows, malformed
 * frames, drops by caps) is told at a bounded rate and summed up beyond it: nothing here is said per
 * packet. A conversation that a guest began and that was let through is always told: the limits
 * bound those.
 */
#include "judge/judge_priv.h"

#include <stdio.h>
#include <string.h>

#define OWN_PRICE_NS (NS_PER_SEC / 10)
#define GUEST_FACTOR 4 /* unlimited or refused attempts of guests: so many times the rate */

void report_event(struct judge *j, const struct event *e)
{
	j->stats->events++;
	j->emit(j->emit_ctx, e);
}

int64_t report_price_ns(const struct judge *j)
{
	uint32_t rate = j->conf.wall.event_rate;
	return NS_PER_SEC / (rate > 0 ? rate : 1);
}

void report_suppressed(struct judge *j)
{
	j->suppressed++;
	j->stats->events_suppressed++;
}

/* Is there room for an event that anybody can cause? Minor ones (all but the ends of real
 * conversations and caps) leave half of it to the others. */
static bool room(struct judge *j, bool minor, int64_t now_ns)
{
	bool fine = policy_rate_take(&j->events_ns, report_price_ns(j),
				     minor ? NS_PER_SEC / 2 : NS_PER_SEC, now_ns);
	if (!fine)
		report_suppressed(j);
	return fine;
}

/* What all guests share, and a little for each: one that wants out a thousand times a second does not hide another's
 * first attempt. */
static bool room_for_guest(struct judge *j, uint16_t guest, int64_t now_ns)
{
	bool fine = policy_rate_take(&j->guest_events_ns, report_price_ns(j) / GUEST_FACTOR,
				     NS_PER_SEC, now_ns);
	if (!fine && guest < j->conf.n_ports)
		fine = policy_rate_take(&j->ports[guest].own_events_ns, OWN_PRICE_NS, NS_PER_SEC,
					now_ns);
	if (!fine)
		report_suppressed(j);
	return fine;
}

static const char *port_name(const struct judge *j, uint16_t port)
{
	return port < j->conf.n_ports ? j->ports[port].p.name : "";
}

static bool is_icmp(uint8_t proto)
{
	return proto == PROTO_ICMP || proto == PROTO_ICMP6;
}

/* ---- conversations ------------------------------------------------------------------------------ */

/* What never got to the other side, as it would have looked there. */
static void fill_refused(const struct judge *j, struct event_tuple *t, const struct flow_key *key0,
			 enum event_direction dir, uint16_t guest)
{
	if (guest >= j->conf.n_ports)
		return;
	const struct port_state *g = &j->ports[guest];
	const struct addr *inside = key0->dst.ver == 4 ? &g->p.inside : &g->p.inside6;
	const struct addr *public = binding_public_of(g, key0->src.ver);
	uint16_t at;
	if (dir == DIR_OUTBOUND && public->ver != 0)
		t->src = *public;
	if (dir != DIR_INBOUND || inside->ver == 0)
		return;
	t->in_dst = *inside;
	const struct conf_forward *fw = binding_forward(j, key0, &at);
	if (fw != NULL)
		t->in_dport = fw->guest_port;
}

/* key1 NULL: it was refused, so there is no other side. */
static void fill_tuple(const struct judge *j, struct event_tuple *t, const struct flow_key *key0,
		       const struct flow_key *key1, enum event_direction dir, uint16_t guest)
{
	t->proto = key0->proto;
	t->src = t->in_src = key0->src;
	t->dst = t->in_dst = key0->dst;
	t->sport = t->in_sport = key0->sport;
	t->dport = t->in_dport = key0->dport;
	text_copy(t->in_port, sizeof(t->in_port), port_name(j, key0->port));
	if (key1 == NULL) {
		fill_refused(j, t, key0, dir, guest);
		return;
	}
	/* With the sink, or another guest that poses as the target, both views are the guest's. */
	if (j->ports[key1->port].p.kind == JUDGE_SINK || (dir == DIR_OUTBOUND && key1->port != 0))
		return;
	struct addr src = key1->dst, dst = key1->src; /* as the far side sees it */
	uint16_t sport = is_icmp(key0->proto) ? key1->sport : key1->dport;
	uint16_t dport = is_icmp(key0->proto) ? 0 : key1->sport;
	if (dir == DIR_OUTBOUND) {
		t->src = src, t->dst = dst;
		t->sport = sport, t->dport = dport;
	} else {
		t->in_src = src, t->in_dst = dst;
		t->in_sport = sport, t->in_dport = dport;
	}
	if (dir ==
	    DIR_LATERAL) { /* nothing of it is seen outside: the receiver's view is the one */
		t->src = src, t->dst = dst;
		t->sport = sport, t->dport = dport;
	}
}

static void fill_icmp(struct event_tuple *t, uint8_t type, uint8_t code)
{
	if (!is_icmp(t->proto))
		return;
	t->icmp_id = t->sport;
	t->sport = t->in_sport = type;
	t->dport = t->in_dport = code;
}

static void fill_guests(const struct judge *j, struct event_tuple *t, uint16_t guest, uint16_t peer)
{
	text_copy(t->guest, sizeof(t->guest), port_name(j, guest));
	text_copy(t->peer_guest, sizeof(t->peer_guest), port_name(j, peer));
}

void report_tuple(const struct judge *j, const struct flow *f, unsigned side,
		  struct event_tuple *ret)
{
	struct event_tuple *t = ret;
	fill_tuple(j, t, &f->key[0], f->key[1].port != FLOW_NO_PORT ? &f->key[1] : NULL,
		   f->direction, f->guest);
	fill_icmp(t, f->icmp_type, f->icmp_code);
	fill_guests(j, t, f->guest, f->peer_guest);
	if (side == 0)
		return;
	struct event_tuple x = *t;
	t->src = x.dst, t->dst = x.src;
	t->in_src = x.in_dst, t->in_dst = x.in_src;
	if (is_icmp(t->proto))
		return;
	t->sport = x.dport, t->dport = x.sport;
	t->in_sport = x.in_dport, t->in_dport = x.in_sport;
}

static const char *proto_text(uint8_t proto, char buf[16])
{
	if (proto == PROTO_TCP)
		return "tcp";
	if (proto == PROTO_UDP)
		return "udp";
	if (is_icmp(proto))
		return "icmp";
	snprintf(buf, 16, "protocol %u", proto);
	return buf;
}

static void write_end(struct writer *w, const struct event_tuple *t, bool dst)
{
	char a[ADDR_TEXT];
	const struct addr *addr = dst ? &t->dst : &t->src;
	uint16_t port = dst ? t->dport : t->sport;
	addr_text(addr, a);
	if (t->proto == PROTO_TCP || t->proto == PROTO_UDP)
		write_fmt(w, addr->ver == 6 ? "[%s]:%u" : "%s:%u", a, port);
	else
		write_str(w, a);
}

static void say_connection(struct event *e, const struct plan *p)
{
	char text[EVENT_TEXT], proto[16];
	const struct event_tuple *t = &e->u.connection.tuple;
	struct writer w = writer_of(text, sizeof(text));
	write_fmt(&w, "%s %s ", direction_text(e->direction), proto_text(t->proto, proto));
	if (t->guest[0] != '\0' && e->direction != DIR_INBOUND)
		write_fmt(&w, "from %s ", t->guest);
	else if (t->guest[0] != '\0')
		write_fmt(&w, "to %s ", t->guest);
	write_end(&w, t, false);
	write_str(&w, " -> ");
	write_end(&w, t, true);
	write_fmt(&w, ": %s", verdict_text(e->verdict));
	if (e->reason != REASON_NONE && e->reason != REASON_LIMIT)
		write_fmt(&w, " (%s)", reason_text(e->reason));
	if (p->seen_limit) {
		write_fmt(&w, ", %u of %u in ", p->use.used, p->use.max);
		text_duration(&w, (int64_t)p->use.window_s * NS_PER_SEC);
	}
	event_say(e, "%s", text);
}

void report_connection(struct way *w, const struct plan *p, uint64_t flow_id, enum verdict verdict)
{
	struct judge *j = w->j;
	if (p->direction == DIR_INBOUND) {
		if (!room(j, true, w->now_ns))
			return;
	} else if ((p->reason != REASON_NONE || !p->seen_limit) &&
		   !room_for_guest(j, p->guest, w->now_ns)) {
		return;
	}
	struct event e = event_new(EVENT_CONNECTION);
	struct event_connection *c = &e.u.connection;
	bool urgent = p->direction == DIR_OUTBOUND;
	e.flow_id = flow_id;
	e.direction = p->direction;
	e.verdict = (uint8_t)verdict;
	e.reason = p->reason;
	e.priority = urgent ? 2 : p->direction == DIR_LATERAL ? 1 : 0;
	fill_tuple(j, &c->tuple, &p->key[0], p->reason == REASON_NONE ? &p->key[1] : NULL,
		   p->direction, p->guest);
	fill_icmp(&c->tuple, w->l.icmp_type, w->l.icmp_code);
	fill_guests(j, &c->tuple, p->guest, p->peer_guest);
	c->limit_used = p->use.used;
	c->limit_max = p->use.max;
	c->limit_window_s = p->use.window_s;
	if (p->direction == DIR_INBOUND)
		greet_read(w, &c->syn);
	say_connection(&e, p);
	report_event(j, &e);
}

static const char *flow_state_text(const struct flow *f)
{
	if (f->class == FLOW_CLOSING)
		return "closed";
	bool answered = f->key[0].proto == PROTO_TCP ? (f->seen & FLOW_SEEN_ESTABLISHED) != 0
						     : (f->seen & FLOW_SEEN_REPLY) != 0;
	return answered ? "established" : "new";
}

void report_flow(void *judge, const struct flow *f, enum flow_end why, int64_t now_ns)
{
	struct judge *j = judge;
	static const char *const ends[] = {"timeout", "forced", "forced", "shutdown"};
	if (f->cap_dropped > 0) {
		struct flow last = *f;
		last.cap_told_ns = 0;
		report_flow_cap(j, &last, now_ns);
	}
	inline_flow_ended(j, f, now_ns);
	copy_ended(j, f);
	if (!copy_was_told(f))
		return;
	bool minor =
		f->class == FLOW_REFUSED || f->class == FLOW_HALF_OPEN || f->class == FLOW_LOOSE;
	if (!room(j, minor, now_ns))
		return;
	struct event e = event_new(EVENT_FLOW);
	struct event_flow *fl = &e.u.flow;
	e.flow_id = f->id;
	e.direction = f->direction;
	e.verdict = f->verdict;
	e.reason = f->reason;
	fill_tuple(j, &fl->tuple, &f->key[0], f->key[1].port != FLOW_NO_PORT ? &f->key[1] : NULL,
		   f->direction, f->guest);
	fill_icmp(&fl->tuple, f->icmp_type, f->icmp_code);
	fill_guests(j, &fl->tuple, f->guest, f->peer_guest);
	fl->start_ns = e.time_ns - (now_ns - f->start_ns);
	fl->end_ns = e.time_ns - (now_ns - f->last_ns);
	fl->pkts_toserver = f->pkts[0];
	fl->pkts_toclient = f->pkts[1];
	fl->bytes_toserver = f->bytes[0];
	fl->bytes_toclient = f->bytes[1];
	fl->tcp_flags_ts = f->tcp_flags[0];
	fl->tcp_flags_tc = f->tcp_flags[1];
	text_copy(fl->state, sizeof(fl->state), flow_state_text(f));
	text_copy(fl->end_reason, sizeof(fl->end_reason), ends[why]);
	report_event(j, &e);
}

/* ---- limits and caps -------------------------------------------------------------------------------- */

static struct event limit_event(const struct judge *j, uint16_t guest, const char *what)
{
	struct event e = event_new(EVENT_LIMIT);
	e.verdict = VERDICT_LIMIT;
	e.reason = REASON_LIMIT;
	e.priority = 2;
	text_copy(e.u.limit.guest, sizeof(e.u.limit.guest), port_name(j, guest));
	text_copy(e.u.limit.what, sizeof(e.u.limit.what), what);
	return e;
}

void report_limit_reached(struct way *w, const struct plan *p)
{
	bool of_rule = p->rule != FLOW_NO_RULE;
	bool rule_told = of_rule && (w->in->rules_told >> p->rule & 1) != 0;
	bool *told = of_rule ? &rule_told : &w->in->limit_told[p->class];
	const struct policy_use *u = &p->use;
	/* Told again only after a quarter of the budget came back: a sliding window that is kept full
	 * is "reached" at every step. */
	if (u->used <= u->max - (u->max + 3) / 4 && p->reason == REASON_NONE)
		*told = false;
	if (of_rule)
		w->in->rules_told &= ~((uint32_t)!rule_told << p->rule);
	if (*told || (p->reason == REASON_NONE && u->used < u->max))
		return;
	*told = true;
	if (of_rule)
		w->in->rules_told |= UINT32_C(1) << p->rule;
	struct event e = limit_event(w->j, p->guest, policy_class_text(p->class));
	char text[EVENT_TEXT];
	struct writer wr = writer_of(text, sizeof(text));
	e.direction = p->direction;
	e.u.limit.used = u->used;
	e.u.limit.max = u->max;
	e.u.limit.window_s = u->window_s;
	write_fmt(&wr, "%s has used up its %s budget: %u new conversations in ", e.u.limit.guest,
		  e.u.limit.what, u->max);
	text_duration(&wr, (int64_t)u->window_s * NS_PER_SEC);
	event_say(&e, "%s", text);
	report_event(w->j, &e);
}

static uint32_t cap_max(uint64_t cap)
{
	return cap < UINT32_MAX ? (uint32_t)cap : UINT32_MAX;
}

void report_flow_cap(struct judge *j, struct flow *f, int64_t now_ns)
{
	const struct conf_caps *c = &j->conf.wall.caps;
	if (f->cap_told_ns != 0 && now_ns - f->cap_told_ns < NS_PER_SEC)
		return;
	f->cap_told_ns = now_ns;
	if (!room(j, false, now_ns))
		return;
	struct event e = limit_event(j, f->guest, f->cap_by_bytes ? "flow-bytes" : "flow-pps");
	e.flow_id = f->id;
	e.reason = REASON_CAP_FLOW;
	e.direction = f->direction;
	e.u.limit.flow_id = f->id;
	e.u.limit.dropped = f->cap_dropped;
	e.u.limit.max = cap_max(f->cap_by_bytes ? c->flow_bytes : c->flow_pps);
	e.u.limit.window_s = 1;
	event_say(&e, "%s: a conversation is over its rate, %u packets dropped", e.u.limit.guest,
		  f->cap_dropped);
	f->cap_dropped = 0;
	report_event(j, &e);
}

void report_flow_limit(struct judge *j, struct flow *f, const struct policy_use *u, int64_t now_ns)
{
	if (f->cap_told_ns != 0 && now_ns - f->cap_told_ns < NS_PER_SEC)
		return;
	f->cap_told_ns = now_ns;
	if (!room(j, false, now_ns))
		return;
	char what[EVENT_NAME];
	snprintf(what, sizeof(what), "rule-%u", f->rule + 1u);
	struct event e = limit_event(j, f->guest, what);
	e.flow_id = f->id;
	e.direction = f->direction;
	e.u.limit.flow_id = f->id;
	e.u.limit.dropped = f->cap_dropped;
	e.u.limit.used = u->used;
	e.u.limit.max = u->max;
	e.u.limit.window_s = u->window_s;
	event_say(
		&e,
		"%s: a conversation is over what rule %u of the policy allows, %u packets dropped",
		e.u.limit.guest, f->rule + 1u, f->cap_dropped);
	f->cap_dropped = 0;
	report_event(j, &e);
}

void report_expired(struct judge *j, enum policy_over kind, const struct policy_net *net,
		    const struct policy_override *o)
{
	struct event e = event_new(EVENT_CONTAINMENT);
	struct event_containment *c = &e.u.containment;
	char text[PREFIX_TEXT];
	e.priority = 1;
	text_copy(c->state, sizeof(c->state), "expired");
	if (kind == POLICY_OVER_OVERRIDE) {
		text_copy(c->what, sizeof(c->what), "override");
		text_copy(c->guest, sizeof(c->guest), o->guest);
		text_copy(c->order, sizeof(c->order), policy_act_text(o->act));
		event_say(&e, "the order '%s' for %s is over", c->order, c->guest);
	} else {
		text_copy(c->what, sizeof(c->what), kind == POLICY_OVER_FENCE ? "fence" : "ignore");
		c->net = net->net;
		event_say(&e, "the %s of %s is over",
			  kind == POLICY_OVER_FENCE ? "fence" : "ignoring",
			  prefix_text(&net->net, text));
	}
	report_event(j, &e);
}

void report_guest_cap(struct judge *j, struct port_state *s, int64_t now_ns)
{
	const struct conf_caps *c = &j->conf.wall.caps;
	if (s->cap_told_ns != 0 && now_ns - s->cap_told_ns < NS_PER_SEC)
		return;
	s->cap_told_ns = now_ns;
	struct event e = limit_event(j, (uint16_t)(s - j->ports),
				     s->cap_by_bytes ? "guest-bytes" : "guest-pps");
	e.reason = REASON_CAP_GUEST;
	e.u.limit.dropped = s->cap_dropped;
	e.u.limit.max = cap_max(s->cap_by_bytes ? c->guest_bytes : c->guest_pps);
	e.u.limit.window_s = 1;
	event_say(&e, "%s is over its rate, %llu packets dropped", e.u.limit.guest,
		  (unsigned long long)s->cap_dropped);
	s->cap_dropped = 0;
	report_event(j, &e);
}

/* ---- anomalies ---------------------------------------------------------------------------------------- */

static const char *anomaly_text(unsigned kind, uint8_t ip_ver)
{
	/* Names of Suricata where it has one for the same thing; IPv4, IPv6. */
	static const char *const names[ANOMALIES][2] = {
		{"decoder.ethernet.pkt_too_small", "decoder.ethernet.pkt_too_small"},
		{"decoder.arp.pkt_too_small", "decoder.arp.pkt_too_small"},
		{"decoder.ipv4.trunc_pkt", "decoder.ipv6.trunc_pkt"},
		{"decoder.ipv4.hlen_too_small", "decoder.ipv6.wrong_ip_version"},
		{"decoder.ipv4.bad_csum", "decoder.ipv6.bad_csum"},
		{"decoder.l4.pkt_too_small", "decoder.l4.pkt_too_small"},
		{"decoder.l4.invalid_len", "decoder.l4.invalid_len"},
		{"decoder.ipv4.opt_invalid", "decoder.ipv6.rh_type_0"},
		{"decoder.ipv4.frag_pkt_too_small", "decoder.ipv6.frag_pkt_too_small"},
		{"decoder.ipv4.land", "decoder.ipv6.land"},
		{"decoder.tcp.invalid_flags", "decoder.tcp.invalid_flags"},
		{"decoder.vlan.header", "decoder.vlan.header"},
		{"decoder.too_many_layers", "decoder.too_many_layers"},
		{"decoder.ethernet.spoofed_source", "decoder.ethernet.spoofed_source"},
		{"decoder.ipv4.spoofed_source", "decoder.ipv6.spoofed_source"},
		{"decoder.ipv4.frag_overlap", "decoder.ipv6.frag_overlap"},
		{"decoder.l4.bad_csum", "decoder.l4.bad_csum"},
	};
	return names[kind < ANOMALIES ? kind : 0][ip_ver == 6];
}

static void tell_anomaly(struct judge *j, struct port_state *s, unsigned kind,
			 const struct layers *l, int64_t now_ns)
{
	struct anomaly_count *c = &s->anomalies[kind];
	struct event e = event_new(EVENT_ANOMALY);
	struct event_tuple *t = &e.u.anomaly.tuple;
	c->told_ns = now_ns;
	e.verdict = VERDICT_DROP;
	e.reason = kind == ANOMALY_SPOOFED_MAC    ? REASON_SPOOFED_MAC
		   : kind == ANOMALY_SPOOFED_ADDR ? REASON_SPOOFED_ADDR
		   : kind == ANOMALY_FRAGMENT     ? REASON_FRAGMENT
		   : kind == ANOMALY_CSUM         ? REASON_BAD_CSUM
						  : REASON_MALFORMED;
	e.direction = s->p.kind == JUDGE_OUTSIDE ? DIR_INBOUND : DIR_OUTBOUND;
	e.priority = e.direction == DIR_OUTBOUND;
	if (l != NULL) {
		t->src = t->in_src = l->src;
		t->dst = t->in_dst = l->dst;
		t->sport = t->in_sport = l->sport;
		t->dport = t->in_dport = l->dport;
		t->proto = l->proto;
	}
	text_copy(t->in_port, sizeof(t->in_port), s->p.name);
	if (s->p.kind != JUDGE_OUTSIDE)
		text_copy(t->guest, sizeof(t->guest), s->p.name);
	text_copy(e.u.anomaly.name, sizeof(e.u.anomaly.name),
		  anomaly_text(kind, l != NULL ? l->ip_ver : 4));
	e.u.anomaly.count = c->count;
	event_say(&e, "%llu frames from %s dropped: %s", (unsigned long long)c->count, s->p.name,
		  e.u.anomaly.name);
	c->count = 0;
	report_event(j, &e);
}

void report_anomaly(struct way *w, unsigned kind)
{
	struct anomaly_count *c = &w->in->anomalies[kind];
	c->count++;
	if (c->told_ns == 0 || w->now_ns - c->told_ns >= NS_PER_SEC)
		tell_anomaly(w->j, w->in, kind, &w->l, w->now_ns);
}

/* ---- health and sums -------------------------------------------------------------------------------------- */

static void tell_health(struct judge *j, const char *what, uint64_t count, const char *text)
{
	struct event e = event_new(EVENT_HEALTH);
	e.priority = 1;
	text_copy(e.u.health.role, sizeof(e.u.health.role), "wall");
	text_copy(e.u.health.what, sizeof(e.u.health.what), what);
	e.u.health.count = count;
	e.u.health.exit_code = e.u.health.signal = -1;
	event_say(&e, "%s", text);
	report_event(j, &e);
}

void report_limits_state(struct judge *j, enum policy_state state)
{
	if (state == POLICY_CORRUPT)
		tell_health(j, "limits", 1,
			    "the limit state was not ours or damaged: it was started anew, so each "
			    "guest has a fresh budget");
}

static void sum_port(struct judge *j, struct port_state *s, int64_t now_ns)
{
	for (unsigned k = 0; k < ANOMALIES; k++)
		if (s->anomalies[k].count > 0 && now_ns - s->anomalies[k].told_ns >= NS_PER_SEC)
			tell_anomaly(j, s, k, NULL, now_ns);
	if (s->cap_dropped > 0)
		report_guest_cap(j, s, now_ns);
	if (s->p.kind != JUDGE_HONEYPOT)
		return;
	const struct conf_limits *l = &j->conf.wall.limits;
	const struct conf_limit *const of[] = {&l->tcp, &l->udp, &l->icmp, &l->other};
	for (unsigned c = 0; c < ARRAY_LEN(of); c++) {
		struct policy_use u;
		policy_read(s->limits, s->slot, c, of[c], now_ns, &u);
		j->stats->ports[s - j->ports].used[c] = u.used;
		j->stats->ports[s - j->ports].max[c] = u.max;
	}
}

void report_sums(struct judge *j, int64_t now_ns)
{
	if (j->summed_ns != 0 && now_ns - j->summed_ns < NS_PER_SEC)
		return;
	j->summed_ns = now_ns;
	for (uint32_t i = 0; i < j->conf.n_ports; i++)
		sum_port(j, &j->ports[i], now_ns);
	char text[EVENT_TEXT];
	if (j->suppressed > 0) {
		snprintf(text, sizeof(text),
			 "%llu conversation and flow events more than are told one by one",
			 (unsigned long long)j->suppressed);
		tell_health(j, "suppressed", j->suppressed, text);
		j->suppressed = 0;
	}
	if (j->full > 0) {
		snprintf(text, sizeof(text),
			 "the flow table (%u) is full: %llu new conversations were refused",
			 j->conf.wall.flows, (unsigned long long)j->full);
		tell_health(j, "full", j->full, text);
		j->full = 0;
	}
}
