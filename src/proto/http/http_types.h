/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/1: limits, transactions, the state of a flow. Only for src/proto/http. */
#ifndef SKEP_PROTO_HTTP_TYPES_H
#define SKEP_PROTO_HTTP_TYPES_H

#include "proto/http/http_wire.h"

#define HTTP_GOT_TRAILER 4u /* progress after enum http_progress of proto_priv.h */

#define HTTP_LINE_MAX 18000u   /* one line, folded parts apart */
#define HTTP_HEAD_MAX 131072u  /* line and headers of a message with all that is kept of them */
#define HTTP_HEADERS_MAX 1024u /* headers of a message */
#define HTTP_MERGE_MAX 64u     /* unknown names are looked for among so many; repetitions joined */
#define HTTP_LAYERS_MAX 4u     /* encodings upon encodings */
#define HTTP_BLANKS_MAX 256u   /* blanks that may stand before a first line */
#define HTTP_CHUNK_LINE_MAX 8192u

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
	struct http_places wire;
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
	uint64_t begin;       /* where in the stream the message began */
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
	uint64_t in, out; /* of all decoders: a flow has one allowance, however many messages */
	bool switched;    /* CONNECT or Upgrade took place: hands over from here */
	int64_t now_ns;
	const uint8_t *from; /* what is being fed, and where in the stream it stands */
	uint64_t from_off;
};

struct http_in { /* bytes to go through */
	const uint8_t *at, *end;
	bool eof;
};
enum step { STEP_ON, STEP_MORE };

#endif
