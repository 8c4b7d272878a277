/* SPDX-License-Identifier: BSD-2-Clause */
/* What both JSON streams share: foreign bytes made valid UTF-8, exact integers, and the way out. */
#include "event/event_priv.h"

#include <stdlib.h>
#include <string.h>

/* Length of the valid UTF-8 sequence at s, or 0 (RFC 3629: no overlong forms, no surrogates). */
static size_t utf8_length(const uint8_t *s, size_t left)
{
	static const struct {
		uint8_t first, last, low, high; /* first byte's range; second byte's range */
		size_t len;
	} rows[] = {
		{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	if (s[0] < 0x80)
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (s[0] < rows[i].first || s[0] > rows[i].last)
			continue;
		if (left < rows[i].len || s[1] < rows[i].low || s[1] > rows[i].high)
			return 0;
		for (size_t k = 2; k < rows[i].len; k++)
			if (s[k] < 0x80 || s[k] > 0xbf)
				return 0;
		return rows[i].len;
	}
	return 0;
}

size_t event_utf8_bytes(const char *bytes, size_t size, char *ret, size_t ret_size)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t *s = (const uint8_t *)bytes;
	size_t out = 0;
	for (size_t at = 0; at < size;) {
		char piece[4];
		size_t eaten = utf8_length(s + at, size - at), len = eaten;
		if (eaten == 0 || s[at] == 0) {
			piece[0] = '\\';
			piece[1] = 'x';
			piece[2] = hex[s[at] >> 4];
			piece[3] = hex[s[at] & 15];
			eaten = 1;
			len = 4;
		} else if (s[at] == '\\') {
			piece[0] = piece[1] = '\\';
			len = 2;
		} else {
			memcpy(piece, s + at, eaten);
		}
		if (out + len + 1 > ret_size)
			break;
		memcpy(ret + out, piece, len);
		out += len;
		at += eaten;
	}
	if (ret_size > 0)
		ret[out] = '\0';
	return out;
}

size_t event_utf8(const char *bytes, size_t size, char *ret, size_t ret_size)
{
	return event_utf8_bytes(bytes, strnlen(bytes, size), ret, ret_size);
}

int put_text(json_t *o, const char *key, const char *bytes, size_t size)
{
	char clean[4 * EVENT_TEXT + 1];
	size_t len = event_utf8(bytes, size, clean, sizeof(clean));
	return json_object_set_new(o, key, json_stringn(clean, len));
}

int put_bytes(json_t *o, const char *key, const char *bytes, size_t size)
{
	char clean[4 * EVENT_EXCERPT + 1];
	size_t len = event_utf8_bytes(bytes, size, clean, sizeof(clean));
	return json_object_set_new(o, key, json_stringn(clean, len));
}

int put_some_text(json_t *o, const char *key, const char *bytes, size_t size)
{
	return bytes[0] == '\0' ? 0 : put_text(o, key, bytes, size);
}

int put_null(json_t *o, const char *key)
{
	return json_object_set_new(o, key, json_null());
}

int put_word(json_t *o, const char *key, const char *word)
{
	return json_object_set_new(o, key, json_string(word));
}

int put_ref(json_t *o, const char *key, uint64_t v)
{
	return v == 0 ? put_null(o, key) : put_int(o, key, v);
}

int put_code(json_t *o, const char *key, int32_t v)
{
	return v < 0 ? put_null(o, key) : put_int(o, key, (uint64_t)v);
}

int put_int(json_t *o, const char *key, uint64_t v)
{
	return json_object_set_new(
		o, key, json_integer((json_int_t)(v > EVENT_INT_MAX ? EVENT_INT_MAX : v)));
}

int put_time(json_t *o, const char *key, int64_t ns)
{
	char buf[EVENT_TIME];
	return json_object_set_new(o, key, json_string(event_time_text(ns, buf)));
}

int put_addr(json_t *o, const char *key, const struct addr *a)
{
	char buf[ADDR_TEXT];
	if (a->ver == 0)
		return 0;
	return json_object_set_new(o, key, json_string(addr_text(a, buf)));
}

char *event_json(const struct event *e, const char *sensor)
{
	json_t *o =
		event_is_eve((enum event_kind)e->kind) ? json_eve(e, sensor) : json_skep(e, sensor);
	if (o == NULL)
		return NULL;
	char *text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}
