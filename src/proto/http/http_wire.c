/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Back to the wire: where in the stream the bytes of a buffer stand. The text of a message is two pieces of
 * the stream (first line, header lines), a body is runs of it; everything else is followed back to those.
 */
#include "proto/http/http_priv.h"

#include <string.h>

#define RUNS_FIRST 4u

uint64_t http_off(const struct http_conn *c, const uint8_t *p)
{
	return c->from_off + (uint64_t)(p - c->from);
}

static bool tell(struct http_conn *c, const struct app_frame_at *f)
{
	const struct app_ctx *x = c->app->ctx;
	return x->frame != NULL && x->frame(x->frame_ctx, c->app, f);
}

/* ---- bodies ---------------------------------------------------------------------------------------- */

static bool room(struct http_conn *c, struct http_msg *m)
{
	if (m->wire.n_runs < m->wire.cap_runs)
		return true;
	if (m->wire.cap_runs == HTTP_RUNS) { /* the oldest goes */
		memmove(m->wire.runs, m->wire.runs + 1, (HTTP_RUNS - 1) * sizeof(*m->wire.runs));
		m->wire.n_runs--;
		return true;
	}
	uint16_t cap = m->wire.cap_runs == 0 ? RUNS_FIRST : (uint16_t)(m->wire.cap_runs * 4);
	struct http_run *r = slab_grow(c->app->ctx->slab, m->wire.runs, cap * sizeof(*r));
	if (r == NULL)
		return false;
	m->wire.runs = r;
	m->wire.cap_runs = cap;
	return true;
}

void http_wire_body(struct http_conn *c, unsigned dir, const uint8_t *data, uint32_t len)
{
	struct http_msg *m = &c->side[dir].tx->msg[dir];
	struct http_run *last = m->wire.n_runs > 0 ? &m->wire.runs[m->wire.n_runs - 1] : NULL;
	uint64_t body = m->wire.body_len, at = http_off(c, data);
	m->wire.body_len += len;
	if (m->wire.telling && len > 0)
		(void)tell(c, &(struct app_frame_at){.kind = APP_FRAME_BODY,
						     .dir = (uint8_t)dir,
						     .off = at,
						     .len = len});
	m->wire.framed |=
		c->side[dir].state == ST_BODY_LENGTH || c->side[dir].state == ST_CHUNK_DATA;
	if (m->wire.no_wire || len == 0)
		return;
	if (last != NULL && last->at + last->len == at)
		last->len += len;
	else if (room(c, m))
		m->wire.runs[m->wire.n_runs++] = (struct http_run){body, at, len};
	else
		m->wire.no_wire = true;
}

static uint32_t of_body(const struct http_msg *m, uint64_t off, uint32_t len,
			struct app_piece *pieces, uint32_t max)
{
	uint32_t n = 0;
	if (m->wire.no_wire)
		return 0;
	for (uint32_t i = 0; i < m->wire.n_runs && len > 0; i++) {
		const struct http_run *r = &m->wire.runs[i];
		if (off >= r->body + r->len)
			continue;
		if (off < r->body || n == max)
			return 0;
		uint64_t left = r->body + r->len - off;
		uint32_t take = left < len ? (uint32_t)left : len;
		pieces[n++] = (struct app_piece){r->at + (off - r->body), take};
		off += take;
		len -= take;
	}
	return len == 0 ? n : 0;
}

/* Is the index-th file what the body is as a whole? */
static bool is_body(const struct http_tx *t, unsigned dir, uint32_t index)
{
	const struct app_file *f = t->tx.files;
	for (; f != NULL; f = f->next)
		if (f->dir == dir && index-- == 0)
			break;
	return f != NULL && f == t->body_file[dir];
}

/* ---- text ------------------------------------------------------------------------------------------ */

/* from .. to of the text of a message; one piece. */
static uint32_t of_text(const struct http_msg *m, uint64_t from, uint64_t to,
			struct app_piece *pieces)
{
	uint64_t at;
	if (m->wire.heads_end != 0 && from >= m->wire.heads && to <= m->wire.heads_end)
		at = m->wire.heads_at + (from - m->wire.heads);
	else if (to <= (m->wire.heads_end != 0 ? m->wire.heads : m->text.len))
		at = m->wire.line_at + from;
	else
		return 0; /* over a line's end that was not kept, or in a trailer */
	pieces[0] = (struct app_piece){at, (uint32_t)(to - from)};
	return 1;
}

static uint32_t of_span(const struct http_msg *m, struct span s, uint64_t off, uint32_t len,
			struct app_piece *pieces)
{
	const uint8_t *p = m->text.p;
	if (p == NULL || s.data < p || s.data + s.len > p + m->text.len || off + len > s.len)
		return 0;
	uint64_t from = (uint64_t)(s.data - p) + off;
	return of_text(m, from, from + len, pieces);
}

/* What normalisation took out before a byte goes with it: nothing of it shall be left. */
static uint32_t of_uri(const struct app *a, struct http_tx *t, uint64_t off, uint32_t len,
		       struct app_piece *pieces)
{
	const struct http_msg *m = &t->msg[TO_SERVER];
	uint32_t cap = m->part[1].len + 2, r = 0;
	uint32_t *from = slab_alloc(a->ctx->slab, cap * (2 * sizeof(*from) + 1));
	if (from == NULL)
		return 0;
	uint32_t *end = from + cap;
	uint32_t n = http_uri_map(t, (uint8_t *)(end + cap), cap, from, end);
	if (off + len <= n)
		r = of_text(m, off > 0 ? end[off - 1] : t->uri.path.off, end[off + len - 1],
			    pieces);
	slab_free(a->ctx->slab, from);
	return r;
}

/* ---- headers --------------------------------------------------------------------------------------- */

/* One header as "name: value\r\n" of virtual bytes, and where in the text each begins. */
struct walk {
	uint32_t name, colon, value, eol, lf, end; /* in text */
	uint32_t n_name, n_value;
};

static bool walk_of(const struct http_msg *m, const struct http_header *h, struct walk *ret)
{
	if (((h->name.off | h->value.off) & HTTP_MADE) != 0 || h->name.len == 0)
		return false;
	const uint8_t *p = m->text.p, *end = p + m->text.len;
	const uint8_t *after = p + h->name.off + h->name.len;
	const uint8_t *colon = memchr(after, ':', (size_t)(p + h->value.off - after));
	const uint8_t *eol = p + h->value.off + h->value.len;
	const uint8_t *lf = memchr(eol, '\n', (size_t)(end - eol));
	if (colon == NULL || lf == NULL)
		return false;
	*ret = (struct walk){.name = h->name.off,
			     .colon = (uint32_t)(colon - p),
			     .value = h->value.off,
			     .eol = (uint32_t)(eol - p),
			     .lf = (uint32_t)(lf - p),
			     .end = (uint32_t)(lf + 1 - p),
			     .n_name = h->name.len,
			     .n_value = h->value.len};
	return true;
}

/* Where virtual byte k begins; as an end, that of the one before it. */
static uint32_t walk_at(const struct walk *w, uint32_t k, bool as_end)
{
	if (k < w->n_name || (as_end && k == w->n_name))
		return w->name + k;
	k -= w->n_name;
	if (k < 2)
		return w->colon + k;
	k -= 2;
	if (k < w->n_value || (as_end && k == w->n_value))
		return w->value + k;
	k -= w->n_value;
	return k == 0 ? w->eol : k == 1 ? w->lf : w->end;
}

static bool is_cookie(const struct http_header *h, unsigned dir)
{
	return h->id == (dir == TO_SERVER ? HDR_COOKIE : HDR_SET_COOKIE);
}

/* The range must not go over a header that is not there (a cookie), stands elsewhere, or was joined. */
static uint32_t of_header(const struct http_msg *m, unsigned dir, uint64_t off, uint32_t len,
			  struct app_piece *pieces)
{
	uint64_t at = 0, to = off + len;
	uint32_t first = UINT32_MAX, last_end = 0;
	for (uint32_t i = 0; i < m->n && at < to; i++) {
		const struct http_header *h = &m->headers[i];
		struct walk w;
		if (is_cookie(h, dir))
			continue;
		uint64_t begin = at, end = at + h->name.len + h->value.len + 4;
		at = end;
		if (end <= off)
			continue;
		if (!walk_of(m, h, &w))
			return 0;
		if (first == UINT32_MAX)
			first = walk_at(&w, (uint32_t)(off - begin), false);
		else if (w.name != last_end)
			return 0;
		last_end = walk_at(&w, (uint32_t)((to < end ? to : end) - begin), true);
	}
	if (first == UINT32_MAX || at < to || last_end < first)
		return 0;
	return of_text(m, first, last_end, pieces);
}

static uint32_t of_one(const struct http_msg *m, uint32_t index, uint64_t off, uint32_t len,
		       struct app_piece *pieces)
{
	struct walk w;
	if (index >= m->n || !walk_of(m, &m->headers[index], &w) ||
	    off + len > w.n_name + 2 + (uint64_t)w.n_value)
		return 0;
	uint32_t from = walk_at(&w, (uint32_t)off, false);
	uint32_t to = walk_at(&w, (uint32_t)off + len, true);
	return to < from ? 0 : of_text(m, from, to, pieces);
}

/* ---- all ------------------------------------------------------------------------------------------- */

uint32_t http_wire(const struct app *a, const struct app_tx *tx, enum app_buffer b, unsigned dir,
		   uint32_t index, uint64_t off, uint32_t len, struct app_piece *pieces,
		   uint32_t max)
{
	struct http_tx *t = (struct http_tx *)(uintptr_t)tx; /* its events are not touched */
	const struct http_msg *m = &t->msg[dir];
	struct span s;
	if (max == 0 || off > UINT32_MAX)
		return 0;
	switch ((unsigned)b) { /* the rest are parts of the text, or nothing of it */
	case BUF_FILE_DATA:
		return is_body(t, dir, index) ? of_body(m, off, len, pieces, max) : 0;
	case BUF_HTTP_REQUEST_BODY:
	case BUF_HTTP_RESPONSE_BODY:
		return of_body(m, off, len, pieces, max);
	case BUF_HTTP_URI:
		return of_uri(a, t, off, len, pieces);
	case BUF_HTTP_HEADER:
		return of_header(m, dir, off, len, pieces);
	case BUF_HTTP_REQUEST_HEADER:
	case BUF_HTTP_RESPONSE_HEADER:
	case BUF_HTTP_HEADER_ONE:
		return of_one(m, index, off, len, pieces);
	case BUF_HTTP_HOST:
		b = BUF_HTTP_HOST_RAW; /* the same in capitals */
		break;
	default:
		break;
	}
	uint64_t base;
	bool complete;
	if (http_buffer(a, tx, b, dir, index, &s, &base, &complete) != 0)
		return 0;
	return of_span(m, s, off, len, pieces);
}

/* ---- framing --------------------------------------------------------------------------------------- */

/* The only header of a name, from name to value; len 0: none, several, not in one piece. */
static struct app_piece only(struct http_conn *c, unsigned dir, enum http_known id)
{
	const struct http_msg *m = &c->side[dir].tx->msg[dir];
	struct app_piece p = {0};
	if (m->known[id] == 0)
		return p;
	uint32_t i = m->known[id] - 1u;
	const struct http_header *h = &m->headers[i];
	if (h->repeats > 0 || of_one(m, i, 0, h->name.len + 2 + h->value.len, &p) != 1)
		p.len = 0;
	return p;
}

void http_frame_head(struct http_conn *c, unsigned dir, bool chunked, bool body)
{
	const struct http_side *s = &c->side[dir];
	struct http_tx *t = s->tx;
	struct app_frame_at f = {.kind = APP_FRAME_HEAD, .dir = (uint8_t)dir, .chunked = chunked};
	if (c->app->ctx->frame == NULL)
		return;
	bool modern = t->msg[dir].version == 11 &&
		      (dir == TO_SERVER || (!t->no_request && t->msg[TO_SERVER].version == 11));
	if (body && !chunked)
		f.length = only(c, dir, HDR_CONTENT_LEN);
	bool doubtful = t->msg[dir].known[HDR_TRANSFER_ENC] != 0 &&
			(!chunked || t->msg[dir].known[HDR_CONTENT_LEN] != 0);
	uint16_t n = t->msg[dir].number; /* these have no body, whatever they say of its length */
	bool bare = dir == TO_CLIENT && (n < 200 || n == 204 || n == 304);
	f.chunkable = body && modern && !doubtful && !bare && s->n_layers == 0 &&
		      (chunked || f.length.len > 0);
	t->msg[dir].wire.reframed = t->msg[dir].wire.telling = tell(c, &f) && f.chunkable;
}

void http_frame_count(struct http_conn *c, unsigned dir, const uint8_t *data, uint32_t len)
{
	if (c->side[dir].tx->msg[dir].wire.telling)
		(void)tell(c, &(struct app_frame_at){.kind = APP_FRAME_COUNT,
						     .dir = (uint8_t)dir,
						     .off = http_off(c, data),
						     .len = len});
}

void http_frame_end(struct http_conn *c, unsigned dir)
{
	if (c->side[dir].tx == NULL || !c->side[dir].tx->msg[dir].wire.telling)
		return;
	c->side[dir].tx->msg[dir].wire.telling = false;
	(void)tell(c, &(struct app_frame_at){.kind = APP_FRAME_END, .dir = (uint8_t)dir});
}

bool http_is_framed(const struct app_tx *tx, unsigned dir)
{
	const struct http_places *w = &((const struct http_tx *)tx)->msg[dir].wire;
	return w->framed && !w->reframed;
}

uint64_t http_head_begins(const struct app *a, unsigned dir)
{
	const struct http_conn *c = a->state;
	const struct http_side *s = &c->side[dir];
	return s->state == ST_LINE || s->state == ST_HEADERS ? s->begin : UINT64_MAX;
}
