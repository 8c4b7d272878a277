/* SPDX-License-Identifier: BSD-2-Clause */
/* DNS: messages in datagrams and in a stream, names, oddities, events. */
#include "talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char query[] = "\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
			    "\3www\4hive\7example\0\x00\x01\x00\x01";
static const char response[] =
	"\x00\x07\x81\x80\x00\x01\x00\x04\x00\x01\x00\x01"
	"\3www\4hive\7example\0\x00\x01\x00\x01"
	"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x07\4edge\xc0\x10"
	"\xc0\x2e\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"
	"\xc0\x10\x00\x0f\x00\x01\x00\x00\x00\x3c\x00\x09\x00\x0a\4mail\xc0\x10"
	"\xc0\x10\x00\x10\x00\x01\x00\x00\x00\x3c\x00\x04\x03v=a"
	"\xc0\x10\x00\x02\x00\x01\x00\x00\x00\x3c\x00\x05\2ns\xc0\x10"
	"\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00";
#define LEN(s) ((uint32_t)sizeof(s) - 1)

static bool has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		print_message("no \"%s\" in\n%s\n", part, text);
	return strstr(text, part) != NULL;
}

/* What one datagram in a direction tells; the caller frees. */
static char *told(unsigned dir, const void *d, uint32_t len)
{
	struct talk t;
	talk_open(&t, APP_DNS, false);
	talk_say(&t, dir, d, len, 0);
	char *text = talk_tell(&t);
	talk_close(&t);
	return text;
}

static void test_query(void **state)
{
	char *text = told(0, query, LEN(query));
	assert_true(has(text, ">dns.query[0]+0: www.hive.example\n"));
	assert_true(has(text, "\"queries\":[{\"rrname\":\"www.hive.example\",\"rrtype\":\"A\"}]"));
	assert_true(has(text, "\"rd\":true"));
	assert_true(has(text, "\"version\":3"));
	assert_null(strstr(text, "event"));
	assert_null(strstr(text, "<dns"));
	free(text);
}

static void test_response(void **state)
{
	static const char *const parts[] = {"<dns.query.name[0]+0: www.hive.example\n",
					    "<dns.answers.rrname[1]+0: edge.hive.example\n",
					    "<dns.response.rrname[1]+0: edge.hive.example\n",
					    "<dns.response.rrname[4]+0: mail.hive.example\n",
					    "<dns.authorities.rrname[0]+0: hive.example\n",
					    "<dns.additionals.rrname[0]+0: \n"};
	char *text = told(1, response, LEN(response));
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		assert_true(has(text, parts[i]));
	assert_null(strstr(text, "event"));
	assert_null(strstr(text, "dns.query["));
	free(text);
	struct talk t;
	talk_open(&t, APP_DNS, false);
	talk_say(&t, 1, response, LEN(response), 0);
	json_t *o = json_object();
	assert_false(app_eve(t.app, t.app->tx_first, 0, o));
	assert_true(app_eve(t.app, t.app->tx_first, 1, o));
	text = json_dumps(o, JSON_COMPACT);
	assert_true(has(text, "{\"rrname\":\"edge.hive.example\",\"rrtype\":\"A\",\"ttl\":60,"
			      "\"rdata\":\"192.0.2.1\"}"));
	assert_true(
		has(text, "\"grouped\":{\"CNAME\":[\"edge.hive.example\"],\"A\":[\"192.0.2.1\"]"));
	assert_true(has(text, "\"TXT\":[\"v=a\"]"));
	assert_true(has(text, "\"ra\":true"));
	uint64_t v;
	assert_true(app_number(t.app, t.app->tx_first, NUM_DNS_RRTYPE, 1, 1, &v) && v == 5);
	assert_true(app_number(t.app, t.app->tx_first, NUM_DNS_RCODE, 1, 0, &v) && v == 0);
	assert_false(app_number(t.app, t.app->tx_first, NUM_DNS_OPCODE, 0, 0, &v));
	free(text);
	json_decref(o);
	talk_close(&t);
}

static void test_events(void **state)
{
	static const struct {
		const char *what, *event;
		unsigned dir, at, value;
	} cases[] = {{"z flag", "event z_flag_set\n", 0, 3, 0x40},
		     {"opcode", "event invalid_opcode\n", 0, 2, 0x38},
		     {"response to the server", "event not_request\n", 0, 2, 0x81},
		     {"request to the client", "event not_response\n", 1, 2, 0x01},
		     {"more questions than there are", "event malformed_data\n", 0, 5, 9},
		     {"label type", "event malformed_data\n", 0, 12, 0x80},
		     {"more authorities", "event invalid_authorities\n", 0, 9, 1},
		     {"more additionals", "event invalid_additionals\n", 0, 11, 1}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char d[sizeof(query)];
		memcpy(d, query, sizeof(query));
		d[cases[i].at] = (char)cases[i].value;
		char *text = told(cases[i].dir, d, LEN(query));
		assert_true(has(text, cases[i].event));
		free(text);
	}
}

static void test_names(void **state)
{
	static const char loop[] = "\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
				   "\3abc\xc0\x0c\x00\x01\x00\x01";
	static const char self[] = "\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
				   "\xc0\x0c\x00\x01\x00\x01";
	static const char beyond[] = "\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
				     "\xc0\xff\x00\x01\x00\x01";
	char *text = told(0, loop, LEN(loop));
	assert_true(strstr(text, "event infinite_loop") != NULL ||
		    strstr(text, "event too_many_labels") != NULL ||
		    strstr(text, "event name_too_long") != NULL);
	free(text);
	text = told(0, self, LEN(self));
	assert_true(has(text, "event infinite_loop"));
	free(text);
	text = told(0, beyond, LEN(beyond));
	assert_true(has(text, "event malformed_data"));
	free(text);
	uint8_t big[12 + 20 * 64 + 5] = {0, 7, 1, 0, 0, 1};
	for (unsigned i = 0; i < 20; i++) {
		big[12 + i * 64] = 63;
		memset(big + 12 + i * 64 + 1, 'a' + (int)i, 63);
	}
	big[sizeof(big) - 3] = big[sizeof(big) - 1] = 1;
	text = told(0, big, sizeof(big));
	assert_true(has(text, "event name_too_long"));
	free(text);
}

/* Any prefix, and every byte changed to anything hostile: nothing but text comes of it. */
static void test_hostile(void **state)
{
	static const uint8_t values[] = {0, 1, 0x3f, 0x40, 0xc0, 0xff};
	uint8_t d[sizeof(response)];
	for (uint32_t n = 0; n < LEN(response); n++)
		free(told(1, response, n));
	for (uint32_t i = 0; i < LEN(response); i++) {
		for (size_t v = 0; v < ARRAY_LEN(values); v++) {
			memcpy(d, response, sizeof(d));
			d[i] = values[v];
			free(told(1, d, LEN(response)));
		}
	}
}

static uint32_t framed(uint8_t *out, const char *message, uint32_t len)
{
	store_be16(out, (uint16_t)len);
	memcpy(out + 2, message, len);
	return len + 2;
}

static void test_stream_cuts(void **state)
{
	uint8_t ts[256], tc[512];
	uint32_t n = framed(ts, query, LEN(query)), m = framed(tc, response, LEN(response));
	n += framed(ts + n, query, LEN(query));
	char *whole = NULL;
	for (uint32_t cut = 0; cut < 60; cut++) {
		struct talk t;
		talk_open(&t, APP_UNKNOWN, true);
		t.flow.port[1] = 53;
		talk_say(&t, 0, ts, n, cut);
		talk_say(&t, 1, tc, m, cut);
		assert_int_equal(t.app->proto, APP_DNS);
		assert_int_equal(t.app->tx_open, 3);
		char *text = talk_tell(&t);
		if (whole == NULL)
			whole = text;
		else
			assert_string_equal(whole, text);
		if (whole != text)
			free(text);
		talk_close(&t);
	}
	free(whole);
}

static void test_stream_gap(void **state)
{
	struct talk t;
	uint8_t ts[128];
	uint32_t n = framed(ts, query, LEN(query));
	talk_open(&t, APP_DNS, true);
	talk_say(&t, 0, ts, 20, 0);
	talk_gap(&t, 0, 100);
	talk_say(&t, 0, "\x00\x20nonsense that is no message", 29, 0);
	assert_int_equal(t.app->tx_open, 0);
	talk_say(&t, 0, ts, n, 0);
	assert_int_equal(t.app->tx_open, 1);
	talk_close(&t);
}

static void test_looks(void **state)
{
	bool r;
	const uint8_t *q = (const uint8_t *)query, *a = (const uint8_t *)response;
	assert_int_equal(dns_looks(q, LEN(query), LEN(query), true, &r), PROBE_YES);
	assert_false(r);
	assert_int_equal(dns_looks(a, LEN(response), LEN(response), true, &r), PROBE_YES);
	assert_true(r);
	for (uint32_t n = 0; n < LEN(query); n++)
		assert_int_equal(dns_looks(q, n, LEN(query), false, &r), PROBE_MORE);
	assert_int_equal(dns_looks(q, 20, 20, false, &r), PROBE_NO);
	assert_int_equal(dns_looks(q, LEN(query) - 1, LEN(query) - 1, true, &r), PROBE_NO);
	assert_int_equal(dns_looks(q, 11, 11, false, &r), PROBE_NO);
	const uint8_t *http = (const uint8_t *)"GET / HTTP/1.0\r\nHost: a\r\n\r\n";
	assert_int_equal(dns_looks(http, 28, 28, false, &r), PROBE_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query),      cmocka_unit_test(test_response),
		cmocka_unit_test(test_events),     cmocka_unit_test(test_names),
		cmocka_unit_test(test_hostile),    cmocka_unit_test(test_stream_cuts),
		cmocka_unit_test(test_stream_gap), cmocka_unit_test(test_looks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
