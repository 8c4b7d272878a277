/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_reader_is_sticky(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7};
	struct reader r = reader_of(bytes, sizeof(bytes));
	(void)state;
	assert_int_equal(read_u8(&r), 1);
	assert_int_equal(read_be16(&r), 0x0203);
	assert_int_equal(read_be32(&r), 0x04050607);
	assert_false(r.bad);
	assert_int_equal(read_u8(&r), 0);
	assert_true(r.bad);
	assert_null(read_bytes(&r, 0));
	assert_int_equal(reader_left(&r), 0);
}

static void test_reader_refuses_a_huge_length(void **state)
{
	static const uint8_t bytes[] = {1, 2};
	struct reader r = reader_of(bytes, sizeof(bytes));
	(void)state;
	assert_null(read_bytes(&r, SIZE_MAX));
	assert_true(r.bad);
}

static void test_writer_is_bounded(void **state)
{
	char buf[8];
	struct writer w = writer_of(buf, sizeof(buf));
	(void)state;
	write_str(&w, "abc");
	write_fmt(&w, "%d", 12345);
	assert_true(w.full);
	assert_string_equal(buf, "abc1234");
	write_str(&w, "x");
	assert_string_equal(buf, "abc1234");
}

static void test_escape_leaves_only_printable(void **state)
{
	char buf[64];
	struct writer w = writer_of(buf, sizeof(buf));
	(void)state;
	write_escaped(&w, "a\\\x1b[31m\n\xff", 9);
	assert_string_equal(buf, "a\\\\\\x1b[31m\\x0a\\xff");
}

static void test_arena(void **state)
{
	struct arena a;
	(void)state;
	assert_int_equal(arena_create(4096, &a), 0);
	uint8_t *p = arena_alloc(&a, 3, 10), *q = arena_alloc(&a, 1, 64);
	assert_non_null(p);
	assert_int_equal((uintptr_t)q % 64, 0);
	assert_true(q >= p + 30);
	assert_null(arena_alloc(&a, SIZE_MAX, 2));
	assert_null(arena_alloc(&a, 1, 4096));
	assert_non_null(arena_alloc(&a, 1, 1024));
	arena_destroy(&a);
}

static void test_addresses(void **state)
{
	struct addr a, b;
	char text[ADDR_TEXT];
	(void)state;
	assert_int_equal(addr_parse("192.0.2.1", &a), 0);
	assert_string_equal(addr_text(&a, text), "192.0.2.1");
	assert_int_equal(addr_parse("2001:db8::1", &b), 0);
	assert_string_equal(addr_text(&b, text), "2001:db8::1");
	assert_false(addr_eq(&a, &b));
	assert_int_equal(addr_parse("192.0.2.256", &a), SKEP_EFORMAT);
	assert_int_equal(addr_parse("", &a), SKEP_EFORMAT);
	struct addr none = {0};
	assert_string_equal(addr_text(&none, text), "-");
}

static void test_prefixes(void **state)
{
	static const struct {
		const char *text;
		int err;
	} rows[] = {
		{"10.0.0.0/8", 0},
		{"10.0.0.1/8", SKEP_EFORMAT},
		{"10.0.0.0/33", SKEP_ERANGE},
		{"192.0.2.1", 0},
		{"2001:db8::/32", 0},
		{"2001:db8::/129", SKEP_ERANGE},
		{"2001:db8::1/32", SKEP_EFORMAT},
		{"0.0.0.0/0", 0},
		{"10.0.0.0/", SKEP_EFORMAT},
		{"10.0.0.0/8x", SKEP_EFORMAT},
		{"10.0.0.0/-1", SKEP_EFORMAT},
	};
	struct prefix p;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(prefix_parse(rows[i].text, &p), rows[i].err);
	struct addr in, out;
	assert_int_equal(prefix_parse("172.16.0.0/12", &p), 0);
	assert_int_equal(addr_parse("172.31.255.255", &in), 0);
	assert_int_equal(addr_parse("172.32.0.0", &out), 0);
	assert_true(prefix_has(&p, &in));
	assert_false(prefix_has(&p, &out));
	assert_int_equal(prefix_parse("::/0", &p), 0);
	assert_false(prefix_has(&p, &in)); /* versions don't mix */
}

static void test_macs(void **state)
{
	struct mac m;
	char text[MAC_TEXT];
	(void)state;
	assert_int_equal(mac_parse("52:54:00:Ab:cd:ef", &m), 0);
	assert_string_equal(mac_text(&m, text), "52:54:00:ab:cd:ef");
	assert_int_equal(mac_parse("52:54:00:ab:cd:e", &m), SKEP_EFORMAT);
	assert_int_equal(mac_parse("52-54-00-ab-cd-ef", &m), SKEP_EFORMAT);
}

/* Known answers of SipHash-1-3 with key 00..0f (reference implementation, input 00 01 02 ...). */
static void test_hash_is_keyed(void **state)
{
	static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
	static const uint64_t other[2] = {1, 2};
	static const uint8_t input[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
	(void)state;
	assert_true(hash_keyed(key, input, 0) == UINT64_C(0xabac0158050fc4dc));
	assert_true(hash_keyed(key, input, 1) == UINT64_C(0xc9f49bf37d57ca93));
	assert_true(hash_keyed(key, input, 9) != hash_keyed(other, input, 9));
	assert_true(hash_keyed(key, input, 8) != hash_keyed(key, input, 9));
}

static void test_distance(void **state)
{
	(void)state;
	assert_int_equal(text_distance("status", "status"), 0);
	assert_int_equal(text_distance("statsu", "status"), 2);
	assert_int_equal(text_distance("", "abc"), 3);
	assert_int_equal(text_distance("kitten", "sitting"), 3);
}

static void test_sizes_and_durations(void **state)
{
	char buf[64];
	(void)state;
	struct writer w = writer_of(buf, sizeof(buf));
	text_bytes(&w, 1500000);
	assert_string_equal(buf, "1.5 MB");
	w = writer_of(buf, sizeof(buf));
	text_duration(&w, 200 * NS_PER_SEC);
	assert_string_equal(buf, "3 min 20 s");
}

static void test_error_texts(void **state)
{
	(void)state;
	assert_string_equal(err_text(-ENOENT), "No such file or directory");
	assert_string_equal(err_text(SKEP_EFULL), "table is full");
	assert_string_equal(err_text(-1999), "unknown error");
	assert_string_equal(err_text(5), "unknown error");
}

static void test_utf8(void **state)
{
	static const struct {
		const char *s;
		size_t left, len;
		bool more;
	} rows[] = {
		{"", 0, 0, true},
		{"a", 1, 1, false},
		{"\xc3\xa4x", 3, 2, false},
		{"\xc3", 1, 0, true},
		{"\xe2\x82", 2, 0, true},
		{"\xe2\x82\xac", 3, 3, false},
		{"\xf0\x9f\x90", 3, 0, true},
		{"\xf0\x9f\x90\x9d", 4, 4, false},
		{"\xc0\x80", 2, 0, false},
		{"\xe0\x80", 2, 0, false},
		{"\xed\xa0", 2, 0, false},
		{"\xf4\x90", 2, 0, false},
		{"\xf5", 1, 0, false},
		{"\x80", 1, 0, false},
		{"\xe2(", 2, 0, false},
		{"\xff", 1, 0, false},
		{"\0", 1, 1, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool more = !rows[i].more;
		assert_int_equal(text_utf8(rows[i].s, rows[i].left, &more), rows[i].len);
		assert_int_equal(more, rows[i].more);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_reader_is_sticky),
		cmocka_unit_test(test_reader_refuses_a_huge_length),
		cmocka_unit_test(test_writer_is_bounded),
		cmocka_unit_test(test_escape_leaves_only_printable),
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_hash_is_keyed),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_sizes_and_durations),
		cmocka_unit_test(test_error_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
