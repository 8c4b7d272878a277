/* SPDX-License-Identifier: BSD-2-Clause */
/* What is taken of the real wire, and what is kept. */
#include "role/uplink.h"

#include <errno.h>
#include <string.h>

bool uplink_shared(const struct conf *c)
{
	for (uint32_t i = 0; i < c->n_guests; i++)
		if (c->guests[i].shared)
			return true;
	return false;
}

/* ---- the link ------------------------------------------------------------------------------- */

static int find_link(const struct conf *c, const struct site *site, struct uplink_plan *p,
		     struct writer *why)
{
	bool any = strcmp(c->uplink.interface, "auto") == 0;
	uint32_t index = site->uplink != 0 ? site->uplink : site->uplink6;
	const struct site_link *l =
		any ? site_link_at(site, index) : site_link(site, c->uplink.interface);
	if (l == NULL) {
		if (any)
			write_str(why, "this host has no default route that would tell the uplink: "
				       "is its link down? Or name it: uplink.interface");
		else
			write_fmt(why,
				  "this host has no link '%s': set uplink.interface to one that "
				  "`ip -br link` lists, or to auto",
				  c->uplink.interface);
		return -ENODEV;
	}
	if (!l->ethernet || l->loopback) {
		write_fmt(why,
			  "link '%s' is no Ethernet: what belongs to the honeynet can't be told "
			  "apart there; use mode: lab, or a server whose link is Ethernet",
			  l->name);
		return SKEP_EUNSUPPORTED;
	}
	text_copy(p->link, sizeof(p->link), l->name);
	p->index = l->index;
	p->mtu = l->mtu;
	p->mac = l->mac;
	p->up = l->up;
	if (site->uplink == l->index)
		p->gateway = site->gateway;
	if (site->uplink6 == l->index)
		p->gateway6 = site->gateway6;
	return 0;
}

/* What would only be noticed by others, once it runs: before a start, since later it must follow what changes. */
static int refuse_link(const struct site *site, const struct uplink_plan *p, struct writer *why)
{
	const struct site_link *l = site_link_at(site, p->index);
	const struct site_link *whole = l != NULL ? site_link_at(site, l->master) : NULL;
	if (whole == NULL)
		return 0;
	write_fmt(why, "link '%s' is only a part of '%s': set uplink.interface to a whole link",
		  l->name, whole->name);
	return -EBUSY;
}

static int refuse_routers(const struct site *site, const struct steer_plan *p, struct writer *why)
{
	char text[ADDR_TEXT];
	for (uint32_t i = 0; i < p->n_alias; i++) {
		const struct addr *a = &p->alias[i];
		if (!addr_eq(a, &site->gateway) && !addr_eq(a, &site->gateway6))
			continue;
		write_fmt(why,
			  "%s is this host's router: give the guest an address that is nobody's",
			  addr_text(a, text));
		return -EADDRINUSE;
	}
	return 0;
}

/* ---- addresses ------------------------------------------------------------------------------ */

static bool can_share(const struct site_address *a, uint32_t index, uint8_t ver)
{
	return a->link == index && a->prefix.addr.ver == ver && !a->link_local && !a->temporary &&
	       !a->tentative;
}

/* The one that was it, as long as it is there; else the first; while there is none (a link that comes and goes),
 * the one that was it. */
static struct addr own_address(const struct site *site, uint32_t index, uint8_t ver,
			       const struct addr *before)
{
	struct addr first = {.ver = 0};
	for (uint32_t i = 0; i < site->n_addresses; i++) {
		const struct site_address *a = &site->addresses[i];
		if (!can_share(a, index, ver))
			continue;
		if (addr_eq(&a->prefix.addr, before))
			return *before;
		if (first.ver == 0)
			first = a->prefix.addr;
	}
	return first.ver != 0 ? first : *before;
}

static int add_alias(const struct site *site, const struct addr *a, bool runs,
		     struct uplink_plan *plan, struct writer *why)
{
	char text[ADDR_TEXT];
	struct steer_plan *p = &plan->steer;
	if (a->ver == 0)
		return 0;
	if (site_has(site, a) && runs) {
		plan->n_yielded++;
		return 0;
	}
	if (site_has(site, a)) {
		write_fmt(why,
			  "%s is an address of this host itself: take it off the host, or give the "
			  "guest `shared: true` instead of a public address",
			  addr_text(a, text));
		return -EADDRINUSE;
	}
	for (uint32_t i = 0; i < p->n_alias; i++)
		if (addr_eq(&p->alias[i], a))
			return 0;
	if (p->n_alias == STEER_ADDRESSES)
		return SKEP_EFULL;
	p->alias[p->n_alias++] = *a;
	return 0;
}

static int add_aliases(const struct conf *c, const struct site *site, bool runs,
		       struct uplink_plan *p, struct writer *why)
{
	int err = 0;
	bool bridge = c->mode == MODE_BRIDGE; /* what they have inside is what everybody sees */
	for (uint32_t i = 0; i < c->n_guests && err == 0; i++) {
		const struct conf_guest *g = &c->guests[i];
		err = add_alias(site, bridge ? &g->inside : &g->public, runs, p, why);
		if (err == 0)
			err = add_alias(site, bridge ? &g->inside6 : &g->public6, runs, p, why);
	}
	for (uint32_t i = 0; i < c->n_forwards && err == 0; i++)
		err = add_alias(site, &c->forwards[i].public, runs, p, why);
	return err;
}

static int add_shared(const struct conf *c, const struct site *site,
		      const struct uplink_plan *before, struct uplink_plan *p, struct writer *why)
{
	static const struct addr none = {.ver = 0};
	const struct conf_guest *g = c->guests;
	while (!g->shared)
		g++;
	p->own = own_address(site, p->index, 4, before != NULL ? &before->own : &none);
	p->own6 = own_address(site, p->index, 6, before != NULL ? &before->own6 : &none);
	if (g->inside.ver == 0)
		p->own = none;
	if (g->inside6.ver == 0)
		p->own6 = none;
	if (p->own.ver != 0)
		p->steer.shared[p->steer.n_shared++] = p->own;
	if (p->own6.ver != 0)
		p->steer.shared[p->steer.n_shared++] = p->own6;
	if (p->steer.n_shared > 0)
		return 0;
	write_fmt(why, "link '%s' has no address (of a kind that '%s' has inside) to share with it",
		  p->link, g->name);
	return -EADDRNOTAVAIL;
}

/* ---- ports ---------------------------------------------------------------------------------- */

int uplink_keep(struct steer_plan *p, uint8_t proto, uint16_t port)
{
	for (uint32_t i = 0; i < p->n_kept; i++)
		if (p->kept[i].proto == proto && p->kept[i].port == port)
			return 0;
	if (p->n_kept == STEER_PORTS)
		return SKEP_EFULL;
	p->kept[p->n_kept++] = (struct steer_port){proto, port};
	return 0;
}

static int keep_all(const struct conf *c, const struct site *site, struct steer_plan *p)
{
	int err = 0;
	for (uint32_t i = 0; i < c->uplink.n_keep && err == 0; i++) {
		uint8_t proto;
		uint16_t port;
		err = conf_keep_parse(c->uplink.keep[i], &proto, &port);
		if (err == 0)
			err = uplink_keep(p, proto, port);
	}
	for (uint32_t i = 0; i < site->n_sessions && err == 0; i++)
		err = uplink_keep(p, 6, site->sessions[i].local_port);
	for (uint32_t i = 0; i < site->n_sockets && err == 0; i++)
		if (!site_is_local(&site->sockets[i]))
			err = uplink_keep(p, site->sockets[i].proto, site->sockets[i].port);
	return err;
}

static bool is_kept(const struct steer_plan *p, uint8_t proto, uint16_t port)
{
	for (uint32_t i = 0; i < p->n_kept; i++)
		if (p->kept[i].proto == proto && p->kept[i].port == port)
			return true;
	return false;
}

uint32_t uplink_keep_logins(struct steer_plan *p, const struct site *site,
			    const uint8_t ports[SITE_PORT_BYTES])
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < site->n_sockets; i++) {
		const struct site_socket *s = &site->sockets[i];
		if ((ports[s->port / 8] >> s->port % 8 & 1) == 0 || site_is_local(s) ||
		    !site_is_login(s) || is_kept(p, s->proto, s->port))
			continue;
		n += uplink_keep(p, s->proto, s->port) == 0;
	}
	return n;
}

static void write_ports(struct writer *w, const struct steer_plan *p, uint8_t proto,
			const char *name)
{
	bool any = false;
	uint32_t last = 0;
	for (;;) { /* in order */
		uint32_t next = UINT32_MAX;
		for (uint32_t i = 0; i < p->n_kept; i++)
			if (p->kept[i].proto == proto && p->kept[i].port > last &&
			    p->kept[i].port < next)
				next = p->kept[i].port;
		if (next == UINT32_MAX)
			return;
		if (!any)
			write_fmt(w, "%s%s", w->len > 0 ? ", " : "", name);
		any = true;
		write_fmt(w, " %u", next);
		last = next;
	}
}

void uplink_write_kept(struct writer *w, const struct steer_plan *p)
{
	write_ports(w, p, 6, "tcp");
	write_ports(w, p, 17, "udp");
}

/* ---- all of it ------------------------------------------------------------------------------ */

int uplink_plan(const struct conf *c, const struct site *site, const struct uplink_plan *before,
		struct uplink_plan *ret, char *why, size_t why_size)
{
	struct writer w = writer_of(why, why_size);
	struct uplink_plan p = {.index = 0};
	if (c->mode == MODE_LAB)
		return -EINVAL;
	int err = find_link(c, site, &p, &w);
	if (err == 0)
		err = add_aliases(c, site, before != NULL, &p, &w);
	if (err == 0 && before == NULL)
		err = refuse_link(site, &p, &w);
	if (err == 0 && before == NULL)
		err = refuse_routers(site, &p.steer, &w);
	if (err == 0 && uplink_shared(c))
		err = add_shared(c, site, before, &p, &w);
	if (err == 0 && uplink_shared(c)) {
		err = site->truncated ? SKEP_EFULL : keep_all(c, site, &p.steer);
		if (err == SKEP_EFULL)
			write_str(&w, "this host has more listening sockets than can be kept; use "
				      "addresses of the honeynet's own (alias)");
	}
	if (err == 0)
		*ret = p;
	else if (w.len == 0)
		write_str(&w, err_text(err));
	return err;
}

/* A link and all that stand on it: a bridge or bond that it is part of, VLANs, and theirs again. */
struct stack {
	uint32_t n, index[SITE_LINKS + 1];
};

static bool in_stack(const struct stack *st, uint32_t index)
{
	for (uint32_t i = 0; index != 0 && i < st->n; i++)
		if (st->index[i] == index)
			return true;
	return false;
}

static void add_to_stack(struct stack *st, uint32_t index)
{
	if (index != 0 && !in_stack(st, index) && st->n < ARRAY_LEN(st->index))
		st->index[st->n++] = index;
}

static void stack_on(const struct site *site, uint32_t index, struct stack *ret)
{
	*ret = (struct stack){.n = 1, .index = {index}};
	for (uint32_t before = 0; before != ret->n;) {
		before = ret->n;
		for (uint32_t i = 0; i < site->n_links; i++) {
			const struct site_link *l = &site->links[i];
			if (in_stack(ret, l->lower))
				add_to_stack(ret, l->index);
			if (in_stack(ret, l->index))
				add_to_stack(ret, l->master);
		}
	}
}

static bool carries(const struct site *site, const struct stack *st, const struct addr *a)
{
	for (uint32_t i = 0; i < site->n_addresses; i++)
		if (in_stack(st, site->addresses[i].link) &&
		    addr_eq(&site->addresses[i].prefix.addr, a))
			return true;
	return false;
}

void uplink_in_use(const struct site *site, uint32_t index, char *ret, size_t size)
{
	char text[ADDR_TEXT];
	struct stack st;
	struct writer w = writer_of(ret, size);
	stack_on(site, index, &st);
	for (uint32_t i = 0; i < site->n_sessions; i++)
		if (carries(site, &st, &site->sessions[i].local)) {
			write_fmt(&w, "it carries an ssh session from %s",
				  addr_text(&site->sessions[i].remote, text));
			return;
		}
	if (in_stack(&st, site->uplink) || in_stack(&st, site->uplink6)) {
		write_str(&w, "the host's default route leads by it");
		return;
	}
	for (uint32_t i = 0; i < site->n_addresses; i++)
		if (in_stack(&st, site->addresses[i].link) && !site->addresses[i].link_local) {
			write_fmt(&w, "the host has the address %s on it",
				  addr_text(&site->addresses[i].prefix.addr, text));
			return;
		}
}
