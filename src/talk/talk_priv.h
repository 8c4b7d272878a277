/* SPDX-License-Identifier: BSD-2-Clause */
/* talk, inside: one conversation, and what a protocol is. Included only in this folder. */
#ifndef SKEP_TALK_PRIV_H
#define SKEP_TALK_PRIV_H

#include "stream/stream.h"
#include "talk/talk.h"

#define TALK_LINE 1024 /* of a protocol's line more is cut */
#define TALK_NAME 192
#define TALK_WORD 64

enum talk_side { BY_CLIENT, BY_SERVER };

struct talk_conv;
/* How one protocol is read. data comes in order and in any pieces: what it makes of them must not depend on where
 * they are cut. */
struct talk_proto {
	const char *service;
	size_t state_bytes;
	bool late; /* its session begins when something is worth one: conv_session */
	bool raw;  /* output is a terminal's: no line ends are put right */
	void (*data)(struct talk_conv *c, enum talk_side by, const uint8_t *data, uint32_t len);
	void (*gap)(struct talk_conv *c, enum talk_side by); /* NULL: lines begin anew */
	void (*end)(struct talk_conv *c);                    /* both sides are over; may be NULL */
};
extern const struct talk_proto talk_telnet, talk_rlogin, talk_rsh, talk_rexec, talk_shell, talk_irc,
	talk_text, talk_ftp, talk_ftp_data, talk_smtp, talk_pop3, talk_imap, talk_http, talk_syslog;

struct talk_line { /* a line being put together */
	char text[TALK_LINE];
	uint16_t len;
	bool cut, cr;
	uint8_t escape; /* within a terminal's escape sequence */
};

struct talk_conv {
	struct talk *t;
	struct stream_flow *flow;
	const struct talk_proto *proto; /* NULL: not known yet */
	void *state;                    /* the protocol's, slab */
	uint64_t flow_id, session;
	uint32_t guest;
	uint32_t peer_guest; /* lateral: the other one; else as guest */
	uint8_t direction;
	bool swap;         /* who sent first is the one who answers: picked up in mid-stream */
	bool guest_is[2];  /* by side: this side is the guest */
	bool done;         /* nothing of it is wanted any more */
	bool spoke, first; /* somebody has spoken; who was the first */
	bool cr;           /* output: the last byte was a carriage return */
	uint64_t parent;   /* FTP data: its control connection */
	uint8_t typist;    /* of a shell: the side that types (detect) */
	bool crypt[2];     /* TLS was agreed on: what follows is not for us */
};

struct talk {
	struct talk_conf conf;
	struct slab *slab;
	struct stream *stream;
	struct dissect *dissect;
	struct pkt pkts[DISSECT_PKTS];
	const struct copy_head *head; /* of the frame that is looked at; NULL: none */
	uint32_t head_guest;
	int64_t now_ns, swept_ns;
	uint64_t number;
	bool stopping;
	struct talk_stats stats;
	void *ftp; /* FTP's control connections */
};

/* ---- detect.c: whose words are these? ------------------------------------------------------------ */

struct talk_view { /* what a side has said so far, unread */
	const uint8_t *data;
	uint32_t len;
	bool over; /* and will say no more */
};
enum talk_guess { TALK_WAIT, TALK_KNOWN, TALK_FOREIGN };
enum talk_guess talk_detect(struct talk_conv *c, const struct talk_view v[2],
			    const struct talk_proto **ret);

/* ---- conv.c: what protocols tell ----------------------------------------------------------------- */

/* Its session, begun if there is none yet. 0: there is none. */
uint64_t conv_session(struct talk_conv *c);
void conv_output(struct talk_conv *c, const void *data, uint32_t len);
void conv_input(struct talk_conv *c, const void *data, uint32_t len);
void conv_command(struct talk_conv *c, const char *line, size_t len);
/* ok: -1 if not known. Texts are terminated. */
void conv_login(struct talk_conv *c, const char *user, const char *secret, int ok);
/* What the client says it is; terminated. */
void conv_client(struct talk_conv *c, const char *version);
void conv_mark(struct talk_conv *c, const char *label);
/* Nothing more is wanted: encrypted from here, or not what it seemed to be. */
void conv_let_go(struct talk_conv *c, const char *why);
uint64_t conv_file(struct talk_conv *c, const char *how, const char *name, const char *source,
		   uint64_t size);
void conv_file_data(struct talk_conv *c, uint64_t file, const void *data, uint32_t len);
void conv_file_end(struct talk_conv *c, uint64_t *file, bool complete);

/* ---- line.c ----------------------------------------------------------------------------------------- */

/* Takes a byte; true: the line is complete (without its end). Then, once read, line_clear. */
bool line_byte(struct talk_line *l, uint8_t byte);
/* The same of what is typed at a terminal: rubbing out, escape sequences, control keys. */
bool line_key(struct talk_line *l, uint8_t byte);
void line_clear(struct talk_line *l);
/* The word at *at (blanks before it are skipped), terminated into ret, cut if it must be; *at goes behind it. */
void line_word(const char **at, const char *end, char *ret, size_t size);
bool line_begins(const struct talk_line *l, const char *word); /* whatever its case */
/* Base64 text to a terminated text, zero bytes within stay: *ret_len. */
void line_unbase64(const char *text, char *ret, size_t size, size_t *ret_len);
/* "user\0name\0secret" as SASL's PLAIN has it. */
void line_plain(const char *base64, char user[TALK_WORD], char secret[TALK_WORD]);

/* ---- login.c: prompts, and what is typed after them ------------------------------------------------ */

struct talk_login {
	uint8_t len;
	char tail[128]; /* of the output's last line */
	char user[TALK_WORD], secret[TALK_WORD];
	bool waits; /* a secret was typed: what comes of it? */
	bool full;  /* a full-screen program runs: what is typed is no line */
	char escape[8];
	uint8_t escape_len;
};
void login_output(struct talk_conv *c, struct talk_login *l, const uint8_t *data, uint32_t len);
/* A line was typed. True: it answered a prompt; else it is a command. */
bool login_line(struct talk_conv *c, struct talk_login *l, const struct talk_line *line);
/* Nothing comes any more. */
void login_end(struct talk_conv *c, struct talk_login *l);
/* Bytes that somebody types, with what else is to be done with them: input, logins, commands. */
void login_keys(struct talk_conv *c, struct talk_login *l, struct talk_line *line,
		const uint8_t *data, uint32_t len, bool commands);

/* ---- ftp.c, for talk.c ------------------------------------------------------------------------------ */

/* Is it a data connection that an FTP session announced? */
bool ftp_claims(struct talk_conv *c);

#endif
