/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames that leave: parse_segs checks every checksum, length and header of each, with code of its own. */
#include "build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet/test/frames.h"
#include "scrub/emit_priv.h"

#define BIG 700000
#define SEQ0 1000u

struct fixture {
	struct slab *slab;
	struct xlate *x, *peer;
	struct emit *emit;
	struct frame *f;
	struct how how;
	struct layers l;
	struct seg seg, segs[600];
	uint8_t in[BIG];
};

static int setup(void **state)
{
	struct fixture *t = calloc(1, sizeof(*t));
	*state = t;
	t->f = frame_new(FRAME_MAX);
	for (size_t i = 0; i < sizeof(t->in); i++)
		t->in[i] = (uint8_t)random_u32();
	return slab_create(16 << 20, &t->slab) | emit_create(&t->emit) |
	       xlate_create(t->slab, SEQ0, 0, &t->x) | xlate_create(t->slab, SEQ0, 0, &t->peer);
}

static int teardown(void **state)
{
	struct fixture *t = *state;
	xlate_free(&t->x);
	xlate_free(&t->peer);
	emit_free(&t->emit);
	slab_free_all(&t->slab);
	frame_free(t->f);
	free(t);
	return 0;
}

/* The nth way to make frames. */
static void set_how(struct fixture *t, unsigned nth)
{
	int ver = nth & 1 ? 6 : 4;
	t->how = (struct how){.src = random_addr(ver),
			      .dst = random_addr(ver),
			      .sport = 4000,
			      .dport = 80,
			      .tags = (int)(nth / 2 % 3),
			      .extension = ver == 6 && nth / 6 % 2 == 1,
			      .stamps = nth / 12 % 2 == 1,
			      .partial = nth / 24 % 2 == 1,
			      .mss = 1400};
}
#define HOWS 48u

static void make(struct fixture *t, uint32_t seq, uint8_t flags, uint32_t len)
{
	t->seg.seq = seq;
	t->seg.ack = 5555;
	t->seg.flags = flags;
	t->seg.len = len;
	for (uint32_t i = 0; i < len; i++)
		t->seg.data[i] = (uint8_t)random_u32();
	build_seg(t->f, &t->how, &t->seg);
	packet_decode(t->f, &t->l);
}

static uint32_t parse(struct fixture *t, const struct frame *f)
{
	uint32_t n = parse_segs(f, &t->how, t->segs, ARRAY_LEN(t->segs));
	return n;
}

static void test_headers(void **state)
{
	struct fixture *t = *state;
	/* Ours: 5 bytes more behind 100. The peer's: out 200..210 stands for 200..201, 300..303 is gone. */
	assert_int_equal(xlate_edit(t->x, 100, 0, "12345", 5), 0);
	assert_int_equal(xlate_edit(t->peer, 200, 1, "0123456789", 10), 0);
	assert_int_equal(xlate_edit(t->peer, 300, 3, NULL, 0), 0);
	xlate_emit(t->x, 1000);
	xlate_emit(t->peer, 1000);
	for (unsigned nth = 0; nth < HOWS; nth++) {
		set_how(t, nth);
		t->seg.n_sack = 3;
		uint32_t sacks[3][2] = {{203, 207}, {150, 205}, {205, 320}};
		for (unsigned i = 0; i < 3; i++)
			for (unsigned k = 0; k < 2; k++)
				t->seg.sack[i][k] = SEQ0 + sacks[i][k];
		make(t, SEQ0 + 150, TCP_ACK | TCP_PSH, nth * 7);
		store_be32(t->f->data + t->l.l4 + 8, SEQ0 + 120);
		t->seg.ack = SEQ0 + 120;
		build_seg(t->f, &t->how, &t->seg);
		packet_decode(t->f, &t->l);
		emit_headers(t->f, &t->l, t->x, t->peer);
		assert_int_equal(parse(t, t->f), 1);
		assert_int_equal(t->segs[0].seq, SEQ0 + 155);
		assert_int_equal(t->l.seq, SEQ0 + 155);
		assert_int_equal(t->segs[0].ack, SEQ0 + 120);
		assert_int_equal(t->segs[0].flags, TCP_ACK | TCP_PSH);
		assert_memory_equal(t->segs[0].data, t->seg.data, t->seg.len);
		/* The first lies inside an edit, of the others only what is whole counts. */
		assert_int_equal(t->segs[0].n_sack, 2);
		assert_int_equal(t->segs[0].sack[0][0], SEQ0 + 150);
		assert_int_equal(t->segs[0].sack[0][1], SEQ0 + 200);
		assert_int_equal(t->segs[0].sack[1][0], SEQ0 + 201);
		assert_int_equal(t->segs[0].sack[1][1], SEQ0 + 314);

		t->seg.n_sack = 1;
		make(t, SEQ0 + 50, TCP_ACK, 1);
		t->seg.ack = SEQ0 + 215;
		build_seg(t->f, &t->how, &t->seg);
		packet_decode(t->f, &t->l);
		emit_headers(t->f, &t->l, t->x, t->peer);
		assert_int_equal(parse(t, t->f), 1);
		assert_int_equal(t->segs[0].n_sack, 0);
		assert_int_equal(t->segs[0].seq, SEQ0 + 50);
		assert_int_equal(t->segs[0].ack, SEQ0 + 206);
		emit_headers(t->f, &t->l, NULL, NULL);
		assert_int_equal(t->l.ack, SEQ0 + 206);
		/* Beyond what has left: a FIN keeps its place, a mere acknowledgement and a reset are now. */
		static const uint8_t flags[3] = {TCP_ACK | TCP_FIN, TCP_ACK, TCP_RST};
		for (unsigned i = 0; i < 3; i++) {
			make(t, SEQ0 + 1010, flags[i], 0);
			emit_headers(t->f, &t->l, t->x, NULL);
			assert_int_equal(parse(t, t->f), 1);
			assert_int_equal(t->segs[0].seq, SEQ0 + (i == 0 ? 1015 : 1005));
		}
	}
}

/* Whatever stands where options should. */
static void test_wild_options(void **state)
{
	struct fixture *t = *state;
	assert_int_equal(xlate_edit(t->peer, 200, 1, "0123456789", 10), 0);
	xlate_emit(t->peer, 1000);
	for (unsigned i = 0; i < 20000; i++) {
		set_how(t, i & 7);
		t->seg.n_sack = i % 4;
		make(t, SEQ0, TCP_ACK, 3);
		uint32_t n = t->l.payload - t->l.l4 - 20;
		for (uint32_t k = 0; k < n; k++) {
			uint8_t wild = random_u32() % 3 == 0   ? 5
				       : random_u32() % 2 == 0 ? (uint8_t)(random_u32() % 36)
							       : (uint8_t)random_u32();
			packet_set_bytes(t->f, &t->l, t->l.l4 + 20 + k, &wild, 1);
		}
		struct frame *cut = frame_cut(t->f, t->f->len);
		emit_headers(cut, &t->l, NULL, t->peer);
		assert_true(packet_checksums_ok(cut, &t->l));
		assert_int_equal(cut->len, t->f->len);
		frame_complete(cut);
		assert_true(frame_sums_right(cut, &t->l));
		frame_free(cut);
	}
}

static void check_pieces(struct fixture *t, const struct emit_what *w, int64_t done,
			 const uint8_t *want, uint32_t mss)
{
	struct frame **list;
	uint32_t n = emit_frames(t->emit, &list), id = 0x1234;
	int64_t at = w->from;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t n_segs = parse(t, list[i]);
		if (t->l.ip_ver == 4)
			assert_int_equal(load_be16(list[i]->data + t->l.l3 + 4), id & 0xffff);
		id += n_segs;
		bool gso = list[i]->vnet.gso_type != 0;
		assert_int_equal(load_be16(list[i]->data + t->l.l4 + 18), 0); /* urgent */
		assert_int_equal(gso, n_segs > 1);
		if (!gso)
			assert_int_equal(list[i]->vnet.flags & VNET_NEEDS_CSUM, t->how.partial);
		for (uint32_t k = 0; k < n_segs; k++) {
			const struct seg *s = &t->segs[k];
			assert_int_equal(s->seq, SEQ0 + (uint32_t)at);
			assert_true(s->len <= mss);
			assert_memory_equal(s->data, want + at, s->len);
			at += s->len;
			bool last = at + w->fin == w->to;
			assert_int_equal(s->flags, TCP_ACK | (last && w->push ? TCP_PSH : 0) |
							   (last && w->fin ? TCP_FIN : 0));
			at += last && w->fin;
		}
	}
	assert_int_equal(at, done);
}

static void test_stream(void **state)
{
	struct fixture *t = *state;
	uint8_t *want = calloc(1, BIG + 10);
	assert_int_equal(xlate_edit(t->x, 5, 0, "longer", 6), 0);
	xlate_emit(t->x, BIG);
	memcpy(want, t->in, 5);
	memcpy(want + 5, "longer", 6);
	memcpy(want + 11, t->in + 5, BIG - 5);
	static const uint32_t lengths[] = {0,    1,     5,     8,     700,   1400,  1401,   2800,
					   2900, 65000, 65495, 65535, 65536, 90000, 131072, 300000};
	for (unsigned nth = 0; nth < HOWS; nth++)
		for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
			set_how(t, nth);
			/* The flags of what carried the bytes in are not theirs. */
			make(t, SEQ0 + 999, TCP_ACK | TCP_URG | TCP_PSH | TCP_FIN, 1400);
			struct emit_what w = {.x = t->x,
					      .kept = {0, t->in, BIG},
					      .from = 3,
					      .to = 3 + lengths[i] + nth % 2,
					      .fin = nth % 2,
					      .push = nth % 3 == 0};
			int64_t done;
			emit_clear(t->emit);
			assert_int_equal(emit_stream(t->emit, t->f, &t->l, &w, &done), 0);
			assert_int_equal(done, w.to);
			check_pieces(t, &w, done, want, 1400);
		}
	free(want);
}

static void test_stream_limits(void **state)
{
	struct fixture *t = *state;
	struct emit_what w = {
		.x = t->x, .kept = {0, t->in, BIG}, .from = 0, .to = BIG, .mss = 1000};
	int64_t done;
	set_how(t, 0);
	make(t, SEQ0, TCP_ACK, 10);
	/* More than all buffers hold: goes on later from where it stopped. */
	assert_int_equal(emit_stream(t->emit, t->f, &t->l, &w, &done), SKEP_EFULL);
	assert_int_equal(done, SCRUB_FRAMES * 65000);
	check_pieces(t, &w, done, t->in, 1000);
	emit_clear(t->emit);
	w.from = done;
	assert_int_equal(emit_stream(t->emit, t->f, &t->l, &w, &done), 0);
	check_pieces(t, &w, BIG, t->in, 1000);
	/* A short frame says nothing of the segments that fit: 536 always do. */
	emit_clear(t->emit);
	w.mss = 0, w.from = 0, w.to = 1000;
	assert_int_equal(emit_stream(t->emit, t->f, &t->l, &w, &done), 0);
	check_pieces(t, &w, 1000, t->in, 536);
	/* A super-frame says it all. */
	make(t, SEQ0, TCP_ACK, 4000);
	emit_clear(t->emit);
	assert_int_equal(emit_stream(t->emit, t->f, &t->l, &w, &done), 0);
	struct frame **list;
	assert_int_equal(emit_frames(t->emit, &list), 1);
	assert_int_equal(list[0]->vnet.gso_type, 0);
	assert_int_equal(list[0]->vnet.flags, VNET_NEEDS_CSUM);
	/* Bytes that nobody has any more. */
	emit_clear(t->emit);
	w.kept.off = 1;
	assert_int_equal(emit_stream(t->emit, t->f, &t->l, &w, &done), SKEP_ENOTFOUND);
	assert_int_equal(emit_frames(t->emit, &list), 0);
	t->l.fragment = true;
	assert_int_equal(emit_stream(t->emit, t->f, &t->l, &w, &done), SKEP_EFORMAT);
	for (unsigned i = 0; i < SCRUB_FRAMES; i++)
		assert_int_equal(emit_add(t->emit, t->f), 0);
	assert_int_equal(emit_add(t->emit, t->f), SKEP_EFULL);
}

/* Congestion window reduced, and a SYN that carries data: in the first segment only. */
static void test_first_only(void **state)
{
	struct fixture *t = *state;
	struct emit_what w = {
		.x = t->x, .kept = {0, t->in, BIG}, .from = 0, .to = 3000, .mss = 1000};
	struct frame **list;
	int64_t done;
	set_how(t, 0);
	make(t, SEQ0 - 1, TCP_SYN, 10);
	assert_int_equal(emit_stream(t->emit, t->f, &t->l, &w, &done), 0);
	assert_int_equal(emit_frames(t->emit, &list), 2);
	assert_int_equal(parse(t, list[0]), 1);
	assert_int_equal(t->segs[0].flags, TCP_SYN);
	assert_int_equal(t->segs[0].seq, SEQ0 - 1);
	assert_int_equal(t->segs[0].len, 1000);
	make(t, SEQ0, TCP_ACK, 10);
	t->f->data[t->l.l4 + 13] |= 0x80;
	emit_clear(t->emit);
	w.to = 100000;
	assert_int_equal(emit_stream(t->emit, t->f, &t->l, &w, &done), 0);
	assert_int_equal(emit_frames(t->emit, &list), 2);
	assert_int_equal(list[0]->vnet.gso_type, 0x81);
	assert_int_equal(list[0]->data[t->l.l4 + 13] & 0x80, 0x80);
	assert_int_equal(list[1]->vnet.gso_type, 1);
	assert_int_equal(list[1]->data[t->l.l4 + 13] & 0x80, 0);
	assert_int_equal(parse(t, list[0]), 65);
}

static void test_cut(void **state)
{
	struct fixture *t = *state;
	for (unsigned nth = 0; nth < HOWS; nth++)
		for (uint32_t len = 0; len < 3000; len += 171) {
			uint32_t front = random_u32() % (len + 1), back = random_u32() % (len + 9);
			set_how(t, nth);
			make(t, SEQ0, TCP_ACK | TCP_PSH | TCP_FIN, len);
			emit_cut(t->f, &t->l, front, back);
			back = back < len - front ? back : len - front;
			uint32_t n = parse(t, t->f), at = 0;
			assert_int_equal(t->segs[0].seq, SEQ0 + front);
			for (uint32_t i = 0; i < n; i++) {
				assert_memory_equal(t->segs[i].data, t->seg.data + front + at,
						    t->segs[i].len);
				at += t->segs[i].len;
			}
			assert_int_equal(at, len - front - back);
			assert_int_equal(t->segs[n - 1].flags & TCP_FIN, back > 0 ? 0 : TCP_FIN);
			assert_int_equal(t->l.l3_end, t->f->len);
		}
}

static void test_probe_and_reset(void **state)
{
	struct fixture *t = *state;
	xlate_emit(t->x, 100);
	for (unsigned nth = 0; nth < HOWS; nth++) {
		set_how(t, nth);
		make(t, SEQ0, TCP_ACK | TCP_PSH | TCP_FIN | TCP_URG, nth * 60);
		emit_bare(t->f, &t->l, 77);
		assert_int_equal(parse(t, t->f), 1);
		assert_int_equal(t->segs[0].seq, 77);
		assert_int_equal(t->segs[0].ack, 5555);
		assert_int_equal(t->segs[0].len, 0);
		assert_int_equal(t->segs[0].flags, TCP_ACK);
		emit_probe(t->f, &t->l, t->x);
		assert_int_equal(parse(t, t->f), 1);
		assert_int_equal(t->segs[0].seq, SEQ0 + nth - 1);
		xlate_acked(t->x, nth + 1);
		make(t, SEQ0, TCP_ACK | TCP_PSH, nth * 60);
		emit_reset(t->f, &t->l, 78);
		assert_int_equal(parse(t, t->f), 1);
		assert_int_equal(t->segs[0].seq, 78);
		assert_int_equal(t->segs[0].len, 0);
		assert_int_equal(t->segs[0].flags, TCP_ACK | TCP_RST);
		assert_int_equal(t->l.payload - t->l.l4, 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_headers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wild_options, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stream_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_first_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_probe_and_reset, setup, teardown),
	};
	return cmocka_run_group_tests_name("scrub_emit", tests, NULL, NULL);
}
