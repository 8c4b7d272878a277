/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes of HTTP: classes of characters, comparing without case, and the text of a message. */
#include "proto/http/http_priv.h"

#include <string.h>

bool http_is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

bool http_is_lws(uint8_t c)
{
	return c == ' ' || c == '\t';
}

uint8_t http_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

int http_hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

uint32_t http_blank_lines(const uint8_t *p, uint32_t len, bool nul)
{
	uint32_t r = 0;
	while (r < len && (http_is_space(p[r]) || (nul && p[r] == 0)))
		r++;
	/* Before too many blanks no line begins anything, whatever stands behind them. */
	uint32_t upto = r > HTTP_BLANKS_MAX ? r - HTTP_BLANKS_MAX : r;
	const uint8_t *lf = upto != 0 ? memrchr(p, '\n', upto) : NULL;
	return lf != NULL ? (uint32_t)(lf + 1 - p) : 0;
}

bool http_istarts(const uint8_t *a, uint32_t len, const char *word)
{
	uint32_t i = 0;
	for (; word[i] != '\0'; i++)
		if (i >= len || http_lower(a[i]) != (uint8_t)word[i])
			return false;
	return true;
}

bool http_ieq(const uint8_t *a, uint32_t len, const char *word)
{
	return strlen(word) == len && http_istarts(a, len, word);
}

int64_t http_ifind(const uint8_t *a, uint32_t len, const char *word)
{
	for (uint32_t i = 0; i < len; i++) {
		uint32_t k = 0, j = i;
		if (http_lower(a[i]) != (uint8_t)word[0])
			continue;
		for (; word[k] != '\0' && j < len; j++) {
			if (a[j] == 0)
				continue;
			if (http_lower(a[j]) != (uint8_t)word[k])
				break;
			k++;
		}
		if (word[k] == '\0')
			return i;
	}
	return -1;
}

bool http_text_add(struct app *a, struct http_text *t, const void *data, uint32_t len)
{
	if (len > HTTP_HEAD_MAX - t->len)
		return false;
	if (t->len + len > t->cap) {
		uint32_t want = t->len + len < 512 ? 1024 : (t->len + len) * 2;
		uint8_t *p = slab_grow(a->ctx->slab, t->p, want);
		if (p == NULL)
			return false;
		t->p = p;
		t->cap = want;
	}
	if (len != 0 && data != NULL)
		memcpy(t->p + t->len, data, len);
	else if (len != 0)
		memset(t->p + t->len, 0, len);
	t->len += len;
	return true;
}

uint8_t *http_at(const struct http_msg *m, struct http_str s)
{
	return (s.off & HTTP_MADE) != 0 ? m->made.p + (s.off & ~HTTP_MADE) : m->text.p + s.off;
}

struct span http_span(const struct http_msg *m, struct http_str s)
{
	struct span r = {s.len != 0 ? http_at(m, s) : (const uint8_t *)"", s.len};
	return r;
}

struct span http_known_value(const struct http_msg *m, enum http_known id)
{
	struct span none = {NULL, 0};
	uint16_t i = m->known[id];
	return i == 0 ? none : http_span(m, m->headers[i - 1].value);
}

struct http_str http_trim(const struct http_msg *m, struct http_str s)
{
	if (s.len == 0)
		return s;
	const uint8_t *p = http_at(m, s);
	while (s.len != 0 && http_is_space(*p))
		p++, s.off++, s.len--;
	while (s.len != 0 && http_is_space(p[s.len - 1]))
		s.len--;
	return s;
}

void http_msg_free(struct app *a, struct http_msg *m)
{
	slab_free(a->ctx->slab, m->text.p);
	slab_free(a->ctx->slab, m->made.p);
	slab_free(a->ctx->slab, m->headers);
	slab_free(a->ctx->slab, m->wire.runs);
	for (unsigned i = 0; i < DERIVED; i++)
		slab_free(a->ctx->slab, (void *)(uintptr_t)m->derived[i].data);
	memset(m, 0, sizeof(*m));
}

static const struct {
	const char *name;
	uint8_t len, id;
} known_names[] = {
	{"host", 4, HDR_HOST},
	{"accept", 6, HDR_ACCEPT},
	{"cookie", 6, HDR_COOKIE},
	{"server", 6, HDR_SERVER},
	{"referer", 7, HDR_REFERER},
	{"upgrade", 7, HDR_UPGRADE},
	{"location", 8, HDR_LOCATION},
	{"user-agent", 10, HDR_USER_AGENT},
	{"set-cookie", 10, HDR_SET_COOKIE},
	{"connection", 10, HDR_CONNECTION},
	{"content-type", 12, HDR_CONTENT_TYPE},
	{"authorization", 13, HDR_AUTHORIZATION},
	{"content-range", 13, HDR_CONTENT_RANGE},
	{"content-length", 14, HDR_CONTENT_LEN},
	{"accept-language", 15, HDR_ACCEPT_LANG},
	{"accept-encoding", 15, HDR_ACCEPT_ENC},
	{"content-encoding", 16, HDR_CONTENT_ENC},
	{"transfer-encoding", 17, HDR_TRANSFER_ENC},
	{"content-disposition", 19, HDR_DISPOSITION},
};

enum http_known http_known_id(const uint8_t *name, uint32_t len)
{
	if (len < 4 || len > 19)
		return HDR_OTHER;
	for (unsigned i = 0; i < ARRAY_LEN(known_names); i++)
		if (known_names[i].len == len && http_lower(name[0]) == known_names[i].name[0] &&
		    http_istarts(name, len, known_names[i].name))
			return known_names[i].id;
	return HDR_OTHER;
}
