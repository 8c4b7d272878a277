/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ring of verdict marks between wall (writer) and recorder (reader).
 *
 * Each entry is a seqlock of its own: the writer makes seq odd, writes the words, makes seq even;
 * the reader copies the words between two looks at seq. seq also says which lap the entry is of, so
 * the reader knows an overwritten entry from a fresh one without believing `head`. Every access is
 * atomic (relaxed where the fences order it), so a torn read is detected rather than undefined.
 *
 * The writer keeps its position in the ring itself: a wall that is killed in the middle of an entry
 * leaves it odd, and its successor writes that same entry again.
 */
#include "capture/capture.h"

#include <stdatomic.h>
#include <string.h>

#define MARK_WORDS (sizeof(struct mark) / sizeof(uint64_t))
/* Overwritten entries that one mark_get skips before it gives up: bounds the work that a writer
 * gone mad can cause. */
#define MARK_SKIPS 64u

struct mark_entry {
	_Atomic uint64_t seq; /* 2n + 1: mark n is being written; 2n + 2: it is there */
	_Atomic uint64_t words[MARK_WORDS];
};

struct mark_ring {
	_Atomic uint64_t head; /* marks written so far */
	uint64_t pad[7];
	struct mark_entry entries[MARK_RING_ENTRIES];
};

_Static_assert(sizeof(struct mark) % sizeof(uint64_t) == 0, "a mark is whole words");
_Static_assert(sizeof(struct mark) == 32, "a mark has no padding that could carry old bytes");
_Static_assert((MARK_RING_ENTRIES & (MARK_RING_ENTRIES - 1)) == 0, "a power of two");

size_t mark_ring_bytes(void)
{
	return sizeof(struct mark_ring);
}

struct mark_ring *mark_ring_at(void *shared_memory)
{
	return shared_memory;
}

void mark_put(struct mark_ring *ring, const struct mark *m)
{
	uint64_t words[MARK_WORDS];
	uint64_t n = atomic_load_explicit(&ring->head, memory_order_relaxed);
	struct mark_entry *e = &ring->entries[n % MARK_RING_ENTRIES];

	memcpy(words, m, sizeof(words));
	atomic_store_explicit(&e->seq, 2 * n + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < MARK_WORDS; i++)
		atomic_store_explicit(&e->words[i], words[i], memory_order_relaxed);
	atomic_store_explicit(&e->seq, 2 * n + 2, memory_order_release);
	atomic_store_explicit(&ring->head, n + 1, memory_order_release);
}

static bool read_entry(const struct mark_ring *ring, uint64_t n, struct mark *ret)
{
	const struct mark_entry *e = &ring->entries[n % MARK_RING_ENTRIES];
	uint64_t words[MARK_WORDS];

	if (atomic_load_explicit(&e->seq, memory_order_acquire) != 2 * n + 2)
		return false;
	for (size_t i = 0; i < MARK_WORDS; i++)
		words[i] = atomic_load_explicit(&e->words[i], memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&e->seq, memory_order_relaxed) != 2 * n + 2)
		return false;
	memcpy(ret, words, sizeof(words));
	return true;
}

bool mark_get(const struct mark_ring *ring, uint64_t *cursor, struct mark *ret, uint64_t *lost)
{
	for (unsigned i = 0; i < MARK_SKIPS; i++) {
		uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
		if (head < *cursor)
			*cursor = head; /* a new ring, or a mad writer: start over from there */
		if (head == *cursor)
			return false;
		if (head - *cursor > MARK_RING_ENTRIES) {
			*lost += head - *cursor - MARK_RING_ENTRIES;
			*cursor = head - MARK_RING_ENTRIES;
		}
		if (read_entry(ring, (*cursor)++, ret))
			return true;
		(*lost)++;
	}
	return false;
}

uint32_t capture_hash(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t h = UINT64_C(0x9e3779b97f4a7c15), w;

	if (len > 64)
		len = 64;
	h ^= len;
	for (; len >= sizeof(w); len -= sizeof(w), p += sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		h = (h ^ w) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	w = 0;
	memcpy(&w, p, len);
	h = (h ^ w) * UINT64_C(0xff51afd7ed558ccd);
	return (uint32_t)(h ^ (h >> 32));
}
