/* SPDX-License-Identifier: BSD-2-Clause */
/* Translation against a model that looks at every position, and the cases that are easy to get wrong. */
#include "scrub/xlate_priv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BYTES 120
#define MODEL_EDITS 24
#define SEQ0 0xfffffff0u

struct model_edit {
	int64_t off;
	uint32_t len, n, nth;
	bool back;
};

/* The truth: a list of edits, in any order. Nothing is ever pruned here. */
struct model {
	struct model_edit edits[MODEL_EDITS];
	uint32_t n;
};

static uint64_t seed = 88172645463325252u;

static uint32_t below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 20) % n;
}

static const struct model_edit *model_around(const struct model *m, int64_t in)
{
	for (uint32_t i = 0; i < m->n; i++)
		if (m->edits[i].off < in && in < m->edits[i].off + m->edits[i].len)
			return &m->edits[i];
	return NULL;
}

static int64_t model_out(const struct model *m, int64_t in)
{
	const struct model_edit *mid = model_around(m, in);
	int64_t out = mid != NULL ? mid->off : in;
	for (uint32_t i = 0; i < m->n; i++) {
		const struct model_edit *e = &m->edits[i];
		bool before = e->len > 0 ? e->off + e->len <= in
			      : e->back  ? e->off <= in
					 : e->off < in;
		/* Insertions at the place where an edit begins stand before it. */
		if (mid != NULL && e->len == 0)
			before = e->off <= mid->off;
		if (before && e != mid)
			out += (int64_t)e->n - e->len;
	}
	return out;
}

static int64_t model_in(const struct model *m, int64_t out, int64_t emitted)
{
	for (int64_t in = emitted; in > 0; in--)
		if (model_around(m, in) == NULL && model_out(m, in) <= out)
			return in;
	return 0;
}

/* Is every byte of the block's translation received, and is the next larger one not? */
static void check_sack(const struct model *m, const struct xlate *x, int64_t left, int64_t right)
{
	int64_t emitted = xlate_emitted(x), from = 0, to = 0;
	uint32_t l = SEQ0 + (uint32_t)left, r = SEQ0 + (uint32_t)right;
	for (from = 0; from < emitted; from++)
		if (model_around(m, from) == NULL && model_out(m, from) >= left)
			break;
	to = model_in(m, right, emitted);
	bool any = xlate_sack(x, &l, &r);
	/* Deletions at the beginning may count as received, or not. */
	if (any) {
		assert_true((int32_t)(l - SEQ0) >= from && (int32_t)(r - SEQ0) == to);
		assert_int_equal(model_out(m, (int32_t)(l - SEQ0)), model_out(m, from));
	} else {
		assert_true(to <= from || model_out(m, to) == model_out(m, from));
	}
}

static void check_all(const struct model *m, const struct xlate *x)
{
	int64_t emitted = xlate_emitted(x), floor = xlate_in(x, xlate_out_acked(x)), last = -1;
	floor = floor < 0 ? 0 : floor;
	for (int64_t in = floor; in <= BYTES; in++) {
		int64_t out = xlate_out(x, in);
		assert_int_equal(out, model_out(m, in));
		assert_true(out >= last);
		last = out;
		assert_int_equal(xlate_seq(x, SEQ0 + (uint32_t)in, false), SEQ0 + (uint32_t)out);
	}
	int64_t acked = xlate_out_acked(x);
	for (int64_t out = acked < 0 ? 0 : acked; out <= model_out(m, emitted) + 3; out++) {
		assert_int_equal(xlate_in(x, out), model_in(m, out, emitted));
		assert_int_equal(xlate_ack(x, SEQ0 + (uint32_t)out),
				 SEQ0 + (uint32_t)xlate_in(x, out));
	}
	/* What is older than all that stays older. */
	for (int64_t in = 0; in < floor; in++)
		assert_true(xlate_out(x, in) <= acked);
	for (int64_t out = 0; out < acked; out++)
		assert_true(xlate_in(x, out) <= floor);
	for (unsigned i = 0; i < 20; i++) {
		int64_t end = model_out(m, emitted), left = acked < 0 ? 0 : acked;
		if (end > left) {
			left += below((uint32_t)(end - left));
			check_sack(m, x, left, left + 1 + below((uint32_t)(end - left)));
		}
	}
}

/* Is any byte of from .. to not itself, or not needed any more? */
static bool model_plain(const struct model *m, int64_t from, int64_t to, int64_t acked)
{
	int64_t out = model_out(m, from);
	for (uint32_t i = 0; i < m->n; i++) {
		const struct model_edit *e = &m->edits[i];
		if (e->len > 0 && e->off < to && from < e->off + e->len)
			return false;
	}
	for (int64_t in = from; in <= to; in++)
		if (model_out(m, in) != out + in - from)
			return false;
	return out >= acked;
}

static void check_spans(const struct model *m, const struct xlate *x)
{
	int64_t acked = xlate_out_acked(x), emitted = xlate_emitted(x);
	for (unsigned i = 0; i < 20 && emitted > 0; i++) {
		int64_t from = below((uint32_t)emitted), left, right;
		int64_t to = from + 1 + below((uint32_t)(emitted - from));
		const struct model_edit *last = model_around(m, to);
		bool plain = from >= xlate_in(x, acked) && model_plain(m, from, to, acked);
		if (m->n > 0)
			assert_int_equal(xlate_plain(x, from, to), plain);
		xlate_span(x, from, to, &left, &right);
		to = last != NULL ? last->off + last->len : to;
		int64_t end = model_out(m, to);
		from = model_out(m, from);
		assert_int_equal(left, from > acked ? from : acked);
		assert_int_equal(right, end > left ? end : left);
	}
}

/* A random edit, allowed or not: xlate says which, and must be right about it. */
static void random_edit(struct model *m, struct xlate *x)
{
	static const uint8_t bytes[16];
	struct model_edit e = {.off = below(BYTES), .len = below(3) * below(5), .n = below(12)};
	bool fits = e.off >= xlate_emitted(x);
	if (m->n == MODEL_EDITS || e.len + e.n == 0)
		return;
	for (uint32_t i = 0; i < m->n; i++) {
		const struct model_edit *o = &m->edits[i];
		if (o->len > 0 && e.len > 0)
			fits = fits && (e.off >= o->off + o->len || o->off >= e.off + e.len);
		else if (o->len > 0)
			fits = fits && (e.off <= o->off || e.off >= o->off + o->len);
		else if (e.len > 0)
			fits = fits && (o->off <= e.off || o->off >= e.off + e.len);
	}
	e.back = e.len == 0 && e.off > xlate_emitted(x);
	int err = xlate_edit(x, e.off, e.len, bytes, e.n);
	assert_int_equal(err, fits ? 0 : SKEP_ERANGE);
	if (fits)
		m->edits[m->n++] = e;
}

static void test_model(void **state)
{
	struct slab *slab;
	struct slab_stats st;
	assert_int_equal(slab_create(16 << 20, &slab), 0);
	for (unsigned run = 0; run < 600; run++) {
		struct model m = {.n = 0};
		struct xlate *x;
		assert_int_equal(xlate_create(slab, SEQ0, 0, &x), 0);
		for (unsigned step = 0; step < 40; step++) {
			uint32_t what = below(4);
			if (what < 2) {
				random_edit(&m, x);
			} else if (what == 2) {
				int64_t to = xlate_emitted(x) + below(12);
				xlate_emit(x, to < BYTES ? to : BYTES);
				assert_null(model_around(&m, xlate_emitted(x)));
			} else {
				xlate_acked(x, below((uint32_t)xlate_out(x, xlate_emitted(x)) + 4));
			}
			check_all(&m, x);
			check_spans(&m, x);
		}
		assert_int_equal(xlate_edited(x), m.n > 0);
		xlate_free(&x);
	}
	slab_read_stats(slab, &st);
	assert_int_equal(st.used, 0);
	slab_free_all(&slab);
}

struct fixture {
	struct slab *slab;
	struct xlate *x;
};

static int setup(void **state)
{
	static struct fixture f;
	*state = &f;
	return slab_create(8 << 20, &f.slab) | xlate_create(f.slab, 1000, 0, &f.x);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	xlate_free(&f->x);
	slab_free_all(&f->slab);
	return 0;
}

static void test_identity(void **state)
{
	uint32_t l = 5, r = 9;
	assert_int_equal(xlate_out(NULL, 17), 17);
	assert_int_equal(xlate_in(NULL, 17), 17);
	assert_int_equal(xlate_seq(NULL, 17, true), 17);
	assert_int_equal(xlate_ack(NULL, 17), 17);
	assert_true(xlate_sack(NULL, &l, &r));
	assert_int_equal(l, 5);
	assert_int_equal(r, 9);
	assert_true(xlate_plain(NULL, 1, 2));
	assert_false(xlate_edited(NULL));
	xlate_acked(NULL, 4);
	struct xlate *none = NULL;
	xlate_free(&none);
}

static void read_all(const struct xlate *x, const char *kept, const char *want)
{
	struct xlate_kept k = {
		.off = 0, .data = (const uint8_t *)kept, .len = (uint32_t)strlen(kept)};
	uint32_t n = (uint32_t)strlen(want);
	uint8_t got[64];
	assert_int_equal(xlate_out(x, k.len), n);
	/* Whole, and from every place to every other one. */
	for (uint32_t from = 0; from <= n; from++)
		for (uint32_t to = from; to <= n; to++) {
			assert_int_equal(xlate_read(x, &k, from, got, to - from), 0);
			assert_memory_equal(got, want + from, to - from);
		}
}

static void test_read(void **state)
{
	struct xlate *x = ((struct fixture *)*state)->x;
	assert_int_equal(xlate_edit(x, 10, 3, "QUITE", 5), 0); /* before those in front of it */
	assert_int_equal(xlate_edit(x, 0, 0, "<", 1), 0);
	assert_int_equal(xlate_edit(x, 4, 1, NULL, 0), 0);
	assert_int_equal(xlate_edit(x, 5, 0, "[", 1), 0);
	assert_int_equal(xlate_edit(x, 5, 0, "]", 1), 0);
	assert_int_equal(xlate_edit(x, 5, 2, "x", 1), 0);
	read_all(x, "get some bytes", "<get []xe bQUITEs");
	struct xlate_kept part = {.off = 3, .data = (const uint8_t *)" some", .len = 5};
	uint8_t got[64];
	assert_int_equal(xlate_read(x, &part, 4, got, 5), 0);
	assert_memory_equal(got, " []xe", 5);
	assert_int_equal(xlate_read(x, &part, 3, got, 5), SKEP_ENOTFOUND);
	assert_int_equal(xlate_read(x, &part, 4, got, 7), SKEP_ENOTFOUND);
}

/* An insertion belongs to the byte before it, unless that has left already. */
static void test_insertions(void **state)
{
	struct xlate *x = ((struct fixture *)*state)->x;
	int64_t from, to;
	assert_int_equal(xlate_edit(x, 10, 0, "tail", 4), 0);
	assert_int_equal(xlate_emit(x, 10), 10);
	assert_int_equal(xlate_out(x, 10), 14);
	assert_int_equal(xlate_in(x, 13), 9);
	assert_int_equal(xlate_in(x, 14), 10);
	assert_int_equal(xlate_edit(x, 10, 0, "head", 4), 0);
	assert_int_equal(xlate_out(x, 10), 14);
	assert_int_equal(xlate_out(x, 11), 19);
	assert_int_equal(xlate_in(x, 14), 10);
	assert_int_equal(xlate_in(x, 18), 10); /* never sent: nobody can have it */
	/* The FIN carries it if no byte comes. */
	assert_int_equal(xlate_emit(x, 11), 11);
	xlate_span(x, 10, 11, &from, &to);
	assert_int_equal(from, 14);
	assert_int_equal(to, 19);
	assert_int_equal(xlate_in(x, 18), 10);
	assert_int_equal(xlate_in(x, 19), 11);
	/* And who sends byte 9 again sends the tail again. */
	xlate_span(x, 9, 10, &from, &to);
	assert_int_equal(from, 9);
	assert_int_equal(to, 14);
	assert_false(xlate_plain(x, 9, 10));
	assert_true(xlate_plain(x, 2, 9));
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	struct xlate *x = f->x;
	static uint8_t big[XLATE_BYTES];
	assert_int_equal(xlate_emit(x, 50), 50);
	assert_int_equal(xlate_edit(x, 49, 1, "x", 1), SKEP_ERANGE);
	assert_int_equal(xlate_edit(x, 49, 0, "x", 1), SKEP_ERANGE);
	assert_false(xlate_edited(x));
	assert_int_equal(xlate_edit(x, 60, 10, "x", 1), 0);
	assert_int_equal(xlate_edit(x, 69, 2, "x", 1), SKEP_ERANGE);
	assert_int_equal(xlate_edit(x, 55, 6, "x", 1), SKEP_ERANGE);
	assert_int_equal(xlate_edit(x, 65, 0, "x", 1), SKEP_ERANGE);
	assert_int_equal(xlate_edit(x, 60, 10, "x", 1), SKEP_ERANGE);
	assert_int_equal(xlate_edit(x, 70, 2, "x", 1), 0);
	assert_int_equal(xlate_emit(x, 65), 60);
	assert_int_equal(xlate_edit(x, 90, 1, big, XLATE_BYTES - 1), SKEP_EFULL);
	assert_int_equal(xlate_edit(x, 90, 1, big, XLATE_BYTES - 2), 0);
	assert_int_equal(xlate_edit(x, 95, 1, "xx", 1), SKEP_EFULL);
	for (uint32_t i = 3; i < XLATE_EDITS; i++)
		assert_int_equal(xlate_edit(x, 100 + i, 1, NULL, 0), 0);
	assert_int_equal(xlate_edit(x, 9999, 1, NULL, 0), SKEP_EFULL);
	/* All acknowledged: all room is back. */
	xlate_emit(x, 20000);
	xlate_acked(x, xlate_out(x, 20000));
	assert_int_equal(xlate_edit(x, 20000, 1, big, XLATE_BYTES), 0);
	/* A slab that has nothing left is no reason to forget anything. */
	while (slab_alloc(f->slab, 16) != NULL)
		;
	int64_t out = xlate_out(x, 30000);
	xlate_emit(x, 30000);
	xlate_acked(x, xlate_out(x, 30000));
	while (slab_alloc(f->slab, 16) != NULL)
		;
	assert_int_equal(xlate_edit(x, 30000, 1, "yes", 3), -ENOMEM);
	assert_int_equal(xlate_out(x, 30000), out);
	assert_int_equal(xlate_out(x, 30001), out + 1);
}

/* Who acknowledges what never left has not got it for that. */
static void test_early_ack(void **state)
{
	struct xlate *x = ((struct fixture *)*state)->x;
	int64_t from, to;
	xlate_emit(x, 10);
	xlate_acked(x, 5000);
	assert_int_equal(xlate_out_acked(x), 10);
	assert_int_equal(xlate_edit(x, 10, 5, "new", 3), 0);
	xlate_emit(x, 15);
	xlate_span(x, 0, 15, &from, &to);
	assert_int_equal(from, 10);
	assert_int_equal(to, 13);
}

static void test_duplicate_sack(void **state)
{
	struct xlate *x = ((struct fixture *)*state)->x;
	uint32_t left = 1010, right = 1020;
	xlate_emit(x, 100);
	xlate_acked(x, 50);
	assert_true(xlate_sack(x, &left, &right)); /* nothing was changed */
	assert_int_equal(left, 1010);
	assert_int_equal(right, 1020);
	assert_int_equal(xlate_edit(x, 100, 0, "x", 1), 0);
	assert_false(xlate_sack(x, &left, &right));
	left = 1049, right = 1060;
	assert_false(xlate_sack(x, &left, &right));
	left = 1050;
	assert_true(xlate_sack(x, &left, &right));
}

static void test_bare(void **state)
{
	struct xlate *x = ((struct fixture *)*state)->x;
	assert_int_equal(xlate_edit(x, 95, 5, NULL, 0), 0);
	xlate_emit(x, 100);
	assert_int_equal(xlate_seq(x, 1100, true), 1095);
	assert_int_equal(xlate_seq(x, 1120, true), 1095); /* what waits stays unsaid */
	assert_int_equal(xlate_seq(x, 1120, false), 1115);
	assert_int_equal(xlate_seq(x, 999, false), 999); /* the SYN again */
	assert_int_equal(xlate_old(x), 999);
	xlate_acked(x, 90);
	assert_int_equal(xlate_old(x), 1089);
	assert_int_equal(xlate_seq(x, 1090, true), 1090);
	assert_int_equal(xlate_seq(x, 1089, true), 1089);
	xlate_acked(x, 95);
	assert_int_equal(xlate_in(x, 95), 100);
	assert_int_equal(xlate_seq(x, 1099, true), 1094); /* a keep-alive is answered */
	assert_int_equal(xlate_seq(x, 1000, true), 995);
	assert_int_equal(xlate_seq(x, 999, false), 999);
}

/* Thousands of edits with acknowledgements close behind: nothing piles up. */
static void test_long(void **state)
{
	struct fixture *f = *state;
	struct slab_stats st;
	int64_t delta = 0;
	for (int64_t off = 0; off < 2000000; off += 100) {
		assert_int_equal(xlate_edit(f->x, off + 10, 4, "longer", 6), 0);
		xlate_emit(f->x, off + 100);
		delta += 2;
		assert_int_equal(xlate_out(f->x, off + 100), off + 100 + delta);
		if (off >= 5000)
			xlate_acked(f->x, xlate_out(f->x, off - 5000));
	}
	slab_read_stats(f->slab, &st);
	assert_true(st.peak < 65536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_identity),
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_insertions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bare, setup, teardown),
		cmocka_unit_test_setup_teardown(test_early_ack, setup, teardown),
		cmocka_unit_test_setup_teardown(test_duplicate_sack, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long, setup, teardown),
	};
	return cmocka_run_group_tests_name("scrub_xlate", tests, NULL, NULL);
}
