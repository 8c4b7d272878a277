/* SPDX-License-Identifier: BSD-2-Clause */
/* Who logs in by words alone: the output's last line asks, the next line typed is the answer. */
#include "talk/talk_priv.h"

#include <string.h>

static char lower(uint8_t b)
{
	return (char)(b >= 'A' && b <= 'Z' ? b + 32 : b);
}

/* Does the text hold the word, whatever its case? */
static bool holds(const struct talk_login *l, const char *word)
{
	return memmem(l->tail, l->len, word, strlen(word)) != NULL;
}

static bool is_refusal(const struct talk_login *l)
{
	return holds(l, "incorrect") || holds(l, "failed") || holds(l, "failure") ||
	       holds(l, "denied") || holds(l, "invalid") || holds(l, "bad password") ||
	       holds(l, "wrong");
}

/* The prompt: the last line without what was typed after it, as far as it came back by now. */
static void cut_echo(struct talk_login *l, const struct talk_line *line)
{
	for (uint16_t n = line->len; n > 0; n--) {
		uint16_t k = 0;
		while (k < n && n <= l->len &&
		       l->tail[l->len - n + k] == lower((uint8_t)line->text[k]))
			k++;
		if (k == n) {
			l->len = (uint8_t)(l->len - n);
			break;
		}
	}
	while (l->len > 0 && l->tail[l->len - 1] == ' ')
		l->len--;
}

static bool asks(const struct talk_login *l)
{
	return l->len > 0 && l->tail[l->len - 1] == ':';
}

static bool asks_secret(const struct talk_login *l)
{
	return asks(l) && (holds(l, "password") || holds(l, "passwd") || holds(l, "passcode") ||
			   holds(l, "passwort"));
}

static bool asks_user(const struct talk_login *l)
{
	return asks(l) && (holds(l, "login:") || holds(l, "username:") || holds(l, "user:") ||
			   holds(l, "user name:"));
}

static void result(struct talk_conv *c, struct talk_login *l, int ok)
{
	if (l->waits)
		conv_login(c, l->user, l->secret, ok);
	l->waits = false;
}

/* "ESC [ ? 1049 h" and l, and their elder forms: to the other screen, and back. */
static void watch_screen(struct talk_login *l, uint8_t b)
{
	static const char *const modes[] = {"[?1049", "[?1047", "[?47"};
	if (b == 0x1b) {
		l->escape_len = 1;
		return;
	}
	if (l->escape_len == 0)
		return;
	if (b >= 0x40 && b != '[') {
		l->escape[l->escape_len - 1] = '\0';
		l->escape_len = 0;
		for (size_t i = 0; i < ARRAY_LEN(modes) && (b == 'h' || b == 'l'); i++)
			if (strcmp(l->escape, modes[i]) == 0)
				l->full = b == 'h';
		return;
	}
	l->escape[l->escape_len - 1] = (char)b;
	if (++l->escape_len > sizeof(l->escape))
		l->escape_len = 0; /* too long to be one of them */
}

void login_output(struct talk_conv *c, struct talk_login *l, const uint8_t *data, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		uint8_t b = data[i];
		watch_screen(l, b);
		if (b == '\n' || b == '\r') {
			if (l->waits && is_refusal(l))
				result(c, l, 0);
			l->len = 0;
			continue;
		}
		if (b < 0x20)
			continue;
		if (l->len == sizeof(l->tail)) { /* of a long line its end counts */
			memmove(l->tail, l->tail + 64, sizeof(l->tail) - 64);
			l->len -= 64;
		}
		l->tail[l->len++] = lower(b);
	}
}

bool login_line(struct talk_conv *c, struct talk_login *l, const struct talk_line *line)
{
	cut_echo(l, line);
	if (asks_secret(l)) {
		result(c, l, 0); /* asked again */
		text_copy(l->secret, sizeof(l->secret), line->text);
		l->waits = true;
		return true;
	}
	if (asks_user(l)) {
		result(c, l, 0);
		text_copy(l->user, sizeof(l->user), line->text);
		return true;
	}
	result(c, l, 1);
	return false;
}

void login_end(struct talk_conv *c, struct talk_login *l)
{
	result(c, l, is_refusal(l) || asks_user(l) ? 0 : -1);
}

void login_keys(struct talk_conv *c, struct talk_login *l, struct talk_line *line,
		const uint8_t *data, uint32_t len, bool commands)
{
	conv_input(c, data, len);
	for (uint32_t i = 0; i < len; i++) {
		if (l->full) {
			line_clear(line);
			continue;
		}
		if (!line_key(line, data[i]))
			continue;
		if (!login_line(c, l, line) && commands)
			conv_command(c, line->text, line->len);
		line_clear(line);
	}
}
