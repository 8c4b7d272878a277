/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the receiver would say of a segment that it did not get. A segment that came early waits in the wall until
 * the gap before it is closed; its receiver knows nothing of it, so the wall answers in its name: the same
 * acknowledgement once more, with what waits as selectively acknowledged (RFC 2018). Without it the sender would
 * take every loss for the end of the world and wait for its time-out.
 */
#include "scrub/scrub_priv.h"

#include <string.h>

#define OPTION_TIME 8u
#define OPTION_SACK 5u
#define TIME_LEN 10u
#define BLOCKS 3u /* fit beside a time stamp */
#define TCP_FIXED 20u

/* The time stamp among the options of a header, or NULL. */
static const uint8_t *time_stamp(const uint8_t *options, uint32_t len)
{
	for (uint32_t at = 0; at < len && options[at] != 0;) {
		uint32_t n = options[at] == 1 ? 1 : at + 1 < len ? options[at + 1] : 0;
		if (n == 0 || n > len - at || (options[at] != 1 && n < 2))
			return NULL;
		if (options[at] == OPTION_TIME && n == TIME_LEN)
			return options + at;
		at += n;
	}
	return NULL;
}

/* What waits of the direction, the piece with `first` in it before the others. */
static unsigned blocks(const struct stream_flow *f, unsigned dir, uint64_t first,
		       uint64_t ret[BLOCKS][2])
{
	unsigned n = 0;
	uint64_t off, end;
	for (uint32_t i = 0; stream_early(f, dir, i, &off, &end); i++)
		if (off <= first && first < end) {
			ret[n][0] = off;
			ret[n++][1] = end;
			break;
		}
	for (uint32_t i = 0; n < BLOCKS && stream_early(f, dir, i, &off, &end); i++) {
		if (off <= first && first < end)
			continue;
		ret[n][0] = off;
		ret[n++][1] = end;
	}
	return n;
}

static uint32_t put_options(uint8_t *to, const uint8_t *stamp, const struct stream_flow *f,
			    unsigned dir, uint64_t first)
{
	uint64_t b[BLOCKS][2];
	uint32_t at = 0;
	if (stamp != NULL) {
		to[at++] = 1;
		to[at++] = 1;
		memcpy(to + at, stamp, TIME_LEN);
		at += TIME_LEN;
	}
	unsigned n = f->side[0].sack_ok && f->side[1].sack_ok ? blocks(f, dir, first, b) : 0;
	if (n == 0)
		return at;
	to[at++] = 1;
	to[at++] = 1;
	to[at++] = OPTION_SACK;
	to[at++] = (uint8_t)(2 + 8 * n);
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < 2; k++, at += 4)
			store_be32(to + at, stream_seq(f, dir, b[i][k]));
	return at;
}

static void say(struct scrub *s, const struct talk *t, unsigned dir, uint64_t first,
		const uint32_t *ack)
{
	const struct talk_head *h = t->head[!dir];
	const struct stream_flow *f = t->flow;
	uint8_t stamp[TIME_LEN], *tcp;
	s->has_back = false;
	if (h == NULL || h->l.payload < h->l.l4 + TCP_FIXED)
		return;
	s->back = (struct frame){.data = s->back_bytes,
				 .cap = sizeof(s->back_bytes),
				 .len = h->l.payload,
				 .stamp_ns = s->now_ns,
				 .port = h->in_port};
	struct layers l = h->l;
	memcpy(s->back_bytes, h->bytes, l.payload);
	tcp = s->back_bytes + l.l4;
	const uint8_t *had = time_stamp(tcp + TCP_FIXED, l.payload - l.l4 - TCP_FIXED);
	if (had != NULL)
		memcpy(stamp, had, sizeof(stamp));
	uint32_t n = put_options(tcp + TCP_FIXED, had != NULL ? stamp : NULL, f, dir, first);
	const struct xlate *x = t->x[!dir];
	store_be32(tcp + 4, x != NULL ? xlate_number(x, xlate_out(x, xlate_emitted(x)))
				      : f->side[!dir].next_seq);
	if (ack != NULL)
		store_be32(tcp + 8, *ack);
	tcp[12] = (uint8_t)((TCP_FIXED + n) / 4 << 4);
	tcp[13] = TCP_ACK;
	store_be16(tcp + 18, 0);
	l.payload = l.l4 + TCP_FIXED + n;
	packet_finish_tcp(&s->back, &l, 0, false, 0);
	s->has_back = true;
}

void back_say(struct scrub *s, const struct talk *t, unsigned dir, uint64_t first)
{
	say(s, t, dir, first, NULL);
}

void back_promise(struct scrub *s, const struct talk *t, unsigned dir, uint64_t upto)
{
	const uint32_t ack = stream_seq(t->flow, dir, upto);
	say(s, t, dir, upto, &ack);
}

struct frame *scrub_back(struct scrub *s)
{
	return s->has_back ? &s->back : NULL;
}
