/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests: line, headers, how long the body is, and what may come behind it. */
#include "proto/http/http_priv.h"

#include <string.h>

static const struct {
	const char *name;
	uint8_t method;
} methods[] = {
	{"GET", METHOD_GET},
	{"POST", METHOD_POST},
	{"HEAD", METHOD_HEAD},
	{"PUT", METHOD_PUT},
	{"CONNECT", METHOD_CONNECT},
	{"DELETE", METHOD_OTHER},
	{"OPTIONS", METHOD_OTHER},
	{"TRACE", METHOD_OTHER},
	{"PATCH", METHOD_OTHER},
	{"PROPFIND", METHOD_OTHER},
	{"PROPPATCH", METHOD_OTHER},
	{"MKCOL", METHOD_OTHER},
	{"COPY", METHOD_OTHER},
	{"MOVE", METHOD_OTHER},
	{"LOCK", METHOD_OTHER},
	{"UNLOCK", METHOD_OTHER},
	{"VERSION-CONTROL", METHOD_OTHER},
	{"CHECKOUT", METHOD_OTHER},
	{"UNCHECKOUT", METHOD_OTHER},
	{"CHECKIN", METHOD_OTHER},
	{"UPDATE", METHOD_OTHER},
	{"LABEL", METHOD_OTHER},
	{"REPORT", METHOD_OTHER},
	{"MKWORKSPACE", METHOD_OTHER},
	{"MKACTIVITY", METHOD_OTHER},
	{"BASELINE-CONTROL", METHOD_OTHER},
	{"MERGE", METHOD_OTHER},
	{"INVALID", METHOD_OTHER},
};

/* Does a known method stand here, after blanks? *ret_more: too little is there to tell. */
bool http_looks_request(const uint8_t *p, uint32_t len, bool *ret_more)
{
	uint32_t skip = 0;
	*ret_more = false;
	while (skip < len && http_is_space(p[skip]))
		if (++skip > HTTP_BLANKS_MAX)
			return false;
	p += skip;
	len -= skip;
	if (len == 0) {
		*ret_more = true;
		return false;
	}
	for (unsigned i = 0; i < ARRAY_LEN(methods); i++) {
		uint32_t n = (uint32_t)strlen(methods[i].name);
		if (memcmp(p, methods[i].name, len < n ? len : n) != 0)
			continue;
		if (len <= n)
			*ret_more = true;
		else if (http_is_space(p[n]))
			return true;
	}
	return false;
}

static void event(struct http_conn *c, enum http_event e)
{
	app_tx_event(&c->side[TO_SERVER].tx->tx, e);
}

uint8_t http_version(const uint8_t *p, uint32_t len)
{
	if (len < 6 || !http_istarts(p, len, "http/"))
		return 1;
	uint32_t i = 5;
	while (i < len && (http_is_lws(p[i]) || p[i] == '0') && i + 3 < len)
		i++;
	if (len - i < 3 || p[i + 1] != '.')
		return 1;
	for (uint32_t k = i + 3; k < len; k++)
		if (!http_is_space(p[k]))
			return 1;
	if (p[i] == '1' && p[i + 2] == '1')
		return 11;
	if (p[i] == '1' && p[i + 2] == '0')
		return 10;
	return p[i] == '0' && p[i + 2] == '9' ? 9 : 1;
}

/* The method: up to the first blank. Returns what follows the blanks behind it. */
static uint32_t split_method(struct http_conn *c, const uint8_t *p, uint32_t len)
{
	struct http_tx *t = c->side[TO_SERVER].tx;
	struct http_msg *m = &t->msg[TO_SERVER];
	uint32_t at = 0, from;
	while (at < len && http_is_space(p[at]))
		at++;
	if (at != 0)
		event(c, EV_LEADING_SPACE);
	from = at;
	while (at < len && !http_is_space(p[at]))
		at++;
	m->part[0].off = m->line.off + from;
	m->part[0].len = at - from;
	for (unsigned i = 0; i < ARRAY_LEN(methods); i++)
		if (strlen(methods[i].name) == at - from &&
		    memcmp(p + from, methods[i].name, at - from) == 0)
			t->method = methods[i].method;
	bool odd = false;
	while (at < len && http_is_space(p[at]))
		odd |= p[at++] != ' ';
	if (odd)
		event(c, EV_METHOD_DELIM);
	return at;
}

/* Method, URI, protocol. Blanks may stand in the URI: the protocol is what follows the last one. */
static void parse_line(struct http_conn *c)
{
	struct http_tx *t = c->side[TO_SERVER].tx;
	struct http_msg *m = &t->msg[TO_SERVER];
	const uint8_t *p = http_at(m, m->line);
	uint32_t len = m->line.len, at = split_method(c, p, len), end = len;
	while (end > at && http_is_space(p[end - 1]))
		end--;
	uint32_t proto = end, uri_end = end;
	while (proto > at && !http_is_space(p[proto - 1]))
		proto--;
	if (proto > at) {
		uri_end = proto;
		bool odd = false;
		while (uri_end > at && http_is_space(p[uri_end - 1]))
			odd |= p[--uri_end] != ' ';
		if (odd)
			event(c, EV_URI_DELIM);
	}
	m->part[1].off = m->line.off + at;
	if (proto == at || uri_end == at) { /* no protocol */
		m->part[1].len = end - at;
		t->is_09 = true;
		m->version = 9;
		if (m->part[1].len == 0)
			event(c, EV_LINE_INCOMPLETE);
	} else {
		m->part[1].len = uri_end - at;
		m->part[2].off = m->line.off + proto;
		m->part[2].len = end - proto;
		m->version = http_version(p + proto, end - proto);
		if (m->version == 1)
			event(c, EV_LINE_INVALID);
	}
	http_uri_split(t);
}

static enum step take_line(struct http_conn *c, struct http_in *in)
{
	struct http_side *s = &c->side[TO_SERVER];
	struct http_msg *m = &s->tx->msg[TO_SERVER];
	const uint8_t *line;
	uint32_t len, total, blank = 0;
	bool have =
		in->at != in->end && http_take_line(s, in, false, &line, &len, &total) == STEP_ON;
	if (!have && in->end - in->at <= (ptrdiff_t)HTTP_LINE_MAX)
		return STEP_MORE;
	if (!have || len > HTTP_LINE_MAX || !http_text_add(c->app, &m->text, in->at, total)) {
		event(c, EV_REQ_TOO_LONG);
		http_dead(c, TO_SERVER);
		return STEP_ON;
	}
	m->line.off = m->text.len - total;
	m->line.len = len;
	m->wire.line_at = http_off(c, in->at) - m->line.off;
	in->at += total;
	while (blank < len && http_is_space(line[blank]))
		blank++;
	if (blank == len) { /* nothing in it: the next may be one */
		m->text.len = 0;
		m->line.len = 0;
		return STEP_ON;
	}
	parse_line(c);
	s->tx->tx.progress[TO_SERVER] = HTTP_GOT_LINE;
	s->state = s->tx->is_09 ? ST_09 : ST_HEADERS;
	return STEP_ON;
}

/* The first number in a Content-Length value; false: there is none. */
bool http_content_length(const uint8_t *p, uint32_t len, uint64_t *ret, bool *ret_clean)
{
	uint32_t i = 0, from;
	uint64_t v = 0;
	while (i < len && (p[i] < '0' || p[i] > '9'))
		i++;
	*ret_clean = i == 0;
	for (from = i; i < len && p[i] >= '0' && p[i] <= '9'; i++) {
		if (v > INT64_MAX / 10 - 10)
			return false;
		v = v * 10 + (p[i] - '0');
	}
	*ret_clean = *ret_clean && i == len;
	*ret = v;
	return i != from;
}

static void check_auth(struct http_conn *c, struct http_msg *m)
{
	struct span v = http_known_value(m, HDR_AUTHORIZATION);
	if (v.data != NULL && !http_istarts(v.data, v.len, "basic") &&
	    !http_istarts(v.data, v.len, "digest") && !http_istarts(v.data, v.len, "bearer"))
		event(c, EV_AUTH_UNRECOGNIZED);
}

/* The headers are in: which body follows? */
static void framing(struct http_conn *c)
{
	struct http_side *s = &c->side[TO_SERVER];
	struct http_tx *t = s->tx;
	struct http_msg *m = &t->msg[TO_SERVER];
	struct span te = http_known_value(m, HDR_TRANSFER_ENC),
		    cl = http_known_value(m, HDR_CONTENT_LEN);
	bool chunked = te.data != NULL && http_ifind(te.data, te.len, "chunked") >= 0, clean = true;
	uint64_t n = 0;
	if (te.data != NULL && !chunked)
		event(c, EV_REQ_TE_INVALID);
	if (cl.data != NULL) {
		m->has_content_len = http_content_length(cl.data, cl.len, &n, &clean);
		m->content_len = n;
		if (!m->has_content_len)
			event(c, EV_REQ_CL_INVALID);
	}
	if (t->method == METHOD_CONNECT && !chunked && n == 0) {
		s->state = ST_CONNECT;
		t->tx.progress[TO_SERVER] = APP_DONE;
		return;
	}
	if (te.data != NULL &&
	    (cl.data != NULL || !chunked || !http_ieq(te.data, te.len, "chunked")))
		s->hold_done = true;
	if (!clean || (!chunked && !m->has_content_len &&
		       (t->method == METHOD_POST || t->method == METHOD_PUT)))
		s->hold_done = true;
	s->left = n;
	http_body_begin(c, TO_SERVER);
	http_frame_head(c, TO_SERVER, chunked, chunked || (n != 0 && clean));
	if (chunked) {
		s->state = ST_CHUNK_LINE;
	} else if (n != 0) {
		s->state = ST_BODY_LENGTH;
	} else {
		http_done(c, TO_SERVER);
	}
}

static void headers_end(struct http_conn *c)
{
	struct http_tx *t = c->side[TO_SERVER].tx;
	struct http_msg *m = &t->msg[TO_SERVER];
	m->headers_done = true;
	http_host_check(c, t);
	check_auth(c, m);
	t->tx.progress[TO_SERVER] = HTTP_GOT_HEADERS;
	framing(c);
}

/* A line without protocol: 0.9, unless headers follow. */
static enum step no_protocol(struct http_conn *c, struct http_in *in)
{
	struct http_side *s = &c->side[TO_SERVER];
	bool more;
	while (in->at != in->end && (*in->at == '\r' || *in->at == '\n'))
		in->at++;
	if (in->at == in->end)
		return STEP_MORE;
	bool next = http_looks_request(in->at, (uint32_t)(in->end - in->at), &more);
	if (more && !in->eof)
		return STEP_MORE;
	if (next) {
		http_request_settle(c, s->tx);
		return STEP_ON;
	}
	s->tx->is_09 = false;
	event(c, EV_MISSING_PROTOCOL);
	s->state = ST_HEADERS;
	return STEP_ON;
}

/* The answer has begun, or another request: what waited for more of this one is over. */
void http_request_settle(struct http_conn *c, const struct http_tx *t)
{
	struct http_side *s = &c->side[TO_SERVER];
	if (s->tx != t || (s->state != ST_09 && s->state != ST_AFTER))
		return;
	if (s->state == ST_09)
		s->tx->msg[TO_SERVER].headers_done = true;
	s->hold_done = false;
	http_done(c, TO_SERVER);
}

/* The message is over by its own account. Lines that are no new request still belong to it. */
static enum step after(struct http_conn *c, struct http_in *in)
{
	struct http_side *s = &c->side[TO_SERVER];
	bool more, begins = !s->mid_line;
	if (in->at == in->end)
		return STEP_MORE;
	if (begins) {
		bool next = http_looks_request(in->at, (uint32_t)(in->end - in->at), &more);
		if (more && !in->eof)
			return STEP_MORE;
		if (next || more) {
			http_request_settle(c, s->tx);
			return STEP_ON;
		}
		event(c, EV_BODY_UNEXPECTED);
		s->mid_line = true;
	}
	const uint8_t *lf = memchr(in->at, '\n', (size_t)(in->end - in->at));
	uint32_t n = (uint32_t)((lf != NULL ? lf + 1 : in->end) - in->at);
	s->mid_line = lf == NULL;
	if (lf != NULL && begins && http_is_space(*in->at)) {
		uint32_t blank = http_blank_lines(in->at, (uint32_t)(in->end - in->at), false);
		n = blank > n ? blank : n;
	}
	http_body_data(c, TO_SERVER, in->at, n);
	in->at += n;
	return STEP_ON;
}

/* As many requests are open as may be: none of them waits for its answer any longer, and no more are
 * read before the oldest were cleared away. */
static enum step full(struct http_conn *c)
{
	for (struct app_tx *x = c->app->tx_first; x != NULL; x = x->next) {
		if (x->proto != APP_HTTP || x->progress[TO_SERVER] != APP_DONE ||
		    x->progress[TO_CLIENT] != 0)
			continue;
		x->progress[TO_CLIENT] = APP_DONE;
		x->toserver_only = true;
	}
	return STEP_MORE;
}

static enum step idle(struct http_conn *c, struct http_in *in)
{
	struct http_side *s = &c->side[TO_SERVER];
	while (in->at != in->end && (*in->at == '\r' || *in->at == '\n'))
		in->at++;
	if (in->at == in->end)
		return STEP_MORE;
	s->tx = http_tx_add(c);
	if (s->tx == NULL)
		return full(c);
	s->state = ST_LINE;
	s->begin = http_off(c, in->at);
	return STEP_ON;
}

/* After a gap: the next line that begins with a method. */
static enum step resync(struct http_conn *c, struct http_in *in)
{
	struct http_side *s = &c->side[TO_SERVER];
	while (in->at != in->end) {
		bool more = false;
		if (!s->mid_line &&
		    http_looks_request(in->at, (uint32_t)(in->end - in->at), &more)) {
			s->state = ST_IDLE;
			return STEP_ON;
		}
		if (more && !in->eof)
			return STEP_MORE;
		const uint8_t *lf = memchr(in->at, '\n', (size_t)(in->end - in->at));
		s->mid_line = lf == NULL;
		in->at = lf != NULL ? lf + 1 : in->end;
	}
	return STEP_MORE;
}

enum step http_request_step(struct http_conn *c, struct http_in *in)
{
	struct http_side *s = &c->side[TO_SERVER];
	bool over;
	switch ((enum http_state)s->state) {
	case ST_IDLE:
		return idle(c, in);
	case ST_LINE:
		return take_line(c, in);
	case ST_HEADERS:
		if (http_take_headers(c, TO_SERVER, in, &over) == STEP_MORE)
			return STEP_MORE;
		if (over)
			headers_end(c);
		return STEP_ON;
	case ST_09:
		return no_protocol(c, in);
	case ST_CONNECT:
		return STEP_MORE;
	case ST_AFTER:
		return after(c, in);
	case ST_RESYNC:
		return resync(c, in);
	case ST_DEAD:
		in->at = in->end;
		return STEP_MORE;
	case ST_TRAILER:
	case ST_BODY_LENGTH:
	case ST_BODY_CLOSE:
	case ST_CHUNK_LINE:
	case ST_CHUNK_DATA:
	case ST_CHUNK_END:
		break;
	}
	return http_body_step(c, TO_SERVER, in);
}
