/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * book: rules on their way to a wall. Files are read here, a compiler process reads what they say, and
 * the wall gets the texts and the databases as two descriptors. Used by super and the verbs; reads
 * files, starts a process and waits for it.
 */
#ifndef SKEP_ROLE_RULES_BOOK_H
#define SKEP_ROLE_RULES_BOOK_H

#include "conf/conf.h"
#include "role/compiler.h"
#include "role/rules/files.h"

#define BOOK_PROBLEMS 20u /* that are told one by one */

struct book {
	int texts, snapshot; /* owned; sealed, or files that never change */
	bool cached;         /* compiled before: what is wrong with them was told then */
	uint64_t files, rules, errors, warnings, unreadable;
};
typedef void book_say_fn(void *ctx, const char *text);
struct book_conf {
	const struct ruleset_paths *paths;
	const struct compiler_var *vars;
	size_t n_vars;
	const char *cache; /* folder of compiled databases; NULL: none */
	book_say_fn *say;  /* one line for each problem */
	void *ctx;
};
/* 0, or an error with words in why; book_close afterwards in any case. A file that can't be read and a rule
 * that does not load are told and left out; it is an error if none is left of some. */
MUST_USE int book_make(const struct book_conf *conf, struct book *ret, char *why, size_t why_size);
/* The same of a configuration. */
MUST_USE int book_of_conf(const struct conf *c, book_say_fn *say, void *ctx, struct book *ret,
			  char *why, size_t why_size);
void book_close(struct book *b);

#endif
