/* SPDX-License-Identifier: BSD-2-Clause */
/* session, inside: what a record lists, in blocks of bounded number (entry.c). A part of session_priv.h. */
#ifndef SKEP_SESSION_ENTRY_PRIV_H
#define SKEP_SESSION_ENTRY_PRIV_H

#include "base/base.h"

struct session;
struct session_book;

#define BLOCK_BYTES 4096u
#define BLOCKS 8192u    /* for what records list; each guest has its share */
#define BLOCKS_EACH 64u /* of one session */

enum entry_kind {
	ENTRY_NONE,
	ENTRY_COMMAND,
	ENTRY_LOGIN,
	ENTRY_FILE,
	ENTRY_SECRET,
	ENTRY_ACTIVITY
};
#define ENTRY_TEXTS 4
struct entry {
	uint16_t size; /* all of it, a multiple of 8 */
	uint8_t kind, layer;
	uint8_t cut, flags, n_texts;
	int8_t ok;
	uint32_t n,
		of; /* its number in the session from 1; of: the typed line it belongs to, or 0 */
	int64_t time_ns;
	uint32_t pid, ppid, uid, seq;
	int32_t tty, status; /* tty -1: none; status: only with ENTRY_ENDED */
	uint64_t bytes;
	struct addr addr;
	uint16_t port, text_len[ENTRY_TEXTS];
	char text[]; /* the texts, one behind the other */
};
#define ENTRY_ENDED 1u
#define ENTRY_KNOWN 2u /* a file seen before */
#define ENTRY_OWN 4u   /* a command that the service ran by itself */
#define ENTRY_MOST (BLOCK_BYTES - 16u)
struct bytes {
	const char *data;
	size_t len;
};
struct block {
	uint32_t next, used;
	uint8_t data[BLOCK_BYTES - 8];
};

/* Adds one (head's sizes are set here; texts are cut to fit); NULL: no room, counted. */
struct entry *entry_add(struct session_book *b, struct session *s, const struct entry *head,
			const struct bytes *texts, uint32_t n_texts, uint32_t *ret_ref);
struct entry *entry_at(struct session_book *b, const struct session *s, uint32_t ref);
/* All of them, in order: start with *at 0; NULL: no more. */
struct entry *entry_next(struct session_book *b, const struct session *s, uint64_t *at);
struct bytes entry_text(const struct entry *e, uint32_t i);
void entry_free_all(struct session_book *b, struct session *s);

#endif
