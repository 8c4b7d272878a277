/* SPDX-License-Identifier: BSD-2-Clause */
/* Pieces of text that is read where it lies, and what is said of those that are left out. */
#include "facts/facts_priv.h"

#include <string.h>

struct span span_cut(struct span *s, const char *stops)
{
	struct span cut = {s->at, 0};

	while (cut.len < s->len &&
	       (s->at[cut.len] == '\0' || strchr(stops, s->at[cut.len]) == NULL))
		cut.len++;
	size_t eaten = cut.len < s->len ? cut.len + 1 : cut.len;

	s->at += eaten;
	s->len -= eaten;
	return cut;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

struct span span_trim(struct span s)
{
	while (s.len > 0 && is_blank(s.at[0])) {
		s.at++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

bool span_is(struct span s, const char *word)
{
	return s.len == strlen(word) && memcmp(s.at, word, s.len) == 0;
}

bool span_number(struct span s, uint32_t most, uint32_t *ret)
{
	uint64_t v = 0;

	if (s.len == 0 || s.len > 10)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s.at[i] - '0');
	}
	if (v > most)
		return false;
	*ret = (uint32_t)v;
	return true;
}

int64_t made_at(int64_t seconds)
{
	const int64_t most = INT64_MAX / NS_PER_SEC;

	if (seconds < 1)
		return NS_PER_SEC;
	return (seconds < most ? seconds : most) * NS_PER_SEC;
}

void why_say(struct writer *why, const char *what, const char *text)
{
	write_fmt(why, "%s%s: %s", why->len > 0 ? "; " : "", what, text);
}

void why_lines(struct writer *why, const char *what, uint32_t n, uint32_t first)
{
	if (n > 0)
		write_fmt(why, "%s%s: %u lines left out, the first is line %u",
			  why->len > 0 ? "; " : "", what, n, first);
}
