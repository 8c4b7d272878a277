/* SPDX-License-Identifier: BSD-2-Clause */
/* Small things that the parsers of mail, files and calls share. Only for src/proto. */
#ifndef SKEP_PROTO_APPS_PRIV_H
#define SKEP_PROTO_APPS_PRIV_H

#include "proto/proto_priv.h"

#include <string.h>
#include <strings.h>

struct bytes { /* a copy in the slab */
	uint8_t *p;
	uint32_t n;
};

static inline void bytes_free(struct app *a, struct bytes *b)
{
	slab_free(a->ctx->slab, b->p);
	*b = (struct bytes){NULL, 0};
}

/* Replaces what b holds by a copy of data, cut at max. */
static inline void bytes_set(struct app *a, struct bytes *b, const uint8_t *data, size_t len,
			     uint32_t max)
{
	uint32_t n = len > max ? max : (uint32_t)len;
	bytes_free(a, b);
	b->p = app_copy(a, data, n);
	b->n = b->p == NULL ? 0 : n;
}

/* Appends to b, which never becomes longer than max. */
static inline void bytes_add(struct app *a, struct bytes *b, const uint8_t *data, size_t len,
			     uint32_t max)
{
	uint32_t room = b->n < max ? max - b->n : 0, n = len > room ? room : (uint32_t)len;
	if (n == 0)
		return;
	if (b->p == NULL || slab_size(b->p) - b->n < n) {
		size_t want = (size_t)b->n + n, twice = (size_t)b->n * 2;
		uint8_t *p = slab_grow(a->ctx->slab, b->p, want > twice ? want : twice);
		if (p == NULL)
			return;
		b->p = p;
	}
	memcpy(b->p + b->n, data, n);
	b->n += n;
}

/* For buffer(): a single instance, there if it is not empty. */
static inline int bytes_give(const struct bytes *b, uint32_t index, struct span *ret)
{
	if (index != 0 || b->n == 0)
		return 1;
	*ret = (struct span){b->p, b->n};
	return 0;
}

static inline int span_give(const void *p, size_t n, uint32_t index, struct span *ret)
{
	if (index != 0 || n == 0)
		return 1;
	*ret = (struct span){p, (uint32_t)n};
	return 0;
}

/* Does data begin with word, whatever the case? */
static inline bool begins(const uint8_t *data, size_t len, const char *word)
{
	size_t n = strlen(word);
	return len >= n && strncasecmp((const char *)data, word, n) == 0;
}

static inline struct span span_trim(struct span s)
{
	while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
		s.data++, s.len--;
	while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t' ||
			     s.data[s.len - 1] == '\r' || s.data[s.len - 1] == '\n'))
		s.len--;
	return s;
}

/* Reads digits; false if there are none or the number exceeds max. */
static inline bool span_number(struct span *s, uint32_t max, uint32_t *ret)
{
	uint64_t v = 0;
	uint32_t i = 0;
	for (; i < s->len && s->data[i] >= '0' && s->data[i] <= '9'; i++) {
		v = v * 10 + (uint64_t)(s->data[i] - '0');
		if (v > max)
			return false;
	}
	if (i == 0)
		return false;
	s->data += i;
	s->len -= i;
	*ret = (uint32_t)v;
	return true;
}

static inline uint32_t body_max(const struct app *a, unsigned dir)
{
	uint32_t n = dir == TO_SERVER ? a->ctx->conf.request_body : a->ctx->conf.response_body;
	return n == 0 ? 100u * 1024u : n;
}

static inline void json_bytes(json_t *o, const char *key, const uint8_t *p, uint32_t n)
{
	if (n > 0)
		json_object_set_new(o, key, app_json_bytes(p, n));
}

/* One line of data, which begins at a line's start. whole: its end was seen; used: bytes it takes
 * with its end; line: without the end. More than max bytes without an end are a line of max bytes
 * that is not whole. false: wait for more. */
struct line {
	struct span text;
	uint32_t used;
	bool whole;
};
static inline bool line_next(const uint8_t *data, uint32_t len, uint32_t max, bool eof,
			     struct line *ret)
{
	const uint8_t *nl = len == 0 ? NULL : memchr(data, '\n', len > max ? max : len);
	uint32_t n = nl == NULL ? 0 : (uint32_t)(nl - data);
	if (nl != NULL) {
		*ret = (struct line){{data, n > 0 && data[n - 1] == '\r' ? n - 1 : n}, n + 1, true};
		return true;
	}
	if (len < max && (!eof || len == 0))
		return false;
	n = len > max ? max : len;
	*ret = (struct line){{data, n}, n, len < max};
	return true;
}

/* The file in src: first growing buffer of a transaction that carries files; index counts them. */
static inline int file_give(const struct app_tx *tx, enum app_buffer b, unsigned dir,
			    uint32_t index, struct span *ret, uint64_t *ret_base,
			    bool *ret_complete)
{
	const struct app_file *f = tx->files;
	for (; f != NULL; f = f->next) {
		if (f->dir == dir && index-- == 0)
			break;
	}
	if (f == NULL)
		return 1;
	if (b == BUF_FILE_NAME)
		return span_give(f->name, f->name_len, 0, ret);
	if (b != BUF_FILE_DATA || f->body == NULL)
		return 1;
	*ret = (struct span){f->body->data, f->body->len};
	if (ret_base != NULL)
		*ret_base = f->body->base;
	if (ret_complete != NULL)
		*ret_complete = f->closed;
	return 0;
}

#endif
