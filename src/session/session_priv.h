/* SPDX-License-Identifier: BSD-2-Clause */
/* session, inside: what its files share. Included only in this folder. */
#ifndef SKEP_SESSION_PRIV_H
#define SKEP_SESSION_PRIV_H

#include "session/session.h"

/* A number above last, by the time. */
uint64_t id_next(uint64_t last, int64_t now_wall_ns);

#endif
