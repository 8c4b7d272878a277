/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which address lives at which port. There are at most two dozen ports, so every question is one
 * short walk; addresses can change while the wall runs.
 */
#include "judge/judge_priv.h"

#include <string.h>

bool binding_fits(const struct judge *j, uint16_t index, const struct judge_port *p)
{
	return index < j->conf.n_ports && memchr(p->name, '\0', sizeof(p->name)) != NULL &&
	       p->name[0] != '\0' && p->kind <= JUDGE_SINK &&
	       memchr(p->class, '\0', sizeof(p->class)) != NULL &&
	       (p->kind == JUDGE_OUTSIDE) == (index == 0);
}

int binding_set(struct judge *j, uint16_t index, const struct judge_port *p)
{
	if (!binding_fits(j, index, p))
		return SKEP_ERANGE;
	struct port_state *s = &j->ports[index];
	const char *keep[JUDGE_PORTS];
	size_t n = 0;
	for (uint32_t i = 1; i < j->conf.n_ports; i++)
		if (i != index && j->conf.ports[i].kind != JUDGE_SINK)
			keep[n++] = j->conf.ports[i].name;
	if (index != 0 && p->kind != JUDGE_SINK) {
		unsigned slot;
		int err = policy_slot(j->limits, p->name, keep, n, &slot);
		if (err != 0)
			return err;
		s->limits = j->limits;
		s->slot = slot;
	}
	s->p = *p;
	j->conf.ports[index] = *p;
	text_copy(j->stats->ports[index].name, sizeof(j->stats->ports[index].name), p->name);
	for (uint32_t i = 0; i < j->conf.n_forwards; i++) {
		const struct conf_forward *fw = &j->conf.forwards[i];
		if (j->forward_port[i] == index)
			j->forward_port[i] = FLOW_NO_PORT;
		if (index != 0 && strncmp(fw->guest, p->name, sizeof(fw->guest)) == 0)
			j->forward_port[i] = index;
	}
	return 0;
}

int binding_setup(struct judge *j)
{
	if (j->conf.n_ports == 0 || j->conf.n_ports > JUDGE_PORTS ||
	    j->conf.n_forwards > CONF_FORWARDS || j->conf.n_host > CONF_PREFIXES)
		return SKEP_ERANGE;
	for (uint32_t i = 0; i < CONF_FORWARDS; i++)
		j->forward_port[i] = FLOW_NO_PORT;
	for (uint32_t i = 0; i < j->conf.n_ports; i++) {
		struct judge_port p = j->conf.ports[i];
		int err = binding_set(j, (uint16_t)i, &p);
		if (err != 0)
			return err;
	}
	return 0;
}

uint16_t binding_inside(const struct judge *j, const struct addr *a)
{
	for (uint16_t i = 1; i < j->conf.n_ports; i++) {
		const struct judge_port *p = &j->ports[i].p;
		if (addr_eq(a->ver == 4 ? &p->inside : &p->inside6, a))
			return i;
	}
	return FLOW_NO_PORT;
}

uint16_t binding_public(const struct judge *j, const struct addr *a)
{
	for (uint16_t i = 1; i < j->conf.n_ports; i++)
		if (addr_eq(binding_public_of(&j->ports[i], a->ver), a))
			return i;
	return FLOW_NO_PORT;
}

/* What it is reached by: an address of its own, or the uplink's. */
static const struct addr *forward_addr(const struct judge *j, const struct conf_forward *fw,
				       uint8_t ver)
{
	return fw->public.ver != 0 ? &fw->public : binding_public_of(&j->ports[0], ver);
}

bool binding_answers_outside(const struct judge *j, const struct addr *a)
{
	if (a->ver == 0)
		return false;
	for (uint32_t i = 0; i < j->conf.n_forwards; i++)
		if (j->forward_port[i] != FLOW_NO_PORT &&
		    addr_eq(forward_addr(j, &j->conf.forwards[i], a->ver), a))
			return true;
	return binding_public(j, a) != FLOW_NO_PORT;
}

const struct addr *binding_public_of(const struct port_state *s, uint8_t ver)
{
	return ver == 4 ? &s->p.public : &s->p.public6;
}

const struct mac *binding_router(const struct judge *j, uint8_t ver)
{
	const struct judge_port *p = &j->ports[0].p;
	if (j->conf.bridged && lan_router(j, ver) != NULL)
		return lan_router(j, ver);
	const struct mac *m =
		ver == 6 && !mac_is_zero(&p->peer_mac6) ? &p->peer_mac6 : &p->peer_mac;
	return mac_is_zero(m) ? NULL : m;
}

const struct mac *binding_hop(const struct judge *j, const struct flow *f)
{
	if (f->direction != DIR_INBOUND)
		return binding_router(j, f->key[0].src.ver);
	return mac_is_zero(&f->hop) ? NULL : &f->hop; /* nothing of it has crossed yet */
}

bool binding_link(const struct judge *j, const struct flow *f, uint16_t in, uint16_t out,
		  struct mac *ret_dst, struct mac *ret_src)
{
	const struct judge_port *p = &j->ports[out].p;
	bool bridged = j->conf.bridged && p->kind != JUDGE_SINK;
	const struct mac *router = bridged ? binding_router(j, f->key[0].src.ver) : NULL;
	const struct mac *hop = out == 0 ? binding_hop(j, f) : &p->mac;
	if (hop == NULL)
		return false;
	*ret_dst = *hop;
	if (out == 0) /* bridged, guests speak for themselves */
		*ret_src = bridged ? j->ports[in].p.mac : p->mac;
	else
		*ret_src = router != NULL ? *router : j->conf.network.gateway_mac;
	return true;
}

const struct conf_forward *binding_forward(const struct judge *j, const struct flow_key *asked,
					   uint16_t *ret_port)
{
	for (uint32_t i = 0; i < j->conf.n_forwards; i++) {
		const struct conf_forward *fw = &j->conf.forwards[i];
		if (j->forward_port[i] == FLOW_NO_PORT || fw->proto != asked->proto ||
		    fw->public_port != asked->dport ||
		    !addr_eq(forward_addr(j, fw, asked->dst.ver), &asked->dst))
			continue;
		*ret_port = j->forward_port[i];
		return fw;
	}
	return NULL;
}

uint16_t binding_sink(const struct judge *j)
{
	for (uint16_t i = 1; i < j->conf.n_ports; i++)
		if (j->ports[i].p.kind == JUDGE_SINK && j->ports[i].p.up)
			return i;
	return FLOW_NO_PORT;
}

uint16_t binding_name(const struct judge *j, const char *name)
{
	for (uint16_t i = 1; i < j->conf.n_ports; i++)
		if (strncmp(j->ports[i].p.name, name, sizeof(j->ports[i].p.name)) == 0)
			return i;
	return FLOW_NO_PORT;
}

uint16_t binding_mac(const struct judge *j, const struct mac *m)
{
	for (uint16_t i = 1; i < j->conf.n_ports; i++)
		if (j->ports[i].p.kind != JUDGE_SINK && /* reached by way of the gateway only */
		    memcmp(j->ports[i].p.mac.b, m->b, sizeof(m->b)) == 0)
			return i;
	return FLOW_NO_PORT;
}
