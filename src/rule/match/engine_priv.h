/* SPDX-License-Identifier: BSD-2-Clause */
/* One thread's state of matching: candidates, matches, what flows remember. Only for src/rule. */
#ifndef SKEP_RULE_MATCH_ENGINE_PRIV_H
#define SKEP_RULE_MATCH_ENGINE_PRIV_H

#include "rule/match/life_priv.h"
#include "rule/match/plan_priv.h"

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
	bool spoiled; /* what it replaces can't be changed (any more) */
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

struct inflate_state; /* transform.c: what gunzip and zlib_deflate need */
MUST_USE int inflate_create(struct inflate_state **ret);
void inflate_free(struct inflate_state **s);
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
	const struct view
		*asked; /* the packet that candidates must fit; NULL: a stream or a transaction */
	struct queued queue[QUEUE];
	uint32_t n_queued;
	bool parts;        /* the packet in hand was begun by rule_part */
	bool bits_changed; /* a match has set bits or numbers */
	struct xform_slot xforms[XFORM_SLOTS];
	uint32_t n_xforms, xform_used;
	uint8_t *xform_bytes, *base64;
	struct inflate_state *inflate;
	struct pcre_memory pcre_memory;
	struct adopt_index index;
	uint32_t base64_len;
	uint32_t budget;
	int64_t now_ns;
	struct state *state;
	struct tx_work *work;
	struct rule_engine_stats stats;
	struct rule_profile *profile; /* per rule, or NULL */
	struct replacing *replacing;  /* replace.c's own; inline only */
	bool spoiled;                 /* the match in hand */
};

void cand_begin(struct rule_engine *e);
void cand_add(struct rule_engine *e, uint32_t rule, uint32_t mask);
void cand_refs(struct rule_engine *e, const struct rule_refs *r);
/* Those of which what is between the lengths from and len of the payload may be the beginning. */
void cand_fixed(struct rule_engine *e, const struct fixed *f, const uint8_t *data, uint32_t from,
		uint32_t len);
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
	uint32_t credit;                  /* bytes it may still be made to look at */
	bool pending;                     /* there are bytes it has not been asked about */
	uint64_t from;                    /* bytes before were matched already */
	const struct match_content *gate; /* must turn up in new bytes first */
};
/* Edits of a direction, the last ones, by offset and apart from each other: what was replaced must not match
 * again. */
#define SIDE_EDITS 1024u
struct side_edit {
	uint64_t off;
	uint32_t len, rule;
};
struct side_edits {
	uint64_t evicted; /* edits that begin before may be forgotten */
	uint32_t n, cap;
	struct side_edit at[];
};
/* The first edit that ends behind off; n: none. */
uint32_t side_edit_at(const struct side_edits *m, uint64_t off);
struct side_rules {
	uint64_t scanned, settled; /* bytes before: were scanned; were judged as a whole */
	uint64_t message;          /* where the present message begins: offsets count from there */
	struct stream_cand *cands;
	uint16_t n, cap;
	uint64_t gone;  /* bytes before have left (inline) */
	uint64_t floor; /* ... under other rules: what was sent then is let be */
	uint64_t waits; /* 1 + where a replaced content stands that is not decided; 0: none */
	uint64_t tx_waits, tx_id; /* the same in a transaction's body */
	struct side_edits *edits; /* NULL: none yet */
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
	uint32_t asked[2]; /* generation of rules that were asked about the flow as such */
	bool established;  /* before this packet */
};
_Static_assert(sizeof(struct flow_rules) <= 256,
	       "docs/PERFORMANCE.md says what a conversation takes");

#endif
