/* SPDX-License-Identifier: BSD-2-Clause */
/* What is matched inside one buffer, in order: contents, expressions, numbers in the data. */
#ifndef SKEP_RULE_CONTENT_PRIV_H
#define SKEP_RULE_CONTENT_PRIV_H

#include "rule/rule.h"

enum match_kind {
	MATCH_CONTENT,
	MATCH_PCRE,
	MATCH_BYTE_TEST,
	MATCH_BYTE_JUMP,
	MATCH_BYTE_EXTRACT,
	MATCH_BYTE_MATH,
	MATCH_ISDATAAT,
	MATCH_BASE64_DECODE,
	MATCH_BSIZE,
	MATCH_ABSENT,
	MATCH_BER_DATA,
	MATCH_BER_SKIP,
	MATCH_ASN1,
	MATCH_ENTROPY
};

#define RULE_BYTE_VARS 16
#define RULE_REPLACES 8u /* of one list */

/* A number that may come from a byte variable (byte_extract, byte_math). */
struct rule_value {
	bool is_var;
	uint8_t var; /* index, 0..RULE_BYTE_VARS-1 */
	int64_t value;
};

struct match_content {
	uint8_t *bytes;
	uint32_t len;
	bool nocase, negated, rawbytes, starts, ends;
	bool has_offset, has_depth, has_distance, has_within;
	struct rule_value offset, depth, distance, within;
	bool fast, fast_only;           /* fast_pattern, fast_pattern:only */
	uint16_t chop_offset, chop_len; /* fast_pattern:o,l; chop_len 0: whole */
	uint8_t *replace;
	uint32_t replace_len;
	bool has_replace, replace_drops; /* can't be done: the rule acts as drop */
	uint8_t replace_no;              /* among those of its list */
};
struct match_pcre {
	char *pattern;    /* terminated, without the slashes */
	uint32_t options; /* PCRE2_ compile options */
	bool negated, relative, raw;
	uint8_t n_captures; /* pkt:/flow: variables written after the flags */
	void *code;         /* pcre2_code, made when the set is finished; the set's */
};
enum byte_op { BYTE_EQ, BYTE_LT, BYTE_GT, BYTE_LE, BYTE_GE, BYTE_NE, BYTE_AND, BYTE_OR };
enum byte_base { BYTE_BINARY, BYTE_HEX, BYTE_DEC, BYTE_OCT };
struct match_byte {   /* byte_test, byte_jump, byte_extract, byte_math */
	uint8_t base; /* enum byte_base; not BINARY: text of nbytes digits */
	bool little, relative, negated, dce;
	uint8_t op; /* byte_test: enum byte_op; byte_math: '+', '-', '*', '/', '<', '>' */
	struct rule_value nbytes, value, offset; /* value: byte_test's, byte_math's rvalue */
	uint64_t bitmask; /* 0: none; result is shifted down by its trailing zeroes */
	bool has_bitmask;
	uint8_t result;                       /* extract, math: index of the variable */
	bool from_beginning, from_end, align; /* jump */
	uint8_t align_to;                     /* extract: 2 or 4; 0: none */
	uint32_t multiplier;                  /* 0: 1 */
	int32_t post_offset;
	bool has_post_offset_var; /* then post_offset is a variable's index */
};
struct match_isdataat {
	struct rule_value at;
	bool relative, negated, rawbytes;
};
struct match_base64 {
	uint32_t bytes, offset;
	bool relative, has_bytes;
};
struct match_bsize {
	uint8_t op; /* '=', '<', '>', 'r' (lo <> hi, exclusive), '!' , 'l' (<=), 'g' (>=) */
	struct rule_value lo, hi;
};
enum asn1_flags { ASN1_BITSTRING = 1, ASN1_DOUBLE = 2, ASN1_OVERSIZE = 4, ASN1_RELATIVE = 8 };
struct match {
	uint8_t kind; /* enum match_kind */
	union {
		struct match_content content;
		struct match_pcre pcre;
		struct match_byte byte;
		struct match_isdataat isdataat;
		struct match_base64 base64;
		struct match_bsize bsize;
		struct {
			bool or_else;
		} absent;
		struct {
			uint32_t type;
			bool is_skip, optional;
		} ber;
		struct {
			uint8_t op;
			double value;
		} entropy;
		struct {
			uint32_t flags, oversize; /* enum asn1_flags */
			int32_t offset;
		} asn1;
	} u;
};

#endif
