/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS: a real handshake whole, cut and mutilated; fingerprints; certificates; old and broken records. */
#include "talk.h"
#include "tls_bytes.h"

#include "proto/tls/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		print_message("no \"%s\" in\n%s\n", part, text);
	return strstr(text, part) != NULL;
}

static void converse(struct talk *t, uint32_t cut)
{
	talk_open(t, APP_UNKNOWN, true);
	talk_say(t, 0, client_hello, sizeof(client_hello), cut);
	talk_say(t, 1, server_flight, sizeof(server_flight), cut);
	talk_say(t, 0, client_flight, sizeof(client_flight), cut);
	talk_say(t, 1, server_finish, sizeof(server_finish), cut);
}

static void test_handshake(void **state)
{
	static const char *const parts[] = {
		"progress 255 255",
		">tls.sni[0]+0: hive.example\n",
		"<tls.cert_subject[0]+0: C=DE, ST=Hessen, L=Bienenstadt, O=Korb, Inc., "
		"CN=hive.example, "
		"emailAddress=queen@hive.example\n",
		"<tls.cert_issuer[0]+0: C=DE, ST=Hessen",
		"<tls.cert_serial[0]+0: 00:C5:5A:CC:01:BD:A7:5B:DA\n",
		"<tls.subjectaltname[1]+0: www.hive.example\n",
		">tls.alpn[1]+0: http/1.1\n",
		"<tls.alpn[0]+0: h2\n",
		(">ja3.string[0]+0: "
		 "771,49199-47-255,0-11-10-35-16-22-23-13,29-23-30-25-24,0-1-2\n"),
		">ja3.hash[0]+0: 10f7af7683059d600e98433226d21113\n",
		">ja4.hash[0]+0: t12d0308h2_78ff622567f0_3c5a66c06c35\n",
		"\"version\":\"TLS 1.2\"",
		"\"fingerprint\":\"4a:8c:83:a6:00:46:83:28:16:c6:ab:71:37:4c:fe:55:78:b2:4b:86\"",
		"\"notbefore\":\"2026-11-28T00:55:52\"",
		"\"notafter\":\"2036-11-25T00:55:52\"",
	};
	struct talk t;
	converse(&t, 0);
	assert_int_equal(t.app->proto, APP_TLS);
	char *text = talk_tell(&t);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		assert_true(has(text, parts[i]));
	assert_null(strstr(text, "event"));
	assert_null(strstr(text, "<ja3.hash"));
	assert_non_null(strstr(text, "<ja3s.hash"));
	assert_null(strstr(text, ">ja3s"));
	free(text);
	uint64_t v;
	assert_true(app_number(t.app, t.app->tx_first, NUM_TLS_VERSION, 1, 0, &v) && v == 0x0303);
	assert_true(app_number(t.app, t.app->tx_first, NUM_TLS_STATE, 0, 0, &v) && v == 15);
	assert_true(app_number(t.app, t.app->tx_first, NUM_TLS_CHAIN_LEN, 1, 0, &v) && v == 1);
	assert_false(app_number(t.app, t.app->tx_first, NUM_TLS_CHAIN_LEN, 0, 0, &v));
	talk_close(&t);
}

static void test_thirteen(void **state)
{
	struct talk t;
	talk_open(&t, APP_UNKNOWN, true);
	talk_say(&t, 0, hello13, sizeof(hello13), 0);
	talk_say(&t, 1, answer13, sizeof(answer13), 0);
	char *text = talk_tell(&t);
	assert_true(has(text, ">ja3.hash[0]+0: 48a2259839d5b316468a5dc7e2935d70\n"));
	assert_true(has(text, ">ja4.hash[0]+0: t13d8712h2_c66346c74e42_24695f2957a7\n"));
	assert_true(has(text, "\"version\":\"TLS 1.3\""));
	assert_null(strstr(text, "cert_subject"));
	free(text);
	talk_close(&t);
}

static void test_cuts(void **state)
{
	static const uint32_t cuts[] = {1, 2, 3, 4, 5, 6, 7, 11, 16, 37, 100, 255, 500};
	struct talk t;
	converse(&t, 0);
	char *whole = talk_tell(&t);
	talk_close(&t);
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		converse(&t, cuts[i]);
		char *text = talk_tell(&t);
		assert_string_equal(whole, text);
		free(text);
		talk_close(&t);
	}
	free(whole);
}

/* The same messages in tiny records tell the same. */
static void test_tiny_records(void **state)
{
	struct talk t;
	talk_open(&t, APP_TLS, true);
	for (uint32_t at = 5; at < sizeof(client_hello); at += 7) {
		uint32_t n = sizeof(client_hello) - at < 7 ? sizeof(client_hello) - at : 7;
		uint8_t r[12] = {0x16, 3, 1, 0, (uint8_t)n};
		memcpy(r + 5, client_hello + at, n);
		talk_say(&t, 0, r, 5 + n, 0);
	}
	char *text = talk_tell(&t);
	assert_true(has(text, ">ja3.hash[0]+0: 10f7af7683059d600e98433226d21113\n"));
	free(text);
	talk_close(&t);
}

static void test_truncated(void **state)
{
	for (uint32_t n = 1; n < sizeof(server_flight); n += 3) {
		struct talk t;
		talk_open(&t, APP_TLS, true);
		talk_say(&t, 0, client_hello, sizeof(client_hello), 0);
		talk_say(&t, 1, server_flight, n, 0);
		talk_end(&t);
		char *text = talk_tell(&t);
		assert_true(has(text, "progress 255 255"));
		assert_true(has(text, ">tls.sni"));
		free(text);
		talk_close(&t);
	}
}

/* Bytes turned over everywhere: lengths that lie, types that do not exist, broken DER. */
static void test_hostile(void **state)
{
	uint8_t d[sizeof(server_flight)], c[sizeof(client_hello)];
	for (uint32_t i = 0; i < sizeof(d); i++) {
		struct talk t;
		memcpy(d, server_flight, sizeof(d));
		memcpy(c, client_hello, sizeof(c));
		d[i] = i % 2 != 0 ? 0xff : (uint8_t)~d[i];
		c[i % sizeof(c)] = (uint8_t)(i < sizeof(c) ? 0xff : 0);
		talk_open(&t, APP_TLS, true);
		talk_say(&t, 0, c, sizeof(c), 0);
		talk_say(&t, 1, d, sizeof(d), 0);
		talk_end(&t);
		free(talk_tell(&t));
		talk_close(&t);
	}
}

static void expect(const char *what, unsigned dir, const void *d, uint32_t len)
{
	struct talk t;
	talk_open(&t, APP_TLS, true);
	talk_say(&t, 0, client_hello, sizeof(client_hello), 0);
	talk_say(&t, dir, d, len, 1);
	char *text = talk_tell(&t);
	assert_true(has(text, what));
	free(text);
	talk_close(&t);
}

static void test_events(void **state)
{
	expect("event invalid_record_type", 1, "\x13\x03\x01\x00\x01\x00", 6);
	expect("event invalid_tls_header", 1, "\x13\x03\x01\x00\x01\x00", 6);
	expect("event invalid_record_version", 1, "\x16\x04\x01\x00\x01\x00", 6);
	expect("event invalid_record_length", 1, "\x16\x03\x01\x60\x00\x00", 6);
	expect("event invalid_handshake_message", 1, "\x16\x03\x01\x00\x04\x02\xff\xff\xff", 9);
	expect("event handshake_invalid_length", 1, "\x16\x03\x01\x00\x04\x02\x00\x00\x00", 9);
	expect("event error_message_encountered", 1, "\x15\x03\x01\x00\x02\x02\x28", 7);
	expect("event overflow_heartbeat_message", 0, "\x18\x03\x02\x00\x03\x01\x40\x00", 8);
	expect("event invalid_heartbeat_message", 0, "\x18\x03\x02\x00\x03\x07\x00\x00", 8);
	expect("event certificate_invalid_length", 1, "\x16\x03\x01\x00\x07\x0b\0\0\3\0\0\x09", 12);
	expect("event certificate_invalid_der", 1,
	       "\x16\x03\x01\x00\x0e\x0b\0\0\x0a\0\0\7\0\0\4\x30\x02\x05\x00", 19);
}

/* A session that reaches to the end of the message: there is no cipher behind it. */
static void test_no_cipher(void **state)
{
	uint8_t hello[5 + 4 + 2 + 32 + 1 + 9] = {0x16, 3, 3, 0, 48, 2, 0, 0, 44, 3, 3};
	hello[43] = 9;
	struct talk t;
	talk_open(&t, APP_TLS, true);
	talk_say(&t, 1, hello, sizeof(hello), 0);
	char *text = talk_tell(&t);
	assert_true(has(text, "event invalid_handshake_message"));
	assert_true(has(text, "ja3s.string[0]+0: 771,,\n"));
	free(text);
	talk_close(&t);
}

static void test_heartbleed(void **state)
{
	uint8_t answer[5 + 64] = {0x18, 3, 2, 0, 64, 2, 0, 61};
	struct talk t;
	talk_open(&t, APP_TLS, true);
	talk_say(&t, 0, client_hello, sizeof(client_hello), 0);
	talk_say(&t, 0, "\x18\x03\x02\x00\x03\x01\x40\x00", 8, 0);
	talk_say(&t, 1, answer, sizeof(answer), 0);
	char *text = talk_tell(&t);
	assert_true(has(text, "event dataleak_heartbeat_mismatch"));
	free(text);
	talk_close(&t);
}

/* An event after the handshake was told and swept has a transaction of its own, without the rest. */
static void test_late_event(void **state)
{
	struct talk t;
	converse(&t, 0);
	t.app->tx_first->inspected[0] = t.app->tx_first->inspected[1] = true;
	app_sweep(t.app, NULL, NULL, false);
	assert_null(t.app->tx_first);
	talk_say(&t, 0,
		 "\x17\x03\x03\x00\x04"
		 "abcd"
		 "\x13\x03\x03\x00\x01\x00",
		 15, 0);
	assert_non_null(t.app->tx_first);
	char *text = talk_tell(&t);
	assert_true(has(text, "event invalid_record_type"));
	assert_null(strstr(text, "tls {"));
	free(text);
	talk_close(&t);
}

/* The server's flight with its certificate twice in the chain. */
static uint32_t two_certificates(uint8_t *out)
{
	uint32_t n = 0;
	for (uint32_t at = 0; at < sizeof(server_flight);) {
		const uint8_t *r = server_flight + at, *d = r + 5, *end = d + load_be16(r + 3);
		at += 5 + load_be16(r + 3);
		while (d < end) {
			uint32_t len = 4 + (load_be32(d) & 0xffffff), all = len;
			uint8_t *to = out + n + 5;
			memcpy(to, d, len);
			if (d[0] == 11) {
				memcpy(to + len, d + 7, len - 7);
				all += len - 7;
				store_be32(to, 11u << 24 | (all - 4));
				to[4] = 0;
				store_be16(to + 5, (uint16_t)(all - 7));
			}
			memcpy(out + n, r, 3);
			store_be16(out + n + 3, (uint16_t)all);
			n += 5 + all;
			d += len;
		}
	}
	return n;
}

static char *eve_of(const struct app *a, const struct app_tx *tx)
{
	json_t *o = json_object();
	assert_true(app_eve(a, tx, 0, o));
	char *text = json_dumps(o, JSON_SORT_KEYS);
	json_decref(o);
	return text;
}

/* The handshake is swept but stays for whom asks about the connection, and tells the same. */
static void test_kept(void **state)
{
	struct talk t;
	uint8_t flight[4096];
	uint32_t n = two_certificates(flight);
	talk_open(&t, APP_UNKNOWN, true);
	assert_null(app_last(t.app));
	talk_say(&t, 0, client_hello, sizeof(client_hello), 0);
	talk_say(&t, 1, flight, n, 0);
	struct app_tx *tx = t.app->tx_first;
	assert_int_equal(((struct tls_tx *)tx)->chain[1]->n, 2);
	assert_ptr_equal(app_last(t.app), tx);
	char *before = eve_of(t.app, tx);
	tx->progress[0] = tx->progress[1] = APP_DONE;
	tx->inspected[0] = tx->inspected[1] = true;
	app_sweep(t.app, NULL, NULL, false);
	assert_null(t.app->tx_first);
	assert_int_equal(t.app->tx_open, 0);
	assert_non_null(app_last(t.app));
	assert_int_equal(((const struct tls_tx *)app_last(t.app))->chain[1]->n, 1);
	char *after = eve_of(t.app, app_last(t.app));
	assert_true(has(before, "hive.example"));
	assert_string_equal(before, after);
	free(before);
	free(after);
	talk_say(&t, 0, "\x13\x03\x03\x00\x01\x00", 6, 0); /* an event later */
	tx = t.app->tx_first;
	assert_non_null(tx);
	tx->progress[0] = tx->progress[1] = APP_DONE;
	tx->inspected[0] = tx->inspected[1] = true;
	app_sweep(t.app, NULL, NULL, false);
	assert_non_null(app_last(t.app));
	assert_int_equal(app_last(t.app)->id, 0);
	talk_close(&t);
}

static void test_sslv2(void **state)
{
	static const uint8_t v2[] = {0x80, 0x1c, 1, 0, 2, 0, 3, 0, 0,  0,  16, 1,  0,  0x80, 1,
				     2,    3,    4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,   16};
	uint8_t v3[sizeof(v2)];
	struct talk t;
	talk_open(&t, APP_UNKNOWN, true);
	talk_say(&t, 0, v2, sizeof(v2), 1);
	assert_int_equal(t.app->proto, APP_TLS);
	char *text = talk_tell(&t);
	assert_true(has(text, "\"version\":\"SSLv2\""));
	assert_null(strstr(text, "event"));
	free(text);
	talk_close(&t);
	memcpy(v3, v2, sizeof(v2)); /* only its wrapping is old: what follows is TLS */
	v3[3] = 3;
	v3[4] = 1;
	talk_open(&t, APP_UNKNOWN, true);
	talk_say(&t, 0, v3, sizeof(v3), 0);
	talk_say(&t, 1, server_flight, sizeof(server_flight), 0);
	text = talk_tell(&t);
	assert_true(has(text, "<tls.cert_subject[0]"));
	assert_null(strstr(text, "event"));
	free(text);
	talk_close(&t);
	v3[6] = 0xff; /* more ciphers than the record holds */
	talk_open(&t, APP_UNKNOWN, true);
	talk_say(&t, 0, v3, sizeof(v3), 0);
	text = talk_tell(&t);
	assert_true(has(text, "event invalid_sslv2_header"));
	free(text);
	talk_close(&t);
}

static void test_times(void **state)
{
	char text[24];
	x509_time(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00");
	x509_time(951782400, text);
	assert_string_equal(text, "2000-02-29T00:00:00");
	x509_time(-1, text);
	assert_string_equal(text, "1969-12-31T23:59:59");
	x509_time(4133980799, text);
	assert_string_equal(text, "2100-12-31T23:59:59");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake),  cmocka_unit_test(test_thirteen),
		cmocka_unit_test(test_cuts),       cmocka_unit_test(test_tiny_records),
		cmocka_unit_test(test_truncated),  cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_events),     cmocka_unit_test(test_heartbleed),
		cmocka_unit_test(test_late_event), cmocka_unit_test(test_sslv2),
		cmocka_unit_test(test_times),      cmocka_unit_test(test_kept),
		cmocka_unit_test(test_no_cipher),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
