/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules as text against packets, streams and transactions. */
#include "bed.h"
#include "rule/match/eval_priv.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct payload_case {
	const char *options; /* of alert udp any any -> any any */
	const char *data;
	uint32_t len; /* 0: strlen */
	bool fires;
};

static const struct payload_case payload_cases[] = {
	{"content:\"abc\";", "xxabcxx", 0, true},
	{"content:\"abc\";", "xxabxx", 0, false},
	{"content:\"abc\";", "abc", 0, true},
	{"content:\"ABC\";", "xxabcxx", 0, false},
	{"content:\"ABC\"; nocase;", "xxaBcxx", 0, true},
	{"content:!\"abc\";", "xyz", 0, true},
	{"content:!\"abc\";", "xabcz", 0, false},
	{"content:\"|00 01|b\";", "z\0\1b", 4, true},
	{"content:\"|00 01|b\";", "z\0\2b", 4, false},
	{"content:\"abc\"; offset:2;", "xxabc", 0, true},
	{"content:\"abc\"; offset:3;", "xxabc", 0, false},
	{"content:\"abc\"; depth:3;", "abcx", 0, true},
	{"content:\"abc\"; depth:3;", "xabc", 0, false},
	{"content:\"abc\"; offset:1; depth:3;", "xabc", 0, true},
	{"content:\"abc\"; offset:1; depth:3;", "xxabc", 0, false},
	{"content:\"abc\"; startswith;", "abcd", 0, true},
	{"content:\"abc\"; startswith;", "dabc", 0, false},
	{"content:\"abc\"; endswith;", "abcabc", 0, true},
	{"content:\"abc\"; endswith;", "abcabcd", 0, false},
	{"content:!\"abc\"; endswith;", "abcd", 0, true},
	{"content:!\"abc\"; endswith;", "dabc", 0, false},
	{"content:\"ab\"; content:\"cd\"; distance:0;", "abcd", 0, true},
	{"content:\"ab\"; content:\"cd\"; distance:1;", "abcd", 0, false},
	{"content:\"ab\"; content:\"cd\"; distance:1;", "abxcd", 0, true},
	{"content:\"ab\"; content:\"cd\"; distance:-4;", "cdab", 0, true},
	{"content:\"ab\"; content:\"cd\"; within:2;", "abcd", 0, true},
	{"content:\"ab\"; content:\"cd\"; within:2;", "abxcd", 0, false},
	{"content:\"ab\"; content:\"cd\"; distance:1; within:2;", "abxcd", 0, true},
	{"content:\"ab\"; content:\"cd\"; distance:1; within:2;", "abxxcd", 0, false},
	{"content:\"ab\"; content:!\"cd\"; within:2;", "abcd", 0, false},
	{"content:\"ab\"; content:!\"cd\"; within:2;", "abxcd", 0, true},
	/* The first place of a fails, the second doesn't. */
	{"content:\"ab\"; content:\"cd\"; within:2;", "abxabcd", 0, true},
	{"content:\"a\"; content:\"b\"; within:1; content:\"c\"; within:1;", "abxabxaxabc", 0,
	 true},
	{"content:\"a\"; content:\"b\"; within:1; content:\"c\"; within:1;", "abxabxaxac", 0,
	 false},
	{"content:\"ab\"; content:!\"x\"; within:1;", "abxabxaby", 0, true},
	{"content:\"b\"; content:\"a\";", "ab", 0, true},
	{"content:\"ab\"; isdataat:2,relative;", "abcd", 0, true},
	{"content:\"ab\"; isdataat:3,relative;", "abcd", 0, false},
	{"content:\"ab\"; isdataat:!3,relative;", "abcd", 0, true},
	{"isdataat:3;", "abcd", 0, true},
	{"isdataat:4;", "abcd", 0, false},
	{"isdataat:!4;", "abcd", 0, true},
	{"pcre:\"/a[0-9]+b/\";", "xa12bx", 0, true},
	{"pcre:\"/a[0-9]+b/\";", "xa12cx", 0, false},
	{"pcre:\"/A[0-9]+B/i\";", "xa12bx", 0, true},
	{"pcre:!\"/a[0-9]/\";", "xab", 0, true},
	{"pcre:!\"/a[0-9]/\";", "xa1", 0, false},
	{"content:\"id=\"; pcre:\"/^[0-9]{3}/R\";", "id=x id=123", 0, true},
	{"content:\"id=\"; pcre:\"/^[0-9]{3}/R\";", "id=x id=12z", 0, false},
	{"pcre:\"/k(\\d)/\"; content:\"z\"; distance:0; within:1;", "k1a k2z", 0, true},
	{"pcre:\"/k(\\d)/\"; content:\"z\"; distance:0; within:1;", "k1a k2y", 0, false},
	{"byte_test:1,=,5,0;", "\5x", 0, true},
	{"byte_test:1,=,5,0;", "\6x", 0, false},
	{"byte_test:1,!=,5,0;", "\6x", 0, true},
	{"byte_test:2,>,256,0;", "\1\1", 0, true},
	{"byte_test:2,>,257,0;", "\1\1", 0, false},
	{"byte_test:2,=,513,0,little;", "\1\2", 0, true},
	{"byte_test:2,=,258,0;", "\1\2", 0, true},
	{"byte_test:4,=,1,0;", "\0\0\0\1", 4, true},
	{"byte_test:4,=,1,0;", "\0\0\1", 3, false},
	{"byte_test:3,=,123,0,string,dec;", "123", 0, true},
	{"byte_test:2,=,255,0,string,hex;", "ff", 0, true},
	{"byte_test:1,&,8,0;", "\x0c", 0, true},
	{"byte_test:1,&,2,0;", "\x0c", 0, false},
	{"content:\"len\"; byte_test:1,<,10,0,relative;", "len\5", 0, true},
	{"content:\"len\"; byte_test:1,<,5,0,relative;", "len\5", 0, false},
	{"content:\"len\"; byte_jump:1,0,relative; content:\"ok\"; within:2;", "len\2xxok", 0,
	 true},
	{"content:\"len\"; byte_jump:1,0,relative; content:\"ok\"; within:2;", "len\3xxok", 0,
	 false},
	{"byte_jump:1,0; isdataat:!1,relative;", "\3abc", 0, true},
	{"byte_jump:1,0; content:\"a\"; within:1;", "\xffxxxa", 0, false},
	{"byte_jump:1,0,multiplier 2; content:\"z\"; within:1;", "\2abcdz", 0, true},
	{"byte_jump:1,0,from_beginning; content:\"c\"; within:1;", "\3abcd", 0, true},
	{"byte_jump:1,0,post_offset -1; content:\"c\"; within:1;", "\3abcd", 0, true},
	{"byte_extract:1,0,n; content:\"x\"; offset:n;", "\4abcx", 0, true},
	{"byte_extract:1,0,n; content:\"x\"; offset:n;", "\4xbcd", 0, false},
	{"byte_extract:1,0,n; byte_test:1,=,n,1;", "\4\4", 0, true},
	{"byte_extract:1,0,n; byte_test:1,=,n,1;", "\4\5", 0, false},
	{"content:\"k\"; byte_extract:1,0,n,relative; content:\"x\"; distance:n; within:1;",
	 "k\x01"
	 "ax",
	 0, true},
	{"byte_math:bytes 1, offset 0, oper +, rvalue 2, result r; byte_test:1,=,r,1;", "\1\3", 0,
	 true},
	{"byte_math:bytes 1, offset 0, oper *, rvalue 2, result r; byte_test:1,=,r,1;", "\2\3", 0,
	 false},
	{"byte_math:bytes 1, offset 0, oper /, rvalue 2, result r; byte_test:1,=,r,1;", "\6\3", 0,
	 true},
	{"base64_decode; base64_data; content:\"hello\";", "aGVsbG8=", 0, true},
	{"base64_decode; base64_data; content:\"hello\";", "aGVsbGX=", 0, false},
	{"content:\"b=\"; base64_decode:bytes 8, offset 0, relative; base64_data; "
	 "content:\"hello\";",
	 "a b=aGVsbG8=", 0, true},
	{"dsize:4;", "abcd", 0, true},
	{"dsize:4;", "abcde", 0, false},
	{"dsize:>3; content:\"a\";", "abcd", 0, true},
	{"dsize:<4; content:\"a\";", "abcd", 0, false},
	{"dsize:3<>5;", "abcd", 0, true},
	{"ttl:64;", "a", 0, true},
	{"ttl:<64;", "a", 0, false},
	{"ip_proto:17;", "a", 0, true},
	{"sameip;", "a", 0, false},
	{"content:\"abcdefgh\"; fast_pattern:2,4;", "xxcdefxx", 0, false},
	{"content:\"abcdefgh\"; fast_pattern:2,4;", "xxabcdefghxx", 0, true},
};

static void payloads(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(payload_cases); i++) {
		const struct payload_case *c = &payload_cases[i];
		char rule[600];
		struct writer w = writer_of(rule, sizeof(rule));
		write_fmt(&w, "alert udp any any -> any any (msg:\"t\"; %s sid:1;)\n", c->options);
		assert_false(w.full);
		struct bed b;
		bed_open(&b, rule, NULL, 0);
		bed_udp(&b, c->data, c->len != 0 ? c->len : (uint32_t)strlen(c->data));
		if ((bed_fired(&b, 1) != 0) != c->fires)
			fail_msg("%s on '%s': should%s fire", c->options, c->data,
				 c->fires ? "" : " not");
		bed_close(&b);
	}
}

static void headers(void **state)
{
	struct bed b;
	bed_open(&b,
		 "alert udp any any -> any 53 (content:\"a\"; sid:1;)\n"
		 "alert udp any any -> any 54 (content:\"a\"; sid:2;)\n"
		 "alert udp 10.0.0.1 any -> any any (content:\"a\"; sid:3;)\n"
		 "alert udp !10.0.0.1 any -> any any (content:\"a\"; sid:4;)\n"
		 "alert udp 10.0.0.2 53 <> 10.0.0.1 any (content:\"a\"; sid:5;)\n"
		 "alert udp any any -> any !53 (content:\"a\"; sid:6;)\n"
		 "alert udp any any -> any [50:60,!54] (content:\"a\"; sid:7;)\n"
		 "alert tcp any any -> any any (content:\"a\"; sid:8;)\n"
		 "alert ip any any -> any any (content:\"a\"; sid:9;)\n"
		 "alert ip any any -> 10.0.0.2 any (sid:10;)\n"
		 "alert udp any any -> any any (flow:to_client; content:\"a\"; sid:11;)\n"
		 "alert udp any any -> any any (flow:to_server; content:\"a\"; sid:12;)\n"
		 "alert udp any any -> any any (flow:not_established; content:\"a\"; sid:13;)\n",
		 NULL, 0);
	bed_udp(&b, "a", 1);
	bed_udp(&b, "a", 1);
	static const uint8_t want[] = {0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 1, 0, 2, 0};
	for (uint32_t sid = 1; sid < ARRAY_LEN(want); sid++)
		if (bed_fired(&b, sid) != want[sid])
			fail_msg("sid %u fired %u times, not %u", sid, bed_fired(&b, sid),
				 want[sid]);
	bed_close(&b);
}

/* ---- streams ------------------------------------------------------------------------------------------ */

static const char stream_rules[] =
	"alert tcp any any -> any any (content:\"needle\"; content:\"thread\"; distance:1; "
	"within:6; "
	"sid:1;)\n"
	"alert tcp any any -> any any (content:\"alpha\"; content:\"omega\"; sid:2;)\n"
	"alert tcp any any -> any any (content:\"needle\"; content:!\"forbidden\"; sid:3;)\n"
	"alert tcp any any -> any any (content:\"START\"; depth:5; sid:4;)\n"
	"alert tcp any any -> any any (content:\"needle\"; pcre:\"/^ th[a-z]+d/R\"; sid:5;)\n"
	"alert tcp any any -> any any (content:\"nowhere\"; sid:6;)\n"
	"alert tcp any any -> any any (pcre:\"/x{3}y{3}z/\"; sid:7;)\n"
	"alert tcp any any -> any any (flow:to_client; content:\"needle\"; sid:8;)\n"
	"alert tcp-stream any any -> any any (content:\"endnote\"; endswith; sid:9;)\n";

static void play(struct bed *b, const char *text, size_t len, unsigned seed, uint32_t ret[10])
{
	bed_forget(b);
	bed_flow(b, true, 40000, 4000);
	for (size_t at = 0; at < len;) {
		seed = seed * 1103515245u + 12345u;
		size_t n = 1 + (seed >> 16) % (seed % 3 == 0 ? 7 : 400);
		n = n < len - at ? n : len - at;
		bed_say(b, TO_SERVER, text + at, (uint32_t)n);
		at += n;
	}
	bed_end(b);
	for (uint32_t i = 0; i < 10; i++)
		ret[i] = bed_fired(b, i) != 0;
}

static void segmentation(void **state)
{
	struct bed b;
	bed_open(&b, stream_rules, NULL, 0);
	static char text[20000];
	memset(text, '.', sizeof(text));
	memcpy(text, "START", 5);
	memcpy(text + 300, "omega", 5);
	memcpy(text + 1500, "needle xthread needle thread", 28);
	memcpy(text + 9000, "alpha", 5);
	memcpy(text + 15000, "xxxyyyz", 7);
	memcpy(text + sizeof(text) - 7, "endnote", 7);
	static const uint32_t want[10] = {0, 1, 1, 1, 1, 1, 0, 1, 0, 1};
	for (unsigned seed = 1; seed < 60; seed++) {
		uint32_t got[10];
		play(&b, text, sizeof(text), seed, got);
		for (unsigned i = 1; i < 10; i++)
			if (got[i] != want[i])
				fail_msg("cut %u: sid %u is %u, not %u", seed, i, got[i], want[i]);
	}
	memcpy(text + 17000, "forbidden", 9); /* beyond the window: too far away to matter */
	for (unsigned seed = 1; seed < 20; seed++) {
		uint32_t got[10];
		play(&b, text, sizeof(text), seed, got);
		assert_int_equal(got[3], 1);
	}
	memcpy(text + 16000, "forbidden", 9);
	for (unsigned seed = 1; seed < 20; seed++) {
		uint32_t got[10];
		play(&b, text, sizeof(text), seed, got);
		assert_int_equal(got[3], 0);
		assert_int_equal(got[1], 1);
	}
	bed_close(&b);
}

static void stream_at_once(void **state)
{
	struct bed b;
	bed_open(&b, stream_rules, NULL, 0);
	bed_say(&b, TO_SERVER, "nee", 3);
	bed_say(&b, TO_SERVER, "dle thr", 7);
	assert_int_equal(bed_fired(&b, 1), 0);
	bed_say(&b, TO_SERVER, "ead", 3);
	assert_int_equal(bed_fired(&b, 1), 1); /* with its last byte */
	bed_say(&b, TO_SERVER, "more", 4);
	assert_int_equal(bed_fired(&b, 1), 1); /* not again for the same bytes */
	bed_say(&b, TO_SERVER, "needle thread", 13);
	assert_int_equal(bed_fired(&b, 1), 2);
	assert_int_equal(bed_fired(&b, 3), 0); /* waits for the window to settle */
	bed_say(&b, TO_CLIENT, "x", 1);
	assert_int_equal(bed_fired(&b, 3), 1);
	bed_close(&b);
}

/* A window that only slides: what is long gone does not match, memory stays. */
static void stream_window(void **state)
{
	struct bed b;
	bed_open(&b, stream_rules, NULL, 0);
	static char chunk[4096];
	memset(chunk, '.', sizeof(chunk));
	bed_say(&b, TO_SERVER, "alpha", 5);
	for (unsigned i = 0; i < 50; i++)
		bed_say(&b, TO_SERVER, chunk, sizeof(chunk));
	assert_true(b.flow.side[0].len <= 16384);
	bed_say(&b, TO_SERVER, "omega", 5);
	bed_end(&b);
	assert_int_equal(bed_fired(&b, 2), 0);
	bed_close(&b);
}

/* ---- transactions ----------------------------------------------------------------------------------------- */

static const char http_rules[] =
	"alert http any any -> any any (flow:to_server; http.uri; content:\"/evil\"; sid:1;)\n"
	"alert http any any -> any any (http.method; content:\"POST\"; http.uri; content:\"/x\"; "
	"sid:2;)\n"
	"alert http any any -> any any (http.uri; content:\"/evil\"; http.user_agent; "
	"content:\"curl\"; "
	"sid:3;)\n"
	"alert http any any -> any any (http.user_agent; absent; sid:4;)\n"
	"alert http any any -> any any (http.referer; absent; sid:5;)\n"
	"alert http any any -> any any (http.uri; content:!\"evil\"; sid:6;)\n"
	"alert http any any -> any any (http.uri; bsize:5; sid:7;)\n"
	"alert http any any -> any any (http.host; dotprefix; content:\".example.org\"; endswith; "
	"sid:8;)\n"
	"alert http any any -> any any (flow:to_client; file.data; content:\"secret\"; sid:9;)\n"
	"alert http any any -> any any (http.stat_code; content:\"404\"; sid:10;)\n"
	"alert http any any -> any any (http.uri; to_uppercase; content:\"/EVIL\"; sid:11;)\n"
	"alert http any any -> any any (http.referer; content:!\"x\"; sid:12;)\n"
	"alert http any any -> any any (urilen:5; sid:13;)\n"
	"alert tcp any any -> any any (http.uri; content:\"/evil\"; content:\"HTTP/1.1\"; "
	"sid:14;)\n";

static const char request[] =
	"GET /evil HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: curl/8\r\n\r\n";
static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nthe secret!!";

static void http(void **state)
{
	static const uint8_t want[] = {0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1};
	struct bed b;
	bed_open(&b, http_rules, NULL, 0);
	for (uint32_t cut = 1; cut < sizeof(request); cut += 3) {
		bed_flow(&b, true, 40000, 8080);
		bed_app(&b);
		bed_forget(&b);
		bed_say(&b, TO_SERVER, request, cut);
		if (cut < sizeof(request) - 1)
			bed_say(&b, TO_SERVER, request + cut,
				(uint32_t)(sizeof(request) - 1 - cut));
		bed_say(&b, TO_CLIENT, response, cut / 2 + 1);
		bed_say(&b, TO_CLIENT, response + cut / 2 + 1,
			(uint32_t)(sizeof(response) - 2 - cut / 2));
		bed_end(&b);
		for (uint32_t sid = 1; sid < ARRAY_LEN(want); sid++)
			if (bed_fired(&b, sid) != want[sid])
				fail_msg("cut %u: sid %u fired %u times, not %u", cut, sid,
					 bed_fired(&b, sid), want[sid]);
	}
	bed_close(&b);
}

/* What stands behind a content that a modifier moved, and is relative to it, moves with it. */
static void moved(void **state)
{
	static const char said[] = "GET /?arg=aGVsbG8= HTTP/1.1\r\nHost: a\r\n\r\n";
	struct bed b;
	bed_open(&b,
		 "alert http any any -> any any (content:\"arg\"; http_uri; base64_decode:bytes 8, "
		 "offset 1, relative; base64_data; content:\"hello\"; sid:1;)\n"
		 "alert http any any -> any any (content:\"arg\"; http_uri; isdataat:8,relative; "
		 "sid:2;)\n"
		 "alert http any any -> any any (content:\"arg\"; http_uri; isdataat:!10,relative; "
		 "sid:3;)\n"
		 "alert http any any -> any any (content:\"arg\"; http_uri; "
		 "byte_test:1,=,0x61,1,relative; sid:4;)\n"
		 "alert http any any -> any any (content:\"arg\"; http_uri; isdataat:10,relative; "
		 "sid:5;)\n",
		 NULL, 0);
	bed_flow(&b, true, 40000, 8080);
	bed_app(&b);
	bed_say(&b, TO_SERVER, said, sizeof(said) - 1);
	bed_end(&b);
	for (uint32_t sid = 1; sid < 6; sid++)
		if (bed_fired(&b, sid) != (sid < 5))
			fail_msg("sid %u fired %u times", sid, bed_fired(&b, sid));
	bed_close(&b);
}

/* ---- state -------------------------------------------------------------------------------------------- */

static void bits(void **state)
{
	struct bed b;
	bed_open(&b,
		 "alert udp any any -> any any (content:\"B\"; flowbits:isset,one; sid:1;)\n"
		 "alert udp any any -> any any (content:\"A\"; flowbits:set,one; noalert; sid:2;)\n"
		 "alert udp any any -> any any (content:\"B\"; flowbits:isnotset,one; sid:3;)\n"
		 "alert udp any any -> any any (content:\"C\"; flowbits:unset,one; sid:4;)\n"
		 "alert udp any any -> any any (content:\"I\"; flowint:n,+,1; noalert; sid:5;)\n"
		 "alert udp any any -> any any (content:\"J\"; flowint:n,>,1; sid:6;)\n"
		 "alert udp any any -> any any (content:\"X\"; xbits:set,h,track ip_src,expire 10; "
		 "sid:7;)\n"
		 "alert udp any any -> any any (content:\"Y\"; xbits:isset,h,track ip_src; "
		 "sid:8;)\n",
		 NULL, 0);
	bed_udp(&b, "B", 1);
	assert_int_equal(bed_fired(&b, 1), 0);
	assert_int_equal(bed_fired(&b, 3), 1);
	bed_udp(&b, "AB", 2); /* set and tested in one packet */
	assert_int_equal(bed_fired(&b, 1), 1);
	assert_int_equal(bed_fired(&b, 2), 0);
	bed_udp(&b, "C", 1);
	bed_udp(&b, "B", 1);
	assert_int_equal(bed_fired(&b, 1), 1);
	assert_int_equal(bed_fired(&b, 3), 2);
	bed_udp(&b, "IJ", 2);
	assert_int_equal(bed_fired(&b, 6), 0);
	bed_udp(&b, "IJ", 2);
	assert_int_equal(bed_fired(&b, 6), 1);
	bed_udp(&b, "X", 1);
	bed_flow(&b, false, 1, 2); /* another flow, the same host */
	bed_udp(&b, "Y", 1);
	assert_int_equal(bed_fired(&b, 8), 1);
	b.now_ns += 11 * NS_PER_SEC;
	bed_udp(&b, "Y", 1);
	assert_int_equal(bed_fired(&b, 8), 1);
	bed_close(&b);
}

static void thresholds(void **state)
{
	struct bed b;
	bed_open(&b,
		 "alert udp any any -> any any (content:\"A\"; threshold:type limit,track "
		 "by_src,count "
		 "2,seconds 60; sid:1;)\n"
		 "alert udp any any -> any any (content:\"A\"; threshold:type threshold,track "
		 "by_src,"
		 "count 3,seconds 60; sid:2;)\n"
		 "alert udp any any -> any any (content:\"A\"; threshold:type both,track "
		 "by_dst,count "
		 "3,seconds 60; sid:3;)\n"
		 "alert udp any any -> any any (content:\"A\"; detection_filter:track by_src,count "
		 "4,"
		 "seconds 60; sid:4;)\n",
		 NULL, 0);
	for (unsigned i = 0; i < 6; i++)
		bed_udp(&b, "A", 1);
	assert_int_equal(bed_fired(&b, 1), 2);
	assert_int_equal(bed_fired(&b, 2), 2);
	assert_int_equal(bed_fired(&b, 3), 1);
	assert_int_equal(bed_fired(&b, 4), 2);
	b.now_ns += 61 * NS_PER_SEC;
	bed_udp(&b, "A", 1);
	assert_int_equal(bed_fired(&b, 1), 3);
	assert_int_equal(bed_fired(&b, 4), 2);
	bed_close(&b);
}

static void passing(void **state)
{
	struct bed b;
	bed_open(&b,
		 "alert udp any any -> any any (content:\"A\"; sid:1;)\n"
		 "pass udp any any -> any any (content:\"P\"; sid:2;)\n",
		 NULL, 0);
	bed_udp(&b, "A", 1);
	bed_udp(&b, "AP", 2);
	assert_int_equal(bed_fired(&b, 1), 1);
	assert_int_equal(bed_fired(&b, 2), 0);
	bed_close(&b);
}

/* A chain that could be tried in 200^4 ways ends within its budget, and is counted. */
static void budget(void **state)
{
	struct bed b;
	bed_open(&b,
		 "alert udp any any -> any any (content:\"a\"; content:\"a\"; distance:0; "
		 "content:\"a\"; "
		 "distance:0; content:\"a\"; distance:0; content:\"b\"; distance:0; within:1; "
		 "sid:1;)\n",
		 NULL, 500);
	uint8_t data[201];
	memset(data, 'a', sizeof(data) - 1);
	data[sizeof(data) - 1] = 'c';
	struct rule_engine_stats s;
	data[0] = 'b';
	bed_udp(&b, data, sizeof(data));
	assert_int_equal(bed_fired(&b, 1), 0);
	rule_engine_read_stats(b.engine, &s);
	assert_int_equal(s.budget_exceeded, 1);
	struct rule_profile p;
	rule_engine_profile(b.engine, 0, &p);
	assert_int_equal(p.budget_exceeded, 1);
	assert_true(p.checks >= 1);
	bed_close(&b);
}

static bool same_bytes(const uint8_t *a, const uint8_t *b, size_t len, bool nocase)
{
	for (size_t i = 0; i < len; i++)
		if (nocase ? tolower(a[i]) != tolower(b[i]) : a[i] != b[i])
			return false;
	return true;
}

static const uint8_t *slow_find(const uint8_t *hay, size_t n, const uint8_t *needle, size_t len,
				bool nocase)
{
	for (size_t i = 0; i + len <= n; i++)
		if (same_bytes(hay + i, needle, len, nocase))
			return hay + i;
	return NULL;
}

/* The search in strides finds the first place, wherever it is. */
static void finding(void **state)
{
	static const char letters[] = "abAB@`[{";
	uint64_t seed = 5;
	unsigned found = 0;
	(void)state;
	for (unsigned round = 0; round < 200000; round++) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		size_t n = (seed >> 33) % 300, len = 1 + (seed >> 45) % 8;
		bool nocase = (seed >> 60 & 1) != 0;
		uint8_t *hay = malloc(n > 0 ? n : 1), needle[8]; /* to the byte: no read beyond */
		uint64_t x = seed;
		for (size_t i = 0; i < n + len; i++) {
			x = x * UINT64_C(6364136223846793005) + 1;
			uint8_t c = (uint8_t)letters[(x >> 40) % (round % 7 == 0 ? 2 : 8)];
			*(i < n ? hay + i : needle + (i - n)) = c;
		}
		const uint8_t *at = eval_find(hay, n, needle, len, nocase);
		assert_ptr_equal(at, slow_find(hay, n, needle, len, nocase));
		found += at != NULL;
		free(hay);
	}
	assert_in_range(found, 20000, 180000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(payloads),      cmocka_unit_test(headers),
		cmocka_unit_test(segmentation),  cmocka_unit_test(stream_at_once),
		cmocka_unit_test(stream_window), cmocka_unit_test(http),
		cmocka_unit_test(moved),         cmocka_unit_test(bits),
		cmocka_unit_test(thresholds),    cmocka_unit_test(passing),
		cmocka_unit_test(budget),        cmocka_unit_test(finding),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
