/* SPDX-License-Identifier: BSD-2-Clause */
/* Arenas (one mapping, one lifetime) and the heap's seal. */
#include "base/base.h"

#include <errno.h>
#include <sys/mman.h>

#define ALIGNMENT 64u

/* Whether this thread has finished allocating: it has to be seen from malloc itself, which takes no
 * context. Of the thread, as one that loads rules may go on beside one that handles packets. */
static _Thread_local bool sealed;

int arena_create(size_t size, struct arena *ret_arena)
{
	if (size == 0)
		return SKEP_ERANGE;
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		return -errno;
	*ret_arena = (struct arena){.mem = mem, .size = size};
	return 0;
}

void arena_destroy(struct arena *arena)
{
	if (arena->mem != NULL)
		munmap(arena->mem, arena->size);
	*arena = (struct arena){0};
}

void *arena_alloc(struct arena *arena, size_t count, size_t size)
{
	size_t bytes, start = (arena->used + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if (__builtin_mul_overflow(count, size, &bytes) || start > arena->size ||
	    bytes > arena->size - start)
		return NULL;
	arena->used = start + bytes;
	return arena->mem + start;
}

void heap_seal(void)
{
	sealed = true;
}

bool heap_sealed(void)
{
	return sealed;
}
