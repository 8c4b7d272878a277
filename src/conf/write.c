/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows as YAML: example, effective values. */
#include "conf/write_priv.h"

#include <stdio.h>
#include <string.h>

#define COMMENT_COLUMNS 96
#define VALUE_TEXT 8192

size_t row_key_in(const char *path, const char *prefix, const char **ret_key)
{
	size_t skip = strlen(prefix);
	if (strncmp(path, prefix, skip) != 0)
		return 0;
	*ret_key = path + skip;
	return strcspn(path + skip, ".");
}

const char *group_help(const char *prefix)
{
	for (size_t i = 0; i < conf_groups_n; i++) {
		size_t len = strlen(conf_groups[i].path);
		if (strncmp(conf_groups[i].path, prefix, len) == 0 &&
		    strcmp(prefix + len, ".") == 0)
			return conf_groups[i].help;
	}
	return "";
}

/* ---- YAML ------------------------------------------------------------------------------------ */

static void write_comment(struct writer *w, int indent, const char *text)
{
	int column = COMMENT_COLUMNS + 1;
	bool first = true;
	for (const char *p = text; *p != '\0';) {
		int len = (int)strcspn(p, " ");
		if (column + len >= COMMENT_COLUMNS) {
			write_fmt(w, "%s%*s#", first ? "" : "\n", indent, "");
			column = indent + 1;
			first = false;
		}
		write_fmt(w, " %.*s", len, p);
		column += len + 1;
		p += len;
		p += strspn(p, " ");
	}
	write_str(w, "\n");
}

static void row_comment(const struct part *p, const struct row *row)
{
	char text[512];
	struct writer w = writer_of(text, sizeof(text));
	write_str(&w, row->help);
	if (row->type == ROW_ENUM) {
		write_str(&w, " (");
		for (const struct row_choice *c = row->choices; c->name != NULL; c++)
			write_fmt(&w, "%s%s", c == row->choices ? "" : ", ", c->name);
		write_str(&w, ")");
	} else if (row->unit != NULL) {
		write_fmt(&w, " (%s)", row->unit);
	}
	write_comment(p->w, p->indent, text);
}

/* Quotes wherever some YAML reader might see a number, a map or nothing. */
static void yaml_scalar(struct writer *w, const char *text, size_t len)
{
	bool quote = len == 0 || memchr(text, ':', len) != NULL;
	write_fmt(w, "%s%.*s%s", quote ? "\"" : "", (int)len, text, quote ? "\"" : "");
}

/* With what YAML (and JSON) escape between double quotes. */
static void yaml_quoted(struct writer *w, const char *text)
{
	write_str(w, "\"");
	for (; *text != '\0'; text++) {
		if (*text == '\n' || *text == '\t')
			write_str(w, *text == '\n' ? "\\n" : "\\t");
		else
			write_fmt(w, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	}
	write_str(w, "\"");
}

/* Always quoted: most of them have what YAML gives a meaning. */
static void yaml_texts(struct writer *w, const struct row *row, const void *base)
{
	uint32_t n;
	memcpy(&n, (const char *)base + row->count_offset, sizeof(n));
	write_str(w, "[");
	for (uint32_t i = 0; i < n && i < row->size / row->item; i++)
		write_fmt(w, "%s\"%s\"", i > 0 ? ", " : "",
			  (const char *)base + row->offset + i * row->item);
	write_str(w, "]");
}

static void yaml_value(struct writer *w, const struct row *row, const void *base)
{
	char text[VALUE_TEXT];
	struct writer v = writer_of(text, sizeof(text));
	if (row->type == ROW_TEXTS) {
		yaml_texts(w, row, base);
		return;
	}
	row_write(&v, row, base);
	if (row->type == ROW_TEXT && (row->empty == NULL || strcmp(text, row->empty) != 0)) {
		yaml_quoted(w, text);
		return;
	}
	bool list = row_is_list(row) && (!row_is_limit(row) || strchr(text, ',') != NULL);
	if (!list) {
		yaml_scalar(w, text, strlen(text));
		return;
	}
	write_str(w, "[");
	for (const char *p = text; *p != '\0';) {
		size_t len = strcspn(p, ",");
		yaml_scalar(w, p, len);
		p += len;
		p += strspn(p, ", ");
		write_str(w, *p != '\0' ? ", " : "");
	}
	write_str(w, "]");
}

/* Recursion is as deep as our own rows have dots. */
static void yaml_map(const struct part *p)
{
	char prefix[64];
	const char *key, *open = NULL;
	size_t open_len = 0;
	for (size_t i = 0; i < p->n; i++) {
		size_t len = row_key_in(p->rows[i].path, p->prefix, &key);
		if (len == 0 || (open != NULL && len == open_len && memcmp(key, open, len) == 0))
			continue;
		if (key[len] == '\0') {
			if (p->comments)
				row_comment(p, &p->rows[i]);
			write_fmt(p->w, "%*s%s: ", p->indent, "", key);
			yaml_value(p->w, &p->rows[i], p->base);
			write_str(p->w, "\n");
			continue;
		}
		open = key;
		open_len = len;
		snprintf(prefix, sizeof(prefix), "%s%.*s.", p->prefix, (int)len, key);
		if (p->comments)
			write_str(p->w, "\n");
		if (p->comments)
			write_comment(p->w, p->indent, group_help(prefix));
		write_fmt(p->w, "%*s%.*s:\n", p->indent, "", (int)len, key);
		struct part inner = *p;
		inner.prefix = prefix;
		inner.indent += 2;
		yaml_map(&inner);
	}
}

/* One item of a list: the first key follows the dash. Comments only once, at the first item. */
static void yaml_item(struct writer *w, const struct row *rows, size_t n, const void *base,
		      bool comments)
{
	struct part p = {w, rows, n, "", base, 4, comments};
	for (size_t i = 0; i < n; i++) {
		if (comments)
			row_comment(&p, &rows[i]);
		write_fmt(w, "%s%s: ", i == 0 ? "  - " : "    ", rows[i].path);
		yaml_value(w, &rows[i], base);
		write_str(w, "\n");
	}
}

void conf_write_policy(struct writer *w, const struct conf *c)
{
	write_str(w, c->wall.n_policy > 0 ? "policy:\n" : "policy: []\n");
	for (uint32_t i = 0; i < c->wall.n_policy; i++)
		yaml_item(w, conf_policy_rows, conf_policy_rows_n, &c->wall.policy[i], false);
}

static void yaml_alerts(struct writer *w, const struct conf_alerts *a, bool comments)
{
	if (comments)
		write_str(w, "\n# Who is told; this list replaces the built-in one "
			     "(docs/ALERTS.md).\n");
	write_str(w, a->n_to > 0 ? "destinations:\n" : "destinations: []\n");
	for (uint32_t i = 0; i < a->n_to; i++)
		yaml_item(w, conf_destination_rows, conf_destination_rows_n, &a->to[i],
			  comments && i == 0);
	if (comments)
		write_str(w, "\n# What nobody is told of, on top of the built-in quiet rules.\n");
	write_str(w, a->n_quiet > 0 ? "quiet:\n" : "quiet: []\n");
	for (uint32_t i = 0; i < a->n_quiet; i++)
		yaml_item(w, conf_quiet_rows, conf_quiet_rows_n, &a->quiet[i], false);
	if (comments)
		write_str(w, "\n# Classes of alerts that come otherwise than built in.\n");
	write_str(w, a->n_classes > 0 ? "alert_classes:\n" : "alert_classes: []\n");
	for (uint32_t i = 0; i < a->n_classes; i++)
		yaml_item(w, conf_class_rows, conf_class_rows_n, &a->classes[i], false);
}

static void yaml_lists(struct writer *w, const struct conf *c, bool comments)
{
	if (comments)
		write_str(w, "\n# The virtual machines; this list replaces the built-in one.\n");
	write_str(w, c->n_guests > 0 ? "guests:\n" : "guests: []\n");
	for (uint32_t i = 0; i < c->n_guests; i++)
		yaml_item(w, conf_guest_rows, conf_guest_rows_n, &c->guests[i], comments && i == 0);
	if (comments)
		write_str(w, "\n# Ports of public addresses that lead to a guest.\n");
	write_str(w, c->n_forwards > 0 ? "forwards:\n" : "forwards: []\n");
	for (uint32_t i = 0; i < c->n_forwards; i++)
		yaml_item(w, conf_forward_rows, conf_forward_rows_n, &c->forwards[i],
			  comments && i == 0);
	if (comments)
		write_str(w, "\n# The containment policy: rules for what guests begin, first match "
			     "wins, nothing else passes.\n# Empty: the built-in policy "
			     "(docs/POLICY.md).\n");
	conf_write_policy(w, c);
	yaml_alerts(w, &c->alerts, comments);
}

void conf_write_values(struct writer *w, const struct conf *c)
{
	struct part p = {w, conf_rows, conf_rows_n, "", c, 0, false};
	yaml_map(&p);
	yaml_lists(w, c, false);
}

void conf_write_example(struct writer *w)
{
	struct conf c;
	struct part p = {w, conf_rows, conf_rows_n, "", &c, 0, true};
	conf_defaults(&c);
	write_str(w,
		  "# Configuration of skep: every setting at its default. Keep the lines you "
		  "change,\n# delete the rest; `skep check FILE` tells what is wrong with it.\n\n");
	yaml_map(&p);
	yaml_lists(w, &c, true);
}
