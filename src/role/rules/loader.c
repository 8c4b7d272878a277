/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules read and thrown away beside the frames. Orders and answers are pointers in pipes: whoever reads
 * one owns what it points to. */
#include "role/rules/loader.h"
#include "role/compiler.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PROBLEMS_TOLD 10u
#define LOADER_NICE 10

struct order {
	int texts, snapshot; /* -1: nothing to read */
	const struct rule_set *now;
	struct rule_set *old_set;
	struct rule_engine *old_engine;
};
struct loader {
	struct loader_conf conf;
	pthread_t thread;
	int orders[2], answers[2];
	bool busy;
};

/* Beside the event loop's own and the heap's: the texts are mapped, databases are read. */
static const struct syscall_row syscalls_loader[] = {
	{"fstat", -1, 0},       {"newfstatat", -1, 0},      {"pread64", -1, 0},
	{"sysinfo", -1, 0}, /* qsort asks how much memory there is */
	{"sched_yield", -1, 0}, {"set_robust_list", -1, 0}, {NULL, -1, 0},
};

/* ---- reading ----------------------------------------------------------------------------------------- */

static void on_problem(void *ctx, const struct rule_problem *p)
{
	struct loader_counts *c = ctx;
	char text[600];
	struct writer w = writer_of(text, sizeof(text));
	c->warnings += p->warning;
	c->failed += !p->warning;
	if (p->warning || c->failed > PROBLEMS_TOLD)
		return;
	write_escaped(&w, p->text, strlen(p->text));
	log_line(LOG_WARN, "%s:%u:%u: %s", p->file, p->line, p->column, text);
}

int loader_read(int texts, int snapshot, struct rule_set **ret, struct loader_counts *ret_counts)
{
	int64_t begin = clock_boot_ns();
	struct loader_counts counts = {.rules = 0};
	struct rule_set_conf conf = {
		.snapshot = snapshot, .no_jit = true, .problem = on_problem, .ctx = &counts};
	struct rule_set *set = NULL;
	int err = compiler_load(texts, &conf, &set);
	if ((err == SKEP_EFORMAT || err == SKEP_ETRUNC) && snapshot != 0) {
		log_line(LOG_WARN, "the compiled rules can't be used here (%s): compiling anew",
			 err_text(err));
		conf.snapshot = 0;
		counts = (struct loader_counts){.rules = 0};
		err = compiler_load(texts, &conf, &set);
	}
	if (err != 0)
		return err;
	counts.rules = rule_set_count(set);
	counts.load_ns = clock_boot_ns() - begin;
	*ret = set;
	*ret_counts = counts;
	return 0;
}

/* ---- the thread ---------------------------------------------------------------------------------------- */

static struct loader_answer work(const struct loader *l, struct order *o)
{
	struct loader_answer a = {.result = 0};
	rule_engine_free(&o->old_engine);
	rule_set_free(&o->old_set);
	if (o->texts < 0)
		return a;
	a.result = loader_read(o->texts, o->snapshot, &a.set, &a.counts);
	if (a.result == 0)
		a.result = rule_engine_create(a.set, &l->conf.engine, l->conf.slab, &a.engine);
	if (a.result == 0 && o->now != NULL && rule_engine_expect(a.engine, o->now) != 0)
		log_line(LOG_DEBUG, "the change will take its time");
	if (a.result != 0)
		rule_set_free(&a.set);
	fd_close(&o->texts);
	fd_close(&o->snapshot);
	return a;
}

static bool put(int fd, const void *data, size_t len)
{
	ssize_t n;
	while ((n = write(fd, data, len)) < 0 && errno == EINTR)
		;
	return n == (ssize_t)len; /* shorter than PIPE_BUF: whole or not at all */
}

static bool get(int fd, void *data, size_t len)
{
	ssize_t n;
	while ((n = read(fd, data, len)) < 0 && errno == EINTR)
		;
	return n == (ssize_t)len;
}

static void *loader_main(void *arg)
{
	struct loader *l = arg;
	/* Frames first. Without, they only wait a little longer for the processor. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), LOADER_NICE);
	const struct syscall_row *const tables[] = {syscalls_common, syscalls_heap,
						    syscalls_loader};
	struct loader_answer a = {.result = confine_final(tables, ARRAY_LEN(tables))};
	struct order o;
	bool go_on = put(l->answers[1], &a, sizeof(a)) && a.result == 0;
	while (go_on && get(l->orders[0], &o, sizeof(o))) {
		bool asked = o.texts >= 0;
		a = work(l, &o);
		if (asked)
			go_on = put(l->answers[1], &a, sizeof(a));
	}
	return NULL;
}

/* ---- the other side -------------------------------------------------------------------------------------- */

static int start(struct loader *l)
{
	struct loader_answer a;
	if (pipe2(l->orders, O_CLOEXEC) < 0 || pipe2(l->answers, O_CLOEXEC) < 0)
		return -errno;
	/* One heap for both: a second one would ask the kernel things that nobody here may. */
	(void)mallopt(M_ARENA_MAX, 1);
	int err = pthread_create(&l->thread, NULL, loader_main, l);
	if (err != 0)
		return -err;
	err = get(l->answers[0], &a, sizeof(a)) ? a.result : -EIO;
	if (err == 0 && fcntl(l->answers[0], F_SETFL, O_NONBLOCK) < 0)
		err = -errno;
	if (err != 0) {
		fd_close(&l->orders[1]);
		(void)pthread_join(l->thread, NULL);
	}
	return err;
}

static void destroy(struct loader *l)
{
	for (unsigned i = 0; i < 2; i++) {
		fd_close(&l->orders[i]);
		fd_close(&l->answers[i]);
	}
	free(l);
}

int loader_create(const struct loader_conf *conf, struct loader **ret)
{
	struct loader *l = calloc(1, sizeof(*l));
	if (l == NULL)
		return -ENOMEM;
	l->conf = *conf;
	l->orders[0] = l->orders[1] = l->answers[0] = l->answers[1] = -1;
	int err = start(l);
	if (err != 0)
		destroy(l);
	else
		*ret = l;
	return err;
}

int loader_fd(const struct loader *l)
{
	return l->answers[0];
}

int loader_order(struct loader *l, int texts, int snapshot, const struct rule_set *now)
{
	const struct order o = {.texts = texts, .snapshot = snapshot, .now = now};
	int err = l->busy ? -EBUSY : put(l->orders[1], &o, sizeof(o)) ? 0 : -EIO;
	l->busy |= err == 0;
	if (err != 0) {
		fd_close(&texts);
		fd_close(&snapshot);
	}
	return err;
}

bool loader_take(struct loader *l, struct loader_answer *ret)
{
	if (!get(l->answers[0], ret, sizeof(*ret)))
		return false;
	l->busy = false;
	return true;
}

void loader_discard(struct loader *l, struct rule_set *set, struct rule_engine *engine)
{
	const struct order o = {.texts = -1, .snapshot = -1, .old_set = set, .old_engine = engine};
	if (!put(l->orders[1], &o, sizeof(o)))
		log_line(LOG_WARN, "the old rules stay in memory");
}

void loader_end(struct loader **l)
{
	if (*l == NULL)
		return;
	fd_close(&(*l)->orders[1]);
	(void)pthread_join((*l)->thread, NULL);
	destroy(*l);
	*l = NULL;
}
