/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files of deliver only. */
#ifndef SKEP_DELIVER_PRIV_H
#define SKEP_DELIVER_PRIV_H

#include "deliver/deliver.h"

#include <curl/curl.h>

#define JOB_ANSWER (16u << 10)       /* of an answer is kept */
#define JOB_ANSWER_MOST (256u << 10) /* and more than this is not listened to */
#define JOB_FDS 8
#define AFTER_REFUSED_S 900 /* nothing mends by itself: a password, a certificate */
#define AFTER_MOST_S 86400
#define TAKEN 8 /* messages of which some recipients wait still */

/* ---- where to (url.c) ------------------------------------------------------------------------- */

enum target_scheme { TO_SMTP, TO_SMTPS, TO_HTTP, TO_HTTPS, TO_TLS, TO_TCP, TO_UDP };
struct target {
	uint8_t scheme;
	bool loopback;
	char url[CONF_URL + 300]; /* for curl */
};
/* SKEP_EFORMAT: not a URL that this kind of destination can have. */
MUST_USE int target_of(const struct conf_destination *to, struct target *ret);
/* https or nothing. */
MUST_USE int target_check_https(const char *url);

/* ---- what strangers answer (answer.c) ---------------------------------------------------------- */

struct token {
	char text[DELIVER_SECRET];
	int64_t until_ns; /* boot clock */
};
/* Value of Retry-After: seconds, or a date. 0: neither. */
uint32_t answer_retry_after(const char *value, size_t len, int64_t wall_ns);
/* {"retry_after": 1.5}, as Discord says it, rounded up. 0: it does not say so. */
uint32_t answer_retry_json(const char *data, size_t len);
/* An answer of OAuth's (RFC 6749, 5.1). *ret_s: how long the token is good. SKEP_EFORMAT: it is none; why
 * then says what the server calls the error, if it says so. */
MUST_USE int answer_token(const char *data, size_t len, struct token *ret, uint32_t *ret_s,
			  char *why, size_t why_size);

/* ---- a conversation of SMTP, as curl lets us see it (talk.c) ------------------------------------- */

enum talk_at {
	TALK_GREETING,
	TALK_EHLO,
	TALK_STARTTLS,
	TALK_AUTH,
	TALK_MAIL,
	TALK_RCPT,
	TALK_DATA,
	TALK_BODY
};
struct talk {
	uint8_t at;
	bool quit;               /* we said good-bye: nothing that comes after counts */
	int code;                /* of the answer to that; 0: none yet */
	char line[DELIVER_TEXT]; /* that answer's last line */
	uint32_t n;              /* RCPTs sent */
	uint16_t codes[CONF_MAILS];
	char refused[DELIVER_TEXT]; /* the first refusal of a recipient */
};
void deliver_talk_sent(struct talk *t, const char *data, size_t len);
void deliver_talk_heard(struct talk *t, const char *data, size_t len);
const char *deliver_talk_at_text(uint8_t at);

/* ---- one delivery (deliver.c) -------------------------------------------------------------------- */

enum job_phase { JOB_FREE, JOB_TOKEN, JOB_TRANSFER, JOB_SEND, JOB_CLOSE, JOB_DONE };
struct job {
	struct deliver *d;
	const struct conf_destination *to;
	uint8_t index, phase; /* enum job_phase */
	bool probe, datagram;
	uint8_t *body; /* owned */
	size_t len, at;
	CURL *easy;
	struct curl_slist *list; /* headers, or recipients */
	int fds[JOB_FDS];        /* that curl has open for us; -1: none */
	int64_t until_ns;        /* JOB_SEND, JOB_CLOSE: no longer than this (boot clock) */
	char error[CURL_ERROR_SIZE];
	char answer[JOB_ANSWER], status[64];
	size_t answer_len;
	uint64_t answer_total;
	uint32_t retry_after;
	struct talk talk;
	uint8_t rcpt[CONF_MAILS]; /* whom the kth RCPT is for: index in to->to */
	uint32_t n_rcpt;
	struct deliver_result result;
};
struct deliver {
	const struct conf_alerts *c;
	const struct deliver_secrets *secrets;
	CURLM *multi;
	long connect_ms, whole_ms;
	struct job jobs[CONF_DESTINATIONS];
	struct token tokens[CONF_DESTINATIONS];
	struct {
		uint64_t number;
		uint8_t mask; /* of to->to: who has it */
	} taken[CONF_DESTINATIONS][TAKEN];
	uint32_t next_taken[CONF_DESTINATIONS];
};

/* Options that all have; what comes back goes to answer. Results are curl's. */
MUST_USE int job_easy(struct job *j, const char *url, const char *protocols);
/* The delivery is over. text is foreign. */
void job_result(struct job *j, enum deliver_outcome outcome, long code, uint32_t after_s,
		const char *text);
/* What curl says went wrong. */
const char *job_error(const struct job *j, CURLcode code);
/* Where nobody answered, or not as who he should be. */
void job_unreached(struct job *j, CURLcode code);
/* For tests. */
void deliver_timeouts(struct deliver *d, long connect_ms, long whole_ms);

/* Each makes j->easy ready; ..._over decides what became of it. */
MUST_USE int deliver_mail_begin(struct job *j, const char *token);
void deliver_mail_over(struct job *j, CURLcode code);
MUST_USE int deliver_token_begin(struct job *j);
/* 0: the token is there. Else the result is. */
MUST_USE int deliver_token_over(struct job *j, CURLcode code);
MUST_USE int deliver_web_begin(struct job *j);
void deliver_web_over(struct job *j, CURLcode code);
MUST_USE int deliver_lines_begin(struct job *j);
void deliver_lines_over(struct job *j, CURLcode code); /* connected, or not */
/* Moves it on; its socket waits for *ret_events of curl_multi_poll. */
void deliver_lines_step(struct job *j, short *ret_events);

#endif
