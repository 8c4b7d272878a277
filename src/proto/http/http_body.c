/* SPDX-License-Identifier: BSD-2-Clause */
/* Bodies: by length, in chunks, until the end; decoded, and told as files. */
#include "proto/http/http_priv.h"

#include <string.h>

uint32_t http_body_max(const struct app *a, unsigned dir)
{
	uint32_t max = dir == TO_SERVER ? a->ctx->conf.request_body : a->ctx->conf.response_body;
	return max != 0 ? max : 100 * 1024;
}

/* What the URI or Content-Disposition calls it. */
static struct app_file *open_file(struct http_conn *c, unsigned dir)
{
	struct http_tx *t = c->side[dir].tx;
	uint8_t path[1024];
	struct span name;
	struct span cd = http_known_value(&t->msg[dir], HDR_DISPOSITION);
	if (dir == TO_SERVER || cd.data == NULL ||
	    !http_param(cd.data, cd.len, "filename", &name)) {
		name.data = path;
		name.len = http_path_normal(t, path, sizeof(path));
	}
	if (name.len > sizeof(((struct app_file *)NULL)->name) - 1)
		app_tx_event(&t->tx, EV_FILE_NAME_LONG);
	t->body_file[dir] = app_file_open(c->app, &t->tx, dir, name.data, name.len);
	return t->body_file[dir];
}

static void plain_body(struct http_conn *c, const uint8_t *data, uint32_t len)
{
	struct http_tx *t = c->side[TO_SERVER].tx;
	if (t->body == NULL)
		t->body = slab_zalloc(c->app->ctx->slab, sizeof(*t->body));
	if (t->body != NULL)
		app_body_add(c->app, t->body, data, len, http_body_max(c->app, TO_SERVER));
}

void http_body_decoded(struct http_conn *c, unsigned dir, const uint8_t *data, uint32_t len)
{
	struct http_side *s = &c->side[dir];
	struct http_tx *t = s->tx;
	if (len == 0)
		return;
	if (t->tx.progress[dir] < HTTP_GOT_BODY)
		t->tx.progress[dir] = HTTP_GOT_BODY;
	bool file = dir == TO_CLIENT ||
		    (s->parts == NULL && (t->method == METHOD_POST || t->method == METHOD_PUT));
	if (!file) {
		plain_body(c, data, len);
		if (s->parts != NULL)
			http_parts_data(c, data, len);
		return;
	}
	struct app_file *f = t->body_file[dir];
	if (f == NULL)
		f = open_file(c, dir);
	if (f != NULL)
		app_file_add(c->app, f, data, len, http_body_max(c->app, dir));
}

void http_body_begin(struct http_conn *c, unsigned dir)
{
	struct http_side *s = &c->side[dir];
	struct http_tx *t = s->tx;
	struct span ce = http_known_value(&t->msg[dir], HDR_CONTENT_ENC);
	s->in = s->out = 0;
	s->stop = false;
	if (ce.data != NULL)
		http_layers_open(c, dir, ce.data, ce.len);
	t->msg[dir].wire.no_wire = s->n_layers != 0;
	if (dir != TO_SERVER || t->method != METHOD_POST)
		return;
	struct span type = http_known_value(&t->msg[dir], HDR_CONTENT_TYPE);
	if (type.data != NULL && http_istarts(type.data, type.len, "multipart/form-data") &&
	    !http_parts_open(c, type.data, type.len))
		app_tx_event(&t->tx, EV_MULTIPART_ERROR);
}

/* Bytes of the body without framing. */
void http_body_data(struct http_conn *c, unsigned dir, const uint8_t *data, uint32_t len)
{
	struct http_side *s = &c->side[dir];
	s->tx->msg[dir].wire_len += len;
	s->in += len;
	c->in += len;
	http_wire_body(c, dir, data, len);
	if (s->stop)
		return;
	if (s->n_layers != 0)
		http_layers_push(c, dir, 0, data, len);
	else
		http_body_decoded(c, dir, data, len);
}

void http_body_end(struct http_conn *c, unsigned dir, bool whole)
{
	struct http_side *s = &c->side[dir];
	http_frame_end(c, dir);
	http_layers_close(c, dir, s->tx != NULL);
	if (s->parts != NULL)
		http_parts_close(c, whole);
	if (s->tx == NULL)
		return;
	if (s->tx->body_file[dir] != NULL)
		app_file_close(c->app, s->tx->body_file[dir], whole);
	if (dir == TO_SERVER && s->tx->body != NULL)
		s->tx->body->complete = true;
}

static enum step by_length(struct http_conn *c, unsigned dir, struct http_in *in)
{
	struct http_side *s = &c->side[dir];
	uint64_t n = (uint64_t)(in->end - in->at);
	if (n == 0)
		return STEP_MORE;
	if (n > s->left)
		n = s->left;
	http_body_data(c, dir, in->at, (uint32_t)n);
	in->at += n;
	s->left -= n;
	if (s->left == 0) {
		http_frame_end(c, dir);
		http_done(c, dir);
	}
	return STEP_ON;
}

/* No chunk begins here after all: what follows is the body as it stands. */
static enum step not_chunked(struct http_conn *c, unsigned dir)
{
	struct http_side *s = &c->side[dir];
	app_tx_event(&s->tx->tx, dir == TO_SERVER ? EV_REQ_CHUNK_LEN : EV_RES_CHUNK_LEN);
	s->state = ST_BODY_CLOSE;
	return STEP_ON;
}

/* The line with a chunk's length: blanks, hexadecimal digits, and whatever follows. */
static enum step chunk_line(struct http_conn *c, unsigned dir, struct http_in *in)
{
	struct http_side *s = &c->side[dir];
	const uint8_t *p = in->at, *end = in->end;
	while (p != end && http_is_space(*p))
		p++;
	if (p == end) /* blanks may turn out to be content */
		return end - in->at < (ptrdiff_t)HTTP_CHUNK_LINE_MAX ? STEP_MORE
								     : not_chunked(c, dir);
	if (http_hex(*p) < 0)
		return not_chunked(c, dir);
	const uint8_t *lf = memchr(p, '\n', (size_t)(end - p));
	if (lf == NULL && !in->eof)
		return end - p < (ptrdiff_t)HTTP_CHUNK_LINE_MAX ? STEP_MORE : not_chunked(c, dir);
	uint64_t n = 0;
	for (; p != end && http_hex(*p) >= 0; p++) {
		if (n >> 31 != 0)
			return not_chunked(c, dir);
		n = n << 4 | (unsigned)http_hex(*p);
	}
	size_t rest = (size_t)((lf != NULL ? lf : end) - p);
	if (memchr(p, ';', rest) != NULL)
		app_tx_event(&s->tx->tx, dir == TO_SERVER ? EV_REQ_CHUNK_EXT : EV_RES_CHUNK_EXT);
	const uint8_t *next = lf != NULL ? lf + 1 : end;
	s->tx->msg[dir].wire_len += (uint64_t)(next - in->at);
	if (n != 0) /* the last one stays: with it ends what is made of them, too */
		http_frame_count(c, dir, in->at, (uint32_t)(next - in->at));
	in->at = next;
	s->left = n;
	s->scanned = 0;
	s->bare_lf = s->pending = false;
	s->state = n != 0 ? ST_CHUNK_DATA : ST_TRAILER;
	return STEP_ON;
}

static enum step chunk_data(struct http_conn *c, unsigned dir, struct http_in *in)
{
	struct http_side *s = &c->side[dir];
	uint64_t n = (uint64_t)(in->end - in->at);
	if (n == 0)
		return STEP_MORE;
	if (n > s->left)
		n = s->left;
	http_body_data(c, dir, in->at, (uint32_t)n);
	in->at += n;
	s->left -= n;
	if (s->left == 0)
		s->state = ST_CHUNK_END;
	return STEP_ON;
}

static enum step chunk_end(struct http_conn *c, unsigned dir, struct http_in *in)
{
	struct http_side *s = &c->side[dir];
	if (in->at == in->end)
		return STEP_MORE;
	const uint8_t *lf = memchr(in->at, '\n', (size_t)(in->end - in->at));
	const uint8_t *next = lf != NULL ? lf + 1 : in->end;
	s->tx->msg[dir].wire_len += (uint64_t)(next - in->at);
	http_frame_count(c, dir, in->at, (uint32_t)(next - in->at));
	in->at = next;
	if (lf != NULL)
		s->state = ST_CHUNK_LINE;
	return STEP_ON;
}

enum step http_body_step(struct http_conn *c, unsigned dir, struct http_in *in)
{
	struct http_side *s = &c->side[dir];
	bool over;
	switch (s->state) {
	case ST_BODY_LENGTH:
		return by_length(c, dir, in);
	case ST_CHUNK_LINE:
		return chunk_line(c, dir, in);
	case ST_CHUNK_DATA:
		return chunk_data(c, dir, in);
	case ST_CHUNK_END:
		return chunk_end(c, dir, in);
	case ST_TRAILER:
		s->tx->tx.progress[dir] = HTTP_GOT_TRAILER;
		if (http_take_headers(c, dir, in, &over) == STEP_MORE)
			return STEP_MORE;
		if (over) {
			http_frame_end(c, dir);
			http_done(c, dir);
		}
		return STEP_ON;
	default: /* until the end */
		if (in->at == in->end)
			return STEP_MORE;
		http_body_data(c, dir, in->at, (uint32_t)(in->end - in->at));
		in->at = in->end;
		return STEP_ON;
	}
}

bool http_body_gap(struct http_conn *c, unsigned dir, uint32_t len)
{
	struct http_side *s = &c->side[dir];
	if (s->tx->body_file[dir] != NULL)
		s->tx->body_file[dir]->gaps = true;
	if (s->state == ST_BODY_CLOSE)
		return true;
	if ((s->state != ST_BODY_LENGTH && s->state != ST_CHUNK_DATA) || len > s->left)
		return false;
	s->left -= len;
	s->tx->msg[dir].wire_len += len;
	if (s->left == 0 && s->state == ST_CHUNK_DATA)
		s->state = ST_CHUNK_END;
	else if (s->left == 0)
		http_done(c, dir);
	return true;
}
