/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules that replace, inline: streams cut at every place and byte by byte, and what leaves of them. */
#include "rule/test/river.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S(text) text, sizeof(text) - 1

struct line { /* what is said, and what leaves of it (NULL: the same) */
	unsigned dir;
	const char *said;
	const char *leaves;
};
#define LINES 4u

static void check_left(const struct river *r, const struct line *l)
{
	for (unsigned d = 0; d < 2; d++) {
		char want[4096];
		size_t n = 0;
		for (unsigned i = 0; i < LINES && l[i].said != NULL; i++) {
			const char *t = l[i].leaves != NULL ? l[i].leaves : l[i].said;
			if (l[i].dir != d)
				continue;
			assert_true(n + strlen(t) < sizeof(want));
			memcpy(want + n, t, strlen(t));
			n += strlen(t);
		}
		river_left(r, d, want, n);
	}
}

/* Says all lines; the cut-th one in pieces that begin at a, b. */
static void talk(struct river *r, const struct line *l, uint16_t port, unsigned cut, size_t a,
		 size_t b)
{
	river_flow(r, true, port);
	for (unsigned i = 0; i < LINES && l[i].said != NULL; i++) {
		size_t n = strlen(l[i].said), from = i == cut ? a : 0, to = i == cut ? b : 0;
		const char *t = l[i].said;
		if (from > 0)
			river_say(r, l[i].dir, t, (uint32_t)from);
		if (to > from)
			river_say(r, l[i].dir, t + from, (uint32_t)(to - from));
		from = to > from ? to : from;
		if (n > from)
			river_say(r, l[i].dir, t + from, (uint32_t)(n - from));
		river_release(r, l[i].dir);
	}
	check_left(r, l);
}

static void byte_by_byte(struct river *r, const struct line *l, uint16_t port, size_t step)
{
	river_flow(r, true, port);
	for (unsigned i = 0; i < LINES && l[i].said != NULL; i++) {
		size_t n = strlen(l[i].said);
		for (size_t k = 0; k < n; k += step)
			river_say(r, l[i].dir, l[i].said + k,
				  (uint32_t)(n - k < step ? n - k : step));
		river_release(r, l[i].dir);
	}
	check_left(r, l);
}

static void everywhere(const char *rules, const struct line *l, uint16_t port)
{
	struct river r;
	river_open(&r, rules, false);
	for (unsigned i = 0; i < LINES && l[i].said != NULL; i++)
		for (size_t a = 0; a < strlen(l[i].said); a++) {
			talk(&r, l, port, i, a, 0);
			size_t b = a + 1 + (a * 7 + i) % 5;
			if (b < strlen(l[i].said))
				talk(&r, l, port, i, a, b);
		}
	byte_by_byte(&r, l, port, 1);
	byte_by_byte(&r, l, port, 2);
	byte_by_byte(&r, l, port, 3);
	river_close(&r);
}

/* ---- streams --------------------------------------------------------------------------------------- */

static void test_stream(void **state)
{
	(void)state;
	static const struct line same[LINES] = {
		{TO_SERVER, "one evil two evil, evievil EVIL evi",
		 "one good two good, evigood EVIL evi"},
		{TO_CLIENT, "evil here", "good here"},
	};
	everywhere("rewrite tcp any any -> any any (content:\"evil\"; replace:\"good\"; sid:1;)",
		   same, 7777);
	static const struct line longer[LINES] = {
		{TO_SERVER, "ababab aXb Evilevil", "<AB><AB><AB> aXb <longer><longer>"},
		{TO_CLIENT, "evil", "<longer>"},
	};
	everywhere("alert tcp any any -> any any (content:\"evil\"; nocase; replace:\"<longer>\"; "
		   "sid:1;)\n"
		   "alert tcp any any -> any any (content:\"ab\"; replace:\"<AB>\"; sid:2;)",
		   longer, 7777);
	static const struct line deleted[LINES] = {
		{TO_SERVER, "rm -rf /; rm -rf ~; rm -r", "/; ~; rm -r"},
	};
	everywhere("alert tcp any any -> any any (content:\"rm -rf \"; replace:\"\"; sid:1;)",
		   deleted, 23);
}

static void test_several_contents(void **state)
{
	(void)state;
	static const struct line after[LINES] = {
		{TO_SERVER, "GET key=abc; key=abd; end key=abc",
		 "GET kex=abc; kex=abd; end key=abc"},
	};
	everywhere("rewrite tcp any any -> any any (content:\"key\"; replace:\"kex\"; "
		   "content:\"end\"; "
		   "distance:0; sid:1;)",
		   after, 7777);
	static const struct line both[LINES] = {
		{TO_SERVER, "user root pass root user x pass y", "USER! root P root USER! x P y"},
	};
	everywhere("rewrite tcp any any -> any any (content:\"user\"; replace:\"USER!\"; "
		   "content:\"pass\"; distance:1; within:12; replace:\"P\"; sid:1;)",
		   both, 7777);
	static const struct line before[LINES] = {
		{TO_SERVER, "shell: /bin/sh and /bin/sh", "shell: /bin/no and /bin/no"},
	};
	everywhere("rewrite tcp any any -> any any (content:\"shell\"; content:\"/bin/sh\"; "
		   "replace:\"/bin/no\"; sid:1;)",
		   before, 7777);
	static const struct line regex[LINES] = {
		{TO_SERVER, "wget 12345 wget abc wget 777", "xget 12345 wget abc xget 777"},
	};
	everywhere("rewrite tcp any any -> any any (content:\"wget\"; replace:\"xget\"; "
		   "pcre:\"/^ [0-9]{3}/R\"; sid:1;)",
		   regex, 7777);
}

static void test_long_contents(void **state)
{
	(void)state;
	static const struct line l[LINES] = {
		{TO_SERVER,
		 "x 0123456789012345678901234567890123456789012345678901234567890123456789abcdef! "
		 "x",
		 "x short! x"},
	};
	everywhere(
		"rewrite tcp any any -> any any (content:\""
		"0123456789012345678901234567890123456789012345678901234567890123456789abcdef\"; "
		"replace:\"short\"; sid:1;)",
		l, 7777);
}

/* ---- HTTP ------------------------------------------------------------------------------------------ */

#define RULE_HTTP "rewrite tcp any any -> any any "

static void test_uri(void **state)
{
	(void)state;
	static const struct line raw[LINES] = {
		{TO_SERVER,
		 "GET /scripts/..%c0%af../winnt/system32/cmd.exe?/c+dir HTTP/1.0\r\nHost: "
		 "a\r\n\r\n",
		 "GET /scripts/xxxxxxxxxx/winnt/system32/cmd.exe?/c+dir HTTP/1.0\r\nHost: "
		 "a\r\n\r\n"},
		{TO_CLIENT, "HTTP/1.0 404 No\r\nContent-Length: 2\r\n\r\nno", NULL},
		{TO_SERVER, "GET /tool HTTP/1.0\r\nHost: a\r\n\r\n", NULL},
	};
	everywhere(RULE_HTTP
		   "(http_raw_uri; content:\"..%c0%af..\"; replace:\"xxxxxxxxxx\"; sid:1;)",
		   raw, 80);
	static const struct line normal[LINES] = {
		{TO_SERVER,
		 "GET /scripts/..%c0%af../winnt/system32/c%6dd.exe?/c+dir HTTP/1.0\r\nA: b\r\n\r\n",
		 "GET /scripts/..%c0%af../winnt/system32/none?/c+dir HTTP/1.0\r\nA: b\r\n\r\n"},
		{TO_SERVER, "GET /a/./cmd.exe/%63md.exe HTTP/1.1\r\nHost: cmd.exe\r\n\r\n",
		 "GET /a/./none/none HTTP/1.1\r\nHost: cmd.exe\r\n\r\n"},
	};
	everywhere(RULE_HTTP "(http.uri; content:\"cmd.exe\"; replace:\"none\"; sid:1;)", normal,
		   80);
	static const struct line dots[LINES] = {
		{TO_SERVER, "GET /x/..//winnt/y HTTP/1.0\r\n\r\n", "GET /gone/y HTTP/1.0\r\n\r\n"},
	};
	everywhere(RULE_HTTP "(http.uri; content:\"/winnt\"; replace:\"/gone\"; sid:1;)", dots, 80);
}

static void test_headers(void **state)
{
	(void)state;
	static const struct line l[LINES] = {
		{TO_SERVER,
		 "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent:  () { :;}; sh\r\nCookie: id=bad\r\n"
		 "X-Exec:now\r\n\r\n",
		 "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent:  nothing sh\r\nCookie: id=ok\r\n"
		 "X-Never: \r\n\r\n"},
		{TO_CLIENT, "HTTP/1.1 200 Fine\r\nServer: evil/1\r\nContent-Length: 0\r\n\r\n",
		 "HTTP/1.1 200 Bad!\r\nServer: good/1\r\nContent-Length: 0\r\n\r\n"},
	};
	everywhere(
		RULE_HTTP
		"(http.user_agent; content:\"() { :|3b|};\"; replace:\"nothing\"; "
		"sid:1;)\n" RULE_HTTP
		"(flow:to_server; http_cookie; content:\"bad\"; replace:\"ok\"; sid:2;)\n" RULE_HTTP
		"(http.header; content:\"X-Exec: now\"; replace:\"X-Never: \"; sid:3;)\n" RULE_HTTP
		"(http.stat_msg; content:\"Fine\"; replace:\"Bad!\"; sid:4;)\n" RULE_HTTP
		"(http.server; content:\"evil\"; replace:\"good\"; sid:5;)\n",
		l, 8080);
	static const struct line method[LINES] = {
		{TO_SERVER, "DELETE /x HTTP/1.1\r\nHost: Evil.org\r\n\r\n",
		 "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n"},
	};
	everywhere(RULE_HTTP
		   "(http.method; content:\"DELETE\"; replace:\"GET\"; sid:1;)\n" RULE_HTTP
		   "(http.host; content:\"evil.org\"; replace:\"a.example\"; sid:2;)\n",
		   method, 80);
	static const struct line raw[LINES] = {
		{TO_SERVER, "GET /x HTTP/1.1\r\nB: c\r\nAccept-Encoding:\tgzip, br\r\nA: b\r\n\r\n",
		 "GET /x HTTP/1.1\r\nB: c\r\nAccept-Encoding: none\r\nA: b\r\n\r\n"},
	};
	everywhere(RULE_HTTP "(http.header.raw; content:\"|0d 0a|Accept-Encoding:|09|gzip, br\"; "
			     "replace:\"|0d 0a|Accept-Encoding: none\"; sid:1;)\n",
		   raw, 80);
}

static void test_bodies(void **state)
{
	(void)state;
	static const struct line plain[LINES] = {
		{TO_SERVER,
		 "POST / HTTP/1.1\r\nHost: evil\r\nContent-Length: 16\r\n\r\nevil evievilevil",
		 "POST / HTTP/1.1\r\nHost: evil\r\nContent-Length: 16\r\n\r\ngood evigoodgood"},
		{TO_CLIENT,
		 "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nevil-evilHTTP/1.1 200 "
		 "evil\r\n\r\nevilevil",
		 "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ngood-goodHTTP/1.1 200 "
		 "evil\r\n\r\ngoodgood"},
	};
	everywhere(RULE_HTTP
		   "(http.request_body; content:\"evil\"; replace:\"good\"; sid:1;)\n" RULE_HTTP
		   "(file_data; content:\"evil\"; flow:to_client; replace:\"good\"; sid:2;)\n",
		   plain, 80);
	static const struct line chunked[LINES] = {
		{TO_SERVER, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", NULL},
		{TO_CLIENT,
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxev\r\n1\r\ni\r\n"
		 "9;e=evil\r\nl evil ev\r\n2\r\nil\r\n0\r\n\r\n",
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxgo\r\n1\r\no\r\n"
		 "9;e=evil\r\nd good go\r\n2\r\nod\r\n0\r\n\r\n"},
	};
	everywhere(RULE_HTTP "(http.response_body; content:\"evil\"; replace:\"good\"; sid:1;)",
		   chunked, 80);
	static const struct line until_close[LINES] = {
		{TO_SERVER, "GET / HTTP/1.0\r\n\r\n", NULL},
		{TO_CLIENT, "HTTP/1.0 200 OK\r\n\r\nan evil evil body",
		 "HTTP/1.0 200 OK\r\n\r\nan x x body"},
	};
	everywhere(RULE_HTTP "(http.response_body; content:\"evil\"; replace:\"x\"; sid:1;)",
		   until_close, 80);
	static const struct line asks[LINES] = {
		{TO_SERVER, "GET / HTTP/1.1\r\nAccept-Encoding: gzip, br\r\nHost: a\r\n\r\n",
		 "GET / HTTP/1.1\r\nAccept-Encoding: identity\r\nHost: a\r\n\r\n"},
		{TO_CLIENT, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
		 "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"},
		{TO_SERVER, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", NULL},
	};
	everywhere(RULE_HTTP "(http.response_body; content:\"evil\"; replace:\"good\"; sid:1;)",
		   asks, 80);
	static const struct line other_length[LINES] = {
		{TO_SERVER, "GET /f HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
		 "GET /f HTTP/1.0\r\nHost: a\r\nConnection: close\r\n\r\n"},
		{TO_CLIENT,
		 "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nServer: s\r\n\r\nan evil evil",
		 "HTTP/1.1 200 OK\r\nConnection: close\r\nServer: s\r\n\r\nan longer longer"},
	};
	everywhere(RULE_HTTP "(file_data; content:\"evil\"; replace:\"longer\"; sid:1;)",
		   other_length, 80);
	static const struct line shorter[LINES] = {
		{TO_SERVER, "GET /f HTTP/1.0\r\nHost: a\r\n\r\n", NULL},
		{TO_CLIENT, "HTTP/1.0 200 OK\r\nContent-Length: 12\r\n\r\nan evil evil",
		 "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nan x x"},
	};
	everywhere(RULE_HTTP "(http.response_body; content:\"evil\"; replace:\"x\"; sid:1;)",
		   shorter, 80);
	static const struct line field[LINES] = {
		{TO_SERVER, "GET / HTTP/1.1\r\nA: evil\r\nX-B:  an evil one\r\n\r\n",
		 "GET / HTTP/1.1\r\nA: evil\r\nX-B:  an x one\r\n\r\n"},
	};
	everywhere("rewrite http (http_header:field x-b; content:\"evil\"; replace:\"x\"; sid:1;)",
		   field, 80);
	static const struct line waits[LINES] = {
		{TO_SERVER, "GET / HTTP/1.0\r\n\r\n", NULL},
		{TO_CLIENT, "HTTP/1.0 200 OK\r\n\r\n<script>x<script>y</script>",
		 "HTTP/1.0 200 OK\r\n\r\n<s>x<s>y</script>"},
	};
	everywhere(RULE_HTTP "(http.response_body; content:\"<script>\"; replace:\"<s>\"; "
			     "content:\"</script>\"; distance:0; sid:1;)",
		   waits, 80);
}

/* ---- what can't be -------------------------------------------------------------------------------- */

static bool drops(const char *rules, const struct line *l, uint16_t port, bool release)
{
	struct river r;
	river_open(&r, rules, false);
	river_flow(&r, true, port);
	for (unsigned i = 0; i < LINES && l[i].said != NULL; i++) {
		river_say(&r, l[i].dir, l[i].said, (uint32_t)strlen(l[i].said));
		if (release)
			river_release(&r, l[i].dir);
	}
	bool dropped = r.dropped;
	struct rule_engine_stats s;
	rule_engine_read_stats(r.bed.engine, &s);
	assert_int_equal(s.replaced_late > 0, dropped);
	river_close(&r);
	return dropped;
}

static void test_drops(void **state)
{
	(void)state;
	const char *evil =
		"rewrite tcp any any -> any any (content:\"evil\"; replace:\"good\"; sid:1;)";
	const struct line late[LINES] = {{TO_SERVER, "an ev", NULL}, {TO_SERVER, "il one", NULL}};
	assert_true(drops(evil, late, 7777, true));
	assert_false(drops(evil, late, 7777, false));
	const struct line clash[LINES] = {{TO_SERVER, "an evil one", NULL}};
	assert_true(drops(
		"rewrite tcp any any -> any any (content:\"evil\"; replace:\"good\"; sid:1;)\n"
		"rewrite tcp any any -> any any (content:\"an evil\"; replace:\"\"; sid:2;)",
		clash, 7777, false));
	const struct line body[LINES] = {
		{TO_SERVER, "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nevil", NULL}};
	assert_true(drops(RULE_HTTP
			  "(http.request_body; content:\"evil\"; replace:\"longer\"; sid:1;)",
			  body, 80, false));
	const struct line names[LINES] = {{TO_SERVER, "GET / HTTP/1.1\r\nEvil: 4\r\n\r\n", NULL}};
	assert_true(drops(RULE_HTTP
			  "(http.header_names; content:\"Evil\"; replace:\"Good\"; sid:1;)",
			  names, 80, false));
	const struct line turn[LINES] = {{TO_SERVER, "an evil one", NULL},
					 {TO_CLIENT, "yes", NULL}};
	const char *not = "alert tcp any any -> any any (flow:to_server; content:!\"none\"; "
			  "replace:\"Good\"; sid:1;)";
	assert_false(drops(not, clash, 7777, false)); /* waits for the end of what is said */
	assert_true(drops(not, turn, 7777, false));
	assert_false(
		drops("pass tcp any any -> any any (content:\"evil\"; sid:1;)\n"
		      "rewrite tcp any any -> any any (content:\"evil\"; replace:\"x\"; sid:2;)",
		      clash, 7777, false));
	static char many[600];
	memset(many, 'e', sizeof(many) - 1);
	assert_true(drops("drop tcp any any -> any any (content:\"nothing\"; sid:1;)\n"
			  "alert tcp any any -> any any (content:\"e\"; replace:\"xx\"; sid:2;)",
			  (const struct line[LINES]){{TO_SERVER, many, NULL}}, 7777, false));
}

static void test_gzip_drops(void **state)
{
	(void)state;
	/* "an evil one", compressed */
	static const uint8_t z[] = {0x1f, 0x8b, 0x08, 0,    0,    0,    0,   0,   0x02,
				    0x03, 0x01, 0x0b, 0x00, 0xf4, 0xff, 'a', 'n', ' ',
				    'e',  'v',  'i',  'l',  ' ',  'o',  'n', 'e'};
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n";
	struct river r;
	river_open(&r, RULE_HTTP "(http.response_body; content:\"evil\"; replace:\"good\"; sid:1;)",
		   false);
	river_flow(&r, true, 80);
	river_say(&r, TO_SERVER, S("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
	river_say(&r, TO_CLIENT, S(head));
	assert_false(r.dropped);
	river_say(&r, TO_CLIENT, z, sizeof(z));
	assert_true(r.dropped);
	river_close(&r);
}

/* ---- packets of TCP, rules of a protocol ------------------------------------------------------------ */

static void test_segments(void **state)
{
	(void)state;
	struct river r;
	river_open(
		&r,
		"rewrite tcp-pkt any any -> any any (content:\"evil\"; replace:\"longer\"; "
		"sid:1;)\n"
		"alert tcp any any -> any any (dsize:<20; content:\"bad\"; replace:\"\"; sid:2;)\n",
		false);
	river_flow(&r, true, 7777);
	river_say(&r, TO_SERVER, S("an ev"));
	river_say(&r, TO_SERVER, S("il evil"));
	river_say(&r, TO_SERVER, S(" evil bad evil"));
	river_left(&r, TO_SERVER, S("an evil longer longer  longer"));
	river_close(&r);
	static const struct line http[LINES] = {
		{TO_SERVER, "GET /evil HTTP/1.1\r\nHost: evil\r\n\r\n",
		 "GET /good HTTP/1.1\r\nHost: good\r\n\r\n"},
	};
	everywhere("alert http any any -> any any (content:\"evil\"; replace:\"good\"; sid:1;)\n"
		   "alert http any any -> any any (content:\"G\"; content:\"none\"; replace:\"x\"; "
		   "sid:2;)",
		   http, 80);
}

/* The same segment once more: it is no news, and drops nothing. */
static void test_retransmission(void **state)
{
	(void)state;
	struct river r;
	river_open(&r,
		   "rewrite tcp any any -> any any (content:\"evil\"; replace:\"longer\"; sid:1;)\n"
		   "rewrite tcp-pkt any any -> any any (content:\"bad\"; replace:\"\"; sid:2;)\n",
		   false);
	river_flow(&r, true, 7777);
	river_say(&r, TO_SERVER, S("an evil bad one"));
	struct stream_result again = {.flow = &r.bed.flow, .dir = TO_SERVER};
	const struct rule_edit *e;
	struct pkt p = {.ip_ver = 4,
			.proto = 6,
			.src = r.bed.flow.addr[0],
			.dst = r.bed.flow.addr[1],
			.sport = 40000,
			.dport = 7777,
			.l4_hlen = 20,
			.payload = (const uint8_t *)"an evil bad one",
			.payload_len = 15};
	p.tcp.flags = 0x18;
	p.tcp.seq = 1;
	uint32_t n = rule_packet(r.bed.engine, &p, &again, r.bed.hits);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(r.bed.hits[i].action, ACTION_ALERT);
	assert_int_equal(rule_edits(r.bed.engine, &e), 0);
	river_say(&r, TO_SERVER, S(" evil!"));
	river_left(&r, TO_SERVER, S("an longer  one longer!"));
	river_close(&r);
}

/* A frame of many segments, full of it. */
static void test_crowded(void **state)
{
	(void)state;
	static char said[60000], want[60000];
	struct river r;
	for (size_t i = 0; i < sizeof(said); i++)
		said[i] = want[i] = i % 150 < 4 ? "evil"[i % 150] : '.';
	for (size_t i = 0; i < sizeof(want); i++)
		want[i] = i % 150 < 4 ? "good"[i % 150] : '.';
	river_open(&r,
		   "rewrite tcp any any -> any any (content:\"evil\"; replace:\"good\"; sid:1;)",
		   false);
	river_flow(&r, true, 7777);
	river_say(&r, TO_SERVER, said, sizeof(said));
	river_left(&r, TO_SERVER, want, sizeof(want));
	for (unsigned i = 0; i < 3; i++)
		river_say(&r, TO_SERVER, said, sizeof(said));
	assert_false(r.dropped);
	assert_memory_equal(r.side[TO_SERVER].out + 3 * sizeof(want), want, sizeof(want));
	river_close(&r);
}

/* ---- packets -------------------------------------------------------------------------------------- */

static void test_datagrams(void **state)
{
	(void)state;
	struct river r;
	river_open(&r,
		   "rewrite udp any any -> any any (content:\"evil\"; replace:\"good\"; sid:1;)\n"
		   "alert udp any any -> any any (content:\"worse\"; replace:\"x\"; sid:2;)\n",
		   false);
	river_flow(&r, false, 53);
	bed_udp(&r.bed, S("evil and evil"));
	const struct rule_edit *e;
	assert_int_equal(rule_edits(r.bed.engine, &e), 2);
	assert_int_equal(e[0].where, WHERE_PACKET);
	assert_int_equal(e[0].off, 0);
	assert_int_equal(e[1].off, 9);
	assert_int_equal(e[1].len, 4);
	assert_int_equal(e[1].n, 4);
	assert_memory_equal(e[1].bytes, "good", 4);
	assert_int_equal(r.bed.hits[0].action, ACTION_REWRITE);
	bed_udp(&r.bed, S("nothing"));
	assert_int_equal(rule_edits(r.bed.engine, &e), 0);
	bed_udp(&r.bed, S("worse"));
	assert_int_equal(rule_edits(r.bed.engine, &e), 0);
	assert_int_equal(r.bed.n_hits, 1);
	assert_int_equal(r.bed.hits[0].action, ACTION_DROP);
	river_close(&r);
}

/* ---- how long, and for whom -------------------------------------------------------------------------- */

static void test_holds(void **state)
{
	(void)state;
	struct river r;
	river_open(&r,
		   "rewrite tcp any any -> any 7777 (content:\"evil\"; replace:\"good\"; sid:1;)\n"
		   "alert tcp any any -> any any (content:\"end\"; sid:2;)\n",
		   false);
	river_flow(&r, true, 7777);
	river_say(&r, TO_SERVER, S("no evi"));
	assert_int_equal(r.side[TO_SERVER].gone, 3);
	river_say(&r, TO_SERVER, S("dent"));
	river_left(&r, TO_SERVER, S("no evident"));
	river_say(&r, TO_CLIENT, S("an ev")); /* another port: nothing waits */
	river_left(&r, TO_CLIENT, S("an ev"));
	assert_true(rule_rewrites(r.bed.engine, &r.bed.flow, TO_SERVER));
	assert_false(rule_rewrites(r.bed.engine, &r.bed.flow, TO_CLIENT));
	river_close(&r);
}

/* What is held for a later content: so much and no more. */
static void test_hold_ends(void **state)
{
	(void)state;
	static char filler[1000];
	struct river r;
	memset(filler, '.', sizeof(filler));
	river_open(&r,
		   "rewrite tcp any any -> any any (content:\"evil\"; replace:\"good\"; "
		   "content:\"end\"; "
		   "distance:0; sid:1;)\n",
		   false);
	river_flow(&r, true, 7777);
	river_say(&r, TO_SERVER, S("the evil"));
	for (unsigned i = 0; i < 4; i++)
		river_say(&r, TO_SERVER, filler, sizeof(filler));
	assert_int_equal(r.side[TO_SERVER].gone, 4);
	river_say(&r, TO_SERVER, filler, sizeof(filler));
	assert_int_equal(r.side[TO_SERVER].gone, 5008);
	river_say(&r, TO_SERVER, S("end"));
	assert_true(r.dropped);
	river_close(&r);
}

/* Ten thousand replacements in one conversation: what is remembered stays small. */
static void test_many(void **state)
{
	(void)state;
	struct river r;
	river_open(&r, "rewrite tcp any any -> any any (content:\"evil\"; replace:\"ok\"; sid:1;)",
		   false);
	river_flow(&r, true, 7777);
	for (unsigned i = 0; i < 3000; i++)
		river_say(&r, TO_SERVER, S("an evil one, evil two, e"));
	river_release(&r, TO_SERVER);
	assert_false(r.dropped);
	assert_int_equal(r.side[TO_SERVER].n_out, 3000 * 20);
	for (unsigned i = 0; i < 3000; i++)
		assert_memory_equal(r.side[TO_SERVER].out + (size_t)i * 20, "an ok one, ok two, e",
				    20);
	river_close(&r);
}

/* ---- at random ------------------------------------------------------------------------------------- */

static uint32_t draw(uint64_t *seed, uint32_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33) % below;
}

static size_t draw_text(uint64_t *seed, uint32_t letters, uint32_t least, uint32_t most, char *ret)
{
	size_t n = least + draw(seed, most - least + 1);
	for (size_t i = 0; i < n; i++)
		ret[i] = (char)('a' + draw(seed, letters));
	ret[n] = '\0';
	return n;
}

/* From the left, without overlap: each word behind which (unless it is NULL) end stands. */
static size_t model(const char *in, size_t n, const char *word, const char *by, const char *end,
		    char *out)
{
	size_t len = strlen(word), k = 0;
	for (size_t i = 0; i < n;) {
		bool hit = n - i >= len && memcmp(in + i, word, len) == 0 &&
			   (end == NULL || strstr(in + i + len, end) != NULL);
		if (hit)
			for (const char *b = by; *b != '\0'; b++)
				out[k++] = *b;
		else
			out[k++] = in[i];
		i += hit ? len : 1;
	}
	return k;
}

static void say_cut(struct river *r, unsigned dir, const char *text, size_t n, uint64_t *seed)
{
	uint32_t most = 1 + draw(seed, 12);
	for (size_t at = 0; at < n;) {
		uint32_t k = 1 + draw(seed, most);
		k = k < n - at ? k : (uint32_t)(n - at);
		river_say(r, dir, text + at, k);
		at += k;
	}
	river_release(r, dir);
}

#define RULES_DRAWN 60u
#define STREAMS_DRAWN 60u

static void test_any_cut(void **state)
{
	(void)state;
	uint64_t seed = 4711;
	for (unsigned i = 0; i < RULES_DRAWN; i++) {
		char word[16], by[16], end[8], rule[256], text[256], want[4096];
		struct river r;
		bool two = i % 3 == 2;
		draw_text(&seed, 2, 1, 6, word);
		draw_text(&seed, 2, 0, 6, by);
		draw_text(&seed, 2, 2, 4, end);
		end[0] = 'z';
		(void)snprintf(rule, sizeof(rule),
			       "rewrite tcp any any -> any any (content:\"%s\"; replace:\"%s\"; "
			       "%s%s%s sid:1;)",
			       word, by, two ? "content:\"" : "", two ? end : "",
			       two ? "\"; distance:0;" : "");
		river_open(&r, rule, false);
		for (unsigned k = 0; k < STREAMS_DRAWN; k++) {
			river_flow(&r, true, 7777);
			size_t n = draw_text(&seed, 3, 1, 100, text);
			for (size_t j = 0; j < n; j++)
				text[j] = text[j] == 'c' && two ? 'z' : text[j];
			say_cut(&r, TO_SERVER, text, n, &seed);
			n = model(text, n, word, by, two ? end : NULL, want);
			river_left(&r, TO_SERVER, want, n);
		}
		river_close(&r);
	}
}

/* Several rules that may be in each other's way: nothing that one of them replaces leaves whole. */
static void test_never_whole(void **state)
{
	(void)state;
	uint64_t seed = 99;
	unsigned lived = 0;
	for (unsigned i = 0; i < RULES_DRAWN; i++) {
		char word[3][16], rule[512], text[256];
		struct river r;
		for (unsigned k = 0; k < 3; k++)
			draw_text(&seed, 3, 2, 7, word[k]);
		(void)snprintf(
			rule, sizeof(rule),
			"rewrite tcp any any -> any any (content:\"%s\"; replace:\"X\"; sid:1;)\n"
			"alert tcp any any -> any any (content:\"%s\"; nocase; "
			"replace:\"YYYYYYYYY\"; sid:2;)\n"
			"alert tcp-stream any any -> any any (content:\"%s\"; replace:\"Z\"; "
			"sid:3;)\n",
			word[0], word[1], word[2]);
		river_open(&r, rule, false);
		for (unsigned k = 0; k < STREAMS_DRAWN; k++) {
			river_flow(&r, true, 7777);
			size_t n = draw_text(&seed, 4, 1, 120, text);
			say_cut(&r, TO_SERVER, text, n, &seed);
			const struct river_side *s = &r.side[TO_SERVER];
			lived += !r.dropped;
			for (unsigned j = 0; j < 3; j++)
				assert_null(memmem(s->out, s->n_out, word[j], strlen(word[j])));
		}
		river_close(&r);
	}
	assert_true(lived > RULES_DRAWN * STREAMS_DRAWN / 4);
}

static void test_any_chunks(void **state)
{
	(void)state;
	static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
	uint64_t seed = 815;
	for (unsigned i = 0; i < RULES_DRAWN; i++) {
		char word[16], by[16], rule[256], text[256], body[256], said[2048], want[2048];
		struct river r;
		size_t len = draw_text(&seed, 2, 1, 6, word);
		for (size_t j = 0; j < len; j++)
			by[j] = (char)('A' + draw(&seed, 26));
		by[len] = '\0';
		(void)snprintf(rule, sizeof(rule),
			       RULE_HTTP "(http.response_body; content:\"%s\"; replace:\"%s\"; "
					 "sid:1;)",
			       word, by);
		river_open(&r, rule, false);
		for (unsigned k = 0; k < STREAMS_DRAWN; k++) {
			river_flow(&r, true, 80);
			size_t n = draw_text(&seed, 3, 1, 60, text), a = sizeof(head) - 1, b = a;
			assert_int_equal(model(text, n, word, by, NULL, body), n);
			memcpy(said, head, a);
			memcpy(want, head, a);
			for (size_t at = 0; at < n;) {
				uint32_t c = 1 + draw(&seed, 9);
				c = c < n - at ? c : (uint32_t)(n - at);
				a += (size_t)snprintf(said + a, 64, "%x\r\n%.*s\r\n", c, (int)c,
						      text + at);
				b += (size_t)snprintf(want + b, 64, "%x\r\n%.*s\r\n", c, (int)c,
						      body + at);
				at += c;
			}
			a += (size_t)snprintf(said + a, 64, "0\r\n\r\n");
			b += (size_t)snprintf(want + b, 64, "0\r\n\r\n");
			river_say(&r, TO_SERVER, S("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
			say_cut(&r, TO_CLIENT, said, a, &seed);
			river_left(&r, TO_CLIENT, want, b);
		}
		river_close(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream),        cmocka_unit_test(test_several_contents),
		cmocka_unit_test(test_long_contents), cmocka_unit_test(test_uri),
		cmocka_unit_test(test_headers),       cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_drops),         cmocka_unit_test(test_gzip_drops),
		cmocka_unit_test(test_datagrams),     cmocka_unit_test(test_holds),
		cmocka_unit_test(test_hold_ends),     cmocka_unit_test(test_segments),
		cmocka_unit_test(test_crowded),       cmocka_unit_test(test_retransmission),
		cmocka_unit_test(test_many),          cmocka_unit_test(test_any_cut),
		cmocka_unit_test(test_never_whole),   cmocka_unit_test(test_any_chunks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
