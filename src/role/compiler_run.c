/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other side of a compiler: gives it its input, waits, and reads what it left as one reads what a
 * stranger left. Its memfds are sealed after its death, so that what is checked is what is used.
 */
#include "role/compiler_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CPU_S 120u
#define WAIT_MS 300000u
#define MEMORY_BYTES (UINT64_C(2) << 30)
#define UID_NOBODY 65534u

/* ---- what it gets ------------------------------------------------------------------------------- */

struct pack { /* to a descriptor, to a sum, or both */
	int fd;
	EVP_MD_CTX *md;
	uint64_t len;
	int err;
};

static void pack(struct pack *p, const void *data, size_t len)
{
	p->len += len;
	if (p->err == 0 && p->len > COMPILER_INPUT_MOST)
		p->err = SKEP_ERANGE;
	if (p->err == 0 && p->md != NULL && EVP_DigestUpdate(p->md, data, len) != 1)
		p->err = -ENOMEM;
	for (const uint8_t *d = data; p->err == 0 && p->fd >= 0 && len > 0;) {
		ssize_t n = write(p->fd, d, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			p->err = n < 0 ? -errno : -EIO;
			break;
		}
		d += n;
		len -= (size_t)n;
	}
}

static void pack_part(struct pack *p, enum compiler_part_kind kind, const char *name,
		      const char *text, size_t len)
{
	const struct compiler_part part = {kind, (uint32_t)strlen(name), len};
	pack(p, &part, sizeof(part));
	pack(p, name, part.name_len + 1u);
	pack(p, text, len);
	pack(p, "", 1);
}

static void pack_parts(struct pack *p, const struct compiler_job *j)
{
	for (size_t i = 0; i < j->n_vars; i++)
		pack_part(p, j->vars[i].ports ? PART_PORTS : PART_ADDRESSES, j->vars[i].name,
			  j->vars[i].value, strlen(j->vars[i].value));
	for (size_t i = 0; i < j->n_files; i++)
		pack_part(p, j->files[i].config ? PART_CONFIG : PART_FILE, j->files[i].name,
			  j->files[i].text, j->files[i].len);
}

int compiler_key(const struct compiler_job *job, uint8_t ret[COMPILER_KEY])
{
	struct pack p = {.fd = -1, .md = EVP_MD_CTX_new()};
	if (p.md == NULL || EVP_DigestInit_ex(p.md, EVP_sha256(), NULL) != 1)
		p.err = -ENOMEM;
	pack_parts(&p, job);
	if (p.err == 0 && EVP_DigestFinal_ex(p.md, ret, NULL) != 1)
		p.err = -ENOMEM;
	EVP_MD_CTX_free(p.md);
	return p.err;
}

static int seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0
		       ? -errno
		       : 0;
}

int compiler_pack(const struct compiler_job *j, int *ret)
{
	CLEANUP(fd_close) int fd = memfd_create("rules", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	struct compiler_input head = {.version = COMPILER_VERSION,
				      .n = (uint32_t)(j->n_files + j->n_vars),
				      .cpu_s = j->cpu_s != 0 ? j->cpu_s : CPU_S,
				      .parse_only = j->parse_only,
				      .list = j->list,
				      .memory_bytes = j->memory_bytes != 0 ? j->memory_bytes
									   : MEMORY_BYTES};
	if (j->n_files > COMPILER_FILES || j->n_vars > COMPILER_FILES)
		return SKEP_ERANGE;
	memcpy(head.magic, COMPILER_IN_MAGIC, sizeof(head.magic));
	struct pack p = {.fd = fd};
	pack(&p, &head, sizeof(head));
	pack_parts(&p, j);
	if (p.err == 0)
		p.err = seal(fd);
	if (p.err == 0)
		*ret = fd_take(&fd);
	return p.err;
}

/* ---- its life ----------------------------------------------------------------------------------- */

static int start(const struct compiler_job *j, const int fds[3], pid_t *ret_pid, int *ret_pidfd)
{
	char name[32], role[] = "--role", self[] = "skep";
	(void)text_copy(name, sizeof(name), j->role != NULL ? j->role : "compiler");
	char *const argv[] = {self, role, name, NULL};
	CLEANUP(fd_close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -errno;
	struct spawn s = {.argv = argv,
			  .netns = -1,
			  .cgroup = -1,
			  .die_with_parent = true,
			  .no_dump = true,
			  .max_files = 16,
			  .fds = {null, null, null, fds[0], fds[1], fds[2]},
			  .n_fds = 6};
#ifdef SKEP_SANITIZE
	s.fds[2] = 2; /* findings go there; else a stranger's bytes would reach the terminal */
#endif
	if (geteuid() == 0) {
		s.uid = UID_NOBODY;
		s.netns = SPAWN_NETNS_EMPTY;
		int err = spawn_child(&s, ret_pid, ret_pidfd);
		if (err != -EPERM)
			return err;
		s.netns = -1; /* a root that may make no namespaces; the filter has no sockets */
	}
	return spawn_child(&s, ret_pid, ret_pidfd);
}

/* Waits for the end, at most wait_ms. -1: killed for being late. */
static int wait_end(pid_t pid, int pidfd, uint32_t wait_ms)
{
	int64_t until = clock_boot_ns() + (int64_t)wait_ms * NS_PER_MS;
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	bool late = false;
	for (;;) {
		int64_t left = until - clock_boot_ns();
		int n = poll(&p, 1, left > 0 ? (int)(left / NS_PER_MS) + 1 : 0);
		if (n > 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		late = true;
		kill(pid, SIGKILL);
		break;
	}
	int status = 0;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return late ? -1 : status;
}

static int told(char *why, size_t size, int err, const char *text)
{
	struct writer w = writer_of(why, size);
	write_fmt(&w, "the rule compiler %s", text);
	return err;
}

static int judge_end(const struct compiler_job *j, int status, char *why, size_t size)
{
	char text[100];
	struct writer w = writer_of(text, sizeof(text));
	if (status == -1) {
		write_fmt(&w, "was not done after %u s and was stopped",
			  (j->wait_ms != 0 ? j->wait_ms : WAIT_MS) / 1000);
		return told(why, size, SKEP_ETIMEOUT, text);
	}
	if (WIFEXITED(status)) {
		if (WEXITSTATUS(status) == COMPILER_OK)
			return 0;
		if (WEXITSTATUS(status) == COMPILER_UNCONFINED)
			return told(why, size, SKEP_EUNSUPPORTED,
				    "could not give up its rights, and reads nothing with them "
				    "(does this kernel have seccomp?)");
		write_fmt(&w, "ended with code %d", WEXITSTATUS(status));
		return told(why, size, SKEP_EPEER, text);
	}
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	if (sig == SIGXCPU)
		write_fmt(&w, "used up its %u s of CPU", j->cpu_s != 0 ? j->cpu_s : CPU_S);
	else if (sig == SIGXFSZ)
		write_str(&w, "wrote more than it may");
	else if (sig == SIGSYS)
		write_str(&w, "was ended by its system-call filter");
	else
		write_fmt(&w, "died of signal %d", sig);
	return told(why, size, SKEP_EPEER, text);
}

/* ---- what it left ------------------------------------------------------------------------------- */

static const char *name_of(const struct compiler_job *j, uint32_t file)
{
	return file < j->n_files ? j->files[file].name : "?";
}

/* A text of exactly len bytes and a NUL; NULL: it is not one. */
static const char *read_text(struct reader *r, uint32_t len)
{
	if (len >= reader_left(r))
		return NULL;
	const uint8_t *s = read_bytes(r, (size_t)len + 1);
	return s != NULL && memchr(s, 0, (size_t)len + 1) == s + len ? (const char *)s : NULL;
}

static int read_problem(struct reader *r, const struct compiler_job *j, struct rule_problem *ret)
{
	struct compiler_problem_row row;
	const uint8_t *p = read_bytes(r, sizeof(row));
	if (p == NULL)
		return SKEP_ETRUNC;
	memcpy(&row, p, sizeof(row));
	*ret = (struct rule_problem){.file = name_of(j, row.file),
				     .line = row.line,
				     .column = row.column,
				     .warning = row.warning != 0,
				     .text = read_text(r, row.text_len),
				     .sid = row.sid};
	return ret->text != NULL ? 0 : SKEP_EFORMAT;
}

static int read_rule(struct reader *r, const struct compiler_job *j, struct compiler_rule *ret)
{
	struct compiler_rule_row row;
	const uint8_t *p = read_bytes(r, sizeof(row));
	if (p == NULL)
		return SKEP_ETRUNC;
	memcpy(&row, p, sizeof(row));
	if (row.action >= ACTIONS)
		return SKEP_EFORMAT;
	*ret = (struct compiler_rule){.gid = row.gid,
				      .sid = row.sid,
				      .rev = row.rev,
				      .severity = row.severity,
				      .line = row.line,
				      .action = (enum rule_action)row.action,
				      .file = name_of(j, row.file)};
	memcpy(ret->text_sum, row.text_sum, sizeof(ret->text_sum));
	ret->msg = read_text(r, row.msg_len);
	ret->classtype = ret->msg != NULL ? read_text(r, row.classtype_len) : NULL;
	return ret->classtype != NULL ? 0 : SKEP_EFORMAT;
}

/* body: h->len bytes. */
static int read_rows(const struct compiler_job *j, const struct compiler_head *h,
		     const uint8_t *body, struct compiler_report *ret)
{
	struct reader r = reader_of(body, h->len);
	if (h->n_problems > COMPILER_PROBLEMS || h->n_problems > h->errors + h->warnings ||
	    h->n_rules > h->len / sizeof(struct compiler_rule_row))
		return SKEP_EFORMAT;
	ret->problems = calloc((size_t)h->n_problems + 1, sizeof(*ret->problems));
	ret->rules = calloc((size_t)h->n_rules + 1, sizeof(*ret->rules));
	int err = ret->problems == NULL || ret->rules == NULL ? -ENOMEM : 0;
	for (uint32_t i = 0; i < h->n_problems && err == 0; i++)
		err = read_problem(&r, j, &ret->problems[i]);
	for (uint32_t i = 0; i < h->n_rules && err == 0; i++)
		err = read_rule(&r, j, &ret->rules[i]);
	return err != 0 ? err : reader_left(&r) == 0 ? 0 : SKEP_EFORMAT;
}

static int read_memory(int fd, size_t len, void **ret)
{
	uint8_t *d = malloc(len + 1);
	if (d == NULL)
		return -ENOMEM;
	for (size_t at = 0; at < len;) {
		ssize_t n = pread(fd, d + at, len - at, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			free(d);
			return n < 0 ? -errno : SKEP_ETRUNC;
		}
		at += (size_t)n;
	}
	*ret = d;
	return 0;
}

int compiler_read_report(const struct compiler_job *j, int fd, struct compiler_report *ret,
			 int *ret_result)
{
	struct compiler_head h;
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	uint64_t size = (uint64_t)st.st_size;
	if (size < sizeof(h) || size > COMPILER_REPORT_MOST + sizeof(h))
		return SKEP_EFORMAT;
	int err = read_memory(fd, (size_t)size, &ret->memory);
	if (err != 0)
		return err;
	memcpy(&h, ret->memory, sizeof(h));
	if (memcmp(h.magic, COMPILER_OUT_MAGIC, sizeof(h.magic)) != 0 ||
	    h.version != COMPILER_VERSION || h.len != size - sizeof(h) || h.result > 0)
		return SKEP_EFORMAT;
	ret->stats = h.stats;
	ret->errors = h.errors;
	ret->warnings = h.warnings;
	*ret_result = h.result;
	err = read_rows(j, &h, (const uint8_t *)ret->memory + sizeof(h), ret);
	ret->n_problems = err == 0 ? h.n_problems : 0;
	ret->n_rules = err == 0 ? h.n_rules : 0;
	return err;
}

static int take(const struct compiler_job *j, const int fds[3], struct compiler_report *ret,
		char *why, size_t size)
{
	struct stat st;
	int result = 0, err = 0;
	for (unsigned i = 1; i < 3 && err == 0; i++)
		err = seal(fds[i]);
	if (err == 0 && fstat(fds[2], &st) < 0)
		err = -errno;
	if (err != 0)
		return told(why, size, err, err_text(err));
	err = compiler_read_report(j, fds[1], ret, &result);
	if (err == -ENOMEM)
		return told(why, size, err, "left a report that memory is too short for");
	if (err != 0 || (uint64_t)st.st_size > COMPILER_SNAPSHOT_MOST)
		return told(why, size, SKEP_EFORMAT, "left a report that makes no sense");
	if (result == 0)
		return 0;
	struct writer w = writer_of(why, size);
	if (result == -ENOMEM) {
		uint64_t most = j->memory_bytes != 0 ? j->memory_bytes : MEMORY_BYTES;
		write_str(&w, "the rules need more memory than their compiler gets (");
		text_bytes(&w, most);
		write_str(&w, ")");
	} else {
		write_fmt(&w, "the rules can't be compiled: %s", err_text(result));
	}
	return result;
}

void compiler_report_free(struct compiler_report *r)
{
	free(r->problems);
	free(r->rules);
	free(r->memory);
	*r = (struct compiler_report){.memory = NULL};
}

int compiler_run(const struct compiler_job *job, int *ret_snapshot, struct compiler_report *ret,
		 char *why, size_t why_size)
{
	CLEANUP(fd_close) int in = -1;
	CLEANUP(fd_close) int out = memfd_create("report", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	CLEANUP(fd_close) int snapshot = memfd_create("snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	CLEANUP(fd_close) int pidfd = -1;
	struct compiler_report report = {.memory = NULL};
	pid_t pid = 0;
	int err = out < 0 || snapshot < 0 ? -errno : compiler_pack(job, &in);
	const int fds[] = {in, out, snapshot};
	if (err == 0)
		err = start(job, fds, &pid, &pidfd);
	if (err != 0) {
		struct writer w = writer_of(why, why_size);
		write_fmt(&w, "the rule compiler can't start: %s", err_text(err));
		return err;
	}
	uint32_t wait_ms = job->wait_ms != 0 ? job->wait_ms : WAIT_MS;
	err = judge_end(job, wait_end(pid, pidfd, wait_ms), why, why_size);
	if (err == 0)
		err = take(job, fds, &report, why, why_size);
	if (err != 0) {
		compiler_report_free(&report);
		return err;
	}
	*ret = report;
	*ret_snapshot = job->parse_only ? -1 : fd_take(&snapshot);
	return 0;
}
