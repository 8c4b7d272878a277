/* SPDX-License-Identifier: BSD-2-Clause */
#include "reading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void note(void *ctx, const struct rule_problem *p)
{
	struct got *g = ctx;
	if (p->warning) {
		g->warnings++;
		text_copy(g->warning, sizeof(g->warning), p->text);
		return;
	}
	g->errors++;
	g->line = p->line;
	g->column = p->column;
	text_copy(g->error, sizeof(g->error), p->text);
}

struct rule_set *read_text(const char *text, struct got *ret)
{
	memset(ret, 0, sizeof(*ret));
	struct rule_set_conf conf = {.problem = note, .ctx = ret, .parse_only = true};
	struct rule_set *s = NULL;
	assert_int_equal(rule_set_create(&conf, &s), 0);
	assert_int_equal(rule_set_read(s, "test.rules", text, strlen(text)), 0);
	assert_int_equal(rule_set_finish(s), 0);
	return s;
}

const char *printed(const struct rule_set *s, uint32_t index)
{
	static _Thread_local char buf[16384];
	struct writer w = writer_of(buf, sizeof(buf));
	rule_set_print(s, index, &w);
	assert_false(w.full);
	return buf;
}
