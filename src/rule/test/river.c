/* SPDX-License-Identifier: BSD-2-Clause */
#include "rule/test/river.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool anew(void *ctx, const struct app *a, const struct app_frame_at *f)
{
	(void)ctx, (void)a, (void)f;
	return true;
}

void river_open(struct river *r, const char *rules, bool reframes)
{
	memset(r, 0, sizeof(*r));
	bed_open(&r->bed, rules, NULL, 0);
	rule_engine_free(&r->bed.engine);
	struct rule_engine_conf ec = {.inline_mode = true, .reframes = reframes};
	assert_int_equal(rule_engine_create(r->bed.set, &ec, r->bed.slab, &r->bed.engine), 0);
	if (reframes)
		app_ctx_set_framing(r->bed.apps, anew, NULL);
	for (unsigned d = 0; d < 2; d++) {
		r->side[d].out = malloc(2 * BED_STREAM);
		assert_non_null(r->side[d].out);
	}
}

void river_close(struct river *r)
{
	bed_close(&r->bed);
	for (unsigned d = 0; d < 2; d++)
		free(r->side[d].out);
}

void river_flow(struct river *r, bool tcp, uint16_t server_port)
{
	bed_flow(&r->bed, tcp, 40000, server_port);
	r->dropped = false;
	r->alerts = 0;
	for (unsigned d = 0; d < 2; d++) {
		struct river_side *s = &r->side[d];
		s->n_out = s->gone = 0;
		s->n_edits = s->held = 0;
	}
}

/* New edits: in order, inside what has come and not left, apart from each other and from those before. */
static void take_edits(struct river *r, unsigned dir, uint64_t end)
{
	const struct rule_edit *e = NULL;
	struct river_side *s = &r->side[dir];
	uint32_t n = rule_edits(r->bed.engine, &e);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(e[i].where, WHERE_STREAM);
		assert_int_equal(e[i].dir, dir);
		assert_true(e[i].off >= s->gone && e[i].off + e[i].len <= end);
		assert_true(i == 0 || e[i].off >= e[i - 1].off + e[i - 1].len);
		uint32_t k = s->n_edits;
		assert_true(k < RIVER_EDITS);
		for (; k > 0 && s->edits[k - 1].off > e[i].off; k--)
			s->edits[k] = s->edits[k - 1];
		assert_true(k == 0 || s->edits[k - 1].off + s->edits[k - 1].len <= e[i].off);
		assert_true(k == s->n_edits || e[i].off + e[i].len <= s->edits[k + 1].off);
		s->edits[k] = e[i];
		s->n_edits++;
	}
}

/* Bytes before `to` leave. */
static void leave(struct river *r, unsigned dir, uint64_t to)
{
	struct river_side *s = &r->side[dir];
	uint32_t done = 0;
	while (s->gone < to) {
		const struct rule_edit *e = done < s->n_edits ? &s->edits[done] : NULL;
		if (e != NULL && e->off == s->gone) {
			assert_true(e->off + e->len <= to);
			if (e->n > 0)
				memcpy(s->out + s->n_out, e->bytes, e->n);
			s->n_out += e->n;
			s->gone += e->len;
			done++;
			continue;
		}
		s->out[s->n_out++] = r->bed.data[dir][s->gone++];
	}
	memmove(s->edits, s->edits + done, (s->n_edits - done) * sizeof(s->edits[0]));
	s->n_edits -= done;
	rule_gone(r->bed.engine, &r->bed.flow, dir, s->gone);
}

static void count(struct river *r)
{
	for (uint32_t i = 0; i < r->bed.n_hits; i++) {
		uint8_t a = r->bed.hits[i].action;
		r->alerts += r->bed.hits[i].alert;
		r->dropped |= a == ACTION_DROP || a == ACTION_REJECT;
	}
}

void river_say(struct river *r, unsigned dir, const void *data, uint32_t len)
{
	struct stream_side *side = &r->bed.flow.side[dir];
	struct river_side *s = &r->side[dir];
	if (r->bed.flow.app == NULL)
		bed_app(&r->bed);
	if (r->dropped)
		return;
	bed_say(&r->bed, dir, data, len);
	count(r);
	uint64_t end = side->base + side->len;
	if (r->dropped)
		return;
	take_edits(r, dir, end);
	uint64_t hold = rule_hold(r->bed.engine, &r->bed.flow, dir);
	assert_true(hold >= s->gone && hold <= end);
	if (hold < end || s->n_edits > 0)
		assert_true(rule_rewrites(r->bed.engine, &r->bed.flow, dir));
	s->held += hold < end;
	leave(r, dir, hold);
}

void river_release(struct river *r, unsigned dir)
{
	const struct stream_side *side = &r->bed.flow.side[dir];
	if (!r->dropped)
		leave(r, dir, side->base + side->len);
}

void river_left(const struct river *r, unsigned dir, const char *text, size_t len)
{
	const struct river_side *s = &r->side[dir];
	assert_false(r->dropped);
	if (s->n_out != len || memcmp(s->out, text, len) != 0)
		print_error("left %llu bytes: %.*s\nwanted %zu: %.*s\n",
			    (unsigned long long)s->n_out, (int)s->n_out, (const char *)s->out, len,
			    (int)len, text);
	assert_int_equal(s->n_out, len);
	assert_memory_equal(s->out, text, len);
}
