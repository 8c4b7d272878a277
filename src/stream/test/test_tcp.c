/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "stream/test/talk.h"

static struct talk t;

static int setup(void **state)
{
	static const struct stream_conf conf = {.flows = 64, .policy = POLICY_BSD};

	(void)state;
	talk_begin(&t, &conf, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	talk_end(&t);
	return 0;
}

/* Begins anew with other settings. */
static void again(struct stream_conf conf)
{
	talk_end(&t);
	conf.flows = 64;
	talk_begin(&t, &conf, 1 << 20);
}

static void assert_out(unsigned dir, const char *text)
{
	assert_int_equal(t.len[dir], strlen(text));
	assert_memory_equal(t.out[dir], text, strlen(text));
}

static unsigned now_in(void)
{
	return t.r.flow->state;
}

static void test_conversation(void **state)
{
	(void)state;
	talk_tcp(&t, TO_SERVER, 0, 0, SYN, NULL, 0);
	assert_true(t.r.first);
	assert_int_equal(now_in(), STREAM_SYN_SENT);
	talk_tcp(&t, TO_CLIENT, 0, 1, SYN | ACK, NULL, 0);
	assert_false(t.r.first);
	assert_int_equal(t.r.dir, TO_CLIENT);
	assert_int_equal(now_in(), STREAM_SYN_RECV);
	assert_false(t.r.flow->established);
	talk_tcp(&t, TO_SERVER, 1, 1, ACK, NULL, 0);
	assert_int_equal(now_in(), STREAM_ESTABLISHED);
	assert_false(t.r.flow->established); /* from the next packet on */
	talk_text(&t, TO_SERVER, 1, 1, "hello");
	assert_true(t.r.flow->established);
	assert_true(t.r.added);
	assert_out(0, ""); /* not yet acknowledged */
	talk_text(&t, TO_CLIENT, 1, 6, "world");
	assert_true(t.r.grown[0]);
	assert_out(0, "hello");
	talk_tcp(&t, TO_SERVER, 6, 6, FIN | ACK, NULL, 0);
	assert_int_equal(now_in(), STREAM_CLOSE_WAIT);
	assert_out(1, "world");
	assert_true(t.r.flow->side[0].fin);
	talk_tcp(&t, TO_CLIENT, 6, 7, FIN | ACK, NULL, 0);
	assert_int_equal(now_in(), STREAM_LAST_ACK);
	talk_tcp(&t, TO_SERVER, 7, 7, ACK, NULL, 0);
	assert_int_equal(now_in(), STREAM_CLOSED);
	assert_false(talk_any_event(&t));
}

static void test_server_closes_first(void **state)
{
	(void)state;
	talk_handshake(&t);
	talk_tcp(&t, TO_CLIENT, 1, 1, FIN | ACK, NULL, 0);
	assert_int_equal(now_in(), STREAM_FIN_WAIT1);
	talk_tcp(&t, TO_SERVER, 1, 2, ACK, NULL, 0);
	assert_int_equal(now_in(), STREAM_FIN_WAIT2);
	talk_text(&t, TO_SERVER, 1, 2, "more");
	talk_tcp(&t, TO_CLIENT, 2, 5, ACK, NULL, 0);
	assert_out(0, "more");
	talk_tcp(&t, TO_SERVER, 5, 2, FIN | ACK, NULL, 0);
	assert_int_equal(now_in(), STREAM_TIME_WAIT);
	talk_tcp(&t, TO_CLIENT, 2, 6, ACK, NULL, 0);
	assert_int_equal(now_in(), STREAM_CLOSED);
	assert_false(talk_any_event(&t));
}

static void test_both_close_at_once(void **state)
{
	(void)state;
	talk_handshake(&t);
	talk_tcp(&t, TO_CLIENT, 1, 1, FIN | ACK, NULL, 0);
	talk_tcp(&t, TO_SERVER, 1, 1, FIN | ACK, NULL, 0);
	assert_int_equal(now_in(), STREAM_CLOSING);
	talk_tcp(&t, TO_SERVER, 2, 2, ACK, NULL, 0);
	assert_int_equal(now_in(), STREAM_TIME_WAIT);
	talk_tcp(&t, TO_CLIENT, 2, 2, ACK, NULL, 0);
	assert_int_equal(now_in(), STREAM_CLOSED);
	assert_false(talk_any_event(&t));
}

/* What a reset leaves unacknowledged comes out, even behind a gap; its own data don't. */
static void test_reset_releases(void **state)
{
	(void)state;
	talk_handshake(&t);
	talk_text(&t, TO_CLIENT, 1, 1, "Please ");
	talk_text(&t, TO_CLIENT, 12, 1, " In");
	talk_tcp(&t, TO_CLIENT, 16, 0, RST, "Denied", 6);
	assert_true(t.r.bad); /* a reset out of order is none (BSD) */
	talk_text(&t, TO_CLIENT, 15, 1, "!");
	talk_tcp(&t, TO_SERVER, 1, 1, RST | ACK, "Denied", 6);
	assert_int_equal(now_in(), STREAM_CLOSED);
	assert_out(1, "Please  In!");
	assert_int_equal(t.lost[1], 4);
	assert_out(0, "");
	assert_false(talk_event(&t, "reassembly_seq_gap"));
}

static void test_reset_checks(void **state)
{
	(void)state;
	talk_handshake(&t);
	talk_tcp(&t, TO_SERVER, 2, 0, RST, NULL, 0);
	assert_true(t.r.bad);
	assert_int_equal(now_in(), STREAM_ESTABLISHED);
	talk_tcp(&t, TO_SERVER, 1, 900000, RST | ACK, NULL, 0);
	assert_true(t.r.bad);
	assert_true(talk_event(&t, "rst_invalid_ack"));
	talk_tcp(&t, TO_SERVER, 1, 0, RST, NULL, 0);
	assert_int_equal(now_in(), STREAM_CLOSED);
	talk_text(&t, TO_CLIENT, 1, 1, "what reset?");
	assert_true(talk_event(&t, "suspected_rst_inject"));
	again((struct stream_conf){.policy = POLICY_LINUX});
	talk_handshake(&t);
	talk_tcp(&t, TO_SERVER, 2, 0, RST, NULL, 0);
	assert_int_equal(now_in(), STREAM_CLOSED);
	again((struct stream_conf){0});
	talk_tcp(&t, TO_SERVER, 0, 0, SYN, NULL, 0);
	talk_tcp(&t, TO_CLIENT, 0, 5, RST | ACK, NULL, 0);
	assert_int_equal(now_in(), STREAM_SYN_SENT);
	talk_tcp(&t, TO_CLIENT, 0, 1, RST | ACK, NULL, 0);
	assert_int_equal(now_in(), STREAM_CLOSED);
}

static void test_reuse(void **state)
{
	uint64_t id;

	(void)state;
	talk_handshake(&t);
	id = t.r.flow->id;
	talk_tcp(&t, TO_SERVER, 1, 1, RST | ACK, NULL, 0);
	talk_tcp(&t, TO_SERVER, 0, 0, SYN, NULL, 0);
	assert_int_equal(t.r.flow->id, id); /* the same SYN again is not a new one */
	t.isn[0] += 100000;
	talk_tcp(&t, TO_SERVER, 0, 0, SYN, NULL, 0);
	assert_int_not_equal(t.r.flow->id, id);
	assert_true(t.r.first);
	assert_int_equal(t.ended, 1);
	assert_string_equal(t.reason, "reused");
	talk_tcp(&t, TO_CLIENT, 0, 1, SYN | ACK, NULL, 0);
	talk_tcp(&t, TO_SERVER, 1, 1, ACK, NULL, 0);
	assert_int_equal(now_in(), STREAM_ESTABLISHED);
}

static void test_fast_open(void **state)
{
	(void)state;
	t.p.tcp.has_tfo = true;
	talk_tcp(&t, TO_SERVER, 0, 0, SYN, "GET", 3);
	assert_out(0, "");
	t.p.tcp.has_tfo = false;
	talk_tcp(&t, TO_CLIENT, 0, 4, SYN | ACK, NULL, 0);
	assert_out(0, "GET");
	talk_text(&t, TO_CLIENT, 1, 4, "answer"); /* before the third packet */
	assert_int_equal(now_in(), STREAM_ESTABLISHED);
	talk_tcp(&t, TO_SERVER, 4, 7, ACK, NULL, 0);
	assert_out(1, "answer");
	assert_false(talk_any_event(&t));
	again((struct stream_conf){0});
	t.p.tcp.has_tfo = true;
	talk_tcp(&t, TO_SERVER, 0, 0, SYN, "GET", 3);
	talk_tcp(&t, TO_CLIENT, 0, 1, SYN | ACK, NULL, 0);
	assert_true(talk_event(&t, "3whs_synack_tfo_data_ignored"));
	talk_text(&t, TO_SERVER, 1, 1, "PUT");
	talk_tcp(&t, TO_CLIENT, 1, 4, ACK, NULL, 0);
	assert_out(0, "PUT");
	again((struct stream_conf){0});
	talk_tcp(&t, TO_SERVER, 0, 0, SYN, "GET", 3); /* no fast open: no data */
	talk_tcp(&t, TO_CLIENT, 0, 4, SYN | ACK, NULL, 0);
	assert_true(talk_event(&t, "3whs_synack_with_wrong_ack"));
	assert_int_equal(now_in(), STREAM_SYN_SENT);
}

static void test_both_open(void **state)
{
	(void)state;
	talk_tcp(&t, TO_SERVER, 0, 0, SYN, NULL, 0);
	talk_tcp(&t, TO_CLIENT, 0, 0, SYN, NULL, 0);
	talk_tcp(&t, TO_SERVER, 0, 9, SYN | ACK, NULL, 0);
	assert_true(talk_event(&t, "4whs_synack_with_wrong_ack"));
	talk_tcp(&t, TO_SERVER, 3, 1, SYN | ACK, NULL, 0);
	assert_true(talk_event(&t, "4whs_synack_with_wrong_syn"));
	talk_tcp(&t, TO_SERVER, 0, 1, SYN | ACK, NULL, 0);
	talk_tcp(&t, TO_CLIENT, 0, 1, SYN | ACK, NULL, 0);
	assert_int_equal(now_in(), STREAM_SYN_RECV);
	talk_tcp(&t, TO_CLIENT, 1, 1, ACK, NULL, 0);
	assert_int_equal(now_in(), STREAM_ESTABLISHED);
	talk_text(&t, TO_SERVER, 1, 1, "x");
	talk_text(&t, TO_CLIENT, 1, 2, "y");
	assert_out(0, "x");
	assert_false(talk_any_event(&t));
}

/* Many SYNs: the one that is answered counts; more than eleven are a flood. */
static void test_many_syns(void **state)
{
	uint32_t floods = 0;

	(void)state;
	for (uint32_t i = 0; i < 24; i++) {
		talk_tcp(&t, TO_SERVER, i * 1000, 0, SYN, NULL, 0);
		floods += talk_event(&t, "3whs_syn_flood");
	}
	assert_int_equal(floods, 13);
	talk_tcp(&t, TO_CLIENT, 0, 5001, SYN | ACK, NULL, 0); /* forgotten by then */
	assert_true(talk_event(&t, "3whs_synack_with_wrong_ack"));
	talk_tcp(&t, TO_CLIENT, 0, 20001, SYN | ACK, NULL, 0);
	talk_tcp(&t, TO_SERVER, 20001, 1, ACK, NULL, 0);
	assert_int_equal(now_in(), STREAM_ESTABLISHED);
	talk_text(&t, TO_SERVER, 20001, 1, "data");
	talk_tcp(&t, TO_CLIENT, 1, 20005, ACK, NULL, 0);
	assert_out(0, "data");
}

static void test_handshake_events(void **state)
{
	(void)state;
	talk_tcp(&t, TO_SERVER, 0, 0, SYN, NULL, 0);
	talk_tcp(&t, TO_SERVER, 0, 1, SYN | ACK, NULL, 0);
	assert_true(talk_event(&t, "3whs_synack_in_wrong_direction"));
	talk_tcp(&t, TO_CLIENT, 0, 1, SYN | ACK, NULL, 0);
	talk_tcp(&t, TO_CLIENT, 0, 7, SYN | ACK, NULL, 0);
	assert_true(talk_event(&t, "3whs_synack_resend_with_different_ack"));
	talk_tcp(&t, TO_SERVER, 0, 1, SYN | ACK, NULL, 0);
	assert_true(talk_event(&t, "3whs_synack_toserver_on_syn_recv"));
	talk_tcp(&t, TO_CLIENT, 0, 0, SYN, NULL, 0);
	assert_true(talk_event(&t, "3whs_syn_toclient_on_syn_recv"));
	talk_tcp(&t, TO_SERVER, 8, 0, SYN, NULL, 0);
	assert_true(talk_event(&t, "3whs_syn_resend_diff_seq_on_syn_recv"));
	talk_tcp(&t, TO_CLIENT, 1, 1, ACK, NULL, 0);
	assert_true(talk_event(&t, "3whs_ack_in_wrong_dir"));
	talk_tcp(&t, TO_SERVER, 1, 300, ACK, NULL, 0);
	assert_true(talk_event(&t, "3whs_right_seq_wrong_ack_evasion"));
	talk_tcp(&t, TO_SERVER, 500000, 300, ACK, NULL, 0);
	assert_true(talk_event(&t, "3whs_wrong_seq_wrong_ack"));
	for (uint32_t i = 1; i < 6; i++) {
		talk_tcp(&t, TO_CLIENT, i * 50, 1, SYN | ACK, NULL, 0);
		assert_true(talk_event(&t, "3whs_synack_resend_with_diff_seq"));
	}
	talk_tcp(&t, TO_CLIENT, 900, 1, SYN | ACK, NULL, 0);
	assert_true(talk_event(&t, "3whs_synack_flood"));
	talk_tcp(&t, TO_SERVER, 1, 151, ACK, NULL, 0); /* the third of them is the real one */
	assert_int_equal(now_in(), STREAM_ESTABLISHED);
	talk_text(&t, TO_CLIENT, 151, 1, "hi");
	talk_tcp(&t, TO_SERVER, 1, 153, ACK, NULL, 0);
	assert_out(1, "hi");
}

static void test_established_events(void **state)
{
	(void)state;
	talk_handshake(&t);
	talk_tcp(&t, TO_CLIENT, 0, 1, SYN | ACK, NULL, 0);
	assert_true(talk_event(&t, "est_synack_resend"));
	talk_tcp(&t, TO_CLIENT, 0, 2, SYN | ACK, NULL, 0);
	assert_true(talk_event(&t, "est_synack_resend_with_different_ack"));
	talk_tcp(&t, TO_CLIENT, 4, 1, SYN | ACK, NULL, 0);
	assert_true(talk_event(&t, "est_synack_resend_with_diff_seq"));
	talk_tcp(&t, TO_SERVER, 0, 1, SYN | ACK, NULL, 0);
	assert_true(talk_event(&t, "est_synack_toserver"));
	talk_tcp(&t, TO_SERVER, 0, 0, SYN, NULL, 0);
	assert_true(talk_event(&t, "est_syn_resend"));
	talk_tcp(&t, TO_SERVER, 3, 0, SYN, NULL, 0);
	assert_true(talk_event(&t, "est_syn_resend_diff_seq"));
	talk_tcp(&t, TO_CLIENT, 0, 0, SYN, NULL, 0);
	assert_true(talk_event(&t, "est_syn_toclient"));
	talk_text(&t, TO_SERVER, 200000, 1, "far out");
	assert_true(t.r.bad);
	assert_true(talk_event(&t, "est_packet_out_of_window"));
	talk_text(&t, TO_SERVER, 1, 200000, "bad ack");
	assert_true(talk_event(&t, "est_invalid_ack"));
	talk_text(&t, TO_SERVER, 1, 1, "good");
	talk_tcp(&t, TO_CLIENT, 1, 5, ACK, NULL, 0);
	assert_false(talk_any_event(&t));
	talk_text(&t, TO_SERVER, 1, 1, "go");
	assert_true(talk_event(&t, "est_pkt_before_last_ack"));
	talk_text(&t, TO_SERVER, 1, 1, "good");
	assert_true(talk_event(&t, "pkt_spurious_retransmission"));
	talk_tcp(&t, TO_SERVER, 4, 1, ACK, "d", 1); /* keep-alive */
	assert_false(talk_any_event(&t));
	talk_tcp(&t, TO_SERVER, 300000, 1, FIN | ACK, NULL, 0);
	assert_true(talk_event(&t, "fin_out_of_window"));
	talk_tcp(&t, TO_SERVER, 5, 300000, FIN | ACK, NULL, 0);
	assert_true(talk_event(&t, "fin_invalid_ack"));
	assert_out(0, "good");
}

static void test_shutdown_events(void **state)
{
	(void)state;
	talk_handshake(&t);
	talk_tcp(&t, TO_SERVER, 1, 1, FIN | ACK, NULL, 0);
	talk_tcp(&t, TO_SERVER, 0, 0, SYN, NULL, 0);
	assert_true(talk_event(&t, "shutdown_syn_resend"));
	talk_tcp(&t, TO_SERVER, 1, 1, FIN | ACK, NULL, 0);
	assert_true(talk_event(&t, "pkt_retransmission"));
	talk_text(&t, TO_CLIENT, 300000, 2, "far");
	assert_true(talk_event(&t, "closewait_ack_out_of_window"));
	talk_tcp(&t, TO_CLIENT, 300000, 2, FIN | ACK, NULL, 0);
	assert_true(talk_event(&t, "closewait_fin_out_of_window"));
	talk_tcp(&t, TO_CLIENT, 1, 300000, ACK, NULL, 0);
	assert_true(talk_event(&t, "closewait_invalid_ack"));
	talk_tcp(&t, TO_CLIENT, 1, 2, FIN | ACK, NULL, 0);
	talk_tcp(&t, TO_SERVER, 2, 300000, ACK, NULL, 0);
	assert_true(talk_event(&t, "lastack_invalid_ack"));
	again((struct stream_conf){0});
	talk_handshake(&t);
	talk_tcp(&t, TO_CLIENT, 1, 1, FIN | ACK, NULL, 0);
	talk_tcp(&t, TO_SERVER, 300000, 1, FIN | ACK, NULL, 0);
	assert_true(talk_event(&t, "fin1_fin_wrong_seq"));
	talk_tcp(&t, TO_SERVER, 300000, 1, ACK, "xy", 2);
	assert_true(talk_event(&t, "fin1_ack_wrong_seq"));
	talk_tcp(&t, TO_SERVER, 1, 300000, ACK, NULL, 0);
	assert_true(talk_event(&t, "fin1_invalid_ack"));
}

static void test_timestamps(void **state)
{
	(void)state;
	t.p.tcp.has_ts = true;
	t.p.tcp.ts_val = 1000;
	talk_handshake(&t);
	t.p.tcp.ts_val = 1010;
	talk_text(&t, TO_SERVER, 6, 1, "later");
	t.p.tcp.ts_val = 1005; /* only reordered */
	talk_text(&t, TO_SERVER, 1, 1, "first");
	assert_false(talk_any_event(&t));
	t.p.tcp.ts_val = 900;
	talk_text(&t, TO_SERVER, 11, 1, "stray");
	assert_true(t.r.bad);
	assert_true(talk_event(&t, "pkt_invalid_timestamp"));
	t.p.tcp.ts_val = 1010;
	talk_text(&t, TO_SERVER, 11, 1, "right");
	talk_tcp(&t, TO_CLIENT, 1, 16, ACK, NULL, 0);
	assert_out(0, "firstlaterright");
}

static void test_no_session(void **state)
{
	(void)state;
	talk_text(&t, TO_SERVER, 1, 1, "hello");
	assert_non_null(t.r.flow);
	assert_true(t.r.first);
	assert_false(t.r.flow->tcp);
	assert_false(t.r.flow->established);
	assert_false(t.r.added);
	assert_false(talk_any_event(&t));
	talk_tcp(&t, TO_CLIENT, 1, 0, RST, NULL, 0);
	assert_true(talk_event(&t, "rst_but_no_session"));
	talk_tcp(&t, TO_SERVER, 1, 1, FIN | ACK, NULL, 0);
	assert_true(talk_event(&t, "fin_but_no_session"));
	talk_tcp(&t, TO_CLIENT, 0, 0, SYN, NULL, 0); /* the other way round: a new flow */
	assert_true(t.r.first);
	assert_int_equal(t.r.dir, TO_SERVER);
	talk_tcp(&t, TO_SERVER, 0, 5, RST, NULL, 0);
	assert_int_equal(now_in(), STREAM_SYN_SENT); /* without ACK it answers nothing */
}

static void test_midstream(void **state)
{
	(void)state;
	again((struct stream_conf){.midstream = true});
	talk_text(&t, TO_SERVER, 100, 200, "hello");
	assert_true(t.r.flow->midstream);
	assert_int_equal(now_in(), STREAM_ESTABLISHED);
	talk_text(&t, TO_CLIENT, 200, 105, "world");
	assert_out(0, "hello");
	talk_tcp(&t, TO_SERVER, 105, 205, ACK, NULL, 0);
	assert_out(1, "world");
	again((struct stream_conf){.midstream = true});
	talk_tcp(&t, TO_CLIENT, 0, 1, SYN | ACK, NULL, 0);
	assert_int_equal(t.r.dir, TO_CLIENT);
	assert_int_equal(t.r.flow->port[1], 80);
	assert_int_equal(now_in(), STREAM_SYN_RECV);
	talk_tcp(&t, TO_SERVER, 1, 1, ACK, NULL, 0);
	talk_text(&t, TO_SERVER, 1, 1, "hello");
	talk_tcp(&t, TO_CLIENT, 1, 6, ACK, NULL, 0);
	assert_out(0, "hello");
}

static void test_inline(void **state)
{
	(void)state;
	again((struct stream_conf){.inline_mode = true, .policy = POLICY_LAST});
	talk_tcp(&t, TO_SERVER, 0, 0, SYN, NULL, 0);
	talk_tcp(&t, TO_CLIENT, 0, 1, SYN | ACK, NULL, 0);
	talk_text(&t, TO_CLIENT, 1, 1, "injected");
	assert_true(t.r.bad);
	assert_true(talk_event(&t, "3whs_ack_data_inject"));
	talk_tcp(&t, TO_SERVER, 1, 1, ACK, NULL, 0);
	t.lazy = true;
	talk_text(&t, TO_SERVER, 1, 1, "GOOD");
	assert_true(t.r.grown[0]);
	talk_text(&t, TO_SERVER, 1, 1, "EVIL");
	assert_true(talk_event(&t, "reassembly_overlap_different_data"));
	t.lazy = false;
	talk_text(&t, TO_SERVER, 5, 1, "!");
	assert_out(0, "GOOD!");
}

static void test_bad_checksum(void **state)
{
	(void)state;
	again((struct stream_conf){.checksums = true});
	talk_handshake(&t);
	t.p.bad_l4_csum = true;
	talk_text(&t, TO_SERVER, 1, 1, "EVIL");
	assert_true(t.r.bad);
	t.p.bad_l4_csum = false;
	talk_text(&t, TO_SERVER, 1, 1, "GOOD");
	talk_tcp(&t, TO_CLIENT, 1, 5, ACK, NULL, 0);
	assert_out(0, "GOOD");
}

static void test_names(void **state)
{
	unsigned n = 0;

	(void)state;
	for (; stream_event_name(n); n++)
		assert_int_equal(stream_event_by_name(stream_event_name(n)), n);
	assert_true(n >= 65);
	assert_int_equal(stream_event_by_name("no_such_event"), -1);
}

#define TEST(x) cmocka_unit_test_setup_teardown(x, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_conversation),       TEST(test_server_closes_first),
		TEST(test_both_close_at_once), TEST(test_reset_releases),
		TEST(test_reset_checks),       TEST(test_reuse),
		TEST(test_fast_open),          TEST(test_both_open),
		TEST(test_many_syns),          TEST(test_handshake_events),
		TEST(test_established_events), TEST(test_shutdown_events),
		TEST(test_timestamps),         TEST(test_no_session),
		TEST(test_midstream),          TEST(test_inline),
		TEST(test_bad_checksum),       cmocka_unit_test(test_names)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
