/* SPDX-License-Identifier: BSD-2-Clause */
#include "talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define C TO_SERVER
#define S TO_CLIENT

static void has(const char *text, const char *part)
{
	if (text == NULL || strstr(text, part) == NULL)
		fail_msg("no \"%s\" in:\n%s", part, text == NULL ? "" : text);
}

static void lacks(const char *text, const char *part)
{
	if (text == NULL || strstr(text, part) != NULL)
		fail_msg("\"%s\" in:\n%s", part, text == NULL ? "" : text);
}

static const struct said hello[] = {SAY(S, "220 mail.example ESMTP\r\n"),
				    SAY(C, "EHLO client.example\r\n"),
				    SAY(S, "250-mail.example\r\n250 SIZE 1000\r\n")};
#define HELLO 3

/* A mail of this text, sent by the book. */
static char *mail(const char *text)
{
	struct said s[HELLO + 9] = {{0}};
	memcpy(s, hello, sizeof(hello));
	const struct said rest[] = {SAY(C, "MAIL FROM:<a@example.org> SIZE=9\r\n"),
				    SAY(S, "250 ok\r\n"),
				    SAY(C, "RCPT TO:<b@example.org>\r\n"),
				    SAY(S, "250 ok\r\n"),
				    SAY(C, "DATA\r\n"),
				    SAY(S, "354 go on\r\n"),
				    {C, text, (uint32_t)strlen(text)},
				    SAY(S, "250 queued\r\n"),
				    SAY(C, "QUIT\r\n")};
	memcpy(s + HELLO, rest, sizeof(rest));
	return talk_cuts(APP_SMTP, s, HELLO + 9);
}

static void test_envelope(void **state)
{
	char *t = mail("From: A <a@example.org>\r\nTo: b@example.org,\r\n c@example.org\r\n"
		       "Cc: d@example.org\r\nSubject: hi\r\nDate: today\r\nMessage-ID: <1@x>\r\n"
		       "X-Mailer: none\r\nReceived: one\r\nReceived: two\r\n\r\n"
		       "see http://www.example.org/a.exe, or ftp://192.0.2.1/x\r\n..dot\r\n.\r\n");
	has(t, ">smtp.helo[0]+0: client.example\n");
	has(t, ">smtp.mail_from[0]+0: <a@example.org>\n");
	has(t, ">smtp.rcpt_to[0]+0: <b@example.org>\n");
	has(t, ">email.from[0]+0: A <a@example.org>\n");
	has(t, ">email.to[0]+0: b@example.org, c@example.org\n");
	has(t, ">email.subject[0]+0: hi\n");
	has(t, ">email.received[1]+0: two\n");
	has(t, ">email.url[0]+0: www.example.org/a.exe,\n");
	has(t, ">email.url[1]+0: 192.0.2.1/x\n");
	has(t, "\"has_ipv4_url\":true");
	has(t, "\"to\":[\"b@example.org\",\"c@example.org\"]");
	has(t, "\"status\":\"PARSE_DONE\"");
	has(t, "tx 0 progress 255 255");
	lacks(t, "tx 1");
	lacks(t, "event");
	free(t);
}

static void test_body_md5(void **state)
{
	char *t = mail("Subject: x\r\n\r\nab\r\n.c\r\n.\r\n"); /* ".c" lost its dot: "ab", "c" */
	has(t, "email.body_md5[0]+0: ");
	free(t);
	t = mail("Subject: x\r\n\r\n\r\n.\r\n");
	has(t, ">email.body_md5[0]+0: 81051bcc2cf1bedf378224b0a93e2877\n"); /* of one line's end */
	free(t);
}

static void test_parts(void **state)
{
	char *t = mail(
		"Content-Type: multipart/mixed;\r\n boundary=\"b1\"\r\n\r\npreamble http://no/\r\n"
		"--b1\r\nContent-Type: multipart/alternative; boundary=b2\r\n\r\n"
		"--b2\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
		"http://ex=\r\nample.org/=41\r\n--b2--\r\n"
		"--b1\r\nContent-Type: application/zip; name=\"a b.zip\"\r\n"
		"Content-Transfer-Encoding: base64\r\n\r\naGVs\r\nbG8g\r\nd29ybGQ=\r\n"
		"--b1\r\nContent-Disposition: attachment; filename=two.txt\r\n\r\nline\r\nlast\r\n"
		"--b1--\r\nepilogue\r\n.\r\n");
	has(t, ">file.name[0]+0: a b.zip\n");
	has(t, ">file.data[0]+0: hello world\n");
	has(t, ">file.name[1]+0: two.txt\n");
	has(t, ">file.data[1]+0: line\\x0d\\x0alast\n");
	has(t, ">email.url[0]+0: example.org/A\n");
	has(t, "\"attachment\":[\"a b.zip\",\"two.txt\"]");
	lacks(t, "email.url[1]");
	lacks(t, "event");
	free(t);
}

/* A name in pieces; padding where a line ends, and after it. */
static void test_pieces(void **state)
{
	char *t = mail(
		"Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n"
		"Content-Disposition: attachment; filename*0=\"long \";\r\n filename*1=name;\r\n"
		" filename*3=no\r\n\r\nNA=\r\n=Mg\r\n==\r\n.\r\n");
	has(t, ">file.name[0]+0: long name\n");
	has(t, ">file.data[0]+0: 42\n");
	lacks(t, "event");
	free(t);
}

static void test_mail_in_mail(void **state)
{
	char *t = mail("Subject: outer\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n"
		       "Content-Type: text/plain; name=f.txt\r\n\r\nbody\r\n.\r\n");
	has(t, ">email.subject[0]+0: outer\n");
	has(t, ">file.data[0]+0: body\\x0d\\x0a\n");
	free(t);
}

static void test_encodings_wrong(void **state)
{
	char *t = mail("Content-Transfer-Encoding: base64\r\nContent-Type: x/y; name=a\r\n\r\n"
		       "aG!Vs\r\nbG8\r\n.\r\n");
	has(t, "event mime_invalid_base64");
	has(t, ">file.data[0]+0: hello\n"); /* what is left of the last group too */
	free(t);
	t = mail("Content-Transfer-Encoding: quoted-printable\r\nContent-Type: x/y; name=a\r\n\r\n"
		 "a=ZZb=\r\nc=3d\r\n.\r\n");
	has(t, "event mime_invalid_qp");
	has(t, ">file.data[0]+0: a=ZZbc=");
	free(t);
}

static void test_deep(void **state)
{
	static char text[8192];
	struct writer w = writer_of(text, sizeof(text));
	for (unsigned i = 0; i < 40; i++)
		write_fmt(&w, "Content-Type: multipart/mixed; boundary=b%u\r\n\r\n--b%u\r\n", i, i);
	write_str(&w, "Content-Type: a/b; name=deep\r\n\r\nx\r\n.\r\n");
	char *t = mail(text);
	has(t, "event mime_malformed_msg");
	has(t, "\"status\":\"PARSE_DONE\"");
	free(t);
}

static void test_long_lines(void **state)
{
	static char text[20000];
	struct writer w = writer_of(text, sizeof(text));
	write_str(&w, "Subject: ");
	for (unsigned i = 0; i < 5000; i++)
		write_str(&w, "s");
	write_str(&w, "\r\nContent-Type: a/b; name=f\r\n\r\n");
	for (unsigned i = 0; i < 4095; i++)
		write_str(&w, "x");
	write_str(&w, "\r\n");
	for (unsigned i = 0; i < 5000; i++)
		write_str(&w, "\r");
	write_str(&w, "\r\n.\r\n");
	char *t = mail(text);
	has(t, "event mime_long_line");
	has(t, "file f size 9099 dir 0 closed"); /* 4095 + 2 + 5000 + 2 */
	free(t);
}

static void test_events(void **state)
{
	static const struct said a[] = {
		SAY(S, "554 no\r\n"), SAY(C, "EHLO x\r\n"),    SAY(S, "what\r\n"),
		SAY(S, "250 ok\r\n"), SAY(S, "250 again\r\n"), SAY(C, "DATA\r\n"),
		SAY(S, "503 no\r\n"), SAY(C, "EHLO y\r\n"),    SAY(C, "STARTTLS\r\nNOOP\r\n"),
		SAY(S, "250 ok\r\n"), SAY(S, "454 no\r\n")};
	char *t = talk_cuts(APP_SMTP, a, ARRAY_LEN(a));
	has(t, "event invalid_reply");
	has(t, "event unable_to_match_reply_with_request");
	has(t, "event data_command_rejected");
	has(t, "event duplicate_fields");
	has(t, "event invalid_pipelined_sequence");
	has(t, "event tls_rejected");
	free(t);
}

static void test_long_command(void **state)
{
	static char line[9000];
	memset(line, 'x', sizeof(line));
	line[510] = '\r', line[511] = '\n';
	struct said s = {C, line, 512};
	char *t = talk_cuts(APP_SMTP, &s, 1);
	lacks(t, "event");
	free(t);
	line[510] = 'x', line[511] = '\n';
	t = talk_cuts(APP_SMTP, &s, 1);
	has(t, "event max_command_line_len_exceeded");
	lacks(t, "event truncated_line");
	free(t);
	line[511] = 'x', line[8000] = '\n';
	s.len = 8001;
	t = talk_cuts(APP_SMTP, &s, 1);
	has(t, "event truncated_line");
	lacks(t, "tx 1");
	free(t);
}

static void test_two_mails(void **state)
{
	static const struct said s[] = {
		SAY(S, "220 x\r\n"), SAY(C, "EHLO me\r\n"),
		SAY(S, "250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n"),
		SAY(C, "MAIL FROM:<1@x>\r\nRCPT TO:<r@x>\r\nDATA\r\nSubject: 1\r\n\r\n.\r\n"
		       "MAIL FROM:<2@x>\r\nRCPT TO:<r@x>\r\nBDAT 12\r\nSubject: two"
		       "BDAT 8 LAST\r\n\r\n\r\nbody"
		       "RSET\r\nMAIL FROM:<3@x>\r\nRSET\r\nMAIL FROM:<4@x>\r\nQUIT\r\n"),
		SAY(S, "250 1\r\n250 2\r\n354 go\r\n250 ok\r\n")};
	char *t = talk_cuts(APP_SMTP, s, ARRAY_LEN(s));
	has(t, "tx 3");
	lacks(t, "tx 4");
	has(t, ">email.subject[0]+0: 1\n");
	has(t, ">email.subject[0]+0: two\n");
	has(t, ">smtp.mail_from[0]+0: <3@x>\n");
	has(t, "event bdat_chunk_len_exceeded");
	free(t);
}

static void test_starttls(void **state)
{
	struct talk t;
	talk_open(&t, APP_SMTP, true);
	talk_say(&t, S, "220 x\r\n", 7, 0);
	talk_say(&t, C, "STARTTLS\r\n", 10, 0);
	talk_say(&t, S, "220 go\r\n", 8, 0);
	assert_int_equal(t.app->before, APP_SMTP);
	assert_int_equal(t.app->proto, APP_UNKNOWN);
	assert_int_equal(t.app->tx_first->progress[0], APP_DONE);
	talk_close(&t);
}

static void test_gap(void **state)
{
	static const struct said s[] = {SAY(C, "DATA\r\n"),
					SAY(S, "220 x\r\n354 go\r\n"),
					SAY(C, "Content-Type: a/b; name=f\r\n\r\nabc\r\n"),
					{C, NULL, 100},
					SAY(C, "x\r\n.\r\n")};
	char *t = talk_run(APP_SMTP, true, s, ARRAY_LEN(s), 0);
	has(t, "file f size ");
	has(t, "gaps");
	has(t, "\"status\":\"PARSE_DONE\"");
	free(t);
}

/* A mail that is done with and swept away leaves nothing for QUIT to be about. */
static void test_swept(void **state)
{
	static const struct said s[] = {SAY(S, "220 x\r\n"), SAY(C, "HELO a\r\n"),
					SAY(S, "250 x\r\n"), SAY(C, "RSET\r\n"),
					SAY(S, "250 x\r\n")};
	struct talk t;
	talk_open(&t, APP_SMTP, true);
	for (size_t i = 0; i < ARRAY_LEN(s); i++)
		talk_say(&t, s[i].dir, s[i].data, s[i].len, 0);
	talk_say(&t, C, "MAIL FROM:<a>\r\n", 15, 0);
	assert_int_equal(t.app->tx_open, 2);
	t.app->tx_first->inspected[0] = t.app->tx_first->inspected[1] = true;
	app_sweep(t.app, NULL, NULL, false);
	assert_int_equal(t.app->tx_open, 1);
	talk_say(&t, C, "RSET\r\n", 6, 0);
	talk_say(&t, S, "250 x\r\n250 x\r\n", 14, 0);
	t.app->tx_first->inspected[0] = t.app->tx_first->inspected[1] = true;
	t.app->tx_first->progress[1] = APP_DONE;
	app_sweep(t.app, NULL, NULL, false);
	assert_int_equal(t.app->tx_open, 0);
	talk_say(&t, C, "QUIT\r\n", 6, 0);
	assert_int_equal(t.app->tx_open, 0);
	talk_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_envelope),     cmocka_unit_test(test_body_md5),
		cmocka_unit_test(test_parts),        cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_mail_in_mail), cmocka_unit_test(test_encodings_wrong),
		cmocka_unit_test(test_deep),         cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_events),       cmocka_unit_test(test_long_command),
		cmocka_unit_test(test_two_mails),    cmocka_unit_test(test_starttls),
		cmocka_unit_test(test_gap),          cmocka_unit_test(test_swept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
