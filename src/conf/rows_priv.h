/* SPDX-License-Identifier: BSD-2-Clause */
/* What tables of rows are written with. */
#ifndef SKEP_ROWS_PRIV_H
#define SKEP_ROWS_PRIV_H

#include "conf/conf_priv.h"

#define FIELD(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define COUNT(type, member) .count_offset = offsetof(type, member)

#define KB UINT64_C(1024)
#define MB (KB * 1024)
#define GB (MB * 1024)
#define SECOND ((uint64_t)NS_PER_SEC)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#endif
