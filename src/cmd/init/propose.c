/* SPDX-License-Identifier: BSD-2-Clause */
/* skep init: what fits this host, and what is wrong with an answer. */
#include "cmd/init/init.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int wrong(char why[INIT_WHY], const char *fmt, ...) PRINTF_LIKE(2, 3);

static int wrong(char why[INIT_WHY], const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, INIT_WHY, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* ---- links ----------------------------------------------------------------------------------- */

const struct site_link *init_link(const struct init_site *i, const struct init_plan *p)
{
	if (p->link[0] != '\0')
		return site_link(&i->s, p->link);
	if (p->place == PLACE_BRIDGE)
		return init_card(i);
	return site_link_at(&i->s, i->s.uplink != 0 ? i->s.uplink : i->s.uplink6);
}

bool init_has_address(const struct init_site *i, const struct site_link *l, uint8_t ver)
{
	for (uint32_t n = 0; n < i->s.n_addresses; n++) {
		const struct site_address *a = &i->s.addresses[n];
		if (a->link == l->index && !a->link_local &&
		    (ver == 0 || a->prefix.addr.ver == ver))
			return true;
	}
	return false;
}

static bool is_uplink(const struct init_site *i, const struct site_link *l)
{
	return l->index == i->s.uplink || l->index == i->s.uplink6;
}

static bool is_free(const struct init_site *i, const struct site_link *l)
{
	return l->ethernet && l->master == 0 && !is_uplink(i, l) && !init_has_address(i, l, 0);
}

/* Of the many links that software makes only what stands for a card: a VLAN, a bond, and in a container eth1. */
static bool is_card(const struct site_link *l)
{
	static const char *const kinds[] = {"", "vlan", "macvlan", "bond", "team"};
	for (size_t n = 0; n < ARRAY_LEN(kinds); n++)
		if (strcmp(l->kind, kinds[n]) == 0)
			return true;
	return strcmp(l->kind, "veth") == 0 && strncmp(l->name, "eth", 3) == 0;
}

const struct site_link *init_card(const struct init_site *i)
{
	for (uint32_t n = 0; n < i->s.n_links; n++)
		if (is_card(&i->s.links[n]) && is_free(i, &i->s.links[n]))
			return &i->s.links[n];
	return NULL;
}

static int link_problem(const struct init_site *i, const struct init_plan *p, char why[INIT_WHY])
{
	const struct site_link *l = init_link(i, p);
	if (l == NULL)
		return p->place == PLACE_BRIDGE ? wrong(why, "no network card is free for it "
							     "(Ethernet, without addresses)")
						: wrong(why, "this host has no default route: no "
							     "link leads to a network");
	if (!l->ethernet)
		return wrong(
			why,
			"%s is no Ethernet (%s): frames for other addresses can't be told apart "
			"there; use a virtual machine with an Ethernet card, or the lab",
			l->name, l->kind[0] != '\0' ? l->kind : "point to point");
	if (l->master != 0) {
		const struct site_link *m = site_link_at(&i->s, l->master);
		return wrong(why, "%s is part of %s: use that one", l->name,
			     m != NULL ? m->name : "another link");
	}
	if (p->place != PLACE_BRIDGE)
		return init_has_address(i, l, 0) ? 0 : wrong(why, "%s has no address", l->name);
	if (is_uplink(i, l))
		return wrong(
			why,
			"%s leads to this host's own network, and your way in: the honeynet would "
			"take it all",
			l->name);
	if (init_has_address(i, l, 0))
		return wrong(why,
			     "%s has addresses of this host: take them away first (ip addr flush "
			     "dev %s)",
			     l->name, l->name);
	return 0;
}

int init_possible(const struct init_site *i, enum init_place place, char why[INIT_WHY])
{
	const struct init_plan p = {.place = place};
	return place == PLACE_LAB ? 0 : link_problem(i, &p, why);
}

enum init_place init_best(const struct init_site *i)
{
	char why[INIT_WHY];
	return init_possible(i, PLACE_SHARED, why) == 0 ? PLACE_SHARED : PLACE_LAB;
}

/* ---- addresses --------------------------------------------------------------------------------- */

static struct prefix network_of(struct addr a, uint8_t len)
{
	size_t bits = a.ver == 4 ? 32 : 128;
	for (size_t n = len; n < bits; n++)
		a.b[n / 8] &= (uint8_t) ~(0x80u >> (n % 8));
	return (struct prefix){a, len};
}

static bool overlap(const struct prefix *a, const struct prefix *b)
{
	return a->addr.ver == b->addr.ver &&
	       (a->len < b->len ? prefix_has(a, &b->addr) : prefix_has(b, &a->addr));
}

int init_free6(const struct init_site *i, struct addr *ret)
{
	for (uint32_t n = 0; n < i->s.n_addresses; n++) {
		const struct site_address *a = &i->s.addresses[n];
		if (a->prefix.addr.ver != 6 || a->link_local || a->link != i->s.uplink6 ||
		    a->prefix.len > 64)
			continue;
		struct addr free6 = network_of(a->prefix.addr, 64).addr;
		random_fill(free6.b + 14, 2);
		free6.b[13] = 1; /* not where hosts are numbered by hand */
		free6.b[15] |= 1;
		*ret = free6;
		return 0;
	}
	return -ENOENT;
}

static bool nobodys(const struct addr *a)
{
	static const struct addr none6 = {.ver = 6}, loopback6 = {.ver = 6, .b = {[15] = 1}};
	if (a->ver == 4)
		return a->b[0] == 0 || a->b[0] == 127 || a->b[0] >= 224 ||
		       (a->b[0] == 169 && a->b[1] == 254);
	return addr_eq(a, &none6) || addr_eq(a, &loopback6) || a->b[0] == 0xff ||
	       (a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80);
}

/* First or last of an IPv4 network, or first of an IPv6 one. */
static bool is_edge(const struct addr *a, const struct prefix *net)
{
	uint8_t len = net->len;
	if (!prefix_has(net, a) || (a->ver == 4 && len >= 31) || (a->ver == 6 && len >= 127))
		return false;
	struct prefix first = network_of(*a, len);
	if (addr_eq(&first.addr, a))
		return true;
	uint32_t host = a->ver == 4 ? load_be32(a->b) & (0xffffffffu >> len) : 0;
	return a->ver == 4 && host == 0xffffffffu >> len;
}

static int host_problem(const struct init_site *i, const struct addr *a, char why[INIT_WHY])
{
	char text[ADDR_TEXT];
	for (uint32_t n = 0; n < i->s.n_addresses; n++) {
		const struct site_address *x = &i->s.addresses[n];
		const struct site_link *l = site_link_at(&i->s, x->link);
		const char *name = l != NULL ? l->name : "LINK";
		struct prefix net = network_of(x->prefix.addr, x->prefix.len);
		if (addr_eq(&x->prefix.addr, a))
			return wrong(why,
				     "%s is this host's own. Either `shared`, or take it off the "
				     "host first: ip "
				     "addr del %s/%u dev %s (and in the file that sets it)",
				     addr_text(a, text), text, x->prefix.len, name);
		if (x->prefix.addr.ver == a->ver && is_edge(a, &net))
			return wrong(why, "%s is the first or last address of %s's network",
				     addr_text(a, text), name);
	}
	return 0;
}

static int address_problem(const struct init_site *i, const struct init_plan *p,
			   const struct addr *a, char why[INIT_WHY])
{
	char text[ADDR_TEXT], mac_buf[MAC_TEXT];
	const struct site_link *l = init_link(i, p);
	struct mac mac;
	if (nobodys(a))
		return wrong(why, "%s can't be a honeypot's", addr_text(a, text));
	if (addr_eq(a, &i->s.gateway) || addr_eq(a, &i->s.gateway6) || addr_eq(a, &p->gateway) ||
	    addr_eq(a, &p->gateway6))
		return wrong(why, "%s is the router", addr_text(a, text));
	if (host_problem(i, a, why) != 0)
		return -EINVAL;
	if (l != NULL && site_neighbour_known(l->index, a, &mac) == 0)
		return wrong(why, "%s is in use already: %s answers for it on %s",
			     addr_text(a, text), mac_text(&mac, mac_buf), l->name);
	return 0;
}

static int addresses_problem(const struct init_site *i, const struct init_plan *p,
			     char why[INIT_WHY])
{
	char text[ADDR_TEXT];
	for (unsigned six = 0; six < 2; six++) {
		const struct prefix *list = six ? p->six : p->four;
		uint32_t n = six ? p->n6 : p->n4;
		for (uint32_t a = 0; a < n; a++) {
			if (address_problem(i, p, &list[a].addr, why) != 0)
				return -EINVAL;
			for (uint32_t b = 0; b < a; b++)
				if (addr_eq(&list[a].addr, &list[b].addr))
					return wrong(why, "%s is named twice",
						     addr_text(&list[a].addr, text));
		}
	}
	return p->n4 + p->n6 > 0 ? 0 : wrong(why, "at least one address, please");
}

/* ---- what guests see as their network ---------------------------------------------------------- */

static bool is_taken(const struct init_site *i, const struct init_plan *p, const struct prefix *net)
{
	for (uint32_t n = 0; n < i->s.n_addresses; n++) {
		const struct prefix *x = &i->s.addresses[n].prefix;
		struct prefix theirs = network_of(x->addr, x->len);
		if (overlap(&theirs, net))
			return true;
	}
	for (uint32_t n = 0; n < p->n4; n++)
		if (prefix_has(net, &p->four[n].addr))
			return true;
	return prefix_has(net, &i->s.gateway) || prefix_has(net, &i->nameserver);
}

static int choose_inside(const struct init_site *i, struct init_plan *p, char why[INIT_WHY])
{
	for (uint8_t n = 99; n > 0; n--) {
		p->inside = (struct prefix){addr_from_v4((const uint8_t[]){10, n, 0, 0}), 24};
		if (!is_taken(i, p, &p->inside))
			return 0;
	}
	return wrong(why, "all of 10.0.0.0/8 is in use here: no network is left for the guests");
}

static void choose_inside6(struct init_plan *p)
{
	struct addr a = {.ver = 6, .b = {0xfd}};
	if (p->n6 > 0) {
		p->inside6 = network_of(p->six[0].addr, 64);
		return;
	}
	random_fill(a.b + 1, 5);
	p->inside6 = (struct prefix){a, 64};
}

static bool on_link(const struct init_site *i, const struct site_link *l, const struct addr *a)
{
	for (uint32_t n = 0; n < i->s.n_addresses; n++) {
		const struct site_address *x = &i->s.addresses[n];
		struct prefix net = network_of(x->prefix.addr, x->prefix.len);
		if (x->link == l->index && !x->link_local && prefix_has(&net, a))
			return true;
	}
	return false;
}

static int complete_alias(const struct init_site *i, struct init_plan *p, char why[INIT_WHY])
{
	const struct site_link *l = init_link(i, p);
	char text[ADDR_TEXT];
	if (addresses_problem(i, p, why) != 0)
		return -EINVAL;
	choose_inside6(p);
	for (uint32_t n = 0; n < p->n6; n++)
		if (!prefix_has(&p->inside6, &p->six[n].addr) ||
		    is_edge(&p->six[n].addr, &p->inside6))
			return wrong(why,
				     "all IPv6 addresses must be of one /64, and not its first: %s",
				     addr_text(&p->six[n].addr, text));
	for (uint32_t n = 0; n < p->n4 + p->n6; n++) {
		const struct addr *a = n < p->n4 ? &p->four[n].addr : &p->six[n - p->n4].addr;
		if (!on_link(i, l, a))
			snprintf(p->note, sizeof(p->note),
				 "%s is in no network of %s: it is reached only if your provider "
				 "leads it "
				 "to this host",
				 addr_text(a, text), l->name);
	}
	return choose_inside(i, p, why);
}

/* ---- shared ------------------------------------------------------------------------------------ */

/* UDP ports that the kernel hands out are a client's, mostly for a moment. */
static bool is_passing(const struct site_socket *x)
{
	unsigned low = 32768, high = 60999;
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	if (f != NULL) {
		if (fscanf(f, "%u %u", &low, &high) != 2) {
			low = 32768;
			high = 60999;
		}
		fclose(f);
	}
	return x->proto == 17 && x->pid != 0 && x->port >= low && x->port <= high;
}

static void keep_own(const struct init_site *i, struct init_plan *p)
{
	if (i->has_session) /* first: it must not be what does not fit */
		init_keep(p, 6, i->session.local_port);
	for (uint32_t n = 0; n < i->s.n_sessions; n++)
		init_keep(p, 6, i->s.sessions[n].local_port);
	for (uint32_t n = 0; n < i->s.n_sockets; n++) {
		const struct site_socket *x = &i->s.sockets[n];
		if (!site_is_local(x) && !is_passing(x))
			init_keep(p, x->proto, x->port);
	}
}

/* What most intruders come for is then not there; the operator may not have thought of it. */
static void note_ssh(struct init_plan *p)
{
	for (uint32_t n = 0; n < p->n_keep; n++)
		if (strcmp(p->keep[n], "tcp/22") == 0)
			snprintf(p->note, sizeof(p->note),
				 "port 22 stays this host's, so nobody reaches the honeypot's ssh. "
				 "To "
				 "give it to the honeypot, let your sshd listen at another port, "
				 "come in by that, and run `skep init` anew");
}

/* ---- bridge ------------------------------------------------------------------------------------ */

static int one_network(const struct prefix *list, uint32_t n, const struct addr *gateway,
		       struct prefix *ret, char why[INIT_WHY])
{
	char a[ADDR_TEXT], b[PREFIX_TEXT];
	uint8_t ver = list[0].addr.ver;
	struct prefix net = network_of(list[0].addr, list[0].len);
	bool router_local = ver == 6 && gateway->b[0] == 0xfe && (gateway->b[1] & 0xc0) == 0x80;
	if (net.len < (ver == 4 ? 4 : 6) || net.len > (ver == 4 ? 30 : 126))
		return wrong(why, "%s: write it with its network's length, like %s",
			     addr_text(&list[0].addr, a),
			     ver == 4 ? "192.0.2.10/24" : "2001:db8::10/64");
	for (uint32_t x = 0; x < n; x++)
		if (list[x].len != net.len || !prefix_has(&net, &list[x].addr) ||
		    is_edge(&list[x].addr, &net))
			return wrong(why, "%s is no host of %s", addr_text(&list[x].addr, a),
				     prefix_text(&net, b));
	if (gateway->ver == 0)
		return wrong(why, "which router does %s have? Add `via ADDRESS`",
			     prefix_text(&net, b));
	if (!router_local && (!prefix_has(&net, gateway) || is_edge(gateway, &net)))
		return wrong(why, "the router %s is no host of %s", addr_text(gateway, a),
			     prefix_text(&net, b));
	*ret = net;
	return 0;
}

static int complete_bridge(const struct init_site *i, struct init_plan *p, char why[INIT_WHY])
{
	const struct site_link *l = init_link(i, p);
	if (addresses_problem(i, p, why) != 0 ||
	    (p->n4 > 0 && one_network(p->four, p->n4, &p->gateway, &p->inside, why) != 0) ||
	    (p->n6 > 0 && one_network(p->six, p->n6, &p->gateway6, &p->inside6, why) != 0))
		return -EINVAL;
	text_copy(p->link, sizeof(p->link), l->name);
	if (i->provider.filters_macs)
		snprintf(p->note, sizeof(p->note),
			 "%s%sfilters by link address, as far as known: what guests send from "
			 "theirs goes "
			 "nowhere. `alias` and `shared` use this host's",
			 i->provider.vendor[0] != '\0' ? i->provider.vendor
						       : "a provider like this",
			 " ");
	return 0;
}

int init_complete(const struct init_site *i, struct init_plan *p, char why[INIT_WHY])
{
	p->note[0] = '\0';
	if (p->place == PLACE_LAB)
		return 0;
	if (link_problem(i, p, why) != 0)
		return -EINVAL;
	if (p->place == PLACE_ALIAS)
		return complete_alias(i, p, why);
	if (p->place == PLACE_BRIDGE)
		return complete_bridge(i, p, why);
	keep_own(i, p);
	note_ssh(p);
	choose_inside6(p);
	return choose_inside(i, p, why);
}
