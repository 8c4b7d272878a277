/* SPDX-License-Identifier: BSD-2-Clause */
/* SSH: banners, key exchange, fingerprints, oddities. */
#include "talk.h"

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

/* A proposal of key exchange as one packet. */
static uint32_t kexinit(uint8_t *out)
{
	static const char *const lists[10] = {"kex-a,kex-b", "key",  "enc-c", "enc-s", "mac-c",
					      "mac-s",       "none", "zlib",  "",      ""};
	uint32_t at = 6;
	memset(out, 0, 512);
	out[5] = 20;
	at += 16;
	for (unsigned i = 0; i < 10; i++) {
		uint32_t n = (uint32_t)strlen(lists[i]);
		store_be32(out + at, n);
		memcpy(out + at + 4, lists[i], n);
		at += 4 + n;
	}
	at += 5 + 6;
	out[4] = 6;
	store_be32(out, at - 4);
	return at;
}

static const uint8_t newkeys[16] = {0, 0, 0, 12, 10, 21};

static void converse(struct talk *t, uint32_t cut)
{
	uint8_t d[512];
	const char *hello = "welcome\r\nSSH-2.0-dropbear_2020.81\r\n",
		   *client = "SSH-2.0-OpenSSH_9.2 x\r\n";
	talk_open(t, APP_UNKNOWN, true);
	talk_say(t, 0, client, (uint32_t)strlen(client), cut);
	talk_say(t, 1, hello, (uint32_t)strlen(hello), cut);
	uint32_t n = kexinit(d);
	talk_say(t, 0, d, n, cut);
	talk_say(t, 1, d, n, cut);
	talk_say(t, 0, "\x00\x00\x00\x0c\x05\x1e\0\0\0\0\0\0\0\0\0\0", 16, cut);
	talk_say(t, 0, newkeys, sizeof(newkeys), cut);
	talk_say(t, 1, newkeys, sizeof(newkeys), cut);
}

static void test_whole(void **state)
{
	static const char *const parts[] = {
		">ssh.proto[0]+0: 2.0\n",
		"<ssh.proto[0]+0: 2.0\n",
		">ssh.software[0]+0: OpenSSH_9.2\n",
		"<ssh.software[0]+0: dropbear_2020.81\n",
		">ssh.hassh.string[0]+0: kex-a,kex-b;enc-c;mac-c;none\n",
		"<ssh.hassh.server.string[0]+0: kex-a,kex-b;enc-s;mac-s;zlib\n",
		">ssh.hassh[0]+0: a049be38308c5c8352bcb474c61ac664\n",
		"\"proto_version\":\"2.0\"",
		"progress 255 255"};
	struct talk t;
	converse(&t, 0);
	char *text = talk_tell(&t);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		assert_true(has(text, parts[i]));
	assert_null(strstr(text, "event"));
	assert_null(strstr(text, "<ssh.hassh[")); /* each has its own name */
	assert_true(t.app->wants_none);
	free(text);
	talk_close(&t);
}

static void test_cuts(void **state)
{
	struct talk t;
	converse(&t, 0);
	char *whole = talk_tell(&t);
	talk_close(&t);
	for (uint32_t cut = 1; cut < 40; cut++) {
		converse(&t, cut);
		char *text = talk_tell(&t);
		assert_string_equal(whole, text);
		free(text);
		talk_close(&t);
	}
	free(whole);
}

static void expect_event(const char *event, const void *d, uint32_t len)
{
	struct talk t;
	char *text;
	for (uint32_t cut = 0; cut < 2; cut++) {
		talk_open(&t, APP_SSH, true);
		talk_say(&t, 0, d, len, cut);
		talk_end(&t);
		text = talk_tell(&t);
		assert_true(has(text, event));
		free(text);
		talk_close(&t);
	}
}

static void test_events(void **state)
{
	char banner[400];
	memset(banner, 'a', sizeof(banner));
	memcpy(banner, "SSH-2.0-", 8);
	banner[399] = '\n';
	expect_event("event long_banner", banner, 400);
	expect_event("event invalid_banner", "SSH-\r\n", 6);
	expect_event("event invalid_banner", "SSH-2.0\r\n", 9);
	expect_event("event invalid_record", "SSH-2.0-x\r\n\x00\x00\x00\x01\x00\x14", 17);
	expect_event("event invalid_record", "SSH-2.0-x\r\n\x00\x00\x00\x10\x20\x14", 17);
	expect_event("event long_kex_record", "SSH-2.0-x\r\n\x10\x00\x00\x01\x04\x14", 17);
}

/* Lists longer than their packet, and every prefix of it. */
static void test_hostile(void **state)
{
	uint8_t d[512];
	uint32_t n = kexinit(d);
	for (uint32_t at = 22; at < 120; at++) {
		uint8_t b[512];
		struct talk t;
		memcpy(b, d, n);
		b[at] = 0xff;
		talk_open(&t, APP_SSH, true);
		talk_say(&t, 0, "SSH-2.0-x\n", 10, 0);
		talk_say(&t, 0, b, n, 0);
		talk_end(&t);
		char *text = talk_tell(&t);
		assert_true(has(text, "ssh.proto"));
		free(text);
		talk_close(&t);
	}
}

static void test_no_banner(void **state)
{
	static char line[9000];
	struct talk t;
	memset(line, 'x', sizeof(line));
	talk_open(&t, APP_SSH, true);
	talk_say(&t, 0, line, sizeof(line), 100);
	assert_true(t.n_held[0] < 8192); /* an endless line is let go in strides */
	talk_say(&t, 0, "\nSSH-2.0-late\n", 14, 0);
	char *text = talk_tell(&t);
	assert_true(has(text, "software[0]+0: late\n"));
	free(text);
	talk_close(&t);
}

static void test_kept(void **state)
{
	struct talk t;
	talk_open(&t, APP_SSH, true);
	for (unsigned round = 0; round < 2; round++) {
		talk_say(&t, 0, round == 0 ? "SSH-2.0-x\r\n" : "\0\0\0\1\0\x14",
			 round == 0 ? 11 : 6, 0); /* the second is no packet: an event of its own */
		struct app_tx *tx = t.app->tx_first;
		assert_non_null(tx);
		tx->progress[0] = tx->progress[1] = APP_DONE;
		tx->inspected[0] = tx->inspected[1] = true;
		app_sweep(t.app, NULL, NULL, false);
		assert_null(t.app->tx_first);
		assert_non_null(app_last(t.app));
		assert_int_equal(app_last(t.app)->id, 0);
	}
	talk_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),     cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_events),    cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_no_banner), cmocka_unit_test(test_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
