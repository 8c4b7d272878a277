/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What servers answer, and what a configuration may have for a URL. First byte: which.
 * r: Retry-After; j: JSON of Discord; t: an answer of OAuth's; u: a URL (second byte: the kind); s: a conversation
 * of SMTP, lines that begin with > (we) or < (the server).
 */
#include "deliver/deliver_priv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void token(const char *data, size_t size)
{
	struct token t = {.until_ns = -1};
	char why[64];
	uint32_t s = 0;
	int err = answer_token(data, size, &t, &s, why, sizeof(why));
	must(memchr(why, '\0', sizeof(why)) != NULL);
	if (err != 0) {
		must(t.until_ns == -1 && s == 0);
		return;
	}
	must(s <= AFTER_MOST_S && t.text[0] != '\0' &&
	     memchr(t.text, '\0', sizeof(t.text)) != NULL);
	for (const char *p = t.text; *p != '\0'; p++)
		must((uint8_t)*p > 0x20 && (uint8_t)*p < 0x7f);
}

static void url(const char *data, size_t size)
{
	struct conf_destination to = {.kind = (uint8_t)(size > 0 ? data[0] % DEST_KINDS : 0)};
	struct target t;
	if (size < 1 || size > sizeof(to.url) || memchr(data, '\0', size) != NULL)
		return;
	memcpy(to.url, data + 1, size - 1);
	if (target_of(&to, &t) != 0)
		return;
	must(to.kind == DEST_SMTP || to.kind == DEST_SYSLOG ||
	     (to.kind >= DEST_SLACK && to.kind <= DEST_WEBHOOK));
	for (const char *p = t.url; *p != '\0'; p++)
		must((uint8_t)*p > 0x20 && (uint8_t)*p < 0x7f);
	must(strncmp(t.url, t.scheme <= TO_SMTPS ? "smtp" : "http", 4) == 0);
}

static void talk(const char *data, size_t size)
{
	struct talk t;
	memset(&t, 0, sizeof(t));
	while (size > 0) {
		const char *end = memchr(data, '\n', size);
		size_t len = end != NULL ? (size_t)(end - data) + 1 : size;
		if (data[0] == '>')
			deliver_talk_sent(&t, data + 1, len - 1);
		else
			deliver_talk_heard(&t, data + 1, len - 1);
		must(t.code >= 0 && t.code <= 999 && t.at <= TALK_BODY);
		must(memchr(t.line, '\0', sizeof(t.line)) != NULL &&
		     memchr(t.refused, '\0', sizeof(t.refused)) != NULL);
		data += len;
		size -= len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *data = (const char *)bytes + 1;
	if (size < 1)
		return 0;
	size--;
	if (bytes[0] == 'r')
		must(answer_retry_after(data, size, INT64_C(1795863600) * NS_PER_SEC) <=
		     AFTER_MOST_S);
	if (bytes[0] == 'j')
		must(answer_retry_json(data, size) <= AFTER_MOST_S);
	if (bytes[0] == 't')
		token(data, size);
	if (bytes[0] == 'u')
		url(data, size);
	if (bytes[0] == 's')
		talk(data, size);
	return 0;
}
