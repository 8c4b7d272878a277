/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of the libraries that match for us. An engine is made and freed by whoever has the time, maybe
 * by another thread than the one that matches; so what it is made of comes from the heap, and only what a
 * match wants on top comes from the slab, which is the matching thread's alone.
 */
#include "rule/match/eval_priv.h"

#include <errno.h>
#include <stdlib.h>

#define PCRE_MATCH_LIMIT 20000u
#define PCRE_DEPTH_LIMIT 1000u
#define PCRE_HEAP_KIB 1024u
#define PCRE_PAIRS 32u
#define JIT_STACK_BYTES (256u * 1024u)

/* Its place in a table of few; NULL: not there. */
static void **find(void **table, size_t n, const void *p)
{
	for (size_t i = 0; i < n; i++)
		if (table[i] == p)
			return &table[i];
	return NULL;
}

static void *take(size_t size, void *ctx)
{
	struct pcre_memory *m = ctx;
	void **at = m->made_all ? find(m->live, ARRAY_LEN(m->live), NULL)
				: find(m->made, ARRAY_LEN(m->made), NULL);
	if (at == NULL)
		return NULL;
	*at = m->made_all ? slab_alloc(m->slab, size) : malloc(size);
	return *at;
}

static void give(void *p, void *ctx)
{
	struct pcre_memory *m = ctx;
	void **at = p != NULL ? find(m->made, ARRAY_LEN(m->made), p) : NULL;
	if (at != NULL) {
		free(p);
		*at = NULL;
		return;
	}
	at = p != NULL ? find(m->live, ARRAY_LEN(m->live), p) : NULL;
	if (at == NULL) /* went with engine_leave_slab */
		return;
	slab_free(m->slab, p);
	*at = NULL;
}

int engine_make_pcre(struct rule_engine *e)
{
	struct pcre_memory *m = &e->pcre_memory;
	m->slab = e->slab;
	e->pcre_gc = pcre2_general_context_create(take, give, m);
	if (e->pcre_gc == NULL)
		return -ENOMEM;
	e->pcre_mc = pcre2_match_context_create(e->pcre_gc);
	e->pcre_md = pcre2_match_data_create(PCRE_PAIRS, e->pcre_gc);
	e->pcre_js = pcre2_jit_stack_create(32768, JIT_STACK_BYTES, e->pcre_gc);
	if (e->pcre_mc == NULL || e->pcre_md == NULL || e->pcre_js == NULL)
		return -ENOMEM;
	(void)pcre2_set_match_limit(e->pcre_mc, PCRE_MATCH_LIMIT);
	(void)pcre2_set_depth_limit(e->pcre_mc, PCRE_DEPTH_LIMIT);
	(void)pcre2_set_heap_limit(e->pcre_mc, PCRE_HEAP_KIB);
	pcre2_jit_stack_assign(e->pcre_mc, NULL, e->pcre_js);
	m->made_all = true;
	return 0;
}

void engine_leave_slab(struct rule_engine *e)
{
	struct pcre_memory *m = &e->pcre_memory;
	for (size_t i = 0; i < ARRAY_LEN(m->live); i++) {
		slab_free(m->slab, m->live[i]);
		m->live[i] = NULL;
	}
}
