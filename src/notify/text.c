/* SPDX-License-Identifier: BSD-2-Clause */
/* Plain text of at most 78 columns, readable in any mail program and terminal. */
#include "notify/notify_priv.h"

#include <string.h>

#define COLUMNS 76
#define LABEL 13

/* Columns that s takes until the next blank: letters, not bytes. */
static size_t word_columns(const char *s, size_t *ret_len)
{
	size_t columns = 0, i = 0;
	while (s[i] != '\0' && s[i] != ' ') {
		size_t n = text_utf8(s + i, strnlen(s + i, 4), NULL);
		i += n > 0 ? n : 1;
		columns++;
	}
	*ret_len = i;
	return columns;
}

/* Goes on at column; further lines begin after indent blanks. Words longer than a line are broken. */
static void put_wrapped(struct writer *w, const char *s, size_t column, size_t indent)
{
	for (bool first = true; *s != '\0'; first = false) {
		size_t len, columns = word_columns(s, &len), room = COLUMNS - indent;
		if (!first && column + 1 + columns > COLUMNS) {
			write_fmt(w, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!first) {
			write_str(w, " ");
			column++;
		}
		while (columns > room) {
			size_t part = 0;
			for (size_t i = 0; i < room; i++)
				part += text_utf8(s + part, strnlen(s + part, 4), NULL);
			write_fmt(w, "%.*s\n%*s", (int)part, s, (int)indent, "");
			s += part;
			len -= part;
			columns -= room;
			column = indent;
		}
		write_fmt(w, "%.*s", (int)len, s);
		s += len + (s[len] == ' ');
		column += columns;
	}
	write_str(w, "\n");
}

static void put_row(struct writer *w, const char *label, const char *value)
{
	write_fmt(w, "%-*s", LABEL, label);
	put_wrapped(w, value, LABEL, LABEL);
}

static void put_list(struct writer *w, const char *before, const char *s)
{
	write_fmt(w, "  %s ", before);
	put_wrapped(w, s, 4, 4);
}

void text_form(const struct letter *l, struct writer *w)
{
	put_wrapped(w, l->lead, 0, 0);
	if (l->budget[0] != '\0') {
		write_str(w, "\n");
		put_wrapped(w, l->budget, 0, 0);
	}
	if (l->n_rows > 0)
		write_str(w, "\n");
	for (uint32_t i = 0; i < l->n_rows; i++)
		put_row(w, l->rows[i].label, l->rows[i].value);
	if (l->n_commands > 0)
		write_str(w, "\nLast commands:\n");
	for (uint32_t i = 0; i < l->n_commands; i++)
		put_list(w, "$", l->commands[i]);
	if (l->n_held > 0)
		write_fmt(w, "\n%s:\n", l->held_title);
	for (uint32_t i = 0; i < l->n_held; i++)
		put_list(w, "*", l->held[i]);
	if (l->n_more > 0)
		write_str(w, "\nTo look further:\n");
	for (uint32_t i = 0; i < l->n_more; i++)
		write_fmt(w, "  %-28s %s\n", l->more[i].label, l->more[i].value);
	write_str(w, "\n--\n");
	put_wrapped(w, l->footer, 0, 0);
}
