/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's copy against the loghost's files: what somebody did to them is named, and nothing else. */
#include "syslog/compare.h"
#include "syslog/syslog_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW (INT64_C(1795863600) * NS_PER_SEC) /* 2026-11-28T11:00:00Z */
#define SKEW (3 * NS_PER_SEC)                  /* the loghost's clock is that much ahead */

struct side {
	struct syslog_compare *c;
	char text[4096];
	struct writer w;
	struct syslog_compare_result r;
};

static struct side *side_new(void)
{
	struct side *s = calloc(1, sizeof(*s));
	assert_int_equal(syslog_compare_create(64 << 20, &s->c), 0);
	s->w = writer_of(s->text, sizeof(s->text));
	return s;
}

static void host(struct side *s, int64_t second, const char *text)
{
	const struct syslog_kept k = {.guest = "web1",
				      .time_ns = NOW + second * NS_PER_SEC,
				      .raw = text,
				      .len = (uint32_t)strlen(text)};
	assert_int_equal(syslog_compare_host(s->c, &k), 0);
}

static void loghost(struct side *s, int64_t second, const char *text)
{
	char line[1024], when[STORE_TIME];
	store_time_text(NOW + second * NS_PER_SEC + SKEW, when);
	int n = snprintf(line, sizeof(line), "%.26s+00:00 10.99.0.10 %s", when, text);
	assert_int_equal(syslog_compare_loghost(s->c, line, (size_t)n), 0);
}

static void both(struct side *s, int64_t second, const char *text)
{
	host(s, second, text);
	loghost(s, second, text);
}

static void tell(void *ctx, const struct syslog_difference *d)
{
	static const char *const names[] = {"host", "loghost", "altered", "moved"};
	struct side *s = ctx;
	write_fmt(&s->w, "%s:%.*s:%.*s|", names[d->kind], (int)d->host_len,
		  d->host != NULL ? d->host : "", (int)d->loghost_len,
		  d->loghost != NULL ? d->loghost : "");
}

static void run(struct side *s, const char *want, uint64_t same)
{
	int err = syslog_compare_run(s->c, NOW - 3600 * NS_PER_SEC, NOW + 3600 * NS_PER_SEC,
				     NOW + 1000 * NS_PER_SEC, tell, s, &s->r);
	assert_int_equal(err, 0);
	assert_string_equal(s->text, want);
	assert_int_equal(s->r.same, same);
	syslog_compare_free(&s->c);
}

static void some(struct side *s)
{
	char text[64];
	for (int i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "<13>Nov 28 11:00:%02d web1 a[%d]: line", i, i);
		both(s, i, text);
	}
}

static void all_same(void **state)
{
	(void)state;
	struct side *s = side_new();
	some(s);
	both(s, 5, "<13>again");
	both(s, 6, "<13>again");
	loghost(s, 6, "");
	run(s, "", 22);
	assert_true(s->r.clock_ns == SKEW);
	free(s);
}

static void what_somebody_did(void **state)
{
	(void)state;
	struct side *s = side_new();
	some(s);
	host(s, 30, "<86>sh[9]: pid=9 seq=1 cwd=/root line=wget evil");
	loghost(s, 30, "<86>sh[9]: pid=9 seq=1 cwd=/root line=ls -l");
	host(s, 40, "<86>removed");
	loghost(s, 50, "<13>put in, much later and of another kind altogether");
	host(s, 60, "<13>moved");
	loghost(s, 600, "<13>moved");
	host(s, 70, "<13>one of two");
	both(s, 71, "<13>one of two");
	run(s,
	    "altered:<86>sh[9]: pid=9 seq=1 cwd=/root line=wget evil:"
	    "<86>sh[9]: pid=9 seq=1 cwd=/root line=ls -l|host:<86>removed:|"
	    "loghost::<13>put in, much later and of another kind altogether|"
	    "moved:<13>moved:<13>moved|host:<13>one of two:|",
	    21);
	free(s);
}

static void edges(void **state)
{
	const struct syslog_kept lost = {.lost = 12},
				 half = {.raw = "<13>ha", .len = 6, .cut = true};
	(void)state;
	struct side *s = side_new();
	some(s);
	host(s, 1001, "<13>not there yet");
	host(s, -4000, "<13>the day before");
	assert_int_equal(syslog_compare_host(s->c, &lost), 0);
	assert_int_equal(syslog_compare_host(s->c, &half), 0);
	static const char old[] = "1900-01-01T00:00:00.000000+00:00 10.99.0.10 <13>x";
	assert_int_equal(syslog_compare_loghost(s->c, "rubbish", 7), 0);
	assert_int_equal(syslog_compare_loghost(s->c, old, sizeof(old) - 1), 0);
	run(s, "", 20);
	assert_int_equal(s->r.in_flight, 1);
	assert_int_equal(s->r.lost, 12);
	assert_int_equal(s->r.bad, 2);
	free(s);
}

static void as_rsyslog(void **state)
{
	static const struct {
		const char *raw, *want;
		size_t len;
	} all[] = {
		/* from rsyslog 8.2302 itself */
		{"<13>tab\there", "<13>tab#011here", 12},
		{"<13>nul\0mid", "<13>nul#000mid", 11},
		{"<13>end\0", "<13>end", 8},
		{"<13>endcrlf\r\n", "<13>endcrlf#015", 13},
		{"<13>two\n\n", "<13>two#012", 9},
		{"<13>\x80\xff \x7f", "<13>#200#377 \x7f", 8},
		{"<13>endlfnul\n\0", "<13>endlfnul", 14},
		{"<13>endnullf\0\n", "<13>endnullf#000", 14},
		{"", "", 0},
		{"#011 \\", "#011 \\", 6},
	};
	char buf[64];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		size_t n = syslog_as_rsyslog(all[i].raw, all[i].len, buf, sizeof(buf));
		assert_string_equal(buf, all[i].want);
		assert_int_equal(n, strlen(all[i].want));
	}
	assert_int_equal(syslog_as_rsyslog("\x01\x02", 2, buf, 6), 5);
}

static void bounded(void **state)
{
	struct syslog_compare *c = NULL;
	char text[1000];
	struct syslog_kept k = {.raw = text, .len = sizeof(text)};
	int err = 0;
	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(syslog_compare_create(1 << 20, &c), 0);
	for (unsigned i = 0; i < 5000 && err == 0; i++)
		err = syslog_compare_host(c, &k);
	assert_int_equal(err, SKEP_EFULL);
	syslog_compare_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_same), cmocka_unit_test(what_somebody_did),
		cmocka_unit_test(edges),    cmocka_unit_test(as_rsyslog),
		cmocka_unit_test(bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
