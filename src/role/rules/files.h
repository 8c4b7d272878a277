/* SPDX-License-Identifier: BSD-2-Clause */
/* Rule files as people name them: found and read. For super and the verbs. */
#ifndef SKEP_ROLE_RULES_FILES_H
#define SKEP_ROLE_RULES_FILES_H

#include "base/base.h"

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
/* Reads the whole of a file, terminated; the caller frees it. SKEP_ERANGE: more than 256 MiB. */
MUST_USE int ruleset_read_file(const char *path, char **ret, size_t *ret_len);
/* Does it hold classifications and the like, by its name? */
bool ruleset_is_config(const char *path);
/* Is a variable of this name one of ports ("HTTP_PORTS")? */
bool ruleset_is_ports(const char *name);

#endif
