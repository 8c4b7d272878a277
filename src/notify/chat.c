/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chats: Slack, Discord, Teams (a workflow's card), ntfy. Each within the bounds that its maker documents; texts in
 * elements that know no markup where there are such, escaped where there are none, and nobody is ever mentioned.
 */
#include "notify/notify_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Slack: text and blocks -------------------------------------------------------------------- */

#define SLACK_HEADER 151 /* 150 characters and the terminator; so below */
#define SLACK_TEXT 3001
#define SLACK_BLOCKS 50

/* Slack takes these three in any text, plain or not. */
static const char *slack_unit(char c)
{
	return c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : NULL;
}

static json_t *slack_plain(const char *s)
{
	return json_pack("{s:s,s:s,s:b}", "type", "plain_text", "text", s[0] != '\0' ? s : "-",
			 "emoji", 0);
}

static void slack_block(json_t *blocks, const char *type, const char *s)
{
	if (s[0] != '\0' && json_array_size(blocks) < SLACK_BLOCKS)
		json_array_append_new(blocks,
				      json_pack("{s:s,s:o}", "type", type, "text", slack_plain(s)));
}

static void put_rows(struct writer *w, const struct letter *l, const char *(*unit)(char c))
{
	for (uint32_t i = 0; i < l->n_rows && !w->full; i++) {
		put_cut(w, i > 0 ? "\n" : "", NULL);
		put_cut(w, l->rows[i].label, unit);
		put_cut(w, ": ", NULL);
		put_cut(w, l->rows[i].value, unit);
	}
}

static void put_commands(struct writer *w, const struct letter *l, const char *(*unit)(char c))
{
	for (uint32_t i = 0; i < l->n_commands && !w->full; i++) {
		put_cut(w, i > 0 ? "\n$ " : "$ ", NULL);
		put_cut(w, l->commands[i], unit);
	}
}

static void put_held(struct writer *w, const struct letter *l, const char *(*unit)(char c))
{
	for (uint32_t i = 0; i < l->n_held && !w->full; i++) {
		put_cut(w, i > 0 ? "\n" : "", NULL);
		put_cut(w, l->held[i], unit);
	}
}

static void put_more(struct writer *w, const struct letter *l, const char *(*unit)(char c))
{
	for (uint32_t i = 0; i < l->n_more && !w->full; i++) {
		put_cut(w, i > 0 ? "\n" : "", NULL);
		put_cut(w, l->more[i].label, unit);
		put_cut(w, ": ", NULL);
		put_cut(w, l->more[i].value, unit);
	}
}

/* A block with a title, if put finds anything to say. */
static void slack_part(json_t *blocks, const struct letter *l, const char *title,
		       void (*put)(struct writer *w, const struct letter *l,
				   const char *(*unit)(char c)))
{
	char text[SLACK_TEXT];
	struct writer w = writer_of(text, sizeof(text));
	write_str(&w, title);
	size_t begin = w.len;
	put(&w, l, slack_unit);
	if (w.len > begin)
		slack_block(blocks, "section", text);
}

int slack_form(const struct letter *l, struct writer *w)
{
	char text[SLACK_TEXT], header[SLACK_HEADER];
	struct writer t = writer_of(text, sizeof(text)), h = writer_of(header, sizeof(header));
	put_cut(&h, l->subject, slack_unit);
	if (l->brief)
		return put_json(json_pack("{s:s,s:b}", "text", header, "mrkdwn", 0), w);
	json_t *blocks = json_array();
	slack_block(blocks, "header", header);
	put_cut(&t, l->lead, slack_unit);
	slack_block(blocks, "section", text);
	t = writer_of(text, sizeof(text));
	put_cut(&t, l->budget, slack_unit);
	slack_block(blocks, "section", text);
	slack_part(blocks, l, "", put_rows);
	slack_part(blocks, l, "Last commands:\n", put_commands);
	t = writer_of(text, sizeof(text));
	put_cut(&t, l->held_title, slack_unit);
	put_cut(&t, "\n", NULL);
	put_held(&t, l, slack_unit);
	if (l->n_held > 0)
		slack_block(blocks, "section", text);
	slack_part(blocks, l, "To look further:\n", put_more);
	t = writer_of(text, sizeof(text));
	put_cut(&t, l->footer, slack_unit);
	json_array_append_new(
		blocks, json_pack("{s:s,s:[o]}", "type", "context", "elements", slack_plain(text)));
	return put_json(json_pack("{s:s,s:b,s:b,s:b,s:o}", "text", header, "mrkdwn", 0,
				  "unfurl_links", 0, "unfurl_media", 0, "blocks", blocks),
			w);
}

/* ---- Discord: content and one embed ------------------------------------------------------------ */

#define DISCORD_CONTENT 2001
#define DISCORD_TEXT 2201 /* of 4096, since all of it together may have 6000 */
#define DISCORD_FIELD 1025
#define DISCORD_FOOTER 257

/* A backslash keeps a sign from being markup; the others are that only where a line begins, and none of ours does. */
static const char *discord_unit(char c)
{
	static const char signs[] = "\\*_~`|>#[]()<@:";
	static const char escaped[][3] = {"\\\\", "\\*", "\\_", "\\~", "\\`", "\\|", "\\>", "\\#",
					  "\\[",  "\\]", "\\(", "\\)", "\\<", "\\@", "\\:"};
	_Static_assert(ARRAY_LEN(escaped) == sizeof(signs) - 1, "one for each sign");
	const char *at = c != '\0' ? strchr(signs, c) : NULL;
	return at != NULL ? escaped[at - signs] : NULL;
}

static void discord_field(json_t *fields, const struct letter *l, const char *name,
			  void (*put)(struct writer *w, const struct letter *l,
				      const char *(*unit)(char c)))
{
	char text[DISCORD_FIELD];
	struct writer w = writer_of(text, sizeof(text));
	put(&w, l, discord_unit);
	if (w.len > 0)
		json_array_append_new(fields, json_pack("{s:s,s:s}", "name", name, "value", text));
}

static int discord_colour(uint8_t weight)
{
	return weight >= 8 ? 0xd63d3d : weight >= 6 ? 0xbf5700 : weight >= 4 ? 0x8d7407 : 0x3c79b7;
}

int discord_form(const struct letter *l, struct writer *w)
{
	char content[DISCORD_CONTENT], text[DISCORD_TEXT], footer[DISCORD_FOOTER];
	struct writer c = writer_of(content, sizeof(content)), t = writer_of(text, sizeof(text));
	struct writer f = writer_of(footer, sizeof(footer));
	put_cut(&c, l->subject, discord_unit);
	if (l->brief)
		return put_json(json_pack("{s:s,s:{s:[]}}", "content", content, "allowed_mentions",
					  "parse"),
				w);
	json_t *fields = json_array();
	put_cut(&t, l->lead, discord_unit);
	put_cut(&t, l->budget[0] != '\0' ? "\n\n" : "", NULL);
	put_cut(&t, l->budget, discord_unit);
	put_cut(&t, "\n\n", NULL);
	put_rows(&t, l, discord_unit);
	put_cut(&f, l->footer, NULL); /* knows no markup */
	discord_field(fields, l, "Last commands", put_commands);
	discord_field(fields, l, l->held_title, put_held);
	discord_field(fields, l, "To look further", put_more);
	return put_json(json_pack("{s:s,s:{s:[]},s:[{s:s,s:i,s:o,s:{s:s}}]}", "content", content,
				  "allowed_mentions", "parse", "embeds", "description", text,
				  "color", discord_colour(l->m->weight), "fields", fields, "footer",
				  "text", footer),
			w);
}

/* ---- Teams: a workflow that takes an adaptive card --------------------------------------------- */

#define TEAMS_LEAD 801
#define TEAMS_VALUE 401 /* all of a message must stay below 28 KB */
#define TEAMS_HELD 201
#define TEAMS_HELD_MOST 8

/* Runs of text know no markup, unlike blocks of text. Takes the reference of runs. */
static void teams_block(json_t *body, json_t *runs)
{
	json_array_append_new(body,
			      json_pack("{s:s,s:o}", "type", "RichTextBlock", "inlines", runs));
}

static json_t *teams_run(const char *s, size_t size, bool bold)
{
	char text[1024];
	struct writer w = writer_of(text, size < sizeof(text) ? size : sizeof(text));
	put_cut(&w, s, NULL);
	return json_pack("{s:s,s:s,s:s}", "type", "TextRun", "text", text, "weight",
			 bold ? "bolder" : "default");
}

static void teams_line(json_t *body, const char *label, const char *s, size_t size)
{
	char bold[64];
	struct writer w = writer_of(bold, sizeof(bold));
	write_fmt(&w, "%s: ", label);
	teams_block(body, json_pack("[o,o]", teams_run(bold, sizeof(bold), true),
				    teams_run(s, size, false)));
}

static void teams_title(json_t *body, const char *s, size_t size, bool large)
{
	json_t *run = teams_run(s, size, true);
	if (large)
		json_object_set_new(run, "size", json_string("large"));
	teams_block(body, json_pack("[o]", run));
}

/* Takes the reference of body. */
static int teams_card(json_t *body, struct writer *w)
{
	json_t *card = json_pack("{s:s,s:s,s:s,s:{s:s},s:o}", "$schema",
				 "http://adaptivecards.io/schemas/adaptive-card.json", "type",
				 "AdaptiveCard", "version", "1.4", "msteams", "width", "Full",
				 "body", body);
	return put_json(json_pack("{s:s,s:[{s:s,s:n,s:o}]}", "type", "message", "attachments",
				  "contentType", "application/vnd.microsoft.card.adaptive",
				  "contentUrl", "content", card),
			w);
}

int teams_form(const struct letter *l, struct writer *w)
{
	json_t *body = json_array();
	teams_title(body, l->subject, sizeof(l->subject), !l->brief);
	if (l->brief)
		return teams_card(body, w);
	teams_block(body, json_pack("[o]", teams_run(l->lead, TEAMS_LEAD, false)));
	if (l->budget[0] != '\0')
		teams_title(body, l->budget, sizeof(l->budget), false);
	for (uint32_t i = 0; i < l->n_rows; i++)
		teams_line(body, l->rows[i].label, l->rows[i].value, TEAMS_VALUE);
	if (l->n_commands > 0)
		teams_title(body, "Last commands", 32, false);
	for (uint32_t i = 0; i < l->n_commands; i++)
		teams_block(body, json_pack("[o]", teams_run(l->commands[i], TEAMS_VALUE, false)));
	if (l->n_held > 0)
		teams_title(body, l->held_title, sizeof(l->held_title), false);
	for (uint32_t i = 0; i < l->n_held && i < TEAMS_HELD_MOST; i++)
		teams_block(body, json_pack("[o]", teams_run(l->held[i], TEAMS_HELD, false)));
	for (uint32_t i = 0; i < l->n_more; i++)
		teams_line(body, l->more[i].label, l->more[i].value, 97);
	teams_block(body, json_pack("[o]", teams_run(l->footer, sizeof(l->footer), false)));
	return teams_card(body, w);
}

/* ---- ntfy: JSON to the server's root; the topic is the last part of the URL ---------------------- */

#define NTFY_TITLE 251
#define NTFY_MESSAGE 3901 /* of 4096: above that it would come as a file */
#define NTFY_TOPIC 65

static void topic(const struct conf_destination *to, char ret[NTFY_TOPIC])
{
	const char *url = to != NULL ? to->url : "", *at = strstr(url, "://"),
		   *s = at != NULL ? at + 3 : url;
	size_t n = 0, end = strcspn(s, "?#");
	const char *slash = memrchr(s, '/', end);
	for (const char *c = slash != NULL ? slash + 1 : s + end; c < s + end && n + 1 < NTFY_TOPIC;
	     c++)
		ret[n++] = *c > ' ' && *c < 0x7f ? *c : '-';
	ret[n] = '\0';
}

static void ntfy_parts(const struct letter *l, struct writer *t)
{
	put_cut(t, l->budget[0] != '\0' ? "\n\n" : "", NULL);
	put_cut(t, l->budget, NULL);
	put_cut(t, "\n\n", NULL);
	put_rows(t, l, NULL);
	put_cut(t, l->n_commands > 0 ? "\n\n" : "", NULL);
	put_commands(t, l, NULL);
	put_cut(t, l->n_held > 0 ? "\n\n" : "", NULL);
	put_cut(t, l->n_held > 0 ? l->held_title : "", NULL);
	put_cut(t, l->n_held > 0 ? "\n" : "", NULL);
	put_held(t, l, NULL);
}

int ntfy_form(const struct letter *l, struct writer *w)
{
	char name[NTFY_TOPIC], title[NTFY_TITLE], text[NTFY_MESSAGE];
	struct writer t = writer_of(text, sizeof(text)), h = writer_of(title, sizeof(title));
	uint8_t weight = l->m->weight;
	topic(l->to, name);
	put_cut(&h, l->brief ? l->from->sensor : l->subject, NULL);
	put_cut(&t, l->brief ? l->subject : l->lead, NULL);
	if (!l->brief)
		ntfy_parts(l, &t);
	return put_json(json_pack("{s:s,s:s,s:s,s:i,s:[s,s],s:b}", "topic", name, "title", title,
				  "message", text, "priority",
				  weight >= 8   ? 5
				  : weight >= 6 ? 4
				  : weight >= 3 ? 3
				  : weight >= 1 ? 2
						: 1,
				  "tags",
				  weight >= 8   ? "rotating_light"
				  : weight >= 6 ? "warning"
						: "eyes",
				  l->m->class < ALERT_CLASSES ? conf_alert_class_text(l->m->class)
							      : "alert",
				  "markdown", 0),
			w);
}
