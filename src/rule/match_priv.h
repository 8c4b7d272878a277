/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the matcher share: plans, groups, prefilters, the engine. Only for src/rule. */
#ifndef SKEP_RULE_MATCH_PRIV_H
#define SKEP_RULE_MATCH_PRIV_H

#include "rule/rule_priv.h"

#include <hs/hs.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum transport { T_TCP, T_UDP, T_ICMP, T_SCTP, T_OTHER, TRANSPORTS };

enum rule_need {                       /* rule.need: what a rule is held against */
		 NEED_PACKET = 1,      /* each packet's payload or header buffers */
		 NEED_STREAM = 2,      /* the ordered stream */
		 NEED_TX = 4,          /* transactions */
		 NEED_HEADER = 8,      /* each packet, without looking at its payload */
		 NEED_FLOW_ONCE = 16,  /* once per flow and direction: addresses only */
		 NEED_APP_ONCE = 32,   /* once per flow and direction, when its protocol is known */
		 NEED_DECODE = 64,     /* packets with decode events */
		 NEED_STREAMEV = 128,  /* packets with stream events */
		 NEED_APP_EVENT = 256, /* transactions and flows with new app-layer events */
		 NEED_BOTH_SEEN = 512  /* buffers of both directions of one transaction (=>) */
};

#define DIR_TS 1u /* bits of directions: 1 << TO_SERVER, 1 << TO_CLIENT */
#define DIR_TC 2u
#define PLAN_LISTS 31u /* lists of one rule: bits of a candidate's mask */

struct plan_list {
	uint8_t dir;      /* TO_SERVER or TO_CLIENT; 2: that of the evaluation */
	bool whole;       /* more data could undo a match: wait until the buffer is complete */
	bool child;       /* matches what base64_decode of the list before made */
	uint8_t xform_id; /* lists with the same transforms have the same; 0: none */
};
struct plan {
	uint8_t dirs, transports; /* bits; transports by enum transport */
	bool whole;               /* any payload list is */
	bool passes_flow;         /* a pass or drop by this rule holds for the flow */
	bool starts;              /* looks at where a stream or a message in it begins */
	bool bits;                /* tests flowbits and the like: the answer can change */
	uint32_t payload_len;     /* shortest payload that could match */
	struct plan_list *lists;
};

/* ---- prefilter: many literals at once -------------------------------------------------------------- */

#define LITERAL_MAX 64u /* bytes of a fast pattern that are looked for */
struct literal {
	const uint8_t *bytes;
	uint16_t len;
	bool nocase;
	uint32_t rule;
};
struct database {
	uint8_t key[32]; /* of its literals */
	hs_database_t *hs;
	struct literal *literals; /* distinct; owned until compiled */
	uint32_t n;
};
struct mpm { /* literals of one group and buffer */
	uint32_t database;
	uint32_t n, min_len, max_len;
	uint32_t *first, *rules; /* literal i belongs to rules[first[i]] .. rules[first[i + 1]] */
};
struct compiled;
/* Adds the literals as one prefilter (sorting l); 0 and *ret NULL if n is 0. */
MUST_USE int mpm_add(struct compiled *c, struct literal *l, uint32_t n, struct mpm **ret);
/* Compiles, or takes from the cache in dir (NULL: none), all databases. */
MUST_USE int prefilter_finish(struct compiled *c, const char *dir, struct rule_set_stats *stats);
void mpm_free(struct mpm *m);

/* ---- groups -------------------------------------------------------------------------------------- */

struct rule_refs {
	uint32_t *at, n, cap;
};
MUST_USE int refs_add(struct rule_refs *r, uint32_t rule);
struct group { /* rules that a packet of some port meets */
	struct mpm *packet, *stream;
	struct rule_refs header, always_packet, always_stream;
	bool streams; /* there is a rule for the stream */
};
struct tx_set { /* rules whose fast pattern is in one buffer, made one way, in one direction */
	uint16_t buffer;
	uint8_t dir, xform_id;
	const struct rule_list *list; /* the first of them: transforms, header */
	struct mpm *mpm;
	struct literal *literals; /* while building */
	uint32_t n, cap;
};
struct app_plan { /* of one protocol and direction */
	uint16_t *sets, n_sets;
	struct rule_refs always, events;
	bool any;
};
#define TX_SETS 512u
#define XFORMS 250u
struct compiled {
	struct database *databases;
	uint32_t n_databases, cap_databases;
	struct group *groups;
	uint32_t n_groups, cap_groups;
	uint32_t any[TRANSPORTS][2];      /* group of rules without narrow ports */
	uint16_t *by_port[TRANSPORTS][2]; /* port -> group, 0 none; NULL: none at all */
	struct tx_set *tx_sets;
	uint32_t n_tx_sets;
	struct app_plan apps[APP_PROTOS][2];
	struct rule_refs flow_once, app_once, decode, stream_events, flow_events;
	const struct rule_list *xforms[XFORMS + 1];
	uint32_t n_xforms;
	bool payload_in_tx;
	struct rule_pool *pool;
	uint64_t bytes;
};
MUST_USE int group_build(struct rule_set *s, struct compiled *c);

/* ---- the engine ------------------------------------------------------------------------------------ */

#define CANDIDATES 8192u
#define QUEUE 256u
#define XFORM_SLOTS 64u
#define XFORM_BYTES (512u * 1024u)
#define BASE64_BYTES 65536u
#define BUDGET 10000u

struct candidate {
	uint32_t rule, mask; /* mask: lists that matched; CAND_FIRED */
};
#define CAND_FIRED 0x80000000u

struct queued {
	uint32_t rule;
	uint8_t where, dir;
	bool has_tx;
	uint64_t tx_id;
};

/* What a rule is held against, seen from one direction. */
struct view {
	const struct pkt *p;
	struct stream_flow *flow; /* or NULL */
	struct flow_rules *fr;    /* engine's state of the flow, or NULL */
	const struct stream_result *r;
	struct app *app; /* or NULL */
	const struct app_tx *tx;
	const struct addr *src, *dst;
	uint16_t sport, dport;
	uint8_t dir, where, transport;
	bool final; /* nothing more will come */
};

struct xform_slot {
	const uint8_t *src;
	uint32_t src_len, len;
	uint8_t xform_id;
	bool ok;
	const uint8_t *data;
};

struct tx_work;
struct tx_work *tx_work_create(void);
struct state; /* thresholds, host bits: state.c */

struct rule_engine {
	const struct rule_set *set;
	const struct compiled *c;
	struct rule_engine_conf conf;
	struct slab *slab;
	hs_scratch_t *scratch;
	pcre2_general_context *pcre_gc;
	pcre2_match_context *pcre_mc;
	pcre2_match_data *pcre_md;
	pcre2_jit_stack *pcre_js;
	uint32_t *mark, gen; /* mark[rule] == gen: is a candidate now */
	uint32_t *slot;      /* its place among the candidates */
	struct candidate *cands;
	uint32_t n_cands;
	const struct mpm *scanning;
	struct queued queue[QUEUE];
	uint32_t n_queued;
	bool bits_changed; /* a match has set bits or numbers */
	struct xform_slot xforms[XFORM_SLOTS];
	uint32_t n_xforms, xform_used;
	uint8_t *xform_bytes, *base64;
	uint32_t base64_len;
	uint32_t budget;
	int64_t now_ns;
	struct state *state;
	struct tx_work *work;
	struct rule_engine_stats stats;
	struct rule_profile *profile; /* per rule, or NULL */
};

void cand_begin(struct rule_engine *e);
void cand_add(struct rule_engine *e, uint32_t rule, uint32_t mask);
void cand_refs(struct rule_engine *e, const struct rule_refs *r);
void cand_sort(struct rule_engine *e);
void mpm_scan(struct rule_engine *e, const struct mpm *m, const uint8_t *data, uint32_t len);
/* Notes a match: applies the rule's sets, queues it. */
void engine_match(struct rule_engine *e, const struct view *v, const struct rule *r);
static inline const struct rule *rule_at(const struct rule_engine *e, uint32_t i)
{
	return e->set->rules[i];
}

/* One flow's state, in stream_flow.rules. */
#define STREAM_CANDS 256u
struct stream_cand {
	uint32_t rule;
	uint8_t evals;                    /* full evaluations that found nothing */
	uint64_t from;                    /* bytes before were matched already */
	uint64_t next;                    /* not before the stream reaches this */
	const struct match_content *gate; /* must turn up in new bytes first */
};
struct side_rules {
	uint64_t scanned, settled; /* bytes before: were scanned; were judged as a whole */
	struct stream_cand *cands;
	uint16_t n, cap;
};
struct flow_int {
	uint16_t id;
	uint32_t value;
};
struct flow_rules {
	struct side_rules side[2];
	uint64_t *bits; /* flowbits, by number */
	struct flow_int *ints;
	uint16_t n_ints;
	uint8_t app_once[2]; /* protocol that such rules were last asked about */
	bool pass, once[2];
};

/* ---- evaluation ---------------------------------------------------------------------------------- */

enum answer { NO, YES, WAIT };

/* A buffer's bytes. origin: offset of data[0] in the whole; whole: nothing more will come. */
struct bytes {
	const uint8_t *data;
	uint32_t len;
	uint64_t origin;
	bool whole;
};
struct eval {
	struct rule_engine *e;
	const struct view *v;
	const struct rule *rule;
	const struct rule_list *list;
	struct bytes b;
	int64_t vars[RULE_BYTE_VARS];
	int64_t budget;
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
/* One direction of a stream; g: the n groups of v. settle: what is there is final for now. */
void side_inspect(struct rule_engine *e, struct view *v, const struct group *const g[2], unsigned n,
		  bool settle);
/* Everything of a flow's transactions. */
void tx_inspect(struct rule_engine *e, struct view *v, bool final);
/* ---- state.c --------------------------------------------------------------------------------------- */
MUST_USE int state_create(const struct rule_set *set, struct state **ret);
void state_free(struct state **s);
bool state_test(struct rule_engine *e, const struct view *v, const struct rule_test *t);
void state_set(struct rule_engine *e, const struct view *v, const struct rule_test *t);
/* Thresholds of a match; changes *action. false: say nothing. */
bool state_threshold(struct rule_engine *e, const struct view *v, const struct rule *r,
		     uint8_t *action);

#endif
