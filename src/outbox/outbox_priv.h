/* SPDX-License-Identifier: BSD-2-Clause */
/* outbox, inside: what its files share. Included only in this folder. */
#ifndef SKEP_OUTBOX_PRIV_H
#define SKEP_OUTBOX_PRIV_H

#include "dbfile/dbfile.h"
#include "outbox/outbox.h"

/* ---- memory.c: what is not on the disk yet ------------------------------------------------------- */

struct memory_item {
	struct outbox_item item;
	void *body; /* owned */
	size_t len;
};
/* A change of an item that is on the disk. */
struct memory_mark {
	uint64_t number;
	uint32_t tries, refused; /* to be added */
	uint8_t state;
	int64_t next_ns, done_ns;
	char answer[OUTBOX_TEXT];
};
struct memory_slot {
	uint64_t slot;
	void *data; /* owned; NULL: it is empty now */
	size_t size;
};
struct memory_value {
	char name[OUTBOX_NAME];
	uint64_t value;
};
#define MEMORY_MARKS 4096u
#define MEMORY_LOGS 4096u
#define MEMORY_SLOTS (64u << 10)
#define MEMORY_VALUES 8u
struct memory {
	uint32_t n_items, n_marks, n_logs, n_slots, n_values;
	uint32_t room_marks, room_logs, room_slots;
	struct memory_item items[OUTBOX_MEMORY];
	struct memory_mark *marks;
	struct outbox_log *logs;
	struct memory_slot *slots;
	struct memory_value values[MEMORY_VALUES];
};

/* SKEP_EFULL: one item, this or a lighter one, had to go. */
MUST_USE int memory_add(struct memory *m, const struct outbox_item *i, const void *body,
			size_t len);
struct memory_item *memory_find(struct memory *m, uint64_t number);
/* The change of an item on the disk, if there is one; memory_mark makes it. NULL: no memory. */
struct memory_mark *memory_marked(struct memory *m, uint64_t number);
struct memory_mark *memory_mark(struct memory *m, uint64_t number);
MUST_USE int memory_log(struct memory *m, const struct outbox_log *l);
MUST_USE int memory_slot(struct memory *m, uint64_t slot, const void *data, size_t size);
MUST_USE int memory_set(struct memory *m, const char *name, uint64_t value);
bool memory_get(const struct memory *m, const char *name, uint64_t *ret);
void memory_clear(struct memory *m);
void memory_free(struct memory *m);
/* Does a go before b: what is never held back, then what weighs more, then what is older? */
bool memory_before(const struct outbox_item *a, const struct outbox_item *b);

/* ---- file.c: the disk ---------------------------------------------------------------------------- */

/* clang-format off */
enum file_stmt { FILE_ADD, FILE_MARK, FILE_LOG, FILE_SLOT, FILE_SLOT_GONE, FILE_SET, FILE_GET, FILE_DUE, FILE_ONE,
		 FILE_WAITING, FILE_SLOTS, FILE_STMTS };
/* clang-format on */
struct file {
	struct dbfile db; /* handle NULL: it is not open */
	sqlite3_stmt *stmts[FILE_STMTS];
};
MUST_USE int file_open(struct file *f, const char *path);
void file_close(struct file *f);
/* All that is in memory, as one. */
MUST_USE int file_save(struct file *f, const struct memory *m);
/* Some old entries go, as one. */
MUST_USE int file_prune(struct file *f, int64_t before_ns, uint32_t most);
/* Columns of file_item_columns, from the first. */
extern const char file_item_columns[];
void file_item(sqlite3_stmt *s, struct outbox_item *ret);

#endif
