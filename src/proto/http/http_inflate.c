/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Content-Encoding undone. Servers and attackers name one format and send another, so that the first
 * bytes of a layer decide: they are kept until one way of reading them has worked for a while.
 */
#include "proto/http/http_priv.h"

#include <brotli/decode.h>
#include <string.h>
#include <zlib.h>

#define HEAD_MAX 512u /* first bytes of a layer, kept for another attempt */
#define COMMIT_IN 48u /* so many of them must be read without error, */
#define HELD_MAX 256u /* or so many come out. No other way looks at more: cuts decide nothing */
#define OUT_MAX 4096u
#define BOMB_LEAST (1024u * 1024u)
#define BOMB_RATIO 2048u
#define FLOW_LEAST (8u * 1024u * 1024u) /* a thousandfold is easy: not for long, though */
#define FLOW_RATIO 64u
#define LAYERS_USUAL 2u /* more are an event */

enum layer_state { LAYER_TRY, LAYER_RUN, LAYER_TAIL, LAYER_PASS };

struct http_layer {
	uint8_t state; /* enum layer_state */
	bool brotli, z_live;
	bool gzip;       /* members may follow each other */
	uint8_t tail;    /* bytes of the trailer still to come */
	uint8_t next[2]; /* first bytes behind it */
	uint8_t n_next;
	uint16_t head_len;
	BrotliDecoderState *br;
	z_stream z;
	uint8_t head[HEAD_MAX];
};

static void *z_alloc(void *slab, unsigned n, unsigned size)
{
	return slab_alloc(slab, (size_t)n * size);
}

static void z_free(void *slab, void *p)
{
	slab_free(slab, p);
}

static void *br_alloc(void *slab, size_t size)
{
	return slab_alloc(slab, size);
}

/* ---- one layer's output -------------------------------------------------------------------------- */

/* What is left of this body is not decoded. */
static void stop(struct http_conn *c, unsigned dir)
{
	struct http_side *s = &c->side[dir];
	s->stop = true;
	app_tx_event(&s->tx->tx, EV_BOMB);
	if (s->tx->body_file[dir] != NULL)
		s->tx->body_file[dir]->gaps = true;
}

static void emit(struct http_conn *c, unsigned dir, unsigned layer, const uint8_t *p, uint32_t n)
{
	struct http_side *s = &c->side[dir];
	if (n == 0 || s->stop)
		return;
	s->out += n;
	c->out += n;
	if ((s->out > BOMB_LEAST && s->out / BOMB_RATIO > s->in) ||
	    (c->out > FLOW_LEAST && c->out / FLOW_RATIO > c->in)) {
		stop(c, dir);
		return;
	}
	if (layer + 1 < s->n_layers)
		http_layers_push(c, dir, layer + 1, p, n);
	else
		http_body_decoded(c, dir, p, n);
}

/* The rest goes on as it is. */
static void pass(struct http_conn *c, unsigned dir, unsigned layer, const uint8_t *p, uint32_t n)
{
	struct http_side *s = &c->side[dir];
	s->layers[layer]->state = LAYER_PASS;
	app_tx_event(&s->tx->tx, EV_GZIP_FAILED);
	emit(c, dir, layer, p, n);
}

/* ---- deflate in its three dresses ------------------------------------------------------------------ */

/* Length of a gzip header; 0: none; UINT32_MAX: more bytes are needed. */
static uint32_t gzip_header(const uint8_t *p, uint32_t n)
{
	uint32_t at = 10;
	if ((n > 0 && p[0] != 0x1f) || (n > 1 && p[1] != 0x8b))
		return 0;
	if (n < 10)
		return UINT32_MAX;
	if ((p[3] & 4) != 0) { /* extra field */
		if (n < at + 2)
			return UINT32_MAX;
		at += 2 + (p[at] | (uint32_t)p[at + 1] << 8);
	}
	for (unsigned bit = 8; bit <= 16; bit <<= 1) { /* name, comment */
		if ((p[3] & bit) == 0)
			continue;
		const uint8_t *nul = at < n ? memchr(p + at, 0, n - at) : NULL;
		if (nul == NULL)
			return UINT32_MAX;
		at = (uint32_t)(nul - p) + 1;
	}
	if ((p[3] & 2) != 0)
		at += 2;
	return at;
}

static bool zlib_header(const uint8_t *p, uint32_t n)
{
	return n > 1 && (p[0] & 15) == 8 && (p[0] >> 4) <= 7 && (p[0] << 8 | p[1]) % 31 == 0;
}

/* Where the raw stream begins in the k-th way of reading the head. False: not that way. */
static bool way(const struct http_layer *l, unsigned k, uint32_t *ret_at, bool *ret_more)
{
	uint32_t g = gzip_header(l->head, l->head_len);
	*ret_more = false;
	switch (k) {
	case 0:
		*ret_more = g == UINT32_MAX;
		*ret_at = g;
		return g != 0;
	case 1: /* gzip whose flags lie */
		*ret_at = 10;
		return g != 0 && l->head_len >= 10;
	case 2:
		*ret_at = 2;
		*ret_more = l->head_len < 2 && l->head_len > 0 && (l->head[0] & 15) == 8;
		return *ret_more || zlib_header(l->head, l->head_len);
	default:
		*ret_at = 0;
		return k == 3;
	}
}

static bool z_begin(struct http_conn *c, struct http_layer *l)
{
	if (l->z_live)
		return inflateReset(&l->z) == Z_OK;
	l->z.zalloc = z_alloc;
	l->z.zfree = z_free;
	l->z.opaque = c->app->ctx->slab;
	l->z_live = inflateInit2(&l->z, -15) == Z_OK;
	return l->z_live;
}

/* Deflate goes on with what is in l->z. */
static void run(struct http_conn *c, unsigned dir, unsigned layer)
{
	struct http_side *s = &c->side[dir];
	struct http_layer *l = s->layers[layer];
	uint8_t out[OUT_MAX];
	int r = Z_OK;
	while (r == Z_OK && !s->stop) {
		l->z.next_out = out;
		l->z.avail_out = sizeof(out);
		r = inflate(&l->z, Z_NO_FLUSH);
		emit(c, dir, layer, out, sizeof(out) - l->z.avail_out);
		if (l->z.avail_out != 0 && l->z.avail_in == 0 && r == Z_OK)
			return;
	}
	if (r == Z_STREAM_END) {
		l->state = LAYER_TAIL;
		l->tail = l->gzip ? 8 : 4;
		l->n_next = 0;
	} else if (r != Z_OK && r != Z_BUF_ERROR) { /* broken in the middle: the rest is lost */
		l->state = LAYER_TAIL;
		l->gzip = false;
		app_tx_event(&s->tx->tx, EV_GZIP_FAILED);
	}
}

enum attempt { ATTEMPT_WAIT, ATTEMPT_FAILED, ATTEMPT_WORKS };

/* Tries the k-th way on the head. If it works, l->z and held are where the head ends, or held is full. */
static enum attempt try_way(struct http_conn *c, struct http_layer *l, unsigned k, bool last,
			    uint8_t held[HELD_MAX], uint32_t *ret_held)
{
	uint32_t at;
	bool more;
	*ret_held = 0;
	if (!way(l, k, &at, &more))
		return ATTEMPT_FAILED;
	last = last || l->head_len == HEAD_MAX;
	if (more || at >= l->head_len)
		return last ? ATTEMPT_FAILED : ATTEMPT_WAIT;
	if (!z_begin(c, l))
		return ATTEMPT_FAILED;
	l->z.next_in = l->head + at;
	uint32_t all = l->head_len - at, some = all < COMMIT_IN ? all : COMMIT_IN;
	l->z.avail_in = some;
	l->z.next_out = held;
	l->z.avail_out = HELD_MAX;
	int r = inflate(&l->z, Z_SYNC_FLUSH);
	*ret_held = HELD_MAX - l->z.avail_out;
	if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
		return ATTEMPT_FAILED;
	l->z.avail_in += all - some;
	if (r == Z_STREAM_END || *ret_held == HELD_MAX || some == COMMIT_IN)
		return ATTEMPT_WORKS;
	if (!last)
		return ATTEMPT_WAIT;
	return *ret_held != 0 ? ATTEMPT_WORKS : ATTEMPT_FAILED;
}

/* Gathers the head and decides. Returns how many bytes of p were taken. */
static uint32_t decide(struct http_conn *c, unsigned dir, unsigned layer, const uint8_t *p,
		       uint32_t n, bool last)
{
	struct http_layer *l = c->side[dir].layers[layer];
	uint32_t take = HEAD_MAX - l->head_len < n ? HEAD_MAX - l->head_len : n, held_len;
	uint8_t held[HELD_MAX], held_head[HEAD_MAX];
	memcpy(l->head + l->head_len, p, take);
	l->head_len += (uint16_t)take;
	for (unsigned k = 0; k < 4; k++) {
		enum attempt r = try_way(c, l, k, last, held, &held_len);
		if (r == ATTEMPT_WAIT)
			return take;
		if (r == ATTEMPT_FAILED)
			continue;
		l->state = LAYER_RUN;
		l->gzip = k < 2;
		emit(c, dir, layer, held, held_len);
		run(c, dir, layer);
		if (l->state != LAYER_TAIL || l->z.avail_in == 0)
			return take;
		/* what lies behind the end goes round again; it may have begun before p */
		uint32_t rest = l->z.avail_in;
		if (rest <= take)
			return take - rest;
		memcpy(held_head, l->z.next_in, rest);
		http_layers_push(c, dir, layer, held_head, rest);
		return take;
	}
	pass(c, dir, layer, l->head, l->head_len);
	return take;
}

/* Behind the end: the trailer, then perhaps another member. Anything else is nobody's. */
static uint32_t tail(struct http_layer *l, const uint8_t *p, uint32_t n)
{
	uint32_t at = 0;
	for (; at < n && l->tail != 0; at++)
		l->tail--;
	if (!l->gzip)
		return n;
	for (; at < n && l->n_next < 2; at++)
		l->next[l->n_next++] = p[at];
	if (l->n_next < 2)
		return n;
	if (l->next[0] != 0x1f || l->next[1] != 0x8b)
		return n;
	l->state = LAYER_TRY;
	l->n_next = 0;
	l->head_len = 2;
	l->head[0] = 0x1f;
	l->head[1] = 0x8b;
	return at;
}

/* ---- brotli --------------------------------------------------------------------------------------- */

static void brotli(struct http_conn *c, unsigned dir, unsigned layer, const uint8_t *p, uint32_t n)
{
	struct http_side *s = &c->side[dir];
	struct http_layer *l = s->layers[layer];
	uint8_t out[OUT_MAX];
	size_t in_left = n;
	if (l->state == LAYER_TRY) { /* nothing has come out yet */
		uint32_t take = HEAD_MAX - l->head_len < n ? HEAD_MAX - l->head_len : n;
		memcpy(l->head + l->head_len, p, take);
		l->head_len += (uint16_t)take;
	}
	BrotliDecoderResult r = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
	while (r == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT && !s->stop) {
		uint8_t *to = out;
		size_t room = sizeof(out);
		r = BrotliDecoderDecompressStream(l->br, &in_left, &p, &room, &to, NULL);
		if (room != sizeof(out))
			l->state = LAYER_RUN;
		emit(c, dir, layer, out, (uint32_t)(sizeof(out) - room));
	}
	if (r == BROTLI_DECODER_RESULT_SUCCESS)
		l->state = LAYER_TAIL;
	if (r != BROTLI_DECODER_RESULT_ERROR)
		return;
	if (l->state == LAYER_TRY)
		pass(c, dir, layer, l->head, l->head_len);
	else
		pass(c, dir, layer, p, (uint32_t)in_left);
}

/* ---- all layers ------------------------------------------------------------------------------------- */

void http_layers_push(struct http_conn *c, unsigned dir, unsigned layer, const uint8_t *data,
		      uint32_t len)
{
	struct http_side *s = &c->side[dir];
	struct http_layer *l = s->layers[layer];
	while (len != 0 && !s->stop) {
		uint32_t n = len;
		if (l->state == LAYER_PASS) {
			emit(c, dir, layer, data, len);
		} else if (l->brotli) {
			if (l->state != LAYER_TAIL)
				brotli(c, dir, layer, data, len);
		} else if (l->state == LAYER_TRY) {
			n = decide(c, dir, layer, data, len, false);
		} else if (l->state == LAYER_TAIL) {
			n = tail(l, data, len);
		} else {
			l->z.next_in = (Bytef *)(uintptr_t)data;
			l->z.avail_in = len;
			run(c, dir, layer);
			if (l->state == LAYER_TAIL)
				n = len - l->z.avail_in;
		}
		data += n;
		len -= n;
	}
}

static void layer_add(struct http_conn *c, unsigned dir, bool br)
{
	struct http_side *s = &c->side[dir];
	if (s->n_layers == LAYERS_USUAL)
		app_tx_event(&s->tx->tx, EV_ENCODING_LAYERS);
	if (s->n_layers == HTTP_LAYERS_MAX)
		return;
	struct http_layer *l = slab_alloc(c->app->ctx->slab, sizeof(*l));
	if (l == NULL)
		return;
	memset(l, 0, offsetof(struct http_layer, head));
	l->brotli = br;
	if (br) {
		l->br = BrotliDecoderCreateInstance(br_alloc, z_free, c->app->ctx->slab);
		if (l->br == NULL)
			l->state = LAYER_PASS;
	}
	/* named last, applied last: undone first */
	memmove(s->layers + 1, s->layers, s->n_layers * sizeof(s->layers[0]));
	s->layers[0] = l;
	s->n_layers++;
}

static void layer_named(struct http_conn *c, unsigned dir, const uint8_t *p, uint32_t n)
{
	bool gzip = http_ifind(p, n, "gzip") >= 0, deflate = http_ifind(p, n, "deflate") >= 0;
	bool usual = http_ieq(p, n, "gzip") || http_ieq(p, n, "x-gzip") ||
		     http_ieq(p, n, "deflate") || http_ieq(p, n, "x-deflate");
	if (gzip || deflate) {
		if (!usual)
			app_tx_event(&c->side[dir].tx->tx, EV_ENCODING_ABNORMAL);
		layer_add(c, dir, false);
	} else if (http_ieq(p, n, "br")) {
		layer_add(c, dir, true);
	} else if (!http_ieq(p, n, "identity") && !http_ieq(p, n, "inflate") &&
		   !http_ieq(p, n, "lzma") && !http_ieq(p, n, "none")) {
		app_tx_event(&c->side[dir].tx->tx, EV_ENCODING_ABNORMAL);
	}
}

void http_layers_open(struct http_conn *c, unsigned dir, const uint8_t *names, uint32_t len)
{
	for (uint32_t at = 0, named = 0; at < len && named < 16; named++) {
		while (at < len && (names[at] == ',' || http_is_space(names[at])))
			at++;
		uint32_t from = at;
		while (at < len && names[at] != ',' && !http_is_space(names[at]))
			at++;
		if (at != from)
			layer_named(c, dir, names + from, at - from);
	}
}

/* The body is over: layers that wait for more decide now, outermost first. */
void http_layers_close(struct http_conn *c, unsigned dir, bool flush)
{
	struct http_side *s = &c->side[dir];
	for (unsigned i = 0; i < s->n_layers; i++) {
		struct http_layer *l = s->layers[i];
		if (flush && l->state == LAYER_TRY && l->head_len != 0) {
			if (l->brotli)
				pass(c, dir, i, l->head, l->head_len);
			else
				decide(c, dir, i, l->head, 0, true);
		}
	}
	for (unsigned i = 0; i < s->n_layers; i++) {
		struct http_layer *l = s->layers[i];
		if (l->z_live)
			inflateEnd(&l->z);
		if (l->br != NULL)
			BrotliDecoderDestroyInstance(l->br);
		slab_free(c->app->ctx->slab, l);
		s->layers[i] = NULL;
	}
	s->n_layers = 0;
}
