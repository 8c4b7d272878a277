/* SPDX-License-Identifier: BSD-2-Clause */
/* notify, inside: the letter that every form is made of. Included only in this folder. */
#ifndef SKEP_NOTIFY_PRIV_H
#define SKEP_NOTIFY_PRIV_H

#include "notify/notify.h"

#include <jansson.h>

/* ---- texts made harmless (harmless.c) ---------------------------------------------------------- */

/* An outsider's bytes, up to the first zero byte: printable ASCII only. Control bytes and what is no UTF-8 become
 * \xNN, every other letter \u{N} (so that no Cyrillic a passes for ours, and nothing turns the line around), a
 * backslash is doubled, links and addresses are defanged. At most 4 times as long. */
void put_foreign(struct writer *w, const char *s, size_t size);
/* The same without defanging: for what no person reads as a link (header fields of ours). */
void put_plain(struct writer *w, const char *s, size_t size);
/* The operator's own words: UTF-8 stays, but for what can't be seen. Only whole letters are written. */
void put_own(struct writer *w, const char *s, size_t size);
/* Letters, digits, dash and dot; anything else becomes a dash: right for Message-IDs and host names. */
void put_atom(struct writer *w, const char *s, size_t size);
/* s letter by letter, each as unit says (NULL: as it is; else a string for that ASCII character or NULL), until room
 * for "..." is all that is left; then that, and w is full. Nothing at all happens to a full w. */
void put_cut(struct writer *w, const char *s, const char *(*unit)(char c));

/* ---- the letter (letter.c, say.c, held.c) ------------------------------------------------------ */

#define LETTER_ROWS 16
#define LETTER_MORE 5
#define LETTER_VALUE 1200
struct letter_row {
	const char *label;
	char value[LETTER_VALUE];
};
/* Every text in it is harmless; ASCII but for the operator's own words. */
struct letter {
	const struct notify_from *from;
	const struct conf_alerts *conf;
	const struct conf_destination *to; /* NULL: none */
	const struct alert_message *m;
	const struct facts_of *facts;
	bool brief;        /* one line: subject has it, and nothing else counts */
	char subject[200]; /* ASCII */
	char lead[1600];   /* one sentence, or two; ASCII */
	char budget[300];
	uint32_t n_rows, n_commands, n_held, n_more;
	struct letter_row rows[LETTER_ROWS];
	char commands[ALERT_COMMANDS][4 * ALERT_COMMAND];
	char held_title[160];
	char held[ALERT_COUNTS][800];
	struct letter_row more[LETTER_MORE]; /* label: what it shows; value: the command */
	char footer[256];
};
void letter_build(const struct notify_from *from, const struct conf_alerts *c,
		  const struct alert_message *m, const struct facts_of *facts, struct letter *ret);
/* How many events were held back since the last message of this key. */
uint64_t held_sum(const struct alert_message *m);
/* Fills the parts of the letter that say what was held back, and the budget (held.c). */
void letter_held(struct letter *l);

/* The sentence that says what happened (say.c). */
void say_lead(struct writer *w, const struct letter *l);
/* The same in a few words, for subjects: "web -> 203.0.113.5 port 443/TCP, reject". At most max characters. */
void say_core(struct writer *w, const struct letter *l, size_t max);
/* "First outbound connection". */
const char *say_title(const struct alert_message *m);
/* "203.0.113.5 port 22/TCP"; "" if there is none. */
void say_addr(struct writer *w, const struct addr *a);
/* "web", or "the honeynet" if no guest is concerned. */
void say_guest(struct writer *w, const struct alert_input *in);
void say_port(struct writer *w, const struct alert_input *in);

/* "2026-11-28 15:04:05 +0100" by the operator's clock. */
void put_stamp(struct writer *w, const struct notify_from *from, int64_t ns);
/* "2026-11-28 (3 days old)". */
void put_age(struct writer *w, const struct notify_from *from, int64_t made_ns, int64_t now_ns);
/* "Sat, 28 Nov 2026 15:04:05 +0100" (RFC 5322). */
void put_mail_date(struct writer *w, const struct notify_from *from, int64_t ns);
/* "2026-11-28T14:04:05.123456Z" (RFC 3339). */
void put_utc(struct writer *w, int64_t ns);

/* ---- forms: each 0 or SKEP_ETRUNC, -ENOMEM ----------------------------------------------------- */

void short_line(const struct letter *l, char ret[NOTIFY_SHORT]);
void text_form(const struct letter *l, struct writer *w);
void html_form(const struct letter *l, struct writer *w);
/* newline: "\r\n" for SMTP, "\n" for a local sendmail. */
MUST_USE int mail_form(const struct letter *l, const char *newline, struct writer *w);
MUST_USE int slack_form(const struct letter *l, struct writer *w);
MUST_USE int discord_form(const struct letter *l, struct writer *w);
MUST_USE int teams_form(const struct letter *l, struct writer *w);
MUST_USE int ntfy_form(const struct letter *l, struct writer *w);
MUST_USE int hook_form(const struct letter *l, struct writer *w);
MUST_USE int template_form(const struct letter *l, struct writer *w);
void syslog_form(const struct letter *l, struct writer *w);

/* Compact JSON into w; takes the reference. -ENOMEM if o is NULL. */
MUST_USE int put_json(json_t *o, struct writer *w);
/* The value of a string in JSON, without the quotes. */
void put_json_string(struct writer *w, const char *s);
/* "<131>1 TIME SENSOR skep - MSGID " */
void syslog_head(struct writer *w, const struct notify_from *from, int64_t at_ns, uint8_t weight,
		 const char *msgid);
/* ` NAME="VALUE"`, escaped as RFC 5424 wants. */
void syslog_param(struct writer *w, const char *name, const char *value);

#endif
