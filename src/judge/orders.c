/* SPDX-License-Identifier: BSD-2-Clause */
/* Orders of the operator: fences, ignored networks, overrides and lockdown, at once and for a time. */
#include "judge/judge_priv.h"

#include <string.h>

static bool listed(const struct prefix *nets, uint32_t n, const struct addr *a)
{
	for (uint32_t i = 0; i < n && i < CONF_PREFIXES; i++)
		if (prefix_has(&nets[i], a))
			return true;
	return false;
}

bool contain_is_fenced(const struct judge *j, const struct addr *a)
{
	if (weak(j, WEAK_FENCE))
		return false;
	if (listed(j->conf.wall.fence, j->conf.wall.n_fence, a))
		return true;
	for (uint32_t i = 0; i < j->now.n_fences; i++)
		if (prefix_has(&j->now.fences[i].net, a))
			return true;
	return false;
}

bool contain_ignores(struct judge *j, const struct addr *src)
{
	const struct conf_wall *c = &j->conf.wall;
	if (weak(j, WEAK_IGNORE))
		return false;
	for (uint32_t i = 0; i < c->n_ignore && i < CONF_PREFIXES; i++) {
		if (!prefix_has(&c->ignore[i], src))
			continue;
		j->stats->ignored[i]++;
		return true;
	}
	for (uint32_t i = 0; i < j->now.n_ignored; i++) {
		if (!prefix_has(&j->now.ignored[i].net, src))
			continue;
		j->stats->ignored[CONF_PREFIXES + i]++;
		return true;
	}
	return false;
}

/* ---- what new orders mean for conversations that are already there ------------------------------ */

/* As new ones are judged: whom the guest asked for, where that ended outside, or who came. A guest's own
 * address may lie within a fence (10.0.0.0/8, say); any order would end all it does. */
static bool touches_fence(void *ctx, const struct flow *f)
{
	const struct judge *j = ctx;
	if (f->direction == DIR_INBOUND)
		return contain_is_fenced(j, &f->key[0].src);
	return contain_is_fenced(j, &f->key[0].dst) ||
	       (f->key[1].port == 0 && f->key[1].src.ver != 0 &&
		contain_is_fenced(j, &f->key[1].src));
}

static bool is_cut(void *ctx, const struct flow *f)
{
	const struct judge *j = ctx;
	if (f->direction == DIR_INBOUND || f->class == FLOW_REFUSED || f->guest >= j->conf.n_ports)
		return false;
	/* The log goes on, as it does for new ones. */
	if (f->peer_guest < j->conf.n_ports && j->ports[f->peer_guest].p.kind == JUDGE_LOGHOST)
		return false;
	const struct policy_override *o = policy_override_of(&j->now, j->ports[f->guest].p.name);
	return o != NULL && (o->act == ACT_DROP || o->act == ACT_REJECT);
}

/* Counters follow their networks: an order may leave the list from its middle. */
static void move_counts(struct judge *j, const struct policy_now *now)
{
	uint64_t kept[POLICY_NETS] = {0};
	uint64_t *counts = &j->stats->ignored[CONF_PREFIXES];
	for (uint32_t i = 0; i < now->n_ignored; i++)
		for (uint32_t k = 0; k < j->now.n_ignored; k++)
			if (j->now.ignored[k].net.len == now->ignored[i].net.len &&
			    addr_eq(&j->now.ignored[k].net.addr, &now->ignored[i].net.addr))
				kept[i] = counts[k];
	memcpy(counts, kept, sizeof(kept));
}

static void take_over(struct judge *j, const struct policy_now *now, int64_t now_ns)
{
	move_counts(j, now);
	j->now = *now;
	j->stats->lockdown = now->lockdown;
	flow_remove_which(j->table, touches_fence, j, FLOW_END_FORCED, now_ns);
	flow_remove_which(j->table, is_cut, j, FLOW_END_FORCED, now_ns);
}

int judge_orders(struct judge *j, const struct policy_now *now, int64_t now_boot_ns)
{
	if (!policy_now_sound(now))
		return SKEP_ERANGE;
	take_over(j, now, now_boot_ns);
	contain_expire(j, now_boot_ns);
	/* Last: who reads it may rely on the rest. */
	__atomic_store_n(&j->stats->orders, now->generation, __ATOMIC_RELEASE);
	return 0;
}

/* Conversations that go on to where nobody may go now, and those that were refused for where they went. */
static bool off_limits_matter(void *ctx, const struct flow *f)
{
	const struct judge *j = ctx;
	if (f->class == FLOW_REFUSED)
		return f->reason == REASON_OFF_LIMITS;
	/* Where a rule sends it is the operator's word. */
	return f->direction == DIR_OUTBOUND && !f->relayed && f->key[1].port == 0 &&
	       !open_to_resolver(j, &f->key[0]) &&
	       policy_is_off_limits(&j->off_limits, &f->key[0].dst) && !weak(j, WEAK_OFF_LIMITS);
}

void judge_host(struct judge *j, const struct prefix *host, uint32_t n, int64_t now_boot_ns)
{
	j->conf.n_host = n < CONF_PREFIXES ? n : CONF_PREFIXES;
	if (j->conf.n_host > 0)
		memcpy(j->conf.host, host, j->conf.n_host * sizeof(*host));
	policy_off_limits_make(&j->conf.wall, j->conf.host, j->conf.n_host, &j->off_limits);
	flow_remove_which(j->table, off_limits_matter, j, FLOW_END_FORCED, now_boot_ns);
}

void contain_expire(struct judge *j, int64_t now_ns)
{
	struct policy_now rest = j->now;
	struct policy_net net;
	struct policy_override o;
	enum policy_over kind;
	bool any = false;
	while ((kind = policy_now_expire(&rest, now_ns, &net, &o)) != POLICY_OVER_NONE) {
		report_expired(j, kind, &net, &o);
		any = true;
	}
	if (!any)
		return;
	rest.generation++; /* what was refused because of it is judged anew */
	take_over(j, &rest, now_ns);
}
