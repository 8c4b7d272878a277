/* SPDX-License-Identifier: BSD-2-Clause */
#include "talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define C TO_SERVER
#define S TO_CLIENT
#define INVITE                                                                                    \
	"INVITE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nv: SIP/2.0/UDP b\r\n"        \
	"From: <sip:a@x>;tag=1\r\nt: <sip:b@x>\r\nUser-Agent: phone\r\nSubject: x\r\n folded\r\n" \
	"c: application/sdp\r\nl: 52\r\n\r\n"                                                     \
	"v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nm=audio 1 RTP/AVP 0\r\na=x"
#define OK_200 "SIP/2.0 200 All right\r\nContent-Length: 0\r\n\r\n"

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

static void check(const char *t)
{
	has(t, ">sip.method[0]+0: INVITE\n");
	has(t, ">sip.uri[0]+0: sip:bob@example.org\n");
	has(t, ">sip.protocol[0]+0: SIP/2.0\n");
	has(t, ">sip.request_line[0]+0: INVITE sip:bob@example.org SIP/2.0\n");
	has(t, ">sip.via[1]+0: SIP/2.0/UDP b\n");
	has(t, ">sip.from[0]+0: <sip:a@x>;tag=1\n");
	has(t, ">sip.to[0]+0: <sip:b@x>\n");
	has(t, ">sip.user_agent[0]+0: phone\n");
	has(t, ">sip.content_type[0]+0: application/sdp\n");
	has(t, ">sip.content_length[0]+0: 52\n");
	has(t, ">sip.body[0]+0: v=0");
	has(t, "\"media_descriptions\":[{\"attributes\":[\"x\"],\"media\":\"audio 1 RTP/AVP 0\"}]");
	has(t, "<sip.stat_code[0]+0: 200\n");
	has(t, "<sip.stat_msg[0]+0: All right\n");
	has(t, "<sip.response_line[0]+0: SIP/2.0 200 All right\n");
	lacks(t, ">sip.stat_code");
	lacks(t, "event");
	lacks(t, "tx 2");
}

static void test_both(void **state)
{
	static const struct said s[] = {SAY(C, INVITE), SAY(S, "\r\n" OK_200)};
	char *t = talk_cuts(APP_SIP, s, 2);
	check(t);
	free(t);
	t = talk_run(APP_SIP, false, s, 2, 0);
	check(t);
	free(t);
}

static void test_broken(void **state)
{
	static const struct said no_end[] = {SAY(C, "REGISTER sip:x SIP/2.0\r\nTo: y\r\n")};
	char *t = talk_run(APP_SIP, false, no_end, 1, 0);
	has(t, "event incomplete_data");
	has(t, ">sip.to[0]+0: y\n");
	free(t);
	static const struct said junk[] = {SAY(C, "REGISTER\r\nno colon\r\n\r\n"), SAY(C, "\0\0"),
					   SAY(C, "\r\n")};
	t = talk_run(APP_SIP, false, junk, 3, 0);
	has(t, "event invalid_data");
	lacks(t, "tx 1");
	free(t);
	static const struct said big[] = {
		SAY(C, "BYE sip:x SIP/2.0\r\nContent-Length: 99999999999999999999\r\n\r\n"),
		SAY(C, "BYE sip:y SIP/2.0\r\nContent-Length: -1\r\n\r\n"),
		SAY(C, "BYE sip:z SIP/2.0\r\nContent-Length: 65536\r\n\r\nxx")};
	t = talk_cuts(APP_SIP, big, 3);
	has(t, "tx 2");
	free(t);
}

static void test_endless(void **state)
{
	static char line[40000];
	memset(line, 'x', sizeof(line));
	memcpy(line, "BYE sip:x SIP/2.0\r\n", 19);
	struct said s = {C, line, sizeof(line)};
	char *t = talk_run(APP_SIP, true, &s, 1, 0), *u = talk_run(APP_SIP, true, &s, 1, 999);
	has(t, "event incomplete_data");
	lacks(t, "tx 1");
	assert_string_equal(t, u);
	free(t);
	free(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_both),
					   cmocka_unit_test(test_broken),
					   cmocka_unit_test(test_endless)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
