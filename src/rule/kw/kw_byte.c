/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers in the data: tested, jumped by, kept in variables; and what is near to that. */
#include "rule/reader_priv.h"

#include <ctype.h>
#include <string.h>

#define OFFSET_MAX 65535

static int here(struct reading *r)
{
	return r->list >= 0 ? r->list : read_list(r, BUF_PAYLOAD);
}

/* A relative match follows what it is relative to, into whatever buffer a modifier moved that. */
static int behind(struct reading *r, bool relative)
{
	return relative && !r->sticky && r->n_m > 0 ? r->m[r->n_m - 1].list : here(r);
}

static int define_var(struct reading *r, struct slice name, uint8_t *ret)
{
	if (name.at == NULL || name.len == 0 ||
	    (!isalpha((unsigned char)name.at[0]) && name.at[0] != '_'))
		return read_fail(r, name.at != NULL ? name.at : r->at,
				 "%s: the name of a variable begins with a letter", r->kw->name);
	for (size_t i = 0; i < name.len; i++)
		if (isspace((unsigned char)name.at[i]))
			return read_fail(r, name.at + i, "%s: space in the name", r->kw->name);
	for (uint32_t i = 0; i < r->n_vars; i++)
		if (r->vars[i].len == name.len && memcmp(r->vars[i].at, name.at, name.len) == 0) {
			*ret = (uint8_t)i;
			return 0;
		}
	if (r->n_vars == RULE_BYTE_VARS)
		return read_fail(r, name.at, "%s: more than %d variables", r->kw->name,
				 RULE_BYTE_VARS);
	r->vars[r->n_vars] = name;
	*ret = (uint8_t)r->n_vars++;
	return 0;
}

/* ---- modifiers that all four share -------------------------------------------------------------- */

#define FOR_JUMP 1u
#define FOR_EXTRACT 2u
#define FOR_MATH 4u
#define FOR_TEST 8u

static bool base_word(struct slice s, uint8_t *ret)
{
	static const char *const names[] = {
		[BYTE_HEX] = "hex", [BYTE_DEC] = "dec", [BYTE_OCT] = "oct"};
	for (unsigned i = BYTE_HEX; i <= BYTE_OCT; i++)
		if (slice_is(s, names[i])) {
			*ret = (uint8_t)i;
			return true;
		}
	return false;
}

/* Words without a value: 1 taken, 0 not one of them. */
static int plain_word(struct match_byte *b, struct slice word, unsigned who)
{
	if (slice_is(word, "relative"))
		b->relative = true;
	else if (slice_is(word, "little"))
		b->little = true;
	else if (slice_is(word, "big"))
		b->little = false;
	else if (slice_is(word, "string"))
		b->base = b->base == BYTE_BINARY ? BYTE_DEC : b->base;
	else if (slice_is(word, "dce"))
		b->dce = true;
	else if (slice_is(word, "align") && who == FOR_JUMP)
		b->align = true;
	else if (slice_is(word, "from_beginning") && who == FOR_JUMP)
		b->from_beginning = true;
	else if (slice_is(word, "from_end") && who == FOR_JUMP)
		b->from_end = true;
	else if (!base_word(word, &b->base))
		return 0;
	return 1;
}

static int post_offset(struct reading *r, struct match_byte *b, struct slice v)
{
	struct rule_value x;
	int e = read_value(r, v, -OFFSET_MAX, OFFSET_MAX, &x);
	b->has_post_offset_var = x.is_var;
	b->post_offset = x.is_var ? x.var : (int32_t)x.value;
	return e;
}

static int value_word(struct reading *r, struct match_byte *b, struct slice one, unsigned who)
{
	struct slice v = one, word = slice_word(&v);
	uint64_t x = 0;
	if (slice_is(word, "bitmask")) {
		if (!slice_u64(v, UINT64_MAX, &x) || x == 0)
			return read_fail(r, v.at, "%s: bitmask needs a number above 0",
					 r->kw->name);
		b->bitmask = x;
		b->has_bitmask = true;
	} else if (slice_is(word, "multiplier") && (who & (FOR_JUMP | FOR_EXTRACT))) {
		if (!slice_u64(v, 65535, &x) || x == 0)
			return read_fail(r, v.at, "%s: multiplier is 1 to 65535", r->kw->name);
		b->multiplier = (uint32_t)x;
	} else if (slice_is(word, "post_offset") && who == FOR_JUMP) {
		return post_offset(r, b, v);
	} else if (slice_is(word, "align") && who == FOR_EXTRACT) {
		if (!slice_u64(v, 4, &x) || (x != 2 && x != 4))
			return read_fail(r, v.at, "byte_extract: align is 2 or 4");
		b->align_to = (uint8_t)x;
	} else if (slice_is(word, "endian")) {
		if (!slice_is(v, "big") && !slice_is(v, "little"))
			return read_fail(r, v.at, "%s: endian is big or little", r->kw->name);
		b->little = slice_is(v, "little");
	} else if (slice_is(word, "string")) {
		if (!base_word(v, &b->base))
			return read_fail(r, v.at, "%s: string is hex, dec or oct", r->kw->name);
	} else {
		return read_fail(r, one.at != NULL ? one.at : r->at, "%s: unknown part '%.*s'",
				 r->kw->name, (int)(one.len < 40 ? one.len : 40), one.at);
	}
	return 0;
}

static int modifiers(struct reading *r, struct match_byte *b, struct slice v, unsigned who)
{
	bool string = false, base = false;
	while (v.at != NULL) {
		struct slice one = slice_cut(&v, ',');
		uint8_t any;
		string |= slice_has(one, "string");
		base |= base_word(one, &any);
		if (one.len == 0)
			return read_fail(r, one.at, "%s: nothing follows the comma", r->kw->name);
		if (plain_word(b, one, who))
			continue;
		int e = value_word(r, b, one, who);
		if (e < 0)
			return e;
	}
	if (base && !string)
		return read_fail(r, r->at, "%s: hex, dec and oct only with string", r->kw->name);
	if (b->from_beginning && b->from_end)
		return read_fail(r, r->at, "%s: from_beginning and from_end exclude each other",
				 r->kw->name);
	if (b->dce && b->base != BYTE_BINARY)
		return read_fail(r, r->at, "%s: dce and string exclude each other", r->kw->name);
	if (b->nbytes.is_var)
		return 0;
	static const uint8_t most[] = {
		[BYTE_BINARY] = 8, [BYTE_HEX] = 14, [BYTE_DEC] = 20, [BYTE_OCT] = 23};
	if (b->nbytes.value > most[b->base] ||
	    (b->nbytes.value == 0 && b->base == BYTE_BINARY && who != FOR_JUMP))
		return read_fail(r, r->at, "%s: %lld bytes, but 1 to %u can be read", r->kw->name,
				 (long long)b->nbytes.value, most[b->base]);
	return 0;
}

static int add_byte(struct reading *r, const struct match_byte *b, enum match_kind kind)
{
	int list = behind(r, b->relative);
	if (b->dce && list >= 0 && r->lists[list].buffer != BUF_DCE_STUB_DATA &&
	    r->lists[list].buffer != BUF_PAYLOAD)
		return read_fail(r, r->at, "%s: dce only in dce_stub_data", r->kw->name);
	struct match *m = read_match_add(r, list, kind);
	if (m == NULL)
		return SKEP_EFORMAT;
	m->u.byte = *b;
	return 0;
}

/* ---- the four ----------------------------------------------------------------------------------- */

static int test_op(struct reading *r, struct slice op, struct match_byte *b)
{
	static const struct {
		const char *name;
		uint8_t op;
	} ops[] = {{"<=", BYTE_LE}, {">=", BYTE_GE}, {"<", BYTE_LT},  {">", BYTE_GT},
		   {"=", BYTE_EQ},  {"==", BYTE_EQ}, {"&", BYTE_AND}, {"^", BYTE_OR}};
	struct slice s = op;
	if (s.len > 0 && s.at[0] == '!') {
		b->negated = true;
		s = slice_trim((struct slice){s.at + 1, s.len - 1});
		if (s.len == 0) {
			b->negated = false;
			b->op = BYTE_NE;
			return 0;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (slice_is(s, ops[i].name)) {
			b->op = ops[i].op;
			return 0;
		}
	return read_fail(r, op.at != NULL ? op.at : r->at,
			 "byte_test: unknown operator '%.*s' (< > = <= >= & ^, with ! before it)",
			 (int)(op.len < 40 ? op.len : 40), op.at != NULL ? op.at : "");
}

int kw_byte_test(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct match_byte b = {0};
	int e = read_value(r, slice_cut(&v, ','), 0, 23, &b.nbytes);
	if (e == 0)
		e = test_op(r, slice_cut(&v, ','), &b);
	if (e == 0)
		e = read_value(r, slice_cut(&v, ','), INT64_MIN + 1, INT64_MAX, &b.value);
	if (e == 0)
		e = read_value(r, slice_cut(&v, ','), -OFFSET_MAX, OFFSET_MAX, &b.offset);
	if (e == 0)
		e = modifiers(r, &b, v, FOR_TEST);
	return e < 0 ? e : add_byte(r, &b, MATCH_BYTE_TEST);
}

int kw_byte_jump(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct match_byte b = {0};
	int e = read_value(r, slice_cut(&v, ','), 0, 23, &b.nbytes);
	if (e == 0)
		e = read_value(r, slice_cut(&v, ','), -OFFSET_MAX, OFFSET_MAX, &b.offset);
	if (e == 0)
		e = modifiers(r, &b, v, FOR_JUMP);
	return e < 0 ? e : add_byte(r, &b, MATCH_BYTE_JUMP);
}

int kw_byte_extract(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct match_byte b = {0};
	int e = read_value(r, slice_cut(&v, ','), 0, 23, &b.nbytes);
	if (e == 0)
		e = read_value(r, slice_cut(&v, ','), -OFFSET_MAX, OFFSET_MAX, &b.offset);
	struct slice name = slice_cut(&v, ',');
	if (e == 0)
		e = modifiers(r, &b, v, FOR_EXTRACT);
	if (e == 0)
		e = define_var(r, name, &b.result);
	return e < 0 ? e : add_byte(r, &b, MATCH_BYTE_EXTRACT);
}

static int math_part(struct reading *r, struct match_byte *b, struct slice one, unsigned *seen,
		     struct slice *result)
{
	struct slice v = one, word = slice_word(&v);
	static const char *const ops[] = {"+", "-", "*", "/", "<<", ">>"};
	if (slice_is(word, "bytes")) {
		*seen |= 1;
		return read_value(r, v, 1, 10, &b->nbytes);
	}
	if (slice_is(word, "offset")) {
		*seen |= 2;
		return read_value(r, v, -OFFSET_MAX, OFFSET_MAX, &b->offset);
	}
	if (slice_is(word, "rvalue")) {
		*seen |= 8;
		return read_value(r, v, 0, UINT32_MAX, &b->value);
	}
	if (slice_is(word, "result")) {
		*seen |= 16;
		*result = v;
		return 0;
	}
	if (slice_is(word, "oper")) {
		*seen |= 4;
		for (size_t i = 0; i < ARRAY_LEN(ops); i++)
			if (slice_is(v, ops[i])) {
				b->op = (uint8_t)ops[i][0];
				return 0;
			}
		return read_fail(r, v.at, "byte_math: oper is one of + - * / << >>");
	}
	return plain_word(b, one, FOR_MATH) ? 0 : value_word(r, b, one, FOR_MATH);
}

int kw_byte_math(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct match_byte b = {0};
	struct slice result = {NULL, 0};
	unsigned seen = 0;
	while (v.at != NULL) {
		int e = math_part(r, &b, slice_cut(&v, ','), &seen, &result);
		if (e < 0)
			return e;
	}
	static const char *const names[] = {"bytes", "offset", "oper", "rvalue", "result"};
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (!(seen & 1u << i))
			return read_fail(r, r->at, "byte_math: %s is missing", names[i]);
	if (b.op == '/' && !b.value.is_var && b.value.value == 0)
		return read_fail(r, r->at, "byte_math: divides by 0");
	int e = define_var(r, result, &b.result);
	return e < 0 ? e : add_byte(r, &b, MATCH_BYTE_MATH);
}

/* ---- isdataat, base64, BER, ASN.1 --------------------------------------------------------------- */

int kw_isdataat(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct match_isdataat d = {0};
	struct slice at = slice_cut(&v, ',');
	if (at.len > 0 && at.at[0] == '!') {
		d.negated = true;
		at = slice_trim((struct slice){at.at + 1, at.len - 1});
	}
	int e = read_value(r, at, 0, OFFSET_MAX, &d.at);
	while (e == 0 && v.at != NULL) {
		struct slice one = slice_cut(&v, ',');
		if (slice_is(one, "relative"))
			d.relative = true;
		else if (slice_is(one, "rawbytes"))
			d.rawbytes = true;
		else
			e = read_fail(r, one.at,
				      "isdataat: '%.*s' is neither relative nor rawbytes",
				      (int)(one.len < 40 ? one.len : 40), one.at);
	}
	struct match *m = e < 0 ? NULL : read_match_add(r, behind(r, d.relative), MATCH_ISDATAAT);
	if (m == NULL)
		return SKEP_EFORMAT;
	m->u.isdataat = d;
	return 0;
}

int kw_base64_decode(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct match_base64 b = {0};
	while (v.at != NULL && v.len > 0) {
		struct slice one = slice_cut(&v, ','), rest = one, word = slice_word(&rest);
		uint64_t x = 0;
		if (slice_is(one, "relative")) {
			b.relative = true;
		} else if (slice_is(word, "bytes") && slice_u64(rest, 65535, &x) && x > 0) {
			b.bytes = (uint32_t)x;
			b.has_bytes = true;
		} else if (slice_is(word, "offset") && slice_u64(rest, 65535, &x)) {
			b.offset = (uint32_t)x;
		} else {
			return read_fail(
				r, one.at,
				"base64_decode: '%.*s' is none of bytes N, offset N, relative",
				(int)(one.len < 40 ? one.len : 40), one.at);
		}
	}
	struct match *m = read_match_add(r, behind(r, b.relative), MATCH_BASE64_DECODE);
	if (m == NULL)
		return SKEP_EFORMAT;
	m->u.base64 = b;
	return 0;
}

/* ber_data:0x30, ber_skip:0x01,optional (arg 1). */
int kw_ber(struct reading *r, const struct keyword *k, struct slice v)
{
	struct slice type = slice_cut(&v, ',');
	uint64_t x = 0;
	if (!slice_u64(type, 255, &x))
		return read_fail(r, type.at, "%s: '%.*s' is no type from 0 to 255", k->name,
				 (int)(type.len < 40 ? type.len : 40), type.at);
	bool optional = v.at != NULL;
	if (optional && (k->arg == 0 || !slice_is(slice_trim(v), "optional")))
		return read_fail(r, v.at, "%s: unknown part '%.*s'", k->name,
				 (int)(v.len < 40 ? v.len : 40), v.at);
	struct match *m = read_match_add(r, here(r), k->arg ? MATCH_BER_SKIP : MATCH_BER_DATA);
	if (m == NULL)
		return SKEP_EFORMAT;
	m->u.ber.type = (uint32_t)x;
	m->u.ber.is_skip = k->arg != 0;
	m->u.ber.optional = optional;
	return 0;
}

int kw_asn1(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	uint32_t flags = 0, oversize = 0;
	int64_t offset = 0;
	bool relative = false;
	while (v.at != NULL) {
		struct slice one = slice_cut(&v, ','), rest = one, word = slice_word(&rest);
		uint64_t x = 0;
		if (slice_is(one, "bitstring_overflow")) {
			flags |= ASN1_BITSTRING;
		} else if (slice_is(one, "double_overflow")) {
			flags |= ASN1_DOUBLE;
		} else if (slice_is(word, "oversize_length") && slice_u64(rest, UINT32_MAX, &x)) {
			flags |= ASN1_OVERSIZE;
			oversize = (uint32_t)x;
		} else if (slice_is(word, "absolute_offset") &&
			   slice_i64(rest, 0, OFFSET_MAX, &offset)) {
			relative = false;
		} else if (slice_is(word, "relative_offset") &&
			   slice_i64(rest, -OFFSET_MAX, OFFSET_MAX, &offset)) {
			relative = true;
		} else {
			return read_fail(r, one.at, "asn1: unknown part '%.*s'",
					 (int)(one.len < 40 ? one.len : 40), one.at);
		}
	}
	if (flags == 0)
		return read_fail(r, r->at, "asn1: nothing is tested");
	struct match *m = read_match_add(r, here(r), MATCH_ASN1);
	if (m == NULL)
		return SKEP_EFORMAT;
	m->u.asn1.flags = flags | (relative ? ASN1_RELATIVE : 0);
	m->u.asn1.oversize = oversize;
	m->u.asn1.offset = (int32_t)offset;
	return 0;
}
