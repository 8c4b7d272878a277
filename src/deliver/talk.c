/* SPDX-License-Identifier: BSD-2-Clause */
/* Who said what in a conversation of SMTP: curl tells only the last code, and not what it was the answer to. */
#include "deliver/deliver_priv.h"

#include <string.h>
#include <strings.h>

static const char *const names[] = {"greeting", "EHLO", "STARTTLS", "AUTH",
				    "MAIL",     "RCPT", "DATA",     "message"};

const char *deliver_talk_at_text(uint8_t at)
{
	return at < ARRAY_LEN(names) ? names[at] : "?";
}

static void go_to(struct talk *t, enum talk_at at)
{
	t->at = (uint8_t)at;
	t->code = 0;
	t->line[0] = '\0';
}

void deliver_talk_sent(struct talk *t, const char *data, size_t len)
{
	static const struct {
		const char *verb;
		enum talk_at at;
	} verbs[] = {
		{"EHLO ", TALK_EHLO}, {"HELO ", TALK_EHLO},     {"STARTTLS", TALK_STARTTLS},
		{"AUTH ", TALK_AUTH}, {"MAIL FROM", TALK_MAIL}, {"RCPT TO", TALK_RCPT},
		{"DATA", TALK_DATA},
	};
	t->quit |= len >= 4 && strncasecmp(data, "QUIT", 4) == 0;
	if (t->quit)
		return;
	/* What belongs to a login looks like anything. */
	if (t->at == TALK_AUTH && t->code / 100 == 3) {
		t->code = 0;
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		size_t n = strlen(verbs[i].verb);
		if (len < n || strncasecmp(data, verbs[i].verb, n) != 0)
			continue;
		go_to(t, verbs[i].at);
		t->n += verbs[i].at == TALK_RCPT;
		return;
	}
}

static void keep_line(char ret[DELIVER_TEXT], const char *data, size_t len)
{
	while (len > 0 && (data[len - 1] == '\r' || data[len - 1] == '\n'))
		len--;
	len = len < DELIVER_TEXT - 1 ? len : DELIVER_TEXT - 1;
	for (size_t i = 0; i < len; i++)
		ret[i] = data[i] == '\0' ? ' ' : data[i];
	ret[len] = '\0';
}

void deliver_talk_heard(struct talk *t, const char *data, size_t len)
{
	int code = 0;
	if (len < 3 || t->quit)
		return;
	for (size_t i = 0; i < 3; i++) {
		if (data[i] < '0' || data[i] > '9')
			return;
		code = code * 10 + (data[i] - '0');
	}
	if (len > 3 && data[3] == '-') /* more lines come */
		return;
	t->code = code;
	keep_line(t->line, data, len);
	if (t->at == TALK_RCPT && t->n > 0 && t->n <= CONF_MAILS) {
		t->codes[t->n - 1] = (uint16_t)code;
		if (code / 100 != 2 && t->refused[0] == '\0')
			keep_line(t->refused, data, len);
	}
	if (t->at == TALK_DATA && code == 354)
		go_to(t, TALK_BODY);
}
