/* SPDX-License-Identifier: BSD-2-Clause */
/* The outside port on a real wire: next hops, hop limits, errors of routers, addresses that change. */
#include "world.h"

#include <string.h>

static const struct mac mac_router6 = {{2, 0, 0, 0, 0, 6}}, mac_other = {{2, 0, 0, 0, 0, 7}};
static const struct mac mac_none;

static const char *const far_of[2] = {"192.0.2.80", "2001:db8:80::80"};
static const char *const in_of[2] = {"10.99.0.11", "fd99::11"};
static const char *const pub_of[2] = {"203.0.113.11", "2001:db8:113::11"};

/* DB1 sends, or is sent, a UDP packet. */
static struct spec udp(bool v6, bool in, uint16_t far_port)
{
	return (struct spec){.port = in ? OUTSIDE : DB1,
			     .src = in ? far_of[v6] : in_of[v6],
			     .dst = in ? pub_of[v6] : far_of[v6],
			     .proto = 17,
			     .sport = in ? far_port : 161,
			     .dport = in ? 161 : far_port,
			     .payload = 30};
}

static struct spec syn_from_guest(bool v6)
{
	return (struct spec){.port = DB1,
			     .src = in_of[v6],
			     .dst = far_of[v6],
			     .sport = 5000,
			     .dport = 80,
			     .seq = 7,
			     .flags = TCP_SYN};
}

static void to_mac(const struct world *w, const struct mac *m)
{
	assert_memory_equal(w->f.data, m->b, 6);
}

static void set_outside(struct world *w, const struct judge_port *p)
{
	w->conf.ports[OUTSIDE] = *p;
	assert_int_equal(judge_port_set(w->j, OUTSIDE, p, w->now), 0);
}

static void each_version_has_a_router(void **state)
{
	struct world *w = world_new();
	struct judge_port p = w->conf.ports[OUTSIDE];
	p.peer_mac6 = mac_router6;
	set_outside(w, &p);
	w->any_hop = true;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		const struct spec s = syn_from_guest(v6);
		assert_int_equal(world_send(w, &s), REASON_NONE);
		to_mac(w, v6 ? &mac_router6 : &mac_peer);
	}
	world_free(w);
}

static void answers_go_to_who_sent_last(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = world_new();
		struct spec in = udp(v6, true, 999);
		const struct spec out = udp(v6, false, 999);
		w->any_hop = true;
		in.smac = &mac_other;
		assert_int_equal(world_send(w, &in), REASON_NONE);
		assert_int_equal(world_send(w, &out), REASON_NONE);
		to_mac(w, &mac_other);
		in.smac = &mac_router6; /* another router brings it now */
		assert_int_equal(world_send(w, &in), REASON_NONE);
		assert_int_equal(world_send(w, &out), REASON_NONE);
		to_mac(w, &mac_router6);
		/* Also while no router is known at all. */
		struct judge_port p = w->conf.ports[OUTSIDE];
		p.peer_mac = p.peer_mac6 = mac_none;
		set_outside(w, &p);
		assert_int_equal(world_send(w, &out), REASON_NONE);
		to_mac(w, &mac_router6);
		world_free(w);
	}
}

/* What a guest began is not led astray by who answers. */
static void a_guests_own_stay_with_the_router(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = world_new();
		struct spec in = udp(v6, true, 999);
		const struct spec out = udp(v6, false, 999);
		assert_int_equal(world_send(w, &out), REASON_NONE);
		in.smac = &mac_other;
		assert_int_equal(world_send(w, &in), REASON_NONE);
		assert_int_equal(world_send(w, &out), REASON_NONE);
		to_mac(w, &mac_peer);
		world_free(w);
	}
}

static void without_a_router_nothing_begins(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = world_new();
		struct judge_port p = w->conf.ports[OUTSIDE];
		const struct mac was = p.peer_mac;
		struct spec s = syn_from_guest(v6);
		const struct spec early = {.port = DB1,
					   .src = in_of[v6],
					   .dst = far_of[v6],
					   .proto = 17,
					   .sport = 1,
					   .dport = 2,
					   .payload = 3};
		assert_int_equal(world_send(w, &early), REASON_NONE);
		p.peer_mac = p.peer_mac6 = mac_none;
		set_outside(w, &p);
		world_forget_events(w);
		assert_int_equal(world_send(w, &s), REASON_NO_NEXT_HOP);
		assert_int_equal(world_send(w, &s), REASON_NO_NEXT_HOP); /* told and counted once */
		assert_int_equal(w->counts[EVENT_CONNECTION], 1);
		const struct event *e = world_event(w, EVENT_CONNECTION);
		assert_int_equal(e->reason, REASON_NO_NEXT_HOP);
		assert_int_equal(e->verdict, VERDICT_DROP);
		assert_int_equal(e->u.connection.limit_used, 0);
		assert_int_equal(w->stats.reasons[REASON_NO_NEXT_HOP], 2);
		/* One that is open waits as well. */
		assert_int_equal(world_send(w, &early), REASON_NO_NEXT_HOP);
		/* It is found: the same packet, sent again, passes and is the first that counts. */
		p.peer_mac = was;
		set_outside(w, &p);
		assert_int_equal(world_send(w, &s), REASON_NONE);
		e = world_event(w, EVENT_CONNECTION);
		assert_int_equal(e->u.connection.limit_used, 1);
		assert_int_equal(world_send(w, &early), REASON_NONE);
		world_free(w);
	}
}

static void the_outside_changes_and_conversations_go_on(void **state)
{
	struct world *w = world_new();
	const struct spec syn = syn_from_guest(false);
	world_handshake(w, &syn, OUTSIDE, "192.0.2.80", 80, "203.0.113.11");
	struct judge_port p = w->conf.ports[OUTSIDE];
	uint64_t id = w->r.flow_id;
	p.mac = mac_other;
	p.peer_mac = mac_router6;
	p.public = world_addr("203.0.113.99");
	set_outside(w, &p);
	w->any_hop = true;
	struct spec data = syn;
	data.flags = TCP_ACK;
	data.seq = 8;
	data.payload = 9;
	assert_int_equal(world_send(w, &data), REASON_NONE);
	assert_int_equal(w->r.flow_id, id);
	to_mac(w, &mac_router6);
	assert_memory_equal(w->f.data + 6, mac_other.b, 6);
	assert_int_equal(w->counts[EVENT_FLOW], 0);
	world_free(w);
}

/* A forward without an address of its own is reached by the uplink's, whatever that is now. */
static void forwards_follow_the_uplink(void **state)
{
	struct world *w = world_new();
	struct judge_port p = w->conf.ports[OUTSIDE];
	p.public = world_addr("203.0.113.99");
	p.public6 = world_addr("2001:db8:113::99");
	w->conf.ports[OUTSIDE] = p;
	w->conf.n_forwards = 1;
	w->conf.forwards[0].public = (struct addr){0};
	w->conf.forwards[0].n_sources = 0;
	world_restart(w);
	struct spec s = {.port = OUTSIDE,
			 .src = "198.51.100.66",
			 .dst = "203.0.113.99",
			 .sport = 4000,
			 .dport = 24,
			 .flags = TCP_SYN};
	assert_int_equal(world_send(w, &s), REASON_NONE);
	assert_int_equal(w->r.out_port, LOGHOST);
	assert_int_equal(w->l.dport, 22);
	s.src = "2001:db8:66::66";
	s.dst = "2001:db8:113::99";
	assert_int_equal(world_send(w, &s), REASON_NONE);
	assert_true(world_has(&w->l.dst, "2001:db8:113::20"));
	s.src = "198.51.100.66";
	s.dst = "203.0.113.98";
	assert_int_equal(world_send(w, &s), REASON_CLOSED);
	p.public = world_addr("203.0.113.98");
	set_outside(w, &p);
	s.sport++;
	assert_int_equal(world_send(w, &s), REASON_NONE);
	s.dst = "203.0.113.99";
	assert_int_equal(world_send(w, &s), REASON_CLOSED);
	world_free(w);
}

static void from_outside_hops_are_not_counted(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = world_new();
		/* Traceroute: by UDP, TCP and echo; world.c sees to it that the TTL stays. */
		struct spec probe = udp(v6, true, 33434);
		probe.ttl = 1;
		assert_int_equal(world_send(w, &probe), REASON_NONE);
		assert_int_equal(w->l.ttl, 1);
		assert_int_equal(w->r.n_replies, 0);
		probe.proto = 6;
		probe.flags = TCP_SYN;
		probe.payload = 0;
		assert_int_equal(world_send(w, &probe), REASON_NONE);
		probe.proto = v6 ? 58 : 1;
		probe.flags = 0;
		assert_int_equal(world_send(w, &probe), REASON_NONE);
		assert_int_equal(w->l.ttl, 1);
		probe.ttl = 2; /* the answer as well */
		struct spec back = udp(v6, false, 33434);
		back.ttl = 64;
		assert_int_equal(world_send(w, &back), REASON_NONE);
		assert_int_equal(w->l.ttl, 64);
		/* No time at all is none for anybody. */
		world_make(w, &probe);
		if (!v6)
			store_be16(w->f.data + 24,
				   (uint16_t)(load_be16(w->f.data + 24) + (2 << 8)));
		w->f.data[v6 ? 21 : 22] = 0;
		assert_int_equal(world_judge(w), REASON_TTL);
		world_free(w);
	}
}

static void a_guests_own_lose_a_hop(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = world_new();
		struct spec out = udp(v6, false, 999), in = udp(v6, true, 999);
		struct layers l;
		out.ttl = 1;
		uint64_t before = w->stats.outbound;
		assert_int_equal(world_send(w, &out), REASON_TTL);
		assert_int_equal(w->stats.outbound, before);
		assert_int_equal(w->r.n_replies, 1);
		packet_decode(w->r.replies[0], &l);
		assert_true(world_has(&l.src, v6 ? "fe80::1" : "10.99.0.1"));
		assert_int_equal(l.icmp_type, v6 ? 3 : 11);
		assert_int_equal(w->r.reply_port[0], DB1);
		out.ttl = 2;
		assert_int_equal(world_send(w, &out), REASON_NONE);
		assert_int_equal(w->l.ttl, 1);
		in.ttl = 64;
		assert_int_equal(world_send(w, &in), REASON_NONE);
		assert_int_equal(w->l.ttl, 63);
		in.ttl = 1;
		assert_int_equal(world_send(w, &in), REASON_TTL);
		/* Nor does a guest's packet whose time is over pass as an answer. */
		const struct spec probe = udp(v6, true, 1000);
		assert_int_equal(world_send(w, &probe), REASON_NONE);
		out = udp(v6, false, 1000);
		out.ttl = 1;
		assert_int_equal(world_send(w, &out), REASON_TTL);
		/* What the wall says of it is bounded. */
		unsigned told = 0;
		for (unsigned i = 0; i < 1000; i++) {
			assert_int_equal(world_send(w, &out), REASON_TTL);
			told += w->r.n_replies;
		}
		assert_in_range(told, 1, 101);
		world_free(w);
	}
}

/* Packet too big, and needs to be fragmented: from a router between, quoting what it saw. */
static void too_big(struct world *w, bool v6, bool in)
{
	static uint8_t quoted[600];
	struct spec out = udp(v6, false, 9000), first = udp(v6, true, 9000);
	struct layers q;
	if (in)
		assert_int_equal(world_send(w, &first), REASON_NONE);
	out.payload = 500;
	assert_int_equal(world_send(w, &out), REASON_NONE);
	uint32_t len = w->f.len - 14;
	memcpy(quoted, w->f.data + 14, len);
	struct spec e = {.port = OUTSIDE,
			 .src = v6 ? "2001:db8:99::1" : "198.51.100.1",
			 .dst = pub_of[v6],
			 .proto = v6 ? 58 : 1,
			 .type = v6 ? 2 : 3,
			 .code = v6 ? 0 : 4,
			 .dport = 1280, /* where the MTU is: in its low half */
			 .payload = len,
			 .body = quoted};
	assert_int_equal(world_send(w, &e), REASON_NONE);
	assert_int_equal(w->r.out_port, DB1);
	assert_true(world_has(&w->l.dst, in_of[v6]));
	assert_true(world_has(&w->l.src, e.src));
	assert_int_equal(load_be16(w->f.data + w->l.l4 + 6), 1280);
	assert_int_equal(packet_decode_quoted(&w->f, &w->l, &q), 0);
	assert_true(world_has(&q.src, in_of[v6]));
	assert_true(world_has(&q.dst, far_of[v6]));
	assert_int_equal(q.sport, 161);
	assert_int_equal(q.dport, 9000);
	store_be16(quoted + (v6 ? 40 : 20), 162); /* of another conversation */
	assert_int_equal(world_send(w, &e), REASON_NO_FLOW);
}

/* A guest says the same of what it was sent. */
static void too_big_for_the_guest(struct world *w, bool v6)
{
	static uint8_t quoted[600];
	struct spec in = udp(v6, true, 9001);
	struct layers q;
	in.payload = 500;
	assert_int_equal(world_send(w, &in), REASON_NONE);
	uint32_t len = w->f.len - 14;
	memcpy(quoted, w->f.data + 14, len);
	const struct spec e = {.port = DB1,
			       .src = in_of[v6],
			       .dst = far_of[v6],
			       .proto = v6 ? 58 : 1,
			       .type = v6 ? 2 : 3,
			       .code = v6 ? 0 : 4,
			       .dport = 1280,
			       .payload = len,
			       .body = quoted};
	assert_int_equal(world_send(w, &e), REASON_NONE);
	assert_int_equal(w->r.out_port, OUTSIDE);
	assert_true(world_has(&w->l.src, pub_of[v6]));
	assert_int_equal(packet_decode_quoted(&w->f, &w->l, &q), 0);
	assert_true(world_has(&q.dst, pub_of[v6]));
	assert_true(world_has(&q.src, far_of[v6]));
}

static void path_mtu_is_found_both_ways(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = world_new();
		too_big(w, v6, false);
		too_big_for_the_guest(w, v6);
		world_free(w);
		w = world_new();
		too_big(w, v6, true);
		world_free(w);
	}
}

static void the_hosts_addresses_change(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = world_new();
		struct prefix host[1];
		const struct spec syn = syn_from_guest(v6);
		world_handshake(w, &syn, OUTSIDE, far_of[v6], 80, pub_of[v6]);
		const struct spec other = {.port = DB1,
					   .src = in_of[v6],
					   .dst = v6 ? "2001:db8:80::81" : "192.0.2.81",
					   .proto = 17,
					   .sport = 1,
					   .dport = 2,
					   .payload = 3};
		assert_int_equal(world_send(w, &other), REASON_NONE);
		uint64_t id = w->r.flow_id;
		const struct spec in = udp(v6, true, 999);
		assert_int_equal(world_send(w, &in), REASON_NONE); /* an operator who looks */
		assert_int_equal(prefix_parse(v6 ? "2001:db8:80::80/128" : "192.0.2.80/32", host),
				 0);
		judge_host(w->j, host, 1, w->now);
		assert_int_equal(w->counts[EVENT_FLOW], 1);
		struct spec again = syn;
		again.seq = 99;
		again.sport++;
		assert_int_equal(world_send(w, &again), REASON_OFF_LIMITS);
		assert_int_equal(world_send(w, &other), REASON_NONE);
		assert_int_equal(w->r.flow_id, id);
		const struct spec back = udp(v6, false, 999);
		assert_int_equal(world_send(w, &back), REASON_NONE);
		/* It is nobody's any more: at once, also for what was refused. */
		judge_host(w->j, NULL, 0, w->now);
		assert_int_equal(world_send(w, &again), REASON_NONE);
		world_free(w);
	}
}

/* Also what never gets to a guest is told as the guest would have seen it. */
static void refused_ones_bear_both_addresses(void **state)
{
	struct world *w = world_new();
	struct spec s = {.port = OUTSIDE,
			 .src = "192.0.2.7", /* not listed */
			 .dst = "203.0.113.10",
			 .sport = 4000,
			 .dport = 24,
			 .flags = TCP_SYN};
	assert_int_equal(world_send(w, &s), REASON_SOURCE_NOT_LISTED);
	const struct event *e = world_event(w, EVENT_CONNECTION);
	assert_true(world_has(&e->u.connection.tuple.dst, "203.0.113.10"));
	assert_int_equal(e->u.connection.tuple.dport, 24);
	assert_true(world_has(&e->u.connection.tuple.in_dst, "10.99.0.20"));
	assert_int_equal(e->u.connection.tuple.in_dport, 22);
	assert_string_equal(e->u.connection.tuple.guest, "loghost");
	struct spec out = syn_from_guest(true);
	out.dst = "fd00::1";
	assert_int_equal(world_send(w, &out), REASON_OFF_LIMITS);
	e = world_event(w, EVENT_CONNECTION);
	assert_true(world_has(&e->u.connection.tuple.src, "2001:db8:113::11"));
	assert_true(world_has(&e->u.connection.tuple.in_src, "fd99::11"));
	world_wait(w, 200 * NS_PER_SEC); /* the end of both as well */
	e = world_event(w, EVENT_FLOW);
	assert_int_equal(w->counts[EVENT_FLOW], 2);
	assert_true(world_has(&e->u.flow.tuple.src, "2001:db8:113::11"));
	assert_true(world_has(&e->u.flow.tuple.in_src, "fd99::11"));
	world_free(w);
}

/* An answer to a question made up in somebody's name would reach him. */
static void nobody_asks_in_the_hosts_name(void **state)
{
	struct world *w = world_new();
	assert_int_equal(prefix_parse("192.0.2.0/24", &w->conf.host[0]), 0);
	w->conf.host[0].addr = world_addr("192.0.2.7");
	assert_int_equal(prefix_parse("2001:db8:80::7/128", &w->conf.host[1]), 0);
	w->conf.n_host = 2;
	world_restart(w);
	struct spec s = udp(false, true, 999);
	s.src = "192.0.2.7";
	assert_int_equal(world_send(w, &s), REASON_SPOOFED_ADDR);
	s.src = "192.0.2.8"; /* a neighbour may */
	assert_int_equal(world_send(w, &s), REASON_NONE);
	s.src = "169.254.169.254";
	assert_int_equal(world_send(w, &s), REASON_SPOOFED_ADDR);
	s.proto = 1;
	assert_int_equal(world_send(w, &s), REASON_SPOOFED_ADDR);
	s = udp(true, true, 999);
	s.src = "2001:db8:80::7";
	assert_int_equal(world_send(w, &s), REASON_SPOOFED_ADDR);
	/* Also if the address is new. */
	judge_host(w->j, w->conf.host, 1, w->now);
	assert_int_equal(world_send(w, &s), REASON_NONE);
	judge_host(w->j, w->conf.host, 2, w->now);
	assert_int_equal(world_send(w, &s), REASON_SPOOFED_ADDR);
	world_free(w);
}

static void nobody_asks_from_private_networks(void **state)
{
	static const char *const insides[] = {"10.1.2.3",      "172.16.0.1", "172.31.255.255",
					      "192.168.0.1",   "100.64.0.1", "100.127.255.255",
					      "fd00:ec2::254", "fc00::1"};
	static const char *const others[] = {"172.15.0.1",  "172.32.0.1",  "100.63.0.1",
					     "100.128.0.1", "192.167.0.1", "2001:db8:80::9"};
	struct world *w = world_new();
	struct spec s;
	for (size_t i = 0; i < ARRAY_LEN(insides); i++) {
		s = udp(strchr(insides[i], ':') != NULL, true, 999);
		s.src = insides[i];
		assert_int_equal(world_send(w, &s), REASON_SPOOFED_ADDR);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		s = udp(strchr(others[i], ':') != NULL, true, 999);
		s.src = others[i];
		assert_int_equal(world_send(w, &s), REASON_NONE);
	}
	/* Where the host is, where guests may go, and to a guest whose address is of that kind. */
	assert_int_equal(prefix_parse("10.1.0.0/16", &w->conf.host[0]), 0);
	w->conf.n_host = 1;
	assert_int_equal(prefix_parse("172.16.0.0/12", &w->conf.wall.allowed[0]), 0);
	w->conf.wall.n_allowed = 1;
	world_restart(w);
	s = udp(false, true, 999);
	for (size_t i = 0; i < 3; i++) {
		s.src = insides[i];
		assert_int_equal(world_send(w, &s), REASON_NONE);
	}
	w->conf.ports[DB1].public = world_addr("192.168.1.11");
	world_restart(w);
	s.src = "192.168.7.7";
	s.dst = "192.168.1.11";
	assert_int_equal(world_send(w, &s), REASON_NONE);
	world_free(w);
}

/* Routers have them, and what they say is answered by nobody. */
static void routers_may_have_private_addresses(void **state)
{
	static const char *const routers[] = {"10.0.0.1", "169.254.1.1", "100.64.0.1"};
	struct world *w = world_new();
	const struct spec out = udp(false, false, 999);
	uint8_t quoted[28];
	assert_int_equal(world_send(w, &out), REASON_NONE);
	memcpy(quoted, w->f.data + ETH_HLEN, sizeof(quoted));
	for (size_t i = 0; i < ARRAY_LEN(routers); i++) {
		const struct spec error = {.port = OUTSIDE,
					   .src = routers[i],
					   .dst = pub_of[0],
					   .proto = 1,
					   .type = 11,
					   .payload = sizeof(quoted),
					   .body = quoted};
		assert_int_equal(world_send(w, &error), REASON_NONE);
	}
	world_free(w);
}

/* Nothing of a conversation has crossed: then there is nobody to answer to. */
static void without_a_hop_nothing_leaves(void **state)
{
	struct world *w = world_new();
	struct spec in = udp(false, true, 999);
	const struct spec out = udp(false, false, 1000);
	in.frag_id = 7;
	in.frag_more = true;
	in.payload = 24;
	assert_int_equal(world_send(w, &in), REASON_NONE);
	in.sport = 1000; /* the same datagram for another conversation */
	assert_int_equal(world_send(w, &in), REASON_FRAGMENT);
	assert_int_equal(world_send(w, &out), REASON_NO_NEXT_HOP);
	in.frag_id = 8;
	assert_int_equal(world_send(w, &in), REASON_NONE);
	assert_int_equal(world_send(w, &out), REASON_NONE);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_version_has_a_router),
		cmocka_unit_test(nobody_asks_in_the_hosts_name),
		cmocka_unit_test(nobody_asks_from_private_networks),
		cmocka_unit_test(routers_may_have_private_addresses),
		cmocka_unit_test(without_a_hop_nothing_leaves),
		cmocka_unit_test(answers_go_to_who_sent_last),
		cmocka_unit_test(a_guests_own_stay_with_the_router),
		cmocka_unit_test(without_a_router_nothing_begins),
		cmocka_unit_test(the_outside_changes_and_conversations_go_on),
		cmocka_unit_test(forwards_follow_the_uplink),
		cmocka_unit_test(from_outside_hops_are_not_counted),
		cmocka_unit_test(a_guests_own_lose_a_hop),
		cmocka_unit_test(path_mtu_is_found_both_ways),
		cmocka_unit_test(the_hosts_addresses_change),
		cmocka_unit_test(refused_ones_bear_both_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
