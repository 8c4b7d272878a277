/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of addresses in the form of hosts(5): the first name of the first line counts. */
#include "facts/facts_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct name {
	struct addr addr;
	uint32_t line;
	char name[sizeof(((struct facts_of *)NULL)->name)];
};
struct names {
	uint32_t n;
	struct name names[];
};

static int by_addr(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int order = memcmp(&x->addr, &y->addr, sizeof(x->addr));

	return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

static struct span next_word(struct span *line)
{
	*line = span_trim(*line);
	return span_cut(line, " \t\r");
}

/* Operators write names in their own letters, but no control bytes. */
static bool is_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((uint8_t)s.at[i] <= ' ' || s.at[i] == 0x7f)
			return false;
	return s.len > 0;
}

static bool read_line(struct span line, struct name *ret)
{
	struct span at = next_word(&line), name = next_word(&line);
	char text[ADDR_TEXT];

	if (at.len >= sizeof(text) || name.len >= sizeof(ret->name) || !is_name(name))
		return false;
	memcpy(text, at.at, at.len);
	text[at.len] = '\0';
	if (strlen(text) != at.len || addr_parse(text, &ret->addr) != 0)
		return false;
	memcpy(ret->name, name.at, name.len);
	ret->name[name.len] = '\0';
	return true;
}

static uint32_t lines_of(const char *text, size_t len)
{
	uint32_t n = 1;

	for (size_t i = 0; i < len && n < NAMES_MOST; i++)
		n += text[i] == '\n';
	return n;
}

int names_read(const char *text, size_t len, struct writer *why, struct names **ret)
{
	struct span all = {text, len};
	uint32_t room = lines_of(text, len), bad = 0, first = 0, line = 0;
	struct names *n = calloc(1, sizeof(*n) + room * sizeof(n->names[0]));

	if (n == NULL)
		return -ENOMEM;
	while (all.len > 0) {
		struct span one = span_cut(&all, "\n");
		struct span fact = span_trim(span_cut(&one, "#"));

		line++;
		if (fact.len == 0)
			continue;
		if (n->n == room) {
			why_say(why, "names", "more than 10000, the rest is left out");
			break;
		}
		n->names[n->n].line = line;
		if (read_line(fact, &n->names[n->n]))
			n->n++;
		else if (bad++ == 0)
			first = line;
	}
	why_lines(why, "names", bad, first);
	qsort(n->names, n->n, sizeof(n->names[0]), by_addr);
	*ret = n;
	return 0;
}

const char *names_of(const struct names *n, const struct addr *a)
{
	uint32_t low = 0, high = n->n;

	while (low < high) { /* the first one that is not less */
		uint32_t mid = low + (high - low) / 2;

		if (memcmp(&n->names[mid].addr, a, sizeof(*a)) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n->n && addr_eq(&n->names[low].addr, a) ? n->names[low].name : "";
}

void names_close(struct names **n)
{
	free(*n);
	*n = NULL;
}
