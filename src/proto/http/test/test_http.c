/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests, responses, their buffers and events; each conversation whole, and cut at every byte. */
#include "say.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S TO_SERVER
#define C TO_CLIENT

#define REQ "GET /a HTTP/1.1\r\nHost: h.example\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\n"

static const struct script buffers_cases[] = {
	{"an ordinary exchange",
	 {"GET /a/b.html?q=1 HTTP/1.1\r\nHost: WWW.Example.:8080\r\nUser-Agent: agent/1\r\n"
	  "Accept: */*\r\nCookie: k=v\r\nReferer: r\r\nAccept-Language: en\r\n"
	  "Accept-Encoding: x\r\nConnection: keep-alive\r\n\r\n",
	  OK "Server: s/1\r\nSet-Cookie: a=b\r\nContent-Type: text/html\r\n"
	     "Content-Length: 5\r\n\r\nhello"},
	 {{0, BUF_HTTP_METHOD, S, 0, "GET"},
	  {0, BUF_HTTP_URI, S, 0, "/a/b.html?q=1"},
	  {0, BUF_HTTP_PROTOCOL, S, 0, "HTTP/1.1"},
	  {0, BUF_HTTP_HOST, S, 0, "www.example"},
	  {0, BUF_HTTP_HOST_RAW, S, 0, "WWW.Example.:8080"},
	  {0, BUF_HTTP_USER_AGENT, S, 0, "agent/1"},
	  {0, BUF_HTTP_COOKIE, S, 0, "k=v"},
	  {0, BUF_HTTP_COOKIE, C, 0, "a=b"},
	  {0, BUF_HTTP_STAT_CODE, C, 0, "200"},
	  {0, BUF_HTTP_STAT_MSG, C, 0, "OK"},
	  {0, BUF_HTTP_RESPONSE_BODY, C, 0, "hello"},
	  {0, BUF_FILE_DATA, C, 0, "hello"},
	  {0, BUF_FILE_NAME, C, 0, "/a/b.html"}},
	 {"http.request_server_port_tcp_port_mismatch"},
	 {"http.missing_host_header"},
	 0},
	{"headers in their forms",
	 {"GET / HTTP/1.1\r\nhost:h\r\nA:  b \r\nCookie: c\r\nA: d\r\n\r\n",
	  OK "X: y\r\nSet-Cookie: z\r\nContent-Length: 0\r\n\r\n"},
	 {{0, BUF_HTTP_HEADER, S, 0, "host: h\r\nA: b, d\r\n"},
	  {0, BUF_HTTP_HEADER_RAW, S, 0, "host:h\r\nA:  b \r\nCookie: c\r\nA: d\r\n\r\n"},
	  {0, BUF_HTTP_HEADER_NAMES, S, 0, "\r\nhost\r\nA\r\n\r\n"},
	  {0, BUF_HTTP_START, S, 0, "GET / HTTP/1.1\r\nhost: h\r\nA: b, d\r\nCookie: c\r\n\r\n"},
	  {0, BUF_HTTP_REQUEST_HEADER, S, 0, "host: h"},
	  {0, BUF_HTTP_REQUEST_HEADER, S, 1, "A: b, d"},
	  {0, BUF_HTTP_REQUEST_HEADER, S, 3, NULL},
	  {0, BUF_HTTP_RESPONSE_HEADER, C, 0, "X: y"},
	  {0, BUF_HTTP_HEADER, C, 0, "X: y\r\nContent-Length: 0\r\n"},
	  {0, BUF_HTTP_RESPONSE_LINE, C, 0, "HTTP/1.1 200 OK"},
	  {0, BUF_HTTP_REQUEST_LINE, S, 0, "GET / HTTP/1.1"},
	  {0, BUF_HTTP_RESPONSE_BODY, C, 0, NULL},
	  {0, BUF_FILE_DATA, C, 0, NULL}},
	 {NULL},
	 {NULL},
	 0},
	{"no headers",
	 {"GET /x HTTP/1.0\r\n\r\n", "HTTP/1.0 500 Bad\r\n\r\n"},
	 {{0, BUF_HTTP_HEADER, S, 0, NULL},
	  {0, BUF_HTTP_HEADER_NAMES, S, 0, NULL},
	  {0, BUF_HTTP_REQUEST_HEADER, S, 0, NULL},
	  {0, BUF_FILE_DATA, C, 0, NULL}},
	 {NULL},
	 {"http.missing_host_header"},
	 0},
};

static void test_buffers(void **state)
{
	run_all(buffers_cases, ARRAY_LEN(buffers_cases));
}

static const struct script request_lines_cases[] = {
	{"blanks in the URI",
	 {"GET /a b c HTTP/1.1\r\nHost: h\r\n\r\n"},
	 {{0, BUF_HTTP_URI_RAW, S, 0, "/a b c"}},
	 {NULL},
	 {NULL},
	 0},
	{"tab behind the method",
	 {"GET\t/a HTTP/1.1\r\nHost: h\r\n\r\n"},
	 {{0, BUF_HTTP_URI_RAW, S, 0, "/a"}},
	 {"http.method_delim_non_compliant"},
	 {"http.uri_delim_non_compliant"},
	 0},
	{"tab behind the URI",
	 {"GET /a\tHTTP/1.1\r\nHost: h\r\n\r\n"},
	 {{0, BUF_HTTP_URI_RAW, S, 0, "/a"}},
	 {"http.uri_delim_non_compliant"},
	 {"http.method_delim_non_compliant"},
	 0},
	{"blank before the method",
	 {" GET /a HTTP/1.1\r\nHost: h\r\n\r\n"},
	 {{0, BUF_HTTP_METHOD, S, 0, "GET"}},
	 {"http.request_line_leading_whitespace"},
	 {NULL},
	 0},
	{"empty lines first",
	 {"\r\n\n\r\n" REQ},
	 {{0, BUF_HTTP_METHOD, S, 0, "GET"}},
	 {NULL},
	 {"http.request_line_leading_whitespace"},
	 0},
	{"a protocol of its own",
	 {"GET /a JUNK/1.1\r\nHost: h\r\n\r\n"},
	 {{0, BUF_HTTP_PROTOCOL, S, 0, "JUNK/1.1"}, {0, BUF_HTTP_HOST, S, 0, "h"}},
	 {"http.request_line_invalid"},
	 {NULL},
	 0},
	{"0.9",
	 {"GET /a\r\n", "whatever\n"},
	 {{0, BUF_HTTP_URI, S, 0, "/a"}, {0, BUF_FILE_DATA, C, 0, "whatever\n"}},
	 {NULL},
	 {"http.request_line_missing_protocol"},
	 0},
	{"not 0.9",
	 {"GET /\nJunk\nHost: here\n\n", OK "Content-Length: 1\r\n\r\nx"},
	 {{0, BUF_HTTP_HOST, S, 0, "here"}, {0, BUF_FILE_DATA, C, 0, "x"}},
	 {"http.request_line_missing_protocol", "http.request_field_missing_colon"},
	 {NULL},
	 0},
	{"method only",
	 {"GET\r\n"},
	 {{0, BUF_HTTP_METHOD, S, 0, "GET"}},
	 {"http.request_line_incomplete"},
	 {NULL},
	 0},
	{"pipelined",
	 {REQ "GET /b HTTP/1.1\r\nHost: h\r\n\r\n",
	  OK "Content-Length: 1\r\n\r\n1" OK "Content-Length: 1\r\n\r\n2"},
	 {{0, BUF_HTTP_URI, S, 0, "/a"},
	  {1, BUF_HTTP_URI, S, 0, "/b"},
	  {0, BUF_FILE_DATA, C, 0, "1"},
	  {1, BUF_FILE_DATA, C, 0, "2"}},
	 {NULL},
	 {NULL},
	 2},
	{"answer to nobody",
	 {NULL, OK "Content-Length: 1\r\n\r\nx"},
	 {{0, BUF_FILE_DATA, C, 0, "x"}},
	 {"http.unable_to_match_response_to_request"},
	 {NULL},
	 0},
};

static void test_request_lines(void **state)
{
	run_all(request_lines_cases, ARRAY_LEN(request_lines_cases));
}

static void test_uris(void **state)
{
	static const char *const pairs[][2] = {
		{"/a%20b", "/a b"},
		{"/a%2fb", "/a/b"},
		{"/a//b", "/a/b"},
		{"/a\\b", "/a/b"},
		{"/a/./b", "/a/b"},
		{"/a/x/../b", "/a/b"},
		{"/../../a", "/a"},
		{"/a/..", "/"},
		{"/a/.", "/a/"},
		{"/%u0041", "/A"},
		{"/%uff21", "/A"},
		{"/%zz", "/%zz"},
		{"/%", "/%"},
		{"/%4", "/%4"},
		{"/A%c3%a9", "/A\xe9"},
		{"/%e4%bd%a0", "/?"},
		{"/%c0%af", "//"},
		{"/a?b=%41+c", "/a?b=A+c"},
		{"/a?x/../y", "/a?x/../y"},
		{"/a?%u0041", "/a?%u0041"},
		{"/a#f%41", "/a#f%41"},
		{"/a?q#f", "/a?q#f"},
		{"http://u@host:81/p/../q?x", "/q?x"},
		{"/%2e%2e/x", "/x"},
		{"/%5c%2E%5cx", "/x"},
		{"*", "*"},
		{"//host/x", "/host/x"},
		{"/%2541", "/%41"},
	};
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct talk t;
		talk_begin(&t, 1);
		talk_str(&t, S, "GET ");
		talk_str(&t, S, pairs[i][0]);
		talk_str(&t, S, " HTTP/1.1\r\nHost: host:81\r\n\r\n");
		assert_true(talk_is(&t, 0, BUF_HTTP_URI, S, 0, pairs[i][1]));
		assert_true(talk_is(&t, 0, BUF_HTTP_URI_RAW, S, 0, pairs[i][0]));
		assert_int_equal(talk_event(talk_tx(&t, 0), "http.double_encoded_uri"),
				 strcmp(pairs[i][0], "/%2541") == 0);
		talk_end(&t);
	}
}

static const struct script hosts_cases[] = {
	{"none",
	 {"GET / HTTP/1.1\r\nA: b\r\n\r\n"},
	 {{0, BUF_HTTP_HOST, S, 0, NULL}},
	 {"http.missing_host_header"},
	 {NULL},
	 0},
	{"two",
	 {"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n"},
	 {{0, BUF_HTTP_HOST, S, 0, "a"}, {0, BUF_HTTP_HOST_RAW, S, 0, "a"}},
	 {"http.host_header_ambiguous"},
	 {NULL},
	 0},
	{"twice the same",
	 {"GET http://a/ HTTP/1.1\r\nHost: A\r\n\r\n"},
	 {{0, BUF_HTTP_HOST, S, 0, "a"}},
	 {NULL},
	 {"http.host_header_ambiguous"},
	 0},
	{"bad header",
	 {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
	 {{0, BUF_HTTP_HOST, S, 0, "a b"}},
	 {"http.request_header_host_invalid"},
	 {NULL},
	 0},
	{"bad port",
	 {"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"},
	 {{0, BUF_HTTP_HOST, S, 0, "a"}},
	 {"http.request_header_host_invalid"},
	 {NULL},
	 0},
	{"bad in the URI",
	 {"GET http://a_%/ HTTP/1.1\r\nHost: a\r\n\r\n"},
	 {{0, BUF_HTTP_METHOD, S, 0, "GET"}},
	 {"http.request_uri_host_invalid"},
	 {NULL},
	 0},
	{"bad authority",
	 {"GET http://a:x/ HTTP/1.1\r\nHost: a\r\n\r\n"},
	 {{0, BUF_HTTP_HOST, S, 0, "a"}},
	 {"http.invalid_authority_port"},
	 {NULL},
	 0},
	{"IPv6",
	 {"GET / HTTP/1.1\r\nHost: [2001:DB8::1]:80\r\n\r\n"},
	 {{0, BUF_HTTP_HOST, S, 0, "[2001:db8::1]"}},
	 {NULL},
	 {"http.request_header_host_invalid", "http.request_server_port_tcp_port_mismatch"},
	 0},
	{"whose authorization",
	 {"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: odd x\r\n\r\n"},
	 {{0, BUF_HTTP_HOST, S, 0, "h"}},
	 {"http.request_auth_unrecognized"},
	 {NULL},
	 0},
};

static void test_hosts(void **state)
{
	run_all(hosts_cases, ARRAY_LEN(hosts_cases));
}

static const struct script header_oddities_cases[] = {
	{"folded",
	 {REQ, OK "A: b\r\n c\r\n\td\r\nContent-Length:\r\n 1\r\n\r\nx"},
	 {{0, BUF_HTTP_RESPONSE_HEADER, C, 0, "A: b c d"}, {0, BUF_FILE_DATA, C, 0, "x"}},
	 {NULL},
	 {"http.invalid_response_field_folding"},
	 0},
	{"folded with a colon",
	 {REQ, OK "A: b\r\n Content-Length: 1\r\n\r\nx"},
	 {{0, BUF_HTTP_RESPONSE_HEADER, C, 1, "Content-Length: 1"}, {0, BUF_FILE_DATA, C, 0, "x"}},
	 {"http.invalid_response_field_folding"},
	 {NULL},
	 0},
	{"folded from the start",
	 {"GET / HTTP/1.1\r\n Host: h\r\n\r\n"},
	 {{0, BUF_HTTP_HOST, S, 0, "h"}},
	 {"http.invalid_request_field_folding"},
	 {NULL},
	 0},
	{"no colon",
	 {"GET / HTTP/1.1\r\nHost: h\r\njunk\r\n\r\n", OK "junk\r\n\r\nx"},
	 {{0, BUF_HTTP_REQUEST_HEADER, S, 1, ": junk"}, {0, BUF_FILE_DATA, C, 0, "x"}},
	 {"http.request_field_missing_colon", "http.response_field_missing_colon"},
	 {NULL},
	 0},
	{"blank before the colon",
	 {REQ, OK "Content-Length : 1\r\n\r\nx"},
	 {{0, BUF_HTTP_CONTENT_LEN, C, 0, "1"}},
	 {"http.response_header_invalid"},
	 {NULL},
	 0},
	{"no name",
	 {"GET / HTTP/1.1\r\nHost: h\r\n: v\r\n\r\n"},
	 {{0, BUF_HTTP_HOST, S, 0, "h"}},
	 {"http.request_header_invalid"},
	 {NULL},
	 0},
	{"LF only",
	 {"GET / HTTP/1.1\nHost: h\n\n", "HTTP/1.1 200 OK\nA: b\n\nx"},
	 {{0, BUF_HTTP_HOST, S, 0, "h"}, {0, BUF_FILE_DATA, C, 0, "x"}},
	 {NULL},
	 {NULL},
	 0},
	{"CR only, in the answer",
	 {REQ, "HTTP/1.1 200 OK\rA: b\rContent-Length: 1\r\n\r\nx"},
	 {{0, BUF_HTTP_CONTENT_LEN, C, 0, "1"}, {0, BUF_FILE_DATA, C, 0, "x"}},
	 {NULL},
	 {NULL},
	 0},
	{"LF CR",
	 {REQ, "HTTP/1.1 200 OK\n\rA: b\n\rContent-Length: 1\n\r\r\nx"},
	 {{0, BUF_HTTP_RESPONSE_HEADER, C, 0, "A: b"}, {0, BUF_FILE_DATA, C, 0, "x"}},
	 {NULL},
	 {NULL},
	 0},
	{"LF CR CR LF CR LF",
	 {REQ, OK "A: b\n\r\r\n\r\nx"},
	 {{0, BUF_FILE_DATA, C, 0, "x"}},
	 {NULL},
	 {NULL},
	 0},
	{"a blank for an end",
	 {REQ, OK "A: b\n \nx"},
	 {{0, BUF_FILE_DATA, C, 0, "x"}},
	 {NULL},
	 {NULL},
	 0},
	{"a blank before the end",
	 {REQ, OK "A: b\n \n\nx"},
	 {{0, BUF_FILE_DATA, C, 0, "x"}},
	 {NULL},
	 {NULL},
	 0},
	{"twice the length",
	 {REQ, OK "Content-Length: 1\r\nContent-Length: 9\r\n\r\nx"},
	 {{0, BUF_FILE_DATA, C, 0, "x"}, {0, BUF_HTTP_CONTENT_LEN, C, 0, "1"}},
	 {"http.duplicate_content_length_field_in_response"},
	 {NULL},
	 0},
	{"no length",
	 {REQ, OK "Content-Length: x\r\n\r\nabc"},
	 {{0, BUF_FILE_DATA, C, 0, "abc"}},
	 {"http.invalid_content_length_field_in_response"},
	 {NULL},
	 0},
};

static void test_header_oddities(void **state)
{
	run_all(header_oddities_cases, ARRAY_LEN(header_oddities_cases));
}

static const struct script status_lines_cases[] = {
	{"none",
	 {REQ, "<html>x\n"},
	 {{0, BUF_FILE_DATA, C, 0, "<html>x\n"}, {0, BUF_HTTP_RESPONSE_LINE, C, 0, NULL}},
	 {NULL},
	 {NULL},
	 0},
	{"junk before",
	 {REQ, "SIP/2.0 200 ok\r\n" OK "Content-Length: 1\r\n\r\nx"},
	 {{0, BUF_FILE_DATA, C, 0, "x"}, {0, BUF_HTTP_STAT_CODE, C, 0, "200"}},
	 {NULL},
	 {NULL},
	 0},
	{"blank lines before",
	 {REQ, " \r\n\t\r\n\n" OK "Content-Length: 1\r\n\r\nx"},
	 {{0, BUF_FILE_DATA, C, 0, "x"}},
	 {NULL},
	 {NULL},
	 0},
	{"lower case",
	 {REQ, "http/1.1 200 ok\r\nContent-Length: 1\r\n\r\nx"},
	 {{0, BUF_HTTP_STAT_CODE, C, 0, "200"}, {0, BUF_FILE_DATA, C, 0, "x"}},
	 {NULL},
	 {NULL},
	 0},
	{"another version",
	 {REQ, "HTTP/7.3 200 ok\r\nContent-Length: 1\r\n\r\nx"},
	 {{0, BUF_FILE_DATA, C, 0, "x"}},
	 {"http.response_invalid_protocol"},
	 {NULL},
	 0},
	{"odd status",
	 {REQ, "HTTP/1.1 20x ok\r\nContent-Length: 1\r\n\r\nx"},
	 {{0, BUF_HTTP_STAT_CODE, C, 0, "20x"}, {0, BUF_FILE_DATA, C, 0, "x"}},
	 {"http.response_invalid_status"},
	 {NULL},
	 0},
	{"204 has no body",
	 {REQ "GET /b HTTP/1.1\r\nHost: h\r\n\r\n",
	  "HTTP/1.1 204 No\r\n\r\n" OK "Content-Length: 1\r\n\r\nx"},
	 {{0, BUF_FILE_DATA, C, 0, NULL}, {1, BUF_FILE_DATA, C, 0, "x"}},
	 {NULL},
	 {NULL},
	 2},
	{"204 with a length has one",
	 {REQ, "HTTP/1.1 204 No\r\nContent-Length: 1\r\n\r\nx"},
	 {{0, BUF_FILE_DATA, C, 0, "x"}},
	 {NULL},
	 {NULL},
	 0},
	{"answer to HEAD",
	 {"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" REQ,
	  OK "Content-Length: 9\r\n\r\n" OK "Content-Length: 1\r\n\r\nx"},
	 {{0, BUF_FILE_DATA, C, 0, NULL}, {1, BUF_FILE_DATA, C, 0, "x"}},
	 {NULL},
	 {NULL},
	 2},
	{"100 first",
	 {REQ, "HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\nx"},
	 {{0, BUF_HTTP_STAT_CODE, C, 0, "200"}, {0, BUF_FILE_DATA, C, 0, "x"}},
	 {NULL},
	 {"http.100_continue_already_seen"},
	 0},
	{"100 twice",
	 {REQ, "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n" OK "\r\nx"},
	 {{0, BUF_FILE_DATA, C, 0, "x"}},
	 {"http.100_continue_already_seen"},
	 {NULL},
	 0},
};

static void test_status_lines(void **state)
{
	run_all(status_lines_cases, ARRAY_LEN(status_lines_cases));
}

static void test_gaps(void **state)
{
	struct talk t;
	talk_begin(&t, 0);
	talk_str(&t, S, REQ REQ);
	talk_str(&t, C, OK "Content-Length: 10\r\n\r\nabc");
	talk_gap(&t, C, 4);
	talk_str(&t, C, "def" OK "Content-Length: 1\r\n\r\nx");
	assert_true(talk_is(&t, 0, BUF_FILE_DATA, C, 0, "abcdef"));
	assert_true(talk_tx(&t, 0)->files->gaps);
	assert_true(talk_is(&t, 1, BUF_FILE_DATA, C, 0, "x"));
	talk_end(&t);

	talk_begin(&t, 0); /* in the headers: finds the next message */
	talk_str(&t, S, REQ REQ);
	talk_str(&t, C, OK "Content-Le");
	talk_gap(&t, C, 40);
	talk_str(&t, C, "rest of it\r\n" OK "Content-Length: 1\r\n\r\nx");
	assert_int_equal(talk_tx(&t, 0)->progress[C], APP_DONE);
	assert_true(talk_is(&t, 1, BUF_FILE_DATA, C, 0, "x"));
	talk_end(&t);
}

static void test_changes(void **state)
{
	struct talk t;
	talk_begin(&t, 0); /* refused: HTTP goes on */
	talk_str(&t, S, "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n");
	talk_str(&t, C, "HTTP/1.1 407 No\r\nContent-Length: 1\r\n\r\nx");
	talk_str(&t, S, REQ);
	assert_true(talk_is(&t, 1, BUF_HTTP_URI, S, 0, "/a"));
	assert_int_equal(t.app->proto, APP_HTTP);
	talk_end(&t);

	talk_begin(&t, 0); /* granted: what follows is looked at anew */
	talk_str(&t, S, "CONNECT h:22 HTTP/1.1\r\nHost: h\r\n\r\n");
	talk_str(&t, C, "HTTP/1.1 200 Yes\r\n\r\n");
	assert_int_equal(t.app->before, APP_HTTP);
	talk_str(&t, C, "SSH-2.0-x\r\n");
	talk_str(&t, S, "SSH-2.0-y\r\n");
	assert_int_equal(t.app->proto, APP_SSH);
	talk_end(&t);

	talk_begin(&t, 0);
	talk_str(&t, S, REQ);
	talk_str(&t, C, "HTTP/1.1 101 Switch\r\nUpgrade: h2c\r\n\r\n");
	assert_int_equal(t.app->before, APP_HTTP);
	talk_end(&t);

	talk_begin(&t, 0); /* not twice */
	t.app->before = APP_SMTP;
	talk_str(&t, S, REQ);
	talk_str(&t, C, "HTTP/1.1 101 Switch\r\nUpgrade: h2c\r\n\r\n");
	assert_true(talk_event(talk_tx(&t, 0), "http.failed_protocol_change"));
	assert_int_equal(t.app->proto, APP_HTTP);
	talk_end(&t);
}

static void test_limits(void **state)
{
	struct talk t;
	static char line[20000];
	talk_begin(&t, 997);
	memset(line, 'a', sizeof(line) - 1);
	talk_str(&t, S, "GET /");
	talk_str(&t, S, line);
	assert_true(talk_event(talk_tx(&t, 0), "http.request_field_too_long"));
	assert_int_equal(talk_tx(&t, 0)->progress[S], APP_DONE);
	talk_str(&t, C, OK "A: ");
	talk_str(&t, C, line);
	assert_true(talk_event(talk_tx(&t, 0), "http.response_field_too_long"));
	talk_end(&t);

	talk_begin(&t, 0);
	talk_str(&t, S, "GET / HTTP/1.1\r\nHost: h\r\n");
	for (unsigned i = 0; i < 1100; i++) {
		char name[] = "A000: b\r\n";
		name[1] = (char)('a' + i % 26);
		name[2] = (char)('a' + i / 26 % 26);
		name[3] = (char)('a' + i / 676);
		talk_str(&t, S, name);
	}
	talk_str(&t, S, "\r\n");
	assert_true(talk_event(talk_tx(&t, 0), "http.request_too_many_headers"));
	talk_end(&t);

	talk_begin(&t, 0);
	talk_str(&t, S, "GET / HTTP/1.1\r\nHost: h\r\n");
	for (unsigned i = 0; i < 100; i++)
		talk_str(&t, S, "A: b\r\n");
	talk_str(&t, S, "\r\n");
	assert_true(talk_event(talk_tx(&t, 0), "http.request_header_repetition"));
	talk_end(&t);

	talk_begin(&t, 0);
	for (unsigned i = 0; i < 600; i++) /* more than may wait: all are read */
		talk_str(&t, S, REQ);
	assert_int_equal(t.app->tx_open, 600);
	for (struct app_tx *x = t.app->tx_first; x != NULL; x = x->next)
		x->inspected[S] = x->inspected[C] = true;
	app_sweep(t.app, NULL, NULL, false);
	assert_int_equal(t.app->tx_open, 512); /* the oldest have given way */
	assert_int_equal(t.app->tx_first->id, 88);
	talk_end(&t);

	talk_begin(&t, 0);
	talk_str(&t, S, REQ);
	talk_str(&t, C, "HTT"); /* the one whose answer has just begun, too */
	for (unsigned i = 0; i < 512; i++)
		talk_str(&t, S, REQ);
	t.app->tx_first->inspected[S] = t.app->tx_first->inspected[C] = true;
	app_sweep(t.app, NULL, NULL, false);
	talk_str(&t, C, "P/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(t.app->tx_first->progress[C], APP_DONE);
	talk_end(&t);
}

static void test_eve(void **state)
{
	struct talk t;
	talk_begin(&t, 0);
	talk_str(&t, S, "GET /a?b HTTP/1.1\r\nHost: H:80\r\nUser-Agent: u\r\nReferer: r\r\n\r\n");
	talk_str(&t, C,
		 "HTTP/1.1 302 F\r\nLocation: /l\r\nContent-Type: text/html; charset=x\r\n"
		 "Content-Range: bytes 0-3/4\r\nContent-Length: 4\r\n\r\nabcd");
	json_t *o = json_object();
	assert_true(app_eve(t.app, talk_tx(&t, 0), S, o));
	json_t *want =
		json_pack("{s:s,s:i,s:s,s:s,s:s,s:{s:s,s:i,s:i,s:i},s:s,s:s,s:s,s:i,s:s,s:i}",
			  "hostname", "h", "http_port", 80, "url", "/a?b", "http_user_agent", "u",
			  "http_content_type", "text/html", "content_range", "raw", "bytes 0-3/4",
			  "start", 0, "end", 3, "size", 4, "http_refer", "r", "http_method", "GET",
			  "protocol", "HTTP/1.1", "status", 302, "redirect", "/l", "length", 4);
	assert_non_null(want);
	assert_true(json_equal(o, want));
	json_decref(o);
	json_decref(want);
	uint64_t n;
	assert_true(app_number(t.app, talk_tx(&t, 0), NUM_HTTP_STATUS, C, 0, &n) && n == 302);
	assert_true(app_number(t.app, talk_tx(&t, 0), NUM_FILE_SIZE, C, 0, &n) && n == 4);
	assert_true(app_number(t.app, talk_tx(&t, 0), NUM_HTTP_CONTENT_LEN, C, 0, &n) && n == 4);
	assert_false(app_number(t.app, talk_tx(&t, 0), NUM_HTTP_CONTENT_LEN, S, 0, &n));
	talk_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buffers),
		cmocka_unit_test(test_request_lines),
		cmocka_unit_test(test_uris),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_header_oddities),
		cmocka_unit_test(test_status_lines),

		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_eve),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
