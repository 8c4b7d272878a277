/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP/1: any method to any host gets the same small page. Bodies are read past, their begin is
 * kept. Nothing of a request ever comes back in an answer.
 */
#include "sink/sink_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_MAX 16384u
#define REQUESTS_MAX 100u
#define SECONDS_A_DAY 86400

static const char page[] = "<!DOCTYPE html>\n<html><head><title>Welcome</title></head>\n"
			   "<body><h1>It works!</h1></body></html>\n";

void http_begin(struct sink *s, struct sink_session *t)
{
	(void)s;
	(void)t;
}

/* "Sat, 28 Nov 2026 03:45:59 GMT" */
static void http_date(char *ret, size_t size)
{
	static const char *const days[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	char t[EVENT_TIME]; /* 2026-11-23T20:01:02.123456+0000 */
	int64_t now = clock_wall_ns();
	event_time_text(now, t);
	unsigned month = (unsigned)(t[5] - '0') * 10 + (unsigned)(t[6] - '0') - 1;
	snprintf(ret, size, "%s, %.2s %s %.4s %.8s GMT", days[now / NS_PER_SEC / SECONDS_A_DAY % 7],
		 t + 8, months[month < 12 ? month : 0], t, t + 11);
}

static void answer(struct sink_session *t)
{
	const struct http *h = &t->u.http;
	char head[320], date[40];
	struct writer w = writer_of(head, sizeof(head));
	http_date(date, sizeof(date));
	write_fmt(&w,
		  "HTTP/1.1 200 OK\r\nDate: %s\r\nServer: Apache\r\nContent-Type: text/html\r\n"
		  "Content-Length: %zu\r\nConnection: %s\r\n\r\n",
		  date, sizeof(page) - 1, h->keep ? "keep-alive" : "close");
	out_bytes(t, head, w.len);
	if (!h->head)
		out_bytes(t, page, sizeof(page) - 1);
}

static void tell_request(struct sink *s, struct sink_session *t, const char *end)
{
	struct http *h = &t->u.http;
	char text[EVENT_EXCERPT];
	struct writer w = writer_of(text, sizeof(text));
	write_fmt(&w, "%.180s\nHost: %.80s\nUser-Agent: %.100s\n\n", h->request, h->host, h->agent);
	size_t n = sizeof(text) - w.len < h->n_body ? sizeof(text) - w.len : h->n_body;
	memcpy(text + w.len, h->body, n);
	const struct telling request = {.what = "request",
					.priority = h->body_bytes > 0,
					.bytes = h->body_bytes,
					.count = ++h->requests,
					.excerpt = text,
					.len = w.len + n};
	sink_tell(s, t->v, &t->ends, &request, "%.120s, host %.60s, agent %.40s%s", h->request,
		  h->host[0] != '\0' ? h->host : "-", h->agent[0] != '\0' ? h->agent : "-", end);
}

static void finish(struct sink *s, struct sink_session *t)
{
	struct http *h = &t->u.http;
	tell_request(s, t, "");
	answer(t);
	if (!h->keep || h->requests >= REQUESTS_MAX)
		t->over = true;
	h->state = HTTP_LINE;
	h->head_bytes = 0;
}

static void refuse(struct sink *s, struct sink_session *t)
{
	struct http *h = &t->u.http;
	char dump[EVENT_EXCERPT];
	const uint8_t *data = (const uint8_t *)h->line.text;
	const char *guess = tell_guess(data, h->line.len);
	struct telling odd = {.what = "bytes", .bytes = h->line.len, .count = 1, .excerpt = dump};
	odd.len = tell_dump(data, h->line.len, dump);
	h->requests++;
	sink_tell(s, t->v, &t->ends, &odd, "no HTTP request%s%s",
		  guess[0] != '\0' ? ", it looks like " : "", guess);
	out_text(t, "HTTP/1.1 400 Bad Request\r\nServer: Apache\r\nContent-Length: 0\r\n"
		    "Connection: close\r\n\r\n");
	t->over = true;
	sink_line_clear(&h->line);
}

static void request_line(struct sink *s, struct sink_session *t)
{
	struct http *h = &t->u.http;
	const char *text = h->line.text, *version;
	size_t method = strcspn(text, " ");
	if (h->line.len == 0)
		return; /* an empty line in front of a request is allowed */
	version = strrchr(text, ' ');
	if (method == 0 || method > 20 || version == NULL || version == text + method ||
	    !sink_line_begins(version, " HTTP/1.")) {
		refuse(s, t);
		return;
	}
	text_copy(h->request, sizeof(h->request), text);
	h->host[0] = h->agent[0] = '\0';
	h->n_body = 0;
	h->body_bytes = h->left = 0;
	h->keep = version[8] != '0' && !sink_line_begins(text, "CONNECT ");
	h->head = sink_line_begins(text, "HEAD ");
	h->chunked = h->wait = false;
	h->state = HTTP_HEADERS;
}

static void header(struct http *h)
{
	const char *text = h->line.text, *value = strchr(text, ':');
	if (value == NULL)
		return;
	value++;
	value += strspn(value, " \t");
	if (sink_line_begins(text, "host:"))
		text_copy(h->host, sizeof(h->host), value);
	else if (sink_line_begins(text, "user-agent:"))
		text_copy(h->agent, sizeof(h->agent), value);
	else if (sink_line_begins(text, "content-length:"))
		h->left = strtoull(value, NULL, 10);
	else if (sink_line_begins(text, "transfer-encoding:"))
		h->chunked |= strcasestr(value, "chunked") != NULL;
	else if (sink_line_begins(text, "connection:") && strcasestr(value, "close") != NULL)
		h->keep = false;
	else if (sink_line_begins(text, "expect:"))
		h->wait = strcasestr(value, "100-continue") != NULL;
}

static void head_ends(struct sink *s, struct sink_session *t)
{
	struct http *h = &t->u.http;
	bool body = h->chunked || h->left > 0;
	h->state = h->chunked ? HTTP_CHUNK : HTTP_BODY;
	if (body && h->wait)
		out_text(t, "HTTP/1.1 100 Continue\r\n\r\n");
	if (!body)
		finish(s, t);
}

static void chunk_size(struct sink *s, struct sink_session *t)
{
	struct http *h = &t->u.http;
	char *end;
	h->left = strtoull(h->line.text, &end, 16);
	if (end == h->line.text)
		refuse(s, t);
	else
		h->state = h->left == 0 ? HTTP_TRAILERS : HTTP_CHUNK_DATA;
}

static void one_line(struct sink *s, struct sink_session *t)
{
	struct http *h = &t->u.http;
	switch (h->state) {
	case HTTP_LINE:
		request_line(s, t);
		break;
	case HTTP_HEADERS:
		if (h->line.len == 0)
			head_ends(s, t);
		else
			header(h);
		break;
	case HTTP_CHUNK:
		chunk_size(s, t);
		break;
	case HTTP_CHUNK_END:
		h->state = HTTP_CHUNK;
		break;
	case HTTP_TRAILERS:
		if (h->line.len == 0)
			finish(s, t);
		break;
	case HTTP_BODY:
	case HTTP_CHUNK_DATA:
		break;
	}
	sink_line_clear(&h->line);
}

static size_t take_body(struct sink *s, struct sink_session *t, const uint8_t *data, size_t len)
{
	struct http *h = &t->u.http;
	size_t n = h->left < len ? (size_t)h->left : len, kept = sizeof(h->body) - h->n_body;
	if (kept > n)
		kept = n;
	memcpy(h->body + h->n_body, data, kept);
	h->n_body += (uint32_t)kept;
	h->body_bytes += n;
	h->left -= n;
	if (h->left == 0 && h->state == HTTP_BODY)
		finish(s, t);
	else if (h->left == 0)
		h->state = HTTP_CHUNK_END;
	return n;
}

size_t http_feed(struct sink *s, struct sink_session *t, const uint8_t *data, size_t len)
{
	struct http *h = &t->u.http;
	size_t at = 0, n;
	while (at < len && !t->over && out_room(t) >= OUT_ROOM) {
		if (h->state == HTTP_BODY || h->state == HTTP_CHUNK_DATA) {
			at += take_body(s, t, data + at, len - at);
			continue;
		}
		bool whole = line_take(&h->line, data + at, len - at, &n);
		at += n;
		h->head_bytes += (uint32_t)n;
		/* no request line is so long, and TLS has no lines at all */
		if (h->head_bytes > HEAD_MAX ||
		    (h->state == HTTP_LINE &&
		     (h->line.cut || (h->line.len > 0 && (uint8_t)h->line.text[0] < ' '))))
			refuse(s, t);
		else if (whole)
			one_line(s, t);
	}
	return t->over ? len : at;
}

void http_end(struct sink *s, struct sink_session *t)
{
	struct http *h = &t->u.http;
	const struct telling connect = {.what = "connect", .bytes = t->bytes, .count = 1};
	if (h->state == HTTP_LINE && h->line.len > 0 && h->requests == 0)
		refuse(s, t);
	else if (h->state != HTTP_LINE)
		tell_request(s, t, t->full ? "; cut at sink.bytes" : "; never finished");
	else if (h->requests == 0)
		sink_tell(s, t->v, &t->ends, &connect, "connected and asked for nothing");
}
