/* SPDX-License-Identifier: BSD-2-Clause */
/* Captures of other programs: every form of header, and every way of ending too early. */
#include "capture/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define BIG 300000u

struct image {
	uint8_t b[2 * BIG];
	size_t len;
	bool swap;
};

static void put32(struct image *i, uint32_t v)
{
	if (i->swap)
		v = __builtin_bswap32(v);
	memcpy(i->b + i->len, &v, 4);
	i->len += 4;
}

static void put16(struct image *i, uint16_t v)
{
	if (i->swap)
		v = __builtin_bswap16(v);
	memcpy(i->b + i->len, &v, 2);
	i->len += 2;
}

static void header(struct image *i, bool swap, uint32_t magic, uint32_t link)
{
	i->len = 0;
	i->swap = swap;
	put32(i, magic);
	put16(i, 2);
	put16(i, 4);
	put32(i, 0);
	put32(i, 0);
	put32(i, 65535);
	put32(i, link);
}

static void packet(struct image *i, uint32_t sec, uint32_t frac, uint32_t len, uint32_t extra)
{
	put32(i, sec);
	put32(i, frac);
	put32(i, len);
	put32(i, len + 1);
	memset(i->b + i->len, 0, extra);
	i->len += extra;
	memset(i->b + i->len, (int)(len & 0xff), len);
	i->len += len;
}

static int open_image(const struct image *i, size_t len, struct capture_reader **ret)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, i->b, len), len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return capture_open_any(fd, ret); /* the descriptor lives as long as the test program */
}

static void classic_forms(void **state)
{
	static struct image i;
	static const struct {
		uint32_t magic, frac, extra;
	} forms[] = {{0xa1b2c3d4, 123456, 0}, {0xa1b23c4d, 123456000, 0}, {0xa1b2cd34, 123456, 8}};
	(void)state;
	for (unsigned k = 0; k < 2 * ARRAY_LEN(forms); k++) {
		struct capture_reader *r = NULL;
		struct capture_frame f;
		header(&i, k % 2 == 1, forms[k / 2].magic, 113);
		packet(&i, 1700000000, forms[k / 2].frac, 60, forms[k / 2].extra);
		packet(&i, 1700000001, 0, 0, forms[k / 2].extra);
		assert_int_equal(open_image(&i, i.len, &r), 0);
		assert_int_equal(capture_next_any(r, &f), 0);
		assert_int_equal(f.stamp_ns, 1700000000123456000);
		assert_int_equal(f.link, 113);
		assert_int_equal(f.len, 60);
		assert_int_equal(f.wire_len, 61);
		assert_int_equal(f.data[0], 60);
		assert_int_equal(f.data[59], 60);
		assert_int_equal(capture_next_any(r, &f), 0);
		assert_int_equal(f.len, 0);
		assert_int_equal(capture_bytes_read(r), i.len);
		assert_int_equal(capture_next_any(r, &f), SKEP_ENOTFOUND);
		capture_reader_free(&r);
	}
}

/* Cut anywhere, a file gives its whole packets and then says that it is cut. */
static void cut_anywhere(void **state)
{
	static struct image i;
	(void)state;
	header(&i, false, 0xa1b2c3d4, 1);
	packet(&i, 1, 1, 20, 0);
	packet(&i, 1, 2, 30, 0);
	for (size_t len = 0; len < i.len; len++) {
		struct capture_reader *r = NULL;
		struct capture_frame f;
		int err = open_image(&i, len, &r);
		if (len < 24) {
			assert_int_equal(err, SKEP_ETRUNC);
			continue;
		}
		assert_int_equal(err, 0);
		if (len >= 24 + 16 + 20)
			assert_int_equal(capture_next_any(r, &f), 0);
		bool whole = len == 24 || len == 24 + 16 + 20;
		assert_int_equal(capture_next_any(r, &f), whole ? SKEP_ENOTFOUND : SKEP_ETRUNC);
		capture_reader_free(&r);
	}
}

static void lengths(void **state)
{
	static struct image i;
	struct capture_reader *r = NULL;
	struct capture_frame f;
	(void)state;
	header(&i, false, 0xa1b2c3d4, 1);
	packet(&i, 1, 1, BIG, 0);
	packet(&i, 1, 1, 5, 0);
	assert_int_equal(open_image(&i, i.len, &r), 0);
	assert_int_equal(capture_next_any(r, &f), 0);
	assert_int_equal(f.len, BIG);
	assert_int_equal(capture_next_any(r, &f), 0);
	assert_int_equal(f.len, 5);
	capture_reader_free(&r);
	header(&i, false, 0xa1b2c3d4, 1);
	packet(&i, 1, 1, 5, 0);
	i.len -= 5 + 8;
	put32(&i, 0x7fffffff);
	assert_int_equal(open_image(&i, i.len + 9, &r), 0);
	assert_int_equal(capture_next_any(r, &f), SKEP_EFORMAT);
	capture_reader_free(&r);
	memset(i.b, 'x', 100);
	assert_int_equal(open_image(&i, 100, &r), SKEP_EFORMAT);
}

/* pcapng: every interface's link type, packets without a time of their own, blocks nobody knows. */
static void pcapng_forms(void **state)
{
	static struct image i;
	static const struct capture_interface about = {.name = "eth"};
	struct capture_reader *r = NULL;
	struct capture_frame f;
	(void)state;
	i.swap = false;
	i.len = capture_encode_section(i.b, sizeof(i.b));
	i.len += capture_encode_interface(i.b + i.len, sizeof(i.b) - i.len, &about);
	const struct capture_packet p = {
		.stamp_ns = 42, .data = (const uint8_t *)"abcdef", .len = 6, .orig_len = 9};
	i.len += capture_encode_packet(i.b + i.len, sizeof(i.b) - i.len, &p);
	put32(&i, 1); /* an interface of raw IP */
	put32(&i, 20);
	put32(&i, 101);
	put32(&i, 0);
	put32(&i, 20);
	put32(&i, 3); /* a simple packet, of the first interface */
	put32(&i, 20);
	put32(&i, 4);
	put32(&i, 0x64636261);
	put32(&i, 20);
	put32(&i, 6); /* a packet of the second */
	put32(&i, 32);
	put32(&i, 1);
	put32(&i, 0);
	put32(&i, 7);
	put32(&i, 0);
	put32(&i, 3);
	put32(&i, 32);
	assert_int_equal(open_image(&i, i.len, &r), 0);
	assert_int_equal(capture_next_any(r, &f), 0);
	assert_int_equal(f.stamp_ns, 42);
	assert_int_equal(f.wire_len, 9);
	assert_memory_equal(f.data, "abcdef", 6);
	assert_int_equal(capture_next_any(r, &f), 0);
	assert_int_equal(f.stamp_ns, 42);
	assert_int_equal(f.link, 1);
	assert_memory_equal(f.data, "abcd", 4);
	assert_int_equal(capture_next_any(r, &f), 0);
	assert_int_equal(f.stamp_ns, 7000); /* microseconds, unless said otherwise */
	assert_int_equal(f.link, 101);
	assert_int_equal(capture_next_any(r, &f), SKEP_ENOTFOUND);
	capture_reader_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classic_forms),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(lengths),
		cmocka_unit_test(pcapng_forms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
