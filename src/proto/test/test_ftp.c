/* SPDX-License-Identifier: BSD-2-Clause */
#include "proto/ftp/ftp_priv.h"
#include "talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

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

static void test_session(void **state)
{
	static const struct said s[] = {SAY(S, "220-hello\r\n not yet\r\n220 there\r\n"),
					SAY(C, "user bob\r\n"),
					SAY(S, "331 password\r\n"),
					SAY(C, "PASV\r\n"),
					SAY(S, "227 Entering (192,0,2,2,4,1).\r\n"),
					SAY(C, "RETR a.txt\r\n"),
					SAY(S, "150 opening\r\n226 done\r\n"),
					SAY(C, "EPSV\r\n"),
					SAY(S, "229 ok (|||2000|)\r\n"),
					SAY(C, "PORT 192,0,2,1,255,255\r\n"),
					SAY(S, "200\r\n"),
					SAY(C, "EPRT |2|2001:db8::1|80|\r\n"),
					SAY(S, "200 ok\n"),
					SAY(C, "FOO\nBAR x"),
					SAY(S, "500 no")};
	char *t = talk_cuts(APP_FTP, s, ARRAY_LEN(s));
	has(t, "\"reply\":[\"hello\",\" not yet\",\"there\"]");
	has(t, ">ftp.command[0]+0: USER\n");
	has(t, ">ftp.command_data[0]+0: bob\n");
	has(t, "<ftp.completion_code[0]+0: 331\n");
	has(t, "<ftp.reply[1]+0: done\n");
	has(t, "\"dynamic_port\":1025,\"mode\":\"passive\"");
	has(t, "\"dynamic_port\":2000,\"mode\":\"passive\"");
	has(t, "\"dynamic_port\":65535,\"mode\":\"active\"");
	has(t, "\"dynamic_port\":80,\"mode\":\"active\"");
	has(t, ">ftp.command[0]+0: FOO\n");
	has(t, ">ftp.command[0]+0: BAR\n");
	has(t, "<ftp.reply_received[0]+0: no\n"); /* BAR has none */
	lacks(t, "event");
	free(t);
}

static void test_bad_ports(void **state)
{
	static const struct said s[] = {
		SAY(C,
		    "PORT\r\nPORT 1,2,3,4,5\r\nPORT 1,2,3,4,256,1\r\nPORT 1,2,3,4,5,99999999999\r\n"
		    "EPRT |\r\nEPRT |1|x|70000|\r\nEPRT |1|x|5\r\nPASV\r\n"),
		SAY(S, "1\r\n200 a\r\n200 b\r\n200 c\r\n200 d\r\n200 e\r\n200 f\r\n200 g\r\n227 "
		       "(\r\n")};
	char *t = talk_cuts(APP_FTP, s, ARRAY_LEN(s));
	lacks(t, "dynamic_port");
	free(t);
}

static void test_long(void **state)
{
	static char line[6000];
	memset(line, 'a', sizeof(line));
	memcpy(line, "RETR ", 5);
	line[5998] = '\r', line[5999] = '\n';
	struct said s[] = {{C, line, sizeof(line)}, SAY(C, "NOOP\r\n"), {S, line, 0}};
	char *t = talk_cuts(APP_FTP, s, 2);
	has(t, "event request_command_too_long");
	has(t, "\"command_truncated\":true");
	has(t, "tx 1");
	lacks(t, "tx 2");
	free(t);
	memcpy(line, "200 ", 4);
	s[2] = (struct said){S, line, sizeof(line)};
	t = talk_cuts(APP_FTP, s + 1, 2);
	has(t, "event response_command_too_long");
	has(t, "\"reply_truncated\":true");
	free(t);
	s[0] = (struct said){C, line + 5999 - 4095,
			     4096 - 1 + 1}; /* 4096 with its end: just fits */
	t = talk_cuts(APP_FTP, s, 1);
	lacks(t, "event");
	free(t);
}

static void test_auth_tls(void **state)
{
	struct talk t;
	talk_open(&t, APP_FTP, true);
	talk_say(&t, C, "AUTH TLS\r\n", 10, 0);
	talk_say(&t, S, "234 go\r\n", 8, 0);
	assert_int_equal(t.app->before, APP_FTP);
	talk_close(&t);
}

static void data_connection(unsigned dir, uint32_t cut)
{
	struct talk t;
	talk_open(&t, APP_FTP_DATA, true);
	struct ftp_expected *e = slab_zalloc(t.slab, sizeof(*e));
	assert_non_null(e);
	e->name_len = 5;
	memcpy(e->name, "a.txt", 5);
	t.app->parent_name = e;
	talk_say(&t, dir, "hello", 5, cut);
	talk_say(&t, dir ^ 1, "ignored", 7, cut);
	talk_end(&t);
	char *text = talk_tell(&t);
	has(text, dir == C ? ">file.data[0]+0: hello\n" : "<file.data[0]+0: hello\n");
	has(text, ">ftpdata_command[0]+0: retr\n");
	has(text, "<ftpdata_command[0]+0: retr\n");
	has(text, "file a.txt size 5");
	has(text, "{\"command\":\"RETR\",\"filename\":\"a.txt\"}");
	free(text);
	talk_close(&t);
}

static void test_data(void **state)
{
	for (uint32_t cut = 0; cut < 6; cut++) {
		data_connection(C, cut);
		data_connection(S, cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session), cmocka_unit_test(test_bad_ports),
		cmocka_unit_test(test_long),    cmocka_unit_test(test_auth_tls),
		cmocka_unit_test(test_data),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
