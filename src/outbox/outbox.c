/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The outbox as its one writer sees it: the disk, and over it what is not on the disk yet. A commit
 * brings the second to the first; when that fails, both together still are the outbox.
 */
#include "outbox/outbox_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct outbox {
	char path[DBFILE_PATH];
	struct file file;
	struct memory memory;
};

static int open_file(struct outbox *o, bool *ret_damaged)
{
	int err = file_open(&o->file, o->path);
	if (err != SKEP_EFORMAT)
		return err;
	err = dbfile_set_aside(o->path);
	if (err != 0)
		return err;
	*ret_damaged = true;
	return file_open(&o->file, o->path);
}

int outbox_open(const char *dir, struct outbox **ret)
{
	bool damaged = false;
	struct outbox *o = calloc(1, sizeof(*o));
	if (o == NULL)
		return -ENOMEM;
	int err = 0;
	if (snprintf(o->path, sizeof(o->path), "%s/outbox.db", dir) >= (int)sizeof(o->path))
		err = -ENAMETOOLONG;
	if (err == 0)
		err = open_file(o, &damaged);
	/* Whatever it is: alerts from memory are better than none. */
	bool no_disk = err != 0 && err != -ENOMEM && err != -ENAMETOOLONG;
	if (err != 0 && !no_disk) {
		outbox_close(&o);
		return err;
	}
	*ret = o;
	return damaged ? OUTBOX_DAMAGED : no_disk ? OUTBOX_NO_DISK : 0;
}

void outbox_close(struct outbox **o)
{
	if (*o == NULL)
		return;
	file_close(&(*o)->file);
	memory_free(&(*o)->memory);
	free(*o);
	*o = NULL;
}

uint32_t outbox_pending(const struct outbox *o)
{
	const struct memory *m = &o->memory;
	return m->n_items + m->n_marks + m->n_logs + m->n_slots + m->n_values;
}

static int settle(struct outbox *o, int err)
{
	bool damaged = false;
	if (err != SKEP_EFORMAT)
		return err;
	file_close(&o->file);
	if (dbfile_set_aside(o->path) == 0 && open_file(o, &damaged) != 0)
		return -EIO; /* and so it is tried again */
	return err;
}

int outbox_commit(struct outbox *o)
{
	bool damaged = false;
	if (outbox_pending(o) == 0)
		return 0;
	int err = o->file.db.handle == NULL ? open_file(o, &damaged) : 0;
	if (err == 0)
		err = file_save(&o->file, &o->memory);
	if (err != 0)
		return settle(o, err);
	memory_clear(&o->memory);
	return damaged ? SKEP_EFORMAT : 0;
}

int outbox_housekeep(struct outbox *o, int64_t before_ns, uint32_t most)
{
	if (o->file.db.handle == NULL)
		return -EIO;
	return settle(o, file_prune(&o->file, before_ns, most));
}

/* ---- items ------------------------------------------------------------------------------------ */

int outbox_add(struct outbox *o, const struct outbox_item *i, const void *body, size_t len)
{
	return memory_add(&o->memory, i, body, len);
}

/* What waits for it on the disk: the first that is due, and when the next is. */
static int due_on_disk(struct outbox *o, const char *destination, int64_t now_ns, uint64_t *ret,
		       int64_t *next_ns)
{
	sqlite3_stmt *s = o->file.stmts[FILE_DUE];
	int rc, err = SKEP_ENOTFOUND;
	if (o->file.db.handle == NULL)
		return err;
	sqlite3_bind_text(s, 1, destination, -1, SQLITE_STATIC);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		uint64_t number = (uint64_t)sqlite3_column_int64(s, 0);
		int64_t next = sqlite3_column_int64(s, 1);
		const struct memory_mark *m = memory_marked(&o->memory, number);
		if (m != NULL && m->state != OUTBOX_WAITING)
			continue;
		if (m != NULL)
			next = m->next_ns;
		if (next <= now_ns) {
			*ret = number;
			err = 0;
			break;
		}
		if (next < *next_ns)
			*next_ns = next;
	}
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? err : dbfile_error(rc);
}

static int read_one(struct outbox *o, uint64_t number, struct outbox_item *ret, void **ret_body,
		    size_t *ret_len)
{
	sqlite3_stmt *s = o->file.stmts[FILE_ONE];
	sqlite3_bind_int64(s, 1, (sqlite3_int64)number);
	int rc = sqlite3_step(s), err = rc == SQLITE_DONE ? SKEP_ENOTFOUND : dbfile_error(rc);
	if (rc == SQLITE_ROW) {
		const void *body = sqlite3_column_blob(s, 17);
		size_t len = (size_t)sqlite3_column_bytes(s, 17);
		const struct memory_mark *m = memory_marked(&o->memory, number);
		void *copy = malloc(len > 0 ? len : 1);
		file_item(s, ret);
		if (m != NULL) {
			ret->tries += m->tries;
			ret->refused += m->refused;
			ret->next_ns = m->next_ns;
		}
		if (copy != NULL && len > 0)
			memcpy(copy, body, len);
		*ret_body = copy;
		*ret_len = len;
		err = copy == NULL ? -ENOMEM : 0;
	}
	sqlite3_reset(s);
	return err;
}

static const struct memory_item *due_in_memory(struct outbox *o, const char *destination,
					       int64_t now_ns, int64_t *next_ns)
{
	const struct memory_item *best = NULL;
	for (uint32_t i = 0; i < o->memory.n_items; i++) {
		const struct memory_item *m = &o->memory.items[i];
		if (m->item.state != OUTBOX_WAITING ||
		    strcmp(m->item.destination, destination) != 0)
			continue;
		if (m->item.next_ns > now_ns) {
			if (m->item.next_ns < *next_ns)
				*next_ns = m->item.next_ns;
		} else if (best == NULL || memory_before(&m->item, &best->item)) {
			best = m;
		}
	}
	return best;
}

int outbox_due(struct outbox *o, const char *destination, int64_t now_ns, struct outbox_item *ret,
	       void **ret_body, size_t *ret_len, int64_t *ret_next_ns)
{
	struct outbox_item item = {0};
	void *body = NULL;
	size_t len = 0;
	uint64_t number = 0;
	int64_t next = INT64_MAX;
	const struct memory_item *m = due_in_memory(o, destination, now_ns, &next);
	int err = due_on_disk(o, destination, now_ns, &number, &next);
	if (err == 0)
		err = read_one(o, number, &item, &body, &len);
	/* A disk that gives nothing does not silence what is in memory. */
	if (m != NULL && (err != 0 || memory_before(&m->item, &item))) {
		free(body);
		item = m->item;
		len = m->len;
		body = malloc(len > 0 ? len : 1);
		if (body == NULL)
			return -ENOMEM;
		memcpy(body, m->body, len);
		err = 0;
	}
	if (err == SKEP_ENOTFOUND)
		*ret_next_ns = next;
	if (err != 0)
		return err;
	*ret = item;
	*ret_body = body;
	*ret_len = len;
	return 0;
}

int outbox_done(struct outbox *o, uint64_t number, enum outbox_state state, int64_t now_ns,
		const char *answer)
{
	struct memory_item *i = memory_find(&o->memory, number);
	if (i != NULL) {
		i->item.state = (uint8_t)state;
		i->item.done_ns = now_ns;
		i->item.tries++;
		text_copy(i->item.answer, OUTBOX_TEXT, answer);
		return 0;
	}
	struct memory_mark *m = memory_mark(&o->memory, number);
	if (m == NULL)
		return SKEP_EFULL;
	m->state = (uint8_t)state;
	m->done_ns = now_ns;
	m->tries++;
	text_copy(m->answer, OUTBOX_TEXT, answer);
	return 0;
}

int outbox_later(struct outbox *o, uint64_t number, int64_t next_ns, bool refused,
		 const char *answer)
{
	struct memory_item *i = memory_find(&o->memory, number);
	if (i != NULL) {
		i->item.next_ns = next_ns;
		i->item.tries++;
		i->item.refused += refused;
		text_copy(i->item.answer, OUTBOX_TEXT, answer);
		return 0;
	}
	struct memory_mark *m = memory_mark(&o->memory, number);
	if (m == NULL)
		return SKEP_EFULL;
	m->state = OUTBOX_WAITING;
	m->next_ns = next_ns;
	m->tries++;
	m->refused += refused;
	text_copy(m->answer, OUTBOX_TEXT, answer);
	return 0;
}

int outbox_held(struct outbox *o, const struct outbox_log *l)
{
	return memory_log(&o->memory, l);
}

/* ---- all that wait ---------------------------------------------------------------------------- */

static bool is_named(const char *name, const char *const *names, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

int outbox_forsake(struct outbox *o, const char *const *names, uint32_t n, int64_t now_ns,
		   uint32_t *ret_n)
{
	sqlite3_stmt *s = o->file.stmts[FILE_WAITING];
	uint32_t forsaken = 0;
	int rc = SQLITE_DONE, err = 0;
	char name[OUTBOX_NAME];
	while (err == 0 && o->file.db.handle != NULL && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		uint64_t number = (uint64_t)sqlite3_column_int64(s, 0);
		const struct memory_mark *m = memory_marked(&o->memory, number);
		dbfile_text(s, 1, name, sizeof(name));
		if (is_named(name, names, n) || (m != NULL && m->state != OUTBOX_WAITING))
			continue;
		err = outbox_done(o, number, OUTBOX_FAILED, now_ns, "no such destination any more");
		forsaken += err == 0;
	}
	if (s != NULL)
		sqlite3_reset(s);
	if (err == 0)
		err = dbfile_error(rc);
	if (err == 0 || err == SKEP_EFULL)
		*ret_n = forsaken;
	return err;
}

int outbox_waiting(struct outbox *o, uint32_t *ret_n)
{
	sqlite3_stmt *s = o->file.stmts[FILE_WAITING];
	uint32_t n = 0;
	int rc = SQLITE_DONE;
	while (o->file.db.handle != NULL && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		const struct memory_mark *m =
			memory_marked(&o->memory, (uint64_t)sqlite3_column_int64(s, 0));
		n += m == NULL || m->state == OUTBOX_WAITING;
	}
	if (s != NULL)
		sqlite3_reset(s);
	for (uint32_t i = 0; i < o->memory.n_items; i++)
		n += o->memory.items[i].item.state == OUTBOX_WAITING;
	if (dbfile_error(rc) != 0)
		return dbfile_error(rc);
	*ret_n = n;
	return 0;
}

/* ---- the engine's ----------------------------------------------------------------------------- */

int outbox_slot(struct outbox *o, uint64_t slot, const void *data, size_t size)
{
	return memory_slot(&o->memory, slot, data, size);
}

int outbox_slots(struct outbox *o,
		 void (*fn)(void *ctx, uint64_t slot, const void *data, size_t size), void *ctx)
{
	sqlite3_stmt *s = o->file.stmts[FILE_SLOTS];
	int rc = SQLITE_DONE;
	if (o->file.db.handle == NULL)
		return 0;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		fn(ctx, (uint64_t)sqlite3_column_int64(s, 0), sqlite3_column_blob(s, 1),
		   (size_t)sqlite3_column_bytes(s, 1));
	sqlite3_reset(s);
	return dbfile_error(rc);
}

int outbox_set(struct outbox *o, const char *name, uint64_t value)
{
	return memory_set(&o->memory, name, value);
}

int outbox_get(struct outbox *o, const char *name, uint64_t *ret)
{
	sqlite3_stmt *s = o->file.stmts[FILE_GET];
	if (memory_get(&o->memory, name, ret))
		return 0;
	if (o->file.db.handle == NULL)
		return SKEP_ENOTFOUND;
	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	int rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*ret = (uint64_t)sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return rc == SQLITE_DONE ? SKEP_ENOTFOUND : dbfile_error(rc);
}
