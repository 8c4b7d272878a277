/* SPDX-License-Identifier: BSD-2-Clause */
/* Bounded JSON text into one buffer. Nothing here knows what an event is. */
#include "inspect/eve_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define JSON_DEPTH 12u

static void flush(struct eve *e)
{
	size_t done = 0;
	while (e->err == 0 && done < e->start) {
		ssize_t n = write(e->conf.fd, e->buf + done, e->start - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			e->err = n < 0 ? -errno : -EIO;
		else
			done += (size_t)n;
	}
	e->counts.bytes += done;
	e->len = e->start = 0;
}

/* Room for n more bytes of this event. eve_begin made sure that a whole line fits into the buffer. */
static inline bool room(struct eve *e, size_t n)
{
	if (e->len - e->start + n <= EVE_LINE)
		return true;
	e->cut = true;
	return false;
}

static inline void put(struct eve *e, const char *s, size_t n)
{
	if (!room(e, n))
		return;
	memcpy(e->buf + e->len, s, n);
	e->len += n;
}

static inline void put_char(struct eve *e, char c)
{
	if (room(e, 1))
		e->buf[e->len++] = c;
}

static void put_key(struct eve *e, const char *key)
{
	size_t n = key != NULL ? strlen(key) : 0;
	if (!room(e, n + 4))
		return;
	char *p = e->buf + e->len;
	if (e->comma)
		*p++ = ',';
	e->comma = true;
	if (key != NULL) {
		*p++ = '"';
		memcpy(p, key, n);
		p += n;
		*p++ = '"';
		*p++ = ':';
	}
	e->len = (size_t)(p - e->buf);
}

void eve_begin(struct eve *e)
{
	if (e->err != 0)
		e->len = e->start = 0; /* nobody will read it */
	else if (e->len + EVE_LINE > EVE_BUFFER)
		flush(e);
	e->cut = e->comma = false;
	put_char(e, '{');
}

void eve_end(struct eve *e)
{
	put(e, "}\n", 2);
	if (e->cut) {
		e->len = e->start;
		e->counts.lost++;
		return;
	}
	e->start = e->len;
	e->counts.events++;
}

void eve_open(struct eve *e, const char *key, char bracket)
{
	put_key(e, key);
	put_char(e, bracket);
	e->comma = false;
}

void eve_shut(struct eve *e, char bracket)
{
	put_char(e, bracket);
	e->comma = true;
}

static size_t digits(char buf[20], uint64_t v)
{
	size_t n = 20;
	do {
		buf[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	return n;
}

void eve_int(struct eve *e, const char *key, uint64_t v)
{
	char buf[20];
	size_t at = digits(buf, v);
	put_key(e, key);
	put(e, buf + at, sizeof(buf) - at);
}

void eve_bool(struct eve *e, const char *key, bool v)
{
	put_key(e, key);
	put(e, v ? "true" : "false", v ? 4 : 5);
}

/* Length of the valid UTF-8 sequence at p, or 0. */
static size_t utf8_length(const uint8_t *p, size_t left)
{
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
	bool outside = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);
	return overlong || outside ? 0 : n;
}

static void put_escape(struct eve *e, uint8_t c)
{
	char buf[8];
	int n;
	if (c == '"' || c == '\\')
		n = snprintf(buf, sizeof(buf), "\\%c", c);
	else if (c == '\n')
		n = snprintf(buf, sizeof(buf), "\\n");
	else if (c == '\r')
		n = snprintf(buf, sizeof(buf), "\\r");
	else if (c == '\t')
		n = snprintf(buf, sizeof(buf), "\\t");
	else if (c < 0x80)
		n = snprintf(buf, sizeof(buf), "\\u%04x", c);
	else
		n = snprintf(buf, sizeof(buf), "\\\\x%02X", c);
	put(e, buf, (size_t)n);
}

void eve_bytes(struct eve *e, const char *key, const void *data, size_t len)
{
	const uint8_t *p = data;
	put_key(e, key);
	put_char(e, '"');
	for (size_t at = 0; at < len;) {
		size_t run = at;
		while (run < len && p[run] >= 0x20 && p[run] < 0x7f && p[run] != '"' &&
		       p[run] != '\\')
			run++;
		put(e, (const char *)p + at, run - at);
		at = run;
		if (at == len)
			break;
		size_t n = p[at] >= 0x80 ? utf8_length(p + at, len - at) : 0;
		if (n > 0)
			put(e, (const char *)p + at, n);
		else
			put_escape(e, p[at]);
		at += n > 0 ? n : 1;
	}
	put_char(e, '"');
}

void eve_text(struct eve *e, const char *key, const char *v)
{
	eve_bytes(e, key, v, strlen(v));
}

void eve_stamp(struct eve *e, const char *key, int64_t ns)
{
	int64_t second = ns / NS_PER_SEC, us = ns % NS_PER_SEC / 1000;
	char tail[16];
	if (second != e->second || e->stamp[0] == '\0') {
		time_t t = (time_t)second;
		struct tm tm;
		if (gmtime_r(&t, &tm) == NULL ||
		    strftime(e->stamp, sizeof(e->stamp), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
			text_copy(e->stamp, sizeof(e->stamp), "1970-01-01T00:00:00");
		e->second = second;
	}
	tail[0] = '.';
	for (unsigned i = 6; i >= 1; i--) {
		tail[i] = (char)('0' + us % 10);
		us /= 10;
	}
	memcpy(tail + 7, "+0000", 5);
	put_key(e, key);
	put_char(e, '"');
	put(e, e->stamp, strlen(e->stamp));
	put(e, tail, 12);
	put_char(e, '"');
}

void eve_addr(struct eve *e, const char *key, const struct addr *a)
{
	char buf[ADDR_TEXT];
	size_t n = 0;
	if (a->ver == 0)
		return;
	put_key(e, key);
	put_char(e, '"');
	if (a->ver == 4) {
		for (unsigned i = 0; i < 4; i++) {
			char d[20];
			size_t at = digits(d, a->b[i]);
			if (i > 0)
				buf[n++] = '.';
			memcpy(buf + n, d + at, sizeof(d) - at);
			n += sizeof(d) - at;
		}
	} else {
		n = strlen(addr_text(a, buf));
	}
	put(e, buf, n);
	put_char(e, '"');
}

void eve_hex(struct eve *e, const char *key, const uint8_t *data, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	put_key(e, key);
	put_char(e, '"');
	for (size_t i = 0; i < len; i++) {
		char two[2] = {hex[data[i] >> 4], hex[data[i] & 15]};
		put(e, two, 2);
	}
	put_char(e, '"');
}

void eve_base64(struct eve *e, const char *key, const uint8_t *data, size_t len)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	put_key(e, key);
	put_char(e, '"');
	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)data[i] << 16;
		v |= i + 1 < len ? (uint32_t)data[i + 1] << 8 : 0;
		v |= i + 2 < len ? data[i + 2] : 0;
		char four[4] = {letters[v >> 18], letters[v >> 12 & 63], letters[v >> 6 & 63],
				letters[v & 63]};
		if (i + 2 >= len)
			four[3] = '=';
		if (i + 1 >= len)
			four[2] = '=';
		put(e, four, 4);
	}
	put_char(e, '"');
}

void eve_printable(struct eve *e, const char *key, const uint8_t *data, size_t len)
{
	put_key(e, key);
	put_char(e, '"');
	for (size_t i = 0; i < len; i++) {
		uint8_t c = data[i];
		bool plain = (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\r';
		if (!plain)
			put_char(e, '.');
		else if (c == '"' || c == '\\' || c < 0x20)
			put_escape(e, c);
		else
			put_char(e, (char)c);
	}
	put_char(e, '"');
}

static void put_value(struct eve *e, const json_t *v, unsigned depth);

/* Keys may be foreign too (MIME headers, for instance): escaped like any text. */
static void put_members(struct eve *e, const json_t *v, unsigned depth)
{
	json_t *o = (json_t *)(uintptr_t)v; /* iterating does not change it */
	bool first = true;
	put_char(e, '{');
	for (void *at = json_object_iter(o); at != NULL; at = json_object_iter_next(o, at)) {
		const char *key = json_object_iter_key(at);
		e->comma = !first;
		first = false;
		eve_text(e, NULL, key);
		put_char(e, ':');
		put_value(e, json_object_iter_value(at), depth + 1);
	}
	put_char(e, '}');
}

static void put_value(struct eve *e, const json_t *v, unsigned depth)
{
	char number[32];
	size_t n = json_array_size(v);
	e->comma = false;
	if (depth > JSON_DEPTH) {
		put(e, "null", 4);
	} else if (json_is_string(v)) {
		eve_bytes(e, NULL, json_string_value(v), json_string_length(v));
	} else if (json_is_integer(v) && json_integer_value(v) >= 0) {
		eve_int(e, NULL, (uint64_t)json_integer_value(v));
	} else if (json_is_number(v)) {
		size_t len = json_dumpb(v, number, sizeof(number), JSON_ENCODE_ANY);
		bool good = len > 0 && len <= sizeof(number);
		put(e, good ? number : "0", good ? len : 1);
	} else if (json_is_object(v)) {
		put_members(e, v, depth);
	} else if (json_is_array(v)) {
		put_char(e, '[');
		for (size_t i = 0; i < n; i++) {
			if (i > 0)
				put_char(e, ',');
			put_value(e, json_array_get(v, i), depth + 1);
		}
		put_char(e, ']');
	} else {
		put(e,
		    json_is_true(v)    ? "true"
		    : json_is_false(v) ? "false"
				       : "null",
		    json_is_false(v) ? 5 : 4);
	}
	e->comma = true;
}

/* jansson writes by a call for every piece of text; this one knows where it goes. */
void eve_json(struct eve *e, const char *key, const json_t *v)
{
	put_key(e, key);
	put_value(e, v, 0);
}

int eve_create(const struct eve_conf *conf, struct eve **ret)
{
	struct eve *e = malloc(sizeof(*e));
	if (e == NULL)
		return -ENOMEM;
	memset(e, 0, offsetof(struct eve, buf));
	e->conf = *conf;
	*ret = e;
	return 0;
}

int eve_error(const struct eve *e)
{
	return e->err;
}

int eve_close(struct eve **e)
{
	struct eve *x = *e;
	if (x == NULL)
		return 0;
	flush(x);
	int err = x->err;
	free(x);
	*e = NULL;
	return err;
}

void eve_read_counts(const struct eve *e, struct eve_counts *ret)
{
	*ret = e->counts;
	ret->bytes += e->start;
}
