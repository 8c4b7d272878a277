/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files of sys only. */
#ifndef SKEP_SYS_PRIV_H
#define SKEP_SYS_PRIV_H

#include "sys/sys.h"

/* Makes an empty read-only root with the listed host paths in it the root of the calling process,
 * which is alone in its mount namespace. Character devices become nodes owned by uid. */
MUST_USE int jail_enter(const char *const *paths, uid_t uid);
/* All capabilities but keep (1 << CAP_x) leave every set of the calling process; keep_bounding stay
 * in the bounding set, so that its children may have them. */
MUST_USE int caps_drop(uint64_t keep, uint64_t keep_bounding);
/* Installs the filter of spawn.fenced. Needs no_new_privs. */
MUST_USE int fence_enter(void);
/* What a sanitizer's run time needs on top; empty in a normal build. */
extern const struct syscall_row syscalls_sanitizer[];

#endif
