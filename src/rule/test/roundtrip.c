/* SPDX-License-Identifier: BSD-2-Clause */
/* roundtrip FILE...: reads rules, prints each, reads that, prints it again, and compares. Says
 * "RULES FAILED DIFFERENT SIDS..." for the program that calls it. */
#include "rule/rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rule_set *set_new(void)
{
	struct rule_set_conf conf = {.parse_only = true};
	struct rule_set *s = NULL;
	if (rule_set_create(&conf, &s) < 0)
		abort();
	return s;
}

static char *print_all(const struct rule_set *s, size_t *ret_len)
{
	size_t cap = 0;
	char *all = NULL;
	FILE *f = open_memstream(&all, &cap);
	static char one[1u << 18];
	for (uint32_t i = 0; f != NULL && i < rule_set_count(s); i++) {
		struct writer w = writer_of(one, sizeof(one));
		rule_set_print(s, i, &w);
		fprintf(f, "%s\n", one);
	}
	if (f == NULL || fclose(f) != 0)
		abort();
	*ret_len = cap;
	return all;
}

static int read_file(struct rule_set *s, const char *path)
{
	char *text = NULL;
	size_t cap = 0;
	FILE *f = fopen(path, "r");
	if (f == NULL)
		return -1;
	ssize_t n = getdelim(&text, &cap, '\0', f);
	int r = n < 0 ? 0 : rule_set_read(s, path, text, (size_t)n);
	fclose(f);
	free(text);
	return r;
}

int main(int argc, char **argv)
{
	struct rule_set *s = set_new(), *t = set_new();
	struct rule_set_stats stats, again;
	for (int i = 1; i < argc; i++)
		if (read_file(s, argv[i]) < 0)
			return 2;
	size_t n = 0, m = 0;
	if (rule_set_finish(s) < 0)
		return 2;
	char *first = print_all(s, &n);
	if (rule_set_read(t, "printed", first, n) < 0 || rule_set_finish(t) < 0)
		return 2;
	char *second = print_all(t, &m);
	rule_set_read_stats(s, &stats);
	rule_set_read_stats(t, &again);
	printf("%llu %llu %d", (unsigned long long)stats.rules, (unsigned long long)stats.failed,
	       again.failed > 0 || strcmp(first, second) != 0);
	for (uint32_t i = 0; i < rule_set_count(s); i++) {
		struct rule_info info;
		rule_set_info(s, i, &info);
		printf(" %u", info.sid);
	}
	printf("\n");
	free(first);
	free(second);
	rule_set_free(&s);
	rule_set_free(&t);
	return 0;
}
