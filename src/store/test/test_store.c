/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/store.h"
#include "store/store_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define DAY_NS (86400 * NS_PER_SEC)
#define OTHER_UID 61235

struct box {
	char dir[32];
	struct store *s;
	uint64_t id;
	int64_t now;
};

static int set_up(void **state)
{
	struct box *b = calloc(1, sizeof(*b));
	assert_non_null(b);
	text_copy(b->dir, sizeof(b->dir), "/tmp/skep-test-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	b->now = clock_wall_ns();
	b->id = 1000;
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct box *b = *state;
	char command[64];
	store_close(&b->s);
	snprintf(command, sizeof(command), "rm -rf %s", b->dir);
	assert_int_equal(system(command), 0);
	free(b);
	return 0;
}

static void open_store(struct box *b, uint32_t days, uint64_t bytes)
{
	assert_int_equal(store_open(b->dir, "test", days, bytes, &b->s), 0);
}

static const char *path_of(const struct box *b, const char *fmt, uint32_t day)
{
	static char path[2][128];
	static int turn;
	char name[64];
	turn = !turn;
	snprintf(name, sizeof(name), fmt, day);
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", b->dir, name);
	return path[turn];
}

static off_t size_of(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? st.st_size : -1;
}

static struct event make(struct box *b, enum event_kind kind, const char *guest, uint64_t flow_id)
{
	struct event e = event_new(kind);
	struct event_tuple *t = event_tuple_of(&e);
	e.id = ++b->id;
	e.time_ns = b->now;
	e.flow_id = flow_id;
	e.direction = DIR_INBOUND;
	if (t == NULL)
		return e;
	t->proto = 6;
	t->sport = t->in_sport = 40000;
	t->dport = t->in_dport = 22;
	t->src = t->in_src = addr_from_v4("\xc6\x33\x64\x42");
	t->dst = addr_from_v4("\xcb\x00\x71\x0a");
	t->in_dst = addr_from_v4("\x0a\x63\x00\x0a");
	text_copy(t->guest, EVENT_NAME, guest);
	text_copy(t->community_id, EVENT_NAME, "1:wCb3OG7yAFWelaUydu0D+125CLM=");
	text_copy(t->inside_community_id, EVENT_NAME, "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
	return e;
}

struct found {
	unsigned n;
	uint64_t ids[64];
	char json[64][64];
};

static bool on_row(void *ctx, uint64_t id, int64_t time_ns, const char *json)
{
	struct found *f = ctx;
	assert_true(time_ns > 0);
	assert_true(json[0] == '{');
	if (f->n < ARRAY_LEN(f->ids))
		f->ids[f->n] = id;
	f->n++;
	return true;
}

static struct found ask(const struct box *b, struct store_query q)
{
	struct found f = {0};
	assert_int_equal(store_search(b->dir, &q, on_row, &f), 0);
	return f;
}
#define ASK(b, ...) ask(b, (struct store_query){__VA_ARGS__})

static void every_filter_finds_what_it_says(void **state)
{
	struct box *b = *state;
	struct event e[6];
	open_store(b, 30, 0);
	e[0] = make(b, EVENT_CONNECTION, "web1", 1);
	e[1] = make(b, EVENT_CONNECTION, "web2", 2);
	e[1].direction = DIR_OUTBOUND;
	e[1].verdict = VERDICT_LIMIT;
	e[1].u.connection.tuple.proto = 17;
	e[1].u.connection.tuple.in_src = addr_from_v4("\x0a\x63\x00\x63");
	e[2] = make(b, EVENT_FLOW, "web1", 1);
	e[2].u.flow.start_ns = b->now - 60 * NS_PER_SEC;
	e[3] = make(b, EVENT_HEALTH, "", 0);
	e[4] = make(b, EVENT_CONNECTION, "web1", 3);
	e[4].incident = 77;
	e[4].direction = DIR_LATERAL;
	e[4].time_ns += 5 * NS_PER_SEC;
	text_copy(e[4].u.connection.tuple.peer_guest, EVENT_NAME, "web3");
	e[5] = make(b, EVENT_CONNECTION, "web1", 4);
	e[5].u.connection.tuple.proto = 1; /* type 8: not a port */
	e[5].u.connection.tuple.sport = 8;
	assert_int_equal(store_add(b->s, e, 6), 0);
	assert_int_equal(ASK(b, .kind = NULL).n, 6);
	assert_int_equal(ASK(b, .kind = "connection").n, 4);
	assert_int_equal(ASK(b, .direction = "OUTBOUND").ids[0], e[1].id);
	assert_int_equal(ASK(b, .verdict = "limit").n, 1);
	assert_int_equal(ASK(b, .verdict = "forward").n, 3); /* nobody judged health and flow */
	assert_int_equal(ASK(b, .proto = "udp").n, 1);
	assert_int_equal(ASK(b, .guest = "web2").n, 1);
	assert_int_equal(ASK(b, .guest = "web3").ids[0], e[4].id);
	assert_int_equal(ASK(b, .flow_id = 1).n, 2);
	assert_int_equal(ASK(b, .incident = 77).n, 1);
	assert_int_equal(ASK(b, .after_id = e[3].id).n, 2);
	assert_int_equal(ASK(b, .net_port = 22).n, 4);
	assert_int_equal(ASK(b, .net_port = 8).n, 0);
	assert_int_equal(ASK(b, .addr = addr_from_v4("\xcb\x00\x71\x0a")).n, 5);
	assert_int_equal(ASK(b, .addr = addr_from_v4("\x0a\x63\x00\x63")).n, 1);
	assert_int_equal(ASK(b, .addr = addr_from_v4("\x0a\x63\x00\x64")).n, 0);
	assert_int_equal(ASK(b, .community_id = "1:d/FP5EW3wiY1vCndhwleRRKHowQ=").n, 5);
	assert_int_equal(ASK(b, .community_id = "1:x' OR 1=1 --").n, 0);
	assert_int_equal(ASK(b, .from_ns = b->now + NS_PER_SEC).n, 1);
	assert_int_equal(ASK(b, .to_ns = b->now + NS_PER_SEC).n, 5);
	struct found f = ASK(b, .limit = 2, .newest_first = true);
	assert_int_equal(f.n, 2);
	assert_int_equal(f.ids[0], e[5].id);
	assert_int_equal(f.ids[1], e[4].id);
}

static void flows_and_counts_are_read_back(void **state)
{
	struct box *b = *state;
	struct event e[3];
	struct event_tuple t[4];
	struct store_count c[8];
	size_t n = 0;
	int64_t from = 0, to = 0;
	open_store(b, 30, 0);
	e[0] = make(b, EVENT_CONNECTION, "web1", 1);
	e[1] = make(b, EVENT_FLOW, "web1", 1);
	e[1].u.flow.start_ns = b->now - 60 * NS_PER_SEC;
	e[2] = make(b, EVENT_CONNECTION, "web1", 2);
	assert_int_equal(store_add(b->s, e, 3), 0);
	const struct store_query q = {.flow_id = 1};
	assert_int_equal(store_flow_tuples(b->dir, &q, t, 4, &n, &from, &to), 0);
	assert_int_equal(n, 1); /* said twice, one conversation */
	assert_true(addr_eq(&t[0].in_dst, &e[0].u.connection.tuple.in_dst));
	assert_true(addr_eq(&t[0].in_src, &e[0].u.connection.tuple.src));
	assert_int_equal(t[0].dport, 22);
	assert_string_equal(t[0].inside_community_id, "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
	assert_true(from == b->now - 60 * NS_PER_SEC);
	assert_true(to == b->now);
	assert_int_equal(store_counts(b->dir, b->now - DAY_NS, c, 8, &n), 0);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(c[i].n, strcmp(c[i].kind, "flow") == 0 ? 1 : 2);
	assert_int_equal(store_counts(b->dir, b->now + 120 * NS_PER_SEC, c, 8, &n), 0);
	assert_int_equal(n, 0);
}

static void a_new_day_has_files_of_its_own(void **state)
{
	struct box *b = *state;
	uint32_t today = store_day_of(b->now), dropped = 0;
	open_store(b, 2, 0);
	struct event e = make(b, EVENT_CONNECTION, "web1", 1), f = make(b, EVENT_STATS, "", 0);
	assert_int_equal(store_add(b->s, &e, 1), 0);
	assert_int_equal(store_add(b->s, &f, 1), 0);
	b->now += DAY_NS;
	e = make(b, EVENT_CONNECTION, "web1", 2);
	assert_int_equal(store_add(b->s, &e, 1), 0);
	assert_true(size_of(path_of(b, "skep-%08u.json", today)) > 0);
	assert_true(size_of(path_of(b, "eve-%08u.json", today)) > 0);
	assert_true(size_of(path_of(b, "eve.json", 0)) == 0);
	b->now -= DAY_NS; /* late: to the day that is open */
	e = make(b, EVENT_CONNECTION, "web1", 3);
	assert_int_equal(store_add(b->s, &e, 1), 0);
	assert_int_equal(ASK(b, .kind = "connection").n, 3);
	assert_int_equal(ASK(b, .from_ns = b->now - 1, .to_ns = b->now + 1).n, 3);
	assert_int_equal(ASK(b, .newest_first = true, .limit = 1).ids[0], e.id);
	/* keep_days 2: today and yesterday */
	assert_int_equal(store_housekeep(b->s, b->now + 2 * DAY_NS, &dropped), 0);
	assert_int_equal(dropped, 1);
	assert_int_equal(size_of(path_of(b, "skep-%08u.json", today)), -1);
	assert_int_equal(size_of(path_of(b, "events-%08u.db", today)), -1);
	assert_int_equal(ASK(b, .kind = "connection").n, 2);
}

static void a_restart_after_midnight_keeps_the_days_apart(void **state)
{
	struct box *b = *state;
	const struct timespec old[2] = {{1700000000, 0}, {1700000000, 0}};
	const char *today = path_of(b, "skep.json", 0);
	FILE *f = fopen(today, "w");
	assert_non_null(f);
	fputs("{\"whole\":1}\n{\"cut", f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(truncate(today, 12), 0);
	assert_int_equal(utimensat(AT_FDCWD, today, old, 0), 0);
	open_store(b, 0, 0);
	assert_int_equal(size_of(path_of(b, "skep-%08u.json", 20231114)), 12);
	assert_int_equal(size_of(path_of(b, "skep.json", 0)), 0);
}

static void half_a_line_is_taken_back(void **state)
{
	struct box *b = *state;
	FILE *f = fopen(path_of(b, "skep.json", 0), "w");
	assert_non_null(f);
	fputs("{\"whole\":1}\n{\"cut", f);
	assert_int_equal(fclose(f), 0);
	open_store(b, 0, 0);
	assert_int_equal(size_of(path_of(b, "skep.json", 0)), 12);
}

static void a_damaged_database_is_moved_aside(void **state)
{
	struct box *b = *state;
	uint32_t today = store_day_of(b->now);
	FILE *f = fopen(path_of(b, "events-%08u.db", today), "w");
	assert_non_null(f);
	for (int i = 0; i < 1000; i++)
		fputs("this is no database", f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(store_open(b->dir, "test", 0, 0, &b->s), STORE_DAMAGED);
	assert_int_equal(size_of(path_of(b, "events-%08u.db.damaged", today)), 19000);
	struct event e = make(b, EVENT_CONNECTION, "web1", 1);
	assert_int_equal(store_add(b->s, &e, 1), 0);
	assert_int_equal(ASK(b, .kind = "connection").n, 1);
}

static void damage_inside_is_found_at_start(void **state)
{
	struct box *b = *state;
	struct event e[100];
	open_store(b, 0, 0);
	for (int i = 0; i < 100; i++)
		e[i] = make(b, EVENT_CONNECTION, "web1", (uint64_t)i + 1);
	assert_int_equal(store_add(b->s, e, 100), 0);
	store_close(&b->s);
	int fd = open(path_of(b, "events-%08u.db", store_day_of(b->now)), O_WRONLY);
	char junk[4096];
	memset(junk, 0xa5, sizeof(junk));
	for (int page = 2; page < 30; page += 3)
		assert_int_equal(pwrite(fd, junk, sizeof(junk), page * 4096), sizeof(junk));
	fd_close(&fd);
	assert_int_equal(store_open(b->dir, "test", 0, 0, &b->s), STORE_DAMAGED);
}

static void the_oldest_day_pays_for_the_budget(void **state)
{
	struct box *b = *state;
	uint32_t dropped = 0, today = store_day_of(b->now);
	const char *old = path_of(b, "events-%08u.db", day_add(today, -3));
	int fd = open(old, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(posix_fallocate(fd, 0, 3 << 20), 0);
	fd_close(&fd);
	fd = open(path_of(b, "eve-%08u.json", day_add(today, -2)), O_CREAT | O_WRONLY, 0600);
	assert_int_equal(posix_fallocate(fd, 0, 1 << 20), 0);
	fd_close(&fd);
	fd = open(path_of(b, "foreign-%08u.db", day_add(today, -9)), O_CREAT | O_WRONLY, 0600);
	fd_close(&fd);
	open_store(b, 0, 2 << 20);
	assert_int_equal(store_housekeep(b->s, b->now, &dropped), 0);
	assert_int_equal(dropped, 1);
	assert_int_equal(size_of(path_of(b, "events-%08u.db", day_add(today, -3))), -1);
	assert_int_equal(size_of(path_of(b, "eve-%08u.json", day_add(today, -2))), 1 << 20);
	assert_int_equal(size_of(path_of(b, "foreign-%08u.db", day_add(today, -9))), 0);
}

static void a_flood_of_today_does_not_erase_its_beginning(void **state)
{
	struct box *b = *state;
	struct event e;
	int err = 0;
	open_store(b, 0, 1 << 20);
	e = make(b, EVENT_CONNECTION, "web1", 1);
	assert_int_equal(store_add(b->s, &e, 1), 0);
	for (int i = 0; i < 5000 && err == 0; i++) {
		e = make(b, EVENT_CONNECTION, "web1", 2);
		err = store_add(b->s, &e, 1);
	}
	assert_int_equal(err, -ENOSPC);
	e = make(b, EVENT_CONNECTION, "web1", 3);
	e.priority = 1;
	assert_int_equal(store_add(b->s, &e, 1), 0);
	e.priority = 2;
	e.id++;
	assert_int_equal(store_add(b->s, &e, 1), 0);
	assert_int_equal(ASK(b, .flow_id = 1).n, 1);
	assert_int_equal(ASK(b, .flow_id = 3).n, 2);
}

/* A full disk, as far as one process can have it: no file may grow past a size. */
static void what_does_not_fit_is_cut_at_a_line(void **state)
{
	struct box *b = *state;
	pid_t pid = fork();
	if (pid == 0) {
		const struct rlimit most = {20000, 20000};
		struct event e[100];
		signal(SIGXFSZ, SIG_IGN);
		int err = store_open(b->dir, "test", 0, 0, &b->s);
		setrlimit(RLIMIT_FSIZE, &most);
		for (int i = 0; i < 100; i++)
			e[i] = make(b, EVENT_CONNECTION, "web1", (uint64_t)i + 1);
		if (err == 0)
			err = store_add(b->s, e, 100);
		_exit(err == -EFBIG || err == -ENOSPC || err == -EIO ? 0 : 1);
	}
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	const char *path = path_of(b, "skep.json", 0);
	off_t size = size_of(path);
	assert_in_range(size, 10000, 20000);
	int fd = open(path, O_RDONLY);
	char last = 0;
	assert_int_equal(pread(fd, &last, 1, size - 1), 1);
	fd_close(&fd);
	assert_int_equal(last, '\n');
}

/* As it really is: ledger without rights writes, root reads; and ledger goes on afterwards. */
static void root_reads_beside_an_unprivileged_writer(void **state)
{
	struct box *b = *state;
	int go[2], done[2], status = -1;
	char c = 0;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(b->dir, OTHER_UID, OTHER_UID), 0);
	assert_int_equal(pipe(go) | pipe(done), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct event e = make(b, EVENT_CONNECTION, "web1", 1);
		bool bad = chdir(b->dir) != 0 || setgid(OTHER_UID) != 0 || setuid(OTHER_UID) != 0;
		for (int round = 0; round < 3 && !bad; round++) {
			bad = store_open(".", "test", 0, 0, &b->s) != 0;
			for (int i = 0; i < 50 && !bad; i++) {
				e.id++;
				bad = store_add(b->s, &e, 1) != 0;
			}
			if (write(done[1], "w", 1) != 1 || read(go[0], &c, 1) != 1)
				bad = true;
			store_close(&b->s);
			if (write(done[1], "c", 1) != 1 || read(go[0], &c, 1) != 1)
				bad = true;
		}
		_exit(bad ? 1 : 0);
	}
	for (unsigned round = 1; round <= 6; round++) {
		assert_int_equal(read(done[0], &c, 1), 1); /* open, then closed, three times */
		assert_int_equal(ASK(b, .kind = "connection").n, (round + 1) / 2 * 50);
		assert_int_equal(write(go[1], "g", 1), 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	DIR *d = opendir(b->dir);
	struct dirent *entry;
	while ((entry = readdir(d)) != NULL) {
		struct stat st;
		if (entry->d_name[0] == '.' ||
		    fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		assert_int_equal(st.st_uid, OTHER_UID);
	}
	closedir(d);
	for (int i = 0; i < 2; i++) {
		close(go[i]);
		close(done[i]);
	}
}

static void a_killed_writer_leaves_what_was_committed(void **state)
{
	struct box *b = *state;
	int done[2];
	char c = 0;
	assert_int_equal(pipe(done), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct event e[10];
		for (int i = 0; i < 10; i++)
			e[i] = make(b, EVENT_CONNECTION, "web1", 1);
		bool bad = store_open(b->dir, "test", 0, 0, &b->s) != 0 ||
			   store_add(b->s, e, 10) != 0 || write(done[1], "w", 1) != 1;
		pause();
		_exit(bad);
	}
	assert_int_equal(read(done[0], &c, 1), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(ASK(b, .kind = "connection").n, 10);
	open_store(b, 0, 0);
	assert_int_equal(ASK(b, .kind = "connection").n, 10);
	close(done[0]);
	close(done[1]);
}

static void names_are_told_apart(void **state)
{
	(void)state;
	assert_int_equal(day_of_name("eve-20261123.json"), 20261123);
	assert_int_equal(day_of_name("events-20261123.db-wal"), 20261123);
	assert_int_equal(day_of_name("events-20261123.db.damaged"), 20261123);
	assert_int_equal(day_of_name("eve-20261123.json.gz"), 0);
	assert_int_equal(day_of_name("eve-2026112.json"), 0);
	assert_int_equal(day_of_name("passwd"), 0);
	assert_int_equal(day_add(20260301, -1), 20260228);
	assert_int_equal(day_add(20261231, 1), 20270101);
	struct store_query q = {0};
	assert_int_equal(store_search("/nonexistent", &q, on_row, NULL), -ENOENT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_filter_finds_what_it_says),
		TEST(flows_and_counts_are_read_back),
		TEST(a_new_day_has_files_of_its_own),
		TEST(a_restart_after_midnight_keeps_the_days_apart),
		TEST(half_a_line_is_taken_back),
		TEST(a_damaged_database_is_moved_aside),
		TEST(damage_inside_is_found_at_start),
		TEST(the_oldest_day_pays_for_the_budget),
		TEST(a_flood_of_today_does_not_erase_its_beginning),
		TEST(what_does_not_fit_is_cut_at_a_line),
		TEST(root_reads_beside_an_unprivileged_writer),
		TEST(a_killed_writer_leaves_what_was_committed),
		cmocka_unit_test(names_are_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
