/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SMTP. What a server refuses for good (5xx to MAIL, to every recipient, to the message) is given up;
 * what it says of us (login, certificate, greeting) waits, as somebody can mend that and no alert should
 * be lost by it. Who has a message does not get it again when another recipient's server is to be asked later.
 */
#include "deliver/deliver_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Bare CR and LF become line ends: what a server takes for one must not depend on the server. */
static int line_ends(struct job *j)
{
	uint8_t *to = malloc(2 * j->len + 2);
	size_t n = 0;
	if (to == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < j->len; i++) {
		if (j->body[i] != '\r' && j->body[i] != '\n') {
			to[n++] = j->body[i];
			continue;
		}
		to[n++] = '\r';
		to[n++] = '\n';
		i += j->body[i] == '\r' && i + 1 < j->len && j->body[i + 1] == '\n';
	}
	free(j->body);
	j->body = to;
	j->len = n;
	return 0;
}

/* An address between < and >, and nothing that would end it. */
static bool address(const char *s, char *ret, size_t size)
{
	struct writer w = writer_of(ret, size);
	for (const char *p = s; *p != '\0'; p++)
		if ((uint8_t)*p <= 0x20 || (uint8_t)*p >= 0x7f || *p == '<' || *p == '>')
			return false;
	write_fmt(&w, "<%s>", s);
	return s[0] != '\0' && !w.full;
}

static uint8_t who_has_it(const struct job *j)
{
	for (size_t i = 0; i < TAKEN; i++)
		if (j->d->taken[j->index][i].mask != 0 &&
		    j->d->taken[j->index][i].number == j->result.number)
			return j->d->taken[j->index][i].mask;
	return 0;
}

static void forget_who(struct job *j)
{
	for (size_t i = 0; i < TAKEN; i++)
		if (j->d->taken[j->index][i].number == j->result.number)
			j->d->taken[j->index][i].mask = 0;
}

static void they_have_it(struct job *j, uint8_t mask)
{
	struct deliver *d = j->d;
	for (size_t i = 0; i < TAKEN; i++)
		if (d->taken[j->index][i].mask != 0 &&
		    d->taken[j->index][i].number == j->result.number) {
			d->taken[j->index][i].mask |= mask;
			return;
		}
	uint32_t at = d->next_taken[j->index]++ % TAKEN;
	d->taken[j->index][at].number = j->result.number;
	d->taken[j->index][at].mask = mask;
}

static int envelope(struct job *j)
{
	char text[CONF_MAIL + 3];
	uint8_t has = who_has_it(j);
	_Static_assert(CONF_MAILS <= 8, "a bit of the mask for each");
	if (!address(j->to->from, text, sizeof(text)))
		return SKEP_EFORMAT;
	if (curl_easy_setopt(j->easy, CURLOPT_MAIL_FROM, text) != CURLE_OK)
		return -ENOMEM;
	for (uint32_t i = 0; i < j->to->n_to && i < CONF_MAILS; i++) {
		if ((has >> i & 1) != 0)
			continue;
		if (!address(j->to->to[i], text, sizeof(text)))
			return SKEP_EFORMAT;
		struct curl_slist *more = curl_slist_append(j->list, text);
		if (more == NULL)
			return -ENOMEM;
		j->list = more;
		j->rcpt[j->n_rcpt++] = (uint8_t)i;
	}
	if (j->n_rcpt == 0)
		return SKEP_EFORMAT;
	bool bad = curl_easy_setopt(j->easy, CURLOPT_MAIL_RCPT, j->list) != CURLE_OK;
	bad |= curl_easy_setopt(j->easy, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L) != CURLE_OK;
	bad |= curl_easy_setopt(j->easy, CURLOPT_UPLOAD, 1L) != CURLE_OK;
	bad |= curl_easy_setopt(j->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)j->len) != CURLE_OK;
	return bad ? -ENOMEM : 0;
}

static int login(struct job *j, const char *token)
{
	static const char *const how[] = {[AUTH_AUTO] = "AUTH=PLAIN;AUTH=LOGIN",
					  [AUTH_PLAIN] = "AUTH=PLAIN",
					  [AUTH_LOGIN] = "AUTH=LOGIN",
					  [AUTH_XOAUTH2] = "AUTH=XOAUTH2"};
	if (j->to->user[0] == '\0')
		return 0;
	if (j->to->auth >= ARRAY_LEN(how))
		return SKEP_ERANGE;
	bool bad = curl_easy_setopt(j->easy, CURLOPT_USERNAME, j->to->user) != CURLE_OK;
	bad |= curl_easy_setopt(j->easy, CURLOPT_LOGIN_OPTIONS, how[j->to->auth]) != CURLE_OK;
	if (token != NULL)
		bad |= curl_easy_setopt(j->easy, CURLOPT_XOAUTH2_BEARER, token) != CURLE_OK;
	else
		bad |= curl_easy_setopt(j->easy, CURLOPT_PASSWORD,
					j->d->secrets->to[j->index].secret) != CURLE_OK;
	return bad ? -ENOMEM : 0;
}

int deliver_mail_begin(struct job *j, const char *token)
{
	struct target t;
	int err = target_of(j->to, &t);
	if (err == 0)
		err = job_easy(j, t.url, "smtp,smtps");
	if (err == 0 && !j->probe)
		err = line_ends(j);
	if (err == 0 && !j->probe)
		err = envelope(j);
	if (err == 0)
		err = login(j, token);
	/* Where TLS may be missing, its certificate means nothing either; but no password goes that way. */
	bool open =
		j->to->insecure && t.scheme == TO_SMTP && (j->to->user[0] == '\0' || t.loopback);
	long use = open ? CURLUSESSL_TRY : CURLUSESSL_ALL;
	if (err == 0 && curl_easy_setopt(j->easy, CURLOPT_USE_SSL, use) != CURLE_OK)
		err = -ENOMEM;
	if (err == 0 && open &&
	    (curl_easy_setopt(j->easy, CURLOPT_SSL_VERIFYPEER, 0L) != CURLE_OK ||
	     curl_easy_setopt(j->easy, CURLOPT_SSL_VERIFYHOST, 0L) != CURLE_OK))
		err = -ENOMEM;
	return err;
}

/* What the recipients' servers said, together. */
static void recipients_over(struct job *j, bool sent)
{
	char text[DELIVER_TEXT + CONF_MAIL + 16];
	struct writer w = writer_of(text, sizeof(text));
	const struct talk *t = &j->talk;
	uint8_t took = 0;
	bool later = false;
	uint32_t refused = 0;
	for (uint32_t i = 0; i < j->n_rcpt && i < t->n && i < CONF_MAILS; i++) {
		if (t->codes[i] / 100 == 2)
			took |= (uint8_t)(sent ? 1u << j->rcpt[i] : 0);
		else
			refused++;
		later |= t->codes[i] / 100 == 4;
	}
	bool somebody = (took | who_has_it(j)) != 0;
	if (later && took != 0)
		they_have_it(j, took);
	if (!later)
		forget_who(j);
	if (refused > 0)
		write_fmt(&w, "%u of %u recipients: %s", refused, j->to->n_to, t->refused);
	else
		write_str(&w, t->line);
	if (later)
		job_result(j, DELIVER_LATER, t->code, 0, text);
	else if (somebody)
		job_result(j, DELIVER_OK, t->code, 0, text);
	else
		job_result(j, DELIVER_NEVER, t->code, 0, text);
}

static bool about_the_message(const struct talk *t)
{
	return (t->at == TALK_MAIL || t->at == TALK_DATA || t->at == TALK_BODY) && t->code != 530;
}

void deliver_mail_over(struct job *j, CURLcode code)
{
	const struct talk *t = &j->talk;
	char text[2 * DELIVER_TEXT];
	struct writer w = writer_of(text, sizeof(text));
	if (code == CURLE_OK && j->probe) {
		job_result(j, DELIVER_OK, t->code, 0, t->line);
		return;
	}
	if (code == CURLE_OK ||
	    (t->at == TALK_RCPT && t->n == j->n_rcpt && t->code != 0 && t->code != 421)) {
		recipients_over(j, code == CURLE_OK);
		return;
	}
	if (t->at == TALK_AUTH && j->to->auth == AUTH_XOAUTH2)
		j->d->tokens[j->index].until_ns =
			0; /* may have been withdrawn: a new one next time */
	if (t->code / 100 != 4 && t->code / 100 != 5) {
		if (t->at != TALK_GREETING)
			write_fmt(&w, "%s: ", deliver_talk_at_text(t->at));
		write_str(&w, job_error(j, code));
		job_unreached(j, code);
		text_copy(j->result.text, sizeof(j->result.text), text);
		return;
	}
	write_fmt(&w, "%s: %s", deliver_talk_at_text(t->at), t->line);
	if (t->code / 100 == 4)
		job_result(j, DELIVER_LATER, t->code, 0, text);
	else if (about_the_message(t))
		job_result(j, DELIVER_NEVER, t->code, 0, text);
	else
		job_result(j, DELIVER_LATER, t->code, AFTER_REFUSED_S, text);
}
