/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP, the catch-alls, NTP; and sessions: how many, how long. */
#include "sink/test/fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;
	for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

static bool has(const struct event *e, const char *what)
{
	return e != NULL &&
	       memmem(e->u.sink.excerpt, e->u.sink.excerpt_len, what, strlen(what)) != NULL;
}

static void requests(size_t piece)
{
	static const char talk[] =
		"GET /tool.sh HTTP/1.1\r\nHost: evil.example\r\nUser-Agent: curl/8\r\n\r\n"
		"HEAD / HTTP/1.1\r\n\r\n"
		"POST /gate HTTP/1.1\r\nHost: c2\r\nContent-Length: 5\r\nExpect: "
		"100-continue\r\n\r\nhello"
		"PUT /x HTTP/1.1\r\nTransfer-Encoding: "
		"chunked\r\n\r\n4\r\nwild\r\n3;x=y\r\nhat\r\n0\r\nT: u\r\n\r\n"
		"OPTIONS * HTTP/1.1\r\nConnection: close\r\n\r\n"
		"GET /never HTTP/1.1\r\n\r\n";
	struct fake *f = fake_new(false);
	struct sink_session *t = fake_open(f, SINK_HTTP, 0);
	char out[16384];
	fake_say(f, t, talk, sizeof(talk) - 1, piece, out, sizeof(out));
	assert_true(sink_over(t));
	sink_close(f->sink, t, f->now);
	assert_int_equal(count(out, "HTTP/1.1 200 OK\r\n"), 5);
	assert_int_equal(count(out, "HTTP/1.1 100 Continue\r\n\r\n"), 1);
	assert_int_equal(count(out, "It works!"), 4); /* HEAD has no body */
	assert_int_equal(count(out, "evil"), 0);
	assert_true(has(fake_event(f, "request", 4), "GET /tool.sh HTTP/1.1\nHost: evil.example\n"
						     "User-Agent: curl/8\n"));
	assert_true(has(fake_event(f, "request", 2), "\n\nhello"));
	assert_true(has(fake_event(f, "request", 1), "\n\nwildhat"));
	assert_int_equal(fake_event(f, "request", 1)->u.sink.bytes, 7);
	assert_true(has(fake_event(f, "request", 0), "OPTIONS * HTTP/1.1"));
	assert_null(fake_event(f, "request", 5));
	fake_free(f);
}

static void requests_are_answered_and_told(void **state)
{
	(void)state;
	requests(0);
	for (size_t piece = 1; piece < 30; piece += 2)
		requests(piece);
}

static void what_is_no_request_ends(void **state)
{
	static const struct {
		const char *say;
		size_t len;
		const char *text;
	} rows[] = {
		{"\x16\x03\x01\x02\x00\x01\x00", 7, "TLS"},
		{"SSH-2.0-Go\r\n", 12, "SSH"},
		{"GET /\r\n", 7, "no HTTP request"},
		{" / HTTP/1.1\r\n", 13, "no HTTP request"},
		{"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n", 52,
		 "no HTTP request"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fake *f = fake_new(false);
		struct sink_session *t = fake_open(f, SINK_HTTP, 0);
		char out[1024];
		fake_say(f, t, rows[i].say, rows[i].len, 0, out, sizeof(out));
		assert_non_null(strstr(out, "HTTP/1.1 400 "));
		assert_true(sink_over(t));
		sink_close(f->sink, t, f->now);
		assert_non_null(strstr(fake_event(f, "bytes", 0)->text, rows[i].text));
		fake_free(f);
	}
}

static void heads_without_end_end(void **state)
{
	struct fake *f = fake_new(false);
	struct sink_session *t = fake_open(f, SINK_HTTP, 0);
	char out[1024], line[1200];
	(void)state;
	memset(line, 'A', sizeof(line));
	fake_say(f, t, "GET / HTTP/1.1\r\n", 16, 0, out, sizeof(out));
	for (int i = 0; i < 20 && !sink_over(t); i++)
		fake_say(f, t, line, sizeof(line), 0, out, sizeof(out));
	assert_true(sink_over(t));
	sink_close(f->sink, t, f->now);
	assert_non_null(strstr(fake_event(f, "request", 0)->text, "cut at sink.bytes"));
	fake_free(f);
}

static void anything_is_dumped_and_never_answered(void **state)
{
	struct fake *f = fake_new(false);
	struct sink_session *t = fake_open(f, SINK_ANY_TCP, 1);
	struct sink_ends e = fake_ends(1, 999);
	uint8_t answer[SINK_ANSWER];
	char out[64];
	(void)state;
	fake_say(f, t, "NICK bot\r\n\0\xff", 12, 5, out, sizeof(out));
	assert_string_equal(out, "");
	sink_close(f->sink, t, f->now);
	const struct event *o = fake_event(f, "bytes", 0);
	assert_true(has(o, "0000  4e 49 43 4b 20 62 6f 74 0d 0a 00 ff") && has(o, "NICK bot"));
	assert_non_null(strstr(o->text, "IRC"));
	assert_int_equal(o->u.sink.sport, 0);
	assert_int_equal(o->u.sink.bytes, 12);
	assert_int_equal(sink_datagram(f->sink, SINK_ANY, &e, (const uint8_t *)"\x01\x02", 2,
				       f->now, answer),
			 0);
	assert_string_equal(fake_event(f, "bytes", 0)->u.sink.service, "udp");
	t = fake_open(f, SINK_ANY_TCP, 1);
	sink_close(f->sink, t, f->now);
	assert_non_null(fake_event(f, "connect", 0));
	fake_free(f);
}

static void time_is_told(void **state)
{
	struct fake *f = fake_new(false);
	struct sink_ends e = fake_ends(0, 123);
	uint8_t ask[48] = {0x1b}, out[SINK_ANSWER], odd[] = {0x17, 0, 3, 0x2a, 0, 0, 0, 0};
	(void)state;
	memcpy(ask + 40, "mystamp!", 8);
	assert_int_equal(sink_datagram(f->sink, SINK_NTP, &e, ask, 48, f->now, out), 48);
	assert_int_equal(out[0], 3 << 3 | 4);
	assert_int_equal(out[1], 3);
	assert_memory_equal(out + 24, "mystamp!", 8);
	int64_t got = (int64_t)load_be32(out + 40) - INT64_C(2208988800);
	assert_true(got >= clock_wall_ns() / NS_PER_SEC - 2 && got <= clock_wall_ns() / NS_PER_SEC);
	/* monlist, a reply, too short: no answer, so nothing is amplified */
	assert_int_equal(sink_datagram(f->sink, SINK_NTP, &e, odd, 8, f->now, out), 0);
	ask[0] = 0x1c;
	assert_int_equal(sink_datagram(f->sink, SINK_NTP, &e, ask, 48, f->now, out), 0);
	ask[0] = 0x1b;
	assert_int_equal(sink_datagram(f->sink, SINK_NTP, &e, ask, 47, f->now, out), 0);
	assert_int_equal(sink_datagram(f->sink, SINK_NTP, &e, ask, 0, f->now, out), 0);
	fake_free(f);
}

static void connections_are_bounded(void **state)
{
	struct fake *f = fake_new(false);
	struct sink_session *t[16];
	unsigned n = 0;
	(void)state;
	while (n < 16 && (t[n] = fake_open(f, SINK_ANY_TCP, 0)) != NULL)
		n++;
	assert_non_null(fake_event(f, "full", 0));
	assert_int_equal(n, 4);                      /* a quarter for one guest ... */
	assert_non_null(fake_open(f, SINK_SMTP, 1)); /* ... and room for another */
	sink_close(f->sink, t[2], f->now);
	assert_ptr_equal(fake_open(f, SINK_HTTP, 0), t[2]);
	assert_int_equal(sink_index(f->sink, t[2]), 2);
	fake_free(f);
}

static void silence_and_long_life_end(void **state)
{
	struct fake *f = fake_new(false);
	struct sink_session *t = fake_open(f, SINK_ANY_TCP, 0);
	char out[16];
	(void)state;
	f->now += 59 * NS_PER_SEC;
	sink_tick(f->sink, f->now);
	assert_int_equal(f->readies, 0);
	f->now += 2 * NS_PER_SEC;
	sink_tick(f->sink, f->now);
	assert_int_equal(f->readies, 1);
	assert_ptr_equal(f->ready, t);
	assert_true(sink_over(t));
	sink_close(f->sink, t, f->now);
	/* One that drips a byte each half minute lives ten times as long, no longer. */
	t = fake_open(f, SINK_ANY_TCP, 0);
	for (int i = 0; i < 19; i++) {
		f->now += 30 * NS_PER_SEC;
		sink_tick(f->sink, f->now);
		assert_false(sink_over(t));
		fake_say(f, t, "x", 1, 0, out, sizeof(out));
	}
	f->now += 30 * NS_PER_SEC;
	sink_tick(f->sink, f->now);
	assert_true(sink_over(t));
	fake_free(f);
}

static void bytes_are_bounded(void **state)
{
	struct fake *f = fake_new(false);
	struct sink_session *t = fake_open(f, SINK_ANY_TCP, 0);
	char data[3000] = {1}, out[16];
	(void)state;
	for (int i = 0; i < 10 && !sink_over(t); i++)
		fake_say(f, t, data, sizeof(data), 0, out, sizeof(out));
	assert_true(sink_over(t));
	sink_close(f->sink, t, f->now);
	assert_int_equal(fake_event(f, "bytes", 0)->u.sink.bytes, 8192);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_answered_and_told),
		cmocka_unit_test(what_is_no_request_ends),
		cmocka_unit_test(heads_without_end_end),
		cmocka_unit_test(anything_is_dumped_and_never_answered),
		cmocka_unit_test(time_is_told),
		cmocka_unit_test(connections_are_bounded),
		cmocka_unit_test(silence_and_long_life_end),
		cmocka_unit_test(bytes_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
