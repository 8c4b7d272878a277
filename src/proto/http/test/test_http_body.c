/* SPDX-License-Identifier: BSD-2-Clause */
/* Bodies: chunks, lengths, uploads; each conversation whole, and cut at every byte. */
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

#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

static const struct script chunks_cases[] = {
	{"plain",
	 {REQ, CHUNKED "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"},
	 {{0, BUF_FILE_DATA, C, 0, "abcde"}},
	 {NULL},
	 {"http.response_abnormal_transfer_encoding"},
	 0},
	{"odd lengths",
	 {REQ, CHUNKED " 3\r\nabc\r\n\r\n\n002 \r\r\nde\r\n1zz\nf\n0x\r\n\r\n"},
	 {{0, BUF_FILE_DATA, C, 0, "abcdef"}},
	 {NULL},
	 {"http.invalid_response_chunk_len"},
	 0},
	{"extension",
	 {REQ, CHUNKED "3;x=y 5\r\nabc\r\n0\r\n\r\n"},
	 {{0, BUF_FILE_DATA, C, 0, "abc"}},
	 {"http.response_chunk_extension"},
	 {NULL},
	 0},
	{"trailer",
	 {REQ, CHUNKED "3\r\nabc\r\n0\r\nT: u\r\n\r\n"},
	 {{0, BUF_FILE_DATA, C, 0, "abc"}, {0, BUF_HTTP_RESPONSE_HEADER, C, 1, "T: u"}},
	 {NULL},
	 {NULL},
	 0},
	{"not chunked after all",
	 {REQ, CHUNKED "xyz"},
	 {{0, BUF_FILE_DATA, C, 0, "xyz"}},
	 {"http.invalid_response_chunk_len"},
	 {NULL},
	 0},
	{"a huge chunk",
	 {REQ, CHUNKED "fffffffff\r\nabc"},
	 {{0, BUF_FILE_DATA, C, 0, "fffffffff\r\nabc"}},
	 {"http.invalid_response_chunk_len"},
	 {NULL},
	 0},
	{"cut off",
	 {REQ, CHUNKED "9\r\nabc"},
	 {{0, BUF_FILE_DATA, C, 0, "abc"}},
	 {NULL},
	 {"http.invalid_response_chunk_len"},
	 0},
	{"almost the word",
	 {REQ, OK "Transfer-Encoding: xchunked;\r\n\r\n1\r\na\r\n0\r\n\r\n"},
	 {{0, BUF_FILE_DATA, C, 0, "a"}},
	 {"http.response_abnormal_transfer_encoding"},
	 {NULL},
	 0},
	{"another coding",
	 {REQ, OK "Transfer-Encoding: other\r\n\r\nabc"},
	 {{0, BUF_FILE_DATA, C, 0, "abc"}},
	 {"http.invalid_transfer_encoding_value_in_response"},
	 {NULL},
	 0},
	{"old protocol",
	 {REQ, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	       "1\r\na\r\n0\r\n\r\n"},
	 {{0, BUF_FILE_DATA, C, 0, "a"}},
	 {"http.response_chunked_old_proto"},
	 {NULL},
	 0},
	{"with a length too",
	 {REQ, OK "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
		  "3\r\nabc\r\n0\r\n\r\n"},
	 {{0, BUF_FILE_DATA, C, 0, "abc"}},
	 {NULL},
	 {NULL},
	 0},
	{"request",
	 {"POST /f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	  "3 ; a\r\nabc\r\n0\r\n\r\n"},
	 {{0, BUF_HTTP_REQUEST_BODY, S, 0, "abc"},
	  {0, BUF_FILE_DATA, S, 0, "abc"},
	  {0, BUF_FILE_NAME, S, 0, "/f"}},
	 {"http.request_chunk_extension"},
	 {NULL},
	 0},
	{"request, no chunk",
	 {"POST /f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	  "zz"},
	 {{0, BUF_HTTP_REQUEST_BODY, S, 0, "zz"}},
	 {"http.invalid_request_chunk_len"},
	 {NULL},
	 0},
	{"request, other coding",
	 {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: x\r\n"
	  "Content-Length: 1\r\n\r\na"},
	 {{0, BUF_HTTP_REQUEST_BODY, S, 0, "a"}},
	 {"http.invalid_transfer_encoding_value_in_request"},
	 {NULL},
	 0},
};

static void test_chunks(void **state)
{
	run_all(chunks_cases, ARRAY_LEN(chunks_cases));
}

static const struct script lengths_cases[] = {
	{"more than said, at the close",
	 {REQ, OK "Connection: close\r\nContent-Length: 2\r\n\r\nabcd"},
	 {{0, BUF_FILE_DATA, C, 0, "abcd"}},
	 {NULL},
	 {NULL},
	 0},
	{"another answer behind",
	 {REQ REQ,
	  OK "Connection: close\r\nContent-Length: 2\r\n\r\nab" OK "Content-Length: 1\r\n\r\nc"},
	 {{0, BUF_FILE_DATA, C, 0, "ab"}, {1, BUF_FILE_DATA, C, 0, "c"}},
	 {NULL},
	 {NULL},
	 2},
	{"length with words",
	 {REQ, OK "Content-Length: ,2 x\r\n\r\nab"},
	 {{0, BUF_FILE_DATA, C, 0, "ab"}},
	 {NULL},
	 {"http.invalid_content_length_field_in_response"},
	 0},
	{"body unasked for",
	 {"POST /p HTTP/1.1\r\nHost: h\r\n\r\na=b\r\n"},
	 {{0, BUF_HTTP_REQUEST_BODY, S, 0, "a=b\r\n"}},
	 {"http.request_body_unexpected"},
	 {NULL},
	 0},
	{"another request instead",
	 {"POST /p HTTP/1.1\r\nHost: h\r\n\r\n\r\n" REQ},
	 {{0, BUF_HTTP_REQUEST_BODY, S, 0, NULL}, {1, BUF_HTTP_URI, S, 0, "/a"}},
	 {NULL},
	 {"http.request_body_unexpected"},
	 2},
	{"twice the length",
	 {"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
	  "Content-Length: 9\r\n\r\nabc" REQ},
	 {{0, BUF_HTTP_REQUEST_BODY, S, 0, "abc"}, {1, BUF_HTTP_URI, S, 0, "/a"}},
	 {"http.duplicate_content_length_field_in_request"},
	 {NULL},
	 2},
	{"no number",
	 {"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n"},
	 {{0, BUF_HTTP_REQUEST_BODY, S, 0, NULL}},
	 {"http.invalid_content_length_field_in_request"},
	 {NULL},
	 0},
	{"blank lines behind text",
	 {"POST / HTTP/1.1\r\nHost: h\r\n\r\na=b\r\n\r\n\r\nc\r\n\r\n" REQ,
	  OK "Connection: close\r\nContent-Length: 2\r\n\r\nabc\n\n\r\n\n"},
	 {{0, BUF_HTTP_REQUEST_BODY, S, 0, "a=b\r\n\r\n\r\nc\r\n"},
	  {1, BUF_HTTP_URI, S, 0, "/a"},
	  {0, BUF_FILE_DATA, C, 0, "abc\n\n\r\n\n"}},
	 {"http.request_body_unexpected"},
	 {NULL},
	 2},
	{"PUT",
	 {"PUT /d/f.txt HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nz"},
	 {{0, BUF_FILE_DATA, S, 0, "z"},
	  {0, BUF_FILE_NAME, S, 0, "/d/f.txt"},
	  {0, BUF_FILE_EXT, S, 0, "txt"}},
	 {NULL},
	 {NULL},
	 0},
	{"body of a GET",
	 {"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nz"},
	 {{0, BUF_HTTP_REQUEST_BODY, S, 0, "z"}, {0, BUF_FILE_DATA, S, 0, NULL}},
	 {NULL},
	 {NULL},
	 0},
	{"file name said",
	 {REQ, OK "Content-Disposition: attachment; filename=\"x y.exe\"\r\n"
		  "Content-Length: 1\r\n\r\nz"},
	 {{0, BUF_FILE_NAME, C, 0, "x y.exe"}, {0, BUF_FILE_EXT, C, 0, "exe"}},
	 {NULL},
	 {NULL},
	 0},
	{"a range",
	 {REQ, "HTTP/1.1 206 P\r\nContent-Range: bytes 0-0/1\r\nContent-Length: 1\r\n\r\nz"},
	 {{0, BUF_FILE_DATA, C, 0, "z"}},
	 {NULL},
	 {"http.range_invalid"},
	 0},
	{"a range turned round",
	 {REQ, "HTTP/1.1 206 P\r\nContent-Range: bytes 9-0/10\r\n\r\nz"},
	 {{0, BUF_FILE_DATA, C, 0, "z"}},
	 {"http.range_invalid"},
	 {NULL},
	 0},
	{"ranges",
	 {REQ, "HTTP/1.1 206 P\r\nContent-Type: multipart/byteranges; b=1\r\n\r\nz"},
	 {{0, BUF_FILE_DATA, C, 0, "z"}},
	 {"http.response_multipart_byteranges"},
	 {NULL},
	 0},
};

static void test_lengths(void **state)
{
	run_all(lengths_cases, ARRAY_LEN(lengths_cases));
}

#define FORM                                                                                     \
	"POST /up HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=\"BB\"\r\n" \
	"Transfer-Encoding: chunked\r\n\r\n"

static void test_uploads(void **state)
{
	static const char disp[] = "Content-Disposition: form-data; name=\"f\"; filename=\"e.txt\"";
	static const struct {
		const char *body, *file, *second, *event;
	} all[] = {
		{"--BB\r\n%\r\n\r\nabc\r\n--BB--\r\n", "abc", NULL, NULL},
		{"pre\r\n--BB\r\nA: b\r\n%\r\n\r\na\r\n-\r\n--B\r\n--BB\r\n"
		 "Content-Disposition: form-data; name=\"x\"\r\n\r\nv\r\n--BB--\r\nepilogue",
		 "a\r\n-\r\n--B", NULL, NULL},
		{"--BB\n%\n\nabc\n--BB\n%\n\nde\n--BB--\n", "abc", "de", NULL},
		{"--BB\r\n%\r\n\r\n--BB--\r\n", NULL, NULL, "http.multipart_no_filedata"},
		{"--BB\r\n%\r\n\r\nabc", "abc", NULL, "http.multipart_generic_error"},
		{"--BB\r\nContent-Disposition: form-data\r\n\r\nx\r\n--BB--\r\n", NULL, NULL,
		 "http.multipart_invalid_header"},
	};
	for (size_t i = 0; i < ARRAY_LEN(all) * 2; i++) {
		struct talk t;
		talk_begin(&t, i & 1);
		talk_str(&t, S, FORM);
		for (const char *p = all[i / 2].body; *p != '\0'; p++) { /* each byte a chunk */
			const char *one = *p == '%' ? disp : p;
			for (size_t k = 0, n = one == p ? 1 : strlen(disp); k < n; k++) {
				talk_str(&t, S, "1\r\n");
				talk_say(&t, S, one + k, 1);
				talk_str(&t, S, "\r\n");
			}
		}
		talk_str(&t, S, "0\r\n\r\n");
		assert_true(talk_is(&t, 0, BUF_FILE_DATA, S, 0, all[i / 2].file));
		assert_true(talk_is(&t, 0, BUF_FILE_DATA, S, 1, all[i / 2].second));
		if (all[i / 2].file != NULL)
			assert_true(talk_is(&t, 0, BUF_FILE_NAME, S, 0, "e.txt"));
		if (all[i / 2].event != NULL)
			assert_true(talk_event(talk_tx(&t, 0), all[i / 2].event));
		else
			assert_false(talk_event(talk_tx(&t, 0), "http.multipart_generic_error"));
		talk_end(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_uploads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
