/* SPDX-License-Identifier: BSD-2-Clause */
/* skep status, its two halves: status.c asks and reads, status_print.c shows it to people. */
#ifndef SKEP_STATUS_H
#define SKEP_STATUS_H

#include "conf/conf.h"

#include <jansson.h>

/* One screen of 80 columns on standard output. all: what status.c put together. */
void status_print(const struct conf *c, const json_t *all, bool colour);

#endif
