/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the configured policy says of a conversation, read from docs/POLICY.md a second time, so that the proof does
 * not believe the code that it tries.
 */
#include "prove/prove_priv.h"

#include <string.h>

#define SMTP 25
#define DNS 53

static bool has_sink(const struct prove *p)
{
	for (uint32_t i = 1; i < p->conf->n_ports; i++)
		if (p->conf->ports[i].sink && p->conf->ports[i].up)
			return true;
	return false;
}

static bool is_lateral(const struct prove *p, const struct addr *to)
{
	for (uint32_t i = 1; i < p->conf->n_ports; i++) {
		const struct prove_port *g = &p->conf->ports[i];
		const struct addr *const all[] = {&g->inside, &g->inside6, &g->public, &g->public6};
		for (size_t k = 0; k < ARRAY_LEN(all) && !g->sink; k++)
			if (all[k]->ver != 0 && addr_eq(all[k], to))
				return true;
	}
	return false;
}

static bool is_resolver(const struct prove *p, uint8_t proto, uint16_t port, const struct addr *to)
{
	const struct conf_network *n = &p->c->network;
	return (proto == PROVE_TCP || proto == PROVE_UDP) && port == DNS &&
	       addr_eq(to, to->ver == 6 ? &n->resolver6 : &n->resolver);
}

static bool names_us(const struct prove *p, const struct conf_policy *r)
{
	for (uint32_t i = 0; i < r->n_guests; i++)
		if (strcmp(r->guests[i], p->own->name) == 0 ||
		    strcmp(r->guests[i], p->conf->class) == 0)
			return true;
	return r->n_guests == 0;
}

static bool has_proto(const struct conf_policy *r, uint8_t proto)
{
	bool icmp = proto == PROVE_ICMP || proto == PROVE_ICMP6;
	bool named = icmp || proto == PROVE_TCP || proto == PROVE_UDP;
	return r->proto == 0 || r->proto == (!named ? CONF_OTHER : icmp ? PROVE_ICMP : proto);
}

static bool has_port(const struct conf_policy *r, uint16_t port)
{
	for (uint32_t i = 0; i < r->n_ports; i++)
		if (port >= r->ports[i].lo && port <= r->ports[i].hi)
			return true;
	return r->n_ports == 0;
}

static bool has_place(const struct prove *p, const struct conf_policy *r, uint8_t proto,
		      uint16_t port, const struct addr *to)
{
	bool lateral = is_lateral(p, to);
	for (uint32_t i = 0; i < r->n_to; i++) {
		const struct prefix *n = &r->to[i];
		if (n->addr.ver != 0        ? prefix_has(n, to)
		    : n->len == TO_OUTSIDE  ? !lateral
		    : n->len == TO_LATERAL  ? lateral
		    : n->len == TO_RESOLVER ? is_resolver(p, proto, port, to)
					    : true)
			return true;
	}
	return r->n_to == 0;
}

/* Is it an answer of one of the honeynet's own addresses? */
static bool is_ours(const struct prove *p, const struct addr *a)
{
	for (uint32_t i = 0; i < p->c->n_forwards; i++)
		if (addr_eq(&p->c->forwards[i].public, a))
			return true;
	return is_lateral(p, a);
}

static bool is_fenced(const struct prove *p, const struct addr *a)
{
	for (uint32_t i = 0; i < p->conf->n_fences; i++)
		if (prefix_has(&p->conf->fences[i], a))
			return true;
	return false;
}

const struct prove_port *expect_reflector(const struct prove *p, const struct conf_policy *r)
{
	for (uint32_t i = 1; i + 1 < p->conf->n_ports; i++)
		if (strcmp(p->conf->ports[i].name, r->reflect_to) == 0 &&
		    !p->conf->ports[i].loghost)
			return &p->conf->ports[i];
	return NULL;
}

/* Can the rule lead a conversation with `to` to where it says? */
static bool can_lead(const struct prove *p, const struct conf_policy *r, const struct addr *to)
{
	if (r->act == ACT_REDIRECT)
		return r->redirect_to.ver == to->ver && !is_fenced(p, &r->redirect_to) &&
		       !is_ours(p, &r->redirect_to);
	const struct prove_port *g = expect_reflector(p, r);
	return g != NULL && g->up && (to->ver == 6 ? &g->inside6 : &g->inside)->ver != 0;
}

/* Before any rule. */
static bool is_stopped(const struct prove *p, const struct addr *to)
{
	const struct prove_conf *c = p->conf;
	if (is_fenced(p, to))
		return true;
	return c->roach_motel || c->lockdown_all || (c->lockdown && !is_lateral(p, to));
}

struct expect expect_of(const struct prove *p, uint8_t proto, uint16_t port, const struct addr *to)
{
	const struct conf_wall *w = &p->c->wall;
	struct expect e = {.act = ACT_DROP};
	bool mail = proto == PROVE_TCP && port == SMTP && !is_lateral(p, to);
	for (uint32_t i = 0; i < w->n_policy && e.rule == NULL; i++) {
		const struct conf_policy *r = &w->policy[i];
		if (names_us(p, r) && has_proto(r, proto) && has_port(r, port) &&
		    has_place(p, r, proto, port, to))
			e.rule = r;
	}
	if (e.rule != NULL)
		e.act = e.rule->act;
	else if (w->n_policy == 0)
		e.act = mail                                             ? ACT_REDIRECT
			: is_resolver(p, proto, port, to) && has_sink(p) ? ACT_REDIRECT
									 : ACT_LIMIT;
	e.sink = e.act == ACT_REDIRECT && (e.rule == NULL || e.rule->redirect_to.ver == 0);
	if (e.sink && !has_sink(p)) {
		e.sink = false;
		e.act = ACT_DROP;
	}
	if (is_stopped(p, to) || (expect_elsewhere(&e) && !can_lead(p, e.rule, to)))
		e = (struct expect){.act = ACT_DROP};
	return e;
}

const struct conf_limit *expect_limit(struct prove *p, const struct expect *e,
				      const struct conf_limit *class)
{
	const struct conf_policy *r = e->rule;
	if (e->act == ACT_FORWARD)
		run_skip(p, "the policy forwards them without limit");
	else if (e->act == ACT_REFLECT)
		run_skip(p, "the policy reflects them");
	else if (r == NULL || (r->connections.n == 0 && r->packets.n == 0 && r->bytes.n == 0))
		return class;
	else if (r->connections.n == 0)
		run_skip(p, "the policy limits their packets or bytes");
	else
		return &r->connections;
	return NULL;
}

bool expect_elsewhere(const struct expect *e)
{
	return e->act == ACT_REFLECT || (e->act == ACT_REDIRECT && !e->sink);
}

bool expect_passes(const struct expect *e)
{
	return e->act == ACT_FORWARD || e->act == ACT_LIMIT || e->act == ACT_REWRITE;
}
