/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frame by frame: whose is it? Every sentence of steer.h has its rows. Needs root and a kernel that takes
 * the programs; skips (77) without.
 */
#include "steer/kernel.h"
#include "steer_bed.h"

#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define V4(last) "10.0.0." #last
#define V6(last) "2001:db8::" #last

struct ends { /* of either version */
	const char *net, *host, *alias, *stranger;
	uint8_t icmp, echo, echo_reply, error;
};

static const struct ends both[] = {
	{"192.0.2.7", "10.0.0.1", "10.0.0.9", "10.0.0.77", 1, 8, 0, 3},
	{"2001:db8:7::7", "2001:db8::1", "2001:db8::9", "2001:db8::77", 58, 128, 129, 1},
};

static struct bed *open_bed(void **state, enum steer_form form)
{
	struct bed *b = *state;
	bed_open(b, form);
	return b;
}

static enum fate in(struct bed *b, struct shape s)
{
	return bed_send(b, WAY_IN, &s);
}

static enum fate out(struct bed *b, struct shape s)
{
	return bed_send(b, WAY_OUT, &s);
}

static enum fate host(struct bed *b, struct shape s)
{
	return bed_send(b, WAY_HOST, &s);
}

/* A TCP segment or UDP datagram. */
static struct shape talk(uint8_t proto, const char *src, uint16_t sport, const char *dst,
			 uint16_t dport)
{
	return (struct shape){
		.src = src, .dst = dst, .proto = proto, .sport = sport, .dport = dport};
}

static struct shape icmp(const struct ends *e, const char *src, const char *dst, uint8_t type,
			 uint16_t id)
{
	return (struct shape){.src = src, .dst = dst, .proto = e->icmp, .type = type, .dport = id};
}

/* ---- aliases --------------------------------------------------------------------------------------- */

static void test_alias_has_all(void **state)
{
	struct bed *b = open_bed(state, STEER_NAT);
	for (unsigned v = 0; v < 2; v++) {
		const struct ends *e = &both[v];
		assert_int_equal(in(b, talk(6, e->net, 999, e->alias, 22)), TO_WALL);
		assert_true(bed_arrived(b, LINK_WALL));
		assert_int_equal(in(b, talk(17, e->net, 999, e->alias, 123)), TO_WALL);
		assert_int_equal(in(b, icmp(e, e->net, e->alias, e->echo, 1)), TO_WALL);
		assert_int_equal(in(b, icmp(e, e->net, e->alias, e->echo_reply, 1)), TO_WALL);
		struct shape s = talk(50, e->net, 0, e->alias, 0);
		assert_int_equal(in(b, s), TO_WALL);
		s = talk(17, e->net, 999, e->alias, 53);
		s.offset = 800;
		assert_int_equal(in(b, s), TO_WALL);
		s.offset = 0;
		s.cut = 6;
		assert_int_equal(in(b, s), TO_WALL);
		assert_int_equal(in(b, talk(6, e->net, 999, e->stranger, 80)), TO_HOST);
		assert_true(bed_stayed_away(b, LINK_WALL));
		/* with a link address that is not ours it is not to us */
		s = talk(6, e->net, 999, e->alias, 80);
		s.to = (struct mac){ODD_MAC};
		assert_int_equal(in(b, s), TO_HOST);
	}
}

static void test_alias_is_asked_for(void **state)
{
	struct bed *b = open_bed(state, STEER_NAT);
	struct shape arp = {.src = V4(2), .dst = V4(9), .arp = 1, .arp_mac = {NET_MAC}};
	arp.to = (struct mac){{255, 255, 255, 255, 255, 255}};
	assert_int_equal(in(b, arp), TO_WALL);
	assert_true(bed_arrived(b, LINK_WALL));
	arp.dst = V4(1);
	assert_int_equal(in(b, arp), TO_HOST);
	arp.dst = V4(77);
	assert_int_equal(in(b, arp), TO_HOST);
	arp.dst = V4(9);
	arp.cut = 2;
	assert_int_equal(in(b, arp), TO_HOST);

	struct shape ns = {
		.src = V6(2), .dst = "ff02::1:ff00:9", .proto = 58, .type = 135, .target = V6(9)};
	ns.to = (struct mac){{0x33, 0x33, 0xff, 0, 0, 9}};
	assert_int_equal(in(b, ns), TO_WALL);
	ns.target = V6(1);
	assert_int_equal(in(b, ns), TO_HOST);
	ns.target = V6(9);
	ns.dst = V6(9);
	assert_int_equal(in(b, ns), TO_WALL);
	ns.target = V6(1);
	ns.dst = V6(1);
	assert_int_equal(in(b, ns), TO_HOST);
	ns.target = V6(77);
	ns.dst = "ff02::1:ff00:77";
	assert_int_equal(in(b, ns), TO_HOST);
}

/* ---- shared addresses ------------------------------------------------------------------------------- */

static void test_shared_ports(void **state)
{
	struct bed *b = open_bed(state, STEER_NAT);
	for (unsigned v = 0; v < 2; v++) {
		const struct ends *e = &both[v];
		assert_int_equal(in(b, talk(6, e->net, 999, e->host, 80)), TO_WALL);
		assert_true(bed_arrived(b, LINK_WALL));
		assert_int_equal(in(b, talk(6, e->net, 999, e->host, 22)), TO_HOST);
		assert_int_equal(in(b, talk(17, e->net, 999, e->host, 22)), TO_WALL);
		assert_int_equal(in(b, talk(17, e->net, 999, e->host, 123)), TO_HOST);
		assert_int_equal(in(b, talk(6, e->net, 999, e->host, 123)), TO_WALL);
		/* a kept port is one of here, not of there */
		assert_int_equal(in(b, talk(6, e->net, 22, e->host, 999)), TO_WALL);
		assert_int_equal(in(b, icmp(e, e->net, e->host, e->echo, 7)), TO_WALL);
		assert_int_equal(in(b, icmp(e, e->net, e->host, e->echo_reply, 7)), TO_WALL);
		assert_int_equal(in(b, talk(132, e->net, 0, e->host, 0)), TO_WALL);
		struct shape s = talk(6, e->net, 999, e->host, 80);
		s.cut = 18; /* no ports any more */
		assert_int_equal(in(b, s), TO_HOST);
	}
}

static void test_shared_leaves_the_link_alone(void **state)
{
	struct bed *b = open_bed(state, STEER_NAT);
	assert_int_equal(in(b, talk(17, "10.0.0.2", 67, V4(1), 68)), TO_HOST);
	assert_int_equal(in(b, talk(17, "10.0.0.2", 68, V4(1), 67)), TO_HOST);
	assert_int_equal(in(b, talk(17, V6(2), 547, V6(1), 546)), TO_HOST);
	assert_int_equal(in(b, talk(17, V6(2), 546, V6(1), 547)), TO_HOST);
	/* numbers of the other version mean nothing */
	assert_int_equal(in(b, talk(17, "10.0.0.2", 1, V4(1), 546)), TO_WALL);
	assert_int_equal(in(b, talk(17, V6(2), 1, V6(1), 68)), TO_WALL);
	static const uint8_t link6[] = {130, 131, 132, 133, 134, 135, 136, 137, 143};
	for (size_t i = 0; i < ARRAY_LEN(link6); i++) {
		struct shape s = {
			.src = V6(2), .dst = V6(1), .proto = 58, .type = link6[i], .target = V6(1)};
		assert_int_equal(in(b, s), TO_HOST);
	}
	assert_int_equal(in(b, icmp(&both[0], V4(2), V4(1), 9, 0)), TO_HOST);
	assert_int_equal(in(b, talk(2, V4(2), 0, V4(1), 0)), TO_HOST);
	/* by multicast and broadcast nothing is ours */
	assert_int_equal(in(b, talk(17, V4(2), 5353, "224.0.0.251", 5353)), TO_HOST);
	assert_int_equal(in(b, talk(17, V4(2), 999, "255.255.255.255", 80)), TO_HOST);
	assert_int_equal(in(b, talk(17, V6(2), 5353, "ff02::fb", 5353)), TO_HOST);
	/* nor what is tagged, or no IP at all */
	struct shape s = talk(6, V4(2), 999, V4(9), 80);
	s.tagged = true;
	assert_int_equal(in(b, s), TO_HOST);
	s.tagged = false;
	s.ethertype = 0x88cc;
	assert_int_equal(in(b, s), TO_HOST);
	s.ethertype = 0x86dd; /* and a version 4 inside */
	assert_int_equal(in(b, s), TO_HOST);
}

static void test_host_begins(void **state)
{
	static const uint8_t protos[] = {6, 17};
	struct bed *b = open_bed(state, STEER_NAT);
	for (unsigned i = 0; i < 4; i++) {
		const struct ends *e = &both[i / 2];
		uint8_t p = protos[i % 2];
		assert_int_equal(in(b, talk(p, e->net, 443, e->host, 40000)), TO_WALL);
		assert_int_equal(host(b, talk(p, e->host, 40000, e->net, 443)), HOST_SENT);
		assert_true(bed_arrived(b, LINK_NET));
		assert_int_equal(in(b, talk(p, e->net, 443, e->host, 40000)), TO_HOST);
		assert_int_equal(in(b, talk(p, e->net, 444, e->host, 40000)), TO_WALL);
		assert_int_equal(in(b, talk(p, e->net, 443, e->host, 40001)), TO_WALL);
		assert_int_equal(in(b, talk(p, e->stranger, 443, e->host, 40000)), TO_WALL);
		if (p == 6)
			assert_int_equal(in(b, talk(17, e->net, 443, e->host, 40000)), TO_WALL);
		/* from another address it is no conversation that could be taken for a guest's */
		assert_int_equal(host(b, talk(p, e->stranger, 5000, e->net, 443)), HOST_SENT);
		assert_int_equal(in(b, talk(p, e->net, 443, e->stranger, 5000)), TO_HOST);
		struct steer_plan more = b->plan;
		more.shared[more.n_shared++] = bed_addr(e->stranger);
		assert_int_equal(steer_change(b->s, &more), 0);
		assert_int_equal(in(b, talk(p, e->net, 443, e->stranger, 5000)), TO_WALL);
		assert_int_equal(steer_change(b->s, &b->plan), 0);
	}
}

static void test_host_begins_other_things(void **state)
{
	struct bed *b = open_bed(state, STEER_NAT);
	for (unsigned v = 0; v < 2; v++) {
		const struct ends *e = &both[v];
		assert_int_equal(host(b, icmp(e, e->host, e->net, e->echo, 77)), HOST_SENT);
		assert_int_equal(in(b, icmp(e, e->net, e->host, e->echo_reply, 77)), TO_HOST);
		assert_int_equal(in(b, icmp(e, e->net, e->host, e->echo_reply, 78)), TO_WALL);
		assert_int_equal(in(b, icmp(e, e->net, e->host, e->echo, 77)), TO_WALL);
		assert_int_equal(host(b, talk(132, e->host, 0, e->net, 0)), HOST_SENT);
		assert_int_equal(in(b, talk(132, e->net, 0, e->host, 0)), TO_HOST);
		assert_int_equal(in(b, talk(136, e->net, 0, e->host, 0)), TO_WALL);
		assert_int_equal(in(b, talk(132, e->stranger, 0, e->host, 0)), TO_WALL);
		/* an answer begins nothing, nor does a reset */
		assert_int_equal(host(b, icmp(e, e->host, e->net, e->echo_reply, 5)), HOST_SENT);
		assert_int_equal(in(b, icmp(e, e->net, e->host, e->echo_reply, 5)), TO_WALL);
		struct shape s = talk(6, e->host, 6000, e->net, 443);
		s.flags = 4;
		assert_int_equal(host(b, s), HOST_SENT);
		assert_int_equal(in(b, talk(6, e->net, 443, e->host, 6000)), TO_WALL);
	}
}

/* What leaves from a kept port is not remembered: the port alone decides, now and later. */
static void test_kept_is_not_remembered(void **state)
{
	struct bed *b = open_bed(state, STEER_NAT);
	struct steer_plan without = b->plan;
	without.n_kept = 0;
	for (unsigned v = 0; v < 2; v++) {
		const struct ends *e = &both[v];
		assert_int_equal(host(b, talk(6, e->host, 22, e->net, 5555)), HOST_SENT);
		assert_int_equal(in(b, talk(6, e->net, 5555, e->host, 22)), TO_HOST);
		assert_int_equal(steer_change(b->s, &without), 0);
		assert_int_equal(in(b, talk(6, e->net, 5555, e->host, 22)), TO_WALL);
		assert_int_equal(steer_change(b->s, &b->plan), 0);
		assert_int_equal(in(b, talk(6, e->net, 5555, e->host, 22)), TO_HOST);
	}
}

static void test_flows_open_at_the_start(void **state)
{
	struct bed *b = *state;
	char why[256];
	bed_close(b);
	for (unsigned v = 0; v < 2; v++) {
		const struct ends *e = &both[v];
		struct steer_flow f = {.proto = 6,
				       .local = bed_addr(e->host),
				       .remote = bed_addr(e->net),
				       .local_port = 2222,
				       .remote_port = 50000};
		assert_int_equal(steer_open(STEER_NAT, "up0", "sk0", &b->plan, &f, 1, &b->s, why,
					    sizeof(why)),
				 0);
		steer_beat(b->s, clock_boot_ns());
		assert_int_equal(in(b, talk(6, e->net, 50000, e->host, 2222)), TO_HOST);
		assert_int_equal(in(b, talk(6, e->net, 50001, e->host, 2222)), TO_WALL);
		bed_close(b);
	}
}

/* ---- errors ------------------------------------------------------------------------------------------ */

static enum fate in_error(struct bed *b, const struct ends *e, uint8_t type, struct shape about)
{
	struct shape s = icmp(e, e->stranger, e->host, type, 0);
	s.quote = &about;
	return in(b, s);
}

static void test_errors_go_by_what_they_quote(void **state)
{
	static const uint8_t types[2][5] = {{3, 4, 5, 11, 12}, {1, 2, 3, 4, 4}};
	struct bed *b = open_bed(state, STEER_NAT);
	for (unsigned v = 0; v < 2; v++) {
		const struct ends *e = &both[v];
		assert_int_equal(host(b, talk(6, e->host, 40000, e->net, 443)), HOST_SENT);
		assert_int_equal(host(b, talk(17, e->host, 40000, e->net, 53)), HOST_SENT);
		assert_int_equal(host(b, icmp(e, e->host, e->net, e->echo, 99)), HOST_SENT);
		for (unsigned i = 0; i < 5; i++) {
			uint8_t t = types[v][i];
			struct shape s = talk(6, e->host, 40000, e->net, 443);
			s.cut = 12; /* eight bytes are enough */
			assert_int_equal(in_error(b, e, t, s), TO_HOST);
			s = talk(17, e->host, 40000, e->net, 53);
			assert_int_equal(in_error(b, e, t, s), TO_HOST);
			s = talk(6, e->host, 22, e->net, 5555);
			assert_int_equal(in_error(b, e, t, s), TO_HOST);
			s = talk(17, e->host, 33333, e->net, 33434);
			assert_int_equal(in_error(b, e, t, s), TO_WALL);
			s = talk(6, e->host, 80, e->net, 5555);
			assert_int_equal(in_error(b, e, t, s), TO_WALL);
			s = icmp(e, e->host, e->net, e->echo, 99);
			assert_int_equal(in_error(b, e, t, s), TO_HOST);
			s = icmp(e, e->host, e->net, e->echo, 98);
			assert_int_equal(in_error(b, e, t, s), TO_WALL);
		}
		/* that quotes half a packet */
		struct shape half = talk(6, e->host, 22, e->net, 5555);
		struct shape s = icmp(e, e->stranger, e->host, e->error, 0);
		s.quote = &half;
		s.cut = 18;
		assert_int_equal(in(b, s), TO_WALL);
	}
}

/* ---- fragments, extension headers ---------------------------------------------------------------- */

static void test_fragments_follow_their_first(void **state)
{
	struct bed *b = open_bed(state, STEER_NAT);
	for (unsigned v = 0; v < 2; v++) {
		const struct ends *e = &both[v];
		struct shape first = talk(17, e->net, 999, e->host, 123);
		first.more = true;
		first.id = 1000;
		struct shape later = first;
		later.offset = 1480;
		assert_int_equal(in(b, later), TO_WALL); /* of what nobody knows */
		assert_int_equal(in(b, first), TO_HOST);
		assert_int_equal(in(b, later), TO_HOST);
		later.id = 1001;
		assert_int_equal(in(b, later), TO_WALL);
		later.id = 1000;
		later.src = e->stranger;
		assert_int_equal(in(b, later), TO_WALL);
		later.src = e->net;
		/* the same number again, to another port */
		first.dport = 80;
		assert_int_equal(in(b, first), TO_WALL);
		assert_int_equal(in(b, later), TO_WALL);
		later.more = false;
		assert_int_equal(in(b, later), TO_WALL);
	}
}

static void test_extension_headers(void **state)
{
	struct bed *b = open_bed(state, STEER_NAT);
	for (unsigned n = 0; n <= 9; n++) {
		struct shape s = talk(6, both[1].net, 999, V6(1), 22);
		s.extensions = n;
		assert_int_equal(in(b, s), TO_HOST);
		s.dport = 80;
		/* too many of them: nobody can tell, so it is the host's */
		assert_int_equal(in(b, s), n <= 8 ? TO_WALL : TO_HOST);
		s.dst = V6(9);
		assert_int_equal(in(b, s), TO_WALL);
		s.src = V6(9);
		s.dst = both[1].net;
		assert_int_equal(out(b, s), n <= 8 ? SENT : FENCED);
	}
}

/* ---- the second fence ------------------------------------------------------------------------------ */

static void test_fence_addresses(void **state)
{
	struct bed *b = open_bed(state, STEER_NAT);
	for (unsigned v = 0; v < 2; v++) {
		const struct ends *e = &both[v];
		assert_int_equal(out(b, talk(6, e->alias, 22, e->net, 999)), SENT);
		assert_true(bed_arrived(b, LINK_NET));
		assert_int_equal(out(b, talk(6, e->stranger, 22, e->net, 999)), FENCED);
		assert_true(bed_stayed_away(b, LINK_NET));
		assert_int_equal(out(b, talk(6, e->net, 22, e->net, 999)), FENCED);
		struct shape s = talk(6, e->alias, 22, e->net, 999);
		s.from = (struct mac){ODD_MAC};
		assert_int_equal(out(b, s), FENCED);
		s = talk(6, e->alias, 22, e->net, 999);
		s.tagged = true;
		assert_int_equal(out(b, s), FENCED);
		s.tagged = false;
		s.ethertype = 0x88cc;
		assert_int_equal(out(b, s), FENCED);
		s.ethertype = 0;
		s.cut = 18;
		assert_int_equal(out(b, s), FENCED);
	}
}

static void test_fence_host(void **state)
{
	struct bed *b = open_bed(state, STEER_NAT);
	for (unsigned v = 0; v < 2; v++) {
		const struct ends *e = &both[v];
		assert_int_equal(out(b, talk(6, e->host, 80, e->net, 999)), SENT);
		assert_int_equal(out(b, talk(6, e->host, 22, e->net, 999)), FENCED);
		assert_int_equal(out(b, talk(17, e->host, 123, e->net, 999)), FENCED);
		assert_int_equal(out(b, talk(17, e->host, v ? 546 : 68, e->net, 67)), FENCED);
		assert_int_equal(out(b, talk(6, e->host, 41000, e->net, 443)), SENT);
		assert_int_equal(host(b, talk(6, e->host, 41000, e->net, 443)), HOST_SENT);
		assert_int_equal(out(b, talk(6, e->host, 41000, e->net, 443)), FENCED);
		assert_int_equal(out(b, talk(6, e->host, 41000, e->net, 80)), SENT);
		assert_int_equal(out(b, icmp(e, e->host, e->net, e->echo_reply, 3)), SENT);
		assert_int_equal(out(b, icmp(e, e->host, e->net, e->echo, 3)), SENT);
		assert_int_equal(host(b, icmp(e, e->host, e->net, e->echo, 3)), HOST_SENT);
		assert_int_equal(out(b, icmp(e, e->host, e->net, e->echo, 3)), FENCED);
		assert_int_equal(out(b, icmp(e, e->host, e->net, e->echo_reply, 3)), SENT);
		assert_int_equal(out(b, talk(132, e->host, 0, e->net, 0)), SENT);
		assert_int_equal(host(b, talk(132, e->host, 0, e->net, 0)), HOST_SENT);
		assert_int_equal(out(b, talk(132, e->host, 0, e->net, 0)), FENCED);
		/* errors: about what came to the wall, and no other */
		struct shape about = talk(6, e->net, 999, e->host, 80);
		struct shape s = icmp(e, e->host, e->net, e->error, 0);
		s.quote = &about;
		assert_int_equal(out(b, s), SENT);
		about.dport = 22;
		assert_int_equal(out(b, s), FENCED);
		about = talk(6, e->net, 443, e->host, 41000);
		assert_int_equal(out(b, s), FENCED);
		/* nor about what can't be told */
		about = talk(17, e->net, 999, e->host, 80);
		about.offset = 800;
		assert_int_equal(out(b, s), FENCED);
	}
}

/* A tunnel is the host's whoever speaks first: an operator may come by it. */
static void test_tunnels_are_the_hosts(void **state)
{
	static const uint8_t tunnels[] = {4, 41, 47, 50, 97, 115};
	struct bed *b = open_bed(state, STEER_NAT);
	for (unsigned i = 0; i < 2 * ARRAY_LEN(tunnels); i++) {
		const struct ends *e = &both[i % 2];
		uint8_t p = tunnels[i / 2];
		assert_int_equal(in(b, talk(p, e->net, 0, e->host, 0)), TO_HOST);
		assert_int_equal(in(b, talk(p, e->net, 0, e->alias, 0)), TO_WALL);
		assert_int_equal(out(b, talk(p, e->host, 0, e->net, 0)), FENCED);
		assert_int_equal(out(b, talk(p, e->alias, 0, e->net, 0)), SENT);
		assert_int_equal(in_error(b, e, e->error, talk(p, e->host, 0, e->net, 0)), TO_HOST);
	}
	assert_int_equal(in(b, talk(51, V4(2), 0, V4(1), 0)), TO_HOST);
}

/* No guest is a DHCP server, whatever address it has. */
static void test_fence_dhcp(void **state)
{
	for (unsigned form = 0; form < 2; form++) {
		struct bed *b = open_bed(state, form == 0 ? STEER_NAT : STEER_BRIDGE);
		for (unsigned v = 0; v < 2; v++) {
			const struct ends *e = &both[v];
			uint16_t low = v == 0 ? 67 : 546;
			const char *all = v == 0 ? "255.255.255.255" : "ff02::1:2";
			for (uint16_t p = low; p < low + 2; p++) {
				assert_int_equal(out(b, talk(17, e->alias, p, e->net, 999)),
						 FENCED);
				assert_int_equal(out(b, talk(17, e->alias, 999, all, p)), FENCED);
				assert_int_equal(out(b, talk(6, e->alias, p, e->net, 999)), SENT);
			}
			assert_int_equal(out(b, talk(17, e->alias, 53, e->net, 999)), SENT);
		}
	}
}

static void test_fence_fragments(void **state)
{
	struct bed *b = open_bed(state, STEER_NAT);
	for (unsigned v = 0; v < 2; v++) {
		const struct ends *e = &both[v];
		struct shape first = talk(17, e->host, 53, e->net, 999);
		first.more = true;
		first.id = 77;
		struct shape later = first;
		later.offset = 1480;
		assert_int_equal(out(b, later), FENCED);
		assert_int_equal(out(b, first), SENT);
		assert_int_equal(out(b, later), SENT);
		first.sport = 123;
		assert_int_equal(out(b, first), FENCED);
		assert_int_equal(out(b, later), FENCED);
		later.src = e->alias;
		assert_int_equal(out(b, later), SENT);
	}
}

static void test_fence_neighbours(void **state)
{
	struct bed *b = open_bed(state, STEER_NAT);
	struct shape arp = {.src = V4(9), .dst = V4(2), .arp = 2, .arp_mac = {UP_MAC}};
	assert_int_equal(out(b, arp), SENT);
	arp.arp_mac = (struct mac){ODD_MAC};
	assert_int_equal(out(b, arp), FENCED);
	arp.arp_mac = (struct mac){UP_MAC};
	arp.src = V4(77);
	assert_int_equal(out(b, arp), FENCED);
	arp.src = V4(1); /* that is the host's to say */
	assert_int_equal(out(b, arp), FENCED);
	arp.arp = 1;
	assert_int_equal(out(b, arp), SENT);
	arp.src = "0.0.0.0";
	arp.dst = V4(9);
	assert_int_equal(out(b, arp), SENT);
	arp.dst = V4(77);
	assert_int_equal(out(b, arp), FENCED);

	struct shape na = {.src = V6(9),
			   .dst = V6(2),
			   .proto = 58,
			   .type = 136,
			   .target = V6(9),
			   .option = 2,
			   .option_mac = {UP_MAC}};
	assert_int_equal(out(b, na), SENT);
	assert_true(bed_arrived(b, LINK_NET));
	na.option_mac = (struct mac){ODD_MAC};
	assert_int_equal(out(b, na), FENCED);
	na.option_mac = (struct mac){UP_MAC};
	na.target = V6(1);
	assert_int_equal(out(b, na), FENCED);
	na.target = V6(77);
	assert_int_equal(out(b, na), FENCED);
	na.target = V6(9);
	na.option = 0;
	assert_int_equal(out(b, na), SENT);
	na.type = 135;
	na.target = V6(2);
	assert_int_equal(out(b, na), SENT);
	static const uint8_t others[] = {133, 134, 137, 130, 131, 132, 143};
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		na.type = others[i];
		assert_int_equal(out(b, na), FENCED);
	}
}

/* The host's own stack greets every link: on the wall's, nobody hears it. */
static void test_inner_is_for_the_wire_only(void **state)
{
	struct bed *b = open_bed(state, STEER_NAT);
	struct shape s = talk(6, both[0].net, 999, V4(9), 80);
	assert_int_equal(in(b, s), TO_WALL);
	assert_true(bed_arrived(b, LINK_WALL));
	static const uint8_t hello[60] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 8, 0};
	assert_int_equal(send(b->raw[LINK_INNER], hello, sizeof(hello), 0), -1);
	assert_int_equal(errno, ENOBUFS);
	uint8_t got[64];
	usleep(50000);
	assert_int_equal(recv(b->raw[LINK_WALL], got, sizeof(got), 0), -1);
}

/* ---- bridge ------------------------------------------------------------------------------------------ */

static void test_bridge(void **state)
{
	struct bed *b = open_bed(state, STEER_BRIDGE);
	for (unsigned v = 0; v < 2; v++) {
		const struct ends *e = &both[v];
		struct shape s = talk(6, e->net, 999, e->stranger, 22);
		assert_int_equal(in(b, s), TO_WALL);
		assert_true(bed_arrived(b, LINK_WALL));
		s.to = (struct mac){ODD_MAC};
		assert_int_equal(in(b, s), TO_WALL);
		s.ethertype = 0x88cc;
		assert_int_equal(in(b, s), TO_WALL);
		assert_int_equal(in(b, talk(6, e->net, 999, e->host, 22)), TO_WALL);
		assert_int_equal(host(b, talk(6, e->host, 22, e->net, 999)), HOST_STOPPED);
		assert_true(bed_stayed_away(b, LINK_NET));
		/* guests have link addresses of their own */
		s = talk(6, e->alias, 22, e->net, 999);
		s.from = (struct mac){ODD_MAC};
		assert_int_equal(out(b, s), SENT);
		assert_true(bed_arrived(b, LINK_NET));
		s.src = e->stranger;
		assert_int_equal(out(b, s), FENCED);
	}
	struct shape arp = {.src = V4(9), .dst = V4(2), .arp = 2, .arp_mac = {ODD_MAC}};
	arp.from = (struct mac){ODD_MAC};
	assert_int_equal(out(b, arp), SENT);
	arp.src = V4(77);
	assert_int_equal(out(b, arp), FENCED);
	struct shape ns = {.src = "fe80::9",
			   .dst = "ff02::1:ff00:2",
			   .proto = 58,
			   .type = 135,
			   .target = V6(2)};
	assert_int_equal(out(b, ns), FENCED); /* with a router's address it would turn heads */
	ns.src = V6(9);
	assert_int_equal(out(b, ns), SENT);
	ns.type = 136;
	assert_int_equal(out(b, ns), FENCED);
	ns.target = "fe80::1";
	assert_int_equal(out(b, ns), FENCED);
	ns.target = V6(9);
	assert_int_equal(out(b, ns), SENT);
	ns.src = "fe80::1";
	assert_int_equal(out(b, ns), FENCED);
	ns.src = V6(9);
	ns.type = 134;
	assert_int_equal(out(b, ns), FENCED);
	assert_int_equal(out(b, talk(6, "fe80::9", 1, "fe80::2", 2)), FENCED);
}

/* ---- the heart ---------------------------------------------------------------------------------------- */

static void test_no_beat_no_steering(void **state)
{
	static const enum fate in_dead = DEAD;
	struct bed *b = *state;
	char why[256];
	int64_t silent = (STEER_SILENCE_S + 1) * NS_PER_SEC;
	for (int form = STEER_NAT; form <= STEER_BRIDGE; form++) {
		bed_close(b);
		assert_int_equal(steer_open((enum steer_form)form, "up0", "sk0", &b->plan, NULL, 0,
					    &b->s, why, sizeof(why)),
				 0);
		struct shape s = talk(6, both[0].net, 999, V4(9), 80);
		struct shape r = talk(6, V4(9), 80, both[0].net, 999);
		/* not yet */
		assert_int_equal(in(b, s), in_dead);
		assert_true(bed_stayed_away(b, LINK_WALL));
		assert_int_equal(out(b, r), FENCED);
		steer_beat(b->s, clock_boot_ns());
		assert_int_equal(in(b, s), TO_WALL);
		assert_int_equal(out(b, r), SENT);
		/* no more */
		steer_beat(b->s, clock_boot_ns() - silent);
		assert_int_equal(in(b, s), in_dead);
		assert_int_equal(out(b, r), FENCED);
		enum fate of_host = form == STEER_NAT ? HOST_SENT : HOST_STOPPED;
		assert_int_equal(host(b, talk(6, V4(1), 22, both[0].net, 999)), of_host);
		/* and again */
		steer_beat(b->s, clock_boot_ns() - silent + 2 * NS_PER_SEC);
		assert_int_equal(in(b, s), TO_WALL);
	}
}

/* ---- silence -------------------------------------------------------------------------------------------- */

/* The settings of the programs on the uplink, found as any stranger with the rights would. */
static int settings_map(void)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex("up0"),
		    .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 0x15ce9, .priority = 1);
	uint32_t ids[16], size;
	assert_int_equal(bpf_tc_query(&hook, &opts), 0);
	int prog = bpf_prog_get_fd_by_id(opts.prog_id);
	struct bpf_prog_info info = {.nr_map_ids = ARRAY_LEN(ids), .map_ids = (uintptr_t)ids};
	size = sizeof(info);
	assert_int_equal(bpf_obj_get_info_by_fd(prog, &info, &size), 0);
	close(prog);
	for (uint32_t i = 0; i < info.nr_map_ids; i++) {
		struct bpf_map_info map = {0};
		int fd = bpf_map_get_fd_by_id(ids[i]);
		size = sizeof(map);
		assert_int_equal(bpf_obj_get_info_by_fd(fd, &map, &size), 0);
		if (strcmp(map.name, "settings") == 0)
			return fd;
		close(fd);
	}
	return -1;
}

/* Two hours are long for a test: the limit is made short instead. */
static void test_silent_conversations_are_forgotten(void **state)
{
	static const char *const pairs[2][2] = {{"10.0.0.1", "192.0.2.7"},
						{"2001:db8::1", "2001:db8:7::7"}};
	struct bed *b = *state;
	bed_open(b, STEER_NAT);
	int map = settings_map();
	assert_true(map >= 0);
	for (int v6 = 0; v6 <= 1; v6++) {
		struct steer_set set;
		uint32_t zero = 0;
		struct shape there = {.src = pairs[v6][0],
				      .dst = pairs[v6][1],
				      .proto = 17,
				      .sport = 40000,
				      .dport = 53};
		struct shape back = {.src = pairs[v6][1],
				     .dst = pairs[v6][0],
				     .proto = 17,
				     .sport = 53,
				     .dport = 40000};
		assert_int_equal(bed_send(b, WAY_HOST, &there), HOST_SENT);
		assert_int_equal(bed_send(b, WAY_IN, &back), TO_HOST);
		assert_int_equal(bpf_map_lookup_elem(map, &zero, &set), 0);
		assert_int_equal(set.host_idle_ns, STEER_HOST_IDLE_S * NS_PER_SEC);
		set.host_idle_ns = 1;
		assert_int_equal(bpf_map_update_elem(map, &zero, &set, BPF_ANY), 0);
		assert_int_equal(bed_send(b, WAY_IN, &back), TO_WALL);
		assert_int_equal(bed_send(b, WAY_OUT, &there), SENT);
		/* and begun anew */
		set.host_idle_ns = STEER_HOST_IDLE_S * NS_PER_SEC;
		assert_int_equal(bpf_map_update_elem(map, &zero, &set, BPF_ANY), 0);
		assert_int_equal(bed_send(b, WAY_HOST, &there), HOST_SENT);
		assert_int_equal(bed_send(b, WAY_IN, &back), TO_HOST);
	}
	close(map);
	bed_close(b);
}

static void test_plan_changes(void **state)
{
	struct bed *b = open_bed(state, STEER_NAT);
	struct steer_plan other = b->plan;
	other.alias[0] = bed_addr("10.0.0.10");
	other.shared[1] = bed_addr("2001:db8::11");
	assert_int_equal(steer_change(b->s, &other), 0);
	assert_int_equal(in(b, talk(6, both[0].net, 999, V4(9), 80)), TO_HOST);
	assert_int_equal(in(b, talk(6, both[0].net, 999, V4(10), 80)), TO_WALL);
	assert_int_equal(in(b, talk(6, both[1].net, 999, V6(1), 80)), TO_HOST);
	assert_int_equal(in(b, talk(6, both[1].net, 999, V6(11), 80)), TO_WALL);
	other.shared[0] = other.alias[0]; /* both at once it cannot be */
	assert_int_equal(steer_change(b->s, &other), SKEP_ERANGE);
	other.n_alias = STEER_ADDRESSES + 1;
	assert_int_equal(steer_change(b->s, &other), SKEP_ERANGE);
	assert_int_equal(in(b, talk(6, both[0].net, 999, V4(10), 80)), TO_WALL);
	/* an alias that becomes the host's, and as many as there can be */
	static struct steer_plan full;
	full.n_shared = full.n_alias = STEER_ADDRESSES;
	full.n_kept = STEER_PORTS;
	for (unsigned turn = 0; turn < 2; turn++) {
		for (unsigned i = 0; i < STEER_ADDRESSES; i++) {
			full.shared[i] = bed_addr(V6(0));
			full.shared[i].b[15] = (uint8_t)i;
			full.shared[i].b[14] = (uint8_t)turn;
			full.alias[i] = full.shared[i];
			full.alias[i].b[14] = (uint8_t)(turn + 16);
		}
		for (unsigned i = 0; i < STEER_PORTS; i++)
			full.kept[i] = (struct steer_port){6, (uint16_t)(turn * STEER_PORTS + i)};
		assert_int_equal(steer_change(b->s, &full), 0);
	}
	assert_int_equal(in(b, talk(6, both[1].net, 999, "2001:db8::101", 1500)), TO_HOST);
	assert_int_equal(in(b, talk(6, both[1].net, 999, "2001:db8::101", 500)), TO_WALL);
}

int main(void)
{
	static struct bed bed;
	int err = bed_setup(&bed);
	if (err != 0)
		return err;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_alias_has_all, &bed),
		cmocka_unit_test_prestate(test_alias_is_asked_for, &bed),
		cmocka_unit_test_prestate(test_shared_ports, &bed),
		cmocka_unit_test_prestate(test_shared_leaves_the_link_alone, &bed),
		cmocka_unit_test_prestate(test_host_begins, &bed),
		cmocka_unit_test_prestate(test_host_begins_other_things, &bed),
		cmocka_unit_test_prestate(test_kept_is_not_remembered, &bed),
		cmocka_unit_test_prestate(test_flows_open_at_the_start, &bed),
		cmocka_unit_test_prestate(test_errors_go_by_what_they_quote, &bed),
		cmocka_unit_test_prestate(test_fragments_follow_their_first, &bed),
		cmocka_unit_test_prestate(test_extension_headers, &bed),
		cmocka_unit_test_prestate(test_fence_addresses, &bed),
		cmocka_unit_test_prestate(test_fence_host, &bed),
		cmocka_unit_test_prestate(test_tunnels_are_the_hosts, &bed),
		cmocka_unit_test_prestate(test_fence_dhcp, &bed),
		cmocka_unit_test_prestate(test_fence_fragments, &bed),
		cmocka_unit_test_prestate(test_fence_neighbours, &bed),
		cmocka_unit_test_prestate(test_inner_is_for_the_wire_only, &bed),
		cmocka_unit_test_prestate(test_bridge, &bed),
		cmocka_unit_test_prestate(test_no_beat_no_steering, &bed),
		cmocka_unit_test_prestate(test_silent_conversations_are_forgotten, &bed),
		cmocka_unit_test_prestate(test_plan_changes, &bed),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	bed_teardown(&bed);
	return failed;
}
