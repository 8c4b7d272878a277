/* SPDX-License-Identifier: BSD-2-Clause */
/* POP3 and IMAP change to TLS when the client asks and the server grants it, and only then. */
#include "talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define C TO_SERVER
#define S TO_CLIENT

struct turn {
	unsigned dir;
	const char *text;
};

/* What is known after these turns: the protocol now, and the one before a change. */
static void plays(const struct turn *turns, size_t n, enum app_proto now, enum app_proto before)
{
	for (uint32_t cut = 0; cut < 7; cut++) {
		struct talk t;
		talk_open(&t, APP_UNKNOWN, true);
		for (size_t i = 0; i < n; i++)
			talk_say(&t, turns[i].dir, turns[i].text, (uint32_t)strlen(turns[i].text),
				 cut);
		if (t.app->proto != now || t.app->before != before)
			fail_msg("cut %u: is %s, was %s", cut, app_proto_text(t.app->proto),
				 app_proto_text(t.app->before));
		assert_true((t.app->events[0] | t.app->events[1]) == 0);
		talk_end(&t);
		talk_close(&t);
	}
}
#define PLAYS(now, before, ...)                   \
	plays((const struct turn[]){__VA_ARGS__}, \
	      sizeof((const struct turn[]){__VA_ARGS__}) / sizeof(struct turn), now, before)

static void test_pop3(void **state)
{
	(void)state;
	PLAYS(APP_UNKNOWN, APP_POP3, {S, "+OK ready\r\n"}, {C, "CAPA\r\n"},
	      {S, "+OK\r\nSTLS\r\n.\r\n"}, {C, "STLS\r\n"}, {S, "+OK go\r\n"});
	PLAYS(APP_POP3, APP_UNKNOWN, {S, "+OK ready\r\n"}, {C, "STLS\r\n"}, {S, "-ERR no\r\n"},
	      {C, "QUIT\r\n"}, {S, "+OK bye\r\n"});
	PLAYS(APP_POP3, APP_UNKNOWN, {S, "+OK ready\r\n"}, {C, "STLS now\r\n"}, {S, "+OK\r\n"});
	PLAYS(APP_UNKNOWN, APP_POP3, {S, "+OK ready\r\n"}, {C, "stls\n"}, {S, "+OK\n"});
}

static void test_imap(void **state)
{
	(void)state;
	PLAYS(APP_UNKNOWN, APP_IMAP, {S, "* OK ready\r\n"}, {C, "a STARTTLS\r\n"},
	      {S, "* BYE not yet\r\na OK go\r\n"});
	PLAYS(APP_IMAP, APP_UNKNOWN, {S, "* OK ready\r\n"}, {C, "a STARTTLS\r\n"},
	      {S, "b OK\r\na BAD\r\na OK\r\n"});
	PLAYS(APP_IMAP, APP_UNKNOWN, {S, "* OK ready\r\n"}, {C, " STARTTLS\r\n"}, {S, " OK\r\n"});
	PLAYS(APP_IMAP, APP_UNKNOWN, {S, "* OK ready\r\n"},
	      {C, "123456789012345678901234567890123 STARTTLS\r\n"},
	      {S, "123456789012345678901234567890123 OK\r\n"});
}

/* Who has not asked by then never will: the flow costs nothing more. */
static void test_gives_up(void **state)
{
	(void)state;
	struct talk t;
	talk_open(&t, APP_POP3, true);
	for (unsigned i = 0; i < 32; i++)
		talk_say(&t, C, "NOOP\r\n", 6, 0);
	assert_false(t.app->wants_none);
	talk_say(&t, C, "NOOP\r\n", 6, 0);
	assert_true(t.app->wants_none);
	talk_close(&t);
}

static void test_gap(void **state)
{
	(void)state;
	struct talk t;
	talk_open(&t, APP_IMAP, true);
	talk_gap(&t, C, 100);
	talk_say(&t, C, "a STARTTLS\r\nb STARTTLS\r\n", 24, 0);
	talk_gap(&t, S, 100);
	talk_say(&t, S, "b OK\r\nb OK\r\n", 12, 0);
	assert_int_equal(t.app->before, APP_IMAP);
	talk_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pop3),
		cmocka_unit_test(test_imap),
		cmocka_unit_test(test_gives_up),
		cmocka_unit_test(test_gap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
