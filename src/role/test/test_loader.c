/* SPDX-License-Identifier: BSD-2-Clause */
/* The wall's second thread: reads what it is given, survives what can't be read, keeps off the slab. */
#include "role/compiler.h"
#include "role/rules/loader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 60000

static const char good[] =
	"alert udp any any -> any any (msg:\"one\"; content:\"needle\"; sid:1;)\n"
	"drop tcp any any -> $HOME_NET 80 (content:\"thread\"; pcre:\"/a.c/\"; sid:2;)\n"
	"this is no rule\n";

static int pack(const char *text)
{
	const struct compiler_file file = {.name = "a.rules", .text = text, .len = strlen(text)};
	const struct compiler_var var = {"HOME_NET", "[10.0.0.0/8]", false};
	const struct compiler_job job = {.files = &file, .n_files = 1, .vars = &var, .n_vars = 1};
	int fd = -1;
	assert_int_equal(compiler_pack(&job, &fd), 0);
	return fd;
}

static int junk(void)
{
	int fd = memfd_create("junk", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "nothing that makes sense, at all", 32), 32);
	return fd;
}

static void test_read(void **state)
{
	struct rule_set *set = NULL;
	struct loader_counts c;
	(void)state;
	int texts = pack(good), bad = junk();
	assert_int_equal(loader_read(texts, 0, &set, &c), 0);
	assert_int_equal(c.rules, 2);
	assert_int_equal(c.failed, 1);
	rule_set_free(&set);
	/* Databases that are none: compiled anew. */
	assert_int_equal(loader_read(texts, bad, &set, &c), 0);
	assert_int_equal(c.rules, 2);
	assert_int_equal(c.failed, 1);
	rule_set_free(&set);
	/* Texts that are none. */
	assert_true(loader_read(bad, 0, &set, &c) < 0);
	assert_null(set);
	close(texts);
	close(bad);
}

/* ---- with the thread: in a process of its own, as it is confined ---------------------------------- */

#define MUST(what)                                                    \
	do {                                                          \
		if (!(what)) {                                        \
			dprintf(2, "line %d: %s\n", __LINE__, #what); \
			_exit(1);                                     \
		}                                                     \
	} while (0)

static struct loader_answer answer(struct loader *l)
{
	struct loader_answer a;
	struct pollfd p = {.fd = loader_fd(l), .events = POLLIN};
	MUST(poll(&p, 1, PATIENCE_MS) == 1);
	MUST(loader_take(l, &a));
	return a;
}

static void play(void)
{
	struct slab *slab = NULL;
	struct slab_stats before, after;
	struct loader *l = NULL;
	struct loader_answer a;
	const struct rule_set *now = NULL;
	MUST(slab_create(1u << 20, &slab) == 0);
	slab_read_stats(slab, &before);
	const struct loader_conf conf = {.engine = {.inline_mode = true}, .slab = slab};
	MUST(loader_create(&conf, &l) == 0);
	MUST(!loader_take(l, &a));
	MUST(loader_order(l, pack(good), junk(), now) == 0);
	MUST(loader_order(l, pack(good), junk(), now) == -EBUSY);
	a = answer(l);
	MUST(a.result == 0 && a.set != NULL && a.engine != NULL && a.counts.rules == 2);
	for (unsigned i = 0; i < 5; i++) {
		struct loader_answer next;
		/* Nothing that can be read: the next order is served all the same. */
		MUST(loader_order(l, junk(), junk(), now) == 0);
		next = answer(l);
		MUST(next.result < 0 && next.set == NULL && next.engine == NULL);
		MUST(loader_order(l, pack(good), junk(), now) == 0);
		next = answer(l);
		MUST(next.result == 0);
		loader_discard(l, a.set, a.engine);
		a = next;
		now = a.set;
	}
	slab_read_stats(slab, &after);
	MUST(before.used == after.used && after.peak == before.peak);
	loader_discard(l, a.set, a.engine);
	loader_end(&l);
	MUST(l == NULL);
	slab_free_all(&slab);
	_exit(0);
}

static void test_thread(void **state)
{
	int status = 0;
	(void)state;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		play();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void *look(void *arg)
{
	bool *seen = arg;
	*seen = heap_sealed();
	return NULL;
}

/* One thread's seal is not the other's. */
static void test_seal(void **state)
{
	int status = 0;
	(void)state;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		pthread_t t;
		bool seen = true;
		heap_seal();
		MUST(heap_sealed());
		MUST(pthread_create(&t, NULL, look, &seen) == 0 && pthread_join(t, NULL) == 0);
		MUST(!seen);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_thread),
		cmocka_unit_test(test_seal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
