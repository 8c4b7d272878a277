/* SPDX-License-Identifier: BSD-2-Clause */
/* Regular expressions, and what is done to a buffer before it is matched. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "rule/reader_priv.h"

#include <ctype.h>
#include <errno.h>
#include <pcre2.h>
#include <string.h>

#define CAPTURES_MAX 8u

/* Does the expression compile? Else tells where not. */
static int try_compile(struct reading *r, struct slice regex, uint32_t options)
{
	int error = 0;
	PCRE2_SIZE at = 0;
	pcre2_code *code =
		pcre2_compile((PCRE2_SPTR)regex.at, regex.len, options, &error, &at, NULL);
	if (code != NULL) {
		pcre2_code_free(code);
		return 0;
	}
	PCRE2_UCHAR text[160];
	if (pcre2_get_error_message(error, text, sizeof(text)) < 0)
		text[0] = '\0';
	return read_fail(r, regex.at + (at < regex.len ? at : regex.len), "%s: %s", r->kw->name,
			 (const char *)text);
}

static const struct {
	char flag;
	uint32_t option;
} option_flags[] = {{'i', PCRE2_CASELESS}, {'m', PCRE2_MULTILINE}, {'s', PCRE2_DOTALL},
		    {'x', PCRE2_EXTENDED}, {'A', PCRE2_ANCHORED},  {'E', PCRE2_DOLLAR_ENDONLY},
		    {'G', PCRE2_UNGREEDY}};

static const struct {
	char flag;
	uint16_t buffer;
} buffer_flags[] = {
	{'U', BUF_HTTP_URI},       {'I', BUF_HTTP_URI_RAW},  {'P', BUF_HTTP_REQUEST_BODY},
	{'Q', BUF_FILE_DATA},      {'H', BUF_HTTP_HEADER},   {'D', BUF_HTTP_HEADER_RAW},
	{'M', BUF_HTTP_METHOD},    {'C', BUF_HTTP_COOKIE},   {'K', BUF_HTTP_COOKIE},
	{'S', BUF_HTTP_STAT_CODE}, {'Y', BUF_HTTP_STAT_MSG}, {'V', BUF_HTTP_USER_AGENT},
	{'W', BUF_HTTP_HOST},      {'Z', BUF_HTTP_HOST_RAW}};

static int one_flag(struct reading *r, const char *c, struct match_pcre *p, int *buffer)
{
	for (size_t i = 0; i < ARRAY_LEN(option_flags); i++)
		if (*c == option_flags[i].flag) {
			p->options |= option_flags[i].option;
			return 0;
		}
	for (size_t i = 0; i < ARRAY_LEN(buffer_flags); i++)
		if (*c == buffer_flags[i].flag) {
			if (*buffer >= 0 && *buffer != buffer_flags[i].buffer)
				return read_fail(r, c, "pcre: flag '%c' names a second buffer", *c);
			*buffer = buffer_flags[i].buffer;
			return 0;
		}
	if (*c == 'R')
		p->relative = true;
	else if (*c == 'B')
		p->raw = true;
	else if (*c != 'O') /* without limits: ours hold for every rule */
		return read_fail(r, c, "pcre: unknown flag '%c'",
				 isprint((unsigned char)*c) ? *c : '?');
	return 0;
}

static int flags(struct reading *r, struct slice f, struct match_pcre *p, int *buffer)
{
	struct slice captures = f;
	f = slice_cut(&captures, ',');
	for (size_t i = 0; i < f.len; i++) {
		if (isspace((unsigned char)f.at[i]))
			continue;
		int e = one_flag(r, f.at + i, p, buffer);
		if (e < 0)
			return e;
	}
	while (captures.at != NULL) {
		struct slice one = slice_cut(&captures, ',');
		if (!slice_has(one, "pkt:") && !slice_has(one, "flow:") &&
		    !slice_has(one, "alert:"))
			return read_fail(
				r, one.at != NULL ? one.at : f.at,
				"pcre: after the flags only pkt:NAME, flow:NAME or alert:NAME");
		if (++p->n_captures > CAPTURES_MAX)
			return read_fail(r, one.at, "pcre: more than %u captures", CAPTURES_MAX);
		read_warn(r, one.at, "pcre: what is captured as %.*s is not kept", (int)one.len,
			  one.at);
	}
	return 0;
}

/* Takes the delimiters off; *ret_flags is what stands behind the closing one. */
static int delimit(struct reading *r, struct slice v, struct slice *ret_regex,
		   struct slice *ret_flags)
{
	char close = '/';
	if (v.len > 1 && v.at[0] == 'm') {
		close = v.at[1];
		v = (struct slice){v.at + 1, v.len - 1};
	} else if (v.len == 0 || v.at[0] != '/') {
		return read_fail(r, v.at, "pcre: write pcre:\"/expression/flags\"");
	}
	close = (char)(close == '{' ? '}' : close == '(' ? ')' : close == '[' ? ']' : close);
	size_t end = v.len;
	while (end > 1 && v.at[end - 1] != close)
		end--;
	if (end <= 1)
		return read_fail(r, v.at, "pcre: the closing '%c' is missing", close);
	*ret_regex = (struct slice){v.at + 1, end - 2};
	*ret_flags = (struct slice){v.at + end, v.len - end};
	return 0;
}

int kw_pcre(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct match_pcre p = {0};
	if (v.at[0] == '!') {
		p.negated = true;
		v = slice_trim((struct slice){v.at + 1, v.len - 1});
	}
	if (v.len < 2 || v.at[0] != '"' || v.at[v.len - 1] != '"')
		return read_fail(r, v.at, "pcre: the expression must stand in quotes");
	struct slice regex = {NULL, 0}, f = {NULL, 0};
	int buffer = -1;
	int e = delimit(r, slice_unquote(v), &regex, &f);
	if (e == 0)
		e = flags(r, f, &p, &buffer);
	if (e == 0)
		e = try_compile(r, regex, p.options);
	if (e < 0)
		return e;
	if (p.raw && buffer >= 0)
		return read_fail(r, f.at, "pcre: flag B can't be used with a buffer of a protocol");
	int list = buffer >= 0    ? read_list(r, (unsigned)buffer)
		   : r->list >= 0 ? r->list
				  : read_list(r, BUF_PAYLOAD);
	struct match *m = read_match_add(r, list, MATCH_PCRE);
	p.pattern = slice_copy(r, regex);
	if (m == NULL || p.pattern == NULL)
		return SKEP_EFORMAT;
	m->u.pcre = p;
	return 0;
}

/* ---- transforms --------------------------------------------------------------------------------- */

static int xor_key(struct reading *r, struct slice v, struct rule_transform *t)
{
	v = slice_unquote(v);
	char text[READ_CONTENT];
	if (v.len == 0 || v.len % 2 != 0 || v.len + 2 > sizeof(text))
		return read_fail(r, v.at != NULL ? v.at : r->at,
				 "xor: the key is an even number of hexadecimal digits");
	for (size_t i = 0; i < v.len; i++)
		if (!isxdigit((unsigned char)v.at[i]))
			return read_fail(r, v.at + i, "xor: '%c' is no hexadecimal digit", v.at[i]);
	t->arg_len = (uint32_t)(v.len / 2);
	t->arg = rule_pool_alloc(r->set->pool, t->arg_len);
	if (t->arg == NULL)
		return read_nomem(r);
	for (size_t i = 0; i < v.len; i++) {
		char c = v.at[i];
		unsigned d = isdigit((unsigned char)c) ? (unsigned)c - '0'
						       : ((unsigned)c | 32u) - 'a' + 10;
		t->arg[i / 2] = (uint8_t)(t->arg[i / 2] << 4 | d);
	}
	return 0;
}

static int pcrexform(struct reading *r, struct slice v, struct rule_transform *t)
{
	if (v.len < 2 || v.at[0] != '"' || v.at[v.len - 1] != '"')
		return read_fail(r, v.at, "pcrexform: the expression must stand in quotes");
	v = slice_unquote(v);
	int e = try_compile(r, v, 0);
	if (e < 0)
		return e;
	t->arg = (uint8_t *)slice_copy(r, v);
	t->arg_len = (uint32_t)v.len;
	return t->arg != NULL ? 0 : -ENOMEM;
}

static int from_base64(struct reading *r, struct slice v, struct rule_transform *t)
{
	t->mode = 0;
	while (v.at != NULL && v.len > 0) {
		struct slice one = slice_cut(&v, ','), rest = one, name = slice_word(&rest);
		int64_t x = 0;
		if (slice_is(name, "bytes") && slice_i64(rest, 1, 65535, &x))
			t->a = (int32_t)x;
		else if (slice_is(name, "offset") && slice_i64(rest, 0, 65535, &x))
			t->b = (int32_t)x;
		else if (slice_is(name, "mode") && slice_is(rest, "rfc4648"))
			t->mode = 0;
		else if (slice_is(name, "mode") && slice_is(rest, "rfc2045"))
			t->mode = 1;
		else if (slice_is(name, "mode") && slice_is(rest, "strict"))
			t->mode = 2;
		else
			return read_fail(r, one.at,
					 "from_base64: '%.*s' is none of bytes N, offset N, mode "
					 "rfc4648|rfc2045|strict",
					 (int)(one.len < 40 ? one.len : 40), one.at);
	}
	return 0;
}

/* subslice: offset[,bytes]; both may be negative: counted from the end. */
static int subslice(struct reading *r, struct slice v, struct rule_transform *t)
{
	struct slice rest = v, offset = slice_cut(&rest, ',');
	int64_t a = 0, b = 0;
	if (!slice_i64(offset, -65535, 65535, &a) ||
	    (rest.at != NULL && !slice_i64(slice_trim(rest), -65535, 65535, &b)))
		return read_fail(r, v.at != NULL ? v.at : r->at,
				 "subslice: write subslice:OFFSET,BYTES");
	t->a = (int32_t)a;
	t->b = (int32_t)b;
	return 0;
}

/* gunzip: max-size 1024 */
static int max_size(struct reading *r, struct slice v, struct rule_transform *t)
{
	int64_t x = 0;
	struct slice rest = v, word = v.len > 0 ? slice_word(&rest) : v;
	if (v.len > 0 && (!slice_is(word, "max-size") || !slice_i64(rest, 1, 1 << 20, &x)))
		return read_fail(r, v.at, "%s: write max-size BYTES, up to 1048576", r->kw->name);
	t->a = (int32_t)x;
	return 0;
}

int kw_transform(struct reading *r, const struct keyword *k, struct slice v)
{
	if (r->list < 0)
		return read_fail(r, r->at, "%s needs a buffer before it", k->name);
	struct rule_list *l = &r->lists[r->list];
	if (l->n > 0) { /* what follows is looked for in the buffer so changed, what was, is not */
		struct rule_list old = *l;
		int list = read_list_new(r, old.buffer);
		if (list < 0)
			return SKEP_EFORMAT;
		memcpy(r->transforms[list], r->transforms[r->list], sizeof(r->transforms[list]));
		r->list = list;
		l = &r->lists[list];
		l->header = old.header;
		l->dirs = old.dirs;
		l->n_transforms = 0;
		/* Named again, it begins anew; else the next change comes on top. */
		if (r->m[r->n_m - 1].at > r->list_named)
			l->n_transforms = old.n_transforms;
	}
	if (l->n_transforms == RULE_TRANSFORMS)
		return read_fail(r, r->at, "more than %d transforms", RULE_TRANSFORMS);
	struct rule_transform *t = &r->transforms[r->list][l->n_transforms];
	*t = (struct rule_transform){.kind = (uint8_t)k->arg};
	int e = 0;
	if (k->arg == TRANSFORM_XOR)
		e = xor_key(r, v, t);
	else if (k->arg == TRANSFORM_PCREXFORM)
		e = pcrexform(r, v, t);
	else if (k->arg == TRANSFORM_FROM_BASE64)
		e = from_base64(r, v, t);
	else if (k->arg == TRANSFORM_GUNZIP || k->arg == TRANSFORM_ZLIB_DEFLATE)
		e = max_size(r, v, t);
	else if (k->arg == TRANSFORM_SUBSLICE)
		e = subslice(r, v, t);
	if (e == 0)
		l->n_transforms++;
	return e;
}
