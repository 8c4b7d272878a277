/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the reader share: one rule while it is being read, pieces of its text, and the
 * table of keywords. Only for src/rule. */
#ifndef SKEP_RULE_READ_PRIV_H
#define SKEP_RULE_READ_PRIV_H

#include "rule/rule_priv.h"

#define READ_TEXT (64u * 1024) /* bytes of one rule */
#define READ_OPTIONS 512u
#define READ_MATCHES 512u
#define READ_LISTS 64u
#define READ_TESTS 64u
#define READ_PAIRS 256u
#define READ_CONTENT 2048u /* bytes of one content */
#define READ_NAME 64u      /* bytes of a keyword's name */

struct slice { /* a piece of the rule's text; at NULL: absent */
	const char *at;
	size_t len;
};
struct text_break {    /* where a continued line was joined: text from `from` on is */
	uint32_t from; /* at line + lines, from column on */
	uint32_t lines, column;
};

/* ---- keywords ----------------------------------------------------------------------------------- */

enum kw_family {
	FAMILY_META,
	FAMILY_CONTENT,
	FAMILY_BYTES,
	FAMILY_BUFFER,
	FAMILY_TRANSFORM,
	FAMILY_HEADER,
	FAMILY_FLOW,
	FAMILY_APP,
	FAMILY_REFUSED,
	FAMILIES
};
#define SURICATA 1u
#define SNORT2 2u
#define SNORT3 4u
#define ALL_DIALECTS (SURICATA | SNORT2 | SNORT3)
enum kw_takes { TAKES_NOTHING, TAKES_VALUE, TAKES_MAYBE };

struct reading;
struct keyword;
typedef int kw_fn(struct reading *r, const struct keyword *k, struct slice v);
struct keyword {
	const char *name; /* lower case */
	uint8_t family, dialects, takes;
	kw_fn *read;     /* NULL: refused */
	uint16_t arg;    /* the function's own */
	const char *why; /* refused: because of what */
};
/* All keywords, sorted by name; one by its name in lower case (NULL: none); the nearest name for a
 * mistaken one (NULL: none is near). */
const struct keyword *keyword_table(uint32_t *ret_n);
const struct keyword *keyword_find(const char *name, size_t len);
const char *keyword_near(const char *name);
const char *keyword_family_text(enum kw_family f);

/* ---- one rule being read ------------------------------------------------------------------------ */

struct read_option {
	struct slice name, value;
	const struct keyword *k;
};
struct read_match {
	struct match m;
	uint8_t list;
	const char *at; /* of its keyword, for problems */
};
struct reading {
	struct rule_set *set;
	const char *file;
	uint32_t line, column; /* of the rule's first byte */
	struct slice text;     /* its lines, joined */
	struct text_break *breaks;
	uint32_t n_breaks;

	struct rule *rule;
	bool snort3; /* buffers stand before contents, modifiers inside them */
	bool failed, skipped;
	const struct keyword *kw;
	const char *at;         /* of the keyword being read */
	int list;               /* where contents go now */
	const char *list_named; /* the keyword that said so */
	int content;            /* the last content, index in m; -1: none */
	bool sticky;            /* a buffer was named and holds */
	bool has_sid, has_fast;
	uint32_t n_options, n_m, n_lists, n_tests, n_sets, n_thresholds, n_references, n_metadata;
	struct read_option options[READ_OPTIONS];
	struct read_match m[READ_MATCHES];
	struct rule_list lists[READ_LISTS];
	const char *list_at[READ_LISTS];
	struct rule_transform transforms[READ_LISTS][RULE_TRANSFORMS];
	struct rule_test tests[READ_TESTS], sets[READ_TESTS];
	const char *test_at[READ_TESTS];
	struct rule_threshold thresholds[4];
	char *references[READ_PAIRS], *metadata[READ_PAIRS];
	struct slice vars[RULE_BYTE_VARS];
	uint32_t n_vars;
	uint8_t bytes[READ_CONTENT];
};

/* Tells that the rule can't be loaded, and where (at: inside the rule's text). Only the first problem
 * of a rule is told. Always SKEP_EFORMAT. */
int read_fail(struct reading *r, const char *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
void read_warn(struct reading *r, const char *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* No memory: makes the rule fail and returns -ENOMEM. */
int read_nomem(struct reading *r);

bool slice_is(struct slice s, const char *text);  /* ignoring case */
bool slice_has(struct slice s, const char *text); /* begins with text, ignoring case */
struct slice slice_trim(struct slice s);
/* Takes what stands before the next sep (trimmed) off rest; afterwards rest->at is NULL if that was
 * the last piece. */
struct slice slice_cut(struct slice *rest, char sep);
/* The first word (up to space) off rest, which is trimmed afterwards. */
struct slice slice_word(struct slice *rest);
/* Without the quotes around it, if there are any. */
struct slice slice_unquote(struct slice s);
/* Whole numbers, decimal or 0x hexadecimal, and nothing behind them. */
bool slice_u64(struct slice s, uint64_t most, uint64_t *ret);
bool slice_i64(struct slice s, int64_t least, int64_t most, int64_t *ret);
char *slice_copy(struct reading *r, struct slice s);
/* A copy kept once however often it is asked for. */
char *read_intern(struct reading *r, struct slice s);
/* "5", "<5", ">=5", "!5", "5-9", "5<>9", "5<=>9" ... */
int read_number(struct reading *r, struct slice v, uint64_t most, struct rule_number *ret);
/* A number, or the name of a byte variable. */
int read_value(struct reading *r, struct slice v, int64_t least, int64_t most,
	       struct rule_value *ret);
/* Contents with |hex| and escapes, into r->bytes; v is what stands inside the quotes. */
int read_content_bytes(struct reading *r, struct slice v, uint32_t *ret_len);
/* Number that the set gives to the name of a bit or counter. */
int read_bit(struct reading *r, struct slice name, uint16_t *ret);

/* The list of a buffer, found or made; a new one in any case. -1: failed. */
int read_list(struct reading *r, unsigned buffer);
int read_list_new(struct reading *r, unsigned buffer);
/* A new match at the end of list; NULL: failed. */
struct match *read_match_add(struct reading *r, int list, enum match_kind kind);
struct rule_test *read_test_add(struct reading *r, enum test_kind kind);
struct rule_test *read_set_add(struct reading *r, enum test_kind kind);
/* What must hold between the parts of a rule (check.c). */
int read_check(struct reading *r);

#endif
