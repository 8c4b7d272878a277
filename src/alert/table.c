/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables of a fixed size. Which entry gives way depends on the order of use alone, not on the hash: so a replay,
 * whose hash has another key, gives way alike. Memory is touched with the first use of it. Chains hold places
 * counted from 1, so that nothing needs to be set at the start; the list of free places counts from 0.
 */
#include "alert/table_priv.h"

#include <string.h>

static struct head *head_of(const struct table *t, uint32_t i)
{
	return (struct head *)(void *)(t->entries + (size_t)i * t->entry_bytes);
}

void *table_at(const struct table *t, uint32_t index)
{
	return index < t->max && head_of(t, index)->stamp != 0 ? head_of(t, index) : NULL;
}

static const void *key_of(const struct head *h)
{
	return h + 1;
}

static uint32_t *bucket_of(const struct table *t, const void *key)
{
	return &t->buckets[hash_keyed(t->hash_key, key, t->key_bytes) & (t->n_buckets - 1)];
}

static uint32_t index_of(const struct table *t, const void *entry)
{
	return (uint32_t)((size_t)((const uint8_t *)entry - t->entries) / t->entry_bytes);
}

static uint32_t buckets_for(uint32_t max)
{
	uint32_t n = 16;
	while (n < max)
		n *= 2;
	return n;
}

size_t table_bytes(uint32_t max, size_t entry_bytes)
{
	return max * (entry_bytes + sizeof(struct links) + sizeof(uint32_t)) +
	       buckets_for(max) * sizeof(uint32_t) + 4 * 64;
}

int table_create(struct arena *arena, uint32_t max, size_t entry_bytes, size_t key_bytes,
		 struct table *ret)
{
	struct table t = {.max = max,
			  .n_buckets = buckets_for(max),
			  .oldest = NONE,
			  .newest = NONE,
			  .free = NONE,
			  .entry_bytes = (uint32_t)entry_bytes,
			  .key_bytes = (uint32_t)key_bytes};
	t.entries = arena_alloc(arena, max, entry_bytes);
	t.links = arena_alloc(arena, max, sizeof(*t.links));
	t.dirty = arena_alloc(arena, max, sizeof(*t.dirty));
	t.buckets = arena_alloc(arena, t.n_buckets, sizeof(*t.buckets));
	if (t.entries == NULL || t.links == NULL || t.dirty == NULL || t.buckets == NULL)
		return SKEP_EFULL;
	random_fill(t.hash_key, sizeof(t.hash_key));
	*ret = t;
	return 0;
}

/* ---- the order of use ------------------------------------------------------------------------------ */

static void unlink_order(struct table *t, uint32_t i)
{
	const struct links *l = &t->links[i];
	if (l->older != NONE)
		t->links[l->older].newer = l->newer;
	else
		t->oldest = l->newer;
	if (l->newer != NONE)
		t->links[l->newer].older = l->older;
	else
		t->newest = l->older;
}

static void link_newest(struct table *t, uint32_t i)
{
	struct links *l = &t->links[i];
	l->older = t->newest;
	l->newer = NONE;
	if (t->newest != NONE)
		t->links[t->newest].newer = i;
	else
		t->oldest = i;
	t->newest = i;
}

static void sift(const struct table *t, uint32_t *heap, uint32_t at, uint32_t n)
{
	for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
		if (child + 1 < n &&
		    head_of(t, heap[child + 1])->stamp > head_of(t, heap[child])->stamp)
			child++;
		if (head_of(t, heap[at])->stamp >= head_of(t, heap[child])->stamp)
			return;
		uint32_t was = heap[at];
		heap[at] = heap[child];
		heap[child] = was;
	}
}

/* Once, after loading: by the stamps (heap sort). The list of changed ones is empty then, and lends its memory. */
static void settle(struct table *t)
{
	uint32_t n = 0, *heap = t->dirty;
	t->unsettled = false;
	t->oldest = t->newest = NONE;
	t->free = NONE;
	for (uint32_t i = t->touched; i-- > 0;) {
		t->links[i].dirty = false;
		if (head_of(t, i)->stamp != 0) {
			heap[n++] = i;
		} else {
			t->links[i].next = t->free;
			t->free = i;
		}
	}
	for (uint32_t i = n / 2; i-- > 0;)
		sift(t, heap, i, n);
	for (uint32_t left = n; left > 1; left--) {
		uint32_t was = heap[0];
		heap[0] = heap[left - 1];
		heap[left - 1] = was;
		sift(t, heap, 0, left - 1);
	}
	for (uint32_t i = 0; i < n; i++)
		link_newest(t, heap[i]);
	t->n_dirty = 0;
}

/* ---- entries ----------------------------------------------------------------------------------------- */

void table_changed(struct table *t, const void *entry)
{
	uint32_t i = index_of(t, entry);
	if (t->links[i].dirty)
		return;
	t->links[i].dirty = true;
	t->dirty[t->n_dirty++] = i;
}

void *table_find(struct table *t, const void *key)
{
	if (t->unsettled)
		settle(t);
	for (uint32_t i = *bucket_of(t, key); i != 0; i = t->links[i - 1].next)
		if (memcmp(key_of(head_of(t, i - 1)), key, t->key_bytes) == 0)
			return head_of(t, i - 1);
	return NULL;
}

void *table_oldest(struct table *t)
{
	if (t->unsettled)
		settle(t);
	return t->oldest != NONE ? head_of(t, t->oldest) : NULL;
}

void table_drop(struct table *t, void *entry)
{
	uint32_t i = index_of(t, entry), *at = bucket_of(t, key_of(entry));
	while (*at != i + 1)
		at = &t->links[*at - 1].next;
	*at = t->links[i].next;
	unlink_order(t, i);
	t->links[i].next = t->free;
	t->free = i;
	t->n--;
	memset(entry, 0, t->entry_bytes);
	table_changed(t, entry);
}

static void use(struct table *t, struct head *h)
{
	uint32_t i = index_of(t, h);
	h->stamp = ++t->stamp;
	if (t->newest != i) {
		unlink_order(t, i);
		link_newest(t, i);
	}
	table_changed(t, h);
}

/* A place: one that was given back, one never used, or the oldest entry's. */
static uint32_t take_free(struct table *t)
{
	if (t->free == NONE && t->touched < t->max)
		return t->touched++;
	if (t->free == NONE)
		table_drop(t, head_of(t, t->oldest));
	uint32_t i = t->free;
	t->free = t->links[i].next;
	return i;
}

void *table_get(struct table *t, const void *key, bool *ret_new)
{
	struct head *h = table_find(t, key);
	*ret_new = h == NULL;
	if (h != NULL) {
		use(t, h);
		return h;
	}
	uint32_t i = take_free(t), *bucket = bucket_of(t, key);
	h = head_of(t, i);
	h->stamp = ++t->stamp;
	memcpy(h + 1, key, t->key_bytes);
	t->links[i].next = *bucket;
	*bucket = i + 1;
	link_newest(t, i);
	t->n++;
	table_changed(t, h);
	return h;
}

int table_put(struct table *t, uint32_t index, const void *entry)
{
	const struct head *from = entry;
	if (index >= t->max || from->stamp == 0 || from->stamp >> 62 != 0 ||
	    head_of(t, index)->stamp != 0)
		return SKEP_EFORMAT;
	uint32_t *bucket = bucket_of(t, key_of(from));
	for (uint32_t i = *bucket; i != 0; i = t->links[i - 1].next)
		if (memcmp(key_of(head_of(t, i - 1)), key_of(from), t->key_bytes) == 0)
			return SKEP_EFORMAT;
	memcpy(head_of(t, index), entry, t->entry_bytes);
	t->links[index].next = *bucket;
	*bucket = index + 1;
	t->n++;
	t->unsettled = true;
	if (index >= t->touched)
		t->touched = index + 1;
	if (from->stamp > t->stamp)
		t->stamp = from->stamp;
	return 0;
}
