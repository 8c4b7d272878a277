/* SPDX-License-Identifier: BSD-2-Clause */
/* skep doctor: the real wire. In mode lab nothing of it is used, and nothing of it is said. */
#include "cmd/doctor/doctor.h"
#include "role/uplink.h"
#include "site/site.h"
#include "steer/steer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DMI "/sys/class/dmi/id"

struct wire {
	struct report *r;
	const struct conf *c;
	struct site s;
	struct site_provider provider;
	const struct site_link *link; /* the uplink */
	struct site_session session;
	bool has_session, bridge, shared;
};

/* ---- the link -------------------------------------------------------------------------------- */

static const struct site_link *find_uplink(const struct wire *w)
{
	const char *name = w->c->uplink.interface;
	if (strcmp(name, "auto") != 0)
		return site_link(&w->s, name);
	return site_link_at(&w->s, w->s.uplink != 0 ? w->s.uplink : w->s.uplink6);
}

static bool has_addresses(const struct wire *w)
{
	for (uint32_t i = 0; i < w->s.n_addresses; i++)
		if (w->s.addresses[i].link == w->link->index && !w->s.addresses[i].link_local)
			return true;
	return false;
}

static void list_addresses(const struct wire *w, struct writer *out)
{
	char text[ADDR_TEXT];
	for (uint32_t i = 0; i < w->s.n_addresses; i++) {
		const struct site_address *a = &w->s.addresses[i];
		if (a->link == w->link->index && !a->link_local)
			write_fmt(out, ", %s/%u%s", addr_text(&a->prefix.addr, text), a->prefix.len,
				  a->dynamic ? " (may change: followed)" : "");
	}
}

/* False: without it there is nothing more to say. */
static bool check_uplink(struct wire *w)
{
	char text[384], command[64];
	struct writer out = writer_of(text, sizeof(text));
	const char *name = w->c->uplink.interface;
	w->link = find_uplink(w);
	if (w->link == NULL && strcmp(name, "auto") == 0)
		say(w->r, LEVEL_FAIL, "uplink", "name it: uplink.interface",
		    "there is no default route");
	else if (w->link == NULL)
		say(w->r, LEVEL_FAIL, "uplink", "ip link lists them; set uplink.interface",
		    "no link is called %s", name);
	if (w->link == NULL)
		return false;
	list_addresses(w, &out);
	snprintf(command, sizeof(command), "ip link set dev %s up", w->link->name);
	if (!w->link->ethernet)
		say(w->r, LEVEL_FAIL, "uplink",
		    "a virtual machine with an Ethernet card, or mode: lab",
		    "%s is no Ethernet: frames for other addresses can't be told apart there",
		    w->link->name);
	else if (w->link->master != 0)
		say(w->r, LEVEL_FAIL, "uplink", "set uplink.interface to the bridge or bond itself",
		    "%s is only a part of another link", w->link->name);
	else if (w->link->no_carrier)
		say(w->r, LEVEL_FAIL, "uplink", "see to its cable, or to what is at the other end",
		    "%s has no carrier%s", w->link->name, text);
	else if (!w->link->up && w->bridge)
		say(w->r, LEVEL_OK, "uplink", NULL,
		    "%s, Ethernet, down: `skep up` sets it up, and down again at the end%s",
		    w->link->name, text);
	else if (!w->link->up)
		say_fix(w->r, LEVEL_FAIL, "uplink", command, "%s is down%s", w->link->name, text);
	else
		say(w->r, LEVEL_OK, "uplink", NULL, "%s, Ethernet, up%s", w->link->name, text);
	return true;
}

/* What a bridge takes must not be what the host lives by. */
static void check_card(struct wire *w)
{
	char command[64];
	snprintf(command, sizeof(command), "ip addr flush dev %s", w->link->name);
	if (w->link->index == w->s.uplink || w->link->index == w->s.uplink6)
		say(w->r, LEVEL_FAIL, "card", "another card or VLAN, or mode: nat",
		    "this host's own default route goes by %s: bridge would take it away",
		    w->link->name);
	else if (has_addresses(w))
		say_fix(w->r, LEVEL_FAIL, "card", command, "%s has addresses of this host",
			w->link->name);
	else
		say(w->r, LEVEL_OK, "card", NULL, "%s has no address of this host", w->link->name);
	if (w->provider.filters_macs)
		say(w->r, LEVEL_WARN, "link addresses",
		    "ask the provider to allow them, or mode: nat, which uses the uplink's own",
		    "%s likely delivers no frames for guests' link addresses",
		    w->provider.vendor[0] != '\0' ? w->provider.vendor
						  : "a provider of single addresses");
}

/* ---- programs and firewalls -------------------------------------------------------------------- */

static void check_steer(struct wire *w)
{
	char why[256] = "";
	if (!w->r->root)
		return;
	int err = steer_probe(why, sizeof(why));
	if (err == 0)
		say(w->r, LEVEL_OK, "steering", NULL, "the kernel takes our programs");
	else
		say(w->r, LEVEL_FAIL, "steering",
		    "Debian 12's kernel (6.1) or newer, with CONFIG_NET_CLS_BPF; not in a "
		    "container",
		    "the kernel refuses our programs: %s", why[0] != '\0' ? why : err_text(err));
}

static void check_findings(struct wire *w)
{
	struct site_finding found[SITE_FINDINGS];
	size_t n = 0;
	char all[256];
	struct writer names = writer_of(all, sizeof(all));
	if (!w->r->root)
		return;
	int err = site_findings(w->link->name, found, SITE_FINDINGS, &n);
	if (err != 0)
		say(w->r, LEVEL_WARN, "in the way", "see above", "can't be looked at: %s",
		    err_text(err));
	unsigned in_way = 0;
	for (size_t i = 0; i < n; i++) {
		const struct site_finding *x = &found[i];
		if (x->in_way && ++in_way > 0)
			say_fix(w->r, LEVEL_WARN, "in the way", x->cure, "%s: %s", x->name,
				x->what);
		else if (x->kind == SITE_PROGRAM)
			say(w->r, LEVEL_OK, "program", NULL, "%s %s", x->name, x->what);
		else if (x->kind == SITE_BLIND)
			say(w->r, LEVEL_OK, "firewalls", NULL, "%s: %s", x->name, x->what);
		else
			write_fmt(&names, "%s%s", names.len > 0 ? ", " : "", x->name);
	}
	if (err == 0 && in_way == 0)
		say(w->r, LEVEL_OK, "in the way", NULL, "nothing, at %s", w->link->name);
	say(w->r, LEVEL_OK, "firewalls", NULL, "%s%s", names.len > 0 ? all : "none known",
	    names.len > 0 ? ": work in the host's stack, which the honeynet's frames do not enter; "
			    "nothing to open"
			  : "");
}

/* ---- routers and addresses --------------------------------------------------------------------- */

static void check_router(struct wire *w, const struct addr *router)
{
	char text[ADDR_TEXT], mac_buf[MAC_TEXT], cure[96];
	struct mac mac;
	if (router->ver == 0)
		return;
	snprintf(cure, sizeof(cure), "ping -c 1 %s%s%s", addr_text(router, text),
		 router->ver == 6 ? "%" : "", router->ver == 6 ? w->link->name : "");
	if (site_neighbour_known(w->link->index, router, &mac) == 0)
		say(w->r, LEVEL_OK, "router", NULL, "%s at %s", addr_text(router, text),
		    mac_text(&mac, mac_buf));
	else if (w->bridge)
		say(w->r, LEVEL_OK, "router", NULL, "%s: learned from what it says to guests",
		    addr_text(router, text));
	else
		say_fix(w->r, LEVEL_WARN, "router", cure,
			"%s: its link address is not known now (asked for at the start)",
			addr_text(router, text));
}

static void check_routers(struct wire *w)
{
	bool four = false, six = false;
	for (uint32_t i = 0; i < w->c->n_guests; i++) {
		four = four || w->c->guests[i].inside.ver != 0;
		six = six || w->c->guests[i].inside6.ver != 0;
	}
	if (!w->bridge || four)
		check_router(w, w->bridge ? &w->c->network.gateway : &w->s.gateway);
	if (!w->bridge || six)
		check_router(w, w->bridge ? &w->c->network.gateway6 : &w->s.gateway6);
}

static void check_alias(struct wire *w, const char *guest, const struct addr *a)
{
	char text[ADDR_TEXT], mac_buf[MAC_TEXT], cure[128];
	struct mac mac;
	if (a->ver == 0)
		return;
	addr_text(a, text);
	for (uint32_t i = 0; i < w->s.n_addresses; i++) {
		const struct site_address *x = &w->s.addresses[i];
		const struct site_link *l = site_link_at(&w->s, x->link);
		if (!addr_eq(&x->prefix.addr, a) || l == NULL)
			continue;
		snprintf(cure, sizeof(cure), "ip addr del %s/%u dev %s", text, x->prefix.len,
			 l->name);
		say_fix(w->r, LEVEL_FAIL, "address", cure, "%s of '%s' is set on this host (%s)",
			text, guest, l->name);
		return;
	}
	if (site_neighbour_known(w->link->index, a, &mac) == 0)
		say(w->r, LEVEL_FAIL, "address",
		    "another address for the guest, or find out whose it is",
		    "%s of '%s': somebody answers for it already, %s", text, guest,
		    mac_text(&mac, mac_buf));
	else
		say(w->r, LEVEL_OK, "address", NULL, "%s of '%s' is nobody else's, as far as known",
		    text, guest);
}

static void check_aliases(struct wire *w)
{
	for (uint32_t i = 0; i < w->c->n_guests; i++) {
		const struct conf_guest *g = &w->c->guests[i];
		if (g->kind != GUEST_HONEYPOT || g->shared)
			continue;
		check_alias(w, g->name, w->bridge ? &g->inside : &g->public);
		check_alias(w, g->name, w->bridge ? &g->inside6 : &g->public6);
	}
}

/* ---- what stays the host's --------------------------------------------------------------------- */

static bool listens(const struct wire *w, const char *keep)
{
	uint8_t proto;
	uint16_t port;
	if (conf_keep_parse(keep, &proto, &port) != 0)
		return false;
	for (uint32_t i = 0; i < w->s.n_sockets; i++)
		if (w->s.sockets[i].proto == proto && w->s.sockets[i].port == port &&
		    !site_is_local(&w->s.sockets[i]))
			return true;
	return false;
}

/* Most servers listen twice, for IPv4 and for IPv6: told once. */
static bool told_before(const struct wire *w, uint32_t n)
{
	const struct site_socket *x = &w->s.sockets[n];
	for (uint32_t i = 0; i < n; i++) {
		const struct site_socket *y = &w->s.sockets[i];
		if (y->proto == x->proto && y->port == x->port && strcmp(y->name, x->name) == 0 &&
		    !site_is_local(y))
			return true;
	}
	return false;
}

static void check_kept(struct wire *w)
{
	char all[384], name[4 * SITE_NAME];
	struct writer out = writer_of(all, sizeof(all));
	unsigned n = 0;
	for (uint32_t i = 0; i < w->s.n_sockets; i++) {
		const struct site_socket *x = &w->s.sockets[i];
		struct writer one = writer_of(name, sizeof(name));
		if (site_is_local(x) || told_before(w, i))
			continue;
		write_escaped(&one, x->name, strlen(x->name));
		write_fmt(&out, "%s%s/%u%s%s", n++ > 0 ? ", " : "", x->proto == 6 ? "tcp" : "udp",
			  x->port, name[0] != '\0' ? " " : "", name);
	}
	for (uint32_t i = 0; i < w->c->uplink.n_keep; i++)
		if (!listens(w, w->c->uplink.keep[i]))
			write_fmt(&out, "%s%s (configured)", n++ > 0 ? ", " : "",
				  w->c->uplink.keep[i]);
	if (out.full)
		memcpy(all + sizeof(all) - 4, "...", 4);
	if (w->s.truncated)
		say(w->r, LEVEL_WARN, "kept ports", "write down those that matter: uplink.keep",
		    "there are more links, addresses or sockets here than can be looked at");
	if (n == 0)
		say(w->r, LEVEL_WARN, "kept ports",
		    "uplink.keep: [tcp/22], if there is a way in by ssh",
		    "none: nothing listens and none is configured: every port is the honeypot's");
	else
		say(w->r, LEVEL_OK, "kept ports", NULL, "%s", all);
}

static void check_session(struct wire *w)
{
	char from[ADDR_TEXT], to[ADDR_TEXT];
	if (!w->has_session) {
		say(w->r, LEVEL_OK, "your session", NULL, "not by ssh");
		return;
	}
	addr_text(&w->session.remote, from);
	addr_text(&w->session.local, to);
	for (uint32_t i = 0; i < w->s.n_addresses; i++)
		if (w->bridge && w->s.addresses[i].link == w->link->index &&
		    addr_eq(&w->s.addresses[i].prefix.addr, &w->session.local)) {
			say(w->r, LEVEL_FAIL, "your session", "another card, or mode: nat",
			    "from %s comes by %s, which would be the honeynet's alone", from,
			    w->link->name);
			return;
		}
	say(w->r, LEVEL_OK, "your session", NULL, "from %s to %s port %u stays the host's%s", from,
	    to, w->session.local_port, w->shared ? ", as do new ones to that port" : "");
}

/* ---- the way out ------------------------------------------------------------------------------- */

static void check_emulation(struct wire *w)
{
	if (w->c->accel == ACCEL_TCG)
		say(w->r, LEVEL_WARN, "emulation",
		    "accel: auto, where there is KVM; read docs/THREATS.md",
		    "guests are emulated: QEMU's authors promise no isolation for that");
}

void check_wire(struct report *r)
{
	struct wire *w = calloc(1, sizeof(*w));
	if (w == NULL || r->c->mode == MODE_LAB) {
		free(w);
		return;
	}
	w->r = r;
	w->c = r->c;
	w->bridge = r->c->mode == MODE_BRIDGE;
	w->shared = uplink_shared(r->c);
	w->has_session = site_ssh_here(&w->session) == 0;
	int err = site_survey(&w->s);
	if (err == 0)
		err = site_provider(&w->s, DMI, &w->provider);
	if (err != 0) {
		say(r, LEVEL_FAIL, "uplink", "is /proc mounted?", "the network can't be read: %s",
		    err_text(err));
	} else if (check_uplink(w)) {
		check_steer(w);
		check_findings(w);
		if (w->bridge)
			check_card(w);
		check_routers(w);
		check_aliases(w);
		if (w->shared)
			check_kept(w);
		check_session(w);
		check_emulation(w);
	}
	say(r, LEVEL_OK, "outgoing mail", NULL,
	    "none configured: alerts are read with `skep events`");
	free(w);
}
