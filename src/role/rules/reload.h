/* SPDX-License-Identifier: BSD-2-Clause */
/* super's part of rules: what the wall is started with, and going over to others while it runs. */
#ifndef SKEP_RELOAD_H
#define SKEP_RELOAD_H

#include "role/role.h"

struct super;

MUST_USE int super_rules_start(struct super *s, char *why, size_t why_size);
/* Takes the descriptors and returns NULL: the answer comes later; or says why not. */
const char *super_rules_reload(struct super *s, int *client, int *texts, int *snapshot);
void super_rules_done(struct super *s, const struct msg_rules_done *d);
void super_rules_wall_died(struct super *s);
void super_rules_tick(struct super *s, int64_t now);
void super_rules_close(struct super *s);

#endif
