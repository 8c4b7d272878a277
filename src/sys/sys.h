/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys: every Linux-only call, in one place: namespaces, links, child processes, seccomp, cgroups,
 * shared memory. Used by super (as root) and by each role to give up what it does not need.
 */
#ifndef SKEP_SYS_H
#define SKEP_SYS_H

#include "base/base.h"

#include <sys/types.h>

/* ---- network namespaces ------------------------------------------------------------------ */

/* Makes a network namespace and names it like ip-netns does (RUN/netns/NAME, bind-mounted), without
 * changing mount propagation. The caller's own namespace is unchanged. -EEXIST if the name is taken. */
MUST_USE int netns_create(const char *name, int *ret_fd);
/* Opens a named one. */
MUST_USE int netns_open(const char *name, int *ret_fd);
/* Unmounts and removes the name (and the folder if netns_create made it). Fine if absent. */
MUST_USE int netns_remove(const char *name);
/* The number of the namespace that fd is of, or (-1) of the calling thread's; 0: none. */
uint64_t netns_number(int fd);
/* Opens it by its number, if it has a name or a process lives in it. -ENOENT: neither. */
MUST_USE int netns_find(uint64_t number, int *ret_fd);
/* Moves the calling thread into fd's namespace. */
MUST_USE int netns_enter(int fd);
/* Runs `ip -batch` on the text inside the namespace (-1: current); on error fills why. */
MUST_USE int link_batch(int netns, const char *commands, char *why, size_t why_size);
/* Every address and on-link prefix of the current namespace, loopback included. */
MUST_USE int link_prefixes(struct prefix *ret, size_t max, size_t *ret_n);
/* Turns an offload of ifname off in the current namespace ("tx-checksum-sctp"). */
MUST_USE int link_feature_off(const char *ifname, const char *feature);
/* Writes a sysctl of the current namespace ("net/ipv6/conf/all/disable_ipv6"). */
MUST_USE int sysctl_set(const char *path, const char *value);

/* ---- children ------------------------------------------------------------------------------ */

#define SPAWN_FDS 64
struct spawn {
	const char *path; /* NULL: this very binary (/proc/self/exe) */
	bool by_path; /* path is opened at the very end, with the child's own rights; may be a script */
	char *const *argv;       /* NULL-terminated */
	char *const *envp;       /* NULL: PATH and LANG only */
	uid_t uid;               /* and gid; 0 stays root */
	int netns;               /* -1: the caller's; SPAWN_NETNS_EMPTY: a new, empty one */
	int cgroup;              /* directory descriptor of a v2 cgroup to start in, or -1 */
	const char *const *jail; /* NULL: the host's root; else NULL-terminated list of host paths
				      that are bound read-only into an otherwise empty root; "HOST\nINSIDE"
				      where it appears under another name */
	bool private_ipc;        /* new ipc, uts and mount namespaces */
	bool die_with_parent;    /* SIGKILL when the caller's thread ends */
	bool fenced;             /* a program that is not ours: the calls that change or look into
				    the kernel, namespaces or other processes fail with EPERM */
	bool no_dump;            /* core size limit 0 */
	bool setid; /* a program that may become another by its file's mode (sendmail): without
				    no_new_privs and with the caller's bounding set, if that has not
				    no_new_privs itself; not with fenced */
	uint64_t max_files; /* RLIMIT_NOFILE; 0: 256 */
	int fds[SPAWN_FDS]; /* fds[i] becomes descriptor i of the child; -1: closed, except that
				      0, 1, 2 default to /dev/null, /dev/null, the caller's 2 */
	size_t n_fds;
};
#define SPAWN_NETNS_EMPTY (-2)

/* fork + exec with no_new_privs (but for setid), no capabilities (uid != 0), no other descriptors, default signals.
 * Errors of the child before exec come back as this function's result. ret_pidfd is owned. */
MUST_USE int spawn_child(const struct spawn *s, pid_t *ret_pid, int *ret_pidfd);
/* Runs a program to its end (up to timeout_ms, then kills it); returns its exit code, or an error.
 * Output (stdout and stderr together, cut to size) goes to out if not NULL; input may be NULL. */
int run_program(const char *const *argv, const char *input, char *out, size_t out_size,
		int timeout_ms);
/* The same inside a network namespace (-1: the caller's). */
int run_program_in(int netns, const char *const *argv, const char *input, char *out,
		   size_t out_size, int timeout_ms);

/* When a process started, in kernel ticks since boot: with its pid, a name that is never reused.
 * -ENOENT: no such process. */
MUST_USE int proc_start_time(pid_t pid, uint64_t *ret_ticks);
/* Is no such process alive? One that nobody has waited for yet is not. */
bool proc_ended(pid_t pid);
/* Signals that very process; -ENOENT if it is gone, even when its pid lives again. */
MUST_USE int proc_kill(pid_t pid, uint64_t start_ticks, int sig);
/* Its proportional share of memory (Pss). */
MUST_USE int proc_memory(pid_t pid, uint64_t *ret_pss_bytes);

/* ---- giving up rights (order matters: confine_early before reading any config from super,
 *      confine_final once start-up is over; each only ratchets down) --------------------------- */

/* The same for a parent whose children may have to run programs that change their uid or gid (sendmail): they
 * lose no_new_privs only if it never had it. */
MUST_USE int confine_parent(uint64_t keep_caps);

/* One row per system call a role may use after start; listed beside the code that needs it. */
struct syscall_row {
	const char *name; /* libseccomp name; unknown on this architecture: skipped */
	int arg;          /* -1, or index of an argument that must equal value */
	uint64_t value;
	int fails; /* not 0: may be called, but fails with this errno; where a library then takes another way */
};
/* No dumpable flag, no_new_privs, all capabilities dropped (except those in keep_caps, a mask of
 * 1 << CAP_x), parent-death signal where the role must end with super. */
MUST_USE int confine_early(uint64_t keep_caps, bool die_with_parent);
/* Installs the filter: rows allowed, everything else kills the process. n_rows tables are joined
 * (terminated by name NULL). In a sanitizer build the list of sys/sanitizer.c is added. */
MUST_USE int confine_final(const struct syscall_row *const *tables, size_t n_tables);
/* What any role's event loop needs: poll, read, write, messages, clock, exit, signal return. */
extern const struct syscall_row syscalls_common[];
/* For roles that allocate after start: brk, mmap (never executable) ... */
extern const struct syscall_row syscalls_heap[];
/* From now on no path can be opened but regular files below dir (-1: none at all). In addition to
 * the filter; SKEP_EUNSUPPORTED where the kernel has no Landlock. */
MUST_USE int confine_folder(int dir);
/* As confine_folder, and folders below dir can be made and removed, and files moved between them (before Linux
 * 5.19 only within one). */
MUST_USE int confine_tree(int dir);
/* As confine_folder, but only reading, below any of several paths (NULL-terminated; absent ones are skipped). */
MUST_USE int confine_read(const char *const *paths);
/* Version of Landlock the kernel offers; 0: none. */
int landlock_abi(void);

/* ---- cgroups (v2, wherever it is mounted) ------------------------------------------------- */

/* Makes PATH below the v2 hierarchy; *ret_dir is an O_PATH-less directory descriptor. -ENOENT where
 * there is no v2 hierarchy. */
MUST_USE int cgroup_create(const char *path, int *ret_dir);
/* Kills what is in it, waits, removes it. Fine if absent. */
MUST_USE int cgroup_remove(const char *path);
/* Removes it if nothing and nobody is in it, kills nobody. */
MUST_USE int cgroup_drop(const char *path);

/* ---- shared memory -------------------------------------------------------------------------- */

/* A sealed-size memfd, zeroed. */
MUST_USE int shm_create(const char *name, size_t size, int *ret_fd);
/* Maps it (checked to be at least size bytes); writable or not. */
MUST_USE int shm_map(int fd, size_t size, bool writable, void **ret_mem);
/* A file in memory with just these bytes, sealed: from here on nobody can change it. ret_fd is owned, and not
 * read from yet. */
MUST_USE int sealed_create(const char *name, const void *data, size_t size, int *ret_fd);
/* Its size. SKEP_EPEER: it is no such file, and may change under one's eyes. */
MUST_USE int sealed_size(int fd, size_t *ret_size);
/* All of it, from its beginning; size must be exactly its own. SKEP_EPEER likewise. */
MUST_USE int sealed_read(int fd, void *data, size_t size);

#endif
