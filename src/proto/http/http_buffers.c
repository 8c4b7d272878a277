/* SPDX-License-Identifier: BSD-2-Clause */
/* What rules can name, in exactly the form they expect. */
#include "proto/http/http_priv.h"

#include <string.h>

/* Derived buffers are made when first asked for: the cache is the only thing that changes. */
static struct http_tx *own(const struct app_tx *tx)
{
	return (struct http_tx *)(uintptr_t)tx;
}

static int give(struct span s, struct span *ret)
{
	if (s.data == NULL)
		return 1;
	*ret = s;
	return 0;
}

static int give_part(const struct http_msg *m, struct http_str s, struct span *ret)
{
	if (m->text.p == NULL || s.len == 0)
		return 1;
	*ret = http_span(m, s);
	return 0;
}

static bool is_cookie(const struct http_header *h, unsigned dir)
{
	return h->id == (dir == TO_SERVER ? HDR_COOKIE : HDR_SET_COOKIE);
}

static uint8_t *put(uint8_t *to, const void *data, uint32_t len)
{
	if (len != 0)
		memcpy(to, data, len);
	return to + len;
}

static uint8_t *put_str(uint8_t *to, const struct http_msg *m, struct http_str s)
{
	return s.len != 0 ? put(to, http_at(m, s), s.len) : to;
}

static uint8_t *room(const struct app *a, struct http_msg *m, enum http_derived d, uint32_t len)
{
	uint8_t *p = slab_alloc(a->ctx->slab, len != 0 ? len : 1);
	m->derived[d].data = p;
	m->derived[d].len = p != NULL ? len : 0;
	return p;
}

/* "Name: value" lines without cookies. */
static void make_header(const struct app *a, struct http_msg *m, unsigned dir)
{
	uint32_t len = 0;
	for (uint32_t i = 0; i < m->n; i++)
		if (!is_cookie(&m->headers[i], dir))
			len += m->headers[i].name.len + m->headers[i].value.len + 4;
	uint8_t *p = room(a, m, DER_HEADER, len);
	for (uint32_t i = 0; p != NULL && i < m->n; i++) {
		if (is_cookie(&m->headers[i], dir))
			continue;
		p = put(put_str(p, m, m->headers[i].name), ": ", 2);
		p = put(put_str(p, m, m->headers[i].value), "\r\n", 2);
	}
}

/* An empty line's end, each name on a line, an empty line. */
static void make_names(const struct app *a, struct http_msg *m, unsigned dir)
{
	uint32_t len = 4;
	for (uint32_t i = 0; i < m->n; i++)
		if (!is_cookie(&m->headers[i], dir))
			len += m->headers[i].name.len + 2;
	uint8_t *p = room(a, m, DER_NAMES, len);
	if (p == NULL)
		return;
	p = put(p, "\r\n", 2);
	for (uint32_t i = 0; i < m->n; i++)
		if (!is_cookie(&m->headers[i], dir))
			p = put(put_str(p, m, m->headers[i].name), "\r\n", 2);
	put(p, "\r\n", 2);
}

/* First line, header lines, empty line. */
static void make_start(const struct app *a, struct http_msg *m)
{
	uint32_t len = m->line.len + 4;
	for (uint32_t i = 0; i < m->n; i++)
		len += m->headers[i].name.len + m->headers[i].value.len + 4;
	uint8_t *p = room(a, m, DER_START, len);
	if (p == NULL)
		return;
	p = put(put_str(p, m, m->line), "\r\n", 2);
	for (uint32_t i = 0; i < m->n; i++) {
		p = put(put_str(p, m, m->headers[i].name), ": ", 2);
		p = put(put_str(p, m, m->headers[i].value), "\r\n", 2);
	}
	put(p, "\r\n", 2);
}

static int give_derived(const struct app *a, struct http_tx *t, unsigned dir, enum http_derived d,
			struct span *ret)
{
	struct http_msg *m = &t->msg[dir];
	if (m->text.p == NULL)
		return 1;
	if (m->derived[d].data == NULL) {
		if (d == DER_HEADER)
			make_header(a, m, dir);
		else if (d == DER_NAMES)
			make_names(a, m, dir);
		else if (d == DER_START)
			make_start(a, m);
		else {
			uint32_t cap = m->part[1].len + 256 + 2;
			uint8_t *p = room(a, m, d, cap);
			if (p != NULL)
				m->derived[d].len = d == DER_URI ? http_uri_normal(t, p, cap)
								 : http_host_normal(t, p, cap);
		}
	}
	if (m->derived[d].data == NULL || (m->derived[d].len == 0))
		return 1;
	*ret = m->derived[d];
	return 0;
}

/* The index-th "name: value". */
static int give_one(const struct app *a, struct http_msg *m, uint32_t index, struct span *ret)
{
	if (!m->headers_done || index >= m->n)
		return 1;
	const struct http_header *h = &m->headers[index];
	uint32_t len = h->name.len + h->value.len + 2;
	struct span *one = &m->derived[DER_ONE];
	if (len > m->one_cap) {
		uint8_t *p = slab_grow(a->ctx->slab, (void *)(uintptr_t)one->data, len * 2);
		if (p == NULL)
			return 1;
		one->data = p;
		m->one_cap = len * 2;
	}
	uint8_t *p = (uint8_t *)(uintptr_t)one->data;
	p = put(put_str(p, m, h->name), ": ", 2);
	put_str(p, m, h->value);
	ret->data = one->data;
	ret->len = one->len = len;
	return 0;
}

static int give_body(const struct app_body *b, struct span *ret, uint64_t *base, bool *complete)
{
	if (b == NULL || b->total == 0)
		return 1;
	ret->data = b->data != NULL ? b->data : (const uint8_t *)"";
	ret->len = b->len;
	*base = b->base;
	*complete = b->complete;
	return 0;
}

static struct app_file *nth_file(const struct http_tx *t, unsigned dir, uint32_t index)
{
	struct app_file *f = t->tx.files;
	for (; f != NULL; f = f->next)
		if (f->dir == dir && index-- == 0)
			break;
	return f;
}

static int file_buffer(const struct http_tx *t, enum app_buffer b, unsigned dir, uint32_t index,
		       struct span *ret, uint64_t *base, bool *complete)
{
	const struct app_file *f = nth_file(t, dir, index);
	if (f == NULL)
		return 1;
	ret->data = (const uint8_t *)f->name;
	ret->len = f->name_len;
	switch ((unsigned)b) { /* the rest has no file in it */
	case BUF_FILE_DATA:
		return give_body(f->body, ret, base, complete);
	case BUF_FILE_NAME:
		return f->name_len == 0;
	case BUF_FILE_EXT: {
		const char *dot = memrchr(f->name, '.', f->name_len);
		if (dot == NULL)
			return 1;
		ret->data = (const uint8_t *)dot + 1;
		ret->len = f->name_len - (uint32_t)(dot + 1 - f->name);
		return 0;
	}
	default:
		return 1;
	}
}

static int body_buffer(const struct http_tx *t, unsigned dir, struct span *ret, uint64_t *base,
		       bool *complete)
{
	const struct app_file *f = t->body_file[dir];
	const struct app_body *b = f != NULL ? f->body : dir == TO_SERVER ? t->body : NULL;
	return give_body(b, ret, base, complete);
}

/* The header that a buffer is the value of; HDR_OTHER: it is none. */
static enum http_known value_of(enum app_buffer b, unsigned dir)
{
	bool req = dir == TO_SERVER;
	switch ((unsigned)b) { /* the other buffers are no headers */
	case BUF_HTTP_COOKIE:
		return req ? HDR_COOKIE : HDR_SET_COOKIE;
	case BUF_HTTP_USER_AGENT:
		return req ? HDR_USER_AGENT : HDR_OTHER;
	case BUF_HTTP_ACCEPT:
		return req ? HDR_ACCEPT : HDR_OTHER;
	case BUF_HTTP_ACCEPT_LANG:
		return req ? HDR_ACCEPT_LANG : HDR_OTHER;
	case BUF_HTTP_ACCEPT_ENC:
		return req ? HDR_ACCEPT_ENC : HDR_OTHER;
	case BUF_HTTP_REFERER:
		return req ? HDR_REFERER : HDR_OTHER;
	case BUF_HTTP_CONNECTION:
		return HDR_CONNECTION;
	case BUF_HTTP_CONTENT_TYPE:
		return HDR_CONTENT_TYPE;
	case BUF_HTTP_CONTENT_LEN:
		return HDR_CONTENT_LEN;
	case BUF_HTTP_SERVER:
		return req ? HDR_OTHER : HDR_SERVER;
	case BUF_HTTP_LOCATION:
		return req ? HDR_OTHER : HDR_LOCATION;
	default:
		return HDR_OTHER;
	}
}

static int raw_host(const struct http_tx *t, struct span *ret)
{
	if (t->uri.has_host)
		return give_part(&t->msg[TO_SERVER], t->uri.host, ret);
	return give(http_known_value(&t->msg[TO_SERVER], HDR_HOST), ret);
}

static int request_buffer(const struct app *a, struct http_tx *t, enum app_buffer b,
			  struct span *ret)
{
	struct http_msg *m = &t->msg[TO_SERVER];
	switch ((unsigned)b) { /* responses have the rest */
	case BUF_HTTP_URI:
		return give_derived(a, t, TO_SERVER, DER_URI, ret);
	case BUF_HTTP_URI_RAW:
		return give_part(m, m->part[1], ret);
	case BUF_HTTP_METHOD:
		return give_part(m, m->part[0], ret);
	case BUF_HTTP_PROTOCOL:
		return give_part(m, m->part[2], ret);
	case BUF_HTTP_REQUEST_LINE:
		return give_part(m, m->line, ret);
	case BUF_HTTP_HOST:
		return m->headers_done ? give_derived(a, t, TO_SERVER, DER_HOST, ret) : 1;
	case BUF_HTTP_HOST_RAW:
		return m->headers_done ? raw_host(t, ret) : 1;
	default:
		return 1;
	}
}

static int response_buffer(struct http_msg *m, enum app_buffer b, struct span *ret)
{
	switch ((unsigned)b) { /* requests have the rest */
	case BUF_HTTP_PROTOCOL:
		return give_part(m, m->part[0], ret);
	case BUF_HTTP_STAT_CODE:
		return give_part(m, m->part[1], ret);
	case BUF_HTTP_STAT_MSG:
		return give_part(m, m->part[2], ret);
	case BUF_HTTP_RESPONSE_LINE:
		return give_part(m, m->line, ret);
	default:
		return 1;
	}
}

int http_buffer(const struct app *a, const struct app_tx *tx, enum app_buffer b, unsigned dir,
		uint32_t index, struct span *ret, uint64_t *ret_base, bool *ret_complete)
{
	struct http_tx *t = own(tx);
	struct http_msg *m = &t->msg[dir];
	switch ((unsigned)b) { /* what follows takes the rest */
	case BUF_FILE_DATA:
	case BUF_FILE_NAME:
	case BUF_FILE_EXT:
		return file_buffer(t, b, dir, index, ret, ret_base, ret_complete);
	case BUF_HTTP_REQUEST_HEADER:
		return dir == TO_SERVER ? give_one(a, m, index, ret) : 1;
	case BUF_HTTP_RESPONSE_HEADER:
		return dir == TO_CLIENT ? give_one(a, m, index, ret) : 1;
	case BUF_HTTP_HEADER_ONE:
		return give_one(a, m, index, ret);
	default:
		break;
	}
	if (index != 0)
		return 1;
	switch ((unsigned)b) { /* what follows takes the rest */
	case BUF_HTTP_REQUEST_BODY:
		return dir == TO_SERVER ? body_buffer(t, dir, ret, ret_base, ret_complete) : 1;
	case BUF_HTTP_RESPONSE_BODY:
		return dir == TO_CLIENT ? body_buffer(t, dir, ret, ret_base, ret_complete) : 1;
	case BUF_HTTP_HEADER:
		return m->headers_done ? give_derived(a, t, dir, DER_HEADER, ret) : 1;
	case BUF_HTTP_HEADER_NAMES:
		return m->headers_done && m->n != 0 ? give_derived(a, t, dir, DER_NAMES, ret) : 1;
	case BUF_HTTP_START:
		return m->headers_done ? give_derived(a, t, dir, DER_START, ret) : 1;
	case BUF_HTTP_HEADER_RAW:
		return m->headers_done ? give_part(m, m->raw, ret) : 1;
	default:
		break;
	}
	enum http_known id = value_of(b, dir);
	if (id != HDR_OTHER)
		return m->headers_done ? give(http_known_value(m, id), ret) : 1;
	return dir == TO_SERVER ? request_buffer(a, t, b, ret) : response_buffer(m, b, ret);
}

bool http_number(const struct app *a, const struct app_tx *tx, enum app_number n, unsigned dir,
		 uint32_t index, uint64_t *ret)
{
	const struct http_tx *t = (const struct http_tx *)tx;
	const struct app_file *f;
	switch ((unsigned)n) { /* other protocols have the rest */
	case NUM_HTTP_STATUS:
		*ret = t->msg[TO_CLIENT].number;
		return index == 0 && *ret != 0;
	case NUM_HTTP_CONTENT_LEN:
		*ret = t->msg[dir].content_len;
		return index == 0 && t->msg[dir].has_content_len;
	case NUM_FILE_SIZE:
		f = nth_file(t, dir, index);
		if (f == NULL)
			return false;
		*ret = f->size;
		return true;
	default:
		return false;
	}
}
