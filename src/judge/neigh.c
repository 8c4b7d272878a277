/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ARP and neighbour discovery. Nothing of it is ever passed on: the wall knows who lives where from
 * its configuration, answers what may be asked, and believes nothing.
 */
#include "judge/judge_priv.h"

#include <string.h>

#define OUTSIDE_PRICE_NS (NS_PER_SEC / 200)
#define GUEST_PRICE_NS (NS_PER_SEC / 100) /* where the configuration sets no budget */

static bool in_budget(struct way *w)
{
	const struct conf_limit *l = &w->j->conf.wall.limits.neigh;
	int64_t price = is_guest(w) ? GUEST_PRICE_NS : OUTSIDE_PRICE_NS, burst = NS_PER_SEC;
	/* The window that allows least per second decides. */
	for (uint32_t i = 0; is_guest(w) && i < l->n && i < CONF_WINDOWS; i++) {
		if (l->w[i].max == 0)
			return false;
		int64_t p = l->w[i].window_ns / l->w[i].max;
		if (i == 0 || p > price) {
			price = p;
			burst = l->w[i].window_ns;
		}
	}
	return policy_rate_take(&w->in->neigh_ns, price, burst, w->now_ns);
}

/* What a guest may say: its own MAC and address; the answers we never asked for are refused. */
static enum reason check_guest(struct way *w, const struct neigh *n)
{
	const struct judge_port *p = &w->in->p;
	bool arp = n->kind == NEIGH_ARP_REQUEST || n->kind == NEIGH_ARP_REPLY;
	static const struct addr none = {.ver = 0};
	const struct addr *own = arp ? &p->inside : &p->inside6;
	if ((arp || !mac_is_zero(&n->sender_mac)) &&
	    memcmp(&n->sender_mac, &p->mac, sizeof(p->mac)) != 0) {
		report_anomaly(w, ANOMALY_SPOOFED_MAC);
		return REASON_SPOOFED_MAC;
	}
	bool unspecified = memcmp(n->sender.b, none.b, sizeof(none.b)) == 0;
	bool link_local = !arp && n->sender.b[0] == 0xfe && (n->sender.b[1] & 0xc0) == 0x80;
	if (!unspecified && !link_local && !addr_eq(&n->sender, own)) {
		report_anomaly(w, ANOMALY_SPOOFED_ADDR);
		return REASON_SPOOFED_ADDR;
	}
	/* Without an address: it checks whether its own is free, which it is. */
	return unspecified ? REASON_NEIGH_REFUSED : REASON_NONE;
}

/* The MAC that a guest is told for target, or NULL. */
static const struct mac *known_to_guest(const struct way *w, const struct addr *target)
{
	static const struct addr all_gateways = {.b = {0xfe, 0x80, [15] = 1}, .ver = 6};
	const struct judge *j = w->j;
	const struct conf_network *net = &j->conf.network;
	if (target->ver == 0)
		return NULL;
	if (!is_bridged(w) && (addr_eq(target, &net->gateway) || addr_eq(target, &net->gateway6) ||
			       addr_eq(target, &all_gateways)))
		return &net->gateway_mac;
	uint16_t at = binding_inside(j, target);
	if (at == FLOW_NO_PORT && is_bridged(w))
		return lan_known(j, target);
	if (at == FLOW_NO_PORT || &j->ports[at] == w->in || !j->ports[at].p.up)
		return NULL;
	return &j->ports[at].p.mac;
}

/* The MAC that the outside is told: the wall's own; or, where guests are on its network themselves, theirs. */
static const struct mac *known_outside(const struct way *w, const struct addr *target)
{
	if (!binding_answers_outside(w->j, target))
		return NULL;
	uint16_t at = w->j->conf.bridged ? binding_public(w->j, target) : 0;
	return at != FLOW_NO_PORT ? &w->j->ports[at].p.mac : NULL;
}

/* What others on the outside say to each other takes nothing from the budget of what we are asked. */
static bool concerns_us(const struct way *w, const struct neigh *n)
{
	struct mac dst;
	memcpy(dst.b, w->f->data, sizeof(dst.b));
	if (is_guest(w))
		return true;
	if (n->kind == NEIGH_ARP_REQUEST || n->kind == NEIGH_NS)
		return known_outside(w, &n->target) != NULL;
	return w->j->conf.bridged && binding_mac(w->j, &dst) != FLOW_NO_PORT;
}

static enum reason answer(struct way *w, const struct neigh *n)
{
	const struct mac *own =
		is_guest(w) ? known_to_guest(w, &n->target) : known_outside(w, &n->target);
	if (own == NULL || addr_eq(&n->sender, &n->target))
		return REASON_NEIGH_REFUSED;
	struct frame *out = answer_slot(w, w->f->port);
	if (out == NULL)
		return REASON_NEIGH_BUDGET;
	struct mac to;
	memcpy(to.b, w->f->data + 6, sizeof(to.b));
	int err;
	if (n->kind == NEIGH_ARP_REQUEST)
		err = packet_build_arp_reply(out, own, &n->target, &to, &n->sender);
	else
		err = packet_build_na(out, own, &n->target, &to, &n->sender,
				      own == &w->j->conf.network.gateway_mac ||
					      (!is_guest(w) && !w->j->conf.bridged));
	if (err != 0) {
		w->ret->n_replies--;
		return REASON_MALFORMED;
	}
	return REASON_REPLIED;
}

enum reason neigh_way(struct way *w)
{
	struct neigh n;
	packet_neigh(w->f, &w->l, &n);
	if (n.kind == NEIGH_NONE)
		return w->l.ethertype == ETHERTYPE_ARP ? REASON_MALFORMED : REASON_NONE;
	if (!concerns_us(w, &n))
		return REASON_NEIGH_REFUSED;
	if (!in_budget(w))
		return REASON_NEIGH_BUDGET;
	if (is_guest(w)) {
		enum reason r = check_guest(w, &n);
		if (r != REASON_NONE)
			return r;
	}
	if (!is_guest(w) && w->j->conf.bridged && (n.kind == NEIGH_ARP_REPLY || n.kind == NEIGH_NA))
		return lan_told(w, &n);
	if (n.kind != NEIGH_ARP_REQUEST && n.kind != NEIGH_NS)
		return REASON_NEIGH_REFUSED;
	/* Neighbour discovery from beyond a router would have lost hops on the way. */
	if (n.kind == NEIGH_NS && (w->l.ttl != 255 || !packet_checksums_ok(w->f, &w->l)))
		return REASON_NEIGH_REFUSED;
	static const struct addr none;
	if (memcmp(n.sender.b, none.b, sizeof(none.b)) == 0)
		return REASON_NEIGH_REFUSED;
	if (is_guest(w) && is_bridged(w) && lan_is_router(w->j, &n.target))
		return lan_ask(w, &n);
	return answer(w, &n);
}
