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
	struct collect *collect;  /* find what is new to it; NULL: anything */
	int64_t place[RULE_REPLACES];
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
/* A rule against the payload data (packet or stream); k: where what is replaced is noted, or NULL. */
bool eval_payload(struct rule_engine *e, const struct rule *r, const struct view *v,
		  const struct bytes *payload, struct collect *k);
/* Transforms. false: the transformation does not apply. */
bool transform_bytes(struct rule_engine *e, const struct rule_list *l, uint8_t xform_id,
		     struct bytes *b);

/* Counts a check; time stamp for engine_checked, 0 unless profiling. */
int64_t engine_check(struct rule_engine *e, const struct rule *r);
void engine_checked(struct rule_engine *e, const struct rule *r, int64_t begin);
/* The view of a direction of a flow, without a packet (*p is filled in), and its groups: at least [0]. */
unsigned engine_view(const struct rule_engine *e, struct stream_flow *f, unsigned dir,
		     struct pkt *p, struct view *ret_view, const struct group *ret[2]);
/* Is the packet's payload part of a stream? Inline a second copy is, too: nobody looks at it again. */
bool engine_in_stream(const struct rule_engine *e, const struct view *v);
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
/* ---- replace/ ------------------------------------------------------------------------------ */
#define COLLECT 512u
struct found { /* in the bytes that were looked at */
	uint32_t at;
	const struct match_content *c;
};
/* Places of a rule's contents that are to be replaced. */
struct collect {
	struct rule_engine *e;
	const struct view *v;
	const struct rule *rule;
	/* Was it replaced before? NULL: nothing was. */
	bool (*known)(const struct collect *k, uint32_t at, uint32_t len);
	uint64_t base, end;  /* of the bytes: in the stream, or in the buffer */
	uint16_t buffer;     /* of a transaction ... */
	uint32_t index, dir; /* ... which one of several */
	bool more;           /* there are more than fit */
	bool again;          /* the rule has matched this transaction before */
	uint32_t n, n_list;  /* n_list: contents of this list that are replaced */
	struct found *at;    /* COLLECT of them */
};
/* Does a match of such a rule change bytes? (inline) */
static inline bool replaces(const struct rule_engine *e, const struct rule *r)
{
	const struct plan *p = r->plan;
	return e->conf.inline_mode && p->replaces && !p->replace_drops;
}
/* All places in b; false: nothing new matches. */
bool collect_list(struct eval *x, const struct rule_list *l, const struct bytes *b, uint32_t n_list,
		  struct collect *k);
/* Is there something new in the choice of places that x has made? */
bool collect_new(const struct eval *x);
bool collect_known(const struct collect *k, uint32_t at, uint32_t len);
MUST_USE int replace_create(struct rule_engine *e);
/* A rule that replaces against the payload; at: where in the stream it stands. Notes the edits. */
bool replace_payload(struct rule_engine *e, const struct rule *r, const struct view *v,
		     const struct bytes *payload, uint64_t at);
/* Where in the stream the last of them ends. */
uint64_t replace_end(const struct rule_engine *e);
/* Is one content all that the rule asks of the payload? */
bool replace_single(const struct rule *r);
/* The same for a rule about transactions that looks at the payload as well: at all that is held. */
bool replace_stream(struct rule_engine *e, const struct view *v, const struct rule *r);
/* The same of a buffer of v->tx: the list's contents in b, which is its index-th instance. again: the rule has
 * matched the transaction before. */
void replace_buffer(struct rule_engine *e, const struct rule *r, const struct view *v,
		    const struct rule_list *l, const struct bytes *b, unsigned dir, uint32_t index,
		    bool again, bool *ret_any);
/* Where in the stream what waits in the body b begins; UINT64_MAX: nothing does. */
uint64_t hold_body(struct rule_engine *e, const struct view *v, const struct rule *r, uint32_t list,
		   const struct bytes *b, unsigned dir, uint32_t index);
/* Did the rule replace this before, or is it too long ago to say? dir: the stream's. */
bool replace_known(const struct flow_rules *fr, unsigned dir, uint32_t rule, uint64_t off,
		   uint32_t len);
/* What to do about a match whose action would be this. */
uint8_t replace_settle(struct rule_engine *e, const struct view *v, const struct queued *q,
		       uint8_t action);
/* Of a request whose answer's body a rule may change: sees to it that it can be (ask.c). */
void replace_ask(struct rule_engine *e, const struct view *v, struct app_tx *tx);
/* A rule that replaces in bodies of what the server says in v's flow, and of which the header fits; NULL: none.
 * *ret_resizes: such a rule changes their length. */
const struct rule *hold_answers(const struct rule_engine *e, struct stream_flow *f,
				bool *ret_resizes);
/* An edit that no match wants, but what a rule will do; now: before those of matches. false: it can't be. */
bool replace_also(struct rule_engine *e, const struct view *v, const struct rule_edit *x, bool now);
/* All matches are settled. passed: the rest was let go. */
void replace_finish(struct rule_engine *e, const struct view *v, bool passed);
/* Other rules: the i-th of n is now the to[i]-th (UINT32_MAX: gone). What left under the old ones is let be. */
void replace_adopt(struct side_rules *s, const uint32_t *to, uint32_t n);
void replace_flow_free(struct rule_engine *e, struct flow_rules *fr);
/* Where replaced contents of a stream's candidates stand whose rules may yet come to match. */
void hold_stream(struct rule_engine *e, const struct view *v, const uint8_t *data, uint64_t from,
		 uint64_t end);
#define HOLD_BYTES 4096u /* that wait for what decides about them */
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
