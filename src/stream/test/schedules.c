/* SPDX-License-Identifier: BSD-2-Clause */
/* The promise of inline mode as a property: whatever is sent in whatever order, and whichever policy
 * the receiver has, it gets nothing but the bytes that were given out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "stream/test/schedules.h"
#include "stream/test/talk.h"

#define STREAM_MOST 3000u
#define PIECE_MOST 400u
#define STEPS 120u
#define SLACK 64u /* what may be sent beyond the end */

enum receiver { FIRST_WINS, LAST_WINS, NO_QUEUE, RECEIVERS };

struct schedule {
	struct talk t;
	uint64_t rng, seed;
	uint8_t truth[STREAM_MOST + SLACK]; /* what the sender means to say */
	uint8_t seen[STREAM_MOST + SLACK];  /* what was given out */
	uint8_t got[STREAM_MOST + SLACK];   /* the receiver's */
	bool has[STREAM_MOST + SLACK];
	uint32_t len, n_seen, n_got, acked, consumed[2], refused, changed;
	unsigned dir;
	uint8_t receiver;
	bool fin, unwanted;
};

static uint32_t rnd(struct schedule *c, uint32_t below)
{
	c->rng = c->rng * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((c->rng >> 33) % below);
}

#define HOLDS(c, fact)                                                                           \
	do {                                                                                     \
		if (!(fact))                                                                     \
			fail_msg("seed %llu: not so: %s", (unsigned long long)(c)->seed, #fact); \
	} while (0)

/* The consumer: notes what is new, and lags behind by any amount. */
static void consume(struct schedule *c)
{
	struct stream_flow *f = c->t.r.flow;
	struct stream_side *side;
	const uint8_t *new;
	uint64_t end;
	uint32_t len;

	HOLDS(c, f);
	side = &f->side[c->dir];
	end = side->base + side->len;
	HOLDS(c, end >= c->n_seen && end <= c->len);
	HOLDS(c, c->unwanted || side->base <= c->n_seen);
	HOLDS(c, side->kept <= side->base && end == stream_end(f, c->dir));
	HOLDS(c, !side->truncated && !side->gap_end);
	new = stream_kept(f, c->dir, c->n_seen, &len);
	HOLDS(c, c->n_seen + len == end);
	if (len)
		memcpy(c->seen + c->n_seen, new, len);
	HOLDS(c, !side->len || !memcmp(side->data, c->seen + side->base, side->len));
	c->n_seen = (uint32_t)end;
	side->app_done = side->app_done + rnd(c, (uint32_t)(end - side->app_done) + 1);
	side->raw_done = rnd(c, 2) ? end : side->app_done;
	side->no_app = side->no_raw = c->unwanted;
	stream_settle(c->t.s, f);
}

/* All that is kept is what was given out, and what the receiver may still lack is kept. */
static void check_kept(struct schedule *c)
{
	const struct stream_flow *f = c->t.r.flow;
	const struct stream_side *side = &f->side[c->dir];
	const uint8_t *kept;
	uint32_t len;

	HOLDS(c, side->kept <= c->acked);
	kept = stream_kept(f, c->dir, side->kept, &len);
	HOLDS(c, side->kept + len == c->n_seen && (len != 0) == (kept != NULL));
	HOLDS(c, !len || !memcmp(kept, c->seen + side->kept, len));
	HOLDS(c,
	      stream_offset(f, c->dir, stream_seq(f, c->dir, side->kept)) == (int64_t)side->kept);
}

static void receive(struct schedule *c, uint32_t off, const uint8_t *data, uint32_t len)
{
	if (c->receiver == NO_QUEUE && off > c->n_got)
		return;
	for (uint32_t i = 0; i < len; i++) {
		uint32_t at = off + i;

		if (at < c->n_got || (c->has[at] && c->receiver == FIRST_WINS))
			continue;
		c->got[at] = data[i];
		c->has[at] = true;
	}
	while (c->n_got < c->len && c->has[c->n_got])
		c->n_got++;
	HOLDS(c, c->n_got <= c->n_seen);
	HOLDS(c, !memcmp(c->got, c->seen, c->n_got));
}

static void send(struct schedule *c, uint32_t off, const uint8_t *data, uint32_t len, uint8_t flags,
		 bool lost)
{
	struct stream_result *r = &c->t.r;
	uint8_t frame[PIECE_MOST];

	memcpy(frame, data, len);
	talk_tcp(&c->t, c->dir, 1 + off, 1, flags, (const char *)frame, len);
	HOLDS(c, r->flow);
	if (!r->refuse) {
		HOLDS(c, r->off == off && r->stale <= len);
		HOLDS(c, off + r->stale <= c->len || r->stale == len);
		stream_normalise(r->flow, c->dir, r->off, frame, len);
		HOLDS(c, r->differs || !memcmp(frame + r->stale, data + r->stale, len - r->stale));
		HOLDS(c, r->early == (off + len > stream_end(r->flow, c->dir)));
		c->changed += r->differs;
	}
	c->refused += r->refuse;
	if (!r->refuse && !lost) {
		uint32_t stale = r->stale;

		consume(c);
		receive(c, off + stale, frame + stale, len - stale);
	} else {
		consume(c);
	}
	check_kept(c);
}

static void acknowledge(struct schedule *c)
{
	uint32_t ack = c->n_got;

	switch (rnd(c, 8)) {
	case 0: /* more than there was */
		ack = c->n_seen + 1 + rnd(c, SLACK);
		break;
	case 1: /* an old one */
		ack = rnd(c, ack + 1);
		break;
	default:
		break;
	}
	if (ack <= c->n_seen && ack > c->acked)
		c->acked = ack;
	talk_tcp(&c->t, !c->dir, 1, 1 + ack, ACK, NULL, 0);
	HOLDS(c, !c->t.r.refuse);
	consume(c);
	check_kept(c);
}

static void one_step(struct schedule *c)
{
	uint32_t near = c->n_got > 200 ? c->n_got - 200 : 0;
	uint32_t off = near + rnd(c, c->len - near < 900 ? c->len - near : 900);
	uint32_t len = 1 + rnd(c, rnd(c, 3) ? 40 : PIECE_MOST - 1);
	uint8_t other[PIECE_MOST];

	if (!rnd(c, 4))
		off = c->n_got;
	if (off + len > c->len)
		len = c->len - off;
	if (!len)
		return;
	memcpy(other, c->truth + off, len);
	for (uint32_t n = rnd(c, 3) ? 0 : 1 + rnd(c, 5); n; n--)
		other[rnd(c, len)] ^= (uint8_t)(1 + rnd(c, 255));
	c->t.now_ns += rnd(c, 1000);
	send(c, off, other, len, rnd(c, 5) ? ACK : ACK | PSH, !rnd(c, 5));
	if (!rnd(c, 3))
		acknowledge(c);
}

/* An honest sender at last, who sends what is not acknowledged until it is. */
static void come_through(struct schedule *c)
{
	for (uint32_t i = 0; c->n_got < c->len; i++) {
		uint32_t n = c->len - c->n_got < 97 ? c->len - c->n_got : 97;

		HOLDS(c, i < STREAM_MOST);
		send(c, c->n_got, c->truth + c->n_got, n, ACK, false);
		HOLDS(c, !c->t.r.refuse);
		talk_tcp(&c->t, !c->dir, 1, 1 + c->n_got, ACK, NULL, 0);
		c->acked = c->n_got;
		consume(c);
		check_kept(c);
	}
	talk_tcp(&c->t, c->dir, 1 + c->len, 1, FIN | ACK, NULL, 0);
	HOLDS(c, !c->t.r.refuse && c->t.r.flow->side[c->dir].fin);
}

static void begin(struct schedule *c, uint64_t seed, struct stream_conf conf, size_t slab)
{
	memset(c, 0, sizeof(*c));
	c->seed = seed;
	c->rng = seed * 0x9e3779b97f4a7c15u + 1;
	c->len = 1 + rnd(c, STREAM_MOST);
	c->dir = rnd(c, 2);
	c->receiver = (uint8_t)rnd(c, RECEIVERS);
	c->unwanted = !rnd(c, 4);
	for (uint32_t i = 0; i < sizeof(c->truth); i++)
		c->truth[i] = (uint8_t)rnd(c, 256);
	conf.inline_mode = true;
	conf.flows = 16;
	talk_begin(&c->t, &conf, slab);
	c->t.lazy = true;
	talk_handshake(&c->t);
}

void schedules_run(uint64_t first, uint32_t n, uint32_t *ret_refused, uint32_t *ret_changed)
{
	static struct schedule c;

	*ret_refused = *ret_changed = 0;
	for (uint64_t seed = first; seed < first + n; seed++) {
		struct stream_conf conf = {.depth = UINT64_MAX};

		if (seed % 3 == 1)
			conf.window = 300 + seed % 500;
		begin(&c, seed, conf, 1 << 20);
		for (uint32_t i = 0; i < STEPS && c.n_got < c.len; i++)
			one_step(&c);
		come_through(&c);
		*ret_refused += c.refused;
		*ret_changed += c.changed;
		talk_end(&c.t);
	}
}

void schedules_run_poor(uint64_t first, uint32_t n, uint64_t *ret_denied)
{
	static struct schedule c;

	*ret_denied = 0;
	for (uint64_t seed = first; seed < first + n; seed++) {
		struct stream_conf conf = {.depth = UINT64_MAX};
		struct stream_stats st;
		void *hog[128];
		uint32_t n_hogs = 0;

		begin(&c, seed, conf, 1 << 20);
		for (uint32_t i = 0; i < STEPS && c.n_got < c.len; i++) {
			if (n_hogs < ARRAY_LEN(hog) && rnd(&c, 8)) {
				hog[n_hogs] = slab_alloc(c.t.slab, 32768 >> rnd(&c, 3));
				n_hogs += hog[n_hogs] != NULL;
			} else if (n_hogs) {
				slab_free(c.t.slab, hog[--n_hogs]);
			}
			one_step(&c);
		}
		while (n_hogs)
			slab_free(c.t.slab, hog[--n_hogs]);
		stream_read_stats(c.t.s, &st);
		*ret_denied += st.memory_refused;
		come_through(&c);
		talk_end(&c.t);
	}
}
