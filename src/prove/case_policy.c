/* SPDX-License-Identifier: BSD-2-Clause */
/* What the operator ordered: fences, ignored networks, lockdown, the kind of guest, rules of the policy. */
#include "prove/prove_priv.h"

#define NETS_MOST 16u

/* Sends one that begins a conversation; ports mean nothing to pings. */
static void begin(struct prove *p, uint8_t proto, uint16_t port, const struct addr *to)
{
	struct head h = case_head(p, to);
	if (h.from.ver == 0)
		return;
	if (proto == PROVE_TCP)
		case_syn(p, h, port);
	else if (proto == PROVE_UDP)
		case_udp_to(p, h, port);
	else
		case_ping(p, h);
}

static const struct {
	uint8_t proto;
	uint16_t port;
} probes[] = {
	{PROVE_TCP, 22},  {PROVE_TCP, 23},  {PROVE_TCP, 25},   {PROVE_TCP, 80},
	{PROVE_TCP, 443}, {PROVE_TCP, 587}, {PROVE_TCP, 8080}, {PROVE_UDP, 9},
	{PROVE_UDP, 53},  {PROVE_UDP, 123}, {PROVE_UDP, 443},  {PROVE_ICMP, 0},
};

static void all_ways(struct prove *p, const struct addr *to)
{
	if (to->ver == 0)
		return;
	begin(p, PROVE_UDP, 9, to);
	begin(p, PROVE_UDP, 53, to);
	begin(p, PROVE_TCP, 80, to);
	begin(p, PROVE_TCP, 25, to);
	begin(p, PROVE_ICMP, 0, to);
}

/* An address of the network that is not its first. */
static struct addr inside_of(const struct prefix *n)
{
	struct addr a = n->addr;
	if (n->len < (a.ver == 4 ? 32 : 128))
		a.b[a.ver == 4 ? 3 : 15] |= 1;
	return a;
}

void case_fence_list(struct prove *p)
{
	const struct prove_conf *c = p->conf;
	if (c->n_fences == 0) {
		run_skip(p, "nothing is fenced");
		return;
	}
	run_expect_sink(p, 0, 0);
	for (uint32_t i = 0; i < c->n_fences && i < NETS_MOST; i++) {
		struct addr a = inside_of(&c->fences[i]);
		all_ways(p, &a);
	}
	run_settle(p);
	p->inbound = true; /* and the other way */
	for (uint32_t i = 0; i < c->n_fences && i < NETS_MOST; i++) {
		struct addr a = inside_of(&c->fences[i]);
		case_from_outside(p, &a, a.ver == 6 ? &p->own->public6 : &p->own->public);
	}
}

void case_ignored(struct prove *p)
{
	const struct prove_conf *c = p->conf;
	if (c->n_ignored == 0) {
		run_skip(p, "nobody is ignored");
		return;
	}
	p->inbound = true;
	for (uint32_t i = 0; i < c->n_ignored && i < NETS_MOST; i++) {
		struct addr a = inside_of(&c->ignored[i]);
		case_from_outside(p, &a, a.ver == 6 ? &p->own->public6 : &p->own->public);
	}
}

/* Nothing begins, be it to neighbours, to the resolver or into the sink. */
static void nothing_begins(struct prove *p, bool lateral)
{
	const struct prove_port *g = case_guest(p, false);
	all_ways(p, &p->target);
	all_ways(p, &p->target6);
	all_ways(p, &p->c->network.resolver);
	if (lateral && g != NULL) {
		all_ways(p, &g->inside);
		all_ways(p, &g->inside6);
	}
	run_expect_sink(p, 0, 0);
}

void case_roach_motel(struct prove *p)
{
	if (p->conf->roach_motel)
		nothing_begins(p, true);
	else
		run_skip(p, "the proof's guest is none: --roach-motel makes it one");
}

void case_lockdown(struct prove *p)
{
	if (p->conf->lockdown)
		nothing_begins(p, p->conf->lockdown_all);
	else
		run_skip(p, "there is none");
}

/* ---- rules ---------------------------------------------------------------------------------------- */

/* Every probe that the policy wants to be treated so. */
static void probe(struct prove *p, bool sink)
{
	const struct prove_port *g = case_guest(p, false);
	const struct addr none = {0};
	const struct addr *const to[] = {&p->target, &p->target6, &p->c->network.resolver,
					 &p->c->network.resolver6, g != NULL ? &g->inside : &none};
	for (size_t k = 0; k < ARRAY_LEN(to); k++)
		for (size_t i = 0; i < ARRAY_LEN(probes) && to[k]->ver != 0; i++) {
			struct expect e = expect_of(p, probes[i].proto, probes[i].port, to[k]);
			bool drop = e.act == ACT_DROP || e.act == ACT_REJECT;
			if (e.sink && sink && e.rule == NULL && probes[i].proto == PROVE_TCP)
				p->used[0]++; /* the built-in policy counts mail */
			if (sink ? e.sink : drop)
				begin(p, probes[i].proto, probes[i].port, to[k]);
		}
}

void case_sink(struct prove *p)
{
	if (p->conf->roach_motel || p->conf->lockdown) {
		run_skip(p, "nothing may begin that could be led there");
		return;
	}
	probe(p, true);
	run_expect_sink(p, run_row(p)->sent, run_row(p)->sent);
	if (run_row(p)->sent == 0)
		run_skip(p, "the policy sends nothing there, or there is no sink");
}

void case_policy(struct prove *p)
{
	if (p->c->wall.n_policy == 0 || p->conf->roach_motel || p->conf->lockdown) {
		run_skip(p, "no policy of the operator's decides");
		return;
	}
	probe(p, false);
	run_expect_sink(p, 0, 0);
	if (run_row(p)->sent == 0)
		run_skip(p, "it drops nothing of what can be tried");
}

/* ---- led elsewhere ------------------------------------------------------------------------------- */

#define EACH_MOST 4u /* of a rule: they use budgets up */

/* Where a rule's conversations have to come out: the wall's port, as whose, at which port. */
static void want(struct prove *p, const struct conf_policy *r, const struct addr *to)
{
	p->want.port = 0;
	p->want.to = r->redirect_to;
	p->want.dport = r->redirect_port;
	if (r->act == ACT_REFLECT) {
		const struct prove_port *g = expect_reflector(p, r);
		p->want.port = (uint32_t)(g - p->conf->ports);
		p->want.to = to->ver == 6 ? g->inside6 : g->inside;
		p->want.dport = 0;
	}
}

static bool has_windows(const struct conf_policy *r)
{
	return r->connections.n + r->packets.n + r->bytes.n > 0;
}

/* Those probes to `to` that rule r has to decide; at most so many. */
static uint32_t lead(struct prove *p, const struct conf_policy *r, const struct addr *to,
		     uint32_t most)
{
	static const uint8_t kinds[] = {PROVE_TCP, PROVE_UDP, PROVE_ICMP};
	const size_t n = ARRAY_LEN(probes) + ARRAY_LEN(kinds);
	uint32_t sent = 0;
	for (size_t i = 0; i < n && to->ver != 0 && sent < most; i++) {
		bool own = i < ARRAY_LEN(kinds); /* the rule's first port, then the usual ones */
		uint8_t proto = own ? kinds[i] : probes[i - ARRAY_LEN(kinds)].proto;
		uint16_t port = own ? (r->n_ports > 0 ? r->ports[0].lo : 9)
				    : probes[i - ARRAY_LEN(kinds)].port;
		struct expect e = expect_of(p, proto, port, to);
		if (e.rule != r || !expect_elsewhere(&e) || case_head(p, to).from.ver == 0)
			continue;
		want(p, r, to);
		p->want.dport = p->want.dport != 0 ? p->want.dport : proto == PROVE_ICMP ? 0 : port;
		uint32_t before = run_row(p)->arrived;
		begin(p, proto, port, to);
		run_settle(p);
		if (r->act == ACT_REDIRECT && !has_windows(r))
			p->used[proto == PROVE_TCP   ? 0
				: proto == PROVE_UDP ? 1
						     : 2] += run_row(p)->arrived - before;
		sent++;
	}
	return sent;
}

/* No place may use up what is for all of them. */
static uint32_t most_of(size_t place, uint32_t sent)
{
	uint32_t most = place == 0 ? EACH_MOST / 2 : EACH_MOST;
	return sent < most ? most - sent : 0;
}

/* How many conversations a rule lets through at least, of those that were sent. */
static uint32_t room(struct prove *p, const struct conf_policy *r, uint32_t sent)
{
	const struct conf_limits *l = &p->c->wall.limits;
	bool own = has_windows(r);
	const struct conf_limit *const all[] = {&l->tcp, &l->udp, &l->icmp, &l->lateral};
	const struct conf_limit *const its[] = {&r->connections, &r->packets};
	for (size_t k = 0; k < (own ? ARRAY_LEN(its) : ARRAY_LEN(all)); k++) {
		const struct conf_limit *w = own ? its[k] : all[k];
		for (uint32_t i = 0; i < w->n && i < CONF_WINDOWS; i++)
			if (w->w[i].max < 2 * EACH_MOST)
				return 0;
	}
	return sent > 0 ? 1 : 0;
}

/* arg: the verdict */
void case_elsewhere(struct prove *p)
{
	const struct conf_wall *w = &p->c->wall;
	const struct prove_port *g = case_guest(p, false);
	uint32_t least = 0;
	run_expect(p, 0, UINT32_MAX);
	for (uint32_t i = 0; i < w->n_policy; i++) {
		const struct conf_policy *r = &w->policy[i];
		const struct addr none = {0};
		struct addr first = r->n_to > 0 ? inside_of(&r->to[0]) : none;
		struct addr last = r->n_to > 1 ? inside_of(&r->to[r->n_to - 1]) : none;
		const struct addr *const to[] = {&last,
						 &first,
						 &p->target,
						 &p->target6,
						 &p->c->network.resolver,
						 g != NULL ? &g->inside : &none};
		uint32_t sent = 0;
		for (size_t k = 0; k < ARRAY_LEN(to) && r->act == case_arg(p); k++)
			sent += lead(p, r, to[k], most_of(k, sent));
		least += room(p, r, sent);
	}
	run_expect(p, least, run_row(p)->sent);
	run_expect_sink(p, 0, 0);
	if (run_row(p)->sent == 0)
		run_skip(p, "the policy has no such rule that could be tried");
}
