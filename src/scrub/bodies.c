/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies of HTTP whose length rules may change. A body that was counted (by Content-Length or in chunks) leaves
 * in chunks of our own: what leaves at once is one chunk, counted after rules have changed it. The head says so
 * instead of the length; lines and ends of chunks as they came are taken out, but for the last one with what
 * follows it. (That answers come unencoded the rules see to.)
 *
 * proto tells what stands where while it reads, before rules look; so it is noted here, and becomes edits when
 * it is known how much will leave.
 */
#include "scrub/scrub_priv.h"

#include <stdio.h>
#include <string.h>

#define RUNS_FIRST 16u
#define RUNS_MOST 16384u /* of one direction that have not left */

enum run_kind { RUN_CHUNKED, RUN_BODY, RUN_COUNT, RUN_LAST, RUN_OVER };

static const char chunked[] = "Transfer-Encoding: chunked", last_chunk[] = "0\r\n\r\n";

/* ---- noting --------------------------------------------------------------------------------------- */

static void note(struct scrub *s, struct talk *t, unsigned dir, enum run_kind kind, uint64_t off,
		 uint32_t len)
{
	struct talk_runs *q = &t->runs[dir];
	struct talk_run *last = q->n > 0 ? &q->at[q->n - 1] : NULL;
	if (last != NULL && kind == RUN_BODY && last->kind == RUN_BODY &&
	    last->off + last->len == off && last->len + (uint64_t)len <= UINT32_MAX) {
		last->len += len;
		return;
	}
	if (q->n == q->cap) {
		uint32_t cap = q->cap == 0 ? RUNS_FIRST : q->cap * 2;
		struct talk_run *at = cap <= RUNS_MOST ? slab_grow(inspect_slab(s->inspect), q->at,
								   cap * sizeof(*at))
						       : NULL;
		if (at == NULL) {
			q->broken = true;
			return;
		}
		q->at = at;
		q->cap = cap;
	}
	q->at[q->n++] = (struct talk_run){.off = off, .len = len, .kind = (uint8_t)kind};
}

/* Bytes of the direction before this one have left. */
static int64_t gone_of(const struct scrub *s, const struct stream_flow *f, unsigned dir)
{
	const struct talk *t = f->user;
	if (t != NULL && t->x[dir] != NULL)
		return xlate_emitted(t->x[dir]);
	if (s->of != f)
		return INT64_MAX;
	return s->sent > s->end ? s->sent
				: s->end; /* it begins with this packet, at the earliest */
}

static bool head(struct scrub *s, struct stream_flow *f, unsigned dir, const struct app_frame_at *h)
{
	struct rule_engine *e = inspect_engine(s->inspect);
	if (e == NULL || !h->chunkable || rule_bodies(e, f, dir) != BODIES_LENGTHS)
		return false;
	struct talk *t = talk_of(s, f);
	if (t == NULL || (!h->chunked && (int64_t)h->length.off < gone_of(s, f, dir)))
		return false;
	if (!h->chunked)
		note(s, t, dir, RUN_CHUNKED, h->length.off, h->length.len);
	t->runs[dir].counting++;
	t->runs[dir].by_length = !h->chunked;
	return true;
}

bool bodies_frame(void *ctx, const struct app *a, const struct app_frame_at *f)
{
	struct scrub *s = ctx;
	struct stream_flow *flow = a->flow;
	unsigned dir = f->dir ^ (a->reversed ? 1u : 0u);
	if (s->seen == NULL || s->conf.ids)
		return false;
	if (f->kind == APP_FRAME_HEAD)
		return head(s, flow, dir, f);
	struct talk *t = flow->user;
	if (t == NULL)
		return false;
	struct talk_runs *q = &t->runs[dir];
	if (f->kind == APP_FRAME_END) {
		note(s, t, dir, q->by_length ? RUN_LAST : RUN_OVER, q->end, 0);
		return false;
	}
	note(s, t, dir, f->kind == APP_FRAME_BODY ? RUN_BODY : RUN_COUNT, f->off, f->len);
	if (f->kind == APP_FRAME_BODY)
		q->end = f->off + f->len;
	return false;
}

/* ---- edits ---------------------------------------------------------------------------------------- */

/* The part of a body that leaves now becomes a chunk. */
static bool chunk(struct xlate *x, int64_t from, int64_t to)
{
	char line[24];
	int64_t n = xlate_out(x, to) - xlate_out(x, from);
	if (n <= 0)
		return true; /* nothing is left of it */
	int len = snprintf(line, sizeof(line), "%llx\r\n", (unsigned long long)n);
	return xlate_edit(x, to, 0, "\r\n", 2) == 0 &&
	       xlate_edit(x, from, 0, line, (uint32_t)len) == 0;
}

/* One run, as far as limit; false: it can't be done. *ret_left: its bytes from here on are not done yet. */
static bool apply(struct talk_runs *q, struct xlate *x, const struct talk_run *r, int64_t limit,
		  uint32_t *ret_left)
{
	int64_t off = (int64_t)r->off, end = off + r->len;
	*ret_left = 0;
	switch ((enum run_kind)r->kind) {
	case RUN_BODY:
		if (end > limit) {
			*ret_left = (uint32_t)(end - limit);
			end = limit;
		}
		return off >= end || chunk(x, off, end);
	case RUN_COUNT:
		return xlate_edit(x, off, r->len, NULL, 0) == 0;
	case RUN_CHUNKED:
		return xlate_edit(x, off, r->len, chunked, sizeof(chunked) - 1) == 0;
	case RUN_LAST:
	case RUN_OVER:
		q->counting--;
		return r->kind == RUN_OVER ||
		       xlate_edit(x, off, 0, last_chunk, sizeof(last_chunk) - 1) == 0;
	}
	return false;
}

bool bodies_leave(struct scrub *s, struct talk *t, unsigned dir, int64_t *limit)
{
	struct talk_runs *q = &t->runs[dir];
	const struct stream_side *side = &t->flow->side[dir];
	uint32_t done = 0, left = 0;
	bool ok = !q->broken;
	(void)s;
	/* What nobody has read yet may be a line of a chunk. */
	if (q->counting > 0 && !side->no_app && side->app_done < stream_end(t->flow, dir) &&
	    *limit > (int64_t)side->app_done)
		*limit = (int64_t)side->app_done;
	while (ok && done < q->n) {
		struct talk_run *r = &q->at[done];
		bool whole = r->kind != RUN_BODY;
		int64_t end = (int64_t)(r->off + r->len);
		if ((int64_t)r->off >= *limit && !(r->len == 0 && (int64_t)r->off == *limit))
			break;
		if (whole && end > *limit) {
			*limit = (int64_t)r->off; /* it leaves as a whole, or waits as one */
			break;
		}
		ok = apply(q, t->x[dir], r, *limit, &left);
		if (left > 0) {
			r->off += r->len - left;
			r->len = left;
			break;
		}
		done++;
	}
	if (done > 0) {
		q->n -= done;
		memmove(q->at, q->at + done, q->n * sizeof(*q->at));
	}
	return ok;
}

void bodies_free(struct scrub *s, struct talk *t)
{
	for (unsigned d = 0; d < 2; d++)
		slab_free(inspect_slab(s->inspect), t->runs[d].at);
}
