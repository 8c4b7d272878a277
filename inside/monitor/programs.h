/* SPDX-License-Identifier: BSD-2-Clause */
/* The object with the programs for the kernel; embed.py makes the source. */
#ifndef MONITOR_PROGRAMS_H
#define MONITOR_PROGRAMS_H

#include <stddef.h>
#include <stdint.h>

const void *monitor_programs(size_t *ret_size);

#endif
