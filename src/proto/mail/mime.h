/* SPDX-License-Identifier: BSD-2-Clause */
/* Mail text: headers, parts inside parts, attachments as files, URLs. Fed with lines, of which long
 * ones come in pieces. Only for src/proto. */
#ifndef SKEP_PROTO_MIME_H
#define SKEP_PROTO_MIME_H

#include "base/digest.h"
#include "proto/apps_priv.h"

#define MIME_DEPTH 10u     /* parts inside parts */
#define MIME_BOUNDARY 128u /* RFC 2046 allows 70 */
#define MIME_ITEMS 64u     /* received, URLs, attachments told, of each */
#define MIME_VALUE 8192u   /* bytes of a header kept */
#define MIME_TEXT 1024u    /* bytes of a text line looked at for URLs */

enum mime_event { /* in the order of smtp.c's names */
		  MIME_PARSE_FAILED,
		  MIME_MALFORMED,
		  MIME_BAD_BASE64,
		  MIME_BAD_QP,
		  MIME_LONG_LINE,
		  MIME_LONG_ENC_LINE,
		  MIME_LONG_HEADER_NAME,
		  MIME_LONG_HEADER_VALUE,
		  MIME_LONG_BOUNDARY,
		  MIME_LONG_FILENAME
};

struct mime_item {
	struct mime_item *next;
	uint32_t len;
	uint8_t text[];
};
struct mime_items {
	struct mime_item *first, *last;
	uint32_t n;
};

enum mime_encoding { MIME_PLAIN, MIME_BASE64, MIME_QP };

struct mime_part { /* what the headers of the part that is being read say */
	bool multipart, message, text;
	uint8_t encoding; /* enum mime_encoding */
	uint32_t name_len, boundary_len;
	uint8_t name[256], boundary[MIME_BOUNDARY];
};

struct mime {
	struct app_tx *tx;
	unsigned dir;
	bool headers, top, quiet; /* reading headers; of the mail itself; between parts */
	bool skip;                /* the rest of a header line that was too long */
	bool headers_done, ended, ipv4_url, ipv6_url, exe_url;
	struct bytes line; /* header being unfolded */
	struct bytes from, to, cc, subject, date, message_id, x_mailer;
	struct mime_items received, urls, attachments;
	struct mime_part part;
	uint32_t depth;
	struct {
		uint32_t len;
		uint8_t text[MIME_BOUNDARY];
	} stack[MIME_DEPTH];
	uint32_t b64, b64_n; /* decoder */
	uint8_t qp[2], qp_n;
	uint8_t eol; /* end of line held back: it may belong to a boundary */
	uint64_t line_len;
	struct app_file *file;
	struct md5 md5;
	bool has_md5;
	uint8_t body_md5[33];
	uint32_t text_len, events;
	uint8_t text[MIME_TEXT];
};

/* A mail of tx, sent in direction dir. NULL: no memory. */
struct mime *mime_open(struct app *a, struct app_tx *tx, unsigned dir);
/* A line without its end, or a piece of one. start: it is the beginning; eol: length of the end, 0 if
 * more pieces follow (or nothing more at all). */
void mime_line(struct app *a, struct mime *m, struct span line, bool start, unsigned eol);
/* Nothing more comes. whole: the mail ended as it should. */
void mime_end(struct app *a, struct mime *m, bool whole);
void mime_free(struct app *a, struct mime *m);
int mime_buffer(const struct mime *m, enum app_buffer b, uint32_t index, struct span *ret);
void mime_eve(const struct mime *m, json_t *o);
/* Finds name=value among the parameters of a header's value. */
bool mime_param(struct span value, const char *name, struct span *ret);

#endif
