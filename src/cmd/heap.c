/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The heap's seal at work: the linker sends our own calls of malloc and its kin here (--wrap, see
 * meson.build). A data-path role that allocates after heap_seal has a bug that an intruder could
 * drive: it ends at once, and super starts a clean one.
 */
#include "base/base.h"

#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static void check_seal(void)
{
	if (heap_sealed())
		abort();
}

void *__wrap_malloc(size_t size)
{
	check_seal();
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	check_seal();
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	check_seal();
	return __real_realloc(p, size);
}
