/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading rules in tests: one text in, what came of it out. */
#ifndef SKEP_RULE_TEST_READING_H
#define SKEP_RULE_TEST_READING_H

#include "rule/rule_priv.h"

struct got { /* the problems of one reading; the last of each kind */
	unsigned errors, warnings;
	uint32_t line, column;
	char error[512], warning[512];
};
/* A set made of text, finished without compiling. The caller frees it. */
struct rule_set *read_text(const char *text, struct got *ret);
/* The first rule of a set as printed; a buffer of its own. */
const char *printed(const struct rule_set *s, uint32_t index);

#endif
