/* SPDX-License-Identifier: BSD-2-Clause */
/* multipart/form-data: the files in an upload. */
#include "proto/http/http_priv.h"

#include <string.h>

#define BOUNDARY_MAX 200u
#define BUF_SIZE 8192u
#define PARTS_MAX 256u /* files of one request */

enum parts_state { PARTS_DATA, PARTS_DELIM, PARTS_HEAD, PARTS_OVER };

struct http_parts {
	uint8_t state; /* enum parts_state */
	bool lead;     /* the first byte in buf is the LF before the part, not its content */
	bool named, any;
	uint16_t files;
	uint16_t delim_len;
	uint8_t delim[BOUNDARY_MAX + 3]; /* LF, two dashes, boundary */
	struct app_file *file;           /* part in hand; NULL: no file */
	uint32_t from, len;              /* what is in hand: buf[from] .. buf[from + len] */
	uint8_t buf[BUF_SIZE];
};

bool http_param(const uint8_t *p, uint32_t len, const char *name, struct span *ret)
{
	uint32_t n = (uint32_t)strlen(name), at = 0;
	bool quoted = false;
	for (; at < len; at++) {
		if (p[at] == '"')
			quoted = !quoted;
		if (quoted || len - at <= n || !http_istarts(p + at, len - at, name))
			continue;
		if (at != 0 && p[at - 1] != ';' && !http_is_space(p[at - 1]))
			continue;
		uint32_t v = at + n;
		while (v < len && http_is_lws(p[v]))
			v++;
		if (v == len || p[v] != '=')
			continue;
		v++;
		while (v < len && http_is_lws(p[v]))
			v++;
		bool q = v < len && p[v] == '"';
		v += q;
		uint32_t end = v;
		while (end < len && (q ? p[end] != '"' : p[end] != ';' && !http_is_space(p[end])))
			end += q && p[end] == '\\' && end + 1 < len ? 2 : 1;
		ret->data = p + v;
		ret->len = (end < len ? end : len) - v;
		return true;
	}
	return false;
}

bool http_parts_open(struct http_conn *c, const uint8_t *type, uint32_t len)
{
	struct span b;
	if (!http_param(type, len, "boundary", &b) || b.len == 0 || b.len > BOUNDARY_MAX)
		return false;
	struct http_parts *m = slab_alloc(c->app->ctx->slab, sizeof(*m));
	if (m == NULL)
		return false;
	memset(m, 0, offsetof(struct http_parts, buf));
	memcpy(m->delim, "\n--", 3);
	memcpy(m->delim + 3, b.data, b.len);
	m->delim_len = (uint16_t)(3 + b.len);
	m->buf[0] = '\n'; /* the first delimiter has no line before it */
	m->len = 1;
	m->lead = true;
	c->side[TO_SERVER].parts = m;
	return true;
}

static void part_data(struct http_conn *c, struct http_parts *m, uint32_t n)
{
	uint32_t from = m->lead && n != 0 ? 1 : 0;
	if (n != 0)
		m->lead = false;
	if (n > from && m->file != NULL)
		app_file_add(c->app, m->file, m->buf + m->from + from, n - from,
			     http_body_max(c->app, TO_SERVER));
}

static void part_ends(struct http_conn *c, struct http_parts *m, bool whole)
{
	if (m->file != NULL) {
		if (m->file->size == 0)
			app_tx_event(&c->side[TO_SERVER].tx->tx, EV_MULTIPART_NO_FILE);
		app_file_close(c->app, m->file, whole);
	}
	m->file = NULL;
}

static void part_header(struct http_conn *c, struct http_parts *m, const uint8_t *p, uint32_t len)
{
	static const char cd[] = "content-disposition";
	struct http_tx *t = c->side[TO_SERVER].tx;
	struct span name;
	if (!http_istarts(p, len, cd))
		return;
	const uint8_t *colon = memchr(p, ':', len);
	if (colon == NULL || !http_param(p, len, "name", &name))
		app_tx_event(&t->tx, EV_MULTIPART_HEADER);
	if (!http_param(p, len, "filename", &name) || name.len == 0 || m->files == PARTS_MAX)
		return;
	part_ends(c, m, true);
	m->files++;
	m->file = app_file_open(c->app, &t->tx, TO_SERVER, name.data, name.len);
}

static void drop(struct http_parts *m, uint32_t n)
{
	m->from += n;
	m->len -= n;
}

/* Content up to the delimiter. True: there is more to do with what buf holds. */
static bool in_data(struct http_conn *c, struct http_parts *m)
{
	const uint8_t *d = memmem(m->buf + m->from, m->len, m->delim, m->delim_len);
	if (d != NULL) {
		uint32_t n = (uint32_t)(d - m->buf) - m->from, keep = n;
		if (n != 0 && m->buf[m->from + n - 1] == '\r')
			keep--;
		part_data(c, m, keep);
		part_ends(c, m, true);
		m->lead = false;
		m->state = PARTS_DELIM;
		drop(m, n + m->delim_len);
		return true;
	}
	uint32_t hold = m->delim_len + 1u; /* with a CR before it */
	if (m->len > hold) {
		uint32_t n = m->len - hold;
		part_data(c, m, n);
		drop(m, n);
	}
	return false;
}

/* One header line, or the rest of the delimiter's line. */
static bool in_lines(struct http_conn *c, struct http_parts *m)
{
	struct http_tx *t = c->side[TO_SERVER].tx;
	if (m->state == PARTS_DELIM && m->len >= 2 && m->buf[m->from] == '-' &&
	    m->buf[m->from + 1] == '-') {
		m->state = PARTS_OVER;
		return false;
	}
	const uint8_t *lf = memchr(m->buf + m->from, '\n', m->len);
	if (lf == NULL) {
		if (m->len == BUF_SIZE) {
			app_tx_event(&t->tx, EV_MULTIPART_ERROR);
			m->state = PARTS_OVER;
		}
		return false;
	}
	uint32_t n = (uint32_t)(lf - m->buf) - m->from, line = n;
	if (line != 0 && m->buf[m->from + line - 1] == '\r')
		line--;
	if (m->state == PARTS_DELIM) {
		m->state = PARTS_HEAD;
		drop(m, n + 1);
	} else if (line == 0) { /* the LF may be the one before the next delimiter */
		m->state = PARTS_DATA;
		m->lead = true;
		drop(m, n);
	} else {
		part_header(c, m, m->buf + m->from, line);
		drop(m, n + 1);
	}
	return true;
}

void http_parts_data(struct http_conn *c, const uint8_t *data, uint32_t len)
{
	struct http_parts *m = c->side[TO_SERVER].parts;
	while (len != 0 && m->state != PARTS_OVER) {
		/* Moved once for a buffer's worth, not for every line in it. */
		if (m->from != 0)
			memmove(m->buf, m->buf + m->from, m->len);
		m->from = 0;
		uint32_t n = BUF_SIZE - m->len < len ? BUF_SIZE - m->len : len;
		memcpy(m->buf + m->len, data, n);
		m->len += n;
		data += n;
		len -= n;
		while (m->state == PARTS_DATA ? in_data(c, m)
					      : m->state != PARTS_OVER && in_lines(c, m))
			;
	}
}

void http_parts_close(struct http_conn *c, bool whole)
{
	struct http_side *s = &c->side[TO_SERVER];
	struct http_parts *m = s->parts;
	if (s->tx != NULL) {
		if (m->state != PARTS_OVER)
			app_tx_event(&s->tx->tx, EV_MULTIPART_ERROR);
		if (m->state == PARTS_DATA)
			part_data(c, m, m->len);
		part_ends(c, m, whole && m->state == PARTS_OVER);
	}
	slab_free(c->app->ctx->slab, m);
	s->parts = NULL;
}
