/* SPDX-License-Identifier: BSD-2-Clause */
/* Rule files for the verbs `inspect` and `rules`: found, read, and every problem told. */
#ifndef SKEP_CMD_RULESET_H
#define SKEP_CMD_RULESET_H

#include "cmd/cmd.h"
#include "rule/rule.h"

struct ruleset_paths { /* owned texts */
	char **path;
	size_t n, cap;
};
/* Appends a file, or what a folder holds of files ending in one of the endings (NULL-terminated), by
 * name. -ENOENT and the like: it is not there. SKEP_ENOTFOUND: a folder without such files. */
MUST_USE int ruleset_add(struct ruleset_paths *p, const char *path, const char *const *endings);
/* Appends exactly this. */
MUST_USE int ruleset_add_file(struct ruleset_paths *p, const char *path);
void ruleset_paths_free(struct ruleset_paths *p);

struct ruleset {
	struct rule_set *set;
	uint64_t errors, warnings, files, unreadable;
	uint64_t most; /* problems that are printed; the rest is counted */
	json_t *list;  /* not NULL: problems go here, not to stderr */
};
/* Reads the whole of a file, terminated; the caller frees it. SKEP_ERANGE: more than 256 MiB. */
MUST_USE int ruleset_read_file(const char *path, char **ret, size_t *ret_len);
/* Reads every file of p (names ending in .config as such, first) into a new set and finishes it. conf:
 * problem and ctx are set here. What is wrong is printed, or appended to r->list. Fails only for want
 * of memory. The caller frees r->set. */
MUST_USE int ruleset_load(struct ruleset *r, const struct ruleset_paths *p,
			  const struct rule_set_conf *conf);
/* The variables: the usual ones, then those of path (NULL: none): lines NAME=value, or YAML with
 * vars: address-groups, port-groups. Prints what is wrong; 0 or an exit code. */
MUST_USE int ruleset_vars(const char *verb, const char *path, struct rule_vars **ret);
/* Folder for compiled databases, made if need be: $XDG_CACHE_HOME/skep, ~/.cache/skep. false: none. */
bool ruleset_cache_dir(char *ret, size_t size);

#endif
