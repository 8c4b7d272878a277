/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows for people and their editors: JSON Schema, reference page. */
#include "conf/write_priv.h"

#include <stdio.h>
#include <string.h>

/* ---- JSON Schema ----------------------------------------------------------------------------- */

static void json_text(struct writer *w, const char *s)
{
	write_str(w, "\"");
	for (; *s != '\0'; s++)
		write_fmt(w, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
	write_str(w, "\"");
}

#define WINDOW_PATTERN "^[0-9]+/[0-9]+(ms|s|m|h|d)$"
#define BYTE_WINDOW_PATTERN "^[0-9]+(KB|MB|GB)?/[0-9]+(ms|s|m|h|d)$"
#define PREFIX_PATTERN "^[0-9a-fA-F:.]+(/[0-9]+)?$"

#define WORD_PATTERN "^([0-9a-fA-F:.]+(/[0-9]+)?|[a-z]+)$"

static const char *const patterns[ROW_TYPES] = {
	[ROW_BYTES] = "^[0-9]+(KB|MB|GB)?$",
	[ROW_DURATION] = "^[0-9]+(ms|s|m|h|d)$",
	[ROW_NAME] = "^[a-z0-9][a-z0-9-]*$",
	[ROW_PATH] = "^/[A-Za-z0-9._/-]*$",
	[ROW_LINK] = "^[A-Za-z0-9._:][A-Za-z0-9._:-]*$",
	[ROW_ADDR] = "^[0-9a-fA-F:.]+$",
	[ROW_PREFIX] = PREFIX_PATTERN,
	[ROW_MAC] = "^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$",
	[ROW_LIMIT] = WINDOW_PATTERN,
	[ROW_PREFIXES] = PREFIX_PATTERN,
	[ROW_NAMES] = "^[a-z0-9][a-z0-9-]*$",
	[ROW_PORTS] = "^[0-9]+(-[0-9]+)?$",
	[ROW_BYTE_LIMIT] = BYTE_WINDOW_PATTERN,
	[ROW_TEXTS] = "^[ !#-\\[\\]-~]+$",
	[ROW_TEXT] = "^[ -~]+$",
};

static const char *pattern_of(const struct row *row)
{
	if (row->form != NULL)
		return row->form->pattern;
	if (row->type == ROW_TEXT && row->lines)
		return "^[\\t\\n -~]+$";
	if (row->type == ROW_PREFIXES && row->choices != NULL)
		return WORD_PATTERN;
	return patterns[row->type];
}

static bool has_length(const struct row *row)
{
	return row->type == ROW_NAME || row->type == ROW_PATH || row->type == ROW_LINK ||
	       row->type == ROW_TEXTS || row->type == ROW_TEXT;
}

static void schema_string(struct writer *w, const struct row *row)
{
	bool number = row->type == ROW_BYTES || row->type == ROW_PORTS || row->form == &form_number;
	write_fmt(w, "{\"type\": %s, \"pattern\": ",
		  number ? "[\"string\", \"integer\"]" : "\"string\"");
	json_text(w, pattern_of(row));
	if (has_length(row))
		write_fmt(w, ", \"minLength\": %llu, \"maxLength\": %llu",
			  (unsigned long long)row->min, (unsigned long long)row->max);
	write_str(w, "}");
}

static void schema_type(struct writer *w, const struct row *row)
{
	if (row->type == ROW_BOOL) {
		write_str(w, "{\"type\": \"boolean\"}");
	} else if (row->type == ROW_ENUM) {
		write_str(w, "{\"enum\": [");
		for (const struct row_choice *c = row->choices; c->name != NULL; c++)
			write_fmt(w, "%s\"%s\"", c == row->choices ? "" : ", ", c->name);
		write_str(w, "]}");
	} else if (row->type == ROW_UINT) {
		write_fmt(w, "{\"type\": \"integer\", \"minimum\": %llu, \"maximum\": %llu}",
			  (unsigned long long)row->min, (unsigned long long)row->max);
	} else if (row_is_list(row)) {
		write_str(w, "{\"anyOf\": [");
		schema_string(w, row);
		write_fmt(
			w,
			", {\"type\": \"array\", \"minItems\": %d, \"maxItems\": %zu, \"items\": ",
			row_is_limit(row), row_most(row));
		schema_string(w, row);
		write_str(w, "}]}");
	} else {
		schema_string(w, row);
	}
}

static void schema_row(struct writer *w, const struct row *row, const char *key, int indent)
{
	write_fmt(w, "%*s\"%s\": {\"description\": ", indent, "", key);
	json_text(w, row->help);
	write_str(w, ", \"anyOf\": [");
	schema_type(w, row);
	if (row->empty != NULL)
		write_fmt(w, ", {\"const\": \"%s\"}", row->empty);
	if (row->word != NULL)
		write_fmt(w, ", {\"const\": \"%s\"}", row->word);
	write_str(w, "]}");
}

static void schema_map(const struct part *p)
{
	char prefix[64];
	const char *key, *open = NULL;
	size_t open_len = 0;
	bool first = true;
	write_fmt(p->w, "%*s\"additionalProperties\": false,\n%*s\"properties\": {\n", p->indent,
		  "", p->indent, "");
	for (size_t i = 0; i < p->n; i++) {
		size_t len = row_key_in(p->rows[i].path, p->prefix, &key);
		if (len == 0 || (open != NULL && len == open_len && memcmp(key, open, len) == 0))
			continue;
		write_str(p->w, first ? "" : ",\n");
		first = false;
		if (key[len] == '\0') {
			schema_row(p->w, &p->rows[i], key, p->indent + 2);
			continue;
		}
		open = key;
		open_len = len;
		snprintf(prefix, sizeof(prefix), "%s%.*s.", p->prefix, (int)len, key);
		write_fmt(p->w, "%*s\"%.*s\": {\n%*s\"type\": [\"object\", \"null\"],\n%*s",
			  p->indent + 2, "", (int)len, key, p->indent + 4, "", p->indent + 4, "");
		write_str(p->w, "\"description\": ");
		json_text(p->w, group_help(prefix));
		write_str(p->w, ",\n");
		struct part inner = *p;
		inner.prefix = prefix;
		inner.indent += 4;
		schema_map(&inner);
		write_fmt(p->w, "\n%*s}\n%*s}", p->indent + 4, "", p->indent + 2, "");
	}
}

static void schema_list(struct writer *w, const char *name, const struct row *rows, size_t n,
			unsigned most, const char *required)
{
	struct part p = {w, rows, n, "", NULL, 8, false};
	write_fmt(w,
		  ",\n    \"%s\": {\n      \"type\": [\"array\", \"null\"],\n      \"maxItems\": "
		  "%u,\n"
		  "      \"items\": {\n        \"type\": \"object\",\n        \"required\": %s,\n",
		  name, most, required);
	schema_map(&p);
	write_str(w, "\n        }\n      }\n    }");
}

void conf_write_schema(struct writer *w)
{
	struct part p = {w, conf_rows, conf_rows_n, "", NULL, 2, false};
	write_str(w, "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
		     "  \"title\": \"skep configuration\",\n  \"type\": [\"object\", \"null\"],\n");
	schema_map(&p);
	schema_list(w, "guests", conf_guest_rows, conf_guest_rows_n, CONF_GUESTS, "[\"name\"]");
	schema_list(w, "forwards", conf_forward_rows, conf_forward_rows_n, CONF_FORWARDS,
		    "[\"guest\"]");
	schema_list(w, "policy", conf_policy_rows, conf_policy_rows_n, CONF_POLICY,
		    "[\"verdict\"]");
	schema_list(w, "destinations", conf_destination_rows, conf_destination_rows_n,
		    CONF_DESTINATIONS, "[\"name\", \"kind\"]");
	schema_list(w, "quiet", conf_quiet_rows, conf_quiet_rows_n, CONF_QUIET, "[]");
	schema_list(w, "alert_classes", conf_class_rows, conf_class_rows_n, ALERT_CLASSES,
		    "[\"class\"]");
	write_str(w, "\n  }\n}\n");
}

/* ---- reference page -------------------------------------------------------------------------- */

static void reference_range(struct writer *w, const struct row *row)
{
	if (row->type == ROW_ENUM) {
		for (const struct row_choice *c = row->choices; c->name != NULL; c++)
			write_fmt(w, "%s`%s`", c == row->choices ? "" : ", ", c->name);
		return;
	}
	write_str(w, row_form(row));
	if (row->type == ROW_UINT || row->type == ROW_BYTES || row->type == ROW_DURATION) {
		write_str(w, ", ");
		row_write_number(w, row, row->min);
		write_str(w, " to ");
		row_write_number(w, row, row->max);
	}
	if (has_length(row) && row->type != ROW_TEXTS && row->min != row->max)
		write_fmt(w, ", at most %llu characters", (unsigned long long)row->max);
	if (row->unit != NULL)
		write_fmt(w, " (%s)", row->unit);
	if (row->empty != NULL && !row_is_limit(row))
		write_fmt(w, ", or `%s`", row->empty);
	if (row->word != NULL)
		write_fmt(w, ", or `%s`", row->word);
}

static const char *other_name(const struct row *row)
{
	bool destination = row >= conf_destination_rows &&
			   row < conf_destination_rows + conf_destination_rows_n;
	return destination ? "short form" : "loghost";
}

static void reference_row(struct writer *w, const struct row *row)
{
	write_fmt(w, "| `%s` | ", row->path);
	if (row->text[0] == '\0')
		write_str(w, row_is_list(row) ? "`[]`" : "must be given");
	else if (row->text_other != NULL && strcmp(row->path, "kind") != 0)
		write_fmt(w, "`%s`; of a %s `%s`", row->text, other_name(row), row->text_other);
	else
		write_fmt(w, row_is_list(row) && row->type == ROW_TEXTS ? "`[%s]`" : "`%s`",
			  row->text);
	write_str(w, " | ");
	reference_range(w, row);
	write_fmt(w, " | %s | %s |\n", row->live ? "live" : "restart", row->help);
}

static void reference_table(struct writer *w, const struct row *rows, size_t n, const char *prefix)
{
	size_t skip = strlen(prefix);
	write_str(w, "\n| setting | default | takes | change | meaning |\n|---|---|---|---|---|\n");
	for (size_t i = 0; i < n; i++)
		if (strncmp(rows[i].path, prefix, skip) == 0 &&
		    strchr(rows[i].path + skip, '.') == NULL)
			reference_row(w, &rows[i]);
}

void conf_write_reference(struct writer *w)
{
	write_str(w,
		  "<!-- Generated by `skep config reference`. Edit src/conf/rows.c and "
		  "rows_alerts.c instead. -->\n"
		  "# Configuration\n\n"
		  "One YAML file: `-c FILE`, else `$SKEP_CONF`, else `/etc/skep/skep.yaml`; "
		  "without any, "
		  "the built-in lab.\n`skep config example` writes one with every setting, `skep "
		  "check "
		  "FILE` validates one, `skep config schema`\nprints a JSON Schema for editors. "
		  "Plain "
		  "YAML only: no anchors, aliases, tags or second documents.\n"
		  "Under *change*, `restart` needs `skep down` and `skep up`; `live` does not "
		  "belong to "
		  "anything set up at start.\n");
	reference_table(w, conf_rows, conf_rows_n, "");
	for (size_t i = 0; i < conf_groups_n; i++) {
		char prefix[64];
		snprintf(prefix, sizeof(prefix), "%s.", conf_groups[i].path);
		write_fmt(w, "\n## %s\n\n%s\n", conf_groups[i].path, conf_groups[i].help);
		reference_table(w, conf_rows, conf_rows_n, prefix);
	}
	write_str(w, "\n## guests\n\nA list of at most 16. Giving it replaces the built-in one.\n");
	reference_table(w, conf_guest_rows, conf_guest_rows_n, "");
	write_str(w,
		  "\n## forwards\n\nA list of at most 16 ports of public addresses that lead to a "
		  "guest. Giving it replaces the built-in one.\n");
	reference_table(w, conf_forward_rows, conf_forward_rows_n, "");
	write_str(w,
		  "\n## policy\n\nA list of at most 32 rules for the conversations that guests "
		  "begin; the first that matches decides, and what none matches is dropped. Empty: "
		  "the built-in policy. See [POLICY.md](POLICY.md).\n");
	reference_table(w, conf_policy_rows, conf_policy_rows_n, "");
	write_str(w, "\n## destinations\n\nA list of at most 8. Giving it replaces the built-in "
		     "one, `local`, which keeps messages to be read with `skep alerts`. See "
		     "[ALERTS.md](ALERTS.md).\n");
	reference_table(w, conf_destination_rows, conf_destination_rows_n, "");
	write_str(w, "\n## quiet\n\nA list of at most 32 rules. Nobody is told of what matches "
		     "all that a rule gives.\n");
	reference_table(w, conf_quiet_rows, conf_quiet_rows_n, "");
	write_str(w, "\n## alert_classes\n\nA list of classes of alerts that come otherwise than "
		     "built in.\n");
	reference_table(w, conf_class_rows, conf_class_rows_n, "");
}
