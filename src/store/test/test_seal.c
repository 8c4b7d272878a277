/* SPDX-License-Identifier: BSD-2-Clause */
/* Seals: made while the store is written, over starts and days; and files held against them. */
#include "base/digest.h"
#include "store/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define DAY_NS (86400 * NS_PER_SEC)
#define MINUTE_NS (60 * NS_PER_SEC)
#define FINDINGS 16

struct box {
	char dir[32];
	struct store *s;
	uint64_t id;
	int64_t wall_ns, boot_ns;
	struct seal_known seals[64]; /* all that were made: what a second machine would have */
	size_t n_seals;
	struct seal_report found[FINDINGS];
	char files[FINDINGS][EVENT_NAME], others[FINDINGS][EVENT_NAME];
	size_t n_found;
	struct seal_summary sum;
};

static int set_up(void **state)
{
	struct box *b = calloc(1, sizeof(*b));
	assert_non_null(b);
	text_copy(b->dir, sizeof(b->dir), "/tmp/skep-test-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	b->wall_ns = clock_wall_ns();
	b->boot_ns = MINUTE_NS;
	b->id = 1000;
	assert_int_equal(store_open(b->dir, "test", 30, 0, &b->s), 0);
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

static void add(struct box *b, enum event_kind kind, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct event e = event_new(kind);
		e.id = ++b->id;
		e.time_ns = b->wall_ns;
		event_say(&e, "event %llu", (unsigned long long)e.id);
		assert_int_equal(store_add(b->s, &e, 1), 0);
	}
}

/* What is due now; kept, and stored, as hub would give it back. */
static size_t seal(struct box *b, int64_t every_ns, struct event_seal ret[STORE_SEALS])
{
	size_t n = store_seals(b->s, b->boot_ns, every_ns, ret);
	for (size_t i = 0; i < n; i++) {
		struct event e = event_new(EVENT_SEAL);
		e.id = ++b->id;
		e.time_ns = b->wall_ns;
		e.u.seal = ret[i];
		assert_true(event_valid(&e));
		assert_int_equal(store_add(b->s, &e, 1), 0);
		assert_true(b->n_seals < ARRAY_LEN(b->seals));
		b->seals[b->n_seals++] = (struct seal_known){.seal = ret[i], .outside = true};
	}
	return n;
}

static void path_of(const struct box *b, const char *name, char ret[128])
{
	snprintf(ret, 128, "%s/%s", b->dir, name);
}

/* SHA-256 of the first bytes of a file, as the shell's tool would say. */
static void digest_of(const struct box *b, const char *name, uint64_t bytes, char ret[EVENT_SHA256])
{
	char path[128];
	uint8_t sum[32];
	path_of(b, name, path);
	char *data = malloc(bytes + 1);
	int fd = open(path, O_RDONLY);
	assert_non_null(data);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, data, bytes), bytes);
	close(fd);
	digest_sha256(data, bytes, sum);
	digest_hex(sum, sizeof(sum), ret);
	free(data);
}

static off_t size_of(const struct box *b, const char *name)
{
	char path[128];
	struct stat st;
	path_of(b, name, path);
	return stat(path, &st) == 0 ? st.st_size : -1;
}

static void expect_seal(const struct box *b, const struct event_seal *s, const char *name,
			uint64_t n)
{
	char sum[EVENT_SHA256];
	assert_int_equal(s->n, n);
	digest_of(b, name, s->bytes, sum);
	assert_string_equal(s->sha256, sum);
}

static void found(void *ctx, const struct seal_report *r)
{
	struct box *b = ctx;
	assert_true(b->n_found < FINDINGS);
	text_copy(b->files[b->n_found], EVENT_NAME, r->file);
	text_copy(b->others[b->n_found], EVENT_NAME, r->other != NULL ? r->other : "");
	b->found[b->n_found++] = *r;
}

static void check(struct box *b, bool outside)
{
	struct seal_check *c = NULL;
	int dirfd = open(b->dir, O_RDONLY | O_DIRECTORY);
	b->n_found = 0;
	assert_true(dirfd >= 0);
	assert_int_equal(seal_check_create(&c), 0);
	assert_int_equal(seal_check_own(c, dirfd), 0);
	for (size_t i = 0; i < b->n_seals && outside; i++)
		assert_int_equal(seal_check_add(c, &b->seals[i]), 0);
	assert_int_equal(seal_check_run(c, dirfd, found, b, &b->sum), 0);
	seal_check_free(&c);
	close(dirfd);
}

static const struct seal_report *fault(const struct box *b)
{
	for (size_t i = 0; i < b->n_found; i++)
		if (b->found[i].what != SEAL_UNSEALED && b->found[i].what != SEAL_DROPPED)
			return &b->found[i];
	return NULL;
}

static void a_file_that_grows_is_sealed_once_a_minute(void **state)
{
	struct box *b = *state;
	struct event_seal s[STORE_SEALS];
	assert_int_equal(seal(b, MINUTE_NS, s), 0); /* nothing there */
	add(b, EVENT_HEALTH, 3);
	off_t size = size_of(b, "skep.json");
	assert_int_equal(seal(b, MINUTE_NS, s), 1); /* the first at once */
	assert_int_equal(s[0].bytes, size);
	assert_string_equal(s[0].previous, "");
	expect_seal(b, &s[0], "skep.json", 1);
	add(b, EVENT_HEALTH, 1);
	b->boot_ns += MINUTE_NS - 1;
	assert_int_equal(seal(b, MINUTE_NS, s), 0);
	b->boot_ns++;
	assert_int_equal(seal(b, MINUTE_NS, s), 1);
	expect_seal(b, &s[0], "skep.json", 2);
	b->boot_ns += MINUTE_NS; /* only seals and notices came: no reason for another */
	add(b, EVENT_NOTICE, 2);
	assert_int_equal(seal(b, MINUTE_NS, s), 0);
	add(b, EVENT_STATS, 1);
	assert_int_equal(seal(b, MINUTE_NS, s), 1);
	assert_memory_equal(s[0].file, "eve-", 4);
	expect_seal(b, &s[0], "eve.json", 1);
	assert_int_equal(seal(b, 0, s), 1); /* at the end, what is not sealed yet */
	assert_memory_equal(s[0].file, "skep-", 5);
	expect_seal(b, &s[0], "skep.json", 3);
}

static void reopen(struct box *b)
{
	store_close(&b->s);
	assert_int_equal(store_open(b->dir, "test", 30, 0, &b->s), 0);
}

static void a_start_reads_back_and_counts_on(void **state)
{
	struct box *b = *state;
	struct event_seal s[STORE_SEALS];
	char path[128];
	add(b, EVENT_HEALTH, 3);
	assert_int_equal(seal(b, MINUTE_NS, s), 1);
	add(b, EVENT_HEALTH, 2);
	off_t whole = size_of(b, "skep.json");
	path_of(b, "skep.json", path);
	int fd = open(path, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "{\"torn", 6), 6); /* a crash in the middle of a line */
	close(fd);
	reopen(b);
	assert_int_equal(size_of(b, "skep.json"), whole);
	assert_int_equal(seal(b, MINUTE_NS, s),
			 1); /* at once: nobody else has the digest of the rest */
	assert_int_equal(s[0].bytes, whole);
	expect_seal(b, &s[0], "skep.json", 2);
	add(b, EVENT_HEALTH, 1);
	assert_int_equal(seal(b, 0, s), 1);
	expect_seal(b, &s[0], "skep.json", 3);
}

static void more_than_one_call_reads_a_long_file(void **state)
{
	struct box *b = *state;
	struct event_seal s[STORE_SEALS];
	char path[128], line[1024];
	path_of(b, "skep.json", path);
	FILE *f = fopen(path, "a");
	assert_non_null(f);
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 66 << 10; i++) /* 66 MiB */
		assert_int_equal(fwrite(line, sizeof(line), 1, f), 1);
	assert_int_equal(fclose(f), 0);
	reopen(b);
	assert_int_equal(seal(b, MINUTE_NS, s), 0);
	add(b, EVENT_HEALTH, 1); /* comes while it is read */
	assert_int_equal(seal(b, MINUTE_NS, s), 1);
	assert_true(s[0].bytes > 66u << 20);
	expect_seal(b, &s[0], "skep.json", 1);
	add(b, EVENT_HEALTH, 1);
	assert_int_equal(seal(b, 0, s), 1);
	expect_seal(b, &s[0], "skep.json", 2);
}

static void a_day_that_is_over_gets_its_last_seal(void **state)
{
	struct box *b = *state;
	struct event_seal s[STORE_SEALS], first, over;
	add(b, EVENT_HEALTH, 1);
	add(b, EVENT_STATS, 1);
	assert_int_equal(seal(b, MINUTE_NS, s), 2);
	first = s[1];
	add(b, EVENT_HEALTH, 1);
	off_t size = size_of(b, "skep.json");
	b->wall_ns += DAY_NS;
	add(b, EVENT_HEALTH, 1);
	assert_int_equal(seal(b, MINUTE_NS, s),
			 2); /* the last of the old day; the first of the new one */
	over = s[0];
	assert_string_equal(over.file, first.file);
	assert_int_equal(over.bytes, size);
	expect_seal(b, &over, over.file, 2);
	assert_string_not_equal(s[1].file, over.file);
	assert_string_equal(s[1].previous, over.sha256);
	expect_seal(b, &s[1], "skep.json", 1);
}

static void write_file(const struct box *b, const char *name, const char *text)
{
	char path[128];
	path_of(b, name, path);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void a_start_finds_the_day_before(void **state)
{
	struct box *b = *state;
	struct event_seal s[STORE_SEALS];
	char sum[EVENT_SHA256];
	write_file(b, "skep-20200101.json", "{}\n");
	write_file(b, "skep-20200102.json", "{\"a\":1}\n");
	write_file(b, "eve-20200103.json", "{\"b\":1}\n");
	reopen(b);
	add(b, EVENT_HEALTH, 1);
	assert_int_equal(seal(b, MINUTE_NS, s), 1);
	digest_of(b, "skep-20200102.json", 8, sum);
	assert_string_equal(s[0].previous, sum);
	check(b, true);
	assert_null(fault(b));
	write_file(b, "skep-20200102.json", "{\"a\":2}\n");
	check(b, true);
	assert_non_null(fault(b));
	assert_int_equal(fault(b)->what, SEAL_CHAIN);
	assert_string_equal(b->files[fault(b) - b->found], "skep-20200102.json");
}

static void what_is_written_is_sealed_not_what_is_there(void **state)
{
	struct box *b = *state;
	struct event_seal s[STORE_SEALS];
	char path[128], sum[EVENT_SHA256];
	add(b, EVENT_HEALTH, 2);
	path_of(b, "skep.json", path);
	int fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "[", 1, 0), 1);
	close(fd);
	assert_int_equal(seal(b, MINUTE_NS, s), 1);
	digest_of(b, "skep.json", s[0].bytes, sum);
	assert_string_not_equal(s[0].sha256, sum);
}

/* ---- files against seals -------------------------------------------------------------------------- */

/* Three days with two or three seals each; names[] are the files of skep. */
static void three_days(struct box *b, char names[3][EVENT_NAME])
{
	struct event_seal s[STORE_SEALS];
	for (int day = 0; day < 3; day++) {
		add(b, EVENT_HEALTH, 5);
		add(b, EVENT_STATS, 1);
		b->boot_ns += MINUTE_NS;
		size_t n = seal(b, MINUTE_NS, s);
		text_copy(names[day], EVENT_NAME, s[n - 1].file);
		add(b, EVENT_HEALTH, 5);
		b->boot_ns += MINUTE_NS;
		assert_int_equal(seal(b, MINUTE_NS, s), 1);
		b->wall_ns += day < 2 ? DAY_NS : 0;
	}
	check(b, true);
	assert_null(fault(b));
	assert_int_equal(b->sum.files, 6);
	assert_int_equal(b->sum.outside, b->n_seals);
	assert_int_equal(b->sum.own, b->n_seals);
}

static void change(const struct box *b, const char *name, off_t at)
{
	char path[128], c = 0;
	path_of(b, name, path);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &c, 1, at), 1);
	c ^= 1;
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
	close(fd);
}

static void one_changed_byte_is_found_and_bounded(void **state)
{
	struct box *b = *state;
	char names[3][EVENT_NAME];
	three_days(b, names);
	const struct event_seal *one = NULL, *two = NULL;
	for (size_t i = 0; i < b->n_seals; i++)
		if (strcmp(b->seals[i].seal.file, names[1]) == 0) {
			one = b->seals[i].seal.n == 1 ? &b->seals[i].seal : one;
			two = b->seals[i].seal.n == 2 ? &b->seals[i].seal : two;
		}
	assert_non_null(one);
	assert_non_null(two);
	change(b, names[1], (off_t)two->bytes - 9);
	check(b, true);
	const struct seal_report *f = fault(b);
	assert_non_null(f);
	assert_int_equal(f->what, SEAL_ALTERED);
	assert_string_equal(b->files[f - b->found], names[1]);
	assert_int_equal(f->from, one->bytes);
	assert_int_equal(f->to, two->bytes);
	assert_int_equal(b->sum.faults, 1); /* the chain says nothing more of it */
	change(b, names[1], (off_t)two->bytes - 9);
	check(b, true);
	assert_null(fault(b));
	change(b, "skep.json", 3); /* today's */
	check(b, true);
	f = fault(b);
	assert_non_null(f);
	assert_string_equal(b->files[f - b->found], names[2]);
	assert_int_equal(f->from, 0);
}

static void a_file_that_is_shorter_gone_or_another_is_found(void **state)
{
	struct box *b = *state;
	char names[3][EVENT_NAME], path[128], other[128], aside[128];
	three_days(b, names);
	path_of(b, names[0], path);
	path_of(b, names[1], other);
	path_of(b, "aside", aside);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(rename(other, path), 0);
	assert_int_equal(rename(aside, other), 0);
	check(b, true);
	const struct seal_report *f = fault(b);
	assert_non_null(f);
	assert_int_equal(f->what, SEAL_SWAPPED);
	assert_string_equal(b->files[f - b->found], names[0]);
	assert_string_equal(b->others[f - b->found], names[1]);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(rename(other, path), 0);
	assert_int_equal(rename(aside, other), 0);
	assert_int_equal(truncate(other, 100), 0);
	check(b, true);
	f = fault(b);
	assert_non_null(f);
	assert_int_equal(f->what, SEAL_TRUNCATED);
	assert_int_equal(f->from, 100);
	assert_int_equal(unlink(other), 0);
	check(b, true);
	f = fault(b);
	assert_non_null(f);
	assert_int_equal(f->what, SEAL_MISSING);
	assert_string_equal(b->files[f - b->found], names[1]);
	assert_int_equal(b->sum.faults, 1);
}

/* Who is root can take a seal's line out and seal again: only what was kept elsewhere tells. */
static void files_without_their_own_seals_pass_only_alone(void **state)
{
	struct box *b = *state;
	char names[3][EVENT_NAME], command[512];
	three_days(b, names);
	snprintf(command, sizeof(command),
		 "cd %s && for f in skep*.json; do grep -v '\"seal\"' $f >aside; cat aside >$f; rm "
		 "aside; done",
		 b->dir);
	assert_int_equal(system(command), 0);
	check(b, false);
	assert_null(fault(b));
	assert_int_equal(b->sum.own, 0);
	check(b, true);
	assert_non_null(fault(b));
	assert_string_equal(b->files[fault(b) - b->found], names[0]);
}

static void what_is_no_file_neither_holds_nor_ends_us(void **state)
{
	struct box *b = *state;
	char names[3][EVENT_NAME], path[2][128];
	three_days(b, names);
	for (size_t i = 0; i < 2; i++) {
		path_of(b, names[i], path[i]);
		assert_int_equal(unlink(path[i]), 0);
	}
	assert_int_equal(mkfifo(path[0], 0600), 0);
	assert_int_equal(mkdir(path[1], 0700), 0);
	check(b, true);
	size_t missing = 0;
	for (size_t i = 0; i < b->n_found; i++)
		missing += b->found[i].what == SEAL_MISSING;
	assert_int_equal(missing, 2);
	assert_int_equal(rmdir(path[1]), 0);
}

static void old_days_may_be_removed_if_an_event_says_so(void **state)
{
	struct box *b = *state;
	char names[3][EVENT_NAME], path[128], eve[128], name[EVENT_NAME];
	three_days(b, names);
	path_of(b, names[0], path);
	snprintf(name, sizeof(name), "eve%.14s", names[0] + 4);
	path_of(b, name, eve);
	assert_int_equal(unlink(path), 0);
	check(b, true);
	assert_non_null(fault(b));
	assert_int_equal(fault(b)->what, SEAL_MISSING);
	assert_int_equal(unlink(eve), 0);
	struct event e = event_new(EVENT_HEALTH);
	e.id = ++b->id;
	e.time_ns = b->wall_ns;
	text_copy(e.u.health.role, EVENT_NAME, "ledger");
	text_copy(e.u.health.what, EVENT_NAME, "dropped");
	assert_int_equal(store_add(b->s, &e, 1), 0);
	check(b, true); /* who removed the day can have written that line himself ... */
	assert_non_null(fault(b));
	b->boot_ns += MINUTE_NS;
	struct event_seal s[STORE_SEALS];
	assert_true(seal(b, MINUTE_NS, s) > 0);
	check(b, true); /* ... but not below a seal that was kept elsewhere */
	assert_null(fault(b));
	bool told = false;
	for (size_t i = 0; i < b->n_found; i++)
		told |= b->found[i].what == SEAL_DROPPED && strcmp(b->files[i], names[0]) == 0;
	assert_true(told);
}

/* ---- lines ------------------------------------------------------------------------------------------- */

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define SD(file, bytes, sum) \
	"[seal@32473 file=\"" file "\" n=\"3\" bytes=\"" bytes "\" sha256=\"" sum "\"]"
#define OURS SD("skep-20261128.json", "81234", A64)

static void lines_are_read_as_they_come_and_texts_are_not(void **state)
{
	static const struct {
		const char *line;
		size_t n;
	} rows[] = {
		{"{\"event_type\":\"seal\",\"seal\":{\"file\":\"skep-20261128.json\",\"n\":3,"
		 "\"bytes\":81234,"
		 "\"sha256\":\"" A64 "\",\"previous\":\"" B64 "\"}}\n",
		 1},
		{"{\"file\":\"skep-20261128.json\",\"n\":3,\"bytes\":81234,\"sha256\":\"" A64
		 "\",\"previous\":\"\"}",
		 1},
		{"{\"seals\":[{\"file\":\"skep-20261128.json\",\"n\":3,\"bytes\":81234,\"sha256\":"
		 "\"" A64 "\"},7,"
		 "{\"file\":\"skep-20261128.json\",\"n\":3,\"bytes\":81234,\"sha256\":\"" A64
		 "\"}]}",
		 2},
		{"<134>1 2026-11-28T12:03:04Z s1 skep - beat [beat@32473 n=\"5\"]" OURS OURS
		 " text\r\n",
		 2},
		{"<134>1 2026-11-28T12:03:04Z s1 skep - beat " OURS, 1},
		/* Another event, or a text, that speaks of one. */
		{"{\"event_type\":\"command\",\"seal\":{\"file\":\"skep-20261128.json\",\"n\":3,"
		 "\"bytes\":81234,"
		 "\"sha256\":\"" A64 "\"}}",
		 0},
		{"<134>1 2026-11-28T12:03:04Z s1 skep - alert - " OURS, 0},
		{"<134>1 2026-11-28T12:03:04Z s1 skep - alert [a b=\"x\"] " OURS, 0},
		{"<134>1 2026-11-28T12:03:04Z s1 skep - alert [a b=\"\\\"]" OURS "\"]", 0},
		/* Not ours, or broken. */
		{"<134>1 - - - - - " SD("../../etc/shadow", "1", A64), 0},
		{"<134>1 - - - - - " SD("events-20261128.db.json", "1", A64), 0},
		{"<134>1 - - - - - " SD("skep-20261128.json", "-1", A64), 0},
		{"<134>1 - - - - - " SD("skep-20261128.json", "99999999999999999", A64), 0},
		{"<134>1 - - - - - " SD("skep-20261128.json", "1", "aa"), 0},
		{"<134>1 - - - - - [seal@32473 file=\"skep-20261128.json", 0},
		{"{\"file\":\"skep-20261128.json\",\"n\":3,\"bytes\":-1,\"sha256\":\"" A64 "\"}",
		 0},
		{"{\"file\":[],\"n\":3,\"bytes\":1,\"sha256\":\"" A64 "\"}", 0},
		{"{", 0},
		{"", 0},
		{"<", 0},
	};
	struct seal_known k[SEAL_LINE_SEALS];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = seal_parse(rows[i].line, strlen(rows[i].line), k);
		if (n != rows[i].n)
			fail_msg("line %zu: %zu seals instead of %zu: %s", i, n, rows[i].n,
				 rows[i].line);
		for (size_t j = 0; j < n; j++) {
			assert_string_equal(k[j].seal.file, "skep-20261128.json");
			assert_int_equal(k[j].seal.bytes, 81234);
			assert_int_equal(k[j].seal.n, 3);
			assert_string_equal(k[j].seal.sha256, A64);
		}
	}
	seal_parse(rows[0].line, strlen(rows[0].line), k);
	assert_string_equal(k[0].seal.previous, B64);
	seal_parse(rows[3].line, strlen(rows[3].line), k);
	assert_string_equal(k[1].time, "2026-11-28T12:03:04Z");
	assert_string_equal(k[1].sensor, "s1");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_that_grows_is_sealed_once_a_minute),
		TEST(a_start_reads_back_and_counts_on),
		TEST(more_than_one_call_reads_a_long_file),
		TEST(a_day_that_is_over_gets_its_last_seal),
		TEST(a_start_finds_the_day_before),
		TEST(what_is_written_is_sealed_not_what_is_there),
		TEST(one_changed_byte_is_found_and_bounded),
		TEST(a_file_that_is_shorter_gone_or_another_is_found),
		TEST(files_without_their_own_seals_pass_only_alone),
		TEST(what_is_no_file_neither_holds_nor_ends_us),
		TEST(old_days_may_be_removed_if_an_event_says_so),
		cmocka_unit_test(lines_are_read_as_they_come_and_texts_are_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
