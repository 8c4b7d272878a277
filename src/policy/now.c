/* SPDX-License-Identifier: BSD-2-Clause */
/* What an operator has ordered at run time: fences, ignored networks, overrides, lockdown. */
#include "policy/policy.h"

#include <string.h>

const char *policy_act_text(uint8_t act)
{
	static const char *const names[] = {"forward",  "limit",   "drop",   "reject",
					    "redirect", "reflect", "rewrite"};
	_Static_assert(ARRAY_LEN(names) == ACTS, "a word for each verdict");
	return act < ACTS ? names[act] : "?";
}

int policy_act_parse(const char *text, uint8_t *ret)
{
	for (uint8_t i = 0; i < ACTS; i++) {
		if (strcmp(policy_act_text(i), text) != 0)
			continue;
		*ret = i;
		return 0;
	}
	return SKEP_ENOTFOUND;
}

static bool prefix_sound(const struct prefix *p)
{
	static const uint8_t zero[3];
	return (p->addr.ver == 4 || p->addr.ver == 6) && p->len <= (p->addr.ver == 4 ? 32 : 128) &&
	       memcmp(p->addr.pad, zero, sizeof(zero)) == 0;
}

static bool nets_sound(const struct policy_net *nets, uint32_t n)
{
	if (n > POLICY_NETS)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (!prefix_sound(&nets[i].net) || nets[i].until_ns < 0)
			return false;
	return true;
}

bool policy_now_sound(const struct policy_now *p)
{
	if (p->lockdown > LOCKDOWN_ALL || p->n_overrides > CONF_GUESTS ||
	    !nets_sound(p->fences, p->n_fences) || !nets_sound(p->ignored, p->n_ignored))
		return false;
	for (uint32_t i = 0; i < p->n_overrides; i++) {
		const struct policy_override *o = &p->overrides[i];
		if (o->act >= ACTS || o->act == ACT_REFLECT || o->until_ns < 0 ||
		    memchr(o->guest, '\0', sizeof(o->guest)) == NULL)
			return false;
	}
	return true;
}

static bool is_over(int64_t until_ns, int64_t now_ns)
{
	return until_ns != 0 && now_ns >= until_ns;
}

static bool net_take_over(struct policy_net *nets, uint32_t *n, int64_t now_ns,
			  struct policy_net *ret)
{
	for (uint32_t i = 0; i < *n; i++) {
		if (!is_over(nets[i].until_ns, now_ns))
			continue;
		*ret = nets[i];
		memmove(&nets[i], &nets[i + 1], (*n - i - 1) * sizeof(nets[0]));
		memset(&nets[--*n], 0, sizeof(nets[0]));
		return true;
	}
	return false;
}

enum policy_over policy_now_expire(struct policy_now *p, int64_t now_ns, struct policy_net *ret_net,
				   struct policy_override *ret_override)
{
	if (net_take_over(p->fences, &p->n_fences, now_ns, ret_net))
		return POLICY_OVER_FENCE;
	if (net_take_over(p->ignored, &p->n_ignored, now_ns, ret_net))
		return POLICY_OVER_IGNORE;
	for (uint32_t i = 0; i < p->n_overrides; i++) {
		if (!is_over(p->overrides[i].until_ns, now_ns))
			continue;
		*ret_override = p->overrides[i];
		p->n_overrides--;
		memmove(&p->overrides[i], &p->overrides[i + 1],
			(p->n_overrides - i) * sizeof(p->overrides[0]));
		memset(&p->overrides[p->n_overrides], 0, sizeof(p->overrides[0]));
		return POLICY_OVER_OVERRIDE;
	}
	return POLICY_OVER_NONE;
}

static struct policy_net *net_find(struct policy_net *nets, uint32_t n, const struct prefix *net)
{
	for (uint32_t i = 0; i < n; i++)
		if (nets[i].net.len == net->len && addr_eq(&nets[i].net.addr, &net->addr))
			return &nets[i];
	return NULL;
}

int policy_net_add(struct policy_net *nets, uint32_t *n, const struct prefix *net, int64_t until_ns)
{
	struct policy_net *p = net_find(nets, *n, net);
	if (p == NULL && *n == POLICY_NETS)
		return SKEP_EFULL;
	if (p == NULL)
		p = &nets[(*n)++];
	*p = (struct policy_net){.net = *net, .until_ns = until_ns};
	return 0;
}

int policy_net_remove(struct policy_net *nets, uint32_t *n, const struct prefix *net)
{
	struct policy_net *p = net_find(nets, *n, net);
	if (p == NULL)
		return SKEP_ENOTFOUND;
	size_t i = (size_t)(p - nets);
	memmove(p, p + 1, (*n - i - 1) * sizeof(*p));
	memset(&nets[--*n], 0, sizeof(*p));
	return 0;
}

const struct policy_override *policy_override_of(const struct policy_now *p, const char *guest)
{
	for (uint32_t i = 0; i < p->n_overrides; i++)
		if (strcmp(p->overrides[i].guest, guest) == 0)
			return &p->overrides[i];
	return NULL;
}

int policy_override_set(struct policy_now *p, const char *guest, uint8_t act, int64_t until_ns)
{
	struct policy_override *o = NULL;
	for (uint32_t i = 0; i < p->n_overrides; i++)
		if (strcmp(p->overrides[i].guest, guest) == 0)
			o = &p->overrides[i];
	if (o == NULL && p->n_overrides == CONF_GUESTS)
		return SKEP_EFULL;
	if (o == NULL)
		o = &p->overrides[p->n_overrides++];
	*o = (struct policy_override){.act = act, .until_ns = until_ns};
	return text_copy(o->guest, sizeof(o->guest), guest) ? 0 : SKEP_ERANGE;
}

int policy_override_reset(struct policy_now *p, const char *guest)
{
	const struct policy_override *o = policy_override_of(p, guest);
	if (o == NULL)
		return SKEP_ENOTFOUND;
	size_t i = (size_t)(o - p->overrides);
	p->n_overrides--;
	memmove(&p->overrides[i], &p->overrides[i + 1], (p->n_overrides - i) * sizeof(*o));
	memset(&p->overrides[p->n_overrides], 0, sizeof(*o));
	return 0;
}
