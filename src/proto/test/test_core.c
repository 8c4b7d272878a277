/* SPDX-License-Identifier: BSD-2-Clause */
/* The core: detection of both sides, the table of buffers, transactions, helpers. */
#include "talk.h"

#include "base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void say(struct talk *t, unsigned dir, const char *text)
{
	talk_say(t, dir, text, (uint32_t)strlen(text), 0);
}

static bool flow_event(const struct talk *t, const char *name)
{
	enum app_proto p = APP_HTTP;
	int e = app_event_by_name(name, strlen(name), &p);
	assert_true(e >= 0);
	assert_int_equal(p, APP_UNKNOWN);
	return (t->app->events[0] >> e & 1) != 0;
}

static void test_buffer_table(void **state)
{
	static const struct {
		const char *name;
		enum app_buffer id;
	} old[] = {{"http_uri", BUF_HTTP_URI},   {"uricontent", BUF_HTTP_URI},
		   {"file_data", BUF_FILE_DATA}, {"http_client_body", BUF_HTTP_REQUEST_BODY},
		   {"dns_query", BUF_DNS_QUERY}, {"tls_sni", BUF_TLS_SNI},
		   {"ja3_hash", BUF_JA3_HASH},   {"dce_stub_data", BUF_DCE_STUB_DATA}};
	for (unsigned i = 0; i < APP_BUFFERS; i++) {
		const struct app_buffer_row *r = app_buffer_row(i);
		assert_int_equal(r->id, i);
		assert_ptr_equal(app_buffer_by_name(r->name, strlen(r->name)), r);
		assert_true((r->flags & (BUFFER_TS | BUFFER_TC)) != 0);
		if ((r->flags & BUFFER_PACKET) != 0)
			continue;
		assert_non_null(r->protos);
		assert_int_equal((r->flags & BUFFER_TS) != 0, r->progress[TO_SERVER] != 0);
		assert_int_equal((r->flags & BUFFER_TC) != 0, r->progress[TO_CLIENT] != 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(old); i++)
		assert_int_equal(app_buffer_by_name(old[i].name, strlen(old[i].name))->id,
				 old[i].id);
	assert_null(app_buffer_by_name("http.ur", 7));
	assert_null(app_buffer_by_name("", 0));
}

static void test_names(void **state)
{
	for (unsigned p = 0; p < APP_PROTOS; p++) {
		const char *n = app_proto_text(p);
		assert_int_equal(app_proto_by_name(n, strlen(n)), p);
	}
	assert_int_equal(app_proto_by_name("http1", 5), APP_HTTP);
	assert_int_equal(app_proto_by_name("ssl", 3), APP_TLS);
	assert_int_equal(app_proto_by_name("nonsense", 8), APP_PROTOS);
	enum app_proto p;
	int e = app_event_by_name("tls.error_message_encountered", 29, &p);
	assert_true(e >= 0 && p == APP_TLS);
	assert_string_equal(app_event_name(p, (unsigned)e), "error_message_encountered");
	assert_int_equal(app_event_by_name("tls.", 4, &p), -1);
	assert_int_equal(app_event_by_name("none.such", 9, &p), -1);
	assert_null(app_event_name(APP_TLS, 5000));
}

static void test_detect_by_content(void **state)
{
	static const struct {
		unsigned dir;
		const char *text;
		uint32_t len;
		enum app_proto proto;
	} cases[] = {{0, "GET / HTTP/1.0\r\n", 16, APP_HTTP},
		     {0, "post\t/ x", 8, APP_HTTP},
		     {0, "OPTIONS * HTTP/1.1", 18, APP_HTTP},
		     {0, "OPTIONS sip:a SIP/2.0", 21, APP_SIP},
		     {1, "SIP/2.0 200 OK", 14, APP_SIP},
		     {0, "SSH-2.0-x\r\n", 11, APP_SSH},
		     {1, "SSH-2.0-x\r\n", 11, APP_SSH},
		     {0, "EHLO me\r\n", 9, APP_SMTP},
		     {0, "USER me\r\n", 9, APP_FTP},
		     {1, "220 (x)\r\n", 9, APP_FTP},
		     {0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24, APP_HTTP2},
		     {0, "\x16\x03\x01\x00\x05\x01", 6, APP_TLS},
		     {0, "\x80\x2e\x01\x00\x02\x00", 6, APP_TLS},
		     {0, "\x80\x2e\x01\x03\x01\x00", 6, APP_TLS},
		     {0, "\x00\x00\x00\x20\xffSMBr\x00", 10, APP_SMB},
		     {0, "\x00\x00\x00\x20\xfeSMB@\x00", 10, APP_SMB},
		     {0, "\x05\x00\x0b\x03\x10\x00\x00\x00\x48\x00", 10, APP_DCERPC},
		     {1, "* OK ready", 10, APP_IMAP},
		     {1, "+OK ready", 9, APP_POP3},
		     {0, "\x03\x00\x00\x13\x0e\xe0\x00", 7, APP_RDP},
		     {0, "\x10\x10\x00\x04MQTT\x04", 9, APP_MQTT},
		     {1, "RFB 003.008\n", 12, APP_RFB}};
	struct stream_flow f = {.tcp = true, .port = {40000, 9}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const uint8_t *d = (const uint8_t *)cases[i].text;
		enum app_proto p = APP_UNKNOWN;
		bool sure = false;
		for (uint32_t n = 1; n <= cases[i].len; n++) { /* never another answer */
			enum probe r = detect_stream(&f, cases[i].dir, d, n, &p);
			assert_int_not_equal(r, PROBE_NO);
			assert_true(!sure || r == PROBE_YES);
			sure = r == PROBE_YES;
		}
		assert_true(sure);
		assert_int_equal(p, cases[i].proto);
	}
}

static void test_detect_nothing(void **state)
{
	static const struct {
		const char *text;
		uint32_t len;
	} none[] = {{"GETX / HTTP", 11},     {"hello", 5},           {"\x16\x02\x01", 3},
		    {"SSX-2.0", 7},          {"\x05\x00\x40", 3},    {"EHLX", 4},
		    {"\x80\x00\x05\x01", 4}, {"\xff\xff\xff\xff", 4}};
	struct stream_flow f = {.tcp = true, .port = {40000, 9}};
	enum app_proto p;
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_int_equal(
			detect_stream(&f, 0, (const uint8_t *)none[i].text, none[i].len, &p),
			PROBE_NO);
}

static void test_detect_ports(void **state)
{
	struct stream_flow f = {.tcp = true, .port = {40000, 25}};
	enum app_proto p = APP_UNKNOWN;
	const uint8_t *banner = (const uint8_t *)"220 mx ESMTP";
	assert_int_equal(detect_stream(&f, 1, banner, 12, &p), PROBE_YES);
	assert_int_equal(p, APP_SMTP);
	f.port[1] = 2525;
	assert_int_equal(detect_stream(&f, 1, banner, 12, &p), PROBE_NO);
}

static void test_both_unknown(void **state)
{
	struct talk t;
	talk_open(&t, APP_UNKNOWN, true);
	say(&t, 0, "abc");
	assert_int_equal(t.app->proto, APP_UNKNOWN);
	assert_int_equal(t.n_held[0], 3); /* waits for the other side */
	say(&t, 1, "def");
	assert_int_equal(t.app->proto, APP_FAILED);
	assert_true(t.app->failed && t.flow.side[0].no_app && t.flow.side[1].no_app);
	assert_int_equal(t.app->events[0], 0);
	say(&t, 0, "ghi");
	assert_int_equal(t.n_held[0], 0);
	talk_close(&t);
}

static void test_silent_peer(void **state)
{
	static uint8_t many[120 * 1024];
	struct talk t;
	talk_open(&t, APP_UNKNOWN, true);
	talk_say(&t, 0, many, sizeof(many), 4096);
	assert_int_equal(t.app->proto, APP_FAILED);
	assert_true(flow_event(&t, "applayer_proto_detection_skipped"));
	talk_close(&t);
}

static void test_flow_events(void **state)
{
	struct talk t;
	talk_open(&t, APP_UNKNOWN, true);
	say(&t, 0, "SSH-2.0-x\r\n");
	say(&t, 1, "EH?");
	assert_int_equal(t.app->proto, APP_SSH);
	assert_true(flow_event(&t, "applayer_detect_protocol_only_one_direction"));
	talk_close(&t);

	talk_open(&t, APP_UNKNOWN, true); /* who says nothing is no one else */
	say(&t, 0, "SSH-2.0-x\r\n");
	talk_end(&t);
	assert_int_equal(t.app->proto, APP_SSH);
	assert_false(flow_event(&t, "applayer_detect_protocol_only_one_direction"));
	talk_close(&t);

	talk_open(&t, APP_UNKNOWN, true);
	say(&t, 0, "SSH-2.0-x\r\n");
	say(&t, 1, "HTTP/1.1 200 OK\r\n");
	assert_true(flow_event(&t, "applayer_mismatch_protocol_both_directions"));
	assert_int_equal(t.app->proto, APP_SSH);
	talk_close(&t);

	talk_open(&t, APP_UNKNOWN, true);
	talk_say(&t, 1, "\x16\x03\x01\x00\x05", 5, 0);
	assert_true(flow_event(&t, "applayer_wrong_direction_first_data"));
	assert_int_equal(t.app->proto, APP_FAILED);
	talk_close(&t);
}

static void test_switch(void **state)
{
	struct talk t;
	talk_open(&t, APP_UNKNOWN, true);
	say(&t, 0, "SSH-2.0-x\r\n");
	assert_int_equal(t.app->proto, APP_SSH);
	app_switch(t.app, APP_TLS);
	say(&t, 0, "SSH-"); /* the old protocol's last */
	assert_int_equal(t.app->proto, APP_SSH);
	assert_int_equal(t.app->before, APP_SSH);
	assert_true(flow_event(&t, "applayer_no_tls_after_starttls"));
	talk_close(&t);

	talk_open(&t, APP_SSH, true);
	app_switch(t.app, APP_TLS);
	say(&t, 0, "\x0d\x0a");
	talk_say(&t, 0, "\x16\x03\x01\x00\x01\x00", 6, 1);
	assert_int_equal(t.app->proto, APP_TLS);
	assert_int_equal(t.app->before, APP_SSH);
	assert_int_equal(t.app->events[0], 0);
	talk_close(&t);
}

/* The banner came first, was not understood, and is heard once the client has spoken. */
static void test_catch_up(void **state)
{
	struct talk t;
	talk_open(&t, APP_UNKNOWN, true);
	const char *first = "hello\r\n"; /* of SSH, but nobody can know */
	t.flow.side[1].data = (const uint8_t *)first;
	t.flow.side[1].len = (uint32_t)strlen(first);
	say(&t, 1, first);
	assert_int_equal(t.app->proto, APP_UNKNOWN);
	say(&t, 0, "SSH-2.0-x\r\n");
	assert_int_equal(t.app->proto, APP_SSH);
	assert_int_equal(t.flow.side[1].app_done, strlen(first));
	t.flow.side[1].data = NULL;
	talk_close(&t);
}

static void test_reversed(void **state)
{
	static const uint8_t response[] = {0, 7, 0x81, 0x80, 0, 1, 0, 0, 0, 0,
					   0, 0, 1,    'a',  0, 0, 1, 0, 1};
	struct talk t;
	talk_open(&t, APP_UNKNOWN, false);
	t.flow.port[0] = 53;
	talk_say(&t, 0, response, sizeof(response), 0);
	assert_int_equal(t.app->proto, APP_DNS);
	assert_true(t.app->reversed);
	assert_non_null(t.app->tx_first);
	assert_true(t.app->tx_first->toclient_only);
	talk_close(&t);
}

static void test_tx_limit(void **state)
{
	struct talk t;
	talk_open(&t, APP_UNKNOWN, true);
	t.app->proto = APP_SIP; /* any whose tx_free does nothing to a bare one */
	uint32_t n = 0;
	t.app->proto = APP_UNKNOWN;
	while (n < t.ctx->conf.max_tx) {
		assert_non_null(app_tx_new(t.app, sizeof(struct app_tx), 1));
		n++;
	}
	struct app_tx *first = t.app->tx_first, *second = first->next, *third = second->next;
	second->progress[0] = second->progress[1] = APP_DONE;
	second->inspected[0] = second->inspected[1] = true;
	app_sweep(t.app, NULL, NULL, false);
	assert_int_equal(t.app->tx_open, n - 1);
	assert_int_equal(t.app->tx_first->next->id, 2);
	t.app->tx_last->toserver_only = true;
	assert_non_null(app_tx_new(t.app, sizeof(struct app_tx), 1));
	assert_int_equal(t.app->tx_last->id, n);
	assert_int_equal(first->progress[0], 0);
	/* One more than may wait: the oldest of which nothing is being said is over. */
	first->progress[1] = 1;
	assert_non_null(app_tx_new(t.app, sizeof(struct app_tx), 1));
	assert_int_equal(first->progress[0], 0);
	assert_int_equal(third->progress[0], APP_DONE);
	assert_int_equal(third->progress[1], APP_DONE);
	third->inspected[0] = third->inspected[1] = true;
	app_sweep(t.app, NULL, NULL, false);
	assert_ptr_equal(t.app->tx_gave, first);
	assert_non_null(app_tx_new(t.app, sizeof(struct app_tx), 1));
	assert_int_equal(first->next->progress[0], APP_DONE);
	/* Complete ones that nobody could look at yet don't keep others out, up to a point. */
	while (app_tx_new(t.app, sizeof(struct app_tx), 1) != NULL)
		n++;
	assert_int_equal(t.app->tx_open, t.ctx->conf.max_tx * 64);
	talk_close(&t);
}

static void test_body(void **state)
{
	struct talk t;
	talk_open(&t, APP_UNKNOWN, true);
	struct app_body b = {0};
	uint8_t all[5000];
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)(i * 7);
	for (uint32_t at = 0; at < sizeof(all); at += 50) {
		app_body_add(t.app, &b, all + at, 50, 1000);
		assert_true(b.len <= 1250 && b.total == at + 50 && b.base + b.len == b.total);
		assert_true(b.total < 1000 || b.len >= 1000);
		assert_memory_equal(b.data, all + b.base, b.len);
	}
	app_body_add(t.app, &b, all, 5000, 1000); /* more than fits, at once */
	assert_int_equal(b.base + b.len, 10000);
	assert_memory_equal(b.data, all + 4000, 1000);
	app_body_add(t.app, &b, NULL, 0, 1000);
	app_body_free(t.app, &b);
	talk_close(&t);
}

static void test_json_bytes(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {{"", ""},
		     {"plain", "plain"},
		     {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		     {"a\xff", "a\\xff"},
		     {"\xc0\x80", "\\xc0\\x80"},
		     {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
		     {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
		     {"\xe2\x82", "\\xe2\\x82"}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *j =
			app_json_bytes((const uint8_t *)cases[i].in, (uint32_t)strlen(cases[i].in));
		assert_string_equal(json_string_value(j), cases[i].out);
		json_decref(j);
	}
}

static void test_digests(void **state)
{
	static uint8_t many[200];
	uint8_t sum[32];
	char hex[65];
	digest_md5("abc", 3, sum);
	digest_hex(sum, 16, hex);
	assert_string_equal(hex, "900150983cd24fb0d6963f7d28e17f72");
	digest_sha1("abc", 3, sum);
	digest_hex(sum, 20, hex);
	assert_string_equal(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
	digest_sha256("abc", 3, sum);
	digest_hex(sum, 32, hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	for (size_t n = 0; n < sizeof(many); n++) { /* every padding; pieces as one */
		uint8_t other[32];
		struct sha256 s;
		digest_sha256(many, n, sum);
		sha256_begin(&s);
		sha256_add(&s, many, n / 3);
		sha256_add(&s, many, n - n / 3);
		sha256_end(&s, other);
		assert_memory_equal(sum, other, 32);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buffer_table),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_detect_by_content),
		cmocka_unit_test(test_detect_nothing),
		cmocka_unit_test(test_detect_ports),
		cmocka_unit_test(test_both_unknown),
		cmocka_unit_test(test_silent_peer),
		cmocka_unit_test(test_flow_events),
		cmocka_unit_test(test_switch),
		cmocka_unit_test(test_catch_up),
		cmocka_unit_test(test_reversed),
		cmocka_unit_test(test_tx_limit),
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_json_bytes),
		cmocka_unit_test(test_digests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
