/* SPDX-License-Identifier: BSD-2-Clause */
/* Holding one rule against one thing; and what looks at streams, transactions and counts. Only for
 * src/rule. */
#ifndef SKEP_RULE_MATCH_EVAL_PRIV_H
#define SKEP_RULE_MATCH_EVAL_PRIV_H

#include "rule/match/engine_priv.h"

/* ---- evaluation ---------------------------------------------------------------------------------- */

enum answer { NO, YES, WAIT };

/* A buffer's bytes. origin: offset of data[0] in the whole; whole: nothing more will come. */
struct bytes {
	const uint8_t *data;
	uint32_t len;
	uint64_t origin;
	bool whole;
};
#define EVAL_MISSED 16u
struct eval {
	struct rule_engine *e;
	const struct view *v;
	const struct rule *rule;
	const struct rule_list *list;
	struct bytes b;
	int64_t vars[RULE_BYTE_VARS];
	int64_t budget;
	/* Contents that are looked for from some place to the buffer's end, and from which on they were
	 * not found: other choices before them need not search there again. */
	uint64_t missed; /* bits by place in the list */
	int64_t missed_from[EVAL_MISSED];
	bool spent, base64_skips; /* base64_skips: other characters than its digits */
};
/* Does the buffer satisfy the list? */
bool eval_list(struct eval *x, const struct rule_list *l, const struct bytes *b);
/* Finds len bytes of needle; NULL: not there. */
const uint8_t *eval_find(const uint8_t *hay, size_t hay_len, const uint8_t *needle, size_t len,
			 bool nocase);
int64_t eval_value(const struct eval *x, const struct rule_value *v);
/* One byte_* match at the cursor: moves it. */
bool eval_byte(struct eval *x, const struct match *m, int64_t *cursor);
int base64_digit(uint8_t c); /* -1: none */
bool eval_bsize(const struct eval *x, const struct match_bsize *b);
bool eval_base64(struct eval *x, const struct match_base64 *b, int64_t cursor);
bool eval_asn1(const struct eval *x, const struct match *m, int64_t cursor);
bool eval_ber(struct eval *x, const struct match *m, int64_t *cursor);
bool eval_entropy(const struct eval *x, const struct match *m);
/* Header, direction, protocol of a rule. */
enum answer eval_header(const struct rule_engine *e, const struct rule *r, const struct view *v);
/* All its tests. WAIT: may come to fit as the transaction goes on. */
enum answer eval_tests(struct rule_engine *e, const struct rule *r, const struct view *v);
/* A rule against the payload data (packet or stream). */
bool eval_payload(struct rule_engine *e, const struct rule *r, const struct view *v,
		  const struct bytes *payload);
/* Transforms. false: the transformation does not apply. */
bool transform_bytes(struct rule_engine *e, const struct rule_list *l, uint8_t xform_id,
		     struct bytes *b);

/* Counts a check; time stamp for engine_checked, 0 unless profiling. */
int64_t engine_check(struct rule_engine *e, const struct rule *r);
void engine_checked(struct rule_engine *e, const struct rule *r, int64_t begin);
/* Looks from the other direction. */
void view_turn(struct view *v, unsigned dir);
/* One direction of a stream; g: the n groups of v. turn: the other side speaks; settle: what is there is
 * final for now. */
void side_inspect(struct rule_engine *e, struct view *v, const struct group *const g[2], unsigned n,
		  bool turn, bool settle);
/* Where in the stream the packet's payload ends. */
uint64_t side_end_of(const struct stream_side *side, const struct pkt *p);
/* Everything of a flow's transactions. */
void tx_inspect(struct rule_engine *e, struct view *v, bool final);
/* ---- quick.c ---------------------------------------------------------------------------------------- */
bool quick_ports(const struct quick *q, const struct view *v);
bool quick_bytes(const struct quick *q, const uint8_t *data, uint32_t len);
/* Could the rule match this packet? */
bool quick_fits(const struct quick *q, const struct view *v);
bool eval_stream_size(const struct rule_test *t, const struct stream_flow *f);
bool eval_tcp_flags(const struct rule_test *t, const struct pkt *p);
/* ---- state.c --------------------------------------------------------------------------------------- */
MUST_USE int state_create(const struct rule_set *set, struct state **ret);
void state_free(struct state **s);
bool state_test(struct rule_engine *e, const struct view *v, const struct rule_test *t);
void state_set(struct rule_engine *e, const struct view *v, const struct rule_test *t);
/* Thresholds of a match; changes *action. false: say nothing. */
bool state_threshold(struct rule_engine *e, const struct view *v, const struct rule *r,
		     uint8_t *action);

#endif
