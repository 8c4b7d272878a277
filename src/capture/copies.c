/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ring of copied frames between wall (writer) and collector (reader): a ring of bytes, and a ring of
 * entries that say where in it each copy lies.
 *
 * An entry is a seqlock of its own, as in marks.c. Positions of bytes only grow; the writer says up to where it is about to
 * write (`reserved`) before it does. So the reader, having copied the bytes, sees whether they may have been
 * overwritten meanwhile. Every access is atomic, a torn read is detected rather than undefined.
 *
 * The writer's positions are in the ring: a wall that is killed amid a copy leaves a hole of bytes that
 * no entry points to, and its successor goes on behind it.
 */
#include "capture/capture.h"

#include <stdatomic.h>
#include <string.h>

#define ENTRIES 32768u
#define DATA_WORDS (COPY_RING_BYTES / sizeof(uint64_t))
#define HEAD_WORDS (sizeof(struct copy_head) / sizeof(uint64_t))
/* Entries that one copy_get skips before it gives up: bounds the work that a writer gone mad can cause. */
#define COPY_SKIPS 64u
#define OUTDATED_STEPS 16u /* halvings of ENTRIES, and one */

struct copy_entry {
	_Atomic uint64_t seq; /* 2n + 1: copy n is being written; 2n + 2: it is there */
	_Atomic uint64_t pos; /* of its first byte, counted from the ring's beginning of time */
	_Atomic uint64_t bytes;
	uint64_t pad;
};

struct copy_ring {
	_Atomic uint64_t head;     /* copies written so far */
	_Atomic uint64_t reserved; /* bytes that were written, or are about to be */
	uint64_t pad[6];
	struct copy_entry entries[ENTRIES];
	_Atomic uint64_t data[DATA_WORDS];
};

_Static_assert(sizeof(struct copy_head) % sizeof(uint64_t) == 0, "a head is whole words");
_Static_assert((ENTRIES & (ENTRIES - 1)) == 0, "a power of two");
_Static_assert((DATA_WORDS & (DATA_WORDS - 1)) == 0, "a power of two");
_Static_assert(COPY_RING_BYTES > 16 * COPY_FRAME, "a ring holds more than a few of the longest");

size_t copy_ring_bytes(void)
{
	return sizeof(struct copy_ring);
}

struct copy_ring *copy_ring_at(void *shared_memory)
{
	return shared_memory;
}

/* ---- writer --------------------------------------------------------------------------------- */

static void put_word(struct copy_ring *ring, uint64_t at, uint64_t word)
{
	atomic_store_explicit(&ring->data[at & (DATA_WORDS - 1)], word, memory_order_relaxed);
}

static void put_bytes(struct copy_ring *ring, uint64_t at, const uint8_t *p, size_t len)
{
	uint64_t word;
	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word), at++) {
		memcpy(&word, p, sizeof(word));
		put_word(ring, at, word);
	}
	if (len > 0) {
		word = 0;
		memcpy(&word, p, len);
		put_word(ring, at, word);
	}
}

static uint64_t words_of(uint32_t len)
{
	return HEAD_WORDS + (len + sizeof(uint64_t) - 1) / sizeof(uint64_t);
}

void copy_put(struct copy_ring *ring, const struct copy_head *h, const void *frame)
{
	struct copy_head head = *h;
	if (head.len > COPY_FRAME)
		head.len = COPY_FRAME;
	uint64_t n = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint64_t pos = atomic_load_explicit(&ring->reserved, memory_order_relaxed);
	uint64_t bytes = words_of(head.len) * sizeof(uint64_t);
	struct copy_entry *e = &ring->entries[n % ENTRIES];

	pos &= ~(uint64_t)(sizeof(uint64_t) - 1);
	atomic_store_explicit(&ring->reserved, pos + bytes, memory_order_relaxed);
	atomic_store_explicit(&e->seq, 2 * n + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	put_bytes(ring, pos / sizeof(uint64_t), (const uint8_t *)&head, sizeof(head));
	put_bytes(ring, pos / sizeof(uint64_t) + HEAD_WORDS, frame, head.len);
	atomic_store_explicit(&e->pos, pos, memory_order_relaxed);
	atomic_store_explicit(&e->bytes, bytes, memory_order_relaxed);
	atomic_store_explicit(&e->seq, 2 * n + 2, memory_order_release);
	atomic_store_explicit(&ring->head, n + 1, memory_order_release);
}

/* ---- reader --------------------------------------------------------------------------------- */

static void get_bytes(const struct copy_ring *ring, uint64_t at, uint8_t *p, size_t len)
{
	for (; len > 0; at++) {
		uint64_t word = atomic_load_explicit(&ring->data[at & (DATA_WORDS - 1)],
						     memory_order_relaxed);
		size_t n = len < sizeof(word) ? len : sizeof(word);
		memcpy(p, &word, n);
		p += n;
		len -= n;
	}
}

/* Where copy n lies; false: it is overwritten, or not there yet. */
static bool entry_of(const struct copy_ring *ring, uint64_t n, uint64_t *ret_pos,
		     uint64_t *ret_bytes)
{
	const struct copy_entry *e = &ring->entries[n % ENTRIES];
	if (atomic_load_explicit(&e->seq, memory_order_acquire) != 2 * n + 2)
		return false;
	*ret_pos = atomic_load_explicit(&e->pos, memory_order_relaxed);
	*ret_bytes = atomic_load_explicit(&e->bytes, memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&e->seq, memory_order_relaxed) == 2 * n + 2;
}

/* Are the bytes from pos on still what was written there? */
static bool is_fresh(const struct copy_ring *ring, uint64_t pos)
{
	uint64_t reserved = atomic_load_explicit(&ring->reserved, memory_order_relaxed);
	return reserved >= pos && reserved - pos <= COPY_RING_BYTES;
}

/* What a consumer may index by or test. */
static bool head_fits(const struct copy_head *h, uint64_t bytes)
{
	return h->len <= COPY_FRAME && words_of(h->len) * sizeof(uint64_t) == bytes &&
	       (h->kind == COPY_FRAME_WHOLE || h->kind == COPY_ALERT ||
		(h->kind == COPY_TALLY && h->len == 0)) &&
	       (h->direction == DIR_NONE || h->direction <= DIR_LATERAL) && h->from_guest <= 1 &&
	       h->begun_by_guest <= 1 && h->ended <= 1 &&
	       (h->peer.ver == 0 || h->peer.ver == 4 || h->peer.ver == 6) &&
	       (h->inside.ver == 0 || h->inside.ver == 4 || h->inside.ver == 6) && h->stamp_ns >= 0;
}

static bool read_copy(const struct copy_ring *ring, uint64_t n, struct copy_head *h, void *frame)
{
	uint64_t pos, bytes;
	if (!entry_of(ring, n, &pos, &bytes) || pos % sizeof(uint64_t) != 0 || bytes < sizeof(*h) ||
	    bytes > sizeof(*h) + COPY_FRAME + sizeof(uint64_t))
		return false;
	get_bytes(ring, pos / sizeof(uint64_t), (uint8_t *)h, sizeof(*h));
	if (!head_fits(h, bytes))
		return false;
	get_bytes(ring, pos / sizeof(uint64_t) + HEAD_WORDS, frame, h->len);
	atomic_thread_fence(memory_order_acquire);
	return is_fresh(ring, pos);
}

/* The oldest copy from `from` on, before head, whose bytes are still there: they were written in order, so it is found
 * by halving. What it says is checked when it is read; it bounds the work only. */
static uint64_t oldest_fresh(const struct copy_ring *ring, uint64_t from, uint64_t head)
{
	uint64_t low = from, high = head, pos, bytes;
	for (unsigned i = 0; i < OUTDATED_STEPS && low < high; i++) {
		uint64_t mid = low + (high - low) / 2;
		if (entry_of(ring, mid, &pos, &bytes) && is_fresh(ring, pos))
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

bool copy_get(const struct copy_ring *ring, uint64_t *cursor, struct copy_head *h, void *frame,
	      uint64_t *lost)
{
	for (unsigned i = 0; i < COPY_SKIPS; i++) {
		uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
		uint64_t pos, bytes, from = *cursor;
		if (head < *cursor)
			*cursor = head; /* a new ring, or a mad writer: start over from there */
		if (head == *cursor)
			return false;
		if (head - from > ENTRIES)
			from = head - ENTRIES;
		if (!entry_of(ring, from, &pos, &bytes) || !is_fresh(ring, pos))
			from = oldest_fresh(ring, from, head);
		*lost += from - *cursor;
		*cursor = from;
		if (from == head)
			return false;
		if (read_copy(ring, (*cursor)++, h, frame))
			return true;
		(*lost)++;
	}
	return false;
}
