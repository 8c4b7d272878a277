/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SMTP (RFC 5321), as far as mailers and spam bots speak it: any login is right, any recipient known,
 * every mail taken. What is told of a mail: its envelope, its headers, the begin of its body, what was
 * attached; then it is gone.
 */
#include "sink/sink_priv.h"

#include <string.h>

#define HOST "mx1.example.net"
#define ERRORS_MAX 20
#define RCPTS_MAX 100
#define COMMANDS_MAX 1000

void smtp_begin(struct sink *s, struct sink_session *t)
{
	(void)s;
	out_text(t, "220 " HOST " ESMTP\r\n");
}

/* ---- telling ------------------------------------------------------------------------------------ */

static void tell_part(struct sink *s, struct sink_session *t, const char *what, const char *data,
		      uint32_t len)
{
	const struct telling part = {
		.what = what, .priority = 1, .bytes = len, .count = 1, .excerpt = data, .len = len};
	if (len > 0)
		sink_tell(s, t->v, &t->ends, &part, "%s of mail %u", what, t->u.smtp.mails);
}

static void tell_mail(struct sink *s, struct sink_session *t, const char *end)
{
	struct smtp *c = &t->u.smtp;
	char envelope[EVENT_EXCERPT];
	struct writer w = writer_of(envelope, sizeof(envelope));
	write_fmt(&w, "helo %s\nfrom <%s>\n", c->helo, c->from);
	for (uint32_t i = 0; i < c->n_rcpt && i < SMTP_RCPTS; i++)
		write_fmt(&w, "to <%s>\n", c->rcpt[i]);
	if (c->n_rcpt > SMTP_RCPTS)
		write_fmt(&w, "and %u more\n", c->n_rcpt - SMTP_RCPTS);
	const struct telling mail = {.what = "mail",
				     .priority = 1,
				     .bytes = c->mail.bytes,
				     .count = c->n_rcpt,
				     .excerpt = envelope,
				     .len = w.len};
	c->mails++;
	sink_tell(s, t->v, &t->ends, &mail,
		  "mail from <%.60s> to <%.60s>%s: %llu bytes, %u attachments (%llu bytes)%s",
		  c->from, c->rcpt[0], c->n_rcpt > 1 ? " and others" : "",
		  (unsigned long long)c->mail.bytes, c->mail.attachments,
		  (unsigned long long)c->mail.attachment_bytes, end);
	tell_part(s, t, "headers", c->mail.headers, c->mail.n_headers);
	tell_part(s, t, "body", c->mail.body, c->mail.n_body);
}

static void tell_login(struct sink *s, struct sink_session *t, const char *how, const char *user,
		       const char *password)
{
	struct smtp *c = &t->u.smtp;
	const struct telling login = {.what = "login", .priority = 1, .count = ++c->logins};
	sink_tell(s, t->v, &t->ends, &login, "login (%s) as '%.90s' with '%.90s'", how, user,
		  password);
	out_text(t, "235 2.7.0 Authentication successful\r\n");
	c->state = SMTP_COMMAND;
}

/* ---- commands ------------------------------------------------------------------------------------- */

static void bad(struct sink_session *t, const char *answer)
{
	out_text(t, answer);
	if (++t->u.smtp.errors < ERRORS_MAX)
		return;
	out_text(t, "421 4.7.0 " HOST " Too many errors\r\n");
	t->over = true;
}

static void new_mail(struct smtp *c)
{
	c->has_from = false;
	c->n_rcpt = 0;
	c->from[0] = c->rcpt[0][0] = '\0';
}

/* What stands between < and >, or the first word. */
static void take_path(const char *arg, char *ret, size_t size)
{
	const char *at = strchr(arg, '<');
	arg = at != NULL ? at + 1 : arg + strspn(arg, " ");
	size_t len = at != NULL ? strcspn(arg, ">") : strcspn(arg, " ");
	if (len >= size)
		len = size - 1;
	memcpy(ret, arg, len);
	ret[len] = '\0';
}

static void do_helo(struct sink *s, struct sink_session *t, const char *arg)
{
	(void)s;
	text_copy(t->u.smtp.helo, sizeof(t->u.smtp.helo), arg);
	new_mail(&t->u.smtp);
	out_text(t, "250 " HOST "\r\n");
}

static void do_ehlo(struct sink *s, struct sink_session *t, const char *arg)
{
	(void)s;
	text_copy(t->u.smtp.helo, sizeof(t->u.smtp.helo), arg);
	new_mail(&t->u.smtp);
	out_text(t, "250-" HOST "\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-8BITMIME\r\n"
		    "250-ENHANCEDSTATUSCODES\r\n250 AUTH PLAIN LOGIN\r\n");
}

static void do_mail(struct sink *s, struct sink_session *t, const char *arg)
{
	struct smtp *c = &t->u.smtp;
	(void)s;
	if (!sink_line_begins(arg, "from:")) {
		bad(t, "501 5.5.4 Syntax: MAIL FROM:<address>\r\n");
		return;
	}
	new_mail(c);
	take_path(arg + 5, c->from, sizeof(c->from));
	c->has_from = true;
	out_text(t, "250 2.1.0 Ok\r\n");
}

static void do_rcpt(struct sink *s, struct sink_session *t, const char *arg)
{
	struct smtp *c = &t->u.smtp;
	(void)s;
	if (!c->has_from) {
		bad(t, "503 5.5.1 Error: need MAIL command\r\n");
	} else if (!sink_line_begins(arg, "to:")) {
		bad(t, "501 5.5.4 Syntax: RCPT TO:<address>\r\n");
	} else if (c->n_rcpt >= RCPTS_MAX) {
		bad(t, "452 4.5.3 Error: too many recipients\r\n");
	} else {
		if (c->n_rcpt < SMTP_RCPTS)
			take_path(arg + 3, c->rcpt[c->n_rcpt], sizeof(c->rcpt[0]));
		c->n_rcpt++;
		out_text(t, "250 2.1.5 Ok\r\n");
	}
}

static void do_data(struct sink *s, struct sink_session *t, const char *arg)
{
	struct smtp *c = &t->u.smtp;
	(void)s;
	(void)arg;
	if (c->n_rcpt == 0) {
		bad(t, c->has_from ? "554 5.5.1 Error: no valid recipients\r\n"
				   : "503 5.5.1 Error: need RCPT command\r\n");
		return;
	}
	c->state = SMTP_DATA;
	mail_begin(&c->mail);
	out_text(t, "354 End data with <CR><LF>.<CR><LF>\r\n");
}

static void do_rset(struct sink *s, struct sink_session *t, const char *arg)
{
	(void)s;
	(void)arg;
	new_mail(&t->u.smtp);
	out_text(t, "250 2.0.0 Ok\r\n");
}

static void do_noop(struct sink *s, struct sink_session *t, const char *arg)
{
	(void)s;
	(void)arg;
	out_text(t, "250 2.0.0 Ok\r\n");
}

static void do_vrfy(struct sink *s, struct sink_session *t, const char *arg)
{
	(void)s;
	(void)arg;
	out_text(t, "252 2.0.0 Send some mail, I'll try my best\r\n");
}

static void do_quit(struct sink *s, struct sink_session *t, const char *arg)
{
	(void)s;
	(void)arg;
	out_text(t, "221 2.0.0 Bye\r\n");
	t->over = true;
}

static void take_plain(struct sink *s, struct sink_session *t, const char *text)
{
	char raw[300]; /* identity to act as, NUL, user, NUL, password */
	size_t len = text_unbase64(text, raw, sizeof(raw) - 1);
	raw[len] = '\0';
	const char *user = memchr(raw, '\0', len);
	const char *password =
		user != NULL ? memchr(user + 1, '\0', (size_t)(raw + len - user - 1)) : NULL;
	t->u.smtp.state = SMTP_COMMAND;
	if (password == NULL)
		bad(t, "501 5.5.2 Cannot decode\r\n");
	else
		tell_login(s, t, "plain", user + 1, password + 1);
}

static void take_user(struct sink_session *t, const char *text)
{
	struct smtp *c = &t->u.smtp;
	c->user[text_unbase64(text, c->user, sizeof(c->user) - 1)] = '\0';
	c->state = SMTP_PASSWORD;
	out_text(t, "334 UGFzc3dvcmQ6\r\n");
}

static void do_auth(struct sink *s, struct sink_session *t, const char *arg)
{
	struct smtp *c = &t->u.smtp;
	const char *more = arg + strcspn(arg, " ");
	more += strspn(more, " ");
	if (sink_line_begins(arg, "plain") && *more != '\0') {
		take_plain(s, t, more);
	} else if (sink_line_begins(arg, "plain")) {
		c->state = SMTP_PLAIN;
		out_text(t, "334 \r\n");
	} else if (sink_line_begins(arg, "login") && *more != '\0') {
		take_user(t, more);
	} else if (sink_line_begins(arg, "login")) {
		c->state = SMTP_USER;
		out_text(t, "334 VXNlcm5hbWU6\r\n");
	} else {
		bad(t, "504 5.5.4 Unrecognized authentication type\r\n");
	}
}

static void command(struct sink *s, struct sink_session *t, const char *text)
{
	static const struct {
		const char *word;
		void (*run)(struct sink *s, struct sink_session *t, const char *arg);
	} rows[] = {
		{"helo", do_helo}, {"ehlo", do_ehlo}, {"mail", do_mail}, {"rcpt", do_rcpt},
		{"data", do_data}, {"rset", do_rset}, {"noop", do_noop}, {"vrfy", do_vrfy},
		{"quit", do_quit}, {"auth", do_auth},
	};
	if (++t->u.smtp.commands > COMMANDS_MAX) {
		out_text(t, "421 4.7.0 " HOST " Enough\r\n");
		t->over = true;
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].word);
		if (!sink_line_begins(text, rows[i].word) ||
		    (text[len] != ' ' && text[len] != '\0'))
			continue;
		const char *arg = text + len;
		rows[i].run(s, t, arg + strspn(arg, " "));
		return;
	}
	bad(t, "502 5.5.2 Error: command not recognized\r\n");
}

static void answer_to_auth(struct sink *s, struct sink_session *t, const char *text)
{
	struct smtp *c = &t->u.smtp;
	char password[100];
	if (strcmp(text, "*") == 0) {
		c->state = SMTP_COMMAND;
		bad(t, "501 5.7.0 Authentication aborted\r\n");
	} else if (c->state == SMTP_PLAIN) {
		take_plain(s, t, text);
	} else if (c->state == SMTP_USER) {
		take_user(t, text);
	} else {
		password[text_unbase64(text, password, sizeof(password) - 1)] = '\0';
		tell_login(s, t, "login", c->user, password);
	}
}

static void data_line(struct sink *s, struct sink_session *t)
{
	struct smtp *c = &t->u.smtp;
	struct line *l = &c->line;
	if (l->len == 1 && l->text[0] == '.') {
		tell_mail(s, t, "");
		c->state = SMTP_COMMAND;
		new_mail(c);
		const uint32_t which[2] = {t->life, c->mails};
		char queued[64];
		struct writer w = writer_of(queued, sizeof(queued));
		write_fmt(&w, "250 2.0.0 Ok: queued as %010llX\r\n",
			  (unsigned long long)hash_keyed(s->conf.seed, which, sizeof(which)) >> 24);
		out_text(t, queued);
		return;
	}
	if (l->text[0] == '.') {
		memmove(l->text, l->text + 1, l->len); /* with its terminator */
		l->len--;
	}
	mail_line(&c->mail, l);
}

static void one_line(struct sink *s, struct sink_session *t)
{
	struct smtp *c = &t->u.smtp;
	if (c->state == SMTP_DATA)
		data_line(s, t);
	else if (c->line.cut)
		bad(t, "500 5.5.2 Error: line too long\r\n");
	else if (c->state == SMTP_COMMAND)
		command(s, t, c->line.text);
	else
		answer_to_auth(s, t, c->line.text);
	sink_line_clear(&c->line);
}

size_t smtp_feed(struct sink *s, struct sink_session *t, const uint8_t *data, size_t len)
{
	struct smtp *c = &t->u.smtp;
	size_t at = 0, n;
	while (at < len && !t->over && out_room(t) >= OUT_ROOM) {
		bool whole = line_take(&c->line, data + at, len - at, &n);
		at += n;
		if (c->state == SMTP_DATA)
			c->mail.bytes += n;
		if (whole)
			one_line(s, t);
	}
	return t->over ? len : at;
}

void smtp_end(struct sink *s, struct sink_session *t)
{
	struct smtp *c = &t->u.smtp;
	if (c->state == SMTP_DATA) {
		tell_mail(s, t, t->full ? "; cut at sink.bytes" : "; never finished");
		return;
	}
	const struct telling connect = {.what = "connect", .bytes = t->bytes, .count = 1};
	if (c->mails == 0 && c->logins == 0)
		sink_tell(s, t->v, &t->ends, &connect, "%u commands, no mail%s%.100s", c->commands,
			  c->helo[0] != '\0' ? "; helo " : "", c->helo);
}
