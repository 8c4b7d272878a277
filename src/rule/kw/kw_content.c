/* SPDX-License-Identifier: BSD-2-Clause */
/* Contents, their modifiers, and the buffers they are looked for in. */
#include "rule/reader_priv.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define POSITION_MAX 65535

enum position { POS_OFFSET, POS_DEPTH, POS_DISTANCE, POS_WITHIN };

/* ---- lists -------------------------------------------------------------------------------------- */

int read_list_new(struct reading *r, unsigned buffer)
{
	if (r->n_lists == READ_LISTS) {
		read_fail(r, r->at, "more than %u buffers", READ_LISTS);
		return -1;
	}
	r->lists[r->n_lists] = (struct rule_list){.buffer = (uint16_t)buffer};
	r->list_at[r->n_lists] = r->at;
	return (int)r->n_lists++;
}

int read_list(struct reading *r, unsigned buffer)
{
	for (uint32_t i = r->n_lists; i-- > 0;) {
		const struct rule_list *l = &r->lists[i];
		if (l->buffer == buffer && l->n_transforms == 0 && l->header == NULL &&
		    l->dirs == 0)
			return (int)i;
	}
	return read_list_new(r, buffer);
}

struct match *read_match_add(struct reading *r, int list, enum match_kind kind)
{
	if (list < 0)
		return NULL;
	if (r->n_m == READ_MATCHES) {
		read_fail(r, r->at, "more than %u contents and the like", READ_MATCHES);
		return NULL;
	}
	struct read_match *m = &r->m[r->n_m++];
	memset(m, 0, sizeof(*m));
	m->list = (uint8_t)list;
	m->at = r->at;
	m->m.kind = (uint8_t)kind;
	r->lists[list].n++;
	return &m->m;
}

/* Where a match goes that has no buffer of its own. */
static int here(struct reading *r)
{
	return r->list >= 0 ? r->list : read_list(r, BUF_PAYLOAD);
}

/* ---- content ------------------------------------------------------------------------------------ */

static struct match_content *last_content(struct reading *r)
{
	if (r->content < 0) {
		read_fail(r, r->at, "%s stands behind no content", r->kw->name);
		return NULL;
	}
	return &r->m[r->content].m.u.content;
}

static int set_position(struct reading *r, struct match_content *c, enum position p, struct slice v)
{
	struct rule_value x;
	v = slice_unquote(v);
	bool sign = p == POS_DISTANCE;
	int e = read_value(r, v, sign ? -POSITION_MAX : 0, POSITION_MAX, &x);
	if (e < 0)
		return e;
	static const char *const names[] = {"offset", "depth", "distance", "within"};
	bool *has[] = {&c->has_offset, &c->has_depth, &c->has_distance, &c->has_within};
	struct rule_value *at[] = {&c->offset, &c->depth, &c->distance, &c->within};
	if (*has[p])
		return read_fail(r, r->at, "%s is given twice for one content", names[p]);
	if (c->starts)
		return read_fail(r, r->at, "%s can't be used with startswith", names[p]);
	bool absolute = c->has_offset || c->has_depth, relative = c->has_distance || c->has_within;
	if (p >= POS_DISTANCE ? absolute : relative)
		return read_fail(r, r->at,
				 "offset and depth can't be used with distance and within on one "
				 "content");
	if (!x.is_var && (p == POS_DEPTH || p == POS_WITHIN) && x.value < (int64_t)c->len)
		return read_fail(r, v.at, "%s %lld is less than the content's %u bytes", names[p],
				 (long long)x.value, c->len);
	*has[p] = true;
	*at[p] = x;
	return 0;
}

static int set_fast(struct reading *r, struct match_content *c)
{
	if (c->fast)
		return read_fail(r, r->at, "fast_pattern is given twice for one content");
	if (r->has_fast) {
		if (!r->snort3)
			return read_fail(r, r->at, "fast_pattern is given for two contents");
		read_warn(r, r->at, "fast_pattern is given for two contents: the first holds");
		return 0;
	}
	c->fast = r->has_fast = true;
	return 0;
}

static int set_chop(struct reading *r, struct match_content *c, struct slice offset,
		    struct slice length)
{
	uint64_t o = 0, l = 0;
	if (!slice_u64(offset, 65535, &o) || !slice_u64(length, 65535, &l) || l == 0)
		return read_fail(r, offset.at, "fast_pattern: write fast_pattern:OFFSET,LENGTH");
	if (o + l > c->len)
		return read_fail(
			r, offset.at,
			"fast_pattern: %llu bytes from %llu on are more than the content has",
			(unsigned long long)l, (unsigned long long)o);
	c->chop_offset = (uint16_t)o;
	c->chop_len = (uint16_t)l;
	return 0;
}

/* One of Snort 3's modifiers inside a content: "depth 5". */
static int inner_modifier(struct reading *r, struct match_content *c, struct slice m,
			  struct slice chop[2])
{
	static const char *const positions[] = {"offset", "depth", "distance", "within"};
	struct slice v = m;
	struct slice name = slice_word(&v);
	for (unsigned i = 0; i < ARRAY_LEN(positions); i++)
		if (slice_is(name, positions[i]))
			return set_position(r, c, (enum position)i, v);
	if (slice_is(name, "fast_pattern_offset") || slice_is(name, "fast_pattern_length")) {
		chop[slice_is(name, "fast_pattern_length")] = v;
		return 0;
	}
	if (v.len > 0)
		return read_fail(r, v.at, "content: '%.*s' takes no value", (int)name.len, name.at);
	if (slice_is(name, "nocase"))
		c->nocase = true;
	else if (slice_is(name, "fast_pattern"))
		return set_fast(r, c);
	else
		return read_fail(
			r, m.at,
			"content: unknown modifier '%.*s' (nocase, offset, depth, distance, "
			"within, fast_pattern, fast_pattern_offset, fast_pattern_length)",
			(int)(name.len < 40 ? name.len : 40), name.at);
	return 0;
}

static int inner_modifiers(struct reading *r, struct match_content *c, struct slice rest)
{
	struct slice chop[2] = {{NULL, 0}, {NULL, 0}};
	while (rest.at != NULL) {
		struct slice m = slice_cut(&rest, ',');
		if (m.len == 0)
			return read_fail(r, m.at, "content: nothing follows the comma");
		int e = inner_modifier(r, c, m, chop);
		if (e < 0)
			return e;
	}
	if (chop[0].at == NULL && chop[1].at == NULL)
		return 0;
	if (!c->fast)
		return read_fail(r, r->at, "content: fast_pattern_offset without fast_pattern");
	char all[8] = "";
	snprintf(all, sizeof(all), "%u", c->len);
	struct slice zero = {"0", 1}, whole = {all, strlen(all)};
	if (chop[1].at == NULL)
		return read_fail(r, chop[0].at, "content: fast_pattern_length is missing");
	return set_chop(r, c, chop[0].at != NULL ? chop[0] : zero,
			chop[1].at != NULL ? chop[1] : whole);
}

/* The closing quote of a quoted text (s begins behind the opening one); NULL: none. The last one that
 * nothing but modifiers can follow. */
static const char *closing_quote(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '\\') {
			i++;
			continue;
		}
		if (s.at[i] != '"')
			continue;
		size_t next = i + 1;
		while (next < s.len && isspace((unsigned char)s.at[next]))
			next++;
		if (next == s.len || s.at[next] == ',')
			return s.at + i;
	}
	return NULL;
}

/* Takes '!' and the quoted part off v: *ret_inner; what follows the closing quote stays in v. */
static int quoted(struct reading *r, struct slice *v, bool *ret_negated, struct slice *ret_inner)
{
	*ret_negated = v->len > 0 && v->at[0] == '!';
	if (*ret_negated)
		*v = slice_trim((struct slice){v->at + 1, v->len - 1});
	if (v->len == 0 || v->at[0] != '"')
		return read_fail(r, v->at, "%s: the value must stand in quotes", r->kw->name);
	struct slice in = {v->at + 1, v->len - 1};
	const char *end = closing_quote(in);
	if (end == NULL)
		return read_fail(r, v->at, "%s: the closing quote is missing", r->kw->name);
	in.len = (size_t)(end - in.at);
	*v = slice_trim((struct slice){end + 1, (size_t)(v->at + v->len - end - 1)});
	*ret_inner = in;
	return 0;
}

static struct match_content *add_content(struct reading *r, int list, struct slice inner,
					 bool negated)
{
	uint32_t len = 0;
	if (read_content_bytes(r, inner, &len) < 0)
		return NULL;
	struct match *m = read_match_add(r, list, MATCH_CONTENT);
	if (m == NULL)
		return NULL;
	m->u.content.bytes = (uint8_t *)rule_pool_text(r->set->pool, (const char *)r->bytes, len);
	if (m->u.content.bytes == NULL) {
		read_nomem(r);
		return NULL;
	}
	m->u.content.len = len;
	m->u.content.negated = negated;
	return &m->u.content;
}

/* content, uricontent (arg: its buffer). */
int kw_content(struct reading *r, const struct keyword *k, struct slice v)
{
	bool negated;
	struct slice inner;
	int e = quoted(r, &v, &negated, &inner);
	if (e < 0)
		return e;
	int list = k->arg != BUF_PAYLOAD ? read_list(r, k->arg) : here(r);
	struct match_content *c = add_content(r, list, inner, negated);
	if (c == NULL)
		return SKEP_EFORMAT;
	r->content = (int)r->n_m - 1;
	if (v.len == 0)
		return 0;
	if (v.at[0] != ',')
		return read_fail(r, v.at, "content: '%.*s' after the closing quote",
				 (int)(v.len < 40 ? v.len : 40), v.at);
	return inner_modifiers(r, c, (struct slice){v.at + 1, v.len - 1});
}

int kw_nocase(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	(void)v;
	struct match_content *c = last_content(r);
	if (c == NULL)
		return SKEP_EFORMAT;
	if (c->nocase)
		read_warn(r, r->at, "nocase is given twice for one content");
	c->nocase = true;
	return 0;
}

int kw_position(struct reading *r, const struct keyword *k, struct slice v)
{
	struct match_content *c = last_content(r);
	return c == NULL ? SKEP_EFORMAT : set_position(r, c, (enum position)k->arg, v);
}

int kw_fast_pattern(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct match_content *c = last_content(r);
	if (c == NULL)
		return SKEP_EFORMAT;
	int e = set_fast(r, c);
	if (e < 0 || v.len == 0)
		return e;
	if (slice_is(v, "only")) {
		c->fast_only = true;
		return 0;
	}
	struct slice offset = slice_cut(&v, ',');
	return set_chop(r, c, offset, slice_trim(v));
}

int kw_starts(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	(void)v;
	struct match_content *c = last_content(r);
	if (c == NULL)
		return SKEP_EFORMAT;
	if (c->starts)
		return read_fail(r, r->at, "startswith is given twice for one content");
	if (c->has_offset || c->has_depth || c->has_distance || c->has_within)
		return read_fail(r, r->at,
				 "startswith can't be used with offset, depth, distance or within");
	c->starts = true;
	return 0;
}

int kw_ends(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	(void)v;
	struct match_content *c = last_content(r);
	if (c == NULL)
		return SKEP_EFORMAT;
	if (c->ends)
		return read_fail(r, r->at, "endswith is given twice for one content");
	c->ends = true;
	return 0;
}

int kw_rawbytes(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	(void)v;
	struct match_content *c = last_content(r);
	if (c == NULL)
		return SKEP_EFORMAT;
	if (r->lists[r->m[r->content].list].buffer != BUF_PAYLOAD)
		return read_fail(r, r->at, "rawbytes can't be used on a buffer of a protocol");
	c->rawbytes = true;
	return 0;
}

int kw_replace(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct match_content *c = last_content(r);
	bool negated;
	struct slice inner;
	uint32_t len = 0;
	if (c == NULL)
		return SKEP_EFORMAT;
	int e = quoted(r, &v, &negated, &inner);
	if (e == 0 && (negated || v.len > 0))
		e = read_fail(r, v.at, "replace takes one quoted value");
	if (e == 0 && c->has_replace)
		e = read_fail(r, r->at, "replace is given twice for one content");
	if (e == 0 && inner.len > 0) /* else what was found is taken out */
		e = read_content_bytes(r, inner, &len);
	if (e < 0)
		return e;
	c->replace = (uint8_t *)rule_pool_text(r->set->pool, (const char *)r->bytes, len);
	c->replace_len = len;
	c->has_replace = true;
	return c->replace != NULL ? 0 : read_nomem(r);
}

/* ---- buffers ------------------------------------------------------------------------------------ */

/* A header's name (token of RFC 9110, 5.6.2). */
static bool is_token(struct slice v)
{
	for (size_t i = 0; i < v.len; i++)
		if (!isalnum((unsigned char)v.at[i]) &&
		    (v.at[i] == '\0' || strchr("!#$%&'*+-.^_`|~", v.at[i]) == NULL))
			return false;
	return v.len > 0;
}

/* Snort 3's http_header:field host; also "request" and the like, which change nothing for us. */
static int header_field(struct reading *r, struct slice v)
{
	static const char *const harmless[] = {"request", "with_header", "with_body",
					       "with_trailer"};
	while (v.at != NULL) {
		struct slice one = slice_cut(&v, ',');
		struct slice name = slice_word(&one);
		bool known = false;
		for (size_t i = 0; i < ARRAY_LEN(harmless); i++)
			known |= slice_is(name, harmless[i]) && one.len == 0;
		if (known)
			continue;
		bool headers = r->kw->arg == BUF_HTTP_HEADER || r->kw->arg == BUF_HTTP_HEADER_RAW;
		if (r->kw->dialects == SURICATA)
			return read_fail(r, name.at, "%s takes no value", r->kw->name);
		if (!slice_is(name, "field") || one.len == 0 || !headers)
			return read_fail(r, name.at, "%s: '%.*s' is not supported", r->kw->name,
					 (int)(name.len < 40 ? name.len : 40), name.at);
		if (!is_token(one))
			return read_fail(r, one.at, "%s: this is no name of a header", r->kw->name);
		char *field = slice_copy(r, one);
		if (field == NULL)
			return -ENOMEM;
		for (char *c = field; *c != '\0'; c++)
			*c = (char)tolower((unsigned char)*c);
		if (r->lists[r->list].n > 0)
			r->list = read_list_new(r, r->kw->arg);
		if (r->list < 0)
			return SKEP_EFORMAT;
		r->lists[r->list].header = field;
	}
	return 0;
}

static int begin_buffer(struct reading *r, unsigned buffer)
{
	r->list_named = r->at;
	const struct app_buffer_row *row = app_buffer_row((enum app_buffer)buffer);
	/* One instance must hold all that follows a name, except that file_data is written again and
	 * again for the same file. */
	bool anew = (row->flags & BUFFER_MANY) != 0 && buffer != BUF_FILE_DATA;
	r->list = anew ? read_list_new(r, buffer) : read_list(r, buffer);
	r->sticky = true;
	return r->list < 0 ? SKEP_EFORMAT : 0;
}

/* A buffer that what follows is looked for in; arg: enum app_buffer. */
int kw_buffer(struct reading *r, const struct keyword *k, struct slice v)
{
	int e = begin_buffer(r, k->arg);
	if (e < 0 || v.len == 0)
		return e;
	bool server = slice_is(v, "to_server") || slice_is(v, "toserver");
	bool client = slice_is(v, "to_client") || slice_is(v, "toclient");
	if (!server && !client)
		return header_field(r, v);
	const struct app_buffer_row *row = app_buffer_row((enum app_buffer)k->arg);
	unsigned both = BUFFER_TS | BUFFER_TC;
	if ((row->flags & both) != both)
		return read_fail(r, v.at, "%s is there in one direction only", k->name);
	if (!r->rule->transactional)
		return read_fail(r, v.at, "%s: a direction only in rules with '=>': use flow",
				 k->name);
	uint8_t dirs = server ? BUFFER_TS : BUFFER_TC;
	for (uint32_t i = 0; i < r->n_lists; i++)
		if (r->lists[i].buffer == k->arg && r->lists[i].dirs == dirs &&
		    r->lists[i].n_transforms == 0) {
			r->list = (int)i;
			return 0;
		}
	r->list = read_list_new(r, k->arg);
	if (r->list < 0)
		return SKEP_EFORMAT;
	r->lists[r->list].dirs = dirs;
	return 0;
}

/* http_uri and its kin: after a content in older writing, before it in Snort 3's. */
int kw_modifier(struct reading *r, const struct keyword *k, struct slice v)
{
	if (r->snort3 || v.len > 0)
		return kw_buffer(r, k, v);
	if (r->content < 0)
		return read_fail(r, r->at, "%s stands behind no content", k->name);
	struct read_match *m = &r->m[r->content];
	if (m->m.u.content.rawbytes)
		return read_fail(r, r->at, "%s can't be used with rawbytes", k->name);
	unsigned was = r->lists[m->list].buffer;
	if (was != BUF_PAYLOAD && r->sticky && was != k->arg)
		read_warn(r, r->at, "%s moves a content that %s was named for", k->name,
			  app_buffer_row((enum app_buffer)was)->name);
	int list = read_list(r, k->arg);
	if (list < 0)
		return SKEP_EFORMAT;
	r->lists[m->list].n--;
	r->lists[list].n++;
	m->list = (uint8_t)list;
	return 0;
}

int kw_js_data(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)v;
	read_warn(r, r->at, "js_data: scripts are not normalized; looked for in file_data");
	return begin_buffer(r, k->arg);
}

/* pkt_data, raw_data: back to the payload. */
int kw_pkt_data(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	(void)v;
	r->list = -1;
	r->sticky = false;
	return 0;
}

int kw_base64_data(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	(void)v;
	bool decoded = false;
	for (uint32_t i = 0; i < r->n_m; i++)
		decoded |= r->m[i].m.kind == MATCH_BASE64_DECODE;
	if (!decoded)
		return read_fail(r, r->at, "base64_data without a base64_decode before it");
	r->list = read_list(r, BUF_BASE64);
	if (r->list < 0)
		return SKEP_EFORMAT;
	r->lists[r->list].base64_data = true;
	r->sticky = true;
	return 0;
}

/* ---- the whole buffer --------------------------------------------------------------------------- */

int kw_absent(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	bool or_else = slice_is(v, "or_else");
	if (r->list < 0)
		return read_fail(r, r->at, "absent needs a buffer before it");
	if (v.len > 0 && !or_else)
		return read_fail(r, v.at, "absent takes nothing, or or_else");
	if (r->lists[r->list].n > 0)
		return read_fail(r, r->at, "absent must be the first after its buffer");
	struct match *m = read_match_add(r, r->list, MATCH_ABSENT);
	if (m == NULL)
		return SKEP_EFORMAT;
	m->u.absent.or_else = or_else;
	return 0;
}

/* bufferlen:>=519,relative: so many bytes are left behind the cursor, as isdataat has it. */
static int bytes_left(struct reading *r, struct slice v)
{
	struct rule_number n;
	int e = read_number(r, v, 65534, &n);
	if (e < 0)
		return e;
	bool least = n.op == '>' || n.op == 'g', most = n.op == '<' || n.op == 'l';
	if (!least && !most)
		return read_fail(r, v.at, "bufferlen: with relative only < <= > >= are supported");
	struct match *m = read_match_add(r, here(r), MATCH_ISDATAAT);
	if (m == NULL)
		return SKEP_EFORMAT;
	m->u.isdataat.at.value = (int64_t)n.lo + (n.op == '>' || n.op == 'l');
	m->u.isdataat.relative = true;
	m->u.isdataat.negated = most;
	return 0;
}

/* bsize, Snort 3's bufferlen (arg 1). */
int kw_bsize(struct reading *r, const struct keyword *k, struct slice v)
{
	struct slice rest = v;
	struct slice number = slice_cut(&rest, ',');
	if (rest.at != NULL && (k->arg == 0 || !slice_is(slice_trim(rest), "relative")))
		return read_fail(r, rest.at, "%s: '%.*s' is not supported", k->name, (int)rest.len,
				 rest.at);
	if (rest.at != NULL)
		return bytes_left(r, number);
	if (r->list < 0 && k->arg == 0)
		return read_fail(r, r->at, "bsize needs a buffer before it");
	struct match_bsize b = {0};
	if (number.len > 0 && (isalpha((unsigned char)number.at[0]) || number.at[0] == '_')) {
		b.op = '=';
		int e = read_value(r, number, 0, UINT32_MAX, &b.lo);
		if (e < 0)
			return e;
	} else {
		struct rule_number n;
		int e = read_number(r, number, UINT32_MAX, &n);
		if (e < 0)
			return e;
		if (n.op == '&')
			return read_fail(r, number.at, "%s: '&' is not supported", k->name);
		bool inclusive = n.op == 'R';
		b.op = inclusive ? 'r' : n.op;
		b.lo.value = (int64_t)n.lo - inclusive;
		b.hi.value = (int64_t)n.hi + inclusive;
	}
	struct match *m = read_match_add(r, here(r), MATCH_BSIZE);
	if (m == NULL)
		return SKEP_EFORMAT;
	m->u.bsize = b;
	return 0;
}

static bool fraction(struct slice s, double *ret)
{
	double x = 0, unit = 1;
	bool point = false, digit = false;
	for (size_t i = 0; i < s.len && i < 24; i++) {
		if (s.at[i] == '.' && !point) {
			point = true;
		} else if (isdigit((unsigned char)s.at[i])) {
			digit = true;
			unit = point ? unit / 10 : unit;
			x = point ? x + unit * (s.at[i] - '0') : x * 10 + (s.at[i] - '0');
		} else {
			return false;
		}
	}
	*ret = x;
	return digit && s.len < 24;
}

/* entropy: value > 4.5; bytes and offset are not supported. */
int kw_entropy(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct slice one = slice_cut(&v, ',');
	struct slice value = one;
	struct slice name = slice_word(&value);
	static const char *const signs[] = {"<=", ">=", "!=", "=", "<", ">"};
	static const char ops[] = "lg!=<>";
	if (v.at != NULL || !slice_is(name, "value"))
		return read_fail(r, one.at, "entropy: only 'value' with a comparison is supported");
	char op = '=';
	for (size_t i = 0; i < ARRAY_LEN(signs); i++)
		if (slice_has(value, signs[i])) {
			size_t n = strlen(signs[i]);
			op = ops[i];
			value = slice_trim((struct slice){value.at + n, value.len - n});
			break;
		}
	double x;
	if (!fraction(value, &x) || x > 8)
		return read_fail(r, value.at, "entropy: '%.*s' is not a number from 0 to 8",
				 (int)(value.len < 40 ? value.len : 40), value.at);
	struct match *m = read_match_add(r, here(r), MATCH_ENTROPY);
	if (m == NULL)
		return SKEP_EFORMAT;
	m->u.entropy.op = (uint8_t)op;
	m->u.entropy.value = x;
	return 0;
}

/* ---- keywords that are a content in a buffer ---------------------------------------------------- */

/* tls.subject:"CN=x", tls.fingerprint:"...", ssh.softwareversion:"x": the buffer holds this. */
int kw_value_content(struct reading *r, const struct keyword *k, struct slice v)
{
	if (v.len == 0)
		return kw_buffer(r, k, v);
	bool negated = v.at[0] == '!';
	if (negated)
		v = slice_trim((struct slice){v.at + 1, v.len - 1});
	if (add_content(r, read_list(r, k->arg), slice_unquote(v), negated) == NULL)
		return SKEP_EFORMAT;
	return 0;
}

/* sip_method:invite,bye and sip_stat_code:4,200: one of these, as an expression. */
int kw_sip_list(struct reading *r, const struct keyword *k, struct slice v)
{
	if (v.len == 0)
		return kw_buffer(r, k, v);
	char text[512];
	struct writer w = writer_of(text, sizeof(text));
	bool negated = v.at[0] == '!';
	if (negated)
		v = slice_trim((struct slice){v.at + 1, v.len - 1});
	write_str(&w, "^(?:");
	for (bool first = true; v.at != NULL; first = false) {
		struct slice one = slice_unquote(slice_cut(&v, ','));
		bool code = k->arg == BUF_SIP_STAT_CODE;
		bool fine = one.len > 0;
		for (size_t i = 0; i < one.len; i++)
			fine &= (code ? isdigit((unsigned char)one.at[i])
				      : isalpha((unsigned char)one.at[i])) != 0;
		if (!fine || (code && one.len != 1 && one.len != 3))
			return read_fail(r, one.at, "%s: '%.*s' is no %s", k->name, (int)one.len,
					 one.at, code ? "status code or class" : "method");
		write_fmt(&w, "%s%.*s%s", first ? "" : "|", (int)one.len, one.at,
			  code && one.len == 1 ? "[0-9][0-9]" : "");
	}
	write_str(&w, ")$");
	if (w.full)
		return read_fail(r, r->at, "%s: too many values", k->name);
	struct match *m = read_match_add(r, read_list(r, k->arg), MATCH_PCRE);
	if (m == NULL)
		return SKEP_EFORMAT;
	m->u.pcre.pattern = rule_pool_text(r->set->pool, text, w.len);
	m->u.pcre.options = 8; /* PCRE2_CASELESS */
	m->u.pcre.negated = negated;
	return m->u.pcre.pattern != NULL ? 0 : read_nomem(r);
}

/* ftp.mode:passive and the like: the buffer is exactly this word. */
int kw_word(struct reading *r, const struct keyword *k, struct slice v)
{
	static const struct {
		uint16_t buffer;
		const char *written, *word;
	} words[] = {
		{BUF_FTP_MODE, "active", "active"},     {BUF_FTP_MODE, "passive", "passive"},
		{BUF_FTPDATA_COMMAND, "retr", "retr"},  {BUF_FTPDATA_COMMAND, "stor", "stor"},
		{BUF_FTP_REPLY_RECEIVED, "yes", "yes"}, {BUF_FTP_REPLY_RECEIVED, "true", "yes"},
		{BUF_FTP_REPLY_RECEIVED, "on", "yes"},  {BUF_FTP_REPLY_RECEIVED, "1", "yes"},
		{BUF_FTP_REPLY_RECEIVED, "no", "no"},   {BUF_FTP_REPLY_RECEIVED, "false", "no"},
		{BUF_FTP_REPLY_RECEIVED, "off", "no"},  {BUF_FTP_REPLY_RECEIVED, "0", "no"},
	};
	v = slice_unquote(v);
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (words[i].buffer != k->arg || !slice_is(v, words[i].written))
			continue;
		struct slice word = {words[i].word, strlen(words[i].word)};
		struct match_content *c = add_content(r, read_list(r, k->arg), word, false);
		if (c == NULL)
			return SKEP_EFORMAT;
		c->starts = c->ends = true;
		return 0;
	}
	return read_fail(r, v.at, "%s: unknown word '%.*s'", k->name,
			 (int)(v.len < 40 ? v.len : 40), v.at);
}
