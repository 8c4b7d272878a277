/* SPDX-License-Identifier: BSD-2-Clause */
/* Beginning and end of visits and processes, their rights, their connections; what gets into the kernel. */
#include "monitor/net.h"
#include "monitor/path.bpf.h"
#include "monitor/shared.bpf.h"

#define AF_INET 2
#define AF_INET6 10
#define TCP_ESTABLISHED 1
#define TCP_CLOSE_WAIT 8

struct accepted {
	uint64_t sk;
	uint64_t visit; /* 0: nobody was born of it yet */
	uint16_t peer_port, local_port;
	uint8_t ver, pad[3];
	uint8_t peer[16], local[16];
};
struct { /* by pid: the last connection it took */
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, uint32_t);
	__type(value, struct accepted);
} accepts SEC(".maps");

/* ---- visits -------------------------------------------------------------------------------------- */

static __always_inline bool mapped(const uint8_t *a)
{
	const uint32_t *w = (const void *)a;

	return w[0] == 0 && w[1] == 0 && w[2] == 0xffff0000u;
}

static __always_inline void read_ends(struct sock *sk, struct accepted *a)
{
	uint16_t family = BPF_CORE_READ(sk, __sk_common.skc_family);

	a->sk = (uint64_t)sk;
	a->peer_port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	a->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	a->ver = 4;
	if (family == AF_INET6) {
		BPF_CORE_READ_INTO(&a->peer, sk, __sk_common.skc_v6_daddr);
		BPF_CORE_READ_INTO(&a->local, sk, __sk_common.skc_v6_rcv_saddr);
		if (!mapped(a->peer)) {
			a->ver = 6;
			return;
		}
		__builtin_memset(a->peer, 0, sizeof(a->peer));
		__builtin_memset(a->local, 0, sizeof(a->local));
	}
	*(uint32_t *)a->peer = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	*(uint32_t *)a->local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
}

static __always_inline int note_accept(struct sock *sk)
{
	struct monitor_shared *s = hook_begin(HOOK_ACCEPT);
	uint32_t pid = bpf_get_current_pid_tgid() >> 32;
	struct accepted a = {};

	if (!s || !sk)
		return 0;
	read_ends(sk, &a);
	bpf_map_update_elem(&accepts, &pid, &a, BPF_ANY);
	return 0;
}

/* The socket is the last word in the context of a program at a function's exit, behind its arguments:
 * four of them until Linux 6.9, two since. The loader takes the one that fits. */
SEC("fexit/inet_csk_accept")
int life_accept4(uint64_t *ctx)
{
	return note_accept((struct sock *)ctx[4]);
}

SEC("fexit/inet_csk_accept")
int life_accept2(uint64_t *ctx)
{
	return note_accept((struct sock *)ctx[2]);
}

/* Is it still open? The socket may be gone and its memory somebody else's; the ports tell. */
static __always_inline bool accept_alive(const struct accepted *a)
{
	struct sock *sk = (void *)a->sk;
	uint8_t state = BPF_CORE_READ(sk, __sk_common.skc_state);

	return (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT) &&
	       __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport)) == a->peer_port &&
	       BPF_CORE_READ(sk, __sk_common.skc_num) == a->local_port;
}

struct visit_record {
	struct sensor_head h;
	struct sensor_visit v;
};
static __always_inline uint64_t visit_begin(struct monitor_shared *s, const struct accepted *a,
					    uint64_t parent, uint32_t pid)
{
	/* No counter: nobody needs to know where the last life of the monitor left off. */
	uint64_t visit = (bpf_ktime_get_boot_ns() & ~63ull) | (bpf_get_smp_processor_id() & 63);
	struct visit_note n = {.live = 0, .first = pid};

	if (bpf_map_update_elem(&visits, &visit, &n, BPF_ANY)) {
		__sync_fetch_and_add(&s->lost[SENSOR_VISIT], 1);
		return 0;
	}
	struct visit_record *r = ring_take(s, SENSOR_VISIT, sizeof(*r));

	if (!r)
		return visit;
	SET(r->v.visit, visit);
	SET(r->v.parent, parent);
	SET(r->v.pid, pid);
	SET(r->v.ver, a->ver);
	SET(r->v.proto, 6);
	SET(r->v.peer_port, a->peer_port);
	SET(r->v.local_port, a->local_port);
	__builtin_memcpy(r->v.peer, a->peer, sizeof(a->peer));
	__builtin_memcpy(r->v.local, a->local, sizeof(a->local));
	__builtin_memset(r->v.comm, 0, sizeof(r->v.comm));
	bpf_get_current_comm(r->v.comm, sizeof(r->v.comm));
	ring_give(s, r, sizeof(r->v));
	return visit;
}

static __always_inline void visit_join(uint64_t visit, uint32_t pid)
{
	struct proc_note n = {.visit = visit};
	struct visit_note *v = bpf_map_lookup_elem(&visits, &visit);

	if (!v || bpf_map_update_elem(&procs, &pid, &n, BPF_ANY) == 0) {
		if (v)
			__sync_fetch_and_add(&v->live, 1);
	} else if (v->live <= 0) /* nobody would see its end, and it not make room for others */
		bpf_map_delete_elem(&visits, &visit);
}

struct visit_end_record {
	struct sensor_head h;
	struct sensor_visit_end e;
	uint32_t pad;
};
static __always_inline void visit_leave(struct monitor_shared *s, uint64_t visit, uint32_t pid,
					int32_t status)
{
	struct visit_note *v = bpf_map_lookup_elem(&visits, &visit);

	if (!v)
		return;
	if (v->first == pid)
		v->status = status;
	__sync_fetch_and_add(&v->live, -1);
	status = v->status;
	/* Two last ones at the same time: only one of them gets it deleted. */
	if (v->live > 0 || bpf_map_delete_elem(&visits, &visit))
		return;
	struct visit_end_record *r = ring_take(s, SENSOR_VISIT_END, sizeof(*r));

	if (!r)
		return;
	SET(r->e.visit, visit);
	SET(r->e.status, status);
	ring_give(s, r, sizeof(r->e));
}

/* The visit of a child of pid. */
static __always_inline uint64_t visit_for(struct monitor_shared *s, uint32_t pid, uint32_t child)
{
	uint64_t own = visit_of(pid);
	struct accepted *a = bpf_map_lookup_elem(&accepts, &pid);

	if (!a)
		return own;
	uint64_t visit = a->visit;

	if (visit && !accept_alive(a))
		return own;
	if (!visit || !bpf_map_lookup_elem(&visits, &visit)) {
		visit = visit_begin(s, a, own, child);
		a->visit = visit;
	}
	if (pid == 1) /* hands it to one service and begins others */
		bpf_map_delete_elem(&accepts, &pid);
	return visit;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(life_fork, struct task_struct *parent, struct task_struct *child)
{
	struct monitor_shared *s = hook_begin(HOOK_FORK);
	uint32_t pid = child->tgid;

	if (!s || child->pid != child->tgid)
		return 0;
	uint64_t visit = visit_for(s, parent->tgid, pid);

	if (visit)
		visit_join(visit, pid);
	return 0;
}

/* ---- processes ------------------------------------------------------------------------------------- */

/* The monitor begins a program now and then, to see whether that is still heard. */
static __always_inline bool of_monitor(const struct monitor_shared *s)
{
	struct task_struct *t = (void *)bpf_get_current_task();

	return BPF_CORE_READ(t, real_parent, tgid) == (int)s->self;
}

/* A process that took a connection and becomes another program (nc -e). */
static __always_inline void visit_by_exec(struct monitor_shared *s, uint32_t pid)
{
	struct accepted *a = bpf_map_lookup_elem(&accepts, &pid);

	if (!a || a->visit || pid == 1)
		return;
	uint64_t old = visit_of(pid), visit = visit_begin(s, a, old, pid);

	a->visit = visit;
	if (!visit)
		return;
	if (old)
		visit_leave(s, old, pid, 0);
	visit_join(visit, pid);
}

#define EXEC_ARGS 4096u
struct exec_record {
	struct sensor_head h;
	struct sensor_exec e;
	uint8_t texts[2 * PATH_TEXT + 2 + EXEC_ARGS];
};

static __always_inline uint32_t exec_args(struct exec_record *r, struct mm_struct *mm, uint64_t at)
{
	uint64_t from = BPF_CORE_READ(mm, arg_start), size = BPF_CORE_READ(mm, arg_end) - from;

	BOUND(at, 2047);
	if (size > EXEC_ARGS - 1) {
		size = EXEC_ARGS - 1;
		SET(r->e.flags, r->e.flags | SENSOR_EXEC_CUT);
	}
	BOUND(size, 4095);
	if (bpf_probe_read_user(r->texts + at + 2, size, (void *)from)) {
		SET(r->e.flags, r->e.flags | SENSOR_EXEC_CUT);
		size = 0;
	}
	store_u16(r->texts + at, size);
	return at + 2 + size;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(life_exec, struct task_struct *t, int old_pid, struct linux_binprm *bprm)
{
	struct monitor_shared *s = hook_begin(HOOK_EXEC);
	uint32_t pid = bpf_get_current_pid_tgid() >> 32;
	struct proc_note none = {};

	if (!s || of_monitor(s))
		return 0;
	visit_by_exec(s, pid);
	bpf_map_update_elem(&procs, &pid, &none, BPF_NOEXIST);
	struct exec_record *r = ring_take(s, SENSOR_EXEC, sizeof(*r));

	if (!r)
		return 0;
	struct mm_struct *mm = BPF_CORE_READ(t, mm);
	struct file *file = BPF_CORE_READ(mm, exe_file);

	fill_proc(&r->e.p);
	SET(r->e.argc, BPF_CORE_READ(bprm, argc));
	SET(r->e.flags, BPF_CORE_READ(file, f_inode, i_nlink) ? 0 : SENSOR_EXEC_MEMFD);
	uint64_t at = path_text(r->texts, BPF_CORE_READ(file, f_path.dentry),
				BPF_CORE_READ(file, f_path.mnt));

	BOUND(at, 1023);
	at += path_text(r->texts + at, BPF_CORE_READ(t, fs, pwd.dentry),
			BPF_CORE_READ(t, fs, pwd.mnt));
	ring_give(s, r, sizeof(r->e) + exec_args(r, mm, at));
	return 0;
}

struct exit_record {
	struct sensor_head h;
	struct sensor_exit e;
	uint32_t pad;
};
SEC("tp_btf/sched_process_exit")
int BPF_PROG(life_exit, struct task_struct *t)
{
	struct monitor_shared *s = hook_begin(HOOK_EXIT);
	uint32_t pid = bpf_get_current_pid_tgid() >> 32;
	struct signal_struct *signal = BPF_CORE_READ(t, signal);

	if (!s || BPF_CORE_READ(signal, live.counter) > 0)
		return 0;
	struct proc_note *n = bpf_map_lookup_elem(&procs, &pid);

	bpf_map_delete_elem(&accepts, &pid);
	if (!n)
		return 0;
	uint64_t visit = n->visit;
	int32_t status = BPF_CORE_READ(signal, flags) & SIGNAL_GROUP_EXIT
				 ? BPF_CORE_READ(signal, group_exit_code)
				 : BPF_CORE_READ(t, group_leader, exit_code);
	struct exit_record *r = ring_take(s, SENSOR_EXIT, sizeof(*r));

	if (r) {
		fill_proc(&r->e.p);
		SET(r->e.status, status);
		ring_give(s, r, sizeof(r->e));
	}
	bpf_map_delete_elem(&procs, &pid);
	if (visit)
		visit_leave(s, visit, pid, status);
	return 0;
}

/* ---- connections ------------------------------------------------------------------------------------ */

struct connect_record {
	struct sensor_head h;
	struct sensor_connect c;
	uint32_t pad;
};
struct udp_key {
	uint64_t visit;
	uint8_t addr[16];
	uint16_t port, pad[3];
};
struct { /* when a visit last sent datagrams to a place: told once in a while */
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct udp_key);
	__type(value, uint64_t);
} datagrams SEC(".maps");
#define DATAGRAM_NS 10000000000ull

static __always_inline bool datagram_again(const struct sockaddr_any *to, bool v6)
{
	struct udp_key k = {.visit = visit_of(bpf_get_current_pid_tgid() >> 32), .port = to->port};
	uint64_t now = bpf_ktime_get_boot_ns(), *last;

	if (v6)
		__builtin_memcpy(k.addr, &to->v6, sizeof(k.addr));
	else
		__builtin_memcpy(k.addr, &to->v4, sizeof(to->v4));
	last = bpf_map_lookup_elem(&datagrams, &k);
	if (last && now - *last < DATAGRAM_NS)
		return true;
	bpf_map_update_elem(&datagrams, &k, &now, BPF_ANY);
	return false;
}

static __always_inline int note_connect(struct sock *sk, void *uaddr, bool v6)
{
	struct monitor_shared *s = hook_begin(HOOK_CONNECT);
	struct sockaddr_any to = {};
	uint16_t proto = BPF_CORE_READ(sk, sk_protocol);

	if (!s || bpf_probe_read_kernel(&to, v6 ? sizeof(to) : 8, uaddr))
		return 0;
	/* Others come by the other function, or end a connection. */
	if (to.family != (v6 ? AF_INET6 : AF_INET) || (v6 && mapped(to.v6.b)))
		return 0;
	if (proto != 6 && datagram_again(&to, v6))
		return 0;
	struct connect_record *r = ring_take(s, SENSOR_CONNECT, sizeof(*r));

	if (!r)
		return 0;
	fill_proc(&r->c.p);
	SET(r->c.ver, v6 ? 6 : 4);
	SET(r->c.proto, proto);
	SET(r->c.port, __builtin_bswap16(to.port));
	__builtin_memset(r->c.addr, 0, sizeof(r->c.addr));
	if (v6)
		__builtin_memcpy(r->c.addr, &to.v6, sizeof(to.v6));
	else
		__builtin_memcpy(r->c.addr, &to.v4, sizeof(to.v4));
	ring_give(s, r, sizeof(r->c));
	return 0;
}

SEC("fentry/tcp_v4_connect")
int BPF_PROG(life_connect4, struct sock *sk, void *uaddr)
{
	return note_connect(sk, uaddr, false);
}

SEC("fentry/tcp_v6_connect")
int BPF_PROG(life_connect6, struct sock *sk, void *uaddr)
{
	return note_connect(sk, uaddr, true);
}

SEC("fentry/__ip4_datagram_connect")
int BPF_PROG(life_datagram4, struct sock *sk, void *uaddr)
{
	return note_connect(sk, uaddr, false);
}

SEC("fentry/__ip6_datagram_connect")
int BPF_PROG(life_datagram6, struct sock *sk, void *uaddr)
{
	return note_connect(sk, uaddr, true);
}

/* ---- rights, the kernel, signals ---------------------------------------------------------------------- */

struct cred_record {
	struct sensor_head h;
	struct sensor_cred c;
};
SEC("fentry/commit_creds")
int BPF_PROG(life_cred, struct cred *new)
{
	struct monitor_shared *s = hook_begin(HOOK_CRED);
	struct task_struct *t = (void *)bpf_get_current_task();
	const struct cred *old = BPF_CORE_READ(t, real_cred);
	struct kernel_caps had = {}, has = {};

	if (!s)
		return 0;
	/* One that was root in any of its ids may take that up again: sshd does, all the time. */
	if (!BPF_CORE_READ(old, uid.val) || !BPF_CORE_READ(old, suid.val) ||
	    !BPF_CORE_READ(old, euid.val))
		return 0;
	BPF_CORE_READ_INTO(&had, old, cap_permitted);
	BPF_CORE_READ_INTO(&has, new, cap_effective);
	if (BPF_CORE_READ(new, euid.val) && BPF_CORE_READ(new, uid.val) && !(has.bits & ~had.bits))
		return 0;
	struct cred_record *r = ring_take(s, SENSOR_CRED, sizeof(*r));

	if (!r)
		return 0;
	fill_proc(&r->c.p);
	SET(r->c.uid, BPF_CORE_READ(new, uid.val));
	SET(r->c.euid, BPF_CORE_READ(new, euid.val));
	SET(r->c.gid, BPF_CORE_READ(new, gid.val));
	SET(r->c.pad, 0);
	SET(r->c.caps, has.bits);
	ring_give(s, r, sizeof(r->c));
	return 0;
}

struct kernel_record {
	struct sensor_head h;
	struct sensor_kernel k;
	uint8_t text[2 + 64];
};
static __always_inline int note_kernel(struct monitor_shared *s, uint8_t what, uint32_t kind,
				       const char *name, uint32_t room)
{
	struct kernel_record *r = ring_take(s, SENSOR_KERNEL, sizeof(*r));

	if (!r)
		return 0;
	fill_proc(&r->k.p);
	SET(r->k.what, what);
	SET(r->k.kind, kind);
	long n = bpf_probe_read_kernel_str(r->text + 2, room, name);
	uint64_t len = n > 0 ? n - 1 : 0;

	BOUND(len, 63);
	store_u16(r->text, len);
	ring_give(s, r, sizeof(r->k) + 2 + len);
	return 0;
}

SEC("tp_btf/module_load")
int BPF_PROG(life_module, struct module *m)
{
	struct monitor_shared *s = hook_begin(HOOK_MODULE);

	return s ? note_kernel(s, SENSOR_MODULE, 0, m->name, 56) : 0;
}

SEC("fentry/bpf_prog_kallsyms_add")
int BPF_PROG(life_bpf, struct bpf_prog *prog)
{
	struct monitor_shared *s = hook_begin(HOOK_BPF);

	if (!s || BPF_CORE_READ(prog, aux, func_idx))
		return 0;
	return note_kernel(s, SENSOR_PROGRAM, BPF_CORE_READ(prog, type),
			   BPF_CORE_READ(prog, aux, name), 16);
}

/* Does it end, or stop, who gets it? */
static __always_inline bool harms(int sig)
{
	const uint64_t set = 1ull << 2 | 1ull << 3 | 1ull << 4 | 1ull << 6 | 1ull << 7 | 1ull << 8 |
			     1ull << 9 | 1ull << 11 | 1ull << 15 | 1ull << 19 | 1ull << 20;

	return sig > 0 && sig < 64 && (set >> sig & 1);
}

static __always_inline bool comm_is(const char *comm, const char *name, int len)
{
	for (int i = 0; i < len; i++)
		if (comm[i] != name[i])
			return false;
	return true;
}
#define COMM_IS(comm, name) comm_is(comm, name, sizeof(name))

struct signal_record {
	struct sensor_head h;
	struct sensor_signal s;
	uint32_t pad;
};
SEC("tp_btf/signal_generate")
int BPF_PROG(life_signal, int sig, void *info, struct task_struct *to)
{
	struct monitor_shared *s = hook_begin(HOOK_SIGNAL);
	char comm[16] = {};
	uint32_t pid = to->tgid;

	if (!s || !harms(sig) || (uint32_t)(bpf_get_current_pid_tgid() >> 32) == pid)
		return 0;
	BPF_CORE_READ_STR_INTO(&comm, to, comm);
	/* A daemon's children carry its name, but belong to visits, and end by signals every day. */
	if (pid != s->self &&
	    (visit_of(pid) || (!COMM_IS(comm, "rsyslogd") && !COMM_IS(comm, "syslogd") &&
			       !COMM_IS(comm, "sshd") && !COMM_IS(comm, "dropbear"))))
		return 0;
	struct signal_record *r = ring_take(s, SENSOR_SIGNAL, sizeof(*r));

	if (!r)
		return 0;
	fill_proc(&r->s.p);
	SET(r->s.to, pid);
	SET(r->s.sig, sig);
	__builtin_memcpy(r->s.to_comm, comm, sizeof(comm));
	ring_give(s, r, sizeof(r->s));
	return 0;
}
