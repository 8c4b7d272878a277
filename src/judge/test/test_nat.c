/* SPDX-License-Identifier: BSD-2-Clause */
/* Translation both ways, both versions, every protocol, errors with their quotes, fragments. */
#include "world.h"

#include <string.h>

static void tcp_in_and_back(void **state)
{
	struct world *w = world_new();
	const struct spec syn = {.port = OUTSIDE,
				 .src = "198.51.100.66",
				 .dst = "203.0.113.10",
				 .sport = 40000,
				 .dport = 22};
	world_handshake(w, &syn, WEB1, "10.99.0.10", 22, "198.51.100.66");
	assert_true(world_has(&w->l.dst, "10.99.0.10"));
	assert_int_equal(w->counts[EVENT_CONNECTION], 1);
	const struct event *e = world_event(w, EVENT_CONNECTION);
	assert_int_equal(e->direction, DIR_INBOUND);
	assert_int_equal(e->verdict, VERDICT_FORWARD);
	assert_true(world_has(&e->u.connection.tuple.dst, "203.0.113.10"));
	assert_true(world_has(&e->u.connection.tuple.in_dst, "10.99.0.10"));
	assert_string_equal(e->u.connection.tuple.guest, "web1");
	assert_string_equal(e->u.connection.tuple.in_port, "outside");
	assert_int_equal(e->flow_id, w->r.flow_id);
	assert_true(e->flow_id < UINT64_C(1) << 53);
	/* Data back wears the public address. */
	const struct spec data = {.port = WEB1,
				  .src = "10.99.0.10",
				  .dst = "198.51.100.66",
				  .sport = 22,
				  .dport = 40000,
				  .flags = TCP_ACK,
				  .payload = 1000};
	assert_int_equal(world_send(w, &data), REASON_NONE);
	assert_int_equal(w->r.out_port, OUTSIDE);
	assert_true(world_has(&w->l.src, "203.0.113.10"));
	assert_int_equal(w->r.direction, DIR_INBOUND);
	assert_int_equal(w->stats.outbound, 0);
	world_free(w);
}

static void udp_partial_out_and_back(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = world_new();
		const char *in = v6 ? "fd99::11" : "10.99.0.11";
		const char *pub = v6 ? "2001:db8:113::11" : "203.0.113.11";
		const char *peer = v6 ? "2001:db8:80::80" : "192.0.2.80";
		const struct spec out = {.port = DB1,
					 .src = in,
					 .dst = peer,
					 .proto = 17,
					 .sport = 5000,
					 .dport = 123,
					 .payload = 48,
					 .partial = true};
		assert_int_equal(world_send(w, &out), REASON_NONE);
		assert_true(world_has(&w->l.src, pub));
		assert_int_equal(w->f.vnet.flags, VNET_NEEDS_CSUM);
		/* Completing the partial sum must give a right one. */
		uint32_t at = w->f.vnet.csum_start;
		uint16_t sum = (uint16_t)~packet_sum(w->f.data + at, w->f.len - at, 0);
		store_be16(w->f.data + at + w->f.vnet.csum_offset, sum);
		w->f.vnet = (struct vnet){0};
		packet_decode(&w->f, &w->l);
		assert_true(packet_checksums_ok(&w->f, &w->l));
		const struct spec back = {.port = OUTSIDE,
					  .src = peer,
					  .dst = pub,
					  .proto = 17,
					  .sport = 123,
					  .dport = 5000,
					  .payload = 48};
		assert_int_equal(world_send(w, &back), REASON_NONE);
		assert_int_equal(w->r.out_port, DB1);
		assert_true(world_has(&w->l.dst, in));
		assert_int_equal(w->counts[EVENT_CONNECTION], 1);
		world_free(w);
	}
}

static void ping_out_and_back(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = world_new();
		const char *in = v6 ? "fd99::11" : "10.99.0.11";
		const char *pub = v6 ? "2001:db8:113::11" : "203.0.113.11";
		const char *peer = v6 ? "2001:db8:80::80" : "192.0.2.80";
		const struct spec ping = {.port = DB1,
					  .src = in,
					  .dst = peer,
					  .proto = v6 ? 58 : 1,
					  .sport = 77,
					  .dport = 1,
					  .payload = 56};
		assert_int_equal(world_send(w, &ping), REASON_NONE);
		assert_true(world_has(&w->l.src, pub));
		struct spec pong = {.port = OUTSIDE,
				    .src = peer,
				    .dst = pub,
				    .proto = v6 ? 58 : 1,
				    .type = v6 ? 129 : 0,
				    .flags = 1,
				    .sport = 77,
				    .dport = 1,
				    .payload = 56};
		assert_int_equal(world_send(w, &pong), REASON_NONE);
		assert_true(world_has(&w->l.dst, in));
		const struct event *e = world_event(w, EVENT_CONNECTION);
		assert_int_equal(e->u.connection.tuple.sport, v6 ? 128 : 8);
		assert_int_equal(e->u.connection.tuple.icmp_id, 77);
		pong.sport = 78; /* nobody asked */
		assert_int_equal(world_send(w, &pong), REASON_NO_FLOW);
		world_free(w);
	}
}

/* A router outside, and then the guest, complain about a packet that they saw translated. */
static void errors_are_translated_inside(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = world_new();
		const char *in = v6 ? "fd99::11" : "10.99.0.11";
		const char *pub = v6 ? "2001:db8:113::11" : "203.0.113.11";
		const char *peer = v6 ? "2001:db8:80::80" : "192.0.2.80";
		const char *router = v6 ? "2001:db8:113::1" : "203.0.113.1";
		struct layers q;
		static uint8_t quoted[128];
		const struct spec out = {.port = DB1,
					 .src = in,
					 .dst = peer,
					 .proto = 17,
					 .sport = 5000,
					 .dport = 9999,
					 .payload = 40};
		assert_int_equal(world_send(w, &out), REASON_NONE);
		memcpy(quoted, w->f.data + 14, w->f.len - 14); /* as the router saw it */
		const struct spec te = {.port = OUTSIDE,
					.src = router,
					.dst = pub,
					.proto = v6 ? 58 : 1,
					.type = v6 ? 3 : 11,
					.payload = w->f.len - 14,
					.body = quoted};
		assert_int_equal(world_send(w, &te), REASON_NONE);
		assert_int_equal(w->r.out_port, DB1);
		assert_true(world_has(&w->l.src, router));
		assert_true(world_has(&w->l.dst, in));
		assert_int_equal(packet_decode_quoted(&w->f, &w->l, &q), 0);
		assert_true(world_has(&q.src, in));
		assert_true(world_has(&q.dst, peer));
		assert_int_equal(q.sport, 5000);
		/* The other way: somebody's packet reaches a closed port of the guest. */
		const struct spec probe = {.port = OUTSIDE,
					   .src = peer,
					   .dst = pub,
					   .proto = 17,
					   .sport = 999,
					   .dport = 161,
					   .payload = 30};
		assert_int_equal(world_send(w, &probe), REASON_NONE);
		memcpy(quoted, w->f.data + 14, w->f.len - 14);
		uint64_t used = w->stats.outbound;
		const struct spec un = {.port = DB1,
					.src = in,
					.dst = peer,
					.proto = v6 ? 58 : 1,
					.type = v6 ? 1 : 3,
					.code = v6 ? 4 : 3,
					.payload = w->f.len - 14,
					.body = quoted};
		assert_int_equal(world_send(w, &un), REASON_NONE);
		assert_int_equal(w->r.out_port, OUTSIDE);
		assert_true(world_has(&w->l.src, pub));
		assert_int_equal(packet_decode_quoted(&w->f, &w->l, &q), 0);
		assert_true(world_has(&q.dst, pub));
		assert_true(world_has(&q.src, peer));
		assert_int_equal(w->stats.outbound, used); /* errors never count */
		assert_int_equal(w->r.direction, DIR_INBOUND);
		/* One about a conversation that never was. */
		store_be16(quoted + (v6 ? 40 : 20), 1);
		assert_int_equal(world_send(w, &un), REASON_NO_FLOW);
		world_free(w);
	}
}

static void forward_changes_address_and_port(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = world_new();
		const char *src = v6 ? "2001:db8:66::66" : "198.51.100.66";
		const char *pub = v6 ? "2001:db8:113::10" : "203.0.113.10";
		const char *in = v6 ? "2001:db8:113::20" : "10.99.0.20";
		const struct spec syn = {
			.port = OUTSIDE, .src = src, .dst = pub, .sport = 40000, .dport = 24};
		world_handshake(w, &syn, LOGHOST, in, 22, src);
		assert_true(world_has(&w->l.dst, in));
		assert_int_equal(w->l.dport, 22);
		const struct spec data = {.port = LOGHOST,
					  .src = in,
					  .dst = src,
					  .sport = 22,
					  .dport = 40000,
					  .flags = TCP_ACK | TCP_PSH,
					  .payload = 11};
		assert_int_equal(world_send(w, &data), REASON_NONE);
		assert_true(world_has(&w->l.src, pub));
		assert_int_equal(w->l.sport, 24);
		world_free(w);
	}
}

static void super_frame_passes_whole(void **state)
{
	struct world *w = world_new();
	const struct spec syn = {.port = OUTSIDE,
				 .src = "198.51.100.66",
				 .dst = "203.0.113.10",
				 .sport = 40000,
				 .dport = 80};
	world_handshake(w, &syn, WEB1, "10.99.0.10", 80, "198.51.100.66");
	const struct spec big = {.port = WEB1,
				 .src = "10.99.0.10",
				 .dst = "198.51.100.66",
				 .sport = 80,
				 .dport = 40000,
				 .flags = TCP_ACK,
				 .payload = 60000,
				 .partial = true,
				 .gso_size = 1448};
	assert_int_equal(world_send(w, &big), REASON_NONE);
	assert_int_equal(w->f.len, 14 + 40 + 60000);
	assert_int_equal(w->f.vnet.gso_size, 1448);
	assert_true(world_has(&w->l.src, "203.0.113.10"));
	world_free(w);
}

static void fragments_follow_their_first(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = world_new();
		const char *in = v6 ? "fd99::11" : "10.99.0.11";
		const char *pub = v6 ? "2001:db8:113::11" : "203.0.113.11";
		const char *peer = v6 ? "2001:db8:80::80" : "192.0.2.80";
		struct spec later = {.port = DB1,
				     .src = in,
				     .dst = peer,
				     .proto = 17,
				     .payload = 800,
				     .frag_id = 5,
				     .frag_offset = 1448,
				     .frag_more = true};
		assert_int_equal(world_send(w, &later), REASON_FRAGMENT); /* alone */
		struct spec first = {.port = DB1,
				     .src = in,
				     .dst = peer,
				     .proto = 17,
				     .sport = 5000,
				     .dport = 99,
				     .payload = 1440,
				     .frag_id = 5,
				     .frag_more = true};
		assert_int_equal(world_send(w, &first), REASON_NONE);
		assert_true(world_has(&w->l.src, pub));
		assert_int_equal(world_send(w, &later), REASON_NONE);
		assert_true(world_has(&w->l.src, pub));
		later.frag_offset = 1448 + 800;
		later.frag_more = false;
		later.payload = 3;
		assert_int_equal(world_send(w, &later), REASON_NONE);
		assert_int_equal(world_send(w, &later), REASON_FRAGMENT); /* that was the last */
		/* Overlaps: over the header, over what came before. */
		first.frag_id = later.frag_id = 6;
		assert_int_equal(world_send(w, &first), REASON_NONE);
		later.frag_offset = 8;
		assert_int_equal(world_send(w, &later), REASON_FRAGMENT);
		later.frag_offset = 1448;
		assert_int_equal(world_send(w, &later), REASON_FRAGMENT);
		assert_true(w->counts[EVENT_ANOMALY] >= 1);
		assert_int_equal(w->counts[EVENT_CONNECTION], 1);
		/* A first fragment too small for its ports opens nothing. */
		struct spec tiny = {.port = DB1,
				    .src = in,
				    .dst = peer,
				    .proto = 6,
				    .frag_offset = 0,
				    .frag_more = true,
				    .frag_id = 7,
				    .flags = TCP_SYN,
				    .sport = 1,
				    .dport = 80};
		world_make(w, &tiny);
		w->f.len -= 12;
		store_be16(w->f.data + (v6 ? 18 : 16),
			   (uint16_t)(load_be16(w->f.data + (v6 ? 18 : 16)) - 12));
		if (!v6) {
			store_be16(w->f.data + 24, 0);
			store_be16(w->f.data + 24, (uint16_t)~packet_sum(w->f.data + 14, 20, 0));
		}
		assert_int_equal(world_judge(w), REASON_FRAGMENT);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_in_and_back),
		cmocka_unit_test(udp_partial_out_and_back),
		cmocka_unit_test(ping_out_and_back),
		cmocka_unit_test(errors_are_translated_inside),
		cmocka_unit_test(forward_changes_address_and_port),
		cmocka_unit_test(super_frame_passes_whole),
		cmocka_unit_test(fragments_follow_their_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
