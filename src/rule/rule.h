/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rule: the language of Snort and Suricata -> one compiled, immutable rule set, and its matching
 * against packets, ordered streams and transactions. Reading may allocate and is done before
 * traffic comes; matching takes no heap and bounded time. Used by inspect, cmd and the compiler role.
 */
#ifndef SKEP_RULE_H
#define SKEP_RULE_H

#include "proto/proto.h"

enum rule_action {
	ACTION_ALERT,
	ACTION_PASS,
	ACTION_DROP,
	ACTION_REJECT,
	ACTION_REJECT_DST,
	ACTION_REJECT_BOTH,
	ACTION_REWRITE,
	ACTION_LOG,
	ACTION_CONFIG,
	ACTIONS
};
/* "alert", "pass" ... */
const char *rule_action_text(enum rule_action a);

/* ---- reading ------------------------------------------------------------------------------------- */

struct rule_problem {          /* one rule that did not load, or a warning about one that did */
	const char *file;      /* as given by the caller; borrowed for the call */
	uint32_t line, column; /* from 1 */
	bool warning;
	const char *text; /* what is wrong and what would cure it */
	uint32_t sid;     /* 0: not known */
};
typedef void rule_problem_fn(void *ctx, const struct rule_problem *p);

struct rule_vars; /* $HOME_NET, $HTTP_PORTS and the like */
/* The usual values: address groups any, port groups as the Suricata and Snort examples have them. */
MUST_USE int rule_vars_create(struct rule_vars **ret);
/* Sets one variable (name without $): an address or port expression. SKEP_EFORMAT: bad value. */
MUST_USE int rule_vars_set(struct rule_vars *v, bool ports, const char *name, const char *value);
void rule_vars_free(struct rule_vars **v);

struct rule_set_conf {
	const struct rule_vars *vars;
	int snapshot; /* descriptor of what rule_set_write_snapshot wrote of a set of the same rules:
			 its databases are used and none is compiled; 0: compiled here */
	bool no_jit; /* no machine code is made of expressions: they are interpreted, if matched at all */
	rule_problem_fn *problem; /* may be NULL */
	void *ctx;
	bool parse_only; /* nothing compiled: for check, list, stats */
	uint32_t budget; /* steps one rule may take on one buffer; 0: a default */
};

struct rule_set;

/* An empty set. vars are copied. */
MUST_USE int rule_set_create(const struct rule_set_conf *conf, struct rule_set **ret);
/* Reads rules from text (of len bytes, kept by nobody); name is for problems. Rules that don't load are
 * told and skipped. Only memory can fail. */
MUST_USE int rule_set_read(struct rule_set *s, const char *name, const char *text, size_t len);
/* classification.config, reference.config, threshold.config in their usual syntax; told apart by
 * their lines. */
MUST_USE int rule_set_read_config(struct rule_set *s, const char *name, const char *text,
				  size_t len);
/* No more rules: order, group, compile. Afterwards the set never changes. SKEP_EFORMAT, SKEP_ETRUNC:
 * conf.snapshot is damaged, of another version or CPU, or of other rules. */
MUST_USE int rule_set_finish(struct rule_set *s);
/* Writes the compiled databases of a finished set, from the beginning of fd. */
MUST_USE int rule_set_write_snapshot(const struct rule_set *s, int fd);
void rule_set_free(struct rule_set **s);

struct rule_set_stats {
	uint64_t rules, failed, disabled, with_prefilter, without_prefilter, groups, patterns;
	uint64_t databases, databases_cached, memory_bytes;
	int64_t parse_ns, compile_ns;
};
/* Counts and times so far. */
void rule_set_read_stats(const struct rule_set *s, struct rule_set_stats *ret);

/* What events and people need of a rule. Strings are the set's. */
struct rule_info {
	enum rule_action action;
	uint32_t gid, sid, rev, severity;
	const char *msg, *classtype, *category; /* category: class description; "" if none */
	const char *file;
	uint32_t line;
	const char *text;            /* the rule as written */
	uint32_t n_metadata;         /* pairs below */
	const char *const *metadata; /* key, value, key, value ... */
	uint32_t n_references;
	const char *const *references; /* "url,example.org/x" */
	uint8_t target;                /* 0 none, 1 src_ip, 2 dest_ip */
};
uint32_t rule_set_count(const struct rule_set *s);
void rule_set_info(const struct rule_set *s, uint32_t index, struct rule_info *ret);
/* The rule printed from what was understood of it (parse of print gives the same rule). */
void rule_set_print(const struct rule_set *s, uint32_t index, struct writer *w);

/* ---- matching ------------------------------------------------------------------------------------ */

#define RULE_HITS 64 /* alerts of one packet, at most */

enum rule_where { WHERE_PACKET, WHERE_STREAM, WHERE_TX, WHERE_FRAME };
struct rule_hit {
	uint32_t rule;  /* index in the set */
	uint8_t action; /* enum rule_action; after thresholds: what to do */
	uint8_t where;  /* enum rule_where */
	uint8_t dir;
	uint64_t tx_id; /* where tx */
	bool alert;     /* false: acts, but says nothing (noalert, threshold) */
	bool has_tx;
};

struct rule_engine_stats {
	uint64_t packets, scans, scan_bytes, candidates, evaluations, matches, alerts,
		budget_exceeded, pcre_limit, candidates_lost, alerts_lost;
	uint64_t replaced, replaced_late; /* edits; matches that could not be edited: dropped */
};
struct rule_profile { /* per rule, with profiling on */
	uint64_t checks, matches, budget_exceeded;
	int64_t ns;
};

struct rule_engine; /* one thread's matching state: scratch, thresholds, host bits */
struct rule_engine_conf {
	bool inline_mode;
	bool profile;
	bool midstream;
	bool reframes; /* who makes the edits frames bodies of HTTP anew (app_ctx_set_framing); else answers
			  are asked for that end with the connection */
};
/* Makes the state of one thread for a finished set (kept by reference, as is the slab, from which flows'
 * and transactions' state comes). The heap is used here and never again. */
MUST_USE int rule_engine_create(const struct rule_set *set, const struct rule_engine_conf *conf,
				struct slab *slab, struct rule_engine **ret);
void rule_engine_free(struct rule_engine **e);
/* The set it matches. */
const struct rule_set *rule_engine_set(const struct rule_engine *e);

/* Before rule_packet of the same packet: its conversation's transactions as far as they have been read, because what
 * they hold will not stay until then. What matches is among the hits of rule_packet. */
void rule_part(struct rule_engine *e, const struct pkt *p, const struct stream_result *r);
/* Everything about one packet: header and payload rules, the raw stream of both directions as far as
 * the packet made it grow, and the transactions of the flow. r: what stream said (its flow may be
 * NULL). Writes the hits in order of action and priority, pass already applied; returns how many.
 * flow->app must have been fed before. Marks inspected transactions and raw_done. */
uint32_t rule_packet(struct rule_engine *e, const struct pkt *p, const struct stream_result *r,
		     struct rule_hit ret[RULE_HITS]);
/* ---- replacing (inline) ---- */

/* One change that matches of the last rule_packet want: len bytes at off become n others. Ordered by off,
 * never overlapping (where two rules would, the one that acts first wins and the other one's hit acts as
 * ACTION_DROP). */
struct rule_edit {
	uint32_t rule; /* index in the set */
	uint8_t where; /* WHERE_PACKET: off counts from the packet's payload, n == len;
				 WHERE_STREAM: from the direction's first byte, whatever buffer matched */
	uint8_t dir;
	uint64_t off;
	uint32_t len, n;
	const uint8_t *bytes; /* the set's */
};
/* Edits of the last rule_packet; borrowed until the next. A rule whose edit can't be made (it does not map
 * back to the wire, a byte of it was passed on before `gone`) is not here: its hit's action is ACTION_DROP. */
uint32_t rule_edits(const struct rule_engine *e, const struct rule_edit **ret);
/* From which offset of the direction on bytes may be the beginning of something that a rule will replace, and
 * so have to wait (for a bounded time); stream_end(): none. Asked after rule_packet. */
uint64_t rule_hold(struct rule_engine *e, const struct stream_flow *f, unsigned dir);
/* May any rule of the set change this direction of this conversation? Then nothing passes out of order. */
bool rule_rewrites(const struct rule_engine *e, const struct stream_flow *f, unsigned dir);
/* What rules do to bodies (of HTTP) of this direction: nothing, something of the same length, or of another one:
 * then somebody has to count them anew (app_ctx_set_framing), or such a match drops. */
enum rule_bodies { BODIES_PLAIN, BODIES_CHANGED, BODIES_LENGTHS };
enum rule_bodies rule_bodies(const struct rule_engine *e, const struct stream_flow *f,
			     unsigned dir);
/* Bytes of the direction before off have left: what matches there can't be changed any more. */
void rule_gone(struct rule_engine *e, struct stream_flow *f, unsigned dir, uint64_t off);

/* ---- another set, in full flight ---- */

/* e takes over what `from` remembers: thresholds, host bits, and (through s) every flow's and transaction's
 * state, matched by gid, sid and rev, by names of bits; then from has nothing left and may be freed. Rules that
 * are new look at what the streams still hold. Bounded work per flow; no heap. */
void rule_engine_adopt(struct rule_engine *e, struct rule_engine *from, struct stream *s);
/* Does beforehand, in any thread and from the heap, what adoption from an engine of that set will want to know.
 * The set must live until then. An error only costs adoption its time. */
MUST_USE int rule_engine_expect(struct rule_engine *e, const struct rule_set *from);

/* The same for a flow that ends or times out, without a packet: what was still held back is judged.
 * p may be the last packet's copy or a synthetic one with only addresses. */
uint32_t rule_flow_end(struct rule_engine *e, const struct pkt *p, struct stream_flow *f,
		       unsigned dir, struct rule_hit ret[RULE_HITS]);
/* Frees what the engine hung on the flow (f->rules) or a transaction (as app_free_fn, ctx: engine). */
void rule_flow_free(struct rule_engine *e, struct stream_flow *f);
void rule_tx_free(void *engine, void *rules);
void rule_engine_read_stats(const struct rule_engine *e, struct rule_engine_stats *ret);
/* Profile of one rule; all zero unless profiling. */
void rule_engine_profile(const struct rule_engine *e, uint32_t index, struct rule_profile *ret);

#endif
