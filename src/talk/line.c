/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines and words out of bytes that come in any pieces. */
#include "talk/talk_priv.h"

#include <string.h>
#include <strings.h>

enum { KEYS, ESCAPE, CSI, SS3 };

static void put(struct talk_line *l, uint8_t byte)
{
	if (l->len < TALK_LINE - 1)
		l->text[l->len++] = (char)byte;
	else
		l->cut = true;
}

bool line_byte(struct talk_line *l, uint8_t byte)
{
	if (byte == '\n') {
		if (l->len > 0 && !l->cut && l->text[l->len - 1] == '\r')
			l->len--;
		l->text[l->len] = '\0';
		return true;
	}
	put(l, byte);
	return false;
}

/* Rubs out a character: in UTF-8 the bytes that follow its first go with it. */
static void rub_out(struct talk_line *l)
{
	while (l->len > 0 && ((uint8_t)l->text[l->len - 1] & 0xc0) == 0x80)
		l->len--;
	if (l->len > 0)
		l->len--;
}

static void rub_out_word(struct talk_line *l)
{
	while (l->len > 0 && l->text[l->len - 1] == ' ')
		l->len--;
	while (l->len > 0 && l->text[l->len - 1] != ' ')
		l->len--;
}

/* Within an escape sequence (an arrow key ...): true while it goes on. */
static bool escaping(struct talk_line *l, uint8_t byte)
{
	switch (l->escape) {
	case ESCAPE:
		l->escape = byte == '[' ? CSI : byte == 'O' ? SS3 : KEYS;
		return true;
	case CSI:
		if (byte >= 0x40 && byte <= 0x7e)
			l->escape = KEYS;
		return true;
	case SS3:
		l->escape = KEYS;
		return true;
	default:
		return false;
	}
}

bool line_key(struct talk_line *l, uint8_t byte)
{
	bool after_cr = l->cr;
	l->cr = byte == '\r';
	if (byte == '\r' || byte == '\n' || byte == 0) {
		if (byte != '\r' && after_cr)
			return false; /* the second half of an end of line */
		l->escape = KEYS;
		l->text[l->len] = '\0';
		return byte != 0;
	}
	if (escaping(l, byte))
		return false;
	if (byte == 0x1b)
		l->escape = ESCAPE;
	else if (byte == 0x08 || byte == 0x7f)
		rub_out(l);
	else if (byte == 0x03 || byte == 0x15)
		line_clear(l);
	else if (byte == 0x17)
		rub_out_word(l);
	else if (byte >= 0x20 || byte == '\t')
		put(l, byte);
	return false;
}

void line_clear(struct talk_line *l)
{
	l->len = 0;
	l->cut = false;
	l->escape = KEYS;
}

void line_word(const char **at, const char *end, char *ret, size_t size)
{
	const char *p = *at;
	size_t n = 0;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	for (; p < end && *p != ' ' && *p != '\t'; p++)
		if (n + 1 < size)
			ret[n++] = *p == '\0' ? '?' : *p;
	ret[n] = '\0';
	*at = p;
}

bool line_begins(const struct talk_line *l, const char *word)
{
	size_t n = strlen(word);
	return l->len >= n && strncasecmp(l->text, word, n) == 0 &&
	       (l->len == n || l->text[n] == ' ');
}

void line_unbase64(const char *text, char *ret, size_t size, size_t *ret_len)
{
	*ret_len = text_unbase64(text, ret, size - 1);
	ret[*ret_len] = '\0';
}

void line_plain(const char *base64, char user[TALK_WORD], char secret[TALK_WORD])
{
	char buf[4 * TALK_WORD];
	size_t len;
	line_unbase64(base64, buf, sizeof(buf), &len);
	const char *end = buf + len, *zero = memchr(buf, '\0', len);
	const char *name = zero != NULL ? zero + 1 : buf;
	zero = memchr(name, '\0', (size_t)(end - name));
	text_copy(user, TALK_WORD, name);
	text_copy(secret, TALK_WORD, zero != NULL ? zero + 1 : "");
}
