/* SPDX-License-Identifier: BSD-2-Clause */
/* What the writers of rows share. */
#ifndef SKEP_WRITE_PRIV_H
#define SKEP_WRITE_PRIV_H

#include "conf/conf_priv.h"

/* Rows of one map, as in read.c. */
struct part {
	struct writer *w;
	const struct row *rows;
	size_t n;
	const char *prefix;
	const void *base;
	int indent;
	bool comments;
};

/* What the group of "wall.limits." is about; "" if there is none. */
const char *group_help(const char *prefix);

#endif
