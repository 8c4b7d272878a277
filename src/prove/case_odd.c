/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames that are not what they should be. */
#include "prove/prove_priv.h"
#include "sys/sys.h"

#include <string.h>

#define DHCP_BYTES 240u

/* ---- below IP -------------------------------------------------------------------------------------- */

static void raw(struct prove *p, const struct head *h, uint16_t kind, const uint8_t *lead,
		uint32_t len)
{
	wire_raw(p, h, kind, lead, len);
	wire_send(p);
}

void case_ethertype(struct prove *p)
{
	static const uint16_t kinds[] = {0x8863, 0x8864, 0x88cc, 0x888e, 0x8847, 0x8848,
					 0x9000, 0x0842, 0x22f0, 0x88f7, 0x8906, 0x8100,
					 0x88e5, 0x0805, 0x6003, 0x809b, 0xffff, 0x0600};
	static const uint8_t stp[] = {0x42, 0x42, 3};
	static const struct mac bridges = {{0x01, 0x80, 0xc2, 0, 0, 0}};
	struct head h = case_head(p, &p->target);
	const struct prove_port *g = case_guest(p, false);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		raw(p, &h, kinds[i], NULL, 0);
	for (unsigned i = 0; i < 16; i++) {
		uint16_t kind;
		random_fill(&kind, sizeof(kind));
		if (kind > 0x600 && kind != 0x800 && kind != 0x806 && kind != 0x86dd)
			raw(p, &h, kind, NULL, 0);
	}
	if (g != NULL)
		h.to_mac = g->mac;
	raw(p, &h, 0x88cc, NULL, 0);
	h.to_mac = bridges;
	raw(p, &h, 38, stp, sizeof(stp));
	raw(p, &h, 0x88cc, NULL, 0);
}

void case_vlan(struct prove *p)
{
	static const struct {
		unsigned n;
		uint16_t tags[3], kind;
	} rows[] = {{1, {7, 0, 0}, 0x8100}, {1, {0, 0, 0}, 0x8100},     {1, {4095, 0, 0}, 0x8100},
		    {2, {1, 7, 0}, 0x8100}, {2, {1, 7, 0}, 0x88a8},     {1, {7, 0, 0}, 0x88a8},
		    {3, {1, 2, 3}, 0x8100}, {1, {0xe001, 0, 0}, 0x8100}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int v6 = 0; v6 < 2; v6++) {
			struct head h = case_head(p, v6 ? &p->target6 : &p->target);
			h.n_tags = rows[i].n;
			h.tag_kind = rows[i].kind;
			memcpy(h.tags, rows[i].tags, sizeof(h.tags));
			if (h.from.ver != 0)
				case_udp(p, h);
		}
}

static void arp(struct prove *p, uint16_t op, const struct mac *sha, const struct addr *spa,
		const struct mac *to, const struct addr *tpa)
{
	static const struct mac broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	struct head h = case_head(p, &p->target);
	uint8_t b[28] = {0, 1, 8, 0, 6, 4};
	store_be16(b + 6, op);
	memcpy(b + 8, sha->b, 6);
	memcpy(b + 14, spa->b, 4);
	memcpy(b + 24, tpa->b, 4);
	h.to_mac = to != NULL ? *to : broadcast;
	raw(p, &h, 0x0806, b, sizeof(b));
}

static void nd(struct prove *p, struct head h, uint8_t type, uint32_t rest,
	       const struct addr *target)
{
	static const struct mac all = {{0x33, 0x33, 0, 0, 0, 1}};
	uint8_t b[16 + 8 + 8 + PROVE_MARK] = {0};
	uint32_t n = 0;
	if (type == 134)
		n = 8; /* reachable and retransmission times */
	else if (target != NULL && target->ver == 6)
		memcpy(b, target->b, (n = 16));
	b[n] = type == 135 ? 1 : 2; /* link-layer address */
	b[n + 1] = 1;
	memcpy(b + n + 2, p->own->mac.b, 6);
	b[n + 8] = 253; /* an option nobody knows, around the mark */
	b[n + 9] = 4;
	wire_mark(p, b + n + 16);
	h.ttl = 255;
	if (h.to.b[0] == 0xff)
		h.to_mac = all;
	frame_icmp(&p->pkt, &h, type, 0, rest, b, n + 16 + PROVE_MARK);
	wire_send(p);
}

static void dhcp(struct prove *p, const char *from, const char *to, uint16_t sport, uint16_t dport)
{
	static const struct mac broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	uint8_t b[DHCP_BYTES + PROVE_MARK] = {(uint8_t)(sport == 67 ? 2 : 1), 1, 6};
	struct addr a = case_addr(to);
	struct head h = case_head(p, &a);
	if (from != NULL)
		h.from = case_addr(from);
	h.to_mac = broadcast;
	wire_mark(p, b + DHCP_BYTES);
	frame_udp(&p->pkt, &h, sport, dport, b, sizeof(b));
	wire_send(p);
}

void case_neigh(struct prove *p)
{
	const struct conf_network *n = &p->c->network;
	struct addr all = case_addr("ff02::1"), router = case_addr("fe80::1");
	struct addr own_link = case_addr("fe80::5054:ff:fe99:1");
	const struct prove_port *g = case_guest(p, false);
	arp(p, 2, &p->own->mac, &n->gateway, NULL, &n->gateway);
	arp(p, 1, &p->own->mac, &n->gateway, NULL, &n->gateway);
	/* what it may ask; but with nothing of its own in it, should that go out (mode bridge) */
	arp(p, 1, &p->own->mac, &p->own->inside, NULL, &n->gateway);
	arp(p, 1, &p->gate[0], &p->own->inside, NULL, &p->own->inside);
	for (uint32_t i = 1; i + 1 < p->conf->n_ports; i++) {
		const struct prove_port *o = &p->conf->ports[i];
		arp(p, 2, &p->own->mac, &o->inside, NULL, &o->inside);
		arp(p, 2, &p->own->mac, &n->gateway, &o->mac, &o->inside);
		arp(p, 1, &p->own->mac, &p->own->inside, &o->mac, &o->inside);
	}
	if (p->own->inside6.ver != 0) {
		struct head h = case_head(p, &all);
		nd(p, h, 136, 0x60000000, g != NULL ? &g->inside6 : &n->gateway6);
		nd(p, h, 136, 0xe0000000, &n->gateway6);
		nd(p, h, 135, 0, &n->gateway6);
		h.from = router;
		nd(p, h, 134, 0x40c00708, NULL);
		h.from = own_link;
		nd(p, h, 134, 0x40c00708, NULL);
		nd(p, h, 133, 0, NULL);
		if (g != NULL && g->inside6.ver != 0) {
			h = case_head(p, &g->inside6);
			h.to_mac = g->mac;
			nd(p, h, 136, 0x60000000, &n->gateway6);
			h.from = router;
			nd(p, h, 137, 0, &own_link);
		}
	}
	dhcp(p, "0.0.0.0", "255.255.255.255", 68, 67);
	dhcp(p, NULL, "255.255.255.255", 67, 68);
	if (p->own->inside6.ver != 0)
		dhcp(p, "fe80::5054:ff:fe99:1", "ff02::1:2", 546, 547);
}

void case_oversize(struct prove *p)
{
	static const uint32_t sizes[] = {1501, 2000, 4000, 8000};
	char why[128];
	struct head h = case_head(p, &p->target);
	uint8_t data[8000] = {0};
	if (link_batch(p->own_ns, "link set eth0 mtu 9000\n", why, sizeof(why)) != 0) {
		run_skip(p, "the port can't be made to send long frames");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		wire_mark(p, data);
		frame_udp(&p->pkt, &h, p->fence_port, 9, data, sizes[i]);
		wire_send(p);
	}
	run_settle(p);
	if (link_batch(p->own_ns, "link set eth0 mtu 1500\n", why, sizeof(why)) != 0)
		log_line(LOG_WARN, "eth0 keeps its long frames: %s", why);
}

/* ---- IP ------------------------------------------------------------------------------------------- */

void case_ttl(struct prove *p)
{
	for (int v6 = 0; v6 < 2; v6++)
		for (uint8_t ttl = 0; ttl < 2; ttl++) {
			struct head h = case_head(p, v6 ? &p->target6 : &p->target);
			h.ttl = ttl;
			if (h.from.ver == 0)
				continue;
			case_udp(p, h);
			case_syn(p, h, 80);
		}
}

static void optioned(struct prove *p, const struct addr *to, const uint8_t *options, unsigned n,
		     uint8_t next)
{
	struct head h = case_head(p, to);
	h.options = options;
	h.n_options = n;
	h.next = next;
	if (h.from.ver != 0)
		case_udp(p, h);
}

static void mangled(struct prove *p, uint32_t at, uint8_t value)
{
	uint8_t mark[PROVE_MARK];
	struct head h = case_head(p, &p->target);
	wire_mark(p, mark);
	frame_udp(&p->pkt, &h, p->next_port++, 9, mark, sizeof(mark));
	p->pkt.b[at] = value;
	store_be16(p->pkt.b + 24, 0); /* the header's checksum is right all the same */
	store_be16(p->pkt.b + 24, (uint16_t)~packet_sum(p->pkt.b + 14, 20, 0));
	wire_send(p);
}

void case_malformed(struct prove *p)
{
	static const uint8_t lsrr[] = {0x83, 7, 4, 10, 0, 0, 1, 0},
			     ssrr[] = {0x89, 7, 4, 10, 0, 0, 1, 0};
	static const uint8_t record[] = {7, 7, 4, 0, 0, 0, 0, 0},
			     stamp[] = {0x44, 8, 5, 0, 0, 0, 0, 0};
	static const uint8_t routing[24] = {17, 2, 0, 1}, hop[8] = {17, 0, 1, 4},
			     dest[8] = {17, 0, 1, 4};
	static const uint8_t flags[] = {0, TCP_SYN | TCP_FIN, TCP_SYN | TCP_RST,
					TCP_FIN | TCP_PSH | TCP_URG, 0x3f};
	const uint8_t *const v4[] = {lsrr, ssrr, record, stamp};
	for (size_t i = 0; i < ARRAY_LEN(v4); i++)
		optioned(p, &p->target, v4[i], 8, 0);
	optioned(p, &p->target6, routing, sizeof(routing), 43);
	optioned(p, &p->target6, hop, sizeof(hop), 0);
	uint8_t many[80];
	for (unsigned i = 0; i < sizeof(many); i += sizeof(dest)) {
		memcpy(many + i, dest, sizeof(dest));
		many[i] = i + sizeof(dest) < sizeof(many) ? 60 : 17;
	}
	optioned(p, &p->target6, many, sizeof(many), 60);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		case_flags(p, case_head(p, &p->target), flags[i], 80);
		if (p->own->inside6.ver != 0)
			case_flags(p, case_head(p, &p->target6), flags[i], 80);
	}
	mangled(p, 14, 0x55);      /* version 5 */
	mangled(p, 14, 0x41);      /* a header of four bytes */
	mangled(p, 16, 0x05);      /* longer than it is */
	mangled(p, 14 + 24, 0x7f); /* UDP longer than its packet */
}

void case_checksum(struct prove *p)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct head h = case_head(p, v6 ? &p->target6 : &p->target);
		if (h.from.ver == 0)
			continue;
		h.bad_l4_sum = true;
		case_udp(p, h);
		case_syn(p, h, 80);
		case_ping(p, h);
	}
	struct head h = case_head(p, &p->target);
	h.bad_ip_sum = true;
	case_udp(p, h);
	case_syn(p, h, 80);
}

/* ---- states and types -------------------------------------------------------------------------- */

void case_tcp_state(struct prove *p)
{
	static const uint8_t flags[] = {TCP_ACK,           TCP_RST,           TCP_FIN,
					TCP_FIN | TCP_ACK, TCP_RST | TCP_ACK, TCP_SYN | TCP_ACK,
					TCP_PSH | TCP_ACK};
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		case_flags(p, case_head(p, &p->target), flags[i], 80);
		if (p->own->inside6.ver != 0)
			case_flags(p, case_head(p, &p->target6), flags[i], 80);
	}
	/* data where nobody shook hands */
	uint8_t mark[PROVE_MARK];
	struct head h = case_head(p, &p->target);
	struct tcp_head t = {.sport = p->next_port++,
			     .dport = 80,
			     .seq = 77,
			     .ack = 1,
			     .flags = TCP_PSH | TCP_ACK};
	wire_mark(p, mark);
	frame_tcp(&p->pkt, &h, &t, mark, sizeof(mark));
	wire_send(p);
}

static void icmp(struct prove *p, const struct addr *to, uint8_t type, uint8_t code)
{
	uint8_t b[40 + PROVE_MARK] = {0};
	struct head h = case_head(p, to);
	if (h.from.ver == 0)
		return;
	wire_mark(p, b + 40);
	frame_icmp(&p->pkt, &h, type, code, (uint32_t)p->next_port++ << 16, b, sizeof(b));
	wire_send(p);
}

void case_icmp_type(struct prove *p)
{
	static const uint8_t v4[] = {0,  5,  9,  10, 13,  14, 15, 16, 17, 18,
				     30, 37, 40, 42, 253, 3,  4,  11, 12};
	static const uint8_t v6[] = {129, 127, 138, 139, 140, 144, 145, 147,
				     148, 151, 155, 200, 1,   2,   3,   4};
	for (size_t i = 0; i < ARRAY_LEN(v4); i++)
		icmp(p, &p->target, v4[i], 0);
	for (size_t i = 0; i < ARRAY_LEN(v6); i++)
		icmp(p, &p->target6, v6[i], 0);
}

/* ---- fragments ------------------------------------------------------------------------------------- */

struct piece {
	uint16_t at; /* bytes */
	uint16_t len;
	bool more, quiet; /* quiet: may pass, and goes before */
};

/* One datagram of marked units, cut as the pieces say. */
static void pieces(struct prove *p, const struct addr *to, uint8_t proto, const struct piece *list,
		   size_t n)
{
	struct head h = case_head(p, to);
	if (h.from.ver == 0)
		return;
	h.id = (uint16_t)p->next_port++;
	h.proto = proto;
	for (size_t i = 0; i < n; i++) {
		uint8_t b[256] = {0};
		if (list[i].at == 0 && proto == PROVE_UDP) {
			frame_udp_part(b, &h, p->next_port, 9, NULL, 0);
			store_be16(b + 4, 8 + 160);
		} else if (list[i].at == 0) {
			struct tcp_head t = {.sport = p->next_port, .dport = 80, .flags = TCP_SYN};
			t.seq = list[i].quiet ? 99 : wire_seq(p);
			frame_tcp_part(b, &h, &t, NULL, 0);
		}
		if (!list[i].quiet && (list[i].at != 0 || list[i].len > 20 + PROVE_MARK))
			wire_mark(p, b + (list[i].at == 0 ? list[i].len - PROVE_MARK : 0));
		h.frag = (uint16_t)(list[i].at / 8 | (list[i].more ? 0x2000 : 0));
		frame_ip(&p->pkt, &h, b, list[i].len);
		if (list[i].quiet)
			wire_send_quietly(p);
		else
			wire_send(p);
	}
	p->next_port++;
}

void case_fragment(struct prove *p)
{
	static const struct piece lone[] = {{80, 48, true, false}};
	static const struct piece lone_last[] = {{80, 48, false, false}};
	static const struct piece tiny[] = {{0, 8, true, false}};
	static const struct piece tiny16[] = {{0, 16, true, false}, {16, 32, false, false}};
	static const struct piece reversed[] = {{64, 48, false, false}, {32, 32, true, false}};
	static const struct piece overlap[] = {
		{0, 64, true, true}, {32, 64, true, false}, {40, 32, false, false}};
	static const struct piece hidden[] = {{0, 64, true, true}, {8, 48, true, false}};
	const struct addr *const to[] = {&p->target, &p->target6};
	for (size_t v = 0; v < ARRAY_LEN(to); v++) {
		pieces(p, to[v], PROVE_UDP, lone, ARRAY_LEN(lone));
		pieces(p, to[v], PROVE_TCP, lone, ARRAY_LEN(lone));
		pieces(p, to[v], PROVE_UDP, lone_last, ARRAY_LEN(lone_last));
		pieces(p, to[v], PROVE_TCP, tiny, ARRAY_LEN(tiny));
		pieces(p, to[v], PROVE_TCP, tiny16, ARRAY_LEN(tiny16));
		pieces(p, to[v], PROVE_UDP, reversed, ARRAY_LEN(reversed));
		pieces(p, to[v], PROVE_UDP, overlap, ARRAY_LEN(overlap));
		pieces(p, to[v], PROVE_UDP, hidden, ARRAY_LEN(hidden));
	}
}
