/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text as JSON strings, without a tree and without the heap. Whatever the bytes were: what comes out is valid
 * UTF-8 that holds no control character, neither C0 nor DEL nor C1, so that a terminal may show it.
 */
#include "session/session_priv.h"

#include <string.h>

#define COUNT_MOST ((UINT64_C(1) << 53) - 1) /* what every reader of JSON knows exactly */

static void put(struct writer *w, const char *s, size_t n)
{
	if (w->size == 0 || w->len + n + 1 > w->size) {
		w->full = true;
		return;
	}
	memcpy(w->buf + w->len, s, n);
	w->len += n;
	w->buf[w->len] = '\0';
}

/* U+0000 .. U+001F, U+007F .. U+009F, of which C1 has two bytes. */
static bool control(const uint8_t *s, size_t n)
{
	return n == 1 ? s[0] < 0x20 || s[0] == 0x7f : n == 2 && s[0] == 0xc2 && s[1] < 0xa0;
}

static void put_control(struct writer *w, const uint8_t *s, size_t n, enum json_how how)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t c = s[n - 1];
	if (how == JSON_LABEL || (how == JSON_FEED && c == 0))
		put(w, "\xef\xbf\xbd", 3);
	else if (how == JSON_BYTES && c == 0)
		put(w, "\\\\x00", 5);
	else if (c == '\n')
		put(w, "\\n", 2);
	else if (c == '\r')
		put(w, "\\r", 2);
	else if (c == '\t')
		put(w, "\\t", 2);
	else
		put(w, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

static void put_stray(struct writer *w, uint8_t c, enum json_how how)
{
	static const char hex[] = "0123456789abcdef";
	if (how == JSON_BYTES)
		put(w, (char[]){'\\', '\\', 'x', hex[c >> 4], hex[c & 15]}, 5);
	else
		put(w, "\xef\xbf\xbd", 3);
}

/* Bytes that are no character, as one: a beginning that nothing right follows, else a single byte. That is what
 * terminals do, and Unicode recommends. */
static size_t stray(const uint8_t *s, size_t left, enum json_how how)
{
	size_t n = 1;
	bool more = true;
	if (how == JSON_BYTES)
		return 1;
	while (n < left && n < 4 && (text_utf8(s, n + 1, &more), more))
		n++;
	return n;
}

void json_text(struct writer *w, const void *data, size_t len, enum json_how how)
{
	const uint8_t *s = data;
	put(w, "\"", 1);
	for (size_t at = 0; at < len && !w->full;) {
		size_t n = text_utf8(s + at, len - at, NULL);
		if (n == 0) {
			put_stray(w, s[at], how);
			at += stray(s + at, len - at, how);
			continue;
		}
		if (control(s + at, n))
			put_control(w, s + at, n, how);
		else if (s[at] == '"')
			put(w, "\\\"", 2);
		else if (s[at] == '\\' && how == JSON_BYTES)
			put(w, "\\\\\\\\", 4);
		else if (s[at] == '\\')
			put(w, "\\\\", 2);
		else
			put(w, (const char *)s + at, n);
		at += n;
	}
	put(w, "\"", 1);
}

void json_member(struct writer *w, const char *key, const void *data, size_t len, enum json_how how)
{
	write_fmt(w, ",\"%s\":", key);
	json_text(w, data, len, how);
}

void json_count(struct writer *w, const char *key, uint64_t n)
{
	write_fmt(w, ",\"%s\":%llu", key, (unsigned long long)(n < COUNT_MOST ? n : COUNT_MOST));
}

void json_time(struct writer *w, const char *key, int64_t ns)
{
	char buf[EVENT_TIME];
	write_fmt(w, ",\"%s\":\"%s\"", key, event_time_text(ns, buf));
}

size_t json_unescape(const char *s, char *ret, size_t size)
{
	size_t n = 0;
	while (*s != '\0' && n + 1 < size) {
		if (s[0] != '\\') {
			ret[n++] = *s++;
		} else if (s[1] == 'x' && text_hex(s[2]) >= 0 && text_hex(s[3]) >= 0) {
			ret[n++] = (char)(text_hex(s[2]) << 4 | text_hex(s[3]));
			s += 4;
		} else {
			ret[n++] = '\\';
			s += s[1] == '\\' ? 2 : 1;
		}
	}
	if (size > 0)
		ret[n] = '\0';
	return n;
}
