/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a record lists: commands, logins, files ... of one session, in a chain of blocks. Blocks are of a fixed
 * number, of which each guest has its share and each session at most BLOCKS_EACH: then entries are only counted.
 */
#include "session/session_priv.h"

#include <string.h>

#define LATER_TEXT 256u

static uint32_t take_block(struct session_book *b, struct session *s)
{
	struct guest_book *g = &b->guests[s->guest];
	if (s->n_blocks >= BLOCKS_EACH || g->blocks >= b->blocks_share)
		return 0;
	uint32_t n = b->free_blocks != 0 ? b->free_blocks : ++b->fresh_blocks;
	struct block *k = &b->blocks[n - 1];
	if (n == b->free_blocks)
		b->free_blocks = k->next;
	k->next = k->used = 0;
	g->blocks++;
	s->n_blocks++;
	if (s->block_last != 0)
		b->blocks[s->block_last - 1].next = n;
	else
		s->block_first = n;
	s->block_last = n;
	return n;
}

struct entry *entry_add(struct session_book *b, struct session *s, const struct entry *head,
			const struct bytes *texts, uint32_t n_texts, uint32_t *ret_ref)
{
	uint16_t lens[ENTRY_TEXTS] = {0};
	size_t size = sizeof(*head);
	bool cut = false;
	for (uint32_t i = 0; i < n_texts && i < ENTRY_TEXTS; i++) {
		size_t room = ENTRY_MOST - size, len = texts[i].len;
		/* What comes later must not be pushed out by a long one before it. */
		for (uint32_t k = i + 1; k < n_texts && k < ENTRY_TEXTS; k++)
			room -= texts[k].len < LATER_TEXT ? texts[k].len : LATER_TEXT;
		if (len > room) {
			len = room;
			cut = true;
		}
		lens[i] = (uint16_t)len;
		size += len;
	}
	size = (size + 7) & ~(size_t)7;
	uint32_t n = s->block_last;
	if (n == 0 || b->blocks[n - 1].used + size > sizeof(b->blocks[0].data))
		n = take_block(b, s);
	if (n == 0) {
		s->dropped++;
		s->dirty = true;
		return NULL;
	}
	struct block *k = &b->blocks[n - 1];
	struct entry *e = (struct entry *)(void *)(k->data + k->used);
	memcpy(e, head, sizeof(*e));
	e->size = (uint16_t)size;
	e->n_texts = (uint8_t)n_texts;
	e->cut = head->cut || cut;
	e->n = ++s->n_entries;
	memcpy(e->text_len, lens, sizeof(lens));
	char *at = e->text;
	for (uint32_t i = 0; i < n_texts && i < ENTRY_TEXTS; at += lens[i], i++)
		if (lens[i] > 0)
			memcpy(at, texts[i].data, lens[i]);
	if (ret_ref != NULL)
		*ret_ref = n << 12 | k->used;
	k->used += (uint32_t)size;
	s->dirty = true;
	return e;
}

struct entry *entry_at(struct session_book *b, const struct session *s, uint32_t ref)
{
	/* References are kept elsewhere (processes, markers) and die with the session: those ask for it by its
	 * id first, so that a block here is the session's own. */
	uint32_t n = ref >> 12, at = ref & 4095;
	if (n == 0 || n > BLOCKS || s->n_blocks == 0)
		return NULL;
	struct block *k = &b->blocks[n - 1];
	return at < k->used ? (struct entry *)(void *)(k->data + at) : NULL;
}

struct entry *entry_next(struct session_book *b, const struct session *s, uint64_t *at)
{
	uint32_t n = *at == 0 ? s->block_first : (uint32_t)(*at >> 32), off = (uint32_t)*at;
	if (n == 0)
		return NULL;
	if (off >= b->blocks[n - 1].used) {
		n = b->blocks[n - 1].next;
		off = 0;
		if (n == 0)
			return NULL;
	}
	struct entry *e = (struct entry *)(void *)(b->blocks[n - 1].data + off);
	*at = (uint64_t)n << 32 | (off + e->size);
	return e;
}

struct bytes entry_text(const struct entry *e, uint32_t i)
{
	const char *at = e->text;
	if (i >= e->n_texts || i >= ENTRY_TEXTS)
		return (struct bytes){"", 0};
	for (uint32_t k = 0; k < i; k++)
		at += e->text_len[k];
	return (struct bytes){at, e->text_len[i]};
}

void entry_free_all(struct session_book *b, struct session *s)
{
	for (uint32_t n = s->block_first, next; n != 0; n = next) {
		next = b->blocks[n - 1].next;
		b->blocks[n - 1].next = b->free_blocks;
		b->free_blocks = n;
	}
	b->guests[s->guest].blocks -= s->n_blocks;
	s->block_first = s->block_last = s->n_blocks = 0;
}
