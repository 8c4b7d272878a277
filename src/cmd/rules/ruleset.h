/* SPDX-License-Identifier: BSD-2-Clause */
/* Rule files for the verbs `inspect` and `rules`: found, read, and every problem told. */
#ifndef SKEP_CMD_RULESET_H
#define SKEP_CMD_RULESET_H

#include "cmd/cmd.h"
#include "role/compiler.h"
#include "role/rules/files.h"
#include "rule/rule.h"

/* Variables as read from a file: for our own reader, and as pairs for the compiler. */
struct ruleset_vars {
	struct rule_vars *vars;
	struct compiler_var *list; /* owned texts */
	size_t n, cap;
};
struct ruleset {
	struct rule_set *set;          /* ruleset_load */
	struct compiler_report report; /* ruleset_read; its file names live as long as this */
	struct compiler_file *files;   /* owned texts; what was read */
	size_t n_files;
	uint64_t errors, warnings, unreadable;
	uint64_t most; /* problems that are printed; the rest is counted */
	bool quiet;    /* problems are counted only */
	json_t *list;  /* not NULL: problems go here, not to stderr */
};
/* Has every file of p (names ending in .config as such, first) read by a compiler process; only its
 * report comes here. What is wrong is printed, or appended to r->list. list: the report names every
 * rule. Prints why it fails; 0 or an exit code. ruleset_free afterwards in any case. */
MUST_USE int ruleset_read(struct ruleset *r, const char *verb, const struct ruleset_paths *p,
			  const struct ruleset_vars *v, bool list);
/* Makes a set of the files, to be matched: a compiler process reads and compiles them, or did so
 * before (cache, a folder; NULL: none); then they are read here, with its databases. As above. */
MUST_USE int ruleset_load(struct ruleset *r, const char *verb, const struct ruleset_paths *p,
			  const struct ruleset_vars *v, const char *cache);
void ruleset_free(struct ruleset *r);
/* The variables: the usual ones, then those of path (NULL: none): lines NAME=value, or YAML with
 * vars: address-groups, port-groups. Prints what is wrong; 0 or an exit code. */
MUST_USE int ruleset_vars_read(const char *verb, const char *path, struct ruleset_vars *ret);
void ruleset_vars_free(struct ruleset_vars *v);
/* Folder for compiled databases, made if need be: $XDG_CACHE_HOME/skep, ~/.cache/skep. false: none. */
bool ruleset_cache_dir(char *ret, size_t size);

#endif
