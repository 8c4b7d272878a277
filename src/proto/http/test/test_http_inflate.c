/* SPDX-License-Identifier: BSD-2-Clause */
/* Encoded bodies, right and wrong, each whole and cut at every byte. */
#include "say.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#define S TO_SERVER
#define C TO_CLIENT
#define REQ "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

static const char text[] = "The quick brown fox jumps over the lazy dog, and over the lazy dog.";

/* wbits: 31 gzip, 15 zlib, -15 raw. */
static uint32_t pack(int wbits, const void *in, uint32_t len, uint8_t *out, uint32_t cap)
{
	z_stream z = {0};
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, wbits, 8, 0), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)in;
	z.avail_in = len;
	z.next_out = out;
	z.avail_out = cap;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	uint32_t n = cap - z.avail_out;
	deflateEnd(&z);
	return n;
}

static void answer(struct talk *t, const char *encoding, const uint8_t *body, uint32_t len)
{
	char head[256];
	snprintf(head, sizeof(head),
		 "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %u\r\n\r\n", encoding,
		 len);
	talk_str(t, S, REQ);
	talk_str(t, C, head);
	talk_say(t, C, body, len);
}

/* The body arrives as want, and the event is there or not. */
static void check(const char *encoding, const uint8_t *body, uint32_t len, const char *want,
		  const char *event, bool raised)
{
	static const uint32_t cuts[] = {0, 1, 5};
	for (size_t k = 0; k < ARRAY_LEN(cuts); k++) {
		struct talk t;
		talk_begin(&t, cuts[k]);
		answer(&t, encoding, body, len);
		assert_true(talk_is(&t, 0, BUF_FILE_DATA, C, 0, want));
		assert_true(talk_is(&t, 0, BUF_HTTP_RESPONSE_BODY, C, 0, want));
		assert_int_equal(talk_event(talk_tx(&t, 0), event), raised);
		talk_end(&t);
	}
}

static const char failed[] = "http.gzip_decompression_failed";
static const char abnormal[] = "http.abnormal_ce_header";

static void test_formats(void **state)
{
	static const int bits[] = {31, 15, -15};
	static const char *const names[] = {"gzip", "x-gzip", "deflate", "GZip", "x-deflate"};
	uint8_t out[512];
	for (size_t b = 0; b < ARRAY_LEN(bits); b++) {
		uint32_t n = pack(bits[b], text, sizeof(text) - 1, out, sizeof(out));
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			check(names[i], out, n, text, failed, false);
		check("gzip;", out, n, text, abnormal, true);
		check("deflate, identity", out, n, text, abnormal, false);
		check("gzip, foo", out, n, text, abnormal, true);
	}
	const uint8_t *plain = (const uint8_t *)text;
	check("identity", plain, sizeof(text) - 1, text, failed, false);
	check("gzip", plain, sizeof(text) - 1, text, failed, true);
	check("deflate", plain, sizeof(text) - 1, text, failed, true);
	check("br", plain, sizeof(text) - 1, text, failed, true);
	check("foo", plain, sizeof(text) - 1, text, abnormal, true);
	check("gzip", (const uint8_t *)"x", 1, "x", failed, true);
}

static void test_layers(void **state)
{
	uint8_t a[512], b[512], c[1024];
	uint32_t n = pack(31, text, sizeof(text) - 1, a, sizeof(a));
	uint32_t m = pack(-15, a, n, b, sizeof(b));
	check("gzip, deflate", b, m, text, failed, false);
	check("deflate, gzip", b, m, text, "http.too_many_encoding_layers", false);
	check("gzip, deflate", a, n, text, failed, true); /* one is missing */
	uint32_t k = pack(31, b, m, c, sizeof(c));
	check("gzip, deflate, gzip", c, k, text, "http.too_many_encoding_layers", true);
}

static void test_gzip_headers(void **state)
{
	uint8_t out[512], odd[600];
	uint32_t n = pack(31, text, sizeof(text) - 1, out, sizeof(out));
	for (unsigned bit = 0; bit < 8; bit++) { /* flags that mean nothing */
		if (bit >= 1 && bit <= 4)
			continue;
		memcpy(odd, out, n);
		odd[3] = (uint8_t)(1u << bit);
		check("gzip", odd, n, text, failed, false);
	}
	static const struct {
		uint8_t flag, len;
		const char *more;
	} extra[] = {{2, 2, "\1\2"},
		     {4, 5, "\3\0abc"},
		     {8, 3, "ab\0"},
		     {16, 2, "c\0"},
		     {28, 11, "\1\0xname\0co\0"}};
	for (size_t i = 0; i < ARRAY_LEN(extra); i++) {
		memcpy(odd, out, 10);
		odd[3] = extra[i].flag;
		memcpy(odd + 10, extra[i].more, extra[i].len);
		memcpy(odd + 10 + extra[i].len, out + 10, n - 10);
		check("gzip", odd, n + extra[i].len, text, failed, false);
	}
	check("gzip", out, n - 8, text, failed, false); /* no trailer */
	memcpy(odd, out, n);
	odd[n - 6] ^= 0xff;
	check("gzip", odd, n, text, failed, false); /* a wrong sum */
	memcpy(odd + n, "junk", 4);
	check("gzip", odd, n + 4, text, failed, false);
}

static void test_members(void **state)
{
	uint8_t all[4096], out[512];
	char want[1024] = "";
	uint32_t n = 0;
	for (unsigned i = 0; i < 12; i++) {
		uint32_t m = pack(31, text, i * 5, out, sizeof(out));
		memcpy(all + n, out, m);
		n += m;
		snprintf(want + strlen(want), sizeof(want) - strlen(want), "%.*s", (int)(i * 5),
			 text);
	}
	check("gzip", all, n, want, failed, false);
}

static void test_broken(void **state)
{
	uint8_t out[4096];
	char random[1500];
	for (unsigned i = 0; i < sizeof(random); i++)
		random[i] = (char)(i * 7 + (i * i) % 251);
	uint32_t n = pack(31, random, sizeof(random), out, sizeof(out));
	struct talk t;
	talk_begin(&t, 1); /* half of it */
	answer(&t, "gzip", out, n / 2);
	struct span s;
	bool complete;
	assert_int_equal(
		app_buffer(t.app, talk_tx(&t, 0), BUF_FILE_DATA, C, 0, &s, NULL, &complete), 0);
	assert_true(complete && s.len != 0 && memcmp(s.data, random, s.len) == 0);
	talk_end(&t);
}

static void test_brotli(void **state)
{
	/* "hello hello hello" as brotli -w 10 writes it is not at hand: one stored metablock. */
	static const uint8_t br[] = {0x0b, 0x02, 0x80, 'h', 'e', 'l', 'l', 'o', 0x03};
	check("br", br, sizeof(br), "hello", failed, false);
}

static void test_bomb(void **state)
{
	static uint8_t zero[8u << 20], a[64 << 10], b[4096];
	uint32_t n = pack(31, zero, sizeof(zero), a, sizeof(a)), m = pack(31, a, n, b, sizeof(b));
	struct talk t;
	talk_begin(&t, 0);
	answer(&t, "gzip, gzip", b, m);
	assert_true(talk_event(talk_tx(&t, 0), "http.compression_bomb"));
	struct span s;
	assert_int_equal(app_buffer(t.app, talk_tx(&t, 0), BUF_FILE_DATA, C, 0, &s, NULL, NULL), 0);
	assert_true(s.len <= 128 * 1024);
	talk_end(&t);
}

static void test_request(void **state)
{
	uint8_t out[512];
	char head[256];
	uint32_t n = pack(31, text, sizeof(text) - 1, out, sizeof(out));
	struct talk t;
	talk_begin(&t, 1);
	snprintf(head, sizeof(head),
		 "POST /p HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: "
		 "%u\r\n\r\n",
		 n);
	talk_str(&t, S, head);
	talk_say(&t, S, out, n);
	assert_true(talk_is(&t, 0, BUF_HTTP_REQUEST_BODY, S, 0, text));
	assert_int_equal(talk_tx(&t, 0)->progress[S], APP_DONE);
	talk_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),      cmocka_unit_test(test_layers),
		cmocka_unit_test(test_gzip_headers), cmocka_unit_test(test_members),
		cmocka_unit_test(test_broken),       cmocka_unit_test(test_brotli),
		cmocka_unit_test(test_bomb),         cmocka_unit_test(test_request),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
