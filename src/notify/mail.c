/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mail (RFC 5322, MIME): plain text and HTML, or for pagers plain text only. Header lines are built of ASCII and
 * encoded words alone, each through put_header, so that nothing in a value can end its line.
 */
#include "notify/notify_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PART (40u << 10)
#define LINE 76

struct mail {
	struct writer *w;
	const char *nl;
};

/* Quoted-printable (RFC 2045); "\n" in s is a line's end. */
static void put_quoted(struct mail *m, const char *s)
{
	size_t column = 0;
	for (; *s != '\0'; s++) {
		char piece[4];
		struct writer p = writer_of(piece, sizeof(piece));
		if (*s == '\n') {
			write_str(m->w, m->nl);
			column = 0;
			continue;
		}
		bool last = s[1] == '\0' || s[1] == '\n';
		bool fine = *s >= ' ' && *s < 0x7f && *s != '=' && !(*s == ' ' && last);
		if (column + (fine ? 1 : 3) > LINE - 1) { /* one more for the soft break */
			write_fmt(m->w, "=%s", m->nl);
			column = 0;
		}
		/* No line is a lone dot or begins like a mailbox's "From ", be it by our own breaks. */
		fine = fine && !(column == 0 && (*s == '.' || *s == 'F'));
		write_fmt(&p, fine ? "%c" : "=%02X", fine ? *s : (uint8_t)*s);
		write_str(m->w, piece);
		column += p.len;
	}
}

static void put_base64(struct writer *w, const char *s, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = (const uint8_t *)s;
	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < len ? (uint32_t)p[i + 1] << 8 : 0) |
			     (i + 2 < len ? p[i + 2] : 0);
		write_fmt(w, "%c%c%c%c", digits[v >> 18], digits[v >> 12 & 63],
			  i + 1 < len ? digits[v >> 6 & 63] : '=',
			  i + 2 < len ? digits[v & 63] : '=');
	}
}

/* A value of any UTF-8 as encoded words of whole letters (RFC 2047), each at most 75 long. */
static void put_words(struct mail *m, const char *s)
{
	for (bool first = true; *s != '\0'; first = false) {
		size_t len = 0;
		for (size_t n; s[len] != '\0'; len += n) {
			n = text_utf8(s + len, strnlen(s + len, 4), NULL);
			n = n > 0 ? n : 1;
			if (len + n >
			    (first ? 33 : 42)) /* the first shares its line with the name */
				break;
		}
		write_fmt(m->w, "%s%s=?UTF-8?B?", first ? "" : m->nl, first ? "" : " ");
		put_base64(m->w, s, len);
		write_str(m->w, "?=");
		s += len;
	}
}

static bool is_ascii(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s < ' ' || *s >= 0x7f)
			return false;
	return true;
}

/* Folded at blanks; a word too long for a line stands on one of its own, up to the bound of 998. */
static void put_header(struct mail *m, const char *name, const char *value)
{
	size_t column = strlen(name) + 2;
	if (!is_ascii(value) || strstr(value, "=?") != NULL) {
		write_fmt(m->w, "%s: ", name);
		put_words(m, value);
		write_str(m->w, m->nl);
		return;
	}
	write_fmt(m->w, "%s: ", name);
	while (*value != '\0') {
		size_t len = strcspn(value, " "), blanks = strspn(value + len, " ");
		write_fmt(m->w, "%.*s", (int)(len < 900 ? len : 900), value);
		column += len;
		value += len + blanks;
		if (*value == '\0')
			break;
		bool fold = column + 1 + strcspn(value, " ") > LINE;
		write_fmt(m->w, "%s ", fold ? m->nl : "");
		column = fold ? 1 : column + 1;
	}
	write_str(m->w, m->nl);
}

/* What the configuration names as an address; anything that could be more than one, or none, is left out. */
static bool address_fine(const char *s, size_t size)
{
	size_t n = strnlen(s, size);
	if (n == 0 || n == size)
		return false;
	const char *at = strchr(s, '@'); /* none: a user of this machine, for sendmail */
	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] >= 0x7f || strchr("<>,;:\"()[]\\", s[i]) != NULL)
			return false;
	return at == NULL || (at > s && at[1] != '\0' && strchr(at + 1, '@') == NULL);
}

static void put_from(struct mail *m, const struct letter *l)
{
	char value[512];
	struct writer w = writer_of(value, sizeof(value));
	write_str(&w, "\"skep");
	if (strcmp(l->from->sensor, "skep") != 0) { /* a sensor of the default name says it once */
		write_str(&w, " ");
		put_atom(&w, l->from->sensor, CONF_NAME);
	}
	write_str(&w, "\" <");
	if (l->to != NULL && address_fine(l->to->from, sizeof(l->to->from))) {
		write_str(&w, l->to->from);
	} else {
		write_str(&w, "skep@");
		put_atom(&w, l->from->domain, CONF_MAIL);
	}
	write_str(&w, ">");
	put_header(m, "From", value);
}

static void put_to(struct mail *m, const struct letter *l)
{
	char value[CONF_MAILS * (CONF_MAIL + 2)];
	struct writer w = writer_of(value, sizeof(value));
	for (uint32_t i = 0; l->to != NULL && i < l->to->n_to && i < CONF_MAILS; i++)
		if (address_fine(l->to->to[i], sizeof(l->to->to[i])))
			write_fmt(&w, "%s%s", w.len > 0 ? ", " : "", l->to->to[i]);
	put_header(m, "To", w.len > 0 ? value : "undisclosed-recipients:;");
}

static void put_id(struct mail *m, const struct letter *l, const char *name, uint64_t number)
{
	char value[256];
	struct writer w = writer_of(value, sizeof(value));
	write_fmt(&w, "<%llu.", (unsigned long long)number);
	put_atom(&w, l->from->name, CONF_NAME);
	write_str(&w, "@");
	put_atom(&w, l->from->domain, 128);
	write_str(&w, ">");
	put_header(m, name, value);
}

static void put_number(struct mail *m, const char *name, uint64_t n)
{
	char value[24];
	struct writer w = writer_of(value, sizeof(value));
	write_fmt(&w, "%llu", (unsigned long long)n);
	put_header(m, name, value);
}

static void put_ours(struct mail *m, const struct letter *l)
{
	char value[256];
	struct writer w = writer_of(value, sizeof(value));
	put_header(m, "Auto-Submitted", "auto-generated");
	write_str(&w, "<alerts.");
	put_atom(&w, l->from->name, CONF_NAME);
	write_str(&w, ".");
	put_atom(&w, l->from->domain, 128);
	write_str(&w, ">");
	put_header(m, "List-Id", value);
	if (l->m->weight >= 7) {
		put_header(m, "Importance", "high");
		put_header(m, "X-Priority", "1");
	}
	put_header(m, "X-Skep-Class",
		   l->m->class < ALERT_CLASSES ? conf_alert_class_text(l->m->class) : "none");
	put_header(m, "X-Skep-Kind", alert_kind_text(l->m->kind));
	w = writer_of(value, sizeof(value));
	put_plain(&w, l->from->sensor, CONF_NAME);
	put_header(m, "X-Skep-Sensor", value);
	w = writer_of(value, sizeof(value));
	put_foreign(&w, l->m->what.guest, sizeof(l->m->what.guest));
	if (w.len > 0)
		put_header(m, "X-Skep-Guest", value);
	if (l->m->incident != 0)
		put_number(m, "X-Skep-Incident", l->m->incident);
}

static void put_headers(struct mail *m, const struct letter *l)
{
	char date[64];
	struct writer w = writer_of(date, sizeof(date));
	put_mail_date(&w, l->from, l->m->at_ns);
	put_from(m, l);
	put_to(m, l);
	put_header(m, "Subject", l->subject);
	put_header(m, "Date", date);
	put_id(m, l, "Message-ID", l->m->number);
	if (l->m->thread != 0 && l->m->thread != l->m->number) {
		put_id(m, l, "In-Reply-To", l->m->thread);
		put_id(m, l, "References", l->m->thread);
	}
	put_ours(m, l);
	put_header(m, "MIME-Version", "1.0");
}

static void put_part(struct mail *m, const char *type, const char *body)
{
	write_fmt(m->w, "Content-Type: text/%s; charset=utf-8%s", type, m->nl);
	write_fmt(m->w, "Content-Transfer-Encoding: quoted-printable%s%s", m->nl, m->nl);
	put_quoted(m, body);
}

static int mail_long(struct mail *m, const struct letter *l, char *part)
{
	char line[64];
	struct writer b = writer_of(line, sizeof(line));
	write_fmt(&b, "=_skep_%llu_=",
		  (unsigned long long)l->m->number); /* no quoted-printable has "=_" */
	put_headers(m, l);
	write_fmt(m->w, "Content-Type: multipart/alternative;%s boundary=\"%s\"%s%s", m->nl, line,
		  m->nl, m->nl);
	struct writer w = writer_of(part, PART);
	text_form(l, &w);
	write_fmt(m->w, "--%s%s", line, m->nl);
	put_part(m, "plain", part);
	bool full = w.full;
	w = writer_of(part, PART);
	html_form(l, &w);
	write_fmt(m->w, "%s--%s%s", m->nl, line, m->nl);
	put_part(m, "html", part);
	write_fmt(m->w, "%s--%s--%s", m->nl, line, m->nl);
	return full || w.full ? SKEP_ETRUNC : 0;
}

int mail_form(const struct letter *l, const char *newline, struct writer *w)
{
	struct mail m = {w, newline};
	if (l->brief) {
		put_headers(&m, l);
		put_part(&m, "plain", l->subject);
		write_str(w, newline);
		return 0;
	}
	char *part = malloc(PART);
	if (part == NULL)
		return -ENOMEM;
	int r = mail_long(&m, l, part);
	free(part);
	return r;
}
