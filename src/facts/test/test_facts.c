/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses and greetings in, facts out; and what is bad in the data is said and left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "facts/facts_priv.h"
#include "places.h"

static struct addr addr(const char *s)
{
	struct addr a;

	assert_int_equal(addr_parse(s, &a), 0);
	return a;
}

static int file_of(const char *text, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	return fd;
}

static struct facts *open_with(int location, int names, int signs, char why[256])
{
	struct facts *f = NULL;

	assert_int_equal(facts_open(location, names, signs, why, 256, &f), 0);
	if (location >= 0)
		close(location);
	if (names >= 0)
		close(names);
	if (signs >= 0)
		close(signs);
	return f;
}

static struct facts_of of(struct facts *f, const char *a, const struct event_syn *syn)
{
	struct addr at = addr(a);
	struct facts_of ret;

	facts_of(f, &at, syn, &ret);
	return ret;
}

/* ---- places ------------------------------------------------------------------------------------------- */

static void expect_places(int fd, bool mmdb)
{
	char why[256];
	struct facts *f = open_with(fd, -1, -1, why);
	struct facts_of o = of(f, "1.2.3.99", NULL);

	assert_string_equal(why, "");
	assert_string_equal(o.country, "NZ");
	assert_int_equal(o.as, 64500);
	assert_string_equal(o.as_name, "Example Net");
	assert_true(o.anonymous);
	assert_false(o.hosting);
	if (mmdb)
		assert_int_equal(o.place_ns, INT64_C(1700000000) * NS_PER_SEC);
	else
		assert_in_range(clock_wall_ns() - o.place_ns, 0, 3600 * NS_PER_SEC);
	o = of(f, "2001:db8:5::77", NULL);
	assert_string_equal(o.country, "PE");
	assert_int_equal(o.as, 64501);
	assert_string_equal(o.as_name, "Andes");
	assert_false(o.anonymous);
	assert_int_equal(o.hosting, mmdb);
	o = of(f, "1.2.4.1", NULL);
	assert_string_equal(o.country, "");
	assert_int_equal(o.as, 0);
	assert_string_equal(o.as_name, "");
	assert_true(o.place_ns != 0); /* it was looked for */
	o = of(f, "2001:db8:6::1", NULL);
	assert_string_equal(o.country, "");
	facts_close(&f);
	assert_null(f);
}

static void test_mmdb(void **state)
{
	expect_places(places_mmdb(), true);
}

static void test_libloc(void **state)
{
	expect_places(places_libloc(), false);
}

static void test_no_database(void **state)
{
	static const char *const bad[] = {"", "nonsense", "LOCDBXX\1", "LOCDBXX"};
	char why[256];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct facts *f = open_with(file_of(bad[i], strlen(bad[i])), -1, -1, why);
		struct facts_of o = of(f, "1.2.3.4", NULL);

		assert_memory_equal(why, "location: ", 10);
		assert_int_equal(o.place_ns, 0);
		facts_close(&f);
	}
}

static void test_a_part_of_a_database(void **state)
{
	char why[256];
	int fd = places_libloc();

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, lseek(fd, 0, SEEK_END) - 1), 0);
	struct facts *f = open_with(fd, -1, -1, why);

	assert_string_equal(why, "location: a damaged libloc database");
	facts_close(&f);
}

static void test_a_date_that_is_none(void **state)
{
	static const struct {
		uint8_t at[8];
		int64_t made_ns;
	} rows[] = {
		{{0x7f, 255, 255, 255, 255, 255, 255, 255}, INT64_MAX / NS_PER_SEC * NS_PER_SEC},
		{{0x80}, NS_PER_SEC},
		{{0}, NS_PER_SEC}};
	char why[256];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int fd = places_libloc();

		assert_int_equal(pwrite(fd, rows[i].at, 8, 8), 8);
		struct facts *f = open_with(fd, -1, -1, why);
		struct facts_of o = of(f, "1.2.3.99", NULL);

		assert_string_equal(o.country, "NZ");
		assert_true(o.place_ns == rows[i].made_ns);
		facts_close(&f);
	}
}

/* ---- names -------------------------------------------------------------------------------------------- */

static void test_names(void **state)
{
	static const char text[] = "# ours\n"
				   "192.0.2.7\tscanner.example other\n"
				   "  2001:DB8::7  b\xc3\xbcro # comment\r\n"
				   "192.0.2.7 second\n"
				   "\n"
				   "fe80::1%lo0 localhost\n"
				   "192.0.2.300 wrong\n"
				   "192.0.2.9\n"
				   "192.0.2.10 a\x1b[31m\n"
				   "192.0.2.11 last";
	char why[256];
	struct facts *f = open_with(-1, file_of(text, sizeof(text) - 1), -1, why);

	assert_string_equal(why, "names: 4 lines left out, the first is line 6");
	assert_string_equal(of(f, "192.0.2.7", NULL).name, "scanner.example");
	assert_string_equal(of(f, "2001:db8::7", NULL).name, "b\xc3\xbcro");
	assert_string_equal(of(f, "192.0.2.9", NULL).name, "");
	assert_string_equal(of(f, "192.0.2.10", NULL).name, "");
	assert_string_equal(of(f, "192.0.2.11", NULL).name, "last");
	assert_string_equal(of(f, "192.0.2.12", NULL).name, "");
	facts_close(&f);
}

static void test_many_names(void **state)
{
	static char text[NAMES_MOST * 32];
	struct writer w = writer_of(text, sizeof(text));
	char why[256];

	for (unsigned i = 0; i < NAMES_MOST + 1; i++)
		write_fmt(&w, "10.%u.%u.%u h%u\n", i >> 16, i >> 8 & 255, i & 255, i);
	assert_false(w.full);
	struct facts *f = open_with(-1, file_of(text, w.len), -1, why);

	assert_string_equal(why, "names: more than 10000, the rest is left out");
	assert_string_equal(of(f, "10.0.0.0", NULL).name, "h0");
	assert_string_equal(of(f, "10.0.39.15", NULL).name, "h9999");
	assert_string_equal(of(f, "10.0.39.16", NULL).name, "");
	facts_close(&f);
}

/* ---- greetings ---------------------------------------------------------------------------------------- */

#define LAYOUT(...) (sizeof((uint8_t[]){__VA_ARGS__})), .options = {__VA_ARGS__}
#define LINUX_SYN                                                                                \
	{                                                                                        \
		.ttl = 53, .df = 1, .wscale = 7, .window = 64240, .mss = 1460, .quirks = SYN_ID, \
		.n_options = LAYOUT(2, 4, 8, 1, 3)                                               \
	}

static const char p0f[] = "classes = win,unix,other\n"
			  "[mtu]\nlabel = Ethernet\nsig = 1500\n"
			  "[tcp:request]\n"
			  "; a comment\n"
			  "label = s:unix:Linux:3.11 and newer\n"
			  "sig   = *:64:0:*:mss*20,7:mss,sok,ts,nop,ws:df,id+:0\n"
			  "label = g:unix:Linux:2.2.x-3.x\n"
			  "sig   = *:64:0:*:*,*:mss,sok,ts,nop,ws:df,id+:0\n"
			  "label = s:!:NMap:SYN scan\n"
			  "sys   = @unix,@win\n"
			  "sig   = *:64-:0:1460:1024,0:mss::0\n"
			  "label = s:unix:Odd:\n"
			  "sig   = 4:128:0:1460:mtu*2,0:mss,nop,ws::0\n"
			  "sig   = 4:54+10:0:*:%512,0:mss,?77,eol+2:id-,bad:+\n"
			  "[tcp:response]\nlabel = s:unix:Linux:3.x\nsig = nonsense\n";

static const struct {
	const char *what, *os;
	struct event_syn syn;
	uint8_t hops;
	bool own; /* by a built-in signature */
	bool v6;
} greetings[] = {
	{"young Linux", "Linux 4.20 and newer", LINUX_SYN, 11, true, false},
	{"the same by IPv6",
	 "Linux 4.20 and newer",
	 {.ttl = 64,
	  .wscale = 10,
	  .window = 64800,
	  .mss = 1440,
	  .quirks = SYN_FLOW,
	  .n_options = LAYOUT(2, 4, 8, 1, 3)},
	 0,
	 true,
	 true},
	{"older Linux",
	 "Linux 3.11 and newer",
	 {.ttl = 60,
	  .df = 1,
	  .wscale = 7,
	  .window = 29200,
	  .mss = 1460,
	  .quirks = SYN_ID,
	  .n_options = LAYOUT(2, 4, 8, 1, 3)},
	 4,
	 false,
	 false},
	{"a window of that MSS less timestamps",
	 "Linux 3.11 and newer",
	 {.ttl = 60,
	  .df = 1,
	  .wscale = 7,
	  .window = 20 * (1400 - 12),
	  .mss = 1400,
	  .quirks = SYN_ID,
	  .n_options = LAYOUT(2, 4, 8, 1, 3)},
	 4,
	 false,
	 false},
	{"some Linux",
	 "Linux, like 2.2.x-3.x",
	 {.ttl = 60,
	  .df = 1,
	  .wscale = 2,
	  .window = 1234,
	  .mss = 1460,
	  .quirks = SYN_ID,
	  .n_options = LAYOUT(2, 4, 8, 1, 3)},
	 4,
	 false,
	 false},
	{"one whose DF was taken away",
	 "perhaps Linux 3.11 and newer",
	 {.ttl = 60, .wscale = 7, .window = 29200, .mss = 1460, .n_options = LAYOUT(2, 4, 8, 1, 3)},
	 4,
	 false,
	 false},
	{"one with another first hop limit",
	 "perhaps Linux 3.11 and newer",
	 {.ttl = 255,
	  .df = 1,
	  .wscale = 7,
	  .window = 29200,
	  .mss = 1460,
	  .quirks = SYN_ID,
	  .n_options = LAYOUT(2, 4, 8, 1, 3)},
	 0,
	 false,
	 false},
	{"Windows",
	 "Windows 10 and newer",
	 {.ttl = 113,
	  .df = 1,
	  .wscale = 8,
	  .window = 64240,
	  .mss = 1460,
	  .quirks = SYN_ID,
	  .n_options = LAYOUT(2, 1, 3, 1, 1, 4)},
	 15,
	 true,
	 false},
	{"nmap",
	 "NMap SYN scan",
	 {.ttl = 44, .wscale = 255, .window = 1024, .mss = 1460, .n_options = LAYOUT(2)},
	 FACTS_HOPS_UNKNOWN,
	 false,
	 false},
	{"masscan",
	 "masscan",
	 {.ttl = 243, .wscale = 255, .window = 1024, .n_options = 0},
	 12,
	 true,
	 false},
	{"a worm",
	 "scanner or worm (no options)",
	 {.ttl = 50, .wscale = 255, .window = 40120, .n_options = 0},
	 FACTS_HOPS_UNKNOWN,
	 true,
	 false},
	{"a window of the MTU",
	 "Odd",
	 {.ttl = 120, .wscale = 0, .window = 3000, .mss = 1460, .n_options = LAYOUT(2, 1, 3)},
	 8,
	 false,
	 false},
	{"odd options, and data",
	 "Odd",
	 {.ttl = 64,
	  .wscale = 255,
	  .window = 5120,
	  .mss = 1000,
	  .quirks = SYN_ID | SYN_BAD | SYN_DATA,
	  .n_options = LAYOUT(2, 77, 0, 2)},
	 0,
	 false,
	 false},
	{"the same without data",
	 "",
	 {.ttl = 64,
	  .wscale = 255,
	  .window = 5120,
	  .mss = 1000,
	  .quirks = SYN_ID | SYN_BAD,
	  .n_options = LAYOUT(2, 77, 0, 2)},
	 0,
	 false,
	 false},
	{"other padding",
	 "",
	 {.ttl = 64,
	  .wscale = 255,
	  .window = 5120,
	  .mss = 1000,
	  .quirks = SYN_ID | SYN_BAD | SYN_DATA,
	  .n_options = LAYOUT(2, 77, 0, 3)},
	 0,
	 false,
	 false},
	{"IP options",
	 "",
	 {.ttl = 53,
	  .df = 1,
	  .wscale = 7,
	  .window = 64240,
	  .mss = 1460,
	  .quirks = SYN_ID | SYN_IP_OPTIONS,
	  .n_options = LAYOUT(2, 4, 8, 1, 3)},
	 11,
	 false,
	 false},
	{"nothing known", "", {.ttl = 0}, FACTS_HOPS_UNKNOWN, false, false},
};

static void test_greetings(void **state)
{
	char why[256];
	struct facts *f = open_with(-1, -1, file_of(p0f, sizeof(p0f) - 1), why);

	assert_string_equal(why, "");
	for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
		struct facts_of o =
			of(f, greetings[i].v6 ? "2001:db8::1" : "192.0.2.1", &greetings[i].syn);

		if (strcmp(o.os, greetings[i].os) != 0 || o.hops != greetings[i].hops)
			fail_msg("%s: '%s', %u hops", greetings[i].what, o.os, o.hops);
		/* The file was made just now, the built-in ones before. */
		assert_true(o.os_ns != 0);
		if (o.os[0] != '\0')
			assert_int_equal(clock_wall_ns() - o.os_ns > 60 * NS_PER_SEC ||
						 o.os_ns == INT64_C(1795824000) * NS_PER_SEC,
					 greetings[i].own);
	}
	facts_close(&f);
}

static void test_own_signatures_alone(void **state)
{
	static const struct event_syn syn = LINUX_SYN;
	char why[256];
	struct facts *f = open_with(-1, -1, -1, why);

	assert_string_equal(why, "");
	assert_string_equal(of(f, "192.0.2.1", &syn).os, "Linux 4.20 and newer");
	facts_close(&f);
}

static void test_bad_signatures(void **state)
{
	static const char *const bad[] = {
		"*:64:0:*:mss*20,7:mss:df",
		"*:64:0:*:mss*20,7:mss:df:0:0",
		"5:64:0:*:mss*20,7:mss:df:0",
		"*:0:0:*:mss*20,7:mss:df:0",
		"*:300:0:*:mss*20,7:mss:df:0",
		"*:250+9:0:*:mss*20,7:mss:df:0",
		"*:64:x:*:mss*20,7:mss:df:0",
		"*:64:0:65536:mss*20,7:mss:df:0",
		"*:64:0:*:mss*0,7:mss:df:0",
		"*:64:0:*:%0,7:mss:df:0",
		"*:64:0:*:mss,7:mss:df:0",
		"*:64:0:*:65536,7:mss:df:0",
		"*:64:0:*:1,:mss:df:0",
		"*:64:0:*:1,7:mess:df:0",
		"*:64:0:*:1,7:eol+1,mss:df:0",
		"*:64:0:*:1,7:?300:df:0",
		"*:64:0:*:1,7:mss:dx:0",
		"*:64:0:*:1,7:mss:df:1",
		NULL, /* too many options: below */
		"",
	};
	static const char many[] = "*:64:0:*:1,7:nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,"
				   "nop,nop,nop,nop,nop,nop:df:0";
	char text[512], why[256];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int len = snprintf(text, sizeof(text),
				   "[tcp:request]\nlabel = s:unix:A:B\nsig = %s\n",
				   bad[i] != NULL ? bad[i] : many);
		struct facts *f = open_with(-1, -1, file_of(text, (size_t)len), why);

		if (strcmp(why, "signatures: 1 lines left out, the first is line 3") != 0)
			fail_msg("'%s' is taken: %s", bad[i], why);
		facts_close(&f);
	}
	static const char lost[] =
		"[tcp:request]\nsig = *:64:0:*:1,7:mss:df:0\nlabel = x:unix:A:B\n"
		"sig = *:64:0:*:1,7:mss:df:0\nwhat = this\n";
	struct facts *f = open_with(-1, -1, file_of(lost, sizeof(lost) - 1), why);

	assert_string_equal(why, "signatures: 4 lines left out, the first is line 2");
	facts_close(&f);
	f = open_with(-1, file_of("x y", 3), file_of("[http:request]", 14), why);
	assert_string_equal(why, "names: 1 lines left out, the first is line 1; signatures: no "
				 "section [tcp:request]");
	facts_close(&f);
}

static void test_find(void **state)
{
	int fds[3];

	facts_find("", "", fds);
	assert_int_equal(fds[0], -1);
	assert_int_equal(fds[1], -1);
	fd_close(&fds[2]);
	facts_find("/nowhere/at.all", "/dev/null", fds);
	assert_int_equal(fds[0], -1);
	assert_true(fds[1] >= 0);
	char why[256]; /* no plain file */
	struct facts *f = open_with(-1, fds[1], fds[2], why);

	assert_memory_equal(why, "names: ", 7);
	facts_close(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mmdb),
		cmocka_unit_test(test_libloc),
		cmocka_unit_test(test_no_database),
		cmocka_unit_test(test_a_part_of_a_database),
		cmocka_unit_test(test_a_date_that_is_none),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_greetings),
		cmocka_unit_test(test_own_signatures_alone),
		cmocka_unit_test(test_bad_signatures),
		cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
