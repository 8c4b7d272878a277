/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls that the run time of AddressSanitizer, UBSan and LeakSanitizer makes by itself: to
 * map its shadow, to read symbols for a report, and to stop the process while it looks for leaks.
 * A normal build adds none of them.
 */
#include "sys/sys_priv.h"

const struct syscall_row syscalls_sanitizer[] = {
#ifdef SKEP_SANITIZE
	{"brk", -1, 0},
	{"mmap", -1, 0},
	{"mremap", -1, 0},
	{"munmap", -1, 0},
	{"mprotect", -1, 0},
	{"madvise", -1, 0},
	{"sched_yield", -1, 0},
	{"sched_getaffinity", -1, 0},
	{"sigaltstack", -1, 0},
	{"rt_sigaction", -1, 0},
	{"set_robust_list", -1, 0},
	{"rseq", -1, 0},
	{"prlimit64", -1, 0},
	{"getrlimit", -1, 0},
	{"getrusage", -1, 0},
	{"sysinfo", -1, 0},
	{"uname", -1, 0},
	{"getuid", -1, 0},
	{"geteuid", -1, 0},
	{"getppid", -1, 0},
	{"open", -1, 0},
	{"openat", -1, 0},
	{"readlink", -1, 0},
	{"readlinkat", -1, 0},
	{"lseek", -1, 0},
	{"stat", -1, 0},
	{"lstat", -1, 0},
	{"fstat", -1, 0},
	{"newfstatat", -1, 0},
	{"statx", -1, 0},
	{"access", -1, 0},
	{"getdents", -1, 0}, /* the sanitizers are older than the 64 bit one */
	{"getdents64", -1, 0},
	{"pread64", -1, 0},
	{"fcntl", -1, 0},
	{"ioctl", -1, 0},
	{"dup", -1, 0},
	{"dup2", -1, 0},
	{"pipe", -1, 0},
	{"pipe2", -1, 0},
	/* the leak check: a helper thread that traces the others */
	{"clone", -1, 0},
	{"clone3", -1, 0},
	{"prctl", -1, 0},
	{"ptrace", -1, 0},
	{"wait4", -1, 0},
	{"kill", -1, 0},
	{"tkill", -1, 0},
	{"arch_prctl", -1, 0},
	{"getcwd", -1, 0},
#endif
	{NULL, -1, 0},
};
