/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages in a TCP stream. Each begins either with its length ("57 <13>...", RFC 6587) or not, and then ends with
 * a newline or zero byte; senders mix both. In every odd case this does what the loghost's rsyslog does, so that
 * both find the same messages.
 */
#include "syslog/syslog_priv.h"

#include <string.h>

#define COUNT_MAX 200000u /* rsyslog's own limit */

static void emit(struct syslog_framer *f, syslog_message_fn *fn, void *ctx)
{
	uint32_t len = f->len;
	bool cut = f->cut;
	f->len = 0;
	f->left = 0;
	f->counted = f->counting = f->line = f->cut = false;
	if (len > 0)
		fn(ctx, f->buf, len, cut);
}

static void keep(struct syslog_framer *f, const char *data, size_t len)
{
	size_t room = sizeof(f->buf) - f->len;
	if (len > room) {
		f->cut = true;
		len = room;
	}
	memcpy(f->buf + f->len, data, len);
	f->len += (uint32_t)len;
}

/* One character of a length, whose digits are in buf for now. What is no blank ends it as well, and a length that
 * is none makes the rest a line: not by the RFC, but by rsyslog. */
static void count(struct syslog_framer *f, char c)
{
	if (c >= '0' && c <= '9') {
		if (f->left <= COUNT_MAX)
			f->left = f->left * 10 + (unsigned)(c - '0');
		keep(f, &c, 1);
		return;
	}
	f->counting = false;
	f->counted = f->left > 0 && f->left <= COUNT_MAX;
	f->line = !f->counted;
	if (f->left <= COUNT_MAX)
		f->len = 0;
	if (!f->counted)
		f->left = 0;
}

static size_t take_counted(struct syslog_framer *f, const char *data, size_t len,
			   syslog_message_fn *fn, void *ctx)
{
	size_t n = len < f->left ? len : (size_t)f->left;
	keep(f, data, n);
	f->left -= n;
	if (f->left == 0)
		emit(f, fn, ctx);
	return n;
}

/* Up to the next newline or zero byte. */
static size_t take_line(struct syslog_framer *f, const char *data, size_t len,
			syslog_message_fn *fn, void *ctx)
{
	size_t n = 0;
	while (n < len && data[n] != '\n' && data[n] != '\0')
		n++;
	f->line = true;
	keep(f, data, n);
	if (n == len)
		return n;
	emit(f, fn, ctx);
	return n + 1;
}

void syslog_stream(struct syslog_framer *f, const void *data, size_t len, syslog_message_fn *fn,
		   void *ctx)
{
	const char *p = data;
	size_t at = 0;
	while (at < len) {
		bool first = !f->counted && !f->line;
		if (f->counting || (first && p[at] >= '0' && p[at] <= '9')) {
			f->counting = true;
			count(f, p[at++]);
		} else if (f->counted) {
			at += take_counted(f, p + at, len - at, fn, ctx);
		} else {
			at += take_line(f, p + at, len - at, fn, ctx);
		}
	}
}

void syslog_stream_end(struct syslog_framer *f, syslog_message_fn *fn, void *ctx)
{
	if (f->counting)
		f->len = 0;
	f->cut |= f->counted; /* less came than was announced */
	emit(f, fn, ctx);
}
