/* SPDX-License-Identifier: BSD-2-Clause */
/* What both JSON streams share: foreign bytes made valid UTF-8, exact integers, and the way out. */
#include "event/event_priv.h"

#include <stdlib.h>
#include <string.h>

size_t event_utf8_bytes(const char *bytes, size_t size, char *ret, size_t ret_size)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t *s = (const uint8_t *)bytes;
	size_t out = 0;
	for (size_t at = 0; at < size;) {
		char piece[4];
		size_t eaten = text_utf8(s + at, size - at, NULL), len = eaten;
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
