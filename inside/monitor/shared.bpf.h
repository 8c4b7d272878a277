/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all programs of the monitor use: the ring to the process that loads them, who belongs to which
 * visit, and who the current process is. Every program begins with hook_begin and gives up if that says so.
 */
#ifndef MONITOR_SHARED_BPF_H
#define MONITOR_SHARED_BPF_H

#include "monitor/kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "monitor/shared.h"

/* clang removes a mask that it thinks needless, and the verifier then misses it. */
#define BOUND(n, mask) asm volatile("%0 &= %1" : "+r"(n) : "i"(mask))
/* Fields of records lie on their natural places; `packed` would make clang store byte by byte. */
#define SET(field, value) (*(typeof(field) *)(void *)&(field) = (value))

#define MONITOR_PROCS 8192
#define MONITOR_VISITS 4096

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, MONITOR_RING);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct monitor_shared);
} shared SEC(".maps");

struct proc_note {
	uint64_t visit;
	uint64_t spare; /* io's: what it knows of the process */
};
struct { /* by pid: those of a visit, and others that began a program */
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MONITOR_PROCS);
	__type(key, uint32_t);
	__type(value, struct proc_note);
} procs SEC(".maps");

struct visit_note {
	int32_t live; /* processes */
	uint32_t first;
	int32_t status; /* of the first one */
	uint32_t pad;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MONITOR_VISITS);
	__type(key, uint64_t);
	__type(value, struct visit_note);
} visits SEC(".maps");

/* Counts a call; NULL: the monitor's own doing, not to be told. */
static __always_inline struct monitor_shared *hook_begin(enum sensor_hook hook)
{
	uint32_t zero = 0;
	struct monitor_shared *s = bpf_map_lookup_elem(&shared, &zero);

	if (!s)
		return NULL;
	s->ran[hook]++;
	if ((uint32_t)(bpf_get_current_pid_tgid() >> 32) == s->self)
		s = NULL;
	/* clang would test the pid again instead of this pointer, and the verifier not follow. */
	asm volatile("" : "+r"(s));
	return s;
}

/* Room for a record of at most size bytes, head and all; size must be a constant. NULL: no room, counted. */
static __always_inline void *ring_take(struct monitor_shared *s, uint16_t type, uint64_t size)
{
	struct sensor_head *h = bpf_ringbuf_reserve(&ring, size, 0);

	if (!h) {
		__sync_fetch_and_add(&s->lost[type], 1);
		return NULL;
	}
	SET(h->magic, SENSOR_MAGIC);
	SET(h->type, type);
	SET(h->len, (uint16_t)(size - sizeof(*h)));
	SET(h->seq, 0);
	SET(h->boot_ns, bpf_ktime_get_boot_ns());
	return h;
}

/* Hands over what ring_take gave; payload: bytes behind the head that count. The monitor is woken only if
 * it sleeps: it looks again by itself while there is something to do. */
static __always_inline void ring_give(struct monitor_shared *s, void *record, uint32_t payload)
{
	struct sensor_head *h = record;
	uint64_t flags = BPF_RB_NO_WAKEUP;

	SET(h->len, (uint16_t)payload);
	if (s->asleep) {
		s->asleep = 0;
		flags = BPF_RB_FORCE_WAKEUP;
	}
	bpf_ringbuf_submit(record, flags);
}

static __always_inline void ring_drop(void *record)
{
	bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
}

static __always_inline uint64_t visit_of(uint32_t pid)
{
	struct proc_note *n = bpf_map_lookup_elem(&procs, &pid);

	return n ? n->visit : 0;
}

/* Who the current process is. */
static __always_inline void fill_proc(struct sensor_proc *p)
{
	struct task_struct *t = (void *)bpf_get_current_task();
	struct signal_struct *signal = BPF_CORE_READ(t, signal);
	uint32_t pid = bpf_get_current_pid_tgid() >> 32;
	struct tty_struct *tty = BPF_CORE_READ(signal, tty);
	int32_t number = -1;

	if (tty && BPF_CORE_READ(tty, driver, type) == TTY_DRIVER_TYPE_PTY)
		number = BPF_CORE_READ(tty, index);
	SET(p->visit, visit_of(pid));
	SET(p->pid, pid);
	SET(p->ppid, BPF_CORE_READ(t, real_parent, tgid));
	SET(p->sid, BPF_CORE_READ(signal, pids[PIDTYPE_SID], numbers[0].nr));
	SET(p->uid, BPF_CORE_READ(t, cred, uid.val));
	SET(p->euid, BPF_CORE_READ(t, cred, euid.val));
	SET(p->tty, number);
	__builtin_memset(p->comm, 0,
			 sizeof(p->comm)); /* older kernels don't, and the ring is never empty */
	bpf_get_current_comm(p->comm, sizeof(p->comm));
}

#endif
