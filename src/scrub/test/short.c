/* SPDX-License-Identifier: BSD-2-Clause */
#include "short.h"

static struct {
	uint64_t at, asked;
	bool all;
} now;

void short_at(uint64_t n, bool all)
{
	now.at = n;
	now.all = all;
	now.asked = 0;
}

uint64_t short_asked(void)
{
	return now.asked;
}

static bool refused(struct slab *s)
{
	now.asked++;
	if (now.at == 0 || now.asked < now.at || (now.asked > now.at && !now.all))
		return false;
	return __real_slab_alloc(s, (size_t)SLAB_MAX + 1) == NULL; /* counted as refused */
}

void *__wrap_slab_alloc(struct slab *s, size_t size)
{
	return refused(s) ? NULL : __real_slab_alloc(s, size);
}

void *__wrap_slab_zalloc(struct slab *s, size_t size)
{
	return refused(s) ? NULL : __real_slab_zalloc(s, size);
}

/* What fits already is no request. */
void *__wrap_slab_grow(struct slab *s, void *p, size_t size)
{
	if (p != NULL && slab_size(p) >= size)
		return __real_slab_grow(s, p, size);
	return refused(s) ? NULL : __real_slab_grow(s, p, size);
}
