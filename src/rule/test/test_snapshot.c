/* SPDX-License-Identifier: BSD-2-Clause */
/* Databases taken from a snapshot: used when it is whole and of these rules, never otherwise. */
#include "bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char rules[] =
	"alert udp any any -> any any (content:\"needle\"; sid:1;)\n"
	"alert tcp any any -> any 80 (content:\"thread\"; nocase; sid:2;)\n"
	"alert http any any -> any any (http.uri; content:\"|00|zero\"; sid:3;)\n";

/* Reads text with the databases of snapshot (0: compiles them). no_jit as the compiler process has it. */
static int load(const char *text, int snapshot, struct rule_set **ret)
{
	struct rule_vars *vars = NULL;
	assert_int_equal(rule_vars_create(&vars), 0);
	const struct rule_set_conf conf = {
		.vars = vars, .snapshot = snapshot, .no_jit = snapshot == 0};
	struct rule_set *set = NULL;
	assert_int_equal(rule_set_create(&conf, &set), 0);
	assert_int_equal(rule_set_read(set, "test", text, strlen(text)), 0);
	int rc = rule_set_finish(set);
	rule_vars_free(&vars);
	if (rc == 0 && ret != NULL)
		*ret = set;
	else
		rule_set_free(&set);
	return rc;
}

static int snapshot_of(const char *text)
{
	struct rule_set *set = NULL;
	int fd = memfd_create("snapshot", MFD_CLOEXEC);
	assert_true(fd > 0);
	assert_int_equal(load(text, 0, &set), 0);
	assert_int_equal(rule_set_write_snapshot(set, fd), 0);
	rule_set_free(&set);
	return fd;
}

static off_t size_of(int fd)
{
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	return st.st_size;
}

static bool refused(int rc)
{
	return rc == SKEP_EFORMAT || rc == SKEP_ETRUNC;
}

static void used(void **state)
{
	int fd = snapshot_of(rules);
	for (unsigned twice = 0; twice < 2; twice++) { /* the place in the file doesn't matter */
		struct bed b;
		bed_open(&b, rules, &fd, 0);
		struct rule_set_stats s;
		rule_set_read_stats(b.set, &s);
		assert_true(s.databases >= 3);
		assert_int_equal(s.databases_cached, s.databases);
		bed_udp(&b, "a needle", 8);
		assert_int_equal(bed_fired(&b, 1), 1);
		bed_udp(&b, "a noodle", 8);
		assert_int_equal(bed_fired(&b, 1), 1);
		bed_close(&b);
	}
	(void)close(fd);
}

static void written_again(void **state)
{
	struct rule_set *set = NULL;
	int fd = snapshot_of(rules), again = memfd_create("again", MFD_CLOEXEC);
	off_t size = size_of(fd);
	assert_int_equal(load(rules, fd, &set), 0);
	assert_int_equal(rule_set_write_snapshot(set, again), 0);
	assert_int_equal(size_of(again), size);
	assert_int_equal(load(rules, again, NULL), 0);
	rule_set_free(&set);
	(void)close(again);
	(void)close(fd);
}

static void flipped(void **state)
{
	int fd = snapshot_of(rules);
	off_t size = size_of(fd);
	for (off_t at = 0; at < size; at += at < 120 ? 1 : size / 37 + 1) {
		uint8_t byte = 0;
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		assert_true(refused(load(rules, fd, NULL)));
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	assert_int_equal(load(rules, fd, NULL), 0);
	(void)close(fd);
}

static void truncated(void **state)
{
	int whole = snapshot_of(rules);
	off_t size = size_of(whole);
	const off_t sizes[] = {0, 1, 40, 56, 57, 88, 89, size / 2, size - 1, size + 1};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		int fd = snapshot_of(rules);
		assert_int_equal(ftruncate(fd, sizes[i]), 0);
		assert_true(refused(load(rules, fd, NULL)));
		(void)close(fd);
	}
	(void)close(whole);
}

static void of_other_rules(void **state)
{
	static const char *const others[] = {
		"alert udp any any -> any any (content:\"needle\"; sid:1;)\n",
		"alert udp any any -> any any (content:\"Needle\"; sid:1;)\n"
		"alert tcp any any -> any 80 (content:\"thread\"; nocase; sid:2;)\n"
		"alert http any any -> any any (http.uri; content:\"|00|zero\"; sid:3;)\n",
	};
	int fd = snapshot_of(rules);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_true(refused(load(others[i], fd, NULL)));
	(void)close(fd);
}

static void nothing_to_write_to(void **state)
{
	struct rule_set *set = NULL;
	assert_int_equal(load(rules, 0, &set), 0);
	assert_true(rule_set_write_snapshot(set, -1) < 0);
	rule_set_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(used),           cmocka_unit_test(written_again),
		cmocka_unit_test(flipped),        cmocka_unit_test(truncated),
		cmocka_unit_test(of_other_rules), cmocka_unit_test(nothing_to_write_to),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
