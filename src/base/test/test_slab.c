/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/slab.h"

#define N 4000

static uint64_t used_of(const struct slab *s)
{
	struct slab_stats st;

	slab_read_stats(s, &st);
	return st.used;
}

/* Every size up to past the small ones: room enough, aligned, and not more than a third wasted. */
static void test_sizes(void **state)
{
	struct slab *s = NULL;

	(void)state;
	assert_int_equal(slab_create(1 << 20, &s), 0);
	for (size_t n = 0; n < 40000; n += n < 600 ? 1 : 97) {
		uint8_t *p = slab_alloc(s, n);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p & 15, 0);
		assert_true(slab_size(p) >= n);
		if (n >= 128 && n <= 16384)
			assert_true(slab_size(p) <= n + n / 4 + 1);
		memset(p, 0x5a, n);
		slab_free(s, p);
	}
	assert_int_equal(used_of(s), 0);
	slab_free(s, NULL);
	assert_null(slab_alloc(s, SLAB_MAX + 1));
	slab_free_all(&s);
	assert_null(s);
	slab_free_all(&s);
}

static void test_largest(void **state)
{
	struct slab *s = NULL;
	struct slab_stats st;
	uint8_t *p, *q;

	(void)state;
	assert_int_equal(slab_create((size_t)40 << 20, &s), 0);
	p = slab_alloc(s, SLAB_MAX);
	assert_non_null(p);
	p[0] = p[SLAB_MAX - 1] = 1;
	q = slab_alloc(s, SLAB_MAX);
	assert_null(q);
	slab_free(s, p);
	q = slab_alloc(s, SLAB_MAX / 2 + 1);
	assert_ptr_equal(p, q);
	slab_read_stats(s, &st);
	assert_int_equal(st.refused, 1);
	assert_int_equal(st.peak, SLAB_MAX);
	slab_free(s, q);
	slab_free_all(&s);
}

/* What one size took is there for another after it was given back. */
static void test_other_sizes_get_it(void **state)
{
	static const size_t sizes[] = {16, 500, 16384, 32768, 100, 65536};
	struct slab *s = NULL;

	(void)state;
	assert_int_equal(slab_create(1 << 18, &s), 0);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		void *list = NULL, *p;
		size_t n = 0;

		while ((p = slab_alloc(s, sizes[i]))) {
			memcpy(p, &list, sizeof(list));
			list = p;
			n += sizes[i];
		}
		assert_true(n >= (1 << 18) * 3 / 4);
		while (list) {
			p = list;
			memcpy(&list, p, sizeof(list));
			slab_free(s, p);
		}
		assert_int_equal(used_of(s), 0);
	}
	slab_free_all(&s);
}

static void test_grow(void **state)
{
	struct slab *s = NULL;
	uint8_t *p, *q;

	(void)state;
	assert_int_equal(slab_create(1 << 17, &s), 0);
	p = slab_grow(s, NULL, 10);
	assert_non_null(p);
	memcpy(p, "0123456789", 10);
	assert_ptr_equal(slab_grow(s, p, 16), p);
	p = slab_grow(s, p, 50000);
	assert_non_null(p);
	assert_memory_equal(p, "0123456789", 10);
	q = slab_grow(s, p, 1 << 18);
	assert_null(q);
	assert_memory_equal(p, "0123456789", 10);
	slab_free(s, p);
	p = slab_zalloc(s, 64);
	for (int i = 0; i < 64; i++)
		assert_int_equal(p[i], 0);
	slab_free(s, p);
	assert_int_equal(used_of(s), 0);
	slab_free_all(&s);
}

/* Random taking and giving back: no two blocks overlap, and all comes back. */
static void test_random(void **state)
{
	static uint8_t *block[N];
	static uint32_t len[N];
	struct slab *s = NULL;
	uint64_t rnd = 12345, refused = 0;

	(void)state;
	memset(block, 0, sizeof(block));
	assert_int_equal(slab_create((size_t)512 << 20, &s), 0);
	for (uint32_t i = 0; i < 200000; i++) {
		uint32_t k, n;

		rnd = rnd * 6364136223846793005u + 1442695040888963407u;
		k = (uint32_t)(rnd >> 33) % N;
		n = (uint32_t)(rnd >> 20) & ((1u << (4 + (rnd >> 60))) - 1);
		n = n < 4 ? 4 : n;
		if (block[k]) {
			assert_int_equal(block[k][0], k & 255);
			assert_int_equal(block[k][len[k] - 1], k & 255);
			slab_free(s, block[k]);
			block[k] = NULL;
			continue;
		}
		block[k] = slab_alloc(s, n);
		refused += !block[k];
		if (block[k]) {
			len[k] = n;
			block[k][0] = block[k][n - 1] = (uint8_t)k;
		}
	}
	for (uint32_t k = 0; k < N; k++)
		slab_free(s, block[k]);
	assert_int_equal(used_of(s), 0);
	assert_int_equal(refused, 0);
	slab_free_all(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes), cmocka_unit_test(test_largest),
		cmocka_unit_test(test_other_sizes_get_it), cmocka_unit_test(test_grow),
		cmocka_unit_test(test_random)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
