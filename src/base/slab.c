/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/mman.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/slab.h"

/* Units of 32 KB lie in groups of 32 MB, aligned to their size, so that a block's address tells where
 * its unit is described: the group's first unit is the table of the other 1023. A unit either is
 * part of a run (a buddy system of 2^order units: the large blocks), or is cut into small blocks of
 * one class. An empty unit goes back to the runs, so that no class keeps what another needs. */
#define UNIT_SHIFT 15u
#define UNIT ((size_t)1 << UNIT_SHIFT)
#define GROUP_UNITS 1024u
#define GROUP ((size_t)GROUP_UNITS << UNIT_SHIFT)
#define ORDERS 10u  /* runs of 1 .. 512 units */
#define CLASSES 36u /* 16 .. 128 by 16, then four to each doubling, up to 16 KB */
#define SMALL_MAX 16384u

enum unit_kind { UNIT_NONE, UNIT_FREE, UNIT_RUN, UNIT_SMALL };

struct unit {
	struct unit *next, *prev;
	void *free;     /* small: blocks given back, each holds the next */
	uint16_t used;  /* small: blocks handed out */
	uint16_t fresh; /* small: blocks from here on were never handed out */
	uint8_t kind, order, class;
	uint8_t pad;
};
_Static_assert(sizeof(struct unit) * GROUP_UNITS == UNIT, "the table fills one unit");

struct slab {
	uint8_t *mem;                  /* aligned to GROUP */
	size_t mapped, touched;        /* touched: so far blocks have ever been */
	struct unit *runs[ORDERS];     /* free runs, by first unit */
	struct unit *partial[CLASSES]; /* units with room */
	uint32_t class_size[CLASSES];
	struct slab_stats stats;
};

#if defined(__SANITIZE_ADDRESS__)
#define SLAB_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_POISON 1
#endif
#endif
#ifdef SLAB_POISON
#include <sanitizer/asan_interface.h>
static void poison(void *p, size_t n)
{
	__asan_poison_memory_region(p, n);
}
static void unpoison(const void *p, size_t n)
{
	__asan_unpoison_memory_region(p, n);
}
static void touch(const void *p)
{
	(void)*(const volatile uint8_t *)p;
}
#else
static void poison(void *p, size_t n)
{
	(void)p, (void)n;
}
static void unpoison(const void *p, size_t n)
{
	(void)p, (void)n;
}
static void touch(const void *p)
{
	(void)p;
}
#endif

static struct unit *group_of(const void *p)
{
	return (struct unit *)((uintptr_t)p & ~(uintptr_t)(GROUP - 1));
}

static struct unit *unit_of(const void *p)
{
	return group_of(p) + (((uintptr_t)p & (GROUP - 1)) >> UNIT_SHIFT);
}

static uint8_t *unit_mem(struct unit *u)
{
	struct unit *g = group_of(u);

	return (uint8_t *)g + ((size_t)(u - g) << UNIT_SHIFT);
}

static uint32_t size_class(size_t size)
{
	uint32_t e, s = (uint32_t)size;

	if (s <= 128)
		return s ? (s - 1) / 16 : 0;
	e = 31u - (uint32_t)__builtin_clz(s - 1);
	return 8 + (e - 7) * 4 + (((s - 1) >> (e - 2)) & 3);
}

static uint32_t class_bytes(uint32_t class)
{
	uint32_t e = 7 + (class - 8) / 4;

	if (class < 8)
		return (class + 1) * 16;
	return (1u << e) + (((class - 8) % 4 + 1) << (e - 2));
}

static void list_push(struct unit **head, struct unit *u)
{
	u->prev = NULL;
	u->next = *head;
	if (*head)
		(*head)->prev = u;
	*head = u;
}

static void list_remove(struct unit **head, struct unit *u)
{
	if (u->prev)
		u->prev->next = u->next;
	else
		*head = u->next;
	if (u->next)
		u->next->prev = u->prev;
}

static void run_put(struct slab *s, struct unit *u, uint32_t order)
{
	struct unit *g = group_of(u);

	while (order + 1 < ORDERS) {
		struct unit *b = g + ((uint32_t)(u - g) ^ (1u << order));

		if (b->kind != UNIT_FREE || b->order != order)
			break;
		list_remove(&s->runs[order], b);
		b->kind = UNIT_NONE;
		u = b < u ? b : u;
		order++;
	}
	u->kind = UNIT_FREE;
	u->order = (uint8_t)order;
	list_push(&s->runs[order], u);
}

static struct unit *run_take(struct slab *s, uint32_t order)
{
	uint32_t o = order;
	struct unit *u;

	while (o < ORDERS && !s->runs[o])
		o++;
	if (o == ORDERS)
		return NULL;
	u = s->runs[o];
	list_remove(&s->runs[o], u);
	while (o > order) {
		struct unit *half = u + (1u << --o);

		half->kind = UNIT_FREE;
		half->order = (uint8_t)o;
		list_push(&s->runs[o], half);
	}
	u->kind = UNIT_RUN;
	u->order = (uint8_t)order;
	return u;
}

/* Each class may keep one empty unit, against going to and fro; when memory is short they go back. */
static void give_back_empty(struct slab *s)
{
	for (uint32_t c = 0; c < CLASSES; c++) {
		struct unit *u = s->partial[c];

		if (u && !u->used) {
			list_remove(&s->partial[c], u);
			u->kind = UNIT_NONE;
			run_put(s, u, 0);
		}
	}
}

static struct unit *run_need(struct slab *s, uint32_t order)
{
	struct unit *u = run_take(s, order);
	size_t end;

	if (!u) {
		give_back_empty(s);
		u = run_take(s, order);
	}
	if (!u) {
		s->stats.refused++;
		return NULL;
	}
	end = (size_t)(unit_mem(u) - s->mem) + (UNIT << order);
	s->touched = end > s->touched ? end : s->touched;
	return u;
}

static void count_used(struct slab *s, size_t n)
{
	s->stats.used += n;
	if (s->stats.used > s->stats.peak)
		s->stats.peak = s->stats.used;
}

static void *small_alloc(struct slab *s, size_t size)
{
	uint32_t c = size_class(size);
	struct unit *u = s->partial[c];
	size_t n = s->class_size[c];
	void *p;

	if (!u) {
		u = run_need(s, 0);
		if (!u)
			return NULL;
		u->kind = UNIT_SMALL;
		u->class = (uint8_t)c;
		u->used = u->fresh = 0;
		u->free = NULL;
		poison(unit_mem(u), UNIT);
		list_push(&s->partial[c], u);
	}
	if (u->free) {
		p = u->free;
		unpoison(p, sizeof(u->free));
		memcpy(&u->free, p, sizeof(u->free));
		poison(p, sizeof(u->free));
	} else {
		p = unit_mem(u) + (size_t)u->fresh++ * n;
	}
	unpoison(p, size ? size : 1); /* what was asked for, not what there is */
	u->used++;
	if (!u->free && (u->fresh + 1u) * n > UNIT)
		list_remove(&s->partial[c], u);
	count_used(s, n);
	return p;
}

void *slab_alloc(struct slab *s, size_t size)
{
	uint32_t order = 0;
	struct unit *u;

	if (size <= SMALL_MAX)
		return small_alloc(s, size);
	if (size > SLAB_MAX) {
		s->stats.refused++;
		return NULL;
	}
	while ((UNIT << order) < size)
		order++;
	u = run_need(s, order);
	if (!u)
		return NULL;
	count_used(s, UNIT << order);
	unpoison(unit_mem(u), size);
	poison(unit_mem(u) + size, (UNIT << order) - size);
	return unit_mem(u);
}

void *slab_zalloc(struct slab *s, size_t size)
{
	void *p = slab_alloc(s, size);

	if (p)
		memset(p, 0, size);
	return p;
}

static size_t block_size(const void *p)
{
	const struct unit *u = unit_of(p);

	return u->kind == UNIT_SMALL ? class_bytes(u->class) : UNIT << u->order;
}

/* Who asks means to use it all. */
size_t slab_size(const void *p)
{
	size_t n = block_size(p);

	unpoison(p, n);
	return n;
}

void slab_free(struct slab *s, void *p)
{
	struct unit *u;
	size_t n;
	bool was_full;

	if (!p)
		return;
	touch(p);
	u = unit_of(p);
	if (u->kind != UNIT_SMALL) {
		s->stats.used -= UNIT << u->order;
		poison(p, UNIT << u->order);
		run_put(s, u, u->order);
		return;
	}
	n = s->class_size[u->class];
	was_full = !u->free && (u->fresh + 1u) * n > UNIT;
	unpoison(p, sizeof(u->free));
	memcpy(p, &u->free, sizeof(u->free));
	poison(p, n);
	u->free = p;
	u->used--;
	s->stats.used -= n;
	if (was_full)
		list_push(&s->partial[u->class], u);
	if (!u->used && (u->next || u->prev)) {
		list_remove(&s->partial[u->class], u);
		run_put(s, u, 0);
	}
}

void *slab_grow(struct slab *s, void *p, size_t size)
{
	size_t old;
	void *q;

	if (!p)
		return slab_alloc(s, size);
	old = block_size(p);
	if (size <= old) {
		unpoison(p, size);
		return p;
	}
	q = slab_alloc(s, size);
	if (!q)
		return NULL;
	unpoison(p, old);
	memcpy(q, p, old);
	slab_free(s, p);
	return q;
}

/* Enters the units of one group into the runs, in the largest pieces their numbers allow. */
static void group_init(struct slab *s, struct unit *g, uint32_t units)
{
	uint32_t i = 1;

	while (i <= units) {
		uint32_t order = (uint32_t)__builtin_ctz(i);

		if (order >= ORDERS)
			order = ORDERS - 1;
		while (i + (1u << order) > units + 1)
			order--;
		g[i].kind = UNIT_FREE;
		g[i].order = (uint8_t)order;
		list_push(&s->runs[order], g + i);
		i += 1u << order;
	}
}

int slab_create(size_t limit_bytes, struct slab **ret)
{
	size_t units, groups, lead;
	struct slab *s;
	uint8_t *map;

	if (limit_bytes > (size_t)1 << 46)
		return -EINVAL;
	units = (limit_bytes + UNIT - 1) >> UNIT_SHIFT;
	units = units ? units : 1;
	groups = (units + GROUP_UNITS - 2) / (GROUP_UNITS - 1);
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->mapped = groups * GROUP;
	map = mmap(NULL, s->mapped + GROUP, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED) {
		free(s);
		return -ENOMEM;
	}
	lead = (GROUP - ((uintptr_t)map & (GROUP - 1))) & (GROUP - 1);
	s->mem = map + lead;
	if (lead)
		munmap(map, lead);
	munmap(s->mem + s->mapped, GROUP - lead);
	s->stats.reserved = (uint64_t)units << UNIT_SHIFT;
	for (uint32_t c = 0; c < CLASSES; c++)
		s->class_size[c] = class_bytes(c);
	for (size_t g = groups; g-- > 0;) {
		size_t before = g * (GROUP_UNITS - 1);
		size_t n = units - before;

		n = n > GROUP_UNITS - 1 ? GROUP_UNITS - 1 : n;
		group_init(s, (struct unit *)(void *)(s->mem + g * GROUP), (uint32_t)n);
	}
	*ret = s;
	return 0;
}

void slab_free_all(struct slab **s)
{
	if (!*s)
		return;
	unpoison((*s)->mem, (*s)->touched);
	munmap((*s)->mem, (*s)->mapped);
	free(*s);
	*s = NULL;
}

void slab_read_stats(const struct slab *s, struct slab_stats *ret)
{
	*ret = s->stats;
}
