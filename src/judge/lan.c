/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guests with real addresses on the network outside (mode bridge). They may ask for their router, in a form that is
 * the wall's and not theirs, and its answer is passed on, if it was asked for. It is where the router's link
 * address is learned from. A neighbour there is told to a guest only after it has spoken to one.
 */
#include "judge/judge_priv.h"

#define ANSWER_NS (5 * NS_PER_SEC) /* the longest that a router may take */
#define NS_LEN 24u                 /* without options; NA as well */
#define MAC_OPTION 8u

static const struct mac everybody = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

static bool same_mac(const uint8_t *b, const struct mac *m)
{
	return memcmp(b, m->b, sizeof(m->b)) == 0;
}

const struct mac *lan_router(const struct judge *j, uint8_t ver)
{
	const struct mac *m = &j->gate[ver == 6];
	return mac_is_zero(m) ? NULL : m;
}

bool lan_is_router(const struct judge *j, const struct addr *a)
{
	const struct conf_network *net = &j->conf.network;
	return a->ver != 0 && addr_eq(a, a->ver == 4 ? &net->gateway : &net->gateway6);
}

/* ---- neighbours ------------------------------------------------------------------------------------ */

void lan_met(struct judge *j, const struct flow *f, int64_t now_ns)
{
	const struct addr *a = &f->key[0].src;
	const struct conf_network *net = &j->conf.network;
	struct lan_neighbour *at = &j->neighbours[0];
	if (!prefix_has(a->ver == 4 ? &net->inside : &net->inside6, a) || lan_is_router(j, a))
		return;
	for (unsigned i = 0; i < LAN_NEIGHBOURS; i++) {
		struct lan_neighbour *n = &j->neighbours[i];
		if (addr_eq(&n->addr, a)) {
			at = n;
			break;
		}
		if (n->seen_ns < at->seen_ns)
			at = n;
	}
	*at = (struct lan_neighbour){.addr = *a, .mac = f->hop, .seen_ns = now_ns};
}

const struct mac *lan_known(const struct judge *j, const struct addr *a)
{
	const struct conf_network *net = &j->conf.network;
	/* A name server on the link is asked by way of the router, or the sink answers for it: first, or a neighbour
	 * that speaks in its name would keep guests from asking. */
	if (addr_eq(a, a->ver == 4 ? &net->resolver : &net->resolver6))
		return lan_router(j, a->ver);
	for (unsigned i = 0; i < LAN_NEIGHBOURS; i++)
		if (addr_eq(&j->neighbours[i].addr, a))
			return &j->neighbours[i].mac;
	return NULL;
}

/* ---- asking for the router --------------------------------------------------------------------------- */

/* The frame as the wall would have written it: nothing in it is left to the guest. */
static bool write_arp(struct way *w)
{
	struct frame *f = w->f;
	const struct mac *router = lan_router(w->j, 4);
	bool all = (f->data[0] & 1) != 0;
	if (w->l.l3 != ETH_HLEN || f->len < w->l.l3_end ||
	    (!all && (router == NULL || !same_mac(f->data, router))))
		return false;
	packet_set_macs(f, all ? &everybody : router, &w->in->p.mac);
	memset(f->data + ETH_HLEN + 18, 0, 6); /* whose address is asked for */
	f->len = w->l.l3_end;
	f->vnet = (struct vnet){0};
	return true;
}

static bool write_ns(struct way *w, const struct neigh *n)
{
	struct frame *f = w->f;
	struct layers *l = &w->l;
	static const uint8_t zero[4];
	static const uint8_t head[4] = {0x60};
	const struct mac *router = lan_router(w->j, 6);
	uint32_t len = l->l3_end - l->l4;
	bool all = (f->data[0] & 1) != 0;
	struct mac to = {{0x33, 0x33, 0xff, n->target.b[13], n->target.b[14], n->target.b[15]}};
	struct addr group = {.b = {0xff, 2, [11] = 1, [12] = 0xff}, .ver = 6};
	memcpy(group.b + 13, n->target.b + 13, 3);
	if (l->l3 != ETH_HLEN || l->l4 != ETH_HLEN + 40 || w->in->p.inside6.ver == 0 ||
	    (len != NS_LEN && len != NS_LEN + MAC_OPTION) ||
	    (len != NS_LEN && mac_is_zero(&n->sender_mac)) || (all && len == NS_LEN) ||
	    (!all && (router == NULL || !same_mac(f->data, router))))
		return false;
	packet_set_macs(f, all ? &to : router, &w->in->p.mac);
	memcpy(f->data + l->l3, head, sizeof(head)); /* no class, no label */
	packet_set_addr(f, l, true, &w->in->p.inside6);
	packet_set_addr(f, l, false, all ? &group : &n->target);
	if (!packet_set_bytes(f, l, l->l4 + 4, zero, sizeof(zero)))
		return false;
	f->len = l->l3_end;
	return true;
}

static enum reason may_pass(struct way *w, uint16_t out)
{
	if (w->j->now.lockdown == LOCKDOWN_ALL)
		return REASON_LOCKDOWN;
	if (!w->j->ports[out].p.up)
		return REASON_PORT_DOWN;
	w->ret->out_port = out;
	w->passed = true;
	return REASON_NONE;
}

enum reason lan_ask(struct way *w, const struct neigh *n)
{
	bool v6 = n->kind == NEIGH_NS;
	if (!(v6 ? write_ns(w, n) : write_arp(w)))
		return REASON_NEIGH_REFUSED;
	enum reason r = may_pass(w, 0);
	if (r == REASON_NONE)
		w->in->asked_ns[v6] = w->now_ns;
	return r;
}

/* ---- the router's answer ------------------------------------------------------------------------------ */

static bool read_reply(struct way *w, const struct neigh *n, const struct judge_port *guest)
{
	if (w->l.l3 != ETH_HLEN || w->f->len < w->l.l3_end ||
	    !same_mac(w->f->data + 6, &n->sender_mac) || !addr_eq(&n->target, &guest->inside))
		return false;
	memcpy(w->f->data + ETH_HLEN + 18, guest->mac.b, sizeof(guest->mac.b));
	w->f->vnet = (struct vnet){0};
	return true;
}

static bool read_na(const struct way *w, const struct neigh *n, const struct judge_port *guest)
{
	const struct layers *l = &w->l;
	uint32_t len = l->l3_end - l->l4;
	return l->l3 == ETH_HLEN && l->l4 == ETH_HLEN + 40 &&
	       (len == NS_LEN
			? mac_is_zero(&n->sender_mac)
			: len == NS_LEN + MAC_OPTION && same_mac(w->f->data + 6, &n->sender_mac)) &&
	       addr_eq(&l->dst, &guest->inside6) && packet_checksums_ok(w->f, l);
}

enum reason lan_told(struct way *w, const struct neigh *n)
{
	struct judge *j = w->j;
	struct mac dst;
	memcpy(dst.b, w->f->data, sizeof(dst.b));
	uint16_t to = binding_mac(j, &dst);
	bool v6 = n->kind == NEIGH_NA;
	if (to == FLOW_NO_PORT || (!v6 && n->kind != NEIGH_ARP_REPLY) ||
	    !lan_is_router(j, v6 ? &n->target : &n->sender))
		return REASON_NEIGH_REFUSED;
	struct port_state *s = &j->ports[to];
	if (s->asked_ns[v6] == 0 || w->now_ns - s->asked_ns[v6] > ANSWER_NS ||
	    !(v6 ? read_na(w, n, &s->p) : read_reply(w, n, &s->p)))
		return REASON_NEIGH_REFUSED;
	enum reason r = may_pass(w, to);
	if (r != REASON_NONE)
		return r;
	s->asked_ns[v6] = 0; /* one question, one answer */
	memcpy(j->gate[v6].b, w->f->data + 6, sizeof(j->gate[v6].b));
	w->f->len = w->l.l3_end;
	return REASON_NONE;
}
