/* SPDX-License-Identifier: BSD-2-Clause */
/* SIP: every request and every response is a transaction of its own, over UDP and TCP. */
#include "proto/apps_priv.h"

#include <ctype.h>

#define HEAD_MAX 16384u /* bytes of a message before its body */
#define BODY_MAX 65536u
#define FIELDS_MAX 128u

enum sip_event { SIP_INCOMPLETE, SIP_INVALID };
static const char *const sip_events[] = {"incomplete_data", "invalid_data", NULL};

struct part { /* of the copy of the message */
	uint32_t at, len;
};
enum field {
	FIELD_FROM,
	FIELD_TO,
	FIELD_VIA,
	FIELD_USER_AGENT,
	FIELD_CONTENT_TYPE,
	FIELD_CONTENT_LENGTH,
	FIELDS
};
struct header {
	uint8_t field; /* enum field */
	struct part value;
};

struct sip_tx {
	struct app_tx tx;
	struct bytes copy; /* of head and body */
	bool response;
	struct part line, word[3]; /* method uri version; version code reason */
	uint32_t n_headers;
	struct header *headers;
	struct part body;
};

struct sip {
	bool dead[2]; /* lost in a TCP stream */
	uint32_t seen
		[2]; /* of the message that is waited for: lines up to here don't end its head */
	uint32_t head[2], all[2]; /* its lengths, once known */
};

static int sip_open(struct app *a)
{
	a->state = slab_zalloc(a->ctx->slab, sizeof(struct sip));
	return a->state == NULL ? SKEP_EFULL : 0;
}

static void sip_close(struct app *a)
{
	slab_free(a->ctx->slab, a->state);
	a->state = NULL;
}

static int field_of(struct span name)
{
	static const struct {
		const char *name, *brief;
	} rows[FIELDS] = {{"From", "f"},        {"To", "t"},           {"Via", "v"},
			  {"User-Agent", NULL}, {"Content-Type", "c"}, {"Content-Length", "l"}};
	for (int i = 0; i < FIELDS; i++) {
		if ((name.len == strlen(rows[i].name) &&
		     begins(name.data, name.len, rows[i].name)) ||
		    (rows[i].brief != NULL && name.len == 1 && begins(name.data, 1, rows[i].brief)))
			return i;
	}
	return -1;
}

/* Where the head ends: behind the empty line; 0: it does not (yet). *from: where a line begins before
 * which there is no end. */
static uint32_t head_length(const uint8_t *data, uint32_t len, uint32_t *from)
{
	uint32_t at = *from;
	while (at < len) {
		const uint8_t *nl = memchr(data + at, '\n', len - at);
		*from = at;
		if (nl == NULL)
			return 0;
		uint32_t n = (uint32_t)(nl - data);
		if (n == at || (n == at + 1 && data[at] == '\r'))
			return n + 1;
		at = n + 1;
	}
	return 0;
}

/* Splits the first line at its first two spaces. */
static bool first_line(struct sip_tx *t, const uint8_t *p, uint32_t len)
{
	uint32_t at = 0, w = 0;
	t->line = (struct part){0, len};
	for (; w < 2; w++) {
		const uint8_t *sp = memchr(p + at, ' ', len - at);
		if (sp == NULL) {
			if (w == 1 && t->response) { /* no reason given */
				t->word[1] = (struct part){at, len - at};
				return len - at == 3;
			}
			return false;
		}
		t->word[w] = (struct part){at, (uint32_t)(sp - p) - at};
		at = (uint32_t)(sp - p) + 1;
	}
	t->word[2] = (struct part){at, len - at};
	if (t->response)
		return t->word[1].len == 3;
	return t->word[0].len > 0 && t->word[1].len > 0 && begins(p + at, len - at, "SIP/") &&
	       memchr(p + at, ' ', len - at) == NULL;
}

static void add_header(struct sip_tx *t, struct header *list, const uint8_t *p, uint32_t at,
		       uint32_t len)
{
	const uint8_t *colon = memchr(p + at, ':', len);
	if (colon == NULL) {
		app_tx_event(&t->tx, SIP_INVALID);
		return;
	}
	uint32_t n = (uint32_t)(colon - p) - at;
	int f = field_of(span_trim((struct span){p + at, n}));
	struct span v = span_trim((struct span){colon + 1, len - n - 1});
	if (f < 0 || t->n_headers >= FIELDS_MAX)
		return;
	list[t->n_headers++] = (struct header){(uint8_t)f, {(uint32_t)(v.data - p), v.len}};
}

/* Headers of p[at..end); folded ones stay folded. */
static void headers(struct app *a, struct sip_tx *t, uint32_t at, uint32_t end)
{
	const uint8_t *p = t->copy.p;
	struct header *list = (struct header *)(void *)a->ctx->scratch;
	while (at < end) {
		uint32_t from = at, n;
		do {
			const uint8_t *nl = memchr(p + at, '\n', end - at);
			n = nl == NULL ? end : (uint32_t)(nl - p);
			at = nl == NULL ? end : n + 1;
		} while (at < end && (p[at] == ' ' || p[at] == '\t'));
		if (n > from && p[n - 1] == '\r')
			n--;
		if (n > from)
			add_header(t, list, p, from, n - from);
	}
	if (t->n_headers == 0)
		return;
	t->headers = (struct header *)(void *)app_copy(
		a, a->ctx->scratch, t->n_headers * (uint32_t)sizeof(struct header));
	if (t->headers == NULL)
		t->n_headers = 0;
}

/* A whole message: head bytes of headers, then the body. */
static void message(struct app *a, unsigned dir, const uint8_t *data, uint32_t len, uint32_t head,
		    int64_t now_ns)
{
	struct sip_tx *t = (struct sip_tx *)app_tx_new(a, sizeof(*t), now_ns);
	if (t == NULL)
		return;
	t->response = begins(data, len, "SIP/");
	t->tx.progress[TO_SERVER] = t->tx.progress[TO_CLIENT] = APP_DONE;
	t->tx.toserver_only = dir == TO_SERVER;
	t->tx.toclient_only = dir == TO_CLIENT;
	bytes_set(a, &t->copy, data, len, HEAD_MAX + BODY_MAX);
	if (t->copy.n == 0)
		return;
	if (head > t->copy.n)
		head = t->copy.n;
	const uint8_t *nl = memchr(t->copy.p, '\n', head);
	uint32_t n = nl == NULL ? head : (uint32_t)(nl - t->copy.p), end = n;
	if (end > 0 && nl != NULL && t->copy.p[end - 1] == '\r')
		end--;
	if (!first_line(t, t->copy.p, end))
		app_tx_event(&t->tx, SIP_INVALID);
	if (nl != NULL)
		headers(a, t, n + 1, head);
	t->body = (struct part){head, t->copy.n - head};
}

static uint32_t body_length(const uint8_t *data, uint32_t head)
{
	uint32_t at = 0, v = 0;
	while (at < head) {
		const uint8_t *nl = memchr(data + at, '\n', head - at);
		uint32_t n = nl == NULL ? head : (uint32_t)(nl - data);
		const uint8_t *colon = memchr(data + at, ':', n - at);
		if (colon != NULL &&
		    field_of(span_trim((struct span){data + at, (uint32_t)(colon - data) - at})) ==
			    FIELD_CONTENT_LENGTH) {
			struct span s = span_trim(
				(struct span){colon + 1, n - (uint32_t)(colon - data) - 1});
			return span_number(&s, BODY_MAX, &v) ? v : 0;
		}
		at = n + 1;
	}
	return 0;
}

static uint32_t feed_stream(struct app *a, unsigned dir, const uint8_t *data, uint32_t len,
			    bool eof, int64_t now_ns)
{
	struct sip *s = a->state;
	uint32_t at = 0;
	while (at < len && !s->dead[dir]) {
		if (data[at] == '\r' || data[at] == '\n') { /* keep-alive */
			at++;
			continue;
		}
		uint32_t left = len - at, seen = left > HEAD_MAX ? HEAD_MAX : left;
		if (s->head[dir] == 0)
			s->head[dir] = head_length(data + at, seen, &s->seen[dir]);
		uint32_t head = s->head[dir];
		if (head == 0 && left < HEAD_MAX && !eof)
			break;
		if (head == 0) { /* no end of it: told as it is, and the rest is not followed */
			message(a, dir, data + at, seen, seen, now_ns);
			if (a->tx_last != NULL)
				app_tx_event(a->tx_last, SIP_INCOMPLETE);
			s->dead[dir] = true;
			break;
		}
		if (s->all[dir] == 0)
			s->all[dir] = head + body_length(data + at, head);
		uint32_t all = s->all[dir];
		if (all > left && !eof)
			break;
		s->seen[dir] = s->head[dir] = s->all[dir] = 0;
		message(a, dir, data + at, all > left ? left : all, head, now_ns);
		at += all > left ? left : all;
	}
	return s->dead[dir] || eof ? len : at;
}

static uint32_t sip_feed(struct app *a, unsigned dir, const uint8_t *data, uint32_t len,
			 unsigned flags, int64_t now_ns)
{
	struct sip *s = a->state;
	if ((flags & APP_GAP) != 0) {
		s->dead[dir] = true;
		return len;
	}
	if (len == 0)
		return 0;
	if (a->flow == NULL || a->flow->tcp)
		return feed_stream(a, dir, data, len, (flags & APP_EOF) != 0, now_ns);
	uint32_t skip = 0, from = 0;
	while (skip < len && (data[skip] == '\r' || data[skip] == '\n'))
		skip++;
	if (skip == len || (len - skip <= 4 && data[skip] == 0))
		return len; /* keep-alive */
	uint32_t head = head_length(data + skip, len - skip, &from);
	message(a, dir, data + skip, len - skip, head == 0 ? len - skip : head, now_ns);
	if (head == 0 && a->tx_last != NULL)
		app_tx_event(a->tx_last, SIP_INCOMPLETE);
	return len;
}

static void sip_tx_free(struct app *a, struct app_tx *tx)
{
	struct sip_tx *t = (struct sip_tx *)tx;
	bytes_free(a, &t->copy);
	slab_free(a->ctx->slab, t->headers);
	t->headers = NULL;
}

static int give(const struct sip_tx *t, struct part p, uint32_t index, struct span *ret)
{
	if (t->copy.p == NULL)
		return 1;
	return span_give(t->copy.p + p.at, p.len, index, ret);
}

static int header_give(const struct sip_tx *t, enum field f, uint32_t index, struct span *ret)
{
	for (uint32_t i = 0; i < t->n_headers; i++) {
		if (t->headers[i].field == f && index-- == 0)
			return give(t, t->headers[i].value, 0, ret);
	}
	return 1;
}

static int sip_buffer(const struct app *a, const struct app_tx *tx, enum app_buffer b, unsigned dir,
		      uint32_t index, struct span *ret, uint64_t *ret_base, bool *ret_complete)
{
	static const struct {
		uint16_t buffer;
		uint8_t field;
	} rows[] = {{BUF_SIP_FROM, FIELD_FROM},
		    {BUF_SIP_TO, FIELD_TO},
		    {BUF_SIP_VIA, FIELD_VIA},
		    {BUF_SIP_USER_AGENT, FIELD_USER_AGENT},
		    {BUF_SIP_CONTENT_TYPE, FIELD_CONTENT_TYPE},
		    {BUF_SIP_CONTENT_LENGTH, FIELD_CONTENT_LENGTH}};
	const struct sip_tx *t = (const struct sip_tx *)tx;
	if (dir == TO_SERVER ? tx->toclient_only : tx->toserver_only)
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].buffer == b)
			return header_give(t, rows[i].field, index, ret);
	}
	if (b == BUF_SIP_BODY)
		return give(t, t->body, index, ret);
	if (b == BUF_SIP_PROTOCOL)
		return give(t, t->word[t->response ? 0 : 2], index, ret);
	if (t->response) {
		if (b == BUF_SIP_RESPONSE_LINE)
			return give(t, t->line, index, ret);
		if (b == BUF_SIP_STAT_CODE)
			return give(t, t->word[1], index, ret);
		return b == BUF_SIP_STAT_MSG ? give(t, t->word[2], index, ret) : 1;
	}
	if (b == BUF_SIP_REQUEST_LINE)
		return give(t, t->line, index, ret);
	if (b == BUF_SIP_METHOD)
		return give(t, t->word[0], index, ret);
	return b == BUF_SIP_URI ? give(t, t->word[1], index, ret) : 1;
}

/* ---- SDP (RFC 4566), for events only ------------------------------------------------------------ */

static void sdp_append(json_t *o, const char *key, struct span v)
{
	json_t *list = json_object_get(o, key);
	if (list == NULL) {
		list = json_array();
		json_object_set_new(o, key, list);
	}
	json_array_append_new(list, app_json_bytes(v.data, v.len));
}

static json_t *sdp_push(json_t *o, const char *key, const char *first, struct span v)
{
	json_t *list = json_object_get(o, key), *item = json_object();
	if (list == NULL) {
		list = json_array();
		json_object_set_new(o, key, list);
	}
	json_bytes(item, first, v.data, v.len);
	json_array_append_new(list, item);
	return item;
}

static void sdp_line(json_t *o, json_t **media, json_t **when, uint8_t type, struct span v)
{
	static const struct {
		char type;
		const char *key;
	} rows[] = {{'o', "origin"}, {'s', "session_name"}, {'u', "uri"},
		    {'e', "email"},  {'p', "phone_number"}, {'z', "timezone"}};
	json_t *at = *media != NULL ? *media : o;
	uint32_t n;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (type == rows[i].type && *media == NULL)
			json_bytes(o, rows[i].key, v.data, v.len);
	}
	if (type == 'v' && span_number(&v, UINT32_MAX, &n))
		json_object_set_new(o, "version", json_integer(n));
	else if (type == 'm')
		*media = sdp_push(o, "media_descriptions", "media", v);
	else if (type == 't' && *media == NULL)
		*when = sdp_push(o, "time_descriptions", "time", v);
	else if (type == 'r' && *when != NULL)
		json_bytes(*when, "repeat_time", v.data, v.len);
	else if (type == 'i')
		json_bytes(at, *media != NULL ? "media_info" : "session_info", v.data, v.len);
	else if (type == 'c')
		json_bytes(at, "connection_data", v.data, v.len);
	else if (type == 'k')
		json_bytes(at, "encryption_key", v.data, v.len);
	else if (type == 'b')
		sdp_append(at, "bandwidths", v);
	else if (type == 'a')
		sdp_append(at, "attributes", v);
}

static void eve_sdp(const struct sip_tx *t, json_t *o)
{
	struct span type, all = {t->copy.p + t->body.at, t->body.len};
	if (all.len == 0 || header_give(t, FIELD_CONTENT_TYPE, 0, &type) != 0 ||
	    !begins(type.data, type.len, "application/sdp"))
		return;
	json_t *sdp = json_object(), *media = NULL, *when = NULL;
	for (unsigned lines = 0; all.len > 0 && lines < 256; lines++) {
		const uint8_t *nl = memchr(all.data, '\n', all.len);
		uint32_t n = nl == NULL ? all.len : (uint32_t)(nl - all.data);
		struct span v = span_trim((struct span){all.data, n});
		if (v.len > 2 && v.data[1] == '=')
			sdp_line(sdp, &media, &when, v.data[0],
				 (struct span){v.data + 2, v.len - 2});
		n += nl != NULL;
		all.data += n;
		all.len -= n;
	}
	json_object_set_new(o, "sdp", sdp);
}

static void eve_part(json_t *o, const char *key, const struct sip_tx *t, struct part p)
{
	json_bytes(o, key, t->copy.p + p.at, p.len);
}

static bool sip_eve(const struct app *a, const struct app_tx *tx, unsigned dir, json_t *o)
{
	const struct sip_tx *t = (const struct sip_tx *)tx;
	if (t->copy.p == NULL)
		return false;
	if (t->response) {
		eve_part(o, "version", t, t->word[0]);
		eve_part(o, "code", t, t->word[1]);
		eve_part(o, "reason", t, t->word[2]);
		eve_part(o, "response_line", t, t->line);
	} else {
		eve_part(o, "method", t, t->word[0]);
		eve_part(o, "uri", t, t->word[1]);
		eve_part(o, "version", t, t->word[2]);
		eve_part(o, "request_line", t, t->line);
	}
	eve_sdp(t, o);
	return true;
}

const struct app_ops app_sip = {
	.proto = APP_SIP,
	.eve_key = "sip",
	.events = sip_events,
	.tcp = true,
	.udp = true,
	.open = sip_open,
	.close = sip_close,
	.feed = sip_feed,
	.tx_free = sip_tx_free,
	.buffer = sip_buffer,
	.eve = sip_eve,
};
