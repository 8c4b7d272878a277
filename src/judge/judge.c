/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way of a frame. Each step either lets it go on (REASON_NONE) or ends it with a reason; there
 * is one place that counts, and it counts once. Whatever is not understood ends here: the default
 * is closed.
 */
#include "judge/judge_priv.h"

#include <errno.h>
#include <string.h>

#define CLOSING_NS (10 * NS_PER_SEC)
#define JUDGE_AGAIN_NS (300 * NS_PER_SEC) /* a refusal by a limit is not for ever */
#define SWEEP_BUDGET 8192u
#define UNTRUSTED                                                                                \
	(ODD_TRUNC_ETH | ODD_TRUNC_ARP | ODD_TRUNC_IP | ODD_BAD_IP | ODD_TRUNC_L4 | ODD_BAD_L4 | \
	 ODD_IP_OPTIONS | ODD_LAND | ODD_TCP_FLAGS | ODD_EXT_DEPTH)

size_t judge_limits_bytes(void)
{
	return policy_limits_bytes();
}

size_t judge_arena_bytes(const struct judge_conf *conf)
{
	return sizeof(struct judge) + flow_table_bytes(conf->wall.flows) +
	       (size_t)JUDGE_REPLIES * REPLY_BYTES + 16 * 64;
}

static int64_t at_least(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int make_table(struct arena *arena, struct judge *j)
{
	const struct conf_wall *c = &j->conf.wall;
	struct flow_conf fc = {.capacity = c->flows, .ended = report_flow, .ctx = j};
	fc.timeout_ns[FLOW_HALF_OPEN] = c->half_open_ns;
	fc.timeout_ns[FLOW_REFUSED] = at_least(c->half_open_ns, FLOW_REFUSED_MIN_NS);
	fc.timeout_ns[FLOW_LOOSE] = c->udp_idle_ns;
	fc.timeout_ns[FLOW_UNANSWERED] = at_least(c->half_open_ns, FLOW_REFUSED_MIN_NS);
	fc.timeout_ns[FLOW_TCP] = c->tcp_idle_ns;
	fc.timeout_ns[FLOW_UDP] = c->udp_idle_ns;
	fc.timeout_ns[FLOW_ICMP] = c->icmp_idle_ns;
	fc.timeout_ns[FLOW_CLOSING] = CLOSING_NS;
	return flow_table_create(arena, &fc, &j->table);
}

int judge_create(struct arena *arena, const struct judge_conf *conf, void *limits,
		 struct wall_stats *stats, judge_emit_fn *emit, void *emit_ctx, int64_t now_boot_ns,
		 struct judge **ret)
{
	struct judge *j = arena_alloc(arena, 1, sizeof(*j));
	if (j == NULL)
		return -ENOMEM;
	j->conf = *conf;
	j->stats = stats;
#ifdef SKEP_WEAKEN
	j->weakened = weaken_asked();
#endif
	j->emit = emit;
	j->emit_ctx = emit_ctx;
	/* 41 bits of milliseconds and 12 bits of counter that may run over into them: the next start is
	 * later by more than what was counted. */
	j->next_id = ((conf->boot_id & ((UINT64_C(1) << 41) - 1)) << 12) + 1;
	for (unsigned i = 0; i < JUDGE_REPLIES; i++) {
		j->replies[i].data = arena_alloc(arena, 1, REPLY_BYTES);
		if (j->replies[i].data == NULL)
			return -ENOMEM;
	}
	memset(stats, 0, sizeof(*stats));
	stats->version = sizeof(*stats);
	stats->started_boot_ns = stats->beat_boot_ns = now_boot_ns;
	stats->flows_capacity = conf->wall.flows;
	enum policy_state state;
	j->limits = policy_limits_at(limits, now_boot_ns, &state);
	policy_off_limits_make(&conf->wall, conf->host, conf->n_host, &j->off_limits);
	int err = make_table(arena, j);
	if (err == 0)
		err = binding_setup(j);
	if (err == 0)
		err = judge_orders(j, &conf->now, now_boot_ns);
	if (err == 0)
		err = bridge_setup(j, now_boot_ns);
	if (err != 0)
		return err;
	alert_listen(j);
	report_limits_state(j, state);
	judge_tick(j, now_boot_ns);
	*ret = j;
	return 0;
}

/* ---- steps ---------------------------------------------------------------------------------------- */

static void count_kind(struct way *w)
{
	struct wall_stats *s = w->j->stats;
	const struct layers *l = &w->l;
	s->frames++;
	s->bytes += w->f->len;
	s->ipv4 += l->ip_ver == 4;
	s->ipv6 += l->ip_ver == 6;
	s->tcp += l->proto == PROTO_TCP;
	s->udp += l->proto == PROTO_UDP;
	s->icmp += l->ip_ver == 4 && l->proto == PROTO_ICMP;
	s->icmp6 += l->ip_ver == 6 && l->proto == PROTO_ICMP6;
	s->arp += l->ethertype == ETHERTYPE_ARP;
	s->other += l->ip_ver == 0 && l->ethertype != ETHERTYPE_ARP;
}

/* Frames stay as they are: in, to a guest's own MAC; out, to the router's. A neighbour outside is spoken to only
 * in a conversation that it began (may_cross). */
static enum reason bridged_to(struct way *w, const struct mac *dst)
{
	const struct mac *router = binding_router(w->j, w->l.ip_ver);
	if (!is_guest(w))
		return REASON_NONE; /* step_ours has seen to it */
	w->gate = router != NULL && memcmp(router, dst, sizeof(*dst)) == 0;
	return REASON_NONE;
}

static enum reason step_addressed(struct way *w)
{
	const struct conf_network *net = &w->j->conf.network;
	struct mac dst;
	memcpy(dst.b, w->f->data, sizeof(dst.b));
	const uint8_t *ip = w->l.dst.b;
	bool v4 = w->l.ip_ver == 4;
	bool group = (dst.b[0] & 1) != 0;
	if ((group || (v4 ? ip[0] >= 224 : ip[0] == 0xff)) && !weak(w->j, WEAK_MULTICAST))
		return REASON_MULTICAST;
	if (is_bridged(w))
		return bridged_to(w, &dst);
	if (!is_guest(w)) {
		w->routed = true;
		return memcmp(&dst, &w->in->p.mac, sizeof(dst)) == 0 ? REASON_NONE
								     : REASON_NOT_FOR_US;
	}
	w->routed = memcmp(&dst, &net->gateway_mac, sizeof(dst)) == 0 || group ||
		    (weak(w->j, WEAK_NOT_FOR_US) && binding_mac(w->j, &dst) == FLOW_NO_PORT);
	if (!w->routed && binding_mac(w->j, &dst) == FLOW_NO_PORT)
		return REASON_NOT_FOR_US;
	return REASON_NONE;
}

/* Bridged, the outside is full of what its hosts say to each other: nothing of that is looked at. */
static enum reason step_ours(struct way *w)
{
	struct mac dst;
	memcpy(dst.b, w->f->data, sizeof(dst.b));
	if (!w->j->conf.bridged || is_guest(w) || binding_mac(w->j, &dst) != FLOW_NO_PORT)
		return REASON_NONE;
	return (dst.b[0] & 1) != 0 ? REASON_MULTICAST : REASON_NOT_FOR_US;
}

static enum reason step_sound(struct way *w)
{
	uint32_t odd = w->l.odd;
	if ((odd & ODD_FRAGMENT_SMALL) != 0 && !weak(w->j, WEAK_FRAGMENTS)) {
		report_anomaly(w, ANOMALY_FRAGMENT);
		return REASON_FRAGMENT;
	}
	if ((odd & UNTRUSTED) != 0 && !weak(w->j, WEAK_MALFORMED)) {
		report_anomaly(w, (unsigned)__builtin_ctz(odd & UNTRUSTED));
		return REASON_MALFORMED;
	}
	if (((odd & ODD_BAD_IP_CSUM) != 0 || !packet_checksums_ok(w->f, &w->l)) &&
	    !weak(w->j, WEAK_CHECKSUM)) {
		report_anomaly(w, ANOMALY_CSUM);
		return REASON_BAD_CSUM;
	}
	return REASON_NONE;
}

/* Which ICMP messages may pass at all: echo, and the errors that make the Internet work. */
static enum reason step_icmp(const struct way *w)
{
	const struct layers *l = &w->l;
	if ((l->proto != PROTO_ICMP && l->proto != PROTO_ICMP6) || weak(w->j, WEAK_ICMP_TYPE))
		return REASON_NONE;
	if (l->fragment && !l->first_fragment)
		return REASON_NONE;
	uint8_t t = l->icmp_type;
	bool fine;
	if (l->ip_ver == 4)
		fine = l->proto == PROTO_ICMP && (t == 0 || t == 3 || t == 8 || t == 11 || t == 12);
	else
		fine = l->proto == PROTO_ICMP6 && ((t >= 1 && t <= 4) || t == 128 || t == 129);
	return fine ? REASON_NONE : REASON_ICMP_TYPE;
}

/* ---- forwarding -------------------------------------------------------------------------------------- */

/* Sent to the one who gets it: a guest, or, bridged, the router or a neighbour that began the conversation. */
static bool is_straight(const struct way *w, const struct flow *f, uint16_t out)
{
	const uint8_t *dst = w->f->data;
	if (out != 0)
		return memcmp(w->j->ports[out].p.mac.b, dst, sizeof(struct mac)) == 0;
	return w->gate || (is_bridged(w) && f->direction == DIR_INBOUND &&
			   memcmp(f->hop.b, dst, sizeof(f->hop)) == 0);
}

/* May this frame of f go out on the other side? Takes from the caps. */
static enum reason may_cross(struct way *w, struct flow *f, unsigned side)
{
	struct judge *j = w->j;
	uint16_t out = f->key[!side].port;
	if (j->now.lockdown == LOCKDOWN_OUTBOUND && f->direction == DIR_OUTBOUND &&
	    !weak(j, WEAK_LOCKDOWN))
		return REASON_LOCKDOWN;
	if (!j->ports[out].p.up)
		return REASON_PORT_DOWN;
	if (out == 0 && binding_hop(j, f) == NULL)
		return REASON_NO_NEXT_HOP;
	/* As behind a router, unless it was begun outside. Guests' own have been seen to by step_ttl. */
	if (w->routed && f->direction != DIR_INBOUND && w->l.ttl <= 1 && !weak(j, WEAK_TTL)) {
		answer_time_exceeded(w);
		return REASON_TTL;
	}
	if (f->relayed && !w->routed) {
		/* Spoken to a neighbour; but whoever it really is speaks as from beyond the gateway. */
		if (w->l.ttl <= 1)
			return REASON_TTL;
		w->routed = true;
	}
	if (!w->routed && !is_straight(w, f, out))
		return REASON_NOT_FOR_US;
	return is_guest(w) && !is_sink(w) ? caps_take(w, f) : REASON_NONE;
}

static void cross(struct way *w, struct flow *f, unsigned side)
{
	struct judge *j = w->j;
	uint16_t out = f->key[!side].port;
	struct mac dst, src;
	if (w->routed) {
		/* A guest is found right behind the router, as in a cloud that translates addresses. */
		if (f->direction != DIR_INBOUND)
			(void)packet_lower_ttl(w->f, &w->l); /* it is high enough */
		if (binding_link(j, f, w->f->port, out, &dst, &src))
			packet_set_macs(w->f, &dst, &src);
	}
	f->pkts[side]++;
	f->bytes[side] += w->f->len;
	w->ret->out_port = out;
}

static enum reason step_ttl(struct way *w)
{
	/* What comes from outside with a TTL of 1 has arrived, if a guest was asked (may_cross). */
	uint8_t least = is_guest(w) ? 2 : 1;
	bool straight = is_guest(w) && !w->routed && !w->gate;
	if (straight || w->l.ttl >= least || weak(w->j, WEAK_TTL))
		return REASON_NONE;
	answer_time_exceeded(w);
	return REASON_TTL;
}

static void result_of(struct way *w, const struct flow *f)
{
	w->ret->flow_id = f->id;
	w->ret->direction = f->direction;
	w->ret->verdict = f->verdict;
}

static enum reason way_error(struct way *w)
{
	struct layers quoted;
	unsigned side;
	if (w->l.fragment)
		return REASON_FRAGMENT;
	struct flow *f = nat_quoted_flow(w, &quoted, &side);
	if (f == NULL)
		return REASON_NO_FLOW;
	result_of(w, f);
	enum reason r = may_cross(w, f, side);
	struct scrub_seen seen = {0};
	if (r == REASON_NONE)
		r = inline_look(w, f, side, &quoted, &seen);
	if (r != REASON_NONE)
		return r;
	cross(w, f, side);
	inline_emit(w, &seen);
	return REASON_NONE;
}

static void fragment_key_of(const struct way *w, struct fragment_key *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->src = w->l.src;
	ret->dst = w->l.dst;
	ret->id = w->l.frag_id;
	ret->port = w->f->port;
	ret->proto = w->l.proto;
}

static enum reason way_later_fragment(struct way *w)
{
	struct fragment_key key;
	unsigned side;
	uint32_t at = w->l.payload != 0 ? w->l.payload : w->l.l4;
	fragment_key_of(w, &key);
	uint32_t len = at != 0 && at < w->l.l3_end ? w->l.l3_end - at : 0;
	if (!fragment_reaches(w->j->table, &key, w->l.ttl, w->now_ns))
		fragment_drop(w->j->table, &key, w->now_ns);
	struct flow *f = fragment_next(w->j->table, &key, w->l.frag_offset, len,
				       !w->l.more_fragments, w->now_ns, &side);
	if (f == NULL) {
		report_anomaly(w, ANOMALY_FRAGMENT);
		return REASON_FRAGMENT;
	}
	result_of(w, f);
	enum reason r = f->class == FLOW_REFUSED ? f->reason : may_cross(w, f, side);
	struct scrub_seen seen = {0};
	if (r == REASON_NONE)
		r = inline_look(w, f, side, NULL, &seen);
	if (r != REASON_NONE) {
		fragment_drop(w->j->table, &key, w->now_ns);
		return r;
	}
	cross(w, f, side);
	inline_emit(w, &seen);
	if (f->copy != 0)
		copy_frame(w, f, side);
	return REASON_NONE;
}

/* A first fragment opens the way for the ones behind it. */
static enum reason step_first_fragment(struct way *w, const struct fragment_key *key,
				       const struct flow *f, unsigned side)
{
	if (!w->l.fragment || !w->l.more_fragments || weak(w->j, WEAK_FRAGMENTS))
		return REASON_NONE;
	if (w->l.l4 == 0 || w->l.payload < w->l.l4 ||
	    fragment_begin(w->j->table, key, f, side, w->l.payload - w->l.l4, w->l.l3_end - w->l.l4,
			   w->now_ns) != 0) {
		report_anomaly(w, ANOMALY_FRAGMENT);
		return REASON_FRAGMENT;
	}
	(void)fragment_reaches(w->j->table, key, w->l.ttl, w->now_ns); /* the first one sets it */
	return REASON_NONE;
}

static enum reason way_known(struct way *w, struct flow *f, unsigned side)
{
	result_of(w, f);
	if (f->class == FLOW_REFUSED) {
		f->pkts[side]++;
		f->bytes[side] += w->f->len;
		flow_touch(w->j->table, f, FLOW_REFUSED, w->now_ns);
		if (f->verdict == VERDICT_REJECT && side == 0)
			answer_reject(w);
		return f->reason;
	}
	struct fragment_key key;
	struct scrub_seen seen = {0};
	fragment_key_of(w, &key);
	enum reason r = may_cross(w, f, side);
	if (r == REASON_NONE)
		r = step_first_fragment(w, &key, f, side);
	if (r != REASON_NONE)
		return r;
	w->flow = f;
	if (ftp_is_control(f))
		ftp_arrived(w, f);
	r = inline_look(w, f, side, NULL, &seen);
	/* Behind the rules: a reset that is no part of the stream ends nothing. */
	if (r == REASON_NONE)
		r = track_frame(w, f, side);
	if (r != REASON_NONE) {
		if (w->l.fragment)
			fragment_drop(w->j->table, &key, w->now_ns);
		return r;
	}
	if (!is_guest(w) && f->direction == DIR_INBOUND) {
		memcpy(f->hop.b, w->f->data + 6, sizeof(f->hop.b));
		if (w->j->conf.bridged)
			lan_met(w->j, f, w->now_ns);
	}
	if (ftp_is_control(f))
		ftp_heard(w, f);
	cross(w, f, side);
	flow_touch(w->j->table, f, track_class(f), w->now_ns);
	inline_emit(w, &seen);
	if (f->copy != 0)
		copy_frame(w, f, side);
	return REASON_NONE;
}

/* A refusal is for as long as its reason: what was ordered since may have changed it, and budgets
 * come back. */
static bool is_judged_anew(const struct way *w, const struct flow *f)
{
	/* What a rule has ended stays so. */
	if (f->class != FLOW_REFUSED || (f->reason >= REASON_RULE && f->reason <= REASON_HELD))
		return false;
	if (f->generation != (uint32_t)w->j->now.generation)
		return true;
	if (f->reason == REASON_NO_NEXT_HOP)
		return binding_router(w->j, f->key[0].dst.ver) != NULL;
	return (f->reason == REASON_LIMIT || f->reason == REASON_TABLE_FULL) &&
	       w->now_ns - f->start_ns >= JUDGE_AGAIN_NS;
}

static enum reason way_flow(struct way *w)
{
	struct flow_key key;
	unsigned side = 0;
	nat_key(w, &key);
	struct flow *f = flow_find(w->j->table, &key, &side);
	if (f != NULL && (track_restarts(w, f, side) || is_judged_anew(w, f))) {
		flow_remove(w->j->table, f, FLOW_END_FORCED, w->now_ns);
		f = NULL;
	}
	if (f == NULL) {
		enum reason r = open_flow(w, &key, &f);
		if (r != REASON_NONE)
			return r;
		side = 0;
	}
	return way_known(w, f, side);
}

static enum reason way_not_ip(struct way *w)
{
	bool arp = w->l.ethertype == ETHERTYPE_ARP;
	w->ret->out_port = arp ? 1 : 0;
	return weak(w->j, arp ? WEAK_NEIGH : WEAK_ETHERTYPE) ? REASON_NONE : REASON_ETHERTYPE;
}

static enum reason way_of(struct way *w)
{
	static enum reason (*const steps[])(struct way *) = {
		spoof_mac, neigh_way, step_ours, spoof_addr, step_sound, step_addressed, step_ttl,
	};
	if (w->f->port >= w->j->conf.n_ports || !w->in->p.up)
		return REASON_PORT_DOWN;
	if ((w->l.odd & ODD_VLAN) != 0 && !weak(w->j, WEAK_VLAN))
		return REASON_VLAN;
	if ((w->l.odd & ODD_TRUNC_ETH) != 0 || w->f->len < ETH_HLEN)
		return REASON_MALFORMED;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		enum reason r =
			steps[i] == neigh_way && weak(w->j, WEAK_NEIGH) ? REASON_NONE : steps[i](w);
		if (r != REASON_NONE || w->passed)
			return r;
		if (i == 1 && w->l.ethertype != ETHERTYPE_V4 && w->l.ethertype != ETHERTYPE_V6)
			return way_not_ip(w);
	}
	if (w->j->now.lockdown == LOCKDOWN_ALL && !weak(w->j, WEAK_LOCKDOWN))
		return REASON_LOCKDOWN;
	enum reason r = step_icmp(w);
	if (r != REASON_NONE)
		return r;
	if (w->l.fragment && !w->l.first_fragment && !weak(w->j, WEAK_FRAGMENTS))
		return way_later_fragment(w);
	return w->l.icmp_error ? way_error(w) : way_flow(w);
}

void judge_frame(struct judge *j, int64_t now_boot_ns, struct frame *f, struct judge_result *ret)
{
	struct way w = {.j = j, .now_ns = now_boot_ns, .f = f, .ret = ret};
	memset(ret, 0, sizeof(*ret));
	ret->verdict = VERDICT_DROP;
	w.in = &j->ports[f->port < JUDGE_PORTS ? f->port : 0];
	packet_decode(f, &w.l);
	count_kind(&w);
	enum reason r = j->conf.bridge ? bridge_way(&w) : way_of(&w);
	ret->reason = (uint8_t)r;
	if (r == REASON_NONE) {
		ret->verdict = VERDICT_FORWARD;
		j->stats->forwarded++;
	} else if (ret->verdict != VERDICT_LIMIT && ret->verdict != VERDICT_REJECT) {
		ret->verdict =
			r == REASON_LIMIT
				? VERDICT_LIMIT
				: VERDICT_DROP; /* the conversation may go on, this frame not */
	}
	ftp_leaves(&w);
	j->stats->reasons[r]++;
	j->stats->replies += ret->n_replies;
}

/* ---- time -------------------------------------------------------------------------------------------- */

struct release {
	struct judge *j;
	judge_send_fn *send;
	void *ctx;
};

/* What had been let go before a lockdown does not leave in it: lost, as on a wire. */
static void release_one(void *ctx, uint16_t port, struct frame *f)
{
	const struct release *r = ctx;
	uint8_t lockdown = r->j->now.lockdown;
	if (lockdown != LOCKDOWN_OFF && (lockdown != LOCKDOWN_OUTBOUND || port == 0))
		return;
	if (port == 0 && !r->j->conf.bridge)
		ftp_released(r->j, f);
	copy_released(r->j, port, f);
	r->send(r->ctx, port, f);
}

void judge_release(struct judge *j, int64_t now_boot_ns, judge_send_fn *send, void *ctx)
{
	int64_t next;
	struct release r = {j, send, ctx};
	if (j->conf.scrub != NULL)
		scrub_release(j->conf.scrub, now_boot_ns, release_one, &r, &next);
}

void judge_tick(struct judge *j, int64_t now_boot_ns)
{
	struct flow_counts c;
	contain_expire(j, now_boot_ns);
	if (!j->conf.bridge)
		flow_sweep(j->table, now_boot_ns, SWEEP_BUDGET);
	report_sums(j, now_boot_ns);
	flow_read_counts(j->table, &c);
	j->stats->flows_active = c.active;
	j->stats->flows_total = c.total;
	j->stats->flows_evicted = c.evicted;
	j->stats->flows_refused = c.refused;
}

void judge_finish(struct judge *j, int64_t now_boot_ns)
{
	flow_remove_port(j->table, FLOW_NO_PORT, FLOW_END_SHUTDOWN, now_boot_ns);
	if (j->conf.scrub != NULL)
		scrub_finish(j->conf.scrub);
	j->summed_ns = 0; /* tell the last sums now */
	judge_tick(j, now_boot_ns);
}

int judge_port_set(struct judge *j, uint16_t index, const struct judge_port *port,
		   int64_t now_boot_ns)
{
	if (!binding_fits(j, index, port))
		return SKEP_ERANGE;
	if (index != 0) {
		flow_remove_port(j->table, index, FLOW_END_FORCED, now_boot_ns);
		ftp_forget(j, index);
	}
	return binding_set(j, index, port);
}
