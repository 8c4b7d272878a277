/* SPDX-License-Identifier: BSD-2-Clause */
#include "end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

bool end_done(const struct end *e)
{
	return e->una == e->out_len + 1 && e->fin != NO_FIN && e->got == e->fin + 1;
}

static void fill_ack(struct end *e, struct seg *s)
{
	s->flags |= TCP_ACK;
	s->ack = e->irs + 1 + e->got;
	s->n_sack = 0;
	if (e->dup[1] > e->dup[0]) {
		s->sack[0][0] = e->irs + 1 + e->dup[0];
		s->sack[s->n_sack++][1] = e->irs + 1 + e->dup[1];
		e->dup[1] = e->dup[0] = 0;
	}
	/* Runs beyond the gap, from a random one on: as the most recent would be. */
	uint32_t skip = dice_below(e->dice, 3);
	for (uint32_t i = e->got; i < END_BYTES && s->n_sack < SACK_MAX;) {
		if (!e->have[i]) {
			i++;
			continue;
		}
		uint32_t from = i;
		while (i < END_BYTES && e->have[i])
			i++;
		if (skip > 0) {
			skip--;
			continue;
		}
		s->sack[s->n_sack][0] = e->irs + 1 + from;
		s->sack[s->n_sack++][1] = e->irs + 1 + i;
	}
}

/* The bytes (and FIN) from .. to. */
static void fill(struct end *e, uint32_t from, uint32_t to, struct seg *s)
{
	s->flags = 0;
	s->seq = e->iss + 1 + from;
	s->len = (to < e->out_len ? to : e->out_len) - (from < e->out_len ? from : e->out_len);
	memcpy(s->data, e->out + from, s->len);
	if (to > e->out_len)
		s->flags |= TCP_FIN;
	if (dice_below(e->dice, 3) == 0)
		s->flags |= TCP_PSH;
	fill_ack(e, s);
}

static uint32_t size(struct end *e)
{
	if (e->super && dice_below(e->dice, 3) == 0)
		return e->mss * (1 + dice_below(e->dice, 6));
	return e->fixed ? e->mss : 1 + dice_below(e->dice, e->mss);
}

bool end_next(struct end *e, struct seg *ret)
{
	uint32_t end = e->out_len + 1 - e->kept, from = e->nxt;
	if (from >= end || from - e->una >= e->window)
		return false;
	uint32_t n = size(e);
	/* The FIN may come alone or with the last bytes. */
	uint32_t text = e->out_len < end ? e->out_len : end;
	uint32_t most = from < text && dice_below(e->dice, 2) == 0 ? text : end;
	n = n < e->una + e->window - from ? n : e->una + e->window - from;
	e->nxt = most - from < n ? most : from + n;
	fill(e, from, e->nxt, ret);
	return true;
}

bool end_again(struct end *e, struct seg *ret)
{
	uint32_t from = e->una, limit = e->nxt;
	if (!e->fixed && dice_below(e->dice, 4) == 0) /* another hole than the first */
		from += dice_below(e->dice, limit - from + 1);
	while (from < limit && e->sacked[from])
		from++;
	if (from >= limit)
		return false;
	uint32_t to = from, n = size(e);
	while (to < limit && to - from < n && !e->sacked[to])
		to++;
	fill(e, from, to, ret);
	return true;
}

static void take_ack(struct end *e, const struct seg *s)
{
	int32_t ack = (int32_t)(s->ack - e->iss - 1);
	if ((s->flags & TCP_ACK) == 0)
		return;
	assert_true(ack <= (int32_t)e->nxt);
	if (ack > (int32_t)e->una)
		e->una = (uint32_t)ack;
	for (uint32_t i = 0; i < s->n_sack; i++) {
		int32_t left = (int32_t)(s->sack[i][0] - e->iss - 1);
		int32_t right = (int32_t)(s->sack[i][1] - e->iss - 1);
		assert_true(left < right);
		assert_true(right <= (int32_t)e->nxt);
		for (int32_t at = left < 0 ? 0 : left; at < right; at++)
			e->sacked[at] = true;
	}
}

bool end_take(struct end *e, const struct seg *s, struct seg *ret_ack)
{
	int32_t at = (int32_t)(s->seq - e->irs - 1);
	int32_t end = at + (int32_t)s->len + (s->flags & TCP_FIN ? 1 : 0);
	uint32_t before = e->got;
	take_ack(e, s);
	for (uint32_t i = 0; i < s->len; i++) {
		int32_t off = at + (int32_t)i;
		if (off < (int32_t)before || off >= (int64_t)before + e->window)
			continue; /* had, or never to be looked at; no room */
		assert_true(off < END_BYTES);
		assert_true(off < (int64_t)e->fin);
		if (e->have[off])
			assert_int_equal(e->in[off], s->data[i]);
		e->have[off] = true;
		e->in[off] = s->data[i];
	}
	if (s->flags & TCP_FIN && end > (int32_t)before && end <= (int64_t)before + e->window) {
		assert_true(e->fin == NO_FIN || (int32_t)e->fin == end - 1);
		e->fin = (uint32_t)end - 1;
	}
	while (e->got < END_BYTES && e->have[e->got])
		e->got++;
	if (e->got == e->fin)
		e->got++;
	bool wanted = s->len > 0 || s->flags & TCP_FIN;
	bool old = at < (int32_t)before;
	if (wanted && old && at >= 0 && dice_below(e->dice, 2) == 0) {
		e->dup[0] = (uint32_t)at;
		e->dup[1] = (uint32_t)end < e->got ? (uint32_t)end : e->got;
	}
	if (!wanted && !old) /* an acknowledgement is not acknowledged */
		return false;
	if (at == (int32_t)before && dice_below(e->dice, 3) == 0)
		return false; /* lazy: the next one does */
	memset(ret_ack, 0, offsetof(struct seg, data));
	ret_ack->seq = e->iss + 1 + e->nxt;
	fill_ack(e, ret_ack);
	return true;
}

void end_keepalive(struct end *e, struct seg *ret)
{
	memset(ret, 0, offsetof(struct seg, data));
	ret->seq = e->iss + e->nxt;
	fill_ack(e, ret);
}
