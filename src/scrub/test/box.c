/* SPDX-License-Identifier: BSD-2-Clause */
#include "box.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void on_alert(void *ctx, const struct inspect_alert *a)
{
	struct box *b = ctx;
	(void)a;
	b->alerts++;
}

static void on_problem(void *ctx, const struct rule_problem *p)
{
	(void)ctx;
	if (!p->warning)
		fail_msg("%u:%u: %s", p->line, p->column, p->text);
}

void box_begin(struct box *b, const char *rules, int64_t hold_ns)
{
	struct rule_vars *vars = NULL;
	struct inspect_sink sink = {.alert = on_alert, .ctx = b};
	b->alerts = 0;
	assert_int_equal(rule_vars_create(&vars), 0);
	struct rule_set_conf rc = {.vars = vars, .problem = on_problem};
	assert_int_equal(rule_set_create(&rc, &b->rules), 0);
	assert_int_equal(rule_set_read(b->rules, "test", rules, strlen(rules)), 0);
	assert_int_equal(rule_set_finish(b->rules), 0);
	rule_vars_free(&vars);
	struct scrub_conf c = {.hold_ns = hold_ns};
	c.inspect.rules = b->rules;
	c.inspect.memory_bytes = (size_t)64 << 20;
	c.inspect.stream.flows = 1024;
	c.inspect.app.max_tx = b->max_tx;
	c.inspect.app.request_body = c.inspect.app.response_body = b->body;
	assert_int_equal(scrub_create(&c, &b->scrub), 0);
	scrub_listen(b->scrub, &sink);
}

void box_end(struct box *b)
{
	struct scrub_stats st;
	scrub_finish(b->scrub);
	scrub_read_stats(b->scrub, &st);
	scrub_free(&b->scrub);
	rule_set_free(&b->rules);
}
