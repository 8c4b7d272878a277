/* SPDX-License-Identifier: BSD-2-Clause */
/* Two ends of a wire: what passes untouched, what does not, and rules in between. */
#include "world.h"

#include <string.h>

static struct world *begin(const char *rules)
{
	struct world *w = world_new();
	w->conf.n_ports = 2;
	w->conf.bridge = true;
	w->wire = true;
	world_rules(w, rules, false);
	return w;
}

static const struct spec left = {.port = 0,
				 .src = "192.0.2.1",
				 .dst = "198.51.100.2",
				 .proto = 17,
				 .sport = 1000,
				 .dport = 2000,
				 .payload = 20};

static void frames_pass_as_they_are(void **state)
{
	struct world *w = begin(NULL);
	uint8_t before[256];
	static const struct spec others[] = {
		{.port = 1,
		 .src = "198.51.100.2",
		 .dst = "192.0.2.1",
		 .proto = 17,
		 .sport = 2000,
		 .dport = 1000,
		 .payload = 20,
		 .ttl = 1},
		{.port = 0,
		 .src = "2001:db8::1",
		 .dst = "ff02::1",
		 .proto = 58,
		 .type = 135,
		 .payload = 20,
		 .ttl = 255},
		{.port = 0, .src = "10.0.0.1", .dst = "224.0.0.5", .proto = 89, .payload = 44},
		{.port = 0,
		 .src = "127.0.0.1",
		 .dst = "10.0.0.1",
		 .proto = 17,
		 .sport = 1,
		 .dport = 2,
		 .payload = 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		world_make(w, &others[i]);
		assert_true(w->f.len <= sizeof(before));
		memcpy(before, w->f.data, w->f.len);
		uint32_t len = w->f.len;
		assert_int_equal(world_judge(w), REASON_NONE);
		assert_int_equal(w->r.out_port, others[i].port ^ 1);
		assert_int_equal(w->f.len, len);
		assert_memory_equal(w->f.data, before, len);
	}
	/* ARP, what nobody knows, and a tag. */
	static const uint16_t types[] = {0x0806, 0x88cc, 0x8100};
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		world_make(w, &left);
		store_be16(w->f.data + 12, types[i]);
		if (types[i] == 0x8100) {
			memmove(w->f.data + 16, w->f.data + 12, w->f.len - 12);
			store_be32(w->f.data + 12, 0x81000007);
			store_be16(w->f.data + 16, 0x0800);
			w->f.len += 4;
		}
		assert_int_equal(world_judge(w), REASON_NONE);
	}
	world_free(w);
}

static void broken_ones_do_not(void **state)
{
	struct world *w = begin(NULL);
	struct spec s = left;
	s.bad_csum = true;
	assert_int_equal(world_send(w, &s), REASON_BAD_CSUM);
	world_make(w, &left);
	w->f.data[14] = 0x44; /* header length */
	assert_int_equal(world_judge(w), REASON_MALFORMED);
	world_make(w, &left);
	w->f.len = 20;
	assert_int_equal(world_judge(w), REASON_MALFORMED);
	/* A stream that nobody saw begin. */
	s = (struct spec){.port = 0,
			  .src = "192.0.2.1",
			  .dst = "198.51.100.2",
			  .sport = 5,
			  .dport = 6,
			  .flags = TCP_ACK,
			  .seq = 7,
			  .ack = 8,
			  .payload = 4};
	assert_int_equal(world_send(w, &s), REASON_STREAM);
	/* Pieces: in order only, and only if all of them come. */
	struct spec a = left, b = left;
	a.frag_id = b.frag_id = 3;
	a.frag_more = true;
	a.payload = 24;
	b.frag_offset = 32;
	assert_int_equal(world_send(w, &b), REASON_FRAGMENT);
	world_make(w, &a);
	store_be16(w->f.data + 34 + 4, 8 + 24 + 20);
	store_be16(w->f.data + 34 + 6, 0);
	assert_int_equal(world_judge(w), REASON_NONE);
	assert_int_equal(world_send(w, &b), REASON_NONE);
	assert_int_equal(world_send(w, &b), REASON_FRAGMENT);
	world_free(w);
}

/* Whoever has the beginning of a stopped datagram must not get its end behind another beginning. */
static void the_end_of_what_was_stopped(void **state)
{
	struct world *w =
		begin("drop udp any any -> any any (msg:\"no\"; content:\"evil\"; sid:2;)\n");
	struct spec a = left, b = left;
	a.frag_id = b.frag_id = 3;
	a.frag_more = true;
	a.payload = 24;
	b.frag_offset = 32;
	b.payload = 10;
	b.body = "ilxxxxxxxx";
	for (unsigned round = 0; round < 2; round++) {
		a.body = round == 0 ? "0123456789abcdef012345ev" : "0123456789abcdef01234567";
		a.sport = (uint16_t)(1000 + round);
		world_make(w, &a);
		store_be16(w->f.data + 34 + 4, 8 + 24 + 10);
		store_be16(w->f.data + 34 + 6, 0);
		assert_int_equal(world_judge(w), round == 0 ? REASON_NONE : REASON_FRAGMENT);
		assert_int_equal(world_send(w, &b), round == 0 ? REASON_RULE : REASON_FRAGMENT);
	}
	world_free(w);
}

/* However deep it lies. */
static void packets_in_packets(void **state)
{
	struct world *w =
		begin("drop udp any any -> any any (msg:\"no\"; content:\"evil\"; sid:2;)\n");
	struct spec s = left;
	s.body = "so really evil words";
	for (uint32_t depth = 0; depth < 40; depth++) {
		s.sport = (uint16_t)(1000 + depth);
		world_make(w, &s);
		uint8_t inner[1500], *ip = w->f.data + 14;
		uint32_t len = w->f.len - 14;
		for (uint32_t k = 0; k < depth; k++) {
			memcpy(inner, ip, len);
			memcpy(ip + 20, inner, len);
			len += 20;
			store_be16(ip + 2, (uint16_t)len);
			ip[9] = 4;
			store_be16(ip + 10, 0);
			store_be16(ip + 10, (uint16_t)~packet_sum(ip, 20, 0));
		}
		w->f.len = 14 + len;
		if (world_judge(w) == REASON_NONE)
			fail_msg("inside %u others it passes", depth);
	}
	world_free(w);
}

static void pieces_in_packets(void **state)
{
	struct world *w =
		begin("drop udp any any -> any any (msg:\"no\"; content:\"evil\"; sid:2;)\n");
	struct spec s = left;
	s.frag_id = 3;
	s.frag_more = true;
	s.payload = 24;
	world_make(w, &s);
	uint8_t inner[100], *ip = w->f.data + 14;
	uint32_t len = w->f.len - 14;
	memcpy(inner, ip, len);
	memcpy(ip + 20, inner, len);
	store_be16(ip + 2, (uint16_t)(len + 20));
	store_be16(ip + 6, 0);
	ip[9] = 4;
	store_be16(ip + 10, 0);
	store_be16(ip + 10, (uint16_t)~packet_sum(ip, 20, 0));
	w->f.len += 20;
	assert_int_equal(world_judge(w), REASON_FRAGMENT);
	world_free(w);
}

static void rules_in_between(void **state)
{
	struct world *w = begin(
		"reject tcp any any -> any any (msg:\"no\"; content:\"evil\"; sid:1;)\n"
		"drop udp any any -> any any (msg:\"no\"; content:\"evil\"; sid:2;)\n"
		"rewrite udp any any -> any any (msg:\"so\"; content:\"worse\"; replace:\"nicer\"; "
		"sid:3;)\n");
	struct spec s = left;
	s.body = "nothing worse at all";
	assert_int_equal(world_send(w, &s), REASON_NONE);
	assert_true(w->r.rewritten);
	assert_memory_equal(w->f.data + 42, "nothing nicer at all", 20);
	s.body = "so really evil words";
	assert_int_equal(world_send(w, &s), REASON_RULE);
	assert_int_equal(w->r.n_replies, 0);
	const struct event *e = world_event(w, EVENT_ALERT);
	assert_non_null(e);
	assert_true(world_has(&e->u.alert.tuple.src, "192.0.2.1"));
	assert_true(e->flow_id != 0);
	s.body = "something quite else";
	assert_int_equal(world_send(w, &s), REASON_RULE_FLOW);
	struct spec tcp = {.port = 0,
			   .src = "192.0.2.1",
			   .dst = "198.51.100.2",
			   .sport = 5,
			   .dport = 6,
			   .seq = 1000,
			   .flags = TCP_SYN};
	struct spec back = {.port = 1,
			    .src = "198.51.100.2",
			    .dst = "192.0.2.1",
			    .sport = 6,
			    .dport = 5,
			    .seq = 5000,
			    .ack = 1001,
			    .flags = TCP_SYN | TCP_ACK};
	assert_int_equal(world_send(w, &tcp), REASON_NONE);
	assert_int_equal(world_send(w, &back), REASON_NONE);
	tcp.flags = TCP_ACK;
	tcp.seq = 1001;
	tcp.ack = 5001;
	assert_int_equal(world_send(w, &tcp), REASON_NONE);
	tcp.body = "evil";
	tcp.payload = 4;
	assert_int_equal(world_send(w, &tcp), REASON_RULE);
	assert_int_equal(w->r.n_replies, 2);
	for (unsigned i = 0; i < 2; i++) {
		struct layers l;
		packet_decode(w->r.replies[i], &l);
		assert_true((l.tcp_flags & TCP_RST) != 0);
		assert_int_equal(w->r.reply_port[i], i);
		assert_int_equal(l.seq, i == 0 ? 5001 : 1001);
	}
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_pass_as_they_are),     cmocka_unit_test(broken_ones_do_not),
		cmocka_unit_test(the_end_of_what_was_stopped), cmocka_unit_test(packets_in_packets),
		cmocka_unit_test(pieces_in_packets),           cmocka_unit_test(rules_in_between),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
