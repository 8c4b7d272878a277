/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any text as rules and as configuration: read without a fault; what was understood prints, reads
 * again, and prints to the same text.
 */
#include "rule/rule.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rule_set *set_of(const char *text, size_t len)
{
	struct rule_set_conf conf = {.parse_only = true};
	struct rule_set *s = NULL;
	if (rule_set_create(&conf, &s) < 0)
		return NULL;
	if (rule_set_read(s, "text", text, len) < 0 ||
	    rule_set_read_config(s, "text", text, len) < 0 || rule_set_finish(s) < 0)
		abort();
	return s;
}

static void print_again(const struct rule_set *s, uint32_t index)
{
	static _Thread_local char first[1u << 18], second[1u << 18];
	struct writer a = writer_of(first, sizeof(first)), b = writer_of(second, sizeof(second));
	rule_set_print(s, index, &a);
	if (a.full || a.len > 60000)
		return;
	struct rule_set *t = set_of(first, a.len);
	if (t == NULL)
		return;
	if (rule_set_count(t) != 1)
		abort();
	rule_set_print(t, 0, &b);
	if (strcmp(first, second) != 0)
		abort();
	rule_set_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rule_set *s = set_of((const char *)data, size);
	if (s == NULL)
		return 0;
	for (uint32_t i = 0; i < rule_set_count(s) && i < 4; i++)
		print_again(s, i);
	rule_set_free(&s);
	return 0;
}
