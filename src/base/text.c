/* SPDX-License-Identifier: BSD-2-Clause */
/* Bounded text: writing, escaping foreign bytes, sizes and durations for people. */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DISTANCE_MAX 63

struct writer writer_of(char *buf, size_t size)
{
	if (size > 0)
		buf[0] = '\0';
	return (struct writer){.buf = buf, .size = size};
}

static void write_raw(struct writer *w, const char *s, size_t n)
{
	size_t room = w->size > w->len ? w->size - w->len - 1 : 0;
	if (n > room) {
		w->full = true;
		n = room;
	}
	if (w->size == 0)
		return;
	memcpy(w->buf + w->len, s, n);
	w->len += n;
	w->buf[w->len] = '\0';
}

void write_str(struct writer *w, const char *s)
{
	write_raw(w, s, strlen(s));
}

void write_fmt(struct writer *w, const char *fmt, ...)
{
	size_t room = w->size > w->len ? w->size - w->len : 0;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(room > 0 ? w->buf + w->len : NULL, room, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= room) {
		w->full = true;
		w->len += room > 0 ? room - 1 : 0;
	} else {
		w->len += (size_t)n;
	}
}

void write_escaped(struct writer *w, const void *data, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t *p = data;
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\\')
			write_raw(w, "\\\\", 2);
		else if (p[i] >= 0x20 && p[i] < 0x7f)
			write_raw(w, (const char *)&p[i], 1);
		else
			write_raw(w, (char[]){'\\', 'x', hex[p[i] >> 4], hex[p[i] & 15]}, 4);
	}
}

bool text_copy(char *dst, size_t size, const char *s)
{
	size_t n = strlen(s);
	bool fits = n < size;
	if (size == 0)
		return false;
	if (!fits)
		n = size - 1;
	memcpy(dst, s, n);
	memset(dst + n, 0, size - n); /* records travel between processes: no stale bytes */
	return fits;
}

size_t text_utf8(const void *bytes, size_t left, bool *ret_more)
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
	const uint8_t *s = bytes;
	if (ret_more != NULL)
		*ret_more = left == 0;
	if (left == 0)
		return 0;
	if (s[0] < 0x80)
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (s[0] < rows[i].first || s[0] > rows[i].last)
			continue;
		size_t n = left < rows[i].len ? left : rows[i].len;
		for (size_t k = 1; k < n; k++)
			if (s[k] < (k == 1 ? rows[i].low : 0x80) ||
			    s[k] > (k == 1 ? rows[i].high : 0xbf))
				return 0;
		if (ret_more != NULL)
			*ret_more = n < rows[i].len;
		return n == rows[i].len ? n : 0;
	}
	return 0;
}

int text_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int digit64(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;
	return at != NULL ? (int)(at - digits) : -1;
}

size_t text_unbase64(const char *s, void *ret, size_t size)
{
	uint8_t *out = ret;
	uint32_t bits = 0, n_bits = 0;
	size_t n = 0;
	for (int d; n < size && (d = digit64(*s)) >= 0; s++) {
		bits = bits << 6 | (uint32_t)d;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		out[n++] = (uint8_t)(bits >> n_bits);
	}
	return n;
}

unsigned text_distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned row[DISTANCE_MAX + 1];
	if (n > DISTANCE_MAX || m > DISTANCE_MAX)
		return DISTANCE_MAX;
	for (size_t j = 0; j <= m; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned corner = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned swap = corner + (a[i - 1] != b[j - 1]);
			unsigned gap = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
			corner = row[j];
			row[j] = swap < gap ? swap : gap;
		}
	}
	return row[m];
}

void text_bytes(struct writer *w, uint64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	double v = (double)bytes;
	size_t u = 0;
	while (v >= 999.5 && u + 1 < ARRAY_LEN(units)) {
		v /= 1000;
		u++;
	}
	write_fmt(w, v < 9.95 && u > 0 ? "%.1f %s" : "%.0f %s", v, units[u]);
}

void text_duration(struct writer *w, int64_t ns)
{
	int64_t s = ns / NS_PER_SEC;
	if (ns < 0)
		write_str(w, "0 s");
	else if (ns < NS_PER_SEC)
		write_fmt(w, "%lld ms", (long long)(ns / NS_PER_MS));
	else if (s < 60)
		write_fmt(w, "%lld s", (long long)s);
	else if (s < 3600)
		write_fmt(w, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
	else if (s < 86400)
		write_fmt(w, "%lld h %lld min", (long long)(s / 3600), (long long)(s / 60 % 60));
	else
		write_fmt(w, "%lld d %lld h", (long long)(s / 86400), (long long)(s / 3600 % 24));
}
