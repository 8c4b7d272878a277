/* SPDX-License-Identifier: BSD-2-Clause */
/* Who speaks, and to whom. */
#include "prove/prove_priv.h"
#include "sys/sys.h"

#include <string.h>

#define FLOOD 300u
#define STORM 150u
#define HOST_MOST 256u

static struct mac mac_of(const char *text)
{
	struct mac m = {{0}};
	if (mac_parse(text, &m) != 0)
		memset(&m, 0, sizeof(m));
	return m;
}

static const struct addr *target_of(const struct prove *p, const struct addr *from)
{
	return from->ver == 6 ? &p->target6 : &p->target;
}

/* ---- sources ----------------------------------------------------------------------------------- */

void case_spoof_mac(struct prove *p)
{
	static const char *const foreign[] = {"02:66:66:66:66:66", "00:00:00:00:00:00",
					      "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff"};
	struct head h = case_head(p, &p->target), h6 = case_head(p, &p->target6);
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
		h.from_mac = h6.from_mac = mac_of(foreign[i]);
		case_udp(p, h);
		case_udp(p, h6);
	}
	h.from_mac = p->gate[0];
	case_udp(p, h);
	for (uint32_t i = 0; i + 1 < p->conf->n_ports; i++) {
		h.from_mac = p->conf->ports[i].mac;
		case_syn(p, h, 80);
	}
}

void case_mac_flood(struct prove *p)
{
	struct head h = case_head(p, &p->target);
	for (uint32_t i = 0; i < FLOOD; i++) {
		random_fill(h.from_mac.b, sizeof(h.from_mac.b));
		h.from_mac.b[0] = (uint8_t)((h.from_mac.b[0] & 0xfc) | 2);
		case_udp(p, h);
	}
}

static void spoof(struct prove *p, struct addr from)
{
	if (from.ver == 0)
		return;
	struct head h = case_head(p, target_of(p, &from));
	h.from = from;
	case_udp(p, h);
	case_syn(p, h, 80);
	case_ping(p, h);
}

void case_spoof_addr(struct prove *p)
{
	static const char *const foreign[] = {
		"8.8.8.8",   "198.51.100.66", "127.0.0.1",  "0.0.0.0", "255.255.255.255",
		"224.0.0.1", "10.0.0.9",      "::",         "::1",     "2001:db8:66::66",
		"ff02::1",   "fe80::1",       "fe80::dead", "fd00::1",
	};
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		spoof(p, case_addr(foreign[i]));
	spoof(p, p->c->network.gateway);
	for (uint32_t i = 1; i + 1 < p->conf->n_ports; i++) {
		spoof(p, p->conf->ports[i].inside);
		spoof(p, p->conf->ports[i].inside6);
		spoof(p, p->conf->ports[i].public);
	}
	if (!addr_eq(&p->own->public, &p->own->inside)) /* outside only the wall may use it */
		spoof(p, p->own->public);
}

/* ---- destinations ------------------------------------------------------------------------------- */

static bool excepted(const struct prove *p, const struct addr *a)
{
	for (uint32_t i = 0; i < p->c->wall.n_allowed; i++)
		if (prefix_has(&p->c->wall.allowed[i], a))
			return true;
	return false;
}

/* Rules may lead what is meant for such a place elsewhere: that is tried there. */
static bool is_led(const struct prove *p, uint8_t proto, uint16_t port, const struct addr *to)
{
	struct expect e = expect_of(p, proto, port, to);
	return expect_elsewhere(&e);
}

static void all_kinds(struct prove *p, const struct addr *to)
{
	struct head h = case_head(p, to);
	if (excepted(p, to) || h.from.ver == 0)
		return;
	if (!is_led(p, PROVE_UDP, 9, to))
		case_udp(p, h);
	if (!is_led(p, PROVE_TCP, 80, to))
		case_syn(p, h, 80);
	if (!is_led(p, PROVE_ICMP, 0, to))
		case_ping(p, h);
}

void case_off_limits(struct prove *p)
{
	static const char *const places[] = {
		"10.0.0.1",        "172.16.0.1",      "192.168.1.1", "100.64.0.1",    "169.254.1.1",
		"169.254.169.254", "127.0.0.1",       "0.0.0.1",     "192.0.0.1",     "198.18.0.1",
		"240.0.0.1",       "100.100.100.200", "192.88.99.1", "::1",           "::8.8.8.8",
		"::ffff:10.0.0.1", "64:ff9b::a00:1",  "fc00::1",     "fd00:ec2::254", "fe80::99",
		"fec0::1",         "2002:a00:1::1",   "2001::1",
	};
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct addr a = case_addr(places[i]);
		all_kinds(p, &a);
	}
	for (uint32_t i = 0; i < p->c->wall.n_off_limits && i < 16; i++)
		all_kinds(p, &p->c->wall.off_limits[i].addr);
}

static bool is_guests(const struct prove *p, const struct addr *a)
{
	for (uint32_t i = 1; i < p->conf->n_ports; i++) {
		const struct prove_port *g = &p->conf->ports[i];
		if (addr_eq(&g->inside, a) || addr_eq(&g->inside6, a) || addr_eq(&g->public, a) ||
		    addr_eq(&g->public6, a))
			return true;
	}
	return false;
}

/* Some of the host's neighbours: at both ends of a network that it is on, and beside it. */
static void neighbours(struct prove *p, const struct prefix *net)
{
	static const uint8_t last[] = {1, 2, 9, 253, 254};
	unsigned end = net->addr.ver == 4 ? 3 : 15,
		 bits = (net->addr.ver == 4 ? 32u : 128u) - net->len;
	uint8_t mask = bits >= 8 ? 0xff : (uint8_t)((1u << bits) - 1);
	for (size_t i = 0; i < ARRAY_LEN(last); i++) {
		struct addr a = net->addr;
		a.b[end] = (uint8_t)((a.b[end] & ~mask) | (last[i] & mask));
		if (!is_guests(p, &a))
			all_kinds(p, &a);
	}
}

/* Addresses of this machine, those that it got a moment ago as well; on a real wire its neighbours, too. What
 * it shares with a guest is the guest's in there. */
void case_host(struct prove *p)
{
	struct prefix host[HOST_MOST];
	size_t n = 0;
	if (link_prefixes(host, HOST_MOST, &n) != 0)
		run_skip(p, "this machine's addresses can't be read");
	for (size_t i = 0; i < n; i++) {
		bool whole = host[i].len == (host[i].addr.ver == 4 ? 32 : 128);
		if (whole && !is_guests(p, &host[i].addr))
			all_kinds(p, &host[i].addr);
		else if (!whole && p->real)
			neighbours(p, &host[i]);
	}
	if (p->conf->far.gateway.ver != 0)
		all_kinds(p, &p->conf->far.gateway);
	if (p->conf->far.gateway6.ver != 0)
		all_kinds(p, &p->conf->far.gateway6);
}

/* The wall's own: gateway and what is nobody's in the guests' network. */
void case_honeynet(struct prove *p)
{
	struct addr a = p->c->network.inside.addr;
	unsigned bits = 32u - p->c->network.inside.len;
	uint32_t net = load_be32(a.b);
	all_kinds(p, &p->c->network.gateway);
	all_kinds(p, &p->c->network.gateway6);
	store_be32(a.b, net | ((1u << bits) - 1));
	all_kinds(p, &a);
	for (uint32_t i = 2; i < 12 && i < (1u << bits) - 1; i++) {
		bool taken = false;
		store_be32(a.b, net | i);
		for (uint32_t k = 1; k < p->conf->n_ports; k++)
			taken = taken || addr_eq(&p->conf->ports[k].inside, &a);
		taken = taken || addr_eq(&p->c->network.resolver, &a);
		if (!taken)
			all_kinds(p, &a);
	}
	case_udp(p, case_head(p, &p->own->inside));
	case_udp(p, case_head(p, &p->own->public));
}

void case_smtp(struct prove *p)
{
	struct expect e = expect_of(p, PROVE_TCP, 25, &p->target);
	if (expect_passes(&e) || expect_elsewhere(&e)) {
		run_skip(p, "the policy lets mail out");
		return;
	}
	case_syn(p, case_head(p, &p->target), 25);
	if (p->own->inside6.ver != 0)
		case_syn(p, case_head(p, &p->target6), 25);
	run_settle(p);
	if (e.sink && e.rule == NULL) /* there they count all the same */
		p->used[0] += run_row(p)->sunk;
}

/* ---- groups ---------------------------------------------------------------------------------------- */

static void group(struct prove *p, const char *to, const char *mac)
{
	struct addr a = to != NULL ? case_addr(to) : p->target;
	struct head h = case_head(p, &a);
	if (mac != NULL)
		h.to_mac = mac_of(mac);
	if (h.from.ver != 0)
		case_udp(p, h);
}

void case_multicast(struct prove *p)
{
	static const struct {
		const char *to, *mac;
	} rows[] = {
		{NULL, "ff:ff:ff:ff:ff:ff"},
		{NULL, "01:00:5e:00:00:fb"},
		{NULL, "33:33:00:00:00:01"},
		{"2001:db8:80::80", "33:33:00:00:00:01"},
		{"255.255.255.255", "ff:ff:ff:ff:ff:ff"},
		{"224.0.0.251", "01:00:5e:00:00:fb"},
		{"239.255.255.250", "01:00:5e:7f:ff:fa"},
		{"224.0.0.1", NULL},
		{"ff02::1", "33:33:00:00:00:01"},
		{"ff02::fb", "33:33:00:00:00:fb"},
		{"ff0e::1", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		group(p, rows[i].to, rows[i].mac);
}

void case_storm(struct prove *p)
{
	for (uint32_t i = 0; i < STORM; i++) {
		group(p, "255.255.255.255", "ff:ff:ff:ff:ff:ff");
		group(p, NULL, "ff:ff:ff:ff:ff:ff");
		group(p, "ff02::1", "33:33:00:00:00:01");
	}
}

void case_unknown_mac(struct prove *p)
{
	struct head h = case_head(p, &p->target), h6 = case_head(p, &p->target6);
	h.to_mac = h6.to_mac = mac_of("02:66:66:66:66:66");
	case_udp(p, h);
	case_syn(p, h, 80);
	case_udp(p, h6);
	h.to_mac = p->conf->ports[0].mac; /* the wall's own on the other side */
	case_udp(p, h);
	h.to_mac = p->peer;
	if (!p->bridged) /* there it is the gateway's */
		case_udp(p, h);
}
