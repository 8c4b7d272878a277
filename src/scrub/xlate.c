/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Edits lie sorted in one array: by in offset; at one offset the insertions that leave with the byte before
 * ("back"), then those that leave with the byte behind, then a replacement or deletion. Their out offsets
 * rise with them, so both ways are a binary search. Positions between edits differ from the other side by
 * what the edit before them added up to.
 *
 * Why an edit is never acknowledged in part: the sender forgets what was acknowledged, and what is left of
 * an edit can only be sent again when the sender sends some of its bytes again. So every byte of output must
 * belong to a byte of input: an insertion to a neighbour (which of them depends on what has left already),
 * a replacement to its first byte, and whoever retransmits a part of it causes the whole to be sent.
 */
#include "scrub/xlate_priv.h"

#include <errno.h>
#include <string.h>

#define EDITS_FIRST 8u

struct edit {
	int64_t in_off, out_off;
	uint32_t in_len, out_len;
	uint8_t *bytes; /* NULL: a deletion */
	bool back;      /* an insertion that leaves with the byte before it */
};

struct xlate {
	struct slab *slab;
	struct edit *edits;         /* edits[first .. end] are in use */
	uint32_t first, end, bytes; /* bytes: held by all edits */
	uint32_t seq0;
	int64_t base; /* out minus in, before the first edit */
	int64_t emitted, limit, out_acked;
	bool edited;
};

int xlate_create(struct slab *slab, uint32_t seq0, int64_t emitted, struct xlate **ret)
{
	struct xlate *x = slab_zalloc(slab, sizeof(*x));
	if (x == NULL)
		return -ENOMEM;
	x->slab = slab;
	x->seq0 = seq0;
	x->emitted = emitted;
	x->limit = XLATE_FREE_RUN;
	*ret = x;
	return 0;
}

void xlate_free(struct xlate **xp)
{
	struct xlate *x = *xp;
	if (x == NULL)
		return;
	for (uint32_t i = x->first; i < x->end; i++)
		slab_free(x->slab, x->edits[i].bytes);
	slab_free(x->slab, x->edits);
	slab_free(x->slab, x);
	*xp = NULL;
}

static int64_t in_end(const struct edit *e)
{
	return e->in_off + e->in_len;
}

static int64_t out_end(const struct edit *e)
{
	return e->out_off + e->out_len;
}

/* Out minus in, between edit k - 1 and edit k. */
static int64_t delta_before(const struct xlate *x, uint32_t k)
{
	return k == x->first ? x->base : out_end(&x->edits[k - 1]) - in_end(&x->edits[k - 1]);
}

/* ---- searches: each gives the first edit (or end) that is not yet ... ----------------------------- */

/* ... begun before the byte at in. */
static uint32_t begun_before(const struct xlate *x, int64_t in)
{
	uint32_t low = x->first, high = x->end;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct edit *e = &x->edits[mid];
		if (e->in_off < in || (e->in_off == in && e->back))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* ... complete when out bytes of output are there. (With out - 1: ... complete before that.) */
static uint32_t complete_at(const struct xlate *x, int64_t out)
{
	uint32_t low = x->first, high = x->end;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (out_end(&x->edits[mid]) <= out)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The edit that in lies strictly inside of, or NULL. */
static const struct edit *around(const struct xlate *x, int64_t in)
{
	uint32_t k = begun_before(x, in);
	if (k == x->first || in_end(&x->edits[k - 1]) <= in)
		return NULL;
	return &x->edits[k - 1];
}

/* ---- edits ---------------------------------------------------------------------------------------- */

static int make_room(struct xlate *x)
{
	uint32_t used = x->end - x->first;
	if (used == XLATE_EDITS)
		return SKEP_EFULL;
	if (x->edits != NULL && slab_size(x->edits) >= (x->end + 1u) * sizeof(struct edit))
		return 0;
	if (x->first > used) {
		memmove(x->edits, x->edits + x->first, used * sizeof(struct edit));
		x->first = 0;
		x->end = used;
		return 0;
	}
	size_t want = x->end == 0 ? EDITS_FIRST : x->end * 2u;
	struct edit *more = slab_grow(x->slab, x->edits, want * sizeof(struct edit));
	if (more == NULL)
		return -ENOMEM;
	x->edits = more;
	return 0;
}

/* Where a new edit goes; false: it would overlap another one. */
static bool find_place(const struct xlate *x, int64_t in_off, uint32_t in_len, uint32_t *ret)
{
	uint32_t k = begun_before(x, in_off);
	/* Behind the other insertions at this place, before a replacement that begins here. */
	while (k < x->end && x->edits[k].in_off == in_off && x->edits[k].in_len == 0)
		k++;
	if (k > x->first && in_end(&x->edits[k - 1]) > in_off)
		return false;
	if (in_len > 0 && k < x->end && x->edits[k].in_off < in_off + in_len)
		return false;
	*ret = k;
	return true;
}

int xlate_edit(struct xlate *x, int64_t in_off, uint32_t in_len, const void *bytes, uint32_t n)
{
	uint32_t k;
	if (in_off < x->emitted)
		return SKEP_ERANGE;
	if (in_len == 0 && n == 0)
		return 0;
	if (n > XLATE_BYTES - x->bytes)
		return SKEP_EFULL;
	int err = make_room(x);
	if (err != 0)
		return err;
	if (!find_place(x, in_off, in_len, &k))
		return SKEP_ERANGE;
	uint8_t *copy = NULL;
	if (n > 0) {
		copy = slab_alloc(x->slab, n);
		if (copy == NULL)
			return -ENOMEM;
		memcpy(copy, bytes, n);
	}
	struct edit e = {.in_off = in_off, .in_len = in_len, .out_len = n, .bytes = copy};
	e.out_off = in_off + delta_before(x, k);
	e.back = in_len == 0 && in_off > x->emitted;
	memmove(x->edits + k + 1, x->edits + k, (x->end - k) * sizeof(e));
	x->edits[k] = e;
	x->end++;
	for (uint32_t i = k + 1; i < x->end; i++)
		x->edits[i].out_off += (int64_t)n - in_len;
	x->bytes += n;
	x->edited = true;
	return 0;
}

bool xlate_edited(const struct xlate *x)
{
	return x != NULL && x->edited;
}

void xlate_set_limit(struct xlate *x, int64_t in_off)
{
	x->limit = in_off;
}

int64_t xlate_limit(const struct xlate *x)
{
	return x == NULL ? XLATE_FREE_RUN : x->limit;
}

int64_t xlate_emit(struct xlate *x, int64_t in_to)
{
	const struct edit *e = around(x, in_to);
	if (e != NULL)
		in_to = e->in_off;
	if (in_to > x->emitted)
		x->emitted = in_to;
	return x->emitted;
}

int64_t xlate_emitted(const struct xlate *x)
{
	return x == NULL ? INT64_MAX : x->emitted;
}

/* ---- there and back ------------------------------------------------------------------------------- */

int64_t xlate_out(const struct xlate *x, int64_t in_off)
{
	if (x == NULL)
		return in_off;
	uint32_t k = begun_before(x, in_off);
	if (k > x->first && in_off < in_end(&x->edits[k - 1]))
		return x->edits[k - 1].out_off;
	return in_off + delta_before(x, k);
}

int64_t xlate_in(const struct xlate *x, int64_t out_off)
{
	if (x == NULL)
		return out_off;
	if (out_off >= xlate_out(x, x->emitted))
		return x->emitted;
	uint32_t k = complete_at(x, out_off);
	int64_t in = out_off - delta_before(x, k);
	if (k < x->end) {
		int64_t most = x->edits[k].in_off - x->edits[k].back;
		in = in < most ? in : most;
	}
	/* The byte before an insertion that is not complete may be an edit's, and then that isn't either. */
	for (; k > x->first && in < in_end(&x->edits[k - 1]); k--)
		if (in > x->edits[k - 1].in_off)
			in = x->edits[k - 1].in_off;
	return in;
}

/* The least in offset, not inside an edit, that begins at out_off or later. */
static int64_t in_upwards(const struct xlate *x, int64_t out_off)
{
	uint32_t k = complete_at(x, out_off - 1);
	int64_t in = out_off - delta_before(x, k);
	if (k < x->end && in > x->edits[k].in_off)
		in = x->edits[k].in_off;
	/* Insertions that belong to this byte, or the edit's own beginning, lie before out_off. */
	in += xlate_out(x, in) < out_off;
	const struct edit *e = around(x, in);
	return e == NULL ? in : in_end(e);
}

void xlate_acked(struct xlate *x, int64_t out_off)
{
	if (x == NULL)
		return;
	int64_t most = xlate_out(x, x->emitted);
	out_off = out_off < most ? out_off : most;
	if (out_off <= x->out_acked)
		return;
	x->out_acked = out_off;
	int64_t in = xlate_in(x, out_off);
	while (x->first < x->end) {
		struct edit *e = &x->edits[x->first];
		bool with_next = e->in_len == 0 && !e->back;
		if (out_end(e) > out_off || in_end(e) + with_next > in)
			break;
		x->base = out_end(e) - in_end(e);
		x->bytes -= e->out_len;
		slab_free(x->slab, e->bytes);
		x->first++;
	}
	if (x->first == x->end)
		x->first = x->end = 0;
}

int64_t xlate_out_acked(const struct xlate *x)
{
	return x == NULL ? 0 : x->out_acked;
}

/* ---- bytes ---------------------------------------------------------------------------------------- */

bool xlate_plain(const struct xlate *x, int64_t in_from, int64_t in_to)
{
	if (x == NULL || !x->edited)
		return true;
	uint32_t k = begun_before(x, in_from);
	if (k > x->first && in_end(&x->edits[k - 1]) > in_from)
		return false;
	if (k < begun_before(x, in_to))
		return false;
	return in_from + delta_before(x, k) >= x->out_acked;
}

void xlate_span(const struct xlate *x, int64_t in_from, int64_t in_to, int64_t *ret_from,
		int64_t *ret_to)
{
	if (x == NULL) {
		*ret_from = in_from;
		*ret_to = in_to;
		return;
	}
	const struct edit *e = around(x, in_to);
	if (e != NULL)
		in_to = in_end(e) <= x->emitted ? in_end(e) : e->in_off;
	int64_t from = xlate_out(x, in_from), to = xlate_out(x, in_to);
	from = from > x->out_acked ? from : x->out_acked;
	*ret_from = from;
	*ret_to = to > from ? to : from;
}

static int read_kept(const struct xlate_kept *kept, int64_t in_off, uint8_t *dst, uint32_t n)
{
	int64_t skip = in_off - kept->off;
	if (skip < 0 || skip > kept->len || n > kept->len - skip)
		return SKEP_ENOTFOUND;
	memcpy(dst, kept->data + skip, n);
	return 0;
}

static uint32_t least(int64_t a, uint32_t b)
{
	return a < (int64_t)b ? (uint32_t)a : b;
}

int xlate_read(const struct xlate *x, const struct xlate_kept *kept, int64_t out_off, uint8_t *dst,
	       uint32_t n)
{
	if (x == NULL)
		return read_kept(kept, out_off, dst, n);
	uint32_t k = complete_at(x, out_off);
	while (n > 0) {
		const struct edit *e = k < x->end ? &x->edits[k] : NULL;
		uint32_t step;
		if (e == NULL || out_off < e->out_off) {
			step = e == NULL ? n : least(e->out_off - out_off, n);
			int err = read_kept(kept, out_off - delta_before(x, k), dst, step);
			if (err != 0)
				return err;
		} else {
			uint32_t done = (uint32_t)(out_off - e->out_off);
			step = least(e->out_len - done, n);
			if (step > 0)
				memcpy(dst, e->bytes + done, step);
			k += done + step == e->out_len;
		}
		out_off += step;
		dst += step;
		n -= step;
	}
	return 0;
}

/* ---- numbers of 32 bits --------------------------------------------------------------------------- */

/* The offset nearest to `near` that has this number. */
static int64_t nearest(const struct xlate *x, uint32_t number, int64_t near)
{
	return near + (int32_t)(number - x->seq0 - (uint32_t)near);
}

int64_t xlate_seq_off(const struct xlate *x, uint32_t seq)
{
	return nearest(x, seq, x->emitted);
}

int64_t xlate_ack_off(const struct xlate *x, uint32_t ack)
{
	return nearest(x, ack, xlate_out(x, x->emitted));
}

uint32_t xlate_number(const struct xlate *x, int64_t off)
{
	return x->seq0 + (uint32_t)off;
}

uint32_t xlate_old(const struct xlate *x)
{
	return xlate_number(x, x->out_acked - 1);
}

uint32_t xlate_seq(const struct xlate *x, uint32_t seq, bool bare)
{
	if (x == NULL)
		return seq;
	int64_t in = xlate_seq_off(x, seq);
	if (in < 0)
		return seq; /* the SYN again */
	int64_t out = xlate_out(x, bare && in > x->emitted ? x->emitted : in);
	return xlate_number(x, out);
}

uint32_t xlate_ack(const struct xlate *x, uint32_t ack)
{
	return x == NULL ? ack : xlate_number(x, xlate_in(x, xlate_ack_off(x, ack)));
}

bool xlate_sack(const struct xlate *x, uint32_t *left, uint32_t *right)
{
	if (x == NULL)
		return true;
	int64_t from = xlate_ack_off(x, *left);
	if (x->edited && from < x->out_acked)
		return false;
	from = in_upwards(x, from);
	int64_t to = xlate_in(x, xlate_ack_off(x, *right));
	if (to <= from)
		return false;
	*left = xlate_number(x, from);
	*right = xlate_number(x, to);
	return true;
}
