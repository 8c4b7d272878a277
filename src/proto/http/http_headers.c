/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines and header fields, as forgiving as browsers and servers are. */
#include "proto/http/http_priv.h"

#include <string.h>

/* Where the first CR or LF stands; n: nowhere. */
static uint32_t find_end(const uint8_t *p, uint32_t from, uint32_t n, bool cr_ends)
{
	if (!cr_ends) {
		const uint8_t *lf = from < n ? memchr(p + from, '\n', n - from) : NULL;
		return lf != NULL ? (uint32_t)(lf - p) : n;
	}
	for (uint32_t i = from; i < n; i++)
		if (p[i] == '\n' || p[i] == '\r')
			return i;
	return n;
}

/* A line ends in LF, CR LF or, where cr_ends, in a CR that no CR and no LF follows. LF CR is one end as
 * well: the CR is taken with the next line. */
enum step http_take_line(struct http_side *s, struct http_in *in, bool cr_ends,
			 const uint8_t **ret_line, uint32_t *ret_len, uint32_t *ret_total)
{
	const uint8_t *p = in->at;
	uint32_t n = (uint32_t)(in->end - p), skip = 0;
	if (cr_ends && s->bare_lf && n != 0 && *p == '\r') {
		/* LF CR: unless the CR belongs to an end of its own, as after LF in CR LF */
		skip = 1;
	}
	uint32_t from = s->scanned > skip ? s->scanned : skip, i;
	for (;;) {
		i = find_end(p, from, n, cr_ends);
		if (i >= n || p[i] == '\n')
			break;
		if (i + 1 >= n && !in->eof) { /* a CR: what follows decides */
			s->scanned = i;
			return STEP_MORE;
		}
		if (i + 1 >= n || (p[i + 1] != '\r' && p[i + 1] != '\n'))
			break;
		if (p[i + 1] == '\n') {
			i++;
			break;
		}
		from = i + 1;
	}
	if (i >= n && !in->eof) {
		s->scanned = n;
		return STEP_MORE;
	}
	if (i >= n && n == 0)
		return STEP_MORE;
	bool lf = i < n && p[i] == '\n';
	uint32_t end = i < n ? i : n;
	if (lf && end > skip && p[end - 1] == '\r')
		end--;
	*ret_line = p + skip;
	*ret_len = end - skip;
	*ret_total = (i < n ? i + 1 : n);
	s->scanned = 0;
	s->lf_cr = skip != 0 && lf && end != i; /* LF CR, CR LF */
	s->bare_lf = lf && end == i;
	return STEP_ON;
}

static void event(struct http_side *s, unsigned dir, enum http_event req, enum http_event res)
{
	app_tx_event(&s->tx->tx, dir == TO_SERVER ? req : res);
}

static bool is_token(const uint8_t *p, uint32_t len)
{
	static const bool fits[256] = {
		['a' ... 'z'] = true,  ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['!'] = true,
		['#' ... '\''] = true, ['*'] = true,         ['+'] = true,         ['-'] = true,
		['.'] = true,          ['^' ... '`'] = true, ['|'] = true,         ['~'] = true};
	for (uint32_t i = 0; i < len; i++)
		if (!fits[p[i]])
			return false;
	return len != 0;
}

/* A header of the same name that came before; NULL: none. */
static struct http_header *earlier(struct http_msg *m, const struct http_header *h)
{
	if (h->id != HDR_OTHER)
		return m->known[h->id] != 0 ? &m->headers[m->known[h->id] - 1] : NULL;
	if (h->name.len == 0)
		return NULL;
	const uint8_t *name = http_at(m, h->name);
	for (uint32_t i = 0; i < m->n && i < HTTP_MERGE_MAX; i++) {
		struct http_header *o = &m->headers[i];
		if (o->id != HDR_OTHER || o->name.len != h->name.len)
			continue;
		const uint8_t *other = http_at(m, o->name);
		uint32_t k = 0;
		while (k < o->name.len && http_lower(other[k]) == http_lower(name[k]))
			k++;
		if (k == o->name.len)
			return o;
	}
	return NULL;
}

/* Joins a repeated header's value to the first one's: "a, b". */
static void join(struct http_conn *c, unsigned dir, struct http_header *o,
		 const struct http_header *h)
{
	struct http_side *s = &c->side[dir];
	struct http_msg *m = &s->tx->msg[dir];
	if (o->repeats == HTTP_MERGE_MAX) {
		event(s, dir, EV_REQ_REPETITION, EV_RES_REPETITION);
		return;
	}
	o->repeats++;
	if (o->id == HDR_CONTENT_LEN) { /* the first stands */
		event(s, dir, EV_REQ_CL_DUPLICATE, EV_RES_CL_DUPLICATE);
		s->hold_done = true;
		return;
	}
	uint32_t need = o->value.len + 2 + h->value.len;
	if (need > o->room) {
		uint32_t at = m->made.len;
		if (!http_text_add(c->app, &m->made, NULL, need * 2))
			return;
		struct http_str to = {at | HTTP_MADE, o->value.len};
		memcpy(http_at(m, to), http_at(m, o->value), o->value.len);
		o->value = to;
		o->room = need * 2;
	}
	uint8_t *to = http_at(m, o->value) + o->value.len;
	to[0] = ',';
	to[1] = ' ';
	memcpy(to + 2, http_at(m, h->value), h->value.len);
	o->value.len = need;
}

static void keep(struct http_conn *c, unsigned dir, const struct http_header *h)
{
	struct http_side *s = &c->side[dir];
	struct http_msg *m = &s->tx->msg[dir];
	struct http_header *o = earlier(m, h);
	if (o != NULL) {
		join(c, dir, o, h);
		return;
	}
	if (m->n == HTTP_HEADERS_MAX) {
		event(s, dir, EV_REQ_HEADERS_MANY, EV_RES_HEADERS_MANY);
		c->app->full = true;
		return;
	}
	if (m->n == m->cap_headers) {
		uint32_t want = m->n == 0 ? 16 : m->n * 2u;
		void *p = slab_grow(c->app->ctx->slab, m->headers, want * sizeof(m->headers[0]));
		if (p == NULL)
			return;
		m->headers = p;
		m->cap_headers = (uint16_t)want;
	}
	m->headers[m->n++] = *h;
	if (h->id != HDR_OTHER)
		m->known[h->id] = m->n;
}

/* The header line in hand is whole: name, colon, value. */
static void hold_ends(struct http_conn *c, unsigned dir)
{
	struct http_side *s = &c->side[dir];
	struct http_msg *m = &s->tx->msg[dir];
	if (!s->pending)
		return;
	s->pending = false;
	struct http_header h = {0};
	const uint8_t *p = http_at(m, s->hold);
	const uint8_t *colon = memchr(p, ':', s->hold.len);
	if (colon == NULL) { /* no name: kept as a value */
		h.value = http_trim(m, s->hold);
		event(s, dir, EV_REQ_MISSING_COLON, EV_RES_MISSING_COLON);
		keep(c, dir, &h);
		return;
	}
	h.name = s->hold;
	h.name.len = (uint32_t)(colon - p);
	h.value.off = h.name.off + h.name.len + 1;
	h.value.len = s->hold.len - h.name.len - 1;
	h.value = http_trim(m, h.value);
	struct http_str name = http_trim(m, h.name);
	if (name.len != h.name.len || !is_token(http_at(m, name), name.len))
		event(s, dir, EV_REQ_HEADER_INVALID, EV_RES_HEADER_INVALID);
	h.name = name;
	h.id = (uint8_t)http_known_id(http_at(m, h.name), h.name.len);
	keep(c, dir, &h);
}

/* A line that begins with a blank goes on with the header before it. False: it is one of its own. */
static bool fold(struct http_conn *c, unsigned dir, const uint8_t *line, uint32_t len)
{
	struct http_side *s = &c->side[dir];
	struct http_msg *m = &s->tx->msg[dir];
	if (!s->pending) {
		event(s, dir, EV_REQ_FOLDING, EV_RES_FOLDING);
		return false;
	}
	if (dir == TO_CLIENT && memchr(line, ':', len) != NULL &&
	    memchr(http_at(m, s->hold), ':', s->hold.len) != NULL && m->version == 11) {
		event(s, dir, EV_REQ_FOLDING, EV_RES_FOLDING);
		return false;
	}
	while (len != 0 && (http_is_lws(*line) || *line == 0))
		line++, len--;
	if (s->hold.len + len > HTTP_LINE_MAX * 2)
		return true;
	if ((s->hold.off & HTTP_MADE) == 0) { /* more lines follow in text: goes on elsewhere */
		uint32_t at = m->made.len;
		if (!http_text_add(c->app, &m->made, http_at(m, s->hold), s->hold.len))
			return true;
		s->hold.off = at | HTTP_MADE;
	}
	if (http_text_add(c->app, &m->made, " ", 1))
		s->hold.len++;
	if (http_text_add(c->app, &m->made, line, len))
		s->hold.len += len;
	return true;
}

/* Is this line, of nothing but one blank, the end of the headers? Only if no line end follows. */
static enum step blank_line(const struct http_in *in, const uint8_t *line, uint32_t len,
			    uint32_t total, bool *ret_end)
{
	*ret_end = false;
	if (len != 1 || !http_is_lws(*line) || in->at + total != line + 2 || line[1] != '\n')
		return STEP_ON;
	const uint8_t *next = in->at + total;
	if (next == in->end && !in->eof)
		return STEP_MORE;
	*ret_end = next == in->end || (*next != '\n' && *next != '\r');
	return STEP_ON;
}

static void take_header_line(struct http_conn *c, unsigned dir, uint32_t off, uint32_t len)
{
	struct http_side *s = &c->side[dir];
	struct http_msg *m = &s->tx->msg[dir];
	const uint8_t *line = m->text.p + off;
	if (len != 0 && (http_is_lws(*line) || *line == 0) && fold(c, dir, line, len))
		return;
	hold_ends(c, dir);
	s->hold.off = off;
	s->hold.len = len;
	s->pending = true;
}

/* A line is too long, or there are too many. */
static enum step too_long(struct http_conn *c, unsigned dir)
{
	event(&c->side[dir], dir, EV_REQ_TOO_LONG, EV_RES_TOO_LONG);
	http_dead(c, dir);
	return STEP_ON;
}

enum step http_take_headers(struct http_conn *c, unsigned dir, struct http_in *in, bool *ret_over)
{
	struct http_side *s = &c->side[dir];
	struct http_msg *m = &s->tx->msg[dir];
	*ret_over = false;
	for (;;) {
		const uint8_t *line;
		uint32_t len, total;
		uint32_t scanned = s->scanned;
		bool bare = s->bare_lf, lf_cr = s->lf_cr, end;
		if (in->at == in->end ||
		    http_take_line(s, in, dir == TO_CLIENT, &line, &len, &total) == STEP_MORE) {
			if (in->end - in->at <= (ptrdiff_t)HTTP_LINE_MAX)
				return STEP_MORE;
			return too_long(c, dir);
		}
		if (len > HTTP_LINE_MAX)
			return too_long(c, dir);
		if (blank_line(in, line, len, total, &end) == STEP_MORE) {
			s->scanned = scanned;
			s->bare_lf = bare;
			s->lf_cr = lf_cr;
			return STEP_MORE;
		}
		uint32_t off = m->text.len + (uint32_t)(line - in->at);
		if (!http_text_add(c->app, &m->text, in->at, total))
			return too_long(c, dir);
		if (s->state == ST_HEADERS) {
			if (m->raw.len == 0) {
				m->raw.off = m->wire.heads = m->text.len - total;
				m->wire.heads_at = http_off(c, in->at);
			}
			m->raw.len += total;
			m->wire.heads_end = m->text.len;
		}
		bool cr_alone = len == 0 && in->at[total - 1] == '\r';
		in->at += total;
		if (cr_alone) /* a stray CR is no empty line */
			continue;
		if (len == 0 || end) {
			s->skip_crlf = s->lf_cr;
			hold_ends(c, dir);
			*ret_over = true;
			return STEP_ON;
		}
		take_header_line(c, dir, off, len);
	}
}

void http_headers_cut(struct http_conn *c, unsigned dir)
{
	hold_ends(c, dir);
}
