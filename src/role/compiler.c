/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compiler: reads rules and compiles them, with nothing to lose. It may write to its two memfds, get
 * memory and ask for the time. Rights go before the first foreign byte is looked at.
 */
#include "role/compiler_priv.h"
#include "role/role.h"
#include "sys/sys.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define TEXT_MOST 1023u /* of a problem */

/* No tgkill: without a uid of its own it could end other processes of the user. An abort() then ends
 * by the filter, which is as good. */
static const struct syscall_row syscalls[] = {
	{"write", 0, COMPILER_REPORT_FD},
	{"write", 0, COMPILER_SNAPSHOT_FD},
	{"lseek", 0, COMPILER_SNAPSHOT_FD},
	{"munmap", -1, 0},
	{"futex", -1, 0},
	{"getrandom", -1, 0},
	{"sysinfo", -1, 0}, /* qsort asks how much memory there is */
	{"clock_gettime", -1, 0},
	{"rt_sigreturn", -1, 0},
	{"exit", -1, 0},
	{"exit_group", -1, 0},
	{NULL, -1, 0},
};

/* ---- the report --------------------------------------------------------------------------------- */

struct file {
	const char *name;
	uint32_t index; /* among the job's files */
};
struct work {
	struct reader in;
	struct compiler_input head;
	struct file *files;
	uint32_t n_files, last;
	uint8_t *out;
	size_t len, cap;
	int out_err;
	struct compiler_head report;
};

static void put(struct work *w, const void *data, size_t len)
{
	if (w->out_err != 0)
		return;
	if (w->len + len > COMPILER_REPORT_MOST) {
		w->out_err = SKEP_ERANGE;
		return;
	}
	if (w->len + len > w->cap) {
		size_t cap = w->cap > 0 ? w->cap : 65536;
		while (cap < w->len + len)
			cap *= 2;
		uint8_t *more = realloc(w->out, cap);
		if (more == NULL) {
			w->out_err = -ENOMEM;
			return;
		}
		w->out = more;
		w->cap = cap;
	}
	memcpy(w->out + w->len, data, len);
	w->len += len;
}

static void put_text(struct work *w, const char *s, size_t len)
{
	put(w, s, len);
	put(w, "", 1);
}

/* Most often the same as before. */
static uint32_t file_index(struct work *w, const char *name)
{
	for (uint32_t i = 0; i < w->n_files && name != NULL; i++) {
		uint32_t at = (w->last + i) % w->n_files;
		if (strcmp(w->files[at].name, name) != 0)
			continue;
		w->last = at;
		return w->files[at].index;
	}
	return COMPILER_NO_FILE;
}

static void on_problem(void *ctx, const struct rule_problem *p)
{
	struct work *w = ctx;
	w->report.warnings += p->warning;
	w->report.errors += !p->warning;
	if (w->report.n_problems == COMPILER_PROBLEMS)
		return;
	w->report.n_problems++;
	const struct compiler_problem_row row = {file_index(w, p->file),
						 p->line,
						 p->column,
						 p->sid,
						 p->warning,
						 (uint32_t)strnlen(p->text, TEXT_MOST)};
	put(w, &row, sizeof(row));
	put_text(w, p->text, row.text_len);
}

static void list_rules(struct work *w, const struct rule_set *set)
{
	uint32_t n = rule_set_count(set);
	for (uint32_t i = 0; i < n && w->out_err == 0; i++) {
		struct rule_info r;
		uint8_t sum[32];
		rule_set_info(set, i, &r);
		const char *text = r.text != NULL ? r.text : "";
		const char *msg = r.msg != NULL ? r.msg : "";
		const char *class = r.classtype != NULL ? r.classtype : "";
		if (EVP_Digest(text, strlen(text), sum, NULL, EVP_sha256(), NULL) != 1)
			w->out_err = -ENOMEM;
		struct compiler_rule_row row = {.file = file_index(w, r.file),
						.line = r.line,
						.gid = r.gid,
						.sid = r.sid,
						.rev = r.rev,
						.severity = r.severity,
						.action = r.action,
						.msg_len = (uint32_t)strlen(msg),
						.classtype_len = (uint32_t)strlen(class)};
		memcpy(row.text_sum, sum, sizeof(row.text_sum));
		put(w, &row, sizeof(row));
		put_text(w, msg, row.msg_len);
		put_text(w, class, row.classtype_len);
	}
	w->report.n_rules = n;
}

static int write_report(struct work *w, int result)
{
	struct compiler_head *h = &w->report;
	if (result == 0)
		result = w->out_err;
	memcpy(h->magic, COMPILER_OUT_MAGIC, sizeof(h->magic));
	h->version = COMPILER_VERSION;
	h->result = result;
	if (result != 0)
		w->len = h->n_problems = h->n_rules = 0;
	h->len = w->len;
	int err = fd_write(COMPILER_REPORT_FD, h, sizeof(*h));
	return err == 0 ? fd_write(COMPILER_REPORT_FD, w->out, w->len) : err;
}

/* ---- the work ----------------------------------------------------------------------------------- */

static int read_part(struct work *w, struct rule_set *set, const struct compiler_text *p,
		     uint32_t *file)
{
	if (p->kind != PART_FILE && p->kind != PART_CONFIG)
		return 0;
	w->last = w->n_files;
	w->files[w->n_files++] = (struct file){p->name, (*file)++};
	return p->kind == PART_CONFIG ? rule_set_read_config(set, p->name, p->text, p->len)
				      : rule_set_read(set, p->name, p->text, p->len);
}

static int fill(struct work *w, struct rule_set *set)
{
	struct compiler_text p;
	uint32_t file = 0;
	int err = 0;
	for (uint32_t i = 0; i < w->head.n && err == 0; i++) {
		err = compiler_next(&w->in, &p);
		if (err == 0)
			err = read_part(w, set, &p, &file);
	}
	if (err == 0)
		err = rule_set_finish(set);
	if (err == 0 && !w->head.parse_only)
		err = rule_set_write_snapshot(set, COMPILER_SNAPSHOT_FD);
	if (err == 0) {
		rule_set_read_stats(set, &w->report.stats);
		if (w->head.list)
			list_rules(w, set);
	}
	return err;
}

static int compile(struct work *w)
{
	struct rule_vars *vars = NULL;
	struct rule_set *set = NULL;
	int err = -ENOMEM;
	w->files = w->head.n <= COMPILER_FILES ? calloc(w->head.n + 1, sizeof(*w->files)) : NULL;
	if (w->files != NULL)
		err = rule_vars_create(&vars);
	if (err == 0)
		err = compiler_vars(w->in, w->head.n, vars);
	const struct rule_set_conf conf = {.vars = vars,
					   .problem = on_problem,
					   .ctx = w,
					   .parse_only = w->head.parse_only != 0,
					   .no_jit = true};
	if (err == 0)
		err = rule_set_create(&conf, &set);
	if (err == 0)
		err = fill(w, set);
	rule_set_free(&set);
	rule_vars_free(&vars);
	return err;
}

/* ---- confinement -------------------------------------------------------------------------------- */

static int set_limit(unsigned what, uint64_t most)
{
	/* A second between them, so that the end says which limit it was. */
	struct rlimit had, l = {most, what == RLIMIT_CPU ? most + 1 : most};
	if (getrlimit(what, &had) < 0)
		return -errno;
	if (l.rlim_max > had.rlim_max) /* who started us had less himself */
		l.rlim_max = had.rlim_max;
	if (l.rlim_cur > l.rlim_max)
		l.rlim_cur = l.rlim_max;
	return setrlimit(what, &l) < 0 ? -errno : 0;
}

static int limit(const struct compiler_input *in)
{
	int err = set_limit(RLIMIT_CPU, in->cpu_s);
	if (err == 0)
		err = set_limit(RLIMIT_FSIZE, COMPILER_SNAPSHOT_MOST);
	if (err == 0)
		err = set_limit(RLIMIT_CORE, 0);
#ifndef SKEP_SANITIZE /* its shadow takes terabytes of addresses; the leak check opens files */
	if (err == 0)
		err = set_limit(RLIMIT_AS, in->memory_bytes);
	if (err == 0)
		err = set_limit(RLIMIT_NOFILE, 0);
#endif
	return err;
}

/* The library looks for its configuration at its first use, when there are no files any more. */
static int wake_crypto(void)
{
	uint8_t sum[32];
	return OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1 &&
			       EVP_Digest("", 0, sum, NULL, EVP_sha256(), NULL) == 1
		       ? 0
		       : -ENOMEM;
}

int compiler_confine(struct reader *ret, struct compiler_input *ret_head)
{
	int err = confine_early(0, true);
	if (err == 0)
		err = wake_crypto();
	if (err == 0)
		err = confine_folder(-1);
	if (err == SKEP_EUNSUPPORTED) /* the filter has no call that opens anything either */
		err = 0;
	if (err == 0)
		err = compiler_map(COMPILER_INPUT_FD, ret, ret_head);
	if (err == 0)
		err = limit(ret_head);
	const struct syscall_row *const tables[] = {
		syscalls,
		syscalls_heap,
#ifdef SKEP_SANITIZE
		syscalls_common,
#endif
	};
	return err == 0 ? confine_final(tables, ARRAY_LEN(tables)) : err;
}

int role_compiler(void)
{
	struct work w = {.n_files = 0};
	log_setup("compiler", LOG_INFO);
	if (compiler_confine(&w.in, &w.head) != 0)
		return COMPILER_UNCONFINED;
	int err = write_report(&w, compile(&w));
	free(w.files);
	free(w.out);
	return err == 0 ? COMPILER_OK : COMPILER_FAILED;
}
