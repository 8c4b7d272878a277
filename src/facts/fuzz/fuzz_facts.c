/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as the table of names, or as signatures, and any greeting: what comes out is terminated and
 * printable, a name is found by its address, and reading the same twice gives the same.
 *
 * Input: a byte (even: names, odd: signatures), a struct event_syn, then the text.
 */
#include "facts/facts_priv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void names(const char *text, size_t len)
{
	char why[256];
	struct writer w = writer_of(why, sizeof(why));
	struct names *n = NULL;
	struct span all = {text, len};

	must(names_read(text, len, &w, &n) == 0);
	for (unsigned lines = 0; all.len > 0 && lines < 100; lines++) {
		struct span one = span_cut(&all, "\n"), word = span_cut(&one, " \t\r#");
		char at[ADDR_TEXT] = "";
		struct addr a;

		if (word.len >= sizeof(at))
			continue;
		memcpy(at, word.at, word.len);
		if (addr_parse(at, &a) == 0)
			for (const char *s = names_of(n, &a); *s != '\0'; s++)
				must((uint8_t)*s > ' ' && *s != 0x7f);
	}
	names_close(&n);
	must(n == NULL);
}

static void signs(const struct event_syn *syn, const char *text, size_t len)
{
	char why[256];
	struct writer w = writer_of(why, sizeof(why));
	struct signs *s = NULL;

	must(signs_read(text, len, 1, &w, &s) == 0);
	must(s->n <= SIGNS_MOST && s->n_labels <= SIGNS_LABELS);
	for (uint8_t ver = 4; ver <= 6; ver += 2) {
		struct facts_of a = {.hops = FACTS_HOPS_UNKNOWN}, b = a;

		signs_match(s, ver, syn, &a);
		signs_match(s, ver, syn, &b);
		must(memcmp(&a, &b, sizeof(a)) == 0);
		must(memchr(a.os, 0, sizeof(a.os)) != NULL);
		for (const char *c = a.os; *c != '\0'; c++)
			must(*c >= ' ' && *c <= '~');
		must(syn->ttl != 0 || (a.os[0] == '\0' && a.hops == FACTS_HOPS_UNKNOWN));
	}
	free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct event_syn syn;

	if (size < 1 + sizeof(syn) || size > 1u << 16)
		return 0;
	memcpy(&syn, data + 1, sizeof(syn));
	syn.n_options %= EVENT_SYN_OPTIONS + 1; /* as event_valid has it */
	const char *text = (const char *)data + 1 + sizeof(syn);
	size_t len = size - 1 - sizeof(syn);

	if (data[0] % 2 == 0)
		names(text, len);
	else
		signs(&syn, text, len);
	return 0;
}
