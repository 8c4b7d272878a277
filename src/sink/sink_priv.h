/* SPDX-License-Identifier: BSD-2-Clause */
/* sink, inside: sessions, what is told, and the servers. Included only in this folder. */
#ifndef SKEP_SINK_PRIV_H
#define SKEP_SINK_PRIV_H

#include "sink/dns_priv.h"

#define OUT_BYTES (SINK_ANSWER + 2u)
#define OUT_ROOM 768u /* a server goes on only with so much room for its answer */
#define LINE_BYTES 2048u

/* ---- what is told (tell.c) ------------------------------------------------------------------- */

struct telling {
	const char *what;
	uint8_t priority;
	uint64_t bytes, count;
	const void *excerpt; /* borrowed; longer than EVENT_EXCERPT: several events */
	size_t len;
};
/* Emits, unless the guest has said too much lately; then it is counted. */
void sink_tell(struct sink *s, enum sink_service v, const struct sink_ends *e,
	       const struct telling *t, const char *fmt, ...) PRINTF_LIKE(5, 6);
void sink_tell_tick(struct sink *s, int64_t now_ns);
/* A hex dump of the first bytes, for an excerpt; returns its length. */
size_t tell_dump(const uint8_t *data, size_t len, char ret[EVENT_EXCERPT]);
/* What the bytes look like: "TLS", "SSH" ...; "" if like nothing known. */
const char *tell_guess(const uint8_t *data, size_t len);

struct teller {               /* per guest, the last one: nobody we know */
	int64_t bucket_ns[3]; /* by priority */
	uint64_t suppressed;
	int64_t told_ns;
};

/* ---- lines: what SMTP and HTTP are made of ----------------------------------------------------- */

struct line {
	char text[LINE_BYTES]; /* without its end, terminated */
	uint32_t len;
	bool cut; /* longer than this: the rest is left out */
};

/* ---- SMTP (smtp.c, mail.c) ---------------------------------------------------------------------- */

#define MAIL_HEADERS 1024u
#define MAIL_BODY 1024u
#define MAIL_BOUNDARIES 3
#define MAIL_BOUNDARY 72u

struct mail {
	char headers[MAIL_HEADERS], body[MAIL_BODY];
	uint32_t n_headers, n_body;
	char boundary[MAIL_BOUNDARIES][MAIL_BOUNDARY];
	uint32_t n_boundaries;
	bool in_body, in_part_head, attached;
	uint32_t attachments;
	uint64_t attachment_bytes, bytes;
};
void mail_begin(struct mail *m);
/* One line of the message, dots already removed. */
void mail_line(struct mail *m, const struct line *l);

enum smtp_state { SMTP_COMMAND, SMTP_USER, SMTP_PASSWORD, SMTP_PLAIN, SMTP_DATA };
#define SMTP_RCPTS 6
struct smtp {
	enum smtp_state state;
	struct line line;
	char helo[128], from[200], rcpt[SMTP_RCPTS][128], user[100];
	bool has_from;
	uint32_t n_rcpt, mails, logins, commands, errors;
	struct mail mail;
};

/* ---- HTTP (http.c) ------------------------------------------------------------------------------- */

enum http_state {
	HTTP_LINE,
	HTTP_HEADERS,
	HTTP_BODY,
	HTTP_CHUNK,
	HTTP_CHUNK_DATA,
	HTTP_CHUNK_END,
	HTTP_TRAILERS
};
#define HTTP_BODY_KEPT 256u
struct http {
	enum http_state state;
	struct line line;
	char request[384], host[128], agent[160];
	char body[HTTP_BODY_KEPT];
	uint32_t n_body, head_bytes, requests;
	uint64_t left, body_bytes;
	bool keep, head, chunked, wait;
};

/* ---- sessions ---------------------------------------------------------------------------------------- */

struct any {
	uint8_t head[128];
	uint32_t n;
};

struct sink_session {
	bool used, over, full; /* full: the bound of bytes was reached */
	enum sink_service v;
	uint32_t life, guest; /* life: grows with each use of this place */
	struct sink_ends ends;
	int64_t begun_ns, last_ns;
	uint64_t bytes;
	uint8_t out[OUT_BYTES];
	uint32_t n_out;
	union {
		struct smtp smtp;
		struct http http;
		struct dns_tcp dns;
		struct any any;
	} u;
};

struct sink {
	struct sink_conf conf;
	struct sink_io io;
	int64_t now_ns, ticked_ns;
	uint32_t n_sessions, per_guest[CONF_GUESTS + 1];
	struct sink_session *sessions;
	struct guard *guards; /* per guest, and one for strangers */
	struct teller tellers[CONF_GUESTS + 1];
	uint64_t hash_key[2];
	struct pending *pending;
	uint8_t made[SINK_ANSWER];
};

/* Index of the guest with that address; conf.n_guests: none. */
uint32_t sink_guest_of(const struct sink *s, const struct addr *client);
/* Room for answers. */
static inline size_t out_room(const struct sink_session *t)
{
	return sizeof(t->out) - t->n_out;
}
void out_bytes(struct sink_session *t, const void *data, size_t len);
void out_text(struct sink_session *t, const char *text);
/* Takes bytes up to and with the end of a line; true: l is whole. *ret_n: how many. A line is to be
 * cleared by sink_line_clear after use. */
bool line_take(struct line *l, const uint8_t *data, size_t len, size_t *ret_n);
void sink_line_clear(struct line *l);
/* Does it begin with the word, whatever the case? */
bool sink_line_begins(const char *text, const char *word);

/* The servers: begin, feed, end (tells what is left). */
void smtp_begin(struct sink *s, struct sink_session *t);
size_t smtp_feed(struct sink *s, struct sink_session *t, const uint8_t *data, size_t len);
void smtp_end(struct sink *s, struct sink_session *t);
void http_begin(struct sink *s, struct sink_session *t);
size_t http_feed(struct sink *s, struct sink_session *t, const uint8_t *data, size_t len);
void http_end(struct sink *s, struct sink_session *t);
size_t dns_tcp_feed(struct sink *s, struct sink_session *t, const uint8_t *data, size_t len);
void dns_tcp_end(struct sink *s, struct sink_session *t);
size_t any_feed(struct sink *s, struct sink_session *t, const uint8_t *data, size_t len);
void any_end(struct sink *s, struct sink_session *t);
size_t ntp_datagram(struct sink *s, const struct sink_ends *e, const uint8_t *data, size_t len,
		    uint8_t *out);
void any_datagram(struct sink *s, const struct sink_ends *e, const uint8_t *data, size_t len);

#endif
