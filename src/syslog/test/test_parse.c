/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages as they are seen in the wild, and streams of them in any pieces. */
#include "syslog/syslog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW (INT64_C(1795863600) * NS_PER_SEC) /* 2026-11-28T11:00:00Z */
#define TEN (INT64_C(1795860000) * NS_PER_SEC) /* 10:00:00 */

struct want {
	const char *message;
	unsigned facility, severity;
	int64_t time_ns; /* 0: none */
	const char *host, *app, *pid, *text;
};

static const struct want wants[] = {
	{"<38>Nov 28 10:00:00 web1 sshd[311]: Accepted", 4, 6, TEN, "web1", "sshd", "311",
	 "Accepted"},
	{"<13>Nov 28 10:00:00 web1 hello world", 1, 5, TEN, "web1", "", "", "hello world"},
	{"<13>Nov 28 10:00:00 su: no host", 1, 5, TEN, "", "su", "", "no host"},
	{"<13>nov  8 10:00:00 h a: b", 1, 5, TEN - 20 * 86400 * NS_PER_SEC, "h", "a", "", "b"},
	{"<13>Nov 08 2025 10:00:00.5 h a: b", 1, 5, TEN - 385 * 86400 * NS_PER_SEC + NS_PER_SEC / 2,
	 "h", "a", "", "b"},
	{"<189>*Nov 28 10:00:00.000: %SYS-5-CONFIG_I: x", 23, 5, TEN, "", "%SYS-5-CONFIG_I", "",
	 "x"},
	{"<13>2026-11-28T12:00:00.000000+02:00 h a[1]: b", 1, 5, TEN, "h", "a", "1", "b"},
	{"<13>2026-11-28 10:00:00 h a[1] b", 1, 5, TEN, "h", "a", "1", "b"},
	{"<6>Nov 28 10:00:00 2001:db8::1 kernel: [ 1.5] x", 0, 6, TEN, "2001:db8::1", "kernel", "",
	 "[ 1.5] x"},
	{"<0>kernel panic", 0, 0, 0, "", "", "", "kernel panic"},
	{"<86>su[9]: x\n", 10, 6, 0, "", "su", "9", "x"},
	{"<13>Nov 28 10:00:00 h a:", 1, 5, TEN, "h", "a", "", ""},
	{"<13>Nov 28 25:00:00 h a: b", 1, 5, 0, "", "", "", "Nov 28 25:00:00 h a: b"},
	{"<13>Nov 31", 1, 5, 0, "", "", "", "Nov 31"},
	{"no priority", 1, 5, 0, "", "", "", "no priority"},
	{"<192>too big", 1, 5, 0, "", "", "", "<192>too big"},
	{"<13", 1, 5, 0, "", "", "", "<13"},
	{"<>x", 1, 5, 0, "", "", "", "<>x"},
	{"", 1, 5, 0, "", "", "", ""},
	{"<165>1 2026-11-28T10:00:00Z h app 7 ID47 [a@1 b=\"]\\\"\" c=\"\"][d] \xef\xbb\xbfmsg", 20,
	 5, TEN, "h", "app", "7", "msg"},
	{"<34>1 - - - - - - ", 4, 2, 0, "", "", "", ""},
	{"<34>1 - - - - - -", 4, 2, 0, "", "", "", ""},
	{"<34>1 - h a - - [open x", 4, 2, 0, "h", "a", "", "[open x"},
	{"<34>1 yesterday h a - - x", 4, 2, 0, "", "", "", "1 yesterday h a - - x"},
};

static void forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
		const struct want *w = &wants[i];
		struct syslog_line l;
		size_t len = strlen(w->message);
		char *exact = malloc(len + 1);
		memcpy(exact, w->message, len);
		syslog_parse(exact, len, NOW, &l);
		print_message("%s\n", w->message);
		assert_int_equal(l.facility, w->facility);
		assert_int_equal(l.severity, w->severity);
		assert_int_equal(l.has_time, w->time_ns != 0);
		assert_true(l.time_ns == w->time_ns);
		assert_string_equal(l.host, w->host);
		assert_string_equal(l.app, w->app);
		assert_string_equal(l.pid, w->pid);
		assert_int_equal(l.len, strlen(w->text));
		assert_memory_equal(l.text, w->text, l.len);
		free(exact);
	}
}

/* The year is not said: the one that is nearest. */
static void new_year(void **state)
{
	const int64_t first = INT64_C(1798761600) * NS_PER_SEC; /* 2027-01-01 */
	struct syslog_line l;
	const char old[] = "<13>Dec 31 23:59:59 h a: b", new[] = "<13>Jan  1 00:00:01 h a: b";
	(void)state;
	syslog_parse(old, sizeof(old) - 1, first + 5 * NS_PER_SEC, &l);
	assert_true(l.time_ns == first - NS_PER_SEC);
	syslog_parse(new, sizeof(new) - 1, first - 5 * NS_PER_SEC, &l);
	assert_true(l.time_ns == first + NS_PER_SEC);
	syslog_parse(old, sizeof(old) - 1, INT64_MAX, &l);
	syslog_parse(old, sizeof(old) - 1, INT64_MIN, &l);
}

static void long_ones(void **state)
{
	struct syslog_line l;
	char *big = malloc(100000);
	(void)state;
	memset(big, 'x', 100000);
	syslog_parse(big, 100000, NOW, &l);
	assert_true(l.cut);
	assert_int_equal(l.len, SYSLOG_LINE);
	memcpy(big, "<13>Nov 28 10:00:00 ", 20);
	big[19000] = ':';
	syslog_parse(big, 8000, NOW, &l); /* a word too long for a host or a tag is text */
	assert_false(l.cut);
	assert_string_equal(l.host, "");
	assert_int_equal(l.len, 8000 - 20);
	free(big);
}

/* ---- streams --------------------------------------------------------------------------------- */

struct heard {
	char text[4096];
	struct writer w;
};

static void hear(void *ctx, const char *data, size_t len, bool cut)
{
	struct heard *h = ctx;
	write_escaped(&h->w, data, len < 40 ? len : 40);
	write_str(&h->w, cut ? "~|" : "|");
}

static const struct {
	const char *stream, *want;
} streams[] = {
	/* each as rsyslog 8.2302 takes it */
	{"<13>l1\n<13>l2\n", "<13>l1|<13>l2|"},
	{"10 <13>abcdef9 <13>counA11 <13>last one", "<13>abcdef|<13>counA|<13>last on|e|"},
	{"7 <13>ab\ncd\n", "<13>ab\\x0a|cd|"},
	{"12345678 junk\n<13>next\n", "12345678junk|<13>next|"},
	{"5x text\n<13>n2\n", " text|<13>n2|"},
	{"0 zero\n<13>n3\n", "zero|<13>n3|"},
	{"0<109>x 1\n2 <3", "109>x 1|<3|"},
	{"<13>a\n12", "<13>a|"},
	{"<13>crlf\r\n<13>unterminated", "<13>crlf\\x0d|<13>unterminated|"},
	{"\n\n<13>afterempty\n", "<13>afterempty|"},
	{"3 <13>xx\n", "<13|>xx|"},
	{"300000 foo\n<13>big\n", "300000foo|<13>big|"},
	{"20 <13>short", "<13>short~|"},
};

static void framing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		size_t len = strlen(streams[i].stream);
		for (size_t piece = 1; piece <= len; piece++) {
			struct syslog_framer f = {.len = 0};
			struct heard h;
			h.w = writer_of(h.text, sizeof(h.text));
			for (size_t at = 0; at < len; at += piece)
				syslog_stream(&f, streams[i].stream + at,
					      len - at < piece ? len - at : piece, hear, &h);
			syslog_stream_end(&f, hear, &h);
			assert_string_equal(h.text, streams[i].want);
		}
	}
}

static void zero_bytes(void **state)
{
	struct syslog_framer f = {.len = 0};
	struct heard h;
	(void)state;
	h.w = writer_of(h.text, sizeof(h.text));
	syslog_stream(&f, "<13>nul1\0<13>nul2\n", 18, hear, &h);
	assert_string_equal(h.text, "<13>nul1|<13>nul2|");
}

static void count_messages(void *ctx, const char *data, size_t len, bool cut)
{
	uint64_t *n = ctx;
	(void)data;
	assert_true(len <= SYSLOG_LINE);
	n[0]++;
	n[1] += cut;
}

/* A line of a gigabyte costs no memory, and what comes behind it is found. */
static void giant(void **state)
{
	static char piece[1 << 16];
	struct syslog_framer f = {.len = 0};
	uint64_t n[2] = {0, 0};
	(void)state;
	memset(piece, 'x', sizeof(piece));
	for (unsigned i = 0; i < (1u << 30) / sizeof(piece); i++)
		syslog_stream(&f, piece, sizeof(piece), count_messages, n);
	assert_int_equal(n[0], 0);
	syslog_stream(&f, "\n<13>a\n", 7, count_messages, n);
	assert_int_equal(n[0], 2);
	assert_int_equal(n[1], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),      cmocka_unit_test(new_year),
		cmocka_unit_test(long_ones),  cmocka_unit_test(framing),
		cmocka_unit_test(zero_bytes), cmocka_unit_test(giant),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
