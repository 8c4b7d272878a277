/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTML for a phone: one column, inline style, nothing that is fetched, run or can be clicked. Colours are those that
 * can be read on white as on black, for mail programs that turn a page dark by themselves.
 */
#include "notify/notify_priv.h"

#include <string.h>

#define GREY "#757575" /* contrast 4.6 on white as on black */
#define PART "<p style=\"margin:18px 0 4px;font-weight:bold\">"
#define CODE "<div style=\"font:13px/1.4 monospace;overflow-wrap:anywhere;margin:2px 0\">"

static const char *unit(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	case '`': /* quotes an attribute for very old browsers */
		return "&#96;";
	default:
		return NULL;
	}
}

static void put_html(struct writer *w, const char *s)
{
	put_cut(w, s, unit);
}

static const char *colour(uint8_t weight)
{
	return weight >= 8   ? "#d63d3d"
	       : weight >= 6 ? "#bf5700"
	       : weight >= 4 ? "#8d7407"
			     : "#3c79b7";
}

static void put_head(const struct letter *l, struct writer *w)
{
	write_str(w, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		     "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
		     "<meta name=\"color-scheme\" content=\"light dark\">\n"
		     "<meta name=\"format-detection\" "
		     "content=\"telephone=no,date=no,address=no,email=no,url=no\">\n<title>");
	put_html(w, l->subject);
	write_str(w,
		  "</title></head>\n<body style=\"margin:0;padding:0;color-scheme:light dark\">\n"
		  "<div style=\"max-width:600px;margin:0 auto;padding:14px;"
		  "font:16px/1.45 sans-serif;overflow-wrap:anywhere\">\n");
	write_fmt(w, "<div style=\"border-left:6px solid %s;padding:2px 0 2px 12px\">\n",
		  colour(l->m->weight));
	write_fmt(
		w,
		"<div style=\"color:%s;font-weight:bold\">%s</div>\n<div style=\"font-size:18px\">",
		colour(l->m->weight), say_title(l->m));
	put_html(w, l->lead);
	write_str(w, "</div>\n</div>\n");
	if (l->budget[0] == '\0')
		return;
	write_str(w, "<p style=\"border:1px solid " GREY ";padding:8px;margin:14px 0 0\">");
	put_html(w, l->budget);
	write_str(w, "</p>\n");
}

static void put_rows(const struct letter *l, struct writer *w)
{
	for (uint32_t i = 0; i < l->n_rows; i++) {
		write_fmt(w,
			  "<div style=\"margin:%s 0 0\"><span style=\"color:" GREY
			  ";font-size:13px\">%s"
			  "</span><br>",
			  i == 0 ? "16px" : "6px", l->rows[i].label);
		put_html(w, l->rows[i].value);
		write_str(w, "</div>\n");
	}
}

void html_form(const struct letter *l, struct writer *w)
{
	put_head(l, w);
	put_rows(l, w);
	if (l->n_commands > 0)
		write_str(w, PART "Last commands</p>\n");
	for (uint32_t i = 0; i < l->n_commands; i++) {
		write_str(w, CODE "$ ");
		put_html(w, l->commands[i]);
		write_str(w, "</div>\n");
	}
	if (l->n_held > 0) {
		write_str(w, PART);
		put_html(w, l->held_title);
		write_str(w, "</p>\n");
	}
	for (uint32_t i = 0; i < l->n_held; i++) {
		write_str(w, "<div style=\"margin:4px 0\">");
		put_html(w, l->held[i]);
		write_str(w, "</div>\n");
	}
	if (l->n_more > 0)
		write_str(w, PART "To look further</p>\n");
	for (uint32_t i = 0; i < l->n_more; i++) {
		write_fmt(w, "<div style=\"margin:4px 0\">%s<br>" CODE, l->more[i].label);
		put_html(w, l->more[i].value);
		write_str(w, "</div></div>\n");
	}
	write_str(w, "<p style=\"margin:20px 0 0;color:" GREY ";font-size:13px\">");
	put_html(w, l->footer);
	write_str(w, "</p>\n</div>\n</body></html>\n");
}
