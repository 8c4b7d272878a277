/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/1: what its files share. Only for src/proto/http. */
#ifndef SKEP_PROTO_HTTP_PRIV_H
#define SKEP_PROTO_HTTP_PRIV_H

#include "proto/proto_priv.h"

#define HTTP_GOT_TRAILER 4u /* progress after enum http_progress of proto_priv.h */

#define HTTP_LINE_MAX 18000u   /* one line, folded parts apart */
#define HTTP_HEAD_MAX 131072u  /* line and headers of a message with all that is kept of them */
#define HTTP_HEADERS_MAX 1024u /* headers of a message */
#define HTTP_MERGE_MAX 64u     /* unknown names are looked for among so many; repetitions joined */
#define HTTP_LAYERS_MAX 4u     /* encodings upon encodings */
#define HTTP_CHUNK_LINE_MAX 8192u

/* Numbers of http_event_names (http_events.c). */
enum http_event {
	EV_UNKNOWN_ERROR,
	EV_GZIP_FAILED,
	EV_REQ_MISSING_COLON,
	EV_RES_MISSING_COLON,
	EV_REQ_CHUNK_LEN,
	EV_RES_CHUNK_LEN,
	EV_REQ_TE_INVALID,
	EV_RES_TE_INVALID,
	EV_REQ_CL_INVALID,
	EV_RES_CL_INVALID,
	EV_REQ_CL_DUPLICATE,
	EV_RES_CL_DUPLICATE,
	EV_100_SEEN,
	EV_UNMATCHED_RESPONSE,
	EV_SERVER_PORT_INVALID,
	EV_AUTHORITY_PORT_INVALID,
	EV_REQ_HEADER_INVALID,
	EV_RES_HEADER_INVALID,
	EV_HOST_MISSING,
	EV_HOST_AMBIGUOUS,
	EV_REQ_FOLDING,
	EV_RES_FOLDING,
	EV_REQ_TOO_LONG,
	EV_RES_TOO_LONG,
	EV_MULTIPART_ERROR,
	EV_MULTIPART_NO_FILE,
	EV_MULTIPART_HEADER,
	EV_PORT_MISMATCH,
	EV_URI_HOST_INVALID,
	EV_HEADER_HOST_INVALID,
	EV_URI_DELIM,
	EV_METHOD_DELIM,
	EV_LEADING_SPACE,
	EV_ENCODING_LAYERS,
	EV_ENCODING_ABNORMAL,
	EV_AUTH_UNRECOGNIZED,
	EV_REQ_REPETITION,
	EV_RES_REPETITION,
	EV_BYTERANGES,
	EV_RES_TE_ABNORMAL,
	EV_CHUNKED_OLD_PROTO,
	EV_RES_PROTOCOL,
	EV_RES_STATUS,
	EV_LINE_INCOMPLETE,
	EV_DOUBLE_ENCODED,
	EV_LINE_INVALID,
	EV_BODY_UNEXPECTED,
	EV_LZMA_LIMIT,
	EV_BOMB,
	EV_WARNINGS,
	EV_RANGE_INVALID,
	EV_FILE_NAME_LONG,
	EV_PROTOCOL_CHANGE,
	EV_REQ_CHUNK_EXT,
	EV_MISSING_PROTOCOL,
	EV_REQ_HEADERS_MANY,
	EV_RES_HEADERS_MANY,
	EV_RES_CHUNK_EXT,
	HTTP_EVENTS
};
extern const char *const http_event_names[];

#define HTTP_MADE 0x80000000u
struct http_str { /* a part of the text of a message; with HTTP_MADE in off: of what was rewritten */
	uint32_t off, len;
};
struct http_text { /* slab */
	uint8_t *p;
	uint32_t len, cap;
};

enum http_known { /* headers that something asks for by name */
		  HDR_OTHER,
		  HDR_HOST,
		  HDR_USER_AGENT,
		  HDR_COOKIE,
		  HDR_SET_COOKIE,
		  HDR_ACCEPT,
		  HDR_ACCEPT_LANG,
		  HDR_ACCEPT_ENC,
		  HDR_REFERER,
		  HDR_CONNECTION,
		  HDR_CONTENT_TYPE,
		  HDR_CONTENT_LEN,
		  HDR_SERVER,
		  HDR_LOCATION,
		  HDR_TRANSFER_ENC,
		  HDR_CONTENT_ENC,
		  HDR_DISPOSITION,
		  HDR_CONTENT_RANGE,
		  HDR_UPGRADE,
		  HDR_AUTHORIZATION,
		  HDR_KNOWN
};

struct http_header {
	struct http_str name, value;
	uint32_t room; /* of the value, if it stands at the end of text and may grow there */
	uint16_t repeats;
	uint8_t id; /* enum http_known */
};

enum http_derived { /* made when first asked for, each in a block of its own */
		    DER_HEADER,
		    DER_NAMES,
		    DER_START,
		    DER_URI,
		    DER_HOST,
		    DER_ONE, /* the last "name: value" asked for */
		    DERIVED
};

struct http_msg {
	struct http_text text; /* line and headers as they came */
	struct http_text made; /* values that were folded or joined */
	struct http_str line;
	struct http_str
		part[3];     /* request: method, URI, protocol; response: protocol, status, text */
	struct http_str raw; /* all header lines with their ends */
	struct http_header *headers;
	uint16_t n, cap_headers;
	uint16_t known[HDR_KNOWN]; /* index + 1 into headers; 0: absent */
	uint16_t number;           /* status; 0: none */
	uint8_t version;           /* 9, 10, 11; 0: unknown, 1: invalid */
	bool headers_done;
	uint64_t wire_len; /* of the body, with its framing */
	uint64_t content_len;
	bool has_content_len;
	struct span derived[DERIVED];
	uint32_t one_cap;
};

enum http_method { METHOD_OTHER, METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_PUT, METHOD_CONNECT };

struct http_uri { /* parts of the request URI, inside its raw text; off/len into request text */
	struct http_str host, port, path, query, fragment;
	bool has_host, has_query, has_fragment;
};

struct http_tx {
	struct app_tx tx;
	struct http_msg msg[2];
	struct http_uri uri;
	uint8_t method; /* enum http_method */
	bool is_09, seen_100, no_request;
	uint16_t port; /* named in URI or Host; 0: none */
	struct app_body
		*body; /* request body where it is not one file (multipart, other methods) */
	struct app_file *body_file[2]; /* the body as a file */
};

enum http_state {
	ST_IDLE, /* nothing of a message yet */
	ST_LINE,
	ST_HEADERS,
	ST_TRAILER,
	ST_BODY_LENGTH,
	ST_BODY_CLOSE,
	ST_CHUNK_LINE,
	ST_CHUNK_DATA,
	ST_CHUNK_END,
	ST_AFTER,   /* complete by its framing, but what follows may still belong to it */
	ST_09,      /* request without protocol: is it 0.9, or was the protocol forgotten? */
	ST_CONNECT, /* CONNECT asked; the answer decides */
	ST_RESYNC,  /* bytes are missing: until something looks like a first line */
	ST_DEAD
};

struct http_layer; /* http_inflate.c */
struct http_parts; /* http_multipart.c */

struct http_side {
	uint8_t state;
	bool bare_lf;         /* the last line ended in LF alone: a CR now belongs to it */
	bool lf_cr;           /* and the last but one in LF CR */
	bool skip_crlf;       /* LF CR CR LF CR LF ends the headers twice */
	bool pending;         /* hold is a header that may be folded on */
	bool hold_done;       /* framing is doubtful: what follows decides */
	bool mid_line;        /* ST_AFTER: inside a line that belongs to the message */
	uint32_t scanned;     /* bytes of the rest that hold no line end */
	struct http_str hold; /* header line in hand: in text */
	uint64_t left;
	struct http_tx *tx;
	struct http_layer *layers[HTTP_LAYERS_MAX];
	uint8_t n_layers;
	uint64_t in, out; /* of the decoders */
	bool stop;        /* bomb: no more decoding */
	struct http_parts *parts;
};

struct http_conn {
	struct app *app;
	struct http_side side[2];
	bool switched; /* CONNECT or Upgrade took place: hands over from here */
	int64_t now_ns;
};

struct http_in { /* bytes to go through */
	const uint8_t *at, *end;
	bool eof;
};
enum step { STEP_ON, STEP_MORE };

/* ---- http_text.c: character classes, the text of a message ---- */
bool http_is_space(uint8_t c); /* all six kinds */
bool http_is_lws(uint8_t c);
uint8_t http_lower(uint8_t c);
bool http_ieq(const uint8_t *a, uint32_t len, const char *word); /* whole, any case */
bool http_istarts(const uint8_t *a, uint32_t len, const char *word);
/* Where word (lower case) stands in a, any case, NULs skipped; -1: nowhere. */
int64_t http_ifind(const uint8_t *a, uint32_t len, const char *word);
int http_hex(uint8_t c); /* -1: none */
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
uint32_t http_path_normal(struct http_tx *t, uint8_t *out, uint32_t cap);
uint32_t http_host_normal(const struct http_tx *t, uint8_t *out, uint32_t cap);

/* ---- http_buffers.c, http_eve.c ---- */
int http_buffer(const struct app *a, const struct app_tx *tx, enum app_buffer b, unsigned dir,
		uint32_t index, struct span *ret, uint64_t *ret_base, bool *ret_complete);
bool http_number(const struct app *a, const struct app_tx *tx, enum app_number n, unsigned dir,
		 uint32_t index, uint64_t *ret);
bool http_eve(const struct app *a, const struct app_tx *tx, unsigned dir, json_t *o);
bool http_host_of(const struct http_tx *t, struct span *ret);

#endif
