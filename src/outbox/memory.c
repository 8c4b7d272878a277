/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one transaction will write, while it is not written: usually for the blink of an eye, with a full
 * disk for as long as that lasts. Everything is bounded: of one slot or number the last word counts,
 * lines of the log add up, items push out lighter ones.
 */
#include "outbox/outbox_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool memory_before(const struct outbox_item *a, const struct outbox_item *b)
{
	if (a->bypass != b->bypass)
		return a->bypass > b->bypass;
	if (a->weight != b->weight)
		return a->weight > b->weight;
	if (a->at_ns != b->at_ns)
		return a->at_ns < b->at_ns;
	return a->number < b->number;
}

/* Those that are done go first, then the lightest and newest. */
static uint32_t least(const struct memory *m)
{
	uint32_t at = 0;
	for (uint32_t i = 1; i < m->n_items; i++) {
		bool done = m->items[i].item.state != OUTBOX_WAITING;
		bool best = m->items[at].item.state != OUTBOX_WAITING;
		if (done != best ? done : memory_before(&m->items[at].item, &m->items[i].item))
			at = i;
	}
	return at;
}

int memory_add(struct memory *m, const struct outbox_item *i, const void *body, size_t len)
{
	uint32_t at = m->n_items;
	if (m->n_items == OUTBOX_MEMORY) {
		at = least(m);
		if (m->items[at].item.state == OUTBOX_WAITING &&
		    !memory_before(i, &m->items[at].item))
			return SKEP_EFULL;
	}
	void *copy = malloc(len > 0 ? len : 1);
	if (copy == NULL)
		return -ENOMEM;
	if (len > 0)
		memcpy(copy, body, len);
	bool lost = at < m->n_items;
	if (lost)
		free(m->items[at].body);
	else
		m->n_items++;
	m->items[at] = (struct memory_item){*i, copy, len};
	return lost ? SKEP_EFULL : 0;
}

struct memory_item *memory_find(struct memory *m, uint64_t number)
{
	for (uint32_t i = 0; i < m->n_items; i++)
		if (m->items[i].item.number == number)
			return &m->items[i];
	return NULL;
}

/* Room for one more in a list; doubles up to most. */
static bool grow(void *list, uint32_t n, uint32_t *room, uint32_t most, size_t size)
{
	void **at = list;
	if (n < *room)
		return true;
	uint32_t more = *room == 0 ? 64 : *room * 2;
	if (more > most)
		more = most;
	if (n >= more)
		return false;
	void *mem = reallocarray(*at, more, size);
	if (mem == NULL)
		return false;
	*at = mem;
	*room = more;
	return true;
}

struct memory_mark *memory_marked(struct memory *m, uint64_t number)
{
	for (uint32_t i = 0; i < m->n_marks; i++)
		if (m->marks[i].number == number)
			return &m->marks[i];
	return NULL;
}

struct memory_mark *memory_mark(struct memory *m, uint64_t number)
{
	struct memory_mark *have = memory_marked(m, number);
	if (have != NULL)
		return have;
	if (!grow(&m->marks, m->n_marks, &m->room_marks, MEMORY_MARKS, sizeof(*m->marks)))
		return NULL;
	m->marks[m->n_marks] = (struct memory_mark){.number = number};
	return &m->marks[m->n_marks++];
}

static bool same_line(const struct outbox_log *a, const struct outbox_log *b)
{
	return a->at_ns / (60 * NS_PER_SEC) == b->at_ns / (60 * NS_PER_SEC) &&
	       strcmp(a->destination, b->destination) == 0 && strcmp(a->class, b->class) == 0 &&
	       strcmp(a->why, b->why) == 0 && strcmp(a->rule, b->rule) == 0 &&
	       strcmp(a->guest, b->guest) == 0 && addr_eq(&a->source, &b->source) &&
	       a->incident == b->incident;
}

int memory_log(struct memory *m, const struct outbox_log *l)
{
	if (grow(&m->logs, m->n_logs, &m->room_logs, MEMORY_LOGS, sizeof(*m->logs))) {
		m->logs[m->n_logs++] = *l;
		return 0;
	}
	for (uint32_t i = m->n_logs; i-- > 0;)
		if (same_line(&m->logs[i], l)) {
			m->logs[i].n += l->n;
			return 0;
		}
	return SKEP_EFULL;
}

int memory_slot(struct memory *m, uint64_t slot, const void *data, size_t size)
{
	uint32_t at = 0;
	while (at < m->n_slots && m->slots[at].slot != slot)
		at++;
	if (at == m->n_slots &&
	    !grow(&m->slots, m->n_slots, &m->room_slots, MEMORY_SLOTS, sizeof(*m->slots)))
		return SKEP_EFULL;
	void *copy = size > 0 ? malloc(size) : NULL;
	if (size > 0 && copy == NULL)
		return -ENOMEM;
	if (size > 0)
		memcpy(copy, data, size);
	if (at == m->n_slots)
		m->n_slots++;
	else
		free(m->slots[at].data);
	m->slots[at] = (struct memory_slot){slot, copy, size};
	return 0;
}

int memory_set(struct memory *m, const char *name, uint64_t value)
{
	uint32_t at = 0;
	while (at < m->n_values && strcmp(m->values[at].name, name) != 0)
		at++;
	if (at == MEMORY_VALUES || !text_copy(m->values[at].name, OUTBOX_NAME, name))
		return SKEP_EFULL;
	m->values[at].value = value;
	if (at == m->n_values)
		m->n_values++;
	return 0;
}

bool memory_get(const struct memory *m, const char *name, uint64_t *ret)
{
	for (uint32_t i = 0; i < m->n_values; i++)
		if (strcmp(m->values[i].name, name) == 0) {
			*ret = m->values[i].value;
			return true;
		}
	return false;
}

void memory_clear(struct memory *m)
{
	for (uint32_t i = 0; i < m->n_items; i++)
		free(m->items[i].body);
	for (uint32_t i = 0; i < m->n_slots; i++)
		free(m->slots[i].data);
	m->n_items = m->n_marks = m->n_logs = m->n_slots = m->n_values = 0;
}

void memory_free(struct memory *m)
{
	memory_clear(m);
	free(m->marks);
	free(m->logs);
	free(m->slots);
	m->marks = NULL;
	m->logs = NULL;
	m->slots = NULL;
}
