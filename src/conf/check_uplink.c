/* SPDX-License-Identifier: BSD-2-Clause */
/* What the modes on the real wire need, and what only they may have. */
#include "conf/conf_priv.h"

#include <string.h>

int conf_keep_parse(const char *text, uint8_t *ret_proto, uint16_t *ret_port)
{
	uint8_t proto = strncmp(text, "tcp/", 4) == 0 ? 6 : strncmp(text, "udp/", 4) == 0 ? 17 : 0;
	uint32_t port = 0;
	const char *at = text + 4;
	if (proto == 0 || *at == '\0')
		return SKEP_EFORMAT;
	for (; *at >= '0' && *at <= '9' && port <= UINT16_MAX; at++)
		port = port * 10 + (uint32_t)(*at - '0');
	if (*at != '\0' || port == 0 || port > UINT16_MAX)
		return SKEP_EFORMAT;
	*ret_proto = proto;
	*ret_port = (uint16_t)port;
	return 0;
}

static void check_keep(const struct check *k)
{
	const struct conf_uplink *u = &k->c->uplink;
	char quoted[64];
	uint8_t proto;
	uint16_t port;
	for (uint32_t i = 0; i < u->n_keep; i++)
		if (conf_keep_parse(u->keep[i], &proto, &port) != 0)
			COMPLAIN(k, NULL, "", "uplink.keep",
				 "write tcp/PORT or udp/PORT, like tcp/2222",
				 "uplink.keep: '%s' is no port", problem_quote(quoted, u->keep[i]));
}

/* The lab's addresses are for examples only: nobody is reached by them. */
static bool needs_guests(const struct check *k)
{
	for (uint32_t i = 0; i < k->c->n_guests; i++)
		if (k->guests[i] == NULL)
			return true;
	return false;
}

/* An address in the guests' network is answered for inside; outside, only by its owner. */
static void check_translated(const struct check *k, const struct node *item, const char *key,
			     const struct addr *public, const struct addr *inside)
{
	const struct conf_network *n = &k->c->network;
	char text[ADDR_TEXT];
	if (public->ver == 0 || addr_eq(public, inside))
		return;
	if (prefix_has(public->ver == 4 ? &n->inside : &n->inside6, public))
		COMPLAIN(k, item, key, public->ver == 4 ? "network.inside" : "network.inside6",
			 "choose another network for the guests, or give the guest this very "
			 "address",
			 "public address %s lies in the guests' own network",
			 addr_text(public, text));
}

static void check_shared(const struct check *k, uint32_t i)
{
	const struct conf_guest *g = &k->c->guests[i];
	const struct node *item = k->guests[i];
	if (k->c->mode != MODE_NAT) {
		COMPLAIN(k, item, "shared", "guests", "remove it, or use mode: nat",
			 "guest '%s' can share the host's addresses in mode nat only", g->name);
		return;
	}
	if (g->kind == GUEST_LOGHOST)
		COMPLAIN(k, item, "shared", "guests", "remove it; a forward leads to a loghost",
			 "loghost '%s' must not have a public address", g->name);
	if (g->public.ver != 0 || g->public6.ver != 0)
		COMPLAIN(k, item, g->public.ver != 0 ? "public" : "public6", "guests",
			 "remove it, or `shared`",
			 "guest '%s' has the host's addresses (shared) and one of its own",
			 g->name);
	for (uint32_t j = 0; j < i; j++)
		if (k->c->guests[j].shared)
			COMPLAIN(k, item, "shared", "guests",
				 "let one guest have them; forwards lead ports to others",
				 "guests '%s' and '%s' both have the host's addresses",
				 k->c->guests[j].name, g->name);
}

static bool any_shared(const struct conf *c)
{
	for (uint32_t i = 0; i < c->n_guests; i++)
		if (c->guests[i].shared)
			return true;
	return false;
}

static bool any_reached(const struct conf *c)
{
	for (uint32_t i = 0; i < c->n_guests; i++)
		if (c->guests[i].public.ver != 0 || c->guests[i].public6.ver != 0)
			return true;
	return any_shared(c) || c->n_forwards > 0;
}

static void check_nat(const struct check *k)
{
	for (uint32_t i = 0; i < k->c->n_guests; i++) {
		const struct conf_guest *g = &k->c->guests[i];
		check_translated(k, k->guests[i], "public", &g->public, &g->inside);
		check_translated(k, k->guests[i], "public6", &g->public6, &g->inside6);
	}
	for (uint32_t i = 0; i < k->c->n_forwards; i++)
		if (k->c->forwards[i].public.ver == 0 && !any_shared(k->c))
			COMPLAIN(
				k, k->forwards[i], "public", "forwards",
				"give the address, or make a guest `shared: true`",
				"a forward without a public address takes ports of the host's own, "
				"which no guest shares");
	if (!any_reached(k->c))
		COMPLAIN(k, NULL, "", "mode",
			 "give a guest `public: ADDRESS`, or `shared: true` for the host's own",
			 "nothing outside leads to a guest");
}

static void check_bridge(const struct check *k)
{
	const struct conf *c = k->c;
	if (strcmp(c->uplink.interface, "auto") == 0)
		COMPLAIN(k, NULL, "", "uplink.interface",
			 "name a link that the host itself does not use",
			 "mode bridge takes a link for itself, and none is named");
	for (uint32_t i = 0; i < c->n_guests; i++) {
		const struct conf_guest *g = &c->guests[i];
		bool four = g->public.ver == 0 || addr_eq(&g->public, &g->inside);
		if (!four || (g->public6.ver != 0 && !addr_eq(&g->public6, &g->inside6)))
			COMPLAIN(k, k->guests[i], four ? "public6" : "public", "guests",
				 "remove it; `inside` is its address on the network",
				 "guest '%s' has another address outside, but mode bridge "
				 "translates "
				 "nothing",
				 g->name);
	}
	if (c->n_forwards > 0)
		COMPLAIN(k, k->forwards[0], "", "forwards",
			 "remove it; guests are reached at their own addresses",
			 "forwards translate, and mode bridge does not");
}

void check_uplink(const struct check *k)
{
	const struct conf *c = k->c;
	check_keep(k);
	for (uint32_t i = 0; i < c->n_guests; i++)
		if (c->guests[i].shared)
			check_shared(k, i);
	if (c->mode == MODE_LAB)
		return;
	if (needs_guests(k)) {
		COMPLAIN(k, NULL, "", "mode", "list them under guests: (`skep init` writes it all)",
			 "mode %s needs guests with addresses of yours; the built-in ones are the "
			 "lab's",
			 c->mode == MODE_NAT ? "nat" : "bridge");
		return;
	}
	if (c->mode == MODE_NAT)
		check_nat(k);
	else
		check_bridge(k);
}
