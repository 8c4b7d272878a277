/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of the kernel's structures that the monitor reads, by name: at load time libbpf puts in where
 * they lie in the kernel that runs (CO-RE). Fields that only some kernels have are asked for by
 * bpf_core_field_exists. Only for BPF programs.
 */
#ifndef MONITOR_KERNEL_H
#define MONITOR_KERNEL_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

typedef __u8 uint8_t;
typedef __u16 uint16_t;
typedef __u32 uint32_t;
typedef __u64 uint64_t;
typedef __s8 int8_t;
typedef __s16 int16_t;
typedef __s32 int32_t;
typedef __s64 int64_t;

#define CORE __attribute__((preserve_access_index))

struct qstr {
	uint32_t len;
	const unsigned char *name;
} CORE;

struct super_block {
	unsigned long s_magic;
	uint32_t s_dev;
} CORE;

struct inode {
	uint16_t i_mode;
	uint32_t i_nlink;
	unsigned long i_ino;
	int64_t i_size;
	struct super_block *i_sb;
} CORE;

#define S_IFMT 0170000u
#define S_IFIFO 0010000u
#define S_IFREG 0100000u
#define S_IFSOCK 0140000u

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
} CORE;

struct vfsmount {
	struct dentry *mnt_root;
} CORE;

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
} CORE;

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
} CORE;

struct file {
	struct path f_path;
	struct inode *f_inode;
	uint32_t f_flags, f_mode;
	void *private_data;
} CORE;

struct fs_struct {
	struct path root, pwd;
} CORE;

struct mm_struct {
	unsigned long arg_start, arg_end;
	struct file *exe_file;
} CORE;

struct kernel_id {
	uint32_t val;
} CORE;

/* Two 32-bit words until 6.2, one of 64 bits since: little endian, so the same bytes. Read it whole. */
struct kernel_caps {
	uint64_t bits;
};

struct cred {
	struct kernel_id uid, gid, suid, euid, egid;
	struct kernel_caps cap_permitted, cap_effective;
} CORE;

struct upid {
	int nr;
} CORE;

struct pid {
	struct upid numbers[1];
} CORE;

enum pid_type { PIDTYPE_PID, PIDTYPE_TGID, PIDTYPE_PGID, PIDTYPE_SID };

struct tty_driver {
	int16_t type, subtype;
	int minor_start;
} CORE;
#define TTY_DRIVER_TYPE_PTY 4
#define PTY_TYPE_MASTER 1
#define PTY_TYPE_SLAVE 2

struct ktermios {
	uint32_t c_iflag, c_oflag, c_cflag, c_lflag;
} CORE;

struct winsize {
	uint16_t ws_row, ws_col;
} CORE;

struct tty_struct {
	struct tty_driver *driver;
	int index;
	struct ktermios termios;
	struct winsize winsize;
	struct tty_struct *link;
} CORE;

struct kernel_count {
	int counter;
} CORE;

struct signal_struct {
	struct kernel_count live;
	int group_exit_code;
	uint32_t flags;
	struct pid *pids[4];
	struct tty_struct *tty;
} CORE;
#define SIGNAL_GROUP_EXIT 4u

struct task_struct {
	int pid, tgid, exit_code;
	uint32_t flags;
	struct task_struct *real_parent, *group_leader;
	struct signal_struct *signal;
	struct mm_struct *mm;
	struct fs_struct *fs;
	const struct cred *cred, *real_cred;
	uint64_t start_time;
	char comm[16];
} CORE;

struct linux_binprm {
	int argc;
	const char *filename;
	struct file *file;
} CORE;

struct module {
	char name[56];
} CORE;

struct bpf_prog_aux {
	uint32_t func_idx;
	char name[16];
} CORE;

struct bpf_prog {
	enum bpf_prog_type type;
	struct bpf_prog_aux *aux;
} CORE;

#endif
