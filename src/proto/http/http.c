/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/1 as a protocol: its state of a flow, its transactions, and the loop over bytes. */
#include "proto/http/http_priv.h"

#include <string.h>

const char *const http_event_names[] = {
	[EV_UNKNOWN_ERROR] = "unknown_error",
	[EV_GZIP_FAILED] = "gzip_decompression_failed",
	[EV_REQ_MISSING_COLON] = "request_field_missing_colon",
	[EV_RES_MISSING_COLON] = "response_field_missing_colon",
	[EV_REQ_CHUNK_LEN] = "invalid_request_chunk_len",
	[EV_RES_CHUNK_LEN] = "invalid_response_chunk_len",
	[EV_REQ_TE_INVALID] = "invalid_transfer_encoding_value_in_request",
	[EV_RES_TE_INVALID] = "invalid_transfer_encoding_value_in_response",
	[EV_REQ_CL_INVALID] = "invalid_content_length_field_in_request",
	[EV_RES_CL_INVALID] = "invalid_content_length_field_in_response",
	[EV_REQ_CL_DUPLICATE] = "duplicate_content_length_field_in_request",
	[EV_RES_CL_DUPLICATE] = "duplicate_content_length_field_in_response",
	[EV_100_SEEN] = "100_continue_already_seen",
	[EV_UNMATCHED_RESPONSE] = "unable_to_match_response_to_request",
	[EV_SERVER_PORT_INVALID] = "invalid_server_port_in_request",
	[EV_AUTHORITY_PORT_INVALID] = "invalid_authority_port",
	[EV_REQ_HEADER_INVALID] = "request_header_invalid",
	[EV_RES_HEADER_INVALID] = "response_header_invalid",
	[EV_HOST_MISSING] = "missing_host_header",
	[EV_HOST_AMBIGUOUS] = "host_header_ambiguous",
	[EV_REQ_FOLDING] = "invalid_request_field_folding",
	[EV_RES_FOLDING] = "invalid_response_field_folding",
	[EV_REQ_TOO_LONG] = "request_field_too_long",
	[EV_RES_TOO_LONG] = "response_field_too_long",
	[EV_MULTIPART_ERROR] = "multipart_generic_error",
	[EV_MULTIPART_NO_FILE] = "multipart_no_filedata",
	[EV_MULTIPART_HEADER] = "multipart_invalid_header",
	[EV_PORT_MISMATCH] = "request_server_port_tcp_port_mismatch",
	[EV_URI_HOST_INVALID] = "request_uri_host_invalid",
	[EV_HEADER_HOST_INVALID] = "request_header_host_invalid",
	[EV_URI_DELIM] = "uri_delim_non_compliant",
	[EV_METHOD_DELIM] = "method_delim_non_compliant",
	[EV_LEADING_SPACE] = "request_line_leading_whitespace",
	[EV_ENCODING_LAYERS] = "too_many_encoding_layers",
	[EV_ENCODING_ABNORMAL] = "abnormal_ce_header",
	[EV_AUTH_UNRECOGNIZED] = "request_auth_unrecognized",
	[EV_REQ_REPETITION] = "request_header_repetition",
	[EV_RES_REPETITION] = "response_header_repetition",
	[EV_BYTERANGES] = "response_multipart_byteranges",
	[EV_RES_TE_ABNORMAL] = "response_abnormal_transfer_encoding",
	[EV_CHUNKED_OLD_PROTO] = "response_chunked_old_proto",
	[EV_RES_PROTOCOL] = "response_invalid_protocol",
	[EV_RES_STATUS] = "response_invalid_status",
	[EV_LINE_INCOMPLETE] = "request_line_incomplete",
	[EV_DOUBLE_ENCODED] = "double_encoded_uri",
	[EV_LINE_INVALID] = "request_line_invalid",
	[EV_BODY_UNEXPECTED] = "request_body_unexpected",
	[EV_LZMA_LIMIT] = "lzma_memlimit_reached",
	[EV_BOMB] = "compression_bomb",
	[EV_WARNINGS] = "too_many_warnings",
	[EV_RANGE_INVALID] = "range_invalid",
	[EV_FILE_NAME_LONG] = "file_name_too_long",
	[EV_PROTOCOL_CHANGE] = "failed_protocol_change",
	[EV_REQ_CHUNK_EXT] = "request_chunk_extension",
	[EV_MISSING_PROTOCOL] = "request_line_missing_protocol",
	[EV_REQ_HEADERS_MANY] = "request_too_many_headers",
	[EV_RES_HEADERS_MANY] = "response_too_many_headers",
	[EV_RES_CHUNK_EXT] = "response_chunk_extension",
	[HTTP_EVENTS] = NULL,
};

struct http_tx *http_tx_add(struct http_conn *c)
{
	return (struct http_tx *)app_tx_new(c->app, sizeof(struct http_tx), c->now_ns);
}

static void side_clear(struct http_side *s, enum http_state next)
{
	memset(s, 0, sizeof(*s));
	s->state = (uint8_t)next;
}

/* The message is complete by its framing. */
void http_done(struct http_conn *c, unsigned dir)
{
	struct http_side *s = &c->side[dir];
	if (s->hold_done && s->tx->tx.progress[dir] != APP_DONE) {
		s->state = ST_AFTER;
		s->mid_line = false;
		return;
	}
	http_body_end(c, dir, true);
	s->tx->tx.progress[dir] = APP_DONE;
	bool skip = s->skip_crlf;
	side_clear(s, ST_IDLE);
	s->skip_crlf = skip;
}

/* The direction can't be understood any longer. */
void http_dead(struct http_conn *c, unsigned dir)
{
	struct http_side *s = &c->side[dir];
	c->app->full = true;
	http_body_end(c, dir, false);
	if (s->tx != NULL)
		s->tx->tx.progress[dir] = APP_DONE;
	side_clear(s, ST_DEAD);
}

/* No more bytes: what is there is all. */
void http_finish(struct http_conn *c, unsigned dir)
{
	struct http_side *s = &c->side[dir];
	if (s->tx != NULL) {
		if (s->state == ST_HEADERS || s->state == ST_TRAILER)
			http_headers_cut(c, dir);
		s->tx->msg[dir].headers_done = true;
		http_body_end(c, dir,
			      s->state == ST_BODY_CLOSE || s->state == ST_AFTER ||
				      s->state == ST_TRAILER);
		s->tx->tx.progress[dir] = APP_DONE;
	}
	side_clear(s, ST_DEAD);
	for (struct app_tx *x = c->app->tx_first; x != NULL; x = x->next)
		if (x->proto == APP_HTTP)
			x->progress[dir] = APP_DONE;
}

static void gap(struct http_conn *c, unsigned dir, uint32_t len)
{
	struct http_side *s = &c->side[dir];
	if (s->state == ST_DEAD || s->state == ST_RESYNC)
		return;
	if (s->tx != NULL && http_body_gap(c, dir, len))
		return;
	if (s->tx != NULL) {
		if (s->state == ST_HEADERS)
			http_headers_cut(c, dir);
		s->hold_done = false;
		http_body_end(c, dir, false);
		s->tx->tx.progress[dir] = APP_DONE;
	}
	side_clear(s, ST_RESYNC);
}

static int http_open(struct app *a)
{
	struct http_conn *c = slab_zalloc(a->ctx->slab, sizeof(*c));
	if (c == NULL)
		return -1;
	c->app = a;
	a->state = c;
	return 0;
}

static void http_close(struct app *a)
{
	struct http_conn *c = a->state;
	for (unsigned dir = 0; dir < 2; dir++) {
		c->side[dir].tx = NULL; /* may be gone already */
		http_body_end(c, dir, false);
	}
	slab_free(a->ctx->slab, c);
	a->state = NULL;
}

static void http_tx_free(struct app *a, struct app_tx *x)
{
	struct http_tx *t = (struct http_tx *)x;
	struct http_conn *c = a->proto == APP_HTTP ? a->state : NULL;
	for (unsigned dir = 0; dir < 2; dir++) {
		http_msg_free(a, &t->msg[dir]);
		if (c != NULL && c->side[dir].tx == t) {
			c->side[dir].tx = NULL;
			http_body_end(c, dir, false);
			side_clear(&c->side[dir], ST_RESYNC); /* made room for another */
		}
	}
	if (t->body != NULL) {
		app_body_free(a, t->body);
		slab_free(a->ctx->slab, t->body);
	}
}

static uint32_t http_feed(struct app *a, unsigned dir, const uint8_t *data, uint32_t len,
			  unsigned flags, int64_t now_ns)
{
	struct http_conn *c = a->state;
	static const uint8_t nothing[1];
	const uint8_t *from = data != NULL ? data : nothing;
	struct http_in in = {from, from + (data != NULL ? len : 0), (flags & APP_EOF) != 0};
	c->now_ns = now_ns;
	c->from = from;
	c->from_off = a->feed_off;
	if (data == NULL && (flags & APP_GAP) != 0 && len != 0)
		gap(c, dir, len);
	enum step more = STEP_ON;
	while (more == STEP_ON && !c->switched)
		more = dir == TO_SERVER ? http_request_step(c, &in) : http_response_step(c, &in);
	if (in.eof && !c->switched)
		http_finish(c, dir);
	return data == NULL ? len : (uint32_t)(in.at - from);
}

const struct app_ops app_http = {
	.proto = APP_HTTP,
	.eve_key = "http",
	.events = http_event_names,
	.tcp = true,
	.open = http_open,
	.close = http_close,
	.feed = http_feed,
	.tx_free = http_tx_free,
	.buffer = http_buffer,
	.number = http_number,
	.eve = http_eve,
	.wire = http_wire,
	.is_framed = http_is_framed,
	.head_begins = http_head_begins,
};
