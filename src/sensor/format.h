/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * format: what the monitor inside a guest sends over its serial port. Shared by both ends, so plain
 * C without anything else of ours (inside/monitor includes it, BPF programs too).
 *
 * The stream is a sequence of records: struct sensor_head, then `len` bytes. All integers are little
 * endian. A payload is the fixed struct of its type, then texts: each a u16 length and that many bytes,
 * no terminator, in the order named at the struct. Sequence numbers grow by one over all types; what
 * was lost inside the guest is told by SENSOR_LOST, so a gap means that somebody else lost it.
 *
 * A visit is everything that descends from one accepted connection (or, 0, from none: daemons, cron).
 * Its number is unique in one boot of the guest. A process keeps the visit it was born into; one that
 * accepts a connection itself gives its later children a new visit with that one as parent.
 */
#ifndef SKEP_SENSOR_FORMAT_H
#define SKEP_SENSOR_FORMAT_H

#ifndef __BPF__
#include <stdint.h>
#endif

#define SENSOR_PORT "monitor.0"  /* name of the virtio-serial port */
#define SENSOR_MAGIC 0x314e4f4du /* "MON1" */
#define SENSOR_VERSION 1
#define SENSOR_PAYLOAD 8192 /* most bytes behind a head */
#define SENSOR_BEAT_MS 2000
#define SENSOR_COMM 16

enum sensor_type {
	SENSOR_HELLO = 1, /* first of a monitor's life */
	SENSOR_BEAT,      /* every SENSOR_BEAT_MS */
	SENSOR_VISIT,     /* a visit begins */
	SENSOR_VISIT_END, /* its last process ended */
	SENSOR_EXEC,
	SENSOR_EXIT,
	SENSOR_DATA,    /* bytes of a terminal, or of a shell that has none */
	SENSOR_SIZE,    /* a terminal's size */
	SENSOR_LOGIN,   /* credentials that sshd was given */
	SENSOR_CONNECT, /* a process begins a connection */
	SENSOR_FILE,    /* written, deleted, renamed */
	SENSOR_CONTENT, /* a piece of a file */
	SENSOR_CRED,    /* a process got other rights */
	SENSOR_KERNEL,  /* module or BPF program loaded */
	SENSOR_SIGNAL,  /* a signal to something that is watched */
	SENSOR_STATE,   /* network, disk, clock, watched files */
	SENSOR_LOST,    /* what could not be told */
	SENSOR_TYPES
};

struct sensor_head {
	uint32_t magic;
	uint16_t type, len;
	uint64_t seq;     /* from 0 in each life of the monitor */
	uint64_t boot_ns; /* guest's time since boot when it happened */
} __attribute__((packed));

/* Who: at the beginning of most payloads. */
struct sensor_proc {
	uint64_t visit;
	uint32_t pid, ppid;
	uint32_t sid; /* leader of its POSIX session */
	uint32_t uid, euid;
	int32_t tty; /* number of its pts; -1: none */
	char comm[SENSOR_COMM];
} __attribute__((packed));

enum sensor_mode { SENSOR_BPF = 1, SENSOR_AUDIT = 2 };
struct sensor_hello { /* texts: kernel release */
	uint16_t version;
	uint8_t mode, first; /* first: 1 if no monitor ran in this boot before */
	uint32_t pid;
	uint64_t hooks;  /* bit per hook that is attached, by enum sensor_hook */
	int64_t wall_ns; /* guest's clock */
	uint8_t boot_id[16];
} __attribute__((packed));

enum sensor_hook {
	HOOK_EXEC,
	HOOK_EXIT,
	HOOK_FORK,
	HOOK_ACCEPT,
	HOOK_TTY,
	HOOK_PIPE,
	HOOK_UNIX,
	HOOK_CONNECT,
	HOOK_FILE,
	HOOK_UNLINK,
	HOOK_RENAME,
	HOOK_CRED,
	HOOK_MODULE,
	HOOK_BPF,
	HOOK_SIGNAL,
	HOOKS
};

struct sensor_beat {
	uint64_t hooks; /* still attached, and seen alive */
	int64_t wall_ns;
	uint64_t told, lost;    /* records since the hello */
	uint32_t disk_permille; /* of / in use */
	uint32_t load;          /* of the monitor: microseconds of CPU since the last beat */
} __attribute__((packed));

struct sensor_visit {
	uint64_t visit, parent; /* parent 0: none */
	uint32_t pid;           /* of its first process */
	uint8_t ver, proto;     /* 4, 6; 6 (TCP) */
	uint16_t peer_port, local_port;
	uint8_t peer[16], local[16]; /* network order; IPv4 in the first four */
	char comm[SENSOR_COMM];      /* of who accepted: "sshd" */
} __attribute__((packed));

struct sensor_visit_end {
	uint64_t visit;
	int32_t status; /* wait status of its first process */
} __attribute__((packed));

#define SENSOR_EXEC_CUT 1u   /* arguments are not complete */
#define SENSOR_EXEC_MEMFD 2u /* its file has no name any more, or never had one */
struct sensor_exec { /* texts: path of the file, working directory, argv (zero bytes between) */
	struct sensor_proc p;
	uint32_t argc, flags;
} __attribute__((packed));

struct sensor_exit {
	struct sensor_proc p;
	int32_t status; /* as wait(2) has it */
} __attribute__((packed));

enum sensor_stream { SENSOR_OUT = 1, SENSOR_IN = 2, SENSOR_ERR = 3 };
struct sensor_data {          /* texts: the bytes (up to 4096) */
	struct sensor_proc p; /* tty: that of the data, -1: a shell's pipes; pid: who wrote */
	uint8_t stream;       /* enum sensor_stream: what the visitor sees, or typed */
	uint8_t echo;         /* SENSOR_IN on a terminal: 0 if it does not show what is typed */
	uint16_t pad;
	uint32_t skipped; /* bytes before these that were not kept */
} __attribute__((packed));

struct sensor_size {
	struct sensor_proc p;
	uint16_t cols, rows;
} __attribute__((packed));

struct sensor_login { /* texts: user, secret, method ("password", "publickey", "none") */
	struct sensor_proc p;
	uint8_t ok, pad[3]; /* 1: let in */
} __attribute__((packed));

struct sensor_connect {
	struct sensor_proc p;
	uint8_t ver, proto;
	uint16_t port;
	uint8_t addr[16];
} __attribute__((packed));

enum sensor_file_op { SENSOR_WRITTEN = 1, SENSOR_DELETED, SENSOR_RENAMED, SENSOR_MODE };
struct sensor_file { /* texts: path, second path (renamed) */
	struct sensor_proc p;
	uint8_t op, pad[3];
	uint32_t mode;
	uint64_t size, inode;
} __attribute__((packed));

#define SENSOR_CONTENT_LAST 1u
#define SENSOR_CONTENT_CUT 2u  /* it is longer than is sent */
struct sensor_content {        /* texts: path (in the first piece; else empty), the bytes */
	uint64_t visit, file;  /* file: unique in this life of the monitor */
	uint64_t offset, size; /* size: of the whole as known at the start */
	uint32_t pid, flags;
} __attribute__((packed));

struct sensor_cred {
	struct sensor_proc p;         /* as it was */
	uint32_t uid, euid, gid, pad; /* as it is */
	uint64_t caps;
} __attribute__((packed));

enum sensor_kernel_what { SENSOR_MODULE = 1, SENSOR_PROGRAM };
struct sensor_kernel { /* texts: name */
	struct sensor_proc p;
	uint8_t what, pad[3];
	uint32_t kind; /* SENSOR_PROGRAM: enum bpf_prog_type */
} __attribute__((packed));

struct sensor_signal {
	struct sensor_proc p; /* who sent it */
	uint32_t to, sig;
	char to_comm[SENSOR_COMM];
} __attribute__((packed));

enum sensor_state_what {
	SENSOR_LINK_UP = 1,
	SENSOR_LINK_DOWN, /* text: name */
	SENSOR_DISK_FULL,
	SENSOR_DISK_FREE,
	SENSOR_CLOCK,   /* value: nanoseconds it was set by */
	SENSOR_WATCHED, /* text: path of a watched file that was changed, replaced or removed */
	SENSOR_UNHOOKED /* value: hooks that are gone */
};
struct sensor_state { /* texts: name */
	uint32_t what, pad;
	int64_t value;
} __attribute__((packed));

struct sensor_lost {
	uint64_t by_type[SENSOR_TYPES]; /* records since the last of these */
	uint64_t bytes;                 /* of SENSOR_DATA and SENSOR_CONTENT */
} __attribute__((packed));

#endif
