/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab: memory of changing size on the packet path, without the heap. One mapping reserved at start
 * is its hard limit; blocks come in size classes with a free list each, so that taking and giving back
 * is constant time. Used by stream, proto, rule. One thread.
 */
#ifndef SKEP_SLAB_H
#define SKEP_SLAB_H

#include "base/base.h"

#define SLAB_MAX (1u << 24) /* largest block, bytes */

struct slab;

/* Reserves limit_bytes (mapped, touched on use). The caller frees it. */
MUST_USE int slab_create(size_t limit_bytes, struct slab **ret);
void slab_free_all(struct slab **s);
/* A block of at least size bytes, not zeroed, 16-byte aligned; NULL: the limit is reached (counted). */
void *slab_alloc(struct slab *s, size_t size);
/* The same, zeroed. */
void *slab_zalloc(struct slab *s, size_t size);
/* Moves to a block of at least size bytes with the old contents (p NULL: as slab_alloc). NULL: the old
 * block stays as it is. */
void *slab_grow(struct slab *s, void *p, size_t size);
/* Gives back; NULL is fine. */
void slab_free(struct slab *s, void *p);
/* Bytes that fit into block p. */
size_t slab_size(const void *p);
/* Bytes handed out now, the most ever, and requests refused. */
struct slab_stats {
	uint64_t used, peak, reserved, refused;
};
void slab_read_stats(const struct slab *s, struct slab_stats *ret);

#endif
