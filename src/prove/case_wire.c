/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real wire: what may not leave by it even if the wall had failed. Frames are sent in the wall's own place, at
 * its end of the link, so that only the fence (src/steer) is between them and the uplink, with the guard
 * behind it, whose count says what the fence let through.
 */
#include "prove/prove_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define DISCARD 9
#define HOST_MS 1000

/* As the wall sends to a router, in the name of `from`. */
static struct head wall_head(const struct prove *p, const struct addr *from)
{
	return (struct head){.to_mac = p->peer,
			     .from_mac = p->conf->ports[0].mac,
			     .from = *from,
			     .to = from->ver == 6 ? p->target6 : p->target,
			     .ttl = 60};
}

static void as_wall(struct prove *p, struct head h, uint16_t sport, uint16_t dport)
{
	uint8_t mark[PROVE_MARK];
	wire_mark(p, mark);
	frame_udp(&p->pkt, &h, sport, dport, mark, sizeof(mark));
	wire_send_as_wall(p);
}

static void segment_as_wall(struct prove *p, struct head h, uint16_t sport, uint16_t dport)
{
	uint8_t mark[PROVE_MARK];
	struct tcp_head t = {
		.sport = sport, .dport = dport, .seq = 1, .ack = 1, .flags = TCP_ACK | TCP_PSH};
	wire_mark(p, mark);
	frame_tcp(&p->pkt, &h, &t, mark, sizeof(mark));
	wire_send_as_wall(p);
}

/* All that one source can send. */
static void from_stranger(struct prove *p, const struct addr *from)
{
	uint8_t mark[PROVE_MARK];
	if (from->ver == 0)
		return;
	struct head h = wall_head(p, from);
	as_wall(p, h, p->next_port++, DISCARD);
	segment_as_wall(p, h, p->next_port++, 80);
	wire_mark(p, mark);
	frame_icmp(&p->pkt, &h, from->ver == 6 ? 128 : 8, 0, (uint32_t)p->next_port++ << 16, mark,
		   sizeof(mark));
	wire_send_as_wall(p);
}

static void raw_as_wall(struct prove *p, struct head *h, uint16_t kind, const void *lead,
			uint32_t len)
{
	wire_raw(p, h, kind, lead, len);
	wire_send_as_wall(p);
}

/* A claim of somebody else's address. */
static void claim(struct prove *p, const struct addr *a)
{
	static const struct mac all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	uint8_t b[28] = {0, 1, 8, 0, 6, 4, 0, 2};
	struct head h = wall_head(p, &p->own->public);
	h.to_mac = all;
	memcpy(b + 8, h.from_mac.b, 6);
	memcpy(b + 14, a->b, 4);
	memset(b + 18, 0xff, 6);
	memcpy(b + 24, a->b, 4);
	raw_as_wall(p, &h, 0x0806, b, sizeof(b));
}

static void claim6(struct prove *p, const struct addr *a)
{
	static const struct mac all = {{0x33, 0x33, 0, 0, 0, 1}};
	struct addr group = case_addr("ff02::1");
	uint8_t b[16 + 8 + 8 + PROVE_MARK] = {0};
	struct head h = wall_head(p, a);
	h.to = group;
	h.to_mac = all;
	h.ttl = 255;
	memcpy(b, a->b, 16);
	b[16] = 2;
	b[17] = 1;
	memcpy(b + 18, h.from_mac.b, 6);
	b[24] = 253;
	b[25] = 4;
	wire_mark(p, b + 32);
	frame_icmp(&p->pkt, &h, 136, 0, 0x20000000, b, sizeof(b));
	wire_send_as_wall(p);
}

static void strangers(struct prove *p)
{
	static const char *const texts[] = {
		"8.8.8.8", "127.0.0.1", "0.0.0.0", "10.255.255.9",
		"::1",     "::",        "fd00::1", "2001:db8:ffff:66::66"};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct addr a = case_addr(texts[i]);
		from_stranger(p, &a);
	}
	from_stranger(p, &p->own->public);
	from_stranger(p, &p->own->public6);
	from_stranger(p, &p->c->network.gateway);
	claim(p, &p->own->public);
	claim(p, &p->c->network.gateway);
	if (p->own->public6.ver != 0)
		claim6(p, &p->own->public6);
	for (uint32_t i = 1; i + 1 < p->conf->n_ports && !p->bridged; i++) {
		from_stranger(p, &p->conf->ports[i].inside);
		if (!addr_eq(&p->conf->ports[i].inside6, &p->conf->ports[i].public6))
			from_stranger(p, &p->conf->ports[i].inside6);
	}
}

/* No IP at all, or behind a tag; in a guest's own name as far as there is one. */
static void other_kinds(struct prove *p, const struct addr *from)
{
	static const uint16_t kinds[] = {0x88cc, 0x888e, 0x8863, 0x8100, 0xffff};
	static const uint8_t stp[] = {0x42, 0x42, 3};
	struct head h = wall_head(p, from);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		raw_as_wall(p, &h, kinds[i], NULL, 0);
	raw_as_wall(p, &h, 38, stp, sizeof(stp));
	h.n_tags = 1;
	h.tag_kind = 0x8100;
	h.tags[0] = 7;
	as_wall(p, h, p->next_port++, DISCARD);
	if (p->bridged)
		return;
	h = wall_head(p, from); /* with another's link address */
	h.from_mac = p->own->mac;
	as_wall(p, h, p->next_port++, DISCARD);
}

/* ---- in the host's name, on an address that a guest shares with it ----------------------------------- */

static void kept_ports(struct prove *p, const struct addr *shared)
{
	const struct prove_far *far = &p->conf->far;
	for (uint32_t i = 0; i < far->n_kept; i++) {
		struct head h = wall_head(p, shared);
		if (far->kept[i].proto == PROVE_TCP)
			segment_as_wall(p, h, far->kept[i].port, p->next_port++);
		else
			as_wall(p, h, far->kept[i].port, p->next_port++);
	}
}

static socklen_t sockaddr_of(const struct addr *a, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	memset(ret, 0, sizeof(*ret));
	memcpy(&v4.sin_addr, a->b, 4);
	memcpy(&v6.sin6_addr, a->b, 16);
	if (a->ver == 4)
		memcpy(ret, &v4, sizeof(v4));
	else
		memcpy(ret, &v6, sizeof(v6));
	return a->ver == 4 ? sizeof(v4) : sizeof(v6);
}

/* A socket of the host's own, with that address; its port. Datagrams of it end at the first router. */
static int host_socket(const struct addr *from, uint16_t *ret_port)
{
	struct sockaddr_storage at;
	socklen_t len = sockaddr_of(from, 0, &at);
	int one = 1, v6 = from->ver == 6;
	uint8_t port[2]; /* the same place in both */
	CLEANUP(fd_close)
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 ||
	    setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_UNICAST_HOPS : IP_TTL, &one,
		       sizeof(one)) != 0)
		return -errno;
	len = sizeof(at);
	if (getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		return -errno;
	memcpy(port, (const uint8_t *)&at + 2, sizeof(port));
	*ret_port = load_be16(port);
	return fd_take(&fd);
}

/* The host begins a conversation; if that really left, it is its own. */
static void hosts_own(struct prove *p, const struct addr *shared)
{
	struct sockaddr_storage to;
	struct head h = wall_head(p, shared);
	CLEANUP(fd_close) int fd = host_socket(shared, &p->host_port);
	socklen_t len = sockaddr_of(&h.to, DISCARD, &to);
	p->host_spoke = false;
	if (fd >= 0 && sendto(fd, "", 0, 0, (struct sockaddr *)&to, len) == 0 &&
	    run_await(p, &p->host_spoke, HOST_MS))
		as_wall(p, h, p->host_port, DISCARD);
	p->host_port = 0;
}

static bool is_shared(const struct prove *p, uint32_t port)
{
	const struct conf_guest *g = conf_guest(p->c, p->conf->ports[port].name);
	return g != NULL && g->shared;
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

/* What each guest may send by the fence: else silence proves nothing. Returns how many were sent. */
static uint32_t what_may(struct prove *p)
{
	uint32_t n = 0;
	for (uint32_t i = 1; i + 1 < p->conf->n_ports; i++) {
		const struct prove_port *g = &p->conf->ports[i];
		const struct addr *const all[] = {&g->public, &g->public6};
		for (size_t k = 0; k < ARRAY_LEN(all); k++) {
			struct head h = wall_head(p, all[k]);
			if (p->bridged)
				h.from_mac = g->mac;
			if (all[k]->ver == 0 || g->sink)
				continue;
			as_wall(p, h, p->next_port++, DISCARD);
			n++;
		}
	}
	return n;
}

static uint64_t stopped(const struct prove *p)
{
	uint64_t n = 0;
	return guard_read(p, &n) == 0 ? n : 0;
}

void case_steer(struct prove *p)
{
	const struct addr *some = &p->own->public;
	if (!p->real) {
		run_skip(p, "the lab is no real wire");
		return;
	}
	p->inbound = true; /* none is the wall's to judge */
	uint64_t before = stopped(p);
	uint32_t may = what_may(p);
	run_settle(p);
	uint64_t passed = stopped(p) - before;
	strangers(p);
	for (uint32_t i = 1; i + 1 < p->conf->n_ports; i++) {
		const struct prove_port *g = &p->conf->ports[i];
		const struct addr *const all[] = {&g->public, &g->public6};
		if (g->public.ver != 0)
			some = &g->public;
		for (size_t k = 0; k < ARRAY_LEN(all) && is_shared(p, i); k++) {
			if (all[k]->ver == 0)
				continue;
			kept_ports(p, all[k]);
			hosts_own(p, all[k]);
		}
	}
	other_kinds(p, some);
	run_settle(p);
	run_expect(p, may, may);
	run_row(p)->arrived = (uint32_t)(stopped(p) - before);
	if (passed > may || run_row(p)->arrived > may)
		text_copy(run_row(p)->note, sizeof(run_row(p)->note),
			  "the fence let more than guests' own through; the guard stopped it");
	if (may == 0)
		run_skip(p, "no guest has an address of its own out there");
}
