/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Texts made harmless. An intruder chooses names, commands, user agents; they are read in mail programs and chats
 * that make links of whatever looks like one, turn lines around for a control letter, and show a Cyrillic "a" like
 * ours. What he wrote is therefore shown as printable ASCII with everything else spelled out, and nothing in it is
 * left that a program takes for a link, an address or the name of somebody to call.
 */
#include "notify/notify_priv.h"

#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static uint32_t letter_of(const char *s, size_t len)
{
	const uint8_t *p = (const uint8_t *)s;
	uint32_t v = len == 2 ? p[0] & 0x1fu : len == 3 ? p[0] & 0x0fu : p[0] & 0x07u;
	for (size_t i = 1; i < len; i++)
		v = v << 6 | (p[i] & 0x3fu);
	return len == 1 ? p[0] : v;
}

/* One letter spelled out; returns how many bytes it was. */
static size_t put_letter(struct writer *w, const char *s, size_t left)
{
	size_t len = text_utf8(s, left, NULL);
	if (len > 1)
		write_fmt(w, "\\u{%x}", (unsigned)letter_of(s, len));
	else
		write_escaped(w, s, 1);
	return len > 1 ? len : 1;
}

void put_plain(struct writer *w, const char *s, size_t size)
{
	size = strnlen(s, size);
	for (size_t i = 0; i < size;)
		i += put_letter(w, s + i, size - i);
}

/* "http" becomes "hxxp" where a link begins; returns how many bytes that took. */
static size_t put_scheme(struct writer *w, const char *s, size_t left)
{
	static const char *const schemes[][2] = {
		{"https:", "hxxps[:]"}, {"http:", "hxxp[:]"}, {"ftp:", "fxp[:]"}};
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		size_t n = strlen(schemes[i][0]);
		if (left >= n && strncasecmp(s, schemes[i][0], n) == 0) {
			write_str(w, schemes[i][1]);
			return n;
		}
	}
	return 0;
}

/* Does a word that programs take for a link begin here ("mailto:")? Those with "//" are seen by that. */
static size_t link_word(const char *s, size_t left)
{
	static const char *const words[] = {
		"mailto:",  "tel:",      "sms:",         "javascript:", "vbscript:",  "data:",
		"magnet:",  "skype:",    "callto:",      "facetime:",   "xmpp:",      "sip:",
		"sips:",    "geo:",      "news:",        "file:",       "market:",    "intent:",
		"bitcoin:", "whatsapp:", "msteams:",     "slack:",      "search-ms:", "ms-msdt:",
		"urn:",     "cid:",      "view-source:", "irc:",
	};
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t n = strlen(words[i]);
		if (left >= n && strncasecmp(s, words[i], n) == 0)
			return n;
	}
	return 0;
}

static bool is_word(char c)
{
	return is_alnum(c) || (c & 0x80) != 0 || c == '.' || c == '-' || c == '_' || c == '@';
}

/* "4.20", "0.5": a figure, of which no program makes a link. Four numbers are an address. */
static bool dot_of_figure(const char *s, size_t at, size_t size)
{
	size_t from = at, to = at + 1;
	while (from > 0 && is_digit(s[from - 1]))
		from--;
	while (to < size && is_digit(s[to]))
		to++;
	return at - from >= 1 && at - from <= 6 && to - at - 1 >= 1 && to - at - 1 <= 6 &&
	       (from == 0 || !is_word(s[from - 1])) && (to == size || !is_word(s[to]));
}

static bool dot_of_name(const char *s, size_t at, size_t size)
{
	if (at == 0 || at + 1 >= size)
		return false;
	if (dot_of_figure(s, at, size))
		return false;
	char before = s[at - 1], after = s[at + 1];
	/* What is spelled out ends in a letter or a digit as well: "\x01.com". */
	bool spelled = (uint8_t)before < ' ' || (uint8_t)before >= 0x7f;
	return (is_alnum(before) || spelled || (before != 0 && strchr("-_)]}", before) != NULL)) &&
	       (is_alnum(after) || (after & 0x80) != 0 || after == '_' || after == '-');
}

/* What stands at s[at], if it is a part of a link; returns how many bytes that was, 0: it is none. */
static size_t put_defanged(struct writer *w, const char *s, size_t at, size_t size)
{
	size_t left = size - at, n;
	if (at == 0 || !is_alnum(s[at - 1])) {
		n = put_scheme(w, s + at, left);
		if (n > 0)
			return n;
		n = link_word(s + at, left);
		if (n > 0) {
			write_fmt(w, "%.*s[:]", (int)n - 1, s + at);
			return n;
		}
	}
	if (left >= 3 && memcmp(s + at, "://", 3) == 0) {
		write_str(w, "[:]");
		return 1;
	}
	if (left >= 2 && s[at] == '<' &&
	    s[at + 1] == '!') { /* Slack's "everybody", through a template */
		write_str(w, "<[!]");
		return 2;
	}
	if (s[at] == '@' || (s[at] == '.' && dot_of_name(s, at, size))) {
		write_fmt(w, "[%c]", s[at]);
		return 1;
	}
	return 0;
}

void put_foreign(struct writer *w, const char *s, size_t size)
{
	size = strnlen(s, size);
	for (size_t i = 0; i < size;) {
		size_t n = put_defanged(w, s, i, size);
		i += n > 0 ? n : put_letter(w, s + i, size - i);
	}
}

/* Letters that nobody sees, or that change the order or place of others. */
static bool unseen(uint32_t v)
{
	static const uint32_t ranges[][2] = {
		{0x00, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},     {0x34f, 0x34f},
		{0x61c, 0x61c},      {0x115f, 0x1160}, {0x17b4, 0x17b5}, {0x180b, 0x180f},
		{0x200b, 0x200f},    {0x2028, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164},
		{0xfe00, 0xfe0f},    {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff0, 0xffff},
		{0xe0000, 0x10ffff},
	};
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
		if (v >= ranges[i][0] && v <= ranges[i][1])
			return true;
	return false;
}

void put_own(struct writer *w, const char *s, size_t size)
{
	size = strnlen(s, size);
	for (size_t i = 0; i < size;) {
		size_t len = text_utf8(s + i, size - i, NULL);
		if (len == 0 || unseen(letter_of(s + i, len))) {
			i += put_letter(w, s + i, size - i);
			continue;
		}
		if (w->len + len >= w->size) {
			w->full = true;
			return;
		}
		write_fmt(w, "%.*s", (int)len, s + i);
		i += len;
	}
}

void put_atom(struct writer *w, const char *s, size_t size)
{
	size = strnlen(s, size);
	size_t begin = w->len;
	for (size_t i = 0; i < size; i++) {
		bool fine = is_alnum(s[i]) || s[i] == '-' || s[i] == '_' ||
			    (s[i] == '.' && i > 0 && i + 1 < size && s[i - 1] != '.');
		write_fmt(w, "%c", fine ? s[i] : '-');
	}
	if (w->len == begin)
		write_str(w, "skep");
}

void put_cut(struct writer *w, const char *s, const char *(*unit)(char c))
{
	while (*s != '\0' && !w->full) {
		size_t len = text_utf8(s, strnlen(s, 4), NULL);
		const char *as = unit != NULL && len == 1 ? unit(*s) : NULL;
		size_t need = as != NULL ? strlen(as) : len;
		if (w->len + need + 4 > w->size) {
			write_str(w, "...");
			w->full = true;
		} else if (as != NULL) {
			write_str(w, as);
		} else {
			write_fmt(w, "%.*s", (int)len, s);
		}
		s += len > 0 ? len : 1;
	}
}
