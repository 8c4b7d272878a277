/* SPDX-License-Identifier: BSD-2-Clause */
/* The ring of copied frames: order, loss, a writer that races with the reader or dies, a writer that lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/capture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct rig {
	struct copy_ring *ring;
	uint64_t cursor, lost;
	struct copy_head h;
	uint8_t in[COPY_FRAME + 64], out[COPY_FRAME];
};

static struct rig *rig_new(void)
{
	struct rig *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	void *mem = mmap(NULL, copy_ring_bytes(), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(mem != MAP_FAILED);
	r->ring = copy_ring_at(mem);
	return r;
}

static void rig_free(struct rig *r)
{
	munmap((void *)r->ring, copy_ring_bytes());
	free(r);
}

static bool get(struct rig *r)
{
	return copy_get(r->ring, &r->cursor, &r->h, r->out, &r->lost);
}

/* Every byte follows from n and the length, so that a torn copy shows. */
static uint8_t byte_of(uint64_t n, size_t i)
{
	return (uint8_t)(n * 31 + i);
}

static void put(struct rig *r, uint64_t n, uint32_t len)
{
	const struct copy_head h = {.stamp_ns = (int64_t)n,
				    .flow_id = ~n,
				    .guest = (uint16_t)n,
				    .kind = COPY_FRAME_WHOLE,
				    .direction = DIR_INBOUND,
				    .from_guest = n & 1,
				    .len = len};
	for (size_t i = 0; i < len && i < sizeof(r->in); i++)
		r->in[i] = byte_of(n, i);
	copy_put(r->ring, &h, r->in);
}

static void check(const struct rig *r)
{
	uint64_t n = (uint64_t)r->h.stamp_ns;
	assert_true(r->h.flow_id == ~n);
	assert_int_equal(r->h.guest, (uint16_t)n);
	for (size_t i = 0; i < r->h.len; i++)
		assert_int_equal(r->out[i], byte_of(n, i));
}

static void in_order(void **state)
{
	struct rig *r = rig_new();
	(void)state;
	assert_false(get(r));
	for (uint32_t n = 0; n < 90; n++)
		put(r, n, n * 17 % 1500);
	for (uint32_t n = 0; n < 90; n++) {
		assert_true(get(r));
		assert_int_equal(r->h.stamp_ns, n);
		assert_int_equal(r->h.len, n * 17 % 1500);
		check(r);
	}
	assert_false(get(r));
	assert_int_equal(r->lost, 0);
	rig_free(r);
}

static void longest_and_too_long(void **state)
{
	struct rig *r = rig_new();
	(void)state;
	put(r, 1, COPY_FRAME);
	put(r, 2, COPY_FRAME + 10);
	put(r, 3, 0);
	for (unsigned n = 1; n <= 3; n++) {
		assert_true(get(r));
		assert_int_equal(r->h.len, n < 3 ? COPY_FRAME : 0);
		check(r);
	}
	rig_free(r);
}

/* What is left is the newest, without a gap, and what is missing is counted to the last one. */
static void overwritten_is_counted(void **state)
{
	static const uint32_t lens[] = {0, 60, 1514, 9000, COPY_FRAME};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		struct rig *r = rig_new();
		uint64_t n = 0, read = 0, first = 0;
		for (; n < 120000 && n * (lens[i] + 96) < 5ull * COPY_RING_BYTES; n++)
			put(r, n, lens[i]);
		for (; get(r); read++) {
			if (read == 0)
				first = (uint64_t)r->h.stamp_ns;
			assert_int_equal(r->h.stamp_ns, first + read);
			check(r);
		}
		assert_int_equal(r->lost, first);
		assert_int_equal(first + read, n);
		assert_true(read > 100);
		rig_free(r);
	}
}

#define RACE_COPIES 60000u
static void races_are_seen(void **state)
{
	struct rig *r = rig_new();
	uint64_t read = 0, last = 0;
	int status;
	(void)state;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (uint64_t n = 1; n <= RACE_COPIES; n++)
			put(r, n, n == RACE_COPIES ? 0 : (uint32_t)(n * 7919 % 4000));
		_exit(0);
	}
	while (last != RACE_COPIES) {
		if (!get(r))
			continue;
		check(r);
		assert_true((uint64_t)r->h.stamp_ns > last);
		last = (uint64_t)r->h.stamp_ns;
		read++;
	}
	assert_int_equal(read + r->lost, RACE_COPIES);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	rig_free(r);
}

/* A wall killed amid a copy leaves its entry odd and a hole in the bytes: the next one goes on. */
static void a_killed_writer(void **state)
{
	struct rig *r = rig_new();
	uint64_t words[2];
	(void)state;
	put(r, 0, 100);
	put(r, 1, 100);
	memcpy(words, r->ring, sizeof(words)); /* head, reserved */
	words[1] += 480;
	memcpy((void *)r->ring, words, sizeof(words));
	put(r, 2, 100);
	for (unsigned n = 0; n < 3; n++) {
		assert_true(get(r));
		assert_int_equal(r->h.stamp_ns, n);
		check(r);
	}
	assert_int_equal(r->lost, 0);
	rig_free(r);
}

/* Whatever is in it, a call ends soon and says nothing out of range. */
static void read_rubbish(struct rig *r)
{
	for (unsigned i = 0; i < 300; i++) {
		if (!get(r))
			continue;
		assert_true(r->h.len <= COPY_FRAME);
		assert_true(r->h.kind == COPY_FRAME_WHOLE || r->h.kind == COPY_TALLY);
		assert_true(r->h.direction <= DIR_LATERAL && r->h.from_guest <= 1);
		assert_true(r->h.peer.ver == 0 || r->h.peer.ver == 4 || r->h.peer.ver == 6);
	}
}

static void a_lying_writer(void **state)
{
	struct rig *r = rig_new();
	uint64_t *words = (uint64_t *)(void *)r->ring, x = 88172645463325252ull;
	size_t n = copy_ring_bytes() / sizeof(*words);
	(void)state;
	r->cursor = 5;
	assert_false(get(r)); /* head went back: start over */
	assert_int_equal(r->cursor, 0);
	memset((void *)r->ring, 0xff, copy_ring_bytes());
	read_rubbish(r);
	memset((void *)r->ring, 0, copy_ring_bytes());
	words[0] = 1000; /* claims copies that were never written */
	r->cursor = r->lost = 0;
	read_rubbish(r);
	assert_int_equal(r->cursor, 1000);
	assert_int_equal(r->lost, 1000);
	/* Entries that look right and point anywhere, then all of it anything. */
	for (unsigned round = 0; round < 8; round++) {
		for (size_t i = 0; i < n; i++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			words[i] = round < 4 ? x % 300 : x;
		}
		words[0] = 32768 * (uint64_t)(round + 1);
		words[1] = round % 2 != 0 ? x : COPY_RING_BYTES;
		for (size_t i = 0; i < 32768; i++)
			words[8 + i * 4] = 2 * (words[0] - 32768 + i) + 2;
		for (size_t i = 0; i < 32768; i++)
			words[8 + i * 4 + 2] = round % 2 != 0 ? 96 + x % 66000 / 8 * 8 : 96;
		r->cursor = 0;
		read_rubbish(r);
	}
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order),
		cmocka_unit_test(longest_and_too_long),
		cmocka_unit_test(overwritten_is_counted),
		cmocka_unit_test(races_are_seen),
		cmocka_unit_test(a_killed_writer),
		cmocka_unit_test(a_lying_writer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
