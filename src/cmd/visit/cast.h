/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a recording (asciicast v2) that may be damaged, or be none at all. */
#ifndef SKEP_CMD_VISIT_CAST_H
#define SKEP_CMD_VISIT_CAST_H

#include "base/base.h"

struct cast_event {
	int64_t us; /* since the beginning; never less than the one before */
	size_t off; /* of its text in data */
	uint32_t len;
	char code; /* 'o', 'i', 'r', 'm' */
};
struct cast {
	unsigned cols, rows;
	struct cast_event *events;
	size_t n, cap;
	char *data; /* texts, each terminated */
	size_t len, room;
	unsigned bad; /* lines that were left out */
};
/* SKEP_EFORMAT: it is no asciicast v2. */
MUST_USE int cast_load(const char *path, struct cast *ret);
void cast_free(struct cast *c);

#endif
