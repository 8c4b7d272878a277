/* SPDX-License-Identifier: BSD-2-Clause */
/* flow: what table.c and fragment.c share. */
#ifndef SKEP_FLOW_PRIV_H
#define SKEP_FLOW_PRIV_H

#include "flow/flow.h"

#define FRAGMENT_SETS 1024u
#define FRAGMENT_WAYS 8u

struct fragment {
	struct fragment_key key;
	uint64_t flow_id;  /* 0: dead, nothing of this packet passes any more */
	uint32_t flow;     /* index */
	uint32_t next;     /* offset the next fragment must have */
	int64_t stamp_ns;  /* of its last piece; 0: free */
	uint8_t side, ttl; /* ttl: of the first one; 0: not said */
	bool whole;        /* the last one has passed: it may begin again */
};

struct class_list {
	uint32_t oldest, newest;
};

struct flow_table {
	uint64_t secret[2];
	struct flow_conf conf;
	struct flow *flows; /* 1-based indices into it minus one; 0 means none */
	uint32_t *buckets;  /* links: (index << 1 | side), 0 none; index is 1-based */
	uint32_t mask;
	uint32_t high_water; /* flows ever used: memory above is untouched */
	uint32_t free;       /* list through chain[0] */
	struct class_list lists[FLOW_CLASSES];
	struct flow_counts counts;
	struct fragment *fragments;
};

#endif
