/* SPDX-License-Identifier: BSD-2-Clause */
/* What is written is read again, whatever it is; days go when they must; a full disk is heard of. */
#include "syslog/syslog.h"
#include "syslog/syslog_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW (INT64_C(1795863600) * NS_PER_SEC) /* 2026-11-28T11:00:00Z */
#define DAY (86400 * NS_PER_SEC)

struct box {
	char dir[40];
	int fd;
	struct syslog_store *s;
};

static int set_up(void **state)
{
	struct box *b = calloc(1, sizeof(*b));
	assert_non_null(b);
	text_copy(b->dir, sizeof(b->dir), "/tmp/skep-syslog-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	b->fd = open(b->dir, O_RDONLY | O_DIRECTORY);
	assert_true(b->fd >= 0);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct box *b = *state;
	char command[64];
	syslog_store_close(&b->s);
	close(b->fd);
	snprintf(command, sizeof(command), "rm -rf %s", b->dir);
	assert_int_equal(system(command), 0);
	free(b);
	return 0;
}

static void open_it(struct box *b, uint64_t bytes, uint32_t days)
{
	assert_int_equal(syslog_store_open(b->fd, bytes, days, &b->s), 0);
}

static int add(struct box *b, const char *guest, int64_t ns, const char *text)
{
	return syslog_store_add(b->s, guest, ns, 7, text, strlen(text), false);
}

static void tick(struct box *b, int64_t ns)
{
	uint32_t days;
	assert_int_equal(syslog_store_tick(b->s, ns, &days), 0);
}

struct list {
	char text[8192];
	struct writer w;
	unsigned n, most;
	uint64_t lost;
};

static bool take(void *ctx, const struct syslog_kept *k)
{
	struct list *l = ctx;
	l->lost += k->lost;
	l->n += k->lost == 0;
	if (k->lost == 0 && k->len < 200) {
		write_fmt(&l->w, "%s %u.%u%s ", k->guest, k->facility, k->severity,
			  k->cut ? "~" : "");
		write_escaped(&l->w, k->raw, k->len);
		write_str(&l->w, "|");
	}
	return l->most == 0 || l->n < l->most;
}

static struct list *read_back(const struct box *b, const char *guest, int64_t from, int64_t to,
			      unsigned most)
{
	struct list *l = calloc(1, sizeof(*l));
	l->w = writer_of(l->text, sizeof(l->text));
	l->most = most;
	assert_int_equal(syslog_store_read(b->dir, guest, from, to, take, l), 0);
	return l;
}

static void expect(const struct box *b, const char *guest, int64_t from, int64_t to, unsigned most,
		   const char *want)
{
	struct list *l = read_back(b, guest, from, to, most);
	assert_string_equal(l->text, want);
	free(l);
}

static void round_trip(void **state)
{
	struct box *b = *state;
	char every[256];
	open_it(b, 0, 0);
	for (int i = 0; i < 256; i++)
		every[i] = (char)i;
	assert_int_equal(add(b, "web1", NOW, "<38>Nov 28 11:00:00 w sshd[1]: hello \\ \x1b[31m"),
			 0);
	assert_int_equal(add(b, "web2", NOW + 1000, "no \xe4 priority"), 0);
	assert_int_equal(
		syslog_store_add(b->s, "web1", NOW + 2000, UINT64_MAX / 16, every, 256, true), 0);
	assert_int_equal(add(b, "web1", NOW + DAY, "<0>next day"), 0);
	tick(b, NOW + DAY);
	expect(b, NULL, 0, 0, 2,
	       "web1 4.6 <38>Nov 28 11:00:00 w sshd[1]: hello \\\\ \\x1b[31m|web2 1.5 no \\xe4 "
	       "priority|");
	expect(b, "web1", NOW + DAY, 0, 0, "web1 0.0 <0>next day|");
	expect(b, "web2", NOW + 1001, 0, 0, "");
	struct list *l = read_back(b, "web1", NOW + 1, NOW + 3000, 0);
	assert_int_equal(l->n, 1);
	free(l);
}

static void no_escape_reaches_the_file(void **state)
{
	struct box *b = *state;
	char path[80], buf[2048];
	open_it(b, 0, 0);
	assert_int_equal(add(b, "web1", NOW, "a\nb\x1b]0;x\x07\xc2\x9b\x7f"), 0);
	tick(b, NOW);
	snprintf(path, sizeof(path), "%s/web1/2026-11-28.log", b->dir);
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	assert_true(n > 0);
	buf[n] = '\0';
	assert_string_equal(buf, "2026-11-28T11:00:00.000000Z 7 user.notice "
				 "a\\x0ab\\x1b]0;x\\x07\\xc2\\x9b\\x7f\n");
}

static void odd_names(void **state)
{
	struct box *b = *state;
	open_it(b, 0, 0);
	assert_int_equal(add(b, "../x", NOW, "a"), -EINVAL);
	assert_int_equal(add(b, "", NOW, "a"), -EINVAL);
	assert_int_equal(add(b, "-a", NOW, "a"), -EINVAL);
	/* A link where the day's file should be is not followed. */
	char path[80];
	snprintf(path, sizeof(path), "%s/web1", b->dir);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/web1/2026-11-28.log", b->dir);
	assert_int_equal(symlink("/tmp/skep-nowhere", path), 0);
	assert_true(add(b, "web1", NOW, "a") < 0);
	assert_int_equal(access("/tmp/skep-nowhere", F_OK), -1);
}

/* Half a line, as a crash leaves it, goes; so does rubbish for the reader. */
static void after_a_crash(void **state)
{
	struct box *b = *state;
	char path[80];
	open_it(b, 0, 0);
	assert_int_equal(add(b, "web1", NOW, "one"), 0);
	syslog_store_close(&b->s);
	snprintf(path, sizeof(path), "%s/web1/2026-11-28.log", b->dir);
	int fd = open(path, O_WRONLY | O_APPEND);
	assert_true(write(fd, "rubbish\n\n2026-11-28T11:00:00.0", 30) == 30);
	close(fd);
	open_it(b, 0, 0);
	assert_int_equal(add(b, "web1", NOW + 1000, "two"), 0);
	tick(b, NOW);
	expect(b, NULL, 0, 0, 0, "web1 1.5 one|web1 1.5 two|");
}

static void days_go(void **state)
{
	struct box *b = *state;
	uint32_t days;
	open_it(b, 0, 3);
	for (int i = 0; i < 6; i++)
		assert_int_equal(add(b, "web1", NOW + i * DAY, "x"), 0);
	assert_int_equal(syslog_store_tick(b->s, NOW + 5 * DAY, &days), 0);
	assert_int_equal(days, 2);
	struct list *l = read_back(b, NULL, 0, 0, 0);
	assert_int_equal(l->n, 4);
	free(l);
}

/* A flood fills its guest's share of the day; the others go on, and the store says how much it refused. */
static void a_flood_has_its_share(void **state)
{
	struct box *b = *state;
	char text[1000];
	int err = 0;
	unsigned put = 0;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	open_it(b, 4 << 20, 0);
	assert_int_equal(add(b, "web1", NOW, "before"), 0);
	for (unsigned i = 0; i < 5000; i++) {
		err = add(b, "web1", NOW, text);
		put += err == 0;
	}
	assert_int_equal(err, -EDQUOT);
	assert_int_equal(add(b, "web2", NOW, "other"), 0);
	tick(b, NOW + 60 * NS_PER_SEC);
	struct list *l = read_back(b, NULL, 0, 0, 0);
	assert_int_equal(l->n, put + 2);
	assert_int_equal(l->lost, 5000 - put);
	assert_true(put > 900 && put < 1200);
	free(l);
	/* Tomorrow there is room again. */
	assert_int_equal(add(b, "web1", NOW + DAY, "tomorrow"), 0);
}

static void budget_of_all(void **state)
{
	struct box *b = *state;
	char text[1000];
	uint32_t days, gone = 0;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	open_it(b, 4 << 20, 0);
	for (unsigned d = 0; d < 8; d++) {
		for (unsigned i = 0; i < 1000; i++)
			assert_int_equal(add(b, "web1", NOW + d * DAY, text), 0);
		assert_int_equal(syslog_store_tick(b->s, NOW + d * DAY, &days), 0);
		gone += days;
	}
	assert_int_equal(gone, 4);
}

/* A day is not read from its beginning for its last minute, and nothing of that is missed. */
static void from_the_middle(void **state)
{
	struct box *b = *state;
	char text[400];
	open_it(b, 0, 0);
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text), "<13>%05u %0*d", i, 100 + (int)(i % 200), 0);
		assert_int_equal(add(b, "web1", NOW + i * NS_PER_SEC, text), 0);
	}
	tick(b, NOW);
	for (unsigned first = 0; first < 10000; first += 777) {
		struct list *l = read_back(b, "web1", NOW + first * NS_PER_SEC, 0, 0);
		assert_int_equal(l->n, 10000 - first);
		free(l);
	}
}

/* RLIMIT_FSIZE stands for a full disk. Nothing that was taken is lost when there is room again. */
static void full_disk(void **state)
{
	struct box *b = *state;
	struct rlimit old, low;
	uint32_t days;
	unsigned put = 0;
	int err = 0;
	char text[1000];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	signal(SIGXFSZ, SIG_IGN);
	open_it(b, 0, 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = old;
	low.rlim_cur = 100000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	for (unsigned i = 0; i < 1000; i++) {
		err = add(b, "web1", NOW, text);
		put += err == 0;
	}
	assert_int_equal(err, -EFBIG);
	assert_int_equal(syslog_store_tick(b->s, NOW, &days), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	tick(b, NOW + NS_PER_SEC);
	assert_int_equal(add(b, "web1", NOW + NS_PER_SEC, "after"), 0);
	tick(b, NOW + 60 * NS_PER_SEC);
	struct list *l = read_back(b, NULL, 0, 0, 0);
	assert_int_equal(l->n, put + 1);
	assert_int_equal(l->lost, 1000 - put);
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(round_trip, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_escape_reaches_the_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(odd_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(after_a_crash, set_up, tear_down),
		cmocka_unit_test_setup_teardown(days_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_flood_has_its_share, set_up, tear_down),
		cmocka_unit_test_setup_teardown(budget_of_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(from_the_middle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(full_disk, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
