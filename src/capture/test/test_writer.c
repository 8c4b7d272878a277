/* SPDX-License-Identifier: BSD-2-Clause */
/* What is written reads back equal; files turn by size and age, stay in the budget, and stay whole
 * when the disk is full or the writer is killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/capture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define BASE_NS INT64_C(1700000000123456789)
#define HOUR_NS (3600 * NS_PER_SEC)
#define GIB (UINT64_C(1) << 30)

static const struct capture_interface ports[] = {
	{"outside", "the world"},
	{"web1", "guest web1"},
};

struct folder {
	char path[64];
	int fd;
	struct arena arena;
	struct capture_writer *w;
};

static void folder_make(struct folder *f)
{
	strcpy(f->path, "/tmp/skt-c-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY);
	assert_true(f->fd >= 0);
	assert_int_equal(arena_create(capture_writer_bytes(), &f->arena), 0);
}

static int folder_writer(struct folder *f, uint64_t file_bytes, int64_t age, uint64_t disk)
{
	arena_destroy(&f->arena);
	assert_int_equal(arena_create(capture_writer_bytes(), &f->arena), 0);
	return capture_writer_create(&f->arena, f->fd, "skep", ports, 2, file_bytes, age, disk,
				     &f->w);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

/* Calls fn for every file, oldest first; returns their number. */
static unsigned folder_each(struct folder *f, void (*fn)(void *ctx, int fd, bool part), void *ctx)
{
	struct dirent **list;
	int n = scandirat(f->fd, ".", &list, NULL, by_name);
	unsigned files = 0;
	for (int i = 0; i < n; i++) {
		bool part;
		if (capture_file_name(list[i]->d_name, &part)) {
			int fd = openat(f->fd, list[i]->d_name, O_RDONLY);
			assert_true(fd >= 0);
			files++;
			if (fn != NULL)
				fn(ctx, fd, part);
			close(fd);
		}
		free(list[i]);
	}
	free(list);
	return files;
}

static void folder_remove(struct folder *f)
{
	DIR *d = fdopendir(f->fd);
	struct dirent *e;
	while ((e = readdir(d)) != NULL)
		unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	rmdir(f->path);
	arena_destroy(&f->arena);
}

/* Packet n: everything about it follows from n. */
static struct capture_packet packet_of(uint64_t n, uint8_t *data, char *comment)
{
	uint32_t len = n % 50 == 7 ? 65500 : (uint32_t)(n * 7919 % 1501);
	for (uint32_t i = 0; i < len; i++)
		data[i] = (uint8_t)(n + i * 31);
	snprintf(comment, 64, "OUTBOUND drop flow=%llu", (unsigned long long)n);
	return (struct capture_packet){
		.interface = (uint32_t)(n % 2),
		.stamp_ns = BASE_NS + (int64_t)n * 1001,
		.data = data,
		.len = len,
		.orig_len = len + (n % 11 == 0 ? 100 : 0),
		.outbound = n % 3 == 0,
		.comment = n % 4 == 0 ? comment : NULL,
		.drops = n % 13 == 0 ? n : 0,
	};
}

static uint8_t data_buf[65536];
static char comment_buf[64];

static int write_one(struct capture_writer *w, uint64_t n)
{
	struct capture_packet p = packet_of(n, data_buf, comment_buf);
	return capture_write(w, &p);
}

struct readback {
	uint64_t next, packets; /* number of the next packet */
	bool gaps;              /* some may be missing */
	int end;                /* what the last file ended with */
};

/* Reads one file and compares each packet with what packet_of says. */
static void check_file(void *ctx, int fd, bool part)
{
	struct readback *rb = ctx;
	struct capture_reader *r;
	struct capture_packet got;
	const char *name;
	(void)part;
	rb->end = capture_open(fd, &r);
	if (rb->end != 0)
		return;
	while ((rb->end = capture_next(r, &got, &name)) == 0) {
		if (rb->gaps)
			rb->next = (uint64_t)(got.stamp_ns - BASE_NS) / 1001;
		struct capture_packet want = packet_of(rb->next, data_buf, comment_buf);
		assert_int_equal(got.stamp_ns, want.stamp_ns);
		assert_int_equal(got.len, want.len);
		assert_int_equal(got.orig_len, want.orig_len);
		assert_memory_equal(got.data, want.data, want.len);
		assert_int_equal(got.outbound, want.outbound);
		assert_string_equal(name, ports[want.interface].name);
		assert_string_equal(capture_interface_description(r),
				    ports[want.interface].description);
		if (want.comment == NULL)
			assert_null(got.comment);
		else
			assert_string_equal(got.comment, want.comment);
		if (!rb->gaps)
			assert_int_equal(got.drops, want.drops);
		rb->next++;
		rb->packets++;
	}
	capture_reader_free(&r);
}

static void reads_back_equal(void **state)
{
	struct folder f;
	struct readback rb = {0};
	struct capture_totals t;
	(void)state;
	folder_make(&f);
	assert_int_equal(folder_writer(&f, GIB, HOUR_NS, 8 * GIB), 0);
	for (uint64_t n = 0; n < 3000; n++)
		assert_int_equal(write_one(f.w, n), 0);
	assert_int_equal(capture_flush(f.w, clock_wall_ns()), 0);
	assert_int_equal(folder_each(&f, check_file, &rb), 1); /* readable while open */
	assert_int_equal(rb.packets, 3000);
	assert_int_equal(rb.end, SKEP_ENOTFOUND);
	capture_read_totals(f.w, &t);
	assert_int_equal(t.packets, 3000);
	assert_int_equal(t.dropped, 0);
	assert_int_equal(capture_close(f.w), 0);
	rb = (struct readback){0};
	assert_int_equal(folder_each(&f, check_file, &rb), 1);
	assert_int_equal(rb.packets, 3000);
	assert_int_equal(rb.end, SKEP_ENOTFOUND);
	folder_remove(&f);
}

static void sum_size(void *ctx, int fd, bool part)
{
	struct stat st;
	(void)part;
	assert_int_equal(fstat(fd, &st), 0);
	*(uint64_t *)ctx += (uint64_t)st.st_size;
}

static void turns_by_size_in_the_budget(void **state)
{
	struct folder f;
	struct readback rb = {.gaps = true};
	const uint64_t budget = 4u << 20, file = 512u << 10;
	uint64_t size = 0, first;
	struct capture_totals t;
	(void)state;
	folder_make(&f);
	close(openat(f.fd, "notes.pcapng", O_CREAT | O_WRONLY, 0600)); /* not ours: stays */
	assert_int_equal(folder_writer(&f, file, HOUR_NS, budget), 0);
	for (uint64_t n = 0; n < 6000; n++) {
		assert_int_equal(write_one(f.w, n), 0);
		if (n % 500 == 0) {
			size = 0;
			folder_each(&f, sum_size, &size);
			assert_true(size <= budget);
		}
	}
	assert_int_equal(capture_close(f.w), 0);
	capture_read_totals(f.w, &t);
	assert_true(t.files > 8);
	assert_true(t.removed > 0);
	size = 0;
	assert_int_equal(folder_each(&f, sum_size, &size), t.files - t.removed);
	assert_true(size <= budget && size > budget / 2);
	/* The newest are there, without a hole. */
	folder_each(&f, check_file, &rb);
	assert_int_equal(rb.next, 6000);
	first = 6000 - rb.packets;
	assert_true(first > 0);
	assert_int_equal(faccessat(f.fd, "notes.pcapng", F_OK, 0), 0);
	folder_remove(&f);
}

static void turns_by_age(void **state)
{
	struct folder f;
	int64_t now;
	(void)state;
	folder_make(&f);
	assert_int_equal(folder_writer(&f, GIB, HOUR_NS, 8 * GIB), 0);
	now = clock_wall_ns();
	assert_int_equal(capture_flush(f.w, now + 2 * HOUR_NS), 0); /* empty: not turned */
	assert_int_equal(folder_each(&f, NULL, NULL), 1);
	assert_int_equal(write_one(f.w, 1), 0);
	assert_int_equal(capture_flush(f.w, now + HOUR_NS / 2), 0);
	assert_int_equal(folder_each(&f, NULL, NULL), 1);
	assert_int_equal(capture_flush(f.w, now + 2 * HOUR_NS), 0);
	assert_int_equal(folder_each(&f, NULL, NULL), 2);
	assert_int_equal(capture_close(f.w), 0);
	assert_int_equal(folder_each(&f, NULL, NULL), 1); /* the empty one goes */
	folder_remove(&f);
}

static void no_part(void *ctx, int fd, bool part)
{
	(void)ctx;
	(void)fd;
	assert_false(part);
}

/* As after kill -9: the file ends in the middle of a block. */
static void adopts_what_was_left(void **state)
{
	struct folder f;
	struct readback rb = {0};
	struct capture_totals t;
	char name[128] = "";
	struct stat st;
	(void)state;
	folder_make(&f);
	assert_int_equal(folder_writer(&f, GIB, HOUR_NS, 8 * GIB), 0);
	for (uint64_t n = 0; n < 1000; n++)
		assert_int_equal(write_one(f.w, n), 0);
	assert_int_equal(capture_flush(f.w, clock_wall_ns()), 0);
	struct dirent **list;
	int n = scandirat(f.fd, ".", &list, NULL, by_name);
	for (int i = 0; i < n; i++) {
		bool part;
		if (capture_file_name(list[i]->d_name, &part) && part)
			strcpy(name, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	int fd = openat(f.fd, name, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(ftruncate(fd, st.st_size - 5), 0);
	check_file(&rb, fd, true);
	assert_int_equal(rb.packets, 999);
	assert_int_equal(rb.end, SKEP_ETRUNC);
	close(fd);
	assert_int_equal(folder_writer(&f, GIB, HOUR_NS, 8 * GIB), 0);
	capture_read_totals(f.w, &t);
	assert_int_equal(t.adopted, 1);
	assert_int_equal(write_one(f.w, 999), 0);
	assert_int_equal(capture_close(f.w), 0);
	rb = (struct readback){0};
	assert_int_equal(folder_each(&f, check_file, &rb), 2);
	assert_int_equal(rb.packets, 1000);
	assert_int_equal(rb.end, SKEP_ENOTFOUND);
	folder_each(&f, no_part, NULL);
	folder_remove(&f);
}

/* Takes all the room that is left. */
static void fill_disk(int hog, off_t *at)
{
	while (posix_fallocate(hog, *at, 4096) == 0)
		*at += 4096;
}

static void full_disk(void **state)
{
	struct folder f;
	struct readback rb = {.gaps = true};
	struct capture_totals t;
	uint64_t refused = 0, n = 0;
	off_t taken = 1500000;
	(void)state;
	folder_make(&f);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", f.path, "tmpfs", 0, "size=4m") < 0) {
		folder_remove(&f);
		skip(); /* no right to mount */
	}
	close(f.fd);
	f.fd = open(f.path, O_RDONLY | O_DIRECTORY);
	/* Somebody else fills most of the disk: the budget would allow much more. */
	int hog = openat(f.fd, "hog", O_CREAT | O_RDWR, 0600);
	assert_int_equal(posix_fallocate(hog, 0, 1500000), 0);
	assert_int_equal(folder_writer(&f, 600000, HOUR_NS, GIB), 0);
	for (; n < 3000; n++)
		assert_int_equal(write_one(f.w, n), 0); /* old files make way */
	capture_read_totals(f.w, &t);
	assert_true(t.removed > 0);
	/* The hog takes what the writer frees, until nothing is left to remove. */
	while (refused < 100 && n < 100000) {
		int err = write_one(f.w, n++);
		assert_true(err == 0 || err == -ENOSPC);
		refused += err != 0;
		fill_disk(hog, &taken);
	}
	assert_int_equal(refused, 100);
	/* Room again: recording goes on. */
	assert_int_equal(ftruncate(hog, 0), 0);
	usleep(250000);
	for (uint64_t end = n + 100; n < end; n++)
		assert_int_equal(write_one(f.w, n), 0);
	assert_int_equal(capture_close(f.w), 0);
	capture_read_totals(f.w, &t);
	assert_true(t.dropped >= 100);
	folder_each(&f, no_part, NULL);
	assert_true(folder_each(&f, check_file, &rb) > 0);
	assert_int_equal(rb.end, SKEP_ENOTFOUND); /* whole */
	assert_int_equal(rb.next, n);
	close(hog);
	umount2(f.path, MNT_DETACH);
	folder_remove(&f);
}

static void refuses_nonsense(void **state)
{
	struct folder f;
	uint8_t b[4] = {0};
	struct capture_packet p = {.interface = 2, .data = b, .len = 4, .orig_len = 4};
	bool part;
	(void)state;
	folder_make(&f);
	assert_int_equal(folder_writer(&f, GIB, 0, GIB), SKEP_ERANGE);
	assert_int_equal(folder_writer(&f, GIB, HOUR_NS, 0), SKEP_ERANGE);
	assert_int_equal(folder_writer(&f, GIB, HOUR_NS, 8 * GIB), 0);
	assert_int_equal(capture_write(f.w, &p), SKEP_ERANGE);
	p.interface = 0;
	p.len = CAPTURE_SNAP + 1;
	assert_int_equal(capture_write(f.w, &p), SKEP_ERANGE);
	assert_int_equal(capture_close(f.w), 0);
	assert_true(capture_file_name("skep-20261123T200102-7.pcapng", &part));
	assert_false(part);
	assert_true(capture_file_name("a-b-20261123T200102-7.pcapng.part", &part));
	assert_true(part);
	assert_false(capture_file_name("skep-20261123T200102-.pcapng", &part));
	assert_false(capture_file_name("20261123T200102-7.pcapng", &part));
	assert_false(capture_file_name("skep-20261123-200102-7.pcapng", &part));
	assert_false(capture_file_name("skep-20261123T200102-7.pcap", &part));
	assert_false(capture_file_name(".pcapng.part", &part));
	assert_false(capture_file_name("", &part));
	folder_remove(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back_equal), cmocka_unit_test(turns_by_size_in_the_budget),
		cmocka_unit_test(turns_by_age),     cmocka_unit_test(adopts_what_was_left),
		cmocka_unit_test(full_disk),        cmocka_unit_test(refuses_nonsense),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
