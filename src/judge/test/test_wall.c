/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may speak and what the wall answers; strangers in mid-stream; floods; ports that change. */
#include "world.h"

#include <string.h>

static const struct mac alien = {{2, 0xee, 0, 0, 0, 9}};

/* ---- spoofing ------------------------------------------------------------------------------- */

static void a_guest_speaks_as_itself_only(void **state)
{
	static const struct {
		struct spec s;
		enum reason r;
	} rows[] = {
		{{.port = WEB1, .src = "10.99.0.10", .dst = "192.0.2.80", .smac = &alien},
		 REASON_SPOOFED_MAC},
		{{.port = WEB1, .src = "10.99.0.10", .dst = "192.0.2.80", .smac = &mac_db1},
		 REASON_SPOOFED_MAC},
		{{.port = WEB1, .src = "10.99.0.11", .dst = "192.0.2.80"}, REASON_SPOOFED_ADDR},
		{{.port = WEB1, .src = "203.0.113.10", .dst = "192.0.2.80"}, REASON_SPOOFED_ADDR},
		{{.port = WEB1, .src = "8.8.8.8", .dst = "192.0.2.80"}, REASON_SPOOFED_ADDR},
		{{.port = WEB1,
		  .src = "10.99.0.11",
		  .dst = "10.99.0.20",
		  .dmac = &mac_loghost,
		  .proto = 17,
		  .dport = 514},
		 REASON_SPOOFED_ADDR},
		{{.port = WEB1, .src = "2001:db8:113::11", .dst = "2001:db8:80::80"},
		 REASON_SPOOFED_ADDR},
		{{.port = WEB1, .src = "fe80::5", .dst = "2001:db8:80::80"}, REASON_SPOOFED_ADDR},
		{{.port = DB1, .src = "2001:db8:113::11", .dst = "2001:db8:80::80"},
		 REASON_SPOOFED_ADDR}, /* its public one: it only has the inside one */
		{{.port = OUTSIDE, .src = "10.99.0.10", .dst = "203.0.113.10"},
		 REASON_SPOOFED_ADDR},
		{{.port = OUTSIDE, .src = "10.99.0.200", .dst = "203.0.113.10"},
		 REASON_SPOOFED_ADDR},
		{{.port = OUTSIDE, .src = "203.0.113.11", .dst = "203.0.113.10"},
		 REASON_SPOOFED_ADDR},
		{{.port = OUTSIDE, .src = "2001:db8:113::10", .dst = "2001:db8:113::11"},
		 REASON_SPOOFED_ADDR},
		{{.port = OUTSIDE,
		  .src = "198.51.100.66",
		  .dst = "203.0.113.10",
		  .smac = &mac_wall},
		 REASON_SPOOFED_MAC},
		{{.port = OUTSIDE, .src = "198.51.100.66", .dst = "203.0.113.10", .dmac = &alien},
		 REASON_NOT_FOR_US},
	};
	struct world *w = world_new();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct spec s = rows[i].s;
		s.flags = s.proto == 0 ? TCP_SYN : 0;
		s.dport = s.dport != 0 ? s.dport : 80;
		assert_int_equal(world_send(w, &s), rows[i].r);
		assert_int_equal(w->r.n_replies, 0);
	}
	assert_int_equal(w->counts[EVENT_CONNECTION], 0);
	assert_true(w->counts[EVENT_ANOMALY] > 0);
	/* A thousand more of one kind within a second are one more event. */
	uint32_t told = w->counts[EVENT_ANOMALY];
	for (unsigned i = 0; i < 1000; i++) {
		struct spec s = rows[4].s;
		s.flags = TCP_SYN;
		assert_int_equal(world_send(w, &s), REASON_SPOOFED_ADDR);
	}
	world_wait(w, 2 * NS_PER_SEC);
	assert_in_range(w->counts[EVENT_ANOMALY] - told, 1, 6); /* what else was pending, too */
	world_free(w);
}

/* ---- neighbours ---------------------------------------------------------------------------------- */

static void make_arp(struct world *w, uint16_t port, const struct mac *smac, uint8_t op,
		     const struct mac *sender, const char *sender_ip, const char *target)
{
	uint8_t *p = w->data;
	struct addr s = world_addr(sender_ip), t = world_addr(target);
	static const uint8_t head[] = {0, 1, 8, 0, 6, 4, 0};
	memset(p, 0, 60);
	memset(p, 0xff, 6);
	memcpy(p + 6, smac->b, 6);
	store_be16(p + 12, 0x0806);
	memcpy(p + 14, head, sizeof(head));
	p[21] = op;
	memcpy(p + 22, sender->b, 6);
	memcpy(p + 28, s.b, 4);
	memcpy(p + 38, t.b, 4);
	w->f = (struct frame){.data = p, .len = 60, .cap = WORLD_FRAME, .port = port};
}

static enum reason arp(struct world *w, uint16_t port, const struct mac *mac, const char *ip,
		       const char *target)
{
	make_arp(w, port, mac, 1, mac, ip, target);
	return world_judge(w);
}

static void expect_arp_answer(const struct world *w, const struct mac *mac, const char *ip)
{
	assert_int_equal(w->r.n_replies, 1);
	const struct frame *f = w->r.replies[0];
	struct addr a = addr_from_v4(f->data + 28);
	assert_memory_equal(f->data + 22, mac->b, 6);
	assert_memory_equal(f->data + 6, mac->b, 6);
	assert_memory_equal(f->data, w->f.data + 6, 6);
	assert_int_equal(f->data[21], 2);
	assert_true(world_has(&a, ip));
}

static void arp_is_answered_not_passed(void **state)
{
	struct world *w = world_new();
	assert_int_equal(arp(w, WEB1, &mac_web1, "10.99.0.10", "10.99.0.1"), REASON_REPLIED);
	expect_arp_answer(w, &mac_gateway, "10.99.0.1");
	assert_int_equal(arp(w, WEB1, &mac_web1, "10.99.0.10", "10.99.0.20"), REASON_REPLIED);
	expect_arp_answer(w, &mac_loghost, "10.99.0.20");
	assert_int_equal(arp(w, OUTSIDE, &mac_peer, "203.0.113.1", "203.0.113.10"), REASON_REPLIED);
	expect_arp_answer(w, &mac_wall, "203.0.113.10");
	/* Not ours, not there, gratuitous, probes, answers. */
	assert_int_equal(arp(w, OUTSIDE, &mac_peer, "203.0.113.1", "203.0.113.77"),
			 REASON_NEIGH_REFUSED);
	assert_int_equal(arp(w, OUTSIDE, &mac_peer, "203.0.113.1", "10.99.0.10"),
			 REASON_NEIGH_REFUSED);
	assert_int_equal(arp(w, WEB1, &mac_web1, "10.99.0.10", "10.99.0.99"), REASON_NEIGH_REFUSED);
	assert_int_equal(arp(w, WEB1, &mac_web1, "10.99.0.10", "10.99.0.10"), REASON_NEIGH_REFUSED);
	assert_int_equal(arp(w, WEB1, &mac_web1, "0.0.0.0", "10.99.0.10"), REASON_NEIGH_REFUSED);
	make_arp(w, WEB1, &mac_web1, 2, &mac_web1, "10.99.0.10", "10.99.0.1");
	assert_int_equal(world_judge(w), REASON_NEIGH_REFUSED);
	/* Lies in the body. */
	make_arp(w, WEB1, &mac_web1, 1, &mac_gateway, "10.99.0.10", "10.99.0.20");
	assert_int_equal(world_judge(w), REASON_SPOOFED_MAC);
	assert_int_equal(arp(w, WEB1, &mac_web1, "10.99.0.1", "10.99.0.20"), REASON_SPOOFED_ADDR);
	/* A flood of them is answered within the budget. */
	world_wait(w, 120 * NS_PER_SEC);
	unsigned answered = 0;
	for (unsigned i = 0; i < 1000; i++)
		answered += arp(w, WEB1, &mac_web1, "10.99.0.10", "10.99.0.1") == REASON_REPLIED;
	assert_int_equal(answered, 60);
	world_free(w);
}

static enum reason nd(struct world *w, uint16_t port, const char *src, const char *dst,
		      uint8_t type, const char *target, const struct mac *option, uint8_t hops)
{
	uint8_t body[24] = {0};
	struct addr t = world_addr(target);
	memcpy(body, t.b, 16);
	if (option != NULL) {
		body[16] = type == 136 ? 2 : 1;
		body[17] = 1;
		memcpy(body + 18, option->b, 6);
	}
	static const struct mac group = {{0x33, 0x33, 0xff, 0, 0, 1}};
	const struct spec s = {.port = port,
			       .src = src,
			       .dst = dst,
			       .proto = 58,
			       .type = type,
			       .ttl = hops,
			       .payload = option != NULL ? 24 : 16,
			       .body = body,
			       .dmac = &group};
	return world_send(w, &s);
}

static void nd_is_answered_not_passed(void **state)
{
	struct world *w = world_new();
	const char *group = "ff02::1:ff00:1", *own = "2001:db8:113::10";
	static const struct {
		const char *src, *target;
		const struct mac *mac;
	} good[] = {
		{"2001:db8:113::10", "fe80::1", &mac_gateway},
		{"fe80::abcd", "fe80::1", &mac_gateway},
		{"2001:db8:113::10", "2001:db8:113::20", &mac_loghost},
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(
			nd(w, WEB1, good[i].src, group, 135, good[i].target, &mac_web1, 255),
			REASON_REPLIED);
		struct layers l;
		struct neigh n;
		packet_decode(w->r.replies[0], &l);
		packet_neigh(w->r.replies[0], &l, &n);
		assert_int_equal(n.kind, NEIGH_NA);
		assert_true(packet_checksums_ok(w->r.replies[0], &l));
		assert_int_equal(l.ttl, 255);
		assert_true(world_has(&n.target, good[i].target));
		assert_memory_equal(&n.sender_mac, good[i].mac, 6);
		assert_true(world_has(&l.dst, good[i].src));
	}
	assert_int_equal(
		nd(w, OUTSIDE, "2001:db8:113::1", group, 135, "2001:db8:113::11", NULL, 255),
		REASON_REPLIED);
	/* Duplicate detection, unknown targets, from beyond a router, answers, routers. */
	assert_int_equal(nd(w, WEB1, "::", group, 135, own, NULL, 255), REASON_NEIGH_REFUSED);
	assert_int_equal(nd(w, WEB1, own, group, 135, "2001:db8:113::99", &mac_web1, 255),
			 REASON_NEIGH_REFUSED);
	assert_int_equal(
		nd(w, OUTSIDE, "2001:db8:113::1", group, 135, "2001:db8:113::99", NULL, 255),
		REASON_NEIGH_REFUSED);
	assert_int_equal(nd(w, WEB1, own, group, 135, "fe80::1", &mac_web1, 64),
			 REASON_NEIGH_REFUSED);
	for (uint8_t type = 133; type <= 137; type++)
		if (type != 135) {
			assert_int_equal(nd(w, WEB1, own, "ff02::1", type, own, NULL, 255),
					 REASON_NEIGH_REFUSED);
			assert_int_equal(
				nd(w, OUTSIDE, "2001:db8:113::1", "ff02::1", type, own, NULL, 255),
				REASON_NEIGH_REFUSED);
		}
	assert_int_equal(nd(w, WEB1, own, "ff02::16", 143, own, NULL, 1), REASON_NEIGH_REFUSED);
	/* Lies. */
	assert_int_equal(nd(w, WEB1, own, group, 135, "fe80::1", &alien, 255), REASON_SPOOFED_MAC);
	assert_int_equal(nd(w, WEB1, "2001:db8:113::20", group, 135, "fe80::1", &mac_web1, 255),
			 REASON_SPOOFED_ADDR);
	world_free(w);
}

static void chatter_stays_where_it_is(void **state)
{
	static const struct mac all = {{255, 255, 255, 255, 255, 255}};
	static const struct mac group = {{1, 0, 0x5e, 0, 0, 0xfb}};
	struct world *w = world_new();
	const struct spec rows[] = {
		{.port = WEB1,
		 .src = "0.0.0.0",
		 .dst = "255.255.255.255",
		 .proto = 17,
		 .sport = 68,
		 .dport = 67,
		 .payload = 300,
		 .dmac = &all},
		{.port = WEB1,
		 .src = "10.99.0.10",
		 .dst = "10.99.0.20",
		 .proto = 17,
		 .sport = 67,
		 .dport = 68,
		 .payload = 300,
		 .dmac = &mac_loghost},
		{.port = WEB1,
		 .src = "fe80::5",
		 .dst = "ff02::1:2",
		 .proto = 17,
		 .sport = 546,
		 .dport = 547,
		 .payload = 50,
		 .dmac = &group},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(world_send(w, &rows[i]), REASON_DHCP);
	const struct spec casts[] = {
		{.port = WEB1,
		 .src = "10.99.0.10",
		 .dst = "10.99.0.255",
		 .proto = 17,
		 .dport = 137,
		 .dmac = &all},
		{.port = WEB1,
		 .src = "10.99.0.10",
		 .dst = "224.0.0.251",
		 .proto = 17,
		 .dport = 5353,
		 .dmac = &group},
		{.port = WEB1,
		 .src = "fe80::5",
		 .dst = "ff02::fb",
		 .proto = 17,
		 .dport = 5353,
		 .dmac = &group},
		{.port = WEB1,
		 .src = "10.99.0.10",
		 .dst = "224.0.0.251",
		 .proto = 17,
		 .dport = 5353},
	};
	for (size_t i = 0; i < ARRAY_LEN(casts); i++)
		assert_int_equal(world_send(w, &casts[i]), REASON_MULTICAST);
	world_free(w);
}

/* Other ethertypes, tags, ICMP that steers. */
static void odd_kinds_end_here(void **state)
{
	struct world *w = world_new();
	struct spec s = {.port = WEB1, .src = "10.99.0.10", .dst = "192.0.2.80", .proto = 17};
	world_make(w, &s);
	store_be16(w->f.data + 12, 0x88cc);
	assert_int_equal(world_judge(w), REASON_ETHERTYPE);
	world_make(w, &s);
	memmove(w->f.data + 16, w->f.data + 12, w->f.len - 12);
	store_be16(w->f.data + 12, 0x8100);
	store_be16(w->f.data + 14, 100);
	w->f.len += 4;
	assert_int_equal(world_judge(w), REASON_VLAN);
	s.proto = 1;
	for (unsigned type = 0; type < 256; type++) {
		s.type = (uint8_t)type;
		s.flags = 1; /* type 0 is meant */
		s.payload = 40;
		bool known = type == 0 || type == 3 || type == 8 || type == 11 || type == 12;
		assert_int_equal(world_send(w, &s) != REASON_ICMP_TYPE, known);
	}
	assert_int_equal(w->counts[EVENT_CONNECTION], 1); /* the echo request */
	world_free(w);
}

static void broken_frames_end_here(void **state)
{
	struct world *w = world_new();
	const struct spec good = {.port = OUTSIDE,
				  .src = "198.51.100.66",
				  .dst = "203.0.113.10",
				  .sport = 1,
				  .dport = 80,
				  .flags = TCP_SYN,
				  .payload = 10};
	struct spec bad = good;
	bad.bad_csum = true;
	assert_int_equal(world_send(w, &bad), REASON_BAD_CSUM);
	bad = good;
	bad.flags = TCP_SYN | TCP_FIN;
	assert_int_equal(world_send(w, &bad), REASON_MALFORMED);
	bad = good;
	bad.src = bad.dst = "203.0.113.10";
	assert_int_equal(world_send(w, &bad), REASON_SPOOFED_ADDR);
	/* Cut at every byte, and every byte turned: whatever it is, nothing odd gets through. */
	world_make(w, &good);
	uint32_t len = w->f.len;
	for (uint32_t n = 0; n < len; n++) {
		world_make(w, &good);
		w->f.len = n;
		assert_int_not_equal(world_judge(w), REASON_NONE);
	}
	for (uint32_t n = 0; n < len * 8; n++) {
		world_make(w, &good);
		w->f.data[n / 8] ^= (uint8_t)(1 << n % 8);
		if (n / 8 >= 6 && n / 8 < 12)
			continue; /* anybody outside may send */
		assert_int_not_equal(world_judge(w), REASON_NONE);
	}
	assert_int_equal(w->counts[EVENT_CONNECTION], 0);
	assert_int_equal(world_send(w, &good), REASON_NONE);
	world_free(w);
}

/* ---- conversations nobody saw begin --------------------------------------------------------------- */

static void mid_stream_is_reset_never_picked_up(void **state)
{
	struct world *w = world_new();
	const struct spec syn = {.port = OUTSIDE,
				 .src = "198.51.100.66",
				 .dst = "203.0.113.10",
				 .sport = 40000,
				 .dport = 22};
	world_handshake(w, &syn, WEB1, "10.99.0.10", 22, "198.51.100.66");
	world_crash(w);
	struct spec in = syn, out = {.port = WEB1,
				     .src = "10.99.0.10",
				     .dst = "198.51.100.66",
				     .sport = 22,
				     .dport = 40000};
	in.flags = out.flags = TCP_ACK | TCP_PSH;
	in.payload = out.payload = 40;
	in.seq = 77;
	in.ack = out.ack = 88;
	for (unsigned i = 0; i < 2; i++) {
		const struct spec *s = i == 0 ? &in : &out;
		struct layers l;
		assert_int_equal(world_send(w, s), REASON_NO_FLOW);
		assert_int_equal(w->r.n_replies, 1);
		packet_decode(w->r.replies[0], &l);
		assert_true((l.tcp_flags & TCP_RST) != 0);
		assert_int_equal(l.seq, 88);
		assert_true(world_has(&l.dst, s->src));
		assert_true(packet_checksums_ok(w->r.replies[0], &l));
	}
	assert_int_equal(w->counts[EVENT_CONNECTION], 1);
	assert_int_equal(w->stats.flows_total, 0);
	/* A reset is not answered, strangers' addresses neither; and never more than 100 a second. */
	in.flags = TCP_RST;
	assert_int_equal(world_send(w, &in), REASON_NO_FLOW);
	assert_int_equal(w->r.n_replies, 0);
	in.flags = TCP_ACK;
	in.dst = "203.0.113.99";
	assert_int_equal(world_send(w, &in), REASON_NO_FLOW);
	assert_int_equal(w->r.n_replies, 0);
	in.dst = "203.0.113.10";
	unsigned resets = 0;
	for (unsigned i = 0; i < 3000; i++) {
		in.sport = (uint16_t)i;
		assert_int_equal(world_send(w, &in), REASON_NO_FLOW);
		resets += w->r.n_replies;
		w->now += NS_PER_MS;
	}
	assert_in_range(resets, 290, 402);
	world_free(w);
}

static void ttl_ends_at_the_gateway(void **state)
{
	struct world *w = world_new();
	struct layers l;
	struct spec s = {.port = WEB1,
			 .src = "10.99.0.10",
			 .dst = "192.0.2.80",
			 .proto = 17,
			 .sport = 1,
			 .dport = 33434,
			 .ttl = 1,
			 .payload = 20};
	assert_int_equal(world_send(w, &s), REASON_TTL);
	assert_int_equal(w->r.n_replies, 1);
	packet_decode(w->r.replies[0], &l);
	assert_int_equal(l.icmp_type, 11);
	assert_true(world_has(&l.src, "10.99.0.1"));
	assert_true(world_has(&l.dst, "10.99.0.10"));
	assert_true(packet_checksums_ok(w->r.replies[0], &l));
	assert_int_equal(w->stats.outbound, 0);
	s.ttl = 2;
	assert_int_equal(world_send(w, &s), REASON_NONE);
	s.dmac = &mac_db1; /* to a neighbour nothing is routed */
	s.dst = "10.99.0.11";
	s.ttl = 1;
	assert_int_equal(world_send(w, &s), REASON_NONE);
	assert_int_equal(w->l.ttl, 1);
	world_free(w);
}

/* ---- TCP's state ------------------------------------------------------------------------------------- */

static void a_second_connection_is_counted(void **state)
{
	struct world *w = world_new();
	struct spec syn = {.port = WEB1,
			   .src = "10.99.0.10",
			   .dst = "192.0.2.80",
			   .sport = 1000,
			   .dport = 80,
			   .flags = TCP_SYN,
			   .seq = 1};
	/* Unanswered, with a new sequence number each time: attempts, not retransmissions. */
	for (unsigned i = 0; i < 25; i++) {
		syn.seq = i + 1;
		assert_int_equal(world_send(w, &syn), i < 20 ? REASON_NONE : REASON_LIMIT);
	}
	/* An accomplice outside opens the door with a SYN of his own: it doesn't help. */
	const struct spec bait = {.port = OUTSIDE,
				  .src = "192.0.2.80",
				  .dst = "203.0.113.10",
				  .sport = 80,
				  .dport = 2000,
				  .flags = TCP_SYN,
				  .seq = 9};
	assert_int_equal(world_send(w, &bait), REASON_NONE);
	syn.sport = 2000;
	assert_int_equal(world_send(w, &syn), REASON_LIMIT);
	/* Data into a conversation that nobody answered. */
	world_wait(w, 4000 * NS_PER_SEC);
	syn.sport = 3000;
	assert_int_equal(world_send(w, &syn), REASON_NONE);
	syn.flags = TCP_ACK | TCP_PSH;
	syn.payload = 500;
	assert_int_equal(world_send(w, &syn), REASON_NO_FLOW);
	world_free(w);
}

static void forged_resets_and_blind_acks(void **state)
{
	struct world *w = world_new();
	const struct spec syn = {.port = OUTSIDE,
				 .src = "198.51.100.66",
				 .dst = "203.0.113.10",
				 .sport = 40000,
				 .dport = 22};
	world_handshake(w, &syn, WEB1, "10.99.0.10", 22, "198.51.100.66");
	struct spec s = syn;
	s.flags = TCP_RST;
	s.seq = 4711;
	assert_int_equal(world_send(w, &s), REASON_NONE);
	s.flags = TCP_ACK;
	assert_int_equal(world_send(w, &s), REASON_NONE); /* the real peer goes on */
	world_wait(w, 60 * NS_PER_SEC);
	assert_int_equal(world_send(w, &s),
			 REASON_NONE); /* and idles longer than a closed one may */
	/* A SYN-flooder that can't see the answers doesn't get into the established class. */
	struct spec blind = syn;
	blind.sport = 41000;
	blind.flags = TCP_SYN;
	assert_int_equal(world_send(w, &blind), REASON_NONE);
	const struct spec synack = {.port = WEB1,
				    .src = "10.99.0.10",
				    .dst = "198.51.100.66",
				    .sport = 22,
				    .dport = 41000,
				    .flags = TCP_SYN | TCP_ACK,
				    .seq = 123456,
				    .ack = 1};
	assert_int_equal(world_send(w, &synack), REASON_NONE);
	blind.flags = TCP_ACK;
	blind.seq = 1;
	blind.ack = 99999;
	assert_int_equal(world_send(w, &blind), REASON_NONE);
	world_forget_events(w);
	world_wait(w, 31 * NS_PER_SEC); /* half-open time-out */
	const struct event *e = world_event(w, EVENT_FLOW);
	assert_non_null(e);
	assert_string_equal(e->u.flow.state, "new");
	assert_int_equal(e->u.flow.tuple.sport, 41000);
	assert_int_equal(e->u.flow.pkts_toserver, 2);
	assert_int_equal(e->u.flow.pkts_toclient, 1);
	assert_int_equal(w->counts[EVENT_FLOW], 1);
	world_free(w);
}

/* ---- floods, ports ------------------------------------------------------------------------------------- */

static void a_million_strangers(void **state)
{
	struct world *w = world_new();
	const struct spec syn = {.port = OUTSIDE,
				 .src = "198.51.100.66",
				 .dst = "203.0.113.10",
				 .sport = 40000,
				 .dport = 22};
	world_handshake(w, &syn, WEB1, "10.99.0.10", 22, "198.51.100.66");
	size_t used = w->arena.used;
	world_forget_events(w);
	struct spec s = {.port = OUTSIDE,
			 .dst = "203.0.113.10",
			 .flags = TCP_SYN,
			 .dport = 80,
			 .src = "1.1.1.1",
			 .sport = 7};
	world_make(w, &s);
	uint8_t frame[64];
	memcpy(frame, w->f.data, 54);
	uint32_t seed = 1, len = w->f.len;
	for (unsigned i = 0; i < 1000000; i++) {
		seed = seed * 1664525 + 1013904223;
		memcpy(w->data, frame, 54);
		w->f = (struct frame){.data = w->data, .len = len, .cap = WORLD_FRAME};
		uint32_t src = (seed >> 1 & 0x1fffffff) | 0x40000000; /* 64.0.0.0 to 95.255... */
		/* Keeps the sums right: what the address gains, the sport and id lose. */
		struct layers l;
		struct addr a = {.ver = 4};
		store_be32(a.b, src);
		packet_decode(&w->f, &l);
		packet_set_addr(&w->f, &l, true, &a);
		judge_frame(w->j, w->now, &w->f, &w->r);
		assert_true(w->r.reason == REASON_NONE || w->r.reason == REASON_TABLE_FULL);
		w->now += 10000; /* ten seconds in all */
		if (i % 10000 == 0)
			judge_tick(w->j, w->now);
	}
	world_wait(w, NS_PER_SEC);
	assert_int_equal(w->arena.used, used);
	assert_true(w->stats.flows_active <= w->stats.flows_capacity);
	assert_true(w->stats.flows_evicted > 900000);
	assert_true(w->n_events < 11 * 500 + 600); /* the configured rate */
	assert_non_null(world_event(w, EVENT_HEALTH));
	assert_string_equal(world_event(w, EVENT_HEALTH)->u.health.what, "suppressed");
	struct spec data = syn;
	data.flags = TCP_ACK;
	data.payload = 10;
	assert_int_equal(world_send(w, &data), REASON_NONE);
	/* A guest's attempts are told during the flood all the same. */
	world_forget_events(w);
	const struct spec out = {.port = WEB1,
				 .src = "10.99.0.10",
				 .dst = "192.0.2.80",
				 .sport = 5,
				 .dport = 80,
				 .flags = TCP_SYN};
	assert_int_equal(world_send(w, &out), REASON_NONE);
	assert_int_equal(w->counts[EVENT_CONNECTION], 1);
	world_free(w);
}

/* Pings from made-up sources are answered by the guest, and prove nothing all the same: they give
 * way to each other and to what comes later. The same for syslog, which no limit bounds. */
static void answers_without_a_handshake(void **state)
{
	struct world *w = world_new();
	w->conf.wall.flows = 1024;
	world_restart(w);
	const struct spec syn = {.port = OUTSIDE,
				 .src = "198.51.100.66",
				 .dst = "203.0.113.10",
				 .sport = 40000,
				 .dport = 22};
	world_handshake(w, &syn, WEB1, "10.99.0.10", 22, "198.51.100.66");
	struct spec ping = {
		.port = OUTSIDE, .src = "192.0.2.80", .dst = "203.0.113.10", .proto = 1};
	struct spec pong = {
		.port = WEB1, .src = "10.99.0.10", .dst = "192.0.2.80", .proto = 1, .flags = 1};
	struct spec log = {.port = WEB1,
			   .src = "10.99.0.10",
			   .dst = "10.99.0.20",
			   .proto = 17,
			   .dport = 514,
			   .dmac = &mac_loghost};
	for (unsigned i = 0; i < 3000; i++) {
		ping.sport = pong.sport = log.sport = (uint16_t)(i + 1);
		assert_int_equal(world_send(w, &ping), REASON_NONE);
		assert_int_equal(world_send(w, &pong), REASON_NONE);
		assert_int_equal(world_send(w, &log), REASON_NONE);
	}
	struct spec data = syn;
	data.flags = TCP_ACK;
	assert_int_equal(world_send(w, &data), REASON_NONE);
	data.sport = 40001;
	data.flags = TCP_SYN;
	assert_int_equal(world_send(w, &data), REASON_NONE);
	assert_true(w->counts[EVENT_CONNECTION] < 500 + 2001 + 2);
	world_free(w);
}

/* Syslog over TLS is one more port of the loghost, and only where the configuration has it. */
static void syslog_over_tls(void **state)
{
	struct world *w = world_new();
	struct spec s = {.port = WEB1,
			 .src = "10.99.0.10",
			 .dst = "10.99.0.20",
			 .sport = 40000,
			 .dport = 6514,
			 .flags = TCP_SYN,
			 .dmac = &mac_loghost};
	assert_int_equal(world_send(w, &s), REASON_LOGHOST);
	w->conf.syslog_tls = true;
	world_restart(w);
	s.sport++;
	assert_int_equal(world_send(w, &s), REASON_NONE);
	s.proto = 17;
	assert_int_equal(world_send(w, &s), REASON_LOGHOST);
	world_free(w);
}

static void full_of_the_established(void **state)
{
	struct world *w = world_new();
	w->conf.wall.flows = 1024;
	w->conf.wall.limits.udp.w[0].max = 4096;
	world_restart(w);
	struct spec s = {
		.port = WEB1, .src = "10.99.0.10", .dst = "192.0.2.80", .proto = 17, .dport = 80};
	for (unsigned i = 0; i < 1030; i++) {
		s.sport = (uint16_t)(i + 1);
		assert_int_equal(world_send(w, &s), i < 1024 ? REASON_NONE : REASON_TABLE_FULL);
	}
	world_wait(w, 2 * NS_PER_SEC);
	const struct event *e = world_event(w, EVENT_HEALTH);
	assert_string_equal(e->u.health.what, "full");
	assert_int_equal(e->u.health.count, 6);
	s.sport = 1;
	assert_int_equal(world_send(w, &s), REASON_NONE);
	world_free(w);
}

static void ports_go_and_come(void **state)
{
	struct world *w = world_new();
	const struct spec syn = {.port = OUTSIDE,
				 .src = "198.51.100.66",
				 .dst = "203.0.113.10",
				 .sport = 40000,
				 .dport = 22};
	world_handshake(w, &syn, WEB1, "10.99.0.10", 22, "198.51.100.66");
	struct judge_port p = w->conf.ports[WEB1];
	p.up = 0;
	assert_int_equal(judge_port_set(w->j, WEB1, &p, w->now), 0);
	assert_string_equal(world_event(w, EVENT_FLOW)->u.flow.end_reason, "forced");
	struct spec s = syn;
	s.flags = TCP_SYN;
	assert_int_equal(world_send(w, &s), REASON_PORT_DOWN);
	const struct spec out = {.port = WEB1,
				 .src = "10.99.0.10",
				 .dst = "192.0.2.80",
				 .sport = 5,
				 .dport = 80,
				 .flags = TCP_SYN};
	assert_int_equal(world_send(w, &out), REASON_PORT_DOWN);
	assert_int_equal(arp(w, DB1, &mac_db1, "10.99.0.11", "10.99.0.10"), REASON_NEIGH_REFUSED);
	/* Back with another public address. */
	p.up = 1;
	p.public = world_addr("203.0.113.99");
	assert_int_equal(judge_port_set(w->j, WEB1, &p, w->now), 0);
	assert_int_equal(world_send(w, &s), REASON_CLOSED);
	s.dst = "203.0.113.99";
	assert_int_equal(world_send(w, &s), REASON_NONE);
	assert_int_equal(judge_port_set(w->j, 9, &p, w->now), SKEP_ERANGE);
	assert_int_equal(judge_port_set(w->j, OUTSIDE, &p, w->now), SKEP_ERANGE);
	world_forget_events(w);
	judge_finish(w->j, w->now);
	assert_true(w->counts[EVENT_FLOW] > 0);
	assert_int_equal(w->stats.flows_active, 0);
	world_free(w);
}

static void a_foreign_limit_file_is_told(void **state)
{
	struct world *w = world_new();
	assert_int_equal(w->counts[EVENT_HEALTH], 0);
	memset(w->limits, 0x5a, judge_limits_bytes());
	world_crash(w);
	assert_string_equal(world_event(w, EVENT_HEALTH)->u.health.what, "limits");
	const struct spec out = {.port = WEB1,
				 .src = "10.99.0.10",
				 .dst = "192.0.2.80",
				 .sport = 5,
				 .dport = 80,
				 .flags = TCP_SYN};
	assert_int_equal(world_send(w, &out), REASON_NONE);
	world_free(w);
}

/* A guest that wants out as often as it can does not hide the first attempt of another. */
static void a_loud_guest_hides_no_other(void **state)
{
	struct world *w = world_new();
	struct spec out = {.port = WEB1, .src = "10.99.0.10", .dst = "1.1.1.1", .flags = TCP_SYN};
	(void)state;
	w->conf.wall.event_rate = 1;
	world_restart(w);
	world_forget_events(w);
	for (uint16_t i = 1; i <= 1000; i++) {
		out.sport = out.dport = i;
		world_send(w, &out);
	}
	assert_in_range(w->counts[EVENT_CONNECTION], 10, 100);
	world_forget_events(w);
	out.port = DB1;
	out.src = "10.99.0.11";
	world_send(w, &out);
	assert_int_equal(w->counts[EVENT_CONNECTION], 1);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loud_guest_hides_no_other),
		cmocka_unit_test(a_guest_speaks_as_itself_only),
		cmocka_unit_test(arp_is_answered_not_passed),
		cmocka_unit_test(nd_is_answered_not_passed),
		cmocka_unit_test(chatter_stays_where_it_is),
		cmocka_unit_test(odd_kinds_end_here),
		cmocka_unit_test(broken_frames_end_here),
		cmocka_unit_test(mid_stream_is_reset_never_picked_up),
		cmocka_unit_test(ttl_ends_at_the_gateway),
		cmocka_unit_test(a_second_connection_is_counted),
		cmocka_unit_test(forged_resets_and_blind_acks),
		cmocka_unit_test(a_million_strangers),
		cmocka_unit_test(answers_without_a_handshake),
		cmocka_unit_test(syslog_over_tls),
		cmocka_unit_test(full_of_the_established),
		cmocka_unit_test(ports_go_and_come),
		cmocka_unit_test(a_foreign_limit_file_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
