/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is told: one event per mail, request or query, bounded per guest. What an intruder repeats
 * without end is counted and told as a sum; what is rare and matters has a bound of its own.
 */
#include "sink/sink_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SUM_NS (10 * NS_PER_SEC)
#define PARTS 2u /* events that one excerpt may take */

static const char *const names[SINK_SOCKETS] = {
	[SINK_SMTP] = "smtp", [SINK_HTTP] = "http", [SINK_DNS_TCP] = "dns", [SINK_ANY_TCP] = "tcp",
	[SINK_DNS] = "dns",   [SINK_NTP] = "ntp",   [SINK_ANY] = "udp",
};

/* By priority: an event moves its bucket's moment on by its price, never further ahead than the burst. */
static const struct {
	int64_t price_ns, burst_ns;
} bounds[3] = {
	{500 * NS_PER_MS, 30 * NS_PER_SEC},
	{NS_PER_SEC, 60 * NS_PER_SEC},
	{10 * NS_PER_SEC, 100 * NS_PER_SEC},
};

static bool take(int64_t *bucket_ns, int64_t price_ns, int64_t burst_ns, int64_t now_ns)
{
	int64_t at = *bucket_ns < now_ns ? now_ns : *bucket_ns;
	if (at + price_ns - now_ns > burst_ns)
		return false;
	*bucket_ns = at + price_ns;
	return true;
}

static void send_one(struct sink *s, enum sink_service v, const struct sink_ends *e,
		     const struct telling *t, const char *text)
{
	struct event ev = event_new(EVENT_SINK);
	struct event_sink *o = &ev.u.sink;
	uint32_t guest = sink_guest_of(s, &e->client);
	ev.direction = DIR_OUTBOUND;
	ev.verdict = VERDICT_REDIRECT;
	ev.priority = t->priority;
	if (guest < s->conf.n_guests)
		text_copy(o->guest, sizeof(o->guest), s->conf.guests[guest].name);
	text_copy(o->service, sizeof(o->service), names[v]);
	text_copy(o->what, sizeof(o->what), t->what);
	o->client = e->client;
	o->server = e->server;
	o->cport = e->cport;
	o->sport = v == SINK_ANY || v == SINK_ANY_TCP ? 0 : sink_port(v);
	o->proto = v < SINK_TCP ? 6 : 17;
	o->bytes = t->bytes;
	o->count = t->count;
	o->excerpt_len = (uint16_t)(t->len < EVENT_EXCERPT ? t->len : EVENT_EXCERPT);
	if (o->excerpt_len > 0)
		memcpy(o->excerpt, t->excerpt, o->excerpt_len);
	event_say(&ev, "%s", text);
	s->io.emit(s->io.ctx, &ev);
}

void sink_tell(struct sink *s, enum sink_service v, const struct sink_ends *e,
	       const struct telling *t, const char *fmt, ...)
{
	char text[EVENT_TEXT];
	va_list ap;
	struct teller *b = &s->tellers[sink_guest_of(s, &e->client)];
	struct telling part = *t;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (unsigned i = 0; i < PARTS && (i == 0 || part.len > 0); i++) {
		if (!take(&b->bucket_ns[t->priority], bounds[t->priority].price_ns,
			  bounds[t->priority].burst_ns, s->now_ns)) {
			b->suppressed++;
			return;
		}
		if (i > 0)
			part.count++;
		send_one(s, v, e, &part, text);
		size_t n = part.len < EVENT_EXCERPT ? part.len : EVENT_EXCERPT;
		part.excerpt = n > 0 ? (const char *)part.excerpt + n : NULL;
		part.len -= n;
	}
}

void sink_tell_tick(struct sink *s, int64_t now_ns)
{
	for (uint32_t i = 0; i <= s->conf.n_guests; i++) {
		struct teller *b = &s->tellers[i];
		if (b->suppressed == 0 || (b->told_ns != 0 && now_ns - b->told_ns < SUM_NS))
			continue;
		struct event ev = event_new(EVENT_SINK);
		ev.direction = DIR_OUTBOUND;
		ev.verdict = VERDICT_REDIRECT;
		ev.priority = 1;
		if (i < s->conf.n_guests)
			text_copy(ev.u.sink.guest, EVENT_NAME, s->conf.guests[i].name);
		text_copy(ev.u.sink.service, EVENT_NAME, "sink");
		text_copy(ev.u.sink.what, EVENT_NAME, "suppressed");
		ev.u.sink.count = b->suppressed;
		event_say(&ev, "%llu more events of the sink were not told one by one",
			  (unsigned long long)b->suppressed);
		s->io.emit(s->io.ctx, &ev);
		b->suppressed = 0;
		b->told_ns = now_ns;
	}
}

size_t tell_dump(const uint8_t *data, size_t len, char ret[EVENT_EXCERPT])
{
	struct writer w = writer_of(ret, EVENT_EXCERPT);
	for (size_t at = 0; at < len && w.size - w.len > 76; at += 16) {
		write_fmt(&w, "%04zx ", at);
		for (size_t i = at; i < at + 16; i++)
			if (i < len)
				write_fmt(&w, " %02x", data[i]);
			else
				write_str(&w, "   ");
		write_str(&w, "  ");
		for (size_t i = at; i < at + 16 && i < len; i++)
			write_fmt(&w, "%c", data[i] >= 0x20 && data[i] < 0x7f ? data[i] : '.');
		write_str(&w, "\n");
	}
	return w.len;
}

const char *tell_guess(const uint8_t *data, size_t len)
{
	static const struct {
		const char *begins, *name;
		uint8_t len;
	} rows[] = {
		{"\x16\x03", "TLS", 2},
		{"SSH-", "SSH", 4},
		{"GET ", "HTTP", 4},
		{"POST ", "HTTP", 5},
		{"NICK ", "IRC", 5},
		{"USER ", "IRC or FTP", 5},
		{"PASS ", "IRC or FTP", 5},
		{"EHLO ", "SMTP", 5},
		{"HELO ", "SMTP", 5},
		{"\x05\x01", "SOCKS", 2},
		{"\x04\x01", "SOCKS", 2},
		{"\x03\x00\x00", "RDP", 3},
		{"\x00\x00\x00\x85\xff", "SMB", 5},
		{"{\"id\"", "a miner", 5},
		{"{\"method\"", "a miner", 9},
		{"{\"jsonrpc\"", "JSON-RPC", 10},
		{"\x13"
		 "BitTorrent",
		 "BitTorrent", 11},
		{"d1:ad2:id20:", "BitTorrent", 12},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (len >= rows[i].len && memcmp(data, rows[i].begins, rows[i].len) == 0)
			return rows[i].name;
	return "";
}
