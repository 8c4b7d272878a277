/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of the verb `rules`. */
#ifndef SKEP_CMD_RULES_H
#define SKEP_CMD_RULES_H

#include "cmd/cmd.h"

/* Takes source into dir/skep.rules (NULL: the default folder) if it can be used; prints what changed.
 * Returns the exit code. */
int rules_update(const char *source, const char *dir, const char *conf, bool insecure, bool json);
/* skep rules rehearse ...; argv[0] is "rehearse". Returns the exit code. */
int rules_rehearse(int argc, char **argv);

/* Reads the configuration's rules anew and has the running wall go over to them. Returns the exit code. */
int rules_reload(const char *conf, bool json);

#endif
