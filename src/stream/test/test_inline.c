/* SPDX-License-Identifier: BSD-2-Clause */
/* Inline mode, rule by rule; the property is in schedules.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "stream/test/schedules.h"
#include "stream/test/talk.h"

static struct talk t;
static char block[60000];

static void begin(struct stream_conf conf, size_t slab)
{
	conf.inline_mode = true;
	conf.depth = conf.depth ? conf.depth : UINT64_MAX;
	conf.flows = conf.flows ? conf.flows : 64;
	talk_begin(&t, &conf, slab);
}

static int setup(void **state)
{
	(void)state;
	begin((struct stream_conf){0}, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	talk_end(&t);
	return 0;
}

static void assert_out(unsigned dir, const char *text)
{
	assert_int_equal(t.len[dir], strlen(text));
	assert_memory_equal(t.out[dir], text, strlen(text));
}

static void passes(unsigned dir, uint32_t seq, uint32_t ack, uint8_t flags, const char *text)
{
	talk_tcp(&t, dir, seq, ack, flags, text, text ? (uint32_t)strlen(text) : 0);
	assert_false(t.r.refuse);
}

static void refused(unsigned dir, uint32_t seq, uint32_t ack, uint8_t flags, const char *text)
{
	talk_tcp(&t, dir, seq, ack, flags, text, text ? (uint32_t)strlen(text) : 0);
	assert_true(t.r.refuse);
}

/* ---- the first copy -------------------------------------------------------------------- */

static void test_kept_until_acknowledged(void **state)
{
	const struct stream_side *side;
	const uint8_t *kept;
	uint32_t len;

	(void)state;
	talk_handshake(&t);
	passes(TO_SERVER, 1, 1, ACK, "hello world");
	side = &t.r.flow->side[0];
	assert_int_equal(side->base, 11);
	assert_int_equal(side->kept, 0);
	kept = stream_kept(t.r.flow, TO_SERVER, 6, &len);
	assert_int_equal(len, 5);
	assert_memory_equal(kept, "world", 5);
	passes(TO_CLIENT, 1, 7, ACK, NULL);
	assert_int_equal(side->kept, 6);
	assert_null(stream_kept(t.r.flow, TO_SERVER, 5, &len));
	assert_int_equal(len, 0);
	assert_null(stream_kept(t.r.flow, TO_SERVER, 11, &len));
	assert_int_equal(stream_end(t.r.flow, TO_SERVER), 11);
	assert_int_equal(stream_offset(t.r.flow, TO_SERVER, t.isn[0] + 1), 0);
	assert_int_equal(stream_offset(t.r.flow, TO_SERVER, t.isn[0]), -1);
	assert_int_equal(stream_seq(t.r.flow, TO_SERVER, 5), (uint32_t)(t.isn[0] + 6));
	passes(TO_CLIENT, 1, 12, ACK, NULL);
	assert_int_equal(side->kept, 11);
}

/* What the consumer still needs stays although it is acknowledged. */
static void test_kept_until_consumed(void **state)
{
	struct stream_side *side;

	(void)state;
	talk_handshake(&t);
	t.lazy = true;
	passes(TO_SERVER, 1, 1, ACK, "hello");
	side = &t.r.flow->side[0];
	side->app_done = 5;
	side->raw_done = 2;
	passes(TO_CLIENT, 1, 6, ACK, NULL);
	assert_int_equal(side->base, 2);
	assert_int_equal(side->kept, 2);
	assert_int_equal(side->len, 3);
	assert_memory_equal(side->data, "llo", 3);
	side->raw_done = 5;
	passes(TO_CLIENT, 1, 6, ACK, NULL);
	assert_int_equal(side->kept, 5);
	assert_int_equal(side->len, 0);
}

static void test_first_copy_wins(void **state)
{
	char frame[16] = "helloEVILD!";

	(void)state;
	talk_handshake(&t);
	passes(TO_SERVER, 1, 1, ACK, "hello world");
	passes(TO_CLIENT, 1, 6, ACK, NULL);
	passes(TO_SERVER, 1, 1, ACK, frame);
	assert_true(t.r.differs);
	assert_true(talk_event(&t, "reassembly_overlap_different_data"));
	assert_int_equal(t.r.off, 0);
	assert_int_equal(t.r.stale, 5);
	assert_false(t.r.early);
	stream_normalise(t.r.flow, TO_SERVER, t.r.off, (uint8_t *)frame, 11);
	assert_string_equal(frame, "hello world");
	passes(TO_SERVER, 1, 1, ACK, "hello world");
	assert_false(t.r.differs);
	passes(TO_SERVER, 6, 1, ACK, " world, and more"); /* old and new in one */
	assert_false(t.r.differs);
	assert_int_equal(t.r.off, 5);
	assert_int_equal(t.r.stale, 0);
	assert_out(TO_SERVER, "hello world, and more");
}

static void test_early(void **state)
{
	char frame[16] = "XXXXXXXXXXXX";

	(void)state;
	talk_handshake(&t);
	passes(TO_SERVER, 5, 1, ACK, "late");
	assert_true(t.r.early);
	assert_false(t.r.filled);
	assert_int_equal(t.r.off, 4);
	passes(TO_SERVER, 7, 1, ACK, "TEx"); /* over what waits, and beyond it */
	assert_true(t.r.differs);
	assert_true(t.r.early);
	passes(TO_SERVER, 1, 1, ACK, "the");
	assert_false(t.r.early);
	assert_false(t.r.filled);
	stream_normalise(t.r.flow, TO_SERVER, 1, (uint8_t *)frame, 9);
	assert_memory_equal(frame, "heXlatexX", 9);
	passes(TO_SERVER, 4, 1, ACK, " ");
	assert_true(t.r.filled);
	assert_false(t.r.early);
	assert_out(TO_SERVER, "the latex");
	assert_int_equal(stream_end(t.r.flow, TO_SERVER), 9);
}

/* A side that nobody wants to see is compared all the same. */
static void test_unwanted(void **state)
{
	char frame[8] = "EVIL";

	(void)state;
	talk_handshake(&t);
	t.r.flow->side[0].no_app = t.r.flow->side[0].no_raw = true;
	passes(TO_SERVER, 1, 1, ACK, "good");
	assert_int_equal(t.r.flow->side[0].len, 0);
	passes(TO_SERVER, 1, 1, ACK, frame);
	assert_true(t.r.differs);
	stream_normalise(t.r.flow, TO_SERVER, t.r.off, (uint8_t *)frame, 4);
	assert_string_equal(frame, "good");
	passes(TO_CLIENT, 1, 5, ACK, NULL);
	assert_int_equal(t.r.flow->side[0].kept, 4);
}

/* ---- no gap is given up ----------------------------------------------------------------- */

static void test_gap_stays(void **state)
{
	(void)state;
	talk_handshake(&t);
	passes(TO_SERVER, 1, 1, ACK, "one");
	passes(TO_SERVER, 7, 1, ACK, "three");
	passes(TO_CLIENT, 1, 12, ACK, NULL); /* it can't have got the middle */
	assert_true(talk_event(&t, "reassembly_seq_gap"));
	assert_int_equal(t.r.flow->side[0].kept, 0);
	passes(TO_SERVER, 12, 1, ACK, "four");
	assert_int_equal(stream_end(t.r.flow, TO_SERVER), 3);
	passes(TO_CLIENT, 1, 4, ACK, NULL);
	assert_int_equal(t.r.flow->side[0].kept, 3);
	passes(TO_SERVER, 4, 1, ACK, "two");
	assert_true(t.r.filled);
	assert_out(TO_SERVER, "onetwothreefour");
	assert_int_equal(t.r.flow->side[0].gap_end, 0);
}

static void test_gap_at_reset(void **state)
{
	(void)state;
	talk_handshake(&t);
	passes(TO_SERVER, 1, 1, ACK, "one");
	passes(TO_SERVER, 7, 1, ACK, "three");
	passes(TO_CLIENT, 1, 4, RST | ACK, NULL);
	assert_int_equal(t.r.flow->state, STREAM_CLOSED);
	assert_out(TO_SERVER, "one");
	refused(TO_SERVER, 4, 1, ACK, "two");
	passes(TO_SERVER, 7, 1, ACK, "three"); /* known */
	assert_out(TO_SERVER, "one");
}

/* ---- what is refused -------------------------------------------------------------------- */

static void test_no_session(void **state)
{
	(void)state;
	refused(TO_SERVER, 1, 1, ACK, NULL);
	refused(TO_SERVER, 1, 1, ACK, "data");
	refused(TO_SERVER, 1, 1, FIN | ACK, NULL);
	refused(TO_CLIENT, 1, 1, RST, NULL);
	refused(TO_CLIENT, 0, 1, SYN | ACK, NULL);
	passes(TO_SERVER, 0, 0, SYN, NULL);
	refused(TO_SERVER, 1, 1, ACK, "not yet");
	refused(TO_CLIENT, 1, 1, ACK, "not yet");
}

static void test_broken(void **state)
{
	(void)state;
	talk_end(&t);
	begin((struct stream_conf){.checksums = true}, 1 << 20);
	talk_handshake(&t);
	t.p.bad_l4_csum = true;
	refused(TO_SERVER, 1, 1, ACK, "x");
	refused(TO_SERVER, 1, 1, ACK, NULL);
	t.p.bad_l4_csum = false;
	refused(TO_SERVER, 1, 0, PSH, "no ACK flag");
	refused(TO_SERVER, 70000, 1, ACK, "out of window");
	refused(TO_SERVER, 0, 0, SYN | FIN, NULL);
	refused(TO_SERVER, 1, 200000, ACK, "acknowledges what nobody could send");
	passes(TO_SERVER, 1, 1, ACK, "x");
}

static void test_limits(void **state)
{
	(void)state;
	talk_end(&t);
	begin((struct stream_conf){.window = 1000, .depth = 5000}, 1 << 20);
	talk_handshake(&t);
	refused(TO_SERVER, 1001, 1, ACK, "too far beyond the gap");
	for (uint32_t i = 0; i < 450; i++) {
		talk_tcp(&t, TO_SERVER, 3 + 2 * i, 1, ACK, "x", 1);
		assert_false(t.r.refuse);
	}
	talk_tcp(&t, TO_SERVER, 1, 1, ACK, block, 1000); /* fills all of them */
	assert_false(t.r.refuse);
	assert_true(t.r.filled && t.r.differs);
	talk_tcp(&t, TO_SERVER, 1001, 1, ACK, block, 5000);
	assert_true(t.r.refuse); /* partly beyond the depth */
	talk_tcp(&t, TO_SERVER, 1001, 1, ACK, block, 4000);
	assert_false(t.r.refuse);
	refused(TO_SERVER, 5001, 1, ACK, "deeper");
	assert_false(t.r.flow->side[0].truncated);
	passes(TO_CLIENT, 1, 5001, ACK, NULL);
}

/* What was refused leaves no trace: neither the FIN nor how far the sender has come. */
static void test_refused_leaves_nothing(void **state)
{
	(void)state;
	talk_end(&t);
	begin((struct stream_conf){.window = 10}, 1 << 20);
	talk_handshake(&t);
	refused(TO_SERVER, 11, 1, FIN | ACK, "ab");
	assert_int_equal(t.r.flow->state, STREAM_ESTABLISHED);
	passes(TO_SERVER, 1, 1, ACK, "0123456789a");
	passes(TO_SERVER, 12, 1, ACK, "b"); /* no keepalive */
	passes(TO_SERVER, 13, 1, FIN | ACK, "c");
	assert_out(TO_SERVER, "0123456789abc");
	refused(TO_CLIENT, 11, 14, FIN | ACK, "ab");
	assert_int_equal(t.r.flow->state, STREAM_CLOSE_WAIT);
	passes(TO_CLIENT, 1, 15, FIN | ACK, "x");
	assert_out(TO_CLIENT, "x");
}

static void test_pieces(void **state)
{
	uint32_t n = 0;

	(void)state;
	talk_handshake(&t);
	for (uint32_t i = 0; i < 600; i++) {
		talk_tcp(&t, TO_SERVER, 3 + 2 * i, 1, ACK, "x", 1);
		n += !t.r.refuse;
	}
	assert_int_equal(n, 512);
	passes(TO_SERVER, 1, 1, ACK, "ab");
	assert_true(t.r.filled);
	passes(TO_SERVER, 3 + 2 * 512, 1, ACK, "x"); /* room again */
}

/* One loss, and all that follows: as many segments as the window holds. */
static void test_one_loss(void **state)
{
	(void)state;
	t.p.tcp.has_wscale = true;
	t.p.tcp.wscale = 7;
	talk_handshake(&t);
	passes(TO_CLIENT, 1, 1, ACK, NULL);
	for (uint32_t i = 0; i < 2000; i++) {
		talk_tcp(&t, TO_SERVER, 101 + 100 * i, 1, ACK, block, 100);
		assert_true(!t.r.refuse && t.r.early);
	}
	talk_tcp(&t, TO_SERVER, 1, 1, ACK, block, 100);
	assert_true(!t.r.refuse && t.r.filled);
	assert_int_equal(stream_end(t.r.flow, TO_SERVER), 200100);
}

/* Bytes that are never acknowledged: bounded, and the flow goes on when they are. */
static void test_memory_of_a_side(void **state)
{
	uint32_t at = 1, most = 0;

	(void)state;
	talk_end(&t);
	begin((struct stream_conf){0}, 64 << 20);
	t.p.tcp.has_wscale = true;
	t.p.tcp.wscale = 14;
	talk_handshake(&t);
	passes(TO_CLIENT, 1, 1, ACK, NULL);
	for (unsigned i = 0; i < 200; i++) {
		talk_tcp(&t, TO_SERVER, at, 1, ACK, block, sizeof(block));
		if (t.r.refuse)
			break;
		at += sizeof(block);
		t.len[0] = 0;
	}
	most = at;
	assert_true(t.r.refuse);
	assert_true(talk_event(&t, "reassembly_insert_memcap"));
	assert_in_range(most, (4 << 20) - sizeof(block), 4 << 20);
	assert_false(t.r.flow->side[0].truncated);
	passes(TO_CLIENT, 1, at, ACK, NULL);
	talk_tcp(&t, TO_SERVER, at, 1, ACK, block, sizeof(block));
	assert_false(t.r.refuse);
}

static uint64_t memory_used(void)
{
	struct slab_stats m;

	slab_read_stats(t.slab, &m);
	return m.used;
}

/* Others have so much memory. Sends 1.2 MB, has all acknowledged, sends one byte: what memory that byte takes. */
static uint64_t memory_of_the_next(size_t others)
{
	uint32_t at = 1;
	uint64_t before, used;
	void *hog;

	talk_end(&t);
	begin((struct stream_conf){0}, 32 << 20);
	t.p.tcp.has_wscale = true;
	t.p.tcp.wscale = 14;
	talk_handshake(&t);
	passes(TO_CLIENT, 1, 1, ACK, NULL);
	hog = slab_alloc(t.slab, others);
	assert_non_null(hog);
	before = memory_used();
	for (unsigned i = 0; i < 20; i++, at += sizeof(block)) {
		talk_tcp(&t, TO_SERVER, at, 1, ACK, block, sizeof(block));
		assert_false(t.r.refuse);
		t.len[0] = 0;
	}
	passes(TO_CLIENT, 1, at, ACK, NULL);
	assert_int_equal(memory_used(), before);
	passes(TO_SERVER, at, 1, ACK, "x");
	used = memory_used() - before;
	slab_free(t.slab, hog);
	return used;
}

/* A fast flow's buffer begins as large as it was needed, but not at the cost of others. */
static void test_usual(void **state)
{
	(void)state;
	assert_in_range(memory_of_the_next(1), 20 * sizeof(block), 4 << 20);
	assert_in_range(memory_of_the_next(16 << 20), 1, 8192);
}

static void test_no_memory(void **state)
{
	static void *hog[100000];
	struct stream_stats st;
	uint32_t n = 0;

	(void)state;
	talk_handshake(&t);
	passes(TO_SERVER, 5, 1, ACK, "o");
	for (size_t size = 32768; size; size /= 2)
		while (n < ARRAY_LEN(hog) && (hog[n] = slab_alloc(t.slab, size)))
			n++;
	refused(TO_SERVER, 1, 1, ACK, "hell");
	stream_read_stats(t.s, &st);
	assert_true(st.memory_refused > 0);
	assert_false(t.r.flow->side[0].truncated);
	while (n)
		slab_free(t.slab, hog[--n]);
	passes(TO_SERVER, 1, 1, ACK, "hell");
	assert_true(t.r.filled);
	assert_out(TO_SERVER, "hello");
}

/* ---- what real stacks do in daily life --------------------------------------------------- */

struct row {
	uint8_t dir;
	uint16_t seq, ack;
	uint8_t flags;
	const char *text;
};

static void all_pass(const struct row *row, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const char *text = row[i].text;

		t.now_ns += NS_PER_SEC / 10;
		talk_tcp(&t, row[i].dir, row[i].seq, row[i].ack, row[i].flags, text,
			 text ? (uint32_t)strlen(text) : 0);
		if (t.r.refuse)
			fail_msg("row %u was refused", i);
	}
}

static void test_daily_life(void **state)
{
	static const struct row rows[] = {
		{TO_SERVER, 0, 0, SYN, NULL},
		{TO_SERVER, 0, 0, SYN, NULL}, /* again */
		{TO_CLIENT, 0, 1, SYN | ACK, NULL},
		{TO_CLIENT, 0, 1, SYN | ACK, NULL},
		{TO_SERVER, 0, 0, SYN, NULL}, /* was on its way */
		{TO_SERVER, 1, 1, ACK, NULL},
		{TO_CLIENT, 0, 1, SYN | ACK, NULL},
		{TO_SERVER, 1, 1, ACK, NULL},
		{TO_SERVER, 1, 1, ACK | PSH, "GET /"},
		{TO_SERVER, 0, 1, ACK, NULL}, /* keepalives, with and without a byte */
		{TO_SERVER, 5, 1, ACK, "/"},
		{TO_CLIENT, 1, 6, ACK, NULL},
		{TO_CLIENT, 0, 6, ACK, NULL},
		{TO_CLIENT, 0, 6, ACK, "?"},
		{TO_SERVER, 6, 1, ACK, NULL},
		{TO_SERVER, 1, 1, ACK | PSH, "GET /"}, /* the acknowledgement was lost */
		{TO_CLIENT, 1, 6, ACK, NULL},
		{TO_CLIENT, 1, 6, ACK | PSH, "200 OK"},
		{TO_CLIENT, 1, 6, ACK | PSH, "200 OK"},
		{TO_SERVER, 6, 7, ACK, NULL},
		{TO_CLIENT, 7, 6, FIN | ACK, NULL},
		{TO_SERVER, 6, 1, ACK, NULL}, /* late */
		{TO_CLIENT, 7, 6, FIN | ACK, NULL},
		{TO_SERVER, 6, 8, ACK, NULL},
		{TO_SERVER, 6, 8, ACK | PSH, "bye"}, /* the other half is open still */
		{TO_CLIENT, 8, 9, ACK, NULL},
		{TO_SERVER, 6, 8, FIN | ACK | PSH, "bye"}, /* sent again, with the FIN */
		{TO_SERVER, 9, 8, FIN | ACK, NULL},
		{TO_CLIENT, 8, 10, ACK, NULL},
		{TO_CLIENT, 8, 10, ACK, NULL},
		{TO_SERVER, 9, 8, FIN | ACK, NULL},
		{TO_CLIENT, 8, 10, RST | ACK, NULL},
	};

	(void)state;
	all_pass(rows, ARRAY_LEN(rows));
	assert_out(TO_SERVER, "GET /bye");
	assert_out(TO_CLIENT, "200 OK");
	refused(TO_SERVER, 10, 8, ACK, "after the end");
}

/* The FIN comes before the data do, and later with them in one segment. */
static void test_early_fin(void **state)
{
	static const struct row rows[] = {
		{TO_SERVER, 8, 1, FIN | ACK, NULL}, {TO_SERVER, 5, 1, FIN | ACK, "two"},
		{TO_CLIENT, 1, 1, ACK, NULL},       {TO_SERVER, 1, 1, FIN | ACK, "one two"},
		{TO_CLIENT, 1, 9, FIN | ACK, NULL}, {TO_SERVER, 9, 2, ACK, NULL}};

	(void)state;
	talk_handshake(&t);
	all_pass(rows, 1);
	assert_true(t.r.early);
	refused(TO_SERVER, 8, 1, ACK, "behind the end");
	refused(TO_SERVER, 6, 1, FIN | ACK, NULL); /* another end */
	all_pass(rows + 1, ARRAY_LEN(rows) - 1);
	assert_out(TO_SERVER, "one two");
	assert_int_equal(t.r.flow->state, STREAM_CLOSED);
}

static void test_zero_window(void **state)
{
	static const struct row rows[] = {
		{TO_SERVER, 5, 1, ACK, NULL}, /* Linux probes with an old number */
		{TO_SERVER, 6, 1, ACK, "w"},  /* others with a byte */
		{TO_SERVER, 6, 1, ACK, "w"},  /* and again */
		{TO_CLIENT, 1, 6, ACK, NULL}, /* no room yet */
	};

	(void)state;
	talk_end(&t);
	begin((struct stream_conf){0}, 1 << 20);
	talk_tcp(&t, TO_SERVER, 0, 0, SYN, NULL, 0);
	t.p.tcp.win = 5;
	talk_tcp(&t, TO_CLIENT, 0, 1, SYN | ACK, NULL, 0);
	talk_tcp(&t, TO_SERVER, 1, 1, ACK, NULL, 0);
	passes(TO_SERVER, 1, 1, ACK, "hello");
	t.p.tcp.win = 0;
	passes(TO_CLIENT, 1, 6, ACK, NULL);
	all_pass(rows, ARRAY_LEN(rows));
	refused(TO_SERVER, 6, 1, ACK, "world"); /* more than was allowed */
	t.p.tcp.win = 1000;
	passes(TO_CLIENT, 1, 6, ACK, NULL); /* window update */
	passes(TO_SERVER, 6, 1, ACK, "world");
	assert_out(TO_SERVER, "helloworld");
}

static void test_simultaneous(void **state)
{
	static const struct row open[] = {
		{TO_SERVER, 0, 0, SYN, NULL},       {TO_CLIENT, 0, 0, SYN, NULL},
		{TO_SERVER, 0, 1, SYN | ACK, NULL}, {TO_CLIENT, 0, 1, SYN | ACK, NULL},
		{TO_SERVER, 1, 1, ACK, NULL},       {TO_CLIENT, 1, 1, ACK, "hi"},
		{TO_SERVER, 1, 3, ACK, "ho"}};
	static const struct row close[] = {{TO_SERVER, 3, 3, FIN | ACK, NULL},
					   {TO_CLIENT, 3, 3, FIN | ACK, NULL},
					   {TO_SERVER, 4, 4, ACK, NULL},
					   {TO_CLIENT, 4, 4, ACK, NULL}};

	(void)state;
	all_pass(open, ARRAY_LEN(open));
	all_pass(close, ARRAY_LEN(close));
	assert_int_equal(t.r.flow->state, STREAM_CLOSED);
	assert_out(TO_CLIENT, "hi");
	assert_out(TO_SERVER, "ho");
}

/* The client was switched off and comes back: the server's challenge and the client's reset pass, and a
 * new conversation begins. */
static void test_challenge(void **state)
{
	uint64_t old;

	(void)state;
	talk_handshake(&t);
	passes(TO_SERVER, 1, 1, ACK, "old");
	passes(TO_CLIENT, 1, 4, ACK, NULL);
	old = t.r.flow->id;
	passes(TO_SERVER, 30000, 0, SYN, NULL);
	passes(TO_CLIENT, 1, 4, ACK, NULL);
	passes(TO_SERVER, 4, 0, RST, NULL);
	passes(TO_SERVER, 30000, 0, SYN, NULL);
	assert_int_not_equal(t.r.flow->id, old);
	t.isn[0] += 30000;
	passes(TO_CLIENT, 0, 1, SYN | ACK, NULL);
	passes(TO_SERVER, 1, 1, ACK, "new");
	assert_out(TO_SERVER, "oldnew");
}

/* A host that knows nothing of the old connection answers for it before the new one is there. */
static void test_half_open(void **state)
{
	(void)state;
	passes(TO_SERVER, 0, 0, SYN, NULL);
	passes(TO_CLIENT, 7000, 9000, ACK, NULL);
	passes(TO_SERVER, 9000, 0, RST, NULL);
	passes(TO_SERVER, 0, 0, SYN, NULL);
	passes(TO_CLIENT, 0, 1, SYN | ACK, NULL);
	passes(TO_SERVER, 1, 1, ACK, "x");
}

static void test_resets(void **state)
{
	(void)state;
	talk_handshake(&t);
	passes(TO_SERVER, 1, 1, ACK, "hello");
	passes(TO_SERVER, 4000, 1, RST, NULL); /* a guess: the receiver doesn't heed it */
	assert_int_equal(t.r.flow->state, STREAM_ESTABLISHED);
	passes(TO_SERVER, 6, 1, ACK, " world");
	talk_tcp(&t, TO_SERVER, 6, 1, RST | ACK, "why", 3); /* the receiver may stand here yet */
	assert_false(t.r.refuse);
	assert_int_equal(t.r.stale, 3);
	assert_int_equal(t.r.flow->state, STREAM_CLOSED);
	refused(TO_SERVER, 12, 1, ACK, "more");
	passes(TO_CLIENT, 1, 6, ACK, NULL);
	passes(TO_CLIENT, 1, 6, RST, NULL);
}

static void test_data_with_syn(void **state)
{
	(void)state;
	t.p.tcp.has_tfo = true;
	passes(TO_SERVER, 0, 0, SYN, "GET /");
	assert_int_equal(t.r.stale, 5);
	assert_false(t.r.added);
	assert_int_equal(stream_end(t.r.flow, TO_SERVER), 0);
	passes(TO_CLIENT, 0, 1, SYN | ACK, "early answer");
	assert_int_equal(t.r.stale, 12);
	t.p.tcp.has_tfo = false;
	passes(TO_SERVER, 1, 1, ACK, "POST"); /* other bytes: none had passed */
	assert_int_equal(t.r.stale, 0);
	passes(TO_CLIENT, 1, 5, ACK, "answer");
	assert_out(TO_SERVER, "POST");
	assert_out(TO_CLIENT, "answer");
}

/* Known bytes with an old timestamp pass, new ones are a stray. */
static void test_timestamps(void **state)
{
	(void)state;
	t.p.tcp.has_ts = true;
	t.p.tcp.ts_val = 100;
	talk_handshake(&t);
	t.p.tcp.ts_val = 200;
	passes(TO_SERVER, 1, 1, ACK, "hello");
	t.p.tcp.ts_val = 5000000;
	passes(TO_SERVER, (uint32_t)-30000, 1, ACK, "a stranger's guess");
	t.p.tcp.ts_val = 150;
	passes(TO_SERVER, 1, 1, ACK, "hallo");
	assert_true(t.r.bad && t.r.differs);
	refused(TO_SERVER, 6, 1, ACK, "new");
	t.p.tcp.ts_val = 201;
	passes(TO_SERVER, 6, 1, ACK, "new");
	assert_false(t.r.bad);
}

/* ---- the table -------------------------------------------------------------------------- */

static void count(void *ctx, struct stream_flow *f)
{
	*(uint64_t *)ctx += f->id;
}

static void test_each(void **state)
{
	uint64_t ids = 0, want = 0;

	(void)state;
	for (uint16_t i = 0; i < 5; i++) {
		t.client_port = 100 + i;
		talk_handshake(&t);
		want += i != 2 ? t.r.flow->id : 0;
		if (i == 2) {
			t.r.flow->done = true;
			stream_settle(t.s, t.r.flow);
		}
	}
	stream_each(t.s, count, &ids);
	assert_int_equal(ids, want);
}

static void test_dead(void **state)
{
	uint64_t id;

	(void)state;
	talk_end(&t);
	begin((struct stream_conf){.flows = 4}, 1 << 20);
	talk_handshake(&t);
	passes(TO_SERVER, 1, 1, ACK, "attack");
	id = t.r.flow->id;
	t.r.flow->dead = true;
	stream_settle(t.s, t.r.flow);
	for (uint16_t i = 0; i < 100; i++) {
		t.client_port = 1 + i; /* others come and go: it is not forgotten */
		talk_handshake(&t);
		t.client_port = 40000;
		if (i % 10)
			continue;
		t.now_ns += 120 * NS_PER_SEC;
		stream_sweep(t.s, t.now_ns, 100);
		refused(TO_SERVER, 1, 1, ACK, "attack");
		assert_int_equal(t.r.flow->id, id);
		refused(TO_CLIENT, 1, 1, ACK, NULL);
		refused(TO_SERVER, 1, 1, RST, NULL);
	}
}

/* Dead ones don't fill the table. */
static void test_many_dead(void **state)
{
	uint64_t alive;

	(void)state;
	talk_end(&t);
	begin((struct stream_conf){.flows = 8}, 1 << 20);
	talk_handshake(&t);
	alive = t.r.flow->id;
	for (uint16_t i = 1; i < 50; i++) {
		t.client_port = i;
		talk_handshake(&t);
		t.r.flow->dead = true;
		stream_settle(t.s, t.r.flow);
		t.client_port = 40000;
		passes(TO_SERVER, 1, 1, ACK, NULL);
		assert_int_equal(t.r.flow->id, alive);
	}
}

/* ---- the property ----------------------------------------------------------------------- */

static void test_schedules(void **state)
{
	uint32_t n_refused, n_changed;

	(void)state;
	schedules_run(1, 4000, &n_refused, &n_changed);
	assert_true(n_refused > 1000 &&
		    n_changed > 1000); /* the schedules are no walk in the park */
}

static void test_poor_schedules(void **state)
{
	uint64_t denied;

	(void)state;
	schedules_run_poor(1000000, 500, &denied);
	assert_true(denied > 100);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kept_until_acknowledged),
		TEST(test_kept_until_consumed),
		TEST(test_first_copy_wins),
		TEST(test_early),
		TEST(test_unwanted),
		TEST(test_gap_stays),
		TEST(test_gap_at_reset),
		TEST(test_no_session),
		TEST(test_broken),
		TEST(test_limits),
		TEST(test_refused_leaves_nothing),
		TEST(test_pieces),
		TEST(test_one_loss),
		TEST(test_memory_of_a_side),
		TEST(test_usual),
		TEST(test_no_memory),
		TEST(test_daily_life),
		TEST(test_early_fin),
		TEST(test_zero_window),
		TEST(test_simultaneous),
		TEST(test_challenge),
		TEST(test_half_open),
		TEST(test_resets),
		TEST(test_data_with_syn),
		TEST(test_timestamps),
		TEST(test_each),
		TEST(test_dead),
		TEST(test_many_dead),
		cmocka_unit_test(test_schedules),
		cmocka_unit_test(test_poor_schedules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
