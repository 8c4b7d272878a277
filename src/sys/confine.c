/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Giving up rights, in named steps that only ever take away: capabilities, file system (Landlock,
 * where the kernel has it), system calls (seccomp; anything not listed kills the process).
 */
#include "sys/sys_priv.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

const struct syscall_row syscalls_common[] = {
	{"poll", -1, 0},
	{"ppoll", -1, 0},
	{"epoll_wait", -1, 0},
	{"epoll_pwait", -1, 0},
	{"epoll_ctl", -1, 0},
	{"read", -1, 0},
	{"readv", -1, 0},
	{"write", -1, 0},
	{"writev", -1, 0},
	{"recvmsg", -1, 0},
	{"sendmsg", -1, 0},
	{"close", -1, 0},
	{"clock_gettime", -1, 0},
	{"gettimeofday", -1, 0},
	{"clock_nanosleep", -1, 0},
	{"nanosleep", -1, 0},
	{"exit", -1, 0},
	{"exit_group", -1, 0},
	{"rt_sigreturn", -1, 0},
	{"rt_sigprocmask", -1, 0},
	{"restart_syscall", -1, 0},
	{"getpid", -1, 0},
	{"gettid", -1, 0},
	{"getrandom", -1, 0},
	{"futex", -1, 0},
	{"munmap", -1, 0},
	{"tgkill", -1, 0},
	{NULL, -1, 0},
};

const struct syscall_row syscalls_heap[] = {
	{"brk", -1, 0},     {"mmap", -1, 0},     {"mremap", -1, 0},
	{"madvise", -1, 0}, {"mprotect", -1, 0}, {NULL, -1, 0},
};

int caps_drop(uint64_t keep, uint64_t keep_bounding)
{
	capng_get_caps_process();
	for (int cap = 0; cap < 64; cap++) /* nobody can keep what was not there */
		if ((keep >> cap & 1) != 0 &&
		    !capng_have_capability(CAPNG_PERMITTED, (unsigned)cap))
			keep &= ~(UINT64_C(1) << cap);
	for (int cap = 0; cap < 64; cap++)
		if ((keep_bounding >> cap & 1) != 0 &&
		    !capng_have_capability(CAPNG_BOUNDING_SET, (unsigned)cap))
			keep_bounding &= ~(UINT64_C(1) << cap);
	capng_clear(CAPNG_SELECT_ALL);
	for (int cap = 0; cap < 64; cap++)
		if ((keep >> cap & 1) != 0 &&
		    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, (unsigned)cap) != 0)
			return -EINVAL;
	for (int cap = 0; cap < 64; cap++)
		if ((keep_bounding >> cap & 1) != 0 &&
		    capng_update(CAPNG_ADD, CAPNG_BOUNDING_SET, (unsigned)cap) != 0)
			return -EINVAL;
	/* The bounding set can only be emptied with CAP_SETPCAP; without it there is nothing that
	 * could come back either, as no_new_privs is set. */
	bool may = prctl(PR_CAPBSET_READ, 8 /* SETPCAP */, 0, 0, 0) == 1 && geteuid() == 0;
	if (capng_apply(may ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) != 0)
		return -EPERM;
	return 0;
}

int confine_parent(uint64_t keep_caps)
{
#ifndef SKEP_SANITIZE /* the leak check at exit attaches to its own process */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
#endif
	return caps_drop(keep_caps, keep_caps);
}

int confine_early(uint64_t keep_caps, bool die_with_parent)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    (die_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0))
		return -errno;
	return confine_parent(keep_caps);
}

/* ---- file system --------------------------------------------------------------------------- */

#define FOLDER_ABI1                                                     \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | \
	 LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	 LANDLOCK_ACCESS_FS_MAKE_REG)
#define EVERY_ABI1                                                                  \
	(FOLDER_ABI1 | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |               \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |              \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define REFER_ABI2 (UINT64_C(1) << 13)    /* from one folder to another */
#define TRUNCATE_ABI3 (UINT64_C(1) << 14) /* newer than Debian 12's headers */

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	return abi < 0 ? 0 : (int)abi;
}

/* The leak check at exit looks through its own process in /proc. */
static int allow_leak_check(int set)
{
#ifdef SKEP_SANITIZE
	struct landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE |
								    LANDLOCK_ACCESS_FS_READ_DIR,
						  .parent_fd = -1};
	CLEANUP(fd_close) int proc = open("/proc", O_PATH | O_CLOEXEC);
	rule.parent_fd = proc;
	if (proc >= 0 &&
	    syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return -errno;
#else
	(void)set;
#endif
	return 0;
}

static int restrict_to(int set)
{
	int err = allow_leak_check(set);
	if (err != 0)
		return err;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, set, 0) < 0)
		return -errno;
	return 0;
}

static int confine_below(int dir, uint64_t rights)
{
	int abi = landlock_abi();
	if (abi < 1)
		return SKEP_EUNSUPPORTED;
	uint64_t newer = (abi >= 3 ? TRUNCATE_ABI3 : 0) | (abi >= 2 ? rights & REFER_ABI2 : 0);
	struct landlock_ruleset_attr attr = {.handled_access_fs = EVERY_ABI1 | newer};
	struct landlock_path_beneath_attr rule = {.allowed_access = (rights & ~REFER_ABI2) | newer,
						  .parent_fd = dir};
	CLEANUP(fd_close)
	int set = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (set < 0)
		return -errno;
	if (dir >= 0 &&
	    syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return -errno;
	return restrict_to(set);
}

int confine_read(const char *const *paths)
{
	int abi = landlock_abi();
	if (abi < 1)
		return SKEP_EUNSUPPORTED;
	struct landlock_ruleset_attr attr = {.handled_access_fs = EVERY_ABI1 |
								  (abi >= 3 ? TRUNCATE_ABI3 : 0) |
								  (abi >= 2 ? REFER_ABI2 : 0)};
	CLEANUP(fd_close)
	int set = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (set < 0)
		return -errno;
	for (; *paths != NULL; paths++) {
		struct landlock_path_beneath_attr rule = {.parent_fd = -1};
		struct stat st;
		CLEANUP(fd_close) int fd = open(*paths, O_PATH | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0) /* not every host has every place */
			continue;
		rule.parent_fd = fd;
		rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE |
				      (S_ISDIR(st.st_mode) ? LANDLOCK_ACCESS_FS_READ_DIR : 0);
		if (syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
			return -errno;
	}
	return restrict_to(set);
}

int confine_folder(int dir)
{
	return confine_below(dir, FOLDER_ABI1);
}

int confine_tree(int dir)
{
	return confine_below(dir, FOLDER_ABI1 | LANDLOCK_ACCESS_FS_MAKE_DIR |
					  LANDLOCK_ACCESS_FS_REMOVE_DIR | REFER_ABI2);
}

/* ---- system calls --------------------------------------------------------------------------- */

/* Nobody may make memory executable after start, whatever its table says. */
static bool maps_memory(const char *name)
{
	return strcmp(name, "mmap") == 0 || strcmp(name, "mprotect") == 0;
}

static int add_row(scmp_filter_ctx filter, const struct syscall_row *row)
{
	int nr = seccomp_syscall_resolve_name(row->name);
	if (nr == __NR_SCMP_ERROR)
		return 0;
	if (maps_memory(row->name))
		return seccomp_rule_add(filter, SCMP_ACT_ALLOW, nr, 1,
					SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	uint32_t action = row->fails != 0 ? SCMP_ACT_ERRNO((uint32_t)row->fails) : SCMP_ACT_ALLOW;
	if (row->arg < 0)
		return seccomp_rule_add(filter, action, nr, 0);
	if (row->arg > 5)
		return -EINVAL;
	struct scmp_arg_cmp cmp = {(unsigned)row->arg, SCMP_CMP_EQ, row->value, 0};
	return seccomp_rule_add_array(filter, action, nr, 1, &cmp);
}

static int add_table(scmp_filter_ctx filter, const struct syscall_row *row)
{
	for (; row->name != NULL; row++) {
		int err = add_row(filter, row);
		if (err != 0 && err != -EEXIST && err != -EDOM) /* EDOM: not on this machine */
			return err;
	}
	return 0;
}

int confine_final(const struct syscall_row *const *tables, size_t n_tables)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (filter == NULL)
		return -ENOMEM;
	int err = add_table(filter, syscalls_sanitizer);
	for (size_t i = 0; i < n_tables && err == 0; i++)
		err = add_table(filter, tables[i]);
	if (err == 0)
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (err == 0)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

/* For QEMU and the lab's servers, whose own needs nobody can list for every version: everything but
 * what only an intruder in them would call. They go on without it, so it fails rather than kills. */
static const char *const fenced_calls[] = {
	"acct",
	"add_key",
	"bpf",
	"chroot",
	"clock_settime",
	"delete_module",
	"fanotify_init",
	"finit_module",
	"fsconfig",
	"fsmount",
	"fsopen",
	"init_module",
	"io_uring_setup",
	"ioperm",
	"iopl",
	"kcmp",
	"kexec_file_load",
	"kexec_load",
	"keyctl",
	"lookup_dcookie",
	"mount",
	"mount_setattr",
	"move_mount",
	"name_to_handle_at",
	"open_by_handle_at",
	"open_tree",
	"perf_event_open",
	"personality",
	"pidfd_getfd",
	"pivot_root",
	"process_vm_readv",
	"process_vm_writev",
	"ptrace",
	"quotactl",
	"reboot",
	"request_key",
	"setdomainname",
	"sethostname",
	"setns",
	"settimeofday",
	"swapoff",
	"swapon",
	"syslog",
	"umount2",
	"unshare",
	"userfaultfd",
	"vhangup",
};

int fence_enter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int err = filter == NULL ? -ENOMEM : 0;
	for (size_t i = 0; i < ARRAY_LEN(fenced_calls) && err == 0; i++) {
		int nr = seccomp_syscall_resolve_name(fenced_calls[i]);
		if (nr != __NR_SCMP_ERROR)
			err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), nr, 0);
	}
	if (err == 0)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}
