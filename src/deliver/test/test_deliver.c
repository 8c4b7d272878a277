/* SPDX-License-Identifier: BSD-2-Clause */
/* URLs, files with passwords, answers and conversations; servers are in tests/golden/test_deliver.py. */
#include "deliver/deliver_priv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int url(uint8_t kind, const char *text, struct target *ret)
{
	struct conf_destination to = {.kind = kind};
	text_copy(to.url, sizeof(to.url), text);
	text_copy(to.from, sizeof(to.from), "a@example.org");
	return target_of(&to, ret);
}

static void test_urls(void **state)
{
	static const struct {
		const char *url;
		uint8_t kind, scheme;
		bool loopback;
		const char *want; /* its beginning; NULL: refused */
	} rows[] = {
		{"smtp://mail.example.org", DEST_SMTP, TO_SMTP, false,
		 "smtp://mail.example.org:587/"},
		{"smtps://mail.example.org", DEST_SMTP, TO_SMTPS, false,
		 "smtps://mail.example.org:465/"},
		{"smtp://[2001:db8::1]:25", DEST_SMTP, TO_SMTP, false, "smtp://[2001:db8::1]:25/"},
		{"smtp://127.0.0.1:25", DEST_SMTP, TO_SMTP, true, "smtp://127.0.0.1:25/"},
		{"smtp://127.8.9.1:25", DEST_SMTP, TO_SMTP, true, "smtp://127.8.9.1:25/"},
		{"smtp://[::1]:25", DEST_SMTP, TO_SMTP, true, "smtp://[::1]:25/"},
		{"smtp://localhost:25", DEST_SMTP, TO_SMTP, true, "smtp://localhost:25/"},
		{"smtp://localhost.example.org", DEST_SMTP, TO_SMTP, false,
		 "smtp://localhost.example.org"},
		{"smtp://127.0.0.1.example.org", DEST_SMTP, TO_SMTP, false,
		 "smtp://127.0.0.1.example"},
		{"smtp://mail.example.org/evil?x=y", DEST_SMTP, TO_SMTP, false,
		 "smtp://mail.example.org:587/"},
		{"https://example.org/x?y=z", DEST_SLACK, TO_HTTPS, false,
		 "https://example.org/x?y=z"},
		{"https://example.org/#z", DEST_WEBHOOK, TO_HTTPS, false, "https://example.org/"},
		{"tls://log.example.org", DEST_SYSLOG, TO_TLS, false,
		 "https://log.example.org:6514/"},
		{"tcp://log.example.org", DEST_SYSLOG, TO_TCP, false,
		 "http://log.example.org:514/"},
		{"udp://[::1]:5514", DEST_SYSLOG, TO_UDP, true, "http://[::1]:5514/"},
		{"smtp://user:pw@example.org", DEST_SMTP, 0, false, NULL},
		{"smtp://user@example.org", DEST_SMTP, 0, false, NULL},
		{"smtp://example.org:99999", DEST_SMTP, 0, false, NULL},
		{"smtp://exa mple.org", DEST_SMTP, 0, false, NULL},
		{"smtp://example.org/\r\nRCPT", DEST_SMTP, 0, false, NULL},
		{"https://b\xc3\xbc\x63her.example", DEST_SLACK, 0, false, NULL},
		{"https://example.org", DEST_SMTP, 0, false, NULL},
		{"smtp://example.org", DEST_SLACK, 0, false, NULL},
		{"file:///etc/passwd", DEST_WEBHOOK, 0, false, NULL},
		{"ftp://example.org", DEST_WEBHOOK, 0, false, NULL},
		{"udp://example.org", DEST_WEBHOOK, 0, false, NULL},
		{"example.org", DEST_WEBHOOK, 0, false, NULL},
		{"", DEST_SMTP, 0, false, NULL},
		{"smtp://mail.example.org", DEST_KEEP, 0, false, NULL},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct target t;
		int err = url(rows[i].kind, rows[i].url, &t);
		if (rows[i].want == NULL) {
			assert_int_equal(err, SKEP_EFORMAT);
			continue;
		}
		assert_int_equal(err, 0);
		assert_int_equal(t.scheme, rows[i].scheme);
		assert_int_equal(t.loopback, rows[i].loopback);
		assert_memory_equal(t.url, rows[i].want, strlen(rows[i].want));
		if (rows[i].kind != DEST_SMTP) /* there the path is how we say hello */
			assert_string_equal(t.url, rows[i].want);
		else
			assert_null(strstr(t.url, "evil"));
	}
	assert_int_equal(target_check_https("https://login.example.org/token"), 0);
	assert_int_equal(target_check_https("http://login.example.org/token"), SKEP_EFORMAT);
	assert_int_equal(target_check_https("https://a:b@login.example.org/"), SKEP_EFORMAT);
}

static void write_file(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

static void test_secrets(void **state)
{
	static struct conf_alerts c;
	static struct deliver_secrets s;
	char dir[] = "/tmp/skep-secrets-XXXXXX", why[256], long_text[DELIVER_SECRET + 1];
	(void)state;
	assert_non_null(mkdtemp(dir));
	c.n_to = 5;
	for (uint32_t i = 0; i < c.n_to; i++) {
		struct writer w = writer_of(c.to[i].secret, sizeof(c.to[i].secret));
		write_fmt(&w, "%s/%u", dir, i);
		text_copy(c.to[i].name, sizeof(c.to[i].name), "d");
	}
	memset(long_text, 'x', sizeof(long_text));
	write_file(c.to[0].secret, "pass word \n", 11);
	write_file(c.to[1].secret, "a\nb", 3);
	write_file(c.to[2].secret, "a\0b", 3);
	write_file(c.to[3].secret, long_text, DELIVER_SECRET);
	assert_true(deliver_secrets_read(&c, &s, why, sizeof(why)) < 0);
	assert_non_null(strstr(why, c.to[1].secret));
	assert_string_equal(s.to[0].secret, "pass word ");
	for (int i = 1; i < 5; i++)
		assert_string_equal(s.to[i].secret, "");
	c.n_to = 1;
	text_copy(c.to[0].ca, sizeof(c.to[0].ca), c.to[1].secret);
	assert_int_equal(deliver_secrets_read(&c, &s, why, sizeof(why)), 0);
	assert_string_equal(s.to[0].ca, "a\nb");
	for (int i = 0; i < 4; i++)
		unlink(c.to[i].secret);
	rmdir(dir);
}

static void test_answers(void **state)
{
	const int64_t now = INT64_C(1795863600) * NS_PER_SEC;
	static struct token t;
	char why[64];
	uint32_t s = 0;
	static const struct {
		const char *text;
		uint32_t want;
	} rows[] = {
		{" 120\r\n", 120},
		{"0", 0},
		{"-5", 0},
		{"99999999999999999999", 86400},
		{"soon", 0},
		{"", 0},
		{"1.5", 0},
		{"Sat, 28 Nov 2026 07:00:30 GMT", 0},
		{"Sat, 28 Nov 2026 11:00:30 GMT", 30},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(answer_retry_after(rows[i].text, strlen(rows[i].text), now),
				 rows[i].want);
	assert_int_equal(answer_retry_json("{\"retry_after\": 0.2}", 20), 1);
	assert_int_equal(answer_retry_json("{\"retry_after\": \"9\"}", 20), 0);
	assert_int_equal(answer_retry_json("[1]", 3), 0);
	static const char good[] = "{\"access_token\": \"abc\", \"expires_in\": 60}",
			  bad[] = "{\"error\": \"invalid_grant\"}",
			  evil[] = "{\"access_token\": \"a\\r\\nb\"}";
	assert_int_equal(answer_token(good, sizeof(good) - 1, &t, &s, why, sizeof(why)), 0);
	assert_string_equal(t.text, "abc");
	assert_int_equal(s, 60);
	assert_int_equal(answer_token(bad, sizeof(bad) - 1, &t, &s, why, sizeof(why)),
			 SKEP_EFORMAT);
	assert_string_equal(why, "invalid_grant");
	assert_int_equal(answer_token(evil, sizeof(evil) - 1, &t, &s, why, sizeof(why)),
			 SKEP_EFORMAT);
}

static void say(struct talk *t, const char *sent, const char *heard)
{
	if (sent != NULL)
		deliver_talk_sent(t, sent, strlen(sent));
	if (heard != NULL)
		deliver_talk_heard(t, heard, strlen(heard));
}

static void test_talk(void **state)
{
	struct talk t = {.at = TALK_GREETING};
	(void)state;
	say(&t, NULL, "220 hi\r\n");
	assert_int_equal(t.code, 220);
	say(&t, "EHLO x\r\n", "250-a\r\n");
	assert_int_equal(t.code, 0);
	say(&t, "AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n");
	say(&t, "DATAxxxx\r\n", "535 5.7.8 no\r\n"); /* a password may look like a command */
	assert_int_equal(t.at, TALK_AUTH);
	assert_int_equal(t.code, 535);
	say(&t, "RCPT TO:<a>\r\n", "250 ok\r\n");
	say(&t, "RCPT TO:<b>\r\n", "451 later\r\n");
	say(&t, "RCPT TO:<c>\r\n", "550 never\r\n");
	assert_int_equal(t.n, 3);
	assert_int_equal(t.codes[1], 451);
	assert_string_equal(t.refused, "451 later");
	say(&t, "DATA\r\n", "354 go on\r\n");
	assert_int_equal(t.at, TALK_BODY);
	assert_int_equal(t.code, 0);
	say(&t, NULL, "250 queued\r\n");
	say(&t, "QUIT\r\n", "500 what?\r\n");
	assert_int_equal(t.code, 250);
	assert_string_equal(t.line, "250 queued");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_talk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
