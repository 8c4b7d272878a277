/* SPDX-License-Identifier: BSD-2-Clause */
/* sink, inside: the name server. Included only in this folder, by sink_priv.h. */
#ifndef SKEP_SINK_DNS_PRIV_H
#define SKEP_SINK_DNS_PRIV_H

#include "sink/sink.h"

/* ---- DNS ------------------------------------------------------------------------------------------ */

#define DNS_NAME 255u
struct dns_query {
	uint16_t id, flags, type, class, udp_size; /* udp_size 0: no EDNS */
	uint8_t name[DNS_NAME];                    /* as it came, on the wire */
	uint32_t name_len;
	char text[DNS_NAME * 4 + 1]; /* lower case, escaped */
};
struct dns_tcp {
	uint8_t data[2 + 1024];
	uint32_t len;
	bool waits; /* for the upstream resolver */
	uint32_t queries;
};
/* 0; a response code (1 format, 4 not implemented) with ret->id and flags set; -1: not even that. */
int dns_read(const uint8_t *data, size_t len, struct dns_query *ret);
/* Type as text: "A", "TYPE65". */
#define DNS_TYPE 12
const char *dns_type_text(uint16_t type, char buf[DNS_TYPE]);
/* An answer without records, with a response code. Returns its length, at most 512. */
size_t dns_empty(const struct dns_query *q, unsigned rcode, uint8_t *out);
/* A made-up answer, the same for the same name; what it says goes into said. */
size_t dns_made(const uint64_t seed[2], const struct dns_query *q, uint8_t *out,
		struct writer *said);
/* The query as we ask it ourselves: nothing of the client's but its question. */
size_t dns_ask(const struct dns_query *q, uint16_t id, uint8_t *out);
/* Is it an answer to exactly that question? */
bool dns_answers(const uint8_t *data, size_t len, const struct dns_query *q, uint16_t id);

/* A query by any transport; answers into out, or 0: none, or later. t NULL: UDP. */
size_t dns_query(struct sink *s, enum sink_service v, const struct sink_ends *e,
		 struct sink_session *t, const uint8_t *data, size_t len, int64_t now_ns,
		 uint8_t *out);

/* ---- the guard (guard.c): budget, and what looks like a tunnel ----------------------------------- */

#define GUARD_DOMAINS 32
#define GUARD_BITS 1024u
struct guard_domain {  /* what a guest asked below one registered domain, in one window */
	uint64_t hash; /* 0: free */
	int64_t since_ns, last_ns, suspect_ns;
	uint32_t queries, odd; /* odd: long and without sense */
	uint64_t bytes;
	uint8_t seen[GUARD_BITS / 8]; /* which subdomains, by hash */
	uint32_t distinct;
};
struct guard {
	int64_t asked_ns[SINK_BUDGET]; /* the latest, in a ring */
	uint32_t at;
	int64_t budget_told_ns;
	uint64_t refused;
	struct guard_domain domains[GUARD_DOMAINS];
};
/* May it ask once more? Takes one if so. */
bool guard_budget(struct guard *g, uint32_t max, int64_t now_ns);
struct suspicion {
	char domain[DNS_NAME + 1];
	uint32_t queries, distinct, length; /* length: mean, of what stands before the domain */
	uint64_t bytes;
	bool suspect, fresh; /* fresh: to be told now */
};
/* Looks at a question. */
void guard_look(struct guard *g, const uint64_t key[2], const struct dns_query *q, int64_t now_ns,
		struct suspicion *ret);
/* Entropy of the bytes, in thousandths of a bit each. */
uint32_t guard_entropy(const uint8_t *data, size_t len);

/* ---- the upstream resolver (upstream.c) ------------------------------------------------------------ */

#define PENDING 256
struct pending {
	bool used;
	enum sink_service v;
	uint16_t id; /* ours */
	uint32_t session, life;
	int64_t until_ns;
	struct sink_ends ends;
	struct dns_query q;
};
/* Asks; SKEP_EFULL: too many wait. */
MUST_USE int upstream_ask(struct sink *s, enum sink_service v, const struct sink_ends *e,
			  const struct sink_session *t, const struct dns_query *q, int64_t now_ns);
void upstream_tick(struct sink *s, int64_t now_ns);

#endif
