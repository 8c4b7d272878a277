/* SPDX-License-Identifier: BSD-2-Clause */
/* A rule as it was understood: what the reader (lex, read, kw_*) makes and the matcher (match/) uses. Only
 * for src/rule. All memory is the set's pool until it is freed. */
#ifndef SKEP_RULE_PRIV_H
#define SKEP_RULE_PRIV_H

#include "rule/buffer_priv.h"
#include "rule/test_priv.h"

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
