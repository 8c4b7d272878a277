/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any packets on a few flows: what is given out never goes back, matches what was given out before,
 * and memory stays within its limits and comes back at the end. Inline a receiver that is given what is
 * not refused, and keeps the first or the last copy of what comes early, has nothing but that.
 *
 * Input: a byte of settings, a byte of more, then packets of 8 bytes: flow, direction and kind; TCP
 * flags; sequence number (2); acknowledgement (2); length; window and time.
 */
#include "stream/test/talk.h"

#include <stdlib.h>
#include <string.h>

#define PORTS 4u
#define SLAB_BYTES (1u << 20)
#define NOTED 4096u

struct watch {
	uint64_t id, base[2], end[2];
	uint8_t noted[2][NOTED]; /* the first bytes given out */
	uint8_t got[2][NOTED];   /* what the receiver has */
	bool has[2][NOTED];
	uint32_t n_got[2]; /* in order */
};

struct bed {
	struct talk t;
	struct watch watch[PORTS];
	uint8_t body[256];
	bool in_line, last_wins;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void check_side(struct watch *w, const struct stream_side *s, unsigned dir)
{
	uint64_t end = s->base + s->len;

	must(s->base >= w->base[dir] && end >= w->end[dir]);
	must(!s->len || s->data);
	for (uint32_t i = 0; i < s->len; i++) {
		uint64_t off = s->base + i;

		if (off >= NOTED)
			break;
		must(off >= w->end[dir] || w->noted[dir][off] == s->data[i]);
		w->noted[dir][off] = s->data[i];
	}
	w->base[dir] = s->base;
	w->end[dir] = end;
}

/* What nobody wants is not shown but kept. */
static void note_kept(struct watch *w, const struct stream_flow *f, unsigned dir)
{
	uint64_t from = w->end[dir];
	uint32_t len;
	const uint8_t *at = stream_kept(f, dir, from, &len);

	must(f->side[dir].kept <= f->side[dir].base);
	must(f->dead || from + len == stream_end(f, dir));
	for (uint32_t i = 0; i < len && from + i < NOTED; i++)
		w->noted[dir][from + i] = at[i];
}

static void receive(struct bed *b, const struct stream_flow *f, unsigned port)
{
	const struct stream_result *r = &b->t.r;
	struct watch *w = &b->watch[port];
	unsigned d = r->dir;
	uint32_t len = b->t.p.payload_len;
	int64_t off = (int64_t)r->off;

	must(r->stale <= len && !f->side[d].truncated);
	stream_normalise(f, d, r->off, b->body, len);
	for (uint32_t i = r->stale; i < len; i++) {
		must(off + i >= 0 && (r->early || off + i < (int64_t)stream_end(f, d)));
		if (off + i < w->n_got[d] || off + i >= NOTED ||
		    (w->has[d][off + i] && !b->last_wins))
			continue;
		w->has[d][off + i] = true;
		w->got[d][off + i] = b->body[i];
	}
	while (w->n_got[d] < NOTED && w->has[d][w->n_got[d]])
		w->n_got[d]++;
	must(w->n_got[d] <= stream_end(f, d));
	must(!memcmp(w->got[d], w->noted[d], w->n_got[d]));
}

static void look(struct bed *b, const struct stream_flow *f, unsigned port)
{
	struct watch *w = &b->watch[port];
	bool new = w->id != f->id;

	if (new) {
		memset(w, 0, sizeof(*w));
		w->id = f->id;
	}
	if (b->in_line && f->tcp) {
		note_kept(w, f, 0);
		note_kept(w, f, 1);
	}
	check_side(w, &f->side[0], 0);
	check_side(w, &f->side[1], 1);
}

static void one_packet(struct bed *b, const uint8_t *d)
{
	struct talk *t = &b->t;
	struct stream_result more;
	struct slab_stats st;
	struct stream_flow *f;
	unsigned dir = d[0] >> 2 & 1, port = d[0] & 3;
	uint32_t len = d[6];

	t->client_port = (uint16_t)(1000 + port);
	t->now_ns += (int64_t)(d[7] & 15) * NS_PER_SEC * ((d[0] & 64) ? 20 : 0);
	t->p.tcp.win = (uint16_t)((d[7] >> 4) << 12);
	t->p.tcp.has_tfo = d[0] & 8;
	t->p.tcp.has_ts = d[0] & 16;
	t->p.tcp.ts_val = d[7];
	t->lazy = true;
	memset(b->body, d[0] & 32 ? d[2] : 'x', sizeof(b->body));
	talk_tcp(t, dir, load_be16(d + 2), load_be16(d + 4), d[1], (const char *)b->body, len);
	f = t->r.flow;
	must(f);
	must(!b->in_line || !f->dead || t->r.refuse);
	memset(&more, 0, sizeof(more));
	do {
		look(b, f, port);
		if (b->in_line && !t->r.refuse)
			receive(b, f, port);
		if (d[0] & 128)
			continue;
		for (unsigned i = 0; i < 2; i++) {
			f->side[i].app_done = f->side[i].base + f->side[i].len;
			f->side[i].raw_done = f->side[i].base + f->side[i].len / 2;
		}
	} while (stream_more(t->s, f, &more));
	stream_settle(t->s, f);
	look(b, f, port);
	if (d[1] == 0xff)
		f->side[dir].no_app = f->side[dir].no_raw = true;
	if (b->in_line && d[1] == 0xfe)
		f->dead = true;
	slab_read_stats(t->slab, &st);
	must(st.used <= SLAB_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bed b;
	struct stream_conf conf = {.flows = 3};

	if (size < 2 || size > 4096)
		return 0;
	conf.policy = data[0] & 7;
	conf.inline_mode = data[0] & 8;
	conf.midstream = data[0] & 16;
	conf.depth = data[0] & 32 ? 300 : 0;
	conf.window = data[0] & 64 ? 500 : 0;
	talk_begin(&b.t, &conf, data[1] & 1 ? 1 << 15 : SLAB_BYTES);
	memset(b.watch, 0, sizeof(b.watch));
	b.in_line = conf.inline_mode;
	b.last_wins = data[1] & 2;
	for (size_t i = 2; i + 8 <= size; i += 8)
		one_packet(&b, data + i);
	talk_end(&b.t);
	return 0;
}
