/* SPDX-License-Identifier: BSD-2-Clause */
/* What no single row can tell: values that must fit each other. */
#include "conf/conf_priv.h"

#include <stdio.h>
#include <string.h>

void check_at(const struct check *k, const struct node *item, const char *key, const char *path,
	      uint32_t *ret_line, uint32_t *ret_column)
{
	const struct node *n = tree_child(item, key);
	if (n == NULL)
		n = item;
	if (n == NULL && path != NULL)
		n = tree_path(k->root, path);
	*ret_line = n != NULL ? n->line : 0;
	*ret_column = n != NULL ? n->column : 0;
}

static bool is_link_local(const struct addr *a)
{
	return a->ver == 6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* Neither the network's own name nor, in IPv4, its broadcast address can be anybody's. */
static bool is_host_of(const struct prefix *p, const struct addr *a)
{
	if (!prefix_has(p, a) || addr_eq(&p->addr, a))
		return false;
	if (a->ver == 6)
		return true;
	uint32_t host = load_be32(a->b) & (0xffffffffu >> p->len);
	return host != (0xffffffffu >> p->len);
}

static void check_network(const struct check *k)
{
	const struct conf_network *n = &k->c->network;
	char a[ADDR_TEXT], p[PREFIX_TEXT];
	if (!is_host_of(&n->inside, &n->gateway))
		COMPLAIN(k, tree_path(k->root, "network.gateway"), "", "network.inside",
			 "give the gateway an address of network.inside",
			 "network.gateway %s is no host of %s", addr_text(&n->gateway, a),
			 prefix_text(&n->inside, p));
	if (!is_link_local(&n->gateway6) && !is_host_of(&n->inside6, &n->gateway6))
		COMPLAIN(k, tree_path(k->root, "network.gateway6"), "", "network.inside6",
			 "use fe80::1, or an address of network.inside6",
			 "network.gateway6 %s is no host of %s", addr_text(&n->gateway6, a),
			 prefix_text(&n->inside6, p));
	if (prefix_has(&n->inside, &n->resolver))
		COMPLAIN(k, tree_path(k->root, "network.resolver"), "", "network.inside",
			 "name a server outside, such as lab.dns",
			 "network.resolver lies in the guests' own network");
}

static void check_sizes(const struct check *k)
{
	const struct conf *c = k->c;
	if (c->recorder.file_bytes > c->recorder.disk_bytes / 2)
		COMPLAIN(k, tree_path(k->root, "recorder.file"), "", "recorder.disk",
			 "make recorder.file at most half of recorder.disk",
			 "one capture file would use up the budget of all");
	if (c->wall.caps.flow_pps != 0 && c->wall.caps.guest_pps != 0 &&
	    c->wall.caps.flow_pps > c->wall.caps.guest_pps)
		COMPLAIN(k, tree_path(k->root, "wall.caps.flow_pps"), "", "wall.caps.guest_pps",
			 "make flow_pps at most guest_pps",
			 "one conversation may send more packets than its guest");
	if (c->wall.caps.flow_bytes != 0 && c->wall.caps.guest_bytes != 0 &&
	    c->wall.caps.flow_bytes > c->wall.caps.guest_bytes)
		COMPLAIN(k, tree_path(k->root, "wall.caps.flow_bytes"), "", "wall.caps.guest_bytes",
			 "make flow_bytes at most guest_bytes",
			 "one conversation may send more bytes than its guest");
}

struct lab_address {
	const struct addr *addr;
	const char *path;
};
#define LAB_ADDRESSES 7

static void list_lab(const struct conf_lab *l, struct lab_address out[LAB_ADDRESSES])
{
	const struct lab_address all[LAB_ADDRESSES] = {
		{&l->intruder, "lab.intruder"}, {&l->intruder6, "lab.intruder6"},
		{&l->web, "lab.web"},           {&l->web6, "lab.web6"},
		{&l->dns, "lab.dns"},           {&l->router, "lab.router"},
		{&l->router6, "lab.router6"},
	};
	memcpy(out, all, sizeof(all));
}

static void check_lab(const struct check *k)
{
	struct lab_address all[LAB_ADDRESSES];
	list_lab(&k->c->lab, all);
	for (size_t i = 0; i < LAB_ADDRESSES; i++)
		for (size_t j = 0; j < i; j++)
			if (addr_eq(all[i].addr, all[j].addr))
				COMPLAIN(k, tree_path(k->root, all[i].path), "", all[j].path,
					 "give each its own", "%s and %s are the same address",
					 all[j].path, all[i].path);
}

/* The lab's wire is a /24 and a /64 around its router: other addresses would not be answered. */
static bool on_lab_wire(const struct conf_lab *l, const struct addr *a)
{
	if (a->ver == 4)
		return memcmp(a->b, l->router.b, 3) == 0 && a->b[3] != 0 && a->b[3] != 255;
	return memcmp(a->b, l->router6.b, 8) == 0;
}

static void check_public(const struct check *k, const struct node *item, const char *key,
			 const struct addr *a)
{
	struct lab_address all[LAB_ADDRESSES];
	char text[ADDR_TEXT];
	if (a->ver == 0 || k->c->mode != MODE_LAB)
		return;
	list_lab(&k->c->lab, all);
	for (size_t i = 0; i < LAB_ADDRESSES; i++)
		if (addr_eq(all[i].addr, a))
			COMPLAIN(k, item, key, all[i].path, "use another address",
				 "public address %s is already %s", addr_text(a, text),
				 all[i].path);
	if (!on_lab_wire(&k->c->lab, a))
		COMPLAIN(k, item, key, a->ver == 4 ? "lab.router" : "lab.router6",
			 a->ver == 4 ? "use an address of the /24 of lab.router"
				     : "use an address of the /64 of lab.router6",
			 "public address %s is not on the lab's wire", addr_text(a, text));
}

static void check_inside(const struct check *k, uint32_t i, const char *key, const struct addr *a,
			 const struct prefix *net, const struct addr *gateway)
{
	const struct node *item = k->guests[i];
	const char *path = a->ver == 4 ? "network.inside" : "network.inside6";
	char at_text[ADDR_TEXT], net_text[PREFIX_TEXT];
	if (a->ver == 0)
		return;
	if (addr_eq(a, gateway))
		COMPLAIN(k, item, key, path, "give the guest another address",
			 "guest '%s' has the gateway's address %s", k->c->guests[i].name,
			 addr_text(a, at_text));
	else if (!is_host_of(net, a))
		COMPLAIN(k, item, key, path,
			 "use an address of that network, not its first or last",
			 "%s of guest '%s' is no host of %s", addr_text(a, at_text),
			 k->c->guests[i].name, prefix_text(net, net_text));
}

static void check_guest(const struct check *k, uint32_t i)
{
	const struct conf_guest *g = &k->c->guests[i];
	const struct node *item = k->guests[i];
	const struct conf_network *n = &k->c->network;
	/* "prove": its alerts would be taken for those of our own probes. */
	if (strcmp(g->name, "sink") == 0 || strcmp(g->name, "outside") == 0 ||
	    strcmp(g->name, "prove") == 0)
		COMPLAIN(k, item, "name", "guests", "choose another name",
			 "'%s' is the name of a port of the wall's own", g->name);
	if (g->inside.ver == 0 && g->inside6.ver == 0)
		COMPLAIN(k, item, "name", "guests", "add `inside: ADDRESS` of network.inside",
			 "guest '%s' has no address", g->name);
	check_inside(k, i, "inside", &g->inside, &n->inside, &n->gateway);
	check_inside(k, i, "inside6", &g->inside6, &n->inside6, &n->gateway6);
	if (g->public.ver != 0 && g->inside.ver == 0)
		COMPLAIN(k, item, "public", "guests", "add `inside: ADDRESS`",
			 "guest '%s' has a public address but no inside one", g->name);
	if (g->public6.ver != 0 && g->inside6.ver == 0)
		COMPLAIN(k, item, "public6", "guests", "add `inside6: ADDRESS`",
			 "guest '%s' has a public6 address but no inside6", g->name);
	if (g->kind == GUEST_LOGHOST && (g->public.ver != 0 || g->public6.ver != 0))
		COMPLAIN(k, item, g->public.ver != 0 ? "public" : "public6", "guests",
			 "remove it; a forward leads to a loghost",
			 "loghost '%s' must not have a public address", g->name);
	check_public(k, item, "public", &g->public);
	check_public(k, item, "public6", &g->public6);
}

static void check_pair(const struct check *k, uint32_t i, uint32_t j)
{
	const struct conf_guest *a = &k->c->guests[j], *b = &k->c->guests[i];
	static const struct mac none = {0};
	const struct {
		const struct addr *a, *b;
		const char *key;
	} same[] = {{&a->inside, &b->inside, "inside"},
		    {&a->inside6, &b->inside6, "inside6"},
		    {&a->public, &b->public, "public"},
		    {&a->public6, &b->public6, "public6"}};
	if (strcmp(a->name, b->name) == 0) {
		COMPLAIN(k, k->guests[i], "name", "guests", "give each guest its own name",
			 "two guests are called '%s'", b->name);
		return;
	}
	for (size_t n = 0; n < ARRAY_LEN(same); n++)
		if (same[n].a->ver != 0 && addr_eq(same[n].a, same[n].b))
			COMPLAIN(k, k->guests[i], same[n].key, "guests",
				 "give each guest its own address",
				 "guests '%s' and '%s' have the same %s address", a->name, b->name,
				 same[n].key);
	if (memcmp(&a->mac, &none, sizeof(none)) != 0 &&
	    memcmp(&a->mac, &b->mac, sizeof(none)) == 0)
		COMPLAIN(k, k->guests[i], "mac", "guests", "give each guest its own mac",
			 "guests '%s' and '%s' have the same mac", a->name, b->name);
}

static void check_forward_guest(const struct check *k, uint32_t i)
{
	const struct conf_forward *f = &k->c->forwards[i];
	const struct conf_guest *g = conf_guest(k->c, f->guest);
	const struct node *item = k->forwards[i];
	const char *best = "";
	unsigned least = 4;
	char cure[128] = "name a guest of this file";
	if (g != NULL) {
		if (f->public.ver != 0 &&
		    (f->public.ver == 4 ? g->inside.ver : g->inside6.ver) == 0)
			COMPLAIN(k, item, "public", "guests",
				 "give the guest an address of that kind",
				 "forward to '%s' needs its IPv%u address", f->guest,
				 f->public.ver);
		return;
	}
	for (uint32_t n = 0; n < k->c->n_guests; n++) {
		unsigned d = text_distance(k->c->guests[n].name, f->guest);
		if (d >= least)
			continue;
		least = d;
		best = k->c->guests[n].name;
	}
	if (best[0] != '\0')
		snprintf(cure, sizeof(cure), "did you mean '%s'?", best);
	COMPLAIN(k, item, "guest", "forwards", cure, "forward to unknown guest '%s'", f->guest);
}

static void check_forward(const struct check *k, uint32_t i)
{
	const struct conf_forward *f = &k->c->forwards[i];
	const struct node *item = k->forwards[i];
	if (f->public.ver == 0 && k->c->mode != MODE_NAT) {
		COMPLAIN(k, item, "public", "forwards", "give the address outside",
			 "a forward has no public address");
		return;
	}
	check_public(k, item, "public", &f->public);
	check_forward_guest(k, i);
	for (uint32_t n = 0; n < f->n_sources; n++)
		if (f->public.ver != 0 && f->sources[n].addr.ver != f->public.ver)
			COMPLAIN(k, item, "sources", "forwards",
				 "list networks of the public address's own kind",
				 "a source of IPv%u can't reach a public address of IPv%u",
				 f->sources[n].addr.ver, f->public.ver);
	for (uint32_t j = 0; j < i; j++) {
		const struct conf_forward *o = &k->c->forwards[j];
		if (o->public_port == f->public_port && o->proto == f->proto &&
		    addr_eq(&o->public, &f->public))
			COMPLAIN(k, item, "port", "forwards", "give each its own port",
				 "two forwards take the same public port %u", f->public_port);
	}
}

static void check_rules(const struct check *k)
{
	const struct conf_rules *r = &k->c->rules;
	for (uint32_t i = 0; i < r->n_files; i++)
		if (r->files[i][0] != '/' && strcmp(r->files[i], "builtin") != 0)
			COMPLAIN(k, NULL, "", "rules.files", "write an absolute path, or builtin",
				 "rules.files: '%s' is no absolute path", r->files[i]);
	for (uint32_t i = 0; i < r->n_vars; i++) {
		size_t len = strspn(r->vars[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
						"uvwxyz0123456789_");
		if (len == 0 || r->vars[i][len] != '=' || r->vars[i][len + 1] == '\0')
			COMPLAIN(k, NULL, "", "rules.vars",
				 "write \"NAME=value\", like \"HTTP_PORTS=[80,8080]\"",
				 "rules.vars: '%s' is no variable", r->vars[i]);
	}
}

void check_all(struct check *k)
{
	check_rules(k);
	check_network(k);
	check_sizes(k);
	if (k->c->mode == MODE_LAB)
		check_lab(k);
	for (uint32_t i = 0; i < k->c->n_guests; i++) {
		check_guest(k, i);
		for (uint32_t j = 0; j < i; j++)
			check_pair(k, i, j);
	}
	for (uint32_t i = 0; i < k->c->n_forwards; i++)
		check_forward(k, i);
	check_uplink(k);
	check_policy(k);
	check_alerts(k);
}
