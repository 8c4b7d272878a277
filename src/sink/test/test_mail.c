/* SPDX-License-Identifier: BSD-2-Clause */
/* The SMTP server: mailers and bots, in any pieces, and whoever breaks its rules. */
#include "sink/test/fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

static const char talk[] = "EHLO bot.example\r\n"
			   "AUTH PLAIN AHJvb3QAaHVudGVyMg==\r\n"
			   "MAIL FROM:<bot@spam.example> SIZE=400\r\n"
			   "RCPT TO:<victim@example.org>\r\n"
			   "RCPT TO:<other@example.org>\r\n"
			   "DATA\r\n"
			   "From: bot@spam.example\r\n"
			   "Subject: pills\r\n"
			   "Content-Type: multipart/mixed;\r\n"
			   " boundary=\"=_b1\"\r\n"
			   "\r\n"
			   "--=_b1\r\n"
			   "Content-Type: text/plain\r\n"
			   "\r\n"
			   "..dotted\r\n"
			   "--=_b1\r\n"
			   "Content-Disposition: attachment; filename=\"x.exe\"\r\n"
			   "\r\n"
			   "TVqQAAMAAAAEAAAA\r\n"
			   "--=_b1--\r\n"
			   ".\r\n"
			   "QUIT\r\n";

static void one_mail(size_t piece)
{
	struct fake *f = fake_new(false);
	struct sink_session *t = fake_open(f, SINK_SMTP, 0);
	char out[4096];
	fake_say(f, t, talk, sizeof(talk) - 1, piece, out, sizeof(out));
	assert_memory_equal(out, "220 ", 4);
	assert_non_null(strstr(out, "250 AUTH PLAIN LOGIN\r\n"));
	assert_null(strstr(out, "STARTTLS"));
	assert_non_null(strstr(out, "\r\n235 "));
	assert_non_null(strstr(out, "\r\n354 "));
	assert_non_null(strstr(out, "\r\n221 "));
	assert_null(strstr(out, "\r\n5"));
	assert_true(sink_over(t));
	sink_close(f->sink, t, f->now);

	const struct event *e = fake_event(f, "mail", 0);
	assert_non_null(e);
	assert_string_equal(e->u.sink.guest, "web1");
	assert_string_equal(e->u.sink.service, "smtp");
	assert_int_equal(e->u.sink.count, 2);
	assert_int_equal(e->u.sink.sport, 25);
	assert_non_null(strstr(e->text, "1 attachments (16 bytes)"));
	assert_memory_equal(e->u.sink.excerpt, "helo bot.example\nfrom <bot@spam.example>\n", 41);
	assert_non_null(strstr(fake_event(f, "login", 0)->text, "'root' with 'hunter2'"));
	e = fake_event(f, "headers", 0);
	assert_memory_equal(e->u.sink.excerpt, "From: bot@spam.example\nSubject: pills\n", 38);
	e = fake_event(f, "body", 0);
	assert_non_null(memmem(e->u.sink.excerpt, e->u.sink.excerpt_len, "\n.dotted\n", 9));
	assert_null(memmem(e->u.sink.excerpt, e->u.sink.excerpt_len, "TVqQ", 4));
	assert_null(fake_event(f, "mail", 1));
	assert_null(fake_event(f, "connect", 0));
	fake_free(f);
}

static void a_mail_is_taken_in_any_pieces(void **state)
{
	(void)state;
	one_mail(0);
	for (size_t piece = 1; piece < 40; piece += 3)
		one_mail(piece);
}

static void order_is_kept(void **state)
{
	static const struct {
		const char *say, *answer;
	} rows[] = {
		{"DATA\r\n", "503 "},
		{"RCPT TO:<a@b>\r\n", "503 "},
		{"MAIL TO:<a@b>\r\n", "501 "},
		{"MAIL FROM:<>\r\n", "250 "},
		{"DATA\r\n", "554 "},
		{"STARTTLS\r\n", "502 "},
		{"\r\n", "502 "},
		{"DATAS\r\n", "502 "},
		{"auth cram-md5\r\n", "504 "},
		{"AUTH PLAIN !!!\r\n", "501 "},
		{"AUTH LOGIN\r\n", "334 VXNlcm5hbWU6"},
		{"*\r\n", "501 "},
		{"AUTH LOGIN cm9vdA==\r\n", "334 UGFzc3dvcmQ6"},
		{"aHVudGVyMg==\r\n", "235 "},
		{"rset\n", "250 "},
		{"VRFY root\r\n", "252 "},
	};
	struct fake *f = fake_new(false);
	struct sink_session *t = fake_open(f, SINK_SMTP, 1);
	char out[1024];
	(void)state;
	fake_say(f, t, "", 0, 0, out, sizeof(out));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		fake_say(f, t, rows[i].say, strlen(rows[i].say), 0, out, sizeof(out));
		assert_memory_equal(out, rows[i].answer, strlen(rows[i].answer));
	}
	assert_non_null(strstr(fake_event(f, "login", 0)->text, "'root' with 'hunter2'"));
	fake_free(f);
}

static void endless_lines_and_errors_end(void **state)
{
	struct fake *f = fake_new(false);
	struct sink_session *t = fake_open(f, SINK_SMTP, 0);
	char out[8192], line[5000];
	(void)state;
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	fake_say(f, t, line, sizeof(line), 0, out, sizeof(out));
	assert_non_null(strstr(out, "500 5.5.2 Error: line too long\r\n"));
	for (int i = 0; i < 30 && !sink_over(t); i++)
		fake_say(f, t, "nonsense\r\n", 10, 0, out, sizeof(out));
	assert_non_null(strstr(out, "421 "));
	assert_true(sink_over(t));
	sink_close(f->sink, t, f->now);
	assert_non_null(fake_event(f, "connect", 0));
	fake_free(f);
}

static void an_endless_mail_is_cut_and_told(void **state)
{
	static const char head[] =
		"HELO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nX: y\r\n\r\n";
	struct fake *f = fake_new(false);
	struct sink_session *t = fake_open(f, SINK_SMTP, 0);
	char out[1024], more[1000];
	(void)state;
	fake_say(f, t, head, sizeof(head) - 1, 0, out, sizeof(out));
	memset(more, '\n', sizeof(more));
	for (int i = 0; i < 20 && !sink_over(t); i++)
		fake_say(f, t, more, sizeof(more), 0, out, sizeof(out));
	assert_true(sink_over(t));
	sink_close(f->sink, t, f->now);
	assert_non_null(strstr(fake_event(f, "mail", 0)->text, "cut at sink.bytes"));
	assert_true(fake_event(f, "mail", 0)->u.sink.bytes <= 8192);
	fake_free(f);
}

static void a_flood_is_summed_up(void **state)
{
	static const char mail[] =
		"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nA: b\r\n\r\nc\r\n.\r\n";
	struct fake *f = fake_new(false);
	char out[4096];
	(void)state;
	for (int i = 0; i < 200; i++) {
		struct sink_session *t = fake_open(f, SINK_SMTP, 0);
		assert_non_null(t);
		fake_say(f, t, mail, sizeof(mail) - 1, 0, out, sizeof(out));
		sink_close(f->sink, t, f->now);
	}
	uint32_t n = f->n_events;
	assert_true(n >= 50 && n <= 70);
	f->now += NS_PER_SEC;
	sink_tick(f->sink, f->now);
	assert_int_equal(f->n_events, n + 1);
	assert_non_null(fake_event(f, "suppressed", 0));
	assert_true(fake_event(f, "suppressed", 0)->u.sink.count > 100);
	/* Another guest is still heard. */
	struct sink_session *t = fake_open(f, SINK_SMTP, 1);
	fake_say(f, t, mail, sizeof(mail) - 1, 0, out, sizeof(out));
	assert_string_equal(fake_event(f, "mail", 0)->u.sink.guest, "db1");
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mail_is_taken_in_any_pieces),
		cmocka_unit_test(order_is_kept),
		cmocka_unit_test(endless_lines_and_errors_end),
		cmocka_unit_test(an_endless_mail_is_cut_and_told),
		cmocka_unit_test(a_flood_is_summed_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
