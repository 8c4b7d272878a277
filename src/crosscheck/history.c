/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does a command keep itself, or what came before, out of the shell's history? Looked for where a command
 * stands, not anywhere in the text: who writes about it doesn't do it. Not a parser of shell: quotes hide
 * separators, and that is all.
 */
#include "crosscheck/crosscheck_priv.h"

#include <string.h>

#define WORDS 16u
#define WORD_SIZE 128u

struct words {
	unsigned n;
	char w[WORDS][WORD_SIZE];
};

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static bool starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

static const char *base_of(const char *s)
{
	const char *slash = strrchr(s, '/');

	return slash ? slash + 1 : s;
}

/* A shell's own file: ".bash_history". */
static bool is_history_file(const char *s)
{
	size_t n = strlen(s);

	return n >= 8 && is(s + n - 8, "_history") && base_of(s)[0] == '.';
}

static bool sets(const char *s)
{
	if (starts(s, "HISTFILE="))
		return s[9] == '\0' || is(s + 9, "/dev/null");
	return is(s, "HISTSIZE=0") || is(s, "HISTSIZE=") || is(s, "HISTFILESIZE=0") ||
	       is(s, "HISTIGNORE=*");
}

static bool is_variable(const char *s)
{
	return is(s, "HISTFILE") || is(s, "HISTSIZE") || is(s, "HISTFILESIZE");
}

static bool any(const struct words *w, unsigned from, bool (*what)(const char *))
{
	for (unsigned i = from; i < w->n; i++) {
		if (what(w->w[i]))
			return true;
	}
	return false;
}

static bool is_option_c_or_d(const char *s)
{
	return s[0] == '-' && (strchr(s, 'c') || strchr(s, 'd'));
}

static bool is_null(const char *s)
{
	return is(s, "/dev/null");
}

static bool is_assignment(const char *s)
{
	return strchr(s, '=') && s[0] != '-' && s[0] != '=';
}

/* Words that only stand before a command. */
static bool goes_before(const char *s)
{
	static const char *const names[] = {"sudo", "command", "builtin", "exec", "nohup",
					    "env",  "then",    "do",      "else", "!",
					    "{",    "time",    "if",      "while"};

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		if (is(base_of(s), names[i]))
			return true;
	}
	return false;
}

static bool empties_file(const struct words *w, unsigned at)
{
	static const char *const names[] = {"rm",  "shred", "unlink", "truncate",
					    "srm", "wipe",  "chattr"};
	const char *name = base_of(w->w[at]);

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		if (is(name, names[i]))
			return any(w, at + 1, is_history_file);
	}
	return (is(name, "ln") || is(name, "cp")) && any(w, at + 1, is_null) &&
	       any(w, at + 1, is_history_file);
}

static bool redirects(const struct words *w)
{
	for (unsigned i = 0; i < w->n; i++) {
		const char *s = w->w[i];

		if (s[0] != '>')
			continue;
		while (*s == '>' || *s == '|')
			s++;
		if (is_history_file(*s ? s : i + 1 < w->n ? w->w[i + 1] : ""))
			return true;
	}
	return false;
}

static bool command(const struct words *w)
{
	unsigned at = 0;
	const char *name;

	while (at < w->n && (is_assignment(w->w[at]) || goes_before(w->w[at]))) {
		if (sets(w->w[at]))
			return true;
		at++;
	}
	if (redirects(w))
		return true;
	if (at >= w->n)
		return false;
	name = w->w[at];
	if (is(name, "unset"))
		return any(w, at + 1, is_variable);
	if (is(name, "export") || is(name, "declare") || is(name, "typeset") || is(name, "local") ||
	    is(name, "readonly"))
		return any(w, at + 1, sets);
	if (is(name, "history"))
		return any(w, at + 1, is_option_c_or_d);
	if (is(name, "set"))
		return w->n > at + 2 && is(w->w[at + 1], "+o") && is(w->w[at + 2], "history");
	return empties_file(w, at);
}

struct reading {
	struct words w;
	size_t len; /* of the word that is read */
	char quote;
	bool open; /* a word has begun */
};

static void put(struct reading *r, char ch)
{
	r->open = true;
	if (r->w.n < WORDS && r->len < WORD_SIZE - 1)
		r->w.w[r->w.n][r->len++] = ch;
}

static void end_word(struct reading *r)
{
	if (r->open && r->w.n < WORDS) {
		r->w.w[r->w.n][r->len] = '\0';
		r->w.n++;
	}
	r->open = false;
	r->len = 0;
}

static bool end_command(struct reading *r)
{
	bool found;

	end_word(r);
	found = r->w.n && command(&r->w);
	r->w.n = 0;
	return found;
}

bool history_line(const char *line, size_t len)
{
	struct reading r = {.len = 0};

	for (size_t i = 0; i < len; i++) {
		char ch = line[i];

		if (r.quote) {
			if (ch == r.quote)
				r.quote = '\0';
			else
				put(&r, ch);
		} else if (ch == '\'' || ch == '"') {
			r.quote = ch;
			r.open = true;
		} else if (ch == '\\' && i + 1 < len) {
			put(&r, line[++i]);
		} else if (ch == '>' && r.open && r.len && r.w.n < WORDS &&
			   r.w.w[r.w.n][r.len - 1] != '>') {
			end_word(&r);
			put(&r, ch);
		} else if (ch && strchr(" \t", ch)) {
			end_word(&r);
		} else if (!ch || strchr(";|&\n()`", ch)) {
			if (ch == '|' && r.open && r.len && r.w.w[r.w.n][0] == '>')
				continue; /* >| */
			if (end_command(&r))
				return true;
		} else if (ch == '#' && !r.open) {
			while (i + 1 < len && line[i + 1] != '\n')
				i++;
		} else {
			put(&r, ch);
		}
	}
	return end_command(&r);
}

bool history_argv(const char *argv, size_t len)
{
	struct reading r = {.len = 0};

	for (size_t i = 0; i < len; i++) {
		if (argv[i])
			put(&r, argv[i]);
		else if (r.open)
			end_word(&r);
	}
	return end_command(&r);
}
