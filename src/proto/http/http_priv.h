/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/1: what its files share. Only for src/proto/http. */
#ifndef SKEP_PROTO_HTTP_PRIV_H
#define SKEP_PROTO_HTTP_PRIV_H

#include "proto/http/http_events.h"
#include "proto/http/http_types.h"

/* ---- http_text.c: character classes, the text of a message ---- */
bool http_is_space(uint8_t c); /* all six kinds */
bool http_is_lws(uint8_t c);
uint8_t http_lower(uint8_t c);
bool http_ieq(const uint8_t *a, uint32_t len, const char *word); /* whole, any case */
bool http_istarts(const uint8_t *a, uint32_t len, const char *word);
/* Where word (lower case) stands in a, any case, NULs skipped; -1: nowhere. */
int64_t http_ifind(const uint8_t *a, uint32_t len, const char *word);
int http_hex(uint8_t c); /* -1: none */
/* How many bytes of blank lines stand at p that are as little a message's beginning as the first of
 * them, which is none: what decides that is the same for all, so it need not be asked line by line. */
uint32_t http_blank_lines(const uint8_t *p, uint32_t len, bool nul);
/* Appends to the text, or to what was rewritten (data NULL: room of zeroes); false: no room. */
bool http_text_add(struct app *a, struct http_text *t, const void *data, uint32_t len);
uint8_t *http_at(const struct http_msg *m, struct http_str s);
struct span http_span(const struct http_msg *m, struct http_str s);
struct span http_known_value(const struct http_msg *m, enum http_known id);
struct http_str http_trim(const struct http_msg *m, struct http_str s);
void http_msg_free(struct app *a, struct http_msg *m);
enum http_known http_known_id(const uint8_t *name, uint32_t len);

/* ---- http_headers.c ---- */
/* One line out of in: its length without end in *ret_len, and consumed. cr_ends: a CR alone ends too. */
enum step http_take_line(struct http_side *s, struct http_in *in, bool cr_ends,
			 const uint8_t **ret_line, uint32_t *ret_len, uint32_t *ret_total);
/* Takes header lines until the empty one. STEP_ON with *ret_over: all are in. */
enum step http_take_headers(struct http_conn *c, unsigned dir, struct http_in *in, bool *ret_over);
/* The direction ended in the middle of its headers. */
void http_headers_cut(struct http_conn *c, unsigned dir);

/* ---- http_request.c, http_response.c: one step each ---- */
enum step http_request_step(struct http_conn *c, struct http_in *in);
enum step http_response_step(struct http_conn *c, struct http_in *in);
void http_done(struct http_conn *c, unsigned dir);
void http_dead(struct http_conn *c, unsigned dir);
void http_finish(struct http_conn *c, unsigned dir);
void http_request_settle(struct http_conn *c, const struct http_tx *t);
bool http_looks_request(const uint8_t *p, uint32_t len, bool *ret_more);
uint8_t http_version(const uint8_t *p, uint32_t len);
struct http_tx *http_tx_add(struct http_conn *c);
bool http_content_length(const uint8_t *p, uint32_t len, uint64_t *ret, bool *ret_clean);

/* ---- http_body.c ---- */
void http_body_begin(struct http_conn *c, unsigned dir);
void http_body_data(struct http_conn *c, unsigned dir, const uint8_t *data, uint32_t len);
void http_body_end(struct http_conn *c, unsigned dir, bool whole);
enum step http_body_step(struct http_conn *c, unsigned dir, struct http_in *in);
/* The bytes after decoding: into files. */
void http_body_decoded(struct http_conn *c, unsigned dir, const uint8_t *data, uint32_t len);
uint32_t http_body_max(const struct app *a, unsigned dir);
/* len bytes of the body are missing; false: they go beyond it. */
bool http_body_gap(struct http_conn *c, unsigned dir, uint32_t len);

/* ---- http_wire.c ---- */
/* Where in the stream p, a byte of what is being fed, stands. */
uint64_t http_off(const struct http_conn *c, const uint8_t *p);
/* These bytes of the stream go on the body. */
void http_wire_body(struct http_conn *c, unsigned dir, const uint8_t *data, uint32_t len);
uint32_t http_wire(const struct app *a, const struct app_tx *tx, enum app_buffer b, unsigned dir,
		   uint32_t index, uint64_t off, uint32_t len, struct app_piece *pieces,
		   uint32_t max);
/* A head is complete (chunked: its body comes in chunks; body: there is one). */
void http_frame_head(struct http_conn *c, unsigned dir, bool chunked, bool body);
/* These bytes count the body; the body of tx is over. */
void http_frame_count(struct http_conn *c, unsigned dir, const uint8_t *data, uint32_t len);
void http_frame_end(struct http_conn *c, unsigned dir);
bool http_is_framed(const struct app_tx *tx, unsigned dir);
uint64_t http_head_begins(const struct app *a, unsigned dir);

/* ---- http_inflate.c ---- */
void http_layers_open(struct http_conn *c, unsigned dir, const uint8_t *names, uint32_t len);
void http_layers_push(struct http_conn *c, unsigned dir, unsigned layer, const uint8_t *data,
		      uint32_t len);
void http_layers_close(struct http_conn *c, unsigned dir, bool flush);

/* ---- http_multipart.c ---- */
bool http_parts_open(struct http_conn *c, const uint8_t *type, uint32_t len);
void http_parts_data(struct http_conn *c, const uint8_t *data, uint32_t len);
void http_parts_close(struct http_conn *c, bool whole);
/* A parameter of a header such as filename= in Content-Disposition; false: none. */
bool http_param(const uint8_t *p, uint32_t len, const char *name, struct span *ret);

/* ---- http_uri.c ---- */
void http_uri_split(struct http_tx *t);
/* Checks host and port of URI and Host header. */
void http_host_check(struct http_conn *c, struct http_tx *t);
/* Writes the normalised URI, or host, to out (of cap bytes); returns the length. */
uint32_t http_uri_normal(struct http_tx *t, uint8_t *out, uint32_t cap);
/* The same, and for each byte of it where in the text (end: behind where) it was made from. */
uint32_t http_uri_map(struct http_tx *t, uint8_t *out, uint32_t cap, uint32_t *from, uint32_t *end);
uint32_t http_path_normal(struct http_tx *t, uint8_t *out, uint32_t cap);
uint32_t http_host_normal(const struct http_tx *t, uint8_t *out, uint32_t cap);

/* ---- http_buffers.c, http_eve.c ---- */
int http_buffer(const struct app *a, const struct app_tx *tx, enum app_buffer b, unsigned dir,
		uint32_t index, struct span *ret, uint64_t *ret_base, bool *ret_complete);
bool http_number(const struct app *a, const struct app_tx *tx, enum app_number n, unsigned dir,
		 uint32_t index, uint64_t *ret);
bool http_eve(const struct app *a, const struct app_tx *tx, unsigned dir, json_t *o);
/* Content-Range as start, end, size; returns which are there: 1 the first two, 2 the size. */
unsigned http_range(struct span v, uint64_t ret[3]);
bool http_host_of(const struct http_tx *t, struct span *ret);

#endif
