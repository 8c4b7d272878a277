/* SPDX-License-Identifier: BSD-2-Clause */
/* What rules are compiled to: plans, prefilters, groups. Only for src/rule. */
#ifndef SKEP_RULE_MATCH_PLAN_PRIV_H
#define SKEP_RULE_MATCH_PLAN_PRIV_H

#include "rule/replace/hold_priv.h"

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
	uint8_t dir;        /* TO_SERVER or TO_CLIENT; 2: that of the evaluation */
	bool whole;         /* more data could undo a match: wait until the buffer is complete */
	bool child;         /* matches what base64_decode of the list before made */
	uint8_t xform_id;   /* lists with the same transforms have the same; 0: none */
	uint8_t n_replaces; /* contents that are replaced */
	bool later;         /* what comes behind one of them decides whether it is */
};
struct plan {
	uint8_t dirs, transports; /* bits; transports by enum transport */
	bool whole;               /* any payload list is */
	bool passes_flow;         /* a pass or drop by this rule holds for the flow */
	bool starts;              /* looks at where a stream or a message in it begins */
	bool bits;                /* tests flowbits and the like: the answer can change */
	bool replaces;            /* inline; by the action it is not in vain */
	bool replace_drops;       /* but that can't be done */
	uint32_t payload_len;     /* shortest payload that could match */
	struct plan_list *lists;
};

enum quick_asks { QUICK_PORTS = 1, QUICK_FLAGS = 2, QUICK_ITYPE = 4, QUICK_SIZE = 8 };
struct quick { /* what the rule asks of a packet at the least; port_lo: source, destination */
	uint64_t mask, value;                 /* n_bytes bytes at `at` of the payload */
	const struct rule_test *flags, *size; /* of the stream */
	uint32_t at, len_lo, len_hi;
	uint16_t port_lo[2], port_hi[2];
	uint8_t n_bytes, asks, itype;
};
/* The only place where the content may stand. */
bool quick_fixed(const struct match_content *c, uint32_t *ret);
bool quick_same(const struct quick *a, const struct quick *b);
void quick_of(const struct rule *r, struct quick *q);

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
MUST_USE int prefilter_finish(struct compiled *c, int snapshot, struct rule_set_stats *stats);
void mpm_free(struct mpm *m);

/* ---- groups -------------------------------------------------------------------------------------- */

struct rule_refs {
	uint32_t *at, n, cap;
};
MUST_USE int refs_add(struct rule_refs *r, uint32_t rule);
/* Rules that want certain bytes at one place of the payload, by a hash of the first two of them. */
struct fixed_class {
	uint32_t at;
	uint32_t first[257]; /* rules.at[first[h]] .. rules.at[first[h + 1]] */
	struct rule_refs rules;
};
#define SHORT_LITERAL 3u /* bytes that are found everywhere */
#define FIXED_MAX 24u
#define FIXED_AT 256u /* places are before this */
struct fixed {
	struct fixed_class *classes;
	uint32_t n;
};
/* Adds the rule to those found by what stands at a fixed place, if that is the better way. */
MUST_USE int fixed_add(struct compiled *c, const struct rule *r, const struct literal *l,
		       struct fixed *f, bool *ret);
MUST_USE int fixed_finish(struct compiled *c, struct fixed *f);
#define GATE_LENGTHS 2048u
struct gate { /* a payload of such a length, or such a stream; one rule for each different size */
	uint64_t lengths[GATE_LENGTHS / 64];
	struct rule_refs sized;
};
static inline uint8_t fixed_hash(const uint8_t d[2])
{
	return (uint8_t)(d[0] * 31u + d[1]);
}
struct group {                               /* rules that a packet of some port meets */
	struct mpm *packet, *stream, *gated; /* gated: of packets that pass `gate` */
	struct gate gate;
	struct rule_refs header, always_packet, always_stream;
	struct fixed fixed_packet, fixed_stream;
	struct rule_refs
		few;  /* of `packet`: one rule for each different thing that is asked, if few */
	bool joined;  /* `stream` has what the group for any port looks for as well */
	bool streams; /* there is a rule for the stream */
	struct rule_refs replaces; /* rules that do */
	struct holds holds;        /* of the stream */
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
	struct holds replaced_head[2], replaced_body[2]; /* of HTTP, by direction */
	struct quick *quick;                             /* by rule */
	struct rule_pool *pool;
	uint64_t bytes;
};
MUST_USE int group_build(struct rule_set *s, struct compiled *c);

#endif
