/* SPDX-License-Identifier: BSD-2-Clause */
/* What guests may begin: limits, retransmissions, off limits, the loghost's rules, caps. */
#include "world.h"

#include <string.h>

static const struct {
	const char *in, *peer;
	uint8_t proto;
	unsigned max;
} kinds[] = {
	{"10.99.0.10", "192.0.2.80", 6, 20},  {"2001:db8:113::10", "2001:db8:80::80", 6, 20},
	{"10.99.0.10", "192.0.2.80", 17, 20}, {"2001:db8:113::10", "2001:db8:80::80", 17, 20},
	{"10.99.0.10", "192.0.2.80", 1, 50},  {"2001:db8:113::10", "2001:db8:80::80", 58, 50},
};

static unsigned count_connections(const struct world *w, uint8_t direction, uint8_t verdict)
{
	unsigned n = 0;
	for (uint32_t i = 0; i < w->n_events && i < WORLD_EVENTS; i++)
		n += w->events[i].kind == EVENT_CONNECTION && w->events[i].direction == direction &&
		     w->events[i].verdict == verdict;
	return n;
}

static void six_too_many(void **state)
{
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct world *w = world_new();
		unsigned passed = 0, limited = 0;
		for (unsigned i = 0; i < kinds[k].max + 6; i++) {
			const struct spec s = {.port = WEB1,
					       .src = kinds[k].in,
					       .dst = kinds[k].peer,
					       .proto = kinds[k].proto,
					       .sport = (uint16_t)(30000 + i),
					       .dport = 80,
					       .flags = kinds[k].proto == 6 ? TCP_SYN : 0,
					       .seq = i};
			/* Each is sent three times, as a stack does that gets no answer. */
			for (unsigned again = 0; again < 3; again++) {
				enum reason r = world_send(w, &s);
				assert_int_equal(w->r.first, again == 0);
				assert_int_equal(w->r.direction, DIR_OUTBOUND);
				if (r == REASON_NONE) {
					passed += again == 0;
				} else {
					assert_int_equal(r, REASON_LIMIT);
					assert_int_equal(w->r.verdict, VERDICT_LIMIT);
					limited += again == 0;
				}
				w->now += NS_PER_SEC / 10;
			}
		}
		assert_int_equal(passed, kinds[k].max);
		assert_int_equal(limited, 6);
		assert_int_equal(count_connections(w, DIR_OUTBOUND, VERDICT_FORWARD), passed);
		assert_int_equal(count_connections(w, DIR_OUTBOUND, VERDICT_LIMIT), 6);
		assert_int_equal(w->counts[EVENT_LIMIT], 1);
		assert_int_equal(w->stats.limited, 6);
		const struct event *e = world_event(w, EVENT_CONNECTION);
		assert_int_equal(e->u.connection.limit_used, kinds[k].max);
		assert_int_equal(e->u.connection.limit_max, kinds[k].max);
		assert_int_equal(e->u.connection.limit_window_s, 3600);
		assert_non_null(strstr(e->text, "OUTBOUND"));
		/* The wall is killed: nobody gets a fresh budget. */
		world_crash(w);
		struct spec s = {.port = WEB1,
				 .src = kinds[k].in,
				 .dst = kinds[k].peer,
				 .proto = kinds[k].proto,
				 .sport = 20000,
				 .dport = 81,
				 .flags = kinds[k].proto == 6 ? TCP_SYN : 0};
		assert_int_equal(world_send(w, &s), REASON_LIMIT);
		/* Others have theirs. */
		s.port = DB1;
		s.src = strchr(kinds[k].in, ':') != NULL ? "fd99::11" : "10.99.0.11";
		assert_int_equal(world_send(w, &s), REASON_NONE);
		/* An hour later the first ones have left the window. */
		world_wait(w, 3601 * NS_PER_SEC);
		s.port = WEB1;
		s.src = kinds[k].in;
		s.sport = 20001;
		assert_int_equal(world_send(w, &s), REASON_NONE);
		world_free(w);
	}
}

static void inside_the_limit_goes_on(void **state)
{
	struct world *w = world_new();
	const struct spec syn = {
		.port = WEB1, .src = "10.99.0.10", .dst = "192.0.2.80", .sport = 1000, .dport = 80};
	world_handshake(w, &syn, OUTSIDE, "192.0.2.80", 80, "203.0.113.10");
	struct spec s = syn;
	s.flags = TCP_SYN;
	for (unsigned i = 1; i < 30; i++) {
		s.sport = (uint16_t)(1000 + i);
		assert_int_equal(world_send(w, &s), i < 20 ? REASON_NONE : REASON_LIMIT);
	}
	s = syn;
	s.flags = TCP_ACK;
	s.payload = 100;
	assert_int_equal(world_send(w, &s), REASON_NONE);
	/* The same addresses and ports once more is another conversation. */
	s.flags = TCP_SYN;
	s.seq = 777777;
	s.payload = 0;
	assert_int_equal(world_send(w, &s), REASON_LIMIT);
	world_free(w);
}

static void other_protocols_and_dns(void **state)
{
	struct world *w = world_new();
	char dst[ADDR_TEXT];
	for (unsigned i = 0; i < 12; i++) {
		struct writer wr = writer_of(dst, sizeof(dst));
		write_fmt(&wr, "198.51.100.%u", i + 1);
		const struct spec s = {
			.port = WEB1, .src = "10.99.0.10", .dst = dst, .proto = 47, .payload = 60};
		assert_int_equal(world_send(w, &s), i < 10 ? REASON_NONE : REASON_LIMIT);
		assert_int_equal(world_send(w, &s), i < 10 ? REASON_NONE : REASON_LIMIT);
	}
	for (unsigned i = 0; i < 105; i++) {
		const struct spec s = {.port = WEB1,
				       .src = "10.99.0.10",
				       .dst = "192.0.2.53",
				       .proto = 17,
				       .sport = (uint16_t)(2000 + i),
				       .dport = 53,
				       .payload = 30};
		assert_int_equal(world_send(w, &s), i < 100 ? REASON_NONE : REASON_LIMIT);
	}
	/* UDP's own budget is untouched; another name server counts as UDP. */
	const struct spec s = {.port = WEB1,
			       .src = "10.99.0.10",
			       .dst = "198.51.100.53",
			       .proto = 17,
			       .sport = 99,
			       .dport = 53,
			       .payload = 30};
	assert_int_equal(world_send(w, &s), REASON_NONE);
	assert_int_equal(world_event(w, EVENT_CONNECTION)->u.connection.limit_used, 1);
	world_free(w);
}

static void off_limits_leave_no_port(void **state)
{
	static const char *const v4[] = {"10.0.0.1",        "192.168.1.1",   "172.16.0.1",
					 "169.254.169.254", "100.64.0.1",    "192.88.99.1",
					 "198.18.0.1",      "203.0.113.200", "240.0.0.1"};
	static const char *const v6[] = {"fd00:ec2::254",   "fc00::1",     "64:ff9b::808:808",
					 "2002:808:808::1", "2001:0:1::1", "fec0::1"};
	struct world *w = world_new();
	unsigned n = 0;
	for (size_t i = 0; i < ARRAY_LEN(v4) + ARRAY_LEN(v6); i++) {
		bool four = i < ARRAY_LEN(v4);
		for (unsigned k = 0; k < 3; k++) {
			static const uint8_t protos[2][3] = {{6, 17, 1}, {6, 17, 58}};
			const struct spec s = {.port = WEB1,
					       .src = four ? "10.99.0.10" : "2001:db8:113::10",
					       .dst = four ? v4[i] : v6[i - ARRAY_LEN(v4)],
					       .proto = protos[!four][k],
					       .sport = 5,
					       .dport = 80,
					       .flags = k == 0 ? TCP_SYN : 0,
					       .payload = 8};
			enum reason r = world_send(w, &s);
			/* 240/4 counts as a group address even before. */
			assert_true(r == REASON_OFF_LIMITS || r == REASON_MULTICAST);
			assert_int_equal(w->r.verdict, VERDICT_DROP);
			n += r == REASON_OFF_LIMITS;
		}
	}
	assert_int_equal(n, 3 * (ARRAY_LEN(v4) + ARRAY_LEN(v6) - 1));
	assert_int_equal(count_connections(w, DIR_OUTBOUND, VERDICT_DROP), n);
	assert_int_equal(world_event(w, EVENT_CONNECTION)->reason, REASON_OFF_LIMITS);
	const struct spec smtp = {.port = WEB1,
				  .src = "10.99.0.10",
				  .dst = "192.0.2.80",
				  .sport = 5,
				  .dport = 25,
				  .flags = TCP_SYN};
	assert_int_equal(world_send(w, &smtp), REASON_SMTP);
	/* None of these used the budget up. */
	world_wait(w, NS_PER_SEC);
	assert_int_equal(w->stats.ports[WEB1].used[0], 0);
	assert_int_equal(w->stats.ports[WEB1].max[0], 20);
	world_free(w);
}

/* What a loghost may never begin, and what nobody may begin with it. */
static const struct spec loghost_begins[] = {
	{.port = LOGHOST,
	 .src = "10.99.0.20",
	 .dst = "192.0.2.80",
	 .sport = 1,
	 .dport = 80,
	 .flags = TCP_SYN},
	{.port = LOGHOST,
	 .src = "10.99.0.20",
	 .dst = "192.0.2.53",
	 .sport = 1,
	 .dport = 53,
	 .proto = 17},
	{.port = LOGHOST,
	 .src = "10.99.0.20",
	 .dst = "10.99.0.10",
	 .sport = 1,
	 .dport = 22,
	 .flags = TCP_SYN,
	 .dmac = &mac_web1},
	{.port = LOGHOST,
	 .src = "10.99.0.20",
	 .dst = "10.99.0.10",
	 .sport = 1,
	 .proto = 1,
	 .dmac = &mac_web1},
	{.port = LOGHOST,
	 .src = "2001:db8:113::20",
	 .dst = "2001:db8:80::80",
	 .sport = 1,
	 .dport = 80,
	 .flags = TCP_SYN},
	/* honeypot to loghost: anything but syslog */
	{.port = WEB1,
	 .src = "10.99.0.10",
	 .dst = "10.99.0.20",
	 .sport = 1,
	 .dport = 22,
	 .flags = TCP_SYN,
	 .dmac = &mac_loghost},
	{.port = WEB1,
	 .src = "10.99.0.10",
	 .dst = "10.99.0.20",
	 .sport = 2,
	 .proto = 1,
	 .dmac = &mac_loghost},
	{.port = WEB1,
	 .src = "10.99.0.10",
	 .dst = "10.99.0.20",
	 .sport = 2,
	 .dport = 22,
	 .flags = TCP_SYN}, /* by the gateway */
};

static void loghost_rules(void **state)
{
	struct world *w = world_new();
	for (size_t i = 0; i < ARRAY_LEN(loghost_begins); i++) {
		assert_int_equal(world_send(w, &loghost_begins[i]), REASON_LOGHOST);
		assert_true(w->r.first);
	}
	const struct spec log = {.port = WEB1,
				 .src = "10.99.0.10",
				 .dst = "10.99.0.20",
				 .proto = 17,
				 .sport = 600,
				 .dport = 514,
				 .payload = 90,
				 .dmac = &mac_loghost};
	assert_int_equal(world_send(w, &log), REASON_NONE);
	assert_int_equal(w->r.out_port, LOGHOST);
	assert_int_equal(w->r.direction, DIR_LATERAL);
	const struct spec tcp = {.port = WEB1,
				 .src = "10.99.0.10",
				 .dst = "10.99.0.20",
				 .sport = 601,
				 .dport = 514,
				 .dmac = &mac_loghost,
				 .smac = &mac_web1};
	world_handshake(w, &tcp, LOGHOST, "10.99.0.20", 514, "10.99.0.10");
	/* From outside: the forwarded port, from listed sources, and nothing else. */
	const struct spec alien = {.port = OUTSIDE,
				   .src = "192.0.2.80",
				   .dst = "203.0.113.10",
				   .sport = 5,
				   .dport = 24,
				   .flags = TCP_SYN};
	assert_int_equal(world_send(w, &alien), REASON_SOURCE_NOT_LISTED);
	const struct spec edge = {.port = OUTSIDE,
				  .src = "198.51.101.0",
				  .dst = "203.0.113.10",
				  .sport = 5,
				  .dport = 24,
				  .flags = TCP_SYN};
	assert_int_equal(world_send(w, &edge), REASON_SOURCE_NOT_LISTED);
	const struct spec listed = {.port = OUTSIDE,
				    .src = "198.51.100.255",
				    .dst = "203.0.113.10",
				    .sport = 5,
				    .dport = 24,
				    .flags = TCP_SYN};
	assert_int_equal(world_send(w, &listed), REASON_NONE);
	assert_int_equal(w->r.out_port, LOGHOST);
	const struct spec udp = {.port = OUTSIDE,
				 .src = "198.51.100.66",
				 .dst = "203.0.113.10",
				 .sport = 5,
				 .dport = 24,
				 .proto = 17};
	assert_int_equal(world_send(w, &udp), REASON_NONE); /* not the forward: the honeypot's */
	assert_int_equal(w->r.out_port, WEB1);
	world_free(w);
}

static void lateral_has_its_own_limit(void **state)
{
	struct world *w = world_new();
	for (unsigned i = 0; i < 33; i++) {
		const struct spec s = {.port = WEB1,
				       .src = "10.99.0.10",
				       .dst = "10.99.0.11",
				       .sport = (uint16_t)(100 + i),
				       .dport = 3306,
				       .flags = TCP_SYN,
				       .dmac = &mac_db1};
		assert_int_equal(world_send(w, &s), i < 30 ? REASON_NONE : REASON_LIMIT);
		assert_int_equal(w->r.direction, DIR_LATERAL);
		if (i < 30)
			assert_int_equal(w->r.out_port, DB1);
	}
	assert_int_equal(w->stats.lateral, 33);
	const struct event *e = world_event(w, EVENT_CONNECTION);
	assert_string_equal(e->u.connection.tuple.guest, "web1");
	assert_string_equal(e->u.connection.tuple.peer_guest, "db1");
	/* By its public address, through the gateway: still lateral, translated, and back. */
	world_wait(w, 3700 * NS_PER_SEC);
	const struct spec hair = {.port = WEB1,
				  .src = "10.99.0.10",
				  .dst = "203.0.113.11",
				  .proto = 17,
				  .sport = 9,
				  .dport = 99,
				  .payload = 4};
	assert_int_equal(world_send(w, &hair), REASON_NONE);
	assert_int_equal(w->r.out_port, DB1);
	assert_true(world_has(&w->l.dst, "10.99.0.11"));
	const struct spec back = {.port = DB1,
				  .src = "10.99.0.11",
				  .dst = "10.99.0.10",
				  .proto = 17,
				  .sport = 99,
				  .dport = 9,
				  .payload = 4,
				  .dmac = &mac_web1};
	assert_int_equal(world_send(w, &back), REASON_NONE);
	assert_true(world_has(&w->l.src, "203.0.113.11"));
	/* A frame to one neighbour's MAC with another's address goes nowhere. */
	const struct spec wrong = {.port = WEB1,
				   .src = "10.99.0.10",
				   .dst = "10.99.0.11",
				   .proto = 17,
				   .sport = 10,
				   .dport = 99,
				   .dmac = &mac_loghost};
	assert_int_equal(world_send(w, &wrong), REASON_NOT_FOR_US);
	const struct spec bypass = {.port = WEB1,
				    .src = "10.99.0.10",
				    .dst = "192.0.2.80",
				    .proto = 17,
				    .sport = 11,
				    .dport = 99,
				    .dmac = &mac_db1};
	assert_int_equal(world_send(w, &bypass), REASON_NOT_FOR_US);
	const struct spec nobody = {.port = WEB1,
				    .src = "10.99.0.10",
				    .dst = "10.99.0.77",
				    .proto = 17,
				    .sport = 12,
				    .dport = 99};
	assert_int_equal(world_send(w, &nobody), REASON_CLOSED);
	const struct spec self = {.port = WEB1,
				  .src = "10.99.0.10",
				  .dst = "203.0.113.10",
				  .proto = 17,
				  .sport = 12,
				  .dport = 99};
	assert_int_equal(world_send(w, &self), REASON_CLOSED);
	world_free(w);
}

static void caps_hold_a_flood(void **state)
{
	struct world *w = world_new();
	w->conf.wall.caps = (struct conf_caps){
		.guest_pps = 2000, .flow_pps = 1000, .guest_bytes = 4000000, .flow_bytes = 2000000};
	world_restart(w);
	unsigned passed = 0, capped = 0;
	struct spec s = {.port = WEB1,
			 .src = "10.99.0.10",
			 .dst = "192.0.2.80",
			 .proto = 17,
			 .sport = 1,
			 .dport = 9,
			 .payload = 10};
	for (unsigned i = 0; i < 100000; i++) { /* ten seconds at 10,000 a second */
		enum reason r = world_send(w, &s);
		passed += r == REASON_NONE;
		capped += r == REASON_CAP_FLOW;
		w->now += 100000;
		if (i % 1000 == 0)
			judge_tick(w->j, w->now);
	}
	assert_in_range(passed, 9900, 10300);
	assert_int_equal(passed + capped, 100000);
	assert_in_range(w->counts[EVENT_LIMIT], 9, 12); /* once a second, not per packet */
	const struct event *e = world_event(w, EVENT_LIMIT);
	assert_string_equal(e->u.limit.what, "flow-pps");
	assert_true(e->u.limit.dropped > 5000);
	/* Several conversations at once meet the guest's cap. */
	world_wait(w, 10 * NS_PER_SEC);
	passed = 0;
	unsigned guest = 0;
	for (unsigned i = 0; i < 100000; i++) {
		s.sport = (uint16_t)(i % 5 + 1);
		enum reason r = world_send(w, &s);
		passed += r == REASON_NONE;
		guest += r == REASON_CAP_GUEST;
		w->now += 100000;
	}
	assert_in_range(passed, 19800, 20600);
	assert_true(guest > 0);
	/* Super-frames count as what they are on the wire. */
	world_wait(w, 10 * NS_PER_SEC);
	const struct spec syn = {
		.port = WEB1, .src = "10.99.0.10", .dst = "192.0.2.80", .sport = 1000, .dport = 80};
	world_handshake(w, &syn, OUTSIDE, "192.0.2.80", 80, "203.0.113.10");
	struct spec big = syn;
	big.flags = TCP_ACK;
	big.payload = 64000;
	big.partial = true;
	big.gso_size = 640; /* a hundred segments */
	unsigned frames = 0;
	while (world_send(w, &big) == REASON_NONE)
		frames++;
	assert_int_equal(frames, 2); /* 250 at once, two of them the handshake's */
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(six_too_many),
		cmocka_unit_test(inside_the_limit_goes_on),
		cmocka_unit_test(other_protocols_and_dns),
		cmocka_unit_test(off_limits_leave_no_port),
		cmocka_unit_test(loghost_rules),
		cmocka_unit_test(lateral_has_its_own_limit),
		cmocka_unit_test(caps_hold_a_flood),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
