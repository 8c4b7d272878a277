/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is short at a time of the test's choice. Linked with --wrap for each way to ask a slab. */
#ifndef SKEP_TEST_SHORT_H
#define SKEP_TEST_SHORT_H

#include "base/slab.h"

/* The n-th request from now on is refused (1: the next one); all: those behind it as well. n 0: none. */
void short_at(uint64_t n, bool all);
/* Requests since. */
uint64_t short_asked(void);

void *__wrap_slab_alloc(struct slab *s, size_t size);
void *__wrap_slab_zalloc(struct slab *s, size_t size);
void *__wrap_slab_grow(struct slab *s, void *p, size_t size);
void *__real_slab_alloc(struct slab *s, size_t size);
void *__real_slab_zalloc(struct slab *s, size_t size);
void *__real_slab_grow(struct slab *s, void *p, size_t size);

#endif
