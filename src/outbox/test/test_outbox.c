/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The outbox on real files: what a crash at any write leaves, a disk that is full now and has room later,
 * a damaged file, readers beside the writer. A file layer of this test counts SQLite's writes, ends
 * the process at the n-th, or refuses them.
 */
#include "outbox/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

/* ---- the file layer ----------------------------------------------------------------------------- */

struct methods {
	sqlite3_io_methods ours; /* first: SQLite's pointer to it is one to this */
	const sqlite3_io_methods *real;
};

static struct {
	sqlite3_vfs vfs;
	const sqlite3_vfs *own;
	struct methods methods[4];      /* it has some for files with locks and for those without */
	long writes, die_at, full_from; /* full_from: refuse from that write on; 0: never */
} layer;

static bool refused(void)
{
	layer.writes++;
	if (layer.die_at != 0 && layer.writes == layer.die_at)
		_exit(42);
	return layer.full_from != 0 && layer.writes >= layer.full_from;
}

static const sqlite3_io_methods *real_of(const sqlite3_file *f)
{
	return ((const struct methods *)(const void *)f->pMethods)->real;
}

static int layer_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
	return refused() ? SQLITE_FULL : real_of(f)->xWrite(f, data, n, at);
}

static int layer_sync(sqlite3_file *f, int flags)
{
	return refused() ? SQLITE_FULL : real_of(f)->xSync(f, flags);
}

static int layer_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret)
{
	int rc = layer.own->xOpen(vfs, name, f, flags, ret);
	size_t i = 0;
	if (rc != SQLITE_OK || f->pMethods == NULL)
		return rc;
	while (layer.methods[i].real != NULL && layer.methods[i].real != f->pMethods)
		assert_true(++i < ARRAY_LEN(layer.methods));
	layer.methods[i] = (struct methods){*f->pMethods, f->pMethods};
	layer.methods[i].ours.xWrite = layer_write;
	layer.methods[i].ours.xSync = layer_sync;
	f->pMethods = &layer.methods[i].ours;
	return rc;
}

static void layer_install(void)
{
	layer.own = sqlite3_vfs_find(NULL);
	layer.vfs = *layer.own;
	layer.vfs.zName = "layer";
	layer.vfs.pNext = NULL;
	layer.vfs.xOpen = layer_open;
	assert_int_equal(sqlite3_vfs_register(&layer.vfs, 1), SQLITE_OK);
}

/* ---- the rig ------------------------------------------------------------------------------------ */

#define MANY 4200u

struct rig {
	char dir[32];
	struct outbox *o;
};

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	text_copy(r->dir, sizeof(r->dir),
		  access("/dev/shm", W_OK) == 0 ? "/dev/shm/skep-test-XXXXXX"
						: "/tmp/skep-test-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	layer.die_at = layer.full_from = layer.writes = 0;
	assert_int_equal(outbox_open(r->dir, &r->o), 0);
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;
	char command[64];
	layer.die_at = layer.full_from = 0;
	outbox_close(&r->o);
	snprintf(command, sizeof(command), "rm -rf %s", r->dir);
	assert_int_equal(system(command), 0);
	free(r);
	return 0;
}

static void reopen(struct rig *r)
{
	outbox_close(&r->o);
	assert_int_equal(outbox_open(r->dir, &r->o), 0);
}

static struct outbox_item item(uint64_t number, const char *destination, uint8_t weight)
{
	struct outbox_item i = {
		.number = number, .weight = weight, .at_ns = (int64_t)number * 1000};
	text_copy(i.destination, sizeof(i.destination), destination);
	text_copy(i.class, sizeof(i.class), "login");
	text_copy(i.kind, sizeof(i.kind), "first");
	text_copy(i.guest, sizeof(i.guest), "web1");
	text_copy(i.summary, sizeof(i.summary), "somebody logged in");
	assert_int_equal(addr_parse("2001:db8::7", &i.source), 0);
	i.incident = UINT64_MAX - 5;
	return i;
}

static void add(struct outbox *o, uint64_t number, const char *destination, uint8_t weight)
{
	struct outbox_item i = item(number, destination, weight);
	char body[64];
	snprintf(body, sizeof(body), "body of %llu", (unsigned long long)number);
	assert_int_equal(outbox_add(o, &i, body, strlen(body)), 0);
}

/* The number that is due next; 0: none. Its body must be its own. */
static uint64_t due_at(struct outbox *o, const char *destination, int64_t now_ns, int64_t *next_ns)
{
	struct outbox_item i;
	void *body;
	size_t len;
	char text[64];
	int err = outbox_due(o, destination, now_ns, &i, &body, &len, next_ns);
	if (err == SKEP_ENOTFOUND)
		return 0;
	assert_int_equal(err, 0);
	snprintf(text, sizeof(text), "body of %llu", (unsigned long long)i.number);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(body, text, len);
	assert_string_equal(i.destination, destination);
	free(body);
	return i.number;
}

static uint64_t due(struct outbox *o, const char *destination)
{
	int64_t next;
	return due_at(o, destination, INT64_MAX - 1, &next);
}

static uint32_t waiting(struct outbox *o)
{
	uint32_t n = 12345;
	assert_int_equal(outbox_waiting(o, &n), 0);
	return n;
}

/* ---- tests -------------------------------------------------------------------------------------- */

static void the_heaviest_goes_first_then_the_oldest(void **state)
{
	struct rig *r = *state;
	for (int round = 0; round < 2; round++) { /* from memory, from the disk */
		if (round == 0) {
			struct outbox_item escape = item(40, "mail", 1);
			add(r->o, 11, "mail", 3);
			add(r->o, 12, "mail", 7);
			add(r->o, 10, "mail", 7);
			add(r->o, 9, "pager", 9);
			escape.bypass = 1;
			assert_int_equal(outbox_add(r->o, &escape, "body of 40", 10), 0);
		}
		assert_int_equal(waiting(r->o), 5);
		assert_int_equal(due(r->o, "mail"), 40);
		assert_int_equal(due(r->o, "pager"), 9);
		assert_int_equal(due(r->o, "nobody"), 0);
		assert_int_equal(outbox_commit(r->o), 0);
		assert_int_equal(outbox_pending(r->o), 0);
		reopen(r);
	}
	static const uint64_t order[] = {40, 10, 12, 11, 0};
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		assert_int_equal(due(r->o, "mail"), order[i]);
		if (order[i] != 0)
			assert_int_equal(outbox_done(r->o, order[i], OUTBOX_SENT, 5, "250 ok"), 0);
		if (i == 1) { /* some of the marks in memory, some on the disk */
			assert_int_equal(outbox_commit(r->o), 0);
			reopen(r);
		}
	}
	assert_int_equal(waiting(r->o), 1);
}

static void what_failed_waits_until_its_time(void **state)
{
	struct rig *r = *state;
	int64_t next = 0;
	add(r->o, 1, "mail", 5);
	add(r->o, 2, "mail", 4);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(outbox_later(r->o, 1, 9000, round == 1, "451 greylisted"), 0);
		assert_int_equal(outbox_later(r->o, 2, 8000, false, "busy"), 0);
		assert_int_equal(due_at(r->o, "mail", 7999, &next), 0);
		assert_int_equal(next, 8000);
		assert_int_equal(due_at(r->o, "mail", 8000, &next), 2);
		assert_int_equal(due_at(r->o, "mail", 9000, &next), 1);
		assert_int_equal(outbox_commit(r->o), 0);
		assert_int_equal(due_at(r->o, "mail", 7999, &next), 0);
		assert_int_equal(next, 8000);
	}
	struct outbox_item i;
	void *body;
	size_t len;
	assert_int_equal(outbox_due(r->o, "mail", 9000, &i, &body, &len, &next), 0);
	free(body);
	assert_int_equal(i.tries, 2);
	assert_int_equal(i.refused, 1);
	assert_string_equal(i.answer, "451 greylisted");
	assert_true(i.incident == UINT64_MAX - 5);
	assert_int_equal(i.source.ver, 6);
}

static void what_was_not_committed_never_was(void **state)
{
	struct rig *r = *state;
	uint64_t v = 0;
	add(r->o, 1, "mail", 5);
	assert_int_equal(outbox_set(r->o, "event", 1), 0);
	assert_int_equal(outbox_commit(r->o), 0);
	add(r->o, 2, "mail", 9);
	assert_int_equal(outbox_set(r->o, "event", UINT64_MAX), 0);
	assert_int_equal(outbox_get(r->o, "event", &v), 0);
	assert_true(v == UINT64_MAX);
	reopen(r);
	assert_int_equal(outbox_get(r->o, "event", &v), 0);
	assert_int_equal(v, 1);
	assert_int_equal(outbox_get(r->o, "beat", &v), SKEP_ENOTFOUND);
	assert_int_equal(due(r->o, "mail"), 1);
}

struct lines {
	uint32_t n, sum;
	struct outbox_log last;
};

static bool on_line(void *ctx, const struct outbox_log *l)
{
	struct lines *all = ctx;
	all->n++;
	all->sum += l->n;
	all->last = *l;
	return true;
}

static void lines_of_one_key_and_minute_add_up(void **state)
{
	struct rig *r = *state;
	struct outbox_log l = {.at_ns = 1000 * 60 * NS_PER_SEC, .n = 3, .incident = 7};
	text_copy(l.destination, sizeof(l.destination), "pager");
	text_copy(l.class, sizeof(l.class), "inbound");
	text_copy(l.why, sizeof(l.why), "window");
	struct lines all = {0};
	for (int i = 0; i < 4; i++) {
		l.at_ns += NS_PER_SEC;
		assert_int_equal(outbox_held(r->o, &l), 0);
		if (i == 1)
			assert_int_equal(outbox_commit(r->o), 0);
	}
	l.source = addr_from_v4("\xc6\x33\x64\x07");
	assert_int_equal(outbox_held(r->o, &l), 0);
	l.at_ns += 60 * NS_PER_SEC;
	assert_int_equal(outbox_held(r->o, &l), 0);
	assert_int_equal(outbox_commit(r->o), 0);
	assert_int_equal(outbox_logs(r->dir, 0, on_line, &all), 0);
	assert_int_equal(all.n, 3);
	assert_int_equal(all.sum, 18);
	assert_string_equal(all.last.why, "window");
	assert_int_equal(all.last.source.ver, 4);
	all = (struct lines){0};
	assert_int_equal(outbox_logs(r->dir, l.at_ns, on_line, &all), 0);
	assert_int_equal(all.n, 1);
}

struct slots {
	uint32_t n;
	uint64_t sum;
	char last[32];
};

static void on_slot(void *ctx, uint64_t slot, const void *data, size_t size)
{
	struct slots *all = ctx;
	all->n++;
	all->sum += slot;
	assert_true(size < sizeof(all->last));
	memcpy(all->last, data, size);
	all->last[size] = '\0';
}

static void slots_keep_their_last_word(void **state)
{
	struct rig *r = *state;
	struct slots all = {0};
	assert_int_equal(outbox_slot(r->o, 1, "old", 3), 0);
	assert_int_equal(outbox_slot(r->o, 2, "gone", 4), 0);
	assert_int_equal(outbox_slot(r->o, 1, "newer", 5), 0);
	assert_int_equal(outbox_commit(r->o), 0);
	assert_int_equal(outbox_slot(r->o, 2, NULL, 0), 0);
	assert_int_equal(outbox_slot(r->o, UINT64_MAX, "ours", 4), 0);
	assert_int_equal(outbox_commit(r->o), 0);
	reopen(r);
	assert_int_equal(outbox_slots(r->o, on_slot, &all), 0);
	assert_int_equal(all.n, 2);
	assert_true(all.sum == 0); /* 1 + UINT64_MAX */
	assert_string_equal(all.last, "newer");
}

struct found {
	uint32_t n, states[4];
	uint64_t last, unordered;
};

static bool on_item(void *ctx, const struct outbox_item *i)
{
	struct found *f = ctx;
	f->n++;
	f->states[i->state]++;
	f->unordered += i->number <= f->last;
	f->last = i->number;
	return true;
}

static struct found items(struct rig *r)
{
	struct found f = {0};
	assert_int_equal(outbox_items(r->dir, 0, on_item, &f), 0);
	return f;
}

static void others_read_while_it_is_written(void **state)
{
	struct rig *r = *state;
	struct outbox_item i;
	void *body;
	size_t len;
	struct found f;
	assert_int_equal(outbox_items("/tmp/skep-no-such-folder", 0, on_item, &f), -ENOENT);
	assert_int_equal(items(r).n, 0);
	add(r->o, 1, "mail", 5);
	add(r->o, 2, "mail", 5);
	assert_int_equal(items(r).n, 0);
	assert_int_equal(outbox_commit(r->o), 0);
	assert_int_equal(outbox_done(r->o, 1, OUTBOX_SENT, 77, "250"), 0);
	assert_int_equal(items(r).states[OUTBOX_WAITING], 2);
	assert_int_equal(outbox_commit(r->o), 0);
	f = items(r);
	assert_int_equal(f.states[OUTBOX_SENT], 1);
	assert_int_equal(f.states[OUTBOX_WAITING], 1);
	assert_int_equal(f.unordered, 0);
	assert_int_equal(outbox_body(r->dir, 1, &i, &body, &len), 0);
	assert_int_equal(len, strlen("body of 1"));
	assert_memory_equal(body, "body of 1", len);
	free(body);
	assert_int_equal(i.done_ns, 77);
	assert_int_equal(outbox_body(r->dir, 3, &i, &body, &len), SKEP_ENOTFOUND);
	outbox_close(&r->o); /* and when nobody writes any more */
	assert_int_equal(items(r).n, 2);
	assert_int_equal(outbox_open(r->dir, &r->o), 0);
}

static void old_entries_go_and_what_waits_stays(void **state)
{
	struct rig *r = *state;
	struct outbox_log l = {.n = 1};
	for (uint64_t n = 1; n <= 40; n++) {
		add(r->o, n, "mail", 5);
		if (n > 10)
			assert_int_equal(outbox_done(r->o, n, OUTBOX_SENT, 1, ""), 0);
		l.at_ns = (int64_t)n * 60 * NS_PER_SEC;
		assert_int_equal(outbox_held(r->o, &l), 0);
	}
	assert_int_equal(outbox_commit(r->o), 0);
	assert_int_equal(outbox_housekeep(r->o, 20 * 1000, 1000), 0);
	struct found f = items(r);
	assert_int_equal(f.states[OUTBOX_WAITING], 10);
	assert_int_equal(f.states[OUTBOX_SENT], 21);
	assert_int_equal(outbox_housekeep(r->o, 0, 15), 0);
	f = items(r);
	assert_int_equal(f.states[OUTBOX_WAITING], 10);
	assert_int_equal(f.states[OUTBOX_SENT], 5);
	assert_int_equal(f.last, 40);
	assert_int_equal(outbox_housekeep(r->o, 31 * 60 * NS_PER_SEC, 15), 0);
	struct lines all = {0};
	assert_int_equal(outbox_logs(r->dir, 0, on_line, &all), 0);
	assert_int_equal(all.n, 10);
}

static void what_waits_for_nobody_fails(void **state)
{
	struct rig *r = *state;
	const char *const names[] = {"mail"};
	uint32_t n = 0;
	add(r->o, 1, "mail", 5);
	add(r->o, 2, "fax", 5);
	add(r->o, 3, "fax", 5);
	assert_int_equal(outbox_commit(r->o), 0);
	assert_int_equal(outbox_forsake(r->o, names, 1, 4711, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(outbox_forsake(r->o, names, 1, 4711, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(outbox_commit(r->o), 0);
	assert_int_equal(waiting(r->o), 1);
	assert_int_equal(items(r).states[OUTBOX_FAILED], 2);
}

/* More than one commit holds: some go, the rest after it. */
static void many_that_wait_for_nobody_fail_in_parts(void **state)
{
	struct rig *r = *state;
	const char *const names[] = {"mail"};
	uint32_t n = 0, all = 0;
	for (uint64_t k = 1; k <= MANY; k++) {
		add(r->o, k, "fax", 5);
		if (k % OUTBOX_MEMORY == 0)
			assert_int_equal(outbox_commit(r->o), 0);
	}
	assert_int_equal(outbox_commit(r->o), 0);
	assert_int_equal(outbox_forsake(r->o, names, 1, 4711, &n), SKEP_EFULL);
	assert_in_range(n, 1, MANY - 1);
	assert_int_equal(outbox_commit(r->o), 0);
	all = n;
	assert_int_equal(outbox_forsake(r->o, names, 1, 4711, &n), 0);
	assert_int_equal(all + n, MANY);
	assert_int_equal(outbox_commit(r->o), 0);
	assert_int_equal(waiting(r->o), 0);
	assert_int_equal(items(r).states[OUTBOX_FAILED], MANY);
}

static void a_damaged_file_is_moved_aside(void **state)
{
	struct rig *r = *state;
	char path[64];
	snprintf(path, sizeof(path), "%s/outbox.db", r->dir);
	add(r->o, 1, "mail", 5);
	assert_int_equal(outbox_commit(r->o), 0);
	outbox_close(&r->o);
	int fd = open(path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(write(fd, "rubbish ", 8), 8);
	close(fd);
	assert_int_equal(outbox_open(r->dir, &r->o), OUTBOX_DAMAGED);
	assert_int_equal(waiting(r->o), 0);
	add(r->o, 2, "mail", 5);
	assert_int_equal(outbox_commit(r->o), 0);
	snprintf(path, sizeof(path), "%s/outbox.db.damaged", r->dir);
	assert_int_equal(access(path, F_OK), 0);
}

/* One step of the workload: an item, what became of the one before, the slot and the number that go with
 * it. */
static void work(struct outbox *o, uint64_t k)
{
	add(o, k, "mail", 5);
	if (k > 1)
		assert_int_equal(outbox_done(o, k - 1, OUTBOX_SENT, 1, "250"), 0);
	char text[24];
	snprintf(text, sizeof(text), "%llu", (unsigned long long)k);
	assert_int_equal(outbox_slot(o, 1, text, strlen(text)), 0);
	assert_int_equal(outbox_set(o, "event", k), 0);
}

#define STEPS 12u

/* All of a step is there, or nothing: returns how many are. */
static uint64_t check_steps(struct outbox *o, const char *dir)
{
	uint64_t event = 0;
	struct slots slots = {0};
	struct found f = {0};
	int err = outbox_get(o, "event", &event);
	assert_true(err == 0 || err == SKEP_ENOTFOUND);
	assert_int_equal(outbox_slots(o, on_slot, &slots), 0);
	err = outbox_items(dir, 0, on_item, &f);
	assert_true(err == 0 || err == -ENOENT);
	assert_int_equal(f.n, event);
	assert_int_equal(f.last, event);
	assert_int_equal(f.states[OUTBOX_WAITING], event > 0);
	assert_int_equal(strtoull(slots.last, NULL, 10), event);
	return event;
}

static void a_crash_at_any_write_leaves_whole_steps(void **state)
{
	struct rig *r = *state;
	char command[64];
	long died = 0;
	for (long at = 1;; at++) {
		outbox_close(&r->o);
		snprintf(command, sizeof(command), "rm -f %s/*", r->dir);
		assert_int_equal(system(command), 0);
		int told[2], status = 0;
		uint64_t committed = 0, one;
		assert_int_equal(pipe(told), 0);
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			layer.writes = 0;
			layer.die_at = at;
			if (outbox_open(r->dir, &r->o) != 0)
				_exit(1);
			for (uint64_t k = 1; k <= STEPS; k++) {
				work(r->o, k);
				if (outbox_commit(r->o) != 0 ||
				    write(told[1], &k, sizeof(k)) != sizeof(k))
					_exit(1);
			}
			_exit(0); /* without a close: that too is a crash */
		}
		close(told[1]);
		while (read(told[0], &one, sizeof(one)) == sizeof(one))
			committed = one;
		close(told[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(outbox_open(r->dir, &r->o), 0);
		uint64_t have = check_steps(r->o, r->dir);
		/* What was told as safe is there; one more may be. */
		assert_true(have == committed || have == committed + 1);
		if (WEXITSTATUS(status) == 0)
			break;
		assert_int_equal(WEXITSTATUS(status), 42);
		died++;
	}
	assert_true(died > 40);
}

static void a_full_disk_keeps_all_in_memory_and_delivers_it(void **state)
{
	struct rig *r = *state;
	work(r->o, 1);
	assert_int_equal(outbox_commit(r->o), 0);
	/* Refused at each write that a commit makes, in turn, and then for some commits. */
	for (uint64_t k = 2; k < 14; k++) {
		layer.writes = 0;
		layer.full_from = 1 + (long)k % 4;
		work(r->o, k);
		int err = outbox_commit(r->o);
		if (err != 0) {
			assert_int_equal(err, -ENOSPC);
			assert_true(outbox_pending(r->o) > 0);
		}
		assert_int_equal(due(r->o, "mail"), k);
		assert_int_equal(waiting(r->o), 1);
		if (k % 3 == 0) {
			layer.full_from = 0;
			assert_int_equal(outbox_commit(r->o), 0);
			reopen(r);
			assert_int_equal(check_steps(r->o, r->dir), k);
		}
	}
	layer.full_from = 0;
	assert_int_equal(outbox_commit(r->o), 0);
	assert_int_equal(check_steps(r->o, r->dir), 13);
}

static void memory_is_bounded_and_the_lightest_go_first(void **state)
{
	struct rig *r = *state;
	layer.full_from = 1;
	layer.writes = 0;
	uint32_t full = 0;
	for (uint64_t n = 1; n <= OUTBOX_MEMORY + 100; n++) {
		struct outbox_item i = item(n, n % 2 ? "mail" : "pager", n <= 50 ? 9 : 3);
		i.bypass = n == OUTBOX_MEMORY + 60;
		int err = outbox_add(r->o, &i, "x", 1);
		assert_true(err == 0 || err == SKEP_EFULL);
		full += err == SKEP_EFULL;
		if (n % 50 == 0)
			assert_int_equal(outbox_commit(r->o), -ENOSPC);
	}
	assert_int_equal(full, 100);
	assert_int_equal(waiting(r->o), OUTBOX_MEMORY);
	layer.full_from = 0;
	assert_int_equal(outbox_commit(r->o), 0);
	struct found f = items(r);
	assert_int_equal(f.n, OUTBOX_MEMORY);
	assert_int_equal(f.last, OUTBOX_MEMORY + 60);
}

/* A real one: a small tmpfs that is filled up, in a mount namespace of this process. */
static void on_a_full_disk(const char *dir)
{
	struct outbox *o;
	char path[64], block[4096];
	memset(block, 'x', sizeof(block));
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", dir, "tmpfs", 0, "size=512k") != 0)
		_exit(77);
	layer.die_at = layer.full_from = 0;
	snprintf(path, sizeof(path), "%s/filler", dir);
	assert_int_equal(outbox_open(dir, &o), 0);
	work(o, 1);
	assert_int_equal(outbox_commit(o), 0);
	for (uint64_t round = 0, k = 2; round < 2; round++) {
		int fd = open(path, O_WRONLY | O_CREAT, 0600), err = 0;
		while (write(fd, block, sizeof(block)) > 0)
			;
		close(fd);
		for (uint64_t end = k + 80; k < end && err == 0; k++) {
			work(o, k);
			err = outbox_commit(o);
		}
		assert_int_equal(err, -ENOSPC);
		assert_int_equal(due(o, "mail"), k - 1);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(outbox_commit(o), 0);
		assert_int_equal(due(o, "mail"), k - 1);
	}
	/* Begun on a full disk: it serves from memory. */
	outbox_close(&o);
	snprintf(path, sizeof(path), "rm -f %s/*", dir);
	assert_int_equal(system(path), 0);
	snprintf(path, sizeof(path), "%s/filler", dir);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
	assert_int_equal(outbox_open(dir, &o), OUTBOX_NO_DISK);
	work(o, 1);
	assert_true(outbox_commit(o) != 0);
	assert_int_equal(due(o, "mail"), 1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(outbox_commit(o), 0);
	assert_int_equal(check_steps(o, dir), 1);
	outbox_close(&o);
	/* Begun on a disk that nobody may write to. */
	assert_int_equal(mount("none", dir, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(outbox_open(dir, &o), OUTBOX_NO_DISK);
	work(o, 2);
	assert_true(outbox_commit(o) != 0);
	assert_int_equal(due(o, "mail"), 2);
	assert_int_equal(mount("none", dir, NULL, MS_REMOUNT, NULL), 0);
	assert_int_equal(outbox_commit(o), 0);
	assert_int_equal(check_steps(o, dir), 2);
	outbox_close(&o);
}

static void a_real_full_disk_too(void **state)
{
	struct rig *r = *state;
	int status = 0;
	if (geteuid() != 0)
		skip();
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		on_a_full_disk(r->dir);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define RIGGED(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIGGED(the_heaviest_goes_first_then_the_oldest),
		RIGGED(what_failed_waits_until_its_time),
		RIGGED(what_was_not_committed_never_was),
		RIGGED(lines_of_one_key_and_minute_add_up),
		RIGGED(slots_keep_their_last_word),
		RIGGED(others_read_while_it_is_written),
		RIGGED(old_entries_go_and_what_waits_stays),
		RIGGED(what_waits_for_nobody_fails),
		RIGGED(many_that_wait_for_nobody_fail_in_parts),
		RIGGED(a_damaged_file_is_moved_aside),
		RIGGED(a_crash_at_any_write_leaves_whole_steps),
		RIGGED(a_full_disk_keeps_all_in_memory_and_delivers_it),
		RIGGED(memory_is_bounded_and_the_lightest_go_first),
		RIGGED(a_real_full_disk_too),
	};
	layer_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
