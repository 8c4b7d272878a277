/* SPDX-License-Identifier: BSD-2-Clause */
/* Texts made harmless, sentences, bounds of each form, templates, beats. */
#include "notify/notify_priv.h"
#include "notify/test/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check_foreign(const char *in, const char *want)
{
	char out[1024];
	struct writer w = writer_of(out, sizeof(out));
	put_foreign(&w, in, 256);
	assert_string_equal(out, want);
}

static void test_foreign(void **state)
{
	check_foreign("uname -a", "uname -a");
	check_foreign("http://a.b/c", "hxxp[:]//a[.]b/c");
	check_foreign("(HTTPS://a.b)", "(hxxps[:]//a[.]b)");
	check_foreign("a\x01.com", "a\\x01[.]com");
	check_foreign("a\x7f.com", "a\\x7f[.]com");
	check_foreign("a\xff.com", "a\\xff[.]com");
	check_foreign("xhttp://a", "xhttp[:]//a");
	check_foreign("gopher://a", "gopher[:]//a");
	check_foreign("mail a@b.org MAILTO:x", "mail a[@]b[.]org MAILTO[:]x");
	check_foreign("javascript:alert(1)", "javascript[:]alert(1)");
	check_foreign("10.0.0.1:80 ./x ../y .ssh v1. 8:30",
		      "10[.]0[.]0[.]1:80 ./x ../y .ssh v1. 8:30");
	check_foreign("a\r\nB: c\x1b[2J\x7f", "a\\x0d\\x0aB: c\\x1b[2J\\x7f");
	check_foreign("\xd0\xb0pple.com", "\\u{430}pple[.]com");
	check_foreign("x\xe2\x80\xaegpj\xe2\x80\x8b", "x\\u{202e}gpj\\u{200b}");
	check_foreign("\xf0\x9f\x98\x80", "\\u{1f600}");
	check_foreign("\xff\xc0\xaf", "\\xff\\xc0\\xaf");
	check_foreign("a\\x0a", "a\\\\x0a");
	check_foreign("<!channel> @here", "<[!]channel> [@]here");
	check_foreign("a.\xd1\x80\xd1\x84", "a[.]\\u{440}\\u{444}");
	check_foreign("", "");
}

static void test_foreign_is_bounded(void **state)
{
	/* Not terminated, and cut within a letter. */
	const char in[4] = {'a', '\xe2', '\x80', '.'};
	char out[64];
	struct writer w = writer_of(out, sizeof(out));
	put_foreign(&w, in, 3);
	assert_string_equal(out, "a\\xe2\\x80");
	for (size_t i = 0; i < 0x110000; i += 7) { /* at most four times as long */
		char s[8] = {(char)(0xf0 | i >> 18), (char)(0x80 | (i >> 12 & 63)),
			     (char)(0x80 | (i >> 6 & 63)), (char)(0x80 | (i & 63))};
		w = writer_of(out, sizeof(out));
		put_foreign(&w, s, sizeof(s));
		assert_true(w.len <= 16);
	}
}

static void check_own(const char *in, size_t size, const char *want)
{
	char out[64];
	struct writer w = writer_of(out, size);
	put_own(&w, in, 64);
	assert_string_equal(out, want);
}

static void test_own(void **state)
{
	check_own("Prüfer, bis März", 64, "Prüfer, bis März");
	check_own("a\r\nb\xe2\x80\xae\xff", 64, "a\\x0d\\x0ab\\u{202e}\\xff");
	check_own("üü", 4, "ü"); /* whole letters only */
}

static void letter_of(const char *name, bool brief, size_t kind, struct letter *ret)
{
	static struct sample s;
	static struct conf_alerts c;
	static struct notify_from from;
	from = world_from();
	world_conf(brief, kind, &c);
	for (size_t i = 0; i < world_samples(); i++) {
		world_sample(i, &s);
		if (strcmp(s.name, name) == 0)
			break;
	}
	assert_string_equal(s.name, name);
	letter_build(&from, &c, &s.m, &s.facts, ret);
}

static void test_sentences(void **state)
{
	static const struct {
		const char *name, *lead, *subject;
	} rows[] = {
		{"outbound",
		 "web1 began a conversation with 198.51.100.77, port 80/TCP: the first outbound "
		 "one of incident "
		 "1795878000000000. It was led to the sink.",
		 "[hive] First outbound connection: web1 -> 198.51.100.77 port 80/TCP, redirect"},
		{"login", "203.0.113.5 logged in to web1 as \"root\", port 22/TCP.",
		 "[hive] Login: web1 from 203.0.113.5 as root (414 held back)"},
		{"escape", "Somebody broke, or tried to break, out of the machine of web1.",
		 "[hive] Escape: web1: the QEMU of web1 made a call that it may not (ptrace) and "
		 "was ended"},
		{"silence", "A layer that should tell of web1 says nothing.",
		 "[hive] Silence: web1: the monitor in web1 has said nothing for 15 s"},
		{"limit", "web1 reached the limit of tcp.",
		 "[hive] Limit reached: web1 and 198.51.100.77: tcp"},
		{"rule",
		 "Rule 9000123 matched: SKEP shell in a request's header; between web1 and "
		 "2001:db8:66::5, port 80/TCP.",
		 "[hive] Rule hit (high): web1 and 2001:db8:66::5: SKEP shell in a request's "
		 "header"},
		{"inbound", "2001:db8:66::5, not seen before, connects to web1, port 22/TCP.",
		 "[hive] New source: web1 from 2001:db8:66::5, port 22/TCP"},
		{"health", "The honeynet needs a look: the disk of the captures has 2 % left",
		 "[hive] Health: the honeynet: the disk of the captures has 2 % left"},
		{"incident",
		 "Incident 1795878000000000 is over: 203.0.113.5 and web1, within 30 min 0 s. 2 "
		 "messages were sent, 414 "
		 "events were held back.",
		 "[hive] Incident is over: 1795878000000000, web1 and 203.0.113.5 (414 held back)"},
		{"day",
		 "The day's digest, since 2026-11-28 15:34:05 +0100: 2 messages were sent, 414 "
		 "events were held back.",
		 "[hive] Digest of the day: 2 messages were sent, 414 events were held back"},
		{"test",
		 "This is a test: nothing has happened. Who reads it, is reached by this "
		 "destination.",
		 "[hive] Test: nothing has happened"},
	};
	struct letter *l = malloc(sizeof(*l));
	assert_non_null(l);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		letter_of(rows[i].name, false, DEST_KEEP, l);
		assert_string_equal(l->lead, rows[i].lead);
		assert_string_equal(l->subject, rows[i].subject);
	}
	free(l);
}

static void test_budget_and_held(void **state)
{
	struct letter *l = malloc(sizeof(*l));
	assert_non_null(l);
	letter_of("budget", false, DEST_KEEP, l);
	assert_string_equal(
		l->budget,
		"This is the last message that the budget of the hour allows. More is counted, and "
		"told from 2026-11-28 16:30:00 +0100 on.");
	letter_of("login", false, DEST_KEEP, l);
	assert_string_equal(l->budget, "");
	assert_string_equal(l->held_title, "Held back: 414 events");
	assert_int_equal(l->n_held, 2);
	assert_string_equal(
		l->held[0],
		"411 of login: one of the same had just been sent; first 2026-11-28 15:35:45 "
		"+0100, last 28 min 0 s later");
	assert_string_equal(
		l->held[1],
		"3 of inbound: quiet by rule 1 (unser Prüfer, bis März); first 2026-11-28 "
		"15:49:05 +0100");
	letter_of("outbound", false, DEST_KEEP, l);
	assert_int_equal(l->n_held, 0);
	free(l);
}

static void test_short(void **state)
{
	struct letter *l = malloc(sizeof(*l));
	char line[NOTIFY_SHORT];
	assert_non_null(l);
	letter_of("login", true, DEST_COMMAND, l);
	short_line(l, line);
	assert_string_equal(line, "hive Login: web1 from 203.0.113.5 as root +414 held");
	letter_of("budget", true, DEST_COMMAND, l);
	short_line(l, line);
	assert_string_equal(line, "hive Login: web1 from 203.0.113.5 as admin last for now");
	/* What was held back stands at the end of a line that had to be cut. */
	letter_of("hostile-17", true, DEST_COMMAND, l);
	short_line(l, line);
	assert_true(strlen(line) == 160);
	assert_non_null(strstr(line, "... +414 held"));
	free(l);
}

static void test_all_forms_fit(void **state)
{
	struct notify_from from = world_from();
	static char body[NOTIFY_BODY], line[NOTIFY_SHORT];
	static struct conf_alerts c;
	static struct sample s;
	for (size_t i = 0; i < world_samples(); i++) {
		world_sample(i, &s);
		for (size_t kind = 0; kind < DEST_KINDS; kind++) {
			struct writer w = writer_of(body, sizeof(body));
			world_conf(i % 2 == 0, kind, &c);
			assert_int_equal(notify_body(&from, &c, &s.m, &s.facts, &w), 0);
			assert_true(w.len > 20 && !w.full);
			w = writer_of(
				body,
				100); /* too small a buffer is said, and nothing is written behind it */
			body[100] = '\1';
			int r = notify_body(&from, &c, &s.m, NULL, &w);
			assert_int_equal(r, w.full ? SKEP_ETRUNC : 0);
			assert_int_equal(body[100], '\1');
		}
		struct writer w = writer_of(body, sizeof(body));
		assert_int_equal(notify_text(&from, &c, &s.m, &s.facts, &w), 0);
		notify_short(&from, &c, &s.m, &s.facts, line);
		assert_true(strlen(line) <= 160);
	}
}

static void test_template(void **state)
{
	static const struct {
		const char *text;
		bool fine;
	} rows[] = {
		{"{\"a\":\"{{title}}\",\"n\":{{number}}}", true},
		{"{\"a\":\"x {{source}} y {{guest}}\"}", true},
		{"[\"{{text}}\", {\"{{class}}\": {{weight}}}]", true},
		{"{\"a\":{{title}}}", false},       /* text without quotes */
		{"{\"a\":\"{{nothing}}\"}", false}, /* no such place */
		{"{\"a\":\"{{title}\"}", false},    /* not closed */
		{"{\"a\":\"{{title}}\"", false},    /* no JSON */
		{"{\"a\":\"\\{{title}}\"}",
		 false}, /* a backslash that would take our first letter */
		{"{\"a\":\"\\u00{{port}}\"}", false},        /* half a letter */
		{"{\"a\":{{port}}{{port}}}", false},         /* 00 is no number */
		{"{\"{{class}}\":1,\"{{kind}}\":2}", false}, /* keys that may be the same */
		{"", false},
		{"{\"a\":\"{ {single} {\"}", true},
	};
	char why[512];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		why[0] = '\0';
		int r = notify_template_check(rows[i].text, why, sizeof(why));
		if ((r == 0) != rows[i].fine)
			fail_msg("%s: %d %s", rows[i].text, r, why);
		assert_true(r == 0 || why[0] != '\0');
	}
	assert_true(notify_template_check("{\"a\":\"{{nothing}}\"}", why, sizeof(why)) ==
		    SKEP_EFORMAT);
	assert_non_null(strstr(why, "no place {{nothing}}; there are: text short title"));
}

static void test_beat(void **state)
{
	struct notify_from from = world_from();
	struct notify_beat b;
	struct conf_destination d = {.kind = DEST_SYSLOG};
	char body[2048];
	struct writer w = writer_of(body, sizeof(body));
	world_beat(&b);
	memset(&b.seals[1], 0, sizeof(b.seals[1]));
	assert_int_equal(notify_beat(&from, &d, &b, &w), 0);
	assert_string_equal(
		body, "<134>1 2026-11-28T15:04:05.123456Z hive skep - beat [skep@32473 n=\"12\" "
		      "why=\"beat\" "
		      "since=\"2026-11-28T13:04:05.123456Z\" every=\"60\" waiting=\"1\" "
		      "event=\"1795878245123455\"]"
		      "[seal1@32473 file=\"skep.json\" n=\"3\" bytes=\"1000\" "
		      "sha256=\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]"
		      " beat 12, with seals");
	d.kind = DEST_SMTP;
	assert_int_equal(notify_beat(&from, &d, &b, &w), SKEP_EUNSUPPORTED);
}

static void test_times(void **state)
{
	struct notify_from from = world_from();
	char buf[64];
	struct writer w = writer_of(buf, sizeof(buf));
	put_mail_date(&w, &from, WORLD_NOW_NS);
	assert_string_equal(buf, "Sat, 28 Nov 2026 16:04:05 +0100");
	w = writer_of(buf, sizeof(buf));
	put_stamp(&w, &(struct notify_from){0}, INT64_MAX);
	assert_string_equal(buf, "2262-04-11 23:47:16 +0000");
	w = writer_of(buf, sizeof(buf));
	put_utc(&w, -1);
	assert_string_equal(buf, "1970-01-01T00:00:00.000000Z");
	w = writer_of(buf, sizeof(buf));
	put_age(&w, &from, WORLD_NOW_NS - 36 * 3600 * NS_PER_SEC, WORLD_NOW_NS);
	assert_string_equal(buf, "2026-11-27 (1 day old)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_foreign_is_bounded),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_budget_and_held),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_all_forms_fit),
		cmocka_unit_test(test_template),
		cmocka_unit_test(test_beat),
		cmocka_unit_test(test_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
