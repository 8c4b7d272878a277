/* SPDX-License-Identifier: BSD-2-Clause */
/* Responses, as a browser takes them: what does not look like one is a body. */
#include "proto/http/http_priv.h"

#include <string.h>

static void event(struct http_conn *c, enum http_event e)
{
	app_tx_event(&c->side[TO_CLIENT].tx->tx, e);
}

/* "HTTP" after blanks and NULs; *ret_more: too little to tell. */
static bool looks_response(const uint8_t *p, uint32_t len, bool *ret_more)
{
	uint32_t i = 0;
	while (i < len && i < HTTP_BLANKS_MAX && (http_is_space(p[i]) || p[i] == 0))
		i++;
	uint32_t n = len - i < 4 ? len - i : 4;
	*ret_more = false;
	for (uint32_t k = 0; k < n; k++)
		if (http_lower(p[i + k]) != (uint8_t) "http"[k])
			return false;
	*ret_more = n < 4;
	return n == 4;
}

/* Which request is answered: the first without an answer. */
static struct http_tx *next_tx(struct http_conn *c)
{
	for (struct app_tx *x = c->app->tx_first; x != NULL; x = x->next) {
		struct http_tx *t = (struct http_tx *)x;
		if (x->proto == APP_HTTP && x->progress[TO_CLIENT] == 0 && !t->no_request &&
		    x->progress[TO_SERVER] != 0)
			return t;
	}
	struct http_tx *t = http_tx_add(c);
	if (t == NULL)
		return NULL;
	t->no_request = true;
	t->tx.progress[TO_SERVER] = APP_DONE;
	t->tx.toclient_only = true;
	app_tx_event(&t->tx, EV_UNMATCHED_RESPONSE);
	return t;
}

static void body_only(struct http_conn *c)
{
	struct http_side *s = &c->side[TO_CLIENT];
	s->tx->msg[TO_CLIENT].headers_done = true;
	s->tx->tx.progress[TO_CLIENT] = HTTP_GOT_HEADERS;
	s->state = ST_BODY_CLOSE;
}

static enum step idle(struct http_conn *c, struct http_in *in)
{
	struct http_side *s = &c->side[TO_CLIENT];
	while (in->at != in->end && (*in->at == '\r' || *in->at == '\n'))
		in->at++;
	if (in->at == in->end)
		return STEP_MORE;
	s->tx = next_tx(c);
	if (s->tx == NULL) {
		s->state = ST_DEAD;
		return STEP_ON;
	}
	http_request_settle(c, s->tx);
	s->state = ST_LINE;
	s->begin = http_off(c, in->at);
	if (s->tx->is_09)
		body_only(c);
	return STEP_ON;
}

static void parse_status(struct http_conn *c, struct http_msg *m)
{
	const uint8_t *p = http_at(m, m->part[1]);
	uint32_t v = 0, i = 0;
	for (; i < m->part[1].len && i < 6 && p[i] >= '0' && p[i] <= '9'; i++)
		v = v * 10 + (p[i] - '0');
	if (i != m->part[1].len || v < 100 || v > 999)
		event(c, EV_RES_STATUS);
	else
		m->number = (uint16_t)v;
}

static void parse_line(struct http_conn *c)
{
	struct http_msg *m = &c->side[TO_CLIENT].tx->msg[TO_CLIENT];
	const uint8_t *p = http_at(m, m->line);
	uint32_t len = m->line.len, at = 0, from;
	while (at < len && (http_is_space(p[at]) || p[at] == 0))
		at++;
	for (unsigned part = 0; part < 2; part++) {
		from = at;
		while (at < len && !http_is_space(p[at]))
			at++;
		m->part[part].off = m->line.off + from;
		m->part[part].len = at - from;
		while (at < len && http_is_space(p[at]))
			at++;
	}
	m->part[2].off = m->line.off + at;
	m->part[2].len = len - at;
	m->version = http_version(http_at(m, m->part[0]), m->part[0].len);
	if (m->version == 1)
		event(c, EV_RES_PROTOCOL);
	parse_status(c, m);
}

/* A first line that is none: skipped if another follows, else the body has begun. */
static enum step no_line(struct http_conn *c, struct http_in *in, uint32_t total, uint32_t len)
{
	struct http_side *s = &c->side[TO_CLIENT];
	if (total != 0 && (uint32_t)(in->end - in->at) == total && !in->eof)
		return STEP_MORE;
	if (len <= 2 || (in->end - in->at > total && in->at[total] == 'H')) {
		in->at += total;
		return STEP_ON;
	}
	s->scanned = 0;
	s->hold_done = false;
	body_only(c);
	return STEP_ON;
}

static enum step take_line(struct http_conn *c, struct http_in *in)
{
	struct http_side *s = &c->side[TO_CLIENT];
	struct http_msg *m = &s->tx->msg[TO_CLIENT];
	const uint8_t *line;
	uint32_t len, total, blank = 0;
	bool more, bare = s->bare_lf;
	bool have =
		in->at != in->end && http_take_line(s, in, true, &line, &len, &total) == STEP_ON;
	if (!have) {
		bool fits = looks_response(in->at, (uint32_t)(in->end - in->at), &more);
		if (in->end - in->at <= (ptrdiff_t)HTTP_LINE_MAX)
			return STEP_MORE;
		if (!fits)
			return no_line(c, in, 0, 3);
		event(c, EV_RES_TOO_LONG);
		http_dead(c, TO_CLIENT);
		return STEP_ON;
	}
	while (blank < len && http_is_space(line[blank]))
		blank++;
	if (blank == len) {
		in->at += total;
		return STEP_ON;
	}
	if (!looks_response(line, len, &more)) {
		s->bare_lf = bare;
		return no_line(c, in, total, len);
	}
	if (len > HTTP_LINE_MAX || !http_text_add(c->app, &m->text, line, len)) {
		event(c, EV_RES_TOO_LONG);
		http_dead(c, TO_CLIENT);
		return STEP_ON;
	}
	m->line.off = m->text.len - len;
	m->line.len = len;
	m->wire.line_at = http_off(c, line) - m->line.off;
	in->at += total;
	parse_line(c);
	s->tx->tx.progress[TO_CLIENT] = HTTP_GOT_LINE;
	s->state = ST_HEADERS;
	return STEP_ON;
}

/* 100 Continue: another response follows to the same request. */
static void again(struct http_conn *c)
{
	struct http_side *s = &c->side[TO_CLIENT];
	if (s->tx->seen_100)
		event(c, EV_100_SEEN);
	s->tx->seen_100 = true;
	http_msg_free(c->app, &s->tx->msg[TO_CLIENT]);
	s->state = ST_LINE;
	s->hold_done = false;
}

/* CONNECT was granted, or 101: what follows is another protocol. */
static void change(struct http_conn *c, const struct http_msg *m)
{
	struct span up = http_known_value(m, HDR_UPGRADE);
	bool h2 = up.data != NULL && http_ifind(up.data, up.len, "h2c") >= 0;
	if (c->app->before != APP_UNKNOWN) {
		event(c, EV_PROTOCOL_CHANGE);
		http_done(c, TO_CLIENT);
		return;
	}
	http_done(c, TO_CLIENT);
	c->side[0].state = c->side[1].state = ST_DEAD;
	c->switched = true;
	app_switch(c->app, h2 ? APP_HTTP2 : APP_UNKNOWN);
}

/* In the way of frames: a message ends where its receiver takes it to end (RFC 9112 6.3), not where a patient
 * reader would. */
static bool as_received(const struct http_conn *c)
{
	return c->app->ctx->frame != NULL;
}

static bool no_body(struct http_conn *c, struct http_msg *m, struct span te, struct span cl)
{
	struct http_tx *t = c->side[TO_CLIENT].tx;
	if (t->method == METHOD_HEAD && !t->no_request)
		return true;
	bool none = (m->number >= 100 && m->number < 200) || m->number == 204 || m->number == 304;
	return none && (as_received(c) || (te.data == NULL && cl.data == NULL));
}

static void chunked_begins(struct http_conn *c, struct http_msg *m, struct span te)
{
	struct http_side *s = &c->side[TO_CLIENT];
	if (!http_ieq(te.data, te.len, "chunked"))
		event(c, EV_RES_TE_ABNORMAL);
	if (m->version != 11)
		event(c, EV_CHUNKED_OLD_PROTO);
	s->state = ST_CHUNK_LINE;
	http_frame_head(c, TO_CLIENT, true, true);
}

static void length_begins(struct http_conn *c, struct http_msg *m, struct span cl)
{
	struct http_side *s = &c->side[TO_CLIENT];
	bool clean;
	m->has_content_len = http_content_length(cl.data, cl.len, &s->left, &clean);
	m->content_len = s->left;
	s->hold_done |= !clean;
	s->state = ST_BODY_LENGTH;
	if (!m->has_content_len) {
		event(c, EV_RES_CL_INVALID);
		s->state = ST_BODY_CLOSE;
	} else if (s->left == 0) {
		http_done(c, TO_CLIENT);
	} else {
		http_frame_head(c, TO_CLIENT, false, clean);
	}
}

static void framing(struct http_conn *c)
{
	struct http_side *s = &c->side[TO_CLIENT];
	struct http_tx *t = s->tx;
	struct http_msg *m = &t->msg[TO_CLIENT];
	struct span te = http_known_value(m, HDR_TRANSFER_ENC),
		    cl = http_known_value(m, HDR_CONTENT_LEN),
		    conn = http_known_value(m, HDR_CONNECTION),
		    type = http_known_value(m, HDR_CONTENT_TYPE);
	if ((t->method == METHOD_CONNECT && !t->no_request && m->number >= 200 &&
	     m->number < 300) ||
	    (m->number == 101 && te.data == NULL && cl.data == NULL)) {
		change(c, m);
		return;
	}
	if (t->method == METHOD_CONNECT && c->side[TO_SERVER].state == ST_CONNECT) {
		c->side[TO_SERVER].state = ST_IDLE;
		c->side[TO_SERVER].tx = NULL;
	}
	if (no_body(c, m, te, cl)) {
		http_done(c, TO_CLIENT);
		return;
	}
	if (conn.data != NULL && http_ifind(conn.data, conn.len, "close") >= 0)
		s->hold_done = true;
	if (te.data != NULL && (cl.data != NULL || !http_ieq(te.data, te.len, "chunked")))
		s->hold_done = true;
	http_body_begin(c, TO_CLIENT);
	if (te.data != NULL && http_ifind(te.data, te.len, "chunked") >= 0) {
		chunked_begins(c, m, te);
		return;
	}
	if (te.data != NULL)
		event(c, EV_RES_TE_INVALID);
	if (cl.data != NULL) {
		length_begins(c, m, cl);
		return;
	}
	if (type.data != NULL && http_ifind(type.data, type.len, "multipart/byteranges") >= 0)
		event(c, EV_BYTERANGES);
	s->state = ST_BODY_CLOSE;
}

static void check_range(struct http_conn *c, const struct http_msg *m)
{
	struct span v = http_known_value(m, HDR_CONTENT_RANGE);
	uint64_t n[3];
	if (m->number != 206 || v.data == NULL)
		return;
	unsigned have = http_range(v, n);
	if ((have & 1) == 0 || n[0] > n[1] || ((have & 2) != 0 && n[1] >= n[2]))
		event(c, EV_RANGE_INVALID);
}

static void headers_end(struct http_conn *c)
{
	struct http_side *s = &c->side[TO_CLIENT];
	struct http_msg *m = &s->tx->msg[TO_CLIENT];
	struct span te = http_known_value(m, HDR_TRANSFER_ENC),
		    cl = http_known_value(m, HDR_CONTENT_LEN);
	uint64_t n = 0;
	bool clean;
	bool early = as_received(c) && m->number >= 100 && m->number < 200 && m->number != 101;
	if (early) {
		again(c);
		return;
	}
	if (m->number == 100 && te.data == NULL &&
	    (cl.data == NULL || !http_content_length(cl.data, cl.len, &n, &clean) || n == 0)) {
		again(c);
		return;
	}
	m->headers_done = true;
	s->tx->tx.progress[TO_CLIENT] = HTTP_GOT_HEADERS;
	check_range(c, m);
	framing(c);
}

static enum step after(struct http_conn *c, struct http_in *in)
{
	struct http_side *s = &c->side[TO_CLIENT];
	bool more, begins = !s->mid_line;
	if (in->at == in->end)
		return STEP_MORE;
	if (begins) {
		bool next = looks_response(in->at, (uint32_t)(in->end - in->at), &more);
		if (more && !in->eof)
			return STEP_MORE;
		if (next) {
			s->hold_done = false;
			http_done(c, TO_CLIENT);
			return STEP_ON;
		}
		s->mid_line = true;
	}
	const uint8_t *lf = memchr(in->at, '\n', (size_t)(in->end - in->at));
	uint32_t n = (uint32_t)((lf != NULL ? lf + 1 : in->end) - in->at);
	s->mid_line = lf == NULL;
	if (lf != NULL && begins && http_is_space(*in->at)) {
		uint32_t blank = http_blank_lines(in->at, (uint32_t)(in->end - in->at), true);
		n = blank > n ? blank : n;
	}
	http_body_data(c, TO_CLIENT, in->at, n);
	in->at += n;
	return STEP_ON;
}

static enum step resync(struct http_conn *c, struct http_in *in)
{
	struct http_side *s = &c->side[TO_CLIENT];
	while (in->at != in->end) {
		bool more = false;
		if (!s->mid_line && looks_response(in->at, (uint32_t)(in->end - in->at), &more)) {
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

/* After LF CR CR LF another CR LF belongs to the same end of the headers. */
static enum step skip_crlf(struct http_side *s, struct http_in *in)
{
	if (in->at == in->end || (in->at + 1 == in->end && *in->at == '\r' && !in->eof))
		return STEP_MORE;
	s->skip_crlf = false;
	if (in->at + 1 < in->end && in->at[0] == '\r' && in->at[1] == '\n')
		in->at += 2;
	return STEP_ON;
}

enum step http_response_step(struct http_conn *c, struct http_in *in)
{
	struct http_side *s = &c->side[TO_CLIENT];
	bool over;
	if (s->skip_crlf)
		return skip_crlf(s, in);
	switch ((enum http_state)s->state) {
	case ST_IDLE:
		return idle(c, in);
	case ST_LINE:
		return take_line(c, in);
	case ST_HEADERS:
		if (http_take_headers(c, TO_CLIENT, in, &over) == STEP_MORE)
			return STEP_MORE;
		if (over)
			headers_end(c);
		return STEP_ON;
	case ST_AFTER:
		return after(c, in);
	case ST_RESYNC:
		return resync(c, in);
	case ST_09:
	case ST_CONNECT:
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
	return http_body_step(c, TO_CLIENT, in);
}
