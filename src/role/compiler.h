/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compiler: the short-lived role without rights that reads rule files, third parties' text, and compiles
 * them. Whoever wants rules read gives it the texts in one sealed memfd (descriptor 3) and gets a
 * report (4) and a snapshot of databases (5) back, likewise memfds, sealed once it is dead. It
 * speaks to nobody, so it is no party in messages.c. Works without root.
 */
#ifndef SKEP_ROLE_COMPILER_H
#define SKEP_ROLE_COMPILER_H

#include "rule/rule.h"

#define COMPILER_KEY 32u
#define COMPILER_PROBLEMS 20000u /* that a report describes; the rest is counted */

struct compiler_file {
	const char *name, *text; /* text of len bytes */
	size_t len;
	bool config; /* classification, reference, threshold */
};
struct compiler_var { /* as for rule_vars_set */
	const char *name, *value;
	bool ports;
};
struct compiler_job {                      /* all borrowed */
	const struct compiler_file *files; /* read in this order */
	size_t n_files;
	const struct compiler_var *vars;
	size_t n_vars;
	bool parse_only; /* only a report, no databases */
	bool list;       /* the report names every rule */
	/* What it may use; 0: 120 s of CPU, 300 s on the clock, 2 GiB. */
	uint32_t cpu_s, wait_ms;
	uint64_t memory_bytes;
	const char *role; /* NULL: "compiler"; tests put another in its place */
};

/* What it said. Every field was checked for form; that it is true only the compiler knows. Texts
 * point into the report or the job, may hold any byte but NUL, and need write_escaped. */
struct compiler_rule {
	uint32_t gid, sid, rev, severity, line;
	enum rule_action action;
	const char *file, *msg, *classtype;
	uint8_t text_sum[16]; /* the beginning of the SHA-256 of the rule as written */
};
struct compiler_report {
	struct rule_set_stats stats;
	uint64_t errors, warnings; /* problems that are not described are counted here as well */
	struct rule_problem *problems;
	struct compiler_rule *rules;
	uint32_t n_problems, n_rules;
	void *memory; /* the whole, freed by compiler_report_free */
};

/* Runs a compiler and waits for it. ret_snapshot: a sealed memfd, -1 when parse_only. 0, or an error
 * with the words for people in why; then nothing of what it wrote is used. Only spawns, reads and
 * allocates; never leaves a child behind. */
MUST_USE int compiler_run(const struct compiler_job *job, int *ret_snapshot,
			  struct compiler_report *ret, char *why, size_t why_size);
void compiler_report_free(struct compiler_report *r);

/* A name for what the job's snapshot depends on: texts, their names, variables. */
MUST_USE int compiler_key(const struct compiler_job *job, uint8_t ret[COMPILER_KEY]);
/* Opens the snapshot that was kept under this key. -ENOENT: none. -EPERM: there is one that another
 * user owns or may write, or no plain file; why has the words. */
MUST_USE int compiler_cache_open(const char *dir, const uint8_t key[COMPILER_KEY], int *ret_fd,
				 char *why, size_t why_size);
/* Keeps a copy (mode 0600, in place by rename) and forgets all but the newest few. An error only costs
 * the next start its time. */
int compiler_cache_keep(const char *dir, const uint8_t key[COMPILER_KEY], int snapshot);

/* What the compiler would be given, as a sealed memfd; the caller closes it. */
MUST_USE int compiler_pack(const struct compiler_job *job, int *ret_fd);
/* Makes a set of what compiler_pack packed. conf says how (its vars are not looked at: they are in there
 * as well). *ret is finished, and the caller's. SKEP_EFORMAT, SKEP_ETRUNC: as rule_set_finish, or no input. */
MUST_USE int compiler_load(int fd, const struct rule_set_conf *conf, struct rule_set **ret);

/* The role itself; returns its exit code. */
int role_compiler(void);

#endif
