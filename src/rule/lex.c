/* SPDX-License-Identifier: BSD-2-Clause */
/* Pieces of a rule's text: words, numbers, contents; and telling where one is wrong. */
#include "rule/reader_priv.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PROBLEM_TEXT 512u

/* ---- problems ----------------------------------------------------------------------------------- */

static void place(const struct reading *r, const char *at, uint32_t *ret_line, uint32_t *ret_column)
{
	size_t offset = 0;
	if (at != NULL && r->text.at != NULL && at >= r->text.at && at <= r->text.at + r->text.len)
		offset = (size_t)(at - r->text.at);
	*ret_line = r->line;
	*ret_column = r->column + (uint32_t)offset;
	for (uint32_t i = 0; i < r->n_breaks && r->breaks[i].from <= offset; i++) {
		*ret_line = r->line + r->breaks[i].lines;
		*ret_column = r->breaks[i].column + (uint32_t)(offset - r->breaks[i].from);
	}
}

static void tell(struct reading *r, const char *at, bool warning, const char *text)
{
	const struct rule_set_conf *c = &r->set->conf;
	if (c->problem == NULL)
		return;
	struct rule_problem p = {.file = r->file,
				 .warning = warning,
				 .text = text,
				 .sid = r->rule != NULL ? r->rule->sid : 0};
	place(r, at, &p.line, &p.column);
	c->problem(c->ctx, &p);
}

int read_fail(struct reading *r, const char *at, const char *fmt, ...)
{
	if (r->failed)
		return SKEP_EFORMAT;
	r->failed = true;
	char text[PROBLEM_TEXT];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tell(r, at, false, text);
	return SKEP_EFORMAT;
}

void read_warn(struct reading *r, const char *at, const char *fmt, ...)
{
	char text[PROBLEM_TEXT];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tell(r, at, true, text);
}

int read_nomem(struct reading *r)
{
	r->failed = true;
	return -ENOMEM;
}

/* ---- slices ------------------------------------------------------------------------------------- */

bool slice_is(struct slice s, const char *text)
{
	return s.at != NULL && strlen(text) == s.len && strncasecmp(s.at, text, s.len) == 0;
}

bool slice_has(struct slice s, const char *text)
{
	size_t n = strlen(text);
	return s.at != NULL && s.len >= n && strncasecmp(s.at, text, n) == 0;
}

struct slice slice_trim(struct slice s)
{
	while (s.len > 0 && isspace((unsigned char)s.at[0])) {
		s.at++;
		s.len--;
	}
	while (s.len > 0 && isspace((unsigned char)s.at[s.len - 1]))
		s.len--;
	return s;
}

struct slice slice_cut(struct slice *rest, char sep)
{
	struct slice s = *rest;
	const char *end = s.len > 0 ? memchr(s.at, sep, s.len) : NULL;
	if (end == NULL) {
		*rest = (struct slice){NULL, 0};
	} else {
		s.len = (size_t)(end - s.at);
		*rest = (struct slice){end + 1, rest->len - s.len - 1};
	}
	return slice_trim(s);
}

struct slice slice_word(struct slice *rest)
{
	struct slice s = slice_trim(*rest);
	size_t n = 0;
	while (n < s.len && !isspace((unsigned char)s.at[n]))
		n++;
	*rest = slice_trim((struct slice){s.at + n, s.len - n});
	s.len = n;
	return s;
}

struct slice slice_unquote(struct slice s)
{
	if (s.len >= 2 && s.at[0] == '"' && s.at[s.len - 1] == '"')
		return (struct slice){s.at + 1, s.len - 2};
	return s;
}

bool slice_u64(struct slice s, uint64_t most, uint64_t *ret)
{
	uint64_t x = 0;
	unsigned base = 10;
	if (s.len > 2 && s.at[0] == '0' && (s.at[1] | 32) == 'x') {
		base = 16;
		s.at += 2;
		s.len -= 2;
	}
	if (s.at == NULL || s.len == 0 || s.len > 20)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.at[i];
		unsigned d = isdigit(c)                  ? c - 48u
			     : base == 16 && isxdigit(c) ? (c | 32u) - 'a' + 10
							 : 99;
		if (d >= base || __builtin_mul_overflow(x, base, &x) ||
		    __builtin_add_overflow(x, d, &x))
			return false;
	}
	if (x > most)
		return false;
	*ret = x;
	return true;
}

bool slice_i64(struct slice s, int64_t least, int64_t most, int64_t *ret)
{
	bool minus = s.len > 0 && s.at[0] == '-';
	if (minus || (s.len > 1 && s.at[0] == '+')) {
		s.at++;
		s.len--;
	}
	uint64_t x = 0;
	if (!slice_u64(s, INT64_MAX, &x))
		return false;
	int64_t y = minus ? -(int64_t)x : (int64_t)x;
	if (y < least || y > most)
		return false;
	*ret = y;
	return true;
}

char *slice_copy(struct reading *r, struct slice s)
{
	char *copy = rule_pool_text(r->set->pool, s.at != NULL ? s.at : "", s.len);
	if (copy == NULL)
		read_nomem(r);
	return copy;
}

/* ---- numbers ------------------------------------------------------------------------------------ */

static int number_range(struct reading *r, struct slice v, uint64_t most, const char *sign,
			struct rule_number *ret)
{
	size_t n = strlen(sign), at = 0;
	while (at + n <= v.len && strncmp(v.at + at, sign, n) != 0)
		at++;
	struct slice lo = slice_trim((struct slice){v.at, at});
	struct slice hi = slice_trim((struct slice){v.at + at + n, v.len - at - n});
	ret->op = strcmp(sign, "<=>") == 0 ? 'R' : 'r';
	if (!slice_u64(lo, most, &ret->lo))
		return read_fail(r, lo.at, "%s: '%.*s' is not a number up to %llu", r->kw->name,
				 (int)lo.len, lo.at, (unsigned long long)most);
	if (!slice_u64(hi, most, &ret->hi))
		return read_fail(r, hi.at, "%s: '%.*s' is not a number up to %llu", r->kw->name,
				 (int)hi.len, hi.at, (unsigned long long)most);
	if (ret->lo > ret->hi || (ret->op == 'r' && ret->lo + 1 >= ret->hi))
		return read_fail(r, v.at, "%s: nothing lies in the range %.*s", r->kw->name,
				 (int)v.len, v.at);
	return 0;
}

static bool slice_contains(struct slice v, const char *text)
{
	size_t n = strlen(text);
	for (size_t i = 1; n > 0 && i + n <= v.len; i++)
		if (memcmp(v.at + i, text, n) == 0)
			return true;
	return false;
}

int read_number(struct reading *r, struct slice v, uint64_t most, struct rule_number *ret)
{
	static const struct {
		const char *text;
		uint8_t op;
	} signs[] = {{"<=", 'l'}, {">=", 'g'}, {"!=", '!'}, {"==", '='}, {"<", '<'},
		     {">", '>'},  {"=", '='},  {"!", '!'},  {"&", '&'}};
	static const char *const ranges[] = {"<=>", "<>", "-"};
	v = slice_trim(v);
	*ret = (struct rule_number){.op = '='};
	if (v.len == 0)
		return read_fail(r, r->at, "%s needs a number", r->kw->name);
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
		if (slice_contains(v, ranges[i]))
			return number_range(r, v, most, ranges[i], ret);
	struct slice x = v;
	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		if (!slice_has(v, signs[i].text))
			continue;
		ret->op = signs[i].op;
		x = slice_trim((struct slice){v.at + strlen(signs[i].text),
					      v.len - strlen(signs[i].text)});
		break;
	}
	if (!slice_u64(x, most, &ret->lo))
		return read_fail(r, x.at, "%s: '%.*s' is not a number up to %llu", r->kw->name,
				 (int)x.len, x.at, (unsigned long long)most);
	ret->hi = ret->lo;
	if ((ret->op == '<' && ret->lo == 0) || (ret->op == '>' && ret->lo == most))
		return read_fail(r, v.at, "%s: no number is %.*s", r->kw->name, (int)v.len, v.at);
	return 0;
}

bool rule_number_fits(const struct rule_number *n, uint64_t x)
{
	switch (n->op) {
	case '=':
		return x == n->lo;
	case '!':
		return x != n->lo;
	case '<':
		return x < n->lo;
	case '>':
		return x > n->lo;
	case 'l':
		return x <= n->lo;
	case 'g':
		return x >= n->lo;
	case 'r':
		return x > n->lo && x < n->hi;
	case 'R':
		return x >= n->lo && x <= n->hi;
	case '&':
		return (x & n->lo) != 0;
	case '|':
		for (uint64_t i = 0; i < n->hi; i++)
			if (n->list[i].op != '|' && rule_number_fits(&n->list[i], x))
				return true;
		return false;
	default:
		return false;
	}
}

int read_value(struct reading *r, struct slice v, int64_t least, int64_t most,
	       struct rule_value *ret)
{
	*ret = (struct rule_value){0};
	if (v.len == 0)
		return read_fail(r, v.at != NULL ? v.at : r->at, "%s: a number is missing here",
				 r->kw->name);
	if (isdigit((unsigned char)v.at[0]) || v.at[0] == '-' || v.at[0] == '+') {
		if (!slice_i64(v, least, most, &ret->value))
			return read_fail(r, v.at, "%s: '%.*s' is not a number from %lld to %lld",
					 r->kw->name, (int)v.len, v.at, (long long)least,
					 (long long)most);
		return 0;
	}
	for (uint32_t i = 0; i < r->n_vars; i++)
		if (r->vars[i].len == v.len && memcmp(r->vars[i].at, v.at, v.len) == 0) {
			ret->is_var = true;
			ret->var = (uint8_t)i;
			return 0;
		}
	return read_fail(r, v.at,
			 "%s: '%.*s' is neither a number nor made by a byte_extract or byte_math "
			 "before it",
			 r->kw->name, (int)v.len, v.at);
}

/* ---- contents ----------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 32);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* From after the opening bar; returns the bytes eaten, the closing bar too, or 0: failed. */
static size_t hex_block(struct reading *r, struct slice v, uint32_t *n)
{
	int high = -1;
	for (size_t i = 0; i < v.len; i++) {
		char c = v.at[i];
		if (c == '|') {
			if (high < 0)
				return i + 1;
			read_fail(r, v.at + i, "%s: an odd number of hexadecimal digits",
				  r->kw->name);
			return 0;
		}
		if (isspace((unsigned char)c))
			continue;
		int d = hex_digit(c);
		if (d < 0) {
			read_fail(r, v.at + i, "%s: '%c' between bars is no hexadecimal digit",
				  r->kw->name, isprint((unsigned char)c) ? c : '?');
			return 0;
		}
		if (high < 0) {
			high = d;
			continue;
		}
		if (*n >= READ_CONTENT) {
			read_fail(r, v.at + i, "%s: longer than %u bytes", r->kw->name,
				  READ_CONTENT);
			return 0;
		}
		r->bytes[(*n)++] = (uint8_t)(high << 4 | d);
		high = -1;
	}
	read_fail(r, v.at, "%s: the closing bar of the hexadecimal part is missing", r->kw->name);
	return 0;
}

int read_content_bytes(struct reading *r, struct slice v, uint32_t *ret_len)
{
	uint32_t n = 0;
	for (size_t i = 0; i < v.len; i++) {
		char c = v.at[i];
		if (c == '|') {
			struct slice rest = {v.at + i + 1, v.len - i - 1};
			size_t eaten = hex_block(r, rest, &n);
			if (eaten == 0)
				return SKEP_EFORMAT;
			i += eaten;
			continue;
		}
		if (c == '"')
			return read_fail(r, v.at + i, "%s: a quote inside must be written \\\"",
					 r->kw->name);
		if (c == '\\') {
			if (++i >= v.len)
				return read_fail(r, v.at + i - 1,
						 "%s: nothing follows the backslash", r->kw->name);
			c = v.at[i];
			if (isalnum((unsigned char)c))
				return read_fail(r, v.at + i,
						 "%s: '\\%c' is no escape; write the byte as |hex|",
						 r->kw->name, c);
		}
		if (n >= READ_CONTENT)
			return read_fail(r, v.at + i, "%s: longer than %u bytes", r->kw->name,
					 READ_CONTENT);
		r->bytes[n++] = (uint8_t)c;
	}
	if (n == 0)
		return read_fail(r, v.at, "%s: empty", r->kw->name);
	*ret_len = n;
	return 0;
}
