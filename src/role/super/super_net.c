/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The house: a namespace with one end of a veth (outside) and a tap per guest, none of which has an
 * address, an ARP answer or a bridge, so that without the wall nothing can cross; and beside it the
 * lab, a namespace that plays the Internet.
 */
#include "port/port.h"
#include "role/super/super_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOST_PREFIXES 512
#define USUAL_MTU 1500

struct mac net_mac(void)
{
	struct mac m;
	random_fill(m.b, sizeof(m.b));
	m.b[0] = (uint8_t)((m.b[0] & 0xfcu) | 0x02u); /* unicast, locally administered */
	return m;
}

/* No larger than what the wire takes: nobody on the way could tell a guest so. */
uint32_t net_mtu(const struct super *s)
{
	uint32_t wire = s->uplink.plan.mtu;
	return s->c->mode != MODE_LAB && wire < USUAL_MTU ? wire : USUAL_MTU;
}

int net_namespace(struct super *s, const char *name, int *ret, char *why, size_t why_size)
{
	struct writer w = writer_of(why, why_size);
	int fd, err = netns_open(name, &fd);
	if (err == 0) {
		fd_close(&fd);
		write_fmt(&w,
			  "the network namespace '%s' exists and is not of our making; choose "
			  "another `name:` or remove it: ip netns del %s",
			  name, name);
		return -EEXIST;
	}
	err = state_note(s, "netns %s", name);
	if (err == 0)
		err = netns_create(name, ret);
	if (err != 0)
		write_fmt(&w, "network namespace %s: %s", name, err_text(err));
	return err;
}

/* Missing knobs (a kernel without IPv6) leave nothing to turn off. */
int net_settings(const char *const (*rows)[2], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int err = sysctl_set(rows[i][0], rows[i][1]);
		if (err != 0 && err != -ENOENT)
			return err;
	}
	return 0;
}

static int net_sysctls(const struct super *s)
{
	static const char *const silent[][2] = {
		{"net/ipv6/conf/all/disable_ipv6", "1"},
		{"net/ipv6/conf/default/disable_ipv6", "1"},
		{"net/ipv4/ip_forward", "0"},
		{"net/ipv4/conf/all/arp_ignore", "8"},
	};
	static const char *const lab[][2] = {
		{"net/ipv6/conf/all/disable_ipv6", "0"},
		{"net/ipv6/conf/default/disable_ipv6", "0"},
		{"net/ipv6/conf/lo/disable_ipv6", "0"},
		{"net/ipv6/conf/all/accept_ra", "0"},
		{"net/ipv6/conf/default/accept_ra", "0"},
		{"net/ipv6/conf/default/accept_dad", "0"},
		{"net/ipv4/ip_forward", "0"},
		{"net/ipv4/conf/all/rp_filter", "0"},
		{"net/ipv4/conf/default/rp_filter", "0"},
		/* ask for neighbours in the name of the address that is on the link */
		{"net/ipv4/conf/all/arp_announce", "2"},
		/* its servers run without rights */
		{"net/ipv4/ip_unprivileged_port_start", "0"},
	};
	int err = netns_enter(s->net);
	if (err == 0)
		err = net_settings(silent, ARRAY_LEN(silent));
	if (err == 0 && s->lab >= 0)
		err = netns_enter(s->lab);
	if (err == 0 && s->lab >= 0)
		err = net_settings(lab, ARRAY_LEN(lab));
	int back = netns_enter(s->home);
	return err != 0 ? err : back;
}

static void write_outside(const struct super *s, struct writer *w)
{
	char mac[MAC_TEXT], peer[MAC_TEXT];
	write_str(w, "link set lo up\n");
	write_fmt(w,
		  "link add outside address %s mtu 1500 type veth peer name uplink0 address %s "
		  "mtu 1500 netns %s-lab\n",
		  mac_text(&s->outside_mac, mac), mac_text(&s->uplink_mac, peer), s->c->name);
	write_str(w, "link set outside arp off\n");
	write_str(w, "link set outside up\n");
}

static void write_lab_addr(struct writer *w, const struct addr *a, const char *dev, int len)
{
	char text[ADDR_TEXT];
	if (a->ver == 0)
		return;
	if (len == 0)
		len = a->ver == 4 ? 32 : 128;
	/* noprefixroute: the route to the link follows, with another source address */
	write_fmt(w, "addr add %s/%d dev %s noprefixroute%s\n", addr_text(a, text), len, dev,
		  a->ver == 6 ? " nodad" : "");
}

/* The route to the honeypots: by the link, and in the intruder's name. */
static void write_lab_route(struct writer *w, const struct addr *router, const struct addr *src,
			    uint8_t len)
{
	char net[ADDR_TEXT], from[ADDR_TEXT];
	struct addr a = *router;
	if (router->ver == 0 || src->ver == 0)
		return;
	for (size_t i = len / 8; i < sizeof(a.b); i++)
		a.b[i] = 0;
	write_fmt(w, "route replace %s/%u dev uplink0 src %s\n", addr_text(&a, net), len,
		  addr_text(src, from));
}

static void write_lab(const struct super *s, struct writer *w)
{
	const struct conf_lab *lab = &s->c->lab;
	write_str(w, "link set lo up\nlink set uplink0 up\n");
	write_lab_addr(w, &lab->intruder, "lo", 0);
	write_lab_addr(w, &lab->intruder6, "lo", 0);
	write_lab_addr(w, &lab->web, "lo", 0);
	write_lab_addr(w, &lab->web6, "lo", 0);
	write_lab_addr(w, &lab->dns, "lo", 0);
	write_lab_addr(w, &lab->router, "uplink0", 24);
	write_lab_addr(w, &lab->router6, "uplink0", 64);
	write_lab_route(w, &lab->router, &lab->intruder, 24);
	write_lab_route(w, &lab->router6, &lab->intruder6, 64);
}

/* A guest that is only a port: a veth pair, whose far end lives in a namespace of its own. */
static int bare_port(struct super *s, uint32_t i, char *why, size_t why_size)
{
	char name[CONF_NAME + 8], buf[512], mac[MAC_TEXT];
	struct guest_run *g = &s->guests[i];
	CLEANUP(fd_close) int far = -1;
	snprintf(name, sizeof(name), "%s-g%u", s->c->name, i);
	int err = net_namespace(s, name, &far, why, why_size);
	if (err != 0)
		return err;
	struct writer w = writer_of(buf, sizeof(buf));
	write_fmt(&w, "link add %s mtu %u type veth peer name eth0 address %s mtu %u netns %s\n",
		  g->ifname, net_mtu(s), mac_text(&g->mac, mac), net_mtu(s), name);
	write_fmt(&w, "link set %s arp off\nlink set %s up\n", g->ifname, g->ifname);
	err = link_batch(s->net, buf, why, why_size);
	if (err == 0)
		err = link_batch(far, "link set lo up\nlink set eth0 up\n", why, why_size);
	return err;
}

static int guest_port(struct super *s, uint32_t i, char *why, size_t why_size)
{
	char buf[256];
	struct guest_run *g = &s->guests[i];
	struct writer w = writer_of(buf, sizeof(buf)), reason = writer_of(why, why_size);
	if (g->state == RUN_NONE)
		return bare_port(s, i, why, why_size);
	int err = netns_enter(s->net);
	if (err == 0)
		err = port_open_tap(g->ifname, &g->tap);
	int back = netns_enter(s->home);
	if (err != 0 || back != 0) {
		write_fmt(&reason, "tap of %s: %s", g->conf->name, err_text(err != 0 ? err : back));
		return err != 0 ? err : back;
	}
	write_fmt(&w, "link set %s mtu %u arp off\nlink set %s up\n", g->ifname, net_mtu(s),
		  g->ifname);
	return link_batch(s->net, buf, why, why_size);
}

/* The lab plays the Internet by itself and has no way to the host: where one of its addresses lies
 * in a network that the host is really on, that network counts as the lab's; the host's own
 * addresses stay off limits all the same. */
static bool is_labs(const struct super *s, const struct prefix *p)
{
	const struct conf_lab *lab = &s->c->lab;
	const struct addr *const own[] = {&lab->intruder, &lab->intruder6, &lab->web,    &lab->web6,
					  &lab->dns,      &lab->router,    &lab->router6};
	if (s->c->mode != MODE_LAB || p->len == (p->addr.ver == 4 ? 32 : 128))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (own[i]->ver != 0 && prefix_has(p, own[i]))
			return true;
	return false;
}

/* A host with a single IPv6 address (rented servers: a /128 and a gateway) has neighbours in its 64 bits all the
 * same: no network is smaller. */
static void widen(const struct super *s, struct prefix *p)
{
	if (s->c->mode == MODE_LAB || p->addr.ver != 6 || p->len <= 64 ||
	    (p->addr.b[0] & 0xe0) != 0x20)
		return;
	p->len = 64; /* the address stays whole: nobody else may speak in its name */
}

static bool has_addr(const struct prefix *list, uint32_t n, const struct addr *a)
{
	for (uint32_t i = 0; i < n; i++)
		if (addr_eq(&list[i].addr, a))
			return true;
	return false;
}

/* The host's own networks, off limits to every guest: without what lies inside another entry. Then, as far as there
 * is room, such as bear addresses of the host that the others do not: nobody else speaks in their name. */
int net_host_prefixes(struct super *s, bool *ret_changed)
{
	struct prefix *all = calloc(HOST_PREFIXES, sizeof(*all)), host[CONF_PREFIXES] = {0};
	size_t n = 0, kept = 0;
	uint32_t n_host = 0;
	int err = all == NULL ? -ENOMEM : link_prefixes(all, HOST_PREFIXES, &n);
	for (size_t i = 0; i < n && err == 0; i++)
		if (!is_labs(s, &all[i])) {
			widen(s, &all[i]);
			all[kept++] = all[i];
		}
	for (size_t i = 0; i < kept && err == 0; i++) {
		bool inside = false;
		for (size_t k = 0; k < kept && !inside; k++)
			inside = prefix_has(&all[k], &all[i].addr) &&
				 (all[k].len < all[i].len || (all[k].len == all[i].len && k < i));
		if (inside)
			continue;
		if (n_host == CONF_PREFIXES)
			err = SKEP_EFULL;
		else
			host[n_host++] = all[i];
	}
	for (size_t i = 0; i < kept && err == 0 && n_host < CONF_PREFIXES; i++)
		if (!has_addr(host, n_host, &all[i].addr))
			host[n_host++] = all[i];
	free(all);
	if (err != 0)
		return err;
	*ret_changed = n_host != s->n_host || memcmp(host, s->host, sizeof(host)) != 0;
	s->n_host = n_host;
	memcpy(s->host, host, sizeof(host));
	return 0;
}

/* The outside of mode lab: a router, an intruder and a small Internet in a namespace. */
static int build_lab(struct super *s, char *why, size_t why_size)
{
	char buf[2048];
	struct writer w = writer_of(buf, sizeof(buf));
	write_outside(s, &w);
	int err = link_batch(s->net, buf, why, why_size);
	if (err != 0)
		return err;
	w = writer_of(buf, sizeof(buf));
	write_lab(s, &w);
	return link_batch(s->lab, buf, why, why_size);
}

static int build_namespaces(struct super *s, char *why, size_t why_size)
{
	char lab[CONF_NAME + 8];
	struct writer reason = writer_of(why, why_size);
	snprintf(lab, sizeof(lab), "%s-lab", s->c->name);
	int err = net_namespace(s, s->c->name, &s->net, why, why_size);
	if (err == 0 && s->c->mode == MODE_LAB)
		err = net_namespace(s, lab, &s->lab, why, why_size);
	if (err != 0)
		return err;
	err = net_sysctls(s);
	if (err != 0)
		write_fmt(&reason, "settings of the namespaces: %s", err_text(err));
	return err;
}

int net_build(struct super *s, char *why, size_t why_size)
{
	struct writer reason = writer_of(why, why_size);
	bool changed;
	int err = net_host_prefixes(s, &changed);
	if (err != 0) {
		write_fmt(&reason,
			  "reading this host's networks, which are off limits: %s (at most %d)",
			  err_text(err), CONF_PREFIXES);
		return err;
	}
	s->outside_mac = s->c->mode == MODE_LAB ? net_mac() : s->uplink.plan.mac;
	s->uplink_mac = net_mac();
	err = build_namespaces(s, why, why_size);
	if (err == 0)
		err = s->c->mode == MODE_LAB ? build_lab(s, why, why_size)
					     : uplink_build(s, why, why_size);
	for (uint32_t i = 0; i < s->c->n_guests && err == 0; i++) {
		if (s->guests[i].state == RUN_NONE && s->guests[i].mac.b[0] == 0)
			s->guests[i].mac = net_mac();
		err = guest_port(s, i, why, why_size);
	}
	if (err == 0 && s->c->sink.on)
		err = sink_build(s, why, why_size);
	return err != 0 ? err : prove_prepare(s, why, why_size);
}

const char *port_ifname(const struct super *s, uint32_t index)
{
	if (index == port_count(s) - 1)
		return PROVE_IFNAME;
	if (index == 0)
		return "outside";
	return index > s->c->n_guests ? "sink" : s->guests[index - 1].ifname;
}

/* Frames longer than a virtio-net header can tell of, and checksums it has no kind for. */
static int pin_offloads(const struct super *s)
{
	char why[256];
	int err = link_batch(s->net, "link set outside gso_max_size 65536 gro_max_size 65536\n",
			     why, sizeof(why));
	if (err != 0)
		log_line(LOG_DEBUG, "gso_max_size: %s", why); /* an old ip; it is the default */
	if (s->lab < 0)
		return 0;
	err = netns_enter(s->lab);
	if (err == 0 && link_feature_off("uplink0", "tx-checksum-sctp") != 0)
		log_line(LOG_DEBUG, "no tx-checksum-sctp to turn off");
	return netns_enter(s->home);
}

int net_sockets(struct super *s, char *why, size_t why_size)
{
	struct writer w = writer_of(why, why_size);
	int err = pin_offloads(s);
	if (err == 0)
		err = netns_enter(s->net);
	for (uint32_t i = 0; i < port_count(s) && err == 0; i++)
		err = port_open_packet(port_ifname(s, i), &s->port_fds[i]);
	int back = netns_enter(s->home);
	if (err == 0)
		err = back;
	if (err != 0)
		write_fmt(&w, "opening the wall's ports: %s", err_text(err));
	return err;
}

int net_rings(const struct super *s, int *ret_fds, size_t *ret_n)
{
	size_t n = 0;
	int err = netns_enter(s->net);
	for (uint32_t i = 0; i < port_recorded(s) && err == 0; i++) {
		err = capture_ring_open(port_ifname(s, i), s->c->recorder.ring_bytes, &ret_fds[n]);
		if (err == 0)
			n++;
	}
	int back = netns_enter(s->home);
	if (err == 0)
		err = back;
	while (err != 0 && n > 0)
		fd_close(&ret_fds[--n]);
	if (err == 0)
		*ret_n = n;
	return err;
}
