/* SPDX-License-Identifier: BSD-2-Clause */
/* SMTP, POP3 and IMAP: lines both ways, and the ways to log in (AUTH PLAIN and LOGIN, USER and PASS, LOGIN). */
#include "talk/talk_priv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum expect { COMMAND, USER64, SECRET64, PLAIN64, MESSAGE };

struct mail {
	struct talk_line line[2];
	char user[TALK_WORD], secret[TALK_WORD], tag[TALK_WORD];
	uint8_t expect;
	bool waits;    /* credentials were given: what comes of them? */
	bool data;     /* SMTP: DATA was asked for */
	uint64_t skip; /* of the client's bytes: a literal, a chunk */
};

static void result(struct talk_conv *c, struct mail *m, int ok)
{
	if (m->waits)
		conv_login(c, m->user, m->secret, ok);
	m->waits = false;
}

/* ---- logging in, alike in all three -------------------------------------------------------------------- */

static void mechanism(struct mail *m, const char *at, const char *end)
{
	char name[TALK_WORD], first[4 * TALK_WORD];
	size_t len;
	line_word(&at, end, name, sizeof(name));
	line_word(&at, end, first, sizeof(first));
	m->user[0] = m->secret[0] = '\0';
	if (strcasecmp(name, "plain") == 0) {
		if (first[0] == '\0') {
			m->expect = PLAIN64;
			return;
		}
		line_plain(first, m->user, m->secret);
		m->waits = true;
	} else if (strcasecmp(name, "login") == 0) {
		if (first[0] != '\0')
			line_unbase64(first, m->user, sizeof(m->user), &len);
		m->expect = first[0] != '\0' ? SECRET64 : USER64;
	}
}

/* A line that is no command but the answer to the server's question. */
static void continued(struct talk_conv *c, struct mail *m)
{
	const struct talk_line *l = &m->line[BY_CLIENT];
	size_t len;
	(void)c;
	if (strcmp(l->text, "*") == 0) {
		m->expect = COMMAND;
		return;
	}
	switch (m->expect) {
	case USER64:
		line_unbase64(l->text, m->user, sizeof(m->user), &len);
		m->expect = SECRET64;
		return;
	case SECRET64:
		line_unbase64(l->text, m->secret, sizeof(m->secret), &len);
		break;
	default:
		line_plain(l->text, m->user, m->secret);
	}
	m->expect = COMMAND;
	m->waits = true;
}

/* ---- SMTP ------------------------------------------------------------------------------------------------- */

static void smtp_asked(struct talk_conv *c, struct mail *m)
{
	const struct talk_line *l = &m->line[BY_CLIENT];
	const char *at = l->text, *end = l->text + l->len;
	char word[TALK_WORD];
	if (!line_begins(l, "AUTH"))
		conv_command(c, l->text, l->len);
	line_word(&at, end, word, sizeof(word));
	if (line_begins(l, "AUTH")) {
		result(c, m, 0);
		mechanism(m, at, end);
	} else if (line_begins(l, "STARTTLS")) {
		c->crypt[0] = c->crypt[1] = true;
	} else if (line_begins(l, "BDAT")) {
		line_word(&at, end, word, sizeof(word));
		m->skip = strtoull(word, NULL, 10);
	}
	m->data = line_begins(l, "DATA");
}

static void smtp_answered(struct talk_conv *c, struct mail *m)
{
	const struct talk_line *l = &m->line[BY_SERVER];
	if (l->len < 3 || l->text[3] == '-')
		return;
	if (m->data && l->text[0] == '3')
		m->expect = MESSAGE;
	m->data = m->data && l->text[0] == '3';
	if (l->text[0] == '2')
		result(c, m, 1);
	else if (l->text[0] >= '4')
		result(c, m, 0);
	if (l->text[0] >= '4' && m->expect != MESSAGE)
		m->expect = COMMAND;
}

/* ---- POP3 ------------------------------------------------------------------------------------------------- */

static void pop3_asked(struct talk_conv *c, struct mail *m)
{
	const struct talk_line *l = &m->line[BY_CLIENT];
	const char *at = l->text, *end = l->text + l->len;
	char word[TALK_WORD];
	bool pass = line_begins(l, "PASS"), auth = line_begins(l, "AUTH");
	if (!pass && !auth)
		conv_command(c, l->text, l->len);
	line_word(&at, end, word, sizeof(word));
	if (line_begins(l, "USER") || line_begins(l, "APOP")) {
		result(c, m, 0);
		line_word(&at, end, m->user, sizeof(m->user));
	}
	if (pass) { /* blanks are part of it */
		text_copy(m->secret, sizeof(m->secret), at < end ? at + 1 : "");
		m->waits = true;
	} else if (line_begins(l, "APOP")) {
		line_word(&at, end, m->secret, sizeof(m->secret));
		m->waits = true;
	} else if (auth) {
		mechanism(m, at, end);
	} else if (line_begins(l, "STLS")) {
		c->crypt[0] = c->crypt[1] = true;
	}
}

static void pop3_answered(struct talk_conv *c, struct mail *m)
{
	const struct talk_line *l = &m->line[BY_SERVER];
	if (line_begins(l, "+OK"))
		result(c, m, 1);
	if (line_begins(l, "-ERR")) {
		result(c, m, 0);
		m->expect = COMMAND;
	}
}

/* ---- IMAP ------------------------------------------------------------------------------------------------- */

/* An atom or a quoted string. */
static void astring(const char **at, const char *end, char *ret, size_t size)
{
	const char *p = *at;
	size_t n = 0;
	while (p < end && *p == ' ')
		p++;
	if (p == end || *p != '"') {
		*at = p;
		line_word(at, end, ret, size);
		return;
	}
	for (p++; p < end && *p != '"'; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		if (n + 1 < size)
			ret[n++] = *p;
	}
	ret[n] = '\0';
	*at = p < end ? p + 1 : p;
}

static void imap_asked(struct talk_conv *c, struct mail *m)
{
	const struct talk_line *l = &m->line[BY_CLIENT];
	const char *at = l->text, *end = l->text + l->len;
	char tag[TALK_WORD], word[TALK_WORD];
	line_word(&at, end, tag, sizeof(tag));
	line_word(&at, end, word, sizeof(word));
	if (strcasecmp(word, "login") == 0) {
		result(c, m, 0);
		astring(&at, end, m->user, sizeof(m->user));
		astring(&at, end, m->secret, sizeof(m->secret));
		m->waits = true;
	} else if (strcasecmp(word, "authenticate") == 0) {
		result(c, m, 0);
		mechanism(m, at, end);
	} else {
		conv_command(c, l->text, l->len);
		if (strcasecmp(word, "starttls") == 0)
			c->crypt[0] = c->crypt[1] = true;
		return;
	}
	text_copy(m->tag, sizeof(m->tag), tag);
}

static void imap_answered(struct talk_conv *c, struct mail *m)
{
	const struct talk_line *l = &m->line[BY_SERVER];
	const char *at = l->text, *end = l->text + l->len;
	char tag[TALK_WORD], word[TALK_WORD];
	line_word(&at, end, tag, sizeof(tag));
	line_word(&at, end, word, sizeof(word));
	if (m->tag[0] == '\0' || strcmp(tag, m->tag) != 0)
		return;
	result(c, m, strcasecmp(word, "ok") == 0 ? 1 : 0);
	m->expect = COMMAND;
}

/* ---- lines -------------------------------------------------------------------------------------------------- */

static void client_line(struct talk_conv *c, struct mail *m)
{
	if (m->expect == MESSAGE) {
		if (strcmp(m->line[BY_CLIENT].text, ".") == 0)
			m->expect = COMMAND;
	} else if (m->expect != COMMAND) {
		continued(c, m);
	} else if (c->proto == &talk_smtp) {
		smtp_asked(c, m);
	} else if (c->proto == &talk_pop3) {
		pop3_asked(c, m);
	} else {
		imap_asked(c, m);
	}
}

static void server_line(struct talk_conv *c, struct mail *m)
{
	if (c->proto == &talk_smtp)
		smtp_answered(c, m);
	else if (c->proto == &talk_pop3)
		pop3_answered(c, m);
	else
		imap_answered(c, m);
}

static void on_data(struct talk_conv *c, enum talk_side by, const uint8_t *data, uint32_t len)
{
	struct mail *m = c->state;
	if (by == BY_CLIENT)
		conv_input(c, data, len);
	else
		conv_output(c, data, len);
	for (uint32_t i = 0; i < len; i++) {
		if (by == BY_CLIENT && m->skip > 0) {
			uint64_t n = m->skip < len - i ? m->skip : len - i;
			m->skip -= n;
			i += (uint32_t)n - 1;
			continue;
		}
		if (!line_byte(&m->line[by], data[i]))
			continue;
		if (by == BY_CLIENT)
			client_line(c, m);
		else
			server_line(c, m);
		line_clear(&m->line[by]);
	}
}

static void on_gap(struct talk_conv *c, enum talk_side by)
{
	struct mail *m = c->state;
	line_clear(&m->line[by]);
}

static void on_end(struct talk_conv *c)
{
	struct mail *m = c->state;
	result(c, m, -1);
}

const struct talk_proto talk_smtp = {
	.service = "smtp",
	.state_bytes = sizeof(struct mail),
	.data = on_data,
	.gap = on_gap,
	.end = on_end,
};
const struct talk_proto talk_pop3 = {
	.service = "pop3",
	.state_bytes = sizeof(struct mail),
	.data = on_data,
	.gap = on_gap,
	.end = on_end,
};
const struct talk_proto talk_imap = {
	.service = "imap",
	.state_bytes = sizeof(struct mail),
	.data = on_data,
	.gap = on_gap,
	.end = on_end,
};
