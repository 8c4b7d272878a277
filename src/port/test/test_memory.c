/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory back end, and what all back ends share: bursts, order, bounds, counters. */
#include "port/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct bed {
	struct arena arena;
	struct port_pool *pool;
	struct port *p;
};

static void make_bed(struct bed *b)
{
	assert_int_equal(arena_create(PORT_POOL_BYTES + PORT_MEMORY_BYTES, &b->arena), 0);
	assert_int_equal(port_pool_create(&b->arena, &b->pool), 0);
	assert_int_equal(port_attach(&b->arena, b->pool, PORT_MEMORY, -1, 7, "mem", &b->p), 0);
}

static void test_round_trip(void **state)
{
	static uint8_t bytes[FRAME_MAX], back[FRAME_MAX];
	struct bed b;
	make_bed(&b);
	struct frame f = {.data = bytes, .cap = sizeof(bytes), .stamp_ns = 99};
	struct frame got = {.data = back, .cap = sizeof(back)};
	struct frame *burst;
	/* Ten times the ring's size goes through, so that every record wraps somewhere. */
	for (unsigned i = 0; i < 400; i++) {
		f.len = ETH_HLEN + (i * 7919) % (FRAME_MAX - ETH_HLEN);
		memset(bytes, (int)i, f.len);
		f.vnet = (struct vnet){
			.flags = VNET_NEEDS_CSUM, .csum_start = (uint16_t)i, .csum_offset = 6};
		assert_int_equal(port_memory_put(b.p, &f), 0);
		assert_int_equal(port_recv(b.p, &burst), 1);
		assert_int_equal(burst[0].len, f.len);
		assert_int_equal(burst[0].port, 7);
		assert_int_equal(burst[0].stamp_ns, 99);
		assert_memory_equal(burst[0].data, bytes, f.len);
		assert_memory_equal(&burst[0].vnet, &f.vnet, sizeof(f.vnet));
		if (f.len <= FRAME_MAX - 256)
			assert_true(burst[0].cap >= f.len + 256);
		port_send(b.p, &burst[0]);
		assert_int_equal(port_memory_get(b.p, &got), SKEP_ENOTFOUND);
		port_flush(b.p);
		assert_int_equal(port_memory_get(b.p, &got), 0);
		assert_int_equal(got.len, f.len);
		assert_memory_equal(back, bytes, f.len);
		assert_memory_equal(&got.vnet, &f.vnet, sizeof(f.vnet));
	}
	struct port_stats st;
	port_read_stats(b.p, &st);
	assert_int_equal(st.rx_frames, 400);
	assert_int_equal(st.tx_frames, 400);
	assert_int_equal(st.rx_bytes, st.tx_bytes);
	assert_int_equal(st.tx_failed, 0);
	arena_destroy(&b.arena);
}

static void test_bounds(void **state)
{
	static uint8_t bytes[FRAME_MAX + 1], back[FRAME_MAX];
	struct bed b;
	struct port_stats st;
	make_bed(&b);
	struct frame f = {.data = bytes, .len = FRAME_MAX + 1};
	assert_int_equal(port_memory_put(b.p, &f), SKEP_ERANGE);
	port_send(b.p, &f);
	f.len = ETH_HLEN - 1;
	port_send(b.p, &f);
	port_read_stats(b.p, &st);
	assert_int_equal(st.tx_failed, 2);

	/* More than a burst: the queue empties itself; a full ring refuses and counts. */
	f.len = 1000;
	unsigned put = 0;
	while (port_memory_put(b.p, &f) == 0)
		put++;
	assert_true(put > 900 && put < 1100);
	for (unsigned i = 0; i < 3000; i++)
		port_send(b.p, &f);
	port_flush(b.p);
	port_read_stats(b.p, &st);
	assert_int_equal(st.tx_frames + st.tx_failed, 3002);
	assert_true(st.tx_failed > 1000);
	struct frame *burst;
	assert_int_equal(port_recv(b.p, &burst), PORT_BATCH);
	unsigned got = PORT_BATCH;
	for (int n; (n = port_recv(b.p, &burst)) > 0; got += (unsigned)n)
		;
	assert_int_equal(got, put);

	struct frame small = {.data = back, .cap = 999};
	assert_int_equal(port_memory_get(b.p, &small), SKEP_ETRUNC);
	small.cap = 1000;
	assert_int_equal(port_memory_get(b.p, &small), 0);
	arena_destroy(&b.arena);
}

/* What the kernel said of a frame as it came in is not passed on as if we vouched for it. */
static void test_offloads_cleaned(void **state)
{
	uint8_t bytes[100] = {0};
	struct bed b;
	make_bed(&b);
	struct frame f = {.data = bytes, .len = 100, .cap = 100};
	f.vnet = (struct vnet){
		.flags = 2, .hdr_len = 54, .gso_size = 3, .csum_start = 14, .csum_offset = 12};
	port_send(b.p, &f);
	port_flush(b.p);
	assert_int_equal(port_memory_get(b.p, &f), 0);
	assert_memory_equal(&f.vnet, &(struct vnet){0}, sizeof(f.vnet));
	arena_destroy(&b.arena);
}

static void test_reattach(void **state)
{
	uint8_t bytes[60] = {0};
	struct bed b;
	struct port_stats st;
	struct frame f = {.data = bytes, .len = 60, .cap = 60};
	make_bed(&b);
	port_send(b.p, &f);
	port_reattach(b.p, 42);
	assert_int_equal(port_fd(b.p), 42);
	port_flush(b.p);
	port_read_stats(b.p, &st);
	assert_int_equal(st.tx_failed, 1);
	assert_int_equal(st.tx_frames, 0);
	arena_destroy(&b.arena);
}

static void test_small_arena(void **state)
{
	struct arena a;
	struct port_pool *pool;
	struct port *p;
	assert_int_equal(arena_create(65536, &a), 0);
	assert_int_equal(port_pool_create(&a, &pool), SKEP_EFULL);
	arena_destroy(&a);
	assert_int_equal(arena_create(PORT_POOL_BYTES + PORT_BYTES, &a), 0);
	assert_int_equal(port_pool_create(&a, &pool), 0);
	assert_int_equal(port_attach(&a, pool, PORT_MEMORY, -1, 0, "m", &p), SKEP_EFULL);
	arena_destroy(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),       cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_offloads_cleaned), cmocka_unit_test(test_reattach),
		cmocka_unit_test(test_small_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
