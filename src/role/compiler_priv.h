/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes between a compiler and whoever started it. Same binary, so plain structs; the reader of the
 * report takes none of it on trust. */
#ifndef SKEP_ROLE_COMPILER_PRIV_H
#define SKEP_ROLE_COMPILER_PRIV_H

#include "role/compiler.h"

#define COMPILER_INPUT_FD 3
#define COMPILER_REPORT_FD 4
#define COMPILER_SNAPSHOT_FD 5
#define COMPILER_VERSION 1u
#define COMPILER_FILES 65536u
#define COMPILER_INPUT_MOST (UINT64_C(1) << 30)
#define COMPILER_REPORT_MOST (UINT64_C(64) << 20)
#define COMPILER_SNAPSHOT_MOST (UINT64_C(1) << 30)
#define COMPILER_NO_FILE UINT32_MAX

enum compiler_exit { COMPILER_OK, COMPILER_FAILED, COMPILER_UNCONFINED = 3 };

struct compiler_input { /* then n parts */
	char magic[8];
	uint32_t version, n;
	uint32_t cpu_s;
	uint8_t parse_only, list;
	uint64_t memory_bytes;
};
enum compiler_part_kind { PART_FILE, PART_CONFIG, PART_ADDRESSES, PART_PORTS };
struct compiler_part { /* then the name and the text, each with a NUL behind */
	uint32_t kind, name_len;
	uint64_t len;
};
struct compiler_head { /* of the report; then the problems, then the rules */
	char magic[8];
	uint32_t version;
	int32_t result; /* 0, or why no set came of it */
	uint64_t len;   /* of what follows */
	uint64_t errors, warnings;
	uint32_t n_problems, n_rules;
	struct rule_set_stats stats;
};
struct compiler_problem_row { /* then the text and a NUL */
	uint32_t file, line, column, sid, warning, text_len;
};
struct compiler_rule_row { /* then msg, classtype, each with a NUL behind */
	uint32_t file, line, gid, sid, rev, severity, action, msg_len, classtype_len;
	uint8_t text_sum[16];
};

struct compiler_text { /* one part, as it lies in the input */
	uint32_t kind;
	const char *name, *text;
	size_t len;
};
/* Maps an input and takes its head off. */
MUST_USE int compiler_map(int fd, struct reader *ret, struct compiler_input *ret_head);
MUST_USE int compiler_next(struct reader *r, struct compiler_text *ret);
/* Sets the variables among the n parts of r. */
MUST_USE int compiler_vars(struct reader r, uint32_t n, struct rule_vars *vars);

/* Maps the input, which it looks at no further than its head, and gives up every right. */
MUST_USE int compiler_confine(struct reader *ret, struct compiler_input *ret_head);

/* Reads what a compiler left. Whatever it returns, ret wants compiler_report_free; ret_result: 0, or what
 * the compiler says went wrong. */
MUST_USE int compiler_read_report(const struct compiler_job *j, int fd, struct compiler_report *ret,
				  int *ret_result);

#define COMPILER_IN_MAGIC "skepRin"
#define COMPILER_OUT_MAGIC "skepRout"

#endif
