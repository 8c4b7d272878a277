/* SPDX-License-Identifier: BSD-2-Clause */
/* The programs: which of them this kernel can take, whether they still hang where they were hung. */
#include "monitor/monitor.h"
#include "monitor/programs.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A program that is not here is not loaded. args: only where the function has that many. A hook is
 * attached if one of its programs is. */
struct hook_row {
	const char *program;
	enum sensor_hook hook;
	uint32_t args;
};
static const struct hook_row rows[] = {
	{"life_fork", HOOK_FORK, 0},         {"life_exec", HOOK_EXEC, 0},
	{"life_exit", HOOK_EXIT, 0},         {"life_accept4", HOOK_ACCEPT, 4},
	{"life_accept2", HOOK_ACCEPT, 2},    {"life_connect4", HOOK_CONNECT, 0},
	{"life_connect6", HOOK_CONNECT, 0},  {"life_datagram4", HOOK_CONNECT, 0},
	{"life_datagram6", HOOK_CONNECT, 0}, {"life_cred", HOOK_CRED, 0},
	{"life_module", HOOK_MODULE, 0},     {"life_bpf", HOOK_BPF, 0},
	{"life_signal", HOOK_SIGNAL, 0},     {"io_fork", HOOK_PIPE, 0},
	{"io_exec", HOOK_PIPE, 0},           {"io_tty_read", HOOK_TTY, 0},
	{"io_tty_write", HOOK_TTY, 0},       {"io_resize", HOOK_TTY, 0},
	{"io_pipe_read", HOOK_PIPE, 0},      {"io_pipe_read2", HOOK_PIPE, 0},
	{"io_pipe_write", HOOK_PIPE, 0},     {"io_pipe_write2", HOOK_PIPE, 0},
	{"io_unix_read", HOOK_UNIX, 0},      {"io_unix_write", HOOK_UNIX, 0},
	{"file_close", HOOK_FILE, 0},        {"file_chmod", HOOK_FILE, 0},
	{"file_unlink", HOOK_UNLINK, 0},     {"file_rename5", HOOK_RENAME, 5},
	{"file_rename4", HOOK_RENAME, 4},
};
/* What hooks_prove sets off. */
#define PROVABLE                                                                         \
	(1ull << HOOK_FORK | 1ull << HOOK_EXEC | 1ull << HOOK_EXIT | 1ull << HOOK_CRED | \
	 1ull << HOOK_CONNECT | 1ull << HOOK_SIGNAL)

static const struct hook_row *row_of(const char *program)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].program, program) == 0)
			return &rows[i];
	return NULL;
}

static uint32_t args_of(const struct btf *btf, int func)
{
	const struct btf_type *t = btf__type_by_id(btf, (uint32_t)func);

	t = t ? btf__type_by_id(btf, t->type) : NULL;
	return t ? btf_vlen(t) : 0;
}

/* Has this kernel what the program hangs at? libbpf would give up on all for one that it has not. */
static bool possible(const struct btf *btf, const struct bpf_program *p, const struct hook_row *row)
{
	const char *section = bpf_program__section_name(p), *target = strchr(section, '/');
	char name[128];
	int id;

	if (!target)
		return true;
	target++;
	if (strncmp(section, "tp_btf/", 7) == 0) {
		snprintf(name, sizeof(name), "btf_trace_%s", target);
		return btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF) > 0;
	}
	if (strncmp(section, "fentry/", 7) != 0 && strncmp(section, "fexit/", 6) != 0)
		return true;
	id = btf__find_by_name_kind(btf, target, BTF_KIND_FUNC);
	return id > 0 && (row->args == 0 || args_of(btf, id) == row->args);
}

static int say_nothing(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return 0;
}

/* Programs that are not wanted, or not possible here, are left out. skip: bit per row that the kernel refused. */
static void choose(struct hooks *h, const struct btf *btf, uint64_t skip)
{
	struct bpf_program *p;
	uint32_t n = 0;

	bpf_object__for_each_program(p, h->object)
	{
		const struct hook_row *row = row_of(bpf_program__name(p));
		bool wanted = row && !(skip >> (row - rows) & 1) && possible(btf, p, row);

		bpf_program__set_autoload(p, wanted);
		if (!h->debug && n < HOOK_PROGRAMS)
			bpf_program__set_log_buf(p, h->logs[n], sizeof(h->logs[n]));
		n++;
	}
}

/* The row of the program that was refused: the verifier wrote into its log. */
static int blame(struct hooks *h)
{
	struct bpf_program *p;
	uint32_t n = 0;

	bpf_object__for_each_program(p, h->object)
	{
		const struct hook_row *row = row_of(bpf_program__name(p));

		if (row && n < HOOK_PROGRAMS && h->logs[n][0])
			return (int)(row - rows);
		n++;
	}
	return -1;
}

/* Again and again without the program that this kernel does not take: what is left is better than nothing. */
static int load(struct hooks *h, const struct btf *btf, const void *bytes, size_t size)
{
	uint64_t skip = 0;

	for (size_t i = 0; i <= ARRAY_LEN(rows); i++) {
		int r, bad;

		memset(h->logs, 0, sizeof(h->logs));
		h->object = bpf_object__open_mem(bytes, size, NULL);
		if (!h->object)
			return -errno;
		choose(h, btf, skip);
		pins_maps(h);
		r = bpf_object__load(h->object);
		if (r == 0)
			return 0;
		bad = blame(h);
		bpf_object__close(h->object);
		h->object = NULL;
		if (bad < 0 || h->debug)
			return r;
		fprintf(stderr, "monitor: this kernel refuses %s: %s\n", rows[bad].program,
			strerror(-r));
		skip |= 1ull << bad;
	}
	return -EINVAL;
}

static uint32_t link_id(const struct bpf_link *l)
{
	struct bpf_link_info info = {0};
	uint32_t size = sizeof(info);

	/* Links of kprobes are none for older kernels: their descriptor says nothing, but is there. */
	if (bpf_obj_get_info_by_fd(bpf_link__fd(l), &info, &size))
		return errno == EINVAL ? UINT32_MAX : 0;
	return info.id;
}

static void add_link(struct hooks *h, const struct hook_row *row, struct bpf_link *l)
{
	if (h->n_links == HOOK_PROGRAMS)
		return;
	h->links[h->n_links].link = l;
	h->links[h->n_links].program = row->program;
	h->links[h->n_links].id = link_id(l);
	h->links[h->n_links].hook = row->hook;
	h->n_links++;
	h->attached |= 1ull << row->hook;
}

/* What the verifier had to do: at the start of each guest, where an instruction costs 100 ns or so. */
static void say_cost(const struct bpf_program *p)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &size) == 0)
		fprintf(stderr, "monitor: %s: %u instructions looked at\n", bpf_program__name(p),
			info.verified_insns);
}

static void attach(struct hooks *h)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, h->object)
	{
		const struct hook_row *row = row_of(bpf_program__name(p));
		struct bpf_link *l;

		if (!row || !bpf_program__autoload(p))
			continue;
		if (h->debug)
			say_cost(p);
		l = bpf_program__attach(p);
		if (l)
			add_link(h, row, l);
		else
			fprintf(stderr, "monitor: %s can't be attached: %s\n", row->program,
				strerror(errno));
	}
}

static void drop_links(struct hooks *h)
{
	for (uint32_t i = 0; i < h->n_links; i++)
		(void)bpf_link__destroy(h->links[i].link);
	h->n_links = 0;
	h->attached = 0;
}

/* What the last life left, if it is whole. */
static bool take_over(struct hooks *h)
{
	for (size_t i = 0; h->pins[0] && i < ARRAY_LEN(rows); i++) {
		struct bpf_link *l = pins_link(h, rows[i].program);

		if (l)
			add_link(h, &rows[i], l);
	}
	if (pins_whole(h, h->n_links))
		return true;
	drop_links(h);
	return false;
}

int hooks_map(const struct hooks *h, const char *name)
{
	return h->object ? bpf_object__find_map_fd_by_name(h->object, name) : pins_map(h, name);
}

static int load_and_attach(struct hooks *h)
{
	size_t size;
	const void *bytes = monitor_programs(&size);
	struct btf *btf;
	int r;

	pins_open(h, bytes, size);
	if (take_over(h))
		return 0;
	btf = btf__load_vmlinux_btf();
	if (!btf)
		return -ENOTSUP;
	r = load(h, btf, bytes, size);
	if (r && h->pins[0]) { /* are the names somebody else's? */
		pins_remove(NULL);
		h->pins[0] = 0;
		r = load(h, btf, bytes, size);
	}
	btf__free(btf);
	if (r == 0) {
		attach(h);
		pins_links(h);
	}
	return r;
}

int hooks_open(struct hooks *h, hooks_take take, void *context)
{
	int r;

	if (!h->debug)
		libbpf_set_print(say_nothing);
	r = load_and_attach(h);
	if (r)
		return r;
	h->shared = mmap(NULL, sizeof(*h->shared), PROT_READ | PROT_WRITE, MAP_SHARED,
			 hooks_map(h, "shared"), 0);
	if (h->shared == MAP_FAILED) {
		h->shared = NULL;
		return -errno;
	}
	h->shared->self = (uint32_t)getpid();
	h->ring = ring_buffer__new(hooks_map(h, "ring"), take, context, NULL);
	if (!h->ring)
		return -errno;
	return h->n_links ? 0 : -ENOTSUP;
}

uint64_t hooks_check(struct hooks *h)
{
	uint64_t there = h->attached;

	for (uint32_t i = 0; i < h->n_links; i++)
		if (link_id(h->links[i].link) != h->links[i].id)
			there &= ~(1ull << h->links[i].hook);
	return there;
}

static void prove_connect(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		fprintf(stderr, "monitor: can't connect to itself: %s\n", strerror(errno));
	close(fd);
}

uint64_t hooks_prove(struct hooks *h)
{
	char *argv[] = {(char[]){"monitor"}, (char[]){"--nothing"}, NULL}, *env[] = {NULL};
	uint64_t before[HOOKS], moved = h->attached & ~PROVABLE;
	pid_t pid;
	int status;

	memcpy(before, h->shared->ran, sizeof(before));
	kill(getpid(), SIGCONT);
	prove_connect();
	/* Out of memory or of processes: that is no proof of anything. */
	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, env))
		return h->attached;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	for (unsigned i = 0; i < HOOKS; i++)
		if (((volatile uint64_t *)h->shared->ran)[i] != before[i])
			moved |= 1ull << i;
	return moved & h->attached;
}
