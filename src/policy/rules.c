/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules of the configuration: the first that matches a new conversation decides about it. */
#include "policy/policy.h"

#include <string.h>

static bool names_it(const struct conf_policy *p, const struct policy_ask *a)
{
	if (p->n_guests == 0)
		return true;
	for (uint32_t i = 0; i < p->n_guests && i < CONF_POLICY_GUESTS; i++)
		if (strncmp(p->guests[i], a->guest, CONF_NAME) == 0 ||
		    strncmp(p->guests[i], a->guest_class, CONF_NAME) == 0)
			return true;
	return false;
}

static bool leads_there(const struct prefix *to, const struct policy_ask *a)
{
	if (to->addr.ver != 0)
		return prefix_has(to, &a->dst);
	switch ((enum conf_to)to->len) {
	case TO_ANY:
		return true;
	case TO_OUTSIDE:
		return !a->lateral;
	case TO_LATERAL:
		return a->lateral;
	case TO_RESOLVER:
		return a->resolver;
	}
	return false;
}

static bool reaches(const struct conf_policy *p, const struct policy_ask *a)
{
	for (uint32_t i = 0; i < p->n_to && i < CONF_POLICY_NETS; i++)
		if (leads_there(&p->to[i], a))
			return true;
	return p->n_to == 0;
}

static bool has_port(const struct conf_policy *p, const struct policy_ask *a)
{
	for (uint32_t i = 0; i < p->n_ports && i < CONF_POLICY_PORTS; i++)
		if (a->dport >= p->ports[i].lo && a->dport <= p->ports[i].hi)
			return true;
	return p->n_ports == 0;
}

static bool is_proto(const struct conf_policy *p, const struct policy_ask *a)
{
	static const uint8_t protos[] = {[POLICY_TCP] = 6,
					 [POLICY_UDP] = 17,
					 [POLICY_ICMP] = 1,
					 [POLICY_OTHER] = CONF_OTHER};
	return p->proto == 0 || (a->class <= POLICY_OTHER && p->proto == protos[a->class]);
}

const struct conf_policy *policy_match(const struct conf_policy *rules, uint32_t n,
				       const struct policy_ask *a)
{
	for (uint32_t i = 0; i < n && i < CONF_POLICY; i++)
		if (names_it(&rules[i], a) && is_proto(&rules[i], a) && reaches(&rules[i], a) &&
		    has_port(&rules[i], a))
			return &rules[i];
	return NULL;
}

bool policy_counts(const struct conf_policy *p)
{
	return p->connections.n + p->packets.n + p->bytes.n > 0;
}
