/* SPDX-License-Identifier: BSD-2-Clause */
/* The same requests and answers said to our parser and to libhtp, which Suricata read HTTP with for
 * fifteen years: lines, headers and codes must be the same, or there is a reason why they are not. */
#include "proto/http/test/say.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>
#include <htp/htp.h>

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define REST " HTTP/1.1\r\nHost: a.example\r\n\r\n"
#define HEAD "GET / HTTP/1.1\r\nHost: a.example\r\n"
#define ASK HEAD "\r\n"

#define BLANKS \
	"libhtp has blanks at the end of the line in the protocol or the URI, servers have not"

struct row {
	const char *say[2];
	const char *differs; /* why the two may not say the same; they must not, then */
	bool binary;         /* \1 stands for a zero byte */
};

static const struct row rows[] = {
	/* ---- request lines */
	{{ASK, OK}, NULL, false},
	{{"HEAD /a HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\nContent-Length: 20\r\n\r\n"},
	 NULL,
	 false},
	{{"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", OK}, NULL, false},
	{{"PUT /p HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
	  "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"},
	 NULL,
	 false},
	{{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", OK}, NULL, false},
	{{"DELETE /x?y=1&z=%20#f" REST, OK}, NULL, false},
	{{"GET http://b.example:8080/x" REST, OK}, NULL, false},
	{{"GET http://user:word@b.example/x" REST, OK}, NULL, false},
	{{"GET http://b.example" REST, OK}, NULL, false},
	{{"GET /%41%zz%u0041/../b//c\\d" REST, OK}, NULL, false},
	{{"GET /a b c" REST, OK}, NULL, false},
	{{"GET  /two" REST, OK}, NULL, false},
	{{"GET\t/tab\tHTTP/1.1\r\nHost: a\r\n\r\n", OK}, NULL, false},
	{{"GET /end  HTTP/1.1 \r\nHost: a\r\n\r\n", OK}, BLANKS, false},
	{{"GET /nine\r\n", "hello"}, NULL, false},
	{{"GET /nine \r\n", "hello"}, BLANKS, false},
	{{"get /lower" REST, OK}, NULL, false},
	{{"WEIRD-METHOD_9 /" REST, OK}, NULL, false},
	{{"GET / HTTP/1.0\r\nHost: a\r\n\r\n", OK}, NULL, false},
	{{"GET / HTTP/1.2\r\nHost: a\r\n\r\n", OK}, NULL, false},
	{{"GET / HTTP/0.9\r\nHost: a\r\n\r\n", OK}, NULL, false},
	{{"GET / HTTP/9.9\r\nHost: a\r\n\r\n", OK}, NULL, false},
	{{"GET / JUNK/1.1\r\nHost: a\r\n\r\n", OK}, NULL, false},
	{{"GET / HTTP/1.1x\r\nHost: a\r\n\r\n", OK}, NULL, false},
	{{"GET / HTTP/ 1.1\r\nHost: a\r\n\r\n", OK}, NULL, false},
	{{"GET / http/1.1\r\nHost: a\r\n\r\n", OK}, NULL, false},
	{{"\r\nGET /after-empty" REST, OK}, NULL, false},
	{{"\r\n\r\n\r\nGET /after-three" REST, OK}, NULL, false},
	{{" GET /space-first" REST, OK}, NULL, false},
	{{"GET /\xc3\xbc\xff" REST, OK}, NULL, false},
	{{"GET /zero\1byte" REST, OK}, NULL, true},
	{{"GET /bare HTTP/1.1\nHost: a\n\n", OK}, NULL, false},
	{{"GET /cr\rin HTTP/1.1\r\nHost: a\r\n\r\n", OK}, NULL, false},
	{{"CONNECT b.example:443 HTTP/1.1\r\nHost: b.example\r\n\r\n",
	  "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"},
	 NULL,
	 false},
	/* ---- headers of requests */
	{{HEAD "Accept: */*\r\nUser-Agent: x y/1\r\nReferer: http://r/\r\nCookie: a=b; c=d\r\n\r\n",
	  OK},
	 NULL,
	 false},
	{{HEAD "X-Empty:\r\nX-Spaces:   \r\n\r\n", OK}, NULL, false},
	{{HEAD "X-Lead:    value\r\nX-Trail: value   \r\n\r\n", OK}, NULL, false},
	{{HEAD "X-None:value\r\n\r\n", OK}, NULL, false},
	{{HEAD "X-Tab:\tvalue\t\r\n\r\n", OK}, NULL, false},
	{{HEAD "X-Before : value\r\n\r\n", OK}, NULL, false},
	{{HEAD "X-Fold: one\r\n two\r\n\r\n", OK}, NULL, false},
	{{HEAD "X-Fold: one\r\n\ttwo\r\n  three\r\n\r\n", OK},
	 "behind the first fold libhtp keeps blanks; Suricata 8 and RFC 9112 make each one space",
	 false},
	{{HEAD "X-Twice: one\r\nX-Twice: two\r\n\r\n", OK}, NULL, false},
	{{HEAD "X-Case: one\r\nx-case: two\r\n\r\n", OK}, NULL, false},
	{{HEAD "no colon here\r\nX-After: yes\r\n\r\n", OK}, NULL, false},
	{{HEAD ": no name\r\nX-After: yes\r\n\r\n", OK}, NULL, false},
	{{HEAD "X-Colons: a:b:c\r\n\r\n", OK}, NULL, false},
	{{HEAD "X-High: \xfc\xff\r\n\r\n", OK}, NULL, false},
	{{HEAD "X-Zero: a\1b\r\n\r\n", OK}, NULL, true},
	{{HEAD "X Space: a\r\n\r\n", OK}, NULL, false},
	{{HEAD "X-Cr: a\rb\r\n\r\n", OK}, NULL, false},
	{{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", OK}, NULL, false},
	{{"GET / HTTP/1.1\r\n\r\n", OK}, NULL, false},
	{{"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", OK}, NULL, false},
	{{"GET / HTTP/1.1\r\nHost:\r\n\r\n", OK}, NULL, false},
	{{HEAD "Authorization: Basic dXNlcjp3b3Jk\r\n\r\n", OK}, NULL, false},
	{{HEAD "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab", OK}, NULL, false},
	{{HEAD "Content-Length: +2\r\n\r\nab", OK}, NULL, false},
	{{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
	  "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" ASK,
	  OK OK},
	 NULL,
	 false},
	{{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
	  "chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n" ASK,
	  OK OK},
	 NULL,
	 false},
	/* ---- several in one connection */
	{{ASK ASK ASK, OK OK OK}, NULL, false},
	{{ASK "GET /second" REST, OK "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"},
	 NULL,
	 false},
	{{ASK, "HTTP/1.1 100 Continue\r\n\r\n" OK}, NULL, false},
	{{ASK, "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n" OK}, NULL, false},
	{{ASK, ""}, NULL, false},
	{{ASK "GET /cut HTTP/1.1\r\nHos", OK},
	 "at the end of a connection an unfinished header is told, so that rules see it",
	 false},
	{{ASK "GET /cu", OK},
	 "at the end of a connection an unfinished line is told, so that rules see it",
	 false},
	/* ---- answers */
	{{ASK, "HTTP/1.0 200 OK\r\n\r\nuntil the end"}, NULL, false},
	{{ASK, "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"}, NULL, false},
	{{ASK, "HTTP/1.1 204 No Content\r\n\r\n"}, NULL, false},
	{{ASK, "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"}, NULL, false},
	{{ASK, "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"}, NULL, false},
	{{ASK, "HTTP/1.1  200  Spaces\r\nContent-Length: 0\r\n\r\n"}, NULL, false},
	{{ASK, "HTTP/1.1\t200\tTabs\r\nContent-Length: 0\r\n\r\n"}, NULL, false},
	{{ASK, "HTTP/1.1 abc What\r\nContent-Length: 0\r\n\r\n"}, NULL, false},
	{{ASK, "HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n"}, NULL, false},
	{{ASK, "HTTP/1.1 2000 High\r\nContent-Length: 0\r\n\r\n"}, NULL, false},
	{{ASK, "HTTP/1.1 200 OK\nContent-Length: 0\n\n"}, NULL, false},
	{{ASK, "HTTP/1.1 200 OK\r\nX-Fold: one\r\n two\r\nContent-Length: 0\r\n\r\n"}, NULL, false},
	{{ASK, "HTTP/1.1 200 OK\r\nX-Twice: one\r\nX-Twice: two\r\nContent-Length: 0\r\n\r\n"},
	 NULL,
	 false},
	{{ASK, "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n"}, NULL, false},
	{{ASK, "HTTP/1.1 200 OK\r\nServer : x\r\nContent-Length: 0\r\n\r\n"}, NULL, false},
	{{ASK, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"},
	 NULL,
	 false},
	{{ASK ASK, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n" OK},
	 NULL,
	 false},
	{{ASK,
	  "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 0\r\n\r\n"},
	 NULL,
	 false},
	{{ASK, "\r\n" OK}, NULL, false},
	{{ASK, "junk that is no answer"}, NULL, false},
	{{ASK, "JUNK/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, NULL, false},
	{{ASK, "http/1.1 200 ok\r\nContent-Length: 0\r\n\r\n"}, NULL, false},
	{{ASK, "HTTP/1.1 200 OK\r\nX-Zero: a\1b\r\nContent-Length: 0\r\n\r\n"}, NULL, true},
	{{ASK, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi and more"},
	 "libhtp takes as body what is behind it in the same piece, and as an answer of its own in "
	 "the next: we never let cuts decide",
	 false},
};

/* ---- theirs ------------------------------------------------------------------------------------- */

static void put_bstr(FILE *f, const bstr *b, const char *end)
{
	if (b != NULL)
		fwrite(bstr_ptr(b), 1, bstr_len(b), f);
	fputs(end, f);
}

static void put_table(FILE *f, const htp_table_t *t)
{
	for (size_t i = 0; t != NULL && i < htp_table_size(t); i++) {
		const htp_header_t *h = htp_table_get_index(t, i, NULL);
		put_bstr(f, h->name, ": ");
		put_bstr(f, h->value, "\n");
	}
}

static void their_feed(htp_connp_t *p, struct timeval *now, unsigned dir, const uint8_t *d,
		       size_t n)
{
	if (dir == TO_SERVER)
		htp_connp_req_data(p, now, d, n);
	else
		htp_connp_res_data(p, now, d, n);
}

static char *theirs(const uint8_t *const say[2], const size_t len[2])
{
	char *text = NULL;
	size_t size = 0;
	struct timeval now = {1, 0};
	FILE *f = open_memstream(&text, &size);
	htp_cfg_t *c = htp_config_create();
	assert_non_null(f);
	assert_non_null(c);
	htp_config_set_server_personality(c, HTP_SERVER_IDS);
	htp_config_set_allow_space_uri(c, 1); /* as Suricata does */
	htp_config_set_tx_auto_destroy(c, 0);
	htp_connp_t *p = htp_connp_create(c);
	assert_non_null(p);
	htp_connp_open(p, "192.0.2.1", 40000, "192.0.2.2", 80, &now);
	for (unsigned d = 0; d < 2; d++)
		if (len[d] > 0)
			their_feed(p, &now, d, say[d], len[d]);
	htp_connp_close(p, &now);
	htp_conn_t *conn = htp_connp_get_connection(p);
	for (size_t i = 0; i < htp_list_size(conn->transactions); i++) {
		const htp_tx_t *t = htp_list_get(conn->transactions, i);
		if (t == NULL)
			continue;
		put_bstr(f, t->request_method, " | ");
		put_bstr(f, t->request_uri, " | ");
		put_bstr(f, t->request_protocol, "\n");
		put_table(f, t->request_headers);
		put_bstr(f, t->response_protocol, " | ");
		put_bstr(f, t->response_status, "\n");
		put_table(f, t->response_headers);
	}
	htp_connp_destroy_all(p);
	htp_config_destroy(c);
	fclose(f);
	return text;
}

/* ---- ours --------------------------------------------------------------------------------------- */

static void put_buffer(FILE *f, struct talk *t, const struct app_tx *tx, enum app_buffer b,
		       unsigned dir, const char *end)
{
	struct span s;
	if (app_buffer(t->app, tx, b, dir, 0, &s, NULL, NULL) == 0)
		fwrite(s.data, 1, s.len, f);
	fputs(end, f);
}

static void put_headers(FILE *f, struct talk *t, const struct app_tx *tx, unsigned dir)
{
	enum app_buffer b = dir == TO_SERVER ? BUF_HTTP_REQUEST_HEADER : BUF_HTTP_RESPONSE_HEADER;
	struct span s;
	for (uint32_t i = 0; app_buffer(t->app, tx, b, dir, i, &s, NULL, NULL) == 0; i++) {
		fwrite(s.data, 1, s.len, f);
		fputc('\n', f);
	}
}

static char *ours(const uint8_t *const say[2], const size_t len[2], uint32_t cut)
{
	char *text = NULL;
	size_t size = 0;
	struct talk t;
	FILE *f = open_memstream(&text, &size);
	assert_non_null(f);
	talk_begin(&t, cut);
	for (unsigned d = 0; d < 2; d++)
		talk_say(&t, d, say[d], (uint32_t)len[d]);
	talk_eof(&t, TO_SERVER);
	talk_eof(&t, TO_CLIENT);
	for (const struct app_tx *tx = t.app->tx_first; tx != NULL; tx = tx->next) {
		put_buffer(f, &t, tx, BUF_HTTP_METHOD, TO_SERVER, " | ");
		put_buffer(f, &t, tx, BUF_HTTP_URI_RAW, TO_SERVER, " | ");
		put_buffer(f, &t, tx, BUF_HTTP_PROTOCOL, TO_SERVER, "\n");
		put_headers(f, &t, tx, TO_SERVER);
		put_buffer(f, &t, tx, BUF_HTTP_PROTOCOL, TO_CLIENT, " | ");
		put_buffer(f, &t, tx, BUF_HTTP_STAT_CODE, TO_CLIENT, "\n");
		put_headers(f, &t, tx, TO_CLIENT);
	}
	talk_end(&t);
	fclose(f);
	return text;
}

/* ---- the comparison ----------------------------------------------------------------------------- */

static unsigned compare(const struct row *r)
{
	uint8_t *copy[2];
	size_t len[2];
	unsigned bad = 0;
	for (unsigned d = 0; d < 2; d++) {
		len[d] = strlen(r->say[d]);
		copy[d] = malloc(len[d] + 1);
		assert_non_null(copy[d]);
		memcpy(copy[d], r->say[d], len[d]);
		for (size_t i = 0; r->binary && i < len[d]; i++)
			copy[d][i] = copy[d][i] == 1 ? 0 : copy[d][i];
	}
	const uint8_t *say[2] = {copy[0], copy[1]};
	char *b = theirs(say, len);
	for (uint32_t cut = 0; cut < 4; cut++) {
		char *a = ours(say, len, cut);
		bool same = strcmp(a, b) == 0;
		if (same == (r->differs != NULL)) {
			print_message(
				"row %zu, cut %u: %s\n--- said\n%s\n--- ours\n%s--- theirs\n%s",
				(size_t)(r - rows), cut,
				same ? "the same, though said to differ" : "not the same",
				r->say[0], a, b);
			bad = 1;
			cut = 4;
		}
		free(a);
	}
	free(b);
	free(copy[0]);
	free(copy[1]);
	return bad;
}

static void test_all(void **state)
{
	(void)state;
	unsigned bad = 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		bad += compare(&rows[i]);
	assert_true(ARRAY_LEN(rows) >= 60);
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
