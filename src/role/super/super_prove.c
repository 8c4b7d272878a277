/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The throw-away port of `skep prove`. The wall's ports are fixed at its start, so there is always one more
 * than there are guests; it is down, with nobody behind it, until a proof asks for it. Then it is a honeypot's
 * port with a namespace of its own, a name that no port had before (so its budget is a fresh one), and
 * addresses that nobody else has. It ends with the proof's control connection, however that ends.
 */
#include "port/port.h"
#include "role/super/super_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define KEPT_MOST 16u
#define PATIENCE_NS (15 * 60 * NS_PER_SEC)

static void netns_name(const struct super *s, char *buf, size_t size)
{
	snprintf(buf, size, "%s-prove", s->c->name);
}

/* The pair without a far end: both here, so that the wall always has a link to hold. */
static int idle_link(struct super *s, char *why, size_t why_size)
{
	return link_batch(s->net,
			  "link add " PROVE_IFNAME " mtu 1500 type veth peer name prove1\n"
			  "link set " PROVE_IFNAME " arp off\nlink set prove1 arp off\n"
			  "link set " PROVE_IFNAME " up\nlink set prove1 up\n",
			  why, why_size);
}

int prove_prepare(struct super *s, char *why, size_t why_size)
{
	s->prove.port = (struct judge_port){.kind = JUDGE_HONEYPOT, .mac = {{0x02}}};
	text_copy(s->prove.port.name, sizeof(s->prove.port.name), "prove");
	random_fill(s->prove.port.mac.b + 1, sizeof(s->prove.port.mac.b) - 1);
	return idle_link(s, why, why_size);
}

/* ---- addresses that nobody has -------------------------------------------------------------- */

static bool is_taken(const struct super *s, const struct addr *a)
{
	const struct conf *c = s->c;
	const struct conf_lab *lab = &c->lab;
	const struct addr *const own[] = {
		&c->network.gateway,
		&c->network.gateway6,
		&c->network.resolver,
		&c->network.resolver6,
		&lab->router,
		&lab->router6,
		&lab->intruder,
		&lab->intruder6,
		&lab->web,
		&lab->web6,
		&lab->dns,
	};
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (addr_eq(own[i], a))
			return true;
	for (uint32_t i = 0; i < c->n_guests; i++) {
		const struct conf_guest *g = &c->guests[i];
		if (addr_eq(&g->inside, a) || addr_eq(&g->public, a) || addr_eq(&g->inside6, a) ||
		    addr_eq(&g->public6, a))
			return true;
	}
	for (uint32_t i = 0; i < c->n_forwards; i++)
		if (addr_eq(&c->forwards[i].public, a))
			return true;
	return false;
}

static bool is_hosts(const struct super *s, const struct addr *a)
{
	return s->uplink.site != NULL && site_has(s->uplink.site, a);
}

/* From the network's upper end downwards; ver 0: none is free. */
static struct addr free_addr(const struct super *s, struct addr net, uint8_t len)
{
	unsigned last = net.ver == 4 ? 3 : 15, bits = net.ver == 4 ? 32u - len : 128u - len;
	unsigned mask = bits >= 8 ? 0xff : (1u << bits) - 1;
	if (net.ver == 0)
		return net;
	for (unsigned i = mask - 1; i > 0; i--) {
		net.b[last] = (uint8_t)((net.b[last] & ~mask) | i);
		if (!is_taken(s, &net) && !is_hosts(s, &net))
			return net;
	}
	return (struct addr){0};
}

/* On a real wire, where nobody may have it: a documentation address, of a network that the host is not on. */
static struct addr documented(const struct super *s, uint8_t ver)
{
	static const char *const nets[] = {"198.51.100.0",    "203.0.113.0",     "192.0.2.0",
					   "2001:db8:ffff::", "2001:db8:fffe::", "3fff:ffff::"};
	for (size_t i = 0; i < ARRAY_LEN(nets); i++) {
		struct addr a;
		bool near = addr_parse(nets[i], &a) != 0 || a.ver != ver;
		for (uint32_t k = 0; k < s->n_host && !near; k++)
			near = prefix_has(&s->host[k], &a);
		if (near)
			continue;
		a = free_addr(s, a, ver == 4 ? 24 : 64);
		if (a.ver != 0)
			return a;
	}
	return (struct addr){0};
}

/* What the proof's guest is known as outside. */
static void choose_public(struct super *s)
{
	struct judge_port *p = &s->prove.port;
	const struct uplink_run *u = &s->uplink;
	if (s->c->mode == MODE_LAB) {
		p->public = free_addr(s, s->c->lab.router, 24);
		p->public6 = free_addr(s, s->c->lab.router6, 64);
		return;
	}
	if (s->c->mode == MODE_BRIDGE) {
		p->public = p->inside;
		p->public6 = p->inside6;
		return;
	}
	/* without a router nothing can begin, so nothing could be proven */
	p->public = mac_is_zero(&u->peer) ? (struct addr){0} : documented(s, 4);
	p->public6 = mac_is_zero(&u->peer6) ? (struct addr){0} : documented(s, 6);
	if (p->public.ver == 0)
		p->inside.ver = 0;
	if (p->public6.ver == 0)
		p->inside6.ver = 0;
}

static void choose(struct super *s)
{
	struct judge_port *p = &s->prove.port;
	const struct conf_network *n = &s->c->network;
	uint8_t salt[4];
	random_fill(salt, sizeof(salt));
	snprintf(p->name, sizeof(p->name), "prove-%02x%02x%02x%02x", salt[0], salt[1], salt[2],
		 salt[3]);
	p->inside = free_addr(s, n->inside.addr, n->inside.len);
	p->inside6 = free_addr(s, n->inside6.addr, n->inside6.len);
	choose_public(s);
}

/* ---- begin and end ---------------------------------------------------------------------------- */

static int tell_wall(struct super *s)
{
	struct msg_port m = {
		.index = (uint16_t)(port_count(s) - 1), .has_fd = 1, .port = s->prove.port};
	const struct child *wall = child_of(s, ROLE_WALL);
	if (wall == NULL || wall->control < 0)
		return 0; /* its start message will say it */
	return ipc_send(wall->control, MSG_PORT, &m, sizeof(m), &s->port_fds[m.index], 1);
}

/* Another link, and the wall's socket on it. */
static int new_link(struct super *s, const char *commands, int far, char *why, size_t why_size)
{
	int *fd = &s->port_fds[port_count(s) - 1], fresh = -1;
	int err = link_batch(s->net, "link del " PROVE_IFNAME "\n", why, why_size);
	if (err == 0 && commands == NULL)
		err = idle_link(s, why, why_size);
	else if (err == 0)
		err = link_batch(s->net, commands, why, why_size);
	if (err == 0 && far >= 0)
		err = link_batch(far, "link set eth0 up\n", why, why_size);
	if (err == 0)
		err = netns_enter(s->net);
	if (err == 0)
		err = port_open_packet(PROVE_IFNAME, &fresh);
	int back = netns_enter(s->home);
	if (err == 0)
		err = back;
	if (err == 0) {
		fd_close(fd);
		*fd = fresh;
	}
	return err;
}

static int silence(const struct super *s, int far)
{
	int err = netns_enter(far);
	if (err == 0)
		err = sysctl_set("net/ipv6/conf/all/disable_ipv6", "1");
	if (err == 0)
		err = sysctl_set("net/ipv6/conf/default/disable_ipv6", "1");
	int back = netns_enter(s->home);
	return back != 0 ? back : err == -ENOENT ? 0 : err;
}

static int open_port(struct super *s, char *why, size_t why_size)
{
	char name[CONF_NAME + 8], mac[MAC_TEXT], commands[512];
	struct writer w = writer_of(commands, sizeof(commands)), reason = writer_of(why, why_size);
	CLEANUP(fd_close) int far = -1;
	choose(s);
	if (s->prove.port.inside.ver == 0 && s->prove.port.inside6.ver == 0) {
		write_str(&reason, "no address is free for it, or no router is known yet (see "
				   "`skep status`: is the uplink up?)");
		return -EAGAIN;
	}
	netns_name(s, name, sizeof(name));
	int err = net_namespace(s, name, &far, why, why_size);
	if (err == 0)
		err = silence(s, far);
	if (err != 0)
		return err;
	s->prove.port.up = 1;
	write_fmt(&w,
		  "link add " PROVE_IFNAME " mtu 1500 type veth peer name eth0 address %s mtu 1500 "
		  "netns %s\n",
		  mac_text(&s->prove.port.mac, mac), name);
	write_str(&w, "link set " PROVE_IFNAME " arp off\nlink set " PROVE_IFNAME " up\n");
	err = new_link(s, commands, far, why, why_size);
	return err != 0 ? err : tell_wall(s);
}

/* The proof's guard on the uplink. Maybe it had none. */
static void remove_guard(const struct super *s)
{
	static const char *const argv[] = {"nft", "delete", "table", "netdev", "skep-prove", NULL};
	if (s->c->mode != MODE_LAB) {
		steer_unguard(s->uplink.plan.link);
		return;
	}
	if (run_program_in(s->lab, argv, NULL, NULL, 0, 5000) != 0)
		log_line(LOG_DEBUG, "the proof had no guard");
}

void prove_end(struct super *s)
{
	char name[CONF_NAME + 8], why[256] = "";
	fd_close(&s->prove.hold);
	if (s->prove.port.up == 0)
		return;
	s->prove.port.up = 0;
	remove_guard(s);
	netns_name(s, name, sizeof(name));
	int err = new_link(s, NULL, -1, why, sizeof(why));
	if (err == 0)
		err = tell_wall(s);
	int gone = netns_remove(name);
	if (err != 0 || gone != 0)
		log_line(LOG_WARN, "taking the proof's port down: %s",
			 why[0] != '\0' ? why : err_text(err != 0 ? err : gone));
	super_health(s, "super", "prove", 1, -1, -1, 0, "the proof's port is down again");
}

void prove_check(struct super *s)
{
	struct pollfd p = {.fd = s->prove.hold};
	if (s->prove.hold >= 0 && poll(&p, 1, 0) == 1)
		prove_end(s);
}

static json_t *addr_json(const struct addr *a)
{
	char text[ADDR_TEXT];
	return json_string(a->ver == 0 ? "" : addr_text(a, text));
}

/* What the proof must know: its own port and those of the others, outside first. */
static json_t *port_json(const struct super *s, uint32_t i)
{
	struct judge_port p;
	char mac[MAC_TEXT];
	port_describe(s, i, &p);
	json_t *o =
		json_pack("{s:s, s:i, s:b, s:s, s:s}", "name", p.name, "kind", (int)p.kind, "up",
			  p.up != 0, "mac", mac_text(&p.mac, mac), "link", port_ifname(s, i));
	json_object_set_new(o, "inside", addr_json(&p.inside));
	json_object_set_new(o, "inside6", addr_json(&p.inside6));
	json_object_set_new(o, "public", addr_json(&p.public));
	json_object_set_new(o, "public6", addr_json(&p.public6));
	return o;
}

static char *dump(json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

/* What kind of guest it is to be. False: no such kind. */
static bool take_kind(struct super *s, const json_t *request)
{
	const char *class = json_string_value(json_object_get(request, "class"));
	struct judge_port *p = &s->prove.port;
	p->roach_motel = json_is_true(json_object_get(request, "roach_motel"));
	return text_copy(p->class, sizeof(p->class), class != NULL ? class : "");
}

static json_t *kept_json(const struct steer_plan *p)
{
	char text[16];
	json_t *all = json_array();
	for (uint32_t i = 0; i < p->n_kept && i < KEPT_MOST; i++) {
		snprintf(text, sizeof(text), "%s/%u", p->kept[i].proto == 6 ? "tcp" : "udp",
			 p->kept[i].port);
		json_array_append_new(all, json_string(text));
	}
	return all;
}

/* Where the wall's link to the outside ends, what is behind it, and who speaks from there. */
static json_t *far_json(const struct super *s)
{
	char peer[MAC_TEXT], lab[CONF_NAME + 8];
	const struct uplink_run *u = &s->uplink;
	snprintf(lab, sizeof(lab), "%s-lab", s->c->name);
	if (s->c->mode != MODE_LAB) {
		json_t *o =
			json_pack("{s:s, s:s, s:s, s:I}", "namespace", "", "link", u->inner,
				  "uplink", u->plan.link, "mark", (json_int_t)steer_mark(u->steer));
		const struct mac *known = mac_is_zero(&u->peer) ? &u->peer6 : &u->peer;
		json_object_set_new(o, "peer", json_string(mac_text(known, peer)));
		json_object_set_new(o, "gateway", addr_json(&u->plan.gateway));
		json_object_set_new(o, "gateway6", addr_json(&u->plan.gateway6));
		json_object_set_new(o, "kept", kept_json(&u->plan.steer));
		return o;
	}
	return json_pack("{s:s, s:s, s:s, s:s}", "namespace", lab, "link", "uplink0", "uplink", "",
			 "peer", mac_text(&s->uplink_mac, peer));
}

void prove_begin(struct super *s, const json_t *request, int *fd, char **ret)
{
	char why[256] = "";
	prove_check(s); /* its end may not have been noticed yet */
	bool unsteered = s->c->mode != MODE_LAB && s->uplink.steer == NULL;
	int err = s->prove.port.up != 0    ? -EBUSY
		  : unsteered              ? -ENOLINK
		  : !take_kind(s, request) ? -EINVAL
					   : open_port(s, why, sizeof(why));
	if (err != 0) {
		*ret = dump(json_pack("{s:s}", "error",
				      err == -EBUSY     ? "another proof is running"
				      : err == -ENOLINK ? "nothing is steered at the uplink now"
				      : why[0] != '\0'  ? why
							: err_text(err)));
		if (err != -EBUSY)
			prove_end(s); /* nothing, if it had not begun */
		return;
	}
	json_t *ports = json_array();
	for (uint32_t i = 0; i < port_count(s); i++)
		json_array_append_new(ports, port_json(s, i));
	*ret = dump(json_pack("{s:b, s:o, s:o, s:o}", "ok", 1, "far", far_json(s), "ports", ports,
			      "containment", orders_json(s)));
	s->prove.hold = fd_take(fd);
	s->prove.until_ns = clock_boot_ns() + PATIENCE_NS;
	super_health(s, "super", "prove", 1, -1, -1, 1,
		     "a proof of containment begins at a port of its own");
}
