/* SPDX-License-Identifier: BSD-2-Clause */
/* What collector gets: which conversations, whose, with which addresses, how much, and the totals. */
#include "world.h"

#include <string.h>

static struct judge_tally last;
static uint32_t tallies, ends;

static void on_tally(void *ctx, const struct judge_tally *t)
{
	(void)ctx;
	last = *t;
	tallies++;
	ends += t->ended;
}

static struct world *new_world(bool syslog, bool inside, bool talk)
{
	struct world *w = world_new();
	const struct judge_listener l = {.tally = on_tally};
	w->conf.copies = (struct judge_copies){syslog, inside, talk};
	world_restart(w);
	judge_listen(w->j, &l);
	memset(&last, 0, sizeof(last));
	tallies = ends = 0;
	return w;
}

/* The addresses in a copy of what left. */
static struct layers viewed(struct world *w)
{
	static uint8_t bytes[WORLD_FRAME];
	struct frame f = w->f;
	struct layers l;
	assert_non_null(w->r.copy);
	memcpy(bytes, w->f.data, w->f.len);
	f.data = bytes;
	judge_copy_view(w->r.copy, &f);
	packet_decode(&f, &l);
	return l;
}

static void check_view(struct world *w, const char *src, uint16_t sport, const char *dst,
		       uint16_t dport)
{
	struct layers l = viewed(w);
	assert_true(world_has(&l.src, src));
	assert_true(world_has(&l.dst, dst));
	assert_int_equal(l.sport, sport);
	assert_int_equal(l.dport, dport);
}

static const struct spec telnet = {.port = OUTSIDE,
				   .src = "198.51.100.66",
				   .dst = "203.0.113.11",
				   .sport = 40000,
				   .dport = 23};

static void talk_from_outside_is_seen_from_inside(void **state)
{
	struct world *w = new_world(true, true, true);
	(void)state;
	world_handshake(w, &telnet, DB1, "10.99.0.11", 23, "198.51.100.66");
	check_view(w, "198.51.100.66", 40000, "10.99.0.11", 23);
	assert_int_equal(w->r.copy->to, JUDGE_COPY_TALK);
	assert_int_equal(w->r.copy->guest, DB1);
	assert_int_equal(w->r.copy->peer_guest, 0xffff);
	assert_false(w->r.copy->from_guest);
	assert_false(w->r.copy->begun_by_guest);
	assert_int_equal(w->r.copy->flow_id, w->r.flow_id);
	const struct spec back = {.port = DB1,
				  .src = "10.99.0.11",
				  .dst = "198.51.100.66",
				  .sport = 23,
				  .dport = 40000,
				  .flags = TCP_ACK,
				  .payload = 10};
	assert_int_equal(world_send(w, &back), REASON_NONE);
	assert_true(world_has(&w->l.src, "203.0.113.11")); /* what left */
	check_view(w, "10.99.0.11", 23, "198.51.100.66", 40000);
	assert_true(w->r.copy->from_guest);
	world_free(w);
}

static void talk_of_a_guest_goes_by_its_own_address(void **state)
{
	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = new_world(true, true, true);
		const char *in = v6 ? "fd99::11" : "10.99.0.11",
			   *pub = v6 ? "2001:db8:113::11" : "203.0.113.11",
			   *peer = v6 ? "2001:db8:80::80" : "192.0.2.80";
		const struct spec http = {
			.port = DB1, .src = in, .dst = peer, .sport = 5000, .dport = 80};
		world_handshake(w, &http, OUTSIDE, peer, 80, pub);
		assert_true(world_has(&w->l.src, pub));
		check_view(w, in, 5000, peer, 80);
		assert_true(w->r.copy->from_guest);
		assert_true(w->r.copy->begun_by_guest);
		assert_int_equal(w->r.copy->guest, DB1);
		assert_int_equal(tallies, 0); /* nobody visits */
		world_free(w);
	}
}

static void what_is_not_wanted_is_not_copied(void **state)
{
	static const struct {
		bool syslog, inside, talk;
		uint16_t port;
		uint8_t proto;
	} rows[] = {
		{true, true, true, 22, 6},    {true, true, true, 443, 6},
		{true, true, true, 6514, 6},  {true, true, false, 23, 6},
		{false, false, false, 23, 6}, {true, true, true, 5353, 17},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world *w = new_world(rows[i].syslog, rows[i].inside, rows[i].talk);
		const struct spec s = {.port = OUTSIDE,
				       .src = "198.51.100.66",
				       .dst = "203.0.113.11",
				       .sport = 40000,
				       .dport = rows[i].port,
				       .proto = rows[i].proto,
				       .flags = rows[i].proto == 6 ? TCP_SYN : 0,
				       .payload = rows[i].proto == 6 ? 0 : 10};
		assert_int_equal(world_send(w, &s), REASON_NONE);
		assert_null(w->r.copy);
		world_free(w);
	}
}

static void syslog_has_a_ring_of_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct world *w = new_world(i % 2 == 0, true, true);
		const struct spec s = {.port = DB1,
				       .src = i < 2 ? "10.99.0.11" : "fd99::11",
				       .dst = i < 2 ? "10.99.0.20" : "2001:db8:113::20",
				       .proto = 17,
				       .sport = 5000,
				       .dport = 514,
				       .payload = 100,
				       .dmac = &mac_loghost};
		assert_int_equal(world_send(w, &s), REASON_NONE);
		assert_int_equal(w->r.copy != NULL, i % 2 == 0);
		if (w->r.copy != NULL) {
			assert_int_equal(w->r.copy->to, JUDGE_COPY_SYSLOG);
			assert_int_equal(w->r.copy->guest, DB1);
			assert_int_equal(w->r.copy->peer_guest, LOGHOST);
			assert_true(w->r.copy->from_guest);
			assert_int_equal(w->r.copy->direction, DIR_LATERAL);
			check_view(w, s.src, 5000, s.dst, 514);
		}
		world_free(w);
	}
}

/* Kept lines are told as conversations once a minute; what is not kept, each time. */
static void datagrams_of_syslog_are_told_once_a_minute(void **state)
{
	(void)state;
	for (unsigned kept = 0; kept < 2; kept++) {
		struct world *w = new_world(kept, true, true);
		struct spec s = {.port = DB1,
				 .src = "10.99.0.11",
				 .dst = "10.99.0.20",
				 .proto = 17,
				 .dport = 514,
				 .payload = 100,
				 .dmac = &mac_loghost};
		for (uint16_t i = 0; i < 5; i++) {
			s.sport = (uint16_t)(5000 + i);
			assert_int_equal(world_send(w, &s), REASON_NONE);
		}
		assert_int_equal(w->counts[EVENT_CONNECTION], kept ? 1 : 5);
		w->now += 61 * NS_PER_SEC;
		s.sport = 5005;
		assert_int_equal(world_send(w, &s), REASON_NONE);
		assert_int_equal(w->counts[EVENT_CONNECTION], kept ? 2 : 6);
		judge_finish(w->j, w->now);
		assert_int_equal(w->counts[EVENT_FLOW], kept ? 2 : 6);
		world_free(w);
	}
}

static void syslog_by_tcp_both_ways_and_no_talk(void **state)
{
	struct world *w = new_world(true, true, true);
	const struct spec s = {.port = DB1,
			       .src = "10.99.0.11",
			       .dst = "10.99.0.20",
			       .sport = 5000,
			       .dport = 514,
			       .smac = &mac_db1,
			       .dmac = &mac_loghost};
	(void)state;
	world_handshake(w, &s, LOGHOST, "10.99.0.20", 514, "10.99.0.11");
	assert_int_equal(w->r.copy->to, JUDGE_COPY_SYSLOG);
	const struct spec back = {.port = LOGHOST,
				  .src = "10.99.0.20",
				  .dst = "10.99.0.11",
				  .sport = 514,
				  .dport = 5000,
				  .flags = TCP_ACK,
				  .smac = &mac_loghost,
				  .dmac = &mac_db1};
	assert_int_equal(world_send(w, &back), REASON_NONE);
	assert_int_equal(w->r.copy->to, JUDGE_COPY_SYSLOG);
	assert_false(w->r.copy->from_guest);
	assert_int_equal(w->r.copy->guest, DB1);
	assert_int_equal(tallies, 0);
	world_free(w);
}

static void between_guests_the_asked_one_counts(void **state)
{
	struct world *w = new_world(true, true, true);
	const struct spec s = {.port = WEB1,
			       .src = "10.99.0.10",
			       .dst = "10.99.0.11",
			       .sport = 5000,
			       .dport = 23,
			       .smac = &mac_web1,
			       .dmac = &mac_db1};
	(void)state;
	world_handshake(w, &s, DB1, "10.99.0.11", 23, "10.99.0.10");
	assert_int_equal(w->r.copy->guest, DB1);
	assert_int_equal(w->r.copy->peer_guest, WEB1);
	assert_false(w->r.copy->from_guest);
	assert_int_equal(tallies, 1);
	assert_int_equal(last.guest, DB1);
	assert_int_equal(last.peer_guest, WEB1);
	world_free(w);
}

/* A MiB of payload a direction, each for itself; then only the end. */
static void the_budget_ends_and_the_end_is_told(void **state)
{
	struct world *w = new_world(true, true, true);
	struct spec data = telnet;
	uint32_t copied = 0, sent = 0;
	(void)state;
	world_handshake(w, &telnet, DB1, "10.99.0.11", 23, "198.51.100.66");
	data.flags = TCP_ACK;
	data.payload = 1400;
	data.seq = 1001;
	data.ack = 5001;
	for (; sent < 900; sent++) {
		assert_int_equal(world_send(w, &data), REASON_NONE);
		copied += w->r.copy != NULL;
		data.seq += 1400;
	}
	assert_true(copied > 700 && copied * 1400 <= 1 << 20);
	struct spec back = {.port = DB1,
			    .src = "10.99.0.11",
			    .dst = "198.51.100.66",
			    .sport = 23,
			    .dport = 40000,
			    .flags = TCP_ACK,
			    .payload = 10};
	assert_int_equal(world_send(w, &back), REASON_NONE);
	assert_non_null(w->r.copy);
	data.flags = TCP_FIN | TCP_ACK;
	assert_int_equal(world_send(w, &data), REASON_NONE);
	assert_non_null(w->r.copy);
	world_free(w);
}

static void totals_once_a_second_and_at_the_end(void **state)
{
	struct world *w = new_world(true, true, false);
	struct spec ssh = telnet, data;
	(void)state;
	ssh.dport = 22;
	world_handshake(w, &ssh, DB1, "10.99.0.11", 22, "198.51.100.66");
	assert_null(w->r.copy);
	assert_int_equal(tallies, 1);
	data = ssh;
	data.flags = TCP_ACK;
	data.payload = 1000;
	data.seq = 1001;
	data.ack = 5001;
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(world_send(w, &data), REASON_NONE);
		data.seq += 1000;
	}
	assert_int_equal(tallies, 1);
	world_wait(w, NS_PER_SEC);
	assert_int_equal(world_send(w, &data), REASON_NONE);
	assert_int_equal(tallies, 2);
	assert_int_equal(last.guest, DB1);
	assert_int_equal(last.port, 22);
	assert_int_equal(last.peer_port, 40000);
	assert_true(world_has(&last.inside, "10.99.0.11"));
	assert_true(world_has(&last.peer, "198.51.100.66"));
	assert_true(last.to_guest > 99000 && last.to_guest <= 101000);
	assert_int_equal(last.from_guest, 0);
	data.flags = TCP_RST;
	data.payload = 0;
	assert_int_equal(world_send(w, &data), REASON_NONE);
	assert_int_equal(ends, 1);
	world_wait(w, 60 * NS_PER_SEC); /* it leaves the table: told already */
	assert_int_equal(ends, 1);
	world_free(w);
}

/* Without a word of goodbye; and what never was a conversation has no totals. */
static void the_end_of_a_silent_one(void **state)
{
	struct world *w = new_world(true, true, false);
	struct spec ssh = telnet;
	(void)state;
	ssh.dport = 22;
	ssh.sport = 40001;
	ssh.flags = TCP_SYN;
	assert_int_equal(world_send(w, &ssh), REASON_NONE);
	ssh.sport = 40000;
	world_handshake(w, &ssh, DB1, "10.99.0.11", 22, "198.51.100.66");
	assert_int_equal(tallies, 1);
	judge_finish(w->j, w->now);
	assert_int_equal(tallies, 2);
	assert_int_equal(ends, 1);
	world_free(w);
}

/* Later pieces go with the first. */
static void fragments_of_syslog(void **state)
{
	struct world *w = new_world(true, true, true);
	struct spec first = {.port = DB1,
			     .src = "10.99.0.11",
			     .dst = "10.99.0.20",
			     .proto = 17,
			     .sport = 5000,
			     .dport = 514,
			     .payload = 1200,
			     .frag_id = 7,
			     .frag_more = true,
			     .dmac = &mac_loghost};
	(void)state;
	assert_int_equal(world_send(w, &first), REASON_NONE);
	assert_non_null(w->r.copy);
	first.frag_more = false;
	first.frag_offset = 1208;
	first.payload = 100;
	assert_int_equal(world_send(w, &first), REASON_NONE);
	assert_non_null(w->r.copy);
	assert_int_equal(w->r.copy->to, JUDGE_COPY_SYSLOG);
	world_free(w);
}

/* ---- rules that replace --------------------------------------------------------------------------- */

struct heard {
	uint32_t released, sent;
	struct judge_copy copy;
};

static void on_released(void *ctx, const struct judge_copy *c, const struct frame *f)
{
	struct heard *h = ctx;
	assert_non_null(f);
	h->copy = *c;
	h->released++;
}

static void on_sent(void *ctx, uint16_t port, struct frame *f)
{
	struct heard *h = ctx;
	assert_non_null(f);
	assert_int_equal(port, DB1);
	assert_int_equal(h->released, ++h->sent); /* told before */
}

/* What a rule makes wait is copied when it leaves, in pieces. */
static void what_waited_is_copied_when_it_leaves(void **state)
{
	struct world *w = new_world(true, true, true);
	struct heard h = {0};
	const struct judge_listener l = {.released = on_released, .ctx = &h};
	struct spec data = telnet;
	(void)state;
	world_rules(w,
		    "rewrite tcp any any -> any any (msg:\"tcp\"; content:\"evil\"; "
		    "replace:\"rather good\"; sid:3;)\n",
		    false);
	judge_listen(w->j, &l);
	world_handshake(w, &telnet, DB1, "10.99.0.11", 23, "198.51.100.66");
	data.flags = TCP_ACK;
	data.seq = 1001;
	data.ack = 5001;
	data.body = "so ev";
	data.payload = 5;
	assert_int_equal(world_send(w, &data), REASON_NONE);
	assert_non_null(w->r.copy);
	assert_true(w->r.changed);
	w->now += 201 * NS_PER_MS;
	judge_release(w->j, w->now, on_sent, &h);
	assert_int_equal(h.sent, 1);
	assert_int_equal(h.released, 1);
	assert_int_equal(h.copy.guest, DB1);
	assert_int_equal(h.copy.flow_id, w->r.flow_id);
	assert_false(h.copy.from_guest);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(talk_from_outside_is_seen_from_inside),
		cmocka_unit_test(talk_of_a_guest_goes_by_its_own_address),
		cmocka_unit_test(what_is_not_wanted_is_not_copied),
		cmocka_unit_test(syslog_has_a_ring_of_its_own),
		cmocka_unit_test(datagrams_of_syslog_are_told_once_a_minute),
		cmocka_unit_test(syslog_by_tcp_both_ways_and_no_talk),
		cmocka_unit_test(between_guests_the_asked_one_counts),
		cmocka_unit_test(the_budget_ends_and_the_end_is_told),
		cmocka_unit_test(totals_once_a_second_and_at_the_end),
		cmocka_unit_test(the_end_of_a_silent_one),
		cmocka_unit_test(fragments_of_syslog),
		cmocka_unit_test(what_waited_is_copied_when_it_leaves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
