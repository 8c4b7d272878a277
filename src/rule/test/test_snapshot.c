/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of compiled databases: used when it is ours and whole, never otherwise. */
#include "bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char rules[] =
	"alert udp any any -> any any (content:\"needle\"; sid:1;)\n"
	"alert tcp any any -> any 80 (content:\"thread\"; nocase; sid:2;)\n"
	"alert http any any -> any any (http.uri; content:\"|00|zero\"; sid:3;)\n";

struct place {
	char dir[64], file[400];
};

static void open_place(struct place *p)
{
	(void)text_copy(p->dir, sizeof(p->dir), "/tmp/rule_snapshot.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
}

static void find(struct place *p)
{
	DIR *d = opendir(p->dir);
	assert_non_null(d);
	unsigned n = 0;
	for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
		if (e->d_name[0] == '.')
			continue;
		struct writer w = writer_of(p->file, sizeof(p->file));
		write_fmt(&w, "%s/%s", p->dir, e->d_name);
		n++;
	}
	(void)closedir(d);
	assert_int_equal(n, 1); /* one file, and nothing half written */
}

static void close_place(struct place *p)
{
	assert_int_equal(unlink(p->file), 0);
	assert_int_equal(rmdir(p->dir), 0);
}

/* Loads the rules; they must match whatever the file was. Returns how many databases came from it. */
static uint64_t load(const struct place *p)
{
	struct bed b;
	bed_open(&b, rules, p->dir, 0);
	struct rule_set_stats s;
	rule_set_read_stats(b.set, &s);
	assert_true(s.databases >= 3);
	bed_udp(&b, "a needle", 8);
	assert_int_equal(bed_fired(&b, 1), 1);
	bed_udp(&b, "a noodle", 8);
	assert_int_equal(bed_fired(&b, 1), 1);
	bed_close(&b);
	assert_true(s.databases_cached == 0 || s.databases_cached == s.databases);
	return s.databases_cached;
}

static void used(void **state)
{
	struct place p;
	open_place(&p);
	assert_int_equal(load(&p), 0);
	find(&p);
	struct stat st;
	assert_int_equal(stat(p.file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(load(&p) > 0);
	close_place(&p);
}

static void overwrite(const char *file, off_t at, const void *data, size_t len)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, at), (ssize_t)len);
	(void)close(fd);
}

static void flipped(void **state)
{
	struct place p;
	open_place(&p);
	assert_int_equal(load(&p), 0);
	find(&p);
	struct stat st;
	assert_int_equal(stat(p.file, &st), 0);
	for (off_t at = 0; at < st.st_size; at += st.st_size / 23 + 1) {
		int fd = open(p.file, O_RDONLY | O_CLOEXEC);
		uint8_t byte = 0;
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		(void)close(fd);
		byte ^= 0x10;
		overwrite(p.file, at, &byte, 1);
		assert_int_equal(load(&p), 0);
		find(&p);
		assert_true(load(&p) > 0); /* it was written anew */
	}
	close_place(&p);
}

static void truncated(void **state)
{
	struct place p;
	open_place(&p);
	assert_int_equal(load(&p), 0);
	find(&p);
	struct stat st;
	assert_int_equal(stat(p.file, &st), 0);
	const off_t sizes[] = {0, 1, 40, 56, 57, st.st_size / 2, st.st_size - 1, st.st_size + 1};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		assert_int_equal(truncate(p.file, sizes[i]), 0);
		assert_int_equal(load(&p), 0);
		assert_true(load(&p) > 0);
	}
	close_place(&p);
}

/* Written by others, or writable for them. */
static void foreign(void **state)
{
	struct place p;
	open_place(&p);
	assert_int_equal(load(&p), 0);
	find(&p);
	assert_int_equal(chmod(p.file, 0620), 0);
	assert_int_equal(load(&p), 0);
	assert_true(load(&p) > 0); /* replaced by our own */
	assert_int_equal(chmod(p.file, 0602), 0);
	assert_int_equal(load(&p), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(p.file, 12345, 12345), 0);
		assert_int_equal(load(&p), 0);
	}
	char away[440];
	struct writer w = writer_of(away, sizeof(away));
	write_fmt(&w, "%s.away", p.file);
	assert_int_equal(rename(p.file, away), 0);
	assert_int_equal(symlink(away, p.file), 0); /* a link is not followed */
	assert_int_equal(load(&p), 0);
	assert_int_equal(unlink(away), 0);
	close_place(&p);
}

/* A folder that can't be written to costs nothing but time. */
static void nowhere(void **state)
{
	struct place p = {.dir = "/proc/self/nowhere"};
	assert_int_equal(load(&p), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(used),    cmocka_unit_test(flipped), cmocka_unit_test(truncated),
		cmocka_unit_test(foreign), cmocka_unit_test(nowhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
