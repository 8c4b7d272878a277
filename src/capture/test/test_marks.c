/* SPDX-License-Identifier: BSD-2-Clause */
/* The mark ring: order, loss, a writer that races with the reader, a writer that lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/capture.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct mark_ring *ring_new(void)
{
	void *mem = mmap(NULL, mark_ring_bytes(), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(mem != MAP_FAILED);
	return mark_ring_at(mem);
}

static void ring_free(struct mark_ring *r)
{
	munmap(r, mark_ring_bytes());
}

/* Every field follows from n, so that a torn mark shows. */
static struct mark mark_of(uint64_t n)
{
	struct mark m = {
		.stamp_ns = (int64_t)n,
		.flow_id = ~n,
		.len = (uint32_t)n,
		.hash = (uint32_t)(n * 7),
		.port = (uint16_t)n,
		.verdict = (uint8_t)(n % 7),
		.reason = (uint8_t)(n % 13),
	};
	return m;
}

static void in_order(void **state)
{
	struct mark_ring *r = ring_new();
	uint64_t cursor = 0, lost = 0;
	struct mark got;
	(void)state;
	assert_false(mark_get(r, &cursor, &got, &lost));
	for (uint64_t n = 0; n < 100; n++) {
		struct mark m = mark_of(n);
		mark_put(r, &m);
	}
	for (uint64_t n = 0; n < 100; n++) {
		struct mark want = mark_of(n);
		assert_true(mark_get(r, &cursor, &got, &lost));
		assert_memory_equal(&got, &want, sizeof(got));
	}
	assert_false(mark_get(r, &cursor, &got, &lost));
	assert_int_equal(lost, 0);
	ring_free(r);
}

static void overwritten_is_counted(void **state)
{
	struct mark_ring *r = ring_new();
	uint64_t cursor = 0, lost = 0, read = 0;
	struct mark got;
	(void)state;
	for (uint64_t n = 0; n < MARK_RING_ENTRIES + 1000; n++) {
		struct mark m = mark_of(n);
		mark_put(r, &m);
	}
	for (; mark_get(r, &cursor, &got, &lost); read++)
		assert_int_equal(got.stamp_ns, 1000 + read);
	assert_int_equal(lost, 1000);
	assert_int_equal(read, MARK_RING_ENTRIES);
	ring_free(r);
}

#define RACE_MARKS 2000000u
static void races_are_seen(void **state)
{
	struct mark_ring *r = ring_new();
	uint64_t cursor = 0, lost = 0, read = 0;
	struct mark got = {0};
	int status;
	(void)state;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (uint64_t n = 1; n <= RACE_MARKS; n++) {
			struct mark m = mark_of(n);
			mark_put(r, &m);
		}
		_exit(0);
	}
	while (got.stamp_ns != RACE_MARKS) {
		int64_t before = got.stamp_ns;
		if (!mark_get(r, &cursor, &got, &lost))
			continue;
		struct mark want = mark_of((uint64_t)got.stamp_ns);
		assert_memory_equal(&got, &want, sizeof(got));
		assert_true(got.stamp_ns > before);
		read++;
	}
	assert_int_equal(read + lost, RACE_MARKS);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	ring_free(r);
}

/* A head that jumps anywhere and entries full of rubbish: bounded work, nothing made up. */
static void a_lying_writer(void **state)
{
	struct mark_ring *r = ring_new();
	uint64_t cursor = 5, lost = 0, head;
	struct mark got;
	(void)state;
	assert_false(mark_get(r, &cursor, &got, &lost)); /* head went back: start over */
	assert_int_equal(cursor, 0);
	memset((void *)r, 0xff, mark_ring_bytes());
	assert_false(mark_get(r, &cursor, &got, &lost));
	head = 1000; /* claims marks that were never written */
	memset((void *)r, 0, mark_ring_bytes());
	memcpy((void *)r, &head, sizeof(head));
	cursor = lost = 0;
	for (unsigned i = 0; i < 100; i++)
		assert_false(mark_get(r, &cursor, &got, &lost));
	assert_int_equal(cursor, 1000);
	assert_int_equal(lost, 1000);
	ring_free(r);
}

static void hashes_differ(void **state)
{
	uint8_t a[80] = {0}, b[80] = {0};
	(void)state;
	assert_int_equal(capture_hash(a, 80), capture_hash(b, 80));
	b[70] = 1; /* past the first 64 bytes: not looked at */
	assert_int_equal(capture_hash(a, 80), capture_hash(b, 80));
	for (size_t i = 0; i < 64; i++) {
		memset(b, 0, sizeof(b));
		b[i] = 1;
		assert_int_not_equal(capture_hash(a, 80), capture_hash(b, 80));
	}
	assert_int_not_equal(capture_hash(a, 10), capture_hash(a, 11));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order),       cmocka_unit_test(overwritten_is_counted),
		cmocka_unit_test(races_are_seen), cmocka_unit_test(a_lying_writer),
		cmocka_unit_test(hashes_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
