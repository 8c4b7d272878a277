/* SPDX-License-Identifier: BSD-2-Clause */
/* A rule as it was understood: what the reader (lex, read, kw_*) makes and the matcher (compile,
 * group, eval_*) uses. Only for src/rule. All memory is the set's arena-like pool until it is freed. */
#ifndef SKEP_RULE_PRIV_H
#define SKEP_RULE_PRIV_H

#include "rule/rule.h"

/* ---- header ------------------------------------------------------------------------------------- */

enum rule_proto {
	PROTO_ANY_IP,
	PROTO_ONLY_TCP,
	PROTO_ONLY_UDP,
	PROTO_ONLY_ICMP,
	PROTO_ONLY_ICMP4,
	PROTO_ONLY_ICMP6,
	PROTO_ONLY_SCTP,
	PROTO_TCP_PKT,
	PROTO_TCP_STREAM,
	PROTO_PKTHDR,
	PROTO_ONLY_IP4,
	PROTO_ONLY_IP6,
	PROTO_NUMBER,
	PROTO_APP,
	PROTO_ARP
};

struct addr_range {
	struct addr lo, hi; /* same version, inclusive */
};
struct addr_set { /* matches if (any or in yes) and not in no */
	bool any;
	uint32_t n_yes, n_no;
	struct addr_range *yes, *no;
};
struct port_range {
	uint16_t lo, hi;
};
struct port_set {
	bool any;
	uint32_t n_yes, n_no;
	struct port_range *yes, *no;
};
bool addr_set_has(const struct addr_set *s, const struct addr *a);
bool port_set_has(const struct port_set *s, uint16_t port);

/* ---- what is matched inside one buffer, in order ------------------------------------------------- */

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
	bool has_replace;
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

enum transform {
	TRANSFORM_NONE,
	TRANSFORM_DOTPREFIX,
	TRANSFORM_STRIP_WS,
	TRANSFORM_COMPRESS_WS,
	TRANSFORM_TO_LOWER,
	TRANSFORM_TO_UPPER,
	TRANSFORM_TO_MD5,
	TRANSFORM_TO_SHA1,
	TRANSFORM_TO_SHA256,
	TRANSFORM_URL_DECODE,
	TRANSFORM_XOR,
	TRANSFORM_PCREXFORM,
	TRANSFORM_HEADER_LOWER,
	TRANSFORM_STRIP_PSEUDO,
	TRANSFORM_FROM_BASE64,
	TRANSFORM_DOMAIN,
	TRANSFORM_TLD,
	TRANSFORM_LUA_UNSUPPORTED,
	TRANSFORM_GUNZIP,
	TRANSFORM_ZLIB_DEFLATE,
	TRANSFORM_SUBSLICE
};
#define RULE_TRANSFORMS 8
struct rule_transform {
	uint8_t kind; /* enum transform */
	uint8_t *arg; /* xor key; regex text of pcrexform, terminated */
	uint32_t arg_len;
	int32_t a, b; /* from_base64: bytes, offset; subslice: offset, bytes */
	uint8_t mode; /* from_base64: 0 rfc4648, 1 rfc2045, 2 strict */
	void *code;   /* pcre2_code, made at finish */
};

/* All that is asked of one instance of one buffer. */
struct rule_list {
	uint16_t buffer; /* enum app_buffer; BUF_PAYLOAD: packet or stream */
	uint8_t n_transforms;
	struct rule_transform *transforms; /* n_transforms; NULL: none */
	uint32_t n;
	struct match *m;
	char *header;     /* Snort 3's http_header:field name, lower case; NULL: none */
	uint8_t dirs;     /* of a '=>' rule: BUFFER_TS or BUFFER_TC, to look at one only; 0: any */
	bool base64_data; /* the rest matches what the last base64_decode made of another list */
};

/* ---- what is asked of packet, flow, transaction as a whole ---------------------------------------- */

enum test_kind {
	TEST_TTL,
	TEST_TOS,
	TEST_IP_ID,
	TEST_IP_PROTO,
	TEST_IPOPTS,
	TEST_FRAGBITS,
	TEST_FRAGOFFSET,
	TEST_SAMEIP,
	TEST_TCP_FLAGS,
	TEST_TCP_SEQ,
	TEST_TCP_ACK,
	TEST_TCP_WINDOW,
	TEST_TCP_MSS,
	TEST_TCP_WSCALE,
	TEST_ITYPE,
	TEST_ICODE,
	TEST_ICMP_ID,
	TEST_ICMP_SEQ,
	TEST_ICMP6_MTU,
	TEST_DSIZE,
	TEST_VLAN_ID,
	TEST_VLAN_LAYERS,
	TEST_FLOW,
	TEST_FLOWBITS,
	TEST_FLOWINT,
	TEST_XBITS,
	TEST_HOSTBITS,
	TEST_STREAM_SIZE,
	TEST_FLOW_AGE,
	TEST_FLOW_PKTS,
	TEST_FLOW_BYTES,
	TEST_APP_PROTO,
	TEST_APP_EVENT,
	TEST_DECODE_EVENT,
	TEST_STREAM_EVENT,
	TEST_URILEN,
	TEST_NUMBER,
	TEST_SSL_VERSION,
	TEST_SSL_STATE,
	TEST_FILE_EXT,
	TEST_FILE_NAME,
	TEST_FILE_SIZE,
	TEST_DCE_OPNUM,
	TEST_DCE_IFACE,
	TEST_RPC,
	TEST_BYPASS,
	TEST_TUNNEL,
	TEST_RANDOM,
	TEST_DNS_RRTYPE,
	TEST_IPREP,
	TEST_REGION
};

/* Comparison of a number: op '=' '!' '<' '>' 'l' (<=) 'g' (>=) 'r' (lo < x < hi) 'R' (lo <= x <= hi)
 * '&' (any of the bits lo) '|' (any of the hi comparisons at list). A test's negated turns it over. */
struct rule_number {
	uint8_t op;
	uint64_t lo, hi;
	const struct rule_number *list;
};
bool rule_number_fits(const struct rule_number *n, uint64_t x);

enum flow_bits { /* TEST_FLOW */
		 FLOW_TO_SERVER = 1,
		 FLOW_TO_CLIENT = 2,
		 FLOW_ESTABLISHED = 4,
		 FLOW_NOT_ESTABLISHED = 8,
		 FLOW_STATELESS = 16,
		 FLOW_ONLY_STREAM = 32,
		 FLOW_NO_STREAM = 64,
		 FLOW_ONLY_FRAG = 128,
		 FLOW_NO_FRAG = 256
};
enum bits_op {
	BITS_SET,
	BITS_UNSET,
	BITS_TOGGLE,
	BITS_ISSET,
	BITS_ISNOTSET,
	BITS_ISSET_ANY,
	BITS_ISNOTSET_ANY,
	BITS_SETX,
	BITS_RESET
};
#define RULE_BITS 16
struct rule_bits { /* flowbits, xbits, hostbits; isset with several names: any (|) or all (&) */
	uint8_t op, n;
	uint8_t track; /* xbits: 's' ip_src, 'd' ip_dst, 'p' ip_pair */
	uint32_t expire_s;
	uint16_t ids[RULE_BITS]; /* numbers that the set gives to names */
	uint16_t group;          /* Snort's flowbits group + 1; 0: none */
};
enum flowint_op {
	FLOWINT_SET,
	FLOWINT_ADD,
	FLOWINT_SUB,
	FLOWINT_LT,
	FLOWINT_LE,
	FLOWINT_EQ,
	FLOWINT_NE,
	FLOWINT_GE,
	FLOWINT_GT,
	FLOWINT_ISSET,
	FLOWINT_NOTSET
};
struct rule_flowint {
	uint8_t op;
	uint16_t id, other; /* other: variable + 1 instead of value; 0: value */
	uint32_t value;
};

#define RULE_ANY_INDEX 255u
#define RULE_ALL_INDEX 254u

enum ssl_bits { /* TEST_SSL_VERSION */
		SSL_V2 = 1,
		SSL_V3 = 2,
		SSL_TLS10 = 4,
		SSL_TLS11 = 8,
		SSL_TLS12 = 16,
		SSL_TLS13 = 32
};
enum ssl_state_bits { /* TEST_SSL_STATE */
		      SSL_CLIENT_HELLO = 1,
		      SSL_SERVER_HELLO = 2,
		      SSL_CLIENT_KEYX = 4,
		      SSL_SERVER_KEYX = 8,
		      SSL_UNKNOWN = 16
};

struct rule_test {
	uint8_t kind; /* enum test_kind */
	bool negated;
	union {
		struct rule_number number; /* most */
		struct {
			uint8_t set, mask, mode;
		} flags; /* mode '=' exact, '+' at least, '*' any, '!' none */
		struct {
			uint16_t bits;
			uint8_t mode;
		} fragbits;    /* bits 1 M, 2 D, 4 R */
		uint32_t flow; /* enum flow_bits */
		struct rule_bits bits;
		struct rule_flowint flowint;
		struct {
			uint8_t side;
			struct rule_number n;
		} size; /* side 's','c','b' both,'e' either */
		struct {
			uint8_t side;
			struct rule_number n;
		} count; /* flow.pkts/bytes: 's','c','e','b' sum */
		struct {
			uint8_t app;
			uint8_t mode;
		} app; /* mode: 0 flow's, 's','c' a direction's, 'f' final, 'o' original, 'e' either */
		struct {
			uint8_t proto;
			uint16_t event;
		} event; /* app event; decode and stream: event */
		struct {
			uint8_t n;
			struct rule_number v;
			uint32_t index;
		} num; /* TEST_NUMBER: n enum app_number. TEST_VLAN_ID: index of the tag, outermost 0,
			* or RULE_ANY_INDEX, RULE_ALL_INDEX */
		struct {
			char *text;
			uint32_t len;
			bool nocase;
		} text;
		struct {
			struct rule_number n;
			bool raw, norm;
		} urilen;
		struct {
			uint8_t uuid[16];
			struct rule_number version;
			bool any_frag, has_version;
		} iface;
		struct {
			uint16_t on, off;
		} ssl; /* bits per version or state: one of on (0: any), none of off */
		struct {
			uint32_t program, version, procedure;
			bool any_version, any_procedure;
		} rpc;
	} u;
};

enum threshold_kind {
	THRESHOLD_NONE,
	THRESHOLD_LIMIT,
	THRESHOLD_THRESHOLD,
	THRESHOLD_BOTH,
	THRESHOLD_DETECTION_FILTER,
	THRESHOLD_BACKOFF,
	THRESHOLD_RATE,
	THRESHOLD_SUPPRESS
};
struct rule_threshold {
	uint8_t kind;
	char track; /* 's' by_src, 'd' by_dst, 'r' by_rule, 'b' by_both, 'f' by_flow */
	uint32_t count, seconds, multiplier;
	uint8_t new_action; /* rate_filter */
	uint32_t timeout_s;
	struct addr_set addrs; /* suppress */
};

struct rule {
	uint32_t index;       /* in the set, after ordering */
	uint8_t action;       /* enum rule_action */
	uint8_t proto;        /* enum rule_proto */
	uint8_t proto_number; /* PROTO_NUMBER */
	uint8_t app;          /* enum app_proto a rule is about, or APP_UNKNOWN */
	bool both_ways;       /* <> */
	bool transactional;   /* => : buffers of both directions of one transaction */
	struct addr_set src, dst;
	struct port_set sport, dport;
	uint32_t gid, sid, rev, priority;
	bool has_priority;
	char *msg, *classtype, *text, *file;
	uint32_t line;
	uint32_t n_references, n_metadata; /* n_metadata: pairs */
	char **references, **metadata;
	uint8_t target;
	bool noalert, say; /* say: "alert" keyword, speaks though the action is pass */
	uint32_t n_lists, n_tests, n_sets, n_thresholds;
	struct rule_list *lists; /* in the order of the rule's writing */
	struct rule_test *tests; /* questions, before and after contents alike */
	struct rule_test
		*sets; /* TEST_FLOWBITS, FLOWINT, XBITS that change something: on a match */
	struct rule_threshold *thresholds; /* own, then from threshold.config */
	uint32_t n_byte_vars;
	bool prefilter; /* "prefilter" keyword */
	bool tag;
	uint32_t tag_count, tag_seconds, tag_bytes;
	uint8_t tag_host;
	/* ---- the matcher's, set at finish ---- */
	uint16_t need;                 /* enum rule_need bits */
	int16_t fast_list, fast_match; /* where its fast pattern is; -1: none */
	void *plan;
};

/* ---- the set -------------------------------------------------------------------------------------- */

struct rule_pool;                                        /* memory that lives as long as the set */
void *rule_pool_alloc(struct rule_pool *p, size_t size); /* zeroed; NULL: no memory */
char *rule_pool_text(struct rule_pool *p, const char *s, size_t len);

struct rule_class {
	char *name, *description;
	uint32_t priority;
};

struct rule_set {
	struct rule_set_conf conf;
	struct rule_vars *vars;
	struct rule_pool *pool;
	struct rule **rules; /* n rules; ordered by finish */
	uint32_t n, cap;
	struct rule_class *classes;
	uint32_t n_classes, cap_classes;
	char **bit_names; /* flowbits, xbits, flowints by number */
	uint32_t n_bits, cap_bits;
	struct rule_set_stats stats;
	void *compiled; /* compile.c's: groups, databases */
	void *reading;  /* read.c's: threshold lines seen so far ... */
};

/* Makes set->compiled from set->rules (compile.c). */
MUST_USE int rule_compile(struct rule_set *s);
void rule_compile_free(struct rule_set *s);

#endif
