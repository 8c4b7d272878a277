/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/visit/safe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct out {
	char text[8192];
	size_t len;
};

static void take(void *ctx, const void *data, size_t len)
{
	struct out *o = ctx;
	assert_true(o->len + len < sizeof(o->text));
	memcpy(o->text + o->len, data, len);
	o->len += len;
}

/* In pieces of every size the same comes out. */
static void becomes(const char *in, size_t len, const char *wanted)
{
	for (size_t piece = 1; piece <= len + 1; piece++) {
		struct safe s = {0};
		struct out o = {.len = 0};
		for (size_t at = 0; at < len; at += piece)
			safe_feed(&s, in + at, len - at < piece ? len - at : piece, take, &o);
		o.text[o.len] = '\0';
		assert_string_equal(o.text, wanted);
	}
}

static void what_draws_stays(void **state)
{
	static const char *const all[] = {
		"plain\r\n\ttext\b\a",
		"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x9d",
		"\033[1;31mred\033[0m",
		"\033[38;2;1;2;3m\033[4:3m",
		"\033[2J\033[H\033[10;20H\033[K\033[1K",
		"\033[?1049h\033[?25l\033[?7h\033[?1h\033=",
		"\033[5;20r\033[S\033[2T\033[L\033[M\033[P\033[@\033[X",
		"\0337\0338\033D\033E\033M\033H\033[3g",
		"\033(0lqk\033(B\016\017",
		"\033[4h\033[4l\033[20h\033[s\033[u",
		"\033[3b\033[2d\033[4G\033[2a\033[2e\033[5`\033[I\033[Z",
		"\033[2 q\033[!p\033#8\033c",
		"\033[?6h\033[?69h\033[2;5s",
		"\033[1;1;2;2$z",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		becomes(all[i], strlen(all[i]), all[i]);
}

static void what_asks_or_reaches_out_is_left_out(void **state)
{
	static const char *const all[] = {
		"\033]52;c;cm0gLXJmIH4K\a",        /* clipboard */
		"\033]0;title\a\033]2;t\033\\",    /* title */
		"\033]8;;http://evil/\033\\",      /* link */
		"\033]4;1;?\a\033]10;?\a",         /* colours asked for */
		"\033]1337;File=:AAAA\a",          /* files onto the operator's disk */
		"\033[c\033[0c\033[>c\033[=c",     /* who are you */
		"\033[5n\033[6n\033[?6n\033[?15n", /* where are you */
		"\033[>q\033[18t\033[21t\033[14t\033[3;0;0t",
		"\033[5i\033[4i\033[?5i",          /* print */
		"\033P$qm\033\\\033P+q544e\033\\", /* settings asked for */
		"\033[?1000h\033[?1006h\033[?1004h\033[?2004h\033[?9h\033[?3h",
		"\033[?25$p\033[4$p\033[1;1;1;1;1;1*y\033[x",
		"\033_apc\033\\\033^pm\033\\\033Xsos\033\\\033Ptmux;\033\033\\",
		"\033Z\033%@\033%G\033 G\033 F\033l\033m",
		"\033[>4;2m\033[>1u\033[<u\033[?u",
		"\033[1;2;3;4;5T",
		"\033[2h\033[12l\033[h\033[4;2h", /* locks the keyboard, echoes */
		"\005\x11\x13\x7f",
		"\xc2\x9b"
		"6n", /* the same in eight bits */
		"\xc2\x9d"
		"52;c;eA==\xc2\x9c",
		"\xc2\x90$qm\033\\",
		"\033[999999999b\033[99999S", /* work without end */
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		becomes(all[i], strlen(all[i]), "");
	becomes("\033[3J", 4, "");
	becomes("\033ktitle\033\\", 9, "");
	becomes("\033Pdcs\a\033\\", 8, "");
	becomes("\0\0", 2, "");
}

static void mixed(void **state)
{
	char big[4096] = "\033[";
	(void)state;
	becomes("a\033[?25;1000;1006;7lb", 20, "a\033[?25;7lb");
	becomes("a\033]0;x\ab\033[6nc", 14, "abc");
	becomes("a\033[3\n1mb", 9, "a\n\033[31mb");
	becomes("a\033[31\030mb", 9, "amb"); /* broken off */
	becomes("a\033[31\033[1mb", 11, "a\033[1mb");
	static const char broken[] = {'a', (char)0xff, 'b', (char)0xe2, (char)0x82, 'c', 0};
	becomes(broken, 6, "a\357\277\275b\357\277\275c");
	becomes("\xc2\x85x", 3, "\033Ex");
	becomes("x\033]never ended", 14, "x");
	memset(big + 2, '1', 600);
	big[602] = 'm';
	big[603] = 'x';
	becomes(big, 604, "x");
}

static void words_alone(void **state)
{
	static const char in[] = "\033[1mroot\033[0m@h\r\n\033]0;t\a$ \x07ls\r\n";
	struct safe s = {.text_only = true};
	struct out o = {.len = 0};
	(void)state;
	safe_feed(&s, in, sizeof(in) - 1, take, &o);
	o.text[o.len] = '\0';
	assert_string_equal(o.text, "root@h\n$ ls\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_draws_stays),
		cmocka_unit_test(what_asks_or_reaches_out_is_left_out),
		cmocka_unit_test(mixed),
		cmocka_unit_test(words_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
